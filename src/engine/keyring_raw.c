/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/keyring_raw.h"

#include "crypto/gcm.h"

#define TAG_BITS 128
#define DATA_KEY_MAX 64

/* The context as AAD: count and pairs, or nothing at all when it is empty. */
static enum cof_err context_aad(const struct cof_esdk_pair *pairs, size_t n, struct cof_buf *out)
{
    if (n == 0)
        return COF_OK;
    cof_buf_add_u16(out, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        cof_buf_add_u16(out, (uint16_t)pairs[i].name.len);
        cof_buf_add(out, pairs[i].name);
        cof_buf_add_u16(out, (uint16_t)pairs[i].value.len);
        cof_buf_add(out, pairs[i].value);
    }
    return cof_buf_err(out);
}

enum cof_err cof_raw_aes_wrap(const struct cof_raw_aes *keyring, const struct cof_esdk_pair *pairs, size_t n,
                              const struct cof_secret *data_key, const struct cof_rng *rng, struct cof_buf *info,
                              struct cof_buf *ciphertext)
{
    struct cof_gcm *gcm = NULL;
    uint8_t iv[COF_GCM_NONCE];
    struct cof_buf aad;
    enum cof_err err;

    cof_buf_init(&aad, 131072);
    err = context_aad(pairs, n, &aad);
    if (err == COF_OK)
        err = cof_rng_fill(rng, iv, sizeof iv);
    if (err == COF_OK)
        err = cof_gcm_new(cof_secret_view(keyring->key), &gcm);
    cof_buf_add(info, keyring->name);
    cof_buf_add_u32(info, TAG_BITS);
    cof_buf_add_u32(info, sizeof iv);
    cof_buf_add_bytes(info, iv, sizeof iv);
    if (err == COF_OK)
        err = cof_buf_err(info);
    if (err == COF_OK)
        err = cof_buf_reserve(ciphertext, data_key->len + COF_GCM_TAG);
    if (err == COF_OK)
        err = cof_gcm_seal(gcm, iv, cof_buf_view(&aad), cof_secret_view(data_key), ciphertext->data + ciphertext->len);
    if (err == COF_OK)
        ciphertext->len += data_key->len + COF_GCM_TAG;
    cof_gcm_free(gcm);
    cof_buf_done(&aad);
    return err;
}

enum cof_err cof_raw_aes_unwrap(const struct cof_raw_aes *keyring, const struct cof_esdk_pair *pairs, size_t n,
                                const struct cof_esdk_edk *edk, struct cof_secret *data_key)
{
    struct cof_view rest = edk->info, name, iv_bytes;
    uint8_t iv[COF_GCM_NONCE], plain[DATA_KEY_MAX];
    uint32_t tag_bits, iv_length;
    struct cof_gcm *gcm = NULL;
    struct cof_buf aad;
    enum cof_err err;

    cof_secret_done(data_key);
    if (!cof_view_eq(edk->provider, keyring->name_space) || cof_take(&rest, keyring->name.len, &name) != COF_OK ||
        !cof_view_eq(name, keyring->name) || rest.len != 8 + sizeof iv)
        return COF_E_NOT_FOUND;
    if (cof_take_u32(&rest, &tag_bits) != COF_OK || cof_take_u32(&rest, &iv_length) != COF_OK || tag_bits != TAG_BITS ||
        iv_length != sizeof iv || cof_take(&rest, sizeof iv, &iv_bytes) != COF_OK ||
        edk->ciphertext.len < COF_GCM_TAG || edk->ciphertext.len > sizeof plain + COF_GCM_TAG)
        return COF_E_AUTH;
    for (size_t i = 0; i < sizeof iv; i++)
        iv[i] = iv_bytes.data[i];
    cof_buf_init(&aad, 131072);
    err = context_aad(pairs, n, &aad);
    if (err == COF_OK)
        err = cof_gcm_new(cof_secret_view(keyring->key), &gcm);
    if (err == COF_OK)
        err = cof_gcm_open(gcm, iv, cof_buf_view(&aad), edk->ciphertext, plain);
    if (err == COF_OK)
        err = cof_secret_set(data_key, cof_view_of(plain, edk->ciphertext.len - COF_GCM_TAG));
    cof_wipe(plain, sizeof plain);
    cof_gcm_free(gcm);
    cof_buf_done(&aad);
    return err;
}
