/* SPDX-License-Identifier: Apache-2.0
 *
 * The file that a rollover's history is kept in (policy/rollover_log.h): one process at a time, each record on disk before the
 * next thing is done.
 */
#ifndef COF_COFFER_ROLLOVER_FILE_H
#define COF_COFFER_ROLLOVER_FILE_H

#include "policy/rollover_log.h"

struct rollover_file {
    int fd;
    struct cof_rollover rollover;
    struct cof_buf text;  /* whole records, as read */
    size_t n_torn;        /* bytes of a record that a kill left half written; they are taken away */
};
/* Opens, locks and replays; makes the file unless it is only to be read. COF_E_RETRY while another process has it, COF_E_AUTH
 * when it was tampered with. Call rollover_file_close whatever it returns. */
COF_MUST_USE enum cof_err rollover_file_open(struct rollover_file *file, const char *path, bool read_only, struct cof_diag *diag);
COF_MUST_USE enum cof_err rollover_file_add(struct rollover_file *file, const struct cof_rollover_entry *entry,
                                            struct cof_diag *diag);
void rollover_file_close(struct rollover_file *file);

#endif
