/* SPDX-License-Identifier: Apache-2.0
 *
 * A bucket's policy: put, given back, taken away, and whether it is public.
 */
#include "standin/s3_policy_rules.h"

#include "standin/s3_config.h"
#include "standin/s3_owner.h"
#include "standin/s3_public.h"

#include <string.h>

enum cof_err cof_s3_get_policy(struct cof_s3_call *c)
{
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:GetBucketPolicy", false, NULL, false, &err))
        return err;
    if (c->policy.len == 0)
        return cof_s3_bucket_has_none(c, "NoSuchBucketPolicy", "The bucket policy does not exist");
    cof_reply_set(c->reply, 200, "application/json", cof_buf_view(&c->policy));
    return COF_OK;
}

enum cof_err cof_s3_get_policy_status(struct cof_s3_call *c)
{
    bool is_public, as_ceph = false;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:GetBucketPolicyStatus", false, NULL, false, &err))
        return err;
    if (c->policy.len == 0)
        err = cof_s3_setting(c->store, "as_ceph", &as_ceph);
    if (err == COF_OK && c->policy.len == 0 && !as_ceph)
        return cof_s3_bucket_has_none(c, "NoSuchBucketPolicy", "The bucket policy does not exist");
    if (err == COF_OK)
        err = cof_s3_has_public_policy(c, &is_public);
    if (err != COF_OK)
        return err;
    is_public = is_public || (as_ceph && cof_s3_has_public_acl(c)); /* Ceph speaks of ACLs too */
    cof_s3_xml_open(c, "PolicyStatus");
    cof_buf_printf(&c->reply->body, "<IsPublic>%s</IsPublic>", is_public ? "true" : "false");
    return cof_s3_xml_close(c, "PolicyStatus");
}

/* spec: the owner's root keeps its hold on the policy whatever the policy says, unless it gives it up in so many words
 * (x-amz-confirm-remove-self-bucket-access). Kept in the bucket's record. */
static enum cof_err keep_hold(struct cof_s3_call *c, bool given_up)
{
    if (cof_s3_is(c->bucket_record, "policy_binds_root") == given_up)
        return COF_OK;
    if (json_object_set_new(c->bucket_record, "policy_binds_root", json_boolean(given_up)) != 0)
        return COF_E_MEMORY;
    return cof_s3_bucket_put(c->store, c->bucket, c->bucket_record);
}

static enum cof_err refuse_public(struct cof_s3_call *c)
{
    return cof_s3_denied(c, "s3:PutBucketPolicy", false,
        "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.");
}

enum cof_err cof_s3_put_policy(struct cof_s3_call *c)
{
    struct cof_policy *policy = NULL;
    struct cof_s3_block block;
    char why[COF_S3_POLICY_WHY];
    bool is_public;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:PutBucketPolicy", false, NULL, false, &err))
        return err;
    err = cof_s3_policy_read(c->req->body, c->bucket, &policy, why);
    if (err == COF_E_LIMIT)
        return cof_s3_fail(c, 400, "PolicyTooLarge", "Policy exceeds the maximum allowed document size.");
    if (err == COF_E_FORMAT)
        return cof_s3_fail(c, 400, "MalformedPolicy", why);
    if (err != COF_OK)
        return err;
    is_public = cof_s3_policy_is_public(policy);
    cof_policy_free(policy);
    err = cof_s3_block_of(c, &block);
    if (err != COF_OK)
        return err;
    if (is_public && block.policy)
        return refuse_public(c);
    err = c->store->put(c->store->ctx, "s3.policy", cof_view_str(c->bucket), c->req->body);
    if (err == COF_OK)
        err = keep_hold(
            c, cof_view_eq_nocase(cof_s3_header(c, "x-amz-confirm-remove-self-bucket-access"), COF_LIT("true")));
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
        err = keep_hold(c, false);
    if (err == COF_OK)
        cof_reply_set(c->reply, 204, NULL, COF_LIT(""));
    return err;
}
