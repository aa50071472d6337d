/* SPDX-License-Identifier: Apache-2.0 */
#include "processor.h"

#include <stdio.h>
#include <string.h>

#define RESULT_MAX ((size_t)64 << 20)

struct exchange {
    struct processor_reply *reply;
    bool done;
    enum cof_err err;
    struct cof_diag diag;
};

static void on_head(void *ctx, struct cof_http_call *call, const struct cof_http_head *head)
{
    struct exchange *x = ctx;
    struct cof_view type;

    (void)call;
    x->reply->status = head->status;
    if (cof_headers_get(&head->headers, "content-type", &type) && type.len < sizeof x->reply->media_type) {
        memcpy(x->reply->media_type, type.data, type.len);
        x->reply->media_type[type.len] = '\0';
    }
}

static void on_body(void *ctx, struct cof_http_call *call, struct cof_view piece)
{
    struct exchange *x = ctx;

    (void)call;
    cof_buf_add(&x->reply->body, piece);
}

static void on_done(void *ctx, struct cof_http_call *call, enum cof_err err, const struct cof_diag *diag, bool sent)
{
    struct exchange *x = ctx;

    (void)call;
    (void)sent;
    x->done = true;
    x->err = err;
    if (diag != NULL)
        x->diag = *diag;
}

void processor_reply_done(struct processor_reply *reply)
{
    cof_buf_done(&reply->body);
}

static enum cof_err ask(struct worker *worker, const char *request, const char *media_type, struct cof_view input,
                        struct processor_reply *out, struct cof_diag *diag)
{
    struct exchange x = {.reply = out};
    struct cof_http_callbacks cb = {.head = on_head, .body = on_body, .done = on_done, .ctx = &x};
    struct cof_http_call_opts opts = {.host = "processor", .port = 80, .has_addr = true, .addr = worker->processor,
                                      .body = input, .total_ms = worker->config->processor_ms,
                                      .stall_ms = worker->config->processor_ms};
    struct cof_http_call *call;
    struct cof_buf head;
    enum cof_err err;

    *out = (struct processor_reply){.media_type = "application/octet-stream"};
    cof_buf_init_secret(&out->body, RESULT_MAX);
    cof_buf_init(&head, 1024);
    cof_buf_printf(&head, "%s HTTP/1.1\r\nHost: processor\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", request, media_type,
                   input.len);
    opts.head = cof_buf_view(&head);
    err = cof_buf_err(&head);
    if (err == COF_OK)
        err = cof_http_call_start(worker->http, &opts, &cb, &call);
    if (err == COF_OK)
        err = cof_loop_run_until(cof_http_client_loop(worker->http), &x.done, -1);
    if (err == COF_OK)
        err = x.err != COF_OK ? x.err : cof_buf_err(&out->body);
    cof_buf_done(&head);
    if (err != COF_OK) {
        worker->processor_lost = true;
        (void)cof_diag_set(diag, err, "the processor did not answer: %s", x.diag.text);
        processor_reply_done(out);
    }
    return err;
}

enum cof_err processor_run(struct worker *worker, const char *media_type, struct cof_view input,
                           struct processor_reply *out, struct cof_diag *diag)
{
    return ask(worker, "POST /", media_type, input, out, diag);
}

enum cof_err processor_put_model(struct worker *worker, struct cof_view model, struct processor_reply *out, struct cof_diag *diag)
{
    return ask(worker, "PUT /model", "application/octet-stream", model, out, diag);
}
