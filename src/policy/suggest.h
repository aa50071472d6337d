/* SPDX-License-Identifier: Apache-2.0
 *
 * "Did you mean": the nearest of the names that could have been meant.
 */
#ifndef COF_POLICY_SUGGEST_H
#define COF_POLICY_SUGGEST_H

#include "base/view.h"

/* The name of the NULL-ended list that is fewest changes of a character away (without case), if those are at most a third of
 * it; else NULL. */
const char *cof_suggest(struct cof_view given, const char *const *names);

#endif
