/* SPDX-License-Identifier: Apache-2.0
 *
 * The receipt: a COSE_Sign1 (ES256) in which an enclave says what it made of which input with which code, model,
 * configuration and keys, and when. The attestation document inside vouches for the signing key. docs/receipt.md is
 * its definition. Outsiders who hold a receipt learn digests of sealed objects; of plaintexts only commitments under a
 * salt that the owner alone can derive.
 */
#ifndef COF_ENGINE_RECEIPT_H
#define COF_ENGINE_RECEIPT_H

#include "crypto/ecdsa.h"
#include "engine/attest_verify.h"

#define COF_RECEIPT_MAX 32768 /* bytes */
#define COF_RECEIPT_DIGEST 32 /* SHA-256 */
#define COF_RECEIPT_SALT 32
#define COF_RECEIPT_TEXT_MAX 2048

/* Views: the builder's own, or into the receipt that was verified. Digests and commitments are 32 bytes. */
struct cof_receipt {
    struct cof_view tenant, job;
    struct {
        struct cof_view bucket, key, version_id; /* version_id empty: the bucket is not versioned */
        struct cof_view sealed_sha256, commitment;
    } input;
    struct {
        struct cof_view bucket, key, media_type;
        struct cof_view sealed_sha256, commitment;
    } output;
    struct cof_view processor_sha256, config_sha256;
    struct cof_view model_sha256; /* empty: no model */
    int64_t started_ms, finished_ms;
    struct cof_view data_key_arn, results_key_arn;
    struct cof_view attestation; /* the document, its public_key the signer's SPKI */
};

/* What the attestation document for a signer must carry as user_data: binds the key to this one use. */
COF_MUST_USE enum cof_err cof_receipt_user_data(struct cof_view signer_spki, uint8_t out[static COF_RECEIPT_DIGEST]);

/* HMAC-SHA256(salt, SHA-256 of the plaintext). */
COF_MUST_USE enum cof_err cof_receipt_commit(struct cof_view salt, struct cof_view plaintext_sha256,
                                             uint8_t out[static COF_RECEIPT_DIGEST]);
/* COF_E_AUTH when the commitment is another's. */
COF_MUST_USE enum cof_err cof_receipt_check_commitment(struct cof_view commitment, struct cof_view salt,
                                                       struct cof_view plaintext_sha256);

/* Signs and adds the receipt. signer is a P-256 private key. COF_E_USAGE for a field that is missing or of a wrong
 * size. */
COF_MUST_USE enum cof_err cof_receipt_build(const struct cof_receipt *receipt, const struct cof_ecdsa_key *signer,
                                            struct cof_buf *out);

/* Verifies: the attestation document under policy (archive mode at its own time is enforced; the policy's public_key
 * and user_data are set here), the signature by the key it vouches for, and that the work finished within the life of
 * the document's certificates. Fields and attestation (may be NULL) go out only on success. One code, COF_E_AUTH. */
COF_MUST_USE enum cof_err cof_receipt_verify(struct cof_view doc, const struct cof_attest_policy *policy,
                                             struct cof_receipt *out, struct cof_attest *attest,
                                             struct cof_diag *diag);

#endif
