/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes what the enclave tells (format/telemetry.h) on a listener of its own: events become log lines and counts, heartbeats
 * the enclave's last known state. The enclave may be anything: a record that is not of the vocabulary ends the connection, a
 * flood is read no faster than it may come, and lines that are too many are counted and left out. Nothing is ever sent back.
 */
#ifndef COF_HOST_EVENTS_H
#define COF_HOST_EVENTS_H

#include "format/telemetry.h"
#include "io/dial.h"
#include "io/loop.h"

struct events;

struct events_opts {
    struct cof_addr listen;
    bool has_peer;      /* vsock: only this context is the enclave's */
    uint32_t peer_cid;
    const struct cof_log *log;
};

struct events_counts {
    uint64_t n[COF_TELEMETRY_LEFT_OUT + 1]; /* by code */
    uint64_t connections, malformed, lost; /* lost: by gaps in the numbers */
    uint64_t lines_left_out;
    bool has_beat;
    int64_t beat_ms;                       /* of the loop's clock */
    struct cof_telemetry beat;             /* the last heartbeat */
};

COF_MUST_USE enum cof_err events_new(struct cof_loop *loop, const struct events_opts *opts, struct events **out, struct cof_diag *diag);
const struct events_counts *events_counts(const struct events *events);
/* Another enclave is started: what the last one said of itself is no longer so. */
void events_forget(struct events *events);
void events_free(struct events *events); /* takes NULL */

#endif
