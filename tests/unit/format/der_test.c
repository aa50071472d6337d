/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: lengths are minimal both ways and over every form, and indefinite elements open and close only where asked.
 */
#include "testing.h"

#include "format/der.h"

static struct cof_view hex(const char *text, struct cof_buf *out)
{
    cof_buf_init(out, 1 << 20);
    assert_ok(cof_hex_decode(cof_view_str(text), out));
    return cof_buf_view(out);
}

static void lengths_round_trip(void **state)
{
    static const size_t sizes[] = {0, 1, 127, 128, 255, 256, 65535, 65536, 100000};
    static uint8_t bytes[100000];

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct cof_buf out, nested;
        struct cof_view v, content, inner;
        size_t mark;

        cof_buf_init(&out, 1 << 20);
        cof_buf_init(&nested, 1 << 20);
        cof_der_add(&out, COF_DER_OCTET_STRING, cof_view_of(bytes, sizes[i]));
        v = cof_buf_view(&out);
        assert_ok(cof_der_take(&v, COF_DER_OCTET_STRING, &content));
        assert_int_equal(content.len, sizes[i]);
        assert_int_equal(v.len, 0);
        mark = cof_der_begin(&nested, COF_DER_SEQUENCE);
        cof_buf_add(&nested, cof_buf_view(&out));
        cof_der_end(&nested, mark);
        v = cof_buf_view(&nested);
        assert_ok(cof_der_take(&v, COF_DER_SEQUENCE, &inner));
        assert_true(cof_view_eq(inner, cof_buf_view(&out)));
        cof_buf_done(&out);
        cof_buf_done(&nested);
    }
}

static void other_lengths_are_refused(void **state)
{
    static const struct {
        const char *text;
        enum cof_err err;
    } cases[] = {{"04817f", COF_E_FORMAT}, {"04820080", COF_E_FORMAT}, {"0480", COF_E_FORMAT},
        {"0405", COF_E_TRUNCATED},
        {"04", COF_E_TRUNCATED}, {"", COF_E_TRUNCATED}, {"0482ff", COF_E_TRUNCATED}, {"0485010000000000", COF_E_FORMAT},
        {"04ff", COF_E_FORMAT}, {"0484ffffffff", COF_E_TRUNCATED}, {"030100", COF_E_FORMAT}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_buf in;
        struct cof_view v = hex(cases[i].text, &in), before = v, content;

        assert_int_equal(cof_der_take(&v, COF_DER_OCTET_STRING, &content), cases[i].err);
        assert_int_equal(v.len, before.len);
        cof_buf_done(&in);
    }
}

static void integers_are_minimal(void **state)
{
    static const struct {
        struct cof_view n;
        const char *text;
    } cases[] = {{{(const uint8_t *)"", 0}, "020100"}, {{(const uint8_t *)"\0\0\x7f", 3}, "02017f"},
        {{(const uint8_t *)"\x80", 1}, "02020080"}, {{(const uint8_t *)"\0", 1}, "020100"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_buf out, expected;

        cof_buf_init(&out, 64);
        cof_der_add_uint(&out, cases[i].n);
        assert_true(cof_view_eq(cof_buf_view(&out), hex(cases[i].text, &expected)));
        cof_buf_done(&out);
        cof_buf_done(&expected);
    }
}

static void indefinite_elements_open_and_close(void **state)
{
    struct cof_buf in;
    struct cof_view v = hex("308004010100000500", &in), content;
    struct cof_ber_open open;

    assert_ok(cof_ber_open(v, COF_DER_SEQUENCE, &open));
    assert_false(cof_ber_at_end(&open));
    assert_int_equal(cof_ber_close(&open, &v), COF_E_FORMAT);
    assert_ok(cof_der_take(&open.inside, COF_DER_OCTET_STRING, &content));
    assert_true(cof_ber_at_end(&open));
    assert_ok(cof_ber_close(&open, &v));
    assert_int_equal(v.len, 2);
    assert_ok(cof_der_take(&v, COF_DER_NULL, &content));
    cof_buf_done(&in);
    v = hex("308004010100", &in);
    assert_ok(cof_ber_open(v, COF_DER_SEQUENCE, &open));
    assert_ok(cof_der_take(&open.inside, COF_DER_OCTET_STRING, &content));
    assert_int_equal(cof_ber_close(&open, &v), COF_E_TRUNCATED);
    cof_buf_done(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_round_trip),
        cmocka_unit_test(other_lengths_are_refused),
        cmocka_unit_test(integers_are_minimal),
        cmocka_unit_test(indefinite_elements_open_and_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
