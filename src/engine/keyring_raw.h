/* SPDX-License-Identifier: Apache-2.0
 *
 * Raw AES keyrings of the AWS Encryption SDK ("Raw AES keyring", framework specification): data keys wrapped under a local
 * AES-256 key with AES-GCM, the encryption context as AAD. Provider = namespace; info = name, tag bits u32, IV length u32,
 * IV.
 */
#ifndef COF_ENGINE_KEYRING_RAW_H
#define COF_ENGINE_KEYRING_RAW_H

#include "base/rng.h"
#include "base/secret.h"
#include "format/esdk_header.h"

struct cof_raw_aes {
    struct cof_view name_space, name;
    const struct cof_secret *key; /* 32 bytes */
};

/* Wraps data_key for the context (sorted pairs) and appends the provider info and the ciphertext. */
COF_MUST_USE enum cof_err cof_raw_aes_wrap(const struct cof_raw_aes *keyring, const struct cof_esdk_pair *pairs, size_t n,
                                           const struct cof_secret *data_key, const struct cof_rng *rng,
                                           struct cof_buf *info, struct cof_buf *ciphertext);
/* Tries one encrypted data key. COF_E_NOT_FOUND: it is another keyring's; COF_E_AUTH. */
COF_MUST_USE enum cof_err cof_raw_aes_unwrap(const struct cof_raw_aes *keyring, const struct cof_esdk_pair *pairs, size_t n,
                                             const struct cof_esdk_edk *edk, struct cof_secret *data_key);

#endif
