/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP client against peers that follow a script on a thread: odd replies, resets at every phase, stale connections,
 * proxies, certificates that must not be trusted.
 */
#include "http_world.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>

enum after { CLOSE, RESET, HOLD, RELAY };

/* One connection accepted: what is read first, what is said, what follows. */
struct step {
    bool read_head;
    const char *say;
    enum after after;
};

struct peer {
    const struct step *steps;
    size_t n;
    int listener;
    uint16_t port, relay_to;
    pthread_t thread;
    char seen[8][2000]; /* the head of each connection */
};

static void relay(int a, int b)
{
    struct pollfd p[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
    char block[16384];

    while (poll(p, 2, 60000) > 0)
        for (int i = 0; i < 2; i++)
            if (p[i].revents != 0) {
                ssize_t n = recv(p[i].fd, block, sizeof block, 0);
                if (n <= 0 || send(p[1 - i].fd, block, (size_t)n, MSG_NOSIGNAL) != n)
                    return;
            }
}

static void follow(struct peer *peer, const struct step *step, char *seen, int fd)
{
    size_t got = 0;
    char rest[256];

    while (step->read_head && got < 1999 && strstr(seen, "\r\n\r\n") == NULL) {
        ssize_t n = recv(fd, seen + got, 1, 0); /* not a byte more: the rest is the tunnel's */
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    (void)send(fd, step->say, strlen(step->say), MSG_NOSIGNAL);
    if (step->after == RESET) {
        raw_reset(fd);
        return;
    }
    if (step->after == RELAY) {
        int far = raw_connect(peer->relay_to);
        relay(fd, far);
        (void)close(far);
    }
    if (step->after == HOLD)
        while (recv(fd, rest, sizeof rest, 0) > 0)
            continue;
    (void)close(fd);
}

static void *serve(void *arg)
{
    struct peer *peer = arg;

    for (size_t i = 0; i < peer->n; i++) {
        int fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            break;
        follow(peer, &peer->steps[i], peer->seen[i], fd);
    }
    return NULL;
}

static void start(struct peer *p, const struct step *steps, size_t n)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof sa;

    *p = (struct peer){.steps = steps, .n = n, .relay_to = p->relay_to};
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(p->listener, 16), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&sa, &len), 0);
    p->port = ntohs(sa.sin_port);
    assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

static void stop(struct peer *p)
{
    (void)shutdown(p->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(p->thread, NULL), 0);
    (void)close(p->listener);
}

static int setup(void **state)
{
    static struct world w;

    *state = &w;
    return world_open(&w, (struct cof_http_limits){0}, 8);
}

static int teardown(void **state)
{
    return world_close(*state);
}

static void get(struct world *w, struct cof_http_client *client, uint16_t port, bool https, struct call *c)
{
    *c = (struct call){0};
    begin_with(client, c, (struct cof_http_call_opts){.host = "127.0.0.1", .port = port, .https = https, .stall_ms = 500},
               "GET /hello HTTP/1.1\r\nHost: a");
    finish(w, c);
}

static void odd_replies(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *say;
        enum cof_err err;
        const char *body;
    } cases[] = {
        {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", COF_OK, "ok"},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", COF_OK, "to the end"},
        {"HTTP/1.0 200 OK\r\n\r\nto the end", COF_OK, "to the end"},
        {"HTTP/1.1 200 OK\r\n\r\ncut?", COF_E_FORMAT, ""}, /* neither length nor a word of the end */
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", COF_OK, "ok"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", COF_E_TRUNCATED, "ok"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n", COF_E_FORMAT, "ok"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", COF_E_TRUNCATED, "ok"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", COF_E_CLOSED, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", COF_E_FORMAT, ""},
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", COF_E_FORMAT, ""},
        {"SSH-2.0-x\r\n\r\n", COF_E_FORMAT, ""},
        {"", COF_E_CLOSED, ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct step step = {true, cases[i].say, CLOSE};
        struct peer p = {0};
        struct call c;

        start(&p, &step, 1);
        get(w, w->client, p.port, false, &c);
        if (c.err != cases[i].err || !cof_view_eq_str(cof_buf_view(&c.body), cases[i].body))
            fail_msg("%s: %s, %.*s", cases[i].say, cof_err_name(c.err), (int)c.body.len, (const char *)c.body.data);
        assert_true(c.sent);
        cof_buf_done(&c.body);
        stop(&p);
    }
}

static void resets_at_every_phase(void **state)
{
    struct world *w = *state;
    static const struct step steps[] = {
        {false, "", RESET},
        {true, "", RESET},
        {true, "HTTP/1.1 200", RESET},
        {true, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", RESET},
        {true, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", RESET},
        {true, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", RESET},
        {true, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab", RESET},
    };

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        for (int https = 0; https < 2; https++) {
            struct peer p = {0};
            struct call c;

            if (https == 1 && i > 0)
                continue; /* to TLS all words of a plain peer are the same */
            start(&p, &steps[i], 1);
            get(w, w->client, p.port, https == 1, &c);
            if (c.err == COF_OK)
                fail_msg("step %zu was taken for a whole reply", i);
            cof_buf_done(&c.body);
            stop(&p);
        }
}

static void nobody_listens(void **state)
{
    struct world *w = *state;
    static const struct step none = {false, "", CLOSE};
    struct peer p = {0};
    struct call c;

    start(&p, &none, 0);
    stop(&p); /* its port is free now */
    get(w, w->client, p.port, false, &c);
    assert_int_equal(c.err, COF_E_IO);
    assert_false(c.sent);
    assert_non_null(strstr(c.diag.text, "refused"));
}

/* The server closed a kept connection in the meantime: one fresh try, unseen by the caller; but only one. */
static void stale_connections_are_replaced(void **state)
{
    struct world *w = *state;
    static const struct step steps[] = {
        {true, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", CLOSE},
        {true, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2", CLOSE},
        {true, "", CLOSE},
    };
    struct peer p = {0};
    struct call c;

    start(&p, steps, 3);
    for (int i = 0; i < 2; i++) {
        get(w, w->client, p.port, false, &c);
        assert_int_equal(c.err, COF_OK);
        assert_int_equal(c.body.data[0], '1' + i);
        cof_buf_done(&c.body);
    }
    get(w, w->client, p.port, false, &c);
    assert_int_equal(c.err, COF_E_CLOSED);
    stop(&p);
}

/* No 100 comes: the body goes after a while, and the reply counts. */
static void servers_without_continue_are_served(void **state)
{
    struct world *w = *state;
    static const struct step step = {true, "", RELAY};
    struct peer p = {.relay_to = (uint16_t)w->addr.port};
    struct call c = {.to_send = 5};

    /* The peer swallows the head, then relays: the real server sees the body's five bytes as a request. */
    start(&p, &step, 1);
    begin_with(w->client, &c, (struct cof_http_call_opts){.host = "127.0.0.1", .port = p.port, .streaming = true},
               "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ");
    loop_until(w, c.fed == 5);
    cof_http_client_free(w->client);
    w->client = NULL;
    stop(&p);
}

static struct cof_http_client *through(struct world *w, uint16_t port, const char *basic)
{
    struct cof_http_client_opts co = {.tls = w->client_tls, .has_proxy = true, .proxy_basic = basic, .connect_ms = 1000,
                                      .proxy = {.kind = COF_ADDR_TCP, .host = "127.0.0.1", .port = port}};
    struct cof_http_client *client;

    assert_ok(cof_http_client_new(w->loop, &co, &client));
    return client;
}

static void proxies_are_passed(void **state)
{
    struct world *w = *state;

    for (int https = 0; https < 2; https++) {
        static const struct step step = {true, "HTTP/1.1 200 Connection established\r\nContent-Length: 99\r\n\r\n", RELAY};
        struct peer p = {.relay_to = (uint16_t)w->addr.port};
        struct cof_http_client *client;
        struct call c;
        char expected[200];

        start(&p, &step, 1);
        client = through(w, p.port, https == 1 ? "dTpw" : NULL);
        for (int i = 0; i < 2; i++) { /* the tunnel is kept for the second */
            get(w, client, (uint16_t)w->addr.port, https == 1, &c);
            assert_int_equal(c.err, COF_OK);
            assert_true(cof_view_eq_str(cof_buf_view(&c.body), "hello"));
            cof_buf_done(&c.body);
        }
        (void)snprintf(expected, sizeof expected, "CONNECT 127.0.0.1:%u HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s\r\n", w->addr.port,
                       w->addr.port, https == 1 ? "Proxy-Authorization: Basic dTpw\r\n" : "");
        assert_string_equal(p.seen[0], expected);
        cof_http_client_free(client);
        stop(&p);
    }
}

/* Who looks for the mistake must hear where it is. */
static void an_unreachable_proxy_is_named(void **state)
{
    struct world *w = *state;
    struct cof_http_client *client = through(w, 1, NULL); /* nobody listens there */
    struct call c;

    get(w, client, (uint16_t)w->addr.port, false, &c);
    assert_int_equal(c.err, COF_E_IO);
    assert_non_null(strstr(c.diag.text, "the proxy: cannot connect"));
    cof_buf_done(&c.body);
    cof_http_client_free(client);
}

static void proxies_may_not_lie(void **state)
{
    struct world *w = *state;
    static const struct {
        struct step step;
        enum cof_err err;
    } cases[] = {
        {{true, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", CLOSE}, COF_E_DENIED},
        {{true, "HTTP/1.1 301 Moved\r\nLocation: x\r\n\r\n", CLOSE}, COF_E_DENIED},
        {{true, "HTTP/1.1 100 Continue\r\n\r\n", CLOSE}, COF_E_DENIED},
        {{true, "OK 1234\r\n\r\n", CLOSE}, COF_E_FORMAT},
        {{true, "", HOLD}, COF_E_TIMEOUT},
        {{true, "", RESET}, COF_E_CLOSED},
        /* bytes before our greeting */
        {{true, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", HOLD}, COF_E_IO},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer p = {0};
        struct cof_http_client *client;
        struct call c;

        start(&p, &cases[i].step, 1);
        client = through(w, p.port, NULL);
        get(w, client, 443, true, &c);
        if (c.err != cases[i].err)
            fail_msg("case %zu: %s", i, cof_err_name(c.err));
        assert_int_equal(c.status, 0);
        assert_false(c.sent); /* nothing of the request left us */
        cof_http_client_free(client);
        stop(&p);
    }
}

static void expect_untrusted(struct world *w, struct cof_tls_ctx *tls, const char *host, const char *why)
{
    struct cof_http_client_opts co = {.tls = tls};
    struct cof_http_client *client;
    struct call c = {0};

    assert_ok(cof_http_client_new(w->loop, &co, &client));
    begin_with(client, &c, (struct cof_http_call_opts){.https = true, .host = host, .port = 443, .has_addr = true, .addr = w->addr},
               "GET /hello HTTP/1.1\r\nHost: a");
    finish(w, &c);
    if (c.err != COF_E_AUTH || strstr(c.diag.text, why) == NULL)
        fail_msg("%s: %s", cof_err_name(c.err), c.diag.text);
    assert_false(c.sent);
    assert_int_equal(w->heads, 0);
    cof_http_client_free(client);
}

static void wrong_names_and_roots_are_refused(void **state)
{
    struct world *w = *state;
    struct world other = {0};
    struct cof_tls_client_opts empty = {.ca_dir = "/nonexistent"};
    struct cof_tls_ctx *tls;

    expect_untrusted(w, w->client_tls, "127.0.0.2", "mismatch");
    expect_untrusted(w, w->client_tls, "example.com", "mismatch");
    assert_true(world_tls(&other));
    expect_untrusted(w, other.client_tls, "127.0.0.1", "self-signed"); /* another authority of the same name */
    assert_ok(cof_tls_client_new(&empty, &tls, NULL));
    expect_untrusted(w, tls, "127.0.0.1", "certificate");
    cof_tls_unref(tls);
    cof_tls_unref(other.client_tls);
    cof_tls_unref(other.server_tls);
    assert_int_equal(world_remove_files(&other), 0);
}

/* Signs a certificate for 127.0.0.1 with the world's authority, valid from and to so many seconds from now. */
static void make_dated(struct world *w, long from, long to)
{
    char path[128];
    EVP_PKEY *key = EVP_EC_gen("P-256"), *ca_key;
    X509 *cert = X509_new(), *ca;
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/ca.pem", w->dir);
    assert_non_null(f = fopen(path, "r"));
    assert_non_null(ca = PEM_read_X509(f, NULL, NULL, NULL));
    (void)fclose(f);
    (void)snprintf(path, sizeof path, "%s/ca.key", w->dir);
    assert_non_null(f = fopen(path, "r"));
    assert_non_null(ca_key = PEM_read_PrivateKey(f, NULL, NULL, NULL));
    (void)fclose(f);
    assert_true(X509_set_version(cert, 2) && X509_set_pubkey(cert, key) && X509_add_ext(cert, ext, -1) &&
                X509_set_issuer_name(cert, X509_get_subject_name(ca)) && X509_gmtime_adj(X509_getm_notBefore(cert), from) != NULL &&
                X509_gmtime_adj(X509_getm_notAfter(cert), to) != NULL && X509_sign(cert, ca_key, EVP_sha256()) > 0);
    (void)snprintf(path, sizeof path, "%s/server.pem", w->dir);
    assert_non_null(f = fopen(path, "w"));
    assert_true(PEM_write_X509(f, cert));
    (void)fclose(f);
    (void)snprintf(path, sizeof path, "%s/server.key", w->dir);
    assert_non_null(f = fopen(path, "w"));
    assert_true(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
    (void)fclose(f);
    X509_EXTENSION_free(ext);
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
}

static void certificates_out_of_date_are_refused(void **state)
{
    struct world *w = *state;
    static const struct {
        long from, to;
        const char *why;
    } cases[] = {{-7200, -3600, "expired"}, {3600, 7200, "not yet valid"}};

    for (size_t i = 0; i < 2; i++) {
        struct cof_http_server_opts so = {
            .handler = {world_head, world_body, world_end, world_writable, world_closed, w},
            .listen = {.kind = COF_ADDR_TCP, .host = "127.0.0.1"},
        };
        char cert[128], key[128];
        struct cof_tls_server_opts ts = {.cert_file = cert, .key_file = key};

        make_dated(w, cases[i].from, cases[i].to);
        (void)snprintf(cert, sizeof cert, "%s/server.pem", w->dir);
        (void)snprintf(key, sizeof key, "%s/server.key", w->dir);
        cof_http_server_free(w->server);
        cof_tls_unref(w->server_tls);
        assert_ok(cof_tls_server_new(&ts, &w->server_tls, NULL));
        so.tls = w->server_tls;
        assert_ok(cof_http_server_new(w->loop, &so, &w->server, NULL));
        cof_http_server_addr(w->server, &w->addr);
        expect_untrusted(w, w->client_tls, "127.0.0.1", cases[i].why);
    }
}

static void roots_may_come_from_memory(void **state)
{
    struct world *w = *state;
    struct cof_buf pem;
    struct cof_tls_client_opts opts = {0};
    struct cof_tls_ctx *tls;
    struct cof_http_client_opts co = {0};
    struct cof_http_client *client;
    struct call c;
    char path[128];

    (void)snprintf(path, sizeof path, "%s/ca.pem", w->dir);
    assert_true(read_file(path, &pem));
    opts.ca_pem = cof_buf_view(&pem);
    assert_ok(cof_tls_client_new(&opts, &tls, NULL));
    co.tls = tls;
    assert_ok(cof_http_client_new(w->loop, &co, &client));
    get(w, client, (uint16_t)w->addr.port, true, &c);
    assert_int_equal(c.err, COF_OK);
    cof_buf_done(&c.body);
    cof_http_client_free(client);
    cof_tls_unref(tls);
    cof_buf_done(&pem);
    opts.ca_pem = COF_LIT("no certificate");
    assert_int_equal(cof_tls_client_new(&opts, &tls, NULL), COF_E_FORMAT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(odd_replies),
        TEST(resets_at_every_phase),
        TEST(nobody_listens),
        TEST(stale_connections_are_replaced),
        TEST(servers_without_continue_are_served),
        TEST(proxies_are_passed),
        TEST(proxies_may_not_lie), TEST(an_unreachable_proxy_is_named),
        TEST(wrong_names_and_roots_are_refused),
        TEST(certificates_out_of_date_are_refused),
        TEST(roots_may_come_from_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
