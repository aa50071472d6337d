/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of a job: its state, its sealed result, its receipt. Only the token's own tenant's.
 */
#include "producer.h"

#include "client/s3.h"
#include "engine/job.h"
#include "format/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum wanted { WANT_STATE, WANT_RESULT, WANT_RECEIPT };

struct outcome {
    enum kind kind;
    struct producer *p;
    struct cof_xchg *x;
    enum wanted wanted;
    struct cof_job job;
    char receipt[65];
    struct cof_s3_download *download;
    struct cof_aws_call *probe;
    struct cof_buf status;
    bool started, asked_status;
};

static void ask(struct outcome *o);

static void download_head(void *ctx, struct cof_s3_download *download, const struct cof_s3_object *object)
{
    struct outcome *o = ctx;
    struct cof_headers headers;

    (void)download;
    cof_headers_init(&headers);
    cof_headers_add_str(&headers, "Content-Type", object->content_type);
    cof_headers_add_str(&headers, "Cache-Control", "no-store");
    cof_xchg_start(o->x, 200, &headers, (int64_t)object->size);
    o->started = true;
    cof_headers_done(&headers);
}

static void download_body(void *ctx, struct cof_s3_download *download, struct cof_view piece)
{
    struct outcome *o = ctx;

    if (!cof_xchg_write(o->x, piece))
        cof_s3_download_pause(download);
}

static void download_done(void *ctx, struct cof_s3_download *download, enum cof_err err, const struct cof_aws_error *error,
                          const struct cof_diag *diag)
{
    struct outcome *o = ctx;

    (void)download;
    (void)error;
    o->download = NULL;
    if (o->started && err == COF_OK)
        cof_xchg_end(o->x);
    else if (o->started)
        cof_xchg_abort(o->x);
    else if (err == COF_E_NOT_FOUND || err == COF_E_DENIED)
        reply_error(o->x, 404, "not-there", "there is no result (yet)");
    else {
        cof_log_event(&o->p->log, COF_LOG_ERROR, "outcome.failed", "why", diag != NULL ? diag->text : cof_err_text(err), NULL);
        reply_error(o->x, 503, "service-failed", "the store does not answer; try again");
    }
}

static void reply_state(struct outcome *o, const char *state, struct cof_view reason)
{
    struct cof_buf json;

    cof_buf_init(&json, 4096);
    cof_buf_add_str(&json, "{");
    cof_json_add_member(&json, "job", cof_view_str(o->job.job));
    cof_json_add_member(&json, "tenant", cof_view_str(o->job.tenant));
    cof_json_add_member(&json, "state", cof_view_str(state));
    if (reason.len > 0)
        cof_json_add_member(&json, "reason", reason);
    cof_buf_add_str(&json, "}\n");
    reply_json(o->x, 200, cof_buf_view(&json));
    cof_buf_done(&json);
}

static void probe_body(void *ctx, struct cof_aws_call *call, struct cof_view piece)
{
    (void)call;
    cof_buf_add(&((struct outcome *)ctx)->status, piece);
}

/* First: is there a result? Then: did the enclave refuse? Else it is pending, as far as anybody can say here. */
static void probe_done(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error,
                       const struct cof_diag *diag)
{
    struct outcome *o = ctx;
    struct cof_view reason = {0};
    json_t *record = NULL;

    (void)call;
    (void)error;
    o->probe = NULL;
    if (err == COF_OK && !o->asked_status) {
        reply_state(o, "done", reason);
    } else if (err == COF_OK) {
        if (cof_json_parse_object(cof_buf_view(&o->status), 4096, &record, NULL) == COF_OK)
            (void)!cof_json_text_or(record, "reason", "", &reason, NULL);
        reply_state(o, "refused", reason);
        json_decref(record);
    } else if (err != COF_E_NOT_FOUND && err != COF_E_DENIED) {
        cof_log_event(&o->p->log, COF_LOG_ERROR, "outcome.failed", "why", diag != NULL ? diag->text : cof_err_text(err), NULL);
        reply_error(o->x, 503, "service-failed", "the store does not answer; try again");
    } else if (!o->asked_status) {
        o->asked_status = true;
        ask(o);
    } else {
        reply_state(o, "pending", reason);
    }
}

static void ask(struct outcome *o)
{
    struct cof_aws_callbacks cb = {.body = probe_body, .done = probe_done, .ctx = o};
    struct cof_s3_get get = {.bucket = cof_view_str(o->p->bucket), .head = !o->asked_status};
    struct cof_aws_request request;
    char key[COF_JOB_KEY_MAX];
    enum cof_err err;

    if (o->asked_status)
        cof_job_status_key(&o->job, key);
    else
        cof_job_result_key(&o->job, key);
    get.key = cof_view_str(key);
    err = cof_s3_get_object(&request, &get);
    if (err == COF_OK)
        err = cof_aws_start(&o->p->session.aws, &request, &cb, &o->probe);
    if (err != COF_OK)
        reply_error(o->x, 503, "service-failed", "the store cannot be asked; try again");
}

static void fetch(struct outcome *o)
{
    struct cof_s3_download_events events = {download_head, download_body, download_done, o};
    struct cof_s3_get get = {.bucket = cof_view_str(o->p->bucket)};
    char key[COF_JOB_KEY_MAX];

    if (o->wanted == WANT_RECEIPT)
        cof_job_receipt_key(&o->job, o->receipt, key);
    else
        cof_job_result_key(&o->job, key);
    get.key = cof_view_str(key);
    if (cof_s3_start_get(&o->p->session.aws, &get, &events, &o->download) != COF_OK)
        reply_error(o->x, 503, "service-failed", "the store cannot be asked; try again");
}

/* /jobs/ID, /jobs/ID/result, /jobs/ID/receipt/SHA256 */
static bool parse_path(struct cof_view path, struct outcome *o, struct cof_view *id)
{
    struct cof_view rest, what, digest;

    path = cof_view_sub(path, strlen("/jobs/"), SIZE_MAX);
    if (!cof_view_split(path, '/', id, &rest)) {
        o->wanted = WANT_STATE;
        return cof_job_is_id(*id);
    }
    if (!cof_view_split(rest, '/', &what, &digest)) {
        o->wanted = WANT_RESULT;
        return cof_job_is_id(*id) && cof_view_eq(what, COF_LIT("result"));
    }
    o->wanted = WANT_RECEIPT;
    if (!cof_job_is_id(*id) || !cof_view_eq(what, COF_LIT("receipt")) || digest.len != 64 || !cof_job_is_id(digest))
        return false;
    memcpy(o->receipt, digest.data, 64);
    return true;
}

void outcome_head(struct producer *p, struct cof_xchg *x)
{
    struct cof_token token;
    struct cof_view id;
    struct outcome *o;

    if (!auth_check(p, x, SCOPE_READ, &token))
        return;
    o = calloc(1, sizeof *o);
    if (o == NULL) {
        reply_error(x, 503, "busy", "out of memory; try again");
        return;
    }
    o->kind = KIND_OUTCOME;
    o->p = p;
    o->x = x;
    cof_buf_init(&o->status, 4096);
    cof_xchg_set_user(x, o);
    if (!parse_path(cof_xchg_head(x)->path, o, &id) ||
        cof_job_make(&o->job, cof_view_str(token.tenant), id, cof_view_str(p->bucket), COF_LIT("-"), 0) != COF_OK) {
        reply_error(x, 404, "no-such-page", "there is /jobs/ID, /jobs/ID/result and /jobs/ID/receipt/SHA256");
        return;
    }
    if (o->wanted == WANT_STATE)
        ask(o);
    else
        fetch(o);
}

void outcome_writable(struct cof_xchg *x)
{
    struct outcome *o = cof_xchg_user(x);

    if (o->download != NULL)
        cof_s3_download_resume(o->download);
}

void outcome_closed(struct cof_xchg *x)
{
    struct outcome *o = cof_xchg_user(x);

    if (o->download != NULL)
        cof_s3_download_cancel(o->download);
    if (o->probe != NULL)
        cof_aws_cancel(o->probe);
    cof_buf_done(&o->status);
    free(o);
}
