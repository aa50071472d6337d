/* SPDX-License-Identifier: Apache-2.0
 *
 * The account that `coffer policy lint` and `simulate` ask about, read with its files.
 */
#ifndef COF_COFFER_POLICY_ACCOUNT_H
#define COF_COFFER_POLICY_ACCOUNT_H

#include "policy/simulate.h"
#include "policy_input.h"
#include "prog/options.h"

struct policy_account {
    struct cof_account account;
    struct policy_files files; /* whose texts the account's documents point into */
    struct cof_findings findings;
    bool is_account; /* the manifest said who and what there is, not values alone */
    char folder[4096];
};

/* Reads a manifest: one of coffer-local's form with its policies, one that `coffer policy generate` takes, or values alone (the
 * texts of an object, or of its "values"). NULL: none. --set goes before it. *out is to be closed in any case. */
COF_MUST_USE enum cof_err policy_account_open(const char *manifest, const struct cof_text_list *set, struct policy_account **out,
                                              struct cof_diag *diag);
/* Adds a file, or of a folder each *.json; what is there already is not read again. */
COF_MUST_USE enum cof_err policy_account_add(struct policy_account *a, const char *path, enum cof_document_kind kind, struct cof_diag *diag);
/* One more policy, of a file, as a session's; its document. */
COF_MUST_USE enum cof_err policy_account_session(struct policy_account *a, const char *path, size_t *document, struct cof_diag *diag);
void policy_account_close(struct policy_account *a);

#endif
