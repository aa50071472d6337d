/* SPDX-License-Identifier: Apache-2.0 */
#include "io/store.h"

#include "io/file.h"
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

#define WADED 8 /* removed keys in front of the first that is there, from which on it is noted where that is */

static enum cof_err op_begin(void *ctx)
{
    struct cof_disk_store *st = ctx;

    if (st->open)
        return COF_OK;
    if (cof_disk_store_overdue(st)) {
        enum cof_err err = cof_disk_store_settle_all(st); /* the database could not take it before: no room, for one */

        if (err != COF_OK)
            return err;
    }
    st->open = true;
    st->dirty = false;
    st->bodies_at_begin = st->bodies;
    return COF_OK;
}

static void end(struct cof_disk_store *st, bool kept)
{
    if (kept)
        cof_recent_keep(&st->recent);
    else
        cof_recent_undo(&st->recent, 0);
    st->bodies = kept ? st->bodies : st->bodies_at_begin;
    cof_blob_files_end(&st->files, kept);
    st->open = false;
    st->dirty = false;
    st->savepoint = 0;
}

/* All that was changed, as one record of the log. */
static enum cof_err write_log(struct cof_disk_store *st, size_t *n)
{
    const struct cof_recent_change *c;
    size_t at = 0;

    cof_store_log_start(&st->log);
    for (*n = 0; (c = cof_recent_changed(&st->recent, &at)) != NULL; ++*n)
        cof_store_log_add(&st->log, c->space, cof_recent_key(c), cof_recent_value(c), c->removed);
    return cof_store_log_commit(&st->log);
}

static enum cof_err op_commit(void *ctx)
{
    struct cof_disk_store *st = ctx;
    enum cof_err err;
    size_t n = 0;

    if (!st->open)
        return COF_OK;
    err = cof_blob_files_sync(&st->files);
    if (err == COF_OK && cof_recent_mark(&st->recent) > 0)
        err = write_log(st, &n);
    if (err != COF_OK && st->log.doubtful)
        cof_blob_files_leave(&st->files); /* should the record be there after all, so are the bodies it names */
    end(st, err == COF_OK);
    if (err == COF_OK)
        (void)cof_disk_store_settle(st, n); /* what fails is tried again, until the log is too long (op_begin) */
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

static enum cof_err op_savepoint(void *ctx)
{
    struct cof_disk_store *st = ctx;

    st->savepoint = cof_recent_mark(&st->recent);
    st->dirty_at_savepoint = st->dirty;
    st->bodies_at_savepoint = st->bodies;
    cof_blob_files_mark(&st->files);
    return COF_OK;
}

static enum cof_err op_rollback(void *ctx)
{
    struct cof_disk_store *st = ctx;

    cof_recent_undo(&st->recent, st->savepoint);
    cof_blob_files_unmark(&st->files, false);
    st->dirty = st->dirty_at_savepoint;
    st->bodies = st->bodies_at_savepoint;
    return COF_OK;
}

static enum cof_err op_release(void *ctx)
{
    struct cof_disk_store *st = ctx;

    cof_blob_files_unmark(&st->files, true);
    return COF_OK;
}

static enum cof_err op_get(void *ctx, const char *space, struct cof_view key, struct cof_buf *out)
{
    struct cof_disk_store *st = ctx;
    const struct cof_recent_change *change = cof_recent_find(&st->recent, space, key);

    if (change == NULL)
        return cof_store_db_get(&st->db, space, key, out);
    if (change->removed)
        return COF_E_NOT_FOUND;
    cof_buf_add(out, cof_recent_value(change));
    return cof_buf_err(out);
}

static enum cof_err op_put(void *ctx, const char *space, struct cof_view key, struct cof_view value)
{
    struct cof_disk_store *st = ctx;
    enum cof_err err;

    if (key.len > COF_STORE_KEY_MAX || value.len > COF_STORE_VALUE_MAX)
        return COF_E_TOO_LARGE;
    err = op_begin(st);
    if (err == COF_OK)
        err = cof_recent_put(&st->recent, space, key, value);
    st->dirty = st->dirty || err == COF_OK;
    return err;
}

static enum cof_err op_remove(void *ctx, const char *space, struct cof_view key)
{
    struct cof_disk_store *st = ctx;
    const struct cof_recent_change *change = cof_recent_find(&st->recent, space, key);
    bool there = change != NULL && !change->removed;
    enum cof_err err = change != NULL ? COF_OK : cof_store_db_has(&st->db, space, key, &there);

    if (err != COF_OK || !there)
        return err;
    err = op_begin(st);
    if (err == COF_OK)
        err = cof_recent_remove(&st->recent, space, key);
    st->dirty = st->dirty || err == COF_OK;
    return err;
}

/* Two orders made one: the database's rows, and the recent changes, which count where both have a key. */
struct merge {
    struct cof_db_cursor rows;
    const struct cof_recent_change *change;
    struct cof_view prefix;
    struct cof_view dead; /* the last removed key before the first that is there */
    size_t n_dead, n;
};

/* Gives the next that is there; false: there is none. */
static enum cof_err merge_next(struct merge *m, struct cof_view *key, struct cof_view *value, bool *found)
{
    enum cof_err err = COF_OK;

    *found = false;
    while (err == COF_OK && !*found) {
        const struct cof_recent_change *c = m->change;
        bool row = m->rows.more && cof_view_starts(m->rows.key, m->prefix);
        int order;

        if (c != NULL && !cof_view_starts(cof_recent_key(c), m->prefix))
            c = NULL;
        if (c == NULL && !row)
            return COF_OK;
        order = c == NULL ? -1 : !row ? 1 : cof_view_cmp(m->rows.key, cof_recent_key(c));
        if (order < 0) {
            *key = m->rows.key;
            *value = m->rows.value;
            *found = true;
            return COF_OK; /* the row's turn is over when the next is asked for */
        }
        if (order == 0)
            err = cof_store_db_step(&m->rows);
        m->change = cof_recent_next(c);
        *key = cof_recent_key(c);
        *value = cof_recent_value(c);
        *found = !c->removed;
        if (c->removed && m->n == 0) {
            m->n_dead++;
            m->dead = *key;
        }
    }
    return err;
}

static enum cof_err op_scan(void *ctx, const char *space, struct cof_view prefix, struct cof_view start_after,
                            size_t limit, cof_store_each_fn *each, void *arg)
{
    struct cof_disk_store *st = ctx;
    struct merge m = {.prefix = prefix};
    bool after = start_after.len > 0 && cof_view_cmp(start_after, prefix) >= 0;
    struct cof_view from = after ? start_after : prefix, empty = cof_recent_empty_to(&st->recent, space, prefix), key, value;
    bool whole = !after, found = true;
    enum cof_err err;

    if (empty.len > 0 && (!after || cof_view_cmp(empty, from) > 0)) {
        from = empty;
        after = true;
    }
    m.change = cof_recent_from(&st->recent, space, from, after);
    err = cof_store_db_scan(&st->db, space, from, after, &m.rows);
    while (err == COF_OK && m.n < limit) {
        bool row;

        err = merge_next(&m, &key, &value, &found);
        if (err != COF_OK || !found)
            break;
        m.n++;
        row = key.data == m.rows.key.data;
        if (!each(arg, key, value))
            break;
        if (row && m.n < limit)
            err = cof_store_db_step(&m.rows);
    }
    cof_store_db_scan_done(&m.rows);
    if (err == COF_OK && whole && m.n_dead >= WADED)
        cof_recent_note_empty(&st->recent, space, prefix, m.dead);
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

/* Where a body lies. The bytes of one kept inline live until its row is changed, or the database asked for another. */
static enum cof_err find_body(struct cof_disk_store *st, const struct cof_blob_id *id, bool with_bytes, struct cof_body_row *out)
{
    const struct cof_recent_change *change = cof_recent_find(&st->recent, COF_SPACE_BODIES, cof_view_str(id->text));

    if (change == NULL)
        return cof_store_db_body(&st->db, id, with_bytes, out);
    return change->removed ? COF_E_NOT_FOUND : cof_body_row_read(cof_recent_value(change), out);
}

static enum cof_err add_body(struct cof_disk_store *st, const struct cof_blob_id *id, const struct cof_body_row *row)
{
    struct cof_buf value;
    enum cof_err err;

    cof_buf_init(&value, COF_BLOB_SMALL_MAX + 64);
    cof_body_row_add(&value, row);
    err = cof_buf_err(&value);
    if (err == COF_OK)
        err = cof_recent_put(&st->recent, COF_SPACE_BODIES, cof_view_str(id->text), cof_buf_view(&value));
    cof_buf_done(&value);
    if (err != COF_OK)
        return err;
    st->dirty = true;
    st->bodies.n++;
    st->bodies.bytes += (int64_t)row->size;
    return COF_OK;
}

static enum cof_err op_blob_close(void *ctx, struct cof_blob_writer *writer, struct cof_blob_id *id)
{
    struct cof_disk_store *st = ctx;
    struct cof_body_row row = {0};
    enum cof_err err = op_begin(st);

    if (err == COF_OK)
        err = cof_blob_writer_finish(writer, id, &row.size, &row.place);
    if (err == COF_OK)
        err = add_body(st, id, &row);
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
    struct cof_body_row row = {0};
    struct cof_blob_hold *hold;
    enum cof_err err = find_body(st, id, true, &row);

    *out = NULL;
    if (err == COF_E_NOT_FOUND && (hold = cof_blob_held(&st->files, id)) != NULL && hold->removed) {
        row = (struct cof_body_row){hold->size, hold->place};
        err = COF_OK;
    }
    *size = row.size;
    if (err == COF_OK)
        err = cof_blob_reader_open(&st->files, id, &row.place, row.size, out);
    cof_store_db_body_done(&st->db);
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

/* Where somebody reads it on, it is noted where it lies. */
static enum cof_err op_blob_remove(void *ctx, const struct cof_blob_id *id)
{
    struct cof_disk_store *st = ctx;
    struct cof_blob_hold *hold = cof_blob_held(&st->files, id);
    struct cof_body_row row;
    enum cof_err err = op_begin(st);

    if (err == COF_OK)
        err = find_body(st, id, hold != NULL, &row);
    if (err == COF_OK && hold != NULL)
        err = cof_blob_hold_removed(&st->files, hold, &row.place, row.size);
    cof_store_db_body_done(&st->db);
    if (err != COF_OK)
        return err == COF_E_NOT_FOUND ? COF_OK : err;
    err = cof_recent_remove(&st->recent, COF_SPACE_BODIES, cof_view_str(id->text));
    if (err == COF_OK)
        err = cof_blob_files_drop(&st->files, id, &row.place);
    if (err != COF_OK)
        return err;
    st->dirty = true;
    st->bodies.n--;
    st->bodies.bytes -= (int64_t)row.size;
    return COF_OK;
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

static enum cof_err take_lock(struct cof_disk_store *st, const char *dir, struct cof_diag *diag)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/lock", dir);

    if (n < 0 || (size_t)n >= sizeof path)
        return cof_diag_set(diag, COF_E_USAGE, "path too long: %s", dir);
    if (mkdir(dir, 0700) == 0 ? cof_file_sync_folder(dir) == COF_E_IO : errno != EEXIST)
        return cof_diag_set(diag, COF_E_IO, "cannot make %s: %s", dir, strerror(errno));
    st->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (st->lock_fd < 0)
        return cof_diag_set(diag, COF_E_IO, "cannot open %s: %s", path, strerror(errno));
    if (flock(st->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return cof_diag_set(diag, COF_E_EXISTS, "%s is in use by another process", dir);
    return COF_OK;
}

/* The log, then the bodies. What does not fit is told with the mend, and changes nothing. */
static enum cof_err open_parts(struct cof_disk_store *st, const char *dir, const struct cof_rng *rng, struct cof_disk_store_check *check,
                               struct cof_diag *diag)
{
    enum cof_err err = cof_store_db_open(&st->db, dir, rng, diag);

    if (err == COF_OK)
        err = cof_recent_init(&st->recent);
    if (err == COF_OK)
        err = cof_sync_aside_new(&st->wal.aside);
    if (err == COF_OK)
        err = cof_blob_files_open(&st->files, dir, rng, diag);
    if (err != COF_OK)
        return err;
    err = cof_disk_store_replay(st, diag);
    if (err != COF_OK)
        return err;
    err = cof_disk_store_take_stock(st, check);
    if (err == COF_OK)
        return err;
    if ((sqlite3_errcode(st->db.db) & 0xff) == SQLITE_CORRUPT)
        return cof_disk_store_damaged(diag, sqlite3_errmsg(st->db.db));
    return cof_diag_set(diag, err, "%s cannot be checked: %s", dir, sqlite3_errmsg(st->db.db));
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
    st->lock_fd = st->dir_fd = st->wal.fd = -1;
    cof_store_log_zero(&st->log);
    cof_blob_files_zero(&st->files);
    err = take_lock(st, dir, diag);
    if (err == COF_OK && (st->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        err = cof_diag_set(diag, COF_E_IO, "cannot open %s: %s", dir, strerror(errno));
    if (err == COF_OK)
        err = open_parts(st, dir, rng, check, diag);
    st->whole = err == COF_OK;
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
    op_abandon(st);
    if (st->whole && cof_disk_store_settle_all(st) == COF_OK)
        (void)cof_store_log_empty(&st->log); /* else it is read again at the next start */
    cof_disk_store_settling_done(st);
    cof_sync_aside_free(st->wal.aside);
    if (st->wal.fd >= 0)
        (void)close(st->wal.fd);
    cof_store_log_close(&st->log);
    cof_store_db_close(&st->db);
    cof_blob_files_close(&st->files);
    cof_recent_done(&st->recent);
    if (st->dir_fd >= 0)
        (void)close(st->dir_fd);
    if (st->lock_fd >= 0)
        (void)close(st->lock_fd);
    free(st);
}

void cof_disk_store_stat(const struct cof_disk_store *st, struct cof_disk_store_stat *out)
{
    const char *name = sqlite3_db_filename(st->db.db, "main");
    char log[PATH_MAX];
    struct stat file;

    *out = (struct cof_disk_store_stat){.n_bodies = (uint64_t)st->bodies.n, .body_bytes = (uint64_t)st->bodies.bytes,
        .database_bytes = st->log.size[0] + st->log.size[1]};
    if (name != NULL && stat(name, &file) == 0)
        out->database_bytes += (uint64_t)file.st_size;
    if (name != NULL && snprintf(log, sizeof log, "%s-wal", name) < (int)sizeof log && stat(log, &file) == 0)
        out->database_bytes += (uint64_t)file.st_size;
}

enum cof_err cof_disk_store_count(struct cof_disk_store *st, const char *space, uint64_t *n)
{
    sqlite3_stmt *stmt = NULL;
    enum cof_err err = cof_disk_store_settle_all(st);

    if (err != COF_OK)
        return err;
    err = COF_E_IO;
    if (sqlite3_prepare_v2(st->db.db, "SELECT count(*) FROM kv WHERE space = ?1", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_bind_text(stmt, 1, space, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        *n = (uint64_t)sqlite3_column_int64(stmt, 0);
        err = COF_OK;
    }
    (void)sqlite3_finalize(stmt);
    return err;
}

bool cof_disk_store_is_in_doubt(const struct cof_disk_store *st)
{
    return st->log.doubtful;
}

const struct cof_store *cof_disk_store_ops(const struct cof_disk_store *st)
{
    return &st->ops;
}
