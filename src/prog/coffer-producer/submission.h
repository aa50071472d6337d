/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to submit.c and once.c: one submission on its way.
 *
 * A client that lost our answer sends again; with an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header) that is no second job.
 * Under submissions/TENANT/DIGEST, a digest of the token's subject and the key, stands the message of the job that was made of it.
 * It is written (create-only) after the sealed object and before the queue is told. So a repetition either finds it, and only the queue
 * is told once more, of the same job, which the enclave recognises; or it does not, and then no queue ever heard of the first attempt.
 */
#ifndef COF_PRODUCER_SUBMISSION_H
#define COF_PRODUCER_SUBMISSION_H

#include "producer.h"

#include "client/s3.h"
#include "engine/esdk_encrypt.h"
#include "engine/job.h"

/* What a submission waits for. */
enum expects { EXPECT_LOOK_UP, EXPECT_KEY, EXPECT_JSON, EXPECT_BODY, EXPECT_STORED, EXPECT_NOTED, EXPECT_QUEUED, EXPECT_NOTHING };

struct submission {
    enum kind kind;
    enum expects state;
    struct producer *p;
    struct cof_xchg *x; /* NULL once the client is gone */
    struct cof_job job;
    char note[COF_JOB_KEY_MAX]; /* the key of what a repetition finds; empty: none was asked for */
    struct cof_buf noted;       /* what is there */
    bool is_repeated;           /* job is that of an earlier attempt */
    struct cof_buf json;        /* a JSON submission is taken whole */
    struct cof_buf first;       /* the first bytes, until the type is checked */
    struct cof_buf sealed;      /* pieces on their way */
    uint64_t length;            /* plaintext */
    struct cof_fetch *fetch;
    struct cof_s3_upload *upload;
    struct cof_s3_download *look_up;
    struct cof_esdk_encrypt *seal;
    struct cof_hash *hash;
    bool is_json, ended, type_checked;
};

/* --- submit.c --- */
void submission_refuse(struct submission *s, int status, const char *code, const char *text);
void submission_failed(struct submission *s, const char *step, enum cof_err err, const struct cof_diag *diag);
void submission_seal(struct submission *s);    /* it is a new one: goes on with a data key */
void submission_enqueue(struct submission *s); /* it is stored: tells the queue, then answers */

/* --- once.c --- */
/* The request's key, if there is one, into s->note. False: the reply was sent. */
bool once_read_key(struct submission *s, const struct cof_token *token);
/* Has it been before? Goes on with _seal, or with _enqueue. */
void once_look_up(struct submission *s);
/* The object is stored: notes the job, then goes on with _enqueue. */
void once_note(struct submission *s);

#endif
