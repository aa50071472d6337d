/* SPDX-License-Identifier: Apache-2.0 */
#include "io/file.h"
#include "io/store_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_LEAST 16        /* changes after each commit while something is due */
#define OVERDUE (4 * COF_STORE_LOG_FULL) /* bytes of log that the database could not be given */

static enum cof_err on_change(void *ctx, const char *space, struct cof_view key, struct cof_view value, bool removed)
{
    return cof_store_db_change(ctx, space, key, value, removed);
}

enum cof_err cof_disk_store_replay(struct cof_disk_store *st, struct cof_diag *diag)
{
    uint64_t generation = st->db.generation;
    struct cof_diag finding = {0};
    enum cof_err err = cof_store_db_begin(&st->db);

    if (err == COF_OK)
        err = cof_store_log_open(&st->log, st->dir_fd, st->db.id, st->db.generation, on_change, &st->db, &generation, &finding);
    if (err == COF_OK && generation > st->db.generation)
        err = cof_store_db_commit(&st->db, generation);
    else
        cof_store_db_undo(&st->db);
    cof_store_log_begin(&st->log, generation + 1, 0);
    st->recent.generation = generation + 1;
    if (err == COF_OK)
        return cof_store_db_relax(&st->db);
    if (finding.text[0] == '\0')
        return cof_diag_set(diag, err, "the store's log cannot be written to its database: %s", sqlite3_errmsg(st->db.db));
    (void)cof_diag_set(diag, err, "%s", finding.text);
    cof_diag_hint(diag, "put the data directory aside and a copy of `coffer-local backup` in its place");
    return err;
}

bool cof_disk_store_overdue(const struct cof_disk_store *st)
{
    return st->log.at >= OVERDUE;
}

/* The database's own log is synced aside: nobody waits for it but the file of ours that is to be written over. */
static void sync_database(struct cof_disk_store *st)
{
    if (st->wal.fd < 0) {
        st->wal.fd = openat(st->dir_fd, "store.db-wal", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (st->wal.fd < 0 || fsync(st->dir_fd) != 0)
            st->wal.failed = cof_err_from_errno(errno);
    }
    if (st->wal.failed == COF_OK)
        st->wal.failed = cof_sync_aside_start(st->wal.aside, st->wal.fd);
    st->wal.syncing = st->wal.failed == COF_OK;
}

/* What failed once stays so: the kernel forgets what it could not write, and a second sync would succeed. Ours has it still. */
static enum cof_err database_synced(struct cof_disk_store *st)
{
    enum cof_err ended;

    if (st->wal.syncing && cof_sync_aside_wait(st->wal.aside, &ended)) {
        st->wal.syncing = false;
        st->wal.failed = ended;
    }
    return st->wal.failed;
}

/* From here on the other file is written. */
static enum cof_err start(struct cof_disk_store *st)
{
    enum cof_err err = database_synced(st);

    if (err == COF_OK)
        err = cof_recent_of(&st->recent, st->log.generation, &st->settling.todo, &st->settling.n);
    if (err != COF_OK)
        return err;
    st->settling.generation = st->log.generation;
    st->settling.at = 0;
    st->settling.gap_space = NULL;
    cof_buf_init_secret(&st->settling.gap_end, COF_STORE_KEY_MAX);
    cof_store_log_begin(&st->log, st->log.generation + 1, st->log.sequence);
    st->recent.generation = st->log.generation;
    return COF_OK;
}

/* Most of what was removed was never in the database: a message that was sent and deleted meanwhile. Changes come in order, so that one look
 * tells of all up to the next row that is there. */
static enum cof_err remove_row(struct cof_disk_store *st, const struct cof_recent_change *c)
{
    struct cof_settling *s = &st->settling;
    struct cof_view key = cof_recent_key(c);
    struct cof_db_cursor row;
    enum cof_err err;

    if (strcmp(c->space, COF_SPACE_BODIES) == 0)
        return cof_store_db_change(&st->db, c->space, key, (struct cof_view){0}, true);
    if (s->gap_space == NULL || strcmp(s->gap_space, c->space) != 0 ||
        (!s->gap_to_end && cof_view_cmp(key, cof_buf_view(&s->gap_end)) >= 0)) {
        err = cof_store_db_scan(&st->db, c->space, key, false, &row);
        if (err != COF_OK)
            return err;
        s->gap_space = c->space;
        s->gap_to_end = !row.more;
        cof_buf_reset(&s->gap_end);
        cof_buf_add(&s->gap_end, row.key);
        cof_store_db_scan_done(&row);
        err = cof_buf_err(&s->gap_end);
        if (err != COF_OK)
            return err;
    }
    if (s->gap_to_end || cof_view_cmp(key, cof_buf_view(&s->gap_end)) < 0)
        return COF_OK;
    s->gap_space = NULL;
    return cof_store_db_change(&st->db, c->space, key, (struct cof_view){0}, true);
}

/* What has changed since is left out: the newer log has it, and the database gets it with that. */
static enum cof_err some(struct cof_disk_store *st, size_t n)
{
    struct cof_settling *s = &st->settling;
    enum cof_err err = cof_store_db_begin(&st->db);

    for (; err == COF_OK && n > 0 && s->at < s->n; n--) {
        const struct cof_recent_change *c = s->todo[s->at++];

        if (c->generation <= s->generation)
            err = c->removed ? remove_row(st, c) : cof_store_db_change(&st->db, c->space, cof_recent_key(c), cof_recent_value(c), false);
    }
    if (err == COF_OK && s->at < s->n)
        return COF_OK;
    if (err == COF_OK)
        err = cof_store_db_commit(&st->db, s->generation);
    if (err != COF_OK) {
        cof_store_db_undo(&st->db);
        s->at = 0; /* from the beginning, the next time */
        s->gap_space = NULL;
        return err;
    }
    cof_recent_forget(&st->recent, s->generation);
    cof_disk_store_settling_done(st);
    sync_database(st);
    return st->wal.failed;
}

void cof_disk_store_settling_done(struct cof_disk_store *st)
{
    free(st->settling.todo);
    cof_buf_done(&st->settling.gap_end);
    st->settling = (struct cof_settling){0};
}

/* Not before the newer log is half full: until then much of what was put is removed again, the audit's records above all. */
enum cof_err cof_disk_store_settle(struct cof_disk_store *st, size_t n)
{
    bool full = st->log.at >= COF_STORE_LOG_FULL;
    enum cof_err err = COF_OK;

    if (st->settling.generation != 0 && st->log.at >= COF_STORE_LOG_FULL / 2)
        err = some(st, full ? SIZE_MAX : AT_LEAST + 2 * n);
    if (err == COF_OK && full && st->settling.generation == 0)
        err = start(st);
    return err;
}

enum cof_err cof_disk_store_settle_all(struct cof_disk_store *st)
{
    enum cof_err err = cof_recent_mark(&st->recent) > 0 ? COF_E_STATE : COF_OK;

    if (err == COF_OK && st->settling.generation != 0)
        err = some(st, SIZE_MAX);
    if (err == COF_OK && st->log.sequence > 0) {
        err = start(st);
        if (err == COF_OK)
            err = some(st, SIZE_MAX);
    }
    return err == COF_OK ? database_synced(st) : err;
}

void cof_disk_store_rest(struct cof_disk_store *st)
{
    if (st->open)
        return;
    if (cof_disk_store_settle_all(st) == COF_OK)
        cof_store_db_undo(&st->db); /* of reading alone */
    cof_store_log_release(&st->log);
    (void)sqlite3_db_release_memory(st->db.db);
}
