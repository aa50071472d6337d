/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds policies that parse but do not protect, and those that do not parse: every rule of rules.h over one document. What
 * several documents allow together is found in reach.h.
 */
#ifndef COF_POLICY_LINT_H
#define COF_POLICY_LINT_H

#include "policy/document.h"

/* Adds what is wrong with the document, which cof_document_read has read into the same findings before. */
void cof_policy_lint(const struct cof_document *document, struct cof_findings *findings);

/* Whether a resource can be of a kind that an action takes (kinds: cof_action_fact.resources); when in doubt it can. */
bool cof_lint_fits(struct cof_view resource, const char *service, const char *kinds);

#endif
