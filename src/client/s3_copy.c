/* SPDX-License-Identifier: Apache-2.0 */
#include "client/s3_copy.h"

#include "base/codec.h"
#include "client/s3_object.h"
#include "engine/s3_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_MAX 65536
#define AGAIN_MS 200 /* the first pause after a failure that came with status 200; doubles */

struct lane { /* a part under way */
    struct cof_s3_copy *copy;
    struct cof_aws_call *call;
    struct cof_timer again;
    struct cof_buf reply;
    unsigned index, tries;
};

/* What comes after a request that is not a part; c->reply holds its answer, c->facts are of it. */
typedef void then_fn(struct cof_s3_copy *c, enum cof_err err, const struct cof_aws_error *error, const struct cof_diag *diag);

struct cof_s3_copy {
    struct cof_aws *aws;
    struct cof_s3_copy_opts opts;
    struct cof_s3_copy_events events;
    struct cof_s3_object source, object;
    enum cof_checksum_alg alg; /* of the copy */
    struct cof_headers kept; /* the source's, that the copy must be given */
    bool has_tags, is_other_sse; /* is_other_sse: of the source, one that is not known here */
    struct cof_buf tags;
    enum cof_err verdict;    /* on the encryption that a reply tells */
    struct cof_timer step;   /* starts it, and does again what `again` says */
    void (*again)(struct cof_s3_copy *c);
    unsigned tries;
    struct cof_aws_call *control;
    then_fn *then;
    struct cof_buf reply;
    char upload_id[COF_S3_UPLOAD_ID_MAX];
    uint64_t part_size;
    struct cof_s3_part *parts;
    size_t n_parts, next, n_done;
    unsigned n_busy;
    struct lane *lanes[COF_S3_LANES_MAX];
    enum cof_err err;
    struct cof_diag diag;
};

static void pump(struct cof_s3_copy *c);

static void free_lane(struct cof_s3_copy *c, size_t slot)
{
    struct lane *lane = c->lanes[slot];

    if (lane->call != NULL)
        cof_aws_cancel(lane->call);
    cof_loop_disarm(c->aws->loop, &lane->again);
    cof_buf_done(&lane->reply);
    c->lanes[slot] = NULL;
    cof_loop_discard(c->aws->loop, lane);
    if (--c->n_busy > 0) /* the last one stays ours until the end */
        c->opts.lanes->used--;
}

static void drop_parts(struct cof_s3_copy *c)
{
    for (size_t i = 0; i < COF_S3_LANES_MAX; i++)
        if (c->lanes[i] != NULL)
            free_lane(c, i);
}

static void finish(struct cof_s3_copy *c)
{
    struct cof_s3_lanes *lanes = c->opts.lanes;

    c->events.done(c->events.ctx, c->err, c->err == COF_OK ? &c->object : NULL, &c->diag);
    drop_parts(c);
    cof_loop_disarm(c->aws->loop, &c->step);
    cof_headers_done(&c->kept);
    cof_buf_done(&c->tags);
    cof_buf_done(&c->reply);
    free(c->parts);
    lanes->used--;
    cof_loop_discard(c->aws->loop, c);
    if (lanes->freed != NULL)
        lanes->freed(lanes->ctx);
}

/* --- requests that are no parts --- */

static void control_head(void *ctx, struct cof_aws_call *call, const struct cof_http_head *head)
{
    struct cof_s3_copy *c = ctx;
    struct cof_s3_facts facts;

    (void)call;
    cof_buf_reset(&c->reply);
    cof_s3_facts_read(head, &facts);
    cof_s3_object_read(head, &c->object);
    if (c->source.etag[0] != '\0') {
        c->verdict = cof_s3_check_sse(&facts, &c->opts.to.sse, &c->diag);
    } else { /* it is the source's */
        struct cof_view value;

        c->has_tags = cof_headers_get(&head->headers, "x-amz-tagging-count", &value);
        c->is_other_sse = facts.sse == COF_SSE_NONE && cof_headers_get(&head->headers, "x-amz-server-side-encryption", &value);
        if (c->opts.keep_sse)
            c->opts.to.sse.bucket_key = cof_headers_get(&head->headers, "x-amz-server-side-encryption-bucket-key-enabled", &value) &&
                                        cof_view_eq_nocase(value, COF_LIT("true"));
        cof_headers_reset(&c->kept);
        cof_s3_copy_headers(&head->headers, &c->kept);
    }
}

static void control_body(void *ctx, struct cof_aws_call *call, struct cof_view piece)
{
    (void)call;
    cof_buf_add(&((struct cof_s3_copy *)ctx)->reply, piece);
}

static void control_done(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error, const struct cof_diag *diag)
{
    struct cof_s3_copy *c = ctx;

    (void)call;
    c->control = NULL;
    if (err == COF_OK)
        err = cof_buf_err(&c->reply);
    c->then(c, err, error, diag);
}

static enum cof_err ask(struct cof_s3_copy *c, struct cof_aws_request *request, then_fn *then)
{
    struct cof_aws_callbacks cb = {.head = control_head, .body = control_body, .done = control_done, .may_restart = true, .ctx = c};

    c->then = then;
    return cof_aws_start(c->aws, request, &cb, &c->control);
}

static struct cof_s3_upload_of upload_of(const struct cof_s3_copy *c, enum cof_checksum_alg alg)
{
    return (struct cof_s3_upload_of){.bucket = c->opts.to.bucket, .key = c->opts.to.key, .upload_id = cof_view_str(c->upload_id),
                                     .sse = &c->opts.to.sse, .checksum = alg};
}

static void on_aborted(struct cof_s3_copy *c, enum cof_err err, const struct cof_aws_error *error, const struct cof_diag *diag)
{
    (void)err; /* what made us give up counts */
    (void)error;
    (void)diag;
    finish(c);
}

static void fail(struct cof_s3_copy *c, enum cof_err err, const struct cof_diag *diag)
{
    struct cof_s3_upload_of upload = upload_of(c, COF_CHECKSUM_NONE);
    struct cof_aws_request request;

    c->err = err;
    if (diag != NULL && diag != &c->diag)
        c->diag = *diag;
    drop_parts(c);
    if (c->upload_id[0] == '\0' || cof_s3_abort_multipart(&request, &upload) != COF_OK || ask(c, &request, on_aborted) != COF_OK)
        finish(c);
}

/* S3 begins its answer before the copy is made, so a failure can come in the body of a reply that says 200. */
static bool does_again(struct cof_s3_copy *c, enum cof_err err, void (*what)(struct cof_s3_copy *c))
{
    if (cof_err_class(err) != COF_CLASS_RETRY || ++c->tries >= c->aws->max_attempts)
        return false;
    c->again = what;
    return cof_loop_arm(c->aws->loop, &c->step, (int64_t)AGAIN_MS << (c->tries < 6 ? c->tries - 1 : 5)) == COF_OK;
}

/* The copy's checksum against the source's, where both are of the whole. */
static enum cof_err compare(struct cof_s3_copy *c, const char *sum)
{
    if (sum[0] == '\0' || c->source.checksum != c->alg || c->alg == COF_CHECKSUM_NONE || strchr(c->source.sum, '-') != NULL || strchr(sum, '-') != NULL ||
        strcmp(sum, c->source.sum) == 0)
        return COF_OK;
    return cof_diag_set(&c->diag, COF_E_AUTH, "the copy's checksum is not the source's");
}

static void on_copied(struct cof_s3_copy *c, enum cof_err err, void (*what)(struct cof_s3_copy *c), const struct cof_diag *diag)
{
    char etag[128], sum[COF_S3_SUM_MAX];

    if (err == COF_OK) {
        err = cof_s3_read_completed(cof_buf_view(&c->reply), c->alg, etag, sum, &c->diag);
        diag = &c->diag;
        if (err != COF_OK && does_again(c, err, what))
            return;
        if (err == COF_OK)
            err = compare(c, sum);
        if (err == COF_OK && c->n_parts == 0) /* of the other way the first reply told it */
            err = c->verdict;
    }
    if (err != COF_OK) {
        fail(c, err, diag);
        return;
    }
    (void)snprintf(c->object.etag, sizeof c->object.etag, "%s", etag);
    (void)snprintf(c->object.sum, sizeof c->object.sum, "%s", sum);
    c->object.checksum = sum[0] != '\0' ? c->alg : COF_CHECKSUM_NONE;
    c->object.size = c->source.size;
    if (c->object.sse == COF_SSE_NONE)
        c->object.sse = c->opts.to.sse.mode;
    if (c->n_parts == 0 && c->events.moved != NULL)
        c->events.moved(c->events.ctx, (int64_t)c->source.size);
    finish(c);
}

/* --- in one request --- */

static void copy_whole(struct cof_s3_copy *c);

static void on_whole(struct cof_s3_copy *c, enum cof_err err, const struct cof_aws_error *error, const struct cof_diag *diag)
{
    (void)error;
    on_copied(c, err, copy_whole, diag);
}

static void copy_whole(struct cof_s3_copy *c)
{
    struct cof_aws_request request;
    enum cof_err err = cof_s3_copy_whole(&request, &c->opts.from, &c->opts.to);

    if (err == COF_OK)
        err = ask(c, &request, on_whole);
    if (err != COF_OK)
        fail(c, err, NULL);
}

/* --- in parts --- */

static void complete(struct cof_s3_copy *c);

static void on_completed(struct cof_s3_copy *c, enum cof_err err, const struct cof_aws_error *error, const struct cof_diag *diag)
{
    (void)error;
    on_copied(c, err, complete, diag);
}

static void complete(struct cof_s3_copy *c)
{
    enum cof_checksum_alg alg = c->alg;
    struct cof_s3_upload_of upload;
    struct cof_aws_request request;
    char sum[COF_S3_SUM_MAX];
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < c->n_parts; i++) /* a server that told none of a part is not asked to hold the whole against one */
        alg = c->parts[i].has_sum ? alg : COF_CHECKSUM_NONE;
    if (alg != COF_CHECKSUM_NONE)
        err = cof_s3_join_checksum(alg, c->parts, c->n_parts, sum);
    if (err == COF_OK && alg != COF_CHECKSUM_NONE)
        err = compare(c, sum);
    upload = upload_of(c, alg);
    if (err == COF_OK)
        err = cof_s3_complete_multipart(&request, &upload, c->parts, c->n_parts, &c->opts.to);
    if (err == COF_OK)
        err = ask(c, &request, on_completed);
    if (err != COF_OK)
        fail(c, err, &c->diag);
}

static void lane_head(void *ctx, struct cof_aws_call *call, const struct cof_http_head *head)
{
    (void)call;
    (void)head;
    cof_buf_reset(&((struct lane *)ctx)->reply);
}

static void lane_body(void *ctx, struct cof_aws_call *call, struct cof_view piece)
{
    (void)call;
    cof_buf_add(&((struct lane *)ctx)->reply, piece);
}

static enum cof_err read_part(struct cof_s3_copy *c, struct lane *lane)
{
    struct cof_s3_part *part = &c->parts[lane->index];
    char etag[128], sum[COF_S3_SUM_MAX];
    struct cof_buf bytes;
    enum cof_err err = cof_s3_read_completed(cof_buf_view(&lane->reply), c->alg, etag, sum, &c->diag);

    if (err != COF_OK)
        return err;
    if (etag[0] == '\0' || strlen(etag) >= sizeof part->etag)
        return cof_diag_set(&c->diag, COF_E_FORMAT, "S3: a part was copied without an ETag");
    (void)snprintf(part->etag, sizeof part->etag, "%.*s", (int)sizeof part->etag - 1, etag);
    cof_buf_init(&bytes, COF_CHECKSUM_MAX);
    part->has_sum = c->alg != COF_CHECKSUM_NONE && cof_base64_decode(cof_view_str(sum), &bytes) == COF_OK &&
                    bytes.len == cof_checksum_size(c->alg);
    if (part->has_sum)
        memcpy(part->sum, bytes.data, bytes.len);
    cof_buf_done(&bytes);
    part->is_stored = true;
    return COF_OK;
}

static void lane_done(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error, const struct cof_diag *diag)
{
    struct lane *lane = ctx;
    struct cof_s3_copy *c = lane->copy;
    struct cof_s3_lanes *lanes = c->opts.lanes;
    size_t slot = 0;

    (void)call;
    (void)error;
    lane->call = NULL;
    if (err == COF_OK)
        err = cof_buf_err(&lane->reply);
    if (err == COF_OK) {
        err = read_part(c, lane);
        diag = &c->diag;
        if (cof_err_class(err) == COF_CLASS_RETRY && ++lane->tries < c->aws->max_attempts &&
            cof_loop_arm(c->aws->loop, &lane->again, (int64_t)AGAIN_MS << (lane->tries < 6 ? lane->tries - 1 : 5)) == COF_OK)
            return;
    }
    if (err != COF_OK) {
        fail(c, err, diag);
        return;
    }
    if (c->events.moved != NULL)
        c->events.moved(c->events.ctx, (int64_t)c->parts[lane->index].length);
    c->n_done++;
    while (c->lanes[slot] != lane)
        slot++;
    free_lane(c, slot);
    pump(c);
    if (lanes->freed != NULL)
        lanes->freed(lanes->ctx);
}

static enum cof_err lane_ask(struct lane *lane)
{
    struct cof_s3_copy *c = lane->copy;
    struct cof_aws_callbacks cb = {.head = lane_head, .body = lane_body, .done = lane_done, .may_restart = true, .ctx = lane};
    struct cof_s3_upload_of upload = upload_of(c, c->alg);
    struct cof_aws_request request;
    enum cof_err err = cof_s3_copy_range(&request, &upload, &c->opts.from, lane->index + 1, lane->index * c->part_size, c->parts[lane->index].length);

    return err == COF_OK ? cof_aws_start(c->aws, &request, &cb, &lane->call) : err;
}

static void lane_again(struct cof_timer *timer)
{
    struct lane *lane = (struct lane *)(void *)((char *)timer - offsetof(struct lane, again));
    enum cof_err err = lane_ask(lane);

    if (err != COF_OK)
        fail(lane->copy, err, NULL);
}

static void pump(struct cof_s3_copy *c)
{
    if (c->n_parts == 0 || c->control != NULL || c->step.armed || c->err != COF_OK || c->upload_id[0] == '\0')
        return;
    while (c->next < c->n_parts && c->n_busy < COF_S3_LANES_MAX && (c->n_busy == 0 || c->opts.lanes->used < c->opts.lanes->max)) {
        struct lane *lane = calloc(1, sizeof *lane);
        size_t slot = 0;
        enum cof_err err = lane == NULL ? COF_E_MEMORY : COF_OK;

        if (lane != NULL) {
            *lane = (struct lane){.copy = c, .index = (unsigned)c->next++, .again.fire = lane_again};
            cof_buf_init(&lane->reply, REPLY_MAX);
            while (c->lanes[slot] != NULL)
                slot++;
            c->lanes[slot] = lane;
            if (c->n_busy++ > 0)
                c->opts.lanes->used++;
            err = lane_ask(lane);
        }
        if (err != COF_OK) {
            fail(c, err, NULL);
            return;
        }
    }
    if (c->n_done == c->n_parts)
        complete(c);
}

static void on_created(struct cof_s3_copy *c, enum cof_err err, const struct cof_aws_error *error, const struct cof_diag *diag)
{
    (void)error;
    if (err == COF_OK) {
        err = cof_s3_read_created(cof_buf_view(&c->reply), c->upload_id, &c->diag);
        if (err == COF_OK)
            err = c->verdict;
        diag = &c->diag;
    }
    if (err != COF_OK)
        fail(c, err, diag);
    else
        pump(c);
}

static void create(struct cof_s3_copy *c)
{
    struct cof_s3_put put = c->opts.to;
    struct cof_aws_request request;
    enum cof_err err = COF_OK;

    c->n_parts = (size_t)((c->source.size + c->part_size - 1) / c->part_size);
    c->parts = calloc(c->n_parts, sizeof *c->parts);
    for (size_t i = 0; c->parts != NULL && i < c->n_parts; i++)
        c->parts[i].length = i + 1 < c->n_parts ? c->part_size : c->source.size - i * c->part_size;
    put.attributes = (struct cof_s3_attributes){.storage_class = c->opts.to.attributes.storage_class, .tags = cof_buf_view(&c->tags)};
    err = c->parts == NULL ? COF_E_MEMORY : cof_s3_create_multipart(&request, &put, c->alg);
    if (err == COF_OK) {
        for (size_t i = 0; i < c->kept.n; i++)
            cof_headers_add(&request.headers, cof_headers_name(&c->kept, i), cof_headers_value(&c->kept, i));
        err = ask(c, &request, on_created);
    }
    if (err != COF_OK)
        fail(c, err, NULL);
}

static void on_tags(struct cof_s3_copy *c, enum cof_err err, const struct cof_aws_error *error, const struct cof_diag *diag)
{
    (void)error;
    if (err == COF_OK) {
        err = cof_s3_read_tags(cof_buf_view(&c->reply), &c->tags, &c->diag);
        diag = &c->diag;
    }
    if (err != COF_OK)
        fail(c, err, diag);
    else
        create(c);
}

static void copy_in_parts(struct cof_s3_copy *c)
{
    struct cof_aws_request request;
    enum cof_err err;

    if (!c->has_tags) {
        create(c);
        return;
    }
    err = cof_s3_get_tags(&request, &c->opts.from);
    if (err == COF_OK)
        err = ask(c, &request, on_tags);
    if (err != COF_OK)
        fail(c, err, NULL);
}

/* --- the source --- */

static enum cof_err keep_sse(struct cof_s3_copy *c)
{
    struct cof_s3_sse *sse = &c->opts.to.sse;

    if (c->is_other_sse) {
        (void)cof_diag_set(&c->diag, COF_E_USAGE, "the source is encrypted in a way that cannot be kept here");
        cof_diag_hint(&c->diag, "-e says how the copy shall be encrypted");
        return COF_E_USAGE;
    }
    sse->mode = c->source.sse;
    sse->kms_key_id = cof_view_str(c->source.kms_key_id);
    sse->customer_key = c->opts.from.sse.customer_key;
    return COF_OK;
}

static void on_looked_at(struct cof_s3_copy *c, enum cof_err err, const struct cof_aws_error *error, const struct cof_diag *diag)
{
    if (err != COF_OK) {
        c->diag = *diag;
        if (error != NULL && err == COF_E_REMOTE && c->opts.from.sse.mode != COF_SSE_C && c->diag.hint[0] == '\0')
            cof_diag_hint(&c->diag, "if the source is under SSE-C, --source-key-file names its key");
        fail(c, err, &c->diag);
        return;
    }
    c->source = c->object;
    c->opts.from.if_match = cof_view_str(c->source.etag);
    c->alg = c->opts.to.checksum != COF_CHECKSUM_NONE ? c->opts.to.checksum : c->source.checksum;
    if (c->source.etag[0] == '\0')
        err = cof_diag_set(&c->diag, COF_E_FORMAT, "S3: an object without an ETag");
    if (err == COF_OK && c->opts.keep_sse)
        err = keep_sse(c);
    if (err == COF_OK && c->source.size > c->part_size && cof_s3_part_size(c->source.size, c->part_size, &c->part_size) != COF_OK)
        err = COF_E_TOO_LARGE;
    if (err != COF_OK)
        fail(c, err, &c->diag);
    else if (c->source.size > c->part_size)
        copy_in_parts(c);
    else
        copy_whole(c);
}

static void look(struct cof_s3_copy *c)
{
    struct cof_aws_request request;
    struct cof_s3_get head = c->opts.from;
    enum cof_err err;

    head.head = true;
    head.range = head.if_match = (struct cof_view){0};
    err = cof_s3_get_object(&request, &head);
    if (err == COF_OK)
        err = ask(c, &request, on_looked_at);
    if (err != COF_OK)
        fail(c, err, NULL);
}

static void on_step(struct cof_timer *timer)
{
    struct cof_s3_copy *c = (struct cof_s3_copy *)(void *)((char *)timer - offsetof(struct cof_s3_copy, step));

    c->again(c);
}

enum cof_err cof_s3_copy_start(struct cof_aws *aws, const struct cof_s3_copy_opts *opts, const struct cof_s3_copy_events *events,
                               struct cof_s3_copy **out)
{
    struct cof_s3_copy *c = calloc(1, sizeof *c);
    enum cof_err err;

    *out = NULL;
    if (c == NULL)
        return COF_E_MEMORY;
    c->aws = aws;
    c->opts = *opts;
    c->events = *events;
    c->step.fire = on_step;
    c->again = look;
    c->part_size = opts->part_size != 0 ? opts->part_size : COF_S3_COPY_PART_DEFAULT;
    if (opts->keep_sse)
        c->opts.to.sse = (struct cof_s3_sse){.mode = COF_SSE_NONE};
    cof_headers_init(&c->kept);
    cof_buf_init(&c->tags, 8192);
    cof_buf_init(&c->reply, REPLY_MAX);
    err = cof_loop_arm(aws->loop, &c->step, 0);
    if (err != COF_OK) {
        free(c);
        return err;
    }
    opts->lanes->used++;
    *out = c;
    return COF_OK;
}

void cof_s3_copy_pump(struct cof_s3_copy *copy)
{
    pump(copy);
}
