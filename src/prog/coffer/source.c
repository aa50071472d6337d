/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX 100

static enum cof_err failed(const char *path, struct cof_diag *diag)
{
    return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", path, strerror(errno));
}

static enum cof_err changed(const struct source *s, struct cof_diag *diag)
{
    return cof_diag_set(diag, COF_E_TRUNCATED, "%s: the file changed while it was sent; nothing was stored", s->path);
}

static enum cof_err read_at(void *ctx, uint64_t offset, uint8_t *data, size_t len, struct cof_diag *diag)
{
    const struct source *s = ctx;

    while (len > 0) {
        ssize_t n = pread(s->fd, data, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(s->path, diag);
        if (n == 0)
            return changed(s, diag);
        data += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return COF_OK;
}

static enum cof_err read_on(void *ctx, uint8_t *data, size_t room, size_t *n, struct cof_diag *diag)
{
    const struct source *s = ctx;
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    ssize_t got;

    *n = 0;
    if (poll(&p, 1, 0) == 0)
        return COF_E_SHORT;
    got = read(s->fd, data, room);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN ? COF_E_SHORT : failed(s->path, diag);
    *n = (size_t)got;
    return COF_OK;
}

static enum cof_err check(void *ctx, struct cof_diag *diag)
{
    const struct source *s = ctx;
    struct stat now;

    if (fstat(s->fd, &now) != 0)
        return failed(s->path, diag);
    if (now.st_size != s->st.st_size || now.st_mtim.tv_sec != s->st.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != s->st.st_mtim.tv_nsec)
        return changed(s, diag);
    return COF_OK;
}

enum cof_err source_open(struct source *source, const char *path, struct cof_s3_source *out, struct cof_diag *diag)
{
    bool is_stdin = strcmp(path, "-") == 0;

    *source = (struct source){.path = is_stdin ? "standard input" : path};
    *out = (struct cof_s3_source){.ctx = source};
    source->fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (source->fd < 0 || fstat(source->fd, &source->st) != 0)
        return failed(source->path, diag);
    if (S_ISDIR(source->st.st_mode))
        return cof_diag_set(diag, COF_E_USAGE, "%s: is a folder (--recursive sends what is in it)", path);
    if (S_ISREG(source->st.st_mode) && !is_stdin) {
        out->read_at = read_at;
        out->check = check;
        out->length = (uint64_t)source->st.st_size;
    } else {
        out->read = read_on;
    }
    return COF_OK;
}

void source_close(struct source *source)
{
    if (source->fd >= 0)
        (void)close(source->fd);
    source->fd = -1;
}

struct walk {
    enum cof_err (*each)(void *ctx, const char *path, const char *relative, uint64_t size, struct cof_diag *diag);
    void *ctx;
    size_t root_len;
    bool tells;
    struct cof_diag *diag;
};

static void left_out(const char *path, const char *why)
{
    struct cof_diag diag = {0};

    (void)!cof_diag_set(&diag, COF_E_IO, "%s: %s", path, why); /* which shows no control characters */
    (void)fprintf(stderr, "coffer: left out: %s\n", diag.text);
}

static int not_dots(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static enum cof_err walk_folder(const struct walk *w, const char *folder, unsigned depth);

static enum cof_err walk_entry(const struct walk *w, const char *folder, const char *name, unsigned depth)
{
    char path[4096];
    struct stat st, target;
    int n = snprintf(path, sizeof path, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name);

    if (n < 0 || (size_t)n >= sizeof path)
        return cof_diag_set(w->diag, COF_E_USAGE, "%s: a path below it is too long", folder);
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? COF_OK : failed(path, w->diag);
    if (S_ISDIR(st.st_mode))
        return walk_folder(w, path, depth + 1);
    if (S_ISLNK(st.st_mode)) {
        if (stat(path, &target) != 0)
            return failed(path, w->diag);
        st = target;
    }
    if (!S_ISREG(st.st_mode) && w->tells)
        left_out(path, S_ISDIR(st.st_mode) ? "a link to a folder is not followed" : "is no file");
    return S_ISREG(st.st_mode) ? w->each(w->ctx, path, path + w->root_len, (uint64_t)st.st_size, w->diag) : COF_OK;
}

static enum cof_err walk_folder(const struct walk *w, const char *folder, unsigned depth)
{
    struct dirent **names = NULL;
    int n = depth > DEPTH_MAX ? -1 : scandir(folder, &names, not_dots, alphasort);
    enum cof_err err = COF_OK;

    if (depth > DEPTH_MAX)
        return cof_diag_set(w->diag, COF_E_LIMIT, "%s: more than %d folders in one another", folder, DEPTH_MAX);
    if (n < 0)
        return failed(folder, w->diag);
    for (int i = 0; i < n; i++) {
        if (err == COF_OK)
            err = walk_entry(w, folder, names[i]->d_name, depth);
        free(names[i]);
    }
    free(names);
    return err;
}

enum cof_err source_walk(const char *folder,
                         enum cof_err (*each)(void *ctx, const char *path, const char *relative, uint64_t size,
                                              struct cof_diag *diag),
                         void *ctx, bool tells, struct cof_diag *diag)
{
    size_t len = strlen(folder);
    struct walk w = {each, ctx, len > 0 && folder[len - 1] == '/' ? len : len + 1, tells, diag};

    return walk_folder(&w, folder, 0);
}
