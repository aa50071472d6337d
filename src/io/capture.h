/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a program to its end and takes what it prints. Blocks, on a loop of its own.
 */
#ifndef COF_IO_CAPTURE_H
#define COF_IO_CAPTURE_H

#include "base/buf.h"

struct cof_capture_opts {
    const char *path;
    const char *const *argv, *const *envp; /* NULL-terminated; envp NULL: empty */
    int64_t timeout_ms;      /* then it is killed: COF_E_TIMEOUT */
    struct cof_buf *out;     /* what it prints; over its cap: COF_E_LIMIT */
    struct cof_buf *errors;  /* what it complains of; NULL: that goes where ours goes */
    bool die_with_us;
};

/* *code: its exit status, or -1 when a signal ended it. */
COF_MUST_USE enum cof_err cof_capture(const struct cof_capture_opts *opts, int *code, struct cof_diag *diag);

#endif
