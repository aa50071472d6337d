/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pace.h"

#define PIECE_MIN 1024
#define LATE_US 100000 /* that a late timer may cost is made up for */

int64_t cof_pace_book(struct cof_pace *pace, size_t bytes, int64_t now_ms)
{
    int64_t now = now_ms * 1000, wait;

    if (pace == NULL || pace->bytes_per_s == 0)
        return 0;
    if (pace->free_us == 0)
        pace->free_us = now;
    if (pace->free_us < now - LATE_US)
        pace->free_us = now - LATE_US;
    wait = pace->free_us > now ? pace->free_us - now : 0;
    pace->free_us += (int64_t)((double)bytes * 1e6 / (double)pace->bytes_per_s);
    return (wait + 999) / 1000;
}

size_t cof_pace_piece(const struct cof_pace *pace, size_t wished)
{
    uint64_t most;

    if (pace == NULL || pace->bytes_per_s == 0)
        return wished;
    most = pace->bytes_per_s / 4 < PIECE_MIN ? PIECE_MIN : pace->bytes_per_s / 4;
    return wished > most ? (size_t)most : wished;
}
