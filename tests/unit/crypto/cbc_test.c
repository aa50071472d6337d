/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the cipher is AES-256-CBC (NIST SP 800-38A F.2.5), padding round-trips at every length, and what cannot be
 * opened is one code that leaves nothing behind.
 */
#include "testing.h"

#include "crypto/cbc.h"

static void is_the_published_cipher(void **state)
{
    uint8_t key[32], iv[16], plain[64];
    struct cof_buf out, hex;

    assert_ok(cof_hex_decode_fixed(COF_LIT("603deb1015ca71be2b73aef0857d7781"
                                           "1f352c073b6108d72d9810a30914dff4"), key, 32));
    assert_ok(cof_hex_decode_fixed(COF_LIT("000102030405060708090a0b0c0d0e0f"), iv, 16));
    assert_ok(cof_hex_decode_fixed(COF_LIT("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                                           "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"),
                                   plain, 64));
    cof_buf_init(&out, 128);
    cof_buf_init(&hex, 256);
    assert_ok(cof_cbc_encrypt(cof_view_of(key, 32), cof_view_of(iv, 16), cof_view_of(plain, 64), &out));
    assert_int_equal(out.len, 80);
    cof_hex_add(&hex, cof_view_sub(cof_buf_view(&out), 0, 64));
    assert_string_equal(cof_buf_cstr(&hex), "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
                                            "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b");
    cof_buf_done(&out);
    cof_buf_done(&hex);
}

static void every_length_round_trips(void **state)
{
    static const uint8_t key[32] = {1}, iv[16] = {2}, plain[70] = {3};

    for (size_t len = 0; len <= sizeof plain; len++) {
        struct cof_buf cipher, back;

        cof_buf_init(&cipher, 128);
        cof_buf_init_secret(&back, 128);
        cof_buf_add_u8(&back, 0xaa); /* appended, not replaced */
        assert_ok(cof_cbc_encrypt(cof_view_of(key, 32), cof_view_of(iv, 16), cof_view_of(plain, len), &cipher));
        assert_int_equal(cipher.len, (len / 16 + 1) * 16);
        assert_ok(cof_cbc_decrypt(cof_view_of(key, 32), cof_view_of(iv, 16), cof_buf_view(&cipher), &back));
        assert_true(cof_view_eq(cof_view_sub(cof_buf_view(&back), 1, SIZE_MAX), cof_view_of(plain, len)));
        cof_buf_done(&cipher);
        cof_buf_done(&back);
    }
}

static void failures_are_one_code_and_leave_nothing(void **state)
{
    static const uint8_t key_bytes[32] = {1}, iv_bytes[16] = {2}, plain[20] = {3};
    struct cof_view key = cof_view_of(key_bytes, 32), iv = cof_view_of(iv_bytes, 16);
    struct cof_buf cipher, back;

    cof_buf_init(&cipher, 128);
    cof_buf_init_secret(&back, 128);
    assert_ok(cof_cbc_encrypt(key, iv, cof_view_of(plain, 20), &cipher));
    cipher.data[15] ^= 0xff; /* the last padding byte becomes impossible */
    assert_int_equal(cof_cbc_decrypt(key, iv, cof_buf_view(&cipher), &back), COF_E_AUTH);
    for (size_t len = 0; len < 32; len++)
        if (len != 16)
            assert_int_equal(cof_cbc_decrypt(key, iv, cof_view_sub(cof_buf_view(&cipher), 0, len), &back), COF_E_AUTH);
    assert_int_equal(back.len, 0);
    assert_int_equal(cof_cbc_decrypt(cof_view_sub(key, 0, 31), iv, cof_buf_view(&cipher), &back), COF_E_USAGE);
    assert_int_equal(cof_cbc_encrypt(key, cof_view_sub(iv, 0, 12), cof_buf_view(&cipher), &back), COF_E_USAGE);
    cof_buf_done(&cipher);
    cof_buf_done(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_published_cipher),
        cmocka_unit_test(every_length_round_trips),
        cmocka_unit_test(failures_are_one_code_and_leave_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
