/* SPDX-License-Identifier: Apache-2.0
 *
 * AssumeRoleWithWebIdentity: a token of an OpenID Connect provider is the proof (STS API Reference; IAM User Guide,
 * "Pass session tags using AssumeRoleWithWebIdentity"; RFC 7519, 7515).
 */
#include "format/jwt.h"
#include "standin/identity_provider.h"
#include "standin/sts_api.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEEWAY_MS 300000 /* for clocks of issuers that run ahead of ours */
#define TAGS_CLAIM "https://aws.amazon.com/tags"
#define IDENTITY_CLAIM "https://aws.amazon.com/source_identity"

struct web {
    struct cof_jwt jwt;
    struct cof_identity_provider provider;
    struct cof_view issuer, subject, audience;
    char arn[512];
};

static bool refuse_token(struct cof_sts_call *c, const char *message, enum cof_err *err)
{
    *err = cof_sts_fail(c, 400, "InvalidIdentityToken", "%s", message);
    return false;
}

/* The issuer is read before anything is verified, for it says whose keys to take; all else waits. */
static bool find_provider(
    struct cof_sts_call *c, struct web *w, struct cof_view token, struct cof_view account, enum cof_err *err)
{
    *err = cof_jwt_parse(token, COF_STS_PARAMETER_MAX, &w->jwt);
    if (*err == COF_OK)
        *err = cof_jwt_read_claims(&w->jwt);
    if (*err == COF_OK)
        *err = cof_jwt_text(&w->jwt, "iss", &w->issuer);
    if (*err == COF_E_MEMORY)
        return false;
    if (*err != COF_OK)
        return refuse_token(
            c, "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)", err);
    *err = cof_identity_provider_find(c->s, account, w->issuer, c->req->now_ms, &w->provider);
    if (*err == COF_E_NOT_FOUND) {
        *err = cof_sts_fail(c, 400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for %.*s",
            (int)cof_view_sub(w->issuer, 0, 256).len, (const char *)w->issuer.data);
        return false;
    }
    (void)snprintf(w->arn, sizeof w->arn, "arn:aws:iam::%.*s:oidc-provider/%s", (int)account.len,
        (const char *)account.data, w->provider.name != NULL ? w->provider.name : "");
    return *err == COF_OK;
}

static bool check_signature(struct cof_sts_call *c, struct web *w, struct cof_view token, enum cof_err *err)
{
    struct cof_diag why = {.text = ""};
    struct cof_buf payload;

    cof_buf_init(&payload, COF_STS_PARAMETER_MAX);
    *err = cof_jws_verify(token, w->provider.jwks, 0, &payload, &why);
    cof_buf_done(&payload);
    if (*err == COF_OK)
        return true;
    if (*err == COF_E_MEMORY)
        return false;
    cof_standin_audit(c->req, "token", cof_view_str(why.text));
    return refuse_token(c,
        cof_jwks_has(w->provider.jwks, w->jwt.kid) || w->jwt.kid.data == NULL ?
            "Token signature could not be verified" :
            "Couldn't retrieve verification key from your identity provider, please reference "
            "AssumeRoleWithWebIdentity documentation for requirements",
        err);
}

static bool check_time(struct cof_sts_call *c, const struct web *w, enum cof_err *err)
{
    int64_t now = c->req->now_ms, exp, nbf, iat;
    enum cof_err later = cof_jwt_date(&w->jwt, "nbf", &nbf), made = cof_jwt_date(&w->jwt, "iat", &iat);

    if (cof_jwt_date(&w->jwt, "exp", &exp) != COF_OK)
        return refuse_token(c, "Missing a required claim: exp", err);
    if (made == COF_E_NOT_FOUND)
        return refuse_token(c, "Missing a required claim: iat", err);
    if (now >= exp) {
        *err = cof_sts_fail(c, 400, "ExpiredTokenException",
            "Token expired: current date/time %lld must be before the expiration date/time %lld",
            (long long)(now / 1000), (long long)(exp / 1000));
        return false;
    }
    if (made != COF_OK || iat > now + LEEWAY_MS)
        return refuse_token(c, "Token issued in the future", err);
    if ((later != COF_OK && later != COF_E_NOT_FOUND) || (later == COF_OK && nbf > now + LEEWAY_MS))
        return refuse_token(c, "Token is not valid yet", err);
    return true;
}

static bool is_client(const struct web *w, struct cof_view id)
{
    for (size_t i = 0; i < json_array_size(w->provider.client_ids); i++)
        if (cof_view_eq_str(id, json_string_value(json_array_get(w->provider.client_ids, i))))
            return true;
    return false;
}

/* spec: azp, where it is there, is what aud means: a token that somebody else asked for is none of ours, though we may read it */
static bool check_audience(struct cof_sts_call *c, struct web *w, enum cof_err *err)
{
    struct cof_view id;
    enum cof_err azp;

    if (cof_jwt_text(&w->jwt, "sub", &w->subject) != COF_OK || w->subject.len == 0 || w->subject.len > 255)
        return refuse_token(c, "Missing a required claim: sub", err);
    azp = cof_jwt_text(&w->jwt, "azp", &id);
    if (azp == COF_OK && is_client(w, id)) {
        w->audience = id;
        return true;
    }
    for (size_t i = 0; azp == COF_E_NOT_FOUND && cof_jwt_item(&w->jwt, "aud", i, &id) == COF_OK; i++)
        if (is_client(w, id)) {
            w->audience = id;
            return true;
        }
    return refuse_token(c, "Incorrect token audience", err);
}

/* {"principal_tags": {"key": ["value"]}, "transitive_tag_keys": ["key"]} */
static bool read_tags(struct cof_sts_call *c, const struct web *w, struct cof_sts_session *session, enum cof_err *err)
{
    const json_t *claim = json_object_get(w->jwt.claims, TAGS_CLAIM), *transitive;
    const json_t *identity = json_object_get(w->jwt.claims, IDENTITY_CLAIM);
    const char *key;
    json_t *values;

    if (json_is_string(identity))
        session->source_identity = cof_view_str(json_string_value(identity));
    transitive = json_object_get(claim, "transitive_tag_keys");
    json_object_foreach(json_object_get(claim, "principal_tags"), key, values)
    {
        const char *value = json_string_value(json_is_array(values) ? json_array_get(values, 0) : values);
        bool passes = false;

        if (value == NULL || strlen(key) == 0 || strlen(key) > 128 || strlen(value) > 256)
            return refuse_token(c, "The session tags in the token are not valid", err);
        for (size_t i = 0; i < json_array_size(transitive); i++)
            passes = passes || cof_view_eq_nocase(cof_view_str(key), cof_view_str(json_string_value(json_array_get(transitive, i))));
        *err = cof_iam_key_tag(&session->key, cof_view_str(key), cof_view_str(value), passes);
        if (*err == COF_E_LIMIT)
            return refuse_token(c, "The token has too many session tags", err);
        if (*err != COF_OK)
            return false;
    }
    session->n_own_tags = session->key.n_tags;
    return true;
}

/* The provider's condition keys: NAME:aud and the like. */
struct keys {
    struct cof_standin_context context;
    char names[4][300];
    struct cof_view amr[16];
};

static void add_key(struct keys *k, int at, const struct web *w, const char *claim, struct cof_view value)
{
    (void)snprintf(k->names[at], sizeof k->names[at], "%s:%s", w->provider.name, claim);
    cof_standin_context_add(&k->context, cof_view_str(k->names[at]), value);
}

static bool permit(struct cof_sts_call *c, const struct web *w, struct cof_sts_session *session, enum cof_err *err)
{
    struct cof_caller caller = {.kind = COF_CALLER_FEDERATED, .arn = cof_view_str(w->arn)};
    struct keys *k = calloc(1, sizeof *k);
    struct cof_view email;
    size_t n_amr = 0;
    bool yes;

    *err = COF_E_MEMORY;
    if (k == NULL)
        return false;
    add_key(k, 0, w, "aud", w->audience);
    add_key(k, 1, w, "sub", w->subject);
    if (cof_jwt_text(&w->jwt, "email", &email) == COF_OK)
        add_key(k, 2, w, "email", email);
    while (n_amr < 16 && cof_jwt_item(&w->jwt, "amr", n_amr, &k->amr[n_amr]) == COF_OK)
        n_amr++;
    (void)snprintf(k->names[3], sizeof k->names[3], "%s:amr", w->provider.name);
    if (n_amr > 0)
        cof_standin_context_add_list(&k->context, cof_view_str(k->names[3]), k->amr, n_amr);
    cof_standin_context_add(&k->context, COF_LIT("aws:FederatedProvider"), caller.arn);
    yes = cof_sts_session_permit(c, session, "sts:AssumeRoleWithWebIdentity", &caller, &k->context, err);
    free(k);
    return yes;
}

static bool read_all(struct cof_sts_call *c, struct web *w, struct cof_sts_session *session, enum cof_err *err)
{
    struct cof_view token = cof_sts_param(c, "WebIdentityToken");

    cof_sts_need(c, token, "webIdentityToken");
    cof_sts_check_length(c, token, "webIdentityToken", 4, COF_STS_PARAMETER_MAX);
    if (!cof_sts_session_read(c, session, err))
        return false;
    if (cof_sts_param(c, "ProviderId").data != NULL) {
        *err = cof_sts_fail(c, 400, "ValidationError", "ProviderId is for OAuth 2.0 access tokens of a few providers; "
            "OpenID Connect tokens, the only ones taken here, go without");
        return false;
    }
    return find_provider(c, w, token, session->account, err) && check_signature(c, w, token, err) &&
        check_time(c, w, err) && check_audience(c, w, err) && read_tags(c, w, session, err) &&
        cof_sts_session_pack(c, session, err);
}

enum cof_err cof_sts_assume_role_with_web_identity(struct cof_sts_call *c)
{
    struct cof_sts_session session = {.duration_s = 0};
    struct web w = {.arn = ""};
    struct cof_buf xml;
    enum cof_err err = COF_OK;

    cof_buf_init_secret(&xml, 32768);
    if (read_all(c, &w, &session, &err) &&
        cof_sts_session_role(c, &session, "sts:AssumeRoleWithWebIdentity", &err) && permit(c, &w, &session, &err)) {
        session.key.provider = strdup(w.arn);
        cof_xml_element(&xml, "SubjectFromWebIdentityToken", w.subject);
        cof_xml_element(&xml, "Audience", w.audience);
        cof_xml_element(&xml, "Provider", cof_view_str(w.arn));
        err = session.key.provider == NULL ? COF_E_MEMORY : cof_sts_session_issue(c, &session, &xml);
        if (err == COF_OK)
            err = cof_sts_answer(c, "AssumeRoleWithWebIdentity", &xml);
    }
    cof_sts_session_done(&session);
    cof_identity_provider_done(&w.provider);
    cof_jwt_done(&w.jwt);
    cof_buf_done(&xml);
    return err;
}
