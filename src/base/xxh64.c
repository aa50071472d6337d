/* SPDX-License-Identifier: Apache-2.0 */
#include "base/xxh64.h"

#include <string.h>

uint32_t cof_xxh_load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t cof_xxh_load64(const uint8_t *p)
{
    return cof_xxh_load32(p) | (uint64_t)cof_xxh_load32(p + 4) << 32;
}

uint64_t cof_xxh64_avalanche(uint64_t h)
{
    h = (h ^ h >> 33) * COF_XXH_P2;
    h = (h ^ h >> 29) * COF_XXH_P3;
    return h ^ h >> 32;
}

static uint64_t turn(uint64_t v, unsigned bits)
{
    return v << bits | v >> (64 - bits);
}

static uint64_t one_round(uint64_t lane, uint64_t input)
{
    return turn(lane + input * COF_XXH_P2, 31) * COF_XXH_P1;
}

void cof_xxh64_init(struct cof_xxh64 *x)
{
    *x = (struct cof_xxh64){.lane = {COF_XXH_P1 + COF_XXH_P2, COF_XXH_P2, 0, 0 - COF_XXH_P1}};
}

static void take(struct cof_xxh64 *x, const uint8_t *p)
{
    for (size_t i = 0; i < 4; i++)
        x->lane[i] = one_round(x->lane[i], cof_xxh_load64(p + 8 * i));
}

void cof_xxh64_update(struct cof_xxh64 *x, struct cof_view data)
{
    size_t waiting = (size_t)(x->total & 31);

    x->total += data.len;
    if (waiting > 0) {
        size_t n = data.len < 32 - waiting ? data.len : 32 - waiting;

        if (n > 0)
            memcpy(x->rest + waiting, data.data, n);
        data = cof_view_sub(data, n, SIZE_MAX);
        if (waiting + n < 32)
            return;
        take(x, x->rest);
    }
    for (; data.len >= 32; data = cof_view_sub(data, 32, SIZE_MAX))
        take(x, data.data);
    if (data.len > 0)
        memcpy(x->rest, data.data, data.len);
}

uint64_t cof_xxh64_value(const struct cof_xxh64 *x)
{
    const uint64_t *l = x->lane;
    const uint8_t *p = x->rest, *end = p + (x->total & 31);
    uint64_t h = COF_XXH_P5;

    if (x->total >= 32) {
        h = turn(l[0], 1) + turn(l[1], 7) + turn(l[2], 12) + turn(l[3], 18);
        for (size_t i = 0; i < 4; i++)
            h = (h ^ one_round(0, l[i])) * COF_XXH_P1 + COF_XXH_P4;
    }
    h += x->total;
    for (; end - p >= 8; p += 8)
        h = turn(h ^ one_round(0, cof_xxh_load64(p)), 27) * COF_XXH_P1 + COF_XXH_P4;
    if (end - p >= 4) {
        h = turn(h ^ cof_xxh_load32(p) * COF_XXH_P1, 23) * COF_XXH_P2 + COF_XXH_P3;
        p += 4;
    }
    for (; p < end; p++)
        h = turn(h ^ *p * COF_XXH_P5, 11) * COF_XXH_P1;
    return cof_xxh64_avalanche(h);
}
