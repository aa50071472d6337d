/* SPDX-License-Identifier: Apache-2.0 */
#include "io/process.h"

#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TARGET_MAX 256 /* highest descriptor number a child may be given */

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct cof_process {
    struct cof_loop *loop;
    struct cof_watch watch; /* the pidfd: readable when the child has ended */
    pid_t pid;
    bool ended;
    void (*exited)(void *ctx, struct cof_process *process, int code, int signal);
    void *ctx;
};

/* What the child tells through the start pipe when it cannot run the program. */
struct report {
    enum cof_err err;
    struct cof_diag diag;
};

static enum cof_err failed(struct cof_diag *diag, const char *what)
{
    int error = errno;

    return cof_diag_set(diag, cof_err_from_errno(error), "%s: %s", what, strerror(error));
}

/* --- in the child, between fork and exec --- */

static void default_signals(void)
{
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Everything over 2 closes at exec, but for what is handed over. */
static void close_at_exec(void)
{
    if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    for (int fd = 3; fd < 65536; fd++) /* a kernel before 5.11 */
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* First all out of the way, then each to its place: sources and targets may overlap. */
static enum cof_err place_descriptors(const struct cof_process_opts *opts, int *exec_fd, int *pipe_fd,
                                      struct cof_diag *diag)
{
    int high[COF_PROCESS_FDS_MAX], null;

    for (size_t i = 0; i < opts->n_fds; i++)
        if ((high[i] = fcntl(opts->fds[i].fd, F_DUPFD_CLOEXEC, TARGET_MAX)) < 0)
            return failed(diag, "a descriptor for the child");
    if (opts->path == NULL && (*exec_fd = fcntl(opts->exec_fd, F_DUPFD_CLOEXEC, TARGET_MAX)) < 0)
        return failed(diag, "the program's descriptor");
    if ((*pipe_fd = fcntl(*pipe_fd, F_DUPFD_CLOEXEC, TARGET_MAX)) < 0 ||
        (null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0 || (null = fcntl(null, F_DUPFD_CLOEXEC, TARGET_MAX)) < 0)
        return failed(diag, "/dev/null");
    for (int fd = 0; fd <= 2; fd++)
        if (dup2(null, fd) < 0)
            return failed(diag, "/dev/null");
    close_at_exec();
    for (size_t i = 0; i < opts->n_fds; i++)
        if (dup2(high[i], opts->fds[i].as) < 0) /* the copy stays open at exec */
            return failed(diag, "a descriptor for the child");
    return COF_OK;
}

static enum cof_err set_limit(int which, uint64_t value, struct cof_diag *diag)
{
    struct rlimit limit = {value, value};

    if (value == 0 || setrlimit((__rlimit_resource_t)which, &limit) == 0)
        return COF_OK;
    return failed(diag, "a limit of the child");
}

static enum cof_err become(const struct cof_process_opts *opts, pid_t parent, int *pipe_fd, struct cof_diag *diag)
{
    static char *const no_environment[] = {NULL};
    char *const *argv = (char *const *)(uintptr_t)opts->argv;
    char *const *envp = opts->envp == NULL ? no_environment : (char *const *)(uintptr_t)opts->envp;
    int exec_fd = -1;
    enum cof_err err;

    default_signals();
    if (opts->die_with_us && (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent))
        return failed(diag, "the parent is gone");
    err = place_descriptors(opts, &exec_fd, pipe_fd, diag);
    if (err == COF_OK && opts->dir != NULL && chdir(opts->dir) != 0)
        err = failed(diag, opts->dir);
    if (err == COF_OK)
        err = set_limit(RLIMIT_AS, opts->memory_bytes, diag);
    if (err == COF_OK)
        err = set_limit(RLIMIT_NOFILE, opts->open_files, diag);
    if (err == COF_OK && opts->prepare != NULL)
        err = opts->prepare(opts->ctx, diag);
    if (err != COF_OK)
        return err;
    if (opts->path != NULL)
        (void)execve(opts->path, argv, envp);
    else
        (void)syscall(SYS_execveat, exec_fd, "", argv, envp, AT_EMPTY_PATH);
    return failed(diag, opts->path != NULL ? opts->path : opts->argv[0]);
}

static _Noreturn void child(const struct cof_process_opts *opts, pid_t parent, int pipe_fd)
{
    struct report report = {0};

    report.err = become(opts, parent, &pipe_fd, &report.diag);
    (void)!write(pipe_fd, &report, sizeof report); /* under PIPE_BUF: whole */
    _exit(127);
}

/* --- in the parent --- */

/* The pipe ends without a report when exec has closed it. */
static enum cof_err await_exec(int pipe_fd, struct cof_diag *diag)
{
    struct report report = {0};
    size_t got = 0;

    while (got < sizeof report) {
        ssize_t n = read(pipe_fd, (char *)&report + got, sizeof report - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    if (got == 0)
        return COF_OK;
    if (got < sizeof report || report.err == COF_OK)
        return COF_E_BUG;
    report.diag.text[sizeof report.diag.text - 1] = '\0';
    return cof_diag_set(diag, report.err, "%s", report.diag.text);
}

/* Whether it has ended. Where the kernel does not tell how (a filter, somebody else reaped it), it has: only its end makes the
 * descriptor readable, and to wait on would be to wait for ever. */
static bool reap(struct cof_process *p, int *code, int *signal)
{
    siginfo_t info = {0};
    int r;

    do
        r = waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG);
    while (r != 0 && errno == EINTR);
    if (r == 0 && info.si_pid == 0)
        return false;
    *code = r == 0 && info.si_code == CLD_EXITED ? info.si_status : -1;
    *signal = r != 0 || info.si_code == CLD_EXITED ? 0 : info.si_status;
    return true;
}

static void on_ended(struct cof_watch *watch, unsigned events)
{
    struct cof_process *p = OWNER(watch, struct cof_process, watch);
    int code, signal;

    (void)events;
    if (!reap(p, &code, &signal))
        return;
    p->ended = true;
    cof_loop_unwatch(p->loop, watch);
    if (p->exited != NULL)
        p->exited(p->ctx, p, code, signal);
}

static enum cof_err check(const struct cof_process_opts *opts, struct cof_diag *diag)
{
    bool ok = opts->argv != NULL && opts->argv[0] != NULL && opts->n_fds <= COF_PROCESS_FDS_MAX;

    for (size_t i = 0; ok && i < opts->n_fds; i++)
        ok = opts->fds[i].fd >= 0 && opts->fds[i].as >= 0 && opts->fds[i].as < TARGET_MAX;
    return ok ? COF_OK : cof_diag_set(diag, COF_E_USAGE, "a child needs a name and descriptors that exist");
}

enum cof_err cof_process_start(struct cof_loop *loop, const struct cof_process_opts *opts, struct cof_process **out,
                               struct cof_diag *diag)
{
    struct cof_process *p;
    pid_t parent = getpid();
    int pipe_fds[2];
    enum cof_err err = check(opts, diag);

    *out = NULL;
    if (err != COF_OK)
        return err;
    p = calloc(1, sizeof *p);
    if (p == NULL)
        return COF_E_MEMORY;
    *p = (struct cof_process){
        .loop = loop, .watch = {.ready = on_ended, .fd = -1}, .exited = opts->exited, .ctx = opts->ctx};
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        err = failed(diag, "pipe");
        free(p);
        return err;
    }
    p->pid = fork();
    if (p->pid == 0)
        child(opts, parent, pipe_fds[1]);
    err = p->pid < 0 ? failed(diag, "fork") : COF_OK;
    p->ended = p->pid < 0;
    (void)close(pipe_fds[1]);
    if (err == COF_OK)
        err = await_exec(pipe_fds[0], diag);
    (void)close(pipe_fds[0]);
    if (err == COF_OK && (p->watch.fd = (int)syscall(SYS_pidfd_open, p->pid, 0)) < 0)
        err = failed(diag, "pidfd_open");
    if (err == COF_OK)
        err = cof_loop_watch(loop, &p->watch, COF_READABLE);
    if (err != COF_OK) {
        cof_process_free(p);
        return err;
    }
    *out = p;
    return COF_OK;
}

pid_t cof_process_pid(const struct cof_process *process)
{
    return process->pid;
}

/* Until it is reaped - which only we do - the number is the child's, with or without a pidfd. */
void cof_process_kill(struct cof_process *process, int signal)
{
    if (!process->ended)
        (void)kill(process->pid, signal);
}

void cof_process_free(struct cof_process *process)
{
    if (process == NULL)
        return;
    if (!process->ended) {
        (void)kill(process->pid, SIGKILL);
        while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    cof_loop_unwatch(process->loop, &process->watch);
    if (process->watch.fd >= 0)
        (void)close(process->watch.fd);
    free(process);
}

struct cof_signals {
    struct cof_loop *loop;
    struct cof_watch watch;
    sigset_t before;
    void (*caught)(void *ctx, int signal);
    void *ctx;
};

static void on_signal(struct cof_watch *watch, unsigned events)
{
    struct cof_signals *s = OWNER(watch, struct cof_signals, watch);
    struct signalfd_siginfo info;

    (void)events;
    while (watch->fd >= 0 && read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info)
        s->caught(s->ctx, (int)info.ssi_signo);
}

enum cof_err cof_signals_new(struct cof_loop *loop, const int *list, size_t n, void (*caught)(void *ctx, int signal),
                             void *ctx, struct cof_signals **out)
{
    struct cof_signals *s = calloc(1, sizeof *s);
    sigset_t set;
    enum cof_err err = COF_E_IO;

    *out = NULL;
    if (s == NULL)
        return COF_E_MEMORY;
    *s = (struct cof_signals){.loop = loop, .watch = {.ready = on_signal, .fd = -1}, .caught = caught, .ctx = ctx};
    (void)sigemptyset(&set);
    for (size_t i = 0; i < n; i++)
        (void)sigaddset(&set, list[i]);
    if (pthread_sigmask(SIG_BLOCK, &set, &s->before) == 0) {
        s->watch.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
        if (s->watch.fd >= 0)
            err = cof_loop_watch(loop, &s->watch, COF_READABLE);
        if (err != COF_OK)
            (void)pthread_sigmask(SIG_SETMASK, &s->before, NULL);
    }
    if (err != COF_OK) {
        if (s->watch.fd >= 0)
            (void)close(s->watch.fd);
        free(s);
        return err;
    }
    *out = s;
    return COF_OK;
}

void cof_signals_free(struct cof_signals *signals)
{
    if (signals == NULL)
        return;
    cof_loop_unwatch(signals->loop, &signals->watch);
    (void)close(signals->watch.fd);
    signals->watch.fd = -1;
    (void)pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
    cof_loop_discard(signals->loop, signals); /* it may be its own callback that frees it */
}
