/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: each path to a key past its attestation condition is found across the documents that make it (C-08, C-09, C-11, C-12), and
 * blamed on the statement that opens it; and a policy that closes the path has no such finding.
 *
 * In the texts ' stands for ".
 */
#include "testing.h"

#include "policy/lint.h"
#include "policy/reach.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define KEY "arn:aws:kms:eu-west-1:111122223333:key/k"
#define ROLE(name) "{'AWS':'arn:aws:iam::111122223333:role/" name "'}"
#define ROOT "{'AWS':'arn:aws:iam::111122223333:root'}"
#define P(statements) "{'Version':'2012-10-17','Statement':[" statements "]}"
#define PCRS "'kms:RecipientAttestation:PCR0':'" HEX "','kms:RecipientAttestation:PCR1':'" HEX "','kms:RecipientAttestation:PCR2':'" HEX "'"
#define IF_ENCLAVE ",'Condition':{'StringEquals':{" PCRS "}}"
#define GIVE(sid, principal, action, cond) \
    "{'Sid':'" sid "','Effect':'Allow','Principal':" principal ",'Action':" action ",'Resource':'*'" cond "}"
#define DENY(action, cond) "{'Sid':'deny','Effect':'Deny','Principal':'*','Action':" action ",'Resource':'*'" cond "}"
#define UNATTESTED ",'Condition':{'Null':{'kms:RecipientAttestation:PCR0':'true'}}"
#define MAY(sid, action, cond) "{'Sid':'" sid "','Effect':'Allow','Action':" action ",'Resource':'" KEY "'" cond "}"
#define ENCLAVE GIVE("enclave", ROLE("consumer"), "'kms:Decrypt'", IF_ENCLAVE)
#define ADMIN "," GIVE("admin", ROLE("admin"), "'kms:PutKeyPolicy'", "")
#define CLOSED "," DENY("['kms:Decrypt','kms:ReEncrypt*']", UNATTESTED)

static const struct row {
    const char *files[4]; /* key.json first; then identity policies of roles a, b, c, or NULL */
    const char *rule, *sid; /* NULL: none of the rules about paths */
} rows[] = {
    {{P(ENCLAVE CLOSED ADMIN)}, NULL, NULL},
    {{P(ENCLAVE ADMIN)}, NULL, NULL},
    /* the key policy opens it by itself */
    {{P(ENCLAVE "," GIVE("open", ROLE("other"), "'kms:Decrypt'", "") ADMIN)}, "reachable-without-attestation", "open"},
    {{P(ENCLAVE "," GIVE("open", ROLE("other"), "'kms:Decrypt'", "") CLOSED ADMIN)}, NULL, NULL},
    {{P(ENCLAVE "," GIVE("open", ROLE("other"), "'kms:Decrypt'", ",'Condition':{'StringEquals':{'kms:EncryptionContext:tenant':'t'}}") ADMIN)},
     "reachable-without-attestation", "open"},
    {{P(ENCLAVE "," GIVE("weak", ROLE("other"), "'kms:Decrypt'", ",'Condition':{'StringEqualsIfExists':{" PCRS "}}") ADMIN)}, "reachable-without-attestation", "weak"},
    {{P(ENCLAVE "," GIVE("weak", ROLE("other"), "'kms:Decrypt'", ",'Condition':{'ForAllValues:StringEquals':{" PCRS "}}") ADMIN)},
     "reachable-without-attestation", "weak"},
    /* root delegation, and an identity policy that takes it up */
    {{P(ENCLAVE "," GIVE("root", ROOT, "'kms:*'", "") ADMIN)}, "reachable-without-attestation", "root"},
    {{P(ENCLAVE "," GIVE("root", ROOT, "'kms:Decrypt'", "") ADMIN), P(MAY("careless", "'kms:Decrypt'", ""))}, "reachable-without-attestation", "careless"},
    {{P(ENCLAVE "," GIVE("root", ROOT, "['kms:Describe*','kms:Get*']", "") ADMIN), P(MAY("careless", "'kms:Decrypt'", ""))}, "without-effect", "careless"},
    {{P(ENCLAVE "," GIVE("root", ROOT, "'kms:*'", "") CLOSED "," DENY("'kms:CreateGrant'", "") ADMIN), P(MAY("careless", "'kms:Decrypt'", ""))}, "replicate-path", "root"},
    /* a Deny with a hole: it spares who names a tenant */
    {{P(ENCLAVE "," GIVE("open", ROLE("other"), "'kms:Decrypt'", "") "," DENY("'kms:Decrypt'", ",'Condition':{'Null':{'kms:RecipientAttestation:PCR0':'true','kms:EncryptionContext:tenant':'true'}}") ADMIN)},
     "reachable-without-attestation", "open"},
    /* the same role has it elsewhere */
    {{"", P(MAY("attested", "'kms:Decrypt'", IF_ENCLAVE) "," MAY("again", "'kms:*'", ""))}, "reachable-without-attestation", "again"},
    {{"", P(MAY("attested", "'kms:Decrypt'", IF_ENCLAVE))}, NULL, NULL},
    /* what somebody takes for attestation */
    {{P(GIVE("fake", ROLE("consumer"), "'kms:Decrypt'", ",'Condition':{'StringNotEquals':{'aws:RequestContext:x':'y'}}") ADMIN)}, "reachable-without-attestation", "fake"},
    /* grants */
    {{P(ENCLAVE "," GIVE("grants", ROLE("other"), "'kms:CreateGrant'", "") ADMIN)}, "grant-path", "grants"},
    {{P(ENCLAVE "," GIVE("grants", ROLE("other"), "'kms:CreateGrant'", ",'Condition':{'Bool':{'kms:GrantIsForAWSResource':'true'}}") ADMIN)}, NULL, NULL},
    {{P(ENCLAVE "," GIVE("grants", ROLE("other"), "'kms:CreateGrant'", ",'Condition':{'ForAllValues:StringEquals':{'kms:GrantOperations':['Encrypt']}}") ADMIN)}, NULL, NULL},
    {{P(ENCLAVE "," GIVE("grants", ROLE("other"), "'kms:CreateGrant'", "") CLOSED ADMIN)}, NULL, NULL}, /* a Deny binds grantees too */
    /* ReEncrypt and replicas */
    {{P(ENCLAVE "," GIVE("moves", ROLE("other"), "'kms:ReEncryptFrom'", "") ADMIN)}, "reencrypt-path", "moves"},
    {{P(ENCLAVE "," GIVE("moves", ROLE("other"), "'kms:ReEncrypt*'", "") CLOSED ADMIN)}, NULL, NULL},
    {{P(ENCLAVE "," GIVE("copies", ROLE("other"), "'kms:ReplicateKey'", "") CLOSED ADMIN)}, "replicate-path", "copies"},
    /* another account: its role, and all of it */
    {{P(ENCLAVE "," GIVE("abroad", "{'AWS':'arn:aws:iam::444455556666:role/x'}", "'kms:Decrypt'", "") ADMIN)}, "reachable-without-attestation", "abroad"},
    {{P(ENCLAVE "," GIVE("abroad", "{'AWS':'444455556666'}", "'kms:Decrypt'", "") ADMIN)}, "reachable-without-attestation", "abroad"},
    {{P(ENCLAVE "," GIVE("abroad", "{'AWS':'444455556666'}", "'kms:Decrypt'", IF_ENCLAVE) ADMIN)}, NULL, NULL},
    /* no attestation is demanded of this use at all */
    {{P(GIVE("plain", ROLE("owner"), "'kms:Decrypt'", "") ADMIN)}, NULL, NULL},
    /* in vain */
    {{P(ENCLAVE ADMIN), P(MAY("vain", "'kms:Decrypt'", ""))}, "without-effect", "vain"},
    {{P(ENCLAVE "," GIVE("mfa", ROOT, "'kms:DescribeKey'", "") ADMIN), P(MAY("factor", "'kms:DescribeKey'", ",'Condition':{'Bool':{'aws:MultiFactorAuthPresent':'true'}}"))},
     "mfa-in-role-session", "factor"},
};

static bool about_paths(enum cof_rule rule)
{
    return rule == COF_RULE_UNATTESTED || rule == COF_RULE_GRANT_PATH || rule == COF_RULE_REENCRYPT_PATH || rule == COF_RULE_REPLICATE_PATH ||
           rule == COF_RULE_WITHOUT_EFFECT || rule == COF_RULE_MFA_ON_ROLE;
}

static void each_path_past_attestation_is_found(void **state)
{
    static const char *const names[] = {"key-k.json", "a.json", "b.json", "c.json"};
    struct cof_account *account = malloc(sizeof *account);

    assert_non_null(account);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static char texts[4][8192];
        struct cof_findings f = {0};
        bool there = false;

        cof_account_init(account);
        assert_ok(cof_account_value(account, COF_LIT("k_key_arn"), COF_LIT(KEY), NULL));
        for (size_t k = 0; k < 4 && rows[i].files[k] != NULL; k++) {
            struct cof_document_source source = {.file = names[k], .kind = k == 0 ? COF_DOCUMENT_KEY : COF_DOCUMENT_IDENTITY};
            size_t n = 0;

            for (const char *c = rows[i].files[k]; *c != '\0'; c++)
                texts[k][n++] = *c == '\'' ? '"' : *c;
            source.text = cof_view_of(texts[k], n);
            if (n > 0)
                assert_int_not_equal(cof_account_add_document(account, source, &f), SIZE_MAX);
        }
        assert_int_equal(f.n, 0);
        cof_account_guess(account);
        assert_ok(cof_policy_reach(account, 1795456800000, &f));
        for (size_t k = 0; k < f.n; k++) {
            bool wanted = rows[i].rule != NULL && strcmp(cof_rule_name(f.items[k].rule), rows[i].rule) == 0 && cof_view_eq_str(f.items[k].sid, rows[i].sid);

            there = there || wanted;
            if (rows[i].rule == NULL && about_paths(f.items[k].rule))
                fail_msg("row %zu: %s: %s", i, cof_rule_name(f.items[k].rule), f.items[k].text);
        }
        if (rows[i].rule != NULL && !there) {
            for (size_t k = 0; k < f.n; k++)
                print_error("%s: %s\n", cof_rule_name(f.items[k].rule), f.items[k].text);
            fail_msg("row %zu: no %s of %s", i, rows[i].rule, rows[i].sid);
        }
        cof_findings_done(&f);
        cof_account_done(account);
    }
    free(account);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_past_attestation_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
