/* SPDX-License-Identifier: Apache-2.0
 *
 * Fresh secrets: data keys, data key pairs, random bytes.
 */
#include "standin/kms_api.h"
#include "standin/kms_blob.h"

#include <string.h>

#define RANDOM_MAX 1024
#define PAIR_MAX 4096 /* bytes of a private key, PKCS#8 */

/* Data keys come from symmetric keys alone. */
static enum cof_err begin(struct cof_kms_call *c, const struct cof_context_value *more, size_t n_more)
{
    const struct cof_kms_algorithm *algorithm;
    enum cof_err err = cof_kms_begin(c, false, &(struct cof_kms_ask){.context = cof_kms_arg_object(c, "EncryptionContext"),
        .more = more, .n_more = n_more});

    return err == COF_OK ? cof_kms_check_algorithm(c, c->key, COF_LIT("SYMMETRIC_DEFAULT"), COF_KMS_ENCRYPT_DECRYPT, &algorithm)
                         : err;
}

static const struct cof_view symmetric = {(const uint8_t *)"SYMMETRIC_DEFAULT", 17};
#define ALGORITHM_KEY {COF_LIT("kms:EncryptionAlgorithm"), &symmetric, 1}

static void add_version(struct cof_kms_call *c)
{
    cof_json_add_member(&c->out, "KeyMaterialId", cof_view_str(cof_kms_version_id(c->key, c->key->n_versions - 1)));
}

static enum cof_err data_key(struct cof_kms_call *c, bool with_plaintext)
{
    const struct cof_context_value more = ALGORITHM_KEY;
    struct cof_view spec = cof_kms_arg(c, "KeySpec");
    int64_t size = cof_kms_arg_int(c, "NumberOfBytes", 0);
    uint8_t secret[RANDOM_MAX];
    struct cof_buf blob;
    enum cof_err err;

    if ((spec.len > 0) == (size > 0))
        return cof_kms_fail(c, "ValidationException", "Please specify either number of bytes or key spec.");
    if (spec.len > 0)
        size = cof_view_eq(spec, COF_LIT("AES_128")) ? 16 : 32;
    cof_buf_init(&blob, COF_KMS_BLOB_MAX);
    err = begin(c, &more, 1);
    if (err == COF_OK)
        err = cof_kms_check_dry_run(c);
    if (err == COF_OK)
        err = cof_rng_fill(cof_standin_rng(c->s), secret, (size_t)size);
    if (err == COF_OK)
        err = cof_kms_wrap(c->s, c->key, cof_kms_arg_object(c, "EncryptionContext"), cof_view_of(secret, (size_t)size), &blob);
    if (err == COF_OK) {
        cof_json_add_member_base64(&c->out, "CiphertextBlob", cof_buf_view(&blob));
        cof_json_add_member(&c->out, "KeyId", cof_view_str(c->key->arn));
        add_version(c);
        if (with_plaintext)
            err = cof_kms_add_secret(c, "Plaintext", cof_view_of(secret, (size_t)size));
    }
    cof_wipe(secret, sizeof secret);
    cof_buf_done(&blob);
    return err;
}

static enum cof_err generate_data_key(struct cof_kms_call *c)
{
    return data_key(c, true);
}

static enum cof_err generate_data_key_without_plaintext(struct cof_kms_call *c)
{
    return data_key(c, false);
}

static enum cof_err data_key_pair(struct cof_kms_call *c, bool with_plaintext)
{
    struct cof_view name = cof_kms_arg(c, "KeyPairSpec");
    const struct cof_context_value more[] = {ALGORITHM_KEY, {COF_LIT("kms:DataKeyPairSpec"), &name, 1}};
    const struct cof_kms_spec *spec = cof_kms_spec_named(name);
    struct cof_buf private_key, spki, blob;
    enum cof_err err = begin(c, more, 2);

    cof_buf_init_secret(&private_key, PAIR_MAX);
    cof_buf_init(&spki, 1024);
    cof_buf_init(&blob, COF_KMS_BLOB_MAX);
    if (err == COF_OK && spec == NULL)
        err = cof_kms_fail(c, "UnsupportedOperationException", "Key pairs of this spec are not made here.");
    if (err == COF_OK)
        err = cof_kms_check_dry_run(c);
    if (err == COF_OK)
        err = cof_kms_material_make(c->s, spec, &private_key, &spki);
    if (err == COF_OK)
        err = cof_kms_wrap(c->s, c->key, cof_kms_arg_object(c, "EncryptionContext"), cof_buf_view(&private_key), &blob);
    if (err == COF_OK) {
        cof_json_add_member_base64(&c->out, "PrivateKeyCiphertextBlob", cof_buf_view(&blob));
        cof_json_add_member_base64(&c->out, "PublicKey", cof_buf_view(&spki));
        cof_json_add_member(&c->out, "KeyId", cof_view_str(c->key->arn));
        cof_json_add_member(&c->out, "KeyPairSpec", name);
        add_version(c);
        if (with_plaintext)
            err = cof_kms_add_secret(c, "PrivateKeyPlaintext", cof_buf_view(&private_key));
    }
    cof_buf_done(&private_key);
    cof_buf_done(&spki);
    cof_buf_done(&blob);
    return err;
}

static enum cof_err generate_data_key_pair(struct cof_kms_call *c)
{
    return data_key_pair(c, true);
}

static enum cof_err generate_data_key_pair_without_plaintext(struct cof_kms_call *c)
{
    return data_key_pair(c, false);
}

static enum cof_err generate_random(struct cof_kms_call *c)
{
    int64_t n = cof_kms_arg_int(c, "NumberOfBytes", 0);
    uint8_t bytes[RANDOM_MAX];
    enum cof_err err;

    if (cof_kms_arg(c, "CustomKeyStoreId").len > 0)
        return cof_kms_fail(c, "CustomKeyStoreNotFoundException", "There are no custom key stores here.");
    err = cof_kms_allowed(c, NULL, NULL);
    if (err == COF_OK && n == 0)
        err = cof_kms_fail(c, "ValidationException", "NumberOfBytes is required.");
    if (err == COF_OK)
        err = cof_rng_fill(cof_standin_rng(c->s), bytes, (size_t)n);
    if (err == COF_OK)
        err = cof_kms_add_secret(c, "Plaintext", cof_view_of(bytes, (size_t)n));
    cof_wipe(bytes, sizeof bytes);
    return err;
}

static const char *const data_specs[] = {"AES_256", "AES_128", NULL};
static const char *const pair_specs[] = {"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384",
    "ECC_NIST_P521", "ECC_SECG_P256K1", "SM2", "ECC_NIST_EDWARDS25519", NULL};

#define BYTES {.name = "NumberOfBytes", .type = COF_KMS_INT, .min = 1, .max = RANDOM_MAX}

static const struct cof_kms_member key_members[] = {COF_KMS_M_KEY_ID, COF_KMS_M_CONTEXT,
    {.name = "KeySpec", .type = COF_KMS_ENUM, .choices = data_specs}, BYTES, COF_KMS_M_TOKENS, COF_KMS_M_RECIPIENT,
    COF_KMS_M_DRY_RUN, {.name = NULL}};
static const struct cof_kms_member pair_members[] = {COF_KMS_M_KEY_ID, COF_KMS_M_CONTEXT,
    {.name = "KeyPairSpec", .type = COF_KMS_ENUM, .required = true, .choices = pair_specs}, COF_KMS_M_TOKENS,
    COF_KMS_M_RECIPIENT, COF_KMS_M_DRY_RUN, {.name = NULL}};
static const struct cof_kms_member random_members[] = {BYTES,
    {.name = "CustomKeyStoreId", .type = COF_KMS_TEXT, .min = 1, .max = 64}, COF_KMS_M_RECIPIENT, {.name = NULL}};

#define USE .need = COF_KMS_NEEDS_ENABLED, .alias_ok = true, .use = true, .foreign = true

const struct cof_kms_operation cof_kms_datakey_ops[] = {
    {.action = "kms:GenerateDataKey", .run = generate_data_key, .members = key_members, USE, .recipient = true},
    {.action = "kms:GenerateDataKeyWithoutPlaintext", .run = generate_data_key_without_plaintext, .members = key_members, USE},
    {.action = "kms:GenerateDataKeyPair", .run = generate_data_key_pair, .members = pair_members, USE, .recipient = true},
    {.action = "kms:GenerateDataKeyPairWithoutPlaintext", .run = generate_data_key_pair_without_plaintext,
        .members = pair_members, USE},
    {.action = "kms:GenerateRandom", .run = generate_random, .members = random_members, .foreign = true, .recipient = true},
    {.action = NULL}};
