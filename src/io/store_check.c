/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"
#include "io/store_state.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct checking {
    struct cof_disk_store *st;
    bool repair;
    cof_disk_store_found_fn *found;
    void *ctx;
    uint64_t n;
};

static void tell(struct checking *c, const char *what, const char *which, bool mended)
{
    c->n++;
    c->found(c->ctx, what, which, mended);
}

static enum cof_err of_rc(int rc)
{
    return rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW ? COF_OK : rc == SQLITE_NOMEM ? COF_E_MEMORY : COF_E_IO;
}

static enum cof_err check_structure(struct checking *c)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(c->st->db.db, "PRAGMA integrity_check(100)", -1, &stmt, NULL);

    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);

        rc = SQLITE_OK;
        if (text != NULL && strcmp(text, "ok") != 0)
            tell(c, "the database is damaged", text, false);
    }
    (void)sqlite3_finalize(stmt);
    if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB) {
        tell(c, "the database is damaged", sqlite3_errmsg(c->st->db.db), false);
        return COF_OK;
    }
    return of_rc(rc);
}

enum cof_err cof_disk_store_damaged(struct cof_diag *diag, const char *finding)
{
    (void)cof_diag_set(diag, COF_E_IO, "the database is damaged: %s", finding);
    cof_diag_hint(diag, "`coffer-local check` says more; put the data directory aside and a copy of `coffer-local backup` in its place");
    return COF_E_IO;
}

enum cof_err cof_disk_store_quick_check(struct cof_disk_store *st, struct cof_diag *diag)
{
    sqlite3_stmt *stmt = NULL;
    enum cof_err err = COF_OK;
    int rc = sqlite3_prepare_v2(st->db.db, "PRAGMA quick_check(1)", -1, &stmt, NULL);

    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);

        rc = SQLITE_OK;
        if (text == NULL || strcmp(text, "ok") != 0)
            err = cof_disk_store_damaged(diag, text == NULL ? "no answer" : text);
    }
    (void)sqlite3_finalize(stmt);
    return err == COF_OK && rc != SQLITE_OK ? cof_disk_store_damaged(diag, sqlite3_errmsg(st->db.db)) : err;
}

/* Words of 32 hex digits in a record: the bodies it names. */
static int note_names(sqlite3_stmt *insert, struct cof_view value)
{
    size_t run = 0;
    int rc = SQLITE_OK;

    for (size_t i = 0; i <= value.len && rc == SQLITE_OK; i++) {
        uint8_t ch = i < value.len ? value.data[i] : 0;

        if ((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f')) {
            run++;
            continue;
        }
        if (run == 32) {
            rc = sqlite3_bind_text(insert, 1, (const char *)value.data + i - 32, 32, SQLITE_STATIC);
            if (rc == SQLITE_OK && (rc = sqlite3_step(insert)) == SQLITE_DONE)
                rc = SQLITE_OK;
            (void)sqlite3_reset(insert);
        }
        run = 0;
    }
    return rc;
}

/* Braces, brackets and quotes in balance: what a torn or altered record is not. The services parse the rest strictly. */
static bool looks_like_json(struct cof_view v)
{
    size_t depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < v.len; i++) {
        uint8_t ch = v.data[i];

        if (quoted && ch == '\\')
            i++;
        else if (ch == '"')
            quoted = !quoted;
        else if (!quoted && (ch == '{' || ch == '['))
            depth++;
        else if (!quoted && (ch == '}' || ch == ']') && depth-- == 0)
            return false;
        if (!quoted && depth == 0)
            return i + 1 == v.len;
    }
    return false;
}

/* Lines, which have their chain, and sealed bytes, which may begin with a brace by chance and are opened by those who have the key. */
static bool holds_records(const char *space)
{
    static const char *const others[] = {"audit", "sqs.body", "oauth.key", "hypervisor", "local"};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(space, others[i]) == 0)
            return false;
    return true;
}

static enum cof_err read_records(struct checking *c)
{
    sqlite3_stmt *all = NULL, *insert = NULL;
    sqlite3 *db = c->st->db.db;
    int rc = sqlite3_exec(db, "CREATE TEMP TABLE IF NOT EXISTS named (id TEXT PRIMARY KEY) WITHOUT ROWID; DELETE FROM temp.named;", NULL, NULL, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "INSERT OR IGNORE INTO temp.named VALUES (?1)", -1, &insert, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "SELECT space, key, value FROM kv", -1, &all, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(all)) == SQLITE_ROW) {
        struct cof_view value = cof_view_of(sqlite3_column_blob(all, 2), (size_t)sqlite3_column_bytes(all, 2));
        const char *space = (const char *)sqlite3_column_text(all, 0);
        char which[200];

        if (holds_records(space) && value.len > 0 && value.data[0] == '{' && !looks_like_json(value)) {
            (void)snprintf(which, sizeof which, "%s: %.*s", space,
                sqlite3_column_bytes(all, 1) > 120 ? 120 : sqlite3_column_bytes(all, 1), (const char *)sqlite3_column_blob(all, 1));
            tell(c, "a record is damaged", which, false);
        }
        rc = strcmp(space, "audit") == 0 ? SQLITE_OK : note_names(insert, value);
    }
    (void)sqlite3_finalize(all);
    (void)sqlite3_finalize(insert);
    return of_rc(rc);
}

/* Whether the body is where it should be, whole. */
static bool is_there(struct cof_disk_store *st, const char *id, int64_t size, sqlite3_stmt *row)
{
    struct cof_blob_id name = {{0}};
    char path[64];
    struct stat file;

    switch (sqlite3_column_type(row, 2)) {
    case SQLITE_BLOB:
        return sqlite3_column_bytes(row, 2) == size;
    case SQLITE_INTEGER: {
        int fd;
        uint64_t offset;
        bool there = cof_slots_pin(&st->files.slots, sqlite3_column_int64(row, 2), &fd, &offset) == COF_OK;

        if (there)
            cof_slots_unpin(&st->files.slots, sqlite3_column_int64(row, 2));
        return there && fstat(fd, &file) == 0 && file.st_size >= (off_t)offset + size;
    }
    case SQLITE_NULL:
        if (strlen(id) != sizeof name.text - 1)
            return false;
        (void)snprintf(path, sizeof path, "%.2s/%s", id, id);
        return fstatat(st->files.root_fd, path, &file, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(file.st_mode) && file.st_size == size;
    default:
        return false;
    }
}

static enum cof_err note_lost(struct cof_disk_store *st, const char *id)
{
    return st->ops.put(st->ops.ctx, "lost", cof_view_str(id), COF_LIT("1"));
}

static bool is_lost(struct cof_disk_store *st, const char *id)
{
    struct cof_buf out;
    bool lost;

    cof_buf_init(&out, 16);
    lost = st->ops.get(st->ops.ctx, "lost", cof_view_str(id), &out) == COF_OK;
    cof_buf_done(&out);
    return lost;
}

static enum cof_err check_bodies(struct checking *c)
{
    sqlite3_stmt *all = NULL;
    struct cof_disk_store *st = c->st;
    int rc = sqlite3_prepare_v2(st->db.db, "SELECT id, size, body, id IN (SELECT id FROM temp.named) FROM blob", -1, &all, NULL);
    enum cof_err err = COF_OK;

    while (rc == SQLITE_OK && err == COF_OK && (rc = sqlite3_step(all)) == SQLITE_ROW) {
        const char *id = (const char *)sqlite3_column_text(all, 0);
        bool named = sqlite3_column_int(all, 3) != 0;
        struct cof_blob_id name = {{0}};
        char which[120];

        rc = SQLITE_OK;
        (void)snprintf(which, sizeof which, "%s (%lld bytes)", id, (long long)sqlite3_column_int64(all, 1));
        (void)snprintf(name.text, sizeof name.text, "%s", id);
        if (!named) {
            tell(c, "a body belongs to nothing", which, c->repair);
            if (c->repair)
                err = st->ops.blob_remove(st->ops.ctx, &name);
        } else if (!is_there(st, id, sqlite3_column_int64(all, 1), all) && !is_lost(st, id)) {
            tell(c, "a body is missing or of another size", which, c->repair);
            if (c->repair)
                err = note_lost(st, id);
        }
    }
    (void)sqlite3_finalize(all);
    return err == COF_OK ? of_rc(rc) : err;
}

enum cof_err cof_disk_store_verify(struct cof_disk_store *st, bool repair, cof_disk_store_found_fn *found, void *ctx,
                                   uint64_t *n_found, struct cof_diag *diag)
{
    struct checking c = {.st = st, .repair = repair, .found = found, .ctx = ctx};
    enum cof_err err = cof_disk_store_settle_all(st);

    if (err == COF_OK)
        err = check_structure(&c);
    if (err == COF_OK && c.n == 0) { /* a damaged database is not asked further */
        err = st->ops.begin(st->ops.ctx);
        if (err == COF_OK)
            err = read_records(&c);
        if (err == COF_OK)
            err = check_bodies(&c);
        if (err == COF_OK)
            err = st->ops.commit(st->ops.ctx);
        else
            st->ops.abandon(st->ops.ctx);
    }
    *n_found = c.n;
    return err == COF_OK ? err : cof_diag_set(diag, err, "the store cannot be checked: %s", sqlite3_errmsg(st->db.db));
}

static bool names_file(void *ctx, const struct cof_blob_id *id)
{
    struct cof_disk_store *st = ctx;
    sqlite3_stmt *stmt = st->db.statements[COF_DB_BODY_GET];
    bool named = sqlite3_bind_text(stmt, 1, id->text, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW &&
        sqlite3_column_type(stmt, 1) == SQLITE_NULL;

    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return named;
}

static enum cof_err count(struct cof_disk_store *st, const char *query, uint64_t *n)
{
    sqlite3_stmt *stmt = NULL;
    enum cof_err err = COF_E_IO;

    if (sqlite3_prepare_v2(st->db.db, query, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        *n = (uint64_t)sqlite3_column_int64(stmt, 0);
        err = COF_OK;
    }
    (void)sqlite3_finalize(stmt);
    return err;
}

/* Takes the slots that are in use; counts those whose bytes are not there. */
static enum cof_err claim_slots(struct cof_disk_store *st, uint64_t *n_missing)
{
    sqlite3_stmt *stmt = NULL;
    enum cof_err err = COF_OK;
    int rc = sqlite3_prepare_v2(st->db.db, "SELECT body, size FROM blob WHERE typeof(body) = 'integer'", -1, &stmt, NULL);

    while (rc == SQLITE_OK && err == COF_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        err = cof_slots_claim(&st->files.slots, sqlite3_column_int64(stmt, 0), (uint64_t)sqlite3_column_int64(stmt, 1));
        if (err == COF_E_NOT_FOUND) {
            (*n_missing)++;
            err = COF_OK;
        }
    }
    (void)sqlite3_finalize(stmt);
    return err == COF_OK ? of_rc(rc & 0xff) : err;
}

enum cof_err cof_disk_store_take_stock(struct cof_disk_store *st, struct cof_disk_store_check *check)
{
    uint64_t n_files = 0, n_named = 0, n_lost = 0, n_bytes = 0;
    enum cof_err err = cof_blob_files_sweep(&st->files, names_file, st, &n_files, &check->n_orphans_removed);

    if (err == COF_OK)
        err = count(st, "SELECT count(*) FROM kv", &check->n_keys);
    if (err == COF_OK)
        err = count(st, "SELECT count(*) FROM blob", &check->n_blobs);
    if (err == COF_OK)
        err = count(st, "SELECT COALESCE(sum(size), 0) FROM blob", &n_bytes);
    st->bodies = (struct cof_body_totals){(int64_t)check->n_blobs, (int64_t)n_bytes};
    if (err == COF_OK)
        err = count(st, "SELECT count(*) FROM blob WHERE body IS NULL", &n_named);
    check->n_blobs_missing = n_named > n_files ? n_named - n_files : 0;
    if (err == COF_OK)
        err = claim_slots(st, &check->n_blobs_missing);
    if (err == COF_OK) /* those that were noted as lost are known */
        err = count(st, "SELECT count(*) FROM blob WHERE id IN (SELECT CAST(key AS TEXT) FROM kv WHERE space = 'lost')", &n_lost);
    check->n_blobs_missing -= n_lost < check->n_blobs_missing ? n_lost : check->n_blobs_missing;
    return err;
}
