/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sqs_call.h"

#include "base/codec.h"
#include "base/num.h"
#include "crypto/hash.h"
#include "format/json.h"

#define REPLY_MAX ((size_t)8 << 20)

static void begin(struct cof_aws_request *out, const char *operation, struct cof_view queue_url)
{
    struct cof_buf target;

    cof_aws_request_init(out, COF_AWS_SQS, "POST");
    cof_buf_init(&target, 256);
    cof_buf_printf(&target, "AmazonSQS.%s", operation);
    cof_buf_add_str(&out->path, "/");
    cof_headers_add_str(&out->headers, "Content-Type", "application/x-amz-json-1.0");
    cof_headers_add_str(&out->headers, "X-Amz-Target", cof_buf_cstr(&target));
    cof_buf_add_str(&out->body, "{");
    cof_json_add_member(&out->body, "QueueUrl", queue_url);
    cof_buf_done(&target);
}

static enum cof_err finish(struct cof_aws_request *out)
{
    enum cof_err err;

    cof_buf_add_str(&out->body, "}");
    err = cof_aws_request_err(out);
    if (err != COF_OK)
        cof_aws_request_done(out);
    return err;
}

/* Sending twice makes two messages; consumers recognise the second. */
enum cof_err cof_sqs_send(struct cof_aws_request *out, struct cof_view queue_url, struct cof_view body)
{
    if (body.len == 0 || body.len > COF_SQS_BODY_MAX)
        return COF_E_LIMIT;
    begin(out, "SendMessage", queue_url);
    cof_json_add_member(&out->body, "MessageBody", body);
    out->replayable = true;
    return finish(out);
}

enum cof_err cof_sqs_receive(struct cof_aws_request *out, struct cof_view queue_url, unsigned wait_s,
                             unsigned visibility_s)
{
    begin(out, "ReceiveMessage", queue_url);
    cof_json_add_member_int(&out->body, "MaxNumberOfMessages", 1);
    cof_json_add_member_int(&out->body, "WaitTimeSeconds", wait_s);
    cof_json_add_member_int(&out->body, "VisibilityTimeout", visibility_s);
    cof_json_add_name(&out->body, "MessageSystemAttributeNames");
    cof_buf_add_str(&out->body, "[\"ApproximateReceiveCount\"]");
    out->replayable = true;
    return finish(out);
}

enum cof_err cof_sqs_delete(struct cof_aws_request *out, struct cof_view queue_url, struct cof_view receipt_handle)
{
    begin(out, "DeleteMessage", queue_url);
    cof_json_add_member(&out->body, "ReceiptHandle", receipt_handle);
    out->replayable = true;
    return finish(out);
}

enum cof_err cof_sqs_change_visibility(struct cof_aws_request *out, struct cof_view queue_url,
                                       struct cof_view receipt_handle, unsigned visibility_s)
{
    begin(out, "ChangeMessageVisibility", queue_url);
    cof_json_add_member(&out->body, "ReceiptHandle", receipt_handle);
    cof_json_add_member_int(&out->body, "VisibilityTimeout", visibility_s);
    out->replayable = true;
    return finish(out);
}

static enum cof_err check_md5(const json_t *object, const char *name, struct cof_view body, struct cof_diag *diag)
{
    uint8_t md5[16];
    char want[33];
    struct cof_view told;
    enum cof_err err = cof_json_text(object, name, &told, diag);

    if (err == COF_OK)
        err = cof_hash_once(COF_MD5, body, md5);
    if (err != COF_OK)
        return err;
    cof_hex_encode(md5, sizeof md5, want);
    return cof_view_eq_str(told, want) ? COF_OK
                                       : cof_diag_set(diag, COF_E_AUTH, "SQS: the message was altered on its way");
}

void cof_sqs_message_done(struct cof_sqs_message *message)
{
    if (message == NULL)
        return;
    cof_buf_done(&message->body);
    cof_buf_done(&message->receipt_handle);
    cof_buf_done(&message->message_id);
}

static enum cof_err read_message(const json_t *object, struct cof_sqs_message *out, struct cof_diag *diag)
{
    struct cof_view body, handle, id, count;
    uint64_t n = 0;
    enum cof_err err = cof_json_text(object, "Body", &body, diag);

    if (err == COF_OK)
        err = cof_json_text(object, "ReceiptHandle", &handle, diag);
    if (err == COF_OK)
        err = cof_json_text_or(object, "MessageId", "", &id, diag);
    if (err == COF_OK)
        err = check_md5(object, "MD5OfBody", body, diag);
    if (err == COF_OK && json_is_object(json_object_get(object, "Attributes"))) {
        err = cof_json_text_or(json_object_get(object, "Attributes"), "ApproximateReceiveCount", "0", &count, diag);
        if (err == COF_OK)
            err = cof_parse_u64(count, INT32_MAX, &n);
    }
    if (err != COF_OK)
        return err;
    out->receive_count = (int64_t)n;
    cof_buf_add(&out->body, body);
    cof_buf_add(&out->receipt_handle, handle);
    cof_buf_add(&out->message_id, id);
    err = cof_buf_err(&out->body);
    if (err == COF_OK)
        err = cof_buf_err(&out->receipt_handle);
    return err == COF_OK ? cof_buf_err(&out->message_id) : err;
}

enum cof_err cof_sqs_parse_receive(struct cof_view reply, struct cof_sqs_message *out, struct cof_diag *diag)
{
    json_t *object, *messages;
    enum cof_err err;

    *out = (struct cof_sqs_message){0};
    cof_buf_init(&out->body, COF_SQS_BODY_MAX);
    cof_buf_init(&out->receipt_handle, 8192);
    cof_buf_init(&out->message_id, 256);
    err = cof_json_parse_object(reply, REPLY_MAX, &object, diag);
    if (err != COF_OK)
        return err;
    messages = json_object_get(object, "Messages");
    if (messages == NULL || json_is_null(messages) || (json_is_array(messages) && json_array_size(messages) == 0))
        err = COF_E_NOT_FOUND;
    else if (!json_is_array(messages) || json_array_size(messages) != 1 || !json_is_object(json_array_get(messages, 0)))
        err = cof_diag_set(diag, COF_E_FORMAT, "SQS: one message was asked for, something else came");
    else
        err = read_message(json_array_get(messages, 0), out, diag);
    json_decref(object);
    if (err != COF_OK)
        cof_sqs_message_done(out);
    return err;
}

enum cof_err cof_sqs_check_sent(struct cof_view reply, struct cof_view body, struct cof_diag *diag)
{
    json_t *object;
    enum cof_err err = cof_json_parse_object(reply, REPLY_MAX, &object, diag);

    if (err != COF_OK)
        return err;
    err = check_md5(object, "MD5OfMessageBody", body, diag);
    json_decref(object);
    return err;
}
