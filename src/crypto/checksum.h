/* SPDX-License-Identifier: Apache-2.0
 *
 * S3's additional checksums ("Checking object integrity", S3 User Guide), running: CRC-32/ISO-HDLC, CRC-32C (RFC 3720),
 * CRC-64/NVME, SHA-1, SHA-256, and since 2026 SHA-512, MD5 and those of xxHash. Values are big-endian bytes; S3 writes them in base64.
 */
#ifndef COF_CRYPTO_CHECKSUM_H
#define COF_CRYPTO_CHECKSUM_H

#include "crypto/hash.h"

enum cof_checksum_alg {
    COF_CHECKSUM_NONE,
    COF_CHECKSUM_CRC32,
    COF_CHECKSUM_CRC32C,
    COF_CHECKSUM_CRC64NVME,
    COF_CHECKSUM_SHA1,
    COF_CHECKSUM_SHA256,
    COF_CHECKSUM_SHA512,
    COF_CHECKSUM_MD5,
    COF_CHECKSUM_XXHASH64,
    COF_CHECKSUM_XXHASH3,
    COF_CHECKSUM_XXHASH128,
};

#define COF_CHECKSUM_LAST COF_CHECKSUM_XXHASH128
#define COF_CHECKSUM_MAX 64 /* bytes of the longest */

/* "CRC32", "SHA256"...; NULL for none. */
const char *cof_checksum_name(enum cof_checksum_alg alg);
/* From such a name, in either case; COF_CHECKSUM_NONE when it is none of them. */
enum cof_checksum_alg cof_checksum_named(struct cof_view name);
size_t cof_checksum_size(enum cof_checksum_alg alg); /* bytes */
bool cof_checksum_is_crc(enum cof_checksum_alg alg);

struct cof_checksum {
    enum cof_checksum_alg alg;
    uint64_t crc;
    struct cof_hash *hash; /* SHA-1, SHA-256, SHA-512 and MD5 */
    struct XXH64_state_s *xxh64;
    struct XXH3_state_s *xxh3; /* of both lengths */
};

/* A zeroed struct is "none": updates do nothing. */
COF_MUST_USE enum cof_err cof_checksum_init(struct cof_checksum *sum, enum cof_checksum_alg alg);
COF_MUST_USE enum cof_err cof_checksum_update(struct cof_checksum *sum, struct cof_view data);
/* out holds cof_checksum_size bytes; the state is afterwards fresh. */
COF_MUST_USE enum cof_err cof_checksum_final(struct cof_checksum *sum, uint8_t out[static COF_CHECKSUM_MAX]);
void cof_checksum_done(struct cof_checksum *sum);

/* The CRC of a followed by b from the CRCs of both and the length of b; a becomes it. alg must be a CRC. */
void cof_checksum_join(enum cof_checksum_alg alg, uint8_t a[static COF_CHECKSUM_MAX],
                       const uint8_t b[static COF_CHECKSUM_MAX], uint64_t b_bytes);

#endif
