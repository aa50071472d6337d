/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the token issuer's errors are those of RFC 6749 (and 8707); keys are published before they sign and until their
 * last token has ended; a rotation on demand signs at once; tokens of the issuer and of configured identity providers open
 * role sessions as long as every claim holds.
 */
#include "identity_fixture.h"

#include "engine/token.h"
#include "engine/token_signer.h"
#include "standin/oauth_keys.h"

#define DOC(rest) "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\"," rest "}}"
#define WEB_TRUST(provider, condition)                                                                                 \
    "\"trust\":" DOC("\"Action\":[\"sts:AssumeRoleWithWebIdentity\",\"sts:TagSession\"],\"Principal\":{\"Federated\":\""             \
        "arn:aws:iam::111122223333:oidc-provider/" provider "\"},\"Condition\":{\"StringEquals\":{" condition "}}")
#define MANIFEST                                                                                                       \
    "{\"credentials\":[{\"name\":\"root\",\"root\":true}],\"clients\":[{\"id\":\"dev\",\"tenant\":\"t1\",\"scopes\":[\"jobs\",\"read\"],"  \
    "\"audiences\":[\"sts.amazonaws.com\"]},{\"id\":\"boss\",\"tenant\":\"t1\",\"scopes\":[\"coffer:rotate-keys\"]}],\"roles\":["          \
    "{\"name\":\"own\"," WEB_TRUST("localhost", "\"localhost:sub\":\"dev\"") "},"                                                      \
    "{\"name\":\"idp\",\"policies\":[{\"name\":\"p\",\"document\":" DOC("\"Action\":\"s3:PutObject\",\"Resource\":\"arn:aws:s3:::bbb/${aws"      \
        ":PrincipalTag/team}/*\"") "}]," WEB_TRUST("idp.example/x", "\"idp.example/x:aud\":\"app\"") "}],"                            \
    "\"buckets\":[{\"name\":\"bbb\"}],\"identity_providers\":[{\"url\":\"https://idp.example:8443/x\",\"client_ids\":[\"app\",\"other\"],"    \
    "\"jwks\":%s}]}"

struct world {
    struct fixture f;
    struct cof_token_signer *idp, *stranger;
    char dev[64], boss[64];
};

static void secret_of(struct world *w, const char *client, char out[64])
{
    struct cof_buf secret;

    cof_buf_init(&secret, 64);
    assert_ok(cof_oauth_reset_secret(w->f.s, cof_view_str(client), &secret));
    (void)snprintf(out, 64, "%s", cof_buf_cstr(&secret));
    cof_buf_done(&secret);
}

static void world_init(struct world *w)
{
    uint64_t seed = 99;
    struct cof_rng rng = {test_rng_fill, &seed};
    struct cof_buf jwks, manifest;

    assert_ok(cof_token_signer_generate(&rng, &w->idp));
    assert_ok(cof_token_signer_generate(&rng, &w->stranger));
    cof_buf_init(&jwks, 4096);
    cof_buf_init(&manifest, 16384);
    assert_ok(cof_token_signer_jwks(w->idp, &jwks));
    cof_buf_printf(&manifest, MANIFEST, cof_buf_cstr(&jwks));
    identity_init(&w->f, cof_buf_cstr(&manifest), NULL);
    secret_of(w, "dev", w->dev);
    secret_of(w, "boss", w->boss);
    cof_buf_done(&jwks);
    cof_buf_done(&manifest);
}

static void world_done(struct world *w)
{
    cof_token_signer_free(w->idp);
    cof_token_signer_free(w->stranger);
    fixture_done(&w->f);
}

#define GRANT "grant_type=client_credentials&"
#define DEV "client_id=dev&client_secret=$dev"

static const struct {
    const char *headers, *form; /* $dev is the secret */
    int status;
    const char *has;
} rows[] = {
    {"", GRANT DEV, 200, "\"scope\":\"jobs read\""},
    {"", GRANT DEV "&scope=read", 200, "\"scope\":\"read\""},
    {"", GRANT DEV "&scope=read+jobs", 200, "\"scope\":\"read jobs\""},
    {"", GRANT DEV "&audience=sts.amazonaws.com", 200, "access_token"},
    {"", GRANT DEV "&resource=coffer-producer", 200, "access_token"},
    {"", GRANT DEV "&resource=elsewhere", 400, "\"error\":\"invalid_target\""},
    {"", GRANT DEV "&scope=write", 400, "\"error\":\"invalid_scope\""},
    {"", GRANT DEV "&scope=read+write", 400, "\"error\":\"invalid_scope\""},
    {"", GRANT DEV "&scope=%zz", 400, "\"error\":\"invalid_request\""},
    {"", DEV, 400, "\"error\":\"invalid_request\""},
    {"", "grant_type=password&" DEV, 400, "\"error\":\"unsupported_grant_type\""},
    {"", GRANT GRANT DEV, 400, "\"error\":\"invalid_request\""},
    {"", GRANT DEV "&scope=read&scope=jobs", 400, "\"error\":\"invalid_request\""},
    {"", GRANT "client_id=dev&client_secret=wrong", 401, "\"error\":\"invalid_client\""},
    {"", GRANT "client_id=nobody&client_secret=$dev", 401, "\"error\":\"invalid_client\""},
    {"", GRANT "client_id=dev", 401, "\"error\":\"invalid_client\""},
    {"", GRANT, 401, "\"error\":\"invalid_client\""},
    {"Authorization: Basic $basic\n", GRANT, 200, "access_token"},
    {"Authorization: Basic $basic\n", GRANT DEV, 400, "\"error\":\"invalid_request\""},
    {"Authorization: Basic !!!\n", GRANT, 401, "\"error\":\"invalid_client\""},
    {"Authorization: Bearer $basic\n", GRANT, 401, "\"error\":\"invalid_client\""},
};

/* Puts the secrets in their places. */
static void fill(const struct world *w, const char *text, struct cof_buf *out)
{
    struct cof_buf basic;

    cof_buf_init(&basic, 200);
    cof_buf_printf(&basic, "dev:%s", w->dev);
    cof_buf_init(out, 8192);
    while (*text != '\0') {
        if (strncmp(text, "$dev", 4) == 0) {
            cof_buf_add_str(out, w->dev);
            text += 4;
        } else if (strncmp(text, "$basic", 6) == 0) {
            cof_base64_add(out, cof_buf_view(&basic));
            text += 6;
        } else {
            cof_buf_add(out, cof_view_of(text++, 1));
        }
    }
    cof_buf_done(&basic);
}

static void errors_of_rfc_6749(void **state)
{
    struct world w;
    struct answer a;

    (void)state;
    world_init(&w);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_buf headers, form;
        struct cof_view value;

        fill(&w, rows[i].headers, &headers);
        fill(&w, rows[i].form, &form);
        identity_post(&w.f, NULL, "/oauth/token", cof_buf_cstr(&headers), cof_buf_cstr(&form), &a);
        if (a.status != rows[i].status || !answer_has(&a, rows[i].has))
            fail_msg("%s: %d %.*s", rows[i].form, a.status, (int)a.body.len, (const char *)a.body.data);
        assert_true(cof_headers_get(&a.headers, "cache-control", &value) && cof_view_eq_str(value, "no-store"));
        assert_int_equal(cof_headers_get(&a.headers, "www-authenticate", &value), a.status == 401);
        answer_done(&a);
        cof_buf_done(&headers);
        cof_buf_done(&form);
    }
    identity_ask(&w.f, "GET", "/oauth/token", "", &a);
    assert_int_equal(a.status, 405);
    answer_done(&a);
    identity_ask(&w.f, "POST", "/oauth/token", "Content-Type: text/plain\r\nContent-Length: 0\r\n", &a);
    assert_int_equal(a.status, 400);
    answer_done(&a);
    identity_ask(&w.f, "GET", "/.well-known/openid-configuration", "", &a);
    assert_true(answer_has(&a, "\"issuer\":\"https://localhost:4566\"") && answer_has(&a, "\"jwks_uri\":\"https://localhost:4566/oauth/jwks.json\""));
    answer_done(&a);
    identity_ask(&w.f, "GET", "/.well-known/none", "", &a);
    assert_int_equal(a.status, 404);
    answer_done(&a);
    world_done(&w);
}

static struct cof_jwks *key_set(struct world *w)
{
    struct cof_jwks *jwks;
    struct answer a;

    identity_ask(&w->f, "GET", "/oauth/jwks.json", "", &a);
    assert_int_equal(a.status, 200);
    assert_ok(cof_jwks_parse(cof_buf_view(&a.body), &jwks, NULL));
    answer_done(&a);
    return jwks;
}

static void get_token(struct world *w, char out[4096])
{
    struct cof_buf form;
    struct answer a;

    fill(w, GRANT DEV, &form);
    identity_post(&w->f, NULL, "/oauth/token", "", cof_buf_cstr(&form), &a);
    assert_int_equal(a.status, 200);
    answer_between(&a, "\"access_token\":\"", "\"", out, 4096);
    answer_done(&a);
    cof_buf_done(&form);
}

static bool verifies(const struct cof_jwks *jwks, const char *token)
{
    struct cof_buf payload;
    bool yes;

    cof_buf_init(&payload, 8192);
    yes = cof_jws_verify(cof_view_str(token), jwks, 0, &payload, NULL) == COF_OK;
    cof_buf_done(&payload);
    return yes;
}

/* Goes through two months, a step at a time: whatever was signed verifies with the set of an hour before and with every
 * set until the token has ended. */
static void keys_change_by_themselves(void **state)
{
    struct cof_jwks *before, *now;
    char token[4096];
    size_t most = 0;
    struct world w;

    (void)state;
    world_init(&w);
    before = key_set(&w);
    for (int64_t hours = 0; hours < 24 * 62; hours += hours % 24 == 0 ? 23 : 1) {
        w.f.now_ms = FIXTURE_NOW + hours * 3600000;
        cof_jwks_free(before);
        before = key_set(&w);
        w.f.now_ms += COF_OAUTH_LEAD_MS - 1;
        get_token(&w, token);
        assert_true(verifies(before, token));
        w.f.now_ms += COF_OAUTH_LIFE_MS;
        now = key_set(&w);
        assert_true(verifies(now, token));
        most = cof_jwks_count(now) > most ? cof_jwks_count(now) : most;
        cof_jwks_free(now);
    }
    assert_int_equal(most, 2);
    cof_jwks_free(before);
    world_done(&w);
}

static int rotate(struct world *w, const char *id, const char *secret)
{
    struct answer a;
    char form[200];
    int status;

    (void)snprintf(form, sizeof form, "client_id=%s&client_secret=%s", id, secret);
    identity_post(&w->f, NULL, "/oauth/rotate", "", form, &a);
    status = a.status;
    answer_done(&a);
    return status;
}

static void a_rotation_on_demand(void **state)
{
    struct cof_jwks *first, *second, *third;
    char old[4096], new[4096];
    struct world w;

    (void)state;
    world_init(&w);
    first = key_set(&w);
    get_token(&w, old);
    w.f.now_ms += 60000;
    assert_int_equal(rotate(&w, "dev", w.dev), 403);
    assert_int_equal(rotate(&w, "boss", "wrong"), 401);
    assert_int_equal(rotate(&w, "boss", w.boss), 200);
    get_token(&w, new);
    second = key_set(&w);
    assert_true(verifies(second, old) && verifies(second, new) && verifies(first, old) && !verifies(first, new));
    w.f.now_ms += COF_OAUTH_LIFE_MS + COF_OAUTH_GRACE_MS;
    third = key_set(&w);
    assert_true(!verifies(third, old) && verifies(third, new));
    assert_int_equal(cof_jwks_count(third), 1);
    for (int i = 0; i < 15; i++) {
        w.f.now_ms += 1;
        assert_int_equal(rotate(&w, "boss", w.boss), 200);
    }
    w.f.now_ms += 1;
    assert_int_equal(rotate(&w, "boss", w.boss), 503); /* the set has a limit */
    cof_jwks_free(first);
    cof_jwks_free(second);
    cof_jwks_free(third);
    world_done(&w);
}

/* claims: the payload's text, with $now in seconds; NULL: the issuer's own token. */
static const struct {
    const char *role;
    const char *claims;
    bool stranger;
    int status;
    const char *has;
} webs[] = {
#define IDP "{\"iss\":\"https://idp.example:8443/x\",\"sub\":\"s\",\"iat\":$now,\"exp\":$later"
    {"own", NULL, false, 200, "<SubjectFromWebIdentityToken>dev</SubjectFromWebIdentityToken>"},
    {"idp", NULL, false, 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
    {"idp", IDP ",\"aud\":\"app\"}", false, 200, "<Audience>app</Audience>"},
    {"idp", IDP ",\"aud\":\"app\"}", false, 200, "<Provider>arn:aws:iam::111122223333:oidc-provider/idp.example/x</Provider>"},
    {"idp", IDP ",\"aud\":[\"nobody\",\"app\"]}", false, 200, "<Audience>app</Audience>"},
    {"idp", IDP ",\"aud\":\"client\",\"azp\":\"app\"}", false, 200, "<Audience>app</Audience>"},
    {"idp", IDP ",\"aud\":\"app\",\"azp\":\"nobody\"}", false, 400, "Incorrect token audience"},
    {"idp", IDP ",\"aud\":\"app\",\"azp\":7}", false, 400, "Incorrect token audience"},
    {"idp", IDP ",\"aud\":\"other\"}", false, 403, "Not authorized"},
    {"idp", IDP ",\"aud\":\"nobody\"}", false, 400, "Incorrect token audience"},
    {"idp", IDP "}", false, 400, "Incorrect token audience"},
    {"idp", IDP ",\"aud\":\"app\"}", true, 400, "InvalidIdentityToken"},
    {"none", IDP ",\"aud\":\"app\"}", false, 403, "Not authorized"},
    {"idp", "{\"iss\":\"https://idp.example/x\",\"sub\":\"s\",\"iat\":$now,\"exp\":$later,\"aud\":\"app\"}", false, 400,
        "No OpenIDConnect provider found in your account for https://idp.example/x"},
    {"idp", "{\"iss\":\"https://idp.example:8443/x\",\"sub\":\"s\",\"iat\":$now,\"exp\":$now,\"aud\":\"app\"}", false, 400,
        "ExpiredTokenException"},
    {"idp", "{\"iss\":\"https://idp.example:8443/x\",\"sub\":\"s\",\"iat\":$later,\"exp\":$later,\"aud\":\"app\"}", false, 400, "issued in the future"},
    {"idp", "{\"iss\":\"https://idp.example:8443/x\",\"sub\":\"s\",\"exp\":$later,\"aud\":\"app\"}", false, 400, "Missing a required claim: iat"},
    {"idp", "{\"iss\":\"https://idp.example:8443/x\",\"sub\":\"s\",\"iat\":$now,\"aud\":\"app\"}", false, 400, "Missing a required claim: exp"},
    {"idp", "{\"iss\":\"https://idp.example:8443/x\",\"iat\":$now,\"exp\":$later,\"aud\":\"app\"}", false, 400, "Missing a required claim: sub"},
    {"idp", IDP ",\"nbf\":$later,\"aud\":\"app\"}", false, 400, "not valid yet"},
    {"idp", IDP ",\"nbf\":\"soon\",\"aud\":\"app\"}", false, 400, "not valid yet"},
    {"idp", "[]", false, 400, "not a valid JWT"},
    {"idp", "{\"sub\":\"s\"}", false, 400, "not a valid JWT"},
    {"idp", IDP ",\"aud\":\"app\",\"https://aws.amazon.com/tags\":{\"principal_tags\":{\"team\":[\"blue\"]},\"transitive_tag_keys\":[\"team\"]}}",
        false, 200, "<PackedPolicySize>"},
    {"idp", IDP ",\"aud\":\"app\",\"https://aws.amazon.com/tags\":{\"principal_tags\":{\"team\":[7]}}}", false, 400, "session tags"},
};

static void make_token(const struct world *w, const char *claims, bool stranger, struct cof_buf *out)
{
    struct cof_buf text;

    cof_buf_init(&text, 4096);
    while (*claims != '\0') {
        if (strncmp(claims, "$now", 4) == 0) {
            cof_buf_printf(&text, "%lld", (long long)(w->f.now_ms / 1000));
            claims += 4;
        } else if (strncmp(claims, "$later", 6) == 0) {
            cof_buf_printf(&text, "%lld", (long long)(w->f.now_ms / 1000 + 600));
            claims += 6;
        } else {
            cof_buf_add(&text, cof_view_of(claims++, 1));
        }
    }
    assert_ok(cof_jws_sign(stranger ? w->stranger : w->idp, cof_buf_view(&text), out));
    cof_buf_done(&text);
}

static void web_identities(void **state)
{
    struct world w;
    struct answer a;

    (void)state;
    world_init(&w);
    for (size_t i = 0; i < sizeof webs / sizeof webs[0]; i++) {
        struct cof_buf token, form;
        char own[4096];

        cof_buf_init(&token, 8192);
        cof_buf_init(&form, 16384);
        if (webs[i].claims == NULL) {
            get_token(&w, own);
            cof_buf_add_str(&token, own);
        } else {
            make_token(&w, webs[i].claims, webs[i].stranger, &token);
        }
        cof_buf_printf(&form, "Action=AssumeRoleWithWebIdentity&RoleSessionName=s1&RoleArn=arn:aws:iam::111122223333:role/%s&WebIdentityToken=%s",
            webs[i].role, cof_buf_cstr(&token));
        identity_post(&w.f, NULL, "/", "", cof_buf_cstr(&form), &a);
        if (a.status != webs[i].status || !answer_has(&a, webs[i].has))
            fail_msg("row %zu: %d %.*s", i, a.status, (int)a.body.len, (const char *)a.body.data);
        answer_done(&a);
        cof_buf_done(&token);
        cof_buf_done(&form);
    }
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_of_rfc_6749),
        cmocka_unit_test(keys_change_by_themselves),
        cmocka_unit_test(a_rotation_on_demand),
        cmocka_unit_test(web_identities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
