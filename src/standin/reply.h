/* SPDX-License-Identifier: Apache-2.0
 *
 * Replies in AWS's shapes: JSON with __type (KMS, SQS), XML (S3, STS).
 */
#ifndef COF_STANDIN_REPLY_H
#define COF_STANDIN_REPLY_H

#include "standin/standin.h"

void cof_reply_init(struct cof_standin_reply *reply);
/* Frees, and ends the stream; takes NULL or a zeroed struct. */
void cof_reply_done(struct cof_standin_reply *reply);
/* Back to nothing: status 0, no headers, no body. */
void cof_reply_reset(struct cof_standin_reply *reply);

/* 200 with the given body (copied). type "application/x-amz-json-1.1", "application/xml". */
void cof_reply_set(struct cof_standin_reply *reply, int status, const char *type, struct cof_view body);
/* {"__type":"CODE","message":"..."} with x-amzn-ErrorType. SQS's query-compatible code goes into x-amzn-query-error
 * when query_code is not NULL ("AWS.SimpleQueueService.NonExistentQueue"; ";Sender" is added below 500, else
 * ";Receiver"). Always returns COF_OK, so that a handler can `return cof_reply_json_error(...)`. */
enum cof_err cof_reply_json_error(struct cof_standin_reply *reply, const char *type, int status, const char *code,
                                  const char *query_code, struct cof_view message);
/* S3: <Error><Code/><Message/><Resource/><RequestId/><HostId/></Error>. extra: more XML elements, ready made, or NULL. */
enum cof_err cof_reply_s3_error(struct cof_standin_reply *reply, const struct cof_standin_request *req, int status,
                                const char *code, const char *message, const char *extra);
/* STS, IAM: <ErrorResponse xmlns><Error><Type/><Code/><Message/></Error><RequestId/></ErrorResponse>. */
enum cof_err cof_reply_query_error(struct cof_standin_reply *reply, const struct cof_standin_request *req,
                                   const char *xmlns, int status, const char *code, struct cof_view message);

/* Text as the inside of an XML element: & < > " and CR escaped; bytes XML cannot hold become U+FFFD. */
void cof_xml_escape(struct cof_buf *out, struct cof_view text);
/* <name>text</name>. */
void cof_xml_element(struct cof_buf *out, const char *name, struct cof_view text);

#endif
