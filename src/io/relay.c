/* SPDX-License-Identifier: Apache-2.0 */
#include "io/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_DEFAULT_MS 300000

/* One direction: from its own side to the other. */
struct half {
    uint8_t buf[COF_RELAY_WRITE_MAX];
    size_t start, end; /* unsent bytes */
    uint64_t total;
    bool eof;      /* nothing more will be read */
    bool finished; /* and all was written and the end passed on */
};

struct side {
    struct cof_watch watch;
    struct cof_relay *relay;
    struct half half; /* what is read from this side */
};

struct cof_relay {
    struct cof_loop *loop;
    struct side side[2];
    struct cof_timer idle;
    int64_t idle_ms, last_ms;
    void (*done)(void *ctx, struct cof_relay *relay, enum cof_err why, const uint64_t bytes[2]);
    void *ctx;
};

static void release(struct cof_relay *r)
{
    cof_loop_disarm(r->loop, &r->idle);
    for (int i = 0; i < 2; i++) {
        cof_loop_unwatch(r->loop, &r->side[i].watch);
        (void)close(r->side[i].watch.fd);
    }
    free(r);
}

static void finish(struct cof_relay *r, enum cof_err why)
{
    uint64_t bytes[2] = {r->side[0].half.total, r->side[1].half.total};

    if (r->done != NULL)
        r->done(r->ctx, r, why, bytes);
    release(r);
}

void cof_relay_cancel(struct cof_relay *relay)
{
    if (relay != NULL)
        release(relay);
}

static bool again(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static enum cof_err fill(struct half *h, int fd)
{
    ssize_t n;

    if (h->eof || h->end == sizeof h->buf)
        return COF_OK;
    n = recv(fd, h->buf + h->end, sizeof h->buf - h->end, 0);
    if (n < 0)
        return again() ? COF_OK : COF_E_CLOSED;
    if (n == 0)
        h->eof = true;
    h->end += (size_t)n;
    h->total += (uint64_t)n;
    return COF_OK;
}

static enum cof_err drain(struct half *h, int fd)
{
    while (h->start < h->end) {
        ssize_t n = send(fd, h->buf + h->start, h->end - h->start, MSG_NOSIGNAL);
        if (n < 0)
            return again() ? COF_OK : COF_E_CLOSED;
        h->start += (size_t)n;
    }
    h->start = h->end = 0;
    if (h->eof && !h->finished) {
        h->finished = true;
        if (shutdown(fd, SHUT_WR) != 0 && errno != ENOTCONN)
            return COF_E_CLOSED;
    }
    return COF_OK;
}

/* A side wants to read while its buffer is empty, and to write while the other's has something. */
static enum cof_err set_interest(struct cof_relay *r)
{
    for (int i = 0; i < 2; i++) {
        struct side *s = &r->side[i], *o = &r->side[1 - i];
        unsigned want = (!s->half.eof && s->half.end == 0 ? COF_READABLE : 0u) | (o->half.end > 0 ? COF_WRITABLE : 0u);
        enum cof_err err;

        if (want == 0) { /* a hung-up descriptor would otherwise wake the loop for ever */
            cof_loop_unwatch(r->loop, &s->watch);
            continue;
        }
        if (s->watch.active && s->watch.interest == want)
            continue;
        if ((err = cof_loop_watch(r->loop, &s->watch, want)) != COF_OK)
            return err;
    }
    return COF_OK;
}

static void pump(struct cof_watch *watch, unsigned events)
{
    struct side *s = (struct side *)(void *)((char *)watch - offsetof(struct side, watch));
    struct cof_relay *r = s->relay;
    uint64_t before = r->side[0].half.total + r->side[1].half.total;
    enum cof_err err = COF_OK;

    (void)events;
    for (int i = 0; i < 2 && err == COF_OK; i++) {
        struct half *h = &r->side[i].half;
        if (h->end == 0)
            err = fill(h, r->side[i].watch.fd);
        if (err == COF_OK)
            err = drain(h, r->side[1 - i].watch.fd);
    }
    if (r->side[0].half.total + r->side[1].half.total != before)
        r->last_ms = cof_loop_now_ms(r->loop);
    if (err == COF_OK && r->side[0].half.finished && r->side[1].half.finished) {
        finish(r, COF_OK);
        return;
    }
    if (err == COF_OK)
        err = set_interest(r);
    if (err != COF_OK)
        finish(r, err);
}

/* The timer is not moved at every byte; when it fires early it is set for what is left. */
static void on_idle(struct cof_timer *timer)
{
    struct cof_relay *r = (struct cof_relay *)(void *)((char *)timer - offsetof(struct cof_relay, idle));
    int64_t left = r->last_ms + r->idle_ms - cof_loop_now_ms(r->loop);

    if (left <= 0 || cof_loop_arm(r->loop, &r->idle, left) != COF_OK)
        finish(r, COF_E_TIMEOUT);
}

enum cof_err cof_relay_start(struct cof_loop *loop, const struct cof_relay_opts *opts, struct cof_relay **out)
{
    struct cof_relay *r;
    enum cof_err err;

    *out = NULL;
    if (opts->early.len > COF_RELAY_WRITE_MAX)
        return COF_E_LIMIT;
    r = calloc(1, sizeof *r);
    if (r == NULL)
        return COF_E_MEMORY;
    r->loop = loop;
    r->done = opts->done;
    r->ctx = opts->ctx;
    r->idle_ms = opts->idle_ms > 0 ? opts->idle_ms : IDLE_DEFAULT_MS;
    r->last_ms = cof_loop_now_ms(loop);
    r->idle.fire = on_idle;
    for (int i = 0; i < 2; i++) {
        r->side[i].relay = r;
        r->side[i].watch.ready = pump;
        r->side[i].watch.fd = opts->fd[i];
    }
    if (opts->early.len > 0)
        memcpy(r->side[0].half.buf, opts->early.data, opts->early.len);
    r->side[0].half.end = opts->early.len;
    r->side[0].half.total = opts->early.len;
    err = set_interest(r);
    if (err == COF_OK)
        err = cof_loop_arm(loop, &r->idle, r->idle_ms);
    if (err != COF_OK) {
        for (int i = 0; i < 2; i++)
            cof_loop_unwatch(loop, &r->side[i].watch);
        free(r);
        return err;
    }
    *out = r;
    return COF_OK;
}
