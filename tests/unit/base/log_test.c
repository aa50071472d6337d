/* SPDX-License-Identifier: Apache-2.0
 * Text escaped for JSON: every byte in every place of a long text, where eight are looked at together, is written as it is by itself.
 */
#include "base/log.h"
#include "testing.h"

/* RFC 8259 section 7, and what is no UTF-8 becomes U+FFFD. */
static void expect(struct cof_buf *out, uint8_t c)
{
    if (c == '"' || c == '\\')
        cof_buf_printf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
        cof_buf_printf(out, "\\u%04x", c);
    else if (c > 0x7f)
        cof_buf_add_str(out, "\\ufffd");
    else
        cof_buf_add_u8(out, c);
}

static void a_byte_is_escaped_wherever_it_stands(void **state)
{
    struct cof_buf got, wanted;

    (void)state;
    cof_buf_init(&got, 1024);
    cof_buf_init(&wanted, 1024);
    for (unsigned c = 0; c < 256; c++)
        for (size_t at = 0; at < 25; at++) {
            uint8_t text[25];

            cof_buf_reset(&got);
            cof_buf_reset(&wanted);
            for (size_t i = 0; i < sizeof text; i++) {
                text[i] = i == at ? (uint8_t)c : (uint8_t)" !#[]~z0"[i % 8]; /* those beside what must be escaped */
                expect(&wanted, text[i]);
            }
            cof_json_escape(&got, cof_view_of(text, sizeof text));
            assert_int_equal(got.len, wanted.len);
            assert_memory_equal(got.data, wanted.data, wanted.len);
        }
    cof_buf_done(&got);
    cof_buf_done(&wanted);
}

static void two_bytes_do_not_hide_each_other(void **state)
{
    static const uint8_t odd[] = {0, 1, 0x1f, 0x20, 0x21, '"', '#', '\\', ']', 0x7e, 0x7f, 0x80, 0xff};
    struct cof_buf got, wanted;

    (void)state;
    cof_buf_init(&got, 1024);
    cof_buf_init(&wanted, 1024);
    for (size_t a = 0; a < sizeof odd; a++)
        for (size_t b = 0; b < sizeof odd; b++) {
            uint8_t text[16];

            cof_buf_reset(&got);
            cof_buf_reset(&wanted);
            for (size_t i = 0; i < sizeof text; i++) {
                text[i] = i % 2 == 0 ? odd[a] : odd[b];
                expect(&wanted, text[i]);
            }
            cof_json_escape(&got, cof_view_of(text, sizeof text));
            assert_int_equal(got.len, wanted.len);
            assert_memory_equal(got.data, wanted.data, wanted.len);
        }
    cof_buf_done(&got);
    cof_buf_done(&wanted);
}

static void utf8_stays(void **state)
{
    struct cof_buf got;

    (void)state;
    cof_buf_init(&got, 1024);
    cof_json_escape(&got, COF_LIT("0123456\xc3\xa4 \xe2\x82\xac 01234567 \xf0\x9f\x94\x92"));
    assert_string_equal(cof_buf_cstr(&got), "0123456\xc3\xa4 \xe2\x82\xac 01234567 \xf0\x9f\x94\x92");
    cof_buf_done(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_byte_is_escaped_wherever_it_stands),
        cmocka_unit_test(two_bytes_do_not_hide_each_other),
        cmocka_unit_test(utf8_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
