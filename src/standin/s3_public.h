/* SPDX-License-Identifier: Apache-2.0
 *
 * S3 Block Public Access: four switches of a bucket and of an account, of which the stricter counts (Amazon S3 User Guide,
 * "Blocking public access to your Amazon S3 storage"). In the bucket's record, and under the account's number in the space
 * "s3.account": "public_access_block": {"acls", "ignore", "policy", "restrict"}, all boolean; absent: none set.
 */
#ifndef COF_STANDIN_S3_PUBLIC_H
#define COF_STANDIN_S3_PUBLIC_H

#include "standin/s3_api.h"

struct cof_s3_block {
    bool acls;     /* BlockPublicAcls: a public ACL is refused */
    bool ignore;   /* IgnorePublicAcls: public ACLs that are there grant nothing */
    bool policy;   /* BlockPublicPolicy: a public policy is refused */
    bool restricted; /* RestrictPublicBuckets: a public policy serves nobody outside of the account */
};

/* Bucket's and account's together. */
COF_MUST_USE enum cof_err cof_s3_block_of(struct cof_s3_call *call, struct cof_s3_block *out);
/* A fresh member for a record; all: every switch on. */
json_t *cof_s3_block_new(bool all);
/* Whether the bucket's policy is public. Without one it is not. */
COF_MUST_USE enum cof_err cof_s3_has_public_policy(struct cof_s3_call *call, bool *out);

#endif
