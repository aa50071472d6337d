/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue reader: messages come, are renewed while in work, and end; trouble is told and passes.
 */
#include "world.h"

#include "client/queue.h"

/* MD5 of "job" */
#define MESSAGE(id)                                                                                                    \
    "{\"Messages\":[{\"MessageId\":\"" id "\",\"ReceiptHandle\":\"handle-" id "\",\"MD5OfBody\":"                      \
    "\"9dddd5ce1b1375bc497feeb871842d4b\",\"Body\":\"job\",\"Attributes\":{\"ApproximateReceiveCount\":\"2\"}}]}"

struct reader {
    struct cof_queue *queue;
    struct cof_queue_message *message;
    size_t n_messages, n_lost, n_trouble, n_ended;
    enum cof_err ended;
    bool flag; /* set by every event */
};

static void on_message(void *ctx, struct cof_queue_message *message)
{
    struct reader *r = ctx;

    r->message = message;
    r->n_messages++;
    r->flag = true;
}

static void on_lost(void *ctx, struct cof_queue_message *message)
{
    struct reader *r = ctx;

    assert_ptr_equal(message, r->message);
    r->n_lost++;
    r->flag = true;
}

static void on_trouble(void *ctx, enum cof_err err, const struct cof_diag *diag)
{
    struct reader *r = ctx;

    (void)err;
    (void)diag;
    r->n_trouble++;
    r->flag = true;
}

static void on_ended(void *ctx, struct cof_view id, enum cof_err err, const struct cof_diag *diag)
{
    struct reader *r = ctx;

    (void)id;
    (void)diag;
    r->n_ended++;
    r->ended = err;
    r->flag = true;
}

static void open_reader(struct world *w, struct reader *r, unsigned visibility_s, bool with_message)
{
    struct cof_queue_opts opts = {.aws = &w->aws, .url = "http://queue/1/jobs", .visibility_s = visibility_s};
    struct cof_queue_events events = {with_message ? on_message : NULL, on_lost, on_trouble, on_ended, r};

    memset(r, 0, sizeof *r);
    w->aws.max_attempts = 1;
    assert_ok(cof_queue_new(&opts, &events, &r->queue));
}

static void wait_event(struct world *w, struct reader *r)
{
    assert_ok(cof_loop_run_until(w->loop, &r->flag, 10000));
    r->flag = false;
}

static bool asked(struct world *w, size_t i, const char *operation, const char *part)
{
    char target[64];

    (void)snprintf(target, sizeof target, "AmazonSQS.%s", operation);
    return i < w->n_seen && seen_header(w, i, "x-amz-target", target) &&
           strstr(cof_buf_cstr(&w->seen[i].body), part) != NULL;
}

/* One message, deleted by its handle; the next poll comes only then. */
static void reads_and_deletes(void **state)
{
    struct world *w = *state;
    struct reader r;
    bool never = false;

    script(w, 200, NULL, MESSAGE("m1"));
    script(w, 200, NULL, "{}");
    script(w, 200, NULL, "");
    last_step(w)->hold = true;
    open_reader(w, &r, 60, true);
    assert_ok(cof_queue_start(r.queue));
    wait_event(w, &r);
    assert_true(cof_view_eq_str(cof_queue_message_body(r.message), "job"));
    assert_true(cof_view_eq_str(cof_queue_message_id(r.message), "m1"));
    assert_int_equal(cof_queue_message_count(r.message), 2);
    assert_true(asked(w, 0, "ReceiveMessage", "\"WaitTimeSeconds\":20"));
    assert_int_equal(cof_loop_run_until(w->loop, &never, 50), COF_E_TIMEOUT);
    assert_int_equal(w->n_seen, 1);
    assert_false(cof_queue_is_idle(r.queue));
    cof_queue_message_delete(r.message);
    wait_event(w, &r);
    assert_ok(r.ended);
    assert_true(asked(w, 1, "DeleteMessage", "handle-m1") || asked(w, 2, "DeleteMessage", "handle-m1"));
    assert_true(cof_queue_is_idle(r.queue));
    cof_queue_free(r.queue);
}

/* Renewed at half its visibility, again and again; a renewal that is refused is a message lost, told once. */
static void renews(void **state)
{
    struct world *w = *state;
    struct reader r;

    script(w, 200, NULL, MESSAGE("m1"));
    script(w, 200, NULL, "{}");
    script(w, 503, NULL, ""); /* passes */
    script(w, 200, NULL, "{}");
    script(w, 400, NULL, "{\"__type\":\"com.amazonaws.sqs#MessageNotInflight\"}");
    open_reader(w, &r, 1, true);
    assert_ok(cof_queue_start(r.queue));
    wait_event(w, &r);
    wait_event(w, &r);
    assert_int_equal(r.n_lost, 1);
    assert_int_equal(w->n_seen, 5);
    for (size_t i = 1; i < 5; i++)
        assert_true(asked(w, i, "ChangeMessageVisibility", "\"VisibilityTimeout\":1"));
    assert_true(cof_queue_message_is_lost(r.message));
    cof_queue_message_drop(r.message);
    assert_true(cof_queue_is_idle(r.queue));
    cof_queue_free(r.queue);
}

static void gives_back(void **state)
{
    struct world *w = *state;
    struct reader r;

    script(w, 200, NULL, MESSAGE("m1"));
    script(w, 200, NULL, "{}");
    open_reader(w, &r, 60, true);
    assert_ok(cof_queue_start(r.queue));
    wait_event(w, &r);
    cof_queue_stop(r.queue);
    cof_queue_message_retry(r.message, 7);
    wait_event(w, &r);
    assert_int_equal(w->n_seen, 2);
    assert_true(asked(w, 1, "ChangeMessageVisibility", "\"VisibilityTimeout\":7"));
    cof_queue_free(r.queue);
}

/* An altered body is no message; polling goes on after trouble. */
static void survives_trouble(void **state)
{
    struct world *w = *state;
    struct reader r;

    script(w, 200, NULL, "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"h\",\"MD5OfBody\":"
                         "\"00000000000000000000000000000000\",\"Body\":\"job\"}]}");
    script(w, 200, NULL, MESSAGE("m2"));
    open_reader(w, &r, 60, true);
    assert_ok(cof_queue_start(r.queue));
    wait_event(w, &r);
    assert_int_equal(r.n_trouble, 1);
    wait_event(w, &r);
    assert_int_equal(r.n_messages, 1);
    assert_true(cof_view_eq_str(cof_queue_message_id(r.message), "m2"));
    cof_queue_free(r.queue); /* with a message in work */
}

static void blocking(void **state)
{
    struct world *w = *state;
    struct reader r;
    struct cof_queue_message *message;

    script(w, 200, NULL, "{}"); /* none yet */
    script(w, 200, NULL, MESSAGE("m1"));
    script(w, 200, NULL, "{}");
    script(w, 200, NULL, "");
    last_step(w)->hold = true;
    open_reader(w, &r, 60, false);
    assert_ok(cof_queue_next(r.queue, 10000, &message, NULL));
    assert_true(cof_view_eq_str(cof_queue_message_id(message), "m1"));
    assert_ok(cof_queue_message_run_delete(message, NULL));
    assert_true(asked(w, 2, "DeleteMessage", "handle-m1"));
    assert_true(cof_queue_is_idle(r.queue));
    assert_int_equal(cof_queue_next(r.queue, 30, &message, NULL), COF_E_NOT_FOUND);
    cof_queue_free(r.queue);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {T(reads_and_deletes), T(renews), T(gives_back), T(survives_trouble),
                                       T(blocking)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
