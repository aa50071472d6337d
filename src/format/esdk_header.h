/* SPDX-License-Identifier: Apache-2.0
 *
 * The header of an AWS Encryption SDK message ("AWS Encryption SDK message format reference"):
 *
 *   version 2: 02 | suite u16 | message id 32 | context | data keys | content type | frame length u32 | commitment 32 | tag 16
 *   version 1: 01 | 80 | suite u16 | message id 16 | context | data keys | content type | 0 u32 | IV length 0c |
 *              frame length u32 | IV 12 | tag 16
 *   context:   u16 length (u16 count, (u16 name, u16 value)...), length 0 when there are no pairs
 *   data keys: u16 count (u16 provider, u16 provider info, u16 ciphertext)...
 *
 * Bytes <-> struct, no keys. Names beginning with "aws-crypto-" are the format's own: the engines see to them.
 */
#ifndef COF_FORMAT_ESDK_HEADER_H
#define COF_FORMAT_ESDK_HEADER_H

#include "base/buf.h"

#define COF_ESDK_PAIRS_MAX 64
#define COF_ESDK_EDKS_MAX 16
#define COF_ESDK_HEADER_MAX 131072 /* bytes */
#define COF_ESDK_MESSAGE_ID 32     /* version 2 */
#define COF_ESDK_MESSAGE_ID_V1 16
#define COF_ESDK_COMMITMENT 32
#define COF_ESDK_IV 12
#define COF_ESDK_TAG 16
#define COF_ESDK_RESERVED "aws-crypto-" /* how no name of an application may begin */

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
    uint8_t version; /* 1 or 2 */
    uint16_t suite;
    struct cof_view message_id;
    struct cof_esdk_pair pairs[COF_ESDK_PAIRS_MAX]; /* sorted by name, no name twice */
    size_t n_pairs;
    struct cof_esdk_edk edks[COF_ESDK_EDKS_MAX];
    size_t n_edks;
    uint8_t content_type;
    uint32_t frame_length;      /* bytes; 0 when unframed */
    struct cof_view commitment; /* version 2, else empty */
    struct cof_view iv;         /* version 1, else empty (twelve zeros are meant) */
    struct cof_view tag;
    struct cof_view body; /* everything before IV and tag: what the tag authenticates */
};

/* Zero means the default. */
struct cof_esdk_limits {
    size_t max_edks;           /* default 10; at most COF_ESDK_EDKS_MAX */
    uint32_t max_frame_length; /* bytes; default 16 MiB */
    uint64_t max_unframed;     /* bytes of an unframed body, which must be held whole; default 64 MiB */
    size_t max_header;         /* bytes; default and at most COF_ESDK_HEADER_MAX */
    uint64_t max_held;         /* bytes of plaintext that wait for their signature; default 64 MiB */
};

/* Views into in. *used is the header's length; with COF_E_SHORT, the least length that is worth another try.
 * COF_E_UNSUPPORTED: an unknown version or suite; COF_E_FORMAT; COF_E_LIMIT. */
COF_MUST_USE enum cof_err cof_esdk_header_parse(struct cof_view in, const struct cof_esdk_limits *limits,
                                                struct cof_esdk_header *out, size_t *used);
/* Adds everything before IV and tag, framed, in the version that the suite has. Pairs must be sorted and unique
 * (cof_esdk_sort_pairs). COF_E_USAGE for an unknown suite, wrong lengths or counts; COF_E_LIMIT for what is too long. */
COF_MUST_USE enum cof_err cof_esdk_header_add(struct cof_buf *out, const struct cof_esdk_header *header);
/* 1 or 2; 0 for an unknown suite. */
uint8_t cof_esdk_suite_version(uint16_t suite);

/* Sorts by name; COF_E_USAGE for a name twice, an empty one, or bytes that are no UTF-8. */
COF_MUST_USE enum cof_err cof_esdk_sort_pairs(struct cof_esdk_pair *pairs, size_t n);
/* The context as keyrings and tags authenticate it: count and pairs, or nothing at all when n is 0. */
COF_MUST_USE enum cof_err cof_esdk_context_add(struct cof_buf *out, const struct cof_esdk_pair *pairs, size_t n);
/* The value of a name; false when absent. */
bool cof_esdk_find_pair(const struct cof_esdk_header *header, const char *name, struct cof_view *value);
bool cof_esdk_pairs_find(const struct cof_esdk_pair *pairs, size_t n, struct cof_view name, struct cof_view *value);

#endif
