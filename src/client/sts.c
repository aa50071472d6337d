/* SPDX-License-Identifier: Apache-2.0 */
#include "client/sts.h"

#define REPLY_MAX 65536

enum cof_err cof_sts_run_get_caller_identity(struct cof_aws *aws, struct cof_sts_identity *out, struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    enum cof_err err = cof_sts_get_caller_identity(&request);

    *out = (struct cof_sts_identity){0};
    if (err == COF_OK)
        err = cof_aws_run(aws, &request, REPLY_MAX, &reply, diag);
    if (err != COF_OK)
        return err;
    err = cof_sts_parse_identity(cof_buf_view(&reply.body), out, diag);
    cof_aws_reply_done(&reply);
    return err;
}

enum cof_err cof_sts_run_check_account(struct cof_aws *aws, struct cof_view account, struct cof_diag *diag)
{
    struct cof_sts_identity identity;
    enum cof_err err = cof_sts_run_get_caller_identity(aws, &identity, diag);

    if (err == COF_OK && !cof_view_eq_str(account, identity.account))
        err = cof_diag_set(diag, COF_E_AUTH, "the credentials belong to account %s (%s), not to the expected one",
                           identity.account, identity.arn);
    return err;
}

enum cof_err cof_sts_run_assume_role(struct cof_aws *aws, struct cof_view role_arn, struct cof_view session_name,
                                     unsigned duration_s, struct cof_sts_credentials *out, struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    enum cof_err err = cof_sts_assume_role(&request, role_arn, session_name, duration_s);

    *out = (struct cof_sts_credentials){0};
    if (err == COF_OK)
        err = cof_aws_run(aws, &request, REPLY_MAX, &reply, diag);
    if (err != COF_OK)
        return err;
    err = cof_sts_parse_credentials(cof_buf_view(&reply.body), out, diag);
    cof_aws_reply_done(&reply);
    return err;
}
