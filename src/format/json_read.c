/* SPDX-License-Identifier: Apache-2.0 */
#include "format/json_read.h"

#include "base/codec.h"
#include "base/log.h"
#include "base/num.h"

#include <string.h>

#define DEPTH_MAX 32

/* The cursor is ours; nothing is read at or behind end. */
struct reader {
    const uint8_t *at, *end;
    int depth;
};

static json_t *read_value(struct reader *r);

static void skip_space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

/* The next byte that is no space, taken if it is c. */
static bool takes(struct reader *r, uint8_t c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* The inside of a string whose opening quote was taken, up to its closing quote. False: not for us. */
static bool scan_string(struct reader *r, struct cof_view *inside, bool *escaped)
{
    const uint8_t *start = r->at;
    uint8_t high = 0;

    *escaped = false;
    r->at += cof_json_plain_len(cof_view_of(start, (size_t)(r->end - start)));
    for (; r->at < r->end && *r->at != '"'; r->at++) {
        if (*r->at < 0x20)
            return false;
        high |= *r->at;
        if (*r->at == '\\') {
            *escaped = true;
            if (++r->at == r->end)
                return false;
        }
    }
    if (r->at == r->end)
        return false;
    *inside = cof_view_of(start, (size_t)(r->at - start));
    r->at++;
    return high < 0x80 || cof_view_is_utf8(*inside);
}

/* What the letter behind a backslash stands for; 0: nothing. */
static uint8_t unescape(uint8_t c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
        return c;
    case 'u':
        return c; /* take_unicode goes on */
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

static bool take_hex(struct cof_view *v, uint32_t *out)
{
    struct cof_view digits;
    uint8_t bytes[2];

    if (cof_take(v, 4, &digits) != COF_OK || cof_hex_decode_fixed(digits, bytes, 2) != COF_OK)
        return false;
    *out = (uint32_t)bytes[0] << 8 | bytes[1];
    return true;
}

/* What follows \u: four digits, or a surrogate and its other half. NUL is jansson's to refuse. */
static bool take_unicode(struct cof_view *v, struct cof_buf *out)
{
    struct cof_view mark;
    uint32_t c, low;

    if (!take_hex(v, &c) || c == 0 || (c >= 0xdc00 && c < 0xe000))
        return false;
    if (c >= 0xd800 && c < 0xdc00) {
        if (cof_take(v, 2, &mark) != COF_OK || !cof_view_eq_str(mark, "\\u") || !take_hex(v, &low) || low < 0xdc00 || low >= 0xe000)
            return false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    if (c < 0x80) {
        cof_buf_add_u8(out, (uint8_t)c);
    } else if (c < 0x800) {
        cof_buf_add_u16(out, (uint16_t)((0xc0 | c >> 6) << 8 | (0x80 | (c & 0x3f))));
    } else {
        if (c < 0x10000)
            cof_buf_add_u8(out, (uint8_t)(0xe0 | c >> 12));
        else
            cof_buf_add_u16(out, (uint16_t)((0xf0 | c >> 18) << 8 | (0x80 | (c >> 12 & 0x3f))));
        cof_buf_add_u16(out, (uint16_t)((0x80 | (c >> 6 & 0x3f)) << 8 | (0x80 | (c & 0x3f))));
    }
    return true;
}

static json_t *unescaped(struct cof_view v)
{
    struct cof_buf out;
    const uint8_t *stop;
    json_t *string = NULL;
    bool fine = true;

    cof_buf_init_secret(&out, v.len);
    while (fine && v.len > 0 && (stop = memchr(v.data, '\\', v.len)) != NULL) {
        size_t n = (size_t)(stop - v.data);
        uint8_t c = unescape(v.data[n + 1]); /* scan_string has seen that it is there */

        cof_buf_add(&out, cof_view_sub(v, 0, n));
        v = cof_view_sub(v, n + 2, SIZE_MAX);
        fine = c == 'u' ? take_unicode(&v, &out) : c != 0;
        if (c != 'u')
            cof_buf_add_u8(&out, c);
    }
    cof_buf_add(&out, v);
    if (fine && cof_buf_err(&out) == COF_OK)
        string = json_stringn_nocheck(out.len == 0 ? "" : (const char *)out.data, out.len);
    cof_buf_done(&out);
    return string;
}

static json_t *read_string(struct reader *r)
{
    struct cof_view inside;
    bool escaped;

    if (!scan_string(r, &inside, &escaped))
        return NULL;
    return escaped ? unescaped(inside) : json_stringn_nocheck((const char *)inside.data, inside.len);
}

static json_t *read_object(struct reader *r)
{
    json_t *object = json_object();
    bool fine = object != NULL, end = fine && takes(r, '}');
    size_t n = 0; /* a name that is there already adds none */

    while (fine && !end) {
        struct cof_view name;
        json_t *value = NULL;
        bool escaped;

        fine = takes(r, '"') && scan_string(r, &name, &escaped) && !escaped && takes(r, ':') && (value = read_value(r)) != NULL &&
            json_object_setn_new_nocheck(object, (const char *)name.data, name.len, value) == 0 && json_object_size(object) == ++n;
        end = fine && takes(r, '}');
        fine = fine && (end || takes(r, ','));
    }
    if (fine)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *read_array(struct reader *r)
{
    json_t *array = json_array();
    bool fine = array != NULL, end = fine && takes(r, ']');

    while (fine && !end) {
        json_t *value = read_value(r);

        fine = value != NULL && json_array_append_new(array, value) == 0;
        end = fine && takes(r, ']');
        fine = fine && (end || takes(r, ','));
    }
    if (fine)
        return array;
    json_decref(array);
    return NULL;
}

/* Whole numbers below 10^18; "-0" and what has a fraction or an exponent is jansson's. */
static json_t *read_number(struct reader *r)
{
    bool negative = *r->at == '-';
    const uint8_t *start = r->at + (negative ? 1 : 0), *p = start;
    uint64_t n;

    while (p < r->end && *p >= '0' && *p <= '9')
        p++;
    if ((p < r->end && (*p == '.' || *p == 'e' || *p == 'E')) ||
        cof_parse_u64(cof_view_of(start, (size_t)(p - start)), 999999999999999999, &n) != COF_OK || (negative && n == 0))
        return NULL;
    r->at = p;
    return json_integer(negative ? -(json_int_t)n : (json_int_t)n);
}

static bool takes_word(struct reader *r, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return false;
    r->at += len;
    return true;
}

static json_t *read_value(struct reader *r)
{
    json_t *value = NULL;

    skip_space(r);
    if (r->at == r->end || r->depth == DEPTH_MAX)
        return NULL;
    r->depth++;
    switch (*r->at) {
    case '{':
        r->at++;
        value = read_object(r);
        break;
    case '[':
        r->at++;
        value = read_array(r);
        break;
    case '"':
        r->at++;
        value = read_string(r);
        break;
    case 't':
        value = takes_word(r, "true") ? json_true() : NULL;
        break;
    case 'f':
        value = takes_word(r, "false") ? json_false() : NULL;
        break;
    case 'n':
        value = takes_word(r, "null") ? json_null() : NULL;
        break;
    default:
        value = *r->at == '-' || (*r->at >= '0' && *r->at <= '9') ? read_number(r) : NULL;
        break;
    }
    r->depth--;
    return value;
}

json_t *cof_json_read(struct cof_view text)
{
    struct reader r = {text.data, text.data + text.len, 0};
    json_t *value = text.len == 0 ? NULL : read_value(&r);

    skip_space(&r);
    if (value != NULL && r.at == r.end)
        return value;
    json_decref(value);
    return NULL;
}
