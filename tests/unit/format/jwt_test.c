/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the compact form is split and decoded exactly, and nothing that is not canonical passes; claims come out with
 * their types checked.
 */
#include "testing.h"

#include "format/jwt.h"

/* Encodes header and payload and puts "sig" behind them. */
static enum cof_err parse(const char *header, const char *payload, struct cof_jwt *jwt, struct cof_buf *text)
{
    cof_buf_init(text, 65536);
    cof_base64url_add(text, cof_view_str(header));
    cof_buf_add_str(text, ".");
    cof_base64url_add(text, cof_view_str(payload));
    cof_buf_add_str(text, ".c2ln");
    return cof_jwt_parse(cof_buf_view(text), 65536, jwt);
}

static void splits(void **state)
{
    struct cof_jwt jwt;
    struct cof_buf text;

    assert_ok(parse("{\"alg\":\"ES256\",\"kid\":\"k\"}", "{\"a\":1}", &jwt, &text));
    assert_true(cof_view_eq_str(jwt.alg, "ES256") && cof_view_eq_str(jwt.kid, "k") && jwt.typ.data == NULL);
    assert_true(cof_view_eq_str(jwt.payload, "{\"a\":1}") && cof_view_eq_str(jwt.signature, "sig"));
    assert_int_equal(jwt.signing_input.len, text.len - 5);
    assert_false(jwt.has_key || jwt.has_crit);
    cof_jwt_done(&jwt);
    assert_int_equal(cof_jwt_parse(cof_buf_view(&text), text.len - 1, &jwt), COF_E_LIMIT);
    cof_buf_done(&text);
}

static void header_rules(void **state)
{
    static const struct {
        const char *header;
        bool ok, has_key, has_crit;
    } rows[] = {
        {"{\"alg\":\"x\"}", true, false, false},
        {"{\"alg\":\"x\",\"jwk\":{}}", true, true, false},
        {"{\"alg\":\"x\",\"jku\":\"\"}", true, true, false},
        {"{\"alg\":\"x\",\"x5u\":1}", true, true, false},
        {"{\"alg\":\"x\",\"x5c\":null}", true, true, false},
        {"{\"alg\":\"x\",\"crit\":[]}", true, false, true},
        {"{\"alg\":\"x\",\"b64\":false}", true, false, true},
        {"{}", false, false, false},
        {"{\"alg\":null}", false, false, false},
        {"{\"alg\":\"x\",\"kid\":1}", false, false, false},
        {"{\"alg\":\"x\",\"typ\":[]}", false, false, false},
        {"{\"alg\":\"x\",\"alg\":\"x\"}", false, false, false},
        {"{\"alg\":\"x\"} ", true, false, false},
        {"{\"alg\":\"x\"}x", false, false, false},
        {"", false, false, false},
        {"\xef\xbb\xbf{\"alg\":\"x\"}", false, false, false},
        {"{\"alg\":\"x\\u0000\"}", false, false, false},
        {"[]", false, false, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_jwt jwt;
        struct cof_buf text;
        enum cof_err err = parse(rows[i].header, "", &jwt, &text);

        if (err != (rows[i].ok ? COF_OK : COF_E_FORMAT) || jwt.has_key != rows[i].has_key ||
            jwt.has_crit != rows[i].has_crit)
            fail_msg("%s", rows[i].header);
        cof_jwt_done(&jwt);
        cof_buf_done(&text);
    }
}

static void only_the_canonical_form(void **state)
{
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      "eyJhbGciOiJ4In0",
                                      "eyJhbGciOiJ4In0.",
                                      "eyJhbGciOiJ4In0..c2ln.",
                                      "eyJhbGciOiJ4In0..c2l=",
                                      "eyJhbGciOiJ4In0=..c2ln",
                                      " eyJhbGciOiJ4In0..c2ln",
                                      "eyJhbGciOiJ4In0..c2ln\n",
                                      "eyJhbGciOiJ4In1..c2ln",
                                      "eyJhbGciOiJ4In0..c2l",
                                      "eyJhbGciOiJ4In0..c2lnc",
                                      "eyJhbGciOiJ4In0.+/+/.c2ln"};
    struct cof_jwt jwt;

    assert_ok(cof_jwt_parse(COF_LIT("eyJhbGciOiJ4In0..c2ln"), 100, &jwt));
    cof_jwt_done(&jwt);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (cof_jwt_parse(cof_view_str(bad[i]), 100, &jwt) != COF_E_FORMAT)
            fail_msg("accepted %s", bad[i]);
}

static void claims(void **state)
{
    struct cof_jwt jwt;
    struct cof_buf text;
    struct cof_view v;
    int64_t ms = -1;

    assert_ok(parse("{\"alg\":\"x\"}",
                    "{\"s\":\"a\",\"l\":[\"a\",\"b\"],\"bad\":[\"a\",1],\"n\":1.9,\"i\":7,\"neg\":-1,\"big\":"
                    "253402300800,\"real\":1e300,\"t\":true}",
                    &jwt, &text));
    assert_ok(cof_jwt_read_claims(&jwt));
    assert_int_equal(cof_jwt_read_claims(&jwt), COF_E_STATE);
    assert_ok(cof_jwt_text(&jwt, "s", &v));
    assert_true(cof_view_eq_str(v, "a"));
    assert_int_equal(cof_jwt_text(&jwt, "i", &v), COF_E_FORMAT);
    assert_int_equal(cof_jwt_text(&jwt, "none", &v), COF_E_NOT_FOUND);
    assert_ok(cof_jwt_item(&jwt, "l", 1, &v));
    assert_true(cof_view_eq_str(v, "b"));
    assert_int_equal(cof_jwt_item(&jwt, "l", 2, &v), COF_E_NOT_FOUND);
    assert_ok(cof_jwt_item(&jwt, "s", 0, &v));
    assert_int_equal(cof_jwt_item(&jwt, "s", 1, &v), COF_E_NOT_FOUND);
    assert_int_equal(cof_jwt_item(&jwt, "bad", 0, &v), COF_E_FORMAT);
    assert_ok(cof_jwt_date(&jwt, "n", &ms));
    assert_int_equal(ms, 1000);
    assert_ok(cof_jwt_date(&jwt, "i", &ms));
    assert_int_equal(ms, 7000);
    assert_int_equal(cof_jwt_date(&jwt, "neg", &ms), COF_E_FORMAT);
    assert_int_equal(cof_jwt_date(&jwt, "big", &ms), COF_E_FORMAT);
    assert_int_equal(cof_jwt_date(&jwt, "real", &ms), COF_E_FORMAT);
    assert_int_equal(cof_jwt_date(&jwt, "t", &ms), COF_E_FORMAT);
    cof_jwt_done(&jwt);
    cof_buf_done(&text);
}

static void depth_is_limited(void **state)
{
    struct cof_jwt jwt;
    struct cof_buf text;

    assert_ok(
        parse("{\"alg\":\"x\"}", "{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]],\"b\":\"]}]}\"}", &jwt, &text)); /* 16 deep */
    assert_ok(cof_jwt_read_claims(&jwt));
    cof_jwt_done(&jwt);
    cof_buf_done(&text);
    assert_ok(parse("{\"alg\":\"x\"}", "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", &jwt, &text));
    assert_int_equal(cof_jwt_read_claims(&jwt), COF_E_FORMAT);
    cof_jwt_done(&jwt);
    cof_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits), cmocka_unit_test(header_rules), cmocka_unit_test(only_the_canonical_form),
        cmocka_unit_test(claims), cmocka_unit_test(depth_is_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
