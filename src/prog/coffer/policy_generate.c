/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer policy generate: every policy of a deployment from a small manifest.
 */
#include "common.h"
#include "iam_templates.h"
#include "verbs.h"

#include "format/json.h"
#include "io/file.h"
#include "policy/generate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define POLICIES_MAX 48
#define POLICY_BYTES_MAX ((size_t)1 << 20)
#define SUPPLEMENTS_MAX 4

struct config {
    const char *manifest, *out;
    bool check, json;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    {"manifest", 'm', COF_OPT_TEXT, "FILE", "account, names, images and models (required)", O(manifest)},
    {"out", 'o', COF_OPT_TEXT, "DIR", "where the policies go, a file each (made if need be)", O(out)},
    {"check", 0, COF_OPT_FLAG, NULL, "write nothing; tell whether DIR is up to date", O(check)},
    {"json", 0, COF_OPT_FLAG, NULL, "print what was done as JSON", O(json)},
};
static const struct cof_command command = {
    .name = "policy generate",
    .args = "",
    .summary = "Writes every IAM, key, bucket, queue and trust policy of a deployment from a small manifest.",
    .details = "Without --out all policies are printed as one JSON object, by name. The same manifest gives the same bytes.\n"
               "docs/policy-generate.md tells what the manifest holds, examples/deployment.json is one to begin with.\n"
               "With --check, exit code 0: DIR is up to date, however its policies are laid out. 3: it is not; each file that differs is named.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 0,
    .max_args = 0,
};

struct policy {
    const char *name;
    struct cof_buf text;
};

struct run {
    struct cof_deployment deployment;
    struct cof_generate_values values;
    struct policy policies[POLICIES_MAX];
    size_t n;
};

/* "$file" is looked for beside the manifest. */
static enum cof_err read_beside(const char *manifest, const char *file, struct cof_buf *out, struct cof_diag *diag)
{
    const char *slash = strrchr(manifest, '/');
    char path[4096];
    int n = file[0] == '/' || slash == NULL ? snprintf(path, sizeof path, "%s", file)
                                            : snprintf(path, sizeof path, "%.*s/%s", (int)(slash - manifest), manifest, file);

    if (n < 0 || (size_t)n >= sizeof path)
        return cof_diag_set(diag, COF_E_USAGE, "%s: the path is too long", file);
    return cof_file_read(path, out, diag);
}

static enum cof_err fill_entries(const char *manifest, struct cof_deployment_entry *entries, size_t n, bool model,
                                 struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < n && err == COF_OK; i++) {
        struct cof_diag why = {0};
        struct cof_buf text;

        if (entries[i].file[0] == '\0')
            continue;
        cof_buf_init(&text, COF_DEPLOYMENT_TEXT_MAX);
        err = read_beside(manifest, entries[i].file, &text, diag);
        if (err == COF_OK) {
            err = cof_deployment_fill(&entries[i], model, cof_buf_view(&text), &why);
            if (err != COF_OK) {
                (void)cof_diag_set(diag, err, "%s: %s", entries[i].file, why.text);
                cof_diag_hint(diag, "%s", why.hint);
            }
        }
        cof_buf_done(&text);
    }
    return err;
}

static enum cof_err read_manifest(const char *path, struct cof_deployment *d, struct cof_diag *diag)
{
    struct cof_diag why = {0};
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, COF_DEPLOYMENT_TEXT_MAX);
    err = cof_file_read(path, &text, diag);
    if (err == COF_OK) {
        err = cof_deployment_parse(cof_buf_view(&text), d, &why);
        if (err != COF_OK) {
            (void)cof_diag_set(diag, err, "%s: %s", path, why.text);
            cof_diag_hint(diag, "%s", why.hint);
        }
    }
    cof_buf_done(&text);
    if (err == COF_OK)
        err = fill_entries(path, d->images, d->n_images, false, diag);
    if (err == COF_OK)
        err = fill_entries(path, d->models, d->n_models, true, diag);
    if (err == COF_OK) {
        err = cof_deployment_check(d, &why);
        if (err != COF_OK)
            (void)cof_diag_set(diag, err, "%s: %s", path, why.text);
    }
    return err;
}

/* Which supplements a deployment wants, in the order in which they are laid on. */
static size_t supplements_of(const struct cof_deployment *d, const char *name, struct cof_view out[static SUPPLEMENTS_MAX])
{
    const struct {
        const char *folder;
        bool wanted;
    } all[] = {{"when-models/", d->n_models > 0},
               {"when-source-accounts/", d->n_source_accounts > 0},
               {"when-endpoints/", d->n_endpoints > 0}};
    size_t n = 0;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (const struct iam_template *t = iam_templates; all[i].wanted && t->name != NULL; t++)
            if (strncmp(t->name, all[i].folder, strlen(all[i].folder)) == 0 && strcmp(t->name + strlen(all[i].folder), name) == 0)
                out[n++] = cof_view_str(t->text);
    return n;
}

static enum cof_err make_all(struct run *run, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    cof_generate_values(&run->deployment, &run->values);
    for (const struct iam_template *t = iam_templates; t->name != NULL && err == COF_OK; t++) {
        struct cof_view supplements[SUPPLEMENTS_MAX];
        struct policy *policy = &run->policies[run->n];
        size_t n;

        if (strchr(t->name, '/') != NULL)
            continue;
        if (run->n == POLICIES_MAX)
            return COF_E_BUG;
        n = supplements_of(&run->deployment, t->name, supplements);
        policy->name = t->name;
        cof_buf_init(&policy->text, POLICY_BYTES_MAX);
        run->n++;
        err = cof_generate_policy(t->name, cof_view_str(t->text), supplements, n, run->values.values, run->values.n,
                                  &policy->text, diag);
    }
    return err;
}

static enum cof_err path_of(const char *dir, const char *name, char path[static 4096], struct cof_diag *diag)
{
    int n = snprintf(path, 4096, "%s/%s.json", dir, name);

    return n < 0 || n >= 4096 ? cof_diag_set(diag, COF_E_USAGE, "%s: the path is too long", dir) : COF_OK;
}

/* The same policy, however it is laid out: what an account tells of its own has other white space. */
static bool same_json(struct cof_view a, struct cof_view b)
{
    json_t *one = NULL, *other = NULL;
    bool same = cof_json_parse(a, POLICY_BYTES_MAX, &one, NULL) == COF_OK && cof_json_parse(b, POLICY_BYTES_MAX, &other, NULL) == COF_OK &&
                json_equal(one, other);

    json_decref(one);
    json_decref(other);
    return same;
}

/* Whether the file holds these bytes already, or with as_json this policy; one that is not there does not. */
static enum cof_err same(const char *path, struct cof_view text, bool as_json, bool *out, struct cof_diag *diag)
{
    struct cof_buf old;
    enum cof_err err;

    cof_buf_init(&old, POLICY_BYTES_MAX);
    err = cof_file_read(path, &old, diag);
    *out = err == COF_OK && (cof_view_eq(cof_buf_view(&old), text) || (as_json && same_json(cof_buf_view(&old), text)));
    cof_buf_done(&old);
    return err == COF_E_NOT_FOUND || cof_err_class(err) == COF_CLASS_LIMIT ? COF_OK : err;
}

static enum cof_err bring_up_to_date(struct run *run, const struct config *config, bool changed[static POLICIES_MAX],
                                     size_t *n_changed, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    *n_changed = 0;
    if (!config->check && mkdir(config->out, 0755) != 0 && errno != EEXIST)
        return cof_diag_set(diag, cof_err_from_errno(errno), "cannot make %s: %s", config->out, strerror(errno));
    for (size_t i = 0; i < run->n && err == COF_OK; i++) {
        char path[4096];
        bool is_same = false;

        err = path_of(config->out, run->policies[i].name, path, diag);
        if (err == COF_OK)
            err = same(path, cof_buf_view(&run->policies[i].text), config->check, &is_same, diag);
        changed[i] = !is_same;
        *n_changed += !is_same;
        if (err == COF_OK && !is_same && !config->check)
            err = cof_file_write(path, cof_buf_view(&run->policies[i].text), 0644, diag);
    }
    return err;
}

static void print_changes(const struct run *run, const struct config *config, const bool *changed, size_t n_changed)
{
    struct cof_buf out;

    cof_buf_init(&out, 65536);
    if (config->json) {
        cof_buf_printf(&out, "{\"upToDate\":%s,\"policies\":%zu,\"%s\":[", n_changed == 0 ? "true" : "false", run->n,
                       config->check ? "differ" : "written");
        for (size_t i = 0, n = 0; i < run->n; i++)
            if (changed[i])
                cof_buf_printf(&out, "%s\"%s.json\"", n++ == 0 ? "" : ",", run->policies[i].name);
        cof_buf_add_str(&out, "]}\n");
    } else {
        for (size_t i = 0; i < run->n; i++)
            if (changed[i])
                cof_buf_printf(&out, "%s %s/%s.json\n", config->check ? "differs" : "written", config->out, run->policies[i].name);
        if (n_changed == 0)
            cof_buf_printf(&out, "up to date: %zu policies in %s\n", run->n, config->out);
    }
    (void)fputs(cof_buf_cstr(&out), stdout);
    cof_buf_done(&out);
}

static enum cof_err print_all(const struct run *run)
{
    struct cof_buf out;
    enum cof_err err;

    cof_buf_init(&out, (size_t)8 << 20);
    cof_buf_add_str(&out, "{\n");
    for (size_t i = 0; i < run->n; i++) {
        struct cof_view text = cof_buf_view(&run->policies[i].text);

        cof_buf_printf(&out, "\"%s\": %.*s%s", run->policies[i].name, (int)text.len - 1, (const char *)text.data,
                       i + 1 < run->n ? ",\n" : "\n");
    }
    cof_buf_add_str(&out, "}\n");
    err = cof_buf_err(&out);
    if (err == COF_OK)
        (void)fputs(cof_buf_cstr(&out), stdout);
    cof_buf_done(&out);
    return err;
}

static enum cof_err generate(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    struct run *run;
    bool changed[POLICIES_MAX] = {false};
    size_t n_changed = 0;
    enum cof_err err;

    (void)args;
    if (config->manifest == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--manifest is needed");
    if (config->check && config->out == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--check wants --out: the folder that is to be looked at");
    run = calloc(1, sizeof *run);
    if (run == NULL)
        return COF_E_MEMORY;
    err = read_manifest(config->manifest, &run->deployment, diag);
    if (err == COF_OK)
        err = make_all(run, diag);
    if (err == COF_OK && config->out == NULL)
        err = print_all(run);
    else if (err == COF_OK)
        err = bring_up_to_date(run, config, changed, &n_changed, diag);
    if (err == COF_OK && config->out != NULL)
        print_changes(run, config, changed, n_changed);
    if (err == COF_OK && config->check && n_changed > 0) {
        err = cof_diag_set(diag, COF_E_AUTH, "%zu of %zu policies in %s are not what the manifest gives", n_changed, run->n, config->out);
        cof_diag_hint(diag, "run it without --check to write them");
    }
    for (size_t i = 0; i < run->n; i++)
        cof_buf_done(&run->policies[i].text);
    free(run);
    return err;
}

static int run_generate(int argc, char **argv)
{
    struct config config = {0};

    return verb_run("coffer policy generate", &command, &config, generate, argc, argv);
}

const struct verb verb_policy_generate = {"policy generate", &command, run_generate};
