/* SPDX-License-Identifier: Apache-2.0
 *
 * Amazon S3 calls ("Amazon S3 API Reference"): requests with the three server-side encryption modes, and what replies say.
 */
#ifndef COF_ENGINE_S3_CALL_H
#define COF_ENGINE_S3_CALL_H

#include "base/secret.h"
#include "engine/aws_request.h"
#include "format/http1.h"

enum cof_sse { COF_SSE_NONE, COF_SSE_S3, COF_SSE_KMS, COF_SSE_C };

struct cof_s3_sse {
    enum cof_sse mode;
    struct cof_view kms_key_id;            /* SSE-KMS; empty: the account's default key */
    struct cof_view kms_context;           /* SSE-KMS: a JSON object of texts; empty: none */
    bool bucket_key;                       /* SSE-KMS: one KMS call for many objects */
    const struct cof_secret *customer_key; /* SSE-C: 32 bytes */
};

/* "sse-s3", "sse-kms", "sse-c", "none", and the older names "default", "KMS", "SSE_C". COF_E_USAGE. */
COF_MUST_USE enum cof_err cof_sse_parse(const char *text, enum cof_sse *out);
const char *cof_sse_name(enum cof_sse mode);

/* What an object is given besides its bytes; all may be empty. */
struct cof_s3_attributes {
    struct cof_view content_type;
    struct cof_view tags;                  /* as a query string, "a=1&b=2", encoded */
    struct cof_view lock_mode, lock_until; /* GOVERNANCE or COMPLIANCE, ISO 8601; both or none */
    bool legal_hold;
    struct cof_view storage_class;
};

#define COF_S3_SUM_MAX 104 /* bytes of a checksum as text, with its NUL */

struct cof_s3_put {
    struct cof_view bucket, key;
    struct cof_s3_attributes attributes;
    struct cof_s3_sse sse;
    bool create_only;   /* If-None-Match: * */
    struct cof_view if_match; /* an ETag: only an object that still has it is replaced. May be empty; not with create_only */
    struct cof_view body; /* small objects; or */
    bool streaming;
    uint64_t length;
    enum cof_checksum_alg checksum; /* what the bytes are checked by; none: what the client has by default */
    struct cof_view sum; /* its value in base64, when known before; may be empty */
    struct cof_view sha256; /* streaming in the clear: hex of the body's hash, so that it is signed in one piece; may be empty */
};
COF_MUST_USE enum cof_err cof_s3_put_object(struct cof_aws_request *out, const struct cof_s3_put *put);

struct cof_s3_get {
    struct cof_view bucket, key, version_id; /* version_id may be empty */
    struct cof_s3_sse sse; /* SSE-C: the key is needed again */
    bool head;             /* HeadObject */
    bool no_checksum;      /* S3 is not asked for the checksum it keeps */
    struct cof_view range; /* "bytes=0-9", or empty */
    unsigned part;         /* with checksum: this part of a multipart upload; 0: none */
    struct cof_view if_match; /* an ETag; COF_E_PRECONDITION when it is another one. May be empty */
};
COF_MUST_USE enum cof_err cof_s3_get_object(struct cof_aws_request *out, const struct cof_s3_get *get);
/* version_id may be empty: then a versioned bucket keeps the object under a delete marker. */
COF_MUST_USE enum cof_err cof_s3_delete_object(struct cof_aws_request *out, struct cof_view bucket, struct cof_view key,
                                               struct cof_view version_id);
/* UpdateObjectEncryption: S3 wraps the object's data key anew, under the KMS key of that ARN. version_id may be empty. */
COF_MUST_USE enum cof_err cof_s3_rewrap_object(struct cof_aws_request *out, struct cof_view bucket, struct cof_view key,
                                                   struct cof_view version_id, struct cof_view kms_key_arn, bool bucket_key);
COF_MUST_USE enum cof_err cof_s3_list_objects(struct cof_aws_request *out, struct cof_view bucket, struct cof_view prefix,
                                              struct cof_view continuation);
/* ListObjectVersions; the markers are those of the page before, or empty. */
COF_MUST_USE enum cof_err cof_s3_list_versions(struct cof_aws_request *out, struct cof_view bucket, struct cof_view prefix,
                                               struct cof_view key_marker, struct cof_view version_marker);
COF_MUST_USE enum cof_err cof_s3_list_buckets(struct cof_aws_request *out);
/* What a Put, Get or Head reply's headers say; views into the head. */
struct cof_s3_facts {
    struct cof_view etag, version_id, content_type;
    enum cof_checksum_alg checksum; /* none: S3 tells no checksum */
    struct cof_view sum;            /* as S3 writes it: base64, and "-N" where it is one of N parts */
    enum cof_sse sse;
    struct cof_view kms_key_id;
};
void cof_s3_facts_read(const struct cof_http_head *head, struct cof_s3_facts *out);
/* Whether S3 encrypted as asked: COF_E_AUTH with words when it did not. */
COF_MUST_USE enum cof_err cof_s3_check_sse(const struct cof_s3_facts *facts, const struct cof_s3_sse *asked,
                                           struct cof_diag *diag);

#endif
