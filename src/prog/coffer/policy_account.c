/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_account.h"

#include "format/json.h"
#include "policy/generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* The texts of an object, or of its member "values"; each may use those before it. */
static enum cof_err read_values(struct policy_account *a, const json_t *root, const char *manifest, struct cof_diag *diag)
{
    json_t *values = json_object_get(root, "values"), *item, *list = (json_t *)(uintptr_t)(json_is_object(values) ? values : root);
    const char *name;

    json_object_foreach(list, name, item) {
        struct cof_diag why = {0};
        enum cof_err err = json_is_string(item) ? cof_account_value(&a->account, cof_view_str(name), cof_view_str(json_string_value(item)), &why) : COF_OK;

        if (err != COF_OK)
            return cof_diag_set(diag, err, "%s: value \"%s\": %s", manifest, name, why.text);
    }
    return COF_OK;
}

/* What the manifest of `coffer policy generate` says, under the names of the templates; of a list the first. */
static enum cof_err read_deployment(struct policy_account *a, struct cof_view text, const char *manifest, struct cof_diag *diag)
{
    struct cof_deployment *deployment = calloc(1, sizeof *deployment);
    struct cof_generate_values *values = calloc(1, sizeof *values);
    struct cof_diag why = {0};
    enum cof_err err = deployment == NULL || values == NULL ? COF_E_MEMORY : cof_deployment_parse(text, deployment, &why);

    if (err == COF_OK)
        cof_generate_values(deployment, values);
    else
        (void)cof_diag_set(diag, err, "%s: %s", manifest, why.text);
    for (size_t i = 0; err == COF_OK && i < values->n; i++)
        if (values->values[i].n > 0 && values->values[i].items[0][0] != '\0')
            err = cof_account_value(&a->account, cof_view_str(values->values[i].name), cof_view_str(values->values[i].items[0]), diag);
    free(deployment);
    free(values);
    return err;
}

/* Three forms: an account with its policies, a deployment to generate them for, and values alone. */
static enum cof_err read_manifest(struct policy_account *a, const char *manifest, struct cof_diag *diag)
{
    struct cof_view text = cof_buf_view(&a->files.items[0].text);
    struct cof_diag why = {0};
    json_t *root = NULL;
    enum cof_err err = cof_json_parse_object(text, POLICY_TEXT_MAX, &root, &why);

    if (err == COF_E_MEMORY)
        return err;
    a->is_account = err != COF_OK || json_is_array(json_object_get(root, "roles")) || json_is_array(json_object_get(root, "users")) ||
                    json_is_array(json_object_get(root, "keys"));
    if (a->is_account) /* which also says best what is wrong with it */
        err = cof_account_read(&a->account, text, manifest, read_file, a, &a->findings, diag);
    else if (json_is_object(json_object_get(root, "keys")))
        err = read_deployment(a, text, manifest, diag);
    else
        err = read_values(a, root, manifest, diag);
    json_decref(root);
    return err;
}

enum cof_err policy_account_open(const char *manifest, const struct cof_text_list *set, struct policy_account **out, struct cof_diag *diag)
{
    const char *slash = manifest == NULL ? NULL : strrchr(manifest, '/');
    struct policy_account *a = calloc(1, sizeof *a);
    enum cof_err err;

    *out = a;
    if (a == NULL)
        return COF_E_MEMORY;
    cof_account_init(&a->account);
    if (slash != NULL && (size_t)(slash - manifest) < sizeof a->folder)
        memcpy(a->folder, manifest, (size_t)(slash - manifest));
    err = set_values(&a->account, set, diag);
    if (err == COF_OK && manifest != NULL)
        err = policy_files_add(&a->files, manifest, diag);
    if (err == COF_OK && manifest != NULL)
        err = read_manifest(a, a->files.items[0].path, diag);
    return err;
}

/* Whether the manifest has named this file before. */
static bool is_there(const struct policy_account *a, const char *path)
{
    struct stat one, other;

    if (stat(path, &one) != 0)
        return false;
    for (size_t i = 0; i < a->account.n_documents; i++)
        if (stat(a->account.documents[i].file, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino)
            return true;
    return false;
}

enum cof_err policy_account_add(struct policy_account *a, const char *path, enum cof_document_kind kind, struct cof_diag *diag)
{
    size_t first = a->files.n;
    enum cof_err err = policy_files_add(&a->files, path, diag);

    for (size_t i = first; err == COF_OK && i < a->files.n; i++) {
        struct cof_document_source source = {.file = a->files.items[i].path, .text = cof_buf_view(&a->files.items[i].text), .kind = kind};

        if (!is_there(a, source.file) && cof_account_add_document(&a->account, source, &a->findings) == SIZE_MAX)
            err = cof_diag_set(diag, COF_E_LIMIT, "there are too many policies");
    }
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
