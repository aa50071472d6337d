/* SPDX-License-Identifier: Apache-2.0 */
#include "base/xxh3.h"

#include "base/xxh64.h"

#include <string.h>

/* The specification's numbers. */
#define P32_1 UINT64_C(0x9e3779b1)
#define P32_2 UINT64_C(0x85ebca77)
#define P32_3 UINT64_C(0xc2b2ae3d)
#define MX1 UINT64_C(0x165667919e3779f9)
#define MX2 UINT64_C(0x9fb21c651e98df25)
#define SECRET 192
#define SECRET_MIN 136
#define BLOCK_STRIPES ((SECRET - 64) / 8)

static const uint8_t secret[SECRET] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4, 0x6d, 0xe9,
    0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78,
    0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, 0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6,
    0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8, 0xa8, 0xfa, 0x76, 0x3f,
    0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31,
    0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff,
    0xfa, 0x13, 0x63, 0xeb, 0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f,
    0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e};

static uint64_t load(const uint8_t *p)
{
    return cof_xxh_load64(p);
}

static struct cof_xxh128 multiply(uint64_t a, uint64_t b)
{
    uint64_t al = a & UINT32_MAX, ah = a >> 32, bl = b & UINT32_MAX, bh = b >> 32;
    uint64_t ll = al * bl, hl = ah * bl, lh = al * bh, hh = ah * bh;
    uint64_t middle = (ll >> 32) + (hl & UINT32_MAX) + lh;

    return (struct cof_xxh128){hh + (hl >> 32) + (middle >> 32), middle << 32 | (ll & UINT32_MAX)};
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    struct cof_xxh128 p = multiply(a, b);

    return p.low ^ p.high;
}

static uint64_t avalanche(uint64_t h)
{
    h = (h ^ h >> 37) * MX1;
    return h ^ h >> 32;
}

static uint64_t swap(uint64_t v)
{
    uint64_t out = 0;

    for (int i = 0; i < 8; i++, v >>= 8)
        out = out << 8 | (v & 0xff);
    return out;
}

static uint64_t turn(uint64_t v, unsigned bits)
{
    return v << bits | v >> (64 - bits);
}

static uint64_t mix16(const uint8_t *in, const uint8_t *key)
{
    return fold(load(in) ^ load(key), load(in + 8) ^ load(key + 8));
}

static void mix32(struct cof_xxh128 *acc, const uint8_t *a, const uint8_t *b, const uint8_t *key)
{
    acc->low = (acc->low + mix16(a, key)) ^ (load(b) + load(b + 8));
    acc->high = (acc->high + mix16(b, key + 16)) ^ (load(a) + load(a + 8));
}

/* One to three bytes as one number. */
static uint32_t few(const uint8_t *in, size_t len)
{
    return (uint32_t)in[0] << 16 | (uint32_t)in[len >> 1] << 24 | in[len - 1] | (uint32_t)len << 8;
}

static uint64_t short64(const uint8_t *in, size_t len)
{
    uint64_t a, b, acc = len * COF_XXH_P1, tail = 0;

    if (len == 0)
        return cof_xxh64_avalanche(load(secret + 56) ^ load(secret + 64));
    if (len <= 3)
        return cof_xxh64_avalanche(few(in, len) ^ (uint64_t)(cof_xxh_load32(secret) ^ cof_xxh_load32(secret + 4)));
    if (len <= 8) {
        a = (cof_xxh_load32(in + len - 4) + ((uint64_t)cof_xxh_load32(in) << 32)) ^ load(secret + 8) ^ load(secret + 16);
        a = (a ^ turn(a, 49) ^ turn(a, 24)) * MX2;
        a = (a ^ ((a >> 35) + len)) * MX2;
        return a ^ a >> 28;
    }
    if (len <= 16) {
        a = load(in) ^ load(secret + 24) ^ load(secret + 32);
        b = load(in + len - 8) ^ load(secret + 40) ^ load(secret + 48);
        return avalanche(len + swap(a) + b + fold(a, b));
    }
    if (len <= 128) {
        for (size_t i = (len - 1) / 32 + 1; i-- > 0;)
            acc += mix16(in + 16 * i, secret + 32 * i) + mix16(in + len - 16 * (i + 1), secret + 32 * i + 16);
        return avalanche(acc);
    }
    for (size_t i = 0; i < 8; i++)
        acc += mix16(in + 16 * i, secret + 16 * i);
    for (size_t i = 8; i < len / 16; i++)
        tail += mix16(in + 16 * i, secret + 16 * (i - 8) + 3);
    tail += mix16(in + len - 16, secret + SECRET_MIN - 17);
    return avalanche(avalanche(acc) + tail);
}

static struct cof_xxh128 of_1_to_3(const uint8_t *in, size_t len)
{
    uint32_t low = few(in, len), high = (uint32_t)(swap(low) >> 32);

    high = high << 13 | high >> 19;
    return (struct cof_xxh128){
        cof_xxh64_avalanche(high ^ (uint64_t)(cof_xxh_load32(secret + 8) ^ cof_xxh_load32(secret + 12))),
        cof_xxh64_avalanche(low ^ (uint64_t)(cof_xxh_load32(secret) ^ cof_xxh_load32(secret + 4)))};
}

static struct cof_xxh128 of_4_to_8(const uint8_t *in, size_t len)
{
    uint64_t both = cof_xxh_load32(in) + ((uint64_t)cof_xxh_load32(in + len - 4) << 32);
    struct cof_xxh128 m = multiply(both ^ load(secret + 16) ^ load(secret + 24), COF_XXH_P1 + (len << 2));

    m.high += m.low << 1;
    m.low ^= m.high >> 3;
    m.low = (m.low ^ m.low >> 35) * MX2;
    m.low ^= m.low >> 28;
    m.high = avalanche(m.high);
    return m;
}

static struct cof_xxh128 of_9_to_16(const uint8_t *in, size_t len)
{
    uint64_t low = load(in), high = load(in + len - 8);
    struct cof_xxh128 m = multiply(low ^ high ^ load(secret + 32) ^ load(secret + 40), COF_XXH_P1), h;

    m.low += (uint64_t)(len - 1) << 54;
    high ^= load(secret + 48) ^ load(secret + 56);
    m.high += high + (high & UINT32_MAX) * (P32_2 - 1);
    m.low ^= swap(m.high);
    h = multiply(m.low, COF_XXH_P2);
    h.high += m.high * COF_XXH_P2;
    return (struct cof_xxh128){avalanche(h.high), avalanche(h.low)};
}

static struct cof_xxh128 short128(const uint8_t *in, size_t len)
{
    struct cof_xxh128 acc = {0, len * COF_XXH_P1};

    if (len == 0)
        return (struct cof_xxh128){cof_xxh64_avalanche(load(secret + 80) ^ load(secret + 88)),
            cof_xxh64_avalanche(load(secret + 64) ^ load(secret + 72))};
    if (len <= 3)
        return of_1_to_3(in, len);
    if (len <= 8)
        return of_4_to_8(in, len);
    if (len <= 16)
        return of_9_to_16(in, len);
    if (len <= 128) {
        for (size_t i = (len - 1) / 32 + 1; i-- > 0;)
            mix32(&acc, in + 16 * i, in + len - 16 * (i + 1), secret + 32 * i);
    } else {
        for (size_t i = 0; i < 128; i += 32)
            mix32(&acc, in + i, in + i + 16, secret + i);
        acc = (struct cof_xxh128){avalanche(acc.high), avalanche(acc.low)};
        for (size_t i = 128; i + 32 <= len; i += 32)
            mix32(&acc, in + i, in + i + 16, secret + 3 + i - 128);
        mix32(&acc, in + len - 16, in + len - 32, secret + SECRET_MIN - 17 - 16);
    }
    return (struct cof_xxh128){0 - avalanche(acc.low * COF_XXH_P1 + acc.high * COF_XXH_P4 + len * COF_XXH_P2),
        avalanche(acc.low + acc.high)};
}

static void accumulate(uint64_t acc[static 8], const uint8_t *in, const uint8_t *key)
{
    for (size_t i = 0; i < 8; i++) {
        uint64_t value = load(in + 8 * i), keyed = value ^ load(key + 8 * i);

        acc[i ^ 1] += value;
        acc[i] += (keyed & UINT32_MAX) * (keyed >> 32);
    }
}

/* A stripe that is not the input's end. */
static void take(struct cof_xxh3 *x, const uint8_t *in)
{
    accumulate(x->acc, in, secret + 8 * x->stripes);
    if (++x->stripes < BLOCK_STRIPES)
        return;
    for (size_t i = 0; i < 8; i++)
        x->acc[i] = (x->acc[i] ^ x->acc[i] >> 47 ^ load(secret + SECRET - 64 + 8 * i)) * P32_1;
    x->stripes = 0;
}

static uint64_t merge(const uint64_t acc[static 8], const uint8_t *key, uint64_t start)
{
    for (size_t i = 0; i < 4; i++)
        start += fold(acc[2 * i] ^ load(key + 16 * i), acc[2 * i + 1] ^ load(key + 16 * i + 8));
    return avalanche(start);
}

/* The accumulators with the last 64 bytes, which may have been taken in part. */
static void end(const struct cof_xxh3 *x, uint64_t acc[static 8])
{
    uint8_t stripe[64];

    memcpy(acc, x->acc, sizeof x->acc);
    memcpy(stripe, x->last + x->n_rest, sizeof stripe - x->n_rest);
    memcpy(stripe + sizeof stripe - x->n_rest, x->rest, x->n_rest);
    accumulate(acc, stripe, secret + SECRET - 64 - 7);
}

void cof_xxh3_init(struct cof_xxh3 *x)
{
    *x = (struct cof_xxh3){
        .acc = {P32_3, COF_XXH_P1, COF_XXH_P2, COF_XXH_P3, COF_XXH_P4, P32_2, COF_XXH_P5, P32_1}};
}

void cof_xxh3_update(struct cof_xxh3 *x, struct cof_view data)
{
    if (data.len == 0)
        return;
    if (x->total < COF_XXH3_SHORT) {
        size_t room = COF_XXH3_SHORT - (size_t)x->total;

        memcpy(x->head + x->total, data.data, data.len < room ? data.len : room);
    }
    x->total += data.len;
    while (data.len > 0) {
        size_t n = 64 - x->n_rest;

        if (n == 0) { /* a whole stripe waited to see whether it is the last */
            take(x, x->rest);
            memcpy(x->last, x->rest, 64);
            x->n_rest = 0;
            for (; data.len > 64; data = cof_view_sub(data, 64, SIZE_MAX)) {
                take(x, data.data);
                memcpy(x->last, data.data, 64);
            }
            continue;
        }
        n = data.len < n ? data.len : n;
        memcpy(x->rest + x->n_rest, data.data, n);
        x->n_rest += n;
        data = cof_view_sub(data, n, SIZE_MAX);
    }
}

uint64_t cof_xxh3_value64(const struct cof_xxh3 *x)
{
    uint64_t acc[8];

    if (x->total <= COF_XXH3_SHORT)
        return short64(x->head, (size_t)x->total);
    end(x, acc);
    return merge(acc, secret + 11, x->total * COF_XXH_P1);
}

struct cof_xxh128 cof_xxh3_value128(const struct cof_xxh3 *x)
{
    uint64_t acc[8];

    if (x->total <= COF_XXH3_SHORT)
        return short128(x->head, (size_t)x->total);
    end(x, acc);
    return (struct cof_xxh128){
        merge(acc, secret + SECRET - 64 - 11, ~(x->total * COF_XXH_P2)), merge(acc, secret + 11, x->total * COF_XXH_P1)};
}
