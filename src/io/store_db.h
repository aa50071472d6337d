/* SPDX-License-Identifier: Apache-2.0
 *
 * The disk store's database (store.c): keys and values, and which bodies there are and where they lie, in SQLite (WAL). It is changed by
 * what was recent (store_settle.c), never by a request.
 */
#ifndef COF_IO_STORE_DB_H
#define COF_IO_STORE_DB_H

#include "io/store_blob.h"

#include <sqlite3.h>

/* The space of bodies' rows among the recent changes: value as cof_body_row_add writes it. No service's space is called so. */
#define COF_SPACE_BODIES " body"

enum cof_db_statement {
    COF_DB_BEGIN,
    COF_DB_COMMIT,
    COF_DB_UNDO,
    COF_DB_GET,
    COF_DB_HAS,
    COF_DB_PUT,
    COF_DB_REMOVE,
    COF_DB_SCAN_FROM,
    COF_DB_SCAN_AFTER,
    COF_DB_BODY_PUT,
    COF_DB_BODY_GET,
    COF_DB_BODY_PLACE,
    COF_DB_BODY_REMOVE,
    COF_DB_STATEMENTS,
};

struct cof_store_db {
    sqlite3 *db;
    sqlite3_stmt *statements[COF_DB_STATEMENTS];
    bool open;           /* a transaction is, which reading begins, too: beginning one for each read costs as much as the read */
    uint32_t id;         /* made with the database, at random */
    uint64_t generation; /* of the log (store_log.h), up to which everything is here */
};

/* rng makes the id of a new one. */
COF_MUST_USE enum cof_err cof_store_db_open(struct cof_store_db *db, const char *dir, const struct cof_rng *rng, struct cof_diag *diag);
void cof_store_db_close(struct cof_store_db *db); /* takes a zeroed one */

/* Opens a transaction when none is. */
COF_MUST_USE enum cof_err cof_store_db_begin(struct cof_store_db *db);
/* Keeps it, with everything up to that generation; durable it is unless relaxed. */
COF_MUST_USE enum cof_err cof_store_db_commit(struct cof_store_db *db, uint64_t generation);
/* From now on SQLite syncs its log (store.db-wal) only before it writes to the database itself: a power cut may undo the last commits,
 * and the caller syncs the log before anything else relies on them. */
COF_MUST_USE enum cof_err cof_store_db_relax(struct cof_store_db *db);
/* Ends the transaction, if there is one; what it changed is undone. */
void cof_store_db_undo(struct cof_store_db *db);
/* In a transaction; bodies' rows, too. */
COF_MUST_USE enum cof_err cof_store_db_change(
    struct cof_store_db *db, const char *space, struct cof_view key, struct cof_view value, bool removed);

/* Appends the value. COF_E_NOT_FOUND. */
COF_MUST_USE enum cof_err cof_store_db_get(struct cof_store_db *db, const char *space, struct cof_view key, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_store_db_has(struct cof_store_db *db, const char *space, struct cof_view key, bool *has);

/* A cursor over a space's keys from `from` on (or after it). */
struct cof_db_cursor {
    sqlite3_stmt *stmt;
    bool own;  /* one was open already */
    bool more; /* key and value are set; they live until the next step */
    struct cof_view key, value;
};
COF_MUST_USE enum cof_err cof_store_db_scan(
    struct cof_store_db *db, const char *space, struct cof_view from, bool after, struct cof_db_cursor *out);
COF_MUST_USE enum cof_err cof_store_db_step(struct cof_db_cursor *cursor);
void cof_store_db_scan_done(struct cof_db_cursor *cursor); /* takes a zeroed one */

/* Where a body lies; COF_E_NOT_FOUND. with_bytes: also the bytes of one kept here, which live until cof_store_db_body_done. */
struct cof_body_row {
    uint64_t size;
    struct cof_blob_place place;
};
COF_MUST_USE enum cof_err cof_store_db_body(
    struct cof_store_db *db, const struct cof_blob_id *id, bool with_bytes, struct cof_body_row *out);
void cof_store_db_body_done(struct cof_store_db *db);
/* As one value: u8 kind | u64 size | u64 slot | the bytes of one kept inline. */
void cof_body_row_add(struct cof_buf *out, const struct cof_body_row *row);
COF_MUST_USE enum cof_err cof_body_row_read(struct cof_view value, struct cof_body_row *out);

/* What SQLite's code means. */
enum cof_err cof_store_db_err(int rc);

#endif
