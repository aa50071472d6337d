/* SPDX-License-Identifier: Apache-2.0
 *
 * Each restriction is taken on by a child, which then tries what must fail and what must go on working. The child's exit
 * code is the number of the first check that failed.
 */
#include "http_world.h"

#include "io/harden.h"
#include "io/sandbox.h"

#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* More than 100: killed by signal - 100. */
static int in_child(int (*fn)(const void *arg), const void *arg)
{
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn(arg));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static bool denied(long result)
{
    return result < 0 && (errno == EPERM || errno == ENOSYS || errno == EACCES);
}

static bool can_socket(int family)
{
    int s = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (s >= 0)
        (void)close(s);
    return s >= 0 || errno != EPERM; /* allowed, whether or not this machine has it */
}

/* What no profile allows. */
static int common_refusals(void)
{
    if (!denied(ptrace(PTRACE_TRACEME, 0, 0, 0)))
        return 1;
    if (!denied(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL)))
        return 2;
    if (!denied(syscall(SYS_io_uring_setup, 1, NULL)))
        return 3;
    if (!denied(syscall(SYS_bpf, 0, NULL, 0)))
        return 4;
    if (!denied(syscall(SYS_clone3, NULL, 0)))
        return 5;
    if (!denied(syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0)))
        return 6;
    if (!denied(socket(AF_PACKET, SOCK_RAW, 0)))
        return 7;
    if (!denied(syscall(SYS_setuid, 0)))
        return 8;
    return 0;
}

static void *thread(void *arg)
{
    return arg;
}

static bool can_thread(void)
{
    pthread_t t;

    return pthread_create(&t, NULL, thread, NULL) == 0 && pthread_join(t, NULL) == 0;
}

static int enclave(const void *arg)
{
    if (cof_sandbox_seccomp(COF_SANDBOX_ENCLAVE, false, NULL) != COF_OK)
        return 50;
    if (common_refusals() != 0)
        return common_refusals();
    if (!denied(syscall(SYS_execve, "/bin/true", NULL, NULL)))
        return 20;
    if (!denied(fork()))
        return 21;
    if (!denied(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0))
        return 22;
    if (!denied(open("/tmp/coffer-sandbox-never", O_WRONLY | O_CREAT, 0600)))
        return 23;
    if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
        return 24;
    if (!can_socket(AF_INET) || !can_socket(AF_VSOCK))
        return 25;
    return can_thread() ? 0 : 26;
}

static int processor(const void *arg)
{
    if (cof_sandbox_seccomp(COF_SANDBOX_PROCESSOR, false, NULL) != COF_OK)
        return 50;
    if (common_refusals() != 0)
        return common_refusals();
    if (can_socket(AF_VSOCK) || !can_socket(AF_INET))
        return 20;
    if (!denied(fork()))
        return 21;
    if (!can_thread())
        return 22;
    (void)execl("/bin/true", "true", (char *)NULL);
    return 23;
}

static int service(const void *arg)
{
    const enum cof_sandbox_profile *profile = arg;

    if (cof_sandbox_seccomp(*profile, false, NULL) != COF_OK)
        return 50;
    if (common_refusals() != 0)
        return common_refusals();
    if (!denied(fork()) || !denied(syscall(SYS_execve, "/bin/true", NULL, NULL)))
        return 20;
    if (!can_socket(AF_INET) || !can_socket(AF_NETLINK))
        return 21;
    if (can_socket(AF_VSOCK) != (*profile == COF_SANDBOX_HOST))
        return 22;
    return can_thread() ? 0 : 23;
}

/* A launcher starts a child that takes on the stricter list; the launcher's own holds for it too. */
static int launcher(const void *arg)
{
    int status = 0, code;
    pid_t pid;

    if (cof_sandbox_seccomp(COF_SANDBOX_LAUNCHER, false, NULL) != COF_OK)
        return 50;
    if (!denied(ptrace(PTRACE_TRACEME, 0, 0, 0)) || !denied(syscall(SYS_unshare, CLONE_NEWNS)) ||
        !denied(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL)))
        return 20;
    pid = fork();
    if (pid < 0)
        return 21;
    if (pid == 0)
        _exit(processor(arg));
    if (waitpid(pid, &status, 0) != pid)
        return 22;
    code = WIFEXITED(status) ? WEXITSTATUS(status) : 60;
    return code == 0 ? 0 : 64 + code;
}

static int kills(const void *arg)
{
    if (cof_sandbox_seccomp(COF_SANDBOX_HOST, true, NULL) != COF_OK)
        return 50;
    (void)syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
    return 1;
}

static void profiles_hold(void **state)
{
    const enum cof_sandbox_profile host = COF_SANDBOX_HOST, producer = COF_SANDBOX_PRODUCER;

    assert_int_equal(in_child(enclave, NULL), 0);
    assert_int_equal(in_child(processor, NULL), 0);
    assert_int_equal(in_child(service, &host), 0);
    assert_int_equal(in_child(service, &producer), 0);
    assert_int_equal(in_child(launcher, NULL), 0);
    assert_int_equal(in_child(kills, NULL), 100 + SIGSYS);
}

struct files {
    char dir[64], inside[96], outside[96];
};

static int files(const void *arg)
{
    const struct files *f = arg;
    const char *rw[] = {f->inside, "/nonexistent"}, *ro[] = {"/etc"}, *x[] = {"/bin", "/usr", "/lib", "/lib64"};
    struct cof_sandbox_paths paths = {.read_write = rw, .n_read_write = 2, .read_only = ro, .n_read_only = 1,
                                      .execute = x, .n_execute = 4};
    char path[128];
    int abi;

    if (cof_sandbox_files(&paths, &abi, NULL) != COF_OK)
        return 50;
    if (abi == 0)
        return 99;
    (void)snprintf(path, sizeof path, "%s/new", f->inside);
    if (open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 || unlink(path) != 0)
        return 1;
    if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0)
        return 2;
    if (!denied(open("/etc/passwd", O_RDWR | O_CLOEXEC)))
        return 3;
    if (!denied(open(f->outside, O_RDONLY | O_CLOEXEC)))
        return 4;
    if (!denied(open("/proc/self/status", O_RDONLY | O_CLOEXEC)))
        return 5;
    (void)execl("/bin/true", "true", (char *)NULL);
    return 6;
}

/* Server and client at work, plain and TLS, under the list: a call missing from it kills the child. */
static int works(const void *arg)
{
    const enum cof_sandbox_profile *profile = arg;
    struct world w;
    struct cof_sockaddr sa[4];
    size_t n;

    if (world_open(&w, (struct cof_http_limits){0}, 8) != 0 || world_remove_files(&w) != 0)
        return 50;
    if (cof_sandbox_seccomp(*profile, true, NULL) != COF_OK)
        return 51;
    for (int i = 0; i < 4; i++) {
        struct call c = {.to_send = 300000};
        struct cof_http_call_opts o = {.host = "127.0.0.1", .port = (uint16_t)w.addr.port, .https = i % 2 == 1, .streaming = true};

        begin_with(w.client, &c, o, "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: ");
        if (cof_loop_run_until(w.loop, &c.done, 20000) != COF_OK || c.err != COF_OK || c.body.len != c.to_send)
            return 1;
        cof_buf_done(&c.body);
    }
    if (*profile == COF_SANDBOX_HOST && cof_resolve_dns("localhost", 80, sa, 4, &n) != COF_OK)
        return 2;
    return 0;
}

static void programs_work_inside(void **state)
{
    static const enum cof_sandbox_profile profiles[] = {COF_SANDBOX_ENCLAVE, COF_SANDBOX_LAUNCHER, COF_SANDBOX_HOST,
                                                        COF_SANDBOX_PRODUCER};

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(in_child(works, &profiles[i]), 0);
}

static void files_are_out_of_reach(void **state)
{
    struct files f = {.dir = "/tmp/coffer-sandbox-XXXXXX"};
    int r;

    assert_non_null(mkdtemp(f.dir));
    (void)snprintf(f.inside, sizeof f.inside, "%s/inside", f.dir);
    (void)snprintf(f.outside, sizeof f.outside, "%s/outside", f.dir);
    assert_int_equal(mkdir(f.inside, 0700), 0);
    assert_true(close(open(f.outside, O_WRONLY | O_CREAT, 0600)) == 0);
    r = in_child(files, &f);
    (void)unlink(f.outside);
    (void)rmdir(f.inside);
    (void)rmdir(f.dir);
    if (r == 99)
        skip(); /* a kernel without Landlock */
    assert_int_equal(r, 0);
}

/* The child must reach itself on its own loopback, and not the parent's listener. */
static int netns(const void *arg)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const in_port_t *port = arg;
    socklen_t len = sizeof sa;
    int s, c;
    enum cof_err err = cof_sandbox_netns(NULL);

    if (err != COF_OK)
        return err == COF_E_UNSUPPORTED ? 99 : 50;
    sa.sin_port = *port;
    c = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c, (struct sockaddr *)&sa, sizeof sa) == 0)
        return 1;
    sa.sin_port = 0;
    s = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(s, (struct sockaddr *)&sa, sizeof sa) != 0 || listen(s, 1) != 0 ||
        getsockname(s, (struct sockaddr *)&sa, &len) != 0)
        return 2;
    c = socket(AF_INET, SOCK_STREAM, 0);
    return connect(c, (struct sockaddr *)&sa, sizeof sa) == 0 ? 0 : 3;
}

static void the_network_is_out_of_reach(void **state)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof sa;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

    assert_int_equal(bind(s, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(s, 1), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&sa, &len), 0);
    r = in_child(netns, &sa.sin_port);
    (void)close(s);
    if (r == 99)
        skip(); /* this system allows no namespaces */
    assert_int_equal(r, 0);
}

static int no_caps(const void *arg)
{
    int s;

    if (cof_sandbox_drop_caps(NULL) != COF_OK)
        return 50;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 1;
    s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    if (!denied(s))
        return 2;
    return denied(syscall(SYS_unshare, CLONE_NEWNET)) ? 0 : 3;
}

static void capabilities_are_gone(void **state)
{
    assert_int_equal(in_child(no_caps, NULL), 0);
}

static int hardened(const void *arg)
{
    int kept = fcntl(0, F_DUPFD, 50), stray1 = fcntl(0, F_DUPFD, 40), stray2 = fcntl(0, F_DUPFD, 60);
    const int keep[] = {kept, -1};
    const struct cof_harden_opts opts = {.undumpable = true, .lock_memory = true, .close_stray = true, .keep = keep, .n_keep = 2};
    struct rlimit limit;
    bool locked;
    void *memory;

    (void)close(1);
    if (cof_harden(&opts, &locked, NULL) != COF_OK)
        return 50;
    if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_cur != 0 || limit.rlim_max != 0)
        return 1;
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
        return 2;
    if (fcntl(kept, F_GETFD) < 0 || fcntl(stray1, F_GETFD) >= 0 || fcntl(stray2, F_GETFD) >= 0)
        return 3;
    if (fcntl(1, F_GETFD) < 0)
        return 4;
    if (raise(SIGPIPE) != 0) /* ignored, or we are not here */
        return 5;
    memory = malloc((size_t)64 << 20); /* locking must not starve the program */
    return memory != NULL ? 0 : 6;
}

static void programs_are_hardened(void **state)
{
    assert_int_equal(in_child(hardened, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles_hold),
        cmocka_unit_test(programs_work_inside),
        cmocka_unit_test(files_are_out_of_reach),
        cmocka_unit_test(the_network_is_out_of_reach),
        cmocka_unit_test(capabilities_are_gone),
        cmocka_unit_test(programs_are_hardened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
