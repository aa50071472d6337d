/* SPDX-License-Identifier: Apache-2.0
 *
 * The disk store's own state, for store.c, store_check.c and store_backup.c only.
 */
#ifndef COF_IO_STORE_STATE_H
#define COF_IO_STORE_STATE_H

#include "io/store.h"
#include "io/store_blob.h"
#include "io/store_pending.h"

#include <sqlite3.h>

enum statement {
    ST_BEGIN,
    ST_COMMIT,
    ST_UNDO,
    ST_SAVEPOINT,
    ST_ROLLBACK,
    ST_RELEASE,
    ST_GET,
    ST_PUT,
    ST_REMOVE,
    ST_SCAN_FROM,
    ST_SCAN_AFTER,
    ST_BLOB_PUT,
    ST_BLOB_GET,
    ST_BLOB_PLACE,
    ST_BLOB_REMOVE,
    N_STATEMENTS,
};

struct cof_body_totals {
    int64_t n, bytes;
};

struct cof_disk_store {
    struct cof_store ops;
    struct cof_blob_files files;
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    int lock_fd;
    bool open, dirty, dirty_at_savepoint;
    bool asked, saved; /* a request has begun (savepoint); SQLite has a savepoint of it, and changes are made at once */
    struct cof_pending pending; /* else they wait here */
    struct cof_body_totals bodies, bodies_at_begin, bodies_at_savepoint;
    enum cof_err broken; /* SQLite gave the transaction up by itself: nothing more may be done in it */
};

/* The sentence for a database that is damaged, and the mend; COF_E_IO. */
enum cof_err cof_disk_store_damaged(struct cof_diag *diag, const char *finding);

/* At the start: sweeps away files that nothing names, takes the slots in use, and counts what is there and what is missing. store_check.c. */
enum cof_err cof_disk_store_take_stock(struct cof_disk_store *st, struct cof_disk_store_check *check);

#endif
