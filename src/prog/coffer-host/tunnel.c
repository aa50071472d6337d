/* SPDX-License-Identifier: Apache-2.0 */
#include "tunnel.h"

#include "base/num.h"
#include "peer.h"
#include "tunnel_conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64
#define LOG_PER_S 10
#define NO_DESCRIPTOR_MS 100
#define SPARE_DESCRIPTORS 128   /* for everything that is no connection */
#define MAKES_ROOM_AFTER_MS 1000

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

const char *tunnel_refusal_word(enum tunnel_refusal why)
{
    static const char *const words[TUNNEL_REFUSALS] = {"other-context", "too-many-connections", "too-slow", "malformed-request",
        "unknown-request", "destination-not-allowed", "destination-unreachable", "not-tls", "other-server-name", "no-credentials",
        "gone"};

    return words[why];
}

const char *tunnel_end_word(enum tunnel_end how)
{
    static const char *const words[TUNNEL_ENDS] = {"clean", "reset", "idle"};

    return words[how];
}

void tunnel_note(struct tunnel *t, enum tunnel_refusal why, const struct destination *to)
{
    uint64_t left_out;
    char number[24];

    t->counts.refused[why]++;
    if (why == REFUSED_GONE) /* a kept connection that was not needed in the end */
        return;
    if (!cof_burst_take(&t->log_rate, cof_loop_now_ms(t->loop), &left_out))
        return;
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)left_out);
    cof_log_event(t->opts.log, COF_LOG_WARN, "host.refused", "why", tunnel_refusal_word(why),
                  "destination", to != NULL ? to->host : "", "lines_left_out", number, NULL);
}

/* Nothing is accepted meanwhile; what comes waits in the kernel's queue. */
static void hold(struct tunnel *t, int64_t ms, const char *why)
{
    uint64_t left_out;

    cof_loop_unwatch(t->loop, &t->listener);
    t->counts.throttled++;
    if (cof_burst_take(&t->log_rate, cof_loop_now_ms(t->loop), &left_out))
        cof_log_event(t->opts.log, COF_LOG_WARN, "host.accept_held", "why", why, NULL);
    if (cof_loop_arm(t->loop, &t->held, ms) != COF_OK)
        cof_log_event(t->opts.log, COF_LOG_ERROR, "host.listener_lost", NULL);
}

static void on_held(struct cof_timer *timer)
{
    struct tunnel *t = OWNER(timer, struct tunnel, held);

    if (cof_loop_watch(t->loop, &t->listener, COF_READABLE) != COF_OK &&
        cof_loop_arm(t->loop, &t->held, NO_DESCRIPTOR_MS) != COF_OK)
        cof_log_event(t->opts.log, COF_LOG_ERROR, "host.listener_lost", NULL);
}

/* Who has been slow for longest goes. */
static bool make_room(struct tunnel *t)
{
    struct conn *oldest = t->pending.last;

    if (t->pending.n < t->opts.limits.pending && t->pending.n + t->forwarding.n < t->opts.limits.connections)
        return true;
    if (oldest == NULL || cof_loop_now_ms(t->loop) - oldest->since_ms < MAKES_ROOM_AFTER_MS)
        return false;
    conn_refuse(oldest, REFUSED_SLOW);
    return true;
}

static void take_in(struct tunnel *t, int fd, const struct sockaddr_storage *from, socklen_t len)
{
    enum tunnel_refusal why = REFUSED_PEER;
    bool good = peer_is_enclave(from, len, t->opts.has_peer, t->opts.peer_cid);

    t->counts.accepted++;
    if (good) {
        why = REFUSED_FULL;
        good = make_room(t);
    }
    if (good) {
        conn_serve(t, fd);
        return;
    }
    (void)close(fd);
    tunnel_note(t, why, NULL);
}

static void accept_more(struct cof_watch *watch, unsigned events)
{
    struct tunnel *t = OWNER(watch, struct tunnel, listener);

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int64_t now_ms = cof_loop_now_ms(t->loop), wait_ms = cof_burst_wait_ms(&t->rate, now_ms);
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof from;
        int fd;

        if (wait_ms > 0) {
            hold(t, wait_ms, "too many new connections");
            return;
        }
        fd = accept4(watch->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            (void)cof_burst_take(&t->rate, now_ms, NULL);
            take_in(t, fd, &from, len);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
            hold(t, NO_DESCRIPTOR_MS, strerror(errno)); /* the queue stays readable: no use in asking again at once */
            return;
        }
    }
}

static enum cof_err parse_destination(const char *text, struct destination *out, struct cof_diag *diag)
{
    const char *colon = strrchr(text, ':');
    struct cof_view host = colon == NULL ? (struct cof_view){0} : cof_view_of(text, (size_t)(colon - text));
    struct cof_sockaddr address[1];
    uint64_t port = 0;
    size_t n = 0;

    if (colon == NULL || cof_parse_u64(cof_view_str(colon + 1), 65535, &port) != COF_OK || port == 0 || host.len == 0 ||
        host.len >= sizeof out->host)
        return cof_diag_set(diag, COF_E_USAGE, "--allow '%s' is not HOST:PORT", text);
    memcpy(out->host, host.data, host.len);
    out->host[host.len] = '\0';
    out->port = (uint16_t)port;
    out->is_literal = cof_resolve_literal(out->host, out->port, address, 1, &n) == COF_OK && n > 0;
    return COF_OK;
}

static enum cof_err parse_destinations(struct tunnel *t, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    t->destinations = calloc(t->opts.n_allow == 0 ? 1 : t->opts.n_allow, sizeof *t->destinations);
    if (t->destinations == NULL)
        return COF_E_MEMORY;
    for (size_t i = 0; err == COF_OK && i < t->opts.n_allow; i++)
        err = parse_destination(t->opts.allow[i], &t->destinations[i], diag);
    return err;
}

/* Two descriptors a connection. What is left over is for pipes, two each; a connection that gets none is copied for. */
static size_t fit_limits(struct tunnel *t)
{
    struct tunnel_limits *l = &t->opts.limits;
    struct rlimit files;
    uint64_t n_files = getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : 1024, most;

    n_files = n_files > SPARE_DESCRIPTORS + 64 ? n_files - SPARE_DESCRIPTORS : 64;
    most = n_files / 3;
    if (l->connections == 0)
        l->connections = 4096;
    if (l->connections > most) {
        char number[24];

        l->connections = (uint32_t)most;
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)most);
        cof_log_event(t->opts.log, COF_LOG_WARN, "host.few_descriptors", "connections", number, NULL);
    }
    if (l->pending == 0)
        l->pending = 256;
    if (l->pending > l->connections)
        l->pending = l->connections;
    l->new_per_s = l->new_per_s == 0 ? 1000 : l->new_per_s;
    l->setup_ms = l->setup_ms == 0 ? 10000 : l->setup_ms;
    l->connect_ms = l->connect_ms == 0 ? 10000 : l->connect_ms;
    return (size_t)(n_files - 2 * (uint64_t)l->connections) / 2;
}

enum cof_err tunnel_new(struct cof_loop *loop, const struct tunnel_opts *opts, struct tunnel **out, struct cof_diag *diag)
{
    struct cof_relay_pool_opts pool = {.buffer_bytes = (size_t)opts->limits.buffer_bytes, .bytes_per_s = opts->limits.bytes_per_s};
    struct tunnel *t = calloc(1, sizeof *t);
    struct cof_addr bound;
    int64_t now_ms = cof_loop_now_ms(loop);
    enum cof_err err;

    *out = NULL;
    if (t == NULL)
        return COF_E_MEMORY;
    t->loop = loop;
    t->opts = *opts;
    t->listener = (struct cof_watch){.ready = accept_more, .fd = -1};
    t->held.fire = on_held;
    pool.max_pipes = fit_limits(t);
    cof_burst_init(&t->rate, t->opts.limits.new_per_s, t->opts.limits.new_per_s, now_ms);
    cof_burst_init(&t->log_rate, LOG_PER_S, LOG_PER_S, now_ms);
    err = parse_destinations(t, diag);
    if (err == COF_OK)
        err = names_new(loop, opts->resolve, opts->n_allow, &t->names);
    if (err == COF_OK && (err = cof_relay_pool_new(loop, &pool, &t->pool)) == COF_E_USAGE)
        err = cof_diag_set(diag, err, "--buffer must be 4K to 1M");
    if (err == COF_OK)
        err = cof_listen(&opts->listen, &t->listener.fd, &bound, diag);
    if (err == COF_OK)
        err = cof_loop_watch(loop, &t->listener, COF_READABLE);
    if (err != COF_OK) {
        tunnel_free(t);
        return err;
    }
    *out = t;
    return COF_OK;
}

void tunnel_counts(const struct tunnel *t, struct tunnel_counts *out)
{
    uint64_t bytes[2];

    cof_relay_pool_bytes(t->pool, bytes);
    *out = t->counts;
    out->bytes_out = bytes[0];
    out->bytes_in = bytes[1];
    out->pending = t->pending.n;
    out->open = t->pending.n + t->forwarding.n;
}

void tunnel_free(struct tunnel *t)
{
    if (t == NULL)
        return;
    cof_loop_disarm(t->loop, &t->held);
    if (t->listener.fd >= 0) {
        cof_loop_unwatch(t->loop, &t->listener);
        (void)close(t->listener.fd);
    }
    while (t->pending.first != NULL)
        conn_drop(t->pending.first);
    while (t->forwarding.first != NULL)
        conn_drop(t->forwarding.first);
    cof_relay_pool_free(t->pool);
    names_free(t->names);
    free(t->destinations);
    free(t);
}
