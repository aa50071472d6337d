/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/keyring_raw.h"

#include "crypto/gcm.h"

#include <string.h>

#define TAG_BITS 128
#define AAD_MAX ((size_t)1 << 24) /* a context with every length at its largest */

enum cof_err cof_raw_aes_wrap(const struct cof_raw_aes *keyring, const struct cof_esdk_pair *pairs, size_t n,
                              const struct cof_secret *data_key, const struct cof_rng *rng, struct cof_buf *info,
                              struct cof_buf *ciphertext)
{
    struct cof_gcm *gcm = NULL;
    uint8_t iv[COF_GCM_NONCE];
    struct cof_buf aad;
    enum cof_err err;

    cof_buf_init(&aad, AAD_MAX);
    err = cof_esdk_context_add(&aad, pairs, n);
    if (err == COF_OK)
        err = cof_rng_fill(rng, iv, sizeof iv);
    if (err == COF_OK)
        err = cof_gcm_new(cof_secret_view(keyring->key), &gcm);
    if (err == COF_OK) {
        cof_buf_add(info, keyring->name);
        cof_buf_add_u32(info, TAG_BITS);
        cof_buf_add_u32(info, sizeof iv);
        cof_buf_add_bytes(info, iv, sizeof iv);
        err = cof_buf_err(info);
    }
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

/* Whether the provider info is this keyring's; then the IV. */
static bool is_ours(const struct cof_raw_aes *keyring, const struct cof_esdk_edk *edk, uint8_t iv[static COF_GCM_NONCE])
{
    struct cof_view rest = edk->info, name, iv_bytes;
    uint32_t tag_bits, iv_length;

    if (!cof_view_eq(edk->provider, keyring->name_space) || cof_take(&rest, keyring->name.len, &name) != COF_OK ||
        !cof_view_eq(name, keyring->name) || cof_take_u32(&rest, &tag_bits) != COF_OK ||
        cof_take_u32(&rest, &iv_length) != COF_OK || tag_bits != TAG_BITS || iv_length != COF_GCM_NONCE ||
        rest.len != COF_GCM_NONCE || cof_take(&rest, COF_GCM_NONCE, &iv_bytes) != COF_OK)
        return false;
    (void)memcpy(iv, iv_bytes.data, COF_GCM_NONCE);
    return true;
}

enum cof_err cof_raw_aes_unwrap(const struct cof_raw_aes *keyring, const struct cof_esdk_pair *pairs, size_t n,
                                const struct cof_esdk_edk *edk, struct cof_secret *data_key)
{
    uint8_t iv[COF_GCM_NONCE], plain[COF_SECRET_MAX];
    struct cof_gcm *gcm = NULL;
    struct cof_buf aad;
    enum cof_err err;

    cof_secret_done(data_key);
    if (!is_ours(keyring, edk, iv))
        return COF_E_NOT_FOUND;
    if (edk->ciphertext.len < COF_GCM_TAG || edk->ciphertext.len > sizeof plain + COF_GCM_TAG)
        return COF_E_AUTH;
    cof_buf_init(&aad, AAD_MAX);
    err = cof_esdk_context_add(&aad, pairs, n);
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

enum cof_err cof_raw_rsa_wrap(const struct cof_raw_rsa *keyring, const struct cof_secret *data_key,
                              struct cof_buf *ciphertext)
{
    return cof_rsa_encrypt(keyring->key, keyring->padding, cof_secret_view(data_key), ciphertext);
}

enum cof_err cof_raw_rsa_unwrap(const struct cof_raw_rsa *keyring, const struct cof_esdk_edk *edk,
                                struct cof_secret *data_key)
{
    struct cof_buf plain;
    enum cof_err err;

    cof_secret_done(data_key);
    if (!cof_rsa_is_private(keyring->key) || !cof_view_eq(edk->provider, keyring->name_space) ||
        !cof_view_eq(edk->info, keyring->name))
        return COF_E_NOT_FOUND;
    cof_buf_init_secret(&plain, COF_RSA_SIZE_MAX);
    err = cof_rsa_decrypt(keyring->key, keyring->padding, edk->ciphertext, &plain);
    if (err == COF_OK && cof_secret_set(data_key, cof_buf_view(&plain)) != COF_OK)
        err = COF_E_AUTH; /* longer than any key */
    cof_buf_done(&plain);
    return err;
}

static enum cof_err make_key(const struct cof_keyring_wrap *r)
{
    if (r->data_key->len != 0)
        return COF_OK;
    if (r->key_len > sizeof r->data_key->bytes)
        return COF_E_BUG;
    r->data_key->len = r->key_len;
    return cof_rng_fill(r->rng, r->data_key->bytes, r->key_len);
}

static enum cof_err aes_wrap(void *ctx, const struct cof_keyring_wrap *r)
{
    const struct cof_raw_aes *keyring = ctx;
    struct cof_buf info, ciphertext;
    enum cof_err err = make_key(r);

    cof_buf_init(&info, UINT16_MAX);
    cof_buf_init(&ciphertext, UINT16_MAX);
    if (err == COF_OK)
        err = cof_raw_aes_wrap(keyring, r->pairs, r->n_pairs, r->data_key, r->rng, &info, &ciphertext);
    if (err == COF_OK)
        err = cof_edk_list_add(r->edks, &(struct cof_esdk_edk){keyring->name_space, cof_buf_view(&info),
                                                               cof_buf_view(&ciphertext)});
    cof_buf_done(&info);
    cof_buf_done(&ciphertext);
    return err;
}

static enum cof_err rsa_wrap(void *ctx, const struct cof_keyring_wrap *r)
{
    const struct cof_raw_rsa *keyring = ctx;
    struct cof_buf ciphertext;
    enum cof_err err = make_key(r);

    cof_buf_init(&ciphertext, UINT16_MAX);
    if (err == COF_OK)
        err = cof_raw_rsa_wrap(keyring, r->data_key, &ciphertext);
    if (err == COF_OK)
        err = cof_edk_list_add(r->edks, &(struct cof_esdk_edk){keyring->name_space, keyring->name,
                                                               cof_buf_view(&ciphertext)});
    cof_buf_done(&ciphertext);
    return err;
}

static enum cof_err aes_try(const void *ctx, const struct cof_keyring_unwrap *r, const struct cof_esdk_edk *edk)
{
    return cof_raw_aes_unwrap(ctx, r->pairs, r->n_pairs, edk, r->data_key);
}

static enum cof_err rsa_try(const void *ctx, const struct cof_keyring_unwrap *r, const struct cof_esdk_edk *edk)
{
    return cof_raw_rsa_unwrap(ctx, edk, r->data_key);
}

/* The first that opens to a key of the right length; else the last failure of one that is ours. */
static enum cof_err try_each(const void *ctx, const struct cof_keyring_unwrap *r,
                             enum cof_err (*attempt)(const void *, const struct cof_keyring_unwrap *,
                                                     const struct cof_esdk_edk *))
{
    enum cof_err last = COF_E_NOT_FOUND;

    for (size_t i = 0; i < r->n_edks; i++) {
        enum cof_err err = attempt(ctx, r, &r->edks[i]);
        if (err == COF_OK && r->data_key->len != r->key_len)
            err = COF_E_AUTH;
        if (err == COF_OK)
            return err;
        if (err != COF_E_NOT_FOUND)
            last = err;
    }
    return last;
}

static enum cof_err aes_unwrap(void *ctx, const struct cof_keyring_unwrap *r)
{
    return try_each(ctx, r, aes_try);
}

static enum cof_err rsa_unwrap(void *ctx, const struct cof_keyring_unwrap *r)
{
    return try_each(ctx, r, rsa_try);
}

struct cof_keyring cof_keyring_of_raw_aes(struct cof_raw_aes *keyring)
{
    return (struct cof_keyring){aes_wrap, aes_unwrap, keyring};
}

struct cof_keyring cof_keyring_of_raw_rsa(struct cof_raw_rsa *keyring)
{
    return (struct cof_keyring){rsa_wrap, rsa_unwrap, keyring};
}
