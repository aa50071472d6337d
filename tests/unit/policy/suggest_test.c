/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the nearest name is suggested, and nothing where nothing is near.
 */
#include "testing.h"

#include "policy/suggest.h"

static const char *const names[] = {"account", "region", "vpc_endpoints", "source_accounts", "keys", NULL};

static void nearest(void **state)
{
    static const struct {
        const char *given, *expected;
    } rows[] = {
        {"acount", "account"}, {"ACCOUNT", "account"}, {"regoin", "region"}, {"vpcendpoints", "vpc_endpoints"},
        {"source_account", "source_accounts"}, {"key", "keys"}, {"zebra", NULL}, {"", NULL},
        {"a very long name that nobody could have meant, and longer than any that is looked at here", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *found = cof_suggest(cof_view_str(rows[i].given), names);

        if ((found == NULL) != (rows[i].expected == NULL) || (found != NULL && strcmp(found, rows[i].expected) != 0))
            fail_msg("%s: %s", rows[i].given, found == NULL ? "nothing" : found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nearest)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
