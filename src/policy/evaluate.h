/* SPDX-License-Identifier: Apache-2.0
 *
 * IAM's decision: who may do what to which resource (IAM User Guide, "Policy evaluation logic"; KMS Developer Guide,
 * "Key policies"). An explicit Deny anywhere wins. Otherwise:
 *
 *   same account, COF_RESOURCE_EITHER (S3, SQS)       identity policies OR a resource policy that names the caller
 *   COF_RESOURCE_AUTHORITATIVE (KMS keys, role trust) the resource policy must allow: naming the caller is enough;
 *                                                     naming the account delegates, and then identity policies must
 *                                                     allow too
 *   other account                                     both must allow
 *   boundary and session policies                     each given one must allow as well; a resource policy of the
 *                                                     caller's own account that names the user or the role session
 *                                                     itself (not the role) is not narrowed by them
 *
 * NotPrincipal in a Deny spares only callers that are listed with everything above them: the account and the user; the
 * account, the role and the session.
 */
#ifndef COF_POLICY_EVALUATE_H
#define COF_POLICY_EVALUATE_H

#include "policy/policy.h"

enum cof_caller_kind {
    COF_CALLER_ANONYMOUS, /* no credentials */
    COF_CALLER_ROOT,      /* the account itself */
    COF_CALLER_USER,
    COF_CALLER_ROLE,      /* an assumed role */
    COF_CALLER_SERVICE,   /* arn holds "ec2.amazonaws.com" */
    COF_CALLER_FEDERATED, /* arn holds the provider; AssumeRoleWithWebIdentity */
};

struct cof_tag {
    struct cof_view key, value;
};

struct cof_caller {
    enum cof_caller_kind kind;
    struct cof_view account;  /* twelve digits */
    struct cof_view arn;      /* user ARN; arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION for a role */
    struct cof_view role_arn; /* arn:aws:iam::ACCOUNT:role/PATH/ROLE for a role */
    struct cof_view user_id;  /* "AIDA...", "AROA...:session" */
    struct cof_view name;     /* user name; empty for others */
    const struct cof_tag *tags;
    size_t n_tags;
};

/* The context holds what the service knows (aws:SourceIp, aws:SecureTransport, aws:MultiFactorAuthPresent, kms:...).
 * Keys that follow from the rest are added here and cannot be overridden: aws:PrincipalArn, aws:PrincipalAccount,
 * aws:PrincipalType, aws:PrincipalTag/x, aws:username, aws:userid, aws:CurrentTime, aws:EpochTime,
 * aws:ResourceAccount. */
struct cof_access {
    struct cof_caller caller;
    struct cof_view action;           /* "kms:Decrypt" */
    struct cof_view resource;         /* an ARN; "*" for calls without a resource */
    struct cof_view resource_account; /* twelve digits; empty: the caller's */
    struct cof_context context;
    int64_t now_ms;
};

enum cof_resource_rule { COF_RESOURCE_EITHER, COF_RESOURCE_AUTHORITATIVE };

struct cof_named_policy {
    const char *name; /* for messages: "producer", "bucket-policy" */
    const struct cof_policy *policy;
};

struct cof_policy_set {
    const struct cof_named_policy *identity;
    size_t n_identity;
    struct cof_named_policy resource; /* policy NULL: none; under AUTHORITATIVE that denies */
    enum cof_resource_rule rule;
    struct cof_named_policy boundary; /* policy NULL: none */
    struct cof_named_policy session;  /* policy NULL: none */
};

enum cof_policy_source {
    COF_SOURCE_NONE,
    COF_SOURCE_IDENTITY,
    COF_SOURCE_RESOURCE,
    COF_SOURCE_BOUNDARY,
    COF_SOURCE_SESSION,
    COF_SOURCE_ROOT, /* the account's own root needs no identity policy */
};

enum cof_verdict { COF_VERDICT_IMPLICIT_DENY, COF_VERDICT_EXPLICIT_DENY, COF_VERDICT_ALLOW };

/* Views live as long as the policies. */
struct cof_decision {
    enum cof_verdict verdict;
    enum cof_policy_source source; /* who decided; for an implicit deny, whose allow was missing */
    const char *policy;            /* that policy's name, or NULL */
    size_t statement;              /* index in it; SIZE_MAX when no statement decided */
    struct cof_view sid;           /* of it; may be empty */
};

struct cof_decision cof_evaluate(const struct cof_policy_set *set, const struct cof_access *access);

/* Whether one statement speaks about the request (principal, action, resource, conditions), whatever its effect. */
bool cof_statement_applies(const struct cof_policy *policy, const struct cof_statement *statement,
                           const struct cof_access *access);

/* Why a statement says nothing about a request: the first thing that does not fit. */
enum cof_miss { COF_MISS_NOTHING, COF_MISS_PRINCIPAL, COF_MISS_ACTION, COF_MISS_RESOURCE, COF_MISS_CONDITION };
enum cof_miss cof_statement_miss(const struct cof_policy *policy, const struct cof_statement *statement,
                                 const struct cof_access *access);
/* Whether one of its conditions holds. */
bool cof_statement_condition_holds(const struct cof_policy *policy, const struct cof_statement *statement, size_t condition,
                                   const struct cof_access *access);
/* What the request has under a key, those that follow from the rest included: a, b or (absent). */
void cof_access_describe(const struct cof_access *access, struct cof_view key, struct cof_buf *out);

/* One sentence: "denied by statement DenyUnattested of key-data", "no identity policy allows kms:Decrypt on ...". */
void cof_decision_explain(const struct cof_decision *decision, const struct cof_access *access, struct cof_buf *out);

#endif
