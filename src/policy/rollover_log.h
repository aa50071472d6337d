/* SPDX-License-Identifier: Apache-2.0
 *
 * The history of rollovers, which is also what a rollover under way is remembered by: JSON lines chained by hash
 * (engine/audit_chain.h, so that `coffer audit verify` reads them too). An intent is written before anything is done, and that it
 * was done after it; whoever finds the intent alone does the rest.
 *
 *   StageBegun {old, new, image, keys: [{arn, policy}]} -> Staged {keys: [{arn, policySha256}]}
 *   Proved {evidence, keys: [arn]}, once or more, each for some of the keys
 *   FinishBegun {withoutProof: [arn]} -> Finished {keys}         AbortBegun -> Aborted {keys}
 */
#ifndef COF_POLICY_ROLLOVER_LOG_H
#define COF_POLICY_ROLLOVER_LOG_H

#include "engine/audit_chain.h"
#include "policy/rollover.h"

#define COF_ROLLOVER_KEYS_MAX 8
#define COF_ROLLOVER_ARN_MAX 257
#define COF_ROLLOVER_RECORD_MAX COF_AUDIT_LINE_MAX

#define COF_ROLLOVER_TABLE(X) \
    X(StageBegun)             \
    X(Staged)                 \
    X(Proved)                 \
    X(FinishBegun)            \
    X(Finished)               \
    X(AbortBegun)             \
    X(Aborted)
enum cof_rollover_event {
#define X(name) COF_ROLLOVER_##name,
    COF_ROLLOVER_TABLE(X)
#undef X
    COF_ROLLOVER_EVENTS,
};
const char *cof_rollover_event_name(enum cof_rollover_event event);

struct cof_rollover_key {
    char arn[COF_ROLLOVER_ARN_MAX];
    char sha256[65]; /* of the policy as the last step left it; empty before */
    bool proven;
};

/* Where a rollover stands. step: the last event; COF_ROLLOVER_EVENTS before the first. */
struct cof_rollover {
    enum cof_rollover_event step;
    struct cof_measurement old_image, new_image;
    struct cof_rollover_key keys[COF_ROLLOVER_KEYS_MAX];
    size_t n_keys;
    int64_t staged_ms;
    struct cof_audit_check check; /* the chain so far */
};
void cof_rollover_init(struct cof_rollover *r);
bool cof_rollover_under_way(const struct cof_rollover *r);
const char *cof_rollover_stands(const struct cof_rollover *r); /* where it stands and what comes next, in words */
struct cof_rollover_key *cof_rollover_find(struct cof_rollover *r, const char *arn);

/* Whether the event may come next; COF_E_STATE with words. */
COF_MUST_USE enum cof_err cof_rollover_may(const struct cof_rollover *r, enum cof_rollover_event event, struct cof_diag *diag);

/* The next line of the history, without its newline. COF_E_AUTH: it was tampered with; COF_E_FORMAT: it is none. */
COF_MUST_USE enum cof_err cof_rollover_replay(struct cof_rollover *r, struct cof_view line, struct cof_diag *diag);

/* What is recorded. Members that the event has no use for are left out. */
struct cof_rollover_entry {
    enum cof_rollover_event event;
    int64_t now_ms;
    const char *who;
    const struct cof_measurement *old_image, *new_image;     /* StageBegun */
    const char *image;                                       /* a JSON object about the new one; or NULL */
    const char *const *policies;                             /* StageBegun: those of the keys, before */
    const struct cof_rollover_key *keys;                     /* StageBegun and the done events: all; Proved, FinishBegun: some */
    size_t n_keys;
    const char *evidence;                                    /* Proved: a JSON object */
};
/* Appends the line, newline included, and brings r to where it leads. On failure both are as before. */
COF_MUST_USE enum cof_err cof_rollover_record(struct cof_rollover *r, const struct cof_rollover_entry *entry, struct cof_buf *out,
                                              struct cof_diag *diag);

#endif
