/* SPDX-License-Identifier: Apache-2.0
 *
 * Namespaces, capabilities and Landlock; the system-call lists are in seccomp.c.
 */
#include "io/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum cof_err failed(struct cof_diag *diag, const char *what)
{
    return cof_diag_set(diag, COF_E_IO, "sandbox: %s: %s", what, strerror(errno));
}

/* --- network namespace --- */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        (void)close(fd);
    return ok;
}

/* We stay who we are: the one user and group known inside. */
static bool map_ids(uid_t uid, gid_t gid)
{
    char text[64];
    bool ok;

    (void)write_file("/proc/self/setgroups", "deny");
    (void)snprintf(text, sizeof text, "%u %u 1", uid, uid);
    ok = write_file("/proc/self/uid_map", text);
    (void)snprintf(text, sizeof text, "%u %u 1", gid, gid);
    return ok && write_file("/proc/self/gid_map", text);
}

static bool loopback_up(void)
{
    struct ifreq req = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = s >= 0 && ioctl(s, SIOCGIFFLAGS, &req) == 0;

    if (ok) {
        req.ifr_flags |= IFF_UP | IFF_RUNNING;
        ok = ioctl(s, SIOCSIFFLAGS, &req) == 0;
    }
    if (s >= 0)
        (void)close(s);
    return ok;
}

enum cof_err cof_sandbox_netns(struct cof_diag *diag)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (unshare(CLONE_NEWNET) != 0) {
        if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
            (void)failed(diag, "network namespace");
            return COF_E_UNSUPPORTED;
        }
        if (!map_ids(uid, gid))
            return failed(diag, "user namespace");
    }
    return loopback_up() ? COF_OK : failed(diag, "loopback");
}

/* --- capabilities --- */

enum cof_err cof_sandbox_drop_caps(struct cof_diag *diag)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return failed(diag, "no_new_privs");
    /* Who may not lower the bounding set has nothing in the permitted one that no_new_privs would not keep away. */
    for (unsigned long cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EINVAL && errno != EPERM)
            return failed(diag, "bounding set");
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
        return failed(diag, "ambient capabilities");
    if (syscall(SYS_capset, &header, none) != 0)
        return failed(diag, "capabilities");
    return COF_OK;
}

/* --- Landlock: the kernel's interface, newer than the headers we build with (uapi/linux/landlock.h) --- */

#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_MAKE_CHAR (1ULL << 6)
#define FS_MAKE_BLOCK (1ULL << 11)
#define FS_ABI1 ((1ULL << 13) - 1)
#define FS_REFER (1ULL << 13)     /* ABI 2 */
#define FS_TRUNCATE (1ULL << 14)  /* ABI 3 */
#define FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define NET_TCP 3ULL              /* bind and connect, ABI 4 */
#define ON_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

#define RULE_PATH_BENEATH 1
#define CREATE_RULESET_VERSION 1

struct ruleset {
    uint64_t fs, net;
};
struct __attribute__((packed)) beneath {
    uint64_t allowed;
    int32_t parent;
};

static int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

    return abi < 0 ? 0 : abi > 99 ? 99 : (int)abi;
}

static uint64_t known_fs(int abi)
{
    return FS_ABI1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0);
}

static enum cof_err allow(int ruleset, const char *const *paths, size_t n, uint64_t rights, struct cof_diag *diag)
{
    for (size_t i = 0; i < n; i++) {
        struct beneath rule = {.allowed = rights};
        struct stat st;
        long r;

        rule.parent = open(paths[i], O_PATH | O_CLOEXEC);
        if (rule.parent < 0 && (errno == ENOENT || errno == ENOTDIR))
            continue;
        if (rule.parent < 0 || fstat(rule.parent, &st) != 0) {
            enum cof_err err = failed(diag, paths[i]);
            if (rule.parent >= 0)
                (void)close(rule.parent);
            return err;
        }
        if (!S_ISDIR(st.st_mode))
            rule.allowed &= ON_FILES;
        r = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0);
        (void)close(rule.parent);
        if (r != 0)
            return failed(diag, paths[i]);
    }
    return COF_OK;
}

enum cof_err cof_sandbox_files(const struct cof_sandbox_paths *paths, int *abi, struct cof_diag *diag)
{
    int version = landlock_abi(), fd;
    uint64_t fs = known_fs(version), read_only = FS_READ_FILE | FS_READ_DIR;
    uint64_t read_write = fs & ~(FS_EXECUTE | FS_MAKE_CHAR | FS_MAKE_BLOCK);
    struct ruleset attr = {.fs = fs, .net = paths->no_tcp && version >= 4 ? NET_TCP : 0};
    enum cof_err err;

    if (abi != NULL)
        *abi = version;
    if (version == 0)
        return COF_OK;
    fd = (int)syscall(SYS_landlock_create_ruleset, &attr, version >= 4 ? sizeof attr : sizeof attr.fs, 0);
    if (fd < 0)
        return failed(diag, "Landlock");
    err = allow(fd, paths->read_only, paths->n_read_only, read_only, diag);
    if (err == COF_OK)
        err = allow(fd, paths->read_write, paths->n_read_write, read_write, diag);
    if (err == COF_OK)
        err = allow(fd, paths->execute, paths->n_execute, read_only | FS_EXECUTE, diag);
    if (err == COF_OK && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        err = failed(diag, "no_new_privs");
    if (err == COF_OK && syscall(SYS_landlock_restrict_self, fd, 0) != 0)
        err = failed(diag, "Landlock");
    (void)close(fd);
    return err;
}
