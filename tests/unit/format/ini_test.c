/* SPDX-License-Identifier: Apache-2.0
 *
 * The AWS tools' files: what is read, and what is refused with its line.
 */
#include "testing.h"

#include "format/ini.h"

static void expect(struct cof_ini *ini, const char *section, const char *name, const char *value)
{
    struct cof_view v;

    assert_true(cof_ini_get(ini, section, name, &v));
    assert_true(cof_view_eq_str(v, value));
}

/* BOM, CRLF, comments, blanks around, both signs, names in any case, quoted section names, nesting. */
static void reads(void **state)
{
    struct cof_ini ini;
    struct cof_view v;

    (void)state;
    assert_ok(cof_ini_parse(COF_LIT("\xef\xbb\xbf# a comment\r\n; another\r\n[default]\r\nRegion = eu-west-1\r\n"
                                    "output: json\r\nempty =\r\n\r\n[profile   \"my team\"]  # why not\nrole_arn=arn:aws:iam::1:role/a=b\n"
                                    "s3 =\n  endpoint_url = http://localhost:1\n\tAddressing_Style: path\nregion = x # kept\n"
                                    "[services dev]\nkms =\n  endpoint_url = http://k\ns3 =\n  endpoint_url = http://s"),
                            65536, &ini, NULL));
    expect(&ini, "default", "region", "eu-west-1");
    expect(&ini, "default", "output", "json");
    expect(&ini, "default", "empty", "");
    expect(&ini, "profile my team", "role_arn", "arn:aws:iam::1:role/a=b");
    expect(&ini, "profile my team", "region", "x # kept");
    assert_true(cof_ini_get_nested(&ini, "profile my team", "s3", "addressing_style", &v));
    assert_true(cof_view_eq_str(v, "path"));
    assert_true(cof_ini_get_nested(&ini, "services dev", "s3", "endpoint_url", &v));
    assert_true(cof_view_eq_str(v, "http://s"));
    assert_false(cof_ini_get(&ini, "default", "role_arn", &v));
    assert_false(cof_ini_get(&ini, "services dev", "endpoint_url", &v));
    assert_true(cof_ini_has(&ini, "services dev"));
    assert_false(cof_ini_has(&ini, "profile dev"));
    cof_ini_done(&ini);
    assert_ok(cof_ini_parse((struct cof_view){0}, 10, &ini, NULL));
    assert_false(cof_ini_has(&ini, "default"));
    cof_ini_done(&ini);
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *line;
    } cases[] = {
        {"region = x\n", "line 1"},
        {"[default\nregion = x\n", "line 1"},
        {"[]\n", "line 1"},
        {"[a] b\n", "line 1"},
        {"[\"a]\n", "line 1"},
        {"[a]\nregion\n", "line 2"},
        {"[a]\n= x\n", "line 2"},
        {"[a]\nb = 1\nB = 2\n", "line 3"},
        {"[a]\nb = 1\n[ a ]\n", "line 3"},
        {"[a]\nb = 1\n  c = 2\n", "line 3"},
        {"[a]\ns3 =\n  b = 1\n  b = 2\n", "line 4"},
        {"[a]\nb = \x01\n", "line 2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_ini ini;
        struct cof_diag diag = {0};
        assert_int_equal(cof_ini_parse(cof_view_str(cases[i].text), 65536, &ini, &diag), COF_E_FORMAT);
        assert_non_null(strstr(diag.text, cases[i].line));
        assert_int_equal(ini.n, 0);
    }
    {
        struct cof_ini ini;
        assert_int_equal(cof_ini_parse(COF_LIT("[a]\nb=1\n"), 3, &ini, NULL), COF_E_LIMIT);
        assert_int_equal(cof_ini_parse(cof_view_of("[a]\nb=\0\n", 8), 99, &ini, NULL), COF_E_FORMAT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
