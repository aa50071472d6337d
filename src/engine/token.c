/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/token.h"

#include "base/codec.h"
#include "crypto/ecdsa.h"
#include "crypto/rsa.h"
#include "format/jwt.h"

#include <jansson.h>

#include <stdlib.h>
#include <string.h>

#define ALL_ALGS (COF_TOKEN_RS256 | COF_TOKEN_PS256 | COF_TOKEN_ES256)
#define LEEWAY_MAX_S 300
#define P256_FIELD 32

struct key {
    char *kid; /* owned; NULL when the key has none */
    unsigned algs;
    struct cof_rsa_key *rsa;  /* one of the two is set */
    struct cof_ecdsa_key *ec;
};

struct cof_jwks {
    struct key *keys;
    size_t n_keys;
};

static unsigned alg_of(struct cof_view name)
{
    return cof_view_eq_str(name, "RS256")   ? COF_TOKEN_RS256
           : cof_view_eq_str(name, "PS256") ? COF_TOKEN_PS256
           : cof_view_eq_str(name, "ES256") ? COF_TOKEN_ES256
                                            : 0;
}

static void key_done(struct key *key)
{
    free(key->kid);
    cof_rsa_free(key->rsa);
    cof_ecdsa_free(key->ec);
    *key = (struct key){0};
}

void cof_jwks_free(struct cof_jwks *jwks)
{
    if (jwks == NULL)
        return;
    for (size_t i = 0; i < jwks->n_keys; i++)
        key_done(&jwks->keys[i]);
    free(jwks->keys);
    free(jwks);
}

size_t cof_jwks_count(const struct cof_jwks *jwks)
{
    return jwks->n_keys;
}

bool cof_jwks_has(const struct cof_jwks *jwks, struct cof_view kid)
{
    for (size_t i = 0; i < jwks->n_keys; i++)
        if (jwks->keys[i].kid != NULL && cof_view_eq_str(kid, jwks->keys[i].kid))
            return true;
    return false;
}

/* A member that must be a string if it is there: NULL when absent. False for another type. */
static bool member_text(const json_t *jwk, const char *name, const char **out)
{
    const json_t *member = json_object_get(jwk, name);

    *out = json_string_value(member);
    return member == NULL || *out != NULL;
}

static enum cof_err decode_member(const json_t *jwk, const char *name, struct cof_buf *out)
{
    const char *text;

    cof_buf_init(out, COF_RSA_SIZE_MAX);
    if (!member_text(jwk, name, &text) || text == NULL)
        return COF_E_FORMAT;
    return cof_base64url_decode(cof_view_str(text), out);
}

static enum cof_err load_rsa(const json_t *jwk, struct key *key)
{
    struct cof_buf n, e;
    enum cof_err err = decode_member(jwk, "n", &n), err_e = decode_member(jwk, "e", &e);

    if (err == COF_OK)
        err = err_e;
    if (err == COF_OK)
        err = cof_rsa_from_modulus(cof_buf_view(&n), cof_buf_view(&e), &key->rsa);
    cof_buf_done(&n);
    cof_buf_done(&e);
    return err;
}

static enum cof_err load_ec(const json_t *jwk, struct key *key)
{
    struct cof_buf x, y, point;
    enum cof_err err = decode_member(jwk, "x", &x), err_y = decode_member(jwk, "y", &y);

    cof_buf_init(&point, 1 + 2 * P256_FIELD);
    if (err == COF_OK)
        err = err_y;
    if (err == COF_OK && (x.len != P256_FIELD || y.len != P256_FIELD))
        err = COF_E_FORMAT;
    if (err == COF_OK) {
        cof_buf_add_u8(&point, 0x04); /* SEC 1: uncompressed */
        cof_buf_add(&point, cof_buf_view(&x));
        cof_buf_add(&point, cof_buf_view(&y));
        err = cof_ecdsa_from_point(COF_P256, cof_buf_view(&point), &key->ec);
    }
    cof_buf_done(&x);
    cof_buf_done(&y);
    cof_buf_done(&point);
    return err;
}

static bool may_verify(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops");

    if (use != NULL && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return false;
    if (ops == NULL)
        return true;
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const char *op = json_string_value(json_array_get(ops, i));
        if (op != NULL && strcmp(op, "verify") == 0)
            return true;
    }
    return false;
}

/* COF_E_UNSUPPORTED: a key for other purposes, to be passed over. */
static enum cof_err load_key(const json_t *jwk, struct key *key, struct cof_diag *diag)
{
    const char *kty, *alg, *crv, *kid;
    enum cof_err err;

    if (!json_is_object(jwk) || !member_text(jwk, "kty", &kty) || kty == NULL || !member_text(jwk, "alg", &alg) ||
        !member_text(jwk, "crv", &crv) || !member_text(jwk, "kid", &kid))
        return cof_diag_set(diag, COF_E_FORMAT, "the key set holds something that is no key");
    if (strcmp(kty, "oct") == 0 || json_object_get(jwk, "d") != NULL || json_object_get(jwk, "k") != NULL)
        return cof_diag_set(diag, COF_E_FORMAT, "the key set holds a secret key; it was never to be published");
    if (strcmp(kty, "RSA") == 0)
        key->algs = COF_TOKEN_RS256 | COF_TOKEN_PS256;
    else if (strcmp(kty, "EC") == 0 && crv != NULL && strcmp(crv, "P-256") == 0)
        key->algs = COF_TOKEN_ES256;
    if (alg != NULL)
        key->algs &= alg_of(cof_view_str(alg));
    if (key->algs == 0 || !may_verify(jwk))
        return COF_E_UNSUPPORTED;
    err = key->algs == COF_TOKEN_ES256 ? load_ec(jwk, key) : load_rsa(jwk, key);
    if (err == COF_E_FORMAT || err == COF_E_LIMIT)
        return cof_diag_set(diag, COF_E_FORMAT, "the key set's key %s is malformed", kid != NULL ? kid : "without id");
    if (err == COF_OK && kid != NULL) {
        key->kid = malloc(strlen(kid) + 1);
        if (key->kid == NULL)
            return COF_E_MEMORY;
        memcpy(key->kid, kid, strlen(kid) + 1);
    }
    return err;
}

static bool ambiguous(const struct cof_jwks *jwks, const struct key *key)
{
    for (size_t i = 0; i < jwks->n_keys; i++) {
        const struct key *other = &jwks->keys[i];
        if (key->kid != NULL && other->kid != NULL && strcmp(key->kid, other->kid) == 0 &&
            (key->algs & other->algs) != 0)
            return true;
    }
    return false;
}

static enum cof_err load_keys(const json_t *list, struct cof_jwks *jwks, struct cof_diag *diag)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n > COF_JWKS_KEYS_MAX)
        return cof_diag_set(diag, COF_E_FORMAT, "a key set has a list of keys, of %d at most", COF_JWKS_KEYS_MAX);
    jwks->keys = calloc(n + 1, sizeof *jwks->keys);
    if (jwks->keys == NULL)
        return COF_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        struct key *key = &jwks->keys[jwks->n_keys];
        enum cof_err err = load_key(json_array_get(list, i), key, diag);

        if (err == COF_OK && ambiguous(jwks, key))
            err = cof_diag_set(diag, COF_E_FORMAT, "the key set has two keys called %s", key->kid);
        if (err == COF_OK)
            jwks->n_keys++;
        else
            key_done(key);
        if (err != COF_OK && err != COF_E_UNSUPPORTED)
            return err;
    }
    if (jwks->n_keys == 0)
        return cof_diag_set(diag, COF_E_FORMAT, "the key set has no key that can verify tokens");
    return COF_OK;
}

enum cof_err cof_jwks_parse(struct cof_view json, struct cof_jwks **out, struct cof_diag *diag)
{
    json_error_t error;
    struct cof_jwks *jwks;
    json_t *root;
    enum cof_err err;

    *out = NULL;
    if (json.len > COF_JWKS_SIZE_MAX)
        return cof_diag_set(diag, COF_E_LIMIT, "the key set is over %d bytes", COF_JWKS_SIZE_MAX);
    root = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        return cof_diag_set(diag, COF_E_FORMAT, "the key set is no JSON: line %d, column %d: %s", error.line,
                            error.column, error.text);
    jwks = calloc(1, sizeof *jwks);
    err = jwks == NULL ? COF_E_MEMORY : load_keys(json_object_get(root, "keys"), jwks, diag);
    json_decref(root);
    if (err != COF_OK) {
        cof_jwks_free(jwks);
        return err;
    }
    *out = jwks;
    return COF_OK;
}

/* spec: rfc7515 4.1.4; without kid only a set that leaves no choice will do. */
static const struct key *find_key(const struct cof_jwks *jwks, struct cof_view kid, unsigned alg)
{
    const struct key *found = NULL;

    for (size_t i = 0; i < jwks->n_keys; i++) {
        const struct key *key = &jwks->keys[i];

        if ((key->algs & alg) == 0)
            continue;
        if (kid.data == NULL) {
            if (found != NULL)
                return NULL;
            found = key;
        } else if (key->kid != NULL && cof_view_eq_str(kid, key->kid)) {
            return key;
        }
    }
    return found;
}

static enum cof_err refuse(struct cof_diag *diag, const char *why)
{
    return cof_diag_set(diag, COF_E_AUTH, "token refused: %s", why);
}

static enum cof_err check_signature(const struct cof_jwt *jwt, const struct cof_jwks *jwks, unsigned algs,
                                    struct cof_diag *diag)
{
    unsigned alg = alg_of(jwt->alg) & (algs == 0 ? ALL_ALGS : algs);
    const struct key *key;
    enum cof_err err;

    if (alg == 0)
        return refuse(diag, "its alg is not allowed");
    if (jwt->has_crit)
        return refuse(diag, "it has critical extensions");
    if (jwt->has_key)
        return refuse(diag, "it brings or names its own key");
    key = find_key(jwks, jwt->kid, alg);
    if (key == NULL)
        return refuse(diag, "no key of the set has its kid and alg");
    if (alg == COF_TOKEN_ES256)
        err = cof_ecdsa_verify(key->ec, COF_SHA256, jwt->signing_input, COF_ECDSA_RAW, jwt->signature);
    else
        err = cof_rsa_verify(key->rsa, alg == COF_TOKEN_RS256 ? COF_RSA_RS256 : COF_RSA_PS256, jwt->signing_input,
                             jwt->signature);
    return err == COF_OK || err == COF_E_MEMORY ? err : refuse(diag, "its signature is wrong");
}

/* Parses and checks the signature; jwt is empty on failure. */
static enum cof_err open_signed(struct cof_view text, const struct cof_jwks *jwks, unsigned algs, struct cof_jwt *jwt,
                                struct cof_diag *diag)
{
    enum cof_err err = cof_jwt_parse(text, COF_TOKEN_SIZE_MAX, jwt);

    if (err == COF_E_MEMORY)
        return err;
    if (err != COF_OK)
        return refuse(diag, "it is no signed token in compact form");
    err = check_signature(jwt, jwks, algs, diag);
    if (err != COF_OK)
        cof_jwt_done(jwt);
    return err;
}

enum cof_err cof_jws_verify(struct cof_view text, const struct cof_jwks *jwks, unsigned algs, struct cof_buf *payload,
                            struct cof_diag *diag)
{
    struct cof_jwt jwt;
    enum cof_err err = open_signed(text, jwks, algs, &jwt, diag);

    if (err != COF_OK)
        return err;
    cof_buf_add(payload, jwt.payload);
    cof_jwt_done(&jwt);
    return cof_buf_err(payload);
}

static bool has_item(const struct cof_jwt *jwt, const char *claim, const char *wanted)
{
    struct cof_view item;

    for (size_t i = 0; cof_jwt_item(jwt, claim, i, &item) == COF_OK; i++)
        if (cof_view_eq_str(item, wanted))
            return true;
    return false;
}

/* Tokens meant for something else carry another typ (RFC 8725 section 3.11). */
static bool typ_ok(struct cof_view typ)
{
    static const char *const good[] = {"JWT", "at+jwt", "application/jwt", "application/at+jwt"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (cof_view_eq_nocase(typ, cof_view_str(good[i])))
            return true;
    return typ.data == NULL;
}

static enum cof_err check_times(const struct cof_jwt *jwt, const struct cof_token_policy *policy, int64_t now_ms,
                                struct cof_token *out, struct cof_diag *diag)
{
    int64_t leeway_ms = policy->leeway_s * 1000, not_before = 0;
    enum cof_err err = cof_jwt_date(jwt, "exp", &out->expires_ms);

    if (err != COF_OK)
        return refuse(diag, "exp is missing or no date");
    if (now_ms - leeway_ms >= out->expires_ms)
        return refuse(diag, "it has expired");
    err = cof_jwt_date(jwt, "nbf", &not_before);
    if (err == COF_E_FORMAT || (err == COF_OK && now_ms + leeway_ms < not_before))
        return refuse(diag, "nbf: it is not valid yet");
    out->issued_ms = -1;
    err = cof_jwt_date(jwt, "iat", &out->issued_ms);
    if (err == COF_E_FORMAT || (err == COF_OK && now_ms + leeway_ms < out->issued_ms))
        return refuse(diag, "iat: it was issued in the future");
    if (policy->max_age_s > 0 && (out->issued_ms < 0 || now_ms - leeway_ms - out->issued_ms > policy->max_age_s * 1000))
        return refuse(diag, "iat: it is too old");
    return COF_OK;
}

/* A claim that may be absent (then empty) but must be sane. */
static bool copy_claim(const struct cof_jwt *jwt, const char *claim, char *out, size_t size)
{
    struct cof_view v;
    enum cof_err err = cof_jwt_text(jwt, claim, &v);

    out[0] = '\0';
    if (err == COF_E_NOT_FOUND)
        return true;
    if (err != COF_OK || v.len >= size)
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] < 0x20 || v.data[i] == 0x7f)
            return false;
    if (v.len > 0)
        memcpy(out, v.data, v.len);
    out[v.len] = '\0';
    return true;
}

static bool add_scope(struct cof_token *out, struct cof_view word)
{
    size_t have = strlen(out->scopes);

    for (size_t i = 0; i < word.len; i++) /* spec: rfc6749 3.3 scope-token */
        if (word.data[i] <= 0x20 || word.data[i] > 0x7e || word.data[i] == '"' || word.data[i] == '\\')
            return false;
    if (word.len + 2 > sizeof out->scopes - have)
        return false;
    if (have > 0)
        out->scopes[have++] = ' ';
    memcpy(out->scopes + have, word.data, word.len);
    out->scopes[have + word.len] = '\0';
    return true;
}

/* One string of words, as in scope, or a list of them, as some issuers write scp. */
static bool read_scopes(const struct cof_jwt *jwt, const char *claim, struct cof_token *out)
{
    struct cof_view item, word;
    enum cof_err err = COF_OK;

    for (size_t i = 0; (err = cof_jwt_item(jwt, claim, i, &item)) == COF_OK; i++)
        while (item.len > 0) {
            (void)cof_view_split(item, ' ', &word, &item);
            if (word.len > 0 && !add_scope(out, word))
                return false;
        }
    return err == COF_E_NOT_FOUND;
}

static enum cof_err read_claims(const struct cof_jwt *jwt, const struct cof_token_policy *policy, int64_t now_ms,
                                struct cof_token *out, struct cof_diag *diag)
{
    const char *tenant = policy->tenant_claim != NULL ? policy->tenant_claim : "tenant";
    struct cof_view issuer;
    enum cof_err err;

    if (!typ_ok(jwt->typ))
        return refuse(diag, "its typ is that of something else");
    if (cof_jwt_text(jwt, "iss", &issuer) != COF_OK || !cof_view_eq_str(issuer, policy->issuer))
        return refuse(diag, "iss is not our issuer");
    if (!has_item(jwt, "aud", policy->audience))
        return refuse(diag, "aud is not us");
    err = check_times(jwt, policy, now_ms, out, diag);
    if (err != COF_OK)
        return err;
    if (!copy_claim(jwt, "sub", out->subject, sizeof out->subject) || out->subject[0] == '\0')
        return refuse(diag, "sub is missing or not usable");
    if (!copy_claim(jwt, "client_id", out->client_id, sizeof out->client_id) ||
        (out->client_id[0] == '\0' && !copy_claim(jwt, "azp", out->client_id, sizeof out->client_id)))
        return refuse(diag, "client_id or azp is not usable");
    if (!copy_claim(jwt, tenant, out->tenant, sizeof out->tenant) || !copy_claim(jwt, "jti", out->id, sizeof out->id))
        return refuse(diag, "the tenant or jti is not usable");
    if (!read_scopes(jwt, "scope", out) || (out->scopes[0] == '\0' && !read_scopes(jwt, "scp", out)))
        return refuse(diag, "its scopes are not usable");
    if (policy->scope != NULL && !cof_token_has_scope(out, policy->scope))
        return refuse(diag, "it lacks the scope");
    return COF_OK;
}

enum cof_err cof_token_verify(struct cof_view text, const struct cof_jwks *jwks, const struct cof_token_policy *policy,
                              int64_t now_ms, struct cof_token *out, struct cof_diag *diag)
{
    struct cof_jwt jwt;
    enum cof_err err;

    *out = (struct cof_token){0};
    if (policy->issuer == NULL || policy->issuer[0] == '\0' || policy->audience == NULL ||
        policy->audience[0] == '\0' || policy->leeway_s < 0 || policy->leeway_s > LEEWAY_MAX_S ||
        policy->max_age_s < 0 || policy->max_age_s > INT32_MAX)
        return cof_diag_set(diag, COF_E_USAGE,
                            "token policy: issuer and audience are needed, and a leeway of 0 to %d s", LEEWAY_MAX_S);
    err = open_signed(text, jwks, policy->algs, &jwt, diag);
    if (err != COF_OK)
        return err;
    if (cof_jwt_read_claims(&jwt) != COF_OK)
        err = refuse(diag, "its claims are no JSON object");
    else
        err = read_claims(&jwt, policy, now_ms, out, diag);
    cof_jwt_done(&jwt);
    if (err != COF_OK)
        *out = (struct cof_token){0};
    return err;
}

bool cof_token_has_scope(const struct cof_token *token, const char *scope)
{
    struct cof_view rest = cof_view_str(token->scopes), word;

    while (rest.len > 0) {
        (void)cof_view_split(rest, ' ', &word, &rest);
        if (cof_view_eq_str(word, scope))
            return true;
    }
    return false;
}
