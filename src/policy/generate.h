/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies from templates (deploy/iam), which are JSON with ${name} in their strings. A name may stand for several values: then
 * it is an element of an array by itself, and the array gets one element a value. A supplement adds statements to a policy;
 * one whose Sid the policy has already takes its place. The same input gives the same bytes.
 */
#ifndef COF_POLICY_GENERATE_H
#define COF_POLICY_GENERATE_H

#include "policy/deployment.h"

struct cof_generate_value {
    const char *name;
    const char *const *items;
    size_t n;
};

#define COF_GENERATE_VALUES_MAX 24

/* What a deployment says, under the names that the templates use. The views live as long as the deployment. */
struct cof_generate_values {
    struct cof_generate_value values[COF_GENERATE_VALUES_MAX];
    size_t n;
    const char *singles[COF_GENERATE_VALUES_MAX];
    const char *lists[6][COF_DEPLOYMENT_LIST_MAX];
};
void cof_generate_values(const struct cof_deployment *deployment, struct cof_generate_values *out);

/* The service's limits for a policy of that name (its size without white space, and what SQS counts); NULL for none. */
struct cof_generate_limit {
    const char *name;
    size_t bytes;
};
const struct cof_generate_limit *cof_generate_limit(const char *name);

/* Appends the policy: two spaces of indent, members in the template's order, a newline at the end. COF_E_CONFIG for a name
 * without value or a list in the wrong place, COF_E_FORMAT for a template that is no policy, COF_E_LIMIT over the service's
 * limit for name. */
COF_MUST_USE enum cof_err cof_generate_policy(const char *name, struct cof_view text, const struct cof_view *supplements,
                                              size_t n_supplements, const struct cof_generate_value *values,
                                              size_t n_values, struct cof_buf *out, struct cof_diag *diag);

#endif
