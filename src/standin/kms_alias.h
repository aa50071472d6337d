/* SPDX-License-Identifier: Apache-2.0
 *
 * Aliases of KMS keys: "alias/NAME" -> key id, in the store and in the key's record.
 */
#ifndef COF_STANDIN_KMS_ALIAS_H
#define COF_STANDIN_KMS_ALIAS_H

#include "standin/kms_keys.h"

/* COF_E_NOT_FOUND. */
COF_MUST_USE enum cof_err cof_kms_alias_target(struct cof_standin *s, struct cof_view name, char id[static COF_KMS_ID_MAX]);
/* Gives key (a copy of its own) the alias, or takes it from it. */
COF_MUST_USE enum cof_err cof_kms_alias_put(struct cof_standin *s, struct cof_view name, struct cof_kms_key *key,
                                            int64_t created_ms, int64_t now_ms);
COF_MUST_USE enum cof_err cof_kms_alias_drop(struct cof_standin *s, struct cof_view name, struct cof_kms_key *key);
/* The key that AWS manages for a service, "alias/aws/s3" or "alias/aws/sqs", made when it is first asked for, with AWS's
 * policy for such keys. COF_E_NOT_FOUND for other names. */
COF_MUST_USE enum cof_err cof_kms_alias_make_aws(struct cof_standin *s, struct cof_view name, int64_t now_ms,
                                                 struct cof_kms_key **out);

#endif
