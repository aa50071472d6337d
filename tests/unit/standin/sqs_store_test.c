/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages under a clock of the test's own: order, time, handles, limits, dead letters, what is left behind, and a start anew.
 */
#include "testing.h"

#include "sqs_world.h"

static struct sqs_world w;

static int setup(void **state)
{
    sqs_world_init(&w);
    return 0;
}

static int teardown(void **state)
{
    sqs_world_done(&w);
    return 0;
}

static struct cof_sqs_queue *queue_of(const char *name, const char *attributes)
{
    struct cof_sqs_queue *queue = NULL;
    json_t *given = json_loads(attributes, 0, NULL);

    if (cof_sqs_queue_get(w.s, cof_view_str(name), &queue) == COF_E_NOT_FOUND)
        assert_ok(cof_sqs_queue_make(w.s, cof_view_str(name), given, NULL, w.now_ms, &queue));
    json_decref(given);
    return queue;
}

static void send_to(struct cof_sqs_queue *queue, const char *text, int64_t delay_ms)
{
    uint8_t id[COF_SQS_MESSAGE_ID];

    assert_ok(cof_sqs_store_add(w.s, queue, cof_view_str(text), delay_ms, w.now_ms, id));
}

/* Takes, and gives the texts joined by spaces. */
static const char *take(struct cof_sqs_queue *queue, size_t most, int64_t visibility_ms, struct cof_buf *handle)
{
    static char texts[4096];
    struct cof_sqs_message got[COF_SQS_TAKE_MAX];
    size_t n;

    texts[0] = '\0';
    assert_ok(cof_sqs_store_take(w.s, queue, most, visibility_ms, w.now_ms, got, &n));
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(texts);

        (void)snprintf(texts + len, sizeof texts - len, "%s%.*s", i == 0 ? "" : " ", (int)(got[i].content.len < 20 ? got[i].content.len : 20),
                       (const char *)got[i].content.data);
        if (handle != NULL && i == 0) {
            cof_buf_init(handle, 1024);
            assert_ok(cof_sqs_store_handle(w.s, queue, &got[i], handle));
        }
        cof_sqs_message_free(&got[i]);
    }
    return texts;
}

static size_t n_rows(const char *space)
{
    size_t n = 0;

    for (size_t i = 0; i < w.store.now.n; i++)
        n += strcmp(w.store.now.items[i].space, space) == 0;
    return n;
}

static void in_order_of_sending_and_of_time(void **state)
{
    struct cof_sqs_queue *q = queue_of("q", "{}");

    send_to(q, "a", 0);
    send_to(q, "later", 5000);
    send_to(q, "b", 0);
    w.now_ms++;
    send_to(q, "c", 0);
    assert_string_equal(take(q, 2, 30000, NULL), "a b");
    assert_string_equal(take(q, 10, 1000, NULL), "c");
    assert_string_equal(take(q, 10, 1000, NULL), "");
    assert_int_equal(q->next_ms, w.now_ms + 1000);
    assert_true(q->n_ready == 0 && q->n_inflight == 3 && q->n_delayed == 1);
    w.now_ms += 1000;
    assert_string_equal(take(q, 10, 1000, NULL), "c");
    w.now_ms += 5000;
    assert_string_equal(take(q, 10, 60000, NULL), "later c");
    w.now_ms += 24000;
    assert_string_equal(take(q, 10, 60000, NULL), "a b");
    assert_int_equal(n_rows("sqs.ready") + n_rows("sqs.hidden"), 4);
}

static void too_old_is_gone_wherever_it_is(void **state)
{
    struct cof_sqs_queue *q = queue_of("q", "{\"MessageRetentionPeriod\":\"60\"}");

    send_to(q, "in flight", 0);
    assert_string_equal(take(q, 1, 10000, NULL), "in flight");
    send_to(q, "ready", 0);
    send_to(q, "delayed", 50000);
    for (int i = 0; i < 25; i++)
        send_to(q, "many", 0);
    w.now_ms += 60000;
    assert_ok(cof_sqs_store_tidy(w.s, q, w.now_ms));
    assert_int_equal(q->n_ready, 28); /* a minute is not over a minute */
    w.now_ms += 1;
    send_to(q, "new", 0);
    assert_ok(cof_sqs_store_tidy(w.s, q, w.now_ms));
    assert_true(q->n_ready == 1 && q->n_inflight == 0 && q->n_delayed == 0);
    assert_string_equal(take(q, 10, 0, NULL), "new");
    w.now_ms += 60001;
    assert_string_equal(take(q, 10, 0, NULL), ""); /* taking looks as well */
    assert_int_equal(n_rows("sqs.ready") + n_rows("sqs.hidden"), 0);
}

static void handles_find_and_forgeries_do_not(void **state)
{
    struct cof_sqs_queue *q = queue_of("q", "{}"), *other = queue_of("other", "{}");
    struct cof_sqs_message m;
    struct cof_buf first, second, bad;
    bool back;

    send_to(q, "x", 0);
    (void)take(q, 1, 1000, &first);
    assert_ok(cof_sqs_store_find(w.s, q, cof_buf_view(&first), &m, &back));
    assert_ok(cof_sqs_store_hide(w.s, q, &m, w.now_ms + 5000, w.now_ms));
    cof_sqs_message_free(&m);
    assert_int_equal(n_rows("sqs.at"), 1);
    assert_ok(cof_sqs_store_find(w.s, q, cof_buf_view(&first), &m, &back)); /* where it is now */
    assert_int_equal(m.visible_ms, w.now_ms + 5000);
    cof_sqs_message_free(&m);
    w.now_ms += 5000;
    assert_ok(cof_sqs_store_tidy(w.s, q, w.now_ms));
    assert_int_equal(n_rows("sqs.at"), 0);
    assert_ok(cof_sqs_store_find(w.s, q, cof_buf_view(&first), &m, &back)); /* its time is over, and nobody else has it */
    cof_sqs_message_free(&m);
    (void)take(q, 1, 0, &second);
    assert_int_equal(cof_sqs_store_find(w.s, q, cof_buf_view(&first), &m, &back), COF_E_NOT_FOUND);
    assert_true(back);
    (void)take(q, 1, 1000, NULL);
    assert_int_equal(cof_sqs_store_find(w.s, q, cof_buf_view(&second), &m, &back), COF_E_NOT_FOUND);
    assert_false(back);
    assert_int_equal(cof_sqs_store_find(w.s, other, cof_buf_view(&first), &m, &back), COF_E_FORMAT);
    cof_buf_init(&bad, 1024);
    for (size_t i = 0; i < first.len; i++) {
        cof_buf_reset(&bad);
        cof_buf_add(&bad, cof_buf_view(&first));
        bad.data[i] = bad.data[i] == 'A' ? 'B' : 'A';
        assert_int_equal(cof_sqs_store_find(w.s, q, cof_buf_view(&bad), &m, &back), COF_E_FORMAT);
        assert_int_equal(cof_sqs_store_find(w.s, q, cof_view_sub(cof_buf_view(&first), 0, i), &m, &back), COF_E_FORMAT);
    }
    cof_buf_done(&first);
    cof_buf_done(&second);
    cof_buf_done(&bad);
}

static void too_many_in_flight(void **state)
{
    struct cof_sqs_queue *q = queue_of("q", "{}");
    struct cof_sqs_message got[COF_SQS_TAKE_MAX];
    size_t n;

    cof_sqs_state(w.s)->inflight_max = 3;
    for (int i = 0; i < 5; i++)
        send_to(q, "x", 0);
    assert_string_equal(take(q, 10, 1000, NULL), "x x x");
    assert_int_equal(cof_sqs_store_take(w.s, q, 1, 1000, w.now_ms, got, &n), COF_E_LIMIT);
    w.now_ms += 1000;
    assert_string_equal(take(q, 2, 1000, NULL), "x x");
}

static void received_too_often_goes_to_the_dead(void **state)
{
    static const char redrive[] = "{\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":\\\"arn:aws:sqs:us-east-1:111122223333:dead\\\","
                                  "\\\"maxReceiveCount\\\":2}\"}";
    struct cof_sqs_queue *q = queue_of("q", redrive), *dead;
    struct cof_sqs_message m;
    char large[3000];

    memset(large, 'l', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    send_to(q, "small", 0);
    send_to(q, large, 0);
    for (int i = 0; i < 3; i++) /* the dead-letter queue is not there yet: they stay */
        assert_string_equal(take(q, 10, 0, NULL), "small llllllllllllllllllll");
    dead = queue_of("dead", "{}");
    assert_string_equal(take(q, 10, 0, NULL), "");
    assert_true(q->n_ready == 0 && dead->n_ready == 2);
    assert_int_equal(w.n_notified, 2); /* who waits at the dead-letter queue hears of it */
    assert_int_equal(n_rows("sqs.body"), 1);
    assert_ok(cof_sqs_store_first(w.s, dead, w.now_ms, &m));
    assert_string_equal(m.source, "q");
    assert_int_equal(m.count, 3);
    assert_ok(cof_sqs_store_move(w.s, dead, &m, q));
    cof_sqs_message_free(&m);
    assert_string_equal(take(q, 10, 0, NULL), "small"); /* it has its receives again */
}

static void what_is_purged_is_swept_away(void **state)
{
    struct cof_sqs_queue *q = queue_of("q", "{}");
    struct cof_buf handle;
    struct cof_sqs_message m;
    char large[3000];
    bool back;

    memset(large, 'l', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    send_to(q, "in flight", 0);
    (void)take(q, 1, 1000, &handle);
    assert_ok(cof_sqs_store_find(w.s, q, cof_buf_view(&handle), &m, &back));
    assert_ok(cof_sqs_store_hide(w.s, q, &m, w.now_ms + 9000, w.now_ms));
    cof_sqs_message_free(&m);
    for (int i = 0; i < 1200; i++)
        send_to(q, i % 10 == 0 ? large : "x", i % 7 == 0 ? 1000 : 0);
    assert_ok(cof_sqs_queue_purge(w.s, q, w.now_ms));
    assert_true(q->n_ready == 0 && q->n_inflight == 0 && q->n_delayed == 0);
    assert_string_equal(take(q, 10, 1000, NULL), "");
    assert_int_equal(cof_sqs_store_find(w.s, q, cof_buf_view(&handle), &m, &back), COF_E_NOT_FOUND);
    send_to(q, "after", 0);
    assert_int_equal(cof_standin_due(w.s), 0);
    for (int i = 0; cof_standin_due(w.s) <= w.now_ms; i++) {
        assert_true(i < 20);
        (void)cof_standin_tick(w.s, w.now_ms);
    }
    assert_int_equal(n_rows("sqs.ready"), 1);
    assert_int_equal(n_rows("sqs.hidden") + n_rows("sqs.body") + n_rows("sqs.at") + n_rows("sqs.trash"), 0);
    assert_string_equal(take(q, 10, 1000, NULL), "after");
    cof_buf_done(&handle);
}

static void nothing_readable_is_kept(void **state)
{
    struct cof_sqs_queue *q = queue_of("q", "{}");
    char large[3000];

    memset(large, 's', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    send_to(q, "ssssssssssssssss", 0);
    send_to(q, large, 0);
    for (size_t i = 0; i < w.store.now.n; i++) {
        struct cof_view value = cof_buf_view(&w.store.now.items[i].value);

        for (size_t j = 0; j + 8 <= value.len; j++)
            assert_int_not_equal(memcmp(value.data + j, "ssssssss", 8), 0);
    }
}

static void a_start_anew_counts_and_goes_on(void **state)
{
    struct cof_sqs_queue *q = queue_of("q", "{}");
    struct cof_buf handle;
    struct cof_sqs_message m;
    bool back;

    for (int i = 0; i < 5; i++)
        send_to(q, "x", 0);
    send_to(q, "d", 9000);
    (void)take(q, 2, 3000, &handle);
    cof_standin_free(w.s);
    sqs_world_start(&w);
    q = queue_of("q", "{}");
    assert_false(q->counted);
    assert_ok(cof_sqs_store_tidy(w.s, q, w.now_ms));
    assert_true(q->n_ready == 3 && q->n_inflight == 2 && q->n_delayed == 1);
    assert_int_equal(q->next_ms, w.now_ms + 3000);
    assert_ok(cof_sqs_store_find(w.s, q, cof_buf_view(&handle), &m, &back));
    assert_ok(cof_sqs_store_remove(w.s, q, &m));
    cof_sqs_message_free(&m);
    assert_int_equal(q->n_inflight, 1);
    cof_buf_done(&handle);
}

static void what_is_undone_is_not_remembered(void **state)
{
    const struct cof_store *store = &w.store.ops;
    struct cof_sqs_queue *q = queue_of("q", "{}");

    send_to(q, "a", 0);
    cof_sqs_state(w.s)->touched = false; /* as a request begins */
    assert_ok(store->savepoint(store->ctx));
    send_to(q, "b", 0);
    assert_string_equal(take(q, 10, 1000, NULL), "a b");
    assert_ok(store->rollback(store->ctx));
    cof_standin_undone(w.s);
    q = queue_of("q", "{}");
    assert_string_equal(take(q, 10, 1000, NULL), "a");
    assert_true(q->n_inflight == 1 && q->n_ready == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_order_of_sending_and_of_time, setup, teardown),
        cmocka_unit_test_setup_teardown(too_old_is_gone_wherever_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(handles_find_and_forgeries_do_not, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_in_flight, setup, teardown),
        cmocka_unit_test_setup_teardown(received_too_often_goes_to_the_dead, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_purged_is_swept_away, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_readable_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_start_anew_counts_and_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_undone_is_not_remembered, setup, teardown),
    };

    return cmocka_run_group_tests_name("standin/sqs_store", tests, NULL, NULL);
}
