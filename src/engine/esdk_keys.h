/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two committing suites of the AWS Encryption SDK derive and authenticate: shared by sealing and opening.
 */
#ifndef COF_ENGINE_ESDK_KEYS_H
#define COF_ENGINE_ESDK_KEYS_H

#include "base/secret.h"
#include "crypto/gcm.h"
#include "format/esdk_header.h"

#define COF_ESDK_SUITE 0x0478        /* AES-256-GCM, HKDF-SHA512, commitment */
#define COF_ESDK_SUITE_SIGNED 0x0578 /* the same and ECDSA P-384 */
#define COF_ESDK_DATA_KEY 32
#define COF_ESDK_FINAL 0xffffffffu
#define COF_ESDK_PUBLIC_KEY "aws-crypto-public-key" /* context key of the signed suite */

/* The content key and the commitment (spec: algorithm suites, "HKDF-SHA512, salt = message id"). */
COF_MUST_USE enum cof_err cof_esdk_derive(uint16_t suite, const struct cof_secret *data_key, struct cof_view message_id,
                                          struct cof_gcm **content_key, uint8_t commitment[static COF_ESDK_COMMITMENT]);
enum cof_esdk_part { COF_ESDK_FRAME, COF_ESDK_FINAL_FRAME, COF_ESDK_SINGLE_BLOCK };
/* The body's AAD: message id, purpose, sequence number (1 for a single block), plaintext length. */
void cof_esdk_body_aad(struct cof_view message_id, enum cof_esdk_part part, uint32_t sequence, uint64_t length,
                       struct cof_buf *out);
/* The frame's IV: its sequence number; the header's is 0. */
void cof_esdk_iv(uint32_t sequence, uint8_t iv[static COF_GCM_NONCE]);
/* A secret both ends of a message share and nobody else: HKDF-SHA512 of the data key under "coffer exporter LABEL". */
COF_MUST_USE enum cof_err cof_esdk_export(const struct cof_secret *data_key, struct cof_view message_id, const char *label,
                                          uint8_t out[static 32]);

#endif
