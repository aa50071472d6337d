/* SPDX-License-Identifier: Apache-2.0
 *
 * As much ASN.1 as CMS and certificates need: a reader of tag-length-value with one-byte tags (X.690), strict DER by
 * default, with the one BER liberty that KMS takes, indefinite lengths, behind its own calls; and a writer.
 */
#ifndef COF_FORMAT_DER_H
#define COF_FORMAT_DER_H

#include "base/buf.h"

#define COF_DER_BOOLEAN 0x01
#define COF_DER_INTEGER 0x02
#define COF_DER_BIT_STRING 0x03
#define COF_DER_OCTET_STRING 0x04
#define COF_DER_NULL 0x05
#define COF_DER_OID 0x06
#define COF_DER_UTF8_STRING 0x0c
#define COF_DER_PRINTABLE_STRING 0x13
#define COF_DER_UTC_TIME 0x17
#define COF_DER_GENERALIZED_TIME 0x18
#define COF_DER_SEQUENCE 0x30
#define COF_DER_SET 0x31
#define COF_DER_CONTEXT(n) (0x80 | (n))      /* primitive [n] */
#define COF_DER_CONTEXT_CONS(n) (0xa0 | (n)) /* constructed [n] */

/* Takes one element of this tag, definite and minimal length; *content is its inside. v is untouched on failure.
 * COF_E_FORMAT, COF_E_TRUNCATED. */
COF_MUST_USE enum cof_err cof_der_take(struct cof_view *v, uint8_t tag, struct cof_view *content);
/* Takes an element that must be exactly these bytes (a whole encoding). */
COF_MUST_USE enum cof_err cof_der_take_exact(struct cof_view *v, struct cof_view encoding);
/* The next tag; false at the end. */
bool cof_der_peek(struct cof_view v, uint8_t *tag);

/* Opens an element of this tag, definite or indefinite: *inside is what its content is taken from. Close it with
 * cof_ber_close, which takes the end mark where there is one and demands that nothing is left over; only then has *v
 * moved behind the element. */
struct cof_ber_open {
    struct cof_view inside; /* take the content from here */
    struct cof_view after;  /* definite: what follows the element */
    bool indefinite;
};
COF_MUST_USE enum cof_err cof_ber_open(struct cof_view v, uint8_t tag, struct cof_ber_open *out);
COF_MUST_USE enum cof_err cof_ber_close(const struct cof_ber_open *open, struct cof_view *v);
/* Whether the content is at its end (for a count that is not known). */
bool cof_ber_at_end(const struct cof_ber_open *open);

/* Adds tag, minimal length and content. */
void cof_der_add(struct cof_buf *out, uint8_t tag, struct cof_view content);
/* Nesting: what is added between begin and end is the content. begin returns the mark that end wants. */
size_t cof_der_begin(struct cof_buf *out, uint8_t tag);
void cof_der_end(struct cof_buf *out, size_t mark);
/* A non-negative INTEGER from big-endian bytes; leading zeros are dropped, one is set before a high bit. */
void cof_der_add_uint(struct cof_buf *out, struct cof_view big_endian);

#endif
