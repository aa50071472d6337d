/* SPDX-License-Identifier: Apache-2.0 */
#include "io/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static enum cof_err failed(struct cof_diag *diag, const char *what)
{
    return cof_diag_set(diag, COF_E_IO, "%s: %s", what, strerror(errno));
}

/* A program started without them would write its answers into whatever file it opens first. What stands in their place fails when it is
 * used: nothing was given to read, and nobody would get what is written. */
static enum cof_err standard_descriptors(struct cof_diag *diag)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            return failed(diag, "/dev/null");
    return COF_OK;
}

static bool is_kept(const struct cof_harden_opts *opts, unsigned fd)
{
    for (size_t i = 0; i < opts->n_keep; i++)
        if (opts->keep[i] >= 0 && (unsigned)opts->keep[i] == fd)
            return true;
    return false;
}

/* The gaps between what is kept. */
static enum cof_err close_stray(const struct cof_harden_opts *opts, struct cof_diag *diag)
{
    unsigned first = 3;

    for (;;) {
        unsigned next = ~0u;

        for (size_t i = 0; i < opts->n_keep; i++)
            if (opts->keep[i] >= 0 && (unsigned)opts->keep[i] >= first && (unsigned)opts->keep[i] < next)
                next = (unsigned)opts->keep[i];
        if (next > first && close_range(first, next == ~0u ? ~0u : next - 1, 0) != 0) {
            if (errno != ENOSYS)
                return failed(diag, "close_range");
            for (unsigned fd = first; fd < 65536 && fd < next; fd++) /* a kernel before 5.9 */
                if (!is_kept(opts, fd))
                    (void)close((int)fd);
        }
        if (next == ~0u)
            return COF_OK;
        first = next + 1;
    }
}

/* With a limit in force, locking would make later allocations fail: then rather not. */
static bool lock_memory(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 &&
        (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY))
        return false;
    return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

static void raise_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static mode_t callers_umask; /* the process has one */

mode_t cof_harden_umask(void)
{
    return callers_umask;
}

enum cof_err cof_harden(const struct cof_harden_opts *opts, bool *locked, struct cof_diag *diag)
{
    const struct rlimit none = {0, 0};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    bool is_locked = false;
    enum cof_err err = standard_descriptors(diag);

    if (err == COF_OK && setrlimit(RLIMIT_CORE, &none) != 0)
        err = failed(diag, "core dumps cannot be switched off");
    if (opts->many_files)
        raise_files();
    if (err == COF_OK && opts->undumpable && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        err = failed(diag, "PR_SET_DUMPABLE");
    if (err == COF_OK && opts->close_stray)
        err = close_stray(opts, diag);
    if (err == COF_OK && sigaction(SIGPIPE, &ignore, NULL) != 0)
        err = failed(diag, "SIGPIPE");
    if (err == COF_OK && sigaction(SIGXFSZ, &ignore, NULL) != 0) /* a limit of the file size is an error like a full disk */
        err = failed(diag, "SIGXFSZ");
    callers_umask = umask(077);
    if (err == COF_OK && opts->lock_memory)
        is_locked = lock_memory();
    if (locked != NULL)
        *locked = is_locked;
    return err;
}
