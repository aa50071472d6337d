/* SPDX-License-Identifier: Apache-2.0
 *
 * A ring of slots that one thread fills and empties in order while several threads work on those between: any number of slots
 * at once through `work`, then one at a time and in order through `order` (a running digest, say). The thread that fills also
 * works whenever it would otherwise wait. Threads start when a second slot is given, so that short input starts none.
 *
 * What the slots are is the caller's business: here they are numbers, 0 to n_slots - 1.
 */
#ifndef COF_IO_PIPELINE_H
#define COF_IO_PIPELINE_H

#include "base/err.h"

struct cof_pipeline;

struct cof_pipeline_ops {
    unsigned n_slots;   /* at least 1 */
    unsigned n_threads; /* beside the caller's; 0: everything happens in cof_pipeline_give and _take */
    /* On any thread. lane is 0 to n_threads, and no two threads have the same one at the same time. */
    enum cof_err (*work)(void *ctx, unsigned lane, unsigned slot);
    enum cof_err (*order)(void *ctx, unsigned slot); /* may be NULL */
    void *ctx;
};

/* How many threads beside the caller's are worth starting on the processors that this process may use. With an ordered step, all
 * but one. For a cipher alone none on two processors: reading and writing take as long, and handing over costs a tenth of the CPU
 * time without ending sooner (docs/performance.md). */
unsigned cof_pipeline_threads(bool has_order);

COF_MUST_USE enum cof_err cof_pipeline_new(const struct cof_pipeline_ops *ops, struct cof_pipeline **out);
/* The slot to fill next; the same one until it is given. False when all are on their way: take one first. */
bool cof_pipeline_room(const struct cof_pipeline *p, unsigned *slot);
/* The slot is filled. COF_E_STATE when there was no room. */
COF_MUST_USE enum cof_err cof_pipeline_give(struct cof_pipeline *p);
/* The oldest slot's result, in the order given: what `work` or `order` returned for it. The slot stays the caller's until the
 * next call of cof_pipeline_room, give or take. False: none was given, or, without wait, the oldest is not done. */
bool cof_pipeline_take(struct cof_pipeline *p, bool wait, unsigned *slot, enum cof_err *result);
/* Ends the threads (slots not yet taken are dropped) and frees. Takes NULL. */
void cof_pipeline_free(struct cof_pipeline *p);

#endif
