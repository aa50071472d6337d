/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/account.h"

#include "policy/suggest.h"

#include <stdlib.h>
#include <string.h>

void cof_account_init(struct cof_account *account)
{
    *account = (struct cof_account){0};
}

void cof_account_done(struct cof_account *account)
{
    if (account == NULL)
        return;
    for (size_t i = 0; i < account->n_documents; i++)
        cof_document_done(&account->documents[i]);
    for (size_t i = 0; i < account->n_owned; i++)
        free(account->owned[i]);
    free(account->owned);
    *account = (struct cof_account){0};
}

struct cof_view cof_account_keep(struct cof_account *account, struct cof_view text)
{
    char *copy = malloc(text.len + 1), **grown = realloc(account->owned, (account->n_owned + 1) * sizeof *grown);

    if (grown != NULL)
        account->owned = grown;
    if (copy == NULL || grown == NULL) {
        free(copy);
        return (struct cof_view){0};
    }
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    grown[account->n_owned++] = copy;
    return cof_view_of(copy, text.len);
}

enum cof_err cof_account_value(struct cof_account *account, struct cof_view name, struct cof_view text, struct cof_diag *diag)
{
    struct cof_buf filled;
    enum cof_err err;

    for (size_t i = 0; i < account->n_values; i++)
        if (cof_view_eq_str(name, account->values[i].name))
            return COF_OK;
    if (account->n_values == COF_ACCOUNT_VALUES_MAX)
        return cof_diag_set(diag, COF_E_LIMIT, "more than %d values", COF_ACCOUNT_VALUES_MAX);
    cof_buf_init(&filled, 65536);
    err = cof_template_fill(text, account->values, account->n_values, &filled, diag);
    if (err == COF_OK) {
        struct cof_template_value *v = &account->values[account->n_values];

        v->name = (const char *)cof_account_keep(account, name).data;
        v->value = (const char *)cof_account_keep(account, cof_buf_view(&filled)).data;
        err = v->name == NULL || v->value == NULL ? COF_E_MEMORY : COF_OK;
        account->n_values += err == COF_OK;
    }
    cof_buf_done(&filled);
    return err;
}

const char *cof_account_value_of(const struct cof_account *account, const char *name)
{
    for (size_t i = 0; i < account->n_values; i++)
        if (strcmp(account->values[i].name, name) == 0)
            return account->values[i].value;
    return NULL;
}

size_t cof_account_add_document(struct cof_account *account, struct cof_document_source source, struct cof_findings *findings)
{
    struct cof_view file = cof_account_keep(account, cof_view_str(source.file));

    if (account->n_documents == COF_ACCOUNT_DOCUMENTS_MAX || file.data == NULL)
        return SIZE_MAX;
    source.file = (const char *)file.data; /* a pointer of its own: decisions name their policy by it */
    source.index = account->n_documents;
    if (source.values == NULL) {
        source.values = account->values;
        source.n_values = account->n_values;
    }
    if (cof_document_read(&source, findings, &account->documents[account->n_documents]) != COF_OK) {
        cof_document_done(&account->documents[account->n_documents]);
        return SIZE_MAX;
    }
    return account->n_documents++;
}

/* What is behind the last '/' or ':'. */
static struct cof_view last_part(struct cof_view arn)
{
    for (size_t i = arn.len; i > 0; i--)
        if (arn.data[i - 1] == '/' || arn.data[i - 1] == ':')
            return cof_view_sub(arn, i, SIZE_MAX);
    return arn;
}

size_t cof_account_add_identity(struct cof_account *account, bool role, struct cof_view arn)
{
    struct cof_account_identity *p = &account->identities[account->n_identities];
    struct cof_view part, rest = arn, id = {0};
    struct cof_buf text;

    if (account->n_identities == COF_ACCOUNT_MAX)
        return SIZE_MAX;
    for (int i = 0; i < 5; i++)
        if (cof_view_split(rest, ':', &part, &rest) && i == 4)
            id = part;
    *p = (struct cof_account_identity){.role = role, .arn = cof_account_keep(account, arn), .boundary = SIZE_MAX};
    p->name = last_part(p->arn);
    p->account = cof_account_keep(account, id);
    cof_buf_init(&text, 4096);
    cof_buf_add_str(&text, "arn:aws:sts::");
    cof_buf_add(&text, id);
    cof_buf_add_str(&text, ":assumed-role/");
    cof_buf_add(&text, p->name);
    cof_buf_add_str(&text, "/simulated");
    p->session_arn = role ? cof_account_keep(account, cof_buf_view(&text)) : p->arn;
    p->user_id = role ? COF_LIT("AROASIMULATED0000000:simulated") : COF_LIT("AIDASIMULATED0000000");
    cof_buf_done(&text);
    return p->arn.data == NULL || p->session_arn.data == NULL ? SIZE_MAX : account->n_identities++;
}

size_t cof_account_add_resource(struct cof_account *account, enum cof_account_kind kind, struct cof_view arn, struct cof_view alias,
                                size_t policy)
{
    struct cof_account_resource *r = &account->resources[account->n_resources];

    if (account->n_resources == COF_ACCOUNT_MAX)
        return SIZE_MAX;
    *r = (struct cof_account_resource){.kind = kind, .arn = cof_account_keep(account, arn), .policy = policy};
    r->alias = alias.len > 0 ? cof_account_keep(account, alias) : alias;
    r->name = last_part(r->arn);
    return r->arn.data == NULL ? SIZE_MAX : account->n_resources++;
}

size_t cof_account_find_identity(const struct cof_account *account, struct cof_view name)
{
    for (size_t i = 0; i < account->n_identities; i++)
        if (cof_view_eq(name, account->identities[i].name) || cof_view_eq(name, account->identities[i].arn) ||
            cof_view_eq(name, account->identities[i].session_arn))
            return i;
    for (size_t i = 0; i < account->n_identities; i++) { /* "consumer" for coffer-consumer */
        struct cof_view n = account->identities[i].name;

        if (name.len > 0 && n.len > name.len && cof_view_ends(n, name) && n.data[n.len - name.len - 1] == '-')
            return i;
    }
    return SIZE_MAX;
}

/* "key/..." of an object's ARN or URL behind the bucket's name. */
static bool in_bucket(const struct cof_account_resource *r, struct cof_view name, struct cof_view *object)
{
    struct cof_view bucket;

    if (cof_view_starts(name, COF_LIT("arn:aws:s3:::")))
        name = cof_view_sub(name, sizeof "arn:aws:s3:::" - 1, SIZE_MAX);
    else if (cof_view_starts(name, COF_LIT("s3://")))
        name = cof_view_sub(name, sizeof "s3://" - 1, SIZE_MAX);
    (void)cof_view_split(name, '/', &bucket, object);
    return r->kind == COF_ACCOUNT_BUCKET && cof_view_eq(bucket, r->name);
}

size_t cof_account_find_resource(struct cof_account *account, struct cof_view name, struct cof_view *arn)
{
    for (size_t i = 0; i < account->n_resources; i++) {
        const struct cof_account_resource *r = &account->resources[i];
        struct cof_view object;
        struct cof_buf text;

        *arn = r->arn;
        if (cof_view_eq(name, r->arn) || cof_view_eq(name, r->name) || (r->alias.len > 0 && cof_view_eq(name, r->alias)))
            return i;
        if (!in_bucket(r, name, &object))
            continue;
        if (object.len == 0)
            return i;
        cof_buf_init(&text, 4096);
        cof_buf_add(&text, r->arn);
        cof_buf_add_u8(&text, '/');
        cof_buf_add(&text, object);
        *arn = cof_account_keep(account, cof_buf_view(&text));
        cof_buf_done(&text);
        return i;
    }
    *arn = (struct cof_view){0};
    return SIZE_MAX;
}

struct cof_view cof_account_nearest_identity(const struct cof_account *account, struct cof_view name)
{
    struct cof_suggestion s = {0};
    struct cof_view head, tail;

    for (size_t i = 0; i < account->n_identities; i++) {
        cof_suggest_try(&s, name, account->identities[i].name);
        cof_suggest_try(&s, name, account->identities[i].arn);
        if (cof_view_split(account->identities[i].name, '-', &head, &tail))
            cof_suggest_try(&s, name, tail);
    }
    return cof_suggested(&s);
}

struct cof_view cof_account_nearest_resource(const struct cof_account *account, struct cof_view name)
{
    struct cof_suggestion s = {0};

    for (size_t i = 0; i < account->n_resources; i++) {
        cof_suggest_try(&s, name, account->resources[i].name);
        cof_suggest_try(&s, name, account->resources[i].arn);
        if (account->resources[i].alias.len > 0)
            cof_suggest_try(&s, name, account->resources[i].alias);
    }
    return cof_suggested(&s);
}
