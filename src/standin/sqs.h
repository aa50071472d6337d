/* SPDX-License-Identifier: Apache-2.0
 *
 * Amazon SQS of the stand-in: standard queues over the JSON protocol ("Amazon SQS API Reference"). Messages live in the store
 * ordered by when they become visible, so that receiving is a short scan; what was received too often moves to the
 * dead-letter queue.
 */
#ifndef COF_STANDIN_SQS_H
#define COF_STANDIN_SQS_H

#include "standin/standin.h"

extern const struct cof_service cof_service_sqs;

#endif
