/* SPDX-License-Identifier: Apache-2.0 */
#include "io/dial.h"

#include "base/num.h"
#include "io/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_ADDRESSES 8

static enum cof_err bad(struct cof_diag *diag, const char *text)
{
    enum cof_err err = cof_diag_set(diag, COF_E_USAGE, "'%s' is not an address", text);

    cof_diag_hint(diag, "write tcp:HOST:PORT, unix:/path, vsock:CID:PORT or fd:N");
    return err;
}

static bool number(struct cof_view v, uint32_t max, uint32_t *out)
{
    uint64_t n;

    if (cof_parse_u64(v, max, &n) != COF_OK)
        return false;
    *out = (uint32_t)n;
    return true;
}

static bool set_host(struct cof_addr *addr, struct cof_view host)
{
    if (host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = cof_view_sub(host, 1, host.len - 2);
    if (host.len == 0 || host.len >= sizeof addr->host || cof_view_find(host, 0) != SIZE_MAX)
        return false;
    memcpy(addr->host, host.data, host.len);
    addr->host[host.len] = '\0';
    return true;
}

enum cof_err cof_addr_parse(const char *text, struct cof_addr *out, struct cof_diag *diag)
{
    struct cof_view kind, rest, port;
    struct cof_addr addr = {0};
    bool ok = cof_view_split(cof_view_str(text), ':', &kind, &rest);

    *out = addr;
    if (ok && cof_view_eq_str(kind, "tcp")) {
        size_t colon = rest.len;
        while (colon > 0 && rest.data[colon - 1] != ':')
            colon--;
        addr.kind = COF_ADDR_TCP;
        ok = colon > 0 && set_host(&addr, cof_view_sub(rest, 0, colon - 1)) &&
             number(cof_view_sub(rest, colon, SIZE_MAX), 65535, &addr.port);
    } else if (ok && cof_view_eq_str(kind, "unix")) {
        addr.kind = COF_ADDR_UNIX;
        ok = set_host(&addr, rest) && rest.len < sizeof ((struct sockaddr_un *)0)->sun_path;
    } else if (ok && cof_view_eq_str(kind, "vsock")) {
        addr.kind = COF_ADDR_VSOCK;
        ok = cof_view_split(rest, ':', &kind, &port) && number(kind, UINT32_MAX, &addr.cid) &&
             number(port, UINT32_MAX, &addr.port);
    } else if (ok && cof_view_eq_str(kind, "fd")) {
        addr.kind = COF_ADDR_FD;
        ok = number(rest, 65535, &addr.port);
    } else {
        ok = false;
    }
    if (!ok)
        return bad(diag, text);
    *out = addr;
    return COF_OK;
}

void cof_addr_text(const struct cof_addr *addr, char out[static 300])
{
    switch (addr->kind) {
    case COF_ADDR_TCP:
        (void)snprintf(out, 300, strchr(addr->host, ':') == NULL ? "tcp:%s:%u" : "tcp:[%s]:%u", addr->host, addr->port);
        break;
    case COF_ADDR_UNIX:
        (void)snprintf(out, 300, "unix:%s", addr->host);
        break;
    case COF_ADDR_VSOCK:
        (void)snprintf(out, 300, "vsock:%u:%u", addr->cid, addr->port);
        break;
    case COF_ADDR_FD:
        (void)snprintf(out, 300, "fd:%u", addr->port);
        break;
    }
}

enum cof_err cof_resolve_literal(const char *host, uint16_t port, struct cof_sockaddr *out, size_t max, size_t *n)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    *n = 0;
    if (max == 0)
        return COF_E_LIMIT;
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(out[0].bytes, &v4, sizeof v4);
        out[0].len = sizeof v4;
    } else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(out[0].bytes, &v6, sizeof v6);
        out[0].len = sizeof v6;
    } else {
        return COF_E_NOT_FOUND;
    }
    *n = 1;
    return COF_OK;
}

/* A path beginning with '@' is in the abstract space: the first byte becomes NUL. */
static socklen_t unix_address(const char *path, struct sockaddr_un *un)
{
    size_t len = strlen(path);

    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len >= sizeof un->sun_path)
        len = sizeof un->sun_path - 1;
    memcpy(un->sun_path, path, len);
    if (path[0] != '@')
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    un->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static enum cof_err addresses(const struct cof_addr *addr, cof_resolve_fn *resolve, struct cof_sockaddr *out, size_t *n,
                              struct cof_diag *diag)
{
    enum cof_err err;

    *n = 1;
    if (addr->kind == COF_ADDR_UNIX) {
        struct sockaddr_un un;
        out[0].len = unix_address(addr->host, &un);
        memcpy(out[0].bytes, &un, out[0].len);
        return COF_OK;
    }
    if (addr->kind == COF_ADDR_VSOCK) {
        struct sockaddr_vm vm = {.svm_family = AF_VSOCK, .svm_cid = addr->cid, .svm_port = addr->port};
        memcpy(out[0].bytes, &vm, sizeof vm);
        out[0].len = sizeof vm;
        return COF_OK;
    }
    err = resolve(addr->host, (uint16_t)addr->port, out, MAX_ADDRESSES, n);
    if (err != COF_OK || *n == 0)
        return cof_diag_set(diag, err == COF_OK ? COF_E_NOT_FOUND : err, "%s: no such host", addr->host);
    return COF_OK;
}

static int family_of(const struct cof_sockaddr *sa)
{
    struct sockaddr head;

    memcpy(&head, sa->bytes, sizeof head);
    return head.sa_family;
}

static enum cof_err inherited(const struct cof_addr *addr, int *fd, struct cof_diag *diag)
{
    int flags, copy = fcntl((int)addr->port, F_DUPFD_CLOEXEC, 3);

    if (copy < 0 || (flags = fcntl(copy, F_GETFL)) < 0 || fcntl(copy, F_SETFL, flags | O_NONBLOCK) < 0) {
        if (copy >= 0)
            (void)close(copy);
        return cof_diag_set(diag, COF_E_IO, "fd:%u: %s", addr->port, strerror(errno));
    }
    *fd = copy;
    return COF_OK;
}

enum cof_err cof_dial_at(const struct cof_sockaddr *to, int *fd)
{
    int family = family_of(to), one = 1, error;
    int s = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *fd = -1;
    if (s < 0)
        return COF_E_IO;
    if (family == AF_INET || family == AF_INET6)
        (void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(s, (const struct sockaddr *)(const void *)to->bytes, to->len) == 0 || errno == EINPROGRESS) {
        *fd = s;
        return COF_OK;
    }
    error = errno;
    (void)close(s);
    errno = error;
    return COF_E_IO;
}

enum cof_err cof_dial(const struct cof_addr *addr, cof_resolve_fn *resolve, int *fd, struct cof_diag *diag)
{
    struct cof_sockaddr sa[MAX_ADDRESSES];
    char text[300];
    int last;
    size_t n;
    enum cof_err err;

    *fd = -1;
    if (addr->kind == COF_ADDR_FD)
        return inherited(addr, fd, diag);
    err = addresses(addr, resolve, sa, &n, diag);
    if (err != COF_OK)
        return err;
    for (size_t i = 0; i < n; i++)
        if ((err = cof_dial_at(&sa[i], fd)) == COF_OK)
            return COF_OK;
    last = errno;
    cof_addr_text(addr, text);
    return cof_diag_set(diag, COF_E_IO, "cannot connect to %s: %s", text, strerror(last));
}

/* A socket file that nobody listens on is what a killed process left: it may go. A living one may not. */
static bool is_dead_socket(const struct sockaddr_un *un, socklen_t len)
{
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool dead;

    if (s < 0)
        return false;
    dead = connect(s, (const struct sockaddr *)(const void *)un, len) != 0 && errno == ECONNREFUSED;
    (void)close(s);
    return dead;
}

static void learn_port(int s, struct cof_addr *bound)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof ss;

    if (bound->kind != COF_ADDR_TCP || getsockname(s, (struct sockaddr *)&ss, &len) != 0)
        return;
    if (ss.ss_family == AF_INET)
        bound->port = ntohs(((struct sockaddr_in *)(void *)&ss)->sin_port);
    else if (ss.ss_family == AF_INET6)
        bound->port = ntohs(((struct sockaddr_in6 *)(void *)&ss)->sin6_port);
}

enum cof_err cof_listen(const struct cof_addr *addr, int *fd, struct cof_addr *bound, struct cof_diag *diag)
{
    struct cof_sockaddr sa[MAX_ADDRESSES];
    char text[300];
    int s, one = 1;
    size_t n;
    mode_t mask;
    enum cof_err err;

    *fd = -1;
    *bound = *addr;
    cof_addr_text(addr, text);
    if (addr->kind == COF_ADDR_FD)
        return inherited(addr, fd, diag);
    err = addresses(addr, cof_resolve_literal, sa, &n, diag);
    if (err != COF_OK)
        return err;
    s = socket(family_of(&sa[0]), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return cof_diag_set(diag, COF_E_IO, "%s: %s", text, strerror(errno));
    if (addr->kind == COF_ADDR_TCP)
        (void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (addr->kind == COF_ADDR_UNIX && addr->host[0] != '@' &&
        is_dead_socket((const struct sockaddr_un *)(const void *)sa[0].bytes, sa[0].len))
        (void)unlink(addr->host);
    mask = umask(0177);
    if (bind(s, (const struct sockaddr *)(const void *)sa[0].bytes, sa[0].len) != 0 || listen(s, 1024) != 0)
        err = cof_diag_set(diag, cof_err_from_errno(errno), "cannot listen on %s: %s", text, strerror(errno));
    (void)umask(mask);
    if (err != COF_OK) {
        (void)close(s);
        return err;
    }
    learn_port(s, bound);
    *fd = s;
    return COF_OK;
}
