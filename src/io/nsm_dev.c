/* SPDX-License-Identifier: Apache-2.0 */
#include "io/nsm_dev.h"

#include "base/secret.h"
#include "format/nsm.h"
#include "io/clock.h"
#include "io/dial.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEADLINE_MS 10000

/* The kernel's interface (uapi/linux/nsm.h): one call moves both messages. */
struct span {
    uint64_t addr, len;
};
struct exchange {
    struct span request, response;
};
#define NSM_CALL _IOWR(0x0A, 0, struct exchange)

struct cof_nsm {
    int fd;
    bool is_socket;
};

static enum cof_err open_socket(const char *where, int *fd, struct cof_diag *diag)
{
    struct cof_addr addr;
    enum cof_err err = cof_addr_parse(where, &addr, diag);

    if (err == COF_OK && addr.kind != COF_ADDR_UNIX && addr.kind != COF_ADDR_FD)
        err = cof_diag_set(diag, COF_E_USAGE, "'%s' is no place for a security module", where);
    return err == COF_OK ? cof_dial(&addr, cof_resolve_literal, fd, diag) : err;
}

enum cof_err cof_nsm_open(const char *where, struct cof_nsm **out, struct cof_diag *diag)
{
    struct cof_nsm *nsm = calloc(1, sizeof *nsm);
    struct stat st;
    enum cof_err err = COF_OK;

    *out = NULL;
    if (nsm == NULL)
        return COF_E_MEMORY;
    nsm->fd = -1;
    if (where[0] != '/') {
        err = open_socket(where, &nsm->fd, diag);
    } else if ((nsm->fd = open(where, O_RDWR | O_CLOEXEC)) < 0) {
        err = cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", where, strerror(errno));
        cof_diag_hint(diag, "only a Nitro Enclave has this device; on one machine coffer-local simulates it");
    }
    if (err == COF_OK && fstat(nsm->fd, &st) == 0 && S_ISSOCK(st.st_mode))
        nsm->is_socket = true;
    else if (err == COF_OK && !S_ISCHR(st.st_mode))
        err = cof_diag_set(diag, COF_E_CONFIG, "%s: neither a security module nor a socket", where);
    if (err != COF_OK) {
        cof_nsm_close(nsm);
        return err;
    }
    *out = nsm;
    return COF_OK;
}

void cof_nsm_close(struct cof_nsm *nsm)
{
    if (nsm == NULL)
        return;
    if (nsm->fd >= 0)
        (void)close(nsm->fd);
    free(nsm);
}

static enum cof_err await(int fd, short events, int64_t deadline_ms)
{
    struct pollfd p = {.fd = fd, .events = events};

    for (;;) {
        int64_t left = deadline_ms - cof_clock_monotonic_ms();
        int n = left <= 0 ? 0 : poll(&p, 1, (int)left);

        if (n > 0)
            return COF_OK;
        if (n == 0)
            return COF_E_TIMEOUT;
        if (errno != EINTR)
            return COF_E_IO;
    }
}

static enum cof_err send_all(int fd, struct cof_view v, int64_t deadline_ms)
{
    enum cof_err err = COF_OK;

    while (err == COF_OK && v.len > 0) {
        ssize_t n = send(fd, v.data, v.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            v = cof_view_sub(v, (size_t)n, SIZE_MAX);
        else if (errno == EAGAIN)
            err = await(fd, POLLOUT, deadline_ms);
        else if (errno != EINTR)
            err = COF_E_CLOSED;
    }
    return err;
}

static enum cof_err receive_all(int fd, uint8_t *out, size_t len, int64_t deadline_ms)
{
    enum cof_err err = COF_OK;

    while (err == COF_OK && len > 0) {
        ssize_t n = recv(fd, out, len, MSG_DONTWAIT);
        if (n == 0)
            return COF_E_CLOSED;
        if (n > 0) {
            out += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN)
            err = await(fd, POLLIN, deadline_ms);
        else if (errno != EINTR)
            err = COF_E_CLOSED;
    }
    return err;
}

static enum cof_err call_socket(int fd, struct cof_view request, uint8_t *response, size_t *len)
{
    int64_t deadline_ms = cof_clock_monotonic_ms() + DEADLINE_MS;
    struct cof_buf frame;
    uint8_t prefix[4];
    struct cof_view v = {prefix, sizeof prefix};
    uint32_t n;
    enum cof_err err;

    cof_buf_init(&frame, COF_NSM_REQUEST_MAX + 4);
    cof_buf_add_u32(&frame, (uint32_t)request.len);
    cof_buf_add(&frame, request);
    err = cof_buf_err(&frame);
    if (err == COF_OK)
        err = send_all(fd, cof_buf_view(&frame), deadline_ms);
    cof_buf_done(&frame);
    if (err == COF_OK)
        err = receive_all(fd, prefix, sizeof prefix, deadline_ms);
    if (err == COF_OK)
        err = cof_take_u32(&v, &n);
    if (err == COF_OK && (n == 0 || n > COF_NSM_RESPONSE_MAX))
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = receive_all(fd, response, n, deadline_ms);
    if (err == COF_OK)
        *len = n;
    return err;
}

static enum cof_err call_device(int fd, struct cof_view request, uint8_t *response, size_t *len)
{
    struct exchange x = {
        .request = {(uint64_t)(uintptr_t)request.data, request.len},
        .response = {(uint64_t)(uintptr_t)response, COF_NSM_RESPONSE_MAX},
    };
    int r;

    do
        r = ioctl(fd, NSM_CALL, &x);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return errno == EMSGSIZE ? COF_E_LIMIT : cof_err_from_errno(errno);
    if (x.response.len == 0 || x.response.len > COF_NSM_RESPONSE_MAX)
        return COF_E_FORMAT;
    *len = (size_t)x.response.len;
    return COF_OK;
}

enum cof_err cof_nsm_call(struct cof_nsm *nsm, struct cof_view request, struct cof_buf *out)
{
    uint8_t response[COF_NSM_RESPONSE_MAX];
    size_t len = 0;
    enum cof_err err;

    if (request.len == 0 || request.len > COF_NSM_REQUEST_MAX)
        return COF_E_LIMIT;
    if (nsm->fd < 0)
        return COF_E_CLOSED;
    err = nsm->is_socket ? call_socket(nsm->fd, request, response, &len)
                         : call_device(nsm->fd, request, response, &len);
    if (err == COF_OK) {
        cof_buf_add_bytes(out, response, len);
        err = cof_buf_err(out);
    } else if (nsm->is_socket) {
        (void)close(nsm->fd); /* a late answer must not be taken for that of the next request */
        nsm->fd = -1;
    }
    cof_wipe(response, sizeof response); /* random bytes pass here */
    return err;
}

static enum cof_err fill(void *ctx, uint8_t *out, size_t len)
{
    struct cof_buf request, reply;
    enum cof_err err = COF_OK;

    cof_buf_init(&request, COF_NSM_REQUEST_MAX);
    cof_buf_init_secret(&reply, COF_NSM_RESPONSE_MAX);
    cof_nsm_add_request(&request, &(struct cof_nsm_request){.op = COF_NSM_GET_RANDOM});
    if ((err = cof_buf_err(&request)) != COF_OK)
        goto out;
    while (len > 0) {
        struct cof_nsm_response response;

        cof_buf_reset(&reply);
        if ((err = cof_nsm_call(ctx, cof_buf_view(&request), &reply)) != COF_OK)
            break;
        err = cof_nsm_parse_response(cof_buf_view(&reply), &response);
        if (err == COF_OK && (response.op != COF_NSM_GET_RANDOM || response.data.len == 0))
            err = COF_E_REMOTE;
        if (err != COF_OK)
            break;
        response.data = cof_view_sub(response.data, 0, len);
        memcpy(out, response.data.data, response.data.len);
        out += response.data.len;
        len -= response.data.len;
    }
out:
    cof_buf_done(&request);
    cof_buf_done(&reply);
    return err;
}

struct cof_rng cof_nsm_rng(struct cof_nsm *nsm)
{
    return (struct cof_rng){fill, nsm};
}
