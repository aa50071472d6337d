/* SPDX-License-Identifier: Apache-2.0 */
#include "client/s3_sending.h"

#include "client/s3_object.h"

#include <stdlib.h>
#include <string.h>

#define REPLY_MAX ((size_t)4 << 20)

void cof_s3_sending_wipe(uint8_t **data, uint64_t size)
{
    if (*data != NULL)
        cof_wipe(*data, (size_t)size);
    free(*data);
    *data = NULL;
}

void cof_s3_sending_kick(struct cof_s3_send *s, int64_t after_ms)
{
    if (s->is_kicked || cof_loop_arm(s->aws->loop, &s->kick, after_ms) != COF_OK)
        return;
    s->is_kicked = true;
}

void cof_s3_sending_moved(const struct cof_s3_send *s, int64_t bytes)
{
    if (bytes != 0 && s->events.moved != NULL)
        s->events.moved(s->events.ctx, bytes);
}

static void free_send(struct cof_s3_send *s)
{
    struct cof_s3_lanes *lanes = s->opts.lanes;

    cof_s3_sending_drop_parts(s);
    if (s->control != NULL)
        cof_aws_cancel(s->control);
    cof_s3_upload_cancel(s->single);
    cof_loop_disarm(s->aws->loop, &s->kick);
    if (s->is_file) /* whose bytes lie on the disk anyway */
        free(s->filling);
    else
        cof_s3_sending_wipe(&s->filling, s->part_size);
    s->filling = NULL;
    cof_s3_sending_wipe(&s->piece, COF_S3_PIECE);
    cof_buf_done(&s->reply);
    free(s->parts);
    s->parts = NULL;
    lanes->used--;
    cof_loop_discard(s->aws->loop, s);
}

void cof_s3_sending_finish(struct cof_s3_send *s)
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

enum cof_err cof_s3_sending_ask(struct cof_s3_send *s, struct cof_aws_request *request, cof_s3_sending_then *then)
{
    struct cof_aws_callbacks cb = {
        .head = control_head, .body = control_body, .done = control_done, .may_restart = true, .ctx = s};

    s->then = then;
    return cof_aws_start(s->aws, request, &cb, &s->control);
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
    cof_s3_sending_finish(s);
}

void cof_s3_sending_fail(struct cof_s3_send *s, enum cof_err err, const struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_s3_upload_of upload = cof_s3_sending_upload(s);
    bool is_kept = s->opts.keep_parts && s->is_file && cof_s3_send_is_worth_again(err);

    s->err = err;
    if (diag != NULL && diag != &s->diag)
        s->diag = *diag;
    cof_s3_sending_drop_parts(s);
    if (s->upload_id[0] == '\0' || is_kept || cof_s3_abort_multipart(&request, &upload) != COF_OK ||
        cof_s3_sending_ask(s, &request, on_aborted) != COF_OK)
        cof_s3_sending_finish(s);
}

void cof_s3_sending_failed(struct cof_s3_send *s, enum cof_err err)
{
    cof_s3_sending_fail(s, err, &s->diag);
}

bool cof_s3_sending_wants_hash(const struct cof_s3_send *s)
{
    return s->alg == COF_CHECKSUM_NONE && !s->aws->endpoints[COF_AWS_S3].https;
}

static struct cof_s3_get head_of(const struct cof_s3_send *s)
{
    return (struct cof_s3_get){.bucket = s->opts.put.bucket, .key = s->opts.put.key, .sse = s->opts.put.sse, .head = true};
}

static void on_sized(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error, const struct cof_diag *diag)
{
    (void)error;
    (void)diag;
    if (err == COF_OK && s->object.size != s->total) {
        s->err = cof_diag_set(&s->diag, COF_E_AUTH, "S3 stored %llu bytes, not the %llu that were sent",
                              (unsigned long long)s->object.size, (unsigned long long)s->total);
        cof_diag_hint(&s->diag, "this server does not understand streamed checksums: AWS_REQUEST_CHECKSUM_CALCULATION=when_required "
                                "leaves them out");
    }
    s->object.size = s->total;
    cof_s3_sending_finish(s);
}

void cof_s3_sending_stored(struct cof_s3_send *s)
{
    struct cof_s3_get get = head_of(s);
    struct cof_aws_request request;

    if (s->is_told || s->is_whole || cof_s3_get_object(&request, &get) != COF_OK || cof_s3_sending_ask(s, &request, on_sized) != COF_OK)
        cof_s3_sending_finish(s);
}

/* --- did an earlier request that we had no answer to do it already? --- */

static void on_settled(struct cof_s3_send *s, enum cof_err err, const struct cof_aws_error *error,
                       const struct cof_diag *diag)
{
    (void)error;
    (void)diag;
    if (err == COF_OK && s->object.size == s->total && s->verdict == COF_OK &&
        cof_s3_object_has_sum(&s->object, s->alg, s->sum)) {
        s->err = COF_OK;
        cof_s3_sending_finish(s);
    } else {
        cof_s3_sending_failed(s, s->err);
    }
}

void cof_s3_sending_settle(struct cof_s3_send *s, enum cof_err err, const struct cof_diag *diag)
{
    struct cof_s3_get get = head_of(s);
    struct cof_aws_request request;

    s->err = err;
    if (diag != NULL)
        s->diag = *diag;
    if (s->sum[0] == '\0' || cof_s3_get_object(&request, &get) != COF_OK || cof_s3_sending_ask(s, &request, on_settled) != COF_OK)
        cof_s3_sending_failed(s, err);
}

static void on_kick(struct cof_timer *timer)
{
    struct cof_s3_send *s = (struct cof_s3_send *)(void *)((char *)timer - offsetof(struct cof_s3_send, kick));

    s->is_kicked = false;
    if (s->single != NULL) {
        cof_s3_sending_single_more(s, s->single);
        return;
    }
    if (s->control != NULL || s->is_single || s->err != COF_OK)
        return;
    if (s->is_file && s->n_parts == 0) {
        s->total = s->opts.source.length;
        if (s->total <= s->part_size) {
            cof_s3_sending_single(s);
            return;
        }
    }
    cof_s3_sending_parts(s);
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
    s->alg = cof_s3_checksum_of(aws, &opts->put);
    s->is_file = opts->source.read_at != NULL;
    s->kick.fire = on_kick;
    cof_buf_init_secret(&s->reply, REPLY_MAX);
    if (opts->upload_id.len > 0 && opts->upload_part_size > 0)
        s->part_size = opts->upload_part_size;
    else if (cof_s3_part_size(s->is_file ? opts->source.length : 0, wished, &s->part_size) != COF_OK) {
        free(s);
        return COF_E_TOO_LARGE;
    }
    s->piece = malloc(COF_S3_PIECE);
    opts->lanes->used++;
    if (s->piece != NULL)
        cof_s3_sending_kick(s, 0);
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
        cof_s3_sending_parts(send);
}

void cof_s3_send_cancel(struct cof_s3_send *send)
{
    if (send != NULL)
        free_send(send);
}
