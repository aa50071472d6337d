/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/callers.h"

#include "base/secret.h"
#include "standin/memo.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

void cof_known_caller_unref(struct cof_known_caller *k)
{
    if (k == NULL || --k->refs > 0)
        return;
    cof_record_done(k->key_record);
    cof_record_done(k->entity_record);
    if (k->secret != NULL)
        cof_wipe(k->secret, strlen(k->secret));
    free(k->secret);
    cof_iam_principal_done(&k->principal);
    cof_buf_done(&k->identity);
    free(k);
}

void cof_callers_done(struct cof_callers *callers)
{
    for (size_t i = 0; i < COF_CALLERS; i++)
        cof_known_caller_unref(callers->items[i]);
    *callers = (struct cof_callers){0};
}

/* One place for each hash: two keys that meet push each other out, and are looked up as if nothing were remembered. */
static struct cof_known_caller **place_of(struct cof_callers *callers, struct cof_view access_key_id)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < access_key_id.len; i++)
        h = (h ^ access_key_id.data[i]) * 16777619u;
    return &callers->items[(h ^ h >> 16) & (COF_CALLERS - 1)];
}

/* The record of the key's user or role; *out NULL when it has none. */
static enum cof_err entity_record(const struct cof_store *store, const struct cof_iam_key *key, json_t **out)
{
    *out = NULL;
    if (key->kind != COF_CALLER_USER && key->kind != COF_CALLER_ROLE)
        return COF_OK;
    return cof_iam_record(store, key->kind == COF_CALLER_USER ? COF_IAM_USER : COF_IAM_ROLE, cof_view_str(key->account),
                          cof_view_str(key->name), out);
}

static enum cof_err work_out(const struct cof_store *store, const char *account, struct cof_view access_key_id, json_t *key_record,
                             struct cof_known_caller **out)
{
    struct cof_known_caller *k = calloc(1, sizeof *k);
    struct cof_iam_key key = {0};
    enum cof_err err;

    *out = NULL;
    if (k == NULL)
        return COF_E_MEMORY;
    k->refs = 1;
    cof_buf_init(&k->identity, 8192);
    k->key_record = json_incref(key_record);
    err = cof_iam_key_get(store, access_key_id, &key);
    if (err == COF_OK) {
        k->secret = key.secret;
        key.secret = NULL; /* moved */
        err = cof_iam_principal_init(store, account, &key, &k->principal);
    }
    if (err == COF_OK)
        err = entity_record(store, &k->principal.key, &k->entity_record);
    cof_iam_key_done(&key);
    if (err == COF_OK)
        *out = k;
    else
        cof_known_caller_unref(k);
    return err;
}

static bool is_same(const struct cof_known_caller *k, struct cof_view access_key_id, const json_t *key_record,
                    const struct cof_store *store)
{
    json_t *entity = NULL;
    bool same;

    if (k == NULL || k->key_record != key_record || !cof_view_eq_str(access_key_id, k->principal.key.access_key_id))
        return false;
    same = entity_record(store, &k->principal.key, &entity) == COF_OK && entity == k->entity_record;
    json_decref(entity);
    return same;
}

enum cof_err cof_callers_get(struct cof_callers *callers, const struct cof_store *store, const char *account,
                             struct cof_view access_key_id, struct cof_known_caller **out)
{
    struct cof_known_caller **place = place_of(callers, access_key_id), *k;
    json_t *key_record;
    enum cof_err err;

    *out = NULL;
    err = cof_record_get(store, "iam.key", access_key_id, &key_record);
    if (err != COF_OK)
        return err;
    if (!is_same(*place, access_key_id, key_record, store)) {
        err = work_out(store, account, access_key_id, key_record, &k);
        if (err == COF_OK) {
            cof_known_caller_unref(*place);
            *place = k;
        }
    }
    cof_record_done(key_record);
    if (err != COF_OK)
        return err;
    *out = *place;
    (*out)->refs++;
    return COF_OK;
}
