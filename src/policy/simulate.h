/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may do what, and why: an account's policies gathered for one request and given to the evaluator that coffer-local asks
 * too (evaluate.h).
 */
#ifndef COF_POLICY_SIMULATE_H
#define COF_POLICY_SIMULATE_H

#include "policy/account.h"

#define COF_SIMULATE_KEYS_MAX 64

/* What the request says besides caller, action and resource. Texts are the caller's. */
struct cof_simulate_context {
    struct cof_context_value items[COF_SIMULATE_KEYS_MAX];
    struct cof_view values[COF_SIMULATE_KEYS_MAX]; /* one list of all values; items point into it */
    size_t n, n_values;
};
/* Adds a value under the key; values under one key have to follow one another. False when there is no room. */
bool cof_simulate_context_add(struct cof_simulate_context *context, struct cof_view key, struct cof_view value);

struct cof_simulate_request {
    size_t identity;            /* of the account; SIZE_MAX: caller is filled in */
    struct cof_caller caller;
    struct cof_view action;
    size_t resource;            /* of the account, whose policy speaks; SIZE_MAX: none */
    struct cof_view arn;        /* of the resource in full, or "*" */
    const struct cof_simulate_context *context; /* given; or NULL */
    size_t session;             /* a session policy's document, or SIZE_MAX */
    bool unattested;            /* for witnesses: no attestation key may be made up */
    bool granted;               /* as if a grant allowed it: of the resource's policy the Denies alone count */
    int64_t now_ms;
};

/* The request in full and the answer; points into the account and the request. */
struct cof_simulation {
    struct cof_named_policy identity[COF_ACCOUNT_POLICIES_MAX];
    struct cof_policy_set set;
    struct cof_access access;
    struct cof_simulate_context context; /* with what is assumed of every request */
    size_t n_given;                      /* of its items are the request's own */
    struct cof_decision decision;
    size_t document; /* that decided, or SIZE_MAX */
};

/* By the context given and, for keys it lacks, what an ordinary request has: TLS 1.3, no service in between, and so on. */
void cof_simulate(const struct cof_account *account, const struct cof_simulate_request *request, struct cof_simulation *out);

/* Looks for a context under which the request is allowed: the given one with further keys, as the statements demand them.
 * Whatever it finds the evaluator has allowed; it may miss contexts that are far from what the statements say. What it made up
 * is kept by texts, to be initialised by the caller and to live as long as out. */
bool cof_simulate_witness(const struct cof_account *account, const struct cof_simulate_request *request, struct cof_buf *texts,
                          struct cof_simulation *out);

#endif
