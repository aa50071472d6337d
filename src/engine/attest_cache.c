/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/attest_cache.h"

#include "crypto/hash.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES 16
#define DOCUMENTS 64

struct entry {
    uint8_t key[COF_ATTEST_CACHE_KEY];
    struct cof_ecdsa_key *leaf; /* owned; NULL: free */
    struct cof_x509_life life;
};

struct document {
    uint8_t key[COF_ATTEST_CACHE_KEY];
    struct cof_x509_life life;
    bool used;
};

struct cof_attest_cache {
    struct entry entries[ENTRIES];
    struct document documents[DOCUMENTS];
    size_t next, next_document; /* where the next one goes: in turn, so the oldest is replaced */
};

enum cof_err cof_attest_cache_new(struct cof_attest_cache **out)
{
    *out = calloc(1, sizeof **out);
    return *out == NULL ? COF_E_MEMORY : COF_OK;
}

void cof_attest_cache_free(struct cof_attest_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < ENTRIES; i++)
        cof_ecdsa_free(cache->entries[i].leaf);
    free(cache);
}

enum cof_err cof_attest_cache_key(const struct cof_view *certs, size_t n, uint8_t out[static COF_ATTEST_CACHE_KEY])
{
    struct cof_hash *hash = NULL;
    enum cof_err err = cof_hash_new(COF_SHA256, &hash);

    for (size_t i = 0; err == COF_OK && i < n; i++) {
        uint64_t len = certs[i].len;
        uint8_t length[8];

        for (size_t k = 0; k < sizeof length; k++)
            length[k] = (uint8_t)(len >> 8 * (7 - k));
        err = cof_hash_update(hash, cof_view_of(length, sizeof length));
        if (err == COF_OK)
            err = cof_hash_update(hash, certs[i]);
    }
    if (err == COF_OK)
        err = cof_hash_final(hash, out);
    cof_hash_free(hash);
    return err;
}

const struct cof_ecdsa_key *cof_attest_cache_find(struct cof_attest_cache *cache,
                                                  const uint8_t key[static COF_ATTEST_CACHE_KEY],
                                                  struct cof_x509_life *life)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        const struct entry *e = &cache->entries[i];

        if (e->leaf == NULL || memcmp(e->key, key, COF_ATTEST_CACHE_KEY) != 0)
            continue;
        *life = e->life;
        return e->leaf;
    }
    return NULL;
}

void cof_attest_cache_put(struct cof_attest_cache *cache, const uint8_t key[static COF_ATTEST_CACHE_KEY],
                          struct cof_ecdsa_key *leaf, const struct cof_x509_life *life)
{
    struct entry *e = &cache->entries[cache->next];

    cache->next = (cache->next + 1) % ENTRIES;
    cof_ecdsa_free(e->leaf);
    memcpy(e->key, key, COF_ATTEST_CACHE_KEY);
    e->leaf = leaf;
    e->life = *life;
}

bool cof_attest_cache_knows(const struct cof_attest_cache *cache, const uint8_t key[static COF_ATTEST_CACHE_KEY],
                            struct cof_x509_life *life)
{
    for (size_t i = 0; i < DOCUMENTS; i++) {
        const struct document *d = &cache->documents[i];

        if (!d->used || memcmp(d->key, key, COF_ATTEST_CACHE_KEY) != 0)
            continue;
        *life = d->life;
        return true;
    }
    return false;
}

void cof_attest_cache_put_document(struct cof_attest_cache *cache, const uint8_t key[static COF_ATTEST_CACHE_KEY],
                                   const struct cof_x509_life *life)
{
    struct document *d = &cache->documents[cache->next_document];

    cache->next_document = (cache->next_document + 1) % DOCUMENTS;
    memcpy(d->key, key, COF_ATTEST_CACHE_KEY);
    d->life = *life;
    d->used = true;
}
