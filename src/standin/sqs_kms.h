/* SPDX-License-Identifier: Apache-2.0
 *
 * Queues with a KmsMasterKeyId (SSE-KMS): content is sealed under a data key of that KMS key before it is kept, and every sender
 * and receiver is asked for their permission at the key. As SQS does, a caller's data key is used again for
 * KmsDataKeyReusePeriodSeconds.
 *
 *   u8 2 | u16 length, key ARN | u16 length, queue ARN (encryption context aws:sqs:arn) | u16 length, data key as KMS gave it |
 *   12 nonce | sealed content, tag
 */
#ifndef COF_STANDIN_SQS_KMS_H
#define COF_STANDIN_SQS_KMS_H

#include "standin/sqs_api.h"

/* Whether content for this queue is to be sealed so; and whether kept bytes are. */
bool cof_sqs_kms_is_wanted(const struct cof_sqs_call *c);
bool cof_sqs_kms_is_sealed(struct cof_view bytes);
/* Refusals are SQS's ("KMS.AccessDeniedException"). COF_E_AUTH, COF_E_FORMAT: the kept bytes are damaged. */
COF_MUST_USE enum cof_err cof_sqs_kms_seal(struct cof_sqs_call *c, struct cof_view plain, struct cof_buf *out, struct cof_sqs_refusal *refusal);
COF_MUST_USE enum cof_err cof_sqs_kms_open(struct cof_sqs_call *c, struct cof_view bytes, struct cof_buf *out, struct cof_sqs_refusal *refusal);

#endif
