/* SPDX-License-Identifier: Apache-2.0 */
#include "client/sqs.h"

#include <stdlib.h>

#define REPLY_MAX ((size_t)8 << 20)

enum operation { SEND, RECEIVE, DELETE, CHANGE };

struct pending {
    enum operation operation;
    struct cof_buf sent; /* SEND: the body, to compare its digest */
    struct cof_sqs_events events;
};

static enum cof_err run(struct cof_aws *aws, struct cof_aws_request *request, struct cof_aws_reply *reply,
                        struct cof_diag *diag)
{
    return cof_aws_run(aws, request, REPLY_MAX, reply, diag);
}

enum cof_err cof_sqs_run_send(struct cof_aws *aws, struct cof_view queue_url, struct cof_view body,
                              struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    enum cof_err err = cof_sqs_send(&request, queue_url, body);

    if (err == COF_OK)
        err = run(aws, &request, &reply, diag);
    if (err != COF_OK)
        return err;
    err = cof_sqs_check_sent(cof_buf_view(&reply.body), body, diag);
    cof_aws_reply_done(&reply);
    return err;
}

enum cof_err cof_sqs_run_receive(struct cof_aws *aws, struct cof_view queue_url, unsigned wait_s, unsigned visibility_s,
                                 struct cof_sqs_message *out, struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    enum cof_err err = cof_sqs_receive(&request, queue_url, wait_s, visibility_s);

    *out = (struct cof_sqs_message){0};
    if (err == COF_OK)
        err = run(aws, &request, &reply, diag);
    if (err != COF_OK)
        return err;
    err = cof_sqs_parse_receive(cof_buf_view(&reply.body), out, diag);
    cof_aws_reply_done(&reply);
    return err;
}

static enum cof_err run_plain(struct cof_aws *aws, enum cof_err built, struct cof_aws_request *request,
                              struct cof_diag *diag)
{
    struct cof_aws_reply reply;

    if (built == COF_OK)
        built = run(aws, request, &reply, diag);
    if (built == COF_OK)
        cof_aws_reply_done(&reply);
    return built;
}

enum cof_err cof_sqs_run_delete(struct cof_aws *aws, struct cof_view queue_url, struct cof_view receipt_handle,
                                struct cof_diag *diag)
{
    struct cof_aws_request request;
    enum cof_err err = cof_sqs_delete(&request, queue_url, receipt_handle);

    return run_plain(aws, err, &request, diag);
}

enum cof_err cof_sqs_run_change_visibility(struct cof_aws *aws, struct cof_view queue_url,
                                           struct cof_view receipt_handle, unsigned visibility_s, struct cof_diag *diag)
{
    struct cof_aws_request request;
    enum cof_err err = cof_sqs_change_visibility(&request, queue_url, receipt_handle, visibility_s);

    return run_plain(aws, err, &request, diag);
}

static void on_done(void *ctx, enum cof_err err, struct cof_view body, const struct cof_aws_error *error,
                    const struct cof_diag *diag)
{
    struct pending *p = ctx;
    struct cof_sqs_message message = {0};
    struct cof_diag own = {0};

    (void)error;
    if (err == COF_OK && p->operation == RECEIVE)
        err = cof_sqs_parse_receive(body, &message, &own);
    else if (err == COF_OK && p->operation == SEND)
        err = cof_sqs_check_sent(body, cof_buf_view(&p->sent), &own);
    p->events.done(p->events.ctx, err, err == COF_OK && p->operation == RECEIVE ? &message : NULL,
                   own.text[0] != '\0' ? &own : diag);
    cof_sqs_message_done(&message);
}

static void on_drop(void *ctx)
{
    struct pending *p = ctx;

    cof_buf_done(&p->sent);
    free(p);
}

/* built: whether the request was made. */
static enum cof_err start(struct cof_aws *aws, enum operation operation, enum cof_err built,
                          struct cof_aws_request *request, struct cof_view sent, const struct cof_sqs_events *events,
                          struct cof_fetch **out)
{
    struct cof_fetch_events fetch = {on_done, on_drop, NULL};
    struct pending *p;
    enum cof_err err;

    *out = NULL;
    if (built != COF_OK)
        return built;
    p = calloc(1, sizeof *p);
    if (p == NULL) {
        cof_aws_request_done(request);
        return COF_E_MEMORY;
    }
    p->operation = operation;
    p->events = *events;
    cof_buf_init(&p->sent, COF_SQS_BODY_MAX);
    cof_buf_add(&p->sent, sent);
    fetch.ctx = p;
    err = cof_buf_err(&p->sent);
    if (err == COF_OK)
        err = cof_fetch_start(aws, request, REPLY_MAX, &fetch, out);
    else
        cof_aws_request_done(request);
    if (err != COF_OK)
        on_drop(p);
    return err;
}

enum cof_err cof_sqs_start_send(struct cof_aws *aws, struct cof_view queue_url, struct cof_view body,
                                const struct cof_sqs_events *events, struct cof_fetch **out)
{
    struct cof_aws_request request;
    enum cof_err err = cof_sqs_send(&request, queue_url, body);

    return start(aws, SEND, err, &request, body, events, out);
}

enum cof_err cof_sqs_start_receive(struct cof_aws *aws, struct cof_view queue_url, unsigned wait_s,
                                   unsigned visibility_s, const struct cof_sqs_events *events, struct cof_fetch **out)
{
    struct cof_aws_request request;
    enum cof_err err = cof_sqs_receive(&request, queue_url, wait_s, visibility_s);

    return start(aws, RECEIVE, err, &request, (struct cof_view){0}, events, out);
}

enum cof_err cof_sqs_start_delete(struct cof_aws *aws, struct cof_view queue_url, struct cof_view receipt_handle,
                                  const struct cof_sqs_events *events, struct cof_fetch **out)
{
    struct cof_aws_request request;
    enum cof_err err = cof_sqs_delete(&request, queue_url, receipt_handle);

    return start(aws, DELETE, err, &request, (struct cof_view){0}, events, out);
}

enum cof_err cof_sqs_start_change_visibility(struct cof_aws *aws, struct cof_view queue_url,
                                             struct cof_view receipt_handle, unsigned visibility_s,
                                             const struct cof_sqs_events *events, struct cof_fetch **out)
{
    struct cof_aws_request request;
    enum cof_err err = cof_sqs_change_visibility(&request, queue_url, receipt_handle, visibility_s);

    return start(aws, CHANGE, err, &request, (struct cof_view){0}, events, out);
}
