/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include "client/s3.h"
#include "crypto/hash.h"
#include "format/nsm.h"
#include "message.h"
#include "processor.h"

#include <string.h>

/* The message says that it is a model, and which; beside that only what the suite puts there itself. */
static bool is_the_model(void *ctx, const struct cof_esdk_header *h)
{
    const struct config *config = ctx;
    bool purpose = false, key = false;

    for (size_t i = 0; i < h->n_pairs; i++) {
        struct cof_view name = h->pairs[i].name, value = h->pairs[i].value;

        if (cof_view_eq_str(name, "purpose"))
            purpose = cof_view_eq_str(value, "model");
        else if (cof_view_eq_str(name, "key"))
            key = cof_view_eq_str(value, config->model_key);
        else if (!cof_view_eq_str(name, "aws-crypto-public-key"))
            return false;
    }
    return purpose && key;
}

static enum cof_err fetch(struct worker *w, struct cof_buf *model, struct cof_diag *diag)
{
    struct cof_s3_get get = {.bucket = cof_view_str(w->config->bucket), .key = cof_view_str(w->config->model_key)};
    struct message_expected expected = {w->config->model_key_arn, is_the_model, (void *)(uintptr_t)w->config};
    static const char *const trouble[] = {[MESSAGE_HEADER] = "it is no sealed message", [MESSAGE_CONTEXT] = "it was sealed as something else, or under another key",
        [MESSAGE_KEY] = "KMS does not release its key", [MESSAGE_BODY] = "it was altered", [MESSAGE_OPEN] = ""};
    struct cof_s3_object object;
    struct cof_buf sealed;
    enum message_stage stage = MESSAGE_HEADER;
    struct cof_diag why = {0};
    enum cof_err err;

    cof_buf_init(&sealed, (size_t)w->config->max_bytes);
    err = cof_s3_run_get_whole(w->aws, &get, &sealed, &object, &why);
    if (err != COF_OK)
        err = cof_diag_set(diag, err, "the model cannot be fetched: %s", why.text);
    else if ((err = message_open(w, cof_buf_view(&sealed), &expected, model, &stage, &why)) != COF_OK)
        err = cof_diag_set(diag, err, "the model cannot be opened: %s%s%s", trouble[stage], why.text[0] != '\0' ? ": " : "", why.text);
    cof_buf_done(&sealed);
    return err;
}

static enum cof_err ask_nsm(struct worker *w, const struct cof_nsm_request *request, enum cof_nsm_op answer)
{
    struct cof_nsm_response response;
    struct cof_buf out, in;
    enum cof_err err;

    cof_buf_init(&out, COF_NSM_REQUEST_MAX);
    cof_buf_init(&in, COF_NSM_RESPONSE_MAX);
    cof_nsm_add_request(&out, request);
    err = w->kms.nsm.call(w->kms.nsm.ctx, cof_buf_view(&out), &in);
    if (err == COF_OK)
        err = cof_nsm_parse_response(cof_buf_view(&in), &response);
    if (err == COF_OK && response.op != answer)
        err = COF_E_REMOTE;
    cof_buf_done(&out);
    cof_buf_done(&in);
    return err;
}

/* First the register, for good; only then may the processor see the model. */
static enum cof_err measure(struct worker *w, struct cof_view model, struct cof_diag *diag)
{
    uint8_t digest[COF_ATTEST_PCR_SIZE];
    enum cof_err err = cof_hash_once(COF_SHA384, model, digest);

    if (err == COF_OK)
        err = ask_nsm(w, &(struct cof_nsm_request){.op = COF_NSM_EXTEND_PCR, .index = MODEL_PCR, .data = cof_view_of(digest, sizeof digest)},
            COF_NSM_EXTEND_PCR);
    cof_kms_attested_renew(&w->kms); /* a document from before would hide the model from KMS */
    if (err == COF_OK)
        err = ask_nsm(w, &(struct cof_nsm_request){.op = COF_NSM_LOCK_PCR, .index = MODEL_PCR}, COF_NSM_LOCK_PCR);
    return err == COF_OK ? err : cof_diag_set(diag, err, "the model cannot be measured into PCR%d", MODEL_PCR);
}

enum cof_err model_hand_over(struct worker *w, struct cof_view model, struct cof_diag *diag)
{
    struct processor_reply reply = {0};
    enum cof_err err = processor_put_model(w, model, &reply, diag);

    if (err == COF_OK && reply.status / 100 != 2)
        err = cof_diag_set(diag, COF_E_REMOTE, "the processor does not take the model (status %d)", reply.status);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, model, w->model_sha256);
    w->has_model = err == COF_OK;
    processor_reply_done(&reply);
    return err;
}

enum cof_err model_load(struct worker *worker, struct cof_buf *model, struct cof_diag *diag)
{
    enum cof_err err = fetch(worker, model, diag);

    return err == COF_OK ? measure(worker, cof_buf_view(model), diag) : err;
}
