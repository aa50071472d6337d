/* SPDX-License-Identifier: Apache-2.0
 *
 * May this caller do this with that bucket or object? The bucket's policy, S3 Block Public Access and canned ACLs are put to
 * the policies together.
 */
#include "standin/s3_context.h"
#include "standin/s3_owner.h"
#include "standin/s3_public.h"
#include "standin/s3_record.h"

#include <string.h>

const char *cof_s3_owner(const struct cof_s3_call *c)
{
    const char *owner = cof_s3_text(c->bucket_record, "owner");

    if (c->bucket_record == NULL)
        owner = c->req->principal->account;
    return owner[0] != '\0' ? owner : cof_standin_account(c->s);
}

static bool is_owner(const struct cof_s3_call *c)
{
    const struct cof_caller *caller = &c->req->principal->caller;

    return caller->kind != COF_CALLER_ANONYMOUS && cof_view_eq_str(caller->account, cof_s3_owner(c));
}

/* spec: "the root principal in a bucket owner's account can perform GetBucketPolicy, PutBucketPolicy and DeleteBucketPolicy
 * even if the bucket policy explicitly denies it". */
static bool is_above_policy(const struct cof_s3_call *c, const char *action)
{
    return c->req->principal->caller.kind == COF_CALLER_ROOT && is_owner(c) &&
        !cof_s3_is(c->bucket_record, "policy_binds_root") &&
        (strcmp(action, "s3:GetBucketPolicy") == 0 || strcmp(action, "s3:PutBucketPolicy") == 0 ||
            strcmp(action, "s3:DeleteBucketPolicy") == 0);
}

/* The switches, for those whom they may shut out. */
static enum cof_err read_block(struct cof_s3_call *c, struct cof_s3_block *block, bool *public_policy)
{
    enum cof_err err;

    *block = (struct cof_s3_block){.acls = false};
    *public_policy = false;
    if (c->bucket_record == NULL || is_owner(c))
        return COF_OK;
    err = cof_s3_block_of(c, block);
    return err == COF_OK && block->restricted ? cof_s3_has_public_policy(c, public_policy) : err;
}

struct question {
    struct cof_s3_call *call;
    struct cof_s3_context context;
    struct cof_s3_block block;
    struct cof_buf arn, why, acl;
    struct cof_standin_access access;
};

/* Where the policies are silent, an ACL may speak in the bucket policy's place. */
static struct cof_view acl_text(void *ctx)
{
    struct question *q = ctx;

    cof_s3_acl_policy(q->call, q->access.action, q->block.ignore, &q->acl);
    return cof_buf_err(&q->acl) == COF_OK ? cof_buf_view(&q->acl) : (struct cof_view){NULL, 0};
}

static void question_init(
    struct question *q, struct cof_s3_call *c, const char *action, bool object, const json_t *tags, bool probe)
{
    cof_buf_init(&q->arn, 2 * COF_S3_KEY_MAX);
    cof_buf_init(&q->why, 16384);
    cof_buf_init(&q->acl, 4096);
    q->call = c;
    cof_s3_context_init(&q->context, c, action, tags, probe);
    if (c->level == COF_S3_SERVICE)
        cof_buf_add_str(&q->arn, "arn:aws:s3:::*");
    else if (c->level == COF_S3_ACCOUNT)
        cof_buf_add_str(&q->arn, "*");
    else
        cof_s3_arn(c, object, &q->arn);
    q->access = (struct cof_standin_access){.action = action,
        .resource = cof_buf_view(&q->arn),
        .resource_policy = is_above_policy(c, action) ? COF_LIT("") : cof_buf_view(&c->policy),
        .resource_policy_name = "bucket-policy",
        .resource_policy_kind = COF_POLICY_RESOURCE,
        .rule = COF_RESOURCE_EITHER,
        .resource_account = cof_view_str(object ? cof_s3_object_owner(c, c->object) : cof_s3_owner(c)),
        .context = &q->context.keys};
    if (c->bucket_record != NULL) {
        q->access.more_policy = acl_text;
        q->access.more_ctx = q;
    }
}

static void question_done(struct question *q)
{
    cof_s3_context_done(&q->context);
    cof_buf_done(&q->arn);
    cof_buf_done(&q->why);
    cof_buf_done(&q->acl);
}

static enum cof_err ask(struct cof_s3_call *c, struct question *q)
{
    bool public_policy;
    enum cof_err err = read_block(c, &q->block, &public_policy);

    if (err == COF_OK)
        err = cof_standin_authorize(c->s, c->req, &q->access, &q->why);
    if (err != COF_OK || !public_policy)
        return err;
    c->req->authorized = false; /* spec: RestrictPublicBuckets shuts out other accounts, named ones too */
    return COF_E_DENIED;
}

bool cof_s3_allowed(
    struct cof_s3_call *c, const char *action, bool object, const json_t *tags, bool quiet, enum cof_err *err)
{
    struct question q COF_UNCLEARED;
    char before[sizeof c->req->action];
    bool was = c->req->authorized;

    memcpy(before, c->req->action, sizeof before);
    question_init(&q, c, action, object, tags, quiet && strcmp(action, "s3:ListBucket") == 0);
    *err = ask(c, &q);
    if (quiet) { /* asked on the way: what the call is stays */
        c->req->authorized = was;
        memcpy(c->req->action, before, sizeof before);
    }
    if (*err == COF_OK) {
        question_done(&q);
        return true;
    }
    if (*err == COF_E_LIMIT) {
        *err = cof_s3_fail(c, 400, "InvalidRequest", "The request holds more than can be weighed against policies.");
    } else if (*err == COF_E_DENIED) {
        *err = COF_OK;
        if (!quiet)
            (void)cof_s3_fail(c, 403, "AccessDenied",
                c->req->principal->caller.kind == COF_CALLER_ANONYMOUS || q.why.len == 0 ? "Access Denied" :
                                                                                          cof_buf_cstr(&q.why));
    }
    question_done(&q);
    return false;
}

bool cof_s3_allowed_too(struct cof_s3_call *c, const char *action, const json_t *tags, enum cof_err *err)
{
    char call[sizeof c->req->action];
    bool as_ceph;

    *err = cof_s3_setting(c->store, "as_ceph", &as_ceph);
    if (*err != COF_OK || as_ceph)
        return *err == COF_OK;
    memcpy(call, c->req->action, sizeof call);
    if (!cof_s3_allowed(c, action, true, tags, false, err))
        return false;
    memcpy(c->req->action, call, sizeof call);
    return true;
}

enum cof_err cof_s3_denied(struct cof_s3_call *c, const char *action, bool object, const char *because)
{
    struct cof_buf why;
    enum cof_err err;

    cof_buf_init(&why, 8192);
    cof_buf_add_str(&why, "User: ");
    cof_buf_add(&why, c->req->principal->caller.kind == COF_CALLER_ANONYMOUS ? COF_LIT("anonymous") : c->req->principal->caller.arn);
    cof_buf_printf(&why, " is not authorized to perform: %s on resource: \"", action);
    cof_s3_arn(c, object, &why);
    cof_buf_printf(&why, "\" %s", because);
    err = cof_s3_fail(c, 403, "AccessDenied", cof_buf_cstr(&why));
    cof_buf_done(&why);
    return err;
}
