/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP server and client against each other and against raw sockets, on loopback, port picked by the kernel.
 */
#include "testing.h"

#include "io/http_client.h"
#include "io/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
    struct cof_loop *loop;
    struct cof_http_server *server;
    struct cof_http_client *client;
    struct cof_tls_ctx *server_tls, *client_tls;
    struct cof_addr addr;
    char dir[64];
    size_t closed, peak_out;
};

/* Echo: the body comes back as it arrives, with back-pressure both ways. */
static void echo_head(void *ctx, struct cof_xchg *x)
{
    const struct cof_http_head *h = cof_xchg_head(x);

    (void)ctx;
    if (cof_view_eq(h->path, COF_LIT("/refuse")))
        cof_xchg_reply(x, 403, NULL, COF_LIT("no"));
    else if (cof_view_eq(h->path, COF_LIT("/silent")))
        return;
    else if (cof_view_eq(h->path, COF_LIT("/cut"))) {
        cof_xchg_start(x, 200, NULL, 100);
        (void)cof_xchg_write(x, COF_LIT("only this"));
        cof_xchg_abort(x);
    }
}

static void echo_body(void *ctx, struct cof_xchg *x, struct cof_view piece)
{
    struct cof_buf *body = cof_xchg_user(x);

    (void)ctx;
    if (body == NULL) {
        body = calloc(1, sizeof *body);
        cof_buf_init(body, (size_t)1 << 30);
        cof_xchg_set_user(x, body);
    }
    cof_buf_add(body, piece);
}

static void echo_end(void *ctx, struct cof_xchg *x)
{
    struct cof_buf *body = cof_xchg_user(x);

    (void)ctx;
    if (cof_view_eq(cof_xchg_head(x)->path, COF_LIT("/silent")))
        return;
    if (cof_view_eq(cof_xchg_head(x)->path, COF_LIT("/chunked"))) {
        cof_xchg_start(x, 200, NULL, -1);
        if (body != NULL)
            (void)cof_xchg_write(x, cof_buf_view(body));
        cof_xchg_end(x);
        return;
    }
    cof_xchg_reply(x, 200, NULL, body == NULL ? (struct cof_view){0} : cof_buf_view(body));
}

static void echo_writable(void *ctx, struct cof_xchg *x)
{
    (void)ctx;
    (void)x;
}

static void echo_closed(void *ctx, struct cof_xchg *x, enum cof_err why)
{
    struct cof_buf *body = cof_xchg_user(x);

    (void)why;
    cof_buf_done(body);
    free(body);
    ((struct world *)ctx)->closed++;
}

static int setup(void **state)
{
    static struct world w;
    const char *names[] = {"localhost", "127.0.0.1"};
    struct cof_http_server_opts so = {
        .handler = {echo_head, echo_body, echo_end, echo_writable, echo_closed, &w},
        .allow_plain = true,
        .limits = {.head_ms = 200, .stall_ms = 1000, .head_bytes = 8192},
    };
    struct cof_http_client_opts co = {.resolve = cof_resolve_literal, .per_endpoint = 8};
    struct cof_tls_server_opts ts = {0};
    struct cof_tls_client_opts tc = {0};
    char cert[128], key[128], ca[128];

    memset(&w, 0, sizeof w);
    (void)snprintf(w.dir, sizeof w.dir, "/tmp/coffer-http-XXXXXX");
    if (mkdtemp(w.dir) == NULL || cof_tls_local_cert(w.dir, "server", names, 2, NULL) != COF_OK)
        return -1;
    (void)snprintf(cert, sizeof cert, "%s/server.pem", w.dir);
    (void)snprintf(key, sizeof key, "%s/server.key", w.dir);
    (void)snprintf(ca, sizeof ca, "%s/ca.pem", w.dir);
    ts.cert_file = cert;
    ts.key_file = key;
    tc.ca_file = ca;
    if (cof_loop_new(&w.loop) != COF_OK || cof_tls_server_new(&ts, &w.server_tls, NULL) != COF_OK ||
        cof_tls_client_new(&tc, &w.client_tls, NULL) != COF_OK ||
        cof_addr_parse("tcp:127.0.0.1:0", &so.listen, NULL) != COF_OK)
        return -1;
    so.tls = w.server_tls;
    co.tls = w.client_tls;
    if (cof_http_server_new(w.loop, &so, &w.server, NULL) != COF_OK ||
        cof_http_client_new(w.loop, &co, &w.client) != COF_OK)
        return -1;
    cof_http_server_addr(w.server, &w.addr);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"ca.pem", "ca.key", "server.pem", "server.key"};
    char path[128];

    cof_http_client_free(w->client);
    cof_http_server_free(w->server);
    cof_tls_unref(w->server_tls);
    cof_tls_unref(w->client_tls);
    cof_loop_free(w->loop);
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", w->dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(w->dir);
}

struct call {
    bool done;
    enum cof_err err;
    int status;
    struct cof_buf body;
    struct cof_diag diag;
    size_t to_send, sent;
    bool chunked;
};

static void on_head(void *ctx, struct cof_http_call *call, const struct cof_http_head *head)
{
    (void)call;
    ((struct call *)ctx)->status = head->status;
}

static void on_body(void *ctx, struct cof_http_call *call, struct cof_view piece)
{
    (void)call;
    cof_buf_add(&((struct call *)ctx)->body, piece);
}

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 2654435761u >> 13);
}

static void on_writable(void *ctx, struct cof_http_call *call)
{
    struct call *c = ctx;
    uint8_t block[10000];

    while (c->sent < c->to_send) {
        size_t n = c->to_send - c->sent < sizeof block ? c->to_send - c->sent : sizeof block;
        for (size_t i = 0; i < n; i++)
            block[i] = pattern(c->sent + i);
        c->sent += n;
        if (!cof_http_call_write(call, cof_view_of(block, n)))
            break;
    }
    if (c->sent == c->to_send)
        cof_http_call_end(call);
}

static void on_done(void *ctx, struct cof_http_call *call, enum cof_err err, const struct cof_diag *diag, bool sent)
{
    struct call *c = ctx;

    (void)call;
    (void)sent;
    c->done = true;
    c->err = err;
    if (diag != NULL)
        c->diag = *diag;
}

static void begin(struct world *w, struct call *c, bool https, const char *host, const char *head_until_length, bool streaming)
{
    struct cof_http_callbacks cb = {on_head, on_body, on_writable, on_done, c};
    struct cof_http_call_opts o = {.https = https, .host = host, .port = (uint16_t)w->addr.port, .streaming = streaming,
                                   .chunked = c->chunked, .total_ms = 20000};
    struct cof_http_call *call;
    char head[512];

    cof_buf_init(&c->body, (size_t)1 << 30);
    if (strstr(head_until_length, "Length: ") != NULL)
        (void)snprintf(head, sizeof head, "%s%zu\r\n\r\n", head_until_length, c->to_send);
    else
        (void)snprintf(head, sizeof head, "%s\r\n\r\n", head_until_length);
    o.head = cof_view_str(head);
    o.is_head = strncmp(head, "HEAD", 4) == 0;
    assert_ok(cof_http_call_start(w->client, &o, &cb, &call));
}

static void finish(struct world *w, struct call *c)
{
    assert_ok(cof_loop_run_until(w->loop, &c->done, 20000));
}

#define POST_LENGTH "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: "
#define POST_EXPECT "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: "
#define POST_CHUNKED "POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"

static void echoes_every_size(void **state)
{
    struct world *w = *state;
    static const size_t sizes[] = {0, 1, 4095, 32768, 65536, 65537, 1000003, 12000000};

    for (int mode = 0; mode < 6; mode++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct call c = {.to_send = sizes[i], .chunked = mode % 3 == 2};
            begin(w, &c, mode >= 3, "127.0.0.1", mode % 3 == 0 ? POST_LENGTH : mode % 3 == 1 ? POST_EXPECT : POST_CHUNKED, true);
            finish(w, &c);
            assert_int_equal(c.err, COF_OK);
            assert_int_equal(c.status, 200);
            assert_int_equal(c.body.len, sizes[i]);
            for (size_t k = 0; k < c.body.len; k++)
                if (c.body.data[k] != pattern(k))
                    fail_msg("byte %zu of %zu differs", k, c.body.len);
            cof_buf_done(&c.body);
        }
    assert_true(cof_http_server_open_connections(w->server) <= 2); /* kept alive and used again */
}

static void many_at_once(void **state)
{
    struct world *w = *state;
    static struct call calls[200];

    for (size_t i = 0; i < 200; i++) {
        calls[i] = (struct call){.to_send = i * 137};
        begin(w, &calls[i], i % 2 == 0, "127.0.0.1", POST_LENGTH, true);
    }
    for (size_t i = 0; i < 200; i++) {
        finish(w, &calls[i]);
        assert_int_equal(calls[i].err, COF_OK);
        assert_int_equal(calls[i].body.len, i * 137);
        cof_buf_done(&calls[i].body);
    }
}

static void early_refusal_reaches_a_sender(void **state)
{
    struct world *w = *state;
    struct call c = {.to_send = 5000000};

    begin(w, &c, false, "127.0.0.1", "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: ", true);
    finish(w, &c);
    assert_int_equal(c.err, COF_OK);
    assert_int_equal(c.status, 403);
    cof_buf_done(&c.body);
}

static void wrong_name_is_refused(void **state)
{
    struct world *w = *state;
    struct call c = {0};

    begin(w, &c, true, "127.0.0.2", POST_LENGTH, true); /* reaches the server, but is not in its certificate */
    finish(w, &c);
    assert_true(c.err == COF_E_AUTH || c.err == COF_E_IO);
    assert_int_equal(c.status, 0);
    cof_buf_done(&c.body);
}

static void a_cut_reply_is_an_error(void **state)
{
    struct world *w = *state;

    for (int https = 0; https < 2; https++) {
        struct call c = {0};
        begin(w, &c, https == 1, "127.0.0.1", "GET /cut HTTP/1.1\r\nHost: a", false);
        finish(w, &c);
        assert_int_not_equal(c.err, COF_OK);
        cof_buf_done(&c.body);
    }
}

static void raw_exchange(struct world *w, const char *bytes, char *reply, size_t size)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)w->addr.port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t got = 0;
    bool never = false;

    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(send(fd, bytes, strlen(bytes), 0), (ssize_t)strlen(bytes));
    for (int i = 0; i < 400 && got < size - 1; i++) {
        ssize_t n;
        assert_int_equal(cof_loop_run_until(w->loop, &never, 2), COF_E_TIMEOUT);
        n = recv(fd, reply + got, size - 1 - got, MSG_DONTWAIT);
        if (n == 0)
            break;
        got += n > 0 ? (size_t)n : 0;
    }
    reply[got] = '\0';
    (void)close(fd);
}

static void slow_heads_are_cut(void **state)
{
    char reply[512];

    raw_exchange(*state, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", reply, sizeof reply);
    assert_string_equal(reply, "");
}

static void smuggling_is_refused(void **state)
{
    char reply[1024];

    raw_exchange(*state, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                 reply, sizeof reply);
    assert_non_null(strstr(reply, "HTTP/1.1 400 "));
    assert_null(strstr(reply, "200"));
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    char reply[2048], *first;

    raw_exchange(*state, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\noneGET /refuse HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                 reply, sizeof reply);
    first = strstr(reply, "one");
    assert_non_null(first);
    assert_non_null(strstr(first, "403"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(echoes_every_size, setup, teardown),
        cmocka_unit_test_setup_teardown(many_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(early_refusal_reaches_a_sender, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_name_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_reply_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_heads_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(smuggling_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(pipelined_requests_are_answered_in_order, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
