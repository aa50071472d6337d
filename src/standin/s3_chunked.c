/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_chunked.h"

#include "base/codec.h"

#include <stdio.h>
#include <string.h>

enum { EXPECT_SIZE, EXPECT_DATA, EXPECT_DATA_END, EXPECT_TRAILER, EXPECT_NOTHING };

#define CHUNK_MIN 8192 /* bytes; of all but the last */
#define LINE_MAX_BYTES 4096
#define TRAILERS_MAX_BYTES 8192
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum cof_err cof_s3_chunked_init(struct cof_s3_chunked *c, const struct cof_auth *auth)
{
    *c = (struct cof_s3_chunked){.auth = auth, .state = EXPECT_SIZE};
    c->signed_chunks = auth->payload != COF_PAYLOAD_CHUNKS_TRAILER;
    c->trailers_expected = auth->payload != COF_PAYLOAD_CHUNKS_SIGNED;
    cof_buf_init(&c->line, LINE_MAX_BYTES);
    cof_buf_init(&c->canonical, TRAILERS_MAX_BYTES);
    cof_headers_init(&c->trailers);
    if (auth->claim.signature.len == 64)
        memcpy(c->previous, auth->claim.signature.data, 64);
    return cof_hash_new(COF_SHA256, &c->hash);
}

void cof_s3_chunked_done(struct cof_s3_chunked *c)
{
    cof_buf_done(&c->line);
    cof_buf_done(&c->canonical);
    cof_headers_done(&c->trailers);
    cof_hash_free(c->hash);
    *c = (struct cof_s3_chunked){0};
}

/* One line without its CRLF into c->line; COF_E_SHORT while it is not whole. */
static enum cof_err take_line(struct cof_s3_chunked *c, struct cof_view *in)
{
    size_t at = cof_view_find(*in, '\n');
    struct cof_view part = cof_view_sub(*in, 0, at == SIZE_MAX ? in->len : at + 1);

    cof_buf_add(&c->line, part);
    *in = cof_view_sub(*in, part.len, SIZE_MAX);
    if (cof_buf_err(&c->line) != COF_OK)
        return COF_E_FORMAT;
    if (at == SIZE_MAX)
        return COF_E_SHORT;
    if (c->line.len < 2 || c->line.data[c->line.len - 2] != '\r')
        return COF_E_FORMAT;
    cof_buf_truncate(&c->line, c->line.len - 2);
    return COF_OK;
}

static enum cof_err read_size(struct cof_s3_chunked *c)
{
    struct cof_view size, extension, name, value;
    bool has = cof_view_split(cof_buf_view(&c->line), ';', &size, &extension);
    uint64_t n = 0;

    if (size.len == 0 || size.len > 12)
        return COF_E_FORMAT;
    for (size_t i = 0; i < size.len; i++) {
        uint8_t d = size.data[i];

        if ((d < '0' || d > '9') && (d < 'a' || d > 'f') && (d < 'A' || d > 'F'))
            return COF_E_FORMAT;
        n = n << 4 | (uint64_t)(d <= '9' ? d - '0' : (d | 0x20) - 'a' + 10);
    }
    if (has != c->signed_chunks)
        return COF_E_FORMAT;
    if (has) {
        if (!cof_view_split(extension, '=', &name, &value) || !cof_view_eq_str(name, "chunk-signature") ||
            value.len != 64)
            return COF_E_FORMAT;
        memcpy(c->given, value.data, 64);
    }
    c->left = n;
    c->n++;
    if (n > 0 && c->n > 1 && c->size < CHUNK_MIN) {
        c->bad_size = c->size;
        return COF_E_FORMAT;
    }
    c->size = n;
    return COF_OK;
}

/* kind is PAYLOAD or TRAILER; the signature in c->given must follow from the one before. */
static enum cof_err check_signature(struct cof_s3_chunked *c, const char *kind, const char *empty, const char *hash_hex)
{
    const struct cof_sigv4_claim *claim = &c->auth->claim;
    struct cof_view parts[] = {COF_LIT("AWS4-HMAC-SHA256-"), cof_view_str(kind), COF_LIT("\n"), claim->date,
        COF_LIT("\n"), claim->day, COF_LIT("/"), claim->region, COF_LIT("/"), claim->service,
        COF_LIT("/aws4_request\n"), cof_view_of(c->previous, 64), COF_LIT("\n"), cof_view_str(empty),
        cof_view_str(hash_hex)};
    uint8_t want[32];
    char hex[65];
    enum cof_err err =
        cof_hmac(COF_SHA256, cof_secret_view(&c->auth->signing_key), parts, sizeof parts / sizeof parts[0], want);

    if (err != COF_OK)
        return err;
    cof_hex_encode(want, sizeof want, hex);
    if (!cof_equal_ct(cof_view_of(hex, 64), cof_view_of(c->given, 64)))
        return COF_E_AUTH;
    memcpy(c->previous, hex, 64);
    return COF_OK;
}

static enum cof_err end_chunk(struct cof_s3_chunked *c)
{
    uint8_t digest[32];
    char hex[65];
    enum cof_err err;

    if (!c->signed_chunks)
        return COF_OK;
    err = cof_hash_final(c->hash, digest);
    if (err != COF_OK)
        return err;
    cof_hex_encode(digest, sizeof digest, hex);
    return check_signature(c, "PAYLOAD", EMPTY_HASH "\n", hex);
}

static enum cof_err end_trailers(struct cof_s3_chunked *c)
{
    uint8_t digest[32];
    char hex[65];
    enum cof_err err;

    if (!c->signed_chunks || !c->trailers_expected)
        return COF_OK;
    if (c->given[0] == '\0')
        return COF_E_AUTH; /* no trailer signature came */
    err = cof_hash_once(COF_SHA256, cof_buf_view(&c->canonical), digest);
    if (err != COF_OK)
        return err;
    cof_hex_encode(digest, sizeof digest, hex);
    return check_signature(c, "TRAILER", "", hex);
}

static enum cof_err read_trailer(struct cof_s3_chunked *c)
{
    struct cof_view name, value;

    if (!cof_view_split(cof_buf_view(&c->line), ':', &name, &value))
        return COF_E_FORMAT;
    value = cof_view_trim(value);
    if (cof_view_eq_nocase(name, COF_LIT("x-amz-trailer-signature"))) {
        if (value.len != 64)
            return COF_E_FORMAT;
        memcpy(c->given, value.data, 64);
        return COF_OK;
    }
    cof_headers_add(&c->trailers, name, value);
    for (size_t i = 0; i < name.len; i++)
        cof_buf_add_u8(
            &c->canonical, (uint8_t)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] | 0x20 : name.data[i]));
    cof_buf_add_u8(&c->canonical, ':');
    cof_buf_add(&c->canonical, value);
    cof_buf_add_u8(&c->canonical, '\n');
    return cof_headers_err(&c->trailers) != COF_OK || cof_buf_err(&c->canonical) != COF_OK ? COF_E_FORMAT : COF_OK;
}

/* One whole line was taken in the present state. */
static enum cof_err on_line(struct cof_s3_chunked *c)
{
    enum cof_err err = COF_OK;

    switch (c->state) {
    case EXPECT_SIZE:
        err = read_size(c);
        if (err != COF_OK)
            return err;
        c->state = EXPECT_DATA;
        if (c->left == 0) {
            err = end_chunk(c);
            c->given[0] = '\0';
            c->state = EXPECT_TRAILER;
        }
        return err;
    case EXPECT_DATA_END:
        c->state = EXPECT_SIZE;
        return c->line.len == 0 ? end_chunk(c) : COF_E_FORMAT;
    case EXPECT_TRAILER:
        if (c->line.len > 0)
            return c->trailers_expected ? read_trailer(c) : COF_E_FORMAT;
        c->state = EXPECT_NOTHING;
        c->ended = true;
        return end_trailers(c);
    default:
        return COF_E_FORMAT;
    }
}

enum cof_err cof_s3_chunked_next(struct cof_s3_chunked *c, struct cof_view *in, struct cof_view *piece)
{
    enum cof_err err = COF_OK;

    *piece = (struct cof_view){NULL, 0};
    while (in->len > 0) {
        if (c->state == EXPECT_DATA) {
            *piece = cof_view_sub(*in, 0, c->left > SIZE_MAX ? SIZE_MAX : (size_t)c->left);
            *in = cof_view_sub(*in, piece->len, SIZE_MAX);
            c->left -= piece->len;
            if (c->left == 0)
                c->state = EXPECT_DATA_END;
            return c->signed_chunks ? cof_hash_update(c->hash, *piece) : COF_OK;
        }
        if (c->state == EXPECT_NOTHING)
            return COF_E_FORMAT;
        err = take_line(c, in);
        if (err == COF_OK) {
            err = on_line(c);
            cof_buf_reset(&c->line);
        }
        if (err != COF_OK)
            return err;
    }
    return COF_E_SHORT;
}
