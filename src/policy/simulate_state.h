/* SPDX-License-Identifier: Apache-2.0
 *
 * Between simulate.c and witness.c: the steps of one simulation.
 */
#ifndef COF_POLICY_SIMULATE_STATE_H
#define COF_POLICY_SIMULATE_STATE_H

#include "policy/simulate.h"

/* Caller, policies and context, not yet asked. */
void cof_simulate_gather(const struct cof_account *account, const struct cof_simulate_request *request, struct cof_simulation *out);
/* Asks the evaluator about what is gathered. */
void cof_simulate_ask(const struct cof_account *account, struct cof_simulation *simulation);

#endif
