/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: keys survive every encoding, each padding and each signature scheme goes with itself and no other, and
 * small or odd keys are refused.
 */
#include "testing.h"

#include "crypto/ecdsa.h"
#include "crypto/rsa.h"

static struct cof_rsa_key *key;

static int make_key(void **state)
{
    return cof_rsa_generate(2048, &key) == COF_OK ? 0 : -1;
}

static int drop_key(void **state)
{
    cof_rsa_free(key);
    return 0;
}

static void keys_survive_their_encodings(void **state)
{
    struct cof_rsa_key *back[5] = {NULL};
    struct cof_buf spki, enc[4], n, e;

    cof_buf_init(&spki, 1024);
    cof_buf_init(&n, 1024);
    cof_buf_init(&e, 1024);
    for (size_t i = 0; i < 4; i++)
        cof_buf_init_secret(&enc[i], 8192);
    assert_ok(cof_rsa_spki(key, &spki));
    assert_ok(cof_rsa_pkcs8(key, &enc[0]));
    assert_ok(cof_rsa_pkcs8_pem(key, &enc[1]));
    assert_ok(cof_rsa_spki_pem(key, &enc[2]));
    assert_ok(cof_rsa_modulus(key, &n, &e));
    assert_true(cof_view_eq(cof_buf_view(&e), COF_LIT("\x01\x00\x01")));
    assert_ok(cof_rsa_from_pkcs8(cof_buf_view(&enc[0]), &back[0]));
    assert_ok(cof_rsa_from_pem(cof_buf_view(&enc[1]), &back[1]));
    assert_ok(cof_rsa_from_pem(cof_buf_view(&enc[2]), &back[2]));
    assert_ok(cof_rsa_from_spki(cof_buf_view(&spki), &back[3]));
    assert_ok(cof_rsa_from_modulus(cof_buf_view(&n), cof_buf_view(&e), &back[4]));
    for (size_t i = 0; i < 5; i++) {
        struct cof_buf again;

        cof_buf_init(&again, 1024);
        assert_ok(cof_rsa_spki(back[i], &again));
        assert_true(cof_view_eq(cof_buf_view(&again), cof_buf_view(&spki)));
        assert_int_equal(cof_rsa_is_private(back[i]), i < 2);
        assert_int_equal(cof_rsa_bits(back[i]), 2048);
        cof_rsa_free(back[i]);
        cof_buf_done(&again);
    }
    cof_buf_add_u8(&spki, 0);
    assert_int_equal(cof_rsa_from_spki(cof_buf_view(&spki), &back[0]), COF_E_FORMAT);
    for (size_t i = 0; i < 4; i++)
        cof_buf_done(&enc[i]);
    cof_buf_done(&spki);
    cof_buf_done(&n);
    cof_buf_done(&e);
}

static void paddings_do_not_mix(void **state)
{
    struct cof_view plain = COF_LIT("thirty-two bytes of a data key..");

    for (int p = COF_RSA_OAEP_SHA1; p <= COF_RSA_PKCS1; p++) {
        struct cof_buf cipher;

        cof_buf_init(&cipher, COF_RSA_SIZE_MAX);
        assert_ok(cof_rsa_encrypt(key, (enum cof_rsa_padding)p, plain, &cipher));
        assert_int_equal(cipher.len, 256);
        for (int q = COF_RSA_OAEP_SHA1; q <= COF_RSA_PKCS1; q++) {
            struct cof_buf back;
            enum cof_err err;

            cof_buf_init_secret(&back, COF_RSA_SIZE_MAX);
            err = cof_rsa_decrypt(key, (enum cof_rsa_padding)q, cof_buf_view(&cipher), &back);
            if (p == q) {
                assert_ok(err);
                assert_true(cof_view_eq(cof_buf_view(&back), plain));
            } else if (q != COF_RSA_PKCS1) { /* v1.5 may see a padding by chance, or answer at random by design */
                assert_int_equal(err, COF_E_AUTH);
                assert_int_equal(back.len, 0);
            }
            cof_buf_done(&back);
        }
        cof_buf_done(&cipher);
    }
}

static void the_longest_plaintext_is_known(void **state)
{
    static const uint8_t block[256] = {1};
    static const size_t longest[] = {214, 190, 158, 126, 245};

    for (int p = COF_RSA_OAEP_SHA1; p <= COF_RSA_PKCS1; p++) {
        struct cof_buf out;

        cof_buf_init(&out, 512);
        assert_ok(cof_rsa_encrypt(key, (enum cof_rsa_padding)p, cof_view_of(block, longest[p]), &out));
        assert_int_equal(cof_rsa_encrypt(key, (enum cof_rsa_padding)p, cof_view_of(block, longest[p] + 1), &out),
                         COF_E_USAGE);
        cof_buf_done(&out);
    }
}

static void schemes_do_not_mix(void **state)
{
    struct cof_view msg = COF_LIT("header.payload");

    for (int s = COF_RSA_RS256; s <= COF_RSA_PS512; s++) {
        struct cof_buf sig;

        cof_buf_init(&sig, COF_RSA_SIZE_MAX + 1);
        assert_ok(cof_rsa_sign(key, (enum cof_rsa_scheme)s, msg, &sig));
        for (int v = COF_RSA_RS256; v <= COF_RSA_PS512; v++)
            assert_int_equal(cof_rsa_verify(key, (enum cof_rsa_scheme)v, msg, cof_buf_view(&sig)),
                             s == v ? COF_OK : COF_E_AUTH);
        assert_int_equal(cof_rsa_verify(key, (enum cof_rsa_scheme)s, COF_LIT("header.payloae"), cof_buf_view(&sig)),
                         COF_E_AUTH);
        for (size_t i = 0; i < sig.len; i += 5) {
            sig.data[i] ^= 0x10;
            assert_int_equal(cof_rsa_verify(key, (enum cof_rsa_scheme)s, msg, cof_buf_view(&sig)), COF_E_AUTH);
            sig.data[i] ^= 0x10;
        }
        assert_int_equal(cof_rsa_verify(key, (enum cof_rsa_scheme)s, msg, COF_LIT("")), COF_E_AUTH);
        cof_buf_done(&sig);
    }
}

static void unfit_keys_are_refused(void **state)
{
    uint8_t n[513];
    struct cof_rsa_key *out = NULL;
    struct cof_ecdsa_key *ec = NULL;
    struct cof_buf spki;
    TEST_RNG(rng, 11);

    memset(n, 0xff, sizeof n);
    assert_int_equal(cof_rsa_generate(1024, &out), COF_E_USAGE);
    assert_int_equal(cof_rsa_from_modulus(cof_view_of(n, 128), COF_LIT("\x03"), &out), COF_E_UNSUPPORTED);
    assert_int_equal(cof_rsa_from_modulus(cof_view_of(n, 513), COF_LIT("\x03"), &out), COF_E_UNSUPPORTED);
    assert_int_equal(cof_rsa_from_modulus(cof_view_of(n, 256), COF_LIT("\x01"), &out), COF_E_UNSUPPORTED);
    assert_int_equal(cof_rsa_from_modulus(cof_view_of(n, 256), COF_LIT("\x02"), &out), COF_E_UNSUPPORTED);
    assert_int_equal(cof_rsa_from_modulus(cof_view_of(n, 256), COF_LIT("\x01\x00\x00\x00\x01"), &out),
                     COF_E_UNSUPPORTED);
    assert_int_equal(cof_rsa_from_modulus(COF_LIT(""), COF_LIT("\x03"), &out), COF_E_FORMAT);
    n[0] = 0;
    assert_int_equal(cof_rsa_from_modulus(cof_view_of(n, 257), COF_LIT("\x03"), &out), COF_E_FORMAT);
    cof_buf_init(&spki, 512);
    assert_ok(cof_ecdsa_generate(COF_P256, &rng, &ec));
    assert_ok(cof_ecdsa_spki(ec, &spki));
    assert_int_equal(cof_rsa_from_spki(cof_buf_view(&spki), &out), COF_E_UNSUPPORTED);
    assert_null(out);
    cof_ecdsa_free(ec);
    cof_buf_done(&spki);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_survive_their_encodings),
        cmocka_unit_test(paddings_do_not_mix),
        cmocka_unit_test(the_longest_plaintext_is_known),
        cmocka_unit_test(schemes_do_not_mix),
        cmocka_unit_test(unfit_keys_are_refused),
    };

    return cmocka_run_group_tests(tests, make_key, drop_key);
}
