/* SPDX-License-Identifier: Apache-2.0
 *
 * Issues the tokens that token.h verifies: ES256 access tokens (RFC 9068) and the key set that goes with them, for
 * coffer-local's issuer and for tests.
 */
#ifndef COF_ENGINE_TOKEN_SIGNER_H
#define COF_ENGINE_TOKEN_SIGNER_H

#include "base/buf.h"
#include "base/rng.h"

struct cof_token_signer; /* an ES256 key and its kid; heap */

/* A fresh P-256 key, or the one in DER (PKCS#8) as cof_token_signer_export gave it. The kid is the key's RFC 7638
 * thumbprint. */
COF_MUST_USE enum cof_err cof_token_signer_generate(const struct cof_rng *rng, struct cof_token_signer **out);
COF_MUST_USE enum cof_err cof_token_signer_import(struct cof_view pkcs8, struct cof_token_signer **out);
/* pkcs8 should be a secret builder. */
COF_MUST_USE enum cof_err cof_token_signer_export(const struct cof_token_signer *signer, struct cof_buf *pkcs8);
void cof_token_signer_free(struct cof_token_signer *signer);
/* Appends the public key as a JWK object. */
COF_MUST_USE enum cof_err cof_token_signer_jwk(const struct cof_token_signer *signer, struct cof_buf *out);
/* Appends {"keys":[...]} with the public key. */
COF_MUST_USE enum cof_err cof_token_signer_jwks(const struct cof_token_signer *signer, struct cof_buf *out);

struct cof_token_claims {
    const char *issuer, *audience, *subject;
    const char *client_id, *tenant, *scope, *id; /* NULL: left out */
    int64_t issued_ms, expires_ms;
};

/* Appends payload, whatever it is, as a signed token (RFC 7515) of typ "at+jwt". */
COF_MUST_USE enum cof_err cof_jws_sign(const struct cof_token_signer *signer, struct cof_view payload,
                                       struct cof_buf *out);
/* Appends a signed token, typ "at+jwt" (RFC 9068). */
COF_MUST_USE enum cof_err cof_token_sign(const struct cof_token_signer *signer, const struct cof_token_claims *claims,
                                         struct cof_buf *out);

#endif
