/* SPDX-License-Identifier: Apache-2.0
 *
 * Amazon SQS calls (JSON 1.0 protocol, "Amazon SQS API Reference").
 */
#ifndef COF_ENGINE_SQS_CALL_H
#define COF_ENGINE_SQS_CALL_H

#include "engine/aws_request.h"

#define COF_SQS_BODY_MAX 1048576

COF_MUST_USE enum cof_err cof_sqs_send(struct cof_aws_request *out, struct cof_view queue_url, struct cof_view body);
COF_MUST_USE enum cof_err cof_sqs_receive(struct cof_aws_request *out, struct cof_view queue_url, unsigned wait_s,
                                          unsigned visibility_s);
COF_MUST_USE enum cof_err cof_sqs_delete(struct cof_aws_request *out, struct cof_view queue_url,
                                         struct cof_view receipt_handle);
COF_MUST_USE enum cof_err cof_sqs_change_visibility(struct cof_aws_request *out, struct cof_view queue_url,
                                                    struct cof_view receipt_handle, unsigned visibility_s);

struct cof_sqs_message {
    struct cof_buf body, receipt_handle, message_id;
    int64_t receive_count; /* how often it was received, this time included; 0: not told */
};
/* The one message of a Receive reply; COF_E_NOT_FOUND when there is none. The body's MD5 is compared (a check of
 * transport, not of origin). */
COF_MUST_USE enum cof_err cof_sqs_parse_receive(struct cof_view reply, struct cof_sqs_message *out,
                                                struct cof_diag *diag);
void cof_sqs_message_done(struct cof_sqs_message *message);
/* Whether a Send reply says the MD5 of what was sent. COF_E_AUTH when it was altered on its way. */
COF_MUST_USE enum cof_err cof_sqs_check_sent(struct cof_view reply, struct cof_view body, struct cof_diag *diag);

#endif
