/* SPDX-License-Identifier: Apache-2.0
 *
 * AddPermission and RemovePermission (statements of the queue's policy, by label), and tags.
 */
#include "standin/sqs_api.h"

#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAGS_MAX 50
#define ACTIONS_MAX 7

/* Those that another account may be given. */
static const char *const grantable[] = {"*", "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl",
                                        "ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage"};

/* The policy as it is, or an empty one; the caller's. */
static json_t *policy_of(const struct cof_sqs_queue *queue)
{
    const char *text = cof_sqs_queue_attribute(queue, "Policy");
    json_t *policy = text == NULL ? NULL : json_loads(text, 0, NULL);
    json_t *statements = json_object_get(policy, "Statement");

    if (policy == NULL)
        return json_pack("{s:s, s:s+, s:[]}", "Version", "2008-10-17", "Id", queue->arn, "/SQSDefaultPolicy", "Statement");
    if (json_is_object(statements)) { /* a policy may have one that is not in a list */
        json_t *list = json_pack("[O]", statements);

        if (list == NULL || json_object_set_new(policy, "Statement", list) != 0) {
            json_decref(policy);
            return NULL;
        }
    }
    return policy;
}

static size_t find_label(const json_t *policy, struct cof_view label)
{
    const json_t *statements = json_object_get(policy, "Statement");

    for (size_t i = 0; i < json_array_size(statements); i++)
        if (cof_view_eq_str(label, json_string_value(json_object_get(json_array_get(statements, i), "Sid"))))
            return i;
    return SIZE_MAX;
}

static enum cof_err keep_policy(struct cof_sqs_call *c, const json_t *policy)
{
    json_t *kept = json_object_get(c->queue->record, "attributes");
    char *text;
    enum cof_err err = COF_OK;

    cof_sqs_state(c->s)->touched = true;
    if (json_array_size(json_object_get(policy, "Statement")) == 0) {
        (void)json_object_del(kept, "Policy");
        return cof_sqs_queue_save(c->s, c->queue);
    }
    text = json_dumps(policy, JSON_COMPACT);
    if (text == NULL || json_object_set_new(kept, "Policy", json_string(text)) != 0)
        err = COF_E_MEMORY;
    free(text);
    return err == COF_OK ? cof_sqs_queue_save(c->s, c->queue) : err;
}

static bool is_account(const char *text)
{
    return text != NULL && strlen(text) == 12 && strspn(text, "0123456789") == 12;
}

static bool is_grantable(const char *action)
{
    for (size_t i = 0; action != NULL && i < sizeof grantable / sizeof grantable[0]; i++)
        if (strcmp(action, grantable[i]) == 0)
            return true;
    return false;
}

/* One value alone, or a list. */
static json_t *alone(json_t *list)
{
    json_t *one;

    if (json_array_size(list) != 1)
        return list;
    one = json_incref(json_array_get(list, 0));
    json_decref(list);
    return one;
}

static json_t *statement(struct cof_sqs_call *c, struct cof_view label, const json_t *accounts, const json_t *actions)
{
    json_t *principals = json_array(), *verbs = json_array();

    for (size_t i = 0; i < json_array_size(accounts); i++)
        (void)json_array_append_new(principals, json_sprintf("arn:aws:iam::%s:root", json_string_value(json_array_get(accounts, i))));
    for (size_t i = 0; i < json_array_size(actions); i++)
        (void)json_array_append_new(verbs, json_sprintf("SQS:%s", json_string_value(json_array_get(actions, i))));
    return json_pack("{s:s%, s:s, s:{s:o}, s:o, s:s}", "Sid", (const char *)label.data, label.len, "Effect", "Allow", "Principal", "AWS",
                     alone(principals), "Action", alone(verbs), "Resource", c->queue->arn);
}

static bool check_grant(struct cof_sqs_call *c, struct cof_view label, const json_t *accounts, const json_t *actions)
{
    struct cof_sqs_refusal *r = &c->refusal;

    if (!cof_sqs_queue_is_name(label))
        (void)cof_sqs_refuse(r, COF_SQS_INVALID_PARAMETER_VALUE,
                             "Value %.*s for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, or "
                             "underscores. 1 to 80 in length.", (int)(label.len < 80 ? label.len : 80), (const char *)label.data);
    else if (json_array_size(accounts) == 0)
        (void)cof_sqs_refuse(r, COF_SQS_MISSING_PARAMETER, "The request must contain the parameter AWSAccountId.");
    else if (json_array_size(actions) == 0)
        (void)cof_sqs_refuse(r, COF_SQS_MISSING_PARAMETER, "The request must contain the parameter ActionName.");
    else if (json_array_size(actions) > ACTIONS_MAX)
        (void)cof_sqs_refuse(r, COF_SQS_OVER_LIMIT, "%zu Actions were found, maximum allowed is %d.", json_array_size(actions), ACTIONS_MAX);
    for (size_t i = 0; r->code == COF_SQS_FINE && i < json_array_size(accounts); i++)
        if (!is_account(json_string_value(json_array_get(accounts, i))))
            (void)cof_sqs_refuse(r, COF_SQS_INVALID_PARAMETER_VALUE,
                                 "Value for parameter PrincipalId is invalid. Reason: Unable to verify.");
    for (size_t i = 0; r->code == COF_SQS_FINE && i < json_array_size(actions); i++) {
        const char *action = json_string_value(json_array_get(actions, i));

        if (!is_grantable(action))
            (void)cof_sqs_refuse(r, COF_SQS_INVALID_PARAMETER_VALUE,
                                 "Value SQS:%.80s for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this "
                                 "action.", action == NULL ? "" : action);
    }
    return r->code == COF_SQS_FINE;
}

enum cof_err cof_sqs_op_add_permission(struct cof_sqs_call *c)
{
    const json_t *accounts = json_object_get(c->in, "AWSAccountIds"), *actions = json_object_get(c->in, "Actions");
    struct cof_view label;
    json_t *policy;
    enum cof_err err;

    if (!cof_sqs_open(c, "sqs:AddPermission", &err) || !cof_sqs_text(c, c->in, "Label", &label) || !check_grant(c, label, accounts, actions))
        return err;
    policy = policy_of(c->queue);
    if (policy == NULL)
        err = COF_E_MEMORY;
    else if (find_label(policy, label) != SIZE_MAX)
        err = cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_PARAMETER_VALUE, "Value %.*s for parameter Label is invalid. Reason: Already exists.",
                             (int)label.len, (const char *)label.data);
    else if (json_array_append_new(json_object_get(policy, "Statement"), statement(c, label, accounts, actions)) != 0)
        err = COF_E_MEMORY;
    else
        err = keep_policy(c, policy);
    json_decref(policy);
    return err;
}

enum cof_err cof_sqs_op_remove_permission(struct cof_sqs_call *c)
{
    struct cof_view label;
    json_t *policy;
    size_t at;
    enum cof_err err;

    if (!cof_sqs_open(c, "sqs:RemovePermission", &err) || !cof_sqs_text(c, c->in, "Label", &label))
        return err;
    policy = policy_of(c->queue);
    at = policy == NULL ? SIZE_MAX : find_label(policy, label);
    if (policy == NULL)
        err = COF_E_MEMORY;
    else if (at == SIZE_MAX)
        err = cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_PARAMETER_VALUE, "Value %.*s for parameter Label is invalid. Reason: can't find label.",
                             (int)(label.len < 80 ? label.len : 80), (const char *)label.data);
    else if (json_array_remove(json_object_get(policy, "Statement"), at) != 0)
        err = COF_E_MEMORY;
    else
        err = keep_policy(c, policy);
    json_decref(policy);
    return err;
}

enum cof_err cof_sqs_tags_check(struct cof_sqs_call *c, const json_t *tags, size_t n_there)
{
    json_t *mutable = (json_t *)(uintptr_t)tags, *value;
    const char *key;

    if (json_object_size(tags) + n_there > TAGS_MAX)
        return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_PARAMETER_VALUE, "Too many tags added for queue: at most %d are allowed.", TAGS_MAX);
    json_object_foreach(mutable, key, value) {
        size_t len = strlen(key);

        if (len == 0 || len > 128 || cof_view_eq_nocase(cof_view_sub(cof_view_str(key), 0, 4), COF_LIT("aws:")) || !json_is_string(value) ||
            json_string_length(value) > 256)
            return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                                  "Tag %.128s is invalid: keys have 1 to 128 characters and do not begin with aws:, values have up to 256.", key);
    }
    return COF_OK;
}

enum cof_err cof_sqs_op_tag_queue(struct cof_sqs_call *c)
{
    const json_t *tags = json_object_get(c->in, "Tags");
    json_t *kept, *merged;
    enum cof_err err;

    if (!cof_sqs_open(c, "sqs:TagQueue", &err))
        return err;
    if (json_object_size(tags) == 0)
        return cof_sqs_refuse(&c->refusal, COF_SQS_MISSING_PARAMETER, "The request must contain the parameter Tags.");
    err = cof_sqs_tags_check(c, tags, 0);
    if (err != COF_OK || c->refusal.code != COF_SQS_FINE)
        return err;
    kept = json_object_get(c->queue->record, "tags");
    merged = json_deep_copy(kept);
    if (merged == NULL || json_object_update(merged, (json_t *)(uintptr_t)tags) != 0)
        err = COF_E_MEMORY;
    else if (json_object_size(merged) > TAGS_MAX)
        err = cof_sqs_tags_check(c, merged, 0);
    cof_sqs_state(c->s)->touched = true;
    if (err == COF_OK && c->refusal.code == COF_SQS_FINE) {
        err = json_object_set(c->queue->record, "tags", merged) == 0 ? cof_sqs_queue_save(c->s, c->queue) : COF_E_MEMORY;
    }
    json_decref(merged);
    return err;
}

enum cof_err cof_sqs_op_untag_queue(struct cof_sqs_call *c)
{
    const json_t *keys = json_object_get(c->in, "TagKeys");
    enum cof_err err;

    if (!cof_sqs_open(c, "sqs:UntagQueue", &err))
        return err;
    if (json_array_size(keys) == 0)
        return cof_sqs_refuse(&c->refusal, COF_SQS_MISSING_PARAMETER, "The request must contain the parameter TagKeys.");
    cof_sqs_state(c->s)->touched = true;
    for (size_t i = 0; i < json_array_size(keys); i++)
        if (json_is_string(json_array_get(keys, i)))
            (void)json_object_del(json_object_get(c->queue->record, "tags"), json_string_value(json_array_get(keys, i)));
    return cof_sqs_queue_save(c->s, c->queue);
}

enum cof_err cof_sqs_op_list_tags(struct cof_sqs_call *c)
{
    json_t *value;
    const char *key;
    enum cof_err err;

    if (!cof_sqs_open(c, "sqs:ListQueueTags", &err))
        return err;
    if (json_object_size(json_object_get(c->queue->record, "tags")) == 0) { /* spec: none are no member */
        cof_buf_add_str(&c->out, "{}");
        return err;
    }
    cof_buf_add_str(&c->out, "{\"Tags\":{");
    json_object_foreach(json_object_get(c->queue->record, "tags"), key, value)
        cof_json_add_member(&c->out, key, cof_view_str(json_string_value(value)));
    cof_buf_add_str(&c->out, "}}");
    return err;
}
