/* SPDX-License-Identifier: Apache-2.0
 *
 * Asymmetric and HMAC keys: Sign, Verify, GetPublicKey, GenerateMac, VerifyMac, DeriveSharedSecret.
 */
#include "standin/kms_api.h"
#include "standin/kms_blob.h"

/* The signed digest: of the message, or the message itself. */
static enum cof_err read_digest(struct cof_kms_call *c, const struct cof_kms_algorithm *algorithm, struct cof_buf *digest)
{
    bool is_digest = cof_view_eq(cof_kms_arg(c, "MessageType"), COF_LIT("DIGEST"));
    size_t size = cof_hash_size(algorithm->hash);
    struct cof_buf message;
    uint8_t *at;
    enum cof_err err;

    if (cof_view_eq(cof_kms_arg(c, "MessageType"), COF_LIT("EXTERNAL_MU")))
        return cof_kms_fail(c, "ValidationException", "Message type EXTERNAL_MU and algorithm %s are incompatible.", algorithm->name);
    cof_buf_init(&message, COF_KMS_PLAIN_MAX);
    err = cof_kms_arg_bytes(c, "Message", &message);
    if (err == COF_OK && is_digest && message.len != size)
        err = cof_kms_fail(c, "ValidationException", "Digest is invalid length for algorithm %s.", algorithm->name);
    if (err == COF_OK && is_digest)
        cof_buf_add(digest, cof_buf_view(&message));
    if (err == COF_OK && !is_digest) {
        at = cof_buf_extend(digest, size);
        err = at == NULL ? cof_buf_err(digest) : cof_hash_once(algorithm->hash, cof_buf_view(&message), at);
    }
    cof_buf_done(&message);
    return err;
}

/* Both directions up to the point where the key is used. */
static enum cof_err begin_signature(struct cof_kms_call *c, const struct cof_kms_algorithm **algorithm,
                                    struct cof_buf *digest)
{
    struct cof_view name = cof_kms_arg(c, "SigningAlgorithm"), type = cof_kms_arg(c, "MessageType");
    struct cof_context_value more[2] = {{COF_LIT("kms:SigningAlgorithm"), &name, 1}, {COF_LIT("kms:MessageType"), &type, 1}};
    enum cof_err err;

    if (type.len == 0)
        type = COF_LIT("RAW");
    err = cof_kms_begin(c, false, &(struct cof_kms_ask){.more = more, .n_more = 2});
    if (err == COF_OK)
        err = cof_kms_check_algorithm(c, c->key, name, COF_KMS_SIGN_VERIFY, algorithm);
    if (err == COF_OK)
        err = read_digest(c, *algorithm, digest);
    if (err == COF_OK)
        err = cof_kms_check_dry_run(c);
    return err == COF_OK ? cof_kms_key_unlock(c->s, c->key, 0) : err;
}

static void add_end(struct cof_kms_call *c, const char *member, const struct cof_kms_algorithm *algorithm)
{
    cof_json_add_member(&c->out, "KeyId", cof_view_str(c->key->arn));
    cof_json_add_member(&c->out, member, cof_view_str(algorithm->name));
}

static enum cof_err sign(struct cof_kms_call *c)
{
    const struct cof_kms_algorithm *algorithm;
    struct cof_buf digest, signature;
    enum cof_err err;

    cof_buf_init(&digest, COF_KMS_PLAIN_MAX);
    cof_buf_init(&signature, COF_RSA_SIZE_MAX);
    err = begin_signature(c, &algorithm, &digest);
    if (err == COF_OK)
        err = c->key->rsa != NULL
                  ? cof_rsa_sign_digest(c->key->rsa, algorithm->scheme, cof_buf_view(&digest), &signature)
                  : cof_ecdsa_sign_digest(c->key->ecc, cof_buf_view(&digest), COF_ECDSA_DER, &signature);
    if (err == COF_OK) {
        cof_json_add_member_base64(&c->out, "Signature", cof_buf_view(&signature));
        add_end(c, "SigningAlgorithm", algorithm);
    }
    cof_buf_done(&digest);
    cof_buf_done(&signature);
    return err;
}

static enum cof_err verify(struct cof_kms_call *c)
{
    const struct cof_kms_algorithm *algorithm;
    struct cof_buf digest, signature;
    enum cof_err err;

    cof_buf_init(&digest, COF_KMS_PLAIN_MAX);
    cof_buf_init(&signature, COF_KMS_BLOB_MAX);
    err = begin_signature(c, &algorithm, &digest);
    if (err == COF_OK)
        err = cof_kms_arg_bytes(c, "Signature", &signature);
    if (err == COF_OK) {
        err = c->key->rsa != NULL
                  ? cof_rsa_verify_digest(c->key->rsa, algorithm->scheme, cof_buf_view(&digest), cof_buf_view(&signature))
                  : cof_ecdsa_verify_digest(c->key->ecc, cof_buf_view(&digest), COF_ECDSA_DER, cof_buf_view(&signature));
        if (err == COF_E_AUTH)
            err = cof_kms_fail(c, "KMSInvalidSignatureException", "%s", "");
    }
    if (err == COF_OK) {
        cof_kms_add_bool(&c->out, "SignatureValid", true);
        add_end(c, "SigningAlgorithm", algorithm);
    }
    cof_buf_done(&digest);
    cof_buf_done(&signature);
    return err;
}

static enum cof_err get_public_key(struct cof_kms_call *c)
{
    enum cof_err err = cof_kms_begin(c, false, NULL);
    struct cof_buf spki;

    if (err != COF_OK)
        return err;
    if (c->key->spec->kind != COF_KMS_RSA && c->key->spec->kind != COF_KMS_ECC)
        return cof_kms_fail(c, "UnsupportedOperationException", "%s", "");
    cof_buf_init(&spki, 1024);
    err = cof_kms_key_unlock(c->s, c->key, 0);
    if (err == COF_OK)
        err = c->key->rsa != NULL ? cof_rsa_spki(c->key->rsa, &spki) : cof_ecdsa_spki(c->key->ecc, &spki);
    cof_json_add_member(&c->out, "KeyId", cof_view_str(c->key->arn));
    cof_json_add_member_base64(&c->out, "PublicKey", cof_buf_view(&spki));
    cof_json_add_member(&c->out, "CustomerMasterKeySpec", cof_view_str(c->key->spec->name));
    cof_json_add_member(&c->out, "KeySpec", cof_view_str(c->key->spec->name));
    cof_json_add_member(&c->out, "KeyUsage", cof_view_str(cof_kms_usage_name(c->key->usage)));
    cof_kms_add_algorithms(&c->out, c->key->spec, c->key->usage);
    cof_buf_done(&spki);
    return err;
}

static enum cof_err make_mac(struct cof_kms_call *c, const struct cof_kms_algorithm **algorithm, uint8_t mac[static COF_HASH_MAX])
{
    struct cof_view name = cof_kms_arg(c, "MacAlgorithm"), part;
    struct cof_context_value more = {COF_LIT("kms:MacAlgorithm"), &name, 1};
    struct cof_buf message;
    enum cof_err err = cof_kms_begin(c, false, &(struct cof_kms_ask){.more = &more, .n_more = 1});

    cof_buf_init_secret(&message, COF_KMS_PLAIN_MAX);
    if (err == COF_OK)
        err = cof_kms_check_algorithm(c, c->key, name, COF_KMS_GENERATE_VERIFY_MAC, algorithm);
    if (err == COF_OK)
        err = cof_kms_arg_bytes(c, "Message", &message);
    if (err == COF_OK)
        err = cof_kms_check_dry_run(c);
    if (err == COF_OK)
        err = cof_kms_key_unlock(c->s, c->key, 0);
    part = cof_buf_view(&message);
    if (err == COF_OK)
        err = cof_hmac((*algorithm)->hash, cof_secret_view(&c->key->hmac), &part, 1, mac);
    cof_buf_done(&message);
    return err;
}

static enum cof_err generate_mac(struct cof_kms_call *c)
{
    const struct cof_kms_algorithm *algorithm;
    uint8_t mac[COF_HASH_MAX];
    enum cof_err err = make_mac(c, &algorithm, mac);

    if (err == COF_OK) {
        cof_json_add_member_base64(&c->out, "Mac", cof_view_of(mac, cof_hash_size(algorithm->hash)));
        add_end(c, "MacAlgorithm", algorithm);
    }
    return err;
}

static enum cof_err verify_mac(struct cof_kms_call *c)
{
    const struct cof_kms_algorithm *algorithm;
    uint8_t mac[COF_HASH_MAX];
    struct cof_buf given;
    enum cof_err err = make_mac(c, &algorithm, mac);

    cof_buf_init(&given, COF_KMS_BLOB_MAX);
    if (err == COF_OK)
        err = cof_kms_arg_bytes(c, "Mac", &given);
    if (err == COF_OK && !cof_equal_ct(cof_buf_view(&given), cof_view_of(mac, cof_hash_size(algorithm->hash))))
        err = cof_kms_fail(c, "KMSInvalidMacException", "%s", "");
    if (err == COF_OK) {
        cof_kms_add_bool(&c->out, "MacValid", true);
        add_end(c, "MacAlgorithm", algorithm);
    }
    cof_wipe(mac, sizeof mac);
    cof_buf_done(&given);
    return err;
}

static enum cof_err derive_shared_secret(struct cof_kms_call *c)
{
    struct cof_view name = cof_kms_arg(c, "KeyAgreementAlgorithm");
    struct cof_context_value more = {COF_LIT("kms:KeyAgreementAlgorithm"), &name, 1};
    const struct cof_kms_algorithm *algorithm;
    struct cof_ecdsa_key *peer = NULL;
    struct cof_buf spki, secret;
    enum cof_err err = cof_kms_begin(c, false, &(struct cof_kms_ask){.more = &more, .n_more = 1});

    cof_buf_init(&spki, 8192);
    cof_buf_init_secret(&secret, 256);
    if (err == COF_OK)
        err = cof_kms_check_algorithm(c, c->key, name, COF_KMS_KEY_AGREEMENT, &algorithm);
    if (err == COF_OK)
        err = cof_kms_arg_bytes(c, "PublicKey", &spki);
    if (err == COF_OK && (cof_ecdsa_from_spki(cof_buf_view(&spki), &peer) != COF_OK || cof_ecdsa_curve(peer) != c->key->spec->curve))
        err = cof_kms_fail(c, "ValidationException", "%s", ""); /* spec: without a word */
    if (err == COF_OK)
        err = cof_kms_check_dry_run(c);
    if (err == COF_OK)
        err = cof_kms_key_unlock(c->s, c->key, 0);
    if (err == COF_OK)
        err = cof_ecdsa_agree(c->key->ecc, peer, &secret);
    if (err == COF_OK) {
        add_end(c, "KeyAgreementAlgorithm", algorithm);
        cof_json_add_member(&c->out, "KeyOrigin", COF_LIT("AWS_KMS"));
        err = cof_kms_add_secret(c, "SharedSecret", cof_buf_view(&secret));
    }
    cof_ecdsa_free(peer);
    cof_buf_done(&spki);
    cof_buf_done(&secret);
    return err;
}

static const char *const signing[] = {"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
    "RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512", "ECDSA_SHA_256", "ECDSA_SHA_384",
    "ECDSA_SHA_512", "SM2DSA", "ML_DSA_SHAKE_256", "ED25519_SHA_512", "ED25519_PH_SHA_512", NULL};
static const char *const types[] = {"RAW", "DIGEST", "EXTERNAL_MU", NULL};
static const char *const macs[] = {"HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512", NULL};
static const char *const agreements[] = {"ECDH", NULL};

#define MESSAGE {.name = "Message", .type = COF_KMS_BYTES, .required = true, .min = 1, .max = COF_KMS_PLAIN_MAX}
#define BYTES(n, most) {.name = n, .type = COF_KMS_BYTES, .required = true, .min = 1, .max = most}
#define CHOICE(n, list, must) {.name = n, .type = COF_KMS_ENUM, .required = must, .choices = list}

static const struct cof_kms_member sign_members[] = {COF_KMS_M_KEY_ID, MESSAGE, CHOICE("MessageType", types, false),
    COF_KMS_M_TOKENS, CHOICE("SigningAlgorithm", signing, true), COF_KMS_M_DRY_RUN, {.name = NULL}};
static const struct cof_kms_member verify_members[] = {COF_KMS_M_KEY_ID, MESSAGE, CHOICE("MessageType", types, false),
    BYTES("Signature", COF_KMS_BLOB_MAX), CHOICE("SigningAlgorithm", signing, true), COF_KMS_M_TOKENS, COF_KMS_M_DRY_RUN,
    {.name = NULL}};
static const struct cof_kms_member public_members[] = {COF_KMS_M_KEY_ID, COF_KMS_M_TOKENS, {.name = NULL}};
static const struct cof_kms_member mac_members[] = {MESSAGE, COF_KMS_M_KEY_ID, CHOICE("MacAlgorithm", macs, true),
    COF_KMS_M_TOKENS, COF_KMS_M_DRY_RUN, {.name = NULL}};
static const struct cof_kms_member verify_mac_members[] = {MESSAGE, COF_KMS_M_KEY_ID, CHOICE("MacAlgorithm", macs, true),
    BYTES("Mac", COF_KMS_BLOB_MAX), COF_KMS_M_TOKENS, COF_KMS_M_DRY_RUN, {.name = NULL}};
static const struct cof_kms_member derive_members[] = {COF_KMS_M_KEY_ID, CHOICE("KeyAgreementAlgorithm", agreements, true),
    BYTES("PublicKey", 8192), COF_KMS_M_TOKENS, COF_KMS_M_DRY_RUN, COF_KMS_M_RECIPIENT, {.name = NULL}};

#define USE .need = COF_KMS_NEEDS_ENABLED, .alias_ok = true, .use = true, .foreign = true

const struct cof_kms_operation cof_kms_sign_ops[] = {
    {.action = "kms:Sign", .run = sign, .members = sign_members, USE},
    {.action = "kms:Verify", .run = verify, .members = verify_members, USE},
    {.action = "kms:GetPublicKey", .run = get_public_key, .members = public_members, USE, .arn_error = true},
    {.action = "kms:GenerateMac", .run = generate_mac, .members = mac_members, USE},
    {.action = "kms:VerifyMac", .run = verify_mac, .members = verify_mac_members, USE},
    {.action = "kms:DeriveSharedSecret", .run = derive_shared_secret, .members = derive_members, USE, .recipient = true},
    {.action = NULL}};
