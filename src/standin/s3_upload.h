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
    struct cof_checksum own; /* S3's own of a part, where the client brought another; else of nothing */
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
    uint8_t md5[16], sha256[32], sum[COF_CHECKSUM_MAX], own[COF_CHECKSUM_MAX];
};
COF_MUST_USE enum cof_err cof_s3_intake_digests(struct cof_s3_intake *in, struct cof_s3_digests *out);
/* What a segment's record says. */
struct cof_s3_segment {
    int n;
    uint64_t size;
    struct cof_blob_id blob;
    char key[2 * COF_S3_WRAPPED + 1]; /* wrapped, hex */
};
/* Closes the blob and makes the segment's record, number n. */
COF_MUST_USE enum cof_err cof_s3_intake_close(
    struct cof_s3_intake *in, struct cof_s3_call *call, const struct cof_secret *kek, int n, struct cof_s3_segment *segment);

/* An object in one piece, as it was stored; views and pointers are the caller's. */
struct cof_s3_stored {
    struct cof_s3_segment segment;
    char etag[40];
    int64_t modified_ms;
    const json_t *sse;
    enum cof_checksum_alg alg;
    struct cof_buf sum; /* base64 */
};
/* Closes the intake and fills out, which is to be done with in any case. */
COF_MUST_USE enum cof_err cof_s3_stored_init(struct cof_s3_stored *out, struct cof_s3_intake *in, struct cof_s3_call *call,
    const struct cof_secret *kek, const struct cof_s3_digests *digests, const json_t *sse);
void cof_s3_stored_done(struct cof_s3_stored *stored);
/* Adds the object: record, and beside it what stored says. */
COF_MUST_USE enum cof_err cof_s3_stored_add(struct cof_s3_call *call, json_t *record, const struct cof_s3_stored *stored);
/* The headers that tell of it, as cof_s3_put_headers'. */
void cof_s3_stored_headers(struct cof_s3_call *call, const json_t *record, struct cof_s3_stored *stored);
/* What segment keys are bound to: "BUCKET/KEY". */
void cof_s3_bound(const struct cof_s3_call *call, struct cof_buf *out);
/* Base64 of a digest into a fresh JSON string. */
json_t *cof_s3_base64(const uint8_t *bytes, size_t len);
#endif
