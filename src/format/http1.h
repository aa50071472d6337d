/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 messages as bytes (RFC 9112): strict head parser for requests and responses, chunked coding, head writer.
 * Refused rather than guessed: bare LF or CR, NUL and controls, folded lines, space before a colon, duplicate or
 * differing Content-Length, Content-Length beside Transfer-Encoding, any coding but a single "chunked", a missing or
 * second Host, HTTP versions but 1.0 and 1.1.
 */
#ifndef COF_FORMAT_HTTP1_H
#define COF_FORMAT_HTTP1_H

#include "base/buf.h"
#include "format/headers.h"

struct cof_http_head {
    struct cof_view method; /* requests */
    struct cof_view target; /* requests: raw, origin or absolute or authority form (CONNECT) */
    struct cof_view path;   /* raw part of target before '?' */
    struct cof_view query;  /* raw part after '?', without it */
    int status;             /* responses */
    int minor;              /* HTTP/1.minor */
    struct cof_headers headers; /* its bytes are the whole head, which the views above are of: no fields are to be added */
    bool chunked;
    bool has_length;
    uint64_t length;        /* Content-Length */
    bool keep_alive;
    bool expect_continue;
};

/* Parses a head from the front of in. COF_E_SHORT: not complete yet (and not over max_bytes); COF_E_LIMIT;
 * COF_E_FORMAT. On COF_OK *used bytes were consumed. The head owns a copy. */
COF_MUST_USE enum cof_err cof_http1_request(struct cof_view in, size_t max_bytes, struct cof_http_head *head,
                                            size_t *used);
COF_MUST_USE enum cof_err cof_http1_response(struct cof_view in, size_t max_bytes, bool to_head_request,
                                             struct cof_http_head *head, size_t *used);
void cof_http1_head_done(struct cof_http_head *head);

/* Chunked decoder: feed bytes, get pieces as views into them. */
struct cof_chunked {
    int state;
    uint64_t left;
    size_t trailer_bytes, line_bytes;
    struct cof_buf trailer_raw;
};
void cof_chunked_init(struct cof_chunked *c);
void cof_chunked_done(struct cof_chunked *c);
/* Consumes from *in; *piece is the next data (may be empty). COF_OK with *end set after the last chunk and trailers
 * (which are added to trailers when not NULL); COF_E_SHORT: all of *in was used and no data came. */
COF_MUST_USE enum cof_err cof_chunked_next(struct cof_chunked *c, struct cof_view *in, struct cof_view *piece,
                                           bool *end, struct cof_headers *trailers);

const char *cof_http1_reason(int status);

#endif
