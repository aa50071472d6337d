/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/aws_chunked.h"

#include "base/codec.h"
#include "base/date.h"

#include <stdio.h>
#include <string.h>

#define SIGNATURE_FIELD (sizeof ";chunk-signature=" - 1 + COF_SIGV4_SIGNATURE)

const char *cof_aws_chunked_word(bool is_signed, enum cof_checksum_alg trailer)
{
    if (is_signed)
        return trailer == COF_CHECKSUM_NONE ? COF_SIGV4_STREAMING : COF_SIGV4_STREAMING_TRAILER;
    return trailer == COF_CHECKSUM_NONE ? NULL : COF_SIGV4_STREAMING_UNSIGNED_TRAILER;
}

const char *cof_aws_checksum_header(enum cof_checksum_alg alg)
{
    switch (alg) {
    case COF_CHECKSUM_CRC32:
        return "x-amz-checksum-crc32";
    case COF_CHECKSUM_CRC32C:
        return "x-amz-checksum-crc32c";
    case COF_CHECKSUM_CRC64NVME:
        return "x-amz-checksum-crc64nvme";
    case COF_CHECKSUM_SHA1:
        return "x-amz-checksum-sha1";
    case COF_CHECKSUM_SHA256:
        return "x-amz-checksum-sha256";
    case COF_CHECKSUM_SHA512:
        return "x-amz-checksum-sha512";
    case COF_CHECKSUM_MD5:
        return "x-amz-checksum-md5";
    case COF_CHECKSUM_XXHASH64:
        return "x-amz-checksum-xxhash64";
    case COF_CHECKSUM_XXHASH3:
        return "x-amz-checksum-xxhash3";
    case COF_CHECKSUM_XXHASH128:
        return "x-amz-checksum-xxhash128";
    case COF_CHECKSUM_NONE:
        break;
    }
    return NULL;
}

static size_t hex_digits(uint64_t n)
{
    size_t digits = 1;

    while ((n >>= 4) != 0)
        digits++;
    return digits;
}

static uint64_t framed(bool is_signed, uint64_t n)
{
    return hex_digits(n) + (is_signed ? SIGNATURE_FIELD : 0) + 2 + n + (n > 0 ? 2 : 0);
}

uint64_t cof_aws_chunked_length(bool is_signed, enum cof_checksum_alg trailer, uint64_t plain_length)
{
    uint64_t whole = plain_length / COF_AWS_CHUNK, rest = plain_length % COF_AWS_CHUNK;
    uint64_t n = whole * framed(is_signed, COF_AWS_CHUNK) + (rest > 0 ? framed(is_signed, rest) : 0) +
                 framed(is_signed, 0);

    if (trailer != COF_CHECKSUM_NONE) {
        n += strlen(cof_aws_checksum_header(trailer)) + 1 + (cof_checksum_size(trailer) + 2) / 3 * 4 + 2;
        n += is_signed ? sizeof "x-amz-trailer-signature:" - 1 + COF_SIGV4_SIGNATURE + 2 : 0;
    }
    return n + 2;
}

enum cof_err cof_aws_chunked_init(struct cof_aws_chunked *c, enum cof_checksum_alg trailer,
                                  const struct cof_sigv4_credentials *credentials, const struct cof_sigv4_scope *scope,
                                  const char *seed)
{
    enum cof_err err;
    char date[COF_DATE_MAX];

    *c = (struct cof_aws_chunked){.is_signed = credentials != NULL};
    cof_buf_init_secret(&c->part, COF_AWS_CHUNK);
    err = cof_checksum_init(&c->sum, trailer);
    if (err != COF_OK || credentials == NULL)
        return err;
    cof_date_amz(scope->now_ms, date);
    if (strlen(seed) != COF_SIGV4_SIGNATURE || scope->region.len >= sizeof c->region ||
        scope->service.len >= sizeof c->service)
        return COF_E_USAGE;
    (void)snprintf(c->date, sizeof c->date, "%.20s", date);
    (void)snprintf(c->region, sizeof c->region, "%.*s", (int)scope->region.len, (const char *)scope->region.data);
    (void)snprintf(c->service, sizeof c->service, "%.*s", (int)scope->service.len, (const char *)scope->service.data);
    memcpy(c->previous, seed, sizeof c->previous);
    return cof_sigv4_signing_key(credentials->secret_access_key, cof_view_of(c->date, 8), scope->region, scope->service,
                                 &c->key);
}

static enum cof_err chunk_head(struct cof_aws_chunked *c, struct cof_view data, struct cof_buf *out)
{
    enum cof_err err = COF_OK;

    cof_buf_printf(out, "%zx", data.len);
    if (c->is_signed) {
        char signature[COF_SIGV4_SIGNATURE + 1];
        err = cof_sigv4_chunk(&c->key, cof_view_str(c->date), cof_view_str(c->region), cof_view_str(c->service),
                              cof_view_str(c->previous), data, signature);
        if (err != COF_OK)
            return err;
        cof_buf_printf(out, ";chunk-signature=%s", signature);
        memcpy(c->previous, signature, sizeof c->previous);
    }
    cof_buf_add_str(out, "\r\n");
    return cof_buf_err(out);
}

/* One chunk; an empty one is the last. */
static enum cof_err emit(struct cof_aws_chunked *c, struct cof_view data, struct cof_buf *out)
{
    enum cof_err err = chunk_head(c, data, out);

    cof_buf_add(out, data);
    if (data.len > 0)
        cof_buf_add_str(out, "\r\n");
    return err == COF_OK ? cof_buf_err(out) : err;
}

enum cof_err cof_aws_chunked_whole(struct cof_aws_chunked *c, struct cof_view chunk, struct cof_buf *head)
{
    enum cof_err err = c->part.len > 0 || chunk.len != COF_AWS_CHUNK ? COF_E_STATE : cof_checksum_update(&c->sum, chunk);

    return err == COF_OK ? chunk_head(c, chunk, head) : err;
}

enum cof_err cof_aws_chunked_push(struct cof_aws_chunked *c, struct cof_view plain, struct cof_buf *out)
{
    enum cof_err err = cof_checksum_update(&c->sum, plain);

    while (err == COF_OK && plain.len > 0) {
        struct cof_view piece = cof_view_sub(plain, 0, COF_AWS_CHUNK - c->part.len);
        plain = cof_view_sub(plain, piece.len, SIZE_MAX);
        if (piece.len == COF_AWS_CHUNK) { /* whole: not copied aside */
            err = emit(c, piece, out);
            continue;
        }
        cof_buf_add(&c->part, piece);
        err = cof_buf_err(&c->part);
        if (err == COF_OK && c->part.len == COF_AWS_CHUNK) {
            err = emit(c, cof_buf_view(&c->part), out);
            cof_buf_reset(&c->part);
        }
    }
    return err;
}

static enum cof_err add_trailer(struct cof_aws_chunked *c, const uint8_t *value, struct cof_buf *out)
{
    char signature[COF_SIGV4_SIGNATURE + 1];
    struct cof_buf line;
    enum cof_err err;

    cof_buf_init(&line, 256);
    cof_buf_printf(&line, "%s:", cof_aws_checksum_header(c->sum.alg));
    cof_base64_add(&line, cof_view_of(value, cof_checksum_size(c->sum.alg)));
    cof_buf_add(out, cof_buf_view(&line));
    cof_buf_add_str(out, "\r\n");
    cof_buf_add_str(&line, "\n");
    err = cof_buf_err(&line);
    if (err == COF_OK && c->is_signed) {
        err = cof_sigv4_trailer(&c->key, cof_view_str(c->date), cof_view_str(c->region), cof_view_str(c->service),
                                cof_view_str(c->previous), cof_buf_view(&line), signature);
        if (err == COF_OK)
            cof_buf_printf(out, "x-amz-trailer-signature:%s\r\n", signature);
    }
    cof_buf_done(&line);
    return err;
}

enum cof_err cof_aws_chunked_finish(struct cof_aws_chunked *c, struct cof_buf *out, uint8_t value[COF_CHECKSUM_MAX])
{
    uint8_t sum[COF_CHECKSUM_MAX] = {0};
    enum cof_err err = c->part.len > 0 ? emit(c, cof_buf_view(&c->part), out) : COF_OK;

    if (err == COF_OK)
        err = emit(c, (struct cof_view){0}, out);
    if (err == COF_OK && c->sum.alg != COF_CHECKSUM_NONE) {
        err = cof_checksum_final(&c->sum, sum);
        if (err == COF_OK)
            err = add_trailer(c, sum, out);
    }
    cof_buf_add_str(out, "\r\n");
    if (value != NULL)
        memcpy(value, sum, sizeof sum);
    return err == COF_OK ? cof_buf_err(out) : err;
}

void cof_aws_chunked_done(struct cof_aws_chunked *c)
{
    if (c == NULL)
        return;
    cof_checksum_done(&c->sum);
    cof_buf_done(&c->part);
    cof_secret_done(&c->key);
}
