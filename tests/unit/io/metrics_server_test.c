/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "io/metrics_server.h"
#include "io/resident.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

static void write_text(void *ctx, struct cof_buf *out)
{
    cof_buf_add_str(out, ctx);
}

/* What comes back for a request; the loop runs meanwhile. */
static void ask(struct cof_loop *loop, uint16_t port, const char *request, char answer[1024])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    const bool never = false;
    size_t got = 0;
    ssize_t n = -1;

    assert_int_equal(connect(s, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(send(s, request, strlen(request), 0), strlen(request));
    for (int i = 0; i < 500 && n != 0; i++) {
        enum cof_err err = cof_loop_run_until(loop, &never, 5);

        assert_int_equal(err, COF_E_TIMEOUT);
        n = recv(s, answer + got, 1023 - got, MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
    }
    answer[got] = '\0';
    (void)close(s);
}

static void answers_get_metrics_alone(void **state)
{
    static char text[] = "a 1\n", large[] = "more than fits";
    struct cof_metrics_server_opts opts = {.address = "tcp:127.0.0.1:0", .text_max = 8, .write = write_text, .ctx = text};
    struct cof_metrics_server *server;
    struct cof_loop *loop;
    char url[400], answer[1024];
    unsigned port = 0;

    assert_ok(cof_loop_new(&loop));
    assert_ok(cof_metrics_server_new(loop, &opts, &server, NULL));
    cof_metrics_server_url(server, url);
    assert_memory_equal(url, "http://127.0.0.1:", 17);
    port = (unsigned)strtoul(url + 17, NULL, 10);
    assert_non_null(strstr(url, "/metrics"));
    ask(loop, (uint16_t)port, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answer);
    assert_memory_equal(answer, "HTTP/1.1 200", 12);
    assert_non_null(strstr(answer, "text/plain; version=0.0.4"));
    assert_non_null(strstr(answer, "\r\n\r\na 1\n"));
    ask(loop, (uint16_t)port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answer);
    assert_memory_equal(answer, "HTTP/1.1 404", 12);
    ask(loop, (uint16_t)port, "DELETE /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answer);
    assert_memory_equal(answer, "HTTP/1.1 405", 12);
    cof_metrics_server_free(server);
    opts.ctx = large;
    assert_ok(cof_metrics_server_new(loop, &opts, &server, NULL));
    cof_metrics_server_url(server, url);
    ask(loop, (uint16_t)strtoul(url + 17, NULL, 10), "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answer);
    assert_memory_equal(answer, "HTTP/1.1 503", 12);
    cof_metrics_server_free(server);
    cof_metrics_server_free(NULL);
    opts.address = "no address";
    assert_int_equal(cof_metrics_server_new(loop, &opts, &server, NULL), COF_E_USAGE);
    cof_loop_free(loop);
}

static void memory_in_use_is_known(void **state)
{
    assert_true(cof_resident_bytes() > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_get_metrics_alone),
        cmocka_unit_test(memory_in_use_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
