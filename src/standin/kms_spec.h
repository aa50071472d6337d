/* SPDX-License-Identifier: Apache-2.0
 *
 * What kinds of KMS keys there are, what each may be used for and with which algorithms ("Key spec reference", KMS
 * Developer Guide). Data only.
 */
#ifndef COF_STANDIN_KMS_SPEC_H
#define COF_STANDIN_KMS_SPEC_H

#include "crypto/ecdsa.h"
#include "crypto/rsa.h"

enum cof_kms_kind { COF_KMS_SYMMETRIC, COF_KMS_RSA, COF_KMS_ECC, COF_KMS_HMAC };
enum cof_kms_usage {
    COF_KMS_ENCRYPT_DECRYPT,
    COF_KMS_SIGN_VERIFY,
    COF_KMS_GENERATE_VERIFY_MAC,
    COF_KMS_KEY_AGREEMENT,
};
#define COF_KMS_USAGES 4

struct cof_kms_spec {
    const char *name; /* "RSA_2048" */
    enum cof_kms_kind kind;
    unsigned usages;        /* bit i: usage i is possible */
    unsigned size;          /* RSA: bits; HMAC and symmetric: bytes of the key */
    enum cof_curve curve;   /* ECC */
    enum cof_hash_alg hash; /* ECC and HMAC: the one digest that goes with it */
};

struct cof_kms_algorithm {
    const char *name; /* "RSASSA_PSS_SHA_256" */
    enum cof_kms_usage usage;
    enum cof_kms_kind kind;
    enum cof_hash_alg hash;
    enum cof_rsa_padding padding; /* RSA encryption */
    enum cof_rsa_scheme scheme;   /* RSA signatures */
};

/* NULL when there is none of that name. */
const struct cof_kms_spec *cof_kms_spec_named(struct cof_view name);
const struct cof_kms_algorithm *cof_kms_algorithm_named(struct cof_view name);
bool cof_kms_algorithm_fits(const struct cof_kms_algorithm *algorithm, const struct cof_kms_spec *spec);
const char *cof_kms_usage_name(enum cof_kms_usage usage);
bool cof_kms_usage_named(struct cof_view name, enum cof_kms_usage *out);
/* The member that lists a key's algorithms, as in KeyMetadata: "SigningAlgorithms":["ECDSA_SHA_256"]. */
void cof_kms_add_algorithms(struct cof_buf *json, const struct cof_kms_spec *spec, enum cof_kms_usage usage);

#endif
