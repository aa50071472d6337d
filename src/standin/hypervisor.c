/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/hypervisor.h"

#include "base/codec.h"
#include "crypto/x509.h"
#include "format/cose.h"
#include "standin/hypervisor_pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCKED_AT_LAUNCH 0xffffu /* PCRs 0-15; 16-31 belong to the application */
#define ID_MAX 96

struct cof_hv_enclave {
    struct cof_hv *hv;
    struct cof_hv_leaf leaf;
    char module_id[2 * ID_MAX];
    uint8_t pcrs[COF_ATTEST_PCRS][COF_PCR_SIZE];
    uint32_t locked;
    bool debug;
};

/* "i-0abc-simulated-enc0123456789abcdef": the form of AWS's, with a word that theirs never have. */
static enum cof_err make_module_id(struct cof_hv_enclave *enclave, const char *instance_id)
{
    uint8_t random[8];
    char hex[17];
    enum cof_err err = cof_rng_fill(cof_hv_rng(enclave->hv), random, sizeof random);

    if (err != COF_OK)
        return err;
    cof_hex_encode(random, sizeof random, hex);
    (void)snprintf(enclave->module_id, sizeof enclave->module_id, "%.*s-simulated-enc%s", ID_MAX, instance_id, hex);
    return COF_OK;
}

static enum cof_err measure_text(uint8_t pcr[static COF_PCR_SIZE], const char *text)
{
    return text == NULL ? COF_OK : cof_measure_extend(pcr, cof_view_str(text), pcr);
}

enum cof_err cof_hv_launch_measured(struct cof_hv *hv, const struct cof_image_pcrs *pcrs,
                                    const struct cof_hv_launch *launch, int64_t now_ms, struct cof_hv_enclave **out)
{
    struct cof_hv_enclave *enclave = calloc(1, sizeof *enclave);
    enum cof_err err;

    *out = NULL;
    if (enclave == NULL)
        return COF_E_MEMORY;
    enclave->hv = hv;
    enclave->debug = launch->debug;
    enclave->locked = LOCKED_AT_LAUNCH;
    err = make_module_id(enclave, launch->instance_id != NULL ? launch->instance_id : "i-0");
    if (err == COF_OK && !launch->debug) {
        memcpy(enclave->pcrs[0], pcrs->pcr0, COF_PCR_SIZE);
        memcpy(enclave->pcrs[1], pcrs->pcr1, COF_PCR_SIZE);
        memcpy(enclave->pcrs[2], pcrs->pcr2, COF_PCR_SIZE);
        memcpy(enclave->pcrs[8], pcrs->pcr8, COF_PCR_SIZE);
        err = measure_text(enclave->pcrs[3], launch->role_arn);
        if (err == COF_OK)
            err = measure_text(enclave->pcrs[4], launch->instance_id);
    }
    if (err == COF_OK)
        err = cof_hv_leaf_refresh(hv, enclave->module_id, now_ms, &enclave->leaf);
    if (err != COF_OK) {
        cof_hv_enclave_free(enclave);
        return err;
    }
    *out = enclave;
    return COF_OK;
}

enum cof_err cof_hv_launch(struct cof_hv *hv, const struct cof_hv_launch *launch, int64_t now_ms,
                           struct cof_hv_enclave **out)
{
    struct cof_image_pcrs pcrs;
    enum cof_err err = cof_measure_image(&launch->image, &pcrs);

    *out = NULL;
    return err != COF_OK ? err : cof_hv_launch_measured(hv, &pcrs, launch, now_ms, out);
}

void cof_hv_enclave_free(struct cof_hv_enclave *enclave)
{
    if (enclave == NULL)
        return;
    cof_hv_leaf_done(&enclave->leaf);
    free(enclave);
}

static struct cof_nsm_response refuse(enum cof_nsm_error error)
{
    return (struct cof_nsm_response){.op = COF_NSM_ERROR, .error = error};
}

static bool is_locked(const struct cof_hv_enclave *enclave, unsigned index)
{
    return (enclave->locked >> index & 1) != 0;
}

static struct cof_nsm_response describe(const struct cof_hv_enclave *enclave)
{
    return (struct cof_nsm_response){
        .op = COF_NSM_DESCRIBE_NSM,
        .version_major = 1,
        .module_id = cof_view_str(enclave->module_id),
        .max_pcrs = COF_ATTEST_PCRS,
        .locked_pcrs = enclave->locked,
        .digest = COF_LIT("SHA384"),
    };
}

static struct cof_nsm_response use_pcr(struct cof_hv_enclave *enclave, const struct cof_nsm_request *req)
{
    struct cof_nsm_response res = {.op = req->op};

    if (req->index >= COF_ATTEST_PCRS)
        return refuse(COF_NSM_INVALID_INDEX);
    if (req->op != COF_NSM_DESCRIBE_PCR && is_locked(enclave, req->index))
        return refuse(COF_NSM_READ_ONLY_INDEX);
    if (req->op == COF_NSM_EXTEND_PCR) {
        if (req->data.len == 0 || req->data.len > COF_ATTEST_USER_DATA_MAX)
            return refuse(COF_NSM_INVALID_ARGUMENT);
        if (cof_measure_extend(enclave->pcrs[req->index], req->data, enclave->pcrs[req->index]) != COF_OK)
            return refuse(COF_NSM_INTERNAL_ERROR);
    } else if (req->op == COF_NSM_LOCK_PCR) {
        enclave->locked |= (uint32_t)1 << req->index;
        return res;
    }
    res.lock = is_locked(enclave, req->index);
    res.data = cof_view_of(enclave->pcrs[req->index], COF_PCR_SIZE);
    return res;
}

static struct cof_nsm_response lock_range(struct cof_hv_enclave *enclave, unsigned range)
{
    if (range > COF_ATTEST_PCRS)
        return refuse(COF_NSM_INVALID_INDEX);
    for (unsigned i = 0; i < range; i++)
        enclave->locked |= (uint32_t)1 << i;
    return (struct cof_nsm_response){.op = COF_NSM_LOCK_PCRS};
}

static void fill_doc(const struct cof_hv_enclave *enclave, const struct cof_nsm_request *req, int64_t now_ms,
                     struct cof_attest_doc *doc)
{
    *doc = (struct cof_attest_doc){
        .module_id = cof_view_str(enclave->module_id),
        .timestamp_ms = now_ms,
        .certificate = cof_buf_view(&enclave->leaf.cert),
        .public_key = req->public_key,
        .user_data = req->user_data,
        .nonce = req->nonce,
    };
    cof_hv_cabundle(enclave->hv, doc);
    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++) {
        /* Like the real one: 0-15 always, of the rest those that were locked. */
        if (i >= 16 && !is_locked(enclave, i))
            continue;
        doc->pcr_mask |= (uint32_t)1 << i;
        doc->pcrs[i] = cof_view_of(enclave->pcrs[i], COF_PCR_SIZE);
    }
}

static enum cof_err sign_doc(const struct cof_hv_enclave *enclave, const struct cof_attest_doc *doc,
                             struct cof_buf *out)
{
    struct cof_buf payload, protected_header, tbs, sig;
    enum cof_err err;

    cof_buf_init(&payload, COF_ATTEST_PAYLOAD_MAX);
    cof_buf_init(&protected_header, 16);
    cof_buf_init(&tbs, COF_ATTEST_DOC_MAX);
    cof_buf_init(&sig, COF_ECDSA_SIG_MAX);
    cof_attest_doc_add(&payload, doc);
    cof_cose_add_protected(&protected_header, COF_COSE_ES384);
    cof_cose_add_sig_structure(&tbs, cof_buf_view(&protected_header), COF_LIT(""), cof_buf_view(&payload));
    err = cof_buf_err(&payload) != COF_OK ? cof_buf_err(&payload) : cof_buf_err(&tbs);
    if (err == COF_OK)
        err = cof_ecdsa_sign(enclave->leaf.key, COF_SHA384, cof_buf_view(&tbs), COF_ECDSA_RAW, &sig);
    if (err == COF_OK) {
        cof_cose_add_sign1(out, false, cof_buf_view(&protected_header), cof_buf_view(&payload), cof_buf_view(&sig));
        err = cof_buf_err(out);
    }
    cof_buf_done(&payload);
    cof_buf_done(&protected_header);
    cof_buf_done(&tbs);
    cof_buf_done(&sig);
    return err;
}

static bool field_fits(const struct cof_attest_field *field, size_t min, size_t max)
{
    return !field->present || (field->bytes.len >= min && field->bytes.len <= max);
}

static enum cof_err attest(struct cof_hv_enclave *enclave, const struct cof_nsm_request *req, int64_t now_ms,
                           struct cof_buf *document, struct cof_nsm_response *res)
{
    struct cof_attest_doc doc;
    enum cof_err err;

    if (!field_fits(&req->user_data, 0, COF_ATTEST_USER_DATA_MAX) ||
        !field_fits(&req->nonce, 0, COF_ATTEST_NONCE_MAX) ||
        !field_fits(&req->public_key, 1, COF_ATTEST_PUBLIC_KEY_MAX)) {
        *res = refuse(COF_NSM_INVALID_ARGUMENT);
        return COF_OK;
    }
    err = cof_hv_leaf_refresh(enclave->hv, enclave->module_id, now_ms, &enclave->leaf);
    if (err != COF_OK)
        return err;
    fill_doc(enclave, req, now_ms, &doc);
    err = sign_doc(enclave, &doc, document);
    *res = (struct cof_nsm_response){.op = COF_NSM_ATTESTATION, .data = cof_buf_view(document)};
    return err;
}

/* scratch holds what the response's views point at. */
static enum cof_err answer(struct cof_hv_enclave *enclave, const struct cof_nsm_request *req, int64_t now_ms,
                           struct cof_buf *scratch, struct cof_nsm_response *res)
{
    uint8_t *random;

    switch (req->op) {
    case COF_NSM_DESCRIBE_NSM:
        *res = describe(enclave);
        return COF_OK;
    case COF_NSM_GET_RANDOM:
        random = cof_buf_extend(scratch, COF_NSM_RANDOM_MAX);
        *res = (struct cof_nsm_response){.op = COF_NSM_GET_RANDOM, .data = cof_buf_view(scratch)};
        if (random == NULL)
            return cof_buf_err(scratch);
        return cof_rng_fill(cof_hv_rng(enclave->hv), random, COF_NSM_RANDOM_MAX);
    case COF_NSM_DESCRIBE_PCR:
    case COF_NSM_EXTEND_PCR:
    case COF_NSM_LOCK_PCR:
        *res = use_pcr(enclave, req);
        return COF_OK;
    case COF_NSM_LOCK_PCRS:
        *res = lock_range(enclave, req->index);
        return COF_OK;
    case COF_NSM_ATTESTATION:
        return attest(enclave, req, now_ms, scratch, res);
    case COF_NSM_ERROR:
        break;
    }
    return COF_E_BUG;
}

enum cof_err cof_hv_handle(struct cof_hv_enclave *enclave, struct cof_view request, int64_t now_ms,
                           struct cof_buf *out)
{
    struct cof_nsm_request req;
    struct cof_nsm_response res = {0};
    struct cof_buf scratch;
    enum cof_err err = COF_OK;

    cof_buf_init_secret(&scratch, COF_ATTEST_DOC_MAX);
    if (request.len > COF_NSM_REQUEST_MAX)
        res = refuse(COF_NSM_INPUT_TOO_LARGE);
    else if (cof_nsm_parse_request(request, &req) != COF_OK)
        res = refuse(COF_NSM_INVALID_OPERATION);
    else
        err = answer(enclave, &req, now_ms, &scratch, &res);
    if (err == COF_OK) {
        cof_nsm_add_response(out, &res);
        err = cof_buf_err(out);
    }
    cof_buf_done(&scratch);
    return err;
}
