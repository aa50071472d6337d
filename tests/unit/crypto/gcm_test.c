/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "crypto/gcm.h"

/* NIST GCM specification, test case 16 (AES-256, 60 bytes of data, 20 of AAD). */
static void known_answer(void **state)
{
    uint8_t key[32], nonce[12], aad[20], plain[60], sealed[76], want[76], back[60];
    struct cof_gcm *gcm;

    assert_ok(cof_hex_decode_fixed(COF_LIT("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"), key, 32));
    assert_ok(cof_hex_decode_fixed(COF_LIT("cafebabefacedbaddecaf888"), nonce, 12));
    assert_ok(cof_hex_decode_fixed(COF_LIT("feedfacedeadbeeffeedfacedeadbeefabaddad2"), aad, 20));
    assert_ok(cof_hex_decode_fixed(COF_LIT("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c9595680953"
        "2fcf0e2449a6b525b16aedf5aa0de657ba637b39"), plain, 60));
    assert_ok(cof_hex_decode_fixed(COF_LIT("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3d"
        "a7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"), want, 76));
    assert_ok(cof_gcm_new(cof_view_of(key, 32), &gcm));
    for (int again = 0; again < 2; again++) {
        assert_ok(cof_gcm_seal(gcm, nonce, cof_view_of(aad, 20), cof_view_of(plain, 60), sealed));
        assert_memory_equal(sealed, want, 76);
        assert_ok(cof_gcm_open(gcm, nonce, cof_view_of(aad, 20), cof_view_of(sealed, 76), back));
        assert_memory_equal(back, plain, 60);
    }
    cof_gcm_free(gcm);
}

static void every_flipped_bit_is_noticed(void **state)
{
    uint8_t key[32] = {1}, nonce[12] = {2}, sealed[21], back[5];
    struct cof_gcm *gcm;

    assert_ok(cof_gcm_new(cof_view_of(key, 32), &gcm));
    assert_ok(cof_gcm_seal(gcm, nonce, COF_LIT("aad"), COF_LIT("plain"), sealed));
    for (size_t bit = 0; bit < sizeof sealed * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(back, 0xaa, sizeof back);
        assert_int_equal(cof_gcm_open(gcm, nonce, COF_LIT("aad"), cof_view_of(sealed, sizeof sealed), back), COF_E_AUTH);
        for (size_t i = 0; i < sizeof back; i++)
            assert_int_equal(back[i], 0);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(cof_gcm_open(gcm, nonce, COF_LIT("AAD"), cof_view_of(sealed, sizeof sealed), back), COF_E_AUTH);
    assert_int_equal(cof_gcm_open(gcm, nonce, COF_LIT("aad"), cof_view_of(sealed, 15), back), COF_E_AUTH);
    assert_ok(cof_gcm_open(gcm, nonce, COF_LIT("aad"), cof_view_of(sealed, sizeof sealed), back));
    cof_gcm_free(gcm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer),
        cmocka_unit_test(every_flipped_bit_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
