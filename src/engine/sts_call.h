/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS STS calls (query protocol, version 2011-06-15).
 */
#ifndef COF_ENGINE_STS_CALL_H
#define COF_ENGINE_STS_CALL_H

#include "base/secret.h"
#include "engine/aws_request.h"

COF_MUST_USE enum cof_err cof_sts_assume_role(struct cof_aws_request *out, struct cof_view role_arn,
                                              struct cof_view session_name, unsigned duration_s);
/* Adds what a role's trust policy may ask for; after the builders above. */
void cof_sts_add_external_id(struct cof_aws_request *request, struct cof_view external_id);
void cof_sts_add_mfa(struct cof_aws_request *request, struct cof_view serial, struct cof_view code);
/* Unsigned: token (an identity provider's JWT) is the proof. */
COF_MUST_USE enum cof_err cof_sts_assume_role_with_web_identity(struct cof_aws_request *out, struct cof_view role_arn,
                                                                struct cof_view session_name, struct cof_view token,
                                                                unsigned duration_s);
COF_MUST_USE enum cof_err cof_sts_get_caller_identity(struct cof_aws_request *out);

/* Temporary credentials; secret parts in wiped builders. */
struct cof_sts_credentials {
    struct cof_buf access_key_id, secret_access_key, session_token;
    int64_t expires_ms;
};
void cof_sts_credentials_init(struct cof_sts_credentials *credentials);
void cof_sts_credentials_done(struct cof_sts_credentials *credentials);
/* Of either AssumeRole. */
COF_MUST_USE enum cof_err cof_sts_parse_credentials(struct cof_view reply, struct cof_sts_credentials *out,
                                                    struct cof_diag *diag);

struct cof_sts_identity {
    char account[16], arn[2049];
};
COF_MUST_USE enum cof_err cof_sts_parse_identity(struct cof_view reply, struct cof_sts_identity *out,
                                                 struct cof_diag *diag);

#endif
