/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_cache.h"

#include "standin/hv_store.h"

#include <stdlib.h>
#include <string.h>

#define N_KEYS 64
#define N_RECIPIENTS 16

struct entry {
    struct cof_kms_key *key; /* NULL: free; its record is the store's memory's */
    uint64_t used;
};

struct recipient {
    struct cof_rsa_key *key; /* NULL: free */
    struct cof_buf spki;
};

struct cache {
    struct entry keys[N_KEYS];
    uint64_t n_uses;
    struct recipient recipients[N_RECIPIENTS];
    size_t next_recipient; /* in turn */
    struct cof_attest_cache *attest;
    struct cof_buf root_sealed, root_der;
    int64_t next_deletion_ms;
};

static struct cache *cache_of(const struct cof_standin *s)
{
    return cof_standin_state(s, "kms");
}

enum cof_err cof_kms_cache_start(struct cof_standin *s, void **state, struct cof_diag *diag)
{
    struct cache *c = calloc(1, sizeof *c);
    enum cof_err err = c == NULL ? COF_E_MEMORY : cof_attest_cache_new(&c->attest);

    (void)s;
    (void)diag;
    if (err != COF_OK) {
        free(c);
        return err;
    }
    cof_buf_init(&c->root_sealed, 65536);
    cof_buf_init(&c->root_der, 65536);
    *state = c;
    return COF_OK;
}

static void drop(struct entry *e)
{
    cof_kms_key_close(e->key);
    *e = (struct entry){0};
}

void cof_kms_cache_stop(struct cof_standin *s, void *state)
{
    struct cache *c = state;

    (void)s;
    for (size_t i = 0; i < N_KEYS; i++)
        drop(&c->keys[i]);
    for (size_t i = 0; i < N_RECIPIENTS; i++) {
        cof_rsa_free(c->recipients[i].key);
        cof_buf_done(&c->recipients[i].spki);
    }
    cof_attest_cache_free(c->attest);
    cof_buf_done(&c->root_sealed);
    cof_buf_done(&c->root_der);
    free(c);
}

struct cof_kms_key *cof_kms_cache_find(struct cof_standin *s, struct cof_view id, const struct json_t *record)
{
    struct cache *c = cache_of(s);

    for (size_t i = 0; c != NULL && i < N_KEYS; i++) {
        struct entry *e = &c->keys[i];

        if (e->key == NULL || !cof_view_eq_str(id, e->key->id))
            continue;
        if (e->key->record != record) {
            drop(e);
            return NULL;
        }
        e->used = ++c->n_uses;
        e->key->refs++;
        return e->key;
    }
    return NULL;
}

void cof_kms_cache_put(struct cof_standin *s, struct cof_kms_key *key)
{
    struct cache *c = cache_of(s);
    size_t at = 0;

    if (c == NULL)
        return;
    for (size_t i = 0; i < N_KEYS && c->keys[at].key != NULL; i++)
        if (c->keys[i].key == NULL || c->keys[i].used < c->keys[at].used)
            at = i;
    drop(&c->keys[at]);
    key->refs++;
    c->keys[at] = (struct entry){key, ++c->n_uses};
}

struct cof_attest_cache *cof_kms_cache_attest(struct cof_standin *s)
{
    struct cache *c = cache_of(s);

    return c == NULL ? NULL : c->attest;
}

enum cof_err cof_kms_cache_recipient(struct cof_standin *s, struct cof_view spki, const struct cof_rsa_key **out)
{
    struct cache *c = cache_of(s);
    struct cof_rsa_key *key = NULL;
    struct recipient *r;
    enum cof_err err;

    *out = NULL;
    if (c == NULL)
        return COF_E_STATE;
    for (size_t i = 0; i < N_RECIPIENTS; i++)
        if (c->recipients[i].key != NULL && cof_view_eq(cof_buf_view(&c->recipients[i].spki), spki)) {
            *out = c->recipients[i].key;
            return COF_OK;
        }
    err = cof_rsa_from_spki(spki, &key);
    if (err != COF_OK)
        return err;
    r = &c->recipients[c->next_recipient];
    c->next_recipient = (c->next_recipient + 1) % N_RECIPIENTS;
    cof_rsa_free(r->key);
    cof_buf_done(&r->spki);
    cof_buf_init(&r->spki, COF_ATTEST_PUBLIC_KEY_MAX);
    cof_buf_add(&r->spki, spki);
    r->key = key; /* moved */
    if (cof_buf_err(&r->spki) != COF_OK)
        cof_buf_reset(&r->spki); /* it will not be found again, and is good for now */
    *out = key;
    return COF_OK;
}

enum cof_err cof_kms_cache_root(struct cof_standin *s, int64_t now_ms, struct cof_view *der)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cache *c = cache_of(s);
    struct cof_hv *hv = NULL;
    struct cof_buf sealed;
    enum cof_err err;

    *der = (struct cof_view){0};
    if (c == NULL)
        return COF_E_STATE;
    cof_buf_init(&sealed, 65536);
    err = store->get(store->ctx, COF_HV_SPACE, COF_HV_ROOT, &sealed);
    if (err == COF_OK && sealed.len > 0 && cof_view_eq(cof_buf_view(&sealed), cof_buf_view(&c->root_sealed))) {
        *der = cof_buf_view(&c->root_der);
        cof_buf_done(&sealed);
        return COF_OK;
    }
    err = cof_hv_open(s, now_ms, &hv);
    if (err == COF_OK) {
        cof_buf_reset(&sealed);
        err = store->get(store->ctx, COF_HV_SPACE, COF_HV_ROOT, &sealed);
    }
    if (err == COF_OK) {
        cof_buf_reset(&c->root_sealed);
        cof_buf_reset(&c->root_der);
        cof_buf_add(&c->root_sealed, cof_buf_view(&sealed));
        cof_buf_add(&c->root_der, cof_hv_root(hv));
        err = cof_buf_err(&c->root_sealed) == COF_OK ? cof_buf_err(&c->root_der) : COF_E_MEMORY;
        *der = cof_buf_view(&c->root_der);
    }
    cof_hv_free(hv);
    cof_buf_done(&sealed);
    return err;
}

int64_t *cof_kms_cache_next_deletion(struct cof_standin *s)
{
    struct cache *c = cache_of(s);

    return c == NULL ? NULL : &c->next_deletion_ms;
}
