/* SPDX-License-Identifier: Apache-2.0
 *
 * A rollover's history, line by line. A line that is refused leaves everything as it was.
 */
#include "policy/rollover_log.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cof_rollover r, before;
    struct cof_view rest = cof_view_of(data, size), line;

    cof_rollover_init(&r);
    while (rest.len > 0) {
        (void)cof_view_split(rest, '\n', &line, &rest);
        before = r;
        if (cof_rollover_replay(&r, line, NULL) != COF_OK) {
            if (memcmp(&before, &r, sizeof r) != 0)
                abort();
            break;
        }
        if (r.step >= COF_ROLLOVER_EVENTS || r.n_keys == 0 || r.n_keys > COF_ROLLOVER_KEYS_MAX)
            abort();
    }
    return 0;
}
