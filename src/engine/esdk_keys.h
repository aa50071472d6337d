/* SPDX-License-Identifier: Apache-2.0
 *
 * What the suites of the AWS Encryption SDK derive and authenticate, shared by sealing and opening. The two frame calls are
 * pure: any thread may run them, each with a key context of its own (cof_esdk_encrypt_fork).
 */
#ifndef COF_ENGINE_ESDK_KEYS_H
#define COF_ENGINE_ESDK_KEYS_H

#include "base/secret.h"
#include "crypto/gcm.h"
#include "engine/suite.h"
#include "format/esdk_frame.h"
#include "format/esdk_header.h"

#define COF_ESDK_SUITE 0x0478        /* AES-256-GCM, HKDF-SHA512, commitment */
#define COF_ESDK_SUITE_SIGNED 0x0578 /* the same and ECDSA P-384 */
#define COF_ESDK_DATA_KEY 32         /* bytes; of these two */
#define COF_ESDK_PUBLIC_KEY "aws-crypto-public-key" /* context key of the signed suites */

/* The content key, and for a committing suite the commitment (else zeros). COF_E_AUTH for a data key of the wrong length. */
COF_MUST_USE enum cof_err cof_esdk_derive(const struct cof_suite *suite, const struct cof_secret *data_key,
                                          struct cof_view message_id, struct cof_gcm **content_key,
                                          uint8_t commitment[static COF_ESDK_COMMITMENT]);
/* Writes a whole frame, cof_esdk_frame_size(part, plain.len) bytes. plain may already lie where its ciphertext will:
 * behind the head. */
COF_MUST_USE enum cof_err cof_esdk_seal_frame(struct cof_gcm *content_key, struct cof_view message_id,
                                              enum cof_esdk_part part, uint32_t sequence, struct cof_view plain,
                                              uint8_t *out);
/* Opens one parsed frame or block; bytes is all of it. out gets frame->length bytes, zeros on COF_E_AUTH; it may be where
 * the ciphertext lies. */
COF_MUST_USE enum cof_err cof_esdk_open_frame(struct cof_gcm *content_key, struct cof_view message_id,
                                              const struct cof_esdk_frame *frame, struct cof_view bytes, uint8_t *out);
/* A secret both ends of a message share and nobody else: HKDF-SHA512 of the data key under "coffer exporter LABEL", with
 * the message id as salt. */
COF_MUST_USE enum cof_err cof_esdk_export(const struct cof_secret *data_key, struct cof_view message_id, const char *label,
                                          uint8_t out[static 32]);

#endif
