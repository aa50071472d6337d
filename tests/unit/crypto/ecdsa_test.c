/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: keys survive every encoding, signatures verify in both forms and in no other, and a known public vector.
 */
#include "testing.h"

#include "crypto/ecdsa.h"

static void keys_survive_their_encodings(void **state)
{
    TEST_RNG(rng, 1);

    for (enum cof_curve curve = COF_P256; curve <= COF_SECP256K1; curve++) {
        struct cof_ecdsa_key *key = NULL, *back[6] = {NULL};
        struct cof_buf spki, enc[6], sig;
        struct cof_view msg = COF_LIT("message");

        assert_ok(cof_ecdsa_generate(curve, &rng, &key));
        cof_buf_init(&spki, 1024);
        cof_buf_init(&sig, COF_ECDSA_SIG_MAX);
        for (size_t i = 0; i < 6; i++)
            cof_buf_init_secret(&enc[i], 4096);
        assert_ok(cof_ecdsa_spki(key, &spki));
        assert_ok(cof_ecdsa_sign(key, COF_SHA384, msg, COF_ECDSA_DER, &sig));
        assert_ok(cof_ecdsa_pkcs8(key, &enc[0]));
        assert_ok(cof_ecdsa_pkcs8_pem(key, &enc[1]));
        assert_ok(cof_ecdsa_spki_pem(key, &enc[2]));
        assert_ok(cof_ecdsa_point(key, false, &enc[3]));
        assert_ok(cof_ecdsa_point(key, true, &enc[4]));
        assert_ok(cof_ecdsa_spki(key, &enc[5]));
        assert_ok(cof_ecdsa_from_pkcs8(cof_buf_view(&enc[0]), &back[0]));
        assert_ok(cof_ecdsa_from_pem(cof_buf_view(&enc[1]), &back[1]));
        assert_ok(cof_ecdsa_from_pem(cof_buf_view(&enc[2]), &back[2]));
        assert_ok(cof_ecdsa_from_point(curve, cof_buf_view(&enc[3]), &back[3]));
        assert_ok(cof_ecdsa_from_point(curve, cof_buf_view(&enc[4]), &back[4]));
        assert_ok(cof_ecdsa_from_spki(cof_buf_view(&enc[5]), &back[5]));
        for (size_t i = 0; i < 6; i++) {
            struct cof_buf again;

            cof_buf_init(&again, 1024);
            assert_ok(cof_ecdsa_spki(back[i], &again));
            assert_true(cof_view_eq(cof_buf_view(&again), cof_buf_view(&spki)));
            assert_int_equal(cof_ecdsa_is_private(back[i]), i < 2);
            assert_int_equal(cof_ecdsa_curve(back[i]), curve);
            assert_ok(cof_ecdsa_verify(back[i], COF_SHA384, msg, COF_ECDSA_DER, cof_buf_view(&sig)));
            cof_ecdsa_free(back[i]);
            cof_buf_done(&again);
            cof_buf_done(&enc[i]);
        }
        cof_ecdsa_free(key);
        cof_buf_done(&spki);
        cof_buf_done(&sig);
    }
}

static void altered_signatures_are_refused(void **state)
{
    TEST_RNG(rng, 2);
    struct cof_view msg = COF_LIT("message");

    for (int form = COF_ECDSA_DER; form <= COF_ECDSA_RAW; form++) {
        struct cof_ecdsa_key *key = NULL;
        struct cof_buf sig;

        cof_buf_init(&sig, COF_ECDSA_SIG_MAX + 1);
        assert_ok(cof_ecdsa_generate(COF_P256, &rng, &key));
        assert_ok(cof_ecdsa_sign(key, COF_SHA256, msg, (enum cof_ecdsa_form)form, &sig));
        assert_ok(cof_ecdsa_verify(key, COF_SHA256, msg, (enum cof_ecdsa_form)form, cof_buf_view(&sig)));
        assert_int_equal(cof_ecdsa_verify(key, COF_SHA256, COF_LIT("messagE"), (enum cof_ecdsa_form)form,
                                          cof_buf_view(&sig)), COF_E_AUTH);
        for (size_t i = 0; i < sig.len; i++) {
            sig.data[i] ^= 1;
            assert_int_equal(cof_ecdsa_verify(key, COF_SHA256, msg, (enum cof_ecdsa_form)form, cof_buf_view(&sig)),
                             COF_E_AUTH);
            sig.data[i] ^= 1;
            assert_int_equal(cof_ecdsa_verify(key, COF_SHA256, msg, (enum cof_ecdsa_form)form,
                                              cof_view_sub(cof_buf_view(&sig), 0, i)), COF_E_AUTH);
        }
        cof_buf_add_u8(&sig, 0);
        assert_int_equal(cof_ecdsa_verify(key, COF_SHA256, msg, (enum cof_ecdsa_form)form, cof_buf_view(&sig)),
                         COF_E_AUTH);
        cof_buf_done(&sig);
        cof_ecdsa_free(key);
    }
}

static void all_zero_signatures_are_refused(void **state)
{
    static const uint8_t zeros[96] = {0};
    TEST_RNG(rng, 3);
    struct cof_ecdsa_key *key = NULL;

    assert_ok(cof_ecdsa_generate(COF_P384, &rng, &key));
    assert_int_equal(cof_ecdsa_verify(key, COF_SHA384, COF_LIT(""), COF_ECDSA_RAW, cof_view_of(zeros, 96)), COF_E_AUTH);
    cof_ecdsa_free(key);
}

static void points_must_lie_on_the_curve(void **state)
{
    TEST_RNG(rng, 4);
    struct cof_ecdsa_key *key = NULL, *back = NULL;
    struct cof_buf point;

    cof_buf_init(&point, 256);
    assert_ok(cof_ecdsa_generate(COF_P256, &rng, &key));
    assert_ok(cof_ecdsa_point(key, false, &point));
    point.data[64] ^= 1;
    assert_int_equal(cof_ecdsa_from_point(COF_P256, cof_buf_view(&point), &back), COF_E_FORMAT);
    point.data[64] ^= 1;
    assert_int_equal(cof_ecdsa_from_point(COF_P384, cof_buf_view(&point), &back), COF_E_FORMAT);
    point.data[0] = 6; /* the hybrid form */
    assert_int_equal(cof_ecdsa_from_point(COF_P256, cof_buf_view(&point), &back), COF_E_FORMAT);
    assert_int_equal(cof_ecdsa_from_point(COF_P256, COF_LIT("\0"), &back), COF_E_FORMAT);
    assert_null(back);
    cof_buf_done(&point);
    cof_ecdsa_free(key);
}

/* RFC 6979 section A.2.5, P-256, SHA-256, message "sample". */
static void verifies_a_published_signature(void **state)
{
    struct cof_ecdsa_key *key = NULL;
    struct cof_buf point, sig;

    cof_buf_init(&point, 128);
    cof_buf_init(&sig, 128);
    assert_ok(cof_hex_decode(COF_LIT("0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
                                     "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"), &point));
    assert_ok(cof_hex_decode(COF_LIT("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
                                     "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"), &sig));
    assert_ok(cof_ecdsa_from_point(COF_P256, cof_buf_view(&point), &key));
    assert_ok(cof_ecdsa_verify(key, COF_SHA256, COF_LIT("sample"), COF_ECDSA_RAW, cof_buf_view(&sig)));
    cof_ecdsa_free(key);
    cof_buf_done(&point);
    cof_buf_done(&sig);
}

static void other_keys_are_refused(void **state)
{
    struct cof_ecdsa_key *key = NULL;

    assert_int_equal(cof_ecdsa_from_spki(COF_LIT("junk"), &key), COF_E_FORMAT);
    assert_int_equal(cof_ecdsa_from_spki(COF_LIT(""), &key), COF_E_FORMAT);
    assert_int_equal(cof_ecdsa_from_pem(COF_LIT("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), &key),
                     COF_E_FORMAT);
    assert_null(key);
}

static void two_keys_of_a_curve_agree(void **state)
{
    TEST_RNG(rng, 8);

    for (enum cof_curve curve = COF_P256; curve <= COF_SECP256K1; curve++) {
        static const size_t sizes[COF_CURVES] = {32, 48, 66, 32};
        struct cof_ecdsa_key *a, *b, *other, *public_half;
        struct cof_buf one, two, spki;

        assert_ok(cof_ecdsa_generate(curve, &rng, &a));
        assert_ok(cof_ecdsa_generate(curve, &rng, &b));
        assert_ok(cof_ecdsa_generate(curve == COF_P256 ? COF_P384 : COF_P256, &rng, &other));
        cof_buf_init_secret(&one, 128);
        cof_buf_init_secret(&two, 128);
        cof_buf_init(&spki, 1024);
        assert_ok(cof_ecdsa_spki(b, &spki));
        assert_ok(cof_ecdsa_from_spki(cof_buf_view(&spki), &public_half));
        assert_ok(cof_ecdsa_agree(a, public_half, &one));
        assert_ok(cof_ecdsa_agree(b, a, &two));
        assert_int_equal(one.len, sizes[curve]);
        assert_true(cof_view_eq(cof_buf_view(&one), cof_buf_view(&two)));
        assert_int_equal(cof_ecdsa_agree(public_half, a, &two), COF_E_USAGE);
        assert_int_equal(cof_ecdsa_agree(a, other, &two), COF_E_USAGE);
        cof_ecdsa_free(a);
        cof_ecdsa_free(b);
        cof_ecdsa_free(other);
        cof_ecdsa_free(public_half);
        cof_buf_done(&one);
        cof_buf_done(&two);
        cof_buf_done(&spki);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_survive_their_encodings),
        cmocka_unit_test(two_keys_of_a_curve_agree),
        cmocka_unit_test(altered_signatures_are_refused),
        cmocka_unit_test(all_zero_signatures_are_refused),
        cmocka_unit_test(points_must_lie_on_the_curve),
        cmocka_unit_test(verifies_a_published_signature),
        cmocka_unit_test(other_keys_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
