/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: bytes and text correspond, a random UUID says that it is of version 4, and missing randomness is told.
 */
#include "testing.h"

#include "base/uuid.h"

static enum cof_err ones(void *ctx, uint8_t *out, size_t len)
{
    memset(out, 0xff, len);
    return ctx == NULL ? COF_OK : COF_E_IO;
}

static void text_and_version(void **state)
{
    static const uint8_t bytes[16] = {0x0c, 0x0f, 0xfe, 0x00, 0xda, 0x7a, 0x40, 0x00, 0x80, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05};
    char text[COF_UUID_SIZE];

    cof_uuid_text(bytes, text);
    assert_string_equal(text, "0c0ffe00-da7a-4000-8000-000102030405");
    assert_ok(cof_uuid_new(&(struct cof_rng){ones, NULL}, text));
    assert_string_equal(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_int_equal(cof_uuid_new(&(struct cof_rng){ones, text}, text), COF_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_and_version)};

    return cmocka_run_group_tests_name("unit/base/uuid", tests, NULL, NULL);
}
