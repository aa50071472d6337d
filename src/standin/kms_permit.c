/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_permit.h"

#include "base/codec.h"
#include "standin/kms_grants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an attested request adds. */
struct pcr_texts {
    char values[COF_ATTEST_PCRS][2 * COF_ATTEST_PCR_SIZE + 1];
    char names[COF_ATTEST_PCRS][64];
};

/* Texts that the condition context's views point to. */
struct texts {
    struct cof_buf tag_names, context_names; /* one after another; each is filled once, since it may move while it grows */
    struct cof_view keys[COF_STANDIN_CONTEXT_MAX], aliases[COF_STANDIN_CONTEXT_MAX];
    char via[128];
    struct pcr_texts *pcrs; /* NULL: not attested */
};

static void texts_init(struct texts *t)
{
    cof_buf_init(&t->tag_names, 65536);
    cof_buf_init(&t->context_names, 65536);
    t->pcrs = NULL;
}

static void texts_done(struct texts *t)
{
    cof_buf_done(&t->tag_names);
    cof_buf_done(&t->context_names);
    free(t->pcrs);
}

static struct cof_view text_of(const json_t *value)
{
    return cof_view_of(json_string_value(value), json_string_length(value));
}

/* PREFIX + name -> value for each member; all names are put into the empty builder before the first view is taken. */
static void add_members(const char *prefix, const json_t *object, struct cof_buf *names, struct cof_standin_context *out)
{
    json_t *mutable = (json_t *)(uintptr_t)object;
    size_t at = 0, prefix_len = strlen(prefix);
    const char *name;
    json_t *value;

    json_object_foreach(mutable, name, value) {
        cof_buf_add_str(names, prefix);
        cof_buf_add_str(names, name);
    }
    if (cof_buf_err(names) != COF_OK) {
        out->over = true;
        return;
    }
    json_object_foreach(mutable, name, value) {
        size_t len = prefix_len + strlen(name);

        cof_standin_context_add(out, cof_view_sub(cof_buf_view(names), at, len), text_of(value));
        at += len;
    }
}

static void add_encryption_context(const json_t *context, struct texts *t, struct cof_standin_context *out)
{
    json_t *mutable = (json_t *)(uintptr_t)context;
    const char *name;
    json_t *value;
    size_t n = 0;

    if (json_object_size(context) == 0)
        return;
    if (json_object_size(context) > COF_STANDIN_CONTEXT_MAX) {
        out->over = true;
        return;
    }
    add_members("kms:EncryptionContext:", context, &t->context_names, out);
    json_object_foreach(mutable, name, value)
        t->keys[n++] = cof_view_str(name);
    cof_standin_context_add_list(out, COF_LIT("kms:EncryptionContextKeys"), t->keys, n);
}

/* What the VERIFIED document says; without one these keys are absent, and so every condition on them fails. */
static void add_attestation(const struct cof_attest *attest, struct texts *t, struct cof_standin_context *out)
{
    if (attest == NULL)
        return;
    t->pcrs = calloc(1, sizeof *t->pcrs);
    if (t->pcrs == NULL) {
        out->over = true;
        return;
    }
    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++) {
        if ((attest->doc.pcr_mask >> i & 1) == 0)
            continue;
        cof_hex_encode(attest->doc.pcrs[i].data, COF_ATTEST_PCR_SIZE, t->pcrs->values[i]);
        (void)snprintf(t->pcrs->names[i], sizeof t->pcrs->names[i], "kms:RecipientAttestation:PCR%u", i);
        cof_standin_context_add(out, cof_view_str(t->pcrs->names[i]), cof_view_str(t->pcrs->values[i]));
        if (i == 0)
            cof_standin_context_add(out, COF_LIT("kms:RecipientAttestation:ImageSha384"), cof_view_str(t->pcrs->values[i]));
    }
}

static void add_key(const struct cof_kms_key *key, struct texts *t, struct cof_standin_context *out)
{
    const json_t *aliases = json_object_get(key->record, "aliases");
    size_t n = json_array_size(aliases);

    cof_standin_context_add(out, COF_LIT("kms:KeySpec"), cof_view_str(key->spec->name));
    cof_standin_context_add(out, COF_LIT("kms:KeyUsage"), cof_view_str(cof_kms_usage_name(key->usage)));
    cof_standin_context_add(out, COF_LIT("kms:CustomerMasterKeySpec"), cof_view_str(key->spec->name));
    cof_standin_context_add(out, COF_LIT("kms:CustomerMasterKeyUsage"), cof_view_str(cof_kms_usage_name(key->usage)));
    cof_standin_context_add(out, COF_LIT("kms:KeyOrigin"), COF_LIT("AWS_KMS"));
    cof_standin_context_add(out, COF_LIT("kms:MultiRegion"), COF_LIT("false"));
    for (size_t i = 0; i < n && i < COF_STANDIN_CONTEXT_MAX; i++)
        t->aliases[i] = text_of(json_array_get(aliases, i));
    if (n > 0)
        cof_standin_context_add_list(out, COF_LIT("kms:ResourceAliases"), t->aliases,
                                     n < COF_STANDIN_CONTEXT_MAX ? n : COF_STANDIN_CONTEXT_MAX);
    add_members("aws:ResourceTag/", json_object_get(key->record, "tags"), &t->tag_names, out);
}

static void add_all(struct cof_standin *s, const struct cof_standin_request *req, const struct cof_kms_asking *asking,
                    struct texts *t, struct cof_standin_context *out)
{
    for (size_t i = 0; i < asking->n_more; i++)
        cof_standin_context_add_list(out, asking->more[i].key, asking->more[i].values, asking->more[i].n_values);
    if (req->principal->caller.account.len > 0)
        cof_standin_context_add(out, COF_LIT("kms:CallerAccount"), req->principal->caller.account);
    if (asking->key != NULL)
        add_key(asking->key, t, out);
    if (asking->alias.len > 0)
        cof_standin_context_add(out, COF_LIT("kms:RequestAlias"), asking->alias);
    add_encryption_context(asking->context, t, out);
    add_attestation(asking->attest, t, out);
    if (asking->via != NULL) {
        (void)snprintf(t->via, sizeof t->via, "%s.%s.amazonaws.com", asking->via, cof_standin_region(s));
        cof_standin_context_add(out, COF_LIT("kms:ViaService"), cof_view_str(t->via));
    }
}

struct granting {
    struct cof_standin *s;
    const struct cof_standin_request *req;
    const struct cof_kms_asking *asking;
    struct cof_buf text;
};

/* The grant that allows this, put as a policy: then users and sessions are treated as such. */
static struct cof_view by_grant(void *ctx)
{
    struct granting *g = ctx;

    cof_kms_grants_find(g->s, g->req, g->asking, &g->text);
    return cof_buf_view(&g->text);
}

static struct cof_standin_access access_of(const struct cof_kms_asking *asking)
{
    struct cof_standin_access access = {.action = asking->action,
        .resource = asking->resource,
        .rule = asking->key == NULL || asking->resource.len > 0 ? COF_RESOURCE_EITHER : COF_RESOURCE_AUTHORITATIVE,
        .resource_policy_name = "key-policy", .resource_policy_kind = COF_POLICY_RESOURCE, .via = asking->via};

    if (asking->resource.len == 0)
        access.resource = asking->key == NULL ? COF_LIT("*") : cof_view_str(asking->key->arn);
    if (asking->key != NULL && asking->resource.len == 0)
        access.resource_policy = cof_kms_key_policy(asking->key);
    return access;
}

enum cof_err cof_kms_permit(struct cof_standin *s, struct cof_standin_request *req, const struct cof_kms_asking *asking,
                            struct cof_buf *why)
{
    struct cof_standin_access access = access_of(asking);
    struct granting granting = {.s = s, .req = req, .asking = asking};
    struct cof_standin_context conditions COF_UNCLEARED;
    struct texts t COF_UNCLEARED;
    enum cof_err err;

    conditions.n = 0;
    conditions.over = false;
    texts_init(&t);
    cof_buf_init(&granting.text, 4096);
    add_all(s, req, asking, &t, &conditions);
    access.context = &conditions;
    if (asking->key == NULL) /* what belongs to no key is the caller's own account's matter */
        access.resource_account = req->principal->caller.account;
    if (asking->key != NULL && asking->resource.len == 0) {
        access.more_policy = by_grant;
        access.more_ctx = &granting;
    }
    err = cof_standin_authorize(s, req, &access, why);
    texts_done(&t);
    cof_buf_done(&granting.text);
    return err;
}

enum cof_err cof_kms_permit_later(struct cof_standin *s, struct cof_standin_request *req,
                                  const struct cof_kms_asking *asking, struct cof_view policy)
{
    struct cof_standin_access access = access_of(asking);
    struct cof_caller root = {.kind = COF_CALLER_ROOT, .account = cof_view_str(cof_standin_account(s))};
    char root_arn[64], action[sizeof req->action];
    struct cof_standin_context conditions COF_UNCLEARED;
    struct texts t COF_UNCLEARED;
    enum cof_err err;

    (void)snprintf(root_arn, sizeof root_arn, "arn:aws:iam::%s:root", cof_standin_account(s));
    root.arn = cof_view_str(root_arn);
    memcpy(action, req->action, sizeof action);
    conditions.n = 0;
    conditions.over = false;
    texts_init(&t);
    add_all(s, req, asking, &t, &conditions);
    access.context = &conditions;
    access.rule = COF_RESOURCE_AUTHORITATIVE;
    access.resource_policy = policy;
    access.caller = &req->principal->caller;
    req->notes.silent = true; /* the question is ours, not the caller's */
    err = cof_standin_authorize(s, req, &access, NULL);
    if (err == COF_E_DENIED) {
        access.caller = &root;
        err = cof_standin_authorize(s, req, &access, NULL);
    }
    req->notes.silent = false;
    memcpy(req->action, action, sizeof action);
    texts_done(&t);
    return err;
}
