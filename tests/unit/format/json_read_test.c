/* SPDX-License-Identifier: Apache-2.0
 *
 * The short way gives what jansson gives, and only that; fuzz/json_fuzz.c asks the same of everything.
 */
#include "testing.h"

#include "format/json.h"
#include "format/json_read.h"

static void the_same_as_jansson(void **state)
{
    static const struct { const char *text; bool ours; } cases[] = {
        {"{}", true}, {"[]", true}, {" { \"a\" : [ 1 , -2 , true , false , null , \"x\" ] , \"b\" : { } } \r\n\t", true}, {"\"\"", true}, {"7", true},
        {"-7", true}, {"0", true}, {"999999999999999999", true}, {"\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", true}, {"\"\xc3\xa4\xf0\x9f\x98\x80\"", true},
        {"{\"\":1}", true}, {"[[],[[]]]", true},
        {"1.5", false}, {"1e3", false}, {"-0", false}, {"9223372036854775807", false}, {"\"\\u00e4\\u0041\\u20AC\\ud83d\\ude00\\u007fx\"", true}, {"\"\\u0000\"", false}, {"\"\\u00g4\"", false}, {"\"\\u00e\"", false},
        {"\"\\ude00\"", false}, {"\"\\ud83d\\u0041\"", false}, {"\"\\ud83dx\"", false}, {"{\"a\\n\":1}", false},
        {"", false}, {" ", false}, {"{", false}, {"}", false}, {"[1,]", false}, {"{\"a\":1,}", false}, {"{\"a\"}", false}, {"{\"a\":}", false}, {"{a:1}", false},
        {"{\"a\":1,\"a\":2}", false}, {"01", false}, {"-", false}, {"+1", false}, {"1 2", false}, {"tru", false}, {"truex", false}, {"\"", false},
        {"\"\\", false}, {"\"\\x\"", false}, {"\"\x01\"", false}, {"\"\n\"", false}, {"\"\xff\"", false}, {"\"\xed\xa0\x80\"", false}, {"[1 2]", false},
        {"{\"a\":1 \"b\":2}", false}, {"\"\\ud800\"", false}, {"99999999999999999999", false}, {"nul", false}, {"[", false}, {"[1", false}, {"// x\n1", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_view text = cof_view_str(cases[i].text);
        json_t *theirs = json_loadb(cases[i].text, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL), *ours, *parsed;

        ours = cof_json_read(text);
        if ((ours != NULL) != cases[i].ours)
            fail_msg("%s", cases[i].text);
        if (ours != NULL)
            assert_true(json_equal(ours, theirs));
        assert_int_equal(cof_json_parse(text, 1000, &parsed, NULL) == COF_OK, theirs != NULL);
        if (theirs != NULL)
            assert_true(json_equal(parsed, theirs));
        for (size_t cut = 0; cut < text.len && ours != NULL; cut++) { /* cut anywhere: never read past the end */
            uint8_t *copy = malloc(cut > 0 ? cut : 1);
            json_t *part;

            assert_non_null(copy);
            memcpy(copy, text.data, cut);
            part = cof_json_read(cof_view_of(copy, cut));
            json_decref(part);
            free(copy);
        }
        json_decref(ours);
        json_decref(parsed);
        json_decref(theirs);
    }
}

static void nesting_is_left_to_jansson(void **state)
{
    char deep[200];
    json_t *json;

    for (size_t n = 1; n < 100; n++) {
        memset(deep, '[', n);
        memset(deep + n, ']', n);
        json = cof_json_read(cof_view_of(deep, 2 * n));
        assert_int_equal(json != NULL, n <= 32);
        json_decref(json);
        assert_ok(cof_json_parse(cof_view_of(deep, 2 * n), 1000, &json, NULL));
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_as_jansson),
        cmocka_unit_test(nesting_is_left_to_jansson),
    };

    return cmocka_run_group_tests_name("format/json_read", tests, NULL, NULL);
}
