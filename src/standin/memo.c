/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/memo.h"

#include "base/secret.h"
#include "format/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SETS 64 /* powers of two */
#define OBJECT_SETS 128
#define WAYS 4
#define TEXT_MAX ((size_t)1 << 20) /* longer values are not kept, */
#define TEXTS_MAX ((size_t)8 << 20) /* nor more than these together */
#define OBJECT_TEXT_MAX ((size_t)64 << 10)
#define OBJECT_TEXTS_MAX ((size_t)2 << 20)
#define KEY_MAX 512
#define SEEN 1024 /* a power of two */

struct entry {
    const char *space; /* the callers' literals; compared by content */
    struct cof_buf key;
    json_t *record; /* NULL: empty; null: there is no such value */
    size_t len;     /* of the value */
    uint64_t used;
};

/* Entries in sets by their keys' hash. */
struct table {
    struct entry (*sets)[WAYS];
    size_t n_sets;
    size_t text_max, texts_max;
    size_t len; /* of all that is remembered */
    uint32_t *seen; /* NULL: what is asked for is remembered at once; else hashes of what was asked for of late */
};

struct cof_memo {
    struct cof_store ops;
    const struct cof_store *below;
    struct table few, objects;
    struct entry few_sets[SETS][WAYS], object_sets[OBJECT_SETS][WAYS];
    uint32_t seen[SEEN];
    uint64_t now;
    bool changed; /* since the savepoint */
};

/* Where a key is, or would be. */
struct place {
    struct table *table;
    struct entry *set;
    uint32_t hash;
};

/* Strings of a record that nobody else holds. */
static void wipe(json_t *json)
{
    const char *name;
    json_t *value;
    size_t i;

    if (json == NULL || json->refcount != 1)
        return;
    if (json_is_string(json))
        cof_wipe((char *)(uintptr_t)json_string_value(json), json_string_length(json));
    else if (json_is_object(json))
        json_object_foreach(json, name, value)
            wipe(value);
    else if (json_is_array(json))
        json_array_foreach(json, i, value)
            wipe(value);
}

void cof_record_done(json_t *record)
{
    wipe(record);
    json_decref(record);
}

static void forget(struct table *t, struct entry *e)
{
    t->len -= e->len;
    cof_record_done(e->record);
    cof_buf_done(&e->key);
    *e = (struct entry){.record = NULL};
}

static void forget_table(struct table *t)
{
    for (size_t i = 0; i < t->n_sets; i++)
        for (size_t k = 0; k < WAYS; k++)
            if (t->sets[i][k].record != NULL)
                forget(t, &t->sets[i][k]);
}

static void forget_all(struct cof_memo *m)
{
    forget_table(&m->few);
    forget_table(&m->objects);
}

/* Objects are many, and most are read once: they have a table of their own, which takes what is asked for again. */
static struct place place_of(struct cof_memo *m, const char *space, struct cof_view key)
{
    struct table *t = strcmp(space, "s3.current") == 0 ? &m->objects : &m->few;
    uint32_t h = 2166136261u; /* FNV-1a; a caller who makes keys meet only loses the memory of his own */

    for (; *space != '\0'; space++)
        h = (h ^ (uint8_t)*space) * 16777619u;
    for (size_t i = 0; i < key.len; i++)
        h = (h ^ key.data[i]) * 16777619u;
    return (struct place){t, t->sets[(h ^ h >> 16) & (t->n_sets - 1)], h};
}

static bool is(const struct entry *e, const char *space, struct cof_view key)
{
    return e->record != NULL && cof_view_eq(cof_buf_view(&e->key), key) && strcmp(e->space, space) == 0;
}

static void forget_key(struct cof_memo *m, const char *space, struct cof_view key)
{
    struct place p = place_of(m, space, key);

    for (size_t i = 0; i < WAYS; i++)
        if (is(&p.set[i], space, key))
            forget(p.table, &p.set[i]);
    m->changed = true;
}

static bool is_wanted(const struct place *p, struct cof_view key, size_t len)
{
    uint32_t *seen = p->table->seen == NULL ? NULL : &p->table->seen[(p->hash ^ p->hash >> 16) & (SEEN - 1)];
    bool again = seen == NULL || *seen == p->hash;

    if (seen != NULL)
        *seen = p->hash;
    return again && key.len <= KEY_MAX && len <= p->table->text_max;
}

/* Takes the place of the one unused for longest. Without memory nothing is remembered. */
static void remember(struct cof_memo *m, const char *space, struct cof_view key, json_t *record, size_t len)
{
    struct place p = place_of(m, space, key);
    struct entry *e = &p.set[0];

    if (!is_wanted(&p, key, len))
        return;
    if (p.table->len + len > p.table->texts_max)
        forget_table(p.table);
    for (size_t i = 0; i < WAYS && e->record != NULL; i++)
        if (p.set[i].record == NULL || p.set[i].used < e->used)
            e = &p.set[i];
    if (e->record != NULL)
        forget(p.table, e);
    cof_buf_init(&e->key, KEY_MAX);
    cof_buf_add(&e->key, key);
    if (cof_buf_err(&e->key) != COF_OK) {
        cof_buf_done(&e->key);
        return;
    }
    e->space = space;
    e->record = json_incref(record);
    e->len = len;
    e->used = m->now;
    p.table->len += len;
}

/* The value as JSON, or as a JSON string of its bytes. */
static enum cof_err fetch(const struct cof_store *store, const char *space, struct cof_view key, bool raw, json_t **out, size_t *len)
{
    struct cof_buf text;
    enum cof_err err;

    *out = NULL;
    cof_buf_init_secret(&text, COF_STORE_VALUE_MAX);
    err = store->get(store->ctx, space, key, &text);
    *len = text.len;
    if (err == COF_OK && !raw)
        err = cof_json_parse_object(cof_buf_view(&text), COF_STORE_VALUE_MAX, out, NULL);
    else if (err == COF_OK) {
        *out = json_stringn_nocheck(text.len == 0 ? "" : (const char *)text.data, text.len);
        err = *out == NULL ? COF_E_MEMORY : COF_OK;
    }
    cof_buf_done(&text);
    return err;
}

static json_t *find(struct cof_memo *m, const char *space, struct cof_view key)
{
    struct entry *set = place_of(m, space, key).set;

    m->now++;
    for (size_t i = 0; i < WAYS; i++)
        if (is(&set[i], space, key)) {
            set[i].used = m->now;
            return json_incref(set[i].record);
        }
    return NULL;
}

static enum cof_err memo_record(void *ctx, const char *space, struct cof_view key, json_t **out)
{
    struct cof_memo *m = ctx;
    size_t len;
    enum cof_err err;

    *out = find(m, space, key);
    if (*out != NULL)
        return COF_OK;
    err = fetch(m->below, space, key, false, out, &len);
    if (err == COF_OK)
        remember(m, space, key, *out, len);
    return err;
}

static enum cof_err memo_text(void *ctx, const char *space, struct cof_view key, json_t **out)
{
    struct cof_memo *m = ctx;
    size_t len;
    enum cof_err err = COF_OK;

    *out = find(m, space, key);
    if (*out == NULL) {
        err = fetch(m->below, space, key, true, out, &len);
        if (err == COF_OK)
            remember(m, space, key, *out, len);
        else if (err == COF_E_NOT_FOUND)
            remember(m, space, key, json_null(), 0);
    }
    if (!json_is_null(*out))
        return err;
    *out = NULL;
    return COF_E_NOT_FOUND;
}

enum cof_err cof_record_get(const struct cof_store *store, const char *space, struct cof_view key, json_t **out)
{
    size_t len;

    return store->record != NULL ? store->record(store->ctx, space, key, out) : fetch(store, space, key, false, out, &len);
}

enum cof_err cof_record_text(const struct cof_store *store, const char *space, struct cof_view key, json_t **out)
{
    size_t len;

    return store->text != NULL ? store->text(store->ctx, space, key, out) : fetch(store, space, key, true, out, &len);
}

enum cof_err cof_record_copy(const struct cof_store *store, const char *space, struct cof_view key, json_t **out)
{
    json_t *shared;
    enum cof_err err = cof_record_get(store, space, key, &shared);

    *out = NULL;
    if (err != COF_OK)
        return err;
    *out = json_deep_copy(shared);
    json_decref(shared);
    return *out == NULL ? COF_E_MEMORY : COF_OK;
}

/* What is passed on. */
static const struct cof_store *below(void *ctx)
{
    return ((const struct cof_memo *)ctx)->below;
}

static enum cof_err memo_begin(void *ctx)
{
    return below(ctx)->begin(below(ctx)->ctx);
}

static enum cof_err memo_commit(void *ctx)
{
    enum cof_err err = below(ctx)->commit(below(ctx)->ctx);

    if (err != COF_OK)
        forget_all(ctx); /* everything since begin is undone */
    return err;
}

static void memo_abandon(void *ctx)
{
    forget_all(ctx);
    below(ctx)->abandon(below(ctx)->ctx);
}

static bool memo_dirty(void *ctx)
{
    return below(ctx)->dirty(below(ctx)->ctx);
}

static enum cof_err memo_savepoint(void *ctx)
{
    ((struct cof_memo *)ctx)->changed = false;
    return below(ctx)->savepoint(below(ctx)->ctx);
}

static enum cof_err memo_rollback(void *ctx)
{
    if (((struct cof_memo *)ctx)->changed)
        forget_all(ctx);
    return below(ctx)->rollback(below(ctx)->ctx);
}

static enum cof_err memo_release(void *ctx)
{
    return below(ctx)->release(below(ctx)->ctx);
}

static enum cof_err memo_get(void *ctx, const char *space, struct cof_view key, struct cof_buf *out)
{
    return below(ctx)->get(below(ctx)->ctx, space, key, out);
}

static enum cof_err memo_put(void *ctx, const char *space, struct cof_view key, struct cof_view value)
{
    forget_key(ctx, space, key);
    return below(ctx)->put(below(ctx)->ctx, space, key, value);
}

static enum cof_err memo_remove(void *ctx, const char *space, struct cof_view key)
{
    forget_key(ctx, space, key);
    return below(ctx)->remove(below(ctx)->ctx, space, key);
}

static enum cof_err memo_scan(void *ctx, const char *space, struct cof_view prefix, struct cof_view start_after, size_t limit,
                              cof_store_each_fn *each, void *arg)
{
    return below(ctx)->scan(below(ctx)->ctx, space, prefix, start_after, limit, each, arg);
}

static enum cof_err memo_blob_create(void *ctx, struct cof_blob_writer **out)
{
    return below(ctx)->blob_create(below(ctx)->ctx, out);
}

static enum cof_err memo_blob_write(void *ctx, struct cof_blob_writer *writer, struct cof_view piece)
{
    return below(ctx)->blob_write(below(ctx)->ctx, writer, piece);
}

static enum cof_err memo_blob_close(void *ctx, struct cof_blob_writer *writer, struct cof_blob_id *id)
{
    return below(ctx)->blob_close(below(ctx)->ctx, writer, id);
}

static void memo_blob_abort(void *ctx, struct cof_blob_writer *writer)
{
    below(ctx)->blob_abort(below(ctx)->ctx, writer);
}

static enum cof_err memo_blob_open(void *ctx, const struct cof_blob_id *id, struct cof_blob_reader **out, uint64_t *size)
{
    return below(ctx)->blob_open(below(ctx)->ctx, id, out, size);
}

static enum cof_err memo_blob_read(void *ctx, struct cof_blob_reader *reader, uint64_t offset, size_t len, struct cof_buf *out)
{
    return below(ctx)->blob_read(below(ctx)->ctx, reader, offset, len, out);
}

static void memo_blob_shut(void *ctx, struct cof_blob_reader *reader)
{
    below(ctx)->blob_shut(below(ctx)->ctx, reader);
}

static enum cof_err memo_blob_hold(void *ctx, const struct cof_blob_id *id)
{
    return below(ctx)->blob_hold(below(ctx)->ctx, id);
}

static void memo_blob_let_go(void *ctx, const struct cof_blob_id *id)
{
    below(ctx)->blob_let_go(below(ctx)->ctx, id);
}

static enum cof_err memo_blob_remove(void *ctx, const struct cof_blob_id *id)
{
    return below(ctx)->blob_remove(below(ctx)->ctx, id);
}

static const struct cof_store ops = {
    .begin = memo_begin,
    .commit = memo_commit,
    .abandon = memo_abandon,
    .dirty = memo_dirty,
    .savepoint = memo_savepoint,
    .rollback = memo_rollback,
    .release = memo_release,
    .get = memo_get,
    .put = memo_put,
    .remove = memo_remove,
    .scan = memo_scan,
    .blob_create = memo_blob_create,
    .blob_write = memo_blob_write,
    .blob_close = memo_blob_close,
    .blob_abort = memo_blob_abort,
    .blob_open = memo_blob_open,
    .blob_read = memo_blob_read,
    .blob_shut = memo_blob_shut,
    .blob_hold = memo_blob_hold,
    .blob_let_go = memo_blob_let_go,
    .blob_remove = memo_blob_remove,
    .record = memo_record,
    .text = memo_text,
};

enum cof_err cof_memo_new(const struct cof_store *store, struct cof_memo **out)
{
    struct cof_memo *m = calloc(1, sizeof *m);

    *out = m;
    if (m == NULL)
        return COF_E_MEMORY;
    m->ops = ops;
    m->ops.ctx = m;
    m->below = store;
    m->few = (struct table){.sets = m->few_sets, .n_sets = SETS, .text_max = TEXT_MAX, .texts_max = TEXTS_MAX};
    m->objects = (struct table){
        .sets = m->object_sets, .n_sets = OBJECT_SETS, .text_max = OBJECT_TEXT_MAX, .texts_max = OBJECT_TEXTS_MAX, .seen = m->seen};
    return COF_OK;
}

void cof_memo_free(struct cof_memo *m)
{
    if (m == NULL)
        return;
    forget_all(m);
    free(m);
}

const struct cof_store *cof_memo_store(const struct cof_memo *m)
{
    return &m->ops;
}
