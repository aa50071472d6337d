/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "crypto/hash.h"
#include "crypto/md5_many.h"

#define JOBS 41
#define BYTES 70000

static uint8_t *bytes;

static void fill(void)
{
    uint32_t x = 1;

    bytes = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(x >> 24);
    }
}

/* n messages of the given lengths, cut in parts, against the library's digest of each. */
static void check(const size_t *lengths, size_t n, size_t part)
{
    struct cof_md5_job jobs[JOBS], *list[JOBS] = {NULL};

    for (size_t i = 0; i < n; i++) {
        size_t at = 0;

        jobs[i] = (struct cof_md5_job){.n_parts = 0};
        list[i] = &jobs[i];
        do {
            size_t len = jobs[i].n_parts + 1 == COF_MD5_PARTS || lengths[i] - at < part ? lengths[i] - at : part;

            jobs[i].parts[jobs[i].n_parts++] = cof_view_of(bytes + i + at, len);
            at += len;
        } while (at < lengths[i]);
    }
    assert_ok(cof_md5_many(list, n));
    for (size_t i = 0; i < n; i++) {
        uint8_t want[16];

        assert_ok(cof_hash_once(COF_MD5, cof_view_of(bytes + i, lengths[i]), want));
        assert_true(jobs[i].done);
        assert_memory_equal(jobs[i].digest, want, sizeof want);
    }
}

static void every_length_around_a_block(void **state)
{
    size_t lengths[JOBS];

    for (size_t from = 0; from < 300; from += 7) {
        for (size_t i = 0; i < JOBS; i++)
            lengths[i] = from + i;
        check(lengths, JOBS, 64);
    }
}

static void any_number_of_any_length(void **state)
{
    for (size_t n = 0; n <= JOBS; n++) {
        size_t lengths[JOBS] = {0};

        for (size_t i = 0; i < n; i++)
            lengths[i] = (i * 7919 + n * 104729) % (BYTES - JOBS);
        check(lengths, n, 16384);
    }
}

static void parts_that_are_no_blocks_are_refused(void **state)
{
    struct cof_md5_job job = {.parts = {cof_view_of(bytes, 63), cof_view_of(bytes, 64)}, .n_parts = 2}, *list[] = {&job};

    assert_int_equal(cof_md5_many(list, 1), COF_E_BUG);
    assert_false(job.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_around_a_block),
        cmocka_unit_test(any_number_of_any_length),
        cmocka_unit_test(parts_that_are_no_blocks_are_refused),
    };
    int failed;

    fill();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(bytes);
    return failed;
}
