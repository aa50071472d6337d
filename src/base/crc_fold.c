/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc_fold.h"

#include <string.h>

#define LANES 8
#define BLOCK (LANES * 16)

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("pclmul,sse4.1")))
typedef __m128i vec;

bool cof_crc_can_fold(void)
{
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

TARGET static inline vec load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

TARGET static inline void store(uint8_t *p, vec v)
{
    _mm_storeu_si128((__m128i *)(void *)p, v);
}

TARGET static inline vec pair(uint64_t low, uint64_t high)
{
    return _mm_set_epi64x((long long)high, (long long)low);
}

TARGET static inline vec add(vec a, vec b)
{
    return _mm_xor_si128(a, b);
}

/* v moved past the bytes that k stands for: its low half by k's low half, its high half by k's high half. */
TARGET static inline vec past(vec v, vec k)
{
    return _mm_xor_si128(_mm_clmulepi64_si128(v, k, 0x00), _mm_clmulepi64_si128(v, k, 0x11));
}

/* Two lanes in a register: the blocks of input, where the processor has it; data and len as those of cof_crc_fold. -> bytes taken */
__attribute__((target("vpclmulqdq,avx2"))) static size_t fold_wide(const struct cof_crc_fold *k, const uint8_t *data, size_t len,
                                                                   uint8_t lanes[static BLOCK])
{
    __m256i far = _mm256_set_epi64x((long long)k->x1023, (long long)k->x1087, (long long)k->x1023, (long long)k->x1087), v[LANES / 2];
    size_t at = 0;

    for (size_t i = 0; i < LANES / 2; i++)
        v[i] = _mm256_loadu_si256((const __m256i *)(const void *)(lanes + i * 32));
    for (; len - at >= BLOCK; at += BLOCK)
        for (size_t i = 0; i < LANES / 2; i++) {
            __m256i low = _mm256_clmulepi64_epi128(v[i], far, 0x00), high = _mm256_clmulepi64_epi128(v[i], far, 0x11);
            __m256i next = _mm256_loadu_si256((const __m256i *)(const void *)(data + at + i * 32));
            v[i] = _mm256_xor_si256(_mm256_xor_si256(low, high), next);
        }
    for (size_t i = 0; i < LANES / 2; i++)
        _mm256_storeu_si256((__m256i *)(void *)(lanes + i * 32), v[i]);
    return at;
}

bool cof_crc_can_fold_wide(void)
{
    return __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("avx2");
}

#elif defined(__aarch64__)
#include <arm_neon.h>
#include <sys/auxv.h>

#define TARGET __attribute__((target("+crypto")))
#define HWCAP_PMULL_BIT (1ul << 4)
typedef uint64x2_t vec;

bool cof_crc_can_fold(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_PMULL_BIT) != 0;
}

TARGET static inline vec load(const uint8_t *p)
{
    return vreinterpretq_u64_u8(vld1q_u8(p));
}

TARGET static inline void store(uint8_t *p, vec v)
{
    vst1q_u8(p, vreinterpretq_u8_u64(v));
}

TARGET static inline vec pair(uint64_t low, uint64_t high)
{
    return vcombine_u64(vcreate_u64(low), vcreate_u64(high));
}

TARGET static inline vec add(vec a, vec b)
{
    return veorq_u64(a, b);
}

TARGET static inline vec past(vec v, vec k)
{
    vec low = vreinterpretq_u64_p128(vmull_p64((poly64_t)vgetq_lane_u64(v, 0), (poly64_t)vgetq_lane_u64(k, 0)));
    vec high = vreinterpretq_u64_p128(vmull_p64((poly64_t)vgetq_lane_u64(v, 1), (poly64_t)vgetq_lane_u64(k, 1)));

    return veorq_u64(low, high);
}

#else
#define NO_FOLD
#endif

#if !defined(__x86_64__)
bool cof_crc_can_fold_wide(void)
{
    return false;
}
#endif

#ifdef NO_FOLD
bool cof_crc_can_fold(void)
{
    return false;
}

size_t cof_crc_fold(const struct cof_crc_fold *k, uint64_t crc, const uint8_t *data, size_t len, uint8_t rest[static 16])
{
    (void)k;
    (void)crc;
    (void)data;
    (void)len;
    memset(rest, 0, 16);
    return 0;
}
#else
TARGET static size_t fold_narrow(const struct cof_crc_fold *k, const uint8_t *data, size_t len, uint8_t lanes[static BLOCK])
{
    vec far = pair(k->x1087, k->x1023), v[LANES];
    size_t at = 0;

    for (size_t i = 0; i < LANES; i++)
        v[i] = load(lanes + i * 16);
    for (; len - at >= BLOCK; at += BLOCK)
        for (size_t i = 0; i < LANES; i++)
            v[i] = add(past(v[i], far), load(data + at + i * 16));
    for (size_t i = 0; i < LANES; i++)
        store(lanes + i * 16, v[i]);
    return at;
}

TARGET size_t cof_crc_fold(const struct cof_crc_fold *k, uint64_t crc, const uint8_t *data, size_t len,
                           uint8_t rest[static 16])
{
    vec near = pair(k->x191, k->x127), v;
    uint8_t lanes[BLOCK];
    size_t at = BLOCK;

    memcpy(lanes, data, BLOCK);
    store(lanes, add(load(lanes), pair(crc, 0)));
#if defined(__x86_64__)
    if (k->is_wide)
        at += fold_wide(k, data + at, len - at, lanes);
#endif
    at += fold_narrow(k, data + at, len - at, lanes);
    v = load(lanes);
    for (size_t i = 1; i < LANES; i++)
        v = add(past(v, near), load(lanes + i * 16));
    for (; len - at >= 16; at += 16)
        v = add(past(v, near), load(data + at));
    store(rest, v);
    return at;
}
#endif
