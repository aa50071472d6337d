/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the examples of RFC 4648; every byte and every length comes back; every character that is none, in every place, every
 * length that cannot be, padding and unused bits are refused, and nothing is left behind then. C-24's other half, that nothing
 * branches by what is coded, is cli/constant_time_test.py's.
 */
#include "testing.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void rfc4648_examples(void **state)
{
    static const struct {
        const char *plain, *text;
    } cases[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_buf out, back, url;

        cof_buf_init(&out, 64), cof_buf_init(&back, 64), cof_buf_init(&url, 64);
        cof_base64_add(&out, cof_view_str(cases[i].plain));
        assert_true(cof_view_eq_str(cof_buf_view(&out), cases[i].text));
        assert_ok(cof_base64_decode(cof_view_str(cases[i].text), &back));
        assert_true(cof_view_eq_str(cof_buf_view(&back), cases[i].plain));
        cof_base64url_add(&url, cof_view_str(cases[i].plain));
        assert_int_equal(url.len, strcspn(cases[i].text, "="));
        cof_buf_done(&out), cof_buf_done(&back), cof_buf_done(&url);
    }
}

/* All lengths up to some pieces, all bytes; appended to what is there; caps that are just enough. */
static void everything_comes_back(void **state)
{
    uint8_t plain[300];

    (void)state;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t n = 0; n <= sizeof plain; n++) {
        struct cof_buf text, url, back;
        size_t digits = n / 3 * 4 + (n % 3 == 0 ? 0 : n % 3 + 1);

        cof_buf_init(&text, 1 + (n + 2) / 3 * 4), cof_buf_init(&url, digits), cof_buf_init(&back, 1 + n);
        cof_buf_add_u8(&text, '!'), cof_buf_add_u8(&back, '!');
        cof_base64_add(&text, cof_view_of(plain, n));
        cof_base64url_add(&url, cof_view_of(plain, n));
        assert_ok(cof_buf_err(&text)), assert_ok(cof_buf_err(&url));
        for (size_t i = 0; i < digits; i++) {
            uint32_t bits = (uint32_t)plain[i * 6 / 8] << 8 | (i * 6 / 8 + 1 < n ? plain[i * 6 / 8 + 1] : 0u);
            char want = alphabet[bits >> (10 - i * 6 % 8) & 63];

            assert_int_equal(text.data[1 + i], want);
            assert_int_equal(url.data[i], want == '+' ? '-' : want == '/' ? '_' : want);
        }
        assert_ok(cof_base64_decode(cof_view_sub(cof_buf_view(&text), 1, SIZE_MAX), &back));
        assert_true(cof_view_eq(cof_view_sub(cof_buf_view(&back), 1, SIZE_MAX), cof_view_of(plain, n)));
        cof_buf_truncate(&back, 1);
        assert_ok(cof_base64url_decode(cof_buf_view(&url), &back));
        assert_true(cof_view_eq(cof_view_sub(cof_buf_view(&back), 1, SIZE_MAX), cof_view_of(plain, n)));
        cof_buf_done(&text), cof_buf_done(&url), cof_buf_done(&back);
    }
}

static void refused(struct cof_view text, bool url)
{
    struct cof_buf out;

    cof_buf_init(&out, 512);
    cof_buf_add_u8(&out, '!');
    assert_int_equal(url ? cof_base64url_decode(text, &out) : cof_base64_decode(text, &out), COF_E_FORMAT);
    assert_int_equal(out.len, 1);
    assert_ok(cof_buf_err(&out));
    cof_buf_done(&out);
}

static void whatever_is_not_the_alphabet_is_refused(void **state)
{
    char text[140];

    (void)state;
    memset(text, 'A', sizeof text);
    for (size_t at = 0; at < sizeof text; at++) {
        for (int c = 0; c < 256; c++) {
            bool known = c != 0 && strchr(alphabet, c) != NULL, known_url = c == '-' || c == '_' || (known && c != '+' && c != '/');

            text[at] = (char)c;
            if (!known && !(c == '=' && at == sizeof text - 1))
                refused(cof_view_of(text, sizeof text), false);
            if (!known_url)
                refused(cof_view_of(text, sizeof text), true);
        }
        text[at] = 'A';
    }
}

static void forms_are_exact(void **state)
{
    static const char *const bad[] = {"A", "AA", "AAA", "AAAAA", "A===", "====", "==", "=", "AA=", "AA=A", "A=AA", "AAAA=", "AAAA====", "AAA=AAAA", "Zh==", "Zm9=", "Z/==", "AAB=",
                                      "AAAA\n", " AAAA"};
    static const char *const bad_url[] = {"A", "AAAAA", "AA==", "AAA=", "Zh", "Zm9", "AAB", "AA\n"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused(cof_view_str(bad[i]), false);
    for (size_t i = 0; i < sizeof bad_url / sizeof bad_url[0]; i++)
        refused(cof_view_str(bad_url[i]), true);
}

static void a_full_builder_says_so(void **state)
{
    struct cof_buf out;

    (void)state;
    cof_buf_init(&out, 5);
    cof_base64_add(&out, COF_LIT("four"));
    assert_int_equal(cof_err_class(cof_buf_err(&out)), COF_CLASS_LIMIT);
    cof_buf_reset(&out);
    assert_int_equal(cof_err_class(cof_base64_decode(COF_LIT("AAAAAAAA"), &out)), COF_CLASS_LIMIT);
    cof_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc4648_examples),
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(whatever_is_not_the_alphabet_is_refused),
        cmocka_unit_test(forms_are_exact),
        cmocka_unit_test(a_full_builder_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
