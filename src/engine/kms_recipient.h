/* SPDX-License-Identifier: Apache-2.0
 *
 * CiphertextForRecipient, both ends: the enclave opens what KMS wrapped for the public key of its attestation
 * document; KMS (the stand-in) wraps it. The envelope is NOT authenticated (C-05): only TLS to KMS from inside the
 * enclave, or a committing message under the key, makes its content trustworthy.
 */
#ifndef COF_ENGINE_KMS_RECIPIENT_H
#define COF_ENGINE_KMS_RECIPIENT_H

#include "base/rng.h"
#include "base/secret.h"
#include "crypto/rsa.h"
#include "format/cms.h"

#define COF_KMS_PLAINTEXT_MAX 4096 /* bytes KMS encrypts directly */

/* Opens cms with the private key; the plaintext must be exactly expected_len bytes (32 for AES_256). One code,
 * COF_E_AUTH, whatever is wrong; then out is empty. The diag, for the local log, tells apart what anybody can see of the
 * envelope (its form, algorithms, whose key it names). What only the private key shows is one text: padding, and lengths behind
 * it, told apart would answer whoever sends altered envelopes and reads logs (Vaudenay 2002, Manger 2001). */
COF_MUST_USE enum cof_err cof_kms_recipient_open(const struct cof_rsa_key *key, struct cof_view cms,
                                                 size_t expected_len, struct cof_secret *out, struct cof_diag *diag);
/* The same for a plaintext of min_len..max_len bytes, appended to out (a secret builder). */
COF_MUST_USE enum cof_err cof_kms_recipient_open_buf(const struct cof_rsa_key *key, struct cof_view cms,
                                                     size_t min_len, size_t max_len, struct cof_buf *out,
                                                     struct cof_diag *diag);

/* Wraps plain for the RSA key in spki (DER) and adds the CMS to out. COF_E_FORMAT or COF_E_UNSUPPORTED for a key that
 * will not do; COF_E_LIMIT over COF_KMS_PLAINTEXT_MAX. */
COF_MUST_USE enum cof_err cof_kms_recipient_seal(struct cof_view spki, struct cof_view plain, const struct cof_rng *rng,
                                                 struct cof_buf *out);
/* The same where that key was read before: it and its spki. */
COF_MUST_USE enum cof_err cof_kms_recipient_seal_for(const struct cof_rsa_key *key, struct cof_view spki, struct cof_view plain,
                                                     const struct cof_rng *rng, struct cof_buf *out);

#endif
