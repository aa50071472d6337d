/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "engine/burst.h"

static void reserve_then_rate(void **state)
{
    struct cof_burst b;
    uint64_t left_out = 99;

    cof_burst_init(&b, 2, 3, 1000);
    for (int i = 0; i < 3; i++)
        assert_true(cof_burst_take(&b, 1000, &left_out));
    assert_int_equal(left_out, 0);
    assert_false(cof_burst_take(&b, 1000, &left_out));
    assert_int_equal(cof_burst_wait_ms(&b, 1000), 500);
    assert_false(cof_burst_take(&b, 1499, &left_out));
    assert_int_equal(cof_burst_wait_ms(&b, 1499), 1);
    assert_true(cof_burst_take(&b, 1500, &left_out));
    assert_int_equal(left_out, 2);
    assert_false(cof_burst_take(&b, 1500, &left_out));
}

static void never_over_full_and_never_by_a_clock_that_goes_back(void **state)
{
    struct cof_burst b;
    int n = 0;

    cof_burst_init(&b, 1000000, 5, 0);
    while (cof_burst_take(&b, 0, NULL))
        n++;
    assert_int_equal(n, 5);
    assert_false(cof_burst_take(&b, -1000000, NULL));
    while (cof_burst_take(&b, INT64_MAX, NULL)) /* a rest of any length fills it once */
        n++;
    assert_int_equal(n, 10);
    assert_int_equal(cof_burst_wait_ms(&b, INT64_MAX), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserve_then_rate),
        cmocka_unit_test(never_over_full_and_never_by_a_clock_that_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
