/* SPDX-License-Identifier: Apache-2.0
 *
 * XXH64 (xxHash's specification, XXH64 algorithm), seed 0, running. A checksum against accidents: no hash for secrets or
 * against anybody who chooses the bytes.
 */
#ifndef COF_BASE_XXH64_H
#define COF_BASE_XXH64_H

#include "base/view.h"

/* Primes that the whole family shares, and its loads and final mixing. */
#define COF_XXH_P1 UINT64_C(0x9e3779b185ebca87)
#define COF_XXH_P2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define COF_XXH_P3 UINT64_C(0x165667b19e3779f9)
#define COF_XXH_P4 UINT64_C(0x85ebca77c2b2ae63)
#define COF_XXH_P5 UINT64_C(0x27d4eb2f165667c5)

struct cof_xxh64 {
    uint64_t lane[4], total;
    uint8_t rest[32]; /* total modulo 32 bytes that wait for more */
};

void cof_xxh64_init(struct cof_xxh64 *x);
void cof_xxh64_update(struct cof_xxh64 *x, struct cof_view data);
/* Of all so far; the state goes on. */
uint64_t cof_xxh64_value(const struct cof_xxh64 *x);

/* For this family's modules. */
uint32_t cof_xxh_load32(const uint8_t *p);
uint64_t cof_xxh_load64(const uint8_t *p);
uint64_t cof_xxh64_avalanche(uint64_t h);

#endif
