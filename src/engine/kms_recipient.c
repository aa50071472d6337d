/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kms_recipient.h"

#include "crypto/cbc.h"
#include "crypto/hash.h"

#define CIPHERTEXT_MAX (COF_KMS_PLAINTEXT_MAX + 256)

static enum cof_err check_key_id(const struct cof_rsa_key *key, struct cof_view key_id)
{
    uint8_t digest[COF_CMS_KEY_ID_SIZE];
    struct cof_buf spki;
    enum cof_err err;

    cof_buf_init(&spki, 2048);
    err = cof_rsa_spki(key, &spki);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&spki), digest);
    if (err == COF_OK && !cof_view_eq(cof_view_of(digest, sizeof digest), key_id))
        err = COF_E_AUTH;
    cof_buf_done(&spki);
    return err;
}

static enum cof_err unwrap(const struct cof_rsa_key *key, const struct cof_cms_enveloped *cms, struct cof_buf *plain)
{
    struct cof_buf content_key, cipher;
    enum cof_err err;

    cof_buf_init_secret(&content_key, COF_RSA_SIZE_MAX);
    cof_buf_init(&cipher, CIPHERTEXT_MAX);
    err = cof_rsa_decrypt(key, COF_RSA_OAEP_SHA256, cms->encrypted_key, &content_key);
    if (err == COF_OK && content_key.len != COF_CBC_KEY_SIZE)
        err = COF_E_AUTH;
    if (err == COF_OK) {
        cof_cms_add_ciphertext(&cipher, cms);
        err = cof_cbc_decrypt(cof_buf_view(&content_key), cms->iv, cof_buf_view(&cipher), plain);
    }
    cof_buf_done(&content_key);
    cof_buf_done(&cipher);
    return err;
}

/* Whatever went wrong with the message is one code; only our own trouble is told apart. */
static enum cof_err one_code(enum cof_err err)
{
    enum cof_class class = cof_err_class(err);

    return err == COF_OK || class == COF_CLASS_MEMORY || class == COF_CLASS_USAGE ? err : COF_E_AUTH;
}

enum cof_err cof_kms_recipient_open_buf(const struct cof_rsa_key *key, struct cof_view cms, size_t min_len,
                                        size_t max_len, struct cof_buf *out, struct cof_diag *diag)
{
    struct cof_cms_enveloped parsed;
    struct cof_buf plain;
    enum cof_err err;

    cof_buf_init_secret(&plain, CIPHERTEXT_MAX + 16);
    err = cof_cms_enveloped_parse(cms, &parsed, diag);
    if (err == COF_OK && (err = check_key_id(key, parsed.key_id)) == COF_E_AUTH)
        err = cof_diag_set(diag, err, "it is sealed for another key");
    else if (err == COF_OK) {
        err = unwrap(key, &parsed, &plain);
        if (err == COF_OK && (plain.len < min_len || plain.len > max_len))
            err = COF_E_AUTH;
        if (err == COF_E_AUTH)
            err = cof_diag_set(diag, err, "it does not open to %zu bytes", max_len);
    }
    if (err == COF_OK) {
        cof_buf_add(out, cof_buf_view(&plain));
        err = cof_buf_err(out);
    }
    cof_buf_done(&plain);
    return one_code(err);
}

enum cof_err cof_kms_recipient_open(const struct cof_rsa_key *key, struct cof_view cms, size_t expected_len,
                                    struct cof_secret *out, struct cof_diag *diag)
{
    struct cof_buf plain;
    enum cof_err err;

    *out = (struct cof_secret){0};
    if (expected_len > COF_SECRET_MAX)
        return COF_E_USAGE;
    cof_buf_init_secret(&plain, COF_SECRET_MAX);
    err = cof_kms_recipient_open_buf(key, cms, expected_len, expected_len, &plain, diag);
    if (err == COF_OK)
        err = cof_secret_set(out, cof_buf_view(&plain));
    cof_buf_done(&plain);
    return err;
}

static enum cof_err wrap(const struct cof_rsa_key *key, struct cof_view spki, struct cof_view plain,
                         const struct cof_rng *rng, struct cof_buf *encrypted_key, struct cof_buf *cipher,
                         struct cof_buf *out)
{
    struct cof_secret content_key COF_SECRET_AUTO = {.len = COF_CBC_KEY_SIZE};
    struct cof_cms_enveloped cms = {.n_chunks = 1};
    uint8_t key_id[COF_CMS_KEY_ID_SIZE], iv[COF_CMS_IV_SIZE];
    enum cof_err err = cof_rng_fill(rng, content_key.bytes, content_key.len);

    if (err == COF_OK)
        err = cof_rng_fill(rng, iv, sizeof iv);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, spki, key_id);
    if (err == COF_OK)
        err = cof_rsa_encrypt(key, COF_RSA_OAEP_SHA256, cof_secret_view(&content_key), encrypted_key);
    if (err == COF_OK)
        err = cof_cbc_encrypt(cof_secret_view(&content_key), cof_view_of(iv, sizeof iv), plain, cipher);
    if (err != COF_OK)
        return err;
    cms.key_id = cof_view_of(key_id, sizeof key_id);
    cms.iv = cof_view_of(iv, sizeof iv);
    cms.encrypted_key = cof_buf_view(encrypted_key);
    cms.chunks[0] = cof_buf_view(cipher);
    cof_cms_add_enveloped(out, &cms);
    return cof_buf_err(out);
}

enum cof_err cof_kms_recipient_seal_for(const struct cof_rsa_key *key, struct cof_view spki, struct cof_view plain,
                                        const struct cof_rng *rng, struct cof_buf *out)
{
    struct cof_buf encrypted_key, cipher;
    enum cof_err err;

    if (plain.len > COF_KMS_PLAINTEXT_MAX)
        return COF_E_LIMIT;
    cof_buf_init(&encrypted_key, COF_RSA_SIZE_MAX);
    cof_buf_init(&cipher, CIPHERTEXT_MAX);
    err = wrap(key, spki, plain, rng, &encrypted_key, &cipher, out);
    cof_buf_done(&encrypted_key);
    cof_buf_done(&cipher);
    return err;
}

enum cof_err cof_kms_recipient_seal(struct cof_view spki, struct cof_view plain, const struct cof_rng *rng,
                                    struct cof_buf *out)
{
    struct cof_rsa_key *key = NULL;
    enum cof_err err = plain.len > COF_KMS_PLAINTEXT_MAX ? COF_E_LIMIT : cof_rsa_from_spki(spki, &key);

    if (err == COF_OK)
        err = cof_kms_recipient_seal_for(key, spki, plain, rng, out);
    cof_rsa_free(key);
    return err;
}
