/* SPDX-License-Identifier: Apache-2.0 */
#include "client/aws.h"

#define PIPE_PIECE 65536

/* The blocking form. */
struct blocking {
    bool done;
    enum cof_err err, pipe_err;
    struct cof_aws_reply *reply;
    struct cof_diag *diag;
    const struct cof_aws_pipes *pipes;
    bool source_ended;
};

static void b_head(void *ctx, struct cof_aws_call *call, const struct cof_http_head *head)
{
    struct blocking *b = ctx;

    (void)call;
    cof_http1_head_done(&b->reply->head);
    cof_buf_reset(&b->reply->body);
    b->reply->status = head->status;
    b->reply->head = (struct cof_http_head){
        .status = head->status, .length = head->length, .has_length = head->has_length};
    cof_headers_init(&b->reply->head.headers);
    for (size_t i = 0; i < head->headers.n; i++)
        cof_headers_add(&b->reply->head.headers, cof_headers_name(&head->headers, i),
                        cof_headers_value(&head->headers, i));
}

static void b_body(void *ctx, struct cof_aws_call *call, struct cof_view piece)
{
    struct blocking *b = ctx;

    if (b->pipe_err != COF_OK)
        return;
    if (b->pipes != NULL && b->pipes->sink != NULL)
        b->pipe_err = b->pipes->sink(b->pipes->ctx, piece);
    else {
        cof_buf_add(&b->reply->body, piece);
        b->pipe_err = cof_buf_err(&b->reply->body) == COF_E_LIMIT ? COF_E_TOO_LARGE : cof_buf_err(&b->reply->body);
    }
    if (b->pipe_err != COF_OK) {
        b->done = true;
        cof_aws_cancel(call);
    }
}

static void b_writable(void *ctx, struct cof_aws_call *call)
{
    struct blocking *b = ctx;
    struct cof_buf piece;
    bool more = true;

    if (b->pipes == NULL || b->pipes->source == NULL || b->source_ended)
        return;
    cof_buf_init_secret(&piece, (size_t)4 * PIPE_PIECE);
    while (more && b->pipe_err == COF_OK) {
        cof_buf_reset(&piece);
        b->pipe_err = b->pipes->source(b->pipes->ctx, PIPE_PIECE, &piece);
        if (b->pipe_err == COF_OK && piece.len == 0) {
            b->source_ended = true;
            cof_aws_end(call);
            break;
        }
        more = cof_aws_write(call, cof_buf_view(&piece));
    }
    cof_buf_done(&piece);
    if (b->pipe_err != COF_OK) {
        b->done = true;
        cof_aws_cancel(call);
    }
}

static bool b_rewind(void *ctx, struct cof_aws_call *call)
{
    struct blocking *b = ctx;

    (void)call;
    b->source_ended = false;
    return b->pipes != NULL && b->pipes->rewind != NULL && b->pipes->rewind(b->pipes->ctx) == COF_OK;
}

static void b_done(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error,
                   const struct cof_diag *diag)
{
    struct blocking *b = ctx;

    (void)call;
    b->done = true;
    b->err = err;
    if (error != NULL)
        b->reply->error = *error;
    if (diag != NULL && b->diag != NULL)
        *b->diag = *diag;
}

enum cof_err cof_aws_ready(struct cof_aws *aws, struct cof_diag *diag)
{
    bool ends_soon = aws->credentials.expires_ms != 0 &&
                     aws->credentials.expires_ms < aws->now_ms() + aws->skew_ms + COF_AWS_REFRESH_MS;
    enum cof_err err = COF_OK;

    if (aws->refresh != NULL && (aws->credentials.access_key_id.len == 0 || ends_soon))
        err = aws->refresh(aws->refresh_ctx, aws, diag);
    if (err == COF_OK && aws->credentials.access_key_id.len == 0) {
        err = cof_diag_set(diag, COF_E_CONFIG, "no AWS credentials");
        cof_diag_hint(diag, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile");
    }
    return err;
}

static enum cof_err run(struct cof_aws *aws, struct cof_aws_request *request, const struct cof_aws_pipes *pipes,
                        size_t body_max, struct cof_aws_reply *out, struct cof_diag *diag)
{
    struct blocking b = {.reply = out, .diag = diag, .pipes = pipes};
    struct cof_aws_callbacks cb = {
        .head = b_head, .body = b_body, .writable = b_writable, .rewind = b_rewind, .done = b_done, .ctx = &b};
    struct cof_aws_call *call;
    enum cof_err err = COF_OK;

    cb.may_restart = pipes == NULL || pipes->sink == NULL;
    *out = (struct cof_aws_reply){0};
    cof_buf_init_secret(&out->body, body_max);
    if (!request->is_anonymous)
        err = cof_aws_ready(aws, diag);
    if (err != COF_OK) {
        cof_aws_request_done(request);
        return err;
    }
    err = cof_aws_start(aws, request, &cb, &call);
    if (err == COF_OK)
        err = cof_loop_run_until(aws->loop, &b.done, -1);
    if (err == COF_OK)
        err = b.pipe_err != COF_OK ? b.pipe_err : b.err;
    if (err == COF_OK && cof_headers_err(&out->head.headers) != COF_OK)
        err = cof_headers_err(&out->head.headers);
    if (err != COF_OK) {
        cof_http1_head_done(&out->head);
        cof_buf_done(&out->body);
    }
    return err;
}

enum cof_err cof_aws_run(struct cof_aws *aws, struct cof_aws_request *request, size_t body_max,
                         struct cof_aws_reply *out, struct cof_diag *diag)
{
    return run(aws, request, NULL, body_max, out, diag);
}

enum cof_err cof_aws_run_piped(struct cof_aws *aws, struct cof_aws_request *request, const struct cof_aws_pipes *pipes,
                               struct cof_aws_reply *out, struct cof_diag *diag)
{
    return run(aws, request, pipes, 65536, out, diag);
}

void cof_aws_reply_done(struct cof_aws_reply *reply)
{
    if (reply == NULL)
        return;
    cof_http1_head_done(&reply->head);
    cof_buf_done(&reply->body);
}
