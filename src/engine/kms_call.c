/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kms_call.h"

#include "format/json.h"

#include <string.h>

#define REPLY_MAX 65536
#define DATA_KEY_MAX 1024 /* bytes, of the service */

bool cof_kms_is_key_arn(struct cof_view text)
{
    struct cof_view arn, partition, service, region, account, rest = text;

    return cof_view_split(rest, ':', &arn, &rest) && cof_view_eq(arn, COF_LIT("arn")) &&
           cof_view_split(rest, ':', &partition, &rest) && partition.len > 0 &&
           cof_view_split(rest, ':', &service, &rest) && cof_view_eq(service, COF_LIT("kms")) &&
           cof_view_split(rest, ':', &region, &rest) && region.len > 0 && cof_view_split(rest, ':', &account, &rest) &&
           account.len == 12 && cof_view_starts(rest, COF_LIT("key/")) && rest.len > 4 && text.len <= COF_KMS_ARN_MAX &&
           cof_view_find(rest, ':') == SIZE_MAX;
}

static void begin(struct cof_aws_request *out, const char *operation)
{
    struct cof_buf target;

    cof_aws_request_init(out, COF_AWS_KMS, "POST");
    cof_buf_init(&target, 256);
    cof_buf_printf(&target, "TrentService.%s", operation);
    cof_buf_add_str(&out->path, "/");
    cof_headers_add_str(&out->headers, "Content-Type", "application/x-amz-json-1.1");
    cof_headers_add_str(&out->headers, "X-Amz-Target", cof_buf_cstr(&target));
    cof_buf_add_str(&out->body, "{");
    out->replayable = true;
    cof_buf_done(&target);
}

static void add_context(struct cof_aws_request *out, const struct cof_pair *context, size_t n)
{
    if (n == 0)
        return;
    cof_json_add_name(&out->body, "EncryptionContext");
    cof_buf_add_str(&out->body, "{");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            cof_buf_add_str(&out->body, ",");
        cof_json_add_text(&out->body, context[i].name);
        cof_buf_add_str(&out->body, ":");
        cof_json_add_text(&out->body, context[i].value);
    }
    cof_buf_add_str(&out->body, "}");
}

static enum cof_err finish(struct cof_aws_request *out, struct cof_view recipient)
{
    enum cof_err err;

    if (recipient.len > 0) {
        cof_json_add_name(&out->body, "Recipient");
        cof_buf_add_str(&out->body, "{\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\"");
        cof_json_add_member_base64(&out->body, "AttestationDocument", recipient);
        cof_buf_add_str(&out->body, "}");
    }
    cof_buf_add_str(&out->body, "}");
    err = cof_aws_request_err(out);
    if (err != COF_OK)
        cof_aws_request_done(out);
    return err;
}

enum cof_err cof_kms_generate_data_key(struct cof_aws_request *out, struct cof_view key_arn, size_t key_bytes,
                                       const struct cof_pair *context, size_t n_context, struct cof_view recipient)
{
    if (key_bytes == 0 || key_bytes > DATA_KEY_MAX)
        return COF_E_USAGE;
    begin(out, "GenerateDataKey");
    cof_json_add_member(&out->body, "KeyId", key_arn);
    if (key_bytes == 32)
        cof_json_add_member(&out->body, "KeySpec", COF_LIT("AES_256"));
    else
        cof_json_add_member_int(&out->body, "NumberOfBytes", (int64_t)key_bytes);
    add_context(out, context, n_context);
    return finish(out, recipient);
}

enum cof_err cof_kms_decrypt(struct cof_aws_request *out, struct cof_view key_arn, struct cof_view blob,
                             const struct cof_pair *context, size_t n_context, struct cof_view recipient)
{
    if (blob.len == 0 || blob.len > COF_KMS_BLOB_MAX)
        return COF_E_FORMAT;
    begin(out, "Decrypt");
    if (key_arn.len > 0)
        cof_json_add_member(&out->body, "KeyId", key_arn);
    cof_json_add_member_base64(&out->body, "CiphertextBlob", blob);
    add_context(out, context, n_context);
    return finish(out, recipient);
}

enum cof_err cof_kms_encrypt(struct cof_aws_request *out, struct cof_view key_arn, struct cof_view plaintext,
                             const struct cof_pair *context, size_t n_context)
{
    if (plaintext.len == 0 || plaintext.len > 4096)
        return COF_E_LIMIT;
    begin(out, "Encrypt");
    cof_json_add_member(&out->body, "KeyId", key_arn);
    cof_json_add_member_base64(&out->body, "Plaintext", plaintext);
    add_context(out, context, n_context);
    return finish(out, (struct cof_view){0});
}

void cof_kms_reply_done(struct cof_kms_reply *reply)
{
    if (reply == NULL)
        return;
    cof_buf_done(&reply->plaintext);
    cof_buf_done(&reply->blob);
    cof_buf_done(&reply->ciphertext_for_recipient);
}

static bool has(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return value != NULL && !json_is_null(value);
}

static enum cof_err read_members(const json_t *object, struct cof_view expected_key, bool with_recipient,
                                 bool wants_plaintext, bool wants_blob, struct cof_kms_reply *out, struct cof_diag *diag)
{
    struct cof_view key_id;
    enum cof_err err = cof_json_text(object, "KeyId", &key_id, diag);

    if (err != COF_OK)
        return err;
    if (expected_key.len > 0 && !cof_view_eq(key_id, expected_key))
        return cof_diag_set(diag, COF_E_AUTH, "KMS used another key than the pinned one");
    if (key_id.len > COF_KMS_ARN_MAX || cof_view_find(key_id, 0) != SIZE_MAX)
        return COF_E_FORMAT;
    memcpy(out->key_id, key_id.data, key_id.len);
    if (with_recipient && has(object, "Plaintext"))
        return cof_diag_set(diag, COF_E_AUTH, "KMS sent a plaintext though an attested recipient was named");
    if (with_recipient && wants_plaintext && !has(object, "CiphertextForRecipient"))
        return cof_diag_set(diag, COF_E_AUTH, "KMS did not seal its answer for the attested recipient");
    if (with_recipient && wants_plaintext)
        err = cof_json_base64(object, "CiphertextForRecipient", &out->ciphertext_for_recipient, diag);
    else if (wants_plaintext)
        err = cof_json_base64(object, "Plaintext", &out->plaintext, diag);
    if (err == COF_OK && wants_blob)
        err = cof_json_base64(object, "CiphertextBlob", &out->blob, diag);
    return err;
}

enum cof_err cof_kms_parse_reply(struct cof_view body, struct cof_view expected_key, bool with_recipient,
                                 bool wants_plaintext, bool wants_blob, struct cof_kms_reply *out, struct cof_diag *diag)
{
    json_t *object;
    enum cof_err err;

    *out = (struct cof_kms_reply){0};
    cof_buf_init_secret(&out->plaintext, 4096);
    cof_buf_init(&out->blob, COF_KMS_BLOB_MAX);
    cof_buf_init(&out->ciphertext_for_recipient, COF_KMS_BLOB_MAX);
    err = cof_json_parse_object(body, REPLY_MAX, &object, diag);
    if (err != COF_OK)
        return err;
    err = read_members(object, expected_key, with_recipient, wants_plaintext, wants_blob, out, diag);
    cof_json_wipe(object, "Plaintext");
    json_decref(object);
    if (err != COF_OK)
        cof_kms_reply_done(out);
    return err;
}
