/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer policy lint: what is wrong in these policies, where, why it matters, and the mend.
 */
#include "verbs.h"
#include "common.h"
#include "policy_account.h"

#include "base/log.h"
#include "io/clock.h"
#include "policy/lint.h"
#include "policy/reach.h"

#include <stdio.h>
#include <string.h>

struct config {
    const char *kind, *manifest;
    struct cof_text_list set;
    bool json, strict, rules;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    {"kind", 0, COF_OPT_TEXT, "KIND", "what the policies are attached to: identity, boundary, session, key, bucket, queue, endpoint, resource or trust "
     "(default: from what each says)", O(kind)},
    {"manifest", 0, COF_OPT_TEXT, "FILE", "the account with its policies (deploy/local/manifest.json), or values for their holes ${NAME}", O(manifest)},
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
               "Policies that are given together are judged together: every path to a key past its attestation condition is found.\n"
               "Exit code 0: no errors and no warnings (notes may be printed). 3: some. 2: wrong use. 1: a file cannot be read.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 0,
    .max_args = -1,
};

static void print_rules(void)
{
    (void)printf("| rule | severity | why | mend |\n|---|---|---|---|\n");
    for (int i = 0; i < COF_N_RULES; i++)
        (void)printf("| `%s` | %s | %s | %s |\n", cof_rule_name((enum cof_rule)i), cof_severity_name(cof_rule_severity((enum cof_rule)i)),
                     cof_rule_why((enum cof_rule)i), cof_rule_mend((enum cof_rule)i));
}

/* Without the one that is made up for the search. */
static size_t n_files(const struct policy_account *a)
{
    return a->account.n_documents - 1;
}

static void print_words(const struct policy_account *w)
{
    for (size_t i = 0; i < w->findings.n; i++) {
        const struct cof_finding *f = &w->findings.items[i];
        const struct cof_document *d = &w->account.documents[f->document];
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

static enum cof_err print_json(const struct policy_account *w)
{
    struct cof_buf out;
    enum cof_err err;

    cof_buf_init(&out, (size_t)1 << 24);
    cof_buf_printf(&out, "{\"files\":%zu,\"errors\":%zu,\"warnings\":%zu,\"notes\":%zu,\"findings\":[", n_files(w),
                   cof_findings_count(&w->findings, COF_SEVERITY_ERROR), cof_findings_count(&w->findings, COF_SEVERITY_WARNING),
                   cof_findings_count(&w->findings, COF_SEVERITY_NOTE));
    for (size_t i = 0; i < w->findings.n; i++) {
        const struct cof_finding *f = &w->findings.items[i];
        const struct cof_document *d = &w->account.documents[f->document];
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

/* One file can be many documents: each role that has it. Its findings are said once. */
static void drop_repeated(struct policy_account *a)
{
    struct cof_findings *f = &a->findings;
    size_t kept = 0;

    for (size_t i = 0; i < f->n; i++) {
        const char *file = a->account.documents[f->items[i].document].file;
        bool repeated = false;

        for (size_t k = 0; k < kept && !repeated; k++)
            repeated = f->items[k].rule == f->items[i].rule && f->items[k].at == f->items[i].at && strcmp(f->items[k].text, f->items[i].text) == 0 &&
                       strcmp(a->account.documents[f->items[k].document].file, file) == 0;
        if (!repeated)
            f->items[kept++] = f->items[i];
    }
    f->n = kept;
}

static enum cof_err lint(struct policy_account **out, const struct config *config, char **args, struct cof_diag *diag)
{
    enum cof_document_kind kind = COF_DOCUMENT_UNKNOWN;
    struct policy_account *a;
    enum cof_err err;

    if (config->kind != NULL && !cof_document_kind_parse(config->kind, &kind)) {
        (void)cof_diag_set(diag, COF_E_USAGE, "--kind: '%s' is none", config->kind);
        cof_diag_hint(diag, "identity, boundary, session, key, bucket, queue, endpoint, resource or trust");
        return COF_E_USAGE;
    }
    err = policy_account_open(config->manifest, &config->set, out, diag);
    a = *out;
    for (size_t i = 0; err == COF_OK && args[i] != NULL; i++)
        err = policy_account_add(a, args[i], kind, diag);
    if (err == COF_OK && a->account.n_documents == 0)
        err = cof_diag_set(diag, COF_E_USAGE, "name a file or a folder");
    for (size_t i = 0; err == COF_OK && i < a->account.n_documents; i++)
        cof_policy_lint(&a->account.documents[i], &a->findings);
    if (err == COF_OK && !a->is_account)
        cof_account_guess(&a->account);
    if (err == COF_OK)
        err = cof_policy_reach(&a->account, cof_clock_wall_ms(), &a->findings);
    if (err == COF_OK) {
        drop_repeated(a);
        cof_findings_sort(&a->findings);
    }
    return err;
}

static enum cof_err say(const struct policy_account *w, const struct config *config, struct cof_diag *diag)
{
    size_t errors = cof_findings_count(&w->findings, COF_SEVERITY_ERROR), warnings = cof_findings_count(&w->findings, COF_SEVERITY_WARNING);
    size_t notes = cof_findings_count(&w->findings, COF_SEVERITY_NOTE);
    enum cof_err err = COF_OK;

    if (config->json)
        err = print_json(w);
    else
        print_words(w);
    if (err == COF_OK && errors + warnings + w->findings.n_lost + (config->strict ? notes : 0) > 0)
        err = cof_diag_set(diag, COF_E_AUTH, "%zu errors, %zu warnings, %zu notes in %zu files", errors, warnings, notes, n_files(w));
    else if (err == COF_OK && !config->json)
        (void)printf("%zu files: no errors, no warnings, %zu notes\n", n_files(w), notes);
    return err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    struct policy_account *a = NULL;
    enum cof_err err;

    if (config->rules) {
        print_rules();
        return COF_OK;
    }
    err = lint(&a, config, args, diag);
    if (err == COF_OK)
        err = say(a, config, diag);
    policy_account_close(a);
    return err;
}

static int run_lint(int argc, char **argv)
{
    struct config config = {.kind = NULL};

    return verb_run("coffer policy lint", &command, &config, run, argc, argv);
}

const struct verb verb_policy_lint = {"policy lint", &command, run_lint};
