/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/lint_rules.h"

/* Keys that say who calls, or for whom a service does. */
static bool narrows_caller(const struct cof_statement *st)
{
    static const char *const keys[] = {"aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths",
        "aws:PrincipalServiceName", "aws:PrincipalTag/*", "aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "aws:SourceOrgPaths",
        "aws:SourceVpce", "aws:SourceVpc", "aws:SourceIp", "aws:VpceAccount", "aws:VpceOrgID", "aws:userid", "kms:CallerAccount",
        "kms:RecipientAttestation:*", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "sts:ExternalId"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (cof_lint_has_demand(st, keys[i]))
            return true;
    return false;
}

static bool names_source(const struct cof_statement *st)
{
    return cof_lint_has_demand(st, "aws:SourceArn") || cof_lint_has_demand(st, "aws:SourceAccount") || cof_lint_has_demand(st, "aws:SourceOrgID") ||
           cof_lint_has_demand(st, "aws:SourceOrgPaths") || cof_lint_has_demand(st, "kms:EncryptionContext:*") ||
           cof_lint_has_demand(st, "kms:GrantIsForAWSResource");
}

static void check_service(const struct lint *l, struct lint_statement s, size_t i)
{
    struct cof_view name = s.st->principals[i].value;
    /* These run on the customer's own machines: the role is theirs from the start. */
    bool own = cof_view_eq_str(name, "ec2.amazonaws.com") || cof_view_eq_str(name, "lambda.amazonaws.com") ||
               cof_view_eq_str(name, "pods.eks.amazonaws.com") || cof_view_eq_str(name, "ecs-tasks.amazonaws.com");
    struct cof_finding *f;

    if (cof_text_has_hole(name))
        return;
    if (!cof_view_ends(name, COF_LIT(".amazonaws.com")) && !cof_view_ends(name, COF_LIT(".amazonaws.com.cn"))) {
        f = cof_findings_add(l->f, COF_RULE_BAD_PRINCIPAL, l->d->index, s.at->principals[i], "\"%.*s\" is no service", COF_SHOW(name));
        f->sid = s.st->sid;
        cof_finding_mend(f, "a service is named as in ec2.amazonaws.com");
        return;
    }
    if (s.st->effect != COF_EFFECT_ALLOW || s.st->not_principal || names_source(s.st) || (own && l->d->kind == COF_DOCUMENT_TRUST))
        return;
    cof_findings_add(l->f, COF_RULE_CONFUSED_DEPUTY, l->d->index, s.at->principals[i], "%.*s may act without saying for whom",
                     COF_SHOW(name))->sid = s.st->sid;
}

static bool names_subject(const struct cof_statement *st)
{
    for (size_t i = 0; i < st->n_conditions; i++) {
        struct cof_view key = st->conditions[i].key;

        if (cof_lint_demands(&st->conditions[i]) &&
            (cof_view_ends(key, COF_LIT(":sub")) || cof_view_ends(key, COF_LIT(":aud")) || cof_view_ends(key, COF_LIT(":amr")) ||
             cof_view_ends(key, COF_LIT(":app_id"))))
            return true;
    }
    return false;
}

static void check_one(const struct lint *l, struct lint_statement s, size_t i)
{
    const struct cof_principal *p = &s.st->principals[i];
    bool allow = s.st->effect == COF_EFFECT_ALLOW && !s.st->not_principal;
    bool trust = l->d->kind == COF_DOCUMENT_TRUST;

    if (p->kind == COF_PRINCIPAL_SERVICE)
        check_service(l, s, i);
    if (allow && p->kind == COF_PRINCIPAL_ANYONE && l->d->kind != COF_DOCUMENT_ENDPOINT && !narrows_caller(s.st))
        cof_findings_add(l->f, trust ? COF_RULE_OPEN_TRUST : COF_RULE_PUBLIC_ACCESS, l->d->index, s.at->principals[i],
                         "Allow to everybody")->sid = s.st->sid;
    if (allow && trust && p->kind == COF_PRINCIPAL_FEDERATED && cof_lint_covers(s.st, "sts:AssumeRoleWithWebIdentity") && !names_subject(s.st)) {
        struct cof_finding *f = cof_findings_add(l->f, COF_RULE_OPEN_TRUST, l->d->index, s.at->principals[i],
                                                 "everybody whom %.*s knows", COF_SHOW(p->value));

        f->sid = s.st->sid;
        cof_finding_mend(f, "add a condition on the provider's :sub and :aud");
    }
    if (allow && p->kind == COF_PRINCIPAL_ARN && l->d->kind != COF_DOCUMENT_KEY) {
        struct cof_view rest = p->value;

        while (rest.len > 0 && !cof_view_starts(rest, COF_LIT(":role/aws-service-role/")))
            rest = cof_view_sub(rest, 1, SIZE_MAX);
        if (rest.len > 0)
            cof_findings_add(l->f, COF_RULE_SERVICE_LINKED_ROLE, l->d->index, s.at->principals[i], "a service-linked role as principal: %.*s",
                             COF_SHOW(p->value))->sid = s.st->sid;
    }
}

/* iam:PassRole and iam:CreateServiceLinkedRole hand rights on. */
static void check_iam(const struct lint *l, struct lint_statement s)
{
    bool wide = s.st->not_resource;
    size_t at = s.at->resource;

    if (s.st->effect != COF_EFFECT_ALLOW || s.st->not_action || s.st->n_resources == 0)
        return;
    for (size_t i = 0; i < s.st->n_resources; i++)
        if (cof_view_eq_str(s.st->resources[i], "*") || cof_view_ends(s.st->resources[i], COF_LIT(":role/*"))) {
            wide = true;
            at = s.at->resources[i];
        }
    if (!wide)
        return;
    if (cof_lint_lists(s.st, "iam:PassRole") && !cof_lint_has_demand(s.st, "iam:PassedToService"))
        cof_findings_add(l->f, COF_RULE_PASS_ROLE, l->d->index, at, "iam:PassRole for any role")->sid = s.st->sid;
    if (cof_lint_lists(s.st, "iam:CreateServiceLinkedRole") && !cof_lint_has_demand(s.st, "iam:AWSServiceName"))
        cof_findings_add(l->f, COF_RULE_SERVICE_LINKED_ROLE, l->d->index, at, "iam:CreateServiceLinkedRole for any service")->sid =
            s.st->sid;
}

void cof_lint_principals(const struct lint *l, struct lint_statement s)
{
    if (s.st->not_principal && s.at->principal != COF_NO_PLACE)
        cof_findings_add(l->f, s.st->effect == COF_EFFECT_ALLOW ? COF_RULE_NOT_PRINCIPAL_ALLOW : COF_RULE_NOT_PRINCIPAL_DENY, l->d->index,
                         s.at->principal, "%s with NotPrincipal", s.st->effect == COF_EFFECT_ALLOW ? "Allow" : "Deny")->sid = s.st->sid;
    for (size_t i = 0; i < s.st->n_principals; i++)
        check_one(l, s, i);
    check_iam(l, s);
}
