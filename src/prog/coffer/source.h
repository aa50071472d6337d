/* SPDX-License-Identifier: Apache-2.0
 *
 * Local files and pipes as what is sent.
 */
#ifndef COF_COFFER_SOURCE_H
#define COF_COFFER_SOURCE_H

#include "client/s3_send.h"

#include <sys/stat.h>

struct source {
    int fd;
    const char *path;
    struct stat st;
};
/* "-" is standard input. What is no file is read as a stream. */
COF_MUST_USE enum cof_err source_open(struct source *source, const char *path, struct cof_s3_source *out,
                                      struct cof_diag *diag);
void source_close(struct source *source); /* idempotent */

/* Calls each with the path of every file below folder, and its path relative to that; symbolic links to files are
 * followed; those to folders, sockets and the like are left out, which tells says on standard error. A folder that cannot be read is an error. */
COF_MUST_USE enum cof_err source_walk(const char *folder,
                                      enum cof_err (*each)(void *ctx, const char *path, const char *relative,
                                                           uint64_t size, struct cof_diag *diag),
                                      void *ctx, bool tells, struct cof_diag *diag);

#endif
