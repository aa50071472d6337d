/* SPDX-License-Identifier: Apache-2.0
 *
 * "Did you mean": the nearest of the names that could have been meant.
 */
#ifndef COF_POLICY_SUGGEST_H
#define COF_POLICY_SUGGEST_H

#include "base/view.h"

#define COF_SUGGEST_MAX 96 /* bytes; longer names are far from everything */

/* The number of letters to insert, remove, change or swap with their neighbour, case ignored; SIZE_MAX over
 * COF_SUGGEST_MAX. */
size_t cof_distance(struct cof_view a, struct cof_view b);

/* The name of the NULL-ended list that is nearest, if the distance is at most a third of it and no more than 5; else NULL. */
const char *cof_suggest(struct cof_view given, const char *const *names);

/* The same for names that come one by one: begin with {0}, try each, ask. */
struct cof_suggestion {
    struct cof_view best;
    size_t distance;
    bool any;
};
void cof_suggest_try(struct cof_suggestion *s, struct cof_view given, struct cof_view name);
/* Empty when none is near. */
struct cof_view cof_suggested(const struct cof_suggestion *s);

#endif
