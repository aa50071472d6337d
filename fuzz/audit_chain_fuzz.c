/* SPDX-License-Identifier: Apache-2.0
 *
 * Hostile audit logs: the check ends, and never counts more than there is.
 */
#include "engine/audit_chain.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_view rest = {data, size}, line;
    struct cof_audit_check check;
    struct cof_diag diag;
    uint64_t n = 0;
    enum cof_err err = COF_OK;

    cof_audit_check_init(&check, NULL);
    while (err == COF_OK && rest.len > 0) {
        (void)cof_view_split(rest, '\n', &line, &rest);
        err = cof_audit_check_line(&check, line, &diag);
        n++;
        if (check.n_lines > n || (check.begun && check.chain.next - check.first > n) ||
            memchr(check.last_time, 0, sizeof check.last_time) == NULL)
            abort();
    }
    if (err == COF_OK)
        err = cof_audit_check_end(&check, &diag);
    return err == COF_OK || err == COF_E_AUTH || err == COF_E_MEMORY ? 0 : 1;
}
