/* SPDX-License-Identifier: Apache-2.0 */
#include "client/keyring_kms.h"

/* arn : partition : kms : region : account : key/ID */
struct arn {
    struct cof_view partition, region, account;
};

static struct arn split_arn(struct cof_view text)
{
    struct arn arn = {0};
    struct cof_view part;

    (void)cof_view_split(text, ':', &part, &text);
    (void)cof_view_split(text, ':', &arn.partition, &text);
    (void)cof_view_split(text, ':', &part, &text);
    (void)cof_view_split(text, ':', &arn.region, &text);
    (void)cof_view_split(text, ':', &arn.account, &text);
    return arn;
}

static bool is_discovered(const struct cof_keyring_kms *k, struct cof_view text)
{
    struct arn arn = split_arn(text);

    if (!cof_view_eq_str(arn.partition, k->partition != NULL ? k->partition : "aws"))
        return false;
    for (size_t i = 0; i < k->n_accounts; i++)
        if (cof_view_eq(arn.account, k->accounts[i]))
            return true;
    return k->n_accounts == 0;
}

bool cof_keyring_kms_allows(const struct cof_keyring_kms *keyring, struct cof_view key_arn)
{
    if (!cof_kms_is_key_arn(key_arn))
        return false;
    if (keyring->discovery)
        return is_discovered(keyring, key_arn);
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

static enum cof_err client_of(const struct cof_keyring_kms *keyring, struct cof_view key_arn, struct cof_aws **out,
                              struct cof_diag *diag)
{
    *out = keyring->aws;
    if (keyring->aws_of == NULL)
        return COF_OK;
    return keyring->aws_of(keyring->aws_of_ctx, split_arn(key_arn).region, out, diag);
}

static enum cof_err generate(const struct cof_keyring_kms *keyring, const struct cof_kms_key_use *use,
                             struct cof_secret *data_key, struct cof_buf *blob, struct cof_diag *diag)
{
    struct cof_kms_reply reply;
    struct cof_aws *aws;
    enum cof_err err;

    if (keyring->attested != NULL)
        return cof_kms_attested_generate(keyring->attested, use, data_key, blob, diag);
    err = client_of(keyring, use->key_arn, &aws, diag);
    if (err == COF_OK)
        err = cof_kms_run_generate_data_key(aws, use, &reply, diag);
    if (err != COF_OK)
        return err;
    err = cof_secret_set(data_key, cof_buf_view(&reply.plaintext));
    cof_buf_add(blob, cof_buf_view(&reply.blob));
    cof_kms_reply_done(&reply);
    return err == COF_OK ? cof_buf_err(blob) : err;
}

static enum cof_err encrypt(const struct cof_keyring_kms *keyring, const struct cof_kms_key_use *use,
                            const struct cof_secret *data_key, struct cof_buf *blob, struct cof_diag *diag)
{
    struct cof_kms_reply reply;
    struct cof_aws *aws;
    enum cof_err err;

    if (keyring->attested != NULL)
        return cof_diag_set(diag, COF_E_USAGE, "KMS has no attested Encrypt: an attested keyring makes the data key, and has one key");
    err = client_of(keyring, use->key_arn, &aws, diag);
    if (err == COF_OK)
        err = cof_kms_run_encrypt(aws, use, cof_secret_view(data_key), &reply, diag);
    if (err != COF_OK)
        return err;
    cof_buf_add(blob, cof_buf_view(&reply.blob));
    cof_kms_reply_done(&reply);
    return cof_buf_err(blob);
}

static enum cof_err kms_wrap(void *ctx, const struct cof_keyring_wrap *r)
{
    const struct cof_keyring_kms *keyring = ctx;
    struct cof_pair context[COF_ESDK_PAIRS_MAX];
    struct cof_kms_key_use use = {.context = context, .n_context = r->n_pairs, .key_bytes = r->key_len};
    enum cof_err err = COF_OK;

    if (keyring->discovery)
        return cof_diag_set(r->diag, COF_E_USAGE, "a discovery keyring only opens: name the KMS key to seal for");
    if (keyring->n_keys == 0)
        return cof_diag_set(r->diag, COF_E_USAGE, "the KMS keyring has no key");
    as_context(r->pairs, r->n_pairs, context);
    for (size_t i = 0; err == COF_OK && i < keyring->n_keys; i++) {
        struct cof_buf blob;

        cof_buf_init(&blob, COF_KMS_BLOB_MAX);
        use.key_arn = keyring->keys[i];
        err = r->data_key->len == 0 ? generate(keyring, &use, r->data_key, &blob, r->diag)
                                    : encrypt(keyring, &use, r->data_key, &blob, r->diag);
        if (err == COF_OK)
            err = cof_edk_list_add(r->edks, &(struct cof_esdk_edk){COF_LIT(COF_KMS_PROVIDER), use.key_arn,
                                                                   cof_buf_view(&blob)});
        cof_buf_done(&blob);
    }
    return err;
}

static enum cof_err open_one(const struct cof_keyring_kms *keyring, const struct cof_kms_key_use *use,
                             struct cof_view blob, struct cof_secret *data_key, struct cof_diag *diag)
{
    struct cof_kms_reply reply;
    struct cof_aws *aws;
    enum cof_err err;

    if (keyring->attested != NULL)
        return cof_kms_attested_decrypt(keyring->attested, use, blob, use->key_bytes, data_key, diag);
    err = client_of(keyring, use->key_arn, &aws, diag);
    if (err == COF_OK)
        err = cof_kms_run_decrypt(aws, use, blob, &reply, diag);
    if (err != COF_OK)
        return err;
    if (reply.plaintext.len == use->key_bytes)
        err = cof_secret_set(data_key, cof_buf_view(&reply.plaintext));
    else
        err = cof_diag_set(diag, COF_E_AUTH, "what KMS opened is no data key of the message's algorithm suite");
    cof_kms_reply_done(&reply);
    return err;
}

static bool ends_the_search(enum cof_err err)
{
    switch (cof_err_class(err)) {
    case COF_CLASS_OK:
    case COF_CLASS_RETRY:
    case COF_CLASS_IO:
    case COF_CLASS_MEMORY:
    case COF_CLASS_BUG:
        return true;
    case COF_CLASS_USAGE:
    case COF_CLASS_SHORT:
    case COF_CLASS_FORMAT:
    case COF_CLASS_LIMIT:
    case COF_CLASS_AUTH:
    case COF_CLASS_DENIED:
        break;
    }
    return false;
}

static enum cof_err kms_unwrap(void *ctx, const struct cof_keyring_unwrap *r)
{
    const struct cof_keyring_kms *keyring = ctx;
    struct cof_pair context[COF_ESDK_PAIRS_MAX];
    struct cof_kms_key_use use = {.context = context, .n_context = r->n_pairs, .key_bytes = r->key_len};
    enum cof_err err = COF_E_NOT_FOUND;

    as_context(r->pairs, r->n_pairs, context);
    for (size_t i = 0; i < r->n_edks; i++) {
        const struct cof_esdk_edk *edk = &r->edks[i];

        if (!cof_view_eq(edk->provider, COF_LIT(COF_KMS_PROVIDER)) || !cof_keyring_kms_allows(keyring, edk->info))
            continue;
        use.key_arn = edk->info;
        err = open_one(keyring, &use, edk->ciphertext, r->data_key, r->diag);
        if (err == COF_E_NOT_FOUND) /* KMS knows no such key; to a caller it would mean that no data key is ours */
            err = COF_E_DENIED;
        if (ends_the_search(err))
            break;
    }
    return err;
}

struct cof_keyring cof_keyring_of_kms(struct cof_keyring_kms *keyring)
{
    return (struct cof_keyring){kms_wrap, kms_unwrap, keyring};
}
