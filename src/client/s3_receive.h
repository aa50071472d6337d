/* SPDX-License-Identifier: Apache-2.0
 *
 * One object from S3, of any size: small ones in one request, larger ones in ranges that come side by side. A connection
 * that is lost goes on from where it was, of the same version of the object (If-Match), and ranges that an earlier run
 * kept are not fetched again. The bytes are good only when done says COF_OK: then they matched the checksum that S3 keeps
 * of the whole object or of each of its parts.
 */
#ifndef COF_CLIENT_S3_RECEIVE_H
#define COF_CLIENT_S3_RECEIVE_H

#include "client/s3_send.h"

struct cof_s3_receive_opts {
    struct cof_s3_get get; /* range, head, part and if_match are not looked at. Views live until done */
    bool in_order;         /* the bytes are wanted one after the other: then one request at a time */
    uint64_t part_size;    /* 0: COF_S3_PART_DEFAULT */
    size_t gather;         /* pieces of so many bytes are written, but for the last of a range: many small writes to a file cost
                              the kernel twice what large ones do. 0: as they come */
    struct cof_s3_lanes *lanes;
    struct cof_pace *pace; /* may be NULL */
};

struct cof_s3_receive;
struct cof_s3_receive_events {
    /* The object is known; nothing was written yet. ranges: what it will be fetched in; those that are there already may be
     * marked (is_stored, with sum). n_ranges is 0 when that cannot be told yet. */
    enum cof_err (*begun)(void *ctx, const struct cof_s3_object *object, struct cof_s3_part *ranges, size_t n_ranges,
                          struct cof_diag *diag);
    enum cof_err (*write_at)(void *ctx, uint64_t offset, struct cof_view piece, struct cof_diag *diag);
    /* A range was written whole; sum is its CRC. May be NULL. */
    enum cof_err (*stored)(void *ctx, size_t index, const struct cof_s3_part *range, struct cof_diag *diag);
    void (*moved)(void *ctx, int64_t bytes); /* may be NULL */
    void (*done)(void *ctx, enum cof_err err, const struct cof_s3_object *object, const struct cof_diag *diag);
    void *ctx;
};
COF_MUST_USE enum cof_err cof_s3_receive_start(struct cof_aws *aws, const struct cof_s3_receive_opts *opts,
                                               const struct cof_s3_receive_events *events, struct cof_s3_receive **out);
void cof_s3_receive_pump(struct cof_s3_receive *receive); /* lanes are free */
void cof_s3_receive_cancel(struct cof_s3_receive *receive); /* takes NULL; done is not called */

#endif
