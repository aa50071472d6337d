/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: a token our signer issues verifies and gives its claims; each rule refuses on its own; key sets that could
 * mislead are refused; no flipped bit and no cut of a good token passes.
 */
#include "testing.h"

#include "engine/token.h"
#include "engine/token_signer.h"

#define NOW 1795456800000

static struct cof_token_signer *signer;
static struct cof_jwks *jwks;
static struct cof_buf keys;

static const struct cof_token_claims claims = {.issuer = "https://issuer",
                                               .audience = "coffer",
                                               .subject = "device-17",
                                               .client_id = "cam",
                                               .tenant = "t\"1",
                                               .scope = "submit  status",
                                               .id = "j1",
                                               .issued_ms = NOW - 60000,
                                               .expires_ms = NOW + 60000};
static const struct cof_token_policy policy = {.issuer = "https://issuer", .audience = "coffer"};

static int setup(void **state)
{
    TEST_RNG(rng, 7);

    cof_buf_init(&keys, 4096);
    assert_ok(cof_token_signer_generate(&rng, &signer));
    assert_ok(cof_token_signer_jwks(signer, &keys));
    assert_ok(cof_jwks_parse(cof_buf_view(&keys), &jwks, NULL));
    return 0;
}

static int teardown(void **state)
{
    cof_jwks_free(jwks);
    cof_token_signer_free(signer);
    cof_buf_done(&keys);
    return 0;
}

static enum cof_err issue_and_verify(const struct cof_token_claims *c, const struct cof_token_policy *p, int64_t now_ms,
                                     struct cof_token *token, struct cof_diag *diag)
{
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, 16384);
    assert_ok(cof_token_sign(signer, c, &text));
    err = cof_token_verify(cof_buf_view(&text), jwks, p, now_ms, token, diag);
    cof_buf_done(&text);
    return err;
}

static void gives_the_claims(void **state)
{
    struct cof_token token;

    assert_ok(issue_and_verify(&claims, &policy, NOW, &token, NULL));
    assert_string_equal(token.subject, "device-17");
    assert_string_equal(token.client_id, "cam");
    assert_string_equal(token.tenant, "t\"1");
    assert_string_equal(token.id, "j1");
    assert_string_equal(token.scopes, "submit status");
    assert_true(token.expires_ms == NOW + 60000 && token.issued_ms == NOW - 60000);
    assert_true(cof_token_has_scope(&token, "status") && cof_token_has_scope(&token, "submit"));
    assert_false(cof_token_has_scope(&token, "stat") || cof_token_has_scope(&token, "submit status") ||
                 cof_token_has_scope(&token, ""));
}

static void each_rule_refuses(void **state)
{
    static char long_name[COF_TOKEN_FIELD_MAX + 1];
    struct cof_token_policy p[12];
    struct cof_token_claims c[12];
    int64_t now[12];
    static const char *const why[] = {"none",    "leeway", "iss", "aud", "expired", "future",
                                      "too old", "scope",  "sub", "sub", "tenant",  "alg"};
    struct cof_token token;

    memset(long_name, 'x', COF_TOKEN_FIELD_MAX);
    for (size_t i = 0; i < 12; i++) {
        p[i] = policy;
        c[i] = claims;
        now[i] = NOW;
    }
    p[1].leeway_s = 10;
    now[1] = NOW + 69999;
    p[2].issuer = "https://issuer/";
    p[3].audience = "coff";
    now[4] = NOW + 60000;
    now[5] = NOW - 60001;
    p[6].max_age_s = 59;
    p[7].scope = "admin";
    c[8].subject = "";
    c[9].subject = long_name;
    c[10].tenant = "a\nb";
    p[11].algs = COF_TOKEN_RS256;
    for (size_t i = 0; i < 12; i++) {
        struct cof_diag diag = {0};
        enum cof_err err = issue_and_verify(&c[i], &p[i], now[i], &token, &diag);

        if (err != (i < 2 ? COF_OK : COF_E_AUTH) || (i >= 2 && strstr(diag.text, why[i]) == NULL))
            fail_msg("%s: %s %s", why[i], cof_err_name(err), diag.text);
        if (i >= 2)
            assert_int_equal(token.subject[0], 0);
    }
    p[0].leeway_s = 301;
    assert_int_equal(issue_and_verify(&claims, &p[0], NOW, &token, NULL), COF_E_USAGE);
}

static void no_cut_and_no_flip_passes(void **state)
{
    struct cof_buf text;
    struct cof_token token;

    cof_buf_init(&text, 4096);
    assert_ok(cof_token_sign(signer, &claims, &text));
    for (size_t n = 0; n < text.len; n++)
        assert_int_equal(cof_token_verify(cof_view_of(text.data, n), jwks, &policy, NOW, &token, NULL), COF_E_AUTH);
    for (size_t i = 0; i < text.len; i++) {
        text.data[i] ^= (uint8_t)(1 << i % 7);
        assert_int_equal(cof_token_verify(cof_buf_view(&text), jwks, &policy, NOW, &token, NULL), COF_E_AUTH);
        text.data[i] ^= (uint8_t)(1 << i % 7);
    }
    assert_ok(cof_token_verify(cof_buf_view(&text), jwks, &policy, NOW, &token, NULL));
    cof_buf_done(&text);
}

#define EC                                                                                                             \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"eLEzoxixo1ILMhgW2rcJLdSjPFf-uqxWI92w1l0aSlA\",\"y\":"                    \
    "\"TN5Vz4UlhS9Rj3tmK_qjfFmTiAZud7CsWlf7HnLqxsU\""

static void key_sets(void **state)
{
    static const struct {
        const char *text;
        size_t n; /* usable keys; 0: refused */
    } rows[] = {
        {"{\"keys\":[{" EC "}]}", 1},
        {"{\"keys\":[{" EC ",\"kid\":\"a\"},{" EC ",\"kid\":\"b\"}]}", 2},
        {"{\"keys\":[{" EC ",\"kid\":\"a\"},{" EC ",\"kid\":\"a\"}]}", 0},
        {"{\"keys\":[{" EC ",\"d\":\"AA\"}]}", 0},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"},{" EC "}]}", 0},
        {"{\"keys\":[{" EC ",\"use\":\"enc\"},{" EC "}]}", 1},
        {"{\"keys\":[{" EC ",\"use\":\"enc\"}]}", 0},
        {"{\"keys\":[{" EC ",\"key_ops\":[\"sign\"]}]}", 0},
        {"{\"keys\":[{" EC ",\"key_ops\":[\"sign\",\"verify\"]}]}", 1},
        {"{\"keys\":[{" EC ",\"alg\":\"RS256\"}]}", 0},
        {"{\"keys\":[{" EC ",\"alg\":1}]}", 0},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"},{" EC "}]}", 1},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"eLEzoxixo1ILMhgW2rcJLdSjPFf-uqxWI92w1l0aSlA\",\"y\":"
         "\"eLEzoxixo1ILMhgW2rcJLdSjPFf-uqxWI92w1l0aSlA\"}]}",
         0},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", 0},
        {"{\"keys\":{}}", 0},
        {"{\"keys\":[]}", 0},
        {"[]", 0},
        {"", 0},
        {"{\"keys\":[7]}", 0},
        {"{}{}", 0},
        {"{\"keys\":[{" EC "}],\"keys\":[]}", 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_jwks *set = NULL;
        enum cof_err err = cof_jwks_parse(cof_view_str(rows[i].text), &set, NULL);

        if ((err == COF_OK) != (rows[i].n > 0) || (err == COF_OK && cof_jwks_count(set) != rows[i].n))
            fail_msg("%s: %s", rows[i].text, cof_err_name(err));
        cof_jwks_free(set);
    }
    assert_false(cof_jwks_has(jwks, COF_LIT("nobody")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_claims),
        cmocka_unit_test(each_rule_refuses),
        cmocka_unit_test(no_cut_and_no_flip_passes),
        cmocka_unit_test(key_sets),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
