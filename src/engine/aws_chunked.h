/* SPDX-License-Identifier: Apache-2.0
 *
 * The writing side of S3's aws-chunked bodies ("Signature calculations: transferring payload in multiple chunks" and
 * "Checking object integrity"): 64 KiB chunks, each signed where the connection is plain, unsigned under TLS, and a
 * checksum as trailer.
 */
#ifndef COF_ENGINE_AWS_CHUNKED_H
#define COF_ENGINE_AWS_CHUNKED_H

#include "crypto/checksum.h"
#include "engine/sigv4.h"

#define COF_AWS_CHUNK 65536

struct cof_aws_chunked {
    struct cof_checksum sum; /* becomes the trailer; "none": no trailer */
    bool is_signed;
    struct cof_buf part;     /* plain bytes of the chunk being filled; wiped */
    struct cof_secret key;   /* signing key */
    char date[24], region[64], service[8];
    char previous[COF_SIGV4_SIGNATURE + 1];
};

/* x-amz-content-sha256 of such a body. COF_E_USAGE (NULL) for neither signed nor with trailer. */
const char *cof_aws_chunked_word(bool is_signed, enum cof_checksum_alg trailer);
/* "x-amz-checksum-crc64nvme"; NULL for none. */
const char *cof_aws_checksum_header(enum cof_checksum_alg alg);
/* Content-Length of the whole encoded body. */
uint64_t cof_aws_chunked_length(bool is_signed, enum cof_checksum_alg trailer, uint64_t plain_length);

/* Without signatures: credentials, scope and seed are NULL. seed: the signature of the head. */
COF_MUST_USE enum cof_err cof_aws_chunked_init(struct cof_aws_chunked *c, enum cof_checksum_alg trailer,
                                               const struct cof_sigv4_credentials *credentials,
                                               const struct cof_sigv4_scope *scope, const char *seed);
/* Takes all of plain; appends what is ready to out. */
COF_MUST_USE enum cof_err cof_aws_chunked_push(struct cof_aws_chunked *c, struct cof_view plain, struct cof_buf *out);
/* The same for exactly one chunk when none is begun (COF_E_STATE otherwise): appends what goes before it; the caller sends the chunk
 * itself, uncopied, and "\r\n" after it. */
COF_MUST_USE enum cof_err cof_aws_chunked_whole(struct cof_aws_chunked *c, struct cof_view chunk, struct cof_buf *head);
/* The last chunks and the trailer; value (may be NULL) gets the checksum's bytes. */
COF_MUST_USE enum cof_err cof_aws_chunked_finish(struct cof_aws_chunked *c, struct cof_buf *out,
                                                 uint8_t value[COF_CHECKSUM_MAX]);
void cof_aws_chunked_done(struct cof_aws_chunked *c); /* takes NULL or a zeroed struct */

#endif
