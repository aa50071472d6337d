/* SPDX-License-Identifier: Apache-2.0
 *
 * Remembers certificate chains and documents that verified. A chain costs four to eight milliseconds, and one enclave sends
 * the same chain for three hours; a document costs one more, and may serve several calls (docs/decisions/0016). What is kept
 * is what the bytes alone decide (signatures, authority, lives), under a SHA-256 of all of them; times, measurements and
 * fields are judged anew every time. Bounded: the oldest makes room. Only attest_verify.c looks inside. Not thread-safe: one
 * a thread.
 */
#ifndef COF_ENGINE_ATTEST_CACHE_H
#define COF_ENGINE_ATTEST_CACHE_H

#include "crypto/x509.h"

#define COF_ATTEST_CACHE_KEY 32 /* bytes, SHA-256 */

struct cof_attest_cache;

COF_MUST_USE enum cof_err cof_attest_cache_new(struct cof_attest_cache **out);
void cof_attest_cache_free(struct cof_attest_cache *cache);

/* The digest of a chain: every certificate with its length, in order. */
COF_MUST_USE enum cof_err cof_attest_cache_key(const struct cof_view *certs, size_t n,
                                               uint8_t out[static COF_ATTEST_CACHE_KEY]);
/* The leaf's key (lent until the next put) and the lives of a chain that was put; NULL when it is not there. */
const struct cof_ecdsa_key *cof_attest_cache_find(struct cof_attest_cache *cache,
                                                  const uint8_t key[static COF_ATTEST_CACHE_KEY],
                                                  struct cof_x509_life *life);
/* Takes leaf over. */
void cof_attest_cache_put(struct cof_attest_cache *cache, const uint8_t key[static COF_ATTEST_CACHE_KEY],
                          struct cof_ecdsa_key *leaf, const struct cof_x509_life *life);

/* Documents, under the digest (cof_attest_cache_key) of root and document: whether that very document was put, and the lives
 * of its chain. */
bool cof_attest_cache_knows(const struct cof_attest_cache *cache, const uint8_t key[static COF_ATTEST_CACHE_KEY],
                            struct cof_x509_life *life);
void cof_attest_cache_put_document(struct cof_attest_cache *cache, const uint8_t key[static COF_ATTEST_CACHE_KEY],
                                   const struct cof_x509_life *life);

#endif
