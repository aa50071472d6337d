/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening, connections, and the request side of exchanges. The reply side is in http_reply.c.
 */
#include "io/http_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_MAX 16777216  /* read and dropped after the last reply, so that a sending peer still gets it */
#define LINGER_MS 2000
#define PROGRESS_MIN 4096    /* bytes in a stall deadline's time that count as progress */
#define ACCEPTS_PER_TURN 64
#define ACCEPT_RETRY_MS 100
#define EVICT_AGE_MS 1000    /* who has waited for less is not sent away for others */
#define DESCRIPTORS_KEPT 64  /* for files, the database, other connections */

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

static void process(struct cof_http_conn *c);

static bool is_gone(const struct cof_http_conn *c)
{
    return c->stream.watch.fd < 0;
}

static uint64_t moved(const struct cof_http_conn *c)
{
    return c->stream.total_in + c->stream.total_out;
}

void cof_http_conn_arm(struct cof_http_conn *c, int64_t ms)
{
    c->moved = moved(c);
    c->since_ms = cof_loop_now_ms(c->server->loop);
    if (cof_loop_arm(c->server->loop, &c->deadline, ms) != COF_OK)
        (void)shutdown(c->stream.watch.fd, SHUT_RDWR); /* no memory for a deadline: no connection */
}

static void end_exchange(struct cof_http_conn *c, enum cof_err why)
{
    struct cof_xchg *x = c->x;

    if (x == NULL)
        return;
    c->x = NULL;
    x->finished = true;
    if (x->told)
        c->server->opts.handler.closed(c->server->opts.handler.ctx, x, why);
    x->closed = true;
    cof_http1_head_done(&x->head);
    cof_headers_done(&x->trailers);
    cof_chunked_done(&x->chunks);
    cof_loop_discard(c->server->loop, x);
}

static void listen_again(struct cof_http_server *server)
{
    if (server->listener.fd >= 0 && !server->listener.active && server->n_conns < server->opts.limits.connections &&
        cof_loop_watch(server->loop, &server->listener, COF_READABLE) != COF_OK)
        server->listener.active = false; /* the next connection that ends tries again */
}

static void drop(struct cof_http_conn *c, enum cof_err why)
{
    struct cof_http_server *server = c->server;

    if (is_gone(c))
        return;
    end_exchange(c, why);
    cof_stream_close(&c->stream);
    cof_loop_disarm(server->loop, &c->deadline);
    cof_loop_disarm(server->loop, &c->finish);
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        server->conns = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    server->n_conns--;
    server->per_peer[c->peer_slot]--;
    cof_loop_discard(server->loop, c);
    listen_again(server);
}

static void linger(struct cof_http_conn *c)
{
    c->state = EXPECT_LINGER;
    cof_stream_end(&c->stream);
    cof_stream_resume(&c->stream);
    cof_http_conn_arm(c, LINGER_MS);
}

/* Called when the reply is complete and again whenever bytes moved: ends the exchange once all is out. */
static void try_finish(struct cof_http_conn *c)
{
    struct cof_xchg *x = c->x;

    if (x == NULL || !x->finished)
        return;
    if (x->cut) {
        drop(c, COF_E_CLOSED);
        return;
    }
    if (!cof_stream_is_drained(&c->stream))
        return;
    if (!x->body_done && c->keep_alive)
        return; /* the small rest of the body is being dropped; process() comes back */
    end_exchange(c, COF_OK);
    if (!c->keep_alive) {
        linger(c);
        return;
    }
    c->state = EXPECT_HEAD;
    cof_http_conn_arm(c, c->server->opts.limits.idle_ms);
    cof_stream_release(&c->stream);
    cof_stream_resume(&c->stream);
    process(c);
}

static void on_finish(struct cof_timer *timer)
{
    struct cof_http_conn *c = OWNER(timer, struct cof_http_conn, finish);

    if (c->x != NULL && !c->x->body_done && c->keep_alive && !c->x->cut) {
        cof_stream_resume(&c->stream);
        process(c);
    }
    if (!is_gone(c))
        try_finish(c);
}

static void body_complete(struct cof_http_conn *c)
{
    c->x->body_done = true;
    c->state = EXPECT_REPLY;
    cof_http_conn_arm(c, c->server->opts.limits.stall_ms);
    if (!c->x->finished)
        c->server->opts.handler.end(c->server->opts.handler.ctx, c->x);
    else
        try_finish(c);
}

/* The handler hears of a request only when its framing and size are in order. */
static void begin_exchange(struct cof_http_conn *c)
{
    const struct cof_http_handler *handler = &c->server->opts.handler;
    struct cof_xchg *x = c->x;
    bool has_body = x->head.chunked || (x->head.has_length && x->head.length > 0);

    c->keep_alive = x->head.keep_alive && c->server->listener.fd >= 0;
    cof_headers_init(&x->trailers);
    cof_chunked_init(&x->chunks);
    x->body_left = x->head.chunked ? 0 : x->head.length;
    x->body_done = !has_body;
    c->state = has_body ? EXPECT_BODY : EXPECT_REPLY;
    cof_http_conn_arm(c, c->server->opts.limits.stall_ms);
    if (x->head.has_length && x->head.length > c->server->opts.limits.body_bytes) {
        cof_xchg_reply(x, 413, NULL, (struct cof_view){0});
        return;
    }
    x->told = true;
    handler->head(handler->ctx, x);
    if (x->finished)
        return;
    /* Without a body too, where nobody needs it: botocore takes a final status that comes in its place for the status of the
     * next request on this connection as well. With one that was not asked for, the reply is the connection's last. */
    if (x->head.expect_continue && !x->started && !(x->decided && has_body)) {
        cof_stream_write(&c->stream, COF_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
        x->head.expect_continue = false; /* from here on the body is coming */
    }
    if (!has_body)
        handler->end(handler->ctx, x);
}

/* Refusals before there is an exchange. */
static void refuse(struct cof_http_conn *c, int status)
{
    cof_http_refuse(c, status);
    linger(c);
}

static void read_head(struct cof_http_conn *c)
{
    size_t used = 0;
    struct cof_xchg *x;
    enum cof_err err;

    if (cof_stream_unread(&c->stream) == 0)
        return;
    x = malloc(sizeof *x);
    if (x == NULL) {
        refuse(c, 503);
        return;
    }
    err = cof_http1_request(cof_stream_in(&c->stream), c->server->opts.limits.head_bytes, &x->head, &used);
    if (err != COF_OK)
        free(x);
    if (err == COF_E_SHORT) {
        if (!c->head_begun)
            cof_http_conn_arm(c, c->server->opts.limits.head_ms); /* for the whole head, from its first byte */
        c->head_begun = true;
        return;
    }
    c->head_begun = false;
    if (err != COF_OK) {
        refuse(c, err == COF_E_LIMIT ? 431 : err == COF_E_MEMORY ? 503 : 400);
        return;
    }
    cof_stream_consume(&c->stream, used);
    memset((char *)x + offsetof(struct cof_xchg, chunks), 0, sizeof *x - offsetof(struct cof_xchg, chunks));
    x->conn = c;
    c->x = x;
    begin_exchange(c);
}

static void deliver(struct cof_http_conn *c, struct cof_view piece)
{
    c->x->received += piece.len;
    if (!c->x->finished)
        c->server->opts.handler.body(c->server->opts.handler.ctx, c->x, piece);
}

static void read_plain_body(struct cof_http_conn *c)
{
    struct cof_xchg *x = c->x;
    size_t most = x->body_left > SIZE_MAX ? SIZE_MAX : (size_t)x->body_left;
    struct cof_view piece = cof_view_sub(cof_stream_in(&c->stream), 0, most);

    x->body_left -= piece.len;
    if (piece.len > 0)
        deliver(c, piece);
    cof_stream_consume(&c->stream, piece.len);
    if (x->body_left == 0)
        body_complete(c);
}

static void read_chunked_body(struct cof_http_conn *c)
{
    struct cof_xchg *x = c->x;
    struct cof_view in = cof_stream_in(&c->stream), piece = {0};
    bool end = false;
    enum cof_err err = cof_chunked_next(&x->chunks, &in, &piece, &end, &x->trailers);

    if (err == COF_OK && piece.len > c->server->opts.limits.body_bytes - x->received)
        err = COF_E_TOO_LARGE;
    if (err == COF_OK && piece.len > 0)
        deliver(c, piece);
    cof_stream_consume(&c->stream, cof_stream_unread(&c->stream) - in.len);
    if (err == COF_OK && end) {
        body_complete(c);
    } else if (err != COF_OK && err != COF_E_SHORT) {
        c->keep_alive = false;
        if (!x->started)
            cof_xchg_reply(x, err == COF_E_TOO_LARGE ? 413 : err == COF_E_LIMIT ? 431 : 400, NULL,
                           (struct cof_view){0});
        else
            cof_xchg_abort(x);
    }
}

static void drop_lingering(struct cof_http_conn *c)
{
    c->lingered += cof_stream_unread(&c->stream);
    cof_stream_consume(&c->stream, cof_stream_unread(&c->stream));
    if (c->stream.eof || c->lingered > LINGER_MAX)
        drop(c, COF_E_CLOSED);
}

/* A body is read while the handler wants it; what it left is read to keep the connection. */
static bool wants_body(const struct cof_http_conn *c)
{
    return !c->stream.paused && (!c->x->finished || (c->keep_alive && !c->x->cut));
}

/* Moves the connection as far as its input allows. */
static void process(struct cof_http_conn *c)
{
    if (c->busy)
        return;
    c->busy = true;
    while (!is_gone(c) && !c->stream.failed) {
        enum cof_http_expects state = c->state;
        size_t before = cof_stream_unread(&c->stream);

        if (state == EXPECT_LINGER)
            drop_lingering(c);
        else if (state == EXPECT_HEAD)
            read_head(c);
        else if (state == EXPECT_BODY && before > 0 && wants_body(c))
            c->x->head.chunked ? read_chunked_body(c) : read_plain_body(c);
        if (is_gone(c) || (c->state == state && cof_stream_unread(&c->stream) == before))
            break;
    }
    c->busy = false;
}

static void on_data(void *ctx)
{
    struct cof_http_conn *c = ctx;

    process(c);
    if (is_gone(c) || !c->stream.eof)
        return;
    if (c->state == EXPECT_BODY && !c->x->finished && !c->stream.paused)
        drop(c, COF_E_TRUNCATED);
    else if (c->x != NULL && c->x->need_peer && !c->x->started)
        drop(c, COF_E_CLOSED);
    else if (c->state == EXPECT_BODY && c->x->finished)
        c->keep_alive = false; /* the rest of the body will not come */
    else if (c->x == NULL)
        drop(c, COF_E_CLOSED);
    if (!is_gone(c))
        try_finish(c);
}

static void on_drained(void *ctx)
{
    struct cof_http_conn *c = ctx;

    if (c->x == NULL)
        return;
    if (!c->x->finished && c->x->started)
        c->server->opts.handler.writable(c->server->opts.handler.ctx, c->x);
    if (!is_gone(c))
        try_finish(c);
}

/* TLS is up. */
static void on_ready(void *ctx)
{
    struct cof_http_conn *c = ctx;

    cof_http_conn_arm(c, c->server->opts.limits.head_ms);
}

static void on_failed(void *ctx, enum cof_err err, const struct cof_diag *diag)
{
    struct cof_http_conn *c = ctx;

    (void)diag;
    drop(c, c->state == EXPECT_BODY && err == COF_E_CLOSED ? COF_E_TRUNCATED : err);
}

/* Whether the connection waits for the peer, and in vain. */
static bool is_stalled(const struct cof_http_conn *c)
{
    if (c->state != EXPECT_BODY && c->state != EXPECT_REPLY)
        return true;
    if (moved(c) - c->moved >= PROGRESS_MIN)
        return false; /* slow, but not dead; a byte now and then is */
    if (!cof_stream_is_drained(&c->stream))
        return true; /* the peer does not read */
    if (c->x->finished)
        return true;
    return c->state == EXPECT_BODY && !c->stream.paused; /* else the handler is at work: its own deadlines rule */
}

static void on_deadline(struct cof_timer *timer)
{
    struct cof_http_conn *c = OWNER(timer, struct cof_http_conn, deadline);

    if (!is_stalled(c)) {
        cof_http_conn_arm(c, c->server->opts.limits.stall_ms);
    } else if (c->state == EXPECT_BODY && !c->x->started && !c->x->finished) {
        c->keep_alive = false;
        cof_xchg_reply(c->x, 408, NULL, (struct cof_view){0});
        cof_http_conn_arm(c, c->server->opts.limits.stall_ms);
    } else {
        drop(c, COF_E_TIMEOUT);
    }
}

/* Whether the connection waits for its peer and nothing is lost but that. */
static bool is_waiting(const struct cof_http_conn *c, int64_t before_ms)
{
    return c->since_ms <= before_ms && is_stalled(c);
}

/* Makes room: of those that wait for their peers the ones that have done so longest. All are looked at once for many that
 * go, so that a flood of connections costs no look at all for each. */
static void evict(struct cof_http_server *server)
{
    int64_t now_ms = cof_loop_now_ms(server->loop), oldest_ms = now_ms, limit_ms;
    struct cof_http_conn *next;
    size_t n = 0, most = server->opts.limits.connections / 32 + 1;

    for (const struct cof_http_conn *c = server->conns; c != NULL; c = c->next)
        if (is_waiting(c, now_ms - EVICT_AGE_MS) && c->since_ms < oldest_ms)
            oldest_ms = c->since_ms;
    if (oldest_ms == now_ms)
        return;
    limit_ms = oldest_ms + (now_ms - EVICT_AGE_MS - oldest_ms) / 4; /* the oldest quarter of the time, and the oldest at least */
    for (struct cof_http_conn *c = server->conns; c != NULL && n < most; c = next) {
        next = c->next;
        if (is_waiting(c, limit_ms)) {
            drop(c, COF_E_TIMEOUT);
            n++;
        }
    }
}

static const struct cof_stream_events stream_events = {on_ready, on_data, on_drained, on_failed, NULL};

static enum cof_err open_stream(struct cof_http_conn *c, int fd)
{
    struct cof_stream_events events = stream_events;

    events.ctx = c;
    c->state = EXPECT_HEAD;
    return cof_stream_open(&c->stream, c->server->loop, fd, false, &events);
}

static bool looks_like_tls(int fd)
{
    uint8_t first;

    return recv(fd, &first, 1, MSG_PEEK) == 1 && first == 0x16;
}

/* The first byte of a connection on a port of both kinds tells which it is. */
static void on_first_byte(struct cof_watch *watch, unsigned events)
{
    struct cof_http_conn *c = OWNER(watch, struct cof_http_conn, stream.watch);
    enum cof_err err;

    (void)events;
    c->tls = looks_like_tls(watch->fd);
    cof_loop_unwatch(c->server->loop, watch);
    err = open_stream(c, watch->fd);
    if (err == COF_OK && c->tls)
        err = cof_stream_start_tls(&c->stream, c->server->opts.tls, NULL);
    else if (err == COF_OK && !c->server->opts.allow_plain)
        err = COF_E_CLOSED;
    if (err != COF_OK)
        drop(c, err);
}

static void name_peer(struct cof_http_conn *c, const struct sockaddr_storage *ss)
{
    if (ss->ss_family == AF_INET)
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)ss)->sin_addr, c->peer, sizeof c->peer);
    else if (ss->ss_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)ss)->sin6_addr, c->peer, sizeof c->peer);
    else
        (void)snprintf(c->peer, sizeof c->peer, "%s", ss->ss_family == AF_UNIX ? "unix" : "vsock");
}

/* Where connections of that address are counted. */
static uint32_t slot_of(const struct cof_http_conn *c)
{
    uint32_t h = 2166136261u;

    for (const char *p = c->peer; *p != '\0'; p++)
        h = (h ^ (uint8_t)*p) * 16777619u;
    return (h ^ h >> 16) % COF_HTTP_PEERS;
}

static void adopt(struct cof_http_server *server, int fd, const struct sockaddr_storage *ss)
{
    struct cof_http_conn *c = calloc(1, sizeof *c);
    int one = 1;
    enum cof_err err;

    if (c == NULL) {
        (void)close(fd);
        return;
    }
    name_peer(c, ss);
    c->peer_slot = slot_of(c);
    if (server->per_peer[c->peer_slot] >= server->opts.limits.per_peer && ss->ss_family != AF_UNIX) {
        (void)close(fd);
        free(c);
        return;
    }
    server->per_peer[c->peer_slot]++;
    if (ss->ss_family == AF_INET || ss->ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->server = server;
    c->deadline.fire = on_deadline;
    c->finish.fire = on_finish;
    c->next = server->conns;
    if (server->conns != NULL)
        server->conns->prev = c;
    server->conns = c;
    server->n_conns++;
    if (server->opts.tls != NULL) {
        c->state = EXPECT_TLS_OR_PLAIN;
        c->stream.watch = (struct cof_watch){.ready = on_first_byte, .fd = fd};
        c->stream.loop = server->loop;
        err = cof_loop_watch(server->loop, &c->stream.watch, COF_READABLE);
    } else {
        err = open_stream(c, fd);
    }
    cof_http_conn_arm(c, server->opts.limits.head_ms);
    if (err != COF_OK)
        drop(c, err);
}

static void on_accept(struct cof_watch *watch, unsigned events)
{
    struct cof_http_server *server = OWNER(watch, struct cof_http_server, listener);

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage ss = {0};
        socklen_t len = sizeof ss;
        enum cof_err err;
        int fd;

        if (server->n_conns >= server->opts.limits.connections)
            evict(server);
        if (server->n_conns >= server->opts.limits.connections) {
            cof_loop_unwatch(server->loop, watch); /* drop() watches again; so does time, which makes some evictable */
            err = cof_loop_arm(server->loop, &server->retry, ACCEPT_RETRY_MS);
            (void)err; /* without it the next connection that ends is enough */
            return;
        }
        fd = accept4(watch->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            adopt(server, fd, &ss);
            continue;
        }
        if ((errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) &&
            cof_loop_arm(server->loop, &server->retry, ACCEPT_RETRY_MS) == COF_OK)
            cof_loop_unwatch(server->loop, watch); /* out of descriptors: not at once again */
        return;
    }
}

static void on_retry(struct cof_timer *timer)
{
    struct cof_http_server *server = OWNER(timer, struct cof_http_server, retry);
    enum cof_err err;

    if (server->n_conns >= server->opts.limits.connections)
        evict(server);
    listen_again(server);
    if (server->n_conns >= server->opts.limits.connections) {
        err = cof_loop_arm(server->loop, &server->retry, ACCEPT_RETRY_MS);
        (void)err; /* without it the next connection that ends is enough */
    }
}

static void defaults(struct cof_http_limits *l)
{
    struct rlimit files;

    l->head_bytes = l->head_bytes > 0 ? l->head_bytes : 32768;
    if (l->head_bytes > COF_STREAM_IN_MAX)
        l->head_bytes = COF_STREAM_IN_MAX; /* more is never read at once */
    l->body_bytes = l->body_bytes > 0 ? l->body_bytes : UINT64_MAX;
    l->connections = l->connections > 0 ? l->connections : 4096;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < l->connections + DESCRIPTORS_KEPT)
        l->connections = files.rlim_cur > 2 * DESCRIPTORS_KEPT ? (size_t)files.rlim_cur - DESCRIPTORS_KEPT : DESCRIPTORS_KEPT;
    l->per_peer = l->per_peer > 0 ? l->per_peer : l->connections - l->connections / 4;
    l->per_peer = l->per_peer > UINT16_MAX ? UINT16_MAX : l->per_peer;
    l->head_ms = l->head_ms > 0 ? l->head_ms : 10000;
    l->idle_ms = l->idle_ms > 0 ? l->idle_ms : 60000;
    l->stall_ms = l->stall_ms > 0 ? l->stall_ms : 30000;
}

enum cof_err cof_http_server_new(struct cof_loop *loop, const struct cof_http_server_opts *opts,
                                 struct cof_http_server **out, struct cof_diag *diag)
{
    struct cof_http_server *server = calloc(1, sizeof *server);
    enum cof_err err;

    *out = NULL;
    if (server == NULL)
        return COF_E_MEMORY;
    server->loop = loop;
    server->opts = *opts;
    server->opts.tls = cof_tls_ref(opts->tls);
    cof_buf_init_secret(&server->head, COF_HEADERS_BYTES_MAX * 2);
    if (opts->tls == NULL)
        server->opts.allow_plain = true;
    defaults(&server->opts.limits);
    server->listener = (struct cof_watch){.ready = on_accept, .fd = -1};
    server->retry.fire = on_retry;
    err = cof_listen(&opts->listen, &server->listener.fd, &server->bound, diag);
    if (err == COF_OK)
        err = cof_loop_watch(loop, &server->listener, COF_READABLE);
    if (err != COF_OK) {
        cof_http_server_free(server);
        return err;
    }
    *out = server;
    return COF_OK;
}

void cof_http_server_addr(const struct cof_http_server *server, struct cof_addr *out)
{
    *out = server->bound;
}

static void stop_listening(struct cof_http_server *server)
{
    if (server->listener.fd < 0)
        return;
    cof_loop_unwatch(server->loop, &server->listener);
    cof_loop_disarm(server->loop, &server->retry);
    (void)close(server->listener.fd);
    server->listener.fd = -1;
}

void cof_http_server_drain(struct cof_http_server *server)
{
    struct cof_http_conn *next;

    stop_listening(server);
    for (struct cof_http_conn *c = server->conns; c != NULL; c = next) {
        next = c->next;
        c->keep_alive = false;
        if (c->x == NULL && c->state != EXPECT_LINGER)
            drop(c, COF_E_CLOSED);
    }
}

size_t cof_http_server_open_connections(const struct cof_http_server *server)
{
    return server->n_conns;
}

void cof_http_server_free(struct cof_http_server *server)
{
    if (server == NULL)
        return;
    stop_listening(server);
    while (server->conns != NULL)
        drop(server->conns, COF_E_CLOSED);
    cof_tls_unref(server->opts.tls);
    cof_buf_done(&server->head);
    free(server);
}
