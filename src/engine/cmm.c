/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cmm.h"

#include "engine/esdk_sign.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PUBLIC_VALUE_MAX 128

struct cof_cmm_materials {
    atomic_uint refs;
    struct cof_secret data_key;
    struct cof_edk_list edks;     /* to encrypt */
    struct cof_ecdsa_key *signer; /* to encrypt in a signed suite, */
    struct cof_buf public_value;  /* and its context value */
};

struct cof_cmm_materials *cof_cmm_materials_ref(struct cof_cmm_materials *m)
{
    (void)atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void cof_cmm_materials_unref(struct cof_cmm_materials *m)
{
    if (m == NULL || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    cof_secret_done(&m->data_key);
    cof_edk_list_done(&m->edks);
    cof_ecdsa_free(m->signer);
    cof_buf_done(&m->public_value);
    cof_wipe(m, sizeof *m);
    free(m);
}

static struct cof_cmm_materials *new_materials(void)
{
    struct cof_cmm_materials *m = calloc(1, sizeof *m);

    if (m == NULL)
        return NULL;
    atomic_init(&m->refs, 1);
    cof_edk_list_init(&m->edks);
    cof_buf_init(&m->public_value, PUBLIC_VALUE_MAX);
    return m;
}

/* The caller's pairs and, in a signed suite, the public key's; sorted, as keyrings authenticate them. */
static enum cof_err whole_context(const struct cof_esdk_pair *own, size_t n_own, const struct cof_cmm_materials *m,
                                  struct cof_esdk_pair *pairs, size_t *n)
{
    for (*n = 0; *n < n_own; (*n)++)
        pairs[*n] = own[*n];
    if (m->signer == NULL)
        return COF_OK;
    if (*n == COF_ESDK_PAIRS_MAX)
        return COF_E_LIMIT;
    pairs[(*n)++] = (struct cof_esdk_pair){COF_LIT(COF_ESDK_PUBLIC_KEY), cof_buf_view(&m->public_value)};
    return cof_esdk_sort_pairs(pairs, *n);
}

static enum cof_err default_encrypt(void *ctx, const struct cof_cmm_encrypt *request, struct cof_cmm_materials **out)
{
    const struct cof_keyring *keyring = ctx;
    struct cof_cmm_materials *m = new_materials();
    struct cof_esdk_pair pairs[COF_ESDK_PAIRS_MAX];
    struct cof_keyring_wrap wrap = {.key_len = request->suite->key_len, .pairs = pairs, .rng = request->rng,
                                    .diag = request->diag};
    enum cof_err err = COF_OK;

    *out = NULL;
    if (m == NULL)
        return COF_E_MEMORY;
    wrap.data_key = &m->data_key;
    wrap.edks = &m->edks;
    if (request->suite->is_signed)
        err = cof_esdk_signer_make_for(request->suite->id, request->rng, &m->signer, &m->public_value);
    if (err == COF_OK)
        err = whole_context(request->pairs, request->n_pairs, m, pairs, &wrap.n_pairs);
    if (err == COF_OK)
        err = cof_keyring_wrap(keyring, &wrap);
    if (err == COF_OK)
        *out = m;
    else
        cof_cmm_materials_unref(m);
    return err;
}

static enum cof_err default_decrypt(void *ctx, const struct cof_cmm_decrypt *request, struct cof_cmm_materials **out)
{
    const struct cof_keyring *keyring = ctx;
    struct cof_cmm_materials *m = new_materials();
    struct cof_keyring_unwrap unwrap = {.key_len = request->suite->key_len, .pairs = request->pairs,
                                        .n_pairs = request->n_pairs, .edks = request->edks, .n_edks = request->n_edks,
                                        .diag = request->diag};
    enum cof_err err;

    *out = NULL;
    if (m == NULL)
        return COF_E_MEMORY;
    unwrap.data_key = &m->data_key;
    err = cof_keyring_unwrap(keyring, &unwrap);
    if (err == COF_OK)
        *out = m;
    else
        cof_cmm_materials_unref(m);
    return err;
}

struct cof_cmm cof_cmm_of_keyring(struct cof_keyring *keyring)
{
    return (struct cof_cmm){default_encrypt, default_decrypt, keyring};
}

static void unref(void *materials)
{
    cof_cmm_materials_unref(materials);
}

/* The header, with what the manager gave. */
static enum cof_err begin(struct cof_esdk_materials *m, struct cof_cmm_materials *given, const struct cof_rng *rng,
                          struct cof_esdk_encrypt **out)
{
    struct cof_esdk_pair pairs[COF_ESDK_PAIRS_MAX];
    struct cof_esdk_edk edks[COF_ESDK_EDKS_MAX];
    size_t n_pairs;
    enum cof_err err = whole_context(m->pairs, m->n_pairs, given, pairs, &n_pairs);

    m->data_key = &given->data_key;
    m->pairs = pairs;
    m->n_pairs = n_pairs;
    m->edks = edks;
    m->n_edks = cof_edk_list_views(&given->edks, edks);
    m->signer = given->signer;
    return err == COF_OK ? cof_esdk_encrypt_new(m, rng, out) : err;
}

enum cof_err cof_esdk_encrypt_with(const struct cof_cmm *cmm, const struct cof_esdk_materials *materials,
                                   const struct cof_rng *rng, struct cof_diag *diag, struct cof_esdk_encrypt **out)
{
    struct cof_esdk_materials m = *materials;
    struct cof_esdk_pair sorted[COF_ESDK_PAIRS_MAX];
    struct cof_cmm_encrypt request = {.suite = cof_suite_find(m.suite), .pairs = sorted, .n_pairs = m.n_pairs, .rng = rng,
                                      .length_known = m.length_known, .plain_length = m.plain_length, .diag = diag};
    struct cof_cmm_materials *given = NULL;
    enum cof_err err;

    *out = NULL;
    if (request.suite == NULL)
        return COF_E_USAGE;
    if (!cof_suite_may_encrypt(request.suite, m.policy)) /* before a key is asked for */
        return COF_E_CONFIG;
    if (m.n_pairs > COF_ESDK_PAIRS_MAX)
        return COF_E_LIMIT;
    for (size_t i = 0; i < m.n_pairs; i++) {
        if (cof_view_starts(m.pairs[i].name, COF_LIT(COF_ESDK_RESERVED)))
            return COF_E_USAGE;
        sorted[i] = m.pairs[i];
    }
    m.pairs = sorted;
    err = cof_esdk_sort_pairs(sorted, m.n_pairs);
    if (err == COF_OK)
        err = cmm->encrypt(cmm->ctx, &request, &given);
    if (err == COF_OK)
        err = begin(&m, given, rng, out);
    if (err == COF_OK && given->signer != NULL) {
        cof_esdk_encrypt_keep(*out, given, unref); /* the signer is used at the end */
        given = NULL;                              /* moved */
    }
    cof_cmm_materials_unref(given);
    return err;
}

enum cof_err cof_esdk_decrypt_with(const struct cof_cmm *cmm, struct cof_esdk_decrypt *session, struct cof_diag *diag)
{
    const struct cof_esdk_header *h = cof_esdk_decrypt_header(session);
    struct cof_cmm_decrypt request = {.suite = cof_esdk_decrypt_suite(session), .diag = diag};
    struct cof_cmm_materials *given = NULL;
    enum cof_err err;

    if (!cof_esdk_decrypt_wants_key(session))
        return COF_E_STATE;
    request.pairs = cof_esdk_decrypt_context(session, &request.n_pairs);
    request.edks = h->edks;
    request.n_edks = h->n_edks;
    err = cmm->decrypt(cmm->ctx, &request, &given);
    if (err == COF_OK)
        err = cof_esdk_decrypt_set_key(session, &given->data_key);
    cof_cmm_materials_unref(given);
    return err;
}
