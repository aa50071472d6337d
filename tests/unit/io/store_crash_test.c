/* SPDX-License-Identifier: Apache-2.0
 * The disk store against a model, while its log goes to the database over and over: what a request sees, and what is there when the
 * folder is opened as a killed process would have left it (a copy of it, taken while it is in use).
 */
#include "io/store.h"
#include "seeded.h"
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS 80
#define SPACES 3
#define BODIES 12
#define VALUE_MAX 80000

static const char *const spaces[SPACES] = {"left", "middle", "right"};
static const size_t body_sizes[] = {0, 100, 20000, 50000, 150000, 300000};

struct value {
    bool here;
    uint8_t fill;
    size_t len;
};
struct body {
    struct cof_blob_id id; /* "": none */
    uint8_t fill;
    size_t len;
};
struct model {
    struct value of[SPACES][KEYS];
    struct body bodies[BODIES];
};

static char base[64];
static uint8_t bytes[300001];
static unsigned seed;

static int below(int n)
{
    return rand_r(&seed) % n;
}

static int make_base(void **state)
{
    (void)state;
    (void)snprintf(base, sizeof base, "/tmp/coffer-crash-XXXXXX");
    return mkdtemp(base) == NULL ? -1 : 0;
}

static int remove_base(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", base);
    return system(command) == 0 ? 0 : -1;
}

static void copy_store(void)
{
    char command[400];

    (void)snprintf(command, sizeof command, "rm -rf %s/copy; cp -r %s/store %s/copy", base, base, base);
    assert_int_equal(system(command), 0);
}

static struct cof_disk_store *open_at(const char *name, struct cof_disk_store_check *check)
{
    static uint64_t unique;
    static struct cof_rng rng;
    struct cof_disk_store *st;
    char path[128];

    rng = (struct cof_rng){.fill = seeded_fill, .ctx = &unique};
    (void)snprintf(path, sizeof path, "%s/%s", base, name);
    assert_ok(cof_disk_store_open(path, &rng, check, &st, NULL));
    return st;
}

static struct cof_view key_text(char out[16], int key)
{
    (void)snprintf(out, 16, "%c/%03d", 'a' + key % 4, key);
    return cof_view_str(out);
}

static struct cof_view filled(uint8_t fill, size_t len)
{
    memset(bytes, fill, len);
    return cof_view_of(bytes, len);
}

static void change_value(const struct cof_store *s, struct model *m)
{
    int space = below(SPACES), key = below(KEYS);
    struct value *v = &m->of[space][key];
    char text[16];

    *v = (struct value){below(3) > 0, (uint8_t)(128 + below(128)), (size_t)below(below(4) == 0 ? VALUE_MAX : 100)};
    if (v->here)
        assert_ok(s->put(s->ctx, spaces[space], key_text(text, key), filled(v->fill, v->len)));
    else
        assert_ok(s->remove(s->ctx, spaces[space], key_text(text, key)));
}

static void change_body(const struct cof_store *s, struct model *m)
{
    struct body *b = &m->bodies[below(BODIES)];
    struct cof_blob_writer *w;

    if (b->id.text[0] != '\0')
        assert_ok(s->blob_remove(s->ctx, &b->id));
    *b = (struct body){.fill = (uint8_t)below(256), .len = body_sizes[below(6)]};
    if (below(4) == 0)
        return;
    assert_ok(s->blob_create(s->ctx, &w));
    assert_ok(s->blob_write(s->ctx, w, filled(b->fill, b->len)));
    assert_ok(s->blob_close(s->ctx, w, &b->id));
}

static void body_is(const struct cof_store *s, const struct body *b)
{
    struct cof_blob_reader *r;
    struct cof_buf out;
    uint64_t size;

    if (b->id.text[0] == '\0')
        return;
    assert_ok(s->blob_open(s->ctx, &b->id, &r, &size));
    assert_int_equal(size, b->len);
    cof_buf_init(&out, 300000);
    assert_ok(s->blob_read(s->ctx, r, 0, b->len, &out));
    assert_true(cof_view_eq(cof_buf_view(&out), filled(b->fill, b->len)));
    cof_buf_done(&out);
    s->blob_shut(s->ctx, r);
}

struct seen {
    const struct model *m;
    int space, letter, key; /* the next that may come */
    size_t left;
};

static bool see(void *arg, struct cof_view key, struct cof_view value)
{
    struct seen *seen = arg;
    char text[16];

    for (; seen->key < KEYS; seen->key++) {
        const struct value *v = &seen->m->of[seen->space][seen->key];

        if (seen->key % 4 == seen->letter && v->here) {
            assert_true(cof_view_eq(key, key_text(text, seen->key++)));
            assert_true(cof_view_eq(value, filled(v->fill, v->len)));
            seen->left--;
            return true;
        }
    }
    fail_msg("%.*s is not there", (int)key.len, (const char *)key.data);
    return false;
}

/* Keys of one letter, from the first or after some key, all or some of them. */
static void scan_is(const struct cof_store *s, const struct model *m, int space, int letter, int after, size_t limit)
{
    struct seen seen = {m, space, letter, after + 1, limit};
    char prefix[3] = {(char)('a' + letter), '/', '\0'}, text[16];
    size_t n = 0;

    for (int key = after + 1; key < KEYS; key++)
        n += key % 4 == letter && m->of[space][key].here;
    assert_ok(s->scan(s->ctx, spaces[space], cof_view_str(prefix), after < 0 ? (struct cof_view){0} : key_text(text, after), limit, see, &seen));
    assert_int_equal(limit - seen.left, n < limit ? n : limit);
}

static void some_is(const struct cof_store *s, const struct model *m)
{
    int space = below(SPACES), key = below(KEYS), letter = below(4);
    struct cof_buf out;
    char text[16];

    cof_buf_init(&out, VALUE_MAX);
    assert_int_equal(s->get(s->ctx, spaces[space], key_text(text, key), &out), m->of[space][key].here ? COF_OK : COF_E_NOT_FOUND);
    if (m->of[space][key].here)
        assert_true(cof_view_eq(cof_buf_view(&out), filled(m->of[space][key].fill, m->of[space][key].len)));
    cof_buf_done(&out);
    scan_is(s, m, space, letter, below(2) == 0 ? -1 : letter + 4 * below(KEYS / 4), below(2) == 0 ? 1000 : (size_t)below(4) + 1);
    body_is(s, &m->bodies[below(BODIES)]);
}

static void all_is(const struct cof_store *s, const struct model *m)
{
    for (int space = 0; space < SPACES; space++)
        for (int letter = 0; letter < 4; letter++)
            scan_is(s, m, space, letter, -1, 1000);
    for (int i = 0; i < BODIES; i++)
        body_is(s, &m->bodies[i]);
}

static uint64_t n_bodies(const struct model *m)
{
    uint64_t n = 0;

    for (int i = 0; i < BODIES; i++)
        n += m->bodies[i].id.text[0] != '\0';
    return n;
}

static void found(void *ctx, const char *what, const char *which, bool mended)
{
    (void)ctx;
    (void)mended;
    /* nothing in these values names a body */
    if (strcmp(what, "a body belongs to nothing") != 0)
        fail_msg("%s: %s", what, which);
}

/* As if the process had been killed now. */
static void a_kill_leaves(const struct model *m)
{
    struct cof_disk_store_check check;
    struct cof_disk_store *st;
    uint64_t n;

    copy_store();
    for (int again = 0; again < 2; again++) {
        st = open_at("copy", &check);
        assert_int_equal(check.n_blobs, n_bodies(m));
        assert_int_equal(check.n_blobs_missing, 0);
        all_is(cof_disk_store_ops(st), m);
        if (again == 1)
            assert_ok(cof_disk_store_verify(st, false, found, NULL, &n, NULL));
        cof_disk_store_close(st);
    }
}

static void request(const struct cof_store *s, struct model *now)
{
    struct model before = *now;

    assert_ok(s->savepoint(s->ctx));
    for (int i = below(6); i > 0; i--) {
        change_value(s, now);
        some_is(s, now);
    }
    if (below(3) == 0)
        change_body(s, now);
    some_is(s, now);
    if (below(4) > 0) {
        assert_ok(s->release(s->ctx));
        return;
    }
    assert_ok(s->rollback(s->ctx));
    *now = before;
    some_is(s, now);
}

static off_t log_size(const char *name)
{
    char path[128];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/store/%s", base, name);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

static void what_was_committed_is_there(void **state)
{
    struct cof_disk_store *st;
    const struct cof_store *s;
    struct model now = {0}, kept = {0};

    (void)state;
    seed = 11;
    st = open_at("store", NULL);
    s = cof_disk_store_ops(st);
    for (int turn = 0; turn < 1000; turn++) { /* some 20 MiB of log: each file is used again */
        assert_ok(s->begin(s->ctx));
        for (int i = below(4) + 1; i > 0; i--)
            request(s, &now);
        if (turn % 100 == 50)
            a_kill_leaves(&kept); /* in the midst of a turn */
        if (below(8) == 0) {
            s->abandon(s->ctx);
            now = kept;
        } else {
            assert_ok(s->commit(s->ctx));
            kept = now;
        }
        if (turn % 20 == 0)
            all_is(s, &now);
        if (turn % 100 == 99)
            a_kill_leaves(&kept);
        if (turn % 500 == 499) { /* closed in order */
            assert_true(log_size("store.log-0") > 4 << 20 && log_size("store.log-1") > 4 << 20); /* both took their turns */
            cof_disk_store_close(st);
            st = open_at("store", NULL);
            s = cof_disk_store_ops(st);
            all_is(s, &now);
        }
    }
    cof_disk_store_close(st);
}

/* A queue is taken from at its front: what was taken must not be waded through again and again. */
static void a_queue_is_read_from_its_front(void **state)
{
    struct seen seen = {0};
    struct model m = {0};
    struct cof_disk_store *st = open_at("store", NULL);
    const struct cof_store *s = cof_disk_store_ops(st);
    char text[16];

    (void)state;
    for (int half = 0; half < 2; half++) {
        for (int key = 0; key < KEYS; key += 4) {
            m.of[0][key] = (struct value){true, 1, 1};
            assert_ok(s->put(s->ctx, spaces[0], key_text(text, key), filled(1, 1)));
        }
        assert_ok(s->commit(s->ctx));
        if (half == 1) { /* now out of the database */
            cof_disk_store_close(st);
            st = open_at("store", NULL);
            s = cof_disk_store_ops(st);
        }
        for (int key = 0; key < KEYS; key += 4) {
            scan_is(s, &m, 0, 0, -1, 1);
            m.of[0][key].here = false;
            assert_ok(s->remove(s->ctx, spaces[0], key_text(text, key)));
            if (key == 48) { /* one comes back, and goes again */
                m.of[0][16] = (struct value){true, 2, 2};
                assert_ok(s->put(s->ctx, spaces[0], key_text(text, 16), filled(2, 2)));
                scan_is(s, &m, 0, 0, -1, 1);
                scan_is(s, &m, 0, 0, -1, 1000);
                m.of[0][16].here = false;
                assert_ok(s->remove(s->ctx, spaces[0], key_text(text, 16)));
            }
            assert_ok(s->commit(s->ctx));
        }
        seen = (struct seen){&m, 0, 0, 0, 1000};
        assert_ok(s->scan(s->ctx, spaces[0], COF_LIT("a/"), (struct cof_view){0}, 1000, see, &seen));
        assert_int_equal(seen.left, 1000);
    }
    cof_disk_store_close(st);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_base, remove_base)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_committed_is_there),
        TEST(a_queue_is_read_from_its_front),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
