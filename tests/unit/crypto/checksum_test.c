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

/* Each way that the algorithm goes by its input's length, with what the reference program says. */
static const struct {
    size_t length;
    const char *xxh64, *xxh3, *xxh128;
} known[] = {
    {0, "ef46db3751d8e999", "2d06800538d394c2", "99aa06d3014798d86001c324468d497f"},
    {1, "e934a84adb052768", "c44bdff4074eecdb", "a6cd5e9392000f6ac44bdff4074eecdb"},
    {3, "28823e205e353f69", "a1c4a8259b827291", "95c705060a313bf8a1c4a8259b827291"},
    {4, "91b65bbe720c34cf", "bb4e3d89ee0b271d", "afbf64f9281b8de2fde8d93ae8794d8e"},
    {8, "521fd2878ea69d17", "79d02238b80e37b1", "2761698c33953c430234362aaf47b71a"},
    {9, "192535de38f73596", "f64cecc4271ff461", "0d39db6431d37a74895c8a562da51412"},
    {16, "b1a375c6bd6ba7af", "222e9aead6bddd51", "29be75b0bbbb5284aafffcec5df2cb27"},
    {17, "bbe746d4e95f47cc", "47aad6b375eb4bba", "db7e8f77961e47fd878751509ecfdb8b"},
    {32, "4e13111ced6f735d", "774140158f21ff0a", "3e97336e6cbb6ee0de94574d7a589440"},
    {33, "f7b9faf20b3bce63", "537e7ed26d825e92", "3411cfe692c2e51ee2928442749dbe83"},
    {64, "cd91daec2c21766f", "70a70e66815e67e5", "492893316886558766fa129223be93a5"},
    {65, "7c795c59456ed577", "4b4ce7050eeb9559", "b6dfa5aac5c63dc2f5b4ade8de9a76a3"},
    {96, "00943940f9ef4f42", "a97f9ae93c0ff67a", "e83e939b9571947cb9de9a9696c420fc"},
    {97, "8e5c56c72a19b963", "0dd88db1bbaf7326", "dd6ad8d4fb1433a98ea932450271fde4"},
    {128, "0f9f33b4fe066f05", "421a9c905c6e66ba", "ba44fd018231af4cbbe087d879edcc78"},
    {129, "7ba4d2a5203763c7", "9e2414800f83768a", "522c922743fd67f1b8075934107218e5"},
    {160, "95af5fdc901cfe5a", "767734a842829d9d", "b5514c067fd629180e08f445e497507a"},
    {240, "1fa3ded0daf320b7", "b714c5fd22744964", "4f49ccc8526aa7ad407883ea5ef95b9a"},
    {241, "a6401b72569001b5", "bc424a2c480dd281", "50b62ee1ee6455a7bc424a2c480dd281"},
    {255, "fed0a69e11176032", "155baa5891f7606f", "13c4fb2eb194824f155baa5891f7606f"},
    {256, "3dfddfd156d0783b", "2d040b1ab40f0d78", "20d618055259b36c2d040b1ab40f0d78"},
    {320, "c984aa528a04e1c3", "5995107115f0890e", "ae31e3a96bbe40f35995107115f0890e"},
    {1024, "36b9a9162057f968", "1fd15e7d36f5e1bc", "53bd178b75ab292e1fd15e7d36f5e1bc"},
    {1025, "54d532ec3bac8beb", "fe08e5a874d23fd2", "d1ad5f4a3cce4374fe08e5a874d23fd2"},
    {1088, "414cb3e8c068e9b2", "0ac7cf3a6009bab5", "9c1e8a4061056e7d0ac7cf3a6009bab5"},
    {2048, "fffc2d88824db985", "81ec4a6a9ee23d55", "2e141090da5502aa81ec4a6a9ee23d55"},
    {2049, "d11b9ae180146c96", "9156a1fd2d1a8c37", "3b45eb7c64d498329156a1fd2d1a8c37"},
    {5000, "24c8506bcaf3564f", "853377ef13cec7bd", "971956c2a9ecb28a853377ef13cec7bd"},
};

/* S3 writes them big-endian, whatever the machine's order, and however the bytes came. */
static void xxhashes_are_as_the_reference_says(void **state)
{
    static const size_t steps[] = {1, 63, 64, 1024, 5000};
    uint8_t bytes[5000];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)((uint32_t)i * 2654435761u >> 13);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            char hex[2 * COF_CHECKSUM_MAX + 1];

            sum_of(COF_CHECKSUM_XXHASH64, cof_view_of(bytes, known[i].length), steps[s], hex);
            assert_string_equal(hex, known[i].xxh64);
            sum_of(COF_CHECKSUM_XXHASH3, cof_view_of(bytes, known[i].length), steps[s], hex);
            assert_string_equal(hex, known[i].xxh3);
            sum_of(COF_CHECKSUM_XXHASH128, cof_view_of(bytes, known[i].length), steps[s], hex);
            assert_string_equal(hex, known[i].xxh128);
        }
}

/* What is taken out once begins anew. */
static void final_begins_anew(void **state)
{
    (void)state;
    for (enum cof_checksum_alg alg = COF_CHECKSUM_CRC32; alg <= COF_CHECKSUM_LAST; alg++) {
        uint8_t first[COF_CHECKSUM_MAX] = {0}, again[COF_CHECKSUM_MAX] = {0};
        struct cof_checksum sum;

        assert_ok(cof_checksum_init(&sum, alg));
        assert_ok(cof_checksum_update(&sum, COF_LIT("123456789")));
        assert_ok(cof_checksum_final(&sum, first));
        assert_ok(cof_checksum_update(&sum, COF_LIT("123456789")));
        assert_ok(cof_checksum_final(&sum, again));
        assert_memory_equal(first, again, sizeof first);
        cof_checksum_done(&sum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_values),
        cmocka_unit_test(cuts_do_not_matter_and_joins_agree),
        cmocka_unit_test(long_input_is_as_bytes), cmocka_unit_test(names),
        cmocka_unit_test(xxhashes_are_as_the_reference_says), cmocka_unit_test(final_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
