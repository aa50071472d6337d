/* SPDX-License-Identifier: Apache-2.0
 *
 * What every program does first: no core dumps, no writing signal on closed pipes, no stray descriptors, standard
 * descriptors open, and - where secrets are held - no other process looking in, nothing swapped out.
 */
#ifndef COF_IO_HARDEN_H
#define COF_IO_HARDEN_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

struct cof_harden_opts {
    bool undumpable;  /* /proc/self and ptrace are closed to others; after cof_sandbox_netns, which needs /proc/self */
    bool lock_memory; /* all memory stays in RAM; best effort, see *locked */
    bool many_files;  /* as many descriptors as may be had; best effort */
    bool close_stray; /* closes descriptors over 2 but those in keep */
    const int *keep;
    size_t n_keep;
};

/* Fails only for what must not be missing: core dumps off, descriptors, undumpable. locked may be NULL; it tells
 * whether memory is locked. New files get no rights for others (umask 077). */
COF_MUST_USE enum cof_err cof_harden(const struct cof_harden_opts *opts, bool *locked, struct cof_diag *diag);

/* The umask that the program was started with: for files that are the user's, and not secret (0644 where it lets them be). 0 before
 * cof_harden. */
mode_t cof_harden_umask(void);

#endif
