/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the global condition keys have the values AWS gives them, for users, sessions, root, nobody and services, asked
 * directly and through a service; and are absent where AWS leaves them out. Each row is one Condition of a bucket policy
 * for everybody, which alone decides.
 */
#include "identity_fixture.h"
#include "standin/trail.h"

#define MANIFEST                                                                                                       \
    "{\"users\":[{\"name\":\"ann\",\"tags\":{\"team\":\"blue\"}}],\"roles\":[{\"name\":\"r\",\"tags\":{\"team\":\"red\",\"own\":\"1\"},"           \
    "\"trust\":{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Principal\":\"*\"}}}]}"

enum who { ANN, ANN_MFA, SESSION, ROOT, NOBODY, SERVICE };

static const char *const names[] = {"ann", "ann with a second factor", "a session", "root", "nobody", "a service"};

/* Views that outlive the call. */
struct asked {
    struct cof_iam_principal principal;
    struct cof_caller service;
};

static void become(struct fixture *f, enum who who, struct asked *out)
{
    struct cof_iam_key key = {.kind = who == ROOT ? COF_CALLER_ROOT : who == SESSION ? COF_CALLER_ROLE : COF_CALLER_USER,
        .created_ms = f->now_ms - 60000};

    *out = (struct asked){.service = {.kind = COF_CALLER_SERVICE, .arn = COF_LIT("ec2.amazonaws.com")}};
    if (who == NOBODY || who == SERVICE) {
        cof_iam_principal_anonymous(&out->principal);
        return;
    }
    if (who != ROOT)
        key.name = strdup(who == SESSION ? "r" : "ann");
    if (who == ANN_MFA || who == SESSION)
        key.session_token = strdup("t");
    if (who == ANN_MFA)
        key.mfa_ms = f->now_ms - 90000;
    if (who == SESSION) {
        key.session_name = strdup("s1");
        key.source_identity = strdup("bob");
        key.provider = strdup("arn:aws:iam::111122223333:oidc-provider/idp");
        assert_ok(cof_iam_key_tag(&key, COF_LIT("Team"), COF_LIT("green"), false));
    }
    assert_ok(cof_iam_principal_init(&f->store.ops, "111122223333", &key, &out->principal));
}

static bool allowed(struct fixture *f, enum who who, bool tls, const char *via, const char *condition)
{
    struct cof_http_head head = {.method = COF_LIT("GET"), .path = COF_LIT("/")};
    struct asked asked;
    struct cof_standin_request req = {.head = &head, .service = "s3", .region = "us-east-1", .source_ip = "10.1.2.3", .tls = tls,
        .now_ms = f->now_ms, .principal = &asked.principal};
    struct cof_standin_access access = {.action = "s3:GetObject", .resource = COF_LIT("arn:aws:s3:::b/x"),
        .resource_policy_name = "bucket-policy", .resource_policy_kind = COF_POLICY_RESOURCE, .rule = COF_RESOURCE_AUTHORITATIVE, .via = via};
    char policy[900];
    enum cof_err err;

    (void)snprintf(policy, sizeof policy,
        "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\",\"Principal\":%s,\"Condition\":{%s}}}",
        who == SERVICE ? "{\"Service\":\"ec2.amazonaws.com\"}" : "\"*\"", condition);
    access.resource_policy = cof_view_str(policy);
    become(f, who, &asked);
    if (who == SERVICE)
        access.caller = &asked.service;
    cof_headers_init(&head.headers);
    cof_headers_add_str(&head.headers, "User-Agent", "camera/1");
    cof_headers_add_str(&head.headers, "Referer", "https://a.example/");
    cof_trail_init(&req);
    err = cof_standin_authorize(f->s, &req, &access, NULL);
    if (err != COF_OK && err != COF_E_DENIED)
        fail_msg("%s: %s", condition, cof_err_name(err));
    assert_int_equal(req.authorized, err == COF_OK);
    cof_trail_done(&req);
    cof_headers_done(&head.headers);
    cof_iam_principal_done(&asked.principal);
    return err == COF_OK;
}

#define IS(op, key, value) "\"" op "\":{\"" key "\":\"" value "\"}"
#define EQ(key, value) IS("StringEquals", key, value)
#define ABSENT(key) IS("Null", key, "true")

static const struct {
    enum who who;
    const char *condition;
} hold[] = {
    {ANN, EQ("aws:PrincipalArn", "arn:aws:iam::111122223333:user/ann")},
    {SESSION, IS("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/r")}, /* the role, not the session */
    {ROOT, EQ("aws:PrincipalArn", "arn:aws:iam::111122223333:root")},
    {NOBODY, ABSENT("aws:PrincipalArn")},
    {ANN, EQ("aws:PrincipalAccount", "111122223333")},
    {NOBODY, EQ("aws:PrincipalAccount", "anonymous")},
    {ANN, EQ("aws:PrincipalType", "User")},
    {SESSION, EQ("aws:PrincipalType", "AssumedRole")},
    {ROOT, EQ("aws:PrincipalType", "Account")},
    {NOBODY, EQ("aws:PrincipalType", "Anonymous")},
    {ANN, EQ("aws:username", "ann")},
    {SESSION, ABSENT("aws:username")},
    {ROOT, ABSENT("aws:username")},
    {NOBODY, ABSENT("aws:username")},
    {ANN, IS("StringLike", "aws:userid", "AIDA*")},
    {SESSION, IS("StringLike", "aws:userid", "AROA*:s1")},
    {ROOT, EQ("aws:userid", "111122223333")},
    {NOBODY, EQ("aws:userid", "anonymous")},
    {ANN, EQ("aws:PrincipalTag/team", "blue")},
    {ANN, EQ("aws:principaltag/TEAM", "blue")},
    {SESSION, EQ("aws:PrincipalTag/team", "green")}, /* the session's hides the role's */
    {SESSION, EQ("aws:PrincipalTag/own", "1")},
    {ROOT, ABSENT("aws:PrincipalTag/team")},
    {ANN, IS("IpAddress", "aws:SourceIp", "10.0.0.0/8")},
    {ANN, IS("NotIpAddress", "aws:SourceIp", "192.168.0.0/16")},
    {ANN, IS("Bool", "aws:SecureTransport", "true")},
    {ANN, IS("DateEquals", "aws:CurrentTime", "2026-11-23T20:00:00Z")},
    {ANN, IS("NumericEquals", "aws:EpochTime", "1795464000")},
    {ANN, IS("DateEquals", "aws:EpochTime", "2026-11-23T20:00:00Z")},
    {ANN, EQ("aws:RequestedRegion", "us-east-1")},
    {ANN, EQ("aws:ResourceAccount", "111122223333")},
    {ANN, EQ("aws:UserAgent", "camera/1")},
    {ANN, EQ("aws:Referer", "https://a.example/")},
    {ANN, IS("Bool", "aws:ViaAWSService", "false")},
    {ANN, ABSENT("aws:CalledVia")},
    {ANN, IS("Bool", "aws:PrincipalIsAWSService", "false")},
    {SERVICE, IS("Bool", "aws:PrincipalIsAWSService", "true")},
    {SERVICE, EQ("aws:PrincipalServiceName", "ec2.amazonaws.com")},
    {ANN, ABSENT("aws:PrincipalServiceName")},
    {ANN, ABSENT("aws:MultiFactorAuthPresent")}, /* long-term keys know nothing of it */
    {ANN, ABSENT("aws:MultiFactorAuthAge")},
    {ANN, IS("BoolIfExists", "aws:MultiFactorAuthPresent", "true")}, /* the trap of IfExists with Allow */
    {ANN_MFA, IS("Bool", "aws:MultiFactorAuthPresent", "true")},
    {ANN_MFA, IS("NumericEquals", "aws:MultiFactorAuthAge", "90")},
    {SESSION, IS("Bool", "aws:MultiFactorAuthPresent", "false")},
    {SESSION, ABSENT("aws:MultiFactorAuthAge")},
    {ANN, ABSENT("aws:TokenIssueTime")},
    {SESSION, IS("DateEquals", "aws:TokenIssueTime", "2026-11-23T19:59:00Z")},
    {SESSION, EQ("aws:SourceIdentity", "bob")},
    {ANN, ABSENT("aws:SourceIdentity")},
    {SESSION, EQ("aws:FederatedProvider", "arn:aws:iam::111122223333:oidc-provider/idp")},
    {ANN, ABSENT("aws:FederatedProvider")},
    {ANN, ABSENT("aws:PrincipalOrgID")},
    {ANN, ABSENT("aws:SourceVpc")},
    {ANN, EQ("aws:PrincipalTag/team", "${aws:PrincipalTag/team}")},
    {ANN, EQ("aws:username", "${aws:username}")},
    {SESSION, EQ("aws:SourceIdentity", "${aws:username, 'bob'}")},
};

static void global_keys(void **state)
{
    struct fixture f;

    (void)state;
    identity_init(&f, MANIFEST, NULL);
    for (size_t i = 0; i < sizeof hold / sizeof hold[0]; i++)
        if (!allowed(&f, hold[i].who, true, NULL, hold[i].condition))
            fail_msg("%s: %s does not hold", names[hold[i].who], hold[i].condition);
    /* and the negation of some, so that a policy that says nothing would not pass */
    assert_false(allowed(&f, SESSION, true, NULL, EQ("aws:PrincipalTag/team", "red")));
    assert_false(allowed(&f, ANN, false, NULL, IS("Bool", "aws:SecureTransport", "true")));
    assert_false(allowed(&f, ANN, true, NULL, IS("IpAddress", "aws:SourceIp", "10.1.2.4")));
    assert_false(allowed(&f, ANN, true, NULL, IS("Bool", "aws:MultiFactorAuthPresent", "true")));
    assert_false(allowed(&f, SESSION, true, NULL, IS("ArnEquals", "aws:PrincipalArn", "arn:aws:sts::111122223333:assumed-role/r/s1")));
    fixture_done(&f);
}

static void through_a_service(void **state)
{
    struct fixture f;

    (void)state;
    identity_init(&f, MANIFEST, NULL);
    assert_true(allowed(&f, ANN, true, "s3", IS("Bool", "aws:ViaAWSService", "true")));
    assert_true(allowed(&f, ANN, true, "s3", IS("ForAnyValue:StringEquals", "aws:CalledVia", "s3.amazonaws.com")));
    assert_true(allowed(&f, ANN, true, "s3", EQ("aws:CalledViaFirst", "s3.amazonaws.com")));
    assert_true(allowed(&f, ANN, true, "s3", EQ("aws:CalledViaLast", "s3.amazonaws.com")));
    assert_true(allowed(&f, ANN, true, "s3", EQ("aws:username", "ann")));
    assert_true(allowed(&f, ANN, true, "s3", ABSENT("aws:SourceIp")));
    assert_false(allowed(&f, ANN, true, "s3", IS("IpAddress", "aws:SourceIp", "0.0.0.0/0")));
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(global_keys),
        cmocka_unit_test(through_a_service),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
