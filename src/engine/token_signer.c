/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/token_signer.h"

#include "base/codec.h"
#include "base/log.h"
#include "crypto/ecdsa.h"

#include <stdlib.h>

#define KID_SIZE 44 /* 32 bytes as base64url, and a NUL */

struct cof_token_signer {
    struct cof_ecdsa_key *key;
    struct cof_buf x, y; /* base64url */
    struct cof_buf kid;
};

void cof_token_signer_free(struct cof_token_signer *signer)
{
    if (signer == NULL)
        return;
    cof_ecdsa_free(signer->key);
    cof_buf_done(&signer->x);
    cof_buf_done(&signer->y);
    cof_buf_done(&signer->kid);
    free(signer);
}

/* spec: rfc7638 3.2: SHA-256 over the required members in the order of their names. */
static enum cof_err make_kid(struct cof_token_signer *s)
{
    struct cof_buf text;
    uint8_t digest[32];
    enum cof_err err;

    cof_buf_init(&text, 256);
    cof_buf_printf(&text, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", cof_buf_cstr(&s->x),
                   cof_buf_cstr(&s->y));
    err = cof_buf_err(&text);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&text), digest);
    if (err == COF_OK) {
        cof_base64url_add(&s->kid, cof_view_of(digest, sizeof digest));
        err = cof_buf_err(&s->kid);
    }
    cof_buf_done(&text);
    return err;
}

/* Takes the key over, also on failure. */
static enum cof_err make_signer(struct cof_ecdsa_key *key, struct cof_token_signer **out)
{
    struct cof_token_signer *s = calloc(1, sizeof *s);
    struct cof_buf point;
    enum cof_err err;

    cof_buf_init(&point, 65);
    if (s == NULL) {
        cof_ecdsa_free(key);
        return COF_E_MEMORY;
    }
    s->key = key;
    cof_buf_init(&s->x, KID_SIZE);
    cof_buf_init(&s->y, KID_SIZE);
    cof_buf_init(&s->kid, KID_SIZE);
    err = cof_ecdsa_curve(key) == COF_P256 && cof_ecdsa_is_private(key) ? COF_OK : COF_E_UNSUPPORTED;
    if (err == COF_OK)
        err = cof_ecdsa_point(key, false, &point);
    if (err == COF_OK) {
        cof_base64url_add(&s->x, cof_view_sub(cof_buf_view(&point), 1, 32));
        cof_base64url_add(&s->y, cof_view_sub(cof_buf_view(&point), 33, 32));
        err = make_kid(s);
    }
    cof_buf_done(&point);
    if (err != COF_OK) {
        cof_token_signer_free(s);
        return err;
    }
    *out = s;
    return COF_OK;
}

enum cof_err cof_token_signer_generate(const struct cof_rng *rng, struct cof_token_signer **out)
{
    struct cof_ecdsa_key *key = NULL;
    enum cof_err err = cof_ecdsa_generate(COF_P256, rng, &key);

    *out = NULL;
    return err != COF_OK ? err : make_signer(key, out);
}

enum cof_err cof_token_signer_import(struct cof_view pkcs8, struct cof_token_signer **out)
{
    struct cof_ecdsa_key *key = NULL;
    enum cof_err err = cof_ecdsa_from_pkcs8(pkcs8, &key);

    *out = NULL;
    return err != COF_OK ? err : make_signer(key, out);
}

enum cof_err cof_token_signer_export(const struct cof_token_signer *signer, struct cof_buf *pkcs8)
{
    return cof_ecdsa_pkcs8(signer->key, pkcs8);
}

enum cof_err cof_token_signer_jwk(const struct cof_token_signer *signer, struct cof_buf *out)
{
    cof_buf_add_str(out, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"");
    cof_buf_add(out, cof_buf_view(&signer->kid));
    cof_buf_add_str(out, "\",\"x\":\"");
    cof_buf_add(out, cof_buf_view(&signer->x));
    cof_buf_add_str(out, "\",\"y\":\"");
    cof_buf_add(out, cof_buf_view(&signer->y));
    cof_buf_add_str(out, "\"}");
    return cof_buf_err(out);
}

enum cof_err cof_token_signer_jwks(const struct cof_token_signer *signer, struct cof_buf *out)
{
    enum cof_err err;

    cof_buf_add_str(out, "{\"keys\":[");
    err = cof_token_signer_jwk(signer, out);
    cof_buf_add_str(out, "]}");
    return err == COF_OK ? cof_buf_err(out) : err;
}

static void add_claim(struct cof_buf *json, const char *name, const char *value)
{
    if (value == NULL)
        return;
    cof_buf_printf(json, ",\"%s\":\"", name);
    cof_json_escape(json, cof_view_str(value));
    cof_buf_add_str(json, "\"");
}

static void add_claims(struct cof_buf *json, const struct cof_token_claims *claims)
{
    cof_buf_printf(json, "{\"iat\":%lld,\"exp\":%lld", (long long)(claims->issued_ms / 1000),
                   (long long)(claims->expires_ms / 1000));
    add_claim(json, "iss", claims->issuer);
    add_claim(json, "aud", claims->audience);
    add_claim(json, "sub", claims->subject);
    add_claim(json, "client_id", claims->client_id);
    add_claim(json, "tenant", claims->tenant);
    add_claim(json, "scope", claims->scope);
    add_claim(json, "jti", claims->id);
    cof_buf_add_str(json, "}");
}

enum cof_err cof_jws_sign(const struct cof_token_signer *signer, struct cof_view payload, struct cof_buf *out)
{
    struct cof_buf json, text, sig;
    enum cof_err err;

    cof_buf_init(&json, 1024);
    cof_buf_init(&text, 16384);
    cof_buf_init(&sig, COF_ECDSA_SIG_MAX);
    cof_buf_add_str(&json, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"");
    cof_buf_add(&json, cof_buf_view(&signer->kid));
    cof_buf_add_str(&json, "\"}");
    cof_base64url_add(&text, cof_buf_view(&json));
    cof_buf_add_str(&text, ".");
    cof_base64url_add(&text, payload);
    err = cof_buf_err(&text);
    if (err == COF_OK)
        err = cof_ecdsa_sign(signer->key, COF_SHA256, cof_buf_view(&text), COF_ECDSA_RAW, &sig);
    if (err == COF_OK) {
        cof_buf_add(out, cof_buf_view(&text));
        cof_buf_add_str(out, ".");
        cof_base64url_add(out, cof_buf_view(&sig));
        err = cof_buf_err(out);
    }
    cof_buf_done(&json);
    cof_buf_done(&text);
    cof_buf_done(&sig);
    return err;
}

enum cof_err cof_token_sign(const struct cof_token_signer *signer, const struct cof_token_claims *claims,
                            struct cof_buf *out)
{
    struct cof_buf json;
    enum cof_err err;

    cof_buf_init(&json, 8192);
    add_claims(&json, claims);
    err = cof_buf_err(&json);
    if (err == COF_OK)
        err = cof_jws_sign(signer, cof_buf_view(&json), out);
    cof_buf_done(&json);
    return err;
}
