/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads jobs from a queue: long polls, one message after the other, up to a number in work at a time; while a message
 * is in work its visibility is renewed by a timer, so that nobody else gets it; it ends by delete (done) or by coming
 * back after a while (retry), from where the queue's redrive policy moves poison to the dead-letter queue. A renewal
 * that the queue refuses tells the worker that the message is lost to it.
 *
 * Everything hangs on the AWS client's loop. A worker that blocks (cof_*_run_*) keeps the heartbeats going too, as
 * those run the loop; one that computes for longer than the visibility without the loop loses the message.
 */
#ifndef COF_CLIENT_QUEUE_H
#define COF_CLIENT_QUEUE_H

#include "client/sqs.h"

struct cof_queue;
struct cof_queue_message; /* in work */

struct cof_queue_opts {
    struct cof_aws *aws;
    const char *url;
    unsigned wait_s;       /* long poll, default 20 */
    unsigned visibility_s; /* default 60; renewed at half of it */
    size_t in_work;        /* at most, default 1 */
    int64_t most_ms;       /* a message is renewed for so long at most; default 6 h (SQS allows 12) */
};

struct cof_queue_events {
    /* A message; the receiver must end it with delete, retry or drop, now or later. */
    void (*message)(void *ctx, struct cof_queue_message *message);
    /* Its visibility could not be renewed: another reader may get it. Stop the work and end it. May be NULL. */
    void (*lost)(void *ctx, struct cof_queue_message *message);
    /* A poll failed; polling goes on after a growing pause. May be NULL. */
    void (*trouble)(void *ctx, enum cof_err err, const struct cof_diag *diag);
    /* A delete or retry was answered. May be NULL. */
    void (*ended)(void *ctx, struct cof_view message_id, enum cof_err err, const struct cof_diag *diag);
    void *ctx;
};

COF_MUST_USE enum cof_err cof_queue_new(const struct cof_queue_opts *opts, const struct cof_queue_events *events,
                                        struct cof_queue **out);
COF_MUST_USE enum cof_err cof_queue_start(struct cof_queue *queue); /* begins, or goes on, polling */
void cof_queue_stop(struct cof_queue *queue);  /* no more polls; what is in work stays */
bool cof_queue_is_idle(const struct cof_queue *queue); /* nothing in work, nothing being ended */
void cof_queue_free(struct cof_queue *queue);  /* drops everything: unfinished messages come back by themselves */

/* The blocking form: runs the loop until there is a message. COF_E_NOT_FOUND after timeout_ms. The queue must have been
 * made without a message event; it is stopped in between. */
COF_MUST_USE enum cof_err cof_queue_next(struct cof_queue *queue, int64_t timeout_ms, struct cof_queue_message **out,
                                         struct cof_diag *diag);

struct cof_view cof_queue_message_body(const struct cof_queue_message *message);
struct cof_view cof_queue_message_id(const struct cof_queue_message *message);
int64_t cof_queue_message_count(const struct cof_queue_message *message); /* receptions so far, this one included */
bool cof_queue_message_is_lost(const struct cof_queue_message *message);

/* Each ends the message for the caller, whatever becomes of the request behind it (see ended). */
void cof_queue_message_delete(struct cof_queue_message *message);
void cof_queue_message_retry(struct cof_queue_message *message, unsigned after_s);
void cof_queue_message_drop(struct cof_queue_message *message); /* no request: it comes back when its visibility ends */
/* Blocking delete, for workers that must know that it happened. The message is ended on COF_OK only. */
COF_MUST_USE enum cof_err cof_queue_message_run_delete(struct cof_queue_message *message, struct cof_diag *diag);

#endif
