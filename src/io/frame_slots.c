/* SPDX-License-Identifier: Apache-2.0 */
#include "io/frame_slots.h"

#include "base/secret.h"

#include <stdlib.h>

#define SLOT_BYTES ((size_t)256 << 10) /* of frames, before or after: small enough for the second-level cache */
#define MEMORY ((size_t)8 << 20)       /* bytes of all slots, unless two are more */

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void set_sizes(struct cof_frame_slots *f, const struct cof_frame_plan *plan, unsigned *threads)
{
    size_t frame = largest(plan->frame_in, plan->frame_out), fit;

    f->frames = frame >= SLOT_BYTES ? 1 : SLOT_BYTES / frame;
    f->in_size = f->frames * plan->frame_in;
    f->out_size = f->frames * plan->frame_out;
    *threads = plan->threads == COF_THREADS_AUTO ? cof_pipeline_threads(plan->order != NULL) : plan->threads;
    if (*threads > COF_FRAME_LANES_MAX - 1)
        *threads = COF_FRAME_LANES_MAX - 1;
    f->in_place = f->frames == 1 && !plan->keeps_in;
    fit = MEMORY / (f->in_place ? frame : f->in_size + f->out_size);
    f->n_items = 2 * (*threads + 1) + 1;
    if (f->n_items > fit)
        f->n_items = fit < 2 ? 2 : (unsigned)fit;
    if (*threads > f->n_items - 1)
        *threads = f->n_items - 1;
    f->n_lanes = *threads + 1;
}

enum cof_err cof_frame_slots_init(struct cof_frame_slots *f, const struct cof_frame_plan *plan)
{
    struct cof_pipeline_ops ops = {.work = plan->work, .order = plan->order, .ctx = plan->ctx};
    enum cof_err err = COF_OK;

    *f = (struct cof_frame_slots){.sink = plan->sink, .sink_ctx = plan->sink_ctx};
    if (plan->frame_in == 0 || plan->frame_out == 0)
        return COF_E_USAGE;
    set_sizes(f, plan, &ops.n_threads);
    ops.n_slots = f->n_items;
    for (unsigned i = 0; err == COF_OK && i < f->n_lanes; i++)
        err = plan->fork(plan->ctx, &f->keys[i]);
    if (err == COF_OK)
        err = cof_pipeline_new(&ops, &f->pipeline);
    if (err != COF_OK)
        cof_frame_slots_done(f);
    return err;
}

/* The oldest, if it is done or to be waited for, goes out. *there: whether there was one. */
static enum cof_err send_one(struct cof_frame_slots *f, bool wait, bool *there)
{
    unsigned number;
    enum cof_err err = COF_OK;

    *there = cof_pipeline_take(f->pipeline, wait, &number, &err);
    if (!*there)
        return COF_OK;
    f->in_used = largest(f->in_used, f->items[number].in_len);
    f->out_used = largest(f->out_used, f->items[number].out_len);
    if (err == COF_OK && f->items[number].out_len > 0)
        err = f->sink(f->sink_ctx, cof_view_of(f->items[number].out, f->items[number].out_len));
    f->items[number].in_len = 0;
    f->items[number].out_len = 0;
    f->items[number].lent = NULL;
    return err;
}

static bool get_memory(const struct cof_frame_slots *f, struct cof_frame_slot *slot)
{
    size_t in_size = f->in_size + COF_FRAME_SPARE;

    slot->memory = malloc(f->in_place ? COF_FRAME_LEAD + largest(in_size, f->out_size + COF_FRAME_SPARE) : in_size);
    slot->out = f->in_place ? NULL : malloc(f->out_size + COF_FRAME_SPARE);
    if (slot->memory != NULL && (f->in_place || slot->out != NULL)) {
        slot->in = slot->memory + (f->in_place ? COF_FRAME_LEAD : 0);
        return true;
    }
    free(slot->memory);
    free(slot->out);
    *slot = (struct cof_frame_slot){0};
    return false;
}

enum cof_err cof_frame_slots_room(struct cof_frame_slots *f, struct cof_frame_slot **slot)
{
    unsigned number;
    bool there;
    enum cof_err err;

    *slot = NULL;
    while (!cof_pipeline_room(f->pipeline, &number)) {
        err = send_one(f, true, &there);
        if (err != COF_OK)
            return err;
    }
    if (f->items[number].in == NULL && !get_memory(f, &f->items[number]))
        return COF_E_MEMORY;
    *slot = &f->items[number];
    return COF_OK;
}

enum cof_err cof_frame_slots_give(struct cof_frame_slots *f)
{
    enum cof_err err = cof_pipeline_give(f->pipeline);
    bool there = true;

    while (err == COF_OK && there)
        err = send_one(f, false, &there);
    return err;
}

void cof_frame_slots_settle(struct cof_frame_slots *f)
{
    unsigned number;
    enum cof_err ignored;

    while (cof_pipeline_take(f->pipeline, true, &number, &ignored)) {
        f->out_used = largest(f->out_used, f->items[number].out_len);
        f->items[number].lent = NULL;
    }
}

enum cof_err cof_frame_slots_drain(struct cof_frame_slots *f)
{
    enum cof_err err = COF_OK;
    bool there = true;

    while (err == COF_OK && there)
        err = send_one(f, true, &there);
    return err;
}

static void wipe_and_free(uint8_t *data, size_t used)
{
    if (data != NULL)
        cof_wipe(data, used);
    free(data);
}

void cof_frame_slots_done(struct cof_frame_slots *f)
{
    cof_pipeline_free(f->pipeline);
    for (unsigned i = 0; i < f->n_lanes; i++)
        cof_gcm_free(f->keys[i]);
    for (unsigned i = 0; i < f->n_items; i++) {
        struct cof_frame_slot *slot = &f->items[i];
        size_t in_used = largest(f->in_used, slot->in_len), out_used = largest(f->out_used, slot->out_len);

        wipe_and_free(slot->memory, f->in_place ? COF_FRAME_LEAD + largest(in_used, out_used) : in_used);
        if (!f->in_place)
            wipe_and_free(slot->out, out_used);
    }
    *f = (struct cof_frame_slots){0};
}
