/* SPDX-License-Identifier: Apache-2.0
 *
 * AES-256-CBC with PKCS#7 padding, for CMS alone: it does not authenticate, so every failure of decryption is one and
 * the same and callers must not let a peer see it apart from others.
 */
#ifndef COF_CRYPTO_CBC_H
#define COF_CRYPTO_CBC_H

#include "base/buf.h"

#define COF_CBC_KEY_SIZE 32
#define COF_CBC_IV_SIZE 16

/* Appends the ciphertext, or the plaintext (out should be a secret builder). Key and IV of a wrong size are
 * COF_E_USAGE; a ciphertext that is no multiple of 16, or ends in no padding, is COF_E_AUTH and appends nothing. */
COF_MUST_USE enum cof_err cof_cbc_encrypt(struct cof_view key, struct cof_view iv, struct cof_view plain,
                                          struct cof_buf *out);
COF_MUST_USE enum cof_err cof_cbc_decrypt(struct cof_view key, struct cof_view iv, struct cof_view cipher,
                                          struct cof_buf *out);

#endif
