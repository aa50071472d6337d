/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_spec.h"

#include "format/json.h"

#define ENCRYPTS (1u << COF_KMS_ENCRYPT_DECRYPT)
#define SIGNS (1u << COF_KMS_SIGN_VERIFY)
#define MACS (1u << COF_KMS_GENERATE_VERIFY_MAC)
#define AGREES (1u << COF_KMS_KEY_AGREEMENT)

static const struct cof_kms_spec specs[] = {
    {.name = "SYMMETRIC_DEFAULT", .kind = COF_KMS_SYMMETRIC, .usages = ENCRYPTS, .size = 32},
    {.name = "RSA_2048", .kind = COF_KMS_RSA, .usages = ENCRYPTS | SIGNS, .size = 2048},
    {.name = "RSA_3072", .kind = COF_KMS_RSA, .usages = ENCRYPTS | SIGNS, .size = 3072},
    {.name = "RSA_4096", .kind = COF_KMS_RSA, .usages = ENCRYPTS | SIGNS, .size = 4096},
    {.name = "ECC_NIST_P256", .kind = COF_KMS_ECC, .usages = SIGNS | AGREES, .curve = COF_P256, .hash = COF_SHA256},
    {.name = "ECC_NIST_P384", .kind = COF_KMS_ECC, .usages = SIGNS | AGREES, .curve = COF_P384, .hash = COF_SHA384},
    {.name = "ECC_NIST_P521", .kind = COF_KMS_ECC, .usages = SIGNS | AGREES, .curve = COF_P521, .hash = COF_SHA512},
    {.name = "ECC_SECG_P256K1", .kind = COF_KMS_ECC, .usages = SIGNS, .curve = COF_SECP256K1, .hash = COF_SHA256},
    {.name = "HMAC_224", .kind = COF_KMS_HMAC, .usages = MACS, .size = 28, .hash = COF_SHA224},
    {.name = "HMAC_256", .kind = COF_KMS_HMAC, .usages = MACS, .size = 32, .hash = COF_SHA256},
    {.name = "HMAC_384", .kind = COF_KMS_HMAC, .usages = MACS, .size = 48, .hash = COF_SHA384},
    {.name = "HMAC_512", .kind = COF_KMS_HMAC, .usages = MACS, .size = 64, .hash = COF_SHA512},
};

#define RSA_SIGN(n, h, s) \
    {.name = n, .usage = COF_KMS_SIGN_VERIFY, .kind = COF_KMS_RSA, .hash = h, .scheme = s}

/* In the order in which KeyMetadata lists them. */
static const struct cof_kms_algorithm algorithms[] = {
    {.name = "SYMMETRIC_DEFAULT", .usage = COF_KMS_ENCRYPT_DECRYPT, .kind = COF_KMS_SYMMETRIC},
    {.name = "RSAES_OAEP_SHA_1", .usage = COF_KMS_ENCRYPT_DECRYPT, .kind = COF_KMS_RSA, .padding = COF_RSA_OAEP_SHA1},
    {.name = "RSAES_OAEP_SHA_256", .usage = COF_KMS_ENCRYPT_DECRYPT, .kind = COF_KMS_RSA, .padding = COF_RSA_OAEP_SHA256},
    RSA_SIGN("RSASSA_PKCS1_V1_5_SHA_256", COF_SHA256, COF_RSA_RS256),
    RSA_SIGN("RSASSA_PKCS1_V1_5_SHA_384", COF_SHA384, COF_RSA_RS384),
    RSA_SIGN("RSASSA_PKCS1_V1_5_SHA_512", COF_SHA512, COF_RSA_RS512),
    RSA_SIGN("RSASSA_PSS_SHA_256", COF_SHA256, COF_RSA_PS256),
    RSA_SIGN("RSASSA_PSS_SHA_384", COF_SHA384, COF_RSA_PS384),
    RSA_SIGN("RSASSA_PSS_SHA_512", COF_SHA512, COF_RSA_PS512),
    {.name = "ECDSA_SHA_256", .usage = COF_KMS_SIGN_VERIFY, .kind = COF_KMS_ECC, .hash = COF_SHA256},
    {.name = "ECDSA_SHA_384", .usage = COF_KMS_SIGN_VERIFY, .kind = COF_KMS_ECC, .hash = COF_SHA384},
    {.name = "ECDSA_SHA_512", .usage = COF_KMS_SIGN_VERIFY, .kind = COF_KMS_ECC, .hash = COF_SHA512},
    {.name = "HMAC_SHA_224", .usage = COF_KMS_GENERATE_VERIFY_MAC, .kind = COF_KMS_HMAC, .hash = COF_SHA224},
    {.name = "HMAC_SHA_256", .usage = COF_KMS_GENERATE_VERIFY_MAC, .kind = COF_KMS_HMAC, .hash = COF_SHA256},
    {.name = "HMAC_SHA_384", .usage = COF_KMS_GENERATE_VERIFY_MAC, .kind = COF_KMS_HMAC, .hash = COF_SHA384},
    {.name = "HMAC_SHA_512", .usage = COF_KMS_GENERATE_VERIFY_MAC, .kind = COF_KMS_HMAC, .hash = COF_SHA512},
    {.name = "ECDH", .usage = COF_KMS_KEY_AGREEMENT, .kind = COF_KMS_ECC},
};

static const char *const usage_names[COF_KMS_USAGES] = {"ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC",
    "KEY_AGREEMENT"};
static const char *const list_names[COF_KMS_USAGES] = {"EncryptionAlgorithms", "SigningAlgorithms", "MacAlgorithms",
    "KeyAgreementAlgorithms"};

const struct cof_kms_spec *cof_kms_spec_named(struct cof_view name)
{
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++)
        if (cof_view_eq_str(name, specs[i].name))
            return &specs[i];
    return NULL;
}

const struct cof_kms_algorithm *cof_kms_algorithm_named(struct cof_view name)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++)
        if (cof_view_eq_str(name, algorithms[i].name))
            return &algorithms[i];
    return NULL;
}

bool cof_kms_algorithm_fits(const struct cof_kms_algorithm *algorithm, const struct cof_kms_spec *spec)
{
    bool one_hash = algorithm->usage != COF_KMS_KEY_AGREEMENT &&
                    (spec->kind == COF_KMS_ECC || spec->kind == COF_KMS_HMAC);

    return algorithm->kind == spec->kind && (spec->usages >> algorithm->usage & 1) != 0 &&
           (!one_hash || algorithm->hash == spec->hash);
}

const char *cof_kms_usage_name(enum cof_kms_usage usage)
{
    return usage_names[usage];
}

bool cof_kms_usage_named(struct cof_view name, enum cof_kms_usage *out)
{
    for (size_t i = 0; i < COF_KMS_USAGES; i++)
        if (cof_view_eq_str(name, usage_names[i])) {
            *out = (enum cof_kms_usage)i;
            return true;
        }
    return false;
}

void cof_kms_add_algorithms(struct cof_buf *json, const struct cof_kms_spec *spec, enum cof_kms_usage usage)
{
    bool first = true;

    cof_json_add_name(json, list_names[usage]);
    cof_buf_add_str(json, "[");
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (algorithms[i].usage != usage || !cof_kms_algorithm_fits(&algorithms[i], spec))
            continue;
        if (!first)
            cof_buf_add_str(json, ",");
        cof_json_add_text(json, cof_view_str(algorithms[i].name));
        first = false;
    }
    cof_buf_add_str(json, "]");
}
