/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: members and elements are found where they stand, whatever the white space and the strings around them, and no
 * text, well formed or not, is read past its end.
 */
#include "testing.h"

#include "policy/locate.h"

static const char text[] = "\n{ \"a\\\"]\" : [1, {\"x\":\"}\"}, \"s,\" , [ ] ],\n  \"b\": {\"c\" :true,\n\"d\":[\n{},9]}}";

static void find(size_t line, size_t column, const char *keys, int index)
{
    struct cof_locate_path path = {.n = 0};
    struct cof_view rest = cof_view_str(keys), key;
    static char names[4][16];
    size_t got_line, got_column, n = 0;

    while (rest.len > 0) {
        (void)cof_view_split(rest, '.', &key, &rest);
        memcpy(names[n], key.data, key.len);
        names[n][key.len] = '\0';
        cof_locate_push_key(&path, names[n++]);
    }
    if (index >= 0)
        cof_locate_push_index(&path, (size_t)index);
    cof_locate(cof_view_str(text), &path, &got_line, &got_column);
    if (got_line != line || got_column != column)
        fail_msg("%s[%d]: %zu:%zu, want %zu:%zu", keys, index, got_line, got_column, line, column);
}

static void finds(void **state)
{
    find(2, 1, "", -1);
    find(2, 3, "a\\\"]", -1);
    find(2, 13, "a\\\"]", 0);
    find(2, 16, "a\\\"]", 1);
    find(2, 27, "a\\\"]", 2);
    find(2, 34, "a\\\"]", 3);
    find(3, 3, "b", -1);
    find(3, 9, "b.c", -1);
    find(4, 1, "b.d", -1);
    find(5, 1, "b.d", 0);
    find(5, 4, "b.d", 1);
    find(3, 3, "b.nope", -1); /* as far as it goes */
    find(2, 1, "nope.c", -1);
}

static void reads_no_further_than_the_text(void **state)
{
    struct cof_locate_path path = {.n = 0};
    size_t line, column;

    cof_locate_push_key(&path, "b");
    cof_locate_push_key(&path, "d");
    cof_locate_push_index(&path, 1);
    for (size_t n = 0; n < sizeof text; n++) {
        uint8_t *copy = malloc(n + 1);

        if (copy == NULL)
            abort();
        memcpy(copy, text, n);
        cof_locate(cof_view_of(copy, n), &path, &line, &column);
        assert_true(line >= 1 && line <= 5);
        free(copy);
    }
}

static void deep_paths_are_counted_not_kept(void **state)
{
    struct cof_locate_path path = {.n = 0};
    size_t line, column;

    for (int i = 0; i < 100; i++)
        cof_locate_push_key(&path, "b");
    cof_locate(cof_view_str(text), &path, &line, &column);
    assert_int_equal(line, 3);
    for (int i = 0; i < 100; i++)
        cof_locate_pop(&path);
    cof_locate_pop(&path);
    assert_int_equal(path.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(reads_no_further_than_the_text),
        cmocka_unit_test(deep_paths_are_counted_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
