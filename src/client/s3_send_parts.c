/* SPDX-License-Identifier: Apache-2.0
 *
 * An object that goes in parts: begun or taken up again, parts side by side, joined.
 */
#include "client/s3_sending.h"

#include "base/codec.h"
#include "engine/aws_chunked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRY_MS 5           /* a stream that has nothing yet is asked again after that */
#define JOIN_AGAIN_MS 200  /* the first pause before joining the parts is tried again; doubles */

struct cof_s3_upload_of cof_s3_sending_upload(const struct cof_s3_send *s)
{
    return (struct cof_s3_upload_of){.bucket = s->opts.put.bucket, .key = s->opts.put.key,
                                     .upload_id = cof_view_str(s->upload_id), .sse = &s->opts.put.sse,
                                     .checksum = s->alg};
}

static void free_lane(struct cof_s3_send_lane *lane)
{
    struct cof_s3_send *s = lane->send;

    if (lane->call != NULL)
        cof_aws_cancel(lane->call);
    cof_loop_disarm(s->aws->loop, &lane->pace);
    cof_s3_sending_wipe(&lane->data, s->part_size);
    lane->call = NULL;
    s->lanes[lane->slot] = NULL;
    cof_loop_discard(s->aws->loop, lane);
    s->n_busy--;
    if (s->n_busy > 0) /* the last one stays ours until the end */
        s->opts.lanes->used--;
}

void cof_s3_sending_drop_parts(struct cof_s3_send *s)
{
    for (size_t i = 0; i < COF_S3_LANES_MAX; i++)
        if (s->lanes[i] != NULL)
            free_lane(s->lanes[i]);
}

static void pump(struct cof_s3_send *s);

static void part_head(void *ctx, struct cof_aws_call *call, const struct cof_http_head *head)
{
    struct cof_s3_send_lane *lane = ctx;
    struct cof_s3_part *part = &lane->send->parts[lane->index];
    struct cof_s3_facts facts;
    struct cof_view theirs = {0};
    struct cof_buf ours;
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
    lane->send->is_told = true;
    cof_buf_init(&ours, COF_S3_SUM_MAX);
    cof_base64_add(&ours, cof_view_of(part->sum, cof_checksum_size(lane->send->alg)));
    err = cof_buf_err(&ours);
    if (err == COF_OK && !cof_view_eq(theirs, cof_buf_view(&ours)))
        err = cof_diag_set(&lane->diag, COF_E_AUTH, "S3 stored other bytes than were sent: the checksums of part %u differ",
                           lane->index + 1);
    cof_buf_done(&ours);
    lane->verdict = err;
}

static void lane_write(struct cof_s3_send_lane *lane)
{
    struct cof_s3_send *s = lane->send;
    struct cof_s3_part *part = &s->parts[lane->index];
    uint8_t *piece = s->piece;
    bool more = true;

    while (more && lane->at < part->length) {
        size_t n = cof_pace_piece(s->opts.pace, COF_S3_PIECE);
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
            cof_s3_sending_failed(s, err);
            return;
        }
        more = cof_aws_write(lane->call, cof_view_of(data, n));
        lane->at += n;
        cof_s3_sending_moved(s, (int64_t)n);
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
    struct cof_s3_send_lane *lane = ctx;

    (void)call;
    if (!lane->pace.armed)
        lane_write(lane);
}

static void on_pace(struct cof_timer *timer)
{
    lane_write((struct cof_s3_send_lane *)(void *)((char *)timer - offsetof(struct cof_s3_send_lane, pace)));
}

static bool part_rewind(void *ctx, struct cof_aws_call *call)
{
    struct cof_s3_send_lane *lane = ctx;

    (void)call;
    cof_loop_disarm(lane->send->aws->loop, &lane->pace);
    cof_s3_sending_moved(lane->send, -(int64_t)lane->at);
    lane->at = 0;
    return true;
}

static void part_done(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error,
                      const struct cof_diag *diag)
{
    struct cof_s3_send_lane *lane = ctx;
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
        cof_s3_sending_fail(s, err, diag);
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

/* The hash of a part that is signed in one piece, before it is sent. */
static enum cof_err hash_part(struct cof_s3_send *s, unsigned index, const uint8_t *data, char hex[static 65])
{
    uint64_t length = s->parts[index].length;
    struct cof_hash *hash = NULL;
    uint8_t digest[32];
    enum cof_err err = cof_hash_new(COF_SHA256, &hash);

    for (uint64_t at = 0; at < length && err == COF_OK;) {
        size_t n = length - at < COF_S3_PIECE ? (size_t)(length - at) : COF_S3_PIECE;
        if (s->is_file)
            err = s->opts.source.read_at(s->opts.source.ctx, (uint64_t)index * s->part_size + at, s->piece, n, &s->diag);
        if (err == COF_OK)
            err = cof_hash_update(hash, cof_view_of(s->is_file ? s->piece : data + at, n));
        at += n;
    }
    if (err == COF_OK)
        err = cof_hash_final(hash, digest);
    cof_hash_free(hash);
    cof_hex_encode(digest, sizeof digest, hex);
    return err;
}

/* data: moved, of a stream. */
static enum cof_err start_part(struct cof_s3_send *s, unsigned index, uint8_t *data)
{
    struct cof_s3_upload_of upload = cof_s3_sending_upload(s);
    struct cof_s3_send_lane *lane = calloc(1, sizeof *lane);
    struct cof_aws_callbacks cb = {.head = part_head, .writable = part_writable, .rewind = part_rewind,
                                   .done = part_done, .may_restart = true, .ctx = lane};
    struct cof_aws_request request;
    enum cof_err err;

    if (lane == NULL) {
        cof_s3_sending_wipe(&data, s->part_size);
        return COF_E_MEMORY;
    }
    *lane = (struct cof_s3_send_lane){.send = s, .index = index, .data = data, .pace.fire = on_pace};
    while (s->lanes[lane->slot] != NULL)
        lane->slot++;
    s->lanes[lane->slot] = lane;
    if (s->n_busy > 0)
        s->opts.lanes->used++;
    s->n_busy++;
    err = cof_s3_upload_part(&request, &upload, index + 1, s->parts[index].length);
    if (err == COF_OK && cof_s3_sending_wants_hash(s)) {
        err = hash_part(s, index, data, request.payload_sha256);
        if (err != COF_OK)
            cof_aws_request_done(&request);
    }
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
        size_t n = part->length - at < COF_S3_PIECE ? (size_t)(part->length - at) : COF_S3_PIECE;
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
    cof_s3_sending_kick(s, (int64_t)JOIN_AGAIN_MS << (n < 6 ? n - 1 : 5));
    return s->is_kicked;
}

static void on_completed(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error,
                         const struct cof_diag *diag)
{
    char etag[128], sum[COF_S3_SUM_MAX];

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
            s->object.checksum = s->alg;
            (void)snprintf(s->object.sum, sizeof s->object.sum, "%s", s->sum);
            s->object.sse = s->object.sse == COF_SSE_NONE ? s->opts.put.sse.mode : s->object.sse;
            s->object.size = s->total;
            s->is_told = s->is_told || (sum[0] != '\0' && s->sum[0] != '\0');
            cof_s3_sending_stored(s);
            return;
        }
    }
    if (err == COF_E_NOT_FOUND && error != NULL && strcmp(error->code, "NoSuchKey") == 0)
        err = COF_E_PRECONDITION; /* of if_match: what was to be replaced is gone */
    if (err == COF_E_PRECONDITION || (error != NULL && strcmp(error->code, "NoSuchUpload") == 0)) {
        s->upload_id[0] = err == COF_E_PRECONDITION ? s->upload_id[0] : '\0';
        cof_s3_sending_settle(s, err, diag);
    } else {
        cof_s3_sending_fail(s, err, diag);
    }
}

static void complete(struct cof_s3_send *s)
{
    struct cof_s3_upload_of upload = cof_s3_sending_upload(s);
    struct cof_aws_request request;
    enum cof_err err = COF_OK;

    if (s->opts.source.check != NULL)
        err = s->opts.source.check(s->opts.source.ctx, &s->diag);
    if (err == COF_OK && s->alg != COF_CHECKSUM_NONE)
        err = cof_s3_join_checksum(s->alg, s->parts, s->n_parts, s->sum);
    if (err == COF_OK)
        err = cof_s3_complete_multipart(&request, &upload, s->parts, s->n_parts, &s->opts.put);
    if (err == COF_OK)
        err = cof_s3_sending_ask(s, &request, on_completed);
    if (err != COF_OK)
        cof_s3_sending_failed(s, err);
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
        cof_s3_sending_fail(s, err, diag);
    else
        pump(s);
}

static void create_upload(struct cof_s3_send *s)
{
    struct cof_aws_request request;
    enum cof_err err = cof_s3_create_multipart(&request, &s->opts.put, s->alg);

    s->upload_id[0] = '\0';
    if (err == COF_OK)
        err = cof_s3_sending_ask(s, &request, on_created);
    if (err != COF_OK)
        cof_s3_sending_failed(s, err);
}

static void listed(void *ctx, unsigned number, const struct cof_s3_part *part)
{
    struct cof_s3_send *s = ctx;

    if (number <= s->n_parts && part->has_sum && part->length == s->parts[number - 1].length && part->etag[0] != '\0') {
        s->parts[number - 1] = *part;
        s->parts[number - 1].is_stored = true;
        s->is_told = true;
    }
}

static void on_listed(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error,
                      const struct cof_diag *diag);

static void list(struct cof_s3_send *s, unsigned after)
{
    struct cof_s3_upload_of upload = cof_s3_sending_upload(s);
    struct cof_aws_request request;
    enum cof_err err = cof_s3_list_parts(&request, &upload, after);

    if (err == COF_OK)
        err = cof_s3_sending_ask(s, &request, on_listed);
    if (err != COF_OK)
        cof_s3_sending_failed(s, err);
}

static void on_listed(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error,
                      const struct cof_diag *diag)
{
    unsigned next = 0;

    if (error != NULL && strcmp(error->code, "NoSuchUpload") == 0) {
        create_upload(s); /* finished or cleaned up in the meantime */
        return;
    }
    if (err == COF_OK) {
        err = cof_s3_read_parts(cof_buf_view(&s->reply), s->alg, listed, s, &next, &s->diag);
        diag = &s->diag;
    }
    if (err != COF_OK)
        cof_s3_sending_fail(s, err, diag);
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
                cof_s3_sending_failed(s, err);
                return;
            }
            part->is_stored = same;
            if (same) {
                s->next++;
                s->stored_before += part->length;
                cof_s3_sending_moved(s, (int64_t)part->length);
                cof_s3_sending_kick(s, 0); /* others have their turn before the next */
                return;
            }
        }
        if (!has_lane(s))
            return;
        s->next++;
        part->has_sum = false;
        err = start_part(s, index, NULL);
        if (err != COF_OK) {
            cof_s3_sending_failed(s, err);
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
            cof_s3_sending_kick(s, DRY_MS);
            return;
        }
        if (err == COF_OK && s->n_parts == 0 && s->at_end && s->filled < s->part_size) {
            s->total = s->filled;
            cof_s3_sending_single(s);
            return;
        }
        if (err == COF_OK && s->upload_id[0] == '\0') {
            create_upload(s);
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
            cof_s3_sending_failed(s, err);
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

/* A file is cut into parts first, then its upload begun or taken up again. */
void cof_s3_sending_parts(struct cof_s3_send *s)
{
    enum cof_err err = COF_OK;

    if (!s->is_file || s->upload_id[0] != '\0') {
        pump(s);
    } else if (s->n_parts == 0) {
        for (uint64_t at = 0; at < s->total && err == COF_OK; at += s->part_size)
            err = add_part(s, s->total - at < s->part_size ? s->total - at : s->part_size);
        if (err != COF_OK)
            cof_s3_sending_failed(s, err);
        else
            cof_s3_sending_kick(s, 0);
    } else if (s->opts.upload_id.len > 0 && s->opts.upload_id.len < sizeof s->upload_id) {
        memcpy(s->upload_id, s->opts.upload_id.data, s->opts.upload_id.len);
        s->upload_id[s->opts.upload_id.len] = '\0';
        list(s, 0);
    } else {
        create_upload(s);
    }
}
