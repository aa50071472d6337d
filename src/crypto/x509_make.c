/* SPDX-License-Identifier: Apache-2.0 */
#include "base/date.h"
#include "crypto/x509.h"
#include "format/der.h"

#include <string.h>

#define CERT_MAX 2048 /* bytes */

static const uint8_t ecdsa_with_sha384[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
static const uint8_t oid_country[] = {0x55, 0x04, 0x06};
static const uint8_t oid_organization[] = {0x55, 0x04, 0x0a};
static const uint8_t oid_unit[] = {0x55, 0x04, 0x0b};
static const uint8_t oid_common_name[] = {0x55, 0x04, 0x03};
static const uint8_t oid_basic_constraints[] = {0x55, 0x1d, 0x13};
static const uint8_t oid_key_usage[] = {0x55, 0x1d, 0x0f};
static const uint8_t boolean_true[] = {0xff};
/* BIT STRING contents: unused bits, then the bits from the left (RFC 5280 section 4.2.1.3) */
static const uint8_t usage_authority[] = {0x01, 0x86}; /* digitalSignature, keyCertSign, cRLSign */
static const uint8_t usage_leaf[] = {0x06, 0xc0};      /* digitalSignature, nonRepudiation */

#define WHOLE(array) cof_view_of(array, sizeof(array))

static void add_attribute(struct cof_buf *out, struct cof_view oid, uint8_t string_tag, const char *value)
{
    size_t set, pair;

    if (value == NULL)
        return;
    set = cof_der_begin(out, COF_DER_SET);
    pair = cof_der_begin(out, COF_DER_SEQUENCE);
    cof_der_add(out, COF_DER_OID, oid);
    cof_der_add(out, string_tag, cof_view_str(value));
    cof_der_end(out, pair);
    cof_der_end(out, set);
}

static void add_name(struct cof_buf *out, const struct cof_x509_name *name)
{
    size_t mark = cof_der_begin(out, COF_DER_SEQUENCE);

    add_attribute(out, WHOLE(oid_country), COF_DER_PRINTABLE_STRING, "US");
    add_attribute(out, WHOLE(oid_organization), COF_DER_UTF8_STRING, name->organization);
    add_attribute(out, WHOLE(oid_unit), COF_DER_UTF8_STRING, name->unit);
    add_attribute(out, WHOLE(oid_common_name), COF_DER_UTF8_STRING, name->common_name);
    cof_der_end(out, mark);
}

/* spec: RFC 5280 section 4.1.2.5, UTCTime through 2049 and GeneralizedTime after it */
static void add_time(struct cof_buf *out, int64_t ms)
{
    char iso[COF_DATE_MAX]; /* 20261123T180000Z */
    size_t mark;
    bool utc;

    cof_date_amz(ms, iso);
    utc = memcmp(iso, "2050", 4) < 0;
    mark = cof_der_begin(out, utc ? COF_DER_UTC_TIME : COF_DER_GENERALIZED_TIME);
    cof_buf_add_bytes(out, iso + (utc ? 2 : 0), utc ? 6 : 8);
    cof_buf_add_bytes(out, iso + 9, 7);
    cof_der_end(out, mark);
}

static void begin_extension(struct cof_buf *out, struct cof_view oid, size_t marks[static 2])
{
    marks[0] = cof_der_begin(out, COF_DER_SEQUENCE);
    cof_der_add(out, COF_DER_OID, oid);
    cof_der_add(out, COF_DER_BOOLEAN, WHOLE(boolean_true));
    marks[1] = cof_der_begin(out, COF_DER_OCTET_STRING);
}

static void end_extension(struct cof_buf *out, const size_t marks[static 2])
{
    cof_der_end(out, marks[1]);
    cof_der_end(out, marks[0]);
}

static void add_extensions(struct cof_buf *out, const struct cof_x509_make *spec)
{
    size_t tagged = cof_der_begin(out, COF_DER_CONTEXT_CONS(3));
    size_t all = cof_der_begin(out, COF_DER_SEQUENCE);
    uint8_t path_len = (uint8_t)spec->path_len;
    size_t marks[2], sequence;

    begin_extension(out, WHOLE(oid_basic_constraints), marks);
    sequence = cof_der_begin(out, COF_DER_SEQUENCE);
    if (spec->authority)
        cof_der_add(out, COF_DER_BOOLEAN, WHOLE(boolean_true));
    if (spec->authority && spec->path_len != COF_X509_NO_PATH_LEN)
        cof_der_add_uint(out, cof_view_of(&path_len, 1));
    cof_der_end(out, sequence);
    end_extension(out, marks);
    begin_extension(out, WHOLE(oid_key_usage), marks);
    cof_der_add(out, COF_DER_BIT_STRING, spec->authority ? WHOLE(usage_authority) : WHOLE(usage_leaf));
    end_extension(out, marks);
    cof_der_end(out, all);
    cof_der_end(out, tagged);
}

static enum cof_err add_tbs(struct cof_buf *out, const struct cof_x509_make *spec)
{
    static const uint8_t version_3[] = {0xa0, 0x03, 0x02, 0x01, 0x02};
    size_t tbs = cof_der_begin(out, COF_DER_SEQUENCE), validity;
    enum cof_err err;

    cof_buf_add(out, WHOLE(version_3));
    cof_der_add_uint(out, spec->serial);
    cof_buf_add(out, WHOLE(ecdsa_with_sha384));
    add_name(out, &spec->issuer);
    validity = cof_der_begin(out, COF_DER_SEQUENCE);
    add_time(out, spec->from_ms);
    add_time(out, spec->to_ms);
    cof_der_end(out, validity);
    add_name(out, &spec->subject);
    err = cof_ecdsa_spki(spec->subject_key, out);
    add_extensions(out, spec);
    cof_der_end(out, tbs);
    return err != COF_OK ? err : cof_buf_err(out);
}

enum cof_err cof_x509_make(const struct cof_x509_make *spec, struct cof_buf *out)
{
    struct cof_buf tbs;
    size_t cert, bits;
    enum cof_err err;

    if (spec->serial.len == 0 || spec->serial.len > 20 || spec->path_len > 100 || spec->to_ms < spec->from_ms ||
        cof_ecdsa_curve(spec->issuer_key) != COF_P384)
        return COF_E_USAGE;
    cof_buf_init(&tbs, CERT_MAX);
    err = add_tbs(&tbs, spec);
    if (err != COF_OK)
        goto out;
    cert = cof_der_begin(out, COF_DER_SEQUENCE);
    cof_buf_add(out, cof_buf_view(&tbs));
    cof_buf_add(out, WHOLE(ecdsa_with_sha384));
    bits = cof_der_begin(out, COF_DER_BIT_STRING);
    cof_buf_add_u8(out, 0);
    err = cof_ecdsa_sign(spec->issuer_key, COF_SHA384, cof_buf_view(&tbs), COF_ECDSA_DER, out);
    cof_der_end(out, bits);
    cof_der_end(out, cert);
    if (err == COF_OK)
        err = cof_buf_err(out);
out:
    cof_buf_done(&tbs);
    return err;
}
