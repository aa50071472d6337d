/* SPDX-License-Identifier: Apache-2.0 */
#include "io/file.h"

#include "io/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BLOCK 65536

enum cof_err cof_err_from_errno(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return COF_E_NO_SPACE;
    case ENOENT:
    case ENOTDIR:
        return COF_E_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return COF_E_DENIED;
    case ENOMEM:
        return COF_E_MEMORY;
    case EFBIG:
    case ENAMETOOLONG:
        return COF_E_LIMIT;
    default:
        return COF_E_IO;
    }
}

static enum cof_err failed(struct cof_diag *diag, const char *what)
{
    int error = errno;
    enum cof_err err = cof_diag_set(diag, cof_err_from_errno(error), "%s: %s", what, strerror(error));

    if (err == COF_E_NO_SPACE)
        cof_diag_hint(diag, "free some space or choose another folder; nothing was left behind");
    return err;
}

enum cof_err cof_file_read_fd(int fd, const char *what, struct cof_buf *out, struct cof_diag *diag)
{
    for (;;) {
        size_t room = out->max - out->len < BLOCK ? out->max - out->len : BLOCK;
        uint8_t probe;
        ssize_t n;

        if (room > 0 && cof_buf_reserve(out, room) != COF_OK)
            return cof_buf_err(out);
        n = room > 0 ? read(fd, out->data + out->len, room) : read(fd, &probe, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(diag, what);
        if (n == 0)
            return COF_OK;
        if (room == 0)
            return cof_diag_set(diag, COF_E_TOO_LARGE, "%s: larger than %zu bytes", what, out->max);
        out->len += (size_t)n;
    }
}

enum cof_err cof_file_read(const char *path, struct cof_buf *out, struct cof_diag *diag)
{
    struct stat st;
    enum cof_err err;
    int fd;

    if (strcmp(path, "-") == 0)
        return cof_file_read_fd(STDIN_FILENO, "standard input", out, diag);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return failed(diag, path);
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        err = cof_diag_set(diag, COF_E_IO, "%s: is a folder", path);
    else
        err = cof_file_read_fd(fd, path, out, diag);
    (void)close(fd);
    return err;
}

/* A file without a name in path's folder, or -1. Naming it later goes through /proc. */
static int open_nameless(const char *path)
{
    char copy[4096];

    if (access("/proc/self/fd", X_OK) != 0)
        return -1;
    (void)snprintf(copy, sizeof copy, "%s", path);
    return open(dirname(copy), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

/* Gives it a temporary name; one that is taken is not used. */
static bool give_name(struct cof_file_out *out)
{
    char link[64];

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", out->fd);
    for (unsigned attempt = 0; attempt < 100; attempt++) {
        (void)snprintf(out->temp, sizeof out->temp, "%s.part-%ld-%u", out->path, (long)getpid(), attempt);
        if (linkat(AT_FDCWD, link, AT_FDCWD, out->temp, AT_SYMLINK_FOLLOW) == 0)
            return true;
        if (errno != EEXIST)
            break;
    }
    out->temp[0] = '\0';
    return false;
}

static bool is_null(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3); /* Linux: Documentation/admin-guide/devices.txt */
}

enum cof_err cof_file_out_open(struct cof_file_out *out, const char *path, mode_t mode, struct cof_diag *diag)
{
    size_t len = strlen(path);
    struct stat st;

    *out = (struct cof_file_out){.fd = -1};
    if (strcmp(path, "-") == 0) {
        out->is_stdout = true;
        out->fd = STDOUT_FILENO;
        out->is_null = fstat(out->fd, &st) == 0 && is_null(&st);
        return COF_OK;
    }
    if (len >= sizeof out->path)
        return cof_diag_set(diag, COF_E_LIMIT, "the path is too long");
    memcpy(out->path, path, len + 1);
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        out->is_null = is_null(&st);
        out->is_stdout = true; /* replacing a device or a pipe by a file would be no favour */
        out->fd = open(path, O_WRONLY | O_CLOEXEC);
        return out->fd < 0 ? failed(diag, path) : COF_OK;
    }
    out->fd = open_nameless(path);
    out->is_nameless = out->fd >= 0;
    if (!out->is_nameless) {
        (void)snprintf(out->temp, sizeof out->temp, "%s.part-XXXXXX", path);
        out->fd = mkostemp(out->temp, O_CLOEXEC);
    }
    if (out->fd < 0) {
        out->temp[0] = '\0';
        return failed(diag, path);
    }
    if (fchmod(out->fd, mode & ~cof_harden_umask()) != 0) {
        enum cof_err err = failed(diag, path);
        cof_file_out_close(out);
        return err;
    }
    return COF_OK;
}

enum cof_err cof_file_out_write(struct cof_file_out *out, struct cof_view data, struct cof_diag *diag)
{
    while (data.len > 0) {
        ssize_t n = write(out->fd, data.data, data.len < COF_FILE_WRITE_MAX ? data.len : COF_FILE_WRITE_MAX);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(diag, out->path[0] == '\0' ? "standard output" : out->path);
        data = cof_view_sub(data, (size_t)n, SIZE_MAX);
    }
    return COF_OK;
}

enum cof_err cof_file_make_parents(const char *path, mode_t mode, struct cof_diag *diag)
{
    char copy[4096];
    int n = snprintf(copy, sizeof copy, "%s", path);

    if (n <= 0 || (size_t)n >= sizeof copy)
        return cof_diag_set(diag, COF_E_LIMIT, "the file's name is too long");
    for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, mode) == 0)
            (void)chmod(copy, mode & ~cof_harden_umask());
        else if (errno != EEXIST)
            return failed(diag, copy);
        *slash = '/';
    }
    return COF_OK;
}

enum cof_err cof_file_sync_folder(const char *path)
{
    char copy[4096];
    int fd;
    enum cof_err err = COF_OK;

    (void)snprintf(copy, sizeof copy, "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL)) /* EINVAL: none can be synced here, which is as durable as it gets */
        err = cof_err_from_errno(errno);
    if (fd >= 0)
        (void)close(fd);
    return err;
}

enum cof_err cof_file_out_commit(struct cof_file_out *out, struct cof_diag *diag)
{
    enum cof_err err;

    if (out->is_stdout)
        return COF_OK;
    if (fdatasync(out->fd) != 0 && errno != EINVAL)
        return failed(diag, out->path);
    if (out->is_nameless && !give_name(out))
        return failed(diag, out->path);
    if (rename(out->temp, out->path) != 0)
        return failed(diag, out->path);
    out->temp[0] = '\0';
    err = cof_file_sync_folder(out->path);
    return err == COF_E_NO_SPACE || err == COF_E_IO ? failed(diag, out->path) : COF_OK; /* else it may not even be opened */
}

void cof_file_out_close(struct cof_file_out *out)
{
    if (out == NULL)
        return;
    if (out->fd >= 0 && out->fd != STDOUT_FILENO)
        (void)close(out->fd);
    if (out->temp[0] != '\0')
        (void)unlink(out->temp);
    *out = (struct cof_file_out){.fd = -1};
}

enum cof_err cof_file_write(const char *path, struct cof_view data, mode_t mode, struct cof_diag *diag)
{
    struct cof_file_out out;
    enum cof_err err = cof_file_out_open(&out, path, mode, diag);

    if (err == COF_OK)
        err = cof_file_out_write(&out, data, diag);
    if (err == COF_OK)
        err = cof_file_out_commit(&out, diag);
    cof_file_out_close(&out);
    return err;
}

enum cof_err cof_file_write_at(int fd, struct cof_view v, uint64_t offset)
{
    while (v.len > 0) {
        ssize_t n = pwrite(fd, v.data, v.len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? COF_E_IO : cof_err_from_errno(errno);
        v = cof_view_sub(v, (size_t)n, SIZE_MAX);
        offset += (uint64_t)n;
    }
    return COF_OK;
}
