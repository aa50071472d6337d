/* SPDX-License-Identifier: Apache-2.0 */
#include "client/queue.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_S 20
#define VISIBILITY_S 60
#define MOST_MS ((int64_t)6 * 3600 * 1000)
#define QUICK_MS 1000     /* an empty answer that came sooner than this ... */
#define QUICK_PAUSE_MS 250 /* ... is no long poll: do not ask in a hot loop */
#define PAUSE_FIRST_MS 500
#define PAUSE_MAX_MS 30000

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct cof_queue_message {
    struct cof_queue *queue;
    struct cof_queue_message *prev, *next;
    struct cof_sqs_message sqs;
    struct cof_timer beat;
    struct cof_fetch *fetch;  /* a renewal, or the request that ends it */
    int64_t begun_ms;         /* received */
    int64_t visible_ms;       /* when it becomes visible to others */
    bool lost, ending;
};

struct cof_queue {
    struct cof_queue_opts opts;
    struct cof_queue_events events;
    struct cof_buf url;
    struct cof_queue_message *messages, *arrived; /* arrived: waits for cof_queue_next */
    size_t in_work, ending;
    struct cof_fetch *poll;
    struct cof_timer pause;
    int64_t polled_ms;
    unsigned failures;
    bool running, has_arrived;
};

static void poll_soon(struct cof_queue *q, int64_t after_ms);

static int64_t now_ms(const struct cof_queue *q)
{
    return cof_loop_now_ms(q->opts.aws->loop);
}

static void free_message(struct cof_queue_message *m)
{
    struct cof_queue *q = m->queue;

    cof_loop_disarm(q->opts.aws->loop, &m->beat);
    if (m->prev != NULL)
        m->prev->next = m->next;
    else
        q->messages = m->next;
    if (m->next != NULL)
        m->next->prev = m->prev;
    cof_sqs_message_done(&m->sqs);
    cof_loop_discard(q->opts.aws->loop, m);
}

static void lose(struct cof_queue_message *m)
{
    struct cof_queue *q = m->queue;

    if (m->lost)
        return;
    m->lost = true;
    cof_loop_disarm(q->opts.aws->loop, &m->beat);
    if (q->events.lost != NULL)
        q->events.lost(q->events.ctx, m);
}

static void arm_beat(struct cof_queue_message *m, int64_t after_ms)
{
    if (cof_loop_arm(m->queue->opts.aws->loop, &m->beat, after_ms) != COF_OK)
        lose(m);
}

static void on_renewed(void *ctx, enum cof_err err, struct cof_sqs_message *none, const struct cof_diag *diag)
{
    struct cof_queue_message *m = ctx;
    int64_t visibility_ms = (int64_t)m->queue->opts.visibility_s * 1000;
    enum cof_class class = cof_err_class(err);

    (void)none;
    (void)diag;
    m->fetch = NULL;
    if (err == COF_OK) {
        m->visible_ms = now_ms(m->queue) + visibility_ms;
        arm_beat(m, visibility_ms / 2);
    } else if ((class == COF_CLASS_RETRY || class == COF_CLASS_IO) && now_ms(m->queue) < m->visible_ms) {
        arm_beat(m, visibility_ms / 8);
    } else {
        lose(m);
    }
}

static void on_beat(struct cof_timer *timer)
{
    struct cof_queue_message *m = OWNER(timer, struct cof_queue_message, beat);
    struct cof_queue *q = m->queue;
    struct cof_sqs_events events = {on_renewed, m};
    enum cof_err err = COF_E_LIMIT;

    if (now_ms(q) - m->begun_ms < q->opts.most_ms)
        err = cof_sqs_start_change_visibility(q->opts.aws, cof_buf_view(&q->url), cof_buf_view(&m->sqs.receipt_handle),
                                              q->opts.visibility_s, &events, &m->fetch);
    if (err != COF_OK)
        lose(m);
}

static void on_ended(void *ctx, enum cof_err err, struct cof_sqs_message *none, const struct cof_diag *diag)
{
    struct cof_queue_message *m = ctx;
    struct cof_queue *q = m->queue;

    (void)none;
    m->fetch = NULL;
    q->ending--;
    if (q->events.ended != NULL)
        q->events.ended(q->events.ctx, cof_buf_view(&m->sqs.message_id), err, diag);
    free_message(m);
}

/* No longer in work; what may follow is the request that ends it. */
static void leave_work(struct cof_queue_message *m)
{
    struct cof_queue *q = m->queue;

    cof_loop_disarm(q->opts.aws->loop, &m->beat);
    if (m->fetch != NULL)
        cof_fetch_cancel(m->fetch);
    m->fetch = NULL;
    m->ending = true;
    q->in_work--;
    poll_soon(q, 0);
}

static void end_with(struct cof_queue_message *m, bool keep, unsigned after_s)
{
    struct cof_queue *q = m->queue;
    struct cof_sqs_events events = {on_ended, m};
    struct cof_view url = cof_buf_view(&q->url), handle = cof_buf_view(&m->sqs.receipt_handle);
    enum cof_err err;

    leave_work(m);
    q->ending++;
    err = keep ? cof_sqs_start_change_visibility(q->opts.aws, url, handle, after_s, &events, &m->fetch)
               : cof_sqs_start_delete(q->opts.aws, url, handle, &events, &m->fetch);
    if (err != COF_OK)
        on_ended(m, err, NULL, NULL);
}

void cof_queue_message_delete(struct cof_queue_message *message)
{
    end_with(message, false, 0);
}

void cof_queue_message_retry(struct cof_queue_message *message, unsigned after_s)
{
    end_with(message, true, after_s);
}

void cof_queue_message_drop(struct cof_queue_message *message)
{
    leave_work(message);
    free_message(message);
}

enum cof_err cof_queue_message_run_delete(struct cof_queue_message *message, struct cof_diag *diag)
{
    struct cof_queue *q = message->queue;
    enum cof_err err = cof_sqs_run_delete(q->opts.aws, cof_buf_view(&q->url),
                                          cof_buf_view(&message->sqs.receipt_handle), diag);

    if (err == COF_OK)
        cof_queue_message_drop(message);
    return err;
}

static void deliver(struct cof_queue *q, struct cof_queue_message *m)
{
    if (!q->running && q->events.message != NULL) {
        cof_queue_message_retry(m, 0); /* it came after stop: give it to others */
    } else if (q->events.message != NULL) {
        q->events.message(q->events.ctx, m);
    } else {
        q->arrived = m;
        q->has_arrived = true;
    }
}

static void take(struct cof_queue *q, struct cof_sqs_message *sqs)
{
    struct cof_queue_message *m = calloc(1, sizeof *m);

    if (m == NULL)
        return; /* it comes back by itself */
    m->queue = q;
    m->sqs = *sqs; /* moved */
    *sqs = (struct cof_sqs_message){0};
    m->beat.fire = on_beat;
    m->begun_ms = q->polled_ms;
    m->visible_ms = q->polled_ms + (int64_t)q->opts.visibility_s * 1000;
    m->next = q->messages;
    if (q->messages != NULL)
        q->messages->prev = m;
    q->messages = m;
    q->in_work++;
    arm_beat(m, (int64_t)q->opts.visibility_s * 500);
    deliver(q, m);
}

static void on_polled(void *ctx, enum cof_err err, struct cof_sqs_message *message, const struct cof_diag *diag)
{
    struct cof_queue *q = ctx;
    int64_t pause_ms = 0;

    q->poll = NULL;
    if (err == COF_OK) {
        q->failures = 0;
        q->polled_ms = now_ms(q);
        take(q, message);
    } else if (err == COF_E_NOT_FOUND && (diag == NULL || diag->text[0] == '\0')) {
        q->failures = 0;
        pause_ms = now_ms(q) - q->polled_ms < QUICK_MS ? QUICK_PAUSE_MS : 0;
    } else {
        pause_ms = (int64_t)PAUSE_FIRST_MS << (q->failures < 8 ? q->failures : 8);
        pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
        q->failures++;
        if (q->events.trouble != NULL)
            q->events.trouble(q->events.ctx, err, diag);
    }
    poll_soon(q, pause_ms);
}

static void on_pause(struct cof_timer *timer)
{
    struct cof_queue *q = OWNER(timer, struct cof_queue, pause);
    struct cof_sqs_events events = {on_polled, q};
    enum cof_err err;

    if (!q->running || q->poll != NULL || q->in_work >= q->opts.in_work || q->has_arrived)
        return;
    q->polled_ms = now_ms(q);
    err = cof_sqs_start_receive(q->opts.aws, cof_buf_view(&q->url), q->opts.wait_s, q->opts.visibility_s, &events,
                                &q->poll);
    if (err != COF_OK)
        on_polled(q, err, NULL, NULL);
}

static void poll_soon(struct cof_queue *q, int64_t after_ms)
{
    if (!q->running || q->poll != NULL || (q->pause.armed && q->failures > 0))
        return;
    if (cof_loop_arm(q->opts.aws->loop, &q->pause, after_ms) != COF_OK && q->events.trouble != NULL)
        q->events.trouble(q->events.ctx, COF_E_MEMORY, NULL);
}

enum cof_err cof_queue_new(const struct cof_queue_opts *opts, const struct cof_queue_events *events,
                           struct cof_queue **out)
{
    struct cof_queue *q;
    enum cof_err err;

    *out = NULL;
    if (opts->wait_s > 20 || opts->visibility_s > 43200 || opts->url == NULL || opts->url[0] == '\0')
        return COF_E_USAGE;
    q = calloc(1, sizeof *q);
    if (q == NULL)
        return COF_E_MEMORY;
    q->opts = *opts;
    q->events = *events;
    q->opts.wait_s = opts->wait_s > 0 ? opts->wait_s : WAIT_S;
    q->opts.visibility_s = opts->visibility_s > 0 ? opts->visibility_s : VISIBILITY_S;
    q->opts.in_work = opts->in_work > 0 ? opts->in_work : 1;
    q->opts.most_ms = opts->most_ms > 0 ? opts->most_ms : MOST_MS;
    q->pause.fire = on_pause;
    cof_buf_init(&q->url, 2048);
    cof_buf_add_str(&q->url, opts->url);
    err = cof_buf_err(&q->url);
    if (err != COF_OK) {
        cof_queue_free(q);
        return err;
    }
    *out = q;
    return COF_OK;
}

enum cof_err cof_queue_start(struct cof_queue *queue)
{
    queue->running = true;
    if (queue->poll != NULL || queue->pause.armed)
        return COF_OK;
    return cof_loop_arm(queue->opts.aws->loop, &queue->pause, 0);
}

void cof_queue_stop(struct cof_queue *queue)
{
    queue->running = false;
    cof_loop_disarm(queue->opts.aws->loop, &queue->pause);
}

bool cof_queue_is_idle(const struct cof_queue *queue)
{
    return queue->in_work == 0 && queue->ending == 0;
}

void cof_queue_free(struct cof_queue *queue)
{
    if (queue == NULL)
        return;
    cof_queue_stop(queue);
    cof_fetch_cancel(queue->poll);
    while (queue->messages != NULL) {
        struct cof_queue_message *m = queue->messages;
        if (m->fetch != NULL)
            cof_fetch_cancel(m->fetch);
        m->fetch = NULL;
        free_message(m);
    }
    cof_buf_done(&queue->url);
    cof_loop_discard(queue->opts.aws->loop, queue);
}

/* Errors of polling do not end the wait (they pass, or the deadline does); the last one is told. */
enum cof_err cof_queue_next(struct cof_queue *queue, int64_t timeout_ms, struct cof_queue_message **out,
                            struct cof_diag *diag)
{
    enum cof_err err = queue->events.message != NULL ? COF_E_USAGE : cof_aws_ready(queue->opts.aws, diag);

    *out = NULL;
    if (err == COF_OK)
        err = cof_queue_start(queue);
    if (err == COF_OK)
        err = cof_loop_run_until(queue->opts.aws->loop, &queue->has_arrived, timeout_ms);
    cof_queue_stop(queue);
    if (err == COF_E_TIMEOUT)
        return COF_E_NOT_FOUND;
    if (err != COF_OK)
        return err;
    *out = queue->arrived; /* moved */
    queue->arrived = NULL;
    queue->has_arrived = false;
    return COF_OK;
}

struct cof_view cof_queue_message_body(const struct cof_queue_message *message)
{
    return cof_buf_view(&message->sqs.body);
}

struct cof_view cof_queue_message_id(const struct cof_queue_message *message)
{
    return cof_buf_view(&message->sqs.message_id);
}

int64_t cof_queue_message_count(const struct cof_queue_message *message)
{
    return message->sqs.receive_count;
}

bool cof_queue_message_is_lost(const struct cof_queue_message *message)
{
    return message->lost;
}
