/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds policies that parse but do not protect: the known ways in which attestation conditions and key policies are
 * got wrong. Findings name the statement, what is wrong, and the mend.
 */
#ifndef COF_POLICY_LINT_H
#define COF_POLICY_LINT_H

#include "policy/policy.h"

enum cof_lint_level { COF_LINT_WARNING, COF_LINT_ERROR };

/* code, level, what is wrong */
#define COF_LINT_TABLE(X)                                                                                             \
    X(ZERO_PCR, ERROR, "a PCR of zeros is any debug enclave, whose host reads its memory")                            \
    X(EMPTY_PCR, ERROR, "a PCR is 96 lower-case hex digits; wildcards, other lengths and patterns pin nothing")       \
    X(UNKNOWN_KEY, ERROR, "no such condition key in KMS: it is never there, so the condition never holds as meant")   \
    X(REQUEST_CONTEXT, ERROR, "aws:RequestContext is no condition key")                                               \
    X(ROOT_DELEGATION, ERROR, "the account is named: any IAM administrator can hand out this use of the key")         \
    X(PUBLIC_KEY_USE, ERROR, "everybody is allowed, and no condition on caller or attestation narrows it")            \
    X(ANDED_DENY, ERROR, "a Deny with several negated keys applies only if all of them differ; use one statement each")\
    X(SIGNER_ONLY, WARNING, "PCR8 alone passes every image that key ever signs; add PCR0, PCR1 and PCR2")             \
    X(PCR0_ONLY, WARNING, "PCR0 does not fix where kernel and ramdisks meet; add PCR1 and PCR2")                      \
    X(NO_ATTESTATION_DENY, WARNING, "Decrypt is attested by an Allow only; add a Deny for a missing attestation")     \
    X(PCR_CASE, WARNING, "KMS gives PCRs in lower case; compare without case or write them so")                       \
    X(NOT_PRINCIPAL_ALLOW, WARNING, "Allow with NotPrincipal allows everybody else, anonymous callers too")           \
    X(OLD_VERSION, WARNING, "without Version 2012-10-17 policy variables are plain text")

enum cof_lint_code {
#define X(code, level, text) COF_LINT_##code,
    COF_LINT_TABLE(X)
#undef X
};

struct cof_lint_finding {
    enum cof_lint_code code;
    size_t statement; /* SIZE_MAX: the whole policy */
};

const char *cof_lint_name(enum cof_lint_code code); /* "ZERO_PCR" */
const char *cof_lint_text(enum cof_lint_code code);
enum cof_lint_level cof_lint_level(enum cof_lint_code code);

/* Writes at most max findings and returns how many there are. */
size_t cof_policy_lint(const struct cof_policy *policy, struct cof_lint_finding *out, size_t max);

#endif
