/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that runs out on demand: the linker sends the allocations of our code here (--wrap), and libcrypto is told to use the
 * same. The n-th one after failing_begin fails, and all after it too when `ever_after`.
 */
#ifndef COF_TORTURE_FAILING_H
#define COF_TORTURE_FAILING_H

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static atomic_long failing_count, failing_at; /* failing_at 0: none fails */
static atomic_bool failing_ever_after;

static bool fails(void)
{
    long at = failing_at, n = atomic_fetch_add(&failing_count, 1) + 1;

    return at != 0 && (failing_ever_after ? n >= at : n == at);
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size == 0 ? NULL : __wrap_malloc(size);
}

static void *crypto_realloc(void *p, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size == 0) {
        free(p);
        return NULL;
    }
    return __wrap_realloc(p, size);
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

/* Before anything of libcrypto is used. */
static bool failing_init(void)
{
    return CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) == 1;
}

static void failing_begin(long at, bool ever_after)
{
    failing_count = 0;
    failing_ever_after = ever_after;
    failing_at = at;
}

/* Returns how many allocations there were. */
static long failing_end(void)
{
    failing_at = 0;
    return failing_count;
}

#endif
