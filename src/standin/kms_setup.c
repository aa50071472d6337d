/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_setup.h"

#include "standin/hv_store.h"
#include "standin/kms_alias.h"
#include "standin/kms_cache.h"

#include <stdlib.h>

#define SWEEP_MAX 1000 /* keys at a time */

static enum cof_err set_texts(struct cof_kms_key *key, struct cof_view policy, struct cof_view description)
{
    const char *about = description.len == 0 ? "" : (const char *)description.data;

    if (json_object_set_new(key->record, "policy", json_stringn((const char *)policy.data, policy.len)) != 0 ||
        json_object_set_new(key->record, "description", json_stringn(about, description.len)) != 0)
        return COF_E_MEMORY;
    return COF_OK;
}

static enum cof_err make(struct cof_standin *s, const json_t *spec, struct cof_kms_make *make, int64_t now_ms,
                         struct cof_kms_key **out, struct cof_diag *diag)
{
    struct cof_view name, usage;
    int64_t days;
    enum cof_err err = cof_json_text_or(spec, "spec", "SYMMETRIC_DEFAULT", &name, diag);

    if (err == COF_OK)
        err = cof_json_text_or(spec, "usage", "ENCRYPT_DECRYPT", &usage, diag);
    if (err == COF_OK)
        err = cof_json_int_or(spec, "rotation_days", 90, 2560, 0, &days, diag);
    if (err != COF_OK)
        return err;
    make->spec = cof_kms_spec_named(name);
    if (make->spec == NULL || !cof_kms_usage_named(usage, &make->usage) || (make->spec->usages >> make->usage & 1) == 0)
        return cof_diag_set(diag, COF_E_CONFIG, "key %.*s: no such spec, or not with that usage", (int)make->id.len,
                            (const char *)make->id.data);
    err = cof_kms_key_make(s, make, now_ms, out);
    if (err == COF_E_EXISTS)
        err = cof_kms_key_open_own(s, make->id, now_ms, out);
    if (err == COF_OK)
        err = set_texts(*out, make->policy, make->description);
    if (err == COF_OK && days > 0 && make->spec->kind == COF_KMS_SYMMETRIC &&
        (json_object_set_new((*out)->record, "rotation_days", json_integer(days)) != 0 ||
         json_object_set_new((*out)->record, "rotation_ms", json_integer(now_ms + days * COF_KMS_DAY_MS)) != 0))
        err = COF_E_MEMORY;
    return err == COF_OK ? cof_kms_key_save(s, *out) : err;
}

static enum cof_err bootstrap_key(struct cof_standin *s, const json_t *spec, int64_t now_ms, struct cof_diag *diag)
{
    const json_t *given = json_object_get(spec, "policy");
    char *text = json_is_object(given) ? json_dumps(given, JSON_COMPACT) : NULL;
    struct cof_kms_make what = {.policy = text != NULL ? cof_view_str(text) : cof_view_str(json_string_value(given))};
    struct cof_kms_key *key = NULL;
    struct cof_policy *policy = NULL;
    struct cof_view alias;
    enum cof_err err = cof_json_text(spec, "id", &what.id, diag);

    if (err == COF_OK)
        err = cof_json_text_or(spec, "alias", "", &alias, diag);
    if (err == COF_OK)
        err = cof_json_text_or(spec, "description", "", &what.description, diag);
    if (err == COF_OK)
        err = cof_policy_parse(what.policy, COF_POLICY_RESOURCE, COF_KMS_POLICY_MAX, &policy, diag);
    cof_policy_free(policy);
    if (err == COF_OK)
        err = make(s, spec, &what, now_ms, &key, diag);
    if (err == COF_OK && alias.len > 0)
        err = cof_kms_alias_put(s, alias, key, now_ms, now_ms);
    cof_kms_key_close(key);
    free(text);
    return err;
}

enum cof_err cof_kms_bootstrap(struct cof_standin *s, const json_t *manifest, int64_t now_ms, struct cof_diag *diag)
{
    const json_t *keys = json_object_get(manifest, "keys");
    struct cof_hv *hv;
    enum cof_err err = cof_hv_open(s, now_ms, &hv); /* the root is made with everything else */

    cof_hv_free(hv);
    for (size_t i = 0; err == COF_OK && i < json_array_size(keys); i++)
        err = bootstrap_key(s, json_array_get(keys, i), now_ms, diag);
    return err;
}

struct sweep {
    int64_t now_ms, next_ms;
    json_t *due; /* ids */
    enum cof_err err;
};

static bool look(void *arg, struct cof_view id, struct cof_view value)
{
    struct sweep *w = arg;
    json_t *record = NULL;
    int64_t when_ms = 0;

    w->err = cof_json_parse_object(value, COF_KMS_RECORD_MAX, &record, NULL);
    if (w->err == COF_OK)
        when_ms = json_integer_value(json_object_get(record, "deletion_ms"));
    if (when_ms > 0 && when_ms <= w->now_ms) {
        if (json_array_append_new(w->due, json_stringn((const char *)id.data, id.len)) != 0)
            w->err = COF_E_MEMORY;
    } else if (when_ms > 0 && when_ms < w->next_ms) {
        w->next_ms = when_ms;
    }
    json_decref(record);
    return w->err == COF_OK && json_array_size(w->due) < SWEEP_MAX;
}

enum cof_err cof_kms_sweep(struct cof_standin *s, int64_t now_ms, bool *swept)
{
    const struct cof_store *store = cof_standin_store(s);
    struct sweep w = {.now_ms = now_ms, .next_ms = INT64_MAX};
    int64_t *next_ms = cof_kms_cache_next_deletion(s);
    enum cof_err err;

    *swept = false;
    if (next_ms == NULL || now_ms < *next_ms)
        return COF_OK;
    w.due = json_array();
    err = w.due == NULL ? COF_E_MEMORY
                        : store->scan(store->ctx, "kms.key", (struct cof_view){0}, (struct cof_view){0}, SIZE_MAX, look, &w);
    if (err == COF_OK)
        err = w.err;
    for (size_t i = 0; err == COF_OK && i < json_array_size(w.due); i++) {
        struct cof_view id = cof_view_str(json_string_value(json_array_get(w.due, i)));
        struct cof_kms_key *key;

        err = cof_kms_key_open_own(s, id, 0, &key); /* as if its day had not come, or it would not be found */
        if (err == COF_OK)
            err = cof_kms_key_remove(s, key);
        cof_kms_key_close(key);
        *swept = true;
    }
    if (err == COF_OK)
        *next_ms = json_array_size(w.due) == SWEEP_MAX ? now_ms : w.next_ms;
    json_decref(w.due);
    return err;
}
