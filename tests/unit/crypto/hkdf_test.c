/* SPDX-License-Identifier: Apache-2.0
 *
 * HMAC by the cases of RFC 4231 (SHA-2) and RFC 2202 (SHA-1, MD5), HKDF by those of RFC 5869.
 */
#include "testing.h"

#include "crypto/hkdf.h"

static void expect_hex(const uint8_t *got, size_t len, const char *hex)
{
    char text[2 * 128 + 1];

    assert_int_equal(strlen(hex), 2 * len);
    cof_hex_encode(got, len, text);
    assert_string_equal(text, hex);
}

static void hmac_cases(void **state)
{
    static const uint8_t b[20] = {0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b,
                                  0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b};
    uint8_t aa[131];
    const struct cof_view key1 = {b, 20}, jefe = COF_LIT("Jefe"), large = {aa, 131}, key16 = {b, 16}, hi = COF_LIT("Hi There"),
                          want = COF_LIT("what do ya want for nothing?"),
                          large_data = COF_LIT("Test Using Larger Than Block-Size Key - Hash Key First");
    const struct {
        enum cof_hash_alg alg;
        struct cof_view key, data;
        const char *mac;
    } cases[] = {
        {COF_SHA256, key1, hi, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {COF_SHA384, key1, hi,
         "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6"},
        {COF_SHA512, key1, hi,
         "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a"
         "126854"},
        {COF_SHA256, jefe, want, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {COF_SHA256, large, large_data, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {COF_SHA512, large, large_data,
         "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d"
         "786598"},
        {COF_SHA1, key1, hi, "b617318655057264e28bc0b6fb378c8ef146be00"},
        {COF_MD5, key16, hi, "9294727a3638bb1c13f48ef8158bfc9d"},
    };

    (void)memset(aa, 0xaa, sizeof aa);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t mac[COF_HASH_MAX];
        struct cof_view parts[3] = {cof_view_sub(cases[i].data, 0, 3), {0}, cof_view_sub(cases[i].data, 3, SIZE_MAX)};

        assert_ok(cof_hmac(cases[i].alg, cases[i].key, parts, 3, mac));
        expect_hex(mac, cof_hash_size(cases[i].alg), cases[i].mac);
    }
}

/* A key of a whole block is taken as it is, one byte more is hashed first; no key is a key too. */
static void hmac_key_lengths(void **state)
{
    uint8_t key[65], hashed[32], one[32], other[32];
    const struct cof_view data = COF_LIT("data"), none = {0};

    (void)memset(key, 7, sizeof key);
    assert_ok(cof_hash_once(COF_SHA256, cof_view_of(key, 65), hashed));
    assert_ok(cof_hmac(COF_SHA256, cof_view_of(key, 65), &data, 1, one));
    assert_ok(cof_hmac(COF_SHA256, cof_view_of(hashed, 32), &data, 1, other));
    assert_memory_equal(one, other, 32);
    assert_ok(cof_hash_once(COF_SHA256, cof_view_of(key, 64), hashed));
    assert_ok(cof_hmac(COF_SHA256, cof_view_of(key, 64), &data, 1, one));
    assert_ok(cof_hmac(COF_SHA256, cof_view_of(hashed, 32), &data, 1, other));
    assert_memory_not_equal(one, other, 32);
    assert_ok(cof_hmac(COF_SHA256, none, &none, 1, one));
    expect_hex(one, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void hkdf_cases(void **state)
{
    static uint8_t too_much[255 * 32 + 1];
    uint8_t ikm[80], salt[80], info[80], okm[82];

    (void)memset(ikm, 0x0b, 22);
    for (uint8_t i = 0; i < 80; i++)
        salt[i] = i;
    for (uint8_t i = 0; i < 10; i++)
        info[i] = (uint8_t)(0xf0 + i);
    assert_ok(cof_hkdf(COF_SHA256, cof_view_of(ikm, 22), cof_view_of(salt, 13), cof_view_of(info, 10), okm, 42));
    expect_hex(okm, 42, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    assert_ok(cof_hkdf(COF_SHA256, cof_view_of(ikm, 22), (struct cof_view){0}, (struct cof_view){0}, okm, 42));
    expect_hex(okm, 42, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
    for (uint8_t i = 0; i < 80; i++) {
        ikm[i] = i;
        salt[i] = (uint8_t)(0x60 + i);
        info[i] = (uint8_t)(0xb0 + i);
    }
    assert_ok(cof_hkdf(COF_SHA256, cof_view_of(ikm, 80), cof_view_of(salt, 80), cof_view_of(info, 80), okm, 82));
    expect_hex(okm, 82,
               "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9"
               "aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
    assert_int_equal(cof_hkdf(COF_SHA256, cof_view_of(ikm, 80), (struct cof_view){0}, (struct cof_view){0}, too_much, sizeof too_much),
                     COF_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hmac_cases), cmocka_unit_test(hmac_key_lengths),
                                       cmocka_unit_test(hkdf_cases)};

    return cmocka_run_group_tests_name("crypto/hkdf", tests, NULL, NULL);
}
