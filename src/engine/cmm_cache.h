/* SPDX-License-Identifier: Apache-2.0
 *
 * The caching materials manager (AWS Encryption SDK specification, "Caching CMM"): gives the materials of one message to later
 * ones of the same suite and context, or with the same encrypted data keys, until they are too old or have served enough. One
 * call to KMS then does for thousands of messages.
 *
 * Not cached, as the specification has it: suites without key derivation, and sealing of an unknown length. Every message still
 * has a message id and a content key of its own. What is cached is a plain data key in memory: keep the limits as low as the
 * load allows.
 *
 * Any number of threads may use one cache. When several miss at once for the same materials, one asks and the others wait
 * for it. Materials that are too old are dropped, and wiped once no message uses them, whenever the cache is used, and by
 * cof_cmm_cache_sweep.
 */
#ifndef COF_ENGINE_CMM_CACHE_H
#define COF_ENGINE_CMM_CACHE_H

#include "engine/cmm.h"

#define COF_CMM_CACHE_ID 64 /* bytes: SHA-512 */

struct cof_cmm_cache;

struct cof_cmm_cache_options {
    int64_t max_age_ms;    /* required, above 0 */
    uint64_t max_messages; /* one data key seals; 0: 2^32, which is also the most */
    uint64_t max_bytes;    /* of plaintext one data key seals; 0: 2^63 - 1, which is also the most */
    size_t capacity;       /* materials kept; 0: 1000; when full the longest unused go */
    struct cof_view partition; /* caches of one partition and one source give the same ids; empty: a random one */
    int64_t (*now_ms)(void);   /* monotonic */
};

struct cof_cmm_cache_stats {
    uint64_t hits, misses; /* a miss asked `source` */
    size_t entries;
};

/* source is copied; what it points at must outlive the cache. rng: for the partition, once. */
COF_MUST_USE enum cof_err cof_cmm_cache_new(const struct cof_cmm *source, const struct cof_cmm_cache_options *options,
                                            const struct cof_rng *rng, struct cof_cmm_cache **out);
struct cof_cmm cof_cmm_of_cache(struct cof_cmm_cache *cache);
/* Drops what is too old. Returns the milliseconds until the next will be, or -1 when the cache is empty: for a timer. */
int64_t cof_cmm_cache_sweep(struct cof_cmm_cache *cache);
void cof_cmm_cache_clear(struct cof_cmm_cache *cache);
struct cof_cmm_cache_stats cof_cmm_cache_stats(struct cof_cmm_cache *cache);
void cof_cmm_cache_free(struct cof_cmm_cache *cache); /* takes NULL; no thread may be in it */

/* The cache identifiers, for comparison with other implementations. partition_hash: SHA-512 of the partition id's bytes. suite:
 * NULL when the request leaves the choice to the manager (which ours never does). */
COF_MUST_USE enum cof_err cof_cmm_cache_encrypt_id(const uint8_t partition_hash[static COF_CMM_CACHE_ID],
                                                   const struct cof_suite *suite, const struct cof_esdk_pair *pairs,
                                                   size_t n_pairs, uint8_t out[static COF_CMM_CACHE_ID]);
COF_MUST_USE enum cof_err cof_cmm_cache_decrypt_id(const uint8_t partition_hash[static COF_CMM_CACHE_ID],
                                                   const struct cof_cmm_decrypt *request,
                                                   uint8_t out[static COF_CMM_CACHE_ID]);

#endif
