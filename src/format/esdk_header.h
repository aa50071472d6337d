/* SPDX-License-Identifier: Apache-2.0
 *
 * The header of an AWS Encryption SDK message, format version 2 ("AWS Encryption SDK message format reference"):
 *
 *   version 02 | suite u16 | message id 32 | context u16 len (u16 count, (u16 name, u16 value)...) | u16 count of encrypted
 *   data keys (u16 provider, u16 provider info, u16 ciphertext)... | content type | frame length u32 | commitment 32 | tag 16
 *
 * Bytes <-> struct, no keys.
 */
#ifndef COF_FORMAT_ESDK_HEADER_H
#define COF_FORMAT_ESDK_HEADER_H

#include "base/buf.h"

#define COF_ESDK_PAIRS_MAX 64
#define COF_ESDK_EDKS_MAX 16
#define COF_ESDK_HEADER_MAX 131072 /* bytes */
#define COF_ESDK_MESSAGE_ID 32
#define COF_ESDK_COMMITMENT 32
#define COF_ESDK_TAG 16

enum { COF_ESDK_UNFRAMED = 1, COF_ESDK_FRAMED = 2 }; /* content types */

struct cof_esdk_pair {
    struct cof_view name, value; /* UTF-8 */
};

struct cof_esdk_edk {
    struct cof_view provider; /* "aws-kms", or a raw keyring's namespace */
    struct cof_view info;     /* key ARN; raw: name and parameters */
    struct cof_view ciphertext;
};

struct cof_esdk_header {
    uint16_t suite;
    struct cof_view message_id;
    struct cof_esdk_pair pairs[COF_ESDK_PAIRS_MAX]; /* sorted by name */
    size_t n_pairs;
    struct cof_esdk_edk edks[COF_ESDK_EDKS_MAX];
    size_t n_edks;
    uint8_t content_type;
    uint32_t frame_length; /* bytes; 0 when unframed */
    struct cof_view commitment;
    struct cof_view tag;
    struct cof_view body; /* everything before the tag: what it authenticates */
};

struct cof_esdk_limits {
    size_t max_edks;           /* default 10 */
    uint32_t max_frame_length; /* bytes; default 16 MiB */
    uint64_t max_unframed;     /* bytes of an unframed body, which must be held whole; default 64 MiB */
};

/* Views into in. COF_E_SHORT: not whole yet; COF_E_UNSUPPORTED: format version 1, an unknown suite or content type;
 * COF_E_FORMAT; COF_E_LIMIT. */
COF_MUST_USE enum cof_err cof_esdk_header_parse(struct cof_view in, const struct cof_esdk_limits *limits,
                                                struct cof_esdk_header *out, size_t *used);
/* Adds everything before the tag. Pairs must be sorted and unique (cof_esdk_sort_pairs). */
COF_MUST_USE enum cof_err cof_esdk_header_add(struct cof_buf *out, const struct cof_esdk_header *header);
/* Sorts by name; COF_E_USAGE for a name twice, an empty one, or bytes that are no UTF-8. */
COF_MUST_USE enum cof_err cof_esdk_sort_pairs(struct cof_esdk_pair *pairs, size_t n);
/* The value of a name; false when absent. */
bool cof_esdk_find_pair(const struct cof_esdk_header *header, const char *name, struct cof_view *value);

#endif
