/* SPDX-License-Identifier: Apache-2.0 */
#include "io/store_blob.h"

#include "base/codec.h"
#include "io/store_holds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Written data is handed to the disk in steps of this size, so that the final sync is short, also that of a part of 8 MiB. */
#define FLUSH_BYTES ((uint64_t)1 << 20)

struct cof_blob_writer {
    struct cof_blob_files *files;
    struct cof_blob_id id;
    struct cof_buf small; /* while not over COF_SLOT_MAX, and in no slot */
    int64_t slot;         /* -1: none; the bytes came in one piece and went there at once */
    int fd;
    bool tmp;             /* a file is in tmp */
    uint64_t size, flushed;
};

struct cof_blob_reader {
    struct cof_buf small;
    struct cof_slots *slots; /* NULL: in none */
    int64_t slot;
    int fd; /* -1: small */
    uint64_t size, base;
};

static enum cof_err of_errno(void)
{
    switch (errno) {
    case ENOSPC:
    case EDQUOT:
        return COF_E_NO_SPACE;
    case ENOENT:
        return COF_E_NOT_FOUND;
    case ENOMEM:
        return COF_E_MEMORY;
    default:
        return COF_E_IO;
    }
}

static unsigned dir_of(const struct cof_blob_id *id)
{
    uint8_t byte = 0;

    return cof_hex_decode_fixed(cof_view_of(id->text, 2), &byte, 1) == COF_OK ? byte : 0;
}

/* The descriptor of one of the 256 directories; made at need. */
static int dir_open(struct cof_blob_files *files, unsigned which)
{
    char name[3];

    if (files->dir_fd[which] >= 0)
        return files->dir_fd[which];
    (void)snprintf(name, sizeof name, "%02x", which);
    if (mkdirat(files->root_fd, name, 0700) == 0) {
        if (fsync(files->root_fd) != 0)
            return -1;
    } else if (errno != EEXIST) {
        return -1;
    }
    files->dir_fd[which] = openat(files->root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return files->dir_fd[which];
}

static enum cof_err ids_add(struct cof_blob_ids *ids, const struct cof_blob_id *id)
{
    if (ids->n == ids->cap) {
        size_t cap = ids->cap == 0 ? 16 : ids->cap * 2;
        struct cof_blob_id *items = realloc(ids->items, cap * sizeof *items);

        if (items == NULL)
            return COF_E_MEMORY;
        ids->items = items;
        ids->cap = cap;
    }
    ids->items[ids->n++] = *id;
    return COF_OK;
}

void cof_blob_file_unlink(struct cof_blob_files *files, const struct cof_blob_id *id)
{
    int dir = dir_open(files, dir_of(id));

    if (dir >= 0)
        (void)unlinkat(dir, id->text, 0); /* what stays is swept at the next start */
}

static void unlink_from(struct cof_blob_files *files, struct cof_blob_ids *ids, size_t from)
{
    for (size_t i = from; i < ids->n; i++) {
        struct cof_blob_hold *hold = cof_blob_held(files, &ids->items[i]);

        if (hold != NULL)
            hold->doomed = true;
        else
            cof_blob_file_unlink(files, &ids->items[i]);
    }
    ids->n = from;
}

void cof_blob_files_zero(struct cof_blob_files *files)
{
    *files = (struct cof_blob_files){.root_fd = -1, .tmp_fd = -1};
    for (size_t i = 0; i < 256; i++)
        files->dir_fd[i] = -1;
    cof_slots_zero(&files->slots);
}

enum cof_err cof_blob_files_open(struct cof_blob_files *files, const char *dir, const struct cof_rng *rng,
                                 struct cof_diag *diag)
{
    int top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum cof_err err = COF_E_IO;

    cof_blob_files_zero(files);
    files->rng = rng;
    if (top < 0 || (mkdirat(top, "blobs", 0700) != 0 && errno != EEXIST))
        goto out;
    files->root_fd = openat(top, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (files->root_fd < 0 || (mkdirat(files->root_fd, "tmp", 0700) != 0 && errno != EEXIST))
        goto out;
    files->tmp_fd = openat(files->root_fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (files->tmp_fd < 0 || fsync(files->root_fd) != 0 || fsync(top) != 0)
        goto out;
    err = cof_slots_open(&files->slots, files->root_fd);
out:
    if (err != COF_OK)
        (void)cof_diag_set(diag, err, "cannot open %s/blobs: %s", dir, strerror(errno));
    if (top >= 0)
        (void)close(top);
    return err;
}

void cof_blob_files_close(struct cof_blob_files *files)
{
    cof_blob_holds_done(files);
    cof_slots_close(&files->slots);
    for (size_t i = 0; i < 256; i++)
        if (files->dir_fd[i] >= 0)
            (void)close(files->dir_fd[i]);
    if (files->tmp_fd >= 0)
        (void)close(files->tmp_fd);
    if (files->root_fd >= 0)
        (void)close(files->root_fd);
    free(files->made.items);
    free(files->dropped.items);
    cof_blob_files_zero(files);
}

enum cof_err cof_blob_files_sync(struct cof_blob_files *files)
{
    if (files->made.n == 0 && files->slots.made.n == 0) /* what was written belongs to nobody: nobody's commit fails for it */
        return COF_OK;
    for (size_t i = 0; i < 256; i++) {
        if (!files->dir_dirty[i])
            continue;
        if (fsync(files->dir_fd[i]) != 0)
            return of_errno();
        files->dir_dirty[i] = false;
    }
    return cof_slots_sync(&files->slots);
}

void cof_blob_files_end(struct cof_blob_files *files, bool kept)
{
    unlink_from(files, kept ? &files->dropped : &files->made, 0);
    files->made.n = files->dropped.n = 0;
    files->made_mark = files->dropped_mark = 0;
    cof_slots_end(&files->slots, kept);
}

void cof_blob_files_leave(struct cof_blob_files *files)
{
    files->made.n = files->slots.made.n = 0;
    files->made_mark = files->slots.made.mark = 0;
}

void cof_blob_files_mark(struct cof_blob_files *files)
{
    files->made_mark = files->made.n;
    files->dropped_mark = files->dropped.n;
    cof_slots_mark(&files->slots);
}

void cof_blob_files_unmark(struct cof_blob_files *files, bool keep)
{
    cof_slots_unmark(&files->slots, keep);
    if (keep)
        return;
    unlink_from(files, &files->made, files->made_mark);
    files->dropped.n = files->dropped_mark;
}

enum cof_err cof_blob_files_drop(
    struct cof_blob_files *files, const struct cof_blob_id *id, const struct cof_blob_place *place)
{
    switch (place->kind) {
    case COF_BLOB_FILE:
        return ids_add(&files->dropped, id);
    case COF_BLOB_SLOT:
        return cof_slots_drop(&files->slots, place->slot);
    case COF_BLOB_INLINE:
        break;
    }
    return COF_OK;
}

/* Goes through one directory. named NULL: everything goes. */
static enum cof_err sweep_dir(int at, const char *name, bool (*named)(void *ctx, const struct cof_blob_id *id),
    void *ctx, uint64_t *n_files, uint64_t *n_removed)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    const struct dirent *entry;
    DIR *dir;

    if (fd < 0)
        return errno == ENOENT ? COF_OK : of_errno();
    dir = fdopendir(fd);
    if (dir == NULL) {
        (void)close(fd);
        return COF_E_IO;
    }
    while ((entry = readdir(dir)) != NULL) {
        struct cof_blob_id id = {{0}};

        if (entry->d_name[0] == '.')
            continue;
        if (named != NULL && strlen(entry->d_name) == sizeof id.text - 1) {
            memcpy(id.text, entry->d_name, sizeof id.text);
            if (named(ctx, &id)) {
                (*n_files)++;
                continue;
            }
        }
        if (unlinkat(fd, entry->d_name, 0) == 0)
            (*n_removed)++;
    }
    (void)closedir(dir);
    return COF_OK;
}

enum cof_err cof_blob_files_sweep(struct cof_blob_files *files, bool (*named)(void *ctx, const struct cof_blob_id *id),
                                  void *ctx, uint64_t *n_files, uint64_t *n_removed)
{
    enum cof_err err = sweep_dir(files->root_fd, "tmp", NULL, NULL, n_files, n_removed);

    for (unsigned i = 0; i < 256 && err == COF_OK; i++) {
        char name[3];

        (void)snprintf(name, sizeof name, "%02x", i);
        err = sweep_dir(files->root_fd, name, named, ctx, n_files, n_removed);
    }
    return err;
}

enum cof_err cof_blob_writer_new(struct cof_blob_files *files, struct cof_blob_writer **out)
{
    struct cof_blob_writer *w = calloc(1, sizeof *w);
    uint8_t id[16];
    enum cof_err err;

    *out = NULL;
    if (w == NULL)
        return COF_E_MEMORY;
    w->files = files;
    w->fd = -1;
    w->slot = -1;
    cof_buf_init(&w->small, COF_SLOT_MAX);
    err = cof_rng_fill(files->rng, id, sizeof id);
    if (err != COF_OK) {
        free(w);
        return err;
    }
    cof_hex_encode(id, sizeof id, w->id.text);
    *out = w;
    return COF_OK;
}

static enum cof_err write_all(int fd, struct cof_view v)
{
    while (v.len > 0) {
        ssize_t n = write(fd, v.data, v.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return of_errno();
        v = cof_view_sub(v, (size_t)n, SIZE_MAX);
    }
    return COF_OK;
}

/* More follows what went to a slot as if it were all: it comes back. */
static enum cof_err leave_slot(struct cof_blob_writer *w)
{
    struct cof_blob_reader *r = NULL;
    enum cof_err err = cof_blob_reader_open(
        w->files, &w->id, &(struct cof_blob_place){.kind = COF_BLOB_SLOT, .slot = w->slot}, w->size, &r);

    if (err == COF_OK)
        err = cof_blob_reader_read(r, 0, (size_t)w->size, &w->small);
    cof_blob_reader_free(r);
    cof_slots_give_back(&w->files->slots, w->slot);
    w->slot = -1;
    return err;
}

/* The bytes have outgrown the slots: go on in a file. */
static enum cof_err spill(struct cof_blob_writer *w)
{
    enum cof_err err;

    w->fd = openat(w->files->tmp_fd, w->id.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (w->fd < 0)
        return of_errno();
    w->tmp = true;
    err = write_all(w->fd, cof_buf_view(&w->small));
    cof_buf_done(&w->small);
    return err;
}

enum cof_err cof_blob_writer_add(struct cof_blob_writer *w, struct cof_view piece)
{
    enum cof_err err = COF_OK;

    if (piece.len == 0)
        return COF_OK;
    if (w->size == 0 && piece.len > COF_BLOB_SMALL_MAX && piece.len <= COF_SLOT_MAX) {
        w->size = piece.len;
        return cof_slots_write(&w->files->slots, piece, &w->slot);
    }
    if (w->slot >= 0 && (err = leave_slot(w)) != COF_OK)
        return err;
    if (w->fd < 0 && w->slot < 0 && piece.len <= COF_SLOT_MAX - w->small.len) {
        cof_buf_add(&w->small, piece);
        w->size += piece.len;
        return cof_buf_err(&w->small);
    }
    if (w->fd < 0)
        err = spill(w);
    if (err == COF_OK)
        err = write_all(w->fd, piece);
    w->size += piece.len;
    if (err == COF_OK && w->size - w->flushed >= FLUSH_BYTES) {
        (void)sync_file_range(w->fd, (off64_t)w->flushed, (off64_t)(w->size - w->flushed), SYNC_FILE_RANGE_WRITE);
        w->flushed = w->size;
    }
    return err;
}

static enum cof_err finish_slot(struct cof_blob_writer *w, struct cof_blob_place *place)
{
    enum cof_err err = w->slot >= 0 ? COF_OK : cof_slots_write(&w->files->slots, cof_buf_view(&w->small), &w->slot);

    if (err == COF_OK)
        err = cof_slots_keep(&w->files->slots, w->slot);
    if (err != COF_OK)
        return err;
    *place = (struct cof_blob_place){.kind = COF_BLOB_SLOT, .slot = w->slot};
    w->slot = -1; /* moved */
    return COF_OK;
}

enum cof_err cof_blob_writer_finish(struct cof_blob_writer *w, struct cof_blob_id *id, uint64_t *size,
                                    struct cof_blob_place *place)
{
    unsigned which = dir_of(&w->id);
    enum cof_err err = cof_buf_err(&w->small);

    *id = w->id;
    *size = w->size;
    *place = (struct cof_blob_place){.kind = w->fd >= 0 ? COF_BLOB_FILE : COF_BLOB_INLINE, .bytes = cof_buf_view(&w->small)};
    if (err != COF_OK)
        return err;
    if (w->fd < 0)
        return w->size > COF_BLOB_SMALL_MAX ? finish_slot(w, place) : COF_OK;
    if (fdatasync(w->fd) != 0)
        return of_errno();
    if (dir_open(w->files, which) < 0)
        return of_errno();
    err = ids_add(&w->files->made, &w->id);
    if (err != COF_OK)
        return err;
    if (renameat(w->files->tmp_fd, w->id.text, w->files->dir_fd[which], w->id.text) != 0)
        return of_errno();
    w->tmp = false;
    w->files->dir_dirty[which] = true;
    return COF_OK;
}

void cof_blob_writer_free(struct cof_blob_writer *w)
{
    if (w == NULL)
        return;
    if (w->fd >= 0)
        (void)close(w->fd);
    if (w->tmp)
        (void)unlinkat(w->files->tmp_fd, w->id.text, 0);
    if (w->slot >= 0)
        cof_slots_give_back(&w->files->slots, w->slot);
    cof_buf_done(&w->small);
    free(w);
}

static enum cof_err open_file(struct cof_blob_files *files, const struct cof_blob_id *id, struct cof_blob_reader *r)
{
    int dir = dir_open(files, dir_of(id));
    struct stat st;

    r->fd = dir < 0 ? -1 : openat(dir, id->text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (r->fd < 0 || fstat(r->fd, &st) != 0 || (uint64_t)st.st_size != r->size)
        return COF_E_IO; /* the database names it, so its absence is damage */
    return COF_OK;
}

enum cof_err cof_blob_reader_open(struct cof_blob_files *files, const struct cof_blob_id *id,
                                  const struct cof_blob_place *place, uint64_t size, struct cof_blob_reader **out)
{
    struct cof_blob_reader *r = calloc(1, sizeof *r);
    enum cof_err err = COF_OK;

    *out = NULL;
    if (r == NULL)
        return COF_E_MEMORY;
    r->fd = -1;
    r->size = size;
    cof_buf_init(&r->small, COF_BLOB_SMALL_MAX);
    switch (place->kind) {
    case COF_BLOB_INLINE:
        cof_buf_add(&r->small, place->bytes);
        err = cof_buf_err(&r->small);
        break;
    case COF_BLOB_SLOT:
        err = cof_slots_pin(&files->slots, place->slot, &r->fd, &r->base);
        if (err == COF_OK) {
            r->slots = &files->slots;
            r->slot = place->slot;
        }
        break;
    case COF_BLOB_FILE:
        err = open_file(files, id, r);
        break;
    }
    if (err != COF_OK) {
        cof_blob_reader_free(r);
        return err;
    }
    *out = r;
    return COF_OK;
}

enum cof_err cof_blob_reader_read(struct cof_blob_reader *r, uint64_t offset, size_t len, struct cof_buf *out)
{
    enum cof_err err;

    if (offset > r->size || len > r->size - offset)
        return COF_E_TRUNCATED;
    if (r->fd < 0) {
        cof_buf_add(out, cof_view_sub(cof_buf_view(&r->small), (size_t)offset, len));
        return cof_buf_err(out);
    }
    err = cof_buf_reserve(out, len);
    if (err != COF_OK)
        return err;
    while (len > 0) {
        ssize_t n = pread(r->fd, out->data + out->len, len, (off_t)(r->base + offset));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return of_errno();
        if (n == 0)
            return COF_E_TRUNCATED;
        out->len += (size_t)n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return COF_OK;
}

void cof_blob_reader_free(struct cof_blob_reader *r)
{
    if (r == NULL)
        return;
    if (r->slots != NULL)
        cof_slots_unpin(r->slots, r->slot);
    else if (r->fd >= 0)
        (void)close(r->fd);
    cof_buf_done(&r->small);
    free(r);
}
