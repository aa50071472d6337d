/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/lint_rules.h"

#include <stdio.h>

#include "policy/glob.h"

/* Statements compared as texts: a covers b when everything b speaks of, a does too. What cannot be seen from the texts is
 * not covered. */

static bool list_covers(const struct cof_view *a, size_t n_a, struct cof_view item, bool nocase)
{
    for (size_t i = 0; i < n_a; i++)
        if (nocase ? cof_glob_match_nocase((struct cof_glob){a[i], NULL}, item) :
            cof_view_eq_str(a[i], "*") || cof_glob_match((struct cof_glob){a[i], NULL}, item))
            return true;
    return false;
}

static bool principals_cover(const struct cof_statement *a, const struct cof_statement *b)
{
    if (a->not_principal || b->not_principal)
        return false;
    for (size_t i = 0; i < b->n_principals; i++) {
        bool found = false;

        for (size_t k = 0; k < a->n_principals && !found; k++)
            found = a->principals[k].kind == COF_PRINCIPAL_ANYONE ||
                    (a->principals[k].kind == b->principals[i].kind && cof_view_eq(a->principals[k].value, b->principals[i].value));
        if (!found)
            return false;
    }
    return true;
}

static bool same_condition(const struct cof_condition *a, const struct cof_condition *b)
{
    if (a->op != b->op || a->set != b->set || a->if_exists != b->if_exists || a->n_values != b->n_values ||
        !cof_view_eq_nocase(a->key, b->key))
        return false;
    for (size_t i = 0; i < a->n_values; i++)
        if (!cof_view_eq(a->values[i], b->values[i]))
            return false;
    return true;
}

/* Each of a's conditions is one of b's too. */
static bool conditions_cover(const struct cof_statement *a, const struct cof_statement *b)
{
    for (size_t i = 0; i < a->n_conditions; i++) {
        bool found = false;

        for (size_t k = 0; k < b->n_conditions && !found; k++)
            found = same_condition(&a->conditions[i], &b->conditions[k]);
        if (!found)
            return false;
    }
    return true;
}

static bool resources_cover(const struct cof_statement *a, const struct cof_statement *b)
{
    if (a->not_resource || b->not_resource)
        return false;
    for (size_t i = 0; i < b->n_resources; i++)
        if (!list_covers(a->resources, a->n_resources, b->resources[i], false))
            return false;
    return true;
}

static bool around_actions(const struct cof_statement *a, const struct cof_statement *b)
{
    return !a->not_action && !b->not_action && principals_cover(a, b) && resources_cover(a, b) && conditions_cover(a, b);
}

/* How a finding calls another statement: by number, and by Sid where it has one. */
struct label {
    char text[96];
};

static struct label label(const struct lint *l, size_t i)
{
    struct cof_view sid = l->d->policy->statements[i].sid;
    struct label out;

    if (sid.len == 0)
        (void)snprintf(out.text, sizeof out.text, "statement %zu", i + 1);
    else
        (void)snprintf(out.text, sizeof out.text, "statement %zu (%.*s)", i + 1, (int)(sid.len < 64 ? sid.len : 64), (const char *)sid.data);
    return out;
}

/* Actions of an Allow that a Deny takes away whole. */
static void check_denied(const struct lint *l, size_t allow, size_t deny)
{
    const struct cof_statement *a = &l->d->policy->statements[deny], *b = &l->d->policy->statements[allow];
    size_t n = 0;

    if (!around_actions(a, b))
        return;
    for (size_t i = 0; i < b->n_actions; i++)
        n += list_covers(a->actions, a->n_actions, b->actions[i], true);
    for (size_t i = 0; i < b->n_actions; i++) {
        if (!list_covers(a->actions, a->n_actions, b->actions[i], true))
            continue;
        if (n == b->n_actions)
            cof_findings_add(l->f, COF_RULE_NEVER_MATCHES, l->d->index, l->d->places[allow].at, "the Deny of %s covers this Allow",
                             label(l, deny).text)->sid = b->sid;
        else
            cof_findings_add(l->f, COF_RULE_NEVER_MATCHES, l->d->index, l->d->places[allow].actions[i],
                             "the Deny of %s covers %.*s", label(l, deny).text, COF_SHOW(b->actions[i]))->sid = b->sid;
        if (n == b->n_actions)
            return;
    }
}

static void check_redundant(const struct lint *l, size_t this, size_t other)
{
    const struct cof_statement *a = &l->d->policy->statements[other], *b = &l->d->policy->statements[this];
    const struct cof_statement_place *at = &l->d->places[this];

    if (!around_actions(a, b) || (this < other && around_actions(b, a) && a->n_actions == b->n_actions))
        return; /* of two that are the same the later one is named */
    for (size_t i = 0; i < b->n_actions; i++)
        if (!list_covers(a->actions, a->n_actions, b->actions[i], true))
            return;
    if (b->effect == COF_EFFECT_ALLOW && a->n_conditions < b->n_conditions)
        cof_findings_add(l->f, COF_RULE_MOOT_CONDITION, l->d->index,
                         at->condition == COF_NO_PLACE ? at->at : at->condition, /* it may stand where it does not belong */
                         "%s allows this without the condition",
                         label(l, other).text)->sid = b->sid;
    else
        cof_findings_add(l->f, COF_RULE_REDUNDANT_STATEMENT, l->d->index, at->at, "%s says the same and more",
                         label(l, other).text)->sid = b->sid;
}

static bool complete(const struct cof_statement *st, enum cof_policy_kind kind)
{
    return st->n_actions > 0 && (st->n_resources > 0 || kind == COF_POLICY_TRUST) && (st->n_principals > 0 || kind == COF_POLICY_IDENTITY);
}

void cof_lint_overlaps(const struct lint *l)
{
    const struct cof_policy *p = l->d->policy;

    if (l->d->size_bytes > COF_LINT_PAIRS_MAX)
        return;
    for (size_t i = 0; i < p->n_statements; i++)
        for (size_t k = 0; k < p->n_statements; k++) {
            if (i == k || !complete(&p->statements[i], p->kind) || !complete(&p->statements[k], p->kind))
                continue;
            if (p->statements[i].effect == p->statements[k].effect)
                check_redundant(l, i, k);
            else if (p->statements[i].effect == COF_EFFECT_ALLOW)
                check_denied(l, i, k);
        }
}

static bool exact(const struct cof_condition *c)
{
    if ((c->op != COF_COND_StringEquals && c->op != COF_COND_StringEqualsIgnoreCase && c->op != COF_COND_Bool && c->op != COF_COND_NumericEquals) ||
        c->set != COF_COND_SINGLE)
        return false;
    for (size_t i = 0; i < c->n_values; i++)
        if (cof_view_find(c->values[i], '$') != SIZE_MAX)
            return false;
    return c->n_values > 0;
}

/* The negation of what exact() says: each request whose key has one of these values fails. */
static bool excludes(const struct cof_condition *c, const struct cof_condition *wanted)
{
    bool found = (c->op == COF_COND_StringNotEquals && wanted->op == COF_COND_StringEquals) || c->op == COF_COND_StringNotEqualsIgnoreCase ||
                 (c->op == COF_COND_NumericNotEquals && wanted->op == COF_COND_NumericEquals);

    if (!found || c->set != COF_COND_SINGLE || !exact(wanted) || wanted->if_exists)
        return false;
    for (size_t i = 0; i < wanted->n_values && found; i++) {
        found = false;
        for (size_t k = 0; k < c->n_values && !found; k++)
            found = c->op == COF_COND_StringNotEqualsIgnoreCase ? cof_view_eq_nocase(c->values[k], wanted->values[i]) : cof_view_eq(c->values[k], wanted->values[i]);
    }
    return found;
}

static bool share_a_value(const struct cof_condition *a, const struct cof_condition *b)
{
    for (size_t i = 0; i < a->n_values; i++)
        for (size_t k = 0; k < b->n_values; k++)
            if (cof_view_eq_nocase(a->values[i], b->values[k]))
                return true;
    return false;
}

/* PCR0 and ImageSha384 are one register under two names. */
static bool same_key(struct cof_view a, struct cof_view b)
{
    int pcr = cof_lint_pcr_of(a);

    return cof_view_eq_nocase(a, b) || (pcr >= 0 && pcr == cof_lint_pcr_of(b));
}

void cof_lint_contradictions(const struct lint *l, struct lint_statement s)
{
    for (size_t i = 0; i < s.st->n_conditions; i++)
        for (size_t k = 0; k < i; k++) {
            const struct cof_condition *a = &s.st->conditions[i], *b = &s.st->conditions[k];
            const char *what = NULL;

            if (!same_key(a->key, b->key))
                continue;
            if (exact(a) && exact(b) && !a->if_exists && !b->if_exists && !share_a_value(a, b))
                what = "two conditions demand different values";
            else if ((a->op == COF_COND_Null && !cof_lint_demands(a) && cof_lint_demands(b)) || (b->op == COF_COND_Null && !cof_lint_demands(b) && cof_lint_demands(a)))
                what = "the key has to be absent and to be there";
            else if (excludes(a, b) || excludes(b, a))
                what = "one condition excludes what the other demands";
            if (what != NULL)
                cof_findings_add(l->f, COF_RULE_NEVER_HOLDS, l->d->index, s.at->conditions[i].key, "%s (%.*s)", what, COF_SHOW(a->key))->sid =
                    s.st->sid;
        }
}
