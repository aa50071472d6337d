/* SPDX-License-Identifier: Apache-2.0
 *
 * Run under Valgrind by constant_time_test.py: secrets are marked as undefined, and Memcheck then reports whatever jumps or looks
 * up memory by them (after Langley's ctgrind). The verdict alone is declared public, once it is there.
 *
 *   ct_probe CASE     equal: cof_equal_ct; encode: a key to base64; decode: and back; leaky: a comparison that stops at the first
 *                     difference, which must be reported
 */
#include "base/codec.h"
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

/* A key to base64, and back if asked. */
static int base64(bool back_too)
{
    uint8_t secret[N];
    struct cof_buf text, back;
    enum cof_err err = COF_OK;

    memset(secret, 'x', N);
    cof_buf_init_secret(&text, 2 * N);
    cof_buf_init_secret(&back, 2 * N);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(secret, N);
    cof_base64_add(&text, cof_view_of(secret, N));
    (void)VALGRIND_MAKE_MEM_DEFINED(text.data + text.len - 2, 2); /* whether they are padding: that is the length */
    if (back_too)
        err = cof_base64_decode(cof_buf_view(&text), &back);
    (void)VALGRIND_MAKE_MEM_DEFINED(&err, sizeof err);
    (void)VALGRIND_MAKE_MEM_DEFINED(text.data, text.len);
    (void)VALGRIND_MAKE_MEM_DEFINED(back.data, back.len);
    (void)puts(err == COF_OK && text.len == N / 3 * 4 && text.data[0] == 'e' && (!back_too || (back.len == N && back.data[N - 1] == 'x')) ? "same" : "other");
    cof_buf_done(&text);
    cof_buf_done(&back);
    return 0;
}

int main(int argc, char **argv)
{
    if (!HAS_MEMCHECK || !RUNNING_ON_VALGRIND)
        return 77;
    if (argc > 1 && (strcmp(argv[1], "encode") == 0 || strcmp(argv[1], "decode") == 0))
        return base64(argv[1][0] == 'd');
    return run(argc > 1 && strcmp(argv[1], "leaky") == 0 ? leaky : cof_equal_ct);
}
