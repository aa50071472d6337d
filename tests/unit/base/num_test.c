/* SPDX-License-Identifier: Apache-2.0
 * Numbers from text: digits alone, no zeros before them but where padding is allowed, and none over the limit, up to the largest there is.
 */
#include "base/num.h"
#include "testing.h"

static enum cof_err parse(const char *text, uint64_t max, uint64_t *out)
{
    return cof_parse_u64(cof_view_str(text), max, out);
}

static void none_is_over_the_limit(void **state)
{
    char text[32];
    uint64_t n;

    (void)state;
    for (unsigned max = 0; max < 130; max++)
        for (unsigned value = 0; value < 1300; value++) {
            enum cof_err err;

            (void)snprintf(text, sizeof text, "%u", value);
            err = parse(text, max, &n);
            assert_int_equal(err, value <= max ? COF_OK : COF_E_LIMIT);
            assert_true(err != COF_OK || n == value);
        }
    assert_ok(parse("18446744073709551615", UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    assert_int_equal(parse("18446744073709551616", UINT64_MAX, &n), COF_E_LIMIT);
    assert_int_equal(parse("28446744073709551615", UINT64_MAX, &n), COF_E_LIMIT);
    assert_int_equal(parse("184467440737095516150", UINT64_MAX, &n), COF_E_LIMIT);
    assert_int_equal(parse("18446744073709551615", UINT64_MAX - 1, &n), COF_E_LIMIT);
    assert_int_equal(parse("9223372036854775808", INT64_MAX, &n), COF_E_LIMIT);
}

static void digits_alone(void **state)
{
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "1a", "99999999999999999999x", "00", "01"};
    uint64_t n;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse(bad[i], 10, &n), COF_E_FORMAT);
    assert_ok(parse("0", 0, &n));
    assert_ok(cof_parse_u64_padded(COF_LIT("0000000000000000000000000007"), 9, &n));
    assert_true(n == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_is_over_the_limit),
        cmocka_unit_test(digits_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
