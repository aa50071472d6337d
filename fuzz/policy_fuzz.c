/* SPDX-License-Identifier: Apache-2.0
 *
 * A policy of any kind: parse it, and if it parses, evaluate a request against it. The first byte chooses the kind.
 */
#include "policy/evaluate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_view user = COF_LIT("ann"), many[2] = {COF_LIT("a"), COF_LIT("10.0.0.1")};
    struct cof_context_value items[] = {{COF_LIT("aws:SourceIp"), &many[1], 1}, {COF_LIT("aws:TagKeys"), many, 2}};
    struct cof_access access = {
        .caller = {.kind = COF_CALLER_USER, .account = COF_LIT("111122223333"),
                   .arn = COF_LIT("arn:aws:iam::111122223333:user/ann"), .name = user},
        .action = COF_LIT("s3:GetObject"), .resource = COF_LIT("arn:aws:s3:::bucket/ann/x"),
        .context = {items, 2}, .now_ms = 1795456800000};
    struct cof_policy *policy;
    struct cof_named_policy named = {.name = "fuzz"};
    struct cof_policy_set set = {0};
    struct cof_decision decision;
    struct cof_diag diag;
    struct cof_buf why;

    if (size == 0 || cof_policy_parse(cof_view_of(data + 1, size - 1), (enum cof_policy_kind)(data[0] % 3),
                                      COF_POLICY_SIZE_MAX, &policy, &diag) != COF_OK)
        return 0;
    named.policy = policy;
    if (policy->kind == COF_POLICY_IDENTITY) {
        set.identity = &named;
        set.n_identity = 1;
    } else {
        set.resource = named;
    }
    decision = cof_evaluate(&set, &access);
    if (decision.statement != SIZE_MAX && decision.statement >= policy->n_statements)
        abort();
    if (decision.verdict == COF_VERDICT_ALLOW && policy->statements[decision.statement].effect != COF_EFFECT_ALLOW)
        abort();
    cof_buf_init(&why, 65536);
    cof_decision_explain(&decision, &access, &why);
    cof_buf_done(&why);
    cof_policy_free(policy);
    return 0;
}
