/* SPDX-License-Identifier: Apache-2.0
 *
 * SQS's errors, in both protocols (the service's Smithy model: JSON type, query code, status). A refusal is kept until
 * the reply is written, since a batch puts it beside others.
 */
#ifndef COF_STANDIN_SQS_ERROR_H
#define COF_STANDIN_SQS_ERROR_H

#include "standin/standin.h"

enum cof_sqs_error {
    COF_SQS_FINE,
    COF_SQS_ACCESS_DENIED,
    COF_SQS_BATCH_ENTRY_IDS_NOT_DISTINCT,
    COF_SQS_BATCH_REQUEST_TOO_LONG,
    COF_SQS_EMPTY_BATCH_REQUEST,
    COF_SQS_INVALID_ACTION,
    COF_SQS_INVALID_ATTRIBUTE_NAME,
    COF_SQS_INVALID_ATTRIBUTE_VALUE,
    COF_SQS_INVALID_BATCH_ENTRY_ID,
    COF_SQS_INVALID_MESSAGE_CONTENTS,
    COF_SQS_INVALID_PARAMETER_VALUE,
    COF_SQS_KMS_ACCESS_DENIED,
    COF_SQS_KMS_DISABLED,
    COF_SQS_KMS_INVALID_STATE,
    COF_SQS_KMS_NOT_FOUND,
    COF_SQS_MISSING_PARAMETER,
    COF_SQS_OVER_LIMIT,
    COF_SQS_PURGE_QUEUE_IN_PROGRESS,
    COF_SQS_QUEUE_DELETED_RECENTLY,
    COF_SQS_QUEUE_DOES_NOT_EXIST,
    COF_SQS_QUEUE_NAME_EXISTS,
    COF_SQS_RECEIPT_HANDLE_IS_INVALID,
    COF_SQS_RESOURCE_NOT_FOUND,
    COF_SQS_SERIALIZATION,
    COF_SQS_TOO_MANY_ENTRIES,
    COF_SQS_UNSUPPORTED_OPERATION,
};

/* One refusal; code COF_SQS_FINE: none. */
struct cof_sqs_refusal {
    enum cof_sqs_error code;
    char text[1024];
};

/* Sets it; text beyond the room is cut. Always COF_OK, so that a check may `return cof_sqs_refuse(...)`. */
enum cof_err cof_sqs_refuse(struct cof_sqs_refusal *refusal, enum cof_sqs_error code, const char *format, ...) COF_PRINTF(3, 4);
/* The code that a query client and an entry of a batch's Failed see. */
const char *cof_sqs_error_code(enum cof_sqs_error code);
/* The whole reply. */
void cof_sqs_error_reply(struct cof_standin_reply *reply, const struct cof_standin_request *req, bool query,
                         const struct cof_sqs_refusal *refusal);

#define COF_SQS_XMLNS "http://queue.amazonaws.com/doc/2012-11-05/"
#define COF_SQS_JSON_TYPE "application/x-amz-json-1.0"

#endif
