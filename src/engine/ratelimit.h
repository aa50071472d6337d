/* SPDX-License-Identifier: Apache-2.0
 *
 * A token bucket per subject in a table of fixed size. When the table is full the subject seen longest ago is
 * forgotten (it starts again with a full bucket), so memory stays bounded whoever comes.
 */
#ifndef COF_ENGINE_RATELIMIT_H
#define COF_ENGINE_RATELIMIT_H

#include "base/view.h"

struct cof_ratelimit; /* heap */

struct cof_ratelimit_config {
    uint32_t per_minute; /* tokens that come back in a minute; 1 .. 60,000,000 */
    uint32_t burst;      /* the most a bucket holds, and what it starts with; 1 .. 1,000,000 */
    uint32_t n_subjects; /* slots of the table; 1 .. 1,048,576 */
};

COF_MUST_USE enum cof_err cof_ratelimit_new(const struct cof_ratelimit_config *config, struct cof_ratelimit **out);
void cof_ratelimit_free(struct cof_ratelimit *limit);

/* Takes cost tokens from the subject's bucket. COF_OK, or COF_E_THROTTLED with the time to wait in *retry_after_ms
 * (INT64_MAX when cost is over the burst, which never passes); nothing is taken then. Subjects are told apart by their
 * SHA-256. A clock that goes back gives no tokens. */
COF_MUST_USE enum cof_err cof_ratelimit_take(struct cof_ratelimit *limit, struct cof_view subject, uint32_t cost,
                                             int64_t now_ms, int64_t *retry_after_ms);

#endif
