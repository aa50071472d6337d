/* SPDX-License-Identifier: Apache-2.0
 * The builder: its cap holds whichever way bytes come, the first failure stays, and numbers have the right digits.
 */
#include "base/buf.h"
#include "testing.h"

#include <stdio.h>
#include <string.h>

static void decimals(void **state)
{
    static const uint64_t numbers[] = {0, 1, 9, 10, 99, 100, 12345678901234567890ull, UINT64_MAX};
    char expected[32];

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct cof_buf buf;

        cof_buf_init(&buf, 64);
        cof_buf_add_decimal(&buf, numbers[i]);
        (void)snprintf(expected, sizeof expected, "%llu", (unsigned long long)numbers[i]);
        assert_string_equal(cof_buf_cstr(&buf), expected);
        cof_buf_done(&buf);
    }
}

/* Text of every length is formatted whole, whether it fits the memory that is there or not. */
static void formats(void **state)
{
    char text[300];

    (void)state;
    for (size_t have = 0; have < 70; have++)
        for (size_t more = 0; more < 200; more += 7) {
            struct cof_buf buf;

            memset(text, 'x', sizeof text);
            text[more] = '\0';
            cof_buf_init(&buf, 1000);
            for (size_t i = 0; i < have; i++)
                cof_buf_add_u8(&buf, 'a');
            cof_buf_printf(&buf, "%s|", text);
            assert_ok(cof_buf_err(&buf));
            assert_int_equal(buf.len, have + more + 1);
            assert_int_equal(buf.data[have + more], '|');
            assert_int_equal(strlen(cof_buf_cstr(&buf)), buf.len);
            cof_buf_done(&buf);
        }
}

static void add_one(struct cof_buf *buf, int how)
{
    if (how == 0)
        cof_buf_add_u8(buf, 'b');
    else if (how == 1)
        cof_buf_add_str(buf, "b");
    else if (how == 2)
        cof_buf_printf(buf, "%c", 'b');
    else
        cof_buf_add_decimal(buf, 7);
}

static void cap_holds(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        struct cof_buf buf;

        cof_buf_init(&buf, 100);
        for (int i = 0; i < 100; i++)
            add_one(&buf, how);
        assert_ok(cof_buf_err(&buf));
        assert_int_equal(buf.len, 100);
        add_one(&buf, how);
        assert_int_equal(cof_buf_err(&buf), COF_E_LIMIT);
        for (int other = 0; other < 4; other++)
            add_one(&buf, other); /* nothing is done any more, though there would be room after a shortening */
        assert_int_equal(buf.len, 100);
        buf.len = 10;
        add_one(&buf, how);
        assert_int_equal(buf.len, 10);
        cof_buf_reset(&buf);
        add_one(&buf, how);
        assert_ok(cof_buf_err(&buf));
        assert_int_equal(buf.len, 1);
        cof_buf_done(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals),
        cmocka_unit_test(formats),
        cmocka_unit_test(cap_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
