/* SPDX-License-Identifier: Apache-2.0 */
#include "work.h"

#include "base/codec.h"
#include "client/s3.h"
#include "engine/esdk_encrypt.h"
#include "engine/job.h"
#include "engine/receipt.h"
#include "format/nsm.h"
#include "message.h"
#include "processor.h"

#include <stdio.h>
#include <string.h>

#define FRAME_LENGTH 65536
#define SALT_LABEL "receipt salt v1"

/* A job in work. */
struct task {
    struct worker *w;
    struct cof_job job;
    struct cof_diag diag;
    const char *refusal;             /* a word of the fixed vocabulary, when it was refused */
    struct cof_buf sealed, plain;    /* input */
    struct processor_reply result;
    struct cof_buf sealed_result;
    uint8_t sealed_sha256[32], plain_sha256[32], result_sha256[32], sealed_result_sha256[32];
    uint8_t salt[32];
    int64_t started_ms;
    char version_id[256];
    size_t step;                     /* it came to, as COF_TELEMETRY_FETCH and so on */
};

static int64_t now_ms(const struct task *t)
{
    return t->w->aws->now_ms() + t->w->aws->skew_ms;
}

static enum outcome refuse(struct task *t, const char *word)
{
    t->refusal = word;
    return OUTCOME_REFUSED;
}

/* What a failed call to a service means for the job. */
static enum outcome from_service(struct task *t, enum cof_err err, const char *word)
{
    switch (cof_err_class(err)) {
    case COF_CLASS_OK:
        return OUTCOME_DONE;
    case COF_CLASS_AUTH:
    case COF_CLASS_FORMAT:
    case COF_CLASS_LIMIT:
        return refuse(t, word);
    case COF_CLASS_DENIED:
        return err == COF_E_NOT_FOUND ? refuse(t, "object-missing") : OUTCOME_LATER;
    case COF_CLASS_BUG:
    case COF_CLASS_USAGE:
    case COF_CLASS_SHORT:
    case COF_CLASS_RETRY:
    case COF_CLASS_IO:
    case COF_CLASS_MEMORY:
        break;
    }
    return OUTCOME_LATER;
}

static enum outcome fetch(struct task *t)
{
    struct cof_s3_get get = {.bucket = cof_view_str(t->job.bucket), .key = cof_view_str(t->job.key)};
    struct cof_s3_object object;
    enum cof_err err;

    if (t->job.sealed_bytes > t->w->config->max_bytes)
        return refuse(t, "too-large");
    err = cof_s3_run_get_whole(t->w->aws, &get, &t->sealed, &object, &t->diag);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&t->sealed), t->sealed_sha256);
    if (err == COF_OK)
        memcpy(t->version_id, object.version_id, sizeof t->version_id);
    return from_service(t, err, "object-unreadable");
}

/* Every field of the context is one that the enclave knows from the job and its own configuration, and nothing more is
 * there (C-01 to C-04). */
static bool is_the_job(void *ctx, const struct cof_esdk_header *h)
{
    const struct task *t = ctx;
    struct cof_job_context want;

    cof_job_context(&t->job, false, &want);
    if (h->n_pairs != want.n || h->suite != COF_ESDK_SUITE)
        return false;
    for (size_t i = 0; i < want.n; i++)
        if (!cof_view_eq(h->pairs[i].name, want.pairs[i].name) || !cof_view_eq(h->pairs[i].value, want.pairs[i].value))
            return false;
    return true;
}

static enum outcome open_input(struct task *t)
{
    struct message_expected expected = {t->w->config->data_key_arn, is_the_job, t};
    enum message_stage stage;
    enum cof_err err = message_open(t->w, cof_buf_view(&t->sealed), &expected, &t->plain, &stage, &t->diag);

    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&t->plain), t->plain_sha256);
    if (err == COF_OK)
        return OUTCOME_DONE;
    cof_buf_reset(&t->plain);
    switch (stage) {
    case MESSAGE_HEADER:
        return from_service(t, err, "message-malformed");
    case MESSAGE_CONTEXT:
        return refuse(t, "context-differs");
    case MESSAGE_KEY:
        return err == COF_E_AUTH ? refuse(t, "data-key-refused") : from_service(t, err, "data-key-refused");
    case MESSAGE_BODY:
    case MESSAGE_OPEN:
        break;
    }
    return err == COF_E_MEMORY ? OUTCOME_LATER : refuse(t, "message-altered");
}

/* Until a multiple of release_ms has passed since then: how long the content took is seen no finer. Counted from when it was at
 * hand, as everything before takes as long as the host likes: with that it could move the work to and fro over a multiple, and
 * time it as finely as it has patience. */
static enum cof_err hold_back(const struct task *t, int64_t since_ms)
{
    int64_t step_ms = t->w->config->release_ms, spent_ms = cof_loop_now_ms(t->w->aws->loop) - since_ms;
    bool never = false;
    enum cof_err err;

    if (step_ms == 0)
        return COF_OK;
    err = cof_loop_run_until(t->w->aws->loop, &never, step_ms - spent_ms % step_ms);
    return err == COF_E_TIMEOUT ? COF_OK : err;
}

static enum outcome process(struct task *t)
{
    int64_t since_ms = cof_loop_now_ms(t->w->aws->loop);
    enum cof_err err = processor_run(t->w, t->job.media_type, cof_buf_view(&t->plain), &t->result, &t->diag), held;

    cof_buf_reset(&t->plain);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&t->result.body), t->result_sha256);
    held = hold_back(t, since_ms); /* whatever came of it: nothing of that has been told yet */
    if (err != COF_OK || held != COF_OK)
        return OUTCOME_LATER;
    if (t->result.status / 100 == 4)
        return refuse(t, "input-refused-by-processor");
    return t->result.status / 100 == 2 ? OUTCOME_DONE : OUTCOME_LATER;
}

static enum cof_err push_padding(struct task *t, struct cof_esdk_encrypt *e)
{
    uint8_t piece[4096];
    uint64_t at = 0;
    enum cof_err err = COF_OK;

    for (size_t n = 1; err == COF_OK && n > 0; at += n) {
        n = cof_pad_piece(&t->w->config->result_pad, t->result.body.len, at, piece, sizeof piece);
        err = cof_esdk_encrypt_push(e, cof_view_of(piece, n), &t->sealed_result);
    }
    return err;
}

static enum outcome seal_result(struct task *t)
{
    struct cof_secret data_key COF_SECRET_AUTO = {0};
    struct cof_job_context context;
    struct cof_esdk_pair pairs[COF_JOB_PAIRS];
    struct cof_kms_key_use use = {.key_arn = cof_view_str(t->w->config->results_key_arn)};
    struct cof_esdk_edk edk = {.provider = COF_LIT("aws-kms"), .info = use.key_arn};
    struct cof_esdk_materials m = {.suite = COF_ESDK_SUITE, .frame_length = FRAME_LENGTH, .data_key = &data_key,
                                   .pairs = pairs, .edks = &edk, .n_edks = 1};
    struct cof_esdk_encrypt *e = NULL;
    char padding[COF_PAD_NAME_MAX];
    struct cof_buf blob;
    enum cof_err err;

    cof_buf_init(&blob, COF_KMS_BLOB_MAX);
    cof_job_context(&t->job, true, &context);
    cof_pad_name(&t->w->config->result_pad, padding);
    if (padding[0] != '\0')
        cof_job_context_pad(&context, padding);
    use.context = context.pairs;
    use.n_context = m.n_pairs = context.n;
    for (size_t i = 0; i < context.n; i++)
        pairs[i] = (struct cof_esdk_pair){context.pairs[i].name, context.pairs[i].value};
    err = cof_kms_attested_generate(&t->w->kms, &use, &data_key, &blob, &t->diag);
    edk.ciphertext = cof_buf_view(&blob);
    if (err == COF_OK)
        err = cof_esdk_encrypt_new(&m, t->w->rng, &e);
    if (err == COF_OK)
        err = cof_esdk_encrypt_push(e, cof_buf_view(&t->result.body), &t->sealed_result);
    if (err == COF_OK)
        err = push_padding(t, e);
    if (err == COF_OK)
        err = cof_esdk_encrypt_finish(e, &t->sealed_result);
    if (err == COF_OK)
        err = cof_esdk_encrypt_export(e, SALT_LABEL, t->salt);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&t->sealed_result), t->sealed_result_sha256);
    cof_esdk_encrypt_free(e);
    cof_buf_done(&blob);
    return err == COF_OK ? OUTCOME_DONE : OUTCOME_LATER;
}

/* A fresh document for the signing key: its leaf certificate bounds when the receipt may say the work was done. */
static enum cof_err attest_signer(struct task *t, struct cof_view spki, struct cof_buf *document)
{
    uint8_t user_data[COF_RECEIPT_DIGEST];
    struct cof_nsm_request request = {.op = COF_NSM_ATTESTATION};
    struct cof_nsm_response response;
    struct cof_buf out, in;
    enum cof_err err = cof_receipt_user_data(spki, user_data);

    cof_buf_init(&out, COF_NSM_REQUEST_MAX);
    cof_buf_init(&in, COF_NSM_RESPONSE_MAX);
    request.public_key = (struct cof_attest_field){spki, true};
    request.user_data = (struct cof_attest_field){cof_view_of(user_data, sizeof user_data), true};
    cof_nsm_add_request(&out, &request);
    if (err == COF_OK)
        err = cof_buf_err(&out);
    if (err == COF_OK)
        err = t->w->kms.nsm.call(t->w->kms.nsm.ctx, cof_buf_view(&out), &in);
    if (err == COF_OK)
        err = cof_nsm_parse_response(cof_buf_view(&in), &response);
    if (err == COF_OK && response.op != COF_NSM_ATTESTATION)
        err = COF_E_REMOTE;
    if (err == COF_OK) {
        cof_buf_add(document, response.data);
        err = cof_buf_err(document);
    }
    cof_buf_done(&out);
    cof_buf_done(&in);
    return err;
}

static enum cof_err make_receipt(struct task *t, struct cof_buf *out)
{
    struct cof_receipt r = {0};
    uint8_t in_commit[32], out_commit[32];
    char result_key[COF_JOB_KEY_MAX];
    struct cof_buf spki, document;
    struct cof_view salt = cof_view_of(t->salt, sizeof t->salt);
    enum cof_err err;

    cof_buf_init(&spki, 256);
    cof_buf_init(&document, COF_ATTEST_DOC_MAX);
    cof_job_result_key(&t->job, result_key);
    err = cof_ecdsa_spki(t->w->signer, &spki);
    if (err == COF_OK)
        err = attest_signer(t, cof_buf_view(&spki), &document);
    if (err == COF_OK)
        err = cof_receipt_commit(salt, cof_view_of(t->plain_sha256, 32), in_commit);
    if (err == COF_OK)
        err = cof_receipt_commit(salt, cof_view_of(t->result_sha256, 32), out_commit);
    r.tenant = cof_view_str(t->job.tenant);
    r.job = cof_view_str(t->job.job);
    r.input.bucket = r.output.bucket = cof_view_str(t->job.bucket);
    r.input.key = cof_view_str(t->job.key);
    r.input.version_id = cof_view_str(t->version_id);
    r.input.sealed_sha256 = cof_view_of(t->sealed_sha256, 32);
    r.input.commitment = cof_view_of(in_commit, 32);
    r.output.key = cof_view_str(result_key);
    r.output.media_type = cof_view_str(t->result.media_type);
    r.output.sealed_sha256 = cof_view_of(t->sealed_result_sha256, 32);
    r.output.commitment = cof_view_of(out_commit, 32);
    r.processor_sha256 = cof_view_of(t->w->processor_sha256, 32);
    if (t->w->has_model)
        r.model_sha256 = cof_view_of(t->w->model_sha256, 32);
    r.config_sha256 = cof_view_of(t->w->config->sha256, 32);
    r.started_ms = t->started_ms;
    r.finished_ms = now_ms(t);
    r.data_key_arn = cof_view_str(t->w->config->data_key_arn);
    r.results_key_arn = cof_view_str(t->w->config->results_key_arn);
    r.attestation = cof_buf_view(&document);
    if (err == COF_OK)
        err = cof_receipt_build(&r, t->w->signer, out);
    cof_buf_done(&spki);
    cof_buf_done(&document);
    return err;
}

/* COF_E_PRECONDITION: it is there already. */
static enum cof_err store(struct task *t, const char *key, const char *media_type, struct cof_view body, bool create_only)
{
    struct cof_s3_put put = {.bucket = cof_view_str(t->job.bucket), .key = cof_view_str(key),
                             .attributes.content_type = cof_view_str(media_type), .create_only = create_only, .body = body};
    struct cof_s3_object object;

    return cof_s3_run_put(t->w->aws, &put, NULL, &object, &t->diag);
}

/* Receipt first, then the result, whose creation is the one commit point (docs/decisions/0002). */
static enum outcome store_result(struct task *t)
{
    char key[COF_JOB_KEY_MAX], digest[65];
    struct cof_buf receipt;
    enum cof_err err;

    cof_buf_init(&receipt, COF_RECEIPT_MAX);
    err = make_receipt(t, &receipt);
    cof_hex_encode(t->sealed_result_sha256, 32, digest);
    cof_job_receipt_key(&t->job, digest, key);
    if (err == COF_OK)
        err = store(t, key, "application/cose", cof_buf_view(&receipt), true);
    cof_job_result_key(&t->job, key);
    if (err == COF_OK)
        err = store(t, key, "application/octet-stream", cof_buf_view(&t->sealed_result), true);
    if (err == COF_E_PRECONDITION) {
        cof_log_event(t->w->log, COF_LOG_INFO, "job.done_before", "tenant", t->job.tenant, "job", t->job.job, NULL);
        telemetry_send(t->w->telemetry, COF_TELEMETRY_JOB_DONE_BEFORE, 0, 0);
        err = COF_OK;
    }
    cof_buf_done(&receipt);
    return err == COF_OK ? OUTCOME_DONE : OUTCOME_LATER;
}

/* For the owner: a word, no detail (it leaves the enclave unsealed). */
static void store_status(struct task *t)
{
    char key[COF_JOB_KEY_MAX], body[160];
    enum cof_err err;

    cof_job_status_key(&t->job, key);
    (void)snprintf(body, sizeof body, "{\"state\":\"refused\",\"reason\":\"%s\"}\n", t->refusal);
    err = store(t, key, "application/json", cof_view_str(body), false);
    if (err != COF_OK) {
        cof_log_event(t->w->log, COF_LOG_WARN, "status.not_stored", "job", t->job.job, NULL);
        telemetry_send(t->w->telemetry, COF_TELEMETRY_STATUS_NOT_STORED, cof_err_class(err), 0);
    }
}

static enum outcome run(struct task *t)
{
    static enum outcome (*const steps[])(struct task *t) = {fetch, open_input, process, seal_result, store_result};

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        enum outcome outcome = steps[i](t);

        t->step = i;
        if (outcome != OUTCOME_DONE)
            return outcome;
    }
    return OUTCOME_DONE;
}

static void tell(struct worker *w, enum outcome outcome, const struct task *t, int64_t ms)
{
    if (outcome == OUTCOME_DONE) {
        atomic_fetch_add(&w->state->done, 1);
        telemetry_send(w->telemetry, COF_TELEMETRY_JOB_DONE, (uint64_t)ms, t->job.sealed_bytes);
    } else if (outcome == OUTCOME_REFUSED) {
        atomic_fetch_add(&w->state->refused, 1);
        telemetry_send(w->telemetry, COF_TELEMETRY_JOB_REFUSED,
                       cof_telemetry_word(COF_TELEMETRY_JOB_REFUSED, 0, t->refusal != NULL ? t->refusal : ""), (uint64_t)ms);
    } else {
        atomic_fetch_add(&w->state->later, 1);
        telemetry_send(w->telemetry, COF_TELEMETRY_JOB_LATER, t->step, (uint64_t)ms);
    }
}

enum outcome work_on(struct worker *worker, struct cof_view message)
{
    static const char *const events[] = {"job.done", "job.refused", "job.later"};
    struct task t = {.w = worker};
    enum outcome outcome;

    if (cof_job_parse(message, &t.job, &t.diag) != COF_OK || strcmp(t.job.bucket, worker->config->bucket) != 0) {
        cof_log_event(worker->log, COF_LOG_WARN, "job.refused", "why", "job-malformed", NULL);
        t.refusal = "job-malformed";
        tell(worker, OUTCOME_REFUSED, &t, 0);
        return OUTCOME_REFUSED;
    }
    cof_buf_init_secret(&t.plain, (size_t)worker->config->max_bytes);
    cof_buf_init(&t.sealed, (size_t)worker->config->max_bytes);
    cof_buf_init(&t.sealed_result, (size_t)cof_pad_size(&worker->config->result_pad, worker->config->max_bytes) + 65536);
    t.started_ms = now_ms(&t);
    atomic_fetch_add(&worker->state->working, 1);
    outcome = run(&t);
    if (outcome == OUTCOME_REFUSED)
        store_status(&t);
    atomic_fetch_sub(&worker->state->working, 1);
    tell(worker, outcome, &t, now_ms(&t) > t.started_ms ? now_ms(&t) - t.started_ms : 0);
    /* The log leaves the enclave: names and words of ours only, nothing of the content (C-26). */
    cof_log_event(worker->log, outcome == OUTCOME_DONE ? COF_LOG_INFO : COF_LOG_WARN, events[outcome], "tenant",
                  t.job.tenant, "job", t.job.job, "why",
                  t.refusal != NULL ? t.refusal : outcome == OUTCOME_DONE ? "" : t.diag.text, NULL);
    cof_buf_done(&t.plain);
    cof_buf_done(&t.sealed);
    cof_buf_done(&t.sealed_result);
    processor_reply_done(&t.result);
    cof_wipe(&t, sizeof t);
    return outcome;
}
