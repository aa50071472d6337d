/* SPDX-License-Identifier: Apache-2.0
 *
 * A list of header fields (RFC 9110 section 5): names compare without case, order is kept, repeats are kept apart.
 * The list owns copies of names and values in one buffer; limits are hard.
 */
#ifndef COF_FORMAT_HEADERS_H
#define COF_FORMAT_HEADERS_H

#include "base/buf.h"

#define COF_HEADERS_MAX 128         /* fields */
#define COF_HEADERS_BYTES_MAX 65536 /* bytes of names and values together */

struct cof_headers {
    struct cof_buf bytes; /* where names and values lie */
    struct {
        uint32_t name, name_len, value, value_len; /* offsets into bytes */
    } field[COF_HEADERS_MAX];
    size_t n;
    enum cof_err err; /* the first failure; later calls do nothing */
};

void cof_headers_init(struct cof_headers *h);
void cof_headers_done(struct cof_headers *h); /* takes NULL or a zeroed struct */
void cof_headers_reset(struct cof_headers *h);
COF_MUST_USE enum cof_err cof_headers_err(const struct cof_headers *h);

/* Adds a field. COF_E_FORMAT (remembered in err) for a name that is no token or a value with CR, LF or NUL. */
void cof_headers_add(struct cof_headers *h, struct cof_view name, struct cof_view value);
/* For a parser: a field whose name and value lie in bytes already, and were found to be such. */
void cof_headers_mark(struct cof_headers *h, struct cof_view name, struct cof_view value);
void cof_headers_add_str(struct cof_headers *h, const char *name, const char *value);
/* Replaces every field of that name. */
void cof_headers_set(struct cof_headers *h, const char *name, const char *value);
void cof_headers_remove(struct cof_headers *h, const char *name);

/* The i-th field in order; views live until the next change. */
struct cof_view cof_headers_name(const struct cof_headers *h, size_t i);
struct cof_view cof_headers_value(const struct cof_headers *h, size_t i);
/* The first field of that name; false (and *value empty) when there is none. _get is inline for the sake of literal names. */
bool cof_headers_find(const struct cof_headers *h, struct cof_view name, struct cof_view *value);
static inline bool cof_headers_get(const struct cof_headers *h, const char *name, struct cof_view *value)
{
    return cof_headers_find(h, cof_view_str(name), value);
}
size_t cof_headers_count_of(const struct cof_headers *h, struct cof_view name);
static inline size_t cof_headers_count(const struct cof_headers *h, const char *name)
{
    return cof_headers_count_of(h, cof_view_str(name));
}
/* "Name: value\r\n" for each. */
void cof_headers_write(const struct cof_headers *h, struct cof_buf *out);

/* RFC 9110 section 5.6.2. */
bool cof_is_token(struct cof_view v);

#endif
