/* SPDX-License-Identifier: Apache-2.0
 *
 * Files read whole under a cap, and written so that they appear whole or not at all: a temporary beside the target,
 * fdatasync, rename, fsync of the folder.
 */
#ifndef COF_IO_FILE_H
#define COF_IO_FILE_H

#include "base/buf.h"

#include <sys/types.h>

/* Appends the file (or standard input for "-") to out, whose cap is the limit. */
COF_MUST_USE enum cof_err cof_file_read(const char *path, struct cof_buf *out, struct cof_diag *diag);
/* The same from a descriptor until its end; what names it in messages. */
COF_MUST_USE enum cof_err cof_file_read_fd(int fd, const char *what, struct cof_buf *out, struct cof_diag *diag);

/* Writes path whole, replacing what was there. */
COF_MUST_USE enum cof_err cof_file_write(const char *path, struct cof_view data, mode_t mode, struct cof_diag *diag);

/* A file in the making. "-" is standard output, and a device or pipe is written as it is: then nothing can be taken back
 * (is_stdout), and commit does nothing. Until it is committed it has no name where the filesystem can do that (O_TMPFILE), so
 * that nothing is left of it even after kill -9; elsewhere it is a temporary beside the target. */
struct cof_file_out {
    int fd;
    char path[4096], temp[4128];
    bool is_stdout, is_nameless;
    bool is_null; /* /dev/null, of which nothing needs to be taken back */
};

/* Bytes in one write. Larger ones make some filesystems take memory in pieces so large that clearing them costs more than the copy
 * saves (five times the system time, measured on tmpfs); of 16 KiB they cost ext4 nearly twice as much. */
#define COF_FILE_WRITE_MAX ((size_t)256 << 10)

/* Opens it in path's folder (mode as given, as far as the umask that the program was started with lets it). */
COF_MUST_USE enum cof_err cof_file_out_open(struct cof_file_out *out, const char *path, mode_t mode,
                                            struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_file_out_write(struct cof_file_out *out, struct cof_view data, struct cof_diag *diag);
/* Makes it durable and visible under its name. */
COF_MUST_USE enum cof_err cof_file_out_commit(struct cof_file_out *out, struct cof_diag *diag);
/* Removes the temporary unless committed; takes NULL, idempotent. */
void cof_file_out_close(struct cof_file_out *out);

/* Makes the folders that path lies in, as far as they are not there; those it makes get that mode, as
 * far as the umask that the program was started with lets them. */
COF_MUST_USE enum cof_err cof_file_make_parents(const char *path, mode_t mode, struct cof_diag *diag);

/* Makes durable that the file is in its folder, or no longer there. */
COF_MUST_USE enum cof_err cof_file_sync_folder(const char *path);

/* All of v to the file's bytes from offset on. */
COF_MUST_USE enum cof_err cof_file_write_at(int fd, struct cof_view v, uint64_t offset);

/* errno as a code (ENOSPC, EDQUOT: COF_E_NO_SPACE; ENOENT: COF_E_NOT_FOUND; EACCES, EPERM: COF_E_DENIED; ...). */
enum cof_err cof_err_from_errno(int error);

#endif
