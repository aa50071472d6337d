/* SPDX-License-Identifier: Apache-2.0
 * The map of recent changes against one that is too simple to be wrong: the last word on each key, in order, undone to a mark, let go of
 * by generation. What is said to be empty is so, and is not said any longer when something comes.
 */
#include "io/store_recent.h"
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 60
#define SPACES 2

static const char *const spaces[SPACES] = {"a", "b"};

/* One key of the model. */
struct known {
    bool here, removed;
    int value;
    uint64_t generation;
};
struct model {
    struct known of[SPACES][KEYS];
};

static struct cof_view key_text(char out[16], int key)
{
    (void)snprintf(out, 16, "%c/%03d", key % 3 == 0 ? 'p' : 'q', key);
    return cof_view_str(out);
}

static void same(const struct cof_recent *r, const struct model *m)
{
    size_t n = 0;

    for (int s = 0; s < SPACES; s++) {
        const struct cof_recent_change *c = cof_recent_from(r, spaces[s], (struct cof_view){0}, false);

        for (int way = 0; way < 2; way++) /* keys in order: all of p, then all of q */
            for (int k = 0; k < KEYS; k++) {
                const struct known *known = &m->of[s][k];
                char text[16], value[16];
                struct cof_view key = key_text(text, k);

                if ((k % 3 == 0) != (way == 0))
                    continue;
                assert_int_equal(cof_recent_find(r, spaces[s], key) != NULL, known->here);
                if (!known->here)
                    continue;
                assert_ptr_equal(cof_recent_find(r, spaces[s], key), c);
                assert_int_equal(c->removed, known->removed);
                assert_int_equal(c->generation, known->generation);
                (void)snprintf(value, sizeof value, "%d", known->value);
                assert_true(known->removed ? cof_recent_value(c).len == 0 : cof_view_eq_str(cof_recent_value(c), value));
                c = cof_recent_next(c);
                n++;
            }
        assert_null(c);
    }
    assert_int_equal(r->n, n);
}

static void change(struct cof_recent *r, struct model *m, unsigned *seed)
{
    int s = rand_r(seed) % SPACES, k = rand_r(seed) % KEYS, value = rand_r(seed) % 100000;
    char space[2] = {spaces[s][0], '\0'}, key[16], text[16];
    const char *name = rand_r(seed) % 2 == 0 ? spaces[s] : strcmp(space, "a") == 0 ? "a" : "b";

    (void)snprintf(text, sizeof text, "%d", value);
    m->of[s][k] = (struct known){true, value % 3 == 0, value, r->generation};
    if (value % 3 == 0)
        assert_ok(cof_recent_remove(r, name, key_text(key, k)));
    else
        assert_ok(cof_recent_put(r, name, key_text(key, k), cof_view_str(text)));
}

static void against_a_model(void **state)
{
    struct cof_recent r;
    struct model now = {0}, marked, kept;
    unsigned seed = 7;

    (void)state;
    assert_ok(cof_recent_init(&r));
    for (uint64_t turn = 1; turn < 400; turn++) {
        const struct cof_recent_change **of;
        size_t mark, n, at = 0, n_changed = 0;

        r.generation = turn / 20;
        kept = now;
        for (int i = rand_r(&seed) % 12; i > 0; i--)
            change(&r, &now, &seed);
        marked = now;
        mark = cof_recent_mark(&r);
        for (int i = rand_r(&seed) % 12; i > 0; i--)
            change(&r, &now, &seed);
        same(&r, &now);
        if (rand_r(&seed) % 3 == 0) {
            cof_recent_undo(&r, mark);
            now = marked;
            same(&r, &now);
        }
        if (rand_r(&seed) % 4 == 0) {
            cof_recent_undo(&r, 0);
            now = kept;
        }
        while (cof_recent_changed(&r, &at) != NULL)
            n_changed++;
        assert_true(n_changed <= cof_recent_mark(&r));
        at = 0;
        while (cof_recent_changed(&r, &at) != NULL) /* the same again: nothing is left from asking */
            n_changed--;
        assert_int_equal(n_changed, 0);
        cof_recent_keep(&r);
        same(&r, &now);
        if (turn % 50 != 0)
            continue;
        assert_ok(cof_recent_of(&r, r.generation - 1, &of, &n));
        for (size_t i = 0; i < n; i++)
            assert_true(of[i]->generation < r.generation);
        free(of);
        cof_recent_forget(&r, r.generation - 1);
        for (int s = 0; s < SPACES; s++)
            for (int k = 0; k < KEYS; k++)
                if (now.of[s][k].here && now.of[s][k].generation < r.generation) {
                    now.of[s][k] = (struct known){0};
                    n--;
                }
        assert_int_equal(n, 0);
        same(&r, &now);
    }
    cof_recent_forget(&r, UINT64_MAX);
    assert_int_equal(r.n, 0);
    assert_int_equal(r.bytes, 0);
    cof_recent_done(&r);
}

static void put(struct cof_recent *r, const char *key)
{
    assert_ok(cof_recent_put(r, "a", cof_view_str(key), COF_LIT("x")));
}

static bool empty_to(const struct cof_recent *r, const char *key)
{
    return cof_view_eq_str(cof_recent_empty_to(r, "a", COF_LIT("q/")), key);
}

static void what_is_empty_is_known_until_something_comes(void **state)
{
    struct cof_recent r;
    size_t mark;

    (void)state;
    assert_ok(cof_recent_init(&r));
    assert_true(empty_to(&r, ""));
    cof_recent_note_empty(&r, "a", COF_LIT("q/"), COF_LIT("q/5"));
    cof_recent_note_empty(&r, "a", COF_LIT("q/"), COF_LIT("q/7")); /* further */
    assert_true(empty_to(&r, "q/7"));
    assert_int_equal(cof_recent_empty_to(&r, "b", COF_LIT("q/")).len, 0);
    assert_int_equal(cof_recent_empty_to(&r, "a", COF_LIT("q")).len, 0);
    put(&r, "q/8");  /* behind it */
    put(&r, "p/1");  /* of another prefix */
    assert_ok(cof_recent_put(&r, "b", COF_LIT("q/1"), COF_LIT("x")));
    assert_ok(cof_recent_remove(&r, "a", COF_LIT("q/3"))); /* emptier it cannot be */
    assert_true(empty_to(&r, "q/7"));
    put(&r, "q/7");
    assert_true(empty_to(&r, ""));
    cof_recent_keep(&r);
    mark = cof_recent_mark(&r); /* a removal that is undone brings back what was there */
    assert_ok(cof_recent_remove(&r, "a", COF_LIT("q/7")));
    cof_recent_note_empty(&r, "a", COF_LIT("q/"), COF_LIT("q/7"));
    cof_recent_undo(&r, mark);
    assert_true(empty_to(&r, ""));
    for (int i = 0; i < 3 * COF_RECENT_HINTS; i++) { /* more than there is room for: some are forgotten, none is wrong */
        char prefix[16], key[16];

        (void)snprintf(prefix, sizeof prefix, "z%d/", i);
        (void)snprintf(key, sizeof key, "z%d/1", i);
        cof_recent_note_empty(&r, "a", cof_view_str(prefix), cof_view_str(key));
        assert_true(cof_view_eq_str(cof_recent_empty_to(&r, "a", cof_view_str(prefix)), key));
    }
    cof_recent_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_model),
        cmocka_unit_test(what_is_empty_is_known_until_something_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
