/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "memory_store.h"
#include "standin/memo.h"

#include <jansson.h>

static struct memory_store memory;
static struct cof_store counting; /* memory's, with its reads counted */
static int n_gets;

static enum cof_err count_get(void *ctx, const char *space, struct cof_view key, struct cof_buf *out)
{
    n_gets++;
    return memory.ops.get(ctx, space, key, out);
}

static int setup(void **state)
{
    struct cof_memo *memo;

    memory_store_init(&memory);
    counting = memory.ops;
    counting.get = count_get;
    n_gets = 0;
    assert_ok(cof_memo_new(&counting, &memo));
    *state = memo;
    return 0;
}

static int teardown(void **state)
{
    cof_memo_free(*state);
    memory_store_done(&memory);
    return 0;
}

static int64_t number(const struct cof_store *s, const char *key)
{
    json_t *json = NULL;
    int64_t n = cof_record_get(s, "t", cof_view_str(key), &json) == COF_OK ? json_integer_value(json_object_get(json, "n")) : -1;

    json_decref(json);
    return n;
}

static void put(const struct cof_store *s, const char *key, int n)
{
    char text[40];

    (void)snprintf(text, sizeof text, "{\"n\":%d}", n);
    assert_ok(s->put(s->ctx, "t", cof_view_str(key), cof_view_str(text)));
}

static void what_is_changed_is_read_anew(void **state)
{
    const struct cof_store *s = cof_memo_store(*state);

    put(s, "a", 1);
    assert_int_equal(number(s, "a"), 1);
    assert_int_equal(number(s, "a"), 1);
    assert_int_equal(n_gets, 1);
    put(s, "a", 2);
    assert_int_equal(number(s, "a"), 2);
    assert_int_equal(n_gets, 2);
    assert_ok(s->remove(s->ctx, "t", COF_LIT("a")));
    assert_int_equal(number(s, "a"), -1);
    assert_int_equal(number(s, "a"), -1);
    assert_int_equal(n_gets, 4); /* what is not there is not remembered */
}

static void what_is_undone_was_never_there(void **state)
{
    const struct cof_store *s = cof_memo_store(*state);

    put(s, "a", 1);
    assert_ok(s->savepoint(s->ctx));
    put(s, "a", 2);
    put(s, "b", 3);
    assert_int_equal(number(s, "a"), 2);
    assert_int_equal(number(s, "b"), 3);
    assert_ok(s->rollback(s->ctx));
    assert_int_equal(number(s, "a"), 1);
    assert_int_equal(number(s, "b"), -1);
}

static enum cof_err fail_commit(void *ctx)
{
    (void)ctx;
    put(&memory.ops, "a", 1); /* as the database undoes it */
    return COF_E_NO_SPACE;
}

static void a_commit_that_fails_is_undone_here_too(void **state)
{
    const struct cof_store *s = cof_memo_store(*state);

    put(s, "a", 1);
    assert_ok(s->commit(s->ctx));
    put(s, "a", 2);
    assert_int_equal(number(s, "a"), 2);
    counting.commit = fail_commit;
    assert_int_equal(s->commit(s->ctx), COF_E_NO_SPACE);
    assert_int_equal(number(s, "a"), 1);
}

static const char *text_of(const struct cof_store *s, const char *key)
{
    static char text[64];
    json_t *json;

    (void)snprintf(text, sizeof text, "none");
    if (cof_record_text(s, "x", cof_view_str(key), &json) == COF_OK)
        (void)snprintf(text, sizeof text, "%s", json_string_value(json));
    json_decref(json);
    return text;
}

static void texts_are_remembered_and_that_there_are_none(void **state)
{
    const struct cof_store *s = cof_memo_store(*state);

    assert_string_equal(text_of(s, "a"), "none");
    assert_string_equal(text_of(s, "a"), "none");
    assert_int_equal(n_gets, 1);
    assert_ok(s->put(s->ctx, "x", COF_LIT("a"), COF_LIT("one")));
    assert_string_equal(text_of(s, "a"), "one");
    assert_string_equal(text_of(s, "a"), "one");
    assert_int_equal(n_gets, 2);
    assert_ok(s->savepoint(s->ctx));
    assert_ok(s->put(s->ctx, "x", COF_LIT("b"), COF_LIT("two")));
    assert_ok(s->remove(s->ctx, "x", COF_LIT("a")));
    assert_string_equal(text_of(s, "a"), "none");
    assert_string_equal(text_of(s, "b"), "two");
    assert_ok(s->rollback(s->ctx));
    assert_string_equal(text_of(s, "a"), "one");
    assert_string_equal(text_of(s, "b"), "none");
    assert_string_equal(text_of(&memory.ops, "a"), "one"); /* of a store without a memory */
}

/* More than is remembered in all: everything is forgotten, and read anew. */
static void long_values_are_bounded(void **state)
{
    const struct cof_store *s = cof_memo_store(*state);
    size_t len = 900000;
    char *text = malloc(len), key[8];

    memset(text, 'x', len);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        assert_ok(s->put(s->ctx, "x", cof_view_str(key), cof_view_of(text, len)));
        assert_int_equal(strlen(text_of(s, key)), 63);
        assert_int_equal(strlen(text_of(s, key)), 63);
        assert_int_equal(n_gets, i + 1);
    }
    assert_int_equal(strlen(text_of(s, "k0")), 63);
    assert_int_equal(n_gets, 21);
    free(text);
}

static int64_t object(const struct cof_store *s, const char *key)
{
    json_t *json = NULL;
    int64_t n = cof_record_get(s, "s3.current", cof_view_str(key), &json) == COF_OK ? json_integer_value(json_object_get(json, "n")) : -1;

    json_decref(json);
    return n;
}

static void put_object(const struct cof_store *s, const char *key, int n)
{
    char text[40];

    (void)snprintf(text, sizeof text, "{\"n\":%d}", n);
    assert_ok(s->put(s->ctx, "s3.current", cof_view_str(key), cof_view_str(text)));
}

static void objects_are_remembered_when_they_are_asked_for_again(void **state)
{
    const struct cof_store *s = cof_memo_store(*state);
    char key[16];

    put_object(s, "a", 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(object(s, "a"), 1);
    assert_int_equal(n_gets, 2);
    put_object(s, "a", 2);
    assert_int_equal(object(s, "a"), 2);
    assert_ok(s->savepoint(s->ctx));
    put_object(s, "a", 3);
    assert_int_equal(object(s, "a"), 3);
    assert_int_equal(object(s, "a"), 3);
    assert_ok(s->rollback(s->ctx));
    assert_int_equal(object(s, "a"), 2);
    assert_ok(s->remove(s->ctx, "s3.current", COF_LIT("a")));
    assert_int_equal(object(s, "a"), -1);
    /* Many of them, each read once, push nothing out that is not an object. */
    put(s, "user", 7);
    assert_int_equal(number(s, "user"), 7);
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(key, sizeof key, "o%d", i);
        put_object(s, key, i);
        assert_int_equal(object(s, key), i);
        assert_int_equal(object(s, key), i);
        assert_int_equal(object(s, key), i);
    }
    n_gets = 0;
    assert_int_equal(number(s, "user"), 7);
    assert_int_equal(n_gets, 0);
}

static void copies_are_the_callers(void **state)
{
    const struct cof_store *s = cof_memo_store(*state);
    json_t *copy;

    put(s, "a", 1);
    assert_ok(cof_record_copy(s, "t", COF_LIT("a"), &copy));
    assert_int_equal(json_object_set_new(copy, "n", json_integer(7)), 0);
    json_decref(copy);
    assert_int_equal(number(s, "a"), 1);
    assert_int_equal(n_gets, 1);
}

/* Many more than are kept, in spaces that share their keys. */
static void it_is_bounded_and_never_wrong(void **state)
{
    const struct cof_store *s = cof_memo_store(*state);
    char key[40];

    for (int i = 0; i < 2000; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        put(s, key, i);
        assert_ok(s->put(s->ctx, "other", cof_view_str(key), COF_LIT("{\"n\":-5}")));
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 2000; i++) {
            (void)snprintf(key, sizeof key, "%d", i);
            assert_int_equal(number(s, key), i);
        }
    assert_ok(s->put(s->ctx, "t", COF_LIT("bad"), COF_LIT("{\"n\":1,\"n\":2}")));
    assert_int_equal(number(s, "bad"), -1);
}

static void without_a_memo_records_are_read(void **state)
{
    put(&counting, "a", 4);
    assert_int_equal(number(&counting, "a"), 4);
    assert_int_equal(number(&counting, "a"), 4);
    assert_int_equal(n_gets, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_changed_is_read_anew),
        TEST(what_is_undone_was_never_there),
        TEST(a_commit_that_fails_is_undone_here_too),
        TEST(texts_are_remembered_and_that_there_are_none),
        TEST(long_values_are_bounded),
        TEST(objects_are_remembered_when_they_are_asked_for_again),
        TEST(copies_are_the_callers),
        TEST(it_is_bounded_and_never_wrong),
        TEST(without_a_memo_records_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
