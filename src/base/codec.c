/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

#include "base/secret.h"

/* By arithmetic rather than by a table: a compiler makes sixteen at once of that. */
static uint8_t hex_digit(uint8_t n)
{
    return (uint8_t)(n + (n > 9 ? 'a' - 10 : '0'));
}

static void put_hex(const uint8_t *restrict bytes, size_t len, uint8_t *restrict out)
{
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = hex_digit(bytes[i] >> 4);
        out[2 * i + 1] = hex_digit(bytes[i] & 15);
    }
}

void cof_hex_encode(const uint8_t *bytes, size_t len, char *out)
{
    put_hex(bytes, len, (uint8_t *)out);
    out[2 * len] = '\0';
}

void cof_hex_add(struct cof_buf *out, struct cof_view bytes)
{
    if (bytes.len > SIZE_MAX / 2 || cof_buf_reserve(out, 2 * bytes.len) != COF_OK)
        return;
    put_hex(bytes.data, bytes.len, out->data + out->len);
    out->len += 2 * bytes.len;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum cof_err cof_hex_decode_fixed(struct cof_view text, uint8_t *out, size_t len)
{
    if (text.len / 2 != len || text.len % 2 != 0)
        return COF_E_FORMAT;
    for (size_t i = 0; i < len; i++) {
        int hi = hex_value(text.data[2 * i]), lo = hex_value(text.data[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return COF_E_FORMAT;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return COF_OK;
}

enum cof_err cof_hex_decode(struct cof_view text, struct cof_buf *out)
{
    size_t start = out->len;
    uint8_t *at;
    enum cof_err err;

    if (text.len % 2 != 0)
        return COF_E_FORMAT;
    at = cof_buf_extend(out, text.len / 2);
    if (at == NULL)
        return cof_buf_err(out);
    err = cof_hex_decode_fixed(text, at, text.len / 2);
    if (err != COF_OK)
        cof_buf_truncate(out, start);
    return err;
}

/* Base64. What is coded may be a key (C-24), so characters and values become each other by arithmetic on all of them: no table is
 * looked up and nothing branches by what they are. A compiler makes many of them at once of that. */
#define PIECE 64 /* characters, a multiple of 4 */

struct alphabet {
    uint8_t c62, c63;
};
static const struct alphabet standard = {'+', '/'}, for_urls = {'-', '_'};

/* All ones where the condition (0 or 1) holds. */
static uint8_t mask(bool condition)
{
    return (uint8_t)-(uint8_t)condition;
}

/* of 0..63 */
static uint8_t character(uint8_t v, const struct alphabet *a)
{
    uint8_t upper = mask(v < 26), lower = mask(v >= 26) & mask(v < 52), digit = mask(v >= 52) & mask(v < 62);

    return (uint8_t)((upper & (v + 'A')) | (lower & (v - 26 + 'a')) | (digit & (v - 52 + '0')) | (mask(v == 62) & a->c62) |
                     (mask(v == 63) & a->c63));
}

/* 0..63; 0xff when it is none of the alphabet. */
static uint8_t value(uint8_t c, const struct alphabet *a)
{
    uint8_t upper = mask(c >= 'A') & mask(c <= 'Z'), lower = mask(c >= 'a') & mask(c <= 'z');
    uint8_t digit = mask(c >= '0') & mask(c <= '9'), is62 = mask(c == a->c62), is63 = mask(c == a->c63);
    uint8_t known = upper | lower | digit | is62 | is63;

    return (uint8_t)((upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) | (is62 & 62) | (is63 & 63) | (uint8_t)~known);
}

static void encode(struct cof_buf *out, struct cof_view in, const struct alphabet *alphabet, bool pad)
{
    size_t whole = in.len / 3, rest = in.len % 3, n = 4 * whole + (rest == 0 ? 0 : rest + 1);
    const uint8_t *b = in.data;
    uint8_t *at;

    at = n == 0 ? NULL : cof_buf_extend(out, n);
    if (at == NULL)
        return;
    for (size_t i = 0; i < whole; i++, b += 3) {
        at[4 * i] = b[0] >> 2;
        at[4 * i + 1] = (uint8_t)((b[0] & 3) << 4 | b[1] >> 4);
        at[4 * i + 2] = (uint8_t)((b[1] & 15) << 2 | b[2] >> 6);
        at[4 * i + 3] = b[2] & 63;
    }
    if (rest > 0) {
        at[4 * whole] = b[0] >> 2;
        at[4 * whole + 1] = (uint8_t)((b[0] & 3) << 4 | (rest == 2 ? b[1] >> 4 : 0));
        if (rest == 2)
            at[4 * whole + 2] = (uint8_t)((b[1] & 15) << 2);
    }
    for (size_t i = 0; i < n; i++)
        at[i] = character(at[i], alphabet);
    if (pad && rest > 0)
        cof_buf_add(out, cof_view_sub(COF_LIT("=="), 0, 3 - rest));
}

/* n characters, at most PIECE, of which the last group may have 2 or 3; wrong gathers what is. Returns where the bytes end. */
static uint8_t *decode_piece(const uint8_t *text, size_t n, const struct alphabet *alphabet, uint8_t *at, uint8_t *wrong)
{
    uint8_t v[PIECE] = {0};

    for (size_t i = 0; i < n; i++) {
        v[i] = value(text[i], alphabet);
        *wrong |= v[i] & 0xc0;
    }
    for (size_t i = 0; i < n; i += 4) {
        uint32_t w = (uint32_t)v[i] << 18 | (uint32_t)v[i + 1] << 12 | (uint32_t)v[i + 2] << 6 | v[i + 3];
        size_t have = n - i < 4 ? n - i : 4;

        *at++ = (uint8_t)(w >> 16);
        if (have > 2)
            *at++ = (uint8_t)(w >> 8);
        if (have > 3)
            *at++ = (uint8_t)w;
        *wrong |= have == 2 ? (uint8_t)(w >> 8 & 0xf0) : have == 3 ? (uint8_t)(w & 0xc0) : 0; /* unused bits */
    }
    cof_wipe(v, sizeof v);
    return at;
}

static enum cof_err decode(struct cof_view text, struct cof_buf *out, bool url)
{
    size_t start = out->len, n = text.len;
    uint8_t *at, wrong = 0;

    if (!url) {
        if (n % 4 != 0)
            return COF_E_FORMAT;
        for (int k = 0; k < 2 && n > 0 && text.data[n - 1] == '='; k++)
            n--;
    }
    if (n % 4 == 1)
        return COF_E_FORMAT;
    at = n == 0 ? NULL : cof_buf_extend(out, n / 4 * 3 + (n % 4 == 0 ? 0 : n % 4 - 1));
    if (at == NULL)
        return cof_buf_err(out);
    for (size_t i = 0; i < n; i += PIECE)
        at = decode_piece(text.data + i, n - i < PIECE ? n - i : PIECE, url ? &for_urls : &standard, at, &wrong);
    if (wrong == 0)
        return COF_OK;
    cof_buf_truncate(out, start);
    return COF_E_FORMAT;
}

void cof_base64_add(struct cof_buf *out, struct cof_view bytes)
{
    encode(out, bytes, &standard, true);
}

enum cof_err cof_base64_decode(struct cof_view text, struct cof_buf *out)
{
    return decode(text, out, false);
}

void cof_base64url_add(struct cof_buf *out, struct cof_view bytes)
{
    encode(out, bytes, &for_urls, false);
}

enum cof_err cof_base64url_decode(struct cof_view text, struct cof_buf *out)
{
    return decode(text, out, true);
}
