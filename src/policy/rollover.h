/* SPDX-License-Identifier: Apache-2.0
 *
 * A key policy while an enclave image is rolled out: its conditions on measurements get the new image's beside the old one's, and
 * later lose the old one's. Only the values of kms:RecipientAttestation:ImageSha384, PCR0, PCR1 and PCR2 are touched; every
 * other byte of meaning stays. A policy in which the conditions do not agree with each other is refused: adding to it would
 * hide what is wrong.
 */
#ifndef COF_POLICY_ROLLOVER_H
#define COF_POLICY_ROLLOVER_H

#include "policy/deployment.h"

#define COF_ROLLOVER_VALUES_MAX 8

/* PCR0, 1 and 2, lower-case hex. */
struct cof_measurement {
    char pcr[3][COF_PCR_HEX + 1];
};
bool cof_measurement_eq(const struct cof_measurement *a, const struct cof_measurement *b);

/* Appends the policy in the one form that all texts of the same meaning have: without white space, members and lists sorted, a
 * list of one as that one. KMS gives a policy back in another form than it was put, and in another order each time
 * (aws-cli#9456). COF_E_CONFIG for what is no policy. */
COF_MUST_USE enum cof_err cof_rollover_canonical(struct cof_view policy, struct cof_buf *out, struct cof_diag *diag);

/* What all conditions of a policy list. ImageSha384 is PCR0 by its other name. */
struct cof_rollover_lists {
    char items[3][COF_ROLLOVER_VALUES_MAX][COF_PCR_HEX + 1];
    size_t n[3];
    size_t n_conditions;
};

/* COF_E_CONFIG: no policy, no condition on PCR0, PCR1 or PCR2, lists that differ between statements, a value that is no PCR or
 * is all zero, an operator that compares otherwise than for equality. diag says which. */
COF_MUST_USE enum cof_err cof_rollover_read(struct cof_view policy, struct cof_rollover_lists *out, struct cof_diag *diag);
bool cof_rollover_has(const struct cof_rollover_lists *lists, const struct cof_measurement *m);
/* The one image that the lists stand for; COF_E_CONFIG when there are several. */
COF_MUST_USE enum cof_err cof_rollover_only(const struct cof_rollover_lists *lists, struct cof_measurement *out,
                                            struct cof_diag *diag);

/* Appends the policy with the image added to every list that lacks it. The same text when none does. */
COF_MUST_USE enum cof_err cof_rollover_add(struct cof_view policy, const struct cof_measurement *image, struct cof_buf *out,
                                           struct cof_diag *diag);
/* Appends the policy without the image. What it shares with stays is kept; so are its PCR1 and PCR2 when images other than
 * the two are listed, since the lists do not tell whose they are (they open nothing without their PCR0). COF_E_CONFIG when
 * stays is not listed: then nothing would be left that is known to work. */
COF_MUST_USE enum cof_err cof_rollover_remove(struct cof_view policy, const struct cof_measurement *image,
                                              const struct cof_measurement *stays, struct cof_buf *out, struct cof_diag *diag);

#endif
