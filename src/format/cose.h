/* SPDX-License-Identifier: Apache-2.0
 *
 * COSE_Sign1 (RFC 9052 section 4.2) as bytes; keys and signatures are src/crypto's. The algorithm must stand in the
 * protected header; `crit` is refused, since no extension is understood here.
 */
#ifndef COF_FORMAT_COSE_H
#define COF_FORMAT_COSE_H

#include "base/buf.h"

#define COF_COSE_TAG_SIGN1 18
#define COF_COSE_ES256 (-7)
#define COF_COSE_ES384 (-35)

/* Views into the parsed document. */
struct cof_cose_sign1 {
    struct cof_view protected_header; /* content of the byte string, as signed */
    struct cof_view payload;
    struct cof_view signature; /* r || s */
    int64_t alg;               /* COF_COSE_ES256, ... */
    size_t n_protected;        /* entries in the protected header */
    size_t n_unprotected;      /* and in the unprotected one, which is otherwise ignored */
    bool tagged;
};

/* Parses one COSE_Sign1, tagged 18 or untagged, with an attached payload of at most max_payload bytes; nothing may
 * follow. COF_E_FORMAT, COF_E_TRUNCATED, COF_E_LIMIT; COF_E_UNSUPPORTED for `crit`. */
COF_MUST_USE enum cof_err cof_cose_sign1_parse(struct cof_view doc, size_t max_payload, struct cof_cose_sign1 *out);

/* Adds Sig_structure ["Signature1", protected, external_aad, payload]: the bytes that are signed. */
void cof_cose_add_sig_structure(struct cof_buf *out, struct cof_view protected_header, struct cof_view external_aad,
                                struct cof_view payload);
/* Adds the protected header {1: alg}, without a byte string around it. */
void cof_cose_add_protected(struct cof_buf *out, int64_t alg);
/* Adds a whole COSE_Sign1 with an empty unprotected header. */
void cof_cose_add_sign1(struct cof_buf *out, bool tagged, struct cof_view protected_header, struct cof_view payload,
                        struct cof_view signature);

#endif
