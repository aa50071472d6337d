/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON Web Tokens in the compact form (RFC 7515 section 7.1, RFC 7519): split, decoded, and the members that matter
 * taken out with their types checked. No keys and no judgement here: engine/token.h decides.
 */
#ifndef COF_FORMAT_JWT_H
#define COF_FORMAT_JWT_H

#include "base/buf.h"

struct json_t;

/* Exactly three parts of base64url without padding or spare bits, and a header that is one JSON object without
 * duplicate members. Views live as long as the struct. */
struct cof_jwt {
    struct cof_view signing_input; /* the text up to the second dot; lives in the caller's text */
    struct cof_view payload;       /* decoded, not yet judged */
    struct cof_view signature;
    struct cof_view alg; /* always there */
    struct cof_view kid; /* data NULL when absent */
    struct cof_view typ; /* data NULL when absent */
    bool has_key;        /* jku, jwk, x5u or x5c: the header brings or names a key */
    bool has_crit;       /* crit, or the b64 of RFC 7797 */
    struct json_t *header;
    struct json_t *claims; /* NULL until cof_jwt_read_claims */
    struct cof_buf payload_bytes, signature_bytes;
};

/* COF_E_FORMAT, COF_E_LIMIT over max bytes, COF_E_MEMORY; jwt is empty then. */
COF_MUST_USE enum cof_err cof_jwt_parse(struct cof_view text, size_t max, struct cof_jwt *jwt);
/* Reads the payload as one JSON object without duplicate members, bytes after it or escaped NULs; call it once the
 * signature is known to be good. */
COF_MUST_USE enum cof_err cof_jwt_read_claims(struct cof_jwt *jwt);
/* Takes NULL or a zeroed struct. */
void cof_jwt_done(struct cof_jwt *jwt);

/* Claims. COF_E_NOT_FOUND when absent, COF_E_FORMAT for another type; then out is left alone. */
COF_MUST_USE enum cof_err cof_jwt_text(const struct cof_jwt *jwt, const char *claim, struct cof_view *out);
/* A NumericDate in milliseconds: a number from 0 to the year 9999, fractions cut. */
COF_MUST_USE enum cof_err cof_jwt_date(const struct cof_jwt *jwt, const char *claim, int64_t *ms);
/* The n-th of a list of strings, or of a single one; COF_E_NOT_FOUND behind the last. Any element that is no string is
 * COF_E_FORMAT for every n. */
COF_MUST_USE enum cof_err cof_jwt_item(const struct cof_jwt *jwt, const char *claim, size_t n, struct cof_view *out);

#endif
