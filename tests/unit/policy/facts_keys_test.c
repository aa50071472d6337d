/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves of the table of condition keys: each key is there once, written prefix:Name, of a service that the linter has a table for or of
 * AWS; and every key of a service with a whole table is one that some of its actions carry.
 */
#include "testing.h"

#include "policy/facts.h"

#include <string.h>

static bool next(const struct cof_key_list **l, struct cof_view *rest, struct cof_view *name)
{
    for (; (*l)->names != NULL; *rest = cof_view_str((++*l)->names != NULL ? (*l)->names : ""))
        if (cof_facts_word(rest, name))
            return true;
    return false;
}

static void each_is_there_once(void **state)
{
    const struct cof_key_list *l = cof_facts_key_lists, *m;
    struct cof_view rest = cof_view_str(l->names), name, others, other;
    size_t n = 0;

    for (; next(&l, &rest, &name); n++)
        for (m = l, others = rest; next(&m, &others, &other);)
            if (cof_view_eq_nocase(name, other))
                fail_msg("%.*s is there twice", (int)name.len, (const char *)name.data);
    assert_true(n > 400);
}

static void they_belong_to_somebody(void **state)
{
    static const char *const without_table[] = {"aws", "identitystore", "glue"};
    const struct cof_key_list *l = cof_facts_key_lists;
    struct cof_view rest = cof_view_str(l->names), name, prefix, own;

    while (next(&l, &rest, &name)) {
        bool known = false;

        assert_true(cof_view_split(name, ':', &prefix, &own) && own.len > 0);
        for (size_t i = 0; i < 3; i++)
            known = known || cof_view_eq_str(prefix, without_table[i]);
        if (!known && cof_facts_service(prefix) == NULL)
            fail_msg("%.*s is of no service", (int)name.len, (const char *)name.data);
        if (l->type == COF_KEY_UNKNOWN)
            fail_msg("%.*s has no type", (int)name.len, (const char *)name.data);
    }
}

static bool carried(const struct cof_service_fact *s, struct cof_view own)
{
    struct cof_view rest = cof_view_str(s->common_keys), word;

    while (cof_facts_word(&rest, &word))
        if (cof_view_eq(word, own))
            return true;
    for (const struct cof_action_fact *a = s->actions; a->name != NULL; a++)
        for (rest = cof_view_str(a->keys); cof_facts_word(&rest, &word);)
            if (cof_view_eq(word, own))
                return true;
    return false;
}

static void somebody_carries_them(void **state)
{
    const struct cof_key_list *l = cof_facts_key_lists;
    struct cof_view rest = cof_view_str(l->names), name, prefix, own;

    while (next(&l, &rest, &name)) {
        const struct cof_service_fact *s;

        (void)cof_view_split(name, ':', &prefix, &own);
        s = cof_facts_service(prefix);
        if (s != NULL && s->actions != NULL && s->common_keys != NULL && !carried(s, own))
            fail_msg("no action carries %.*s", (int)name.len, (const char *)name.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_there_once),
        cmocka_unit_test(they_belong_to_somebody),
        cmocka_unit_test(somebody_carries_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
