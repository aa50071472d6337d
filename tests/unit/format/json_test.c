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

/* RFC 8259 has no place for a NUL byte, though the library overlooks some. */
static void no_nul(void **state)
{
    static const char texts_with[][12] = {"[1\0,2]    ", "[null\0]    ", "{\"a\":1\0}  ", "[\0]        ", "[\"a\0\"]     ", "1\0         ", "[1]\0       "};
    json_t *value;

    (void)state;
    for (size_t i = 0; i < sizeof texts_with / sizeof texts_with[0]; i++)
        assert_int_equal(cof_json_parse(cof_view_of(texts_with[i], 11), 100, &value, NULL), COF_E_FORMAT);
}

/* Names and texts of each length, plain and not, into memory that has just room and that has not. */
static void members(void **state)
{
    static const char *const odd[] = {"", "\"", "\\", "\n", "\xc3\xa4"}, *const written[] = {"", "\\\"", "\\\\", "\\u000a", "\xc3\xa4"};
    char text[64], wanted[300];
    struct cof_buf out;

    (void)state;
    for (size_t i = 0; i < 5; i++)
        for (int len = 0; len < 40; len++) {
            (void)snprintf(text, sizeof text, "%.*s%s", len, "0123456789012345678901234567890123456789", odd[i]);
            (void)snprintf(wanted, sizeof wanted, "{\"%.*s%s\":\"%.*s%s\",\"b\":\"\"}", len, "0123456789012345678901234567890123456789", written[i],
                len, "0123456789012345678901234567890123456789", written[i]);
            for (size_t less = 0; less < 2; less++) {
                cof_buf_init(&out, strlen(wanted) - less);
                cof_buf_add_u8(&out, '{');
                cof_json_add_member(&out, text, cof_view_str(text));
                cof_json_add_member(&out, "b", (struct cof_view){0});
                cof_buf_add_u8(&out, '}');
                assert_int_equal(cof_buf_err(&out), less == 0 ? COF_OK : COF_E_LIMIT);
                assert_string_equal(cof_buf_cstr(&out), less == 0 ? wanted : "");
                cof_json_add_member(&out, text, cof_view_str(text)); /* after a failure nothing is written */
                assert_true(cof_buf_err(&out) == COF_E_LIMIT && out.len <= out.max);
                cof_buf_done(&out);
            }
        }
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
        cmocka_unit_test(no_nul),
        cmocka_unit_test(members),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
