/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies bytes both ways between two connected, non-blocking descriptors until both directions have ended: half-close is
 * passed on, an idle pair is cut, and a slow reader holds the other side back (one bounded buffer a direction). Writes
 * are at most 32 KiB each: larger ones wedge some vsock back-ends.
 */
#ifndef COF_IO_RELAY_H
#define COF_IO_RELAY_H

#include "base/view.h"
#include "io/loop.h"

#define COF_RELAY_WRITE_MAX 32768

struct cof_relay;

struct cof_relay_opts {
    int fd[2];             /* owned by the relay from success on, closed at its end */
    struct cof_view early; /* bytes already read from fd[0], to be sent to fd[1] first; at most COF_RELAY_WRITE_MAX; copied */
    int64_t idle_ms;       /* no byte either way for so long: cut; default 300000 */
    /* Last call; the relay is freed after it. bytes[i]: what was read from fd[i]. */
    void (*done)(void *ctx, struct cof_relay *relay, enum cof_err why, const uint64_t bytes[2]);
    void *ctx;
};

COF_MUST_USE enum cof_err cof_relay_start(struct cof_loop *loop, const struct cof_relay_opts *opts, struct cof_relay **out);
/* Cuts it now, without calling done. */
void cof_relay_cancel(struct cof_relay *relay);

#endif
