/* SPDX-License-Identifier: Apache-2.0
 *
 * The disk store's own state, for store.c, store_settle.c, store_check.c and store_backup.c only.
 */
#ifndef COF_IO_STORE_STATE_H
#define COF_IO_STORE_STATE_H

#include "io/store.h"
#include "io/store_blob.h"
#include "io/store_db.h"
#include "io/store_log.h"
#include "io/store_recent.h"
#include "io/sync_aside.h"

struct cof_body_totals {
    int64_t n, bytes;
};

/* A generation of the log that goes to the database. */
struct cof_settling {
    uint64_t generation;                   /* 0: none does */
    const struct cof_recent_change **todo; /* owned */
    size_t n, at;
    const char *gap_space; /* the database has nothing in this space from the last removal up to gap_end, or at all; NULL: not known */
    bool gap_to_end;
    struct cof_buf gap_end;
};

/* The database's own log, which SQLite writes and does not sync at each commit. */
struct cof_wal {
    struct cof_sync_aside *aside;
    int fd; /* for syncing; -1: not needed yet */
    bool syncing;
    enum cof_err failed;
};

struct cof_disk_store {
    struct cof_store ops;
    struct cof_blob_files files;
    struct cof_store_db db;
    struct cof_store_log log;
    struct cof_recent recent; /* what the log has and the database does not, and what waits for commit */
    struct cof_settling settling;
    struct cof_wal wal;
    int lock_fd, dir_fd;
    bool whole;        /* it was opened without a finding, so that closing may tidy up */
    bool open, dirty, dirty_at_savepoint;
    size_t savepoint;  /* mark in recent */
    struct cof_body_totals bodies, bodies_at_begin, bodies_at_savepoint;
};

/* The sentence for a database that is damaged, and the mend; COF_E_IO. */
enum cof_err cof_disk_store_damaged(struct cof_diag *diag, const char *finding);

/* At the start: sweeps away files that nothing names, takes the slots in use, and counts what is there and what is missing. store_check.c. */
enum cof_err cof_disk_store_take_stock(struct cof_disk_store *st, struct cof_disk_store_check *check);

/* store_settle.c. At the start: what the log has and the database does not goes there. */
COF_MUST_USE enum cof_err cof_disk_store_replay(struct cof_disk_store *st, struct cof_diag *diag);
/* After a commit of n changes: takes some of what is due to the database. Nothing is lost when it fails; it is tried again. */
enum cof_err cof_disk_store_settle(struct cof_disk_store *st, size_t n);
/* Takes everything that was committed there, for good. COF_E_STATE: something was changed since. */
COF_MUST_USE enum cof_err cof_disk_store_settle_all(struct cof_disk_store *st);
/* Gives up what is under way. */
void cof_disk_store_settling_done(struct cof_disk_store *st);
/* Whether the log is so long that nothing may be added before it was settled. */
bool cof_disk_store_overdue(const struct cof_disk_store *st);

#endif
