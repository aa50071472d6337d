/* SPDX-License-Identifier: Apache-2.0
 *
 * Multipart uploads: begun, filled with parts, completed by joining the parts' segments (no byte is copied), or aborted.
 */
#ifndef COF_STANDIN_S3_MULTIPART_H
#define COF_STANDIN_S3_MULTIPART_H

#include "standin/s3_sse.h"
#include "standin/s3_upload.h"

/* UploadPart before its body: the upload's record, the part's number, the customer's key. False: reply or *err. */
bool cof_s3_part_prepare(
    struct cof_s3_call *call, json_t **upload, int *number, struct cof_s3_sse *sse, enum cof_err *err);
/* UploadPart after its body: replaces a part of that number. */
COF_MUST_USE enum cof_err cof_s3_part_add(struct cof_s3_call *call, const json_t *upload, const struct cof_s3_sse *sse,
    int number, struct cof_s3_intake *intake, const struct cof_s3_digests *digests);

#endif
