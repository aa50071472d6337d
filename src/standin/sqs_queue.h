/* SPDX-License-Identifier: Apache-2.0
 *
 * Queues and messages in the store. Space "sqs.queue": name -> {"attributes":{...},"policy":text,"created_ms"}. Space
 * "sqs.message": queue 00 | visible-from ms u64 | message id -> JSON {"body","sent_ms","first_ms","count","receive"}.
 * Space "sqs.where": queue 00 | message id -> visible-from, to find a message by its receipt handle.
 */
#ifndef COF_STANDIN_SQS_QUEUE_H
#define COF_STANDIN_SQS_QUEUE_H

#include "format/json.h"
#include "standin/standin.h"

#define COF_SQS_NAME_MAX 80
#define COF_SQS_ID 36 /* characters of a message id */

struct cof_sqs_queue {
    char name[COF_SQS_NAME_MAX + 1];
    char arn[256];
    json_t *record;
};
void cof_sqs_queue_done(struct cof_sqs_queue *queue);

COF_MUST_USE enum cof_err cof_sqs_queue_get(struct cof_standin *s, struct cof_view name, struct cof_sqs_queue *out);
/* Makes it, or changes the attributes (an object of strings) and policy (NULL: as it is) of the one there. */
COF_MUST_USE enum cof_err cof_sqs_queue_put(struct cof_standin *s, struct cof_view name, const json_t *attributes,
                                            const char *policy, int64_t now_ms, struct cof_sqs_queue *out);
struct cof_view cof_sqs_queue_policy(const struct cof_sqs_queue *queue);
/* A whole-number attribute, or its default. */
int64_t cof_sqs_queue_number(const struct cof_sqs_queue *queue, const char *name, int64_t otherwise);
void cof_sqs_queue_url(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_buf *out);

struct cof_sqs_item {
    char id[COF_SQS_ID + 1];
    int64_t visible_ms;
    json_t *record;
};
void cof_sqs_item_done(struct cof_sqs_item *item);

COF_MUST_USE enum cof_err cof_sqs_add(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_view body,
                                      const json_t *message_attributes, int64_t delay_ms, int64_t now_ms, char id[static COF_SQS_ID + 1]);
/* Takes the next visible message and hides it; moves over-received ones to the dead-letter queue on the way. COF_E_NOT_FOUND:
 * none; *next_ms is when the next one becomes visible (INT64_MAX: none waits). */
COF_MUST_USE enum cof_err cof_sqs_take(struct cof_standin *s, const struct cof_sqs_queue *queue, int64_t visibility_ms,
                                       int64_t now_ms, struct cof_sqs_item *out, int64_t *next_ms);
/* The message a receipt handle stands for; COF_E_FORMAT for a forged handle, COF_E_NOT_FOUND when it is gone or was received
 * again since. */
COF_MUST_USE enum cof_err cof_sqs_by_handle(struct cof_standin *s, const struct cof_sqs_queue *queue,
                                            struct cof_view handle, struct cof_sqs_item *out);
COF_MUST_USE enum cof_err cof_sqs_handle(struct cof_standin *s, const struct cof_sqs_queue *queue,
                                         const struct cof_sqs_item *item, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_sqs_remove(struct cof_standin *s, const struct cof_sqs_queue *queue,
                                         const struct cof_sqs_item *item);
COF_MUST_USE enum cof_err cof_sqs_move(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_sqs_item *item,
                                       int64_t visible_ms);
/* How many are visible and how many hidden at the moment. */
COF_MUST_USE enum cof_err cof_sqs_count(struct cof_standin *s, const struct cof_sqs_queue *queue, int64_t now_ms,
                                        uint64_t *visible, uint64_t *hidden);

#endif
