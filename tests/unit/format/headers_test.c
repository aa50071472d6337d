/* SPDX-License-Identifier: Apache-2.0
 * Fields: names are tokens (RFC 9110 section 5.6.2), byte for byte; values hold no line's end; a name is found whatever its case.
 */
#include "format/headers.h"
#include "testing.h"

static void tokens_are_what_the_rfc_says(void **state)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t text[3] = {'a', (uint8_t)c, 'Z'};
        bool wanted = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            (c != 0 && strchr(others, (int)c) != NULL);

        for (size_t from = 0; from < 2; from++)
            for (size_t to = 2; to < 4; to++)
                assert_int_equal(cof_is_token(cof_view_of(text + from, to - from)), wanted);
    }
    assert_false(cof_is_token(COF_LIT("")));
}

static void values_end_no_line(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++)
        for (size_t at = 0; at < 40; at += 3) {
            uint8_t text[40];
            struct cof_headers h;

            memset(text, 'x', sizeof text);
            text[at] = (uint8_t)c;
            cof_headers_init(&h);
            cof_headers_add(&h, COF_LIT("Name"), cof_view_of(text, sizeof text));
            assert_int_equal(cof_headers_err(&h), c == 0 || c == '\r' || c == '\n' ? COF_E_FORMAT : COF_OK);
            cof_headers_done(&h);
        }
}

static void a_name_is_found_in_any_case(void **state)
{
    struct cof_headers h;
    struct cof_view value;

    (void)state;
    cof_headers_init(&h);
    cof_headers_add_str(&h, "X-Amz-Date", "1");
    cof_headers_add_str(&h, "x-amz-dato", "2");
    cof_headers_add_str(&h, "X-AMZ-DATE", "3");
    assert_true(cof_headers_get(&h, "x-amz-date", &value));
    assert_true(cof_view_eq_str(value, "1"));
    assert_int_equal(cof_headers_count(&h, "x-amz-date"), 2);
    cof_headers_remove(&h, "x-amz-date");
    assert_false(cof_headers_get(&h, "X-Amz-Date", &value));
    assert_true(cof_headers_get(&h, "X-Amz-Dato", &value));
    cof_headers_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_what_the_rfc_says),
        cmocka_unit_test(values_end_no_line),
        cmocka_unit_test(a_name_is_found_in_any_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
