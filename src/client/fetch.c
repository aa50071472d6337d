/* SPDX-License-Identifier: Apache-2.0 */
#include "client/fetch.h"

#include <stdlib.h>

struct cof_fetch {
    struct cof_aws *aws;
    struct cof_aws_call *call;
    struct cof_fetch_events events;
    struct cof_buf body;
};

static void end(struct cof_fetch *f)
{
    if (f->events.drop != NULL)
        f->events.drop(f->events.ctx);
    cof_buf_done(&f->body);
    cof_loop_discard(f->aws->loop, f);
}

static void on_head(void *ctx, struct cof_aws_call *call, const struct cof_http_head *head)
{
    (void)call;
    (void)head;
    cof_buf_reset(&((struct cof_fetch *)ctx)->body);
}

static void on_body(void *ctx, struct cof_aws_call *call, struct cof_view piece)
{
    struct cof_fetch *f = ctx;
    struct cof_diag diag = {0};
    enum cof_err err;

    cof_buf_add(&f->body, piece);
    err = cof_buf_err(&f->body);
    if (err == COF_OK)
        return;
    cof_aws_cancel(call);
    f->call = NULL;
    (void)cof_diag_set(&diag, COF_E_TOO_LARGE, "the reply is larger than it can be meant");
    f->events.done(f->events.ctx, err == COF_E_LIMIT ? COF_E_TOO_LARGE : err, (struct cof_view){0}, NULL, &diag);
    end(f);
}

static void on_done(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error,
                    const struct cof_diag *diag)
{
    struct cof_fetch *f = ctx;

    (void)call;
    f->call = NULL;
    f->events.done(f->events.ctx, err, err == COF_OK ? cof_buf_view(&f->body) : (struct cof_view){0}, error, diag);
    end(f);
}

enum cof_err cof_fetch_start(struct cof_aws *aws, struct cof_aws_request *request, size_t body_max,
                             const struct cof_fetch_events *events, struct cof_fetch **out)
{
    struct cof_fetch *f = calloc(1, sizeof *f);
    struct cof_aws_callbacks cb = {.head = on_head, .body = on_body, .done = on_done, .may_restart = true, .ctx = f};
    enum cof_err err;

    *out = NULL;
    if (f == NULL) {
        cof_aws_request_done(request);
        return COF_E_MEMORY;
    }
    f->aws = aws;
    f->events = *events;
    cof_buf_init_secret(&f->body, body_max);
    err = cof_aws_start(aws, request, &cb, &f->call);
    if (err != COF_OK) {
        cof_buf_done(&f->body);
        free(f);
        return err;
    }
    *out = f;
    return COF_OK;
}

void cof_fetch_cancel(struct cof_fetch *fetch)
{
    if (fetch == NULL)
        return;
    if (fetch->call != NULL)
        cof_aws_cancel(fetch->call);
    fetch->call = NULL;
    end(fetch);
}
