/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests and HMAC (FIPS 180-4, RFC 2104, RFC 1321 where S3 demands MD5).
 */
#ifndef COF_CRYPTO_HASH_H
#define COF_CRYPTO_HASH_H

#include "base/secret.h"

enum cof_hash_alg { COF_SHA256, COF_SHA384, COF_SHA512, COF_SHA1, COF_MD5, COF_SHA224 };

#define COF_HASH_MAX 64

struct cof_hash; /* a running digest; heap */

size_t cof_hash_size(enum cof_hash_alg alg); /* bytes of the digest */

/* One call; out holds cof_hash_size(alg) bytes. */
COF_MUST_USE enum cof_err cof_hash_once(enum cof_hash_alg alg, struct cof_view data, uint8_t *out);

COF_MUST_USE enum cof_err cof_hash_new(enum cof_hash_alg alg, struct cof_hash **out);
COF_MUST_USE enum cof_err cof_hash_update(struct cof_hash *hash, struct cof_view data);
/* Writes the digest and starts afresh. */
COF_MUST_USE enum cof_err cof_hash_final(struct cof_hash *hash, uint8_t *out);
/* Digest of all so far; the running state goes on. */
COF_MUST_USE enum cof_err cof_hash_peek(const struct cof_hash *hash, uint8_t *out);
void cof_hash_free(struct cof_hash *hash);

/* HMAC of the concatenation of parts[0..n_parts). */
COF_MUST_USE enum cof_err cof_hmac(enum cof_hash_alg alg, struct cof_view key, const struct cof_view *parts,
                                   size_t n_parts, uint8_t *out);

#endif
