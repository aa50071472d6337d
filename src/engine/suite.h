/* SPDX-License-Identifier: Apache-2.0
 *
 * The algorithm suites of the AWS Encryption SDK ("Supported algorithm suites in the AWS Encryption SDK") as one table, and
 * the commitment policies that say which of them may be written and read.
 */
#ifndef COF_ENGINE_SUITE_H
#define COF_ENGINE_SUITE_H

#include "crypto/ecdsa.h"

enum cof_suite_kdf {
    COF_KDF_NONE,   /* the data key seals the frames itself */
    COF_KDF_HKDF,   /* no salt; info = suite id, message id */
    COF_KDF_COMMIT, /* salt = message id; a content key and a commitment to the data key */
};

struct cof_suite {
    uint16_t id;
    uint8_t version; /* message format */
    uint8_t key_len; /* bytes: data key and content key, which chooses among AES-128, -192 and -256 */
    enum cof_suite_kdf kdf;
    enum cof_hash_alg kdf_hash;
    bool is_signed; /* ECDSA over the whole message, at its end */
    enum cof_curve curve;
    enum cof_hash_alg sign_hash;
    const char *name; /* as the service's documents print it */
};

/* NULL when there is none with that id. */
const struct cof_suite *cof_suite_find(uint16_t id);
/* All eleven, by id. */
const struct cof_suite *cof_suites(size_t *n);

/* The strictest is zero, so that it is the default wherever nothing was said. */
enum cof_commitment_policy {
    COF_REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
    COF_REQUIRE_ENCRYPT_ALLOW_DECRYPT, /* reads suites without commitment too */
    COF_FORBID_ENCRYPT_ALLOW_DECRYPT,  /* writes only suites without commitment: for readers that know no other */
};

/* "require-encrypt-require-decrypt" and so on; also with underscores and in capitals. COF_E_USAGE for anything else. */
COF_MUST_USE enum cof_err cof_commitment_policy_parse(struct cof_view text, enum cof_commitment_policy *out);
const char *cof_commitment_policy_name(enum cof_commitment_policy policy);
bool cof_suite_may_encrypt(const struct cof_suite *suite, enum cof_commitment_policy policy);
bool cof_suite_may_decrypt(const struct cof_suite *suite, enum cof_commitment_policy policy);

#endif
