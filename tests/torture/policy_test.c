/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading, linting and judging policies together with each allocation failing in turn, alone and with all that follow: an error or a
 * shorter answer each time, never a crash, a leak (the sanitizer build) or a document that is taken for sound without having been read.
 */
#include "testing.h"

#include "failing.h"


#include "policy/lint.h"
#include "policy/reach.h"

#define KEY "arn:aws:kms:eu-west-1:111122223333:key/k"

static const char key_policy[] =
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"root\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::111122223333:root\"},"
    "\"Action\":\"kms:*\",\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"${role}\"},\"Action\":[\"kms:Decrypt\"],\"Resource\":\"*\","
    "\"Condition\":{\"StringEquals\":{\"kms:RecipientAttestation:PCR0\":\"aa\",\"kms:EncryptionContext:a\":\"b\"}}}]}";
static const char identity_policy[] = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"kms:Decrypt\",\"Resource\":\"" KEY "\"}}";
static struct cof_account account; /* in memory that cannot run out */

/* -> whether everything went well, and what was found */
static bool all(size_t *n_found)
{
    struct cof_document_source key = {.file = "key-k.json", .kind = COF_DOCUMENT_KEY}, role = {.file = "r.json", .kind = COF_DOCUMENT_IDENTITY};
    struct cof_findings f = {0};
    bool ok;

    key.text = cof_view_str(key_policy);
    role.text = cof_view_str(identity_policy);
    cof_account_init(&account);
    ok = cof_account_value(&account, COF_LIT("k_key_arn"), COF_LIT(KEY), NULL) == COF_OK &&
         cof_account_value(&account, COF_LIT("role"), COF_LIT("arn:aws:iam::111122223333:role/x"), NULL) == COF_OK &&
         cof_account_add_document(&account, key, &f) != SIZE_MAX && cof_account_add_document(&account, role, &f) != SIZE_MAX;
    for (size_t i = 0; ok && i < account.n_documents; i++)
        cof_policy_lint(&account.documents[i], &f);
    if (ok) {
        cof_account_guess(&account);
        ok = cof_policy_reach(&account, 1795456800000, &f) == COF_OK;
        cof_findings_sort(&f);
    }
    *n_found = f.n + f.n_lost;
    cof_findings_done(&f);
    cof_account_done(&account);
    return ok;
}

static void each_allocation(void **state)
{
    size_t everything, n;
    long allocations;

    failing_begin(0, false);
    assert_true(all(&everything));
    allocations = failing_end();
    assert_true(everything > 5 && allocations > 100);
    for (int ever_after = 0; ever_after < 2; ever_after++)
        for (long at = 1; at <= allocations; at += at < 400 ? 1 : 17) {
            failing_begin(at, ever_after != 0);
            (void)all(&n);
            (void)failing_end();
            assert_true(n <= everything + 2); /* a document that could not be read may be said to be refused */
        }
    assert_true(all(&n));
    assert_int_equal(n, everything);
}

static int set_up(void **state)
{
    return failing_init() ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation),
    };

    return cmocka_run_group_tests_name("torture/policy", tests, set_up, NULL);
}
