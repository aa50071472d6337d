/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hash.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct cof_hash {
    EVP_MD_CTX *ctx;
    enum cof_hash_alg alg;
};

#define BLOCK_MAX 128 /* bytes; SHA-384's and SHA-512's */
#define N_ALGS 6
static const struct {
    const char *name;
    size_t size;
} algs[N_ALGS] = {
    [COF_SHA256] = {"SHA256", 32}, [COF_SHA384] = {"SHA384", 48}, [COF_SHA512] = {"SHA512", 64},
    [COF_SHA1] = {"SHA1", 20},     [COF_MD5] = {"MD5", 16},
    [COF_SHA224] = {"SHA224", 28},
};

/* Fetched once: an implicit fetch costs more than hashing a header. They live as long as the process. */
static EVP_MD *fetched[N_ALGS];
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static CRYPTO_THREAD_LOCAL kept;
static bool may_keep;

static void free_kept(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}

static void fetch_all(void)
{
    for (size_t i = 0; i < N_ALGS; i++)
        fetched[i] = EVP_MD_fetch(NULL, algs[i].name, NULL);
    may_keep = CRYPTO_THREAD_init_local(&kept, free_kept) == 1;
}

static const EVP_MD *md(enum cof_hash_alg alg)
{
    (void)pthread_once(&fetch_once, fetch_all);
    return (size_t)alg < N_ALGS ? fetched[alg] : NULL;
}

/* A context that has begun. SHA-256's is the thread's own and given back, since making one costs 700 instructions; it is
 * begun anew before, so that it holds nothing of what was hashed. (One of SHA-512 would still hold its last input.) */
static EVP_MD_CTX *take_ctx(enum cof_hash_alg alg)
{
    EVP_MD_CTX *ctx = alg == COF_SHA256 && may_keep ? CRYPTO_THREAD_get_local(&kept) : NULL;

    if (ctx != NULL && CRYPTO_THREAD_set_local(&kept, NULL) == 1)
        return ctx;
    ctx = EVP_MD_CTX_new();
    if (ctx != NULL && EVP_DigestInit_ex2(ctx, md(alg), NULL) == 1)
        return ctx;
    EVP_MD_CTX_free(ctx);
    return NULL;
}

/* ok: it has begun, and nothing went wrong. */
static void give_ctx(enum cof_hash_alg alg, EVP_MD_CTX *ctx, bool ok)
{
    if (!ok || alg != COF_SHA256 || !may_keep || CRYPTO_THREAD_set_local(&kept, ctx) != 1)
        EVP_MD_CTX_free(ctx);
}

static bool add_to(EVP_MD_CTX *ctx, struct cof_view data)
{
    return data.len == 0 || EVP_DigestUpdate(ctx, data.data, data.len) == 1;
}

/* Writes the digest and begins anew. */
static bool end_digest(EVP_MD_CTX *ctx, uint8_t *out)
{
    return EVP_DigestFinal_ex(ctx, out, NULL) == 1 && EVP_DigestInit_ex2(ctx, NULL, NULL) == 1;
}

size_t cof_hash_size(enum cof_hash_alg alg)
{
    return (size_t)alg < N_ALGS ? algs[alg].size : 0;
}

enum cof_err cof_hash_once(enum cof_hash_alg alg, struct cof_view data, uint8_t *out)
{
    EVP_MD_CTX *ctx;
    bool ok;

    if (md(alg) == NULL)
        return COF_E_UNSUPPORTED;
    ctx = take_ctx(alg);
    ok = ctx != NULL && add_to(ctx, data) && end_digest(ctx, out);
    give_ctx(alg, ctx, ok);
    return ok ? COF_OK : COF_E_MEMORY;
}

enum cof_err cof_hash_new(enum cof_hash_alg alg, struct cof_hash **out)
{
    struct cof_hash *h;

    *out = NULL;
    if (md(alg) == NULL)
        return COF_E_UNSUPPORTED;
    h = calloc(1, sizeof *h);
    if (h == NULL)
        return COF_E_MEMORY;
    h->alg = alg;
    h->ctx = EVP_MD_CTX_new();
    if (h->ctx == NULL || EVP_DigestInit_ex2(h->ctx, md(alg), NULL) != 1) {
        cof_hash_free(h);
        return COF_E_MEMORY;
    }
    *out = h;
    return COF_OK;
}

enum cof_err cof_hash_update(struct cof_hash *hash, struct cof_view data)
{
    return add_to(hash->ctx, data) ? COF_OK : COF_E_BUG;
}

enum cof_err cof_hash_final(struct cof_hash *hash, uint8_t *out)
{
    return end_digest(hash->ctx, out) ? COF_OK : COF_E_BUG;
}

enum cof_err cof_hash_peek(const struct cof_hash *hash, uint8_t *out)
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    bool ok = copy != NULL && EVP_MD_CTX_copy_ex(copy, hash->ctx) == 1 && EVP_DigestFinal_ex(copy, out, NULL) == 1;

    EVP_MD_CTX_free(copy);
    return ok ? COF_OK : COF_E_MEMORY;
}

void cof_hash_free(struct cof_hash *hash)
{
    if (hash == NULL)
        return;
    EVP_MD_CTX_free(hash->ctx);
    free(hash);
}

/* One of the two passes of RFC 2104: H(key xor pad, parts). */
static bool hmac_pass(EVP_MD_CTX *ctx, size_t block_size, const uint8_t *key, uint8_t pad, const struct cof_view *parts,
                      size_t n_parts, uint8_t *out)
{
    uint8_t block[BLOCK_MAX];
    bool ok;

    for (size_t i = 0; i < BLOCK_MAX; i++)
        block[i] = key[i] ^ pad;
    ok = add_to(ctx, cof_view_of(block, block_size));
    for (size_t i = 0; ok && i < n_parts; i++)
        ok = add_to(ctx, parts[i]);
    cof_wipe(block, sizeof block);
    return ok && end_digest(ctx, out);
}

/* On the library's digests rather than its HMAC, whose contexts cost twice what hashing a short input does. */
enum cof_err cof_hmac(enum cof_hash_alg alg, struct cof_view key, const struct cof_view *parts, size_t n_parts,
                      uint8_t *out)
{
    uint8_t padded[BLOCK_MAX] = {0}, inner[COF_HASH_MAX];
    struct cof_view inner_view = {inner, cof_hash_size(alg)};
    size_t block_size;
    EVP_MD_CTX *ctx;
    bool ok;

    if (md(alg) == NULL)
        return COF_E_UNSUPPORTED;
    block_size = (size_t)EVP_MD_get_block_size(md(alg));
    ctx = take_ctx(alg);
    ok = ctx != NULL;
    if (key.len > block_size)
        ok = ok && add_to(ctx, key) && end_digest(ctx, padded);
    else if (key.len > 0)
        (void)memcpy(padded, key.data, key.len);
    ok = ok && hmac_pass(ctx, block_size, padded, 0x36, parts, n_parts, inner) &&
         hmac_pass(ctx, block_size, padded, 0x5c, &inner_view, 1, out);
    give_ctx(alg, ctx, ok);
    cof_wipe(padded, sizeof padded);
    cof_wipe(inner, sizeof inner);
    return ok ? COF_OK : COF_E_MEMORY;
}
