/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cmm_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_DEFAULT 1000
#define CAPACITY_MAX ((size_t)1 << 20)
#define MESSAGES_MAX ((uint64_t)1 << 32)
#define BYTES_MAX (((uint64_t)1 << 63) - 1)
#define STRIPES 32
#define NONE UINT32_MAX

/* Entries stand in three orders at once: by id (hash chains), by age (oldest first, which is the order they end in), and by use. */
struct entry {
    uint8_t id[COF_CMM_CACHE_ID];
    struct cof_cmm_materials *materials; /* NULL: the entry is free */
    int64_t made_ms;
    uint64_t messages, bytes; /* sealed with it */
    uint32_t next_in_chain;   /* of free entries: the next free one */
    uint32_t older, younger;
    uint32_t less_used, more_used;
};

struct cof_cmm_cache {
    struct cof_cmm source;
    struct cof_cmm_cache_options options;
    uint8_t partition_hash[COF_CMM_CACHE_ID];
    uint32_t mask; /* of chains */
    pthread_mutex_t stripes[STRIPES]; /* held while source is asked for an id of that stripe, before the lock */
    struct {
        pthread_mutex_t lock;
        struct entry *entries;
        uint32_t *chains;
        uint32_t free, oldest, youngest, least_used, most_used;
        struct cof_cmm_cache_stats stats;
    } shared;
};

/* Cache ids. */

/* SHA-512 of the serialised context. */
static enum cof_err hash_context(const struct cof_esdk_pair *pairs, size_t n, uint8_t *out)
{
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, (size_t)1 << 24);
    err = cof_esdk_context_add(&text, pairs, n);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA512, cof_buf_view(&text), out);
    cof_buf_done(&text);
    return err;
}

static enum cof_err hash_edk(const struct cof_esdk_edk *edk, uint8_t *out)
{
    const struct cof_view parts[] = {edk->provider, edk->info, edk->ciphertext};
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, 4 * (size_t)UINT16_MAX);
    for (size_t i = 0; i < 3; i++) {
        cof_buf_add_u16(&text, (uint16_t)parts[i].len);
        cof_buf_add(&text, parts[i]);
    }
    err = cof_buf_err(&text);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA512, cof_buf_view(&text), out);
    cof_buf_done(&text);
    return err;
}

enum cof_err cof_cmm_cache_encrypt_id(const uint8_t partition_hash[static COF_CMM_CACHE_ID], const struct cof_suite *suite,
                                      const struct cof_esdk_pair *pairs, size_t n_pairs, uint8_t out[static COF_CMM_CACHE_ID])
{
    uint8_t text[COF_CMM_CACHE_ID + 3 + COF_CMM_CACHE_ID];
    size_t len = COF_CMM_CACHE_ID;
    enum cof_err err;

    (void)memcpy(text, partition_hash, COF_CMM_CACHE_ID);
    text[len++] = suite != NULL ? 1 : 0;
    if (suite != NULL) {
        text[len++] = (uint8_t)(suite->id >> 8);
        text[len++] = (uint8_t)suite->id;
    }
    err = hash_context(pairs, n_pairs, text + len);
    return err == COF_OK ? cof_hash_once(COF_SHA512, cof_view_of(text, len + COF_CMM_CACHE_ID), out) : err;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, COF_CMM_CACHE_ID);
}

enum cof_err cof_cmm_cache_decrypt_id(const uint8_t partition_hash[static COF_CMM_CACHE_ID],
                                      const struct cof_cmm_decrypt *request, uint8_t out[static COF_CMM_CACHE_ID])
{
    uint8_t text[(3 + COF_ESDK_EDKS_MAX) * COF_CMM_CACHE_ID + 2], *at = text + COF_CMM_CACHE_ID + 2;
    size_t n = request->n_edks;
    enum cof_err err = n > COF_ESDK_EDKS_MAX ? COF_E_LIMIT : COF_OK;

    (void)memcpy(text, partition_hash, COF_CMM_CACHE_ID);
    text[COF_CMM_CACHE_ID] = (uint8_t)(request->suite->id >> 8);
    text[COF_CMM_CACHE_ID + 1] = (uint8_t)request->suite->id;
    for (size_t i = 0; err == COF_OK && i < n; i++)
        err = hash_edk(&request->edks[i], at + i * COF_CMM_CACHE_ID);
    if (err != COF_OK)
        return err;
    qsort(at, n, COF_CMM_CACHE_ID, compare_ids);
    at += n * COF_CMM_CACHE_ID;
    (void)memset(at, 0, COF_CMM_CACHE_ID);
    at += COF_CMM_CACHE_ID;
    err = hash_context(request->pairs, request->n_pairs, at);
    at += COF_CMM_CACHE_ID;
    return err == COF_OK ? cof_hash_once(COF_SHA512, cof_view_of(text, (size_t)(at - text)), out) : err;
}

/* Entries. All of these with the lock held. */

static uint32_t *chain_of(struct cof_cmm_cache *c, const uint8_t *id)
{
    uint32_t hash; /* an id is a digest: any of its bits do */

    (void)memcpy(&hash, id, sizeof hash);
    return &c->shared.chains[hash & c->mask];
}

static struct entry *entry_at(struct cof_cmm_cache *c, uint32_t i)
{
    return &c->shared.entries[i];
}

static uint32_t find(struct cof_cmm_cache *c, const uint8_t *id)
{
    uint32_t i = *chain_of(c, id);

    while (i != NONE && memcmp(entry_at(c, i)->id, id, COF_CMM_CACHE_ID) != 0)
        i = entry_at(c, i)->next_in_chain;
    return i;
}

static void leave_use_order(struct cof_cmm_cache *c, const struct entry *e)
{
    *(e->less_used == NONE ? &c->shared.least_used : &entry_at(c, e->less_used)->more_used) = e->more_used;
    *(e->more_used == NONE ? &c->shared.most_used : &entry_at(c, e->more_used)->less_used) = e->less_used;
}

static void become_most_used(struct cof_cmm_cache *c, uint32_t i)
{
    struct entry *e = entry_at(c, i);

    e->more_used = NONE;
    e->less_used = c->shared.most_used;
    *(e->less_used == NONE ? &c->shared.least_used : &entry_at(c, e->less_used)->more_used) = i;
    c->shared.most_used = i;
}

static void drop(struct cof_cmm_cache *c, uint32_t i)
{
    struct entry *e = entry_at(c, i);
    uint32_t *link = chain_of(c, e->id);

    while (*link != i)
        link = &entry_at(c, *link)->next_in_chain;
    *link = e->next_in_chain;
    *(e->older == NONE ? &c->shared.oldest : &entry_at(c, e->older)->younger) = e->younger;
    *(e->younger == NONE ? &c->shared.youngest : &entry_at(c, e->younger)->older) = e->older;
    leave_use_order(c, e);
    cof_cmm_materials_unref(e->materials);
    *e = (struct entry){.next_in_chain = c->shared.free};
    c->shared.free = i;
    c->shared.stats.entries--;
}

static void drop_old(struct cof_cmm_cache *c, int64_t now_ms)
{
    while (c->shared.oldest != NONE && now_ms - entry_at(c, c->shared.oldest)->made_ms >= c->options.max_age_ms)
        drop(c, c->shared.oldest);
}

/* Takes a reference of its own. */
static void insert(struct cof_cmm_cache *c, const uint8_t *id, struct cof_cmm_materials *m, int64_t made_ms, uint64_t bytes)
{
    uint32_t i = find(c, id), *chain;
    struct entry *e;

    if (i != NONE)
        drop(c, i);
    if (c->shared.free == NONE)
        drop(c, c->shared.least_used);
    i = c->shared.free;
    e = entry_at(c, i);
    c->shared.free = e->next_in_chain;
    chain = chain_of(c, id);
    *e = (struct entry){.materials = cof_cmm_materials_ref(m), .made_ms = made_ms, .messages = 1, .bytes = bytes,
                        .next_in_chain = *chain, .older = c->shared.youngest, .younger = NONE};
    (void)memcpy(e->id, id, COF_CMM_CACHE_ID);
    *chain = i;
    *(e->older == NONE ? &c->shared.oldest : &entry_at(c, e->older)->younger) = i;
    c->shared.youngest = i;
    become_most_used(c, i);
    c->shared.stats.entries++;
}

/* A reference, when the entry is there and may serve one more message of that many bytes; one that may not is dropped. */
static struct cof_cmm_materials *take(struct cof_cmm_cache *c, const uint8_t *id, bool to_encrypt, uint64_t bytes)
{
    struct cof_cmm_materials *m = NULL;
    uint32_t i;

    (void)pthread_mutex_lock(&c->shared.lock);
    drop_old(c, c->options.now_ms());
    i = find(c, id);
    if (i != NONE && to_encrypt) {
        struct entry *e = entry_at(c, i);
        if (e->messages >= c->options.max_messages || bytes > c->options.max_bytes - e->bytes) {
            drop(c, i);
            i = NONE;
        } else {
            e->messages++;
            e->bytes += bytes;
        }
    }
    if (i != NONE) {
        m = cof_cmm_materials_ref(entry_at(c, i)->materials);
        leave_use_order(c, entry_at(c, i));
        become_most_used(c, i);
        c->shared.stats.hits++;
    }
    (void)pthread_mutex_unlock(&c->shared.lock);
    return m;
}

/* What is asked of the source is as old as the asking. */
static void keep(struct cof_cmm_cache *c, const uint8_t *id, struct cof_cmm_materials *m, int64_t asked_ms, uint64_t bytes)
{
    (void)pthread_mutex_lock(&c->shared.lock);
    c->shared.stats.misses++;
    if (bytes <= c->options.max_bytes)
        insert(c, id, m, asked_ms, bytes);
    (void)pthread_mutex_unlock(&c->shared.lock);
}

/* The manager. */

/* One of the two requests: from the cache, or else from the source, which one thread asks while others that want the same wait. */
static enum cof_err get(struct cof_cmm_cache *c, const uint8_t *id, const struct cof_cmm_encrypt *e,
                        const struct cof_cmm_decrypt *d, struct cof_cmm_materials **out)
{
    pthread_mutex_t *stripe = &c->stripes[id[COF_CMM_CACHE_ID - 1] % STRIPES];
    uint64_t bytes = e != NULL ? e->plain_length : 0;
    int64_t asked_ms;
    enum cof_err err = COF_OK;

    *out = take(c, id, e != NULL, bytes);
    if (*out != NULL)
        return COF_OK;
    (void)pthread_mutex_lock(stripe);
    *out = take(c, id, e != NULL, bytes); /* whoever had the stripe may have asked for the same */
    if (*out == NULL) {
        asked_ms = c->options.now_ms();
        err = e != NULL ? c->source.encrypt(c->source.ctx, e, out) : c->source.decrypt(c->source.ctx, d, out);
        if (err == COF_OK)
            keep(c, id, *out, asked_ms, bytes);
    }
    (void)pthread_mutex_unlock(stripe);
    return err;
}

static enum cof_err cached_encrypt(void *ctx, const struct cof_cmm_encrypt *request, struct cof_cmm_materials **out)
{
    struct cof_cmm_cache *c = ctx;
    uint8_t id[COF_CMM_CACHE_ID];
    enum cof_err err;

    *out = NULL;
    if (request->suite->kdf == COF_KDF_NONE || !request->length_known)
        return c->source.encrypt(c->source.ctx, request, out);
    err = cof_cmm_cache_encrypt_id(c->partition_hash, request->suite, request->pairs, request->n_pairs, id);
    return err == COF_OK ? get(c, id, request, NULL, out) : err;
}

static enum cof_err cached_decrypt(void *ctx, const struct cof_cmm_decrypt *request, struct cof_cmm_materials **out)
{
    struct cof_cmm_cache *c = ctx;
    uint8_t id[COF_CMM_CACHE_ID];
    enum cof_err err;

    *out = NULL;
    if (request->suite->kdf == COF_KDF_NONE)
        return c->source.decrypt(c->source.ctx, request, out);
    err = cof_cmm_cache_decrypt_id(c->partition_hash, request, id);
    return err == COF_OK ? get(c, id, NULL, request, out) : err;
}

/* Its life. */

static void make_empty(struct cof_cmm_cache *c)
{
    c->shared.oldest = c->shared.youngest = c->shared.least_used = c->shared.most_used = NONE;
    c->shared.free = 0;
    for (uint32_t i = 0; i < c->options.capacity; i++)
        c->shared.entries[i].next_in_chain = i + 1 < c->options.capacity ? i + 1 : NONE;
    for (uint32_t i = 0; i <= c->mask; i++)
        c->shared.chains[i] = NONE;
}

static enum cof_err set_options(struct cof_cmm_cache *c, const struct cof_cmm_cache_options *options)
{
    c->options = *options;
    c->options.capacity = options->capacity == 0 ? CAPACITY_DEFAULT : options->capacity;
    c->options.max_messages = options->max_messages == 0 ? MESSAGES_MAX : options->max_messages;
    c->options.max_bytes = options->max_bytes == 0 ? BYTES_MAX : options->max_bytes;
    if (options->max_age_ms <= 0 || options->now_ms == NULL || c->options.capacity > CAPACITY_MAX ||
        c->options.max_messages > MESSAGES_MAX || c->options.max_bytes > BYTES_MAX)
        return COF_E_USAGE;
    for (c->mask = 1; c->mask < c->options.capacity; c->mask = 2 * c->mask + 1)
        ;
    return COF_OK;
}

static enum cof_err set_partition(struct cof_cmm_cache *c, struct cof_view partition, const struct cof_rng *rng)
{
    uint8_t random[32];
    enum cof_err err = COF_OK;

    c->options.partition = (struct cof_view){0}; /* only its hash is kept */
    if (partition.len == 0) {
        err = cof_rng_fill(rng, random, sizeof random);
        partition = cof_view_of(random, sizeof random);
    }
    return err == COF_OK ? cof_hash_once(COF_SHA512, partition, c->partition_hash) : err;
}

enum cof_err cof_cmm_cache_new(const struct cof_cmm *source, const struct cof_cmm_cache_options *options,
                               const struct cof_rng *rng, struct cof_cmm_cache **out)
{
    struct cof_cmm_cache *c = calloc(1, sizeof *c);
    enum cof_err err;

    *out = NULL;
    if (c == NULL)
        return COF_E_MEMORY;
    c->source = *source;
    (void)pthread_mutex_init(&c->shared.lock, NULL); /* which cannot fail with these attributes */
    for (size_t i = 0; i < STRIPES; i++)
        (void)pthread_mutex_init(&c->stripes[i], NULL);
    err = set_options(c, options);
    if (err == COF_OK)
        err = set_partition(c, options->partition, rng);
    if (err == COF_OK) {
        c->shared.entries = calloc(c->options.capacity, sizeof *c->shared.entries);
        c->shared.chains = calloc((size_t)c->mask + 1, sizeof *c->shared.chains);
        if (c->shared.entries == NULL || c->shared.chains == NULL)
            err = COF_E_MEMORY;
        else
            make_empty(c);
    }
    if (err != COF_OK) {
        cof_cmm_cache_free(c);
        return err;
    }
    *out = c;
    return COF_OK;
}

struct cof_cmm cof_cmm_of_cache(struct cof_cmm_cache *cache)
{
    return (struct cof_cmm){cached_encrypt, cached_decrypt, cache};
}

int64_t cof_cmm_cache_sweep(struct cof_cmm_cache *cache)
{
    int64_t now = cache->options.now_ms(), left = -1;

    (void)pthread_mutex_lock(&cache->shared.lock);
    drop_old(cache, now);
    if (cache->shared.oldest != NONE)
        left = entry_at(cache, cache->shared.oldest)->made_ms + cache->options.max_age_ms - now;
    (void)pthread_mutex_unlock(&cache->shared.lock);
    return left;
}

void cof_cmm_cache_clear(struct cof_cmm_cache *cache)
{
    (void)pthread_mutex_lock(&cache->shared.lock);
    while (cache->shared.oldest != NONE)
        drop(cache, cache->shared.oldest);
    (void)pthread_mutex_unlock(&cache->shared.lock);
}

struct cof_cmm_cache_stats cof_cmm_cache_stats(struct cof_cmm_cache *cache)
{
    struct cof_cmm_cache_stats stats;

    (void)pthread_mutex_lock(&cache->shared.lock);
    stats = cache->shared.stats;
    (void)pthread_mutex_unlock(&cache->shared.lock);
    return stats;
}

void cof_cmm_cache_free(struct cof_cmm_cache *cache)
{
    if (cache == NULL)
        return;
    if (cache->shared.entries != NULL && cache->shared.chains != NULL)
        cof_cmm_cache_clear(cache);
    for (size_t i = 0; i < STRIPES; i++)
        (void)pthread_mutex_destroy(&cache->stripes[i]);
    (void)pthread_mutex_destroy(&cache->shared.lock);
    free(cache->shared.entries);
    free(cache->shared.chains);
    free(cache);
}
