/* SPDX-License-Identifier: Apache-2.0
 *
 * SendMessage and SendMessageBatch.
 */
#include "standin/sqs_api.h"
#include "standin/sqs_content.h"
#include "standin/sqs_kms.h"

#include "base/codec.h"

#define CONTENT_MAX ((size_t)2 << 20)
#define TRACE_MAX 1024 /* bytes of the header that are kept */
#define BATCH_BYTES_MAX 1048576

/* Who sends, as the SenderId attribute tells it. */
static struct cof_view sender(const struct cof_sqs_call *c)
{
    const struct cof_iam_principal *p = c->req->principal;

    if (p->caller.kind == COF_CALLER_ANONYMOUS)
        return COF_LIT("anonymous");
    return cof_view_str(p->user_id);
}

static enum cof_err keep(struct cof_sqs_call *c, struct cof_sqs_content *content, int64_t delay_s, uint8_t id[COF_SQS_MESSAGE_ID],
                         struct cof_sqs_refusal *refusal)
{
    struct cof_buf bytes, sealed;
    bool under_kms = cof_sqs_kms_is_wanted(c);
    enum cof_err err;

    content->sender = sender(c);
    cof_buf_init_secret(&bytes, CONTENT_MAX);
    cof_buf_init(&sealed, CONTENT_MAX);
    err = cof_buf_reserve(&bytes, content->size + content->sender.len + content->trace.len + 128);
    cof_sqs_content_write(content, &bytes);
    if (err == COF_OK)
        err = cof_buf_err(&bytes);
    if (err == COF_OK && under_kms)
        err = cof_sqs_kms_seal(c, cof_buf_view(&bytes), &sealed, refusal);
    if (err == COF_OK && refusal->code == COF_SQS_FINE)
        err = cof_sqs_store_add(c->s, c->queue, cof_buf_view(under_kms ? &sealed : &bytes), delay_s * 1000, c->req->now_ms, id);
    cof_buf_done(&bytes);
    cof_buf_done(&sealed);
    if (err == COF_OK && refusal->code == COF_SQS_FINE)
        cof_standin_notify(c->s, c->queue->arn, delay_s > 0 ? c->req->now_ms + delay_s * 1000 : 0);
    return err;
}

static enum cof_err write_sent(const struct cof_sqs_content *content, const uint8_t id[COF_SQS_MESSAGE_ID], struct cof_buf *out)
{
    char md5[33], uuid[COF_SQS_UUID + 1];
    enum cof_err err = COF_OK;

    cof_sqs_message_uuid(id, uuid);
    cof_json_add_member(out, "MessageId", cof_view_str(uuid));
    cof_hex_encode(content->body_md5, sizeof content->body_md5, md5);
    cof_json_add_member(out, "MD5OfMessageBody", cof_view_str(md5));
    if (content->n_values > 0) {
        err = cof_sqs_values_md5(content->values, content->n_values, NULL, md5);
        cof_json_add_member(out, "MD5OfMessageAttributes", cof_view_str(md5));
    }
    if (err == COF_OK && content->trace.len > 0) {
        struct cof_sqs_value trace = {.name = COF_LIT("AWSTraceHeader"), .type = COF_LIT("String"), .value = content->trace};

        err = cof_sqs_values_md5(&trace, 1, NULL, md5);
        cof_json_add_member(out, "MD5OfMessageSystemAttributes", cof_view_str(md5));
    }
    return err;
}

/* One message; adds what SendMessage answers to out. */
static enum cof_err send_one(struct cof_sqs_call *c, const json_t *entry, struct cof_buf *out, struct cof_sqs_refusal *refusal)
{
    struct cof_sqs_content content;
    uint8_t id[COF_SQS_MESSAGE_ID];
    struct cof_view header;
    int64_t delay_s;
    bool traced;
    enum cof_err err = cof_sqs_content_read(entry, &content, refusal);

    /* spec: a request that is traced has its message traced, as if it had said so */
    traced = content.trace.len == 0 && cof_headers_get(&c->req->head->headers, "x-amzn-trace-id", &header) && cof_sqs_is_text(header);
    if (traced)
        content.trace = cof_view_sub(header, 0, TRACE_MAX);

    if (err == COF_OK && refusal->code == COF_SQS_FINE && content.size > (size_t)c->queue->max_bytes)
        err = cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                             "One or more parameters %s. Reason: Message must be shorter than %lld bytes.",
                             entry == c->in ? "are invalid" : "cannot be validated", (long long)c->queue->max_bytes);
    if (err == COF_OK && refusal->code == COF_SQS_FINE &&
        cof_sqs_int(entry, "DelaySeconds", 0, 900, c->queue->delay_s, "DelaySeconds must be >= 0 and <= 900.", &delay_s, refusal)) {
        err = keep(c, &content, delay_s, id, refusal);
        if (traced)
            content.trace.len = 0;
        if (err == COF_OK && refusal->code == COF_SQS_FINE)
            err = write_sent(&content, id, out);
    }
    cof_sqs_content_done(&content);
    return err;
}

enum cof_err cof_sqs_op_send_message(struct cof_sqs_call *c)
{
    enum cof_err err;

    if (!cof_sqs_open(c, "sqs:SendMessage", &err))
        return err;
    cof_buf_add_str(&c->out, "{");
    err = send_one(c, c->in, &c->out, &c->refusal);
    cof_buf_add_str(&c->out, "}");
    return err;
}

/* Bodies and attributes of all entries count together. */
static size_t batch_size(const json_t *entries)
{
    size_t size = 0;

    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        json_t *values = json_object_get(entry, "MessageAttributes"), *value;
        const char *name;

        size += json_string_length(json_object_get(entry, "MessageBody"));
        json_object_foreach(values, name, value) {
            size += cof_view_str(name).len + json_string_length(json_object_get(value, "DataType")) +
                json_string_length(json_object_get(value, "StringValue")) + json_string_length(json_object_get(value, "BinaryValue")) / 4 * 3;
        }
    }
    return size;
}

enum cof_err cof_sqs_op_send_batch(struct cof_sqs_call *c)
{
    size_t size = batch_size(json_object_get(c->in, "Entries"));
    enum cof_err err;

    if (!cof_sqs_open(c, "sqs:SendMessage", &err))
        return err;
    if (size > BATCH_BYTES_MAX && json_array_size(json_object_get(c->in, "Entries")) <= 10)
        return cof_sqs_refuse(&c->refusal, COF_SQS_BATCH_REQUEST_TOO_LONG, "Batch requests cannot be longer than %d bytes. You have sent %zu bytes.",
                              BATCH_BYTES_MAX, size);
    return cof_sqs_batch(c, send_one);
}
