/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the archive's bytes are those the kernel's documentation tells of, and paths that lead elsewhere are refused.
 */
#include "testing.h"

#include "format/cpio.h"

static void the_bytes_are_the_kernels(void **state)
{
    struct cof_buf out;
    struct cof_cpio cpio = {.out = &out};

    cof_buf_init(&out, 65536);
    assert_ok(cof_cpio_add(&cpio, &(struct cof_cpio_entry){COF_LIT("bin"), COF_CPIO_DIR, 0755, {0}, 0, 0}));
    assert_ok(cof_cpio_add(&cpio, &(struct cof_cpio_entry){COF_LIT("bin/a"), COF_CPIO_FILE, 0755, COF_LIT("hello"), 0, 0}));
    assert_ok(cof_cpio_add(&cpio, &(struct cof_cpio_entry){COF_LIT("tty"), COF_CPIO_CHAR, 0600, {0}, 5, 1}));
    assert_ok(cof_cpio_end(&cpio));
    assert_int_equal(out.len % 512, 0);
    /*                           magic  inode   mode    uid     gid     nlink   mtime   size    dev     dev     major   minor   name    check */
    assert_memory_equal(out.data, "070701" "00000001" "000041ED" "00000000" "00000000" "00000002" "00000000" "00000000"
                                  "00000000" "00000000" "00000000" "00000000" "00000004" "00000000" "bin\0\0\0", 116);
    assert_memory_equal(out.data + 116, "070701" "00000002" "000081ED" "00000000" "00000000" "00000001" "00000000" "00000005"
                                        "00000000" "00000000" "00000000" "00000000" "00000006" "00000000" "bin/a\0" "hello\0\0\0", 124);
    assert_memory_equal(out.data + 240, "070701" "00000003" "00002180" "00000000" "00000000" "00000001" "00000000" "00000000"
                                        "00000000" "00000000" "00000005" "00000001" "00000004" "00000000" "tty\0\0\0", 116);
    assert_memory_equal(out.data + 356, "070701" "00000000" "00000000", 22);
    cof_buf_done(&out);
}

static void paths_stay_inside(void **state)
{
    static const char *const bad[] = {"", "/", "/etc", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(cof_cpio_path_ok(cof_view_str(bad[i])));
    assert_false(cof_cpio_path_ok(COF_LIT("a\0b")));
    assert_true(cof_cpio_path_ok(COF_LIT("a/b..c/.d")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_the_kernels),
        cmocka_unit_test(paths_stay_inside),
    };
    return cmocka_run_group_tests_name("unit/format/cpio", tests, NULL, NULL);
}
