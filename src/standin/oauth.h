/* SPDX-License-Identifier: Apache-2.0
 *
 * The local token issuer: OAuth 2.0 client credentials (RFC 6749 section 4.4) at POST /oauth/token, the keys at
 * GET /oauth/jwks.json, and where both are at GET /.well-known/openid-configuration and
 * /.well-known/oauth-authorization-server (RFC 8414). Tokens are JWTs (RFC 9068), ES256, 15 minutes. The signing keys
 * change by themselves (oauth_keys.h), and at once by POST /oauth/rotate of a client that has the scope
 * "coffer:rotate-keys". Client secrets are kept as salted digests.
 *
 *   "clients": [{"id", "tenant", "scopes": ["..."], "audiences"?: ["sts.amazonaws.com"]}]
 *
 * in the manifest. A token is for "coffer-producer" unless the request names another of the client's audiences (resource,
 * RFC 8707, or audience).
 */
#ifndef COF_STANDIN_OAUTH_H
#define COF_STANDIN_OAUTH_H

#include "standin/standin.h"

extern const struct cof_service cof_service_oauth;
extern const struct cof_service cof_service_openid; /* the well-known document, at its own path */

/* Gives a client (made by bootstrap) a fresh secret; COF_E_NOT_FOUND. secret: 43 characters of base64url, appended. */
COF_MUST_USE enum cof_err cof_oauth_reset_secret(struct cof_standin *s, struct cof_view client_id, struct cof_buf *secret);

/* Appends the key set as it is published now. */
COF_MUST_USE enum cof_err cof_oauth_jwks(struct cof_standin *s, int64_t now_ms, struct cof_buf *out);
/* What AssumeRoleWithWebIdentity takes as audience of tokens from here: a fresh list, or NULL for want of memory. */
struct json_t *cof_oauth_audiences(void);

#endif
