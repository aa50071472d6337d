/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/reach.h"

#include "policy/glob.h"
#include "policy/lint_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX 65536

struct reach {
    struct cof_account *account;
    struct cof_findings *f;
    struct cof_simulation *s;
    struct cof_buf texts;
    size_t admin; /* an identity that may do whatever IAM can allow */
    int64_t now_ms;
};

static struct cof_simulate_request request(const struct reach *r, size_t identity, const char *action, size_t resource)
{
    return (struct cof_simulate_request){.identity = identity, .action = cof_view_str(action), .resource = resource,
        .arn = r->account->resources[resource].arn, .session = SIZE_MAX, .now_ms = r->now_ms};
}

static bool witness(struct reach *r, const struct cof_simulate_request *q)
{
    cof_buf_truncate(&r->texts, 0);
    return cof_simulate_witness(r->account, q, &r->texts, r->s);
}

static bool about_attestation(const struct cof_statement *st)
{
    for (size_t i = 0; i < st->n_conditions; i++)
        if (cof_lint_key_is(st->conditions[i].key, "kms:RecipientAttestation*") || cof_lint_key_is(st->conditions[i].key, "aws:RequestContext*"))
            return true; /* or what somebody takes for it */
    return false;
}

static bool names_key(const struct cof_document *d, const struct cof_statement *st, struct cof_view arn)
{
    bool found = d->kind == COF_DOCUMENT_KEY;

    for (size_t i = 0; i < st->n_resources && !found; i++)
        found = cof_glob_match_arn((struct cof_glob){st->resources[i], NULL}, arn);
    return found;
}

/* Some policy demands attestation for this use of the key. */
static bool guarded(const struct reach *r, const struct cof_account_resource *key, const char *action)
{
    for (size_t i = 0; i < r->account->n_documents; i++) {
        const struct cof_document *d = &r->account->documents[i];

        if (d->policy == NULL || (d->kind == COF_DOCUMENT_KEY && i != key->policy))
            continue;
        for (size_t k = 0; k < d->policy->n_statements; k++) {
            const struct cof_statement *st = &d->policy->statements[k];

            if (about_attestation(st) && cof_lint_covers(st, action) && names_key(d, st, key->arn))
                return true;
        }
    }
    return false;
}

/* The statement to blame: the one that decided, or for the made-up administrator the one that leaves it to IAM. */
static const struct cof_statement *blame(const struct reach *r, size_t *document, size_t *at)
{
    size_t doc = r->s->document, statement = r->s->decision.statement;
    const struct cof_document *d;

    if (doc == SIZE_MAX || doc == r->account->identities[r->admin].policies[0]) {
        doc = SIZE_MAX;
        for (size_t i = 0; i < r->account->n_documents; i++)
            if (r->account->documents[i].file == r->s->set.resource.name)
                doc = i;
        if (doc == SIZE_MAX)
            return NULL;
        d = &r->account->documents[doc];
        for (statement = 0; statement < d->policy->n_statements; statement++)
            if (d->policy->statements[statement].effect == COF_EFFECT_ALLOW &&
                cof_statement_applies(d->policy, &d->policy->statements[statement], &r->s->access))
                break;
    }
    d = &r->account->documents[doc];
    if (statement >= d->policy->n_statements)
        return NULL;
    *document = doc;
    *at = d->places[statement].at;
    return &d->policy->statements[statement];
}

static void report(struct reach *r, enum cof_rule rule, size_t identity, const char *action, size_t key, const char *how)
{
    const struct cof_account_identity *p = &r->account->identities[identity];
    struct cof_view name = r->account->resources[key].alias.len > 0 ? r->account->resources[key].alias : r->account->resources[key].name;
    struct cof_view who = identity == r->admin ? COF_LIT("any IAM administrator") : p->name;
    const struct cof_statement *st;
    size_t document, at;

    st = blame(r, &document, &at);
    if (st == NULL)
        return;
    for (size_t i = 0; i < r->f->n; i++) /* once for each statement and action */
        if (r->f->items[i].rule == rule && r->f->items[i].document == document && r->f->items[i].at == at &&
            strncmp(r->f->items[i].text, action, strlen(action)) == 0 && r->f->items[i].text[strlen(action)] == ' ')
            return;
    cof_findings_add(r->f, rule, document, at, "%s on %.*s by %.*s%s", action, COF_SHOW(name), COF_SHOW(who), how)->sid = st->sid;
}

/* A grant for this use that the key policy's Denies do not stop. */
static bool grant_helps(struct reach *r, const char *action, size_t key)
{
    struct cof_simulate_request q = request(r, r->admin, action, key);

    q.unattested = q.granted = true;
    return witness(r, &q);
}

static bool is_harmless_grant(const struct cof_statement *st, const char *action)
{
    if (cof_lint_has_demand(st, "kms:GrantIsForAWSResource"))
        return true;
    for (size_t i = 0; i < st->n_conditions; i++) {
        const struct cof_condition *c = &st->conditions[i];
        bool lists = false;

        if (!cof_lint_key_is(c->key, "kms:GrantOperations") || cof_lint_is_negated(c->op))
            continue;
        for (size_t v = 0; v < c->n_values; v++)
            lists = lists || cof_view_eq_str(c->values[v], action + strlen("kms:")) || cof_view_eq_str(c->values[v], "ReEncryptFrom");
        if (!lists)
            return true;
    }
    return false;
}

static void check_paths(struct reach *r, size_t key, const char *action, bool grants)
{
    for (size_t i = 0; i < r->account->n_identities; i++) {
        struct cof_simulate_request q = request(r, i, action, key);
        const struct cof_statement *st;
        size_t document, at;

        if (i == r->admin && r->account->resources[key].policy == SIZE_MAX)
            continue; /* of a key whose policy is not known it is always so */
        q.unattested = true;
        if (witness(r, &q))
            report(r, COF_RULE_UNATTESTED, i, action, key, i == r->admin ? ", by an identity policy alone" : ", without attestation");
        q.action = COF_LIT("kms:ReEncryptFrom");
        if (strcmp(action, "kms:Decrypt") == 0 && witness(r, &q))
            report(r, COF_RULE_REENCRYPT_PATH, i, "kms:ReEncryptFrom", key, ", to any other key");
        q.action = COF_LIT("kms:ReplicateKey");
        if (strcmp(action, "kms:Decrypt") == 0 && witness(r, &q))
            report(r, COF_RULE_REPLICATE_PATH, i, "kms:ReplicateKey", key, ", with another key policy");
        q.action = COF_LIT("kms:CreateGrant");
        if (grants && witness(r, &q) && (st = blame(r, &document, &at)) != NULL && !is_harmless_grant(st, action))
            report(r, COF_RULE_GRANT_PATH, i, "kms:CreateGrant", key, ", for anybody");
    }
}

/* The role that may put a key policy, and a trust policy that asks for no second factor of those who become it. */
static void check_trust(struct reach *r, size_t identity, size_t key)
{
    const struct cof_account_identity *p = &r->account->identities[identity];
    struct cof_simulate_request q = request(r, identity, "kms:PutKeyPolicy", key);

    if (!p->role || !witness(r, &q))
        return;
    for (size_t i = 0; i < r->account->n_resources; i++) {
        const struct cof_account_resource *role = &r->account->resources[i];
        const struct cof_document *trust = role->policy == SIZE_MAX ? NULL : &r->account->documents[role->policy];

        if (role->kind != COF_ACCOUNT_ROLE || !cof_view_eq(role->arn, p->arn) || trust == NULL || trust->policy == NULL)
            continue;
        for (size_t s = 0; s < trust->policy->n_statements; s++) {
            const struct cof_statement *st = &trust->policy->statements[s];

            if (st->effect == COF_EFFECT_ALLOW && !cof_lint_has_demand(st, "aws:MultiFactorAuth*"))
                cof_findings_add(r->f, COF_RULE_PUT_KEY_POLICY_UNGUARDED, trust->index, trust->places[s].at,
                                 "%.*s may replace key policies, and is assumed without MFA", COF_SHOW(p->name))->sid = st->sid;
        }
    }
}

static void check_key(struct reach *r, size_t key)
{
    static const char *const actions[] = {"kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:DeriveSharedSecret"};
    bool any = false;

    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (guarded(r, &r->account->resources[key], actions[i])) {
            any = true;
            check_paths(r, key, actions[i], grant_helps(r, actions[i], key));
        }
    for (size_t i = 0; any && i < r->account->n_identities; i++)
        if (i != r->admin)
            check_trust(r, i, key);
}

/* Whether anything on one of the account's resources comes of this action; when none fits it cannot be said. */
static bool comes_to_nothing(struct reach *r, size_t identity, const struct cof_statement *st, struct cof_view action)
{
    bool any = false;

    for (size_t k = 0; k < r->account->n_resources; k++)
        for (size_t i = 0; i < st->n_resources; i++) {
            const struct cof_account_resource *target = &r->account->resources[k];
            struct cof_view pattern = st->resources[i], arn = target->arn, rest = cof_view_sub(pattern, arn.len, SIZE_MAX);
            struct cof_simulate_request q = {.identity = identity, .action = action, .resource = k, .arn = arn, .session = SIZE_MAX, .now_ms = r->now_ms};
            char object[512];

            if (target->kind == COF_ACCOUNT_BUCKET && cof_view_starts(pattern, arn) && cof_view_starts(rest, COF_LIT("/")) && pattern.len < sizeof object) {
                for (size_t c = 0; c < pattern.len; c++)
                    object[c] = pattern.data[c] == '*' || pattern.data[c] == '?' ? 'x' : (char)pattern.data[c];
                q.arn = cof_view_of(object, pattern.len);
            } else if (!cof_glob_match_arn((struct cof_glob){pattern, NULL}, arn) || cof_view_eq_str(pattern, "*")) {
                continue;
            }
            any = true;
            if (cof_view_find(pattern, '$') != SIZE_MAX || witness(r, &q))
                return false;
        }
    return any;
}

static void check_effects(struct reach *r, size_t identity)
{
    const struct cof_account_identity *p = &r->account->identities[identity];

    for (size_t d = 0; d < p->n_policies; d++) {
        const struct cof_document *doc = &r->account->documents[p->policies[d]];

        for (size_t s = 0; doc->policy != NULL && s < doc->policy->n_statements; s++) {
            const struct cof_statement *st = &doc->policy->statements[s];

            if (st->effect != COF_EFFECT_ALLOW || st->not_action || st->not_resource)
                continue;
            for (size_t i = 0; i < st->n_actions; i++)
                if (!cof_lint_is_wild(st->actions[i]) && comes_to_nothing(r, identity, st, st->actions[i]))
                    cof_findings_add(r->f, COF_RULE_WITHOUT_EFFECT, doc->index, doc->places[s].actions[i], "%.*s is never allowed to %.*s",
                                     COF_SHOW(st->actions[i]), COF_SHOW(p->name))->sid = st->sid;
        }
    }
}

/* Role sessions never carry the factor; in identity policies only the account shows whose they are. */
static void check_factor(struct reach *r, size_t identity)
{
    const struct cof_account_identity *p = &r->account->identities[identity];

    for (size_t d = 0; p->role && d < p->n_policies; d++) {
        const struct cof_document *doc = &r->account->documents[p->policies[d]];

        for (size_t s = 0; doc->policy != NULL && s < doc->policy->n_statements; s++) {
            const struct cof_statement *st = &doc->policy->statements[s];

            for (size_t c = 0; st->effect == COF_EFFECT_ALLOW && c < st->n_conditions; c++)
                if (cof_lint_key_is(st->conditions[c].key, "aws:MultiFactorAuth*") && cof_lint_demands(&st->conditions[c]))
                    cof_findings_add(r->f, COF_RULE_MFA_ON_ROLE, doc->index, doc->places[s].conditions[c].key, "a session of %.*s never has it (%.*s)",
                                     COF_SHOW(p->name), COF_SHOW(st->conditions[c].key))->sid = st->sid;
        }
    }
}

/* Whom a key policy names and nobody here knows: roles and users of this account are as they are named; what other accounts allow their
 * own is their business, so it is taken to be everything. */
static void add_strangers(struct reach *r, const struct cof_document *key)
{
    size_t admin = r->account->identities[r->admin].policies[0];

    for (size_t s = 0; s < key->policy->n_statements; s++)
        for (size_t i = 0; i < key->policy->statements[s].n_principals; i++) {
            const struct cof_principal *p = &key->policy->statements[s].principals[i];
            struct cof_view arn = p->value, part, rest;
            size_t identity;
            char made_up[64];

            if (p->kind == COF_PRINCIPAL_ACCOUNT && !cof_view_eq(p->value, r->account->id)) {
                (void)snprintf(made_up, sizeof made_up, "arn:aws:iam::%.*s:role/any-of-account-%.*s", COF_SHOW(p->value), COF_SHOW(p->value));
                arn = cof_view_str(made_up);
            } else if (p->kind != COF_PRINCIPAL_ARN) {
                continue;
            }
            rest = arn;
            for (int k = 0; k < 5; k++)
                (void)cof_view_split(rest, ':', &part, &rest);
            if ((!cof_view_starts(rest, COF_LIT("role/")) && !cof_view_starts(rest, COF_LIT("user/"))) ||
                cof_account_find_identity(r->account, arn) != SIZE_MAX)
                continue;
            identity = cof_account_add_identity(r->account, cof_view_starts(rest, COF_LIT("role/")), arn);
            if (identity != SIZE_MAX && !cof_view_eq(part, r->account->id))
                r->account->identities[identity].policies[r->account->identities[identity].n_policies++] = admin;
        }
}

static size_t add_admin(struct reach *r)
{
    static const char text[] = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}";
    struct cof_document_source source = {.file = "(any IAM administrator)", .text = COF_LIT(""), .kind = COF_DOCUMENT_IDENTITY};
    struct cof_findings none = {0};
    struct cof_buf arn;
    size_t document, identity;

    source.text = cof_view_str(text);
    document = cof_account_add_document(r->account, source, &none);
    cof_findings_done(&none);
    if (document == SIZE_MAX)
        return SIZE_MAX;
    cof_buf_init(&arn, 256);
    cof_buf_add_str(&arn, "arn:aws:iam::");
    cof_buf_add(&arn, r->account->id);
    cof_buf_add_str(&arn, ":role/any-iam-administrator");
    identity = cof_account_add_identity(r->account, true, cof_buf_view(&arn));
    cof_buf_done(&arn);
    if (identity != SIZE_MAX) {
        r->account->identities[identity].policies[0] = document;
        r->account->identities[identity].n_policies = 1;
    }
    return identity;
}

enum cof_err cof_policy_reach(struct cof_account *account, int64_t now_ms, struct cof_findings *findings)
{
    struct reach r = {.account = account, .f = findings, .now_ms = now_ms, .s = calloc(1, sizeof *r.s)};

    if (r.s == NULL)
        return COF_E_MEMORY;
    cof_buf_init(&r.texts, TEXTS_MAX);
    if (cof_buf_reserve(&r.texts, TEXTS_MAX) != COF_OK) { /* without it no path would be found */
        free(r.s);
        return COF_E_MEMORY;
    }
    for (size_t i = 0; i < account->n_identities; i++) {
        check_effects(&r, i);
        check_factor(&r, i);
    }
    r.admin = add_admin(&r);
    for (size_t i = 0; r.admin != SIZE_MAX && i < account->n_documents; i++)
        if (account->documents[i].kind == COF_DOCUMENT_KEY && account->documents[i].policy != NULL)
            add_strangers(&r, &account->documents[i]);
    for (size_t i = 0; r.admin != SIZE_MAX && i < account->n_resources; i++)
        if (account->resources[i].kind == COF_ACCOUNT_KEY)
            check_key(&r, i);
    cof_buf_done(&r.texts);
    free(r.s);
    return r.admin == SIZE_MAX ? COF_E_LIMIT : COF_OK;
}
