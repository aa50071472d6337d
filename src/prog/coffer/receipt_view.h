/* SPDX-License-Identifier: Apache-2.0
 *
 * Expected measurements from the command line, and receipts for people and scripts.
 */
#ifndef COF_COFFER_RECEIPT_VIEW_H
#define COF_COFFER_RECEIPT_VIEW_H

#include "engine/receipt.h"
#include "prog/options.h"

#define EXPECTED_PCRS_MAX 32

struct expected {
    struct cof_buf root; /* DER */
    uint8_t bytes[EXPECTED_PCRS_MAX][COF_ATTEST_PCR_SIZE];
    struct cof_attest_pcr pcrs[EXPECTED_PCRS_MAX];
    size_t n;
    struct cof_attest_policy policy; /* points into this struct: do not move it */
};
/* "N=HEX" texts and a PEM file (NULL: AWS's root). Call expected_done whatever it returns. */
COF_MUST_USE enum cof_err expected_parse(const struct cof_text_list *pcrs, const char *root, struct expected *out,
                                         struct cof_diag *diag);
void expected_done(struct expected *expected);

void print_pcrs(const struct cof_attest *attest); /* those that are not zero */
void print_receipt(const struct cof_receipt *receipt, const struct cof_attest *attest);
void receipt_json(const struct cof_receipt *receipt, const struct cof_attest *attest, struct cof_buf *out);

#endif
