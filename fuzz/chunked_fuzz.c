/* SPDX-License-Identifier: Apache-2.0
 *
 * Chunks decode to the same bytes and the same verdict, whole or one byte at a time.
 */
#include "format/http1.h"

#include <stdlib.h>

static enum cof_err decode(struct cof_view all, size_t step, struct cof_buf *out, size_t *used)
{
    struct cof_chunked c;
    struct cof_headers trailers;
    enum cof_err err = COF_E_SHORT;
    bool end = false;
    size_t at = 0;

    cof_chunked_init(&c);
    cof_headers_init(&trailers);
    while (at < all.len && !end && err == COF_E_SHORT) {
        struct cof_view in = cof_view_sub(all, at, step), piece;
        size_t given = in.len;

        do {
            err = cof_chunked_next(&c, &in, &piece, &end, &trailers);
            if (err == COF_OK)
                cof_buf_add(out, piece);
        } while (err == COF_OK && !end);
        if (err == COF_E_SHORT && in.len != 0)
            abort();
        at += given - in.len;
    }
    *used = at;
    cof_headers_done(&trailers);
    cof_chunked_done(&c);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_buf whole, bytewise;
    size_t used_whole, used_bytewise;
    enum cof_err a, b;

    if (size == 0)
        return 0;
    cof_buf_init(&whole, size);
    cof_buf_init(&bytewise, size);
    a = decode((struct cof_view){data, size}, size, &whole, &used_whole);
    b = decode((struct cof_view){data, size}, 1, &bytewise, &used_bytewise);
    if ((a == COF_OK) != (b == COF_OK) || (a == COF_E_SHORT) != (b == COF_E_SHORT))
        abort();
    if (a == COF_OK && used_whole != used_bytewise)
        abort();
    if (cof_buf_err(&whole) != COF_OK || ((a == COF_OK || a == COF_E_SHORT) && !cof_view_eq(cof_buf_view(&whole), cof_buf_view(&bytewise))))
        abort();
    cof_buf_done(&whole);
    cof_buf_done(&bytewise);
    return 0;
}
