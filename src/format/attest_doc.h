/* SPDX-License-Identifier: Apache-2.0
 *
 * The payload of a Nitro attestation document: CBOR <-> struct, with every check of AWS's validation text that needs
 * no key (nsm-api docs/attestation_process.md). Trust is src/engine/attest_verify's matter. NitroTPM documents are
 * recognised and refused: they describe an instance, not an enclave.
 */
#ifndef COF_FORMAT_ATTEST_DOC_H
#define COF_FORMAT_ATTEST_DOC_H

#include "base/buf.h"

#define COF_ATTEST_DOC_MAX 18432     /* bytes of a whole COSE_Sign1: payload, signature, headers */
#define COF_ATTEST_PAYLOAD_MAX 16384 /* bytes */
#define COF_ATTEST_PCRS 32
#define COF_ATTEST_PCR_SIZE 48 /* SHA-384 */
#define COF_ATTEST_CABUNDLE_MAX 16
#define COF_ATTEST_CERT_MAX 1024
#define COF_ATTEST_PUBLIC_KEY_MAX 1024
#define COF_ATTEST_USER_DATA_MAX 512
#define COF_ATTEST_NONCE_MAX 512
#define COF_ATTEST_MODULE_ID_MAX 256

/* A field that may be absent (or null, which means the same). */
struct cof_attest_field {
    struct cof_view bytes;
    bool present;
};

/* Views into the payload. */
struct cof_attest_doc {
    struct cof_view module_id;
    int64_t timestamp_ms;
    uint32_t pcr_mask;                       /* bit i: PCR i is there */
    struct cof_view pcrs[COF_ATTEST_PCRS];   /* 48 bytes each, as the digest SHA384 wants */
    struct cof_view certificate;             /* DER, the key that signed the document */
    struct cof_view cabundle[COF_ATTEST_CABUNDLE_MAX]; /* DER, root first */
    size_t n_cabundle;
    struct cof_attest_field public_key, user_data, nonce;
};

/* COF_E_FORMAT, COF_E_TRUNCATED, COF_E_LIMIT; COF_E_UNSUPPORTED for a NitroTPM document. diag says what is wrong. */
COF_MUST_USE enum cof_err cof_attest_doc_parse(struct cof_view payload, struct cof_attest_doc *out,
                                               struct cof_diag *diag);
/* Adds the payload in definite form, absent fields as null, as the hypervisor does. */
void cof_attest_doc_add(struct cof_buf *out, const struct cof_attest_doc *doc);
/* Whether PCR index is there and all zero. */
bool cof_attest_doc_pcr_is_zero(const struct cof_attest_doc *doc, unsigned index);

#endif
