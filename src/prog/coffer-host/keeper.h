/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps one enclave running: has it started, looks after it, starts it again when it has ended or its heartbeat stops (with
 * a growing pause), and ends it with the host.
 */
#ifndef COF_HOST_KEEPER_H
#define COF_HOST_KEEPER_H

#include "events.h"
#include "runner.h"

struct keeper;

enum keeper_state { KEEPER_PAUSES, KEEPER_STARTS, KEEPER_RUNS, KEEPER_ENDS };
enum keeper_restart { RESTART_NOT_STARTED, RESTART_ENDED, RESTART_HEARTBEAT, KEEPER_RESTARTS };
const char *keeper_restart_word(enum keeper_restart why);

struct keeper_counts {
    enum keeper_state state;
    uint64_t starts, again[KEEPER_RESTARTS]; /* again: by reason, what had to be started again */
    int64_t since_ms;                        /* of the loop's clock: it runs since */
};

struct keeper_opts {
    struct runner *runner;    /* the keeper's from success on */
    struct events *events;    /* heartbeats; NULL: they are not looked at */
    int64_t heartbeat_ms;     /* without one for so long it is ended */
    int64_t first_beat_ms;    /* and for so long after its start: it boots */
    const struct cof_log *log;
    void (*started)(void *ctx, struct cof_view description); /* each time */
    void *ctx;
};
COF_MUST_USE enum cof_err keeper_new(struct cof_loop *loop, const struct keeper_opts *opts, struct keeper **out);
const struct keeper_counts *keeper_counts(const struct keeper *keeper);
/* Ends the enclave (waits for it up to so long) and frees. Takes NULL. */
void keeper_free(struct keeper *keeper, int64_t wait_ms);

#endif
