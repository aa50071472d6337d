/* SPDX-License-Identifier: Apache-2.0
 *
 * Seals a stream as an AWS Encryption SDK message (format 2, suites 0x0478 and 0x0578): plaintext pieces in, message pieces
 * out, one frame of memory. The data key and its encrypted copies come from the caller (a keyring).
 */
#ifndef COF_ENGINE_ESDK_ENCRYPT_H
#define COF_ENGINE_ESDK_ENCRYPT_H

#include "base/rng.h"
#include "engine/esdk_keys.h"

struct cof_esdk_materials {
    uint16_t suite;
    uint32_t frame_length; /* bytes of plaintext a frame; 0: 4096, as every AWS Encryption SDK */
    const struct cof_secret *data_key; /* 32 bytes; copied */
    const struct cof_esdk_pair *pairs; /* the encryption context, in any order */
    size_t n_pairs;
    const struct cof_esdk_edk *edks;
    size_t n_edks;
    /* Of the signed suite: its private key, whose public half must be in the context already, since the keyring bound the
     * data key to the whole context (cof_esdk_signer_make). */
    const struct cof_ecdsa_key *signer;
};

struct cof_ecdsa_key;
struct cof_esdk_encrypt;

/* A fresh signing key and its context value: base64 of the compressed point, appended to value. */
COF_MUST_USE enum cof_err cof_esdk_signer_make(const struct cof_rng *rng, struct cof_ecdsa_key **signer,
                                               struct cof_buf *value);

COF_MUST_USE enum cof_err cof_esdk_encrypt_new(const struct cof_esdk_materials *materials, const struct cof_rng *rng,
                                               struct cof_esdk_encrypt **out);
/* Takes all of plain; appends what is ready (the header first) to out. */
COF_MUST_USE enum cof_err cof_esdk_encrypt_push(struct cof_esdk_encrypt *e, struct cof_view plain, struct cof_buf *out);
/* The final frame and the signature. */
COF_MUST_USE enum cof_err cof_esdk_encrypt_finish(struct cof_esdk_encrypt *e, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_esdk_encrypt_export(const struct cof_esdk_encrypt *e, const char *label,
                                                  uint8_t out[static 32]);
/* How long the whole message will be (unsigned suite). */
uint64_t cof_esdk_encrypt_total(const struct cof_esdk_encrypt *e, uint64_t plain_length);
void cof_esdk_encrypt_free(struct cof_esdk_encrypt *e);

#endif
