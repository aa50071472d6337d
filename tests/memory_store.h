/* SPDX-License-Identifier: Apache-2.0
 *
 * The stand-in's store in memory, for tests and fuzzers: a sorted array, with a copy of it for the savepoint. Bodies
 * are kept under the space " blob".
 */
#ifndef COF_MEMORY_STORE_H
#define COF_MEMORY_STORE_H

#include "standin/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory_pair {
    char space[32];
    struct cof_buf key, value;
};

struct memory_pairs {
    struct memory_pair *items;
    size_t n;
};

struct memory_hold {
    struct memory_hold *next;
    struct cof_blob_id id;
    struct cof_buf bytes;
    bool is_there;
    size_t count;
};

struct memory_store {
    struct cof_store ops;
    struct memory_pairs now, saved;
    bool has_saved, dirty, dirty_saved;
    uint64_t next_blob;
    struct memory_hold *holds;
};

struct cof_blob_writer {
    struct cof_buf bytes;
};
struct cof_blob_reader {
    struct cof_buf bytes;
};

static inline void memory_copy_bytes(struct cof_buf *to, struct cof_view from)
{
    cof_buf_init(to, (size_t)1 << 30);
    cof_buf_add(to, from);
    if (cof_buf_err(to) != COF_OK)
        abort();
}

static inline void memory_pairs_done(struct memory_pairs *p)
{
    for (size_t i = 0; i < p->n; i++) {
        cof_buf_done(&p->items[i].key);
        cof_buf_done(&p->items[i].value);
    }
    free(p->items);
    *p = (struct memory_pairs){0};
}

static inline void memory_pairs_copy(struct memory_pairs *to, const struct memory_pairs *from)
{
    to->items = calloc(from->n + 1, sizeof *to->items);
    if (to->items == NULL)
        abort();
    to->n = from->n;
    for (size_t i = 0; i < from->n; i++) {
        memcpy(to->items[i].space, from->items[i].space, sizeof to->items[i].space);
        memory_copy_bytes(&to->items[i].key, cof_buf_view(&from->items[i].key));
        memory_copy_bytes(&to->items[i].value, cof_buf_view(&from->items[i].value));
    }
}

static inline int memory_compare(const struct memory_pair *p, const char *space, struct cof_view key)
{
    int c = strcmp(p->space, space);

    return c != 0 ? c : cof_view_cmp(cof_buf_view(&p->key), key);
}

/* Index of the first pair not before (space, key). */
static inline size_t memory_lower(const struct memory_store *m, const char *space, struct cof_view key)
{
    size_t lo = 0, hi = m->now.n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (memory_compare(&m->now.items[mid], space, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static inline bool memory_is(const struct memory_store *m, size_t at, const char *space, struct cof_view key)
{
    return at < m->now.n && memory_compare(&m->now.items[at], space, key) == 0;
}

static inline enum cof_err memory_begin(void *ctx)
{
    (void)ctx;
    return COF_OK;
}

static inline enum cof_err memory_commit(void *ctx)
{
    ((struct memory_store *)ctx)->dirty = false;
    return COF_OK;
}

static inline void memory_abandon(void *ctx)
{
    ((struct memory_store *)ctx)->dirty = false; /* no transaction beyond the savepoint's */
}

static inline bool memory_dirty(void *ctx)
{
    return ((struct memory_store *)ctx)->dirty;
}

static inline enum cof_err memory_savepoint(void *ctx)
{
    struct memory_store *m = ctx;

    if (m->has_saved)
        abort();
    memory_pairs_copy(&m->saved, &m->now);
    m->has_saved = true;
    m->dirty_saved = m->dirty;
    return COF_OK;
}

static inline enum cof_err memory_rollback(void *ctx)
{
    struct memory_store *m = ctx;

    if (!m->has_saved)
        abort();
    memory_pairs_done(&m->now);
    m->now = m->saved;
    m->saved = (struct memory_pairs){0};
    m->has_saved = false;
    m->dirty = m->dirty_saved;
    return COF_OK;
}

static inline enum cof_err memory_release(void *ctx)
{
    struct memory_store *m = ctx;

    if (!m->has_saved)
        abort();
    memory_pairs_done(&m->saved);
    m->has_saved = false;
    return COF_OK;
}

static inline enum cof_err memory_get(void *ctx, const char *space, struct cof_view key, struct cof_buf *out)
{
    struct memory_store *m = ctx;
    size_t at = memory_lower(m, space, key);

    if (!memory_is(m, at, space, key))
        return COF_E_NOT_FOUND;
    cof_buf_add(out, cof_buf_view(&m->now.items[at].value));
    return cof_buf_err(out);
}

static inline enum cof_err memory_put(void *ctx, const char *space, struct cof_view key, struct cof_view value)
{
    struct memory_store *m = ctx;
    size_t at = memory_lower(m, space, key);

    if (key.len > COF_STORE_KEY_MAX || (space[0] != ' ' && value.len > COF_STORE_VALUE_MAX))
        return COF_E_TOO_LARGE;
    m->dirty = true;
    if (!memory_is(m, at, space, key)) {
        struct memory_pair *items = realloc(m->now.items, (m->now.n + 1) * sizeof *items);

        if (items == NULL)
            abort();
        memmove(items + at + 1, items + at, (m->now.n - at) * sizeof *items);
        m->now.items = items;
        m->now.n++;
        memset(&items[at], 0, sizeof items[at]);
        (void)snprintf(items[at].space, sizeof items[at].space, "%s", space);
        memory_copy_bytes(&items[at].key, key);
    } else {
        cof_buf_done(&m->now.items[at].value);
    }
    memory_copy_bytes(&m->now.items[at].value, value);
    return COF_OK;
}

static inline enum cof_err memory_remove(void *ctx, const char *space, struct cof_view key)
{
    struct memory_store *m = ctx;
    size_t at = memory_lower(m, space, key);

    if (!memory_is(m, at, space, key))
        return COF_OK;
    m->dirty = true;
    cof_buf_done(&m->now.items[at].key);
    cof_buf_done(&m->now.items[at].value);
    memmove(m->now.items + at, m->now.items + at + 1, (m->now.n - at - 1) * sizeof *m->now.items);
    m->now.n--;
    return COF_OK;
}

static inline enum cof_err memory_scan(void *ctx, const char *space, struct cof_view prefix,
                                       struct cof_view start_after, size_t limit, cof_store_each_fn *each, void *arg)
{
    struct memory_store *m = ctx;
    bool after = start_after.len > 0 && cof_view_cmp(start_after, prefix) >= 0;
    size_t at = memory_lower(m, space, after ? start_after : prefix);

    if (after && memory_is(m, at, space, start_after))
        at++;
    for (; limit > 0 && at < m->now.n; at++, limit--) {
        struct cof_view key = cof_buf_view(&m->now.items[at].key);

        if (strcmp(m->now.items[at].space, space) != 0 || !cof_view_starts(key, prefix) ||
            !each(arg, key, cof_buf_view(&m->now.items[at].value)))
            break;
    }
    return COF_OK;
}

static inline enum cof_err memory_blob_create(void *ctx, struct cof_blob_writer **out)
{
    (void)ctx;
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return COF_E_MEMORY;
    cof_buf_init(&(*out)->bytes, (size_t)1 << 30);
    return COF_OK;
}

static inline enum cof_err memory_blob_write(void *ctx, struct cof_blob_writer *w, struct cof_view piece)
{
    (void)ctx;
    cof_buf_add(&w->bytes, piece);
    return cof_buf_err(&w->bytes);
}

static inline void memory_blob_abort(void *ctx, struct cof_blob_writer *w)
{
    (void)ctx;
    if (w == NULL)
        return;
    cof_buf_done(&w->bytes);
    free(w);
}

static inline enum cof_err memory_blob_close(void *ctx, struct cof_blob_writer *w, struct cof_blob_id *id)
{
    struct memory_store *m = ctx;
    enum cof_err err;

    (void)snprintf(id->text, sizeof id->text, "%032llx", (unsigned long long)++m->next_blob);
    err = memory_put(ctx, " blob", cof_view_str(id->text), cof_buf_view(&w->bytes));
    memory_blob_abort(ctx, w);
    return err;
}

static inline struct memory_hold **memory_held(struct memory_store *m, const struct cof_blob_id *id)
{
    struct memory_hold **at = &m->holds;

    while (*at != NULL && strcmp((*at)->id.text, id->text) != 0)
        at = &(*at)->next;
    return at;
}

/* What is held is copied at once. */
static inline enum cof_err memory_blob_hold(void *ctx, const struct cof_blob_id *id)
{
    struct memory_store *m = ctx;
    struct memory_hold *hold = *memory_held(m, id);

    if (hold == NULL) {
        hold = calloc(1, sizeof *hold);
        if (hold == NULL)
            abort();
        hold->id = *id;
        cof_buf_init(&hold->bytes, (size_t)1 << 30);
        hold->is_there = memory_get(ctx, " blob", cof_view_str(id->text), &hold->bytes) == COF_OK;
        hold->next = m->holds;
        m->holds = hold;
    }
    hold->count++;
    return COF_OK;
}

static inline void memory_blob_let_go(void *ctx, const struct cof_blob_id *id)
{
    struct memory_hold **at = memory_held(ctx, id), *hold = *at;

    if (hold == NULL || --hold->count > 0)
        return;
    *at = hold->next;
    cof_buf_done(&hold->bytes);
    free(hold);
}

static inline enum cof_err memory_blob_open(void *ctx, const struct cof_blob_id *id, struct cof_blob_reader **out,
                                            uint64_t *size)
{
    struct memory_hold *hold;
    enum cof_err err;

    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return COF_E_MEMORY;
    cof_buf_init(&(*out)->bytes, (size_t)1 << 30);
    err = memory_get(ctx, " blob", cof_view_str(id->text), &(*out)->bytes);
    if (err == COF_E_NOT_FOUND && (hold = *memory_held(ctx, id)) != NULL && hold->is_there) {
        cof_buf_add(&(*out)->bytes, cof_buf_view(&hold->bytes));
        err = cof_buf_err(&(*out)->bytes);
    }
    if (err != COF_OK) {
        free(*out);
        *out = NULL;
        return err;
    }
    *size = (*out)->bytes.len;
    return COF_OK;
}

static inline enum cof_err memory_blob_read(void *ctx, struct cof_blob_reader *r, uint64_t offset, size_t len,
                                            struct cof_buf *out)
{
    (void)ctx;
    if (offset > r->bytes.len || len > r->bytes.len - offset)
        return COF_E_TRUNCATED;
    cof_buf_add(out, cof_view_sub(cof_buf_view(&r->bytes), (size_t)offset, len));
    return cof_buf_err(out);
}

static inline void memory_blob_shut(void *ctx, struct cof_blob_reader *r)
{
    (void)ctx;
    if (r == NULL)
        return;
    cof_buf_done(&r->bytes);
    free(r);
}

static inline enum cof_err memory_blob_remove(void *ctx, const struct cof_blob_id *id)
{
    return memory_remove(ctx, " blob", cof_view_str(id->text));
}

static inline void memory_store_init(struct memory_store *m)
{
    *m = (struct memory_store){.ops = {
        .ctx = m,
        .begin = memory_begin,
        .commit = memory_commit, .abandon = memory_abandon,
        .dirty = memory_dirty,
        .savepoint = memory_savepoint,
        .rollback = memory_rollback,
        .release = memory_release,
        .get = memory_get,
        .put = memory_put,
        .remove = memory_remove,
        .scan = memory_scan,
        .blob_create = memory_blob_create,
        .blob_write = memory_blob_write,
        .blob_close = memory_blob_close,
        .blob_abort = memory_blob_abort,
        .blob_open = memory_blob_open,
        .blob_read = memory_blob_read,
        .blob_shut = memory_blob_shut,
        .blob_hold = memory_blob_hold,
        .blob_let_go = memory_blob_let_go,
        .blob_remove = memory_blob_remove,
    }};
}

static inline void memory_store_done(struct memory_store *m)
{
    if (m->holds != NULL)
        abort(); /* somebody did not let go */
    memory_pairs_done(&m->now);
    memory_pairs_done(&m->saved);
}

#endif
