/* SPDX-License-Identifier: Apache-2.0
 * What was committed comes back in order, wherever the last record was torn; a record that is damaged or missing before others is
 * found out; and what belongs to another store or to an older turn of the files is not taken for new.
 */
#include "io/store_log.h"
#include "testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID 0x1234567

static char dir[64];
static int dir_fd;

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/coffer-log-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir_fd < 0 ? -1 : 0;
}

static int remove_dir(void **state)
{
    char command[128];

    (void)state;
    (void)close(dir_fd);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? 0 : -1;
}

/* What is told at opening, as text: "space key=value ". */
struct told {
    char text[4000];
};

static enum cof_err tell(void *ctx, const char *space, struct cof_view key, struct cof_view value, bool removed)
{
    struct told *told = ctx;
    size_t at = strlen(told->text);

    (void)snprintf(told->text + at, sizeof told->text - at, "%s %.*s%s%.*s ", space, (int)key.len, (const char *)key.data, removed ? "-" : "=",
        (int)value.len, (const char *)value.data);
    return COF_OK;
}

/* Opens, and closes again; gives the last generation. */
static enum cof_err read_log(uint32_t id, uint64_t applied, struct told *told, uint64_t *generation)
{
    struct cof_store_log log;
    enum cof_err err;

    *told = (struct told){{0}};
    cof_store_log_zero(&log);
    err = cof_store_log_open(&log, dir_fd, id, applied, tell, told, generation, NULL);
    cof_store_log_close(&log);
    return err;
}

static void is(uint64_t applied, const char *text, uint64_t generation)
{
    struct told told;
    uint64_t last;

    assert_ok(read_log(ID, applied, &told, &last));
    assert_string_equal(told.text, text);
    assert_int_equal(last, generation);
}

static void is_refused(uint64_t applied)
{
    struct told told;
    uint64_t last;

    assert_int_equal(read_log(ID, applied, &told, &last), COF_E_IO);
}

static void record(struct cof_store_log *log, const char *key, const char *value)
{
    cof_store_log_start(log);
    cof_store_log_add(log, "s", cof_view_str(key), cof_view_str(value), false);
    cof_store_log_add(log, "t", cof_view_str(key), (struct cof_view){0}, true);
    assert_ok(cof_store_log_commit(log));
}

/* Generation 1 with two records, 2 with one. */
static void write_two(void)
{
    struct cof_store_log log;
    struct told told = {{0}};
    uint64_t last;

    cof_store_log_zero(&log);
    assert_ok(cof_store_log_open(&log, dir_fd, ID, 0, tell, &told, &last, NULL));
    assert_int_equal(last, 0);
    cof_store_log_begin(&log, 1, 0);
    record(&log, "a", "1");
    record(&log, "b", "2");
    cof_store_log_begin(&log, 2, log.sequence);
    record(&log, "c", "3");
    cof_store_log_close(&log);
}

static void with_file(const char *name, void (*change)(int fd, off_t at), off_t at)
{
    int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    change(fd, at);
    (void)close(fd);
}

static void flip(int fd, off_t at)
{
    uint8_t byte;

    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void cut(int fd, off_t at)
{
    assert_int_equal(ftruncate(fd, at), 0);
}

static void what_was_committed_comes_back(void **state)
{
    struct told told;
    uint64_t last;

    (void)state;
    is(0, "", 0);
    write_two();
    is(0, "s a=1 t a- s b=2 t b- s c=3 t c- ", 2);
    is(1, "s c=3 t c- ", 2); /* the database has the first generation */
    is(2, "", 2);
    assert_ok(read_log(ID + 1, 2, &told, &last)); /* another store's */
    assert_int_equal(last, 2);
    assert_ok(read_log(ID + 1, 0, &told, &last));
    assert_string_equal(told.text, "");
}

/* Wherever the last record was torn, it was never acknowledged. */
static void a_torn_end_is_the_end(void **state)
{
    for (off_t at = 0; at < 48 + 18; at += 5) {
        write_two();
        with_file("store.log-0", flip, at);
        is(1, "", 1);
        is(0, "s a=1 t a- s b=2 t b- ", 1);
        assert_int_equal(remove_dir(state), 0);
        assert_int_equal(make_dir(state), 0);
        write_two();
        with_file("store.log-0", cut, at);
        is(0, "s a=1 t a- s b=2 t b- ", 1);
        assert_int_equal(remove_dir(state), 0);
        assert_int_equal(make_dir(state), 0);
    }
}

/* A record with others behind it was acknowledged. */
static void damage_is_found(void **state)
{
    for (off_t at = 0; at < 48 + 18; at += 5) {
        write_two();
        with_file("store.log-1", flip, at); /* the first of two */
        is_refused(0);
        assert_int_equal(remove_dir(state), 0);
        assert_int_equal(make_dir(state), 0);
        write_two();
        with_file("store.log-1", flip, 512 + at); /* the second, but the other file goes on from it */
        is_refused(0);
        is(1, "s c=3 t c- ", 2); /* which harms nobody when the database has it */
        assert_int_equal(remove_dir(state), 0);
        assert_int_equal(make_dir(state), 0);
    }
    write_two();
    assert_int_equal(unlinkat(dir_fd, "store.log-1", 0), 0);
    is_refused(0);
}

/* Both, and the first record of generation 3, in the file of generation 1. The log is left open. */
static void write_third(struct cof_store_log *log)
{
    struct told told = {{0}};
    uint64_t last;

    write_two();
    cof_store_log_zero(log);
    assert_ok(cof_store_log_open(log, dir_fd, ID, 2, tell, &told, &last, NULL));
    cof_store_log_begin(log, 3, 0);
    record(log, "d", "4");
}

static void a_database_that_is_too_old_is_refused(void **state)
{
    struct cof_store_log log;

    (void)state;
    write_third(&log);
    cof_store_log_close(&log);
    is(2, "s d=4 t d- ", 3);
    is_refused(0); /* generation 1 was written over */
    assert_int_equal(unlinkat(dir_fd, "store.log-0", 0), 0);
    is_refused(0); /* and so is what lacks the second, too */
}

/* A file that is used again still has records of its last turn behind the new ones. */
static void old_records_are_not_new(void **state)
{
    struct cof_store_log log;

    (void)state;
    write_third(&log); /* in front of "b", of generation 1 */
    assert_ok(cof_store_log_empty(&log));
    cof_store_log_close(&log);
    is(3, "", 3);
    is(2, "", 2); /* emptied */
}

/* A commit that failed is not there later, though its bytes may have reached the disk: what it named is gone. */
static void a_failed_commit_stays_undone(void **state)
{
    struct cof_store_log log;
    struct told told = {{0}};
    uint64_t last;
    int real;

    (void)state;
    cof_store_log_zero(&log);
    assert_ok(cof_store_log_open(&log, dir_fd, ID, 0, tell, &told, &last, NULL));
    cof_store_log_begin(&log, 1, 0);
    record(&log, "a", "1");
    real = log.fd[1];
    log.fd[1] = openat(dir_fd, "store.log-1", O_RDONLY | O_CLOEXEC); /* the disk takes nothing any more */
    cof_store_log_start(&log);
    cof_store_log_add(&log, "s", COF_LIT("b"), COF_LIT("2"), false);
    assert_int_not_equal(cof_store_log_commit(&log), COF_OK);
    (void)close(log.fd[1]);
    log.fd[1] = real;
    record(&log, "c", "3");
    cof_store_log_close(&log);
    is(0, "s a=1 t a- s c=3 t c- ", 1);
}

/* More than one growth of the file, and a record of several. */
static void long_records(void **state)
{
    struct cof_store_log log;
    struct told told = {{0}};
    char *large = malloc(1000001);
    uint64_t last;
    struct stat st;

    (void)state;
    memset(large, 'x', 1000000);
    large[1000000] = '\0';
    cof_store_log_zero(&log);
    assert_ok(cof_store_log_open(&log, dir_fd, ID, 0, tell, &told, &last, NULL));
    cof_store_log_begin(&log, 1, 0);
    record(&log, "short", "1");
    assert_int_equal(fstatat(dir_fd, "store.log-1", &st, 0), 0);
    assert_int_equal(st.st_size, 256 << 10); /* room for those to come: syncing them does not change the file's size */
    for (int i = 0; i < 3; i++)
        record(&log, "long", large);
    record(&log, "short", "2");
    cof_store_log_close(&log);
    free(large);
    assert_int_equal(read_log(ID, 0, &told, &last), COF_OK);
    assert_int_equal(last, 1);
    with_file("store.log-1", flip, 1500000);
    is_refused(0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_committed_comes_back),
        TEST(a_torn_end_is_the_end),
        TEST(damage_is_found),
        TEST(a_database_that_is_too_old_is_refused),
        TEST(old_records_are_not_new),
        TEST(a_failed_commit_stays_undone),
        TEST(long_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
