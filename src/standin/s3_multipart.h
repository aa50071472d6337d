/* SPDX-License-Identifier: Apache-2.0
 *
 * Multipart uploads: begun, filled with parts, completed by joining the parts' segments (no byte is copied), or aborted.
 */
#ifndef COF_STANDIN_S3_MULTIPART_H
#define COF_STANDIN_S3_MULTIPART_H

#include "standin/s3_sse.h"
#include "standin/s3_upload.h"

/* The upload that the parameter uploadId names; the caller's. False: the reply holds NoSuchUpload (or *err). */
bool cof_s3_upload_load(struct cof_s3_call *call, json_t **out, enum cof_err *err);
/* Removes the upload and its parts; the blobs of segments in keep (may be NULL) stay. */
COF_MUST_USE enum cof_err cof_s3_upload_drop(struct cof_s3_call *call, const json_t *upload, const json_t *keep);
/* Removes all of the bucket's uploads: they go with it. */
COF_MUST_USE enum cof_err cof_s3_uploads_drop(struct cof_s3_call *call);
/* Whether a composite checksum was asked for: then each part must have one. */
bool cof_s3_upload_is_composite(const json_t *upload);
/* The key of a part in s3.part. */
void cof_s3_part_key(const char *upload, int number, char out[static 80]);
/* "sha256", "null": as AWS writes a checksum's name in sentences. */
void cof_s3_sum_small_name(enum cof_checksum_alg alg, char out[static 16]);

/* UploadPart before its body: the upload's record, the part's number, the customer's key. False: reply or *err. */
bool cof_s3_part_prepare(
    struct cof_s3_call *call, json_t **upload, int *number, struct cof_s3_sse *sse, enum cof_err *err);
/* The checksum that a part comes with must be the upload's kind; parts of a composite must have one. alg: NONE when it has
 * none. False: the reply holds the error. */
bool cof_s3_part_sum_ok(struct cof_s3_call *call, const json_t *upload, enum cof_checksum_alg alg);
/* UploadPart after its body: replaces a part of that number. told: the reply tells the part's checksum. */
COF_MUST_USE enum cof_err cof_s3_part_add(struct cof_s3_call *call, const json_t *upload, const struct cof_s3_sse *sse,
    int number, struct cof_s3_intake *intake, const struct cof_s3_digests *digests, bool told);

#endif
