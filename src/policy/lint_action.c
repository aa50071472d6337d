/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/lint_rules.h"

#include "policy/glob.h"
#include "policy/suggest.h"


/* Operations whose permission has another name (Service Authorization Reference). */
static const struct {
    const char *wrong, *right;
} renamed[] = {
    {"s3:HeadObject", "s3:GetObject"},
    {"s3:SelectObjectContent", "s3:GetObject"},
    {"s3:CopyObject", "s3:GetObject on the source and s3:PutObject on the target"},
    {"s3:HeadBucket", "s3:ListBucket"},
    {"s3:ListObjects", "s3:ListBucket"},
    {"s3:ListObjectsV2", "s3:ListBucket"},
    {"s3:ListObjectVersions", "s3:ListBucketVersions"},
    {"s3:ListBuckets", "s3:ListAllMyBuckets"},
    {"s3:DeleteObjects", "s3:DeleteObject"},
    {"s3:CreateMultipartUpload", "s3:PutObject"},
    {"s3:InitiateMultipartUpload", "s3:PutObject"},
    {"s3:UploadPart", "s3:PutObject"},
    {"s3:CompleteMultipartUpload", "s3:PutObject"},
    {"s3:ListParts", "s3:ListMultipartUploadParts"},
    {"s3:ListMultipartUploads", "s3:ListBucketMultipartUploads"},
    {"s3:GetBucketEncryption", "s3:GetEncryptionConfiguration"},
    {"s3:PutBucketEncryption", "s3:PutEncryptionConfiguration"},
    {"s3:DeleteBucketEncryption", "s3:PutEncryptionConfiguration"},
    {"s3:GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"},
    {"s3:PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"},
    {"s3:GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"},
    {"s3:PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"},
    {"s3:GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"},
    {"s3:PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration"},
    {"kms:ReEncrypt", "kms:ReEncryptFrom on the old key and kms:ReEncryptTo on the new one"},
    {"sqs:SendMessageBatch", "sqs:SendMessage"},
    {"sqs:DeleteMessageBatch", "sqs:DeleteMessage"},
    {"sqs:ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility"},
    {"cloudwatch:PutMetricsData", "cloudwatch:PutMetricData"},
};

static void unknown_action(const struct lint *l, const struct cof_statement *st, const struct cof_service_fact *service,
                           struct cof_view action, size_t at)
{
    struct cof_finding *f =
        cof_findings_add(l->f, COF_RULE_UNKNOWN_ACTION, l->d->index, at, "there is no action %.*s", COF_SHOW(action));
    struct cof_view prefix, name, near;

    f->sid = st->sid;
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++)
        if (cof_view_eq_nocase(action, cof_view_str(renamed[i].wrong))) {
            cof_finding_mend(f, "the permission is %s", renamed[i].right);
            return;
        }
    (void)cof_view_split(action, ':', &prefix, &name);
    near = cof_facts_nearest_action(service, name);
    if (near.len > 0) {
        cof_finding_mend(f, "did you mean %s:%.*s?", service->prefix, COF_SHOW(near));
        return;
    }
    for (size_t i = 0; cof_facts_service_at(i) != NULL; i++) { /* s3:SendMessage */
        const struct cof_service_fact *other = cof_facts_service_at(i);
        const struct cof_action_fact *fact;
        struct cof_view candidate;

        for (size_t cursor = 0; cof_facts_next(other, &cursor, &candidate, &fact);)
            if (cof_view_eq_nocase(candidate, name)) {
                cof_finding_mend(f, "did you mean %s:%.*s?", other->prefix, COF_SHOW(candidate));
                return;
            }
    }
    f->severity = COF_SEVERITY_WARNING; /* newer than the tables, perhaps */
}

static bool any_fits(const struct cof_service_fact *service, struct cof_view pattern)
{
    const struct cof_action_fact *fact;
    struct cof_view name;

    for (size_t cursor = 0; cof_facts_next(service, &cursor, &name, &fact);)
        if (cof_glob_match_nocase((struct cof_glob){pattern, NULL}, name))
            return true;
    return false;
}

/* A pattern that fits nothing: the wildcard mostly stands behind a misspelt name. */
static void empty_pattern(const struct lint *l, const struct cof_statement *st, const struct cof_service_fact *service,
                          struct cof_view action, struct cof_view name, size_t at)
{
    struct cof_finding *f =
        cof_findings_add(l->f, COF_RULE_EMPTY_PATTERN, l->d->index, at, "no action fits %.*s", COF_SHOW(action));
    size_t star = cof_view_find(name, '*');
    struct cof_view stem = cof_view_sub(name, 0, star), candidate;
    struct cof_suggestion s = {0};
    const struct cof_action_fact *fact;

    f->sid = st->sid;
    if (star == SIZE_MAX || star < 4)
        return;
    for (size_t cursor = 0; cof_facts_next(service, &cursor, &candidate, &fact);)
        cof_suggest_try(&s, stem, cof_view_sub(candidate, 0, stem.len));
    if (cof_suggested(&s).len > 0)
        cof_finding_mend(f, "did you mean %s:%.*s*?", service->prefix, COF_SHOW(s.best));
}

static void check_service(const struct lint *l, const struct cof_statement *st, struct cof_view prefix, size_t at)
{
    struct cof_suggestion s = {0};
    struct cof_finding *f =
        cof_findings_add(l->f, COF_RULE_UNKNOWN_SERVICE, l->d->index, at, "service \"%.*s\"", COF_SHOW(prefix));

    f->sid = st->sid;
    for (size_t i = 0; cof_facts_service_at(i) != NULL; i++)
        cof_suggest_try(&s, prefix, cof_view_str(cof_facts_service_at(i)->prefix));
    if (s.any && s.distance == 1 && prefix.len > 2) {
        f->severity = COF_SEVERITY_ERROR;
        cof_finding_mend(f, "did you mean \"%.*s\"?", COF_SHOW(s.best));
    }
}

/* A key policy is asked about kms actions alone, and so on. */
static void check_foreign(const struct lint *l, const struct cof_statement *st, struct cof_view prefix, struct cof_view action,
                          size_t at)
{
    static const struct { enum cof_document_kind kind; const char *service; } own[] = {
        {COF_DOCUMENT_KEY, "kms"}, {COF_DOCUMENT_BUCKET, "s3"}, {COF_DOCUMENT_QUEUE, "sqs"}, {COF_DOCUMENT_TRUST, "sts"}};

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (own[i].kind == l->d->kind && !cof_view_eq_nocase(prefix, cof_view_str(own[i].service)))
            cof_findings_add(l->f, COF_RULE_FOREIGN_ACTION, l->d->index, at, "%.*s in a %s policy", COF_SHOW(action),
                             cof_document_kind_name(l->d->kind))->sid = st->sid;
}

/* sts:AssumeRole is for AWS principals, the WithWebIdentity and WithSAML forms for federated ones. */
static void check_trust(const struct lint *l, struct lint_statement s, size_t i)
{
    bool federated = cof_lint_has_principal(s.st, COF_PRINCIPAL_FEDERATED), plain = cof_lint_lists(s.st, "sts:AssumeRole");

    if (l->d->kind != COF_DOCUMENT_TRUST || s.st->n_principals == 0 || s.st->not_principal)
        return;
    if ((cof_view_eq_nocase(s.st->actions[i], COF_LIT("sts:AssumeRole")) && federated && s.st->n_principals == 1) ||
        (cof_view_eq_nocase(s.st->actions[i], COF_LIT("sts:AssumeRoleWithWebIdentity")) && !federated && !plain))
        cof_findings_add(l->f, COF_RULE_FOREIGN_ACTION, l->d->index, s.at->actions[i],
                         "%.*s is not how this principal assumes a role", COF_SHOW(s.st->actions[i]))->sid = s.st->sid;
}

static void check_wildcard(const struct lint *l, const struct cof_statement *st, struct cof_view action, size_t at)
{
    struct cof_finding *f;

    if (st->effect != COF_EFFECT_ALLOW || st->not_action ||
        (!cof_view_eq_str(action, "*") && !cof_view_ends(action, COF_LIT(":*"))))
        return;
    f = cof_findings_add(l->f, COF_RULE_WILDCARD_ACTION, l->d->index, at, "Allow %.*s", COF_SHOW(action));
    f->sid = st->sid;
    for (size_t i = 0; i < st->n_resources; i++)
        if (cof_view_eq_str(action, "*") && cof_view_eq_str(st->resources[i], "*"))
            f->severity = COF_SEVERITY_ERROR;
}

static void check_redundant(const struct lint *l, struct lint_statement s, size_t i)
{
    for (size_t other = 0; other < s.st->n_actions && l->d->size_bytes <= COF_LINT_PAIRS_MAX; other++) {
        bool same = cof_view_eq_nocase(s.st->actions[i], s.st->actions[other]);

        if (other == i || (same && other > i) ||
            !cof_glob_match_nocase((struct cof_glob){s.st->actions[other], NULL}, s.st->actions[i]))
            continue;
        cof_findings_add(l->f, COF_RULE_REDUNDANT_ACTION, l->d->index, s.at->actions[i], "%.*s is covered by %.*s",
                         COF_SHOW(s.st->actions[i]), COF_SHOW(s.st->actions[other]))->sid = s.st->sid;
        return;
    }
}

static void check_action(const struct lint *l, struct lint_statement s, size_t i)
{
    struct cof_view action = s.st->actions[i], prefix, name;
    const struct cof_service_fact *service;
    const struct cof_action_fact *fact;
    size_t at = s.at->actions[i];

    check_wildcard(l, s.st, action, at);
    check_redundant(l, s, i);
    if (cof_view_eq_str(action, "*") || cof_text_has_hole(action))
        return;
    if (!cof_view_split(action, ':', &prefix, &name) || prefix.len == 0 || name.len == 0) {
        struct cof_finding *f = cof_findings_add(l->f, COF_RULE_UNKNOWN_ACTION, l->d->index, at, "\"%.*s\" is not service:Name",
                                                 COF_SHOW(action));

        f->sid = s.st->sid;
        cof_finding_mend(f, "write the service before it, as in kms:Decrypt");
        return;
    }
    check_foreign(l, s.st, prefix, action, at);
    check_trust(l, s, i);
    service = cof_facts_service(prefix);
    if (service == NULL)
        check_service(l, s.st, prefix, at);
    else if (cof_lint_is_wild(name) && !any_fits(service, name))
        empty_pattern(l, s.st, service, action, name, at);
    else if (!cof_lint_is_wild(name) && !cof_facts_action(action, &service, &fact))
        unknown_action(l, s.st, service, action, at);
}

void cof_lint_actions(const struct lint *l, struct lint_statement s)
{
    if (s.st->effect == COF_EFFECT_ALLOW && (s.st->not_action || s.st->not_resource))
        cof_findings_add(l->f, COF_RULE_NOT_ACTION_ALLOW, l->d->index, s.st->not_action ? s.at->action : s.at->resource,
                         "Allow with %s", s.st->not_action ? "NotAction" : "NotResource")->sid = s.st->sid;
    for (size_t i = 0; i < s.st->n_actions; i++)
        check_action(l, s, i);
}
