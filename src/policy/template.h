/* SPDX-License-Identifier: Apache-2.0
 *
 * Policy texts with holes: ${name} is replaced by a given value, escaped for the inside of a JSON string. $${ gives a
 * literal ${. Names that hold a ':' (IAM's own variables, ${aws:username}) and the escapes ${*} ${?} ${$} stay as
 * they are.
 */
#ifndef COF_POLICY_TEMPLATE_H
#define COF_POLICY_TEMPLATE_H

#include "base/buf.h"

struct cof_template_value {
    const char *name;
    const char *value;
};

/* Appends the filled text to out. COF_E_CONFIG for an unknown name (diag names it), COF_E_FORMAT for a ${ without
 * its }, COF_E_LIMIT over out's cap. */
COF_MUST_USE enum cof_err cof_template_fill(struct cof_view text, const struct cof_template_value *values,
                                            size_t n_values, struct cof_buf *out, struct cof_diag *diag);

#endif
