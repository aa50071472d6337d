/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiving side of aws-chunked bodies (S3 API, "Signature calculations: transferring payload in multiple chunks"):
 * sizes, chunk signatures, trailing headers and their signature.
 *
 *   10000;chunk-signature=HEX64 CRLF  data CRLF  ...  0;chunk-signature=HEX64 CRLF  name:value CRLF ...  CRLF
 */
#ifndef COF_STANDIN_S3_CHUNKED_H
#define COF_STANDIN_S3_CHUNKED_H

#include "crypto/hash.h"
#include "standin/auth.h"

struct cof_s3_chunked {
    bool signed_chunks, trailers_expected;
    const struct cof_auth *auth;
    int state;
    uint64_t left;          /* of the present chunk */
    uint64_t size;          /* of the last one, or 0 */
    uint64_t n, bad_size;   /* chunks so far; the size of one that was too small to be followed by another, or 0 */
    struct cof_buf line;
    struct cof_hash *hash;  /* of the present chunk */
    char previous[65], given[65];
    struct cof_buf canonical; /* trailers as they are signed */
    struct cof_headers trailers;
    bool ended;
};

COF_MUST_USE enum cof_err cof_s3_chunked_init(struct cof_s3_chunked *c, const struct cof_auth *auth);
void cof_s3_chunked_done(struct cof_s3_chunked *c);
/* Takes from *in; *piece gets the next data (may be empty). COF_E_SHORT: *in is used up. COF_E_FORMAT; COF_E_AUTH when a
 * signature is wrong (or COF_E_FORMAT with bad_size set: spec: only the last chunk may be under 8 KiB): then everything given out since must be thrown away. After the end any byte is COF_E_FORMAT. */
COF_MUST_USE enum cof_err cof_s3_chunked_next(struct cof_s3_chunked *c, struct cof_view *in, struct cof_view *piece);

#endif
