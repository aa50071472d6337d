/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log on disk beside its store: what a crash at each point leaves, and what an altered file leads to.
 */
#include "testing.h"

#include "io/audit_log.h"
#include "memory_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1795464000000LL
#define RECORD "{\"eventTime\":\"2026-11-23T20:00:00Z\",\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"PutObject\"}\n"

static char dir[64], path[100];

struct world {
    struct memory_store store;
    struct cof_rng rng;
    uint64_t seed;
    struct cof_ecdsa_key *key;
    struct cof_audit_log *log;
    struct cof_diag diag;
};

static int make_dir(void **state)
{
    (void)snprintf(dir, sizeof dir, "/tmp/coffer-audit-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/audit.jsonl", dir);
    return 0;
}

static int remove_dir(void **state)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? 0 : -1;
}

static enum cof_err open_log(struct world *w, uint64_t rotate, bool repair)
{
    return cof_audit_log_open(&(struct cof_audit_log_opts){.path = path, .store = &w->store.ops, .rng = &w->rng, .key = w->key,
        .account = "111122223333", .region = "us-east-1", .rotate_bytes = rotate, .repair = repair}, NOW, &w->log, &w->diag);
}

static void world_init(struct world *w)
{
    *w = (struct world){.seed = 3};
    w->rng = (struct cof_rng){test_rng_fill, &w->seed};
    memory_store_init(&w->store);
    assert_ok(cof_ecdsa_generate(COF_P256, &w->rng, &w->key));
    assert_ok(open_log(w, 0, false));
}

static void world_done(struct world *w)
{
    cof_audit_log_close(w->log, NOW);
    cof_ecdsa_free(w->key);
    memory_store_done(&w->store);
}

static void commit(struct world *w, int n)
{
    for (int i = 0; i < n; i++)
        assert_ok(cof_audit_log_append(w->log, COF_LIT(RECORD)));
    assert_ok(cof_audit_log_save(w->log));
    assert_ok(w->store.ops.commit(w->store.ops.ctx));
    cof_audit_log_saved(w->log, true, NULL);
}

/* The process dies: nothing is closed properly. (The descriptor is left open, as little as that matters here.) */
static void crash(struct world *w)
{
    static struct cof_audit_log *dead[4096]; /* kept in sight, so that no leak checker takes them for lost */
    static size_t n_dead;

    assert_true(n_dead < sizeof dead / sizeof dead[0]);
    dead[n_dead++] = w->log;
    w->log = NULL;
}

static uint64_t check(struct world *w, const char *file, struct cof_audit_check *c)
{
    struct cof_buf text;
    struct cof_view rest, line;

    assert_true(read_file(file, &text));
    rest = cof_buf_view(&text);
    while (rest.len > 0) {
        assert_true(cof_view_split(rest, '\n', &line, &rest));
        if (cof_audit_check_line(c, line, &w->diag) != COF_OK)
            fail_msg("%s", w->diag.text);
    }
    cof_buf_done(&text);
    return c->chain.next - 1;
}

static uint64_t check_all(struct world *w)
{
    struct cof_audit_check c;
    uint64_t last;

    cof_audit_check_init(&c, w->key);
    last = check(w, path, &c);
    assert_ok(cof_audit_check_end(&c, &w->diag));
    return last;
}

/* The file is cut anywhere after the last sync; what the store has comes back, byte by byte. */
static void what_a_crash_kept_from_the_file_comes_from_the_store(void **state)
{
    struct world w;
    struct cof_buf whole;
    struct stat st;
    off_t synced;

    world_init(&w);
    commit(&w, 3);
    assert_ok(cof_audit_log_sync(w.log, NOW, true));
    assert_int_equal(stat(path, &st), 0);
    synced = st.st_size;
    commit(&w, 2);
    commit(&w, 2);
    assert_true(read_file(path, &whole));
    for (off_t at = synced; at <= (off_t)whole.len; at += 7) {
        crash(&w);
        assert_int_equal(truncate(path, at), 0);
        assert_ok(open_log(&w, 0, false));
        assert_int_equal(check_all(&w), 8);
    }
    cof_buf_done(&whole);
    world_done(&w);
}

/* Of records that are in no transaction the last may be half written: it is told of. */
static void a_torn_line_is_told_of(void **state)
{
    struct world w;
    struct stat st;

    world_init(&w);
    commit(&w, 1);
    assert_ok(cof_audit_log_append(w.log, COF_LIT(RECORD)));
    assert_ok(cof_audit_log_flush(w.log));
    assert_int_equal(stat(path, &st), 0);
    crash(&w);
    assert_int_equal(truncate(path, st.st_size - 30), 0);
    assert_ok(open_log(&w, 0, false));
    assert_int_equal(check_all(&w), 2); /* the second is the one that tells */
    crash(&w);
    assert_int_equal(stat(path, &st), 0);
    assert_ok(open_log(&w, 0, false)); /* only the newline was missing: a record like any other */
    assert_ok(cof_audit_log_append(w.log, COF_LIT(RECORD)));
    assert_ok(cof_audit_log_flush(w.log));
    crash(&w);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 1), 0);
    assert_ok(open_log(&w, 0, false));
    assert_int_equal(check_all(&w), 3);
    world_done(&w);
}

static void put_zeros(off_t from, off_t to)
{
    int fd = open(path, O_WRONLY);

    for (; from < to; from++)
        assert_int_equal(pwrite(fd, "", 1, from), 1);
    (void)close(fd);
}

static off_t size_now(void)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

/* A power cut may keep the file's length and lose bytes of what was not synced; where the store has them they come back. */
static void holes_are_mended_from_the_store(void **state)
{
    struct world w;
    struct cof_buf whole, now;
    off_t synced, size;

    world_init(&w);
    commit(&w, 2);
    assert_ok(cof_audit_log_sync(w.log, NOW, true));
    synced = size_now();
    commit(&w, 4);
    size = size_now();
    assert_true(read_file(path, &whole));
    for (off_t at = synced; at < size; at += 61) {
        crash(&w);
        put_zeros(at, at + 40 < size ? at + 40 : size);
        assert_ok(open_log(&w, 0, false));
        assert_true(read_file(path, &now));
        assert_int_equal(now.len, whole.len);
        assert_memory_equal(now.data, whole.data, whole.len);
        cof_buf_done(&now);
    }
    cof_buf_done(&whole);
    world_done(&w);
    assert_int_equal(unlink(path), 0);
    world_init(&w);
    commit(&w, 3);
    for (off_t at = 0; at < size_now(); at += 61) { /* nothing was synced yet */
        crash(&w);
        put_zeros(at, at + 40 < size_now() ? at + 40 : size_now());
        assert_ok(open_log(&w, 0, false));
        assert_int_equal(check_all(&w), 3);
    }
    assert_ok(cof_audit_log_sync(w.log, NOW, true));
    synced = size_now();
    commit(&w, 3);
    crash(&w);
    put_zeros(synced - 40, synced); /* what was synced is no power cut's */
    assert_int_equal(open_log(&w, 0, false), COF_E_AUTH);
    assert_ok(open_log(&w, 0, true));
    world_done(&w);
}

/* Records of requests that changed nothing are in no commit: the store learns by itself where the file ends. */
static void the_store_learns_where_the_file_ends(void **state)
{
    struct world w;
    struct cof_buf head;

    world_init(&w);
    cof_buf_init(&head, 200);
    for (int i = 0; i < 8200; i++) {
        assert_ok(cof_audit_log_append(w.log, COF_LIT(RECORD)));
        if (i % 1000 == 0)
            assert_ok(cof_audit_log_flush(w.log));
    }
    assert_int_equal(w.store.ops.get(w.store.ops.ctx, "audit", COF_LIT("head"), &head), COF_E_NOT_FOUND);
    assert_ok(cof_audit_log_sync(w.log, NOW, false));
    assert_ok(w.store.ops.get(w.store.ops.ctx, "audit", COF_LIT("head"), &head));
    assert_true(cof_view_starts(cof_buf_view(&head), COF_LIT("8201 "))); /* and a signature */
    cof_buf_done(&head);
    world_done(&w);
}

/* Where the store does not have them, a record tells of what follows the hole, and it is kept aside. */
static void what_no_longer_follows_is_kept_aside(void **state)
{
    char command[300];
    struct world w;
    off_t first, second;

    world_init(&w);
    commit(&w, 2);
    assert_ok(cof_audit_log_append(w.log, COF_LIT(RECORD)));
    assert_ok(cof_audit_log_flush(w.log));
    first = size_now();
    for (int i = 0; i < 2; i++) {
        assert_ok(cof_audit_log_append(w.log, COF_LIT(RECORD)));
        assert_ok(cof_audit_log_flush(w.log));
        second = i == 0 ? size_now() : second;
    }
    crash(&w);
    put_zeros(first + 30, second - 30);
    assert_ok(open_log(&w, 0, false));
    assert_int_equal(check_all(&w), 4); /* two, the one before the hole, and the one that tells */
    (void)snprintf(command, sizeof command, "grep -q '\"sequence\":5,' %s.damaged-*", path);
    assert_int_equal(system(command), 0);
    /* A second cut, in the middle of a mend: a torn line, and behind it the record of it, torn too. */
    crash(&w);
    (void)snprintf(command, sizeof command, "printf '{\"sequence\":5,\"prev\\n{\"sequence\":5,\"previousHash\":\"00' >> %s", path);
    assert_int_equal(system(command), 0);
    assert_ok(open_log(&w, 0, false));
    assert_int_equal(check_all(&w), 5);
    world_done(&w);
}

/* A record that was torn just behind an inner brace is no whole one. */
static void a_torn_record_is_not_taken_for_a_whole_one(void **state)
{
    static const char nested[] = "{\"eventTime\":\"2026-11-23T20:00:00Z\",\"eventSource\":\"a\",\"eventName\":\"b\",\"c\":{\"d\":1},\"e\":2}\n";
    struct world w;

    world_init(&w);
    commit(&w, 1);
    assert_ok(cof_audit_log_append(w.log, cof_view_str(nested)));
    assert_ok(cof_audit_log_flush(w.log));
    crash(&w);
    assert_int_equal(truncate(path, size_now() - 8), 0);
    assert_ok(open_log(&w, 0, false));
    assert_int_equal(check_all(&w), 2);
    world_done(&w);
}

static void a_cut_or_altered_file_is_refused_and_put_aside_on_request(void **state)
{
    struct world w;
    struct stat st;
    char command[300];

    world_init(&w);
    commit(&w, 5);
    cof_audit_log_close(w.log, NOW);
    crash(&w);
    assert_int_equal(stat(path, &st), 0);
    (void)snprintf(command, sizeof command, "cp %s %s.saved", path, path);
    assert_int_equal(system(command), 0);
    for (int kind = 0; kind < 3; kind++) {
        (void)snprintf(command, sizeof command, kind == 0 ? "sed -i '$d' %s" : kind == 1 ? ": > %s" : "sed -i '$s/Management/management/' %s", path);
        assert_int_equal(system(command), 0);
        assert_int_equal(open_log(&w, 0, false), COF_E_AUTH);
        assert_true(w.diag.hint[0] != '\0');
        (void)snprintf(command, sizeof command, "cp %s.saved %s", path, path);
        assert_int_equal(system(command), 0);
    }
    assert_ok(open_log(&w, 0, false));
    cof_audit_log_close(w.log, NOW);
    assert_int_equal(unlink(path), 0);
    assert_ok(open_log(&w, 0, true));
    assert_int_equal(check_all(&w), 7);
    world_done(&w);
}

/* A transaction that fails takes its records back; those before it stay. */
static void a_failed_commit_takes_its_records_back(void **state)
{
    struct world w;
    uint64_t n;

    world_init(&w);
    assert_ok(cof_audit_log_append(w.log, COF_LIT(RECORD)));
    assert_ok(cof_audit_log_flush(w.log));
    assert_ok(cof_audit_log_append(w.log, COF_LIT(RECORD RECORD)));
    assert_ok(cof_audit_log_save(w.log));
    cof_audit_log_saved(w.log, false, &n);
    assert_int_equal(n, 2);
    assert_ok(cof_audit_log_own(w.log, "CommitFailed", (struct cof_view){0}, NOW));
    assert_ok(cof_audit_log_flush(w.log));
    assert_int_equal(check_all(&w), 2);
    commit(&w, 1);
    world_done(&w);
    world_init(&w);
    world_done(&w);
}

static void the_chain_goes_on_in_new_files(void **state)
{
    struct world w;
    struct cof_audit_check c;
    char old[120];

    world_init(&w);
    cof_audit_log_close(w.log, NOW);
    assert_ok(open_log(&w, 1000, false));
    commit(&w, 10);
    assert_ok(cof_audit_log_sync(w.log, NOW, true));
    (void)snprintf(old, sizeof old, "%s/audit-0000000000000001.jsonl", dir);
    cof_audit_check_init(&c, w.key);
    (void)check(&w, old, &c);
    assert_int_equal(check(&w, path, &c), 12);
    (void)snprintf(old, sizeof old, "%s/moved", dir);
    assert_int_equal(rename(path, old), 0);
    assert_ok(cof_audit_log_reopen(w.log, NOW));
    commit(&w, 1);
    assert_int_equal(check(&w, path, &c), 14);
    world_done(&w);
}

/* The power goes after the old file was renamed and before the new one has its first record. */
static void a_rotation_that_was_cut_goes_on(void **state)
{
    char old[120], other[120], twin[120];

    (void)snprintf(old, sizeof old, "%s/audit-0000000000000001.jsonl", dir);
    (void)snprintf(other, sizeof other, "%s/elsewhere", dir);
    for (int kind = 0; kind < 6; kind++) {
        struct cof_audit_check c;
        struct world w;

        world_init(&w);
        if (kind < 4) {
            commit(&w, 10);
            assert_ok(cof_audit_log_sync(w.log, NOW, true));
            commit(&w, 2); /* the store has these, and learns where the file ended */
        } else {
            commit(&w, 13); /* it has not learnt yet that the file has any */
        }
        crash(&w);
        assert_int_equal(rename(path, old), 0);
        if (kind % 4 > 0) {
            int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
            size_t n = kind % 4 == 1 ? 0 : kind == 2 ? 21 : 25;

            assert_int_equal(write(fd, "{\"sequence\":14,\"prev\0\0\0\0", n), n);
            (void)close(fd);
        }
        assert_ok(open_log(&w, 0, false));
        cof_audit_check_init(&c, w.key);
        assert_int_equal(check(&w, old, &c), 13);
        assert_int_equal(check(&w, path, &c), 14);
        assert_ok(cof_audit_check_end(&c, &w.diag));
        commit(&w, 1);
        crash(&w);
        (void)snprintf(twin, sizeof twin, "%s/audit-%016d.jsonl", dir, 14);
        assert_int_equal(link(path, twin), 0); /* the next rotation was cut, and left both names */
        assert_ok(open_log(&w, 0, false));
        assert_int_not_equal(access(twin, F_OK), 0);
        crash(&w);
        assert_int_equal(rename(path, other), 0); /* gone, and the part before it is older than what the store knows */
        assert_int_equal(open_log(&w, 0, false), COF_E_AUTH);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rename(other, path), 0);
        assert_ok(open_log(&w, 0, false));
        world_done(&w);
        assert_int_equal(unlink(old), 0);
        assert_int_equal(unlink(path), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_crash_kept_from_the_file_comes_from_the_store, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_torn_line_is_told_of, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(holes_are_mended_from_the_store, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(the_store_learns_where_the_file_ends, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_no_longer_follows_is_kept_aside, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_torn_record_is_not_taken_for_a_whole_one, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_cut_or_altered_file_is_refused_and_put_aside_on_request, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_failed_commit_takes_its_records_back, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(the_chain_goes_on_in_new_files, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_rotation_that_was_cut_goes_on, make_dir, remove_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
