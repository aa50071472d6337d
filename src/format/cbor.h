/* SPDX-License-Identifier: Apache-2.0
 *
 * CBOR (RFC 8949) for documents that must mean one thing: a strict pull decoder and an encoder. Readers take from the
 * front of a view, which is untouched on failure. Refused: lengths that are not minimal or indefinite, and simple
 * values other than false, true and null. Whoever opens a map through struct cof_cbor_map also gets duplicate and
 * unknown keys refused. An indefinite map is read only where the caller allows it (attestation payloads of 2026).
 * Errors: COF_E_TRUNCATED (ends early), COF_E_FORMAT, COF_E_LIMIT.
 */
#ifndef COF_FORMAT_CBOR_H
#define COF_FORMAT_CBOR_H

#include "base/buf.h"

enum cof_cbor_type {
    COF_CBOR_UINT,
    COF_CBOR_NEGATIVE, /* the value is -1 - n */
    COF_CBOR_BYTES,
    COF_CBOR_TEXT,
    COF_CBOR_ARRAY,
    COF_CBOR_MAP,
    COF_CBOR_TAG,
    COF_CBOR_SIMPLE, /* false, true, null, floats */
};

/* What comes next (by its major type), without taking it. COF_E_TRUNCATED at the end. */
COF_MUST_USE enum cof_err cof_cbor_peek(struct cof_view v, enum cof_cbor_type *type);

COF_MUST_USE enum cof_err cof_cbor_take_uint(struct cof_view *v, uint64_t max, uint64_t *out);
COF_MUST_USE enum cof_err cof_cbor_take_int(struct cof_view *v, int64_t *out);
/* A string of min..max bytes; text must be UTF-8. The view lives as long as the input. */
COF_MUST_USE enum cof_err cof_cbor_take_bytes(struct cof_view *v, size_t min, size_t max, struct cof_view *out);
COF_MUST_USE enum cof_err cof_cbor_take_text(struct cof_view *v, size_t min, size_t max, struct cof_view *out);
/* The head of an array; its items follow. */
COF_MUST_USE enum cof_err cof_cbor_take_array(struct cof_view *v, size_t max, size_t *n_items);
COF_MUST_USE enum cof_err cof_cbor_take_tag(struct cof_view *v, uint64_t *tag);
COF_MUST_USE enum cof_err cof_cbor_take_bool(struct cof_view *v, bool *out);
/* True, and taken, when a null comes next. */
bool cof_cbor_take_null(struct cof_view *v);
/* One item of any definite kind, nested at most depth deep; *out (may be NULL) is its encoding. Map keys inside are
 * not compared. */
COF_MUST_USE enum cof_err cof_cbor_skip(struct cof_view *v, unsigned depth, struct cof_view *out);

#define COF_CBOR_MAP_KEYS_MAX 64
#define COF_CBOR_END SIZE_MAX

struct cof_cbor_map {
    uint64_t left; /* pairs to come, when definite */
    uint64_t seen; /* bit i: the i-th known key came */
    bool indefinite;
};

COF_MUST_USE enum cof_err cof_cbor_map_open(struct cof_view *v, bool allow_indefinite, struct cof_cbor_map *map);
/* The next key, a text among names[0..n_names): *index is its place, or COF_CBOR_END after the last pair. The caller
 * takes the value before asking again. Unknown and repeated keys are COF_E_FORMAT. */
COF_MUST_USE enum cof_err cof_cbor_map_next(struct cof_view *v, struct cof_cbor_map *map, const char *const *names,
                                            size_t n_names, size_t *index);
/* The same for maps keyed by integers 0..max (max < 64): *index is the key. */
COF_MUST_USE enum cof_err cof_cbor_map_next_uint(struct cof_view *v, struct cof_cbor_map *map, uint64_t max,
                                                 size_t *index);
bool cof_cbor_map_has(const struct cof_cbor_map *map, size_t index);

/* Whether v is exactly one well-formed item by RFC 8949 Appendix C, with everything the strict readers refuse
 * (indefinite lengths, floats, any simple value, forms that are not minimal), nested at most depth deep. */
bool cof_cbor_well_formed(struct cof_view v, unsigned depth);

void cof_cbor_add_uint(struct cof_buf *out, uint64_t n);
void cof_cbor_add_int(struct cof_buf *out, int64_t n);
void cof_cbor_add_bytes(struct cof_buf *out, struct cof_view v);
void cof_cbor_add_text(struct cof_buf *out, struct cof_view v);
void cof_cbor_add_str(struct cof_buf *out, const char *s);
void cof_cbor_add_array(struct cof_buf *out, size_t n_items);
void cof_cbor_add_map(struct cof_buf *out, size_t n_pairs);
void cof_cbor_add_tag(struct cof_buf *out, uint64_t tag);
void cof_cbor_add_bool(struct cof_buf *out, bool b);
void cof_cbor_add_null(struct cof_buf *out);

#endif
