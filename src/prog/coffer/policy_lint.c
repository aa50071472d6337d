/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer policy lint: what is wrong in these policies, where, why it matters, and the mend.
 */
#include "verbs.h"
#include "common.h"
#include "policy_input.h"

#include "base/log.h"
#include "policy/lint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct config {
    const char *kind, *manifest;
    struct cof_text_list set;
    bool json, strict, rules;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    {"kind", 0, COF_OPT_TEXT, "KIND", "what the policies are attached to: identity, boundary, session, key, bucket, queue, resource or trust "
     "(default: from what each says)", O(kind)},
    {"manifest", 0, COF_OPT_TEXT, "FILE", "values for the holes ${NAME}: the texts of this JSON object, or of its \"values\"", O(manifest)},
    {"set", 0, COF_OPT_LIST, "NAME=VALUE", "a value for a hole; goes before the manifest's", O(set)},
    {"strict", 0, COF_OPT_FLAG, NULL, "notes count as findings too", O(strict)},
    {"json", 0, COF_OPT_FLAG, NULL, "print the findings as JSON", O(json)},
    {"rules", 0, COF_OPT_FLAG, NULL, "print all rules, and stop", O(rules)},
};
static const struct cof_command command = {
    .name = "policy lint",
    .args = "FILE|DIR...",
    .summary = "Finds mistakes in IAM, key, bucket, queue and trust policies, and says how to mend them.",
    .details = "Each finding names file, line and column, the rule, what is wrong, why it matters and the mend. Of a folder, all *.json are read.\n"
               "Exit code 0: no errors and no warnings (notes may be printed). 3: some. 2: wrong use. 1: a file cannot be read.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 0,
    .max_args = -1,
};

struct work {
    struct policy_files files;
    struct policy_values values;
    struct cof_document documents[POLICY_FILES_MAX];
    size_t n_documents;
    struct cof_findings findings;
};

static void print_rules(void)
{
    (void)printf("| rule | severity | why | mend |\n|---|---|---|---|\n");
    for (int i = 0; i < COF_N_RULES; i++)
        (void)printf("| `%s` | %s | %s | %s |\n", cof_rule_name((enum cof_rule)i), cof_severity_name(cof_rule_severity((enum cof_rule)i)),
                     cof_rule_why((enum cof_rule)i), cof_rule_mend((enum cof_rule)i));
}

static void print_words(const struct work *w)
{
    for (size_t i = 0; i < w->findings.n; i++) {
        const struct cof_finding *f = &w->findings.items[i];
        const struct cof_document *d = &w->documents[f->document];
        size_t line, column;

        cof_text_position(d->text, f->at, &line, &column);
        (void)printf("%s:%zu:%zu: %s: %s [%s]", d->file, line, column, cof_severity_name(f->severity), f->text, cof_rule_name(f->rule));
        if (f->sid.len > 0)
            (void)printf(" in %.*s", (int)(f->sid.len > 64 ? 64 : f->sid.len), (const char *)f->sid.data);
        (void)printf("\n    why:  %s\n    mend: %s\n", cof_rule_why(f->rule), f->mend[0] != '\0' ? f->mend : cof_rule_mend(f->rule));
    }
    if (w->findings.n_lost > 0)
        (void)printf("%zu findings more\n", w->findings.n_lost);
}

static void add_text(struct cof_buf *out, const char *name, struct cof_view text)
{
    cof_buf_printf(out, ",\"%s\":\"", name);
    cof_json_escape(out, text);
    cof_buf_add_str(out, "\"");
}

static enum cof_err print_json(const struct work *w)
{
    struct cof_buf out;
    enum cof_err err;

    cof_buf_init(&out, (size_t)1 << 24);
    cof_buf_printf(&out, "{\"files\":%zu,\"errors\":%zu,\"warnings\":%zu,\"notes\":%zu,\"findings\":[", w->n_documents,
                   cof_findings_count(&w->findings, COF_SEVERITY_ERROR), cof_findings_count(&w->findings, COF_SEVERITY_WARNING),
                   cof_findings_count(&w->findings, COF_SEVERITY_NOTE));
    for (size_t i = 0; i < w->findings.n; i++) {
        const struct cof_finding *f = &w->findings.items[i];
        const struct cof_document *d = &w->documents[f->document];
        size_t line, column;

        cof_text_position(d->text, f->at, &line, &column);
        cof_buf_printf(&out, "%s\n{\"line\":%zu,\"column\":%zu", i == 0 ? "" : ",", line, column);
        add_text(&out, "file", cof_view_str(d->file));
        add_text(&out, "kind", cof_view_str(cof_document_kind_name(d->kind)));
        add_text(&out, "rule", cof_view_str(cof_rule_name(f->rule)));
        add_text(&out, "severity", cof_view_str(cof_severity_name(f->severity)));
        add_text(&out, "text", cof_view_str(f->text));
        add_text(&out, "why", cof_view_str(cof_rule_why(f->rule)));
        add_text(&out, "mend", cof_view_str(f->mend[0] != '\0' ? f->mend : cof_rule_mend(f->rule)));
        if (f->sid.len > 0)
            add_text(&out, "sid", f->sid);
        cof_buf_add_str(&out, "}");
    }
    cof_buf_add_str(&out, "]}");
    err = cof_buf_err(&out);
    if (err == COF_OK)
        (void)puts(cof_buf_cstr(&out));
    cof_buf_done(&out);
    return err;
}

static enum cof_err lint(struct work *w, const struct config *config, char **args, struct cof_diag *diag)
{
    enum cof_document_kind kind = COF_DOCUMENT_UNKNOWN;
    enum cof_err err;

    if (config->kind != NULL && !cof_document_kind_parse(config->kind, &kind)) {
        (void)cof_diag_set(diag, COF_E_USAGE, "--kind: '%s' is none", config->kind);
        cof_diag_hint(diag, "identity, boundary, session, key, bucket, queue, resource or trust");
        return COF_E_USAGE;
    }
    err = policy_values_set(&w->values, &config->set, diag);
    if (err == COF_OK && config->manifest != NULL)
        err = policy_values_read(&w->values, config->manifest, diag);
    for (size_t i = 0; err == COF_OK && args[i] != NULL; i++)
        err = policy_files_add(&w->files, args[i], diag);
    for (size_t i = 0; err == COF_OK && i < w->files.n; i++) {
        struct cof_document_source source = {.file = w->files.items[i].path, .text = cof_buf_view(&w->files.items[i].text), .index = i,
                                             .kind = kind, .values = w->values.items, .n_values = w->values.n};

        w->n_documents++;
        err = cof_document_read(&source, &w->findings, &w->documents[i]);
        if (err == COF_OK)
            cof_policy_lint(&w->documents[i], &w->findings);
    }
    cof_findings_sort(&w->findings);
    return err;
}

static enum cof_err say(const struct work *w, const struct config *config, struct cof_diag *diag)
{
    size_t errors = cof_findings_count(&w->findings, COF_SEVERITY_ERROR), warnings = cof_findings_count(&w->findings, COF_SEVERITY_WARNING);
    size_t notes = cof_findings_count(&w->findings, COF_SEVERITY_NOTE);
    enum cof_err err = COF_OK;

    if (config->json)
        err = print_json(w);
    else
        print_words(w);
    if (err == COF_OK && errors + warnings + (config->strict ? notes : 0) > 0)
        err = cof_diag_set(diag, COF_E_AUTH, "%zu errors, %zu warnings, %zu notes in %zu files", errors, warnings, notes, w->n_documents);
    else if (err == COF_OK && !config->json)
        (void)printf("%zu files: no errors, no warnings, %zu notes\n", w->n_documents, notes);
    return err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    struct work *w;
    enum cof_err err;

    if (config->rules) {
        print_rules();
        return COF_OK;
    }
    if (args[0] == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "name a file or a folder");
    w = calloc(1, sizeof *w);
    if (w == NULL)
        return COF_E_MEMORY;
    err = lint(w, config, args, diag);
    if (err == COF_OK)
        err = say(w, config, diag);
    for (size_t i = 0; i < w->n_documents; i++)
        cof_document_done(&w->documents[i]);
    cof_findings_done(&w->findings);
    policy_files_done(&w->files);
    policy_values_done(&w->values);
    free(w);
    return err;
}

static int run_lint(int argc, char **argv)
{
    struct config config = {.kind = NULL};

    return verb_run("coffer policy lint", &command, &config, run, argc, argv);
}

const struct verb verb_policy_lint = {"policy lint", &command, run_lint};
