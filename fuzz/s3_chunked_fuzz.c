/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiving side of aws-chunked bodies: the first byte says which kind; the rest is the body, and what comes out is the
 * same whole or one byte at a time. A signature that the fuzzer cannot make is put where it wrote "chunk-signature=*".
 */
#include "engine/sigv4.h"
#include "standin/s3_chunked.h"

#include <stdlib.h>
#include <string.h>

static const struct cof_auth auths[] = {
    {.payload = COF_PAYLOAD_CHUNKS_SIGNED}, {.payload = COF_PAYLOAD_CHUNKS_SIGNED_TRAILER}, {.payload = COF_PAYLOAD_CHUNKS_TRAILER}};

static void make_auth(size_t which, struct cof_auth *out)
{
    static const char seed[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    *out = auths[which];
    out->signing_key = (struct cof_secret){{1, 2, 3}, 32};
    out->claim.date = COF_LIT("20260101T000000Z");
    out->claim.day = COF_LIT("20260101");
    out->claim.region = COF_LIT("us-east-1");
    out->claim.service = COF_LIT("s3");
    out->claim.signature = cof_view_of(seed, 64);
}

static enum cof_err decode(const struct cof_auth *auth, struct cof_view all, size_t step, struct cof_buf *out, bool *ended)
{
    struct cof_s3_chunked c;
    struct cof_view piece;
    enum cof_err err = cof_s3_chunked_init(&c, auth);

    if (err != COF_OK)
        abort();
    for (size_t at = 0; at < all.len && err == COF_OK; at += step) {
        struct cof_view in = cof_view_sub(all, at, step);

        while ((err = cof_s3_chunked_next(&c, &in, &piece)) == COF_OK)
            cof_buf_add(out, piece);
        if (err == COF_E_SHORT && in.len > 0)
            abort();
        err = err == COF_E_SHORT ? COF_OK : err;
    }
    *ended = err == COF_OK && c.ended;
    cof_s3_chunked_done(&c);
    return err;
}

/* Copies the body, with right signatures where it has "*" for one and the chunk is whole. */
static void sign_stars(const struct cof_auth *auth, struct cof_view in, struct cof_buf *out)
{
    char previous[65];

    memcpy(previous, auth->claim.signature.data, 64);
    previous[64] = '\0';
    while (in.len > 0) {
        struct cof_view line, rest, size, extension, data;
        char signature[65];
        size_t n;

        if (!cof_view_split(in, '\n', &line, &rest) || !cof_view_split(line, ';', &size, &extension) || size.len == 0 || size.len > 4 ||
            !cof_view_starts(extension, COF_LIT("chunk-signature=*"))) {
            cof_buf_add(out, in);
            return;
        }
        n = 0;
        for (size_t i = 0; i < size.len; i++)
            n = n << 4 | (size_t)(size.data[i] <= '9' ? size.data[i] & 15 : (size.data[i] & 7) + 9);
        data = cof_view_sub(rest, 0, n);
        if (cof_sigv4_chunk(&auth->signing_key, auth->claim.date, auth->claim.region, auth->claim.service, cof_view_of(previous, 64), data,
                signature) != COF_OK)
            abort();
        memcpy(previous, signature, sizeof previous);
        cof_buf_add(out, size);
        cof_buf_add_str(out, ";chunk-signature=");
        cof_buf_add_str(out, signature);
        cof_buf_add_str(out, "\r\n");
        cof_buf_add(out, data);
        in = cof_view_sub(rest, data.len, SIZE_MAX);
        if (n > 0 && cof_view_starts(in, COF_LIT("\r\n"))) {
            cof_buf_add_str(out, "\r\n");
            in = cof_view_sub(in, 2, SIZE_MAX);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_buf body, whole, bytewise;
    struct cof_auth auth;
    bool ended_whole, ended_bytewise;
    enum cof_err a, b;

    if (size == 0)
        return 0;
    make_auth(data[0] % 3, &auth);
    cof_buf_init(&body, 1 << 22);
    cof_buf_init(&whole, 1 << 22);
    cof_buf_init(&bytewise, 1 << 22);
    sign_stars(&auth, cof_view_of(data + 1, size - 1), &body);
    a = decode(&auth, cof_buf_view(&body), body.len + 1, &whole, &ended_whole);
    b = decode(&auth, cof_buf_view(&body), 1, &bytewise, &ended_bytewise);
    if (a != b || ended_whole != ended_bytewise || (a == COF_OK && !cof_view_eq(cof_buf_view(&whole), cof_buf_view(&bytewise))))
        abort();
    cof_buf_done(&body);
    cof_buf_done(&whole);
    cof_buf_done(&bytewise);
    return 0;
}
