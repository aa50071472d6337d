/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pad.h"

#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MARK 0x80

static unsigned log2_of(uint64_t v)
{
    unsigned n = 0;

    while (v >>= 1)
        n++;
    return n;
}

/* With exponent e of the length, only the first log2(e) + 1 bits of its mantissa may be anything but zero. */
static uint64_t padme(uint64_t len)
{
    unsigned e = log2_of(len), s = log2_of(e) + 1;
    uint64_t mask = ((uint64_t)1 << (e - s)) - 1;

    return (len + mask) & ~mask;
}

uint64_t cof_pad_size(const struct cof_pad *pad, uint64_t content)
{
    uint64_t least = content + 1; /* the mark */

    switch (pad->scheme) {
    case COF_PAD_STEP:
        return (least + pad->bytes - 1) / pad->bytes * pad->bytes;
    case COF_PAD_PADME:
        return least <= pad->bytes ? pad->bytes : padme(least);
    case COF_PAD_NONE:
        break;
    }
    return content;
}

size_t cof_pad_piece(const struct cof_pad *pad, uint64_t content, uint64_t at, uint8_t *out, size_t room)
{
    uint64_t all = cof_pad_size(pad, content) - content;
    size_t n = at >= all ? 0 : all - at < room ? (size_t)(all - at) : room;

    memset(out, 0, n);
    if (at == 0 && n > 0)
        out[0] = MARK;
    return n;
}

enum cof_err cof_pad_strip(const struct cof_pad *pad, struct cof_view padded, struct cof_view *content)
{
    size_t n = padded.len;

    *content = (struct cof_view){0};
    if (pad->scheme == COF_PAD_NONE) {
        *content = padded;
        return COF_OK;
    }
    while (n > 0 && padded.data[n - 1] == 0)
        n--;
    if (n == 0 || padded.data[n - 1] != MARK || cof_pad_size(pad, n - 1) != padded.len)
        return COF_E_FORMAT;
    *content = cof_view_sub(padded, 0, n - 1);
    return COF_OK;
}

static const char *prefix(enum cof_pad_scheme scheme)
{
    return scheme == COF_PAD_STEP ? "step-" : "padme-";
}

void cof_pad_name(const struct cof_pad *pad, char out[static COF_PAD_NAME_MAX])
{
    out[0] = '\0';
    if (pad->scheme != COF_PAD_NONE)
        (void)snprintf(out, COF_PAD_NAME_MAX, "%s%" PRIu64, prefix(pad->scheme), pad->bytes);
}

enum cof_err cof_pad_parse(struct cof_view name, struct cof_pad *out)
{
    *out = (struct cof_pad){0};
    for (enum cof_pad_scheme scheme = COF_PAD_STEP; scheme <= COF_PAD_PADME; scheme++) {
        struct cof_view start = cof_view_str(prefix(scheme));
        uint64_t bytes;

        if (!cof_view_eq(cof_view_sub(name, 0, start.len), start))
            continue;
        if (cof_parse_u64(cof_view_sub(name, start.len, SIZE_MAX), COF_PAD_BYTES_MAX, &bytes) != COF_OK || bytes < COF_PAD_BYTES_MIN)
            return COF_E_FORMAT;
        *out = (struct cof_pad){scheme, bytes};
        return COF_OK;
    }
    return COF_E_FORMAT;
}
