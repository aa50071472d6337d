/* SPDX-License-Identifier: Apache-2.0
 *
 * S3's multipart uploads ("Uploading and copying objects using multipart upload", S3 User Guide): the five calls, what
 * their replies say, and how large parts must be.
 */
#ifndef COF_ENGINE_S3_MULTIPART_H
#define COF_ENGINE_S3_MULTIPART_H

#include "engine/s3_call.h"

#define COF_S3_PARTS_MAX 10000
#define COF_S3_PART_MIN ((uint64_t)5 << 20)     /* bytes, but for the last part */
#define COF_S3_PART_LARGEST ((uint64_t)5 << 30)
#define COF_S3_OBJECT_MAX (COF_S3_PARTS_MAX * COF_S3_PART_LARGEST)
#define COF_S3_UPLOAD_ID_MAX 1024

/* The part size for an object: as wished, or as much larger as 10,000 parts demand, in whole MiB. COF_E_TOO_LARGE. */
COF_MUST_USE enum cof_err cof_s3_part_size(uint64_t object_bytes, uint64_t wished, uint64_t *out);

struct cof_s3_upload_of { /* which upload */
    struct cof_view bucket, key, upload_id;
    const struct cof_s3_sse *sse;
    enum cof_checksum_alg checksum; /* CRC-64/NVME goes as one of the whole object, SHA-256 composite */
};

COF_MUST_USE enum cof_err cof_s3_create_multipart(struct cof_aws_request *out, const struct cof_s3_put *put,
                                                  enum cof_checksum_alg checksum);
/* The part's bytes are streamed; their checksum follows as trailer. */
COF_MUST_USE enum cof_err cof_s3_upload_part(struct cof_aws_request *out, const struct cof_s3_upload_of *upload,
                                             unsigned number, uint64_t length);
COF_MUST_USE enum cof_err cof_s3_list_parts(struct cof_aws_request *out, const struct cof_s3_upload_of *upload,
                                            unsigned after);
COF_MUST_USE enum cof_err cof_s3_abort_multipart(struct cof_aws_request *out, const struct cof_s3_upload_of *upload);

struct cof_s3_part {
    uint64_t length;
    char etag[80];
    uint8_t sum[COF_CHECKSUM_MAX];
    bool is_stored, has_sum;
};
/* parts: all of them, stored. Of conditions create_only and if_match are looked at. */
COF_MUST_USE enum cof_err cof_s3_complete_multipart(struct cof_aws_request *out, const struct cof_s3_upload_of *upload,
                                                    const struct cof_s3_part *parts, size_t n_parts,
                                                    const struct cof_s3_put *conditions);

/* The checksum of the joined parts from theirs: composite is the checksum of their checksums, else it is that of all bytes,
 * which only CRCs can be joined to. */
COF_MUST_USE enum cof_err cof_s3_join_parts(enum cof_checksum_alg alg, bool composite, const struct cof_s3_part *parts,
                                            size_t n_parts, uint8_t out[static COF_CHECKSUM_MAX]);
/* The checksum S3 has for the joined parts, as it writes it: base64, with "-N" where it is composite. */
COF_MUST_USE enum cof_err cof_s3_join_checksum(enum cof_checksum_alg alg, const struct cof_s3_part *parts, size_t n_parts,
                                               char out[static COF_S3_SUM_MAX]);

/* Replies. COF_E_FORMAT with words for what is none. */
COF_MUST_USE enum cof_err cof_s3_read_created(struct cof_view body, char upload_id[static COF_S3_UPLOAD_ID_MAX],
                                              struct cof_diag *diag);
/* part is called for each; *next is the marker of the next page, 0: none. */
COF_MUST_USE enum cof_err cof_s3_read_parts(struct cof_view body, enum cof_checksum_alg checksum,
                                            void (*part)(void *ctx, unsigned number, const struct cof_s3_part *part),
                                            void *ctx, unsigned *next, struct cof_diag *diag);
/* Of Complete and of copies: a 200 may carry an error all the same: then COF_E_RETRY or what its code says. etag and sum (base64) may come out
 * empty. */
COF_MUST_USE enum cof_err cof_s3_read_completed(struct cof_view body, enum cof_checksum_alg checksum,
                                                char etag[static 128], char sum[static COF_S3_SUM_MAX], struct cof_diag *diag);

#endif
