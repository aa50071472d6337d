/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/iam.h"

#include "base/log.h"
#include "base/secret.h"
#include "standin/memo.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *space_of(enum cof_iam_kind kind)
{
    return kind == COF_IAM_USER ? "iam.user" : "iam.role";
}

/* A record's key in the store: NAME, or ACCOUNT/NAME in another account. Names hold no '/'. */
static enum cof_err key_of(struct cof_view account, struct cof_view name, struct cof_buf *out)
{
    cof_buf_init(out, 256);
    cof_buf_add(out, account);
    if (account.len > 0)
        cof_buf_add_str(out, "/");
    cof_buf_add(out, name);
    return cof_view_find(name, '/') == SIZE_MAX ? cof_buf_err(out) : COF_E_NOT_FOUND;
}

/* A copy of a text member; *out stays NULL when it is absent or null. */
static enum cof_err copy_text(const json_t *object, const char *name, char **out)
{
    const char *text = json_string_value(json_object_get(object, name));

    if (text == NULL)
        return COF_OK;
    *out = strdup(text);
    return *out == NULL ? COF_E_MEMORY : COF_OK;
}

static enum cof_err copy_all(const json_t *object, const char *const *names, char **const *fields, size_t n)
{
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < n && err == COF_OK; i++)
        err = copy_text(object, names[i], fields[i]);
    return err;
}

static enum cof_err save(const struct cof_store *store, const char *space, struct cof_view key, json_t *object)
{
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    enum cof_err err = COF_E_MEMORY;

    if (text != NULL) {
        err = store->put(store->ctx, space, key, cof_view_str(text));
        cof_wipe(text, strlen(text));
    }
    free(text);
    json_decref(object);
    return err;
}

static enum cof_err read_policies(const json_t *list, struct cof_iam_entity *out)
{
    size_t n = json_array_size(list);
    enum cof_err err = COF_OK;

    if (n > COF_IAM_POLICIES_MAX)
        return COF_E_LIMIT;
    for (size_t i = 0; i < n && err == COF_OK; i++) {
        const json_t *item = json_array_get(list, i);

        err = copy_text(item, "name", &out->policies[i].name);
        if (err == COF_OK)
            err = copy_text(item, "text", &out->policies[i].text);
        out->n_policies = i + 1;
        if (err == COF_OK && (out->policies[i].name == NULL || out->policies[i].text == NULL))
            err = COF_E_FORMAT;
    }
    return err;
}

static enum cof_err read_tags(json_t *tags, struct cof_iam_entity *out)
{
    const char *key;
    json_t *value;

    if (json_object_size(tags) > COF_IAM_TAGS_MAX)
        return COF_E_LIMIT;
    json_object_foreach(tags, key, value) {
        size_t i = out->n_tags++;

        out->tags[i].key = strdup(key);
        out->tags[i].value = strdup(json_is_string(value) ? json_string_value(value) : "");
        if (out->tags[i].key == NULL || out->tags[i].value == NULL)
            return COF_E_MEMORY;
    }
    return COF_OK;
}

enum cof_err cof_iam_record(const struct cof_store *store, enum cof_iam_kind kind, struct cof_view account,
                            struct cof_view name, json_t **out)
{
    struct cof_buf key;
    enum cof_err err;

    *out = NULL;
    if (account.len == 0) /* the key is the name */
        return cof_view_find(name, '/') == SIZE_MAX ? cof_record_get(store, space_of(kind), name, out) : COF_E_NOT_FOUND;
    err = key_of(account, name, &key);
    if (err == COF_OK)
        err = cof_record_get(store, space_of(kind), cof_buf_view(&key), out);
    cof_buf_done(&key);
    return err;
}

enum cof_err cof_iam_get(const struct cof_store *store, enum cof_iam_kind kind, struct cof_view account,
                         struct cof_view name, struct cof_iam_entity *out)
{
    static const char *const names[] = {
        "name", "arn", "id", "trust", "boundary_name", "boundary", "mfa_serial", "mfa_secret"};
    char **const fields[] = {&out->name, &out->arn, &out->id, &out->trust, &out->boundary.name, &out->boundary.text,
        &out->mfa_serial, &out->mfa_secret};
    json_t *json;
    enum cof_err err = cof_iam_record(store, kind, account, name, &json);

    *out = (struct cof_iam_entity){0};
    if (err != COF_OK)
        return err;
    err = copy_all(json, names, fields, sizeof names / sizeof names[0]);
    if (err == COF_OK)
        err = read_policies(json_object_get(json, "policies"), out);
    if (err == COF_OK)
        err = read_tags(json_object_get(json, "tags"), out);
    if (err == COF_OK && (out->name == NULL || out->arn == NULL || out->id == NULL))
        err = COF_E_FORMAT;
    out->max_session_s = json_integer_value(json_object_get(json, "max_session_s"));
    out->created_ms = json_integer_value(json_object_get(json, "created_ms"));
    json_decref(json);
    if (err != COF_OK)
        cof_iam_entity_done(out);
    return err;
}

/* s* leaves a member null when the text is NULL. */
enum cof_err cof_iam_put(const struct cof_store *store, enum cof_iam_kind kind, struct cof_view account,
                         const struct cof_iam_entity *e)
{
    json_t *policies = json_array(), *tags = json_object(), *json;
    struct cof_buf key;
    enum cof_err err;

    for (size_t i = 0; i < e->n_policies; i++)
        if (json_array_append_new(
                policies, json_pack("{s:s, s:s}", "name", e->policies[i].name, "text", e->policies[i].text)) != 0)
            goto fail;
    for (size_t i = 0; i < e->n_tags; i++)
        if (json_object_set_new(tags, e->tags[i].key, json_string(e->tags[i].value)) != 0)
            goto fail;
    json = json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s*, s:I, s:I, s:o, s:o}", "name", e->name, "arn",
        e->arn, "id", e->id, "trust", e->trust, "boundary_name", e->boundary.name, "boundary", e->boundary.text,
        "mfa_serial", e->mfa_serial, "mfa_secret", e->mfa_secret, "max_session_s", (json_int_t)e->max_session_s,
        "created_ms", (json_int_t)e->created_ms, "policies", policies, "tags", tags);
    err = key_of(account, cof_view_str(e->name), &key);
    if (err == COF_OK)
        err = save(store, space_of(kind), cof_buf_view(&key), json);
    else
        json_decref(json);
    cof_buf_done(&key);
    return err;
fail:
    json_decref(policies);
    json_decref(tags);
    return COF_E_MEMORY;
}

static void free_secret(char **text)
{
    if (*text != NULL)
        cof_wipe(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void cof_iam_entity_done(struct cof_iam_entity *e)
{
    if (e == NULL)
        return;
    for (size_t i = 0; i < e->n_policies; i++) {
        free(e->policies[i].name);
        free(e->policies[i].text);
    }
    for (size_t i = 0; i < e->n_tags; i++) {
        free(e->tags[i].key);
        free(e->tags[i].value);
    }
    free(e->name);
    free(e->arn);
    free(e->id);
    free(e->trust);
    free(e->boundary.name);
    free(e->boundary.text);
    free(e->mfa_serial);
    free_secret(&e->mfa_secret);
    *e = (struct cof_iam_entity){0};
}

enum cof_err cof_iam_key_tag(struct cof_iam_key *k, struct cof_view name, struct cof_view value, bool transitive)
{
    if (k->n_tags == COF_IAM_TAGS_MAX)
        return COF_E_LIMIT;
    k->tags[k->n_tags].key = strndup(name.len == 0 ? "" : (const char *)name.data, name.len);
    k->tags[k->n_tags].value = strndup(value.len == 0 ? "" : (const char *)value.data, value.len);
    k->tags[k->n_tags].transitive = transitive;
    k->n_tags++;
    return k->tags[k->n_tags - 1].key == NULL || k->tags[k->n_tags - 1].value == NULL ? COF_E_MEMORY : COF_OK;
}

/* [[key, value, transitive], ...] */
static enum cof_err read_session_tags(const json_t *list, struct cof_iam_key *out)
{
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < json_array_size(list) && err == COF_OK; i++) {
        const json_t *tag = json_array_get(list, i);

        err = cof_iam_key_tag(out, cof_view_str(json_string_value(json_array_get(tag, 0))),
            cof_view_str(json_string_value(json_array_get(tag, 1))), json_is_true(json_array_get(tag, 2)));
    }
    return err;
}

static json_t *write_session_tags(const struct cof_iam_key *k)
{
    json_t *list = json_array();

    for (size_t i = 0; i < k->n_tags; i++)
        if (json_array_append_new(
                list, json_pack("[s, s, b]", k->tags[i].key, k->tags[i].value, k->tags[i].transitive)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

enum cof_err cof_iam_key_get(const struct cof_store *store, struct cof_view access_key_id, struct cof_iam_key *out)
{
    static const char *const names[] = {
        "access_key_id", "secret", "session_token", "account", "name", "session_name", "session_policy",
        "source_identity", "provider"};
    char **const fields[] = {&out->access_key_id, &out->secret, &out->session_token, &out->account, &out->name,
        &out->session_name, &out->session_policy, &out->source_identity, &out->provider};
    json_t *json;
    enum cof_err err;

    *out = (struct cof_iam_key){0};
    err = cof_record_get(store, "iam.key", access_key_id, &json);
    if (err != COF_OK)
        return err;
    err = copy_all(json, names, fields, sizeof names / sizeof names[0]);
    if (err == COF_OK)
        err = read_session_tags(json_object_get(json, "tags"), out);
    out->kind = (enum cof_caller_kind)json_integer_value(json_object_get(json, "kind"));
    out->created_ms = json_integer_value(json_object_get(json, "created_ms"));
    out->expires_ms = json_integer_value(json_object_get(json, "expires_ms"));
    out->mfa_ms = json_integer_value(json_object_get(json, "mfa_ms"));
    json_decref(json);
    if (err == COF_OK && (out->access_key_id == NULL || out->secret == NULL))
        err = COF_E_FORMAT;
    if (err != COF_OK)
        cof_iam_key_done(out);
    return err;
}

enum cof_err cof_iam_key_put(const struct cof_store *store, const struct cof_iam_key *k)
{
    json_t *json = json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:o, s:i, s:I, s:I, s:I}", "access_key_id",
        k->access_key_id, "secret", k->secret, "session_token", k->session_token, "account", k->account, "name", k->name,
        "session_name",
        k->session_name, "session_policy", k->session_policy, "source_identity", k->source_identity,
        "provider", k->provider, "tags", write_session_tags(k), "kind",
        (int)k->kind, "created_ms", (json_int_t)k->created_ms, "expires_ms", (json_int_t)k->expires_ms, "mfa_ms",
        (json_int_t)k->mfa_ms);

    char end[64];
    enum cof_err err = save(store, "iam.key", cof_view_str(k->access_key_id), json);

    if (err != COF_OK || k->session_token == NULL || k->expires_ms == 0)
        return err;
    (void)snprintf(end, sizeof end, "%015lld/%.32s", (long long)k->expires_ms, k->access_key_id);
    return store->put(store->ctx, "iam.end", cof_view_str(end), cof_view_str(k->access_key_id));
}

#define KEPT_MS 86400000 /* for so long an ended key is answered as expired, and as unknown later */
#define SWEPT 4          /* more than each call adds */

struct sweep {
    char end[SWEPT][64], key[SWEPT][33];
    size_t n;
    int64_t before_ms;
};

/* The view as a C string, cut to fit. */
static const char *text_of(struct cof_view v, char *out, size_t size)
{
    (void)snprintf(out, size, "%.*s", (int)v.len, (const char *)v.data);
    return out;
}

static bool sweep_one(void *arg, struct cof_view key, struct cof_view value)
{
    struct sweep *sw = arg;

    if (strtoll(text_of(key, sw->end[sw->n], sizeof sw->end[0]), NULL, 10) >= sw->before_ms)
        return false;
    (void)text_of(value, sw->key[sw->n], sizeof sw->key[0]);
    sw->n++;
    return true;
}

enum cof_err cof_iam_key_sweep(const struct cof_store *store, int64_t now_ms)
{
    struct sweep sw = {.before_ms = now_ms - KEPT_MS};
    enum cof_err err = store->scan(store->ctx, "iam.end", COF_LIT(""), COF_LIT(""), SWEPT, sweep_one, &sw);

    for (size_t i = 0; i < sw.n && err == COF_OK; i++) {
        err = store->remove(store->ctx, "iam.key", cof_view_str(sw.key[i]));
        if (err == COF_OK)
            err = store->remove(store->ctx, "iam.end", cof_view_str(sw.end[i]));
    }
    return err;
}

void cof_iam_key_done(struct cof_iam_key *k)
{
    if (k == NULL)
        return;
    free(k->access_key_id);
    free_secret(&k->secret);
    free_secret(&k->session_token);
    free(k->account);
    free(k->name);
    free(k->session_name);
    free(k->session_policy);
    free(k->source_identity);
    free(k->provider);
    for (size_t i = 0; i < k->n_tags; i++) {
        free(k->tags[i].key);
        free(k->tags[i].value);
    }
    *k = (struct cof_iam_key){0};
}

/* A fresh C string of the parts. */
static enum cof_err join(char **out, const char *const *parts, size_t n)
{
    struct cof_buf b;
    enum cof_err err;

    cof_buf_init(&b, COF_IAM_ARN_MAX);
    for (size_t i = 0; i < n; i++)
        cof_buf_add_str(&b, parts[i]);
    err = cof_buf_err(&b);
    if (err == COF_OK) {
        *out = strdup(cof_buf_cstr(&b));
        err = *out == NULL ? COF_E_MEMORY : COF_OK;
    }
    cof_buf_done(&b);
    return err;
}

static enum cof_err init_root(struct cof_iam_principal *p)
{
    const char *arn[] = {"arn:aws:iam::", p->account, ":root"};
    const char *id[] = {p->account};
    enum cof_err err = join(&p->arn, arn, 3);

    return err == COF_OK ? join(&p->user_id, id, 1) : err;
}

static enum cof_err init_user(struct cof_iam_principal *p)
{
    const char *arn[] = {p->entity.arn}, *id[] = {p->entity.id};
    enum cof_err err = join(&p->arn, arn, 1);

    p->caller.name = cof_view_str(p->entity.name);
    return err == COF_OK ? join(&p->user_id, id, 1) : err;
}

static enum cof_err init_role(struct cof_iam_principal *p)
{
    const char *session = p->key.session_name == NULL ? "session" : p->key.session_name;
    const char *arn[] = {"arn:aws:sts::", p->account, ":assumed-role/", p->entity.name, "/", session};
    const char *id[] = {p->entity.id, ":", session};
    enum cof_err err = join(&p->arn, arn, 6);

    p->caller.role_arn = cof_view_str(p->entity.arn);
    return err == COF_OK ? join(&p->user_id, id, 3) : err;
}

/* spec: a session tag takes the place of the role's tag of that name, in whatever case */
static void init_tags(struct cof_iam_principal *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->key.n_tags; i++)
        p->tags[n++] = (struct cof_tag){cof_view_str(p->key.tags[i].key), cof_view_str(p->key.tags[i].value)};
    for (size_t i = 0; i < p->entity.n_tags; i++) {
        struct cof_view key = cof_view_str(p->entity.tags[i].key);
        bool hidden = false;

        for (size_t j = 0; j < p->key.n_tags && !hidden; j++)
            hidden = cof_view_eq_nocase(p->tags[j].key, key);
        if (!hidden)
            p->tags[n++] = (struct cof_tag){key, cof_view_str(p->entity.tags[i].value)};
    }
    p->caller.tags = p->tags;
    p->caller.n_tags = n;
}

enum cof_err cof_iam_principal_init(const struct cof_store *store, const char *account, struct cof_iam_key *key,
                                    struct cof_iam_principal *out)
{
    enum cof_err err = COF_OK;

    *out = (struct cof_iam_principal){0};
    out->key = *key;
    *key = (struct cof_iam_key){0}; /* moved */
    free_secret(&out->key.secret);
    memccpy(out->account, out->key.account != NULL ? out->key.account : account, '\0', sizeof out->account - 1);
    out->caller.kind = out->key.kind;
    if (out->key.kind == COF_CALLER_USER || out->key.kind == COF_CALLER_ROLE) {
        if (out->key.name == NULL)
            err = COF_E_FORMAT;
        else
            err = cof_iam_get(store, out->key.kind == COF_CALLER_USER ? COF_IAM_USER : COF_IAM_ROLE,
                cof_view_str(out->key.account), cof_view_str(out->key.name), &out->entity);
    }
    if (err == COF_OK)
        err = out->key.kind == COF_CALLER_ROOT ? init_root(out) : out->key.kind == COF_CALLER_USER ? init_user(out) :
            out->key.kind == COF_CALLER_ROLE ? init_role(out) : COF_E_FORMAT;
    init_tags(out);
    out->caller.account = cof_view_str(out->account);
    out->caller.arn = cof_view_str(out->arn);
    out->caller.user_id = cof_view_str(out->user_id);
    if (err != COF_OK)
        cof_iam_principal_done(out);
    return err;
}

const struct cof_iam_principal cof_iam_nobody = {.caller = {.kind = COF_CALLER_ANONYMOUS}, .key = {.kind = COF_CALLER_ANONYMOUS}};

void cof_iam_principal_anonymous(struct cof_iam_principal *out)
{
    *out = cof_iam_nobody;
}

void cof_iam_principal_done(struct cof_iam_principal *p)
{
    if (p == NULL)
        return;
    cof_iam_key_done(&p->key);
    cof_iam_entity_done(&p->entity);
    free(p->arn);
    free(p->user_id);
    *p = (struct cof_iam_principal){0};
}
