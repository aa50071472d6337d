/* SPDX-License-Identifier: Apache-2.0 */
#include "format/cbor.h"

#include <string.h>

#define INFO_INDEFINITE 31
#define FALSE_BYTE 0xf4
#define TRUE_BYTE 0xf5
#define NULL_BYTE 0xf6
#define BREAK_BYTE 0xff

struct head {
    enum cof_cbor_type type;
    uint8_t info; /* the low five bits of the first byte */
    uint64_t n;
};

/* The first byte and its argument, as they stand; only the reserved values 28-30 are refused here. */
static enum cof_err take_any_head(struct cof_view *v, struct head *out)
{
    struct cof_view in = *v;
    struct cof_view arg;
    uint8_t first;
    size_t len;

    if (cof_take_u8(&in, &first) != COF_OK)
        return COF_E_TRUNCATED;
    *out = (struct head){.type = (enum cof_cbor_type)(first >> 5), .info = first & 31, .n = first & 31};
    if (out->info >= 24 && out->info < INFO_INDEFINITE) {
        if (out->info > 27)
            return COF_E_FORMAT;
        len = (size_t)1 << (out->info - 24);
        if (cof_take(&in, len, &arg) != COF_OK)
            return COF_E_TRUNCATED;
        out->n = 0;
        for (size_t i = 0; i < len; i++)
            out->n = out->n << 8 | arg.data[i];
    }
    *v = in;
    return COF_OK;
}

static bool is_minimal(const struct head *h)
{
    static const uint64_t least[] = {24, 0x100, 0x10000, 0x100000000};

    return h->info < 24 || h->n >= least[h->info - 24];
}

/* A head of the strict kind: definite and minimal (RFC 8949 section 4.2.1). */
static enum cof_err take_head(struct cof_view *v, struct head *out)
{
    struct cof_view in = *v;
    enum cof_err err = take_any_head(&in, out);

    if (err != COF_OK)
        return err;
    if (out->info == INFO_INDEFINITE || (out->type != COF_CBOR_SIMPLE && !is_minimal(out)))
        return COF_E_FORMAT;
    *v = in;
    return COF_OK;
}

static enum cof_err take_type(struct cof_view *v, enum cof_cbor_type type, uint64_t *n)
{
    struct cof_view in = *v;
    struct head h;
    enum cof_err err = take_head(&in, &h);

    if (err != COF_OK)
        return err;
    if (h.type != type)
        return COF_E_FORMAT;
    *n = h.n;
    *v = in;
    return COF_OK;
}

enum cof_err cof_cbor_peek(struct cof_view v, enum cof_cbor_type *type)
{
    if (v.len == 0)
        return COF_E_TRUNCATED;
    *type = (enum cof_cbor_type)(v.data[0] >> 5);
    return COF_OK;
}

enum cof_err cof_cbor_take_uint(struct cof_view *v, uint64_t max, uint64_t *out)
{
    struct cof_view in = *v;
    uint64_t n;
    enum cof_err err = take_type(&in, COF_CBOR_UINT, &n);

    if (err != COF_OK)
        return err;
    if (n > max)
        return COF_E_LIMIT;
    *out = n;
    *v = in;
    return COF_OK;
}

enum cof_err cof_cbor_take_int(struct cof_view *v, int64_t *out)
{
    struct cof_view in = *v;
    struct head h;
    enum cof_err err = take_head(&in, &h);

    if (err != COF_OK)
        return err;
    if (h.type != COF_CBOR_UINT && h.type != COF_CBOR_NEGATIVE)
        return COF_E_FORMAT;
    if (h.n > INT64_MAX)
        return COF_E_LIMIT;
    *out = h.type == COF_CBOR_UINT ? (int64_t)h.n : -1 - (int64_t)h.n;
    *v = in;
    return COF_OK;
}

static enum cof_err take_string(struct cof_view *v, enum cof_cbor_type type, size_t min, size_t max,
                                struct cof_view *out)
{
    struct cof_view in = *v;
    struct cof_view s;
    uint64_t n;
    enum cof_err err = take_type(&in, type, &n);

    if (err != COF_OK)
        return err;
    if (n > max)
        return COF_E_LIMIT;
    if (n < min)
        return COF_E_FORMAT;
    if (cof_take(&in, (size_t)n, &s) != COF_OK)
        return COF_E_TRUNCATED;
    if (type == COF_CBOR_TEXT && !cof_view_is_utf8(s))
        return COF_E_FORMAT;
    *out = s;
    *v = in;
    return COF_OK;
}

enum cof_err cof_cbor_take_bytes(struct cof_view *v, size_t min, size_t max, struct cof_view *out)
{
    return take_string(v, COF_CBOR_BYTES, min, max, out);
}

enum cof_err cof_cbor_take_text(struct cof_view *v, size_t min, size_t max, struct cof_view *out)
{
    return take_string(v, COF_CBOR_TEXT, min, max, out);
}

enum cof_err cof_cbor_take_array(struct cof_view *v, size_t max, size_t *n_items)
{
    struct cof_view in = *v;
    uint64_t n;
    enum cof_err err = take_type(&in, COF_CBOR_ARRAY, &n);

    if (err != COF_OK)
        return err;
    if (n > max)
        return COF_E_LIMIT;
    *n_items = (size_t)n;
    *v = in;
    return COF_OK;
}

enum cof_err cof_cbor_take_tag(struct cof_view *v, uint64_t *tag)
{
    return take_type(v, COF_CBOR_TAG, tag);
}

enum cof_err cof_cbor_take_bool(struct cof_view *v, bool *out)
{
    struct cof_view in = *v;
    uint8_t b;

    if (cof_take_u8(&in, &b) != COF_OK)
        return COF_E_TRUNCATED;
    if (b != FALSE_BYTE && b != TRUE_BYTE)
        return COF_E_FORMAT;
    *out = b == TRUE_BYTE;
    *v = in;
    return COF_OK;
}

bool cof_cbor_take_null(struct cof_view *v)
{
    struct cof_view skipped;

    return v->len > 0 && v->data[0] == NULL_BYTE && cof_take(v, 1, &skipped) == COF_OK;
}

static enum cof_err skip_item(struct cof_view *in, unsigned depth)
{
    struct cof_view s;
    struct head h;
    enum cof_err err = take_head(in, &h);
    uint64_t n_inside = 0;

    if (err != COF_OK)
        return err;
    switch (h.type) {
    case COF_CBOR_UINT:
    case COF_CBOR_NEGATIVE:
        return COF_OK;
    case COF_CBOR_BYTES:
    case COF_CBOR_TEXT:
        if (h.n > in->len || cof_take(in, (size_t)h.n, &s) != COF_OK)
            return COF_E_TRUNCATED;
        return h.type == COF_CBOR_BYTES || cof_view_is_utf8(s) ? COF_OK : COF_E_FORMAT;
    case COF_CBOR_SIMPLE:
        return h.info >= (FALSE_BYTE & 31) && h.info <= (NULL_BYTE & 31) ? COF_OK : COF_E_FORMAT;
    case COF_CBOR_TAG:
        n_inside = 1;
        break;
    case COF_CBOR_ARRAY:
    case COF_CBOR_MAP:
        /* Each item is at least one byte, so a count over what is left is a lie; this also bounds the doubling. */
        if (h.n > in->len)
            return COF_E_TRUNCATED;
        n_inside = h.type == COF_CBOR_MAP ? 2 * h.n : h.n;
        break;
    }
    if (depth == 0)
        return COF_E_LIMIT;
    for (uint64_t i = 0; i < n_inside; i++) {
        err = skip_item(in, depth - 1);
        if (err != COF_OK)
            return err;
    }
    return COF_OK;
}

enum cof_err cof_cbor_skip(struct cof_view *v, unsigned depth, struct cof_view *out)
{
    struct cof_view in = *v;
    enum cof_err err = skip_item(&in, depth);

    if (err != COF_OK)
        return err;
    if (out != NULL)
        *out = cof_view_sub(*v, 0, v->len - in.len);
    *v = in;
    return COF_OK;
}

enum cof_err cof_cbor_map_open(struct cof_view *v, bool allow_indefinite, struct cof_cbor_map *map)
{
    struct cof_view in = *v;
    struct head h;
    enum cof_err err = take_any_head(&in, &h);

    *map = (struct cof_cbor_map){0};
    if (err != COF_OK)
        return err;
    if (h.type != COF_CBOR_MAP)
        return COF_E_FORMAT;
    map->indefinite = h.info == INFO_INDEFINITE;
    if (map->indefinite ? !allow_indefinite : !is_minimal(&h))
        return COF_E_FORMAT;
    map->left = map->indefinite ? 0 : h.n;
    *v = in;
    return COF_OK;
}

/* Whether the map ends here; the mark of an indefinite one is taken. */
static bool at_map_end(struct cof_view *in, struct cof_cbor_map *map)
{
    struct cof_view mark;

    if (!map->indefinite)
        return map->left == 0;
    return in->len > 0 && in->data[0] == BREAK_BYTE && cof_take(in, 1, &mark) == COF_OK;
}

static enum cof_err mark_seen(struct cof_cbor_map *map, size_t index)
{
    uint64_t bit = (uint64_t)1 << index;

    if ((map->seen & bit) != 0)
        return COF_E_FORMAT;
    map->seen |= bit;
    if (!map->indefinite)
        map->left--;
    return COF_OK;
}

enum cof_err cof_cbor_map_next(struct cof_view *v, struct cof_cbor_map *map, const char *const *names, size_t n_names,
                               size_t *index)
{
    struct cof_view in = *v;
    struct cof_view key;
    enum cof_err err = COF_OK;
    size_t i = 0;

    *index = COF_CBOR_END;
    if (n_names > COF_CBOR_MAP_KEYS_MAX)
        return COF_E_BUG;
    if (!at_map_end(&in, map)) {
        err = cof_cbor_take_text(&in, 0, 64, &key);
        if (err != COF_OK)
            return err;
        while (i < n_names && !cof_view_eq_str(key, names[i]))
            i++;
        err = i == n_names ? COF_E_FORMAT : mark_seen(map, i);
        if (err != COF_OK)
            return err;
        *index = i;
    }
    *v = in;
    return COF_OK;
}

enum cof_err cof_cbor_map_next_uint(struct cof_view *v, struct cof_cbor_map *map, uint64_t max, size_t *index)
{
    struct cof_view in = *v;
    uint64_t key;
    enum cof_err err = COF_OK;

    *index = COF_CBOR_END;
    if (max >= COF_CBOR_MAP_KEYS_MAX)
        return COF_E_BUG;
    if (!at_map_end(&in, map)) {
        err = cof_cbor_take_uint(&in, max, &key);
        if (err == COF_OK)
            err = mark_seen(map, (size_t)key);
        if (err != COF_OK)
            return err;
        *index = (size_t)key;
    }
    *v = in;
    return COF_OK;
}

bool cof_cbor_map_has(const struct cof_cbor_map *map, size_t index)
{
    return index < COF_CBOR_MAP_KEYS_MAX && (map->seen >> index & 1) != 0;
}

static bool well_formed_item(struct cof_view *in, unsigned depth, bool may_break, bool *was_break);

/* The inside of an indefinite string: definite strings of the same kind, then the break. */
static bool well_formed_chunks(struct cof_view *in, enum cof_cbor_type type)
{
    struct cof_view s;
    struct head h;

    for (;;) {
        if (take_any_head(in, &h) != COF_OK)
            return false;
        if (h.type == COF_CBOR_SIMPLE && h.info == INFO_INDEFINITE)
            return true;
        if (h.type != type || h.info == INFO_INDEFINITE || h.n > in->len || cof_take(in, (size_t)h.n, &s) != COF_OK)
            return false;
    }
}

static bool well_formed_until_break(struct cof_view *in, unsigned depth, bool pairs)
{
    bool was_break;

    for (;;) {
        if (!well_formed_item(in, depth, true, &was_break))
            return false;
        if (was_break)
            return true;
        if (pairs && !well_formed_item(in, depth, false, &was_break))
            return false;
    }
}

static bool well_formed_count(struct cof_view *in, unsigned depth, uint64_t n)
{
    bool was_break;

    for (uint64_t i = 0; i < n; i++)
        if (!well_formed_item(in, depth, false, &was_break))
            return false;
    return true;
}

static bool well_formed_simple(const struct head *h, bool may_break, bool *was_break)
{
    *was_break = h->info == INFO_INDEFINITE;
    if (*was_break)
        return may_break;
    return h->info != 24 || h->n >= 32; /* RFC 8949 section 3.3 */
}

/* spec: RFC 8949 Appendix C */
static bool well_formed_item(struct cof_view *in, unsigned depth, bool may_break, bool *was_break)
{
    struct cof_view s;
    struct head h;

    *was_break = false;
    if (take_any_head(in, &h) != COF_OK)
        return false;
    if (h.type == COF_CBOR_SIMPLE)
        return well_formed_simple(&h, may_break, was_break);
    if (h.info == INFO_INDEFINITE) {
        if (h.type == COF_CBOR_BYTES || h.type == COF_CBOR_TEXT)
            return well_formed_chunks(in, h.type);
        if ((h.type != COF_CBOR_ARRAY && h.type != COF_CBOR_MAP) || depth == 0)
            return false;
        return well_formed_until_break(in, depth - 1, h.type == COF_CBOR_MAP);
    }
    if (h.type == COF_CBOR_UINT || h.type == COF_CBOR_NEGATIVE)
        return true;
    if (h.type == COF_CBOR_BYTES || h.type == COF_CBOR_TEXT)
        return h.n <= in->len && cof_take(in, (size_t)h.n, &s) == COF_OK;
    if (depth == 0)
        return false;
    if (h.type == COF_CBOR_TAG)
        return well_formed_count(in, depth - 1, 1);
    if (h.n > in->len)
        return false;
    return well_formed_count(in, depth - 1, h.type == COF_CBOR_MAP ? 2 * h.n : h.n);
}

bool cof_cbor_well_formed(struct cof_view v, unsigned depth)
{
    bool was_break;

    return well_formed_item(&v, depth, false, &was_break) && v.len == 0;
}

static void add_head(struct cof_buf *out, enum cof_cbor_type type, uint64_t n)
{
    uint8_t major = (uint8_t)((unsigned)type << 5);

    if (n < 24) {
        cof_buf_add_u8(out, (uint8_t)(major | n));
    } else if (n <= 0xff) {
        cof_buf_add_u8(out, major | 24);
        cof_buf_add_u8(out, (uint8_t)n);
    } else if (n <= 0xffff) {
        cof_buf_add_u8(out, major | 25);
        cof_buf_add_u16(out, (uint16_t)n);
    } else if (n <= 0xffffffff) {
        cof_buf_add_u8(out, major | 26);
        cof_buf_add_u32(out, (uint32_t)n);
    } else {
        cof_buf_add_u8(out, major | 27);
        cof_buf_add_u64(out, n);
    }
}

void cof_cbor_add_uint(struct cof_buf *out, uint64_t n)
{
    add_head(out, COF_CBOR_UINT, n);
}

void cof_cbor_add_int(struct cof_buf *out, int64_t n)
{
    if (n >= 0)
        add_head(out, COF_CBOR_UINT, (uint64_t)n);
    else
        add_head(out, COF_CBOR_NEGATIVE, (uint64_t)(-1 - n));
}

void cof_cbor_add_bytes(struct cof_buf *out, struct cof_view v)
{
    add_head(out, COF_CBOR_BYTES, v.len);
    cof_buf_add(out, v);
}

void cof_cbor_add_text(struct cof_buf *out, struct cof_view v)
{
    add_head(out, COF_CBOR_TEXT, v.len);
    cof_buf_add(out, v);
}

void cof_cbor_add_str(struct cof_buf *out, const char *s)
{
    cof_cbor_add_text(out, cof_view_str(s));
}

void cof_cbor_add_array(struct cof_buf *out, size_t n_items)
{
    add_head(out, COF_CBOR_ARRAY, n_items);
}

void cof_cbor_add_map(struct cof_buf *out, size_t n_pairs)
{
    add_head(out, COF_CBOR_MAP, n_pairs);
}

void cof_cbor_add_tag(struct cof_buf *out, uint64_t tag)
{
    add_head(out, COF_CBOR_TAG, tag);
}

void cof_cbor_add_bool(struct cof_buf *out, bool b)
{
    cof_buf_add_u8(out, b ? TRUE_BYTE : FALSE_BYTE);
}

void cof_cbor_add_null(struct cof_buf *out)
{
    cof_buf_add_u8(out, NULL_BYTE);
}
