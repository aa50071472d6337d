/* SPDX-License-Identifier: Apache-2.0
 * A copy holds what was committed when it was made, bodies of every kind included, opens as a store of its own, and stays as it is
 * when the original goes on.
 */
#include "io/store.h"
#include "testing.h"

#include <sys/stat.h>

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/coffer-store-XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int remove_dir(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? 0 : -1;
}

static struct cof_blob_id put_blob(const struct cof_store *s, size_t size, uint8_t fill)
{
    struct cof_blob_writer *w;
    struct cof_blob_id id;
    uint8_t *bytes = malloc(size);

    assert_non_null(bytes);
    memset(bytes, fill, size);
    assert_ok(s->blob_create(s->ctx, &w));
    assert_ok(s->blob_write(s->ctx, w, cof_view_of(bytes, size)));
    assert_ok(s->blob_close(s->ctx, w, &id));
    free(bytes);
    return id;
}

/* A record that names the body. */
static void name(const struct cof_store *s, const char *key, const struct cof_blob_id *id)
{
    char record[80];

    (void)snprintf(record, sizeof record, "{\"blob\":\"%.32s\"}", id->text);
    assert_ok(s->put(s->ctx, "t", cof_view_str(key), cof_view_str(record)));
}

static const size_t sizes[] = {10, 70000, 300000}; /* in the database, in a slot, a file */

static bool blob_is(const struct cof_store *s, const struct cof_blob_id *id, size_t size, uint8_t fill)
{
    struct cof_blob_reader *r;
    struct cof_buf out;
    uint64_t got = 0;
    bool ok = s->blob_open(s->ctx, id, &r, &got) == COF_OK;

    if (!ok)
        return false;
    cof_buf_init(&out, (size_t)1 << 20);
    ok = got == size && s->blob_read(s->ctx, r, 0, size, &out) == COF_OK;
    for (size_t i = 0; ok && i < size; i++)
        ok = out.data[i] == fill;
    cof_buf_done(&out);
    s->blob_shut(s->ctx, r);
    return ok;
}

static void a_copy_is_a_store(void **state)
{
    TEST_RNG(rng, 21);
    struct cof_disk_store *st, *copy;
    struct cof_blob_id ids[3], later;
    const struct cof_store *s;
    char original[96], target[96];
    struct cof_buf out;
    uint64_t n;

    (void)state;
    (void)snprintf(original, sizeof original, "%s/original", dir);
    (void)snprintf(target, sizeof target, "%s/copy", dir);
    assert_ok(cof_disk_store_open(original, &rng, NULL, &st, NULL));
    s = cof_disk_store_ops(st);
    for (size_t i = 0; i < 3; i++) {
        char key[2] = {(char)('a' + i), '\0'};

        ids[i] = put_blob(s, sizes[i], (uint8_t)(i + 1));
        name(s, key, &ids[i]);
    }
    assert_int_equal(mkdir(target, 0700), 0);
    assert_int_equal(cof_disk_store_backup(st, target, NULL), COF_E_STATE); /* in the middle of a transaction */
    assert_ok(s->commit(s->ctx));
    assert_ok(cof_disk_store_backup(st, target, NULL));

    for (size_t i = 0; i < 3; i++) /* the original goes on, in the same slots too */
        assert_ok(s->blob_remove(s->ctx, &ids[i]));
    assert_ok(s->commit(s->ctx));
    later = put_blob(s, sizes[1], 9);
    name(s, "d", &later);
    assert_ok(s->commit(s->ctx));
    cof_disk_store_close(st);

    assert_ok(cof_disk_store_open(target, &rng, NULL, &copy, NULL));
    s = cof_disk_store_ops(copy);
    for (size_t i = 0; i < 3; i++)
        assert_true(blob_is(s, &ids[i], sizes[i], (uint8_t)(i + 1)));
    assert_false(blob_is(s, &later, sizes[1], 9));
    cof_buf_init(&out, 1000);
    assert_int_equal(s->get(s->ctx, "t", COF_LIT("d"), &out), COF_E_NOT_FOUND);
    cof_buf_done(&out);
    assert_ok(cof_disk_store_verify(copy, false, NULL, NULL, &n, NULL));
    assert_int_equal(n, 0);
    cof_disk_store_close(copy);
}

static void no_copy_over_another(void **state)
{
    TEST_RNG(rng, 22);
    struct cof_disk_store *st;
    char original[96], target[96];

    (void)state;
    (void)snprintf(original, sizeof original, "%s/original", dir);
    (void)snprintf(target, sizeof target, "%s/copy", dir);
    assert_ok(cof_disk_store_open(original, &rng, NULL, &st, NULL));
    assert_int_not_equal(cof_disk_store_backup(st, target, NULL), COF_OK); /* there is no such folder */
    assert_int_equal(mkdir(target, 0700), 0);
    assert_ok(cof_disk_store_backup(st, target, NULL));
    assert_int_not_equal(cof_disk_store_backup(st, target, NULL), COF_OK);
    cof_disk_store_close(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_is_a_store, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(no_copy_over_another, make_dir, remove_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
