/* SPDX-License-Identifier: Apache-2.0
 *
 * What operations begin with: the queue, the caller's permission, parameters; and what all batches have in common.
 */
#include "standin/sqs_api.h"

#include <stdio.h>
#include <string.h>

#define BATCH_MAX 10
#define ENTRY_ID_MAX 80

/* What a queue's policy cannot give to another account (SQS Developer Guide, "Cross-account permissions"). */
static bool is_owners_alone(const char *action)
{
    static const char *const actions[] = {"sqs:AddPermission", "sqs:CancelMessageMoveTask", "sqs:CreateQueue", "sqs:DeleteQueue",
                                          "sqs:ListMessageMoveTasks", "sqs:ListQueues", "sqs:ListQueueTags", "sqs:RemovePermission",
                                          "sqs:SetQueueAttributes", "sqs:StartMessageMoveTask", "sqs:TagQueue", "sqs:UntagQueue"};

    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(actions[i], action) == 0)
            return true;
    return false;
}

static bool is_stranger(const struct cof_sqs_call *c)
{
    const struct cof_iam_principal *p = c->req->principal;

    return p->caller.kind == COF_CALLER_ANONYMOUS || strcmp(p->account, cof_standin_account(c->s)) != 0;
}

bool cof_sqs_allowed(struct cof_sqs_call *c, const char *action, const struct cof_sqs_queue *queue, struct cof_view arn, enum cof_err *err)
{
    struct cof_standin_access access = {.action = action, .resource = queue != NULL ? cof_view_str(queue->arn) : arn,
                                        .resource_policy_name = "queue-policy", .resource_policy_kind = COF_POLICY_RESOURCE,
                                        .rule = COF_RESOURCE_EITHER};
    struct cof_buf why;
    bool yes;

    if (queue != NULL && !(is_stranger(c) && is_owners_alone(action)))
        access.resource_policy = cof_sqs_queue_policy(queue);
    cof_buf_init(&why, 16384);
    *err = cof_standin_authorize(c->s, c->req, &access, &why);
    yes = *err == COF_OK;
    if (*err == COF_E_DENIED)
        *err = cof_sqs_refuse(&c->refusal, COF_SQS_ACCESS_DENIED, "%s", cof_buf_cstr(&why));
    cof_buf_done(&why);
    return yes;
}

/* The last two parts of a queue's URL: account and name. Host and scheme may be any that lead here. */
static void split_url(const struct cof_sqs_call *c, struct cof_view url, struct cof_view *account, struct cof_view *name)
{
    size_t i = url.len, j;

    while (i > 0 && url.data[i - 1] != '/')
        i--;
    *name = cof_view_sub(url, i, SIZE_MAX);
    *account = cof_view_str(cof_standin_account(c->s));
    if (i == 0) /* spec: a name alone is taken for the caller's own queue */
        return;
    for (j = i - 1; j > 0 && url.data[j - 1] != '/'; j--)
        ;
    *account = cof_view_sub(url, j, i - 1 - j);
}

static struct cof_view queue_url(struct cof_sqs_call *c)
{
    struct cof_view url;

    if (cof_json_text(c->in, "QueueUrl", &url, NULL) == COF_OK)
        return url;
    return c->query && c->req->head->path.len > 1 ? c->req->head->path : (struct cof_view){0}; /* the queue's own address */
}

bool cof_sqs_open(struct cof_sqs_call *c, const char *action, enum cof_err *err)
{
    struct cof_view url = queue_url(c), account, name;

    *err = COF_OK;
    if (url.len == 0) {
        (void)cof_sqs_refuse(&c->refusal, COF_SQS_MISSING_PARAMETER, "The request must contain the parameter QueueUrl.");
        return false;
    }
    split_url(c, url, &account, &name);
    *err = cof_view_eq_str(account, cof_standin_account(c->s)) ? cof_sqs_queue_get(c->s, name, &c->queue) : COF_E_NOT_FOUND;
    if (*err == COF_E_NOT_FOUND)
        *err = cof_sqs_refuse(&c->refusal, COF_SQS_QUEUE_DOES_NOT_EXIST, "The specified queue does not exist.");
    return c->queue != NULL && cof_sqs_allowed(c, action, c->queue, (struct cof_view){0}, err);
}

bool cof_sqs_text(struct cof_sqs_call *c, const json_t *from, const char *name, struct cof_view *out)
{
    const json_t *value = json_object_get(from, name);

    if (cof_json_text(from, name, out, NULL) == COF_OK)
        return true;
    if (value == NULL || json_is_null(value))
        (void)cof_sqs_refuse(&c->refusal, COF_SQS_MISSING_PARAMETER, "The request must contain the parameter %s.", name);
    else
        (void)cof_sqs_refuse(&c->refusal, COF_SQS_SERIALIZATION, "%s must be text.", name);
    return false;
}

bool cof_sqs_int(const json_t *from, const char *name, int64_t min, int64_t max, int64_t otherwise, const char *reason, int64_t *out,
                 struct cof_sqs_refusal *refusal)
{
    const json_t *value = json_object_get(from, name);

    if (cof_json_int_or(from, name, min, max, otherwise, out, NULL) == COF_OK)
        return true;
    if (json_is_integer(value))
        (void)cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE, "Value %lld for parameter %s is invalid. Reason: %s",
                             (long long)json_integer_value(value), name, reason);
    else if (json_is_string(value))
        (void)cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE, "Value %.100s for parameter %s is invalid. Reason: Must be an integer.",
                             json_string_value(value), name);
    else
        (void)cof_sqs_refuse(refusal, COF_SQS_SERIALIZATION, "%s must be a whole number.", name);
    return false;
}

static bool is_entry_id(struct cof_view v)
{
    return v.len <= ENTRY_ID_MAX && cof_sqs_queue_is_name(v); /* the same letters */
}

/* Count, ids and their being distinct: these refuse the batch as a whole. */
static bool check_entries(struct cof_sqs_call *c, const json_t *entries)
{
    struct cof_view ids[BATCH_MAX];
    size_t n = json_array_size(entries);

    if (n == 0)
        (void)cof_sqs_refuse(&c->refusal, COF_SQS_EMPTY_BATCH_REQUEST, "There should be at least one %sRequestEntry in the request.",
                             c->operation);
    else if (n > BATCH_MAX)
        (void)cof_sqs_refuse(&c->refusal, COF_SQS_TOO_MANY_ENTRIES, "Maximum number of entries per request are %d. You have sent %zu.",
                             BATCH_MAX, n);
    for (size_t i = 0; i < n && c->refusal.code == COF_SQS_FINE; i++) {
        if (cof_json_text(json_array_get(entries, i), "Id", &ids[i], NULL) != COF_OK || !is_entry_id(ids[i]))
            (void)cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_BATCH_ENTRY_ID,
                                 "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most %d "
                                 "letters long.", ENTRY_ID_MAX);
        for (size_t j = 0; j < i && c->refusal.code == COF_SQS_FINE; j++)
            if (cof_view_eq(ids[i], ids[j]))
                (void)cof_sqs_refuse(&c->refusal, COF_SQS_BATCH_ENTRY_IDS_NOT_DISTINCT, "Id %.*s repeated.", (int)ids[i].len,
                                     (const char *)ids[i].data);
    }
    return c->refusal.code == COF_SQS_FINE;
}

enum cof_err cof_sqs_batch(struct cof_sqs_call *c, enum cof_err (*one)(struct cof_sqs_call *c, const json_t *entry, struct cof_buf *item,
                                                                       struct cof_sqs_refusal *refusal))
{
    const json_t *entries = json_object_get(c->in, "Entries");
    struct cof_buf good, bad, item;
    enum cof_err err = COF_OK;

    if (!check_entries(c, entries))
        return COF_OK;
    cof_buf_init(&good, 65536);
    cof_buf_init(&bad, 65536);
    cof_buf_init(&item, 16384);
    for (size_t i = 0; err == COF_OK && i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        struct cof_sqs_refusal refusal = {.code = COF_SQS_FINE};
        struct cof_buf *list;
        struct cof_view id;

        cof_buf_reset(&item);
        err = cof_json_text(entry, "Id", &id, NULL);
        cof_buf_add_str(&item, "{");
        cof_json_add_member(&item, "Id", id);
        if (err == COF_OK)
            err = one(c, entry, &item, &refusal);
        if (refusal.code != COF_SQS_FINE) {
            cof_buf_reset(&item);
            cof_buf_add_str(&item, "{\"SenderFault\":true");
            cof_json_add_member(&item, "Id", id);
            cof_json_add_member(&item, "Code", cof_view_str(cof_sqs_error_code(refusal.code)));
            cof_json_add_member(&item, "Message", cof_view_str(refusal.text));
        }
        cof_buf_add_str(&item, "}");
        list = refusal.code == COF_SQS_FINE ? &good : &bad;
        if (list->len > 0)
            cof_buf_add_str(list, ",");
        cof_buf_add(list, cof_buf_view(&item));
        if (err == COF_OK)
            err = cof_buf_err(&item);
    }
    if (err == COF_OK)
        err = cof_buf_err(&good) != COF_OK ? cof_buf_err(&good) : cof_buf_err(&bad);
    cof_buf_add_str(&c->out, "{"); /* spec: of both, what is there */
    if (good.len > 0) {
        cof_buf_add_str(&c->out, "\"Successful\":[");
        cof_buf_add(&c->out, cof_buf_view(&good));
        cof_buf_add_str(&c->out, bad.len > 0 ? "]," : "]");
    }
    if (bad.len > 0) {
        cof_buf_add_str(&c->out, "\"Failed\":[");
        cof_buf_add(&c->out, cof_buf_view(&bad));
        cof_buf_add_str(&c->out, "]");
    }
    cof_buf_add_str(&c->out, "}");
    cof_buf_done(&good);
    cof_buf_done(&bad);
    cof_buf_done(&item);
    return err;
}
