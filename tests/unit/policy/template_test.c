/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: holes are filled with JSON-escaped values, IAM's own variables survive, unknown names are refused by name.
 */
#include "testing.h"

#include "policy/template.h"

static const struct cof_template_value values[] = {{"a", "1"}, {"quote", "x\"y\\\n"}, {"ab", "2"}};

static enum cof_err fill(const char *text, const char *want, struct cof_diag *diag)
{
    struct cof_buf out;
    enum cof_err err;

    cof_buf_init(&out, 4096);
    err = cof_template_fill(cof_view_str(text), values, 3, &out, diag);
    if (want != NULL)
        assert_string_equal(cof_buf_cstr(&out), want);
    cof_buf_done(&out);
    return err;
}

static void fills(void **state)
{
    assert_ok(fill("", "", NULL));
    assert_ok(fill("x${a}y${ab}$", "x1y2$", NULL));
    assert_ok(fill("$${a}", "${a}", NULL));
    assert_ok(fill("${aws:username}${*}${aws:PrincipalTag/team, 'none'}",
                   "${aws:username}${*}${aws:PrincipalTag/team, 'none'}", NULL));
    assert_ok(fill("\"${quote}\"", "\"x\\\"y\\\\\\u000a\"", NULL));
}

static void refuses(void **state)
{
    struct cof_diag diag = {0};
    struct cof_buf small;

    assert_int_equal(fill("line\n${nope}", NULL, &diag), COF_E_CONFIG);
    assert_string_equal(diag.text, "line 2: no value for ${nope}");
    assert_int_equal(fill("${a", NULL, &diag), COF_E_FORMAT);
    cof_buf_init(&small, 3);
    assert_int_equal(cof_template_fill(COF_LIT("long ${a}"), values, 3, &small, NULL), COF_E_LIMIT);
    cof_buf_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fills), cmocka_unit_test(refuses)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
