/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "engine/pace.h"

static void shares_the_rate(void **state)
{
    struct cof_pace pace = {.bytes_per_s = 1000}, none = {0};

    assert_int_equal(cof_pace_book(&pace, 500, 10000), 0);
    assert_int_equal(cof_pace_book(&pace, 500, 10000), 500);
    assert_int_equal(cof_pace_book(&pace, 500, 10000), 1000);
    assert_int_equal(cof_pace_book(&pace, 500, 11500), 0); /* what was booked is over */
    assert_int_equal(cof_pace_book(&pace, 101, 60000), 0); /* of time unused a tenth of a second is made up for, not more */
    assert_int_equal(cof_pace_book(&pace, 1, 60000), 1);
    assert_int_equal(cof_pace_book(&none, 1 << 30, 0), 0);
    assert_int_equal(cof_pace_book(NULL, 1 << 30, 0), 0);
}

static void pieces(void **state)
{
    struct cof_pace pace = {.bytes_per_s = 40000}, slow = {.bytes_per_s = 10};

    assert_int_equal(cof_pace_piece(&pace, 65536), 10000);
    assert_int_equal(cof_pace_piece(&pace, 100), 100);
    assert_int_equal(cof_pace_piece(&slow, 65536), 1024);
    assert_int_equal(cof_pace_piece(NULL, 65536), 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shares_the_rate), cmocka_unit_test(pieces)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
