/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/lint_rules.h"

static size_t start_of(const struct cof_document *d)
{
    return d->tree.nodes[0].at;
}

static void check_version(const struct lint *l)
{
    if (l->d->policy->variables)
        return;
    cof_findings_add(l->f, COF_RULE_OLD_VERSION, l->d->index, l->d->version != COF_NO_PLACE ? l->d->version : start_of(l->d),
                     l->d->version != COF_NO_PLACE ? "Version 2008-10-17" : "no Version, which means 2008-10-17");
}

/* Each ${key} or ${key, 'default'} of a text. */
static void check_variables(const struct lint *l, const struct cof_statement *st, struct cof_view text, size_t at)
{
    while (text.len > 0) {
        size_t dollar = cof_view_find(text, '$');
        struct cof_view inside = cof_view_sub(text, dollar == SIZE_MAX ? text.len : dollar + 1, SIZE_MAX), key, rest, near;
        size_t end = cof_view_find(inside, '}');
        struct cof_key_fact fact;
        struct cof_finding *f;

        text = inside;
        if (!cof_view_starts(inside, COF_LIT("{")) || end == SIZE_MAX)
            continue;
        inside = cof_view_sub(inside, 1, end - 1);
        text = cof_view_sub(text, end + 1, SIZE_MAX);
        (void)cof_view_split(inside, ',', &key, &rest);
        key = cof_view_trim(key);
        if (cof_view_find(key, ':') == SIZE_MAX)
            continue; /* an escape, or a template's hole */
        if (!l->d->policy->variables) {
            cof_findings_add(l->f, COF_RULE_VARIABLE_IN_2008, l->d->index, at, "${%.*s} under Version 2008-10-17",
                             COF_SHOW(inside))->sid = st->sid;
            continue;
        }
        (void)cof_view_split(key, ':', &rest, &near);
        if (cof_facts_key(key, &fact) ||
            (!cof_view_eq_nocase(rest, COF_LIT("aws")) && cof_facts_service(rest) == NULL))
            continue;
        f = cof_findings_add(l->f, COF_RULE_UNKNOWN_VARIABLE, l->d->index, at, "no request gives ${%.*s} a value", COF_SHOW(key));
        f->sid = st->sid;
        near = cof_facts_nearest_key(key);
        if (near.len > 0)
            cof_finding_mend(f, "did you mean ${%.*s}?", COF_SHOW(near));
    }
}

static void check_texts(const struct lint *l, struct lint_statement s)
{
    for (size_t i = 0; i < s.st->n_resources; i++)
        check_variables(l, s.st, s.st->resources[i], s.at->resources[i]);
    for (size_t c = 0; c < s.st->n_conditions; c++)
        for (size_t i = 0; i < s.st->conditions[c].n_values; i++)
            check_variables(l, s.st, s.st->conditions[c].values[i], s.at->conditions[c].values[i]);
}

static void check_sid(const struct lint *l, size_t index)
{
    const struct cof_statement *all = l->d->policy->statements;
    struct cof_view sid = all[index].sid;
    bool plain = cof_document_policy_kind(l->d->kind) != COF_POLICY_IDENTITY;

    if (l->d->places[index].sid == COF_NO_PLACE)
        return;
    for (size_t i = 0; i < sid.len && !plain; i++) {
        uint8_t c = sid.data[i], low = c | 0x20;

        if ((low < 'a' || low > 'z') && (c < '0' || c > '9')) {
            cof_findings_add(l->f, COF_RULE_BAD_SID, l->d->index, l->d->places[index].sid, "Sid \"%.*s\"", COF_SHOW(sid));
            break;
        }
    }
    for (size_t i = 0; i < index; i++)
        if (sid.len > 0 && cof_view_eq(sid, all[i].sid)) {
            cof_findings_add(l->f, COF_RULE_DUPLICATE_SID, l->d->index, l->d->places[index].sid, "Sid \"%.*s\" a second time",
                             COF_SHOW(sid));
            return;
        }
}

/* The services' limits, in characters without white space ("IAM and AWS STS quotas"; KMS and SQS quotas; S3 bucket policies). */
static void check_size(const struct lint *l)
{
    static const struct {
        enum cof_document_kind kind;
        size_t limit;
        bool hard;
        const char *what;
    } limits[] = {
        {COF_DOCUMENT_IDENTITY, 10240, true, "10240 of a role's inline policies together (2048 of a user's, 5120 of a group's)"},
        {COF_DOCUMENT_IDENTITY, 6144, false, "6144 of a managed policy"},
        {COF_DOCUMENT_BOUNDARY, 6144, true, "6144 of a managed policy"},
        {COF_DOCUMENT_SESSION, 2048, true, "2048 of a session policy"},
        {COF_DOCUMENT_KEY, 32768, true, "32768 of a key policy"},
        {COF_DOCUMENT_BUCKET, 20480, true, "20480 of a bucket policy"},
        {COF_DOCUMENT_QUEUE, 8192, true, "8192 of a queue policy"},
        {COF_DOCUMENT_TRUST, 4096, true, "4096 of a trust policy"},
        {COF_DOCUMENT_TRUST, 2048, false, "2048 of a trust policy (4096 after a request to AWS)"},
    };

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (limits[i].kind == l->d->kind && l->d->size_bytes > limits[i].limit) {
            struct cof_finding *f = cof_findings_add(l->f, COF_RULE_TOO_LARGE, l->d->index, start_of(l->d),
                                                     "%zu characters, over the %s", l->d->size_bytes, limits[i].what);

            if (!limits[i].hard)
                f->severity = COF_SEVERITY_WARNING;
            return;
        }
}

void cof_lint_form(const struct lint *l)
{
    check_version(l);
    check_size(l);
    for (size_t i = 0; i < l->d->policy->n_statements; i++) {
        check_sid(l, i);
        check_texts(l, (struct lint_statement){&l->d->policy->statements[i], &l->d->places[i]});
    }
    if (l->d->kind == COF_DOCUMENT_QUEUE && l->d->policy->n_statements > 20)
        cof_findings_add(l->f, COF_RULE_TOO_LARGE, l->d->index, start_of(l->d), "%zu statements, over the 20 of a queue policy",
                         l->d->policy->n_statements);
}
