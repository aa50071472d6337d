/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer policy simulate: who may do what in a deployment, and why.
 */
#include "verbs.h"
#include "common.h"
#include "policy_show.h"

#include "io/clock.h"
#include "policy/deployment.h"
#include "policy/facts.h"
#include "policy/lint.h"
#include "policy/reach.h"
#include "policy/suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct config {
    const char *manifest, *principal, *action, *resource, *session, *policies;
    struct cof_text_list set, context;
    bool who_can, matrix, attested, all, json, html;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    {"manifest", 'm', COF_OPT_TEXT, "FILE", "the account: users, roles, keys, buckets, queues and their policies (deploy/local/manifest.json); "
     "or what `coffer policy generate` takes, with --policies", O(manifest)},
    {"policies", 0, COF_OPT_TEXT, "DIR", "the policies as `coffer policy generate --out DIR` wrote them", O(policies)},
    {"set", 0, COF_OPT_LIST, "NAME=VALUE", "a value for a hole of the policies; goes before the manifest's", O(set)},
    {"principal", 'p', COF_OPT_TEXT, "WHO", "a role or user by name or ARN, root, anonymous, or a service (ec2.amazonaws.com)", O(principal)},
    {"action", 'a', COF_OPT_TEXT, "ACTION", "as in kms:Decrypt (or the first argument)", O(action)},
    {"resource", 'r', COF_OPT_TEXT, "RESOURCE", "an ARN, a key's alias, s3://BUCKET/KEY, a queue or role by name, or * (or the second argument)", O(resource)},
    {"context", 'c', COF_OPT_LIST, "KEY=VALUE", "a condition key of the request; once more for a second value", O(context)},
    {"attested", 0, COF_OPT_FLAG, NULL, "as if from the measured enclave: PCR0, PCR1 and PCR2 have the manifest's values", O(attested)},
    {"session-policy", 0, COF_OPT_TEXT, "FILE", "a session policy that narrows the role's session", O(session)},
    {"who-can", 0, COF_OPT_FLAG, NULL, "ask for everybody of the account", O(who_can)},
    {"matrix", 0, COF_OPT_FLAG, NULL, "ask for everybody, every action that the policies name, and every resource", O(matrix)},
    {"all", 0, COF_OPT_FLAG, NULL, "also show the statements about other principals, actions and resources", O(all)},
    {"json", 0, COF_OPT_FLAG, NULL, "print the answer as JSON", O(json)},
    {"html", 0, COF_OPT_FLAG, NULL, "with --matrix: print a page to look at", O(html)},
};
static const struct cof_command command = {
    .name = "policy simulate",
    .args = "[ACTION RESOURCE]",
    .summary = "Tells who may do what in a deployment, which statements decide, and which condition fails with what values.",
    .details = "The policies are judged by the code that coffer-local asks. What a request has beside --context is taken to be ordinary: over TLS,\n"
               "by no other service, without MFA, without attestation. When something is denied, a context is looked for that would allow it.\n"
               "Exit code 0: allowed, or the table was printed. 3: denied. 2: wrong use. 1: a policy cannot be read.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 0,
    .max_args = 2,
};

struct asking {
    const struct config *config;
    struct policy_account *a;
    struct cof_simulate_request request;
    struct cof_simulate_context context;
    char arns[2][256];
    struct cof_diag *diag;
};

static enum cof_err unknown(const struct asking *k, const char *what, const char *text, struct cof_view near)
{
    (void)cof_diag_set(k->diag, COF_E_USAGE, "%s '%s' is not there", what, text);
    if (near.len > 0)
        cof_diag_hint(k->diag, "did you mean %.*s?", (int)near.len, (const char *)near.data);
    return COF_E_USAGE;
}

/* Those who are not in the manifest. */
static bool known_to_all(struct asking *k, const char *name)
{
    struct cof_caller *c = &k->request.caller;
    struct cof_view id = k->a->account.id, v = cof_view_str(name);

    if (strcmp(name, "anonymous") == 0) {
        c->kind = COF_CALLER_ANONYMOUS;
        return true;
    }
    c->account = id;
    if (strcmp(name, "root") == 0) {
        c->kind = COF_CALLER_ROOT;
        (void)snprintf(k->arns[0], sizeof k->arns[0], "arn:aws:iam::%.*s:root", (int)id.len, (const char *)id.data);
        c->arn = cof_view_str(k->arns[0]);
        c->user_id = id;
        return true;
    }
    if (!cof_view_ends(v, COF_LIT(".amazonaws.com")))
        return false;
    c->kind = COF_CALLER_SERVICE;
    c->account = (struct cof_view){0};
    c->arn = v;
    return true;
}

static enum cof_err find_principal(struct asking *k)
{
    const char *name = k->config->principal;
    struct cof_view v;

    k->request.identity = SIZE_MAX;
    if (k->config->who_can || k->config->matrix)
        return COF_OK;
    if (name == NULL)
        return cof_diag_set(k->diag, COF_E_USAGE, "who? give --principal, --who-can or --matrix");
    v = cof_view_str(name);
    k->request.identity = cof_account_find_identity(&k->a->account, v);
    if (k->request.identity != SIZE_MAX || known_to_all(k, name))
        return COF_OK;
    return unknown(k, "principal", name, cof_account_nearest_identity(&k->a->account, v));
}

static enum cof_err find_action(struct asking *k, const char *text)
{
    struct cof_view action = cof_view_str(text), prefix, name, near = {0};
    struct cof_suggestion service_near = {0};
    const struct cof_service_fact *service;
    const struct cof_action_fact *fact;

    k->request.action = action;
    if (cof_facts_action(action, &service, &fact))
        return COF_OK;
    (void)cof_view_split(action, ':', &prefix, &name);
    if (cof_view_find(action, '*') != SIZE_MAX || cof_view_find(action, '?') != SIZE_MAX) {
        (void)cof_diag_set(k->diag, COF_E_USAGE, "action '%s' is more than one", text);
        cof_diag_hint(k->diag, "name one; --matrix asks for all that the policies name");
        return COF_E_USAGE;
    }
    if (service == NULL && cof_view_find(action, ':') != SIZE_MAX) {
        for (size_t i = 0; cof_facts_service_at(i) != NULL; i++)
            cof_suggest_try(&service_near, prefix, cof_view_str(cof_facts_service_at(i)->prefix));
        near = cof_suggested(&service_near);
        if (near.len == 0)
            return COF_OK; /* of a service without a table */
        (void)unknown(k, "action", text, near);
        cof_diag_hint(k->diag, "did you mean %.*s:%.*s?", (int)near.len, (const char *)near.data, (int)name.len, (const char *)name.data);
        return COF_E_USAGE;
    }
    if (service == NULL)
        return unknown(k, "action", text, COF_LIT("kms:Decrypt, s3:GetObject or the like (service:Name)"));
    near = cof_facts_nearest_action(service, name);
    (void)unknown(k, "action", text, near);
    if (near.len > 0)
        cof_diag_hint(k->diag, "did you mean %s:%.*s?", service->prefix, (int)near.len, (const char *)near.data);
    return COF_E_USAGE;
}

static enum cof_err find_resource(struct asking *k, const char *text)
{
    struct cof_view v = cof_view_str(text);

    k->request.resource = cof_account_find_resource(&k->a->account, v, &k->request.arn);
    if (k->request.resource != SIZE_MAX)
        return COF_OK;
    k->request.arn = v;
    if (strcmp(text, "*") == 0)
        return COF_OK;
    return unknown(k, "resource", text, cof_account_nearest_resource(&k->a->account, v));
}

/* A question whose answer would be no for another reason than the policies: it is about another kind of thing. */
static enum cof_err check_fit(const struct asking *k)
{
    const struct cof_service_fact *service;
    const struct cof_action_fact *fact;

    if (!cof_facts_action(k->request.action, &service, &fact) || fact == NULL || cof_lint_fits(k->request.arn, service->prefix, fact->resources))
        return COF_OK;
    (void)cof_diag_set(k->diag, COF_E_USAGE, "%s:%s is not about %.*s", service->prefix, fact->name, (int)k->request.arn.len, (const char *)k->request.arn.data);
    if (fact->resources[0] == '\0')
        cof_diag_hint(k->diag, "it takes no resource: give *");
    else
        cof_diag_hint(k->diag, "it takes: %s", fact->resources);
    return COF_E_USAGE;
}

/* What no request can say. */
static enum cof_err check_key(const struct asking *k, struct cof_view key, struct cof_view value)
{
    struct cof_key_fact fact;
    struct cof_view prefix, rest, near;

    if (cof_facts_key(key, &fact)) {
        if (cof_view_eq_nocase(cof_view_sub(key, 0, 25), COF_LIT("kms:RecipientAttestation:")) && value.len != COF_PCR_HEX)
            return cof_diag_set(k->diag, COF_E_USAGE, "--context: a PCR is %d hex digits, and %.*s has %zu", COF_PCR_HEX, (int)key.len, (const char *)key.data, value.len);
        return COF_OK;
    }
    (void)cof_view_split(key, ':', &prefix, &rest);
    if (!cof_view_eq_nocase(prefix, COF_LIT("aws")) && cof_facts_service(prefix) == NULL)
        return COF_OK; /* of an issuer, or of a service without a table */
    (void)cof_diag_set(k->diag, COF_E_USAGE, "--context: there is no condition key %.*s", (int)key.len, (const char *)key.data);
    near = cof_facts_nearest_key(key);
    if (cof_view_ends(near, COF_LIT("#"))) /* stands for a register's number */
        cof_diag_hint(k->diag, "did you mean %.*s0 (to 31)?", (int)near.len - 1, (const char *)near.data);
    else if (near.len > 0)
        cof_diag_hint(k->diag, "did you mean %.*s?", (int)near.len, (const char *)near.data);
    return COF_E_USAGE;
}

static enum cof_err add_attestation(struct asking *k)
{
    static const struct { const char *value, *key; } pcrs[] = {{"pcr0", "kms:RecipientAttestation:ImageSha384"}, {"pcr0", "kms:RecipientAttestation:PCR0"},
        {"pcr1", "kms:RecipientAttestation:PCR1"}, {"pcr2", "kms:RecipientAttestation:PCR2"}};

    for (size_t i = 0; k->config->attested && i < sizeof pcrs / sizeof pcrs[0]; i++) {
        const char *value = cof_account_value_of(&k->a->account, pcrs[i].value);

        if (value == NULL)
            return cof_diag_set(k->diag, COF_E_USAGE, "--attested: the manifest has no value %s", pcrs[i].value);
        (void)cof_simulate_context_add(&k->context, cof_view_str(pcrs[i].key), cof_view_str(value));
    }
    return COF_OK;
}

static enum cof_err add_context(struct asking *k)
{
    for (size_t i = 0; i < k->config->context.n; i++) {
        struct cof_view key, value;
        enum cof_err err;

        if (!cof_view_split(cof_view_str(k->config->context.items[i]), '=', &key, &value) || key.len == 0 || cof_view_find(key, ':') == SIZE_MAX)
            return cof_diag_set(k->diag, COF_E_USAGE, "--context wants KEY=VALUE as in aws:SourceIp=203.0.113.7, not \"%s\"",
                                k->config->context.items[i]);
        err = check_key(k, key, value);
        if (err != COF_OK)
            return err;
        if (!cof_simulate_context_add(&k->context, key, value))
            return cof_diag_set(k->diag, COF_E_LIMIT, "--context: too many");
    }
    k->request.context = &k->context;
    return add_attestation(k);
}

/* A policy that AWS would refuse says nothing, and neither does a simulation with it. */
static enum cof_err check_policies(const struct asking *k)
{
    for (size_t i = 0; i < k->a->account.n_documents; i++) {
        const struct cof_document *d = &k->a->account.documents[i];

        if (d->sound)
            continue;
        (void)cof_diag_set(k->diag, COF_E_FORMAT, "%s: AWS would refuse this policy%s%s", d->file, d->refused[0] != '\0' ? ": " : "", d->refused);
        cof_diag_hint(k->diag, "see 'coffer policy lint %s'", d->file);
        return COF_E_FORMAT;
    }
    return COF_OK;
}

static enum cof_err answer(struct asking *k)
{
    enum policy_form form = k->config->html ? POLICY_HTML : k->config->json ? POLICY_JSON : POLICY_WORDS;
    bool allowed = true;
    enum cof_err err;

    if (k->config->matrix)
        return policy_show_matrix(k->a, &k->request, form);
    if (k->config->who_can)
        return policy_show_who(k->a, &k->request, form);
    err = policy_show_one(k->a, &k->request, k->config->all, form, &allowed);
    return err == COF_OK && !allowed ? cof_diag_set(k->diag, COF_E_AUTH, "denied") : err;
}

static enum cof_err ask(struct asking *k, char **args)
{
    const struct config *config = k->config;
    const char *action = config->action != NULL ? config->action : args[0];
    const char *resource = config->resource != NULL ? config->resource : args[0] == NULL ? NULL : config->action != NULL ? args[0] : args[1];
    enum cof_err err = check_policies(k);

    if (err == COF_OK && config->html && !config->matrix)
        err = cof_diag_set(k->diag, COF_E_USAGE, "--html is for --matrix");
    if (err == COF_OK)
        err = find_principal(k);
    if (err == COF_OK && !config->matrix && (action == NULL || resource == NULL))
        err = cof_diag_set(k->diag, COF_E_USAGE, "may do what? give ACTION and RESOURCE");
    if (err == COF_OK && !config->matrix)
        err = find_action(k, action);
    if (err == COF_OK && !config->matrix)
        err = find_resource(k, resource);
    if (err == COF_OK && !config->matrix)
        err = check_fit(k);
    if (err == COF_OK)
        err = add_context(k);
    if (err == COF_OK && config->session != NULL)
        err = policy_account_session(k->a, config->session, &k->request.session, k->diag);
    if (err == COF_OK && config->session != NULL)
        err = check_policies(k);
    return err == COF_OK ? answer(k) : err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    struct asking *k = calloc(1, sizeof *k);
    enum cof_err err;

    if (k == NULL)
        return COF_E_MEMORY;
    k->config = config;
    k->diag = diag;
    k->request.session = SIZE_MAX;
    k->request.now_ms = cof_clock_wall_ms();
    err = config->manifest == NULL ? cof_diag_set(diag, COF_E_USAGE, "which account? give --manifest") :
                                     policy_account_open(config->manifest, &config->set, &k->a, diag);
    if (err == COF_OK && config->policies != NULL)
        err = policy_account_add(k->a, config->policies, COF_DOCUMENT_UNKNOWN, diag);
    if (err == COF_OK && !k->a->is_account && config->policies == NULL) {
        err = cof_diag_set(diag, COF_E_USAGE, "%s names no policies", config->manifest);
        cof_diag_hint(diag, "write them by 'coffer policy generate --manifest %s --out DIR', and give --policies DIR", config->manifest);
    }
    if (err == COF_OK && !k->a->is_account)
        cof_account_guess(&k->a->account);
    if (err == COF_OK)
        err = ask(k, args);
    policy_account_close(k->a);
    free(k);
    return err;
}

static int run_simulate(int argc, char **argv)
{
    struct config config = {.manifest = NULL};

    return verb_run("coffer policy simulate", &command, &config, run, argc, argv);
}

const struct verb verb_policy_simulate = {"policy simulate", &command, run_simulate};
