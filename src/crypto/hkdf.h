/* SPDX-License-Identifier: Apache-2.0
 *
 * HKDF (RFC 5869). Whoever derives several keys from one input extracts once and expands for each.
 */
#ifndef COF_CRYPTO_HKDF_H
#define COF_CRYPTO_HKDF_H

#include "crypto/hash.h"

/* Extract and expand to len bytes. COF_E_LIMIT over 255 digests. out is wiped on failure. */
COF_MUST_USE enum cof_err cof_hkdf(enum cof_hash_alg alg, struct cof_view ikm, struct cof_view salt, struct cof_view info,
                                   uint8_t *out, size_t len);
/* prk gets cof_hash_size(alg) bytes. An empty salt is as many zeros. */
COF_MUST_USE enum cof_err cof_hkdf_extract(enum cof_hash_alg alg, struct cof_view ikm, struct cof_view salt,
                                           struct cof_secret *prk);
COF_MUST_USE enum cof_err cof_hkdf_expand(enum cof_hash_alg alg, const struct cof_secret *prk, struct cof_view info,
                                          uint8_t *out, size_t len);

#endif
