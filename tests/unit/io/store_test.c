/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "io/store.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];

static int make_dir(void **state)
{
    (void)snprintf(dir, sizeof dir, "/tmp/coffer-store-XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int remove_dir(void **state)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? 0 : -1;
}

static struct cof_disk_store *open_store(const struct cof_rng *rng, struct cof_disk_store_check *check)
{
    struct cof_disk_store *st;

    assert_ok(cof_disk_store_open(dir, rng, check, &st, NULL));
    return st;
}

static struct cof_blob_id put_blob(const struct cof_store *s, size_t size, uint8_t fill)
{
    struct cof_blob_writer *w;
    struct cof_blob_id id;
    uint8_t *bytes = malloc(size + 1);

    memset(bytes, fill, size);
    assert_ok(s->blob_create(s->ctx, &w));
    assert_ok(s->blob_write(s->ctx, w, cof_view_of(bytes, size / 3)));
    assert_ok(s->blob_write(s->ctx, w, cof_view_of(bytes, size - size / 3)));
    assert_ok(s->blob_close(s->ctx, w, &id));
    free(bytes);
    return id;
}

static bool blob_is(const struct cof_store *s, const struct cof_blob_id *id, size_t size, uint8_t fill)
{
    struct cof_blob_reader *r;
    struct cof_buf out;
    uint64_t got = 0;
    bool ok = s->blob_open(s->ctx, id, &r, &got) == COF_OK;

    if (!ok)
        return false;
    cof_buf_init(&out, (size_t)1 << 24);
    ok = got == size && s->blob_read(s->ctx, r, 0, size, &out) == COF_OK && out.len == size;
    for (size_t i = 0; ok && i < size; i++)
        ok = out.data[i] == fill;
    assert_int_equal(s->blob_read(s->ctx, r, 1, size, &out), COF_E_TRUNCATED);
    cof_buf_done(&out);
    s->blob_shut(s->ctx, r);
    return ok;
}

static bool has(const struct cof_store *s, const char *key)
{
    struct cof_buf out;
    bool found;

    cof_buf_init(&out, 1000);
    found = s->get(s->ctx, "t", cof_view_str(key), &out) == COF_OK;
    cof_buf_done(&out);
    return found;
}

#define SLOT_SIZE 70000  /* of a blob that lies in a slot */
#define FILE_SIZE 300000 /* of one that is a file */

static void committed_survives(size_t size)
{
    TEST_RNG(rng, 7);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    struct cof_disk_store_check check;
    struct cof_blob_id big, small, lost;

    assert_ok(s->begin(s->ctx));
    assert_false(s->dirty(s->ctx));
    assert_ok(s->put(s->ctx, "t", COF_LIT("a"), COF_LIT("1")));
    assert_true(s->dirty(s->ctx));
    big = put_blob(s, size, 0x11);
    small = put_blob(s, 10, 0x22);
    assert_ok(s->commit(s->ctx));
    assert_false(s->dirty(s->ctx));
    assert_ok(s->put(s->ctx, "t", COF_LIT("b"), COF_LIT("2")));
    lost = put_blob(s, size, 0x33);
    cof_disk_store_close(st);

    st = open_store(&rng, &check);
    s = cof_disk_store_ops(st);
    assert_true(has(s, "a"));
    assert_false(has(s, "b"));
    assert_true(blob_is(s, &big, size, 0x11));
    assert_true(blob_is(s, &small, 10, 0x22));
    assert_false(blob_is(s, &lost, size, 0x33));
    assert_int_equal(check.n_blobs, 2);
    assert_int_equal(check.n_blobs_missing, 0);
    cof_disk_store_close(st);
}

static void committed_survives_and_the_rest_does_not(void **state)
{
    committed_survives(SLOT_SIZE);
    assert_int_equal(remove_dir(state), 0);
    assert_int_equal(make_dir(state), 0);
    committed_survives(FILE_SIZE);
}

static void a_killed_process_leaves_orphans_that_go(void **state)
{
    TEST_RNG(rng, 9);
    struct cof_disk_store_check check;
    struct cof_disk_store *st;
    pid_t child = fork();
    int status;

    if (child == 0) {
        const struct cof_store *s;
        struct cof_blob_writer *w;
        uint8_t bytes[50000] = {0};

        st = open_store(&rng, NULL);
        s = cof_disk_store_ops(st);
        (void)put_blob(s, FILE_SIZE, 1);
        (void)put_blob(s, SLOT_SIZE, 1); /* nothing names its slot, so that it is free again */
        assert_ok(s->blob_create(s->ctx, &w));
        for (int i = 0; i < 6; i++)
            assert_ok(s->blob_write(s->ctx, w, cof_view_of(bytes, sizeof bytes)));
        _exit(0); /* nothing closed, nothing committed */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    st = open_store(&rng, &check);
    assert_int_equal(check.n_orphans_removed, 2);
    assert_int_equal(check.n_blobs, 0);
    cof_disk_store_close(st);
    st = open_store(&rng, &check);
    assert_int_equal(check.n_orphans_removed, 0);
    cof_disk_store_close(st);
}

static void rollback_undoes(size_t size)
{
    TEST_RNG(rng, 11);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    struct cof_blob_id first, second;

    assert_ok(s->savepoint(s->ctx));
    assert_ok(s->put(s->ctx, "t", COF_LIT("a"), COF_LIT("1")));
    first = put_blob(s, size, 1);
    assert_ok(s->release(s->ctx));
    assert_ok(s->savepoint(s->ctx));
    assert_ok(s->remove(s->ctx, "t", COF_LIT("a")));
    assert_ok(s->blob_remove(s->ctx, &first));
    second = put_blob(s, size, 2);
    assert_ok(s->rollback(s->ctx));
    assert_true(s->dirty(s->ctx));
    assert_ok(s->commit(s->ctx));
    assert_true(has(s, "a"));
    assert_true(blob_is(s, &first, size, 1));
    assert_false(blob_is(s, &second, size, 2));
    cof_disk_store_close(st);
}

static void rollback_undoes_one_request_only(void **state)
{
    rollback_undoes(SLOT_SIZE);
    assert_int_equal(remove_dir(state), 0);
    assert_int_equal(make_dir(state), 0);
    rollback_undoes(FILE_SIZE);
}

static void a_reader_outlives(size_t length)
{
    TEST_RNG(rng, 13);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    struct cof_blob_id id = put_blob(s, length, 5);
    struct cof_blob_reader *r;
    struct cof_buf out;
    uint64_t size;

    assert_ok(s->commit(s->ctx));
    assert_ok(s->blob_open(s->ctx, &id, &r, &size));
    assert_ok(s->blob_remove(s->ctx, &id));
    assert_ok(s->commit(s->ctx));
    assert_false(blob_is(s, &id, length, 5));
    (void)put_blob(s, length, 6); /* not where it is still being read */
    cof_buf_init(&out, 100000);
    assert_ok(s->blob_read(s->ctx, r, length - 1, 1, &out));
    assert_int_equal(out.data[0], 5);
    cof_buf_done(&out);
    s->blob_shut(s->ctx, r);
    cof_disk_store_close(st);
}

static void a_reader_outlives_its_blob(void **state)
{
    a_reader_outlives(SLOT_SIZE);
    assert_int_equal(remove_dir(state), 0);
    assert_int_equal(make_dir(state), 0);
    a_reader_outlives(FILE_SIZE);
}

static off_t slots_size(const char *name)
{
    char path[128];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/blobs/%s", dir, name);
    return stat(path, &st) == 0 ? st.st_size : -1;
}

/* A slot is free when the removal is kept, not before; then it is used again. */
static void slots_are_used_again(void **state)
{
    TEST_RNG(rng, 15);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    struct cof_blob_id a = put_blob(s, 100000, 1), b, c;
    struct cof_disk_store_check check;

    assert_ok(s->commit(s->ctx));
    assert_ok(s->blob_remove(s->ctx, &a));
    b = put_blob(s, 100000, 2);
    assert_int_equal(slots_size("slots-128k"), 131072 + 100000);
    assert_ok(s->commit(s->ctx));
    c = put_blob(s, 100001, 3);
    assert_ok(s->commit(s->ctx));
    assert_int_equal(slots_size("slots-128k"), 131072 + 100000);
    cof_disk_store_close(st);
    st = open_store(&rng, &check);
    s = cof_disk_store_ops(st);
    assert_int_equal(check.n_blobs_missing, 0);
    assert_true(blob_is(s, &b, 100000, 2));
    assert_true(blob_is(s, &c, 100001, 3));
    cof_disk_store_close(st);
}

/* In one piece bytes go to their slot at once; more may follow all the same. */
static void every_size_comes_back_however_it_came(void **state)
{
    static const size_t sizes[] = {32768, 32769, 65536, 65537, 131072, 131073, 262144, 262145};
    TEST_RNG(rng, 17);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    uint8_t *bytes = malloc(600000);

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t more = 0; more <= 300000; more += 100000) {
            struct cof_blob_writer *w;
            struct cof_blob_id id;

            memset(bytes, (int)i + 1, 600000);
            assert_ok(s->blob_create(s->ctx, &w));
            assert_ok(s->blob_write(s->ctx, w, cof_view_of(bytes, sizes[i])));
            assert_ok(s->blob_write(s->ctx, w, cof_view_of(bytes, more)));
            assert_ok(s->blob_close(s->ctx, w, &id));
            assert_ok(s->commit(s->ctx));
            if (!blob_is(s, &id, sizes[i] + more, (uint8_t)(i + 1)))
                fail_msg("%zu and %zu", sizes[i], more);
        }
    free(bytes);
    cof_disk_store_close(st);
}

static void a_writer_given_up_leaves_its_slot(void **state)
{
    TEST_RNG(rng, 19);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    struct cof_blob_writer *w;
    uint8_t *bytes = calloc(1, 200000);

    for (int i = 0; i < 3; i++) {
        assert_ok(s->blob_create(s->ctx, &w));
        assert_ok(s->blob_write(s->ctx, w, cof_view_of(bytes, 200000)));
        s->blob_abort(s->ctx, w);
    }
    assert_int_equal(slots_size("slots-256k"), 200000);
    free(bytes);
    cof_disk_store_close(st);
}

static void missing_slots_are_damage(void **state)
{
    TEST_RNG(rng, 21);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    struct cof_disk_store_check check;
    char path[128];

    (void)put_blob(s, 100000, 1);
    (void)put_blob(s, 100000, 2);
    assert_ok(s->commit(s->ctx));
    cof_disk_store_close(st);
    (void)snprintf(path, sizeof path, "%s/blobs/slots-128k", dir);
    assert_int_equal(truncate(path, 131072 + 99999), 0);
    st = open_store(&rng, &check);
    assert_int_equal(check.n_blobs_missing, 1);
    cof_disk_store_close(st);
}

struct seen {
    char text[100];
};

static bool see(void *arg, struct cof_view key, struct cof_view value)
{
    struct seen *seen = arg;
    size_t at = strlen(seen->text);

    (void)snprintf(seen->text + at, sizeof seen->text - at, "%.*s=%.*s ", (int)key.len, (const char *)key.data,
                   (int)value.len, (const char *)value.data);
    return true;
}

static void scans_in_order(void **state)
{
    TEST_RNG(rng, 15);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    static const char *const keys[] = {"b/2", "a", "b/1", "b", "c", "b/3"};
    struct seen all = {{0}}, some = {{0}};

    for (size_t i = 0; i < 6; i++)
        assert_ok(s->put(s->ctx, "t", cof_view_str(keys[i]), cof_view_str("x")));
    assert_ok(s->put(s->ctx, "u", COF_LIT("b/9"), COF_LIT("other space")));
    assert_ok(s->scan(s->ctx, "t", COF_LIT("b/"), COF_LIT(""), 100, see, &all));
    assert_string_equal(all.text, "b/1=x b/2=x b/3=x ");
    assert_ok(s->scan(s->ctx, "t", COF_LIT("b/"), COF_LIT("b/1"), 1, see, &some));
    assert_string_equal(some.text, "b/2=x ");
    cof_disk_store_close(st);
}

static void one_process_at_a_time(void **state)
{
    TEST_RNG(rng, 17);
    struct cof_disk_store *st = open_store(&rng, NULL), *second;

    assert_int_equal(cof_disk_store_open(dir, &rng, NULL, &second, NULL), COF_E_EXISTS);
    cof_disk_store_close(st);
}

static void totals_are(struct cof_disk_store *st, uint64_t n, uint64_t bytes)
{
    struct cof_disk_store_stat stat;

    cof_disk_store_stat(st, &stat);
    assert_int_equal(stat.n_bodies, n);
    assert_int_equal(stat.body_bytes, bytes);
    assert_true(stat.database_bytes > 0);
}

static void totals_follow_what_is_kept(void **state)
{
    TEST_RNG(rng, 14);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    struct cof_blob_id small, file;
    uint64_t n;

    totals_are(st, 0, 0);
    assert_ok(s->begin(s->ctx));
    assert_ok(s->savepoint(s->ctx));
    small = put_blob(s, 100, 1);
    file = put_blob(s, FILE_SIZE, 2);
    assert_ok(s->release(s->ctx));
    assert_ok(s->put(s->ctx, "t", COF_LIT("a"), COF_LIT("1")));
    assert_ok(s->put(s->ctx, "u", COF_LIT("a"), COF_LIT("1")));
    assert_ok(s->commit(s->ctx));
    totals_are(st, 2, 100 + FILE_SIZE);
    assert_ok(cof_disk_store_count(st, "t", &n));
    assert_int_equal(n, 1);
    assert_ok(s->begin(s->ctx));
    assert_ok(s->blob_remove(s->ctx, &small));
    totals_are(st, 1, FILE_SIZE);
    assert_ok(s->savepoint(s->ctx));
    (void)put_blob(s, SLOT_SIZE, 3);
    assert_ok(s->blob_remove(s->ctx, &file));
    assert_ok(s->rollback(s->ctx)); /* back to the savepoint */
    totals_are(st, 1, FILE_SIZE);
    s->abandon(s->ctx); /* and to the last commit */
    totals_are(st, 2, 100 + FILE_SIZE);
    assert_ok(cof_disk_store_quick_check(st, NULL));
    cof_disk_store_close(st);
    st = open_store(&rng, NULL);
    totals_are(st, 2, 100 + FILE_SIZE);
    cof_disk_store_close(st);
}

static bool each_counts(void *arg, struct cof_view key, struct cof_view value)
{
    (void)key;
    (void)value;
    ++*(size_t *)arg;
    return true;
}

static size_t n_in(const struct cof_store *s, const char *space)
{
    size_t n = 0;

    assert_ok(s->scan(s->ctx, space, COF_LIT(""), COF_LIT(""), SIZE_MAX, each_counts, &n));
    return n;
}

static bool value_is(const struct cof_store *s, const char *space, const char *key, const char *value)
{
    struct cof_buf out;
    bool same;

    cof_buf_init(&out, 1000);
    same = s->get(s->ctx, space, cof_view_str(key), &out) == COF_OK && cof_view_eq_str(cof_buf_view(&out), value);
    cof_buf_done(&out);
    return same;
}

static void put(const struct cof_store *s, const char *key, const char *value)
{
    assert_ok(s->put(s->ctx, "t", cof_view_str(key), cof_view_str(value)));
}

/* What a request has changed it sees itself, whichever way it asks; what it undoes nobody sees. */
static void a_request_sees_its_own_changes(void **state)
{
    TEST_RNG(rng, 15);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    struct cof_blob_id id;

    for (int kept = 0; kept < 2; kept++)
        for (int way = 0; way < 3; way++) { /* asked by key; by key after a scan; after opening a body */
            assert_ok(s->savepoint(s->ctx));
            put(s, "a", "1");
            put(s, "b", "1");
            assert_ok(s->release(s->ctx));
            assert_ok(s->savepoint(s->ctx));
            put(s, "a", "2");
            put(s, "a", "3");
            put(s, "c", "1");
            assert_ok(s->remove(s->ctx, "t", COF_LIT("b")));
            assert_ok(s->put(s->ctx, "u", COF_LIT("b"), COF_LIT("elsewhere")));
            id = put_blob(s, 100, 1);
            if (way == 1)
                assert_int_equal(n_in(s, "t"), 2);
            if (way == 2)
                assert_true(blob_is(s, &id, 100, 1));
            assert_true(value_is(s, "t", "a", "3"));
            assert_true(value_is(s, "t", "c", "1"));
            assert_true(value_is(s, "u", "b", "elsewhere"));
            assert_false(has(s, "b"));
            put(s, "b", "again");
            assert_true(value_is(s, "t", "b", "again"));
            assert_ok(s->remove(s->ctx, "t", COF_LIT("b")));
            assert_ok(kept ? s->release(s->ctx) : s->rollback(s->ctx));
            assert_true(value_is(s, "t", "a", kept ? "3" : "1"));
            assert_int_equal(has(s, "b"), !kept);
            assert_int_equal(has(s, "c"), kept);
            assert_int_equal(blob_is(s, &id, 100, 1), kept);
            assert_ok(s->commit(s->ctx));
            assert_true(value_is(s, "t", "a", kept ? "3" : "1"));
            assert_int_equal(n_in(s, "t"), 2);
            assert_int_equal(n_in(s, "u"), kept);
        }
    cof_disk_store_close(st);
}

/* More changes than are kept waiting, and larger ones. */
static void a_request_of_many_changes(void **state)
{
    TEST_RNG(rng, 16);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    uint8_t *large = calloc(1, 300000);
    char key[16];

    assert_non_null(large);
    for (int kept = 0; kept < 2; kept++) {
        assert_ok(s->savepoint(s->ctx));
        for (int i = 0; i < 200; i++) {
            (void)snprintf(key, sizeof key, "%d", i);
            put(s, key, "x");
            assert_true(value_is(s, "t", key, "x"));
        }
        assert_ok(s->put(s->ctx, "t", COF_LIT("large"), cof_view_of(large, 300000)));
        assert_true(value_is(s, "t", "0", "x"));
        assert_ok(kept ? s->release(s->ctx) : s->rollback(s->ctx));
        assert_int_equal(n_in(s, "t"), kept ? 201 : 0);
        assert_ok(s->commit(s->ctx));
        assert_int_equal(n_in(s, "t"), kept ? 201 : 0);
    }
    free(large);
    cof_disk_store_close(st);
}

/* A request that changes nothing leaves nothing to commit. */
static void reading_is_no_change(void **state)
{
    TEST_RNG(rng, 17);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);

    assert_ok(s->savepoint(s->ctx));
    assert_false(has(s, "a"));
    assert_int_equal(n_in(s, "t"), 0);
    assert_ok(s->release(s->ctx));
    assert_false(s->dirty(s->ctx));
    assert_ok(s->savepoint(s->ctx));
    assert_ok(s->remove(s->ctx, "t", COF_LIT("a"))); /* nor is taking away what is not there */
    assert_ok(s->release(s->ctx));
    assert_false(s->dirty(s->ctx));
    assert_ok(s->commit(s->ctx));
    cof_disk_store_close(st);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(committed_survives_and_the_rest_does_not),
        TEST(a_killed_process_leaves_orphans_that_go),
        TEST(rollback_undoes_one_request_only),
        TEST(a_reader_outlives_its_blob),
        TEST(slots_are_used_again),
        TEST(every_size_comes_back_however_it_came),
        TEST(a_writer_given_up_leaves_its_slot),
        TEST(missing_slots_are_damage),
        TEST(scans_in_order),
        TEST(totals_follow_what_is_kept),
        TEST(a_request_sees_its_own_changes),
        TEST(a_request_of_many_changes),
        TEST(reading_is_no_change),
        TEST(one_process_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
