/* SPDX-License-Identifier: Apache-2.0
 *
 * Bearer tokens: JWTs (RFC 7519, 8725, 9068) checked against a JSON Web Key Set (RFC 7517). RS256, PS256 and ES256
 * only, and only with a key whose type, use, key_ops and alg allow it. Nothing in a token leads to a key: the set is
 * the caller's; a token with jku, jwk, x5u, x5c or crit is refused. Every failed check is COF_E_AUTH; diag (for the
 * local log, never for the peer) says which.
 */
#ifndef COF_ENGINE_TOKEN_H
#define COF_ENGINE_TOKEN_H

#include "base/buf.h"

struct cof_jwks; /* heap; read-only once parsed, so threads may share it */

#define COF_JWKS_SIZE_MAX 65536
#define COF_JWKS_KEYS_MAX 64
#define COF_TOKEN_SIZE_MAX 16384

/* Keys of other types, curves or uses are skipped; a symmetric or private key refuses the whole set, and so do two
 * keys that one token could mean. COF_E_FORMAT when no usable key is left. */
COF_MUST_USE enum cof_err cof_jwks_parse(struct cof_view json, struct cof_jwks **out, struct cof_diag *diag);
size_t cof_jwks_count(const struct cof_jwks *jwks);
/* Whether a key of that id is there (false: time to fetch the set again). */
bool cof_jwks_has(const struct cof_jwks *jwks, struct cof_view kid);
void cof_jwks_free(struct cof_jwks *jwks);

enum cof_token_alg { COF_TOKEN_RS256 = 1, COF_TOKEN_PS256 = 2, COF_TOKEN_ES256 = 4 }; /* bits of a set */

struct cof_token_policy {
    const char *issuer;       /* exact */
    const char *audience;     /* one of the token's */
    const char *scope;        /* one word that must be among the scopes; NULL: any */
    const char *tenant_claim; /* NULL: "tenant" */
    unsigned algs;            /* bits of cof_token_alg; 0: all three */
    int64_t leeway_s;         /* for exp, nbf and iat; 0 to 300 */
    int64_t max_age_s;        /* now - iat; 0: no limit. With a limit iat is needed */
};

/* The signature alone, over any payload (RFC 7515), which is added to payload on success. A token with a kid needs the
 * key of that very kid; without one the set must hold a single key that fits its alg. */
COF_MUST_USE enum cof_err cof_jws_verify(struct cof_view text, const struct cof_jwks *jwks, unsigned algs,
                                         struct cof_buf *payload, struct cof_diag *diag);

#define COF_TOKEN_FIELD_MAX 256

/* C strings of printable characters without control characters; absent ones are empty. */
struct cof_token {
    char subject[COF_TOKEN_FIELD_MAX];
    char client_id[COF_TOKEN_FIELD_MAX]; /* client_id, else azp */
    char tenant[COF_TOKEN_FIELD_MAX];
    char id[COF_TOKEN_FIELD_MAX];        /* jti */
    char scopes[1024];                   /* separated by single spaces; from scope, or scp */
    int64_t expires_ms;
    int64_t issued_ms;                   /* -1: not said */
};

/* Verifies text ("eyJ...": no "Bearer "): the signature, typ (JWT or at+jwt, if given), iss, aud, exp (needed), nbf,
 * iat (not in the future), sub (needed) and the scope. COF_E_AUTH for every refusal, COF_E_MEMORY, COF_E_USAGE for an
 * impossible policy; out is emptied on failure. */
COF_MUST_USE enum cof_err cof_token_verify(struct cof_view text, const struct cof_jwks *jwks,
                                           const struct cof_token_policy *policy, int64_t now_ms,
                                           struct cof_token *out, struct cof_diag *diag);
bool cof_token_has_scope(const struct cof_token *token, const char *scope);

#endif
