/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the tables of actions and keys are sound (no name twice, each key of an action in the table of types), and what the rules ask
 * of them is answered rightly, above all for attestation: which KMS operations can be attested and which cannot (C-09).
 */
#include "testing.h"

#include "policy/facts.h"

static void tables_are_sound(void **state)
{
    for (size_t i = 0; cof_facts_service_at(i) != NULL; i++) {
        const struct cof_service_fact *s = cof_facts_service_at(i);
        const struct cof_action_fact *fact, *other;
        struct cof_view name, again;
        size_t n = 0;

        for (size_t a = 0; cof_facts_next(s, &a, &name, &fact); n++) {
            assert_true(name.len > 0 && cof_view_find(name, ':') == SIZE_MAX);
            for (size_t b = a; cof_facts_next(s, &b, &again, &other);)
                if (cof_view_eq_nocase(name, again))
                    fail_msg("%s:%.*s is there twice", s->prefix, (int)name.len, (const char *)name.data);
            for (struct cof_view rest = cof_view_str(fact != NULL ? fact->keys : ""), key; cof_facts_word(&rest, &key);) {
                struct cof_key_fact type;
                char full[160];

                (void)snprintf(full, sizeof full, "%s:%.*s", s->prefix, (int)key.len, (const char *)key.data);
                for (char *c = full; *c != '\0'; c++) /* an instance of the pattern */
                    *c = *c == '*' ? 'x' : *c == '#' ? '7' : *c;
                if (!cof_facts_key(cof_view_str(full), &type))
                    fail_msg("%s of %s has no type", full, fact->name);
            }
        }
        assert_true(n > 3);
    }
}

static bool carries(const char *action, const char *key)
{
    const struct cof_service_fact *s;
    const struct cof_action_fact *a;

    assert_true(cof_facts_action(cof_view_str(action), &s, &a));
    return cof_facts_action_has_key(s, a, cof_view_str(key));
}

static void what_can_be_attested(void **state)
{
    static const char *const yes[] = {"kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:GenerateRandom", "kms:DeriveSharedSecret"};
    static const char *const no[] = {"kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:Sign", "kms:PutKeyPolicy", "kms:CreateGrant",
        "kms:GenerateDataKeyWithoutPlaintext"};

    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(carries(yes[i], "kms:RecipientAttestation:PCR31") && carries(yes[i], "kms:RecipientAttestation:ImageSha384"));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(carries(no[i], "kms:RecipientAttestation:PCR0"));
    assert_true(carries("kms:Encrypt", "kms:ViaService") && carries("kms:encrypt", "aws:SourceIp"));
    assert_true(carries("s3:PutObject", "s3:if-none-match") && !carries("s3:GetObject", "s3:prefix") && carries("s3:ListBucket", "s3:prefix"));
}

static void keys(void **state)
{
    static const struct { const char *key; enum cof_key_type type; bool list; } rows[] = {
        {"aws:SecureTransport", COF_KEY_BOOL, false}, {"AWS:securetransport", COF_KEY_BOOL, false}, {"aws:SourceIp", COF_KEY_IP, false},
        {"aws:CurrentTime", COF_KEY_DATE, false}, {"aws:PrincipalArn", COF_KEY_ARN, false}, {"aws:TagKeys", COF_KEY_STRING, true},
        {"aws:MultiFactorAuthAge", COF_KEY_NUMERIC, false}, {"kms:EncryptionContext:tenant", COF_KEY_STRING, false},
        {"kms:EncryptionContext:", COF_KEY_UNKNOWN, false}, {"kms:RecipientAttestation:PCR31", COF_KEY_STRING, false},
        {"kms:RecipientAttestation:PCR32", COF_KEY_UNKNOWN, false}, {"kms:RecipientAttestation:PCR01", COF_KEY_UNKNOWN, false},
        {"kms:RecipientAttestation:PCR", COF_KEY_UNKNOWN, false}, {"kms:RecipientAttestation", COF_KEY_UNKNOWN, false},
        {"aws:RequestContext", COF_KEY_UNKNOWN, false}, {"", COF_KEY_UNKNOWN, false}, {"s3:TlsVersion", COF_KEY_NUMERIC, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_key_fact fact;

        if (cof_facts_key(cof_view_str(rows[i].key), &fact) != (rows[i].type != COF_KEY_UNKNOWN) || fact.type != rows[i].type || fact.list != rows[i].list)
            fail_msg("%s: type %d, list %d", rows[i].key, (int)fact.type, fact.list);
    }
    assert_true(cof_facts_key_always(COF_LIT("aws:SecureTransport")) && !cof_facts_key_always(COF_LIT("aws:MultiFactorAuthPresent")));
    assert_true(cof_view_eq_str(cof_facts_nearest_key(COF_LIT("aws:SourcAccount")), "aws:SourceAccount"));
    assert_true(cof_view_eq_str(cof_facts_nearest_action(cof_facts_service(COF_LIT("kms")), COF_LIT("Decript")), "Decrypt"));
    assert_int_equal(cof_facts_nearest_action(cof_facts_service(COF_LIT("kms")), COF_LIT("Frobnicate")).len, 0);
    assert_null(cof_facts_service(COF_LIT("foo")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_sound),
        cmocka_unit_test(what_can_be_attested),
        cmocka_unit_test(keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
