/* SPDX-License-Identifier: Apache-2.0
 *
 * Hex (RFC 4648 section 8, lower case out, either case in) and base64 (sections 4 and 5). Decoders are strict:
 * no white space, exact padding (none for the url form), and unused bits zero.
 */
#ifndef COF_BASE_CODEC_H
#define COF_BASE_CODEC_H

#include "base/buf.h"

void cof_hex_add(struct cof_buf *out, struct cof_view bytes);
COF_MUST_USE enum cof_err cof_hex_decode(struct cof_view text, struct cof_buf *out);
/* Exactly len bytes into out; COF_E_FORMAT otherwise. */
COF_MUST_USE enum cof_err cof_hex_decode_fixed(struct cof_view text, uint8_t *out, size_t len);
/* Writes 2 * len characters and a NUL. */
void cof_hex_encode(const uint8_t *bytes, size_t len, char *out);

void cof_base64_add(struct cof_buf *out, struct cof_view bytes);
COF_MUST_USE enum cof_err cof_base64_decode(struct cof_view text, struct cof_buf *out);
void cof_base64url_add(struct cof_buf *out, struct cof_view bytes);
COF_MUST_USE enum cof_err cof_base64url_decode(struct cof_view text, struct cof_buf *out);

#endif
