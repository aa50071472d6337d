/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/secret.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 256 /* bytes allocated at first: smaller steps copy more often than they save */

void cof_buf_init(struct cof_buf *buf, size_t max)
{
    *buf = (struct cof_buf){.max = max};
}

void cof_buf_init_secret(struct cof_buf *buf, size_t max)
{
    *buf = (struct cof_buf){.max = max, .secret = true};
}

void cof_buf_done(struct cof_buf *buf)
{
    if (buf == NULL)
        return;
    if (buf->secret && buf->data != NULL)
        cof_wipe(buf->data, buf->cap);
    free(buf->data);
    *buf = (struct cof_buf){0};
}

void cof_buf_release(struct cof_buf *buf)
{
    if (buf->len > 0 || buf->err != COF_OK)
        return;
    free(buf->data); /* wiped by the reset that emptied it */
    buf->data = NULL;
    buf->cap = 0;
}

void cof_buf_reset(struct cof_buf *buf)
{
    if (buf->secret && buf->data != NULL)
        cof_wipe(buf->data, buf->len);
    buf->len = 0;
    buf->err = COF_OK;
}

enum cof_err cof_buf_err(const struct cof_buf *buf)
{
    return buf->err;
}

struct cof_view cof_buf_view(const struct cof_buf *buf)
{
    if (buf->err != COF_OK)
        return (struct cof_view){NULL, 0};
    return (struct cof_view){buf->data, buf->len};
}

/* One byte more than asked is always allocated, so that cof_buf_cstr can end the string. */
enum cof_err cof_buf_reserve(struct cof_buf *buf, size_t len)
{
    size_t need, cap;
    uint8_t *data;

    if (buf->err != COF_OK)
        return buf->err;
    if (buf->max == SIZE_MAX || len > buf->max - buf->len)
        return buf->err = COF_E_LIMIT;
    need = buf->len + len + 1;
    if (need <= buf->cap)
        return COF_OK;
    cap = buf->cap < CAP_MIN ? CAP_MIN : buf->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > buf->max + 1)
        cap = buf->max + 1;
    data = malloc(cap);
    if (data == NULL)
        return buf->err = COF_E_MEMORY;
    if (buf->len > 0)
        memcpy(data, buf->data, buf->len);
    if (buf->secret && buf->data != NULL)
        cof_wipe(buf->data, buf->cap);
    free(buf->data);
    buf->data = data;
    buf->cap = cap;
    return COF_OK;
}

const char *cof_buf_cstr(struct cof_buf *buf)
{
    if (cof_buf_reserve(buf, 0) != COF_OK)
        return "";
    buf->data[buf->len] = '\0';
    return (const char *)buf->data;
}

void cof_buf_add_bytes(struct cof_buf *buf, const void *data, size_t len)
{
    if (len == 0 || (len >= buf->cap - buf->len && cof_buf_reserve(buf, len) != COF_OK) || buf->err != COF_OK)
        return;
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
}

void cof_buf_add(struct cof_buf *buf, struct cof_view v)
{
    cof_buf_add_bytes(buf, v.data, v.len);
}

static void add_uint(struct cof_buf *buf, uint64_t n, size_t len)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(n >> 8 * (len - 1 - i));
    cof_buf_add_bytes(buf, bytes, len);
}

void cof_buf_add_u8(struct cof_buf *buf, uint8_t n)
{
    if ((buf->cap - buf->len < 2 && cof_buf_reserve(buf, 1) != COF_OK) || buf->err != COF_OK)
        return;
    buf->data[buf->len++] = n;
}

void cof_buf_add_u16(struct cof_buf *buf, uint16_t n)
{
    add_uint(buf, n, 2);
}

void cof_buf_add_u32(struct cof_buf *buf, uint32_t n)
{
    add_uint(buf, n, 4);
}

void cof_buf_add_u64(struct cof_buf *buf, uint64_t n)
{
    add_uint(buf, n, 8);
}

void cof_buf_printf(struct cof_buf *buf, const char *fmt, ...)
{
    va_list ap, again;
    size_t room;
    int n;

    if (cof_buf_reserve(buf, 0) != COF_OK)
        return;
    room = buf->cap - buf->len;
    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf((char *)buf->data + buf->len, room, fmt, ap); /* mostly it fits at once */
    va_end(ap);
    if (n < 0)
        buf->err = COF_E_BUG;
    else if ((size_t)n < room || cof_buf_reserve(buf, (size_t)n) == COF_OK) {
        if ((size_t)n >= room)
            (void)vsnprintf((char *)buf->data + buf->len, (size_t)n + 1, fmt, again);
        buf->len += (size_t)n;
    }
    va_end(again);
}

void cof_buf_add_decimal(struct cof_buf *buf, uint64_t n)
{
    uint8_t digits[20];
    size_t at = sizeof digits;

    do
        digits[--at] = (uint8_t)('0' + n % 10);
    while ((n /= 10) > 0);
    cof_buf_add_bytes(buf, digits + at, sizeof digits - at);
}

uint8_t *cof_buf_extend(struct cof_buf *buf, size_t len)
{
    uint8_t *at;

    if (cof_buf_reserve(buf, len) != COF_OK)
        return NULL;
    at = buf->data + buf->len;
    memset(at, 0, len);
    buf->len += len;
    return at;
}

void cof_buf_drop(struct cof_buf *buf, size_t n)
{
    size_t was = buf->len;

    if (n > buf->len)
        n = buf->len;
    if (n == 0)
        return;
    memmove(buf->data, buf->data + n, buf->len - n);
    buf->len -= n;
    if (buf->secret)
        cof_wipe(buf->data + buf->len, was - buf->len);
}

void cof_buf_truncate(struct cof_buf *buf, size_t len)
{
    if (len >= buf->len)
        return;
    if (buf->secret)
        cof_wipe(buf->data + len, buf->len - len);
    buf->len = len;
}
