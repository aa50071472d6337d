/* SPDX-License-Identifier: Apache-2.0
 *
 * c-ares, driven until it is done or the deadline is over. A channel a lookup: threads share nothing, and a changed
 * resolv.conf is seen by the next lookup.
 */
#include "io/dial_lookup.h"

#include "io/clock.h"

#include <ares.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define DEADLINE_MS 20000
#define TRY_MS 3000 /* for the first answer of a server; c-ares doubles it with each round */
#define ROUNDS 2

struct lookup {
    struct cof_sockaddr *out;
    size_t max, n;
    bool is_done;
    int status; /* ARES_* */
};

static pthread_once_t start_once = PTHREAD_ONCE_INIT;
static int start_status = ARES_ENOTINITIALIZED;

static void start(void)
{
    start_status = ares_library_init(ARES_LIB_INIT_ALL);
}

static void take(struct lookup *l, const struct ares_addrinfo *found, bool v4)
{
    for (const struct ares_addrinfo_node *a = found->nodes; a != NULL && l->n < l->max; a = a->ai_next)
        if ((a->ai_family == AF_INET) == v4 && a->ai_addrlen <= sizeof l->out->bytes) {
            memcpy(l->out[l->n].bytes, a->ai_addr, a->ai_addrlen);
            l->out[l->n].len = (uint32_t)a->ai_addrlen;
            l->n++;
        }
}

static void finished(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    struct lookup *l = arg;

    (void)timeouts;
    l->is_done = true;
    l->status = status;
    if (status == ARES_SUCCESS && found != NULL) {
        take(l, found, true);
        take(l, found, false);
    }
    ares_freeaddrinfo(found);
}

/* One wait for the channel's sockets, no longer than left_ms, and what it brought. */
static void turn(ares_channel channel, int64_t left_ms)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    struct pollfd fds[ARES_GETSOCK_MAXNUM];
    struct timeval most = {.tv_sec = (time_t)(left_ms / 1000), .tv_usec = (suseconds_t)(left_ms % 1000 * 1000)}, next;
    int bits = ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
    nfds_t n = 0;

    (void)ares_timeout(channel, &most, &next);
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        bool in = ARES_GETSOCK_READABLE((unsigned)bits, i) != 0, out = ARES_GETSOCK_WRITABLE((unsigned)bits, i) != 0;
        if (!in && !out)
            break;
        fds[n++] = (struct pollfd){.fd = sockets[i], .events = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0))};
    }
    if (poll(fds, n, (int)(next.tv_sec * 1000 + next.tv_usec / 1000 + 1)) <= 0)
        n = 0; /* what is overdue is looked for all the same */
    for (nfds_t i = 0; i < n; i++) {
        bool in = (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0, out = (fds[i].revents & POLLOUT) != 0;
        ares_process_fd(channel, in ? fds[i].fd : ARES_SOCKET_BAD, out ? fds[i].fd : ARES_SOCKET_BAD);
    }
    if (n == 0)
        ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static enum cof_err outcome(const struct lookup *l)
{
    switch (l->status) {
    case ARES_SUCCESS:
        return l->n > 0 ? COF_OK : COF_E_NOT_FOUND;
    case ARES_ENOMEM:
        return COF_E_MEMORY;
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ECONNREFUSED:
    case ARES_ETIMEOUT:
    case ARES_ECANCELLED:
        return COF_E_RETRY;
    default:
        return COF_E_NOT_FOUND;
    }
}

enum cof_err cof_dial_lookup(const char *host, uint16_t port, struct cof_sockaddr *out, size_t max, size_t *n)
{
    struct ares_options options = {.timeout = TRY_MS, .tries = ROUNDS};
    struct ares_addrinfo_hints hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = ARES_AI_NUMERICSERV};
    struct lookup l = {.out = out, .max = max, .status = ARES_ECANCELLED};
    ares_channel channel;
    char service[8]; /* a number: a name would be looked up in the modules that this file is here to avoid */
    int64_t now = cof_clock_monotonic_ms(), end = now + DEADLINE_MS;
    int error;

    *n = 0;
    (void)pthread_once(&start_once, start);
    error = start_status == ARES_SUCCESS ? ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES)
                                         : start_status;
    if (error != ARES_SUCCESS)
        return error == ARES_ENOMEM ? COF_E_MEMORY : COF_E_RETRY;
    (void)snprintf(service, sizeof service, "%u", port);
    ares_getaddrinfo(channel, host, service, &hints, finished, &l);
    while (!l.is_done && now < end) {
        turn(channel, end - now);
        now = cof_clock_monotonic_ms();
    }
    ares_destroy(channel); /* calls finished() when it has not been called */
    *n = l.n;
    return outcome(&l);
}
