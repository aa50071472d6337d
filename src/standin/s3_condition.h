/* SPDX-License-Identifier: Apache-2.0
 *
 * Conditional requests (S3 User Guide, "Add preconditions to S3 operations"): reads, copies, writes, deletes.
 */
#ifndef COF_STANDIN_S3_CONDITION_H
#define COF_STANDIN_S3_CONDITION_H

#include "standin/s3_api.h"

/* If-Match and the rest in front of this version (RFC 9110 section 13.2.2): 0 (go on), 304 or 412. prefix: "", or
 * "x-amz-copy-source-". */
int cof_s3_read_conditions(const struct cof_s3_call *call, const char *prefix, const json_t *record, const char **which);
/* Whether a list of ETags has this one. */
bool cof_s3_etag_listed(struct cof_view list, const char *etag);
/* PreconditionFailed; condition: "If-Match" or the like. */
enum cof_err cof_s3_precondition_failed(struct cof_s3_call *call, const char *condition);

/* NotImplemented, for a header that is of other kinds of buckets. False. */
bool cof_s3_not_here(struct cof_s3_call *call, const char *header);
/* The x-amz-copy-source-if-... headers. False: the reply holds the error. */
bool cof_s3_copy_conditions(struct cof_s3_call *call, const json_t *record);

/* If-None-Match: * and If-Match against the present object. AWS takes no ETag in If-None-Match here, Ceph does
 * ("as_ceph", s3_setup.c). False: the reply holds the error (or *err). */
bool cof_s3_put_conditions(struct cof_s3_call *call, enum cof_err *err);

/* What a delete demands of the version it is about; empty views demand nothing. */
struct cof_s3_delete_condition {
    struct cof_view etag, modified, size;
};
struct cof_s3_delete_condition cof_s3_delete_condition(struct cof_s3_call *call); /* from the headers */

enum cof_s3_delete_verdict { COF_S3_DELETE_GO, COF_S3_DELETE_FAILED, COF_S3_DELETE_NO_KEY, COF_S3_DELETE_BAD };
/* record: the version, which may be a delete marker; NULL: there is none. named: the request names that version. */
enum cof_s3_delete_verdict cof_s3_delete_conditions(struct cof_s3_call *call,
    const struct cof_s3_delete_condition *condition, const json_t *record, bool named);

#endif
