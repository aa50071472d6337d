/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/oauth_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPACE "oauth.key"
#define KEYS_MAX 16 /* published at once; more rotations in a quarter of an hour wait */
#define NAME_MAX_LEN 24

struct keys {
    struct {
        char name[NAME_MAX_LEN]; /* "k" and the time in 15 digits */
        int64_t signs_ms;
    } items[KEYS_MAX];
    size_t n;
};

static bool each(void *arg, struct cof_view key, struct cof_view value)
{
    struct keys *k = arg;

    (void)value;
    if (k->n == KEYS_MAX || key.len >= NAME_MAX_LEN)
        return false;
    memcpy(k->items[k->n].name, key.data, key.len);
    k->items[k->n].name[key.len] = '\0';
    k->items[k->n].signs_ms = strtoll(k->items[k->n].name + 1, NULL, 10);
    k->n++;
    return true;
}

/* In the order they sign. */
static enum cof_err list(struct cof_standin *s, struct keys *out)
{
    const struct cof_store *store = cof_standin_store(s);

    *out = (struct keys){.n = 0};
    return store->scan(store->ctx, SPACE, COF_LIT("k"), COF_LIT(""), KEYS_MAX, each, out);
}

static size_t active(const struct keys *k, int64_t now_ms)
{
    size_t at = 0;

    while (at + 1 < k->n && k->items[at + 1].signs_ms <= now_ms)
        at++;
    return at;
}

static enum cof_err make(struct cof_standin *s, int64_t signs_ms)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_token_signer *signer = NULL;
    char name[NAME_MAX_LEN];
    struct cof_buf sealed, der;
    enum cof_err err = cof_token_signer_generate(cof_standin_rng(s), &signer);

    (void)snprintf(name, sizeof name, "k%015lld", (long long)signs_ms);
    cof_buf_init(&sealed, 4096);
    cof_buf_init_secret(&der, 4096);
    if (err == COF_OK)
        err = cof_token_signer_export(signer, &der);
    if (err == COF_OK)
        err = cof_standin_seal(s, "oauth", cof_view_str(name), cof_buf_view(&der), &sealed);
    if (err == COF_OK)
        err = store->put(store->ctx, SPACE, cof_view_str(name), cof_buf_view(&sealed));
    cof_token_signer_free(signer);
    cof_buf_done(&sealed);
    cof_buf_done(&der);
    return err;
}

static enum cof_err open_key(struct cof_standin *s, const char *name, struct cof_token_signer **out)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf sealed, der;
    enum cof_err err;

    *out = NULL;
    cof_buf_init(&sealed, 4096);
    cof_buf_init_secret(&der, 4096);
    err = store->get(store->ctx, SPACE, cof_view_str(name), &sealed);
    if (err == COF_OK)
        err = cof_standin_unseal(s, "oauth", cof_view_str(name), cof_buf_view(&sealed), &der);
    if (err == COF_OK)
        err = cof_token_signer_import(cof_buf_view(&der), out);
    cof_buf_done(&sealed);
    cof_buf_done(&der);
    return err;
}

/* The first keys of the list that nobody needs any more. */
static size_t n_gone(const struct keys *k, int64_t now_ms)
{
    size_t n = 0;

    while (n + 1 < k->n && now_ms >= k->items[n + 1].signs_ms + COF_OAUTH_LIFE_MS + COF_OAUTH_GRACE_MS)
        n++;
    return n;
}

enum cof_err cof_oauth_keys_tend(struct cof_standin *s, int64_t now_ms)
{
    const struct cof_store *store = cof_standin_store(s);
    struct keys k;
    size_t gone;
    enum cof_err err = list(s, &k);

    if (err == COF_OK && k.n == 0)
        return make(s, now_ms);
    gone = err == COF_OK ? n_gone(&k, now_ms) : 0;
    for (size_t i = 0; i < gone && err == COF_OK; i++)
        err = store->remove(store->ctx, SPACE, cof_view_str(k.items[i].name));
    if (err == COF_OK && now_ms >= k.items[k.n - 1].signs_ms + COF_OAUTH_ROTATE_MS - COF_OAUTH_LEAD_MS)
        err = make(s, now_ms + COF_OAUTH_LEAD_MS);
    return err;
}

enum cof_err cof_oauth_keys_rotate(struct cof_standin *s, int64_t now_ms)
{
    const struct cof_store *store = cof_standin_store(s);
    struct keys k;
    enum cof_err err = cof_oauth_keys_tend(s, now_ms);

    if (err == COF_OK)
        err = list(s, &k);
    if (err != COF_OK)
        return err;
    if (k.n == KEYS_MAX)
        return COF_E_LIMIT;
    /* One that was to sign later would take over from the new one; it has signed nothing. */
    while (err == COF_OK && k.n > 0 && k.items[k.n - 1].signs_ms > now_ms)
        err = store->remove(store->ctx, SPACE, cof_view_str(k.items[--k.n].name));
    if (err == COF_OK && k.n > 0 && k.items[k.n - 1].signs_ms == now_ms)
        return COF_OK; /* made this very millisecond */
    return err == COF_OK ? make(s, now_ms) : err;
}

enum cof_err cof_oauth_keys_signer(struct cof_standin *s, int64_t now_ms, struct cof_token_signer **out)
{
    struct keys k;
    enum cof_err err = list(s, &k);

    *out = NULL;
    if (err == COF_OK && k.n == 0)
        err = COF_E_NOT_FOUND;
    return err == COF_OK ? open_key(s, k.items[active(&k, now_ms)].name, out) : err;
}

enum cof_err cof_oauth_keys_jwks(struct cof_standin *s, int64_t now_ms, struct cof_buf *out)
{
    struct keys k;
    enum cof_err err = list(s, &k);

    cof_buf_add_str(out, "{\"keys\":[");
    for (size_t i = err == COF_OK ? n_gone(&k, now_ms) : 0, n = 0; i < k.n && err == COF_OK; i++, n++) {
        struct cof_token_signer *signer;

        err = open_key(s, k.items[i].name, &signer);
        cof_buf_add_str(out, n == 0 ? "" : ",");
        if (err == COF_OK)
            err = cof_token_signer_jwk(signer, out);
        cof_token_signer_free(signer);
    }
    cof_buf_add_str(out, "]}");
    return err == COF_OK ? cof_buf_err(out) : err;
}
