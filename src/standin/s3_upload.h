/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes on their way into a segment: hashed, counted, encrypted, written. PutObject, UploadPart, and copies go through
 * this; only what comes before (framing) and after (which record names the segment) differs.
 */
#ifndef COF_STANDIN_S3_UPLOAD_H
#define COF_STANDIN_S3_UPLOAD_H

#include "crypto/checksum.h"
#include "crypto/md5_many.h"
#include "standin/s3_api.h"
#include "standin/s3_crypt.h"

struct cof_s3_intake {
    struct cof_s3_writer writer;
    bool gathered;           /* digests are made at the end, of what the writer gathered */
    bool no_md5;             /* nobody asks for it */
    struct cof_md5_job job;  /* of what was gathered */
    struct cof_hash *md5;    /* of what was not; or, of a long body, */
    const struct cof_standin_aside *aside; /* NULL: none, */
    struct cof_aside_digest *beside;
    struct cof_hash *sha256; /* when the payload's hash was signed */
    struct cof_checksum sum;
    uint64_t size;
};

COF_MUST_USE enum cof_err cof_s3_intake_init(
    struct cof_s3_intake *in, struct cof_s3_call *call, enum cof_checksum_alg alg, bool sha256);
/* The bytes will be so many: few ones are gathered, so that their MD5 can be computed beside others'; that of many is made by
 * another thread, where there is one. */
COF_MUST_USE enum cof_err cof_s3_intake_expect(struct cof_s3_intake *in, const struct cof_s3_call *call, uint64_t size);
/* The digest that is wanted of what was gathered and not there yet, or NULL. */
struct cof_md5_job *cof_s3_intake_md5(struct cof_s3_intake *in);
COF_MUST_USE enum cof_err cof_s3_intake_add(struct cof_s3_intake *in, struct cof_view piece);
void cof_s3_intake_done(struct cof_s3_intake *in);

struct cof_s3_digests {
    uint8_t md5[16], sha256[32], sum[COF_CHECKSUM_MAX];
};
COF_MUST_USE enum cof_err cof_s3_intake_digests(struct cof_s3_intake *in, struct cof_s3_digests *out);
/* Closes the blob and makes the segment's record: wrapped key, size, number n. */
COF_MUST_USE enum cof_err cof_s3_intake_close(
    struct cof_s3_intake *in, struct cof_s3_call *call, const struct cof_secret *kek, int n, json_t **segment);
/* Adds to the record of an object in one piece what its body was. */
COF_MUST_USE enum cof_err cof_s3_describe(const struct cof_s3_call *call, const struct cof_s3_intake *in, const struct cof_s3_digests *digests,
    const char *etag, const json_t *sse, const json_t *segment, json_t *record);
/* What segment keys are bound to: "BUCKET/KEY". */
void cof_s3_bound(const struct cof_s3_call *call, struct cof_buf *out);
/* Base64 of a digest into a fresh JSON string. */
json_t *cof_s3_base64(const uint8_t *bytes, size_t len);
/* The ETag of an object in one piece: its MD5, or (SSE-KMS, SSE-C) 16 random bytes, as the service's is no digest then. */
COF_MUST_USE enum cof_err cof_s3_make_etag(
    struct cof_s3_call *call, const json_t *sse, const uint8_t md5[16], char out[static 40]);

#endif
