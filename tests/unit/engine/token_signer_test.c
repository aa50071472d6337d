/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the key and its id survive export and import; what is issued verifies, claims with hostile text included; only
 * P-256 private keys sign.
 */
#include "testing.h"

#include "crypto/ecdsa.h"
#include "crypto/hash.h"
#include "engine/token.h"
#include "engine/token_signer.h"

#include <jansson.h>

#define NOW 1795456800000

static struct cof_token_signer *generate(uint64_t seed)
{
    TEST_RNG(rng, seed);
    struct cof_token_signer *signer = NULL;

    assert_ok(cof_token_signer_generate(&rng, &signer));
    return signer;
}

static void export_and_import(void **state)
{
    struct cof_token_signer *signer = generate(3), *again = NULL;
    struct cof_buf der, one, two;

    cof_buf_init_secret(&der, 4096);
    cof_buf_init(&one, 4096);
    cof_buf_init(&two, 4096);
    assert_ok(cof_token_signer_export(signer, &der));
    assert_ok(cof_token_signer_import(cof_buf_view(&der), &again));
    assert_ok(cof_token_signer_jwks(signer, &one));
    assert_ok(cof_token_signer_jwks(again, &two));
    assert_true(cof_view_eq(cof_buf_view(&one), cof_buf_view(&two)));
    cof_token_signer_free(again);
    assert_int_equal(cof_token_signer_import(COF_LIT("junk"), &again), COF_E_FORMAT);
    assert_null(again);
    cof_token_signer_free(signer);
    cof_buf_done(&der);
    cof_buf_done(&one);
    cof_buf_done(&two);
}

/* RFC 7638 section 3: the hash of the required members, sorted, without white space. */
static void kid_is_the_thumbprint(void **state)
{
    struct cof_token_signer *signer = generate(4);
    struct cof_buf set, want, kid;
    uint8_t digest[32];
    json_t *root, *jwk;

    cof_buf_init(&set, 4096);
    cof_buf_init(&want, 4096);
    cof_buf_init(&kid, 64);
    assert_ok(cof_token_signer_jwks(signer, &set));
    root = json_loadb((const char *)set.data, set.len, JSON_REJECT_DUPLICATES, NULL);
    jwk = json_array_get(json_object_get(root, "keys"), 0);
    cof_buf_printf(&want, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
                   json_string_value(json_object_get(jwk, "x")), json_string_value(json_object_get(jwk, "y")));
    assert_ok(cof_hash_once(COF_SHA256, cof_buf_view(&want), digest));
    cof_base64url_add(&kid, cof_view_of(digest, sizeof digest));
    assert_string_equal(cof_buf_cstr(&kid), json_string_value(json_object_get(jwk, "kid")));
    json_decref(root);
    cof_token_signer_free(signer);
    cof_buf_done(&set);
    cof_buf_done(&want);
    cof_buf_done(&kid);
}

static void hostile_text_stays_text(void **state)
{
    static const struct cof_token_claims claims = {.issuer = "i", .audience = "a", .subject = "x\",\"scope\":\"admin",
        .issued_ms = NOW, .expires_ms = NOW + 1000};
    static const struct cof_token_policy policy = {.issuer = "i", .audience = "a"};
    struct cof_token_signer *signer = generate(5);
    struct cof_jwks *jwks = NULL;
    struct cof_token token;
    struct cof_buf set, text;

    cof_buf_init(&set, 4096);
    cof_buf_init(&text, 4096);
    assert_ok(cof_token_signer_jwks(signer, &set));
    assert_ok(cof_jwks_parse(cof_buf_view(&set), &jwks, NULL));
    assert_ok(cof_token_sign(signer, &claims, &text));
    assert_ok(cof_token_verify(cof_buf_view(&text), jwks, &policy, NOW, &token, NULL));
    assert_string_equal(token.subject, claims.subject);
    assert_string_equal(token.scopes, "");
    cof_jwks_free(jwks);
    cof_token_signer_free(signer);
    cof_buf_done(&set);
    cof_buf_done(&text);
}

static void other_curves_are_refused(void **state)
{
    TEST_RNG(rng, 6);
    struct cof_ecdsa_key *key = NULL;
    struct cof_token_signer *signer;
    struct cof_buf der;

    cof_buf_init_secret(&der, 4096);
    assert_ok(cof_ecdsa_generate(COF_P384, &rng, &key));
    assert_ok(cof_ecdsa_pkcs8(key, &der));
    assert_int_equal(cof_token_signer_import(cof_buf_view(&der), &signer), COF_E_UNSUPPORTED);
    cof_ecdsa_free(key);
    cof_buf_done(&der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(export_and_import),
        cmocka_unit_test(kid_is_the_thumbprint),
        cmocka_unit_test(hostile_text_stays_text),
        cmocka_unit_test(other_curves_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
