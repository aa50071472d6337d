/* SPDX-License-Identifier: Apache-2.0
 *
 * Role sessions, however they are asked for: the parameters both AssumeRole calls have, the trust policy's word, the
 * temporary key.
 */
#include "standin/sts_api.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICY_MAX 2048 /* characters of a session policy */
#define CHAINED_S 3600  /* spec: temporary credentials open sessions of an hour at most */

void cof_sts_session_done(struct cof_sts_session *session)
{
    cof_iam_entity_done(&session->role);
    cof_iam_key_done(&session->key);
}

/* The account of arn:aws:iam::ACCOUNT:role/...; empty when it is none. */
static struct cof_view role_account(struct cof_view arn)
{
    static const char prefix[] = "arn:aws:iam::";
    struct cof_view rest = cof_view_sub(arn, sizeof prefix - 1, SIZE_MAX), account;

    if (!cof_view_starts(arn, cof_view_str(prefix)) || !cof_view_split(rest, ':', &account, &rest) ||
        account.len != 12 || !cof_view_starts(rest, COF_LIT("role/")))
        return (struct cof_view){NULL, 0};
    return account;
}

bool cof_sts_session_read(struct cof_sts_call *c, struct cof_sts_session *out, enum cof_err *err)
{
    *err = COF_OK;
    out->role_arn = cof_sts_param(c, "RoleArn");
    out->name = cof_sts_param(c, "RoleSessionName");
    out->policy = cof_sts_param(c, "Policy");
    cof_sts_need(c, out->role_arn, "roleArn");
    cof_sts_check_length(c, out->role_arn, "roleArn", 20, 2048);
    cof_sts_need(c, out->name, "roleSessionName");
    cof_sts_check_length(c, out->name, "roleSessionName", 2, 64);
    cof_sts_check_chars(c, out->name, "roleSessionName", "_+=,.@-", "[\\w+=,.@-]*");
    cof_sts_check_length(c, out->policy, "policy", 1, POLICY_MAX);
    out->duration_s = cof_sts_seconds(c, "DurationSeconds", "durationSeconds", 900, 43200, 3600);
    if (!cof_sts_valid(c)) {
        *err = c->err;
        return false;
    }
    out->account = role_account(out->role_arn);
    if (out->account.len == 0) {
        *err = cof_sts_fail(c, 400, "ValidationError", "%.*s is invalid", (int)cof_view_sub(out->role_arn, 0, 256).len,
            (const char *)out->role_arn.data);
        return false;
    }
    if (cof_sts_param(c, "PolicyArns.member.1.arn").data != NULL) {
        *err = cof_sts_fail(c, 400, "ValidationError",
            "PolicyArns: managed policies are not kept here; give the session policy inline, as Policy");
        return false;
    }
    return true;
}

/* AWS packs policy and tags into a binary form and tells what part of its room they take. Here: their bytes. */
static size_t packed_bytes(const struct cof_sts_session *session, const char *minified)
{
    size_t n = minified == NULL ? 0 : strlen(minified);

    for (size_t i = 0; i < session->key.n_tags; i++)
        n += strlen(session->key.tags[i].key) + strlen(session->key.tags[i].value) + 2;
    return n;
}

bool cof_sts_session_pack(struct cof_sts_call *c, struct cof_sts_session *session, enum cof_err *err)
{
    struct cof_policy *parsed = NULL;
    struct cof_diag why = {.text = ""};
    char *minified = NULL;
    size_t bytes;

    *err = COF_OK;
    if (session->policy.len > 0) {
        *err = cof_policy_parse(session->policy, COF_POLICY_IDENTITY, POLICY_MAX * 4, &parsed, &why);
        if (*err == COF_OK) {
            minified = json_dumps(parsed->json, JSON_COMPACT);
            session->key.session_policy = strndup((const char *)session->policy.data, session->policy.len);
            *err = minified == NULL || session->key.session_policy == NULL ? COF_E_MEMORY : COF_OK;
        } else if (*err != COF_E_MEMORY) {
            *err = cof_sts_fail(c, 400, "MalformedPolicyDocument", "%s", why.text);
        }
        cof_policy_free(parsed);
    }
    if (*err != COF_OK || c->reply->status != 0) {
        free(minified);
        return false;
    }
    session->packed = minified != NULL || session->key.n_tags > 0;
    bytes = packed_bytes(session, minified);
    session->packed_percent = (unsigned)((bytes * 100 + COF_STS_PACKED_MAX - 1) / COF_STS_PACKED_MAX);
    free(minified);
    if (session->packed_percent <= 100)
        return true;
    *err = cof_sts_fail(c, 400, "PackedPolicyTooLarge", "Packed size of session tags consumes %u%% of allotted space.",
        session->packed_percent);
    return false;
}

static bool denied(
    struct cof_sts_call *c, const struct cof_sts_session *session, const char *action, enum cof_err *err)
{
    const struct cof_view who = c->req->principal->caller.arn;

    if (who.len == 0)
        *err = cof_sts_fail(c, 403, "AccessDenied", "Not authorized to perform %s", action);
    else
        *err = cof_sts_fail(c, 403, "AccessDenied", "User: %.*s is not authorized to perform: %s on resource: %.*s",
            (int)who.len, (const char *)who.data, action, (int)session->role_arn.len,
            (const char *)session->role_arn.data);
    return false;
}

bool cof_sts_session_role(
    struct cof_sts_call *c, struct cof_sts_session *session, const char *action, enum cof_err *err)
{
    struct cof_view name = session->role_arn, rest, part;
    bool ours = cof_view_eq_str(session->account, cof_standin_account(c->s));

    rest = name;
    while (cof_view_split(rest, '/', &part, &rest))
        name = rest;
    *err = cof_iam_get(
        cof_standin_store(c->s), COF_IAM_ROLE, ours ? COF_LIT("") : session->account, name, &session->role);
    if (*err == COF_OK && cof_view_eq_str(session->role_arn, session->role.arn))
        return true;
    /* The caller's own permission is looked at before the role: whoever lacks it learns nothing, and who has it is told
     * the same words. */
    if (*err == COF_OK || *err == COF_E_NOT_FOUND)
        return denied(c, session, action, err);
    return false;
}

/* Keys and lists of one decision about a session. */
struct words {
    struct cof_standin_context context;
    struct cof_buf names;
    struct cof_view keys[COF_IAM_TAGS_MAX], transitive[COF_IAM_TAGS_MAX];
    char duration[24];
};

static void add_named(struct words *w, const char *prefix, const char *key, const char *value)
{
    size_t at = w->names.len;

    cof_buf_add_str(&w->names, prefix);
    cof_buf_add_str(&w->names, key);
    cof_standin_context_add(
        &w->context, cof_view_of(w->names.data + at, w->names.len - at), cof_view_str(value));
}

/* All names fit into what is reserved first, so that views of them stay. */
static enum cof_err add_words(
    struct words *w, const struct cof_sts_session *session, const struct cof_standin_context *more)
{
    size_t n_keys = 0, n_transitive = 0;
    enum cof_err err = cof_buf_reserve(&w->names, 40000);

    if (err != COF_OK)
        return err;
    for (size_t i = 0; more != NULL && i < more->n; i++)
        cof_standin_context_add_list(
            &w->context, more->items[i].key, more->items[i].values, more->items[i].n_values);
    (void)snprintf(w->duration, sizeof w->duration, "%lld", (long long)session->duration_s);
    cof_standin_context_add(&w->context, COF_LIT("sts:RoleSessionName"), session->name);
    cof_standin_context_add(&w->context, COF_LIT("sts:DurationSeconds"), cof_view_str(w->duration));
    if (session->external_id.data != NULL)
        cof_standin_context_add(&w->context, COF_LIT("sts:ExternalId"), session->external_id);
    if (session->source_identity.data != NULL)
        cof_standin_context_add(&w->context, COF_LIT("sts:SourceIdentity"), session->source_identity);
    for (size_t i = 0; i < session->key.n_tags; i++) {
        if (session->key.tags[i].transitive)
            w->transitive[n_transitive++] = cof_view_str(session->key.tags[i].key);
        if (i >= session->n_own_tags)
            continue;
        w->keys[n_keys++] = cof_view_str(session->key.tags[i].key);
        add_named(w, "aws:RequestTag/", session->key.tags[i].key, session->key.tags[i].value);
    }
    if (n_keys > 0)
        cof_standin_context_add_list(&w->context, COF_LIT("aws:TagKeys"), w->keys, n_keys);
    if (n_transitive > 0)
        cof_standin_context_add_list(&w->context, COF_LIT("sts:TransitiveTagKeys"), w->transitive, n_transitive);
    for (size_t i = 0; i < session->role.n_tags; i++)
        add_named(w, "aws:ResourceTag/", session->role.tags[i].key, session->role.tags[i].value);
    return cof_buf_err(&w->names);
}

bool cof_sts_session_permit(struct cof_sts_call *c, struct cof_sts_session *session, const char *action,
    const struct cof_caller *caller, const struct cof_standin_context *context, enum cof_err *err)
{
    const char *const actions[] = {action, session->key.n_tags > 0 ? "sts:TagSession" : NULL,
        session->source_identity.data != NULL ? "sts:SetSourceIdentity" : NULL};
    const char *refused = NULL;
    struct words *w = calloc(1, sizeof *w);
    struct cof_standin_access access = {
        .resource = session->role_arn,
        .resource_account = session->account,
        .resource_policy = cof_view_str(session->role.trust),
        .resource_policy_name = "trust-policy",
        .resource_policy_kind = COF_POLICY_TRUST,
        .rule = COF_RESOURCE_AUTHORITATIVE,
        .caller = caller,
        .mfa_now = session->mfa,
    };

    *err = COF_E_MEMORY;
    if (w == NULL)
        return false;
    cof_buf_init(&w->names, 65536);
    *err = add_words(w, session, context);
    access.context = &w->context;
    for (size_t i = 0; i < sizeof actions / sizeof actions[0] && *err == COF_OK; i++) {
        if (actions[i] == NULL)
            continue;
        access.action = actions[i];
        *err = cof_standin_authorize(c->s, c->req, &access, NULL);
        if (*err == COF_E_DENIED)
            refused = actions[i];
    }
    cof_buf_done(&w->names);
    free(w);
    if (*err == COF_E_DENIED)
        return denied(c, session, refused, err);
    if (*err != COF_OK)
        return false;
    (void)snprintf(c->req->action, sizeof c->req->action, "%s", action); /* the audit line tells the call, not its parts */
    if (session->duration_s > session->role.max_session_s)
        *err = cof_sts_fail(c, 400, "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
    else if (c->req->principal->key.session_token != NULL && caller == NULL && session->duration_s > CHAINED_S)
        *err = cof_sts_fail(c, 400, "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.");
    return *err == COF_OK && c->reply->status == 0;
}

static enum cof_err copy(char **out, struct cof_view v)
{
    *out = strndup(v.len == 0 ? "" : (const char *)v.data, v.len);
    return *out == NULL ? COF_E_MEMORY : COF_OK;
}

enum cof_err cof_sts_session_issue(struct cof_sts_call *c, struct cof_sts_session *session, struct cof_buf *xml)
{
    struct cof_iam_key *key = &session->key;
    struct cof_buf text;
    enum cof_err err = copy(&key->name, cof_view_str(session->role.name));

    key->kind = COF_CALLER_ROLE;
    key->expires_ms = c->req->now_ms + session->duration_s * 1000;
    if (err == COF_OK)
        err = copy(&key->session_name, session->name);
    if (err == COF_OK && session->source_identity.data != NULL)
        err = copy(&key->source_identity, session->source_identity);
    if (err == COF_OK && !cof_view_eq_str(session->account, cof_standin_account(c->s)))
        err = copy(&key->account, session->account);
    if (err == COF_OK)
        err = cof_iam_issue(c->s, key, true, c->req->now_ms);
    if (err != COF_OK)
        return err;
    if (session->source_identity.data != NULL)
        cof_xml_element(xml, "SourceIdentity", session->source_identity);
    cof_buf_init(&text, 4096);
    cof_buf_printf(&text, "%s:%s", session->role.id, key->session_name);
    cof_buf_add_str(xml, "<AssumedRoleUser>");
    cof_xml_element(xml, "AssumedRoleId", cof_buf_view(&text));
    cof_buf_reset(&text);
    cof_buf_printf(&text, "arn:aws:sts::%.*s:assumed-role/%s/%s", (int)session->account.len,
        (const char *)session->account.data, session->role.name, key->session_name);
    cof_xml_element(xml, "Arn", cof_buf_view(&text));
    cof_buf_add_str(xml, "</AssumedRoleUser>");
    cof_sts_add_credentials(xml, key);
    if (session->packed)
        cof_buf_printf(xml, "<PackedPolicySize>%u</PackedPolicySize>", session->packed_percent);
    cof_buf_done(&text);
    return cof_buf_err(xml);
}
