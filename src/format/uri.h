/* SPDX-License-Identifier: Apache-2.0
 *
 * Percent-encoding (RFC 3986 section 2) as AWS uses it, and queries.
 */
#ifndef COF_FORMAT_URI_H
#define COF_FORMAT_URI_H

#include "base/buf.h"

/* Everything but A-Z a-z 0-9 - . _ ~ (and '/' with keep_slash) becomes %XX, upper case. */
void cof_uri_encode(struct cof_buf *out, struct cof_view text, bool keep_slash);
/* COF_E_FORMAT for a % without two hex digits. '+' stays a plus unless plus_is_space (form encoding). */
COF_MUST_USE enum cof_err cof_uri_decode(struct cof_view text, bool plus_is_space, struct cof_buf *out);

/* Takes the next "name=value" or "name" from the front of *query (raw views). False at the end; empty pieces between
 * '&' are skipped. */
bool cof_query_next(struct cof_view *query, struct cof_view *name, struct cof_view *value);
/* The decoded value of the first parameter of that (decoded) name. COF_E_NOT_FOUND, COF_E_FORMAT. */
COF_MUST_USE enum cof_err cof_query_get(struct cof_view query, const char *name, struct cof_buf *out);
/* The same of a form body (application/x-www-form-urlencoded), where '+' is a space. */
COF_MUST_USE enum cof_err cof_form_get(struct cof_view form, const char *name, struct cof_buf *out);
bool cof_query_has(struct cof_view query, const char *name);

#endif
