/* SPDX-License-Identifier: Apache-2.0 */
#include "format/esdk_header.h"

#include <stdlib.h>

#define TYPE_V1 0x80
#define EDKS_DEFAULT 10
#define FRAME_DEFAULT_MAX (16u << 20)

/* The bytes ahead, and how many were missing when they ran out. */
struct reader {
    struct cof_view rest;
    size_t missing;
};

static enum cof_err take(struct reader *r, size_t len, struct cof_view *out)
{
    if (len > r->rest.len)
        r->missing = len - r->rest.len;
    return cof_take(&r->rest, len, out);
}

static enum cof_err take_number(struct reader *r, size_t size, uint32_t *out)
{
    struct cof_view v;
    enum cof_err err = take(r, size, &v);

    *out = 0;
    for (size_t i = 0; err == COF_OK && i < size; i++)
        *out = *out << 8 | v.data[i];
    return err;
}

/* u16 length and as many bytes. */
static enum cof_err take_vec(struct reader *r, struct cof_view *out)
{
    uint32_t n;
    enum cof_err err = take_number(r, 2, &n);

    return err == COF_OK ? take(r, n, out) : err;
}

uint8_t cof_esdk_suite_version(uint16_t suite)
{
    static const uint16_t first[] = {0x0014, 0x0046, 0x0078, 0x0114, 0x0146, 0x0178, 0x0214, 0x0346, 0x0378};

    if (suite == 0x0478 || suite == 0x0578)
        return 2;
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        if (first[i] == suite)
            return 1;
    return 0;
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

/* Inside the context, whose length is known, too few bytes is damage. */
static enum cof_err take_pairs(struct cof_view aad, struct cof_esdk_header *h)
{
    struct reader r = {aad, 0};
    uint32_t count;

    if (take_number(&r, 2, &count) != COF_OK || count == 0)
        return COF_E_FORMAT;
    if (count > COF_ESDK_PAIRS_MAX)
        return COF_E_LIMIT;
    for (; h->n_pairs < count; h->n_pairs++) {
        struct cof_esdk_pair *p = &h->pairs[h->n_pairs];
        if (take_vec(&r, &p->name) != COF_OK || take_vec(&r, &p->value) != COF_OK)
            return COF_E_FORMAT;
    }
    if (r.rest.len != 0)
        return COF_E_FORMAT;
    /* Most writers sort; some (the Java SDK's first) did not. Twice the same name is never right. */
    return cof_esdk_sort_pairs(h->pairs, h->n_pairs) == COF_OK ? COF_OK : COF_E_FORMAT;
}

static enum cof_err take_context(struct reader *r, struct cof_esdk_header *h)
{
    struct cof_view aad;
    enum cof_err err = take_vec(r, &aad);

    return err != COF_OK || aad.len == 0 ? err : take_pairs(aad, h);
}

static enum cof_err take_edks(struct reader *r, const struct cof_esdk_limits *limits, struct cof_esdk_header *h)
{
    size_t max = limits->max_edks == 0 ? EDKS_DEFAULT : limits->max_edks;
    uint32_t count;
    enum cof_err err = take_number(r, 2, &count);

    if (err != COF_OK)
        return err;
    if (count == 0)
        return COF_E_FORMAT;
    if (count > max || count > COF_ESDK_EDKS_MAX)
        return COF_E_LIMIT;
    for (; err == COF_OK && h->n_edks < count; h->n_edks++) {
        struct cof_esdk_edk *e = &h->edks[h->n_edks];
        err = take_vec(r, &e->provider);
        if (err == COF_OK && !cof_view_is_utf8(e->provider))
            err = COF_E_FORMAT;
        if (err == COF_OK)
            err = take_vec(r, &e->info);
        if (err == COF_OK)
            err = take_vec(r, &e->ciphertext);
    }
    return err;
}

static enum cof_err take_front(struct reader *r, struct cof_esdk_header *h)
{
    uint32_t version, type = TYPE_V1, suite;
    enum cof_err err = take_number(r, 1, &version);

    if (err != COF_OK)
        return err;
    if (version != 1 && version != 2)
        return COF_E_UNSUPPORTED;
    if (version == 1)
        err = take_number(r, 1, &type);
    if (err == COF_OK && type != TYPE_V1)
        return COF_E_FORMAT;
    if (err == COF_OK)
        err = take_number(r, 2, &suite);
    if (err != COF_OK)
        return err;
    h->version = (uint8_t)version;
    h->suite = (uint16_t)suite;
    if (cof_esdk_suite_version(h->suite) == 0)
        return COF_E_UNSUPPORTED;
    if (cof_esdk_suite_version(h->suite) != version)
        return COF_E_FORMAT;
    return take(r, version == 1 ? COF_ESDK_MESSAGE_ID_V1 : COF_ESDK_MESSAGE_ID, &h->message_id);
}

static enum cof_err take_body_form(struct reader *r, const struct cof_esdk_limits *limits, struct cof_esdk_header *h)
{
    uint32_t max = limits->max_frame_length == 0 ? FRAME_DEFAULT_MAX : limits->max_frame_length;
    uint32_t type, reserved = 0, iv_length = COF_ESDK_IV;
    enum cof_err err = take_number(r, 1, &type);

    if (err == COF_OK && type != COF_ESDK_FRAMED && type != COF_ESDK_UNFRAMED)
        return COF_E_FORMAT;
    h->content_type = (uint8_t)type;
    if (err == COF_OK && h->version == 1)
        err = take_number(r, 4, &reserved);
    if (err == COF_OK && h->version == 1)
        err = take_number(r, 1, &iv_length);
    if (err == COF_OK)
        err = take_number(r, 4, &h->frame_length);
    if (err != COF_OK)
        return err;
    if (reserved != 0 || iv_length != COF_ESDK_IV || (h->frame_length == 0) != (type == COF_ESDK_UNFRAMED))
        return COF_E_FORMAT;
    return h->frame_length > max ? COF_E_LIMIT : COF_OK;
}

enum cof_err cof_esdk_header_parse(struct cof_view in, const struct cof_esdk_limits *limits, struct cof_esdk_header *out,
                                   size_t *used)
{
    size_t max = limits->max_header == 0 || limits->max_header > COF_ESDK_HEADER_MAX ? COF_ESDK_HEADER_MAX
                                                                                      : limits->max_header;
    struct reader r = {in, 0};
    enum cof_err err;

    *out = (struct cof_esdk_header){0};
    err = take_front(&r, out);
    if (err == COF_OK)
        err = take_context(&r, out);
    if (err == COF_OK)
        err = take_edks(&r, limits, out);
    if (err == COF_OK)
        err = take_body_form(&r, limits, out);
    if (err == COF_OK && out->version == 2)
        err = take(&r, COF_ESDK_COMMITMENT, &out->commitment);
    out->body = cof_view_sub(in, 0, in.len - r.rest.len);
    if (err == COF_OK && out->version == 1)
        err = take(&r, COF_ESDK_IV, &out->iv);
    if (err == COF_OK)
        err = take(&r, COF_ESDK_TAG, &out->tag);
    *used = err == COF_OK ? in.len - r.rest.len : err == COF_E_SHORT ? in.len + r.missing : 0;
    if (*used > max)
        err = COF_E_LIMIT;
    if (err != COF_OK) {
        *out = (struct cof_esdk_header){0};
        if (err != COF_E_SHORT)
            *used = 0;
    }
    return err;
}

static void add_vec(struct cof_buf *out, struct cof_view v)
{
    if (v.len > UINT16_MAX) {
        if (out->err == COF_OK)
            out->err = COF_E_LIMIT;
        return;
    }
    cof_buf_add_u16(out, (uint16_t)v.len);
    cof_buf_add(out, v);
}

enum cof_err cof_esdk_context_add(struct cof_buf *out, const struct cof_esdk_pair *pairs, size_t n)
{
    if (n > COF_ESDK_PAIRS_MAX)
        return COF_E_LIMIT;
    if (n > 0)
        cof_buf_add_u16(out, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        add_vec(out, pairs[i].name);
        add_vec(out, pairs[i].value);
    }
    return cof_buf_err(out);
}

static enum cof_err add_context(struct cof_buf *out, const struct cof_esdk_header *h)
{
    size_t at = out->len, len;
    enum cof_err err;

    cof_buf_add_u16(out, 0);
    err = cof_esdk_context_add(out, h->pairs, h->n_pairs);
    if (err != COF_OK)
        return err;
    len = out->len - at - 2;
    if (len > UINT16_MAX)
        return COF_E_LIMIT;
    out->data[at] = (uint8_t)(len >> 8);
    out->data[at + 1] = (uint8_t)len;
    return COF_OK;
}

static bool can_write(const struct cof_esdk_header *h, uint8_t version)
{
    size_t id = version == 1 ? COF_ESDK_MESSAGE_ID_V1 : COF_ESDK_MESSAGE_ID;

    return version != 0 && h->message_id.len == id && h->frame_length != 0 && h->n_edks > 0 &&
           h->n_edks <= COF_ESDK_EDKS_MAX && h->n_pairs <= COF_ESDK_PAIRS_MAX &&
           h->commitment.len == (version == 1 ? 0 : COF_ESDK_COMMITMENT);
}

enum cof_err cof_esdk_header_add(struct cof_buf *out, const struct cof_esdk_header *h)
{
    uint8_t version = cof_esdk_suite_version(h->suite);
    enum cof_err err;

    if (!can_write(h, version))
        return COF_E_USAGE;
    cof_buf_add_u8(out, version);
    if (version == 1)
        cof_buf_add_u8(out, TYPE_V1);
    cof_buf_add_u16(out, h->suite);
    cof_buf_add(out, h->message_id);
    err = add_context(out, h);
    if (err != COF_OK)
        return err;
    cof_buf_add_u16(out, (uint16_t)h->n_edks);
    for (size_t i = 0; i < h->n_edks; i++) {
        add_vec(out, h->edks[i].provider);
        add_vec(out, h->edks[i].info);
        add_vec(out, h->edks[i].ciphertext);
    }
    cof_buf_add_u8(out, COF_ESDK_FRAMED); /* the only kind we write */
    if (version == 1) {
        cof_buf_add_u32(out, 0);
        cof_buf_add_u8(out, COF_ESDK_IV);
    }
    cof_buf_add_u32(out, h->frame_length);
    cof_buf_add(out, h->commitment);
    return cof_buf_err(out);
}

bool cof_esdk_pairs_find(const struct cof_esdk_pair *pairs, size_t n, struct cof_view name, struct cof_view *value)
{
    for (size_t i = 0; i < n; i++)
        if (cof_view_eq(pairs[i].name, name)) {
            *value = pairs[i].value;
            return true;
        }
    *value = (struct cof_view){0};
    return false;
}

bool cof_esdk_find_pair(const struct cof_esdk_header *header, const char *name, struct cof_view *value)
{
    return cof_esdk_pairs_find(header->pairs, header->n_pairs, cof_view_str(name), value);
}
