/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP server against raw sockets: framing, limits, deadlines, and the framing judge.
 */
#include "http_world.h"

#include "io/clock.h"
#include "io/process.h"

static int setup(void **state)
{
    static struct world w;

    *state = &w;
    return world_open(&w, (struct cof_http_limits){.head_ms = 300, .stall_ms = 300, .idle_ms = 400, .head_bytes = 8192,
                                                   .body_bytes = 100000, .connections = 40, .per_peer = 41}, 8);
}

static int teardown(void **state)
{
    return world_close(*state);
}

static void ask_bytes(struct world *w, const char *bytes, size_t len, struct cof_buf *reply)
{
    int fd = raw_connect(w->addr.port);

    cof_buf_init(reply, 1 << 20);
    raw_send(fd, bytes, len);
    (void)raw_read(w, fd, reply, NULL);
    (void)close(fd);
}

static void ask(struct world *w, const char *text, struct cof_buf *reply)
{
    ask_bytes(w, text, strlen(text), reply);
}

/* The reply to bytes, until the server closes, begins so and holds no second status. */
static void check(struct world *w, const char *bytes, size_t len, const char *status)
{
    struct cof_buf reply;
    const char *text;

    ask_bytes(w, bytes, len, &reply);
    text = cof_buf_cstr(&reply);
    if (strncmp(text, status, strlen(status)) != 0 || (text[0] != '\0' && strstr(text + 1, "HTTP/1.") != NULL))
        fail_msg("asked:\n%s\nanswered:\n%s", bytes, text);
    cof_buf_done(&reply);
}

#define CHECK(bytes, status) check(w, bytes, sizeof(bytes) - 1, status)
#define P "POST /x HTTP/1.1\r\nHost: a\r\n"

/* attack C-38 */
static void smuggling_is_refused(void **state)
{
    struct world *w = *state;

    CHECK(P "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 ");
    CHECK(P "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", "HTTP/1.1 400 ");
    CHECK(P "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 ");
    CHECK(P "Transfer-Encoding: chunked\r\n\r\n5\nabcde\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 ");
    CHECK(P "Transfer-Encoding: chunked\r\n\r\n1\r\nabcde\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 ");
    CHECK("GET /hello HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ");
    CHECK("GET /hello HTTP/1.1\nHost: a\n\n", "HTTP/1.1 400 ");
    CHECK("GET http://b/hello HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 ");
    assert_int_equal(w->ends, 0); /* no handler saw a whole request */
}

static void limits_hold(void **state)
{
    struct world *w = *state;
    struct cof_buf big;

    cof_buf_init(&big, 1 << 20);
    cof_buf_add_str(&big, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    while (big.len < 9000)
        cof_buf_add_u8(&big, 'x');
    check(w, cof_buf_cstr(&big), big.len, "HTTP/1.1 431 ");
    CHECK(P "Content-Length: 100001\r\n\r\n", "HTTP/1.1 413 ");
    assert_int_equal(w->heads, 0);
    cof_buf_reset(&big);
    cof_buf_add_str(&big, P "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 101; i++) {
        cof_buf_add_str(&big, "3e8\r\n");
        for (int k = 0; k < 1000; k++)
            cof_buf_add_u8(&big, 'x');
        cof_buf_add_str(&big, "\r\n");
    }
    check(w, cof_buf_cstr(&big), big.len, "HTTP/1.1 413 ");
    assert_true(w->body_bytes <= 100000);
    assert_int_equal(w->closed, w->heads);
    cof_buf_done(&big);
}

static void slow_peers_are_cut(void **state)
{
    struct world *w = *state;
    struct cof_buf got;
    int fd;

    CHECK("", "");                                               /* says nothing */
    CHECK("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", "");          /* half a head */
    CHECK("\x16\x03\x01", "");                                   /* half a TLS greeting */
    CHECK(P "Content-Length: 10\r\n\r\nabc", "HTTP/1.1 408 ");   /* half a body */
    CHECK("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 "); /* and then stays */
    fd = raw_connect(w->addr.port);
    cof_buf_init(&got, (size_t)1 << 30);
    raw_say(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    loop_until(w, w->closed == w->heads && w->heads == 3); /* does not read */
    assert_int_equal(w->last_why, COF_E_TIMEOUT);
    (void)close(fd);
    cof_buf_done(&got);
}

/* A byte now and then is no progress: the slow-body attack. */
static void trickling_bodies_are_cut(void **state)
{
    struct world *w = *state;
    struct cof_buf got;
    int fd = raw_connect(w->addr.port);
    bool never = false;

    cof_buf_init(&got, 1 << 20);
    raw_say(fd, P "Content-Length: 99999\r\n\r\n");
    for (int i = 0; i < 1000 && got.len == 0; i++) {
        uint8_t block[1000];
        ssize_t n;

        (void)send(fd, "x", 1, MSG_NOSIGNAL);
        assert_int_equal(cof_loop_run_until(w->loop, &never, 20), COF_E_TIMEOUT);
        n = recv(fd, block, sizeof block, MSG_DONTWAIT);
        if (n > 0)
            cof_buf_add_bytes(&got, block, (size_t)n);
    }
    assert_non_null(strstr(cof_buf_cstr(&got), "408"));
    (void)close(fd);
    cof_buf_done(&got);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct world *w = *state;
    struct cof_buf reply, many;
    char *at;
    size_t n = 0;

    cof_buf_init(&many, 1 << 20);
    for (int i = 0; i < 3000; i++) /* more than is read at once */
        cof_buf_printf(&many, P "Content-Length: 4\r\n\r\n%04d", i);
    cof_buf_add_str(&many, "GET /refuse HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    ask(w, cof_buf_cstr(&many), &reply);
    at = (char *)(uintptr_t)cof_buf_cstr(&reply);
    while ((at = strstr(at, "\r\n\r\n")) != NULL) {
        char body[5];
        (void)snprintf(body, sizeof body, n < 3000 ? "%04zu" : "no", n);
        at += 4;
        if (strncmp(at, body, strlen(body)) != 0)
            fail_msg("answer %zu is %.10s", n, at);
        n++;
    }
    assert_int_equal(n, 3001);
    cof_buf_done(&reply);
    cof_buf_done(&many);
}

static void continue_is_said_once_and_only_when_wanted(void **state)
{
    struct world *w = *state;
    static const char head[] = P "Connection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    struct cof_buf got;
    int fd = raw_connect(w->addr.port);

    cof_buf_init(&got, 1 << 20);
    raw_send(fd, head, sizeof head - 1);
    (void)raw_read(w, fd, &got, "\r\n\r\n");
    assert_string_equal(cof_buf_cstr(&got), "HTTP/1.1 100 Continue\r\n\r\n");
    raw_say(fd, "abcde");
    (void)raw_read(w, fd, &got, NULL);
    assert_non_null(strstr(cof_buf_cstr(&got), "\r\n\r\nHTTP/1.1 200 OK\r\n"));
    assert_null(strstr(cof_buf_cstr(&got) + 10, "100 Continue"));
    cof_buf_done(&got);
    (void)close(fd);
    /* botocore asks before an empty body too, and would take the final status for that of its next request as well */
    ask(w, P "Connection: close\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n", &got);
    assert_ptr_equal(strstr(cof_buf_cstr(&got), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), cof_buf_cstr(&got));
    cof_buf_done(&got);
    CHECK("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", "HTTP/1.1 403 ");
    CHECK(P "Content-Length: 5\r\nExpect: something\r\n\r\n", "HTTP/1.1 400 ");
}

static void old_clients_are_served(void **state)
{
    struct world *w = *state;
    struct cof_buf reply;

    ask(w, "GET /hello HTTP/1.0\r\n\r\n", &reply);
    assert_non_null(strstr(cof_buf_cstr(&reply), "Connection: close\r\n"));
    assert_non_null(strstr(cof_buf_cstr(&reply), "\r\n\r\nhello"));
    cof_buf_done(&reply);
    ask(w, "POST /chunked HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", &reply); /* no chunks for them */
    assert_null(strstr(cof_buf_cstr(&reply), "Transfer-Encoding"));
    assert_non_null(strstr(cof_buf_cstr(&reply), "\r\n\r\nabc"));
    cof_buf_done(&reply);
    ask(w, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /hello HTTP/1.0\r\n\r\n", &reply);
    assert_non_null(strstr(cof_buf_cstr(&reply), "Connection: keep-alive\r\n"));
    assert_non_null(strstr(cof_buf_cstr(&reply) + 20, "HTTP/1.1 200"));
    cof_buf_done(&reply);
}

/* A peer that has said all it will say still gets its answer. */
static void half_closed_peers_are_answered(void **state)
{
    struct world *w = *state;
    struct cof_buf got;
    int fd = raw_connect(w->addr.port);

    cof_buf_init(&got, 1 << 20);
    raw_say(fd, P "Content-Length: 5\r\n\r\nabcde");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_true(raw_read(w, fd, &got, NULL));
    assert_non_null(strstr(cof_buf_cstr(&got), "\r\n\r\nabcde"));
    (void)close(fd);
    cof_buf_done(&got);
}

static void an_early_refusal_is_read_by_a_peer_that_only_writes(void **state)
{
    struct world *w = *state;
    struct cof_buf got;
    static char block[65536];
    int fd = raw_connect(w->addr.port);
    bool never = false;

    cof_buf_init(&got, 1 << 20);
    raw_say(fd, "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n");
    for (size_t left = 99999; left > 0;) {
        ssize_t n = send(fd, block, left < sizeof block ? left : sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            assert_int_equal(errno, EAGAIN); /* in particular no reset */
            assert_int_equal(cof_loop_run_until(w->loop, &never, 1), COF_E_TIMEOUT);
        } else
            left -= (size_t)n;
    }
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    (void)raw_read(w, fd, &got, NULL);
    assert_non_null(strstr(cof_buf_cstr(&got), "HTTP/1.1 403 "));
    (void)close(fd);
    cof_buf_done(&got);
}

static void a_small_rest_of_body_does_not_cost_the_connection(void **state)
{
    struct world *w = *state;
    static const char both[] = "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcdeGET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    struct cof_buf reply;

    ask(w, both, &reply);
    assert_non_null(strstr(cof_buf_cstr(&reply), "403"));
    assert_non_null(strstr(cof_buf_cstr(&reply), "\r\n\r\nhello"));
    cof_buf_done(&reply);
}

/* Forty who say nothing, or begin a head, or a body, and stop: another is served all the same, and before they time out. */
static void who_waits_longest_makes_room(void **state)
{
    static const char *const says[] = {"", "GET /hello HTT", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx", "G"};
    struct world w;
    struct cof_buf got;
    int fd[40], late;
    int64_t began_ms = cof_clock_monotonic_ms();

    assert_int_equal(world_open(&w, (struct cof_http_limits){.head_ms = 60000, .stall_ms = 60000, .idle_ms = 60000, .connections = 40, .per_peer = 41}, 8), 0);
    cof_buf_init(&got, 1 << 20);
    for (size_t i = 0; i < 40; i++) {
        fd[i] = raw_connect(w.addr.port);
        raw_say(fd[i], says[i % 4]);
    }
    loop_until(&w, cof_http_server_open_connections(w.server) == 40);
    late = raw_connect(w.addr.port);
    raw_say(late, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    (void)raw_read(&w, late, &got, NULL);
    assert_non_null(strstr(cof_buf_cstr(&got), "hello"));
    assert_true(cof_clock_monotonic_ms() - began_ms < 50000);
    assert_true(cof_http_server_open_connections(w.server) < 40);
    (void)close(late);
    for (size_t i = 0; i < 40; i++)
        (void)close(fd[i]);
    cof_buf_done(&got);
    assert_int_equal(world_close(&w), 0);
}

/* One address takes no more than its share; others are still taken. */
static void one_peer_leaves_room_for_others(void **state)
{
    struct world w;
    struct cof_buf got;
    int fd[12], other;

    assert_int_equal(world_open(&w, (struct cof_http_limits){.connections = 12, .per_peer = 6}, 8), 0);
    cof_buf_init(&got, 1 << 20);
    for (size_t i = 0; i < 12; i++)
        fd[i] = raw_connect(w.addr.port);
    loop_until(&w, cof_http_server_open_connections(w.server) == 6);
    (void)raw_read(&w, fd[11], &got, NULL); /* closed at once */
    assert_int_equal(got.len, 0);
    other = raw_connect_from(w.addr.port, "127.0.0.2");
    raw_say(other, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    (void)raw_read(&w, other, &got, NULL);
    assert_non_null(strstr(cof_buf_cstr(&got), "hello"));
    (void)close(other);
    for (size_t i = 0; i < 12; i++)
        (void)close(fd[i]);
    cof_buf_done(&got);
    assert_int_equal(world_close(&w), 0);
}

static void connections_over_the_limit_wait(void **state)
{
    struct world *w = *state;
    int fd[41];
    struct cof_buf got;

    cof_buf_init(&got, 1 << 20);
    for (size_t i = 0; i < 41; i++)
        fd[i] = raw_connect(w->addr.port);
    loop_until(w, cof_http_server_open_connections(w->server) == 40);
    raw_say(fd[40], "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    (void)close(fd[0]);
    (void)raw_read(w, fd[40], &got, NULL);
    assert_non_null(strstr(cof_buf_cstr(&got), "hello"));
    for (size_t i = 1; i < 41; i++)
        (void)close(fd[i]);
    cof_buf_done(&got);
}

struct judged {
    bool done;
    int code;
};

static void on_exit_of_judge(void *ctx, struct cof_process *process, int code, int signal)
{
    struct judged *j = ctx;

    j->done = true;
    j->code = code;
}

static void the_framing_judge_is_content(void **state)
{
    struct world *w = *state;
    const char *env = getenv("COFFER_JUDGES");
    char path[4096], port[16];
    const char *argv[] = {"python3", path, port, NULL};
    struct judged j = {0};
    struct cof_process_fd out = {2, 1};
    struct cof_process_opts opts = {.path = "/usr/bin/python3", .argv = argv, .fds = &out, .n_fds = 1,
                                    .exited = on_exit_of_judge, .ctx = &j};
    struct cof_process *p;

    (void)snprintf(path, sizeof path, "%s/http-framing.py", env != NULL ? env : SOURCE_ROOT "/../shared/judges");
    (void)snprintf(port, sizeof port, "%u", w->addr.port);
    if (access(path, R_OK) != 0 || access(opts.path, X_OK) != 0)
        skip();
    assert_ok(cof_process_start(w->loop, &opts, &p, NULL));
    assert_ok(cof_loop_run_until(w->loop, &j.done, 120000));
    assert_int_equal(j.code, 0);
    cof_process_free(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(smuggling_is_refused),
        TEST(limits_hold),
        TEST(slow_peers_are_cut),
        TEST(trickling_bodies_are_cut),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(continue_is_said_once_and_only_when_wanted),
        TEST(old_clients_are_served),
        TEST(half_closed_peers_are_answered),
        TEST(an_early_refusal_is_read_by_a_peer_that_only_writes),
        TEST(a_small_rest_of_body_does_not_cost_the_connection),
        TEST(connections_over_the_limit_wait),
        TEST(who_waits_longest_makes_room),
        TEST(one_peer_leaves_room_for_others),
        TEST(the_framing_judge_is_content),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
