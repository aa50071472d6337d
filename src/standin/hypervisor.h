/* SPDX-License-Identifier: Apache-2.0
 *
 * The Nitro hypervisor, simulated as pure code: a certificate authority of its own, enclaves with 32 PCRs, and the NSM
 * protocol. Documents look like AWS's but chain to "simulated.nitro-enclaves", which no verifier trusts unless told
 * to, and every module id contains "simulated". It proves the software path, never the isolation.
 */
#ifndef COF_STANDIN_HYPERVISOR_H
#define COF_STANDIN_HYPERVISOR_H

#include "base/rng.h"
#include "engine/measure.h"
#include "format/nsm.h"

struct cof_hv;         /* one hypervisor: its root and the authorities under it */
struct cof_hv_enclave; /* one running enclave */

/* A new root, as an opaque secret blob for the caller to store; out should be a secret builder. */
COF_MUST_USE enum cof_err cof_hv_make_root(const struct cof_rng *rng, int64_t now_ms, struct cof_buf *out);
/* Opens the blob. The authorities below the root are made at need and again before they expire. region ("us-east-1")
 * is copied. rng is kept and must outlive the hypervisor. Not thread-safe: one thread, or a lock of the caller's. */
COF_MUST_USE enum cof_err cof_hv_new(struct cof_view blob, const char *region, const struct cof_rng *rng,
                                     struct cof_hv **out);
void cof_hv_free(struct cof_hv *hv);
/* The root certificate, DER: what verifiers pin. Lives as long as hv. */
struct cof_view cof_hv_root(const struct cof_hv *hv);

struct cof_hv_launch {
    struct cof_image_parts image;
    const char *role_arn;    /* measured into PCR3; NULL leaves it zero */
    const char *instance_id; /* measured into PCR4, and part of the module id; NULL: "i-0", and PCR4 stays zero */
    bool debug;              /* PCRs stay zero */
};

/* Starts an enclave: PCR0-4 and 8 measured, 0-15 locked. hv must outlive it. */
COF_MUST_USE enum cof_err cof_hv_launch(struct cof_hv *hv, const struct cof_hv_launch *launch, int64_t now_ms,
                                        struct cof_hv_enclave **out);
/* The same from PCR values that are known already (image need not be at hand). */
COF_MUST_USE enum cof_err cof_hv_launch_measured(struct cof_hv *hv, const struct cof_image_pcrs *pcrs,
                                                 const struct cof_hv_launch *launch, int64_t now_ms,
                                                 struct cof_hv_enclave **out);
void cof_hv_enclave_free(struct cof_hv_enclave *enclave);

/* One NSM call: whatever the request, a response is added to out (an Error response for what is wrong with it).
 * Fails only for memory, randomness or a full builder. */
COF_MUST_USE enum cof_err cof_hv_handle(struct cof_hv_enclave *enclave, struct cof_view request, int64_t now_ms,
                                        struct cof_buf *out);

#endif
