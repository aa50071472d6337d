/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sync_aside.h"

#include "io/file.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct cof_sync_aside {
    pthread_t thread;
    bool started;
    struct { /* shared with the thread */
        pthread_mutex_t lock;
        pthread_cond_t changed;
        enum { NOTHING, ASKED, ENDED } state;
        bool ending;
        int fd;
        enum cof_err result;
    } shared;
};

static void *work(void *arg)
{
    struct cof_sync_aside *aside = arg;

    (void)pthread_mutex_lock(&aside->shared.lock);
    while (!aside->shared.ending) {
        int fd = aside->shared.fd;
        enum cof_err err;

        if (aside->shared.state != ASKED) {
            (void)pthread_cond_wait(&aside->shared.changed, &aside->shared.lock);
            continue;
        }
        (void)pthread_mutex_unlock(&aside->shared.lock);
        err = fdatasync(fd) == 0 ? COF_OK : cof_err_from_errno(errno);
        (void)pthread_mutex_lock(&aside->shared.lock);
        aside->shared.result = err;
        aside->shared.state = ENDED;
        (void)pthread_cond_broadcast(&aside->shared.changed);
    }
    (void)pthread_mutex_unlock(&aside->shared.lock);
    return NULL;
}

enum cof_err cof_sync_aside_new(struct cof_sync_aside **out)
{
    struct cof_sync_aside *aside = calloc(1, sizeof *aside);

    *out = aside;
    if (aside == NULL)
        return COF_E_MEMORY;
    (void)pthread_mutex_init(&aside->shared.lock, NULL);
    (void)pthread_cond_init(&aside->shared.changed, NULL);
    return COF_OK;
}

void cof_sync_aside_free(struct cof_sync_aside *aside)
{
    if (aside == NULL)
        return;
    (void)pthread_mutex_lock(&aside->shared.lock);
    aside->shared.ending = true;
    (void)pthread_cond_broadcast(&aside->shared.changed);
    (void)pthread_mutex_unlock(&aside->shared.lock);
    if (aside->started)
        (void)pthread_join(aside->thread, NULL);
    (void)pthread_cond_destroy(&aside->shared.changed);
    (void)pthread_mutex_destroy(&aside->shared.lock);
    free(aside);
}

enum cof_err cof_sync_aside_start(struct cof_sync_aside *aside, int fd)
{
    enum cof_err err = COF_OK;

    if (!aside->started && pthread_create(&aside->thread, NULL, work, aside) != 0)
        return COF_E_MEMORY;
    aside->started = true;
    (void)pthread_mutex_lock(&aside->shared.lock);
    if (aside->shared.state == NOTHING) {
        aside->shared.fd = fd;
        aside->shared.state = ASKED;
        (void)pthread_cond_broadcast(&aside->shared.changed);
    } else {
        err = COF_E_STATE;
    }
    (void)pthread_mutex_unlock(&aside->shared.lock);
    return err;
}

static bool take(struct cof_sync_aside *aside, bool wait, enum cof_err *ended)
{
    bool told;

    (void)pthread_mutex_lock(&aside->shared.lock);
    while (wait && aside->shared.state == ASKED)
        (void)pthread_cond_wait(&aside->shared.changed, &aside->shared.lock);
    told = aside->shared.state == ENDED;
    if (told) {
        *ended = aside->shared.result;
        aside->shared.state = NOTHING;
    }
    (void)pthread_mutex_unlock(&aside->shared.lock);
    return told;
}

bool cof_sync_aside_look(struct cof_sync_aside *aside, enum cof_err *ended)
{
    return take(aside, false, ended);
}

bool cof_sync_aside_wait(struct cof_sync_aside *aside, enum cof_err *ended)
{
    return take(aside, true, ended);
}
