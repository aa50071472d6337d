/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/s3_call.h"
#include "engine/s3_request.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "engine/aws_chunked.h"
#include "format/uri.h"

#include <stdio.h>
#include <string.h>

enum cof_err cof_sse_parse(const char *text, enum cof_sse *out)
{
    static const struct {
        const char *name;
        enum cof_sse mode;
    } names[] = {{"sse-s3", COF_SSE_S3}, {"default", COF_SSE_S3}, {"sse-kms", COF_SSE_KMS}, {"KMS", COF_SSE_KMS},
                 {"sse-c", COF_SSE_C},   {"SSE_C", COF_SSE_C},    {"none", COF_SSE_NONE}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i].name) == 0) {
            *out = names[i].mode;
            return COF_OK;
        }
    return COF_E_USAGE;
}

const char *cof_sse_name(enum cof_sse mode)
{
    static const char *const names[] = {"none", "sse-s3", "sse-kms", "sse-c"};

    return names[mode];
}

enum cof_err cof_s3_begin(struct cof_aws_request *out, const char *method, struct cof_view bucket,
                          struct cof_view key)
{
    cof_aws_request_init(out, COF_AWS_S3, method);
    if (bucket.len < 3 || bucket.len >= sizeof out->bucket)
        return COF_E_USAGE;
    memcpy(out->bucket, bucket.data, bucket.len);
    cof_buf_add_str(&out->path, "/");
    cof_uri_encode(&out->path, key, true);
    return COF_OK;
}

enum cof_err cof_s3_finish(struct cof_aws_request *out, enum cof_err err)
{
    if (err == COF_OK)
        err = cof_aws_request_err(out);
    if (err != COF_OK)
        cof_aws_request_done(out);
    return err;
}

void cof_s3_add_number(struct cof_aws_request *out, const char *name, uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    cof_aws_request_query(out, name, cof_view_str(text));
}

/* The key itself and its MD5, as S3 wants them on every request that touches the object. */
enum cof_err cof_s3_add_customer_key(struct cof_headers *headers, const struct cof_secret *key, bool of_source)
{
    static const char *const names[2][3] = {{"x-amz-server-side-encryption-customer-algorithm",
                                             "x-amz-server-side-encryption-customer-key",
                                             "x-amz-server-side-encryption-customer-key-MD5"},
                                            {"x-amz-copy-source-server-side-encryption-customer-algorithm",
                                             "x-amz-copy-source-server-side-encryption-customer-key",
                                             "x-amz-copy-source-server-side-encryption-customer-key-MD5"}};
    uint8_t md5[16];
    struct cof_buf text;
    enum cof_err err;

    if (key == NULL || key->len != 32)
        return COF_E_USAGE;
    err = cof_hash_once(COF_MD5, cof_secret_view(key), md5);
    cof_buf_init_secret(&text, 128);
    cof_headers_add(headers, cof_view_str(names[of_source][0]), COF_LIT("AES256"));
    cof_base64_add(&text, cof_secret_view(key));
    cof_headers_add(headers, cof_view_str(names[of_source][1]), cof_buf_view(&text));
    cof_buf_reset(&text);
    cof_base64_add(&text, cof_view_of(md5, sizeof md5));
    cof_headers_add(headers, cof_view_str(names[of_source][2]), cof_buf_view(&text));
    cof_buf_done(&text);
    return err;
}

static enum cof_err add_context(struct cof_headers *headers, struct cof_view json)
{
    struct cof_buf text;
    enum cof_err err;

    if (json.len == 0)
        return COF_OK;
    cof_buf_init(&text, 16384);
    cof_base64_add(&text, json);
    cof_headers_add(headers, COF_LIT("x-amz-server-side-encryption-context"), cof_buf_view(&text));
    err = cof_buf_err(&text);
    cof_buf_done(&text);
    return err;
}

void cof_s3_add_attributes(struct cof_headers *headers, const struct cof_s3_attributes *a)
{
    const struct {
        const char *name;
        struct cof_view value;
    } all[] = {{"Content-Type", a->content_type},
               {"x-amz-tagging", a->tags},
               {"x-amz-object-lock-mode", a->lock_mode},
               {"x-amz-object-lock-retain-until-date", a->lock_until},
               {"x-amz-object-lock-legal-hold", cof_view_str(a->legal_hold ? "ON" : NULL)},
               {"x-amz-storage-class", a->storage_class}};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].value.len > 0)
            cof_headers_add(headers, cof_view_str(all[i].name), all[i].value);
}

enum cof_err cof_s3_add_sse(struct cof_headers *headers, const struct cof_s3_sse *sse)
{
    switch (sse->mode) {
    case COF_SSE_NONE:
        break;
    case COF_SSE_S3:
        cof_headers_add_str(headers, "x-amz-server-side-encryption", "AES256");
        break;
    case COF_SSE_KMS:
        cof_headers_add_str(headers, "x-amz-server-side-encryption", "aws:kms");
        if (sse->kms_key_id.len > 0)
            cof_headers_add(headers, COF_LIT("x-amz-server-side-encryption-aws-kms-key-id"), sse->kms_key_id);
        if (sse->bucket_key)
            cof_headers_add_str(headers, "x-amz-server-side-encryption-bucket-key-enabled", "true");
        return add_context(headers, sse->kms_context);
    case COF_SSE_C:
        return cof_s3_add_customer_key(headers, sse->customer_key, false);
    }
    return COF_OK;
}

void cof_s3_add_conditions(struct cof_headers *headers, const struct cof_s3_put *put)
{
    if (put->create_only)
        cof_headers_add_str(headers, "If-None-Match", "*");
    if (put->if_match.len > 0)
        cof_headers_add(headers, COF_LIT("If-Match"), put->if_match);
}

enum cof_err cof_s3_put_object(struct cof_aws_request *out, const struct cof_s3_put *put)
{
    enum cof_err err = cof_s3_begin(out, "PUT", put->bucket, put->key);

    if (err == COF_OK)
        err = cof_s3_add_sse(&out->headers, &put->sse);
    cof_s3_add_attributes(&out->headers, &put->attributes);
    cof_s3_add_conditions(&out->headers, put);
    if (put->checksum != COF_CHECKSUM_NONE && put->sum.len > 0)
        cof_headers_add(&out->headers, cof_view_str(cof_aws_checksum_header(put->checksum)), put->sum);
    out->streaming = put->streaming;
    out->length = put->streaming ? put->length : put->body.len;
    out->replayable = !put->streaming;
    if (put->sha256.len == sizeof out->payload_sha256 - 1)
        memcpy(out->payload_sha256, put->sha256.data, put->sha256.len);
    if (!put->streaming)
        cof_buf_add(&out->body, put->body);
    return cof_s3_finish(out, err);
}

enum cof_err cof_s3_get_object(struct cof_aws_request *out, const struct cof_s3_get *get)
{
    enum cof_err err = cof_s3_begin(out, get->head ? "HEAD" : "GET", get->bucket, get->key);

    if (err == COF_OK && get->sse.mode == COF_SSE_C)
        err = cof_s3_add_customer_key(&out->headers, get->sse.customer_key, false);
    if (get->version_id.len > 0)
        cof_aws_request_query(out, "versionId", get->version_id);
    if (get->if_match.len > 0)
        cof_headers_add(&out->headers, COF_LIT("If-Match"), get->if_match);
    if (get->part > 0)
        cof_s3_add_number(out, "partNumber", get->part);
    if (get->range.len > 0)
        cof_headers_add(&out->headers, COF_LIT("Range"), get->range);
    else if (!get->no_checksum)
        cof_headers_add_str(&out->headers, "x-amz-checksum-mode", "ENABLED");
    out->replayable = true;
    return cof_s3_finish(out, err);
}

enum cof_err cof_s3_delete_object(struct cof_aws_request *out, struct cof_view bucket, struct cof_view key,
                                  struct cof_view version_id)
{
    enum cof_err err = cof_s3_begin(out, "DELETE", bucket, key);

    if (version_id.len > 0)
        cof_aws_request_query(out, "versionId", version_id);

    out->replayable = true;
    return cof_s3_finish(out, err);
}

enum cof_err cof_s3_rewrap_object(struct cof_aws_request *out, struct cof_view bucket, struct cof_view key,
                                      struct cof_view version_id, struct cof_view kms_key_arn, bool bucket_key)
{
    enum cof_err err = cof_s3_begin(out, "PUT", bucket, key);
    struct cof_buf sum;
    uint8_t digest[32];

    cof_aws_request_query(out, "encryption", COF_LIT(""));
    if (version_id.len > 0)
        cof_aws_request_query(out, "versionId", version_id);
    for (size_t i = 0; i < kms_key_arn.len && err == COF_OK; i++) /* nothing in it that XML takes for its own */
        if (kms_key_arn.data[i] <= ' ' || kms_key_arn.data[i] > '~' || strchr("<>&\"'", kms_key_arn.data[i]) != NULL)
            err = COF_E_USAGE;
    cof_buf_add_str(&out->body, "<ObjectEncryption xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><SSE-KMS><BucketKeyEnabled>");
    cof_buf_add_str(&out->body, bucket_key ? "true" : "false");
    cof_buf_add_str(&out->body, "</BucketKeyEnabled><KMSKeyArn>");
    cof_buf_add(&out->body, kms_key_arn);
    cof_buf_add_str(&out->body, "</KMSKeyArn></SSE-KMS></ObjectEncryption>");
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&out->body), digest);
    cof_buf_init(&sum, 64); /* S3 wants such a body proved */
    cof_base64_add(&sum, cof_view_of(digest, sizeof digest));
    cof_headers_add(&out->headers, COF_LIT("x-amz-checksum-sha256"), cof_buf_view(&sum));
    cof_headers_add_str(&out->headers, "x-amz-sdk-checksum-algorithm", "SHA256");
    cof_buf_done(&sum);
    out->replayable = true;
    return cof_s3_finish(out, err);
}

enum cof_err cof_s3_list_objects(struct cof_aws_request *out, struct cof_view bucket, struct cof_view prefix,
                                 struct cof_view continuation)
{
    enum cof_err err = cof_s3_begin(out, "GET", bucket, (struct cof_view){0});

    cof_aws_request_query(out, "list-type", COF_LIT("2"));
    if (prefix.len > 0)
        cof_aws_request_query(out, "prefix", prefix);
    if (continuation.len > 0)
        cof_aws_request_query(out, "continuation-token", continuation);
    out->replayable = true;
    return cof_s3_finish(out, err);
}

enum cof_err cof_s3_list_versions(struct cof_aws_request *out, struct cof_view bucket, struct cof_view prefix,
                                  struct cof_view key_marker, struct cof_view version_marker)
{
    enum cof_err err = cof_s3_begin(out, "GET", bucket, (struct cof_view){0});

    cof_aws_request_query(out, "versions", (struct cof_view){0});
    if (prefix.len > 0)
        cof_aws_request_query(out, "prefix", prefix);
    if (key_marker.len > 0)
        cof_aws_request_query(out, "key-marker", key_marker);
    if (version_marker.len > 0)
        cof_aws_request_query(out, "version-id-marker", version_marker);
    out->replayable = true;
    return cof_s3_finish(out, err);
}

enum cof_err cof_s3_list_buckets(struct cof_aws_request *out)
{
    cof_aws_request_init(out, COF_AWS_S3, "GET");
    cof_buf_add_str(&out->path, "/");
    out->replayable = true;
    return cof_s3_finish(out, COF_OK);
}

void cof_s3_facts_read(const struct cof_http_head *head, struct cof_s3_facts *out)
{
    static const enum cof_checksum_alg order[] = {COF_CHECKSUM_CRC64NVME, COF_CHECKSUM_SHA256, COF_CHECKSUM_CRC32C,
                                                  COF_CHECKSUM_CRC32, COF_CHECKSUM_SHA1, COF_CHECKSUM_SHA512, COF_CHECKSUM_XXHASH128,
                                                  COF_CHECKSUM_XXHASH3, COF_CHECKSUM_XXHASH64, COF_CHECKSUM_MD5};
    struct cof_view sse, customer;

    *out = (struct cof_s3_facts){0};
    (void)cof_headers_get(&head->headers, "etag", &out->etag);
    (void)cof_headers_get(&head->headers, "x-amz-version-id", &out->version_id);
    (void)cof_headers_get(&head->headers, "content-type", &out->content_type);
    (void)cof_headers_get(&head->headers, "x-amz-server-side-encryption-aws-kms-key-id", &out->kms_key_id);
    (void)cof_headers_get(&head->headers, "x-amz-server-side-encryption", &sse);
    (void)cof_headers_get(&head->headers, "x-amz-server-side-encryption-customer-algorithm", &customer);
    for (size_t i = 0; i < sizeof order / sizeof order[0] && out->checksum == COF_CHECKSUM_NONE; i++)
        if (cof_headers_get(&head->headers, cof_aws_checksum_header(order[i]), &out->sum))
            out->checksum = order[i];
    if (customer.len > 0)
        out->sse = COF_SSE_C;
    else if (cof_view_eq(sse, COF_LIT("aws:kms")))
        out->sse = COF_SSE_KMS;
    else if (cof_view_eq(sse, COF_LIT("AES256")))
        out->sse = COF_SSE_S3;
}

enum cof_err cof_s3_check_sse(const struct cof_s3_facts *facts, const struct cof_s3_sse *asked, struct cof_diag *diag)
{
    if (asked->mode != COF_SSE_NONE && facts->sse != asked->mode)
        return cof_diag_set(diag, COF_E_AUTH, "S3 reports encryption %s though %s was asked for", cof_sse_name(facts->sse),
                            cof_sse_name(asked->mode));
    if (asked->mode == COF_SSE_KMS && asked->kms_key_id.len > 0 && cof_view_starts(asked->kms_key_id, COF_LIT("arn:")) &&
        cof_view_find(asked->kms_key_id, '/') != SIZE_MAX && !cof_view_eq(facts->kms_key_id, asked->kms_key_id) &&
        memmem(asked->kms_key_id.data, asked->kms_key_id.len, ":alias/", 7) == NULL)
        return cof_diag_set(diag, COF_E_AUTH, "S3 reports another KMS key than the one asked for");
    return COF_OK;
}
