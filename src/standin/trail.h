/* SPDX-License-Identifier: Apache-2.0
 *
 * What is written down of a request: a record in CloudTrail's format (CloudTrail User Guide, "CloudTrail record contents",
 * version 1.11), with S3's data events, KMS's recipient of attested calls (KMS Developer Guide, "Monitoring requests for
 * Nitro enclaves") and SQS's and STS's as AWS has them. Never in it: message and object bodies, plaintexts, keys,
 * customer keys, session tokens, receipt handles, one-time codes, signatures of presigned URLs: request parameters and
 * response elements are copied by lists of what may be, not of what may not.
 *
 * Services say what only they know while they answer, with the calls below; the dispatcher makes the record of the rest.
 */
#ifndef COF_STANDIN_TRAIL_H
#define COF_STANDIN_TRAIL_H

#include "standin/standin.h"

struct cof_attest_doc;

#define COF_TRAIL_MAX ((size_t)262144) /* bytes of the records of one call */

/* For the dispatcher. */
void cof_trail_init(struct cof_standin_request *req);
void cof_trail_done(struct cof_standin_request *req);

/* Finds the operation's name in what a JSON or query protocol says, when it is not known yet; it stays empty when neither
 * does. */
void cof_trail_name(struct cof_standin_request *req);
/* The operation's name ("PutObject"). Those of JSON and query protocols are found without. */
void cof_trail_operation(struct cof_standin_request *req, const char *name);
/* S3's bucket and key of the request; a copy's source is another resource. */
void cof_trail_object(struct cof_standin_request *req, const char *bucket, struct cof_view key);
/* The parsed request of a JSON protocol, for requestParameters. A later call replaces an earlier one. */
void cof_trail_parameters(struct cof_standin_request *req, const struct json_t *parameters);
/* The attestation document of a call with a recipient that was found genuine. */
void cof_trail_recipient(struct cof_standin_request *req, const struct cof_attest_doc *doc);
/* A resource that was asked for; done by cof_standin_authorize. Resources of another service than the request's are
 * noted as calls made on the caller's behalf. */
void cof_trail_resource(struct cof_standin_request *req, const char *action, struct cof_view arn, bool allowed);

/* Forgets parameters, resources and data: a call begins again after a wait. */
void cof_trail_reset(struct cof_standin_request *req);

/* The records of a finished call: at least one, newline after each. COF_E_LIMIT, COF_E_MEMORY. */
COF_MUST_USE enum cof_err cof_trail_records(const struct cof_standin *s, const struct cof_standin_request *req,
                                            const struct cof_standin_reply *reply, struct cof_buf *out);

#endif
