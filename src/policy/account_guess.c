/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/reach.h"

#include <stdio.h>
#include <string.h>

/* A file's name without folder and ending. */
static struct cof_view stem_of(const char *file)
{
    const char *slash = strrchr(file, '/'), *name = slash != NULL ? slash + 1 : file, *dot = strrchr(name, '.');

    return cof_view_of(name, dot != NULL ? (size_t)(dot - name) : strlen(name));
}

/* "PREFIX-NAME.json" and a value "NAME" SUFFIX: that value. */
static struct cof_view by_convention(const struct cof_account *account, struct cof_view stem, const char *prefix, const char *suffix)
{
    struct cof_view name = cof_view_starts(stem, cof_view_str(prefix)) ? cof_view_sub(stem, strlen(prefix), SIZE_MAX) : stem;
    char wanted[128];
    const char *value;

    if (snprintf(wanted, sizeof wanted, "%.*s%s", (int)name.len, (const char *)name.data, suffix) >= (int)sizeof wanted)
        return (struct cof_view){0};
    value = cof_account_value_of(account, wanted);
    return cof_view_str(value);
}

static struct cof_view part_of(struct cof_view arn, int index)
{
    struct cof_view part = {0}, rest = arn;

    for (int i = 0; i <= index; i++)
        (void)cof_view_split(rest, ':', &part, &rest);
    return part;
}

static bool is_exact_key(struct cof_view v)
{
    return cof_view_starts(v, COF_LIT("arn:aws:kms:")) && cof_view_starts(part_of(v, 5), COF_LIT("key/")) && cof_view_find(v, '*') == SIZE_MAX &&
           cof_view_find(v, '$') == SIZE_MAX;
}

/* Account and region from the values, or from what the policies name. */
static void find_home(struct cof_account *account)
{
    const char *id = cof_account_value_of(account, "account"), *region = cof_account_value_of(account, "region");

    account->id = cof_view_str(id);
    account->region = cof_view_str(region);
    for (size_t d = 0; d < account->n_documents; d++)
        for (size_t s = 0; account->documents[d].policy != NULL && s < account->documents[d].policy->n_statements; s++) {
            const struct cof_statement *st = &account->documents[d].policy->statements[s];

            for (size_t i = 0; i < st->n_principals && account->id.len == 0; i++)
                account->id = st->principals[i].kind == COF_PRINCIPAL_ACCOUNT ? st->principals[i].value :
                              st->principals[i].kind == COF_PRINCIPAL_ARN ? part_of(st->principals[i].value, 4) : account->id;
            for (size_t i = 0; i < st->n_resources; i++) {
                if (!is_exact_key(st->resources[i]))
                    continue;
                account->id = account->id.len > 0 ? account->id : part_of(st->resources[i], 4);
                account->region = account->region.len > 0 ? account->region : part_of(st->resources[i], 3);
            }
        }
    if (!cof_is_account(account->id))
        account->id = COF_LIT("111122223333");
    if (account->region.len == 0)
        account->region = COF_LIT("us-east-1");
}

static size_t find(const struct cof_account *account, struct cof_view arn)
{
    for (size_t i = 0; i < account->n_resources; i++)
        if (cof_view_eq(account->resources[i].arn, arn))
            return i;
    return SIZE_MAX;
}

static struct cof_view made_up_key(struct cof_account *account, struct cof_view name)
{
    char text[640];

    (void)snprintf(text, sizeof text, "arn:aws:kms:%.*s:%.*s:key/%.*s", (int)account->region.len, (const char *)account->region.data, (int)account->id.len,
                   (const char *)account->id.data, (int)name.len, (const char *)name.data);
    return cof_account_keep(account, cof_view_str(text));
}

/* The bucket or queue that a policy is about is the one its statements name. */
static struct cof_view own_resource(const struct cof_document *d)
{
    for (size_t s = 0; s < d->policy->n_statements; s++)
        for (size_t i = 0; i < d->policy->statements[s].n_resources; i++) {
            struct cof_view v = d->policy->statements[s].resources[i], name = part_of(v, 5), head, tail;

            if (!cof_view_starts(v, COF_LIT("arn:")) || name.len == 0 || cof_view_eq_str(name, "*"))
                continue;
            if (d->kind == COF_DOCUMENT_BUCKET && cof_view_split(name, '/', &head, &tail))
                return cof_view_sub(v, 0, v.len - tail.len - 1);
            return v;
        }
    return (struct cof_view){0};
}

static void add_guarded(struct cof_account *account, size_t index, size_t n_keys)
{
    const struct cof_document *d = &account->documents[index];
    struct cof_view arn = {0};

    if (d->kind == COF_DOCUMENT_KEY) {
        arn = by_convention(account, stem_of(d->file), "key-", "_key_arn");
        if (arn.len == 0 && n_keys > 1)
            arn = made_up_key(account, stem_of(d->file));
        if (arn.len > 0) {
            (void)cof_account_add_resource(account, COF_ACCOUNT_KEY, arn, (struct cof_view){0}, index);
            return;
        }
        for (size_t k = 0; k < account->n_documents; k++) /* the only one: it is that of each key that is named */
            for (size_t s = 0; account->documents[k].policy != NULL && s < account->documents[k].policy->n_statements; s++) {
                const struct cof_statement *st = &account->documents[k].policy->statements[s];

                for (size_t i = 0; i < st->n_resources; i++)
                    if (is_exact_key(st->resources[i]) && find(account, st->resources[i]) == SIZE_MAX)
                        (void)cof_account_add_resource(account, COF_ACCOUNT_KEY, st->resources[i], (struct cof_view){0}, index);
            }
        if (account->n_resources == 0)
            (void)cof_account_add_resource(account, COF_ACCOUNT_KEY, made_up_key(account, stem_of(d->file)),
                                           (struct cof_view){0}, index);
        return;
    }
    arn = own_resource(d);
    if (arn.len > 0 && find(account, arn) == SIZE_MAX)
        (void)cof_account_add_resource(account, d->kind == COF_DOCUMENT_BUCKET ? COF_ACCOUNT_BUCKET : COF_ACCOUNT_QUEUE, arn, (struct cof_view){0}, index);
}

/* Keys that identity policies name and whose own policy is not here have the default one. */
static void add_plain_keys(struct cof_account *account)
{
    for (size_t d = 0; d < account->n_documents; d++)
        for (size_t s = 0; account->documents[d].kind == COF_DOCUMENT_IDENTITY && account->documents[d].policy != NULL &&
                           s < account->documents[d].policy->n_statements; s++) {
            const struct cof_statement *st = &account->documents[d].policy->statements[s];

            for (size_t i = 0; i < st->n_resources; i++)
                if (is_exact_key(st->resources[i]) && find(account, st->resources[i]) == SIZE_MAX)
                    (void)cof_account_add_resource(account, COF_ACCOUNT_KEY, st->resources[i], (struct cof_view){0}, SIZE_MAX);
        }
}

/* Roles and users that resource policies name. */
static void add_named(struct cof_account *account)
{
    for (size_t d = 0; d < account->n_documents; d++)
        for (size_t s = 0; account->documents[d].kind != COF_DOCUMENT_TRUST && account->documents[d].policy != NULL &&
                           s < account->documents[d].policy->n_statements; s++) {
            const struct cof_statement *st = &account->documents[d].policy->statements[s];

            for (size_t i = 0; i < st->n_principals; i++) {
                struct cof_view arn = st->principals[i].value, name = part_of(arn, 5);
                bool role = cof_view_starts(name, COF_LIT("role/"));

                if (st->principals[i].kind == COF_PRINCIPAL_ARN && (role || cof_view_starts(name, COF_LIT("user/"))) &&
                    cof_view_eq(part_of(arn, 4), account->id) && cof_account_find_identity(account, arn) == SIZE_MAX)
                    (void)cof_account_add_identity(account, role, arn);
            }
        }
}

/* The role that a trust policy belongs to, whose policy it is when somebody assumes it. */
static void add_trust(struct cof_account *account, size_t index)
{
    struct cof_view arn = by_convention(account, stem_of(account->documents[index].file), "trust-", "_role_arn");

    if (arn.len > 0)
        (void)cof_account_add_resource(account, COF_ACCOUNT_ROLE, arn, (struct cof_view){0}, index);
}

static void add_owner(struct cof_account *account, size_t index)
{
    struct cof_view stem = stem_of(account->documents[index].file), arn = by_convention(account, stem, "", "_role_arn");
    size_t owner;

    if (arn.len == 0) {
        char text[640];

        (void)snprintf(text, sizeof text, "arn:aws:iam::%.*s:role/%.*s", (int)account->id.len, (const char *)account->id.data, (int)stem.len,
                       (const char *)stem.data);
        arn = cof_account_keep(account, cof_view_str(text));
        owner = cof_account_find_identity(account, stem);
    } else {
        owner = cof_account_find_identity(account, arn);
    }
    if (owner == SIZE_MAX)
        owner = cof_account_add_identity(account, true, arn);
    if (owner != SIZE_MAX && account->identities[owner].n_policies < COF_ACCOUNT_POLICIES_MAX)
        account->identities[owner].policies[account->identities[owner].n_policies++] = index;
}

void cof_account_guess(struct cof_account *account)
{
    size_t n_keys = 0;

    find_home(account);
    for (size_t i = 0; i < account->n_documents; i++)
        n_keys += account->documents[i].kind == COF_DOCUMENT_KEY && account->documents[i].policy != NULL;
    for (size_t i = 0; i < account->n_documents; i++)
        if (account->documents[i].policy != NULL && account->documents[i].places != NULL &&
            (account->documents[i].kind == COF_DOCUMENT_KEY || account->documents[i].kind == COF_DOCUMENT_BUCKET ||
             account->documents[i].kind == COF_DOCUMENT_QUEUE))
            add_guarded(account, i, n_keys);
        else if (account->documents[i].policy != NULL && account->documents[i].kind == COF_DOCUMENT_TRUST)
            add_trust(account, i);
    add_plain_keys(account);
    add_named(account);
    for (size_t i = 0; i < account->n_documents; i++)
        if (account->documents[i].policy != NULL && account->documents[i].kind == COF_DOCUMENT_IDENTITY)
            add_owner(account, i);
}
