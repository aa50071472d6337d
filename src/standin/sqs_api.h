/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of SQS share: the call in progress, and its operations. Operations take their parameters from `in` as the
 * JSON protocol names them, and write the JSON answer; sqs_form.c and sqs_xml.c turn the query protocol into that and back.
 */
#ifndef COF_STANDIN_SQS_API_H
#define COF_STANDIN_SQS_API_H

#include "standin/sqs_error.h"
#include "standin/sqs_store.h"

/* What cof_sqs_store_take gives is 2.25 MiB at most, and a byte of text takes six at most (\u007f, &quot;). */
#define COF_SQS_REPLY_MAX ((size_t)14 << 20)

struct cof_sqs_call {
    struct cof_standin *s;
    struct cof_standin_request *req;
    struct cof_standin_reply *reply;
    const char *operation;       /* "SendMessage" */
    json_t *in;                  /* the parameters */
    struct cof_sqs_queue *queue; /* after cof_sqs_open */
    struct cof_buf out;          /* the answer, JSON; nothing: an answer without content */
    struct cof_sqs_refusal refusal;
    bool query;
};

/* An operation: writes c->out, or sets c->refusal, or waits (c->reply->wait_until_ms). Errors are faults. */
typedef enum cof_err cof_sqs_operation(struct cof_sqs_call *c);

cof_sqs_operation cof_sqs_op_create_queue, cof_sqs_op_delete_queue, cof_sqs_op_get_queue_url, cof_sqs_op_list_queues,
    cof_sqs_op_list_sources, cof_sqs_op_purge_queue;                                              /* sqs_admin.c */
cof_sqs_operation cof_sqs_op_get_attributes, cof_sqs_op_set_attributes;                           /* sqs_attribute.c */
cof_sqs_operation cof_sqs_op_tag_queue, cof_sqs_op_untag_queue, cof_sqs_op_list_tags, cof_sqs_op_add_permission,
    cof_sqs_op_remove_permission;                                                                 /* sqs_permission.c */
cof_sqs_operation cof_sqs_op_send_message, cof_sqs_op_send_batch;                                 /* sqs_send.c */
cof_sqs_operation cof_sqs_op_receive_message;                                                     /* sqs_receive.c */
cof_sqs_operation cof_sqs_op_delete_message, cof_sqs_op_delete_batch, cof_sqs_op_change_visibility,
    cof_sqs_op_change_visibility_batch;                                                           /* sqs_handle.c */
cof_sqs_operation cof_sqs_op_start_move, cof_sqs_op_cancel_move, cof_sqs_op_list_moves;           /* sqs_move.c */

/* The queue of QueueUrl, if the caller may do this to it. False: *err, or a refusal, says why not. */
bool cof_sqs_open(struct cof_sqs_call *c, const char *action, enum cof_err *err);
/* Asks the policies about a queue, or about an ARN that has no policy of its own (queue NULL). */
bool cof_sqs_allowed(struct cof_sqs_call *c, const char *action, const struct cof_sqs_queue *queue, struct cof_view arn, enum cof_err *err);
/* A required text; false: the refusal stands. */
bool cof_sqs_text(struct cof_sqs_call *c, const json_t *from, const char *name, struct cof_view *out);
/* A whole number, or otherwise when absent; false: the refusal stands (reason: "Must be between 1 and 10, if provided."). */
bool cof_sqs_int(const json_t *from, const char *name, int64_t min, int64_t max, int64_t otherwise, const char *reason, int64_t *out,
                 struct cof_sqs_refusal *refusal);

/* Runs one() over Entries and writes Successful and Failed. one() adds members to the entry's object in item (behind its Id), or
 * refuses. The checks every batch has are made before. */
COF_MUST_USE enum cof_err cof_sqs_batch(struct cof_sqs_call *c, enum cof_err (*one)(struct cof_sqs_call *c, const json_t *entry,
                                                                                    struct cof_buf *item, struct cof_sqs_refusal *refusal));

/* sqs_attribute.c: what SetQueueAttributes and CreateQueue take; checks names and values, and the other queues they name. */
COF_MUST_USE enum cof_err cof_sqs_attributes_check(struct cof_sqs_call *c, const struct cof_sqs_queue *queue, const json_t *attributes,
                                                   bool creating);
/* What an attribute of a queue is, set or by default; NULL: it has none. */
const char *cof_sqs_attribute_value(const struct cof_sqs_queue *queue, const char *name);
/* sqs_permission.c */
COF_MUST_USE enum cof_err cof_sqs_tags_check(struct cof_sqs_call *c, const json_t *tags, size_t n_there);
/* sqs_admin.c: calls each queue whose RedrivePolicy names this one. False from each ends it. */
COF_MUST_USE enum cof_err cof_sqs_each_source(struct cof_standin *s, const char *dead, struct cof_view after,
                                              bool (*each)(void *arg, const char *name), void *arg);
/* sqs_move.c: goes on with running move tasks; *due_ms: when to come again (INT64_MAX: none runs). */
COF_MUST_USE enum cof_err cof_sqs_moves_run(struct cof_standin *s, int64_t now_ms, int64_t *due_ms);

/* sqs_form.c: a query request's parameters as those of the JSON protocol. COF_E_FORMAT, COF_E_LIMIT. *action is the caller's. */
COF_MUST_USE enum cof_err cof_sqs_form_parse(struct cof_view form, json_t **out, struct cof_buf *action);
/* sqs_xml.c: a JSON answer as that of the query protocol. */
COF_MUST_USE enum cof_err cof_sqs_xml_write(const char *operation, const json_t *answer, const char *request_id, struct cof_buf *out);

#endif
