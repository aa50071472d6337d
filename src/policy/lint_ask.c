/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/lint_rules.h"

#include "policy/glob.h"

#include <string.h>

#define ATTESTATION "kms:RecipientAttestation"

bool cof_lint_covers(const struct cof_statement *st, const char *action)
{
    bool found = false;

    for (size_t i = 0; i < st->n_actions && !found; i++)
        found = cof_glob_match_nocase((struct cof_glob){st->actions[i], NULL}, cof_view_str(action));
    return found != st->not_action;
}

bool cof_lint_lists(const struct cof_statement *st, const char *action)
{
    for (size_t i = 0; i < st->n_actions && !st->not_action; i++)
        if (cof_view_eq_nocase(st->actions[i], cof_view_str(action)))
            return true;
    return false;
}

bool cof_lint_has_principal(const struct cof_statement *st, enum cof_principal_kind kind)
{
    for (size_t i = 0; i < st->n_principals; i++)
        if (st->principals[i].kind == kind)
            return true;
    return false;
}

bool cof_lint_is_wild(struct cof_view text)
{
    return cof_view_find(text, '*') != SIZE_MAX || cof_view_find(text, '?') != SIZE_MAX;
}

bool cof_lint_is_negated(enum cof_cond_op op)
{
    switch (op) {
#define X(name, family, negated)                                                                                      \
    case COF_COND_##name:                                                                                              \
        return negated;
        COF_COND_TABLE(X)
#undef X
    }
    return false;
}

bool cof_lint_is_equality(enum cof_cond_op op)
{
    return op == COF_COND_StringEquals || op == COF_COND_StringEqualsIgnoreCase || op == COF_COND_StringLike ||
           op == COF_COND_ArnEquals || op == COF_COND_ArnLike;
}

static bool null_is(const struct cof_condition *c, const char *value)
{
    for (size_t i = 0; i < c->n_values; i++)
        if (!cof_view_eq_nocase(c->values[i], cof_view_str(value)))
            return false;
    return c->op == COF_COND_Null && c->n_values > 0;
}

bool cof_lint_demands(const struct cof_condition *c)
{
    if (c->op == COF_COND_Null)
        return null_is(c, "false");
    return !c->if_exists && c->set != COF_COND_FOR_ALL_VALUES &&
           (!cof_lint_is_negated(c->op) || c->set == COF_COND_FOR_ANY_VALUE);
}

bool cof_lint_key_is(struct cof_view key, const char *name)
{
    struct cof_view want = cof_view_str(name);

    if (cof_view_ends(want, COF_LIT("*"))) {
        want.len--;
        key = cof_view_sub(key, 0, want.len);
    }
    return cof_view_eq_nocase(key, want);
}

bool cof_lint_has_demand(const struct cof_statement *st, const char *key)
{
    for (size_t i = 0; i < st->n_conditions; i++)
        if (cof_lint_key_is(st->conditions[i].key, key) && cof_lint_demands(&st->conditions[i]))
            return true;
    return false;
}

bool cof_lint_demands_presence(const struct cof_statement *st, struct cof_view key)
{
    for (size_t i = 0; i < st->n_conditions; i++)
        if (cof_view_eq_nocase(st->conditions[i].key, key) && cof_lint_demands(&st->conditions[i]))
            return true;
    return false;
}

int cof_lint_pcr_of(struct cof_view key)
{
    struct cof_view rest = cof_view_sub(key, strlen(ATTESTATION), SIZE_MAX);
    struct cof_key_fact fact;
    int n = 0;

    if (!cof_lint_key_is(key, ATTESTATION "*"))
        return -1;
    if (cof_view_eq_nocase(rest, COF_LIT(":ImageSha384")))
        return 0;
    if (cof_lint_key_is(rest, ":NitroTPMPCR*"))
        return -1; /* another product's registers */
    if (!cof_facts_key(key, &fact))
        return -2;
    for (size_t i = strlen(":PCR"); i < rest.len; i++)
        n = n * 10 + (rest.data[i] - '0');
    return n;
}

bool cof_lint_via_service(const struct cof_statement *st)
{
    for (size_t i = 0; i < st->n_conditions; i++)
        if (cof_lint_is_equality(st->conditions[i].op) && !st->conditions[i].if_exists &&
            (cof_lint_key_is(st->conditions[i].key, "kms:ViaService") || cof_lint_key_is(st->conditions[i].key, "aws:CalledVia*")))
            return true;
    return false;
}

bool cof_lint_only_roles(const struct cof_statement *st)
{
    for (size_t i = 0; i < st->n_principals; i++) {
        struct cof_view part, rest = st->principals[i].value;

        for (int k = 0; k < 5; k++)
            (void)cof_view_split(rest, ':', &part, &rest);
        if (st->principals[i].kind != COF_PRINCIPAL_ARN ||
            (!cof_view_starts(rest, COF_LIT("role/")) && !cof_view_starts(rest, COF_LIT("assumed-role/"))))
            return false;
    }
    return st->n_principals > 0 && !st->not_principal;
}
