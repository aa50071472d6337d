/* SPDX-License-Identifier: Apache-2.0
 *
 * Where random bytes come from, as an argument: the system in programs (src/io/rng.h), NSM in an enclave, a seeded
 * generator in tests.
 */
#ifndef COF_BASE_RNG_H
#define COF_BASE_RNG_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct cof_rng {
    enum cof_err (*fill)(void *ctx, uint8_t *out, size_t len);
    void *ctx;
};

/* Fills out or fails closed: on failure out is zeroed. */
COF_MUST_USE enum cof_err cof_rng_fill(const struct cof_rng *rng, uint8_t *out, size_t len);

#endif
