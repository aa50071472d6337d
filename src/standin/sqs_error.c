/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/sqs_error.h"

#include "standin/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SERVICE "com.amazonaws.sqs#"
#define COMMON "com.amazon.coral.service#"
#define OLD "AWS.SimpleQueueService."

static const struct { const char *type, *code; int status; } errors[] = {
    [COF_SQS_FINE] = {COMMON "InternalFailure", "InternalFailure", 500},
    [COF_SQS_ACCESS_DENIED] = {COMMON "AccessDeniedException", "AccessDenied", 403},
    [COF_SQS_BATCH_ENTRY_IDS_NOT_DISTINCT] = {SERVICE "BatchEntryIdsNotDistinct", OLD "BatchEntryIdsNotDistinct", 400},
    [COF_SQS_BATCH_REQUEST_TOO_LONG] = {SERVICE "BatchRequestTooLong", OLD "BatchRequestTooLong", 400},
    [COF_SQS_EMPTY_BATCH_REQUEST] = {SERVICE "EmptyBatchRequest", OLD "EmptyBatchRequest", 400},
    [COF_SQS_INVALID_ACTION] = {COMMON "UnknownOperationException", "InvalidAction", 400},
    [COF_SQS_INVALID_ATTRIBUTE_NAME] = {SERVICE "InvalidAttributeName", "InvalidAttributeName", 400},
    [COF_SQS_INVALID_ATTRIBUTE_VALUE] = {SERVICE "InvalidAttributeValue", "InvalidAttributeValue", 400},
    [COF_SQS_INVALID_BATCH_ENTRY_ID] = {SERVICE "InvalidBatchEntryId", OLD "InvalidBatchEntryId", 400},
    [COF_SQS_INVALID_MESSAGE_CONTENTS] = {SERVICE "InvalidMessageContents", "InvalidMessageContents", 400},
    [COF_SQS_INVALID_PARAMETER_VALUE] = {COMMON "InvalidParameterValueException", "InvalidParameterValue", 400},
    [COF_SQS_KMS_ACCESS_DENIED] = {SERVICE "KmsAccessDenied", "KMS.AccessDeniedException", 400},
    [COF_SQS_KMS_DISABLED] = {SERVICE "KmsDisabled", "KMS.DisabledException", 400},
    [COF_SQS_KMS_INVALID_STATE] = {SERVICE "KmsInvalidState", "KMS.InvalidStateException", 400},
    [COF_SQS_KMS_NOT_FOUND] = {SERVICE "KmsNotFound", "KMS.NotFoundException", 400},
    [COF_SQS_MISSING_PARAMETER] = {COMMON "MissingRequiredParameterException", "MissingParameter", 400},
    [COF_SQS_OVER_LIMIT] = {SERVICE "OverLimit", "OverLimit", 403},
    [COF_SQS_PURGE_QUEUE_IN_PROGRESS] = {SERVICE "PurgeQueueInProgress", OLD "PurgeQueueInProgress", 403},
    [COF_SQS_QUEUE_DELETED_RECENTLY] = {SERVICE "QueueDeletedRecently", OLD "QueueDeletedRecently", 400},
    [COF_SQS_QUEUE_DOES_NOT_EXIST] = {SERVICE "QueueDoesNotExist", OLD "NonExistentQueue", 400},
    [COF_SQS_QUEUE_NAME_EXISTS] = {SERVICE "QueueNameExists", "QueueAlreadyExists", 400},
    [COF_SQS_RECEIPT_HANDLE_IS_INVALID] = {SERVICE "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404},
    [COF_SQS_RESOURCE_NOT_FOUND] = {SERVICE "ResourceNotFoundException", "ResourceNotFoundException", 404},
    [COF_SQS_SERIALIZATION] = {COMMON "SerializationException", "MalformedInput", 400},
    [COF_SQS_TOO_MANY_ENTRIES] = {SERVICE "TooManyEntriesInBatchRequest", OLD "TooManyEntriesInBatchRequest", 400},
    [COF_SQS_UNSUPPORTED_OPERATION] = {SERVICE "UnsupportedOperation", OLD "UnsupportedOperation", 400},
};

enum cof_err cof_sqs_refuse(struct cof_sqs_refusal *refusal, enum cof_sqs_error code, const char *format, ...)
{
    va_list args;

    refusal->code = code;
    va_start(args, format);
    (void)vsnprintf(refusal->text, sizeof refusal->text, format, args);
    va_end(args);
    return COF_OK;
}

const char *cof_sqs_error_code(enum cof_sqs_error code)
{
    return errors[code].code;
}

void cof_sqs_error_reply(struct cof_standin_reply *reply, const struct cof_standin_request *req, bool query,
                         const struct cof_sqs_refusal *refusal)
{
    const char *text = refusal->text;
    int status = errors[refusal->code].status;

    if (query && refusal->code == COF_SQS_QUEUE_DOES_NOT_EXIST)
        text = "The specified queue does not exist for this wsdl version."; /* the older protocol says it so */
    if (query)
        (void)cof_reply_query_error(reply, req, COF_SQS_XMLNS, status, errors[refusal->code].code, cof_view_str(text));
    else
        (void)cof_reply_json_error(reply, COF_SQS_JSON_TYPE, status, errors[refusal->code].type, errors[refusal->code].code,
                                   cof_view_str(text));
}
