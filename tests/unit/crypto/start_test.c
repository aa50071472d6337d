/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "crypto/hash.h"
#include "crypto/start.h"

#include <unistd.h>

/* A configuration under which libcrypto knows no digest at all: none of it may be obeyed. */
static void no_configuration_is_read(void **state)
{
    static const char text[] = "openssl_conf = a\n[a]\nproviders = b\n[b]\nbase = c\n[c]\nactivate = 1\n";
    char path[] = "/tmp/coffer-start-XXXXXX", hex[65];
    uint8_t digest[32];
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(setenv("OPENSSL_CONF", path, 1), 0);
    cof_crypto_start();
    assert_ok(cof_hash_once(COF_SHA256, COF_LIT("abc"), digest));
    cof_hex_encode(digest, sizeof digest, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_configuration_is_read)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
