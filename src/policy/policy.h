/* SPDX-License-Identifier: Apache-2.0
 *
 * IAM policy documents as structs (IAM User Guide, "Grammar of the IAM JSON policy language"). Stricter than the
 * service where laxity hides mistakes: unknown or repeated elements, impossible values and misplaced Principal are
 * refused, with line and column. What a policy means is decided in evaluate.h.
 */
#ifndef COF_POLICY_POLICY_H
#define COF_POLICY_POLICY_H

#include "policy/condition.h"
#include "policy/principal.h"

enum cof_policy_kind {
    COF_POLICY_IDENTITY, /* also permission boundaries and session policies: no Principal, Resource needed */
    COF_POLICY_RESOURCE, /* bucket, queue and key policies: Principal and Resource needed */
    COF_POLICY_TRUST,    /* a role's trust policy: Principal needed, no Resource */
};

enum cof_effect { COF_EFFECT_DENY, COF_EFFECT_ALLOW };

/* All views live as long as the policy. */
struct cof_statement {
    struct cof_view sid; /* may be empty */
    enum cof_effect effect;
    bool not_principal, not_action, not_resource; /* the Not... form was given */
    struct cof_principal *principals;
    size_t n_principals;
    struct cof_view *actions;
    size_t n_actions;
    struct cof_view *resources;
    size_t n_resources;
    struct cof_condition *conditions; /* all must hold */
    size_t n_conditions;
};

struct json_t;

struct cof_policy {
    enum cof_policy_kind kind;
    struct cof_view id;
    bool variables; /* Version 2012-10-17 */
    struct cof_statement *statements;
    size_t n_statements;
    struct json_t *json; /* owns the strings */
    struct json_t *made; /* strings made from numbers and booleans */
};

#define COF_POLICY_SIZE_MAX 32768 /* KMS key policies; the largest of the services' limits */
#define COF_POLICY_STATEMENTS_MAX 256
#define COF_POLICY_LIST_MAX 512 /* actions, resources, principals, values of one list */

/* Parses text of at most max bytes. COF_E_FORMAT, COF_E_LIMIT, COF_E_MEMORY; diag says where and why. *out is NULL on
 * failure; else free it. */
COF_MUST_USE enum cof_err cof_policy_parse(struct cof_view text, enum cof_policy_kind kind, size_t max,
                                           struct cof_policy **out, struct cof_diag *diag);
void cof_policy_free(struct cof_policy *policy);

#endif
