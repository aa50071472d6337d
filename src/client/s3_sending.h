/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the files of client/s3_send.h: one object on its way. s3_send.c has its life, the requests without a body, and its
 * ends; s3_send_single.c the object that goes in one request, s3_send_parts.c the one that goes in parts.
 */
#ifndef COF_CLIENT_S3_SENDING_H
#define COF_CLIENT_S3_SENDING_H

#include "client/s3_send.h"

#define COF_S3_PIECE 65536 /* bytes given to a connection at once */

struct cof_s3_send_lane { /* a part under way */
    struct cof_s3_send *send;
    struct cof_aws_call *call;
    struct cof_timer pace;
    unsigned slot;   /* in the send's lanes */
    unsigned index;  /* the part's */
    uint64_t at;     /* bytes of it given away */
    uint8_t *data;   /* of a stream: the part's bytes */
    enum cof_err verdict; /* on what the reply's head says */
    struct cof_diag diag;
};

/* What comes after a request without a body; s->reply holds its answer. */
typedef void cof_s3_sending_then(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error,
                                 const struct cof_diag *diag);

struct cof_s3_send {
    struct cof_aws *aws;
    struct cof_s3_send_opts opts;
    struct cof_s3_send_events events;
    enum cof_checksum_alg alg;
    uint64_t part_size, total, stored_before;
    bool is_file, at_end;       /* at_end: the stream's */
    struct cof_s3_send_lane *lanes[COF_S3_LANES_MAX]; /* those at work */
    unsigned n_busy;
    struct cof_s3_part *parts;
    size_t n_parts, parts_room, next; /* next: the first that was not looked at yet */
    uint8_t *piece;             /* of a file, on its way */
    uint8_t *filling;           /* the stream's next part */
    uint64_t filled;
    unsigned joins;             /* how often S3 answered to that the parts be joined */
    struct cof_timer kick;
    bool is_kicked;
    /* the one request that is not a part */
    struct cof_aws_call *control;
    cof_s3_sending_then *then;
    struct cof_buf reply;
    enum cof_err verdict;
    char upload_id[COF_S3_UPLOAD_ID_MAX];
    /* a small object */
    struct cof_s3_upload *single;
    uint64_t single_at;
    bool is_single, is_whole;   /* is_whole: all of it is in filling */
    struct cof_s3_object object;
    char sum[COF_S3_SUM_MAX];   /* of the object, as S3 writes it */
    bool is_told;               /* S3 told a checksum that is ours: it has understood how the bytes came */
    enum cof_err err;
    struct cof_diag diag;
};

/* Everything here is called from the loop only. */
void cof_s3_sending_kick(struct cof_s3_send *s, int64_t after_ms);         /* it goes on after that */
void cof_s3_sending_moved(const struct cof_s3_send *s, int64_t bytes);
void cof_s3_sending_wipe(uint8_t **data, uint64_t size);                   /* and frees */
COF_MUST_USE enum cof_err cof_s3_sending_ask(struct cof_s3_send *s, struct cof_aws_request *request,
                                             cof_s3_sending_then *then);
/* Ends of the transfer; the send is gone afterwards or soon. failed: words are in s->diag. */
void cof_s3_sending_finish(struct cof_s3_send *s);
void cof_s3_sending_fail(struct cof_s3_send *s, enum cof_err err, const struct cof_diag *diag);
void cof_s3_sending_failed(struct cof_s3_send *s, enum cof_err err);
/* All is stored, s->object filled. A server that told no checksum of streamed bytes is asked for their number first: some store the
 * framing of such a body as if it were the body. */
void cof_s3_sending_stored(struct cof_s3_send *s);
/* The SHA-256 of bytes that are signed in one piece: those for a server in the clear that is not to get checksums. */
bool cof_s3_sending_wants_hash(const struct cof_s3_send *s);
/* S3 refuses what it may have done already by an earlier request that we had no answer to: is it there, and the same? */
void cof_s3_sending_settle(struct cof_s3_send *s, enum cof_err err, const struct cof_diag *diag);

/* --- s3_send_single.c --- */
void cof_s3_sending_single(struct cof_s3_send *s);                         /* begins */
void cof_s3_sending_single_more(void *ctx, struct cof_s3_upload *upload);  /* goes on */

/* --- s3_send_parts.c --- */
void cof_s3_sending_parts(struct cof_s3_send *s); /* begins, or goes on */
void cof_s3_sending_drop_parts(struct cof_s3_send *s); /* ends those under way */
struct cof_s3_upload_of cof_s3_sending_upload(const struct cof_s3_send *s);

#endif
