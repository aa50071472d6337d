/* SPDX-License-Identifier: Apache-2.0
 *
 * Queue attributes: which there are, what values they take (SQS API Reference, SetQueueAttributes), and reading them.
 */
#include "standin/sqs_api.h"

#include "base/num.h"
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NUMBER, FLAG, POLICY, REDRIVE, REDRIVE_ALLOW, KEY };

static const struct attribute {
    const char *name, *otherwise; /* NULL: there is none until it is set */
    enum kind kind;
    uint64_t min, max;
} attributes[] = {
    {"DelaySeconds", "0", NUMBER, 0, 900},
    {"MaximumMessageSize", "1048576", NUMBER, 1024, 1048576},
    {"MessageRetentionPeriod", "345600", NUMBER, 60, 1209600},
    {"ReceiveMessageWaitTimeSeconds", "0", NUMBER, 0, 20},
    {"VisibilityTimeout", "30", NUMBER, 0, 43200},
    {"Policy", NULL, POLICY, 0, 0},
    {"RedrivePolicy", NULL, REDRIVE, 0, 0},
    {"RedriveAllowPolicy", NULL, REDRIVE_ALLOW, 0, 0},
    {"KmsMasterKeyId", NULL, KEY, 0, 0},
    {"KmsDataKeyReusePeriodSeconds", NULL, NUMBER, 60, 86400},
    {"SqsManagedSseEnabled", "true", FLAG, 0, 0},
};

/* Those that are told and not kept. */
static const char *const computed[] = {"QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", "ApproximateNumberOfMessages",
                                       "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"};
#define N_COMPUTED (sizeof computed / sizeof computed[0])

/* Attributes of FIFO queues, which a standard queue does not have. */
static const char *const of_fifo[] = {"FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"};

static const struct attribute *find(const char *name)
{
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
        if (strcmp(attributes[i].name, name) == 0)
            return &attributes[i];
    return NULL;
}

static bool is_fifo_name(const char *name)
{
    for (size_t i = 0; i < sizeof of_fifo / sizeof of_fifo[0]; i++)
        if (strcmp(of_fifo[i], name) == 0)
            return true;
    return false;
}

const char *cof_sqs_attribute_value(const struct cof_sqs_queue *queue, const char *name)
{
    const char *set = cof_sqs_queue_attribute(queue, name);
    const struct attribute *a = find(name);

    if (set != NULL)
        return set;
    if (strcmp(name, "SqsManagedSseEnabled") == 0 && cof_sqs_queue_attribute(queue, "KmsMasterKeyId") != NULL)
        return "false"; /* one kind of encryption at a time */
    return a == NULL ? NULL : a->otherwise;
}

static enum cof_err bad_redrive(struct cof_sqs_call *c, const char *value, const char *reason)
{
    return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_PARAMETER_VALUE, "Value %.500s for parameter RedrivePolicy is invalid. Reason: %s",
                          value, reason);
}

/* Whether a dead-letter queue's RedriveAllowPolicy lets that queue use it. */
static bool lets_in(const struct cof_sqs_queue *dead, const char *arn)
{
    const char *text = cof_sqs_queue_attribute(dead, "RedriveAllowPolicy");
    const json_t *sources;
    const char *permission;
    json_t *policy;
    bool yes = false;

    if (text == NULL || cof_json_parse_object(cof_view_str(text), 8192, &policy, NULL) != COF_OK)
        return text == NULL;
    permission = json_string_value(json_object_get(policy, "redrivePermission"));
    sources = json_object_get(policy, "sourceQueueArns");
    if (permission == NULL || strcmp(permission, "allowAll") == 0)
        yes = true;
    else if (strcmp(permission, "byQueue") == 0)
        for (size_t i = 0; i < json_array_size(sources); i++)
            yes = yes || strcmp(json_string_value(json_array_get(sources, i)), arn) == 0;
    json_decref(policy);
    return yes;
}

static enum cof_err check_redrive(struct cof_sqs_call *c, const struct cof_sqs_queue *queue, const char *value)
{
    struct cof_sqs_queue *dead;
    struct cof_view name;
    char arn[300], queue_arn[300];
    int64_t most;
    json_t *policy;
    bool has_count;
    enum cof_err err = cof_json_parse_object(cof_view_str(value), 4096, &policy, NULL);

    if (err == COF_E_MEMORY)
        return err;
    if (err != COF_OK)
        return bad_redrive(c, value, "Redrive policy is not a valid JSON map.");
    has_count = json_object_get(policy, "maxReceiveCount") != NULL;
    if (json_object_get(policy, "deadLetterTargetArn") == NULL || !has_count) {
        json_decref(policy);
        return bad_redrive(c, value, has_count ? "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."
                                               : "Redrive policy does not contain mandatory attribute: maxReceiveCount.");
    }
    json_decref(policy);
    err = cof_sqs_redrive_parse(value, arn, sizeof arn, &most);
    if (err != COF_OK)
        return err;
    if (!cof_sqs_queue_of_arn(c->s, cof_view_str(arn), &name))
        return bad_redrive(c, value, "Invalid value for deadLetterTargetArn.");
    if (most < 1 || most > 1000)
        return bad_redrive(c, value, "Invalid value for maxReceiveCount, valid values are from 1 to 1000 both inclusive.");
    err = cof_sqs_queue_get(c->s, name, &dead);
    if (err == COF_E_NOT_FOUND)
        return bad_redrive(c, value, "Dead letter target does not exist.");
    if (err != COF_OK)
        return err;
    if (queue != NULL)
        (void)snprintf(queue_arn, sizeof queue_arn, "%s", queue->arn);
    else
        (void)snprintf(queue_arn, sizeof queue_arn, "arn:aws:sqs:%s:%s:%s", cof_standin_region(c->s), cof_standin_account(c->s),
                       json_string_value(json_object_get(c->in, "QueueName")));
    if (!lets_in(dead, queue_arn))
        return bad_redrive(c, value, "Queue is not allowed to use the dead-letter queue by its redrive allow policy.");
    return COF_OK;
}

static enum cof_err check_redrive_allow(struct cof_sqs_call *c, const char *value)
{
    const char *permission, *why = NULL;
    const json_t *sources;
    struct cof_view name;
    json_t *policy;
    size_t n;

    if (cof_json_parse_object(cof_view_str(value), 8192, &policy, NULL) != COF_OK)
        return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                              "Value %.500s for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive allow "
                              "policy, as it is not a valid JSON map.", value);
    permission = json_string_value(json_object_get(policy, "redrivePermission"));
    sources = json_object_get(policy, "sourceQueueArns");
    n = json_array_size(sources);
    if (permission == NULL || (strcmp(permission, "allowAll") != 0 && strcmp(permission, "denyAll") != 0 && strcmp(permission, "byQueue") != 0))
        why = "redrivePermission must be allowAll, denyAll or byQueue.";
    else if (strcmp(permission, "byQueue") == 0 ? n < 1 || n > 10 : sources != NULL)
        why = "sourceQueueArns must have 1 to 10 queues with byQueue, and must be absent otherwise.";
    for (size_t i = 0; why == NULL && i < n; i++)
        if (!cof_sqs_queue_of_arn(c->s, cof_view_str(json_string_value(json_array_get(sources, i))), &name))
            why = "sourceQueueArns has an invalid ARN.";
    json_decref(policy);
    if (why == NULL)
        return COF_OK;
    return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                          "Value %.500s for parameter RedriveAllowPolicy is invalid. Reason: %s", value, why);
}

static enum cof_err bad_value(struct cof_sqs_call *c, const char *name)
{
    return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_ATTRIBUTE_VALUE, "Invalid value for the parameter %s.", name);
}

static enum cof_err check_one(struct cof_sqs_call *c, const struct cof_sqs_queue *queue, const struct attribute *a, const char *value)
{
    struct cof_policy *policy;
    uint64_t n;
    enum cof_err err = COF_OK;

    if (value[0] == '\0' && a->kind != NUMBER && a->kind != FLAG)
        return COF_OK; /* takes it away */
    switch (a->kind) {
    case NUMBER:
        if (cof_parse_u64(cof_view_str(value), a->max, &n) != COF_OK || n < a->min)
            return bad_value(c, a->name);
        break;
    case FLAG:
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return bad_value(c, a->name);
        break;
    case POLICY:
        err = cof_policy_parse(cof_view_str(value), COF_POLICY_RESOURCE, COF_POLICY_SIZE_MAX, &policy, NULL);
        if (err == COF_E_MEMORY)
            return err;
        if (err != COF_OK)
            return bad_value(c, a->name);
        cof_policy_free(policy);
        break;
    case REDRIVE:
        return check_redrive(c, queue, value);
    case REDRIVE_ALLOW:
        return check_redrive_allow(c, value);
    case KEY:
        if (strlen(value) > 2048)
            return bad_value(c, a->name);
        break;
    }
    return COF_OK;
}

enum cof_err cof_sqs_attributes_check(struct cof_sqs_call *c, const struct cof_sqs_queue *queue, const json_t *given, bool creating)
{
    json_t *mutable = (json_t *)(uintptr_t)given, *value;
    const char *name, *sse, *key;
    enum cof_err err = COF_OK;

    json_object_foreach(mutable, name, value) {
        const struct attribute *a = find(name);
        const char *text = json_string_value(value);

        if (creating && strcmp(name, "FifoQueue") == 0 && text != NULL && strcmp(text, "true") == 0)
            return cof_sqs_refuse(&c->refusal, COF_SQS_UNSUPPORTED_OPERATION, "FIFO queues are not supported here; queues are standard queues.");
        if (a == NULL && is_fifo_name(name))
            return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_ATTRIBUTE_NAME, "Unknown Attribute %s.", name);
        if (a == NULL)
            return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_ATTRIBUTE_NAME, "Unknown Attribute %.256s.", name);
        if (text == NULL || strlen(text) != json_string_length(value))
            return cof_sqs_refuse(&c->refusal, COF_SQS_SERIALIZATION, "The value of attribute %s must be text.", name);
        err = check_one(c, queue, a, text);
        if (err != COF_OK || c->refusal.code != COF_SQS_FINE)
            return err;
    }
    sse = json_string_value(json_object_get(given, "SqsManagedSseEnabled"));
    key = json_string_value(json_object_get(given, "KmsMasterKeyId"));
    if (sse != NULL && strcmp(sse, "true") == 0 && key != NULL && key[0] != '\0')
        return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_ATTRIBUTE_NAME,
                              "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.");
    return COF_OK;
}

/* Which attributes are asked for; "All" is all. */
static bool is_asked(const json_t *names, const char *name)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *asked = json_string_value(json_array_get(names, i));

        if (asked != NULL && (strcmp(asked, name) == 0 || strcmp(asked, "All") == 0))
            return true;
    }
    return false;
}

static bool is_known(const char *name)
{
    for (size_t i = 0; i < N_COMPUTED; i++)
        if (strcmp(computed[i], name) == 0)
            return true;
    return strcmp(name, "All") == 0 || find(name) != NULL || is_fifo_name(name);
}

static void write_computed(struct cof_sqs_call *c, const char *name)
{
    const struct cof_sqs_queue *queue = c->queue;
    char text[24];
    uint64_t n = 0;

    if (strcmp(name, "QueueArn") == 0) {
        cof_json_add_member(&c->out, name, cof_view_str(queue->arn));
        return;
    }
    if (strcmp(name, "CreatedTimestamp") == 0)
        n = (uint64_t)queue->created_ms / 1000;
    else if (strcmp(name, "LastModifiedTimestamp") == 0)
        n = (uint64_t)json_integer_value(json_object_get(queue->record, "modified_ms")) / 1000;
    else if (strcmp(name, "ApproximateNumberOfMessages") == 0)
        n = queue->n_ready;
    else if (strcmp(name, "ApproximateNumberOfMessagesNotVisible") == 0)
        n = queue->n_inflight;
    else
        n = queue->n_delayed;
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    cof_json_add_member(&c->out, name, cof_view_str(text));
}

enum cof_err cof_sqs_op_get_attributes(struct cof_sqs_call *c)
{
    const json_t *names = json_object_get(c->in, "AttributeNames");
    size_t start;
    enum cof_err err;

    if (!cof_sqs_open(c, "sqs:GetQueueAttributes", &err))
        return err;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));

        if (name == NULL || !is_known(name))
            return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_ATTRIBUTE_NAME, "Unknown Attribute %.256s.", name == NULL ? "" : name);
    }
    err = cof_sqs_store_tidy(c->s, c->queue, c->req->now_ms);
    cof_buf_add_str(&c->out, "{\"Attributes\":{");
    start = c->out.len;
    for (size_t i = 0; i < N_COMPUTED; i++)
        if (is_asked(names, computed[i]))
            write_computed(c, computed[i]);
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        const char *value = cof_sqs_attribute_value(c->queue, attributes[i].name);

        if (value != NULL && is_asked(names, attributes[i].name))
            cof_json_add_member(&c->out, attributes[i].name, cof_view_str(value));
    }
    if (c->out.len == start) { /* spec: none are no member */
        cof_buf_reset(&c->out);
        cof_buf_add_str(&c->out, "{}");
    } else {
        cof_buf_add_str(&c->out, "}}");
    }
    return err;
}

/* Into the record; empty text takes an attribute away, and one kind of encryption the other. */
static enum cof_err apply(struct cof_sqs_queue *queue, const json_t *given)
{
    json_t *mutable = (json_t *)(uintptr_t)given, *kept = json_object_get(queue->record, "attributes"), *value;
    const char *name;

    json_object_foreach(mutable, name, value) {
        const char *text = json_string_value(value);

        if (text[0] == '\0')
            (void)json_object_del(kept, name);
        else if (json_object_set(kept, name, value) != 0)
            return COF_E_MEMORY;
        if (strcmp(name, "KmsMasterKeyId") == 0 && text[0] != '\0')
            (void)json_object_del(kept, "SqsManagedSseEnabled");
        if (strcmp(name, "SqsManagedSseEnabled") == 0 && strcmp(text, "true") == 0) {
            (void)json_object_del(kept, "KmsMasterKeyId");
            (void)json_object_del(kept, "KmsDataKeyReusePeriodSeconds");
        }
    }
    return COF_OK;
}

enum cof_err cof_sqs_op_set_attributes(struct cof_sqs_call *c)
{
    const json_t *given = json_object_get(c->in, "Attributes");
    enum cof_err err;

    if (!cof_sqs_open(c, "sqs:SetQueueAttributes", &err))
        return err;
    if (!json_is_object(given))
        return cof_sqs_refuse(&c->refusal, COF_SQS_MISSING_PARAMETER, "The request must contain the parameter Attribute.Name.");
    err = cof_sqs_attributes_check(c, c->queue, given, false);
    if (err != COF_OK || c->refusal.code != COF_SQS_FINE)
        return err;
    cof_sqs_state(c->s)->touched = true;
    err = apply(c->queue, given);
    if (err == COF_OK && json_object_set_new(c->queue->record, "modified_ms", json_integer(c->req->now_ms)) != 0)
        err = COF_E_MEMORY;
    return err == COF_OK ? cof_sqs_queue_save(c->s, c->queue) : err;
}
