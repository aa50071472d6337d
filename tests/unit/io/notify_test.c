/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "io/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* An abstract name that the kernel picks. */
static int listen_somewhere(char name[64])
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t len = sizeof at;
    int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof at.sun_family), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(name, 64, "@%.*s", (int)(len - sizeof at.sun_family - 1), at.sun_path + 1);
    return s;
}

static void tells_the_manager(void **state)
{
    struct cof_notify n;
    char name[64], got[64] = {0}, pid[24];
    int s = listen_somewhere(name);

    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    (void)setenv("NOTIFY_SOCKET", name, 1);
    (void)setenv("WATCHDOG_USEC", "3000000", 1);
    (void)setenv("WATCHDOG_PID", pid, 1);
    assert_ok(cof_notify_open(&n, NULL));
    assert_int_equal(n.watchdog_ms, 3000);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    cof_notify_send(&n, "READY=1\nSTATUS=well");
    assert_int_equal(recv(s, got, sizeof got, 0), 19);
    assert_string_equal(got, "READY=1\nSTATUS=well");
    (void)close(s);
    cof_notify_send(&n, "WATCHDOG=1"); /* nobody there any more: no harm */
    cof_notify_close(&n);
    cof_notify_close(&n);
}

static void nobody_wants_to_know(void **state)
{
    static const char *const usec[] = {"", "-1", "0", "999", "99999999999999999999", "3s"};
    struct cof_notify n;

    (void)unsetenv("NOTIFY_SOCKET");
    for (size_t i = 0; i < sizeof usec / sizeof usec[0]; i++) {
        (void)setenv("WATCHDOG_USEC", usec[i], 1);
        assert_ok(cof_notify_open(&n, NULL));
        assert_int_equal(n.watchdog_ms, 0);
        assert_int_equal(n.fd, -1);
    }
    (void)setenv("WATCHDOG_USEC", "3000000", 1);
    (void)setenv("WATCHDOG_PID", "1", 1); /* another's */
    assert_ok(cof_notify_open(&n, NULL));
    assert_int_equal(n.watchdog_ms, 0);
    cof_notify_send(&n, "READY=1");
}

static void bad_sockets_are_told(void **state)
{
    struct cof_notify n;
    struct cof_diag diag;

    (void)setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(cof_notify_open(&n, &diag), COF_E_CONFIG);
    (void)setenv("NOTIFY_SOCKET", "/no/such/socket", 1);
    assert_int_equal(cof_notify_open(&n, &diag), COF_E_IO);
    assert_int_equal(n.fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_manager),
        cmocka_unit_test(nobody_wants_to_know),
        cmocka_unit_test(bad_sockets_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
