/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: STS refuses with AWS's codes and words, bad forms included; a second factor is good once and for a minute and a
 * half; sessions end, are forgotten a day later, and never outlive what the role and chaining allow.
 */
#include "identity_fixture.h"

#include "engine/totp.h"

#define SECRET "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
#define DOC(rest) "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\"," rest "}}"
#define ALL "\"policies\":[{\"name\":\"all\",\"document\":" DOC("\"Action\":\"*\",\"Resource\":\"*\"") "}]"
#define TRUST(principal, condition)                                                                                    \
    "\"trust\":" DOC("\"Action\":\"sts:*\",\"Principal\":" principal ",\"Condition\":{" condition "}")
#define OURS "{\"AWS\":\"111122223333\"}"
#define WORLD(who)                                                                                                     \
    "{\"users\":[{\"name\":\"ann\",\"mfa\":\"" SECRET "\"," ALL "}],\"roles\":[{\"name\":\"r\"," ALL "," TRUST(OURS, "")        \
    ",\"max_session_s\":43200},{\"name\":\"mfa\"," TRUST(OURS, "\"Bool\":{\"aws:MultiFactorAuthPresent\":\"true\"}")            \
    "}],\"credentials\":[{\"name\":\"root\"," who "}],\"buckets\":[{\"name\":\"bbb\"}]}"
#define ANN WORLD("\"user\":\"ann\"")
#define ROOT WORLD("\"root\":true")
#define R "arn:aws:iam::111122223333:role/r"
#define ASSUME "Action=AssumeRole&Version=2011-06-15&RoleArn=" R "&RoleSessionName=s1"
#define SERIAL "arn:aws:iam::111122223333:mfa/ann"

static const struct {
    const char *world, *form;
    int status;
    const char *has;
} rows[] = {
    {ANN, ASSUME, 200, "arn:aws:sts::111122223333:assumed-role/r/s1"},
    {ROOT, ASSUME, 403, "Roles may not be assumed by root accounts."},
    {ANN, "Action=AssumeRole&Version=2011-06-15", 400,
        "2 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null; Value "
        "null at 'roleSessionName' failed to satisfy constraint: Member must not be null"},
    {ANN, ASSUME "+x", 400,
        "1 validation error detected: Value 's1 x' at 'roleSessionName' failed to satisfy constraint: Member must satisfy "
        "regular expression pattern: [\\w+=,.@-]*"},
    {ANN, "Action=AssumeRole&RoleArn=" R "&RoleSessionName=s", 400, "Member must have length greater than or equal to 2"},
    {ANN, "Action=AssumeRole&RoleArn=short&RoleSessionName=s1", 400, "greater than or equal to 20"},
    {ANN, ASSUME "&DurationSeconds=899", 400, "Member must have value greater than or equal to 900"},
    {ANN, ASSUME "&DurationSeconds=43201", 400, "Member must have value less than or equal to 43200"},
    {ANN, ASSUME "&DurationSeconds=43200", 200, NULL},
    {ANN, ASSUME "&DurationSeconds=1h", 400, "MalformedInput"},
    {ANN, ASSUME "&DurationSeconds=%zz", 400, "MalformedInput"},
    {ANN, ASSUME "&ExternalId=%00", 400, "MalformedInput"},
    {ANN, ASSUME "&SourceIdentity=%ff%fe", 400, "MalformedInput"},
    {ANN, ASSUME "&SourceIdentity=a+b", 400, "sourceIdentity"},
    {ANN, ASSUME "&Tags.member.1.Value=x", 400, "Value null at 'tags.1.member.key'"},
    {ANN, ASSUME "&Tags.member.1.Key=x", 400, "Value null at 'tags.1.member.value'"},
    {ANN, ASSUME "&Tags.member.1.Key=x&Tags.member.1.Value=1", 200, "<PackedPolicySize>1</PackedPolicySize>"},
    {ANN, ASSUME "&Tags.member.1.Key=&Tags.member.1.Value=1", 400, "greater than or equal to 1"},
    {ANN, ASSUME "&Policy=%7B%7D", 400, "MalformedPolicyDocument"},
    {ANN, ASSUME "&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/x", 400, "managed policies are not kept here"},
    {ANN, ASSUME "&SerialNumber=" SERIAL, 403, "must provide both MFA serial number and one time pass code"},
    {ANN, ASSUME "&SerialNumber=short&TokenCode=12345", 400,
        "2 validation errors detected: Value 'short' at 'serialNumber' failed to satisfy constraint: Member must have length "
        "greater than or equal to 9; Value '12345' at 'tokenCode' failed to satisfy constraint: Member must have length greater "
        "than or equal to 6"},
    {ANN, ASSUME "&SerialNumber=" SERIAL "&TokenCode=12345x", 400, "Value '12345x' at 'tokenCode'"},
    {ANN, ASSUME "&SerialNumber=GAHT12345678&TokenCode=123456", 403, "unable to validate MFA code"},
    {ANN, ASSUME "&SerialNumber=" SERIAL "&TokenCode=000000", 403, "invalid MFA one time pass code"},
    {ANN, "Action=AssumeRole&RoleSessionName=s1&RoleArn=arn:aws:iam::111122223333:role/none", 403,
        "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: sts:AssumeRole on resource: "
        "arn:aws:iam::111122223333:role/none"},
    {ANN, "Action=AssumeRole&RoleSessionName=s1&RoleArn=arn:aws:iam::999999999999:role/r", 403, "AccessDenied"},
    {ANN, "Action=AssumeRole&RoleSessionName=s1&RoleArn=arn:aws:iam::111122223333:user/r", 400, "is invalid"},
    {ANN, "Action=GetSessionToken&DurationSeconds=129600", 200, "<SessionToken>"},
    {ANN, "Action=GetSessionToken&DurationSeconds=129601", 400, "129600"},
    {ROOT, "Action=GetSessionToken&DurationSeconds=43200", 200, "<Expiration>2026-11-23T21:00:00Z</Expiration>"},
    {ANN, "Action=GetAccessKeyInfo&AccessKeyId=AKIA", 400, "greater than or equal to 16"},
    {ANN, "Action=GetAccessKeyInfo&AccessKeyId=AKIAIOSFODNN7EXAMPLE", 403, "InvalidClientTokenId"},
    {ANN, "Action=DecodeAuthorizationMessage&EncodedMessage=abc", 400, "InvalidAuthorizationMessageException"},
    {ANN, "Action=CreateRole&Version=2010-05-08", 400, "Could not find operation CreateRole for version 2010-05-08"},
    {ANN, "Action=GetCallerIdentity&Version=2010-05-08", 400, "InvalidAction"},
    {ANN, "Version=2011-06-15", 400, "MissingAction"},
    {ANN, "", 400, "MissingAction"},
    {ANN, "&&&===&Action=GetCallerIdentity", 200, "user/ann"},
};

static void each_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        struct answer a;

        identity_init(&f, rows[i].world, NULL);
        identity_call(&f, rows[i].form, &a);
        if (a.status != rows[i].status || (rows[i].has != NULL && !answer_has(&a, rows[i].has)))
            fail_msg("%s: %d %.*s", rows[i].form, a.status, (int)a.body.len, (const char *)a.body.data);
        answer_done(&a);
        fixture_done(&f);
    }
}

static void unsigned_calls(void **state)
{
    static const char *const forms[] = {"Action=GetCallerIdentity", ASSUME, "Action=GetSessionToken", "", "Action=None"};
    struct fixture f;
    struct answer a;

    (void)state;
    identity_init(&f, ANN, NULL);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        identity_post(&f, NULL, "/", "", forms[i], &a);
        assert_int_equal(a.status, 403);
        assert_true(answer_has(&a, "<Code>MissingAuthenticationToken</Code>"));
        answer_done(&a);
    }
    fixture_done(&f);
}

static void large_forms(void **state)
{
    char *form = malloc(200001);
    struct fixture f;
    struct answer a;

    (void)state;
    identity_init(&f, ANN, NULL);
    memset(form, '&', 200000);
    form[200000] = '\0';
    identity_call(&f, form, &a);
    assert_int_equal(a.status, 413);
    answer_done(&a);
    free(form);
    fixture_done(&f);
}

static void with_code(struct fixture *f, const char *before, const char *code, int status)
{
    struct answer a;
    char form[400];

    (void)snprintf(form, sizeof form, "%s&SerialNumber=" SERIAL "&TokenCode=%s", before, code);
    identity_call(f, form, &a);
    if (a.status != status)
        fail_msg("%s: %d %.*s", form, a.status, (int)a.body.len, (const char *)a.body.data);
    answer_done(&a);
}

static void codes_are_good_once(void **state)
{
    const uint64_t step = FIXTURE_NOW / COF_TOTP_STEP_MS;
    char code[5][COF_TOTP_DIGITS + 1];
    struct fixture f;

    (void)state;
    identity_init(&f, ANN, NULL);
    for (uint64_t i = 0; i < 5; i++)
        assert_ok(cof_totp_code(COF_LIT(SECRET), step - 2 + i, code[i]));
    with_code(&f, "Action=GetSessionToken", code[0], 403);
    with_code(&f, "Action=GetSessionToken", code[4], 403);
    with_code(&f, "Action=GetSessionToken", code[1], 200);
    with_code(&f, "Action=GetSessionToken", code[1], 403);
    /* a code is used up by a call that fails for another reason, too */
    with_code(&f, "Action=AssumeRole&RoleSessionName=s1&RoleArn=arn:aws:iam::111122223333:role/none", code[2], 403);
    with_code(&f, "Action=AssumeRole&RoleSessionName=s1&RoleArn=arn:aws:iam::111122223333:role/mfa", code[2], 403);
    with_code(&f, "Action=AssumeRole&RoleSessionName=s1&RoleArn=arn:aws:iam::111122223333:role/mfa", code[3], 200);
    f.now_ms += 2 * COF_TOTP_STEP_MS;
    with_code(&f, "Action=GetSessionToken", code[4], 200);
    fixture_done(&f);
}

struct given {
    char id[64], secret[64], token[200];
};

static void take(struct answer *a, struct given *out)
{
    assert_int_equal(a->status, 200);
    answer_between(a, "<AccessKeyId>", "<", out->id, sizeof out->id);
    answer_between(a, "<SecretAccessKey>", "<", out->secret, sizeof out->secret);
    answer_between(a, "<SessionToken>", "<", out->token, sizeof out->token);
    answer_done(a);
}

static int status_as(struct fixture *f, const struct given *g, const char *form, const char *has)
{
    struct cof_sigv4_credentials keys = {cof_view_str(g->id), cof_view_str(g->secret), cof_view_str(g->token)};
    struct answer a;
    int status;

    identity_post(f, &keys, "/", "", form, &a);
    if (!answer_has(&a, has))
        fail_msg("%s: %d %.*s", form, a.status, (int)a.body.len, (const char *)a.body.data);
    status = a.status;
    answer_done(&a);
    return status;
}

static void sessions_end(void **state)
{
    struct given session;
    struct fixture f;
    struct answer a;

    (void)state;
    identity_init(&f, ANN, NULL);
    identity_call(&f, ASSUME "&DurationSeconds=900", &a);
    take(&a, &session);
    f.now_ms += 899999;
    assert_int_equal(status_as(&f, &session, "Action=GetCallerIdentity", "assumed-role/r/s1"), 200);
    f.now_ms += 1;
    assert_int_equal(status_as(&f, &session, "Action=GetCallerIdentity", "ExpiredToken"), 403);
    f.now_ms += 90000000; /* more than a day later; the next session sweeps */
    identity_call(&f, ASSUME, &a);
    answer_done(&a);
    assert_int_equal(status_as(&f, &session, "Action=GetCallerIdentity", "InvalidClientTokenId"), 403);
    fixture_done(&f);
}

static void chained_sessions(void **state)
{
    struct given session, plain;
    struct fixture f;
    struct answer a;

    (void)state;
    identity_init(&f, ANN, NULL);
    identity_call(&f, ASSUME, &a);
    take(&a, &session);
    identity_call(&f, "Action=GetSessionToken", &a);
    take(&a, &plain);
    for (int i = 0; i < 2; i++) {
        const struct given *g = i == 0 ? &session : &plain;

        assert_int_equal(status_as(&f, g, ASSUME "&DurationSeconds=3600", "<Credentials>"), 200);
        assert_int_equal(
            status_as(&f, g, ASSUME "&DurationSeconds=3601", "exceeds the 1 hour session limit for roles assumed by role chaining"), 400);
        assert_int_equal(status_as(&f, g, "Action=GetSessionToken", "Cannot call GetSessionToken with session credentials"), 403);
    }
    assert_int_equal(status_as(&f, &plain, "Action=GetCallerIdentity", "user/ann"), 200);
    fixture_done(&f);
}

/* spec: IAM User Guide, "Secure API access with MFA": what AssumeRole returns does not tell of the code it was given. */
static void factors_of_sessions(void **state)
{
    static const char to_mfa[] = "Action=AssumeRole&RoleSessionName=s2&RoleArn=arn:aws:iam::111122223333:role/mfa";
    static const char *const first[] = {"Action=GetSessionToken", ASSUME};
    const uint64_t step = FIXTURE_NOW / COF_TOTP_STEP_MS;
    struct fixture f;

    (void)state;
    identity_init(&f, ANN, NULL);
    for (uint64_t i = 0; i < 2; i++) {
        char code[COF_TOTP_DIGITS + 1], form[400];
        struct given session, next;
        struct cof_sigv4_credentials keys;
        struct answer a;

        assert_ok(cof_totp_code(COF_LIT(SECRET), step + i, code));
        (void)snprintf(form, sizeof form, "%s&SerialNumber=" SERIAL "&TokenCode=%s", first[i], code);
        identity_call(&f, form, &a);
        take(&a, &session);
        if (i == 1) { /* the code was for this one decision */
            assert_int_equal(status_as(&f, &session, to_mfa, "AccessDenied"), 403);
            continue;
        }
        assert_int_equal(status_as(&f, &session, to_mfa, "<Credentials>"), 200);
        keys = (struct cof_sigv4_credentials){cof_view_str(session.id), cof_view_str(session.secret), cof_view_str(session.token)};
        identity_post(&f, &keys, "/", "", ASSUME, &a);
        take(&a, &next); /* a chained session hands the factor on */
        assert_int_equal(status_as(&f, &next, to_mfa, "<Credentials>"), 200);
    }
    fixture_done(&f);
}

/* A form whose signature was made over another payload: a word of S3's that stands for any body, or another body's hash. */
static int status_of_payload(struct fixture *f, const char *payload, const char *form, const char *has)
{
    struct cof_headers h;
    struct cof_buf raw;
    struct answer a;
    int status;

    cof_headers_init(&h);
    cof_buf_init(&raw, 65536);
    cof_buf_printf(&raw, "%zu", strlen(form));
    cof_headers_add_str(&h, "Host", "localhost:4566");
    cof_headers_add_str(&h, "Content-Type", "application/x-www-form-urlencoded");
    cof_headers_add_str(&h, "Content-Length", cof_buf_cstr(&raw));
    cof_headers_add_str(&h, "x-amz-content-sha256", payload);
    assert_ok(cof_sigv4_sign(&(struct cof_sigv4_request){.method = COF_LIT("POST"), .path = COF_LIT("/"), .headers = &h,
            .payload_hash = cof_view_str(payload)}, &h, &(struct cof_sigv4_credentials){cof_view_str(f->id), cof_view_str(f->secret), {NULL, 0}},
        &(struct cof_sigv4_scope){f->now_ms, COF_LIT("us-east-1"), COF_LIT("sts")}, NULL));
    cof_buf_reset(&raw);
    cof_buf_add_str(&raw, "POST / HTTP/1.1\r\n");
    cof_headers_write(&h, &raw);
    cof_buf_add_str(&raw, "\r\n");
    fixture_send(f, cof_buf_view(&raw), cof_view_str(form), 4096, &a);
    status = a.status;
    if (!answer_has(&a, has))
        fail_msg("%s: %d %s", payload, a.status, cof_buf_cstr(&a.body));
    answer_done(&a);
    cof_headers_done(&h);
    cof_buf_done(&raw);
    return status;
}

/* Only S3 lets bodies go unsigned; elsewhere whoever is in the middle could put any other call in. */
static void bodies_are_signed(void **state)
{
    static const char *const words[] = {"UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"};
    struct fixture f;
    uint8_t digest[32];
    char hex[65];

    identity_init(&f, ANN, NULL);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_int_equal(status_of_payload(&f, words[i], "Action=GetCallerIdentity", "<Code>SignatureDoesNotMatch</Code>"), 403);
    assert_ok(cof_hash_once(COF_SHA256, COF_LIT("Action=GetCallerIdentity"), digest));
    cof_hex_encode(digest, 32, hex);
    assert_int_equal(status_of_payload(&f, hex, "Action=GetCallerIdentity", "user/ann"), 200);
    fixture_done(&f);
}

/* What "who am I" URLs are made as (the tokens of EKS, Vault's login): signed by query, over the hash of an empty body. */
static void presigned_calls(void **state)
{
    static const char *const payloads[] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "UNSIGNED-PAYLOAD"};
    struct fixture f;

    identity_init(&f, ANN, NULL);
    for (size_t i = 0; i < 2; i++) {
        struct cof_headers h;
        struct cof_buf query, target;
        struct answer a;

        cof_headers_init(&h);
        cof_buf_init(&query, 4096);
        cof_buf_init(&target, 4096);
        cof_headers_add_str(&h, "Host", "localhost");
        assert_ok(cof_sigv4_presign(&(struct cof_sigv4_request){.method = COF_LIT("GET"), .path = COF_LIT("/"),
                .query = COF_LIT("Action=GetCallerIdentity&Version=2011-06-15"), .headers = &h, .payload_hash = cof_view_str(payloads[i])},
            &(struct cof_sigv4_credentials){cof_view_str(f.id), cof_view_str(f.secret), {NULL, 0}},
            &(struct cof_sigv4_scope){f.now_ms, COF_LIT("us-east-1"), COF_LIT("sts")}, 60, &query));
        cof_buf_add_str(&target, "/?");
        cof_buf_add(&target, cof_buf_view(&query));
        identity_ask(&f, "GET", cof_buf_cstr(&target), "", &a);
        assert_int_equal(a.status, i == 0 ? 200 : 403);
        assert_true(answer_has(&a, i == 0 ? "user/ann" : "<Code>SignatureDoesNotMatch</Code>"));
        answer_done(&a);
        cof_headers_done(&h);
        cof_buf_done(&query);
        cof_buf_done(&target);
    }
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call),
        cmocka_unit_test(factors_of_sessions),
        cmocka_unit_test(unsigned_calls),
        cmocka_unit_test(bodies_are_signed),
        cmocka_unit_test(presigned_calls),
        cmocka_unit_test(large_forms),
        cmocka_unit_test(codes_are_good_once),
        cmocka_unit_test(sessions_end),
        cmocka_unit_test(chained_sessions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
