/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/esdk_keys.h"

#include "crypto/hkdf.h"

#include <string.h>

#define KEY_MAX 32 /* bytes of the longest content key */

/* spec: algorithm suites, "HKDF-SHA512, salt = message id"; one extraction serves both outputs. */
static enum cof_err derive_committing(const struct cof_suite *suite, const struct cof_secret *data_key,
                                      struct cof_view message_id, uint8_t *key, uint8_t *commitment)
{
    const uint8_t info[11] = {(uint8_t)(suite->id >> 8), (uint8_t)suite->id, 'D', 'E', 'R', 'I', 'V', 'E', 'K', 'E', 'Y'};
    struct cof_secret prk COF_SECRET_AUTO = {0};
    enum cof_err err = cof_hkdf_extract(suite->kdf_hash, cof_secret_view(data_key), message_id, &prk);

    if (err == COF_OK)
        err = cof_hkdf_expand(suite->kdf_hash, &prk, cof_view_of(info, sizeof info), key, suite->key_len);
    if (err == COF_OK)
        err = cof_hkdf_expand(suite->kdf_hash, &prk, COF_LIT("COMMITKEY"), commitment, COF_ESDK_COMMITMENT);
    return err;
}

/* spec: algorithm suites, no salt, info = suite id and message id */
static enum cof_err derive_plain(const struct cof_suite *suite, const struct cof_secret *data_key,
                                 struct cof_view message_id, uint8_t *key)
{
    uint8_t info[2 + COF_ESDK_MESSAGE_ID_V1] = {(uint8_t)(suite->id >> 8), (uint8_t)suite->id};

    if (message_id.len != COF_ESDK_MESSAGE_ID_V1)
        return COF_E_BUG;
    (void)memcpy(info + 2, message_id.data, message_id.len);
    return cof_hkdf(suite->kdf_hash, cof_secret_view(data_key), (struct cof_view){0}, cof_view_of(info, sizeof info), key,
                    suite->key_len);
}

enum cof_err cof_esdk_derive(const struct cof_suite *suite, const struct cof_secret *data_key, struct cof_view message_id,
                             struct cof_gcm **content_key, uint8_t commitment[static COF_ESDK_COMMITMENT])
{
    uint8_t key[KEY_MAX];
    enum cof_err err = COF_E_BUG;

    *content_key = NULL;
    (void)memset(commitment, 0, COF_ESDK_COMMITMENT);
    if (data_key->len != suite->key_len)
        return COF_E_AUTH;
    switch (suite->kdf) {
    case COF_KDF_NONE:
        return cof_gcm_new(cof_secret_view(data_key), content_key);
    case COF_KDF_HKDF:
        err = derive_plain(suite, data_key, message_id, key);
        break;
    case COF_KDF_COMMIT:
        err = derive_committing(suite, data_key, message_id, key, commitment);
        break;
    }
    if (err == COF_OK)
        err = cof_gcm_new(cof_view_of(key, suite->key_len), content_key);
    cof_wipe(key, sizeof key);
    return err;
}

enum cof_err cof_esdk_seal_frame(struct cof_gcm *content_key, struct cof_view message_id, enum cof_esdk_part part,
                                 uint32_t sequence, struct cof_view plain, uint8_t *out)
{
    uint8_t iv[COF_ESDK_IV], aad[COF_ESDK_BODY_AAD_MAX], head[COF_ESDK_FRAME_HEAD_MAX];
    size_t head_len, aad_len;

    if (part == COF_ESDK_SINGLE_BLOCK || plain.len > UINT32_MAX)
        return COF_E_USAGE;
    head_len = cof_esdk_frame_head(part, sequence, (uint32_t)plain.len, head);
    aad_len = cof_esdk_body_aad(message_id, part, sequence, plain.len, aad);
    cof_esdk_frame_iv(sequence, iv);
    (void)memcpy(out, head, head_len);
    return cof_gcm_seal(content_key, iv, cof_view_of(aad, aad_len), plain, out + head_len);
}

enum cof_err cof_esdk_open_frame(struct cof_gcm *content_key, struct cof_view message_id,
                                 const struct cof_esdk_frame *frame, struct cof_view bytes, uint8_t *out)
{
    uint8_t iv[COF_ESDK_IV], aad[COF_ESDK_BODY_AAD_MAX];
    size_t aad_len = cof_esdk_body_aad(message_id, frame->part, frame->sequence, frame->length, aad);

    if (bytes.len < frame->head || bytes.len - frame->head != frame->length + COF_ESDK_TAG)
        return COF_E_BUG;
    /* Some writers put more than the sequence number here: using what is there checks it. */
    (void)memcpy(iv, frame->iv.data, sizeof iv);
    return cof_gcm_open(content_key, iv, cof_view_of(aad, aad_len), cof_view_sub(bytes, frame->head, SIZE_MAX), out);
}

enum cof_err cof_esdk_export(const struct cof_secret *data_key, struct cof_view message_id, const char *label,
                             uint8_t out[static 32])
{
    struct cof_buf info;
    enum cof_err err;

    cof_buf_init(&info, 256);
    cof_buf_add_str(&info, "coffer exporter ");
    cof_buf_add_str(&info, label);
    err = data_key->len == 0 ? COF_E_STATE : cof_buf_err(&info);
    if (err == COF_OK)
        err = cof_hkdf(COF_SHA512, cof_secret_view(data_key), message_id, cof_buf_view(&info), out, 32);
    else
        (void)memset(out, 0, 32);
    cof_buf_done(&info);
    return err;
}
