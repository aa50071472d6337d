/* SPDX-License-Identifier: Apache-2.0
 *
 * Raw keyrings of the AWS Encryption SDK (framework specification): data keys wrapped under local keys.
 *   AES: AES-128, -192 or -256-GCM with the encryption context as AAD. Provider = namespace; info = name, tag bits u32,
 *        IV length u32, IV.
 *   RSA: OAEP, or PKCS#1 v1.5. Provider = namespace; info = name. The context is not bound to the wrapped key: the message's
 *        own header tag does that.
 */
#ifndef COF_ENGINE_KEYRING_RAW_H
#define COF_ENGINE_KEYRING_RAW_H

#include "crypto/rsa.h"
#include "engine/keyring.h"

struct cof_raw_aes {
    struct cof_view name_space, name;
    const struct cof_secret *key; /* 16, 24 or 32 bytes */
};

struct cof_raw_rsa {
    struct cof_view name_space, name;
    const struct cof_rsa_key *key; /* the private one, or to wrap only the public one */
    enum cof_rsa_padding padding;
};

/* Wraps data_key for the context (sorted pairs) and appends the provider info and the ciphertext. */
COF_MUST_USE enum cof_err cof_raw_aes_wrap(const struct cof_raw_aes *keyring, const struct cof_esdk_pair *pairs, size_t n,
                                           const struct cof_secret *data_key, const struct cof_rng *rng,
                                           struct cof_buf *info, struct cof_buf *ciphertext);
/* Tries one encrypted data key. COF_E_NOT_FOUND: it is another keyring's; COF_E_AUTH. */
COF_MUST_USE enum cof_err cof_raw_aes_unwrap(const struct cof_raw_aes *keyring, const struct cof_esdk_pair *pairs, size_t n,
                                             const struct cof_esdk_edk *edk, struct cof_secret *data_key);
/* The same for RSA; info is the keyring's name. */
COF_MUST_USE enum cof_err cof_raw_rsa_wrap(const struct cof_raw_rsa *keyring, const struct cof_secret *data_key,
                                           struct cof_buf *ciphertext);
COF_MUST_USE enum cof_err cof_raw_rsa_unwrap(const struct cof_raw_rsa *keyring, const struct cof_esdk_edk *edk,
                                             struct cof_secret *data_key);

/* As keyrings; they point at what they are made from. */
struct cof_keyring cof_keyring_of_raw_aes(struct cof_raw_aes *keyring);
struct cof_keyring cof_keyring_of_raw_rsa(struct cof_raw_rsa *keyring);

#endif
