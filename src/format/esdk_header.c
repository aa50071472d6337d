/* SPDX-License-Identifier: Apache-2.0 */
#include "format/esdk_header.h"

#include <stdlib.h>

static enum cof_err take_vec16(struct cof_view *v, struct cof_view *out)
{
    struct cof_view copy = *v;
    uint16_t n;
    enum cof_err err = cof_take_u16(&copy, &n);

    if (err == COF_OK)
        err = cof_take(&copy, n, out);
    if (err == COF_OK)
        *v = copy;
    return err;
}

/* Inside a structure of known length, too few bytes is damage. */
static enum cof_err inner(enum cof_err err)
{
    return err == COF_E_SHORT ? COF_E_FORMAT : err;
}

static int by_name(const void *a, const void *b)
{
    return cof_view_cmp(((const struct cof_esdk_pair *)a)->name, ((const struct cof_esdk_pair *)b)->name);
}

enum cof_err cof_esdk_sort_pairs(struct cof_esdk_pair *pairs, size_t n)
{
    if (n > 1)
        qsort(pairs, n, sizeof *pairs, by_name);
    for (size_t i = 0; i < n; i++) {
        if (pairs[i].name.len == 0 || !cof_view_is_utf8(pairs[i].name) || !cof_view_is_utf8(pairs[i].value))
            return COF_E_USAGE;
        if (i > 0 && cof_view_eq(pairs[i].name, pairs[i - 1].name))
            return COF_E_USAGE;
    }
    return COF_OK;
}

static enum cof_err take_context(struct cof_view *in, struct cof_esdk_header *h)
{
    struct cof_view aad;
    uint16_t count;
    enum cof_err err = take_vec16(in, &aad);

    if (err != COF_OK || aad.len == 0)
        return err;
    if (cof_take_u16(&aad, &count) != COF_OK || count == 0)
        return COF_E_FORMAT;
    if (count > COF_ESDK_PAIRS_MAX)
        return COF_E_LIMIT;
    for (; h->n_pairs < count; h->n_pairs++) {
        struct cof_esdk_pair *p = &h->pairs[h->n_pairs];
        err = take_vec16(&aad, &p->name);
        if (err == COF_OK)
            err = take_vec16(&aad, &p->value);
        if (err != COF_OK)
            return inner(err);
        if (p->name.len == 0 || !cof_view_is_utf8(p->name) || !cof_view_is_utf8(p->value))
            return COF_E_FORMAT;
    }
    if (aad.len != 0)
        return COF_E_FORMAT;
    /* Most writers sort; some (the Java SDK's first) did not. Twice the same name is never right. */
    return cof_esdk_sort_pairs(h->pairs, h->n_pairs) == COF_OK ? COF_OK : COF_E_FORMAT;
}

static enum cof_err take_edks(struct cof_view *in, const struct cof_esdk_limits *limits, struct cof_esdk_header *h)
{
    size_t max = limits->max_edks == 0 ? 10 : limits->max_edks;
    uint16_t count;
    enum cof_err err = cof_take_u16(in, &count);

    if (err != COF_OK)
        return err;
    if (count == 0)
        return COF_E_FORMAT;
    if (count > max || count > COF_ESDK_EDKS_MAX)
        return COF_E_LIMIT;
    for (; h->n_edks < count; h->n_edks++) {
        struct cof_esdk_edk *e = &h->edks[h->n_edks];
        err = take_vec16(in, &e->provider);
        if (err == COF_OK)
            err = take_vec16(in, &e->info);
        if (err == COF_OK)
            err = take_vec16(in, &e->ciphertext);
        if (err != COF_OK)
            return err;
        if (!cof_view_is_utf8(e->provider))
            return COF_E_FORMAT;
    }
    return COF_OK;
}

static enum cof_err take_rest(struct cof_view *in, const struct cof_esdk_limits *limits, struct cof_esdk_header *h)
{
    uint32_t max = limits->max_frame_length == 0 ? 16u << 20 : limits->max_frame_length;
    enum cof_err err = cof_take_u8(in, &h->content_type);

    if (err == COF_OK && h->content_type != COF_ESDK_FRAMED && h->content_type != COF_ESDK_UNFRAMED)
        return COF_E_FORMAT;
    if (err == COF_OK)
        err = cof_take_u32(in, &h->frame_length);
    if (err == COF_OK && (h->frame_length == 0) != (h->content_type == COF_ESDK_UNFRAMED))
        return COF_E_FORMAT;
    if (err == COF_OK && h->frame_length > max)
        return COF_E_LIMIT;
    if (err == COF_OK)
        err = cof_take(in, COF_ESDK_COMMITMENT, &h->commitment);
    return err;
}

enum cof_err cof_esdk_header_parse(struct cof_view in, const struct cof_esdk_limits *limits, struct cof_esdk_header *out,
                                   size_t *used)
{
    struct cof_view rest = in;
    uint8_t version;
    enum cof_err err = cof_take_u8(&rest, &version);

    *out = (struct cof_esdk_header){0};
    if (err == COF_OK && version != 2)
        return version == 1 ? COF_E_UNSUPPORTED : COF_E_FORMAT;
    if (err == COF_OK)
        err = cof_take_u16(&rest, &out->suite);
    if (err == COF_OK && out->suite != 0x0478 && out->suite != 0x0578)
        return COF_E_UNSUPPORTED;
    if (err == COF_OK)
        err = cof_take(&rest, COF_ESDK_MESSAGE_ID, &out->message_id);
    if (err == COF_OK)
        err = take_context(&rest, out);
    if (err == COF_OK)
        err = take_edks(&rest, limits, out);
    if (err == COF_OK)
        err = take_rest(&rest, limits, out);
    out->body = cof_view_sub(in, 0, in.len - rest.len);
    if (err == COF_OK)
        err = cof_take(&rest, COF_ESDK_TAG, &out->tag);
    if (err == COF_E_SHORT && in.len >= COF_ESDK_HEADER_MAX)
        err = COF_E_LIMIT;
    *used = err == COF_OK ? in.len - rest.len : 0;
    return err;
}

static void add_vec16(struct cof_buf *out, struct cof_view v)
{
    if (v.len > UINT16_MAX) {
        if (out->err == COF_OK)
            out->err = COF_E_LIMIT;
        return;
    }
    cof_buf_add_u16(out, (uint16_t)v.len);
    cof_buf_add(out, v);
}

enum cof_err cof_esdk_header_add(struct cof_buf *out, const struct cof_esdk_header *h)
{
    struct cof_buf aad;

    if (h->n_edks == 0 || h->n_edks > COF_ESDK_EDKS_MAX || h->n_pairs > COF_ESDK_PAIRS_MAX || h->frame_length == 0)
        return COF_E_USAGE;
    cof_buf_add_u8(out, 2);
    cof_buf_add_u16(out, h->suite);
    cof_buf_add(out, h->message_id);
    cof_buf_init(&aad, UINT16_MAX);
    if (h->n_pairs > 0)
        cof_buf_add_u16(&aad, (uint16_t)h->n_pairs);
    for (size_t i = 0; i < h->n_pairs; i++) {
        add_vec16(&aad, h->pairs[i].name);
        add_vec16(&aad, h->pairs[i].value);
    }
    if (cof_buf_err(&aad) != COF_OK) {
        enum cof_err err = cof_buf_err(&aad);
        cof_buf_done(&aad);
        return err;
    }
    add_vec16(out, cof_buf_view(&aad));
    cof_buf_done(&aad);
    cof_buf_add_u16(out, (uint16_t)h->n_edks);
    for (size_t i = 0; i < h->n_edks; i++) {
        add_vec16(out, h->edks[i].provider);
        add_vec16(out, h->edks[i].info);
        add_vec16(out, h->edks[i].ciphertext);
    }
    cof_buf_add_u8(out, COF_ESDK_FRAMED); /* the only kind we write */
    cof_buf_add_u32(out, h->frame_length);
    cof_buf_add(out, h->commitment);
    return cof_buf_err(out);
}

bool cof_esdk_find_pair(const struct cof_esdk_header *header, const char *name, struct cof_view *value)
{
    for (size_t i = 0; i < header->n_pairs; i++)
        if (cof_view_eq_str(header->pairs[i].name, name)) {
            *value = header->pairs[i].value;
            return true;
        }
    *value = (struct cof_view){0};
    return false;
}
