/* SPDX-License-Identifier: Apache-2.0
 *
 * A pattern and a text, separated by the first NUL: the three matchers must come back, and agree where they have to.
 */
#include "policy/glob.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_view pattern, text;
    struct cof_glob glob;

    if (size > 4096)
        return 0;
    (void)cof_view_split(cof_view_of(data, size), 0, &pattern, &text);
    glob = (struct cof_glob){pattern, NULL};
    if (cof_glob_match(glob, text) && !cof_glob_match_nocase(glob, text))
        abort();
    if (cof_glob_match_arn(glob, text) && !cof_glob_match(glob, text))
        abort(); /* matching part by part is narrower, never wider */
    if (!cof_glob_match((struct cof_glob){pattern, NULL}, pattern))
        abort(); /* every pattern matches itself */
    return 0;
}
