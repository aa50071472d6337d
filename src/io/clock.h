/* SPDX-License-Identifier: Apache-2.0
 *
 * The clocks, read only here.
 */
#ifndef COF_IO_CLOCK_H
#define COF_IO_CLOCK_H

#include <stdint.h>

int64_t cof_clock_wall_ms(void);      /* since 1970-01-01T00:00:00Z */
int64_t cof_clock_monotonic_ms(void); /* for durations and deadlines */
int64_t cof_clock_monotonic_us(void); /* for short ones */

#endif
