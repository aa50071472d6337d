/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies within S3: CopyObject, UploadPartCopy, and what of the source a copy in parts must be given by hand ("Copying objects", S3 User
 * Guide). Replies are read by cof_s3_read_completed.
 */
#ifndef COF_ENGINE_S3_COPY_H
#define COF_ENGINE_S3_COPY_H

#include "engine/s3_multipart.h"

#define COF_S3_COPY_MAX ((uint64_t)5 << 30) /* bytes of an object that one CopyObject takes */

/* S3 carries headers, metadata and tags over. Of from version_id, if_match and the customer's key are looked at, of to all but the body,
 * content type and tags. */
COF_MUST_USE enum cof_err cof_s3_copy_whole(struct cof_aws_request *out, const struct cof_s3_get *from, const struct cof_s3_put *to);
/* Bytes first .. first+length-1 of the source become that part. */
COF_MUST_USE enum cof_err cof_s3_copy_range(struct cof_aws_request *out, const struct cof_s3_upload_of *upload, const struct cof_s3_get *from,
                                            unsigned number, uint64_t first, uint64_t length);

/* Of a HEAD's reply the headers that the object was stored with and that a new one must be given to be the same. */
void cof_s3_copy_headers(const struct cof_headers *from, struct cof_headers *to);
/* GetObjectTagging. */
COF_MUST_USE enum cof_err cof_s3_get_tags(struct cof_aws_request *out, const struct cof_s3_get *from);
/* Its reply as x-amz-tagging wants it, appended: "a=1&b=2", encoded. COF_E_FORMAT with words. */
COF_MUST_USE enum cof_err cof_s3_read_tags(struct cof_view body, struct cof_buf *out, struct cof_diag *diag);

#endif
