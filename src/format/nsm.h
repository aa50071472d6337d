/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of the Nitro Security Module (/dev/nsm): CBOR <-> structs, both directions, so that the enclave and
 * the simulated hypervisor share one definition. Views live as long as the bytes they were parsed from.
 */
#ifndef COF_FORMAT_NSM_H
#define COF_FORMAT_NSM_H

#include "format/attest_doc.h"

#define COF_NSM_REQUEST_MAX 0x1000
#define COF_NSM_RESPONSE_MAX 0x3000
#define COF_NSM_RANDOM_MAX 256 /* bytes of one GetRandom answer */

enum cof_nsm_op {
    COF_NSM_DESCRIBE_NSM,
    COF_NSM_GET_RANDOM,
    COF_NSM_DESCRIBE_PCR,
    COF_NSM_EXTEND_PCR,
    COF_NSM_LOCK_PCR,
    COF_NSM_LOCK_PCRS,
    COF_NSM_ATTESTATION,
    COF_NSM_ERROR, /* responses only */
};

struct cof_nsm_request {
    enum cof_nsm_op op;
    uint16_t index;       /* DescribePCR, ExtendPCR, LockPCR: the PCR; LockPCRs: the range, PCRs 0..index-1 */
    struct cof_view data; /* ExtendPCR */
    struct cof_attest_field user_data, nonce, public_key; /* Attestation */
};

enum cof_nsm_error {
    COF_NSM_SUCCESS,
    COF_NSM_INVALID_ARGUMENT,
    COF_NSM_INVALID_INDEX,
    COF_NSM_INVALID_RESPONSE,
    COF_NSM_READ_ONLY_INDEX,
    COF_NSM_INVALID_OPERATION,
    COF_NSM_BUFFER_TOO_SMALL,
    COF_NSM_INPUT_TOO_LARGE,
    COF_NSM_INTERNAL_ERROR,
};

struct cof_nsm_response {
    enum cof_nsm_op op;
    enum cof_nsm_error error; /* COF_NSM_ERROR */
    struct cof_view data;     /* GetRandom: random; DescribePCR, ExtendPCR: the value; Attestation: the document */
    bool lock;                /* DescribePCR */
    uint16_t version_major, version_minor, version_patch, max_pcrs; /* DescribeNSM, and the rest */
    struct cof_view module_id;
    uint32_t locked_pcrs; /* bit i: PCR i is locked */
    struct cof_view digest;
};

void cof_nsm_add_request(struct cof_buf *out, const struct cof_nsm_request *req);
void cof_nsm_add_response(struct cof_buf *out, const struct cof_nsm_response *res);
COF_MUST_USE enum cof_err cof_nsm_parse_request(struct cof_view in, struct cof_nsm_request *out);
COF_MUST_USE enum cof_err cof_nsm_parse_response(struct cof_view in, struct cof_nsm_response *out);
/* "InvalidIndex"; static storage. */
const char *cof_nsm_error_name(enum cof_nsm_error error);

#endif
