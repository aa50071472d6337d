/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_input.h"

#include "format/json.h"
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

static enum cof_err add_value(struct policy_values *v, struct cof_view name, const char *text, struct cof_diag *diag)
{
    struct cof_buf filled;
    char *copy;
    enum cof_err err;

    for (size_t i = 0; i < v->n; i++)
        if (cof_view_eq_str(name, v->items[i].name))
            return COF_OK;
    if (v->n == POLICY_VALUES_MAX)
        return cof_diag_set(diag, COF_E_LIMIT, "more than %d values", POLICY_VALUES_MAX);
    cof_buf_init(&filled, 65536);
    err = cof_template_fill(cof_view_str(text), v->items, v->n, &filled, diag);
    if (err == COF_OK) {
        copy = strndup((const char *)name.data, name.len);
        v->items[v->n].value = strdup(cof_buf_cstr(&filled));
        v->items[v->n].name = copy;
        v->n++;
        err = copy == NULL || v->items[v->n - 1].value == NULL ? COF_E_MEMORY : COF_OK;
    }
    cof_buf_done(&filled);
    return err;
}

enum cof_err policy_values_set(struct policy_values *values, const struct cof_text_list *set, struct cof_diag *diag)
{
    for (size_t i = 0; i < set->n; i++) {
        const char *eq = strchr(set->items[i], '=');
        enum cof_err err = eq == NULL || eq == set->items[i] ?
            cof_diag_set(diag, COF_E_USAGE, "--set wants NAME=VALUE, not \"%s\"", set->items[i]) :
            add_value(values, cof_view_of(set->items[i], (size_t)(eq - set->items[i])), eq + 1, diag);

        if (err != COF_OK)
            return err;
    }
    return COF_OK;
}

enum cof_err policy_values_read(struct policy_values *values, const char *path, struct cof_diag *diag)
{
    struct cof_diag why = {0};
    json_t *root = NULL, *list, *item;
    const char *name;
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, POLICY_TEXT_MAX);
    err = cof_file_read(path, &text, diag);
    if (err == COF_OK) {
        err = cof_json_parse_object(cof_buf_view(&text), POLICY_TEXT_MAX, &root, &why);
        if (err != COF_OK)
            err = cof_diag_set(diag, COF_E_CONFIG, "%s: %s", path, why.text);
    }
    list = json_object_get(root, "values");
    if (err == COF_OK)
        json_object_foreach(json_is_object(list) ? list : root, name, item) {
            if (!json_is_string(item))
                continue;
            err = add_value(values, cof_view_str(name), json_string_value(item), &why);
            if (err != COF_OK) {
                (void)cof_diag_set(diag, err, "%s: value \"%s\": %s", path, name, why.text);
                break;
            }
        }
    json_decref(root);
    cof_buf_done(&text);
    return err;
}

void policy_values_done(struct policy_values *values)
{
    for (size_t i = 0; i < values->n; i++) {
        free((char *)(uintptr_t)values->items[i].name);
        free((char *)(uintptr_t)values->items[i].value);
    }
    values->n = 0;
}
