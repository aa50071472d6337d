/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/burst.h"

#include <stddef.h>

#define TOKEN 1000

void cof_burst_init(struct cof_burst *b, uint32_t per_s, uint32_t most, int64_t now_ms)
{
    *b = (struct cof_burst){.per_s = per_s, .most = most, .milli = (int64_t)most * TOKEN, .last_ms = now_ms};
}

/* A clock that goes back gives nothing; a long rest no more than the bucket holds. */
static void refill(struct cof_burst *b, int64_t now_ms)
{
    int64_t full = (int64_t)b->most * TOKEN, gone_ms = now_ms - b->last_ms;

    if (gone_ms <= 0)
        return;
    b->last_ms = now_ms;
    b->milli = gone_ms > full / b->per_s ? full : b->milli + gone_ms * b->per_s;
    if (b->milli > full)
        b->milli = full;
}

bool cof_burst_take(struct cof_burst *b, int64_t now_ms, uint64_t *left_out)
{
    refill(b, now_ms);
    if (b->milli < TOKEN) {
        b->n_left_out++;
        return false;
    }
    b->milli -= TOKEN;
    if (left_out != NULL)
        *left_out = b->n_left_out;
    b->n_left_out = 0;
    return true;
}

int64_t cof_burst_wait_ms(struct cof_burst *b, int64_t now_ms)
{
    refill(b, now_ms);
    return b->milli >= TOKEN ? 0 : (TOKEN - b->milli + b->per_s - 1) / b->per_s;
}
