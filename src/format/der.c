/* SPDX-License-Identifier: Apache-2.0 */
#include "format/der.h"

#include <string.h>

#define LONG_FORM 0x80
#define LENGTH_BYTES_MAX 4 /* 4 GiB is more than anything here */

static const uint8_t end_mark[2] = {0, 0};

/* Tag and length; *indefinite says that the length is open (then *len is 0). */
static enum cof_err take_head(struct cof_view *in, uint8_t tag, size_t *len, bool *indefinite)
{
    struct cof_view digits;
    uint8_t b;

    *len = 0;
    *indefinite = false;
    if (cof_take_u8(in, &b) != COF_OK)
        return COF_E_TRUNCATED;
    if (b != tag)
        return COF_E_FORMAT;
    if (cof_take_u8(in, &b) != COF_OK)
        return COF_E_TRUNCATED;
    if (b < LONG_FORM) {
        *len = b;
        return COF_OK;
    }
    *indefinite = b == LONG_FORM;
    if (*indefinite)
        return COF_OK;
    if (b - LONG_FORM > LENGTH_BYTES_MAX)
        return COF_E_FORMAT;
    if (cof_take(in, (size_t)(b - LONG_FORM), &digits) != COF_OK)
        return COF_E_TRUNCATED;
    for (size_t i = 0; i < digits.len; i++)
        *len = *len << 8 | digits.data[i];
    return digits.data[0] != 0 && *len >= LONG_FORM ? COF_OK : COF_E_FORMAT; /* minimal */
}

enum cof_err cof_der_take(struct cof_view *v, uint8_t tag, struct cof_view *content)
{
    struct cof_view in = *v;
    bool indefinite;
    size_t len;
    enum cof_err err = take_head(&in, tag, &len, &indefinite);

    if (err == COF_OK && indefinite)
        err = COF_E_FORMAT;
    if (err == COF_OK && cof_take(&in, len, content) != COF_OK)
        err = COF_E_TRUNCATED;
    if (err == COF_OK)
        *v = in;
    return err;
}

enum cof_err cof_der_take_exact(struct cof_view *v, struct cof_view encoding)
{
    struct cof_view got, in = *v;

    if (cof_take(&in, encoding.len, &got) != COF_OK)
        return COF_E_TRUNCATED;
    if (!cof_view_eq(got, encoding))
        return COF_E_FORMAT;
    *v = in;
    return COF_OK;
}

bool cof_der_peek(struct cof_view v, uint8_t *tag)
{
    return cof_take_u8(&v, tag) == COF_OK;
}

enum cof_err cof_ber_open(struct cof_view v, uint8_t tag, struct cof_ber_open *out)
{
    size_t len;
    enum cof_err err;

    *out = (struct cof_ber_open){0};
    err = take_head(&v, tag, &len, &out->indefinite);
    if (err != COF_OK)
        return err;
    if (out->indefinite) {
        out->inside = v;
        return COF_OK;
    }
    if (cof_take(&v, len, &out->inside) != COF_OK)
        return COF_E_TRUNCATED;
    out->after = v;
    return COF_OK;
}

bool cof_ber_at_end(const struct cof_ber_open *open)
{
    if (!open->indefinite)
        return open->inside.len == 0;
    return cof_view_starts(open->inside, cof_view_of(end_mark, sizeof end_mark));
}

enum cof_err cof_ber_close(const struct cof_ber_open *open, struct cof_view *v)
{
    if (!cof_ber_at_end(open))
        return open->indefinite && open->inside.len < sizeof end_mark ? COF_E_TRUNCATED : COF_E_FORMAT;
    *v = open->indefinite ? cof_view_sub(open->inside, sizeof end_mark, SIZE_MAX) : open->after;
    return COF_OK;
}

/* Writes the length's bytes into out[5] and returns how many. */
static size_t encode_length(size_t len, uint8_t out[static 1 + LENGTH_BYTES_MAX])
{
    size_t n = 0;

    if (len < LONG_FORM) {
        out[0] = (uint8_t)len;
        return 1;
    }
    for (size_t rest = len; rest > 0; rest >>= 8)
        n++;
    out[0] = (uint8_t)(LONG_FORM | n);
    for (size_t i = 0; i < n; i++)
        out[1 + i] = (uint8_t)(len >> 8 * (n - 1 - i));
    return 1 + n;
}

size_t cof_der_begin(struct cof_buf *out, uint8_t tag)
{
    cof_buf_add_u8(out, tag);
    return out->len;
}

void cof_der_end(struct cof_buf *out, size_t mark)
{
    uint8_t length[1 + LENGTH_BYTES_MAX];
    size_t content, n;

    if (cof_buf_err(out) != COF_OK)
        return;
    content = out->len - mark;
    if (content > UINT32_MAX) {
        out->err = COF_E_LIMIT;
        return;
    }
    n = encode_length(content, length);
    if (cof_buf_extend(out, n) == NULL)
        return;
    memmove(out->data + mark + n, out->data + mark, content);
    memcpy(out->data + mark, length, n);
}

void cof_der_add(struct cof_buf *out, uint8_t tag, struct cof_view content)
{
    size_t mark = cof_der_begin(out, tag);

    cof_buf_add(out, content);
    cof_der_end(out, mark);
}

void cof_der_add_uint(struct cof_buf *out, struct cof_view big_endian)
{
    size_t mark;

    while (big_endian.len > 1 && big_endian.data[0] == 0)
        big_endian = cof_view_sub(big_endian, 1, SIZE_MAX);
    mark = cof_der_begin(out, COF_DER_INTEGER);
    if (big_endian.len == 0 || (big_endian.data[0] & 0x80) != 0)
        cof_buf_add_u8(out, 0);
    cof_buf_add(out, big_endian);
    cof_der_end(out, mark);
}
