/* SPDX-License-Identifier: Apache-2.0 */
#include "io/audit_log.h"

#include "base/codec.h"
#include "base/uuid.h"
#include "io/audit_log_state.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROW_MAX ((size_t)2 << 20)
#define UNSAVED_MAX ((size_t)1 << 20) /* over it the file is synced, so that the next row stays small */
#define UNSAVED_WAIT ((size_t)3 << 20) /* over it that is waited for */
#define ROWS_BYTES ((size_t)1 << 20)  /* likewise, so that rows leave the store while it still has them in memory (store_recent.h) */
#define SIGN_LINES 1024
#define SIGN_MS 60000
#define HEAD_LAG 8192 /* records; a start after a crash reads all those that the store does not know to be in the file */
#define SPACE "audit"

static void set_mark(struct cof_audit_log *log)
{
    log->mark = log->chain;
    log->mark_unsaved = log->unsaved.len;
    log->mark_waiting = log->waiting.len;
}

enum cof_err cof_audit_log_append(struct cof_audit_log *log, struct cof_view records)
{
    struct cof_audit_chain before = log->chain;
    size_t start = log->waiting.len;
    struct cof_view record;
    enum cof_err err = COF_OK;

    if (log->waiting.len + records.len > COF_AUDIT_BACKLOG_MAX)
        return COF_E_NO_SPACE;
    while (err == COF_OK && records.len > 0) {
        (void)cof_view_split(records, '\n', &record, &records);
        err = cof_audit_append(&log->chain, record, &log->waiting);
    }
    if (err == COF_OK) {
        cof_buf_add(&log->unsaved, cof_view_sub(cof_buf_view(&log->waiting), start, SIZE_MAX));
        err = cof_buf_err(&log->unsaved);
    }
    if (err != COF_OK) {
        log->chain = before;
        cof_buf_truncate(&log->waiting, start);
        return err;
    }
    log->n_records += log->chain.next - before.next;
    return COF_OK;
}

enum cof_err cof_audit_log_own(struct cof_audit_log *log, const char *event_name, struct cof_view data, int64_t now_ms)
{
    struct cof_audit_place place = {log->account, log->region, now_ms};
    struct cof_buf record;
    char id[40];
    enum cof_err err = cof_uuid_new(log->rng, id);

    cof_buf_init(&record, 16384);
    if (err == COF_OK) {
        cof_audit_own_record(&place, event_name, id, data, &record);
        err = cof_buf_err(&record);
    }
    if (err == COF_OK)
        err = cof_audit_log_append(log, cof_buf_view(&record));
    cof_buf_done(&record);
    return err;
}

/* What was written is dropped from the front, so that a write cut short by a full disk goes on where it stopped. */
enum cof_err cof_audit_log_write_waiting(struct cof_audit_log *log)
{
    struct cof_view rest = cof_buf_view(&log->waiting);
    enum cof_err err = COF_OK;

    while (rest.len > 0) {
        ssize_t n = write(log->fd, rest.data, rest.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            err = n == 0 ? COF_E_IO : cof_err_from_errno(errno);
            break;
        }
        rest = cof_view_sub(rest, (size_t)n, SIZE_MAX);
        log->bytes += (uint64_t)n;
        log->synced = false;
    }
    cof_buf_drop(&log->waiting, log->waiting.len - rest.len);
    return err;
}

/* A sync aside has ended. What was appended since it began is not durable yet. */
static void synced_aside(struct cof_audit_log *log, enum cof_err err)
{
    log->syncing.busy = false;
    log->forgotten = log->forgotten || err != COF_OK;
    if (err != COF_OK || log->syncing.chain.next <= log->durable.next)
        return;
    log->durable = log->syncing.chain;
    log->durable_bytes = log->syncing.bytes;
    log->synced = log->chain.next == log->durable.next && log->waiting.len == 0;
    log->row_bytes -= log->syncing.row_bytes;
    cof_buf_drop(&log->unsaved, log->syncing.unsaved);
    log->mark_unsaved -= log->syncing.unsaved;
}

static void look_aside(struct cof_audit_log *log, bool wait)
{
    enum cof_err err;

    if (log->syncing.busy && (wait ? cof_sync_aside_wait(log->aside, &err) : cof_sync_aside_look(log->aside, &err)))
        synced_aside(log, err);
}

/* The file is synced aside, unless it is already; only what was marked is in it for good. */
static void sync_aside(struct cof_audit_log *log)
{
    look_aside(log, false);
    if (log->syncing.busy || log->waiting.len > 0 || log->synced)
        return;
    log->syncing.chain = log->chain;
    log->syncing.bytes = log->bytes;
    log->syncing.unsaved = log->unsaved.len;
    log->syncing.row_bytes = log->row_bytes;
    log->syncing.busy = !log->forgotten && cof_sync_aside_start(log->aside, log->fd) == COF_OK;
    if (!log->syncing.busy)
        (void)cof_audit_log_make_durable(log);
}

enum cof_err cof_audit_log_flush(struct cof_audit_log *log)
{
    enum cof_err err = cof_audit_log_write_waiting(log);

    if (err == COF_OK && log->unsaved.len > UNSAVED_MAX)
        sync_aside(log);
    if (err == COF_OK && log->unsaved.len > UNSAVED_WAIT)
        err = cof_audit_log_make_durable(log);
    set_mark(log);
    return err;
}

/* At most ROW_MAX bytes of whole lines from the front. */
static struct cof_view whole_lines(struct cof_view v)
{
    size_t n = v.len;

    if (n <= ROW_MAX)
        return v;
    for (n = ROW_MAX; n > 0 && v.data[n - 1] != '\n'; n--)
        ;
    return cof_view_sub(v, 0, n == 0 ? v.len : n);
}

static enum cof_err drop_rows(struct cof_audit_log *log)
{
    char key[17], text[100], hex[65];
    enum cof_err err = COF_OK;

    while (err == COF_OK && log->n_dropping < log->n_rows && log->rows[log->n_dropping] < log->durable.next) {
        (void)snprintf(key, sizeof key, "%016llx", (unsigned long long)log->rows[log->n_dropping++]);
        err = log->store->remove(log->store->ctx, SPACE, cof_view_str(key));
    }
    if (err != COF_OK || log->head_kept == log->durable.next)
        return err;
    cof_hex_encode(log->durable.hash, sizeof log->durable.hash, hex);
    (void)snprintf(text, sizeof text, "%llu %s", (unsigned long long)(log->durable.next - 1), hex);
    err = log->store->put(log->store->ctx, SPACE, COF_LIT("head"), cof_view_str(text));
    log->head_kept = log->durable.next;
    return err;
}

enum cof_err cof_audit_log_save(struct cof_audit_log *log)
{
    struct cof_view rest = cof_buf_view(&log->unsaved);
    enum cof_err err = COF_OK;

    if (log->store == NULL)
        return COF_OK;
    log->head_before = log->head_kept;
    err = drop_rows(log);
    while (err == COF_OK && rest.len > 0) {
        struct cof_view lines = whole_lines(rest);
        struct cof_view first, tail;
        uint64_t sequence = 0;
        char key[17];

        if (log->n_rows + log->n_adding == COF_AUDIT_ROWS_MAX)
            return COF_E_LIMIT;
        (void)cof_view_split(lines, '\n', &first, &tail);
        err = cof_audit_sequence_read(first, &sequence);
        (void)snprintf(key, sizeof key, "%016llx", (unsigned long long)sequence);
        if (err == COF_OK)
            err = log->store->put(log->store->ctx, SPACE, cof_view_str(key), lines);
        if (err == COF_OK) {
            log->rows[log->n_rows + log->n_adding++] = sequence;
            log->adding_bytes += lines.len;
        }
        rest = cof_view_sub(rest, lines.len, SIZE_MAX);
    }
    return err;
}

void cof_audit_log_saved(struct cof_audit_log *log, bool kept, uint64_t *n_dropped)
{
    if (n_dropped != NULL)
        *n_dropped = 0;
    if (kept) {
        log->n_rows += log->n_adding - log->n_dropping;
        memmove(log->rows, log->rows + log->n_dropping, log->n_rows * sizeof log->rows[0]);
        log->n_adding = log->n_dropping = 0;
        log->row_bytes += log->adding_bytes;
        log->adding_bytes = 0;
        cof_buf_reset(&log->unsaved);
        log->syncing.unsaved = 0;
        (void)cof_audit_log_write_waiting(log); /* what is not written now is safe in the store, and tried again */
        if (log->n_rows > COF_AUDIT_ROWS_MAX / 4 || log->row_bytes > ROWS_BYTES)
            sync_aside(log);
        if (log->n_rows > COF_AUDIT_ROWS_MAX / 2)
            (void)cof_audit_log_make_durable(log);
        set_mark(log);
        return;
    }
    if (n_dropped != NULL)
        *n_dropped = log->chain.next - log->mark.next;
    log->n_adding = log->n_dropping = 0;
    log->adding_bytes = 0;
    log->head_kept = log->head_before;
    log->chain = log->mark;
    cof_buf_truncate(&log->unsaved, log->mark_unsaved);
    cof_buf_truncate(&log->waiting, log->mark_waiting);
}

/* All lines that the file does not have for sure: the store has them, or they are in no transaction yet. */
static enum cof_err lines_not_durable(const struct cof_audit_log *log, struct cof_buf *out)
{
    enum cof_err err = COF_OK;
    char key[17];

    for (size_t i = 0; i < log->n_rows && err == COF_OK; i++) {
        if (log->rows[i] < log->durable.next)
            continue;
        (void)snprintf(key, sizeof key, "%016llx", (unsigned long long)log->rows[i]);
        err = log->store->get(log->store->ctx, SPACE, cof_view_str(key), out);
    }
    cof_buf_add(out, cof_buf_view(&log->unsaved));
    return err == COF_OK ? cof_buf_err(out) : err;
}

/* Writes them once more, over themselves, so that the next sync has something to write. */
static enum cof_err write_again(struct cof_audit_log *log)
{
    int flags = fcntl(log->fd, F_GETFL);
    uint64_t at = log->durable_bytes;
    struct cof_view rest;
    struct cof_buf lines;
    enum cof_err err;

    cof_buf_init(&lines, (size_t)1 << 28);
    err = lines_not_durable(log, &lines);
    if (err == COF_OK && (lines.len != log->bytes - at || flags < 0 || fcntl(log->fd, F_SETFL, flags & ~O_APPEND) != 0))
        err = COF_E_IO;
    rest = cof_buf_view(&lines);
    while (err == COF_OK && rest.len > 0) {
        ssize_t n = pwrite(log->fd, rest.data, rest.len, (off_t)at);

        if (n <= 0 && errno != EINTR)
            err = n == 0 ? COF_E_IO : cof_err_from_errno(errno);
        rest = cof_view_sub(rest, n <= 0 ? 0 : (size_t)n, SIZE_MAX);
        at += n <= 0 ? 0 : (uint64_t)n;
    }
    if (flags >= 0 && fcntl(log->fd, F_SETFL, flags) != 0)
        err = COF_E_IO;
    cof_buf_done(&lines);
    log->forgotten = err != COF_OK;
    return err;
}

enum cof_err cof_audit_log_make_durable(struct cof_audit_log *log)
{
    enum cof_err err;

    look_aside(log, true);
    if (log->waiting.len > 0)
        return COF_E_NO_SPACE;
    if (log->synced)
        return COF_OK;
    if (log->forgotten && (err = write_again(log)) != COF_OK)
        return err;
    if (fdatasync(log->fd) != 0) {
        log->forgotten = true;
        return cof_err_from_errno(errno);
    }
    log->synced = true;
    log->durable = log->chain;
    log->durable_bytes = log->bytes;
    log->row_bytes = 0;
    cof_buf_reset(&log->unsaved);
    return COF_OK;
}

static enum cof_err sign(struct cof_audit_log *log, int64_t now_ms)
{
    struct cof_audit_place place = {log->account, log->region, now_ms};
    size_t start = log->waiting.len;
    char id[40];
    enum cof_err err = cof_uuid_new(log->rng, id);

    if (err == COF_OK)
        err = cof_audit_sign(&log->chain, log->key, &place, id, &log->waiting);
    if (err != COF_OK)
        return err;
    cof_buf_add(&log->unsaved, cof_view_sub(cof_buf_view(&log->waiting), start, SIZE_MAX));
    log->signed_next = log->chain.next;
    log->signed_ms = now_ms;
    return COF_OK;
}

/* The file gets the name of its first record and a new one takes its place. */
static enum cof_err rotate(struct cof_audit_log *log, int64_t now_ms)
{
    char old[PATH_MAX];
    size_t stem = strlen(log->path);
    enum cof_err err;

    if (stem > 6 && strcmp(log->path + stem - 6, ".jsonl") == 0)
        stem -= 6;
    if (snprintf(old, sizeof old, "%.*s-%016llu.jsonl", (int)stem, log->path, (unsigned long long)log->first) >= (int)sizeof old)
        return COF_E_USAGE;
    if (rename(log->path, old) != 0)
        return cof_err_from_errno(errno);
    err = cof_file_sync_folder(log->path);
    return err == COF_OK ? cof_audit_log_reopen(log, now_ms) : err;
}

/* The store learns where the file ends. */
static void keep_head(struct cof_audit_log *log)
{
    if (log->store == NULL || log->store->dirty(log->store->ctx) || log->head_kept == log->durable.next)
        return;
    if (log->store->begin(log->store->ctx) == COF_OK && cof_audit_log_save(log) == COF_OK)
        cof_audit_log_saved(log, log->store->commit(log->store->ctx) == COF_OK, NULL);
    else
        log->store->abandon(log->store->ctx);
}

enum cof_err cof_audit_log_sync(struct cof_audit_log *log, int64_t now_ms, bool sign_now)
{
    uint64_t n_unsigned = log->chain.next - log->signed_next;
    enum cof_err err = cof_audit_log_write_waiting(log);

    if (err == COF_OK && log->key != NULL && n_unsigned > 0 &&
        (sign_now || n_unsigned >= SIGN_LINES || now_ms - log->signed_ms >= SIGN_MS))
        err = sign(log, now_ms);
    if (err == COF_OK)
        err = cof_audit_log_write_waiting(log);
    if (err == COF_OK)
        err = cof_audit_log_make_durable(log);
    set_mark(log);
    if (err == COF_OK && log->durable.next - log->head_kept > HEAD_LAG)
        keep_head(log);
    if (err == COF_OK && log->rotate_bytes > 0 && log->bytes >= log->rotate_bytes)
        err = rotate(log, now_ms);
    return err;
}

bool cof_audit_log_is_synced(const struct cof_audit_log *log)
{
    return log->synced && log->waiting.len == 0;
}

enum cof_err cof_audit_log_reopen(struct cof_audit_log *log, int64_t now_ms)
{
    enum cof_err err = cof_audit_log_write_waiting(log);
    struct stat st;
    int fd;

    if (err == COF_OK)
        err = cof_audit_log_make_durable(log);
    if (err != COF_OK)
        return err;
    fd = open(log->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return cof_err_from_errno(errno);
    if (fstat(fd, &st) != 0) {
        (void)close(fd);
        return COF_E_IO;
    }
    (void)close(log->fd);
    log->fd = fd;
    log->bytes = log->durable_bytes = (uint64_t)st.st_size;
    if (log->bytes > 0)
        return COF_OK; /* the same file, or one that somebody began: checking it is the next start's */
    log->first = log->chain.next;
    err = cof_file_sync_folder(log->path);
    if (err == COF_OK)
        err = cof_audit_log_own(log, "ContinueLog", (struct cof_view){0}, now_ms);
    return err == COF_OK ? cof_audit_log_sync(log, now_ms, false) : err;
}

void cof_audit_log_stat(const struct cof_audit_log *log, struct cof_audit_log_stat *out)
{
    *out = (struct cof_audit_log_stat){log->n_records, log->bytes, log->waiting.len, log->chain};
}

void cof_audit_log_close(struct cof_audit_log *log, int64_t now_ms)
{
    if (log == NULL)
        return;
    if (log->fd >= 0) {
        (void)cof_audit_log_sync(log, now_ms, true);
        keep_head(log);
        look_aside(log, true);
        (void)close(log->fd);
    }
    cof_sync_aside_free(log->aside);
    cof_buf_done(&log->waiting);
    cof_buf_done(&log->unsaved);
    free(log->path);
    free(log);
}
