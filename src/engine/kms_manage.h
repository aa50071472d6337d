/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS KMS calls that administer a key (JSON 1.1, "AWS KMS API Reference"): its policy and its state. Replies are parsed as
 * hostile.
 */
#ifndef COF_ENGINE_KMS_MANAGE_H
#define COF_ENGINE_KMS_MANAGE_H

#include "engine/kms_call.h"

#define COF_KMS_KEY_POLICY_MAX 32768 /* bytes, of the service */

COF_MUST_USE enum cof_err cof_kms_get_key_policy(struct cof_aws_request *out, struct cof_view key_arn);
/* policy: its text. The service's safety check stays on: whoever asks must be able to change the policy again. */
COF_MUST_USE enum cof_err cof_kms_put_key_policy(struct cof_aws_request *out, struct cof_view key_arn, struct cof_view policy);
COF_MUST_USE enum cof_err cof_kms_describe_key(struct cof_aws_request *out, struct cof_view key_arn);

/* Appends the policy's text. COF_E_FORMAT. */
COF_MUST_USE enum cof_err cof_kms_parse_key_policy(struct cof_view body, struct cof_buf *policy, struct cof_diag *diag);

struct cof_kms_key_facts {
    char arn[COF_KMS_ARN_MAX + 1];
    char state[32], usage[32], spec[32]; /* "Enabled", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"; the last two may be empty */
    bool by_customer;                    /* and not by an AWS service */
};
/* COF_E_AUTH when it tells of another key than expected. */
COF_MUST_USE enum cof_err cof_kms_parse_key_facts(struct cof_view body, struct cof_view expected_key,
                                                  struct cof_kms_key_facts *out, struct cof_diag *diag);

#endif
