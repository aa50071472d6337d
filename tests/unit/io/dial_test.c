/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses as text, and what connecting and listening make of them.
 */
#include "testing.h"

#include "io/dial.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void addresses_round_trip(void **state)
{
    static const char *const good[] = {"tcp:127.0.0.1:80", "tcp:[::1]:65535", "tcp:example.com:0", "unix:/run/a b", "unix:@name",
                                       "vsock:4294967295:1", "vsock:3:9000", "fd:3"};
    static const char *const bad[] = {"", "tcp", "tcp:", "tcp:a", "tcp:a:", "tcp::80", "tcp:a:65536", "tcp:a:-1", "tcp:a:80x",
                                      "unix:", "vsock:1", "vsock:1:", "vsock:a:1", "vsock:4294967296:1", "fd:", "fd:-1", "fd:x",
                                      "udp:a:1", "127.0.0.1:80", "/run/a"};
    char text[300], long_path[300];
    struct cof_addr addr;
    struct cof_diag diag;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_ok(cof_addr_parse(good[i], &addr, NULL));
        cof_addr_text(&addr, text);
        assert_string_equal(text, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (cof_addr_parse(bad[i], &addr, &diag) != COF_E_USAGE)
            fail_msg("taken: %s", bad[i]);
    memset(long_path, 'x', sizeof long_path);
    memcpy(long_path, "unix:", 5);
    long_path[5 + 108] = '\0'; /* one more than the kernel takes */
    assert_int_equal(cof_addr_parse(long_path, &addr, &diag), COF_E_USAGE);
}

/* Connects to what listens, and passes a byte. */
static void talk(const char *where)
{
    struct cof_addr addr, bound;
    struct pollfd p = {.events = POLLIN};
    int listener, near, far;
    char c;

    assert_ok(cof_addr_parse(where, &addr, NULL));
    assert_ok(cof_listen(&addr, &listener, &bound, NULL));
    assert_true(bound.kind != COF_ADDR_TCP || bound.port != 0);
    assert_ok(cof_dial(&bound, cof_resolve_literal, &near, NULL));
    p.fd = listener;
    assert_int_equal(poll(&p, 1, 20000), 1);
    far = accept(listener, NULL, NULL);
    assert_true(far >= 0);
    assert_int_equal(send(near, "x", 1, 0), 1);
    p.fd = far;
    assert_int_equal(poll(&p, 1, 20000), 1);
    assert_int_equal(recv(far, &c, 1, 0), 1);
    (void)close(near);
    (void)close(far);
    (void)close(listener);
}

static void listens_and_connects(void **state)
{
    char dir[64] = "/tmp/coffer-dial-XXXXXX", where[128], name[64];
    struct cof_addr addr, bound;
    struct cof_diag diag;
    struct stat st;
    int fd, second;

    talk("tcp:127.0.0.1:0");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(where, sizeof where, "unix:%s/s", dir);
    talk(where);
    talk(where); /* over the dead socket of the first */
    assert_ok(cof_addr_parse(where, &addr, NULL));
    assert_ok(cof_listen(&addr, &fd, &bound, NULL));
    assert_int_equal(stat(addr.host, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(cof_listen(&addr, &second, &bound, &diag), COF_E_IO); /* a living one is not pushed aside */
    (void)close(fd);
    (void)unlink(addr.host);
    (void)rmdir(dir);
    (void)snprintf(name, sizeof name, "unix:@coffer-test-%d", getpid());
    talk(name);
}

static void names_need_a_resolver(void **state)
{
    struct cof_sockaddr sa;
    struct cof_addr addr;
    struct cof_diag diag;
    size_t n;
    int fd;

    assert_int_equal(cof_resolve_literal("localhost", 1, &sa, 1, &n), COF_E_NOT_FOUND);
    assert_int_equal(cof_resolve_literal("127.1", 1, &sa, 1, &n), COF_E_NOT_FOUND);
    assert_ok(cof_resolve_literal("::1", 1, &sa, 1, &n));
    assert_int_equal(n, 1);
    assert_ok(cof_addr_parse("tcp:localhost:1", &addr, NULL));
    assert_int_equal(cof_dial(&addr, cof_resolve_literal, &fd, &diag), COF_E_NOT_FOUND);
    assert_int_equal(fd, -1);
    assert_ok(cof_addr_parse("fd:9999", &addr, NULL));
    assert_int_equal(cof_dial(&addr, cof_resolve_literal, &fd, &diag), COF_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_round_trip),
        cmocka_unit_test(listens_and_connects),
        cmocka_unit_test(names_need_a_resolver),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
