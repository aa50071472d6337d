/* SPDX-License-Identifier: Apache-2.0
 *
 * What a message carries: body, message attributes, trace header, group and sender, checked as SQS checks them, with
 * SQS's digests, and as the bytes that are sealed and kept.
 *
 *   u8 version 1 | 16 MD5 of body | u32 length, body | u16 length, sender | u16 length, trace header | u16 length, group |
 *   u8 count, then per attribute: u16 length, name | u16 length, type | u8 transport (1 text, 2 binary) | u32 length, value
 */
#ifndef COF_STANDIN_SQS_CONTENT_H
#define COF_STANDIN_SQS_CONTENT_H

#include "format/json.h"
#include "standin/sqs_error.h"

#define COF_SQS_VALUES_MAX 10
#define COF_SQS_MESSAGE_MAX 1048576

/* A message attribute; views. */
struct cof_sqs_value {
    struct cof_view name, type, value; /* value: text, or bytes */
    bool binary;
};

struct cof_sqs_content {
    struct cof_view body, sender, trace, group;
    uint8_t body_md5[16];
    struct cof_sqs_value values[COF_SQS_VALUES_MAX];
    size_t n_values;
    size_t size;         /* as the limits count it: body, and names, types and values of attributes */
    struct cof_buf kept; /* what views look into, where that is not the caller's */
};
void cof_sqs_content_done(struct cof_sqs_content *content);

/* From MessageBody, MessageAttributes, MessageSystemAttributes and MessageGroupId of a request; views into it. sender is
 * the caller's. Refusals are SQS's. */
COF_MUST_USE enum cof_err cof_sqs_content_read(const json_t *entry, struct cof_sqs_content *out, struct cof_sqs_refusal *refusal);
/* To the bytes that are kept, and back: the views look into bytes. COF_E_FORMAT when these are damaged. */
void cof_sqs_content_write(const struct cof_sqs_content *content, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_sqs_content_parse(struct cof_view bytes, struct cof_sqs_content *out);

/* MD5OfMessageAttributes over those whose want is set (NULL: all); SQS Developer Guide, "Calculating the MD5 message digest for
 * message attributes". As 32 hex digits. */
COF_MUST_USE enum cof_err cof_sqs_values_md5(const struct cof_sqs_value *values, size_t n, const bool *want, char out[static 33]);
/* #x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF, in UTF-8. */
bool cof_sqs_is_text(struct cof_view v);

#endif
