/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: policies become the structs they say; every misuse of the grammar is refused, at its line and column; any cut
 * of a good policy is refused and leaks nothing.
 */
#include "testing.h"

#include "policy/policy.h"

static const char good[] =
    "{\n"
    "  \"Version\": \"2012-10-17\", \"Id\": \"x\",\n"
    "  \"Statement\": [{\"Sid\": \"A\", \"Effect\": \"Allow\", \"Principal\": {\"AWS\": [\"111122223333\",\n"
    "    \"arn:aws:iam::111122223333:root\", \"arn:aws:iam::111122223333:role/p/r\", \"*\"], \"Service\": "
    "\"ec2.amazonaws.com\"},\n"
    "    \"Action\": [\"kms:Decrypt\", \"kms:Gen*\"], \"Resource\": \"*\",\n"
    "    \"Condition\": {\"Bool\": {\"aws:SecureTransport\": true}, \"NumericLessThan\": {\"s3:TlsVersion\": [1, "
    "\"1.2\"]}}},\n"
    "   {\"Effect\": \"Deny\", \"NotPrincipal\": {\"Federated\": \"idp\"}, \"NotAction\": \"s3:*\", \"NotResource\": "
    "\"arn:aws:s3:::${aws:username}/*\"}]\n"
    "}";

static void reads_all_elements(void **state)
{
    struct cof_policy *p;
    const struct cof_statement *s;

    assert_ok(cof_policy_parse(cof_view_str(good), COF_POLICY_RESOURCE, 4096, &p, NULL));
    assert_true(p->variables && cof_view_eq_str(p->id, "x"));
    assert_int_equal(p->n_statements, 2);
    s = &p->statements[0];
    assert_true(cof_view_eq_str(s->sid, "A") && s->effect == COF_EFFECT_ALLOW && !s->not_action && !s->not_resource);
    assert_int_equal(s->n_principals, 5);
    assert_int_equal(s->principals[0].kind, COF_PRINCIPAL_ACCOUNT);
    assert_int_equal(s->principals[1].kind, COF_PRINCIPAL_ACCOUNT);
    assert_true(cof_view_eq_str(s->principals[1].value, "111122223333"));
    assert_int_equal(s->principals[2].kind, COF_PRINCIPAL_ARN);
    assert_int_equal(s->principals[3].kind, COF_PRINCIPAL_ANYONE);
    assert_int_equal(s->principals[4].kind, COF_PRINCIPAL_SERVICE);
    assert_int_equal(s->n_actions, 2);
    assert_int_equal(s->n_conditions, 2);
    assert_true(cof_view_eq_str(s->conditions[0].values[0], "true"));
    assert_true(cof_view_eq_str(s->conditions[1].values[0], "1"));
    assert_true(cof_view_eq_str(s->conditions[1].key, "s3:TlsVersion"));
    s = &p->statements[1];
    assert_true(s->not_principal && s->not_action && s->not_resource && s->effect == COF_EFFECT_DENY);
    cof_policy_free(p);
}

static void refuses(void **state)
{
    static const struct {
        enum cof_policy_kind kind;
        const char *text, *complaint;
    } rows[] = {
        {COF_POLICY_IDENTITY, "", "line 1, column"},
        {COF_POLICY_IDENTITY, "[]", "a policy is a JSON object"},
        {COF_POLICY_IDENTITY, "{} x", "line 1, column"},
        {COF_POLICY_IDENTITY, "{\"Version\":\"2012-10-17\"}", "line 1, column 1: the policy has no Statement"},
        {COF_POLICY_IDENTITY, "{\"Version\":\"2026-01-01\",\"Statement\":[]}", "line 1, column 2: Version is"},
        {COF_POLICY_IDENTITY, "{\"Statement\":[]}", "there is no statement"},
        {COF_POLICY_IDENTITY, "{\"Statement\":[],\"Statement\":[]}", "duplicate"},
        {COF_POLICY_IDENTITY, "{\"statement\":[]}", "unknown element in a policy: statement"},
        {COF_POLICY_IDENTITY,
         "{\"Statement\":[\n  {\"Effect\":\"Allow\", \"Action\":\"*\", \"Resource\":\"*\"},\n  "
         "{\"Effect\":\"Allow\",\n   \"Actions\":\"*\"}]}",
         "line 4, column 4: unknown element in a statement: Actions"},
        {COF_POLICY_IDENTITY, "{\"Statement\":{\"Effect\":\"allow\",\"Action\":\"*\",\"Resource\":\"*\"}}",
         "line 1, column 15: Effect is"},
        {COF_POLICY_IDENTITY, "{\"Statement\":{\"Action\":\"*\",\"Resource\":\"*\"}}",
         "line 1, column 2: the statement has no Effect"},
        {COF_POLICY_IDENTITY, "{\"Statement\":{\"Effect\":\"Deny\",\"Resource\":\"*\"}}",
         "neither Action nor NotAction"},
        {COF_POLICY_IDENTITY, "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\"}}",
         "neither Resource nor NotResource"},
        {COF_POLICY_IDENTITY,
         "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"NotAction\":\"*\",\"Resource\":\"*\"}}",
         "exclude each other"},
        {COF_POLICY_IDENTITY, "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"Decrypt\",\"Resource\":\"*\"}}",
         "not an action (service:Name): Decrypt"},
        {COF_POLICY_IDENTITY, "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":[],\"Resource\":\"*\"}}",
         "the list is empty"},
        {COF_POLICY_IDENTITY, "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":[\"s3:a\",\n7],\"Resource\":\"*\"}}",
         "line 2, column 1: a string is expected"},
        {COF_POLICY_IDENTITY, "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"bucket/*\"}}",
         "not an ARN and not \"*\": bucket/*"},
        {COF_POLICY_IDENTITY, "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"arn:aws:s3*\"}}",
         "not an ARN"},
        {COF_POLICY_IDENTITY,
         "{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}}",
         "an identity policy has no Principal"},
        {COF_POLICY_RESOURCE, "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}}",
         "neither Principal nor NotPrincipal"},
        {COF_POLICY_TRUST,
         "{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}}",
         "a trust policy has no Resource"},
        {COF_POLICY_TRUST, "{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"me\",\"Action\":\"*\"}}",
         "a principal is"},
        {COF_POLICY_TRUST,
         "{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"arn:aws:iam::111122223333:role/"
         "*\"},\"Action\":\"*\"}}",
         "no wildcard"},
        {COF_POLICY_TRUST, "{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"me\"},\"Action\":\"*\"}}",
         "no account and no ARN"},
        {COF_POLICY_TRUST, "{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":{\"aws\":\"*\"},\"Action\":\"*\"}}",
         "unknown kind of principal: aws"},
        {COF_POLICY_TRUST,
         "{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":{\"Aws\":\"111122223333\"},\"Action\":\"*\"}}",
         "unknown kind of principal: Aws"},
        /* the public original's mistake: a Condition inside the Principal */
        {COF_POLICY_TRUST,
         "{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"*\",\"Condition\":{}},\"Action\":\"*\"}}",
         "line 1, column 54"},
        {COF_POLICY_IDENTITY,
         "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"StringIs\":{\"a:b\":"
         "\"c\"}}}}",
         "unknown condition operator: StringIs"},
        {COF_POLICY_IDENTITY,
         "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"Bool\":{\"a:b\":"
         "\"c\"}}}}",
         "not a value for this operator: c"},
        {COF_POLICY_IDENTITY,
         "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"Bool\":{\"ab\":"
         "\"true\"}}}}",
         "a condition key is service:Name: ab"},
        {COF_POLICY_IDENTITY,
         "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"Bool\":{}}}}",
         "needs an object of keys"},
        {COF_POLICY_IDENTITY,
         "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"Bool\":{\"a:b\":{"
         "\"c\":1}}}}}",
         "a string is expected"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_diag diag = {0};
        struct cof_policy *p;

        if (cof_policy_parse(cof_view_str(rows[i].text), rows[i].kind, 4096, &p, &diag) != COF_E_FORMAT)
            fail_msg("accepted: %s", rows[i].text);
        assert_null(p);
        if (strstr(diag.text, rows[i].complaint) == NULL)
            fail_msg("%s\nsays: %s", rows[i].text, diag.text);
    }
}

static void limits(void **state)
{
    struct cof_policy *p;
    struct cof_buf text;

    assert_int_equal(cof_policy_parse(cof_view_str(good), COF_POLICY_RESOURCE, sizeof good - 2, &p, NULL), COF_E_LIMIT);
    cof_buf_init(&text, 1 << 20);
    cof_buf_add_str(&text, "{\"Statement\":[");
    for (int i = 0; i <= COF_POLICY_STATEMENTS_MAX; i++)
        cof_buf_printf(&text, "%s{}", i > 0 ? "," : "");
    cof_buf_add_str(&text, "]}");
    assert_int_equal(cof_policy_parse(cof_buf_view(&text), COF_POLICY_IDENTITY, 1 << 20, &p, NULL), COF_E_LIMIT);
    cof_buf_reset(&text);
    for (int i = 0; i < 100000; i++)
        cof_buf_add_str(&text, "[");
    assert_int_equal(cof_policy_parse(cof_buf_view(&text), COF_POLICY_IDENTITY, 1 << 20, &p, NULL), COF_E_FORMAT);
    cof_buf_done(&text);
}

static void every_cut_is_refused(void **state)
{
    for (size_t n = 0; n + 1 < sizeof good; n++) {
        struct cof_policy *p;
        uint8_t *copy = malloc(n + 1);

        if (copy == NULL)
            fail();
        else
            memcpy(copy, good, n); /* its own block, so that a sanitizer sees reads past the cut */
        assert_int_equal(cof_policy_parse(cof_view_of(copy, n), COF_POLICY_RESOURCE, 4096, &p, NULL), COF_E_FORMAT);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_elements),
        cmocka_unit_test(refuses),
        cmocka_unit_test(limits),
        cmocka_unit_test(every_cut_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
