/* SPDX-License-Identifier: Apache-2.0 */
#include "io/seal.h"

#include <stdlib.h>
#include <string.h>

struct cof_seal {
    struct cof_esdk_encrypt *e;
    struct cof_seal_options options;
    struct cof_esdk_body body;
    struct cof_frame_slots slots;
    uint64_t n_frames; /* given away */
    uint64_t length;   /* bytes of plaintext */
    bool finished;
    enum cof_err failure; /* final */
};

static enum cof_err fork_key(void *ctx, struct cof_gcm **key)
{
    const struct cof_seal *s = ctx;

    return cof_esdk_encrypt_fork(s->e, key);
}

/* The frames of one slot, on any thread: what it touches is the slot's and the lane's own, or does not change. */
static enum cof_err seal_slot(void *ctx, unsigned lane, unsigned number)
{
    struct cof_seal *s = ctx;
    struct cof_frame_slot *slot = &s->slots.items[number];
    struct cof_view rest = cof_view_of(slot->in, slot->in_len);
    uint32_t sequence = slot->sequence;
    enum cof_err err = COF_OK;

    for (bool more = true; err == COF_OK && more; sequence++) {
        struct cof_view plain = cof_view_sub(rest, 0, s->body.frame_length);
        enum cof_esdk_part part;

        rest = cof_view_sub(rest, plain.len, SIZE_MAX);
        more = rest.len > 0;
        part = !more && slot->is_last ? COF_ESDK_FINAL_FRAME : COF_ESDK_FRAME;
        if (s->slots.in_place)
            slot->out = slot->in - (cof_esdk_frame_size(part, 0) - COF_ESDK_TAG); /* the head goes before the plaintext */
        err = cof_esdk_seal_frame(s->slots.keys[lane], s->body.message_id, part, sequence, plain, slot->out + slot->out_len);
        slot->out_len += cof_esdk_frame_size(part, plain.len);
    }
    return err;
}

static enum cof_err note_slot(void *ctx, unsigned number)
{
    struct cof_seal *s = ctx;
    const struct cof_frame_slot *slot = &s->slots.items[number];

    return cof_esdk_encrypt_note(s->e, cof_view_of(slot->out, slot->out_len));
}

enum cof_err cof_seal_new(struct cof_esdk_encrypt *e, const struct cof_seal_options *options, struct cof_seal **out)
{
    struct cof_frame_plan plan = {.threads = options->threads, .fork = fork_key, .work = seal_slot,
                                  .sink = options->sink, .sink_ctx = options->ctx};
    struct cof_seal *s = calloc(1, sizeof *s);
    enum cof_err err;

    *out = NULL;
    if (s == NULL)
        return COF_E_MEMORY;
    s->e = e;
    s->options = *options;
    err = cof_esdk_encrypt_take_body(e, &s->body);
    plan.frame_in = s->body.frame_length;
    plan.frame_out = cof_esdk_frame_size(COF_ESDK_FRAME, s->body.frame_length);
    plan.order = s->body.is_signed ? note_slot : NULL;
    plan.ctx = s;
    if (err == COF_OK)
        err = cof_frame_slots_init(&s->slots, &plan);
    if (err == COF_OK)
        err = options->sink(options->ctx, s->body.header);
    if (err != COF_OK) {
        cof_seal_free(s);
        return err;
    }
    *out = s;
    return COF_OK;
}

/* A slot is given away when a byte more than fits is known: then its last frame is not the message's. */
static enum cof_err give(struct cof_seal *s, struct cof_frame_slot *slot, bool is_last)
{
    uint64_t frames = slot->in_len == 0 ? 1 : (slot->in_len - 1) / s->body.frame_length + 1;

    if (s->n_frames + frames >= COF_ESDK_FINAL) /* the number that marks the final frame is no frame's own */
        return COF_E_LIMIT;
    slot->sequence = (uint32_t)s->n_frames + 1;
    slot->is_last = is_last;
    s->n_frames += frames;
    return cof_frame_slots_give(&s->slots);
}

static enum cof_err fail(struct cof_seal *s, enum cof_err err)
{
    s->failure = err;
    return err;
}

/* The slot being filled, in a session that goes on. */
static enum cof_err current(struct cof_seal *s, struct cof_frame_slot **slot)
{
    enum cof_err err;

    *slot = NULL;
    if (s->finished || s->failure != COF_OK)
        return s->failure != COF_OK ? s->failure : COF_E_STATE;
    err = cof_frame_slots_room(&s->slots, slot);
    return err == COF_OK ? COF_OK : fail(s, err);
}

enum cof_err cof_seal_room(struct cof_seal *s, uint8_t **data, size_t *room)
{
    struct cof_frame_slot *slot;
    enum cof_err err = current(s, &slot);

    *data = NULL;
    *room = 0;
    if (err != COF_OK)
        return err;
    *data = slot->in + slot->in_len;
    *room = s->slots.in_size + 1 - slot->in_len;
    return COF_OK;
}

enum cof_err cof_seal_filled(struct cof_seal *s, size_t len)
{
    struct cof_frame_slot *slot, *next;
    uint8_t ahead;
    enum cof_err err = current(s, &slot);

    if (err != COF_OK)
        return err;
    if (len > s->slots.in_size + 1 - slot->in_len)
        return fail(s, COF_E_USAGE);
    slot->in_len += len;
    s->length += len;
    if (slot->in_len <= s->slots.in_size)
        return COF_OK;
    ahead = slot->in[--slot->in_len];
    err = give(s, slot, false);
    if (err == COF_OK)
        err = cof_frame_slots_room(&s->slots, &next);
    if (err != COF_OK)
        return fail(s, err);
    next->in[0] = ahead;
    next->in_len = 1;
    return COF_OK;
}

enum cof_err cof_seal_push(struct cof_seal *s, struct cof_view plain)
{
    enum cof_err err = COF_OK;

    while (err == COF_OK && plain.len > 0) {
        uint8_t *data;
        size_t room, n;

        err = cof_seal_room(s, &data, &room);
        if (err != COF_OK)
            break;
        n = plain.len < room ? plain.len : room;
        (void)memcpy(data, plain.data, n);
        plain = cof_view_sub(plain, n, SIZE_MAX);
        err = cof_seal_filled(s, n);
    }
    return err;
}

enum cof_err cof_seal_finish(struct cof_seal *s)
{
    struct cof_frame_slot *slot;
    struct cof_buf end;
    enum cof_err err = s->finished ? COF_E_STATE : s->failure;

    if (err == COF_OK)
        err = cof_frame_slots_room(&s->slots, &slot);
    if (err == COF_OK)
        err = give(s, slot, true);
    if (err == COF_OK)
        err = cof_frame_slots_drain(&s->slots);
    cof_buf_init(&end, 2 + COF_ESDK_SIGNATURE_MAX);
    if (err == COF_OK)
        err = cof_esdk_encrypt_end(s->e, s->length, &end);
    if (err == COF_OK && end.len > 0)
        err = s->options.sink(s->options.ctx, cof_buf_view(&end));
    cof_buf_done(&end);
    s->finished = true;
    return err == COF_OK ? COF_OK : fail(s, err);
}

void cof_seal_free(struct cof_seal *s)
{
    if (s == NULL)
        return;
    cof_frame_slots_done(&s->slots);
    free(s);
}
