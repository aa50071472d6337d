/* SPDX-License-Identifier: Apache-2.0
 *
 * Server-side encryption: SSE-S3 (AES256), SSE-KMS (aws:kms), SSE-C (the customer's key on every request). Each gives a
 * key-encryption key for the segment keys of s3_crypt.h.
 *
 * In an object's record: {"mode": "AES256"}
 *   {"mode": "aws:kms", "key_id": ARN, "context": {...}, "given": the context as it was given, "blob": hex, "bucket_key": bool}
 *   {"mode": "SSE-C", "md5": base64, "salt": hex, "check": hex}      the customer's key itself is never kept
 */
#ifndef COF_STANDIN_S3_SSE_H
#define COF_STANDIN_S3_SSE_H

#include "base/secret.h"
#include "standin/s3_api.h"
#include "standin/s3_crypt.h"

enum cof_s3_sse_mode { COF_S3_SSE_NONE, COF_S3_SSE_S3, COF_S3_SSE_KMS, COF_S3_SSE_C };

struct cof_s3_sse {
    enum cof_s3_sse_mode mode;
    struct cof_view key_id;      /* SSE-KMS: as given; empty: the default key */
    struct cof_view context;     /* SSE-KMS: base64 JSON as given */
    bool bucket_key;
    struct cof_secret customer;  /* SSE-C */
    struct cof_view md5;         /* SSE-C: as given */
};

/* The service's state: the key-encryption key of SSE-S3 (cof_service's start and stop). */
COF_MUST_USE enum cof_err cof_s3_sse_start(struct cof_standin *s, void **state, struct cof_diag *diag);
void cof_s3_sse_stop(struct cof_standin *s, void *state);
/* For wrapping and unwrapping; key has to stay. */
struct cof_s3_kek cof_s3_sse_kek(struct cof_standin *s, const struct cof_secret *key);

/* What a writing request asks for, the bucket's default where it asks for nothing. False: the reply holds the error. */
bool cof_s3_sse_for_write(struct cof_s3_call *call, struct cof_s3_sse *out, enum cof_err *err);
/* The customer's key of a reading request; copy_source: the x-amz-copy-source-... headers. mode is NONE or C. */
bool cof_s3_sse_for_read(struct cof_s3_call *call, bool copy_source, struct cof_s3_sse *out);
void cof_s3_sse_done(struct cof_s3_sse *sse);

/* Starts an object: its "sse" record and the key-encryption key. False: reply or *err. */
bool cof_s3_sse_begin(
    struct cof_s3_call *call, const struct cof_s3_sse *sse, json_t **record, struct cof_secret *kek, enum cof_err *err);
/* The key-encryption key of a stored object (or upload). False: reply or *err. */
bool cof_s3_sse_open(struct cof_s3_call *call, const json_t *record, const struct cof_s3_sse *sse,
    struct cof_secret *kek, enum cof_err *err);
/* The same questions for HEAD, which needs no key of the KMS: spec: kms:Decrypt is not asked for. */
bool cof_s3_sse_check(struct cof_s3_call *call, const json_t *record, const struct cof_s3_sse *sse, enum cof_err *err);
/* The reply's encryption headers. */
void cof_s3_sse_headers(struct cof_s3_call *call, const json_t *record);

#endif
