/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies bytes both ways between two connected, non-blocking sockets until both directions have ended: half-close is
 * passed on, so is a reset, an idle pair is cut, and a slow reader holds the other side back (one bounded buffer a
 * direction). Pairs share a pool, so that one at rest holds no buffer.
 *
 * Bytes stay in the kernel (splice(2)) where both sockets can; vsock is copied, at most 32 KiB a write: larger ones wedge
 * some back-ends.
 */
#ifndef COF_IO_RELAY_H
#define COF_IO_RELAY_H

#include "base/view.h"
#include "io/loop.h"

#define COF_RELAY_EARLY_MAX 65536

struct cof_relay_pool;
struct cof_relay;

struct cof_relay_pool_opts {
    size_t buffer_bytes;    /* the most that a direction holds; default 131072, 4096 to 1 MiB */
    size_t max_pipes;       /* descriptors are scarce: over so many, bytes are copied; default 128 */
    uint64_t bytes_per_s;   /* of all pairs together, both ways; 0: no cap */
};
COF_MUST_USE enum cof_err cof_relay_pool_new(struct cof_loop *loop, const struct cof_relay_pool_opts *opts,
                                             struct cof_relay_pool **out);
void cof_relay_pool_free(struct cof_relay_pool *pool); /* takes NULL; after its relays */
/* What was read so far from the first and from the second sockets, of living and ended pairs. */
void cof_relay_pool_bytes(const struct cof_relay_pool *pool, uint64_t bytes[static 2]);

struct cof_relay_opts {
    struct cof_relay_pool *pool;
    int fd[2];             /* owned by the relay from success on, closed at its end */
    struct cof_view early; /* bytes already read from fd[0], to be sent to fd[1] first; at most COF_RELAY_EARLY_MAX; copied */
    int64_t idle_ms;       /* no byte either way for so long: cut; default 300000 */
    /* Last call; the relay is freed after it. COF_OK: both ends were clean. */
    void (*done)(void *ctx, struct cof_relay *relay, enum cof_err why);
    void *ctx;
};

COF_MUST_USE enum cof_err cof_relay_start(struct cof_loop *loop, const struct cof_relay_opts *opts, struct cof_relay **out);
/* Cuts it now, without calling done. Takes NULL. */
void cof_relay_cancel(struct cof_relay *relay);

#endif
