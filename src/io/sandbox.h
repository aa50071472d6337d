/* SPDX-License-Identifier: Apache-2.0
 *
 * A process gives up what it will not need: system calls (seccomp), files (Landlock), the network (a namespace of its
 * own), capabilities. All of it is final for the process and its children. Order: netns, then files and descriptors are
 * opened, then paths, caps, and seccomp last.
 */
#ifndef COF_IO_SANDBOX_H
#define COF_IO_SANDBOX_H

#include "base/err.h"

#include <stddef.h>

/* Each allows a list of system calls and refuses all others with EPERM, or kills. */
enum cof_sandbox_profile {
    COF_SANDBOX_ENCLAVE,   /* loop, sockets, NSM, reads files; maps no new code, starts no program */
    COF_SANDBOX_LAUNCHER,  /* an enclave that starts its processor as a child: ENCLAVE and PROCESSOR, and what starting
                            * and sandboxing a child takes */
    COF_SANDBOX_PROCESSOR, /* a child program: computes, threads, files, IP and Unix sockets, exec of itself, no fork */
    COF_SANDBOX_HOST,      /* sockets and files; starts no program */
    COF_SANDBOX_PRODUCER,  /* sockets, files, threads; starts no program */
};

/* All threads of the process at once. kill: a forbidden call ends the process instead of failing. */
COF_MUST_USE enum cof_err cof_sandbox_seccomp(enum cof_sandbox_profile profile, bool kill, struct cof_diag *diag);

/* Moves the process into a network namespace of its own with the loopback up: no interface and no abstract Unix
 * socket of the machine is reachable from then on (descriptors already open stay). vsock knows no namespaces: the
 * PROCESSOR profile keeps it out. Without the right to do it directly a user namespace of its own comes with it.
 * COF_E_UNSUPPORTED where the system allows neither. Single-threaded callers only. */
COF_MUST_USE enum cof_err cof_sandbox_netns(struct cof_diag *diag);

/* Clears all capability sets and the bounding set, and forbids regaining privileges by exec. */
COF_MUST_USE enum cof_err cof_sandbox_drop_caps(struct cof_diag *diag);

/* Files reachable from now on; whatever is not named is not. Names that do not exist are passed over. */
struct cof_sandbox_paths {
    const char *const *read_only, *const *read_write, *const *execute; /* execute: read and run */
    size_t n_read_only, n_read_write, n_execute;
    bool no_tcp; /* no TCP bind or connect either, where the kernel can (ABI 4) */
};
/* *abi (may be NULL): the Landlock version enforced; 0: the kernel has none, and nothing is enforced. This thread and
 * those it starts later. */
COF_MUST_USE enum cof_err cof_sandbox_files(const struct cof_sandbox_paths *paths, int *abi, struct cof_diag *diag);

#endif
