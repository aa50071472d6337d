/* SPDX-License-Identifier: Apache-2.0
 *
 * Run under Valgrind by constant_time_test.py: secrets are marked as undefined, and Memcheck then reports whatever jumps or looks
 * up memory by them (after Langley's ctgrind). The verdict alone is declared public, once it is there.
 *
 *   ct_probe CASE     equal: cof_equal_ct; leaky: a comparison that stops at the first difference, which must be reported
 */
#include "base/secret.h"

#include <stdio.h>
#include <string.h>

#ifdef __has_include
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define HAS_MEMCHECK 1
#endif
#endif
#ifndef HAS_MEMCHECK
#define HAS_MEMCHECK 0
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_MAKE_MEM_UNDEFINED(p, n) ((void)(p), (void)(n))
#define VALGRIND_MAKE_MEM_DEFINED(p, n) ((void)(p), (void)(n))
#endif

#define N 48

static bool leaky(struct cof_view a, struct cof_view b)
{
    for (size_t i = 0; i < a.len; i++)
        if (a.data[i] != b.data[i])
            return false;
    return true;
}

/* Tells the verdicts for bytes that are all equal, and that differ in the first, one in the middle, and the last. */
static int run(bool (*same)(struct cof_view a, struct cof_view b))
{
    static const size_t differ[] = {N, 0, N / 2, N - 1};

    for (size_t i = 0; i < sizeof differ / sizeof differ[0]; i++) {
        uint8_t secret[N], given[N];
        bool verdict;

        memset(secret, 'x', N);
        memset(given, 'x', N);
        if (differ[i] < N)
            given[differ[i]] = 'y';
        (void)VALGRIND_MAKE_MEM_UNDEFINED(secret, N);
        verdict = same(cof_view_of(secret, N), cof_view_of(given, N));
        (void)VALGRIND_MAKE_MEM_DEFINED(&verdict, sizeof verdict);
        (void)fputs(verdict ? "same " : "other ", stdout);
    }
    (void)puts("");
    return 0;
}

int main(int argc, char **argv)
{
    if (!HAS_MEMCHECK || !RUNNING_ON_VALGRIND)
        return 77;
    return run(argc > 1 && strcmp(argv[1], "leaky") == 0 ? leaky : cof_equal_ct);
}
