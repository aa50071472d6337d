/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer policy lint: what is wrong in these policies, where, and the mend.
 */
#include "verbs.h"
#include "common.h"

#include "io/file.h"
#include "policy/lint.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 20)
#define FINDINGS_MAX 256

struct config {
    const char *kind;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    {"kind", 0, COF_OPT_TEXT, "KIND", "identity, resource or trust (default: resource)", O(kind)},
};
static const struct cof_command command = {
    .name = "policy lint",
    .args = "FILE...",
    .summary = "Finds mistakes in IAM, key, bucket and queue policies.",
    .details = "Exit code 0: none. 3: some, each named with its file.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 1,
    .max_args = -1,
};

static enum cof_err lint_file(const char *path, enum cof_policy_kind kind, size_t *n_findings, struct cof_diag *diag)
{
    struct cof_lint_finding found[FINDINGS_MAX];
    struct cof_policy *policy = NULL;
    struct cof_diag why = {0};
    struct cof_buf text;
    size_t n;
    enum cof_err err;

    cof_buf_init(&text, TEXT_MAX);
    err = cof_file_read(path, &text, diag);
    if (err == COF_OK)
        err = cof_policy_parse(cof_buf_view(&text), kind, COF_POLICY_SIZE_MAX, &policy, &why);
    if (policy == NULL && why.text[0] != '\0') {
        (void)printf("%s: %s\n", path, why.text);
        (*n_findings)++;
        err = COF_OK;
    }
    if (policy != NULL) {
        n = cof_policy_lint(policy, found, FINDINGS_MAX);
        for (size_t i = 0; i < n && i < FINDINGS_MAX; i++)
            (void)printf("%s: statement %zu: %s: %s\n", path, found[i].statement + 1, cof_lint_name(found[i].code),
                         cof_lint_text(found[i].code));
        *n_findings += n;
    }
    cof_policy_free(policy);
    cof_buf_done(&text);
    return err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    enum cof_policy_kind kind = COF_POLICY_RESOURCE;
    size_t n_findings = 0;
    enum cof_err err = COF_OK;

    if (config->kind != NULL && strcmp(config->kind, "identity") == 0)
        kind = COF_POLICY_IDENTITY;
    else if (config->kind != NULL && strcmp(config->kind, "trust") == 0)
        kind = COF_POLICY_TRUST;
    else if (config->kind != NULL && strcmp(config->kind, "resource") != 0)
        return cof_diag_set(diag, COF_E_USAGE, "--kind: '%s' is none of identity, resource, trust", config->kind);
    for (size_t i = 0; err == COF_OK && args[i] != NULL; i++)
        err = lint_file(args[i], kind, &n_findings, diag);
    if (err == COF_OK && n_findings > 0)
        err = cof_diag_set(diag, COF_E_AUTH, "%zu findings", n_findings);
    return err;
}

static int run_lint(int argc, char **argv)
{
    struct config config = {.kind = NULL};

    return verb_run("coffer policy lint", &command, &config, run, argc, argv);
}

const struct verb verb_policy_lint = {"policy lint", &command, run_lint};
