/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cbc.h"

#include "base/secret.h"
#include "crypto/ossl.h"

#include <limits.h>
#include <pthread.h>

#define BLOCK 16

static EVP_CIPHER *fetched;
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    fetched = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
}

static EVP_CIPHER_CTX *begin(struct cof_view key, struct cof_view iv, bool encrypt)
{
    EVP_CIPHER_CTX *ctx;

    (void)pthread_once(&fetch_once, fetch);
    ctx = fetched == NULL ? NULL : EVP_CIPHER_CTX_new();
    if (ctx != NULL && EVP_CipherInit_ex2(ctx, fetched, key.data, iv.data, encrypt, NULL) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

/* Runs the cipher over in, whose padded length is at most in.len + BLOCK. fail is the code for a refusing cipher. */
static enum cof_err run(struct cof_view key, struct cof_view iv, bool encrypt, struct cof_view in, enum cof_err fail,
                        struct cof_buf *out)
{
    static const uint8_t nothing[1] = {0};
    EVP_CIPHER_CTX *ctx = begin(key, iv, encrypt);
    size_t start = out->len;
    int n = 0, last = 0;
    enum cof_err err = COF_E_MEMORY;
    uint8_t *at;

    if (ctx == NULL)
        return COF_E_MEMORY;
    at = cof_buf_extend(out, in.len + BLOCK);
    if (at == NULL) {
        err = cof_buf_err(out);
        goto out;
    }
    err = fail;
    if (EVP_CipherUpdate(ctx, at, &n, in.len == 0 ? nothing : in.data, (int)in.len) == 1 &&
        EVP_CipherFinal_ex(ctx, at + n, &last) == 1)
        err = COF_OK;
    if (err != COF_OK) {
        cof_wipe(at, in.len + BLOCK);
        n = last = 0;
    }
    cof_buf_truncate(out, start + (size_t)n + (size_t)last);
out:
    EVP_CIPHER_CTX_free(ctx);
    cof_ossl_quiet();
    return err;
}

static bool sizes_fit(struct cof_view key, struct cof_view iv)
{
    return key.len == COF_CBC_KEY_SIZE && iv.len == COF_CBC_IV_SIZE;
}

enum cof_err cof_cbc_encrypt(struct cof_view key, struct cof_view iv, struct cof_view plain, struct cof_buf *out)
{
    if (!sizes_fit(key, iv) || plain.len > INT_MAX - 2 * BLOCK)
        return COF_E_USAGE;
    return run(key, iv, true, plain, COF_E_BUG, out);
}

enum cof_err cof_cbc_decrypt(struct cof_view key, struct cof_view iv, struct cof_view cipher, struct cof_buf *out)
{
    if (!sizes_fit(key, iv))
        return COF_E_USAGE;
    if (cipher.len == 0 || cipher.len % BLOCK != 0 || cipher.len > INT_MAX - 2 * BLOCK)
        return COF_E_AUTH;
    return run(key, iv, false, cipher, COF_E_AUTH, out);
}
