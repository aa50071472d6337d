/* SPDX-License-Identifier: Apache-2.0
 *
 * Queues: their records in the store, and beside each record what is worked out once and kept in memory (numbers, keys,
 * counts). Space "sqs.queue": name -> {"uid","id","created_ms","modified_ms","purged_ms","attributes":{...},"tags":{...}};
 * "sqs.gone": name -> u64 when it was deleted; "sqs.trash": id -> nothing, for messages to be swept away.
 *
 * uid stays as long as the queue, id until it is purged: messages are kept under the id, sealed under a key of it. What is
 * in memory may run ahead of the store when changes are undone; then all of it is forgotten (cof_service.undone).
 */
#ifndef COF_STANDIN_SQS_QUEUE_H
#define COF_STANDIN_SQS_QUEUE_H

#include "crypto/gcm.h"
#include "format/json.h"
#include "standin/standin.h"

#define COF_SQS_NAME_MAX 80
#define COF_SQS_ID 8

/* A data key of a KMS key, for one caller and a time (sqs_kms.h). */
struct cof_sqs_data_key {
    struct cof_gcm *gcm;      /* NULL: none */
    struct cof_buf blob, arn; /* as KMS gave it, and under which key */
    char who[512];            /* the caller's ARN */
    int64_t until_ms;
};
void cof_sqs_data_key_done(struct cof_sqs_data_key *key);

struct cof_sqs_queue {
    char name[COF_SQS_NAME_MAX + 1];
    char arn[256];
    uint8_t uid[COF_SQS_ID], id[COF_SQS_ID];
    json_t *record;
    int64_t delay_s, visibility_s, retention_s, wait_s, max_bytes, created_ms;
    char dead[COF_SQS_NAME_MAX + 1]; /* where messages go that were received max_receives times; "": nowhere */
    uint32_t max_receives;
    struct cof_gcm *body_key, *handle_key;
    struct cof_sqs_data_key sealing, opening; /* of queues under a KMS key */
    bool counted;                    /* the four below are known */
    uint64_t n_ready, n_inflight, n_delayed;
    int64_t next_ms;                 /* nothing hidden becomes visible before; INT64_MAX: nothing is hidden */
    struct cof_sqs_queue *next;      /* of the bucket */
};

/* The service's state. */
struct cof_sqs {
    struct cof_sqs_queue *buckets[256];
    size_t n_queues;
    bool touched;    /* memory may be ahead of what the store would go back to */
    uint32_t order;  /* tells messages of one millisecond apart */
    uint64_t inflight_max; /* messages in flight in a queue; 120,000, tests set less */
    int64_t due_ms;  /* when there is work without a request; INT64_MAX: none */
};

struct cof_sqs *cof_sqs_state(struct cof_standin *s);
enum cof_err cof_sqs_state_new(struct cof_standin *s, void **state, struct cof_diag *diag);
void cof_sqs_state_free(struct cof_standin *s, void *state);
/* After changes were undone. */
void cof_sqs_state_undone(struct cof_standin *s, void *state);
/* Between requests: keeps memory bounded. */
void cof_sqs_state_trim(struct cof_sqs *sqs);

/* Lives until the request's end. COF_E_NOT_FOUND. */
COF_MUST_USE enum cof_err cof_sqs_queue_get(struct cof_standin *s, struct cof_view name, struct cof_sqs_queue **out);
bool cof_sqs_queue_is_name(struct cof_view name);
/* attributes (an object of texts, already checked) and tags are copied; either may be NULL. */
COF_MUST_USE enum cof_err cof_sqs_queue_make(struct cof_standin *s, struct cof_view name, const json_t *attributes, const json_t *tags,
                                             int64_t now_ms, struct cof_sqs_queue **out);
/* Keeps the record, which the caller changed, and works out what follows from it. */
COF_MUST_USE enum cof_err cof_sqs_queue_save(struct cof_standin *s, struct cof_sqs_queue *queue);
/* Its messages become trash; the queue is empty, or gone. */
COF_MUST_USE enum cof_err cof_sqs_queue_purge(struct cof_standin *s, struct cof_sqs_queue *queue, int64_t now_ms);
COF_MUST_USE enum cof_err cof_sqs_queue_delete(struct cof_standin *s, struct cof_sqs_queue *queue, int64_t now_ms);
/* When a queue of that name was deleted; 0: not lately. */
COF_MUST_USE enum cof_err cof_sqs_queue_gone(struct cof_standin *s, struct cof_view name, int64_t *deleted_ms);

/* An attribute's text, as set; NULL when it was not. */
const char *cof_sqs_queue_attribute(const struct cof_sqs_queue *queue, const char *name);
struct cof_view cof_sqs_queue_policy(const struct cof_sqs_queue *queue);
void cof_sqs_queue_url(struct cof_standin *s, const char *name, struct cof_buf *out);
/* The queue's name in "arn:aws:sqs:REGION:ACCOUNT:NAME" of this stand-in; false when it is none. */
bool cof_sqs_queue_of_arn(struct cof_standin *s, struct cof_view arn, struct cof_view *name);
/* deadLetterTargetArn and maxReceiveCount of a RedrivePolicy. COF_E_FORMAT. */
COF_MUST_USE enum cof_err cof_sqs_redrive_parse(const char *text, char *arn, size_t arn_size, int64_t *max_receives);

#endif
