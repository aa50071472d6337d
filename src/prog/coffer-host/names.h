/* SPDX-License-Identifier: Apache-2.0
 *
 * The addresses of the destinations, looked up without holding up the loop: a thread a lookup, one at a time a name, whose
 * answer is kept for a while. When a resolver fails, the last answer serves on.
 */
#ifndef COF_HOST_NAMES_H
#define COF_HOST_NAMES_H

#include "io/dial.h"
#include "io/loop.h"

#define NAMES_ADDRESSES 8

struct names;

/* Somebody who waits for an answer; embedded in its owner. */
struct names_wait {
    struct names_wait *next, **prev; /* private; prev NULL: does not wait */
    /* From the loop. n 0: there is none. */
    void (*answered)(struct names_wait *wait, const struct cof_sockaddr *list, size_t n);
};

COF_MUST_USE enum cof_err names_new(struct cof_loop *loop, cof_resolve_fn *resolve, size_t n_names, struct names **out);
/* Nobody may wait any more. Lookups under way end by themselves. */
void names_free(struct names *names);

/* The addresses of name number i (always the same host and port for i; host must outlive names), at once or later; then
 * *n is 0, and the answer comes to `wait`. */
COF_MUST_USE enum cof_err names_find(struct names *names, size_t i, const char *host, uint16_t port, struct names_wait *wait,
                                     struct cof_sockaddr list[static NAMES_ADDRESSES], size_t *n);
void names_forget(struct names_wait *wait); /* does not want it any more; idempotent */

#endif
