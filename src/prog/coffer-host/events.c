/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "engine/burst.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORDS_PER_S 100 /* twice what an honest enclave sends at the most */
#define RECORDS_AT_ONCE 400
#define LINES_PER_S 20
#define LINES_AT_ONCE 60
#define ACCEPTS_PER_S 5
#define ACCEPTS_AT_ONCE 20
#define REST_MS 100

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct events {
    struct cof_loop *loop;
    struct events_opts opts;
    struct cof_watch listener, inner; /* inner: the one connection, or fd -1 */
    struct cof_timer rest, accept_rest; /* what they are for is not watched until they fire */
    struct cof_burst records, lines, accepts;
    uint8_t record[COF_TELEMETRY_RECORD];
    size_t got;
    uint64_t sequence; /* of the last record */
    bool is_first;     /* the next record is the connection's first: it may be another enclave's */
    struct events_counts counts;
};

static void hang_up(struct events *e)
{
    if (e->inner.fd < 0)
        return;
    cof_loop_disarm(e->loop, &e->rest);
    cof_loop_unwatch(e->loop, &e->inner);
    (void)close(e->inner.fd);
    e->inner.fd = -1;
    e->got = 0;
}

static bool may_write_line(struct events *e)
{
    if (cof_burst_take(&e->lines, cof_loop_now_ms(e->loop), NULL))
        return true;
    e->counts.lines_left_out++;
    return false;
}

static void refuse(struct events *e, const char *why)
{
    e->counts.malformed++;
    if (may_write_line(e))
        cof_log_event(e->opts.log, COF_LOG_WARN, "host.telemetry_refused", "why", why, NULL);
    hang_up(e);
}

static void take_record(struct events *e)
{
    struct cof_telemetry r;

    e->got = 0;
    if (cof_telemetry_read(e->record, &r) != COF_OK) {
        refuse(e, "not of the vocabulary");
        return;
    }
    if (r.sequence <= e->sequence && !e->is_first) {
        refuse(e, "numbered backwards");
        return;
    }
    if (r.sequence > e->sequence && e->sequence != 0)
        e->counts.lost += r.sequence - e->sequence - 1;
    e->sequence = r.sequence;
    e->is_first = false;
    e->counts.n[r.code]++;
    if (r.code == COF_TELEMETRY_HEARTBEAT) {
        e->counts.has_beat = true;
        e->counts.beat_ms = cof_loop_now_ms(e->loop);
        e->counts.beat = r;
    } else if (may_write_line(e)) {
        cof_telemetry_log(e->opts.log, "enclave", &r);
    }
}

/* A record at a time, so that no enclave gets more than its share of a turn. */
static void on_inner(struct cof_watch *watch, unsigned events)
{
    struct events *e = OWNER(watch, struct events, inner);
    ssize_t n;

    (void)events;
    if (e->got == 0 && cof_burst_wait_ms(&e->records, cof_loop_now_ms(e->loop)) > 0) {
        cof_loop_unwatch(e->loop, watch);
        if (cof_loop_arm(e->loop, &e->rest, REST_MS) != COF_OK)
            hang_up(e);
        return;
    }
    n = recv(watch->fd, e->record + e->got, sizeof e->record - e->got, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        if (e->got > 0)
            refuse(e, "half a record");
        hang_up(e);
        return;
    }
    e->got += (size_t)n;
    if (e->got == sizeof e->record) {
        (void)cof_burst_take(&e->records, cof_loop_now_ms(e->loop), NULL);
        take_record(e);
    }
}

static void on_rest(struct cof_timer *timer)
{
    struct events *e = OWNER(timer, struct events, rest);

    if (cof_loop_watch(e->loop, &e->inner, COF_READABLE) != COF_OK)
        hang_up(e);
}

/* The youngest connection is the enclave's: an old one may be what is left of one that has ended. */
static void on_listener(struct cof_watch *watch, unsigned events)
{
    struct events *e = OWNER(watch, struct events, listener);
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof from;
    int fd = -1;

    (void)events;
    if (cof_burst_take(&e->accepts, cof_loop_now_ms(e->loop), NULL)) {
        fd = accept4(watch->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
            return;
    }
    if (fd < 0) { /* too often, or no descriptor: the queue stays readable meanwhile */
        cof_loop_unwatch(e->loop, watch);
        if (cof_loop_arm(e->loop, &e->accept_rest, REST_MS) != COF_OK)
            cof_log_event(e->opts.log, COF_LOG_ERROR, "host.listener_lost", NULL);
        return;
    }
    if (!peer_is_enclave(&from, len, e->opts.has_peer, e->opts.peer_cid)) {
        (void)close(fd);
        e->counts.malformed++;
        if (may_write_line(e))
            cof_log_event(e->opts.log, COF_LOG_WARN, "host.telemetry_refused", "why", "other-context", NULL);
        return;
    }
    hang_up(e);
    e->counts.connections++;
    e->is_first = true;
    e->inner.fd = fd;
    if (cof_loop_watch(e->loop, &e->inner, COF_READABLE) != COF_OK)
        hang_up(e);
}

static void on_accept_rest(struct cof_timer *timer)
{
    struct events *e = OWNER(timer, struct events, accept_rest);

    if (cof_loop_watch(e->loop, &e->listener, COF_READABLE) != COF_OK)
        cof_log_event(e->opts.log, COF_LOG_ERROR, "host.listener_lost", NULL);
}

enum cof_err events_new(struct cof_loop *loop, const struct events_opts *opts, struct events **out, struct cof_diag *diag)
{
    struct events *e = calloc(1, sizeof *e);
    int64_t now_ms = cof_loop_now_ms(loop);
    struct cof_addr bound;
    enum cof_err err;

    *out = NULL;
    if (e == NULL)
        return COF_E_MEMORY;
    e->loop = loop;
    e->opts = *opts;
    e->listener = (struct cof_watch){.ready = on_listener, .fd = -1};
    e->inner = (struct cof_watch){.ready = on_inner, .fd = -1};
    e->rest.fire = on_rest;
    e->accept_rest.fire = on_accept_rest;
    cof_burst_init(&e->records, RECORDS_PER_S, RECORDS_AT_ONCE, now_ms);
    cof_burst_init(&e->lines, LINES_PER_S, LINES_AT_ONCE, now_ms);
    cof_burst_init(&e->accepts, ACCEPTS_PER_S, ACCEPTS_AT_ONCE, now_ms);
    err = cof_listen(&opts->listen, &e->listener.fd, &bound, diag);
    if (err == COF_OK)
        err = cof_loop_watch(loop, &e->listener, COF_READABLE);
    if (err != COF_OK) {
        events_free(e);
        return err;
    }
    *out = e;
    return COF_OK;
}

const struct events_counts *events_counts(const struct events *e)
{
    return &e->counts;
}

void events_forget(struct events *e)
{
    hang_up(e);
    e->sequence = 0;
    e->counts.has_beat = false;
}

void events_free(struct events *e)
{
    if (e == NULL)
        return;
    hang_up(e);
    cof_loop_disarm(e->loop, &e->accept_rest);
    if (e->listener.fd >= 0) {
        cof_loop_unwatch(e->loop, &e->listener);
        (void)close(e->listener.fd);
    }
    free(e);
}
