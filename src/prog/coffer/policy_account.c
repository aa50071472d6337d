/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "a/b/../c" is a/c: shorter to read where a finding stands. */
static void shorten(char *path)
{
    char *up;

    while ((up = strstr(path, "/../")) != NULL) {
        char *folder = up;

        while (folder > path && folder[-1] != '/')
            folder--;
        if (folder == up || strncmp(folder, "..", 2) == 0 || strncmp(folder, "./", 2) == 0)
            return;
        memmove(folder, up + 4, strlen(up + 4) + 1);
    }
}

static enum cof_err read_file(void *ctx, const char *file, struct cof_view *text, const char **name, struct cof_diag *diag)
{
    struct policy_account *a = ctx;
    bool alone = file[0] == '/' || a->folder[0] == '\0';
    char path[8192];
    enum cof_err err;

    (void)snprintf(path, sizeof path, "%s%s%s", alone ? "" : a->folder, alone ? "" : "/", file);
    shorten(path);
    err = policy_files_add(&a->files, path, diag);
    if (err != COF_OK)
        return err;
    *text = cof_buf_view(&a->files.items[a->files.n - 1].text);
    *name = a->files.items[a->files.n - 1].path;
    return COF_OK;
}

static enum cof_err set_values(struct cof_account *account, const struct cof_text_list *set, struct cof_diag *diag)
{
    for (size_t i = 0; i < set->n; i++) {
        const char *eq = strchr(set->items[i], '=');
        enum cof_err err = eq == NULL || eq == set->items[i] ?
            cof_diag_set(diag, COF_E_USAGE, "--set wants NAME=VALUE, not \"%s\"", set->items[i]) :
            cof_account_value(account, cof_view_of(set->items[i], (size_t)(eq - set->items[i])), cof_view_str(eq + 1), diag);

        if (err != COF_OK)
            return err;
    }
    return COF_OK;
}

enum cof_err policy_account_open(const char *manifest, const struct cof_text_list *set, struct policy_account **out, struct cof_diag *diag)
{
    const char *slash = strrchr(manifest, '/');
    struct policy_account *a = calloc(1, sizeof *a);
    enum cof_err err;

    *out = a;
    if (a == NULL)
        return COF_E_MEMORY;
    cof_account_init(&a->account);
    if (slash != NULL && (size_t)(slash - manifest) < sizeof a->folder)
        memcpy(a->folder, manifest, (size_t)(slash - manifest));
    err = policy_files_add(&a->files, manifest, diag);
    if (err == COF_OK)
        err = set_values(&a->account, set, diag);
    if (err == COF_OK)
        err = cof_account_read(&a->account, cof_buf_view(&a->files.items[0].text), a->files.items[0].path, read_file, a, &a->findings, diag);
    return err;
}

enum cof_err policy_account_session(struct policy_account *a, const char *path, size_t *document, struct cof_diag *diag)
{
    struct cof_document_source source = {.kind = COF_DOCUMENT_SESSION};
    enum cof_err err = policy_files_add(&a->files, path, diag);

    if (err != COF_OK)
        return err;
    source.file = a->files.items[a->files.n - 1].path;
    source.text = cof_buf_view(&a->files.items[a->files.n - 1].text);
    *document = cof_account_add_document(&a->account, source, &a->findings);
    return *document == SIZE_MAX ? COF_E_LIMIT : COF_OK;
}

void policy_account_close(struct policy_account *a)
{
    if (a == NULL)
        return;
    cof_account_done(&a->account);
    cof_findings_done(&a->findings);
    policy_files_done(&a->files);
    free(a);
}
