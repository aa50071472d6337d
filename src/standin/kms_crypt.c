/* SPDX-License-Identifier: Apache-2.0
 *
 * Encrypt, Decrypt, ReEncrypt: under symmetric keys with an encryption context, under RSA keys without.
 */
#include "crypto/rsa.h"
#include "standin/kms_api.h"
#include "standin/kms_blob.h"

#include <string.h>

/* How one side's members are called: ReEncrypt has two. */
struct side {
    const char *key, *context, *algorithm;
};
static const struct side plain_side = {"KeyId", "EncryptionContext", "EncryptionAlgorithm"};
static const struct side source_side = {"SourceKeyId", "SourceEncryptionContext", "SourceEncryptionAlgorithm"};
static const struct side destination_side = {"DestinationKeyId", "DestinationEncryptionContext",
    "DestinationEncryptionAlgorithm"};

static struct cof_view algorithm_of(const struct cof_kms_call *c, const struct side *side)
{
    struct cof_view name = cof_kms_arg(c, side->algorithm);

    return name.len > 0 ? name : COF_LIT("SYMMETRIC_DEFAULT");
}

static enum cof_err check_context(struct cof_kms_call *c, const struct cof_kms_key *key, const struct side *side)
{
    if (key->spec->kind == COF_KMS_SYMMETRIC || cof_kms_arg_object(c, side->context) == NULL)
        return COF_OK;
    return cof_kms_fail(c, "ValidationException", "%s is not supported by asymmetric KMS keys.", side->context);
}

static enum cof_err seal(struct cof_kms_call *c, struct cof_kms_key *key, const struct side *side,
                         const struct cof_kms_algorithm *algorithm, struct cof_view plain, struct cof_buf *blob)
{
    enum cof_err err;

    if (key->spec->kind == COF_KMS_SYMMETRIC)
        return cof_kms_wrap(c->s, key, cof_kms_arg_object(c, side->context), plain, blob);
    err = cof_kms_key_unlock(c->s, key, 0);
    if (err == COF_OK)
        err = cof_rsa_encrypt(key->rsa, algorithm->padding, plain, blob);
    if (err == COF_E_USAGE)
        err = cof_kms_fail(c, "ValidationException", "Algorithm %s and key spec %s cannot encrypt data larger than %u bytes.",
                           algorithm->name, key->spec->name,
                           key->spec->size / 8 - (algorithm->padding == COF_RSA_OAEP_SHA1 ? 42 : 66));
    return err;
}

static enum cof_err encrypt(struct cof_kms_call *c)
{
    struct cof_view name = algorithm_of(c, &plain_side);
    const struct cof_context_value more = {COF_LIT("kms:EncryptionAlgorithm"), &name, 1};
    const struct cof_kms_algorithm *algorithm;
    struct cof_buf plain, blob;
    enum cof_err err = cof_kms_begin(c, false, &(struct cof_kms_ask){.more = &more, .n_more = 1,
        .context = cof_kms_arg_object(c, plain_side.context)});

    cof_buf_init_secret(&plain, COF_KMS_PLAIN_MAX);
    cof_buf_init(&blob, COF_KMS_BLOB_MAX);
    if (err == COF_OK)
        err = cof_kms_check_algorithm(c, c->key, name, COF_KMS_ENCRYPT_DECRYPT, &algorithm);
    if (err == COF_OK)
        err = check_context(c, c->key, &plain_side);
    if (err == COF_OK)
        err = cof_kms_arg_bytes(c, "Plaintext", &plain);
    if (err == COF_OK)
        err = cof_kms_check_dry_run(c);
    if (err == COF_OK)
        err = seal(c, c->key, &plain_side, algorithm, cof_buf_view(&plain), &blob);
    if (err == COF_OK) {
        cof_json_add_member_base64(&c->out, "CiphertextBlob", cof_buf_view(&blob));
        cof_json_add_member(&c->out, "KeyId", cof_view_str(c->key->arn));
        cof_json_add_member(&c->out, "EncryptionAlgorithm", name);
    }
    cof_buf_done(&plain);
    cof_buf_done(&blob);
    return err;
}

static bool ignores_ciphertext(const struct cof_kms_call *c)
{
    const json_t *modifiers = json_object_get(c->in, "DryRunModifiers");

    return cof_kms_arg_flag(c, "DryRun") && json_array_size(modifiers) > 0;
}

/* The key of a ciphertext: a symmetric blob names its own, and it must be the one the caller named, if any. */
static enum cof_err open_source(struct cof_kms_call *c, const struct side *side, struct cof_view blob)
{
    struct cof_view named = cof_kms_arg(c, side->key);
    bool symmetric = cof_view_eq(algorithm_of(c, side), COF_LIT("SYMMETRIC_DEFAULT"));
    struct cof_kms_blob parsed;
    struct cof_kms_key *mine;
    enum cof_err err = COF_OK;

    if (named.len > 0)
        err = cof_kms_find(c, named, false, &c->key, &c->alias);
    if (err != COF_OK || ignores_ciphertext(c))
        return err == COF_OK && c->key == NULL
                   ? cof_kms_fail(c, "ValidationException", "%s is required when the ciphertext is ignored.", side->key)
                   : err;
    if (!symmetric && c->key == NULL)
        return cof_kms_fail(c, "ValidationException", "%s is required for asymmetric KMS keys.", side->key);
    if (!symmetric)
        return COF_OK;
    if (cof_kms_blob_parse(blob, &parsed) != COF_OK) /* what names no key is for the caller's own to judge */
        return c->key != NULL && c->key->spec->kind != COF_KMS_SYMMETRIC ? COF_OK : cof_kms_fail(c, "InvalidCiphertextException", "%s", "");
    if (c->key != NULL)
        return cof_view_eq_str(parsed.key_id, c->key->id)
                   ? COF_OK
                   : cof_kms_fail(c, "IncorrectKeyException",
                                  "The key ID in the request does not identify a CMK that can perform this operation.");
    err = cof_kms_key_open(c->s, parsed.key_id, c->req->now_ms, &mine);
    if (err == COF_E_NOT_FOUND)
        return cof_kms_fail(c, "InvalidCiphertextException", "%s", "");
    c->key = mine;
    return err;
}

static enum cof_err unseal(struct cof_kms_call *c, const struct side *side, const struct cof_kms_algorithm *algorithm,
                           struct cof_view blob, struct cof_buf *plain, size_t *version)
{
    enum cof_err err;

    if (c->key->spec->kind == COF_KMS_SYMMETRIC) {
        err = cof_kms_unwrap(c->s, c->key, cof_kms_arg_object(c, side->context), blob, plain, version);
    } else {
        err = cof_kms_key_unlock(c->s, c->key, 0);
        if (err == COF_OK)
            err = cof_rsa_decrypt(c->key->rsa, algorithm->padding, blob, plain);
    }
    return err == COF_E_AUTH ? cof_kms_fail(c, "InvalidCiphertextException", "%s", "") : err;
}

/* Everything about a ciphertext up to its plaintext: c->key, permission, state, algorithm. With DryRun nothing is opened. */
static enum cof_err open_ciphertext(struct cof_kms_call *c, const struct side *side, const struct cof_kms_ask *ask,
                                    struct cof_buf *plain, size_t *version)
{
    const struct cof_kms_algorithm *algorithm;
    struct cof_kms_ask filled = *ask;
    struct cof_buf blob;
    enum cof_err err = COF_OK;

    *version = 0;
    cof_buf_init(&blob, COF_KMS_BLOB_MAX);
    if (cof_kms_arg(c, "CiphertextBlob").len == 0 && !ignores_ciphertext(c))
        err = cof_kms_fail(c, "ValidationException", "1 validation error detected: Value null at 'ciphertextBlob' failed to "
                           "satisfy constraint: Member must not be null");
    if (err == COF_OK)
        err = cof_kms_arg_bytes(c, "CiphertextBlob", &blob);
    if (err == COF_OK)
        err = open_source(c, side, cof_buf_view(&blob));
    filled.alias = c->alias;
    filled.context = cof_kms_arg_object(c, side->context);
    if (err == COF_OK)
        err = cof_kms_allowed(c, c->key, &filled);
    if (err == COF_OK)
        err = cof_kms_check_state(c, c->key, COF_KMS_NEEDS_ENABLED);
    if (err == COF_OK)
        err = cof_kms_check_algorithm(c, c->key, algorithm_of(c, side), COF_KMS_ENCRYPT_DECRYPT, &algorithm);
    if (err == COF_OK)
        err = check_context(c, c->key, side);
    if (err == COF_OK && !ignores_ciphertext(c))
        err = unseal(c, side, algorithm, cof_buf_view(&blob), plain, version);
    cof_buf_done(&blob);
    return err;
}

static enum cof_err decrypt(struct cof_kms_call *c)
{
    struct cof_view name = algorithm_of(c, &plain_side);
    const struct cof_context_value more = {COF_LIT("kms:EncryptionAlgorithm"), &name, 1};
    struct cof_buf plain;
    size_t version;
    enum cof_err err;

    cof_buf_init_secret(&plain, COF_KMS_BLOB_MAX);
    err = open_ciphertext(c, &plain_side, &(struct cof_kms_ask){.more = &more, .n_more = 1}, &plain, &version);
    if (err == COF_OK)
        err = cof_kms_check_dry_run(c);
    if (err == COF_OK) {
        cof_json_add_member(&c->out, "KeyId", cof_view_str(c->key->arn));
        cof_json_add_member(&c->out, "EncryptionAlgorithm", name);
        if (c->key->spec->kind == COF_KMS_SYMMETRIC)
            cof_json_add_member(&c->out, "KeyMaterialId", cof_view_str(cof_kms_version_id(c->key, version)));
        err = cof_kms_add_secret(c, "Plaintext", cof_buf_view(&plain));
    }
    cof_buf_done(&plain);
    return err;
}

static enum cof_err seal_again(struct cof_kms_call *c, struct cof_kms_key *to, struct cof_view plain, size_t version)
{
    struct cof_view name = algorithm_of(c, &destination_side);
    const struct cof_kms_algorithm *algorithm;
    struct cof_buf blob;
    enum cof_err err = cof_kms_check_algorithm(c, to, name, COF_KMS_ENCRYPT_DECRYPT, &algorithm);

    cof_buf_init(&blob, COF_KMS_BLOB_MAX);
    if (err == COF_OK)
        err = check_context(c, to, &destination_side);
    if (err == COF_OK)
        err = cof_kms_check_dry_run(c);
    if (err == COF_OK)
        err = seal(c, to, &destination_side, algorithm, plain, &blob);
    if (err == COF_OK) {
        cof_json_add_member_base64(&c->out, "CiphertextBlob", cof_buf_view(&blob));
        cof_json_add_member(&c->out, "SourceKeyId", cof_view_str(c->key->arn));
        cof_json_add_member(&c->out, "KeyId", cof_view_str(to->arn));
        cof_json_add_member(&c->out, "SourceEncryptionAlgorithm", algorithm_of(c, &source_side));
        cof_json_add_member(&c->out, "DestinationEncryptionAlgorithm", name);
        if (c->key->spec->kind == COF_KMS_SYMMETRIC)
            cof_json_add_member(&c->out, "SourceKeyMaterialId", cof_view_str(cof_kms_version_id(c->key, version)));
        if (to->spec->kind == COF_KMS_SYMMETRIC)
            cof_json_add_member(&c->out, "DestinationKeyMaterialId", cof_view_str(cof_kms_version_id(to, to->n_versions - 1)));
    }
    cof_buf_done(&blob);
    return err;
}

/* Whether the ciphertext comes from that key: a blob says so itself, else the caller named its key. */
static bool is_of_key(struct cof_kms_call *c, struct cof_view bytes, const struct cof_kms_key *key)
{
    struct cof_kms_key *source;
    struct cof_kms_blob blob;
    bool same;

    if (key->spec->kind == COF_KMS_SYMMETRIC)
        return cof_kms_blob_parse(bytes, &blob) == COF_OK && cof_view_eq_str(blob.key_id, key->id);
    if (cof_kms_key_open(c->s, cof_kms_arg(c, source_side.key), c->req->now_ms, &source) != COF_OK)
        return false;
    same = strcmp(source->id, key->id) == 0;
    cof_kms_key_close(source);
    return same;
}

/* kms:ReEncryptOnSameKey is asked of both sides, so the destination is looked up before the source is asked about. */
static enum cof_err reencrypt(struct cof_kms_call *c)
{
    struct cof_view from_name = algorithm_of(c, &source_side), to_name = algorithm_of(c, &destination_side), same, alias;
    struct cof_context_value from_more[] = {{COF_LIT("kms:EncryptionAlgorithm"), &from_name, 1},
        {COF_LIT("kms:ReEncryptOnSameKey"), &same, 1}};
    struct cof_context_value to_more[] = {{COF_LIT("kms:EncryptionAlgorithm"), &to_name, 1},
        {COF_LIT("kms:ReEncryptOnSameKey"), &same, 1}};
    struct cof_kms_key *to = NULL;
    struct cof_buf plain, blob;
    size_t version;
    enum cof_err err = cof_kms_find(c, cof_kms_arg(c, destination_side.key), false, &to, &alias);

    cof_buf_init_secret(&plain, COF_KMS_BLOB_MAX);
    cof_buf_init(&blob, COF_KMS_BLOB_MAX);
    if (err == COF_OK)
        err = cof_kms_arg_bytes(c, "CiphertextBlob", &blob);
    same = COF_LIT("false");
    if (err == COF_OK && is_of_key(c, cof_buf_view(&blob), to))
        same = COF_LIT("true");
    if (err == COF_OK)
        err = open_ciphertext(c, &source_side, &(struct cof_kms_ask){.action = "kms:ReEncryptFrom", .more = from_more,
            .n_more = 2}, &plain, &version);
    if (err == COF_OK)
        err = cof_kms_allowed(c, to, &(struct cof_kms_ask){.action = "kms:ReEncryptTo", .alias = alias, .more = to_more,
            .n_more = 2, .context = cof_kms_arg_object(c, destination_side.context)});
    if (err == COF_OK)
        err = cof_kms_check_state(c, to, COF_KMS_NEEDS_ENABLED);
    if (err == COF_OK && plain.len > COF_KMS_PLAIN_MAX)
        err = cof_kms_fail(c, "ValidationException", "The plaintext is larger than %d bytes.", COF_KMS_PLAIN_MAX);
    if (err == COF_OK)
        err = seal_again(c, to, cof_buf_view(&plain), version);
    cof_kms_key_close(to);
    cof_buf_done(&plain);
    cof_buf_done(&blob);
    return err;
}

static const char *const algorithms[] = {"SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE", NULL};
static const char *const modifiers[] = {"IGNORE_CIPHERTEXT", NULL};

#define ALGORITHM(n) {.name = n, .type = COF_KMS_ENUM, .choices = algorithms}
#define KEY(n, must) {.name = n, .type = COF_KMS_TEXT, .required = must, .min = 1, .max = 2048}
#define BLOB {.name = "CiphertextBlob", .type = COF_KMS_BYTES, .min = 1, .max = COF_KMS_BLOB_MAX}
#define MODIFIERS {.name = "DryRunModifiers", .type = COF_KMS_ENUMS, .max = 1, .choices = modifiers}

static const struct cof_kms_member encrypt_members[] = {COF_KMS_M_KEY_ID,
    {.name = "Plaintext", .type = COF_KMS_BYTES, .required = true, .min = 1, .max = COF_KMS_PLAIN_MAX}, COF_KMS_M_CONTEXT,
    COF_KMS_M_TOKENS, ALGORITHM("EncryptionAlgorithm"), COF_KMS_M_DRY_RUN, {.name = NULL}};
static const struct cof_kms_member decrypt_members[] = {BLOB, COF_KMS_M_CONTEXT, COF_KMS_M_TOKENS, KEY("KeyId", false),
    ALGORITHM("EncryptionAlgorithm"), COF_KMS_M_RECIPIENT, COF_KMS_M_DRY_RUN, MODIFIERS, {.name = NULL}};
static const struct cof_kms_member reencrypt_members[] = {BLOB, {.name = "SourceEncryptionContext", .type = COF_KMS_MAP},
    KEY("SourceKeyId", false), KEY("DestinationKeyId", true), {.name = "DestinationEncryptionContext", .type = COF_KMS_MAP},
    ALGORITHM("SourceEncryptionAlgorithm"), ALGORITHM("DestinationEncryptionAlgorithm"), COF_KMS_M_TOKENS, COF_KMS_M_DRY_RUN,
    MODIFIERS, {.name = NULL}};

const struct cof_kms_operation cof_kms_crypt_ops[] = {
    {.action = "kms:Decrypt", .run = decrypt, .members = decrypt_members, .alias_ok = true, .recipient = true, .use = true, .foreign = true},
    {.action = "kms:Encrypt", .run = encrypt, .members = encrypt_members, .need = COF_KMS_NEEDS_ENABLED, .alias_ok = true,
        .use = true, .foreign = true},
    {.action = "kms:ReEncrypt", .run = reencrypt, .members = reencrypt_members, .alias_ok = true, .use = true, .foreign = true},
    {.action = NULL}};
