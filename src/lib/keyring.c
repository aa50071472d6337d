/* SPDX-License-Identifier: Apache-2.0 */
#include "lib.h"

#include "client/keyring_kms.h"
#include "client/regions.h"
#include "engine/cmm_cache.h"
#include "engine/keyring_raw.h"
#include "io/clock.h"
#include "io/rng_os.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct coffer_keyring {
    struct cof_keyring ring; /* unless it is a cache */
    struct cof_cmm_cache *cache;
    struct cof_buf texts; /* names and ARNs, which the views below point into */
    struct cof_secret key;
    struct cof_raw_aes aes;
    struct cof_rsa_key *rsa_key;
    struct cof_raw_rsa rsa;
    struct cof_keyring_multi multi;
    struct cof_keyring children[COF_ESDK_EDKS_MAX];
    struct {
        pthread_mutex_t lock; /* KMS calls run on one loop */
        bool is_used;
        struct cof_keyring ring;
        struct cof_keyring_kms kms;
        struct cof_regions regions;
        struct cof_view arns[COF_ESDK_EDKS_MAX];
        struct coffer_diag *diag;
    } service;
};

#define TEXTS_MAX 65536

static struct coffer_keyring *new_keyring(void)
{
    struct coffer_keyring *k = calloc(1, sizeof *k);

    if (k != NULL)
        cof_buf_init(&k->texts, TEXTS_MAX);
    return k;
}

void coffer_keyring_free(struct coffer_keyring *keyring)
{
    if (keyring == NULL)
        return;
    cof_cmm_cache_free(keyring->cache);
    cof_rsa_free(keyring->rsa_key);
    if (keyring->service.is_used) {
        cof_regions_done(&keyring->service.regions);
        (void)pthread_mutex_destroy(&keyring->service.lock);
    }
    cof_buf_done(&keyring->texts);
    cof_wipe(keyring, sizeof *keyring);
    free(keyring);
}

/* The finished keyring or nothing. */
static int hand_over(enum cof_err err, struct coffer_keyring *k, struct coffer_keyring **out)
{
    if (err == COF_OK)
        *out = k;
    else
        coffer_keyring_free(k);
    return cof_lib_err(err);
}

/* Both names, as views into texts. */
static enum cof_err take_names(struct coffer_keyring *k, const char *name_space, const char *name, struct cof_view *a,
                               struct cof_view *b)
{
    size_t len = strlen(name_space);

    if (len == 0 || name[0] == '\0' || cof_view_starts(cof_view_str(name_space), COF_LIT("aws-kms")))
        return COF_E_USAGE;
    cof_buf_add_str(&k->texts, name_space);
    cof_buf_add_str(&k->texts, name);
    *a = cof_view_sub(cof_buf_view(&k->texts), 0, len);
    *b = cof_view_sub(cof_buf_view(&k->texts), len, SIZE_MAX);
    return cof_buf_err(&k->texts);
}

int coffer_keyring_raw_aes(const char *name_space, const char *name, const void *key, size_t key_len,
                           struct coffer_keyring **out)
{
    struct coffer_keyring *k = new_keyring();
    enum cof_err err = k == NULL ? COF_E_MEMORY : key_len != 16 && key_len != 24 && key_len != 32 ? COF_E_USAGE : COF_OK;

    *out = NULL;
    if (err == COF_OK)
        err = take_names(k, name_space, name, &k->aes.name_space, &k->aes.name);
    if (err == COF_OK)
        err = cof_secret_set(&k->key, cof_view_of(key, key_len));
    if (err == COF_OK) {
        k->aes.key = &k->key;
        k->ring = cof_keyring_of_raw_aes(&k->aes);
    }
    return hand_over(err, k, out);
}

static bool rsa_padding(enum coffer_rsa_padding padding, enum cof_rsa_padding *out)
{
    switch (padding) {
    case COFFER_RSA_PKCS1:
        *out = COF_RSA_PKCS1;
        return true;
    case COFFER_RSA_OAEP_SHA1:
        *out = COF_RSA_OAEP_SHA1;
        return true;
    case COFFER_RSA_OAEP_SHA256:
        *out = COF_RSA_OAEP_SHA256;
        return true;
    case COFFER_RSA_OAEP_SHA384:
        *out = COF_RSA_OAEP_SHA384;
        return true;
    case COFFER_RSA_OAEP_SHA512:
        *out = COF_RSA_OAEP_SHA512;
        return true;
    }
    return false;
}

int coffer_keyring_raw_rsa(const char *name_space, const char *name, enum coffer_rsa_padding padding, const char *pem,
                           size_t pem_len, struct coffer_keyring **out)
{
    struct coffer_keyring *k = new_keyring();
    enum cof_err err = k == NULL ? COF_E_MEMORY : rsa_padding(padding, &k->rsa.padding) ? COF_OK : COF_E_USAGE;

    *out = NULL;
    if (err == COF_OK)
        err = take_names(k, name_space, name, &k->rsa.name_space, &k->rsa.name);
    if (err == COF_OK)
        err = cof_rsa_from_pem(cof_view_of(pem, pem_len), &k->rsa_key);
    if (err == COF_OK) {
        k->rsa.key = k->rsa_key;
        k->ring = cof_keyring_of_raw_rsa(&k->rsa);
    }
    return hand_over(err, k, out);
}

static enum cof_err service_wrap(void *ctx, const struct cof_keyring_wrap *request)
{
    struct coffer_keyring *k = ctx;
    struct cof_diag diag = {0};
    struct cof_keyring_wrap own = *request;
    enum cof_err err;

    own.diag = &diag;
    (void)pthread_mutex_lock(&k->service.lock);
    err = k->service.ring.wrap(k->service.ring.ctx, &own);
    cof_lib_diag(k->service.diag, &diag);
    (void)pthread_mutex_unlock(&k->service.lock);
    return err;
}

static enum cof_err service_unwrap(void *ctx, const struct cof_keyring_unwrap *request)
{
    struct coffer_keyring *k = ctx;
    struct cof_diag diag = {0};
    struct cof_keyring_unwrap own = *request;
    enum cof_err err;

    own.diag = &diag;
    (void)pthread_mutex_lock(&k->service.lock);
    err = k->service.ring.unwrap(k->service.ring.ctx, &own);
    cof_lib_diag(k->service.diag, &diag);
    (void)pthread_mutex_unlock(&k->service.lock);
    return err;
}

static struct coffer_keyring *new_service_keyring(struct coffer_diag *diag)
{
    struct coffer_keyring *k = new_keyring();

    if (k == NULL)
        return NULL;
    (void)pthread_mutex_init(&k->service.lock, NULL); /* which cannot fail with these attributes */
    k->service.is_used = true;
    k->service.diag = diag;
    cof_regions_init(&k->service.regions, NULL, NULL);
    k->service.kms = (struct cof_keyring_kms){.aws_of = cof_regions_client, .aws_of_ctx = &k->service.regions,
                                              .keys = k->service.arns, .accounts = k->service.arns};
    k->service.ring = cof_keyring_of_kms(&k->service.kms);
    k->ring = (struct cof_keyring){service_wrap, service_unwrap, k};
    return k;
}

int coffer_keyring_kms(const char *const *key_arns, size_t n, struct coffer_diag *diag, struct coffer_keyring **out)
{
    struct coffer_keyring *k = new_service_keyring(diag);
    enum cof_err err = k == NULL ? COF_E_MEMORY : n == 0 || n > COF_ESDK_EDKS_MAX ? COF_E_USAGE : COF_OK;
    size_t at = 0;

    *out = NULL;
    for (size_t i = 0; err == COF_OK && i < n; i++) {
        cof_buf_add_str(&k->texts, key_arns[i]);
        err = cof_kms_is_key_arn(cof_view_str(key_arns[i])) ? cof_buf_err(&k->texts) : COF_E_USAGE;
    }
    for (size_t i = 0; err == COF_OK && i < n; i++) { /* views once the texts no longer move */
        k->service.arns[i] = cof_view_sub(cof_buf_view(&k->texts), at, strlen(key_arns[i]));
        at += k->service.arns[i].len;
    }
    if (err == COF_OK)
        k->service.kms.n_keys = n;
    return hand_over(err, k, out);
}

int coffer_keyring_kms_discovery(const char *account, struct coffer_diag *diag, struct coffer_keyring **out)
{
    struct coffer_keyring *k = new_service_keyring(diag);
    enum cof_err err = k == NULL ? COF_E_MEMORY : COF_OK;

    *out = NULL;
    if (err == COF_OK)
        k->service.kms.discovery = true;
    if (err == COF_OK && account != NULL) {
        if (strlen(account) != 12 || strspn(account, "0123456789") != 12)
            err = COF_E_USAGE;
        cof_buf_add_str(&k->texts, account);
        k->service.arns[0] = cof_buf_view(&k->texts);
        k->service.kms.n_accounts = 1;
        if (err == COF_OK)
            err = cof_buf_err(&k->texts);
    }
    return hand_over(err, k, out);
}

int coffer_keyring_multi(struct coffer_keyring *const *children, size_t n, struct coffer_keyring **out)
{
    struct coffer_keyring *k = new_keyring();
    enum cof_err err = k == NULL ? COF_E_MEMORY : n == 0 || n > COF_ESDK_EDKS_MAX ? COF_E_USAGE : COF_OK;

    *out = NULL;
    for (size_t i = 0; err == COF_OK && i < n; i++) {
        k->children[i] = children[i]->ring;
        if (children[i]->cache != NULL)
            err = COF_E_USAGE; /* a cache goes around all, not inside */
    }
    if (err == COF_OK) {
        k->multi = (struct cof_keyring_multi){k->children, n};
        k->ring = cof_keyring_of_multi(&k->multi);
    }
    return hand_over(err, k, out);
}

int coffer_keyring_cached(struct coffer_keyring *inner, const struct coffer_cache_options *options, struct coffer_keyring **out)
{
    struct coffer_keyring *k = new_keyring();
    struct cof_cmm source = cof_cmm_of_keyring(&inner->ring);
    struct coffer_cache_options given = {0};
    struct cof_cmm_cache_options how = {.now_ms = cof_clock_monotonic_ms};
    enum cof_err err = k == NULL ? COF_E_MEMORY : COF_OK;

    *out = NULL;
    if (err == COF_OK && (options == NULL || options->size == 0 || inner->cache != NULL))
        err = COF_E_USAGE;
    if (err == COF_OK) {
        (void)memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
        how.max_age_ms = given.max_age_ms;
        how.max_messages = given.max_messages;
        how.max_bytes = given.max_bytes;
        how.capacity = given.capacity;
        err = cof_cmm_cache_new(&source, &how, &cof_rng_os, &k->cache);
    }
    return hand_over(err, k, out);
}

struct cof_cmm cof_lib_keyring_cmm(struct coffer_keyring *keyring)
{
    return keyring->cache != NULL ? cof_cmm_of_cache(keyring->cache) : cof_cmm_of_keyring(&keyring->ring);
}
