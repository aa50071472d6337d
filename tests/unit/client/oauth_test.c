/* SPDX-License-Identifier: Apache-2.0
 *
 * The client credentials grant: what is sent, what is kept, what is refused.
 */
#include "world.h"

#include "client/oauth.h"

static void init(struct world *w, struct cof_oauth *o)
{
    char url[128];

    (void)snprintf(url, sizeof url, "%s/token", w->url);
    assert_ok(cof_oauth_init(o, w->http, url, "camera 1", COF_LIT("s:e+cret"), "submit read", NULL));
}

static void fetches_and_keeps(void **state)
{
    struct world *w = *state;
    struct cof_oauth o;
    struct cof_view token;

    init(w, &o);
    script(w, 200, NULL, "{\"access_token\":\"one\",\"token_type\":\"Bearer\",\"expires_in\":3600}");
    script(w, 200, NULL, "{\"access_token\":\"two\",\"token_type\":\"bearer\",\"expires_in\":30}");
    script(w, 200, NULL, "{\"access_token\":\"three\",\"token_type\":\"bearer\"}");
    assert_ok(cof_oauth_run_token(&o, &token, NULL));
    assert_true(cof_view_eq_str(token, "one"));
    assert_ok(cof_oauth_run_token(&o, &token, NULL));
    assert_int_equal(w->n_seen, 1);
    assert_true(seen_header(w, 0, "authorization", "Basic Y2FtZXJhJTIwMTpzJTNBZSUyQmNyZXQ="));
    assert_true(cof_view_eq_str(cof_buf_view(&w->seen[0].body), "grant_type=client_credentials&scope=submit%20read"));
    cof_oauth_forget(&o);
    assert_ok(cof_oauth_run_token(&o, &token, NULL));
    assert_true(cof_view_eq_str(token, "two"));
    assert_ok(cof_oauth_run_token(&o, &token, NULL)); /* one that ends at once is not kept */
    assert_true(cof_view_eq_str(token, "three"));
    cof_oauth_done(&o);
}

static void refuses(void **state)
{
    struct world *w = *state;
    static const struct {
        int status;
        const char *body;
        enum cof_err err;
    } cases[] = {
        {401, "{\"error\":\"invalid_client\",\"error_description\":\"unknown\"}", COF_E_DENIED},
        {503, "", COF_E_RETRY},
        {302, "", COF_E_DENIED},
        {200, "{\"access_token\":\"a b\",\"token_type\":\"bearer\"}", COF_E_FORMAT},
        {200, "{\"access_token\":\"a\",\"token_type\":\"mac\"}", COF_E_FORMAT},
        {200, "{\"access_token\":\"\",\"token_type\":\"bearer\"}", COF_E_FORMAT},
        {200, "{\"token_type\":\"bearer\"}", COF_E_FORMAT},
        {200, "no JSON", COF_E_FORMAT},
    };
    struct cof_oauth o;

    init(w, &o);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_view token;
        struct cof_diag diag = {0};
        script(w, cases[i].status, NULL, cases[i].body);
        assert_int_equal(cof_oauth_run_token(&o, &token, &diag), cases[i].err);
        assert_int_equal(token.len, 0);
    }
    assert_string_equal(o.code, "");
    cof_oauth_done(&o);
    assert_int_equal(cof_oauth_init(&o, w->http, "http://issuer.example/token", "a", COF_LIT("b"), "", NULL),
                     COF_E_CONFIG);
    cof_oauth_done(&o);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {T(fetches_and_keeps), T(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
