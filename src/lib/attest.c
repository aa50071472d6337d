/* SPDX-License-Identifier: Apache-2.0 */
#include "lib.h"

#include "engine/attest_manifest.h"
#include "format/pem.h"
#include "io/clock.h"

#include <string.h>

#define ROOT_MAX 65536 /* bytes */

/* Options as the caller's version has them; what it does not know is zero. */
static bool read_options(const struct coffer_attest_options *given, struct coffer_attest_options *out)
{
    *out = (struct coffer_attest_options){0};
    if (given == NULL || given->size < sizeof given->size)
        return false;
    memcpy(out, given, given->size < sizeof *out ? given->size : sizeof *out);
    return out->n_pcrs <= COF_ATTEST_PCRS && (out->n_pcrs == 0 || out->pcrs != NULL);
}

static const struct cof_view *expected(const void *bytes, size_t len, struct cof_view *view)
{
    *view = cof_view_of(bytes, len);
    return bytes == NULL ? NULL : view;
}

static void hand_over(const struct cof_attest_field *field, const void **bytes, size_t *len)
{
    *bytes = field->present ? field->bytes.data : NULL;
    *len = field->present ? field->bytes.len : 0;
}

static void fill(const struct cof_attest *attest, struct coffer_attestation *out)
{
    const struct cof_attest_doc *doc = &attest->doc;

    out->module_id = (const char *)doc->module_id.data;
    out->module_id_len = doc->module_id.len;
    out->timestamp_ms = doc->timestamp_ms;
    out->pcr_mask = doc->pcr_mask;
    out->debug = attest->debug;
    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++)
        if ((doc->pcr_mask >> i & 1) != 0)
            memcpy(out->pcrs[i], doc->pcrs[i].data, COFFER_PCR_SIZE);
    hand_over(&doc->public_key, &out->public_key, &out->public_key_len);
    hand_over(&doc->user_data, &out->user_data, &out->user_data_len);
    hand_over(&doc->nonce, &out->nonce, &out->nonce_len);
}

/* The manifest's measurements, added to the policy's. */
static enum cof_err use_manifest(const struct coffer_attest_options *o, struct cof_manifest *manifest, struct cof_attest_pcr *pcrs,
                                 struct cof_attest_policy *policy, struct cof_diag *diag)
{
    struct cof_ecdsa_key *key = NULL;
    enum cof_err err;

    if (o->manifest_key_pem == NULL || cof_ecdsa_from_pem(cof_view_str(o->manifest_key_pem), &key) != COF_OK)
        return cof_diag_set(diag, COF_E_USAGE, "the manifest's key is no PEM key on P-384 or P-256");
    err = cof_manifest_verify(cof_view_of(o->manifest, o->manifest_len), key, manifest, diag);
    cof_ecdsa_free(key);
    if (err == COF_OK && manifest->serial < o->manifest_min_serial)
        err = cof_diag_set(diag, COF_E_AUTH, "the manifest's serial number is lower than one that was there before");
    if (err == COF_OK)
        policy->n_pcrs += cof_manifest_pcrs(manifest, pcrs + policy->n_pcrs);
    return err;
}

int coffer_attest_verify(const void *document, size_t len, const struct coffer_attest_options *options, struct coffer_attestation *out)
{
    struct coffer_attest_options o;
    struct cof_attest_pcr pcrs[2 * COF_ATTEST_PCRS];
    struct cof_manifest manifest;
    struct cof_attest_policy policy = {.pcrs = pcrs};
    struct cof_view nonce, user_data, public_key;
    struct cof_attest attest;
    struct cof_diag diag = {0};
    struct cof_buf root;
    enum cof_err err = COF_OK;

    memset(out, 0, sizeof *out);
    if (!read_options(options, &o))
        return COFFER_E_USAGE;
    _Static_assert(COFFER_PCR_SIZE == COF_ATTEST_PCR_SIZE, "PCRs are SHA-384");
    for (size_t i = 0; i < o.n_pcrs; i++)
        pcrs[i] = (struct cof_attest_pcr){o.pcrs[i].index, cof_view_of(o.pcrs[i].value, COFFER_PCR_SIZE)};
    cof_buf_init(&root, ROOT_MAX);
    if (o.root_pem != NULL && cof_pem_certificate(cof_view_str(o.root_pem), &root) != COF_OK)
        err = cof_diag_set(&diag, COF_E_USAGE, "the root holds no PEM certificate");
    policy.root_der = cof_buf_view(&root);
    policy.mode = o.live != 0 ? COF_ATTEST_LIVE : COF_ATTEST_ARCHIVE;
    policy.now_ms = o.live != 0 ? cof_clock_wall_ms() : 0;
    policy.max_age_ms = o.max_age_ms;
    policy.at_given = o.at_ms != 0;
    policy.at_ms = o.at_ms;
    policy.n_pcrs = o.n_pcrs;
    policy.any_image = o.any_image != 0;
    policy.allow_debug = o.allow_debug != 0;
    policy.nonce = expected(o.nonce, o.nonce_len, &nonce);
    policy.user_data = expected(o.user_data, o.user_data_len, &user_data);
    policy.public_key = expected(o.public_key, o.public_key_len, &public_key);
    if (err == COF_OK && o.manifest != NULL)
        err = use_manifest(&o, &manifest, pcrs, &policy, &diag);
    if (err == COF_OK)
        err = cof_attest_verify(cof_view_of(document, len), &policy, &attest, &diag);
    if (err == COF_OK && o.manifest != NULL)
        err = cof_manifest_in_force(&manifest, o.live != 0 ? policy.now_ms : attest.doc.timestamp_ms,
                                    o.live != 0 ? "now" : "the document's own time", &diag);
    if (err == COF_OK && o.manifest != NULL && o.manifest_serial != NULL)
        *o.manifest_serial = manifest.serial;
    if (err == COF_OK)
        fill(&attest, out);
    else
        cof_lib_diag(o.diag, &diag);
    cof_buf_done(&root);
    return cof_lib_err(err);
}
