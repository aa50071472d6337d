/* SPDX-License-Identifier: Apache-2.0 */
#include "io/store_holds.h"

#include <stdlib.h>
#include <string.h>

/* An open hash table over the names, which are random; its size is a power of two, at most half of it is used. */
static size_t home_of(const struct cof_blob_holds *t, const struct cof_blob_id *id)
{
    size_t home = 0;

    for (const char *p = id->text; *p != '\0'; p++)
        home = home * 31 + (uint8_t)*p;
    return (home ^ home >> 16) & (t->cap - 1);
}

static size_t find(const struct cof_blob_holds *t, const struct cof_blob_id *id)
{
    size_t at = home_of(t, id);

    while (t->items[at] != NULL && strcmp(t->items[at]->id.text, id->text) != 0)
        at = (at + 1) & (t->cap - 1);
    return at;
}

static enum cof_err grow(struct cof_blob_holds *t)
{
    struct cof_blob_holds wider = {.cap = t->cap == 0 ? 64 : t->cap * 2, .n = t->n};

    wider.items = calloc(wider.cap, sizeof(struct cof_blob_hold *));
    if (wider.items == NULL)
        return COF_E_MEMORY;
    for (size_t i = 0; i < t->cap; i++)
        if (t->items[i] != NULL)
            wider.items[find(&wider, &t->items[i]->id)] = t->items[i];
    free(t->items);
    *t = wider;
    return COF_OK;
}

struct cof_blob_hold *cof_blob_held(const struct cof_blob_files *files, const struct cof_blob_id *id)
{
    return files->holds.n == 0 ? NULL : files->holds.items[find(&files->holds, id)];
}

enum cof_err cof_blob_hold(struct cof_blob_files *files, const struct cof_blob_id *id)
{
    struct cof_blob_holds *t = &files->holds;
    struct cof_blob_hold *hold = cof_blob_held(files, id);
    enum cof_err err;

    if (hold != NULL) {
        hold->count++;
        return COF_OK;
    }
    if (2 * (t->n + 1) > t->cap && (err = grow(t)) != COF_OK)
        return err;
    hold = calloc(1, sizeof *hold);
    if (hold == NULL)
        return COF_E_MEMORY;
    hold->id = *id;
    hold->count = 1;
    t->items[find(t, id)] = hold;
    t->n++;
    return COF_OK;
}

/* Closes the gap, so that every name is still found from its home on. */
static void take_out(struct cof_blob_holds *t, size_t gap)
{
    size_t mask = t->cap - 1;

    for (size_t at = (gap + 1) & mask; t->items[at] != NULL; at = (at + 1) & mask) {
        size_t home = home_of(t, &t->items[at]->id);

        if (((at - home) & mask) >= ((at - gap) & mask)) {
            t->items[gap] = t->items[at];
            gap = at;
        }
    }
    t->items[gap] = NULL;
    t->n--;
}

static void hold_free(struct cof_blob_files *files, struct cof_blob_hold *hold)
{
    if (hold->removed && hold->place.kind == COF_BLOB_SLOT)
        cof_slots_unpin(&files->slots, hold->place.slot);
    free(hold->bytes);
    free(hold);
}

void cof_blob_let_go(struct cof_blob_files *files, const struct cof_blob_id *id)
{
    struct cof_blob_hold *hold = cof_blob_held(files, id);

    if (hold == NULL || --hold->count > 0)
        return;
    take_out(&files->holds, find(&files->holds, id));
    if (hold->doomed)
        cof_blob_file_unlink(files, id);
    hold_free(files, hold);
}

enum cof_err cof_blob_hold_removed(
    struct cof_blob_files *files, struct cof_blob_hold *hold, const struct cof_blob_place *place, uint64_t size)
{
    uint64_t offset;
    enum cof_err err;
    int fd;

    if (hold->removed) /* before, by a transaction that was undone */
        return COF_OK;
    if (place->kind == COF_BLOB_SLOT && (err = cof_slots_pin(&files->slots, place->slot, &fd, &offset)) != COF_OK)
        return err;
    if (place->kind == COF_BLOB_INLINE) {
        hold->bytes = malloc(place->bytes.len + 1);
        if (hold->bytes == NULL)
            return COF_E_MEMORY;
        if (place->bytes.len > 0)
            memcpy(hold->bytes, place->bytes.data, place->bytes.len);
    }
    hold->place = *place;
    if (place->kind == COF_BLOB_INLINE)
        hold->place.bytes = cof_view_of(hold->bytes, place->bytes.len);
    hold->size = size;
    hold->removed = true;
    return COF_OK;
}

void cof_blob_holds_done(struct cof_blob_files *files)
{
    for (size_t i = 0; i < files->holds.cap; i++)
        if (files->holds.items[i] != NULL)
            hold_free(files, files->holds.items[i]);
    free(files->holds.items);
    files->holds = (struct cof_blob_holds){0};
}
