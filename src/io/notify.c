/* SPDX-License-Identifier: Apache-2.0 */
#include "io/notify.h"

#include "base/num.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WATCHDOG_MAX_US ((uint64_t)86400 * 1000000)

static int64_t watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t n, ours;

    if (usec == NULL || cof_parse_u64(cof_view_str(usec), WATCHDOG_MAX_US, &n) != COF_OK)
        return 0;
    if (pid != NULL && (cof_parse_u64(cof_view_str(pid), INT32_MAX, &ours) != COF_OK || ours != (uint64_t)getpid()))
        return 0;
    return n < 1000 ? 0 : (int64_t)(n / 1000);
}

enum cof_err cof_notify_open(struct cof_notify *out, struct cof_diag *diag)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path == NULL ? 0 : strlen(path);
    enum cof_err err = COF_OK;

    *out = (struct cof_notify){.fd = -1, .watchdog_ms = watchdog_ms()};
    if (len > 0) {
        if ((path[0] != '/' && path[0] != '@') || len >= sizeof to.sun_path)
            return cof_diag_set(diag, COF_E_CONFIG, "NOTIFY_SOCKET is neither a path nor an abstract name");
        memcpy(to.sun_path, path, len);
        if (path[0] == '@')
            to.sun_path[0] = '\0';
        out->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (out->fd < 0 || connect(out->fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) != 0) {
            err = cof_diag_set(diag, COF_E_IO, "NOTIFY_SOCKET: %s", strerror(errno));
            cof_notify_close(out);
        }
    }
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    return err;
}

void cof_notify_send(const struct cof_notify *notify, const char *text)
{
    if (notify->fd >= 0)
        (void)!send(notify->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void cof_notify_close(struct cof_notify *notify)
{
    if (notify->fd >= 0)
        (void)close(notify->fd);
    notify->fd = -1;
}
