/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds where in a JSON text (already known to be well formed) a member or element stands, so that a complaint about
 * what a parsed document means can still name line and column.
 */
#ifndef COF_POLICY_LOCATE_H
#define COF_POLICY_LOCATE_H

#include "base/view.h"

#define COF_LOCATE_DEPTH 12

struct cof_locate_path {
    struct {
        const char *key; /* of an object; NULL: an array's index */
        size_t index;
    } steps[COF_LOCATE_DEPTH];
    size_t n;
};

/* Steps over COF_LOCATE_DEPTH are counted but not kept. */
void cof_locate_push_key(struct cof_locate_path *path, const char *key);
void cof_locate_push_index(struct cof_locate_path *path, size_t index);
void cof_locate_pop(struct cof_locate_path *path);

/* Line and column from 1, in bytes, of the key or element at the end of the path, or as far towards it as it was found
 * (a key written with escapes is not). */
void cof_locate(struct cof_view text, const struct cof_locate_path *path, size_t *line, size_t *column);

#endif
