/* SPDX-License-Identifier: Apache-2.0
 *
 * Deleting a file that was sealed, and none other. Its name may have come to another file meanwhile: cameras keep one name for the
 * newest picture. So it is first moved aside, looked at, and deleted only if it is the one; else it is given its name back.
 */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASIDE ".coffer-sealed-" /* and the file's name; hidden, so that it is not sealed as it is */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Where the last part of a path begins. */
static size_t base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

/* To a name that is free. Not every file system (exFAT) can tell in one step; there, who comes between is lost. */
static bool move_to_free(const char *from, const char *to)
{
    struct stat st;

    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    if (lstat(to, &st) == 0)
        errno = EEXIST;
    else if (errno == ENOENT)
        return rename(from, to) == 0;
    return false;
}

/* "a/b.jpg", or, where there is one again, "a/b.jpg-1f3a". */
static enum cof_err give_back(const char *aside, char path[static 4096], struct cof_diag *diag)
{
    size_t len = strlen(path);
    struct stat st;

    if (move_to_free(aside, path))
        return COF_OK;
    if (errno == EEXIST && lstat(aside, &st) == 0 &&
        (size_t)snprintf(path + len, 4096 - len, "-%llx", (unsigned long long)st.st_ino) < 4096 - len && move_to_free(aside, path))
        return COF_OK;
    return cof_diag_set(diag, cof_err_from_errno(errno), "%s: cannot be given its name back: %s", aside, strerror(errno));
}

enum cof_err watch_take_away(const char *path, const struct stat *sealed, struct cof_diag *diag)
{
    char aside[4096], name[4096];
    size_t base = base_of(path);
    struct stat now;
    enum cof_err err = COF_OK;

    if (snprintf(aside, sizeof aside, "%.*s" ASIDE "%s", (int)base, path, path + base) >= (int)sizeof aside ||
        snprintf(name, sizeof name, "%s", path) >= (int)sizeof name)
        return cof_diag_set(diag, COF_E_LIMIT, "%s: the path is too long", path);
    if (rename(path, aside) != 0) {
        if (errno != ENAMETOOLONG)
            return errno == ENOENT ? COF_OK : cof_diag_set(diag, cof_err_from_errno(errno), "%s: cannot be deleted: %s", path, strerror(errno));
        (void)snprintf(aside, sizeof aside, "%s", path); /* a name with no room for more is looked at in its place */
    }
    if (lstat(aside, &now) != 0)
        return COF_OK;
    if (!is_same(sealed, &now))
        return strcmp(aside, path) == 0 ? COF_OK : give_back(aside, name, diag);
    if (unlink(aside) != 0)
        err = cof_err_from_errno(errno);
    if (err == COF_OK) /* for good: a power cut must not bring it back after its entry was sent */
        err = cof_file_sync_folder(path);
    return err == COF_OK ? COF_OK : cof_diag_set(diag, err, "%s: cannot be deleted: %s", path, cof_err_text(err));
}

bool watch_was_taken(const char *path)
{
    return strncmp(path + base_of(path), ASIDE, sizeof ASIDE - 1) == 0;
}

enum cof_err watch_give_back(const char *path, char out[static 4096], struct cof_diag *diag)
{
    size_t base = base_of(path);

    if (snprintf(out, 4096, "%.*s%s", (int)base, path, path + base + sizeof ASIDE - 1) >= 4096 || out[base] == '\0')
        return cof_diag_set(diag, COF_E_LIMIT, "%s: has no name to be given back", path);
    return give_back(path, out, diag);
}
