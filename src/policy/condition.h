/* SPDX-License-Identifier: Apache-2.0
 *
 * The Condition element of IAM policies: operators, the request context they look at, and policy variables
 * (IAM User Guide, "IAM JSON policy elements: Condition operators" and "Variables and tags").
 */
#ifndef COF_POLICY_CONDITION_H
#define COF_POLICY_CONDITION_H

#include "base/buf.h"
#include "policy/glob.h"

/* Operator name, family, and whether it is a negation (true when the key is absent). */
#define COF_COND_TABLE(X)                                \
    X(StringEquals, STRING, false)                       \
    X(StringNotEquals, STRING, true)                     \
    X(StringEqualsIgnoreCase, STRING_NOCASE, false)      \
    X(StringNotEqualsIgnoreCase, STRING_NOCASE, true)    \
    X(StringLike, STRING_LIKE, false)                    \
    X(StringNotLike, STRING_LIKE, true)                  \
    X(NumericEquals, NUMERIC_EQ, false)                  \
    X(NumericNotEquals, NUMERIC_EQ, true)                \
    X(NumericLessThan, NUMERIC_LT, false)                \
    X(NumericLessThanEquals, NUMERIC_LE, false)          \
    X(NumericGreaterThan, NUMERIC_GT, false)             \
    X(NumericGreaterThanEquals, NUMERIC_GE, false)       \
    X(DateEquals, DATE_EQ, false)                        \
    X(DateNotEquals, DATE_EQ, true)                      \
    X(DateLessThan, DATE_LT, false)                      \
    X(DateLessThanEquals, DATE_LE, false)                \
    X(DateGreaterThan, DATE_GT, false)                   \
    X(DateGreaterThanEquals, DATE_GE, false)             \
    X(Bool, BOOL, false)                                 \
    X(BinaryEquals, BINARY, false)                       \
    X(IpAddress, IP, false)                              \
    X(NotIpAddress, IP, true)                            \
    X(ArnEquals, ARN, false)                             \
    X(ArnLike, ARN, false)                               \
    X(ArnNotEquals, ARN, true)                           \
    X(ArnNotLike, ARN, true)                             \
    X(Null, NULL, false)

enum cof_cond_op {
#define X(name, family, negated) COF_COND_##name,
    COF_COND_TABLE(X)
#undef X
};

enum cof_cond_set { COF_COND_SINGLE, COF_COND_FOR_ALL_VALUES, COF_COND_FOR_ANY_VALUE };

/* One key under one operator. */
struct cof_condition {
    enum cof_cond_op op;
    enum cof_cond_set set;
    bool if_exists;
    struct cof_view key;
    struct cof_view *values; /* any of these; owned by the policy */
    size_t n_values;
};

/* What the request says under one key; keys compare without case. No values is as if the key were absent. */
struct cof_context_value {
    struct cof_view key;
    const struct cof_view *values;
    size_t n_values;
};

struct cof_context {
    const struct cof_context_value *items;
    size_t n_items;
};

/* The entry of that key with at least one value, or NULL. The first one counts. */
const struct cof_context_value *cof_context_find(const struct cof_context *context, struct cof_view key);

/* "ForAnyValue:StringLikeIfExists" and the like into op, set and if_exists; COF_E_FORMAT when it is no operator. */
COF_MUST_USE enum cof_err cof_condition_parse_op(struct cof_view name, struct cof_condition *out);
/* Whether a policy may give this value to the operator ("10.0.0.0/33" is no IpAddress). */
bool cof_condition_value_ok(const struct cof_condition *cond, struct cof_view value);
/* Whether the request meets the condition; variables: expand ${...} (policy Version 2012-10-17). COF_E_MEMORY or
 * COF_E_LIMIT when it cannot be said: then an Allow must not apply and a Deny must. */
COF_MUST_USE enum cof_err cof_condition_check(const struct cof_condition *cond, const struct cof_context *context,
                                              bool variables, bool *holds);

/* A pattern with its policy variables replaced: ${key}, ${key, 'default'}, ${*} ${?} ${$}. */
struct cof_expanded {
    struct cof_view plain; /* the pattern itself, where nothing was replaced */
    struct cof_buf text;
    struct cof_buf mask;
};

#define COF_EXPANDED_MAX 8192 /* bytes after expansion */

/* Whether cof_expand may look into the context; else that may be NULL. */
bool cof_expand_asks(struct cof_view pattern, bool variables);
/* COF_E_NOT_FOUND when a variable has no (single) value and no default: then the pattern matches nothing. out is
 * initialised in any case; call cof_expanded_done. */
COF_MUST_USE enum cof_err cof_expand(struct cof_view pattern, const struct cof_context *context, bool variables,
                                     struct cof_expanded *out);
struct cof_glob cof_expanded_glob(const struct cof_expanded *expanded);
void cof_expanded_done(struct cof_expanded *expanded);

#endif
