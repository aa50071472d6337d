/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK_MS 1000
#define PAUSE_FIRST_MS 500
#define PAUSE_MAX_MS 30000
#define WELL_AFTER_MS 60000 /* who ran for so long is started again without a long pause */
#define TEXT_MAX 400

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct keeper {
    struct cof_loop *loop;
    struct keeper_opts opts;
    struct cof_timer timer;
    struct keeper_counts counts;
    int64_t pause_ms;
    bool leaving; /* the host ends */
    bool ended;   /* and the enclave has */
};

const char *keeper_restart_word(enum keeper_restart why)
{
    static const char *const words[KEEPER_RESTARTS] = {"not-started", "ended", "no-heartbeat"};

    return words[why];
}

static void later(struct keeper *k, int64_t ms)
{
    if (cof_loop_arm(k->loop, &k->timer, ms) != COF_OK)
        cof_log_event(k->opts.log, COF_LOG_ERROR, "host.no_timer", NULL);
}

static void note(struct keeper *k, enum cof_log_level level, const char *event, struct cof_view why)
{
    char text[TEXT_MAX];

    (void)snprintf(text, sizeof text, "%.*s", (int)(why.len < sizeof text ? why.len : sizeof text - 1), (const char *)why.data);
    cof_log_event(k->opts.log, level, event, "id", k->opts.runner->id(k->opts.runner), "why", text, NULL);
}

static void again(struct keeper *k, enum keeper_restart why)
{
    if (k->counts.state == KEEPER_RUNS && cof_loop_now_ms(k->loop) - k->counts.since_ms >= WELL_AFTER_MS)
        k->pause_ms = PAUSE_FIRST_MS;
    k->counts.state = KEEPER_PAUSES;
    k->counts.again[why]++;
    later(k, k->pause_ms);
    k->pause_ms = k->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : k->pause_ms * 2;
}

static void got_started(struct keeper *k, struct cof_view text)
{
    k->counts.state = KEEPER_RUNS;
    k->counts.starts++;
    k->counts.since_ms = cof_loop_now_ms(k->loop);
    cof_log_event(k->opts.log, COF_LOG_INFO, "host.enclave_started", "id", k->opts.runner->id(k->opts.runner), NULL);
    k->opts.started(k->opts.ctx, text);
    later(k, LOOK_MS);
}

static void on_news(void *ctx, enum runner_news news, struct cof_view text)
{
    struct keeper *k = ctx;

    if (k->leaving) {
        if (news == NEWS_STARTED)
            k->opts.runner->end(k->opts.runner);
        else
            k->ended = true;
        return;
    }
    switch (news) {
    case NEWS_STARTED:
        got_started(k, text);
        break;
    case NEWS_NOT_STARTED:
        note(k, COF_LOG_ERROR, "host.enclave_not_started", text);
        again(k, RESTART_NOT_STARTED);
        break;
    case NEWS_RUNS:
        if (k->counts.state == KEEPER_ENDS)
            k->opts.runner->end(k->opts.runner);
        else
            later(k, LOOK_MS);
        break;
    case NEWS_GONE:
        cof_log_event(k->opts.log, COF_LOG_WARN, "host.enclave_ended", NULL);
        again(k, RESTART_ENDED);
        break;
    case NEWS_UNKNOWN: /* it is not started anew beside one that may still run */
        note(k, COF_LOG_WARN, "host.enclave_unknown", text);
        later(k, LOOK_MS);
        break;
    case NEWS_ENDED:
        again(k, RESTART_HEARTBEAT);
        break;
    }
}

/* Its heartbeat, which it was started for or has sent before, is missing. */
static bool is_silent(const struct keeper *k)
{
    const struct events_counts *e = k->opts.events != NULL ? events_counts(k->opts.events) : NULL;
    int64_t now_ms = cof_loop_now_ms(k->loop);

    if (e == NULL || k->counts.state != KEEPER_RUNS)
        return false;
    return e->has_beat ? now_ms - e->beat_ms > k->opts.heartbeat_ms : now_ms - k->counts.since_ms > k->opts.first_beat_ms;
}

static void on_timer(struct cof_timer *timer)
{
    struct keeper *k = OWNER(timer, struct keeper, timer);
    struct runner *r = k->opts.runner;

    if (k->counts.state == KEEPER_PAUSES) {
        k->counts.state = KEEPER_STARTS;
        if (k->opts.events != NULL)
            events_forget(k->opts.events);
        r->start(r);
    } else if (k->counts.state == KEEPER_ENDS) { /* it was not heard whether it has ended */
        r->look(r);
    } else if (is_silent(k)) {
        note(k, COF_LOG_ERROR, "host.no_heartbeat", COF_LIT("it is ended, and started again"));
        k->counts.state = KEEPER_ENDS;
        r->end(r);
    } else {
        r->look(r);
    }
}

enum cof_err keeper_new(struct cof_loop *loop, const struct keeper_opts *opts, struct keeper **out)
{
    struct keeper *k = calloc(1, sizeof *k);
    enum cof_err err;

    *out = NULL;
    if (k == NULL)
        return COF_E_MEMORY;
    k->loop = loop;
    k->opts = *opts;
    k->pause_ms = PAUSE_FIRST_MS;
    k->timer.fire = on_timer;
    err = cof_loop_arm(loop, &k->timer, 0);
    if (err != COF_OK) {
        free(k);
        return err;
    }
    k->opts.runner->told = on_news;
    k->opts.runner->ctx = k;
    *out = k;
    return COF_OK;
}

const struct keeper_counts *keeper_counts(const struct keeper *k)
{
    return &k->counts;
}

void keeper_free(struct keeper *k, int64_t wait_ms)
{
    struct runner *r;

    if (k == NULL)
        return;
    r = k->opts.runner;
    k->leaving = true;
    cof_loop_disarm(k->loop, &k->timer);
    if (r->id(r)[0] != '\0' || k->counts.state == KEEPER_STARTS) {
        if (k->counts.state != KEEPER_STARTS)
            r->end(r);
        if (!k->ended && cof_loop_run_until(k->loop, &k->ended, wait_ms) != COF_OK)
            cof_log_event(k->opts.log, COF_LOG_WARN, "host.enclave_not_ended", NULL);
        cof_loop_disarm(k->loop, &k->timer);
    }
    r->free(r);
    free(k);
}
