/* SPDX-License-Identifier: Apache-2.0
 *
 * Receipts for people and scripts.
 */
#ifndef COF_COFFER_RECEIPT_VIEW_H
#define COF_COFFER_RECEIPT_VIEW_H

#include "engine/receipt.h"

void print_pcrs(const struct cof_attest *attest); /* those that are not zero */
void print_receipt(const struct cof_receipt *receipt, const struct cof_attest *attest);
/* measured: whether the enclave's measurements were compared with expected ones. */
void receipt_json(const struct cof_receipt *receipt, const struct cof_attest *attest, bool measured, struct cof_buf *out);

#endif
