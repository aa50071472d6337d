/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP server and client against each other on loopback, port picked by the kernel.
 */
#include "http_world.h"

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

static void check_echo(const struct call *c)
{
    assert_int_equal(c->err, COF_OK);
    assert_int_equal(c->status, 200);
    assert_int_equal(c->body.len, c->to_send);
    for (size_t k = 0; k < c->body.len; k++)
        if (c->body.data[k] != pattern(k))
            fail_msg("byte %zu of %zu differs", k, c->body.len);
}

static const char *const posts[] = {
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ",
    "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ",
    "POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked",
    "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked",
    "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: ",
};

/* Both framings, plain and TLS, collected and streamed, with back-pressure both ways where it is large. */
static void echoes_every_size(void **state)
{
    struct world *w = *state;
    static const size_t sizes[] = {1, 4095, 32768, 65536, 65537, 1000003, 12000000};

    for (size_t mode = 0; mode < 10; mode++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct call c = {.to_send = sizes[i], .chunked = mode % 5 == 2 || mode % 5 == 3};
            begin(w, &c, mode >= 5, "127.0.0.1", posts[mode % 5], true);
            finish(w, &c);
            check_echo(&c);
            cof_buf_done(&c.body);
        }
}

static void echoes_fifty_mebibytes(void **state)
{
    struct world *w = *state;

    for (int https = 0; https < 2; https++) {
        struct call c = {.to_send = (size_t)50 << 20, .chunked = true};
        begin(w, &c, https == 1, "127.0.0.1", posts[3], true);
        finish(w, &c);
        check_echo(&c);
        cof_buf_done(&c.body);
    }
}

static void a_whole_body_may_be_large(void **state)
{
    struct world *w = *state;
    struct call c = {.to_send = (size_t)40 << 20};
    uint8_t *body = malloc(c.to_send);

    for (size_t i = 0; i < c.to_send; i++)
        body[i] = pattern(i);
    begin_with(w->client, &c,
               (struct cof_http_call_opts){.host = "127.0.0.1", .port = (uint16_t)w->addr.port, .body = {body, c.to_send}}, posts[4]);
    finish(w, &c);
    check_echo(&c);
    cof_buf_done(&c.body);
    free(body);
}

static void connections_are_kept(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 20; i++)
        get_ok(w, i % 2 == 1);
    assert_int_equal(cof_http_server_open_connections(w->server), 2); /* one plain, one TLS */
}

static void many_at_once(void **state)
{
    struct world *w = *state;
    static struct call calls[300];

    for (size_t i = 0; i < 300; i++) {
        calls[i] = (struct call){.to_send = 1 + i * 137};
        begin(w, &calls[i], i % 2 == 0, "127.0.0.1", posts[0], true);
    }
    for (size_t i = 0; i < 300; i++) {
        finish(w, &calls[i]);
        check_echo(&calls[i]);
        cof_buf_done(&calls[i].body);
    }
    assert_int_equal(cof_http_server_open_connections(w->server), 16); /* per_endpoint is 8 */
}

static void three_hundred_connections(void **state)
{
    struct world *w = *state;
    struct cof_http_client_opts co = {.per_endpoint = 300, .tls = w->client_tls};
    struct cof_http_client *wide;
    static struct call calls[300];
    struct cof_http_call_opts o = {.host = "127.0.0.1", .port = (uint16_t)w->addr.port};

    assert_ok(cof_http_client_new(w->loop, &co, &wide));
    for (size_t i = 0; i < 300; i++) {
        calls[i] = (struct call){0};
        o.https = i % 3 == 0;
        begin_with(wide, &calls[i], o, "GET /hello HTTP/1.1\r\nHost: a");
    }
    for (size_t i = 0; i < 300; i++) {
        finish(w, &calls[i]);
        assert_int_equal(calls[i].err, COF_OK);
        assert_int_equal(calls[i].body.len, 5);
        cof_buf_done(&calls[i].body);
    }
    assert_in_range(cof_http_server_open_connections(w->server), 250, 300); /* the first of TLS may serve others that wait for it */
    cof_http_client_free(wide);
    loop_until(w, cof_http_server_open_connections(w->server) == 0);
}

/* Eight that begin together and get no reply: one verifies the server, as soon as it has a session the others resume that. */
static void one_handshake_serves_those_beside_it(void **state)
{
    struct world *w = *state;
    static struct call silent[8];
    struct cof_http_call *handles[8];
    unsigned long finished = 0, resumed = 0;

    for (size_t i = 0; i < 8; i++) {
        silent[i] = (struct call){0};
        handles[i] = begin(w, &silent[i], true, "127.0.0.1", "GET /silent HTTP/1.1\r\nHost: a", false);
    }
    loop_until(w, w->heads == 8);
    cof_tls_handshakes(w->client_tls, &finished, &resumed);
    assert_int_equal(finished, 8);
    assert_int_equal(resumed, 7);
    for (size_t i = 0; i < 8; i++)
        cof_http_call_cancel(handles[i]);
}

/* An endpoint whose places are all taken by silence must not keep another's calls waiting. */
static void endpoints_do_not_wait_for_each_other(void **state)
{
    struct world *w = *state;
    static struct call silent[9], other[20];
    struct cof_http_call *handles[9];

    for (size_t i = 0; i < 9; i++) {
        silent[i] = (struct call){0};
        handles[i] = begin(w, &silent[i], false, "127.0.0.1", "GET /silent HTTP/1.1\r\nHost: a", false);
    }
    for (size_t i = 0; i < 20; i++) {
        other[i] = (struct call){0};
        begin(w, &other[i], true, "127.0.0.1", "GET /hello HTTP/1.1\r\nHost: a", false);
    }
    for (size_t i = 0; i < 20; i++) {
        finish(w, &other[i]);
        assert_int_equal(other[i].err, COF_OK);
        cof_buf_done(&other[i].body);
    }
    for (size_t i = 0; i < 9; i++)
        cof_http_call_cancel(handles[i]);
    for (size_t i = 0; i < 9; i++)
        assert_false(silent[i].done); /* cancelled calls are not told */
}

static void early_refusal_reaches_a_sender(void **state)
{
    struct world *w = *state;

    for (int https = 0; https < 2; https++) {
        struct call c = {.to_send = 5000000};
        begin(w, &c, https == 1, "127.0.0.1", "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: ", true);
        finish(w, &c);
        assert_int_equal(c.err, COF_OK);
        assert_int_equal(c.status, 403);
        assert_true(c.fed < c.to_send); /* the rest was spared */
        cof_buf_done(&c.body);
        get_ok(w, https == 1);
    }
}

static void expecting_spares_the_body(void **state)
{
    struct world *w = *state;
    struct call c = {.to_send = 5000000};

    begin(w, &c, false, "127.0.0.1", "POST /refuse HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ", true);
    finish(w, &c);
    assert_int_equal(c.status, 403);
    assert_int_equal(c.fed, 0);
    cof_buf_done(&c.body);
}

static void replies_without_bodies(void **state)
{
    struct world *w = *state;
    struct call c = {0}, d = {0};

    begin(w, &c, false, "127.0.0.1", "HEAD /hello HTTP/1.1\r\nHost: a", false);
    finish(w, &c);
    assert_int_equal(c.err, COF_OK);
    assert_int_equal(c.status, 200);
    assert_int_equal(c.body.len, 0);
    begin(w, &d, false, "127.0.0.1", "GET /none HTTP/1.1\r\nHost: a", false);
    finish(w, &d);
    assert_int_equal(d.err, COF_OK);
    assert_int_equal(d.status, 204);
    assert_int_equal(cof_http_server_open_connections(w->server), 1); /* neither broke the framing */
    get_ok(w, false);
}

static void a_cut_reply_is_an_error(void **state)
{
    struct world *w = *state;

    for (int https = 0; https < 2; https++) {
        struct call c = {0};
        begin(w, &c, https == 1, "127.0.0.1", "GET /cut HTTP/1.1\r\nHost: a", false);
        finish(w, &c);
        assert_int_not_equal(c.err, COF_OK);
        assert_true(c.sent);
        cof_buf_done(&c.body);
    }
}

static void silence_has_an_end(void **state)
{
    struct world *w = *state;
    struct call c = {0}, d = {0};
    struct cof_http_call_opts o = {.host = "127.0.0.1", .port = (uint16_t)w->addr.port, .total_ms = 100};

    begin_with(w->client, &c, o, "GET /silent HTTP/1.1\r\nHost: a");
    finish(w, &c);
    assert_int_equal(c.err, COF_E_TIMEOUT);
    o.total_ms = -1;
    o.stall_ms = 100;
    begin_with(w->client, &d, o, "GET /silent HTTP/1.1\r\nHost: a");
    finish(w, &d);
    assert_int_equal(d.err, COF_E_TIMEOUT);
    get_ok(w, false);
}

static bool cancel(struct call *call, struct cof_http_call *handle)
{
    cof_http_call_cancel(handle);
    call->done = true;
    return true;
}

static void a_call_may_be_cancelled_in_its_callback(void **state)
{
    struct world *w = *state;
    struct call c = {.stop = cancel};

    begin(w, &c, true, "127.0.0.1", "GET /big HTTP/1.1\r\nHost: a", false);
    finish(w, &c);
    loop_until(w, w->closed == 1);
    assert_int_not_equal(w->last_why, COF_OK);
    assert_true(w->written < BIG_SIZE);
}

static bool hold(struct call *call, struct cof_http_call *handle)
{
    cof_http_call_pause(handle);
    return false;
}

/* A reader that pauses stops the writer at the far end; nothing grows in between. */
static void back_pressure_reaches_the_writer(void **state)
{
    struct world *w = *state;

    for (int https = 0; https < 2; https++) {
        struct call c = {.stop = hold};
        struct cof_http_call *handle = begin(w, &c, https == 1, "127.0.0.1", "GET /big HTTP/1.1\r\nHost: a", false);
        size_t before;

        w->written = 0;
        w->held_back = false;
        loop_until(w, w->held_back && c.status == 200);
        do {
            bool never = false;
            before = w->written;
            assert_int_equal(cof_loop_run_until(w->loop, &never, 50), COF_E_TIMEOUT);
        } while (w->written != before);
        assert_true(w->written < (size_t)16 << 20); /* the kernel's socket buffers and our marks */
        assert_true(c.body.len <= 65536 + 32768);
        c.stop = NULL;
        cof_http_call_resume(handle);
        finish(w, &c);
        assert_int_equal(c.err, COF_OK);
        assert_int_equal(c.body.len, BIG_SIZE);
        cof_buf_done(&c.body);
    }
}

static void a_draining_server_finishes(void **state)
{
    struct world *w = *state;
    struct call c = {0}, late = {0};

    get_ok(w, true); /* leaves an idle connection */
    begin(w, &c, false, "127.0.0.1", "GET /silent HTTP/1.1\r\nHost: a", false);
    loop_until(w, w->held != NULL);
    cof_http_server_drain(w->server);
    assert_int_equal(cof_http_server_open_connections(w->server), 1); /* the idle one is gone */
    begin(w, &late, true, "127.0.0.1", "GET /hello HTTP/1.1\r\nHost: a", false);
    finish(w, &late);
    assert_int_not_equal(late.err, COF_OK);
    cof_xchg_reply(w->held, 200, NULL, COF_LIT("at last"));
    finish(w, &c);
    assert_int_equal(c.err, COF_OK);
    assert_true(cof_view_eq_str(cof_buf_view(&c.body), "at last"));
    cof_buf_done(&c.body);
    loop_until(w, cof_http_server_open_connections(w->server) == 0);
}

/* Each head is followed by exactly one closed, whatever happens in between. */
static void every_exchange_is_closed_once(void **state)
{
    struct world *w = *state;
    static const char half[] = "POST /silent HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc";
    static const char whole[] = "GET /silent HTTP/1.1\r\nHost: a\r\n\r\n";
    int fd = raw_connect(w->addr.port);

    raw_send(fd, half, sizeof half - 1);
    loop_until(w, w->body_bytes == 3);
    (void)close(fd); /* in the middle of the body */
    loop_until(w, w->closed == 1);
    assert_int_equal(w->last_why, COF_E_TRUNCATED);
    fd = raw_connect(w->addr.port);
    raw_send(fd, half, sizeof half - 1);
    loop_until(w, w->body_bytes == 6);
    raw_reset(fd);
    loop_until(w, w->closed == 2);
    fd = raw_connect(w->addr.port);
    raw_send(fd, whole, sizeof whole - 1);
    loop_until(w, w->ends == 1);
    raw_reset(fd); /* while the handler is at work */
    loop_until(w, w->closed == 3);
    assert_int_equal(w->heads, 3);
    assert_int_equal(w->ends, 1);
    assert_int_equal(cof_http_server_open_connections(w->server), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(echoes_every_size),
        TEST(echoes_fifty_mebibytes),
        TEST(a_whole_body_may_be_large),
        TEST(connections_are_kept),
        TEST(many_at_once),
        TEST(three_hundred_connections),
        TEST(one_handshake_serves_those_beside_it),
        TEST(endpoints_do_not_wait_for_each_other),
        TEST(early_refusal_reaches_a_sender),
        TEST(expecting_spares_the_body),
        TEST(replies_without_bodies),
        TEST(a_cut_reply_is_an_error),
        TEST(silence_has_an_end),
        TEST(a_call_may_be_cancelled_in_its_callback),
        TEST(back_pressure_reaches_the_writer),
        TEST(a_draining_server_finishes),
        TEST(every_exchange_is_closed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
