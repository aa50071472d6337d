/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/simulate_state.h"

#include <string.h>

bool cof_simulate_context_add(struct cof_simulate_context *c, struct cof_view key, struct cof_view value)
{
    bool same = c->n > 0 && cof_view_eq_nocase(c->items[c->n - 1].key, key);

    if (c->n_values == COF_SIMULATE_KEYS_MAX || (!same && c->n == COF_SIMULATE_KEYS_MAX))
        return false;
    c->values[c->n_values] = value;
    if (same)
        c->items[c->n - 1].n_values++;
    else
        c->items[c->n++] = (struct cof_context_value){key, &c->values[c->n_values], 1};
    c->n_values++;
    return true;
}

static void assume(struct cof_simulation *s, const char *key, struct cof_view value)
{
    struct cof_context context = {s->context.items, s->context.n};

    if (value.len > 0 && cof_context_find(&context, cof_view_str(key)) == NULL)
        (void)cof_simulate_context_add(&s->context, cof_view_str(key), value);
}

static bool is_service(struct cof_view action, const char *service)
{
    struct cof_view prefix, rest;

    (void)cof_view_split(action, ':', &prefix, &rest);
    return cof_view_eq_nocase(prefix, cof_view_str(service));
}

/* What an ordinary request has, as coffer-local gives it. */
static void assume_all(const struct cof_account *account, const struct cof_simulate_request *r, struct cof_simulation *s)
{
    const struct cof_account_resource *resource = r->resource == SIZE_MAX ? NULL : &account->resources[r->resource];

    assume(s, "aws:SecureTransport", COF_LIT("true"));
    assume(s, "aws:RequestedRegion", account->region);
    assume(s, "aws:PrincipalIsAWSService", s->access.caller.kind == COF_CALLER_SERVICE ? COF_LIT("true") : COF_LIT("false"));
    assume(s, "aws:ViaAWSService", COF_LIT("false"));
    if (is_service(r->action, "kms")) {
        assume(s, "kms:CallerAccount", s->access.caller.account);
        assume(s, "kms:KeySpec", COF_LIT("SYMMETRIC_DEFAULT"));
        assume(s, "kms:KeyUsage", COF_LIT("ENCRYPT_DECRYPT"));
        assume(s, "kms:KeyOrigin", COF_LIT("AWS_KMS"));
        assume(s, "kms:MultiRegion", COF_LIT("false"));
        if (resource != NULL)
            assume(s, "kms:ResourceAliases", resource->alias);
    }
    if (is_service(r->action, "s3")) {
        assume(s, "s3:TlsVersion", COF_LIT("1.3"));
        assume(s, "s3:ResourceAccount", account->id);
        if (cof_view_eq_nocase(r->action, COF_LIT("s3:PutObject")))
            assume(s, "s3:ObjectCreationOperation", COF_LIT("true"));
    }
}

void cof_simulate_gather(const struct cof_account *account, const struct cof_simulate_request *r, struct cof_simulation *s)
{
    const struct cof_account_resource *resource = r->resource == SIZE_MAX ? NULL : &account->resources[r->resource];

    memset(s, 0, sizeof *s);
    s->access = (struct cof_access){.caller = r->caller, .action = r->action, .resource = r->arn, .resource_account = account->id, .now_ms = r->now_ms};
    s->set = (struct cof_policy_set){.identity = s->identity, .rule = COF_RESOURCE_EITHER};
    if (r->identity != SIZE_MAX) {
        const struct cof_account_identity *p = &account->identities[r->identity];

        s->access.caller = (struct cof_caller){.kind = p->role ? COF_CALLER_ROLE : COF_CALLER_USER, .account = p->account, .arn = p->session_arn,
            .role_arn = p->role ? p->arn : (struct cof_view){0}, .user_id = p->user_id, .name = p->role ? (struct cof_view){0} : p->name,
            .tags = p->tags, .n_tags = p->n_tags};
        for (size_t i = 0; i < p->n_policies; i++)
            s->identity[s->set.n_identity++] =
                (struct cof_named_policy){account->documents[p->policies[i]].file, account->documents[p->policies[i]].policy};
        if (p->boundary != SIZE_MAX)
            s->set.boundary = (struct cof_named_policy){account->documents[p->boundary].file, account->documents[p->boundary].policy};
    }
    if (r->session != SIZE_MAX)
        s->set.session = (struct cof_named_policy){account->documents[r->session].file, account->documents[r->session].policy};
    if (resource != NULL && resource->policy != SIZE_MAX)
        s->set.resource = (struct cof_named_policy){account->documents[resource->policy].file, account->documents[resource->policy].policy};
    /* A key without a policy that is known has the default one, which leaves all to IAM. */
    if (resource != NULL && !r->granted && (resource->kind == COF_ACCOUNT_ROLE || (resource->kind == COF_ACCOUNT_KEY && resource->policy != SIZE_MAX)))
        s->set.rule = COF_RESOURCE_AUTHORITATIVE;
    for (size_t i = 0; r->context != NULL && i < r->context->n; i++)
        for (size_t k = 0; k < r->context->items[i].n_values; k++)
            (void)cof_simulate_context_add(&s->context, r->context->items[i].key, r->context->items[i].values[k]);
    s->n_given = s->context.n;
    assume_all(account, r, s);
}

void cof_simulate_ask(const struct cof_account *account, struct cof_simulation *s)
{
    s->access.context = (struct cof_context){s->context.items, s->context.n};
    s->decision = cof_evaluate(&s->set, &s->access);
    s->document = SIZE_MAX;
    for (size_t i = 0; i < account->n_documents; i++)
        if (s->decision.policy == account->documents[i].file)
            s->document = i;
}

void cof_simulate(const struct cof_account *account, const struct cof_simulate_request *request, struct cof_simulation *out)
{
    cof_simulate_gather(account, request, out);
    cof_simulate_ask(account, out);
}
