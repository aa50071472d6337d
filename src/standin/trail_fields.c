/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/trail_fields.h"

#include "base/num.h"
#include "format/json.h"
#include "format/uri.h"
#include "standin/auth.h"
#include "standin/trail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HIDDEN "HIDDEN_DUE_TO_SECURITY_REASONS" /* what CloudTrail writes in their place */
#define TEXT_MAX 4096
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* Operations that are data events, and management operations that only read but are not called Get, List, Describe or Head. */
static const char *const sqs_data[] = {"SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage",
    "DeleteMessageBatch", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch"};
static const char *const kms_reads[] = {"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateRandom", "GenerateMac", "VerifyMac", "ReEncrypt",
    "Sign", "Verify", "DeriveSharedSecret"};
static const char *const s3_data[] = {"PutObject", "GetObject", "HeadObject", "DeleteObject", "DeleteObjects", "CopyObject",
    "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload", "ListParts",
    "ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads", "GetObjectTagging", "PutObjectTagging",
    "DeleteObjectTagging", "GetObjectAcl", "PutObjectAcl", "GetObjectAttributes", "GetObjectRetention", "PutObjectRetention",
    "GetObjectLegalHold", "PutObjectLegalHold", "RestoreObject", "UpdateObjectEncryption", "HeadBucket"};

static const char *const kms_parameters[] = {"KeyId", "EncryptionAlgorithm", "EncryptionContext", "KeySpec", "KeyPairSpec",
    "NumberOfBytes", "CustomerMasterKeySpec", "KeyUsage", "Origin", "AliasName", "TargetKeyId", "Description", "Policy", "PolicyName",
    "BypassPolicyLockoutSafetyCheck", "PendingWindowInDays", "SigningAlgorithm", "MessageType", "SourceKeyId", "DestinationKeyId",
    "SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm", "SourceEncryptionContext", "DestinationEncryptionContext",
    "MultiRegion", "Tags", "TagKeys", "RotationPeriodInDays", "KeyAgreementAlgorithm", "MacAlgorithm", "Limit", "Marker", "DryRun", NULL};
static const char *const sqs_parameters[] = {"QueueUrl", "QueueName", "QueueOwnerAWSAccountId", "QueueNamePrefix", "MaxNumberOfMessages",
    "MaxResults", "WaitTimeSeconds", "VisibilityTimeout", "DelaySeconds", "AttributeNames", "MessageSystemAttributeNames",
    "MessageAttributeNames", "Attributes", "tags", "TagKeys", "SourceArn", "DestinationArn", "TaskHandle",
    "MaxNumberOfMessagesPerSecond", "Label", "AWSAccountIds", "Actions", "MessageGroupId", "MessageDeduplicationId", NULL};
static const char *const iam_parameters[] = {"RoleArn", "RoleSessionName", "DurationSeconds", "ExternalId", "Policy", "SerialNumber",
    "ProviderId", "SourceIdentity", "UserName", "RoleName", "GroupName", "PolicyName", "PolicyArn", "PolicyDocument", "Path", "PathPrefix",
    "AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "PermissionsBoundary", "AccessKeyId", "Status", "NewUserName",
    "NewPath", "VersionId", "SetAsDefault", "VirtualMFADeviceName", "Marker", "MaxItems", "NewGroupName", "Name", NULL};
static const char *const form_parameters[] = {"grant_type", "client_id", "scope", "audience", NULL};
static const char *const s3_query[] = {"accelerate", "acl", "attributes", "continuation-token", "cors", "delete", "delimiter",
    "encoding-type", "encryption", "fetch-owner", "key-marker", "legal-hold", "lifecycle", "list-type", "location", "logging", "marker",
    "max-keys", "max-parts", "max-uploads", "notification", "object-lock", "ownershipControls", "part-number-marker", "partNumber",
    "policy", "policyStatus", "prefix", "publicAccessBlock", "replication", "requestPayment", "restore", "retention", "start-after",
    "tagging", "torrent", "upload-id-marker", "uploadId", "uploads", "version-id-marker", "versionId", "versioning", "versions",
    "website", "X-Amz-Algorithm", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", NULL};
static const char *const s3_headers[] = {"x-amz-acl", "x-amz-bypass-governance-retention", "x-amz-checksum-algorithm",
    "x-amz-copy-source", "x-amz-copy-source-range", "x-amz-expected-bucket-owner", "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-ownership", "x-amz-bucket-object-lock-enabled",
    "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-context", "x-amz-server-side-encryption-customer-algorithm", "x-amz-storage-class", "x-amz-tagging",
    "x-amz-metadata-directive", "x-amz-tagging-directive", "if-match", "if-none-match", "range", NULL};
static const char *const s3_elements[] = {"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled", "x-amz-server-side-encryption-customer-algorithm", "x-amz-version-id",
    "x-amz-delete-marker", "x-amz-copy-source-version-id", "location", NULL};

/* Most names differ in their first letter. */
static bool is_name(const char *a, const char *b)
{
    return a[0] == b[0] && strcmp(a, b) == 0;
}

static bool is_in(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n && list[i] != NULL; i++)
        if (is_name(name, list[i]))
            return true;
    return false;
}

static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool is_word(struct cof_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!((v.data[i] >= 'A' && v.data[i] <= 'Z') || (v.data[i] >= 'a' && v.data[i] <= 'z') || (v.data[i] >= '0' && v.data[i] <= '9')))
            return false;
    return v.len > 0;
}

void cof_trail_name(struct cof_standin_request *req)
{
    char *out = req->notes.operation;
    struct cof_view target, service, name;
    struct cof_buf action;

    if (out[0] != '\0' || strcmp(req->service, "s3") == 0)
        return;
    if (cof_headers_get(&req->head->headers, "x-amz-target", &target)) {
        if (cof_view_split(target, '.', &service, &name) && is_word(name))
            cof_view_copy(name, out, sizeof req->notes.operation);
        return;
    }
    cof_buf_init(&action, sizeof req->notes.operation - 1);
    if (cof_query_get(req->body.len > 0 ? req->body : req->head->query, "Action", &action) == COF_OK && is_word(cof_buf_view(&action)))
        cof_view_copy(cof_buf_view(&action), out, sizeof req->notes.operation);
    cof_buf_done(&action);
}

/* ...else what was authorised, else the method. */
static void name_event(const struct cof_standin_request *req, struct cof_trail_event *e)
{
    struct cof_view service, name;

    if (req->notes.operation[0] != '\0')
        cof_view_copy(cof_view_str(req->notes.operation), e->name, sizeof e->name);
    else if (cof_view_split(cof_view_str(req->action), ':', &service, &name))
        cof_view_copy(name, e->name, sizeof e->name);
    else
        (void)snprintf(e->name, sizeof e->name, "%.*sRequest", (int)(req->head->method.len < 16 ? req->head->method.len : 16),
            (const char *)req->head->method.data);
}

void cof_trail_classify(const struct cof_standin_request *req, struct cof_trail_event *e)
{
    bool s3 = strcmp(req->service, "s3") == 0, kms = strcmp(req->service, "kms") == 0, sqs = strcmp(req->service, "sqs") == 0,
         sts = strcmp(req->service, "sts") == 0;

    *e = (struct cof_trail_event){.management = true};
    name_event(req, e);
    e->read_only = begins(e->name, "Get") || begins(e->name, "List") || begins(e->name, "Describe") || begins(e->name, "Head");
    if (s3)
        e->management = !is_in(e->name, s3_data, COUNT(s3_data));
    else if (sqs)
        e->management = !is_in(e->name, sqs_data, COUNT(sqs_data));
    else if (kms)
        e->read_only = e->read_only || is_in(e->name, kms_reads, COUNT(kms_reads));
    else if (sts)
        e->read_only = true;
    if (sqs && strcmp(e->name, "ReceiveMessage") == 0)
        e->read_only = true;
}

/* "KeyId" is "keyId" in a record; "tags" and "DryRun" likewise. */
static void add_name(struct cof_buf *out, const char *name)
{
    char small[64];

    cof_view_copy(cof_view_str(name), small, sizeof small);
    if (small[0] >= 'A' && small[0] <= 'Z' && strncmp(small, "X-Amz", 5) != 0)
        small[0] = (char)(small[0] + 32);
    cof_json_add_name(out, small);
}

static void add_text(struct cof_buf *out, const char *name, struct cof_view value)
{
    add_name(out, name);
    cof_json_add_text(out, cof_view_sub(value, 0, TEXT_MAX));
}

static void add_value(struct cof_buf *out, const json_t *value)
{
    if (json_is_string(value))
        cof_json_add_text(out, cof_view_sub(cof_view_of(json_string_value(value), json_string_length(value)), 0, 2 * TEXT_MAX));
    else
        cof_json_add_value(out, value);
}

void cof_trail_json(const char *service, const struct json_t *parameters, struct cof_buf *out)
{
    bool kms = strcmp(service, "kms") == 0;
    json_t *mutable = (json_t *)(uintptr_t)parameters, *value; /* jansson's iterators want it so; nothing is changed */
    const char *name;
    uint64_t there = 0; /* a bit for each of the list, which is shorter: a request has few of them */
    const char *const *list = kms ? kms_parameters : strcmp(service, "sqs") == 0 ? sqs_parameters : iam_parameters;

    json_object_foreach(mutable, name, value)
        for (size_t i = 0; list[i] != NULL; i++)
            if (is_name(name, list[i])) {
                there |= UINT64_C(1) << i;
                break;
            }
    for (size_t i = 0; there >> i != 0; i++)
        if ((there >> i & 1) != 0) {
            add_name(out, list[i]);
            add_value(out, json_object_get(parameters, list[i]));
        }
    if (json_object_get(parameters, "MessageBody") != NULL)
        cof_json_add_member(out, "messageBody", COF_LIT(HIDDEN));
    if (json_is_array(json_object_get(parameters, "Entries")))
        cof_json_add_member_int(out, "numberOfEntries", (int64_t)json_array_size(json_object_get(parameters, "Entries")));
}

static void add_form(struct cof_view form, const char *const *list, struct cof_buf *out)
{
    struct cof_buf value;

    cof_buf_init_secret(&value, TEXT_MAX);
    for (; *list != NULL; list++) {
        cof_buf_reset(&value);
        if (cof_query_get(form, *list, &value) == COF_OK)
            add_text(out, *list, cof_buf_view(&value));
    }
    cof_buf_done(&value);
}

/* Bucket and key, as S3 read them; else the path. */
static void add_bucket(const struct cof_standin_request *req, struct cof_buf *out)
{
    struct cof_view bucket, key, host;

    if (req->notes.object.len > 1) {
        (void)cof_view_split(cof_buf_view(&req->notes.object), '/', &bucket, &key);
        cof_json_add_member(out, "bucketName", bucket);
        if (key.len > 0)
            cof_json_add_member(out, "key", cof_view_sub(key, 0, TEXT_MAX));
    } else if (req->head->path.len > 1) {
        cof_json_add_member(out, "path", cof_view_sub(req->head->path, 0, TEXT_MAX));
    }
    if (cof_headers_get(&req->head->headers, "host", &host))
        cof_json_add_member(out, "Host", cof_view_sub(host, 0, 256));
}

static void add_headers(const struct cof_headers *headers, const char *const *list, struct cof_buf *out)
{
    for (size_t i = 0; i < headers->n; i++) {
        struct cof_view name = cof_headers_name(headers, i);
        char small[64];
        size_t at;

        if (name.len >= sizeof small)
            continue;
        for (at = 0; at < name.len; at++)
            small[at] = (char)(name.data[at] >= 'A' && name.data[at] <= 'Z' ? name.data[at] + 32 : name.data[at]);
        small[at] = '\0';
        if (is_in(small, list, SIZE_MAX) && cof_headers_count(headers, small) == 1)
            add_text(out, small, cof_headers_value(headers, i));
    }
}

/* Only the names that are there and in the list; each once. */
static void add_query(struct cof_view query, const char *const *list, struct cof_buf *out)
{
    struct cof_buf value;

    if (query.len == 0)
        return;
    cof_buf_init(&value, TEXT_MAX);
    for (; *list != NULL; list++) {
        cof_buf_reset(&value);
        if (cof_query_has(query, *list) && cof_query_get(query, *list, &value) == COF_OK)
            add_text(out, *list, cof_buf_view(&value));
    }
    cof_buf_done(&value);
}

const struct cof_buf *cof_trail_request(const struct cof_standin_request *req, const struct cof_trail_event *e, struct cof_buf *made)
{
    const struct cof_buf *noted = &req->notes.parameters;

    if (strcmp(req->service, "s3") == 0) {
        add_bucket(req, made);
        add_query(req->head->query, s3_query, made);
        add_headers(&req->head->headers, s3_headers, made);
    } else if (cof_buf_err(noted) != COF_OK || noted->len > 0) {
        return noted;
    } else if (strcmp(req->service, "sts") == 0 || strcmp(req->service, "iam") == 0) {
        add_form(req->body, iam_parameters, made);
        if (strcmp(e->name, "AssumeRoleWithWebIdentity") == 0)
            cof_json_add_member(made, "webIdentityToken", COF_LIT(HIDDEN));
    } else if (req->head->path.len > 1) {
        cof_json_add_member(made, "path", cof_view_sub(req->head->path, 0, 1024));
        if (strcmp(req->service, "oauth") == 0)
            add_form(req->body, form_parameters, made);
    }
    return made;
}

/* The text between begin and end in a body of our own making. */
static bool between(struct cof_view body, const char *begin, const char *end, struct cof_view *out)
{
    const void *from = memmem(body.data, body.len, begin, strlen(begin)), *to;
    size_t at;

    if (body.len == 0 || from == NULL)
        return false;
    at = (size_t)((const uint8_t *)from - body.data) + strlen(begin);
    to = memmem(body.data + at, body.len - at, end, strlen(end));
    if (to == NULL)
        return false;
    *out = cof_view_sub(body, at, (size_t)((const uint8_t *)to - body.data) - at);
    return true;
}

static void sts_elements(struct cof_view body, struct cof_buf *out)
{
    struct cof_view id, expires, arn, user;

    if (!between(body, "<AccessKeyId>", "</AccessKeyId>", &id) || !between(body, "<Expiration>", "</Expiration>", &expires))
        return;
    cof_json_add_name(out, "credentials");
    cof_buf_add_str(out, "{");
    cof_json_add_member(out, "accessKeyId", id);
    cof_json_add_member(out, "expiration", expires);
    cof_buf_add_str(out, "}");
    if (between(body, "<Arn>", "</Arn>", &arn) && between(body, "<AssumedRoleId>", "</AssumedRoleId>", &user)) {
        cof_json_add_name(out, "assumedRoleUser");
        cof_buf_add_str(out, "{");
        cof_json_add_member(out, "assumedRoleId", user);
        cof_json_add_member(out, "arn", arn);
        cof_buf_add_str(out, "}");
    }
}

/* A member of text of a JSON body of our own making; values with escapes are left out. */
static void json_element(struct cof_view body, const char *name, const char *begin, struct cof_buf *out)
{
    struct cof_view value;

    if (between(body, begin, "\"", &value) && cof_view_find(value, '\\') == SIZE_MAX)
        add_text(out, name, value);
}

static void kms_elements(struct cof_view body, struct cof_buf *out)
{
    json_t *json;
    const json_t *metadata;

    if (cof_json_parse_object(body, 65536, &json, NULL) != COF_OK)
        return;
    metadata = json_object_get(json, "KeyMetadata");
    if (metadata != NULL) {
        cof_json_add_name(out, "keyMetadata");
        add_value(out, metadata);
    } else if (json_is_string(json_object_get(json, "KeyId"))) {
        cof_json_add_name(out, "keyId");
        add_value(out, json_object_get(json, "KeyId"));
    }
    json_decref(json);
}

void cof_trail_response(const struct cof_standin_request *req, const struct cof_standin_reply *reply,
                        const struct cof_trail_event *e, struct cof_buf *out)
{
    static const struct { const char *name, *begin; } members[] = {{"MessageId", "\"MessageId\":\""},
        {"MD5OfMessageBody", "\"MD5OfMessageBody\":\""}, {"MD5OfMessageAttributes", "\"MD5OfMessageAttributes\":\""},
        {"QueueUrl", "\"QueueUrl\":\""}, {"TaskHandle", "\"TaskHandle\":\""}};
    struct cof_view body = cof_buf_view(&reply->body);

    if (reply->status >= 400)
        return;
    if (strcmp(req->service, "sts") == 0) {
        sts_elements(body, out);
    } else if (e->read_only) {
        return; /* spec: responseElements is null for what changes nothing */
    } else if (strcmp(req->service, "s3") == 0) {
        add_headers(&reply->headers, s3_elements, out);
    } else if (strcmp(req->service, "kms") == 0) {
        kms_elements(body, out);
    } else if (strcmp(req->service, "sqs") == 0) {
        for (size_t i = 0; i < COUNT(members); i++)
            json_element(body, members[i].name, members[i].begin, out);
    }
}

void cof_trail_data(const struct cof_standin_request *req, const struct cof_standin_reply *reply,
                    const struct cof_trail_event *e, struct cof_buf *out)
{
    struct cof_view sse = {0}, decoded;
    uint64_t length = req->head->length;

    (void)e;
    if (strcmp(req->service, "s3") != 0)
        return;
    if (req->auth->is_signed) {
        cof_json_add_member(out, "SignatureVersion", COF_LIT("SigV4"));
        cof_json_add_member(out, "AuthenticationMethod", req->auth->claim.presigned ? COF_LIT("QueryString") : COF_LIT("AuthHeader"));
    }
    if (cof_headers_get(&req->head->headers, "x-amz-decoded-content-length", &decoded) &&
        cof_parse_u64(decoded, INT64_MAX, &length) != COF_OK)
        length = req->head->length;
    cof_json_add_member_int(out, "bytesTransferredIn", (int64_t)length);
    cof_json_add_member_int(out, "bytesTransferredOut",
        (int64_t)(reply->stream.pull != NULL ? reply->stream.length : reply->body.len));
    if (reply->status < 300 && cof_headers_get(&reply->headers, "x-amz-server-side-encryption", &sse))
        cof_json_add_member(out, "SSEApplied", cof_view_eq_str(sse, "AES256") ? COF_LIT("SSE_S3") : COF_LIT("SSE_KMS"));
    else if (cof_headers_count(&reply->headers, "x-amz-server-side-encryption-customer-algorithm") > 0)
        cof_json_add_member(out, "SSEApplied", COF_LIT("SSE_C"));
}
