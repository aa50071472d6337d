/* SPDX-License-Identifier: Apache-2.0 */
#include "message.h"

#define PAIRS_MAX 32

static enum cof_err unwrap(struct worker *worker, const struct cof_esdk_decrypt *d, const char *key_arn,
                           struct cof_secret *data_key, struct cof_diag *diag)
{
    const struct cof_esdk_header *h = cof_esdk_decrypt_header(d);
    struct cof_pair pairs[PAIRS_MAX];
    struct cof_kms_key_use use = {.key_arn = cof_view_str(key_arn), .context = pairs, .n_context = h->n_pairs};

    if (h->n_pairs > PAIRS_MAX)
        return COF_E_LIMIT;
    for (size_t i = 0; i < h->n_pairs; i++)
        pairs[i] = (struct cof_pair){h->pairs[i].name, h->pairs[i].value};
    return cof_kms_attested_decrypt(&worker->kms, &use, h->edks[0].ciphertext, COF_ESDK_DATA_KEY, data_key, diag);
}

static bool is_under(const struct cof_esdk_header *h, const char *key_arn)
{
    return h->n_edks == 1 && cof_view_eq(h->edks[0].provider, COF_LIT("aws-kms")) && cof_view_eq_str(h->edks[0].info, key_arn);
}

enum cof_err message_open(struct worker *worker, struct cof_view sealed, const struct message_expected *expected,
                          struct cof_buf *plain, enum message_stage *stage, struct cof_diag *diag)
{
    struct cof_secret data_key COF_SECRET_AUTO = {0};
    struct cof_esdk_decrypt *d;
    enum cof_err err = cof_esdk_decrypt_new(NULL, &d);

    *stage = MESSAGE_HEADER;
    if (err == COF_OK)
        err = cof_esdk_decrypt_push(d, &sealed, plain);
    if (err == COF_OK && !cof_esdk_decrypt_wants_key(d))
        err = COF_E_TRUNCATED;
    if (err != COF_OK)
        goto out;
    *stage = MESSAGE_CONTEXT;
    err = COF_E_AUTH;
    if (!is_under(cof_esdk_decrypt_header(d), expected->key_arn) ||
        !expected->is_expected(expected->ctx, cof_esdk_decrypt_header(d)))
        goto out;
    *stage = MESSAGE_KEY;
    err = unwrap(worker, d, expected->key_arn, &data_key, diag);
    if (err != COF_OK)
        goto out;
    *stage = MESSAGE_BODY;
    err = cof_esdk_decrypt_set_key(d, &data_key);
    if (err == COF_OK)
        err = cof_esdk_decrypt_push(d, &sealed, plain);
    if (err == COF_OK)
        err = cof_esdk_decrypt_finish(d);
    if (err == COF_OK)
        *stage = MESSAGE_OPEN;
    else
        cof_buf_reset(plain);
out:
    cof_esdk_decrypt_free(d);
    return err;
}
