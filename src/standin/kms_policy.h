/* SPDX-License-Identifier: Apache-2.0
 *
 * Key policies: what is checked before one is taken.
 */
#ifndef COF_STANDIN_KMS_POLICY_H
#define COF_STANDIN_KMS_POLICY_H

#include "standin/kms_api.h"

/* Well formed, its principals exist, and it does not lock its author out (unless bypass). key: whose it will be, or NULL
 * for one yet to be made. COF_E_DENIED with MalformedPolicyDocumentException or LimitExceededException. */
COF_MUST_USE enum cof_err cof_kms_policy_check(struct cof_kms_call *c, struct cof_kms_key *key, struct cof_view text,
                                               bool bypass);
/* AWS's default: the account's own IAM policies decide. */
void cof_kms_policy_default(const struct cof_standin *s, struct cof_buf *out);
/* Whether an ARN (or an account's number) names somebody: users and roles of this account must be there. */
COF_MUST_USE enum cof_err cof_kms_principal_exists(struct cof_standin *s, struct cof_view arn, bool *exists);

#endif
