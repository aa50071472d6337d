/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/keyring.h"

#define LIST_MAX ((size_t)1 << 20) /* bytes of encrypted data keys */

void cof_edk_list_init(struct cof_edk_list *list)
{
    *list = (struct cof_edk_list){0};
    cof_buf_init(&list->bytes, LIST_MAX);
}

void cof_edk_list_done(struct cof_edk_list *list)
{
    if (list == NULL)
        return;
    cof_buf_done(&list->bytes);
    list->n = 0;
}

enum cof_err cof_edk_list_add(struct cof_edk_list *list, const struct cof_esdk_edk *edk)
{
    if (list->n == COF_ESDK_EDKS_MAX || edk->provider.len > UINT16_MAX || edk->info.len > UINT16_MAX ||
        edk->ciphertext.len > UINT16_MAX)
        return COF_E_LIMIT;
    cof_buf_add(&list->bytes, edk->provider);
    cof_buf_add(&list->bytes, edk->info);
    cof_buf_add(&list->bytes, edk->ciphertext);
    if (cof_buf_err(&list->bytes) != COF_OK)
        return cof_buf_err(&list->bytes);
    list->items[list->n].provider = edk->provider.len;
    list->items[list->n].info = edk->info.len;
    list->items[list->n].ciphertext = edk->ciphertext.len;
    list->n++;
    return COF_OK;
}

size_t cof_edk_list_views(const struct cof_edk_list *list, struct cof_esdk_edk out[static COF_ESDK_EDKS_MAX])
{
    struct cof_view rest = cof_buf_view(&list->bytes);

    for (size_t i = 0; i < list->n; i++) {
        struct cof_view *parts[] = {&out[i].provider, &out[i].info, &out[i].ciphertext};
        const size_t lengths[] = {list->items[i].provider, list->items[i].info, list->items[i].ciphertext};

        for (size_t k = 0; k < 3; k++) {
            *parts[k] = cof_view_sub(rest, 0, lengths[k]);
            rest = cof_view_sub(rest, lengths[k], SIZE_MAX);
        }
    }
    return list->n;
}

enum cof_err cof_keyring_wrap(const struct cof_keyring *keyring, const struct cof_keyring_wrap *request)
{
    size_t before = request->edks->n;
    enum cof_err err = keyring->wrap(keyring->ctx, request);

    if (err == COF_OK && (request->data_key->len != request->key_len || request->edks->n == before))
        err = COF_E_BUG;
    if (err != COF_OK)
        cof_secret_done(request->data_key);
    return err;
}

enum cof_err cof_keyring_unwrap(const struct cof_keyring *keyring, const struct cof_keyring_unwrap *request)
{
    enum cof_err err;

    cof_secret_done(request->data_key);
    err = keyring->unwrap(keyring->ctx, request);
    if (err == COF_OK && request->data_key->len != request->key_len)
        err = COF_E_AUTH;
    if (err != COF_OK)
        cof_secret_done(request->data_key);
    return err;
}

static enum cof_err multi_wrap(void *ctx, const struct cof_keyring_wrap *request)
{
    const struct cof_keyring_multi *multi = ctx;
    enum cof_err err = multi->n_children == 0 ? COF_E_USAGE : COF_OK;

    for (size_t i = 0; err == COF_OK && i < multi->n_children; i++)
        err = cof_keyring_wrap(&multi->children[i], request);
    return err;
}

static enum cof_err multi_unwrap(void *ctx, const struct cof_keyring_unwrap *request)
{
    const struct cof_keyring_multi *multi = ctx;
    enum cof_err last = COF_E_NOT_FOUND;

    for (size_t i = 0; i < multi->n_children; i++) {
        enum cof_err err = cof_keyring_unwrap(&multi->children[i], request);
        if (err == COF_OK)
            return err;
        if (err != COF_E_NOT_FOUND)
            last = err;
    }
    return last;
}

struct cof_keyring cof_keyring_of_multi(struct cof_keyring_multi *multi)
{
    return (struct cof_keyring){multi_wrap, multi_unwrap, multi};
}
