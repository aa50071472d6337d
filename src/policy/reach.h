/* SPDX-License-Identifier: Apache-2.0
 *
 * What policies allow together: every path on which a key that demands attestation can be used without (C-11, C-12), and what
 * is allowed in vain. A path is found by asking the evaluator (simulate.h), so each one reported is there.
 */
#ifndef COF_POLICY_REACH_H
#define COF_POLICY_REACH_H

#include "policy/simulate.h"

/* Over the account's documents, identities and resources. Adds to the findings, whose document indices are the account's.
 * A document is added to the account: an administrator who may do everything that IAM can allow. */
COF_MUST_USE enum cof_err cof_policy_reach(struct cof_account *account, int64_t now_ms, struct cof_findings *findings);

/* For policies that come without a manifest: guesses from names, ARNs and values ("data_key_arn" for key-data.json,
 * "consumer_role_arn" for consumer.json) what each is attached to, and adds identities and resources accordingly. */
void cof_account_guess(struct cof_account *account);

#endif
