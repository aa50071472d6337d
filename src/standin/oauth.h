/* SPDX-License-Identifier: Apache-2.0
 *
 * The local token issuer: OAuth 2.0 client credentials (RFC 6749 section 4.4) at POST /oauth/token, the keys at
 * GET /oauth/jwks.json, and where both are at GET /.well-known/openid-configuration. Tokens are JWTs (RFC 9068), ES256,
 * 15 minutes. The signing key is sealed in the store; client secrets are kept as salted digests.
 */
#ifndef COF_STANDIN_OAUTH_H
#define COF_STANDIN_OAUTH_H

#include "standin/standin.h"

extern const struct cof_service cof_service_oauth;
extern const struct cof_service cof_service_openid; /* the well-known document, at its own path */

/* Gives a client (made by bootstrap) a fresh secret; COF_E_NOT_FOUND. secret: 43 characters of base64url, appended. */
COF_MUST_USE enum cof_err cof_oauth_reset_secret(struct cof_standin *s, struct cof_view client_id, struct cof_buf *secret);

#endif
