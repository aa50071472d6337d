/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kms_manage.h"

#define REPLY_MAX 262144

static enum cof_err check_arn(struct cof_view key_arn, struct cof_diag *diag)
{
    if (cof_kms_is_key_arn(key_arn))
        return COF_OK;
    (void)cof_diag_set(diag, COF_E_CONFIG, "'%.*s' is not the full ARN of a KMS key", (int)cof_view_sub(key_arn, 0, 200).len,
                       (const char *)key_arn.data);
    cof_diag_hint(diag, "aliases and bare ids can be made to mean another key: write arn:aws:kms:REGION:ACCOUNT:key/ID");
    return COF_E_CONFIG;
}

enum cof_err cof_kms_run_get_key_policy(struct cof_aws *aws, struct cof_view key_arn, struct cof_buf *policy,
                                        struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    enum cof_err err = check_arn(key_arn, diag);

    if (err == COF_OK)
        err = cof_kms_get_key_policy(&request, key_arn);
    if (err == COF_OK)
        err = cof_aws_run(aws, &request, REPLY_MAX, &reply, diag);
    if (err != COF_OK)
        return err;
    err = cof_kms_parse_key_policy(cof_buf_view(&reply.body), policy, diag);
    cof_aws_reply_done(&reply);
    return err;
}

enum cof_err cof_kms_run_put_key_policy(struct cof_aws *aws, struct cof_view key_arn, struct cof_view policy,
                                        struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    enum cof_err err = check_arn(key_arn, diag);

    if (err == COF_OK)
        err = cof_kms_put_key_policy(&request, key_arn, policy);
    if (err == COF_OK)
        err = cof_aws_run(aws, &request, REPLY_MAX, &reply, diag);
    if (err == COF_OK)
        cof_aws_reply_done(&reply);
    return err;
}

enum cof_err cof_kms_run_describe_key(struct cof_aws *aws, struct cof_view key_arn, struct cof_kms_key_facts *out,
                                      struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    enum cof_err err = check_arn(key_arn, diag);

    *out = (struct cof_kms_key_facts){.arn = ""};
    if (err == COF_OK)
        err = cof_kms_describe_key(&request, key_arn);
    if (err == COF_OK)
        err = cof_aws_run(aws, &request, REPLY_MAX, &reply, diag);
    if (err != COF_OK)
        return err;
    err = cof_kms_parse_key_facts(cof_buf_view(&reply.body), key_arn, out, diag);
    cof_aws_reply_done(&reply);
    return err;
}
