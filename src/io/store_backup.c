/* SPDX-License-Identifier: Apache-2.0 */
#include "io/file.h"
#include "io/store_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum cof_err failed(struct cof_diag *diag, const char *what, const char *path)
{
    int error = errno;

    return cof_diag_set(diag, cof_err_from_errno(error), "cannot %s %s: %s", what, path, strerror(error));
}

/* len bytes at offset of one descriptor to the same place of another. */
static bool copy_range(int from, int to, off_t offset, uint64_t len)
{
    while (len > 0) {
        off_t out = offset;
        ssize_t n = copy_file_range(from, &offset, to, &out, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            char block[65536];

            n = pread(from, block, len < sizeof block ? (size_t)len : sizeof block, offset);
            if (n <= 0 || pwrite(to, block, (size_t)n, offset) != n)
                return false;
            offset += n;
        }
        len -= (uint64_t)n;
    }
    return true;
}

/* The body in a file of its own: it never changes, so a second name for it will do. */
static enum cof_err copy_file(struct cof_disk_store *st, int root, const char *id, int64_t size, struct cof_diag *diag)
{
    char path[64], dir[3];
    int from, to;
    bool ok;

    (void)snprintf(dir, sizeof dir, "%.2s", id);
    (void)snprintf(path, sizeof path, "%.2s/%s", id, id);
    if (mkdirat(root, dir, 0700) != 0 && errno != EEXIST)
        return failed(diag, "make", dir);
    if (linkat(st->files.root_fd, path, root, path, 0) == 0)
        return COF_OK;
    from = openat(st->files.root_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    to = from < 0 ? -1 : openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ok = to >= 0 && copy_range(from, to, 0, (uint64_t)size) && fdatasync(to) == 0;
    if (!ok)
        (void)failed(diag, "copy", path);
    if (from >= 0)
        (void)close(from);
    if (to >= 0)
        (void)close(to);
    return ok ? COF_OK : COF_E_IO;
}

/* The slots of the bodies that are in some; the others stay holes. */
static enum cof_err copy_slot(struct cof_disk_store *st, const int to[COF_SLOTS_CLASSES], int64_t place, int64_t size, struct cof_diag *diag)
{
    uint64_t offset;
    int fd;
    bool ok = false;
    enum cof_err err = cof_slots_pin(&st->files.slots, place, &fd, &offset);

    if (err != COF_OK)
        return cof_diag_set(diag, err, "a body is missing");
    for (int i = 0; i < COF_SLOTS_CLASSES && !ok; i++)
        if (st->files.slots.classes[i].fd == fd)
            ok = copy_range(fd, to[i], (off_t)offset, (uint64_t)size);
    if (!ok)
        err = failed(diag, "copy", "a body");
    cof_slots_unpin(&st->files.slots, place);
    return err;
}

static enum cof_err copy_bodies(struct cof_disk_store *st, int root, const int to[COF_SLOTS_CLASSES], struct cof_diag *diag)
{
    sqlite3_stmt *all = NULL;
    int rc = sqlite3_prepare_v2(st->db.db, "SELECT id, size, body FROM blob WHERE typeof(body) <> 'blob'"
        " AND id NOT IN (SELECT CAST(key AS TEXT) FROM kv WHERE space = 'lost')", -1, &all, NULL);
    enum cof_err err = COF_OK;

    while (rc == SQLITE_OK && err == COF_OK && (rc = sqlite3_step(all)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        err = sqlite3_column_type(all, 2) == SQLITE_INTEGER ?
            copy_slot(st, to, sqlite3_column_int64(all, 2), sqlite3_column_int64(all, 1), diag) :
            copy_file(st, root, (const char *)sqlite3_column_text(all, 0), sqlite3_column_int64(all, 1), diag);
    }
    (void)sqlite3_finalize(all);
    return err != COF_OK ? err : rc == SQLITE_DONE || rc == SQLITE_OK ? COF_OK : COF_E_IO;
}

static enum cof_err copy_database(struct cof_disk_store *st, const char *path, struct cof_diag *diag)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(st->db.db, "VACUUM INTO ?1", -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(stmt, 1, path, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    (void)sqlite3_finalize(stmt);
    if (rc != SQLITE_DONE)
        return cof_diag_set(diag, rc == SQLITE_FULL ? COF_E_NO_SPACE : COF_E_IO, "cannot write %s: %s", path, sqlite3_errmsg(st->db.db));
    if (chmod(path, 0600) != 0)
        return failed(diag, "protect", path);
    return COF_OK;
}

static enum cof_err sync_path(const char *path, struct cof_diag *diag)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum cof_err err = fd < 0 || fsync(fd) != 0 ? failed(diag, "sync", path) : COF_OK;

    if (fd >= 0)
        (void)close(fd);
    return err;
}

enum cof_err cof_disk_store_backup(struct cof_disk_store *st, const char *target, struct cof_diag *diag)
{
    static const char *const names[COF_SLOTS_CLASSES] = {"slots-64k", "slots-128k", "slots-256k"};
    int to[COF_SLOTS_CLASSES], root = -1;
    char db[PATH_MAX], blobs[PATH_MAX];
    enum cof_err err;

    for (int i = 0; i < COF_SLOTS_CLASSES; i++)
        to[i] = -1;
    if (st->open)
        return cof_diag_set(diag, COF_E_STATE, "a transaction is open");
    if (snprintf(db, sizeof db, "%s/store.db", target) >= (int)sizeof db || snprintf(blobs, sizeof blobs, "%s/blobs", target) >= (int)sizeof blobs)
        return cof_diag_set(diag, COF_E_USAGE, "path too long: %s", target);
    err = cof_disk_store_settle_all(st);
    if (err != COF_OK)
        return cof_diag_set(diag, err, "the log cannot be written to the database");
    cof_store_db_undo(&st->db); /* of reading alone: VACUUM bears none */
    err = copy_database(st, db, diag);
    if (err == COF_OK && (mkdir(blobs, 0700) != 0 || (root = open(blobs, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0))
        err = failed(diag, "make", blobs);
    for (int i = 0; i < COF_SLOTS_CLASSES && err == COF_OK; i++) {
        if (st->files.slots.classes[i].fd < 0)
            continue;
        to[i] = openat(root, names[i], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (to[i] < 0)
            err = failed(diag, "make", names[i]);
    }
    if (err == COF_OK)
        err = copy_bodies(st, root, to, diag);
    for (int i = 0; i < COF_SLOTS_CLASSES; i++) {
        if (err == COF_OK && to[i] >= 0 && fdatasync(to[i]) != 0)
            err = failed(diag, "sync", names[i]);
        if (to[i] >= 0)
            (void)close(to[i]);
    }
    for (int i = 0; i < 256 && err == COF_OK; i++) {
        char name[PATH_MAX + 4];

        (void)snprintf(name, sizeof name, "%s/%02x", blobs, (unsigned)i);
        if (access(name, F_OK) == 0)
            err = sync_path(name, diag);
    }
    if (err == COF_OK)
        err = sync_path(db, diag);
    if (err == COF_OK)
        err = sync_path(blobs, diag);
    if (err == COF_OK)
        err = sync_path(target, diag);
    if (root >= 0)
        (void)close(root);
    return err;
}
