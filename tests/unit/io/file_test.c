/* SPDX-License-Identifier: Apache-2.0
 *
 * Files appear whole or not at all; caps and full disks are told as such.
 */
#include "testing.h"

#include "io/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[96];

static int setup(void **state)
{
    (void)snprintf(dir, sizeof dir, "/tmp/coffer-file-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/file", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)unlink(path);
    return rmdir(dir); /* fails when anything was left behind */
}

static void expect(const char *text)
{
    struct cof_buf buf;

    cof_buf_init(&buf, 1 << 20);
    assert_ok(cof_file_read(path, &buf, NULL));
    assert_string_equal(cof_buf_cstr(&buf), text);
    cof_buf_done(&buf);
}

static size_t entries(void)
{
    DIR *d = opendir(dir);
    size_t n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n - 2;
}

static void writes_whole_files(void **state)
{
    struct stat st;

    assert_ok(cof_file_write(path, COF_LIT("one"), 0600, NULL));
    expect("one");
    assert_ok(cof_file_write(path, COF_LIT("two"), 0644, NULL));
    expect("two");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(entries(), 1);
}

static void what_is_not_committed_is_not_seen(void **state)
{
    struct cof_file_out out;

    assert_ok(cof_file_write(path, COF_LIT("old"), 0600, NULL));
    assert_ok(cof_file_out_open(&out, path, 0600, NULL));
    assert_ok(cof_file_out_write(&out, COF_LIT("half of the new"), NULL));
    expect("old");
    assert_int_equal(entries(), out.is_nameless ? 1 : 2);
    cof_file_out_close(&out);
    cof_file_out_close(&out);
    expect("old");
    assert_int_equal(entries(), 1);
}

static void caps_hold(void **state)
{
    struct cof_buf buf;
    struct cof_diag diag = {0};

    assert_ok(cof_file_write(path, COF_LIT("12345"), 0600, NULL));
    cof_buf_init(&buf, 5);
    assert_ok(cof_file_read(path, &buf, NULL)); /* exactly full is fine */
    cof_buf_done(&buf);
    cof_buf_init(&buf, 4);
    assert_int_equal(cof_file_read(path, &buf, &diag), COF_E_TOO_LARGE);
    assert_non_null(strstr(diag.text, path));
    cof_buf_done(&buf);
}

static void failures_name_the_file(void **state)
{
    struct cof_buf buf;
    struct cof_diag diag = {0};
    char nowhere[128];
    struct cof_file_out full = {.fd = open("/dev/full", O_WRONLY | O_CLOEXEC)};

    cof_buf_init(&buf, 100);
    assert_int_equal(cof_file_read(path, &buf, &diag), COF_E_NOT_FOUND);
    assert_non_null(strstr(diag.text, path));
    assert_int_equal(cof_file_read(dir, &buf, &diag), COF_E_IO);
    cof_buf_done(&buf);
    (void)snprintf(nowhere, sizeof nowhere, "%s/no/such", dir);
    assert_int_equal(cof_file_write(nowhere, COF_LIT("x"), 0600, &diag), COF_E_NOT_FOUND);
    if (full.fd >= 0) {
        (void)snprintf(full.path, sizeof full.path, "/dev/full");
        assert_int_equal(cof_file_out_write(&full, COF_LIT("x"), &diag), COF_E_NO_SPACE);
        assert_true(diag.hint[0] != '\0');
        cof_file_out_close(&full);
    }
}

static void folders_on_the_way_are_made(void **state)
{
    char deep[160], one[128], two[144];
    struct cof_diag diag = {0};
    struct stat st;
    mode_t was = umask(077);

    (void)snprintf(one, sizeof one, "%s/a", dir);
    (void)snprintf(two, sizeof two, "%s/b", one);
    (void)snprintf(deep, sizeof deep, "%s/file", two);
    assert_ok(cof_file_make_parents(deep, 0755, NULL));
    (void)umask(was);
    assert_int_equal(stat(two, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(stat(deep, &st), -1); /* the last one is the file's */
    assert_int_equal(chmod(one, 0700), 0);
    assert_ok(cof_file_make_parents(deep, 0755, NULL));
    assert_int_equal(stat(one, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700); /* one that is there stays as it is */
    assert_ok(cof_file_make_parents("file", 0755, NULL));
    assert_ok(cof_file_write(path, COF_LIT("no folder"), 0600, NULL));
    (void)snprintf(deep, sizeof deep, "%s/x/y", path);
    assert_int_equal(cof_file_make_parents(deep, 0755, &diag), COF_E_NOT_FOUND);
    assert_non_null(strstr(diag.text, "Not a directory"));
    assert_int_equal(rmdir(two), 0);
    assert_int_equal(rmdir(one), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_whole_files),
        TEST(what_is_not_committed_is_not_seen),
        TEST(caps_hold),
        TEST(failures_name_the_file),
        TEST(folders_on_the_way_are_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
