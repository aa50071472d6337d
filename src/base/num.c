/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"

enum cof_err cof_parse_u64_padded(struct cof_view text, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;

    if (text.len == 0)
        return COF_E_FORMAT;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return COF_E_FORMAT;
    for (size_t i = 0; i < text.len; i++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(text.data[i] - '0'), &n) || n > max)
            return COF_E_LIMIT;
    *out = n;
    return COF_OK;
}

enum cof_err cof_parse_u64(struct cof_view text, uint64_t max, uint64_t *out)
{
    if (text.len > 1 && text.data[0] == '0')
        return COF_E_FORMAT;
    return cof_parse_u64_padded(text, max, out);
}

enum cof_err cof_parse_size(struct cof_view text, uint64_t max, uint64_t *out)
{
    unsigned shift = 0;
    uint64_t n;
    enum cof_err err;

    if (text.len > 1) {
        uint8_t c = text.data[text.len - 1] | 0x20;
        shift = c == 'k' ? 10 : c == 'm' ? 20 : c == 'g' ? 30 : c == 't' ? 40 : 0;
        if (shift != 0)
            text.len--;
    }
    err = cof_parse_u64(text, max >> shift, &n);
    if (err == COF_OK)
        *out = n << shift;
    return err;
}

enum cof_err cof_add_size(size_t a, size_t b, size_t *out)
{
    return __builtin_add_overflow(a, b, out) ? COF_E_LIMIT : COF_OK;
}

enum cof_err cof_mul_size(size_t a, size_t b, size_t *out)
{
    return __builtin_mul_overflow(a, b, out) ? COF_E_LIMIT : COF_OK;
}
