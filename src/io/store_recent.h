/* SPDX-License-Identifier: Apache-2.0
 *
 * What was changed in the disk store and is not in its database yet (store.c): an ordered map in memory, which stands in front of
 * the database. Each key has the last that was said of it, a value or its removal. Changes can be undone, back to a mark, until they
 * are kept; kept ones leave when the database has them. A skip list (W. Pugh, Skip lists: a probabilistic alternative to balanced
 * trees, 1990).
 *
 * What is let go of is wiped.
 */
#ifndef COF_IO_STORE_RECENT_H
#define COF_IO_STORE_RECENT_H

#include "base/view.h"

#define COF_RECENT_HEIGHT 12 /* of the tallest: 4^12 keys before searching takes longer */
#define COF_RECENT_HINTS 32

struct cof_recent_change {
    const char *space;   /* the callers' literals */
    uint8_t *value;      /* owned; NULL when it is empty, or removed */
    size_t value_len;
    size_t key_len;
    uint64_t generation; /* that it was last changed in */
    bool removed;
    bool noted;          /* is among what cof_recent_changed gave since the last mark 0 */
    uint8_t height;
    struct cof_recent_change *next[]; /* height of them; the key's bytes follow */
};

struct cof_recent_undo;
struct cof_recent_hint {
    const char *space;  /* NULL: unused */
    uint8_t bytes[120]; /* the prefix, then the key */
    uint8_t prefix_len, key_len;
};

struct cof_recent {
    struct cof_recent_change *head; /* the tallest, before all */
    uint64_t generation; /* that changes are made in from now on */
    uint64_t dice;
    size_t n, bytes;     /* keys; memory of keys and values */
    struct cof_recent_undo *undo;
    size_t n_undo, undo_cap;
    struct cof_recent_hint hints[COF_RECENT_HINTS];
    size_t next_hint;
};

COF_MUST_USE enum cof_err cof_recent_init(struct cof_recent *r);
void cof_recent_done(struct cof_recent *r); /* takes a zeroed one */

COF_MUST_USE enum cof_err cof_recent_put(struct cof_recent *r, const char *space, struct cof_view key, struct cof_view value);
COF_MUST_USE enum cof_err cof_recent_remove(struct cof_recent *r, const char *space, struct cof_view key);

/* NULL: nothing is known of the key. */
const struct cof_recent_change *cof_recent_find(const struct cof_recent *r, const char *space, struct cof_view key);
/* The first of the space from the key on (or after it), and the one behind it; NULL: there is none. */
const struct cof_recent_change *cof_recent_from(const struct cof_recent *r, const char *space, struct cof_view key, bool after);
const struct cof_recent_change *cof_recent_next(const struct cof_recent_change *change);
/* Views live until the key is changed again, undone or let go of. */
struct cof_view cof_recent_key(const struct cof_recent_change *change);
struct cof_view cof_recent_value(const struct cof_recent_change *change);

/* To undo back to. */
size_t cof_recent_mark(const struct cof_recent *r);
void cof_recent_undo(struct cof_recent *r, size_t mark);
/* What was changed since the last keep, each key once; i counts from 0. NULL: that was all. */
const struct cof_recent_change *cof_recent_changed(struct cof_recent *r, size_t *i);
/* Nothing of it will be undone. */
void cof_recent_keep(struct cof_recent *r);

/* Those last changed in that generation or before, in order. The array is the caller's to free; they live until
 * cof_recent_forget. */
COF_MUST_USE enum cof_err cof_recent_of(const struct cof_recent *r, uint64_t generation, const struct cof_recent_change ***out, size_t *n);
/* Lets go of them. Nothing may be left to undo. */
void cof_recent_forget(struct cof_recent *r, uint64_t generation);

/* A queue is read from its front, where what was taken from it lies as removed: so that reading does not wade through that each time,
 * it is noted that the space has nothing with this prefix up to and with this key. It is forgotten when something is put there. */
void cof_recent_note_empty(struct cof_recent *r, const char *space, struct cof_view prefix, struct cof_view up_to);
/* Empty: nothing is known. */
struct cof_view cof_recent_empty_to(const struct cof_recent *r, const char *space, struct cof_view prefix);

#endif
