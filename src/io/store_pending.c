/* SPDX-License-Identifier: Apache-2.0 */
#include "io/store_pending.h"

#include <string.h>

void cof_pending_init(struct cof_pending *p)
{
    p->n = 0;
    cof_buf_init_secret(&p->bytes, COF_PENDING_BYTES); /* records of keys and credentials pass through */
}

void cof_pending_done(struct cof_pending *p)
{
    cof_buf_done(&p->bytes);
    p->n = 0;
}

void cof_pending_reset(struct cof_pending *p)
{
    cof_buf_reset(&p->bytes);
    p->n = 0;
}

/* Adds a change whose key and value are noted; NULL and nothing added when they do not fit. */
static struct cof_pending_change *add(
    struct cof_pending *p, enum cof_pending_kind kind, const char *space, struct cof_view key, struct cof_view value)
{
    struct cof_pending_change *change = &p->changes[p->n];
    size_t start = p->bytes.len;

    if (p->n == COF_PENDING_MAX || key.len > COF_PENDING_BYTES - start || value.len > COF_PENDING_BYTES - start - key.len)
        return NULL;
    cof_buf_add(&p->bytes, key);
    cof_buf_add(&p->bytes, value);
    if (cof_buf_err(&p->bytes) != COF_OK)
        return NULL; /* no memory: nothing more is noted until the next reset */
    *change = (struct cof_pending_change){
        .kind = kind, .space = space, .key = start, .key_len = key.len, .value = start + key.len, .value_len = value.len};
    p->n++;
    return change;
}

bool cof_pending_put(struct cof_pending *p, const char *space, struct cof_view key, struct cof_view value)
{
    return add(p, COF_PENDING_PUT, space, key, value) != NULL;
}

bool cof_pending_remove(struct cof_pending *p, const char *space, struct cof_view key)
{
    return add(p, COF_PENDING_REMOVE, space, key, (struct cof_view){0}) != NULL;
}

bool cof_pending_blob(struct cof_pending *p, const struct cof_blob_id *id, uint64_t size, const struct cof_blob_place *place)
{
    struct cof_view bytes = place->kind == COF_BLOB_INLINE ? place->bytes : (struct cof_view){0};
    struct cof_pending_change *change = add(p, COF_PENDING_BLOB, "", cof_view_str(id->text), bytes);

    if (change == NULL)
        return false;
    change->size = size;
    change->place = *place;
    change->place.bytes = (struct cof_view){0};
    return true;
}

bool cof_pending_blob_remove(struct cof_pending *p, const struct cof_blob_id *id)
{
    return add(p, COF_PENDING_BLOB_REMOVE, "", cof_view_str(id->text), (struct cof_view){0}) != NULL;
}

static bool is_pair(const struct cof_pending_change *change, const char *space)
{
    return (change->kind == COF_PENDING_PUT || change->kind == COF_PENDING_REMOVE) && strcmp(change->space, space) == 0;
}

const struct cof_pending_change *cof_pending_of(const struct cof_pending *p, const char *space, struct cof_view key)
{
    for (size_t i = p->n; i > 0; i--)
        if (is_pair(&p->changes[i - 1], space) && cof_view_eq(cof_pending_key(p, &p->changes[i - 1]), key))
            return &p->changes[i - 1];
    return NULL;
}

bool cof_pending_touches(const struct cof_pending *p, const char *space, struct cof_view prefix)
{
    for (size_t i = 0; i < p->n; i++)
        if (is_pair(&p->changes[i], space) && cof_view_starts(cof_pending_key(p, &p->changes[i]), prefix))
            return true;
    return false;
}

bool cof_pending_has_blobs(const struct cof_pending *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->changes[i].kind == COF_PENDING_BLOB || p->changes[i].kind == COF_PENDING_BLOB_REMOVE)
            return true;
    return false;
}

struct cof_view cof_pending_key(const struct cof_pending *p, const struct cof_pending_change *change)
{
    return cof_view_sub(cof_view_of(p->bytes.data, p->bytes.len), change->key, change->key_len);
}

struct cof_view cof_pending_value(const struct cof_pending *p, const struct cof_pending_change *change)
{
    return cof_view_sub(cof_view_of(p->bytes.data, p->bytes.len), change->value, change->value_len);
}
