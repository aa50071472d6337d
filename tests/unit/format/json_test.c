/* SPDX-License-Identifier: Apache-2.0
 * What the JSON writer writes, the library reads back as the same value, and for plain values it is the library's own text.
 */
#include "format/json.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

static void same(const char *text, bool same_text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL), *again;
    char *theirs = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    struct cof_buf ours;

    assert_non_null(value);
    assert_non_null(theirs);
    cof_buf_init(&ours, 65536);
    cof_json_add_value(&ours, value);
    assert_ok(cof_buf_err(&ours));
    if (same_text)
        assert_string_equal(cof_buf_cstr(&ours), theirs);
    again = json_loadb((const char *)ours.data, ours.len, JSON_DECODE_ANY, NULL);
    assert_non_null(again);
    assert_true(json_equal(value, again));
    assert_int_equal(json_typeof(value), json_typeof(again));
    cof_buf_done(&ours);
    free(theirs);
    json_decref(value);
    json_decref(again);
}

static void values(void **state)
{
    (void)state;
    same("null", true);
    same("true", true);
    same("false", true);
    same("0", true);
    same("-1", true);
    same("9223372036854775807", true);
    same("-9223372036854775808", true);
    same("1.0", true);
    same("-0.125", true);
    same("1e300", false); /* the library writes the exponent without its plus */
    same("123456789012345680.0", false);
    same("\"\"", true);
    same("[]", true);
    same("{}", true);
    same("[1,[2,[3,{\"a\":[{}]}]],null,true,\"x\"]", true);
    same("{\"z\":1,\"a\":{\"y\":[],\"b\":\"c\"},\"m\":-5}", true);
}

static void texts(void **state)
{
    (void)state;
    same("\"quote \\\" backslash \\\\ slash / umlaut \xc3\xa4 euro \xe2\x82\xac clef \xf0\x9d\x84\x9e\"", true);
    same("\"\\u0001\\b\\f\\n\\r\\t\\u001f\"", false); /* the same value in another spelling */
    same("{\"\\n\\\"key\\\"\":\"\x7f\"}", false);
}

static void limits(void **state)
{
    json_t *value = json_loads("[\"aaaaaaaaaaaaaaaaaaaa\"]", 0, NULL);
    struct cof_buf out;

    (void)state;
    cof_buf_init(&out, 16);
    cof_json_add_value(&out, value);
    assert_int_equal(cof_buf_err(&out), COF_E_LIMIT);
    cof_buf_done(&out);
    cof_buf_init(&out, 16);
    cof_json_add_value(&out, NULL);
    assert_string_equal(cof_buf_cstr(&out), "null");
    cof_buf_done(&out);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(texts),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
