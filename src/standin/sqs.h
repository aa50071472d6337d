/* SPDX-License-Identifier: Apache-2.0
 *
 * Amazon SQS of the stand-in ("Amazon SQS API Reference", 2012-11-05): standard queues, over the JSON protocol and the older
 * query protocol. FIFO queues are refused. The files: sqs_call (what operations begin with), sqs_admin, sqs_attribute,
 * sqs_permission, sqs_send, sqs_receive, sqs_handle, sqs_move (operations), sqs_queue, sqs_store, sqs_content, sqs_kms (what is kept),
 * sqs_form, sqs_xml, sqs_error (the protocols).
 */
#ifndef COF_STANDIN_SQS_H
#define COF_STANDIN_SQS_H

#include "standin/standin.h"

extern const struct cof_service cof_service_sqs;

#endif
