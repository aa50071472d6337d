/* SPDX-License-Identifier: Apache-2.0
 *
 * Loaded into a program (LD_PRELOAD) it writes down, in order, whatever the program does to the files of one folder that a power cut
 * could undo, and what it syncs; tests/tools/powercut.py builds from that what a disk may hold after a cut. It also makes calls fail.
 *
 *   POWERCUT_FOLDER   the folder; nothing happens without
 *   POWERCUT_LOG      where to write it down: outside of the folder, a new file for each process
 *   POWERCUT_LIE      all, files or folders: syncs of those succeed and are not written down
 *   POWERCUT_NOSYNC   syncs are written down but not done, which is all a test needs; each takes so many microseconds
 *   POWERCUT_CONTROL  a file that may be written at any time, "KINDS ERRNO SKIP COUNT": of the calls of those kinds (w writes, g writes
 *                     that make a file larger, m makes of files and folders, s syncs, a syncs of files that are only appended to) the first SKIP succeed, the next COUNT fail
 *                     (-1: all). Another text counts anew. A write that fails for want of room has written half before.
 *
 * A record: struct record, then its name (renames: two, a slash between), then its bytes. A program that is judged by the log must
 * be seen whole: powercut.py holds the log against the folder itself, so a call that is missing here is found.
 */
#undef _FILE_OFFSET_BITS /* the plain names must stay what they are */
#undef _FORTIFY_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define API __attribute__((visibility("default")))
#define N_NODES 65536 /* inodes; an open hash table */

enum op { BASE = 'b', MAKE = 'c', NAMELESS = 'n', WRITE = 'w', SIZE = 't', ZERO = 'z', BEGIN = 'S', SYNC = 's', UNSYNCED = 'f', LINK = 'l',
    UNLINK = 'u', RENAME = 'r', MAPPED = 'm', INJECTED = 'i' };

struct record {
    uint32_t size; /* of all */
    uint8_t op, is_dir;
    uint16_t name_len;
    uint64_t dir, id, offset, len; /* of BEGIN, SYNC and UNSYNCED offset says which sync */
};

struct node {
    dev_t dev;
    ino_t ino;
    uint64_t id; /* 0: nobody */
    bool is_dir;
};

static struct node nodes[N_NODES];
static uint64_t last_id;
static int log_fd = -1, control_fd = -1;
static bool no_sync, lie_files, lie_folders;
static useconds_t sync_us;
static uint64_t n_syncs;
static char control_text[128];
static unsigned long n_matched;
static int failure; /* errno of the last call that was made to fail */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The real call. */
#define NEXT(name) ((__typeof__(&name))real(#name))

static void (*real(const char *name))(void)
{
    void *found = dlsym(RTLD_NEXT, name);
    void (*call)(void);

    if (found == NULL)
        abort();
    memcpy(&call, &found, sizeof call); /* ISO C has no conversion; POSIX says that it fits */
    return call;
}

static struct node *slot_of(dev_t dev, ino_t ino)
{
    size_t at = (size_t)(ino * 0x9e3779b97f4a7c15u >> 40) % N_NODES;

    for (size_t n = 0; n < N_NODES; n++, at = (at + 1) % N_NODES)
        if (nodes[at].ino == 0 || (nodes[at].ino == ino && nodes[at].dev == dev))
            return &nodes[at];
    abort();
}

static struct node *add_node(const struct stat *st)
{
    struct node *node = slot_of(st->st_dev, st->st_ino);

    *node = (struct node){st->st_dev, st->st_ino, ++last_id, S_ISDIR(st->st_mode)};
    return node;
}

static struct node *node_of(const struct stat *st)
{
    struct node *node = slot_of(st->st_dev, st->st_ino);

    return node->id == 0 ? NULL : node;
}

static struct node *node_of_fd(int fd)
{
    struct stat st;

    return log_fd >= 0 && fstat(fd, &st) == 0 ? node_of(&st) : NULL;
}

/* The folder that a path's last part is in, and that part. */
static struct node *parent_of(int at, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    char parent[PATH_MAX];
    struct stat st;

    if (log_fd < 0 || (slash != NULL && slash - path >= (long)sizeof parent))
        return NULL;
    *name = slash == NULL ? path : slash + 1;
    (void)snprintf(parent, sizeof parent, "%.*s", slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path), slash == NULL ? "." : path);
    return fstatat(at, parent, &st, 0) == 0 ? node_of(&st) : NULL;
}

static void put(struct record r, const char *name, const void *bytes, size_t n)
{
    struct iovec parts[3] = {{&r, sizeof r}, {(void *)(uintptr_t)name, name == NULL ? 0 : strlen(name)}, {(void *)(uintptr_t)bytes, n}};

    r.name_len = (uint16_t)parts[1].iov_len;
    r.size = (uint32_t)(sizeof r + r.name_len + n);
    if (NEXT(writev)(log_fd, parts, 3) != (ssize_t)r.size)
        abort();
}

/* What is there when the program starts. */
static void put_base(const char *path, uint64_t dir, const char *name)
{
    const struct dirent *entry;
    struct node *node;
    struct stat st;
    DIR *all;

    if (lstat(path, &st) != 0 || !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
        return;
    node = add_node(&st);
    put((struct record){.op = BASE, .is_dir = node->is_dir, .dir = dir, .id = node->id}, name, NULL, 0);
    all = node->is_dir ? opendir(path) : NULL;
    while (all != NULL && (entry = readdir(all)) != NULL) {
        char inner[PATH_MAX];

        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) < (int)sizeof inner)
            put_base(inner, node->id, entry->d_name);
    }
    if (all != NULL)
        (void)closedir(all);
}

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv("POWERCUT_FOLDER"), *log = getenv("POWERCUT_LOG"), *lie = getenv("POWERCUT_LIE"),
               *control = getenv("POWERCUT_CONTROL");

    if (folder == NULL || log == NULL)
        return;
    no_sync = getenv("POWERCUT_NOSYNC") != NULL;
    sync_us = no_sync ? (useconds_t)strtoul(getenv("POWERCUT_NOSYNC"), NULL, 10) : 0;
    lie_files = lie != NULL && strcmp(lie, "folders") != 0;
    lie_folders = lie != NULL && strcmp(lie, "files") != 0;
    log_fd = NEXT(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        abort();
    if (control != NULL)
        control_fd = NEXT(open)(control, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    put_base(folder, 0, "");
}

/* Whether this call is to fail; errno says how. */
static bool fails(const char *kinds)
{
    char text[sizeof control_text] = "", which[16];
    long skip, count;
    int error;

    if (control_fd < 0 || pread(control_fd, text, sizeof text - 1, 0) <= 0)
        return false;
    if (strcmp(text, control_text) != 0) {
        memcpy(control_text, text, sizeof text);
        n_matched = 0;
    }
    if (sscanf(text, "%15s %d %ld %ld", which, &error, &skip, &count) != 4 || strpbrk(which, kinds) == NULL)
        return false;
    n_matched++;
    if ((long)n_matched <= skip || (count >= 0 && (long)n_matched > skip + count))
        return false;
    put((struct record){.op = INJECTED, .len = (uint64_t)error}, NULL, NULL, 0);
    errno = failure = error;
    return true;
}

/* Opening: what it makes and what it empties. */
static int opened(int at, const char *path, int flags, mode_t mode)
{
    bool may_make = (flags & O_CREAT) != 0, nameless = (flags & O_TMPFILE) == O_TMPFILE, is_new = nameless, had_bytes = false;
    const char *name = "";
    struct node *dir, *node;
    struct stat st;
    int fd;

    (void)pthread_mutex_lock(&lock);
    dir = may_make ? parent_of(at, path, &name) : NULL;
    if (log_fd >= 0 && !nameless && fstatat(at, path, &st, 0) != 0)
        is_new = may_make;
    else if (log_fd >= 0 && !nameless)
        had_bytes = st.st_size > 0;
    if (nameless && log_fd >= 0)
        dir = fstatat(at, path, &st, 0) == 0 ? node_of(&st) : NULL;
    fd = dir != NULL && is_new && fails("m") ? -1 : NEXT(openat)(at, path, flags, mode);
    if (fd >= 0 && log_fd >= 0 && fstat(fd, &st) == 0) {
        if (dir != NULL && is_new) {
            node = add_node(&st);
            put((struct record){.op = nameless ? NAMELESS : MAKE, .dir = nameless ? 0 : dir->id, .id = node->id}, nameless ? NULL : name, NULL, 0);
        } else if ((flags & O_TRUNC) != 0 && had_bytes && (node = node_of(&st)) != NULL) {
            put((struct record){.op = SIZE, .id = node->id}, NULL, NULL, 0);
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return fd;
}

static mode_t mode_of(int flags, va_list *args)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(*args, mode_t) : 0;
}

#define OPEN(name, at, declared)                                                                                                              \
    API int name declared;                                                                                                                     \
    API int name declared                                                                                                                      \
    {                                                                                                                                          \
        va_list args;                                                                                                                          \
        mode_t mode;                                                                                                                           \
                                                                                                                                               \
        va_start(args, flags);                                                                                                                 \
        mode = mode_of(flags, &args);                                                                                                          \
        va_end(args);                                                                                                                          \
        return opened(at, path, flags, mode);                                                                                                  \
    }

OPEN(open, AT_FDCWD, (const char *path, int flags, ...))
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...))
OPEN(openat, at, (int at, const char *path, int flags, ...))
OPEN(openat64, at, (int at, const char *path, int flags, ...))

/* What a fortified build calls instead. */
API int __open_2(const char *path, int flags);
API int __open64_2(const char *path, int flags);
API int __openat_2(int at, const char *path, int flags);
API int __openat64_2(int at, const char *path, int flags);

API int __open_2(const char *path, int flags)
{
    return opened(AT_FDCWD, path, flags, 0);
}

API int __open64_2(const char *path, int flags)
{
    return opened(AT_FDCWD, path, flags, 0);
}

API int __openat_2(int at, const char *path, int flags)
{
    return opened(at, path, flags, 0);
}

API int __openat64_2(int at, const char *path, int flags)
{
    return opened(at, path, flags, 0);
}

/* A name of its own; libc opens it by itself. */
API int mkostemp64(char *pattern, int flags)
{
    const char *name;
    struct node *dir;
    struct stat st;
    int fd;

    (void)pthread_mutex_lock(&lock);
    dir = parent_of(AT_FDCWD, pattern, &name);
    fd = dir != NULL && fails("m") ? -1 : NEXT(mkostemp)(pattern, flags);
    if (fd >= 0 && dir != NULL && fstat(fd, &st) == 0)
        put((struct record){.op = MAKE, .dir = dir->id, .id = add_node(&st)->id}, name, NULL, 0);
    (void)pthread_mutex_unlock(&lock);
    return fd;
}

API int mkostemp(char *pattern, int flags)
{
    return mkostemp64(pattern, flags);
}

API int mkstemp(char *pattern)
{
    return mkostemp64(pattern, 0);
}

API int mkstemp64(char *pattern)
{
    return mkostemp64(pattern, 0);
}

static off_t size_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_size : 0;
}

/* offset -1: where the descriptor stands. */
static ssize_t wrote(int fd, const void *bytes, size_t n, off_t offset)
{
    struct node *node;
    ssize_t done = -1;
    off_t at;

    if (log_fd < 0 || (node = node_of_fd(fd)) == NULL)
        return offset < 0 ? NEXT(write)(fd, bytes, n) : NEXT(pwrite)(fd, bytes, n, offset);
    (void)pthread_mutex_lock(&lock);
    at = (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? size_of(fd) : offset < 0 ? lseek(fd, 0, SEEK_CUR) : offset;
    if (!fails(at + (off_t)n > size_of(fd) ? "wg" : "w"))
        done = offset < 0 ? NEXT(write)(fd, bytes, n) : NEXT(pwrite)(fd, bytes, n, offset);
    else if (errno == ENOSPC && n > 1)
        done = offset < 0 ? NEXT(write)(fd, bytes, n / 2) : NEXT(pwrite)(fd, bytes, n / 2, offset);
    if (done > 0)
        put((struct record){.op = WRITE, .id = node->id, .offset = (uint64_t)at}, NULL, bytes, (size_t)done);
    (void)pthread_mutex_unlock(&lock);
    return done;
}

API ssize_t write(int fd, const void *bytes, size_t n)
{
    return wrote(fd, bytes, n, -1);
}

API ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    return wrote(fd, bytes, n, offset);
}

API ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t offset)
{
    return wrote(fd, bytes, n, offset);
}

/* Piece by piece: short when one is, as the kernel's may be. */
static ssize_t wrote_pieces(int fd, const struct iovec *pieces, int n, off_t offset)
{
    ssize_t all = 0;

    for (int i = 0; i < n; i++) {
        ssize_t done = pieces[i].iov_len == 0 ? 0 : wrote(fd, pieces[i].iov_base, pieces[i].iov_len, offset < 0 ? -1 : offset + all);

        if (done < 0)
            return all > 0 ? all : done;
        all += done;
        if ((size_t)done < pieces[i].iov_len)
            break;
    }
    return all;
}

API ssize_t writev(int fd, const struct iovec *pieces, int n)
{
    return log_fd < 0 || node_of_fd(fd) == NULL ? NEXT(writev)(fd, pieces, n) : wrote_pieces(fd, pieces, n, -1);
}

API ssize_t pwritev(int fd, const struct iovec *pieces, int n, off_t offset)
{
    return log_fd < 0 || node_of_fd(fd) == NULL ? NEXT(pwritev)(fd, pieces, n, offset) : wrote_pieces(fd, pieces, n, offset);
}

API ssize_t pwritev64(int fd, const struct iovec *pieces, int n, off64_t offset)
{
    return pwritev(fd, pieces, n, offset);
}

API ssize_t pwritev2(int fd, const struct iovec *pieces, int n, off_t offset, int flags)
{
    return log_fd < 0 || node_of_fd(fd) == NULL ? NEXT(pwritev2)(fd, pieces, n, offset, flags) : wrote_pieces(fd, pieces, n, offset);
}

API ssize_t pwritev64v2(int fd, const struct iovec *pieces, int n, off64_t offset, int flags);
API ssize_t pwritev64v2(int fd, const struct iovec *pieces, int n, off64_t offset, int flags)
{
    return pwritev2(fd, pieces, n, offset, flags);
}

API ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags)
{
    struct node *node = node_of_fd(to);
    off_t at = node == NULL ? 0 : to_at != NULL ? *to_at : lseek(to, 0, SEEK_CUR);
    ssize_t done = NEXT(copy_file_range)(from, from_at, to, to_at, n, flags);
    char *bytes;

    if (done > 0 && node != NULL) {
        bytes = malloc((size_t)done);
        if (bytes == NULL || pread(to, bytes, (size_t)done, at) != done)
            abort(); /* to is to be open for reading too: what was copied is read back */
        (void)pthread_mutex_lock(&lock);
        put((struct record){.op = WRITE, .id = node->id, .offset = (uint64_t)at}, NULL, bytes, (size_t)done);
        (void)pthread_mutex_unlock(&lock);
        free(bytes);
    }
    return done;
}

API int ftruncate(int fd, off_t size)
{
    struct node *node = node_of_fd(fd);
    int rc;

    (void)pthread_mutex_lock(&lock);
    rc = NEXT(ftruncate)(fd, size);
    if (rc == 0 && node != NULL)
        put((struct record){.op = SIZE, .id = node->id, .len = (uint64_t)size}, NULL, NULL, 0);
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

API int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

API int truncate(const char *path, off_t size)
{
    struct stat st;
    struct node *node = log_fd >= 0 && stat(path, &st) == 0 ? node_of(&st) : NULL;
    int rc = NEXT(truncate)(path, size);

    if (rc == 0 && node != NULL)
        put((struct record){.op = SIZE, .id = node->id, .len = (uint64_t)size}, NULL, NULL, 0);
    return rc;
}

API int fallocate(int fd, int mode, off_t offset, off_t len)
{
    struct node *node = node_of_fd(fd);
    int rc = -1;

    (void)pthread_mutex_lock(&lock);
    if (node == NULL || (mode & FALLOC_FL_PUNCH_HOLE) != 0 || !fails("wg"))
        rc = NEXT(fallocate)(fd, mode, offset, len);
    if (rc == 0 && node != NULL) {
        if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0)
            put((struct record){.op = ZERO, .id = node->id, .offset = (uint64_t)offset, .len = (uint64_t)len}, NULL, NULL, 0);
        put((struct record){.op = SIZE, .id = node->id, .len = (uint64_t)size_of(fd)}, NULL, NULL, 0);
    }
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

API int fallocate64(int fd, int mode, off64_t offset, off64_t len)
{
    return fallocate(fd, mode, offset, len);
}

API int posix_fallocate(int fd, off_t offset, off_t len)
{
    return fallocate(fd, 0, offset, len) == 0 ? 0 : errno;
}

API int posix_fallocate64(int fd, off64_t offset, off64_t len)
{
    return posix_fallocate(fd, offset, len);
}

/* It covers what was written before it began. */
static int synced(int fd, const char *call)
{
    struct node *node = node_of_fd(fd);
    struct record r = {.op = BEGIN};
    bool failed, told;
    int rc = 0;

    if (node == NULL)
        return ((int (*)(int))real(call))(fd);
    (void)pthread_mutex_lock(&lock);
    r.id = node->id;
    r.offset = ++n_syncs;
    failed = fails((fcntl(fd, F_GETFL) & O_APPEND) != 0 ? "sa" : "s");
    told = failed || !(node->is_dir ? lie_folders : lie_files);
    if (told)
        put(r, NULL, NULL, 0);
    (void)pthread_mutex_unlock(&lock);
    if (no_sync)
        (void)usleep(sync_us);
    else if (!failed)
        rc = ((int (*)(int))real(call))(fd);
    (void)pthread_mutex_lock(&lock);
    r.op = failed || rc != 0 ? UNSYNCED : SYNC;
    if (told)
        put(r, NULL, NULL, 0);
    (void)pthread_mutex_unlock(&lock);
    if (failed)
        errno = failure;
    return failed ? -1 : rc;
}

API int fsync(int fd)
{
    return synced(fd, "fsync");
}

API int fdatasync(int fd)
{
    return synced(fd, "fdatasync");
}

/* Names */
API int mkdirat(int at, const char *path, mode_t mode)
{
    const char *name;
    struct node *dir;
    struct stat st;
    int rc;

    (void)pthread_mutex_lock(&lock);
    dir = parent_of(at, path, &name);
    rc = dir != NULL && fails("m") ? -1 : NEXT(mkdirat)(at, path, mode);
    if (rc == 0 && dir != NULL && fstatat(at, path, &st, 0) == 0)
        put((struct record){.op = MAKE, .is_dir = true, .dir = dir->id, .id = add_node(&st)->id}, name, NULL, 0);
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

API int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

/* The inode goes with its last name; a new one may get its number. */
static void forget(const struct stat *st)
{
    struct node *node = st->st_ino != 0 && (st->st_nlink <= 1 || S_ISDIR(st->st_mode)) ? node_of(st) : NULL;

    if (node != NULL)
        node->id = 0;
}

API int unlinkat(int at, const char *path, int flags)
{
    struct stat st = {.st_ino = 0};
    const char *name;
    struct node *dir;
    int rc;

    (void)pthread_mutex_lock(&lock);
    dir = parent_of(at, path, &name);
    if (dir != NULL)
        (void)fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW);
    rc = NEXT(unlinkat)(at, path, flags);
    if (rc == 0 && dir != NULL) {
        put((struct record){.op = UNLINK, .dir = dir->id}, name, NULL, 0);
        forget(&st);
    }
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

API int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

API int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

API int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
    const char *name;
    struct node *dir, *node;
    struct stat st;
    int rc;

    (void)pthread_mutex_lock(&lock);
    dir = parent_of(to_at, to, &name);
    rc = dir != NULL && fails("m") ? -1 : NEXT(linkat)(from_at, from, to_at, to, flags);
    if (rc == 0 && dir != NULL && fstatat(to_at, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        node = node_of(&st);
        put((struct record){.op = LINK, .dir = dir->id, .id = node == NULL ? 0 : node->id}, name, NULL, 0);
    }
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

API int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

API int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    struct stat st, replaced = {.st_ino = 0};
    const char *from_name = "", *to_name = "";
    struct node *from_dir, *to_dir, *node;
    char names[2 * NAME_MAX + 2];
    int rc;

    (void)pthread_mutex_lock(&lock);
    from_dir = parent_of(from_at, from, &from_name);
    to_dir = parent_of(to_at, to, &to_name);
    if (to_dir != NULL)
        (void)fstatat(to_at, to, &replaced, AT_SYMLINK_NOFOLLOW);
    rc = flags == 0 ? NEXT(renameat)(from_at, from, to_at, to) : NEXT(renameat2)(from_at, from, to_at, to, flags);
    if (rc == 0 && to_dir != NULL && from_dir != NULL && fstatat(to_at, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        node = node_of(&st);
        if (node == NULL || replaced.st_ino != st.st_ino)
            forget(&replaced);
        (void)snprintf(names, sizeof names, "%s/%s", from_name, to_name);
        put((struct record){.op = RENAME, .dir = from_dir->id, .id = node == NULL ? 0 : node->id, .offset = to_dir->id}, names, NULL, 0);
    }
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

API int renameat(int from_at, const char *from, int to_at, const char *to)
{
    return renameat2(from_at, from, to_at, to, 0);
}

API int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* Bytes that would change behind our back. */
API void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    struct node *node = fd >= 0 && (protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0 ? node_of_fd(fd) : NULL;

    if (node != NULL)
        put((struct record){.op = MAPPED, .id = node->id}, NULL, NULL, 0);
    return NEXT(mmap)(at, len, protection, flags, fd, offset);
}

API void *mmap64(void *at, size_t len, int protection, int flags, int fd, off64_t offset)
{
    return mmap(at, len, protection, flags, fd, offset);
}
