/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/checksum.h"
#include "base/crc_fold.h"

#include <pthread.h>
#include <string.h>
#include <xxhash.h>

/* Reflected generators; all three start from and end in all ones inverted. */
static const struct {
    const char *name;
    size_t size;
    uint64_t poly;
} table[] = {
    [COF_CHECKSUM_NONE] = {NULL, 0, 0},
    [COF_CHECKSUM_CRC32] = {"CRC32", 4, 0xedb88320},
    [COF_CHECKSUM_CRC32C] = {"CRC32C", 4, 0x82f63b78},
    [COF_CHECKSUM_CRC64NVME] = {"CRC64NVME", 8, 0x9a6c9329ac4bc9b5},
    [COF_CHECKSUM_SHA1] = {"SHA1", 20, 0},
    [COF_CHECKSUM_SHA256] = {"SHA256", 32, 0},
    [COF_CHECKSUM_SHA512] = {"SHA512", 64, 0},
    [COF_CHECKSUM_MD5] = {"MD5", 16, 0},
    [COF_CHECKSUM_XXHASH64] = {"XXHASH64", 8, 0},
    [COF_CHECKSUM_XXHASH3] = {"XXHASH3", 8, 0},
    [COF_CHECKSUM_XXHASH128] = {"XXHASH128", 16, 0},
};

#define N_ALGS (sizeof table / sizeof table[0])
#define SLICES 8

static uint64_t slices[COF_CHECKSUM_CRC64NVME + 1][SLICES][256];
static struct cof_crc_fold folds[COF_CHECKSUM_CRC64NVME + 1];
static bool can_fold;
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

/* x^n modulo the generator, in the form that folding wants. */
static uint64_t power(size_t alg, unsigned n)
{
    unsigned unused = 64 - 8 * (unsigned)table[alg].size; /* bits below the polynomial's highest power */
    uint64_t v = (uint64_t)1 << 63;

    for (unsigned i = 0; i < n; i++)
        v = (v >> unused & 1) != 0 ? v >> 1 ^ table[alg].poly << unused : v >> 1;
    return unused == 0 ? v : v >> unused << unused;
}

static void make_tables(void)
{
    can_fold = cof_crc_can_fold();
    for (size_t alg = COF_CHECKSUM_CRC32; alg <= COF_CHECKSUM_CRC64NVME; alg++) {
        for (uint64_t i = 0; i < 256; i++) {
            uint64_t crc = i;

            for (int bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? crc >> 1 ^ table[alg].poly : crc >> 1;
            slices[alg][0][i] = crc;
        }
        for (size_t s = 1; s < SLICES; s++)
            for (size_t i = 0; i < 256; i++)
                slices[alg][s][i] = slices[alg][s - 1][i] >> 8 ^ slices[alg][0][slices[alg][s - 1][i] & 0xff];
        folds[alg] = (struct cof_crc_fold){.x127 = power(alg, 127), .x191 = power(alg, 191), .x1023 = power(alg, 1023),
                                           .x1087 = power(alg, 1087), .is_wide = cof_crc_can_fold_wide()};
    }
}

static uint64_t load_le64(const uint8_t *p)
{
    uint64_t n = 0;

    for (int i = 7; i >= 0; i--)
        n = n << 8 | p[i];
    return n;
}

/* Eight bytes a step: each byte's table advances it past those that follow. */
static uint64_t run_tables(enum cof_checksum_alg alg, uint64_t crc, struct cof_view data)
{
    const uint64_t (*t)[256] = (const uint64_t (*)[256])slices[alg];
    const uint8_t *p = data.data;
    size_t n = data.len;

    for (; n >= 8; n -= 8, p += 8) {
        uint64_t x = crc ^ load_le64(p);

        crc = t[7][x & 0xff] ^ t[6][x >> 8 & 0xff] ^ t[5][x >> 16 & 0xff] ^ t[4][x >> 24 & 0xff] ^
            t[3][x >> 32 & 0xff] ^ t[2][x >> 40 & 0xff] ^ t[1][x >> 48 & 0xff] ^ t[0][x >> 56];
    }
    for (; n > 0; n--, p++)
        crc = crc >> 8 ^ t[0][(crc ^ *p) & 0xff];
    return crc;
}

static uint64_t run_crc(enum cof_checksum_alg alg, uint64_t crc, struct cof_view data)
{
    uint8_t rest[16];

    if (can_fold && data.len >= COF_CRC_FOLD_MIN) {
        size_t taken = cof_crc_fold(&folds[alg], crc, data.data, data.len, rest);
        crc = run_tables(alg, 0, cof_view_of(rest, sizeof rest));
        data = cof_view_sub(data, taken, SIZE_MAX);
    }
    return run_tables(alg, crc, data);
}

static uint64_t ones(enum cof_checksum_alg alg)
{
    return table[alg].size == 8 ? UINT64_MAX : UINT32_MAX;
}

const char *cof_checksum_name(enum cof_checksum_alg alg)
{
    return (size_t)alg < N_ALGS ? table[alg].name : NULL;
}

enum cof_checksum_alg cof_checksum_named(struct cof_view name)
{
    for (size_t i = 1; i < N_ALGS; i++)
        if (cof_view_eq_nocase(name, cof_view_str(table[i].name)))
            return (enum cof_checksum_alg)i;
    return COF_CHECKSUM_NONE;
}

size_t cof_checksum_size(enum cof_checksum_alg alg)
{
    return (size_t)alg < N_ALGS ? table[alg].size : 0;
}

bool cof_checksum_is_crc(enum cof_checksum_alg alg)
{
    return (size_t)alg < N_ALGS && table[alg].poly != 0;
}

static enum cof_err xxh_new(struct cof_checksum *sum)
{
    if (sum->alg == COF_CHECKSUM_XXHASH64) {
        sum->xxh64 = XXH64_createState();
        return sum->xxh64 != NULL && XXH64_reset(sum->xxh64, 0) == XXH_OK ? COF_OK : COF_E_MEMORY;
    }
    sum->xxh3 = XXH3_createState();
    return sum->xxh3 != NULL && XXH3_64bits_reset(sum->xxh3) == XXH_OK ? COF_OK : COF_E_MEMORY;
}

enum cof_err cof_checksum_init(struct cof_checksum *sum, enum cof_checksum_alg alg)
{
    (void)pthread_once(&tables_once, make_tables);
    *sum = (struct cof_checksum){.alg = alg, .crc = ones(alg)};
    switch (alg) {
    case COF_CHECKSUM_SHA1:
        return cof_hash_new(COF_SHA1, &sum->hash);
    case COF_CHECKSUM_SHA256:
        return cof_hash_new(COF_SHA256, &sum->hash);
    case COF_CHECKSUM_SHA512:
        return cof_hash_new(COF_SHA512, &sum->hash);
    case COF_CHECKSUM_MD5:
        return cof_hash_new(COF_MD5, &sum->hash);
    case COF_CHECKSUM_XXHASH64:
    case COF_CHECKSUM_XXHASH3:
    case COF_CHECKSUM_XXHASH128:
        return xxh_new(sum);
    case COF_CHECKSUM_NONE:
    case COF_CHECKSUM_CRC32:
    case COF_CHECKSUM_CRC32C:
    case COF_CHECKSUM_CRC64NVME:
        break;
    }
    return COF_OK;
}

enum cof_err cof_checksum_update(struct cof_checksum *sum, struct cof_view data)
{
    if (sum->hash != NULL)
        return cof_hash_update(sum->hash, data);
    if (data.len == 0)
        return COF_OK;
    if (sum->xxh64 != NULL)
        return XXH64_update(sum->xxh64, data.data, data.len) == XXH_OK ? COF_OK : COF_E_BUG;
    if (sum->xxh3 != NULL)
        return XXH3_64bits_update(sum->xxh3, data.data, data.len) == XXH_OK ? COF_OK : COF_E_BUG;
    if (cof_checksum_is_crc(sum->alg))
        sum->crc = run_crc(sum->alg, sum->crc, data);
    return COF_OK;
}

static void store_crc(enum cof_checksum_alg alg, uint64_t crc, uint8_t *out)
{
    for (size_t i = 0; i < table[alg].size; i++)
        out[i] = (uint8_t)(crc >> 8 * (table[alg].size - 1 - i));
}

static uint64_t load_crc(enum cof_checksum_alg alg, const uint8_t *bytes)
{
    uint64_t crc = 0;

    for (size_t i = 0; i < table[alg].size; i++)
        crc = crc << 8 | bytes[i];
    return crc;
}

/* Canonical, which is big-endian; then it begins anew. */
static enum cof_err final_xxh(struct cof_checksum *sum, uint8_t *out)
{
    if (sum->alg == COF_CHECKSUM_XXHASH64) {
        XXH64_canonicalFromHash((XXH64_canonical_t *)out, XXH64_digest(sum->xxh64));
        return XXH64_reset(sum->xxh64, 0) == XXH_OK ? COF_OK : COF_E_BUG;
    }
    if (sum->alg == COF_CHECKSUM_XXHASH3)
        XXH64_canonicalFromHash((XXH64_canonical_t *)out, XXH3_64bits_digest(sum->xxh3));
    else
        XXH128_canonicalFromHash((XXH128_canonical_t *)out, XXH3_128bits_digest(sum->xxh3));
    return XXH3_64bits_reset(sum->xxh3) == XXH_OK ? COF_OK : COF_E_BUG;
}

enum cof_err cof_checksum_final(struct cof_checksum *sum, uint8_t out[static COF_CHECKSUM_MAX])
{
    if (sum->hash != NULL)
        return cof_hash_final(sum->hash, out);
    if (sum->xxh64 != NULL || sum->xxh3 != NULL)
        return final_xxh(sum, out);
    if (cof_checksum_is_crc(sum->alg))
        store_crc(sum->alg, sum->crc ^ ones(sum->alg), out);
    sum->crc = ones(sum->alg);
    return COF_OK;
}

void cof_checksum_done(struct cof_checksum *sum)
{
    cof_hash_free(sum->hash);
    XXH64_freeState(sum->xxh64);
    XXH3_freeState(sum->xxh3);
    *sum = (struct cof_checksum){0};
}

/* a * b modulo the generator, as reflected polynomials: the highest bit is x^0. */
static uint64_t multiply(enum cof_checksum_alg alg, uint64_t a, uint64_t b)
{
    uint64_t product = 0;

    for (size_t i = table[alg].size * 8; i > 0; i--) {
        if ((a >> (i - 1) & 1) != 0)
            product ^= b;
        b = (b & 1) != 0 ? b >> 1 ^ table[alg].poly : b >> 1;
    }
    return product;
}

void cof_checksum_join(enum cof_checksum_alg alg, uint8_t a[static COF_CHECKSUM_MAX],
                       const uint8_t b[static COF_CHECKSUM_MAX], uint64_t b_bytes)
{
    size_t bits = table[alg].size * 8;
    uint64_t power = (uint64_t)1 << (bits - 1);  /* x^0 */
    uint64_t square = (uint64_t)1 << (bits - 9); /* x^8: one byte */

    for (; b_bytes > 0; b_bytes >>= 1) {
        if ((b_bytes & 1) != 0)
            power = multiply(alg, power, square);
        square = multiply(alg, square, square);
    }
    store_crc(alg, multiply(alg, load_crc(alg, a), power) ^ load_crc(alg, b), a);
}
