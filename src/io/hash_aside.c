/* SPDX-License-Identifier: Apache-2.0 */
#include "io/hash_aside.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define PIECES 16
#define PIECE_BYTES ((size_t)65536)
#define PIECES_FREE 4 /* so many are awaited together: waking for each costs more */

struct cof_aside_digest {
    struct cof_hash_aside *aside;
    struct cof_hash *hash; /* the thread's while n_waiting > 0 */
    size_t n_waiting;      /* pieces; under the lock, like err */
    enum cof_err err;
};

struct piece {
    struct cof_aside_digest *digest;
    size_t len;
    uint8_t *bytes; /* in memory */
};

struct cof_hash_aside {
    pthread_t thread;
    bool started;
    uint8_t *memory; /* of all pieces */
    struct piece ring[PIECES]; /* filled by the caller, then the thread's until they are taken off */
    struct { /* shared with the thread */
        pthread_mutex_t lock;
        pthread_cond_t given, taken;
        bool ending;
        size_t first, n; /* of the pieces that are filled */
        size_t wanted;   /* the caller waits until no more than so many are; PIECES: it does not */
    } shared;
};

/* With the lock held, which is let go of meanwhile: the first piece. */
static void hash_first(struct cof_hash_aside *aside)
{
    struct piece *piece = &aside->ring[aside->shared.first];
    struct cof_aside_digest *digest = piece->digest;
    enum cof_err err;

    (void)pthread_mutex_unlock(&aside->shared.lock);
    err = cof_hash_update(digest->hash, cof_view_of(piece->bytes, piece->len));
    cof_wipe(piece->bytes, piece->len);
    (void)pthread_mutex_lock(&aside->shared.lock);
    if (err != COF_OK)
        digest->err = err;
    digest->n_waiting--;
    aside->shared.first = (aside->shared.first + 1) % PIECES;
    aside->shared.n--;
    if (aside->shared.n <= aside->shared.wanted || digest->n_waiting == 0)
        (void)pthread_cond_signal(&aside->shared.taken);
}

static void *work(void *arg)
{
    struct cof_hash_aside *aside = arg;

    (void)pthread_mutex_lock(&aside->shared.lock);
    while (!aside->shared.ending || aside->shared.n > 0) {
        if (aside->shared.n > 0)
            hash_first(aside);
        else
            (void)pthread_cond_wait(&aside->shared.given, &aside->shared.lock);
    }
    (void)pthread_mutex_unlock(&aside->shared.lock);
    return NULL;
}

bool cof_hash_aside_pays(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 1;
}

enum cof_err cof_hash_aside_new(struct cof_hash_aside **out)
{
    struct cof_hash_aside *aside = calloc(1, sizeof *aside);

    *out = aside;
    if (aside == NULL)
        return COF_E_MEMORY;
    aside->shared.wanted = PIECES;
    (void)pthread_mutex_init(&aside->shared.lock, NULL);
    (void)pthread_cond_init(&aside->shared.given, NULL);
    (void)pthread_cond_init(&aside->shared.taken, NULL);
    return COF_OK;
}

void cof_hash_aside_free(struct cof_hash_aside *aside)
{
    if (aside == NULL)
        return;
    (void)pthread_mutex_lock(&aside->shared.lock);
    aside->shared.ending = true;
    (void)pthread_cond_signal(&aside->shared.given);
    (void)pthread_mutex_unlock(&aside->shared.lock);
    if (aside->started)
        (void)pthread_join(aside->thread, NULL);
    (void)pthread_mutex_destroy(&aside->shared.lock);
    (void)pthread_cond_destroy(&aside->shared.given);
    (void)pthread_cond_destroy(&aside->shared.taken);
    free(aside->memory);
    free(aside);
}

static enum cof_err start(struct cof_hash_aside *aside)
{
    if (aside->started)
        return COF_OK;
    if (aside->memory == NULL)
        aside->memory = malloc(PIECES * PIECE_BYTES);
    if (aside->memory == NULL)
        return COF_E_MEMORY;
    for (size_t i = 0; i < PIECES; i++)
        aside->ring[i].bytes = aside->memory + i * PIECE_BYTES;
    if (pthread_create(&aside->thread, NULL, work, aside) != 0)
        return COF_E_MEMORY;
    aside->started = true;
    return COF_OK;
}

enum cof_err cof_aside_digest_new(struct cof_hash_aside *aside, enum cof_hash_alg alg, struct cof_aside_digest **out)
{
    struct cof_aside_digest *digest;
    enum cof_err err = start(aside);

    *out = NULL;
    if (err != COF_OK)
        return err;
    digest = calloc(1, sizeof *digest);
    if (digest == NULL)
        return COF_E_MEMORY;
    digest->aside = aside;
    err = cof_hash_new(alg, &digest->hash);
    if (err != COF_OK) {
        free(digest);
        return err;
    }
    *out = digest;
    return COF_OK;
}

/* The place of the next piece, which nobody else fills. */
static struct piece *room(struct cof_hash_aside *aside)
{
    size_t at;

    (void)pthread_mutex_lock(&aside->shared.lock);
    if (aside->shared.n == PIECES) {
        aside->shared.wanted = PIECES - PIECES_FREE;
        while (aside->shared.n > aside->shared.wanted)
            (void)pthread_cond_wait(&aside->shared.taken, &aside->shared.lock);
        aside->shared.wanted = PIECES;
    }
    at = (aside->shared.first + aside->shared.n) % PIECES;
    (void)pthread_mutex_unlock(&aside->shared.lock);
    return &aside->ring[at];
}

static void give(struct cof_aside_digest *digest)
{
    struct cof_hash_aside *aside = digest->aside;

    (void)pthread_mutex_lock(&aside->shared.lock);
    digest->n_waiting++;
    if (aside->shared.n++ == 0)
        (void)pthread_cond_signal(&aside->shared.given);
    (void)pthread_mutex_unlock(&aside->shared.lock);
}

enum cof_err cof_aside_digest_update(struct cof_aside_digest *digest, struct cof_view data)
{
    while (data.len > 0) {
        struct piece *piece = room(digest->aside);

        piece->digest = digest;
        piece->len = data.len < PIECE_BYTES ? data.len : PIECE_BYTES;
        memcpy(piece->bytes, data.data, piece->len);
        data = cof_view_sub(data, piece->len, SIZE_MAX);
        give(digest);
    }
    return COF_OK;
}

/* Until the thread has nothing of this digest's. */
static enum cof_err settle(struct cof_aside_digest *digest)
{
    struct cof_hash_aside *aside = digest->aside;
    enum cof_err err;

    (void)pthread_mutex_lock(&aside->shared.lock);
    while (digest->n_waiting > 0)
        (void)pthread_cond_wait(&aside->shared.taken, &aside->shared.lock);
    err = digest->err;
    (void)pthread_mutex_unlock(&aside->shared.lock);
    return err;
}

enum cof_err cof_aside_digest_final(struct cof_aside_digest *digest, uint8_t *out)
{
    enum cof_err err = settle(digest);

    return err == COF_OK ? cof_hash_final(digest->hash, out) : err;
}

void cof_aside_digest_free(struct cof_aside_digest *digest)
{
    if (digest == NULL)
        return;
    (void)settle(digest);
    cof_hash_free(digest->hash);
    free(digest);
}
