/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose objects are, and canned ACLs (Amazon S3 User Guide, "Controlling ownership of objects and disabling ACLs"). A bucket's
 * record has "ownership": BucketOwnerEnforced (ACLs are off; what new buckets have), BucketOwnerPreferred or ObjectWriter;
 * absent: ObjectWriter. Bucket and object records have "acl", a canned ACL's name, absent: private; an object that another
 * account wrote and owns has "owner". Grants to named accounts are not implemented.
 */
#ifndef COF_STANDIN_S3_OWNER_H
#define COF_STANDIN_S3_OWNER_H

#include "standin/s3_api.h"

/* What CreateBucket asks for (x-amz-object-ownership, x-amz-acl), into the new bucket's record. preset: the ownership
 * where nothing is asked. False: reply or *err. */
bool cof_s3_owner_for_bucket(struct cof_s3_call *call, const char *preset, json_t *record, enum cof_err *err);
/* What a writing request says of the new object's ACL and owner, into its record. False: reply or *err. */
bool cof_s3_owner_for_object(struct cof_s3_call *call, json_t *record, enum cof_err *err);
/* Whether the bucket's own ACL reaches everybody, or everybody with an account. */
bool cof_s3_has_public_acl(const struct cof_s3_call *call);
/* The account an object belongs to; record may be NULL. */
const char *cof_s3_object_owner(const struct cof_s3_call *call, const json_t *record);

/* What the ACLs of bucket and object (call->object, may be NULL) say about an action, as a policy's text appended to out:
 * nothing when they say nothing. ignore_public: grants to everybody do not count. */
void cof_s3_acl_policy(const struct cof_s3_call *call, const char *action, bool ignore_public, struct cof_buf *out);

#endif
