/* SPDX-License-Identifier: Apache-2.0
 * Random bytes from a supply: dozens of identifiers for one system call, keys from the kernel itself, no byte given out twice, not to another
 * thread and not to a child; and when the kernel fails nothing is given out.
 */
#include "io/rng_os.h"
#include "testing.h"

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMES 200
#define SIZE 16

static _Thread_local unsigned n_calls;
static bool fails;

/* In place of the library's: counts. */
ssize_t getrandom(void *out, size_t len, unsigned flags)
{
    n_calls++;
    if (fails) {
        errno = ENOSYS;
        return -1;
    }
    return syscall(SYS_getrandom, out, len, flags);
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, SIZE);
}

static void assert_all_differ(uint8_t (*names)[SIZE], size_t n)
{
    qsort(names, n, SIZE, by_bytes);
    for (size_t i = 1; i < n; i++)
        assert_memory_not_equal(names[i - 1], names[i], SIZE);
}

static void take(uint8_t (*names)[SIZE], size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_ok(cof_rng_fill(&cof_rng_supplied, names[i], SIZE));
}

static void dozens_for_one_call(void **state)
{
    static uint8_t names[NAMES][SIZE];

    (void)state;
    n_calls = 0;
    take(names, NAMES);
    assert_true(n_calls > 0 && n_calls <= NAMES / 24);
    assert_all_differ(names, NAMES);
}

static void keys_come_from_the_kernel(void **state)
{
    uint8_t key[32], nonce[12];

    (void)state;
    assert_ok(cof_rng_fill(&cof_rng_supplied, nonce, sizeof nonce));
    n_calls = 0;
    assert_ok(cof_rng_fill(&cof_rng_supplied, key, sizeof key));
    assert_int_equal(n_calls, 1);
    assert_ok(cof_rng_fill(&cof_rng_supplied, key, SIZE + 1));
    assert_int_equal(n_calls, 2);
    assert_ok(cof_rng_fill(&cof_rng_os, nonce, sizeof nonce)); /* and all of this one's */
    assert_int_equal(n_calls, 3);
    assert_ok(cof_rng_fill(&cof_rng_supplied, key, 0));
}

/* Lengths that do not divide the supply: what is left over is not given out beside what is fetched anew. */
static void odd_lengths(void **state)
{
    static uint8_t names[NAMES][SIZE];

    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        memset(names[i], 0, SIZE);
        assert_ok(cof_rng_fill(&cof_rng_supplied, names[i], 12 + i % 5));
    }
    assert_all_differ(names, NAMES);
}

static void *take_in_a_thread(void *arg)
{
    take(arg, NAMES / 2);
    return NULL;
}

static void threads_have_their_own(void **state)
{
    static uint8_t names[NAMES][SIZE];
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, take_in_a_thread, names), 0);
    take(names + NAMES / 2, NAMES / 2);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_all_differ(names, NAMES);
}

static void a_child_has_its_own(void **state)
{
    static uint8_t names[4][SIZE];
    int status, ends[2];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    take(names, 1); /* so that there is a supply to share */
    child = fork();
    if (child == 0)
        _exit(cof_rng_fill(&cof_rng_supplied, names[1], SIZE) == COF_OK && write(ends[1], names[1], SIZE) == SIZE ? 0 : 1);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(ends[0], names[1], SIZE), SIZE);
    take(names + 2, 2);
    assert_all_differ(names, 4);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void nothing_when_the_kernel_fails(void **state)
{
    static const uint8_t zeros[SIZE];
    uint8_t name[SIZE];
    enum cof_err err = COF_OK;

    (void)state;
    fails = true;
    for (size_t i = 0; i < NAMES && err == COF_OK; i++) { /* what was fetched before is still good */
        memset(name, 1, SIZE);
        err = cof_rng_fill(&cof_rng_supplied, name, SIZE);
    }
    assert_int_equal(err, COF_E_IO);
    assert_memory_equal(name, zeros, SIZE);
    assert_int_equal(cof_rng_fill(&cof_rng_supplied, name, 1), COF_E_IO);
    fails = false;
    assert_ok(cof_rng_fill(&cof_rng_supplied, name, SIZE));
    assert_memory_not_equal(name, zeros, SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dozens_for_one_call),   cmocka_unit_test(keys_come_from_the_kernel), cmocka_unit_test(odd_lengths),
        cmocka_unit_test(threads_have_their_own), cmocka_unit_test(a_child_has_its_own),       cmocka_unit_test(nothing_when_the_kernel_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
