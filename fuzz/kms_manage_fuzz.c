/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kms_manage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_kms_key_facts facts;
    struct cof_buf policy;

    cof_buf_init(&policy, COF_KMS_KEY_POLICY_MAX);
    (void)!cof_kms_parse_key_policy(cof_view_of(data, size), &policy, NULL);
    (void)!cof_kms_parse_key_facts(cof_view_of(data, size), COF_LIT("arn:aws:kms:us-east-1:111122223333:key/k"), &facts, NULL);
    cof_buf_done(&policy);
    return 0;
}
