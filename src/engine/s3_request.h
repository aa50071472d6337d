/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the S3 calls: the pieces their requests are made of.
 */
#ifndef COF_ENGINE_S3_REQUEST_H
#define COF_ENGINE_S3_REQUEST_H

#include "engine/s3_call.h"

COF_MUST_USE enum cof_err cof_s3_begin(struct cof_aws_request *out, const char *method, struct cof_view bucket,
                                       struct cof_view key);
/* The first error; on one the request is done with. */
COF_MUST_USE enum cof_err cof_s3_finish(struct cof_aws_request *out, enum cof_err err);
void cof_s3_add_number(struct cof_aws_request *out, const char *name, uint64_t number);
void cof_s3_add_attributes(struct cof_headers *headers, const struct cof_s3_attributes *attributes);
void cof_s3_add_conditions(struct cof_headers *headers, const struct cof_s3_put *put);
COF_MUST_USE enum cof_err cof_s3_add_sse(struct cof_headers *headers, const struct cof_s3_sse *sse);
/* of_source: the key of the object that is copied from. */
COF_MUST_USE enum cof_err cof_s3_add_customer_key(struct cof_headers *headers, const struct cof_secret *key,
                                                  bool of_source);

#endif
