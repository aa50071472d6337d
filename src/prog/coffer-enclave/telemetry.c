/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry.h"

#include "engine/burst.h"
#include "io/resident.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAITING_MAX 64 /* records that wait for the host */
#define PER_S 20
#define AT_ONCE 50

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct telemetry {
    struct cof_loop *loop;
    struct cof_addr to;
    const struct telemetry_state *state;
    struct cof_watch watch; /* fd -1: no connection */
    struct cof_timer beat;
    struct cof_burst rate;
    struct cof_buf waiting; /* whole records */
    size_t sent;            /* of the first one */
    uint64_t sequence, n_left_out;
    int64_t started_ms;
    bool empty;
    pthread_t owner;        /* the loop's thread */
    atomic_ullong n_missed; /* that other threads could not hand over */
};

static void hang_up(struct telemetry *t)
{
    if (t->watch.fd < 0)
        return;
    cof_loop_unwatch(t->loop, &t->watch);
    (void)close(t->watch.fd);
    t->watch.fd = -1;
    t->sent = 0; /* the rest of a record would be none for the next to listen */
}

static void dial(struct telemetry *t)
{
    if (t->watch.fd >= 0)
        return;
    if (cof_dial(&t->to, cof_resolve_literal, &t->watch.fd, NULL) != COF_OK) {
        t->watch.fd = -1;
        return;
    }
    if (cof_loop_watch(t->loop, &t->watch, COF_WRITABLE) != COF_OK)
        hang_up(t);
}

static void settle(struct telemetry *t)
{
    t->empty = t->waiting.len == 0;
    if (t->empty && t->watch.fd >= 0)
        cof_loop_unwatch(t->loop, &t->watch);
}

static void on_writable(struct cof_watch *watch, unsigned events)
{
    struct telemetry *t = OWNER(watch, struct telemetry, watch);

    (void)events;
    while (t->waiting.len > 0) {
        ssize_t n = send(watch->fd, t->waiting.data + t->sent, t->waiting.len - t->sent, MSG_NOSIGNAL);
        size_t whole;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            hang_up(t); /* the next heartbeat tries again */
            return;
        }
        t->sent += (size_t)n;
        whole = t->sent / COF_TELEMETRY_RECORD * COF_TELEMETRY_RECORD;
        cof_buf_drop(&t->waiting, whole);
        t->sent -= whole;
    }
    settle(t);
}

static bool queue(struct telemetry *t, const struct cof_telemetry *record)
{
    uint8_t bytes[COF_TELEMETRY_RECORD];

    if (t->waiting.len + sizeof bytes > t->waiting.max)
        return false;
    cof_telemetry_write(record, bytes);
    cof_buf_add_bytes(&t->waiting, bytes, sizeof bytes);
    if (cof_buf_err(&t->waiting) != COF_OK) {
        cof_buf_reset(&t->waiting);
        t->sent = 0;
        return false;
    }
    return true;
}

static void add(struct telemetry *t, struct cof_telemetry *record)
{
    record->sequence = ++t->sequence;
    if (!queue(t, record)) {
        t->n_left_out++;
        return;
    }
    t->empty = false;
    if (t->watch.fd >= 0 && cof_loop_watch(t->loop, &t->watch, COF_WRITABLE) != COF_OK)
        hang_up(t);
}

/* What another thread has to tell, on its way to the loop's. */
struct handed {
    struct telemetry *t;
    enum cof_telemetry_code code;
    uint64_t first, second;
};

static void take(void *arg)
{
    struct handed *h = arg;

    telemetry_send(h->t, h->code, h->first, h->second);
    free(h);
}

static void hand_over(struct telemetry *t, enum cof_telemetry_code code, uint64_t first, uint64_t second)
{
    struct handed *h = malloc(sizeof *h);

    if (h != NULL)
        *h = (struct handed){t, code, first, second};
    if (h == NULL || cof_loop_post(t->loop, take, h) != COF_OK) {
        free(h);
        atomic_fetch_add(&t->n_missed, 1);
    }
}

void telemetry_send(struct telemetry *t, enum cof_telemetry_code code, uint64_t first, uint64_t second)
{
    struct cof_telemetry record = {.code = code, .values = {first, second}};
    int64_t now_ms;

    if (t == NULL)
        return;
    if (!pthread_equal(pthread_self(), t->owner)) {
        hand_over(t, code, first, second);
        return;
    }
    now_ms = cof_loop_now_ms(t->loop);
    t->n_left_out += atomic_exchange(&t->n_missed, 0);
    if (t->n_left_out > 0 && t->waiting.len + 2 * COF_TELEMETRY_RECORD <= t->waiting.max && cof_burst_take(&t->rate, now_ms, NULL)) {
        struct cof_telemetry lost = {.code = COF_TELEMETRY_LEFT_OUT, .values = {t->n_left_out}};
        t->n_left_out = 0;
        add(t, &lost);
    }
    if (cof_burst_take(&t->rate, now_ms, NULL))
        add(t, &record);
    else
        t->n_left_out++;
}

static void beat(struct telemetry *t)
{
    const struct telemetry_state *s = t->state;
    struct cof_telemetry record = {.code = COF_TELEMETRY_HEARTBEAT,
        .values = {atomic_load(&s->working) > 0 ? COF_TELEMETRY_WORKING : COF_TELEMETRY_IDLE, atomic_load(&s->done),
                   atomic_load(&s->refused), atomic_load(&s->later), cof_resident_bytes() / 1024,
                   (uint64_t)(cof_loop_now_ms(t->loop) - t->started_ms) / 1000}};

    dial(t);
    if (t->watch.fd >= 0) /* an old heartbeat is worth nothing */
        add(t, &record);
}

static void on_beat(struct cof_timer *timer)
{
    struct telemetry *t = OWNER(timer, struct telemetry, beat);

    beat(t);
    if (cof_loop_arm(t->loop, timer, TELEMETRY_BEAT_MS) != COF_OK)
        hang_up(t); /* the host takes us for dead, and has a new one started */
}

enum cof_err telemetry_new(struct cof_loop *loop, const struct cof_addr *to, const struct telemetry_state *state,
                           struct telemetry **out)
{
    struct telemetry *t = calloc(1, sizeof *t);
    enum cof_err err;

    *out = NULL;
    if (t == NULL)
        return COF_E_MEMORY;
    t->loop = loop;
    t->owner = pthread_self();
    t->to = *to;
    t->state = state;
    t->watch = (struct cof_watch){.ready = on_writable, .fd = -1};
    t->beat.fire = on_beat;
    t->started_ms = cof_loop_now_ms(loop);
    t->empty = true;
    cof_buf_init(&t->waiting, (size_t)WAITING_MAX * COF_TELEMETRY_RECORD);
    cof_burst_init(&t->rate, PER_S, AT_ONCE, t->started_ms);
    err = cof_loop_arm(loop, &t->beat, 0);
    if (err != COF_OK) {
        telemetry_free(t);
        return err;
    }
    *out = t;
    return COF_OK;
}

void telemetry_flush(struct telemetry *t, int64_t ms)
{
    if (t == NULL)
        return;
    dial(t);
    if (cof_loop_run_until(t->loop, &t->empty, ms) != COF_OK)
        hang_up(t);
}

void telemetry_free(struct telemetry *t)
{
    if (t == NULL)
        return;
    hang_up(t);
    cof_loop_disarm(t->loop, &t->beat);
    cof_buf_done(&t->waiting);
    free(t);
}
