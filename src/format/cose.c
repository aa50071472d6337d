/* SPDX-License-Identifier: Apache-2.0 */
#include "format/cose.h"

#include "format/cbor.h"

#define LABEL_ALG 1
#define LABEL_CRIT 2
#define HEADERS_MAX 16 /* entries a header may have */
#define HEADER_DEPTH 4
#define PROTECTED_MAX 1024 /* bytes */
#define SIGNATURE_MAX 1024

/* A label: a small integer or a text. Integers of headers in use are small; they are told apart by their encoding,
 * which is unique since only minimal forms are read. */
static enum cof_err take_label(struct cof_view *in, struct cof_view *label, int64_t *n)
{
    enum cof_cbor_type type;
    struct cof_view at = *in;
    enum cof_err err = cof_cbor_peek(*in, &type);

    *n = 0;
    if (err != COF_OK)
        return err;
    if (type == COF_CBOR_TEXT)
        return cof_cbor_skip(in, 0, label);
    err = cof_cbor_take_int(in, n);
    if (err == COF_OK)
        *label = cof_view_sub(at, 0, at.len - in->len);
    return err;
}

/* Reads a header map: how many entries, and the alg in it (0 when there is none). */
static enum cof_err take_header(struct cof_view *in, size_t *n_entries, int64_t *alg)
{
    struct cof_view seen[HEADERS_MAX];
    struct cof_cbor_map map;
    enum cof_err err = cof_cbor_map_open(in, false, &map);

    *alg = 0;
    *n_entries = 0;
    if (err != COF_OK)
        return err;
    if (map.left > HEADERS_MAX)
        return COF_E_LIMIT;
    for (size_t i = 0; i < map.left; i++) {
        int64_t n;

        err = take_label(in, &seen[i], &n);
        if (err != COF_OK)
            return err;
        for (size_t k = 0; k < i; k++)
            if (cof_view_eq(seen[k], seen[i]))
                return COF_E_FORMAT;
        if (n == LABEL_CRIT)
            return COF_E_UNSUPPORTED;
        err = n == LABEL_ALG ? cof_cbor_take_int(in, alg) : cof_cbor_skip(in, HEADER_DEPTH, NULL);
        if (err != COF_OK)
            return err;
    }
    *n_entries = (size_t)map.left;
    return COF_OK;
}

/* spec: RFC 9052 section 3, an empty protected header is a zero-length string (or, from old senders, an empty map). */
static enum cof_err parse_protected(struct cof_cose_sign1 *out)
{
    struct cof_view in = out->protected_header;
    enum cof_err err;

    if (in.len == 0)
        return COF_OK;
    err = take_header(&in, &out->n_protected, &out->alg);
    if (err != COF_OK)
        return err;
    return in.len == 0 ? COF_OK : COF_E_FORMAT;
}

static enum cof_err parse(struct cof_view in, size_t max_payload, struct cof_cose_sign1 *out)
{
    enum cof_cbor_type type;
    int64_t unprotected_alg;
    uint64_t tag;
    size_t n;
    enum cof_err err = cof_cbor_peek(in, &type);

    if (err == COF_OK && type == COF_CBOR_TAG) {
        err = cof_cbor_take_tag(&in, &tag);
        if (err == COF_OK && tag != COF_COSE_TAG_SIGN1)
            err = COF_E_FORMAT;
        out->tagged = true;
    }
    if (err == COF_OK)
        err = cof_cbor_take_array(&in, 4, &n);
    if (err == COF_OK && n != 4)
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = cof_cbor_take_bytes(&in, 0, PROTECTED_MAX, &out->protected_header);
    if (err == COF_OK)
        err = parse_protected(out);
    if (err == COF_OK)
        err = take_header(&in, &out->n_unprotected, &unprotected_alg);
    if (err == COF_OK && unprotected_alg != 0)
        err = COF_E_FORMAT; /* an algorithm that nobody signed, or a second one */
    if (err == COF_OK)
        err = cof_cbor_take_bytes(&in, 0, max_payload, &out->payload);
    if (err == COF_OK)
        err = cof_cbor_take_bytes(&in, 1, SIGNATURE_MAX, &out->signature);
    if (err == COF_OK && (in.len != 0 || out->alg == 0))
        err = COF_E_FORMAT;
    return err;
}

enum cof_err cof_cose_sign1_parse(struct cof_view doc, size_t max_payload, struct cof_cose_sign1 *out)
{
    struct cof_cose_sign1 found = {0};
    enum cof_err err = parse(doc, max_payload, &found);

    *out = err == COF_OK ? found : (struct cof_cose_sign1){0};
    return err;
}

void cof_cose_add_sig_structure(struct cof_buf *out, struct cof_view protected_header, struct cof_view external_aad,
                                struct cof_view payload)
{
    cof_cbor_add_array(out, 4);
    cof_cbor_add_str(out, "Signature1");
    cof_cbor_add_bytes(out, protected_header);
    cof_cbor_add_bytes(out, external_aad);
    cof_cbor_add_bytes(out, payload);
}

void cof_cose_add_protected(struct cof_buf *out, int64_t alg)
{
    cof_cbor_add_map(out, 1);
    cof_cbor_add_uint(out, LABEL_ALG);
    cof_cbor_add_int(out, alg);
}

void cof_cose_add_sign1(struct cof_buf *out, bool tagged, struct cof_view protected_header, struct cof_view payload,
                        struct cof_view signature)
{
    if (tagged)
        cof_cbor_add_tag(out, COF_COSE_TAG_SIGN1);
    cof_cbor_add_array(out, 4);
    cof_cbor_add_bytes(out, protected_header);
    cof_cbor_add_map(out, 0);
    cof_cbor_add_bytes(out, payload);
    cof_cbor_add_bytes(out, signature);
}
