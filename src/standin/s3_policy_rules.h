/* SPDX-License-Identifier: Apache-2.0
 *
 * What S3 asks of a bucket policy beyond the grammar of policies (policy/policy.h): actions that S3 has, resources of that
 * very bucket, actions and condition keys that fit the resources; and whether it counts as public (Amazon S3 User Guide,
 * "Blocking public access to your Amazon S3 storage", "The meaning of public").
 */
#ifndef COF_STANDIN_S3_POLICY_RULES_H
#define COF_STANDIN_S3_POLICY_RULES_H

#include "policy/policy.h"

#define COF_S3_POLICY_MAX 20480 /* bytes */
#define COF_S3_POLICY_WHY 400

/* Reads and judges a policy for that bucket. COF_E_FORMAT: why holds the sentence of MalformedPolicy, in S3's words where
 * it has some. COF_E_LIMIT: the text is too long. *out is NULL on failure; else free it. */
COF_MUST_USE enum cof_err cof_s3_policy_read(
    struct cof_view text, const char *bucket, struct cof_policy **out, char why[static COF_S3_POLICY_WHY]);

/* True when some Allow reaches people who are not fixed: neither by Principal nor by a condition on a fixed value. */
bool cof_s3_policy_is_public(const struct cof_policy *policy);

/* Whether S3 has that action for objects; false for buckets' actions and for unknown ones. */
bool cof_s3_action_is_object(const char *action);

#endif
