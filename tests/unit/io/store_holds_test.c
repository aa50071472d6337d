/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "io/store.h"

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 500

static char dir[64];
static const size_t sizes[] = {10, 70000, 300000}; /* in the database, in a slot, a file */

static int make_dir(void **state)
{
    (void)snprintf(dir, sizeof dir, "/tmp/coffer-holds-XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int remove_dir(void **state)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? 0 : -1;
}

static struct cof_blob_id put(const struct cof_store *s, size_t size, uint8_t fill)
{
    uint8_t *bytes = malloc(size);
    struct cof_blob_writer *w;
    struct cof_blob_id id;

    memset(bytes, fill, size);
    assert_ok(s->blob_create(s->ctx, &w));
    assert_ok(s->blob_write(s->ctx, w, cof_view_of(bytes, size)));
    assert_ok(s->blob_close(s->ctx, w, &id));
    free(bytes);
    return id;
}

static bool is_readable(const struct cof_store *s, const struct cof_blob_id *id, size_t size, uint8_t fill)
{
    struct cof_blob_reader *r;
    struct cof_buf out;
    uint64_t got;
    bool same;

    if (s->blob_open(s->ctx, id, &r, &got) != COF_OK)
        return false;
    cof_buf_init(&out, size);
    assert_int_equal(got, size);
    assert_ok(s->blob_read(s->ctx, r, 0, size, &out));
    same = out.data[0] == fill && out.data[size - 1] == fill;
    cof_buf_done(&out);
    s->blob_shut(s->ctx, r);
    return same;
}

/* Files of bodies; slots are counted by their files' sizes elsewhere. */
static size_t n_files(void)
{
    char path[128];
    size_t n = 0;

    for (unsigned i = 0; i < 256; i++) {
        const struct dirent *entry;
        DIR *d;

        (void)snprintf(path, sizeof path, "%s/blobs/%02x", dir, i);
        d = opendir(path);
        while (d != NULL && (entry = readdir(d)) != NULL)
            n += entry->d_name[0] != '.';
        if (d != NULL)
            (void)closedir(d);
    }
    return n;
}

static struct cof_disk_store *open_store(const struct cof_rng *rng, struct cof_disk_store_check *check)
{
    struct cof_disk_store *st;

    assert_ok(cof_disk_store_open(dir, rng, check, &st, NULL));
    return st;
}

static void what_is_held_outlives_its_removal(void **state)
{
    TEST_RNG(rng, 1);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct cof_blob_id id = put(s, sizes[i], 7);

        assert_ok(s->commit(s->ctx));
        assert_ok(s->blob_hold(s->ctx, &id));
        assert_ok(s->blob_hold(s->ctx, &id));
        assert_ok(s->blob_remove(s->ctx, &id));
        assert_true(is_readable(s, &id, sizes[i], 7));
        assert_ok(s->commit(s->ctx));
        (void)put(s, sizes[i], 9); /* not over it */
        assert_ok(s->commit(s->ctx));
        assert_true(is_readable(s, &id, sizes[i], 7));
        s->blob_let_go(s->ctx, &id);
        assert_true(is_readable(s, &id, sizes[i], 7));
        s->blob_let_go(s->ctx, &id);
        assert_false(is_readable(s, &id, sizes[i], 7));
        s->blob_let_go(s->ctx, &id); /* once too often: nothing */
    }
    assert_int_equal(n_files(), 1); /* the other one */
    cof_disk_store_close(st);
}

/* A removal that is undone takes nothing, held or not, and one that comes later does. */
static void an_undone_removal_is_none(void **state)
{
    TEST_RNG(rng, 2);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct cof_blob_id id = put(s, sizes[i], 7);

        assert_ok(s->commit(s->ctx));
        assert_ok(s->blob_hold(s->ctx, &id));
        assert_ok(s->blob_remove(s->ctx, &id));
        s->abandon(s->ctx);
        s->blob_let_go(s->ctx, &id);
        assert_true(is_readable(s, &id, sizes[i], 7));
        assert_ok(s->blob_hold(s->ctx, &id));
        assert_ok(s->savepoint(s->ctx));
        assert_ok(s->blob_remove(s->ctx, &id));
        assert_ok(s->rollback(s->ctx));
        assert_true(is_readable(s, &id, sizes[i], 7));
        assert_ok(s->blob_remove(s->ctx, &id));
        assert_ok(s->commit(s->ctx));
        assert_true(is_readable(s, &id, sizes[i], 7));
        s->blob_let_go(s->ctx, &id);
        assert_false(is_readable(s, &id, sizes[i], 7));
    }
    assert_int_equal(n_files(), 0);
    cof_disk_store_close(st);
}

/* The slot of a removed body is used again once nobody holds it. */
static void a_slot_comes_back(void **state)
{
    TEST_RNG(rng, 3);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    struct cof_blob_id id = put(s, 70000, 7), next;

    assert_ok(s->commit(s->ctx));
    assert_ok(s->blob_hold(s->ctx, &id));
    assert_ok(s->blob_remove(s->ctx, &id));
    assert_ok(s->commit(s->ctx));
    s->blob_let_go(s->ctx, &id);
    next = put(s, 70000, 8);
    assert_ok(s->commit(s->ctx));
    assert_true(is_readable(s, &next, 70000, 8));
    {
        char path[128];
        FILE *f;

        (void)snprintf(path, sizeof path, "%s/blobs/slots-128k", dir);
        f = fopen(path, "r");
        assert_non_null(f);
        assert_int_equal(fseek(f, 0, SEEK_END), 0);
        assert_int_equal(ftell(f), 70000);
        (void)fclose(f);
    }
    cof_disk_store_close(st);
}

/* Many at once, let go in another order: each is found until it is gone, and none takes another with it. */
static void many_are_told_apart(void **state)
{
    TEST_RNG(rng, 4);
    struct cof_disk_store *st = open_store(&rng, NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    struct cof_blob_id ids[MANY];

    for (size_t i = 0; i < MANY; i++) {
        ids[i] = put(s, 10, (uint8_t)i);
        assert_ok(s->blob_hold(s->ctx, &ids[i]));
    }
    assert_ok(s->commit(s->ctx));
    for (size_t i = 0; i < MANY; i++)
        assert_ok(s->blob_remove(s->ctx, &ids[i]));
    assert_ok(s->commit(s->ctx));
    for (size_t i = 0; i < MANY; i++) {
        size_t at = i * 37 % MANY; /* MANY and 37 share no factor */

        assert_true(is_readable(s, &ids[at], 10, (uint8_t)at));
        s->blob_let_go(s->ctx, &ids[at]);
        assert_false(is_readable(s, &ids[at], 10, (uint8_t)at));
    }
    cof_disk_store_close(st);
}

static void a_crash_leaves_nothing_held(void **state)
{
    TEST_RNG(rng, 5);
    struct cof_disk_store_check check;
    struct cof_disk_store *st;
    pid_t child = fork();
    int status;

    if (child == 0) {
        const struct cof_store *s;
        struct cof_blob_id id;

        st = open_store(&rng, NULL);
        s = cof_disk_store_ops(st);
        id = put(s, 300000, 7);
        if (s->commit(s->ctx) != COF_OK || s->blob_hold(s->ctx, &id) != COF_OK || s->blob_remove(s->ctx, &id) != COF_OK ||
            s->commit(s->ctx) != COF_OK)
            _exit(1);
        _exit(n_files() == 1 ? 0 : 2); /* still there, for the reader */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    st = open_store(&rng, &check);
    assert_int_equal(check.n_orphans_removed, 1);
    assert_int_equal(n_files(), 0);
    cof_disk_store_close(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_held_outlives_its_removal, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(an_undone_removal_is_none, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_slot_comes_back, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(many_are_told_apart, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_crash_leaves_nothing_held, make_dir, remove_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
