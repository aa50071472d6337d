/* SPDX-License-Identifier: Apache-2.0
 *
 * What an enclave is expected to be, from the command line: measurements (--pcr), or the signed manifest of a release
 * (--expect, --trust) with what is remembered of the one before it.
 */
#ifndef COF_COFFER_EXPECTED_H
#define COF_COFFER_EXPECTED_H

#include "engine/attest_manifest.h"
#include "engine/receipt.h"
#include "prog/options.h"

#define EXPECTED_PCRS_MAX (COF_LIST_MAX + COF_ATTEST_PCRS)

struct expected_options {
    struct cof_text_list pcrs;
    const char *root, *manifest, *trust, *remember;
    uint64_t min_serial;
};
/* The member of the verb's config must be called expected. */
#define MANIFEST_OPTIONS(type)                                                                                         \
    {"expect", 0, COF_OPT_TEXT, "MANIFEST", "the measurements of a signed manifest, which must be in force", offsetof(type, expected.manifest)}, \
    {"trust", 0, COF_OPT_TEXT, "PEMFILE", "with --expect: the public key that signs manifests", offsetof(type, expected.trust)}, \
    {"min-serial", 0, COF_OPT_NUMBER, "N", "with --expect: refuse a manifest with a lower serial number", offsetof(type, expected.min_serial)}, \
    {"remember", 0, COF_OPT_TEXT, "FILE", "with --expect: keep the highest serial number seen there, refuse a lower one", offsetof(type, expected.remember)}
#define EXPECTED_OPTIONS(type)                                                                                         \
    {"root", 0, COF_OPT_TEXT, "PEMFILE", "the root certificate to pin (default: AWS's Nitro root)", offsetof(type, expected.root)}, \
    {"pcr", 0, COF_OPT_LIST, "N=HEX", "a measurement that the enclave must have; repeatable", offsetof(type, expected.pcrs)}, \
    MANIFEST_OPTIONS(type)

struct expected {
    struct cof_buf root; /* DER */
    struct cof_manifest manifest;
    bool has_manifest;
    uint8_t bytes[COF_LIST_MAX][COF_ATTEST_PCR_SIZE];
    struct cof_attest_pcr pcrs[EXPECTED_PCRS_MAX]; /* those of --pcr, then the manifest's */
    size_t n_given, n;
    const struct expected_options *options;
    struct cof_attest_policy policy; /* archive mode; points into this struct: do not move it */
};
/* Reads and verifies what the options name. Call expected_done whatever it returns. */
COF_MUST_USE enum cof_err expected_open(const struct expected_options *options, struct expected *out, struct cof_diag *diag);
/* After the document (and receipt, or NULL) verified: the manifest must be in force when the document is judged, and name the
 * keys of the receipt. Then its serial number is remembered. */
COF_MUST_USE enum cof_err expected_judge(const struct expected *expected, int64_t at_ms, const struct cof_receipt *receipt,
                                         struct cof_diag *diag);
void expected_done(struct expected *expected);

/* A manifest file under a key file, for other verbs. */
COF_MUST_USE enum cof_err manifest_read(const char *path, const char *trust, struct cof_manifest *out, struct cof_diag *diag);
/* "N=HEX" */
COF_MUST_USE enum cof_err pcr_parse(const char *text, unsigned *index, uint8_t out[static COF_ATTEST_PCR_SIZE],
                                    struct cof_diag *diag);

#endif
