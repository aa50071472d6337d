/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest: a JSON file whose "values" name the holes of everything else. An object {"$file": "PATH"} stands for the
 * JSON file at PATH (from the manifest's folder), filled in the same way.
 */
#include "io/file.h"
#include "local.h"
#include "policy/deployment.h"
#include "policy/template.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define VALUES_MAX 128
#define TEXT_MAX ((size_t)1 << 20)
#define DEPTH_MAX 16

struct filling {
    struct cof_template_value values[VALUES_MAX];
    char *owned[VALUES_MAX];
    size_t n;
    char folder[4096];
    struct cof_diag *diag;
};

static void filling_done(struct filling *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->owned[i]);
        free((char *)(uintptr_t)f->values[i].name);
    }
}

static enum cof_err fill(struct filling *f, struct cof_view text, char **out)
{
    struct cof_buf filled;
    enum cof_err err;

    *out = NULL;
    cof_buf_init(&filled, TEXT_MAX);
    err = cof_template_fill(text, f->values, f->n, &filled, f->diag);
    if (err == COF_OK) {
        *out = strdup(cof_buf_cstr(&filled));
        err = *out == NULL ? COF_E_MEMORY : COF_OK;
    }
    cof_buf_done(&filled);
    return err;
}

/* A value given by --set stays; others may use those before them. */
static enum cof_err add_value(struct filling *f, const char *name, size_t name_len, const char *text)
{
    char *copy;
    enum cof_err err;

    for (size_t i = 0; i < f->n; i++)
        if (strlen(f->values[i].name) == name_len && memcmp(f->values[i].name, name, name_len) == 0)
            return COF_OK;
    if (f->n == VALUES_MAX)
        return cof_diag_set(f->diag, COF_E_LIMIT, "more than %d values", VALUES_MAX);
    err = fill(f, cof_view_str(text), &f->owned[f->n]);
    if (err != COF_OK)
        return err;
    copy = strndup(name, name_len);
    if (copy == NULL) {
        free(f->owned[f->n]);
        return COF_E_MEMORY;
    }
    f->values[f->n].name = copy;
    f->values[f->n].value = f->owned[f->n];
    f->n++;
    return COF_OK;
}

static enum cof_err add_set(struct filling *f, const struct cof_text_list *set)
{
    for (size_t i = 0; i < set->n; i++) {
        const char *eq = strchr(set->items[i], '=');
        char pcr[COF_PCR_HEX + 1];
        enum cof_err err = eq == NULL || eq == set->items[i] ?
            cof_diag_set(f->diag, COF_E_USAGE, "--set wants NAME=VALUE, not \"%s\"", set->items[i]) :
            add_value(f, set->items[i], (size_t)(eq - set->items[i]), eq + 1);

        if (err == COF_OK && strncmp(set->items[i], "pcr", 3) == 0 && cof_pcr_read(cof_view_str(eq + 1), pcr) != NULL && strspn(eq + 1, "0") != COF_PCR_HEX)
            err = cof_diag_set(f->diag, COF_E_USAGE, "--set %.*s: %s", (int)(eq - set->items[i]), set->items[i], cof_pcr_read(cof_view_str(eq + 1), pcr));
        if (err != COF_OK)
            return err;
    }
    return COF_OK;
}

static enum cof_err read_json(const char *path, bool manifest, struct cof_diag *diag, json_t **out)
{
    struct cof_buf text;
    json_error_t error;
    enum cof_err err;

    *out = NULL;
    cof_buf_init(&text, TEXT_MAX);
    err = cof_file_read(path, &text, diag);
    if (err == COF_OK && manifest)
        err = cof_local_manifest_look(path, cof_buf_view(&text), diag);
    if (err == COF_OK) {
        *out = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
        if (*out == NULL)
            err = cof_diag_set(diag, COF_E_CONFIG, "%s: line %d: %s", path, error.line, error.text);
    }
    cof_buf_done(&text);
    return err;
}

static enum cof_err resolve(struct filling *f, json_t *value, int depth, json_t **out);

static enum cof_err resolve_file(struct filling *f, const char *name, int depth, json_t **out)
{
    char path[4096];
    json_t *raw;
    enum cof_err err;

    if (!cof_local_path(path, f->folder, name))
        return COF_E_USAGE;
    err = read_json(path, false, f->diag, &raw);
    if (err != COF_OK)
        return err;
    err = resolve(f, raw, depth + 1, out);
    json_decref(raw);
    return err;
}

static enum cof_err resolve_object(struct filling *f, json_t *value, int depth, json_t **out)
{
    const json_t *file = json_object_get(value, "$file");
    enum cof_err err = COF_OK;
    const char *name;
    json_t *item;

    if (json_is_string(file) && json_object_size(value) == 1)
        return resolve_file(f, json_string_value(file), depth, out);
    *out = json_object();
    json_object_foreach(value, name, item) {
        json_t *done = NULL;

        err = resolve(f, item, depth + 1, &done);
        if (err == COF_OK && json_object_set_new(*out, name, done) != 0)
            err = COF_E_MEMORY;
        if (err != COF_OK)
            break;
    }
    return err;
}

static enum cof_err resolve_array(struct filling *f, json_t *value, int depth, json_t **out)
{
    enum cof_err err = COF_OK;

    *out = json_array();
    for (size_t i = 0; i < json_array_size(value) && err == COF_OK; i++) {
        json_t *done = NULL;

        err = resolve(f, json_array_get(value, i), depth + 1, &done);
        if (err == COF_OK && json_array_append_new(*out, done) != 0)
            err = COF_E_MEMORY;
    }
    return err;
}

/* A fresh value with every text filled. The template escapes for the inside of JSON text, so it runs on the text as JSON. */
static enum cof_err resolve_text(struct filling *f, const json_t *value, json_t **out)
{
    char *raw = json_dumps(value, JSON_ENCODE_ANY), *filled = NULL;
    enum cof_err err = raw == NULL ? COF_E_MEMORY : fill(f, cof_view_str(raw), &filled);

    *out = NULL;
    if (err == COF_OK) {
        *out = json_loads(filled, JSON_DECODE_ANY, NULL);
        err = *out == NULL ? COF_E_CONFIG : COF_OK;
    }
    free(raw);
    free(filled);
    return err;
}

static enum cof_err resolve(struct filling *f, json_t *value, int depth, json_t **out)
{
    enum cof_err err;

    *out = NULL;
    if (depth > DEPTH_MAX)
        return cof_diag_set(f->diag, COF_E_LIMIT, "the manifest is nested too deeply");
    if (json_is_object(value))
        err = resolve_object(f, value, depth, out);
    else if (json_is_array(value))
        err = resolve_array(f, value, depth, out);
    else if (json_is_string(value))
        err = resolve_text(f, value, out);
    else {
        *out = json_deep_copy(value);
        err = *out == NULL ? COF_E_MEMORY : COF_OK;
    }
    if (err != COF_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return err;
}

static const char *manifest_path(const struct cof_local_config *config)
{
    static const char installed[] = COF_DATADIR "/local/manifest.json";
    struct stat st;

    if (config->manifest != NULL)
        return config->manifest;
    return stat(installed, &st) == 0 ? installed : COF_SOURCE_DIR "/deploy/local/manifest.json";
}

enum cof_err cof_local_manifest(const struct cof_local_config *config, json_t **out, struct cof_diag *diag)
{
    struct filling *f = calloc(1, sizeof *f);
    const char *path = manifest_path(config), *slash = strrchr(path, '/'), *name;
    json_t *raw = NULL, *value;
    enum cof_err err = COF_E_MEMORY;

    *out = NULL;
    if (f == NULL)
        return COF_E_MEMORY;
    f->diag = diag;
    if (slash == NULL)
        memcpy(f->folder, ".", 2);
    else if ((size_t)(slash - path) < sizeof f->folder)
        memcpy(f->folder, path, (size_t)(slash - path));
    err = read_json(path, true, diag, &raw);
    if (err == COF_OK)
        err = add_set(f, &config->set);
    if (err == COF_OK)
        json_object_foreach(json_object_get(raw, "values"), name, value) {
            err = add_value(f, name, strlen(name), json_is_string(value) ? json_string_value(value) : "");
            if (err != COF_OK)
                break;
        }
    if (err == COF_OK)
        err = resolve(f, raw, 0, out);
    json_decref(raw);
    filling_done(f);
    free(f);
    return err;
}
