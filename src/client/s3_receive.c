/* SPDX-License-Identifier: Apache-2.0 */
#include "client/s3_receive.h"

#include "base/num.h"
#include "base/secret.h"
#include "client/s3_object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALONE_RANGES 2   /* up to so many ranges an object comes in one request */
#define AGAIN_MS 200     /* the first pause after a lost connection; doubles */
#define AGAIN_MAX_MS 10000
#define PROGRESS_MIN 65536 /* bytes that a connection must have brought for its end not to count against the attempts */

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct range {
    uint64_t offset, at;   /* at: bytes of it written */
    struct cof_checksum sum;
    uint8_t expected[COF_CHECKSUM_MAX]; /* of a part, once its head was seen */
    bool is_known, is_taken, has_expected;
};

struct lane {
    struct cof_s3_receive *receive;
    struct cof_aws_call *call;
    struct cof_timer timer;  /* a pause, of the pace or before another try */
    unsigned slot, index, failures;
    uint64_t from;           /* at when the request was sent */
    uint8_t *held;           /* the last bytes up to the range's at, not yet written; opts.gather long or NULL */
    size_t n_held;
    enum cof_err verdict;
    bool is_first;           /* the request that found out what the object is */
    bool is_paused;
};

struct cof_s3_receive {
    struct cof_aws *aws;
    struct cof_s3_receive_opts opts;
    struct cof_s3_receive_events events;
    struct cof_s3_object object;
    struct cof_s3_expected expected;
    struct lane *lanes[COF_S3_LANES_MAX]; /* those at work */
    unsigned n_busy;
    struct cof_s3_part *parts; /* one a range; length, sum and is_stored as told to the caller */
    struct range *ranges;
    size_t n_ranges;
    uint64_t total;
    bool by_part;              /* ranges are the parts it was uploaded in */
    bool is_known, is_done;
    struct cof_diag diag;
};

static void pump(struct cof_s3_receive *r);

static void free_lane(struct lane *lane)
{
    struct cof_s3_receive *r = lane->receive;

    if (lane->call != NULL)
        cof_aws_cancel(lane->call);
    lane->call = NULL;
    cof_loop_disarm(r->aws->loop, &lane->timer);
    if (lane->held != NULL)
        cof_wipe(lane->held, r->opts.gather);
    free(lane->held);
    r->lanes[lane->slot] = NULL;
    cof_loop_discard(r->aws->loop, lane);
    r->n_busy--;
    if (r->n_busy > 0)
        r->opts.lanes->used--;
}

static void free_receive(struct cof_s3_receive *r)
{
    for (size_t i = 0; i < COF_S3_LANES_MAX; i++)
        if (r->lanes[i] != NULL)
            free_lane(r->lanes[i]);
    for (size_t i = 0; i < r->n_ranges; i++)
        cof_checksum_done(&r->ranges[i].sum);
    free(r->ranges);
    free(r->parts);
    r->ranges = NULL;
    r->parts = NULL;
    r->n_ranges = 0;
    r->opts.lanes->used--;
    cof_loop_discard(r->aws->loop, r);
}

static void finish(struct cof_s3_receive *r, enum cof_err err, const struct cof_diag *diag)
{
    struct cof_s3_lanes *lanes = r->opts.lanes;

    if (r->is_done)
        return;
    r->is_done = true;
    r->events.done(r->events.ctx, err, err == COF_OK ? &r->object : NULL, diag != NULL ? diag : &r->diag);
    free_receive(r);
    if (lanes->freed != NULL)
        lanes->freed(lanes->ctx);
}

static enum cof_err make_ranges(struct cof_s3_receive *r, size_t n)
{
    r->parts = calloc(n, sizeof *r->parts);
    r->ranges = calloc(n, sizeof *r->ranges);
    if (r->parts == NULL || r->ranges == NULL)
        return COF_E_MEMORY;
    r->n_ranges = n;
    return COF_OK;
}

/* How the object is to be fetched, from the first reply's head. */
static enum cof_err plan(struct cof_s3_receive *r)
{
    uint64_t size = r->opts.part_size;
    bool alone = r->opts.in_order || r->total <= ALONE_RANGES * size || r->object.etag[0] == '\0' ||
                 (r->expected.alg != COF_CHECKSUM_NONE && !cof_checksum_is_crc(r->expected.alg));
    size_t n = alone ? 1 : (size_t)((r->total + size - 1) / size);
    enum cof_err err;

    r->by_part = r->expected.n_parts > 0;
    if (r->by_part && r->object.etag[0] == '\0')
        return cof_diag_set(&r->diag, COF_E_FORMAT, "S3: a reply without an ETag");
    err = make_ranges(r, r->by_part ? r->expected.n_parts : n);
    for (size_t i = 0; i < r->n_ranges && err == COF_OK; i++) {
        err = cof_checksum_init(&r->ranges[i].sum, r->expected.alg);
        if (r->by_part)
            continue;
        r->ranges[i].is_known = true;
        r->ranges[i].offset = alone ? 0 : i * size;
        r->parts[i].length = alone ? r->total : i + 1 < n ? size : r->total - i * size;
    }
    return err;
}

/* "bytes 0-9/100" */
static bool read_content_range(const struct cof_http_head *head, uint64_t *first, uint64_t *last, uint64_t *total)
{
    struct cof_view text, from, to, all;

    return cof_headers_get(&head->headers, "content-range", &text) && cof_view_starts(text, COF_LIT("bytes ")) &&
           cof_view_split(cof_view_sub(text, 6, SIZE_MAX), '/', &text, &all) && cof_view_split(text, '-', &from, &to) &&
           cof_parse_u64(from, INT64_MAX, first) == COF_OK && cof_parse_u64(to, INT64_MAX, last) == COF_OK &&
           cof_parse_u64(all, INT64_MAX, total) == COF_OK && *first <= *last && *last < *total;
}

/* The reply to a request for a range must be that range, of the same object. */
static enum cof_err check_range(struct lane *lane, const struct cof_http_head *head)
{
    struct cof_s3_receive *r = lane->receive;
    struct range *range = &r->ranges[lane->index];
    struct cof_s3_part *part = &r->parts[lane->index];
    struct cof_s3_object object;
    struct cof_s3_expected expected;
    uint64_t first, last, total;
    enum cof_err err = COF_OK;

    cof_s3_object_read(head, &object);
    if (strcmp(object.etag, r->object.etag) != 0)
        return cof_diag_set(&r->diag, COF_E_PRECONDITION, "the object was replaced while it was fetched");
    if (r->by_part && r->total == 0 && head->status == 200) /* an empty part has no range */
        first = last = total = 0;
    else if (head->status != 206 || !read_content_range(head, &first, &last, &total) || total != r->total)
        return cof_diag_set(&r->diag, COF_E_FORMAT, "S3: another range than the one asked for");
    if (!range->is_known) { /* a part, which says itself where it lies */
        err = cof_s3_expected_read(head, &expected);
        if (err != COF_OK)
            return err;
        if (expected.alg == r->expected.alg && expected.n_parts == 0) { /* not every server says it */
            memcpy(range->expected, expected.value, sizeof range->expected);
            range->has_expected = true;
        }
        range->is_known = true;
        range->offset = first;
        part->length = r->total == 0 ? 0 : last - first + 1;
        return COF_OK;
    }
    if (first != range->offset + range->at || last != range->offset + part->length - 1)
        return cof_diag_set(&r->diag, COF_E_FORMAT, "S3: another range than the one asked for");
    return COF_OK;
}

static enum cof_err begin(struct cof_s3_receive *r, const struct cof_http_head *head)
{
    enum cof_err err;

    cof_s3_object_read(head, &r->object);
    if (!head->has_length)
        return cof_diag_set(&r->diag, COF_E_FORMAT, "S3: a reply without length, whose end cannot be told");
    if (r->opts.get.sse.mode != COF_SSE_NONE && r->object.sse != r->opts.get.sse.mode)
        return cof_diag_set(&r->diag, COF_E_AUTH, "S3 reports encryption %s though %s was expected",
                            cof_sse_name(r->object.sse), cof_sse_name(r->opts.get.sse.mode));
    r->total = head->length;
    r->object.size = r->total;
    err = r->aws->no_reply_checksum ? COF_OK : cof_s3_expected_read(head, &r->expected);
    if (err == COF_E_FORMAT)
        return cof_diag_set(&r->diag, err, "S3: a reply with a malformed checksum");
    if (err == COF_OK)
        err = plan(r);
    if (err == COF_OK && r->events.begun != NULL)
        err = r->events.begun(r->events.ctx, &r->object, r->by_part ? NULL : r->parts, r->by_part ? 0 : r->n_ranges,
                              &r->diag);
    r->is_known = true;
    if (err == COF_OK && !r->by_part)
        r->ranges[0].is_taken = true; /* by this very reply */
    return err;
}

static void lane_head(void *ctx, struct cof_aws_call *call, const struct cof_http_head *head)
{
    struct lane *lane = ctx;
    struct cof_s3_receive *r = lane->receive;

    (void)call;
    if (r->is_known) {
        lane->verdict = check_range(lane, head);
        return;
    }
    lane->verdict = begin(r, head);
    if (lane->verdict == COF_OK && r->n_ranges > 1)
        pump(r); /* the other ranges meanwhile */
}

static enum cof_err write_held(struct lane *lane)
{
    struct cof_s3_receive *r = lane->receive;
    uint64_t end = r->ranges[lane->index].offset + r->ranges[lane->index].at;
    size_t n = lane->n_held;

    lane->n_held = 0;
    return n == 0 ? COF_OK : r->events.write_at(r->events.ctx, end - n, cof_view_of(lane->held, n), &r->diag);
}

/* The next bytes of the lane's range: written, or held until they are worth a write. */
static enum cof_err take_piece(struct lane *lane, struct cof_view piece)
{
    struct cof_s3_receive *r = lane->receive;
    struct range *range = &r->ranges[lane->index];
    size_t gather = r->opts.gather;
    enum cof_err err = COF_OK;

    if (gather > 0 && lane->held == NULL && r->parts[lane->index].length > piece.len)
        lane->held = malloc(gather); /* without memory for it they are written as they come */
    while (piece.len > 0 && err == COF_OK) {
        struct cof_view now = piece;
        if (lane->held != NULL && (lane->n_held > 0 || piece.len < gather)) {
            now = cof_view_sub(piece, 0, gather - lane->n_held);
            memcpy(lane->held + lane->n_held, now.data, now.len);
            lane->n_held += now.len;
        } else {
            err = r->events.write_at(r->events.ctx, range->offset + range->at, now, &r->diag);
        }
        range->at += now.len;
        piece = cof_view_sub(piece, now.len, SIZE_MAX);
        if (err == COF_OK && lane->n_held > 0 && (lane->n_held == gather || range->at == r->parts[lane->index].length))
            err = write_held(lane);
    }
    return err;
}

/* The range is there; the lane is free afterwards, and the receive may be gone. */
static void range_done(struct lane *lane)
{
    struct cof_s3_receive *r = lane->receive;
    struct range *range = &r->ranges[lane->index];
    struct cof_s3_part *part = &r->parts[lane->index];
    size_t index = lane->index;
    enum cof_err err = cof_checksum_final(&range->sum, part->sum);

    free_lane(lane);
    if (err == COF_OK && range->has_expected && memcmp(part->sum, range->expected, cof_checksum_size(r->expected.alg)) != 0)
        err = cof_diag_set(&r->diag, COF_E_AUTH, "what S3 sent does not match the %s checksum of part %zu",
                           cof_checksum_name(r->expected.alg), index + 1);
    part->is_stored = true;
    part->has_sum = r->expected.alg != COF_CHECKSUM_NONE;
    if (err == COF_OK && r->events.stored != NULL)
        err = r->events.stored(r->events.ctx, index, part, &r->diag);
    if (err != COF_OK) {
        finish(r, err, NULL);
        return;
    }
    pump(r);
    if (!r->is_done && r->opts.lanes->freed != NULL)
        r->opts.lanes->freed(r->opts.lanes->ctx);
}

static void lane_body(void *ctx, struct cof_aws_call *call, struct cof_view piece)
{
    struct lane *lane = ctx;
    struct cof_s3_receive *r = lane->receive;
    struct range *range;
    struct cof_s3_part *part;
    int64_t wait;

    if (lane->verdict != COF_OK) { /* nothing of it is wanted */
        lane->call = NULL;
        cof_aws_cancel(call);
        finish(r, lane->verdict, NULL);
        return;
    }
    range = &r->ranges[lane->index];
    part = &r->parts[lane->index];
    if (lane->is_first && (r->by_part || part->is_stored)) { /* it has told what we wanted to know */
        free_lane(lane);
        pump(r);
        return;
    }
    piece = cof_view_sub(piece, 0, part->length - range->at > SIZE_MAX ? SIZE_MAX : (size_t)(part->length - range->at));
    lane->verdict = cof_checksum_update(&range->sum, piece);
    if (lane->verdict == COF_OK)
        lane->verdict = take_piece(lane, piece);
    if (lane->verdict != COF_OK) {
        finish(r, lane->verdict, NULL);
        return;
    }
    if (r->events.moved != NULL)
        r->events.moved(r->events.ctx, (int64_t)piece.len);
    if (lane->is_first && range->at == part->length && r->n_ranges > 1) {
        range_done(lane); /* the rest of this reply comes by other requests */
        return;
    }
    wait = cof_pace_book(r->opts.pace, piece.len, cof_loop_now_ms(r->aws->loop));
    if (wait > 0 && cof_loop_arm(r->aws->loop, &lane->timer, wait) == COF_OK) {
        lane->is_paused = true;
        cof_aws_pause(call);
    }
}

static bool is_worth_again(enum cof_err err)
{
    return err == COF_E_TRUNCATED || cof_err_class(err) == COF_CLASS_RETRY || err == COF_E_CLOSED || err == COF_E_IO ||
           err == COF_E_TIMEOUT;
}

static void lane_done(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error,
                      const struct cof_diag *diag)
{
    struct lane *lane = ctx;
    struct cof_s3_receive *r = lane->receive;
    struct range *range;
    int64_t pause;

    (void)call;
    (void)error;
    lane->call = NULL;
    cof_loop_disarm(r->aws->loop, &lane->timer);
    lane->is_paused = false;
    if (err == COF_OK && lane->verdict != COF_OK) {
        finish(r, lane->verdict, NULL);
        return;
    }
    if (!r->is_known) {
        finish(r, err, diag);
        return;
    }
    range = &r->ranges[lane->index];
    if (err == COF_OK && lane->is_first && (r->by_part || r->parts[lane->index].is_stored)) {
        free_lane(lane); /* an empty body */
        pump(r);
        return;
    }
    if (err == COF_OK && range->at == r->parts[lane->index].length) {
        range_done(lane);
        return;
    }
    err = err == COF_OK ? COF_E_TRUNCATED : err;
    lane->failures = range->at - lane->from >= PROGRESS_MIN ? 1 : lane->failures + 1;
    if (!is_worth_again(err) || lane->failures >= r->aws->max_attempts || r->object.etag[0] == '\0') {
        finish(r, err, diag);
        return;
    }
    lane->is_first = false;
    pause = (int64_t)AGAIN_MS << (lane->failures < 6 ? lane->failures : 6);
    err = cof_loop_arm(r->aws->loop, &lane->timer, pause > AGAIN_MAX_MS ? AGAIN_MAX_MS : pause);
    if (err != COF_OK)
        finish(r, err, NULL);
}

static enum cof_err request(struct lane *lane)
{
    struct cof_s3_receive *r = lane->receive;
    struct cof_s3_get get = r->opts.get;
    struct cof_aws_callbacks cb = {.head = lane_head, .body = lane_body, .done = lane_done, .ctx = lane};
    struct cof_aws_request request;
    char text[64];
    enum cof_err err;

    get.head = false;
    get.no_checksum = r->aws->no_reply_checksum;
    get.part = 0;
    get.range = get.if_match = (struct cof_view){0};
    lane->verdict = COF_OK;
    if (r->is_known) {
        const struct range *range = &r->ranges[lane->index];
        lane->from = range->at;
        get.if_match = cof_view_str(r->object.etag);
        if (get.version_id.len == 0 && strcmp(r->object.version_id, "null") != 0)
            get.version_id = cof_view_str(r->object.version_id);
        if (range->is_known && r->total > 0) {
            (void)snprintf(text, sizeof text, "bytes=%llu-%llu", (unsigned long long)(range->offset + range->at),
                           (unsigned long long)(range->offset + r->parts[lane->index].length - 1));
            get.range = cof_view_str(text);
        } else {
            get.part = lane->index + 1;
        }
    }
    err = cof_s3_get_object(&request, &get);
    return err == COF_OK ? cof_aws_start(r->aws, &request, &cb, &lane->call) : err;
}

static void on_timer(struct cof_timer *timer)
{
    struct lane *lane = OWNER(timer, struct lane, timer);
    enum cof_err err;

    if (lane->call != NULL) {
        lane->is_paused = false;
        cof_aws_resume(lane->call);
        return;
    }
    err = request(lane);
    if (err != COF_OK)
        finish(lane->receive, err, NULL);
}

static struct lane *take_lane(struct cof_s3_receive *r, unsigned index)
{
    struct cof_s3_lanes *lanes = r->opts.lanes;
    struct lane *lane = NULL;

    if (r->n_busy == COF_S3_LANES_MAX || (r->n_busy > 0 && (lanes->used >= lanes->max || r->opts.in_order)))
        return NULL;
    lane = calloc(1, sizeof *lane);
    if (lane == NULL)
        return NULL; /* later, when one of those at work is done */
    *lane = (struct lane){.receive = r, .index = index, .timer.fire = on_timer};
    while (r->lanes[lane->slot] != NULL)
        lane->slot++;
    r->lanes[lane->slot] = lane;
    if (r->n_busy > 0)
        lanes->used++;
    r->n_busy++;
    return lane;
}

/* All ranges are there: is it the object? */
static enum cof_err check_whole(struct cof_s3_receive *r)
{
    uint8_t whole[COF_CHECKSUM_MAX];
    uint64_t end = 0;
    enum cof_err err;

    for (size_t i = 0; i < r->n_ranges; i++) {
        if (r->ranges[i].offset != end)
            return cof_diag_set(&r->diag, COF_E_FORMAT, "S3: the parts do not make a whole");
        end += r->parts[i].length;
    }
    if (end != r->total)
        return cof_diag_set(&r->diag, COF_E_TRUNCATED, "S3: the parts do not make a whole");
    r->object.checked = cof_checksum_name(r->expected.alg);
    if (r->expected.alg == COF_CHECKSUM_NONE)
        return COF_OK;
    err = cof_s3_join_parts(r->expected.alg, r->by_part, r->parts, r->n_ranges, whole);
    if (err != COF_OK)
        return err;
    if (memcmp(whole, r->expected.value, cof_checksum_size(r->expected.alg)) != 0)
        return cof_diag_set(&r->diag, COF_E_AUTH, "what S3 sent does not match its %s checksum",
                            cof_checksum_name(r->expected.alg));
    return COF_OK;
}

static void pump(struct cof_s3_receive *r)
{
    size_t i;

    if (!r->is_known || r->is_done)
        return;
    for (i = 0; i < r->n_ranges; i++) {
        struct lane *lane;
        enum cof_err err;

        if (r->ranges[i].is_taken || r->parts[i].is_stored)
            continue;
        lane = take_lane(r, (unsigned)i);
        if (lane == NULL && r->n_busy == 0)
            finish(r, COF_E_MEMORY, NULL);
        if (lane == NULL)
            return;
        r->ranges[i].is_taken = true;
        err = request(lane);
        if (err != COF_OK) {
            finish(r, err, NULL);
            return;
        }
    }
    if (r->n_busy == 0)
        finish(r, check_whole(r), NULL);
}

enum cof_err cof_s3_receive_start(struct cof_aws *aws, const struct cof_s3_receive_opts *opts,
                                  const struct cof_s3_receive_events *events, struct cof_s3_receive **out)
{
    struct cof_s3_receive *r = calloc(1, sizeof *r);
    struct lane *lane;
    enum cof_err err;

    *out = NULL;
    if (r == NULL)
        return COF_E_MEMORY;
    r->aws = aws;
    r->opts = *opts;
    r->opts.part_size = opts->part_size == 0 ? COF_S3_PART_DEFAULT : opts->part_size;
    r->events = *events;
    opts->lanes->used++;
    lane = take_lane(r, 0);
    err = COF_E_MEMORY;
    if (lane != NULL) {
        lane->is_first = true;
        err = request(lane);
    }
    if (err != COF_OK) {
        free_receive(r);
        return err;
    }
    *out = r;
    return COF_OK;
}

void cof_s3_receive_pump(struct cof_s3_receive *receive)
{
    pump(receive);
}

void cof_s3_receive_cancel(struct cof_s3_receive *receive)
{
    if (receive != NULL)
        free_receive(receive);
}
