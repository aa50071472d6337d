/* SPDX-License-Identifier: Apache-2.0
 *
 * What transfers keep on disk so that a later run goes on where one was cut off: of an upload its id, in the state folder
 * ($COFFER_STATE_DIR, $XDG_STATE_HOME/coffer or ~/.local/state/coffer); of a download the bytes and their CRCs, beside the
 * target. What is kept is never trusted: parts are compared with what S3 lists, bytes with their CRC.
 */
#ifndef COF_COFFER_KEEP_H
#define COF_COFFER_KEEP_H

#include "client/s3_receive.h"
#include "io/file.h"

#include <sys/stat.h>

/* --- uploads --- */
struct keep_upload {
    char path[4096];           /* of the state file; empty: there is no state folder */
    char upload_id[COF_S3_UPLOAD_ID_MAX]; /* empty: nothing to go on with */
    uint64_t part_size;
};
/* Finds what is kept of sending this very file there under these settings; nothing when the file has changed since. */
void keep_upload_find(struct keep_upload *keep, const struct cof_aws *aws, const struct cof_s3_put *put, const char *path,
                      const struct stat *st);
COF_MUST_USE enum cof_err keep_upload_write(const struct keep_upload *keep, const struct stat *st, struct cof_diag *diag);
/* Whether there is a place for the note; why not, in diag. */
COF_MUST_USE enum cof_err keep_upload_place(const struct keep_upload *keep, struct cof_diag *diag);
void keep_upload_forget(const struct keep_upload *keep);

/* --- downloads --- */
struct keep_download {
    struct cof_file_out out; /* small objects: appears whole or not at all */
    char path[4096], part[4096 + 32], log[4096 + 32]; /* large ones: .coffer-NAME.part and .log beside the target */
    int fd, log_fd;
    enum cof_checksum_alg alg; /* the CRC that the ranges are kept with; none: S3 has no such of the object */
    bool is_kept; /* the second way */
};
void keep_download_init(struct keep_download *keep);
/* ranges that are there already, and still good, are marked. */
COF_MUST_USE enum cof_err keep_download_open(struct keep_download *keep, const char *path, const struct cof_s3_object *object,
                                             struct cof_s3_part *ranges, size_t n_ranges, bool resume,
                                             struct cof_diag *diag);
COF_MUST_USE enum cof_err keep_download_write(struct keep_download *keep, uint64_t offset, struct cof_view piece,
                                              struct cof_diag *diag);
COF_MUST_USE enum cof_err keep_download_note(struct keep_download *keep, size_t index, const struct cof_s3_part *range);
/* The file appears under its name, durable. */
COF_MUST_USE enum cof_err keep_download_commit(struct keep_download *keep, struct cof_diag *diag);
/* Lets go; forget: what was kept is useless. */
void keep_download_close(struct keep_download *keep, bool forget);

#endif
