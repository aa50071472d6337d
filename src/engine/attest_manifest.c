/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/attest_manifest.h"

#include "base/codec.h"
#include "base/date.h"
#include "base/num.h"
#include "engine/kms_call.h"
#include "format/cose.h"
#include "format/json.h"

#include <inttypes.h>
#include <string.h>

#define FORMAT "coffer.manifest.v1"
#define NEEDED_PCRS 7u /* 0, 1 and 2: PCR0 alone does not tell where kernel, command line and ramdisks end (C-15) */

static enum cof_err wrong(struct cof_diag *diag, const char *what)
{
    return cof_diag_set(diag, COF_E_FORMAT, "manifest: %s", what);
}

static enum cof_err short_text(const json_t *o, const char *name, size_t size, char *out, struct cof_diag *diag)
{
    struct cof_view v;
    enum cof_err err = cof_json_text(o, name, &v, diag);

    if (err != COF_OK)
        return err;
    if (v.len == 0 || v.len >= size)
        return cof_diag_set(diag, COF_E_FORMAT, "manifest: \"%s\" must have 1 to %zu characters", name, size - 1);
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] < 0x20 || v.data[i] > 0x7e)
            return cof_diag_set(diag, COF_E_FORMAT, "manifest: \"%s\" must be printable ASCII", name);
    memcpy(out, v.data, v.len);
    out[v.len] = '\0';
    return COF_OK;
}

/* One spelling only: 2026-11-23T18:00:00Z. */
static enum cof_err date(const json_t *o, const char *name, int64_t *ms, struct cof_diag *diag)
{
    char again[COF_DATE_MAX];
    struct cof_view v;
    enum cof_err err = cof_json_text(o, name, &v, diag);

    if (err != COF_OK)
        return err;
    if (cof_date_parse_iso(v, ms) == COF_OK) {
        cof_date_iso_seconds(*ms, again);
        if (cof_view_eq(cof_view_str(again), v))
            return COF_OK;
    }
    return cof_diag_set(diag, COF_E_FORMAT, "manifest: \"%s\" must be a time as 2026-11-23T18:00:00Z", name);
}

static bool all_zero(const uint8_t pcr[static COF_ATTEST_PCR_SIZE])
{
    uint8_t any = 0;

    for (size_t i = 0; i < COF_ATTEST_PCR_SIZE; i++)
        any |= pcr[i];
    return any == 0;
}

static enum cof_err pcrs(json_t *o, struct cof_manifest *m, struct cof_diag *diag)
{
    const char *name;
    json_t *value;

    if (!json_is_object(o))
        return wrong(diag, "\"pcrs\" must be an object");
    json_object_foreach(o, name, value) {
        const char *hex = json_string_value(value);
        uint64_t n;

        if (cof_parse_u64(cof_view_str(name), COF_ATTEST_PCRS - 1, &n) != COF_OK)
            return wrong(diag, "the PCRs are 0 to 31");
        if (hex == NULL || cof_hex_decode_fixed(cof_view_of(hex, json_string_length(value)), m->pcrs[n], COF_ATTEST_PCR_SIZE) != COF_OK)
            return cof_diag_set(diag, COF_E_FORMAT, "manifest: PCR%u must be 96 hex digits", (unsigned)n);
        if (all_zero(m->pcrs[n]))
            return cof_diag_set(diag, COF_E_FORMAT, "manifest: PCR%u is all zero, as in every debug enclave", (unsigned)n);
        m->pcr_mask |= (uint32_t)1 << n;
    }
    return (m->pcr_mask & NEEDED_PCRS) == NEEDED_PCRS ? COF_OK : wrong(diag, "PCR0, PCR1 and PCR2 must be there");
}

static enum cof_err key_arns(const json_t *list, struct cof_manifest *m, struct cof_diag *diag)
{
    if (list == NULL)
        return COF_OK;
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > COF_MANIFEST_KEYS_MAX)
        return cof_diag_set(diag, COF_E_FORMAT, "manifest: \"kms_key_arns\" must be a list of 1 to %d ARNs", COF_MANIFEST_KEYS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        struct cof_view arn = cof_view_of(json_string_value(item), json_string_length(item));

        if (arn.len >= COF_MANIFEST_ARN_MAX || !cof_kms_is_key_arn(arn)) /* an alias moves (C-04) */
            return wrong(diag, "\"kms_key_arns\" holds what is no full ARN of a KMS key");
        memcpy(m->key_arns[i], arn.data, arn.len);
        m->key_arns[i][arn.len] = '\0';
        m->n_key_arns = i + 1;
    }
    return COF_OK;
}

static enum cof_err members(const json_t *o, struct cof_manifest *m, struct cof_diag *diag)
{
    static const char *const names[] = {"format", "image", "image_version", "serial", "issued", "expires", "pcrs", "kms_key_arns", NULL};
    struct cof_view format;
    enum cof_err err = cof_json_text(o, "format", &format, diag);

    if (err == COF_OK && !cof_view_eq(format, COF_LIT(FORMAT)))
        err = wrong(diag, "\"format\" is not " FORMAT);
    if (err == COF_OK)
        err = cof_json_only(o, names, diag);
    if (err == COF_OK)
        err = short_text(o, "image", sizeof m->image, m->image, diag);
    if (err == COF_OK)
        err = short_text(o, "image_version", sizeof m->version, m->version, diag);
    if (err == COF_OK)
        err = cof_json_int(o, "serial", 1, COF_MANIFEST_SERIAL_MAX, &m->serial, diag);
    if (err == COF_OK)
        err = date(o, "issued", &m->issued_ms, diag);
    if (err == COF_OK)
        err = date(o, "expires", &m->expires_ms, diag);
    if (err == COF_OK && m->expires_ms <= m->issued_ms)
        err = wrong(diag, "it expires before it is issued");
    if (err == COF_OK)
        err = pcrs(json_object_get(o, "pcrs"), m, diag);
    return err == COF_OK ? key_arns(json_object_get(o, "kms_key_arns"), m, diag) : err;
}

enum cof_err cof_manifest_parse(struct cof_view json, struct cof_manifest *out, struct cof_diag *diag)
{
    struct cof_manifest m = {0};
    json_t *object;
    enum cof_err err = cof_json_parse_object(json, COF_MANIFEST_MAX, &object, diag);

    *out = (struct cof_manifest){0};
    if (err != COF_OK)
        return err;
    err = members(object, &m, diag);
    json_decref(object);
    if (err == COF_OK)
        *out = m;
    return err;
}

enum cof_err cof_manifest_add(struct cof_buf *out, const struct cof_manifest *m, struct cof_diag *diag)
{
    struct cof_manifest again;
    struct cof_buf json;
    char issued[COF_DATE_MAX], expires[COF_DATE_MAX];
    bool first = true;
    enum cof_err err;

    cof_date_iso_seconds(m->issued_ms, issued);
    cof_date_iso_seconds(m->expires_ms, expires);
    cof_buf_init(&json, COF_MANIFEST_MAX);
    cof_buf_add_u8(&json, '{');
    cof_json_add_member(&json, "format", COF_LIT(FORMAT));
    cof_json_add_member(&json, "image", cof_view_str(m->image));
    cof_json_add_member(&json, "image_version", cof_view_str(m->version));
    cof_json_add_member_int(&json, "serial", m->serial);
    cof_json_add_member(&json, "issued", cof_view_str(issued));
    cof_json_add_member(&json, "expires", cof_view_str(expires));
    cof_json_add_name(&json, "pcrs");
    cof_buf_add_u8(&json, '{');
    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++) {
        if ((m->pcr_mask >> i & 1) == 0)
            continue;
        cof_buf_printf(&json, "%s\"%u\":\"", first ? "" : ",", i);
        cof_hex_add(&json, cof_view_of(m->pcrs[i], COF_ATTEST_PCR_SIZE));
        cof_buf_add_u8(&json, '"');
        first = false;
    }
    cof_buf_add_u8(&json, '}');
    for (size_t i = 0; i < m->n_key_arns && i < COF_MANIFEST_KEYS_MAX; i++) {
        if (i == 0)
            cof_json_add_name(&json, "kms_key_arns");
        cof_buf_add_u8(&json, i == 0 ? '[' : ',');
        cof_json_add_text(&json, cof_view_str(m->key_arns[i]));
    }
    cof_buf_add_str(&json, m->n_key_arns > 0 ? "]}" : "}");
    err = cof_buf_err(&json);
    if (err == COF_OK && cof_manifest_parse(cof_buf_view(&json), &again, diag) != COF_OK)
        err = COF_E_USAGE;
    if (err == COF_OK) {
        cof_buf_add(out, cof_buf_view(&json));
        err = cof_buf_err(out);
    }
    cof_buf_done(&json);
    return err;
}

/* What a key on that curve signs with; false for a curve that COSE is not read with here. */
static bool algorithm(const struct cof_ecdsa_key *key, int64_t *alg, enum cof_hash_alg *hash)
{
    bool p384 = cof_ecdsa_curve(key) == COF_P384;

    *alg = p384 ? COF_COSE_ES384 : COF_COSE_ES256;
    *hash = p384 ? COF_SHA384 : COF_SHA256;
    return p384 || cof_ecdsa_curve(key) == COF_P256;
}

enum cof_err cof_manifest_sign(const struct cof_manifest *manifest, const struct cof_ecdsa_key *key, struct cof_buf *out,
                               struct cof_diag *diag)
{
    struct cof_buf json, header, signed_bytes, signature;
    enum cof_hash_alg hash;
    int64_t alg;
    enum cof_err err;

    if (!cof_ecdsa_is_private(key) || !algorithm(key, &alg, &hash))
        return cof_diag_set(diag, COF_E_USAGE, "a manifest is signed with a private key on P-384 or P-256");
    cof_buf_init(&json, COF_MANIFEST_MAX);
    cof_buf_init(&header, 64);
    cof_buf_init(&signed_bytes, COF_MANIFEST_MAX + 256);
    cof_buf_init(&signature, COF_ECDSA_SIG_MAX);
    err = cof_manifest_add(&json, manifest, diag);
    if (err == COF_OK) {
        cof_cose_add_protected(&header, alg);
        cof_cose_add_sig_structure(&signed_bytes, cof_buf_view(&header), COF_LIT(""), cof_buf_view(&json));
        err = cof_buf_err(&signed_bytes);
    }
    if (err == COF_OK)
        err = cof_ecdsa_sign(key, hash, cof_buf_view(&signed_bytes), COF_ECDSA_RAW, &signature);
    if (err == COF_OK) {
        cof_cose_add_sign1(out, true, cof_buf_view(&header), cof_buf_view(&json), cof_buf_view(&signature));
        err = cof_buf_err(out);
    }
    cof_buf_done(&json);
    cof_buf_done(&header);
    cof_buf_done(&signed_bytes);
    cof_buf_done(&signature);
    return err;
}

static enum cof_err check_signature(const struct cof_cose_sign1 *cose, const struct cof_ecdsa_key *trust, struct cof_diag *diag)
{
    struct cof_buf signed_bytes;
    enum cof_hash_alg hash;
    int64_t alg;
    enum cof_err err;

    /* the key decides what is believed, not the manifest: its algorithm alone, and nothing that nobody signed */
    if (!algorithm(trust, &alg, &hash) || cose->alg != alg || cose->n_protected != 1 || cose->n_unprotected != 0)
        return cof_diag_set(diag, COF_E_AUTH, "the manifest is not signed with the trusted key's algorithm");
    cof_buf_init(&signed_bytes, COF_MANIFEST_MAX + 256);
    cof_cose_add_sig_structure(&signed_bytes, cose->protected_header, COF_LIT(""), cose->payload);
    err = cof_buf_err(&signed_bytes);
    if (err == COF_OK)
        err = cof_ecdsa_verify(trust, hash, cof_buf_view(&signed_bytes), COF_ECDSA_RAW, cose->signature);
    cof_buf_done(&signed_bytes);
    return err == COF_E_AUTH ? cof_diag_set(diag, err, "the manifest is not signed with the trusted key") : err;
}

enum cof_err cof_manifest_verify(struct cof_view signed_bytes, const struct cof_ecdsa_key *trust, struct cof_manifest *out,
                                 struct cof_diag *diag)
{
    struct cof_cose_sign1 cose;
    enum cof_err err;

    *out = (struct cof_manifest){0};
    if (signed_bytes.len > COF_MANIFEST_MAX || cof_cose_sign1_parse(signed_bytes, COF_MANIFEST_MAX, &cose) != COF_OK)
        return cof_diag_set(diag, COF_E_AUTH, "the manifest is no COSE_Sign1 of up to %d bytes", COF_MANIFEST_MAX);
    err = check_signature(&cose, trust, diag);
    if (err == COF_OK)
        err = cof_manifest_parse(cose.payload, out, diag);
    return err == COF_OK || err == COF_E_MEMORY ? err : COF_E_AUTH;
}

enum cof_err cof_manifest_in_force(const struct cof_manifest *m, int64_t at_ms, const char *what, struct cof_diag *diag)
{
    char date[COF_DATE_MAX];

    if (at_ms < m->issued_ms) {
        cof_date_iso_seconds(m->issued_ms, date);
        (void)cof_diag_set(diag, COF_E_AUTH, "the manifest of %s %s was issued at %s, after %s", m->image, m->version, date, what);
        cof_diag_hint(diag, "the clock here may be wrong; or this is the manifest of a later release");
        return COF_E_AUTH;
    }
    if (at_ms >= m->expires_ms) {
        cof_date_iso_seconds(m->expires_ms, date);
        (void)cof_diag_set(diag, COF_E_AUTH, "the manifest of %s %s expired at %s, before %s", m->image, m->version, date, what);
        cof_diag_hint(diag, "get the present release's manifest");
        return COF_E_AUTH;
    }
    return COF_OK;
}

bool cof_manifest_allows_key(const struct cof_manifest *m, struct cof_view key_arn)
{
    for (size_t i = 0; i < m->n_key_arns; i++)
        if (cof_view_eq(cof_view_str(m->key_arns[i]), key_arn))
            return true;
    return m->n_key_arns == 0;
}

size_t cof_manifest_pcrs(const struct cof_manifest *m, struct cof_attest_pcr out[static COF_ATTEST_PCRS])
{
    size_t n = 0;

    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++)
        if ((m->pcr_mask >> i & 1) != 0)
            out[n++] = (struct cof_attest_pcr){i, cof_view_of(m->pcrs[i], COF_ATTEST_PCR_SIZE)};
    return n;
}
