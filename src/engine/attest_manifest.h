/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest of a release: which measurements an enclave image has, which KMS keys it may work with, and for how long this
 * is so, signed by whoever released it. Verifiers are given the manifest and the releaser's public key in place of hex
 * digits. It is a COSE_Sign1 (ES384 or ES256, as the key's curve wants) over JSON; docs/manifest.md is its definition. Pure:
 * times are arguments, and remembering serial numbers is the caller's matter.
 */
#ifndef COF_ENGINE_ATTEST_MANIFEST_H
#define COF_ENGINE_ATTEST_MANIFEST_H

#include "crypto/ecdsa.h"
#include "engine/attest_verify.h"

#define COF_MANIFEST_MAX 32768      /* bytes, signed */
#define COF_MANIFEST_NAME_MAX 129   /* with NUL */
#define COF_MANIFEST_VERSION_MAX 65
#define COF_MANIFEST_ARN_MAX 257
#define COF_MANIFEST_KEYS_MAX 16
#define COF_MANIFEST_SERIAL_MAX ((int64_t)1 << 53) /* what every JSON reader holds exactly */

struct cof_manifest {
    char image[COF_MANIFEST_NAME_MAX], version[COF_MANIFEST_VERSION_MAX]; /* printable ASCII */
    int64_t serial;                    /* from 1; the release after it has a higher one (C-10) */
    int64_t issued_ms, expires_ms;     /* whole seconds; the first is in, the last is out */
    uint32_t pcr_mask;                 /* bit i: PCR i is pinned; 0, 1 and 2 always are (C-14, C-15) */
    uint8_t pcrs[COF_ATTEST_PCRS][COF_ATTEST_PCR_SIZE]; /* none is all zero (C-13) */
    char key_arns[COF_MANIFEST_KEYS_MAX][COF_MANIFEST_ARN_MAX];
    size_t n_key_arns;                 /* 0: nothing is said of keys */
};

/* The JSON alone. COF_E_FORMAT, COF_E_LIMIT; diag names the member. */
COF_MUST_USE enum cof_err cof_manifest_parse(struct cof_view json, struct cof_manifest *out, struct cof_diag *diag);
/* Adds the JSON; COF_E_USAGE when it would not be parsed again. */
COF_MUST_USE enum cof_err cof_manifest_add(struct cof_buf *out, const struct cof_manifest *manifest, struct cof_diag *diag);

/* Signs and adds. COF_E_USAGE for a key that is public, or not on P-384 or P-256. */
COF_MUST_USE enum cof_err cof_manifest_sign(const struct cof_manifest *manifest, const struct cof_ecdsa_key *key,
                                            struct cof_buf *out, struct cof_diag *diag);
/* COF_E_AUTH whatever is wrong with the manifest; *out is zeroed then. Says nothing of its time. */
COF_MUST_USE enum cof_err cof_manifest_verify(struct cof_view signed_bytes, const struct cof_ecdsa_key *trust,
                                              struct cof_manifest *out, struct cof_diag *diag);
/* COF_E_AUTH unless it is in force at that time. what ("now", "the document's own time") is for the diag. */
COF_MUST_USE enum cof_err cof_manifest_in_force(const struct cof_manifest *manifest, int64_t at_ms, const char *what,
                                                struct cof_diag *diag);
/* Whether the key may be used under it. */
bool cof_manifest_allows_key(const struct cof_manifest *manifest, struct cof_view key_arn);
/* Its PCRs as a policy wants them (views into the manifest); returns how many. */
size_t cof_manifest_pcrs(const struct cof_manifest *manifest, struct cof_attest_pcr out[static COF_ATTEST_PCRS]);

#endif
