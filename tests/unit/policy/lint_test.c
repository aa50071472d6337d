/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: each known mistake is found (C-11 to C-15) in its own policy, and a sound policy has no findings.
 */
#include "testing.h"

#include "policy/lint.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ZEROS "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
#define A "kms:RecipientAttestation:"
#define ROLE "{\"AWS\":\"arn:aws:iam::111122223333:role/r\"}"
#define ALLOW(principal, cond)                                                                                         \
    "{\"Effect\":\"Allow\",\"Principal\":" principal ",\"Action\":\"kms:Decrypt\",\"Resource\":\"*\"" cond "}"
#define EQ(key, value) "\"" A key "\":\"" value "\""
#define IF(op, keys) ",\"Condition\":{\"" op "\":{" keys "}}"
#define DENY(op, keys)                                                                                                 \
    "{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"kms:Decrypt\",\"Resource\":\"*\"" IF(op, keys) "}"
#define ALL3 EQ("PCR0", HEX) "," EQ("PCR1", HEX) "," EQ("PCR2", HEX)
#define MISSING DENY("Null", EQ("PCR0", "true"))
#define P(statements) "{\"Version\":\"2012-10-17\",\"Statement\":[" statements "]}"

static void each_mistake_is_found(void **state)
{
    static const struct {
        const char *text, *finding; /* the only one; NULL: none */
    } rows[] = {
        {P(ALLOW(ROLE, IF("StringEquals", ALL3)) "," MISSING), NULL},
        {P(ALLOW(ROLE, IF("StringEquals", ALL3))), "NO_ATTESTATION_DENY"},
        {P(ALLOW(ROLE, IF("StringEquals", EQ("PCR0", ZEROS) "," EQ("PCR1", HEX) "," EQ("PCR2", HEX))) "," MISSING),
         "ZERO_PCR"}, /* C-13 */
        {P(ALLOW(ROLE, IF("StringLike", EQ("PCR0", "*") "," EQ("PCR1", HEX) "," EQ("PCR2", HEX))) "," MISSING),
         "EMPTY_PCR"},
        {P(ALLOW(ROLE, IF("StringEquals", "\"kms:RecipientAttestation\":\"" HEX "\""))), "UNKNOWN_KEY"}, /* C-12 */
        {P(ALLOW(ROLE, IF("StringEquals", EQ("PCR32", HEX)))), "UNKNOWN_KEY"},
        {P(ALLOW(ROLE, IF("StringEquals", "\"aws:RequestContext:attestation\":\"x\""))), "REQUEST_CONTEXT"}, /* C-12 */
        {P(ALLOW("{\"AWS\":\"arn:aws:iam::111122223333:root\"}", "")), "ROOT_DELEGATION"},                   /* C-11 */
        {P("{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"111122223333\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}"),
         "ROOT_DELEGATION"},
        {P("{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"111122223333\"},\"Action\":\"kms:Describe*\",\"Resource\":"
           "\"*\"}"),
         NULL},
        {P(ALLOW("\"*\"", "")), "PUBLIC_KEY_USE"},
        {P(ALLOW(ROLE, IF("StringEquals", ALL3)) "," MISSING "," DENY("StringNotEquals", ALL3)), "ANDED_DENY"},
        {P(ALLOW(ROLE, IF("StringEquals", EQ("PCR8", HEX))) "," MISSING), "SIGNER_ONLY"},      /* C-14 */
        {P(ALLOW(ROLE, IF("StringEquals", EQ("ImageSha384", HEX))) "," MISSING), "PCR0_ONLY"}, /* C-15 */
        {P(ALLOW(ROLE,
                 IF("StringEquals", ALL3 "," EQ("PCR8", "ABCDEF6789abcdef0123456789abcdef0123456789abcdef0123456789abcd"
                                                        "ef0123456789abcdef0123456789abcdef"))) "," MISSING),
         "PCR_CASE"},
        {P("{\"Effect\":\"Allow\",\"NotPrincipal\":" ROLE ",\"Action\":\"kms:Decrypt\",\"Resource\":\"*\"}"),
         "NOT_PRINCIPAL_ALLOW"},
        {"{\"Statement\":[" ALLOW(ROLE, "") "]}", "OLD_VERSION"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_lint_finding found[8];
        struct cof_policy *p = NULL;
        struct cof_diag diag = {0};
        size_t n;

        if (cof_policy_parse(cof_view_str(rows[i].text), COF_POLICY_RESOURCE, 32768, &p, &diag) != COF_OK)
            fail_msg("%s", diag.text);
        n = cof_policy_lint(p, found, 8);
        if (n != (rows[i].finding != NULL) || (n == 1 && strcmp(cof_lint_name(found[0].code), rows[i].finding) != 0))
            fail_msg("row %zu: %zu findings, first %s; want %s", i, n, n > 0 ? cof_lint_name(found[0].code) : "-",
                     rows[i].finding != NULL ? rows[i].finding : "none");
        cof_policy_free(p);
    }
}

static void counts_what_does_not_fit(void **state)
{
    struct cof_policy *p = NULL;

    assert_ok(
        cof_policy_parse(COF_LIT("{\"Statement\":[" ALLOW("\"*\"", "") "]}"), COF_POLICY_RESOURCE, 4096, &p, NULL));
    assert_int_equal(cof_policy_lint(p, NULL, 0), 2);
    cof_policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_mistake_is_found),
                                       cmocka_unit_test(counts_what_does_not_fit)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
