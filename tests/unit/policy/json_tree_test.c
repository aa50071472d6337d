/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: what RFC 8259 allows is read, with the place of each value and name; what it does not is named where it stands; and every text
 * cut anywhere or with a bit flipped is read without reading past it, with the same verdict as the library that the strict readers use.
 */
#include "testing.h"

#include "policy/json_tree.h"

#include <jansson.h>

static const char good[] = " {\"a\": [1, -2.5e+3, true, false, null, \"\\u00e9\\ud83d\\ude00\\n\\\"\"],\n  \"b\" : {\"a\":\"x\", \"a\":\"y\"} }\n";

static void reads_with_places(void **state)
{
    struct cof_json_fault fault;
    struct cof_json_tree t;
    uint32_t a, b, i;
    size_t line, column;

    assert_ok(cof_json_tree_parse(cof_view_str(good), &t, &fault));
    assert_int_equal(t.nodes[0].n_children, 2);
    a = cof_json_tree_member(&t, 0, "a");
    b = cof_json_tree_member(&t, 0, "b");
    assert_int_equal(t.nodes[a].n_children, 6);
    assert_int_equal(t.nodes[b].n_children, 2); /* the second "a" is kept */
    assert_int_equal(cof_json_tree_member(&t, 0, "c"), COF_JSON_NONE);
    assert_int_equal(cof_json_tree_member(&t, a, "c"), COF_JSON_NONE);
    for (i = t.nodes[a].first; t.nodes[i].next != COF_JSON_NONE; i = t.nodes[i].next)
        assert_int_not_equal(t.nodes[i].kind, COF_JSON_STRING);
    assert_true(cof_view_eq_str(t.nodes[i].text, "\xc3\xa9\xf0\x9f\x98\x80\n\""));
    assert_memory_equal(good + t.nodes[i].at, "\"\\u00e9", 7);
    assert_int_equal(good[t.nodes[i].end], ']');
    assert_int_equal(good[t.nodes[b].at], '{');
    assert_memory_equal(good + t.nodes[b].key_at, "\"b\"", 3);
    cof_text_position(cof_view_str(good), t.nodes[b].key_at, &line, &column);
    assert_int_equal(line, 2);
    assert_int_equal(column, 3);
    cof_json_tree_done(&t);
    assert_ok(cof_json_tree_parse(COF_LIT("\xef\xbb\xbf{}"), &t, &fault));
    assert_true(t.bom);
    cof_json_tree_done(&t);
}

static void names_what_is_wrong(void **state)
{
    static const struct { const char *text; const char *what; } rows[] = { /* at @ */
        {"{\"a\":1@,}", "behind the last"}, {"[1@,]", "behind the last"}, {"[1,@,2]", "too many"}, {"[1 @2]", "comma or a closing"}, {"[\"a\"@ \"b\"]", "missing"},
        {"{\"a\" @1}", "colon"}, {"{@a:1}", "without quotes"}, {"[@a]", "without quotes"}, {"@{\"a\":1", "never closed"}, {"@[1", "never closed"},
        {"[1@}", "wrong closing"}, {"[@'a']", "single quotes"}, {"[@// x\n1]", "comments"}, {"[1, @/* x */2]", "comments"}, {"[@# x\n1]", "comments"},
        {"[@\"a\n\"]", "no closing quote"}, {"[\"a@\x01\"]", "control character"}, {"[\"@\\x\"]", "escape"}, {"[\"@\\ud800\"]", "surrogate"},
        {"[\"@\\udc00\"]", "surrogate"}, {"[\"@\\ud800\\u0041\"]", "surrogate"}, {"[@01]", "not a number"}, {"[@1.]", "not a number"}, {"[@-]", "not a number"},
        {"[@1e]", "not a number"}, {"[@True]", "spelling"}, {"{} @{}", "behind the end"}, {"@", "empty"}, {"[@\xe2\x80\x9cx]", "typographic"},
        {"[@\xc2\xa0]", "no-break"}, {"[@\"\xff\"]", "UTF-8"}, {"[1,@", "ends too early"}, {"{\"a\":@", "ends too early"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_json_fault fault;
        struct cof_json_tree t;
        char text[128];
        size_t n = 0, at = SIZE_MAX;

        for (const char *c = rows[i].text; *c != '\0'; c++)
            if (*c == '@')
                at = n;
            else
                text[n++] = *c;
        if (cof_json_tree_parse(cof_view_of(text, n), &t, &fault) != COF_E_FORMAT)
            fail_msg("accepted: %s", rows[i].text);
        if (fault.at != at || strstr(fault.what, rows[i].what) == NULL || fault.mend[0] == '\0')
            fail_msg("%s: at %zu %s (%s)", rows[i].text, fault.at, fault.what, fault.mend);
        assert_int_equal(t.n, 0);
    }
}

/* jansson refuses nothing that is JSON but a NUL in a name, numbers too large, and duplicates on demand. */
static void same_verdict(const char *text, size_t n)
{
    struct cof_json_fault fault;
    struct cof_json_tree t;
    uint8_t *copy = malloc(n + 1); /* exact, so that a sanitizer sees a byte too far */
    json_t *other;
    enum cof_err err;

    assert_non_null(copy);
    memcpy(copy, text, n);
    err = cof_json_tree_parse(cof_view_of(copy, n), &t, &fault);
    other = json_loadb((const char *)copy, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if ((err == COF_OK) != (other != NULL) && !(err == COF_OK && t.bom))
        fail_msg("%.*s: %s here, %s there", (int)n, text, err == COF_OK ? "taken" : fault.what, other != NULL ? "taken" : "refused");
    json_decref(other);
    cof_json_tree_done(&t);
    free(copy);
}

static void every_cut_and_flip(void **state)
{
    char text[sizeof good];
    size_t n = sizeof good - 1;

    for (size_t i = 0; i <= n; i++)
        same_verdict(good, i);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        memcpy(text, good, n);
        text[bit / 8] ^= (char)(1u << bit % 8);
        same_verdict(text, n);
    }
}

static void limits(void **state)
{
    struct cof_json_fault fault;
    struct cof_json_tree t;
    static char text[3 * COF_JSON_TREE_NODES];
    size_t n = 0;

    memset(text, '[', COF_JSON_TREE_DEPTH + 1);
    assert_int_equal(cof_json_tree_parse(cof_view_of(text, COF_JSON_TREE_DEPTH + 1), &t, &fault), COF_E_LIMIT);
    text[n++] = '[';
    for (size_t i = 0; i < COF_JSON_TREE_NODES; i++) {
        text[n++] = '1';
        text[n++] = ',';
    }
    text[n - 1] = ']';
    assert_int_equal(cof_json_tree_parse(cof_view_of(text, n), &t, &fault), COF_E_LIMIT);
    assert_null(t.nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_with_places),
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(every_cut_and_flip),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
