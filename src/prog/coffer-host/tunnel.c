/* SPDX-License-Identifier: Apache-2.0 */
#include "tunnel.h"

#include "base/num.h"
#include "format/http1.h"
#include "format/tls_hello.h"
#include "io/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 4096
#define IN_MAX 32768 /* a head, or a ClientHello: also the relay's limit on early bytes */

/* What a connection is waiting for. */
enum expects { EXPECT_HEAD, EXPECT_CONNECT, EXPECT_HELLO, EXPECT_NOTHING };

struct conn {
    struct tunnel *tunnel;
    struct conn *prev, *next;
    enum expects state;
    struct cof_watch inner; /* the enclave's side */
    struct cof_watch outer; /* the service's side; fd -1 before the dial */
    struct cof_timer deadline;
    struct cof_buf in;
    char host[256];
    struct cof_relay *relay;
};

struct tunnel {
    struct cof_loop *loop;
    struct tunnel_opts opts;
    struct cof_watch listener;
    struct conn *conns;
    struct tunnel_counts counts;
};

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

static void accept_more(struct cof_watch *watch, unsigned events);

static void unlink_conn(struct conn *c)
{
    struct tunnel *t = c->tunnel;

    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        t->conns = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    t->counts.open--;
    if (!t->listener.active && t->listener.fd >= 0 && cof_loop_watch(t->loop, &t->listener, COF_READABLE) != COF_OK)
        cof_log_event(t->opts.log, COF_LOG_ERROR, "host.listener_lost", NULL);
}

static void drop(struct conn *c)
{
    struct cof_loop *loop = c->tunnel->loop;

    cof_loop_disarm(loop, &c->deadline);
    cof_relay_cancel(c->relay);
    if (c->inner.fd >= 0) {
        cof_loop_unwatch(loop, &c->inner);
        (void)close(c->inner.fd);
    }
    if (c->outer.fd >= 0) {
        cof_loop_unwatch(loop, &c->outer);
        (void)close(c->outer.fd);
    }
    unlink_conn(c);
    cof_buf_done(&c->in);
    free(c);
}

/* Replies here are small against a fresh socket's buffer; what does not fit at once is a peer not worth waiting for. */
static void answer(struct conn *c, int status, struct cof_view body)
{
    struct cof_buf out;
    ssize_t n;

    cof_buf_init(&out, 65536);
    cof_buf_printf(&out, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                   status, cof_http1_reason(status), body.len);
    cof_buf_add(&out, body);
    n = send(c->inner.fd, out.data, out.len, MSG_NOSIGNAL);
    if (n != (ssize_t)out.len)
        cof_log_event(c->tunnel->opts.log, COF_LOG_WARN, "host.reply_cut", NULL);
    cof_buf_done(&out);
    drop(c);
}

static void refuse(struct conn *c, int status, const char *why)
{
    struct cof_buf body;

    c->tunnel->counts.refused++;
    cof_log_event(c->tunnel->opts.log, COF_LOG_WARN, "host.refused", "destination", c->host, "why", why, NULL);
    cof_buf_init(&body, 1024);
    cof_buf_printf(&body, "{\"error\":\"%s\"}\n", why);
    answer(c, status, cof_buf_view(&body));
    cof_buf_done(&body);
}

static void on_relay_done(void *ctx, struct cof_relay *relay, enum cof_err why, const uint64_t bytes[2])
{
    struct conn *c = ctx;

    (void)relay;
    (void)why;
    c->tunnel->counts.bytes_out += bytes[0];
    c->tunnel->counts.bytes_in += bytes[1];
    c->relay = NULL;
    drop(c);
}

static void start_relay(struct conn *c)
{
    struct tunnel *t = c->tunnel;
    struct cof_relay_opts opts = {
        .fd = {c->inner.fd, c->outer.fd},
        .early = cof_buf_view(&c->in),
        .idle_ms = t->opts.idle_ms,
        .done = on_relay_done,
        .ctx = c,
    };

    cof_loop_unwatch(t->loop, &c->inner);
    cof_loop_unwatch(t->loop, &c->outer);
    cof_loop_disarm(t->loop, &c->deadline);
    c->state = EXPECT_NOTHING;
    if (cof_relay_start(t->loop, &opts, &c->relay) != COF_OK) {
        drop(c);
        return;
    }
    c->inner.fd = c->outer.fd = -1; /* moved */
    t->counts.tunnels++;
    cof_buf_done(&c->in);
}

/* The destination is a name: the hello must carry it. A literal address has no server name (RFC 6066). */
static bool is_literal(const char *host)
{
    struct cof_sockaddr sa[1];
    size_t n = 0;

    return cof_resolve_literal(host, 1, sa, 1, &n) == COF_OK && n > 0;
}

static void check_hello(struct conn *c)
{
    struct cof_view name;
    enum cof_err err = cof_tls_hello_server_name(cof_buf_view(&c->in), &name);

    if (err == COF_E_SHORT && c->in.len < IN_MAX)
        return;
    if (err != COF_OK || (name.len == 0 ? !is_literal(c->host) : !cof_view_eq_nocase(name, cof_view_str(c->host)))) {
        c->tunnel->counts.refused++;
        cof_log_event(c->tunnel->opts.log, COF_LOG_WARN, "host.refused", "destination", c->host, "why",
                      err != COF_OK ? "not TLS" : "the TLS server name is another", NULL);
        drop(c);
        return;
    }
    start_relay(c);
}

static void on_connected(struct cof_watch *watch, unsigned events)
{
    static const char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    struct conn *c = OWNER(watch, struct conn, outer);
    int error = 0;
    socklen_t len = sizeof error;

    (void)events;
    cof_loop_unwatch(c->tunnel->loop, watch);
    if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        refuse(c, 502, "the destination does not answer");
        return;
    }
    if (send(c->inner.fd, established, sizeof established - 1, MSG_NOSIGNAL) != (ssize_t)sizeof established - 1) {
        drop(c);
        return;
    }
    c->state = EXPECT_HELLO;
    if (cof_loop_watch(c->tunnel->loop, &c->inner, COF_READABLE) != COF_OK)
        drop(c);
    else if (c->in.len > 0)
        check_hello(c);
}

static bool allowed(const struct tunnel *t, struct cof_view target)
{
    for (size_t i = 0; i < t->opts.n_allow; i++)
        if (cof_view_eq_nocase(target, cof_view_str(t->opts.allow[i])))
            return true;
    return false;
}

static void connect_to(struct conn *c, struct cof_view target)
{
    struct tunnel *t = c->tunnel;
    struct cof_addr addr = {.kind = COF_ADDR_TCP};
    struct cof_view host = target, port = {0};
    uint64_t number;
    size_t colon = target.len;

    while (colon > 0 && target.data[colon - 1] != ':')
        colon--;
    if (colon > 0) {
        host = cof_view_sub(target, 0, colon - 1);
        port = cof_view_sub(target, colon, SIZE_MAX);
    }
    if (!allowed(t, target) || host.len >= sizeof c->host || host.len == 0 ||
        cof_parse_u64(port, 65535, &number) != COF_OK) {
        refuse(c, 403, "destination not on the allow-list");
        return;
    }
    memcpy(c->host, host.data, host.len);
    c->host[host.len] = '\0';
    memcpy(addr.host, c->host, host.len + 1);
    addr.port = (uint32_t)number;
    cof_loop_unwatch(t->loop, &c->inner);
    c->state = EXPECT_CONNECT;
    if (cof_dial(&addr, t->opts.resolve, &c->outer.fd, NULL) != COF_OK) {
        c->outer.fd = -1;
        refuse(c, 502, "the destination cannot be reached");
    } else if (cof_loop_watch(t->loop, &c->outer, COF_WRITABLE) != COF_OK) {
        drop(c);
    }
}

static void give_credentials(struct conn *c)
{
    struct cof_buf json;
    enum cof_err err;

    cof_buf_init_secret(&json, 16384);
    err = c->tunnel->opts.credentials == NULL ? COF_E_NOT_FOUND
                                              : c->tunnel->opts.credentials(c->tunnel->opts.ctx, &json);
    if (err == COF_OK) {
        c->tunnel->counts.credentials++;
        answer(c, 200, cof_buf_view(&json));
    } else {
        refuse(c, 503, "no credentials at the moment");
    }
    cof_buf_done(&json);
}

static void parse_head(struct conn *c)
{
    struct cof_http_head head = {0};
    size_t used = 0;
    enum cof_err err = cof_http1_request(cof_buf_view(&c->in), HEAD_MAX, &head, &used);

    if (err == COF_E_SHORT)
        return;
    if (err != COF_OK) {
        refuse(c, 400, "malformed request");
        return;
    }
    cof_buf_drop(&c->in, used);
    if (head.chunked || (head.has_length && head.length > 0))
        refuse(c, 400, "a body is not expected here");
    else if (cof_view_eq(head.method, COF_LIT("CONNECT")))
        connect_to(c, head.target);
    else if (cof_view_eq(head.method, COF_LIT("GET")) && cof_view_eq(head.target, COF_LIT("/credentials")))
        give_credentials(c);
    else
        refuse(c, 404, "only CONNECT and GET /credentials");
    cof_http1_head_done(&head);
}

static void on_inner(struct cof_watch *watch, unsigned events)
{
    struct conn *c = OWNER(watch, struct conn, inner);
    ssize_t n;

    (void)events;
    if (cof_buf_reserve(&c->in, 4096) != COF_OK) {
        drop(c);
        return;
    }
    n = recv(watch->fd, c->in.data + c->in.len, 4096, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    c->in.len += (size_t)n;
    if (c->state == EXPECT_HEAD)
        parse_head(c);
    else if (c->state == EXPECT_HELLO)
        check_hello(c);
}

static void on_deadline(struct cof_timer *timer)
{
    struct conn *c = OWNER(timer, struct conn, deadline);

    cof_log_event(c->tunnel->opts.log, COF_LOG_WARN, "host.setup_timeout", "destination", c->host, NULL);
    drop(c);
}

static void adopt(struct tunnel *t, int fd)
{
    struct conn *c = calloc(1, sizeof *c);

    if (c == NULL) {
        (void)close(fd);
        return;
    }
    c->tunnel = t;
    c->next = t->conns;
    if (t->conns != NULL)
        t->conns->prev = c;
    t->conns = c;
    t->counts.open++;
    t->counts.accepted++;
    cof_buf_init(&c->in, IN_MAX + 4096);
    c->inner = (struct cof_watch){.ready = on_inner, .fd = fd};
    c->outer = (struct cof_watch){.ready = on_connected, .fd = -1};
    c->deadline.fire = on_deadline;
    if (cof_loop_watch(t->loop, &c->inner, COF_READABLE) != COF_OK ||
        cof_loop_arm(t->loop, &c->deadline, t->opts.setup_ms) != COF_OK)
        drop(c);
}

static void accept_more(struct cof_watch *watch, unsigned events)
{
    struct tunnel *t = OWNER(watch, struct tunnel, listener);

    (void)events;
    for (int i = 0; i < 64; i++) {
        int fd;
        if (t->counts.open >= t->opts.max_open) {
            cof_loop_unwatch(t->loop, watch); /* drop() watches again */
            return;
        }
        fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        adopt(t, fd);
    }
}

enum cof_err tunnel_new(struct cof_loop *loop, const struct tunnel_opts *opts, struct tunnel **out, struct cof_diag *diag)
{
    struct tunnel *t;
    struct cof_addr bound;
    enum cof_err err;

    *out = NULL;
    t = calloc(1, sizeof *t);
    if (t == NULL)
        return COF_E_MEMORY;
    t->loop = loop;
    t->opts = *opts;
    if (t->opts.max_open == 0)
        t->opts.max_open = 1024;
    if (t->opts.setup_ms == 0)
        t->opts.setup_ms = 10000;
    t->listener = (struct cof_watch){.ready = accept_more, .fd = -1};
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

void tunnel_counts(const struct tunnel *tunnel, struct tunnel_counts *out)
{
    *out = tunnel->counts;
}

void tunnel_free(struct tunnel *tunnel)
{
    if (tunnel == NULL)
        return;
    if (tunnel->listener.fd >= 0) {
        cof_loop_unwatch(tunnel->loop, &tunnel->listener);
        (void)close(tunnel->listener.fd);
        tunnel->listener.fd = -1;
    }
    while (tunnel->conns != NULL)
        drop(tunnel->conns);
    free(tunnel);
}
