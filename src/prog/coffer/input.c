/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum cof_err failed(struct cof_diag *diag, const char *name)
{
    return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", name, strerror(errno));
}

static enum cof_err open_spool(struct input *in, struct cof_diag *diag)
{
    const char *folder = getenv("TMPDIR");
    enum cof_err err;

    if (folder == NULL || folder[0] != '/')
        folder = "/var/tmp";
    in->spool = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (in->spool >= 0)
        return COF_OK;
    err = failed(diag, folder);
    cof_diag_hint(diag, "a pipe that is opened into a pipe is kept there while it is verified; name a folder in TMPDIR, or use "
                        "-o FILE");
    return err;
}

enum cof_err input_open(struct input *in, const char *path, bool again, struct cof_diag *diag)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat st;

    *in = (struct input){.fd = -1, .name = is_stdin ? "standard input" : path, .spool = -1};
    in->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0 || fstat(in->fd, &st) != 0)
        return failed(diag, in->name);
    if (S_ISDIR(st.st_mode))
        return cof_diag_set(diag, COF_E_IO, "%s: is a folder", in->name);
    in->is_file = S_ISREG(st.st_mode) && lseek(in->fd, 0, SEEK_CUR) == 0;
    in->size = in->is_file ? (uint64_t)st.st_size : 0;
    if (in->is_file)
        (void)posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return again && !in->is_file ? open_spool(in, diag) : COF_OK;
}

static enum cof_err keep(struct input *in, const uint8_t *data, size_t len, struct cof_diag *diag)
{
    while (len > 0) {
        ssize_t n = write(in->spool, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(diag, "keeping the message while it is verified");
        data += n;
        len -= (size_t)n;
    }
    return COF_OK;
}

enum cof_err input_read(struct input *in, uint8_t *data, size_t room, size_t *n, struct cof_diag *diag)
{
    ssize_t got;

    *n = 0;
    do
        got = read(in->fd, data, room);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return failed(diag, in->name);
    *n = (size_t)got;
    return in->spool >= 0 ? keep(in, data, *n, diag) : COF_OK;
}

enum cof_err input_seek(struct input *in, uint64_t offset, struct cof_diag *diag)
{
    if (in->spool >= 0) {
        if (in->fd > STDERR_FILENO)
            (void)close(in->fd);
        in->fd = in->spool;
        in->spool = -1;
    }
    return lseek(in->fd, (off_t)offset, SEEK_SET) < 0 ? failed(diag, in->name) : COF_OK;
}

void input_close(struct input *in)
{
    if (in->fd > STDERR_FILENO)
        (void)close(in->fd);
    if (in->spool >= 0)
        (void)close(in->spool);
    in->fd = in->spool = -1;
}
