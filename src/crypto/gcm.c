/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/gcm.h"

#include "base/secret.h"
#include "crypto/ossl.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

struct cof_gcm {
    EVP_CIPHER_CTX *seal, *open;
};

static EVP_CIPHER *fetched;
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    fetched = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

enum cof_err cof_gcm_new(struct cof_view key, struct cof_gcm **out)
{
    struct cof_gcm *g = calloc(1, sizeof *g);

    *out = NULL;
    if (g == NULL)
        return COF_E_MEMORY;
    (void)pthread_once(&fetch_once, fetch);
    if (key.len != COF_GCM_KEY || fetched == NULL) {
        free(g);
        return COF_E_USAGE;
    }
    g->seal = EVP_CIPHER_CTX_new();
    g->open = EVP_CIPHER_CTX_new();
    if (g->seal == NULL || g->open == NULL || EVP_EncryptInit_ex2(g->seal, fetched, key.data, NULL, NULL) != 1 ||
        EVP_DecryptInit_ex2(g->open, fetched, key.data, NULL, NULL) != 1) {
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
    EVP_CIPHER_CTX_free(g->seal); /* wipes the key schedule */
    EVP_CIPHER_CTX_free(g->open);
    free(g);
}

enum cof_err cof_gcm_seal(struct cof_gcm *g, const uint8_t nonce[static COF_GCM_NONCE], struct cof_view aad,
                          struct cof_view plaintext, uint8_t *out)
{
    int n = 0, last = 0;

    if (plaintext.len > INT_MAX || aad.len > INT_MAX)
        return COF_E_LIMIT;
    if (EVP_EncryptInit_ex2(g->seal, NULL, NULL, nonce, NULL) != 1 ||
        (aad.len > 0 && EVP_EncryptUpdate(g->seal, NULL, &n, aad.data, (int)aad.len) != 1) ||
        (plaintext.len > 0 && EVP_EncryptUpdate(g->seal, out, &n, plaintext.data, (int)plaintext.len) != 1) ||
        EVP_EncryptFinal_ex(g->seal, out + plaintext.len, &last) != 1 ||
        EVP_CIPHER_CTX_ctrl(g->seal, EVP_CTRL_AEAD_GET_TAG, COF_GCM_TAG, out + plaintext.len) != 1)
        return COF_E_BUG;
    return COF_OK;
}

enum cof_err cof_gcm_open(struct cof_gcm *g, const uint8_t nonce[static COF_GCM_NONCE], struct cof_view aad,
                          struct cof_view sealed, uint8_t *out)
{
    uint8_t tag[COF_GCM_TAG], nothing[1];
    size_t len = sealed.len - COF_GCM_TAG;
    int n = 0, last = 0;

    if (sealed.len < COF_GCM_TAG)
        return COF_E_AUTH;
    if (len > INT_MAX || aad.len > INT_MAX)
        return COF_E_LIMIT;
    for (size_t i = 0; i < COF_GCM_TAG; i++)
        tag[i] = sealed.data[len + i];
    if (EVP_DecryptInit_ex2(g->open, NULL, NULL, nonce, NULL) != 1 ||
        (aad.len > 0 && EVP_DecryptUpdate(g->open, NULL, &n, aad.data, (int)aad.len) != 1) ||
        (len > 0 && EVP_DecryptUpdate(g->open, out, &n, sealed.data, (int)len) != 1) ||
        EVP_CIPHER_CTX_ctrl(g->open, EVP_CTRL_AEAD_SET_TAG, COF_GCM_TAG, tag) != 1 ||
        EVP_DecryptFinal_ex(g->open, len == 0 ? nothing : out + len, &last) != 1) {
        if (len > 0)
            cof_wipe(out, len);
        cof_ossl_quiet();
        return COF_E_AUTH;
    }
    return COF_OK;
}
