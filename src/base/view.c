/* SPDX-License-Identifier: Apache-2.0 */
#include "base/view.h"

static bool is_letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool cof_view_same_letters(struct cof_view a, struct cof_view b)
{
    for (size_t i = 0; i < a.len; i++)
        if (a.data[i] != b.data[i] && ((a.data[i] ^ b.data[i]) != 0x20 || !is_letter(a.data[i])))
            return false;
    return true;
}

bool cof_view_starts(struct cof_view v, struct cof_view prefix)
{
    return v.len >= prefix.len && cof_view_eq(cof_view_sub(v, 0, prefix.len), prefix);
}

bool cof_view_ends(struct cof_view v, struct cof_view suffix)
{
    return v.len >= suffix.len && cof_view_eq(cof_view_sub(v, v.len - suffix.len, suffix.len), suffix);
}

int cof_view_cmp(struct cof_view a, struct cof_view b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n == 0 ? 0 : memcmp(a.data, b.data, n);

    if (c != 0)
        return c;
    return a.len < b.len ? -1 : a.len > b.len;
}

/* RFC 3629 section 4: lead byte, how many continuation bytes, and the range of the first of them. */
static size_t utf8_tail(uint8_t lead, uint8_t *lo, uint8_t *hi)
{
    *lo = 0x80;
    *hi = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 1;
    if (lead >= 0xe0 && lead <= 0xef) {
        if (lead == 0xe0)
            *lo = 0xa0;
        if (lead == 0xed)
            *hi = 0x9f;
        return 2;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        if (lead == 0xf0)
            *lo = 0x90;
        if (lead == 0xf4)
            *hi = 0x8f;
        return 3;
    }
    return SIZE_MAX;
}

bool cof_view_is_utf8(struct cof_view v)
{
    for (size_t i = 0; i < v.len;) {
        uint8_t lo, hi;
        size_t tail;

        if (v.data[i] < 0x80) {
            i++;
            continue;
        }
        tail = utf8_tail(v.data[i], &lo, &hi);
        if (tail == SIZE_MAX || tail > v.len - i - 1)
            return false;
        for (size_t k = 1; k <= tail; k++) {
            uint8_t c = v.data[i + k];
            if (c < (k == 1 ? lo : 0x80) || c > (k == 1 ? hi : 0xbf))
                return false;
        }
        i += tail + 1;
    }
    return true;
}

size_t cof_view_find(struct cof_view v, uint8_t c)
{
    const uint8_t *p = v.len == 0 ? NULL : memchr(v.data, c, v.len);

    return p == NULL ? SIZE_MAX : (size_t)(p - v.data);
}

bool cof_view_split(struct cof_view v, uint8_t c, struct cof_view *head, struct cof_view *tail)
{
    size_t at = cof_view_find(v, c);

    *head = cof_view_sub(v, 0, at);
    *tail = at == SIZE_MAX ? (struct cof_view){NULL, 0} : cof_view_sub(v, at + 1, SIZE_MAX);
    return at != SIZE_MAX;
}

void cof_view_copy(struct cof_view v, char *out, size_t size)
{
    size_t len = v.len < size ? v.len : size - 1;

    if (len > 0)
        memcpy(out, v.data, len);
    out[len] = '\0';
}

struct cof_view cof_view_trim(struct cof_view v)
{
    while (v.len > 0 && (v.data[0] == ' ' || v.data[0] == '\t'))
        v = cof_view_sub(v, 1, SIZE_MAX);
    while (v.len > 0 && (v.data[v.len - 1] == ' ' || v.data[v.len - 1] == '\t'))
        v.len--;
    return v;
}

enum cof_err cof_take(struct cof_view *v, size_t len, struct cof_view *out)
{
    if (len > v->len)
        return COF_E_SHORT;
    *out = (struct cof_view){v->data, len};
    if (len > 0) {
        v->data += len;
        v->len -= len;
    }
    return COF_OK;
}

static enum cof_err take_uint(struct cof_view *v, size_t len, uint64_t *out)
{
    struct cof_view b;
    uint64_t n = 0;
    enum cof_err err = cof_take(v, len, &b);

    if (err != COF_OK)
        return err;
    for (size_t i = 0; i < len; i++)
        n = n << 8 | b.data[i];
    *out = n;
    return COF_OK;
}

enum cof_err cof_take_u8(struct cof_view *v, uint8_t *out)
{
    uint64_t n;
    enum cof_err err = take_uint(v, 1, &n);

    if (err == COF_OK)
        *out = (uint8_t)n;
    return err;
}

enum cof_err cof_take_u16(struct cof_view *v, uint16_t *out)
{
    uint64_t n;
    enum cof_err err = take_uint(v, 2, &n);

    if (err == COF_OK)
        *out = (uint16_t)n;
    return err;
}

enum cof_err cof_take_u32(struct cof_view *v, uint32_t *out)
{
    uint64_t n;
    enum cof_err err = take_uint(v, 4, &n);

    if (err == COF_OK)
        *out = (uint32_t)n;
    return err;
}

enum cof_err cof_take_u64(struct cof_view *v, uint64_t *out)
{
    return take_uint(v, 8, out);
}
