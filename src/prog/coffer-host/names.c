/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FRESH_MS 30000  /* then it is looked up again, while it still serves */
#define STALE_MS 600000 /* then it serves only where no other is to be had */
#define STACK_BYTES ((size_t)256 << 10)

struct name {
    struct cof_sockaddr list[NAMES_ADDRESSES];
    size_t n;
    int64_t got_ms, until_ms; /* the answer is of then, and looked up again from then on */
    struct names_wait *waiting;
    bool asked; /* a lookup is under way */
};

struct names {
    struct cof_loop *loop;
    cof_resolve_fn *resolve;
    size_t n;
    struct shared *shared;
    struct name *list;
};

/* What lookups and loop hold together; the last one frees it. */
struct shared {
    pthread_mutex_t lock;
    struct names *names; /* NULL: nobody is interested any more */
    size_t users;
};

struct lookup {
    struct shared *shared;
    cof_resolve_fn *resolve;
    size_t i;
    char host[256];
    uint16_t port;
    struct cof_sockaddr list[NAMES_ADDRESSES];
    size_t n;
};

static void unuse(struct shared *s)
{
    size_t left;

    (void)pthread_mutex_lock(&s->lock);
    left = --s->users;
    (void)pthread_mutex_unlock(&s->lock);
    if (left > 0)
        return;
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

static void tell_all(struct name *name)
{
    while (name->waiting != NULL) {
        struct names_wait *w = name->waiting;

        names_forget(w);
        w->answered(w, name->list, name->n);
    }
}

/* On the loop: names is there, since the loop runs only while it is. */
static void on_answer(void *arg)
{
    struct lookup *l = arg;
    struct names *names = l->shared->names;

    if (names != NULL) {
        struct name *name = &names->list[l->i];

        name->asked = false;
        name->until_ms = cof_loop_now_ms(names->loop) + (l->n > 0 ? FRESH_MS : 1000);
        if (l->n > 0) {
            memcpy(name->list, l->list, sizeof name->list);
            name->n = l->n;
            name->got_ms = cof_loop_now_ms(names->loop);
        }
        tell_all(name);
    }
    unuse(l->shared);
    free(l);
}

static void *look_up(void *arg)
{
    struct lookup *l = arg;
    bool posted = false;

    if (l->resolve(l->host, l->port, l->list, NAMES_ADDRESSES, &l->n) != COF_OK)
        l->n = 0;
    (void)pthread_mutex_lock(&l->shared->lock);
    if (l->shared->names != NULL)
        posted = cof_loop_post(l->shared->names->loop, on_answer, l) == COF_OK;
    (void)pthread_mutex_unlock(&l->shared->lock);
    if (!posted) {
        unuse(l->shared);
        free(l);
    }
    return NULL;
}

static enum cof_err start(struct names *names, size_t i, const char *host, uint16_t port)
{
    struct lookup *l = calloc(1, sizeof *l);
    pthread_attr_t attr;
    pthread_t thread;
    int status;

    if (l == NULL || strlen(host) >= sizeof l->host) {
        free(l);
        return COF_E_MEMORY;
    }
    *l = (struct lookup){.shared = names->shared, .resolve = names->resolve, .i = i, .port = port};
    memcpy(l->host, host, strlen(host) + 1);
    (void)pthread_mutex_lock(&names->shared->lock);
    names->shared->users++;
    (void)pthread_mutex_unlock(&names->shared->lock);
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    status = pthread_create(&thread, &attr, look_up, l);
    (void)pthread_attr_destroy(&attr);
    if (status != 0) {
        unuse(l->shared);
        free(l);
        return COF_E_MEMORY;
    }
    names->list[i].asked = true;
    return COF_OK;
}

enum cof_err names_find(struct names *names, size_t i, const char *host, uint16_t port, struct names_wait *wait,
                        struct cof_sockaddr list[static NAMES_ADDRESSES], size_t *n)
{
    struct name *name = &names->list[i];
    enum cof_err err = COF_OK;

    *n = 0;
    if (cof_resolve_literal(host, port, list, NAMES_ADDRESSES, n) == COF_OK)
        return COF_OK;
    if (!name->asked && cof_loop_now_ms(names->loop) >= name->until_ms)
        err = start(names, i, host, port);
    if (name->n > 0 && (!name->asked || cof_loop_now_ms(names->loop) < name->got_ms + STALE_MS)) {
        memcpy(list, name->list, sizeof name->list);
        *n = name->n;
        return COF_OK;
    }
    if (err != COF_OK || !name->asked)
        return err != COF_OK ? err : COF_E_NOT_FOUND;
    wait->next = name->waiting;
    wait->prev = &name->waiting;
    if (wait->next != NULL)
        wait->next->prev = &wait->next;
    name->waiting = wait;
    return COF_OK;
}

void names_forget(struct names_wait *wait)
{
    if (wait->prev == NULL)
        return;
    *wait->prev = wait->next;
    if (wait->next != NULL)
        wait->next->prev = wait->prev;
    wait->prev = NULL;
    wait->next = NULL;
}

enum cof_err names_new(struct cof_loop *loop, cof_resolve_fn *resolve, size_t n_names, struct names **out)
{
    struct names *names = calloc(1, sizeof *names);

    *out = NULL;
    if (names == NULL)
        return COF_E_MEMORY;
    names->loop = loop;
    names->resolve = resolve;
    names->n = n_names;
    names->list = calloc(n_names == 0 ? 1 : n_names, sizeof *names->list);
    names->shared = calloc(1, sizeof *names->shared);
    if (names->list == NULL || names->shared == NULL) {
        free(names->list);
        free(names->shared);
        free(names);
        return COF_E_MEMORY;
    }
    (void)pthread_mutex_init(&names->shared->lock, NULL);
    names->shared->names = names;
    names->shared->users = 1;
    *out = names;
    return COF_OK;
}

void names_free(struct names *names)
{
    if (names == NULL)
        return;
    (void)pthread_mutex_lock(&names->shared->lock);
    names->shared->names = NULL;
    (void)pthread_mutex_unlock(&names->shared->lock);
    unuse(names->shared);
    free(names->list);
    free(names);
}
