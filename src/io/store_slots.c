/* SPDX-License-Identifier: Apache-2.0 */
#include "io/store_slots.h"

#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A place: class and number of the slot. */
#define CLASS_SHIFT 40
#define SLOTS_MAX ((size_t)1 << 32)
/* Free slots keep their blocks up to so many bytes a class, since taking blocks anew costs more than writing over them. */
#define FREE_BYTES_MAX ((size_t)64 << 20)

static const struct { const char *name; size_t size; } kinds[COF_SLOTS_CLASSES] = {
    {"slots-64k", 65536}, {"slots-128k", 131072}, {"slots-256k", COF_SLOT_MAX}};

static enum cof_err of_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT ? COF_E_NO_SPACE : errno == ENOMEM ? COF_E_MEMORY : COF_E_IO;
}

static struct cof_slot *find(struct cof_slots *s, int64_t place, size_t *which, size_t *number)
{
    *which = (size_t)(place >> CLASS_SHIFT);
    *number = (size_t)(place & (((int64_t)1 << CLASS_SHIFT) - 1));
    if (place < 0 || *which >= COF_SLOTS_CLASSES || *number >= s->classes[*which].n)
        return NULL;
    return &s->classes[*which].slots[*number];
}

void cof_slots_zero(struct cof_slots *s)
{
    *s = (struct cof_slots){.root_fd = -1};
    for (size_t i = 0; i < COF_SLOTS_CLASSES; i++)
        s->classes[i].fd = -1;
}

enum cof_err cof_slots_open(struct cof_slots *s, int root_fd)
{
    cof_slots_zero(s);
    s->root_fd = root_fd;
    for (size_t i = 0; i < COF_SLOTS_CLASSES; i++) {
        s->classes[i].fd = openat(root_fd, kinds[i].name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (s->classes[i].fd < 0 && errno != ENOENT)
            return of_errno();
    }
    return COF_OK;
}

void cof_slots_close(struct cof_slots *s)
{
    for (size_t i = 0; i < COF_SLOTS_CLASSES; i++) {
        if (s->classes[i].fd >= 0)
            (void)close(s->classes[i].fd);
        free(s->classes[i].slots);
    }
    free(s->made.items);
    free(s->dropped.items);
    cof_slots_zero(s);
}

/* Up to n slots, the new ones free. */
static enum cof_err grow(struct cof_slot_class *c, size_t n)
{
    if (n > SLOTS_MAX)
        return COF_E_LIMIT;
    if (n > c->cap) {
        size_t cap = c->cap == 0 ? 64 : c->cap * 2;
        struct cof_slot *slots;

        cap = cap < n ? n : cap;
        slots = realloc(c->slots, cap * sizeof *slots);
        if (slots == NULL)
            return COF_E_MEMORY;
        c->slots = slots;
        c->cap = cap;
    }
    memset(c->slots + c->n, 0, (n - c->n) * sizeof *c->slots);
    c->n_free += n - c->n;
    c->n = n;
    return COF_OK;
}

enum cof_err cof_slots_claim(struct cof_slots *s, int64_t place, uint64_t size)
{
    size_t which = (size_t)(place >> CLASS_SHIFT), number = (size_t)(place & (((int64_t)1 << CLASS_SHIFT) - 1));
    struct cof_slot_class *c;
    struct stat st;
    enum cof_err err;

    if (place < 0 || which >= COF_SLOTS_CLASSES || size > kinds[which].size)
        return COF_E_NOT_FOUND;
    c = &s->classes[which];
    if (c->fd < 0 || fstat(c->fd, &st) != 0 || (uint64_t)st.st_size < number * kinds[which].size + size)
        return COF_E_NOT_FOUND;
    if (number >= c->n && (err = grow(c, number + 1)) != COF_OK)
        return err;
    if (c->slots[number].used != 0)
        return COF_E_NOT_FOUND; /* two bodies cannot be in one place */
    c->slots[number].used = 1;
    c->n_free--;
    return COF_OK;
}

static enum cof_err make_file(struct cof_slots *s, size_t which)
{
    s->classes[which].fd = openat(s->root_fd, kinds[which].name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return s->classes[which].fd >= 0 && fsync(s->root_fd) == 0 ? COF_OK : of_errno();
}

enum cof_err cof_slots_write(struct cof_slots *s, struct cof_view bytes, int64_t *place)
{
    size_t which = 0, number;
    struct cof_slot_class *c;
    enum cof_err err;

    while (which < COF_SLOTS_CLASSES && bytes.len > kinds[which].size)
        which++;
    if (which == COF_SLOTS_CLASSES)
        return COF_E_BUG;
    c = &s->classes[which];
    if (c->fd < 0 && (err = make_file(s, which)) != COF_OK)
        return err;
    if (c->n_free == 0 && (err = grow(c, c->n + 1)) != COF_OK)
        return err;
    for (number = c->next_free; c->slots[number].used != 0;)
        number++;
    err = cof_file_write_at(c->fd, bytes, number * kinds[which].size);
    if (err != COF_OK)
        return err;
    c->slots[number].used = 1;
    c->n_free--;
    c->next_free = number + 1;
    c->dirty = true;
    *place = (int64_t)which << CLASS_SHIFT | (int64_t)number;
    return COF_OK;
}

void cof_slots_give_back(struct cof_slots *s, int64_t place)
{
    size_t which, number;
    struct cof_slot *slot = find(s, place, &which, &number);
    struct cof_slot_class *c;

    if (slot == NULL)
        return;
    if (slot->pins > 0) {
        slot->used = 2;
        return;
    }
    c = &s->classes[which];
    slot->used = 0;
    c->n_free++;
    if (number < c->next_free)
        c->next_free = number;
    if (c->n_free * kinds[which].size > FREE_BYTES_MAX)
        (void)fallocate(c->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(number * kinds[which].size),
            (off_t)kinds[which].size);
}

static enum cof_err add(struct cof_slot_places *places, int64_t place)
{
    if (places->n == places->cap) {
        size_t cap = places->cap == 0 ? 16 : places->cap * 2;
        int64_t *items = realloc(places->items, cap * sizeof *items);

        if (items == NULL)
            return COF_E_MEMORY;
        places->items = items;
        places->cap = cap;
    }
    places->items[places->n++] = place;
    return COF_OK;
}

static void give_back_from(struct cof_slots *s, struct cof_slot_places *places, size_t from)
{
    while (places->n > from)
        cof_slots_give_back(s, places->items[--places->n]);
}

enum cof_err cof_slots_keep(struct cof_slots *s, int64_t place)
{
    return add(&s->made, place);
}

enum cof_err cof_slots_drop(struct cof_slots *s, int64_t place)
{
    return add(&s->dropped, place);
}

enum cof_err cof_slots_sync(struct cof_slots *s)
{
    for (size_t i = 0; i < COF_SLOTS_CLASSES; i++) {
        if (!s->classes[i].dirty)
            continue;
        if (fdatasync(s->classes[i].fd) != 0)
            return of_errno();
        s->classes[i].dirty = false;
    }
    return COF_OK;
}

void cof_slots_end(struct cof_slots *s, bool kept)
{
    give_back_from(s, kept ? &s->dropped : &s->made, 0);
    s->made.n = s->dropped.n = 0;
    s->made.mark = s->dropped.mark = 0;
}

void cof_slots_mark(struct cof_slots *s)
{
    s->made.mark = s->made.n;
    s->dropped.mark = s->dropped.n;
}

void cof_slots_unmark(struct cof_slots *s, bool keep)
{
    if (keep)
        return;
    give_back_from(s, &s->made, s->made.mark);
    s->dropped.n = s->dropped.mark;
}

enum cof_err cof_slots_pin(struct cof_slots *s, int64_t place, int *fd, uint64_t *offset)
{
    size_t which, number;
    struct cof_slot *slot = find(s, place, &which, &number);

    if (slot == NULL || slot->used == 0)
        return COF_E_IO; /* the database names it, so its absence is damage */
    if (slot->pins == UINT16_MAX)
        return COF_E_LIMIT;
    slot->pins++;
    *fd = s->classes[which].fd;
    *offset = number * kinds[which].size;
    return COF_OK;
}

void cof_slots_unpin(struct cof_slots *s, int64_t place)
{
    size_t which, number;
    struct cof_slot *slot = find(s, place, &which, &number);

    if (slot == NULL || slot->pins == 0)
        return;
    slot->pins--;
    if (slot->pins == 0 && slot->used == 2)
        cof_slots_give_back(s, place);
}
