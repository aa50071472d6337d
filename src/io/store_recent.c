/* SPDX-License-Identifier: Apache-2.0 */
#include "io/store_recent.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

/* How a key was before. */
struct cof_recent_undo {
    struct cof_recent_change *change;
    bool was_new; /* it was not here: value and the rest say nothing */
    bool removed;
    uint8_t *value;
    size_t value_len;
    uint64_t generation;
};

static uint8_t *key_of(const struct cof_recent_change *c)
{
    return (uint8_t *)(uintptr_t)(c->next + c->height);
}

struct cof_view cof_recent_key(const struct cof_recent_change *c)
{
    return cof_view_of(key_of(c), c->key_len);
}

struct cof_view cof_recent_value(const struct cof_recent_change *c)
{
    return cof_view_of(c->value, c->value_len);
}

static int compare(const struct cof_recent_change *c, const char *space, struct cof_view key)
{
    int order = c->space == space ? 0 : strcmp(c->space, space);

    return order != 0 ? order : cof_view_cmp(cof_recent_key(c), key);
}

static size_t size_of(const struct cof_recent_change *c)
{
    return sizeof *c + c->height * sizeof c->next[0] + c->key_len + c->value_len;
}

static struct cof_recent_change *change_new(uint8_t height, const char *space, struct cof_view key)
{
    struct cof_recent_change *c = calloc(1, sizeof *c + height * sizeof c->next[0] + key.len);

    if (c == NULL)
        return NULL;
    c->height = height;
    c->space = space;
    c->key_len = key.len;
    if (key.len > 0)
        memcpy(key_of(c), key.data, key.len);
    return c;
}

static void value_free(uint8_t *value, size_t len)
{
    if (value == NULL)
        return;
    cof_wipe(value, len);
    free(value);
}

static void change_free(struct cof_recent_change *c)
{
    value_free(c->value, c->value_len);
    cof_wipe(key_of(c), c->key_len);
    free(c);
}

enum cof_err cof_recent_init(struct cof_recent *r)
{
    *r = (struct cof_recent){.dice = 0x9e3779b97f4a7c15};
    r->head = change_new(COF_RECENT_HEIGHT, "", (struct cof_view){0});
    return r->head == NULL ? COF_E_MEMORY : COF_OK;
}

void cof_recent_done(struct cof_recent *r)
{
    struct cof_recent_change *c = r->head, *next;

    cof_recent_keep(r);
    for (; c != NULL; c = next) {
        next = c->next[0];
        change_free(c);
    }
    free(r->undo);
    cof_wipe(r->hints, sizeof r->hints);
    *r = (struct cof_recent){0};
}

/* Of each height the last before the key. */
static void search(const struct cof_recent *r, const char *space, struct cof_view key, struct cof_recent_change *before[static COF_RECENT_HEIGHT])
{
    struct cof_recent_change *at = r->head;

    for (size_t h = COF_RECENT_HEIGHT; h-- > 0;) {
        while (at->next[h] != NULL && compare(at->next[h], space, key) < 0)
            at = at->next[h];
        before[h] = at;
    }
}

/* A quarter of each height goes on to the next (xorshift64; nobody gains by guessing it but time of his own server). */
static uint8_t throw_height(struct cof_recent *r)
{
    uint64_t dice = r->dice;
    uint8_t height = 1;

    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    r->dice = dice;
    while (height < COF_RECENT_HEIGHT && (dice & 3) == 0) {
        dice >>= 2;
        height++;
    }
    return height;
}

static struct cof_view hint_prefix(const struct cof_recent_hint *hint)
{
    return cof_view_of(hint->bytes, hint->prefix_len);
}

static struct cof_view hint_key(const struct cof_recent_hint *hint)
{
    return cof_view_of(hint->bytes + hint->prefix_len, hint->key_len);
}

/* Something is there now, or may be: what was known to be empty up to it is not. */
static void disturb(struct cof_recent *r, const char *space, struct cof_view key)
{
    for (size_t i = 0; i < COF_RECENT_HINTS; i++) {
        struct cof_recent_hint *hint = &r->hints[i];

        if (hint->space != NULL && (hint->space == space || strcmp(hint->space, space) == 0) && cof_view_starts(key, hint_prefix(hint)) &&
            cof_view_cmp(key, hint_key(hint)) <= 0)
            hint->space = NULL;
    }
}

void cof_recent_note_empty(struct cof_recent *r, const char *space, struct cof_view prefix, struct cof_view up_to)
{
    struct cof_recent_hint *hint = NULL;

    if (prefix.len + up_to.len > sizeof hint->bytes)
        return;
    for (size_t i = 0; i < COF_RECENT_HINTS && hint == NULL; i++)
        if (r->hints[i].space != NULL && strcmp(r->hints[i].space, space) == 0 && cof_view_eq(hint_prefix(&r->hints[i]), prefix))
            hint = &r->hints[i];
    if (hint == NULL)
        hint = &r->hints[r->next_hint++ % COF_RECENT_HINTS];
    hint->space = space;
    hint->prefix_len = (uint8_t)prefix.len;
    hint->key_len = (uint8_t)up_to.len;
    if (prefix.len > 0)
        memcpy(hint->bytes, prefix.data, prefix.len);
    if (up_to.len > 0)
        memcpy(hint->bytes + prefix.len, up_to.data, up_to.len);
}

struct cof_view cof_recent_empty_to(const struct cof_recent *r, const char *space, struct cof_view prefix)
{
    for (size_t i = 0; i < COF_RECENT_HINTS; i++) {
        const struct cof_recent_hint *hint = &r->hints[i];

        if (hint->space != NULL && (hint->space == space || strcmp(hint->space, space) == 0) && cof_view_eq(hint_prefix(hint), prefix))
            return hint_key(hint);
    }
    return (struct cof_view){0};
}

static enum cof_err note_undo(struct cof_recent *r, struct cof_recent_change *c, bool is_new)
{
    if (r->n_undo == r->undo_cap) {
        size_t cap = r->undo_cap == 0 ? 64 : r->undo_cap * 2;
        struct cof_recent_undo *wider = realloc(r->undo, cap * sizeof *wider);

        if (wider == NULL)
            return COF_E_MEMORY;
        r->undo = wider;
        r->undo_cap = cap;
    }
    r->undo[r->n_undo++] = (struct cof_recent_undo){
        .change = c, .was_new = is_new, .removed = c->removed, .value = c->value, .value_len = c->value_len, .generation = c->generation};
    return COF_OK;
}

static void link_in(struct cof_recent *r, struct cof_recent_change *c, struct cof_recent_change *const before[static COF_RECENT_HEIGHT])
{
    for (size_t h = 0; h < c->height; h++) {
        c->next[h] = before[h]->next[h];
        before[h]->next[h] = c;
    }
    r->n++;
    r->bytes += size_of(c);
}

static void take_out(struct cof_recent *r, struct cof_recent_change *c)
{
    struct cof_recent_change *before[COF_RECENT_HEIGHT];

    search(r, c->space, cof_recent_key(c), before);
    for (size_t h = 0; h < c->height; h++)
        before[h]->next[h] = c->next[h];
    r->n--;
    r->bytes -= size_of(c);
    change_free(c);
}

static enum cof_err change(struct cof_recent *r, const char *space, struct cof_view key, struct cof_view value, bool removed)
{
    struct cof_recent_change *before[COF_RECENT_HEIGHT], *c;
    uint8_t *copy = NULL;
    enum cof_err err;
    bool is_new;

    search(r, space, key, before);
    c = before[0]->next[0];
    is_new = c == NULL || compare(c, space, key) != 0;
    if (value.len > 0 && (copy = malloc(value.len)) == NULL)
        return COF_E_MEMORY;
    if (is_new && (c = change_new(throw_height(r), space, key)) == NULL) {
        free(copy);
        return COF_E_MEMORY;
    }
    err = note_undo(r, c, is_new);
    if (err != COF_OK) {
        free(copy);
        if (is_new)
            change_free(c);
        return err;
    }
    if (is_new)
        link_in(r, c, before);
    if (copy != NULL)
        memcpy(copy, value.data, value.len);
    r->bytes += value.len - c->value_len; /* modulo 2^64, as intended */
    c->value = copy;
    c->value_len = value.len;
    c->removed = removed;
    c->generation = r->generation;
    if (!removed)
        disturb(r, space, key);
    return COF_OK;
}

enum cof_err cof_recent_put(struct cof_recent *r, const char *space, struct cof_view key, struct cof_view value)
{
    return change(r, space, key, value, false);
}

enum cof_err cof_recent_remove(struct cof_recent *r, const char *space, struct cof_view key)
{
    return change(r, space, key, (struct cof_view){0}, true);
}

const struct cof_recent_change *cof_recent_from(const struct cof_recent *r, const char *space, struct cof_view key, bool after)
{
    struct cof_recent_change *before[COF_RECENT_HEIGHT], *c;

    search(r, space, key, before);
    c = before[0]->next[0];
    if (after && c != NULL && compare(c, space, key) == 0)
        c = c->next[0];
    return c != NULL && (c->space == space || strcmp(c->space, space) == 0) ? c : NULL;
}

const struct cof_recent_change *cof_recent_next(const struct cof_recent_change *change)
{
    const struct cof_recent_change *c = change->next[0];

    return c != NULL && (c->space == change->space || strcmp(c->space, change->space) == 0) ? c : NULL;
}

const struct cof_recent_change *cof_recent_find(const struct cof_recent *r, const char *space, struct cof_view key)
{
    const struct cof_recent_change *c = cof_recent_from(r, space, key, false);

    return c != NULL && cof_view_eq(cof_recent_key(c), key) ? c : NULL;
}

size_t cof_recent_mark(const struct cof_recent *r)
{
    return r->n_undo;
}

void cof_recent_undo(struct cof_recent *r, size_t mark)
{
    while (r->n_undo > mark) {
        struct cof_recent_undo *undo = &r->undo[--r->n_undo];
        struct cof_recent_change *c = undo->change;

        disturb(r, c->space, cof_recent_key(c));
        if (undo->was_new) {
            take_out(r, c);
            continue;
        }
        r->bytes += undo->value_len - c->value_len;
        value_free(c->value, c->value_len);
        c->value = undo->value;
        c->value_len = undo->value_len;
        c->removed = undo->removed;
        c->generation = undo->generation;
    }
}

const struct cof_recent_change *cof_recent_changed(struct cof_recent *r, size_t *i)
{
    while (*i < r->n_undo) {
        struct cof_recent_change *c = r->undo[(*i)++].change;

        if (!c->noted) {
            c->noted = true;
            return c;
        }
    }
    for (size_t at = 0; at < r->n_undo; at++)
        r->undo[at].change->noted = false;
    return NULL;
}

void cof_recent_keep(struct cof_recent *r)
{
    for (size_t i = 0; i < r->n_undo; i++)
        if (!r->undo[i].was_new)
            value_free(r->undo[i].value, r->undo[i].value_len);
    r->n_undo = 0;
}

enum cof_err cof_recent_of(const struct cof_recent *r, uint64_t generation, const struct cof_recent_change ***out, size_t *n)
{
    *n = 0;
    *out = malloc((r->n + 1) * sizeof(const struct cof_recent_change *));
    if (*out == NULL)
        return COF_E_MEMORY;
    for (const struct cof_recent_change *c = r->head->next[0]; c != NULL; c = c->next[0])
        if (c->generation <= generation)
            (*out)[(*n)++] = c;
    return COF_OK;
}

void cof_recent_forget(struct cof_recent *r, uint64_t generation)
{
    for (size_t h = COF_RECENT_HEIGHT; h-- > 0;) {
        struct cof_recent_change *at = r->head, *c;

        while ((c = at->next[h]) != NULL) {
            if (c->generation > generation) {
                at = c;
                continue;
            }
            at->next[h] = c->next[h];
            if (h > 0)
                continue;
            r->n--;
            r->bytes -= size_of(c);
            change_free(c);
        }
    }
}
