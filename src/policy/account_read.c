/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/account.h"

#include <stdio.h>
#include <string.h>

struct manifest {
    struct cof_account *account;
    struct cof_view text;
    const char *name;
    struct cof_json_tree tree;
    cof_account_read_fn *read;
    void *ctx;
    struct cof_findings *findings;
    struct cof_diag *diag;
};

static const struct cof_json_node *at(const struct manifest *m, uint32_t index)
{
    return &m->tree.nodes[index];
}

static enum cof_err complain(const struct manifest *m, size_t byte, const char *what, struct cof_view detail)
{
    size_t line, column;

    cof_text_position(m->text, byte, &line, &column);
    return cof_diag_set(m->diag, COF_E_CONFIG, "%s:%zu:%zu: %s%s%.*s", m->name, line, column, what, detail.len > 0 ? ": " : "",
                        (int)(detail.len > 80 ? 80 : detail.len), detail.len > 0 ? (const char *)detail.data : "");
}

/* A member's text, filled in. Empty, and no error, when it is not there. */
static enum cof_err text(const struct manifest *m, uint32_t object, const char *name, struct cof_view *out)
{
    uint32_t i = cof_json_tree_member(&m->tree, object, name);
    struct cof_diag why = {0};
    struct cof_buf filled;
    enum cof_err err;

    *out = (struct cof_view){0};
    if (i == COF_JSON_NONE)
        return COF_OK;
    if (at(m, i)->kind != COF_JSON_STRING)
        return complain(m, at(m, i)->key_at, "a text is expected", at(m, i)->key);
    cof_buf_init(&filled, 65536);
    err = cof_template_fill(at(m, i)->text, m->account->values, m->account->n_values, &filled, &why);
    if (err == COF_OK)
        *out = cof_account_keep(m->account, cof_buf_view(&filled));
    else if (err != COF_E_MEMORY)
        err = complain(m, at(m, i)->at, "a hole without a value", at(m, i)->text);
    cof_buf_done(&filled);
    return err;
}

static enum cof_err needed(const struct manifest *m, uint32_t object, const char *name, struct cof_view *out)
{
    enum cof_err err = text(m, object, name, out);

    return err == COF_OK && out->len == 0 ? complain(m, at(m, object)->at, "this has no member", cof_view_str(name)) : err;
}

/* A policy that stands here, or in a file of its own. */
static enum cof_err document(const struct manifest *m, uint32_t index, enum cof_document_kind kind, size_t *out)
{
    struct cof_document_source source = {.file = m->name, .text = m->text, .kind = kind, .from = at(m, index)->at, .to = at(m, index)->end};
    uint32_t file = cof_json_tree_member(&m->tree, index, "$file");
    enum cof_err err = COF_OK;

    if (file != COF_JSON_NONE && at(m, file)->kind == COF_JSON_STRING) {
        source.from = source.to = 0;
        err = m->read(m->ctx, (const char *)cof_account_keep(m->account, at(m, file)->text).data, &source.text, &source.file, m->diag);
    }
    if (err != COF_OK)
        return err;
    *out = cof_account_add_document(m->account, source, m->findings);
    return *out == SIZE_MAX ? complain(m, at(m, index)->at, "there are too many policies", (struct cof_view){0}) : COF_OK;
}

static enum cof_err policies(const struct manifest *m, uint32_t entity, struct cof_account_identity *p)
{
    uint32_t list = cof_json_tree_member(&m->tree, entity, "policies");
    enum cof_err err = COF_OK;

    if (list == COF_JSON_NONE || at(m, list)->kind != COF_JSON_ARRAY)
        return COF_OK;
    for (uint32_t i = at(m, list)->first; i != COF_JSON_NONE && err == COF_OK; i = at(m, i)->next) {
        uint32_t doc = cof_json_tree_member(&m->tree, i, "document");

        if (doc == COF_JSON_NONE)
            return complain(m, at(m, i)->at, "this policy has no document", (struct cof_view){0});
        if (p->n_policies == COF_ACCOUNT_POLICIES_MAX)
            return complain(m, at(m, i)->at, "there are too many policies", (struct cof_view){0});
        err = document(m, doc, COF_DOCUMENT_IDENTITY, &p->policies[p->n_policies]);
        p->n_policies += err == COF_OK;
    }
    return err;
}

static enum cof_err tags(const struct manifest *m, uint32_t entity, struct cof_account_identity *p)
{
    uint32_t list = cof_json_tree_member(&m->tree, entity, "tags");

    if (list == COF_JSON_NONE || at(m, list)->kind != COF_JSON_OBJECT)
        return COF_OK;
    for (uint32_t i = at(m, list)->first; i != COF_JSON_NONE && p->n_tags < COF_ACCOUNT_TAGS_MAX; i = at(m, i)->next)
        p->tags[p->n_tags++] = (struct cof_tag){cof_account_keep(m->account, at(m, i)->key), cof_account_keep(m->account, at(m, i)->text)};
    return COF_OK;
}

static enum cof_err arn_of(const struct manifest *m, struct cof_view *out, const char *service, bool regional, const char *kind,
                           struct cof_view path, struct cof_view name)
{
    struct cof_buf arn;

    cof_buf_init(&arn, 2048);
    cof_buf_printf(&arn, "arn:aws:%s:", service);
    if (regional)
        cof_buf_add(&arn, m->account->region);
    cof_buf_add_str(&arn, ":");
    cof_buf_add(&arn, m->account->id);
    cof_buf_printf(&arn, ":%s", kind);
    cof_buf_add(&arn, path);
    cof_buf_add(&arn, name);
    *out = cof_account_keep(m->account, cof_buf_view(&arn));
    cof_buf_done(&arn);
    return out->len == 0 ? COF_E_MEMORY : COF_OK;
}

static enum cof_err identity(const struct manifest *m, uint32_t entity, bool role)
{
    struct cof_view name, path, arn;
    uint32_t trust = cof_json_tree_member(&m->tree, entity, "trust"), boundary = cof_json_tree_member(&m->tree, entity, "boundary");
    struct cof_account_identity *p;
    size_t index, doc = SIZE_MAX;
    enum cof_err err = needed(m, entity, "name", &name);

    if (err == COF_OK)
        err = text(m, entity, "path", &path);
    if (err == COF_OK)
        err = arn_of(m, &arn, "iam", false, role ? "role" : "user", path.len > 0 ? path : COF_LIT("/"), name);
    if (err != COF_OK)
        return err;
    index = cof_account_add_identity(m->account, role, arn);
    if (index == SIZE_MAX)
        return complain(m, at(m, entity)->at, "there are too many users and roles", (struct cof_view){0});
    p = &m->account->identities[index];
    err = policies(m, entity, p);
    if (err == COF_OK)
        err = tags(m, entity, p);
    if (err == COF_OK && boundary != COF_JSON_NONE)
        err = document(m, boundary, COF_DOCUMENT_BOUNDARY, &p->boundary);
    if (err == COF_OK && role && trust != COF_JSON_NONE)
        err = document(m, trust, COF_DOCUMENT_TRUST, &doc);
    if (err == COF_OK && role && cof_account_add_resource(m->account, COF_ACCOUNT_ROLE, arn, (struct cof_view){0}, doc) == SIZE_MAX)
        err = complain(m, at(m, entity)->at, "there are too many resources", (struct cof_view){0});
    return err;
}

static enum cof_err resource(const struct manifest *m, uint32_t entity, enum cof_account_kind kind)
{
    uint32_t policy = cof_json_tree_member(&m->tree, entity, "policy");
    struct cof_view name, alias = {0}, arn = {0}, none = {0};
    size_t doc = SIZE_MAX;
    enum cof_err err = needed(m, entity, kind == COF_ACCOUNT_KEY ? "id" : "name", &name);

    if (err == COF_OK)
        err = text(m, entity, "alias", &alias);
    if (err != COF_OK)
        return err;
    if (kind == COF_ACCOUNT_KEY)
        err = arn_of(m, &arn, "kms", true, "key/", none, name);
    else if (kind == COF_ACCOUNT_QUEUE)
        err = arn_of(m, &arn, "sqs", true, "", none, name);
    else {
        struct cof_buf b;

        cof_buf_init(&b, 512);
        cof_buf_add_str(&b, "arn:aws:s3:::");
        cof_buf_add(&b, name);
        arn = cof_account_keep(m->account, cof_buf_view(&b));
        cof_buf_done(&b);
    }
    if (err == COF_OK && policy != COF_JSON_NONE)
        err = document(m, policy, kind == COF_ACCOUNT_KEY ? COF_DOCUMENT_KEY : kind == COF_ACCOUNT_BUCKET ? COF_DOCUMENT_BUCKET : COF_DOCUMENT_QUEUE,
                       &doc);
    if (err == COF_OK && cof_account_add_resource(m->account, kind, arn, alias, doc) == SIZE_MAX)
        err = complain(m, at(m, entity)->at, "there are too many resources", (struct cof_view){0});
    return err;
}

static enum cof_err values(const struct manifest *m)
{
    uint32_t list = cof_json_tree_member(&m->tree, 0, "values");
    enum cof_err err = COF_OK;

    if (list == COF_JSON_NONE || at(m, list)->kind != COF_JSON_OBJECT)
        return COF_OK;
    for (uint32_t i = at(m, list)->first; i != COF_JSON_NONE && err == COF_OK; i = at(m, i)->next) {
        struct cof_diag why = {0};

        err = cof_account_value(m->account, at(m, i)->key, at(m, i)->text, &why);
        if (err != COF_OK && err != COF_E_MEMORY)
            err = complain(m, at(m, i)->at, "no value for a hole in", at(m, i)->key);
    }
    return err;
}

static enum cof_err all(const struct manifest *m)
{
    static const struct { const char *name; int kind; } lists[] = {
        {"users", -2}, {"roles", -1}, {"keys", COF_ACCOUNT_KEY}, {"buckets", COF_ACCOUNT_BUCKET}, {"queues", COF_ACCOUNT_QUEUE}};
    enum cof_err err = values(m);

    if (err == COF_OK)
        err = needed(m, 0, "account", &m->account->id);
    if (err == COF_OK)
        err = needed(m, 0, "region", &m->account->region);
    for (size_t k = 0; k < sizeof lists / sizeof lists[0] && err == COF_OK; k++) {
        uint32_t list = cof_json_tree_member(&m->tree, 0, lists[k].name);

        if (list == COF_JSON_NONE)
            continue;
        if (at(m, list)->kind != COF_JSON_ARRAY)
            return complain(m, at(m, list)->key_at, "a list is expected", at(m, list)->key);
        for (uint32_t i = at(m, list)->first; i != COF_JSON_NONE && err == COF_OK; i = at(m, i)->next)
            err = lists[k].kind < 0 ? identity(m, i, lists[k].kind == -1) : resource(m, i, (enum cof_account_kind)lists[k].kind);
    }
    return err;
}

enum cof_err cof_account_read(struct cof_account *account, struct cof_view text_given, const char *name, cof_account_read_fn *read, void *ctx,
                              struct cof_findings *findings, struct cof_diag *diag)
{
    struct manifest m = {.account = account, .text = text_given, .name = name, .read = read, .ctx = ctx, .findings = findings, .diag = diag};
    struct cof_json_fault fault = {0};
    enum cof_err err = cof_json_tree_parse(text_given, &m.tree, &fault);

    if (err == COF_E_FORMAT) {
        err = complain(&m, fault.at, fault.what, (struct cof_view){0});
        cof_diag_hint(diag, "%s", fault.mend);
    } else if (err == COF_OK && at(&m, 0)->kind != COF_JSON_OBJECT) {
        err = complain(&m, 0, "a manifest is a JSON object", (struct cof_view){0});
    } else if (err == COF_OK) {
        err = all(&m);
    }
    cof_json_tree_done(&m.tree);
    return err;
}
