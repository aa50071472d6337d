/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

void cof_hex_encode(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = hex_digits[bytes[i] >> 4];
        out[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    out[2 * len] = '\0';
}

void cof_hex_add(struct cof_buf *out, struct cof_view bytes)
{
    if (bytes.len > SIZE_MAX / 2 || cof_buf_reserve(out, 2 * bytes.len) != COF_OK)
        return;
    for (size_t i = 0; i < bytes.len; i++) {
        out->data[out->len++] = (uint8_t)hex_digits[bytes.data[i] >> 4];
        out->data[out->len++] = (uint8_t)hex_digits[bytes.data[i] & 15];
    }
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

static const char std_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(struct cof_buf *out, struct cof_view in, const char *alphabet, bool pad)
{
    for (size_t i = 0; i < in.len; i += 3) {
        size_t n = in.len - i < 3 ? in.len - i : 3;
        uint32_t w = (uint32_t)in.data[i] << 16;
        uint8_t four[4];

        if (n > 1)
            w |= (uint32_t)in.data[i + 1] << 8;
        if (n > 2)
            w |= in.data[i + 2];
        for (size_t k = 0; k < 4; k++)
            four[k] = k <= n ? (uint8_t)alphabet[w >> (18 - 6 * k) & 63] : (uint8_t)'=';
        cof_buf_add_bytes(out, four, pad ? 4 : n + 1);
    }
}

/* Compares instead of indexing, so that no table look-up depends on what may be a key. */
static int value64(uint8_t c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    if (c == (url ? '_' : '/'))
        return 63;
    return -1;
}

static enum cof_err decode(struct cof_view text, struct cof_buf *out, bool url)
{
    size_t start = out->len, n = text.len;

    if (!url) {
        if (n % 4 != 0)
            return COF_E_FORMAT;
        for (int k = 0; k < 2 && n > 0 && text.data[n - 1] == '='; k++)
            n--;
    }
    if (n % 4 == 1)
        return COF_E_FORMAT;
    for (size_t i = 0; i < n; i += 4) {
        size_t have = n - i < 4 ? n - i : 4;
        uint32_t w = 0;
        uint8_t three[3];

        for (size_t k = 0; k < have; k++) {
            int v = value64(text.data[i + k], url);
            if (v < 0)
                goto reject;
            w |= (uint32_t)v << (18 - 6 * k);
        }
        if ((have == 2 && (w & 0xffff) != 0) || (have == 3 && (w & 0xff) != 0))
            goto reject;
        three[0] = (uint8_t)(w >> 16);
        three[1] = (uint8_t)(w >> 8);
        three[2] = (uint8_t)w;
        cof_buf_add_bytes(out, three, have - 1);
    }
    return cof_buf_err(out);
reject:
    cof_buf_truncate(out, start);
    return COF_E_FORMAT;
}

void cof_base64_add(struct cof_buf *out, struct cof_view bytes)
{
    encode(out, bytes, std_alphabet, true);
}

enum cof_err cof_base64_decode(struct cof_view text, struct cof_buf *out)
{
    return decode(text, out, false);
}

void cof_base64url_add(struct cof_buf *out, struct cof_view bytes)
{
    encode(out, bytes, url_alphabet, false);
}

enum cof_err cof_base64url_decode(struct cof_view text, struct cof_buf *out)
{
    return decode(text, out, true);
}
