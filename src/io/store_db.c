/* SPDX-License-Identifier: Apache-2.0 */
#include "io/store_db.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *const sql[COF_DB_STATEMENTS] = {
    [COF_DB_BEGIN] = "BEGIN",
    [COF_DB_COMMIT] = "COMMIT",
    [COF_DB_UNDO] = "ROLLBACK",
    [COF_DB_GET] = "SELECT value FROM kv WHERE space = ?1 AND key = ?2",
    [COF_DB_HAS] = "SELECT 1 FROM kv WHERE space = ?1 AND key = ?2",
    [COF_DB_PUT] = "INSERT OR REPLACE INTO kv (space, key, value) VALUES (?1, ?2, ?3)",
    [COF_DB_REMOVE] = "DELETE FROM kv WHERE space = ?1 AND key = ?2",
    [COF_DB_SCAN_FROM] = "SELECT key, value FROM kv WHERE space = ?1 AND key >= ?2 ORDER BY key",
    [COF_DB_SCAN_AFTER] = "SELECT key, value FROM kv WHERE space = ?1 AND key > ?2 ORDER BY key",
    [COF_DB_BODY_PUT] = "INSERT OR REPLACE INTO blob (id, size, body) VALUES (?1, ?2, ?3)",
    [COF_DB_BODY_GET] = "SELECT size, body FROM blob WHERE id = ?1",
    /* body: the bytes themselves, or the number of a slot (store_slots.h), or null: a file */
    [COF_DB_BODY_PLACE] = "SELECT size, CASE typeof(body) WHEN 'blob' THEN x'' ELSE body END FROM blob WHERE id = ?1",
    [COF_DB_BODY_REMOVE] = "DELETE FROM blob WHERE id = ?1", /* RETURNING would make a table for what it returns, at three times the cost */
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS kv (space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
    " PRIMARY KEY (space, key)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS blob (id TEXT PRIMARY KEY NOT NULL, size INTEGER NOT NULL, body BLOB);";

enum cof_err cof_store_db_err(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return COF_OK;
    case SQLITE_FULL:
        return COF_E_NO_SPACE;
    case SQLITE_NOMEM:
        return COF_E_MEMORY;
    case SQLITE_TOOBIG:
        return COF_E_TOO_LARGE;
    default:
        return COF_E_IO;
    }
}

/* Runs a statement that gives no rows. */
static enum cof_err run(struct cof_store_db *db, enum cof_db_statement which)
{
    int rc = sqlite3_step(db->statements[which]);

    (void)sqlite3_reset(db->statements[which]);
    return cof_store_db_err(rc);
}

static int bind_view(sqlite3_stmt *stmt, int at, struct cof_view v)
{
    return sqlite3_bind_blob64(stmt, at, v.len == 0 ? "" : (const void *)v.data, v.len, SQLITE_STATIC);
}

static int bind_text(sqlite3_stmt *stmt, int at, struct cof_view text)
{
    return sqlite3_bind_text64(stmt, at, (const char *)text.data, text.len, SQLITE_STATIC, SQLITE_UTF8);
}

static void unbind(sqlite3_stmt *stmt)
{
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
}

static struct cof_view column(sqlite3_stmt *stmt, int at)
{
    const void *data = sqlite3_column_blob(stmt, at);

    return cof_view_of(data, (size_t)sqlite3_column_bytes(stmt, at));
}

enum cof_err cof_store_db_begin(struct cof_store_db *db)
{
    enum cof_err err;

    if (db->open && sqlite3_get_autocommit(db->db) == 0)
        return COF_OK;
    err = run(db, COF_DB_BEGIN); /* SQLite ends one by itself after some failures */
    db->open = err == COF_OK;
    return err;
}

void cof_store_db_undo(struct cof_store_db *db)
{
    if (db->open)
        (void)run(db, COF_DB_UNDO); /* fails when SQLite ended the transaction by itself */
    db->open = false;
}

enum cof_err cof_store_db_relax(struct cof_store_db *db)
{
    return cof_store_db_err(sqlite3_exec(db->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL));
}

/* The generation is kept in the database's header (user_version), which has 31 bits for it: 8 PiB of log. */
enum cof_err cof_store_db_commit(struct cof_store_db *db, uint64_t generation)
{
    char text[64];
    enum cof_err err;

    if (generation > INT32_MAX)
        return COF_E_LIMIT;
    (void)snprintf(text, sizeof text, "PRAGMA user_version = %d", (int)generation);
    err = sqlite3_get_autocommit(db->db) != 0 ? COF_E_IO : cof_store_db_err(sqlite3_exec(db->db, text, NULL, NULL, NULL));
    if (err == COF_OK)
        err = run(db, COF_DB_COMMIT);
    if (err != COF_OK) {
        cof_store_db_undo(db);
        return err;
    }
    db->open = false;
    db->generation = generation;
    return COF_OK;
}

static enum cof_err put_body(struct cof_store_db *db, struct cof_view id, struct cof_view value)
{
    sqlite3_stmt *stmt = db->statements[COF_DB_BODY_PUT];
    struct cof_body_row row;
    enum cof_err err = cof_body_row_read(value, &row);
    int rc;

    if (err != COF_OK)
        return err;
    rc = bind_text(stmt, 1, id);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(stmt, 2, (int64_t)row.size);
    if (rc == SQLITE_OK)
        rc = row.place.kind == COF_BLOB_FILE ? sqlite3_bind_null(stmt, 3) :
            row.place.kind == COF_BLOB_SLOT ? sqlite3_bind_int64(stmt, 3, row.place.slot) : bind_view(stmt, 3, row.place.bytes);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    unbind(stmt);
    return cof_store_db_err(rc);
}

static enum cof_err remove_body(struct cof_store_db *db, struct cof_view id)
{
    sqlite3_stmt *stmt = db->statements[COF_DB_BODY_REMOVE];
    int rc = bind_text(stmt, 1, id);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    unbind(stmt);
    return cof_store_db_err(rc);
}

enum cof_err cof_store_db_change(struct cof_store_db *db, const char *space, struct cof_view key, struct cof_view value, bool removed)
{
    sqlite3_stmt *stmt = db->statements[removed ? COF_DB_REMOVE : COF_DB_PUT];
    int rc;

    if (strcmp(space, COF_SPACE_BODIES) == 0)
        return removed ? remove_body(db, key) : put_body(db, key, value);
    rc = bind_text(stmt, 1, cof_view_str(space));
    if (rc == SQLITE_OK)
        rc = bind_view(stmt, 2, key);
    if (rc == SQLITE_OK && !removed)
        rc = bind_view(stmt, 3, value);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    unbind(stmt);
    return cof_store_db_err(rc);
}

/* Asks for one row of keys and values; *rc is what SQLite says of it. The caller unbinds. */
static enum cof_err ask_row(struct cof_store_db *db, sqlite3_stmt *stmt, const char *space, struct cof_view key, int *rc)
{
    enum cof_err err = cof_store_db_begin(db);

    if (err != COF_OK)
        return err;
    *rc = bind_text(stmt, 1, cof_view_str(space));
    if (*rc == SQLITE_OK)
        *rc = bind_view(stmt, 2, key);
    if (*rc == SQLITE_OK)
        *rc = sqlite3_step(stmt);
    return cof_store_db_err(*rc);
}

enum cof_err cof_store_db_get(struct cof_store_db *db, const char *space, struct cof_view key, struct cof_buf *out)
{
    sqlite3_stmt *stmt = db->statements[COF_DB_GET];
    int rc = SQLITE_OK;
    enum cof_err err = ask_row(db, stmt, space, key, &rc);

    if (err == COF_OK && rc == SQLITE_DONE)
        err = COF_E_NOT_FOUND;
    if (err == COF_OK) {
        cof_buf_add(out, column(stmt, 0));
        err = cof_buf_err(out);
    }
    unbind(stmt);
    return err;
}

enum cof_err cof_store_db_has(struct cof_store_db *db, const char *space, struct cof_view key, bool *has)
{
    sqlite3_stmt *stmt = db->statements[COF_DB_HAS];
    int rc = SQLITE_OK;
    enum cof_err err = ask_row(db, stmt, space, key, &rc);

    *has = rc == SQLITE_ROW;
    unbind(stmt);
    return err;
}

enum cof_err cof_store_db_step(struct cof_db_cursor *cursor)
{
    int rc = sqlite3_step(cursor->stmt);

    cursor->more = rc == SQLITE_ROW;
    if (cursor->more) {
        cursor->key = column(cursor->stmt, 0);
        cursor->value = column(cursor->stmt, 1);
    }
    return cof_store_db_err(rc);
}

/* A scan inside a scan's callback finds the prepared statement busy and gets one of its own. */
enum cof_err cof_store_db_scan(struct cof_store_db *db, const char *space, struct cof_view from, bool after, struct cof_db_cursor *out)
{
    enum cof_db_statement which = after ? COF_DB_SCAN_AFTER : COF_DB_SCAN_FROM;
    enum cof_err err = cof_store_db_begin(db);
    int rc = SQLITE_OK;

    *out = (struct cof_db_cursor){.stmt = db->statements[which]};
    if (err != COF_OK)
        return err;
    if (sqlite3_stmt_busy(out->stmt)) {
        out->own = true;
        out->stmt = NULL;
        rc = sqlite3_prepare_v2(db->db, sql[which], -1, &out->stmt, NULL);
    }
    if (rc == SQLITE_OK)
        rc = bind_text(out->stmt, 1, cof_view_str(space));
    if (rc == SQLITE_OK)
        rc = bind_view(out->stmt, 2, from);
    err = rc == SQLITE_OK ? cof_store_db_step(out) : cof_store_db_err(rc);
    if (err != COF_OK)
        cof_store_db_scan_done(out);
    return err;
}

void cof_store_db_scan_done(struct cof_db_cursor *cursor)
{
    if (cursor->own)
        (void)sqlite3_finalize(cursor->stmt);
    else if (cursor->stmt != NULL)
        unbind(cursor->stmt);
    *cursor = (struct cof_db_cursor){0};
}

void cof_store_db_body_done(struct cof_store_db *db)
{
    unbind(db->statements[COF_DB_BODY_GET]);
}

enum cof_err cof_store_db_body(struct cof_store_db *db, const struct cof_blob_id *id, bool with_bytes, struct cof_body_row *out)
{
    sqlite3_stmt *stmt = db->statements[with_bytes ? COF_DB_BODY_GET : COF_DB_BODY_PLACE];
    enum cof_err err = cof_store_db_begin(db);
    int rc;

    if (err != COF_OK)
        return err;
    rc = bind_text(stmt, 1, cof_view_str(id->text));
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *out = (struct cof_body_row){.size = (uint64_t)sqlite3_column_int64(stmt, 0)};
        switch (sqlite3_column_type(stmt, 1)) {
        case SQLITE_NULL:
            out->place.kind = COF_BLOB_FILE;
            break;
        case SQLITE_INTEGER:
            out->place.kind = COF_BLOB_SLOT;
            out->place.slot = sqlite3_column_int64(stmt, 1);
            break;
        default:
            out->place.kind = COF_BLOB_INLINE;
            if (with_bytes)
                out->place.bytes = column(stmt, 1);
        }
    }
    if (!with_bytes || rc != SQLITE_ROW)
        unbind(stmt);
    return rc == SQLITE_DONE ? COF_E_NOT_FOUND : cof_store_db_err(rc);
}

void cof_body_row_add(struct cof_buf *out, const struct cof_body_row *row)
{
    cof_buf_add_u8(out, (uint8_t)row->place.kind);
    cof_buf_add_u64(out, row->size);
    cof_buf_add_u64(out, (uint64_t)row->place.slot);
    if (row->place.kind == COF_BLOB_INLINE)
        cof_buf_add(out, row->place.bytes);
}

enum cof_err cof_body_row_read(struct cof_view value, struct cof_body_row *out)
{
    uint64_t slot = 0;
    uint8_t kind = 0;
    enum cof_err err = cof_take_u8(&value, &kind);

    *out = (struct cof_body_row){0};
    if (err == COF_OK)
        err = cof_take_u64(&value, &out->size);
    if (err == COF_OK)
        err = cof_take_u64(&value, &slot);
    if (err != COF_OK || (kind != COF_BLOB_INLINE && kind != COF_BLOB_SLOT && kind != COF_BLOB_FILE) ||
        (kind == COF_BLOB_INLINE ? value.len != out->size : value.len > 0))
        return COF_E_FORMAT;
    out->place.kind = kind;
    out->place.slot = (int64_t)slot;
    out->place.bytes = value;
    return COF_OK;
}

/* One thread uses the store, so SQLite needs no locks; and nobody asks how much memory it has. Refused once SQLite is at work, when
 * it was done before. */
static void configure_sqlite(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int ask_number(sqlite3 *db, const char *query, int64_t *out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, query, -1, &stmt, NULL);

    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        *out = sqlite3_column_int64(stmt, 0);
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(stmt);
    return rc;
}

/* The id lies in the database's header (application_id), and is made for those that have none. */
static enum cof_err read_marks(struct cof_store_db *db, const struct cof_rng *rng)
{
    int64_t id = 0, generation = 0;
    uint8_t bytes[4];
    char text[64];
    int rc = ask_number(db->db, "PRAGMA application_id", &id);
    enum cof_err err;

    if (rc == SQLITE_OK)
        rc = ask_number(db->db, "PRAGMA user_version", &generation);
    if (rc != SQLITE_OK)
        return cof_store_db_err(rc);
    if (id == 0) {
        err = cof_rng_fill(rng, bytes, sizeof bytes);
        if (err != COF_OK)
            return err;
        id = (bytes[0] & 0x7f) << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3] | 1;
        (void)snprintf(text, sizeof text, "PRAGMA application_id = %d", (int)id);
        rc = sqlite3_exec(db->db, text, NULL, NULL, NULL);
    }
    db->id = (uint32_t)id;
    db->generation = (uint64_t)generation;
    return cof_store_db_err(rc);
}

enum cof_err cof_store_db_open(struct cof_store_db *db, const char *dir, const struct cof_rng *rng, struct cof_diag *diag)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/store.db", dir);

    if (n < 0 || (size_t)n >= sizeof path)
        return cof_diag_set(diag, COF_E_USAGE, "path too long: %s", dir);
    configure_sqlite();
    if (sqlite3_open_v2(path, &db->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        sqlite3_exec(db->db,
            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=4000;"
            "PRAGMA secure_delete=FAST;", /* what is deleted is overwritten where its page is written anyway */
            NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db->db, schema, NULL, NULL, NULL) != SQLITE_OK || read_marks(db, rng) != COF_OK)
        return cof_diag_set(diag, COF_E_IO, "cannot open %s: %s", path, sqlite3_errmsg(db->db));
    for (int i = 0; i < COF_DB_STATEMENTS; i++)
        if (sqlite3_prepare_v3(db->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &db->statements[i], NULL) != SQLITE_OK)
            return cof_diag_set(diag, COF_E_IO, "%s: %s", path, sqlite3_errmsg(db->db));
    return COF_OK;
}

void cof_store_db_close(struct cof_store_db *db)
{
    cof_store_db_undo(db);
    for (int i = 0; i < COF_DB_STATEMENTS; i++)
        (void)sqlite3_finalize(db->statements[i]);
    (void)sqlite3_close(db->db);
    *db = (struct cof_store_db){0};
}
