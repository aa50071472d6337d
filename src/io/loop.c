/* SPDX-License-Identifier: Apache-2.0 */
#include "io/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_TURN 128
#define FIRES_PER_TURN 4096
#define POSTS_MAX 65536

struct post {
    void (*fn)(void *arg);
    void *arg;
};

struct cof_loop {
    int epoll, wake;
    int64_t now_ms;
    bool stopped, in_turn;
    struct epoll_event events[EVENTS_PER_TURN]; /* of the turn being handled; an unwatched one is blanked */
    int n_events, at_event;
    struct cof_timer **heap; /* earliest first */
    uint32_t n_timers, timers_cap;
    void **discarded;
    size_t n_discarded, discarded_cap;
    struct { /* shared with other threads */
        pthread_mutex_t lock;
        struct post *posts;
        size_t n, cap;
    } shared;
};

static int64_t monotonic_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void free_discarded(struct cof_loop *loop)
{
    while (loop->n_discarded > 0)
        free(loop->discarded[--loop->n_discarded]);
}

/* Without memory for the list it is kept until the process ends: a leak is safer than a use after free. */
void cof_loop_discard(struct cof_loop *loop, void *ptr)
{
    if (loop->n_discarded == loop->discarded_cap) {
        size_t cap = loop->discarded_cap == 0 ? 32 : loop->discarded_cap * 2;
        void **list = realloc(loop->discarded, cap * sizeof(void *));
        if (list == NULL)
            return;
        loop->discarded = list;
        loop->discarded_cap = cap;
    }
    loop->discarded[loop->n_discarded++] = ptr;
}

enum cof_err cof_loop_new(struct cof_loop **out)
{
    struct cof_loop *loop = calloc(1, sizeof *loop);
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};

    *out = NULL;
    if (loop == NULL)
        return COF_E_MEMORY;
    (void)pthread_mutex_init(&loop->shared.lock, NULL);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->epoll < 0 || loop->wake < 0 || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &wake) != 0) {
        cof_loop_free(loop);
        return COF_E_IO;
    }
    loop->now_ms = monotonic_ms();
    *out = loop;
    return COF_OK;
}

void cof_loop_free(struct cof_loop *loop)
{
    if (loop == NULL)
        return;
    free_discarded(loop);
    free(loop->discarded);
    if (loop->epoll >= 0)
        (void)close(loop->epoll);
    if (loop->wake >= 0)
        (void)close(loop->wake);
    (void)pthread_mutex_destroy(&loop->shared.lock);
    free(loop->shared.posts);
    free(loop->heap);
    free(loop);
}

int64_t cof_loop_now_ms(const struct cof_loop *loop)
{
    return loop->now_ms;
}

enum cof_err cof_loop_watch(struct cof_loop *loop, struct cof_watch *watch, unsigned interest)
{
    struct epoll_event ev = {.data.ptr = watch};

    if ((interest & COF_READABLE) != 0)
        ev.events |= EPOLLIN | EPOLLRDHUP;
    if ((interest & COF_WRITABLE) != 0)
        ev.events |= EPOLLOUT;
    if (watch->active && watch->interest == interest)
        return COF_OK;
    if (epoll_ctl(loop->epoll, watch->active ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd, &ev) != 0)
        return errno == ENOMEM || errno == ENOSPC ? COF_E_MEMORY : COF_E_IO;
    watch->interest = interest;
    watch->active = true;
    return COF_OK;
}

/* What the current turn still holds for this watch must not be delivered: its owner may be freed next. */
void cof_loop_unwatch(struct cof_loop *loop, struct cof_watch *watch)
{
    if (!watch->active)
        return;
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->active = false;
    for (int i = loop->at_event; i < loop->n_events; i++)
        if (loop->events[i].data.ptr == watch)
            loop->events[i].events = 0;
}

/* Timers: a binary heap whose members know their place. */
static void place(struct cof_loop *loop, struct cof_timer *timer, uint32_t slot)
{
    loop->heap[slot] = timer;
    timer->slot = slot;
}

static void sift_up(struct cof_loop *loop, struct cof_timer *timer, uint32_t slot)
{
    while (slot > 0 && loop->heap[(slot - 1) / 2]->due_ms > timer->due_ms) {
        place(loop, loop->heap[(slot - 1) / 2], slot);
        slot = (slot - 1) / 2;
    }
    place(loop, timer, slot);
}

static void sift_down(struct cof_loop *loop, struct cof_timer *timer, uint32_t slot)
{
    for (;;) {
        uint32_t child = 2 * slot + 1;
        if (child >= loop->n_timers)
            break;
        if (child + 1 < loop->n_timers && loop->heap[child + 1]->due_ms < loop->heap[child]->due_ms)
            child++;
        if (loop->heap[child]->due_ms >= timer->due_ms)
            break;
        place(loop, loop->heap[child], slot);
        slot = child;
    }
    place(loop, timer, slot);
}

void cof_loop_disarm(struct cof_loop *loop, struct cof_timer *timer)
{
    struct cof_timer *last;
    uint32_t slot = timer->slot;

    if (!timer->armed)
        return;
    timer->armed = false;
    last = loop->heap[--loop->n_timers];
    if (last == timer)
        return;
    if (slot > 0 && loop->heap[(slot - 1) / 2]->due_ms > last->due_ms)
        sift_up(loop, last, slot);
    else
        sift_down(loop, last, slot);
}

enum cof_err cof_loop_arm(struct cof_loop *loop, struct cof_timer *timer, int64_t after_ms)
{
    cof_loop_disarm(loop, timer);
    if (loop->n_timers == loop->timers_cap) {
        uint32_t cap = loop->timers_cap == 0 ? 64 : loop->timers_cap * 2;
        struct cof_timer **heap = realloc(loop->heap, cap * sizeof(struct cof_timer *));
        if (heap == NULL)
            return COF_E_MEMORY;
        loop->heap = heap;
        loop->timers_cap = cap;
    }
    if (!loop->in_turn)
        loop->now_ms = monotonic_ms(); /* between runs the clock of the last turn is old */
    timer->due_ms = loop->now_ms + (after_ms < 0 ? 0 : after_ms);
    timer->armed = true;
    sift_up(loop, timer, loop->n_timers++);
    return COF_OK;
}

/* Bounded, so that timers which arm themselves again at once cannot keep descriptors waiting. */
static void fire_due(struct cof_loop *loop)
{
    for (int i = 0; i < FIRES_PER_TURN && loop->n_timers > 0 && loop->heap[0]->due_ms <= loop->now_ms; i++) {
        struct cof_timer *timer = loop->heap[0];
        cof_loop_disarm(loop, timer);
        timer->fire(timer);
    }
}

enum cof_err cof_loop_post(struct cof_loop *loop, void (*fn)(void *arg), void *arg)
{
    uint64_t one = 1;
    enum cof_err err = COF_OK;

    (void)pthread_mutex_lock(&loop->shared.lock);
    if (loop->shared.n == loop->shared.cap) {
        size_t cap = loop->shared.cap == 0 ? 16 : loop->shared.cap * 2;
        struct post *posts = cap > POSTS_MAX ? NULL : realloc(loop->shared.posts, cap * sizeof *posts);
        if (posts == NULL)
            err = cap > POSTS_MAX ? COF_E_LIMIT : COF_E_MEMORY;
        else {
            loop->shared.posts = posts;
            loop->shared.cap = cap;
        }
    }
    if (err == COF_OK)
        loop->shared.posts[loop->shared.n++] = (struct post){fn, arg};
    (void)pthread_mutex_unlock(&loop->shared.lock);
    if (err == COF_OK && write(loop->wake, &one, sizeof one) != (ssize_t)sizeof one && errno != EAGAIN)
        err = COF_E_IO;
    return err;
}

static void run_posts(struct cof_loop *loop)
{
    uint64_t count;
    struct post *posts;
    size_t n;

    (void)!read(loop->wake, &count, sizeof count);
    (void)pthread_mutex_lock(&loop->shared.lock);
    posts = loop->shared.posts; /* moved */
    n = loop->shared.n;
    loop->shared.posts = NULL;
    loop->shared.n = loop->shared.cap = 0;
    (void)pthread_mutex_unlock(&loop->shared.lock);
    for (size_t i = 0; i < n; i++)
        posts[i].fn(posts[i].arg);
    free(posts);
}

static int wait_ms(const struct cof_loop *loop, int64_t deadline_ms)
{
    int64_t until = deadline_ms;

    if (loop->n_timers > 0 && loop->heap[0]->due_ms < until)
        until = loop->heap[0]->due_ms;
    if (until == INT64_MAX)
        return -1;
    until -= loop->now_ms;
    return until < 0 ? 0 : until > 3600000 ? 3600000 : (int)until;
}

static enum cof_err turn(struct cof_loop *loop, int64_t deadline_ms)
{
    int n;

    loop->now_ms = monotonic_ms();
    n = epoll_wait(loop->epoll, loop->events, EVENTS_PER_TURN, wait_ms(loop, deadline_ms));
    if (n < 0 && errno != EINTR)
        return COF_E_IO;
    loop->now_ms = monotonic_ms();
    loop->in_turn = true;
    loop->n_events = n < 0 ? 0 : n;
    for (loop->at_event = 0; loop->at_event < loop->n_events;) {
        struct epoll_event ev = loop->events[loop->at_event++];
        unsigned bits = 0;

        if (ev.events == 0)
            continue;
        if (ev.data.ptr == NULL) {
            run_posts(loop);
            continue;
        }
        if ((ev.events & (EPOLLIN | EPOLLRDHUP)) != 0)
            bits |= COF_READABLE;
        if ((ev.events & EPOLLOUT) != 0)
            bits |= COF_WRITABLE;
        if ((ev.events & (EPOLLHUP | EPOLLERR)) != 0)
            bits |= COF_READABLE | COF_WRITABLE;
        ((struct cof_watch *)ev.data.ptr)->ready(ev.data.ptr, bits);
    }
    loop->n_events = 0;
    fire_due(loop);
    free_discarded(loop);
    loop->in_turn = false;
    return COF_OK;
}

enum cof_err cof_loop_run(struct cof_loop *loop)
{
    enum cof_err err = COF_OK;

    loop->stopped = false;
    while (err == COF_OK && !loop->stopped)
        err = turn(loop, INT64_MAX);
    return err;
}

enum cof_err cof_loop_run_until(struct cof_loop *loop, const bool *done, int64_t timeout_ms)
{
    int64_t deadline_ms = timeout_ms < 0 ? INT64_MAX : monotonic_ms() + timeout_ms;
    enum cof_err err = COF_OK;

    loop->stopped = false;
    while (err == COF_OK && !*done && !loop->stopped) {
        err = turn(loop, deadline_ms);
        if (err == COF_OK && !*done && loop->now_ms >= deadline_ms)
            err = COF_E_TIMEOUT;
    }
    if (err == COF_OK && !*done)
        err = COF_E_CLOSED;
    return err;
}

void cof_loop_stop(struct cof_loop *loop)
{
    loop->stopped = true;
}
