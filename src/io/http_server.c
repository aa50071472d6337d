/* SPDX-License-Identifier: Apache-2.0 */
#include "io/http_server.h"

#include "base/date.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_MAX 65536      /* of an unread body, read and dropped to keep the connection */
#define LINGER_MAX 1048576   /* read and dropped after the last reply, so that a sending peer still gets it */
#define LINGER_MS 2000
#define ACCEPTS_PER_TURN 64

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* What a connection expects next. */
enum expects { EXPECT_TLS_OR_PLAIN, EXPECT_HEAD, EXPECT_BODY, EXPECT_REPLY, EXPECT_LINGER };

struct cof_xchg {
    struct cof_http_head head;
    struct cof_headers trailers;
    void *user;
    bool active;    /* between head and closed */
    bool started;   /* the reply's head is out */
    bool finished;  /* the reply is complete in the buffer */
    bool chunked;   /* the reply is */
    bool body_done; /* the request's body was received */
    bool cut;       /* the reply was aborted */
    int64_t left;   /* of the reply's stated length */
    uint64_t received;
};

struct conn {
    struct cof_xchg x; /* first: an exchange is its connection */
    struct cof_http_server *server;
    struct conn *prev, *next;
    struct cof_stream stream;
    struct cof_timer deadline, finish;
    struct cof_chunked chunks;
    enum expects state;
    bool tls, busy, keep_alive;
    uint64_t body_left, progress;
    size_t lingered;
    char peer[64];
};

struct cof_http_server {
    struct cof_loop *loop;
    struct cof_http_server_opts opts;
    struct cof_watch listener;
    struct cof_addr bound;
    struct conn *conns;
    size_t n_conns;
};

static void process(struct conn *c);

static struct conn *conn_of(const struct cof_xchg *x)
{
    return (struct conn *)(void *)(uintptr_t)x;
}

static void arm(struct conn *c, int64_t ms)
{
    if (cof_loop_arm(c->server->loop, &c->deadline, ms) != COF_OK)
        (void)shutdown(c->stream.watch.fd, SHUT_RDWR); /* no memory for a deadline: no connection */
}

static void end_exchange(struct conn *c, enum cof_err why)
{
    if (!c->x.active)
        return;
    c->x.active = false;
    c->server->opts.handler.closed(c->server->opts.handler.ctx, &c->x, why);
    cof_http1_head_done(&c->x.head);
    cof_headers_done(&c->x.trailers);
    cof_chunked_done(&c->chunks);
    c->x = (struct cof_xchg){0};
}

static void drop(struct conn *c, enum cof_err why)
{
    struct cof_http_server *server = c->server;

    if (c->stream.watch.fd < 0)
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
    cof_loop_discard(server->loop, c);
    if (server->listener.fd >= 0 && !server->listener.active &&
        cof_loop_watch(server->loop, &server->listener, COF_READABLE) != COF_OK)
        server->listener.active = false; /* the next drop tries again */
}

/* The reply head. */
static void write_head(struct conn *c, int status, const struct cof_headers *headers, int64_t length, bool chunked)
{
    struct cof_buf out;
    struct cof_view value;
    char date[COF_DATE_MAX];

    cof_buf_init(&out, COF_HEADERS_BYTES_MAX * 2);
    cof_date_http(cof_clock_wall_ms(), date);
    cof_buf_printf(&out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, cof_http1_reason(status), date);
    if (headers != NULL) {
        for (size_t i = 0; i < headers->n; i++) {
            struct cof_view name = cof_headers_name(headers, i);
            if (cof_view_eq_nocase(name, COF_LIT("content-length")) || cof_view_eq_nocase(name, COF_LIT("connection")))
                continue;
            cof_buf_add(&out, name);
            cof_buf_add_str(&out, ": ");
            cof_buf_add(&out, cof_headers_value(headers, i));
            cof_buf_add_str(&out, "\r\n");
        }
        if (cof_headers_get(headers, "connection", &value) && cof_view_eq_nocase(value, COF_LIT("close")))
            c->keep_alive = false;
    }
    if (chunked)
        cof_buf_add_str(&out, "Transfer-Encoding: chunked\r\n");
    else if (status != 204 && status != 304 && status >= 200)
        cof_buf_printf(&out, "Content-Length: %lld\r\n", (long long)length);
    if (!c->keep_alive)
        cof_buf_add_str(&out, "Connection: close\r\n");
    else if (c->x.head.minor == 0)
        cof_buf_add_str(&out, "Connection: keep-alive\r\n");
    cof_buf_add_str(&out, "\r\n");
    cof_stream_write(&c->stream, cof_buf_view(&out));
    cof_buf_done(&out);
}

/* What is left unread decides whether the connection can go on. */
static void decide_keep_alive(struct conn *c)
{
    if (c->x.body_done || !c->x.active)
        return;
    if (c->x.head.expect_continue || c->x.head.chunked || c->body_left > DRAIN_MAX)
        c->keep_alive = false;
}

static bool is_head_method(const struct cof_xchg *x)
{
    return cof_view_eq(x->head.method, COF_LIT("HEAD"));
}

void cof_xchg_start(struct cof_xchg *x, int status, const struct cof_headers *headers, int64_t length)
{
    struct conn *c = conn_of(x);

    if (!x->active || x->started)
        return;
    decide_keep_alive(c);
    x->started = true;
    x->chunked = length < 0 && x->head.minor == 1 && !is_head_method(x);
    if (length < 0 && !x->chunked)
        c->keep_alive = false;
    x->left = length;
    write_head(c, status, headers, length < 0 ? 0 : length, x->chunked);
}

bool cof_xchg_write(struct cof_xchg *x, struct cof_view piece)
{
    struct conn *c = conn_of(x);
    char size[24];

    if (!x->active || x->finished || !x->started || is_head_method(x) || piece.len == 0)
        return true;
    if (x->chunked) {
        (void)snprintf(size, sizeof size, "%zx\r\n", piece.len);
        cof_stream_write(&c->stream, cof_view_str(size));
        cof_stream_write(&c->stream, piece);
        cof_stream_write(&c->stream, COF_LIT("\r\n"));
    } else {
        if (x->left >= 0 && (uint64_t)x->left < piece.len) {
            cof_xchg_abort(x); /* more than was promised: a bug of the handler's must not become framing */
            return false;
        }
        if (x->left >= 0)
            x->left -= (int64_t)piece.len;
        cof_stream_write(&c->stream, piece);
    }
    return !cof_stream_over_high(&c->stream);
}

static void finish_soon(struct conn *c)
{
    if (cof_loop_arm(c->server->loop, &c->finish, 0) != COF_OK)
        (void)shutdown(c->stream.watch.fd, SHUT_RDWR);
}

void cof_xchg_end(struct cof_xchg *x)
{
    struct conn *c = conn_of(x);

    if (!x->active || x->finished || !x->started)
        return;
    if (x->chunked)
        cof_stream_write(&c->stream, COF_LIT("0\r\n\r\n"));
    else if (x->left > 0 && !is_head_method(x)) {
        cof_xchg_abort(x);
        return;
    }
    x->finished = true;
    finish_soon(c);
}

void cof_xchg_reply(struct cof_xchg *x, int status, const struct cof_headers *headers, struct cof_view body)
{
    if (!x->active || x->started)
        return;
    cof_xchg_start(x, status, headers, (int64_t)body.len);
    (void)cof_xchg_write(x, body);
    cof_xchg_end(x);
}

void cof_xchg_abort(struct cof_xchg *x)
{
    struct conn *c = conn_of(x);

    if (!x->active)
        return;
    x->cut = x->finished = true;
    finish_soon(c);
}

static void linger(struct conn *c)
{
    c->state = EXPECT_LINGER;
    cof_stream_end(&c->stream);
    cof_stream_resume(&c->stream);
    arm(c, LINGER_MS);
}

/* Called when the reply is complete and again whenever bytes moved: ends the exchange once all is out. */
static void try_finish(struct conn *c)
{
    if (!c->x.active || !c->x.finished)
        return;
    if (c->x.cut) {
        drop(c, COF_E_CLOSED);
        return;
    }
    if (!cof_stream_is_drained(&c->stream))
        return;
    if (!c->x.body_done && c->keep_alive)
        return; /* the small rest of the body is being dropped; process() comes back */
    end_exchange(c, COF_OK);
    if (!c->keep_alive) {
        linger(c);
        return;
    }
    c->state = EXPECT_HEAD;
    arm(c, c->server->opts.limits.idle_ms);
    cof_stream_resume(&c->stream);
    process(c);
}

static void on_finish(struct cof_timer *timer)
{
    struct conn *c = OWNER(timer, struct conn, finish);

    if (c->x.active && !c->x.body_done && c->keep_alive) {
        cof_stream_resume(&c->stream);
        process(c);
        if (c->stream.watch.fd < 0)
            return;
    }
    try_finish(c);
}

/* Refusals before there is an exchange. */
static void refuse(struct conn *c, int status)
{
    c->keep_alive = false;
    write_head(c, status, NULL, 0, false);
    linger(c);
}

static void body_complete(struct conn *c)
{
    c->x.body_done = true;
    c->state = EXPECT_REPLY;
    arm(c, c->server->opts.limits.stall_ms);
    if (!c->x.finished && !c->x.started)
        c->server->opts.handler.end(c->server->opts.handler.ctx, &c->x);
    else
        try_finish(c);
}

static void begin_exchange(struct conn *c)
{
    const struct cof_http_limits *limits = &c->server->opts.limits;
    struct cof_http_head *head = &c->x.head;
    bool has_body = head->chunked || (head->has_length && head->length > 0);

    c->keep_alive = head->keep_alive && c->server->listener.fd >= 0;
    c->x.active = true;
    cof_headers_init(&c->x.trailers);
    cof_chunked_init(&c->chunks);
    c->body_left = head->chunked ? 0 : head->length;
    c->state = has_body ? EXPECT_BODY : EXPECT_REPLY;
    c->x.body_done = !has_body;
    arm(c, limits->stall_ms);
    if (head->has_length && head->length > limits->body_bytes) {
        cof_xchg_reply(&c->x, 413, NULL, (struct cof_view){0});
        return;
    }
    c->server->opts.handler.head(c->server->opts.handler.ctx, &c->x);
    if (c->stream.watch.fd < 0 || c->x.finished)
        return;
    if (!has_body)
        c->server->opts.handler.end(c->server->opts.handler.ctx, &c->x);
    else if (head->expect_continue && !c->x.started) {
        cof_stream_write(&c->stream, COF_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
        head->expect_continue = false; /* from here on the body is coming */
    }
}

static void read_head(struct conn *c)
{
    size_t used = 0;
    enum cof_err err;

    if (c->stream.in.len == 0)
        return;
    err = cof_http1_request(cof_stream_in(&c->stream), c->server->opts.limits.head_bytes, &c->x.head, &used);
    if (err == COF_E_SHORT) {
        if (c->progress == 0)
            arm(c, c->server->opts.limits.head_ms); /* for the whole head, from its first byte */
        c->progress = 1;
        return;
    }
    c->progress = 0;
    if (err != COF_OK) {
        refuse(c, err == COF_E_LIMIT ? 431 : err == COF_E_MEMORY ? 503 : 400);
        return;
    }
    cof_stream_consume(&c->stream, used);
    begin_exchange(c);
}

static void deliver(struct conn *c, struct cof_view piece)
{
    c->x.received += piece.len;
    if (!c->x.finished && !c->x.started)
        c->server->opts.handler.body(c->server->opts.handler.ctx, &c->x, piece);
}

static void read_plain_body(struct conn *c)
{
    struct cof_view piece = cof_view_sub(cof_stream_in(&c->stream), 0,
                                         c->body_left > SIZE_MAX ? SIZE_MAX : (size_t)c->body_left);

    if (piece.len > 0) {
        c->body_left -= piece.len;
        deliver(c, piece);
        if (c->stream.watch.fd < 0)
            return;
        cof_stream_consume(&c->stream, piece.len);
    }
    if (c->body_left == 0)
        body_complete(c);
}

static void read_chunked_body(struct conn *c)
{
    struct cof_view in = cof_stream_in(&c->stream), piece;
    bool end = false;
    enum cof_err err = cof_chunked_next(&c->chunks, &in, &piece, &end, &c->x.trailers);

    if (err == COF_OK && c->x.received + piece.len > c->server->opts.limits.body_bytes)
        err = COF_E_TOO_LARGE;
    if (err == COF_OK && piece.len > 0)
        deliver(c, piece);
    if (c->stream.watch.fd < 0)
        return;
    cof_stream_consume(&c->stream, c->stream.in.len - in.len);
    if (err == COF_OK && end) {
        body_complete(c);
    } else if (err != COF_OK && err != COF_E_SHORT) {
        c->keep_alive = false;
        if (!c->x.started)
            cof_xchg_reply(&c->x, err == COF_E_TOO_LARGE ? 413 : 400, NULL, (struct cof_view){0});
        else
            cof_xchg_abort(&c->x);
    }
}

static void drop_lingering(struct conn *c)
{
    c->lingered += c->stream.in.len;
    cof_stream_consume(&c->stream, c->stream.in.len);
    if (c->stream.eof || c->lingered > LINGER_MAX)
        drop(c, COF_E_CLOSED);
}

/* Moves the connection as far as its input allows. */
static void process(struct conn *c)
{
    if (c->busy)
        return;
    c->busy = true;
    while (c->stream.watch.fd >= 0 && !c->stream.failed) {
        enum expects state = c->state;
        size_t before = c->stream.in.len;

        if (state == EXPECT_LINGER)
            drop_lingering(c);
        else if (state == EXPECT_HEAD)
            read_head(c);
        else if (state == EXPECT_BODY && !c->stream.paused && before > 0 && (!c->x.finished || c->keep_alive))
            c->x.head.chunked ? read_chunked_body(c) : read_plain_body(c);
        if (c->stream.watch.fd < 0 || (c->state == state && c->stream.in.len == before))
            break;
    }
    c->busy = false;
}

static bool looks_like_tls(const struct conn *c)
{
    uint8_t first;
    ssize_t n = recv(c->stream.watch.fd, &first, 1, MSG_PEEK);

    return n == 1 && first == 0x16;
}

static void on_data(void *ctx)
{
    struct conn *c = ctx;

    if (c->state == EXPECT_BODY)
        arm(c, c->server->opts.limits.stall_ms);
    process(c);
    if (c->stream.watch.fd < 0 || !c->stream.eof)
        return;
    if (c->state == EXPECT_BODY && !c->x.finished)
        drop(c, COF_E_TRUNCATED);
    else if (c->state != EXPECT_REPLY && !c->x.active)
        drop(c, COF_E_CLOSED);
}

static void on_drained(void *ctx)
{
    struct conn *c = ctx;

    if (!c->x.active)
        return;
    arm(c, c->server->opts.limits.stall_ms);
    if (!c->x.finished && c->x.started)
        c->server->opts.handler.writable(c->server->opts.handler.ctx, &c->x);
    if (c->stream.watch.fd >= 0)
        try_finish(c);
}

static void on_ready(void *ctx)
{
    struct conn *c = ctx;

    c->state = EXPECT_HEAD;
    arm(c, c->server->opts.limits.idle_ms);
}

static void on_failed(void *ctx, enum cof_err err, const struct cof_diag *diag)
{
    struct conn *c = ctx;

    (void)diag;
    drop(c, c->state == EXPECT_BODY ? COF_E_TRUNCATED : err);
}

static void on_deadline(struct cof_timer *timer)
{
    struct conn *c = OWNER(timer, struct conn, deadline);

    if (c->state == EXPECT_REPLY && c->x.active && !c->x.started) {
        arm(c, c->server->opts.limits.stall_ms); /* the handler is at work: its own deadlines rule */
        return;
    }
    if (c->state == EXPECT_BODY && c->stream.paused) {
        arm(c, c->server->opts.limits.stall_ms);
        return;
    }
    if (c->state == EXPECT_BODY && c->x.active && !c->x.started) {
        c->keep_alive = false;
        cof_xchg_reply(&c->x, 408, NULL, (struct cof_view){0});
        return;
    }
    drop(c, COF_E_TIMEOUT);
}

/* The first byte of a connection on a port of both kinds tells which it is. */
static void on_first_byte(struct cof_watch *watch, unsigned events)
{
    struct conn *c = OWNER(watch, struct conn, stream.watch);
    struct cof_http_server *server = c->server;
    struct cof_stream_events cb = {on_ready, on_data, on_drained, on_failed, c};
    int fd = watch->fd;
    bool tls = looks_like_tls(c);

    (void)events;
    cof_loop_unwatch(server->loop, watch);
    if (cof_stream_open(&c->stream, server->loop, fd, false, &cb) != COF_OK ||
        (tls && cof_stream_start_tls(&c->stream, server->opts.tls, NULL) != COF_OK) ||
        (!tls && !server->opts.allow_plain)) {
        drop(c, COF_E_CLOSED);
        return;
    }
    c->tls = tls;
    c->state = EXPECT_HEAD;
}

static void name_peer(struct conn *c, const struct sockaddr_storage *ss)
{
    if (ss->ss_family == AF_INET)
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)ss)->sin_addr, c->peer, sizeof c->peer);
    else if (ss->ss_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)ss)->sin6_addr, c->peer, sizeof c->peer);
    else
        (void)snprintf(c->peer, sizeof c->peer, "%s", ss->ss_family == AF_UNIX ? "unix" : "vsock");
}

static void adopt(struct cof_http_server *server, int fd, const struct sockaddr_storage *ss)
{
    struct cof_stream_events cb;
    struct conn *c = calloc(1, sizeof *c);
    int one = 1;
    enum cof_err err;

    if (c == NULL) {
        (void)close(fd);
        return;
    }
    if (ss->ss_family == AF_INET || ss->ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->server = server;
    c->deadline.fire = on_deadline;
    c->finish.fire = on_finish;
    c->state = EXPECT_HEAD;
    name_peer(c, ss);
    c->next = server->conns;
    if (server->conns != NULL)
        server->conns->prev = c;
    server->conns = c;
    server->n_conns++;
    arm(c, server->opts.limits.head_ms);
    if (server->opts.tls != NULL) {
        c->state = EXPECT_TLS_OR_PLAIN;
        c->stream.watch = (struct cof_watch){.ready = on_first_byte, .fd = fd};
        c->stream.loop = server->loop;
        err = cof_loop_watch(server->loop, &c->stream.watch, COF_READABLE);
    } else {
        cb = (struct cof_stream_events){on_ready, on_data, on_drained, on_failed, c};
        err = cof_stream_open(&c->stream, server->loop, fd, false, &cb);
    }
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
        int fd;

        if (server->n_conns >= server->opts.limits.connections) {
            cof_loop_unwatch(server->loop, watch); /* drop() watches again */
            return;
        }
        fd = accept4(watch->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE)
                cof_loop_unwatch(server->loop, watch); /* out of descriptors: wait for one to close */
            return;
        }
        adopt(server, fd, &ss);
    }
}

static void defaults(struct cof_http_limits *l)
{
    l->head_bytes = l->head_bytes > 0 ? l->head_bytes : 32768;
    l->body_bytes = l->body_bytes > 0 ? l->body_bytes : UINT64_MAX;
    l->connections = l->connections > 0 ? l->connections : 4096;
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
    if (opts->tls == NULL)
        server->opts.allow_plain = true;
    defaults(&server->opts.limits);
    server->listener = (struct cof_watch){.ready = on_accept, .fd = -1};
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

void cof_http_server_drain(struct cof_http_server *server)
{
    struct conn *next;

    if (server->listener.fd < 0)
        return;
    cof_loop_unwatch(server->loop, &server->listener);
    (void)close(server->listener.fd);
    server->listener.fd = -1;
    for (struct conn *c = server->conns; c != NULL; c = next) {
        next = c->next;
        c->keep_alive = false;
        if (!c->x.active)
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
    if (server->listener.fd >= 0) {
        cof_loop_unwatch(server->loop, &server->listener);
        (void)close(server->listener.fd);
        server->listener.fd = -1;
    }
    while (server->conns != NULL)
        drop(server->conns, COF_E_CLOSED);
    cof_tls_unref(server->opts.tls);
    free(server);
}

const struct cof_http_head *cof_xchg_head(const struct cof_xchg *x)
{
    return &x->head;
}

bool cof_xchg_is_tls(const struct cof_xchg *x)
{
    return conn_of(x)->tls;
}

void cof_xchg_peer(const struct cof_xchg *x, char out[static 64])
{
    (void)snprintf(out, 64, "%s", conn_of(x)->peer);
}

void cof_xchg_set_user(struct cof_xchg *x, void *user)
{
    x->user = user;
}

void *cof_xchg_user(const struct cof_xchg *x)
{
    return x->user;
}

struct cof_loop *cof_xchg_loop(const struct cof_xchg *x)
{
    return conn_of(x)->server->loop;
}

const struct cof_headers *cof_xchg_trailers(const struct cof_xchg *x)
{
    return &x->trailers;
}

void cof_xchg_pause(struct cof_xchg *x)
{
    cof_stream_pause(&conn_of(x)->stream);
}

void cof_xchg_resume(struct cof_xchg *x)
{
    cof_stream_resume(&conn_of(x)->stream);
}
