/* SPDX-License-Identifier: Apache-2.0
 * Views: copied into C strings that are always ended, and cut where they do not fit.
 */
#include "base/view.h"
#include "testing.h"

static void a_copy_is_ended_and_cut(void **state)
{
    char out[8];

    (void)state;
    cof_view_copy(COF_LIT("seven.."), out, sizeof out);
    assert_string_equal(out, "seven..");
    cof_view_copy(COF_LIT("eight..."), out, sizeof out);
    assert_string_equal(out, "eight..");
    cof_view_copy((struct cof_view){0}, out, sizeof out);
    assert_string_equal(out, "");
    cof_view_copy(COF_LIT("x"), out, 1);
    assert_string_equal(out, "");
}

/* ASCII letters alone have a case: '@' and '`', '[' and '{' differ as much. */
static void case_is_a_letter_s(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            uint8_t x[3] = {'k', (uint8_t)a, 'M'}, y[3] = {'K', (uint8_t)b, 'm'};
            unsigned low_a = a >= 'A' && a <= 'Z' ? a + 32 : a, low_b = b >= 'A' && b <= 'Z' ? b + 32 : b;

            assert_int_equal(cof_view_eq_nocase(cof_view_of(x, 3), cof_view_of(y, 3)), low_a == low_b);
        }
    assert_false(cof_view_eq_nocase(COF_LIT("a"), COF_LIT("ab")));
    assert_true(cof_view_eq_nocase((struct cof_view){0}, COF_LIT("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_is_a_letter_s),
        cmocka_unit_test(a_copy_is_ended_and_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
