/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/xxh64.h"

/* What the reference program says. */
static const struct {
    size_t length;
    const char *xxh64;
} known[] = {
    {0, "ef46db3751d8e999"},
    {1, "e934a84adb052768"},
    {3, "28823e205e353f69"},
    {4, "91b65bbe720c34cf"},
    {8, "521fd2878ea69d17"},
    {9, "192535de38f73596"},
    {16, "b1a375c6bd6ba7af"},
    {17, "bbe746d4e95f47cc"},
    {32, "4e13111ced6f735d"},
    {33, "f7b9faf20b3bce63"},
    {64, "cd91daec2c21766f"},
    {65, "7c795c59456ed577"},
    {96, "00943940f9ef4f42"},
    {97, "8e5c56c72a19b963"},
    {128, "0f9f33b4fe066f05"},
    {129, "7ba4d2a5203763c7"},
    {160, "95af5fdc901cfe5a"},
    {240, "1fa3ded0daf320b7"},
    {241, "a6401b72569001b5"},
    {255, "fed0a69e11176032"},
    {256, "3dfddfd156d0783b"},
    {320, "c984aa528a04e1c3"},
    {1024, "36b9a9162057f968"},
    {1025, "54d532ec3bac8beb"},
    {1088, "414cb3e8c068e9b2"},
    {2048, "fffc2d88824db985"},
    {2049, "d11b9ae180146c96"},
    {5000, "24c8506bcaf3564f"},
};

#define LENGTH_MAX 5000

static void what_the_reference_says(void **state)
{
    static const size_t steps[] = {1, 5, 31, 32, 33, LENGTH_MAX};
    uint8_t bytes[LENGTH_MAX];
    struct cof_xxh64 x;
    char text[40];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)((uint32_t)i * 2654435761u >> 13);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            size_t n = known[i].length;

            cof_xxh64_init(&x);
            for (size_t at = 0; at < n; at += steps[s])
                cof_xxh64_update(&x, cof_view_of(bytes + at, n - at < steps[s] ? n - at : steps[s]));
            (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)cof_xxh64_value(&x));
            assert_string_equal(text, known[i].xxh64);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_the_reference_says)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
