/* SPDX-License-Identifier: Apache-2.0 */
#include "io/stream.h"

#include "io/tls_conn.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_SIZE 65535 /* with a builder's spare byte a power of two */
#define READ_FIRST 4095 /* until so much came at once: most heads fit, and who is slow with one costs little */
#define WRITE_MAX 32768 /* a call where the peer is no IP socket: larger ones wedge vsock back-ends */
#define RECORD 16384    /* bytes of plaintext in a whole TLS record */

/* The buffers are wiped when let go: data keys and plaintexts pass through them. */
static void pump(struct cof_stream *s);

/* Bytes that were written and have not left us. */
static size_t unsent(const struct cof_stream *s)
{
    return s->out.len - s->out_at + (s->tls != NULL ? cof_tls_conn_waiting(s->tls) : 0);
}

static bool gone(const struct cof_stream *s)
{
    return s->watch.fd < 0 || s->failed;
}

/* Have the loop look at the stream soon. Without memory for a timer the deadline of the owner ends the stream. */
static void kick(struct cof_stream *s)
{
    enum cof_err ignored = cof_loop_arm(s->loop, &s->kick, 0);

    (void)ignored;
}

static void on_watch(struct cof_watch *watch, unsigned events)
{
    struct cof_stream *s = (struct cof_stream *)(void *)((char *)watch - offsetof(struct cof_stream, watch));

    if ((events & COF_READABLE) != 0)
        s->more_in = true;
    pump(s);
}

static void on_kick(struct cof_timer *timer)
{
    struct cof_stream *s = (struct cof_stream *)(void *)((char *)timer - offsetof(struct cof_stream, kick));

    if (!gone(s) && s->up && !s->paused && (cof_stream_unread(s) > 0 || s->eof))
        s->events.data(s->events.ctx);
    if (!gone(s))
        pump(s);
}

static bool is_inet(int fd)
{
    int domain = 0;
    socklen_t len = sizeof domain;

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && (domain == AF_INET || domain == AF_INET6);
}

enum cof_err cof_stream_open(struct cof_stream *s, struct cof_loop *loop, int fd, bool connecting,
                             const struct cof_stream_events *events)
{
    *s = (struct cof_stream){
        .loop = loop,
        .watch = {.ready = on_watch, .fd = fd},
        .events = *events,
        .connecting = connecting,
        .up = !connecting,
        .kick = {.fire = on_kick},
    };
    s->is_inet = is_inet(fd);
    cof_buf_init_secret(&s->in, COF_STREAM_IN_MAX + READ_SIZE);
    cof_buf_init_secret(&s->out, COF_STREAM_OUT_MAX);
    return cof_loop_watch(loop, &s->watch, connecting ? COF_WRITABLE : COF_READABLE);
}

enum cof_err cof_stream_start_tls(struct cof_stream *s, struct cof_tls_ctx *tls, const char *host)
{
    enum cof_err err;

    if (cof_stream_unread(s) > 0)
        return COF_E_FORMAT; /* bytes of the peer's before our TLS: nothing honest */
    err = cof_tls_conn_new(tls, s->watch.fd, host, !s->is_inet, &s->tls);
    if (err != COF_OK)
        return err;
    s->handshaking = true;
    s->up = false;
    return cof_loop_arm(s->loop, &s->kick, 0);
}

void cof_stream_close(struct cof_stream *s)
{
    if (s->watch.fd < 0)
        return;
    if (s->tls != NULL && !s->failed)
        cof_tls_conn_shutdown(s->tls);
    cof_tls_conn_free(s->tls);
    s->tls = NULL;
    cof_loop_unwatch(s->loop, &s->watch);
    cof_loop_disarm(s->loop, &s->kick);
    (void)close(s->watch.fd);
    s->watch.fd = -1;
    cof_buf_done(&s->in);
    cof_buf_done(&s->out);
    s->failed = true;
}

struct cof_view cof_stream_in(const struct cof_stream *s)
{
    return cof_view_sub(cof_view_of(s->in.data, s->in.len), s->in_at, SIZE_MAX);
}

size_t cof_stream_unread(const struct cof_stream *s)
{
    return s->in.len - s->in_at;
}

static void empty_in(struct cof_stream *s)
{
    cof_buf_reset(&s->in);
    s->in_at = 0;
}

/* Memory is kept while bytes flow, since getting and clearing it anew costs more than the bytes do. */
void cof_stream_release(struct cof_stream *s)
{
    if (s->in_at == s->in.len) {
        empty_in(s);
        cof_buf_release(&s->in);
        s->flowing = false;
        if (s->tls != NULL)
            cof_tls_conn_rest(s->tls);
    }
    if (s->out_at == s->out.len && cof_buf_err(&s->out) == COF_OK) {
        cof_buf_reset(&s->out);
        cof_buf_release(&s->out);
        s->out_at = 0;
    }
}

/* Consuming moves a mark; bytes are moved at the next read, so that many small pieces cost no more than one large. */
void cof_stream_consume(struct cof_stream *s, size_t n)
{
    bool was_full = cof_stream_unread(s) >= COF_STREAM_IN_MAX;

    s->in_at += n < cof_stream_unread(s) ? n : cof_stream_unread(s);
    if (s->in_at == s->in.len)
        empty_in(s);
    if (was_full && !s->pumping && !s->failed && cof_stream_unread(s) < COF_STREAM_IN_MAX)
        kick(s); /* reading goes on */
}

bool cof_stream_over_high(const struct cof_stream *s)
{
    return unsent(s) > COF_STREAM_OUT_HIGH;
}

bool cof_stream_is_drained(const struct cof_stream *s)
{
    return unsent(s) == 0;
}

bool cof_stream_is_stale(const struct cof_stream *s)
{
    uint8_t byte;
    ssize_t n = s->failed || s->eof ? 0 : recv(s->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN) || (n > 0 && s->tls == NULL);
}

/* Calls the owner for the last time. */
static void fail(struct cof_stream *s, enum cof_err err, const struct cof_diag *diag)
{
    if (s->failed)
        return;
    s->failed = true;
    cof_loop_unwatch(s->loop, &s->watch);
    cof_loop_disarm(s->loop, &s->kick);
    s->events.failed(s->events.ctx, err, diag);
}

static enum cof_err send_plain(struct cof_stream *s, const uint8_t *data, size_t len, size_t *n)
{
    ssize_t sent = send(s->watch.fd, data, len, MSG_NOSIGNAL);

    *n = 0;
    if (sent >= 0)
        *n = (size_t)sent;
    else if (errno != EAGAIN && errno != EINTR)
        return COF_E_CLOSED;
    return COF_OK;
}

static enum cof_err send_tls(struct cof_stream *s, const uint8_t *data, size_t len, size_t *n)
{
    enum cof_tls_want w = cof_tls_conn_write(s->tls, data, len, n);

    s->tls_write_wants_read = w == COF_TLS_WANT_READ;
    return w == COF_TLS_FAILED || w == COF_TLS_EOF ? COF_E_CLOSED : COF_OK;
}

/* Gives what waits to TLS, which gathers it, or to the socket. */
static enum cof_err hand_out(struct cof_stream *s)
{
    enum cof_err err = cof_buf_err(&s->out);

    while (err == COF_OK && s->out_at < s->out.len) {
        const uint8_t *data = s->out.data + s->out_at;
        size_t len = s->out.len - s->out_at, n;

        if (len > WRITE_MAX && !s->is_inet)
            len = WRITE_MAX;
        err = s->tls != NULL ? send_tls(s, data, len, &n) : send_plain(s, data, len, &n);
        if (n == 0)
            break;
        s->out_at += n;
        s->total_out += n;
    }
    return err;
}

static enum cof_err flush(struct cof_stream *s)
{
    enum cof_err err = hand_out(s);

    if (err == COF_OK && s->tls != NULL && !cof_tls_conn_push(s->tls))
        err = COF_E_CLOSED;
    if (err != COF_OK)
        return err;
    if (s->out_at == s->out.len) {
        s->out_at = 0;
        cof_buf_reset(&s->out);
        if (s->end_wanted && !s->end_sent && unsent(s) == 0) {
            s->end_sent = true;
            if (s->tls != NULL)
                cof_tls_conn_shutdown(s->tls);
            (void)shutdown(s->watch.fd, SHUT_WR);
        }
    } else if (s->out_at > COF_STREAM_OUT_HIGH && s->out_at > s->out.len / 2) { /* moving costs less than sending did */
        cof_buf_drop(&s->out, s->out_at);
        s->out_at = 0;
    }
    return COF_OK;
}

static enum cof_err read_some(struct cof_stream *s, size_t *got)
{
    enum cof_err err;
    size_t room;

    *got = 0;
    if (s->in_at > 0) {
        cof_buf_drop(&s->in, s->in_at);
        s->in_at = 0;
    }
    room = s->flowing || s->in.cap > READ_FIRST + 1 || s->in.len >= READ_FIRST ? READ_SIZE : READ_FIRST - s->in.len;
    if ((err = cof_buf_reserve(&s->in, room)) != COF_OK)
        return err;
    if (s->tls != NULL) {
        enum cof_tls_want w;
        size_t n;
        do { /* a record at a time */
            w = cof_tls_conn_read(s->tls, s->in.data + s->in.len + *got, room - *got, &n);
            *got += n;
        } while (w == COF_TLS_OK && *got < room);
        s->tls_read_wants_write = w == COF_TLS_WANT_WRITE;
        if (w == COF_TLS_FAILED && *got == 0)
            return COF_E_CLOSED; /* also a cut without close_notify: truncation must not look like an end */
        s->eof = w == COF_TLS_EOF;
        s->more_in = w == COF_TLS_OK || w == COF_TLS_FAILED; /* which the next read finds again */
    } else {
        ssize_t n = recv(s->watch.fd, s->in.data + s->in.len, room, 0);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return COF_E_CLOSED;
        s->eof = n == 0;
        *got = n > 0 ? (size_t)n : 0;
        s->more_in = n == (ssize_t)room; /* less: the socket is most likely empty, and if not, readiness tells */
    }
    if (*got == room && !s->flowing) { /* whoever takes each piece at once never lets the buffer grow */
        s->flowing = true;
        if (s->tls != NULL)
            cof_tls_conn_flow(s->tls);
    }
    s->in.len += *got;
    s->total_in += *got;
    if (s->in.len == 0)
        empty_in(s);
    return COF_OK;
}

static enum cof_err finish_connect(struct cof_stream *s, struct cof_diag *diag)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0)
        return cof_diag_set(diag, COF_E_IO, "cannot connect: %s", strerror(error));
    s->connecting = false;
    s->up = !s->handshaking;
    return COF_OK;
}

/* COF_E_SHORT: the handshake goes on. */
static enum cof_err go_up(struct cof_stream *s, struct cof_diag *diag)
{
    enum cof_tls_want w;
    enum cof_err err = COF_OK;

    if (s->connecting && (err = finish_connect(s, diag)) != COF_OK)
        return err;
    if (!s->handshaking)
        return COF_OK;
    w = cof_tls_conn_handshake(s->tls, &err, diag);
    if (w == COF_TLS_FAILED)
        return err;
    if (w == COF_TLS_OK) {
        s->handshaking = false;
        s->more_in = true;
        s->up = true;
        return COF_OK;
    }
    return cof_loop_watch(s->loop, &s->watch, w == COF_TLS_WANT_WRITE ? COF_WRITABLE : COF_READABLE) == COF_OK
               ? COF_E_SHORT
               : COF_E_IO;
}

static bool may_read(const struct cof_stream *s)
{
    return !s->paused && !s->eof && cof_stream_unread(s) < COF_STREAM_IN_MAX;
}

static void set_interest(struct cof_stream *s)
{
    unsigned want = 0;

    if (may_read(s) || s->tls_write_wants_read)
        want |= COF_READABLE;
    if ((unsent(s) > 0 && !s->tls_write_wants_read) || s->tls_read_wants_write)
        want |= COF_WRITABLE;
    if (want == 0) {
        cof_loop_unwatch(s->loop, &s->watch);
        return;
    }
    if (cof_loop_watch(s->loop, &s->watch, want) != COF_OK)
        fail(s, COF_E_IO, NULL);
}

/* Reads and hands over until the socket is empty or the owner has enough. */
static void pump_in(struct cof_stream *s)
{
    while (!gone(s) && s->more_in && may_read(s)) {
        size_t got;
        enum cof_err err = read_some(s, &got);

        if (err != COF_OK) {
            fail(s, err, NULL);
            return;
        }
        if (got == 0 && !s->eof && (s->tls == NULL || !cof_tls_conn_take_news(s->tls)))
            return;
        s->events.data(s->events.ctx);
    }
}

/* The peer takes nothing more, but what it sent before may still be in the socket. */
static void read_last_words(struct cof_stream *s)
{
    s->more_in = true;
    pump_in(s);
}

static void tell_drained(struct cof_stream *s)
{
    bool low = s->over_high && unsent(s) < COF_STREAM_OUT_LOW;
    bool empty = unsent(s) == 0 && s->unsent_seen;

    if (!low && !empty)
        return;
    if (low)
        s->over_high = false;
    if (empty)
        s->unsent_seen = false;
    s->events.drained(s->events.ctx);
}

static void pump(struct cof_stream *s)
{
    struct cof_diag diag = {0};
    bool was_up = s->up;
    enum cof_err err;

    if (gone(s) || s->pumping)
        return;
    s->pumping = true;
    err = s->up ? COF_OK : go_up(s, &diag);
    if (err == COF_OK && !was_up && s->up)
        s->events.ready(s->events.ctx);
    if (err == COF_OK && !gone(s) && s->up)
        pump_in(s); /* first: a peer about to stop reading may have said why */
    if (err == COF_OK && !gone(s) && s->up) {
        err = flush(s);
        if (err == COF_OK)
            tell_drained(s);
        else if (s->tls == NULL)
            read_last_words(s);
    }
    if (err == COF_OK && !gone(s) && s->up)
        err = flush(s); /* what the callbacks wrote */
    s->pumping = false;
    if (gone(s) || err == COF_E_SHORT)
        return;
    if (err != COF_OK) {
        fail(s, err, &diag);
        return;
    }
    if (s->up)
        set_interest(s);
    if (!gone(s) && ((s->unsent_seen && unsent(s) == 0) || (s->tls != NULL && s->more_in && may_read(s))))
        kick(s); /* all went out with the last flush: say so; and what TLS holds no readiness tells */
}

void cof_stream_pause(struct cof_stream *s)
{
    s->paused = true;
}

void cof_stream_resume(struct cof_stream *s)
{
    if (!s->paused || s->failed)
        return;
    s->paused = false;
    kick(s);
}

/* What waits and a long piece go out in one call, the piece from where it lies. Returns what of the piece is left to keep. */
static struct cof_view write_gathered(struct cof_stream *s, struct cof_view data)
{
    size_t waiting = s->out.len - s->out_at, sent;
    struct iovec parts[2] = {{waiting == 0 ? NULL : s->out.data + s->out_at, waiting}, {(void *)(uintptr_t)data.data, data.len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n = cof_buf_err(&s->out) == COF_OK ? sendmsg(s->watch.fd, &message, MSG_NOSIGNAL) : 0;

    if (n <= 0)
        return data; /* full, or broken: the next flush finds out */
    s->total_out += (size_t)n;
    sent = (size_t)n < waiting ? (size_t)n : waiting;
    s->out_at += sent;
    if (s->out_at == s->out.len) {
        s->out_at = 0;
        cof_buf_reset(&s->out);
    }
    return cof_view_sub(data, (size_t)n - sent, SIZE_MAX);
}

/* Whole records of a long piece go out from where they lie, uncopied, after what waits before them. Returns what is left to keep: all of
 * it when the socket is full or broken, which the next flush finds. */
static struct cof_view write_through(struct cof_stream *s, struct cof_view data)
{
    size_t waiting = s->out.len - s->out_at, n = 1;

    if (!s->up || waiting >= RECORD || data.len < RECORD)
        return data;
    if (s->tls == NULL && s->is_inet)
        return write_gathered(s, data);
    if (waiting > 0) { /* such as a head: fills a record with the piece's beginning */
        cof_buf_add(&s->out, cof_view_sub(data, 0, RECORD - waiting));
        data = cof_view_sub(data, RECORD - waiting, SIZE_MAX);
        if (hand_out(s) != COF_OK || s->out_at < s->out.len)
            return data;
        s->out_at = 0;
        cof_buf_reset(&s->out);
    }
    while (data.len >= RECORD && n > 0) {
        size_t len = data.len < WRITE_MAX ? RECORD : WRITE_MAX;
        enum cof_err err = s->tls != NULL ? send_tls(s, data.data, len, &n) : send_plain(s, data.data, len, &n);
        n = err == COF_OK ? n : 0;
        s->total_out += n;
        data = cof_view_sub(data, n, SIZE_MAX);
    }
    if (s->tls != NULL && !cof_tls_conn_push(s->tls))
        s->over_high = true; /* the next flush finds the socket broken, and tells */
    return data;
}

/* Small writes are gathered and go out at the end of the loop's turn; failures are told from there, never to the writer
 * in the middle of its own work. */
void cof_stream_write(struct cof_stream *s, struct cof_view data)
{
    if (s->failed || s->end_wanted)
        return;
    data = write_through(s, data);
    cof_buf_add(&s->out, data);
    if (cof_stream_over_high(s))
        s->over_high = true;
    s->unsent_seen = true;
    if (!s->up || s->pumping)
        return;
    if (s->out.len - s->out_at >= WRITE_MAX && flush(s) != COF_OK)
        s->over_high = true; /* the kick finds the socket broken, and tells */
    if (!s->kick.armed)
        kick(s);
}

void cof_stream_end(struct cof_stream *s)
{
    s->end_wanted = true;
    if (!s->failed)
        kick(s);
}
