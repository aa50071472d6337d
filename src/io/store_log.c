/* SPDX-License-Identifier: Apache-2.0 */
#include "io/store_log.h"

#include "crypto/checksum.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x434f464cu /* "COFL" */
#define HEAD 48
#define SECTOR 512
#define GROW ((uint64_t)256 << 10)  /* bytes that a file grows by */
#define RECORD_MAX ((size_t)1 << 30) /* bytes; one commit's changes */

static const char *const names[2] = {"store.log-0", "store.log-1"};

struct head {
    uint32_t magic, id;
    uint64_t generation, sequence, prior, len;
    struct cof_view check;
};

void cof_store_log_zero(struct cof_store_log *log)
{
    *log = (struct cof_store_log){.dir_fd = -1, .fd = {-1, -1}};
}

void cof_store_log_close(struct cof_store_log *log)
{
    for (int i = 0; i < 2; i++)
        if (log->fd[i] >= 0)
            (void)close(log->fd[i]);
    cof_buf_done(&log->record);
    cof_store_log_zero(log);
}

void cof_store_log_begin(struct cof_store_log *log, uint64_t generation, uint64_t prior)
{
    log->generation = generation;
    log->prior = prior;
    log->sequence = log->at = 0;
}

static uint64_t padded(uint64_t len)
{
    return (len + SECTOR - 1) / SECTOR * SECTOR;
}

/* record: from the head on. */
static enum cof_err check_of(struct cof_view record, uint8_t out[static COF_CHECKSUM_MAX])
{
    struct cof_checksum sum = {0};
    enum cof_err err = cof_checksum_init(&sum, COF_CHECKSUM_XXHASH3);

    if (err == COF_OK)
        err = cof_checksum_update(&sum, cof_view_sub(record, 0, HEAD - 8));
    if (err == COF_OK)
        err = cof_checksum_update(&sum, cof_view_sub(record, HEAD, SIZE_MAX));
    if (err == COF_OK)
        err = cof_checksum_final(&sum, out);
    cof_checksum_done(&sum);
    return err;
}

void cof_store_log_start(struct cof_store_log *log)
{
    cof_buf_reset(&log->record);
    (void)cof_buf_extend(&log->record, HEAD);
}

void cof_store_log_add(struct cof_store_log *log, const char *space, struct cof_view key, struct cof_view value, bool removed)
{
    struct cof_view name = cof_view_str(space);

    cof_buf_add_u8(&log->record, removed);
    cof_buf_add_u8(&log->record, (uint8_t)name.len);
    cof_buf_add(&log->record, name);
    cof_buf_add_u32(&log->record, (uint32_t)key.len);
    cof_buf_add(&log->record, key);
    cof_buf_add_u32(&log->record, (uint32_t)value.len);
    cof_buf_add(&log->record, value);
}

/* A file that was not there: its name must last, too. */
static enum cof_err make_file(struct cof_store_log *log, unsigned which)
{
    int fd = openat(log->dir_fd, names[which], O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    enum cof_err err = COF_OK;

    if (fd < 0)
        return cof_err_from_errno(errno);
    if (fsync(log->dir_fd) != 0) {
        err = cof_err_from_errno(errno);
        (void)close(fd);
        fd = -1; /* the next commit makes it, and syncs, again */
    }
    log->fd[which] = fd;
    return err;
}

/* Room for records to come; where there is none, each makes its own. */
static void grow(struct cof_store_log *log, unsigned which, uint64_t end)
{
    uint64_t size = (end + GROW - 1) / GROW * GROW;
    uint8_t *zeros = calloc(1, GROW);

    if (zeros == NULL || cof_file_write_at(log->fd[which], cof_view_of(zeros, size - end), end) != COF_OK)
        size = end;
    log->size[which] = size;
    free(zeros);
}

static enum cof_err finish_head(struct cof_store_log *log)
{
    uint8_t check[COF_CHECKSUM_MAX];
    struct cof_buf head;
    enum cof_err err = cof_buf_err(&log->record);

    if (err != COF_OK)
        return err;
    cof_buf_init(&head, HEAD);
    cof_buf_add_u32(&head, MAGIC);
    cof_buf_add_u32(&head, log->id);
    cof_buf_add_u64(&head, log->generation);
    cof_buf_add_u64(&head, log->sequence);
    cof_buf_add_u64(&head, log->prior);
    cof_buf_add_u64(&head, log->record.len - HEAD);
    cof_buf_add_u64(&head, 0);
    err = cof_buf_err(&head);
    if (err == COF_OK) {
        memcpy(log->record.data, head.data, HEAD);
        err = check_of(cof_buf_view(&log->record), check);
    }
    if (err == COF_OK)
        memcpy(log->record.data + HEAD - 8, check, 8);
    cof_buf_done(&head);
    return err;
}

/* Of a record whose commit failed the bytes may be on the disk, or come there yet; the bodies that it names are let go of. So its place
 * is made empty before anything else goes there. */
static enum cof_err take_back(struct cof_store_log *log, unsigned which)
{
    static const uint8_t nothing[HEAD];
    enum cof_err err = cof_file_write_at(log->fd[which], cof_view_of(nothing, sizeof nothing), log->at);

    if (err == COF_OK && fdatasync(log->fd[which]) != 0)
        err = cof_err_from_errno(errno);
    log->spoiled = err != COF_OK;
    log->doubtful = log->doubtful && log->spoiled;
    return err;
}

static enum cof_err write_record(struct cof_store_log *log, unsigned which, uint64_t end)
{
    enum cof_err err = cof_file_write_at(log->fd[which], cof_buf_view(&log->record), log->at);
    bool whole = err == COF_OK;

    if (err == COF_OK && end > log->size[which])
        grow(log, which, end);
    if (err == COF_OK && fdatasync(log->fd[which]) != 0)
        err = cof_err_from_errno(errno);
    if (err == COF_OK)
        return COF_OK;
    log->spoiled = true;
    log->doubtful = whole;
    (void)!take_back(log, which); /* else before the next one */
    return err;
}

enum cof_err cof_store_log_commit(struct cof_store_log *log)
{
    unsigned which = log->generation & 1;
    enum cof_err err = finish_head(log);
    uint64_t end = log->at + padded(log->record.len);

    if (err == COF_OK && log->fd[which] < 0)
        err = make_file(log, which);
    if (err == COF_OK && cof_buf_extend(&log->record, (size_t)(end - log->at) - log->record.len) == NULL)
        err = cof_buf_err(&log->record);
    if (err == COF_OK && log->spoiled)
        err = take_back(log, which);
    if (err == COF_OK)
        err = write_record(log, which, end);
    cof_buf_reset(&log->record);
    if (log->record.cap > COF_STORE_LOG_FULL)
        cof_store_log_release(log);
    if (err != COF_OK)
        return err;
    log->at = end;
    log->sequence++;
    return COF_OK;
}

void cof_store_log_release(struct cof_store_log *log)
{
    cof_buf_reset(&log->record);
    cof_buf_release(&log->record);
}

enum cof_err cof_store_log_empty(struct cof_store_log *log)
{
    for (int i = 0; i < 2; i++) {
        if (log->fd[i] >= 0 && ftruncate(log->fd[i], 0) != 0)
            return cof_err_from_errno(errno);
        log->size[i] = 0;
    }
    return COF_OK;
}

/* Reading. */

struct reading {
    struct cof_store_log *log;
    struct cof_buf record;
    cof_store_log_change_fn *change;
    void *ctx;
    struct cof_diag *diag;
};

static bool read_at(int fd, uint8_t *out, size_t len, uint64_t at)
{
    while (len > 0) {
        ssize_t n = pread(fd, out, len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        out += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

static enum cof_err take_head(struct cof_view *v, struct head *head)
{
    enum cof_err err = cof_take_u32(v, &head->magic);

    if (err == COF_OK)
        err = cof_take_u32(v, &head->id);
    if (err == COF_OK)
        err = cof_take_u64(v, &head->generation);
    if (err == COF_OK)
        err = cof_take_u64(v, &head->sequence);
    if (err == COF_OK)
        err = cof_take_u64(v, &head->prior);
    if (err == COF_OK)
        err = cof_take_u64(v, &head->len);
    return err == COF_OK ? cof_take(v, 8, &head->check) : err;
}

/* COF_OK: a whole record lies there, in r->record. COF_E_NOT_FOUND: none. */
static enum cof_err read_record(struct reading *r, unsigned which, uint64_t at, struct head *head)
{
    uint8_t check[COF_CHECKSUM_MAX];
    uint64_t left = r->log->size[which] < at ? 0 : r->log->size[which] - at;
    struct cof_view v;
    enum cof_err err;

    cof_buf_reset(&r->record);
    if (left < HEAD)
        return COF_E_NOT_FOUND;
    err = cof_buf_reserve(&r->record, HEAD);
    if (err != COF_OK)
        return err;
    if (!read_at(r->log->fd[which], r->record.data, HEAD, at))
        return COF_E_IO;
    r->record.len = HEAD;
    v = cof_buf_view(&r->record);
    if (take_head(&v, head) != COF_OK || head->magic != MAGIC || head->id != r->log->id || head->len > left - HEAD)
        return COF_E_NOT_FOUND;
    err = cof_buf_reserve(&r->record, (size_t)head->len);
    if (err != COF_OK)
        return err;
    if (!read_at(r->log->fd[which], r->record.data + HEAD, (size_t)head->len, at + HEAD))
        return COF_E_IO;
    r->record.len += (size_t)head->len;
    err = check_of(cof_buf_view(&r->record), check);
    if (err != COF_OK)
        return err;
    return memcmp(check, r->record.data + HEAD - 8, 8) == 0 ? COF_OK : COF_E_NOT_FOUND;
}

static enum cof_err one_change(struct reading *r, struct cof_view *rest)
{
    char space[256];
    struct cof_view name, key, value;
    uint8_t removed, name_len;
    uint32_t len;
    enum cof_err err = cof_take_u8(rest, &removed);

    if (err == COF_OK)
        err = cof_take_u8(rest, &name_len);
    if (err == COF_OK)
        err = cof_take(rest, name_len, &name);
    if (err == COF_OK)
        err = cof_take_u32(rest, &len);
    if (err == COF_OK)
        err = cof_take(rest, len, &key);
    if (err == COF_OK)
        err = cof_take_u32(rest, &len);
    if (err == COF_OK)
        err = cof_take(rest, len, &value);
    if (err != COF_OK)
        return err;
    memcpy(space, name.data, name.len);
    space[name.len] = '\0';
    return r->change(r->ctx, space, key, value, removed != 0);
}

static enum cof_err damaged(struct reading *r, unsigned which, uint64_t at)
{
    (void)cof_diag_set(r->diag, COF_E_IO, "%s is damaged at byte %llu: what was acknowledged after it is not to be had", names[which], (unsigned long long)at);
    return COF_E_IO;
}

/* Whether a record of that generation, later than sequence, is whole at a multiple of SECTOR from `at` on, within the block. */
static enum cof_err later_in_block(struct reading *r, unsigned which, struct cof_view block, uint64_t at, uint64_t generation, uint64_t sequence)
{
    struct head head;

    for (; block.len >= HEAD; at += SECTOR, block = cof_view_sub(block, SECTOR, SIZE_MAX)) {
        struct cof_view v = block;
        enum cof_err err;

        if (take_head(&v, &head) != COF_OK || head.magic != MAGIC || head.generation != generation || head.sequence <= sequence)
            continue;
        err = read_record(r, which, at, &head);
        if (err != COF_E_NOT_FOUND)
            return err;
    }
    return COF_E_NOT_FOUND;
}

/* The record that should be at this place is not whole. Behind the last one nothing was ever acknowledged. */
static enum cof_err nothing_behind(struct reading *r, unsigned which, uint64_t generation, uint64_t sequence, uint64_t at)
{
    uint8_t *block = malloc(GROW);
    enum cof_err err = block == NULL ? COF_E_MEMORY : COF_E_NOT_FOUND;

    for (uint64_t next = at + SECTOR; err == COF_E_NOT_FOUND && next < r->log->size[which]; next += GROW) {
        uint64_t left = r->log->size[which] - next;
        size_t len = left < GROW ? (size_t)left : (size_t)GROW;

        err = read_at(r->log->fd[which], block, len, next) ? later_in_block(r, which, cof_view_of(block, len), next, generation, sequence) : COF_E_IO;
    }
    free(block);
    return err == COF_OK ? damaged(r, which, at) : err == COF_E_NOT_FOUND ? COF_OK : err;
}

/* Gives the changes of one generation; *n_records 0: it has none. */
static enum cof_err read_generation(struct reading *r, uint64_t generation, uint64_t *n_records, uint64_t *prior)
{
    unsigned which = generation & 1;
    struct head head = {0};
    uint64_t at = 0;
    enum cof_err err = COF_OK;

    *n_records = 0;
    if (r->log->fd[which] < 0)
        return COF_OK;
    for (;;) {
        struct cof_view rest;

        err = read_record(r, which, at, &head);
        if (err != COF_OK || head.generation != generation || head.sequence != *n_records)
            break;
        rest = cof_view_sub(cof_buf_view(&r->record), HEAD, SIZE_MAX);
        while (err == COF_OK && rest.len > 0)
            err = one_change(r, &rest);
        if (err != COF_OK)
            return err == COF_E_SHORT ? damaged(r, which, at) : err;
        *prior = head.prior;
        at += padded(HEAD + head.len);
        ++*n_records;
    }
    if (err != COF_OK && err != COF_E_NOT_FOUND)
        return err;
    return nothing_behind(r, which, generation, *n_records, at);
}

/* A first record of a generation that can be none: the database is older than its log, or another one's. */
static enum cof_err no_later_one(struct reading *r, uint64_t last)
{
    struct head head;

    for (unsigned which = 0; which < 2; which++) {
        enum cof_err err = r->log->fd[which] < 0 ? COF_E_NOT_FOUND : read_record(r, which, 0, &head);

        if (err == COF_OK && head.generation > last)
            return cof_diag_set(r->diag, COF_E_IO, "%s goes on from generation %llu, but the database and its log end at %llu", names[which],
                (unsigned long long)head.generation - 1, (unsigned long long)last);
        if (err != COF_OK && err != COF_E_NOT_FOUND)
            return err;
    }
    return COF_OK;
}

static enum cof_err open_files(struct cof_store_log *log, struct cof_diag *diag)
{
    struct stat st;

    for (int i = 0; i < 2; i++) {
        log->fd[i] = openat(log->dir_fd, names[i], O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (log->fd[i] < 0 && errno == ENOENT)
            continue;
        if (log->fd[i] < 0 || fstat(log->fd[i], &st) != 0)
            return cof_diag_set(diag, cof_err_from_errno(errno), "cannot open %s: %s", names[i], strerror(errno));
        log->size[i] = (uint64_t)st.st_size;
    }
    return COF_OK;
}

enum cof_err cof_store_log_open(struct cof_store_log *log, int dir_fd, uint32_t id, uint64_t applied, cof_store_log_change_fn *change, void *ctx,
                                uint64_t *generation, struct cof_diag *diag)
{
    struct reading r = {.log = log, .change = change, .ctx = ctx, .diag = diag};
    uint64_t n_first = 0, n_second = 0, prior = 0;
    enum cof_err err;

    log->dir_fd = dir_fd;
    log->id = id;
    cof_buf_init_secret(&log->record, RECORD_MAX);
    cof_buf_init_secret(&r.record, RECORD_MAX);
    err = open_files(log, diag);
    if (err == COF_OK)
        err = read_generation(&r, applied + 1, &n_first, &prior);
    if (err == COF_OK)
        err = read_generation(&r, applied + 2, &n_second, &prior);
    if (err == COF_OK && n_second > 0 && prior != n_first)
        err = damaged(&r, (applied + 1) & 1, log->size[(applied + 1) & 1]);
    *generation = applied + (n_second > 0 ? 2 : n_first > 0 ? 1 : 0);
    if (err == COF_OK)
        err = no_later_one(&r, *generation);
    cof_buf_done(&r.record);
    return err;
}
