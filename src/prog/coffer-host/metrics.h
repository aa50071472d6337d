/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host has counted, as text for Prometheus. The series are fixed: nothing that an enclave sends makes a new one.
 */
#ifndef COF_HOST_METRICS_H
#define COF_HOST_METRICS_H

#include "events.h"
#include "keeper.h"
#include "tunnel.h"

#define METRICS_TEXT_MAX 65536

struct metrics_now {
    struct tunnel_counts tunnel;
    const struct events_counts *events; /* NULL: not asked for */
    const struct keeper_counts *keeper; /* NULL: no enclave is kept */
    int64_t loop_ms;                    /* the clock of both */
    int64_t now_ms, started_ms, credentials_until_ms; /* since 1970; until 0: no end, or none */
    bool has_credentials;
};

void metrics_write(const struct metrics_now *now, struct cof_buf *out);

#endif
