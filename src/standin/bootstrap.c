/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/bootstrap.h"

#include "base/codec.h"
#include "engine/totp.h"
#include "standin/identity_provider.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *name, const char *preset)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? preset : text;
}

/* prefix and n characters of A-Z2-7, as ids of AWS look. */
static enum cof_err make_id(struct cof_standin *s, const char *prefix, size_t n, char **out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    size_t len = strlen(prefix);
    uint8_t random[64];
    enum cof_err err = n > sizeof random ? COF_E_BUG : cof_rng_fill(cof_standin_rng(s), random, n);

    *out = err == COF_OK ? calloc(1, len + n + 1) : NULL;
    if (err != COF_OK || *out == NULL)
        return err == COF_OK ? COF_E_MEMORY : err;
    memcpy(*out, prefix, len);
    for (size_t i = 0; i < n; i++)
        (*out)[len + i] = letters[random[i] & 31];
    cof_wipe(random, sizeof random);
    return COF_OK;
}

static enum cof_err make_random_text(struct cof_standin *s, size_t n_bytes, char **out)
{
    uint8_t random[120];
    struct cof_buf text;
    enum cof_err err = n_bytes > sizeof random ? COF_E_BUG : cof_rng_fill(cof_standin_rng(s), random, n_bytes);

    *out = NULL;
    cof_buf_init_secret(&text, 256);
    if (err == COF_OK) {
        cof_base64_add(&text, cof_view_of(random, n_bytes));
        *out = strdup(cof_buf_cstr(&text));
        err = *out == NULL ? COF_E_MEMORY : cof_buf_err(&text);
    }
    cof_wipe(random, sizeof random);
    cof_buf_done(&text);
    return err;
}

enum cof_err cof_iam_issue(struct cof_standin *s, struct cof_iam_key *key, bool temporary, int64_t now_ms)
{
    enum cof_err err = make_id(s, temporary ? "ASIA" : "AKIA", 16, &key->access_key_id);

    key->created_ms = now_ms;
    if (err == COF_OK)
        err = make_random_text(s, 30, &key->secret); /* 40 characters, as AWS's */
    if (err == COF_OK && temporary)
        err = make_random_text(s, 96, &key->session_token);
    if (err == COF_OK && temporary)
        err = cof_iam_key_sweep(cof_standin_store(s), now_ms);
    return err == COF_OK ? cof_iam_key_put(cof_standin_store(s), key) : err;
}

static enum cof_err check_policy(
    const char *text, enum cof_policy_kind kind, const char *owner, const char *name, struct cof_diag *diag)
{
    struct cof_policy *policy = NULL;
    struct cof_diag why = {.text = ""};
    enum cof_err err = cof_policy_parse(cof_view_str(text), kind, COF_POLICY_SIZE_MAX, &policy, &why);

    cof_policy_free(policy);
    return err == COF_OK ?
        COF_OK :
        cof_diag_set(diag, err == COF_E_MEMORY ? err : COF_E_CONFIG, "policy %s of %s: %s", name, owner, why.text);
}

/* A document given as JSON or as text, as fresh text. */
static enum cof_err document(const json_t *value, char **out)
{
    *out = json_is_string(value) ? strdup(json_string_value(value)) :
        value == NULL            ? NULL :
                                   json_dumps(value, JSON_INDENT(2));
    return *out == NULL ? COF_E_MEMORY : COF_OK;
}

static enum cof_err add_policies(const json_t *list, struct cof_iam_entity *e, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    if (json_array_size(list) > COF_IAM_POLICIES_MAX)
        return cof_diag_set(diag, COF_E_CONFIG, "%s has more than %d policies", e->name, COF_IAM_POLICIES_MAX);
    for (size_t i = 0; i < json_array_size(list) && err == COF_OK; i++) {
        const json_t *item = json_array_get(list, i), *doc = json_object_get(item, "document");

        if (doc == NULL)
            return cof_diag_set(diag, COF_E_CONFIG, "a policy of %s has no document", e->name);
        e->n_policies = i + 1;
        e->policies[i].name = strdup(text_of(item, "name", "policy"));
        err = e->policies[i].name == NULL ? COF_E_MEMORY : document(doc, &e->policies[i].text);
        if (err == COF_OK)
            err = check_policy(e->policies[i].text, COF_POLICY_IDENTITY, e->name, e->policies[i].name, diag);
    }
    return err;
}

static enum cof_err add_tags(json_t *tags, struct cof_iam_entity *e)
{
    const char *key;
    json_t *value;

    if (json_object_size(tags) > COF_IAM_TAGS_MAX)
        return COF_E_CONFIG;
    json_object_foreach(tags, key, value) {
        e->tags[e->n_tags].key = strdup(key);
        e->tags[e->n_tags].value = strdup(json_is_string(value) ? json_string_value(value) : "");
        if (e->tags[e->n_tags].key == NULL || e->tags[e->n_tags++].value == NULL)
            return COF_E_MEMORY;
    }
    return COF_OK;
}

static bool name_ok(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n <= 64 &&
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@_-") == n;
}

/* What the makers below share. */
struct making {
    struct cof_standin *s;
    const char *account;     /* whose number ARNs get */
    struct cof_view foreign; /* the same, and empty for the stand-in's own (iam.h) */
    int64_t now_ms;
    cof_bootstrap_key_fn *give;
    void *ctx;
    struct cof_diag *diag;
};

/* A virtual MFA device. */
static enum cof_err add_mfa(const struct making *m, const json_t *value, struct cof_iam_entity *e)
{
    char code[COF_TOTP_DIGITS + 1];
    struct cof_buf serial;
    enum cof_err err = COF_OK;

    if (value == NULL || json_is_false(value))
        return COF_OK;
    if (json_is_true(value))
        err = make_id(m->s, "", 32, &e->mfa_secret); /* 160 bits, as RFC 4226 recommends */
    else if (!json_is_string(value) || cof_totp_code(cof_view_str(json_string_value(value)), 0, code) != COF_OK)
        return cof_diag_set(m->diag, COF_E_CONFIG, "\"mfa\" of %s is true, or a secret in base32", e->name);
    else if ((e->mfa_secret = strdup(json_string_value(value))) == NULL)
        err = COF_E_MEMORY;
    cof_buf_init(&serial, COF_IAM_ARN_MAX);
    cof_buf_printf(&serial, "arn:aws:iam::%s:mfa/%s", m->account, e->name);
    e->mfa_serial = strdup(cof_buf_cstr(&serial));
    cof_buf_done(&serial);
    return err == COF_OK && e->mfa_serial == NULL ? COF_E_MEMORY : err;
}

static enum cof_err make_entity(const struct making *m, enum cof_iam_kind kind, const json_t *item)
{
    struct cof_standin *s = m->s;
    struct cof_diag *diag = m->diag;
    const char *name = text_of(item, "name", ""), *path = text_of(item, "path", "/");
    const json_t *trust = json_object_get(item, "trust");
    struct cof_iam_entity e = {
        .created_ms = m->now_ms, .max_session_s = json_integer_value(json_object_get(item, "max_session_s"))};
    struct cof_buf arn;
    enum cof_err err;

    if (!name_ok(name))
        return cof_diag_set(diag, COF_E_CONFIG, "\"%s\" is no name for a user or role", name);
    cof_buf_init(&arn, COF_IAM_ARN_MAX);
    cof_buf_printf(&arn, "arn:aws:iam::%s:%s%s%s", m->account, kind == COF_IAM_USER ? "user" : "role", path, name);
    e.name = strdup(name);
    e.arn = strdup(cof_buf_cstr(&arn));
    cof_buf_done(&arn);
    err =
        e.name == NULL || e.arn == NULL ? COF_E_MEMORY : make_id(s, kind == COF_IAM_USER ? "AIDA" : "AROA", 17, &e.id);
    if (err == COF_OK)
        err = add_policies(json_object_get(item, "policies"), &e, diag);
    if (err == COF_OK)
        err = add_tags(json_object_get(item, "tags"), &e);
    if (err == COF_OK && kind == COF_IAM_ROLE) {
        err = trust == NULL ? cof_diag_set(diag, COF_E_CONFIG, "role %s has no trust policy", name) :
                              document(trust, &e.trust);
        if (err == COF_OK)
            err = check_policy(e.trust, COF_POLICY_TRUST, name, "trust", diag);
        if (e.max_session_s == 0)
            e.max_session_s = 3600;
    }
    if (err == COF_OK && json_object_get(item, "boundary") != NULL) {
        err = document(json_object_get(item, "boundary"), &e.boundary.text);
        if (err == COF_OK)
            err = check_policy(e.boundary.text, COF_POLICY_IDENTITY, name, "boundary", diag);
    }
    if (err == COF_OK && kind == COF_IAM_USER)
        err = add_mfa(m, json_object_get(item, "mfa"), &e);
    if (err == COF_OK)
        err = cof_iam_put(cof_standin_store(s), kind, m->foreign, &e);
    cof_iam_entity_done(&e);
    return err;
}

static enum cof_err copy(char **out, const char *text)
{
    *out = text == NULL ? NULL : strdup(text);
    return text != NULL && *out == NULL ? COF_E_MEMORY : COF_OK;
}

static enum cof_err make_credential(const struct making *m, const json_t *item)
{
    struct cof_standin *s = m->s;
    struct cof_diag *diag = m->diag;
    int64_t now_ms = m->now_ms;
    const char *name = text_of(item, "name", ""), *user = text_of(item, "user", NULL),
               *role = text_of(item, "role", NULL);
    bool root = json_is_true(json_object_get(item, "root"));
    int64_t lifetime_s = json_integer_value(json_object_get(item, "lifetime_s"));
    struct cof_iam_key key = {.kind = root ? COF_CALLER_ROOT :
            role != NULL                   ? COF_CALLER_ROLE :
                                             COF_CALLER_USER,
        .expires_ms = lifetime_s > 0 ? now_ms + lifetime_s * 1000 : 0,
        .mfa_ms = json_is_true(json_object_get(item, "mfa")) ? now_ms : 0};
    struct cof_iam_entity entity = {.name = NULL};
    enum cof_err err = COF_OK;

    if (!name_ok(name) || (user != NULL) + (role != NULL) + root != 1)
        return cof_diag_set(diag, COF_E_CONFIG, "credential \"%s\" needs a name and one of user, role, root", name);
    if (!root) {
        err = cof_iam_get(cof_standin_store(s), role != NULL ? COF_IAM_ROLE : COF_IAM_USER,
            m->foreign, cof_view_str(role != NULL ? role : user), &entity);
        cof_iam_entity_done(&entity);
        if (err == COF_E_NOT_FOUND)
            return cof_diag_set(
                diag, COF_E_CONFIG, "credential \"%s\": there is no %s", name, role != NULL ? role : user);
    }
    if (err == COF_OK && m->foreign.len > 0)
        err = copy(&key.account, m->account);
    if (err == COF_OK)
        err = copy(&key.name, role != NULL ? role : user);
    if (err == COF_OK && role != NULL)
        err = copy(&key.session_name, text_of(item, "session", "local"));
    if (err == COF_OK)
        err = cof_iam_issue(s, &key, role != NULL || key.mfa_ms != 0, now_ms);
    if (err == COF_OK)
        err = m->give(m->ctx, name, cof_view_str(key.access_key_id), cof_view_str(key.secret),
            cof_view_str(key.session_token));
    cof_iam_key_done(&key);
    return err;
}

typedef enum cof_err maker(const struct making *m, const json_t *item);

static enum cof_err make_user(const struct making *m, const json_t *item)
{
    return make_entity(m, COF_IAM_USER, item);
}

static enum cof_err make_role(const struct making *m, const json_t *item)
{
    return make_entity(m, COF_IAM_ROLE, item);
}

static enum cof_err make_each(const struct making *m, const json_t *holder, const char *member, maker *make)
{
    const json_t *list = json_object_get(holder, member);
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < json_array_size(list) && err == COF_OK; i++)
        err = make(m, json_array_get(list, i));
    return err;
}

static enum cof_err make_provider(const struct making *m, const json_t *item)
{
    return cof_identity_provider_make(m->s, m->account, item, m->diag);
}

static enum cof_err make_identities(const struct making *m, const json_t *holder)
{
    enum cof_err err = make_each(m, holder, "users", make_user);

    if (err == COF_OK)
        err = make_each(m, holder, "roles", make_role);
    return err == COF_OK ? make_each(m, holder, "identity_providers", make_provider) : err;
}

/* Another account, for which the identities are made as for ours. */
static enum cof_err make_account(const struct making *main, const json_t *item, bool credentials)
{
    struct making m = *main;

    m.account = text_of(item, "id", "");
    m.foreign = cof_view_str(m.account);
    if (strlen(m.account) != 12 || strspn(m.account, "0123456789") != 12)
        return cof_diag_set(m.diag, COF_E_CONFIG, "\"%s\" is no account: twelve digits are", m.account);
    if (strcmp(m.account, cof_standin_account(m.s)) == 0)
        return cof_diag_set(m.diag, COF_E_CONFIG, "account %s is the manifest's own", m.account);
    return credentials ? make_each(&m, item, "credentials", make_credential) : make_identities(&m, item);
}

static enum cof_err make_accounts(const struct making *m, const json_t *manifest, bool credentials)
{
    const json_t *accounts = json_object_get(manifest, "accounts");
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < json_array_size(accounts) && err == COF_OK; i++)
        err = make_account(m, json_array_get(accounts, i), credentials);
    return err;
}

static enum cof_err make_all(const struct making *m, const json_t *manifest)
{
    const struct cof_standin_opts *opts = cof_standin_options(m->s);
    enum cof_err err = make_identities(m, manifest);

    if (err == COF_OK)
        err = make_accounts(m, manifest, false);
    for (size_t i = 0; i < opts->n_services && err == COF_OK; i++)
        if (opts->services[i]->bootstrap != NULL)
            err = opts->services[i]->bootstrap(m->s, manifest, m->now_ms, m->diag);
    if (err == COF_OK)
        err = make_each(m, manifest, "credentials", make_credential);
    return err == COF_OK ? make_accounts(m, manifest, true) : err;
}

enum cof_err cof_standin_bootstrap(struct cof_standin *s, const struct json_t *manifest, int64_t now_ms,
    cof_bootstrap_key_fn *key, void *ctx, struct cof_diag *diag)
{
    const struct cof_store *store = cof_standin_store(s);
    struct making m = {
        .s = s, .account = cof_standin_account(s), .now_ms = now_ms, .give = key, .ctx = ctx, .diag = diag};
    enum cof_err err = store->savepoint(store->ctx), ended;

    if (err != COF_OK)
        return err;
    err = make_all(&m, manifest);
    ended = err == COF_OK ? store->release(store->ctx) : store->rollback(store->ctx);
    return err == COF_OK ? ended : err;
}
