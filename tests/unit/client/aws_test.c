/* SPDX-License-Identifier: Apache-2.0
 *
 * The AWS client against a scripted server: what is retried and how often, what is not, skew, errors in words.
 */
#include "world.h"

#include "client/fetch.h"
#include "client/kms.h"
#include "client/s3.h"
#include "client/sts.h"
#include "io/clock.h"

#define IDENTITY                                                                                                     \
    "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>"        \
    "<Arn>arn:aws:iam::111122223333:user/a</Arn><UserId>AIDA</UserId><Account>111122223333</Account>"                 \
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"

static enum cof_err who(struct world *w, struct cof_diag *diag)
{
    struct cof_sts_identity identity;

    return cof_sts_run_get_caller_identity(&w->aws, &identity, diag);
}

/* Requests carry a signature that a verifier accepts, with the session token signed. */
static void signs(void **state)
{
    struct world *w = *state;

    script(w, 200, NULL, IDENTITY);
    cof_buf_add_str(&w->aws.credentials.session_token, "session/token==");
    assert_ok(who(w, NULL));
    assert_true(w->seen[0].is_signed);
    assert_string_equal(w->seen[0].service, "sts");
    assert_true(seen_header(w, 0, "x-amz-security-token", "session/token=="));
}

/* A pinned account is compared (C-08). */
static void checks_account(void **state)
{
    struct world *w = *state;

    script(w, 200, NULL, IDENTITY);
    script(w, 200, NULL, IDENTITY);
    assert_ok(cof_sts_run_check_account(&w->aws, COF_LIT("111122223333"), NULL));
    assert_int_equal(cof_sts_run_check_account(&w->aws, COF_LIT("444455556666"), NULL), COF_E_AUTH);
}

/* 500, 503 SlowDown and 429 are tried again with a fresh signature each; the third attempt succeeds. */
static void retries(void **state)
{
    struct world *w = *state;
    static const struct {
        int status;
        const char *body;
    } bad[] = {{500, "<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>"},
               {503, "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"},
               {429, ""},
               {502, "<html>bad gateway</html>"},
               {400, "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"}};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t before = w->n_seen;
        script(w, bad[i].status, NULL, bad[i].body);
        script(w, 200, NULL, IDENTITY);
        assert_ok(who(w, NULL));
        assert_int_equal(w->n_seen - before, 2);
        assert_true(w->seen[before + 1].is_signed);
    }
}

static void gives_up(void **state)
{
    struct world *w = *state;
    struct cof_diag diag = {0};

    for (int i = 0; i < 4; i++)
        script(w, 503, NULL, "<ErrorResponse><Error><Code>ServiceUnavailable</Code></Error></ErrorResponse>");
    assert_int_equal(who(w, &diag), COF_E_RETRY);
    assert_int_equal(w->n_seen, 3);
    assert_non_null(strstr(diag.text, "ServiceUnavailable"));
    w->aws.quota = 4; /* used up: not even one retry */
    assert_int_equal(who(w, &diag), COF_E_RETRY);
    assert_int_equal(w->n_seen, 4);
}

static void honours_retry_after(void **state)
{
    struct world *w = *state;
    int64_t begun = cof_loop_now_ms(w->loop);

    script(w, 503, "Retry-After: 1", "");
    script(w, 200, NULL, IDENTITY);
    assert_ok(who(w, NULL));
    assert_true(cof_loop_now_ms(w->loop) - begun >= 990);
}

/* What is wrong stays wrong: one attempt, the right code, words and hint. */
static void maps_errors(void **state)
{
    struct world *w = *state;
    static const struct {
        int status;
        const char *body;
        enum cof_err err;
        const char *text, *hint;
    } cases[] = {
        {403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>",
         COF_E_DENIED, "AccessDenied: not you", ""},
        {403, "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>", COF_E_DENIED,
         "InvalidClientTokenId", "AWS_ACCESS_KEY_ID"},
        {403, "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>", COF_E_DENIED, "ExpiredToken",
         "expired"},
        {400, "<ErrorResponse><Error><Code>ValidationError</Code></Error></ErrorResponse>", COF_E_REMOTE,
         "ValidationError", ""},
        {418, "\x01\x02 not XML", COF_E_REMOTE, "status 418", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_diag diag = {0};
        size_t before = w->n_seen;
        script(w, cases[i].status, NULL, cases[i].body);
        assert_int_equal(who(w, &diag), cases[i].err);
        assert_int_equal(w->n_seen - before, 1);
        assert_non_null(strstr(diag.text, cases[i].text));
        assert_non_null(strstr(diag.hint, cases[i].hint));
    }
}

/* A clock an hour off is corrected once from the reply's Date, and stays corrected. */
static void corrects_skew(void **state)
{
    struct world *w = *state;

    server_now = cof_clock_wall_ms(); /* what the server writes into Date */
    world_now = server_now - 3600000;
    script(w, 403, NULL,
           "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature "
           "expired</Message></Error></ErrorResponse>");
    script(w, 200, NULL, IDENTITY);
    script(w, 200, NULL, IDENTITY);
    assert_ok(who(w, NULL));
    assert_false(w->seen[0].is_signed);
    assert_true(w->seen[1].is_signed);
    assert_ok(who(w, NULL));
    assert_int_equal(w->n_seen, 3);
}

/* A wrong secret is not mistaken for a wrong clock. */
static void wrong_secret_is_no_skew(void **state)
{
    struct world *w = *state;

    server_now = world_now = cof_clock_wall_ms();
    script(w, 403, NULL, "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>");
    script(w, 200, NULL, IDENTITY);
    assert_int_equal(who(w, NULL), COF_E_DENIED);
    assert_int_equal(w->n_seen, 1);
}

/* A redirect names a region, for which the same request is signed again; where it points to is not gone to, and a second
 * one is told. */
static void follows_region_not_location(void **state)
{
    struct world *w = *state;
    struct cof_s3_object object;
    struct cof_s3_get get = {.bucket = COF_LIT("bucket"), .key = COF_LIT("key")};
    struct cof_diag diag = {0};
    struct cof_view authorization;
    char headers[160], other[160];

    (void)snprintf(headers, sizeof headers, "Location: %s/evil\nx-amz-bucket-region: eu-west-3", w->url);
    (void)snprintf(other, sizeof other, "Location: %s/evil\nx-amz-bucket-region: eu-west-4", w->url);
    script(w, 307, headers, "<Error><Code>TemporaryRedirect</Code></Error>");
    script(w, 200, NULL, "");
    script(w, 301, other, "");
    assert_ok(cof_s3_run_head(&w->aws, &get, &object, &diag));
    assert_int_equal(w->n_seen, 2);
    assert_string_equal(w->seen[1].target, "/bucket/key");
    assert_true(cof_headers_get(&w->seen[1].headers, "authorization", &authorization));
    assert_non_null(memmem(authorization.data, authorization.len, "/eu-west-3/s3/", 14));
    assert_int_equal(cof_s3_run_head(&w->aws, &get, &object, &diag), COF_E_REMOTE);
    assert_int_equal(w->n_seen, 3);
    assert_non_null(strstr(diag.hint, "eu-west-4"));
}

/* Where the bucket is named: as it was asked for, and in the path where no certificate would cover it. */
static void bucket_in_host_or_path(void **state)
{
    struct world *w = *state;
    struct cof_s3_object object;
    struct cof_s3_get get = {.bucket = COF_LIT("bucket"), .key = COF_LIT("key")}, dots = {.bucket = COF_LIT("a.bucket"), .key = COF_LIT("key")};
    char host[64];

    w->aws.endpoints[COF_AWS_S3].has_addr = true;
    w->aws.endpoints[COF_AWS_S3].addr = w->addr;
    for (int i = 0; i < 4; i++)
        script(w, 200, NULL, "");
    assert_ok(cof_s3_run_head(&w->aws, &get, &object, NULL));
    w->aws.s3_style = COF_AWS_IN_HOST;
    assert_ok(cof_s3_run_head(&w->aws, &get, &object, NULL));
    assert_ok(cof_s3_run_head(&w->aws, &dots, &object, NULL));
    w->aws.endpoints[COF_AWS_S3].custom = false;
    w->aws.s3_style = COF_AWS_IN_PATH;
    assert_ok(cof_s3_run_head(&w->aws, &get, &object, NULL));
    assert_string_equal(w->seen[0].target, "/bucket/key");
    assert_string_equal(w->seen[1].target, "/key");
    (void)snprintf(host, sizeof host, "bucket.127.0.0.1:%u", w->addr.port);
    assert_true(seen_header(w, 1, "host", host) && w->seen[1].is_signed);
    assert_string_equal(w->seen[2].target, "/a.bucket/key");
    assert_string_equal(w->seen[3].target, "/bucket/key");
}

struct asked {
    int n;
    bool both;
    enum cof_err err[2];
};

static void asked_done(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error, const struct cof_diag *diag)
{
    struct asked *asked = ctx;

    asked->err[asked->n++] = err;
    asked->both = asked->n == 2;
}

/* Two requests that were under way both go to where the bucket is; another bucket is where it always was, or in a third region. */
static void each_bucket_has_its_region(void **state)
{
    struct world *w = *state;
    struct cof_s3_object object;
    struct cof_s3_get get = {.bucket = COF_LIT("bucket"), .key = COF_LIT("key"), .head = true}, other = {.bucket = COF_LIT("other"), .key = COF_LIT("key")};
    struct asked asked = {0};
    struct cof_aws_callbacks cb = {.done = asked_done, .ctx = &asked};
    struct cof_aws_request request;
    struct cof_aws_call *call;
    struct cof_view authorization;
    static const char *const regions[] = {"us-east-1", "us-east-1", "eu-west-3", "eu-west-3", "us-east-1", "eu-west-4", "eu-west-3", "eu-west-4"};

    script(w, 301, "x-amz-bucket-region: eu-west-3", "");
    script(w, 301, "x-amz-bucket-region: eu-west-3", "");
    script(w, 200, NULL, "");
    script(w, 200, NULL, "");
    script(w, 301, "x-amz-bucket-region: eu-west-4", "");
    for (int i = 0; i < 3; i++)
        script(w, 200, NULL, "");
    for (int i = 0; i < 2; i++) {
        assert_ok(cof_s3_get_object(&request, &get));
        assert_ok(cof_aws_start(&w->aws, &request, &cb, &call));
    }
    assert_ok(cof_loop_run_until(w->loop, &asked.both, 20000));
    assert_ok(asked.err[0]);
    assert_ok(asked.err[1]);
    assert_ok(cof_s3_run_head(&w->aws, &other, &object, NULL));
    assert_ok(cof_s3_run_head(&w->aws, &get, &object, NULL));
    assert_ok(cof_s3_run_head(&w->aws, &other, &object, NULL));
    assert_int_equal(w->n_seen, 8);
    for (size_t i = 0; i < 8; i++) {
        char scope[32];
        (void)snprintf(scope, sizeof scope, "/%s/s3/", regions[i]);
        assert_true(cof_headers_get(&w->seen[i].headers, "authorization", &authorization));
        assert_non_null(memmem(authorization.data, authorization.len, scope, strlen(scope)));
    }
}

/* A region that is none, and a redirect of a service that has none, are not followed. */
static void follows_no_other_redirect(void **state)
{
    struct world *w = *state;
    struct cof_s3_object object;
    struct cof_s3_get get = {.bucket = COF_LIT("bucket"), .key = COF_LIT("key")};
    char headers[160];

    script(w, 301, "x-amz-bucket-region: evil.example.com/", "");
    assert_int_equal(cof_s3_run_head(&w->aws, &get, &object, NULL), COF_E_REMOTE);
    (void)snprintf(headers, sizeof headers, "Location: %s/evil\nx-amz-bucket-region: eu-west-3", w->url);
    script(w, 307, headers, "");
    assert_int_not_equal(who(w, NULL), COF_OK);
    assert_int_equal(w->n_seen, 2);
}

/* A reply that breaks off is never taken for whole; reading again is allowed. */
static void truncated_reply(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 2; i++) {
        script(w, 200, NULL, IDENTITY);
        last_step(w)->cut = true;
    }
    script(w, 200, NULL, IDENTITY);
    assert_ok(who(w, NULL));
    assert_int_equal(w->n_seen, 3);
    for (int i = 0; i < 3; i++) {
        script(w, 200, NULL, IDENTITY);
        last_step(w)->cut = true;
    }
    assert_int_not_equal(who(w, NULL), COF_OK);
    assert_int_equal(w->n_seen, 6);
}

static void refuses_huge_reply(void **state)
{
    struct world *w = *state;
    static char huge[100000];

    memset(huge, ' ', sizeof huge - 1);
    script(w, 200, NULL, huge);
    assert_int_equal(who(w, NULL), COF_E_TOO_LARGE);
}

static void needs_credentials(void **state)
{
    struct world *w = *state;
    struct cof_diag diag = {0};

    cof_buf_reset(&w->aws.credentials.access_key_id);
    assert_int_equal(who(w, &diag), COF_E_CONFIG);
    assert_non_null(strstr(diag.hint, "AWS_ACCESS_KEY_ID"));
    assert_int_equal(w->n_seen, 0);
}

static enum cof_err refresh(void *ctx, struct cof_aws *aws, struct cof_diag *diag)
{
    (*(int *)ctx)++;
    aws->credentials.expires_ms = world_now + 3600000;
    return COF_OK;
}

/* Credentials are renewed before they end, and only then (C-27). */
static void refreshes_early(void **state)
{
    struct world *w = *state;
    int refreshed = 0;

    w->aws.refresh = refresh;
    w->aws.refresh_ctx = &refreshed;
    for (int i = 0; i < 3; i++)
        script(w, 200, NULL, IDENTITY);
    w->aws.credentials.expires_ms = world_now + COF_AWS_REFRESH_MS + 60000;
    assert_ok(who(w, NULL));
    assert_int_equal(refreshed, 0);
    world_now += 120000;
    assert_ok(who(w, NULL));
    assert_int_equal(refreshed, 1);
    assert_ok(who(w, NULL));
    assert_int_equal(refreshed, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(signs),           T(checks_account),          T(retries),
        T(gives_up),        T(honours_retry_after),     T(maps_errors),
        T(corrects_skew),   T(wrong_secret_is_no_skew), T(follows_region_not_location), T(follows_no_other_redirect),
        T(each_bucket_has_its_region), T(bucket_in_host_or_path),
        T(truncated_reply), T(refuses_huge_reply),      T(needs_credentials),
        T(refreshes_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
