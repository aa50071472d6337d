/* SPDX-License-Identifier: Apache-2.0 */
#include "io/open.h"

#include <stdlib.h>
#include <string.h>

#define SCRATCH 16384 /* bytes read at once outside the frames */
#define LENT_SLOTS 8  /* so many in one piece are worth waiting for at its end */

/* Where the bytes that come next belong. */
enum place { IN_SESSION, /* header, single block, signature: the engine's session takes them */ IN_FRAMES };

struct cof_open {
    struct cof_esdk_decrypt *d;
    struct cof_open_options options;
    enum place place;
    bool key_given, finished;
    enum cof_err failure; /* final */
    struct cof_view message_id;
    uint32_t frame_length;
    size_t frame_size; /* bytes of a regular frame */
    struct cof_frame_slots slots;
    uint32_t sequence; /* of the first frame of the slot being filled */
    bool is_range, ends_early; /* of a range: whether it ends before the message's final frame */
    size_t skip;               /* bytes of plaintext before the range, still to be dropped */
    uint64_t left;             /* bytes of the range still to come */
    struct cof_buf held;
    uint8_t scratch[SCRATCH];
};

static enum cof_err fork_key(void *ctx, struct cof_gcm **key)
{
    const struct cof_open *o = ctx;

    return cof_esdk_decrypt_fork(o->d, key);
}

static struct cof_view message_bytes(const struct cof_frame_slot *slot)
{
    return cof_view_of(slot->lent != NULL ? slot->lent : slot->in, slot->in_len);
}

/* The frames of one slot, on any thread; the slot was cut so that they are whole. */
static enum cof_err open_slot(void *ctx, unsigned lane, unsigned number)
{
    struct cof_open *o = ctx;
    struct cof_frame_slot *slot = &o->slots.items[number];
    struct cof_view rest = message_bytes(slot);
    enum cof_err err = COF_OK;

    for (uint32_t sequence = slot->sequence; err == COF_OK && rest.len > 0; sequence++) {
        struct cof_esdk_frame frame;
        size_t size;

        err = cof_esdk_frame_parse(rest, sequence, o->frame_length, &frame, &size);
        if (err == COF_E_SHORT || (err == COF_OK && size > rest.len))
            err = COF_E_TRUNCATED;
        if (err == COF_OK && o->slots.in_place)
            slot->out = slot->in + (slot->lent == NULL ? frame.head : 0);
        if (err == COF_OK)
            err = cof_esdk_open_frame(o->slots.keys[lane], o->message_id, &frame, cof_view_sub(rest, 0, size),
                                      slot->out + slot->out_len);
        if (err == COF_OK) {
            slot->out_len += (size_t)frame.length;
            rest = cof_view_sub(rest, size, SIZE_MAX);
        }
    }
    return err;
}

static enum cof_err note_slot(void *ctx, unsigned number)
{
    struct cof_open *o = ctx;
    return cof_esdk_decrypt_note(o->d, message_bytes(&o->slots.items[number]));
}

static enum cof_err release(void *ctx, struct cof_view plain)
{
    struct cof_open *o = ctx;

    if (o->is_range) {
        struct cof_view wanted = cof_view_sub(plain, o->skip, o->left < SIZE_MAX ? (size_t)o->left : SIZE_MAX);

        o->skip -= o->skip < plain.len ? o->skip : plain.len;
        o->left -= wanted.len;
        return wanted.len == 0 ? COF_OK : o->options.sink(o->options.ctx, wanted);
    }
    if (!o->options.hold_signed || !cof_esdk_decrypt_suite(o->d)->is_signed)
        return o->options.sink(o->options.ctx, plain);
    cof_buf_add(&o->held, plain);
    return cof_buf_err(&o->held);
}

enum cof_err cof_open_new(struct cof_esdk_decrypt *d, const struct cof_open_options *options, struct cof_open **out)
{
    struct cof_open *o = calloc(1, sizeof *o);

    *out = NULL;
    if (o == NULL)
        return COF_E_MEMORY;
    o->d = d;
    o->options = *options;
    o->sequence = 1;
    cof_buf_init_secret(&o->held, (size_t)cof_esdk_decrypt_limits(d)->max_held);
    *out = o;
    return COF_OK;
}

static enum cof_err begin_frames(struct cof_open *o)
{
    const struct cof_esdk_header *h = cof_esdk_decrypt_header(o->d);
    bool is_signed = cof_esdk_decrypt_suite(o->d)->is_signed; /* then the ciphertext is hashed, after it was opened */
    struct cof_frame_plan plan = {.threads = o->options.threads, .fork = fork_key, .work = open_slot, .ctx = o,
                                  .order = is_signed ? note_slot : NULL, .keeps_in = is_signed, .sink = release,
                                  .sink_ctx = o};
    enum cof_err err = cof_esdk_decrypt_take_body(o->d);

    o->message_id = h->message_id;
    o->frame_length = h->frame_length;
    o->frame_size = cof_esdk_frame_size(COF_ESDK_FRAME, h->frame_length);
    plan.frame_in = o->frame_size;
    plan.frame_out = h->frame_length;
    if (err == COF_OK)
        err = cof_frame_slots_init(&o->slots, &plan);
    o->place = IN_FRAMES;
    return err;
}

enum cof_err cof_open_new_range(struct cof_esdk_decrypt *d, const struct cof_esdk_range *range,
                                const struct cof_open_options *options, struct cof_open **out)
{
    enum cof_err err = cof_open_new(d, options, out);

    if (err != COF_OK)
        return err;
    (*out)->is_range = true;
    (*out)->ends_early = !range->has_final;
    (*out)->skip = range->skip;
    (*out)->left = range->length;
    (*out)->sequence = range->sequence;
    err = cof_esdk_decrypt_suite(d) == NULL ? COF_E_STATE : begin_frames(*out);
    if (err != COF_OK) {
        cof_open_free(*out);
        *out = NULL;
    }
    return err;
}

/* Header, single block and signature: through the engine's session. */
static enum cof_err push_session(struct cof_open *o, struct cof_view *in)
{
    struct cof_buf plain;
    enum cof_err err;

    cof_buf_init_secret(&plain, SIZE_MAX / 2); /* the session has the limits */
    err = cof_esdk_decrypt_push_before_signature(o->d, in, &plain);
    if (err == COF_OK && plain.len > 0)
        err = release(o, cof_buf_view(&plain));
    cof_buf_done(&plain);
    if (err != COF_OK || !cof_esdk_decrypt_wants_key(o->d))
        return err;
    if (o->key_given)
        return COF_E_BUG;
    o->key_given = true;
    err = o->options.give_key(o->options.ctx, o->d);
    if (err == COF_OK && cof_esdk_decrypt_wants_key(o->d))
        err = COF_E_AUTH;
    if (err == COF_OK && cof_esdk_decrypt_header(o->d)->content_type == COF_ESDK_FRAMED)
        err = begin_frames(o);
    return err;
}

/* Finds the final frame among those of a slot: *end is where it ends, or, when it is not all there, how much is needed; 0 when
 * there is none. Only its mark and length are read; whether they are true its tag will say. */
static enum cof_err find_final(const struct cof_open *o, struct cof_view in, size_t *end)
{
    *end = 0;
    for (size_t at = 0; at < in.len; at += o->frame_size) {
        struct cof_view frame = cof_view_sub(in, at, SIZE_MAX), mark = cof_view_sub(frame, 0, 4);
        struct cof_esdk_frame head;
        uint32_t number, sequence = o->sequence + (uint32_t)(at / o->frame_size);
        size_t size;
        enum cof_err err;

        if (cof_take_u32(&mark, &number) != COF_OK || number != COF_ESDK_FINAL)
            continue;
        err = cof_esdk_frame_parse(frame, sequence, o->frame_length, &head, &size);
        if (err != COF_OK && err != COF_E_SHORT)
            return err;
        *end = at + size;
        return COF_OK;
    }
    return COF_OK;
}

/* Gives a slot away whose frames are whole. */
static enum cof_err give(struct cof_open *o, struct cof_frame_slot *slot)
{
    uint64_t frames = (slot->in_len + o->frame_size - 1) / o->frame_size;

    slot->sequence = o->sequence;
    if (!slot->is_last && frames >= COF_ESDK_FINAL - o->sequence)
        return COF_E_FORMAT; /* no regular frame has that number */
    o->sequence += (uint32_t)frames;
    return cof_frame_slots_give(&o->slots);
}

/* The final frame is in: all frames are opened, and what came after it is the session's. */
static enum cof_err end_frames(struct cof_open *o, struct cof_frame_slot *slot, size_t end)
{
    struct cof_buf tail;
    struct cof_view view;
    enum cof_err err;

    cof_buf_init(&tail, slot->in_len);
    cof_buf_add_bytes(&tail, slot->in + end, slot->in_len - end);
    slot->in_len = end;
    slot->is_last = true;
    err = cof_buf_err(&tail);
    if (err == COF_OK)
        err = give(o, slot);
    if (err == COF_OK)
        err = cof_frame_slots_drain(&o->slots);
    if (err == COF_OK)
        err = cof_esdk_decrypt_body_end(o->d);
    o->place = IN_SESSION;
    view = cof_buf_view(&tail);
    if (err == COF_OK && view.len > 0)
        err = push_session(o, &view);
    cof_buf_done(&tail);
    return err;
}

/* Called when a slot is full, or when the input may be over. */
static enum cof_err look(struct cof_open *o, struct cof_frame_slot *slot)
{
    size_t end;
    enum cof_err err = find_final(o, cof_view_of(slot->in, slot->in_len), &end);

    if (err != COF_OK)
        return err;
    if (end > 0)
        return end <= slot->in_len ? end_frames(o, slot, end) : COF_OK; /* else its last bytes still fit */
    return slot->in_len >= o->slots.in_size ? give(o, slot) : COF_OK;
}

static enum cof_err fail(struct cof_open *o, enum cof_err err)
{
    o->failure = err;
    cof_buf_done(&o->held);
    return err;
}

static enum cof_err check_state(const struct cof_open *o)
{
    return o->failure != COF_OK ? o->failure : o->finished ? COF_E_STATE : COF_OK;
}

enum cof_err cof_open_room(struct cof_open *o, uint8_t **data, size_t *room)
{
    struct cof_frame_slot *slot;
    enum cof_err err = check_state(o);

    *data = NULL;
    *room = 0;
    if (err != COF_OK)
        return err;
    if (o->place == IN_SESSION) {
        *data = o->scratch;
        *room = sizeof o->scratch;
        return COF_OK;
    }
    err = cof_frame_slots_room(&o->slots, &slot);
    if (err != COF_OK)
        return fail(o, err);
    *data = slot->in + slot->in_len;
    *room = o->slots.in_size + (slot->in_len < o->slots.in_size ? 0 : COF_FRAME_SPARE) - slot->in_len;
    return COF_OK;
}

enum cof_err cof_open_filled(struct cof_open *o, size_t len)
{
    struct cof_frame_slot *slot;
    uint8_t *data;
    size_t room;
    enum cof_err err;

    if (o->place == IN_SESSION)
        return len > sizeof o->scratch ? fail(o, COF_E_USAGE) : cof_open_push(o, cof_view_of(o->scratch, len));
    err = cof_open_room(o, &data, &room);
    if (err != COF_OK)
        return err;
    err = len > room ? COF_E_USAGE : cof_frame_slots_room(&o->slots, &slot);
    if (err == COF_OK) {
        slot->in_len += len;
        err = slot->in_len >= o->slots.in_size ? look(o, slot) : COF_OK;
    }
    return err == COF_OK ? COF_OK : fail(o, err);
}

/* Whole slots of a long piece are opened from where they lie. All are done before it returns, so it is for pieces of many. */
static enum cof_err push_lent(struct cof_open *o, struct cof_view *bytes)
{
    struct cof_frame_slot *slot;
    size_t end = 0;
    enum cof_err err = cof_frame_slots_room(&o->slots, &slot);

    while (err == COF_OK && slot->in_len == 0 && end == 0 && bytes->len >= o->slots.in_size) {
        struct cof_view part = cof_view_sub(*bytes, 0, o->slots.in_size);

        err = find_final(o, part, &end);
        if (err != COF_OK || end > 0)
            break; /* the end is for the other way */
        slot->lent = part.data;
        slot->in_len = part.len;
        *bytes = cof_view_sub(*bytes, part.len, SIZE_MAX);
        err = give(o, slot);
        if (err == COF_OK)
            err = cof_frame_slots_room(&o->slots, &slot);
    }
    if (err == COF_OK)
        err = cof_frame_slots_drain(&o->slots);
    if (err != COF_OK)
        cof_frame_slots_settle(&o->slots);
    return err;
}

enum cof_err cof_open_push(struct cof_open *o, struct cof_view bytes)
{
    enum cof_err err = check_state(o);

    while (err == COF_OK && bytes.len > 0) {
        uint8_t *data;
        size_t room, n;

        if (o->place == IN_SESSION) {
            err = push_session(o, &bytes);
            if (err != COF_OK)
                return fail(o, err);
            continue;
        }
        err = cof_open_room(o, &data, &room);
        if (err == COF_OK && bytes.len >= LENT_SLOTS * o->slots.in_size) {
            err = push_lent(o, &bytes);
            if (err != COF_OK)
                return fail(o, err);
            err = cof_open_room(o, &data, &room);
        }
        if (err != COF_OK)
            break;
        n = bytes.len < room ? bytes.len : room;
        (void)memcpy(data, bytes.data, n);
        bytes = cof_view_sub(bytes, n, SIZE_MAX);
        err = cof_open_filled(o, n);
    }
    return err;
}

/* What was given before the end is still judged: a frame that was altered is worse news than a message cut short. */
static enum cof_err end_frames_unseen(struct cof_open *o)
{
    struct cof_frame_slot *slot;
    enum cof_err err = cof_frame_slots_room(&o->slots, &slot);

    if (err == COF_OK && o->ends_early)
        return slot->in_len > 0 ? give(o, slot) : COF_OK;
    return err == COF_OK ? look(o, slot) : err;
}

static enum cof_err end_input(struct cof_open *o)
{
    enum cof_err err = o->place == IN_FRAMES ? end_frames_unseen(o) : COF_OK;

    if (err == COF_OK && o->place == IN_FRAMES)
        err = cof_frame_slots_drain(&o->slots);
    if (err == COF_OK && !o->ends_early)
        err = o->place == IN_FRAMES ? COF_E_TRUNCATED : cof_esdk_decrypt_finish(o->d);
    return err == COF_OK && o->left > 0 ? COF_E_TRUNCATED : err;
}

enum cof_err cof_open_finish(struct cof_open *o)
{
    enum cof_err err = check_state(o);

    if (err == COF_OK)
        err = end_input(o);
    if (err == COF_OK && o->held.len > 0)
        err = o->options.sink(o->options.ctx, cof_buf_view(&o->held));
    o->finished = true;
    return err == COF_OK ? COF_OK : fail(o, err);
}

void cof_open_free(struct cof_open *o)
{
    if (o == NULL)
        return;
    cof_frame_slots_done(&o->slots);
    cof_buf_done(&o->held);
    free(o);
}
