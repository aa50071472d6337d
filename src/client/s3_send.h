/* SPDX-License-Identifier: Apache-2.0
 *
 * One object to S3, of any size: small ones in one request, larger ones in parts that go side by side and can be taken up
 * again by a later run. Every part carries a checksum, S3 checks the whole against the joined one, and the encryption
 * it reports is compared with what was asked for before the first part is sent. On a loop; nothing blocks but reading.
 */
#ifndef COF_CLIENT_S3_SEND_H
#define COF_CLIENT_S3_SEND_H

#include "client/s3.h"
#include "engine/pace.h"
#include "engine/s3_multipart.h"

#define COF_S3_LANES_MAX 64
#define COF_S3_PART_DEFAULT ((uint64_t)8 << 20)

/* Requests with bodies in flight, over all transfers that share it. */
struct cof_s3_lanes {
    unsigned max, used;
    void (*freed)(void *ctx); /* from the loop: one is free again; may be NULL */
    void *ctx;
};

struct cof_s3_source {
    /* A file: exactly len bytes from offset. COF_E_TRUNCATED: it has become shorter. */
    enum cof_err (*read_at)(void *ctx, uint64_t offset, uint8_t *data, size_t len, struct cof_diag *diag);
    uint64_t length; /* of it */
    /* Or a stream (read_at is NULL): up to room bytes, *n 0 at the end. COF_E_SHORT: nothing yet, ask again soon. */
    enum cof_err (*read)(void *ctx, uint8_t *data, size_t room, size_t *n, struct cof_diag *diag);
    /* Whether the bytes are still what they were, asked before the object is made visible; may be NULL. */
    enum cof_err (*check)(void *ctx, struct cof_diag *diag);
    void *ctx;
};

struct cof_s3_send_opts {
    struct cof_s3_put put; /* body, streaming and length are not looked at. Views live until done */
    struct cof_s3_source source;
    uint64_t part_size;    /* wished; 0: COF_S3_PART_DEFAULT. Objects of at most one part go in one request */
    struct cof_s3_lanes *lanes;
    struct cof_pace *pace; /* may be NULL */
    struct cof_view upload_id; /* goes on with this upload, of which nothing else is known; empty: a new one. Files only */
    uint64_t upload_part_size; /* that it was begun with */
    bool same_is_done;     /* with create_only: an object that is there with the same bytes counts as sent */
    bool keep_parts;       /* on a failure that is worth another run leave the parts for it; else they are deleted */
};

struct cof_s3_send;
struct cof_s3_send_events {
    void (*moved)(void *ctx, int64_t bytes); /* sent, or (negative) to be sent again; may be NULL */
    /* A multipart upload was begun: what to keep for going on later. A failure ends the transfer. May be NULL. */
    enum cof_err (*begun)(void *ctx, const char *upload_id, uint64_t part_size, struct cof_diag *diag);
    /* Once, last; object is NULL on failure. stored_before: bytes that an earlier run had sent. */
    void (*done)(void *ctx, enum cof_err err, const struct cof_s3_object *object, uint64_t stored_before,
                 const struct cof_diag *diag);
    void *ctx;
};
/* Uses one lane at least, whether one is free or not. No callback runs before it returns. */
COF_MUST_USE enum cof_err cof_s3_send_start(struct cof_aws *aws, const struct cof_s3_send_opts *opts,
                                            const struct cof_s3_send_events *events, struct cof_s3_send **out);
/* Whether another run may succeed with the same parts. */
bool cof_s3_send_is_worth_again(enum cof_err err);
/* Lanes are free: it may take more of them. */
void cof_s3_send_pump(struct cof_s3_send *send);
void cof_s3_send_cancel(struct cof_s3_send *send); /* takes NULL; parts are left, done is not called */

#endif
