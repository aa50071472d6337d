/* SPDX-License-Identifier: Apache-2.0
 *
 * Those who wait for something by name: one line a name, first come, first served. A call to a line is for one waiter,
 * not for all: whoever is woken and finds nothing goes back to its head, and the rest of the line is left asleep. So
 * thousands may wait, and one event costs one of them its sleep. One thread, the loop's.
 */
#ifndef COF_IO_WAIT_ROOM_H
#define COF_IO_WAIT_ROOM_H

#include "io/loop.h"

#include <stddef.h>

#define COF_WAIT_NAME_MAX 256

struct cof_wait_line;
struct cof_wait_room;

enum cof_wait_result {
    COF_WAIT_SERVED, /* it took what it was called for */
    COF_WAIT_AGAIN,  /* there was nothing; it has joined again, at the head */
    COF_WAIT_LEFT,   /* it is gone and took nothing: the next one is called in its place */
};

/* Embedded in its owner. wake finds the waiter out of the line. */
struct cof_waiter {
    enum cof_wait_result (*wake)(struct cof_waiter *waiter);
    struct cof_waiter *prev, *next; /* private, as is line: NULL while it waits nowhere */
    struct cof_wait_line *line;
};

/* called: somebody is to be woken; the owner runs cof_wait_room_run soon. */
COF_MUST_USE enum cof_err cof_wait_room_new(struct cof_loop *loop, void (*called)(void *ctx), void *ctx,
                                            struct cof_wait_room **out);
void cof_wait_room_free(struct cof_wait_room *room); /* nobody waits any more; takes NULL */

/* Joins the line of that name, at its end or head. COF_E_MEMORY; COF_E_LIMIT for a name that is too long. */
COF_MUST_USE enum cof_err cof_wait_join(struct cof_wait_room *room, struct cof_waiter *waiter, const char *name, bool at_head);
void cof_wait_leave(struct cof_wait_room *room, struct cof_waiter *waiter); /* idempotent */
/* Calls one of that line now (after_ms 0), or so many ms from now; nobody waits there: does nothing. */
void cof_wait_call(struct cof_wait_room *room, const char *name, int64_t after_ms);
/* How many wait, in all lines. */
size_t cof_wait_room_waiting(const struct cof_wait_room *room);
/* Calls everybody: each is woken as long as nobody says COF_WAIT_AGAIN. */
void cof_wait_room_call_all(struct cof_wait_room *room);
/* Wakes those who were called. */
void cof_wait_room_run(struct cof_wait_room *room);

#endif
