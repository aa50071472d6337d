/* SPDX-License-Identifier: Apache-2.0 */
#include "format/headers.h"

#include "base/eight.h"

#include <string.h>

void cof_headers_init(struct cof_headers *h)
{
    h->n = 0;
    h->err = COF_OK;
    cof_buf_init(&h->bytes, COF_HEADERS_BYTES_MAX);
}

void cof_headers_done(struct cof_headers *h)
{
    if (h == NULL)
        return;
    cof_buf_done(&h->bytes);
    h->n = 0;
}

void cof_headers_reset(struct cof_headers *h)
{
    cof_buf_reset(&h->bytes);
    h->n = 0;
    h->err = COF_OK;
}

enum cof_err cof_headers_err(const struct cof_headers *h)
{
    return h->err != COF_OK ? h->err : cof_buf_err(&h->bytes);
}

bool cof_is_token(struct cof_view v)
{
    /* a bit for each byte: digits, letters and !#$%&'*+-.^_`|~ */
    static const uint32_t bits[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff, 0, 0, 0, 0};
    uint32_t good = 1;

    for (size_t i = 0; i < v.len; i++)
        good &= bits[v.data[i] >> 5] >> (v.data[i] & 31);
    return v.len > 0 && good != 0;
}

static bool ends_line(struct cof_view v)
{
    return cof_view_find(v, '\r') != SIZE_MAX || cof_view_find(v, '\n') != SIZE_MAX || cof_view_find(v, '\0') != SIZE_MAX;
}

static bool is_value(struct cof_view v)
{
    for (size_t i = 0; i < v.len; i += 8)
        if (cof_eight_has_less(cof_eight(v, i), 0x20) && ends_line(cof_view_sub(v, i, 8)))
            return false;
    return true;
}

static void add_field(struct cof_headers *h, size_t name, size_t name_len, size_t value, size_t value_len)
{
    if (h->n == COF_HEADERS_MAX) {
        h->err = COF_E_LIMIT;
        return;
    }
    h->field[h->n].name = (uint32_t)name;
    h->field[h->n].name_len = (uint32_t)name_len;
    h->field[h->n].value = (uint32_t)value;
    h->field[h->n].value_len = (uint32_t)value_len;
    h->n++;
}

void cof_headers_add(struct cof_headers *h, struct cof_view name, struct cof_view value)
{
    size_t at = h->bytes.len;

    if (cof_headers_err(h) != COF_OK)
        return;
    if (!cof_is_token(name) || !is_value(value)) {
        h->err = COF_E_FORMAT;
        return;
    }
    cof_buf_add(&h->bytes, name);
    cof_buf_add(&h->bytes, value);
    if (cof_buf_err(&h->bytes) == COF_OK)
        add_field(h, at, name.len, at + name.len, value.len);
}

void cof_headers_mark(struct cof_headers *h, struct cof_view name, struct cof_view value)
{
    size_t value_at = value.len == 0 ? 0 : (size_t)(value.data - h->bytes.data); /* an empty one may lie nowhere */

    if (cof_headers_err(h) == COF_OK)
        add_field(h, (size_t)(name.data - h->bytes.data), name.len, value_at, value.len);
}

void cof_headers_add_str(struct cof_headers *h, const char *name, const char *value)
{
    cof_headers_add(h, cof_view_str(name), cof_view_str(value));
}

void cof_headers_remove(struct cof_headers *h, const char *name)
{
    size_t kept = 0;

    for (size_t i = 0; i < h->n; i++)
        if (!cof_view_eq_nocase(cof_headers_name(h, i), cof_view_str(name)))
            h->field[kept++] = h->field[i];
    h->n = kept;
}

void cof_headers_set(struct cof_headers *h, const char *name, const char *value)
{
    cof_headers_remove(h, name);
    cof_headers_add_str(h, name, value);
}

struct cof_view cof_headers_name(const struct cof_headers *h, size_t i)
{
    return cof_view_sub(cof_view_of(h->bytes.data, h->bytes.len), h->field[i].name, h->field[i].name_len);
}

struct cof_view cof_headers_value(const struct cof_headers *h, size_t i)
{
    return cof_view_sub(cof_view_of(h->bytes.data, h->bytes.len), h->field[i].value, h->field[i].value_len);
}

/* Most fields differ in length or last letter, and some sixty are asked for with each request. */
static bool is_named(const struct cof_headers *h, size_t i, struct cof_view name)
{
    return h->field[i].name_len == name.len && name.len > 0 &&
           ((h->bytes.data[h->field[i].name + name.len - 1] ^ name.data[name.len - 1]) & 0xdf) == 0 &&
           cof_view_eq_nocase(cof_headers_name(h, i), name);
}

bool cof_headers_find(const struct cof_headers *h, struct cof_view name, struct cof_view *value)
{
    *value = (struct cof_view){NULL, 0};
    for (size_t i = 0; i < h->n; i++)
        if (is_named(h, i, name)) {
            *value = cof_headers_value(h, i);
            return true;
        }
    return false;
}

size_t cof_headers_count_of(const struct cof_headers *h, struct cof_view name)
{
    size_t count = 0;

    for (size_t i = 0; i < h->n; i++)
        count += is_named(h, i, name);
    return count;
}

void cof_headers_write(const struct cof_headers *h, struct cof_buf *out)
{
    for (size_t i = 0; i < h->n; i++) {
        cof_buf_add(out, cof_headers_name(h, i));
        cof_buf_add_str(out, ": ");
        cof_buf_add(out, cof_headers_value(h, i));
        cof_buf_add_str(out, "\r\n");
    }
}
