/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_blob.h"

#include <stdlib.h>
#include <string.h>

#define BLOB_VERSION 2

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

static enum cof_err make_aad(const struct cof_kms_key *key, uint32_t version, const json_t *context, struct cof_buf *aad)
{
    bool has = context != NULL && json_object_size(context) > 0;
    char *text = has ? json_dumps(context, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    if (has && text == NULL)
        return COF_E_MEMORY;
    cof_buf_add_str(aad, key->arn);
    cof_buf_add_u8(aad, 0);
    cof_buf_add_u32(aad, version);
    if (text != NULL)
        cof_buf_add_str(aad, text);
    free(text);
    return cof_buf_err(aad);
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
