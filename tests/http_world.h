/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: an HTTP server on loopback whose handler is of the kind a program has, certificates of a local authority,
 * a client, and raw sockets. What the handler does is told by the path.
 */
#ifndef COF_HTTP_WORLD_H
#define COF_HTTP_WORLD_H

#include "testing.h"

#include "io/http_client.h"
#include "io/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIG_SIZE ((size_t)64 << 20)

struct world {
    struct cof_loop *loop;
    struct cof_http_server *server;
    struct cof_http_client *client;
    struct cof_tls_ctx *server_tls, *client_tls;
    struct cof_addr addr;
    char dir[64];
    size_t heads, ends, closed;
    enum cof_err last_why;
    size_t body_bytes;    /* seen by the handler */
    size_t written;       /* by the handler of /big */
    bool held_back;       /* it was told to wait */
    struct cof_xchg *held; /* of /silent */
};

static inline uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 2654435761u >> 13);
}

static inline bool path_is(const struct cof_xchg *x, const char *path)
{
    return cof_view_eq_str(cof_xchg_head(x)->path, path);
}

static inline void big_more(struct world *w, struct cof_xchg *x)
{
    static uint8_t block[50000];

    while (w->written < BIG_SIZE) {
        size_t n = BIG_SIZE - w->written < sizeof block ? BIG_SIZE - w->written : sizeof block;
        w->written += n;
        if (!cof_xchg_write(x, cof_view_of(block, n))) {
            w->held_back = true;
            return;
        }
    }
    cof_xchg_end(x);
}

/* /refuse answers at once; /silent never; /cut breaks off; /big sends much; /stream echoes as the body comes; all others
 * collect the body and send it back whole. */
static inline void world_head(void *ctx, struct cof_xchg *x)
{
    struct world *w = ctx;
    const struct cof_http_head *h = cof_xchg_head(x);

    w->heads++;
    if (path_is(x, "/refuse"))
        cof_xchg_reply(x, 403, NULL, COF_LIT("no"));
    else if (path_is(x, "/silent"))
        w->held = x;
    else if (path_is(x, "/cut")) {
        cof_xchg_start(x, 200, NULL, 100);
        (void)cof_xchg_write(x, COF_LIT("only this"));
        cof_xchg_abort(x);
    } else if (path_is(x, "/stream"))
        cof_xchg_start(x, 200, NULL, h->chunked ? -1 : (int64_t)h->length);
}

static inline void world_body(void *ctx, struct cof_xchg *x, struct cof_view piece)
{
    struct world *w = ctx;
    struct cof_buf *body = cof_xchg_user(x);

    w->body_bytes += piece.len;
    if (path_is(x, "/silent"))
        return;
    if (path_is(x, "/stream")) {
        if (!cof_xchg_write(x, piece))
            cof_xchg_pause(x);
        return;
    }
    if (body == NULL) {
        body = calloc(1, sizeof *body);
        cof_buf_init(body, (size_t)1 << 30);
        cof_xchg_set_user(x, body);
    }
    cof_buf_add(body, piece);
}

static inline void world_end(void *ctx, struct cof_xchg *x)
{
    struct world *w = ctx;
    struct cof_buf *body = cof_xchg_user(x);

    w->ends++;
    if (path_is(x, "/silent"))
        return;
    if (path_is(x, "/stream")) {
        cof_xchg_end(x);
    } else if (path_is(x, "/big")) {
        cof_xchg_start(x, 200, NULL, (int64_t)BIG_SIZE);
        big_more(w, x);
    } else if (path_is(x, "/none")) {
        cof_xchg_reply(x, 204, NULL, (struct cof_view){0});
    } else if (path_is(x, "/chunked")) {
        cof_xchg_start(x, 200, NULL, -1);
        if (body != NULL)
            (void)cof_xchg_write(x, cof_buf_view(body));
        cof_xchg_end(x);
    } else {
        cof_xchg_reply(x, 200, NULL, body == NULL ? COF_LIT("hello") : cof_buf_view(body));
    }
}

static inline void world_writable(void *ctx, struct cof_xchg *x)
{
    if (path_is(x, "/big"))
        big_more(ctx, x);
    else if (path_is(x, "/stream"))
        cof_xchg_resume(x);
}

static inline void world_closed(void *ctx, struct cof_xchg *x, enum cof_err why)
{
    struct world *w = ctx;
    struct cof_buf *body = cof_xchg_user(x);

    if (body != NULL)
        cof_buf_done(body);
    free(body);
    w->closed++;
    w->last_why = why;
    if (w->held == x)
        w->held = NULL;
}

static inline bool world_tls(struct world *w)
{
    const char *names[] = {"localhost", "127.0.0.1"};
    char cert[128], key[128], ca[128];
    struct cof_tls_server_opts ts = {.cert_file = cert, .key_file = key};
    struct cof_tls_client_opts tc = {.ca_file = ca};

    (void)snprintf(w->dir, sizeof w->dir, "/tmp/coffer-http-XXXXXX");
    if (mkdtemp(w->dir) == NULL || cof_tls_local_cert(w->dir, "server", names, 2, NULL) != COF_OK)
        return false;
    (void)snprintf(cert, sizeof cert, "%s/server.pem", w->dir);
    (void)snprintf(key, sizeof key, "%s/server.key", w->dir);
    (void)snprintf(ca, sizeof ca, "%s/ca.pem", w->dir);
    return cof_tls_server_new(&ts, &w->server_tls, NULL) == COF_OK && cof_tls_client_new(&tc, &w->client_tls, NULL) == COF_OK;
}

static inline int world_open(struct world *w, struct cof_http_limits limits, size_t per_endpoint)
{
    struct cof_http_server_opts so = {
        .handler = {world_head, world_body, world_end, world_writable, world_closed, w},
        .allow_plain = true,
        .limits = limits,
    };
    struct cof_http_client_opts co = {.resolve = cof_resolve_literal, .per_endpoint = per_endpoint};

    memset(w, 0, sizeof *w);
    (void)signal(SIGPIPE, SIG_IGN); /* as cof_harden does for programs */
    if (cof_loop_new(&w->loop) != COF_OK || !world_tls(w) || cof_addr_parse("tcp:127.0.0.1:0", &so.listen, NULL) != COF_OK)
        return -1;
    so.tls = w->server_tls;
    co.tls = w->client_tls;
    if (cof_http_server_new(w->loop, &so, &w->server, NULL) != COF_OK ||
        cof_http_client_new(w->loop, &co, &w->client) != COF_OK)
        return -1;
    cof_http_server_addr(w->server, &w->addr);
    return 0;
}

static inline int world_remove_files(struct world *w)
{
    static const char *const names[] = {"ca.pem", "ca.key", "server.pem", "server.key"};
    char path[128];

    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", w->dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(w->dir);
}

static inline int world_close(struct world *w)
{
    cof_http_client_free(w->client);
    cof_http_server_free(w->server);
    cof_tls_unref(w->server_tls);
    cof_tls_unref(w->client_tls);
    cof_loop_free(w->loop);
    return world_remove_files(w);
}

/* Turns of the loop until cond holds, a minute at most. */
#define loop_until(w, cond)                                                                            \
    do {                                                                                               \
        bool never_ = false;                                                                           \
        int turns_ = 0;                                                                                \
        for (; !(cond) && turns_ < 60000; turns_++)                                                    \
            assert_int_equal(cof_loop_run_until((w)->loop, &never_, 1), COF_E_TIMEOUT);                \
        assert_true(turns_ < 60000);                                                                   \
    } while (0)

/* One call of the client's. */
struct call {
    bool done;
    enum cof_err err;
    int status;
    struct cof_buf body;
    struct cof_diag diag;
    size_t to_send, fed;
    bool chunked, sent;
    bool (*stop)(struct call *call, struct cof_http_call *handle); /* asked at head and body; true: cancelled */
};

static inline void call_head(void *ctx, struct cof_http_call *handle, const struct cof_http_head *head)
{
    struct call *c = ctx;

    c->status = head->status;
    if (c->stop != NULL)
        (void)c->stop(c, handle);
}

static inline void call_body(void *ctx, struct cof_http_call *handle, struct cof_view piece)
{
    cof_buf_add(&((struct call *)ctx)->body, piece);
}

static inline void call_writable(void *ctx, struct cof_http_call *handle)
{
    struct call *c = ctx;
    uint8_t block[10000];

    while (c->fed < c->to_send) {
        size_t n = c->to_send - c->fed < sizeof block ? c->to_send - c->fed : sizeof block;
        for (size_t i = 0; i < n; i++)
            block[i] = pattern(c->fed + i);
        c->fed += n;
        if (!cof_http_call_write(handle, cof_view_of(block, n)))
            break;
    }
    if (c->fed == c->to_send)
        cof_http_call_end(handle);
}

static inline void call_done(void *ctx, struct cof_http_call *handle, enum cof_err err, const struct cof_diag *diag, bool sent)
{
    struct call *c = ctx;

    assert_false(c->done); /* exactly once */
    c->done = true;
    c->err = err;
    c->sent = sent;
    if (diag != NULL)
        c->diag = *diag;
}

/* head ends before the value of a Content-Length, or before its last CRLF. */
static inline struct cof_http_call *begin_with(struct cof_http_client *client, struct call *c, struct cof_http_call_opts o,
                                               const char *head)
{
    struct cof_http_callbacks cb = {call_head, call_body, call_writable, call_done, c};
    struct cof_http_call *handle;
    char text[512];

    cof_buf_init(&c->body, (size_t)1 << 30);
    if (strcmp(head + strlen(head) - 2, ": ") == 0)
        (void)snprintf(text, sizeof text, "%s%zu\r\n\r\n", head, c->to_send);
    else
        (void)snprintf(text, sizeof text, "%s\r\n\r\n", head);
    o.head = cof_view_str(text);
    o.is_head = strncmp(text, "HEAD", 4) == 0;
    o.chunked = c->chunked;
    o.total_ms = o.total_ms == 0 ? 60000 : o.total_ms;
    assert_ok(cof_http_call_start(client, &o, &cb, &handle));
    return handle;
}

static inline struct cof_http_call *begin(struct world *w, struct call *c, bool https, const char *host, const char *head,
                                          bool streaming)
{
    return begin_with(w->client, c,
                      (struct cof_http_call_opts){.https = https, .host = host, .port = (uint16_t)w->addr.port,
                                                  .streaming = streaming}, head);
}

static inline void finish(struct world *w, struct call *c)
{
    assert_ok(cof_loop_run_until(w->loop, &c->done, 60000));
}

static inline void get_ok(struct world *w, bool https)
{
    struct call c = {0};

    begin(w, &c, https, "127.0.0.1", "GET /hello HTTP/1.1\r\nHost: a", false);
    finish(w, &c);
    assert_int_equal(c.err, COF_OK);
    assert_true(cof_view_eq_str(cof_buf_view(&c.body), "hello"));
    cof_buf_done(&c.body);
}

/* A raw connection to the server. */
/* source: an address of 127.0.0.0/8. */
static inline int raw_connect_from(uint32_t port, const char *source)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}}, from = sa;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    from.sin_port = 0;
    assert_int_equal(inet_pton(AF_INET, source, &from.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static inline int raw_connect(uint32_t port)
{
    return raw_connect_from(port, "127.0.0.1");
}

static inline void raw_send(int fd, const char *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static inline void raw_say(int fd, const char *text)
{
    raw_send(fd, text, strlen(text));
}

static inline void raw_reset(int fd)
{
    const struct linger hard = {1, 0};

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    (void)close(fd);
}

/* Reads while the loop runs, until the end (true), or until text was seen (NULL: only the end), or a minute (false). */
static inline bool raw_read(struct world *w, int fd, struct cof_buf *out, const char *text)
{
    uint8_t block[65536];
    bool never = false;

    for (int i = 0; i < 60000; i++) {
        ssize_t n = recv(fd, block, sizeof block, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return true;
        if (n > 0)
            cof_buf_add_bytes(out, block, (size_t)n);
        if (text != NULL && strstr(cof_buf_cstr(out), text) != NULL)
            return false;
        if (n < 0)
            assert_int_equal(cof_loop_run_until(w->loop, &never, 1), COF_E_TIMEOUT);
    }
    fail_msg("nothing came");
    return false;
}

#endif
