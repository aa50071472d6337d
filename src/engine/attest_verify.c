/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/attest_verify.h"

#include "base/secret.h"
#include "format/cose.h"

#include <inttypes.h>
#include <stdio.h>

#define SPAN_MAX 48

static enum cof_err check_policy(const struct cof_attest_policy *policy, struct cof_diag *diag)
{
    if (policy->n_pcrs == 0 && !policy->any_image)
        return cof_diag_set(diag, COF_E_USAGE, "the attestation policy names no PCR, so any enclave would pass");
    if (policy->mode == COF_ATTEST_LIVE && policy->now_ms <= 0)
        return cof_diag_set(diag, COF_E_USAGE, "live attestation needs the present time");
    if ((policy->mode != COF_ATTEST_LIVE && policy->mode != COF_ATTEST_ARCHIVE) || policy->at_ms < 0)
        return COF_E_USAGE;
    if (policy->nonce != NULL && policy->nonce->len < COF_ATTEST_NONCE_MIN)
        return cof_diag_set(diag, COF_E_USAGE, "the expected nonce is under %d bytes", COF_ATTEST_NONCE_MIN);
    for (size_t i = 0; i < policy->n_pcrs; i++) {
        const struct cof_attest_pcr *pcr = &policy->pcrs[i];
        uint8_t any = 0;

        if (pcr->index >= COF_ATTEST_PCRS || pcr->value.len != COF_ATTEST_PCR_SIZE)
            return cof_diag_set(diag, COF_E_USAGE, "expected PCR%u is not 48 bytes of a PCR 0-31", pcr->index);
        for (size_t k = 0; k < pcr->value.len; k++)
            any |= pcr->value.data[k];
        if (any == 0 && !policy->allow_debug)
            return cof_diag_set(diag, COF_E_USAGE, "expected PCR%u is all zero, as in every debug enclave", pcr->index);
    }
    return COF_OK;
}

/* The key that signs the document: the leaf's, once the chain up to the pinned root verified. The caller frees owned;
 * key may be lent by the cache instead. */
struct signer {
    const struct cof_ecdsa_key *key;
    struct cof_ecdsa_key *owned;
};

static struct cof_view root_of(const struct cof_attest_policy *policy)
{
    return policy->root_der.len > 0 ? policy->root_der : cof_attest_aws_root();
}

static enum cof_err check_chain(const struct cof_attest_doc *doc, const struct cof_attest_policy *policy,
                                struct cof_x509_life *life, struct signer *signer, struct cof_diag *diag)
{
    struct cof_view root = root_of(policy);
    struct cof_view path[COF_ATTEST_CABUNDLE_MAX + 1]; /* leaf, authorities upwards, root */
    uint8_t cache_key[COF_ATTEST_CACHE_KEY];
    size_t n = doc->n_cabundle - 1;
    enum cof_err err = COF_OK;

    if (!cof_view_eq(doc->cabundle[0], root))
        return cof_diag_set(diag, COF_E_AUTH, "the attestation does not chain to the pinned root certificate");
    path[0] = doc->certificate;
    for (size_t i = 0; i <= n; i++)
        path[1 + i] = doc->cabundle[n - i];
    if (policy->cache != NULL) {
        err = cof_attest_cache_key(path, n + 2, cache_key);
        signer->key = err == COF_OK ? cof_attest_cache_find(policy->cache, cache_key, life) : NULL;
        if (signer->key != NULL)
            return COF_OK;
    }
    if (err == COF_OK)
        err = cof_x509_verify_chain(path[0], path + 1, n, root, &signer->owned, life, diag);
    signer->key = signer->owned;
    if (err == COF_OK && policy->cache != NULL) {
        cof_attest_cache_put(policy->cache, cache_key, signer->owned, life);
        signer->owned = NULL; /* moved */
    }
    return err;
}

static enum cof_err check_signature(const struct cof_cose_sign1 *cose, const struct cof_ecdsa_key *key,
                                    struct cof_diag *diag)
{
    struct cof_buf signed_bytes;
    enum cof_err err;

    cof_buf_init(&signed_bytes, COF_ATTEST_DOC_MAX + 64);
    cof_cose_add_sig_structure(&signed_bytes, cose->protected_header, COF_LIT(""), cose->payload);
    err = cof_buf_err(&signed_bytes);
    if (err == COF_OK)
        err = cof_ecdsa_verify(key, COF_SHA384, cof_buf_view(&signed_bytes), COF_ECDSA_RAW, cose->signature);
    cof_buf_done(&signed_bytes);
    return err == COF_E_AUTH ? cof_diag_set(diag, err, "the attestation's signature is wrong") : err;
}

/* "40 s", "12 min", "2 h 5 min", "3 days": rounded down, for a person. */
static const char *span(int64_t ms, char out[static SPAN_MAX])
{
    int64_t s = ms / 1000, min = s / 60;

    if (s < 120)
        (void)snprintf(out, SPAN_MAX, "%" PRId64 " s", s);
    else if (min < 120)
        (void)snprintf(out, SPAN_MAX, "%" PRId64 " min", min);
    else if (min < 2880)
        (void)snprintf(out, SPAN_MAX, "%" PRId64 " h %" PRId64 " min", min / 60, min % 60);
    else
        (void)snprintf(out, SPAN_MAX, "%" PRId64 " days", min / 1440);
    return out;
}

/* The certificates must all be valid at that time, give or take. live: the time is this machine's. */
static enum cof_err check_valid_at(const struct cof_x509_life *life, int64_t at_ms, int64_t leeway_ms, bool live, const char *what,
                                   struct cof_diag *diag)
{
    char text[SPAN_MAX];

    if (at_ms < life->chain_from_ms && life->chain_from_ms - at_ms > leeway_ms) {
        (void)cof_diag_set(diag, COF_E_AUTH, "the attestation's certificates begin %s after %s",
                           span(life->chain_from_ms - at_ms, text), what);
        if (live)
            cof_diag_hint(diag, "the clock here may be wrong: it is behind the hypervisor's");
        return COF_E_AUTH;
    }
    if (at_ms > life->chain_to_ms && at_ms - life->chain_to_ms > leeway_ms) {
        (void)cof_diag_set(diag, COF_E_AUTH, "the attestation's certificates expired %s before %s",
                           span(at_ms - life->chain_to_ms, text), what);
        cof_diag_hint(diag, live ? "they live about 3 hours. A stored document is verified at its own time (without --live); if this one "
                                   "is fresh, the clock here may be wrong"
                                 : "they live about 3 hours: a stored document is verified at its own time (without --at)");
        return COF_E_AUTH;
    }
    return COF_OK;
}

static enum cof_err check_fresh(const struct cof_attest_policy *policy, int64_t timestamp_ms, int64_t leeway_ms,
                                struct cof_diag *diag)
{
    int64_t max_age_ms = policy->max_age_ms > 0 ? policy->max_age_ms : COF_ATTEST_MAX_AGE_MS;
    char old[SPAN_MAX], allowed[SPAN_MAX];

    if (timestamp_ms > policy->now_ms && timestamp_ms - policy->now_ms > leeway_ms) {
        (void)cof_diag_set(diag, COF_E_AUTH, "the attestation comes from the future: it was signed %s after now",
                           span(timestamp_ms - policy->now_ms, old));
        cof_diag_hint(diag, "the clock here may be wrong: it is behind the hypervisor's");
        return COF_E_AUTH;
    }
    if (timestamp_ms < policy->now_ms && policy->now_ms - timestamp_ms - leeway_ms > max_age_ms) {
        (void)cof_diag_set(diag, COF_E_AUTH, "the attestation is %s old, %s are allowed",
                           span(policy->now_ms - timestamp_ms, old), span(max_age_ms, allowed));
        cof_diag_hint(diag, "a stored document is verified at its own time (without --live); if this one is fresh, the clock here may be "
                            "wrong");
        return COF_E_AUTH;
    }
    return COF_OK;
}

static enum cof_err check_times(const struct cof_attest_policy *policy, const struct cof_attest *attest,
                                struct cof_diag *diag)
{
    int64_t leeway_ms = policy->leeway_ms < 0 ? 0 : policy->leeway_ms > 0 ? policy->leeway_ms : COF_ATTEST_LEEWAY_MS;
    enum cof_err err = check_valid_at(&attest->life, attest->doc.timestamp_ms, 0, false, "the document's own time", diag);

    if (err != COF_OK)
        return err;
    if (policy->mode == COF_ATTEST_ARCHIVE && policy->at_given)
        return check_valid_at(&attest->life, policy->at_ms, 0, false, "the time asked about", diag);
    if (policy->mode == COF_ATTEST_ARCHIVE)
        return COF_OK;
    err = check_valid_at(&attest->life, policy->now_ms, leeway_ms, true, "now", diag);
    return err != COF_OK ? err : check_fresh(policy, attest->doc.timestamp_ms, leeway_ms, diag);
}

static enum cof_err check_pcrs(const struct cof_attest_policy *policy, const struct cof_attest *attest,
                               struct cof_diag *diag)
{
    if ((attest->doc.pcr_mask & 1) == 0)
        return cof_diag_set(diag, COF_E_AUTH, "the attestation has no PCR0");
    if (attest->debug && !policy->allow_debug)
        return cof_diag_set(diag, COF_E_AUTH, "the enclave runs in debug mode: its PCR0 is all zero");
    for (size_t i = 0; i < policy->n_pcrs; i++) {
        const struct cof_attest_pcr *pcr = &policy->pcrs[i];

        if ((attest->doc.pcr_mask >> pcr->index & 1) == 0)
            return cof_diag_set(diag, COF_E_AUTH, "the attestation has no PCR%u", pcr->index);
        if (!cof_equal_ct(attest->doc.pcrs[pcr->index], pcr->value))
            return cof_diag_set(diag, COF_E_AUTH, "PCR%u is not the expected one", pcr->index);
    }
    return COF_OK;
}

static enum cof_err check_field(const struct cof_attest_field *field, const struct cof_view *expected, const char *name,
                                struct cof_diag *diag)
{
    if (expected == NULL)
        return COF_OK;
    if (!field->present)
        return cof_diag_set(diag, COF_E_AUTH, "the attestation has no %s", name);
    if (!cof_equal_ct(field->bytes, *expected))
        return cof_diag_set(diag, COF_E_AUTH, "the attestation's %s is not the expected one", name);
    return COF_OK;
}

static enum cof_err check_contents(const struct cof_attest_policy *policy, const struct cof_attest *attest,
                                   struct cof_diag *diag)
{
    enum cof_err err = check_pcrs(policy, attest, diag);

    if (err == COF_OK)
        err = check_field(&attest->doc.nonce, policy->nonce, "nonce", diag);
    if (err == COF_OK)
        err = check_field(&attest->doc.public_key, policy->public_key, "public key", diag);
    if (err == COF_OK)
        err = check_field(&attest->doc.user_data, policy->user_data, "user data", diag);
    return err;
}

static enum cof_err parse(struct cof_view bytes, struct cof_cose_sign1 *cose, struct cof_attest_doc *doc,
                          struct cof_diag *diag)
{
    if (bytes.len > COF_ATTEST_DOC_MAX)
        return cof_diag_set(diag, COF_E_AUTH, "the attestation is over %d bytes", COF_ATTEST_DOC_MAX);
    if (cof_cose_sign1_parse(bytes, COF_ATTEST_PAYLOAD_MAX, cose) != COF_OK)
        return cof_diag_set(diag, COF_E_AUTH, "the attestation is no COSE_Sign1");
    /* spec: the protected header is {1: -35} and nothing else; nothing stands outside it */
    if (cose->alg != COF_COSE_ES384 || cose->n_protected != 1 || cose->n_unprotected != 0)
        return cof_diag_set(diag, COF_E_AUTH, "the attestation is not signed with ES384 alone");
    return cof_attest_doc_parse(cose->payload, doc, diag) == COF_OK ? COF_OK : COF_E_AUTH;
}

/* What the bytes and the root alone decide: who signed them. */
static enum cof_err check_origin(struct cof_view bytes, const struct cof_cose_sign1 *cose, const struct cof_attest_policy *policy,
                                 struct cof_attest *attest, struct cof_diag *diag)
{
    struct cof_view all[2] = {root_of(policy), bytes};
    uint8_t key[COF_ATTEST_CACHE_KEY];
    struct signer signer = {NULL, NULL};
    enum cof_err err = policy->cache == NULL ? COF_OK : cof_attest_cache_key(all, 2, key);

    if (err == COF_OK && policy->cache != NULL && cof_attest_cache_knows(policy->cache, key, &attest->life))
        return COF_OK;
    if (err == COF_OK)
        err = check_chain(&attest->doc, policy, &attest->life, &signer, diag);
    if (err == COF_OK)
        err = check_signature(cose, signer.key, diag);
    if (err == COF_OK && policy->cache != NULL)
        cof_attest_cache_put_document(policy->cache, key, &attest->life);
    cof_ecdsa_free(signer.owned);
    return err;
}

static enum cof_err verify(struct cof_view bytes, const struct cof_attest_policy *policy, struct cof_attest *attest,
                           struct cof_diag *diag)
{
    struct cof_cose_sign1 cose = {0};
    enum cof_err err = parse(bytes, &cose, &attest->doc, diag);

    if (err == COF_OK)
        err = check_origin(bytes, &cose, policy, attest, diag);
    if (err == COF_OK) {
        attest->debug = cof_attest_doc_pcr_is_zero(&attest->doc, 0);
        err = check_times(policy, attest, diag);
    }
    if (err == COF_OK)
        err = check_contents(policy, attest, diag);
    return err;
}

enum cof_err cof_attest_verify(struct cof_view doc, const struct cof_attest_policy *policy, struct cof_attest *out,
                               struct cof_diag *diag)
{
    struct cof_attest found = {0};
    enum cof_err err;

    *out = (struct cof_attest){0};
    err = check_policy(policy, diag);
    if (err == COF_OK)
        err = verify(doc, policy, &found, diag);
    if (err == COF_OK)
        *out = found;
    return err;
}
