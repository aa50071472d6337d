/* SPDX-License-Identifier: Apache-2.0
 *
 * The reply side of an exchange: heads, framing of bodies, what keeps a connection alive.
 */
#include "io/http_conn.h"
#include "io/tls_conn.h"

#include "base/date.h"
#include "io/clock.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

/* The text is made once a second. */
static const char *date_of(struct cof_http_server *server)
{
    int64_t now_ms = cof_clock_wall_ms();

    if (now_ms / 1000 != server->date_s || server->date[0] == '\0') {
        server->date_s = now_ms / 1000;
        cof_date_http(now_ms, server->date);
    }
    return server->date;
}

/* Fields that this layer states itself: the handler's would contradict the framing. */
static bool is_ours(struct cof_view name)
{
    return cof_view_eq_nocase(name, COF_LIT("content-length")) || cof_view_eq_nocase(name, COF_LIT("connection")) ||
           cof_view_eq_nocase(name, COF_LIT("transfer-encoding")) || cof_view_eq_nocase(name, COF_LIT("date"));
}

static void add_fields(struct cof_http_conn *c, const struct cof_headers *headers, struct cof_buf *out)
{
    struct cof_view value;

    for (size_t i = 0; i < headers->n; i++) {
        struct cof_view name = cof_headers_name(headers, i);
        if (is_ours(name))
            continue;
        cof_buf_add(out, name);
        cof_buf_add(out, COF_LIT(": "));
        cof_buf_add(out, cof_headers_value(headers, i));
        cof_buf_add(out, COF_LIT("\r\n"));
    }
    if (cof_headers_get(headers, "connection", &value) && cof_view_eq_nocase(value, COF_LIT("close")))
        c->keep_alive = false;
}

/* length < 0: none is stated. */
static void write_head(struct cof_http_conn *c, int status, const struct cof_headers *headers, int64_t length,
                       bool chunked)
{
    struct cof_buf *out = &c->server->head;

    cof_buf_reset(out);
    cof_buf_add(out, COF_LIT("HTTP/1.1 "));
    cof_buf_add_decimal(out, (uint64_t)status);
    cof_buf_add_u8(out, ' ');
    cof_buf_add_str(out, cof_http1_reason(status));
    cof_buf_add(out, COF_LIT("\r\nDate: "));
    cof_buf_add_str(out, date_of(c->server));
    cof_buf_add(out, COF_LIT("\r\n"));
    if (headers != NULL)
        add_fields(c, headers, out);
    if (chunked)
        cof_buf_add(out, COF_LIT("Transfer-Encoding: chunked\r\n"));
    else if (length >= 0) {
        cof_buf_add(out, COF_LIT("Content-Length: "));
        cof_buf_add_decimal(out, (uint64_t)length);
        cof_buf_add(out, COF_LIT("\r\n"));
    }
    if (!c->keep_alive)
        cof_buf_add(out, COF_LIT("Connection: close\r\n"));
    else if (c->x != NULL && c->x->head.minor == 0)
        cof_buf_add(out, COF_LIT("Connection: keep-alive\r\n"));
    cof_buf_add(out, COF_LIT("\r\n"));
    cof_stream_write(&c->stream, cof_buf_view(out));
}

void cof_http_refuse(struct cof_http_conn *c, int status)
{
    c->keep_alive = false;
    write_head(c, status, NULL, 0, false);
}

/* What is left unread decides whether the connection can go on. */
static void decide_keep_alive(struct cof_xchg *x)
{
    if (!x->body_done && (x->head.expect_continue || x->head.chunked || x->body_left > COF_HTTP_DRAIN_MAX))
        x->conn->keep_alive = false;
}

static void finish_soon(struct cof_xchg *x)
{
    x->finished = true;
    if (cof_loop_arm(x->conn->server->loop, &x->conn->finish, 0) != COF_OK)
        (void)shutdown(x->conn->stream.watch.fd, SHUT_RDWR);
}

void cof_xchg_start(struct cof_xchg *x, int status, const struct cof_headers *headers, int64_t length)
{
    struct cof_http_conn *c = x->conn;
    bool to_head = cof_view_eq(x->head.method, COF_LIT("HEAD"));
    bool no_body = status < 200 || status == 204 || status == 304;

    if (x->closed || x->started || x->finished)
        return;
    decide_keep_alive(x);
    x->started = true;
    x->bodiless = to_head || no_body;
    x->chunked = length < 0 && x->head.minor == 1 && !x->bodiless;
    if (length < 0 && !x->chunked && !x->bodiless)
        c->keep_alive = false; /* HTTP/1.0: the end of the connection is the end of the body */
    x->left = length;
    write_head(c, status, headers, no_body ? -1 : length, x->chunked);
}

static bool write_chunk(struct cof_stream *s, struct cof_view piece)
{
    char size[24];

    (void)snprintf(size, sizeof size, "%zx\r\n", piece.len);
    cof_stream_write(s, cof_view_str(size));
    cof_stream_write(s, piece);
    cof_stream_write(s, COF_LIT("\r\n"));
    return !cof_stream_over_high(s);
}

bool cof_xchg_write(struct cof_xchg *x, struct cof_view piece)
{
    struct cof_stream *s = &x->conn->stream;

    if (x->closed || x->finished || !x->started || x->bodiless || piece.len == 0)
        return true;
    if (x->chunked)
        return write_chunk(s, piece);
    if (x->left >= 0 && (uint64_t)x->left < piece.len) {
        cof_xchg_abort(x); /* more than was promised: a bug of the handler's must not become framing */
        return false;
    }
    if (x->left >= 0)
        x->left -= (int64_t)piece.len;
    cof_stream_write(s, piece);
    return !cof_stream_over_high(s);
}

void cof_xchg_end(struct cof_xchg *x)
{
    if (x->closed || x->finished || !x->started)
        return;
    if (x->chunked)
        cof_stream_write(&x->conn->stream, COF_LIT("0\r\n\r\n"));
    else if (x->left > 0 && !x->bodiless)
        x->cut = true; /* less than was promised */
    finish_soon(x);
}

void cof_xchg_reply(struct cof_xchg *x, int status, const struct cof_headers *headers, struct cof_view body)
{
    if (x->closed || x->started || x->finished)
        return;
    cof_xchg_start(x, status, headers, (int64_t)body.len);
    (void)cof_xchg_write(x, body);
    cof_xchg_end(x);
}

void cof_xchg_abort(struct cof_xchg *x)
{
    if (x->closed)
        return;
    x->cut = true;
    finish_soon(x);
}

const struct cof_http_head *cof_xchg_head(const struct cof_xchg *x)
{
    return &x->head;
}

bool cof_xchg_is_tls(const struct cof_xchg *x)
{
    return x->conn->tls;
}

void cof_xchg_tls_names(const struct cof_xchg *x, const char **version, const char **cipher)
{
    *version = *cipher = NULL;
    if (x->conn->stream.tls != NULL)
        cof_tls_conn_names(x->conn->stream.tls, version, cipher);
}

void cof_xchg_peer(const struct cof_xchg *x, char out[static 64])
{
    cof_view_copy(cof_view_str(x->conn->peer), out, 64);
}

void cof_xchg_decided(struct cof_xchg *x)
{
    x->decided = true;
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
    return x->conn->server->loop;
}

const struct cof_headers *cof_xchg_trailers(const struct cof_xchg *x)
{
    return &x->trailers;
}

void cof_xchg_pause(struct cof_xchg *x)
{
    if (!x->closed)
        cof_stream_pause(&x->conn->stream);
}

void cof_xchg_resume(struct cof_xchg *x)
{
    if (!x->closed)
        cof_stream_resume(&x->conn->stream);
}

void cof_xchg_need_peer(struct cof_xchg *x, bool need)
{
    x->need_peer = need;
}

bool cof_xchg_peer_is_gone(const struct cof_xchg *x)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    struct pollfd p = {.fd = x->conn->stream.watch.fd, .events = POLLRDHUP};

    if (x->closed || x->conn->stream.eof)
        return true;
    if (getsockopt(p.fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
        return info.tcpi_state != TCP_ESTABLISHED;
    return poll(&p, 1, 0) == 1; /* vsock, Unix */
}
