/* SPDX-License-Identifier: Apache-2.0
 *
 * How far a long transfer is, on standard error: one line that is written over, only when that is a terminal; otherwise nothing.
 */
#ifndef COF_PROG_PROGRESS_H
#define COF_PROG_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct cof_progress {
    const char *label;
    uint64_t total, done; /* bytes; total 0: not known */
    int64_t started_ms, shown_ms;
    bool is_on, was_shown;
};

/* Nothing is shown in the first half second, nor when quiet. */
void cof_progress_begin(struct cof_progress *p, const char *label, uint64_t total, bool quiet);
void cof_progress_add(struct cof_progress *p, uint64_t bytes);
/* Clears the line. */
void cof_progress_end(struct cof_progress *p);

#endif
