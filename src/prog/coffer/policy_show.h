/* SPDX-License-Identifier: Apache-2.0
 *
 * The answers of `coffer policy simulate` in words, JSON and HTML.
 */
#ifndef COF_COFFER_POLICY_SHOW_H
#define COF_COFFER_POLICY_SHOW_H

#include "policy_account.h"

enum policy_form { POLICY_WORDS, POLICY_JSON, POLICY_HTML };

/* One request: the answer, who decided, what each statement that speaks of it says, and what would have to be otherwise. */
COF_MUST_USE enum cof_err policy_show_one(struct policy_account *a, const struct cof_simulate_request *request, bool all_statements,
                                          enum policy_form form, bool *allowed);
/* Everybody of the account, for one action on one resource. */
COF_MUST_USE enum cof_err policy_show_who(struct policy_account *a, const struct cof_simulate_request *request, enum policy_form form);
/* Everybody and every action that the policies name, on every resource. */
COF_MUST_USE enum cof_err policy_show_matrix(struct policy_account *a, const struct cof_simulate_request *request, enum policy_form form);

/* "kms:EncryptionContext:tenant=x" for each key that a witness has and the request did not give or take for granted. */
void policy_show_needs(const struct cof_simulation *witness, const struct cof_simulation *asked, const char *between, struct cof_buf *out);
/* The same as members of a JSON object, values in full. */
void policy_show_needs_json(const struct cof_simulation *witness, const struct cof_simulation *asked, struct cof_buf *out);
/* ,"name":"text" */
void policy_show_text(struct cof_buf *out, const char *name, struct cof_view text);

#endif
