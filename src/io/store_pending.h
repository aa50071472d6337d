/* SPDX-License-Identifier: Apache-2.0
 *
 * What one request is about to change in the disk store (store.c), in the order of its asking: kept here until the request is
 * released, so that undoing it is forgetting it. SQLite's savepoints would do the same by copying each page before its first change,
 * which costs half as much again as the changes.
 */
#ifndef COF_IO_STORE_PENDING_H
#define COF_IO_STORE_PENDING_H

#include "io/store_blob.h"

#define COF_PENDING_MAX 32                /* changes */
#define COF_PENDING_BYTES ((size_t)1 << 18) /* of keys and values together */

enum cof_pending_kind { COF_PENDING_PUT, COF_PENDING_REMOVE, COF_PENDING_BLOB, COF_PENDING_BLOB_REMOVE };

struct cof_pending_change {
    enum cof_pending_kind kind;
    const char *space;          /* the callers' literals; PUT and REMOVE */
    size_t key, key_len;        /* offsets into bytes; of a blob: its name */
    size_t value, value_len;    /* PUT; BLOB: the bytes of one kept inline */
    struct cof_blob_place place; /* BLOB; place.bytes is not set */
    uint64_t size;              /* BLOB */
};

struct cof_pending {
    struct cof_buf bytes;
    struct cof_pending_change changes[COF_PENDING_MAX];
    size_t n;
};

void cof_pending_init(struct cof_pending *p);
void cof_pending_done(struct cof_pending *p);
/* Forgets everything; what it held is wiped. */
void cof_pending_reset(struct cof_pending *p);

/* False: there is no room (or memory), and nothing was noted; the caller does it at once. */
bool cof_pending_put(struct cof_pending *p, const char *space, struct cof_view key, struct cof_view value);
bool cof_pending_remove(struct cof_pending *p, const char *space, struct cof_view key);
bool cof_pending_blob(struct cof_pending *p, const struct cof_blob_id *id, uint64_t size, const struct cof_blob_place *place);
bool cof_pending_blob_remove(struct cof_pending *p, const struct cof_blob_id *id);

/* The last that was noted of a key; NULL: nothing. */
const struct cof_pending_change *cof_pending_of(const struct cof_pending *p, const char *space, struct cof_view key);
/* Whether a scan of keys with that prefix would see a difference; whether any blob is concerned. */
bool cof_pending_touches(const struct cof_pending *p, const char *space, struct cof_view prefix);
bool cof_pending_has_blobs(const struct cof_pending *p);

/* Views live until the next change. */
struct cof_view cof_pending_key(const struct cof_pending *p, const struct cof_pending_change *change);
struct cof_view cof_pending_value(const struct cof_pending *p, const struct cof_pending_change *change);

#endif
