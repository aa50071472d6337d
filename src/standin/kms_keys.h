/* SPDX-License-Identifier: Apache-2.0
 *
 * The stand-in's KMS keys: records in the store (space "kms.key": id -> JSON, space "kms.alias": name -> id), their
 * material sealed under the master key, and the ciphertext blobs made with them:
 *
 *   version 01 | u8 length of key id | key id | nonce 12 | AES-256-GCM ciphertext and tag
 *
 * authenticated together with the key's ARN and the encryption context in canonical form.
 */
#ifndef COF_STANDIN_KMS_KEYS_H
#define COF_STANDIN_KMS_KEYS_H

#include "format/json.h"
#include "standin/standin.h"

#define COF_KMS_ID_MAX 64
#define COF_KMS_ARN_SIZE 256
#define COF_KMS_POLICY_MAX 65536

struct cof_kms_key {
    char id[COF_KMS_ID_MAX];
    char arn[COF_KMS_ARN_SIZE];
    json_t *record; /* owned; "state", "policy", "created_ms", "material", "description" */
};
void cof_kms_key_done(struct cof_kms_key *key);

/* By id, key ARN, alias name or alias ARN. COF_E_NOT_FOUND. */
COF_MUST_USE enum cof_err cof_kms_key_find(struct cof_standin *s, struct cof_view key_id, struct cof_kms_key *out);
/* Makes a key, or gives the one of that id a new policy. id empty: a random one. */
COF_MUST_USE enum cof_err cof_kms_key_make(struct cof_standin *s, struct cof_view id, struct cof_view policy,
                                           struct cof_view description, int64_t now_ms, struct cof_kms_key *out);
COF_MUST_USE enum cof_err cof_kms_key_save(struct cof_standin *s, const struct cof_kms_key *key);
COF_MUST_USE enum cof_err cof_kms_alias_put(struct cof_standin *s, struct cof_view name, const struct cof_kms_key *key);
struct cof_view cof_kms_key_policy(const struct cof_kms_key *key);
bool cof_kms_key_is_enabled(const struct cof_kms_key *key);

/* context: an object of strings, or NULL. Appends the blob. */
COF_MUST_USE enum cof_err cof_kms_wrap(struct cof_standin *s, const struct cof_kms_key *key, const json_t *context,
                                       struct cof_view plaintext, struct cof_buf *blob);
/* The key a blob names; COF_E_FORMAT when it is no blob of ours. */
COF_MUST_USE enum cof_err cof_kms_blob_key_id(struct cof_view blob, struct cof_view *id);
/* COF_E_AUTH: altered, or another context or key. */
COF_MUST_USE enum cof_err cof_kms_unwrap(struct cof_standin *s, const struct cof_kms_key *key, const json_t *context,
                                         struct cof_view blob, struct cof_buf *plaintext);

#endif
