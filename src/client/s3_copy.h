/* SPDX-License-Identifier: Apache-2.0
 *
 * One object copied within S3; its bytes do not come here. It is looked at first: what is copied is what was looked at (by its ETag), and
 * the copy's checksum must be its. Small ones go in one request, larger ones in parts side by side, which become visible together, with the
 * headers, metadata and tags of the source. On a loop; nothing blocks.
 */
#ifndef COF_CLIENT_S3_COPY_H
#define COF_CLIENT_S3_COPY_H

#include "client/s3_send.h"

#define COF_S3_COPY_PART_DEFAULT ((uint64_t)256 << 20) /* some seconds of S3's work */

struct cof_s3_copy_opts {
    struct cof_s3_get from; /* head, range, part and if_match are not looked at. Views live until done */
    struct cof_s3_put to;   /* of the attributes storage_class is looked at; not body, streaming, length. checksum none: the source's */
    bool keep_sse;          /* encrypted as the source is, with its KMS key or customer key; else as to.sse says */
    uint64_t part_size;     /* larger objects go in parts of it; 0: COF_S3_COPY_PART_DEFAULT */
    struct cof_s3_lanes *lanes;
};

struct cof_s3_copy;
struct cof_s3_copy_events {
    void (*moved)(void *ctx, int64_t bytes); /* copied; may be NULL */
    /* Once, last; object (the copy) is NULL on failure. */
    void (*done)(void *ctx, enum cof_err err, const struct cof_s3_object *object, const struct cof_diag *diag);
    void *ctx;
};
/* Uses one lane at least, whether one is free or not. No callback runs before it returns. */
COF_MUST_USE enum cof_err cof_s3_copy_start(struct cof_aws *aws, const struct cof_s3_copy_opts *opts, const struct cof_s3_copy_events *events,
                                            struct cof_s3_copy **out);
/* Lanes are free: it may take more of them. */
void cof_s3_copy_pump(struct cof_s3_copy *copy);

#endif
