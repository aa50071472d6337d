/* SPDX-License-Identifier: Apache-2.0 */
#include "io/vhost_user.h"

#include "io/dial.h"
#include "io/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define REGIONS_MAX 8
#define QUEUE_MAX 1024      /* descriptors */
#define CHAIN_MAX 64        /* of one buffer */
#define PAYLOAD_MAX 1024    /* bytes of a message; the memory table has 8 + 32 * REGIONS_MAX */
#define DESC_SIZE 16
#define DESC_NEXT 1u
#define DESC_WRITE 2u

/* Messages of the protocol, by the numbers of its document. */
enum request {
    GET_FEATURES = 1,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    GET_VRING_BASE = 11,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    GET_PROTOCOL_FEATURES = 15,
    GET_QUEUE_NUM = 17,
    SET_VRING_ENABLE = 18,
    GET_CONFIG = 24,
};
#define FLAG_VERSION 1u
#define FLAG_REPLY 4u
#define FLAG_NEED_REPLY 8u
#define FEATURE_PROTOCOL ((uint64_t)1 << 30)
#define FEATURE_VERSION_1 ((uint64_t)1 << 32)
#define PROTOCOL_REPLY_ACK ((uint64_t)1 << 3)
#define NO_FD 0x100u

struct region {
    uint64_t guest, size, user; /* addresses as the guest and as the monitor have them */
    uint8_t *map;
    size_t map_len;
    uint64_t offset; /* of the region in the mapping */
};

/* The buffers of one entry of the queue. */
struct chain {
    uint16_t head;
    struct { uint8_t *at; uint32_t len; } out[CHAIN_MAX], in[CHAIN_MAX]; /* to read, to write */
    size_t n_out, n_in;
};

struct cof_vhost {
    struct cof_loop *loop;
    struct cof_vhost_opts opts;
    char path[108];
    struct cof_watch listener, conn, kick;
    int call_fd;
    struct region regions[REGIONS_MAX];
    size_t n_regions;
    uint16_t size, next, used; /* of the queue; next entry to take; entries given back */
    uint64_t desc_user, avail_user, ring_user; /* the queue's three parts, by the monitor's addresses */
    uint8_t *desc, *avail, *ring; /* and where they lie here; NULL until that is known */
    bool enabled;
    struct cof_buf request;  /* of a request whose room for the answer has not come yet */
    uint16_t request_head;
    bool has_request;
};

/* Guest and monitor share this memory: each field is read once. */
static uint16_t load16(const uint8_t *at)
{
    return __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_ACQUIRE);
}

static uint32_t load32(const uint8_t *at)
{
    return __atomic_load_n((const uint32_t *)(const void *)at, __ATOMIC_RELAXED);
}

static uint64_t load64(const uint8_t *at)
{
    return __atomic_load_n((const uint64_t *)(const void *)at, __ATOMIC_RELAXED);
}

static void unmap(struct cof_vhost *v)
{
    for (size_t i = 0; i < v->n_regions; i++)
        (void)munmap(v->regions[i].map, v->regions[i].map_len);
    v->n_regions = 0;
    v->desc = v->avail = v->ring = NULL;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void drop_watch(struct cof_vhost *v, struct cof_watch *w)
{
    cof_loop_unwatch(v->loop, w);
    close_fd(&w->fd);
}

/* The monitor is gone, or said something that cannot be: as before it came. */
static void disconnect(struct cof_vhost *v)
{
    drop_watch(v, &v->kick);
    drop_watch(v, &v->conn);
    close_fd(&v->call_fd);
    unmap(v);
    v->size = v->next = v->used = 0;
    v->enabled = v->has_request = false;
    cof_buf_reset(&v->request);
}

/* Where len bytes lie in our memory; NULL when they are not the guest's. */
static uint8_t *find(const struct cof_vhost *v, uint64_t address, uint64_t len, bool by_user)
{
    for (size_t i = 0; i < v->n_regions; i++) {
        const struct region *r = &v->regions[i];
        uint64_t base = by_user ? r->user : r->guest;

        if (address >= base && address - base <= r->size && len <= r->size - (address - base))
            return r->map + r->offset + (address - base);
    }
    return NULL;
}

/* A chain of descriptors from its head on. False: it is not one. */
static bool read_chain(const struct cof_vhost *v, uint16_t head, struct chain *c)
{
    uint16_t at = head;

    *c = (struct chain){.head = head};
    for (size_t n = 0; n < CHAIN_MAX; n++) {
        const uint8_t *d;
        uint32_t len;
        uint16_t flags;
        uint8_t *bytes;

        if (at >= v->size)
            return false;
        d = v->desc + DESC_SIZE * (size_t)at;
        len = load32(d + 8);
        flags = load16(d + 12);
        bytes = find(v, load64(d), len, false);
        if (bytes == NULL || (flags & ~(DESC_NEXT | DESC_WRITE)) != 0)
            return false;
        if ((flags & DESC_WRITE) != 0) {
            c->in[c->n_in].at = bytes;
            c->in[c->n_in++].len = len;
        } else {
            if (c->n_in > 0)
                return false; /* spec: VIRTIO 2.7.4.2, device-readable parts come first */
            c->out[c->n_out].at = bytes;
            c->out[c->n_out++].len = len;
        }
        if ((flags & DESC_NEXT) == 0)
            return true;
        at = load16(d + 14);
    }
    return false;
}

static void give_back(struct cof_vhost *v, uint16_t head, uint32_t written)
{
    uint8_t *element = v->ring + 4 + 8 * (size_t)(v->used % v->size);

    __atomic_store_n((uint32_t *)(void *)element, head, __ATOMIC_RELAXED);
    __atomic_store_n((uint32_t *)(void *)(element + 4), written, __ATOMIC_RELAXED);
    v->used++;
    __atomic_store_n((uint16_t *)(void *)(v->ring + 2), v->used, __ATOMIC_RELEASE);
}

static bool answer(struct cof_vhost *v, const struct chain *c)
{
    struct cof_buf response;
    struct cof_view left;
    bool ok;

    cof_buf_init_secret(&response, v->opts.response_max);
    ok = v->opts.answer(v->opts.ctx, cof_buf_view(&v->request), &response) == COF_OK && cof_buf_err(&response) == COF_OK;
    left = cof_buf_view(&response);
    for (size_t i = 0; ok && i < c->n_in; i++) {
        size_t n = left.len < c->in[i].len ? left.len : c->in[i].len;

        memcpy(c->in[i].at, left.data, n);
        left = cof_view_sub(left, n, SIZE_MAX);
    }
    if (ok && v->request_head != c->head)
        give_back(v, v->request_head, 0);
    if (ok) /* what had no room is cut off, as a device does; the driver sees a response that does not parse */
        give_back(v, c->head, (uint32_t)(response.len - left.len));
    cof_buf_done(&response);
    cof_buf_reset(&v->request);
    v->has_request = false;
    return ok;
}

static bool take_request(struct cof_vhost *v, const struct chain *c)
{
    if (v->has_request)
        return false; /* two requests, and room for no answer between them */
    for (size_t i = 0; i < c->n_out; i++)
        cof_buf_add_bytes(&v->request, c->out[i].at, c->out[i].len);
    v->request_head = c->head;
    v->has_request = true;
    return cof_buf_err(&v->request) == COF_OK;
}

/* Everything the driver has put into the queue. False: what is there cannot be. */
static bool serve(struct cof_vhost *v)
{
    uint16_t end = load16(v->avail + 2);
    bool answered = false;

    if ((uint16_t)(end - v->next) > v->size)
        return false;
    while (v->next != end) {
        struct chain c;

        if (!read_chain(v, load16(v->avail + 4 + 2 * (size_t)(v->next % v->size)), &c))
            return false;
        v->next++;
        if (c.n_out > 0 && !take_request(v, &c))
            return false;
        if (c.n_in > 0 && (!v->has_request || !answer(v, &c)))
            return false;
        answered = answered || c.n_in > 0;
    }
    if (answered && v->call_fd >= 0)
        (void)!write(v->call_fd, &(uint64_t){1}, 8); /* full: a signal stands already */
    return true;
}

static bool ready(const struct cof_vhost *v)
{
    return v->enabled && v->desc != NULL && v->size > 0;
}

static void on_kick(struct cof_watch *watch, unsigned events)
{
    struct cof_vhost *v = OWNER(watch, struct cof_vhost, kick);
    uint64_t count;

    (void)events;
    if (read(watch->fd, &count, sizeof count) != (ssize_t)sizeof count)
        return;
    if (ready(v) && !serve(v))
        disconnect(v);
}

struct message {
    uint32_t request, flags, size;
    uint8_t payload[PAYLOAD_MAX];
    int fds[REGIONS_MAX];
    size_t n_fds;
};

static uint64_t field(const struct message *m, size_t at, size_t bytes)
{
    uint64_t value = 0;

    if (at + bytes <= m->size)
        memcpy(&value, m->payload + at, bytes); /* spec: native byte order, which is little-endian here */
    return value;
}

static int take_fd(struct message *m)
{
    int fd = m->n_fds > 0 ? m->fds[0] : -1;

    if (m->n_fds > 0)
        m->fds[0] = -1;
    return fd;
}

static bool reply(struct cof_vhost *v, const struct message *m, const void *payload, uint32_t size)
{
    uint8_t bytes[12 + PAYLOAD_MAX];
    const uint32_t head[3] = {m->request, FLAG_VERSION | FLAG_REPLY, size};

    memcpy(bytes, head, sizeof head);
    memcpy(bytes + sizeof head, payload, size);
    return send(v->conn.fd, bytes, sizeof head + size, MSG_NOSIGNAL) == (ssize_t)(sizeof head + size);
}

static bool reply_u64(struct cof_vhost *v, const struct message *m, uint64_t value)
{
    return reply(v, m, &value, sizeof value);
}

static bool map_region(struct cof_vhost *v, const struct message *m, size_t i)
{
    size_t at = 8 + 32 * i;
    struct region r = {.guest = field(m, at, 8), .size = field(m, at + 8, 8), .user = field(m, at + 16, 8), .offset = field(m, at + 24, 8)};
    struct stat st;
    void *map;

    if (i >= m->n_fds || r.size == 0 || r.offset > INT64_MAX || r.size > INT64_MAX - r.offset || r.guest + r.size < r.guest ||
        r.user + r.size < r.user || fstat(m->fds[i], &st) != 0 || (uint64_t)st.st_size < r.offset + r.size)
        return false;
    r.map_len = (size_t)(r.offset + r.size);
    map = mmap(NULL, r.map_len, PROT_READ | PROT_WRITE, MAP_SHARED, m->fds[i], 0);
    if (map == MAP_FAILED)
        return false;
    r.map = map;
    v->regions[v->n_regions++] = r;
    return true;
}

static bool aligned(const uint8_t *at, uintptr_t to)
{
    return at != NULL && (uintptr_t)at % to == 0;
}

static bool find_queue(struct cof_vhost *v)
{
    v->desc = find(v, v->desc_user, DESC_SIZE * (uint64_t)v->size, true);
    v->ring = find(v, v->ring_user, 4 + 8 * (uint64_t)v->size, true);
    v->avail = find(v, v->avail_user, 4 + 2 * (uint64_t)v->size, true);
    if (aligned(v->desc, 16) && aligned(v->ring, 4) && aligned(v->avail, 2))
        return true;
    v->desc = v->avail = v->ring = NULL;
    return false;
}

/* The table may come anew while the queue is in use. */
static bool set_memory(struct cof_vhost *v, const struct message *m)
{
    uint64_t n = field(m, 0, 4);
    bool in_use = v->desc != NULL, ok = m->size >= 8 && n <= REGIONS_MAX && m->size == 8 + 32 * n;

    unmap(v);
    for (size_t i = 0; ok && i < n; i++)
        ok = map_region(v, m, i);
    return ok && (!in_use || find_queue(v));
}

/* struct vhost_vring_addr: u32 index, u32 flags, u64 descriptors, used, available, log */
static bool set_queue(struct cof_vhost *v, const struct message *m)
{
    if (m->size < 40 || field(m, 0, 4) != 0 || v->size == 0)
        return false;
    v->desc_user = field(m, 8, 8);
    v->ring_user = field(m, 16, 8);
    v->avail_user = field(m, 24, 8);
    return find_queue(v);
}

static bool set_kick(struct cof_vhost *v, struct message *m)
{
    int fd = take_fd(m);

    drop_watch(v, &v->kick);
    v->kick.fd = fd;
    return fd < 0 || cof_loop_watch(v->loop, &v->kick, COF_READABLE) == COF_OK;
}

static void set_call(struct cof_vhost *v, struct message *m)
{
    close_fd(&v->call_fd);
    v->call_fd = take_fd(m);
    if (v->call_fd >= 0 && v->used > 0)
        (void)!write(v->call_fd, &(uint64_t){1}, 8); /* a signal may have been lost with the descriptor before */
}

/* False: the monitor said something that cannot be. */
static bool act(struct cof_vhost *v, struct message *m)
{
    const uint32_t base[2] = {0, v->next};
    bool ok = true;

    switch (m->request) {
    case GET_FEATURES:
        return reply_u64(v, m, FEATURE_PROTOCOL | FEATURE_VERSION_1);
    case GET_PROTOCOL_FEATURES:
        return reply_u64(v, m, PROTOCOL_REPLY_ACK);
    case GET_QUEUE_NUM:
        return reply_u64(v, m, 1);
    case GET_CONFIG: /* the device has none: the bytes asked for are zero */
        memset(m->payload + (m->size < 12 ? m->size : 12), 0, PAYLOAD_MAX - (m->size < 12 ? m->size : 12));
        return reply(v, m, m->payload, m->size);
    case GET_VRING_BASE:
        drop_watch(v, &v->kick);
        v->enabled = false;
        return reply(v, m, base, sizeof base);
    case SET_MEM_TABLE:
        ok = set_memory(v, m);
        break;
    case SET_VRING_NUM:
        ok = field(m, 0, 4) == 0 && field(m, 4, 4) >= 1 && field(m, 4, 4) <= QUEUE_MAX;
        v->desc = NULL;
        v->size = ok ? (uint16_t)field(m, 4, 4) : 0;
        break;
    case SET_VRING_ADDR:
        ok = set_queue(v, m);
        break;
    case SET_VRING_BASE:
        v->next = v->used = (uint16_t)field(m, 4, 4);
        break;
    case SET_VRING_KICK:
        ok = set_kick(v, m);
        break;
    case SET_VRING_CALL:
        set_call(v, m);
        break;
    case SET_VRING_ENABLE:
        v->enabled = field(m, 4, 4) == 1;
        break;
    default: /* owner, features, log, error descriptor: nothing to do */
        break;
    }
    if (ok && (m->flags & FLAG_NEED_REPLY) != 0)
        ok = reply_u64(v, m, 0);
    if (ok && m->request == SET_VRING_ENABLE && ready(v)) /* what came before is looked at now */
        ok = serve(v);
    return ok;
}

/* The monitor writes a whole message at once; the head brings the descriptors. */
static bool receive(struct cof_vhost *v, struct message *m)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof m->fds)];
    } control;
    uint32_t head[3];
    struct iovec iov = {head, sizeof head};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};

    *m = (struct message){0};
    if (recvmsg(v->conn.fd, &msg, MSG_CMSG_CLOEXEC | MSG_WAITALL) != (ssize_t)sizeof head)
        return false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            m->n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(m->fds, CMSG_DATA(c), m->n_fds * sizeof(int));
        }
    m->request = head[0];
    m->flags = head[1];
    m->size = head[2];
    return (msg.msg_flags & MSG_CTRUNC) == 0 && m->size <= PAYLOAD_MAX &&
        (m->size == 0 || recv(v->conn.fd, m->payload, m->size, MSG_WAITALL) == (ssize_t)m->size);
}

static void on_message(struct cof_watch *watch, unsigned events)
{
    struct cof_vhost *v = OWNER(watch, struct cof_vhost, conn);
    struct message m;
    bool ok;

    (void)events;
    ok = receive(v, &m) && act(v, &m);
    for (size_t i = 0; i < m.n_fds; i++)
        close_fd(&m.fds[i]);
    if (!ok)
        disconnect(v);
}

static void on_connect(struct cof_watch *watch, unsigned events)
{
    struct cof_vhost *v = OWNER(watch, struct cof_vhost, listener);
    const struct timeval patience = {.tv_sec = 2};
    int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC);

    (void)events;
    if (fd < 0)
        return;
    if (v->conn.fd >= 0) {
        (void)close(fd);
        return;
    }
    v->conn.fd = fd;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience); /* a message that stops in its middle */
    if (cof_loop_watch(v->loop, &v->conn, COF_READABLE) != COF_OK)
        disconnect(v);
}

enum cof_err cof_vhost_open(struct cof_loop *loop, const struct cof_vhost_opts *opts, struct cof_vhost **out,
                            struct cof_diag *diag)
{
    struct cof_vhost *v = calloc(1, sizeof *v);
    struct cof_addr addr = {.kind = COF_ADDR_UNIX}, bound;
    enum cof_err err = COF_OK;

    *out = NULL;
    if (v == NULL)
        return COF_E_MEMORY;
    v->loop = loop;
    v->opts = *opts;
    v->call_fd = -1;
    v->listener = (struct cof_watch){.ready = on_connect, .fd = -1};
    v->conn = (struct cof_watch){.ready = on_message, .fd = -1};
    v->kick = (struct cof_watch){.ready = on_kick, .fd = -1};
    cof_buf_init_secret(&v->request, opts->request_max);
    if (strlen(opts->path) >= sizeof v->path)
        err = cof_diag_set(diag, COF_E_USAGE, "%s: too long for the path of a socket", opts->path);
    if (err == COF_OK) {
        (void)snprintf(v->path, sizeof v->path, "%s", opts->path);
        (void)snprintf(addr.host, sizeof addr.host, "%s", opts->path);
        err = cof_listen(&addr, &v->listener.fd, &bound, diag);
    }
    if (err == COF_OK)
        err = cof_loop_watch(loop, &v->listener, COF_READABLE);
    if (err != COF_OK) {
        cof_vhost_close(v);
        return err;
    }
    *out = v;
    return COF_OK;
}

void cof_vhost_close(struct cof_vhost *v)
{
    if (v == NULL)
        return;
    disconnect(v);
    if (v->listener.fd >= 0)
        (void)unlink(v->path);
    drop_watch(v, &v->listener);
    cof_buf_done(&v->request);
    cof_loop_discard(v->loop, v);
}
