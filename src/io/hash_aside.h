/* SPDX-License-Identifier: Apache-2.0
 *
 * Running digests made by a thread of their own: MD5, which S3 demands, takes as long as all else that is done with the bytes of a
 * long upload. Bytes are copied into a ring of 16 pieces of 64 KiB, in which all digests take their turn, and are wiped there when
 * they were hashed. A full ring makes the caller wait until a part of it is free: about as long as hashing those bytes
 * itself would take. The thread starts with the first digest. All calls are one thread's.
 */
#ifndef COF_IO_HASH_ASIDE_H
#define COF_IO_HASH_ASIDE_H

#include "crypto/hash.h"

struct cof_hash_aside;
struct cof_aside_digest;

COF_MUST_USE enum cof_err cof_hash_aside_new(struct cof_hash_aside **out);
/* When no digest is left; takes NULL. */
void cof_hash_aside_free(struct cof_hash_aside *aside);
/* Whether there is a second processor for the thread; without one it only costs. */
bool cof_hash_aside_pays(void);

COF_MUST_USE enum cof_err cof_aside_digest_new(struct cof_hash_aside *aside, enum cof_hash_alg alg, struct cof_aside_digest **out);
COF_MUST_USE enum cof_err cof_aside_digest_update(struct cof_aside_digest *digest, struct cof_view data);
/* Waits until all bytes were hashed; to be called once. What failed meanwhile is told here. */
COF_MUST_USE enum cof_err cof_aside_digest_final(struct cof_aside_digest *digest, uint8_t *out);
void cof_aside_digest_free(struct cof_aside_digest *digest); /* takes NULL; waits for its bytes that are being hashed */

#endif
