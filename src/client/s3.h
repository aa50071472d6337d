/* SPDX-License-Identifier: Apache-2.0
 *
 * S3 as a program uses it: put from a reader, get to a writer, head, delete, list; and the asynchronous, streamed put.
 * Bodies carry a checksum (CRC-64/NVME by default) and replies are checked against the checksum S3 sends (C-31); the encryption S3 reports is
 * compared with what was asked for. run_*: blocking, outside the loop's callbacks only.
 */
#ifndef COF_CLIENT_S3_H
#define COF_CLIENT_S3_H

#include "client/aws.h"
#include "crypto/checksum.h"
#include "engine/s3_call.h"

struct cof_s3_object {
    char etag[128], version_id[256], content_type[256], kms_key_id[300];
    enum cof_checksum_alg checksum; /* that S3 tells; none: it tells none */
    char sum[COF_S3_SUM_MAX];       /* as S3 writes it */
    enum cof_sse sse;
    int64_t modified_ms; /* 0: not told */
    uint64_t size;       /* bytes; of a put: what was sent */
    const char *checked; /* of a received object: the checksum its bytes were held against, "CRC64NVME"; NULL: S3 sent none */
};

/* Body pieces: appends up to want bytes to out, nothing at the end. */
typedef enum cof_err cof_s3_source_fn(void *ctx, size_t want, struct cof_buf *out);
typedef enum cof_err cof_s3_sink_fn(void *ctx, struct cof_view piece);

/* put->streaming: length bytes come from source (a body that ends early or late is COF_E_TRUNCATED or COF_E_TOO_LARGE
 * and nothing is stored). rewind (may be NULL) starts the source again and so allows retries. */
struct cof_s3_pipe {
    cof_s3_source_fn *source;
    enum cof_err (*rewind)(void *ctx);
    cof_s3_sink_fn *sink;
    void *ctx;
};
/* A create-only put whose first answer was lost and whose retry finds the object is COF_OK when size and checksum say
 * that it is this one. */
COF_MUST_USE enum cof_err cof_s3_run_put(struct cof_aws *aws, const struct cof_s3_put *put,
                                         const struct cof_s3_pipe *pipe, struct cof_s3_object *out,
                                         struct cof_diag *diag);
/* The sink's bytes are good only when this returns COF_OK: COF_E_AUTH when the checksum differs, COF_E_TRUNCATED. */
COF_MUST_USE enum cof_err cof_s3_run_get(struct cof_aws *aws, const struct cof_s3_get *get,
                                         const struct cof_s3_pipe *pipe, struct cof_s3_object *out,
                                         struct cof_diag *diag);
/* Into a builder, whose cap is the limit; on failure it is as it was before. */
COF_MUST_USE enum cof_err cof_s3_run_get_whole(struct cof_aws *aws, const struct cof_s3_get *get, struct cof_buf *body,
                                               struct cof_s3_object *out, struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_s3_run_head(struct cof_aws *aws, const struct cof_s3_get *get, struct cof_s3_object *out,
                                          struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_s3_run_delete(struct cof_aws *aws, struct cof_view bucket, struct cof_view key,
                                            struct cof_view version_id,
                                            struct cof_diag *diag);

/* UpdateObjectEncryption: no byte of the object moves. */
COF_MUST_USE enum cof_err cof_s3_run_rewrap(struct cof_aws *aws, struct cof_view bucket, struct cof_view key,
                                            struct cof_view version_id, struct cof_view kms_key_arn, bool bucket_key,
                                            struct cof_diag *diag);

struct cof_s3_entry {
    struct cof_view key, etag, version_id; /* version_id: when versions are listed */
    uint64_t size;
    int64_t modified_ms;
    bool is_prefix; /* a common prefix, when a delimiter was given: key is all there is */
    bool is_latest, is_delete_marker; /* when versions are listed */
};
/* All pages; entry returns COF_OK to go on. delimiter may be empty. */
COF_MUST_USE enum cof_err cof_s3_run_list(struct cof_aws *aws, struct cof_view bucket, struct cof_view prefix,
                                          struct cof_view delimiter,
                                          enum cof_err (*entry)(void *ctx, const struct cof_s3_entry *entry), void *ctx,
                                          struct cof_diag *diag);

/* All versions and delete markers of the keys below a prefix, newest first for each key. */
COF_MUST_USE enum cof_err cof_s3_run_list_versions(struct cof_aws *aws, struct cof_view bucket, struct cof_view prefix,
                                                   enum cof_err (*entry)(void *ctx, const struct cof_s3_entry *entry),
                                                   void *ctx, struct cof_diag *diag);
/* The account's buckets: key is the name, modified_ms when it was made. */
COF_MUST_USE enum cof_err cof_s3_run_list_buckets(struct cof_aws *aws,
                                                  enum cof_err (*entry)(void *ctx, const struct cof_s3_entry *entry),
                                                  void *ctx, struct cof_diag *diag);
/* A streamed put of put->length bytes on the loop. */
struct cof_s3_upload;
struct cof_s3_upload_events {
    void (*writable)(void *ctx, struct cof_s3_upload *upload);
    /* Once, last; object is NULL on failure, error what S3 said, or NULL. COF_E_PRECONDITION: create_only and it is
     * there, or it no longer matches if_match. */
    void (*done)(void *ctx, struct cof_s3_upload *upload, enum cof_err err, const struct cof_s3_object *object,
                 const struct cof_aws_error *error, const struct cof_diag *diag);
    /* A retry: writable will ask for the body from its start again. False, or NULL: no retry. */
    bool (*rewind)(void *ctx, struct cof_s3_upload *upload);
    void *ctx;
};
COF_MUST_USE enum cof_err cof_s3_start_put(struct cof_aws *aws, const struct cof_s3_put *put,
                                           const struct cof_s3_upload_events *events, struct cof_s3_upload **out);
bool cof_s3_upload_write(struct cof_s3_upload *upload, struct cof_view piece); /* false: wait for writable */
void cof_s3_upload_end(struct cof_s3_upload *upload);
void cof_s3_upload_cancel(struct cof_s3_upload *upload); /* nothing is stored; done is not called */

/* A streamed get on the loop: head, pieces, then done; the pieces are good only when done says COF_OK. */
struct cof_s3_download;
struct cof_s3_download_events {
    void (*head)(void *ctx, struct cof_s3_download *download, const struct cof_s3_object *object);
    void (*body)(void *ctx, struct cof_s3_download *download, struct cof_view piece);
    void (*done)(void *ctx, struct cof_s3_download *download, enum cof_err err, const struct cof_aws_error *error,
                 const struct cof_diag *diag);
    void *ctx;
};
COF_MUST_USE enum cof_err cof_s3_start_get(struct cof_aws *aws, const struct cof_s3_get *get,
                                           const struct cof_s3_download_events *events, struct cof_s3_download **out);
void cof_s3_download_pause(struct cof_s3_download *download);
void cof_s3_download_resume(struct cof_s3_download *download);
void cof_s3_download_cancel(struct cof_s3_download *download);

#endif
