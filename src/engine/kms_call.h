/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS KMS calls (JSON 1.1, "AWS KMS API Reference"): requests, and replies parsed as hostile. With a Recipient the answer
 * must carry CiphertextForRecipient and no Plaintext: anything else is refused (C-07).
 */
#ifndef COF_ENGINE_KMS_CALL_H
#define COF_ENGINE_KMS_CALL_H

#include "base/secret.h"
#include "engine/aws_request.h"

#define COF_KMS_BLOB_MAX 6144
#define COF_KMS_ARN_MAX 2048

/* A full key ARN: arn:PARTITION:kms:REGION:ACCOUNT:key/ID. Aliases and bare ids are not. */
bool cof_kms_is_key_arn(struct cof_view text);

/* recipient: an attestation document, or empty. Contexts may be empty. key_bytes: 1 to 1024 of the data key. */
COF_MUST_USE enum cof_err cof_kms_generate_data_key(struct cof_aws_request *out, struct cof_view key_arn, size_t key_bytes,
                                                    const struct cof_pair *context, size_t n_context,
                                                    struct cof_view recipient);
COF_MUST_USE enum cof_err cof_kms_decrypt(struct cof_aws_request *out, struct cof_view key_arn, struct cof_view blob,
                                          const struct cof_pair *context, size_t n_context, struct cof_view recipient);
COF_MUST_USE enum cof_err cof_kms_encrypt(struct cof_aws_request *out, struct cof_view key_arn, struct cof_view plaintext,
                                          const struct cof_pair *context, size_t n_context);

struct cof_kms_reply {
    char key_id[COF_KMS_ARN_MAX + 1];
    struct cof_buf plaintext;                /* secret; empty with a recipient */
    struct cof_buf blob;                     /* CiphertextBlob: GenerateDataKey, Encrypt */
    struct cof_buf ciphertext_for_recipient; /* CMS, BER */
};

/* expected_key: the pinned ARN, which the answer's KeyId must equal (C-04, C-36); empty to accept any. COF_E_AUTH for another
 * key, a Plaintext where a recipient was named, or a missing CiphertextForRecipient; COF_E_FORMAT. */
COF_MUST_USE enum cof_err cof_kms_parse_reply(struct cof_view body, struct cof_view expected_key, bool with_recipient,
                                              bool wants_plaintext, bool wants_blob, struct cof_kms_reply *out,
                                              struct cof_diag *diag);
void cof_kms_reply_done(struct cof_kms_reply *reply);

#endif
