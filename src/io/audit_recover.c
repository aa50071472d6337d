/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening an audit log: where the file ends, what the store knows, and how the one is brought up to the other.
 */
#include "io/audit_log_state.h"

#include "base/codec.h"
#include "base/num.h"
#include "format/json.h"
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL_MAX ((size_t)1 << 30)
#define SIGNED "\"eventSource\":\"" COF_AUDIT_SOURCE "\",\"eventName\":\"SignChain\""
#define TORN "\"eventSource\":\"" COF_AUDIT_SOURCE "\",\"eventName\":\"TornRecord\""
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

/* The file from the last record on that it has for sure: lines that follow from each other, then what a crash or a power cut left. */
struct ending {
    struct cof_buf tail;
    uint64_t at;     /* where in the file it begins */
    size_t good;     /* of tail: whole records that follow from each other */
    uint64_t last;   /* number of the last of them; 0: none */
    bool is_signed;  /* that one is a signature */
};

static enum cof_err changed(const struct cof_audit_log *log, struct cof_diag *diag, const char *what)
{
    (void)cof_diag_set(diag, COF_E_AUTH, "the audit log %s was changed: %s", log->path, what);
    cof_diag_hint(diag, "put the file back, or run `coffer-local check --repair`: it puts this one aside and records that it did");
    return COF_E_AUTH;
}

static enum cof_err read_at(int fd, uint64_t from, size_t len, struct cof_buf *out)
{
    enum cof_err err = cof_buf_reserve(out, len);
    ssize_t n = 1;

    while (err == COF_OK && len > 0 && n != 0) {
        n = pread(fd, out->data + out->len, len, (off_t)from);
        if (n < 0 && errno != EINTR)
            return cof_err_from_errno(errno);
        if (n > 0) {
            out->len += (size_t)n;
            from += (uint64_t)n;
            len -= (size_t)n;
        }
    }
    return err;
}

/* Where the line of that number begins, looked for from the file's end. COF_E_NOT_FOUND. */
static enum cof_err find_line(const struct cof_audit_log *log, uint64_t number, uint64_t *at)
{
    char needle[48];
    size_t len = (size_t)snprintf(needle, sizeof needle, "\n{\"sequence\":%llu,", (unsigned long long)number);
    enum cof_err err = COF_E_NOT_FOUND;
    struct cof_buf block;

    cof_buf_init(&block, ROOM + sizeof needle);
    for (uint64_t end = log->bytes, from; err == COF_E_NOT_FOUND && end > 0; end = from) {
        const uint8_t *next;

        from = end > ROOM ? end - ROOM : 0;
        cof_buf_reset(&block);
        if (read_at(log->fd, from, (size_t)(end - from) + len, &block) != COF_OK)
            err = COF_E_IO;
        for (next = block.data; (next = memmem(next, (size_t)(block.data + block.len - next), needle, len)) != NULL; next++) {
            *at = from + (size_t)(next - block.data) + 1;
            err = COF_OK;
        }
        if (err == COF_E_NOT_FOUND && from == 0 && cof_view_starts(cof_buf_view(&block), cof_view_of(needle + 1, len - 1))) {
            *at = 0;
            err = COF_OK;
        }
    }
    cof_buf_done(&block);
    return err;
}

/* Whether a line is what the store has under its number, if it has it. rest: the store's lines; those before it are dropped. */
static bool is_as_known(struct cof_view *rest, const struct cof_audit_link *link, struct cof_view line)
{
    struct cof_view known, after;
    struct cof_audit_link other;

    for (; rest->len > 0; *rest = after) {
        (void)cof_view_split(*rest, '\n', &known, &after);
        if (cof_audit_link_read(known, &other) != COF_OK || other.sequence > link->sequence)
            return true;
        if (other.sequence == link->sequence)
            return cof_view_eq(known, line);
    }
    return true;
}

/* A whole one: what was torn behind an inner brace is none. */
static bool is_record(struct cof_view line, struct cof_audit_link *link)
{
    json_t *record = NULL;
    bool whole = cof_audit_link_read(line, link) == COF_OK && cof_json_parse_object(line, COF_AUDIT_LINE_MAX, &record, NULL) == COF_OK;

    json_decref(record);
    return whole;
}

static bool is_next(const struct cof_audit_log *log, struct cof_view line, struct cof_audit_link *link)
{
    return is_record(line, link) && link->sequence == log->chain.next && memcmp(link->previous, log->chain.hash, 32) == 0;
}

/* Goes through lines as far as each follows from the one before, and returns how many bytes those are. A line that is no record counts
 * where the next one says that a crash left it. */
static size_t follow(struct cof_audit_log *log, struct cof_view lines, struct cof_view known, struct ending *e)
{
    struct cof_view rest = lines, line;
    size_t good = 0;
    bool torn = false;

    while (cof_view_find(rest, '\n') != SIZE_MAX) {
        struct cof_audit_link link;
        bool follows;

        (void)cof_view_split(rest, '\n', &line, &rest);
        follows = is_next(log, line, &link) && is_as_known(&known, &link, line) &&
            (!torn || memmem(line.data, line.len, TORN, sizeof TORN - 1) != NULL);
        if (!follows && torn)
            break;
        torn = !follows;
        if (torn)
            continue;
        good = lines.len - rest.len;
        log->chain.next = link.sequence + 1;
        memcpy(log->chain.hash, link.hash, 32);
        e->last = link.sequence;
        e->is_signed = memmem(line.data, line.len, SIGNED, sizeof SIGNED - 1) != NULL;
    }
    return good;
}

/* The file's first line, where it is a record. */
static enum cof_err read_first(struct cof_audit_log *log, struct cof_audit_link *first, bool *begun)
{
    struct cof_view line, rest;
    struct cof_buf start;
    enum cof_err err;

    cof_buf_init(&start, COF_AUDIT_LINE_MAX + 1);
    err = read_at(log->fd, 0, log->bytes < start.max ? (size_t)log->bytes : start.max, &start);
    *begun = err == COF_OK && cof_view_split(cof_buf_view(&start), '\n', &line, &rest) && is_record(line, first);
    log->first = *begun ? first->sequence : 1;
    cof_buf_done(&start);
    return err;
}

/* Reads the file from the record on that it has for sure. COF_E_NOT_FOUND: it does not even begin. */
static enum cof_err read_ending(struct cof_audit_log *log, const struct known *k, struct ending *e, struct cof_diag *diag)
{
    uint64_t head = k->has_head ? k->head.next - 1 : 0;
    struct cof_audit_link first;
    struct cof_view line, rest;
    struct stat st;
    bool begun;
    enum cof_err err;

    cof_buf_reset(&e->tail);
    *e = (struct ending){.tail = e->tail};
    cof_audit_chain_init(&log->chain);
    if (fstat(log->fd, &st) != 0)
        return COF_E_IO;
    log->bytes = (uint64_t)st.st_size;
    err = read_first(log, &first, &begun);
    if (err == COF_OK && begun && head >= first.sequence && (err = find_line(log, head, &e->at)) == COF_E_NOT_FOUND)
        return changed(log, diag, "records at its end are missing");
    if (err == COF_OK)
        err = read_at(log->fd, e->at, (size_t)(log->bytes - e->at), &e->tail);
    if (err != COF_OK || !begun)
        return err != COF_OK ? err : COF_E_NOT_FOUND;
    (void)cof_view_split(cof_buf_view(&e->tail), '\n', &line, &rest);
    if (e->at > 0 && cof_audit_link_read(line, &first) != COF_OK)
        first.sequence = 0;
    if (head >= log->first && (first.sequence != head || memcmp(first.hash, k->head.hash, 32) != 0))
        return changed(log, diag, "its last record is not the one that was written");
    log->chain.next = first.sequence;
    if (first.sequence > 1) /* the one before is in an older part; where the store knows it, it must be that one */
        memcpy(log->chain.hash, first.sequence == head + 1 ? k->head.hash : first.previous, 32);
    e->good = follow(log, cof_buf_view(&e->tail), cof_buf_view(&k->lines), e);
    return e->good > 0 ? COF_OK : changed(log, diag, "its first record is not the one that was written");
}

/* The store's lines that the file does not have. */
static enum cof_err lines_missing(const struct cof_audit_log *log, const struct known *k, struct cof_buf *out, struct cof_audit_chain *end,
                                  struct cof_diag *diag)
{
    struct cof_view rest = cof_buf_view(&k->lines), line;

    *end = log->chain;
    while (rest.len > 0) {
        struct cof_audit_link link;

        (void)cof_view_split(rest, '\n', &line, &rest);
        if (cof_audit_link_read(line, &link) != COF_OK)
            return cof_diag_set(diag, COF_E_IO, "the store's records for the audit log are damaged");
        if (link.sequence < end->next)
            continue;
        if (link.sequence > end->next)
            return changed(log, diag, "records at its end are missing");
        if (memcmp(link.previous, end->hash, 32) != 0)
            return changed(log, diag, "its last record is not the one that was written");
        cof_buf_add(out, line);
        cof_buf_add_u8(out, '\n');
        end->next = link.sequence + 1;
        memcpy(end->hash, link.hash, 32);
    }
    return cof_buf_err(out);
}

/* Whether a power cut explains what is found where these bytes were written: it leaves the bytes, or zeros. */
static bool is_holed(struct cof_view found, struct cof_view written)
{
    for (size_t i = 0; i < found.len && i < written.len; i++)
        if (found.data[i] != written.data[i] && found.data[i] != 0)
            return false;
    return true;
}

static bool has_bytes(struct cof_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] != 0)
            return true;
    return false;
}

/* Bytes that no longer have a place in the log go to a file beside it, and a record tells of them. */
static enum cof_err keep_aside(struct cof_audit_log *log, struct cof_view lost, int64_t now_ms, struct cof_diag *diag)
{
    char aside[PATH_MAX];

    if (!has_bytes(lost))
        return COF_OK;
    if (snprintf(aside, sizeof aside, "%s.damaged-%lld", log->path, (long long)now_ms) >= (int)sizeof aside)
        return COF_E_USAGE;
    return cof_file_write(aside, lost, 0600, diag);
}

static enum cof_err tell_torn(struct cof_audit_log *log, struct cof_view torn, int64_t now_ms)
{
    struct cof_buf data;
    enum cof_err err = cof_audit_log_write_waiting(log); /* a record takes its place behind what waits, if that is not too much */

    cof_buf_init(&data, 512);
    cof_audit_torn_data(torn, &data);
    if (err == COF_OK)
        err = cof_audit_log_own(log, "TornRecord", cof_buf_view(&data), now_ms);
    cof_buf_done(&data);
    return err;
}

/* What stands at the end without a newline and is not in the store belongs to a request that changed nothing: a whole record stays
 * one, a part of one stays and is spoken of. */
static enum cof_err end_torn(struct cof_audit_log *log, struct cof_view torn, int64_t now_ms)
{
    struct cof_audit_link link;

    cof_buf_add_u8(&log->waiting, '\n');
    if (is_next(log, torn, &link)) {
        log->chain.next = link.sequence + 1;
        memcpy(log->chain.hash, link.hash, 32);
        return cof_buf_err(&log->waiting);
    }
    return tell_torn(log, torn, now_ms);
}

/* A power cut may have kept what was written later and lost what was written before. The file is cut where it first lacks something, and
 * goes on with what the store has, and with what then still follows. The cut is durable before anything is written anew, so that a second
 * power cut finds no mixture. */
static enum cof_err mend_holes(struct cof_audit_log *log, const struct known *k, struct ending *e, struct cof_view missing,
                               const struct cof_audit_chain *end, int64_t now_ms, struct cof_diag *diag)
{
    struct cof_view beyond = cof_view_sub(cof_buf_view(&e->tail), e->good + missing.len, SIZE_MAX), lost;
    size_t good;
    enum cof_err err;

    log->chain = *end;
    good = follow(log, beyond, cof_buf_view(&k->lines), e);
    lost = cof_view_sub(beyond, good, SIZE_MAX);
    err = keep_aside(log, lost, now_ms, diag);
    if (err != COF_OK)
        return err;
    if (ftruncate(log->fd, (off_t)(e->at + e->good)) != 0 || fdatasync(log->fd) != 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "cannot mend %s: %s", log->path, strerror(errno));
    log->bytes = e->at + e->good;
    cof_buf_add(&log->waiting, missing);
    cof_buf_add(&log->waiting, cof_view_sub(beyond, 0, good));
    return lost.len > 0 ? tell_torn(log, lost, now_ms) : cof_buf_err(&log->waiting);
}

/* Brings the end of the file up to what the store knows. */
static enum cof_err settle(struct cof_audit_log *log, const struct known *k, struct ending *e, int64_t now_ms, struct cof_diag *diag)
{
    struct cof_view rest = cof_view_sub(cof_buf_view(&e->tail), e->good, SIZE_MAX);
    struct cof_audit_chain end;
    struct cof_buf missing;
    enum cof_err err;

    cof_buf_init(&missing, WAITING_MAX);
    err = lines_missing(log, k, &missing, &end, diag);
    if (err == COF_OK && !is_holed(rest, cof_buf_view(&missing)))
        err = changed(log, diag, "what stands at its end is not what was being written");
    if (err != COF_OK)
        goto out;
    if (cof_view_starts(cof_buf_view(&missing), rest)) {
        cof_buf_add(&log->waiting, cof_view_sub(cof_buf_view(&missing), rest.len, SIZE_MAX));
        log->chain = end;
        err = cof_buf_err(&log->waiting);
    } else if (missing.len == 0 && e->good > 0 && memchr(rest.data, '\n', rest.len) == NULL && memchr(rest.data, 0, rest.len) == NULL) {
        err = end_torn(log, rest, now_ms);
    } else {
        err = mend_holes(log, k, e, cof_buf_view(&missing), &end, now_ms, diag);
    }
out:
    cof_buf_done(&missing);
    return err;
}

/* Of the parts DIR/audit-N.jsonl the one with the largest N; an empty name: there is none. */
static void find_older(const struct cof_audit_log *log, char out[PATH_MAX])
{
    size_t stem = strlen(log->path), folder;
    const char *slash = strrchr(log->path, '/');
    const struct dirent *entry;
    char best[NAME_MAX + 1] = "", dir[PATH_MAX];
    DIR *all;

    stem -= stem > 6 && strcmp(log->path + stem - 6, ".jsonl") == 0 ? 6 : 0;
    folder = slash == NULL ? 0 : (size_t)(slash - log->path) + 1;
    (void)snprintf(dir, sizeof dir, "%.*s", slash == NULL ? 1 : (int)folder, slash == NULL ? "." : log->path);
    out[0] = '\0';
    all = opendir(dir);
    while (all != NULL && (entry = readdir(all)) != NULL) {
        size_t name = stem - folder;

        if (strlen(entry->d_name) == name + 23 && strncmp(entry->d_name, log->path + folder, name) == 0 && entry->d_name[name] == '-' &&
            strspn(entry->d_name + name + 1, "0123456789") == 16 && strcmp(entry->d_name + name + 17, ".jsonl") == 0 &&
            strcmp(entry->d_name, best) > 0)
            (void)snprintf(best, sizeof best, "%s", entry->d_name);
    }
    if (all != NULL)
        (void)closedir(all);
    if (best[0] != '\0' && snprintf(out, PATH_MAX, "%.*s%s", (int)folder, log->path, best) >= PATH_MAX)
        out[0] = '\0';
}

/* A power cut may leave a file that was being renamed under both names. */
static void drop_other_name(const struct cof_audit_log *log)
{
    struct stat here, there;
    char path[PATH_MAX];

    find_older(log, path);
    if (path[0] != '\0' && lstat(path, &there) == 0 && fstat(log->fd, &here) == 0 && here.st_dev == there.st_dev && here.st_ino == there.st_ino)
        (void)unlink(path);
}

/* The new file of a rotation: what a power cut left of its first record. */
static enum cof_err empty_new(struct cof_audit_log *log, int fd, struct cof_view torn, int64_t now_ms, struct cof_diag *diag)
{
    enum cof_err err = keep_aside(log, torn, now_ms, diag);

    if (err == COF_OK && torn.len > 0 && (ftruncate(fd, 0) != 0 || fdatasync(fd) != 0))
        err = cof_diag_set(diag, cof_err_from_errno(errno), "cannot mend %s: %s", log->path, strerror(errno));
    return err;
}

/* The file has nothing: it was begun by a rotation that did not come to its end, if the part before it has what it should have. That
 * part is brought to its end first. */
static enum cof_err resume_rotation(struct cof_audit_log *log, const struct known *k, struct ending *e, int64_t now_ms, struct cof_diag *diag)
{
    struct cof_buf torn = e->tail;
    char path[PATH_MAX];
    int fresh = log->fd;
    enum cof_err err = COF_E_NOT_FOUND;

    cof_buf_init(&e->tail, TAIL_MAX);
    find_older(log, path);
    log->fd = path[0] == '\0' ? -1 : open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (log->fd >= 0)
        err = read_ending(log, k, e, NULL);
    if (err == COF_OK && e->last + 1 < k->head.next)
        err = COF_E_NOT_FOUND;
    if (err == COF_OK)
        err = settle(log, k, e, now_ms, diag);
    else if (err == COF_E_NOT_FOUND || err == COF_E_AUTH)
        err = changed(log, diag, torn.len == 0 ? "it is gone or empty" : "its first line is no record");
    if (err == COF_OK)
        err = cof_audit_log_write_waiting(log);
    if (err == COF_OK)
        err = cof_audit_log_make_durable(log);
    if (err == COF_OK)
        err = empty_new(log, fresh, cof_buf_view(&torn), now_ms, diag);
    cof_buf_done(&torn);
    if (err == COF_OK) {
        (void)close(fresh);
        return cof_audit_log_reopen(log, now_ms);
    }
    if (log->fd >= 0)
        (void)close(log->fd);
    log->fd = fresh;
    return err;
}

static enum cof_err recover(struct cof_audit_log *log, const struct known *k, struct ending *e, int64_t now_ms, struct cof_diag *diag)
{
    char older[PATH_MAX];
    enum cof_err err;

    drop_other_name(log);
    find_older(log, older);
    err = read_ending(log, k, e, diag);
    if (err == COF_E_NOT_FOUND && k->head.next <= 1 && older[0] == '\0') /* the first file of all */
        return settle(log, k, e, now_ms, diag);
    if (err == COF_E_NOT_FOUND)
        return resume_rotation(log, k, e, now_ms, diag);
    return err == COF_OK ? settle(log, k, e, now_ms, diag) : err;
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
    cof_buf_printf(&data, "{\"lastRecordFound\":%llu,\"lastRecordKnown\":%llu}", (unsigned long long)e->last,
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
    struct ending e = {.at = 0};
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
    cof_buf_init(&e.tail, TAIL_MAX);
    log->path = strdup(opts->path);
    err = log->path == NULL ? COF_E_MEMORY : cof_sync_aside_new(&log->aside);
    if (err == COF_OK)
        err = open_file(log, diag);
    if (err == COF_OK && log->store != NULL)
        err = log->store->scan(log->store->ctx, "audit", (struct cof_view){0}, (struct cof_view){0}, SIZE_MAX, read_row, &k);
    if (err == COF_OK && (k.bad || cof_buf_err(&k.lines) != COF_OK))
        err = cof_diag_set(diag, COF_E_IO, "the store's records for the audit log are damaged");
    if (err == COF_OK) {
        err = recover(log, &k, &e, now_ms, diag);
        if (err == COF_E_AUTH && opts->repair)
            err = put_aside(log, &k, &e, now_ms, diag);
    }
    if (err == COF_OK) {
        log->signed_next = e.is_signed ? e.last + 1 : log->chain.next == 1 ? 1 : 0;
        err = cof_audit_log_flush(log);
    }
    if (err == COF_OK)
        err = cof_audit_log_make_durable(log);
    if (err == COF_OK) {
        log->durable = log->chain;
        log->durable_bytes = log->bytes;
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
