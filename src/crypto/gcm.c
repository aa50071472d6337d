/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/gcm.h"

#include "base/secret.h"
#include "crypto/ossl.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct cof_gcm {
    EVP_CIPHER_CTX *ctx; /* both directions: GCM has one key schedule, the direction is set with each nonce */
};

#define N_SIZES 3
static const struct {
    size_t key; /* bytes */
    const char *name;
} sizes[N_SIZES] = {{16, "AES-128-GCM"}, {24, "AES-192-GCM"}, {32, "AES-256-GCM"}};

/* Fetched once; they live as long as the process. */
static EVP_CIPHER *fetched[N_SIZES];
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    for (size_t i = 0; i < N_SIZES; i++)
        fetched[i] = EVP_CIPHER_fetch(NULL, sizes[i].name, NULL);
}

static const EVP_CIPHER *cipher_for(size_t key_len)
{
    (void)pthread_once(&fetch_once, fetch);
    for (size_t i = 0; i < N_SIZES; i++)
        if (sizes[i].key == key_len)
            return fetched[i];
    return NULL;
}

enum cof_err cof_gcm_new(struct cof_view key, struct cof_gcm **out)
{
    const EVP_CIPHER *cipher = cipher_for(key.len);
    struct cof_gcm *g;

    *out = NULL;
    if (cipher == NULL)
        return COF_E_USAGE;
    g = calloc(1, sizeof *g);
    if (g == NULL)
        return COF_E_MEMORY;
    g->ctx = EVP_CIPHER_CTX_new();
    if (g->ctx == NULL || EVP_EncryptInit_ex2(g->ctx, cipher, key.data, NULL, NULL) != 1) {
        cof_gcm_free(g);
        cof_ossl_quiet();
        return COF_E_MEMORY;
    }
    *out = g;
    return COF_OK;
}

void cof_gcm_free(struct cof_gcm *g)
{
    if (g == NULL)
        return;
    EVP_CIPHER_CTX_free(g->ctx); /* wipes the key schedule */
    free(g);
}

enum cof_err cof_gcm_seal(struct cof_gcm *g, const uint8_t nonce[static COF_GCM_NONCE], struct cof_view aad,
                          struct cof_view plaintext, uint8_t *out)
{
    int n = 0, last = 0;

    if (plaintext.len > INT_MAX || aad.len > INT_MAX)
        return COF_E_LIMIT;
    if (EVP_EncryptInit_ex2(g->ctx, NULL, NULL, nonce, NULL) != 1 ||
        (aad.len > 0 && EVP_EncryptUpdate(g->ctx, NULL, &n, aad.data, (int)aad.len) != 1) ||
        (plaintext.len > 0 && EVP_EncryptUpdate(g->ctx, out, &n, plaintext.data, (int)plaintext.len) != 1) ||
        EVP_EncryptFinal_ex(g->ctx, out + plaintext.len, &last) != 1 ||
        EVP_CIPHER_CTX_ctrl(g->ctx, EVP_CTRL_AEAD_GET_TAG, COF_GCM_TAG, out + plaintext.len) != 1) {
        cof_wipe(out, plaintext.len + COF_GCM_TAG);
        cof_ossl_quiet();
        return COF_E_BUG;
    }
    return COF_OK;
}

enum cof_err cof_gcm_open(struct cof_gcm *g, const uint8_t nonce[static COF_GCM_NONCE], struct cof_view aad,
                          struct cof_view sealed, uint8_t *out)
{
    uint8_t tag[COF_GCM_TAG], nothing[1];
    size_t len;
    int n = 0, last = 0;

    if (sealed.len < COF_GCM_TAG)
        return COF_E_AUTH;
    len = sealed.len - COF_GCM_TAG;
    if (len > INT_MAX || aad.len > INT_MAX)
        return COF_E_LIMIT;
    (void)memcpy(tag, sealed.data + len, sizeof tag);
    if (EVP_DecryptInit_ex2(g->ctx, NULL, NULL, nonce, NULL) != 1 ||
        (aad.len > 0 && EVP_DecryptUpdate(g->ctx, NULL, &n, aad.data, (int)aad.len) != 1) ||
        (len > 0 && EVP_DecryptUpdate(g->ctx, out, &n, sealed.data, (int)len) != 1) ||
        EVP_CIPHER_CTX_ctrl(g->ctx, EVP_CTRL_AEAD_SET_TAG, COF_GCM_TAG, tag) != 1 ||
        EVP_DecryptFinal_ex(g->ctx, len == 0 ? nothing : out + len, &last) != 1) {
        if (len > 0)
            cof_wipe(out, len);
        cof_ossl_quiet();
        return COF_E_AUTH;
    }
    return COF_OK;
}
