/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/standin.h"

#include "crypto/gcm.h"
#include "crypto/hash.h"
#include "crypto/rsa.h"
#include "standin/state.h"
#include "standin/trail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_RETRY_MS 1000 /* after a fault of the store */
#define RSA_RETRY_MS 10000 /* who waits for a key asks again, should nobody have called */

enum cof_err cof_standin_new(const struct cof_standin_opts *opts, struct cof_standin **out, struct cof_diag *diag)
{
    struct cof_standin *s = calloc(1, sizeof *s);
    enum cof_err err = COF_E_USAGE;

    *out = NULL;
    if (s == NULL)
        return COF_E_MEMORY;
    s->opts = *opts;
    cof_buf_init(&s->lines, COF_TRAIL_MAX);
    if (opts->n_services > COF_STANDIN_SERVICES_MAX || opts->master_key->len != 32 ||
        strlen(opts->account) >= sizeof s->account || strlen(opts->region) >= sizeof s->region)
        goto out;
    memcpy(s->account, opts->account, strlen(opts->account) + 1);
    memcpy(s->region, opts->region, strlen(opts->region) + 1);
    s->master_key = *opts->master_key;
    cof_standin_set_endpoint(s, opts->endpoint == NULL ? "" : opts->endpoint);
    err = cof_memo_new(opts->store, &s->memo);
    if (err == COF_OK)
        s->opts.store = cof_memo_store(s->memo);
    for (size_t i = 0; i < opts->n_services && err == COF_OK; i++)
        if (opts->services[i]->start != NULL)
            err = opts->services[i]->start(s, &s->state[i], diag);
out:
    if (err != COF_OK) {
        cof_standin_free(s);
        return err;
    }
    *out = s;
    return COF_OK;
}

void cof_standin_free(struct cof_standin *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->opts.n_services && i < COF_STANDIN_SERVICES_MAX; i++)
        if (s->state[i] != NULL && s->opts.services[i]->stop != NULL)
            s->opts.services[i]->stop(s, s->state[i]);
    for (size_t i = 0; i < COF_STANDIN_POLICY_CACHE; i++) {
        cof_policy_free(s->policies[i].policy);
        free(s->policies[i].text);
    }
    cof_callers_done(&s->callers);
    cof_auth_keys_done(&s->signing_keys);
    cof_memo_free(s->memo);
    cof_secret_done(&s->master_key);
    cof_buf_done(&s->lines);
    free(s);
}

const struct cof_store *cof_standin_store(const struct cof_standin *s)
{
    return s->opts.store;
}

const struct cof_rng *cof_standin_rng(const struct cof_standin *s)
{
    return s->opts.rng;
}

const struct cof_secret *cof_standin_master_key(const struct cof_standin *s)
{
    return &s->master_key;
}

const char *cof_standin_account(const struct cof_standin *s)
{
    return s->account;
}

const char *cof_standin_region(const struct cof_standin *s)
{
    return s->region;
}

const char *cof_standin_endpoint(const struct cof_standin *s)
{
    return s->endpoint;
}

void cof_standin_set_endpoint(struct cof_standin *s, const char *endpoint)
{
    (void)snprintf(s->endpoint, sizeof s->endpoint, "%s", endpoint);
}

const struct cof_standin_opts *cof_standin_options(const struct cof_standin *s)
{
    return &s->opts;
}

void *cof_standin_state(const struct cof_standin *s, const char *service)
{
    for (size_t i = 0; i < s->opts.n_services; i++)
        if (s->opts.services[i]->name[0] == service[0] && strcmp(s->opts.services[i]->name, service) == 0)
            return s->state[i];
    return NULL;
}

static void name_line(unsigned bits, char out[static COF_STANDIN_WAIT_MAX])
{
    (void)snprintf(out, COF_STANDIN_WAIT_MAX, "rsa key of %u", bits);
}

enum cof_err cof_standin_rsa_key(struct cof_standin *s, unsigned bits, struct cof_rsa_key **out)
{
    s->rsa_bits = bits;
    return s->opts.rsa_key != NULL ? s->opts.rsa_key(s->opts.ctx, bits, out) : cof_rsa_generate(bits, out);
}

void cof_standin_rsa_wait(const struct cof_standin *s, const struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    reply->wait_until_ms = req->now_ms + RSA_RETRY_MS;
    name_line(s->rsa_bits, reply->wait_on);
}

void cof_standin_rsa_ready(struct cof_standin *s, unsigned bits)
{
    char line[COF_STANDIN_WAIT_MAX];

    name_line(bits, line);
    cof_standin_notify(s, line, 0);
}

void cof_standin_notify(struct cof_standin *s, const char *wait_on, int64_t at_ms)
{
    if (s->opts.notify != NULL)
        s->opts.notify(s->opts.ctx, wait_on, at_ms);
}

static void undone(struct cof_standin *s, size_t i)
{
    if (s->opts.services[i]->undone != NULL && s->state[i] != NULL)
        s->opts.services[i]->undone(s, s->state[i]);
}

void cof_standin_undone(struct cof_standin *s)
{
    for (size_t i = 0; i < s->opts.n_services; i++)
        undone(s, i);
}

void cof_standin_service_undone(struct cof_standin *s, const struct cof_service *service)
{
    for (size_t i = 0; i < s->opts.n_services; i++)
        if (s->opts.services[i] == service)
            undone(s, i);
}

int64_t cof_standin_due(const struct cof_standin *s)
{
    int64_t due_ms = INT64_MAX;

    for (size_t i = 0; i < s->opts.n_services; i++)
        if (s->opts.services[i]->due != NULL && s->opts.services[i]->due(s->state[i]) < due_ms)
            due_ms = s->opts.services[i]->due(s->state[i]);
    return due_ms;
}

int64_t cof_standin_tick(struct cof_standin *s, int64_t now_ms)
{
    const struct cof_store *store = s->opts.store;

    for (size_t i = 0; i < s->opts.n_services; i++) {
        const struct cof_service *service = s->opts.services[i];
        enum cof_err err;

        if (service->due == NULL || service->due(s->state[i]) > now_ms)
            continue;
        err = store->savepoint(store->ctx);
        if (err != COF_OK)
            return now_ms + TICK_RETRY_MS;
        err = service->tick(s, s->state[i], now_ms);
        if (err == COF_OK)
            err = store->release(store->ctx);
        else
            (void)store->rollback(store->ctx);
        if (err != COF_OK) {
            undone(s, i);
            return now_ms + TICK_RETRY_MS;
        }
    }
    return cof_standin_due(s);
}

/* The key of one purpose: HMAC-SHA-256 of its name under the master key. */
static enum cof_err purpose_key(const struct cof_standin *s, const char *purpose, struct cof_secret *key)
{
    struct cof_view parts[2] = {COF_LIT("coffer-local key at rest: "), cof_view_str(purpose)};

    key->len = 32;
    return cof_hmac(COF_SHA256, cof_secret_view(&s->master_key), parts, 2, key->bytes);
}

enum cof_err cof_standin_seal(struct cof_standin *s, const char *purpose, struct cof_view id, struct cof_view plaintext,
                              struct cof_buf *sealed)
{
    struct cof_secret key COF_SECRET_AUTO = {0};
    struct cof_gcm *gcm = NULL;
    uint8_t nonce[COF_GCM_NONCE], *at;
    enum cof_err err = purpose_key(s, purpose, &key);

    if (err == COF_OK)
        err = cof_rng_fill(s->opts.rng, nonce, sizeof nonce);
    if (err == COF_OK)
        err = cof_gcm_new(cof_secret_view(&key), &gcm);
    if (err != COF_OK)
        return err;
    cof_buf_add_bytes(sealed, nonce, sizeof nonce);
    at = cof_buf_extend(sealed, plaintext.len + COF_GCM_TAG);
    err = at == NULL ? cof_buf_err(sealed) : cof_gcm_seal(gcm, nonce, id, plaintext, at);
    cof_gcm_free(gcm);
    return err;
}

enum cof_err cof_standin_unseal(struct cof_standin *s, const char *purpose, struct cof_view id, struct cof_view sealed,
                                struct cof_buf *plaintext)
{
    struct cof_secret key COF_SECRET_AUTO = {0};
    struct cof_gcm *gcm = NULL;
    struct cof_view nonce;
    size_t start = plaintext->len;
    uint8_t *at;
    enum cof_err err = cof_take(&sealed, COF_GCM_NONCE, &nonce);

    if (err != COF_OK || sealed.len < COF_GCM_TAG)
        return COF_E_AUTH;
    err = purpose_key(s, purpose, &key);
    if (err == COF_OK)
        err = cof_gcm_new(cof_secret_view(&key), &gcm);
    if (err != COF_OK)
        return err;
    at = cof_buf_extend(plaintext, sealed.len - COF_GCM_TAG);
    err = at == NULL ? cof_buf_err(plaintext) : cof_gcm_open(gcm, nonce.data, id, sealed, at);
    if (err != COF_OK)
        cof_buf_truncate(plaintext, start);
    cof_gcm_free(gcm);
    return err;
}
