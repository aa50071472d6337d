/* SPDX-License-Identifier: Apache-2.0
 *
 * S3's door: which operation a request is, and the two ways in (whole, or piece by piece).
 */
#include "standin/s3.h"

#include "standin/reply.h"
#include "standin/s3_api.h"
#include "standin/s3_sse.h"
#include "standin/trail.h"

#include <string.h>

/* The first row that fits. param: that query parameter is there. A request with a subresource of S3's that no row names
 * is not implemented, never taken for the plain operation. */
static const struct cof_s3_op operations[] = {
    {"GET", COF_S3_SERVICE, NULL, NULL, "ListBuckets", cof_s3_list_buckets},

    {"GET", COF_S3_ACCOUNT, NULL, NULL, "GetPublicAccessBlock", cof_s3_get_account_block},
    {"PUT", COF_S3_ACCOUNT, NULL, NULL, "PutPublicAccessBlock", cof_s3_put_account_block},
    {"DELETE", COF_S3_ACCOUNT, NULL, NULL, "DeletePublicAccessBlock", cof_s3_delete_account_block},

    {"GET", COF_S3_BUCKET, "location", NULL, "GetBucketLocation", cof_s3_get_location},
    {"GET", COF_S3_BUCKET, "versioning", NULL, "GetBucketVersioning", cof_s3_get_versioning},
    {"PUT", COF_S3_BUCKET, "versioning", NULL, "PutBucketVersioning", cof_s3_put_versioning},
    {"GET", COF_S3_BUCKET, "encryption", NULL, "GetBucketEncryption", cof_s3_get_encryption},
    {"PUT", COF_S3_BUCKET, "encryption", NULL, "PutBucketEncryption", cof_s3_put_encryption},
    {"DELETE", COF_S3_BUCKET, "encryption", NULL, "DeleteBucketEncryption", cof_s3_delete_encryption},
    {"GET", COF_S3_BUCKET, "policy", NULL, "GetBucketPolicy", cof_s3_get_policy},
    {"PUT", COF_S3_BUCKET, "policy", NULL, "PutBucketPolicy", cof_s3_put_policy},
    {"DELETE", COF_S3_BUCKET, "policy", NULL, "DeleteBucketPolicy", cof_s3_delete_policy},
    {"GET", COF_S3_BUCKET, "object-lock", NULL, "GetObjectLockConfiguration", cof_s3_get_lock_config},
    {"PUT", COF_S3_BUCKET, "object-lock", NULL, "PutObjectLockConfiguration", cof_s3_put_lock_config},
    {"GET", COF_S3_BUCKET, "tagging", NULL, "GetBucketTagging", cof_s3_get_bucket_tagging},
    {"PUT", COF_S3_BUCKET, "tagging", NULL, "PutBucketTagging", cof_s3_put_bucket_tagging},
    {"DELETE", COF_S3_BUCKET, "tagging", NULL, "DeleteBucketTagging", cof_s3_delete_bucket_tagging},
    {"GET", COF_S3_BUCKET, "policyStatus", NULL, "GetBucketPolicyStatus", cof_s3_get_policy_status},
    {"GET", COF_S3_BUCKET, "publicAccessBlock", NULL, "GetPublicAccessBlock", cof_s3_get_public_block},
    {"PUT", COF_S3_BUCKET, "publicAccessBlock", NULL, "PutPublicAccessBlock", cof_s3_put_public_block},
    {"DELETE", COF_S3_BUCKET, "publicAccessBlock", NULL, "DeletePublicAccessBlock", cof_s3_delete_public_block},
    {"GET", COF_S3_BUCKET, "ownershipControls", NULL, "GetBucketOwnershipControls", cof_s3_get_ownership},
    {"PUT", COF_S3_BUCKET, "ownershipControls", NULL, "PutBucketOwnershipControls", cof_s3_put_ownership},
    {"DELETE", COF_S3_BUCKET, "ownershipControls", NULL, "DeleteBucketOwnershipControls", cof_s3_delete_ownership},
    {"GET", COF_S3_BUCKET, "acl", NULL, "GetBucketAcl", cof_s3_get_acl},
    {"PUT", COF_S3_BUCKET, "acl", NULL, "PutBucketAcl", cof_s3_put_acl},
    {"GET", COF_S3_BUCKET, "cors", NULL, "GetBucketCors", cof_s3_get_unset},
    {"GET", COF_S3_BUCKET, "website", NULL, "GetBucketWebsite", cof_s3_get_unset},
    {"GET", COF_S3_BUCKET, "lifecycle", NULL, "GetBucketLifecycleConfiguration", cof_s3_get_unset},
    {"GET", COF_S3_BUCKET, "replication", NULL, "GetBucketReplication", cof_s3_get_unset},
    {"GET", COF_S3_BUCKET, "logging", NULL, "GetBucketLogging", cof_s3_get_unset},
    {"GET", COF_S3_BUCKET, "notification", NULL, "GetBucketNotificationConfiguration", cof_s3_get_unset},
    {"GET", COF_S3_BUCKET, "requestPayment", NULL, "GetBucketRequestPayment", cof_s3_get_unset},
    {"GET", COF_S3_BUCKET, "accelerate", NULL, "GetBucketAccelerateConfiguration", cof_s3_get_unset},
    {"GET", COF_S3_BUCKET, "metrics", NULL, "ListBucketMetricsConfigurations", cof_s3_get_unset},
    {"GET", COF_S3_BUCKET, "inventory", NULL, "ListBucketInventoryConfigurations", cof_s3_get_unset},
    {"GET", COF_S3_BUCKET, "analytics", NULL, "ListBucketAnalyticsConfigurations", cof_s3_get_unset},
    {"GET", COF_S3_BUCKET, "intelligent-tiering", NULL, "ListBucketIntelligentTieringConfigurations", cof_s3_get_unset},
    {"GET", COF_S3_BUCKET, "versions", NULL, "ListObjectVersions", cof_s3_list_versions},
    {"GET", COF_S3_BUCKET, "uploads", NULL, "ListMultipartUploads", cof_s3_list_uploads},
    {"POST", COF_S3_BUCKET, "delete", NULL, "DeleteObjects", cof_s3_delete_objects},
    {"GET", COF_S3_BUCKET, "list-type", NULL, "ListObjectsV2", cof_s3_list_objects_v2},
    {"GET", COF_S3_BUCKET, NULL, NULL, "ListObjects", cof_s3_list_objects},
    {"HEAD", COF_S3_BUCKET, NULL, NULL, "HeadBucket", cof_s3_head_bucket},
    {"PUT", COF_S3_BUCKET, NULL, NULL, "CreateBucket", cof_s3_create_bucket},
    {"DELETE", COF_S3_BUCKET, NULL, NULL, "DeleteBucket", cof_s3_delete_bucket},

    {"GET", COF_S3_OBJECT, "tagging", NULL, "GetObjectTagging", cof_s3_get_tagging},
    {"PUT", COF_S3_OBJECT, "tagging", NULL, "PutObjectTagging", cof_s3_put_tagging},
    {"DELETE", COF_S3_OBJECT, "tagging", NULL, "DeleteObjectTagging", cof_s3_delete_tagging},
    {"GET", COF_S3_OBJECT, "attributes", NULL, "GetObjectAttributes", cof_s3_get_attributes},
    {"GET", COF_S3_OBJECT, "retention", NULL, "GetObjectRetention", cof_s3_get_retention},
    {"PUT", COF_S3_OBJECT, "retention", NULL, "PutObjectRetention", cof_s3_put_retention},
    {"GET", COF_S3_OBJECT, "legal-hold", NULL, "GetObjectLegalHold", cof_s3_get_legal_hold},
    {"PUT", COF_S3_OBJECT, "legal-hold", NULL, "PutObjectLegalHold", cof_s3_put_legal_hold},
    {"GET", COF_S3_OBJECT, "acl", NULL, "GetObjectAcl", cof_s3_get_acl},
    {"PUT", COF_S3_OBJECT, "acl", NULL, "PutObjectAcl", cof_s3_put_acl},
    {"PUT", COF_S3_OBJECT, "encryption", NULL, "UpdateObjectEncryption", cof_s3_update_object_encryption},
    {"POST", COF_S3_OBJECT, "uploads", NULL, "CreateMultipartUpload", cof_s3_create_upload},
    {"PUT", COF_S3_OBJECT, "uploadId", "x-amz-copy-source", "UploadPartCopy", cof_s3_copy_part},
    {"PUT", COF_S3_OBJECT, "uploadId", NULL, "UploadPart", NULL},
    {"POST", COF_S3_OBJECT, "uploadId", NULL, "CompleteMultipartUpload", cof_s3_complete_upload},
    {"DELETE", COF_S3_OBJECT, "uploadId", NULL, "AbortMultipartUpload", cof_s3_abort_upload},
    {"GET", COF_S3_OBJECT, "uploadId", NULL, "ListParts", cof_s3_list_parts},
    {"GET", COF_S3_OBJECT, NULL, NULL, "GetObject", cof_s3_get_object},
    {"HEAD", COF_S3_OBJECT, NULL, NULL, "HeadObject", cof_s3_head_object},
    {"PUT", COF_S3_OBJECT, NULL, "x-amz-copy-source", "CopyObject", cof_s3_copy_object},
    {"PUT", COF_S3_OBJECT, NULL, NULL, "PutObject", NULL},
    {"DELETE", COF_S3_OBJECT, NULL, NULL, "DeleteObject", cof_s3_delete_object},
};

static const char *const subresources[] = {"abac", "accelerate", "acl", "analytics", "attributes", "cors", "delete",
    "encryption", "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "location", "logging",
    "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics",
    "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "renameObject",
    "replication", "requestPayment", "restore", "retention", "select", "session", "tagging", "torrent", "uploadId",
    "uploads", "versioning", "versions", "website"};

static const char *subresource(const struct cof_s3_call *c)
{
    for (size_t i = 0; c->req->head->query.len > 0 && i < sizeof subresources / sizeof subresources[0]; i++)
        if (cof_s3_has_param(c, subresources[i]))
            return subresources[i];
    return NULL;
}

/* A browser asks first; no bucket here has rules that let its page in (s3_unset.c). */
static void no_cors(struct cof_s3_call *c)
{
    if (cof_s3_header(c, "origin").len == 0)
        (void)cof_s3_fail(c, 400, "BadRequest", "Insufficient information. Origin request header needed.");
    else
        (void)cof_s3_fail(c, 403, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.");
}

const struct cof_s3_op *cof_s3_route(struct cof_s3_call *c)
{
    const char *sub = subresource(c);

    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        const struct cof_s3_op *op = &operations[i];

        if (op->level != c->level || !cof_view_eq_str(c->req->head->method, op->method))
            continue;
        if (op->header != NULL && cof_s3_header(c, op->header).len == 0)
            continue;
        if (op->param != NULL ? cof_s3_has_param(c, op->param) : sub == NULL)
            return op;
    }
    if (cof_view_eq_str(c->req->head->method, "OPTIONS"))
        no_cors(c);
    else if (sub != NULL && c->level == COF_S3_OBJECT && strcmp(sub, "uploads") == 0)
        (void)cof_s3_fail(c, 400, "InvalidRequest", "Key is not expected for the GET method ?uploads subresource");
    else if (sub != NULL && c->level == COF_S3_OBJECT && strcmp(sub, "versions") == 0)
        (void)cof_s3_fail(c, 400, "InvalidRequest", "There is no such thing as the ?versions sub-resource for a key");
    else if (sub != NULL)
        (void)cof_s3_fail(
            c, 501, "NotImplemented", "A header or query you provided implies functionality that is not implemented.");
    else
        (void)cof_s3_fail(c, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
    return NULL;
}

/* Opens the call up to the operation. False: the reply holds the error (or *err). */
static bool enter(struct cof_s3_call *c, struct cof_standin *s, struct cof_standin_request *req,
    struct cof_standin_reply *reply, const struct cof_s3_op **op, enum cof_err *err)
{
    *err = COF_OK;
    *op = NULL;
    if (!cof_s3_call_init(c, s, req, reply))
        return false;
    cof_trail_object(req, c->bucket, cof_buf_view(&c->key));
    *op = cof_s3_route(c);
    if (*op == NULL)
        return false;
    if (c->level == COF_S3_SERVICE || c->level == COF_S3_ACCOUNT || (*op)->run == cof_s3_create_bucket)
        return true;
    return cof_s3_load_bucket(c, err) && cof_s3_expected_owner(c, "x-amz-expected-bucket-owner");
}

static enum cof_err handle(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    const struct cof_s3_op *op;
    struct cof_s3_call c;
    enum cof_err err;

    if (enter(&c, s, req, reply, &op, &err)) {
        cof_trail_operation(req, op->name);
        err = op->run == NULL ? COF_E_BUG : op->run(&c);
    }
    cof_s3_call_done(&c);
    return err;
}

/* The name of the operation, whatever becomes of it. */
static bool has_operation(struct cof_view name)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (cof_view_eq_str(name, operations[i].name))
            return true;
    return false;
}

static void name_operation(struct cof_standin *s, struct cof_standin_request *req)
{
    struct cof_standin_reply unused;
    const struct cof_s3_op *op = NULL;
    struct cof_s3_call c;

    cof_reply_init(&unused);
    if (cof_s3_call_init(&c, s, req, &unused))
        op = cof_s3_route(&c);
    if (op != NULL)
        cof_trail_operation(req, op->name);
    cof_s3_call_done(&c);
    cof_reply_done(&unused);
}

static enum cof_err stream(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_sink *sink,
    struct cof_standin_reply *reply)
{
    const struct cof_s3_op *op;
    struct cof_s3_call c;
    enum cof_err err;

    if (!cof_view_eq_str(req->head->method, "PUT"))
        return COF_OK;
    if (enter(&c, s, req, reply, &op, &err) && op->run == NULL) {
        cof_trail_operation(req, op->name);
        err = cof_s3_put_stream(&c, sink);
    }
    cof_s3_call_done(&c);
    return err;
}

enum cof_err cof_s3_bootstrap(
    struct cof_standin *s, const struct json_t *manifest, int64_t now_ms, struct cof_diag *diag);

const struct cof_service cof_service_s3 = {
    .name = "s3",
    .anonymous = true,
    .name_operation = name_operation,
    .has_operation = has_operation,
    .handle = handle,
    .stream = stream,
    .bootstrap = cof_s3_bootstrap,
    .start = cof_s3_sse_start,
    .stop = cof_s3_sse_stop,
};
