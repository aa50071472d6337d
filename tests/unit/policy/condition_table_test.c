/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: every operator, over the table condition_table.txt beside this file: positive and negative, several values on
 * either side, the key absent, IfExists, ForAllValues, ForAnyValue.
 */
#include "testing.h"

#include "policy/condition.h"

#include <stdio.h>
#include <string.h>

#define MAX_VALUES 8
#define TABLE SOURCE_ROOT "/tests/unit/policy/condition_table.txt"

static size_t split(struct cof_view joined, struct cof_view out[MAX_VALUES])
{
    size_t n = 0;
    bool more = true;

    while (more && n < MAX_VALUES)
        more = cof_view_split(joined, '|', &out[n++], &joined);
    return n;
}

static bool row(struct cof_view line, bool *right)
{
    struct cof_view op, want, got, holds, wants[MAX_VALUES], gots[MAX_VALUES];
    struct cof_condition cond = {.key = COF_LIT("test:Key"), .values = wants};
    struct cof_context_value item = {COF_LIT("TEST:key"), gots, 0};
    struct cof_context context = {&item, 1};
    bool out;

    if (!cof_view_split(line, '\t', &op, &line) || !cof_view_split(line, '\t', &want, &line) ||
        !cof_view_split(line, '\t', &got, &holds))
        return false;
    cond.n_values = split(want, wants);
    item.n_values = cof_view_eq(got, COF_LIT("-")) ? 0 : split(got, gots);
    if (cof_condition_parse_op(op, &cond) != COF_OK)
        return false;
    for (size_t i = 0; i < cond.n_values; i++)
        if (!cof_condition_value_ok(&cond, wants[i]))
            return false;
    if (cof_condition_check(&cond, &context, true, &out) != COF_OK)
        return false;
    *right = out == cof_view_eq(holds, COF_LIT("yes"));
    return true;
}

static void the_table(void **state)
{
    FILE *file = fopen(TABLE, "re");
    char line[1024];
    size_t n = 0, wrong = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        bool right = false;

        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0')
            continue;
        n++;
        if (!row(cof_view_str(line), &right) || !right) {
            print_message("# wrong: %s\n", line);
            wrong++;
        }
    }
    (void)fclose(file);
    assert_true(n > 800);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_table)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
