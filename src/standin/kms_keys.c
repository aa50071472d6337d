/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_keys.h"

#include "base/codec.h"
#include "crypto/gcm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_MAX 262144
#define BLOB_VERSION 1

void cof_kms_key_done(struct cof_kms_key *key)
{
    if (key == NULL)
        return;
    json_decref(key->record);
    *key = (struct cof_kms_key){0};
}

static bool set_id(struct cof_standin *s, struct cof_view id, struct cof_kms_key *key)
{
    if (id.len == 0 || id.len >= sizeof key->id || cof_view_find(id, 0) != SIZE_MAX)
        return false;
    memcpy(key->id, id.data, id.len);
    key->id[id.len] = '\0';
    return snprintf(key->arn, sizeof key->arn, "arn:aws:kms:%s:%s:key/%s", cof_standin_region(s), cof_standin_account(s),
                    key->id) < (int)sizeof key->arn;
}

/* The bare id or "alias/..." of an ARN of this account and region. */
static enum cof_err from_arn(struct cof_standin *s, struct cof_view *id)
{
    char prefix[128];
    struct cof_view p;

    if (!cof_view_starts(*id, COF_LIT("arn:")))
        return COF_OK;
    (void)snprintf(prefix, sizeof prefix, "arn:aws:kms:%s:%s:", cof_standin_region(s), cof_standin_account(s));
    p = cof_view_str(prefix);
    if (!cof_view_starts(*id, p))
        return COF_E_NOT_FOUND;
    *id = cof_view_sub(*id, p.len, SIZE_MAX);
    if (cof_view_starts(*id, COF_LIT("key/")))
        *id = cof_view_sub(*id, 4, SIZE_MAX);
    else if (!cof_view_starts(*id, COF_LIT("alias/")))
        return COF_E_NOT_FOUND;
    return COF_OK;
}

enum cof_err cof_kms_key_find(struct cof_standin *s, struct cof_view key_id, struct cof_kms_key *out)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf text, alias;
    enum cof_err err;

    *out = (struct cof_kms_key){0};
    cof_buf_init_secret(&text, RECORD_MAX);
    cof_buf_init(&alias, 1024);
    err = from_arn(s, &key_id);
    if (err == COF_OK && cof_view_starts(key_id, COF_LIT("alias/"))) {
        err = store->get(store->ctx, "kms.alias", key_id, &alias);
        key_id = cof_buf_view(&alias);
    }
    if (err == COF_OK && !set_id(s, key_id, out))
        err = COF_E_NOT_FOUND;
    if (err == COF_OK)
        err = store->get(store->ctx, "kms.key", key_id, &text);
    if (err == COF_OK)
        err = cof_json_parse_object(cof_buf_view(&text), RECORD_MAX, &out->record, NULL);
    cof_buf_done(&text);
    cof_buf_done(&alias);
    return err;
}

enum cof_err cof_kms_key_save(struct cof_standin *s, const struct cof_kms_key *key)
{
    const struct cof_store *store = cof_standin_store(s);
    char *text = json_dumps(key->record, JSON_COMPACT);
    enum cof_err err;

    if (text == NULL)
        return COF_E_MEMORY;
    err = store->put(store->ctx, "kms.key", cof_view_str(key->id), cof_view_str(text));
    cof_wipe(text, strlen(text));
    free(text);
    return err;
}

static void uuid(const uint8_t r[16], char out[37])
{
    char hex[33];

    cof_hex_encode(r, 16, hex);
    (void)snprintf(out, 37, "%.8s-%.4s-4%.3s-a%.3s-%.12s", hex, hex + 8, hex + 13, hex + 17, hex + 20);
}

static enum cof_err new_record(struct cof_standin *s, const struct cof_kms_key *key, int64_t now_ms, json_t **out)
{
    uint8_t material[32];
    struct cof_buf sealed, text;
    enum cof_err err = cof_rng_fill(cof_standin_rng(s), material, sizeof material);

    *out = NULL;
    cof_buf_init(&sealed, 256);
    cof_buf_init(&text, 512);
    if (err == COF_OK)
        err = cof_standin_seal(s, "kms", cof_view_str(key->id), cof_view_of(material, sizeof material), &sealed);
    cof_wipe(material, sizeof material);
    cof_base64_add(&text, cof_buf_view(&sealed));
    if (err == COF_OK) {
        *out = json_pack("{s:s, s:I, s:s}", "state", "Enabled", "created_ms", (json_int_t)now_ms, "material",
                         cof_buf_cstr(&text));
        err = *out == NULL ? COF_E_MEMORY : COF_OK;
    }
    cof_buf_done(&sealed);
    cof_buf_done(&text);
    return err;
}

enum cof_err cof_kms_key_make(struct cof_standin *s, struct cof_view id, struct cof_view policy, struct cof_view description,
                              int64_t now_ms, struct cof_kms_key *out)
{
    uint8_t r[16];
    char text[37];
    enum cof_err err = COF_OK;

    if (id.len == 0) {
        err = cof_rng_fill(cof_standin_rng(s), r, sizeof r);
        uuid(r, text);
        id = cof_view_str(text);
    }
    if (err == COF_OK)
        err = cof_kms_key_find(s, id, out);
    if (err == COF_E_NOT_FOUND) {
        cof_kms_key_done(out);
        err = set_id(s, id, out) ? new_record(s, out, now_ms, &out->record) : COF_E_USAGE;
    }
    if (err == COF_OK &&
        (json_object_set_new(out->record, "policy", json_stringn((const char *)policy.data, policy.len)) != 0 ||
         json_object_set_new(out->record, "description",
                             json_stringn(description.len == 0 ? "" : (const char *)description.data, description.len)) != 0))
        err = COF_E_MEMORY;
    if (err == COF_OK)
        err = cof_kms_key_save(s, out);
    if (err != COF_OK)
        cof_kms_key_done(out);
    return err;
}

enum cof_err cof_kms_alias_put(struct cof_standin *s, struct cof_view name, const struct cof_kms_key *key)
{
    const struct cof_store *store = cof_standin_store(s);

    if (!cof_view_starts(name, COF_LIT("alias/")) || name.len > 256)
        return COF_E_USAGE;
    return store->put(store->ctx, "kms.alias", name, cof_view_str(key->id));
}

struct cof_view cof_kms_key_policy(const struct cof_kms_key *key)
{
    return cof_view_str(json_string_value(json_object_get(key->record, "policy")));
}

bool cof_kms_key_is_enabled(const struct cof_kms_key *key)
{
    const char *state = json_string_value(json_object_get(key->record, "state"));

    return state != NULL && strcmp(state, "Enabled") == 0;
}

static enum cof_err open_material(struct cof_standin *s, const struct cof_kms_key *key, struct cof_gcm **gcm)
{
    struct cof_buf sealed, material;
    enum cof_err err;

    *gcm = NULL;
    cof_buf_init(&sealed, 256);
    cof_buf_init_secret(&material, 64);
    err = cof_json_base64(key->record, "material", &sealed, NULL);
    if (err == COF_OK)
        err = cof_standin_unseal(s, "kms", cof_view_str(key->id), cof_buf_view(&sealed), &material);
    if (err == COF_OK)
        err = cof_gcm_new(cof_buf_view(&material), gcm);
    cof_buf_done(&sealed);
    cof_buf_done(&material);
    return err;
}

/* ARN and context: members sorted by name, so that order does not matter, as in KMS. */
static enum cof_err make_aad(const struct cof_kms_key *key, const json_t *context, struct cof_buf *aad)
{
    char *text = context == NULL || json_object_size(context) == 0 ? NULL
                                                                   : json_dumps(context, JSON_COMPACT | JSON_SORT_KEYS);

    cof_buf_add_str(aad, key->arn);
    cof_buf_add_u8(aad, 0);
    if (text != NULL)
        cof_buf_add_str(aad, text);
    else if (context != NULL && json_object_size(context) > 0)
        return COF_E_MEMORY;
    free(text);
    return cof_buf_err(aad);
}

enum cof_err cof_kms_wrap(struct cof_standin *s, const struct cof_kms_key *key, const json_t *context,
                          struct cof_view plaintext, struct cof_buf *blob)
{
    struct cof_gcm *gcm;
    uint8_t nonce[COF_GCM_NONCE];
    struct cof_buf aad;
    enum cof_err err;

    cof_buf_init(&aad, 65536);
    err = open_material(s, key, &gcm);
    if (err == COF_OK)
        err = make_aad(key, context, &aad);
    if (err == COF_OK)
        err = cof_rng_fill(cof_standin_rng(s), nonce, sizeof nonce);
    cof_buf_add_u8(blob, BLOB_VERSION);
    cof_buf_add_u8(blob, (uint8_t)strlen(key->id));
    cof_buf_add_str(blob, key->id);
    cof_buf_add_bytes(blob, nonce, sizeof nonce);
    if (err == COF_OK)
        err = cof_buf_reserve(blob, plaintext.len + COF_GCM_TAG);
    if (err == COF_OK)
        err = cof_gcm_seal(gcm, nonce, cof_buf_view(&aad), plaintext, blob->data + blob->len);
    if (err == COF_OK)
        blob->len += plaintext.len + COF_GCM_TAG;
    cof_gcm_free(gcm);
    cof_buf_done(&aad);
    return err;
}

enum cof_err cof_kms_blob_key_id(struct cof_view blob, struct cof_view *id)
{
    uint8_t version, length;

    *id = (struct cof_view){0};
    if (cof_take_u8(&blob, &version) != COF_OK || version != BLOB_VERSION || cof_take_u8(&blob, &length) != COF_OK ||
        length == 0 || length >= COF_KMS_ID_MAX || cof_take(&blob, length, id) != COF_OK ||
        blob.len < COF_GCM_NONCE + COF_GCM_TAG)
        return COF_E_FORMAT;
    return COF_OK;
}

enum cof_err cof_kms_unwrap(struct cof_standin *s, const struct cof_kms_key *key, const json_t *context,
                            struct cof_view blob, struct cof_buf *plaintext)
{
    struct cof_view id, sealed;
    uint8_t nonce[COF_GCM_NONCE];
    struct cof_gcm *gcm = NULL;
    struct cof_buf aad;
    enum cof_err err = cof_kms_blob_key_id(blob, &id);

    if (err != COF_OK || !cof_view_eq_str(id, key->id))
        return COF_E_AUTH;
    sealed = cof_view_sub(blob, 2 + id.len, SIZE_MAX);
    memcpy(nonce, sealed.data, sizeof nonce);
    sealed = cof_view_sub(sealed, sizeof nonce, SIZE_MAX);
    cof_buf_init(&aad, 65536);
    err = open_material(s, key, &gcm);
    if (err == COF_OK)
        err = make_aad(key, context, &aad);
    if (err == COF_OK)
        err = cof_buf_reserve(plaintext, sealed.len);
    if (err == COF_OK)
        err = cof_gcm_open(gcm, nonce, cof_buf_view(&aad), sealed, plaintext->data + plaintext->len);
    if (err == COF_OK)
        plaintext->len += sealed.len - COF_GCM_TAG;
    cof_gcm_free(gcm);
    cof_buf_done(&aad);
    return err;
}
