/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_blob.h"

#include <stdlib.h>
#include <string.h>

#define BLOB_VERSION 2
#define AAD_ROOM 240 /* bytes, for an ARN and a few pairs without growing */

enum cof_err cof_kms_blob_parse(struct cof_view bytes, struct cof_kms_blob *out)
{
    struct cof_kms_blob blob;
    uint8_t version, length;

    *out = (struct cof_kms_blob){0};
    if (bytes.len > COF_KMS_BLOB_MAX || cof_take_u8(&bytes, &version) != COF_OK || version != BLOB_VERSION ||
        cof_take_u8(&bytes, &length) != COF_OK || length == 0 || length >= COF_KMS_ID_MAX ||
        cof_take(&bytes, length, &blob.key_id) != COF_OK || cof_take_u32(&bytes, &blob.version) != COF_OK ||
        cof_take(&bytes, COF_GCM_NONCE, &blob.nonce) != COF_OK || bytes.len < COF_GCM_TAG)
        return COF_E_FORMAT;
    blob.sealed = bytes;
    *out = blob;
    return COF_OK;
}

#define PAIRS_MAX 8 /* that are written here; jansson writes what has more, or anything to escape */

struct pair {
    struct cof_view name, value;
};

/* What JSON writes as it is. */
static bool is_plain(struct cof_view v)
{
    bool special = false;

    for (size_t i = 0; i < v.len; i++)
        special |= v.data[i] < 0x20 || v.data[i] == '"' || v.data[i] == '\\';
    return !special;
}

/* The pairs in order of their names. False: jansson's. */
static bool sorted_pairs(const json_t *context, struct pair pairs[PAIRS_MAX], size_t *n)
{
    json_t *mutable = (json_t *)(uintptr_t)context, *value;
    const char *name;

    *n = 0;
    if (json_object_size(context) > PAIRS_MAX)
        return false;
    json_object_foreach(mutable, name, value) {
        struct pair p = {cof_view_str(name), cof_view_of(json_string_value(value), json_string_length(value))};
        size_t at = (*n)++;

        if (!json_is_string(value) || !is_plain(p.name) || !is_plain(p.value))
            return false;
        for (; at > 0 && cof_view_cmp(pairs[at - 1].name, p.name) > 0; at--)
            pairs[at] = pairs[at - 1];
        pairs[at] = p;
    }
    return true;
}

enum cof_err cof_kms_context_text(const json_t *context, struct cof_buf *out)
{
    struct pair pairs[PAIRS_MAX];
    char *text;
    size_t n;

    if (json_object_size(context) == 0)
        return COF_OK;
    if (!sorted_pairs(context, pairs, &n)) {
        text = json_dumps(context, JSON_COMPACT | JSON_SORT_KEYS);
        if (text == NULL)
            return COF_E_MEMORY;
        cof_buf_add_str(out, text);
        free(text);
        return cof_buf_err(out);
    }
    for (size_t i = 0; i < n; i++) {
        cof_buf_add_str(out, i == 0 ? "{\"" : ",\"");
        cof_buf_add(out, pairs[i].name);
        cof_buf_add_str(out, "\":\"");
        cof_buf_add(out, pairs[i].value);
        cof_buf_add_str(out, "\"");
    }
    cof_buf_add_str(out, "}");
    return cof_buf_err(out);
}

static enum cof_err make_aad(const struct cof_kms_key *key, uint32_t version, const json_t *context, struct cof_buf *aad)
{
    cof_buf_add_str(aad, key->arn);
    cof_buf_add_u8(aad, 0);
    cof_buf_add_u32(aad, version);
    return cof_kms_context_text(context, aad);
}

enum cof_err cof_kms_wrap(struct cof_standin *s, struct cof_kms_key *key, const json_t *context, struct cof_view plaintext,
                          struct cof_buf *blob)
{
    size_t version = key->n_versions - 1;
    uint8_t nonce[COF_GCM_NONCE], *at;
    struct cof_buf aad;
    enum cof_err err;

    if (key->spec->kind != COF_KMS_SYMMETRIC)
        return COF_E_USAGE;
    cof_buf_init(&aad, 65536);
    err = cof_buf_reserve(&aad, AAD_ROOM);
    if (err == COF_OK)
        err = cof_kms_key_unlock(s, key, version);
    if (err == COF_OK)
        err = make_aad(key, (uint32_t)version, context, &aad);
    if (err == COF_OK)
        err = cof_rng_fill(cof_standin_rng(s), nonce, sizeof nonce);
    if (err == COF_OK) {
        cof_buf_add_u8(blob, BLOB_VERSION);
        cof_buf_add_u8(blob, (uint8_t)strlen(key->id));
        cof_buf_add_str(blob, key->id);
        cof_buf_add_u32(blob, (uint32_t)version);
        cof_buf_add_bytes(blob, nonce, sizeof nonce);
        at = cof_buf_extend(blob, plaintext.len + COF_GCM_TAG);
        err = at == NULL ? cof_buf_err(blob)
                         : cof_gcm_seal(key->gcms[version], nonce, cof_buf_view(&aad), plaintext, at);
    }
    cof_buf_done(&aad);
    return err;
}

enum cof_err cof_kms_unwrap(struct cof_standin *s, struct cof_kms_key *key, const json_t *context, struct cof_view bytes,
                            struct cof_buf *plaintext, size_t *version)
{
    size_t start = plaintext->len;
    struct cof_kms_blob blob;
    struct cof_buf aad;
    uint8_t *at;
    enum cof_err err;

    if (key->spec->kind != COF_KMS_SYMMETRIC || cof_kms_blob_parse(bytes, &blob) != COF_OK ||
        !cof_view_eq_str(blob.key_id, key->id) || blob.version >= key->n_versions)
        return COF_E_AUTH;
    cof_buf_init(&aad, 65536);
    err = cof_buf_reserve(&aad, AAD_ROOM);
    if (err == COF_OK)
        err = cof_kms_key_unlock(s, key, blob.version);
    if (err == COF_OK)
        err = make_aad(key, blob.version, context, &aad);
    if (err == COF_OK) {
        at = cof_buf_extend(plaintext, blob.sealed.len - COF_GCM_TAG);
        err = at == NULL ? cof_buf_err(plaintext)
                         : cof_gcm_open(key->gcms[blob.version], blob.nonce.data, cof_buf_view(&aad), blob.sealed, at);
        if (err != COF_OK && at != NULL)
            cof_buf_truncate(plaintext, start);
    }
    if (err == COF_OK && version != NULL)
        *version = blob.version;
    cof_buf_done(&aad);
    return err;
}
