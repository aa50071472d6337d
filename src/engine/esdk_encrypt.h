/* SPDX-License-Identifier: Apache-2.0
 *
 * Seals a stream as an AWS Encryption SDK message: plaintext pieces in, message pieces out, one frame of memory. The data
 * key and its encrypted copies come from the caller (a keyring). The default commitment policy writes 0x0478 and 0x0578;
 * the nine older suites only under COF_FORBID_ENCRYPT_ALLOW_DECRYPT, for readers that know no other.
 */
#ifndef COF_ENGINE_ESDK_ENCRYPT_H
#define COF_ENGINE_ESDK_ENCRYPT_H

#include "base/rng.h"
#include "engine/esdk_keys.h"

struct cof_esdk_materials {
    uint16_t suite;
    uint32_t frame_length; /* bytes of plaintext a frame; 0: 4096, as every AWS Encryption SDK */
    const struct cof_secret *data_key; /* as long as the suite says: 32 bytes for the committing ones; copied */
    const struct cof_esdk_pair *pairs; /* the encryption context, in any order */
    size_t n_pairs;
    const struct cof_esdk_edk *edks;
    size_t n_edks;
    /* Of a signed suite: its private key, whose public half must be in the context already, since the keyring bound the
     * data key to the whole context (cof_esdk_signer_make). Lives until the session is freed. */
    const struct cof_ecdsa_key *signer;
    enum cof_commitment_policy policy;
    /* Names of pairs that the header's tag authenticates but the message does not carry: whoever opens it must know them. */
    const struct cof_view *required_names;
    size_t n_required;
    bool length_known; /* then exactly plain_length bytes must be pushed */
    uint64_t plain_length;
};

struct cof_esdk_encrypt;

/* A fresh signing key (for 0x0578; _for: for any signed suite) and its context value: base64 of the compressed point,
 * appended to value. */
COF_MUST_USE enum cof_err cof_esdk_signer_make(const struct cof_rng *rng, struct cof_ecdsa_key **signer,
                                               struct cof_buf *value);
COF_MUST_USE enum cof_err cof_esdk_signer_make_for(uint16_t suite, const struct cof_rng *rng, struct cof_ecdsa_key **signer,
                                                   struct cof_buf *value);

/* COF_E_USAGE for materials that do not fit together or names the format reserves; COF_E_CONFIG when the policy does not
 * let the suite be written. */
COF_MUST_USE enum cof_err cof_esdk_encrypt_new(const struct cof_esdk_materials *materials, const struct cof_rng *rng,
                                               struct cof_esdk_encrypt **out);
/* Calls release(owned) when the session is freed: for what the signer belongs to. Once. */
void cof_esdk_encrypt_keep(struct cof_esdk_encrypt *e, void *owned, void (*release)(void *owned));
/* Takes all of plain; appends what is ready (the header first) to out. A failure is final. */
COF_MUST_USE enum cof_err cof_esdk_encrypt_push(struct cof_esdk_encrypt *e, struct cof_view plain, struct cof_buf *out);
/* The final frame and the signature. */
COF_MUST_USE enum cof_err cof_esdk_encrypt_finish(struct cof_esdk_encrypt *e, struct cof_buf *out);
/* 32 bytes that only this message's two ends can compute, the same on both. */
COF_MUST_USE enum cof_err cof_esdk_encrypt_export(const struct cof_esdk_encrypt *e, const char *label,
                                                  uint8_t out[static 32]);
/* How long the whole message will be, header and signature included. */
uint64_t cof_esdk_encrypt_total(const struct cof_esdk_encrypt *e, uint64_t plain_length);
/* For sealing the frames elsewhere, on several threads (io/seal.h): take_body gives what that needs and ends the use of push
 * and finish; every thread forks a key context of its own and calls cof_esdk_seal_frame; note gets all bytes after the header,
 * in order, one call at a time; end appends the signature, if any. */
struct cof_esdk_body {
    struct cof_view header; /* the message's first bytes */
    struct cof_view message_id;
    uint32_t frame_length;
    bool is_signed;         /* note must be called */
};
COF_MUST_USE enum cof_err cof_esdk_encrypt_take_body(struct cof_esdk_encrypt *e, struct cof_esdk_body *out);
COF_MUST_USE enum cof_err cof_esdk_encrypt_fork(const struct cof_esdk_encrypt *e, struct cof_gcm **content_key);
COF_MUST_USE enum cof_err cof_esdk_encrypt_note(struct cof_esdk_encrypt *e, struct cof_view bytes);
/* COF_E_USAGE when plain_length is not what was announced. */
COF_MUST_USE enum cof_err cof_esdk_encrypt_end(struct cof_esdk_encrypt *e, uint64_t plain_length, struct cof_buf *out);
struct cof_view cof_esdk_encrypt_message_id(const struct cof_esdk_encrypt *e);
void cof_esdk_encrypt_free(struct cof_esdk_encrypt *e);

#endif
