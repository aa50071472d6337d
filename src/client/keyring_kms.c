/* SPDX-License-Identifier: Apache-2.0 */
#include "client/keyring_kms.h"

#define DATA_KEY_BYTES 32

static bool in_accounts(const struct cof_keyring_kms *k, struct cof_view arn)
{
    struct cof_view part, rest = arn;

    (void)cof_view_split(rest, ':', &part, &rest);
    (void)cof_view_split(rest, ':', &part, &rest);
    if (!cof_view_eq_str(part, k->partition != NULL ? k->partition : "aws"))
        return false;
    for (int i = 0; i < 3; i++) /* service, region, account */
        (void)cof_view_split(rest, ':', &part, &rest);
    for (size_t i = 0; i < k->n_accounts; i++)
        if (cof_view_eq(part, k->accounts[i]))
            return true;
    return false;
}

bool cof_keyring_kms_allows(const struct cof_keyring_kms *keyring, struct cof_view key_arn)
{
    if (!cof_kms_is_key_arn(key_arn))
        return false;
    if (keyring->discovery)
        return in_accounts(keyring, key_arn);
    for (size_t i = 0; i < keyring->n_keys; i++)
        if (cof_view_eq(keyring->keys[i], key_arn))
            return true;
    return false;
}

/* The message's pairs are KMS's encryption context. */
static void as_context(const struct cof_esdk_pair *pairs, size_t n, struct cof_pair *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (struct cof_pair){pairs[i].name, pairs[i].value};
}

enum cof_err cof_keyring_kms_generate(const struct cof_keyring_kms *keyring, const struct cof_esdk_pair *pairs,
                                      size_t n, struct cof_secret *data_key, struct cof_buf *blob,
                                      struct cof_diag *diag)
{
    struct cof_pair context[COF_ESDK_PAIRS_MAX];
    struct cof_kms_key_use use = {.context = context, .n_context = n};
    struct cof_kms_reply reply;
    enum cof_err err;

    cof_secret_done(data_key);
    if (n > COF_ESDK_PAIRS_MAX || keyring->discovery || keyring->n_keys == 0)
        return COF_E_USAGE;
    as_context(pairs, n, context);
    use.key_arn = keyring->keys[0];
    if (keyring->attested != NULL)
        return cof_kms_attested_generate(keyring->attested, &use, data_key, blob, diag);
    err = cof_kms_run_generate_data_key(keyring->aws, &use, &reply, diag);
    if (err != COF_OK)
        return err;
    err = cof_secret_set(data_key, cof_buf_view(&reply.plaintext));
    cof_buf_add(blob, cof_buf_view(&reply.blob));
    if (err == COF_OK)
        err = cof_buf_err(blob);
    cof_kms_reply_done(&reply);
    return err;
}

static enum cof_err open_one(const struct cof_keyring_kms *keyring, const struct cof_kms_key_use *use,
                             struct cof_view blob, struct cof_secret *data_key, struct cof_diag *diag)
{
    struct cof_kms_reply reply;
    enum cof_err err;

    if (keyring->attested != NULL)
        return cof_kms_attested_decrypt(keyring->attested, use, blob, DATA_KEY_BYTES, data_key, diag);
    err = cof_kms_run_decrypt(keyring->aws, use, blob, &reply, diag);
    if (err != COF_OK)
        return err;
    if (reply.plaintext.len == DATA_KEY_BYTES)
        err = cof_secret_set(data_key, cof_buf_view(&reply.plaintext));
    else
        err = cof_diag_set(diag, COF_E_AUTH, "what KMS opened is no data key");
    cof_kms_reply_done(&reply);
    return err;
}

enum cof_err cof_keyring_kms_decrypt(const struct cof_keyring_kms *keyring, const struct cof_esdk_header *header,
                                     struct cof_secret *data_key, struct cof_diag *diag)
{
    struct cof_pair context[COF_ESDK_PAIRS_MAX];
    struct cof_kms_key_use use = {.context = context, .n_context = header->n_pairs};
    enum cof_err err = COF_E_NOT_FOUND;

    cof_secret_done(data_key);
    as_context(header->pairs, header->n_pairs, context);
    (void)cof_diag_set(diag, err, "none of the message's %zu data keys is for a KMS key that may be used here",
                       header->n_edks);
    for (size_t i = 0; i < header->n_edks; i++) {
        const struct cof_esdk_edk *edk = &header->edks[i];
        if (!cof_view_eq(edk->provider, COF_LIT(COF_KMS_PROVIDER)) || !cof_keyring_kms_allows(keyring, edk->info))
            continue;
        use.key_arn = edk->info;
        err = open_one(keyring, &use, edk->ciphertext, data_key, diag);
        if (err == COF_OK || cof_err_class(err) == COF_CLASS_RETRY || cof_err_class(err) == COF_CLASS_IO ||
            cof_err_class(err) == COF_CLASS_MEMORY)
            break;
    }
    return err;
}
