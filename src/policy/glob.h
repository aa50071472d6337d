/* SPDX-License-Identifier: Apache-2.0
 *
 * IAM wildcards: '*' any run of characters, '?' exactly one (a UTF-8 character, not a byte). No recursion and one
 * point of return, so a hostile pattern costs at most pattern x text steps and never an exponential number.
 */
#ifndef COF_POLICY_GLOB_H
#define COF_POLICY_GLOB_H

#include "base/view.h"

/* A pattern; where mask is given, only bytes with mask[i] != 0 are wildcards (text that came out of a policy
 * variable matches itself alone). */
struct cof_glob {
    struct cof_view text;
    const uint8_t *mask; /* NULL, or text.len bytes */
};

bool cof_glob_match(struct cof_glob pattern, struct cof_view text);
bool cof_glob_match_nocase(struct cof_glob pattern, struct cof_view text); /* ASCII case only */
/* ARNs: the first five of the six colon-separated parts match within themselves; the last may hold colons. The
 * pattern "*" matches all. A pattern with fewer parts matches nothing. */
bool cof_glob_match_arn(struct cof_glob pattern, struct cof_view arn);

#endif
