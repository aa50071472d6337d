/* SPDX-License-Identifier: Apache-2.0
 *
 * A cap on bytes a second that several transfers share: each asks before it moves a piece, and is told how long to wait.
 */
#ifndef COF_ENGINE_PACE_H
#define COF_ENGINE_PACE_H

#include <stddef.h>
#include <stdint.h>

struct cof_pace {
    uint64_t bytes_per_s; /* 0: no cap */
    int64_t free_us;      /* when the next piece may go */
};

/* Milliseconds (rounded up) until bytes may be moved; the time they take is booked. Who comes late by a little catches up. now_ms: of
 * any monotonic clock. */
int64_t cof_pace_book(struct cof_pace *pace, size_t bytes, int64_t now_ms);
/* How large pieces should be: at most a quarter of a second's, at least 1 KiB. */
size_t cof_pace_piece(const struct cof_pace *pace, size_t wished);

#endif
