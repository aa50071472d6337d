/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "format/cbor.h"

static void integers_round_trip_in_minimal_form(void **state)
{
    static const struct {
        int64_t n;
        const char *hex;
    } cases[] = {{0, "00"}, {23, "17"}, {24, "1818"}, {255, "18ff"}, {256, "190100"}, {65535, "19ffff"},
        {65536, "1a00010000"}, {4294967295, "1affffffff"}, {4294967296, "1b0000000100000000"},
        {INT64_MAX, "1b7fffffffffffffff"}, {-1, "20"}, {-24, "37"}, {-25, "3818"}, {-35, "3822"},
        {INT64_MIN, "3b7fffffffffffffff"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_buf out, hex;
        struct cof_view v;
        int64_t back;

        cof_buf_init(&out, 64);
        cof_buf_init(&hex, 64);
        cof_cbor_add_int(&out, cases[i].n);
        cof_hex_add(&hex, cof_buf_view(&out));
        assert_string_equal(cof_buf_cstr(&hex), cases[i].hex);
        v = cof_buf_view(&out);
        assert_ok(cof_cbor_take_int(&v, &back));
        assert_int_equal(back, cases[i].n);
        assert_int_equal(v.len, 0);
        cof_buf_done(&out);
        cof_buf_done(&hex);
    }
}

static void strict_readers_refuse(void **state)
{
    /* not minimal; indefinite; a count or length over the input; undefined; floats; nesting; bad UTF-8 */
    static const struct {
        const char *hex;
        enum cof_err err;
    } cases[] = {{"1817", COF_E_FORMAT}, {"1900ff", COF_E_FORMAT}, {"1a0000ffff", COF_E_FORMAT},
        {"1b00000000ffffffff", COF_E_FORMAT}, {"5f4100ff", COF_E_FORMAT}, {"7f6100ff", COF_E_FORMAT},
        {"9f00ff", COF_E_FORMAT}, {"bfff", COF_E_FORMAT}, {"5bffffffffffffffff", COF_E_TRUNCATED},
        {"9bffffffffffffffff00", COF_E_TRUNCATED}, {"bb7fffffffffffffff00", COF_E_TRUNCATED},
        {"f7", COF_E_FORMAT}, {"f93c00", COF_E_FORMAT}, {"ff", COF_E_FORMAT}, {"1c", COF_E_FORMAT},
        {"8181818100", COF_E_LIMIT}, {"61ff", COF_E_FORMAT}, {"", COF_E_TRUNCATED}, {"a100", COF_E_TRUNCATED}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_buf in;
        struct cof_view v, before;

        cof_buf_init(&in, 64);
        assert_ok(cof_hex_decode(cof_view_str(cases[i].hex), &in));
        v = before = cof_buf_view(&in);
        assert_int_equal(cof_cbor_skip(&v, 3, NULL), cases[i].err);
        assert_ptr_equal(v.data, before.data);
        assert_int_equal(v.len, before.len);
        cof_buf_done(&in);
    }
}

static enum cof_err read_map(const char *hex, bool indefinite, uint64_t *sum)
{
    static const char *const names[] = {"a", "b"};
    struct cof_buf in;
    struct cof_cbor_map map;
    struct cof_view v;
    enum cof_err err;

    *sum = 0;
    cof_buf_init(&in, 64);
    assert_ok(cof_hex_decode(cof_view_str(hex), &in));
    v = cof_buf_view(&in);
    err = cof_cbor_map_open(&v, indefinite, &map);
    while (err == COF_OK) {
        size_t index;
        uint64_t n;

        err = cof_cbor_map_next(&v, &map, names, 2, &index);
        if (err != COF_OK || index == COF_CBOR_END)
            break;
        err = cof_cbor_take_uint(&v, 100, &n);
        *sum += err == COF_OK ? n << (8 * index) : 0;
    }
    if (err == COF_OK && v.len != 0)
        err = COF_E_FORMAT;
    cof_buf_done(&in);
    return err;
}

static void maps_refuse_repeated_and_unknown_keys(void **state)
{
    uint64_t sum;

    assert_ok(read_map("a2616101616202", false, &sum));
    assert_int_equal(sum, 0x201);
    assert_ok(read_map("bf616202616101ff", true, &sum));
    assert_int_equal(sum, 0x201);
    assert_int_equal(read_map("bf616202616101ff", false, &sum), COF_E_FORMAT);
    assert_int_equal(read_map("a2616101616102", false, &sum), COF_E_FORMAT);
    assert_int_equal(read_map("a1616301", false, &sum), COF_E_FORMAT);
    assert_int_equal(read_map("a2616101", false, &sum), COF_E_TRUNCATED);
    assert_int_equal(read_map("bf616101", true, &sum), COF_E_TRUNCATED);
    assert_int_equal(read_map("bf6161ff", true, &sum), COF_E_FORMAT);
    assert_int_equal(read_map("a16161186401", false, &sum), COF_E_FORMAT);
    assert_int_equal(read_map("a161611865", false, &sum), COF_E_LIMIT);
    assert_int_equal(read_map("b801616101", false, &sum), COF_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_round_trip_in_minimal_form),
        cmocka_unit_test(strict_readers_refuse),
        cmocka_unit_test(maps_refuse_repeated_and_unknown_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
