/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done by receipt handle: DeleteMessage, ChangeMessageVisibility, and their batches.
 */
#include "standin/sqs_api.h"

#define VISIBILITY_MAX_S 43200 /* in all, from the receive on */

static bool handle_of(struct cof_sqs_call *c, const json_t *entry, struct cof_view *handle, struct cof_sqs_refusal *refusal)
{
    (void)c;
    if (cof_json_text(entry, "ReceiptHandle", handle, NULL) == COF_OK)
        return true;
    (void)cof_sqs_refuse(refusal, COF_SQS_MISSING_PARAMETER, "The request must contain the parameter ReceiptHandle.");
    return false;
}

static enum cof_err bad_handle(struct cof_view handle, struct cof_sqs_refusal *refusal)
{
    return cof_sqs_refuse(refusal, COF_SQS_RECEIPT_HANDLE_IS_INVALID, "The input receipt handle \"%.*s\" is not a valid receipt handle.",
                          handle.len > 300 ? 300 : (int)handle.len, handle.len == 0 ? "" : (const char *)handle.data);
}

static enum cof_err delete_one(struct cof_sqs_call *c, const json_t *entry, struct cof_buf *item, struct cof_sqs_refusal *refusal)
{
    struct cof_sqs_message m;
    struct cof_view handle;
    bool is_back;
    enum cof_err err;

    (void)item;
    if (!handle_of(c, entry, &handle, refusal))
        return COF_OK;
    err = cof_sqs_store_find(c->s, c->queue, handle, &m, &is_back);
    if (err == COF_OK)
        err = cof_sqs_store_remove(c->s, c->queue, &m);
    else if (err == COF_E_FORMAT)
        err = bad_handle(handle, refusal);
    else if (err == COF_E_NOT_FOUND)
        err = COF_OK; /* gone, or another's by now: deleting does nothing, and says nothing */
    cof_sqs_message_free(&m);
    return err;
}

static enum cof_err change(struct cof_sqs_call *c, struct cof_sqs_message *m, int64_t timeout_s, struct cof_sqs_refusal *refusal)
{
    int64_t now_ms = c->req->now_ms, visible_ms = now_ms + timeout_s * 1000;
    enum cof_err err;

    if (visible_ms > m->received_ms + (int64_t)VISIBILITY_MAX_S * 1000)
        return cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                              "Value %lld for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is "
                              "beyond the limit [%d seconds]", (long long)timeout_s, VISIBILITY_MAX_S);
    err = cof_sqs_store_hide(c->s, c->queue, m, visible_ms, now_ms);
    if (err == COF_OK)
        cof_standin_notify(c->s, c->queue->arn, timeout_s > 0 ? visible_ms : 0);
    return err;
}

static enum cof_err change_one(struct cof_sqs_call *c, const json_t *entry, struct cof_buf *item, struct cof_sqs_refusal *refusal)
{
    struct cof_sqs_message m = {.count = 0};
    struct cof_view handle;
    int64_t timeout_s;
    bool is_back;
    enum cof_err err;

    (void)item;
    if (!handle_of(c, entry, &handle, refusal))
        return COF_OK;
    if (json_object_get(entry, "VisibilityTimeout") == NULL)
        return cof_sqs_refuse(refusal, COF_SQS_MISSING_PARAMETER, "The request must contain the parameter VisibilityTimeout.");
    if (!cof_sqs_int(entry, "VisibilityTimeout", 0, VISIBILITY_MAX_S, 0, "VisibilityTimeout must be an integer between 0 and 43200", &timeout_s,
                     refusal))
        return COF_OK;
    err = cof_sqs_store_tidy(c->s, c->queue, c->req->now_ms); /* what is visible again is where it then belongs */
    if (err == COF_OK)
        err = cof_sqs_store_find(c->s, c->queue, handle, &m, &is_back);
    /* What is visible again stays so. AWS's documents name MessageNotInflight; what it answers with is a success that changes nothing. */
    is_back = err == COF_OK ? m.visible_ms == 0 : err == COF_E_NOT_FOUND && is_back;
    if (is_back)
        err = COF_OK;
    else if (err == COF_OK)
        err = change(c, &m, timeout_s, refusal);
    else if (err == COF_E_FORMAT)
        err = bad_handle(handle, refusal);
    else if (err == COF_E_NOT_FOUND)
        err = cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                             "Value %.*s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for "
                             "visibility timeout change.", (int)handle.len, (const char *)handle.data);
    cof_sqs_message_free(&m);
    return err;
}

enum cof_err cof_sqs_op_delete_message(struct cof_sqs_call *c)
{
    enum cof_err err;

    return cof_sqs_open(c, "sqs:DeleteMessage", &err) ? delete_one(c, c->in, NULL, &c->refusal) : err;
}

enum cof_err cof_sqs_op_delete_batch(struct cof_sqs_call *c)
{
    enum cof_err err;

    return cof_sqs_open(c, "sqs:DeleteMessage", &err) ? cof_sqs_batch(c, delete_one) : err;
}

enum cof_err cof_sqs_op_change_visibility(struct cof_sqs_call *c)
{
    enum cof_err err;

    return cof_sqs_open(c, "sqs:ChangeMessageVisibility", &err) ? change_one(c, c->in, NULL, &c->refusal) : err;
}

enum cof_err cof_sqs_op_change_visibility_batch(struct cof_sqs_call *c)
{
    enum cof_err err;

    return cof_sqs_open(c, "sqs:ChangeMessageVisibility", &err) ? cof_sqs_batch(c, change_one) : err;
}
