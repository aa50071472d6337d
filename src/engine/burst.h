/* SPDX-License-Identifier: Apache-2.0
 *
 * A token bucket of one subject: how often something may happen, with a reserve. For log lines, new connections, events.
 */
#ifndef COF_ENGINE_BURST_H
#define COF_ENGINE_BURST_H

#include <stdbool.h>
#include <stdint.h>

struct cof_burst {
    uint32_t per_s, most;    /* what comes back in a second, and the most it holds; 1 to 1,000,000 */
    int64_t milli, last_ms;  /* thousandths of a token */
    uint64_t n_left_out;     /* refused since the last one that passed */
};

/* Full, at that time (of any monotonic clock). */
void cof_burst_init(struct cof_burst *burst, uint32_t per_s, uint32_t most, int64_t now_ms);
/* Takes one. *left_out (may be NULL): how many were refused before it, since the last that passed. */
bool cof_burst_take(struct cof_burst *burst, int64_t now_ms, uint64_t *left_out);
/* Milliseconds until the next may pass; 0: now. */
int64_t cof_burst_wait_ms(struct cof_burst *burst, int64_t now_ms);

#endif
