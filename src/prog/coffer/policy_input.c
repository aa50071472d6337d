/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_input.h"

#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static enum cof_err add_file(struct policy_files *files, const char *path, struct cof_diag *diag)
{
    struct policy_file *f = &files->items[files->n];
    enum cof_err err;

    if (files->n == POLICY_FILES_MAX)
        return cof_diag_set(diag, COF_E_LIMIT, "more than %d files", POLICY_FILES_MAX);
    f->path = strdup(path);
    if (f->path == NULL)
        return COF_E_MEMORY;
    cof_buf_init(&f->text, POLICY_TEXT_MAX);
    files->n++;
    err = cof_file_read(path, &f->text, diag);
    if (err == COF_E_LIMIT)
        err = cof_diag_set(diag, err, "%s: larger than %zu bytes, which no policy is", path, POLICY_TEXT_MAX);
    return err;
}

static int is_policy(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

enum cof_err policy_files_add(struct policy_files *files, const char *path, struct cof_diag *diag)
{
    struct dirent **entries = NULL;
    char inner[4096];
    struct stat st;
    int n;
    enum cof_err err = COF_OK;

    if (strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return add_file(files, path, diag);
    n = scandir(path, &entries, is_policy, alphasort);
    if (n < 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", path, strerror(errno));
    for (int i = 0; i < n && err == COF_OK; i++) {
        size_t len = strlen(path);

        if (snprintf(inner, sizeof inner, "%s%s%s", path, len > 0 && path[len - 1] == '/' ? "" : "/", entries[i]->d_name) >= (int)sizeof inner)
            err = cof_diag_set(diag, COF_E_LIMIT, "%s: the path is too long", path);
        else
            err = add_file(files, inner, diag);
    }
    if (err == COF_OK && n == 0)
        err = cof_diag_set(diag, COF_E_NOT_FOUND, "%s holds no *.json", path);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    return err;
}

void policy_files_done(struct policy_files *files)
{
    for (size_t i = 0; i < files->n; i++) {
        free(files->items[i].path);
        cof_buf_done(&files->items[i].text);
    }
    files->n = 0;
}
