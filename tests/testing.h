/* SPDX-License-Identifier: Apache-2.0
 *
 * What every test needs: cmocka with its required headers, and where files are. Vectors are read in place.
 */
#ifndef COF_TESTING_H
#define COF_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/rng.h"

#define assert_ok(expr) assert_int_equal((expr), COF_OK)

/* $COFFER_VECTORS, or ../shared/vectors beside the project; NULL when neither is there (then skip()). */
static inline const char *vectors_dir(void)
{
    static char path[4096];
    const char *env = getenv("COFFER_VECTORS");
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/README.md", env != NULL ? env : SOURCE_ROOT "/../shared/vectors");
    f = fopen(path, "rb");
    if (f == NULL)
        return NULL;
    (void)fclose(f);
    path[strlen(path) - strlen("/README.md")] = '\0';
    return path;
}

/* The whole file in a fresh builder; false when it cannot be read. */
static inline bool read_file(const char *path, struct cof_buf *out)
{
    FILE *f = fopen(path, "rb");
    uint8_t block[65536];
    size_t n;

    cof_buf_init(out, (size_t)1 << 30);
    if (f == NULL)
        return false;
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        cof_buf_add_bytes(out, block, n);
    (void)fclose(f);
    return cof_buf_err(out) == COF_OK;
}

static inline bool read_vector(const char *name, struct cof_buf *out)
{
    char path[8192];

    (void)snprintf(path, sizeof path, "%s/%s", vectors_dir(), name);
    return read_file(path, out);
}

/* A repeatable random source (xorshift64*), for tests only. */
static inline enum cof_err test_rng_fill(void *ctx, uint8_t *out, size_t len)
{
    uint64_t *s = ctx;

    for (size_t i = 0; i < len; i++) {
        *s ^= *s >> 12;
        *s ^= *s << 25;
        *s ^= *s >> 27;
        out[i] = (uint8_t)(*s * 2685821657736338717ULL >> 56);
    }
    return COF_OK;
}

#define TEST_RNG(name, seed)       \
    uint64_t name##_state = (seed); \
    struct cof_rng name = {test_rng_fill, &name##_state}

#endif
