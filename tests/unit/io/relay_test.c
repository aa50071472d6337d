/* SPDX-License-Identifier: Apache-2.0
 *
 * Pairs of sockets with a relay between them; the test's own ends are driven from the loop's turns, so nothing waits for real.
 */
#include "testing.h"

#include "io/relay.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

struct world {
    struct cof_loop *loop;
    struct cof_relay_pool *pool;
    int a, b; /* the ends that the test holds */
    struct cof_relay *relay;
    enum cof_err why;
    bool done;
};

static void on_done(void *ctx, struct cof_relay *relay, enum cof_err why)
{
    struct world *w = ctx;

    assert_ptr_equal(relay, w->relay);
    w->why = why;
    w->done = true;
    w->relay = NULL;
}

static void unix_pair(int out[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out), 0);
}

static void tcp_pair(int out[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(l, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, (struct sockaddr *)&at, &len), 0);
    out[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(out[0], (struct sockaddr *)&at, len), 0);
    out[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    assert_true(out[1] >= 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fcntl(out[i], F_SETFL, O_NONBLOCK), 0);
    (void)close(l);
}

static size_t n_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n;
}

static void begin(struct world *w, const struct cof_relay_pool_opts *pool, struct cof_view early, int64_t idle_ms)
{
    int inner[2], outer[2];
    struct cof_relay_opts opts = {.early = early, .idle_ms = idle_ms, .done = on_done, .ctx = w};

    *w = (struct world){0};
    (void)signal(SIGPIPE, SIG_IGN);
    assert_ok(cof_loop_new(&w->loop));
    assert_ok(cof_relay_pool_new(w->loop, pool, &w->pool));
    unix_pair(inner);
    tcp_pair(outer);
    w->a = inner[0];
    w->b = outer[0];
    opts.pool = w->pool;
    opts.fd[0] = inner[1];
    opts.fd[1] = outer[1];
    assert_ok(cof_relay_start(w->loop, &opts, &w->relay));
}

static void end(struct world *w)
{
    cof_relay_cancel(w->relay);
    if (w->a >= 0)
        (void)close(w->a);
    if (w->b >= 0)
        (void)close(w->b);
    cof_relay_pool_free(w->pool);
    cof_loop_free(w->loop);
}

static void turns(struct world *w, int64_t ms)
{
    const bool never = false;

    enum cof_err err = cof_loop_run_until(w->loop, ms > 0 ? &w->done : &never, ms);

    assert_true(err == COF_OK || err == COF_E_TIMEOUT);
}

/* Both ways at once, uneven pieces, an end of each way on its own. */
static void both_ways(struct world *w, size_t total)
{
    int fd[2] = {w->a, w->b};
    size_t sent[2] = {0}, got[2] = {0};
    bool ended[2] = {false, false}, over[2] = {false, false};
    uint8_t piece[7001], in[9001];

    for (int round = 0; round < 200000 && !(over[0] && over[1]); round++) {
        for (int i = 0; i < 2; i++) {
            size_t want = total - sent[i] < sizeof piece ? total - sent[i] : sizeof piece;
            ssize_t n;

            for (size_t j = 0; j < want; j++)
                piece[j] = (uint8_t)((sent[i] + j) * 31 + (size_t)i);
            n = want > 0 ? send(fd[i], piece, want, MSG_NOSIGNAL) : 0;
            assert_true(n >= 0 || errno == EAGAIN);
            sent[i] += n > 0 ? (size_t)n : 0;
            if (sent[i] == total && !ended[i]) {
                assert_int_equal(shutdown(fd[i], SHUT_WR), 0);
                ended[i] = true;
            }
            n = recv(fd[i], in, sizeof in, 0);
            assert_true(n >= 0 || errno == EAGAIN);
            over[i] = over[i] || n == 0;
            for (ssize_t j = 0; j < n; j++)
                assert_int_equal(in[j], (uint8_t)((got[i] + (size_t)j) * 31 + (size_t)(1 - i)));
            got[i] += n > 0 ? (size_t)n : 0;
        }
        turns(w, 0);
    }
    assert_int_equal(got[0], total);
    assert_int_equal(got[1], total);
    turns(w, 1000);
    assert_true(w->done);
    assert_int_equal(w->why, COF_OK);
}

static void moves_bytes_both_ways_and_passes_ends_on(void **state)
{
    static const struct cof_relay_pool_opts pools[] = {{0}, {.buffer_bytes = 4096}, {.buffer_bytes = 4096, .max_pipes = 1}};
    struct world w;
    uint64_t bytes[2];

    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) {
        size_t before = n_open();

        begin(&w, &pools[i], COF_LIT(""), 0);
        both_ways(&w, 1500000);
        cof_relay_pool_bytes(w.pool, bytes);
        assert_int_equal(bytes[0], 1500000);
        assert_int_equal(bytes[1], 1500000);
        end(&w);
        assert_int_equal(n_open(), before);
    }
}

static void early_bytes_go_first(void **state)
{
    struct world w;
    char in[32] = {0};

    begin(&w, &(struct cof_relay_pool_opts){0}, COF_LIT("hello "), 0);
    assert_int_equal(send(w.a, "world", 5, 0), 5);
    turns(&w, 20);
    assert_int_equal(recv(w.b, in, sizeof in, 0), 11);
    assert_string_equal(in, "hello world");
    end(&w);
}

/* One way has ended; the other goes on for as long as it likes. */
static void a_half_closed_pair_lives_on(void **state)
{
    struct world w;
    char in[8];

    begin(&w, &(struct cof_relay_pool_opts){0}, COF_LIT(""), 0);
    assert_int_equal(shutdown(w.a, SHUT_WR), 0);
    turns(&w, 20);
    assert_int_equal(recv(w.b, in, sizeof in, 0), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send(w.b, "late", 4, 0), 4);
        turns(&w, 20);
        assert_int_equal(recv(w.a, in, sizeof in, 0), 4);
    }
    assert_false(w.done);
    assert_int_equal(shutdown(w.b, SHUT_WR), 0);
    turns(&w, 1000);
    assert_true(w.done);
    assert_int_equal(w.why, COF_OK);
    end(&w);
}

/* What a reader does not take is held, and no more than that is read from the other side. */
static void a_slow_reader_holds_the_writer_back(void **state)
{
    struct world w;
    uint8_t piece[8192] = {1};
    size_t sent = 0, before;
    ssize_t n;

    begin(&w, &(struct cof_relay_pool_opts){.buffer_bytes = 8192}, COF_LIT(""), 0);
    for (int quiet = 0; quiet < 50;) {
        n = send(w.a, piece, sizeof piece, MSG_NOSIGNAL);
        quiet = n > 0 ? 0 : quiet + 1;
        sent += n > 0 ? (size_t)n : 0;
        turns(&w, 0);
    }
    assert_true(sent > 8192 && sent < 16 << 20); /* sockets' own buffers, and one of ours */
    before = sent;
    while ((n = recv(w.b, piece, sizeof piece, 0)) > 0 || sent > 0) {
        if (n > 0)
            sent -= (size_t)n < sent ? (size_t)n : sent;
        turns(&w, 0);
    }
    assert_int_equal(send(w.a, piece, 1, 0), 1); /* and then it goes on */
    turns(&w, 20);
    assert_int_equal(recv(w.b, piece, sizeof piece, 0), 1);
    assert_true(before > 0);
    end(&w);
}

/* A cut connection must not look like one that ended. */
static void a_reset_is_passed_on(void **state)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct world w;
    char in[8];

    begin(&w, &(struct cof_relay_pool_opts){0}, COF_LIT(""), 0);
    cof_relay_cancel(w.relay);
    w.relay = NULL;
    assert_int_equal(recv(w.b, in, sizeof in, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    end(&w);

    begin(&w, &(struct cof_relay_pool_opts){0}, COF_LIT(""), 0);
    assert_int_equal(setsockopt(w.b, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    (void)close(w.b);
    w.b = -1;
    turns(&w, 1000);
    assert_true(w.done);
    assert_int_equal(w.why, COF_E_CLOSED);
    assert_int_equal(recv(w.a, in, sizeof in, 0), 0); /* a Unix socket knows no reset */
    end(&w);
}

static void an_idle_pair_is_cut(void **state)
{
    struct world w;

    begin(&w, &(struct cof_relay_pool_opts){0}, COF_LIT(""), 30);
    turns(&w, 2000);
    assert_true(w.done);
    assert_int_equal(w.why, COF_E_TIMEOUT);
    end(&w);
}

static void a_rate_is_kept(void **state)
{
    struct world w;
    uint8_t piece[16384] = {0};
    size_t got = 0;
    ssize_t n;
    int64_t began_ms;

    begin(&w, &(struct cof_relay_pool_opts){.bytes_per_s = 200000}, COF_LIT(""), 0);
    began_ms = cof_loop_now_ms(w.loop);
    for (int i = 0; i < 4; i++)
        assert_int_equal(send(w.a, piece, sizeof piece, 0), sizeof piece);
    while (got < 4 * sizeof piece) {
        turns(&w, 5);
        while ((n = recv(w.b, piece, sizeof piece, 0)) > 0)
            got += (size_t)n;
    }
    assert_true(send(w.a, piece, 1, 0) == 1);
    while (recv(w.b, piece, 1, 0) != 1)
        turns(&w, 5);
    assert_true(cof_loop_now_ms(w.loop) - began_ms >= 200); /* 64 KiB at 200 kB/s, less the tenth of a second that may be made up for */
    end(&w);
}

static void bad_pools_are_refused(void **state)
{
    struct cof_loop *loop;
    struct cof_relay_pool *pool;

    assert_ok(cof_loop_new(&loop));
    assert_int_equal(cof_relay_pool_new(loop, &(struct cof_relay_pool_opts){.buffer_bytes = 100}, &pool), COF_E_USAGE);
    assert_int_equal(cof_relay_pool_new(loop, &(struct cof_relay_pool_opts){.buffer_bytes = 2 << 20}, &pool), COF_E_USAGE);
    cof_relay_pool_free(NULL);
    cof_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_bytes_both_ways_and_passes_ends_on),
        cmocka_unit_test(early_bytes_go_first),
        cmocka_unit_test(a_half_closed_pair_lives_on),
        cmocka_unit_test(a_slow_reader_holds_the_writer_back),
        cmocka_unit_test(a_reset_is_passed_on),
        cmocka_unit_test(an_idle_pair_is_cut),
        cmocka_unit_test(a_rate_is_kept),
        cmocka_unit_test(bad_pools_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
