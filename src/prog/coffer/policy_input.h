/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verbs of `coffer policy` read: policy files, alone or by the folder.
 */
#ifndef COF_COFFER_POLICY_INPUT_H
#define COF_COFFER_POLICY_INPUT_H

#include "base/buf.h"

#define POLICY_FILES_MAX 256
#define POLICY_TEXT_MAX ((size_t)1 << 20)

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

#endif
