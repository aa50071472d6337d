/* SPDX-License-Identifier: Apache-2.0 */
#include "io/wait_room.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 64

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* Exists while somebody waits in it, or while it is being run. */
struct cof_wait_line {
    struct cof_wait_room *room;
    struct cof_wait_line *next;         /* of the bucket */
    struct cof_wait_line *next_called;
    struct cof_waiter *first, *last;
    struct cof_timer timer;             /* the next call by time */
    uint32_t hash;
    uint32_t calls;                     /* waiters to wake */
    bool is_called, running;
    char name[COF_WAIT_NAME_MAX];
};

struct cof_wait_room {
    struct cof_loop *loop;
    void (*called)(void *ctx);
    void *ctx;
    struct cof_wait_line **buckets;
    size_t n_buckets, n_lines, n_waiting;
    struct cof_wait_line *first_called, **last_called;
};

/* FNV-1a. */
static uint32_t hash_of(const char *name)
{
    uint32_t h = 2166136261u;

    for (; *name != '\0'; name++)
        h = (h ^ (uint8_t)*name) * 16777619u;
    return h;
}

enum cof_err cof_wait_room_new(struct cof_loop *loop, void (*called)(void *ctx), void *ctx, struct cof_wait_room **out)
{
    struct cof_wait_room *room = calloc(1, sizeof *room);

    *out = NULL;
    if (room == NULL)
        return COF_E_MEMORY;
    *room = (struct cof_wait_room){.loop = loop, .called = called, .ctx = ctx, .n_buckets = BUCKETS_FIRST};
    room->last_called = &room->first_called;
    room->buckets = calloc(room->n_buckets, sizeof(struct cof_wait_line *));
    if (room->buckets == NULL) {
        free(room);
        return COF_E_MEMORY;
    }
    *out = room;
    return COF_OK;
}

static struct cof_wait_line **slot_of(const struct cof_wait_room *room, const char *name, uint32_t hash)
{
    struct cof_wait_line **at = &room->buckets[hash & (room->n_buckets - 1)];

    while (*at != NULL && ((*at)->hash != hash || strcmp((*at)->name, name) != 0))
        at = &(*at)->next;
    return at;
}

/* A line nobody stands in is taken away. */
static void drop_if_empty(struct cof_wait_line *line)
{
    struct cof_wait_room *room = line->room;

    if (line->first != NULL || line->is_called || line->running)
        return;
    cof_loop_disarm(room->loop, &line->timer);
    *slot_of(room, line->name, line->hash) = line->next;
    room->n_lines--;
    free(line);
}

void cof_wait_room_free(struct cof_wait_room *room)
{
    if (room == NULL)
        return;
    for (size_t i = 0; i < room->n_buckets; i++)
        while (room->buckets[i] != NULL) {
            struct cof_wait_line *line = room->buckets[i];

            room->buckets[i] = line->next;
            cof_loop_disarm(room->loop, &line->timer);
            free(line);
        }
    free(room->buckets);
    free(room);
}

/* Twice the buckets; without memory for them the old ones do. */
static void grow(struct cof_wait_room *room)
{
    size_t n = room->n_buckets * 2;
    struct cof_wait_line **buckets = calloc(n, sizeof(struct cof_wait_line *)), *line;

    if (buckets == NULL)
        return;
    for (size_t i = 0; i < room->n_buckets; i++)
        while ((line = room->buckets[i]) != NULL) {
            room->buckets[i] = line->next;
            line->next = buckets[line->hash & (n - 1)];
            buckets[line->hash & (n - 1)] = line;
        }
    free(room->buckets);
    room->buckets = buckets;
    room->n_buckets = n;
}

static void add_call(struct cof_wait_line *line)
{
    struct cof_wait_room *room = line->room;

    if (line->calls < UINT32_MAX)
        line->calls++;
    if (line->is_called || line->running)
        return;
    line->is_called = true;
    line->next_called = NULL;
    *room->last_called = line;
    room->last_called = &line->next_called;
    room->called(room->ctx);
}

static void on_time(struct cof_timer *timer)
{
    add_call(OWNER(timer, struct cof_wait_line, timer));
}

static enum cof_err line_of(struct cof_wait_room *room, const char *name, struct cof_wait_line **out)
{
    uint32_t hash = hash_of(name);
    size_t len = strlen(name);
    struct cof_wait_line *line;

    *out = *slot_of(room, name, hash);
    if (*out != NULL)
        return COF_OK;
    if (len >= COF_WAIT_NAME_MAX)
        return COF_E_LIMIT;
    line = calloc(1, sizeof *line);
    if (line == NULL)
        return COF_E_MEMORY;
    if (room->n_lines >= room->n_buckets)
        grow(room);
    line->room = room;
    line->timer.fire = on_time;
    line->hash = hash;
    memcpy(line->name, name, len + 1);
    line->next = room->buckets[hash & (room->n_buckets - 1)];
    room->buckets[hash & (room->n_buckets - 1)] = line;
    room->n_lines++;
    *out = line;
    return COF_OK;
}

enum cof_err cof_wait_join(struct cof_wait_room *room, struct cof_waiter *w, const char *name, bool at_head)
{
    struct cof_wait_line *line;
    enum cof_err err = line_of(room, name, &line);

    if (err != COF_OK)
        return err;
    room->n_waiting++;
    w->line = line;
    w->prev = at_head ? NULL : line->last;
    w->next = at_head ? line->first : NULL;
    if (w->prev != NULL)
        w->prev->next = w;
    else
        line->first = w;
    if (w->next != NULL)
        w->next->prev = w;
    else
        line->last = w;
    return COF_OK;
}

static void take_out(struct cof_waiter *w)
{
    struct cof_wait_line *line = w->line;

    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        line->first = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    else
        line->last = w->prev;
    w->prev = w->next = NULL;
    w->line = NULL;
    line->room->n_waiting--;
}

void cof_wait_leave(struct cof_wait_room *room, struct cof_waiter *w)
{
    struct cof_wait_line *line = w->line;

    (void)room;
    if (line == NULL)
        return;
    take_out(w);
    drop_if_empty(line);
}

void cof_wait_call(struct cof_wait_room *room, const char *name, int64_t after_ms)
{
    struct cof_wait_line *line = *slot_of(room, name, hash_of(name));

    if (line == NULL)
        return;
    if (after_ms <= 0)
        add_call(line);
    else if (line->timer.armed && line->timer.due_ms <= cof_loop_now_ms(room->loop) + after_ms)
        return; /* whoever is called then says when the next call is due */
    else if (cof_loop_arm(room->loop, &line->timer, after_ms) != COF_OK)
        add_call(line); /* too early, but not never */
}

size_t cof_wait_room_waiting(const struct cof_wait_room *room)
{
    return room->n_waiting;
}

void cof_wait_room_call_all(struct cof_wait_room *room)
{
    for (size_t i = 0; i < room->n_buckets; i++)
        for (struct cof_wait_line *line = room->buckets[i]; line != NULL; line = line->next) {
            line->calls = UINT32_MAX;
            add_call(line);
        }
}

static void run_line(struct cof_wait_line *line)
{
    struct cof_waiter *w;

    line->running = true;
    while (line->calls > 0 && (w = line->first) != NULL) {
        enum cof_wait_result result;

        take_out(w);
        result = w->wake(w);
        if (result == COF_WAIT_AGAIN)
            break; /* what there was is gone */
        if (result == COF_WAIT_SERVED)
            line->calls--;
    }
    line->calls = 0;
    line->running = false;
    drop_if_empty(line);
}

void cof_wait_room_run(struct cof_wait_room *room)
{
    struct cof_wait_line *line;

    while ((line = room->first_called) != NULL) {
        room->first_called = line->next_called;
        if (room->first_called == NULL)
            room->last_called = &room->first_called;
        line->is_called = false;
        run_line(line);
    }
}
