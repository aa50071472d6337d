/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the test vectors of RFC 6238 (SHA-1, cut to six digits) and RFC 4226; base32 of RFC 4648; the window, and that
 * a code is good once.
 */
#include "testing.h"

#include "base/codec.h"
#include "engine/totp.h"

#include <string.h>

#define SECRET "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" /* "12345678901234567890" */

static void vectors_of_the_rfcs(void **state)
{
    static const struct {
        int64_t seconds;
        const char *code;
    } rows[] = { /* RFC 6238 appendix B; its codes have eight digits, of which these are the last six */
        {59, "287082"}, {1111111109, "081804"}, {1111111111, "050471"}, {1234567890, "005924"}, {2000000000, "279037"},
        {20000000000, "353130"},
        /* RFC 4226 appendix D: counters 0 to 9 */
        {0 * 30, "755224"}, {1 * 30, "287082"}, {2 * 30, "359152"}, {3 * 30, "969429"}, {4 * 30, "338314"},
        {5 * 30, "254676"}, {6 * 30, "287922"}, {7 * 30, "162583"}, {8 * 30, "399871"}, {9 * 30, "520489"},
    };
    char code[COF_TOTP_DIGITS + 1];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_ok(cof_totp_code(COF_LIT(SECRET), (uint64_t)(rows[i].seconds * 1000 / COF_TOTP_STEP_MS), code));
        assert_string_equal(code, rows[i].code);
    }
}

static void base32(void **state)
{
    static const struct {
        const char *text, *bytes;
    } good[] = {{"", ""}, {"MY======", "f"}, {"MZXQ====", "fo"}, {"MZXW6===", "foo"}, {"MZXW6YQ=", "foob"},
                {"MZXW6YTB", "fooba"}, {"MZXW6YTBOI======", "foobar"}, {"mzxw6ytboi", "foobar"}};
    static const char *const bad[] = {"M", "MZX", "MZXW6Y", "MZ1W", "MZ W", "M=Y", "MZ======a", "8", "MB", "\x80\x80"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct cof_buf out;

        cof_buf_init(&out, 100);
        assert_ok(cof_base32_decode(cof_view_str(good[i].text), &out));
        assert_true(cof_view_eq_str(cof_buf_view(&out), good[i].bytes));
        cof_buf_done(&out);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cof_buf out;

        cof_buf_init(&out, 100);
        if (cof_base32_decode(cof_view_str(bad[i]), &out) != COF_E_FORMAT)
            fail_msg("%s is taken", bad[i]);
        cof_buf_done(&out);
    }
}

static void window_and_replay(void **state)
{
    const int64_t now = 1795464000000LL;
    const uint64_t step = (uint64_t)now / COF_TOTP_STEP_MS;
    char code[4][COF_TOTP_DIGITS + 1];
    uint64_t got;

    (void)state;
    for (uint64_t i = 0; i < 4; i++) /* two before, one before, now, one after */
        assert_ok(cof_totp_code(COF_LIT(SECRET), step - 2 + i, code[i]));
    assert_int_equal(cof_totp_check(COF_LIT(SECRET), cof_view_str(code[0]), now, 1, 0, &got), COF_E_AUTH);
    for (uint64_t i = 1; i < 4; i++) {
        assert_ok(cof_totp_check(COF_LIT(SECRET), cof_view_str(code[i]), now, 1, 0, &got));
        assert_int_equal(got, step - 2 + i);
        assert_int_equal(cof_totp_check(COF_LIT(SECRET), cof_view_str(code[i]), now, 1, got, &got), COF_E_AUTH);
    }
    /* an older code than the last one used is gone too */
    assert_int_equal(cof_totp_check(COF_LIT(SECRET), cof_view_str(code[1]), now, 1, step, &got), COF_E_AUTH);
    assert_int_equal(cof_totp_check(COF_LIT(SECRET), COF_LIT("000000"), now, 1, 0, &got), COF_E_AUTH);
    assert_int_equal(cof_totp_check(COF_LIT(SECRET), COF_LIT(""), now, 1, 0, &got), COF_E_AUTH);
    assert_int_equal(cof_totp_check(COF_LIT("1"), COF_LIT("000000"), now, 1, 0, &got), COF_E_FORMAT);
    assert_int_equal(cof_totp_check(COF_LIT(""), COF_LIT("000000"), now, 1, 0, &got), COF_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_rfcs),
        cmocka_unit_test(base32),
        cmocka_unit_test(window_and_replay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
