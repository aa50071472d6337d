/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells the host what happens, in the words of format/telemetry.h and no others, and every few seconds that we live. The
 * host is not trusted: it is never read from nor waited for; what it does not take is counted and left out.
 */
#ifndef COF_ENCLAVE_TELEMETRY_H
#define COF_ENCLAVE_TELEMETRY_H

#include "format/telemetry.h"
#include "io/dial.h"
#include "io/loop.h"

#include <stdatomic.h>

#define TELEMETRY_BEAT_MS 5000

struct telemetry;

struct telemetry_state { /* for heartbeats; the workers' */
    atomic_uint working;   /* jobs */
    atomic_ullong done, refused, later;
};

/* state must outlive it. Connects by itself, and again at each heartbeat while there is no connection. */
COF_MUST_USE enum cof_err telemetry_new(struct cof_loop *loop, const struct cof_addr *to, const struct telemetry_state *state,
                                        struct telemetry **out);
void telemetry_free(struct telemetry *telemetry); /* takes NULL */
/* Values as the code has them (format/telemetry.h); takes a NULL telemetry. From any thread; the rest is the loop's alone. */
void telemetry_send(struct telemetry *telemetry, enum cof_telemetry_code code, uint64_t first, uint64_t second);
/* Runs the loop until what was sent is gone, or that long. */
void telemetry_flush(struct telemetry *telemetry, int64_t ms);

#endif
