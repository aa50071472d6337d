/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/oauth.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "format/json.h"
#include "format/uri.h"
#include "standin/oauth_keys.h"
#include "standin/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE "application/json"
#define RECORD_MAX 16384
#define AUDIENCE "coffer-producer"
#define CLIENT_MAX 128
#define ROTATE_SCOPE "coffer:rotate-keys"
#define FORM_MAX 16384
#define FORM "application/x-www-form-urlencoded"

static enum cof_err fail(struct cof_standin_reply *reply, int status, const char *code, const char *text)
{
    struct cof_buf json;

    cof_buf_init(&json, 1024);
    cof_buf_add_str(&json, "{");
    cof_json_add_member(&json, "error", cof_view_str(code));
    cof_json_add_member(&json, "error_description", cof_view_str(text));
    cof_buf_add_str(&json, "}\n");
    cof_reply_set(reply, status, TYPE, cof_buf_view(&json));
    cof_headers_set(&reply->headers, "Cache-Control", "no-store");
    cof_headers_set(&reply->headers, "Pragma", "no-cache");
    if (status == 405)
        cof_headers_set(&reply->headers, "Allow", "POST");
    if (status == 401)
        cof_headers_set(&reply->headers, "WWW-Authenticate", "Basic realm=\"coffer\"");
    cof_buf_done(&json);
    return COF_OK;
}

static enum cof_err load_client(struct cof_standin *s, struct cof_view id, json_t **out)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf text;
    enum cof_err err = COF_E_NOT_FOUND;

    *out = NULL;
    cof_buf_init(&text, RECORD_MAX);
    if (id.len > 0 && id.len <= CLIENT_MAX)
        err = store->get(store->ctx, "oauth.client", id, &text);
    if (err == COF_OK)
        err = cof_json_parse_object(cof_buf_view(&text), RECORD_MAX, out, NULL);
    cof_buf_done(&text);
    return err;
}

static enum cof_err save_client(struct cof_standin *s, struct cof_view id, const json_t *record)
{
    const struct cof_store *store = cof_standin_store(s);
    char *text = json_dumps(record, JSON_COMPACT);
    enum cof_err err = text == NULL ? COF_E_MEMORY : store->put(store->ctx, "oauth.client", id, cof_view_str(text));

    free(text);
    return err;
}

/* The secret has 256 random bits: a plain salted digest is enough, there is nothing to guess. */
static enum cof_err digest_secret(struct cof_view salt_hex, struct cof_view secret, char out[65])
{
    const struct cof_view parts[] = {COF_LIT("coffer oauth client"), secret};
    uint8_t mac[32];
    enum cof_err err = cof_hmac(COF_SHA256, salt_hex, parts, 2, mac);

    cof_hex_encode(mac, sizeof mac, out);
    return err;
}

enum cof_err cof_oauth_reset_secret(struct cof_standin *s, struct cof_view client_id, struct cof_buf *secret)
{
    uint8_t bytes[32], salt[16];
    char salt_hex[33], digest[65];
    size_t start = secret->len;
    json_t *record;
    enum cof_err err = load_client(s, client_id, &record);

    if (err == COF_OK)
        err = cof_rng_fill(cof_standin_rng(s), bytes, sizeof bytes);
    if (err == COF_OK)
        err = cof_rng_fill(cof_standin_rng(s), salt, sizeof salt);
    if (err == COF_OK) {
        cof_base64url_add(secret, cof_view_of(bytes, sizeof bytes));
        err = cof_buf_err(secret);
    }
    cof_wipe(bytes, sizeof bytes);
    if (err == COF_OK) {
        cof_hex_encode(salt, sizeof salt, salt_hex);
        err = digest_secret(cof_view_str(salt_hex), cof_view_sub(cof_buf_view(secret), start, SIZE_MAX), digest);
    }
    if (err == COF_OK && (json_object_set_new(record, "salt", json_string(salt_hex)) != 0 ||
                          json_object_set_new(record, "digest", json_string(digest)) != 0))
        err = COF_E_MEMORY;
    if (err == COF_OK)
        err = save_client(s, client_id, record);
    json_decref(record);
    return err;
}

/* HTTP Basic (RFC 6749 section 2.3.1: both parts are form-encoded), else the body's client_id and client_secret; not
 * both, which is COF_E_EXISTS. */
static enum cof_err read_client(const struct cof_standin_request *req, struct cof_buf *id, struct cof_buf *secret)
{
    struct cof_view header, word, text, left, right;
    struct cof_buf plain;
    enum cof_err err;

    if (!cof_headers_get(&req->head->headers, "authorization", &header)) {
        err = cof_form_get(req->body, "client_id", id);
        return err == COF_OK ? cof_form_get(req->body, "client_secret", secret) : err;
    }
    if (cof_query_has(req->body, "client_secret"))
        return COF_E_EXISTS;
    if (!cof_view_split(header, ' ', &word, &text) || !cof_view_eq_nocase(word, COF_LIT("Basic")))
        return COF_E_FORMAT;
    cof_buf_init_secret(&plain, 1024);
    err = cof_base64_decode(cof_view_trim(text), &plain);
    if (err == COF_OK && !cof_view_split(cof_buf_view(&plain), ':', &left, &right))
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = cof_uri_decode(left, true, id);
    if (err == COF_OK)
        err = cof_uri_decode(right, true, secret);
    cof_buf_done(&plain);
    return err;
}

/* The scopes asked for, all of which the client must have; none asked: all it has. Space-separated into out. */
static bool choose_scopes(const json_t *allowed, struct cof_view asked, struct cof_buf *out)
{
    struct cof_view one;

    if (asked.len == 0) {
        for (size_t i = 0; i < json_array_size(allowed); i++)
            cof_buf_printf(out, "%s%s", i == 0 ? "" : " ", json_string_value(json_array_get(allowed, i)));
        return true;
    }
    while (asked.len > 0) {
        bool found = false;
        (void)cof_view_split(asked, ' ', &one, &asked);
        for (size_t i = 0; i < json_array_size(allowed); i++)
            found = found || cof_view_eq_str(one, json_string_value(json_array_get(allowed, i)));
        if (!found)
            return false;
        cof_buf_printf(out, "%s%.*s", out->len > 0 ? " " : "", (int)one.len, (const char *)one.data);
    }
    return true;
}

static enum cof_err give_token(struct cof_standin *s, struct cof_standin_request *req, const char *client_id,
                               const json_t *client, const char *audience, const char *scopes,
                               struct cof_standin_reply *reply)
{
    uint8_t r[16];
    char jti[33];
    struct cof_token_claims claims = {
        .issuer = cof_standin_endpoint(s), .audience = audience, .subject = client_id, .client_id = client_id,
        .tenant = json_string_value(json_object_get(client, "tenant")), .scope = scopes, .id = jti,
        .issued_ms = req->now_ms, .expires_ms = req->now_ms + COF_OAUTH_LIFE_MS,
    };
    struct cof_token_signer *signer = NULL;
    struct cof_buf json, token;
    enum cof_err err = cof_rng_fill(cof_standin_rng(s), r, sizeof r);

    cof_hex_encode(r, sizeof r, jti);
    cof_buf_init_secret(&json, 8192);
    cof_buf_init_secret(&token, 4096);
    if (err == COF_OK)
        err = cof_oauth_keys_signer(s, req->now_ms, &signer);
    if (err == COF_OK)
        err = cof_token_sign(signer, &claims, &token);
    if (err == COF_OK) {
        cof_buf_add_str(&json, "{\"token_type\":\"Bearer\"");
        cof_json_add_member(&json, "access_token", cof_buf_view(&token));
        cof_json_add_member_int(&json, "expires_in", COF_OAUTH_LIFE_MS / 1000);
        cof_json_add_member(&json, "scope", cof_view_str(scopes));
        cof_buf_add_str(&json, "}\n");
        err = cof_buf_err(&json);
    }
    if (err == COF_OK) {
        cof_reply_set(reply, 200, TYPE, cof_buf_view(&json));
        cof_headers_set(&reply->headers, "Cache-Control", "no-store");
        cof_headers_set(&reply->headers, "Pragma", "no-cache");
    }
    cof_token_signer_free(signer);
    cof_buf_done(&json);
    cof_buf_done(&token);
    return err;
}

static bool secret_is_right(const json_t *client, struct cof_view secret)
{
    const char *salt = json_string_value(json_object_get(client, "salt"));
    const char *digest = json_string_value(json_object_get(client, "digest"));
    char got[65];

    return salt != NULL && digest != NULL && digest_secret(cof_view_str(salt), secret, got) == COF_OK &&
           cof_equal_ct(cof_view_str(got), cof_view_str(digest));
}

/* A parameter is given once (RFC 6749 section 3.2), in the form encoding. */
static bool form_is_right(const struct cof_standin_request *req)
{
    static const char *const names[] = {
        "grant_type", "scope", "client_id", "client_secret", "resource", "audience"};
    struct cof_view query = req->body, name, value, type, rest;
    size_t seen[sizeof names / sizeof names[0]] = {0};

    if (req->body.len > FORM_MAX || !cof_headers_get(&req->head->headers, "content-type", &type))
        return false;
    (void)cof_view_split(type, ';', &type, &rest);
    if (!cof_view_eq_nocase(cof_view_trim(type), COF_LIT(FORM)))
        return false;
    while (cof_query_next(&query, &name, &value))
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (cof_view_eq_str(name, names[i]) && ++seen[i] > 1)
                return false;
    return true;
}

/* Whose request it is. False: the reply holds the error (or *err says a fault). */
static bool authenticate(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply,
                         struct cof_buf *id, json_t **client, enum cof_err *err)
{
    struct cof_buf secret;

    cof_buf_init_secret(&secret, 512);
    *err = read_client(req, id, &secret);
    if (*err == COF_OK)
        *err = load_client(s, cof_buf_view(id), client);
    if (*err == COF_OK && !secret_is_right(*client, cof_buf_view(&secret)))
        *err = COF_E_AUTH;
    cof_buf_done(&secret);
    if (*err == COF_OK)
        return true;
    if (*err == COF_E_EXISTS)
        *err = fail(reply, 400, "invalid_request", "authenticate one way, not two");
    else if (*err != COF_E_MEMORY && *err != COF_E_IO)
        *err = fail(reply, 401, "invalid_client", "no such client, or a wrong secret");
    return false;
}

/* The audience asked for, which must be one of the client's. False: the reply holds the error. */
static bool choose_audience(const struct cof_standin_request *req, const json_t *client, struct cof_buf *out,
                            struct cof_standin_reply *reply)
{
    const json_t *own = json_object_get(client, "audiences");
    const char *param = cof_query_has(req->body, "resource") ? "resource" : "audience";
    enum cof_err err = cof_form_get(req->body, param, out);

    if (err == COF_E_NOT_FOUND) {
        cof_buf_add_str(out, AUDIENCE);
        return true;
    }
    if (err == COF_OK && cof_view_eq_str(cof_buf_view(out), AUDIENCE))
        return true;
    for (size_t i = 0; err == COF_OK && i < json_array_size(own); i++)
        if (cof_view_eq_str(cof_buf_view(out), json_string_value(json_array_get(own, i))))
            return true;
    (void)fail(reply, 400, "invalid_target", "the client may not have tokens for that audience");
    return false;
}

static enum cof_err answer_token(struct cof_standin *s, struct cof_standin_request *req, const char *id,
                                 const json_t *client, struct cof_standin_reply *reply)
{
    struct cof_buf asked, scopes, audience;
    enum cof_err err;

    cof_buf_init(&asked, 1024);
    cof_buf_init(&scopes, 1024);
    cof_buf_init(&audience, 256);
    err = cof_form_get(req->body, "scope", &asked);
    if (err != COF_OK && err != COF_E_NOT_FOUND)
        err = fail(reply, 400, "invalid_request", "the scope cannot be read");
    else if (!choose_scopes(json_object_get(client, "scopes"), cof_buf_view(&asked), &scopes))
        err = fail(reply, 400, "invalid_scope", "the client may not have that scope");
    else if (!choose_audience(req, client, &audience, reply))
        err = COF_OK;
    else
        err = give_token(s, req, id, client, cof_buf_cstr(&audience), cof_buf_cstr(&scopes), reply);
    cof_buf_done(&asked);
    cof_buf_done(&scopes);
    cof_buf_done(&audience);
    return err;
}

static enum cof_err token(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    struct cof_buf grant, id;
    json_t *client = NULL;
    enum cof_err err, found;

    if (!form_is_right(req))
        return fail(reply, 400, "invalid_request", "POST " FORM ", each parameter once");
    cof_buf_init(&grant, 128);
    cof_buf_init(&id, 256);
    found = cof_form_get(req->body, "grant_type", &grant);
    if (found == COF_E_NOT_FOUND)
        err = fail(reply, 400, "invalid_request", "grant_type is missing");
    else if (found != COF_OK || !cof_view_eq(cof_buf_view(&grant), COF_LIT("client_credentials")))
        err = fail(reply, 400, "unsupported_grant_type", "only client_credentials");
    else if (authenticate(s, req, reply, &id, &client, &err))
        err = answer_token(s, req, cof_buf_cstr(&id), client, reply);
    json_decref(client);
    cof_buf_done(&grant);
    cof_buf_done(&id);
    return err;
}

static enum cof_err rotate(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    struct cof_buf id, scopes;
    json_t *client = NULL;
    enum cof_err err;

    cof_buf_init(&id, 256);
    cof_buf_init(&scopes, 1024);
    if (!form_is_right(req))
        err = fail(reply, 400, "invalid_request", "POST " FORM ", each parameter once");
    else if (authenticate(s, req, reply, &id, &client, &err)) {
        if (!choose_scopes(json_object_get(client, "scopes"), COF_LIT(ROTATE_SCOPE), &scopes))
            err = fail(reply, 403, "insufficient_scope", "the client needs the scope " ROTATE_SCOPE);
        else
            err = cof_oauth_keys_rotate(s, req->now_ms);
        if (err == COF_E_LIMIT)
            err = fail(reply, 503, "temporarily_unavailable", "too many keys of late; wait for old ones to end");
        else if (err == COF_OK && reply->status == 0)
            cof_reply_set(reply, 200, TYPE, COF_LIT("{\"status\":\"ok\"}\n"));
    }
    json_decref(client);
    cof_buf_done(&id);
    cof_buf_done(&scopes);
    return err;
}

enum cof_err cof_oauth_jwks(struct cof_standin *s, int64_t now_ms, struct cof_buf *out)
{
    return cof_oauth_keys_jwks(s, now_ms, out);
}

json_t *cof_oauth_audiences(void)
{
    return json_pack("[s, s]", AUDIENCE, "sts.amazonaws.com");
}

static enum cof_err jwks(struct cof_standin *s, const struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    struct cof_buf json;
    enum cof_err err;

    cof_buf_init(&json, 65536);
    err = cof_oauth_jwks(s, req->now_ms, &json);
    if (err == COF_OK) {
        cof_reply_set(reply, 200, TYPE, cof_buf_view(&json));
        cof_headers_set(&reply->headers, "Cache-Control", "max-age=300");
    }
    cof_buf_done(&json);
    return err;
}

static enum cof_err handle(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    bool post = cof_view_eq(req->head->method, COF_LIT("POST"));
    enum cof_err err = cof_oauth_keys_tend(s, req->now_ms);

    cof_standin_public(req, "coffer:Token");
    if (err != COF_OK)
        return err;
    if (cof_view_eq(req->head->path, COF_LIT("/oauth/token")))
        return post ? token(s, req, reply) : fail(reply, 405, "invalid_request", "POST it");
    if (cof_view_eq(req->head->path, COF_LIT("/oauth/rotate")))
        return post ? rotate(s, req, reply) : fail(reply, 405, "invalid_request", "POST it");
    if (cof_view_eq(req->head->path, COF_LIT("/oauth/jwks.json")))
        return jwks(s, req, reply);
    return fail(reply, 404, "invalid_request", "there is /oauth/token and /oauth/jwks.json");
}

static enum cof_err handle_openid(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    const char *endpoint = cof_standin_endpoint(s);
    struct cof_buf json;

    cof_standin_public(req, "coffer:OpenIdConfiguration");
    if (!cof_view_eq(req->head->path, COF_LIT("/.well-known/openid-configuration")) &&
        !cof_view_eq(req->head->path, COF_LIT("/.well-known/oauth-authorization-server")))
        return fail(reply, 404, "invalid_request", "there is /.well-known/openid-configuration");
    cof_buf_init(&json, 4096);
    cof_buf_printf(&json,
                   "{\"issuer\":\"%s\",\"token_endpoint\":\"%s/oauth/token\",\"jwks_uri\":\"%s/oauth/jwks.json\","
                   "\"grant_types_supported\":[\"client_credentials\"],\"response_types_supported\":[\"token\"],"
                   "\"subject_types_supported\":[\"public\"],\"id_token_signing_alg_values_supported\":[\"ES256\"],"
                   "\"claims_supported\":[\"iss\",\"sub\",\"aud\",\"exp\",\"iat\",\"jti\",\"client_id\",\"tenant\",\"scope\"],"
                   "\"token_endpoint_auth_methods_supported\":[\"client_secret_basic\",\"client_secret_post\"]}\n",
                   endpoint, endpoint, endpoint);
    cof_reply_set(reply, 200, TYPE, cof_buf_view(&json));
    cof_buf_done(&json);
    return COF_OK;
}

/* A client that is there keeps its secret. */
static enum cof_err bootstrap_client(struct cof_standin *s, const json_t *spec, struct cof_diag *diag)
{
    struct cof_view id, tenant;
    json_t *record = NULL;
    const json_t *scopes = json_object_get(spec, "scopes"), *audiences = json_object_get(spec, "audiences");
    enum cof_err err = cof_json_text(spec, "id", &id, diag);

    if (err == COF_OK)
        err = cof_json_text(spec, "tenant", &tenant, diag);
    if (err == COF_OK && !json_is_array(scopes))
        err = cof_diag_set(diag, COF_E_CONFIG, "manifest: a client's \"scopes\" must be a list");
    if (err == COF_OK)
        err = load_client(s, id, &record);
    if (err == COF_E_NOT_FOUND) {
        record = json_object();
        err = record == NULL ? COF_E_MEMORY : COF_OK;
    }
    if (err == COF_OK && (json_object_set(record, "tenant", json_object_get(spec, "tenant")) != 0 ||
                          json_object_set_new(record, "scopes", json_deep_copy(scopes)) != 0 ||
                          (audiences != NULL && json_object_set_new(record, "audiences", json_deep_copy(audiences)) != 0)))
        err = COF_E_MEMORY;
    if (err == COF_OK)
        err = save_client(s, id, record);
    json_decref(record);
    return err;
}

static enum cof_err bootstrap(struct cof_standin *s, const json_t *manifest, int64_t now_ms, struct cof_diag *diag)
{
    const json_t *clients = json_object_get(manifest, "clients");
    enum cof_err err = cof_oauth_keys_tend(s, now_ms);

    for (size_t i = 0; err == COF_OK && i < json_array_size(clients); i++)
        err = bootstrap_client(s, json_array_get(clients, i), diag);
    return err;
}

const struct cof_service cof_service_oauth = {
    .name = "oauth",
    .path = "/oauth/",
    .anonymous = true,
    .json = true,
    .json_type = TYPE,
    .handle = handle,
    .bootstrap = bootstrap,
};
const struct cof_service cof_service_openid = {
    .name = "openid",
    .path = "/.well-known/",
    .anonymous = true,
    .json = true,
    .json_type = TYPE,
    .handle = handle_openid,
};
