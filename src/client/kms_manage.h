/* SPDX-License-Identifier: Apache-2.0
 *
 * Administering a KMS key: its policy, its state. The key is pinned by its full ARN, as in client/kms.h. Blocking.
 */
#ifndef COF_CLIENT_KMS_MANAGE_H
#define COF_CLIENT_KMS_MANAGE_H

#include "client/aws.h"
#include "engine/kms_manage.h"

/* Appends the policy's text, as KMS keeps it. */
COF_MUST_USE enum cof_err cof_kms_run_get_key_policy(struct cof_aws *aws, struct cof_view key_arn, struct cof_buf *policy,
                                                     struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_kms_run_put_key_policy(struct cof_aws *aws, struct cof_view key_arn, struct cof_view policy,
                                                     struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_kms_run_describe_key(struct cof_aws *aws, struct cof_view key_arn, struct cof_kms_key_facts *out,
                                                   struct cof_diag *diag);

#endif
