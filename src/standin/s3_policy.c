/* SPDX-License-Identifier: Apache-2.0
 *
 * A bucket's policy: put, given back, taken away.
 */
#include "standin/s3_config.h"

enum cof_err cof_s3_get_policy(struct cof_s3_call *c)
{
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:GetBucketPolicy", false, NULL, false, &err))
        return err;
    if (c->policy.len == 0)
        return cof_s3_fail(c, 404, "NoSuchBucketPolicy", "The bucket policy does not exist");
    cof_reply_set(c->reply, 200, "application/json", cof_buf_view(&c->policy));
    return COF_OK;
}

enum cof_err cof_s3_put_policy(struct cof_s3_call *c)
{
    struct cof_policy *policy = NULL;
    struct cof_diag diag = {.text = ""};
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:PutBucketPolicy", false, NULL, false, &err))
        return err;
    err = cof_policy_parse(c->req->body, COF_POLICY_RESOURCE, 20480, &policy, &diag);
    cof_policy_free(policy);
    if (err == COF_E_FORMAT || err == COF_E_LIMIT)
        return cof_s3_fail(c, 400, "MalformedPolicy", diag.text);
    if (err == COF_OK)
        err = c->store->put(c->store->ctx, "s3.policy", cof_view_str(c->bucket), c->req->body);
    if (err == COF_OK)
        cof_reply_set(c->reply, 204, NULL, COF_LIT(""));
    return err;
}

enum cof_err cof_s3_delete_policy(struct cof_s3_call *c)
{
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:DeleteBucketPolicy", false, NULL, false, &err))
        return err;
    err = c->store->remove(c->store->ctx, "s3.policy", cof_view_str(c->bucket));
    if (err == COF_OK)
        cof_reply_set(c->reply, 204, NULL, COF_LIT(""));
    return err;
}
