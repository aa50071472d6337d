/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/sqs.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "standin/reply.h"
#include "standin/sqs_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_TYPE "application/x-amz-json-1.0"
#define BODY_MAX ((size_t)2 << 20)
#define MESSAGE_MAX 1048576
#define NO_QUEUE "AWS.SimpleQueueService.NonExistentQueue"

struct call {
    struct cof_standin *s;
    struct cof_standin_request *req;
    struct cof_standin_reply *reply;
    json_t *in;
    struct cof_sqs_queue queue;
};

static enum cof_err fail(struct call *c, const char *code, const char *query_code, const char *message)
{
    return cof_reply_json_error(c->reply, JSON_TYPE, 400, code, query_code, cof_view_str(message));
}

static enum cof_err invalid(struct call *c, const char *message)
{
    return fail(c, "com.amazonaws.sqs#InvalidParameterValue", "InvalidParameterValue", message);
}

static enum cof_err answer(struct call *c, struct cof_buf *json)
{
    enum cof_err err = cof_buf_err(json);

    if (err == COF_OK)
        cof_reply_set(c->reply, 200, JSON_TYPE, cof_buf_view(json));
    return err;
}

static enum cof_err answer_nothing(struct call *c)
{
    cof_reply_set(c->reply, 200, JSON_TYPE, COF_LIT("{}"));
    return COF_OK;
}

/* False when a reply was made or *err is a fault. */
static bool allowed(struct call *c, const char *action, struct cof_view resource, struct cof_view policy, enum cof_err *err)
{
    struct cof_standin_access access = {.action = action, .resource = resource, .resource_policy = policy,
                                        .resource_policy_name = "queue-policy", .resource_policy_kind = COF_POLICY_RESOURCE,
                                        .rule = COF_RESOURCE_EITHER};
    struct cof_buf why;
    bool yes;

    cof_buf_init(&why, 16384);
    *err = cof_standin_authorize(c->s, c->req, &access, &why);
    yes = *err == COF_OK;
    if (*err == COF_E_DENIED)
        *err = cof_reply_json_error(c->reply, JSON_TYPE, 403, "com.amazon.coral.service#AccessDeniedException", "AccessDenied",
                                    cof_buf_view(&why));
    cof_buf_done(&why);
    return yes;
}

/* The queue of QueueUrl (its last part; host and scheme may be any that lead here), if the caller may do this to it. */
static bool open_queue(struct call *c, const char *action, enum cof_err *err)
{
    struct cof_view url, last, rest;

    if (cof_json_text(c->in, "QueueUrl", &url, NULL) != COF_OK) {
        *err = fail(c, "com.amazonaws.sqs#MissingParameter", "MissingParameter", "QueueUrl is required");
        return false;
    }
    rest = last = url;
    while (cof_view_split(rest, '/', &last, &rest))
        last = rest;
    *err = cof_sqs_queue_get(c->s, last, &c->queue);
    if (*err == COF_E_NOT_FOUND)
        *err = fail(c, "com.amazonaws.sqs#QueueDoesNotExist", NO_QUEUE, "The specified queue does not exist.");
    if (c->queue.record == NULL)
        return false;
    return allowed(c, action, cof_view_str(c->queue.arn), cof_sqs_queue_policy(&c->queue), err);
}

static void md5_hex(struct cof_view data, char out[33])
{
    uint8_t md5[16] = {0};

    out[0] = '\0';
    if (cof_hash_once(COF_MD5, data, md5) == COF_OK)
        cof_hex_encode(md5, sizeof md5, out);
}

static void add_md5_part(struct cof_buf *out, struct cof_view v)
{
    cof_buf_add_u32(out, (uint32_t)v.len);
    cof_buf_add(out, v);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* MD5 of message attributes: name, type, transport type and value of each, by name, lengths before (SQS Developer Guide). */
static bool attributes_md5(const json_t *attributes, char out[33])
{
    json_t *mutable = (json_t *)(uintptr_t)attributes, *value;
    const char *names[10], *name;
    struct cof_buf text;
    size_t n = 0;
    bool ok = json_object_size(attributes) <= 10;

    if (!ok)
        return false;
    json_object_foreach(mutable, name, value)
        names[n++] = name;
    qsort(names, n, sizeof names[0], by_text);
    cof_buf_init(&text, MESSAGE_MAX);
    for (size_t i = 0; i < n && ok; i++) {
        const json_t *a = json_object_get(attributes, names[i]);
        struct cof_view type, v;
        struct cof_buf binary;

        ok = cof_json_text(a, "DataType", &type, NULL) == COF_OK && type.len > 0;
        cof_buf_init(&binary, MESSAGE_MAX);
        add_md5_part(&text, cof_view_str(names[i]));
        add_md5_part(&text, type);
        if (ok && cof_view_starts(type, COF_LIT("Binary"))) {
            ok = cof_json_base64(a, "BinaryValue", &binary, NULL) == COF_OK;
            cof_buf_add_u8(&text, 2);
            add_md5_part(&text, cof_buf_view(&binary));
        } else if (ok) {
            ok = cof_json_text(a, "StringValue", &v, NULL) == COF_OK;
            cof_buf_add_u8(&text, 1);
            add_md5_part(&text, v);
        }
        cof_buf_done(&binary);
    }
    md5_hex(cof_buf_view(&text), out);
    cof_buf_done(&text);
    return ok;
}

/* One message of SendMessage or of a batch; adds MessageId and digests to json. word is NULL on success. */
static enum cof_err send_one(struct call *c, const json_t *entry, struct cof_buf *json, const char **word)
{
    const json_t *attributes = json_object_get(entry, "MessageAttributes");
    struct cof_view body;
    int64_t delay_s;
    char id[COF_SQS_ID + 1], md5[33];
    enum cof_err err;

    *word = NULL;
    if (cof_json_text(entry, "MessageBody", &body, NULL) != COF_OK || body.len == 0)
        *word = "MessageBody must not be empty";
    else if (body.len > MESSAGE_MAX)
        *word = "Message must be shorter than 1048576 bytes";
    else if (cof_json_int_or(entry, "DelaySeconds", 0, 900, cof_sqs_queue_number(&c->queue, "DelaySeconds", 0), &delay_s,
                             NULL) != COF_OK)
        *word = "DelaySeconds must lie between 0 and 900";
    if (*word != NULL)
        return COF_OK;
    if (attributes != NULL && !json_is_null(attributes) && json_object_size(attributes) > 0) {
        char amd5[33];
        if (!attributes_md5(attributes, amd5)) {
            *word = "a message attribute is malformed";
            return COF_OK;
        }
        cof_json_add_member(json, "MD5OfMessageAttributes", cof_view_str(amd5));
    } else {
        attributes = NULL;
    }
    err = cof_sqs_add(c->s, &c->queue, body, attributes, delay_s * 1000, c->req->now_ms, id);
    if (err == COF_E_FORMAT) {
        *word = "the body holds characters that SQS does not take";
        return COF_OK;
    }
    md5_hex(body, md5);
    cof_json_add_member(json, "MD5OfMessageBody", cof_view_str(md5));
    cof_json_add_member(json, "MessageId", cof_view_str(id));
    return err;
}

static enum cof_err send_message(struct call *c)
{
    struct cof_buf json;
    const char *word;
    enum cof_err err;

    if (!open_queue(c, "sqs:SendMessage", &err))
        return err;
    cof_buf_init(&json, 4096);
    cof_buf_add_str(&json, "{");
    err = send_one(c, c->in, &json, &word);
    cof_buf_add_str(&json, "}");
    if (err == COF_OK && word != NULL)
        err = invalid(c, word);
    else if (err == COF_OK) {
        err = answer(c, &json);
        cof_standin_notify(c->s, c->queue.arn, 0);
    }
    cof_buf_done(&json);
    return err;
}

/* Runs one() over Entries and writes Successful and Failed. */
static enum cof_err batch(struct call *c, const char *action,
                          enum cof_err (*one)(struct call *c, const json_t *entry, struct cof_buf *json, const char **word))
{
    const json_t *entries = json_object_get(c->in, "Entries");
    struct cof_buf good, bad, item;
    enum cof_err err;

    if (!open_queue(c, action, &err))
        return err;
    if (json_array_size(entries) == 0)
        return fail(c, "com.amazonaws.sqs#EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", "no entries");
    if (json_array_size(entries) > 10)
        return fail(c, "com.amazonaws.sqs#TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
                    "at most 10 entries");
    cof_buf_init(&good, 65536);
    cof_buf_init(&bad, 65536);
    cof_buf_init(&item, 8192);
    for (size_t i = 0; err == COF_OK && i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        struct cof_view id;
        const char *word;

        cof_buf_reset(&item);
        if (cof_json_text(entry, "Id", &id, NULL) != COF_OK)
            id = COF_LIT("");
        cof_buf_add_str(&item, "{");
        cof_json_add_member(&item, "Id", id);
        err = one(c, entry, &item, &word);
        if (word != NULL) {
            cof_buf_reset(&item);
            cof_buf_add_str(&item, "{\"SenderFault\":true,\"Code\":\"InvalidParameterValue\"");
            cof_json_add_member(&item, "Id", id);
            cof_json_add_member(&item, "Message", cof_view_str(word));
        }
        cof_buf_add_str(&item, "}");
        if ((word != NULL ? bad : good).len > 0)
            cof_buf_add_str(word != NULL ? &bad : &good, ",");
        cof_buf_add(word != NULL ? &bad : &good, cof_buf_view(&item));
    }
    if (err == COF_OK)
        err = cof_buf_err(&good) != COF_OK ? cof_buf_err(&good) : cof_buf_err(&bad);
    cof_buf_reset(&item);
    if (err == COF_OK) {
        struct cof_buf out;
        cof_buf_init(&out, 262144);
        cof_buf_printf(&out, "{\"Successful\":[%s]", cof_buf_cstr(&good));
        if (bad.len > 0)
            cof_buf_printf(&out, ",\"Failed\":[%s]", cof_buf_cstr(&bad));
        cof_buf_add_str(&out, "}");
        err = answer(c, &out);
        cof_buf_done(&out);
        cof_standin_notify(c->s, c->queue.arn, 0);
    }
    cof_buf_done(&good);
    cof_buf_done(&bad);
    cof_buf_done(&item);
    return err;
}

static enum cof_err add_received(struct call *c, const struct cof_sqs_item *item, struct cof_buf *json)
{
    const json_t *attributes = json_object_get(item->record, "attributes");
    const char *body = json_string_value(json_object_get(item->record, "body"));
    size_t body_len = json_string_length(json_object_get(item->record, "body"));
    struct cof_buf handle;
    char md5[33];
    enum cof_err err;

    cof_buf_init(&handle, 512);
    err = cof_sqs_handle(c->s, &c->queue, item, &handle);
    cof_buf_add_str(json, "{");
    cof_json_add_member(json, "MessageId", cof_view_str(item->id));
    cof_json_add_member(json, "ReceiptHandle", cof_buf_view(&handle));
    md5_hex(cof_view_of(body, body_len), md5);
    cof_json_add_member(json, "MD5OfBody", cof_view_str(md5));
    cof_json_add_member(json, "Body", cof_view_of(body, body_len));
    cof_json_add_name(json, "Attributes");
    cof_buf_printf(json,
                   "{\"ApproximateReceiveCount\":\"%lld\",\"SentTimestamp\":\"%lld\","
                   "\"ApproximateFirstReceiveTimestamp\":\"%lld\"}",
                   (long long)json_integer_value(json_object_get(item->record, "count")),
                   (long long)json_integer_value(json_object_get(item->record, "sent_ms")),
                   (long long)json_integer_value(json_object_get(item->record, "first_ms")));
    if (json_object_size(attributes) > 0 && json_object_get(c->in, "MessageAttributeNames") != NULL) {
        char *text = json_dumps(attributes, JSON_COMPACT);
        if (attributes_md5(attributes, md5))
            cof_json_add_member(json, "MD5OfMessageAttributes", cof_view_str(md5));
        cof_json_add_name(json, "MessageAttributes");
        cof_buf_add_str(json, text == NULL ? "{}" : text);
        free(text);
    }
    cof_buf_add_str(json, "}");
    cof_buf_done(&handle);
    return err;
}

static enum cof_err receive_message(struct call *c)
{
    int64_t most, visibility_s, wait_s, next_ms = INT64_MAX, until_ms;
    struct cof_buf json;
    size_t n = 0;
    enum cof_err err;

    if (!open_queue(c, "sqs:ReceiveMessage", &err))
        return err;
    if (cof_json_int_or(c->in, "MaxNumberOfMessages", 1, 10, 1, &most, NULL) != COF_OK ||
        cof_json_int_or(c->in, "VisibilityTimeout", 0, 43200, cof_sqs_queue_number(&c->queue, "VisibilityTimeout", 30),
                        &visibility_s, NULL) != COF_OK ||
        cof_json_int_or(c->in, "WaitTimeSeconds", 0, 20, cof_sqs_queue_number(&c->queue, "ReceiveMessageWaitTimeSeconds", 0),
                        &wait_s, NULL) != COF_OK)
        return invalid(c, "MaxNumberOfMessages 1-10, VisibilityTimeout 0-43200, WaitTimeSeconds 0-20");
    cof_buf_init(&json, (size_t)16 << 20);
    cof_buf_add_str(&json, "{\"Messages\":[");
    while (err == COF_OK && n < (size_t)most) {
        struct cof_sqs_item item;
        err = cof_sqs_take(c->s, &c->queue, visibility_s * 1000, c->req->now_ms, &item, &next_ms);
        if (err != COF_OK)
            break;
        if (n++ > 0)
            cof_buf_add_str(&json, ",");
        err = add_received(c, &item, &json);
        cof_sqs_item_done(&item);
    }
    cof_buf_add_str(&json, "]}");
    if (err == COF_E_NOT_FOUND)
        err = COF_OK;
    until_ms = c->req->started_ms + wait_s * 1000;
    if (err == COF_OK && n == 0 && c->req->now_ms < until_ms) {
        c->reply->wait_until_ms = until_ms;
        c->reply->wait_next_ms = next_ms == INT64_MAX ? 0 : next_ms;
        (void)snprintf(c->reply->wait_on, sizeof c->reply->wait_on, "%s", c->queue.arn);
    } else if (err == COF_OK && n == 0) {
        err = answer_nothing(c);
    } else if (err == COF_OK) {
        err = answer(c, &json);
        cof_standin_notify(c->s, c->queue.arn, 0); /* there may be more */
    }
    cof_buf_done(&json);
    return err;
}

static enum cof_err delete_one(struct call *c, const json_t *entry, struct cof_buf *json, const char **word)
{
    struct cof_view handle;
    struct cof_sqs_item item;
    enum cof_err err;

    (void)json;
    *word = NULL;
    if (cof_json_text(entry, "ReceiptHandle", &handle, NULL) != COF_OK) {
        *word = "ReceiptHandle is required";
        return COF_OK;
    }
    err = cof_sqs_by_handle(c->s, &c->queue, handle, &item);
    if (err == COF_OK)
        err = cof_sqs_remove(c->s, &c->queue, &item);
    cof_sqs_item_done(&item);
    if (err == COF_E_FORMAT) {
        *word = "The input receipt handle is invalid.";
        return COF_OK;
    }
    return err == COF_E_NOT_FOUND ? COF_OK : err; /* gone, or somebody else's by now: deleting does nothing, as in SQS */
}

static enum cof_err change_one(struct call *c, const json_t *entry, struct cof_buf *json, const char **word)
{
    struct cof_view handle;
    struct cof_sqs_item item;
    int64_t visibility_s;
    enum cof_err err;

    (void)json;
    *word = NULL;
    if (cof_json_text(entry, "ReceiptHandle", &handle, NULL) != COF_OK ||
        cof_json_int(entry, "VisibilityTimeout", 0, 43200, &visibility_s, NULL) != COF_OK) {
        *word = "ReceiptHandle and VisibilityTimeout (0-43200) are required";
        return COF_OK;
    }
    err = cof_sqs_by_handle(c->s, &c->queue, handle, &item);
    if (err == COF_OK && item.visible_ms <= c->req->now_ms)
        err = COF_E_NOT_FOUND;
    if (err == COF_OK)
        err = cof_sqs_move(c->s, &c->queue, &item, c->req->now_ms + visibility_s * 1000);
    cof_sqs_item_done(&item);
    if (err == COF_E_FORMAT || err == COF_E_NOT_FOUND) {
        *word = err == COF_E_FORMAT ? "The input receipt handle is invalid." : "the message is not in flight";
        return COF_OK;
    }
    return err;
}

static enum cof_err single(struct call *c, const char *action,
                           enum cof_err (*one)(struct call *c, const json_t *entry, struct cof_buf *json, const char **word))
{
    const char *word;
    enum cof_err err;

    if (!open_queue(c, action, &err))
        return err;
    err = one(c, c->in, NULL, &word);
    if (err == COF_OK && word != NULL)
        return fail(c, "com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", word);
    cof_standin_notify(c->s, c->queue.arn, 0);
    return err == COF_OK ? answer_nothing(c) : err;
}

static enum cof_err get_queue_url(struct call *c)
{
    struct cof_view name;
    struct cof_buf url, json;
    enum cof_err err;

    if (cof_json_text(c->in, "QueueName", &name, NULL) != COF_OK)
        return fail(c, "com.amazonaws.sqs#MissingParameter", "MissingParameter", "QueueName is required");
    err = cof_sqs_queue_get(c->s, name, &c->queue);
    if (err == COF_E_NOT_FOUND)
        return fail(c, "com.amazonaws.sqs#QueueDoesNotExist", NO_QUEUE, "The specified queue does not exist.");
    if (err != COF_OK ||
        !allowed(c, "sqs:GetQueueUrl", cof_view_str(c->queue.arn), cof_sqs_queue_policy(&c->queue), &err))
        return err;
    cof_buf_init(&url, 1024);
    cof_buf_init(&json, 2048);
    cof_sqs_queue_url(c->s, &c->queue, &url);
    cof_buf_add_str(&json, "{");
    cof_json_add_member(&json, "QueueUrl", cof_buf_view(&url));
    cof_buf_add_str(&json, "}");
    err = answer(c, &json);
    cof_buf_done(&url);
    cof_buf_done(&json);
    return err;
}

static enum cof_err create_queue(struct call *c)
{
    struct cof_view name;
    char arn[300];
    enum cof_err err;

    if (cof_json_text(c->in, "QueueName", &name, NULL) != COF_OK || name.len > COF_SQS_NAME_MAX)
        return invalid(c, "QueueName must have 1 to 80 letters, digits, hyphens or underscores");
    (void)snprintf(arn, sizeof arn, "arn:aws:sqs:%s:%s:%.*s", cof_standin_region(c->s), cof_standin_account(c->s),
                   (int)name.len, (const char *)name.data);
    if (!allowed(c, "sqs:CreateQueue", cof_view_str(arn), (struct cof_view){0}, &err))
        return err;
    err = cof_sqs_queue_put(c->s, name, json_object_get(c->in, "Attributes"), NULL, c->req->now_ms, &c->queue);
    if (err == COF_E_USAGE)
        return invalid(c, "QueueName must have 1 to 80 letters, digits, hyphens or underscores");
    if (err != COF_OK)
        return err;
    {
        struct cof_buf url, json;
        cof_buf_init(&url, 1024);
        cof_buf_init(&json, 2048);
        cof_sqs_queue_url(c->s, &c->queue, &url);
        cof_buf_add_str(&json, "{");
        cof_json_add_member(&json, "QueueUrl", cof_buf_view(&url));
        cof_buf_add_str(&json, "}");
        err = answer(c, &json);
        cof_buf_done(&url);
        cof_buf_done(&json);
    }
    return err;
}

static enum cof_err get_attributes(struct call *c)
{
    json_t *kept, *value;
    const char *key;
    uint64_t visible, hidden;
    struct cof_buf json;
    enum cof_err err;

    if (!open_queue(c, "sqs:GetQueueAttributes", &err))
        return err;
    err = cof_sqs_count(c->s, &c->queue, c->req->now_ms, &visible, &hidden);
    cof_buf_init(&json, 262144);
    cof_buf_add_str(&json, "{\"Attributes\":{");
    kept = json_object_get(c->queue.record, "attributes");
    json_object_foreach(kept, key, value)
        cof_json_add_member(&json, key, cof_view_str(json_string_value(value)));
    cof_json_add_member(&json, "QueueArn", cof_view_str(c->queue.arn));
    if (cof_sqs_queue_policy(&c->queue).len > 0)
        cof_json_add_member(&json, "Policy", cof_sqs_queue_policy(&c->queue));
    cof_buf_printf(&json,
                   ",\"ApproximateNumberOfMessages\":\"%llu\",\"ApproximateNumberOfMessagesNotVisible\":\"%llu\","
                   "\"ApproximateNumberOfMessagesDelayed\":\"0\"}}",
                   (unsigned long long)visible, (unsigned long long)hidden);
    if (err == COF_OK)
        err = answer(c, &json);
    cof_buf_done(&json);
    return err;
}

static enum cof_err set_attributes(struct call *c)
{
    json_t *attributes = json_object_get(c->in, "Attributes");
    struct cof_sqs_queue changed;
    const char *policy;
    enum cof_err err;

    if (!open_queue(c, "sqs:SetQueueAttributes", &err))
        return err;
    if (!json_is_object(attributes))
        return invalid(c, "Attributes must be an object of texts");
    policy = json_string_value(json_object_get(attributes, "Policy"));
    err = cof_sqs_queue_put(c->s, cof_view_str(c->queue.name), attributes, policy, c->req->now_ms, &changed);
    cof_sqs_queue_done(&changed);
    return err == COF_OK ? answer_nothing(c) : err;
}

struct listing {
    struct call *c;
    struct cof_buf *json;
};

static bool list_one(void *arg, struct cof_view name, struct cof_view value)
{
    struct listing *l = arg;
    struct cof_buf url;

    (void)value;
    cof_buf_init(&url, 1024);
    cof_buf_printf(&url, "%s/%s/%.*s", cof_standin_endpoint(l->c->s), cof_standin_account(l->c->s), (int)name.len,
                   (const char *)name.data);
    if (l->json->data[l->json->len - 1] != '[')
        cof_buf_add_str(l->json, ",");
    cof_json_add_text(l->json, cof_buf_view(&url));
    cof_buf_done(&url);
    return true;
}

static enum cof_err list_queues(struct call *c)
{
    const struct cof_store *store = cof_standin_store(c->s);
    struct cof_view start;
    struct cof_buf json;
    struct listing l = {c, &json};
    enum cof_err err;

    if (!allowed(c, "sqs:ListQueues", COF_LIT("*"), (struct cof_view){0}, &err))
        return err;
    if (cof_json_text_or(c->in, "QueueNamePrefix", "", &start, NULL) != COF_OK)
        return invalid(c, "QueueNamePrefix must be text");
    cof_buf_init(&json, 1 << 20);
    cof_buf_add_str(&json, "{\"QueueUrls\":[");
    err = store->scan(store->ctx, "sqs.queue", start, (struct cof_view){0}, 1000, list_one, &l);
    cof_buf_add_str(&json, "]}");
    if (err == COF_OK)
        err = answer(c, &json);
    cof_buf_done(&json);
    return err;
}

static enum cof_err purge(struct call *c)
{
    enum cof_err err;

    if (!open_queue(c, "sqs:PurgeQueue", &err))
        return err;
    while (err == COF_OK) {
        struct cof_sqs_item item;
        int64_t next_ms;
        err = cof_sqs_take(c->s, &c->queue, 0, INT64_MAX / 2, &item, &next_ms);
        if (err == COF_OK)
            err = cof_sqs_remove(c->s, &c->queue, &item);
        cof_sqs_item_done(&item);
    }
    return err == COF_E_NOT_FOUND ? answer_nothing(c) : err;
}

static enum cof_err dispatch(struct call *c, struct cof_view operation)
{
    if (cof_view_eq_str(operation, "SendMessage"))
        return send_message(c);
    if (cof_view_eq_str(operation, "SendMessageBatch"))
        return batch(c, "sqs:SendMessage", send_one);
    if (cof_view_eq_str(operation, "ReceiveMessage"))
        return receive_message(c);
    if (cof_view_eq_str(operation, "DeleteMessage"))
        return single(c, "sqs:DeleteMessage", delete_one);
    if (cof_view_eq_str(operation, "DeleteMessageBatch"))
        return batch(c, "sqs:DeleteMessage", delete_one);
    if (cof_view_eq_str(operation, "ChangeMessageVisibility"))
        return single(c, "sqs:ChangeMessageVisibility", change_one);
    if (cof_view_eq_str(operation, "ChangeMessageVisibilityBatch"))
        return batch(c, "sqs:ChangeMessageVisibility", change_one);
    if (cof_view_eq_str(operation, "GetQueueUrl"))
        return get_queue_url(c);
    if (cof_view_eq_str(operation, "CreateQueue"))
        return create_queue(c);
    if (cof_view_eq_str(operation, "GetQueueAttributes"))
        return get_attributes(c);
    if (cof_view_eq_str(operation, "SetQueueAttributes"))
        return set_attributes(c);
    if (cof_view_eq_str(operation, "ListQueues"))
        return list_queues(c);
    if (cof_view_eq_str(operation, "PurgeQueue"))
        return purge(c);
    return fail(c, "com.amazonaws.sqs#UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation",
                "the operation is not known");
}

static enum cof_err handle(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    struct call c = {.s = s, .req = req, .reply = reply};
    struct cof_view target, service, operation;
    enum cof_err err;

    (void)cof_headers_get(&req->head->headers, "x-amz-target", &target);
    if (!cof_view_split(target, '.', &service, &operation))
        return fail(&c, "com.amazonaws.sqs#UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation",
                    "X-Amz-Target is missing: only the JSON protocol is spoken here");
    if (cof_json_parse_object(req->body, BODY_MAX, &c.in, NULL) != COF_OK)
        return fail(&c, "com.amazon.coral.service#SerializationException", NULL, "the body is not a JSON object");
    err = dispatch(&c, operation);
    cof_sqs_queue_done(&c.queue);
    json_decref(c.in);
    return err;
}

/* "queues": [{"name","policy","attributes","dead_letter","max_receive_count"}]. */
static enum cof_err bootstrap_queue(struct cof_standin *s, const json_t *spec, int64_t now_ms, struct cof_diag *diag)
{
    const json_t *given = json_object_get(spec, "policy");
    const char *dead = json_string_value(json_object_get(spec, "dead_letter"));
    char *policy = json_is_object(given) ? json_dumps(given, JSON_COMPACT) : NULL;
    json_t *attributes = json_deep_copy(json_object_get(spec, "attributes"));
    struct cof_sqs_queue queue = {0};
    struct cof_view name;
    char redrive[400];
    enum cof_err err = cof_json_text(spec, "name", &name, diag);

    if (attributes == NULL)
        attributes = json_object();
    if (dead != NULL) {
        (void)snprintf(redrive, sizeof redrive, "{\"deadLetterTargetArn\":\"arn:aws:sqs:%s:%s:%s\",\"maxReceiveCount\":%lld}",
                       cof_standin_region(s), cof_standin_account(s), dead,
                       (long long)json_integer_value(json_object_get(spec, "max_receive_count")));
        if (json_object_set_new(attributes, "RedrivePolicy", json_string(redrive)) != 0)
            err = COF_E_MEMORY;
    }
    if (err == COF_OK)
        err = cof_sqs_queue_put(s, name, attributes, policy != NULL ? policy : json_string_value(given), now_ms, &queue);
    cof_sqs_queue_done(&queue);
    json_decref(attributes);
    free(policy);
    return err;
}

static enum cof_err bootstrap(struct cof_standin *s, const json_t *manifest, int64_t now_ms, struct cof_diag *diag)
{
    const json_t *queues = json_object_get(manifest, "queues");
    enum cof_err err = COF_OK;

    for (size_t i = 0; err == COF_OK && i < json_array_size(queues); i++)
        err = bootstrap_queue(s, json_array_get(queues, i), now_ms, diag);
    return err;
}

const struct cof_service cof_service_sqs = {
    .name = "sqs",
    .target = "AmazonSQS.",
    .json = true,
    .json_type = JSON_TYPE,
    .handle = handle,
    .bootstrap = bootstrap,
};
