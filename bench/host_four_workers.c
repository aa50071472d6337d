/* SPDX-License-Identifier: Apache-2.0
 *
 * The peer of `./do bench host`: a forwarder of the design that aws vsock-proxy has (its README and help: one destination, a pool of
 * four workers, a connection holds its worker until it ends, no timeouts), written anew with a Unix socket in vsock's place.
 *
 *   host_four_workers SOCKET PORT     forwards SOCKET to 127.0.0.1:PORT; prints "ready"
 */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WORKERS 4
#define WAITING_MAX 4096
#define BUFFER 8192

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    int fds[WAITING_MAX];
    unsigned first, n;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};
static uint16_t port;

static int take(void)
{
    int fd;

    (void)pthread_mutex_lock(&queue.lock);
    while (queue.n == 0)
        (void)pthread_cond_wait(&queue.more, &queue.lock);
    fd = queue.fds[queue.first];
    queue.first = (queue.first + 1) % WAITING_MAX;
    queue.n--;
    (void)pthread_mutex_unlock(&queue.lock);
    return fd;
}

static int put(int fd)
{
    int ok;

    (void)pthread_mutex_lock(&queue.lock);
    ok = queue.n < WAITING_MAX;
    if (ok)
        queue.fds[(queue.first + queue.n++) % WAITING_MAX] = fd;
    (void)pthread_cond_signal(&queue.more);
    (void)pthread_mutex_unlock(&queue.lock);
    return ok;
}

/* 0: that side has ended. */
static int copy(int from, int to)
{
    char buffer[BUFFER];
    ssize_t n = read(from, buffer, sizeof buffer), done = 0;

    while (n > 0 && done < n) {
        ssize_t w = write(to, buffer + done, (size_t)(n - done));
        if (w <= 0)
            return 0;
        done += w;
    }
    return n > 0;
}

static void forward(int inner)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int outer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), open = connect(outer, (struct sockaddr *)&to, sizeof to) == 0;
    struct pollfd p[2] = {{inner, POLLIN, 0}, {outer, POLLIN, 0}};

    while (open && poll(p, 2, -1) > 0) {
        if (p[0].revents != 0)
            open = copy(inner, outer);
        if (open && p[1].revents != 0)
            open = copy(outer, inner);
    }
    (void)close(outer);
    (void)close(inner);
}

static void *work(void *arg)
{
    for (;;)
        forward(take());
    return arg;
}

int main(int argc, char **argv)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

    if (argc != 3 || strlen(argv[1]) >= sizeof at.sun_path)
        return 2;
    memcpy(at.sun_path, argv[1], strlen(argv[1]));
    port = (uint16_t)strtoul(argv[2], NULL, 10);
    (void)signal(SIGPIPE, SIG_IGN);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 1024) != 0)
        return 1;
    for (int i = 0; i < WORKERS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, NULL) != 0)
            return 1;
    }
    (void)puts("ready");
    (void)fflush(stdout);
    while ((fd = accept(listener, NULL, NULL)) >= 0)
        if (!put(fd))
            (void)close(fd);
    return 1;
}
