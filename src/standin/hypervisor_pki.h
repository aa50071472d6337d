/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated hypervisor's certificates, shaped like AWS's: root (30 years) > regional (3 weeks) > zonal (6 days) >
 * instance (1 day) > leaf (3 hours, one an enclave, made anew 15 minutes before it ends). Only the root is stored; the
 * rest is made at need. For hypervisor.c alone.
 */
#ifndef COF_STANDIN_HYPERVISOR_PKI_H
#define COF_STANDIN_HYPERVISOR_PKI_H

#include "crypto/x509.h"
#include "standin/hypervisor.h"

/* An enclave's signing key and certificate; starts zeroed. */
struct cof_hv_leaf {
    struct cof_ecdsa_key *key;
    struct cof_buf cert; /* DER */
    int64_t renew_ms;    /* from then on it is made anew */
    uint64_t epoch;      /* of the authorities it was made under */
};

/* Makes authorities and leaf anew where they are missing or near their end. */
COF_MUST_USE enum cof_err cof_hv_leaf_refresh(struct cof_hv *hv, const char *module_id, int64_t now_ms,
                                              struct cof_hv_leaf *leaf);
void cof_hv_leaf_done(struct cof_hv_leaf *leaf);

/* Fills the document's cabundle, root first; views live until the next refresh. */
void cof_hv_cabundle(const struct cof_hv *hv, struct cof_attest_doc *doc);
const struct cof_rng *cof_hv_rng(const struct cof_hv *hv);

#endif
