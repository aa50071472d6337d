/* SPDX-License-Identifier: Apache-2.0
 *
 * A builder: bytes that grow up to a cap fixed at birth. It remembers its first failure; append freely and check
 * once at the end (cof_buf_err). After a failure further appends do nothing. Integers are written big-endian.
 */
#ifndef COF_BASE_BUF_H
#define COF_BASE_BUF_H

#include "base/view.h"

struct cof_buf {
    uint8_t *data; /* owned */
    size_t len;    /* bytes in use */
    size_t cap;    /* bytes allocated */
    size_t max;    /* the hard cap on len */
    enum cof_err err;
    bool secret;   /* wiped on growth, reset and done */
};

/* An empty builder of at most max bytes; allocates nothing yet. _secret wipes whatever it lets go of. */
void cof_buf_init(struct cof_buf *buf, size_t max);
void cof_buf_init_secret(struct cof_buf *buf, size_t max);
/* Frees (and wipes); takes NULL or a zeroed struct. */
void cof_buf_done(struct cof_buf *buf);
/* Empties, keeps memory and cap, forgets the failure. */
void cof_buf_reset(struct cof_buf *buf);
/* Lets go of the memory of a builder that reset has emptied (and wiped), and that nothing was written into since. */
void cof_buf_release(struct cof_buf *buf);

/* The first failure: COF_OK, COF_E_LIMIT (cap) or COF_E_MEMORY. */
COF_MUST_USE enum cof_err cof_buf_err(const struct cof_buf *buf);
/* What was written so far; lives until the next append, reset or done. Empty after a failure. */
struct cof_view cof_buf_view(const struct cof_buf *buf);
/* As a C string: a NUL is kept after the last byte (not counted in len). "" after a failure. */
const char *cof_buf_cstr(struct cof_buf *buf);

void cof_buf_add(struct cof_buf *buf, struct cof_view v);
void cof_buf_add_bytes(struct cof_buf *buf, const void *data, size_t len);
static inline void cof_buf_add_str(struct cof_buf *buf, const char *s) /* inline: mostly literals, whose length the compiler knows */
{
    cof_buf_add_bytes(buf, s, s == NULL ? 0 : strlen(s));
}
void cof_buf_add_u8(struct cof_buf *buf, uint8_t n);
void cof_buf_add_u16(struct cof_buf *buf, uint16_t n);
void cof_buf_add_u32(struct cof_buf *buf, uint32_t n);
void cof_buf_add_u64(struct cof_buf *buf, uint64_t n);
void cof_buf_add_decimal(struct cof_buf *buf, uint64_t n); /* its digits */
void cof_buf_printf(struct cof_buf *buf, const char *fmt, ...) COF_PRINTF(2, 3);

/* Reserves len bytes at the end, zeroed, and returns where they start, or NULL after a failure. */
uint8_t *cof_buf_extend(struct cof_buf *buf, size_t len);
/* Makes room for len more bytes without adding them; *room >= len on success. For reads straight into buf->data. */
COF_MUST_USE enum cof_err cof_buf_reserve(struct cof_buf *buf, size_t len);
/* Drops n bytes from the front (n is clamped). */
void cof_buf_drop(struct cof_buf *buf, size_t n);
/* Shortens to len. */
void cof_buf_truncate(struct cof_buf *buf, size_t len);

#endif
