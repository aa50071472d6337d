/* SPDX-License-Identifier: Apache-2.0
 *
 * The log in front of the disk store's database (store.c): what one commit changes is appended as one record and synced, which is all
 * that a commit must wait for; the database has it later. Two files take turns, so that one is written while the other's changes
 * go to the database.
 *
 *   DIR/store.log-0  DIR/store.log-1
 *   record, at a multiple of 512: u32 magic | u32 id of the store | u64 generation | u64 sequence | u64 records in the generation before |
 *     u64 length of the payload | XXH3-64 of all that and the payload, u64 | payload: changes
 *   change: u8 1 removed, 0 put | u8 length, space | u32 length, key | u32 length, value      (integers big-endian)
 *
 * A generation is what was written to a file before the other one took over; its number's lowest bit is the file's. The
 * database says up to which generation it has everything. A record that is not whole at the end of the last generation was never
 * acknowledged: that is where it ends. One that is followed by others, or one that is missing, is damage. Files are written over and
 * not shortened, because a sync is cheaper where a file does not grow.
 */
#ifndef COF_IO_STORE_LOG_H
#define COF_IO_STORE_LOG_H

#include "base/buf.h"

#define COF_STORE_LOG_FULL ((uint64_t)4 << 20) /* bytes, after which the other file takes over */

struct cof_store_log {
    int dir_fd;          /* not ours */
    int fd[2];           /* -1: not there yet */
    uint64_t size[2];    /* of the files */
    uint32_t id;
    uint64_t generation; /* that is being written */
    uint64_t sequence;   /* of the record to come */
    uint64_t prior;      /* records of the generation before */
    uint64_t at;         /* where it goes */
    bool spoiled;        /* a record lies there whose commit failed */
    bool doubtful;       /* and it may be on the disk, whole */
    struct cof_buf record;
};

void cof_store_log_zero(struct cof_store_log *log);
/* Takes the files of the folder dir_fd, which belong to the store of that id; the database has all up to the generation applied, and
 * gets what is newer by change, in order. Afterwards, when the database has it, cof_store_log_begin with *generation, the last there
 * was. COF_E_IO with a finding in diag: the log is damaged, and change may have been called for a part of it. */
typedef enum cof_err cof_store_log_change_fn(void *ctx, const char *space, struct cof_view key, struct cof_view value, bool removed);
COF_MUST_USE enum cof_err cof_store_log_open(struct cof_store_log *log, int dir_fd, uint32_t id, uint64_t applied, cof_store_log_change_fn *change,
                                             void *ctx, uint64_t *generation, struct cof_diag *diag);
void cof_store_log_close(struct cof_store_log *log);

/* The next is the first record of the generation; prior: how many the one before has that the database does not have. */
void cof_store_log_begin(struct cof_store_log *log, uint64_t generation, uint64_t prior);

/* Gives back the memory that records are put together in. */
void cof_store_log_release(struct cof_store_log *log);
/* The database has everything: nothing is left in the files. */
enum cof_err cof_store_log_empty(struct cof_store_log *log);

void cof_store_log_start(struct cof_store_log *log);
void cof_store_log_add(struct cof_store_log *log, const char *space, struct cof_view key, struct cof_view value, bool removed);
/* The record is on the disk. Failed: it is as if it had not been begun; the next takes its place. */
COF_MUST_USE enum cof_err cof_store_log_commit(struct cof_store_log *log);

#endif
