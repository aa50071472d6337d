/* SPDX-License-Identifier: Apache-2.0 */
#include "io/http_client.h"

#include "io/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_MAX 65536
#define CONTINUE_MS 1000      /* how long 100 is waited for (RFC 9110 section 10.1.1) */
#define STALE_MS 2000         /* a kept connection lost this soon was stale: the request was not looked at */
#define PROGRESS_MIN 1024     /* bytes in the stall time that count as progress */
#define FEED_SIZE 65536
#define RESTING_MS 1000       /* an idle connection keeps its buffers so long: often the next request comes at once */
#define RIPEN_MS 300          /* how long others wait for the first connection's TLS session, at most */
#define KEY_MAX 640

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* What a connection expects next. */
enum expects { EXPECT_CONNECT, EXPECT_PROXY, EXPECT_TLS, EXPECT_NOTHING, EXPECT_HEAD, EXPECT_BODY };

struct conn {
    struct cof_http_client *client;
    struct conn *prev, *next;
    struct cof_http_call *call; /* NULL: idle */
    struct cof_stream stream;
    struct cof_timer idle;
    struct cof_chunked chunks;
    enum expects state;
    bool until_close, reusable, used_before, is_resting;
    bool is_ripe; /* its TLS session was seen, or there will be none worth waiting for */
    int64_t began_ms;
    uint64_t body_left;
    char host[256], key[KEY_MAX];
};

struct cof_http_call {
    struct cof_http_client *client;
    struct cof_http_call *prev, *next; /* all calls; those without a conn wait for one */
    struct conn *conn;
    struct cof_http_callbacks cb;
    struct cof_http_head head;
    struct cof_buf out;   /* head and, when whole, body */
    size_t out_at;        /* bytes of it given to the connection */
    char host[256];
    uint16_t port;
    bool https, has_addr, is_head, streaming, chunked;
    struct cof_addr addr;
    struct cof_timer begin, total, stall;
    int64_t stall_ms, sent_ms;
    uint64_t moved; /* bytes on the connection when the stall timer was set */
    bool waiting; /* for a connection */
    bool is_deferred, was_deferred; /* until another's TLS session can be resumed; once */
    bool sent, got_any, got_head, body_ended, may_write, expects_continue, retried;
    char key[KEY_MAX];
};

struct cof_http_client {
    struct cof_loop *loop;
    struct cof_http_client_opts opts;
    struct conn *conns;
    struct cof_http_call *calls;
};

static void start_waiting(struct cof_http_client *client, const char *key);
static void place(struct cof_http_call *call);
static void send_request(struct conn *c);
static void wake_deferred(struct cof_http_client *client, const char *key, int64_t after_ms);

static uint64_t moved(const struct cof_http_call *call)
{
    return call->conn == NULL ? 0 : call->conn->stream.total_in + call->conn->stream.total_out;
}

static void set_stall(struct cof_http_call *call, int64_t ms)
{
    enum cof_err ignored = cof_loop_arm(call->client->loop, &call->stall, ms);

    call->moved = moved(call);
    (void)ignored; /* without memory the total deadline still ends the call */
}

static void close_conn(struct conn *c)
{
    struct cof_http_client *client = c->client;

    if (c->stream.watch.fd < 0 && c->prev == NULL && client->conns != c)
        return;
    cof_stream_close(&c->stream);
    cof_loop_disarm(client->loop, &c->idle);
    cof_chunked_done(&c->chunks);
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        client->conns = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    c->prev = c->next = NULL;
    if (c->call != NULL)
        c->call->conn = NULL;
    c->call = NULL;
    cof_loop_discard(client->loop, c);
}

static void free_call(struct cof_http_call *call)
{
    struct cof_http_client *client = call->client;

    cof_loop_disarm(client->loop, &call->begin);
    cof_loop_disarm(client->loop, &call->total);
    cof_loop_disarm(client->loop, &call->stall);
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        client->calls = call->next;
    if (call->next != NULL)
        call->next->prev = call->prev;
    cof_http1_head_done(&call->head);
    cof_buf_done(&call->out);
    cof_loop_discard(client->loop, call);
}

/* The last word to the caller. */
static void finish(struct cof_http_call *call, enum cof_err err, const struct cof_diag *diag)
{
    struct cof_http_client *client = call->client;
    struct cof_http_callbacks cb = call->cb;
    bool sent = call->sent;
    char key[KEY_MAX];

    if (call->conn != NULL) {
        call->conn->call = NULL;
        if (err != COF_OK)
            close_conn(call->conn);
        call->conn = NULL;
    }
    memcpy(key, call->key, sizeof key);
    cb.done(cb.ctx, call, err, diag, sent);
    free_call(call);
    start_waiting(client, key);
}

static void fail_call(struct cof_http_call *call, enum cof_err err, const char *text)
{
    struct cof_diag diag = {0};

    (void)cof_diag_set(&diag, err, "%s:%u: %s", call->host, call->port, text);
    finish(call, err, &diag);
}

/* The reply was received whole: the connection may serve again. */
static void complete(struct conn *c)
{
    struct cof_http_call *call = c->call;
    int64_t idle_ms = c->client->opts.idle_ms;
    bool all_sent = call->body_ended && call->out_at == call->out.len && cof_stream_is_drained(&c->stream);

    c->call = NULL;
    call->conn = NULL;
    cof_chunked_done(&c->chunks);
    if (!c->reusable || !all_sent || cof_stream_unread(&c->stream) > 0 || c->stream.eof ||
        cof_loop_arm(c->client->loop, &c->idle, idle_ms < RESTING_MS ? idle_ms : RESTING_MS) != COF_OK) {
        close_conn(c);
    } else {
        c->state = EXPECT_NOTHING;
        c->used_before = true;
        c->is_resting = false;
        cof_stream_resume(&c->stream);
    }
    finish(call, COF_OK, NULL);
}

/* RFC 9112 section 6.3 lets a body without any length end with the connection; unless the head says that the connection
 * ends, that would be a cut body taken for a whole one. */
static bool is_open_ended(const struct cof_http_head *head)
{
    return !head->chunked && !head->has_length && head->keep_alive;
}

static void got_head(struct conn *c)
{
    struct cof_http_call *call = c->call;
    struct cof_http_head *head = &call->head;

    call->got_head = true;
    c->reusable = head->keep_alive;
    c->until_close = !head->chunked && !head->has_length;
    if (c->until_close)
        c->reusable = false;
    c->body_left = head->length;
    cof_chunked_init(&c->chunks);
    c->state = EXPECT_BODY;
    if (call->cb.head != NULL)
        call->cb.head(call->cb.ctx, call, head);
}

/* The body may follow its head. */
static void go_on(struct cof_http_call *call)
{
    if (!call->expects_continue)
        return;
    call->expects_continue = false;
    call->may_write = true;
    cof_loop_disarm(call->client->loop, &call->begin);
    if (call->streaming && !call->body_ended && call->cb.writable != NULL)
        call->cb.writable(call->cb.ctx, call);
}

/* Swallows 1xx; COF_E_SHORT: more is needed. */
static enum cof_err read_head(struct conn *c)
{
    struct cof_http_call *call = c->call;
    size_t used = 0;
    enum cof_err err = cof_http1_response(cof_stream_in(&c->stream), HEAD_MAX, call->is_head, &call->head, &used);

    if (err != COF_OK)
        return err;
    cof_stream_consume(&c->stream, used);
    call->got_any = true;
    if (call->head.status >= 200) {
        if (is_open_ended(&call->head))
            return COF_E_FORMAT;
        got_head(c);
        return COF_OK;
    }
    if (call->head.status == 101)
        return COF_E_FORMAT; /* nobody asked to switch */
    if (call->head.status == 100)
        go_on(call);
    cof_http1_head_done(&call->head);
    return COF_OK;
}

static enum cof_err read_body(struct conn *c, bool *end)
{
    struct cof_http_call *call = c->call;
    struct cof_view in = cof_stream_in(&c->stream), piece = {0};
    size_t before = in.len;
    enum cof_err err = COF_OK;

    *end = false;
    if (call->head.chunked) {
        err = cof_chunked_next(&c->chunks, &in, &piece, end, NULL);
    } else if (c->until_close) {
        piece = in;
        in.len = 0;
        *end = c->stream.eof;
    } else {
        piece = cof_view_sub(in, 0, c->body_left > SIZE_MAX ? SIZE_MAX : (size_t)c->body_left);
        in = cof_view_sub(in, piece.len, SIZE_MAX);
        c->body_left -= piece.len;
        *end = c->body_left == 0;
        if (piece.len == 0 && !*end)
            err = COF_E_SHORT;
    }
    if (piece.len > 0 && call->cb.body != NULL)
        call->cb.body(call->cb.ctx, call, piece);
    if (c->call == call && c->stream.watch.fd >= 0)
        cof_stream_consume(&c->stream, before - in.len);
    return err;
}

static bool is_error(enum cof_err err)
{
    return err != COF_OK && err != COF_E_SHORT;
}

/* Moves a reply as far as the input allows. */
static void process(struct conn *c)
{
    while (c->call != NULL && c->stream.watch.fd >= 0 && !c->stream.failed && !c->stream.paused) {
        struct cof_http_call *call = c->call;
        bool end = false;
        enum cof_err err = c->state == EXPECT_HEAD   ? read_head(c)
                           : c->state == EXPECT_BODY ? read_body(c, &end)
                                                     : COF_E_SHORT;

        if (c->call != call)
            return; /* cancelled inside a callback */
        if (is_error(err)) {
            fail_call(call, err, "the reply is malformed");
            return;
        }
        if (end) {
            complete(c);
            return;
        }
        if (err == COF_E_SHORT || (c->until_close && cof_stream_unread(&c->stream) == 0))
            return;
    }
}

/* A kept connection that the peer closed in the meantime: nothing of the reply came, so the request may go again on a
 * fresh connection, once, when all of it is still here. */
static bool try_again(struct conn *c)
{
    struct cof_http_call *call = c->call;

    if (!c->used_before || call->got_any || call->streaming || call->retried ||
        cof_loop_now_ms(c->client->loop) - call->sent_ms > STALE_MS)
        return false;
    call->retried = call->waiting = true;
    call->out_at = 0;
    call->conn = NULL;
    c->call = NULL;
    close_conn(c);
    place(call);
    return true;
}

static void lost(struct conn *c, enum cof_err err, const struct cof_diag *diag)
{
    struct cof_http_call *call = c->call;

    if (call == NULL) {
        close_conn(c);
        return;
    }
    if (try_again(c))
        return;
    if (diag != NULL && diag->text[0] != '\0') {
        struct cof_diag where = *diag;
        bool proxied = c->client->opts.has_proxy && !call->has_addr && c->state == EXPECT_CONNECT;
        if (err == COF_E_IO)
            (void)cof_diag_set(&where, err, proxied ? "%s:%u: the proxy: %s" : "%s:%u: %s", call->host, call->port, diag->text);
        finish(call, err, &where);
    } else {
        fail_call(call, call->got_any ? COF_E_TRUNCATED : COF_E_CLOSED, "the connection was closed");
    }
}

static void proxy_reply(struct conn *c)
{
    struct cof_http_call *call = c->call;
    struct cof_http_head head;
    size_t used = 0;
    enum cof_err err = cof_http1_response(cof_stream_in(&c->stream), HEAD_MAX, true, &head, &used);
    int status = head.status;

    if (err == COF_E_SHORT)
        return;
    cof_http1_head_done(&head);
    if (err != COF_OK || status / 100 != 2) {
        fail_call(call, err != COF_OK ? COF_E_FORMAT : COF_E_DENIED,
                  err != COF_OK     ? "the proxy's reply is malformed"
                  : status == 407 ? "the proxy asks for a user and password, or for others (HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT)"
                                  : "the proxy refuses the connection");
        return;
    }
    cof_stream_consume(&c->stream, used);
    if (!call->https) {
        send_request(c);
        return;
    }
    c->state = EXPECT_TLS;
    if (cof_stream_start_tls(&c->stream, c->client->opts.tls, call->host) != COF_OK)
        fail_call(call, COF_E_IO, "TLS cannot be started");
}

/* What was deferred for it goes on as soon as there is a session. A reply without one says that none is coming. */
static void look_for_session(struct conn *c)
{
    bool has = c->stream.tls != NULL && cof_tls_has_session(c->client->opts.tls, c->host);

    c->is_ripe = has || cof_stream_unread(&c->stream) > 0;
    if (c->is_ripe && c->state > EXPECT_TLS)
        wake_deferred(c->client, c->key, 0);
}

static void on_data(void *ctx)
{
    struct conn *c = ctx;

    if (!c->is_ripe)
        look_for_session(c);
    if (c->call == NULL && !c->stream.eof && cof_stream_unread(&c->stream) == 0)
        return;
    if (c->state == EXPECT_PROXY && c->call != NULL)
        proxy_reply(c);
    else if (c->call == NULL) {
        close_conn(c); /* an idle connection has nothing to say but its end */
        return;
    } else
        process(c);
    if (c->stream.watch.fd >= 0 && c->stream.eof && c->call != NULL && !c->stream.paused &&
        !(c->until_close && c->state == EXPECT_BODY))
        lost(c, COF_E_CLOSED, NULL);
}

/* A whole body goes to the connection as that empties, not all at once. */
static void feed(struct cof_http_call *call)
{
    struct cof_stream *s = &call->conn->stream;

    while (call->out_at < call->out.len && !cof_stream_over_high(s)) {
        struct cof_view piece = cof_view_sub(cof_buf_view(&call->out), call->out_at, FEED_SIZE);
        call->out_at += piece.len;
        cof_stream_write(s, piece);
    }
}

static void on_drained(void *ctx)
{
    struct conn *c = ctx;
    struct cof_http_call *call = c->call;

    if (call == NULL || c->state < EXPECT_HEAD)
        return;
    feed(call);
    if (call->streaming && call->may_write && !call->body_ended && call->cb.writable != NULL)
        call->cb.writable(call->cb.ctx, call);
}

static void send_request(struct conn *c)
{
    struct cof_http_call *call = c->call;

    c->state = EXPECT_HEAD;
    call->sent = true;
    call->sent_ms = cof_loop_now_ms(c->client->loop);
    call->body_ended = !call->streaming;
    feed(call);
    if (call->streaming && !call->expects_continue)
        call->may_write = true; /* writable follows when the head is out */
    if (call->expects_continue && cof_loop_arm(c->client->loop, &call->begin, CONTINUE_MS) != COF_OK)
        go_on(call); /* no waiting then */
    set_stall(call, call->stall_ms);
}

static void ask_proxy(struct conn *c)
{
    struct cof_http_call *call = c->call;
    const char *open = strchr(call->host, ':') != NULL ? "[" : "", *close = open[0] != '\0' ? "]" : "";
    struct cof_buf out;

    c->state = EXPECT_PROXY;
    cof_buf_init_secret(&out, 2048);
    cof_buf_printf(&out, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n", open, call->host, close,
                   call->port, open, call->host, close, call->port);
    if (c->client->opts.proxy_basic != NULL)
        cof_buf_printf(&out, "Proxy-Authorization: Basic %s\r\n", c->client->opts.proxy_basic);
    cof_buf_add_str(&out, "\r\n");
    cof_stream_write(&c->stream, cof_buf_view(&out));
    cof_buf_done(&out);
}

/* Those deferred look again after so long. */
static void wake_deferred(struct cof_http_client *client, const char *key, int64_t after_ms)
{
    for (struct cof_http_call *call = client->calls; call != NULL; call = call->next)
        if (call->is_deferred && strcmp(call->key, key) == 0 && cof_loop_arm(client->loop, &call->begin, after_ms) != COF_OK)
            call->is_deferred = false; /* then it begins when a place is free */
}

static void on_ready(void *ctx)
{
    struct conn *c = ctx;
    struct cof_http_call *call = c->call;
    bool proxied = c->client->opts.has_proxy && call != NULL && !call->has_addr;

    if (call == NULL) {
        close_conn(c);
        return;
    }
    if (c->state == EXPECT_CONNECT && proxied) {
        ask_proxy(c);
    } else if (c->state == EXPECT_CONNECT && call->https) {
        c->state = EXPECT_TLS;
        if (cof_stream_start_tls(&c->stream, c->client->opts.tls, call->host) != COF_OK)
            fail_call(call, COF_E_IO, "TLS cannot be started");
    } else {
        int64_t took = cof_loop_now_ms(c->client->loop) - c->began_ms;
        wake_deferred(c->client, c->key, took < RIPEN_MS ? took + 1 : RIPEN_MS); /* a session comes now, or not at all */
        send_request(c);
    }
}

static void on_failed(void *ctx, enum cof_err err, const struct cof_diag *diag)
{
    lost(ctx, err, diag);
}

/* First its memory is let go of, later the connection. */
static void on_idle(struct cof_timer *timer)
{
    struct conn *c = OWNER(timer, struct conn, idle);
    int64_t rest = c->client->opts.idle_ms - RESTING_MS;

    if (c->is_resting || rest <= 0 || cof_loop_arm(c->client->loop, &c->idle, rest) != COF_OK) {
        close_conn(c);
        return;
    }
    c->is_resting = true;
    cof_stream_release(&c->stream);
}

static void open_conn(struct cof_http_call *call)
{
    struct cof_http_client *client = call->client;
    struct cof_stream_events events = {on_ready, on_data, on_drained, on_failed, NULL};
    struct cof_addr addr = {.kind = COF_ADDR_TCP, .port = call->port};
    struct cof_diag diag = {0};
    struct conn *c;
    int fd;
    enum cof_err err;

    (void)snprintf(addr.host, sizeof addr.host, "%s", call->host);
    if (call->has_addr)
        addr = call->addr;
    else if (client->opts.has_proxy)
        addr = client->opts.proxy;
    err = cof_dial(&addr, client->opts.resolve, &fd, &diag);
    if (err != COF_OK) {
        finish(call, err, &diag);
        return;
    }
    c = calloc(1, sizeof *c);
    if (c == NULL) {
        (void)close(fd);
        finish(call, COF_E_MEMORY, NULL);
        return;
    }
    events.ctx = c;
    c->client = client;
    c->call = call;
    c->state = EXPECT_CONNECT;
    c->began_ms = cof_loop_now_ms(client->loop);
    (void)snprintf(c->host, sizeof c->host, "%s", call->host);
    c->idle.fire = on_idle;
    c->next = client->conns;
    if (client->conns != NULL)
        client->conns->prev = c;
    client->conns = c;
    memcpy(c->key, call->key, sizeof c->key);
    call->conn = c;
    set_stall(call, client->opts.connect_ms);
    if (cof_stream_open(&c->stream, client->loop, fd, true, &events) != COF_OK)
        finish(call, COF_E_IO, NULL);
}

static void use_conn(struct cof_http_call *call, struct conn *c)
{
    cof_loop_disarm(call->client->loop, &c->idle);
    c->call = call;
    call->conn = c;
    send_request(c);
}

/* Several connections that begin at the same moment would each verify the server's certificates, which is most of what a handshake
 * costs both sides. So the first goes ahead, and the others resume its session. */
static bool is_worth_waiting(const struct cof_http_client *client, const struct cof_http_call *call)
{
    if (!call->https || call->was_deferred || cof_tls_has_session(client->opts.tls, call->host))
        return false;
    for (const struct conn *c = client->conns; c != NULL; c = c->next)
        if (c->call != NULL && !c->is_ripe && !c->used_before && strcmp(c->key, call->key) == 0)
            return true;
    return false;
}

static void place(struct cof_http_call *call)
{
    struct cof_http_client *client = call->client;
    size_t busy = 0;

    call->is_deferred = false;
    for (struct conn *c = client->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (strcmp(c->key, call->key) != 0)
            continue;
        if (c->call == NULL && c->state == EXPECT_NOTHING && !call->retried) {
            if (cof_stream_is_stale(&c->stream)) {
                close_conn(c);
                continue;
            }
            call->waiting = false;
            use_conn(call, c);
            return;
        }
        busy += c->call != NULL;
    }
    if (is_worth_waiting(client, call) && cof_loop_arm(client->loop, &call->begin, RIPEN_MS) == COF_OK) {
        call->is_deferred = call->was_deferred = true;
    } else if (busy < client->opts.per_endpoint) {
        call->waiting = false;
        open_conn(call);
    }
}

/* A place at this endpoint has become free: for the oldest call that waits for one. New calls stand in front. */
static void start_waiting(struct cof_http_client *client, const char *key)
{
    struct cof_http_call *oldest = NULL;

    for (struct cof_http_call *call = client->calls; call != NULL; call = call->next)
        if (call->waiting && (call->is_deferred || !call->begin.armed) && strcmp(call->key, key) == 0)
            oldest = call;
    if (oldest != NULL && cof_loop_arm(client->loop, &oldest->begin, 0) != COF_OK)
        oldest->begin.armed = false; /* the next call that ends tries again */
}

static void on_begin(struct cof_timer *timer)
{
    struct cof_http_call *call = OWNER(timer, struct cof_http_call, begin);

    if (call->waiting)
        place(call);
    else
        go_on(call); /* no 100 came: older servers send none */
}

static void on_total(struct cof_timer *timer)
{
    fail_call(OWNER(timer, struct cof_http_call, total), COF_E_TIMEOUT, "no complete reply in time");
}

static void on_stall(struct cof_timer *timer)
{
    struct cof_http_call *call = OWNER(timer, struct cof_http_call, stall);

    bool ours = call->conn != NULL && call->conn->state >= EXPECT_HEAD &&
                (call->conn->stream.paused || /* it is we who do not read, or do not write */
                 (call->may_write && !call->body_ended && !call->got_head &&
                  cof_stream_is_drained(&call->conn->stream)));

    if (ours || (call->conn != NULL && call->conn->state >= EXPECT_HEAD && moved(call) - call->moved >= PROGRESS_MIN)) {
        set_stall(call, call->stall_ms);
        return;
    }
    fail_call(call, COF_E_TIMEOUT,
              call->conn == NULL || call->conn->state < EXPECT_NOTHING ? "cannot connect in time"
                                                                       : "no progress for too long");
}

enum cof_err cof_http_client_new(struct cof_loop *loop, const struct cof_http_client_opts *opts,
                                 struct cof_http_client **out)
{
    struct cof_http_client *client = calloc(1, sizeof *client);

    *out = NULL;
    if (client == NULL)
        return COF_E_MEMORY;
    client->loop = loop;
    client->opts = *opts;
    client->opts.tls = cof_tls_ref(opts->tls);
    client->opts.connect_ms = opts->connect_ms > 0 ? opts->connect_ms : 5000;
    client->opts.idle_ms = opts->idle_ms > 0 ? opts->idle_ms : 20000;
    client->opts.per_endpoint = opts->per_endpoint > 0 ? opts->per_endpoint : 64;
    if (client->opts.resolve == NULL)
        client->opts.resolve = cof_resolve_literal;
    *out = client;
    return COF_OK;
}

void cof_http_client_free(struct cof_http_client *client)
{
    if (client == NULL)
        return;
    while (client->calls != NULL)
        cof_http_call_cancel(client->calls);
    while (client->conns != NULL)
        close_conn(client->conns);
    cof_tls_unref(client->opts.tls);
    free(client);
}

struct cof_loop *cof_http_client_loop(const struct cof_http_client *client)
{
    return client->loop;
}

/* Where a call may be served: connections with the same key are interchangeable. */
static bool make_key(const struct cof_http_call *call, char key[static KEY_MAX])
{
    char addr[300] = "";

    if (call->has_addr)
        cof_addr_text(&call->addr, addr);
    return snprintf(key, KEY_MAX, "%d %s %u %s", call->https, call->host, call->port, addr) < KEY_MAX;
}

static bool expects_continue(struct cof_view head)
{
    static const char field[] = "\r\nexpect: 100-continue\r\n";

    for (size_t i = 0; i + sizeof field - 1 <= head.len; i++)
        if (head.data[i] == '\r' &&
            cof_view_eq_nocase(cof_view_sub(head, i, sizeof field - 1), cof_view_of(field, sizeof field - 1)))
            return true;
    return false;
}

enum cof_err cof_http_call_start(struct cof_http_client *client, const struct cof_http_call_opts *opts,
                                 const struct cof_http_callbacks *callbacks, struct cof_http_call **out)
{
    struct cof_http_call *call;
    int64_t total_ms = opts->total_ms == 0 ? 60000 : opts->total_ms;
    enum cof_err err = COF_OK;

    *out = NULL;
    if (opts->host == NULL || strlen(opts->host) >= sizeof call->host || (opts->https && client->opts.tls == NULL))
        return COF_E_USAGE;
    call = calloc(1, sizeof *call);
    if (call == NULL)
        return COF_E_MEMORY;
    call->client = client;
    call->cb = *callbacks;
    (void)snprintf(call->host, sizeof call->host, "%s", opts->host);
    call->port = opts->port;
    call->https = opts->https;
    call->has_addr = opts->has_addr;
    call->addr = opts->addr;
    call->is_head = opts->is_head;
    call->streaming = opts->streaming;
    call->chunked = opts->chunked;
    call->stall_ms = opts->stall_ms > 0 ? opts->stall_ms : 30000;
    call->begin.fire = on_begin;
    call->total.fire = on_total;
    call->stall.fire = on_stall;
    call->expects_continue = opts->streaming && expects_continue(opts->head);
    cof_buf_init_secret(&call->out, SIZE_MAX - 1); /* the caller's own bytes: no cap to add; heads carry credentials */
    cof_buf_add(&call->out, opts->head);
    cof_buf_add(&call->out, opts->body);
    err = cof_buf_err(&call->out);
    if (err == COF_OK && !make_key(call, call->key))
        err = COF_E_LIMIT;
    if (err == COF_OK && total_ms > 0)
        err = cof_loop_arm(client->loop, &call->total, total_ms);
    call->next = client->calls;
    if (client->calls != NULL)
        client->calls->prev = call;
    client->calls = call;
    /* From the loop, so that no callback runs before this returns. */
    call->waiting = true;
    if (err == COF_OK)
        err = cof_loop_arm(client->loop, &call->begin, 0);
    if (err != COF_OK) {
        free_call(call);
        return err;
    }
    *out = call;
    return COF_OK;
}

bool cof_http_call_write(struct cof_http_call *call, struct cof_view piece)
{
    struct cof_stream *s;
    char size[24];

    if (call->conn == NULL || call->body_ended || piece.len == 0)
        return true;
    s = &call->conn->stream;
    if (call->chunked) {
        (void)snprintf(size, sizeof size, "%zx\r\n", piece.len);
        cof_stream_write(s, cof_view_str(size));
    }
    cof_stream_write(s, piece);
    if (call->chunked)
        cof_stream_write(s, COF_LIT("\r\n"));
    return !cof_stream_over_high(s);
}

void cof_http_call_end(struct cof_http_call *call)
{
    if (call->conn == NULL || call->body_ended || !call->streaming)
        return;
    if (call->chunked)
        cof_stream_write(&call->conn->stream, COF_LIT("0\r\n\r\n"));
    call->body_ended = true;
}

void cof_http_call_pause(struct cof_http_call *call)
{
    if (call->conn != NULL)
        cof_stream_pause(&call->conn->stream);
}

void cof_http_call_resume(struct cof_http_call *call)
{
    if (call->conn != NULL)
        cof_stream_resume(&call->conn->stream);
}

void cof_http_call_cancel(struct cof_http_call *call)
{
    struct cof_http_client *client = call->client;
    char key[KEY_MAX];

    if (call->conn != NULL) {
        call->conn->call = NULL;
        close_conn(call->conn);
        call->conn = NULL;
    }
    memcpy(key, call->key, sizeof key);
    free_call(call);
    start_waiting(client, key);
}
