/* SPDX-License-Identifier: Apache-2.0
 *
 * KMS for an enclave: every answer that holds a key comes sealed for an RSA key which an attestation document vouches
 * for and which never leaves this process (FACTS D1). The document carries the key (public_key), a fresh nonce, and as
 * user_data a digest of the request, so that it says for which question it was made (C-06):
 *
 *   SHA-256( "coffer kms request v1" 00 | operation 00 | key ARN 00 | u16 pairs { u16 len name | u16 len value } sorted
 *            by name | u32 len blob )
 *
 * Where document_ms is set, one document serves all calls so long; its user_data then speaks of its key and use alone
 * (docs/decisions/0016):
 *
 *   SHA-256( "coffer kms epoch v1" 00 | SubjectPublicKeyInfo )
 *
 * Each document also says what time it is for the hypervisor: where aws->own_clock is set, aws->skew_ms follows that, and
 * no date of a reply (C-22).
 *
 * Refused: a Plaintext, another key than the pinned ARN, an answer without CiphertextForRecipient, a key of another
 * length (C-04, C-07). The envelope itself is not authenticated (C-05): TLS to KMS ends in this process, with roots of
 * its own.
 */
#ifndef COF_CLIENT_KMS_ATTESTED_H
#define COF_CLIENT_KMS_ATTESTED_H

#include "client/kms.h"
#include "crypto/rsa.h"

/* The way to the Nitro Security Module (io/nsm_dev.h, or a simulated one): a request as bytes, its response appended.
 */
struct cof_nsm_port {
    enum cof_err (*call)(void *ctx, struct cof_view request, struct cof_buf *out);
    void *ctx;
};

struct cof_kms_attested {
    struct cof_aws *aws;
    struct cof_nsm_port nsm;
    int64_t epoch_ms;         /* how long one RSA key serves; default 600000; 0: for one call */
    unsigned rsa_bits;        /* 2048 (the default, which is what AWS's own SDK uses), 3072 or 4096 */
    int64_t document_ms;      /* how long one document serves; default 0: for one call. Under KMS's five minutes */
    struct cof_rsa_key *key;
    bool used;                /* key has served a call */
    int64_t made_ms;          /* monotonic (the loop's) */
    struct cof_buf spki;      /* of key */
    struct cof_buf document;  /* the last one, over key; empty: none that may serve */
    int64_t attested_ms;      /* when it was asked for; monotonic */
};

void cof_kms_attested_init(struct cof_kms_attested *att, struct cof_aws *aws, const struct cof_nsm_port *nsm);
void cof_kms_attested_done(struct cof_kms_attested *att);
/* Makes the epoch's key now if there is none or it is half used up: call when idle, as it takes 0.1 s and more (4096 bits:
 * seconds). */
COF_MUST_USE enum cof_err cof_kms_attested_prepare(struct cof_kms_attested *att);
/* The next call gets a new document: whatever changed (a register, say) shall be in it. */
void cof_kms_attested_renew(struct cof_kms_attested *att);

/* use->recipient is ignored: it is made here. Blocking. */
COF_MUST_USE enum cof_err cof_kms_attested_decrypt(struct cof_kms_attested *att, const struct cof_kms_key_use *use,
                                                   struct cof_view blob, size_t key_bytes, struct cof_secret *out,
                                                   struct cof_diag *diag);
/* A data key of use->key_bytes (0: 32), and the same sealed by KMS (appended to blob). */
COF_MUST_USE enum cof_err cof_kms_attested_generate(struct cof_kms_attested *att, const struct cof_kms_key_use *use,
                                                    struct cof_secret *out, struct cof_buf *blob,
                                                    struct cof_diag *diag);

/* The digests above, for verifiers of a document. */
COF_MUST_USE enum cof_err cof_kms_attested_digest(const char *operation, const struct cof_kms_key_use *use,
                                                  struct cof_view blob, uint8_t out[static 32]);
COF_MUST_USE enum cof_err cof_kms_attested_epoch_digest(struct cof_view spki, uint8_t out[static 32]);

#endif
