/* SPDX-License-Identifier: Apache-2.0 */
#include "base/md5_lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))
#define INLINE __attribute__((always_inline)) static inline

/* Sixteen lanes in two vectors: the steps of one fill the waits of the other. */
typedef struct {
    __m256i lo, hi;
} vec;

bool cof_md5_can_lanes(void)
{
    return __builtin_cpu_supports("avx2");
}

TARGET static inline __m256i load8(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

/* Words 0-7 (or 8-15) of eight lanes' blocks become eight vectors of one word each. */
TARGET INLINE void transpose(const uint8_t *const data[8], size_t at, __m256i w[8])
{
    __m256i r[8], s[8];

    for (int i = 0; i < 8; i++)
        r[i] = load8(data[i] + at);
    for (int i = 0; i < 4; i++) {
        s[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        s[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        r[4 * i] = _mm256_unpacklo_epi64(s[4 * i], s[4 * i + 2]);
        r[4 * i + 1] = _mm256_unpackhi_epi64(s[4 * i], s[4 * i + 2]);
        r[4 * i + 2] = _mm256_unpacklo_epi64(s[4 * i + 1], s[4 * i + 3]);
        r[4 * i + 3] = _mm256_unpackhi_epi64(s[4 * i + 1], s[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        w[i] = _mm256_permute2x128_si256(r[i], r[4 + i], 0x20);
        w[4 + i] = _mm256_permute2x128_si256(r[i], r[4 + i], 0x31);
    }
}

TARGET static inline vec load(const uint32_t p[COF_MD5_LANES])
{
    return (vec){load8(p), load8(p + 8)};
}

TARGET static inline void store(uint32_t p[COF_MD5_LANES], vec v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v.lo);
    _mm256_storeu_si256((__m256i *)(void *)(p + 8), v.hi);
}

TARGET static inline vec add(vec a, vec b)
{
    return (vec){_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
}

#define ROUND_F(b, c, d) _mm256_xor_si256(d, _mm256_and_si256(b, _mm256_xor_si256(c, d)))
#define ROUND_G(b, c, d) _mm256_xor_si256(c, _mm256_and_si256(d, _mm256_xor_si256(b, c)))
#define ROUND_H(b, c, d) _mm256_xor_si256(b, _mm256_xor_si256(c, d))
#define ROUND_I(b, c, d) _mm256_xor_si256(c, _mm256_or_si256(b, _mm256_xor_si256(d, ones)))
#define HALF(f, a, b, c, d, word, shift, constant)                                                                     \
    do {                                                                                                               \
        __m256i sum = _mm256_add_epi32(_mm256_add_epi32(a, f(b, c, d)), _mm256_add_epi32(word, constant));             \
        a = _mm256_add_epi32(b, _mm256_or_si256(_mm256_slli_epi32(sum, shift), _mm256_srli_epi32(sum, 32 - (shift)))); \
    } while (0)
#define STEP(f, a, b, c, d, k, shift, constant)                                                                        \
    do {                                                                                                               \
        __m256i each = _mm256_set1_epi32((int)(constant));                                                             \
        HALF(f, a.lo, b.lo, c.lo, d.lo, lo[k], shift, each);                                                           \
        if (both)                                                                                                      \
            HALF(f, a.hi, b.hi, c.hi, d.hi, hi[k], shift, each);                                                       \
    } while (0)
/* Four steps whose constants are c0..c3 and whose words are k0..k3. */
#define FOUR(f, s0, s1, s2, s3, k0, k1, k2, k3, c0, c1, c2, c3)                                                        \
    STEP(f, a, b, c, d, k0, s0, c0);                                                                                   \
    STEP(f, d, a, b, c, k1, s1, c1);                                                                                   \
    STEP(f, c, d, a, b, k2, s2, c2);                                                                                   \
    STEP(f, b, c, d, a, k3, s3, c3)

TARGET INLINE void run(uint32_t state[4][COF_MD5_LANES], const uint8_t *const data[COF_MD5_LANES], size_t n_blocks, const bool both)
{
    const __m256i ones = _mm256_set1_epi32(-1);
    vec a = load(state[0]), b = load(state[1]), c = load(state[2]), d = load(state[3]);

    for (size_t at = 0; n_blocks > 0; n_blocks--, at += 64) {
        __m256i lo[16], hi[16];
        vec a0 = a, b0 = b, c0 = c, d0 = d;

        transpose(data, at, lo);
        transpose(data, at + 32, lo + 8);
        if (both) {
            transpose(data + 8, at, hi);
            transpose(data + 8, at + 32, hi + 8);
        }
        FOUR(ROUND_F, 7, 12, 17, 22, 0, 1, 2, 3, 0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee);
        FOUR(ROUND_F, 7, 12, 17, 22, 4, 5, 6, 7, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501);
        FOUR(ROUND_F, 7, 12, 17, 22, 8, 9, 10, 11, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be);
        FOUR(ROUND_F, 7, 12, 17, 22, 12, 13, 14, 15, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821);
        FOUR(ROUND_G, 5, 9, 14, 20, 1, 6, 11, 0, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa);
        FOUR(ROUND_G, 5, 9, 14, 20, 5, 10, 15, 4, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8);
        FOUR(ROUND_G, 5, 9, 14, 20, 9, 14, 3, 8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed);
        FOUR(ROUND_G, 5, 9, 14, 20, 13, 2, 7, 12, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a);
        FOUR(ROUND_H, 4, 11, 16, 23, 5, 8, 11, 14, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c);
        FOUR(ROUND_H, 4, 11, 16, 23, 1, 4, 7, 10, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70);
        FOUR(ROUND_H, 4, 11, 16, 23, 13, 0, 3, 6, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05);
        FOUR(ROUND_H, 4, 11, 16, 23, 9, 12, 15, 2, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665);
        FOUR(ROUND_I, 6, 10, 15, 21, 0, 7, 14, 5, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039);
        FOUR(ROUND_I, 6, 10, 15, 21, 12, 3, 10, 1, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1);
        FOUR(ROUND_I, 6, 10, 15, 21, 8, 15, 6, 13, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1);
        FOUR(ROUND_I, 6, 10, 15, 21, 4, 11, 2, 9, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391);
        a = add(a, a0);
        b = add(b, b0);
        c = add(c, c0);
        d = add(d, d0);
    }
    store(state[0], a);
    store(state[1], b);
    store(state[2], c);
    store(state[3], d);
}

TARGET void cof_md5_lanes(
    uint32_t state[4][COF_MD5_LANES], const uint8_t *const data[COF_MD5_LANES], size_t n_lanes, size_t n_blocks)
{
    if (n_lanes > COF_MD5_LANES / 2)
        run(state, data, n_blocks, true);
    else
        run(state, data, n_blocks, false);
}

#else

bool cof_md5_can_lanes(void)
{
    return false;
}

void cof_md5_lanes(
    uint32_t state[4][COF_MD5_LANES], const uint8_t *const data[COF_MD5_LANES], size_t n_lanes, size_t n_blocks)
{
    (void)state;
    (void)data;
    (void)n_lanes;
    (void)n_blocks;
}

#endif
