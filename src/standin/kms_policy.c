/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_policy.h"

#include <ctype.h>
#include <stdio.h>

void cof_kms_policy_default(const struct cof_standin *s, struct cof_buf *out)
{
    cof_buf_printf(out,
        "{\"Version\":\"2012-10-17\",\"Id\":\"key-default-1\",\"Statement\":[{\"Sid\":\"Enable IAM User Permissions\",\"Effect\":\"Allow\","
        "\"Principal\":{\"AWS\":\"arn:aws:iam::%s:root\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}]}",
        cof_standin_account(s));
}

static bool is_account(struct cof_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!isdigit(text.data[i]))
            return false;
    return text.len == 12;
}

static struct cof_view last_part(struct cof_view path)
{
    struct cof_view head;

    while (cof_view_split(path, '/', &head, &path))
        ;
    return head;
}

/* A user or role of this account, by the bare name; its path must be the ARN's too. */
static enum cof_err entity_exists(struct cof_standin *s, enum cof_iam_kind kind, struct cof_view name, struct cof_view arn,
                                  bool *exists)
{
    struct cof_iam_entity entity = {0};
    enum cof_err err = cof_iam_get(cof_standin_store(s), kind, (struct cof_view){0}, name, &entity);

    *exists = err == COF_OK && (arn.len == 0 || cof_view_eq_str(arn, entity.arn));
    cof_iam_entity_done(&entity);
    return err == COF_E_NOT_FOUND ? COF_OK : err;
}

enum cof_err cof_kms_principal_exists(struct cof_standin *s, struct cof_view arn, bool *exists)
{
    struct cof_view part[5], rest = arn, role;

    *exists = is_account(arn);
    if (*exists)
        return COF_OK;
    for (size_t i = 0; i < 5; i++)
        if (!cof_view_split(rest, ':', &part[i], &rest))
            return COF_OK;
    if (!cof_view_eq_str(part[0], "arn") || !is_account(part[4]) || rest.len == 0)
        return COF_OK;
    if (!cof_view_eq_str(part[4], cof_standin_account(s)) || cof_view_eq_str(rest, "root")) {
        *exists = true; /* other accounts are not known here */
        return COF_OK;
    }
    if (cof_view_eq_str(part[2], "iam") && cof_view_starts(rest, COF_LIT("user/")))
        return entity_exists(s, COF_IAM_USER, last_part(rest), arn, exists);
    if (cof_view_eq_str(part[2], "iam") && cof_view_starts(rest, COF_LIT("role/")))
        return entity_exists(s, COF_IAM_ROLE, last_part(rest), arn, exists);
    if (cof_view_eq_str(part[2], "sts") && cof_view_starts(rest, COF_LIT("assumed-role/")) &&
        cof_view_split(cof_view_sub(rest, 13, SIZE_MAX), '/', &role, &rest))
        return entity_exists(s, COF_IAM_ROLE, role, (struct cof_view){0}, exists);
    *exists = cof_view_starts(rest, COF_LIT("federated-user/"));
    return COF_OK;
}

static enum cof_err check_principals(struct cof_kms_call *c, const struct cof_policy *policy)
{
    for (size_t i = 0; i < policy->n_statements; i++)
        for (size_t j = 0; j < policy->statements[i].n_principals; j++) {
            const struct cof_principal *p = &policy->statements[i].principals[j];
            bool exists = true;
            enum cof_err err = COF_OK;

            if (p->kind == COF_PRINCIPAL_ARN)
                err = cof_kms_principal_exists(c->s, p->value, &exists);
            if (err != COF_OK)
                return err;
            if (!exists)
                return cof_kms_fail(c, "MalformedPolicyDocumentException",
                                    "Policy contains a statement with one or more invalid principals.");
        }
    return COF_OK;
}

enum cof_err cof_kms_policy_check(struct cof_kms_call *c, struct cof_kms_key *key, struct cof_view text, bool bypass)
{
    struct cof_policy *policy = NULL;
    struct cof_diag diag = {0};
    enum cof_err err;

    if (text.len > COF_KMS_POLICY_MAX)
        return cof_kms_fail(c, "LimitExceededException", "A key policy has at most %d bytes.", COF_KMS_POLICY_MAX);
    err = cof_policy_parse(text, COF_POLICY_RESOURCE, COF_KMS_POLICY_MAX, &policy, &diag);
    if (err == COF_E_FORMAT || err == COF_E_LIMIT)
        err = cof_kms_fail(c, "MalformedPolicyDocumentException", "%s", diag.text);
    if (err == COF_OK)
        err = check_principals(c, policy);
    cof_policy_free(policy);
    if (err != COF_OK || bypass)
        return err;
    err = cof_kms_permit_later(c->s, c->req, &(struct cof_kms_asking){.action = "kms:PutKeyPolicy", .key = key}, text);
    if (err == COF_E_DENIED)
        err = cof_kms_fail(c, "MalformedPolicyDocumentException",
                           "The new key policy will not allow you to update the key policy in the future.");
    return err;
}

static bool is_default(const struct cof_kms_call *c)
{
    struct cof_view name = cof_kms_arg(c, "PolicyName");

    return name.len == 0 || cof_view_eq(name, COF_LIT("default"));
}

static enum cof_err no_such_policy(struct cof_kms_call *c)
{
    return cof_kms_fail(c, "NotFoundException", "No such policy exists");
}

static enum cof_err get_key_policy(struct cof_kms_call *c)
{
    enum cof_err err = cof_kms_begin(c, false, NULL);

    if (err != COF_OK)
        return err;
    if (!is_default(c))
        return no_such_policy(c);
    cof_json_add_member(&c->out, "PolicyName", COF_LIT("default"));
    cof_json_add_member(&c->out, "Policy", cof_kms_key_policy(c->key));
    return COF_OK;
}

static enum cof_err put_key_policy(struct cof_kms_call *c)
{
    bool bypass = cof_kms_arg_flag(c, "BypassPolicyLockoutSafetyCheck");
    struct cof_view text = cof_kms_arg(c, "Policy"), flag = bypass ? COF_LIT("true") : COF_LIT("false");
    struct cof_context_value more = {COF_LIT("kms:BypassPolicyLockoutSafetyCheck"), &flag, 1};
    enum cof_err err = cof_kms_begin(c, true, &(struct cof_kms_ask){.more = &more, .n_more = 1});

    if (err == COF_OK && !is_default(c))
        err = no_such_policy(c);
    if (err == COF_OK)
        err = cof_kms_policy_check(c, c->key, text, bypass);
    if (err == COF_OK && json_object_set_new(c->key->record, "policy", json_stringn((const char *)text.data, text.len)) != 0)
        err = COF_E_MEMORY;
    return err == COF_OK ? cof_kms_key_save(c->s, c->key) : err;
}

static enum cof_err list_key_policies(struct cof_kms_call *c)
{
    enum cof_err err = cof_kms_begin(c, false, NULL);

    if (err == COF_OK)
        cof_buf_add_str(&c->out, "\"PolicyNames\":[\"default\"],\"Truncated\":false");
    return err;
}

#define POLICY_NAME {.name = "PolicyName", .type = COF_KMS_TEXT, .min = 1, .max = 128, .chars = COF_KMS_CHARS_WORD}

static const struct cof_kms_member get_members[] = {COF_KMS_M_KEY_ID, POLICY_NAME, {.name = NULL}};
static const struct cof_kms_member put_members[] = {COF_KMS_M_KEY_ID, POLICY_NAME,
    {.name = "Policy", .type = COF_KMS_TEXT, .required = true, .min = 1, .max = 131072},
    {.name = "BypassPolicyLockoutSafetyCheck", .type = COF_KMS_BOOL}, {.name = NULL}};
static const struct cof_kms_member list_members[] = {COF_KMS_M_KEY_ID, COF_KMS_M_PAGE, {.name = NULL}};

const struct cof_kms_operation cof_kms_policy_ops[] = {
    {.action = "kms:GetKeyPolicy", .run = get_key_policy, .members = get_members, .arn_error = true},
    {.action = "kms:PutKeyPolicy", .run = put_key_policy, .members = put_members, .arn_error = true},
    {.action = "kms:ListKeyPolicies", .run = list_key_policies, .members = list_members, .arn_error = true},
    {.action = NULL}};
