/* SPDX-License-Identifier: Apache-2.0
 *
 * Blobs that somebody goes on reading though they be removed: an object of many parts is read from one file after the other, and
 * must not lose those it has not come to yet. A hold costs no descriptor. It lives in memory alone: what a crash leaves behind of
 * held files is named by no row of the database, and swept at the next start as every such file.
 *
 *   held --removed in a transaction--> its place is noted, still read from there --transaction kept--> doomed --last let go--> gone
 */
#ifndef COF_IO_STORE_HOLDS_H
#define COF_IO_STORE_HOLDS_H

#include "io/store_blob.h"

struct cof_blob_hold {
    struct cof_blob_id id;
    size_t count;
    bool removed;                /* perhaps by a transaction that is undone yet: the database is asked first */
    bool doomed;                 /* the removal is kept: the file goes when the last lets go */
    struct cof_blob_place place; /* once removed; its slot is pinned by us */
    uint8_t *bytes;              /* of a place in the database */
    uint64_t size;
};

/* Counts one more reader of the blob. */
COF_MUST_USE enum cof_err cof_blob_hold(struct cof_blob_files *files, const struct cof_blob_id *id);
/* One fewer; the last takes the file or the slot with it, when the blob was removed meanwhile. */
void cof_blob_let_go(struct cof_blob_files *files, const struct cof_blob_id *id);
/* NULL: nobody holds it. */
struct cof_blob_hold *cof_blob_held(const struct cof_blob_files *files, const struct cof_blob_id *id);
/* The database's row of the blob is removed: notes where its bytes are. */
COF_MUST_USE enum cof_err cof_blob_hold_removed(
    struct cof_blob_files *files, struct cof_blob_hold *hold, const struct cof_blob_place *place, uint64_t size);
void cof_blob_holds_done(struct cof_blob_files *files);

#endif
