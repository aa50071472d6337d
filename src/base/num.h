/* SPDX-License-Identifier: Apache-2.0
 *
 * Checked numbers: strict decimal parsing and length arithmetic that cannot wrap.
 */
#ifndef COF_BASE_NUM_H
#define COF_BASE_NUM_H

#include "base/view.h"

/* Decimal digits only: no sign, no space, no leading zero but "0" itself. COF_E_FORMAT, or COF_E_LIMIT over max. */
COF_MUST_USE enum cof_err cof_parse_u64(struct cof_view text, uint64_t max, uint64_t *out);
/* The same with leading zeros allowed (dates, ports in old files). */
COF_MUST_USE enum cof_err cof_parse_u64_padded(struct cof_view text, uint64_t max, uint64_t *out);
/* "64K", "8M", "2G" (binary multiples), or plain bytes. */
COF_MUST_USE enum cof_err cof_parse_size(struct cof_view text, uint64_t max, uint64_t *out);

/* COF_E_LIMIT when the result does not fit. */
COF_MUST_USE enum cof_err cof_add_size(size_t a, size_t b, size_t *out);
COF_MUST_USE enum cof_err cof_mul_size(size_t a, size_t b, size_t *out);

#endif
