/* SPDX-License-Identifier: Apache-2.0
 *
 * What stand-ins in memory need in tests and fuzz targets: randomness that is the same each time, and somebody to take the
 * bootstrap's credentials who has no use for them.
 */
#ifndef COF_TESTS_SEEDED_H
#define COF_TESTS_SEEDED_H

#include "base/rng.h"
#include "base/view.h"

/* ctx: a uint64_t, the seed. */
static inline enum cof_err seeded_fill(void *ctx, uint8_t *out, size_t len)
{
    uint64_t *s = ctx;

    for (size_t i = 0; i < len; i++) {
        *s = *s * 6364136223846793005ULL + 1442695040888963407ULL;
        out[i] = (uint8_t)(*s >> 56);
    }
    return COF_OK;
}

static inline enum cof_err no_key(void *ctx, const char *name, struct cof_view id, struct cof_view secret, struct cof_view token)
{
    (void)ctx;
    (void)name;
    (void)id;
    (void)secret;
    (void)token;
    return COF_OK;
}

#endif
