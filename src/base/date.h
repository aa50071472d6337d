/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates as text <-> milliseconds since 1970-01-01T00:00:00Z. No clock is read here; proleptic Gregorian, years
 * 1970-9999, no leap seconds.
 */
#ifndef COF_BASE_DATE_H
#define COF_BASE_DATE_H

#include "base/view.h"

#define COF_DATE_MAX 40 /* the longest text below, with its NUL */

void cof_date_iso(int64_t ms, char out[static COF_DATE_MAX]);        /* 2026-11-23T18:00:00.123Z */
void cof_date_iso_seconds(int64_t ms, char out[static COF_DATE_MAX]); /* 2026-11-23T18:00:00Z */
void cof_date_amz(int64_t ms, char out[static COF_DATE_MAX]);        /* 20261123T180000Z, SigV4's X-Amz-Date */
void cof_date_http(int64_t ms, char out[static COF_DATE_MAX]);       /* Mon, 23 Nov 2026 18:00:00 GMT */

COF_MUST_USE enum cof_err cof_date_parse_iso(struct cof_view text, int64_t *ms); /* with or without fraction; Z or +hh:mm */
COF_MUST_USE enum cof_err cof_date_parse_amz(struct cof_view text, int64_t *ms);
COF_MUST_USE enum cof_err cof_date_parse_http(struct cof_view text, int64_t *ms);

#endif
