/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "crypto/checksum.h"

static void sum_of(enum cof_checksum_alg alg, struct cof_view data, size_t step, char hex[2 * COF_CHECKSUM_MAX + 1])
{
    struct cof_checksum sum;
    uint8_t out[COF_CHECKSUM_MAX];

    assert_ok(cof_checksum_init(&sum, alg));
    for (size_t i = 0; i < data.len; i += step)
        assert_ok(cof_checksum_update(&sum, cof_view_sub(data, i, step)));
    assert_ok(cof_checksum_final(&sum, out));
    cof_hex_encode(out, cof_checksum_size(alg), hex);
    cof_checksum_done(&sum);
}

/* The check values of the catalogue of CRCs, and FIPS 180's. */
static const struct {
    enum cof_checksum_alg alg;
    const char *hex;
} nine[] = {
    {COF_CHECKSUM_CRC32, "cbf43926"},
    {COF_CHECKSUM_CRC32C, "e3069283"},
    {COF_CHECKSUM_CRC64NVME, "ae8b14860a799888"},
    {COF_CHECKSUM_SHA1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"},
    {COF_CHECKSUM_SHA256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
    {COF_CHECKSUM_SHA512,
        "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85"},
    {COF_CHECKSUM_MD5, "25f9e794323b453885f5181f1b624d0b"},
    {COF_CHECKSUM_XXHASH64, "8cb841db40e6ae83"},
    {COF_CHECKSUM_XXHASH3, "72dcb18b67a17dff"},
    {COF_CHECKSUM_XXHASH128, "33119477ede5dcd5e9716427681d5860"},
};

static void check_values(void **state)
{
    for (size_t i = 0; i < sizeof nine / sizeof nine[0]; i++)
        for (size_t step = 1; step < 10; step++) {
            char hex[2 * COF_CHECKSUM_MAX + 1];

            sum_of(nine[i].alg, COF_LIT("123456789"), step, hex);
            assert_string_equal(hex, nine[i].hex);
        }
}

static void cuts_do_not_matter_and_joins_agree(void **state)
{
    TEST_RNG(rng, 3);
    uint8_t data[1000];

    assert_ok(cof_rng_fill(&rng, data, sizeof data));
    for (enum cof_checksum_alg alg = COF_CHECKSUM_CRC32; alg <= COF_CHECKSUM_CRC64NVME; alg++)
        for (size_t cut = 0; cut <= sizeof data; cut += 37) {
            char whole[2 * COF_CHECKSUM_MAX + 1], part[2 * COF_CHECKSUM_MAX + 1];
            uint8_t a[COF_CHECKSUM_MAX], b[COF_CHECKSUM_MAX];

            sum_of(alg, cof_view_of(data, sizeof data), 1 + cut, whole);
            sum_of(alg, cof_view_of(data, cut), 64, part);
            assert_ok(cof_hex_decode_fixed(cof_view_str(part), a, cof_checksum_size(alg)));
            sum_of(alg, cof_view_of(data + cut, sizeof data - cut), 64, part);
            assert_ok(cof_hex_decode_fixed(cof_view_str(part), b, cof_checksum_size(alg)));
            cof_checksum_join(alg, a, b, sizeof data - cut);
            cof_hex_encode(a, cof_checksum_size(alg), part);
            assert_string_equal(part, whole);
        }
}

/* Long input goes another way than short pieces, and must come to the same. */
static void long_input_is_as_bytes(void **state)
{
    static uint8_t data[2000];
    TEST_RNG(rng, 7);
    char whole[2 * COF_CHECKSUM_MAX + 1], bytes[2 * COF_CHECKSUM_MAX + 1];

    (void)state;
    assert_ok(cof_rng_fill(&rng, data, sizeof data));
    for (int alg = COF_CHECKSUM_CRC32; alg <= COF_CHECKSUM_CRC64NVME; alg++)
        for (size_t len = 250; len < 700; len++) {
            struct cof_view v = cof_view_of(data + len % 17, len);
            sum_of((enum cof_checksum_alg)alg, v, len, whole);
            sum_of((enum cof_checksum_alg)alg, v, 1, bytes);
            assert_string_equal(whole, bytes);
        }
}

static void names(void **state)
{
    for (enum cof_checksum_alg alg = COF_CHECKSUM_CRC32; alg <= COF_CHECKSUM_LAST; alg++)
        assert_int_equal(cof_checksum_named(cof_view_str(cof_checksum_name(alg))), alg);
    assert_int_equal(cof_checksum_named(COF_LIT("sha256")), COF_CHECKSUM_SHA256);
    assert_int_equal(cof_checksum_named(COF_LIT("MD6")), COF_CHECKSUM_NONE);
    assert_int_equal(cof_checksum_named(COF_LIT("")), COF_CHECKSUM_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_values),
        cmocka_unit_test(cuts_do_not_matter_and_joins_agree),
        cmocka_unit_test(long_input_is_as_bytes), cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
