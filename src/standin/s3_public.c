/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_public.h"

#include "standin/s3_config.h"
#include "standin/s3_policy_rules.h"

#include <string.h>

static const struct { const char *element, *member; } switches[] = {{"BlockPublicAcls", "acls"},
    {"IgnorePublicAcls", "ignore"}, {"BlockPublicPolicy", "policy"}, {"RestrictPublicBuckets", "restrict"}};

#define N_SWITCHES (sizeof switches / sizeof switches[0])

json_t *cof_s3_block_new(bool all)
{
    return json_pack("{s:b, s:b, s:b, s:b}", "acls", all, "ignore", all, "policy", all, "restrict", all);
}

static void add(struct cof_s3_block *block, const json_t *member)
{
    block->acls = block->acls || cof_s3_is(member, "acls");
    block->ignore = block->ignore || cof_s3_is(member, "ignore");
    block->policy = block->policy || cof_s3_is(member, "policy");
    block->restricted = block->restricted || cof_s3_is(member, "restrict");
}

enum cof_err cof_s3_block_of(struct cof_s3_call *c, struct cof_s3_block *out)
{
    json_t *account = NULL;
    enum cof_err err = cof_s3_load(c->store, "s3.account", cof_view_str(cof_s3_owner(c)), &account);

    *out = (struct cof_s3_block){.acls = false};
    add(out, json_object_get(c->bucket_record, "public_access_block"));
    add(out, json_object_get(account, "public_access_block"));
    json_decref(account);
    return err == COF_E_NOT_FOUND ? COF_OK : err;
}

enum cof_err cof_s3_has_public_policy(struct cof_s3_call *c, bool *out)
{
    struct cof_policy *policy = NULL;
    enum cof_err err;

    *out = false;
    if (c->policy.len == 0)
        return COF_OK;
    err = cof_policy_parse(cof_buf_view(&c->policy), COF_POLICY_RESOURCE, COF_POLICY_SIZE_MAX, &policy, NULL);
    if (err == COF_OK)
        *out = cof_s3_policy_is_public(policy);
    cof_policy_free(policy);
    return err;
}

static enum cof_err say(struct cof_s3_call *c, const json_t *block)
{
    if (block == NULL)
        return cof_s3_bucket_has_none(c, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found");
    cof_s3_xml_open(c, "PublicAccessBlockConfiguration");
    for (size_t i = 0; i < N_SWITCHES; i++)
        cof_xml_element(&c->reply->body, switches[i].element,
            cof_s3_is(block, switches[i].member) ? COF_LIT("true") : COF_LIT("false"));
    return cof_s3_xml_close(c, "PublicAccessBlockConfiguration");
}

/* The request's switches; those not named are off. NULL: reply or *err. */
static json_t *read_block(struct cof_s3_call *c, enum cof_err *err)
{
    struct cof_xml_node *root = cof_s3_config_xml(c, "PublicAccessBlockConfiguration", err);
    json_t *block = root == NULL ? NULL : json_object();
    bool good = block != NULL;

    if (root != NULL && block == NULL)
        *err = COF_E_MEMORY;
    for (size_t i = 0; i < N_SWITCHES && good; i++) {
        struct cof_view text = cof_xml_text(root, switches[i].element);

        good = text.len == 0 || cof_view_eq_nocase(text, COF_LIT("true")) || cof_view_eq_nocase(text, COF_LIT("false"));
        if (!good)
            *err = cof_s3_fail(c, 400, "MalformedXML", COF_S3_BAD_XML);
        else if (json_object_set_new(block, switches[i].member, json_boolean(cof_view_eq_nocase(text, COF_LIT("true")))) != 0) {
            *err = COF_E_MEMORY;
            good = false;
        }
    }
    cof_xml_free(root);
    if (!good) {
        json_decref(block);
        return NULL;
    }
    return block;
}

enum cof_err cof_s3_get_public_block(struct cof_s3_call *c)
{
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:GetBucketPublicAccessBlock", false, NULL, false, &err))
        return err;
    return say(c, json_object_get(c->bucket_record, "public_access_block"));
}

enum cof_err cof_s3_put_public_block(struct cof_s3_call *c)
{
    json_t *block;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:PutBucketPublicAccessBlock", false, NULL, false, &err))
        return err;
    block = read_block(c, &err);
    if (block == NULL)
        return err;
    if (json_object_set_new(c->bucket_record, "public_access_block", block) != 0)
        return COF_E_MEMORY;
    return cof_s3_config_save(c, 200);
}

enum cof_err cof_s3_delete_public_block(struct cof_s3_call *c)
{
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:PutBucketPublicAccessBlock", false, NULL, false, &err))
        return err;
    (void)json_object_del(c->bucket_record, "public_access_block");
    return cof_s3_config_save(c, 204);
}

/* The account's: only its own identities may ask. *record is fresh and never NULL on success. */
static bool load_account(struct cof_s3_call *c, const char *action, json_t **record, enum cof_err *err)
{
    *record = NULL;
    if (!cof_s3_allowed(c, action, false, NULL, false, err))
        return false;
    if (!cof_view_eq_str(cof_s3_header(c, "x-amz-account-id"), cof_s3_owner(c))) {
        *err = cof_s3_fail(c, 403, "AccessDenied", "Access Denied");
        return false;
    }
    *err = cof_s3_load(c->store, "s3.account", cof_view_str(cof_s3_owner(c)), record);
    if (*err == COF_E_NOT_FOUND) {
        *record = json_object();
        *err = *record == NULL ? COF_E_MEMORY : COF_OK;
    }
    return *err == COF_OK;
}

enum cof_err cof_s3_get_account_block(struct cof_s3_call *c)
{
    json_t *record;
    enum cof_err err;

    if (load_account(c, "s3:GetAccountPublicAccessBlock", &record, &err))
        err = say(c, json_object_get(record, "public_access_block"));
    json_decref(record);
    return err;
}

static enum cof_err save_account(struct cof_s3_call *c, const json_t *record, int status)
{
    enum cof_err err = cof_s3_save(c->store, "s3.account", cof_view_str(cof_s3_owner(c)), record);

    if (err == COF_OK)
        cof_reply_set(c->reply, status, NULL, COF_LIT(""));
    return err;
}

enum cof_err cof_s3_put_account_block(struct cof_s3_call *c)
{
    json_t *record, *block;
    enum cof_err err;

    if (load_account(c, "s3:PutAccountPublicAccessBlock", &record, &err)) {
        block = read_block(c, &err);
        if (block != NULL)
            err = json_object_set_new(record, "public_access_block", block) == 0 ? save_account(c, record, 201) : COF_E_MEMORY;
    }
    json_decref(record);
    return err;
}

enum cof_err cof_s3_delete_account_block(struct cof_s3_call *c)
{
    json_t *record;
    enum cof_err err;

    if (load_account(c, "s3:PutAccountPublicAccessBlock", &record, &err)) {
        (void)json_object_del(record, "public_access_block");
        err = save_account(c, record, 204);
    }
    json_decref(record);
    return err;
}
