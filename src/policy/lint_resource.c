/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/lint_rules.h"

#include "policy/glob.h"
#include "policy/lint.h"
#include "policy/principal.h"

#include <string.h>

/* An ARN taken apart; colons inside ${...} do not count. */
struct arn {
    struct cof_view part[6]; /* arn, partition, service, region, account, resource */
    size_t n;
};

static struct arn split(struct cof_view v)
{
    struct arn a = {.n = 0};
    size_t start = 0;
    bool inside = false;

    for (size_t i = 0; i <= v.len; i++) {
        if (i < v.len && v.data[i] == '{' && i > 0 && v.data[i - 1] == '$')
            inside = true;
        else if (i < v.len && v.data[i] == '}')
            inside = false;
        if (i == v.len || (v.data[i] == ':' && !inside && a.n < 5)) {
            a.part[a.n++] = cof_view_sub(v, start, i - start);
            start = i + 1;
        }
    }
    return a;
}

static bool open_text(struct cof_view v) /* holds a wildcard or a variable, so that it cannot be judged by letters */
{
    return cof_lint_is_wild(v) || cof_view_find(v, '$') != SIZE_MAX;
}

static const char *known_partition(struct cof_view v)
{
    static const char *const partitions[] = {"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"};

    for (size_t i = 0; i < sizeof partitions / sizeof partitions[0]; i++)
        if (cof_view_eq_str(v, partitions[i]))
            return partitions[i];
    return NULL;
}

static bool is_lower(struct cof_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] >= 'A' && v.data[i] <= 'Z')
            return false;
    return true;
}

/* "eu-west-1" and the like. */
static bool region_ok(struct cof_view v)
{
    size_t dashes = 0;

    for (size_t i = 0; i < v.len; i++) {
        if ((v.data[i] < 'a' || v.data[i] > 'z') && (v.data[i] < '0' || v.data[i] > '9') && v.data[i] != '-')
            return false;
        dashes += v.data[i] == '-';
    }
    return dashes >= 2 && v.data[v.len - 1] >= '0' && v.data[v.len - 1] <= '9';
}

/* Which services leave region or account out, and which cannot. */
static const char *placement(const struct arn *a)
{
    struct cof_view service = a->part[2], region = a->part[3], account = a->part[4];
    bool bucket = cof_view_eq_str(service, "s3") && !cof_view_starts(a->part[5], COF_LIT("accesspoint")) &&
                  !cof_view_starts(a->part[5], COF_LIT("job/")) && !cof_view_starts(a->part[5], COF_LIT("access-grants")) &&
                  !cof_view_starts(a->part[5], COF_LIT("storage-lens"));
    bool regional = cof_view_eq_str(service, "kms") || cof_view_eq_str(service, "sqs");

    if (bucket && (region.len > 0 || account.len > 0) && !(cof_lint_is_wild(region) && cof_lint_is_wild(account)))
        return "the ARN of a bucket or object has neither region nor account: arn:aws:s3:::BUCKET/KEY";
    if (regional && region.len == 0)
        return "the region is missing";
    if ((regional || cof_view_eq_str(service, "iam")) && account.len == 0)
        return "the account is missing";
    if (cof_view_eq_str(service, "iam") && region.len > 0 && !open_text(region))
        return "IAM's ARNs have no region: arn:aws:iam::ACCOUNT:role/NAME";
    return NULL;
}

static const char *what_is_wrong(const struct arn *a)
{
    if (!cof_view_eq_str(a->part[0], "arn"))
        return "an ARN begins with arn:";
    if (a->n < 6)
        return "an ARN has six parts: arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE";
    if (!open_text(a->part[1]) && known_partition(a->part[1]) == NULL)
        return "the partition is aws, aws-cn or aws-us-gov";
    if (a->part[2].len == 0 || !is_lower(a->part[2]))
        return "the service is written in small letters";
    if (a->part[3].len > 0 && !open_text(a->part[3]) && !region_ok(a->part[3]))
        return "there is no such region";
    if (a->part[4].len > 0 && !open_text(a->part[4]) && !cof_is_account(a->part[4]) && !cof_view_eq_str(a->part[4], "aws"))
        return "an account has twelve digits";
    if (a->part[5].len == 0)
        return "the resource is missing";
    return placement(a);
}

static bool takes(const char *resources, const char *kind)
{
    struct cof_view rest = cof_view_str(resources), word;

    while (cof_facts_word(&rest, &word))
        if (cof_view_eq_str(word, kind))
            return true;
    return false;
}

bool cof_lint_fits(struct cof_view resource, const char *service, const char *kinds)
{
    struct arn a = split(resource);
    struct cof_view name = a.part[5];
    bool slash = cof_view_find(name, '/') != SIZE_MAX, open = open_text(name);

    if (cof_view_eq_str(resource, "*") || cof_text_has_hole(resource))
        return true;
    if (kinds[0] == '\0' || a.n < 6)
        return kinds[0] != '\0'; /* malformed is said elsewhere; an action without resources needs "*" */
    if (!open_text(a.part[2]) && !cof_view_eq_str(a.part[2], service) && !cof_view_starts(a.part[2], COF_LIT("s3-")) &&
        strcmp(service, "sts") != 0)
        return false;
    if (takes(kinds, "other") || takes(kinds, "job"))
        return true;
    if (strcmp(service, "s3") == 0)
        return cof_view_starts(name, COF_LIT("accesspoint")) || (takes(kinds, "object") && (slash || open)) ||
               (takes(kinds, "bucket") && (!slash || (open && cof_view_find(name, '*') < cof_view_find(name, '/'))));
    if (strcmp(service, "kms") == 0)
        return cof_lint_is_wild(cof_view_sub(name, 0, 1)) || (takes(kinds, "key") && cof_view_starts(name, COF_LIT("key/"))) ||
               (takes(kinds, "alias") && cof_view_starts(name, COF_LIT("alias/")));
    return true;
}

static void check_fit(const struct lint *l, struct lint_statement s, size_t i)
{
    const struct cof_service_fact *service;
    const struct cof_action_fact *fact;
    bool bucket_only = true;
    struct cof_finding *f;

    if (!cof_facts_action(s.st->actions[i], &service, &fact) || fact == NULL)
        return;
    for (size_t r = 0; r < s.st->n_resources; r++) {
        if (cof_lint_fits(s.st->resources[r], service->prefix, fact->resources))
            return;
        bucket_only = bucket_only && cof_view_find(s.st->resources[r], '/') == SIZE_MAX;
    }
    f = cof_findings_add(l->f, COF_RULE_RESOURCE_MISMATCH, l->d->index, s.at->actions[i], "no resource here is one for %s:%s",
                         service->prefix, fact->name);
    f->sid = s.st->sid;
    if (fact->resources[0] == '\0')
        cof_finding_mend(f, "it takes no resource: write \"Resource\": \"*\" in a statement of its own");
    else if (takes(fact->resources, "object") && bucket_only)
        cof_finding_mend(f, "it is about objects: add /* to the bucket's ARN");
    else if (takes(fact->resources, "bucket"))
        cof_finding_mend(f, "it is about the bucket itself: name arn:aws:s3:::BUCKET without /*");
    else
        cof_finding_mend(f, "it takes: %s", fact->resources);
}

/* A concrete action of the statement that takes resources, for a message; NULL when none is known. */
static const char *takes_resources(const struct cof_statement *st)
{
    const struct cof_service_fact *service;
    const struct cof_action_fact *fact;

    for (size_t i = 0; i < st->n_actions; i++) {
        struct cof_view prefix, name, candidate;
        size_t cursor = 0;

        (void)cof_view_split(st->actions[i], ':', &prefix, &name);
        service = cof_facts_service(prefix);
        while (service != NULL && cof_facts_next(service, &cursor, &candidate, &fact))
            if (fact != NULL && fact->resources[0] != '\0' && cof_glob_match_nocase((struct cof_glob){name, NULL}, candidate))
                return fact->name;
    }
    return NULL;
}

static bool narrowed(const struct cof_statement *st)
{
    return cof_lint_has_demand(st, "aws:ResourceTag/*") || cof_lint_has_demand(st, "kms:ResourceAliases") || cof_lint_has_demand(st, "kms:RequestAlias");
}

static void check_wildcard(const struct lint *l, struct lint_statement s, size_t r)
{
    const char *name = takes_resources(s.st);
    struct cof_view v = s.st->resources[r];
    bool all_keys = cof_view_eq_str(v, "*") || (cof_view_starts(v, COF_LIT("arn:")) && cof_view_ends(v, COF_LIT(":key/*")));

    if (!all_keys || name == NULL || s.st->effect != COF_EFFECT_ALLOW || s.st->not_action || s.st->not_resource || narrowed(s.st) ||
        cof_document_policy_kind(l->d->kind) != COF_POLICY_IDENTITY || l->d->kind == COF_DOCUMENT_BOUNDARY)
        return;
    cof_findings_add(l->f, COF_RULE_WILDCARD_RESOURCE, l->d->index, s.at->resources[r], "Allow on %.*s, among others %s",
                     COF_SHOW(v), name)->sid = s.st->sid;
}

static void check_alias(const struct lint *l, struct lint_statement s, size_t r)
{
    const struct cof_service_fact *service;
    const struct cof_action_fact *fact;
    struct arn a = split(s.st->resources[r]);

    if (a.n < 6 || !cof_view_eq_str(a.part[2], "kms") || !cof_view_starts(a.part[5], COF_LIT("alias/")))
        return;
    for (size_t i = 0; i < s.st->n_actions; i++) /* CreateAlias and its like do take aliases */
        if (cof_facts_action(s.st->actions[i], &service, &fact) && fact != NULL && takes(fact->resources, "alias"))
            return;
    cof_findings_add(l->f, COF_RULE_ALIAS_RESOURCE, l->d->index, s.at->resources[r], "an alias as Resource: %.*s",
                     COF_SHOW(s.st->resources[r]))->sid = s.st->sid;
}

void cof_lint_resources(const struct lint *l, struct lint_statement s)
{
    for (size_t r = 0; r < s.st->n_resources; r++) {
        struct cof_view v = s.st->resources[r];
        struct arn a = split(v);
        const char *wrong = cof_view_eq_str(v, "*") || cof_text_has_hole(v) ? NULL : what_is_wrong(&a);

        if (wrong != NULL) {
            struct cof_finding *f =
                cof_findings_add(l->f, COF_RULE_BAD_ARN, l->d->index, s.at->resources[r], "\"%.*s\"", COF_SHOW(v));

            f->sid = s.st->sid;
            cof_finding_mend(f, "%s", wrong);
            continue;
        }
        check_wildcard(l, s, r);
        check_alias(l, s, r);
    }
    for (size_t i = 0; i < s.st->n_actions && !s.st->not_resource && !s.st->not_action && s.st->n_resources > 0; i++)
        check_fit(l, s, i);
}
