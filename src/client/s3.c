/* SPDX-License-Identifier: Apache-2.0 */
#include "client/s3.h"

#include "base/date.h"
#include "base/num.h"
#include "base/secret.h"
#include "client/s3_object.h"
#include "engine/s3_multipart.h"

#include <string.h>

#define PIECE 65536

static void put_text(char *out, size_t size, struct cof_view v)
{
    bool fits = v.len < size && cof_view_find(v, 0) == SIZE_MAX;

    if (fits && v.len > 0)
        memcpy(out, v.data, v.len);
    out[fits ? v.len : 0] = '\0';
}

void cof_s3_object_read(const struct cof_http_head *head, struct cof_s3_object *out)
{
    struct cof_s3_facts facts;
    struct cof_view modified, length;

    *out = (struct cof_s3_object){0};
    cof_s3_facts_read(head, &facts);
    put_text(out->etag, sizeof out->etag, facts.etag);
    put_text(out->version_id, sizeof out->version_id, facts.version_id);
    put_text(out->content_type, sizeof out->content_type, facts.content_type);
    put_text(out->kms_key_id, sizeof out->kms_key_id, facts.kms_key_id);
    put_text(out->sum, sizeof out->sum, facts.sum);
    out->checksum = out->sum[0] != '\0' ? facts.checksum : COF_CHECKSUM_NONE;
    out->sse = facts.sse;
    /* The field, since in a reply to HEAD it does not announce a body. */
    if (cof_headers_get(&head->headers, "content-length", &length) &&
        cof_parse_u64(length, INT64_MAX, &out->size) != COF_OK)
        out->size = 0;
    if (cof_headers_get(&head->headers, "last-modified", &modified) &&
        cof_date_parse_http(modified, &out->modified_ms) != COF_OK)
        out->modified_ms = 0;
}

bool cof_s3_object_has_sum(const struct cof_s3_object *object, enum cof_checksum_alg alg, const char *sum)
{
    return alg != COF_CHECKSUM_NONE && object->checksum == alg && strcmp(object->sum, sum) == 0;
}

/* The streamed calls driven until they end. */
struct blocking {
    const struct cof_s3_pipe *pipe;
    struct cof_s3_object *object;
    struct cof_diag *diag;
    struct cof_buf piece;
    enum cof_err err;
    bool done, source_ended;
    unsigned attempts; /* of a put */
    char sent[COF_S3_SUM_MAX]; /* its checksum */
};

static void end_with(struct blocking *b, enum cof_err err, const struct cof_diag *diag)
{
    b->done = true;
    b->err = err;
    if (diag != NULL && b->diag != NULL)
        *b->diag = *diag;
}

static void put_writable(void *ctx, struct cof_s3_upload *upload)
{
    struct blocking *b = ctx;
    bool more = true;

    while (more && !b->source_ended && !b->done) {
        enum cof_err err;
        cof_buf_reset(&b->piece);
        err = b->pipe->source(b->pipe->ctx, PIECE, &b->piece);
        if (err == COF_OK)
            err = cof_buf_err(&b->piece);
        if (err != COF_OK) {
            cof_s3_upload_cancel(upload);
            end_with(b, err, NULL);
        } else if (b->piece.len == 0) {
            b->source_ended = true;
            cof_s3_upload_end(upload);
        } else {
            more = cof_s3_upload_write(upload, cof_buf_view(&b->piece));
        }
    }
}

static bool put_rewind(void *ctx, struct cof_s3_upload *upload)
{
    struct blocking *b = ctx;

    (void)upload;
    b->source_ended = false;
    return b->pipe != NULL && b->pipe->rewind != NULL && b->pipe->rewind(b->pipe->ctx) == COF_OK;
}

static void put_done(void *ctx, struct cof_s3_upload *upload, enum cof_err err, const struct cof_s3_object *object,
                     const struct cof_aws_error *error, const struct cof_diag *diag)
{
    struct blocking *b = ctx;

    (void)error;
    cof_s3_upload_sent(upload, &b->attempts, b->sent);
    if (object != NULL && b->object != NULL)
        *b->object = *object;
    end_with(b, err, diag);
}

static enum cof_err wait_for(struct cof_aws *aws, struct blocking *b, enum cof_err started)
{
    enum cof_err err = started;

    if (err == COF_OK)
        err = cof_loop_run_until(aws->loop, &b->done, -1);
    cof_buf_done(&b->piece);
    return err == COF_OK ? b->err : err;
}

/* A conditional put was sent again after its first answer was lost, and now "it is there already", or "it is another": is it ours? */
static bool was_stored(struct cof_aws *aws, const struct cof_s3_put *put, const struct blocking *b)
{
    struct cof_s3_get get = {.bucket = put->bucket, .key = put->key, .sse = put->sse};
    struct cof_s3_object object;

    if ((!put->create_only && put->if_match.len == 0) || b->err != COF_E_PRECONDITION || b->attempts < 2 || b->sent[0] == '\0' ||
        cof_s3_run_head(aws, &get, &object, NULL) != COF_OK ||
        object.size != (put->streaming ? put->length : put->body.len) ||
        !cof_s3_object_has_sum(&object, cof_s3_checksum_of(aws, put), b->sent))
        return false;
    if (b->object != NULL)
        *b->object = object;
    return true;
}

enum cof_err cof_s3_run_put(struct cof_aws *aws, const struct cof_s3_put *put, const struct cof_s3_pipe *pipe,
                            struct cof_s3_object *out, struct cof_diag *diag)
{
    struct blocking b = {.pipe = pipe, .object = out, .diag = diag};
    struct cof_s3_upload_events events = {put_writable, put_done, put_rewind, &b};
    struct cof_s3_upload *upload = NULL;
    enum cof_err err = put->streaming && (pipe == NULL || pipe->source == NULL) ? COF_E_USAGE
                                                                                : cof_aws_ready(aws, diag);

    if (out != NULL)
        *out = (struct cof_s3_object){0};
    if (err == COF_OK) {
        cof_buf_init_secret(&b.piece, (size_t)4 * PIECE);
        err = wait_for(aws, &b, cof_s3_start_put(aws, put, &events, &upload));
    }
    if (!b.done)
        cof_s3_upload_cancel(upload); /* the loop was stopped */
    else if (err == COF_E_PRECONDITION && was_stored(aws, put, &b))
        err = COF_OK;
    return err;
}

static void get_head(void *ctx, struct cof_s3_download *download, const struct cof_s3_object *object)
{
    struct blocking *b = ctx;

    (void)download;
    if (b->object != NULL)
        *b->object = *object;
}

static void get_body(void *ctx, struct cof_s3_download *download, struct cof_view piece)
{
    struct blocking *b = ctx;
    enum cof_err err = b->pipe->sink(b->pipe->ctx, piece);

    if (err != COF_OK) {
        cof_s3_download_cancel(download);
        end_with(b, err, NULL);
    }
}

static void get_done(void *ctx, struct cof_s3_download *download, enum cof_err err, const struct cof_aws_error *error,
                     const struct cof_diag *diag)
{
    (void)download;
    (void)error;
    end_with(ctx, err, diag);
}

enum cof_err cof_s3_run_get(struct cof_aws *aws, const struct cof_s3_get *get, const struct cof_s3_pipe *pipe,
                            struct cof_s3_object *out, struct cof_diag *diag)
{
    struct blocking b = {.pipe = pipe, .object = out, .diag = diag};
    struct cof_s3_download_events events = {get_head, get_body, get_done, &b};
    struct cof_s3_download *download = NULL;
    enum cof_err err = get->head || pipe == NULL || pipe->sink == NULL ? COF_E_USAGE : cof_aws_ready(aws, diag);

    if (out != NULL)
        *out = (struct cof_s3_object){0};
    if (err == COF_OK)
        err = wait_for(aws, &b, cof_s3_start_get(aws, get, &events, &download));
    if (!b.done)
        cof_s3_download_cancel(download);
    if (err != COF_OK && out != NULL)
        *out = (struct cof_s3_object){0};
    return err;
}

static enum cof_err sink_to_buf(void *ctx, struct cof_view piece)
{
    struct cof_buf *out = ctx;

    cof_buf_add(out, piece);
    return cof_buf_err(out) == COF_E_LIMIT ? COF_E_TOO_LARGE : cof_buf_err(out);
}

enum cof_err cof_s3_run_get_whole(struct cof_aws *aws, const struct cof_s3_get *get, struct cof_buf *body,
                                  struct cof_s3_object *out, struct cof_diag *diag)
{
    struct cof_s3_pipe pipe = {.sink = sink_to_buf, .ctx = body};
    size_t before = body->len;
    enum cof_err err = cof_s3_run_get(aws, get, &pipe, out, diag);

    if (err != COF_OK) {
        body->err = COF_OK;
        if (body->data != NULL && body->len > before)
            cof_wipe(body->data + before, body->len - before);
        cof_buf_truncate(body, before);
    }
    if (err == COF_E_TOO_LARGE)
        (void)cof_diag_set(diag, err, "the object is larger than %zu bytes", body->max);
    return err;
}

enum cof_err cof_s3_run_head(struct cof_aws *aws, const struct cof_s3_get *get, struct cof_s3_object *out,
                             struct cof_diag *diag)
{
    struct cof_s3_get head = *get;
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    enum cof_err err;

    *out = (struct cof_s3_object){0};
    head.head = true;
    err = cof_s3_get_object(&request, &head);
    if (err == COF_OK)
        err = cof_aws_run(aws, &request, 0, &reply, diag);
    if (err != COF_OK)
        return err;
    cof_s3_object_read(&reply.head, out);
    cof_aws_reply_done(&reply);
    return COF_OK;
}

enum cof_err cof_s3_run_delete(struct cof_aws *aws, struct cof_view bucket, struct cof_view key,
                               struct cof_view version_id, struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    enum cof_err err = cof_s3_delete_object(&request, bucket, key, version_id);

    if (err == COF_OK)
        err = cof_aws_run(aws, &request, 65536, &reply, diag);
    if (err == COF_OK)
        cof_aws_reply_done(&reply);
    return err;
}

enum cof_err cof_s3_run_rewrap(struct cof_aws *aws, struct cof_view bucket, struct cof_view key, struct cof_view version_id,
                               struct cof_view kms_key_arn, bool bucket_key, struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    enum cof_err err = cof_s3_rewrap_object(&request, bucket, key, version_id, kms_key_arn, bucket_key);

    if (err == COF_OK)
        err = cof_aws_run(aws, &request, 65536, &reply, diag);
    if (err == COF_OK)
        cof_aws_reply_done(&reply);
    return err;
}
