/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/crc_fold.h"

#include <string.h>

/* That the sums come out right at all is of crypto/checksum_test; here: both widths fold to the very same. */
static void both_widths_are_one(void **state)
{
    struct cof_crc_fold k = {.x127 = 0x21e9761e252621ac, .x191 = 0xeadc41fd2ba3d420, .x1023 = 0xe1e0bb9d45d7a44c, .x1087 = 0xb0bc2e589204f500};
    uint8_t data[4096], narrow[16], wide[16];

    (void)state;
    if (!cof_crc_can_fold() || !cof_crc_can_fold_wide())
        skip();
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i * 31 + i * 7 + (i >> 8));
    for (size_t len = 128; len <= sizeof data; len++) {
        size_t taken;
        k.is_wide = false;
        taken = cof_crc_fold(&k, len * 0x9e3779b97f4a7c15, data, len, narrow);
        assert_int_equal(taken, len / 16 * 16);
        k.is_wide = true;
        assert_int_equal(cof_crc_fold(&k, len * 0x9e3779b97f4a7c15, data, len, wide), taken);
        assert_memory_equal(wide, narrow, sizeof wide);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_widths_are_one)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
