/* SPDX-License-Identifier: Apache-2.0
 *
 * Child processes and signals on a loop. A child gets exactly the arguments, environment and descriptors named here and
 * nothing else of ours.
 */
#ifndef COF_IO_PROCESS_H
#define COF_IO_PROCESS_H

#include "io/loop.h"

#include <stddef.h>
#include <sys/types.h>

struct cof_process;

struct cof_process_fd {
    int fd; /* ours */
    int as; /* its number in the child */
};

struct cof_process_opts {
    const char *path;        /* the executable; or NULL, and then */
    int exec_fd;             /* a descriptor of it (a sealed memory file); no scripts */
    const char *const *argv; /* NULL-terminated */
    const char *const *envp; /* NULL-terminated; NULL: empty */
    const struct cof_process_fd *fds;
    size_t n_fds;            /* at most COF_PROCESS_FDS_MAX; 0, 1 and 2 are /dev/null where not named */
    const char *dir;         /* working directory, or NULL: ours */
    bool die_with_us;        /* killed when the thread that started it ends */
    uint64_t memory_bytes;   /* address space; 0: no limit */
    uint64_t open_files;     /* 0: as ours */
    /* Runs in the child just before the program, with the descriptors in place: sandboxes. A failure is the start's. */
    enum cof_err (*prepare)(void *ctx, struct cof_diag *diag);
    /* The child has ended: exit code, or the signal that killed it (then code is -1; else signal is 0). Called once,
     * from the loop; cof_process_free may be called in it. */
    void (*exited)(void *ctx, struct cof_process *process, int code, int signal);
    void *ctx;
};

#define COF_PROCESS_FDS_MAX 16

/* Returns once the program runs, or the reason why it does not. */
COF_MUST_USE enum cof_err cof_process_start(struct cof_loop *loop, const struct cof_process_opts *opts,
                                            struct cof_process **out, struct cof_diag *diag);
pid_t cof_process_pid(const struct cof_process *process);
/* Through the pidfd: never hits another process. Nothing happens once it has ended. */
void cof_process_kill(struct cof_process *process, int signal);
/* Kills it when it still runs, waits for it, frees. exited is not called. Takes NULL. */
void cof_process_free(struct cof_process *process);

/* Signals as events. They are blocked in this thread (and threads it starts later) until free. */
struct cof_signals;
COF_MUST_USE enum cof_err cof_signals_new(struct cof_loop *loop, const int *list, size_t n,
                                          void (*caught)(void *ctx, int signal), void *ctx, struct cof_signals **out);
void cof_signals_free(struct cof_signals *signals); /* takes NULL */

#endif
