/* SPDX-License-Identifier: Apache-2.0
 *
 * ReceiveMessage: taking, waiting, and telling no more of a message than was asked for.
 */
#include "standin/sqs_api.h"
#include "standin/sqs_content.h"
#include "standin/sqs_kms.h"

#include "base/codec.h"

#include <stdio.h>
#include <string.h>

/* Which system attributes are asked for. */
struct asked {
    bool count, first, sender, sent, trace, source, group;
};

static bool ask(const char *name, struct asked *a)
{
    static const struct { const char *name; size_t at; } known[] = {
        {"ApproximateReceiveCount", offsetof(struct asked, count)}, {"ApproximateFirstReceiveTimestamp", offsetof(struct asked, first)},
        {"SenderId", offsetof(struct asked, sender)}, {"SentTimestamp", offsetof(struct asked, sent)},
        {"AWSTraceHeader", offsetof(struct asked, trace)}, {"DeadLetterQueueSourceArn", offsetof(struct asked, source)},
        {"MessageGroupId", offsetof(struct asked, group)},
    };

    if (strcmp(name, "All") == 0) {
        memset(a, 1, sizeof *a);
        return true;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0) {
            ((bool *)(void *)a)[known[i].at / sizeof(bool)] = true;
            return true;
        }
    return strcmp(name, "MessageDeduplicationId") == 0 || strcmp(name, "SequenceNumber") == 0; /* of FIFO queues: never there */
}

static bool read_asked(struct cof_sqs_call *c, const char *list, struct asked *a)
{
    const json_t *names = json_object_get(c->in, list);

    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));

        if (name == NULL || !ask(name, a)) {
            (void)cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_ATTRIBUTE_NAME, "Unknown Attribute %.256s.", name == NULL ? "" : name);
            return false;
        }
    }
    return true;
}

/* MessageAttributeNames: a name, "All" or ".*" for all, "prefix.*" for those that begin so. */
static bool is_wanted(const json_t *names, struct cof_view attribute)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        struct cof_view name = cof_view_str(json_string_value(json_array_get(names, i)));

        if (cof_view_eq_str(name, "All") || cof_view_eq_str(name, "*") || cof_view_eq(name, attribute) ||
            (cof_view_ends(name, COF_LIT(".*")) && cof_view_starts(attribute, cof_view_sub(name, 0, name.len - 2))))
            return true;
    }
    return false;
}

static void add_number(struct cof_buf *out, const char *name, int64_t n)
{
    cof_json_add_name(out, name);
    cof_buf_printf(out, "\"%lld\"", (long long)n);
}

static void write_system(struct cof_sqs_call *c, const struct cof_sqs_message *m, const struct cof_sqs_content *content, const struct asked *a)
{
    struct cof_buf *out = &c->out;
    size_t start;

    cof_json_add_name(out, "Attributes");
    start = out->len;
    cof_buf_add_str(out, "{");
    if (a->sender)
        cof_json_add_member(out, "SenderId", content->sender);
    if (a->first)
        add_number(out, "ApproximateFirstReceiveTimestamp", m->first_ms);
    if (a->count)
        add_number(out, "ApproximateReceiveCount", m->count);
    if (a->sent)
        add_number(out, "SentTimestamp", m->sent_ms);
    if (a->trace && content->trace.len > 0)
        cof_json_add_member(out, "AWSTraceHeader", content->trace);
    if (a->group && content->group.len > 0)
        cof_json_add_member(out, "MessageGroupId", content->group);
    if (a->source && m->source[0] != '\0') {
        char arn[256];

        (void)snprintf(arn, sizeof arn, "arn:aws:sqs:%s:%s:%s", cof_standin_region(c->s), cof_standin_account(c->s), m->source);
        cof_json_add_member(out, "DeadLetterQueueSourceArn", cof_view_str(arn));
    }
    if (out->len == start + 1)
        cof_buf_truncate(out, start - sizeof ",\"Attributes\":" + 1); /* none of them: no member */
    else
        cof_buf_add_str(out, "}");
}

static enum cof_err write_values(struct cof_sqs_call *c, const struct cof_sqs_content *content)
{
    const json_t *names = json_object_get(c->in, "MessageAttributeNames");
    bool wanted[COF_SQS_VALUES_MAX] = {false}, any = false;
    char md5[33];
    enum cof_err err;

    for (size_t i = 0; i < content->n_values; i++) {
        wanted[i] = is_wanted(names, content->values[i].name);
        any = any || wanted[i];
    }
    if (!any)
        return COF_OK;
    err = cof_sqs_values_md5(content->values, content->n_values, wanted, md5);
    cof_json_add_member(&c->out, "MD5OfMessageAttributes", cof_view_str(md5));
    cof_json_add_name(&c->out, "MessageAttributes");
    cof_buf_add_str(&c->out, "{");
    for (size_t i = 0; i < content->n_values; i++) {
        const struct cof_sqs_value *v = &content->values[i];

        if (!wanted[i])
            continue;
        if (c->out.len > 0 && c->out.data[c->out.len - 1] != '{')
            cof_buf_add_str(&c->out, ",");
        cof_json_add_text(&c->out, v->name);
        cof_buf_add_str(&c->out, ":{");
        if (v->binary)
            cof_json_add_member_base64(&c->out, "BinaryValue", v->value);
        else
            cof_json_add_member(&c->out, "StringValue", v->value);
        cof_json_add_member(&c->out, "DataType", v->type);
        cof_buf_add_str(&c->out, "}");
    }
    cof_buf_add_str(&c->out, "}");
    return err;
}

static enum cof_err write_content(struct cof_sqs_call *c, const struct cof_sqs_message *m, struct cof_view bytes, const struct asked *a)
{
    struct cof_sqs_content content;
    char uuid[COF_SQS_UUID + 1], md5[33];
    enum cof_err err = cof_sqs_content_parse(bytes, &content);

    if (err != COF_OK)
        return err;
    cof_sqs_message_uuid(m->id, uuid);
    cof_hex_encode(content.body_md5, sizeof content.body_md5, md5);
    cof_buf_add_str(&c->out, "{");
    cof_json_add_member(&c->out, "MessageId", cof_view_str(uuid));
    cof_buf_add_str(&c->out, ",\"ReceiptHandle\":\"");
    err = cof_sqs_store_handle(c->s, c->queue, m, &c->out);
    cof_buf_add_str(&c->out, "\"");
    cof_json_add_member(&c->out, "MD5OfBody", cof_view_str(md5));
    cof_json_add_member(&c->out, "Body", content.body);
    write_system(c, m, &content, a);
    if (err == COF_OK)
        err = write_values(c, &content);
    cof_buf_add_str(&c->out, "}");
    return err;
}

static enum cof_err write_message(struct cof_sqs_call *c, const struct cof_sqs_message *m, const struct asked *a)
{
    struct cof_view bytes = cof_buf_view(&m->content);
    struct cof_buf plain;
    enum cof_err err;

    if (!cof_sqs_kms_is_sealed(bytes))
        return write_content(c, m, bytes, a);
    cof_buf_init_secret(&plain, bytes.len);
    err = cof_sqs_kms_open(c, bytes, &plain, &c->refusal);
    if (err == COF_OK && c->refusal.code == COF_SQS_FINE)
        err = write_content(c, m, cof_buf_view(&plain), a);
    cof_buf_done(&plain);
    return err;
}

/* Nobody is left asleep while there is something: the next waiter is called for what is ready, or when something will be. */
static void call_next(const struct cof_sqs_call *c)
{
    if (c->queue->n_ready > 0)
        cof_standin_notify(c->s, c->queue->arn, 0);
    else if (c->queue->next_ms != INT64_MAX)
        cof_standin_notify(c->s, c->queue->arn, c->queue->next_ms);
}

static enum cof_err take(struct cof_sqs_call *c, size_t most, int64_t visibility_s, const struct asked *asked, size_t *n)
{
    struct cof_sqs_message messages[COF_SQS_TAKE_MAX];
    enum cof_err err = cof_sqs_store_take(c->s, c->queue, most, visibility_s * 1000, c->req->now_ms, messages, n);

    if (err == COF_E_LIMIT)
        return cof_sqs_refuse(&c->refusal, COF_SQS_OVER_LIMIT,
                              "The maximum number of in flight messages is reached: too many messages of %s were received and not deleted.",
                              c->queue->name);
    for (size_t i = 0; i < *n; i++) {
        if (err == COF_OK)
            err = cof_buf_reserve(&c->out, messages[i].content.len + 384); /* at once, where little is escaped */
        if (i > 0)
            cof_buf_add_str(&c->out, ",");
        if (err == COF_OK && c->refusal.code == COF_SQS_FINE)
            err = write_message(c, &messages[i], asked);
        cof_sqs_message_free(&messages[i]);
    }
    return err;
}

enum cof_err cof_sqs_op_receive_message(struct cof_sqs_call *c)
{
    struct asked asked = {false};
    int64_t most, visibility_s, wait_s, until_ms;
    size_t n;
    enum cof_err err;

    if (!cof_sqs_open(c, "sqs:ReceiveMessage", &err) ||
        !cof_sqs_int(c->in, "MaxNumberOfMessages", 1, 10, 1, "Must be between 1 and 10, if provided.", &most, &c->refusal) ||
        !cof_sqs_int(c->in, "VisibilityTimeout", 0, 43200, c->queue->visibility_s, "Must be between 0 and 43200, if provided.", &visibility_s,
                     &c->refusal) ||
        !cof_sqs_int(c->in, "WaitTimeSeconds", 0, 20, c->queue->wait_s, "Must be >= 0 and <= 20, if provided.", &wait_s, &c->refusal) ||
        !read_asked(c, "AttributeNames", &asked) || !read_asked(c, "MessageSystemAttributeNames", &asked))
        return err;
    cof_buf_add_str(&c->out, "{\"Messages\":[");
    err = take(c, (size_t)most, visibility_s, &asked, &n);
    cof_buf_add_str(&c->out, "]}");
    if (err != COF_OK || c->refusal.code != COF_SQS_FINE)
        return err;
    if (n > 0) {
        call_next(c);
        return COF_OK;
    }
    cof_buf_reset(&c->out);
    until_ms = c->req->started_ms + wait_s * 1000;
    if (c->req->now_ms < until_ms) {
        c->reply->wait_until_ms = until_ms;
        c->reply->wait_next_ms = c->queue->next_ms == INT64_MAX ? 0 : c->queue->next_ms;
        (void)snprintf(c->reply->wait_on, sizeof c->reply->wait_on, "%s", c->queue->arn);
    }
    return COF_OK;
}
