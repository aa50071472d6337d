/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages in the store. A message is one row: in "sqs.ready" while it may be received, in order of sending; in "sqs.hidden"
 * while it is in flight or delayed, in order of the time when it becomes visible. So receiving is one short scan, and
 * nothing looks at messages that are not due.
 *
 *   sqs.ready   queue id 8 | sent ms u64 | order u32 | message id 16  -> row
 *   sqs.hidden  queue id 8 | visible ms u64 | message id 16           -> row
 *   sqs.body    queue id 8 | message id 16 -> sealed content that is too large for a row
 *   sqs.at      queue id 8 | message id 16 -> visible ms u64, of those whose visibility was changed in flight
 *   row: u8 flags | u32 times received | u32 times received before it came here | u64 first received ms | u64 sent ms |
 *        u32 order | u8 length, queue it came from | sealed content, unless it lies apart
 *
 * Content is sealed with AES-256-GCM under the queue's key, the message id as nonce and additional data: a message's content
 * never changes. A receipt handle is where the message was put and how often it had been received, sealed.
 */
#ifndef COF_STANDIN_SQS_STORE_H
#define COF_STANDIN_SQS_STORE_H

#include "standin/sqs_queue.h"

#define COF_SQS_MESSAGE_ID 16
#define COF_SQS_UUID 36            /* characters of a message id as text */
#define COF_SQS_TAKE_MAX 10

enum { COF_SQS_APART = 1, COF_SQS_DELAYED = 2, COF_SQS_MOVED = 4 }; /* flags of a row */

struct cof_sqs_message {
    uint8_t id[COF_SQS_MESSAGE_ID];
    int64_t sent_ms;
    uint32_t order;
    int64_t visible_ms; /* when it is hidden; 0: it is ready */
    int64_t first_ms;   /* 0: never received */
    int64_t received_ms; /* of the receive a handle is for */
    uint32_t count, base;
    uint8_t flags;
    char source[COF_SQS_NAME_MAX + 1];
    struct cof_buf content; /* sealed; plain after cof_sqs_store_open and in what take gives */
};
void cof_sqs_message_free(struct cof_sqs_message *message); /* what it owns; takes a zeroed one */
void cof_sqs_message_uuid(const uint8_t id[static COF_SQS_MESSAGE_ID], char out[static COF_SQS_UUID + 1]);

/* Adds a message with that content; id is made. */
COF_MUST_USE enum cof_err cof_sqs_store_add(struct cof_standin *s, struct cof_sqs_queue *queue, struct cof_view content, int64_t delay_ms,
                                            int64_t now_ms, uint8_t id[static COF_SQS_MESSAGE_ID]);
/* Takes up to most messages that may be received, and hides them; those too old are dropped, those received too often moved
 * to the dead-letter queue on the way. COF_E_LIMIT: too many are in flight. */
COF_MUST_USE enum cof_err cof_sqs_store_take(struct cof_standin *s, struct cof_sqs_queue *queue, size_t most, int64_t visibility_ms,
                                             int64_t now_ms, struct cof_sqs_message out[static COF_SQS_TAKE_MAX], size_t *n);
/* Brings the counts up to date: what is visible by now, what is too old. */
COF_MUST_USE enum cof_err cof_sqs_store_tidy(struct cof_standin *s, struct cof_sqs_queue *queue, int64_t now_ms);

COF_MUST_USE enum cof_err cof_sqs_store_handle(struct cof_standin *s, const struct cof_sqs_queue *queue, const struct cof_sqs_message *message,
                                               struct cof_buf *out);
/* The message a receipt handle is for, without its content. COF_E_FORMAT: no handle of this queue. COF_E_NOT_FOUND: it is
 * gone, or was received again since; *is_back: it is there and visible once more. */
COF_MUST_USE enum cof_err cof_sqs_store_find(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_view handle,
                                             struct cof_sqs_message *out, bool *is_back);
COF_MUST_USE enum cof_err cof_sqs_store_remove(struct cof_standin *s, struct cof_sqs_queue *queue, const struct cof_sqs_message *message);
/* Hides a received message until then; a time that is over puts it back. */
COF_MUST_USE enum cof_err cof_sqs_store_hide(struct cof_standin *s, struct cof_sqs_queue *queue, struct cof_sqs_message *message,
                                             int64_t visible_ms, int64_t now_ms);
/* The first that is ready, with its content opened. COF_E_NOT_FOUND. */
COF_MUST_USE enum cof_err cof_sqs_store_first(struct cof_standin *s, struct cof_sqs_queue *queue, int64_t now_ms, struct cof_sqs_message *out);
/* Moves a ready message whose content is plain to another queue, keeping id, time of sending and counts. */
COF_MUST_USE enum cof_err cof_sqs_store_move(struct cof_standin *s, struct cof_sqs_queue *from, struct cof_sqs_message *message,
                                             struct cof_sqs_queue *to);
/* Removes some of what purged and deleted queues left. *more: there is more. */
COF_MUST_USE enum cof_err cof_sqs_store_sweep(struct cof_standin *s, bool *more);

#endif
