/* SPDX-License-Identifier: Apache-2.0
 *
 * XXH3 of 64 and of 128 bits (xxHash's specification, XXH3 algorithm), seed 0 and the default secret, running: what S3 calls XXHASH3
 * and XXHASH128. A checksum against accidents, as xxh64.h.
 */
#ifndef COF_BASE_XXH3_H
#define COF_BASE_XXH3_H

#include "base/view.h"

#define COF_XXH3_SHORT 240 /* bytes: up to here the input is mixed as a whole */

struct cof_xxh3 {
    uint64_t acc[8], total;
    size_t stripes;              /* taken of the block being worked at */
    uint8_t head[COF_XXH3_SHORT]; /* the first bytes */
    uint8_t last[64];            /* the stripe before those that wait */
    uint8_t rest[64];            /* up to a stripe that waits: at least one byte once there was any */
    size_t n_rest;
};

struct cof_xxh128 {
    uint64_t high, low;
};

void cof_xxh3_init(struct cof_xxh3 *x);
void cof_xxh3_update(struct cof_xxh3 *x, struct cof_view data);
/* Of all so far; the state goes on. */
uint64_t cof_xxh3_value64(const struct cof_xxh3 *x);
struct cof_xxh128 cof_xxh3_value128(const struct cof_xxh3 *x);

#endif
