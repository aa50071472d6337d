/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_grants.h"

#include "base/codec.h"

#include <stdlib.h>
#include <string.h>

#define SPACE "kms.grant"

static void make_key(struct cof_buf *out, const char *key_id, struct cof_view grant_id)
{
    cof_buf_init(out, 512);
    cof_buf_add_str(out, key_id);
    cof_buf_add_str(out, "/");
    cof_buf_add(out, grant_id);
}

enum cof_err cof_kms_grants_get(struct cof_standin *s, const char *key_id, struct cof_view grant_id, json_t **out)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf key, text;
    enum cof_err err;

    *out = NULL;
    make_key(&key, key_id, grant_id);
    cof_buf_init(&text, COF_KMS_GRANT_MAX);
    err = store->get(store->ctx, SPACE, cof_buf_view(&key), &text);
    if (err == COF_OK)
        err = cof_json_parse_object(cof_buf_view(&text), COF_KMS_GRANT_MAX, out, NULL);
    cof_buf_done(&key);
    cof_buf_done(&text);
    return err;
}

enum cof_err cof_kms_grants_put(struct cof_standin *s, const char *key_id, struct cof_view grant_id, const json_t *grant)
{
    const struct cof_store *store = cof_standin_store(s);
    char *text = json_dumps(grant, JSON_COMPACT);
    struct cof_buf key;
    enum cof_err err = text == NULL ? COF_E_MEMORY : COF_OK;

    make_key(&key, key_id, grant_id);
    if (err == COF_OK)
        err = strlen(text) > COF_KMS_GRANT_MAX ? COF_E_LIMIT
                                               : store->put(store->ctx, SPACE, cof_buf_view(&key), cof_view_str(text));
    cof_buf_done(&key);
    free(text);
    return err;
}

enum cof_err cof_kms_grants_remove(struct cof_standin *s, const char *key_id, struct cof_view grant_id)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf key;
    enum cof_err err;

    make_key(&key, key_id, grant_id);
    err = store->remove(store->ctx, SPACE, cof_buf_view(&key));
    cof_buf_done(&key);
    return err;
}

static bool note_key(void *arg, struct cof_view key, struct cof_view value)
{
    (void)value;
    cof_buf_add((struct cof_buf *)arg, key);
    return false;
}

enum cof_err cof_kms_grants_remove_all(struct cof_standin *s, const char *key_id)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf prefix, key;
    enum cof_err err = COF_OK;

    make_key(&prefix, key_id, (struct cof_view){0});
    cof_buf_init(&key, 512);
    do { /* one at a time: a scan must not change what it goes through */
        cof_buf_reset(&key);
        err = store->scan(store->ctx, SPACE, cof_buf_view(&prefix), (struct cof_view){0}, 1, note_key, &key);
        if (err == COF_OK && key.len > 0)
            err = store->remove(store->ctx, SPACE, cof_buf_view(&key));
    } while (err == COF_OK && key.len > 0);
    cof_buf_done(&prefix);
    cof_buf_done(&key);
    return err;
}

/* Every member of some is in all, with the same value. */
static bool is_subset(const json_t *some, const json_t *all)
{
    json_t *mutable = (json_t *)(uintptr_t)some, *value;
    const char *name;

    json_object_foreach(mutable, name, value)
        if (!json_equal(value, json_object_get(all, name)))
            return false;
    return true;
}

static bool is_same(const json_t *a, const json_t *b)
{
    return json_object_size(a) == json_object_size(b) && is_subset(a, b);
}

static bool has_operation(const json_t *grant, const char *operation)
{
    const json_t *list = json_object_get(grant, "operations");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), operation) == 0)
            return true;
    return false;
}

/* A grant made under a grant allows no more, and binds at least as tightly. */
static bool covers(const json_t *parent, const json_t *request)
{
    const json_t *operations = json_object_get(request, "Operations");
    const json_t *theirs = json_object_get(parent, "constraints"), *ours = json_object_get(request, "Constraints");
    const json_t *equals = json_object_get(theirs, "EncryptionContextEquals");
    const json_t *subset = json_object_get(theirs, "EncryptionContextSubset");
    const json_t *our_equals = json_object_get(ours, "EncryptionContextEquals");
    const json_t *our_subset = json_object_get(ours, "EncryptionContextSubset");

    for (size_t i = 0; i < json_array_size(operations); i++)
        if (!has_operation(parent, json_string_value(json_array_get(operations, i))))
            return false;
    if (equals != NULL && (our_equals == NULL || !is_same(equals, our_equals)))
        return false;
    return subset == NULL || (our_equals != NULL && is_subset(subset, our_equals)) ||
           (our_subset != NULL && is_subset(subset, our_subset));
}

struct finding {
    const struct cof_standin_request *req;
    const struct cof_kms_asking *asking;
    const char *operation;
    struct cof_buf *policy;
    size_t prefix; /* bytes of the key's id and the slash */
};

static bool is_caller(const struct cof_caller *caller, const char *principal)
{
    return principal != NULL &&
           (cof_view_eq_str(caller->arn, principal) ||
            (caller->kind == COF_CALLER_ROLE && cof_view_eq_str(caller->role_arn, principal)));
}

static bool allows(const struct finding *f, const json_t *grant, const char **who)
{
    const struct cof_kms_asking *a = f->asking;
    const struct cof_caller *caller = &f->req->principal->caller;
    const json_t *constraints = json_object_get(grant, "constraints");
    const json_t *equals = json_object_get(constraints, "EncryptionContextEquals");
    const json_t *subset = json_object_get(constraints, "EncryptionContextSubset");

    *who = json_string_value(json_object_get(grant, "retiring"));
    if (strcmp(f->operation, "RetireGrant") == 0 && is_caller(caller, *who))
        return true;
    *who = json_string_value(json_object_get(grant, "grantee"));
    if (!is_caller(caller, *who) || !has_operation(grant, f->operation))
        return false;
    if (a->takes_context && ((equals != NULL && !is_same(equals, a->context)) || (subset != NULL && !is_subset(subset, a->context))))
        return false;
    return a->new_grant == NULL || covers(grant, a->new_grant);
}

static bool try_one(void *arg, struct cof_view key, struct cof_view value)
{
    struct finding *f = arg;
    const char *who;
    json_t *grant;
    bool found;

    if (f->asking->grant_id.len > 0 && !cof_view_eq(cof_view_sub(key, f->prefix, SIZE_MAX), f->asking->grant_id))
        return true;
    if (cof_json_parse_object(value, COF_KMS_GRANT_MAX, &grant, NULL) != COF_OK)
        return true;
    found = allows(f, grant, &who);
    if (found) {
        cof_buf_add_str(f->policy, "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"grant\",\"Effect\":\"Allow\",\"Principal\":{");
        cof_json_add_member(f->policy, "AWS", cof_view_str(who));
        cof_buf_add_str(f->policy, "}");
        cof_json_add_member(f->policy, "Action", cof_view_str(f->asking->action));
        cof_buf_add_str(f->policy, ",\"Resource\":\"*\"}]}");
    }
    json_decref(grant);
    return !found;
}

void cof_kms_grants_find(struct cof_standin *s, const struct cof_standin_request *req,
                         const struct cof_kms_asking *asking, struct cof_buf *policy)
{
    const struct cof_store *store = cof_standin_store(s);
    struct finding f = {.req = req, .asking = asking, .policy = policy};
    struct cof_buf prefix;

    f.operation = strchr(asking->action, ':') + 1;
    make_key(&prefix, asking->key->id, (struct cof_view){0});
    f.prefix = prefix.len;
    if (store->scan(store->ctx, SPACE, cof_buf_view(&prefix), (struct cof_view){0}, SIZE_MAX, try_one, &f) != COF_OK)
        cof_buf_reset(policy); /* what cannot be read allows nothing */
    cof_buf_done(&prefix);
}

void cof_kms_grant_token_add(struct cof_buf *out, const char *key_id, struct cof_view grant_id)
{
    struct cof_buf text;

    cof_buf_init(&text, 512);
    cof_buf_printf(&text, "01%s/", key_id);
    cof_buf_add(&text, grant_id);
    cof_base64_add(out, cof_buf_view(&text));
    cof_buf_done(&text);
}

enum cof_err cof_kms_grant_token_parse(struct cof_view token, char key_id[static COF_KMS_ID_MAX],
                                       char grant_id[static COF_KMS_GRANT_ID + 1])
{
    struct cof_view id, grant;
    struct cof_buf text;
    enum cof_err err;

    key_id[0] = grant_id[0] = '\0';
    cof_buf_init(&text, 512);
    err = cof_base64_decode(token, &text);
    if (err == COF_E_LIMIT)
        err = COF_E_FORMAT;
    if (err == COF_OK && (!cof_view_starts(cof_buf_view(&text), COF_LIT("01")) ||
                          !cof_view_split(cof_view_sub(cof_buf_view(&text), 2, SIZE_MAX), '/', &id, &grant) || id.len == 0 ||
                          id.len >= COF_KMS_ID_MAX || grant.len != COF_KMS_GRANT_ID ||
                          cof_view_find(cof_buf_view(&text), 0) != SIZE_MAX))
        err = COF_E_FORMAT;
    if (err == COF_OK) {
        memcpy(key_id, id.data, id.len);
        key_id[id.len] = '\0';
        memcpy(grant_id, grant.data, grant.len);
        grant_id[grant.len] = '\0';
    }
    cof_buf_done(&text);
    return err;
}
