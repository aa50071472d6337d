/* SPDX-License-Identifier: Apache-2.0
 *
 * What sealing and opening on several threads share: a pipeline whose slots each hold some whole frames, before and after the
 * cipher; a key context a lane; and the way out, in order, on the caller's thread.
 */
#ifndef COF_IO_FRAME_SLOTS_H
#define COF_IO_FRAME_SLOTS_H

#include "base/view.h"
#include "crypto/gcm.h"
#include "io/pipeline.h"

#include <limits.h>

struct cof_frame_slot {
    uint8_t *in, *out; /* in_size + COF_FRAME_SPARE and out_size + COF_FRAME_SPARE bytes; in_place: see below */
    size_t in_len, out_len;
    const uint8_t *lent; /* what is worked on when it is not in: the caller's memory, until the slot is done */
    uint8_t *memory;     /* where in lies */
    uint32_t sequence; /* of its first frame */
    bool is_last;      /* the message's last frame is here */
};

/* The final frame's head is eight bytes longer than a regular one's; and sealing looks one byte ahead. */
#define COF_FRAME_SPARE 8
#define COF_FRAME_LEAD 64 /* at least a final frame's head; whole cache lines */

#define COF_THREADS_AUTO UINT_MAX /* as many as cof_pipeline_threads says */

#define COF_FRAME_SLOTS_MAX 33
#define COF_FRAME_LANES_MAX 16

struct cof_frame_slots {
    struct cof_pipeline *pipeline;
    struct cof_frame_slot items[COF_FRAME_SLOTS_MAX];
    unsigned n_items, n_lanes;
    size_t frames;            /* a slot */
    size_t in_size, out_size; /* bytes of a slot's frames */
    /* A slot of one large frame has one buffer for before and after: the worker sets out, within COF_FRAME_LEAD bytes before in,
     * or behind in's first bytes. Half the memory, and it stays in the processor's cache. */
    bool in_place;
    size_t in_used, out_used; /* most bytes any slot held, which are wiped */
    struct cof_gcm *keys[COF_FRAME_LANES_MAX];
    enum cof_err (*sink)(void *ctx, struct cof_view bytes);
    void *sink_ctx;
};

struct cof_frame_plan {
    size_t frame_in, frame_out; /* bytes of one frame */
    unsigned threads;           /* wanted beside the caller's, or COF_THREADS_AUTO */
    bool keeps_in;              /* what was before is needed after, by order: not in place */
    enum cof_err (*fork)(void *ctx, struct cof_gcm **key); /* a key context for a lane */
    enum cof_err (*work)(void *ctx, unsigned lane, unsigned slot);
    enum cof_err (*order)(void *ctx, unsigned slot); /* may be NULL */
    void *ctx;
    enum cof_err (*sink)(void *ctx, struct cof_view bytes);
    void *sink_ctx;
};

/* f is the caller's, zeroed. */
COF_MUST_USE enum cof_err cof_frame_slots_init(struct cof_frame_slots *f, const struct cof_frame_plan *plan);
/* The slot to fill; waits, and sends out what is done, when all are on their way. */
COF_MUST_USE enum cof_err cof_frame_slots_room(struct cof_frame_slots *f, struct cof_frame_slot **slot);
/* Gives it to the threads and sends out what is done. */
COF_MUST_USE enum cof_err cof_frame_slots_give(struct cof_frame_slots *f);
/* Waits for all and drops them: after a failure, before memory that was lent is given back. */
void cof_frame_slots_settle(struct cof_frame_slots *f);
/* Waits for all and sends them out. */
COF_MUST_USE enum cof_err cof_frame_slots_drain(struct cof_frame_slots *f);
/* Ends the threads and wipes. Takes a zeroed one. */
void cof_frame_slots_done(struct cof_frame_slots *f);

#endif
