/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenID Connect identity providers that accounts trust for AssumeRoleWithWebIdentity (IAM User Guide, "Create an OpenID
 * Connect identity provider"): issuers whose keys the manifest brings, and the stand-in's own token issuer. Records are
 * JSON in the store's space "iam.provider", by ACCOUNT/NAME.
 *
 *   "identity_providers": [{"url": "https://idp.example.com/tenant", "client_ids": ["sts.amazonaws.com"],
 *                           "jwks": {"keys": [...]}}]
 *
 * in the manifest, or in one of its "accounts". NAME is the URL without scheme and port, as in the provider's ARN
 * (arn:aws:iam::ACCOUNT:oidc-provider/idp.example.com/tenant) and in front of condition keys (idp.example.com/tenant:sub).
 * The stand-in's own issuer is provider "localhost" of its own account, whatever its port.
 */
#ifndef COF_STANDIN_IDENTITY_PROVIDER_H
#define COF_STANDIN_IDENTITY_PROVIDER_H

#include "engine/token.h"
#include "standin/standin.h"

struct cof_identity_provider {
    char *name;                 /* owned */
    struct json_t *client_ids;  /* owned; a list */
    struct cof_jwks *jwks;      /* owned */
};

/* The provider of that issuer in that account. COF_E_NOT_FOUND. */
COF_MUST_USE enum cof_err cof_identity_provider_find(struct cof_standin *s, struct cof_view account,
                                                     struct cof_view issuer, int64_t now_ms,
                                                     struct cof_identity_provider *out);
void cof_identity_provider_done(struct cof_identity_provider *provider); /* takes a zeroed struct */
/* Keeps one of the manifest's. COF_E_CONFIG. */
COF_MUST_USE enum cof_err cof_identity_provider_make(struct cof_standin *s, const char *account,
                                                     const struct json_t *item, struct cof_diag *diag);

#endif
