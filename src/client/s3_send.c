/* SPDX-License-Identifier: Apache-2.0 */
#include "client/s3_send.h"

#include "base/codec.h"
#include "client/s3_object.h"
#include "engine/aws_chunked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 65536
#define WHOLE_MAX ((size_t)1 << 20) /* up to here a body is held in memory, where it can be sent again */
#define REPLY_MAX ((size_t)4 << 20)
#define DRY_MS 5                    /* a stream that has nothing yet is asked again after that */
#define JOIN_AGAIN_MS 200           /* the first pause before joining the parts is tried again; doubles */

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct lane {
    struct cof_s3_send *send;
    struct cof_aws_call *call;
    struct cof_timer pace;
    unsigned slot;   /* in the send's lanes */
    unsigned index;  /* the part's */
    uint64_t at;     /* bytes of it given away */
    uint8_t *data;   /* of a stream: the part's bytes */
    enum cof_err verdict; /* on what the reply's head says */
    struct cof_diag diag;
};

struct cof_s3_send {
    struct cof_aws *aws;
    struct cof_s3_send_opts opts;
    struct cof_s3_send_events events;
    enum cof_checksum_alg alg;
    uint64_t part_size, total, stored_before;
    bool is_file, at_end;       /* at_end: the stream's */
    struct lane *lanes[COF_S3_LANES_MAX]; /* those at work */
    unsigned n_busy;
    struct cof_s3_part *parts;
    size_t n_parts, parts_room, next; /* next: the first that was not looked at yet */
    uint8_t *piece;             /* of a file, on its way */
    uint8_t *filling;           /* the stream's next part */
    uint64_t filled;
    unsigned joins;             /* how often S3 answered to that the parts be joined */
    struct cof_timer kick;
    bool is_kicked;
    /* the one request that is not a part */
    struct cof_aws_call *control;
    void (*then)(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error, const struct cof_diag *diag);
    struct cof_buf reply;
    enum cof_err verdict;
    char upload_id[COF_S3_UPLOAD_ID_MAX];
    /* a small object */
    struct cof_s3_upload *single;
    uint64_t single_at;
    bool is_single, is_whole;   /* is_whole: all of it is in filling */
    struct cof_s3_object object;
    char sum[64];
    enum cof_err err;
    struct cof_diag diag;
};

static void pump(struct cof_s3_send *s);

static void kick(struct cof_s3_send *s, int64_t after_ms)
{
    if (s->is_kicked || cof_loop_arm(s->aws->loop, &s->kick, after_ms) != COF_OK)
        return;
    s->is_kicked = true;
}

static void moved(const struct cof_s3_send *s, int64_t bytes)
{
    if (bytes != 0 && s->events.moved != NULL)
        s->events.moved(s->events.ctx, bytes);
}

static void wipe_free(uint8_t **data, uint64_t size)
{
    if (*data != NULL)
        cof_wipe(*data, (size_t)size);
    free(*data);
    *data = NULL;
}

static void free_lane(struct lane *lane)
{
    struct cof_s3_send *s = lane->send;

    if (lane->call != NULL)
        cof_aws_cancel(lane->call);
    cof_loop_disarm(s->aws->loop, &lane->pace);
    wipe_free(&lane->data, s->part_size);
    lane->call = NULL;
    s->lanes[lane->slot] = NULL;
    cof_loop_discard(s->aws->loop, lane);
    s->n_busy--;
    if (s->n_busy > 0) /* the last one stays ours until the end */
        s->opts.lanes->used--;
}

static void free_lanes(struct cof_s3_send *s)
{
    for (size_t i = 0; i < COF_S3_LANES_MAX; i++)
        if (s->lanes[i] != NULL)
            free_lane(s->lanes[i]);
}

static void free_send(struct cof_s3_send *s)
{
    struct cof_s3_lanes *lanes = s->opts.lanes;

    free_lanes(s);
    if (s->control != NULL)
        cof_aws_cancel(s->control);
    cof_s3_upload_cancel(s->single);
    cof_loop_disarm(s->aws->loop, &s->kick);
    wipe_free(&s->filling, s->is_whole ? s->total : s->part_size);
    wipe_free(&s->piece, PIECE);
    cof_buf_done(&s->reply);
    free(s->parts);
    s->parts = NULL;
    lanes->used--;
    cof_loop_discard(s->aws->loop, s);
}

static void finish(struct cof_s3_send *s)
{
    struct cof_s3_send_events events = s->events;
    struct cof_s3_lanes *lanes = s->opts.lanes;

    events.done(events.ctx, s->err, s->err == COF_OK ? &s->object : NULL, s->stored_before, &s->diag);
    free_send(s);
    if (lanes->freed != NULL)
        lanes->freed(lanes->ctx);
}

/* The one request at a time that is not a part. */
static void control_head(void *ctx, struct cof_aws_call *call, const struct cof_http_head *head)
{
    struct cof_s3_send *s = ctx;
    struct cof_s3_facts facts;

    (void)call;
    cof_buf_reset(&s->reply);
    cof_s3_facts_read(head, &facts);
    /* Listing and deleting say nothing of the encryption. */
    s->verdict = facts.sse == COF_SSE_NONE && s->opts.put.sse.mode != COF_SSE_NONE
                     ? COF_E_STATE
                     : cof_s3_check_sse(&facts, &s->opts.put.sse, &s->diag);
    cof_s3_object_read(head, &s->object);
}

static void control_body(void *ctx, struct cof_aws_call *call, struct cof_view piece)
{
    (void)call;
    cof_buf_add(&((struct cof_s3_send *)ctx)->reply, piece);
}

static void control_done(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error,
                         const struct cof_diag *diag)
{
    struct cof_s3_send *s = ctx;

    (void)call;
    s->control = NULL;
    if (err == COF_OK)
        err = cof_buf_err(&s->reply);
    s->then(s, err, error, diag);
}

static enum cof_err ask(struct cof_s3_send *s, struct cof_aws_request *request,
                        void (*then)(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error,
                                     const struct cof_diag *diag))
{
    struct cof_aws_callbacks cb = {
        .head = control_head, .body = control_body, .done = control_done, .may_restart = true, .ctx = s};

    s->then = then;
    return cof_aws_start(s->aws, request, &cb, &s->control);
}

static struct cof_s3_upload_of upload_of(const struct cof_s3_send *s)
{
    return (struct cof_s3_upload_of){.bucket = s->opts.put.bucket, .key = s->opts.put.key,
                                     .upload_id = cof_view_str(s->upload_id), .sse = &s->opts.put.sse,
                                     .checksum = s->alg};
}

bool cof_s3_send_is_worth_again(enum cof_err err)
{
    return err != COF_E_PRECONDITION && err != COF_E_AUTH && err != COF_E_TRUNCATED;
}

static void on_aborted(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error,
                       const struct cof_diag *diag)
{
    (void)err; /* what made us give up counts */
    (void)error;
    (void)diag;
    finish(s);
}

/* Ends the transfer; from the loop only, and the send is gone afterwards or soon. */
static void fail(struct cof_s3_send *s, enum cof_err err, const struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_s3_upload_of upload = upload_of(s);
    bool is_kept = s->opts.keep_parts && s->is_file && cof_s3_send_is_worth_again(err);

    s->err = err;
    if (diag != NULL && diag != &s->diag)
        s->diag = *diag;
    free_lanes(s);
    if (s->upload_id[0] == '\0' || is_kept || cof_s3_abort_multipart(&request, &upload) != COF_OK ||
        ask(s, &request, on_aborted) != COF_OK)
        finish(s);
}

static void failed(struct cof_s3_send *s, enum cof_err err)
{
    fail(s, err, &s->diag);
}

/* --- one request --- */

static void single_done(void *ctx, struct cof_s3_upload *upload, enum cof_err err, const struct cof_s3_object *object,
                        const struct cof_aws_error *error, const struct cof_diag *diag);

static void settle(struct cof_s3_send *s, enum cof_err err, const struct cof_diag *diag);

static void single_writable(void *ctx, struct cof_s3_upload *upload)
{
    struct cof_s3_send *s = ctx;
    uint8_t *piece = s->piece;
    bool more = true;

    while (more && s->single_at < s->total) {
        size_t n = cof_pace_piece(s->opts.pace, PIECE);
        const uint8_t *data = piece;
        int64_t wait;
        enum cof_err err = COF_OK;

        n = n > s->total - s->single_at ? (size_t)(s->total - s->single_at) : n;
        if (s->is_file && !s->is_whole)
            err = s->opts.source.read_at(s->opts.source.ctx, s->single_at, piece, n, &s->diag);
        else
            data = s->filling + s->single_at;
        if (err != COF_OK) {
            s->single = NULL;
            cof_s3_upload_cancel(upload);
            failed(s, err);
            return;
        }
        more = cof_s3_upload_write(upload, cof_view_of(data, n));
        s->single_at += n;
        moved(s, (int64_t)n);
        wait = cof_pace_book(s->opts.pace, n, cof_loop_now_ms(s->aws->loop));
        if (wait > 0 && s->single_at < s->total) {
            kick(s, wait);
            return;
        }
    }
    if (s->single_at == s->total) {
        enum cof_err err = s->opts.source.check != NULL && !s->is_whole ? s->opts.source.check(s->opts.source.ctx, &s->diag) : COF_OK;
        if (err == COF_OK) {
            cof_s3_upload_end(upload);
        } else {
            s->single = NULL;
            cof_s3_upload_cancel(upload);
            failed(s, err);
        }
    }
}

static bool single_rewind(void *ctx, struct cof_s3_upload *upload)
{
    struct cof_s3_send *s = ctx;

    (void)upload;
    moved(s, -(int64_t)s->single_at);
    s->single_at = 0;
    return true;
}

/* A small file is read whole, so that what is sent is what it was at one moment, and its checksum is known before. */
static enum cof_err read_whole(struct cof_s3_send *s, struct cof_buf *text)
{
    struct cof_checksum sum;
    uint8_t value[COF_CHECKSUM_MAX];
    enum cof_err err = COF_OK;

    s->filling = malloc(s->total > 0 ? (size_t)s->total : 1);
    if (s->filling == NULL)
        return COF_E_MEMORY;
    if (s->total > 0)
        err = s->opts.source.read_at(s->opts.source.ctx, 0, s->filling, (size_t)s->total, &s->diag);
    s->is_whole = true;
    if (err != COF_OK || s->alg == COF_CHECKSUM_NONE)
        return err;
    err = cof_checksum_init(&sum, s->alg);
    if (err == COF_OK)
        err = cof_checksum_update(&sum, cof_view_of(s->filling, (size_t)s->total));
    if (err == COF_OK)
        err = cof_checksum_final(&sum, value);
    cof_checksum_done(&sum);
    cof_base64_add(text, cof_view_of(value, cof_checksum_size(s->alg)));
    return err == COF_OK ? cof_buf_err(text) : err;
}

static void start_single(struct cof_s3_send *s)
{
    struct cof_s3_put put = s->opts.put;
    struct cof_s3_upload_events events = {single_writable, single_done, single_rewind, s};
    struct cof_buf text;
    enum cof_err err = COF_OK;

    s->is_single = true;
    cof_buf_init(&text, 64);
    if (s->is_file && s->total <= WHOLE_MAX)
        err = read_whole(s, &text);
    put.length = s->total;
    /* In the clear the body's hash is signed, over TLS its bytes are not copied once more. */
    put.streaming = !s->is_whole || s->aws->endpoints[COF_AWS_S3].https;
    put.body = put.streaming ? (struct cof_view){0} : cof_view_of(s->filling, (size_t)s->total);
    put.crc64 = cof_buf_view(&text);
    if (err == COF_OK)
        err = cof_s3_start_put(s->aws, &put, &events, &s->single);
    cof_buf_done(&text);
    if (err != COF_OK)
        failed(s, err);
}

static void single_done(void *ctx, struct cof_s3_upload *upload, enum cof_err err, const struct cof_s3_object *object,
                        const struct cof_aws_error *error, const struct cof_diag *diag)
{
    struct cof_s3_send *s = ctx;
    unsigned attempts;

    (void)error;
    s->single = NULL;
    memset(s->sum, 0, sizeof s->sum);
    cof_s3_upload_sent(upload, &attempts, s->sum);
    if (err == COF_OK) {
        moved(s, (int64_t)(s->total - s->single_at));
        s->object = *object;
        finish(s);
    } else if (err == COF_E_PRECONDITION && (attempts > 1 || s->opts.same_is_done) && s->sum[0] != '\0') {
        settle(s, err, diag);
    } else {
        fail(s, err, diag);
    }
}

/* --- did an earlier request that we had no answer to do it already? --- */

static void on_settled(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error,
                       const struct cof_diag *diag)
{
    (void)error;
    (void)diag;
    if (err == COF_OK && s->object.size == s->total && strcmp(s->object.crc64, s->sum) == 0 && s->verdict == COF_OK) {
        s->err = COF_OK;
        finish(s);
    } else {
        failed(s, s->err);
    }
}

static void settle(struct cof_s3_send *s, enum cof_err err, const struct cof_diag *diag)
{
    struct cof_s3_get get = {.bucket = s->opts.put.bucket, .key = s->opts.put.key, .sse = s->opts.put.sse, .head = true};
    struct cof_aws_request request;

    s->err = err;
    if (diag != NULL)
        s->diag = *diag;
    if (s->sum[0] == '\0' || cof_s3_get_object(&request, &get) != COF_OK || ask(s, &request, on_settled) != COF_OK)
        failed(s, err);
}

/* --- parts --- */

static void part_head(void *ctx, struct cof_aws_call *call, const struct cof_http_head *head)
{
    struct lane *lane = ctx;
    struct cof_s3_part *part = &lane->send->parts[lane->index];
    struct cof_s3_facts facts;
    struct cof_view theirs = {0};
    char ours[64];
    enum cof_err err;

    cof_s3_facts_read(head, &facts);
    lane->verdict = cof_s3_check_sse(&facts, &lane->send->opts.put.sse, &lane->diag);
    part->etag[0] = '\0';
    if (facts.etag.len > 0 && facts.etag.len < sizeof part->etag) {
        memcpy(part->etag, facts.etag.data, facts.etag.len);
        part->etag[facts.etag.len] = '\0';
    } else if (lane->verdict == COF_OK) {
        lane->verdict = cof_diag_set(&lane->diag, COF_E_FORMAT, "S3: a part was stored without an ETag");
    }
    if (lane->send->alg == COF_CHECKSUM_NONE)
        return;
    memcpy(part->sum, cof_aws_call_checksum(call), cof_checksum_size(lane->send->alg));
    part->has_sum = true;
    if (lane->verdict != COF_OK || !cof_headers_get(&head->headers, cof_aws_checksum_header(lane->send->alg), &theirs))
        return;
    err = cof_s3_join_checksum(lane->send->alg, part, 1, ours);
    if (err == COF_OK && !cof_view_eq_str(theirs, ours))
        err = cof_diag_set(&lane->diag, COF_E_AUTH, "S3 stored other bytes than were sent: the checksums of part %u differ",
                           lane->index + 1);
    lane->verdict = err;
}

static void lane_write(struct lane *lane)
{
    struct cof_s3_send *s = lane->send;
    struct cof_s3_part *part = &s->parts[lane->index];
    uint8_t *piece = s->piece;
    bool more = true;

    while (more && lane->at < part->length) {
        size_t n = cof_pace_piece(s->opts.pace, PIECE);
        const uint8_t *data = piece;
        int64_t wait;
        enum cof_err err = COF_OK;

        n = n > part->length - lane->at ? (size_t)(part->length - lane->at) : n;
        if (s->is_file)
            err = s->opts.source.read_at(s->opts.source.ctx, (uint64_t)lane->index * s->part_size + lane->at, piece, n,
                                         &s->diag);
        else
            data = lane->data + lane->at;
        if (err != COF_OK) {
            failed(s, err);
            return;
        }
        more = cof_aws_write(lane->call, cof_view_of(data, n));
        lane->at += n;
        moved(s, (int64_t)n);
        wait = cof_pace_book(s->opts.pace, n, cof_loop_now_ms(s->aws->loop));
        if (wait > 0 && lane->at < part->length) {
            if (cof_loop_arm(s->aws->loop, &lane->pace, wait) == COF_OK)
                return;
        }
    }
    if (lane->at == part->length)
        cof_aws_end(lane->call);
}

static void part_writable(void *ctx, struct cof_aws_call *call)
{
    struct lane *lane = ctx;

    (void)call;
    if (!lane->pace.armed)
        lane_write(lane);
}

static void on_pace(struct cof_timer *timer)
{
    lane_write(OWNER(timer, struct lane, pace));
}

static bool part_rewind(void *ctx, struct cof_aws_call *call)
{
    struct lane *lane = ctx;

    (void)call;
    cof_loop_disarm(lane->send->aws->loop, &lane->pace);
    moved(lane->send, -(int64_t)lane->at);
    lane->at = 0;
    return true;
}

static void part_done(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error,
                      const struct cof_diag *diag)
{
    struct lane *lane = ctx;
    struct cof_s3_send *s = lane->send;
    unsigned index = lane->index;

    (void)call;
    (void)error;
    lane->call = NULL;
    if (err == COF_OK && lane->verdict != COF_OK) {
        err = lane->verdict;
        s->diag = lane->diag;
        diag = &s->diag;
    }
    if (err != COF_OK) {
        fail(s, err, diag);
        return;
    }
    s->parts[index].is_stored = true;
    free_lane(lane);
    pump(s);
    if (s->opts.lanes->freed != NULL)
        s->opts.lanes->freed(s->opts.lanes->ctx);
}

static bool has_lane(const struct cof_s3_send *s)
{
    return s->n_busy < COF_S3_LANES_MAX && (s->n_busy == 0 || s->opts.lanes->used < s->opts.lanes->max);
}

/* data: moved, of a stream. */
static enum cof_err start_part(struct cof_s3_send *s, unsigned index, uint8_t *data)
{
    struct cof_s3_upload_of upload = upload_of(s);
    struct lane *lane = calloc(1, sizeof *lane);
    struct cof_aws_callbacks cb = {.head = part_head, .writable = part_writable, .rewind = part_rewind,
                                   .done = part_done, .may_restart = true, .ctx = lane};
    struct cof_aws_request request;
    enum cof_err err;

    if (lane == NULL) {
        wipe_free(&data, s->part_size);
        return COF_E_MEMORY;
    }
    *lane = (struct lane){.send = s, .index = index, .data = data, .pace.fire = on_pace};
    while (s->lanes[lane->slot] != NULL)
        lane->slot++;
    s->lanes[lane->slot] = lane;
    if (s->n_busy > 0)
        s->opts.lanes->used++;
    s->n_busy++;
    err = cof_s3_upload_part(&request, &upload, index + 1, s->parts[index].length);
    if (err == COF_OK)
        err = cof_aws_start(s->aws, &request, &cb, &lane->call);
    return err;
}

/* A part that S3 has from an earlier run is left there when the file's bytes are still the same. */
static enum cof_err compare_part(struct cof_s3_send *s, unsigned index, bool *same)
{
    struct cof_s3_part *part = &s->parts[index];
    struct cof_checksum sum;
    uint8_t *piece = s->piece, value[COF_CHECKSUM_MAX];
    enum cof_err err = cof_checksum_init(&sum, s->alg);

    *same = false;
    for (uint64_t at = 0; at < part->length && err == COF_OK;) {
        size_t n = part->length - at < PIECE ? (size_t)(part->length - at) : PIECE;
        err = s->opts.source.read_at(s->opts.source.ctx, (uint64_t)index * s->part_size + at, piece, n, &s->diag);
        if (err == COF_OK)
            err = cof_checksum_update(&sum, cof_view_of(piece, n));
        at += n;
    }
    if (err == COF_OK)
        err = cof_checksum_final(&sum, value);
    cof_checksum_done(&sum);
    *same = err == COF_OK && memcmp(value, part->sum, cof_checksum_size(s->alg)) == 0;
    return err;
}

/* S3 begins its answer before the parts are joined, so a failure can come in the body of a reply that says 200; it is worth what
 * the same failure as a status would be. */
static bool join_again(struct cof_s3_send *s, enum cof_err err)
{
    unsigned n = ++s->joins;

    if (cof_err_class(err) != COF_CLASS_RETRY || n >= s->aws->max_attempts)
        return false;
    kick(s, (int64_t)JOIN_AGAIN_MS << (n < 6 ? n - 1 : 5));
    return s->is_kicked;
}

static void on_completed(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error,
                         const struct cof_diag *diag)
{
    char etag[128], sum[64];

    if (err == COF_OK) {
        err = cof_s3_read_completed(cof_buf_view(&s->reply), s->alg, etag, sum, &s->diag);
        diag = &s->diag;
        if (err != COF_OK && join_again(s, err))
            return;
        if (err == COF_OK && s->verdict != COF_OK && s->verdict != COF_E_STATE)
            err = s->verdict;
        if (err == COF_OK && sum[0] != '\0' && s->sum[0] != '\0' && strcmp(sum, s->sum) != 0)
            err = cof_diag_set(&s->diag, COF_E_AUTH, "S3 stored other bytes than were sent: the checksums differ");
        if (err == COF_OK) {
            (void)snprintf(s->object.etag, sizeof s->object.etag, "%s", etag);
            (void)snprintf(s->object.crc64, sizeof s->object.crc64, "%.15s", s->sum);
            s->object.sse = s->object.sse == COF_SSE_NONE ? s->opts.put.sse.mode : s->object.sse;
            s->object.size = s->total;
            finish(s);
            return;
        }
    }
    if (err == COF_E_PRECONDITION || (error != NULL && strcmp(error->code, "NoSuchUpload") == 0)) {
        s->upload_id[0] = err == COF_E_PRECONDITION ? s->upload_id[0] : '\0';
        settle(s, err, diag);
    } else {
        fail(s, err, diag);
    }
}

static void complete(struct cof_s3_send *s)
{
    struct cof_s3_upload_of upload = upload_of(s);
    struct cof_aws_request request;
    enum cof_err err = COF_OK;

    if (s->opts.source.check != NULL)
        err = s->opts.source.check(s->opts.source.ctx, &s->diag);
    if (err == COF_OK && s->alg != COF_CHECKSUM_NONE)
        err = cof_s3_join_checksum(s->alg, s->parts, s->n_parts, s->sum);
    if (err == COF_OK)
        err = cof_s3_complete_multipart(&request, &upload, s->parts, s->n_parts, s->opts.put.create_only);
    if (err == COF_OK)
        err = ask(s, &request, on_completed);
    if (err != COF_OK)
        failed(s, err);
}

static enum cof_err add_part(struct cof_s3_send *s, uint64_t length)
{
    if (s->n_parts == COF_S3_PARTS_MAX)
        return cof_diag_set(&s->diag, COF_E_TOO_LARGE, "the stream is longer than 10,000 parts of %llu MiB; choose larger ones",
                            (unsigned long long)(s->part_size >> 20));
    if (s->n_parts == s->parts_room) {
        size_t room = s->parts_room == 0 ? 16 : s->parts_room * 2;
        struct cof_s3_part *parts = realloc(s->parts, room * sizeof *parts);
        if (parts == NULL)
            return COF_E_MEMORY;
        s->parts = parts;
        s->parts_room = room;
    }
    s->parts[s->n_parts++] = (struct cof_s3_part){.length = length};
    s->total += s->is_file ? 0 : length;
    return COF_OK;
}

/* Reads on until a part is full or the stream ends; COF_E_SHORT: not yet. */
static enum cof_err fill(struct cof_s3_send *s)
{
    if (s->filling == NULL) {
        s->filling = malloc((size_t)s->part_size);
        s->filled = 0;
        if (s->filling == NULL)
            return COF_E_MEMORY;
    }
    while (s->filled < s->part_size && !s->at_end) {
        size_t n = 0;
        enum cof_err err = s->opts.source.read(s->opts.source.ctx, s->filling + s->filled,
                                               (size_t)(s->part_size - s->filled), &n, &s->diag);
        if (err != COF_OK)
            return err;
        s->at_end = n == 0;
        s->filled += n;
    }
    return COF_OK;
}

static void on_created(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error,
                       const struct cof_diag *diag)
{
    (void)error;
    if (err == COF_OK) {
        err = cof_s3_read_created(cof_buf_view(&s->reply), s->upload_id, &s->diag);
        if (err == COF_OK && s->verdict != COF_OK)
            err = s->verdict != COF_E_STATE
                      ? s->verdict
                      : cof_diag_set(&s->diag, COF_E_AUTH, "S3 reports no encryption though %s was asked for",
                                     cof_sse_name(s->opts.put.sse.mode));
        if (err == COF_OK && s->is_file && s->events.begun != NULL)
            err = s->events.begun(s->events.ctx, s->upload_id, s->part_size, &s->diag);
        diag = &s->diag;
    }
    if (err != COF_OK)
        fail(s, err, diag);
    else
        pump(s);
}

static void create(struct cof_s3_send *s)
{
    struct cof_aws_request request;
    enum cof_err err = cof_s3_create_multipart(&request, &s->opts.put, s->alg);

    s->upload_id[0] = '\0';
    if (err == COF_OK)
        err = ask(s, &request, on_created);
    if (err != COF_OK)
        failed(s, err);
}

static void listed(void *ctx, unsigned number, const struct cof_s3_part *part)
{
    struct cof_s3_send *s = ctx;

    if (number <= s->n_parts && part->has_sum && part->length == s->parts[number - 1].length && part->etag[0] != '\0') {
        s->parts[number - 1] = *part;
        s->parts[number - 1].is_stored = true;
    }
}

static void on_listed(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error,
                      const struct cof_diag *diag);

static void list(struct cof_s3_send *s, unsigned after)
{
    struct cof_s3_upload_of upload = upload_of(s);
    struct cof_aws_request request;
    enum cof_err err = cof_s3_list_parts(&request, &upload, after);

    if (err == COF_OK)
        err = ask(s, &request, on_listed);
    if (err != COF_OK)
        failed(s, err);
}

static void on_listed(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error,
                      const struct cof_diag *diag)
{
    unsigned next = 0;

    if (error != NULL && strcmp(error->code, "NoSuchUpload") == 0) {
        create(s); /* finished or cleaned up in the meantime */
        return;
    }
    if (err == COF_OK) {
        err = cof_s3_read_parts(cof_buf_view(&s->reply), s->alg, listed, s, &next, &s->diag);
        diag = &s->diag;
    }
    if (err != COF_OK)
        fail(s, err, diag);
    else if (next > 0)
        list(s, next);
    else
        pump(s);
}

/* Files: the next part that S3 has not. */
static void pump_file(struct cof_s3_send *s)
{
    while (s->next < s->n_parts) {
        struct cof_s3_part *part = &s->parts[s->next];
        unsigned index = (unsigned)s->next;
        enum cof_err err;

        if (part->is_stored) {
            bool same;
            err = compare_part(s, index, &same);
            if (err != COF_OK) {
                failed(s, err);
                return;
            }
            part->is_stored = same;
            if (same) {
                s->next++;
                s->stored_before += part->length;
                moved(s, (int64_t)part->length);
                kick(s, 0); /* others have their turn before the next */
                return;
            }
        }
        if (!has_lane(s))
            return;
        s->next++;
        part->has_sum = false;
        err = start_part(s, index, NULL);
        if (err != COF_OK) {
            failed(s, err);
            return;
        }
    }
    if (s->n_busy == 0)
        complete(s);
}

static void pump_stream(struct cof_s3_send *s)
{
    while (has_lane(s) && (!s->at_end || s->filled > 0)) {
        uint8_t *data;
        enum cof_err err = fill(s);

        if (err == COF_E_SHORT) {
            kick(s, DRY_MS);
            return;
        }
        if (err == COF_OK && s->n_parts == 0 && s->at_end && s->filled < s->part_size) {
            s->total = s->filled;
            start_single(s);
            return;
        }
        if (err == COF_OK && s->upload_id[0] == '\0') {
            create(s);
            return;
        }
        if (err == COF_OK && s->filled == 0)
            break;
        if (err == COF_OK)
            err = add_part(s, s->filled);
        if (err == COF_OK) {
            data = s->filling;
            s->filling = NULL;
            s->filled = 0;
            err = start_part(s, (unsigned)s->n_parts - 1, data);
        }
        if (err != COF_OK) {
            failed(s, err);
            return;
        }
    }
    if (s->at_end && s->filled == 0 && s->n_busy == 0 && s->n_parts > 0)
        complete(s);
}

static void pump(struct cof_s3_send *s)
{
    if (s->control != NULL || s->is_single || s->err != COF_OK)
        return;
    if (s->is_file)
        pump_file(s);
    else
        pump_stream(s);
}

static void on_kick(struct cof_timer *timer)
{
    struct cof_s3_send *s = OWNER(timer, struct cof_s3_send, kick);
    enum cof_err err = COF_OK;

    s->is_kicked = false;
    if (s->single != NULL) {
        single_writable(s, s->single);
        return;
    }
    if (s->control != NULL || s->is_single || s->err != COF_OK)
        return;
    if (!s->is_file || s->n_parts > 0) {
        if (s->is_file && s->upload_id[0] == '\0') {
            if (s->opts.upload_id.len > 0 && s->opts.upload_id.len < sizeof s->upload_id) {
                memcpy(s->upload_id, s->opts.upload_id.data, s->opts.upload_id.len);
                s->upload_id[s->opts.upload_id.len] = '\0';
                list(s, 0);
            } else {
                create(s);
            }
            return;
        }
        pump(s);
        return;
    }
    s->total = s->opts.source.length;
    if (s->total <= s->part_size) {
        start_single(s);
        return;
    }
    for (uint64_t at = 0; at < s->total && err == COF_OK; at += s->part_size)
        err = add_part(s, s->total - at < s->part_size ? s->total - at : s->part_size);
    if (err != COF_OK)
        failed(s, err);
    else
        kick(s, 0);
}

enum cof_err cof_s3_send_start(struct cof_aws *aws, const struct cof_s3_send_opts *opts,
                               const struct cof_s3_send_events *events, struct cof_s3_send **out)
{
    uint64_t wished = opts->part_size != 0 ? opts->part_size : COF_S3_PART_DEFAULT;
    struct cof_s3_send *s = calloc(1, sizeof *s);

    *out = NULL;
    if (s == NULL)
        return COF_E_MEMORY;
    s->aws = aws;
    s->opts = *opts;
    s->events = *events;
    s->alg = aws->checksum_when_required ? COF_CHECKSUM_NONE : COF_CHECKSUM_CRC64NVME;
    s->is_file = opts->source.read_at != NULL;
    s->kick.fire = on_kick;
    cof_buf_init_secret(&s->reply, REPLY_MAX);
    if (opts->upload_id.len > 0 && opts->upload_part_size > 0)
        s->part_size = opts->upload_part_size;
    else if (cof_s3_part_size(s->is_file ? opts->source.length : 0, wished, &s->part_size) != COF_OK) {
        free(s);
        return COF_E_TOO_LARGE;
    }
    s->piece = malloc(PIECE);
    opts->lanes->used++;
    if (s->piece != NULL)
        kick(s, 0);
    if (!s->is_kicked) {
        free_send(s);
        return COF_E_MEMORY;
    }
    *out = s;
    return COF_OK;
}

void cof_s3_send_pump(struct cof_s3_send *send)
{
    if (send->upload_id[0] != '\0')
        pump(send);
}

void cof_s3_send_cancel(struct cof_s3_send *send)
{
    if (send != NULL)
        free_send(send);
}
