/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: a monitor and a driver as QEMU and Linux are get answers through shared memory, in one chain or in two; and a guest
 * that writes anything whatever into its rings, or a monitor that says anything, reaches nothing outside its memory.
 */
#include "testing.h"

#include "io/vhost_user.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MEMORY 65536
#define QUEUE 8
#define GUEST 0x100000u /* where the guest has its memory, */
#define USER 0x70000000u /* and where the monitor has it */
/* The parts of the queue, and buffers, by their offset in memory */
#define DESC 0
#define AVAIL 1024
#define USED 2048
#define REQUEST 4096
#define RESPONSE 8192

struct guest {
    struct cof_loop *loop;
    struct cof_vhost *device;
    char dir[64], path[96];
    uint8_t *memory;
    int memfd, conn, kick, call;
    uint16_t given; /* entries of the available ring */
    unsigned asked; /* calls of answer */
};

static enum cof_err answer(void *ctx, struct cof_view request, struct cof_buf *response)
{
    struct guest *g = ctx;

    g->asked++;
    cof_buf_add_str(response, "re:");
    cof_buf_add(response, request);
    return COF_OK;
}

static void turn(struct guest *g)
{
    static const bool never = false;

    assert_int_equal(cof_loop_run_until(g->loop, &never, 1), COF_E_TIMEOUT);
}

static void say(struct guest *g, uint32_t request, const void *payload, uint32_t size, int fd)
{
    uint32_t head[3] = {request, 1, size};
    uint8_t control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov[2] = {{head, sizeof head}, {(void *)(uintptr_t)payload, size}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

    if (fd >= 0) {
        struct cmsghdr *c;

        msg.msg_control = control;
        msg.msg_controllen = sizeof control;
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    (void)!sendmsg(g->conn, &msg, MSG_NOSIGNAL);
    turn(g);
}

static void connect_device(struct guest *g)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    (void)snprintf(to.sun_path, sizeof to.sun_path, "%s", g->path);
    g->conn = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(g->conn, (struct sockaddr *)&to, sizeof to), 0);
    turn(g);
}

static void set_memory(struct guest *g, uint64_t size)
{
    struct { uint32_t n, pad; uint64_t guest, size, user, offset; } table = {1, 0, GUEST, size, USER, 0};

    say(g, 5, &table, sizeof table, g->memfd);
}

static void set_queue(struct guest *g, uint32_t size, uint64_t desc)
{
    struct { uint32_t index, flags; uint64_t desc, used, avail, log; } where = {0, 0, USER + desc, USER + USED, USER + AVAIL, 0};
    uint32_t num[2] = {0, size}, base[2] = {0, 0}, enable[2] = {0, 1};
    uint64_t index = 0;

    say(g, 8, num, sizeof num, -1);
    say(g, 9, &where, sizeof where, -1);
    say(g, 10, base, sizeof base, -1);
    say(g, 12, &index, sizeof index, g->kick);
    say(g, 13, &index, sizeof index, g->call);
    say(g, 18, enable, sizeof enable, -1);
}

static void open_device(struct guest *g)
{
    *g = (struct guest){.conn = -1};
    (void)snprintf(g->dir, sizeof g->dir, "/tmp/coffer-vhost-XXXXXX");
    assert_non_null(mkdtemp(g->dir));
    (void)snprintf(g->path, sizeof g->path, "%s/nsm.sock", g->dir);
    assert_ok(cof_loop_new(&g->loop));
    assert_ok(cof_vhost_open(g->loop, &(struct cof_vhost_opts){.path = g->path, .request_max = 4096, .response_max = 12288,
        .answer = answer, .ctx = g}, &g->device, NULL));
    g->memfd = memfd_create("guest", MFD_CLOEXEC);
    assert_int_equal(ftruncate(g->memfd, MEMORY), 0);
    g->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, g->memfd, 0);
    assert_ptr_not_equal(g->memory, MAP_FAILED);
    g->kick = eventfd(0, EFD_CLOEXEC);
    g->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    connect_device(g);
    set_memory(g, MEMORY);
}

static void close_device(struct guest *g)
{
    cof_vhost_close(g->device);
    cof_loop_free(g->loop);
    (void)munmap(g->memory, MEMORY);
    (void)close(g->memfd);
    (void)close(g->kick);
    (void)close(g->call);
    (void)close(g->conn);
    assert_int_equal(access(g->path, F_OK), -1);
    (void)rmdir(g->dir);
}

static void put(struct guest *g, size_t at, uint64_t value, size_t bytes)
{
    memcpy(g->memory + at, &value, bytes);
}

static void desc(struct guest *g, unsigned i, uint64_t address, uint32_t len, uint16_t flags, uint16_t next)
{
    put(g, DESC + 16 * i, address, 8);
    put(g, DESC + 16 * i + 8, len, 4);
    put(g, DESC + 16 * i + 12, flags, 2);
    put(g, DESC + 16 * i + 14, next, 2);
}

static void give(struct guest *g, uint16_t head)
{
    put(g, AVAIL + 4 + 2 * (size_t)(g->given % QUEUE), head, 2);
    g->given++;
    put(g, AVAIL + 2, g->given, 2);
}

static void kick(struct guest *g)
{
    uint64_t one = 1;

    assert_int_equal(write(g->kick, &one, 8), 8);
    turn(g);
}

static uint64_t at(const struct guest *g, size_t offset, size_t bytes)
{
    uint64_t value = 0;

    memcpy(&value, g->memory + offset, bytes);
    return value;
}

static bool is_gone(const struct guest *g)
{
    struct pollfd p = {.fd = g->conn, .events = POLLIN};
    char byte;

    return poll(&p, 1, 0) == 1 && recv(g->conn, &byte, 1, MSG_DONTWAIT) <= 0;
}

static void a_request_and_its_answer(void **state)
{
    uint64_t count;
    struct guest g;

    open_device(&g);
    set_queue(&g, QUEUE, DESC);
    memcpy(g.memory + REQUEST, "hello", 5);
    /* as Linux's nsm.c: one buffer each */
    desc(&g, 0, GUEST + REQUEST, 5, 0, 0);
    desc(&g, 1, GUEST + RESPONSE, 4096, 2, 0);
    give(&g, 0);
    give(&g, 1);
    kick(&g);
    assert_int_equal(g.asked, 1);
    assert_memory_equal(g.memory + RESPONSE, "re:hello", 8);
    assert_int_equal(at(&g, USED + 2, 2), 2);
    assert_int_equal(at(&g, USED + 4, 8), 0);                       /* element 0: head 0, nothing written */
    assert_int_equal(at(&g, USED + 12, 8), 1 | (uint64_t)8 << 32);  /* element 1: head 1, 8 bytes */
    assert_int_equal(read(g.call, &count, 8), 8);
    /* in one chain, the request in two pieces, the answer in two */
    desc(&g, 2, GUEST + REQUEST, 2, 1, 3);
    desc(&g, 3, GUEST + REQUEST + 2, 3, 1, 4);
    desc(&g, 4, GUEST + RESPONSE, 4, 3, 5);
    desc(&g, 5, GUEST + RESPONSE + 100, 100, 2, 0);
    give(&g, 2);
    kick(&g);
    assert_int_equal(g.asked, 2);
    assert_memory_equal(g.memory + RESPONSE, "re:h", 4);
    assert_memory_equal(g.memory + RESPONSE + 100, "ello", 4);
    assert_int_equal(at(&g, USED + 2, 2), 3);
    /* the table of memory comes anew while the queue is in use */
    set_memory(&g, MEMORY);
    give(&g, 2);
    kick(&g);
    assert_int_equal(g.asked, 3);
    assert_false(is_gone(&g));
    close_device(&g);
}

static void rings_that_lie(void **state)
{
    static const struct { uint64_t address; uint32_t len; uint16_t flags, next; } cases[] = {
        {GUEST + MEMORY, 1, 0, 0},               /* behind the memory */
        {GUEST - 1, 1, 0, 0},                    /* before it */
        {GUEST + MEMORY - 1, 2, 0, 0},           /* over its end */
        {GUEST, MEMORY + 1, 0, 0},
        {UINT64_MAX, 2, 0, 0},                   /* around the end of all addresses */
        {UINT64_MAX - 1, UINT32_MAX, 0, 0},
        {GUEST + REQUEST, UINT32_MAX, 0, 0},
        {GUEST + REQUEST, 4, 1, 0},              /* a chain that leads to itself */
        {GUEST + REQUEST, 4, 1, QUEUE},          /* and one that leads out of the table */
        {GUEST + REQUEST, 4, 4, 0},              /* an indirect table, which was not agreed on */
        {GUEST + REQUEST, 4097, 0, 0},           /* larger than any request */
        {GUEST + RESPONSE, 4, 2, 0},             /* room for an answer that nobody asked for */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct guest g;

        open_device(&g);
        set_queue(&g, QUEUE, DESC);
        desc(&g, 0, cases[i].address, cases[i].len, cases[i].flags, cases[i].next);
        give(&g, 0);
        kick(&g);
        assert_int_equal(g.asked, 0);
        assert_true(is_gone(&g));
        /* the next monitor is welcome */
        (void)close(g.conn);
        g.given = 0;
        memset(g.memory, 0, MEMORY);
        connect_device(&g);
        set_memory(&g, MEMORY);
        set_queue(&g, QUEUE, DESC);
        desc(&g, 0, GUEST + REQUEST, 2, 1, 1);
        desc(&g, 1, GUEST + RESPONSE, 100, 2, 0);
        give(&g, 0);
        kick(&g);
        assert_int_equal(g.asked, 1);
        close_device(&g);
    }
}

static void heads_out_of_the_table_and_leaping_indices(void **state)
{
    struct guest g;

    open_device(&g);
    set_queue(&g, QUEUE, DESC);
    give(&g, QUEUE);
    kick(&g);
    assert_true(is_gone(&g));
    close_device(&g);
    open_device(&g);
    set_queue(&g, QUEUE, DESC);
    put(&g, AVAIL + 2, QUEUE + 1, 2);
    kick(&g);
    assert_true(is_gone(&g));
    close_device(&g);
}

static void a_monitor_that_lies(void **state)
{
    static const uint32_t sizes[] = {0, 1025, 65535};
    struct guest g;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) { /* queues of impossible sizes */
        uint32_t num[2] = {0, sizes[i]};

        open_device(&g);
        say(&g, 8, num, sizeof num, -1);
        assert_true(is_gone(&g));
        close_device(&g);
    }
    open_device(&g); /* memory longer than its file */
    set_memory(&g, MEMORY + 4096);
    assert_true(is_gone(&g));
    close_device(&g);
    open_device(&g); /* a queue outside of the memory */
    set_queue(&g, QUEUE, MEMORY - 16);
    assert_true(is_gone(&g));
    close_device(&g);
    open_device(&g); /* one that is not aligned */
    set_queue(&g, QUEUE, 4);
    assert_true(is_gone(&g));
    close_device(&g);
    open_device(&g); /* a message longer than any */
    say(&g, 1, (uint8_t[2000]){0}, 2000, -1);
    assert_true(is_gone(&g));
    close_device(&g);
}

/* xorshift: the same garbage each time. */
static uint64_t garbage(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static void garbage_in_the_rings(void **state)
{
    uint64_t x = 88172645463325252u;
    unsigned answered = 0;

    for (unsigned round = 0; round < 100; round++) {
        struct guest g;

        open_device(&g);
        set_queue(&g, QUEUE, DESC);
        for (unsigned i = 0; i < QUEUE; i++) /* often nearly right, so that much is tried */
            desc(&g, i, GUEST + garbage(&x) % (MEMORY + 64), (uint32_t)(garbage(&x) % 5000), (uint16_t)(garbage(&x) % 4), (uint16_t)(garbage(&x) % (QUEUE + 1)));
        for (unsigned i = 0; i < QUEUE; i++)
            put(&g, AVAIL + 4 + 2 * i, garbage(&x) % (QUEUE + 1), 2);
        put(&g, AVAIL + 2, garbage(&x) % (QUEUE + 2), 2);
        kick(&g);
        answered += g.asked;
        close_device(&g);
    }
    assert_true(answered > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_and_its_answer),
        cmocka_unit_test(rings_that_lie),
        cmocka_unit_test(heads_out_of_the_table_and_leaping_indices),
        cmocka_unit_test(a_monitor_that_lies),
        cmocka_unit_test(garbage_in_the_rings),
    };
    return cmocka_run_group_tests_name("unit/io/vhost_user", tests, NULL, NULL);
}
