/* SPDX-License-Identifier: Apache-2.0 */
#include "format/attest_doc.h"

#include "format/cbor.h"

enum key {
    KEY_MODULE_ID,
    KEY_DIGEST,
    KEY_TIMESTAMP,
    KEY_PCRS,
    KEY_CERTIFICATE,
    KEY_CABUNDLE,
    KEY_PUBLIC_KEY,
    KEY_USER_DATA,
    KEY_NONCE,
    KEY_NITROTPM_PCRS,
    N_KEYS,
};

static const char *const keys[N_KEYS] = {
    [KEY_MODULE_ID] = "module_id",     [KEY_DIGEST] = "digest",     [KEY_TIMESTAMP] = "timestamp",
    [KEY_PCRS] = "pcrs",               [KEY_CABUNDLE] = "cabundle", [KEY_CERTIFICATE] = "certificate",
    [KEY_PUBLIC_KEY] = "public_key",   [KEY_NONCE] = "nonce",       [KEY_USER_DATA] = "user_data",
    [KEY_NITROTPM_PCRS] = "nitrotpm_pcrs",
};

#define N_MANDATORY KEY_PUBLIC_KEY /* the keys before it must all be there */

static enum cof_err take_timestamp(struct cof_view *in, int64_t *out)
{
    uint64_t ms;
    enum cof_err err = cof_cbor_take_uint(in, INT64_MAX, &ms);

    if (err != COF_OK)
        return err;
    if (ms == 0)
        return COF_E_FORMAT;
    *out = (int64_t)ms;
    return COF_OK;
}

static enum cof_err take_digest(struct cof_view *in)
{
    struct cof_view name;
    enum cof_err err = cof_cbor_take_text(in, 1, 16, &name);

    if (err != COF_OK)
        return err;
    return cof_view_eq_str(name, "SHA384") ? COF_OK : COF_E_FORMAT;
}

/* The digest is SHA-384, so that every register is 48 bytes; the other lengths of AWS's list belong to digests that no
 * document may name. */
static enum cof_err take_pcrs(struct cof_view *in, struct cof_attest_doc *doc)
{
    struct cof_cbor_map map;
    size_t index;
    enum cof_err err = cof_cbor_map_open(in, false, &map);

    if (err != COF_OK)
        return err;
    if (map.left < 1 || map.left > COF_ATTEST_PCRS)
        return COF_E_FORMAT;
    for (;;) {
        err = cof_cbor_map_next_uint(in, &map, COF_ATTEST_PCRS - 1, &index);
        if (err != COF_OK || index == COF_CBOR_END)
            return err;
        err = cof_cbor_take_bytes(in, COF_ATTEST_PCR_SIZE, COF_ATTEST_PCR_SIZE, &doc->pcrs[index]);
        if (err != COF_OK)
            return err;
        doc->pcr_mask |= (uint32_t)1 << index;
    }
}

static enum cof_err take_cabundle(struct cof_view *in, struct cof_attest_doc *doc)
{
    enum cof_err err = cof_cbor_take_array(in, COF_ATTEST_CABUNDLE_MAX, &doc->n_cabundle);

    if (err == COF_OK && doc->n_cabundle == 0)
        err = COF_E_FORMAT;
    for (size_t i = 0; err == COF_OK && i < doc->n_cabundle; i++)
        err = cof_cbor_take_bytes(in, 1, COF_ATTEST_CERT_MAX, &doc->cabundle[i]);
    return err;
}

static enum cof_err take_optional(struct cof_view *in, size_t min, size_t max, struct cof_attest_field *field)
{
    enum cof_err err;

    if (cof_cbor_take_null(in))
        return COF_OK;
    err = cof_cbor_take_bytes(in, min, max, &field->bytes);
    field->present = err == COF_OK;
    return err;
}

static enum cof_err take_value(struct cof_view *in, enum key key, struct cof_attest_doc *doc)
{
    switch (key) {
    case KEY_MODULE_ID:
        return cof_cbor_take_text(in, 1, COF_ATTEST_MODULE_ID_MAX, &doc->module_id);
    case KEY_DIGEST:
        return take_digest(in);
    case KEY_TIMESTAMP:
        return take_timestamp(in, &doc->timestamp_ms);
    case KEY_PCRS:
        return take_pcrs(in, doc);
    case KEY_CERTIFICATE:
        return cof_cbor_take_bytes(in, 1, COF_ATTEST_CERT_MAX, &doc->certificate);
    case KEY_CABUNDLE:
        return take_cabundle(in, doc);
    case KEY_PUBLIC_KEY:
        return take_optional(in, 1, COF_ATTEST_PUBLIC_KEY_MAX, &doc->public_key);
    case KEY_USER_DATA:
        return take_optional(in, 0, COF_ATTEST_USER_DATA_MAX, &doc->user_data);
    case KEY_NONCE:
        return take_optional(in, 0, COF_ATTEST_NONCE_MAX, &doc->nonce);
    case KEY_NITROTPM_PCRS:
    case N_KEYS:
        break;
    }
    return COF_E_UNSUPPORTED;
}

static enum cof_err parse(struct cof_view in, struct cof_attest_doc *doc, struct cof_diag *diag)
{
    struct cof_cbor_map map;
    size_t index = COF_CBOR_END;
    enum cof_err err;

    if (in.len > COF_ATTEST_PAYLOAD_MAX)
        return cof_diag_set(diag, COF_E_LIMIT, "attestation payload over %d bytes", COF_ATTEST_PAYLOAD_MAX);
    err = cof_cbor_map_open(&in, true, &map);
    if (err != COF_OK)
        return cof_diag_set(diag, err, "attestation payload is no CBOR map");
    for (;;) {
        err = cof_cbor_map_next(&in, &map, keys, N_KEYS, &index);
        if (err != COF_OK)
            return cof_diag_set(diag, err, "attestation payload has an unknown, repeated or malformed key");
        if (index == COF_CBOR_END)
            break;
        if (index == KEY_NITROTPM_PCRS)
            return cof_diag_set(diag, COF_E_UNSUPPORTED,
                                "this is a NitroTPM document: it attests an EC2 instance, not an enclave");
        err = take_value(&in, (enum key)index, doc);
        if (err != COF_OK)
            return cof_diag_set(diag, err, "attestation field '%s' is malformed or out of bounds", keys[index]);
    }
    if (in.len != 0)
        return cof_diag_set(diag, COF_E_FORMAT, "bytes follow the attestation payload");
    for (size_t i = 0; i < N_MANDATORY; i++)
        if (!cof_cbor_map_has(&map, i))
            return cof_diag_set(diag, COF_E_FORMAT, "attestation field '%s' is missing", keys[i]);
    return COF_OK;
}

enum cof_err cof_attest_doc_parse(struct cof_view payload, struct cof_attest_doc *out, struct cof_diag *diag)
{
    enum cof_err err;

    *out = (struct cof_attest_doc){0};
    err = parse(payload, out, diag);
    if (err != COF_OK)
        *out = (struct cof_attest_doc){0};
    return err;
}

static void add_optional(struct cof_buf *out, enum key key, const struct cof_attest_field *field)
{
    cof_cbor_add_str(out, keys[key]);
    if (field->present)
        cof_cbor_add_bytes(out, field->bytes);
    else
        cof_cbor_add_null(out);
}

static void add_pcrs(struct cof_buf *out, const struct cof_attest_doc *doc)
{
    size_t n = 0;

    for (size_t i = 0; i < COF_ATTEST_PCRS; i++)
        n += doc->pcr_mask >> i & 1;
    cof_cbor_add_map(out, n);
    for (size_t i = 0; i < COF_ATTEST_PCRS; i++) {
        if ((doc->pcr_mask >> i & 1) == 0)
            continue;
        cof_cbor_add_uint(out, i);
        cof_cbor_add_bytes(out, doc->pcrs[i]);
    }
}

void cof_attest_doc_add(struct cof_buf *out, const struct cof_attest_doc *doc)
{
    cof_cbor_add_map(out, KEY_NITROTPM_PCRS);
    cof_cbor_add_str(out, keys[KEY_MODULE_ID]);
    cof_cbor_add_text(out, doc->module_id);
    cof_cbor_add_str(out, keys[KEY_DIGEST]);
    cof_cbor_add_str(out, "SHA384");
    cof_cbor_add_str(out, keys[KEY_TIMESTAMP]);
    cof_cbor_add_int(out, doc->timestamp_ms);
    cof_cbor_add_str(out, keys[KEY_PCRS]);
    add_pcrs(out, doc);
    cof_cbor_add_str(out, keys[KEY_CERTIFICATE]);
    cof_cbor_add_bytes(out, doc->certificate);
    cof_cbor_add_str(out, keys[KEY_CABUNDLE]);
    cof_cbor_add_array(out, doc->n_cabundle);
    for (size_t i = 0; i < doc->n_cabundle; i++)
        cof_cbor_add_bytes(out, doc->cabundle[i]);
    add_optional(out, KEY_PUBLIC_KEY, &doc->public_key);
    add_optional(out, KEY_USER_DATA, &doc->user_data);
    add_optional(out, KEY_NONCE, &doc->nonce);
}

bool cof_attest_doc_pcr_is_zero(const struct cof_attest_doc *doc, unsigned index)
{
    uint8_t any = 0;

    if (index >= COF_ATTEST_PCRS || (doc->pcr_mask >> index & 1) == 0)
        return false;
    for (size_t i = 0; i < doc->pcrs[index].len; i++)
        any |= doc->pcrs[index].data[i];
    return any == 0;
}
