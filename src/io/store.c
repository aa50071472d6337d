/* SPDX-License-Identifier: Apache-2.0 */
#include "io/store.h"

#include "base/codec.h"
#include "io/store_holds.h"
#include "io/store_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const sql[N_STATEMENTS] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_UNDO] = "ROLLBACK",
    [ST_SAVEPOINT] = "SAVEPOINT request",
    [ST_ROLLBACK] = "ROLLBACK TO request",
    [ST_RELEASE] = "RELEASE request",
    [ST_GET] = "SELECT value FROM kv WHERE space = ?1 AND key = ?2",
    [ST_PUT] = "INSERT OR REPLACE INTO kv (space, key, value) VALUES (?1, ?2, ?3)",
    [ST_REMOVE] = "DELETE FROM kv WHERE space = ?1 AND key = ?2",
    [ST_SCAN_FROM] = "SELECT key, value FROM kv WHERE space = ?1 AND key >= ?2 ORDER BY key LIMIT ?3",
    [ST_SCAN_AFTER] = "SELECT key, value FROM kv WHERE space = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
    [ST_BLOB_PUT] = "INSERT INTO blob (id, size, body) VALUES (?1, ?2, ?3)",
    [ST_BLOB_GET] = "SELECT size, body FROM blob WHERE id = ?1",
    /* body: the bytes themselves, or the number of a slot (store_slots.h), or null: a file */
    [ST_BLOB_PLACE] = "SELECT rowid, CASE typeof(body) WHEN 'blob' THEN x'' ELSE body END, size FROM blob WHERE id = ?1",
    [ST_BLOB_REMOVE] = "DELETE FROM blob WHERE rowid = ?1", /* RETURNING would make a table for what it returns, at three times the cost */
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS kv (space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
    " PRIMARY KEY (space, key)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS blob (id TEXT PRIMARY KEY NOT NULL, size INTEGER NOT NULL, body BLOB);";

static enum cof_err code_of(int rc)
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

/* After some failures (no room, no memory, the disk) SQLite ends the whole transaction. What came after would then be kept
 * at once, statement by statement, so nothing does until commit has said so. */
static enum cof_err of_sqlite(struct cof_disk_store *st, int rc)
{
    enum cof_err err = code_of(rc);

    if (err != COF_OK && st->open && st->broken == COF_OK && sqlite3_get_autocommit(st->db) != 0)
        st->broken = err;
    return err;
}

/* Runs a statement that gives no rows. */
static enum cof_err run(struct cof_disk_store *st, enum statement which)
{
    int rc = sqlite3_step(st->statements[which]);

    (void)sqlite3_reset(st->statements[which]);
    return of_sqlite(st, rc);
}

static int bind_view(sqlite3_stmt *stmt, int at, struct cof_view v)
{
    return sqlite3_bind_blob64(stmt, at, v.len == 0 ? "" : (const void *)v.data, v.len, SQLITE_STATIC);
}

static int bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    return sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

static struct cof_view column(sqlite3_stmt *stmt, int at)
{
    const void *data = sqlite3_column_blob(stmt, at);

    return cof_view_of(data, (size_t)sqlite3_column_bytes(stmt, at));
}

static int bind_name(sqlite3_stmt *stmt, int at, struct cof_view name)
{
    return sqlite3_bind_text64(stmt, at, (const char *)name.data, name.len, SQLITE_STATIC, SQLITE_UTF8);
}

static int bind_place(sqlite3_stmt *stmt, int at, const struct cof_blob_place *place)
{
    switch (place->kind) {
    case COF_BLOB_SLOT:
        return sqlite3_bind_int64(stmt, at, place->slot);
    case COF_BLOB_FILE:
        return sqlite3_bind_null(stmt, at);
    case COF_BLOB_INLINE:
        break;
    }
    return bind_view(stmt, at, place->bytes);
}

static struct cof_blob_place place_of(sqlite3_stmt *stmt, int at)
{
    switch (sqlite3_column_type(stmt, at)) {
    case SQLITE_NULL:
        return (struct cof_blob_place){.kind = COF_BLOB_FILE};
    case SQLITE_INTEGER:
        return (struct cof_blob_place){.kind = COF_BLOB_SLOT, .slot = sqlite3_column_int64(stmt, at)};
    default:
        return (struct cof_blob_place){.kind = COF_BLOB_INLINE, .bytes = column(stmt, at)};
    }
}

static void unbind(sqlite3_stmt *stmt)
{
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
}

static enum cof_err op_begin(void *ctx)
{
    struct cof_disk_store *st = ctx;
    enum cof_err err;

    if (st->open)
        return st->broken;
    err = run(st, ST_BEGIN);
    st->open = err == COF_OK;
    st->dirty = false;
    st->bodies_at_begin = st->bodies;
    return err;
}

static void end(struct cof_disk_store *st, bool kept)
{
    if (!kept)
        (void)run(st, ST_UNDO); /* fails when the transaction ended by itself */
    st->bodies = kept ? st->bodies : st->bodies_at_begin;
    cof_blob_files_end(&st->files, kept);
    st->open = false;
    st->dirty = false;
    st->saved = false;
    st->broken = COF_OK;
    cof_pending_reset(&st->pending);
}

static enum cof_err op_commit(void *ctx)
{
    struct cof_disk_store *st = ctx;
    enum cof_err err;

    if (!st->open)
        return COF_OK;
    err = st->broken;
    if (err == COF_OK)
        err = cof_blob_files_sync(&st->files);
    if (err == COF_OK)
        err = run(st, ST_COMMIT);
    end(st, err == COF_OK);
    return err;
}

static void op_abandon(void *ctx)
{
    struct cof_disk_store *st = ctx;

    if (st->open)
        end(st, false);
}

static bool op_dirty(void *ctx)
{
    const struct cof_disk_store *st = ctx;

    return st->open && st->dirty;
}

/* Most requests change nothing: they cost neither a transaction nor a savepoint. */
static enum cof_err op_savepoint(void *ctx)
{
    struct cof_disk_store *st = ctx;

    if (st->open && st->broken != COF_OK)
        return st->broken;
    st->asked = true;
    st->dirty_at_savepoint = st->dirty;
    st->bodies_at_savepoint = st->bodies;
    cof_blob_files_mark(&st->files);
    return COF_OK;
}

/* The changes themselves, in a transaction that is open. */
static enum cof_err do_put(struct cof_disk_store *st, const char *space, struct cof_view key, struct cof_view value)
{
    sqlite3_stmt *stmt = st->statements[ST_PUT];
    enum cof_err err;

    st->dirty = true;
    if (bind_text(stmt, 1, space) != SQLITE_OK || bind_view(stmt, 2, key) != SQLITE_OK || bind_view(stmt, 3, value) != SQLITE_OK)
        err = COF_E_IO;
    else
        err = of_sqlite(st, sqlite3_step(stmt));
    unbind(stmt);
    return err;
}

static enum cof_err do_remove(struct cof_disk_store *st, const char *space, struct cof_view key)
{
    sqlite3_stmt *stmt = st->statements[ST_REMOVE];
    enum cof_err err;

    if (bind_text(stmt, 1, space) != SQLITE_OK || bind_view(stmt, 2, key) != SQLITE_OK)
        err = COF_E_IO;
    else
        err = of_sqlite(st, sqlite3_step(stmt));
    if (err != COF_OK || sqlite3_changes(st->db) > 0)
        st->dirty = true;
    unbind(stmt);
    return err;
}

static enum cof_err do_blob(struct cof_disk_store *st, struct cof_view id, uint64_t size, const struct cof_blob_place *place)
{
    sqlite3_stmt *stmt = st->statements[ST_BLOB_PUT];
    enum cof_err err;

    st->dirty = true;
    if (bind_name(stmt, 1, id) != SQLITE_OK || sqlite3_bind_int64(stmt, 2, (int64_t)size) != SQLITE_OK ||
        bind_place(stmt, 3, place) != SQLITE_OK)
        err = COF_E_IO;
    else
        err = of_sqlite(st, sqlite3_step(stmt));
    if (err == COF_OK) {
        st->bodies.n++;
        st->bodies.bytes += (int64_t)size;
    }
    unbind(stmt);
    return err;
}

/* Before the blob goes: somebody reads it on, so where it lies is noted. */
static enum cof_err keep_for_readers(struct cof_disk_store *st, struct cof_blob_hold *hold)
{
    sqlite3_stmt *stmt = st->statements[ST_BLOB_GET];
    struct cof_blob_place place;
    enum cof_err err = COF_E_IO;
    int rc;

    if (bind_text(stmt, 1, hold->id.text) != SQLITE_OK)
        goto out;
    rc = sqlite3_step(stmt);
    err = of_sqlite(st, rc);
    if (rc == SQLITE_ROW) {
        place = place_of(stmt, 1);
        err = cof_blob_hold_removed(&st->files, hold, &place, (uint64_t)sqlite3_column_int64(stmt, 0));
    }
out:
    unbind(stmt);
    return err;
}

static enum cof_err remove_row(struct cof_disk_store *st, int64_t row)
{
    sqlite3_stmt *stmt = st->statements[ST_BLOB_REMOVE];
    enum cof_err err = sqlite3_bind_int64(stmt, 1, row) == SQLITE_OK ? of_sqlite(st, sqlite3_step(stmt)) : COF_E_IO;

    unbind(stmt);
    return err;
}

static enum cof_err do_blob_remove(struct cof_disk_store *st, struct cof_view name)
{
    sqlite3_stmt *stmt = st->statements[ST_BLOB_PLACE];
    struct cof_blob_id id = {{0}};
    struct cof_blob_hold *hold;
    enum cof_err err = COF_OK;
    int64_t row = 0;
    int rc;

    st->dirty = true;
    if (name.len >= sizeof id.text)
        return COF_E_IO;
    memcpy(id.text, name.data, name.len);
    hold = cof_blob_held(&st->files, &id);
    if (hold != NULL && (err = keep_for_readers(st, hold)) != COF_OK)
        return err;
    if (bind_name(stmt, 1, name) != SQLITE_OK)
        return COF_E_IO;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        struct cof_blob_place place = place_of(stmt, 1);

        row = sqlite3_column_int64(stmt, 0);
        st->bodies.n--;
        st->bodies.bytes -= sqlite3_column_int64(stmt, 2);
        err = cof_blob_files_drop(&st->files, &id, &place);
    }
    unbind(stmt);
    if (err != COF_OK)
        return err;
    return rc == SQLITE_ROW ? remove_row(st, row) : of_sqlite(st, rc);
}

static enum cof_err do_change(struct cof_disk_store *st, const struct cof_pending_change *change)
{
    struct cof_view key = cof_pending_key(&st->pending, change);
    struct cof_blob_place place = change->place;

    switch (change->kind) {
    case COF_PENDING_PUT:
        return do_put(st, change->space, key, cof_pending_value(&st->pending, change));
    case COF_PENDING_REMOVE:
        return do_remove(st, change->space, key);
    case COF_PENDING_BLOB:
        place.bytes = cof_pending_value(&st->pending, change);
        return do_blob(st, key, change->size, &place);
    case COF_PENDING_BLOB_REMOVE:
        return do_blob_remove(st, key);
    }
    return COF_E_BUG;
}

static enum cof_err do_pending(struct cof_disk_store *st)
{
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < st->pending.n && err == COF_OK; i++)
        err = do_change(st, &st->pending.changes[i]);
    cof_pending_reset(&st->pending);
    return err;
}

/* From here on the request's changes are made at once, under a savepoint of SQLite's: it has too many of them, or scans what it has
 * just changed. */
static enum cof_err begin_direct(struct cof_disk_store *st)
{
    enum cof_err err = op_begin(st);

    if (err != COF_OK || !st->asked || st->saved)
        return err;
    err = run(st, ST_SAVEPOINT);
    st->saved = err == COF_OK;
    return err == COF_OK ? do_pending(st) : err;
}

/* Whether a change may wait for the end of its request. */
static bool may_wait(const struct cof_disk_store *st)
{
    return st->asked && !st->saved;
}

static enum cof_err op_rollback(void *ctx)
{
    struct cof_disk_store *st = ctx;
    enum cof_err err = st->saved ? run(st, ST_ROLLBACK) : COF_OK;

    if (err == COF_OK && st->saved)
        err = run(st, ST_RELEASE);
    cof_pending_reset(&st->pending);
    cof_blob_files_unmark(&st->files, false);
    st->asked = st->saved = false;
    st->dirty = st->dirty_at_savepoint;
    st->bodies = st->bodies_at_savepoint;
    return err;
}

/* Changes that waited are made now. What is made of them by halves takes the transaction with it. */
static enum cof_err op_release(void *ctx)
{
    struct cof_disk_store *st = ctx;
    bool waited = st->pending.n > 0;
    enum cof_err err = waited ? op_begin(st) : COF_OK;

    if (err != COF_OK) {
        (void)op_rollback(st);
        return err;
    }
    if (waited)
        err = do_pending(st);
    if (err != COF_OK && st->broken == COF_OK)
        st->broken = err;
    if (st->saved)
        err = run(st, ST_RELEASE);
    cof_blob_files_unmark(&st->files, true);
    st->asked = st->saved = false;
    return err;
}

static enum cof_err op_get(void *ctx, const char *space, struct cof_view key, struct cof_buf *out)
{
    struct cof_disk_store *st = ctx;
    const struct cof_pending_change *change = cof_pending_of(&st->pending, space, key);
    sqlite3_stmt *stmt = st->statements[ST_GET];
    enum cof_err err = COF_E_IO;
    int rc;

    if (change != NULL && change->kind == COF_PENDING_REMOVE)
        return COF_E_NOT_FOUND;
    if (change != NULL) {
        cof_buf_add(out, cof_pending_value(&st->pending, change));
        return cof_buf_err(out);
    }
    if (bind_text(stmt, 1, space) != SQLITE_OK || bind_view(stmt, 2, key) != SQLITE_OK)
        goto out;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        cof_buf_add(out, column(stmt, 0));
        err = cof_buf_err(out);
    } else {
        err = rc == SQLITE_DONE ? COF_E_NOT_FOUND : of_sqlite(st, rc);
    }
out:
    unbind(stmt);
    return err;
}

static enum cof_err op_put(void *ctx, const char *space, struct cof_view key, struct cof_view value)
{
    struct cof_disk_store *st = ctx;
    enum cof_err err;

    if (key.len > COF_STORE_KEY_MAX || value.len > COF_STORE_VALUE_MAX)
        return COF_E_TOO_LARGE;
    if (may_wait(st) && cof_pending_put(&st->pending, space, key, value))
        return COF_OK;
    err = begin_direct(st);
    return err == COF_OK ? do_put(st, space, key, value) : err;
}

static enum cof_err op_remove(void *ctx, const char *space, struct cof_view key)
{
    struct cof_disk_store *st = ctx;
    enum cof_err err;

    if (may_wait(st) && cof_pending_remove(&st->pending, space, key))
        return COF_OK;
    err = begin_direct(st);
    return err == COF_OK ? do_remove(st, space, key) : err;
}

/* A scan inside a scan's callback finds the prepared statement busy and gets one of its own. */
static enum cof_err op_scan(void *ctx, const char *space, struct cof_view prefix, struct cof_view start_after,
                            size_t limit, cof_store_each_fn *each, void *arg)
{
    struct cof_disk_store *st = ctx;
    bool after = start_after.len > 0 && cof_view_cmp(start_after, prefix) >= 0;
    enum statement which = after ? ST_SCAN_AFTER : ST_SCAN_FROM;
    sqlite3_stmt *stmt = st->statements[which], *own = NULL;
    enum cof_err err = COF_E_IO;
    int rc;

    if (cof_pending_touches(&st->pending, space, prefix) && (err = begin_direct(st)) != COF_OK)
        return err;
    err = COF_E_IO;
    if (sqlite3_stmt_busy(stmt)) {
        if (sqlite3_prepare_v2(st->db, sql[which], -1, &own, NULL) != SQLITE_OK)
            return COF_E_IO;
        stmt = own;
    }
    if (bind_text(stmt, 1, space) != SQLITE_OK || bind_view(stmt, 2, after ? start_after : prefix) != SQLITE_OK ||
        sqlite3_bind_int64(stmt, 3, limit > INT64_MAX ? INT64_MAX : (int64_t)limit) != SQLITE_OK)
        goto out;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct cof_view key = column(stmt, 0);

        if (!cof_view_starts(key, prefix) || !each(arg, key, column(stmt, 1)))
            break;
    }
    err = of_sqlite(st, rc);
out:
    unbind(stmt);
    (void)sqlite3_finalize(own);
    return err;
}

static enum cof_err op_blob_create(void *ctx, struct cof_blob_writer **out)
{
    struct cof_disk_store *st = ctx;

    return cof_blob_writer_new(&st->files, out);
}

static enum cof_err op_blob_write(void *ctx, struct cof_blob_writer *writer, struct cof_view piece)
{
    (void)ctx;
    return cof_blob_writer_add(writer, piece);
}

static enum cof_err op_blob_close(void *ctx, struct cof_blob_writer *writer, struct cof_blob_id *id)
{
    struct cof_disk_store *st = ctx;
    struct cof_blob_place place;
    uint64_t size;
    enum cof_err err = may_wait(st) ? COF_OK : begin_direct(st);

    if (err == COF_OK)
        err = cof_blob_writer_finish(writer, id, &size, &place);
    if (err == COF_OK && !(may_wait(st) && cof_pending_blob(&st->pending, id, size, &place))) {
        err = begin_direct(st);
        if (err == COF_OK)
            err = do_blob(st, cof_view_str(id->text), size, &place);
    }
    cof_blob_writer_free(writer);
    return err;
}

static void op_blob_abort(void *ctx, struct cof_blob_writer *writer)
{
    (void)ctx;
    cof_blob_writer_free(writer);
}

static enum cof_err op_blob_open(void *ctx, const struct cof_blob_id *id, struct cof_blob_reader **out, uint64_t *size)
{
    struct cof_disk_store *st = ctx;
    sqlite3_stmt *stmt = st->statements[ST_BLOB_GET];
    struct cof_blob_place place;
    struct cof_blob_hold *hold;
    enum cof_err err = COF_E_IO;
    int rc;

    *out = NULL;
    if (cof_pending_has_blobs(&st->pending) && (err = begin_direct(st)) != COF_OK)
        return err;
    err = COF_E_IO;
    if (bind_text(stmt, 1, id->text) != SQLITE_OK)
        goto out;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_DONE && (hold = cof_blob_held(&st->files, id)) != NULL && hold->removed) {
        *size = hold->size;
        err = cof_blob_reader_open(&st->files, id, &hold->place, *size, out);
        goto out;
    }
    if (rc != SQLITE_ROW) {
        err = rc == SQLITE_DONE ? COF_E_NOT_FOUND : of_sqlite(st, rc);
        goto out;
    }
    *size = (uint64_t)sqlite3_column_int64(stmt, 0);
    place = place_of(stmt, 1);
    err = cof_blob_reader_open(&st->files, id, &place, *size, out);
out:
    unbind(stmt);
    return err;
}

static enum cof_err op_blob_read(void *ctx, struct cof_blob_reader *reader, uint64_t offset, size_t len,
                                 struct cof_buf *out)
{
    (void)ctx;
    return cof_blob_reader_read(reader, offset, len, out);
}

static void op_blob_shut(void *ctx, struct cof_blob_reader *reader)
{
    (void)ctx;
    cof_blob_reader_free(reader);
}

static enum cof_err op_blob_hold(void *ctx, const struct cof_blob_id *id)
{
    struct cof_disk_store *st = ctx;

    return cof_blob_hold(&st->files, id);
}

static void op_blob_let_go(void *ctx, const struct cof_blob_id *id)
{
    struct cof_disk_store *st = ctx;

    cof_blob_let_go(&st->files, id);
}

static enum cof_err op_blob_remove(void *ctx, const struct cof_blob_id *id)
{
    struct cof_disk_store *st = ctx;
    enum cof_err err;

    if (may_wait(st) && cof_pending_blob_remove(&st->pending, id))
        return COF_OK;
    err = begin_direct(st);
    return err == COF_OK ? do_blob_remove(st, cof_view_str(id->text)) : err;
}

static const struct cof_store ops = {
    .begin = op_begin,
    .commit = op_commit,
    .abandon = op_abandon,
    .dirty = op_dirty,
    .savepoint = op_savepoint,
    .rollback = op_rollback,
    .release = op_release,
    .get = op_get,
    .put = op_put,
    .remove = op_remove,
    .scan = op_scan,
    .blob_create = op_blob_create,
    .blob_write = op_blob_write,
    .blob_close = op_blob_close,
    .blob_abort = op_blob_abort,
    .blob_open = op_blob_open,
    .blob_read = op_blob_read,
    .blob_shut = op_blob_shut,
    .blob_hold = op_blob_hold,
    .blob_let_go = op_blob_let_go,
    .blob_remove = op_blob_remove,
};

/* One thread uses the store, so SQLite needs no locks; and nobody asks how much memory it has. Refused once SQLite is at work, when
 * it was done before. */
static void configure_sqlite(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static enum cof_err open_db(struct cof_disk_store *st, const char *dir, struct cof_diag *diag)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/store.db", dir);

    if (n < 0 || (size_t)n >= sizeof path)
        return cof_diag_set(diag, COF_E_USAGE, "path too long: %s", dir);
    configure_sqlite();
    if (sqlite3_open_v2(path, &st->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(st->db,
            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=4000;"
            "PRAGMA secure_delete=FAST;", /* what is deleted is overwritten where its page is written anyway */
            NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(st->db, schema, NULL, NULL, NULL) != SQLITE_OK)
        return cof_diag_set(diag, COF_E_IO, "cannot open %s: %s", path, sqlite3_errmsg(st->db));
    for (int i = 0; i < N_STATEMENTS; i++)
        if (sqlite3_prepare_v3(st->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &st->statements[i], NULL) != SQLITE_OK)
            return cof_diag_set(diag, COF_E_IO, "%s: %s", path, sqlite3_errmsg(st->db));
    return COF_OK;
}

static enum cof_err take_lock(struct cof_disk_store *st, const char *dir, struct cof_diag *diag)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/lock", dir);

    if (n < 0 || (size_t)n >= sizeof path)
        return cof_diag_set(diag, COF_E_USAGE, "path too long: %s", dir);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return cof_diag_set(diag, COF_E_IO, "cannot make %s: %s", dir, strerror(errno));
    st->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (st->lock_fd < 0)
        return cof_diag_set(diag, COF_E_IO, "cannot open %s: %s", path, strerror(errno));
    if (flock(st->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return cof_diag_set(diag, COF_E_EXISTS, "%s is in use by another process", dir);
    return COF_OK;
}

enum cof_err cof_disk_store_open(const char *dir, const struct cof_rng *rng, struct cof_disk_store_check *check,
                                 struct cof_disk_store **out, struct cof_diag *diag)
{
    struct cof_disk_store_check unused;
    struct cof_disk_store *st = calloc(1, sizeof *st);
    enum cof_err err;

    *out = NULL;
    if (st == NULL)
        return COF_E_MEMORY;
    check = check == NULL ? &unused : check;
    *check = (struct cof_disk_store_check){0};
    st->ops = ops;
    st->ops.ctx = st;
    st->lock_fd = -1;
    cof_pending_init(&st->pending);
    cof_blob_files_zero(&st->files);
    err = take_lock(st, dir, diag);
    if (err == COF_OK)
        err = open_db(st, dir, diag);
    if (err == COF_OK)
        err = cof_blob_files_open(&st->files, dir, rng, diag);
    if (err == COF_OK && (err = cof_disk_store_take_stock(st, check)) != COF_OK) {
        if ((sqlite3_errcode(st->db) & 0xff) == SQLITE_CORRUPT)
            err = cof_disk_store_damaged(diag, sqlite3_errmsg(st->db));
        else
            (void)cof_diag_set(diag, err, "%s cannot be checked: %s", dir, sqlite3_errmsg(st->db));
    }
    if (err != COF_OK) {
        cof_disk_store_close(st);
        return err;
    }
    *out = st;
    return COF_OK;
}

void cof_disk_store_close(struct cof_disk_store *st)
{
    if (st == NULL)
        return;
    if (st->open && st->statements[ST_UNDO] != NULL)
        (void)sqlite3_step(st->statements[ST_UNDO]);
    if (st->open)
        cof_blob_files_end(&st->files, false);
    for (int i = 0; i < N_STATEMENTS; i++)
        (void)sqlite3_finalize(st->statements[i]);
    (void)sqlite3_close(st->db);
    cof_blob_files_close(&st->files);
    cof_pending_done(&st->pending);
    if (st->lock_fd >= 0)
        (void)close(st->lock_fd);
    free(st);
}

void cof_disk_store_stat(const struct cof_disk_store *st, struct cof_disk_store_stat *out)
{
    const char *name = sqlite3_db_filename(st->db, "main");
    char log[PATH_MAX];
    struct stat file;

    *out = (struct cof_disk_store_stat){.n_bodies = (uint64_t)st->bodies.n, .body_bytes = (uint64_t)st->bodies.bytes};
    if (name != NULL && stat(name, &file) == 0)
        out->database_bytes += (uint64_t)file.st_size;
    if (name != NULL && snprintf(log, sizeof log, "%s-wal", name) < (int)sizeof log && stat(log, &file) == 0)
        out->database_bytes += (uint64_t)file.st_size;
}

enum cof_err cof_disk_store_count(struct cof_disk_store *st, const char *space, uint64_t *n)
{
    sqlite3_stmt *stmt = NULL;
    enum cof_err err = COF_E_IO;

    if (sqlite3_prepare_v2(st->db, "SELECT count(*) FROM kv WHERE space = ?1", -1, &stmt, NULL) == SQLITE_OK &&
        bind_text(stmt, 1, space) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        *n = (uint64_t)sqlite3_column_int64(stmt, 0);
        err = COF_OK;
    }
    (void)sqlite3_finalize(stmt);
    return err;
}

const struct cof_store *cof_disk_store_ops(const struct cof_disk_store *st)
{
    return &st->ops;
}
