/* SPDX-License-Identifier: Apache-2.0
 *
 * Eight bytes of text looked at together, for scanners whose texts are mostly in order: whether any of them is of a kind, not which.
 */
#ifndef COF_BASE_EIGHT_H
#define COF_BASE_EIGHT_H

#include "base/view.h"

#define COF_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Those from `at` on, a multiple of eight; where fewer are left the last eight, most of which were seen before; a text of fewer than eight
 * is followed by spaces. */
static inline uint64_t cof_eight(struct cof_view v, size_t at)
{
    uint64_t x = COF_EACH(' ');

    if (v.len >= sizeof x)
        memcpy(&x, v.data + (at <= v.len - sizeof x ? at : v.len - sizeof x), sizeof x);
    else if (v.len > 0)
        memcpy(&x, v.data, v.len);
    return x;
}

/* Whether one of them is less than n, which is at most 0x80. A borrow that one such byte causes may make others seem so, never without one. */
static inline bool cof_eight_has_less(uint64_t x, uint8_t n)
{
    return ((x - COF_EACH(n)) & ~x & COF_EACH(0x80)) != 0;
}

static inline bool cof_eight_has(uint64_t x, uint8_t byte)
{
    return cof_eight_has_less(x ^ COF_EACH(byte), 1);
}

/* Whether one of them is over 0x7f. */
static inline bool cof_eight_has_high(uint64_t x)
{
    return (x & COF_EACH(0x80)) != 0;
}

#endif
