/* SPDX-License-Identifier: Apache-2.0 */
#include "format/x509_cert.h"

#include "base/date.h"
#include "format/der.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define EXTENSIONS_MAX 16
#define SERIAL_MAX 21 /* bytes: 20, and one that keeps it positive */

#define WHOLE(bytes) cof_view_of(bytes, sizeof bytes)
static const uint8_t version_3[] = {0xa0, 0x03, 0x02, 0x01, 0x02};
static const uint8_t ecdsa_sha384[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
static const uint8_t ec_p384[] = {0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
static const uint8_t true_value[] = {0x01, 0x01, 0xff};
static const uint8_t basic_constraints[] = {0x55, 0x1d, 0x13}, key_usage[] = {0x55, 0x1d, 0x0f};

static const char no_certificate[] = "is no certificate";

/* A BIT STRING of whole bytes. */
static bool take_bytes(struct cof_view *in, struct cof_view *out)
{
    if (cof_der_take(in, COF_DER_BIT_STRING, out) != COF_OK || out->len < 2 || out->data[0] != 0)
        return false;
    *out = cof_view_sub(*out, 1, SIZE_MAX);
    return true;
}

/* spec: RFC 5280 section 4.1.2.5, UTCTime up to 2049, GeneralizedTime from then on; both in whole seconds and Z. */
static bool take_time(struct cof_view *in, int64_t *ms)
{
    char text[32];
    struct cof_view t;
    const char *d;
    uint8_t tag;
    bool utc;

    if (!cof_der_peek(*in, &tag) || (tag != COF_DER_UTC_TIME && tag != COF_DER_GENERALIZED_TIME) || cof_der_take(in, tag, &t) != COF_OK)
        return false;
    utc = tag == COF_DER_UTC_TIME;
    if (t.len != (utc ? 13 : 15))
        return false;
    for (size_t i = 0; i + 1 < t.len; i++)
        if (t.data[i] < '0' || t.data[i] > '9')
            return false;
    d = (const char *)t.data + (utc ? 2 : 4);
    if (utc)
        (void)snprintf(text, sizeof text, "%s%.2s-%.2s-%.2sT%.2s:%.2s:%.2s%c", t.data[0] >= '5' ? "19" : "20", (const char *)t.data, d, d + 2,
                       d + 4, d + 6, d + 8, t.data[t.len - 1]);
    else
        (void)snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s%c", (const char *)t.data, d, d + 2, d + 4, d + 6, d + 8,
                       t.data[t.len - 1]);
    return cof_date_parse_iso(cof_view_str(text), ms) == COF_OK && t.data[t.len - 1] == 'Z';
}

/* BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER (0..MAX) OPTIONAL } */
static bool read_constraints(struct cof_view value, struct cof_x509_cert *c)
{
    struct cof_view in, number;
    uint8_t tag;

    if (cof_der_take(&value, COF_DER_SEQUENCE, &in) != COF_OK || value.len != 0)
        return false;
    c->is_authority = cof_der_peek(in, &tag) && tag == COF_DER_BOOLEAN;
    if (c->is_authority && cof_der_take_exact(&in, WHOLE(true_value)) != COF_OK)
        return false; /* spec: DER leaves a default out */
    c->path_len = COF_X509_NO_PATH_LEN;
    if (in.len == 0)
        return true;
    if (cof_der_take(&in, COF_DER_INTEGER, &number) != COF_OK || number.len != 1 || number.data[0] > 0x7f || in.len != 0)
        return false;
    c->path_len = number.data[0];
    return true;
}

static bool read_usage(struct cof_view value, struct cof_x509_cert *c)
{
    struct cof_view bits;

    if (cof_der_take(&value, COF_DER_BIT_STRING, &bits) != COF_OK || value.len != 0 || bits.len < 2 || bits.len > 3 || bits.data[0] > 7)
        return false;
    c->has_usage = true;
    c->may_sign = (bits.data[1] & 0x80) != 0;
    c->may_sign_certs = (bits.data[1] & 0x04) != 0;
    return true;
}

/* Every critical extension must be one that is judged, and none may come twice. */
static const char *read_extensions(struct cof_view list, struct cof_x509_cert *c)
{
    struct cof_view seen[EXTENSIONS_MAX];
    size_t n = 0;

    while (list.len > 0) {
        struct cof_view extension, oid, value;
        bool critical = false;
        uint8_t tag;

        if (n == EXTENSIONS_MAX || cof_der_take(&list, COF_DER_SEQUENCE, &extension) != COF_OK ||
            cof_der_take(&extension, COF_DER_OID, &oid) != COF_OK)
            return no_certificate;
        if (cof_der_peek(extension, &tag) && tag == COF_DER_BOOLEAN) {
            critical = cof_der_take_exact(&extension, WHOLE(true_value)) == COF_OK;
            if (!critical)
                return no_certificate;
        }
        if (cof_der_take(&extension, COF_DER_OCTET_STRING, &value) != COF_OK || extension.len != 0)
            return no_certificate;
        for (size_t i = 0; i < n; i++)
            if (cof_view_eq(seen[i], oid))
                return "has an extension twice";
        seen[n++] = oid;
        if (cof_view_eq(oid, WHOLE(basic_constraints))) {
            c->has_constraints = true;
            c->constraints_critical = critical;
            if (!read_constraints(value, c))
                return no_certificate;
        } else if (cof_view_eq(oid, WHOLE(key_usage))) {
            if (!read_usage(value, c))
                return no_certificate;
        } else if (critical) {
            return "has an unknown critical extension";
        }
    }
    return n > 0 ? NULL : no_certificate;
}

static const char *read_tbs(struct cof_view in, struct cof_x509_cert *c)
{
    struct cof_view serial, validity, spki, extensions, list;

    if (cof_der_take_exact(&in, WHOLE(version_3)) != COF_OK)
        return "is not X.509 version 3";
    if (cof_der_take(&in, COF_DER_INTEGER, &serial) != COF_OK || serial.len == 0 || serial.len > SERIAL_MAX)
        return no_certificate;
    if (cof_der_take_exact(&in, WHOLE(ecdsa_sha384)) != COF_OK)
        return "is not signed with ecdsa-with-SHA384";
    if (cof_der_take(&in, COF_DER_SEQUENCE, &c->issuer) != COF_OK || cof_der_take(&in, COF_DER_SEQUENCE, &validity) != COF_OK)
        return no_certificate;
    if (!take_time(&validity, &c->from_ms) || !take_time(&validity, &c->to_ms) || validity.len != 0)
        return "has no readable validity";
    c->to_ms += 999;
    if (cof_der_take(&in, COF_DER_SEQUENCE, &c->subject) != COF_OK || cof_der_take(&in, COF_DER_SEQUENCE, &spki) != COF_OK)
        return no_certificate;
    if (cof_der_take_exact(&spki, WHOLE(ec_p384)) != COF_OK)
        return "has no P-384 key";
    if (!take_bytes(&spki, &c->point) || spki.len != 0 || cof_der_take(&in, COF_DER_CONTEXT_CONS(3), &extensions) != COF_OK || in.len != 0 ||
        cof_der_take(&extensions, COF_DER_SEQUENCE, &list) != COF_OK || extensions.len != 0)
        return no_certificate;
    return read_extensions(list, c);
}

static const char *read(struct cof_view der, struct cof_x509_cert *c)
{
    struct cof_view in, tbs, start;

    if (cof_der_take(&der, COF_DER_SEQUENCE, &in) != COF_OK)
        return no_certificate;
    if (der.len != 0)
        return "is followed by bytes";
    start = in;
    if (cof_der_take(&in, COF_DER_SEQUENCE, &tbs) != COF_OK)
        return no_certificate;
    c->tbs = cof_view_sub(start, 0, start.len - in.len);
    if (cof_der_take_exact(&in, WHOLE(ecdsa_sha384)) != COF_OK)
        return "is not signed with ecdsa-with-SHA384";
    if (!take_bytes(&in, &c->signature) || in.len != 0)
        return no_certificate;
    return read_tbs(tbs, c);
}

enum cof_err cof_x509_cert_parse(struct cof_view der, struct cof_x509_cert *out, const char **wrong)
{
    *out = (struct cof_x509_cert){.path_len = COF_X509_NO_PATH_LEN};
    *wrong = read(der, out);
    if (*wrong == NULL)
        return COF_OK;
    *out = (struct cof_x509_cert){.path_len = COF_X509_NO_PATH_LEN};
    return COF_E_FORMAT;
}
