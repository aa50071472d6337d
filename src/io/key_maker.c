/* SPDX-License-Identifier: Apache-2.0 */
#include "io/key_maker.h"

#include <pthread.h>
#include <stdlib.h>

#define SIZES 3
#define ASKED_MAX 64 /* of one size; who comes then asks again later */
#define READY_MAX 4  /* kept of one size when those who asked are gone */

static const unsigned sizes[SIZES] = {2048, 3072, 4096};

struct cof_key_maker {
    struct cof_loop *loop;
    void (*ready)(void *ctx, unsigned bits);
    void *ctx;
    pthread_t thread;
    bool started;
    struct { /* shared with the thread */
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool ending;
        unsigned n_asked[SIZES], n_ready[SIZES];
        enum cof_err failed[SIZES]; /* the last attempt's; told to the next who asks */
        struct cof_rsa_key *keys[SIZES][READY_MAX];
    } shared;
};

static void tell(struct cof_key_maker *maker, size_t which)
{
    maker->ready(maker->ctx, sizes[which]);
}

/* One for each size, as the loop calls with one argument. */
static void tell_2048(void *maker)
{
    tell(maker, 0);
}

static void tell_3072(void *maker)
{
    tell(maker, 1);
}

static void tell_4096(void *maker)
{
    tell(maker, 2);
}

static void (*const tellers[SIZES])(void *maker) = {tell_2048, tell_3072, tell_4096};

/* The size asked for most; SIZES: none. */
static size_t next_size(const struct cof_key_maker *maker)
{
    size_t best = SIZES;

    for (size_t i = 0; i < SIZES; i++)
        if (maker->shared.n_asked[i] > (best == SIZES ? 0 : maker->shared.n_asked[best]))
            best = i;
    return best;
}

static void keep(struct cof_key_maker *maker, size_t which, struct cof_rsa_key *key, enum cof_err err)
{
    maker->shared.n_asked[which]--;
    maker->shared.failed[which] = err;
    if (key != NULL && maker->shared.n_ready[which] < READY_MAX)
        maker->shared.keys[which][maker->shared.n_ready[which]++] = key;
    else
        cof_rsa_free(key);
}

static void *work(void *arg)
{
    struct cof_key_maker *maker = arg;

    (void)pthread_mutex_lock(&maker->shared.lock);
    while (!maker->shared.ending) {
        size_t which = next_size(maker);
        struct cof_rsa_key *key = NULL;
        enum cof_err err;

        if (which == SIZES) {
            (void)pthread_cond_wait(&maker->shared.changed, &maker->shared.lock);
            continue;
        }
        (void)pthread_mutex_unlock(&maker->shared.lock);
        err = cof_rsa_generate(sizes[which], &key);
        (void)pthread_mutex_lock(&maker->shared.lock);
        keep(maker, which, key, err);
        if (cof_loop_post(maker->loop, tellers[which], maker) != COF_OK)
            maker->shared.failed[which] = COF_E_MEMORY; /* who waits asks again by himself */
    }
    (void)pthread_mutex_unlock(&maker->shared.lock);
    return NULL;
}

enum cof_err cof_key_maker_new(
    struct cof_loop *loop, void (*ready)(void *ctx, unsigned bits), void *ctx, struct cof_key_maker **out)
{
    struct cof_key_maker *maker = calloc(1, sizeof *maker);

    *out = maker;
    if (maker == NULL)
        return COF_E_MEMORY;
    maker->loop = loop;
    maker->ready = ready;
    maker->ctx = ctx;
    (void)pthread_mutex_init(&maker->shared.lock, NULL);
    (void)pthread_cond_init(&maker->shared.changed, NULL);
    return COF_OK;
}

void cof_key_maker_free(struct cof_key_maker *maker)
{
    if (maker == NULL)
        return;
    (void)pthread_mutex_lock(&maker->shared.lock);
    maker->shared.ending = true;
    (void)pthread_cond_signal(&maker->shared.changed);
    (void)pthread_mutex_unlock(&maker->shared.lock);
    if (maker->started)
        (void)pthread_join(maker->thread, NULL);
    for (size_t i = 0; i < SIZES; i++)
        while (maker->shared.n_ready[i] > 0)
            cof_rsa_free(maker->shared.keys[i][--maker->shared.n_ready[i]]);
    (void)pthread_mutex_destroy(&maker->shared.lock);
    (void)pthread_cond_destroy(&maker->shared.changed);
    free(maker);
}

/* With the lock held. */
static enum cof_err take(struct cof_key_maker *maker, size_t which, struct cof_rsa_key **out)
{
    enum cof_err failed = maker->shared.failed[which];

    maker->shared.failed[which] = COF_OK;
    if (maker->shared.n_ready[which] > 0) {
        *out = maker->shared.keys[which][--maker->shared.n_ready[which]];
        return COF_OK;
    }
    if (failed != COF_OK)
        return failed;
    if (maker->shared.n_asked[which] < ASKED_MAX)
        maker->shared.n_asked[which]++;
    (void)pthread_cond_signal(&maker->shared.changed);
    return COF_E_RETRY;
}

enum cof_err cof_key_maker_take(struct cof_key_maker *maker, unsigned bits, struct cof_rsa_key **out)
{
    size_t which = 0;
    enum cof_err err;

    *out = NULL;
    while (which < SIZES && sizes[which] != bits)
        which++;
    if (which == SIZES)
        return COF_E_USAGE;
    if (!maker->started && pthread_create(&maker->thread, NULL, work, maker) != 0)
        return COF_E_MEMORY;
    maker->started = true;
    (void)pthread_mutex_lock(&maker->shared.lock);
    err = take(maker, which, out);
    (void)pthread_mutex_unlock(&maker->shared.lock);
    return err;
}
