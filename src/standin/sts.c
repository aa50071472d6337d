/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/sts.h"

#include "base/date.h"
#include "base/num.h"
#include "format/uri.h"
#include "standin/bootstrap.h"
#include "standin/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XMLNS "https://sts.amazonaws.com/doc/2011-06-15/"
#define TYPE "text/xml"
#define PARAMETER_MAX 20000

struct call {
    struct cof_standin *s;
    struct cof_standin_request *req;
    struct cof_standin_reply *reply;
};

static enum cof_err fail(struct call *c, int status, const char *code, const char *message)
{
    return cof_reply_query_error(c->reply, c->req, XMLNS, status, code, cof_view_str(message));
}

/* A form parameter; empty when absent. */
static enum cof_err parameter(const struct call *c, const char *name, struct cof_buf *out)
{
    enum cof_err err;

    cof_buf_init_secret(out, PARAMETER_MAX);
    err = cof_query_get(c->req->body, name, out);
    return err == COF_E_NOT_FOUND ? COF_OK : err;
}

static enum cof_err answer(struct call *c, const char *action, struct cof_buf *result)
{
    struct cof_buf xml;
    enum cof_err err = cof_buf_err(result);

    cof_buf_init_secret(&xml, 65536);
    cof_buf_printf(&xml, "<%sResponse xmlns=\"" XMLNS "\"><%sResult>", action, action);
    cof_buf_add(&xml, cof_buf_view(result));
    cof_buf_printf(&xml, "</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>\n", action,
                   c->req->id, action);
    if (err == COF_OK)
        err = cof_buf_err(&xml);
    if (err == COF_OK)
        cof_reply_set(c->reply, 200, TYPE, cof_buf_view(&xml));
    cof_buf_done(&xml);
    return err;
}

/* No permission is needed: whoever signs may know who they are. */
static enum cof_err get_caller_identity(struct call *c)
{
    struct cof_buf xml;
    enum cof_err err;

    cof_standin_public(c->req, "sts:GetCallerIdentity");
    cof_buf_init(&xml, 8192);
    cof_xml_element(&xml, "Arn", cof_view_str(c->req->principal->arn));
    cof_xml_element(&xml, "UserId", cof_view_str(c->req->principal->user_id));
    cof_xml_element(&xml, "Account", cof_view_str(c->req->principal->account));
    err = answer(c, "GetCallerIdentity", &xml);
    cof_buf_done(&xml);
    return err;
}

static void add_credentials(struct cof_buf *xml, const struct cof_iam_key *key)
{
    char date[COF_DATE_MAX];

    cof_date_iso_seconds(key->expires_ms, date);
    cof_buf_add_str(xml, "<Credentials>");
    cof_xml_element(xml, "AccessKeyId", cof_view_str(key->access_key_id));
    cof_xml_element(xml, "SecretAccessKey", cof_view_str(key->secret));
    cof_xml_element(xml, "SessionToken", cof_view_str(key->session_token));
    cof_xml_element(xml, "Expiration", cof_view_str(date));
    cof_buf_add_str(xml, "</Credentials>");
}

static bool is_session_name(struct cof_view v)
{
    if (v.len < 2 || v.len > 64)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t ch = v.data[i];
        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
              memchr("_+=,.@-", ch, 7) != NULL))
            return false;
    }
    return true;
}

/* The name of a role of this account; a path before it is skipped. */
static bool role_name(const struct call *c, struct cof_view arn, struct cof_view *name)
{
    char prefix[64];
    struct cof_view rest;

    (void)snprintf(prefix, sizeof prefix, "arn:aws:iam::%s:role/", cof_standin_account(c->s));
    if (!cof_view_starts(arn, cof_view_str(prefix)))
        return false;
    *name = rest = cof_view_sub(arn, strlen(prefix), SIZE_MAX);
    while (cof_view_split(rest, '/', name, &rest))
        *name = rest;
    return name->len > 0;
}

/* The role's trust policy decides; what the caller's own policies say counts as well. */
static bool trusted(struct call *c, const struct cof_iam_entity *role, struct cof_view external_id, struct cof_view session,
                    enum cof_err *err)
{
    struct cof_standin_context conditions = {0};
    struct cof_standin_access access = {
        .action = "sts:AssumeRole",
        .resource = cof_view_str(role->arn),
        .resource_policy = cof_view_str(role->trust),
        .resource_policy_name = "trust-policy",
        .resource_policy_kind = COF_POLICY_TRUST,
        .rule = COF_RESOURCE_AUTHORITATIVE,
        .context = &conditions,
    };
    struct cof_buf why;

    if (external_id.len > 0)
        cof_standin_context_add(&conditions, COF_LIT("sts:ExternalId"), external_id);
    cof_standin_context_add(&conditions, COF_LIT("sts:RoleSessionName"), session);
    cof_buf_init(&why, 16384);
    *err = cof_standin_authorize(c->s, c->req, &access, &why);
    if (*err == COF_E_DENIED)
        *err = fail(c, 403, "AccessDenied", cof_buf_cstr(&why));
    cof_buf_done(&why);
    return *err == COF_OK && c->reply->status == 0;
}

static enum cof_err copy(char **out, struct cof_view v)
{
    *out = strndup(v.len == 0 ? "" : (const char *)v.data, v.len);
    return *out == NULL ? COF_E_MEMORY : COF_OK;
}

static enum cof_err issue_role(struct call *c, const struct cof_iam_entity *role, struct cof_view session,
                               struct cof_view policy, int64_t duration_s)
{
    struct cof_iam_key key = {.kind = COF_CALLER_ROLE, .expires_ms = c->req->now_ms + duration_s * 1000};
    struct cof_buf xml, arn;
    enum cof_err err = copy(&key.name, cof_view_str(role->name));

    if (err == COF_OK)
        err = copy(&key.session_name, session);
    if (err == COF_OK && policy.len > 0)
        err = copy(&key.session_policy, policy);
    if (err == COF_OK)
        err = cof_iam_issue(c->s, &key, true, c->req->now_ms);
    cof_buf_init_secret(&xml, 32768);
    cof_buf_init(&arn, 4096);
    if (err == COF_OK) {
        cof_buf_printf(&arn, "arn:aws:sts::%s:assumed-role/%s/%s", cof_standin_account(c->s), role->name, key.session_name);
        add_credentials(&xml, &key);
        cof_buf_add_str(&xml, "<AssumedRoleUser>");
        cof_xml_element(&xml, "Arn", cof_buf_view(&arn));
        cof_buf_reset(&arn);
        cof_buf_printf(&arn, "%s:%s", role->id, key.session_name);
        cof_xml_element(&xml, "AssumedRoleId", cof_buf_view(&arn));
        cof_buf_add_str(&xml, "</AssumedRoleUser>");
        err = answer(c, "AssumeRole", &xml);
    }
    cof_iam_key_done(&key);
    cof_buf_done(&xml);
    cof_buf_done(&arn);
    return err;
}

static enum cof_err assume_role(struct call *c)
{
    struct cof_buf arn, session, duration, external_id, policy;
    struct cof_iam_entity role = {0};
    struct cof_policy *parsed;
    struct cof_diag diag = {0};
    struct cof_view name;
    uint64_t seconds = 3600;
    enum cof_err err = parameter(c, "RoleArn", &arn), e2 = parameter(c, "RoleSessionName", &session),
                 e3 = parameter(c, "DurationSeconds", &duration), e4 = parameter(c, "ExternalId", &external_id),
                 e5 = parameter(c, "Policy", &policy);

    if (err != COF_OK || e2 != COF_OK || e3 != COF_OK || e4 != COF_OK || e5 != COF_OK) {
        err = fail(c, 400, "MalformedInput", "a parameter cannot be read");
    } else if (!is_session_name(cof_buf_view(&session)) ||
               (duration.len > 0 && (cof_parse_u64(cof_buf_view(&duration), 43200, &seconds) != COF_OK || seconds < 900))) {
        err = fail(c, 400, "ValidationError", "RoleSessionName has 2 to 64 of [A-Za-z0-9_+=,.@-]; DurationSeconds is 900 to 43200");
    } else if (policy.len > 0 &&
               cof_policy_parse(cof_buf_view(&policy), COF_POLICY_IDENTITY, PARAMETER_MAX, &parsed, &diag) != COF_OK) {
        err = fail(c, 400, "MalformedPolicyDocument", diag.text);
    } else if (!role_name(c, cof_buf_view(&arn), &name)) {
        err = fail(c, 403, "AccessDenied", "the role cannot be assumed");
    } else {
        if (policy.len > 0)
            cof_policy_free(parsed);
        err = cof_iam_get(cof_standin_store(c->s), COF_IAM_ROLE, COF_LIT(""), name, &role);
        if (err == COF_E_NOT_FOUND)
            err = fail(c, 403, "AccessDenied", "the role cannot be assumed");
        else if (err == COF_OK && (int64_t)seconds > role.max_session_s)
            err = fail(c, 400, "ValidationError", "DurationSeconds is longer than the role allows");
        else if (err == COF_OK && trusted(c, &role, cof_buf_view(&external_id), cof_buf_view(&session), &err))
            err = issue_role(c, &role, cof_buf_view(&session), cof_buf_view(&policy), (int64_t)seconds);
    }
    cof_iam_entity_done(&role);
    cof_buf_done(&arn);
    cof_buf_done(&session);
    cof_buf_done(&duration);
    cof_buf_done(&external_id);
    cof_buf_done(&policy);
    return err;
}

/* A user's own temporary credentials, with the user's permissions. */
static enum cof_err get_session_token(struct call *c)
{
    struct cof_iam_key key = {.kind = COF_CALLER_USER, .expires_ms = c->req->now_ms + 43200000};
    struct cof_buf xml;
    enum cof_err err;

    cof_standin_public(c->req, "sts:GetSessionToken");
    if (c->req->principal->caller.kind != COF_CALLER_USER || c->req->principal->key.session_token != NULL)
        return fail(c, 403, "AccessDenied", "only a user's long-term keys can ask for a session token");
    err = copy(&key.name, cof_view_str(c->req->principal->key.name));
    if (err == COF_OK)
        err = cof_iam_issue(c->s, &key, true, c->req->now_ms);
    cof_buf_init_secret(&xml, 32768);
    if (err == COF_OK) {
        add_credentials(&xml, &key);
        err = answer(c, "GetSessionToken", &xml);
    }
    cof_iam_key_done(&key);
    cof_buf_done(&xml);
    return err;
}

static enum cof_err handle(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    struct call c = {s, req, reply};
    struct cof_buf action;
    enum cof_err err = parameter(&c, "Action", &action);

    if (err == COF_OK && cof_view_eq(cof_buf_view(&action), COF_LIT("GetCallerIdentity")))
        err = get_caller_identity(&c);
    else if (err == COF_OK && cof_view_eq(cof_buf_view(&action), COF_LIT("AssumeRole")))
        err = assume_role(&c);
    else if (err == COF_OK && cof_view_eq(cof_buf_view(&action), COF_LIT("GetSessionToken")))
        err = get_session_token(&c);
    else
        err = fail(&c, 400, "InvalidAction", "the action is not known");
    cof_buf_done(&action);
    return err;
}

const struct cof_service cof_service_sts = {
    .name = "sts",
    .handle = handle,
};
