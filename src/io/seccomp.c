/* SPDX-License-Identifier: Apache-2.0
 *
 * What each kind of process may ask of the kernel. The lists name calls, not numbers, so that they hold on every
 * architecture; a name unknown there is passed over.
 */
#include "io/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>

#define NAMESPACES \
    ((uint64_t)(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
                CLONE_NEWNET))
#define PR_SET_VMA_NUMBER 0x53564d41 /* names a mapping; glibc's allocator does */
#define EQUAL(index, value) ((struct scmp_arg_cmp){.arg = (index), .op = SCMP_CMP_EQ, .datum_a = (value)})
#define NSM_CALL 0xC0200A00u

/* Memory, time, the loop, what libc does behind one's back, and leaving. */
static const char *const base[] = {
    "read", "readv", "pread64", "write", "writev", "pwrite64", "lseek", "close", "close_range", "fstat",
    "newfstatat", "fstatat64", "stat", "statx", "munmap", "mremap", "madvise", "brk", "msync", "mlock", "mlock2",
    "munlock", "mincore", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait",
    "sigaltstack", "signalfd4", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
    "eventfd2", "poll", "ppoll", "select", "pselect6", "timerfd_create", "timerfd_settime", "pipe2", "pipe", "dup",
    "dup2", "dup3", "fcntl", "futex", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
    "gettimeofday", "time", "times", "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid",
    "getgroups", "getrandom", "getcpu", "sched_yield", "sched_getaffinity", "membarrier", "rseq", "set_robust_list",
    "get_robust_list", "set_tid_address", "arch_prctl", "getrlimit", "getrusage", "uname", "sysinfo", "exit",
    "exit_group", "restart_syscall", "tgkill", NULL};

static const char *const sockets[] = {
    "connect", "accept", "accept4", "bind", "listen", "getsockname", "getpeername", "setsockopt", "getsockopt",
    "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "shutdown", NULL};

static const char *const read_files[] = {
    "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd", "statfs", "fstatfs",
    "fadvise64", "flock", NULL};

static const char *const write_files[] = {
    "open", "openat", "openat2", "creat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir",
    "mkdirat", "rmdir", "link", "linkat", "symlink", "symlinkat", "fsync", "fdatasync", "sync_file_range",
    "ftruncate", "truncate", "fallocate", "fchmod", "fchmodat", "chmod", "umask", "utimensat", "copy_file_range",
    "sendfile", "memfd_create", "chdir", "fchdir", NULL};

static const char *const run_code[] = {"mmap", "mprotect", NULL};
static const char *const exec[] = {"execve", "execveat", NULL};
static const char *const spawn[] = {
    "fork", "vfork", "wait4", "waitid", "pidfd_open", "pidfd_send_signal", "kill", "setrlimit", "prlimit64",
    "setsid", "prctl", "seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
    "capset", "capget", NULL};

struct rules {
    scmp_filter_ctx ctx;
    int status; /* the first failure, negative errno */
};

/* What the default action already does needs no rule (and libseccomp refuses one). */
static void add(struct rules *r, uint32_t action, const char *name, unsigned n, const struct scmp_arg_cmp *args)
{
    int call = seccomp_syscall_resolve_name(name), status;

    if (call == __NR_SCMP_ERROR || r->status != 0)
        return;
    status = seccomp_rule_add_array(r->ctx, action, call, n, args);
    if (status != 0 && status != -EACCES && status != -EDOM)
        r->status = status;
}

static void allow(struct rules *r, const char *const *names)
{
    for (; *names != NULL; names++)
        add(r, SCMP_ACT_ALLOW, *names, 0, NULL);
}

static void allow_values(struct rules *r, const char *name, unsigned arg, const uint64_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add(r, SCMP_ACT_ALLOW, name, 1, &EQUAL(arg, values[i]));
}

static void allow_masked(struct rules *r, const char *name, unsigned arg, uint64_t mask, uint64_t value)
{
    add(r, SCMP_ACT_ALLOW, name, 1, &SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, mask, value));
}

/* clone3 keeps its flags where a filter cannot look: libc falls back to clone when there is none. */
static void threads_only(struct rules *r)
{
    add(r, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    allow_masked(r, "clone", 0, CLONE_THREAD | NAMESPACES, CLONE_THREAD);
}

static void families(struct rules *r, const uint64_t *list, size_t n)
{
    allow_values(r, "socket", 0, list, n);
    add(r, SCMP_ACT_ALLOW, "socketpair", 1, &EQUAL(0, AF_UNIX));
    allow(r, sockets);
}

static void common(struct rules *r)
{
    static const uint64_t ioctls[] = {FIONREAD, FIONBIO, FIOCLEX, TCGETS, TIOCGWINSZ, NSM_CALL};
    static const uint64_t prctls[] = {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA_NUMBER, PR_GET_DUMPABLE};

    allow(r, base);
    allow_values(r, "ioctl", 1, ioctls, sizeof ioctls / sizeof ioctls[0]);
    allow_values(r, "prctl", 0, prctls, sizeof prctls / sizeof prctls[0]);
    add(r, SCMP_ACT_ALLOW, "prlimit64", 2, (const struct scmp_arg_cmp[]){EQUAL(0, 0), EQUAL(2, 0)});
    allow(r, read_files);
}

static void enclave(struct rules *r)
{
    static const uint64_t list[] = {AF_UNIX, AF_INET, AF_INET6, AF_VSOCK};

    common(r);
    families(r, list, sizeof list / sizeof list[0]);
    threads_only(r);
    allow_masked(r, "mmap", 2, PROT_EXEC, 0);
    allow_masked(r, "mprotect", 2, PROT_EXEC, 0);
    allow_masked(r, "open", 1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY);
    allow_masked(r, "openat", 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY);
    add(r, SCMP_ACT_ALLOW, "waitid", 1, &EQUAL(0, P_PID)); /* its processor's end */
}

static void processor(struct rules *r)
{
    static const uint64_t list[] = {AF_UNIX, AF_INET, AF_INET6};

    common(r);
    families(r, list, sizeof list / sizeof list[0]);
    threads_only(r);
    allow(r, run_code);
    allow(r, write_files);
    allow(r, exec);
}

static void service(struct rules *r, bool vsock)
{
    static const uint64_t list[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_VSOCK}; /* netlink: the resolver */

    common(r);
    families(r, list, vsock ? 5 : 4);
    if (vsock)
        add(r, SCMP_ACT_ALLOW, "splice", 0, NULL);
    threads_only(r);
    allow(r, run_code);
    allow(r, write_files);
}

static void launcher(struct rules *r)
{
    static const uint64_t list[] = {AF_UNIX, AF_INET, AF_INET6, AF_VSOCK};

    common(r);
    families(r, list, sizeof list / sizeof list[0]);
    add(r, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    allow_masked(r, "clone", 0, NAMESPACES, 0);
    allow_masked(r, "unshare", 0, ~(uint64_t)(CLONE_NEWNET | CLONE_NEWUSER), 0);
    allow_values(r, "ioctl", 1, (const uint64_t[]){0x8913, 0x8914}, 2); /* SIOCGIFFLAGS, SIOCSIFFLAGS: loopback up */
    allow(r, run_code);
    allow(r, write_files);
    allow(r, exec);
    allow(r, spawn);
}

static void fill(struct rules *r, enum cof_sandbox_profile profile)
{
    switch (profile) {
    case COF_SANDBOX_ENCLAVE:
        enclave(r);
        break;
    case COF_SANDBOX_LAUNCHER:
        launcher(r);
        break;
    case COF_SANDBOX_PROCESSOR:
        processor(r);
        break;
    case COF_SANDBOX_HOST:
        service(r, true);
        break;
    case COF_SANDBOX_PRODUCER:
        service(r, false);
        break;
    }
}

enum cof_err cof_sandbox_seccomp(enum cof_sandbox_profile profile, bool kill, struct cof_diag *diag)
{
    struct rules r = {.ctx = seccomp_init(kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM))};
    enum cof_err err = COF_OK;

    if (r.ctx == NULL)
        return COF_E_MEMORY;
    r.status = seccomp_attr_set(r.ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (r.status == 0)
        r.status = seccomp_attr_set(r.ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree: the lists are long */
    fill(&r, profile);
    if (r.status == 0)
        r.status = seccomp_load(r.ctx); /* sets no_new_privs too */
    if (r.status != 0)
        err = cof_diag_set(diag, COF_E_IO, "sandbox: seccomp: %s", strerror(-r.status));
    seccomp_release(r.ctx);
    return err;
}
