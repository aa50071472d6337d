/* SPDX-License-Identifier: Apache-2.0
 *
 * The first contents of an account, from a manifest (deploy/local/manifest.json, its holes already filled):
 *
 *   "users":  [{"name", "path"?, "policies": [{"name", "document"}], "boundary"?, "tags"?, "mfa"?: true | "SECRET"}]
 *   "roles":  [{"name", "path"?, "policies": [...], "trust": {...}, "boundary"?, "max_session_s"?, "tags"?}]
 *   "credentials": [{"name", "user" | "role" | "root": true, "session"?, "mfa"?: true, "lifetime_s"?}]
 *   "identity_providers": [{"url", "client_ids", "jwks"}]    (identity_provider.h)
 *   "accounts": [{"id": "222233334444", "users"?, "roles"?, "credentials"?, "identity_providers"?}]
 *
 * and whatever the services' own bootstrap functions read ("buckets", "keys", "queues", "clients").
 *
 * "mfa": true gives a user a virtual MFA device with a fresh secret, "mfa": "BASE32" one with that secret; its serial
 * number is arn:aws:iam::ACCOUNT:mfa/NAME.
 *
 * "accounts" are others beside the stand-in's own, with identities of the same form. A request signed by one of them
 * comes with that account in req->principal->account and in its ARNs, and what it may do with a resource of another
 * account both sides must allow (policy/evaluate.h). A resource belongs to the account whose number its service gives as
 * cof_standin_access.resource_account, the stand-in's own when it gives none: S3 buckets belong to the account that made
 * them (member "owner" of the bucket's record), KMS keys and SQS queues to the stand-in's own.
 */
#ifndef COF_STANDIN_BOOTSTRAP_H
#define COF_STANDIN_BOOTSTRAP_H

#include "standin/standin.h"

/* One identity's access key, for the caller to write down; views live for the call. token is empty for long-term keys. */
typedef enum cof_err cof_bootstrap_key_fn(
    void *ctx, const char *name, struct cof_view access_key_id, struct cof_view secret, struct cof_view token);

/* All or nothing, in one savepoint; the caller commits. COF_E_CONFIG: diag says what is wrong with the manifest. */
COF_MUST_USE enum cof_err cof_standin_bootstrap(struct cof_standin *s, const struct json_t *manifest, int64_t now_ms,
                                                cof_bootstrap_key_fn *key, void *ctx, struct cof_diag *diag);

/* Makes and stores an access key: AKIA... without token_bytes, else ASIA... with a session token. The caller fills the
 * rest of key first (kind, name, session_name, expires_ms, mfa_ms, ...), and is done with it afterwards. */
COF_MUST_USE enum cof_err cof_iam_issue(struct cof_standin *s, struct cof_iam_key *key, bool temporary, int64_t now_ms);

#endif
