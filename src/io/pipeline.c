/* SPDX-License-Identifier: Apache-2.0 */
#include "io/pipeline.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

#define THREADS_MAX 15
#define STACK_BYTES ((size_t)256 << 10)

enum slot_state { FILLED, WORKING, WORKED, ORDERING, DONE };

struct slot {
    enum slot_state state;
    enum cof_err result;
};

struct worker {
    struct cof_pipeline *p;
    unsigned lane;
    pthread_t thread;
};

/* Slots are counted since the beginning; a slot's place is its count modulo n_slots. taken <= ordered <= begun <= given. */
struct cof_pipeline {
    struct cof_pipeline_ops ops;
    struct worker workers[THREADS_MAX];
    unsigned n_started;
    struct {
        pthread_mutex_t lock;
        pthread_cond_t work, done; /* something may be begun; something became done */
        struct slot *slots;
        uint64_t given, begun, ordered, taken;
        bool ordering, stop;
    } shared;
};

unsigned cof_pipeline_threads(bool has_order)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

    if (n < 2 || (n == 2 && !has_order))
        return 0;
    return n - 1 > THREADS_MAX ? THREADS_MAX : (unsigned)n - 1;
}

enum cof_err cof_pipeline_new(const struct cof_pipeline_ops *ops, struct cof_pipeline **out)
{
    struct cof_pipeline *p;

    *out = NULL;
    if (ops->n_slots == 0 || ops->n_threads > THREADS_MAX || ops->work == NULL)
        return COF_E_USAGE;
    p = calloc(1, sizeof *p);
    if (p == NULL)
        return COF_E_MEMORY;
    p->ops = *ops;
    p->shared.slots = calloc(ops->n_slots, sizeof *p->shared.slots);
    if (p->shared.slots == NULL) {
        free(p);
        return COF_E_MEMORY;
    }
    (void)pthread_mutex_init(&p->shared.lock, NULL); /* these three cannot fail on Linux */
    (void)pthread_cond_init(&p->shared.work, NULL);
    (void)pthread_cond_init(&p->shared.done, NULL);
    *out = p;
    return COF_OK;
}

static struct slot *slot_at(struct cof_pipeline *p, uint64_t count)
{
    return &p->shared.slots[count % p->ops.n_slots];
}

/* One thing done, whichever is possible; ordering first, since it is what cannot be shared out. The caller's thread leaves it to
 * the others, if there are any: while it orders nobody fills. Called and left with the lock held; false when there was nothing to
 * do. */
static bool do_one(struct cof_pipeline *p, unsigned lane)
{
    bool may_order = p->ops.order != NULL && (lane != p->ops.n_threads || p->n_started == 0) && !p->shared.ordering &&
                     p->shared.ordered < p->shared.begun && slot_at(p, p->shared.ordered)->state == WORKED;
    uint64_t count = may_order ? p->shared.ordered : p->shared.begun;
    struct slot *slot = slot_at(p, count);
    unsigned number = (unsigned)(count % p->ops.n_slots);
    enum cof_err err = slot->result;

    if (may_order) {
        p->shared.ordering = true;
        slot->state = ORDERING;
    } else if (p->shared.begun < p->shared.given) {
        p->shared.begun++;
        slot->state = WORKING;
    } else {
        return false;
    }
    (void)pthread_mutex_unlock(&p->shared.lock);
    if (may_order)
        err = err == COF_OK ? p->ops.order(p->ops.ctx, number) : err;
    else
        err = p->ops.work(p->ops.ctx, lane, number);
    (void)pthread_mutex_lock(&p->shared.lock);
    slot->result = err;
    if (may_order) {
        p->shared.ordering = false;
        p->shared.ordered++;
    }
    slot->state = may_order || p->ops.order == NULL ? DONE : WORKED;
    if (slot->state == DONE)
        (void)pthread_cond_signal(&p->shared.done); /* only the caller's thread waits for it */
    if (p->ops.order != NULL)
        (void)pthread_cond_signal(&p->shared.work);
    return true;
}

static void *run(void *ctx)
{
    struct worker *w = ctx;
    struct cof_pipeline *p = w->p;

    (void)pthread_mutex_lock(&p->shared.lock);
    while (!p->shared.stop)
        if (!do_one(p, w->lane))
            (void)pthread_cond_wait(&p->shared.work, &p->shared.lock);
    (void)pthread_mutex_unlock(&p->shared.lock);
    return NULL;
}

/* Threads that do not start are done without: the caller's works too. */
static void start(struct cof_pipeline *p)
{
    pthread_attr_t attr;
    sigset_t all, before;

    if (pthread_attr_init(&attr) != 0)
        return;
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void)sigfillset(&all); /* signals are for the thread that has the loop */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (p->n_started < p->ops.n_threads) {
        struct worker *w = &p->workers[p->n_started];
        *w = (struct worker){.p = p, .lane = p->n_started};
        if (pthread_create(&w->thread, &attr, run, w) != 0)
            break;
        p->n_started++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
}

bool cof_pipeline_room(const struct cof_pipeline *p, unsigned *slot)
{
    /* given and taken change on this thread alone */
    *slot = (unsigned)(p->shared.given % p->ops.n_slots);
    return p->shared.given - p->shared.taken < p->ops.n_slots;
}

enum cof_err cof_pipeline_give(struct cof_pipeline *p)
{
    unsigned slot;

    if (!cof_pipeline_room(p, &slot))
        return COF_E_STATE;
    if (p->shared.given == 1 && p->n_started == 0)
        start(p);
    (void)pthread_mutex_lock(&p->shared.lock);
    p->shared.slots[slot] = (struct slot){FILLED, COF_OK};
    p->shared.given++;
    if (p->n_started > 0)
        (void)pthread_cond_signal(&p->shared.work);
    (void)pthread_mutex_unlock(&p->shared.lock);
    return COF_OK;
}

bool cof_pipeline_take(struct cof_pipeline *p, bool wait, unsigned *slot, enum cof_err *result)
{
    bool there = false;

    (void)pthread_mutex_lock(&p->shared.lock);
    if (p->shared.taken < p->shared.given) {
        struct slot *oldest = slot_at(p, p->shared.taken);

        while (wait && oldest->state != DONE)
            if (!do_one(p, p->ops.n_threads))
                (void)pthread_cond_wait(&p->shared.done, &p->shared.lock);
        there = oldest->state == DONE;
        *slot = (unsigned)(p->shared.taken % p->ops.n_slots);
        *result = oldest->result;
        p->shared.taken += there ? 1 : 0;
    }
    (void)pthread_mutex_unlock(&p->shared.lock);
    return there;
}

void cof_pipeline_free(struct cof_pipeline *p)
{
    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->shared.lock);
    p->shared.stop = true;
    (void)pthread_cond_broadcast(&p->shared.work);
    (void)pthread_mutex_unlock(&p->shared.lock);
    for (unsigned i = 0; i < p->n_started; i++)
        (void)pthread_join(p->workers[i].thread, NULL);
    (void)pthread_mutex_destroy(&p->shared.lock);
    (void)pthread_cond_destroy(&p->shared.work);
    (void)pthread_cond_destroy(&p->shared.done);
    free(p->shared.slots);
    free(p);
}
