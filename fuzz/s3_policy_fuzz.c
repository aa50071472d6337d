/* SPDX-License-Identifier: Apache-2.0
 *
 * A bucket policy: read and judged for the bucket "bbb"; what is refused has a reason, and what is public lets somebody in.
 */
#include "standin/s3_policy_rules.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_policy *policy;
    char why[COF_S3_POLICY_WHY];
    bool allows = false;
    enum cof_err err = cof_s3_policy_read(cof_view_of(data, size), "bbb", &policy, why);

    if (err != COF_OK) {
        if (policy != NULL || (err == COF_E_FORMAT) != (why[0] != '\0'))
            abort();
        return 0;
    }
    for (size_t i = 0; i < policy->n_statements; i++)
        allows = allows || policy->statements[i].effect == COF_EFFECT_ALLOW;
    if (cof_s3_policy_is_public(policy) && !allows)
        abort();
    cof_policy_free(policy);
    return 0;
}
