/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_keys.h"

#include "base/codec.h"
#include "base/num.h"
#include "standin/kms_alias.h"
#include "standin/kms_cache.h"
#include "standin/kms_grants.h"
#include "standin/memo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROTATIONS_MAX 100 /* that one look makes up for */

static const char *const state_names[] = {"Enabled", "Disabled", "PendingDeletion"};

const char *cof_kms_state_name(enum cof_kms_state state)
{
    return state_names[state];
}

static void free_material(struct cof_kms_key *key)
{
    for (size_t i = 0; key->gcms != NULL && i < key->n_versions; i++)
        cof_gcm_free(key->gcms[i]);
    free(key->gcms);
    cof_rsa_free(key->rsa);
    cof_ecdsa_free(key->ecc);
    cof_secret_done(&key->hmac);
    key->gcms = NULL;
    key->rsa = NULL;
    key->ecc = NULL;
}

void cof_kms_key_close(struct cof_kms_key *key)
{
    if (key == NULL || --key->refs > 0)
        return;
    free_material(key);
    json_decref(key->record);
    free(key);
}

enum cof_kms_form cof_kms_name_form(const struct cof_standin *s, struct cof_view text, struct cof_view *name)
{
    struct cof_view part[5], rest = text;

    *name = text;
    if (cof_view_starts(text, COF_LIT("alias/")))
        return COF_KMS_FORM_ALIAS;
    if (!cof_view_starts(text, COF_LIT("arn:")))
        return COF_KMS_FORM_ID;
    for (size_t i = 0; i < 5; i++)
        if (!cof_view_split(rest, ':', &part[i], &rest))
            return COF_KMS_FORM_BAD_ARN;
    if (!cof_view_eq_str(part[1], "aws") || !cof_view_eq_str(part[2], "kms"))
        return COF_KMS_FORM_BAD_ARN;
    if (!cof_view_starts(rest, COF_LIT("key/")) && !cof_view_starts(rest, COF_LIT("alias/")))
        return COF_KMS_FORM_BAD_ARN;
    if (!cof_view_eq_str(part[3], cof_standin_region(s))) {
        *name = part[3];
        return COF_KMS_FORM_OTHER_REGION;
    }
    if (!cof_view_eq_str(part[4], cof_standin_account(s))) {
        *name = part[4];
        return COF_KMS_FORM_OTHER_ACCOUNT;
    }
    *name = rest;
    if (cof_view_starts(rest, COF_LIT("alias/")))
        return COF_KMS_FORM_ALIAS_ARN;
    *name = cof_view_sub(rest, 4, SIZE_MAX);
    return COF_KMS_FORM_ARN;
}

bool cof_kms_form_is_alias(enum cof_kms_form form)
{
    return form == COF_KMS_FORM_ALIAS || form == COF_KMS_FORM_ALIAS_ARN;
}

static bool set_id(const struct cof_standin *s, struct cof_view id, struct cof_kms_key *key)
{
    if (id.len == 0 || id.len >= sizeof key->id || cof_view_find(id, 0) != SIZE_MAX || cof_view_find(id, '/') != SIZE_MAX)
        return false;
    memcpy(key->id, id.data, id.len);
    key->id[id.len] = '\0';
    return snprintf(key->arn, sizeof key->arn, "arn:aws:kms:%s:%s:key/%s", cof_standin_region(s), cof_standin_account(s),
                    key->id) < (int)sizeof key->arn;
}

const char *cof_kms_key_text(const struct cof_kms_key *key, const char *member)
{
    const char *text = json_string_value(json_object_get(key->record, member));

    return text == NULL ? "" : text;
}

static int64_t number(const struct cof_kms_key *key, const char *member)
{
    return json_integer_value(json_object_get(key->record, member));
}

struct cof_view cof_kms_key_policy(const struct cof_kms_key *key)
{
    const json_t *policy = json_object_get(key->record, "policy");

    return cof_view_of(json_string_value(policy), json_string_length(policy));
}

const char *cof_kms_version_id(const struct cof_kms_key *key, size_t version)
{
    const char *id = json_string_value(json_object_get(json_array_get(json_object_get(key->record, "versions"), version), "id"));

    return id == NULL ? "" : id;
}

/* The fields from the record. COF_E_FORMAT: it is none of ours. */
static enum cof_err read_record(struct cof_kms_key *key)
{
    const char *state = cof_kms_key_text(key, "state");

    free_material(key);
    key->spec = cof_kms_spec_named(cof_view_str(cof_kms_key_text(key, "spec")));
    key->n_versions = json_array_size(json_object_get(key->record, "versions"));
    key->state = COF_KMS_ENABLED;
    while (strcmp(state, state_names[key->state]) != 0)
        if (++key->state > COF_KMS_PENDING_DELETION)
            return COF_E_FORMAT;
    if (key->spec == NULL || key->n_versions == 0 || cof_kms_key_policy(key).len == 0 ||
        !cof_kms_usage_named(cof_view_str(cof_kms_key_text(key, "usage")), &key->usage))
        return COF_E_FORMAT;
    key->aws_managed = strcmp(cof_kms_key_text(key, "manager"), "AWS") == 0;
    key->created_ms = number(key, "created_ms");
    key->deletion_ms = number(key, "deletion_ms");
    key->rotation_ms = number(key, "rotation_ms");
    key->rotation_days = number(key, "rotation_days");
    return COF_OK;
}

static enum cof_err new_key(const struct cof_standin *s, struct cof_view id, struct cof_kms_key **out)
{
    struct cof_kms_key *key = calloc(1, sizeof *key);

    *out = NULL;
    if (key == NULL)
        return COF_E_MEMORY;
    key->refs = 1;
    if (!set_id(s, id, key)) {
        free(key);
        return COF_E_NOT_FOUND;
    }
    *out = key;
    return COF_OK;
}

/* The record is moved in. */
static enum cof_err make_key(struct cof_standin *s, struct cof_view id, json_t *record, struct cof_kms_key **out)
{
    enum cof_err err = new_key(s, id, out);

    if (err != COF_OK) {
        json_decref(record);
        return err;
    }
    (*out)->record = record;
    err = read_record(*out);
    if (err != COF_OK) {
        cof_kms_key_close(*out);
        *out = NULL;
    }
    return err;
}

/* A shared key's record is shared with the store's memory: as long as that gives the same one, the key is the same. */
static enum cof_err load(struct cof_standin *s, struct cof_view id, bool shared, struct cof_kms_key **out)
{
    const struct cof_store *store = cof_standin_store(s);
    json_t *record;
    enum cof_err err;

    *out = NULL;
    if (!shared) {
        err = cof_record_copy(store, "kms.key", id, &record);
        return err == COF_OK ? make_key(s, id, record, out) : err;
    }
    err = cof_record_get(store, "kms.key", id, &record);
    if (err != COF_OK)
        return err;
    *out = cof_kms_cache_find(s, id, record);
    if (*out != NULL) {
        json_decref(record);
        return COF_OK;
    }
    err = make_key(s, id, record, out);
    if (err == COF_OK)
        cof_kms_cache_put(s, *out);
    return err;
}

/* Every rotation whose day has come, one after another, as if somebody had been there. */
static enum cof_err catch_up(struct cof_standin *s, struct cof_kms_key *key, int64_t now_ms)
{
    enum cof_err err = COF_OK;

    for (size_t i = 0; err == COF_OK && i < ROTATIONS_MAX && key->rotation_ms != 0 && key->rotation_ms <= now_ms; i++) {
        int64_t due_ms = key->rotation_ms, next_ms = due_ms + key->rotation_days * COF_KMS_DAY_MS;

        if (i == ROTATIONS_MAX - 1)
            next_ms = now_ms + key->rotation_days * COF_KMS_DAY_MS;
        err = json_object_set_new(key->record, "rotation_ms", json_integer(next_ms)) == 0 ? COF_OK : COF_E_MEMORY;
        if (err == COF_OK)
            err = cof_kms_key_rotate(s, key, "AUTOMATIC", due_ms);
    }
    return err == COF_OK ? cof_kms_key_save(s, key) : err;
}

static enum cof_err open_key(struct cof_standin *s, struct cof_view text, int64_t now_ms, bool shared,
                             struct cof_kms_key **out)
{
    char id[COF_KMS_ID_MAX];
    struct cof_view name;
    enum cof_kms_form form = cof_kms_name_form(s, text, &name);
    enum cof_err err = COF_OK;

    *out = NULL;
    if (form > COF_KMS_FORM_ALIAS_ARN)
        return COF_E_NOT_FOUND;
    if (cof_kms_form_is_alias(form)) {
        err = cof_kms_alias_target(s, name, id);
        name = cof_view_str(id);
    }
    if (err == COF_OK && (name.len == 0 || name.len >= COF_KMS_ID_MAX))
        err = COF_E_NOT_FOUND;
    if (err == COF_OK)
        err = load(s, name, shared, out);
    if (err == COF_OK && (*out)->state == COF_KMS_PENDING_DELETION && (*out)->deletion_ms <= now_ms)
        err = COF_E_NOT_FOUND;
    if (err == COF_OK && (*out)->state == COF_KMS_ENABLED && (*out)->rotation_ms != 0 && (*out)->rotation_ms <= now_ms) {
        if (shared) {
            struct cof_kms_key *mine;

            err = load(s, cof_view_str((*out)->id), false, &mine);
            cof_kms_key_close(*out);
            *out = mine;
        }
        if (err == COF_OK)
            err = catch_up(s, *out, now_ms);
    }
    if (err != COF_OK) {
        cof_kms_key_close(*out);
        *out = NULL;
    }
    return err;
}

enum cof_err cof_kms_key_open(struct cof_standin *s, struct cof_view name, int64_t now_ms, struct cof_kms_key **out)
{
    return open_key(s, name, now_ms, true, out);
}

enum cof_err cof_kms_key_open_own(struct cof_standin *s, struct cof_view name, int64_t now_ms, struct cof_kms_key **out)
{
    return open_key(s, name, now_ms, false, out);
}

enum cof_err cof_kms_key_save(struct cof_standin *s, struct cof_kms_key *key)
{
    const struct cof_store *store = cof_standin_store(s);
    char *text = json_dumps(key->record, JSON_COMPACT);
    enum cof_err err;

    if (text == NULL)
        return COF_E_MEMORY;
    err = store->put(store->ctx, "kms.key", cof_view_str(key->id), cof_view_str(text));
    free(text);
    return err == COF_OK ? read_record(key) : err;
}

enum cof_err cof_kms_key_remove(struct cof_standin *s, struct cof_kms_key *key)
{
    const struct cof_store *store = cof_standin_store(s);
    const json_t *aliases = json_object_get(key->record, "aliases");
    enum cof_err err = cof_kms_grants_remove_all(s, key->id);

    for (size_t i = 0; err == COF_OK && i < json_array_size(aliases); i++)
        err = store->remove(store->ctx, "kms.alias", cof_view_str(json_string_value(json_array_get(aliases, i))));
    return err == COF_OK ? store->remove(store->ctx, "kms.key", cof_view_str(key->id)) : err;
}

static enum cof_err make_pair(struct cof_standin *s, const struct cof_kms_spec *spec, struct cof_buf *private_key,
                              struct cof_buf *spki)
{
    struct cof_rsa_key *rsa = NULL;
    struct cof_ecdsa_key *ecc = NULL;
    enum cof_err err = spec->kind == COF_KMS_RSA ? cof_standin_rsa_key(s, (unsigned)spec->size, &rsa)
                                                 : cof_ecdsa_generate(spec->curve, cof_standin_rng(s), &ecc);

    if (err == COF_OK)
        err = rsa != NULL ? cof_rsa_pkcs8(rsa, private_key) : cof_ecdsa_pkcs8(ecc, private_key);
    if (err == COF_OK && spki != NULL)
        err = rsa != NULL ? cof_rsa_spki(rsa, spki) : cof_ecdsa_spki(ecc, spki);
    cof_rsa_free(rsa);
    cof_ecdsa_free(ecc);
    return err;
}

enum cof_err cof_kms_material_make(struct cof_standin *s, const struct cof_kms_spec *spec, struct cof_buf *private_key,
                                   struct cof_buf *spki)
{
    uint8_t *at;

    if (spec->kind == COF_KMS_RSA || spec->kind == COF_KMS_ECC)
        return make_pair(s, spec, private_key, spki);
    at = cof_buf_extend(private_key, spec->size);
    return at == NULL ? cof_buf_err(private_key) : cof_rng_fill(cof_standin_rng(s), at, spec->size);
}

/* What the sealed material is bound to: a version's bytes cannot be passed off as another's. */
static void seal_name(const struct cof_kms_key *key, const char *version_id, struct cof_buf *out)
{
    cof_buf_printf(out, "%s/%s", key->id, version_id);
}

static enum cof_err add_version(struct cof_standin *s, struct cof_kms_key *key, const char *how, int64_t at_ms)
{
    const struct cof_kms_spec *spec = cof_kms_spec_named(cof_view_str(cof_kms_key_text(key, "spec")));
    json_t *versions = json_object_get(key->record, "versions");
    uint8_t id[COF_KMS_VERSION_ID / 2];
    char hex[COF_KMS_VERSION_ID + 1];
    struct cof_buf material, sealed, text, name;
    enum cof_err err = cof_rng_fill(cof_standin_rng(s), id, sizeof id);

    cof_buf_init_secret(&material, 8192);
    cof_buf_init(&sealed, 8192);
    cof_buf_init(&text, 16384);
    cof_buf_init(&name, 256);
    cof_hex_encode(id, sizeof id, hex);
    seal_name(key, hex, &name);
    if (err == COF_OK)
        err = cof_kms_material_make(s, spec, &material, NULL);
    if (err == COF_OK)
        err = cof_standin_seal(s, "kms", cof_buf_view(&name), cof_buf_view(&material), &sealed);
    cof_base64_add(&text, cof_buf_view(&sealed));
    if (err == COF_OK &&
        json_array_append_new(versions, json_pack("{s:s, s:s, s:I, s:s}", "id", hex, "sealed", cof_buf_cstr(&text), "at_ms",
                                                  (json_int_t)at_ms, "how", how)) != 0)
        err = COF_E_MEMORY;
    cof_buf_done(&material);
    cof_buf_done(&sealed);
    cof_buf_done(&text);
    cof_buf_done(&name);
    return err;
}

enum cof_err cof_kms_key_rotate(struct cof_standin *s, struct cof_kms_key *key, const char *how, int64_t at_ms)
{
    enum cof_err err = add_version(s, key, how, at_ms);

    return err == COF_OK ? read_record(key) : err;
}

static void uuid(const uint8_t r[16], char out[37])
{
    char hex[33];

    cof_hex_encode(r, 16, hex);
    (void)snprintf(out, 37, "%.8s-%.4s-4%.3s-a%.3s-%.12s", hex, hex + 8, hex + 13, hex + 17, hex + 20);
}

static enum cof_err fill(struct cof_standin *s, const struct cof_kms_make *make, int64_t now_ms, struct cof_kms_key *key)
{
    const struct cof_kms_spec *spec = make->spec != NULL ? make->spec : cof_kms_spec_named(COF_LIT("SYMMETRIC_DEFAULT"));
    struct cof_view about = make->description;
    enum cof_err err = COF_E_MEMORY;

    key->record = json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:[], s:O, s:[]}", "spec", spec->name, "usage",
        cof_kms_usage_name(make->usage), "state", "Enabled", "manager", make->aws_managed ? "AWS" : "CUSTOMER", "created_ms",
        (json_int_t)now_ms, "policy", json_stringn((const char *)make->policy.data, make->policy.len), "description",
        json_stringn(about.len == 0 ? "" : (const char *)about.data, about.len), "aliases", "tags", make->tags, "versions");
    if (key->record != NULL)
        err = add_version(s, key, "", now_ms);
    if (err == COF_OK && make->aws_managed &&
        (json_object_set_new(key->record, "rotation_days", json_integer(365)) != 0 ||
         json_object_set_new(key->record, "rotation_ms", json_integer(now_ms + 365 * COF_KMS_DAY_MS)) != 0))
        err = COF_E_MEMORY;
    return err;
}

enum cof_err cof_kms_key_make(struct cof_standin *s, const struct cof_kms_make *make, int64_t now_ms,
                              struct cof_kms_key **out)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_kms_make filled = *make;
    struct cof_buf there;
    json_t *no_tags = json_object();
    uint8_t r[16];
    char text[37];
    enum cof_err err = no_tags == NULL ? COF_E_MEMORY : COF_OK;

    *out = NULL;
    cof_buf_init(&there, COF_KMS_RECORD_MAX);
    if (filled.tags == NULL)
        filled.tags = no_tags;
    if (err == COF_OK && filled.id.len == 0) {
        err = cof_rng_fill(cof_standin_rng(s), r, sizeof r);
        uuid(r, text);
        filled.id = cof_view_str(text);
    }
    if (err == COF_OK)
        err = store->get(store->ctx, "kms.key", filled.id, &there);
    err = err == COF_OK ? COF_E_EXISTS : err == COF_E_NOT_FOUND ? new_key(s, filled.id, out) : err;
    if (err == COF_OK)
        err = fill(s, &filled, now_ms, *out);
    if (err == COF_OK)
        err = cof_kms_key_save(s, *out);
    if (err != COF_OK) {
        cof_kms_key_close(*out);
        *out = NULL;
    }
    json_decref(no_tags);
    cof_buf_done(&there);
    return err == COF_E_NOT_FOUND ? COF_E_USAGE : err;
}

static enum cof_err use_material(struct cof_kms_key *key, size_t version, struct cof_view material)
{
    switch (key->spec->kind) {
    case COF_KMS_SYMMETRIC:
        return cof_gcm_new(material, &key->gcms[version]);
    case COF_KMS_RSA:
        return cof_rsa_from_pkcs8(material, &key->rsa);
    case COF_KMS_ECC:
        return cof_ecdsa_from_pkcs8(material, &key->ecc);
    case COF_KMS_HMAC:
        return cof_secret_set(&key->hmac, material);
    }
    return COF_E_BUG;
}

enum cof_err cof_kms_key_unlock(struct cof_standin *s, struct cof_kms_key *key, size_t version)
{
    const json_t *entry = json_array_get(json_object_get(key->record, "versions"), version);
    struct cof_buf sealed, material, name;
    enum cof_err err;

    if (version >= key->n_versions)
        return COF_E_USAGE;
    if (key->spec->kind == COF_KMS_SYMMETRIC && key->gcms == NULL) {
        key->gcms = calloc(key->n_versions, sizeof *key->gcms);
        if (key->gcms == NULL)
            return COF_E_MEMORY;
    }
    if (key->rsa != NULL || key->ecc != NULL || key->hmac.len > 0 || (key->gcms != NULL && key->gcms[version] != NULL))
        return COF_OK;
    cof_buf_init(&sealed, 8192);
    cof_buf_init_secret(&material, 8192);
    cof_buf_init(&name, 256);
    seal_name(key, cof_kms_version_id(key, version), &name);
    err = cof_json_base64(entry, "sealed", &sealed, NULL);
    if (err == COF_OK)
        err = cof_standin_unseal(s, "kms", cof_buf_view(&name), cof_buf_view(&sealed), &material);
    if (err == COF_OK)
        err = use_material(key, version, cof_buf_view(&material));
    cof_buf_done(&sealed);
    cof_buf_done(&material);
    cof_buf_done(&name);
    return err;
}
