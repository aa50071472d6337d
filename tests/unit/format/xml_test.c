/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "format/uri.h"
#include "format/xml.h"

static void reads_a_tree(void **state)
{
    struct cof_xml_node *root;
    const struct cof_xml_node *item;

    assert_ok(cof_xml_parse(COF_LIT("<?xml version=\"1.0\"?><s:Delete xmlns:s=\"urn:x\"><Object><Key>a&amp;<![CDATA[<b>]]></Key></Object>"
        "<Quiet>true</Quiet><Object><Key>c</Key></Object></s:Delete>"), 1000, 100, &root));
    assert_string_equal(root->name, "Delete");
    item = cof_xml_child(root, "Object");
    assert_true(cof_view_eq_str(cof_xml_text(item, "Key"), "a&<b>"));
    item = cof_xml_again(item, "Object");
    assert_true(cof_view_eq_str(cof_xml_text(item, "Key"), "c"));
    assert_null(cof_xml_again(item, "Object"));
    assert_int_equal(cof_xml_text(root, "Absent").len, 0);
    cof_xml_free(root);
}

static void refuses_what_is_dangerous(void **state)
{
    static const struct { const char *text; enum cof_err err; } bad[] = {
        {"<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", COF_E_FORMAT},
        {"<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", COF_E_FORMAT},
        {"<a>&x;</a>", COF_E_FORMAT},
        {"<a><b></a></b>", COF_E_FORMAT},
        {"<a/><b/>", COF_E_FORMAT},
        {"<a>", COF_E_FORMAT},
        {"", COF_E_FORMAT},
        {"<a>\xff</a>", COF_E_FORMAT},
        {"<a><b/><b/><b/><b/><b/></a>", COF_E_LIMIT},
    };
    struct cof_xml_node *root;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(cof_xml_parse(cof_view_str(bad[i].text), 1000, 5, &root), bad[i].err);
    assert_int_equal(cof_xml_parse(COF_LIT("<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a>"
        "</a></a></a></a></a></a></a></a></a>"), 1000, 100, &root), COF_E_LIMIT);
    assert_int_equal(cof_xml_parse(COF_LIT("<a>1234</a>"), 10, 5, &root), COF_E_LIMIT);
}

static void queries(void **state)
{
    struct cof_view query = COF_LIT("&a=1&b&c%3D=x%20y+z&a=2");
    struct cof_buf out;

    cof_buf_init(&out, 100);
    assert_ok(cof_query_get(query, "a", &out));
    assert_string_equal(cof_buf_cstr(&out), "1");
    cof_buf_reset(&out);
    assert_ok(cof_query_get(query, "c=", &out));
    assert_string_equal(cof_buf_cstr(&out), "x y+z");
    assert_true(cof_query_has(query, "b"));
    assert_false(cof_query_has(query, "d"));
    cof_buf_reset(&out);
    assert_int_equal(cof_uri_decode(COF_LIT("%4"), false, &out), COF_E_FORMAT);
    assert_int_equal(cof_uri_decode(COF_LIT("%zz"), false, &out), COF_E_FORMAT);
    cof_buf_reset(&out);
    cof_uri_encode(&out, COF_LIT("a/ b~\xc3\xbc+"), true);
    assert_string_equal(cof_buf_cstr(&out), "a/%20b~%C3%BC%2B");
    cof_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_tree),
        cmocka_unit_test(refuses_what_is_dangerous),
        cmocka_unit_test(queries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
