/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the precedence rules of IAM, one row a rule: explicit deny first, either-or and authoritative resource
 * policies, delegation to the account, other accounts, boundaries, sessions, principals, and derived context keys.
 */
#include "testing.h"

#include "policy/evaluate.h"

#define V "{\"Version\":\"2012-10-17\",\"Statement\":"
#define ST(effect, rest)                                                                                               \
    "{\"Sid\":\"S" effect "\",\"Effect\":\"" effect "\",\"Action\":\"s3:Get*\",\"Resource\":\"arn:aws:s3:::b/*\"" rest \
    "}"
#define ALLOW V ST("Allow", "") "}"
#define DENY V ST("Deny", "") "}"
#define FOR(effect, principal) V ST(effect, ",\"Principal\":" principal) "}"
#define NOT_FOR(effect, principal) V ST(effect, ",\"NotPrincipal\":" principal) "}"
#define ELSEWHERE V "{\"Effect\":\"Allow\",\"Action\":\"s3:Put*\",\"Resource\":\"*\"}}"
#define USER "arn:aws:iam::111122223333:user/ann"
#define ROLE "arn:aws:iam::111122223333:role/team/r"
#define SESSION "arn:aws:sts::111122223333:assumed-role/r/s1"
#define ROOT "{\"AWS\":\"arn:aws:iam::111122223333:root\"}"

enum who { ANN, R, STRANGER, ACCOUNT_ROOT, NOBODY, EC2, IDP };

#define C(text) {(const uint8_t *)("" text), sizeof(text) - 1} /* a constant view */

static const struct cof_caller callers[] = {
    [ANN] = {.kind = COF_CALLER_USER,
             .account = C("111122223333"),
             .arn = C(USER),
             .name = C("ann"),
             .user_id = C("AIDA1")},
    [R] = {.kind = COF_CALLER_ROLE,
           .account = C("111122223333"),
           .arn = C(SESSION),
           .role_arn = C(ROLE),
           .user_id = C("AROA1:s1")},
    [STRANGER] = {.kind = COF_CALLER_USER,
                  .account = C("999988887777"),
                  .arn = C("arn:aws:iam::999988887777:user/ann"),
                  .name = C("ann")},
    [ACCOUNT_ROOT] = {.kind = COF_CALLER_ROOT,
                      .account = C("111122223333"),
                      .arn = C("arn:aws:iam::111122223333:root")},
    [NOBODY] = {.kind = COF_CALLER_ANONYMOUS},
    [EC2] = {.kind = COF_CALLER_SERVICE, .arn = C("ec2.amazonaws.com")},
    [IDP] = {.kind = COF_CALLER_FEDERATED, .arn = C("idp.example")},
};

#define EITHER COF_RESOURCE_EITHER
#define KEYLIKE COF_RESOURCE_AUTHORITATIVE

struct row {
    enum who who;
    enum cof_resource_rule rule;
    const char *identity, *resource, *boundary, *session; /* NULL: none */
    enum cof_verdict verdict;
    enum cof_policy_source source;
};

static struct cof_policy *parse(const char *text, enum cof_policy_kind kind)
{
    struct cof_policy *p = NULL;
    struct cof_diag diag = {0};

    if (text != NULL && cof_policy_parse(cof_view_str(text), kind, 8192, &p, &diag) != COF_OK)
        fail_msg("%s: %s", text, diag.text);
    return p;
}

static struct cof_decision run(const struct row *row, const struct cof_context *context)
{
    struct cof_policy *identity = parse(row->identity, COF_POLICY_IDENTITY),
                      *resource = parse(row->resource, COF_POLICY_RESOURCE);
    struct cof_policy *boundary = parse(row->boundary, COF_POLICY_IDENTITY),
                      *session = parse(row->session, COF_POLICY_IDENTITY);
    struct cof_named_policy named = {"identity", identity};
    struct cof_policy_set set = {.identity = &named, .n_identity = identity != NULL, .resource = {"resource", resource},
        .rule = row->rule, .boundary = {"boundary", boundary}, .session = {"session", session}};
    struct cof_access access = {.caller = callers[row->who],
                                .action = COF_LIT("s3:GetObject"),
                                .resource = COF_LIT("arn:aws:s3:::b/ann/x"),
                                .resource_account = COF_LIT("111122223333"),
                                .now_ms = 1795456800000};
    struct cof_decision d;

    if (context != NULL)
        access.context = *context;
    d = cof_evaluate(&set, &access);
    d.sid = (struct cof_view){NULL, 0};
    cof_policy_free(identity);
    cof_policy_free(resource);
    cof_policy_free(boundary);
    cof_policy_free(session);
    return d;
}

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct cof_decision d = run(&rows[i], NULL);
        if (d.verdict != rows[i].verdict || d.source != rows[i].source)
            fail_msg("row %zu: verdict %d, source %d", i, (int)d.verdict, (int)d.source);
    }
}

#define CHECK(rows) check(rows, sizeof rows / sizeof rows[0])
#define YES COF_VERDICT_ALLOW
#define NO COF_VERDICT_IMPLICIT_DENY
#define NEVER COF_VERDICT_EXPLICIT_DENY
#define BY(x) COF_SOURCE_##x

static void precedence(void **state)
{
    static const struct row rows[] = {
        {ANN, EITHER, NULL, NULL, NULL, NULL, NO, BY(IDENTITY)},
        {ANN, EITHER, ALLOW, NULL, NULL, NULL, YES, BY(IDENTITY)},
        {ANN, EITHER, ELSEWHERE, NULL, NULL, NULL, NO, BY(IDENTITY)},
        {ANN, EITHER, DENY, FOR("Allow", "\"*\""), NULL, NULL, NEVER, BY(IDENTITY)},
        {ANN, EITHER, ALLOW, FOR("Deny", "\"*\""), NULL, NULL, NEVER, BY(RESOURCE)},
        {ANN, EITHER, ALLOW, NULL, DENY, NULL, NEVER, BY(BOUNDARY)},
        {R, EITHER, ALLOW, NULL, NULL, DENY, NEVER, BY(SESSION)},
        {ANN, EITHER, NULL, FOR("Allow", "{\"AWS\":\"" USER "\"}"), NULL, NULL, YES, BY(RESOURCE)},
        {ANN, EITHER, NULL, FOR("Allow", "{\"AWS\":\"" ROLE "\"}"), NULL, NULL, NO, BY(IDENTITY)},
        {R, EITHER, NULL, FOR("Allow", "{\"AWS\":\"" ROLE "\"}"), NULL, NULL, YES, BY(RESOURCE)},
        {R, EITHER, NULL, FOR("Allow", "{\"AWS\":\"" SESSION "\"}"), NULL, NULL, YES, BY(RESOURCE)},
        {R, EITHER, NULL, FOR("Allow", "{\"AWS\":\"arn:aws:sts::111122223333:assumed-role/r/s2\"}"), NULL, NULL, NO,
         BY(IDENTITY)},
        {ANN, EITHER, NULL, FOR("Allow", ROOT), NULL, NULL, NO, BY(IDENTITY)}, /* delegates, does not grant */
        {ANN, EITHER, ALLOW, FOR("Allow", ROOT), NULL, NULL, YES, BY(IDENTITY)},
        {ANN, EITHER, NULL, FOR("Allow", "\"*\""), NULL, NULL, YES, BY(RESOURCE)},
        {ACCOUNT_ROOT, EITHER, NULL, NULL, NULL, NULL, YES, BY(ROOT)},
        {ACCOUNT_ROOT, EITHER, NULL, FOR("Deny", "\"*\""), NULL, NULL, NEVER, BY(RESOURCE)},
    };

    CHECK(rows);
}

static void key_policies_are_authoritative(void **state)
{
    static const struct row rows[] = {
        {ANN, KEYLIKE, ALLOW, NULL, NULL, NULL, NO, BY(RESOURCE)},
        {ANN, KEYLIKE, ALLOW, FOR("Allow", "{\"AWS\":\"" ROLE "\"}"), NULL, NULL, NO, BY(RESOURCE)},
        {ANN, KEYLIKE, NULL, FOR("Allow", "{\"AWS\":\"" USER "\"}"), NULL, NULL, YES, BY(RESOURCE)},
        {ANN, KEYLIKE, NULL, FOR("Allow", ROOT), NULL, NULL, NO, BY(IDENTITY)},
        {ANN, KEYLIKE, ALLOW, FOR("Allow", ROOT), NULL, NULL, YES, BY(IDENTITY)},
        {ANN, KEYLIKE, DENY, FOR("Allow", ROOT), NULL, NULL, NEVER, BY(IDENTITY)},
        {ACCOUNT_ROOT, KEYLIKE, NULL, NULL, NULL, NULL, NO, BY(RESOURCE)},
        {ACCOUNT_ROOT, KEYLIKE, NULL, FOR("Allow", ROOT), NULL, NULL, YES, BY(RESOURCE)},
        {STRANGER, KEYLIKE, ALLOW, FOR("Allow", ROOT), NULL, NULL, NO, BY(RESOURCE)},
    };

    CHECK(rows);
}

static void other_accounts_and_callers_without_policies(void **state)
{
    static const struct row rows[] = {
        {STRANGER, EITHER, ALLOW, NULL, NULL, NULL, NO, BY(RESOURCE)},
        {STRANGER, EITHER, NULL, FOR("Allow", "{\"AWS\":\"999988887777\"}"), NULL, NULL, NO, BY(IDENTITY)},
        {STRANGER, EITHER, ALLOW, FOR("Allow", "{\"AWS\":\"999988887777\"}"), NULL, NULL, YES, BY(IDENTITY)},
        {STRANGER, EITHER, NULL, FOR("Allow", "{\"AWS\":\"arn:aws:iam::999988887777:user/ann\"}"), NULL, NULL, NO,
         BY(IDENTITY)},
        {NOBODY, EITHER, ALLOW, NULL, NULL, NULL, NO, BY(RESOURCE)},
        {NOBODY, EITHER, NULL, FOR("Allow", "\"*\""), NULL, NULL, YES, BY(RESOURCE)},
        {NOBODY, EITHER, NULL, FOR("Allow", ROOT), NULL, NULL, NO, BY(RESOURCE)},
        {EC2, EITHER, NULL, FOR("Allow", "{\"Service\":\"ec2.amazonaws.com\"}"), NULL, NULL, YES, BY(RESOURCE)},
        {EC2, EITHER, NULL, FOR("Allow", "{\"Service\":\"s3.amazonaws.com\"}"), NULL, NULL, NO, BY(RESOURCE)},
        {IDP, KEYLIKE, NULL, FOR("Allow", "{\"Federated\":\"idp.example\"}"), NULL, NULL, YES, BY(RESOURCE)},
        {EC2, KEYLIKE, NULL, FOR("Allow", "{\"Federated\":\"ec2.amazonaws.com\"}"), NULL, NULL, NO, BY(RESOURCE)},
        {ANN, EITHER, ALLOW, NOT_FOR("Deny", "{\"AWS\":[\"" USER "\",\"111122223333\"]}"), NULL, NULL, YES, BY(IDENTITY)},
        {ANN, EITHER, ALLOW, NOT_FOR("Deny", "{\"AWS\":\"" USER "\"}"), NULL, NULL, NEVER, BY(RESOURCE)},
        {R, EITHER, ALLOW, NOT_FOR("Deny", "{\"AWS\":\"" USER "\"}"), NULL, NULL, NEVER, BY(RESOURCE)},
        {R, EITHER, ALLOW, NOT_FOR("Deny", "{\"AWS\":[\"" ROLE "\",\"" SESSION "\",\"111122223333\"]}"), NULL, NULL, YES, BY(IDENTITY)},
        {R, EITHER, ALLOW, NOT_FOR("Deny", "{\"AWS\":[\"" ROLE "\",\"111122223333\"]}"), NULL, NULL, NEVER, BY(RESOURCE)},
        {R, EITHER, ALLOW, NOT_FOR("Deny", "{\"AWS\":\"" ROLE "\"}"), NULL, NULL, NEVER, BY(RESOURCE)},
        {ANN, EITHER, ALLOW, FOR("Deny", ROOT), NULL, NULL, NEVER, BY(RESOURCE)}, /* an account means all in it */
    };

    CHECK(rows);
}

static void boundaries_and_sessions(void **state)
{
    static const struct row rows[] = {
        {ANN, EITHER, ALLOW, NULL, ALLOW, NULL, YES, BY(IDENTITY)},
        {ANN, EITHER, ALLOW, NULL, ELSEWHERE, NULL, NO, BY(BOUNDARY)},
        {ANN, EITHER, NULL, NULL, ALLOW, NULL, NO, BY(IDENTITY)}, /* a boundary grants nothing */
        {R, EITHER, ALLOW, NULL, NULL, ALLOW, YES, BY(IDENTITY)},
        {R, EITHER, ALLOW, NULL, NULL, ELSEWHERE, NO, BY(SESSION)},
        {R, EITHER, ALLOW, NULL, ALLOW, ELSEWHERE, NO, BY(SESSION)},
        {R, EITHER, NULL, NULL, NULL, ALLOW, NO, BY(IDENTITY)},
        {ANN, EITHER, NULL, FOR("Allow", "{\"AWS\":\"" USER "\"}"), ELSEWHERE, NULL, YES, BY(RESOURCE)},
        {R, EITHER, NULL, FOR("Allow", "{\"AWS\":\"" SESSION "\"}"), ELSEWHERE, ELSEWHERE, YES, BY(RESOURCE)},
        {R, EITHER, NULL, FOR("Allow", "{\"AWS\":\"" ROLE "\"}"), ELSEWHERE, NULL, NO, BY(BOUNDARY)},
        {R, EITHER, NULL, FOR("Allow", "{\"AWS\":\"" ROLE "\"}"), NULL, ELSEWHERE, NO, BY(SESSION)},
        {R, EITHER, NULL, FOR("Allow", "\"*\""), ELSEWHERE, NULL, NO, BY(BOUNDARY)},
    };

    CHECK(rows);
}

#define IF(cond) V "{\"Effect\":\"Allow\",\"Action\":\"s3:Get*\",\"Resource\":\"*\",\"Condition\":{" cond "}}}"
#define HOME V "{\"Effect\":\"Allow\",\"Action\":\"s3:Get*\",\"Resource\":\"arn:aws:s3:::b/${aws:username}/*\"}}"

static void derived_keys_cannot_be_forged(void **state)
{
    struct cof_view forged[] = {COF_LIT("bob"), COF_LIT("999988887777"), COF_LIT("red"), COF_LIT("1")};
    struct cof_context_value items[] = {{COF_LIT("AWS:username"), &forged[0], 1},
                                        {COF_LIT("aws:PrincipalAccount"), &forged[1], 1},
                                        {COF_LIT("aws:PrincipalTag/team"), &forged[2], 1},
                                        {COF_LIT("aws:EpochTime"), &forged[3], 1}};
    struct cof_context context = {items, 4};
    static const struct {
        struct row row;
        const char *why;
    } rows[] = {
        {{ANN, EITHER, HOME, NULL, NULL, NULL, YES, 0}, "own home"},
        {{R, EITHER, HOME, NULL, NULL, NULL, NO, 0}, "a role has no user name, and none can be handed in"},
        {{ANN, EITHER, IF("\"StringEquals\":{\"aws:PrincipalAccount\":\"111122223333\"}"), NULL, NULL, NULL, YES, 0},
         "account"},
        {{ANN, EITHER, IF("\"StringEquals\":{\"aws:PrincipalTag/team\":\"red\"}"), NULL, NULL, NULL, NO, 0}, "tag"},
        {{R, EITHER, IF("\"ArnEquals\":{\"aws:PrincipalArn\":\"" ROLE "\"}"), NULL, NULL, NULL, YES, 0}, "role ARN"},
        {{R, EITHER, IF("\"StringEquals\":{\"aws:PrincipalType\":\"AssumedRole\",\"aws:userid\":\"AROA1:s1\"}"), NULL,
          NULL, NULL, YES, 0},
         "type"},
        {{ANN, EITHER,
          IF("\"DateLessThan\":{\"aws:CurrentTime\":\"2026-11-23T18:00:01Z\"},\"DateGreaterThan\":{\"aws:EpochTime\":"
             "\"1795456799\"}"),
          NULL, NULL, NULL, YES, 0},
         "time"},
        {{ANN, EITHER, IF("\"StringEquals\":{\"aws:ResourceAccount\":\"111122223333\"}"), NULL, NULL, NULL, YES, 0},
         "resource account"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (run(&rows[i].row, &context).verdict != rows[i].row.verdict)
            fail_msg("%s", rows[i].why);
}

static void tags_of_the_caller_count(void **state)
{
    struct cof_policy *p =
        parse(V "{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"arn:aws:s3:::b/${aws:PrincipalTag/team}/*\"}}",
              COF_POLICY_IDENTITY);
    struct cof_tag tags[] = {
        {COF_LIT("other"), COF_LIT("x")}, {COF_LIT("team"), COF_LIT("red")}, {COF_LIT("star"), COF_LIT("*")}};
    struct cof_named_policy named = {"tags", p};
    struct cof_policy_set set = {.identity = &named, .n_identity = 1};
    struct cof_access access = {
        .caller = callers[ANN], .action = COF_LIT("s3:GetObject"), .resource = COF_LIT("arn:aws:s3:::b/red/x")};

    access.caller.tags = tags;
    access.caller.n_tags = 3;
    assert_int_equal(cof_evaluate(&set, &access).verdict, YES);
    tags[1].value = COF_LIT("*"); /* a wildcard in a tag is no wildcard */
    assert_int_equal(cof_evaluate(&set, &access).verdict, NO);
    cof_policy_free(p);
}

/* What is too large to expand denies where it would deny, and allows nothing. */
static void undecidable_fails_closed(void **state)
{
    static uint8_t huge[COF_EXPANDED_MAX + 1];
    struct cof_view value = {huge, sizeof huge};
    struct cof_context_value item = {COF_LIT("test:Huge"), &value, 1};
    struct cof_context context = {&item, 1};
    static const struct row allow = {
        ANN, EITHER, IF("\"StringEquals\":{\"test:Huge\":\"${test:Huge}\"}"), NULL, NULL, NULL, NO, 0};
    static const struct row deny = {ANN,
                                    EITHER,
                                    ALLOW,
                                    V "{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\","
                                      "\"Condition\":{\"StringEquals\":{\"aws:username\":\"${test:Huge}\"}}}}",
                                    NULL,
                                    NULL,
                                    NEVER,
                                    0};

    assert_int_equal(run(&allow, &context).verdict, NO);
    assert_int_equal(run(&deny, &context).verdict, NEVER);
}

static void explains(void **state)
{
    struct cof_policy *p = parse(DENY, COF_POLICY_IDENTITY);
    struct cof_named_policy named = {"team", p};
    struct cof_policy_set set = {.identity = &named, .n_identity = 1};
    struct cof_access access = {
        .caller = callers[R], .action = COF_LIT("s3:GetObject"), .resource = COF_LIT("arn:aws:s3:::b/x")};
    struct cof_decision d = cof_evaluate(&set, &access);
    struct cof_buf out;

    cof_buf_init(&out, 1024);
    assert_int_equal(d.statement, 0);
    cof_decision_explain(&d, &access, &out);
    assert_string_equal(cof_buf_cstr(&out), ROLE
                        ": s3:GetObject on arn:aws:s3:::b/x is denied by identity policy team, statement 1 (SDeny)");
    assert_true(cof_statement_applies(p, &p->statements[0], &access));
    access.action = COF_LIT("s3:PutObject");
    assert_false(cof_statement_applies(p, &p->statements[0], &access));
    d = cof_evaluate(&set, &access);
    cof_buf_reset(&out);
    cof_decision_explain(&d, &access, &out);
    assert_string_equal(cof_buf_cstr(&out),
                        ROLE ": s3:PutObject on arn:aws:s3:::b/x is denied because no identity policy allows it");
    cof_buf_done(&out);
    cof_policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precedence), cmocka_unit_test(key_policies_are_authoritative),
        cmocka_unit_test(other_accounts_and_callers_without_policies), cmocka_unit_test(boundaries_and_sessions),
        cmocka_unit_test(derived_keys_cannot_be_forged), cmocka_unit_test(tags_of_the_caller_count),
        cmocka_unit_test(undecidable_fails_closed), cmocka_unit_test(explains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
