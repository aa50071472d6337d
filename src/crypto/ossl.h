/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers shared by the key modules of this folder, which alone may include it: keys in their standard encodings
 * <-> EVP_PKEY. Decoding takes all bytes or fails.
 */
#ifndef COF_CRYPTO_OSSL_H
#define COF_CRYPTO_OSSL_H

#include "base/buf.h"
#include "crypto/hash.h"

#include <openssl/evp.h>

/* NULL when it is no such key. */
EVP_PKEY *cof_ossl_from_spki(struct cof_view der);
EVP_PKEY *cof_ossl_from_pkcs8(struct cof_view der);
EVP_PKEY *cof_ossl_from_pem(struct cof_view pem, bool *is_private);

COF_MUST_USE enum cof_err cof_ossl_spki(EVP_PKEY *pkey, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_ossl_pkcs8(EVP_PKEY *pkey, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_ossl_spki_pem(EVP_PKEY *pkey, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_ossl_pkcs8_pem(EVP_PKEY *pkey, struct cof_buf *out);

/* A context for operations with the key; the library's error queue is emptied by cof_ossl_quiet. */
EVP_PKEY_CTX *cof_ossl_ctx(EVP_PKEY *pkey);
void cof_ossl_quiet(void);
/* Fetched once; NULL when the library lacks it. */
const EVP_MD *cof_ossl_md(enum cof_hash_alg alg);

#endif
