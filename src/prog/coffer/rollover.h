/* SPDX-License-Identifier: Apache-2.0
 *
 * What the rooms of `coffer policy rollover` share: its command line, what a step works with, the images, the telling.
 */
#ifndef COF_COFFER_ROLLOVER_H
#define COF_COFFER_ROLLOVER_H

#include "common.h"
#include "expected.h"
#include "rollover_file.h"

#include "client/sts.h"

struct rollover_config {
    struct aws_options aws;
    struct expected_options expected;
    struct cof_text_list keys, without_proof;
    const char *history, *image, *old_image, *receipt;
    uint64_t wait_s;
    bool json, need_signature, accept_changes;
};

/* What a step works with. */
struct rollover_run {
    const struct rollover_config *config;
    struct rollover_file file;
    struct aws_use aws;
    struct cof_sts_identity who;
    struct cof_buf policies[COF_ROLLOVER_KEYS_MAX]; /* as they are now */
    struct cof_diag *diag;
};

/* An image file (.eif), or what coffer eif describe --json prints of one. COF_E_AUTH when it is damaged, wrongly signed, or a debug
 * enclave's. */
COF_MUST_USE enum cof_err rollover_measure(const struct rollover_config *config, const char *path, struct cof_measurement *out,
                                           struct cof_diag *diag);
/* The new image, from its file, from a signed manifest, or from both, which must then agree. Appends a JSON object about it. */
COF_MUST_USE enum cof_err rollover_new_image(struct rollover_run *run, struct cof_measurement *out, struct cof_buf *image);

/* Where the rollover stands; with policies (which were read into run), also what each lists. */
COF_MUST_USE enum cof_err rollover_tell(struct rollover_run *run, bool with_policies);
/* What staging would change in the policies that were read into run, and finishing after it. */
COF_MUST_USE enum cof_err rollover_tell_plan(struct rollover_run *run);
COF_MUST_USE enum cof_err rollover_tell_history(struct rollover_run *run);

/* A complaint about one key names it. Returns err. */
enum cof_err rollover_about(struct rollover_run *run, const char *arn, enum cof_err err, const struct cof_diag *why);

#endif
