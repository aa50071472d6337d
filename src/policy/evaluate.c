/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/evaluate.h"

#include "base/date.h"

#include <stdlib.h>
#include <string.h>

/* The request with the keys that follow from it in front of the service's own, so that they win. It is made when a statement
 * first asks for it: most name another action or resource, or no condition and no variable. */
struct full_context {
    const struct cof_access *access;
    bool is_made;
    enum cof_err err; /* of making it */
    struct cof_context_value *items;
    struct cof_context context;
    struct cof_buf tag_keys;
    struct cof_view principal_arn, principal_account, principal_type, user_id, iso, epoch, resource_account;
    char iso_text[COF_DATE_MAX], epoch_text[24];
};

#define N_DERIVED 8

static struct cof_view principal_arn(const struct cof_caller *caller)
{
    return caller->kind == COF_CALLER_ROLE ? caller->role_arn : caller->arn;
}

static struct cof_view principal_type(enum cof_caller_kind kind)
{
    switch (kind) {
    case COF_CALLER_ANONYMOUS:
        return COF_LIT("Anonymous");
    case COF_CALLER_ROOT:
        return COF_LIT("Account");
    case COF_CALLER_USER:
        return COF_LIT("User");
    case COF_CALLER_ROLE:
        return COF_LIT("AssumedRole");
    case COF_CALLER_SERVICE:
        return COF_LIT("Service");
    case COF_CALLER_FEDERATED:
        return COF_LIT("FederatedUser");
    }
    return (struct cof_view){NULL, 0};
}

static struct cof_view resource_account(const struct cof_access *access)
{
    return access->resource_account.len > 0 ? access->resource_account : access->caller.account;
}

static void add_key(struct full_context *full, struct cof_view key, const struct cof_view *value)
{
    full->items[full->context.n_items++] = (struct cof_context_value){key, value, value->len > 0 ? 1 : 0};
}

/* A key the caller has no say in must not be supplied by the context either, even where it has no value. */
static bool is_derived(struct cof_view key)
{
    const struct cof_view derived[] = {COF_LIT("aws:PrincipalArn"), COF_LIT("aws:PrincipalAccount"), COF_LIT("aws:PrincipalType"),
        COF_LIT("aws:username"), COF_LIT("aws:userid"), COF_LIT("aws:CurrentTime"), COF_LIT("aws:EpochTime"), COF_LIT("aws:ResourceAccount")};

    if (key.len == 0 || (key.data[0] | 0x20) != 'a' || !cof_view_eq_nocase(cof_view_sub(key, 0, 4), COF_LIT("aws:")))
        return false;
    for (size_t i = 0; i < sizeof derived / sizeof derived[0]; i++)
        if (key.len == derived[i].len && cof_view_eq_nocase(key, derived[i]))
            return true;
    return key.len >= sizeof "aws:PrincipalTag/" - 1 &&
           cof_view_eq_nocase(cof_view_sub(key, 0, sizeof "aws:PrincipalTag/" - 1), COF_LIT("aws:PrincipalTag/"));
}

static enum cof_err add_tags(struct full_context *full, const struct cof_caller *caller)
{
    size_t at = 0;

    for (size_t i = 0; i < caller->n_tags; i++) {
        cof_buf_add_str(&full->tag_keys, "aws:PrincipalTag/");
        cof_buf_add(&full->tag_keys, caller->tags[i].key);
    }
    if (cof_buf_err(&full->tag_keys) != COF_OK)
        return cof_buf_err(&full->tag_keys);
    for (size_t i = 0; i < caller->n_tags; i++) {
        size_t len = sizeof "aws:PrincipalTag/" - 1 + caller->tags[i].key.len;

        full->items[full->context.n_items++] =
            (struct cof_context_value){cof_view_sub(cof_buf_view(&full->tag_keys), at, len), &caller->tags[i].value, 1};
        at += len;
    }
    return COF_OK;
}

static void full_context_done(struct full_context *full)
{
    free(full->items);
    cof_buf_done(&full->tag_keys);
}

static void full_context_init(struct full_context *full, const struct cof_access *access)
{
    *full = (struct full_context){.access = access};
}

static void write_epoch(int64_t seconds, char out[24])
{
    char digits[24];
    size_t n = sizeof digits;
    uint64_t left = seconds < 0 ? -(uint64_t)seconds : (uint64_t)seconds;

    digits[--n] = '\0';
    do
        digits[--n] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (seconds < 0)
        digits[--n] = '-';
    memcpy(out, digits + n, sizeof digits - n);
}

static enum cof_err make(struct full_context *full)
{
    const struct cof_access *access = full->access;
    const struct cof_caller *caller = &access->caller;
    enum cof_err err;

    cof_buf_init(&full->tag_keys, 65536);
    full->items = calloc(N_DERIVED + caller->n_tags + access->context.n_items, sizeof *full->items);
    if (full->items == NULL)
        return COF_E_MEMORY;
    full->context.items = full->items;
    cof_date_iso_seconds(access->now_ms, full->iso_text);
    write_epoch(access->now_ms / 1000, full->epoch_text);
    full->iso = cof_view_str(full->iso_text);
    full->epoch = cof_view_str(full->epoch_text);
    full->principal_arn = principal_arn(caller);
    full->principal_type = principal_type(caller->kind);
    full->resource_account = resource_account(access);
    /* spec: both are there for everybody, and say so of those who are nobody */
    full->principal_account = caller->kind == COF_CALLER_ANONYMOUS ? COF_LIT("anonymous") : caller->account;
    full->user_id = caller->kind == COF_CALLER_ANONYMOUS ? COF_LIT("anonymous") : caller->user_id;
    add_key(full, COF_LIT("aws:PrincipalArn"), &full->principal_arn);
    add_key(full, COF_LIT("aws:PrincipalAccount"), &full->principal_account);
    add_key(full, COF_LIT("aws:PrincipalType"), &full->principal_type);
    add_key(full, COF_LIT("aws:username"), &caller->name);
    add_key(full, COF_LIT("aws:userid"), &full->user_id);
    add_key(full, COF_LIT("aws:CurrentTime"), &full->iso);
    add_key(full, COF_LIT("aws:EpochTime"), &full->epoch);
    add_key(full, COF_LIT("aws:ResourceAccount"), &full->resource_account);
    err = add_tags(full, caller);
    for (size_t i = 0; i < access->context.n_items; i++)
        if (!is_derived(access->context.items[i].key))
            full->items[full->context.n_items++] = access->context.items[i];
    return err;
}

static enum cof_err context_of(struct full_context *full, const struct cof_context **out)
{
    if (!full->is_made)
        full->err = make(full);
    full->is_made = true;
    *out = &full->context;
    return full->err;
}

/* How closely a Principal element names the caller. */
enum closeness { NAMES_NOBODY, NAMES_ACCOUNT, NAMES_ANYONE, NAMES_ROLE, NAMES_SELF };

static enum closeness principal_names(const struct cof_principal *p, const struct cof_caller *caller)
{
    bool has_account = caller->kind == COF_CALLER_ROOT || caller->kind == COF_CALLER_USER ||
                       caller->kind == COF_CALLER_ROLE;

    switch (p->kind) {
    case COF_PRINCIPAL_ANYONE:
        return NAMES_ANYONE;
    case COF_PRINCIPAL_ACCOUNT:
        if (!has_account || !cof_view_eq(p->value, caller->account))
            return NAMES_NOBODY;
        return caller->kind == COF_CALLER_ROOT ? NAMES_SELF : NAMES_ACCOUNT;
    case COF_PRINCIPAL_ARN:
        if (has_account && cof_view_eq(p->value, caller->arn))
            return NAMES_SELF;
        return caller->kind == COF_CALLER_ROLE && cof_view_eq(p->value, caller->role_arn) ? NAMES_ROLE : NAMES_NOBODY;
    case COF_PRINCIPAL_SERVICE:
        return caller->kind == COF_CALLER_SERVICE && cof_view_eq(p->value, caller->arn) ? NAMES_SELF : NAMES_NOBODY;
    case COF_PRINCIPAL_FEDERATED:
        return caller->kind == COF_CALLER_FEDERATED && cof_view_eq(p->value, caller->arn) ? NAMES_SELF : NAMES_NOBODY;
    case COF_PRINCIPAL_CANONICAL:
        return NAMES_NOBODY;
    }
    return NAMES_NOBODY;
}

static bool lists(const struct cof_statement *st, enum cof_principal_kind kind, struct cof_view value)
{
    for (size_t i = 0; i < st->n_principals; i++)
        if (st->principals[i].kind == COF_PRINCIPAL_ANYONE ||
            (st->principals[i].kind == kind && cof_view_eq(st->principals[i].value, value)))
            return true;
    return false;
}

/* spec: NotPrincipal of a Deny is looked through from the top: the account, then the user, or the role and then its
 * session. Only who is listed with all of them is left alone. */
static bool spares(const struct cof_statement *st, const struct cof_caller *caller)
{
    bool account = lists(st, COF_PRINCIPAL_ACCOUNT, caller->account);

    switch (caller->kind) {
    case COF_CALLER_ROOT:
        return account;
    case COF_CALLER_USER:
        return account && lists(st, COF_PRINCIPAL_ARN, caller->arn);
    case COF_CALLER_ROLE:
        return account && lists(st, COF_PRINCIPAL_ARN, caller->role_arn) && lists(st, COF_PRINCIPAL_ARN, caller->arn);
    case COF_CALLER_SERVICE:
        return lists(st, COF_PRINCIPAL_SERVICE, caller->arn);
    case COF_CALLER_FEDERATED:
        return lists(st, COF_PRINCIPAL_FEDERATED, caller->arn);
    case COF_CALLER_ANONYMOUS:
        break;
    }
    return lists(st, COF_PRINCIPAL_ANYONE, (struct cof_view){NULL, 0});
}

static enum closeness names_caller(const struct cof_statement *st, const struct cof_caller *caller)
{
    enum closeness best = NAMES_NOBODY;

    for (size_t i = 0; i < st->n_principals; i++) {
        enum closeness c = principal_names(&st->principals[i], caller);
        best = c > best ? c : best;
    }
    if (st->not_principal && st->effect == COF_EFFECT_DENY)
        return spares(st, caller) ? NAMES_NOBODY : NAMES_ANYONE;
    if (st->not_principal)
        return best == NAMES_NOBODY ? NAMES_ANYONE : NAMES_NOBODY;
    return best;
}

static bool names_action(const struct cof_statement *st, struct cof_view action)
{
    bool found = false;

    for (size_t i = 0; i < st->n_actions && !found; i++)
        found = cof_glob_match_nocase((struct cof_glob){st->actions[i], NULL}, action);
    return found != st->not_action;
}

static enum cof_err names_resource(const struct cof_policy *policy, const struct cof_statement *st,
                                   struct cof_view resource, struct full_context *full, bool *out)
{
    const struct cof_context *context = NULL;
    bool found = false;
    enum cof_err err = COF_OK;

    *out = false;
    if (policy->kind == COF_POLICY_TRUST) {
        *out = true;
        return COF_OK;
    }
    for (size_t i = 0; i < st->n_resources && !found; i++) {
        struct cof_expanded e;

        if (context == NULL && cof_expand_asks(st->resources[i], policy->variables))
            err = context_of(full, &context);
        if (err != COF_OK)
            return err;
        err = cof_expand(st->resources[i], context, policy->variables, &e);
        found = err == COF_OK && cof_glob_match_arn(cof_expanded_glob(&e), resource);
        cof_expanded_done(&e);
        if (err != COF_OK && err != COF_E_NOT_FOUND)
            return err;
        err = COF_OK;
    }
    *out = found != st->not_resource;
    return COF_OK;
}

static enum cof_err conditions_hold(const struct cof_policy *policy, const struct cof_statement *st,
                                    struct full_context *full, bool *out)
{
    const struct cof_context *context = NULL;
    enum cof_err err = st->n_conditions == 0 ? COF_OK : context_of(full, &context);

    *out = true;
    for (size_t i = 0; i < st->n_conditions && err == COF_OK && *out; i++)
        err = cof_condition_check(&st->conditions[i], context, policy->variables, out);
    return err;
}

/* What cannot be decided (memory, size) applies when it denies and does not when it allows. */
static enum closeness applies(const struct cof_policy *policy, const struct cof_statement *st,
                              const struct cof_access *access, struct full_context *full)
{
    enum closeness close = policy->kind == COF_POLICY_IDENTITY ? NAMES_SELF : names_caller(st, &access->caller);
    bool yes;
    enum cof_err err;

    if (close == NAMES_NOBODY || !names_action(st, access->action))
        return NAMES_NOBODY;
    err = names_resource(policy, st, access->resource, full, &yes);
    if (err == COF_OK && yes)
        err = conditions_hold(policy, st, full, &yes);
    if (err != COF_OK)
        yes = st->effect == COF_EFFECT_DENY;
    return yes ? close : NAMES_NOBODY;
}

bool cof_statement_applies(const struct cof_policy *policy, const struct cof_statement *statement,
                           const struct cof_access *access)
{
    struct full_context full;
    bool yes;

    full_context_init(&full, access);
    yes = applies(policy, statement, access, &full) != NAMES_NOBODY;
    full_context_done(&full);
    return yes;
}

enum cof_miss cof_statement_miss(const struct cof_policy *policy, const struct cof_statement *statement,
                                 const struct cof_access *access)
{
    enum cof_miss miss = COF_MISS_CONDITION;
    struct full_context full;
    bool yes = false;

    full_context_init(&full, access);
    if (policy->kind != COF_POLICY_IDENTITY && names_caller(statement, &access->caller) == NAMES_NOBODY)
        miss = COF_MISS_PRINCIPAL;
    else if (!names_action(statement, access->action))
        miss = COF_MISS_ACTION;
    else if (names_resource(policy, statement, access->resource, &full, &yes) == COF_OK && !yes)
        miss = COF_MISS_RESOURCE;
    else if (applies(policy, statement, access, &full) != NAMES_NOBODY)
        miss = COF_MISS_NOTHING;
    full_context_done(&full);
    return miss;
}

bool cof_statement_condition_holds(const struct cof_policy *policy, const struct cof_statement *statement, size_t condition,
                                   const struct cof_access *access)
{
    const struct cof_context *context;
    struct full_context full;
    bool yes = false;

    full_context_init(&full, access);
    if (context_of(&full, &context) != COF_OK ||
        cof_condition_check(&statement->conditions[condition], context, policy->variables, &yes) != COF_OK)
        yes = statement->effect == COF_EFFECT_DENY;
    full_context_done(&full);
    return yes;
}

void cof_access_describe(const struct cof_access *access, struct cof_view key, struct cof_buf *out)
{
    const struct cof_context_value *have = NULL;
    const struct cof_context *context;
    struct full_context full;

    full_context_init(&full, access);
    if (context_of(&full, &context) == COF_OK)
        have = cof_context_find(context, key);
    for (size_t i = 0; have != NULL && i < have->n_values; i++) {
        if (i > 0)
            cof_buf_add_str(out, ", ");
        cof_buf_add(out, have->values[i]);
    }
    if (have == NULL)
        cof_buf_add_str(out, "(absent)");
    full_context_done(&full);
}

/* What one policy says: the first Deny that applies, and the closest Allow. */
struct finding {
    size_t deny, allow; /* statement, or SIZE_MAX */
    enum closeness close; /* of the Allow */
};

static struct finding look(const struct cof_policy *policy, const struct cof_access *access,
                           struct full_context *full)
{
    struct finding found = {SIZE_MAX, SIZE_MAX, NAMES_NOBODY};

    for (size_t i = 0; policy != NULL && i < policy->n_statements; i++) {
        const struct cof_statement *st = &policy->statements[i];
        enum closeness close;

        if (st->effect == COF_EFFECT_DENY && found.deny != SIZE_MAX)
            continue;
        close = applies(policy, st, access, full);
        if (close == NAMES_NOBODY)
            continue;
        if (st->effect == COF_EFFECT_DENY) {
            found.deny = i;
        } else if (close > found.close) {
            found.allow = i;
            found.close = close;
        }
    }
    return found;
}

static struct cof_decision decide(enum cof_verdict verdict, enum cof_policy_source source,
                                  const struct cof_named_policy *named, size_t statement)
{
    struct cof_decision d = {.verdict = verdict, .source = source, .statement = SIZE_MAX};

    if (named != NULL && named->policy != NULL) {
        d.policy = named->name;
        d.statement = statement;
        if (statement < named->policy->n_statements)
            d.sid = named->policy->statements[statement].sid;
    }
    return d;
}

static struct cof_decision missing(enum cof_policy_source source, const struct cof_named_policy *named)
{
    return decide(COF_VERDICT_IMPLICIT_DENY, source, named, SIZE_MAX);
}

/* Every policy's findings, before they are weighed. */
struct findings {
    struct finding resource, boundary, session;
    const struct cof_named_policy *identity; /* the policy that allows, or NULL */
    size_t identity_allow;
};

/* Looks everywhere; true when some Deny applies, which *denied then names. */
static bool gather(const struct cof_policy_set *set, const struct cof_access *access,
                   struct full_context *full, struct findings *f, struct cof_decision *denied)
{
    const struct {
        enum cof_policy_source source;
        const struct cof_named_policy *named;
        struct finding *finding;
    } single[] = {{COF_SOURCE_RESOURCE, &set->resource, &f->resource},
                  {COF_SOURCE_BOUNDARY, &set->boundary, &f->boundary},
                  {COF_SOURCE_SESSION, &set->session, &f->session}};

    *f = (struct findings){.identity_allow = SIZE_MAX};
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
        *single[i].finding = look(single[i].named->policy, access, full);
        if (single[i].finding->deny != SIZE_MAX) {
            *denied = decide(COF_VERDICT_EXPLICIT_DENY, single[i].source, single[i].named, single[i].finding->deny);
            return true;
        }
    }
    for (size_t i = 0; i < set->n_identity; i++) {
        struct finding found = look(set->identity[i].policy, access, full);

        if (found.deny != SIZE_MAX) {
            *denied = decide(COF_VERDICT_EXPLICIT_DENY, COF_SOURCE_IDENTITY, &set->identity[i], found.deny);
            return true;
        }
        if (found.allow != SIZE_MAX && f->identity == NULL) {
            f->identity = &set->identity[i];
            f->identity_allow = found.allow;
        }
    }
    return false;
}

/* Boundary and session policy; the decision stands when both allow or are not there. */
static struct cof_decision narrow(const struct cof_policy_set *set, const struct findings *f,
                                  struct cof_decision decision)
{
    if (set->boundary.policy != NULL && f->boundary.allow == SIZE_MAX)
        return missing(COF_SOURCE_BOUNDARY, &set->boundary);
    if (set->session.policy != NULL && f->session.allow == SIZE_MAX)
        return missing(COF_SOURCE_SESSION, &set->session);
    return decision;
}

/* Callers without policies of their own: only the resource's policy speaks. */
static bool has_identity(enum cof_caller_kind kind)
{
    return kind == COF_CALLER_ROOT || kind == COF_CALLER_USER || kind == COF_CALLER_ROLE;
}

static struct cof_decision weigh(const struct cof_policy_set *set, const struct cof_access *access,
                                 const struct findings *f)
{
    const struct cof_caller *caller = &access->caller;
    bool same = has_identity(caller->kind) && cof_view_eq(caller->account, resource_account(access));
    bool root = caller->kind == COF_CALLER_ROOT, identity = root || f->identity != NULL;
    bool resource = f->resource.allow != SIZE_MAX, direct = resource && f->resource.close != NAMES_ACCOUNT;
    struct cof_decision by_resource = decide(COF_VERDICT_ALLOW, COF_SOURCE_RESOURCE, &set->resource, f->resource.allow);
    struct cof_decision by_identity =
        root ? decide(COF_VERDICT_ALLOW, COF_SOURCE_ROOT, NULL, SIZE_MAX)
             : decide(COF_VERDICT_ALLOW, COF_SOURCE_IDENTITY, f->identity, f->identity_allow);

    if (!has_identity(caller->kind))
        return resource ? by_resource : missing(COF_SOURCE_RESOURCE, &set->resource);
    if (same && direct && f->resource.close == NAMES_SELF)
        return by_resource;
    if ((!same || set->rule == COF_RESOURCE_AUTHORITATIVE) && !resource)
        return missing(COF_SOURCE_RESOURCE, &set->resource);
    if (same && direct)
        return narrow(set, f, by_resource);
    if (!identity)
        return missing(COF_SOURCE_IDENTITY, NULL);
    return narrow(set, f, by_identity);
}

struct cof_decision cof_evaluate(const struct cof_policy_set *set, const struct cof_access *access)
{
    struct cof_decision decision = missing(COF_SOURCE_NONE, NULL);
    struct full_context full;
    struct findings f;

    /* Without Principal an identity policy would speak about everybody. */
    if (set->resource.policy != NULL && set->resource.policy->kind == COF_POLICY_IDENTITY)
        return decision;
    full_context_init(&full, access);
    if (!gather(set, access, &full, &f, &decision))
        decision = weigh(set, access, &f);
    full_context_done(&full);
    return decision;
}

static const char *source_name(enum cof_policy_source source)
{
    switch (source) {
    case COF_SOURCE_IDENTITY:
        return "identity policy";
    case COF_SOURCE_RESOURCE:
        return "resource policy";
    case COF_SOURCE_BOUNDARY:
        return "permission boundary";
    case COF_SOURCE_SESSION:
        return "session policy";
    case COF_SOURCE_ROOT:
        return "account root";
    case COF_SOURCE_NONE:
        return "policy";
    }
    return "policy";
}

void cof_decision_explain(const struct cof_decision *decision, const struct cof_access *access, struct cof_buf *out)
{
    const char *verb = decision->verdict == COF_VERDICT_ALLOW ? "allowed" : "denied";
    struct cof_view who = principal_arn(&access->caller);

    cof_buf_add(out, who.len > 0 ? who : COF_LIT("anonymous"));
    cof_buf_printf(out, ": %.*s on %.*s is %s", (int)access->action.len, (const char *)access->action.data,
                   (int)access->resource.len, (const char *)access->resource.data, verb);
    if (decision->verdict == COF_VERDICT_IMPLICIT_DENY) {
        cof_buf_printf(out, " because no %s allows it", source_name(decision->source));
        if (decision->policy != NULL)
            cof_buf_printf(out, " (looked in %s)", decision->policy);
        return;
    }
    if (decision->source == COF_SOURCE_ROOT) {
        cof_buf_add_str(out, " to the account's root");
        return;
    }
    cof_buf_printf(out, " by %s %s, statement %zu", source_name(decision->source),
                   decision->policy != NULL ? decision->policy : "?", decision->statement + 1);
    if (decision->sid.len > 0)
        cof_buf_printf(out, " (%.*s)", (int)decision->sid.len, (const char *)decision->sid.data);
}
