/* SPDX-License-Identifier: Apache-2.0
 *
 * Is this an attestation document of an enclave that we expect? Signature and chain up to the pinned root, then
 * measurements, then freshness and what the document was asked to carry (FACTS D2-D4). Peers learn one code,
 * COF_E_AUTH; the diag names the check that failed, for the local log.
 */
#ifndef COF_ENGINE_ATTEST_VERIFY_H
#define COF_ENGINE_ATTEST_VERIFY_H

#include "engine/attest_cache.h"
#include "format/attest_doc.h"

#define COF_ATTEST_MAX_AGE_MS 300000 /* of a live document, unless the policy says otherwise */
#define COF_ATTEST_NONCE_MIN 16     /* bytes: a shorter expected nonce is no challenge (C-17) */
#define COF_ATTEST_LEEWAY_MS 30000   /* how far clocks may differ */

enum cof_attest_mode {
    COF_ATTEST_LIVE,    /* judged at now_ms: chain valid now, document fresh */
    COF_ATTEST_ARCHIVE, /* judged at the document's own signed time, and also at at_ms where that is given */
};

struct cof_attest_pcr {
    unsigned index;
    struct cof_view value; /* 48 bytes */
};

/* Start from {0} and fill in; a zeroed policy refuses everything (COF_E_USAGE), since it names no measurement. */
struct cof_attest_policy {
    struct cof_view root_der; /* the pinned root; empty: AWS's own (cof_attest_aws_root) */
    enum cof_attest_mode mode;
    int64_t now_ms;     /* live */
    int64_t max_age_ms; /* live; 0 means COF_ATTEST_MAX_AGE_MS */
    int64_t leeway_ms;  /* live; 0 means COF_ATTEST_LEEWAY_MS, negative means none */
    bool at_given;      /* archive: the chain must also be valid at at_ms */
    int64_t at_ms;
    const struct cof_attest_pcr *pcrs; /* each must be there and equal; none may be all zero without allow_debug */
    size_t n_pcrs;
    bool any_image;   /* no measurements wanted (tools that only describe): the one way to leave pcrs empty */
    bool allow_debug; /* accept an all-zero PCR0 */
    const struct cof_view *nonce, *public_key, *user_data; /* NULL: whatever it says; else present and equal */
    struct cof_attest_cache *cache; /* NULL: none; speeds up many documents of one enclave */
};

/* Views into the document's bytes. */
struct cof_attest {
    struct cof_attest_doc doc;
    struct cof_x509_life life;
    bool debug; /* PCR0 is all zero */
};

/* COF_E_AUTH whatever the document's fault; COF_E_USAGE for a policy that cannot be meant; COF_E_MEMORY. *out is
 * zeroed on failure. */
COF_MUST_USE enum cof_err cof_attest_verify(struct cof_view doc, const struct cof_attest_policy *policy,
                                            struct cof_attest *out, struct cof_diag *diag);

/* AWS's commercial-partition root, DER; static storage (src/engine/attest_root.c). */
struct cof_view cof_attest_aws_root(void);

#endif
