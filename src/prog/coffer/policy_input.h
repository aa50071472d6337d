/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verbs of `coffer policy` read: policy files, alone or by the folder, and the values for their holes.
 */
#ifndef COF_COFFER_POLICY_INPUT_H
#define COF_COFFER_POLICY_INPUT_H

#include "base/buf.h"
#include "policy/template.h"
#include "prog/options.h"

#define POLICY_FILES_MAX 256
#define POLICY_TEXT_MAX ((size_t)1 << 20)
#define POLICY_VALUES_MAX 128

struct policy_file {
    char *path;
    struct cof_buf text;
};

struct policy_files {
    struct policy_file items[POLICY_FILES_MAX];
    size_t n;
};

/* Reads the file, or of a folder every *.json in it, by name. */
COF_MUST_USE enum cof_err policy_files_add(struct policy_files *files, const char *path, struct cof_diag *diag);
void policy_files_done(struct policy_files *files);

struct policy_values {
    struct cof_template_value items[POLICY_VALUES_MAX];
    size_t n;
};

/* "NAME=VALUE" each; what comes first stays. */
COF_MUST_USE enum cof_err policy_values_set(struct policy_values *values, const struct cof_text_list *set, struct cof_diag *diag);
/* The texts of a JSON object, or of its member "values"; each may use those before it. */
COF_MUST_USE enum cof_err policy_values_read(struct policy_values *values, const char *path, struct cof_diag *diag);
void policy_values_done(struct policy_values *values);

#endif
