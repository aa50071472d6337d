/* SPDX-License-Identifier: Apache-2.0
 *
 * Ciphertext blobs of symmetric KMS keys:
 *
 *   02 | u8 length of key id | key id | u32 version of its material | nonce 12 | AES-256-GCM ciphertext and tag
 *
 * authenticated together with the key's ARN, the version and the encryption context in canonical form (members sorted, so
 * that their order does not matter, as in KMS).
 */
#ifndef COF_STANDIN_KMS_BLOB_H
#define COF_STANDIN_KMS_BLOB_H

#include "standin/kms_keys.h"

#define COF_KMS_BLOB_MAX 6144
#define COF_KMS_PLAIN_MAX 4096

struct cof_kms_blob {
    struct cof_view key_id;
    uint32_t version;
    struct cof_view nonce, sealed;
};

/* COF_E_FORMAT when it is no blob of ours. */
COF_MUST_USE enum cof_err cof_kms_blob_parse(struct cof_view bytes, struct cof_kms_blob *out);

/* The encryption context as it is bound to a blob: compact JSON with its names in order, nothing when there is none. */
COF_MUST_USE enum cof_err cof_kms_context_text(const json_t *context, struct cof_buf *out);
/* context: an object of strings, or NULL. Appends the blob, under the key's current version. */
COF_MUST_USE enum cof_err cof_kms_wrap(struct cof_standin *s, struct cof_kms_key *key, const json_t *context,
                                       struct cof_view plaintext, struct cof_buf *blob);
/* COF_E_AUTH: altered, or another context or key. Appends; version (may be NULL) gets the one that the blob names. */
COF_MUST_USE enum cof_err cof_kms_unwrap(struct cof_standin *s, struct cof_kms_key *key, const json_t *context,
                                         struct cof_view blob, struct cof_buf *plaintext, size_t *version);

#endif
