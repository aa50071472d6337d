/* SPDX-License-Identifier: Apache-2.0
 *
 * CMS EnvelopedData (RFC 5652) in the one shape in which KMS wraps an answer for an enclave (CiphertextForRecipient):
 * BER, one KeyTransRecipientInfo by subjectKeyIdentifier, RSAES-OAEP with SHA-256 named explicitly, AES-256-CBC.
 * Anything else is refused, OAEP's SHA-1 defaults first of all.
 *
 *   ContentInfo { envelopedData, [0] { 2, SET { 2, [0] key id, oaep, encrypted key },
 *                                      { data, { aes256-cbc, iv }, [0] ciphertext } } }
 */
#ifndef COF_FORMAT_CMS_H
#define COF_FORMAT_CMS_H

#include "base/buf.h"

#define COF_CMS_MAX 8192 /* bytes of a whole message; KMS documents 6144 */
#define COF_CMS_KEY_ID_SIZE 32
#define COF_CMS_IV_SIZE 16
#define COF_CMS_CHUNKS_MAX 16

/* Views into the parsed bytes. The ciphertext may come in pieces. */
struct cof_cms_enveloped {
    struct cof_view key_id; /* 32 bytes: SHA-256 of the recipient's SubjectPublicKeyInfo */
    struct cof_view encrypted_key;
    struct cof_view iv; /* 16 bytes */
    struct cof_view chunks[COF_CMS_CHUNKS_MAX];
    size_t n_chunks;
    size_t ciphertext_len; /* bytes of all chunks: a positive multiple of 16 */
};

/* COF_E_FORMAT, COF_E_TRUNCATED, COF_E_LIMIT. diag begins with "it" or "its". */
COF_MUST_USE enum cof_err cof_cms_enveloped_parse(struct cof_view ber, struct cof_cms_enveloped *out, struct cof_diag *diag);
/* Adds the chunks joined. */
void cof_cms_add_ciphertext(struct cof_buf *out, const struct cof_cms_enveloped *cms);
/* Adds a message in the very BER shape of KMS: indefinite outside, definite in the recipient, chunked content. */
void cof_cms_add_enveloped(struct cof_buf *out, const struct cof_cms_enveloped *cms);

#endif
