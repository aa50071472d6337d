/* SPDX-License-Identifier: Apache-2.0 */
#include "io/relay.h"

#include "engine/pace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_DEFAULT_MS 300000
#define BUFFER_DEFAULT 131072
#define BUFFER_MIN 4096
#define BUFFER_MAX ((size_t)1 << 20)
#define PIPES_DEFAULT 128
#define PIPES_AT_REST 8 /* kept open while nobody needs them */
#define VSOCK_WRITE_MAX 32768
#define COPY_MAX 65536 /* a read into the pool's own buffer */

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct pipe {
    int out, in; /* read end, write end */
    struct pipe *next;
};

struct cof_relay_pool {
    struct cof_loop *loop;
    size_t buffer_bytes, max_pipes, n_pipes, n_free;
    struct pipe *free_pipes;
    struct cof_pace pace;
    uint64_t bytes[2];
    uint8_t copy[COPY_MAX];
};

/* One direction: from its own side to the other. What could not be written at once stays in a pipe or in memory of its own. */
struct half {
    struct pipe *pipe; /* held while it has bytes */
    size_t piped;
    uint8_t *kept;     /* heap, or NULL */
    size_t start, end; /* of kept, unsent */
    bool copies;       /* this pair of sockets cannot be spliced */
    bool eof;          /* nothing more will be read */
    bool finished;     /* and all was written and the end passed on */
};

struct side {
    struct cof_watch watch;
    struct cof_relay *relay;
    struct half half; /* what is read from this side */
    bool is_vsock;
};

struct cof_relay {
    struct cof_loop *loop;
    struct cof_relay_pool *pool;
    struct side side[2];
    struct cof_timer idle, pace;
    int64_t idle_ms, last_ms;
    void (*done)(void *ctx, struct cof_relay *relay, enum cof_err why);
    void *ctx;
};

/* Pipes. */

static void close_pipe(struct cof_relay_pool *pool, struct pipe *p)
{
    (void)close(p->out);
    (void)close(p->in);
    free(p);
    pool->n_pipes--;
}

static struct pipe *take_pipe(struct cof_relay_pool *pool)
{
    struct pipe *p = pool->free_pipes;
    int fds[2];

    if (p != NULL) {
        pool->free_pipes = p->next;
        pool->n_free--;
        return p;
    }
    if (pool->n_pipes >= pool->max_pipes || (p = calloc(1, sizeof *p)) == NULL)
        return NULL;
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) {
        free(p);
        return NULL;
    }
    (void)fcntl(fds[1], F_SETPIPE_SZ, (int)pool->buffer_bytes); /* else it is as large as may be had */
    p->out = fds[0];
    p->in = fds[1];
    pool->n_pipes++;
    return p;
}

static void give_pipe(struct cof_relay_pool *pool, struct half *h)
{
    if (pool->n_free == PIPES_AT_REST) {
        close_pipe(pool, h->pipe);
    } else {
        h->pipe->next = pool->free_pipes;
        pool->free_pipes = h->pipe;
        pool->n_free++;
    }
    h->pipe = NULL; /* moved */
}

enum cof_err cof_relay_pool_new(struct cof_loop *loop, const struct cof_relay_pool_opts *opts, struct cof_relay_pool **out)
{
    struct cof_relay_pool *pool = malloc(sizeof *pool);

    *out = NULL;
    if (pool == NULL)
        return COF_E_MEMORY;
    memset(pool, 0, offsetof(struct cof_relay_pool, copy));
    pool->loop = loop;
    pool->buffer_bytes = opts->buffer_bytes == 0 ? BUFFER_DEFAULT : opts->buffer_bytes;
    pool->max_pipes = opts->max_pipes == 0 ? PIPES_DEFAULT : opts->max_pipes;
    pool->pace.bytes_per_s = opts->bytes_per_s;
    if (pool->buffer_bytes < BUFFER_MIN || pool->buffer_bytes > BUFFER_MAX) {
        free(pool);
        return COF_E_USAGE;
    }
    *out = pool;
    return COF_OK;
}

void cof_relay_pool_free(struct cof_relay_pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->free_pipes != NULL) {
        struct pipe *next = pool->free_pipes->next;
        close_pipe(pool, pool->free_pipes);
        pool->free_pipes = next;
    }
    free(pool);
}

void cof_relay_pool_bytes(const struct cof_relay_pool *pool, uint64_t bytes[static 2])
{
    bytes[0] = pool->bytes[0];
    bytes[1] = pool->bytes[1];
}

/* Pairs. */

/* A cut stream must not look like one that ended: a reset is what the other side gets, where there is such a thing. */
static void close_side(const struct cof_watch *watch, bool clean)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};

    if (!clean)
        (void)setsockopt(watch->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)close(watch->fd);
}

static void release(struct cof_relay *r, bool clean)
{
    cof_loop_disarm(r->loop, &r->idle);
    cof_loop_disarm(r->loop, &r->pace);
    for (int i = 0; i < 2; i++) {
        struct half *h = &r->side[i].half;

        cof_loop_unwatch(r->loop, &r->side[i].watch);
        close_side(&r->side[i].watch, clean);
        if (h->pipe != NULL)
            close_pipe(r->pool, h->pipe); /* with bytes of this pair in it: never given to another */
        free(h->kept);
    }
    free(r);
}

static void finish(struct cof_relay *r, enum cof_err why)
{
    if (r->done != NULL)
        r->done(r->ctx, r, why);
    release(r, why == COF_OK);
}

void cof_relay_cancel(struct cof_relay *relay)
{
    if (relay != NULL)
        release(relay, false);
}

static bool again(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static bool holds(const struct half *h)
{
    return h->piped > 0 || h->end > h->start;
}

static enum cof_err drain_pipe(struct cof_relay *r, struct half *h, int fd)
{
    while (h->piped > 0) {
        ssize_t n = splice(h->pipe->out, NULL, fd, NULL, h->piped, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0)
            return again() ? COF_OK : COF_E_CLOSED;
        if (n == 0)
            return COF_E_CLOSED;
        h->piped -= (size_t)n;
    }
    if (h->pipe != NULL)
        give_pipe(r->pool, h);
    return COF_OK;
}

/* How much of it went; COF_E_CLOSED when the socket is no more. */
static enum cof_err send_some(const struct side *to, const uint8_t *data, size_t len, size_t *sent)
{
    *sent = 0;
    while (*sent < len) {
        size_t left = len - *sent, piece = to->is_vsock && left > VSOCK_WRITE_MAX ? VSOCK_WRITE_MAX : left;
        ssize_t n = send(to->watch.fd, data + *sent, piece, MSG_NOSIGNAL);
        if (n < 0)
            return again() ? COF_OK : COF_E_CLOSED;
        *sent += (size_t)n;
    }
    return COF_OK;
}

static enum cof_err drain(struct cof_relay *r, struct half *h, const struct side *to)
{
    size_t sent;
    enum cof_err err = send_some(to, h->kept + h->start, h->end - h->start, &sent);

    h->start += sent;
    if (err != COF_OK || h->start < h->end)
        return err;
    free(h->kept);
    h->kept = NULL;
    h->start = h->end = 0;
    return drain_pipe(r, h, to->watch.fd);
}

static void count(struct cof_relay *r, int which, size_t n)
{
    int64_t wait_ms;

    r->pool->bytes[which] += n;
    r->last_ms = cof_loop_now_ms(r->loop);
    if (r->pool->pace.bytes_per_s == 0)
        return;
    (void)cof_pace_book(&r->pool->pace, n, r->last_ms); /* it is here already; the next waits */
    wait_ms = cof_pace_book(&r->pool->pace, 0, r->last_ms);
    if (wait_ms > 0 && !r->pace.armed && cof_loop_arm(r->loop, &r->pace, wait_ms) != COF_OK)
        r->pace.armed = false; /* no memory for a timer: on without a pause */
}

/* Reads into the pool's buffer; what does not go out at once is kept. */
static enum cof_err move_copied(struct cof_relay *r, int which)
{
    struct side *from = &r->side[which], *to = &r->side[1 - which];
    struct half *h = &from->half;
    size_t want = r->pool->buffer_bytes < COPY_MAX ? r->pool->buffer_bytes : COPY_MAX, sent;
    ssize_t n = recv(from->watch.fd, r->pool->copy, want, 0);
    enum cof_err err;

    if (n < 0)
        return again() ? COF_OK : COF_E_CLOSED;
    h->eof = n == 0;
    if (n == 0)
        return COF_OK;
    count(r, which, (size_t)n);
    err = send_some(to, r->pool->copy, (size_t)n, &sent);
    if (err != COF_OK || sent == (size_t)n)
        return err;
    h->end = (size_t)n - sent;
    h->kept = malloc(h->end);
    if (h->kept == NULL)
        return COF_E_MEMORY;
    memcpy(h->kept, r->pool->copy + sent, h->end);
    return COF_OK;
}

static enum cof_err move_spliced(struct cof_relay *r, int which)
{
    struct side *from = &r->side[which], *to = &r->side[1 - which];
    struct half *h = &from->half;
    ssize_t n;

    h->pipe = take_pipe(r->pool);
    if (h->pipe == NULL)
        return move_copied(r, which);
    n = splice(from->watch.fd, NULL, h->pipe->in, NULL, r->pool->buffer_bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n <= 0) {
        give_pipe(r->pool, h);
        if (n < 0 && errno == EINVAL) {
            h->copies = true;
            return move_copied(r, which);
        }
        h->eof = n == 0;
        return n == 0 || again() ? COF_OK : COF_E_CLOSED;
    }
    h->piped = (size_t)n;
    count(r, which, (size_t)n);
    return drain_pipe(r, h, to->watch.fd);
}

static enum cof_err pass_end(struct half *h, const struct side *to)
{
    if (!h->eof || h->finished || holds(h))
        return COF_OK;
    h->finished = true;
    return shutdown(to->watch.fd, SHUT_WR) != 0 && errno != ENOTCONN ? COF_E_CLOSED : COF_OK;
}

static enum cof_err move(struct cof_relay *r, int which)
{
    struct half *h = &r->side[which].half;
    struct side *to = &r->side[1 - which];
    enum cof_err err = COF_OK;

    if (holds(h))
        err = drain(r, h, to);
    if (err == COF_OK && !holds(h) && !h->eof && !r->pace.armed)
        err = h->copies ? move_copied(r, which) : move_spliced(r, which);
    return err == COF_OK ? pass_end(h, to) : err;
}

/* A side wants to read while it holds nothing unsent, and to write while the other does. */
static enum cof_err set_interest(struct cof_relay *r)
{
    for (int i = 0; i < 2; i++) {
        struct side *s = &r->side[i], *o = &r->side[1 - i];
        bool reads = !s->half.eof && !holds(&s->half) && !r->pace.armed;
        unsigned want = (reads ? COF_READABLE : 0u) | (holds(&o->half) ? COF_WRITABLE : 0u);
        enum cof_err err;

        if (want == 0) { /* a hung-up descriptor would otherwise wake the loop for ever */
            cof_loop_unwatch(r->loop, &s->watch);
            continue;
        }
        if ((err = cof_loop_watch(r->loop, &s->watch, want)) != COF_OK)
            return err;
    }
    return COF_OK;
}

static void pump(struct cof_relay *r)
{
    enum cof_err err = move(r, 0);

    if (err == COF_OK)
        err = move(r, 1);
    if (err == COF_OK && r->side[0].half.finished && r->side[1].half.finished) {
        finish(r, COF_OK);
        return;
    }
    if (err == COF_OK)
        err = set_interest(r);
    if (err != COF_OK)
        finish(r, err);
}

static void on_ready(struct cof_watch *watch, unsigned events)
{
    (void)events;
    pump(OWNER(watch, struct side, watch)->relay);
}

static void on_pace(struct cof_timer *timer)
{
    pump(OWNER(timer, struct cof_relay, pace));
}

/* The timer is not moved at every byte; when it fires early it is set for what is left. */
static void on_idle(struct cof_timer *timer)
{
    struct cof_relay *r = OWNER(timer, struct cof_relay, idle);
    int64_t left = r->last_ms + r->idle_ms - cof_loop_now_ms(r->loop);

    if (left <= 0 || cof_loop_arm(r->loop, &r->idle, left) != COF_OK)
        finish(r, COF_E_TIMEOUT);
}

static bool is_vsock(int fd)
{
    int domain = 0;
    socklen_t len = sizeof domain;

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_VSOCK;
}

static void set_sides(struct cof_relay *r, const int fds[static 2])
{
    for (int i = 0; i < 2; i++)
        r->side[i] = (struct side){.relay = r, .watch = {.ready = on_ready, .fd = fds[i]}, .is_vsock = is_vsock(fds[i])};
    for (int i = 0; i < 2; i++)
        r->side[i].half.copies = r->side[0].is_vsock || r->side[1].is_vsock;
}

static enum cof_err keep_early(struct half *h, struct cof_view early)
{
    if (early.len == 0)
        return COF_OK;
    h->kept = malloc(early.len);
    if (h->kept == NULL)
        return COF_E_MEMORY;
    memcpy(h->kept, early.data, early.len);
    h->end = early.len;
    return COF_OK;
}

enum cof_err cof_relay_start(struct cof_loop *loop, const struct cof_relay_opts *opts, struct cof_relay **out)
{
    struct cof_relay *r;
    enum cof_err err;

    *out = NULL;
    if (opts->early.len > COF_RELAY_EARLY_MAX)
        return COF_E_LIMIT;
    r = calloc(1, sizeof *r);
    if (r == NULL)
        return COF_E_MEMORY;
    r->loop = loop;
    r->pool = opts->pool;
    r->done = opts->done;
    r->ctx = opts->ctx;
    r->idle_ms = opts->idle_ms > 0 ? opts->idle_ms : IDLE_DEFAULT_MS;
    r->last_ms = cof_loop_now_ms(loop);
    r->idle.fire = on_idle;
    r->pace.fire = on_pace;
    set_sides(r, opts->fd);
    err = keep_early(&r->side[0].half, opts->early);
    if (err == COF_OK)
        err = set_interest(r);
    if (err == COF_OK)
        err = cof_loop_arm(loop, &r->idle, r->idle_ms);
    if (err != COF_OK) {
        for (int i = 0; i < 2; i++)
            cof_loop_unwatch(loop, &r->side[i].watch);
        free(r->side[0].half.kept);
        free(r);
        return err;
    }
    if (opts->early.len > 0)
        r->pool->bytes[0] += opts->early.len;
    *out = r;
    return COF_OK;
}
