/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_alias.h"

#include "base/num.h"
#include "standin/kms_api.h"

#include <stdio.h>
#include <string.h>

#define ALIASES_MAX 50 /* of one key: AWS's quota */

struct alias {
    struct cof_view key_id;
    uint64_t created_ms, updated_ms;
};

static bool read_alias(struct cof_view value, struct alias *out)
{
    struct cof_view created, updated;

    return cof_view_split(value, ' ', &out->key_id, &value) && cof_view_split(value, ' ', &created, &updated) &&
           cof_parse_u64(created, INT64_MAX, &out->created_ms) == COF_OK &&
           cof_parse_u64(updated, INT64_MAX, &out->updated_ms) == COF_OK && out->key_id.len > 0 &&
           out->key_id.len < COF_KMS_ID_MAX;
}

/* The record; value holds what out's view looks at. */
static enum cof_err get_alias(struct cof_standin *s, struct cof_view name, struct cof_buf *value, struct alias *out)
{
    const struct cof_store *store = cof_standin_store(s);
    enum cof_err err;

    cof_buf_init(value, 256);
    if (name.len > 256)
        return COF_E_NOT_FOUND;
    err = store->get(store->ctx, "kms.alias", name, value);
    if (err == COF_OK && !read_alias(cof_buf_view(value), out))
        err = COF_E_FORMAT;
    return err;
}

enum cof_err cof_kms_alias_target(struct cof_standin *s, struct cof_view name, char id[static COF_KMS_ID_MAX])
{
    struct cof_buf value;
    struct alias alias;
    enum cof_err err = get_alias(s, name, &value, &alias);

    id[0] = '\0';
    if (err == COF_OK) {
        memcpy(id, alias.key_id.data, alias.key_id.len);
        id[alias.key_id.len] = '\0';
    }
    cof_buf_done(&value);
    return err;
}

static size_t find_in(const json_t *aliases, struct cof_view name)
{
    size_t i = 0;

    while (i < json_array_size(aliases) && !cof_view_eq_str(name, json_string_value(json_array_get(aliases, i))))
        i++;
    return i;
}

enum cof_err cof_kms_alias_put(struct cof_standin *s, struct cof_view name, struct cof_kms_key *key, int64_t created_ms,
                               int64_t now_ms)
{
    const struct cof_store *store = cof_standin_store(s);
    json_t *aliases = json_object_get(key->record, "aliases");
    struct cof_buf value;
    enum cof_err err = COF_OK;

    if (!cof_view_starts(name, COF_LIT("alias/")) || name.len > 256)
        return COF_E_USAGE;
    if (find_in(aliases, name) == json_array_size(aliases) &&
        json_array_append_new(aliases, json_stringn((const char *)name.data, name.len)) != 0)
        err = COF_E_MEMORY;
    cof_buf_init(&value, 256);
    cof_buf_printf(&value, "%s %lld %lld", key->id, (long long)created_ms, (long long)now_ms);
    if (err == COF_OK)
        err = store->put(store->ctx, "kms.alias", name, cof_buf_view(&value));
    cof_buf_done(&value);
    return err == COF_OK ? cof_kms_key_save(s, key) : err;
}

enum cof_err cof_kms_alias_drop(struct cof_standin *s, struct cof_view name, struct cof_kms_key *key)
{
    const struct cof_store *store = cof_standin_store(s);
    json_t *aliases = json_object_get(key->record, "aliases");

    (void)json_array_remove(aliases, find_in(aliases, name));
    return store->remove(store->ctx, "kms.alias", name) == COF_OK ? cof_kms_key_save(s, key) : COF_E_IO;
}

enum cof_err cof_kms_alias_make_aws(struct cof_standin *s, struct cof_view name, int64_t now_ms, struct cof_kms_key **out)
{
    static const struct {
        const char *alias, *service, *title;
    } known[] = {{"alias/aws/s3", "s3", "S3"}, {"alias/aws/sqs", "sqs", "SQS"}};
    const char *account = cof_standin_account(s);
    struct cof_buf policy, description;
    size_t i = 0;
    enum cof_err err;

    *out = NULL;
    while (i < sizeof known / sizeof known[0] && !cof_view_eq_str(name, known[i].alias))
        i++;
    if (i == sizeof known / sizeof known[0])
        return COF_E_NOT_FOUND;
    cof_buf_init(&policy, 4096);
    cof_buf_init(&description, 256);
    cof_buf_printf(&policy,
        "{\"Version\":\"2012-10-17\",\"Id\":\"auto-%s-2\",\"Statement\":[{\"Sid\":\"Allow access through %s for all principals "
        "in the account that are authorized to use %s\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":["
        "\"kms:Encrypt\",\"kms:Decrypt\",\"kms:ReEncrypt*\",\"kms:GenerateDataKey*\",\"kms:CreateGrant\",\"kms:DescribeKey\"],"
        "\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{\"kms:CallerAccount\":\"%s\",\"kms:ViaService\":\"%s.%s.amazonaws.com\"}}},",
        known[i].service, known[i].title, known[i].title, account, known[i].service, cof_standin_region(s));
    cof_buf_printf(&policy,
        "{\"Sid\":\"Allow direct access to key metadata to the account\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":"
        "\"arn:aws:iam::%s:root\"},\"Action\":[\"kms:Describe*\",\"kms:Get*\",\"kms:List*\",\"kms:RevokeGrant\"],\"Resource\":\"*\"}]}",
        account);
    cof_buf_printf(&description, "Default key that protects my %s %s when no other key is defined", known[i].title,
                   i == 0 ? "objects" : "messages");
    err = cof_kms_key_make(s, &(struct cof_kms_make){.policy = cof_buf_view(&policy), .description = cof_buf_view(&description),
        .aws_managed = true}, now_ms, out);
    if (err == COF_OK)
        err = cof_kms_alias_put(s, name, *out, now_ms, now_ms);
    if (err != COF_OK) {
        cof_kms_key_close(*out);
        *out = NULL;
    }
    cof_buf_done(&policy);
    cof_buf_done(&description);
    return err;
}

/* The alias's own ARN: CreateAlias, UpdateAlias and DeleteAlias are asked of it and of the key. */
static void alias_arn(const struct cof_kms_call *c, struct cof_view name, struct cof_buf *out)
{
    cof_buf_init(out, 1024);
    cof_buf_printf(out, "arn:aws:kms:%s:%s:", cof_standin_region(c->s), cof_standin_account(c->s));
    cof_buf_add(out, name);
}

static enum cof_err ask_both(struct cof_kms_call *c, struct cof_view name, struct cof_kms_key *key)
{
    struct cof_buf arn;
    enum cof_err err;

    alias_arn(c, name, &arn);
    err = cof_kms_allowed(c, key, &(struct cof_kms_ask){.resource = cof_buf_view(&arn)});
    cof_buf_done(&arn);
    return err == COF_OK ? cof_kms_allowed(c, key, NULL) : err;
}

static enum cof_err check_name(struct cof_kms_call *c, struct cof_view name)
{
    if (!cof_view_starts(name, COF_LIT("alias/")) || name.len == strlen("alias/"))
        return cof_kms_fail(c, "ValidationException", "Alias must start with the prefix \"alias/\". Please see "
                            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html");
    if (cof_view_starts(name, COF_LIT("alias/aws/")))
        return cof_kms_fail(c, "NotAuthorizedException", "%s", "");
    return COF_OK;
}

static enum cof_err alias_missing(struct cof_kms_call *c, struct cof_view name)
{
    return cof_kms_fail(c, "NotFoundException", "Alias arn:aws:kms:%s:%s:%.*s is not found.", cof_standin_region(c->s),
                        cof_standin_account(c->s), (int)name.len, (const char *)name.data);
}

static enum cof_err create_alias(struct cof_kms_call *c)
{
    struct cof_view name = cof_kms_arg(c, "AliasName");
    char id[COF_KMS_ID_MAX];
    enum cof_err err = check_name(c, name);

    if (err == COF_OK)
        err = cof_kms_find(c, cof_kms_arg(c, "TargetKeyId"), true, &c->key, NULL);
    if (err == COF_OK)
        err = ask_both(c, name, c->key);
    if (err == COF_OK)
        err = cof_kms_check_state(c, c->key, COF_KMS_NOT_PENDING);
    if (err != COF_OK)
        return err;
    err = cof_kms_alias_target(c->s, name, id);
    if (err == COF_OK)
        return cof_kms_fail(c, "AlreadyExistsException", "An alias with the name arn:aws:kms:%s:%s:%.*s already exists",
                            cof_standin_region(c->s), cof_standin_account(c->s), (int)name.len, (const char *)name.data);
    if (err != COF_E_NOT_FOUND)
        return err;
    if (json_array_size(json_object_get(c->key->record, "aliases")) >= ALIASES_MAX)
        return cof_kms_fail(c, "LimitExceededException", "A KMS key has at most %d aliases.", ALIASES_MAX);
    return cof_kms_alias_put(c->s, name, c->key, c->req->now_ms, c->req->now_ms);
}

/* Moves the alias; the caller needs the permission on both keys. */
static enum cof_err move_alias(struct cof_kms_call *c, struct cof_view name, const struct alias *alias)
{
    struct cof_kms_key *old = NULL;
    enum cof_err err = cof_kms_key_open_own(c->s, alias->key_id, c->req->now_ms, &old);

    if (err == COF_OK)
        err = cof_kms_allowed(c, old, NULL);
    if (err == COF_OK && (old->spec->kind != c->key->spec->kind || old->usage != c->key->usage))
        err = cof_kms_fail(c, "ValidationException",
                           "The new and the old KMS key of an alias must be of the same type and have the same key usage.");
    if (err == COF_OK && strcmp(old->id, c->key->id) != 0)
        err = cof_kms_alias_drop(c->s, name, old);
    else if (err == COF_E_NOT_FOUND)
        err = COF_OK;
    cof_kms_key_close(old);
    return err == COF_OK ? cof_kms_alias_put(c->s, name, c->key, (int64_t)alias->created_ms, c->req->now_ms) : err;
}

static enum cof_err update_alias(struct cof_kms_call *c)
{
    struct cof_view name = cof_kms_arg(c, "AliasName");
    struct cof_buf value;
    struct alias alias;
    enum cof_err err = check_name(c, name);

    if (err != COF_OK)
        return err;
    err = get_alias(c->s, name, &value, &alias);
    if (err == COF_E_NOT_FOUND)
        err = alias_missing(c, name);
    if (err == COF_OK)
        err = cof_kms_find(c, cof_kms_arg(c, "TargetKeyId"), true, &c->key, NULL);
    if (err == COF_OK)
        err = ask_both(c, name, c->key);
    if (err == COF_OK)
        err = cof_kms_check_state(c, c->key, COF_KMS_NOT_PENDING);
    if (err == COF_OK)
        err = move_alias(c, name, &alias);
    cof_buf_done(&value);
    return err;
}

static enum cof_err delete_alias(struct cof_kms_call *c)
{
    struct cof_view name = cof_kms_arg(c, "AliasName");
    char id[COF_KMS_ID_MAX];
    enum cof_err err = check_name(c, name);

    if (err == COF_OK)
        err = cof_kms_alias_target(c->s, name, id);
    if (err == COF_OK)
        err = cof_kms_key_open_own(c->s, cof_view_str(id), c->req->now_ms, &c->key);
    if (err == COF_E_NOT_FOUND)
        return alias_missing(c, name);
    if (err == COF_OK)
        err = ask_both(c, name, c->key);
    return err == COF_OK ? cof_kms_alias_drop(c->s, name, c->key) : err;
}

struct listing {
    struct cof_kms_call *c;
    struct cof_kms_page page;
    const char *only; /* of this key; NULL: all */
    bool first;
};

static bool list_one(void *arg, struct cof_view name, struct cof_view value)
{
    struct listing *l = arg;
    struct cof_buf *out = &l->c->out, arn;
    struct alias alias;

    if (!read_alias(value, &alias) || (l->only != NULL && !cof_view_eq_str(alias.key_id, l->only)))
        return true;
    if (!cof_kms_page_take(&l->page, name))
        return false;
    alias_arn(l->c, name, &arn);
    cof_buf_add_str(out, l->first ? "{" : ",{");
    l->first = false;
    cof_json_add_member(out, "AliasName", name);
    cof_json_add_member(out, "AliasArn", cof_buf_view(&arn));
    cof_json_add_member(out, "TargetKeyId", alias.key_id);
    cof_kms_add_time(out, "CreationDate", (int64_t)alias.created_ms);
    cof_kms_add_time(out, "LastUpdatedDate", (int64_t)alias.updated_ms);
    cof_buf_add_str(out, "}");
    cof_buf_done(&arn);
    return true;
}

static enum cof_err list_aliases(struct cof_kms_call *c)
{
    const struct cof_store *store = cof_standin_store(c->s);
    struct listing l = {.c = c, .first = true};
    struct cof_view of = cof_kms_arg(c, "KeyId");
    enum cof_err err = cof_kms_allowed(c, NULL, NULL); /* spec: asked of no key, also when one is named */

    if (err == COF_OK && of.len > 0)
        err = cof_kms_find(c, of, false, &c->key, NULL);
    if (err == COF_OK)
        err = cof_kms_page_begin(c, 50, 100, &l.page);
    if (err != COF_OK)
        return err;
    l.only = c->key == NULL ? NULL : c->key->id;
    cof_json_add_name(&c->out, "Aliases");
    cof_buf_add_str(&c->out, "[");
    err = store->scan(store->ctx, "kms.alias", (struct cof_view){0}, cof_buf_view(&l.page.after), SIZE_MAX, list_one, &l);
    cof_buf_add_str(&c->out, "]");
    cof_kms_page_end(c, &l.page);
    return err;
}

#define ALIAS_NAME {.name = "AliasName", .type = COF_KMS_TEXT, .required = true, .min = 1, .max = 256, .chars = COF_KMS_CHARS_ALIAS}
#define TARGET {.name = "TargetKeyId", .type = COF_KMS_TEXT, .required = true, .min = 1, .max = 2048}

static const struct cof_kms_member put_members[] = {ALIAS_NAME, TARGET, {.name = NULL}};
static const struct cof_kms_member delete_members[] = {ALIAS_NAME, {.name = NULL}};
static const struct cof_kms_member list_members[] = {{.name = "KeyId", .type = COF_KMS_TEXT, .min = 1, .max = 2048},
    COF_KMS_M_PAGE, {.name = NULL}};

const struct cof_kms_operation cof_kms_alias_ops[] = {
    {.action = "kms:CreateAlias", .run = create_alias, .members = put_members},
    {.action = "kms:UpdateAlias", .run = update_alias, .members = put_members},
    {.action = "kms:DeleteAlias", .run = delete_alias, .members = delete_members},
    {.action = "kms:ListAliases", .run = list_aliases, .members = list_members, .arn_error = true},
    {.action = NULL}};
