/* SPDX-License-Identifier: Apache-2.0
 * The check finds bodies that nothing names, bodies that are missing or too short and records that are torn; it mends only what can be
 * mended without making anything up, and finds nothing where nothing is wrong.
 */
#include "io/store.h"
#include "testing.h"

#include <sys/stat.h>
#include <unistd.h>

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

struct findings {
    char text[1000];
    size_t n, n_mended;
};

static void found(void *ctx, const char *what, const char *which, bool mended)
{
    struct findings *f = ctx;
    size_t at = strlen(f->text);

    (void)snprintf(f->text + at, sizeof f->text - at, "%s: %s\n", what, which);
    f->n++;
    f->n_mended += mended;
}

static struct findings look(struct cof_disk_store *st, bool repair)
{
    struct findings f = {.text = ""};
    uint64_t n;

    assert_ok(cof_disk_store_verify(st, repair, found, &f, &n, NULL));
    assert_int_equal(n, f.n);
    return f;
}

static void nothing_is_wrong(void **state)
{
    TEST_RNG(rng, 31);
    struct cof_disk_store *st;
    const struct cof_store *s;
    struct cof_blob_id id;

    (void)state;
    assert_ok(cof_disk_store_open(dir, &rng, NULL, &st, NULL));
    assert_int_equal(look(st, false).n, 0);
    s = cof_disk_store_ops(st);
    id = put_blob(s, 70000, 1);
    name(s, "a", &id);
    assert_ok(s->commit(s->ctx));
    assert_ok(cof_disk_store_quick_check(st, NULL));
    assert_int_equal(look(st, false).n, 0);
    assert_int_equal(look(st, true).n, 0);
    cof_disk_store_close(st);
}

static void bodies_of_nobody_go(void **state)
{
    TEST_RNG(rng, 32);
    struct cof_disk_store *st;
    const struct cof_store *s;
    struct cof_blob_id kept, stray;
    struct findings f;
    struct cof_blob_reader *r;
    uint64_t size;

    (void)state;
    assert_ok(cof_disk_store_open(dir, &rng, NULL, &st, NULL));
    s = cof_disk_store_ops(st);
    kept = put_blob(s, 10, 1);
    stray = put_blob(s, 300000, 2);
    name(s, "a", &kept);
    assert_ok(s->commit(s->ctx));
    f = look(st, false);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.n_mended, 0);
    assert_non_null(strstr(f.text, "a body belongs to nothing"));
    assert_non_null(strstr(f.text, stray.text));
    assert_int_equal(look(st, true).n_mended, 1);
    assert_int_equal(look(st, false).n, 0);
    assert_int_equal(s->blob_open(s->ctx, &stray, &r, &size), COF_E_NOT_FOUND);
    assert_ok(s->blob_open(s->ctx, &kept, &r, &size));
    s->blob_shut(s->ctx, r);
    cof_disk_store_close(st);
}

static void what_is_lost_is_noted(void **state)
{
    TEST_RNG(rng, 33);
    struct cof_disk_store_check check;
    struct cof_disk_store *st;
    const struct cof_store *s;
    struct cof_blob_id id;
    struct cof_blob_reader *r;
    char path[128];
    struct findings f;
    uint64_t size;

    (void)state;
    assert_ok(cof_disk_store_open(dir, &rng, NULL, &st, NULL));
    s = cof_disk_store_ops(st);
    id = put_blob(s, 300000, 2);
    name(s, "a", &id);
    assert_ok(s->commit(s->ctx));
    (void)snprintf(path, sizeof path, "%s/blobs/%.2s/%s", dir, id.text, id.text);
    assert_int_equal(truncate(path, 299999), 0);
    f = look(st, false);
    assert_int_equal(f.n, 1);
    assert_non_null(strstr(f.text, "a body is missing or of another size"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(look(st, true).n_mended, 1);
    cof_disk_store_close(st);
    assert_ok(cof_disk_store_open(dir, &rng, &check, &st, NULL));
    s = cof_disk_store_ops(st);
    assert_int_equal(check.n_blobs_missing, 0); /* known */
    assert_int_not_equal(s->blob_open(s->ctx, &id, &r, &size), COF_OK); /* and not made up */
    cof_disk_store_close(st);
}

static void torn_records_are_told(void **state)
{
    TEST_RNG(rng, 34);
    struct cof_disk_store *st;
    const struct cof_store *s;
    struct findings f;

    (void)state;
    assert_ok(cof_disk_store_open(dir, &rng, NULL, &st, NULL));
    s = cof_disk_store_ops(st);
    assert_ok(s->put(s->ctx, "t", COF_LIT("whole"), COF_LIT("{\"a\":[\"}\"]}")));
    assert_ok(s->put(s->ctx, "t", COF_LIT("torn"), COF_LIT("{\"a\":[\"b\"")));
    assert_ok(s->put(s->ctx, "sqs.body", COF_LIT("sealed"), COF_LIT("{\x9e\x01"))); /* bytes, not text */
    assert_ok(s->commit(s->ctx));
    f = look(st, true);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.n_mended, 0); /* what it said nobody knows */
    assert_non_null(strstr(f.text, "a record is damaged"));
    cof_disk_store_close(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_wrong, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(bodies_of_nobody_go, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_is_lost_is_noted, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(torn_records_are_told, make_dir, remove_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
