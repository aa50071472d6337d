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
    const struct cof_secret *customer_key; /* SSE-C: 32 bytes */
};

/* "sse-s3", "sse-kms", "sse-c", "none", and the older names "default", "KMS", "SSE_C". COF_E_USAGE. */
COF_MUST_USE enum cof_err cof_sse_parse(const char *text, enum cof_sse *out);
const char *cof_sse_name(enum cof_sse mode);

struct cof_s3_put {
    struct cof_view bucket, key, content_type; /* content_type may be empty */
    struct cof_s3_sse sse;
    bool create_only;   /* If-None-Match: * */
    struct cof_view body; /* small objects; or */
    bool streaming;
    uint64_t length;
    struct cof_view crc64; /* base64 CRC64NVME, when known before; may be empty */
};
COF_MUST_USE enum cof_err cof_s3_put_object(struct cof_aws_request *out, const struct cof_s3_put *put);

struct cof_s3_get {
    struct cof_view bucket, key, version_id; /* version_id may be empty */
    struct cof_s3_sse sse; /* SSE-C: the key is needed again */
    bool head;             /* HeadObject */
    struct cof_view range; /* "bytes=0-9", or empty */
};
COF_MUST_USE enum cof_err cof_s3_get_object(struct cof_aws_request *out, const struct cof_s3_get *get);
COF_MUST_USE enum cof_err cof_s3_delete_object(struct cof_aws_request *out, struct cof_view bucket, struct cof_view key);
COF_MUST_USE enum cof_err cof_s3_list_objects(struct cof_aws_request *out, struct cof_view bucket, struct cof_view prefix,
                                              struct cof_view continuation);

/* What a Put, Get or Head reply's headers say; views into the head. */
struct cof_s3_facts {
    struct cof_view etag, version_id, content_type, crc64;
    enum cof_sse sse;
    struct cof_view kms_key_id;
};
void cof_s3_facts_read(const struct cof_http_head *head, struct cof_s3_facts *out);
/* Whether S3 encrypted as asked: COF_E_AUTH with words when it did not. */
COF_MUST_USE enum cof_err cof_s3_check_sse(const struct cof_s3_facts *facts, const struct cof_s3_sse *asked,
                                           struct cof_diag *diag);

#endif
