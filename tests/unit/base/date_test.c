/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/date.h"

static void round_trips(void **state)
{
    for (int64_t ms = 0; ms < 253402300799999LL; ms += 86400000LL * 17 + 3723456) {
        char text[COF_DATE_MAX];
        int64_t back;

        cof_date_iso(ms, text);
        assert_ok(cof_date_parse_iso(cof_view_str(text), &back));
        assert_int_equal(back, ms);
        cof_date_http(ms, text);
        assert_ok(cof_date_parse_http(cof_view_str(text), &back));
        assert_int_equal(back, ms / 1000 * 1000);
        cof_date_amz(ms, text);
        assert_ok(cof_date_parse_amz(cof_view_str(text), &back));
        assert_int_equal(back, ms / 1000 * 1000);
    }
}

static void known_dates(void **state)
{
    char text[COF_DATE_MAX];
    int64_t ms;

    cof_date_http(784111777000LL, text); /* RFC 9110 section 5.6.7 */
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    cof_date_iso(784111777089LL, text);
    assert_string_equal(text, "1994-11-06T08:49:37.089Z");
    cof_date_iso_seconds(784111777089LL, text);
    assert_string_equal(text, "1994-11-06T08:49:37Z");
    cof_date_amz(784111777089LL, text);
    assert_string_equal(text, "19941106T084937Z");
    assert_ok(cof_date_parse_iso(COF_LIT("2000-02-29T23:59:59.5+01:00"), &ms));
    assert_int_equal(ms, 951865199500LL);
}

static void refuses_what_is_no_date(void **state)
{
    static const char *const bad[] = {"", "2001-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-23T24:00:00Z",
        "2026-11-23T00:00:00", "2026-11-23T00:00:00.Z", "2026-11-23T00:00:00Zx", "1969-12-31T00:00:00Z",
        "2026-11-23 00:00:00Z", "+026-11-23T00:00:00Z"};
    int64_t ms;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(cof_date_parse_iso(cof_view_str(bad[i]), &ms), COF_E_FORMAT);
    assert_int_equal(cof_date_parse_amz(COF_LIT("20260229T000000Z"), &ms), COF_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(known_dates),
        cmocka_unit_test(refuses_what_is_no_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
