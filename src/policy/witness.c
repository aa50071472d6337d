/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/simulate_state.h"

#include "base/num.h"
#include "policy/lint_rules.h"

#include <stdio.h>
#include <string.h>

struct search {
    const struct cof_account *account;
    const struct cof_simulate_request *request;
    struct cof_buf *texts;
    struct cof_simulation *s;
};

/* Keys that follow from the caller, or that a witness must not have. */
static bool is_closed(const struct search *w, struct cof_view key)
{
    static const char *const derived[] = {"aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalType", "aws:username", "aws:userid",
        "aws:CurrentTime", "aws:EpochTime", "aws:ResourceAccount", "aws:PrincipalTag/*", "aws:MultiFactorAuth*", "aws:PrincipalIsAWSService",
        "kms:CallerAccount"};

    for (size_t i = 0; i < sizeof derived / sizeof derived[0]; i++)
        if (cof_lint_key_is(key, derived[i]) &&
            (strstr(derived[i], "MultiFactor") == NULL || w->s->access.caller.kind == COF_CALLER_ROLE))
            return true; /* the session of a role never carries the factor */
    return w->request->unattested && cof_lint_key_is(key, "kms:RecipientAttestation:*");
}

static bool is_given(const struct search *w, struct cof_view key)
{
    for (size_t i = 0; i < w->s->n_given; i++)
        if (cof_view_eq_nocase(w->s->context.items[i].key, key))
            return true;
    return false;
}

/* Sets a key that was not given; the text is copied. */
static void set(struct search *w, struct cof_view key, struct cof_view value)
{
    struct cof_simulate_context *c = &w->s->context;
    size_t at = w->texts->len;

    if (is_closed(w, key) || is_given(w, key))
        return;
    if (w->texts->len + value.len > w->texts->max || w->texts->cap < w->texts->max)
        return; /* it must not move: views point into it */
    cof_buf_add(w->texts, value);
    value = cof_view_of(w->texts->data + at, w->texts->len - at);
    for (size_t i = 0; i < c->n; i++)
        if (cof_view_eq_nocase(c->items[i].key, key)) {
            c->values[c->items[i].values - c->values] = value;
            c->items[i].n_values = 1;
            return;
        }
    (void)cof_simulate_context_add(c, key, value);
}

static void unset(struct search *w, struct cof_view key)
{
    for (size_t i = w->s->n_given; i < w->s->context.n; i++)
        if (cof_view_eq_nocase(w->s->context.items[i].key, key))
            w->s->context.items[i].n_values = 0; /* as if it were absent */
}

/* A text that the pattern fits. */
static struct cof_view instance(struct cof_view pattern, char *out, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < pattern.len && n + 1 < size; i++)
        out[n++] = pattern.data[i] == '*' || pattern.data[i] == '?' ? 'x' : (char)pattern.data[i];
    return cof_view_of(out, n);
}

static struct cof_view beside(struct cof_view number, int step, char *out, size_t size)
{
    uint64_t n;

    if (cof_parse_u64(number, UINT32_MAX, &n) != COF_OK || (step < 0 && n == 0))
        return number;
    (void)snprintf(out, size, "%llu", (unsigned long long)(step < 0 ? n - 1 : n + 1));
    return cof_view_str(out);
}

static bool is_set(const struct search *w, struct cof_view key)
{
    struct cof_context context = {w->s->context.items, w->s->context.n};

    return cof_context_find(&context, key) != NULL;
}

/* Makes a condition of the statement hold, as far as one key can. */
static void satisfy(struct search *w, const struct cof_statement *st, const struct cof_condition *c)
{
    struct cof_view v = c->n_values > 0 ? c->values[0] : (struct cof_view){0}, address, bits;
    char text[512];

    if (c->if_exists || (cof_lint_is_negated(c->op) && c->set == COF_COND_SINGLE) ||
        (c->set == COF_COND_FOR_ALL_VALUES && !cof_lint_demands_presence(st, c->key)))
        return; /* holds without the key */
    if (c->op == COF_COND_Null && cof_lint_demands(c) && is_set(w, c->key))
        return;
    if (c->op == COF_COND_Null && !cof_lint_demands(c)) {
        unset(w, c->key);
        return;
    }
    switch (c->op) {
    case COF_COND_Null:
    case COF_COND_StringNotEquals:
    case COF_COND_StringNotEqualsIgnoreCase:
    case COF_COND_StringNotLike:
    case COF_COND_ArnNotEquals:
    case COF_COND_ArnNotLike:
        v = COF_LIT("x");
        break;
    case COF_COND_StringLike:
    case COF_COND_ArnLike:
    case COF_COND_ArnEquals:
        v = instance(v, text, sizeof text);
        break;
    case COF_COND_NumericLessThan:
        v = beside(v, -1, text, sizeof text);
        break;
    case COF_COND_NumericGreaterThan:
        v = beside(v, 1, text, sizeof text);
        break;
    case COF_COND_IpAddress:
        (void)cof_view_split(v, '/', &address, &bits);
        v = address;
        break;
    case COF_COND_StringEquals:
    case COF_COND_StringEqualsIgnoreCase:
    case COF_COND_NumericEquals:
    case COF_COND_NumericNotEquals:
    case COF_COND_NumericLessThanEquals:
    case COF_COND_NumericGreaterThanEquals:
    case COF_COND_DateEquals:
    case COF_COND_DateNotEquals:
    case COF_COND_DateLessThan:
    case COF_COND_DateLessThanEquals:
    case COF_COND_DateGreaterThan:
    case COF_COND_DateGreaterThanEquals:
    case COF_COND_Bool:
    case COF_COND_BinaryEquals:
    case COF_COND_NotIpAddress:
        break;
    }
    if (cof_view_find(v, '$') == SIZE_MAX)
        set(w, c->key, v);
}

static void satisfy_all(struct search *w, const struct cof_statement *st)
{
    for (size_t i = 0; st != NULL && i < st->n_conditions; i++)
        satisfy(w, st, &st->conditions[i]);
}

/* Makes one condition of a Deny fail: gives a key that it minds the absence of. */
static void escape(struct search *w, const struct cof_policy *policy, const struct cof_statement *st)
{
    char text[512];

    w->s->access.context = (struct cof_context){w->s->context.items, w->s->context.n};
    if (st->effect != COF_EFFECT_DENY || cof_statement_miss(policy, st, &w->s->access) != COF_MISS_NOTHING)
        return;
    for (size_t i = 0; i < st->n_conditions; i++) {
        const struct cof_condition *c = &st->conditions[i];

        if (is_closed(w, c->key) || is_given(w, c->key) || c->n_values == 0)
            continue;
        if (cof_lint_is_negated(c->op))
            set(w, c->key, instance(c->values[0], text, sizeof text));
        else if (c->op == COF_COND_Null && !cof_lint_demands(c))
            set(w, c->key, COF_LIT("x"));
        else if (c->op == COF_COND_Null)
            unset(w, c->key);
        else if (c->op == COF_COND_Bool)
            set(w, c->key, cof_view_eq_nocase(c->values[0], COF_LIT("true")) ? COF_LIT("false") : COF_LIT("true"));
        else
            continue;
        return;
    }
}

static void escape_all(struct search *w, const struct cof_policy *policy)
{
    for (size_t i = 0; policy != NULL && i < policy->n_statements; i++)
        escape(w, policy, &policy->statements[i]);
}

/* The next Allow of the policy that speaks of the request, conditions aside. */
static const struct cof_statement *next_allow(const struct search *w, const struct cof_policy *policy, size_t *cursor)
{
    while (policy != NULL && *cursor < policy->n_statements) {
        const struct cof_statement *st = &policy->statements[(*cursor)++];
        enum cof_miss miss = st->effect == COF_EFFECT_ALLOW ? cof_statement_miss(policy, st, &w->s->access) : COF_MISS_ACTION;

        if (miss == COF_MISS_NOTHING || miss == COF_MISS_CONDITION)
            return st;
    }
    return NULL;
}

static bool try(struct search *w, const struct cof_statement *identity, const struct cof_statement *resource)
{
    cof_simulate_gather(w->account, w->request, w->s);
    cof_buf_truncate(w->texts, 0);
    satisfy_all(w, identity);
    satisfy_all(w, resource);
    satisfy_all(w, next_allow(w, w->s->set.boundary.policy, &(size_t){0})); /* of the narrowing ones the first that fits */
    satisfy_all(w, next_allow(w, w->s->set.session.policy, &(size_t){0}));
    for (size_t i = 0; i < w->s->set.n_identity; i++)
        escape_all(w, w->s->set.identity[i].policy);
    escape_all(w, w->s->set.resource.policy);
    escape_all(w, w->s->set.boundary.policy);
    cof_simulate_ask(w->account, w->s);
    return w->s->decision.verdict == COF_VERDICT_ALLOW;
}

/* Every Allow of the resource's policy with this one of the caller's, and alone. */
static bool try_resource(struct search *w, const struct cof_statement *identity)
{
    const struct cof_policy *policy = w->s->set.resource.policy;
    const struct cof_statement *st;
    size_t cursor = 0;

    if (try(w, identity, NULL))
        return true;
    while ((st = next_allow(w, policy, &cursor)) != NULL)
        if (try(w, identity, st))
            return true;
    return false;
}

bool cof_simulate_witness(const struct cof_account *account, const struct cof_simulate_request *request, struct cof_buf *texts,
                          struct cof_simulation *out)
{
    struct search w = {account, request, texts, out};
    const struct cof_statement *st;

    cof_simulate_gather(account, request, out);
    if (cof_buf_reserve(texts, texts->max - texts->len) != COF_OK)
        return false;
    if (try_resource(&w, NULL))
        return true;
    for (size_t i = 0; i < out->set.n_identity; i++)
        for (size_t cursor = 0; (st = next_allow(&w, out->set.identity[i].policy, &cursor)) != NULL;)
            if (try_resource(&w, st))
                return true;
    cof_simulate(account, request, out); /* the answer to what was asked */
    return false;
}
