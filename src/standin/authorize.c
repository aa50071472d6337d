/* SPDX-License-Identifier: Apache-2.0 */
#include "base/date.h"
#include "standin/state.h"
#include "standin/trail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_in(const struct cof_standin *s, size_t slot, struct cof_view text, enum cof_policy_kind kind)
{
    return s->policies[slot].policy != NULL && s->policies[slot].kind == kind &&
        cof_view_eq(cof_view_of(s->policies[slot].text, s->policies[slot].len), text);
}

/* The slot of that policy, or the one unused for longest. One decision needs fewer policies than there are slots, so that none of
 * its own is pushed out while it lasts. Comparing texts costs less than hashing one would. */
static size_t find_slot(const struct cof_standin *s, struct cof_view text, enum cof_policy_kind kind)
{
    size_t oldest = 0;

    for (size_t i = 0; i < COF_STANDIN_POLICY_CACHE; i++) {
        if (s->policies[i].policy == NULL || is_in(s, i, text, kind))
            return i;
        if (s->policies[i].used < s->policies[oldest].used)
            oldest = i;
    }
    return oldest;
}

static enum cof_err fill_slot(struct cof_standin *s, size_t slot, struct cof_view text, enum cof_policy_kind kind)
{
    struct cof_policy *policy;
    uint8_t *copy;
    enum cof_err err = cof_policy_parse(text, kind, COF_POLICY_SIZE_MAX, &policy, NULL);

    if (err != COF_OK)
        return err;
    copy = malloc(text.len + 1);
    if (copy == NULL) {
        cof_policy_free(policy);
        return COF_E_MEMORY;
    }
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    cof_policy_free(s->policies[slot].policy);
    free(s->policies[slot].text);
    s->policies[slot].policy = policy;
    s->policies[slot].text = copy;
    s->policies[slot].len = text.len;
    s->policies[slot].kind = kind;
    return COF_OK;
}

enum cof_err cof_standin_policy(
    struct cof_standin *s, struct cof_view text, enum cof_policy_kind kind, const struct cof_policy **out)
{
    size_t slot = find_slot(s, text, kind);
    enum cof_err err = is_in(s, slot, text, kind) ? COF_OK : fill_slot(s, slot, text, kind);

    *out = NULL;
    if (err != COF_OK)
        return err;
    s->policies[slot].used = s->n_decisions;
    *out = s->policies[slot].policy;
    return COF_OK;
}

void cof_standin_context_add_list(
    struct cof_standin_context *c, struct cof_view key, const struct cof_view *values, size_t n_values)
{
    if (c->n == COF_STANDIN_CONTEXT_MAX) {
        c->over = true;
        return;
    }
    c->items[c->n++] = (struct cof_context_value){key, values, n_values};
}

void cof_standin_context_add(struct cof_standin_context *c, struct cof_view key, struct cof_view value)
{
    if (c->n < COF_STANDIN_CONTEXT_MAX)
        c->values[c->n] = value;
    cof_standin_context_add_list(c, key, &c->values[c->n < COF_STANDIN_CONTEXT_MAX ? c->n : 0], 1);
}

/* Texts made for one decision. */
struct base_texts {
    char mfa_age[24], issued[COF_DATE_MAX], via[64];
};

/* What is known of every request. */
static void add_base(const struct cof_standin_request *req, const struct cof_standin_access *access,
    struct base_texts *texts, struct cof_standin_context *c)
{
    static const struct cof_iam_key none;
    const struct cof_iam_key *key = access->caller == NULL ? &req->principal->key : &none;
    struct cof_view agent;
    bool service = access->caller != NULL && access->caller->kind == COF_CALLER_SERVICE;
    int64_t mfa_ms = access->mfa_now ? req->now_ms : key->mfa_ms;

    cof_standin_context_add(c, COF_LIT("aws:SecureTransport"), req->tls ? COF_LIT("true") : COF_LIT("false"));
    if (access->via == NULL) /* spec: of a request that a service makes, the caller's address is not known */
        cof_standin_context_add(c, COF_LIT("aws:SourceIp"), cof_view_str(req->source_ip));
    cof_standin_context_add(c, COF_LIT("aws:RequestedRegion"), cof_view_str(req->region));
    cof_standin_context_add(c, COF_LIT("aws:PrincipalIsAWSService"), service ? COF_LIT("true") : COF_LIT("false"));
    if (service)
        cof_standin_context_add(c, COF_LIT("aws:PrincipalServiceName"), access->caller->arn);
    cof_standin_context_add(c, COF_LIT("aws:ViaAWSService"), access->via != NULL ? COF_LIT("true") : COF_LIT("false"));
    if (access->via != NULL) {
        (void)snprintf(texts->via, sizeof texts->via, "%s.amazonaws.com", access->via);
        cof_standin_context_add(c, COF_LIT("aws:CalledVia"), cof_view_str(texts->via));
        cof_standin_context_add(c, COF_LIT("aws:CalledViaFirst"), cof_view_str(texts->via));
        cof_standin_context_add(c, COF_LIT("aws:CalledViaLast"), cof_view_str(texts->via));
    }
    if (req->tls && strcmp(req->service, "s3") == 0)
        cof_standin_context_add(c, COF_LIT("s3:TlsVersion"), COF_LIT("1.3"));
    if (cof_headers_get(&req->head->headers, "user-agent", &agent))
        cof_standin_context_add(c, COF_LIT("aws:UserAgent"), agent);
    if (cof_headers_get(&req->head->headers, "referer", &agent))
        cof_standin_context_add(c, COF_LIT("aws:Referer"), agent);
    if (key->source_identity != NULL)
        cof_standin_context_add(c, COF_LIT("aws:SourceIdentity"), cof_view_str(key->source_identity));
    if (key->provider != NULL)
        cof_standin_context_add(c, COF_LIT("aws:FederatedProvider"), cof_view_str(key->provider));
    /* spec: the keys below are absent for long-term credentials */
    if (key->session_token != NULL || access->mfa_now)
        cof_standin_context_add(c, COF_LIT("aws:MultiFactorAuthPresent"), mfa_ms != 0 ? COF_LIT("true") : COF_LIT("false"));
    if (mfa_ms != 0) {
        (void)snprintf(texts->mfa_age, sizeof texts->mfa_age, "%lld", (long long)((req->now_ms - mfa_ms) / 1000));
        cof_standin_context_add(c, COF_LIT("aws:MultiFactorAuthAge"), cof_view_str(texts->mfa_age));
    }
    if (key->session_token == NULL)
        return;
    cof_date_iso_seconds(key->created_ms, texts->issued);
    cof_standin_context_add(c, COF_LIT("aws:TokenIssueTime"), cof_view_str(texts->issued));
}

/* The policies that speak; they belong to the cache. */
struct gathered {
    struct cof_named_policy identity[COF_IAM_POLICIES_MAX];
    struct cof_policy_set set;
};

static enum cof_err named(struct cof_standin *s, const char *name, struct cof_view text, enum cof_policy_kind kind,
                          struct cof_named_policy *out)
{
    out->name = name;
    return cof_standin_policy(s, text, kind, &out->policy);
}

static enum cof_err gather(struct cof_standin *s, const struct cof_standin_request *req,
    const struct cof_standin_access *access, struct gathered *g)
{
    const struct cof_iam_principal *p = req->principal;
    enum cof_err err = COF_OK;

    *g = (struct gathered){.set = {.identity = g->identity, .rule = access->rule}};
    s->n_decisions++;
    for (size_t i = 0; access->caller == NULL && i < p->entity.n_policies && err == COF_OK; i++) {
        err = named(s, p->entity.policies[i].name, cof_view_str(p->entity.policies[i].text), COF_POLICY_IDENTITY,
            &g->identity[i]);
        g->set.n_identity = i + 1;
    }
    if (err == COF_OK && access->resource_policy.len > 0)
        err = named(
            s, access->resource_policy_name, access->resource_policy, access->resource_policy_kind, &g->set.resource);
    if (err == COF_OK && access->caller == NULL && p->entity.boundary.text != NULL)
        err = named(s, "boundary", cof_view_str(p->entity.boundary.text), COF_POLICY_IDENTITY, &g->set.boundary);
    if (err == COF_OK && access->caller == NULL && p->key.session_policy != NULL)
        err = named(s, "session", cof_view_str(p->key.session_policy), COF_POLICY_IDENTITY, &g->set.session);
    return err;
}

/* The other resource policy decides alone when it allows; else the first answer stands. */
static enum cof_err ask_more(struct cof_standin *s, const struct cof_standin_access *access, const struct cof_access *a,
    struct gathered *g, struct cof_decision *d)
{
    struct cof_view text = access->more_policy(access->more_ctx);
    struct cof_decision other;
    enum cof_err err;

    if (text.len == 0)
        return COF_OK;
    err = named(s, "grant", text, COF_POLICY_RESOURCE, &g->set.resource);
    if (err != COF_OK)
        return err;
    other = cof_evaluate(&g->set, a);
    if (other.verdict == COF_VERDICT_ALLOW)
        *d = other;
    return COF_OK;
}

static const char *source_name(enum cof_policy_source source)
{
    switch (source) {
    case COF_SOURCE_RESOURCE:
        return "resource-based policy";
    case COF_SOURCE_BOUNDARY:
        return "permissions boundary";
    case COF_SOURCE_SESSION:
        return "session policy";
    case COF_SOURCE_NONE:
    case COF_SOURCE_IDENTITY:
    case COF_SOURCE_ROOT:
        break;
    }
    return "identity-based policy";
}

static void explain(const struct cof_access *a, const struct cof_decision *d, struct cof_buf *why)
{
    const char *source = source_name(d->source);

    cof_buf_add_str(why, "User: ");
    if (a->caller.kind == COF_CALLER_ANONYMOUS)
        cof_buf_add_str(why, "anonymous");
    cof_buf_add(why, a->caller.arn);
    cof_buf_add_str(why, " is not authorized to perform: ");
    cof_buf_add(why, a->action);
    cof_buf_add_str(why, " on resource: ");
    cof_buf_add(why, a->resource);
    if (d->verdict == COF_VERDICT_EXPLICIT_DENY) {
        cof_buf_printf(why, " with an explicit deny in %s %s", source[0] == 'i' ? "an" : "a", source);
    } else {
        cof_buf_printf(why, " because no %s allows the ", source);
        cof_buf_add(why, a->action);
        cof_buf_add_str(why, " action");
    }
}

/* The audit record says which statement of ours decided; the caller is told only what AWS tells. */
static void note(struct cof_standin_request *req, const struct cof_decision *d)
{
    if (d->verdict == COF_VERDICT_ALLOW)
        return;
    cof_standin_audit(req, "denied_by", cof_view_str(d->policy == NULL ? "no policy allows" : d->policy));
    if (d->sid.len > 0)
        cof_standin_audit(req, "denied_by_sid", d->sid);
}

static void name_action(struct cof_standin_request *req, const char *action)
{
    size_t len = strnlen(action, sizeof req->action - 1);

    memcpy(req->action, action, len);
    req->action[len] = '\0';
}

enum cof_err cof_standin_authorize(struct cof_standin *s, struct cof_standin_request *req,
    const struct cof_standin_access *access, struct cof_buf *why)
{
    struct cof_standin_context context COF_UNCLEARED;
    struct base_texts texts;
    struct gathered g;
    struct cof_access a = {.caller = access->caller != NULL ? *access->caller : req->principal->caller,
        .action = cof_view_str(access->action), .resource = access->resource, .now_ms = req->now_ms,
        .resource_account = access->resource_account.len > 0 ? access->resource_account : cof_view_str(s->account)};
    struct cof_decision d = {
        .verdict = COF_VERDICT_EXPLICIT_DENY, .policy = "a policy that cannot be read", .statement = SIZE_MAX};
    enum cof_err err;

    name_action(req, access->action);
    context.n = 0;
    context.over = false;
    add_base(req, access, &texts, &context);
    for (size_t i = 0; access->context != NULL && i < access->context->n; i++)
        cof_standin_context_add_list(&context, access->context->items[i].key, access->context->items[i].values,
            access->context->items[i].n_values);
    a.context = (struct cof_context){context.items, context.n};
    if (context.over || (access->context != NULL && access->context->over))
        return COF_E_LIMIT;
    err = gather(s, req, access, &g);
    if (err == COF_OK)
        d = cof_evaluate(&g.set, &a);
    if (err == COF_OK && d.verdict == COF_VERDICT_IMPLICIT_DENY && access->more_policy != NULL)
        err = ask_more(s, access, &a, &g, &d);
    if (err == COF_E_MEMORY)
        return err;
    note(req, &d);
    cof_trail_resource(req, access->action, access->resource, d.verdict == COF_VERDICT_ALLOW);
    if (d.verdict == COF_VERDICT_ALLOW) {
        req->authorized = true;
        return COF_OK;
    }
    if (why != NULL)
        explain(&a, &d, why);
    return COF_E_DENIED;
}

void cof_standin_public(struct cof_standin_request *req, const char *action)
{
    name_action(req, action);
    req->authorized = true;
}
