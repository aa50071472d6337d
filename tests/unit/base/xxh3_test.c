/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/xxh3.h"

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

#define LENGTH_MAX 5000

static void fill(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)((uint32_t)i * 2654435761u >> 13);
}

static void fed(struct cof_xxh3 *x, const uint8_t *bytes, size_t n, size_t step)
{
    cof_xxh3_init(x);
    for (size_t i = 0; i < n; i += step)
        cof_xxh3_update(x, cof_view_of(bytes + i, n - i < step ? n - i : step));
}

static void what_the_reference_says(void **state)
{
    static const size_t steps[] = {1, 7, 63, 64, 65, 128, 1024, LENGTH_MAX};
    uint8_t bytes[LENGTH_MAX];
    struct cof_xxh128 both;
    struct cof_xxh3 x;
    char text[40];

    fill(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            fed(&x, bytes, known[i].length, steps[s]);
            (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)cof_xxh3_value64(&x));
            assert_string_equal(text, known[i].xxh3);
            both = cof_xxh3_value128(&x);
            (void)snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)both.high, (unsigned long long)both.low);
            assert_string_equal(text, known[i].xxh128);
        }
}

/* A value may be asked for at any time; what comes later counts all the same. */
static void a_value_changes_nothing(void **state)
{
    uint8_t bytes[700];
    struct cof_xxh3 x, whole;

    fill(bytes, sizeof bytes);
    cof_xxh3_init(&x);
    for (size_t n = 1; n <= sizeof bytes; n++) {
        cof_xxh3_update(&x, cof_view_of(bytes + n - 1, 1));
        fed(&whole, bytes, n, sizeof bytes);
        assert_true(cof_xxh3_value64(&x) == cof_xxh3_value64(&whole));
        assert_true(cof_xxh3_value128(&x).high == cof_xxh3_value128(&whole).high);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_the_reference_says), cmocka_unit_test(a_value_changes_nothing)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
