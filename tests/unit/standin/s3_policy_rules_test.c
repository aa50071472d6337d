/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_policy_rules.h"
#include "testing.h"

#include <stdio.h>

/* A policy of one statement for bucket "bbb": effect and principal as given, the rest of the members as JSON text. */
static enum cof_err judge(const char *members, char why[static COF_S3_POLICY_WHY], bool *is_public)
{
    struct cof_policy *policy = NULL;
    char text[2000];
    enum cof_err err;

    (void)snprintf(text, sizeof text, "{\"Version\":\"2012-10-17\",\"Statement\":[{%s}]}", members);
    err = cof_s3_policy_read(cof_view_str(text), "bbb", &policy, why);
    *is_public = err == COF_OK && cof_s3_policy_is_public(policy);
    cof_policy_free(policy);
    return err;
}

#define WHO "\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"111122223333\"},"
#define ANYONE "\"Effect\":\"Allow\",\"Principal\":\"*\","
#define READ "\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::bbb/*\""

static void actions_and_resources_must_fit_the_bucket(void **state)
{
    static const struct { const char *rest, *why; } cases[] = {
        {READ, NULL},
        {"\"Action\":\"s3:getobject\",\"Resource\":\"arn:aws:s3:::bbb/*\"", NULL},
        {"\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::bbb\"", NULL},
        {"\"Action\":\"*\",\"Resource\":\"*\"", NULL},
        {"\"Action\":[\"s3:GetObject\",\"s3:ListBucket\"],\"Resource\":\"arn:aws:s3:::bbb*\"", NULL},
        {"\"NotAction\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::bbb\"", NULL},
        {"\"Action\":\"s3:GetObject\",\"NotResource\":\"arn:aws:s3:::bbb/x\"", NULL},
        {"\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::${aws:username}/x\"", NULL},
        {"\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::bb\"", "Policy has invalid resource"},
        {"\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::bbbb/*\"", "Policy has invalid resource"},
        {"\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::bb/b\"", "Policy has invalid resource"},
        {"\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:sqs:::bbb/*\"", "Policy has invalid resource"},
        {"\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::bbb\"", "Action does not apply to any resource(s) in statement"},
        {"\"Action\":\"s3:ListBucket\",\"Resource\":\"arn:aws:s3:::bbb/*\"", "Action does not apply to any resource(s) in statement"},
        {"\"Action\":\"s3:GetObjects\",\"Resource\":\"arn:aws:s3:::bbb/*\"", "Policy has invalid action"},
        {"\"Action\":\"kms:Decrypt\",\"Resource\":\"arn:aws:s3:::bbb/*\"", "Policy has invalid action"},
        {READ ",\"Condition\":{\"StringEquals\":{\"s3:prefix\":\"a\"}}", "Conditions do not apply to combination of actions and resources in statement"},
        {READ ",\"Condition\":{\"StringEquals\":{\"s3:unheard\":\"a\"}}", "Policy has an invalid condition key"},
        {READ ",\"Condition\":{\"StringEquals\":{\"s3:ExistingObjectTag/\":\"a\"}}", "Policy has an invalid condition key"},
        {READ ",\"Condition\":{\"StringEquals\":{\"S3:existingobjecttag/a\":\"a\"}}", NULL},
        {"\"Action\":\"s3:List*\",\"Resource\":\"arn:aws:s3:::bbb\",\"Condition\":{\"StringEquals\":{\"s3:prefix\":\"a\"}}", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[COF_S3_POLICY_WHY], members[1000];
        bool is_public;

        (void)snprintf(members, sizeof members, WHO "%s", cases[i].rest);
        assert_int_equal(judge(members, why, &is_public), cases[i].why == NULL ? COF_OK : COF_E_FORMAT);
        assert_string_equal(why, cases[i].why == NULL ? "" : cases[i].why);
        assert_false(is_public);
    }
}

static void members_are_missed_by_name(void **state)
{
    static const struct { const char *text, *why; } cases[] = {
        {"", "Policies must be valid JSON and the first byte must be '{'"},
        {"[]", "Policies must be valid JSON and the first byte must be '{'"},
        {"{\"Statement\":{}", "Policies must be valid JSON and the first byte must be '{'"},
        {"{}", "Missing required field Statement"},
        {"{\"Statement\":[]}", "Could not parse the policy: Statement is empty!"},
        {"{\"Statement\":{}}", "Missing required field Effect"},
        {"{\"Statement\":[{\"Effect\":\"Deny\"}]}", "Missing required field Principal"},
        {"{\"Statement\":[{\"Effect\":\"Deny\",\"NotPrincipal\":\"*\"}]}", "Missing required field Action"},
        {"{\"Statement\":[{" ANYONE "\"Action\":\"s3:*\"}]}", "Missing required field Resource"},
        {"{\"Statement\":[{\"Effect\":\"Forbid\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}", "Invalid effect: Forbid"},
    };
    struct cof_policy *policy;
    char why[COF_S3_POLICY_WHY], *large = calloc(1, COF_S3_POLICY_MAX + 2);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(cof_s3_policy_read(cof_view_str(cases[i].text), "bbb", &policy, why), COF_E_FORMAT);
        assert_string_equal(why, cases[i].why);
        assert_null(policy);
    }
    memset(large, ' ', COF_S3_POLICY_MAX + 1);
    assert_int_equal(cof_s3_policy_read(cof_view_str(large), "bbb", &policy, why), COF_E_LIMIT);
    free(large);
}

static void public_is_what_reaches_people_who_are_not_fixed(void **state)
{
    static const struct { const char *members; bool is_public; } cases[] = {
        {ANYONE READ, true},
        {WHO READ, false},
        {"\"Effect\":\"Deny\",\"Principal\":\"*\"," READ, false},
        {"\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"111122223333\",\"*\"]}," READ, true},
        {"\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"logging.s3.amazonaws.com\"}," READ, false},
        {ANYONE READ ",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"}}", false},
        {ANYONE READ ",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/7\"}}", true},
        {ANYONE READ ",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"2001:db8::/32\"}}", false},
        {ANYONE READ ",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"2001:db8::/31\"}}", true},
        {ANYONE READ ",\"Condition\":{\"IpAddressIfExists\":{\"aws:SourceIp\":\"10.0.0.0/8\"}}", true},
        {ANYONE READ ",\"Condition\":{\"StringEquals\":{\"aws:PrincipalAccount\":\"111122223333\"}}", false},
        {ANYONE READ ",\"Condition\":{\"StringEquals\":{\"aws:PrincipalAccount\":[\"111122223333\",\"*\"]}}", true},
        {ANYONE READ ",\"Condition\":{\"StringNotEquals\":{\"aws:PrincipalAccount\":\"111122223333\"}}", true},
        {ANYONE READ ",\"Condition\":{\"ForAllValues:StringEquals\":{\"aws:PrincipalOrgID\":\"o-1\"}}", true},
        {ANYONE READ ",\"Condition\":{\"StringEquals\":{\"aws:SourceVpc\":\"${aws:PrincipalTag/vpc}\"}}", true},
        {ANYONE READ ",\"Condition\":{\"StringLike\":{\"aws:userid\":\"AROAEXAMPLE:*\"}}", false},
        {ANYONE READ ",\"Condition\":{\"StringLike\":{\"aws:userid\":\"*\"}}", true},
        {ANYONE READ ",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"true\"}}", true},
        {ANYONE READ ",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"true\"},\"ArnEquals\":{\"aws:SourceArn\":\"arn:aws:sns:us-east-1:111122223333:t\"}}", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[COF_S3_POLICY_WHY];
        bool is_public;

        assert_int_equal(judge(cases[i].members, why, &is_public), COF_OK);
        assert_int_equal(is_public, cases[i].is_public);
    }
}

static void allow_with_not_principal_is_refused(void **state)
{
    char why[COF_S3_POLICY_WHY];
    bool is_public;

    assert_int_equal(judge("\"Effect\":\"Allow\",\"NotPrincipal\":{\"AWS\":\"111122223333\"}," READ, why, &is_public), COF_E_FORMAT);
    assert_int_equal(judge("\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":\"111122223333\"}," READ, why, &is_public), COF_OK);
    assert_false(is_public);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions_and_resources_must_fit_the_bucket),
        cmocka_unit_test(members_are_missed_by_name),
        cmocka_unit_test(public_is_what_reaches_people_who_are_not_fixed),
        cmocka_unit_test(allow_with_not_principal_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
