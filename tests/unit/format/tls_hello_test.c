/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "format/tls_hello.h"

/* A hello with the given extensions block (NULL: none at all). */
static void hello(struct cof_buf *out, struct cof_view exts, bool has_exts)
{
    struct cof_buf body;

    cof_buf_init(&body, 4096);
    cof_buf_add_u16(&body, 0x0303);
    cof_buf_extend(&body, 32);
    cof_buf_add_str(&body, "\x04sess");
    cof_buf_add_u16(&body, 4);
    cof_buf_add_u32(&body, 0x13011302);
    cof_buf_add_u8(&body, 1);
    cof_buf_add_u8(&body, 0);
    if (has_exts) {
        cof_buf_add_u16(&body, (uint16_t)exts.len);
        cof_buf_add(&body, exts);
    }
    cof_buf_init(out, 8192);
    cof_buf_add_u8(out, 22);
    cof_buf_add_u16(out, 0x0301);
    cof_buf_add_u16(out, (uint16_t)(body.len + 4));
    cof_buf_add_u8(out, 1);
    cof_buf_add_u8(out, 0);
    cof_buf_add_u16(out, (uint16_t)body.len);
    cof_buf_add(out, cof_buf_view(&body));
    cof_buf_done(&body);
}

static void sni(struct cof_buf *exts, const char *name)
{
    size_t n = strlen(name);

    cof_buf_add_u16(exts, 0);
    cof_buf_add_u16(exts, (uint16_t)(n + 5));
    cof_buf_add_u16(exts, (uint16_t)(n + 3));
    cof_buf_add_u8(exts, 0);
    cof_buf_add_u16(exts, (uint16_t)n);
    cof_buf_add_str(exts, name);
}

static void finds_the_name(void **state)
{
    struct cof_buf exts, in;
    struct cof_view name;

    cof_buf_init(&exts, 1024);
    cof_buf_add(&exts, cof_view_of("\x00\x2b\x00\x03\x02\x03\x04", 7));
    sni(&exts, "kms.us-east-1.amazonaws.com");
    hello(&in, cof_buf_view(&exts), true);
    assert_ok(cof_tls_hello_server_name(cof_buf_view(&in), &name));
    assert_true(cof_view_eq_str(name, "kms.us-east-1.amazonaws.com"));
    for (size_t cut = 0; cut < in.len; cut++)
        assert_int_equal(cof_tls_hello_server_name(cof_view_sub(cof_buf_view(&in), 0, cut), &name), COF_E_SHORT);
    cof_buf_done(&in);
    cof_buf_done(&exts);
}

static void no_name_is_empty(void **state)
{
    struct cof_buf in;
    struct cof_view name;

    hello(&in, (struct cof_view){0}, false);
    assert_ok(cof_tls_hello_server_name(cof_buf_view(&in), &name));
    assert_int_equal(name.len, 0);
    cof_buf_done(&in);
}

static void refuses_two_names_and_damage(void **state)
{
    struct cof_buf exts, in;
    struct cof_view name;

    cof_buf_init(&exts, 1024);
    sni(&exts, "a.example");
    sni(&exts, "b.example");
    hello(&in, cof_buf_view(&exts), true);
    assert_int_equal(cof_tls_hello_server_name(cof_buf_view(&in), &name), COF_E_FORMAT);
    assert_int_equal(name.len, 0);
    cof_buf_done(&in);
    cof_buf_truncate(&exts, exts.len - 1);
    hello(&in, cof_buf_view(&exts), true);
    assert_int_equal(cof_tls_hello_server_name(cof_buf_view(&in), &name), COF_E_FORMAT);
    assert_int_equal(cof_tls_hello_server_name(COF_LIT("GET / HTTP/1.1\r\n\r\n"), &name), COF_E_FORMAT);
    cof_buf_done(&in);
    cof_buf_done(&exts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_name),
        cmocka_unit_test(no_name_is_empty),
        cmocka_unit_test(refuses_two_names_and_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
