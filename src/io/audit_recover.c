/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening an audit log: where the file ends, what the store knows, and how the one is brought up to the other.
 */
#include "io/audit_log_state.h"

#include "base/codec.h"
#include "base/num.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL_MAX (2 * COF_AUDIT_LINE_MAX)
#define SIGNED "\"eventSource\":\"" COF_AUDIT_SOURCE "\",\"eventName\":\"SignChain\""
#define ROOM ((size_t)1 << 20)
#define WAITING_MAX (COF_AUDIT_BACKLOG_MAX + ((size_t)64 << 20)) /* lines of the store are not counted against the backlog */

/* What the store says: rows of lines from first on (empty: none), and the number and hash the file had when last synced. */
struct known {
    struct cof_audit_log *log;
    struct cof_buf lines;
    struct cof_audit_chain head;
    bool has_head, bad;
};

static bool read_row(void *arg, struct cof_view key, struct cof_view value)
{
    struct known *k = arg;
    struct cof_view number, hex;
    uint8_t number8[8];
    uint64_t n;

    if (cof_view_eq_str(key, "head")) {
        if (!cof_view_split(value, ' ', &number, &hex) || cof_parse_u64(number, INT64_MAX, &n) != COF_OK ||
            cof_hex_decode_fixed(hex, k->head.hash, 32) != COF_OK) {
            k->bad = true;
            return false;
        }
        k->head.next = n + 1;
        k->has_head = true;
        return true;
    }
    if (k->log->n_rows == COF_AUDIT_ROWS_MAX || cof_hex_decode_fixed(key, number8, sizeof number8) != COF_OK) {
        k->bad = true;
        return false;
    }
    n = 0;
    for (size_t i = 0; i < sizeof number8; i++)
        n = n << 8 | number8[i];
    k->log->rows[k->log->n_rows++] = n;
    cof_buf_add(&k->lines, value);
    return true;
}

/* The end of the file: its last whole line, and what follows it without a newline. */
struct ending {
    struct cof_buf tail;
    struct cof_audit_link last;
    struct cof_view torn;
    bool has_last, unreadable, is_signed;
};

/* The number of the file's first record; 1 when it has none. */
static enum cof_err read_first(struct cof_audit_log *log)
{
    static const char prefix[] = "{\"sequence\":";
    char start[64];
    ssize_t n = pread(log->fd, start, sizeof start, 0);
    struct cof_view v, number;

    log->first = 1;
    if (n < 0)
        return cof_err_from_errno(errno);
    v = cof_view_of(start, (size_t)n);
    if (!cof_view_starts(v, cof_view_str(prefix)))
        return COF_OK;
    (void)cof_view_split(cof_view_sub(v, sizeof prefix - 1, SIZE_MAX), ',', &number, &v);
    if (cof_parse_u64(number, INT64_MAX, &log->first) != COF_OK)
        log->first = 1;
    return COF_OK;
}

static enum cof_err read_ending(struct cof_audit_log *log, struct ending *e)
{
    struct stat st;
    struct cof_view v, line;
    size_t from, at;
    ssize_t n;

    if (fstat(log->fd, &st) != 0 || read_first(log) != COF_OK)
        return COF_E_IO;
    log->bytes = (uint64_t)st.st_size;
    from = log->bytes > TAIL_MAX ? (size_t)log->bytes - TAIL_MAX : 0;
    if (cof_buf_reserve(&e->tail, (size_t)log->bytes - from + 1) != COF_OK)
        return COF_E_MEMORY;
    while ((n = pread(log->fd, e->tail.data + e->tail.len, (size_t)log->bytes - from - e->tail.len, (off_t)(from + e->tail.len))) > 0)
        e->tail.len += (size_t)n;
    if (n < 0)
        return cof_err_from_errno(errno);
    v = cof_buf_view(&e->tail);
    for (at = v.len; at > 0 && v.data[at - 1] != '\n'; at--)
        ;
    e->torn = cof_view_sub(v, at, SIZE_MAX);
    if (at == 0) {
        e->unreadable = from > 0;
        return COF_OK;
    }
    line = cof_view_sub(v, 0, at - 1);
    for (at = line.len; at > 0 && line.data[at - 1] != '\n'; at--)
        ;
    line = cof_view_sub(line, at, SIZE_MAX);
    e->has_last = cof_audit_link_read(line, &e->last) == COF_OK;
    e->is_signed = memmem(line.data, line.len, SIGNED, sizeof SIGNED - 1) != NULL;
    e->unreadable = !e->has_last;
    return COF_OK;
}

static enum cof_err changed(const struct cof_audit_log *log, struct cof_diag *diag, const char *what)
{
    (void)cof_diag_set(diag, COF_E_AUTH, "the audit log %s was changed: %s", log->path, what);
    cof_diag_hint(diag, "put the file back, or run `coffer-local check --repair`: it puts this one aside and records that it did");
    return COF_E_AUTH;
}

/* What stands at the end without a newline and is not in the store belongs to a request that was not answered: a whole
 * record stays one, a part of one stays and is spoken of. */
static enum cof_err end_torn(struct cof_audit_log *log, struct cof_view torn, int64_t now_ms)
{
    struct cof_audit_link link;
    struct cof_buf data;
    enum cof_err err;

    cof_buf_add_u8(&log->waiting, '\n');
    if (cof_audit_link_read(torn, &link) == COF_OK && link.sequence == log->chain.next && torn.data[torn.len - 1] == '}' &&
        memcmp(link.previous, log->chain.hash, 32) == 0) {
        log->chain.next = link.sequence + 1;
        memcpy(log->chain.hash, link.hash, 32);
        return cof_buf_err(&log->waiting);
    }
    cof_buf_init(&data, 512);
    cof_audit_torn_data(torn, &data);
    err = cof_audit_log_own(log, "TornRecord", cof_buf_view(&data), now_ms);
    cof_buf_done(&data);
    return err;
}

/* Goes through the store's lines: those the file has must be the same, the others are written to it. */
static enum cof_err replay(struct cof_audit_log *log, const struct known *k, struct ending *e, int64_t now_ms, struct cof_diag *diag)
{
    struct cof_view rest = cof_buf_view(&k->lines), line;
    enum cof_err err = COF_OK;
    bool torn = e->torn.len > 0;

    while (err == COF_OK && rest.len > 0) {
        struct cof_audit_link link;

        (void)cof_view_split(rest, '\n', &line, &rest);
        if (cof_audit_link_read(line, &link) != COF_OK)
            return cof_diag_set(diag, COF_E_IO, "the store's records for the audit log are damaged");
        if (link.sequence < log->chain.next) {
            if (link.sequence + 1 == log->chain.next && memcmp(link.hash, log->chain.hash, 32) != 0)
                return changed(log, diag, "its last record is not the one that was written");
            continue;
        }
        if (link.sequence > log->chain.next)
            return changed(log, diag, "records at its end are missing");
        if (memcmp(link.previous, log->chain.hash, 32) != 0)
            return changed(log, diag, "its last record is not the one that was written");
        if (torn && cof_view_starts(line, e->torn)) {
            cof_buf_add(&log->waiting, cof_view_sub(line, e->torn.len, SIZE_MAX));
        } else if (torn) {
            return changed(log, diag, "its unfinished last line is not what was being written");
        } else {
            cof_buf_add(&log->waiting, line);
        }
        torn = false;
        cof_buf_add_u8(&log->waiting, '\n');
        log->chain.next = link.sequence + 1;
        memcpy(log->chain.hash, link.hash, 32);
        err = cof_buf_err(&log->waiting);
        if (err == COF_OK && log->waiting.len > ROOM)
            err = cof_audit_log_write_waiting(log);
    }
    return err == COF_OK && torn ? end_torn(log, e->torn, now_ms) : err;
}

static enum cof_err recover(struct cof_audit_log *log, struct known *k, struct ending *e, int64_t now_ms, struct cof_diag *diag)
{
    uint64_t has = e->has_last ? e->last.sequence : 0;

    if (e->unreadable)
        return changed(log, diag, "its last line is no record");
    if (k->has_head && (has + 1 < k->head.next || (has + 1 == k->head.next && has > 0 && memcmp(e->last.hash, k->head.hash, 32) != 0)))
        return changed(log, diag, has == 0 ? "it is gone or empty" : has + 1 < k->head.next ? "records at its end are missing" :
            "its last record is not the one that was written");
    if (e->has_last) {
        log->chain.next = has + 1;
        memcpy(log->chain.hash, e->last.hash, 32);
    }
    return replay(log, k, e, now_ms, diag);
}

/* The chain goes on in a new file, from the last the store knows, and the first record says why. */
static enum cof_err put_aside(struct cof_audit_log *log, struct known *k, const struct ending *e, int64_t now_ms, struct cof_diag *diag)
{
    struct cof_view rest = cof_buf_view(&k->lines), line;
    struct cof_buf data;
    char aside[PATH_MAX];
    enum cof_err err;

    if (snprintf(aside, sizeof aside, "%s.damaged-%lld", log->path, (long long)now_ms) >= (int)sizeof aside)
        return COF_E_USAGE;
    if (rename(log->path, aside) != 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "cannot rename %s: %s", log->path, strerror(errno));
    (void)close(log->fd);
    log->fd = open(log->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (log->fd < 0)
        return cof_diag_set(diag, COF_E_IO, "cannot make %s: %s", log->path, strerror(errno));
    cof_buf_reset(&log->waiting);
    log->bytes = 0;
    log->chain = k->has_head ? k->head : (struct cof_audit_chain){.next = 1};
    while (rest.len > 0) {
        struct cof_audit_link link;

        (void)cof_view_split(rest, '\n', &line, &rest);
        if (cof_audit_link_read(line, &link) != COF_OK || link.sequence < log->chain.next)
            continue;
        log->first = log->waiting.len == 0 ? link.sequence : log->first;
        cof_buf_add(&log->waiting, line);
        cof_buf_add_u8(&log->waiting, '\n');
        log->chain.next = link.sequence + 1;
        memcpy(log->chain.hash, link.hash, 32);
    }
    log->first = log->waiting.len == 0 ? log->chain.next : log->first;
    cof_buf_init(&data, 512);
    cof_buf_printf(&data, "{\"lastRecordFound\":%llu,\"lastRecordKnown\":%llu}", (unsigned long long)(e->has_last ? e->last.sequence : 0),
        (unsigned long long)(log->chain.next - 1));
    err = cof_audit_log_own(log, "LogPutAside", cof_buf_view(&data), now_ms);
    cof_buf_done(&data);
    return err;
}

static enum cof_err open_file(struct cof_audit_log *log, struct cof_diag *diag)
{
    log->fd = open(log->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log->fd < 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "cannot open %s: %s", log->path, strerror(errno));
    return cof_file_sync_folder(log->path);
}

enum cof_err cof_audit_log_open(const struct cof_audit_log_opts *opts, int64_t now_ms, struct cof_audit_log **out,
                                struct cof_diag *diag)
{
    struct cof_audit_log *log = calloc(1, sizeof *log);
    struct known k = {.log = log};
    struct ending e = {.has_last = false};
    enum cof_err err = COF_OK;

    *out = NULL;
    if (log == NULL)
        return COF_E_MEMORY;
    log->fd = -1;
    log->store = opts->store;
    log->rng = opts->rng;
    log->key = opts->key;
    log->rotate_bytes = opts->rotate_bytes;
    log->signed_ms = now_ms;
    (void)snprintf(log->account, sizeof log->account, "%s", opts->account);
    (void)snprintf(log->region, sizeof log->region, "%s", opts->region);
    cof_audit_chain_init(&log->chain);
    cof_buf_init(&log->waiting, WAITING_MAX);
    cof_buf_init(&log->unsaved, WAITING_MAX);
    cof_buf_init(&k.lines, WAITING_MAX);
    cof_buf_init(&e.tail, TAIL_MAX + 1);
    log->path = strdup(opts->path);
    err = log->path == NULL ? COF_E_MEMORY : open_file(log, diag);
    if (err == COF_OK && log->store != NULL)
        err = log->store->scan(log->store->ctx, "audit", (struct cof_view){0}, (struct cof_view){0}, SIZE_MAX, read_row, &k);
    if (err == COF_OK && (k.bad || cof_buf_err(&k.lines) != COF_OK))
        err = cof_diag_set(diag, COF_E_IO, "the store's records for the audit log are damaged");
    if (err == COF_OK)
        err = read_ending(log, &e);
    if (err == COF_OK) {
        err = recover(log, &k, &e, now_ms, diag);
        if (err == COF_E_AUTH && opts->repair)
            err = put_aside(log, &k, &e, now_ms, diag);
    }
    if (err == COF_OK) {
        log->signed_next = e.is_signed ? e.last.sequence + 1 : log->chain.next == 1 ? 1 : 0;
        err = cof_audit_log_flush(log);
    }
    if (err == COF_OK)
        err = cof_audit_log_make_durable(log);
    if (err == COF_OK) {
        log->durable = log->chain;
        log->synced = true;
        cof_buf_reset(&log->unsaved);
    }
    cof_buf_done(&k.lines);
    cof_buf_done(&e.tail);
    if (err != COF_OK) {
        if (log->fd >= 0)
            (void)close(log->fd);
        log->fd = -1;
        cof_audit_log_close(log, now_ms);
        return err;
    }
    *out = log;
    return COF_OK;
}
