/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/suite.h"

#include <string.h>

#define UNSIGNED false, COF_P384, COF_SHA384 /* curve and digest then mean nothing */

static const struct cof_suite suites[] = {
    {0x0014, 1, 16, COF_KDF_NONE, COF_SHA256, UNSIGNED, "ALG_AES_128_GCM_IV12_TAG16_NO_KDF"},
    {0x0046, 1, 24, COF_KDF_NONE, COF_SHA256, UNSIGNED, "ALG_AES_192_GCM_IV12_TAG16_NO_KDF"},
    {0x0078, 1, 32, COF_KDF_NONE, COF_SHA256, UNSIGNED, "ALG_AES_256_GCM_IV12_TAG16_NO_KDF"},
    {0x0114, 1, 16, COF_KDF_HKDF, COF_SHA256, UNSIGNED, "ALG_AES_128_GCM_IV12_TAG16_HKDF_SHA256"},
    {0x0146, 1, 24, COF_KDF_HKDF, COF_SHA256, UNSIGNED, "ALG_AES_192_GCM_IV12_TAG16_HKDF_SHA256"},
    {0x0178, 1, 32, COF_KDF_HKDF, COF_SHA256, UNSIGNED, "ALG_AES_256_GCM_IV12_TAG16_HKDF_SHA256"},
    {0x0214, 1, 16, COF_KDF_HKDF, COF_SHA256, true, COF_P256, COF_SHA256,
     "ALG_AES_128_GCM_IV12_TAG16_HKDF_SHA256_ECDSA_P256"},
    {0x0346, 1, 24, COF_KDF_HKDF, COF_SHA384, true, COF_P384, COF_SHA384,
     "ALG_AES_192_GCM_IV12_TAG16_HKDF_SHA384_ECDSA_P384"},
    {0x0378, 1, 32, COF_KDF_HKDF, COF_SHA384, true, COF_P384, COF_SHA384,
     "ALG_AES_256_GCM_IV12_TAG16_HKDF_SHA384_ECDSA_P384"},
    {0x0478, 2, 32, COF_KDF_COMMIT, COF_SHA512, UNSIGNED, "ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY"},
    {0x0578, 2, 32, COF_KDF_COMMIT, COF_SHA512, true, COF_P384, COF_SHA384,
     "ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384"},
};

static const char *const policies[] = {
    [COF_REQUIRE_ENCRYPT_REQUIRE_DECRYPT] = "require-encrypt-require-decrypt",
    [COF_REQUIRE_ENCRYPT_ALLOW_DECRYPT] = "require-encrypt-allow-decrypt",
    [COF_FORBID_ENCRYPT_ALLOW_DECRYPT] = "forbid-encrypt-allow-decrypt",
};
#define N_POLICIES (sizeof policies / sizeof policies[0])

const struct cof_suite *cof_suites(size_t *n)
{
    *n = sizeof suites / sizeof suites[0];
    return suites;
}

const struct cof_suite *cof_suite_find(uint16_t id)
{
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
        if (suites[i].id == id)
            return &suites[i];
    return NULL;
}

static bool same_policy(struct cof_view text, const char *name)
{
    struct cof_view want = cof_view_str(name);
    uint8_t copy[48];

    if (text.len != want.len || text.len > sizeof copy)
        return false;
    for (size_t i = 0; i < text.len; i++)
        copy[i] = text.data[i] == '_' ? '-' : text.data[i];
    return cof_view_eq_nocase(cof_view_of(copy, text.len), want);
}

enum cof_err cof_commitment_policy_parse(struct cof_view text, enum cof_commitment_policy *out)
{
    *out = COF_REQUIRE_ENCRYPT_REQUIRE_DECRYPT;
    for (size_t i = 0; i < N_POLICIES; i++)
        if (same_policy(text, policies[i])) {
            *out = (enum cof_commitment_policy)i;
            return COF_OK;
        }
    return COF_E_USAGE;
}

const char *cof_commitment_policy_name(enum cof_commitment_policy policy)
{
    return (size_t)policy < N_POLICIES ? policies[policy] : "unknown";
}

bool cof_suite_may_encrypt(const struct cof_suite *suite, enum cof_commitment_policy policy)
{
    return (suite->kdf == COF_KDF_COMMIT) == (policy != COF_FORBID_ENCRYPT_ALLOW_DECRYPT);
}

bool cof_suite_may_decrypt(const struct cof_suite *suite, enum cof_commitment_policy policy)
{
    return suite->kdf == COF_KDF_COMMIT || policy == COF_REQUIRE_ENCRYPT_ALLOW_DECRYPT ||
           policy == COF_FORBID_ENCRYPT_ALLOW_DECRYPT;
}
