/* SPDX-License-Identifier: Apache-2.0
 *
 * The linter's rules by subject, one file each, and what they ask of statements. Every file looks at one document alone;
 * what follows from several together is in lint_reach.c.
 */
#ifndef COF_POLICY_LINT_RULES_H
#define COF_POLICY_LINT_RULES_H

#include "policy/document.h"
#include "policy/facts.h"

#define COF_SHOW(v) (int)((v).len > 90 ? 90 : (v).len), (v).len > 0 ? (const char *)(v).data : ""

/* Over this size, which no service takes, entries are not compared with one another: that grows with the square. */
#define COF_LINT_PAIRS_MAX 65536

struct lint {
    const struct cof_document *d;
    struct cof_findings *f;
};

/* One statement of the document. */
struct lint_statement {
    const struct cof_statement *st;
    const struct cof_statement_place *at;
};

void cof_lint_form(const struct lint *l);
void cof_lint_actions(const struct lint *l, struct lint_statement s);
void cof_lint_resources(const struct lint *l, struct lint_statement s);
void cof_lint_principals(const struct lint *l, struct lint_statement s);
void cof_lint_conditions(const struct lint *l, struct lint_statement s);
void cof_lint_contradictions(const struct lint *l, struct lint_statement s);
void cof_lint_attestation(const struct lint *l);
void cof_lint_overlaps(const struct lint *l);
void cof_lint_guards(const struct lint *l);

/* Whether the statement speaks of that action, whatever else it says. */
bool cof_lint_covers(const struct cof_statement *st, const char *action);
/* Whether one entry of Action is exactly that, in any case. */
bool cof_lint_lists(const struct cof_statement *st, const char *action);
bool cof_lint_has_principal(const struct cof_statement *st, enum cof_principal_kind kind);
bool cof_lint_is_wild(struct cof_view text); /* holds * or ? */
bool cof_lint_is_negated(enum cof_cond_op op);
bool cof_lint_is_equality(enum cof_cond_op op); /* StringEquals, StringLike, ArnEquals, ... */
/* A condition that holds only where the key is there: neither negated nor IfExists, ForAllValues or Null "true". */
bool cof_lint_demands(const struct cof_condition *c);
/* Whether a condition of the statement demands that key; a name that ends in '*' stands for all it begins. */
bool cof_lint_has_demand(const struct cof_statement *st, const char *key);
/* {"Null": {key: "false"}} */
bool cof_lint_demands_presence(const struct cof_statement *st, struct cof_view key);
bool cof_lint_key_is(struct cof_view key, const char *name); /* in any case; a name ending in '*' as above */
/* The register an attestation key speaks of: 0 to 31; -1 for what is no attestation key, -2 for one there is not. */
int cof_lint_pcr_of(struct cof_view key);
/* Every principal is a role. */
bool cof_lint_only_roles(const struct cof_statement *st);
/* A service uses the key on behalf of callers it has checked. */
bool cof_lint_via_service(const struct cof_statement *st);

#endif
