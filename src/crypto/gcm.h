/* SPDX-License-Identifier: Apache-2.0
 *
 * AES-GCM (NIST SP 800-38D) under one key, many times: for data kept in chunks. 96-bit nonces, 128-bit tags. Nonces are
 * the caller's and must never repeat under a key.
 */
#ifndef COF_CRYPTO_GCM_H
#define COF_CRYPTO_GCM_H

#include "base/view.h"

#define COF_GCM_KEY 32 /* the usual one; 16 and 24 are allowed too */
#define COF_GCM_NONCE 12
#define COF_GCM_TAG 16

struct cof_gcm; /* a keyed context; heap; one thread at a time */

/* key is 16, 24 or 32 bytes; COF_E_USAGE otherwise. */
COF_MUST_USE enum cof_err cof_gcm_new(struct cof_view key, struct cof_gcm **out);
void cof_gcm_free(struct cof_gcm *gcm); /* wipes; takes NULL */

/* out gets plaintext.len bytes of ciphertext and the tag. It may be plaintext.data itself, else must not overlap it. */
COF_MUST_USE enum cof_err cof_gcm_seal(struct cof_gcm *gcm, const uint8_t nonce[static COF_GCM_NONCE],
                                       struct cof_view aad, struct cof_view plaintext, uint8_t *out);
/* sealed ends in the tag; out gets sealed.len - COF_GCM_TAG bytes, and zeros when COF_E_AUTH is returned. It may be
 * sealed.data itself, else must not overlap it; it may be NULL when there is no plaintext. */
COF_MUST_USE enum cof_err cof_gcm_open(struct cof_gcm *gcm, const uint8_t nonce[static COF_GCM_NONCE],
                                       struct cof_view aad, struct cof_view sealed, uint8_t *out);

#endif
