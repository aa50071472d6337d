/* SPDX-License-Identifier: Apache-2.0
 *
 * A view is bytes that somebody else owns; it never outlives them. Readers take from a view's front: to parse,
 * copy the view, take from the copy, and assign the copy back on success. Integers are big-endian (network
 * order) unless named _le.
 *
 * The smallest ones are inline: they are called dozens of times for each header field, mostly with literals.
 */
#ifndef COF_BASE_VIEW_H
#define COF_BASE_VIEW_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cof_view {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;          /* bytes */
};

/* A view of a string literal, of a C string (NULL gives the empty view), of any array. */
#define COF_LIT(s) ((struct cof_view){(const uint8_t *)("" s), sizeof(s) - 1})
static inline struct cof_view cof_view_of(const void *data, size_t len)
{
    return (struct cof_view){data, len};
}

static inline struct cof_view cof_view_str(const char *s)
{
    return cof_view_of(s, s == NULL ? 0 : strlen(s));
}

/* Not constant time: public bytes only. */
static inline bool cof_view_eq(struct cof_view a, struct cof_view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool cof_view_eq_str(struct cof_view a, const char *s)
{
    return cof_view_eq(a, cof_view_str(s));
}

bool cof_view_same_letters(struct cof_view a, struct cof_view b); /* of equal length */
static inline bool cof_view_eq_nocase(struct cof_view a, struct cof_view b) /* ASCII case only */
{
    return a.len == b.len && cof_view_same_letters(a, b);
}
bool cof_view_starts(struct cof_view v, struct cof_view prefix);
bool cof_view_ends(struct cof_view v, struct cof_view suffix);
int cof_view_cmp(struct cof_view a, struct cof_view b); /* bytewise order, as memcmp; shorter first */
bool cof_view_is_utf8(struct cof_view v); /* strict: no overlongs, no surrogates; NUL allowed */

/* The part from offset (clamped) and at most len bytes. */
static inline struct cof_view cof_view_sub(struct cof_view v, size_t offset, size_t len)
{
    if (offset >= v.len)
        return (struct cof_view){NULL, 0};
    return (struct cof_view){v.data + offset, len < v.len - offset ? len : v.len - offset};
}

/* Index of the first byte c, or SIZE_MAX. */
size_t cof_view_find(struct cof_view v, uint8_t c);
/* Splits at the first byte c: *head before it, *tail after it. False (head = v, tail empty) when c is absent. */
bool cof_view_split(struct cof_view v, uint8_t c, struct cof_view *head, struct cof_view *tail);
/* As a C string of at most size - 1 bytes, what is longer cut. */
void cof_view_copy(struct cof_view v, char *out, size_t size);
/* Without leading and trailing spaces and tabs. */
struct cof_view cof_view_trim(struct cof_view v);

/* Take from the front. COF_E_SHORT when too few bytes are left, and then nothing is changed. */
COF_MUST_USE enum cof_err cof_take(struct cof_view *v, size_t len, struct cof_view *out);
COF_MUST_USE enum cof_err cof_take_u8(struct cof_view *v, uint8_t *out);
COF_MUST_USE enum cof_err cof_take_u16(struct cof_view *v, uint16_t *out);
COF_MUST_USE enum cof_err cof_take_u32(struct cof_view *v, uint32_t *out);
COF_MUST_USE enum cof_err cof_take_u64(struct cof_view *v, uint64_t *out);

#endif
