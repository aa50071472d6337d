/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_wire.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GATHERED (4 * (16384 + 256)) /* four records, each with what TLS 1.2 or 1.3 may add */
#define SEND_SMALL 32768

struct wire {
    uint8_t *out; /* ciphertext: nothing to wipe */
    size_t len, at, send_max;
    int fd;
    bool is_ended;
};

/* -> 1: nothing waits. 0: the socket takes no more now. -1: it is broken. */
static int push(struct wire *w)
{
    while (w->at < w->len) {
        size_t left = w->len - w->at;
        ssize_t n = send(w->fd, w->out + w->at, left < w->send_max ? left : w->send_max, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
        w->at += (size_t)n;
    }
    w->at = w->len = 0;
    return 1;
}

static int wire_write(BIO *bio, const char *data, size_t len, size_t *written)
{
    struct wire *w = BIO_get_data(bio);
    int pushed = 1;

    BIO_clear_retry_flags(bio);
    *written = 0;
    if (len > GATHERED - w->len)
        pushed = push(w);
    if (pushed < 0)
        return 0;
    if (w->at > 0 && len > GATHERED - w->len) {
        memmove(w->out, w->out + w->at, w->len - w->at);
        w->len -= w->at;
        w->at = 0;
    }
    if (w->out == NULL && (w->out = malloc(GATHERED)) == NULL)
        return 0;
    if (len > GATHERED - w->len)
        len = GATHERED - w->len; /* a part is as good: TLS writes the rest later */
    if (len == 0) {
        BIO_set_retry_write(bio);
        return 0;
    }
    memcpy(w->out + w->len, data, len);
    w->len += len;
    *written = len;
    return 1;
}

static int wire_read(BIO *bio, char *data, size_t len, size_t *got)
{
    struct wire *w = BIO_get_data(bio);
    ssize_t n;

    BIO_clear_retry_flags(bio);
    *got = 0;
    do
        n = recv(w->fd, data, len, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(bio);
    w->is_ended = n == 0;
    if (n <= 0)
        return 0;
    *got = (size_t)n;
    return 1;
}

static long wire_ctrl(BIO *bio, int command, long number, void *pointer)
{
    struct wire *w = BIO_get_data(bio);
    int pushed;

    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: /* the end of a flight of the handshake */
        BIO_clear_retry_flags(bio);
        pushed = push(w);
        if (pushed == 0)
            BIO_set_retry_write(bio);
        return pushed > 0 ? 1 : -1;
    case BIO_CTRL_EOF:
        return w->is_ended ? 1 : 0;
    default:
        return 0;
    }
}

static int wire_free(BIO *bio)
{
    struct wire *w = BIO_get_data(bio);

    if (w != NULL)
        free(w->out);
    free(w);
    BIO_set_data(bio, NULL);
    return 1;
}

BIO_METHOD *cof_tls_wire_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "coffer wire");

    if (method == NULL)
        return NULL;
    if (BIO_meth_set_write_ex(method, wire_write) != 1 || BIO_meth_set_read_ex(method, wire_read) != 1 ||
        BIO_meth_set_ctrl(method, wire_ctrl) != 1 || BIO_meth_set_destroy(method, wire_free) != 1) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

BIO *cof_tls_wire_new(const BIO_METHOD *method, int fd, bool small_sends)
{
    struct wire *w = calloc(1, sizeof *w);
    BIO *bio = w == NULL ? NULL : BIO_new(method);

    if (bio == NULL) {
        free(w);
        return NULL;
    }
    w->fd = fd;
    w->send_max = small_sends ? SEND_SMALL : GATHERED;
    BIO_set_data(bio, w);
    BIO_set_init(bio, 1);
    return bio;
}

bool cof_tls_wire_push(BIO *wire)
{
    return push(BIO_get_data(wire)) >= 0;
}

size_t cof_tls_wire_waiting(BIO *wire)
{
    const struct wire *w = BIO_get_data(wire);

    return w->len - w->at;
}

void cof_tls_wire_release(BIO *wire)
{
    struct wire *w = BIO_get_data(wire);

    if (w->at < w->len)
        return;
    free(w->out);
    w->out = NULL;
    w->at = w->len = 0;
}
