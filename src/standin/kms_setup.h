/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of the bootstrap manifest, and keys whose time is over.
 */
#ifndef COF_STANDIN_KMS_SETUP_H
#define COF_STANDIN_KMS_SETUP_H

#include "standin/standin.h"

/* "keys": [{"id", "alias"?, "description"?, "policy", "spec"?, "usage"?, "rotation_days"?}]; the policy is JSON, filled
 * in. A key that is there gets the policy and the description. */
COF_MUST_USE enum cof_err cof_kms_bootstrap(struct cof_standin *s, const struct json_t *manifest, int64_t now_ms,
                                            struct cof_diag *diag);
/* Removes the keys whose scheduled deletion is due. */
COF_MUST_USE enum cof_err cof_kms_sweep(struct cof_standin *s, int64_t now_ms, bool *swept);

#endif
