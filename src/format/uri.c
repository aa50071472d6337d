/* SPDX-License-Identifier: Apache-2.0 */
#include "format/uri.h"

#include "base/codec.h"

static bool unreserved(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
        c == '_' || c == '~';
}

void cof_uri_encode(struct cof_buf *out, struct cof_view text, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (unreserved(c) || (keep_slash && c == '/')) {
            cof_buf_add_u8(out, c);
        } else {
            cof_buf_add_u8(out, '%');
            cof_buf_add_u8(out, (uint8_t)digits[c >> 4]);
            cof_buf_add_u8(out, (uint8_t)digits[c & 15]);
        }
    }
}

enum cof_err cof_uri_decode(struct cof_view text, bool plus_is_space, struct cof_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (c == '%') {
            if (text.len - i < 3 || cof_hex_decode_fixed(cof_view_sub(text, i + 1, 2), &c, 1) != COF_OK)
                return COF_E_FORMAT;
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        cof_buf_add_u8(out, c);
    }
    return cof_buf_err(out);
}

bool cof_query_next(struct cof_view *query, struct cof_view *name, struct cof_view *value)
{
    while (query->len > 0) {
        struct cof_view piece, rest;

        (void)cof_view_split(*query, '&', &piece, &rest);
        *query = rest;
        if (piece.len == 0)
            continue;
        (void)cof_view_split(piece, '=', name, value);
        return true;
    }
    return false;
}

/* Finds the parameter; *value is raw. */
static enum cof_err find(struct cof_view query, const char *name, struct cof_view *value)
{
    struct cof_buf decoded;
    struct cof_view raw;
    enum cof_err err = COF_E_NOT_FOUND;

    cof_buf_init(&decoded, 65536);
    while (err == COF_E_NOT_FOUND && cof_query_next(&query, &raw, value)) {
        cof_buf_reset(&decoded);
        err = cof_uri_decode(raw, false, &decoded);
        if (err == COF_OK && !cof_view_eq_str(cof_buf_view(&decoded), name))
            err = COF_E_NOT_FOUND;
    }
    cof_buf_done(&decoded);
    return err;
}

enum cof_err cof_query_get(struct cof_view query, const char *name, struct cof_buf *out)
{
    struct cof_view value;
    enum cof_err err = find(query, name, &value);

    return err == COF_OK ? cof_uri_decode(value, false, out) : err;
}

enum cof_err cof_form_get(struct cof_view form, const char *name, struct cof_buf *out)
{
    struct cof_view value;
    enum cof_err err = find(form, name, &value);

    return err == COF_OK ? cof_uri_decode(value, true, out) : err;
}

bool cof_query_has(struct cof_view query, const char *name)
{
    struct cof_view value;

    return find(query, name, &value) == COF_OK;
}
