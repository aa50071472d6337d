/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/esdk_sign.h"

#include "base/codec.h"

#include <string.h>

#define FIELD_MAX 48 /* bytes of a P-384 scalar */
#define TRIES 64     /* each fails with a chance of about 2^-7 */

/* The orders of the groups (FIPS 186-5). */
static const uint8_t orders[][FIELD_MAX] = {
    [COF_P256] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                  0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51},
    [COF_P384] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
                  0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73},
};

static size_t field(enum cof_curve curve)
{
    return curve == COF_P256 ? 32 : 48;
}

enum cof_err cof_esdk_public_value(const struct cof_ecdsa_key *key, struct cof_buf *value)
{
    struct cof_buf point;
    enum cof_err err;

    cof_buf_init(&point, 1 + FIELD_MAX);
    err = cof_ecdsa_point(key, true, &point);
    if (err == COF_OK) {
        cof_base64_add(value, cof_buf_view(&point));
        err = cof_buf_err(value);
    }
    cof_buf_done(&point);
    return err;
}

enum cof_err cof_esdk_public_parse(const struct cof_suite *suite, struct cof_view value, struct cof_ecdsa_key **out)
{
    struct cof_buf point;
    enum cof_err err;

    *out = NULL;
    cof_buf_init(&point, 1 + FIELD_MAX);
    err = cof_base64_decode(value, &point);
    if (err == COF_OK && point.len != 1 + field(suite->curve)) /* spec: compressed points only */
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = cof_ecdsa_from_point(suite->curve, cof_buf_view(&point), out);
    cof_buf_done(&point);
    return err == COF_OK || err == COF_E_MEMORY ? err : COF_E_FORMAT;
}

/* SEQUENCE of two INTEGERs, of which just one begins with a set bit and so has a zero before it. */
size_t cof_esdk_signature_length(const struct cof_suite *suite)
{
    return suite->is_signed ? 2 + 2 * (2 + field(suite->curve)) + 1 : 0;
}

/* s := n - s, the other signature of the same digest. */
static void negate(enum cof_curve curve, uint8_t *s)
{
    unsigned borrow = 0;

    for (size_t i = field(curve); i-- > 0;) {
        unsigned d = 256u + orders[curve][i] - s[i] - borrow;
        s[i] = (uint8_t)d;
        borrow = d < 256;
    }
}

/* Whether its INTEGER is as long as the field: no leading zero that DER would drop. */
static bool is_full(const uint8_t *n)
{
    return n[0] != 0;
}

static void add_integer(struct cof_buf *out, const uint8_t *n, size_t len)
{
    bool pad = n[0] >= 0x80;

    cof_buf_add_u8(out, 0x02);
    cof_buf_add_u8(out, (uint8_t)(len + pad));
    if (pad)
        cof_buf_add_u8(out, 0);
    cof_buf_add_bytes(out, n, len);
}

/* Readers expect one length (Content-Length is sent before the signature exists): of the two signatures s and n - s that
 * every signing yields, one has the top bit of s opposite to r's. */
enum cof_err cof_esdk_sign(const struct cof_suite *suite, const struct cof_ecdsa_key *key, struct cof_view digest,
                           struct cof_buf *out)
{
    size_t len = field(suite->curve);
    struct cof_buf raw;
    enum cof_err err = COF_E_BUG;

    cof_buf_init(&raw, 2 * FIELD_MAX);
    for (int i = 0; i < TRIES; i++) {
        uint8_t *r, *s;

        cof_buf_reset(&raw);
        err = cof_ecdsa_sign_digest(key, digest, COF_ECDSA_RAW, &raw);
        if (err != COF_OK || raw.len != 2 * len)
            break;
        r = raw.data;
        s = raw.data + len;
        if ((r[0] >= 0x80) == (s[0] >= 0x80))
            negate(suite->curve, s);
        if (is_full(r) && is_full(s) && (r[0] >= 0x80) != (s[0] >= 0x80)) {
            cof_buf_add_u8(out, 0x30);
            cof_buf_add_u8(out, (uint8_t)(cof_esdk_signature_length(suite) - 2));
            add_integer(out, r, len);
            add_integer(out, s, len);
            err = cof_buf_err(out);
            goto out;
        }
    }
    if (err == COF_OK)
        err = COF_E_BUG;
out:
    cof_buf_done(&raw);
    return err;
}
