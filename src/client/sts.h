/* SPDX-License-Identifier: Apache-2.0
 *
 * STS as a program uses it: who am I, and am I in the account I was built for (C-08).
 */
#ifndef COF_CLIENT_STS_H
#define COF_CLIENT_STS_H

#include "client/aws.h"
#include "engine/sts_call.h"

COF_MUST_USE enum cof_err cof_sts_run_get_caller_identity(struct cof_aws *aws, struct cof_sts_identity *out,
                                                          struct cof_diag *diag);
/* COF_E_AUTH when the credentials belong to another account than the pinned one. */
COF_MUST_USE enum cof_err cof_sts_run_check_account(struct cof_aws *aws, struct cof_view account,
                                                    struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_sts_run_assume_role(struct cof_aws *aws, struct cof_view role_arn,
                                                  struct cof_view session_name, unsigned duration_s,
                                                  struct cof_sts_credentials *out, struct cof_diag *diag);

#endif
