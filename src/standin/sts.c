/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/sts.h"

#include "standin/sts_api.h"

#include <stdlib.h>
#include <string.h>

#define VERSION "2011-06-15"

/* No permission is needed: whoever signs may know who they are. */
static enum cof_err get_caller_identity(struct cof_sts_call *c)
{
    struct cof_buf xml;
    enum cof_err err;

    cof_standin_public(c->req, "sts:GetCallerIdentity");
    cof_buf_init(&xml, 8192);
    cof_xml_element(&xml, "Arn", cof_view_str(c->req->principal->arn));
    cof_xml_element(&xml, "UserId", cof_view_str(c->req->principal->user_id));
    cof_xml_element(&xml, "Account", cof_view_str(c->req->principal->account));
    err = cof_sts_answer(c, "GetCallerIdentity", &xml);
    cof_buf_done(&xml);
    return err;
}

static enum cof_err allowed(struct cof_sts_call *c, const char *action)
{
    struct cof_standin_access access = {.action = action,
        .resource = COF_LIT("*"),
        .resource_account = c->req->principal->caller.account,
        .rule = COF_RESOURCE_EITHER};
    struct cof_buf why;
    enum cof_err err;

    cof_buf_init(&why, 16384);
    err = cof_standin_authorize(c->s, c->req, &access, &why);
    if (err == COF_E_DENIED)
        err = cof_sts_fail(c, 403, "AccessDenied", "%s", cof_buf_cstr(&why));
    cof_buf_done(&why);
    return err;
}

static enum cof_err get_access_key_info(struct cof_sts_call *c)
{
    struct cof_view id = cof_sts_param(c, "AccessKeyId");
    struct cof_iam_key key;
    struct cof_buf xml;
    enum cof_err err;

    cof_sts_need(c, id, "accessKeyId");
    cof_sts_check_length(c, id, "accessKeyId", 16, 128);
    cof_sts_check_chars(c, id, "accessKeyId", "_", "[\\w]*");
    if (!cof_sts_valid(c))
        return c->err;
    err = allowed(c, "sts:GetAccessKeyInfo");
    if (err != COF_OK || c->reply->status != 0)
        return err;
    err = cof_iam_key_get(cof_standin_store(c->s), id, &key);
    if (err == COF_E_NOT_FOUND)
        return cof_sts_fail(c, 403, "InvalidClientTokenId", "The security token included in the request is invalid.");
    cof_buf_init(&xml, 4096);
    if (err == COF_OK) {
        cof_xml_element(&xml, "Account", cof_view_str(key.account != NULL ? key.account : cof_standin_account(c->s)));
        err = cof_sts_answer(c, "GetAccessKeyInfo", &xml);
    }
    cof_iam_key_done(&key);
    cof_buf_done(&xml);
    return err;
}

/* Nothing here hands out encoded messages, so there is none that could be decoded. */
static enum cof_err decode_authorization_message(struct cof_sts_call *c)
{
    struct cof_view message = cof_sts_param(c, "EncodedMessage");
    enum cof_err err;

    cof_sts_need(c, message, "encodedMessage");
    cof_sts_check_length(c, message, "encodedMessage", 1, 10240);
    if (!cof_sts_valid(c))
        return c->err;
    err = allowed(c, "sts:DecodeAuthorizationMessage");
    if (err != COF_OK || c->reply->status != 0)
        return err;
    return cof_sts_fail(c, 400, "InvalidAuthorizationMessageException", "Message is not valid");
}

/* A user's (or root's) own temporary credentials, with the same permissions. No policy can forbid it. */
static enum cof_err get_session_token(struct cof_sts_call *c)
{
    const struct cof_iam_key *own = &c->req->principal->key;
    bool root = own->kind == COF_CALLER_ROOT, mfa;
    struct cof_iam_key key = {.kind = own->kind};
    int64_t seconds = cof_sts_seconds(c, "DurationSeconds", "durationSeconds", 900, 129600, root ? 3600 : 43200);
    struct cof_buf xml;
    enum cof_err err = COF_OK;

    cof_standin_public(c->req, "sts:GetSessionToken");
    if (!cof_sts_valid(c))
        return c->err;
    if (own->session_token != NULL || (own->kind != COF_CALLER_USER && !root))
        return cof_sts_fail(c, 403, "AccessDenied", "Cannot call GetSessionToken with session credentials");
    if (!cof_sts_mfa(c, &mfa, &err))
        return err;
    seconds = root && seconds > 3600 ? 3600 : seconds; /* spec: root's end after an hour, whatever was asked for */
    key.expires_ms = c->req->now_ms + seconds * 1000;
    key.mfa_ms = mfa ? c->req->now_ms : 0;
    if (own->name != NULL && (key.name = strdup(own->name)) == NULL)
        err = COF_E_MEMORY;
    if (own->account != NULL && (key.account = strdup(own->account)) == NULL)
        err = COF_E_MEMORY;
    if (err == COF_OK)
        err = cof_iam_issue(c->s, &key, true, c->req->now_ms);
    cof_buf_init_secret(&xml, 32768);
    if (err == COF_OK) {
        cof_sts_add_credentials(&xml, &key);
        err = cof_sts_answer(c, "GetSessionToken", &xml);
    }
    cof_iam_key_done(&key);
    cof_buf_done(&xml);
    return err;
}

static const struct {
    const char *name;
    enum cof_err (*run)(struct cof_sts_call *call);
    bool is_unsigned;      /* the token inside is the proof */
    bool without_mfa;      /* also for credentials of GetSessionToken that came without a second factor */
} operations[] = {
    {"AssumeRole", cof_sts_assume_role, false, true},
    {"AssumeRoleWithWebIdentity", cof_sts_assume_role_with_web_identity, true, true},
    {"DecodeAuthorizationMessage", decode_authorization_message, false, false},
    {"GetAccessKeyInfo", get_access_key_info, false, false},
    {"GetCallerIdentity", get_caller_identity, false, true},
    {"GetSessionToken", get_session_token, false, true},
};

static bool has_operation(struct cof_view name)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (cof_view_eq_str(name, operations[i].name))
            return true;
    return false;
}

static enum cof_err route(struct cof_sts_call *c)
{
    struct cof_view action = cof_sts_param(c, "Action"), version = cof_sts_param(c, "Version");
    const struct cof_iam_key *key = &c->req->principal->key;
    bool anonymous = key->kind == COF_CALLER_ANONYMOUS;
    size_t i = 0;

    if (c->err == COF_OK && action.data == NULL)
        return anonymous ? cof_sts_fail(c, 403, "MissingAuthenticationToken", "Request is missing Authentication Token") :
                           cof_sts_fail(c, 400, "MissingAction", "Action must be set");
    while (i < sizeof operations / sizeof operations[0] && !cof_view_eq_str(action, operations[i].name))
        i++;
    if (anonymous && (i == sizeof operations / sizeof operations[0] || !operations[i].is_unsigned))
        return cof_sts_fail(c, 403, "MissingAuthenticationToken", "Request is missing Authentication Token");
    if (i == sizeof operations / sizeof operations[0] || (version.data != NULL && !cof_view_eq_str(version, VERSION)))
        return cof_sts_fail(c, 400, "InvalidAction", "Could not find operation %.*s for version %.*s",
            (int)cof_view_sub(action, 0, 128).len, (const char *)action.data, (int)cof_view_sub(version, 0, 32).len,
            version.data == NULL ? "NO_VERSION_SPECIFIED" : (const char *)version.data);
    /* spec: "GetSessionToken": what comes from it without MFA may call nothing else of STS */
    if (key->kind == COF_CALLER_USER && key->session_token != NULL && key->mfa_ms == 0 && !operations[i].without_mfa)
        return cof_sts_fail(c, 403, "AccessDenied", "Cannot call %s with session credentials", operations[i].name);
    return operations[i].run(c);
}

static enum cof_err handle(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    struct cof_sts_call *c = malloc(sizeof *c);
    enum cof_err err;

    if (c == NULL)
        return COF_E_MEMORY;
    cof_sts_call_init(c, s, req, reply);
    if (c->form.len > COF_STS_FORM_MAX)
        err = cof_sts_fail(c, 413, "RequestEntityTooLarge", "The request is too large.");
    else
        err = route(c);
    cof_sts_call_done(c);
    free(c);
    return err;
}

const struct cof_service cof_service_sts = {
    .name = "sts",
    .anonymous = true, /* AssumeRoleWithWebIdentity; the others are refused in route */
    .has_operation = has_operation,
    .handle = handle,
};
