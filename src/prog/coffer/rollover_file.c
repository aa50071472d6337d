/* SPDX-License-Identifier: Apache-2.0 */
#include "rollover_file.h"

#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((size_t)64 << 20)

static enum cof_err replay_all(struct rollover_file *file, const char *path, struct cof_diag *diag)
{
    struct cof_view rest = cof_buf_view(&file->text), line;
    struct cof_diag why = {0};
    size_t n = 0;

    while (rest.len > 0) {
        enum cof_err err;

        (void)cof_view_split(rest, '\n', &line, &rest);
        n++;
        err = cof_rollover_replay(&file->rollover, line, &why);
        if (err == COF_E_MEMORY)
            return err;
        if (err != COF_OK)
            return cof_diag_set(diag, COF_E_AUTH, "%s: line %zu: %s", path, n, why.text);
    }
    return COF_OK;
}

/* Behind the last newline stands what a kill left of a record; nothing was done on the strength of it. */
static enum cof_err drop_torn(struct rollover_file *file, const char *path, bool read_only, struct cof_diag *diag)
{
    size_t whole = file->text.len;

    while (whole > 0 && file->text.data[whole - 1] != '\n')
        whole--;
    file->n_torn = file->text.len - whole;
    if (file->n_torn == 0)
        return COF_OK;
    cof_buf_truncate(&file->text, whole);
    if (!read_only && ftruncate(file->fd, (off_t)whole) != 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", path, strerror(errno));
    return COF_OK;
}

enum cof_err rollover_file_open(struct rollover_file *file, const char *path, bool read_only, struct cof_diag *diag)
{
    enum cof_err err;

    *file = (struct rollover_file){.fd = -1};
    cof_rollover_init(&file->rollover);
    cof_buf_init(&file->text, FILE_MAX);
    file->fd = open(path, read_only ? O_RDONLY | O_CLOEXEC : O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file->fd < 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "cannot open %s: %s", path, strerror(errno));
    if (flock(file->fd, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0)
        return cof_diag_set(diag, COF_E_RETRY, "%s: another rollover is at work with it", path);
    err = cof_file_read_fd(file->fd, path, &file->text, diag);
    if (err == COF_OK)
        err = drop_torn(file, path, read_only, diag);
    if (err == COF_OK && file->text.len == 0 && !read_only)
        err = cof_file_sync_folder(path);
    return err == COF_OK ? replay_all(file, path, diag) : err;
}

enum cof_err rollover_file_add(struct rollover_file *file, const struct cof_rollover_entry *entry, struct cof_diag *diag)
{
    struct cof_buf line;
    size_t done = 0;
    enum cof_err err;

    cof_buf_init(&line, COF_ROLLOVER_RECORD_MAX);
    err = cof_rollover_record(&file->rollover, entry, &line, diag);
    while (err == COF_OK && done < line.len) {
        ssize_t n = write(file->fd, line.data + done, line.len - done);

        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno != EINTR)
            err = cof_diag_set(diag, cof_err_from_errno(errno), "cannot write the history: %s", strerror(errno));
    }
    if (err == COF_OK && fdatasync(file->fd) != 0)
        err = cof_diag_set(diag, cof_err_from_errno(errno), "cannot write the history: %s", strerror(errno));
    cof_buf_done(&line);
    return err;
}

void rollover_file_close(struct rollover_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    cof_buf_done(&file->text);
    file->fd = -1;
}
