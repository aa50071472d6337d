/* SPDX-License-Identifier: Apache-2.0
 *
 * SQS as a program uses it; src/client/queue.h is the reader with heartbeats. run_*: blocking; start_*: on the loop.
 */
#ifndef COF_CLIENT_SQS_H
#define COF_CLIENT_SQS_H

#include "client/fetch.h"
#include "engine/sqs_call.h"

COF_MUST_USE enum cof_err cof_sqs_run_send(struct cof_aws *aws, struct cof_view queue_url, struct cof_view body,
                                           struct cof_diag *diag);
/* Waits up to wait_s (0..20) for one message. COF_E_NOT_FOUND: none came. */
COF_MUST_USE enum cof_err cof_sqs_run_receive(struct cof_aws *aws, struct cof_view queue_url, unsigned wait_s,
                                              unsigned visibility_s, struct cof_sqs_message *out,
                                              struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_sqs_run_delete(struct cof_aws *aws, struct cof_view queue_url,
                                             struct cof_view receipt_handle, struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_sqs_run_change_visibility(struct cof_aws *aws, struct cof_view queue_url,
                                                        struct cof_view receipt_handle, unsigned visibility_s,
                                                        struct cof_diag *diag);

struct cof_sqs_events {
    /* message: of a receive, on COF_OK; done with after it returns unless moved. Else NULL. */
    void (*done)(void *ctx, enum cof_err err, struct cof_sqs_message *message, const struct cof_diag *diag);
    void *ctx;
};
COF_MUST_USE enum cof_err cof_sqs_start_send(struct cof_aws *aws, struct cof_view queue_url, struct cof_view body,
                                             const struct cof_sqs_events *events, struct cof_fetch **out);
COF_MUST_USE enum cof_err cof_sqs_start_receive(struct cof_aws *aws, struct cof_view queue_url, unsigned wait_s,
                                                unsigned visibility_s, const struct cof_sqs_events *events,
                                                struct cof_fetch **out);
COF_MUST_USE enum cof_err cof_sqs_start_delete(struct cof_aws *aws, struct cof_view queue_url,
                                               struct cof_view receipt_handle, const struct cof_sqs_events *events,
                                               struct cof_fetch **out);
COF_MUST_USE enum cof_err cof_sqs_start_change_visibility(struct cof_aws *aws, struct cof_view queue_url,
                                                          struct cof_view receipt_handle, unsigned visibility_s,
                                                          const struct cof_sqs_events *events, struct cof_fetch **out);

#endif
