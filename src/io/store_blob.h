/* SPDX-License-Identifier: Apache-2.0
 *
 * The files behind the disk store's blobs. Which blobs there are is known to the database alone (store.c); this module
 * writes, syncs, renames, reads and unlinks, and can undo what one request or one transaction did.
 */
#ifndef COF_IO_STORE_BLOB_H
#define COF_IO_STORE_BLOB_H

#include "base/rng.h"
#include "io/store_slots.h"
#include "standin/store.h"

#define COF_BLOB_SMALL_MAX 32768 /* bytes kept in the database */

struct cof_blob_ids {
    struct cof_blob_id *items;
    size_t n, cap;
};

/* Those that are read on though removed (store_holds.h). */
struct cof_blob_holds {
    struct cof_blob_hold **items;
    size_t n, cap;
};

struct cof_blob_files {
    const struct cof_rng *rng;
    int root_fd, tmp_fd;
    int dir_fd[256];              /* -1: not opened yet */
    bool dir_dirty[256];
    struct cof_blob_ids made, dropped; /* since the transaction began */
    size_t made_mark, dropped_mark;
    struct cof_slots slots;
    struct cof_blob_holds holds;
};

/* Where a blob's bytes are. */
struct cof_blob_place {
    enum { COF_BLOB_INLINE, COF_BLOB_SLOT, COF_BLOB_FILE } kind;
    struct cof_view bytes; /* INLINE */
    int64_t slot;          /* SLOT */
};

void cof_blob_files_zero(struct cof_blob_files *files);
COF_MUST_USE enum cof_err cof_blob_files_open(struct cof_blob_files *files, const char *dir, const struct cof_rng *rng,
                                              struct cof_diag *diag);
void cof_blob_files_close(struct cof_blob_files *files);
/* Syncs the directories that got new names. */
COF_MUST_USE enum cof_err cof_blob_files_sync(struct cof_blob_files *files);
/* The transaction ended: unlinks what was dropped (kept) or what was made (not kept). */
void cof_blob_files_end(struct cof_blob_files *files, bool kept);
/* What the transaction made stays where it is, whatever becomes of it, until the next start sweeps what nobody names. */
void cof_blob_files_leave(struct cof_blob_files *files);
void cof_blob_files_mark(struct cof_blob_files *files);
void cof_blob_files_unmark(struct cof_blob_files *files, bool keep);
COF_MUST_USE enum cof_err cof_blob_files_drop(struct cof_blob_files *files, const struct cof_blob_id *id,
                                              const struct cof_blob_place *place);
void cof_blob_file_unlink(struct cof_blob_files *files, const struct cof_blob_id *id);
/* Removes temporary files and files for which named says no; counts those that stay and those removed. */
COF_MUST_USE enum cof_err cof_blob_files_sweep(struct cof_blob_files *files,
                                               bool (*named)(void *ctx, const struct cof_blob_id *id), void *ctx,
                                               uint64_t *n_files, uint64_t *n_removed);

COF_MUST_USE enum cof_err cof_blob_writer_new(struct cof_blob_files *files, struct cof_blob_writer **out);
COF_MUST_USE enum cof_err cof_blob_writer_add(struct cof_blob_writer *writer, struct cof_view piece);
/* The bytes are in a synced file under their final name, in a slot of the transaction's, or to be kept inline (alive
 * until the writer is freed). */
COF_MUST_USE enum cof_err cof_blob_writer_finish(struct cof_blob_writer *writer, struct cof_blob_id *id, uint64_t *size,
                                                 struct cof_blob_place *place);
void cof_blob_writer_free(struct cof_blob_writer *writer);

COF_MUST_USE enum cof_err cof_blob_reader_open(struct cof_blob_files *files, const struct cof_blob_id *id,
                                               const struct cof_blob_place *place, uint64_t size,
                                               struct cof_blob_reader **out);
COF_MUST_USE enum cof_err cof_blob_reader_read(struct cof_blob_reader *reader, uint64_t offset, size_t len,
                                               struct cof_buf *out);
void cof_blob_reader_free(struct cof_blob_reader *reader);

#endif
