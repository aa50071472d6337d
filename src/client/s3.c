/* SPDX-License-Identifier: Apache-2.0 */
#include "client/s3.h"

#include "base/date.h"
#include "base/num.h"
#include "base/secret.h"
#include "client/s3_object.h"
#include "format/uri.h"
#include "format/xml.h"

#include <string.h>

#define PIECE 65536
#define LIST_MAX ((size_t)4 << 20)
#define LIST_NODES 20000
#define PAGES_MAX 1000000

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
    put_text(out->crc64, sizeof out->crc64, facts.crc64);
    out->sse = facts.sse;
    /* The field, since in a reply to HEAD it does not announce a body. */
    if (cof_headers_get(&head->headers, "content-length", &length) &&
        cof_parse_u64(length, INT64_MAX, &out->size) != COF_OK)
        out->size = 0;
    if (cof_headers_get(&head->headers, "last-modified", &modified) &&
        cof_date_parse_http(modified, &out->modified_ms) != COF_OK)
        out->modified_ms = 0;
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
    char sent[16];     /* its checksum */
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

/* A create-only put was sent again after its first answer was lost, and now "it is there already": is it ours? */
static bool was_stored(struct cof_aws *aws, const struct cof_s3_put *put, const struct blocking *b)
{
    struct cof_s3_get get = {.bucket = put->bucket, .key = put->key, .sse = put->sse};
    struct cof_s3_object object;

    if (!put->create_only || b->err != COF_E_PRECONDITION || b->attempts < 2 || b->sent[0] == '\0' ||
        cof_s3_run_head(aws, &get, &object, NULL) != COF_OK ||
        object.size != (put->streaming ? put->length : put->body.len) || strcmp(object.crc64, b->sent) != 0)
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

enum cof_err cof_s3_run_delete(struct cof_aws *aws, struct cof_view bucket, struct cof_view key, struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    enum cof_err err = cof_s3_delete_object(&request, bucket, key);

    if (err == COF_OK)
        err = cof_aws_run(aws, &request, 65536, &reply, diag);
    if (err == COF_OK)
        cof_aws_reply_done(&reply);
    return err;
}

struct listing {
    enum cof_err (*entry)(void *ctx, const struct cof_s3_entry *entry);
    void *ctx;
    struct cof_buf key, token;
    bool is_encoded;
};

static enum cof_err plain_key(struct listing *l, struct cof_view text, struct cof_view *out)
{
    enum cof_err err;

    *out = text;
    if (!l->is_encoded)
        return COF_OK;
    cof_buf_reset(&l->key);
    err = cof_uri_decode(text, true, &l->key);
    *out = cof_buf_view(&l->key);
    return err == COF_OK ? cof_buf_err(&l->key) : err;
}

static enum cof_err give_object(struct listing *l, const struct cof_xml_node *node)
{
    struct cof_s3_entry e = {.etag = cof_xml_text(node, "ETag")};
    enum cof_err err = plain_key(l, cof_xml_text(node, "Key"), &e.key);

    if (err == COF_OK && e.key.len == 0)
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = cof_parse_u64(cof_xml_text(node, "Size"), INT64_MAX, &e.size);
    if (err == COF_OK)
        err = cof_date_parse_iso(cof_xml_text(node, "LastModified"), &e.modified_ms);
    return err == COF_OK ? l->entry(l->ctx, &e) : err;
}

static enum cof_err give_page(struct listing *l, const struct cof_xml_node *root, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    l->is_encoded = cof_view_eq(cof_xml_text(root, "EncodingType"), COF_LIT("url"));
    if (strcmp(root->name, "ListBucketResult") != 0)
        return cof_diag_set(diag, COF_E_FORMAT, "S3: the reply is no listing");
    for (const struct cof_xml_node *n = cof_xml_child(root, "Contents"); n != NULL && err == COF_OK;
         n = cof_xml_again(n, "Contents"))
        err = give_object(l, n);
    for (const struct cof_xml_node *n = cof_xml_child(root, "CommonPrefixes"); n != NULL && err == COF_OK;
         n = cof_xml_again(n, "CommonPrefixes")) {
        struct cof_s3_entry e = {.is_prefix = true};
        err = plain_key(l, cof_xml_text(n, "Prefix"), &e.key);
        if (err == COF_OK)
            err = l->entry(l->ctx, &e);
    }
    cof_buf_reset(&l->token);
    if (err == COF_OK && cof_view_eq(cof_xml_text(root, "IsTruncated"), COF_LIT("true"))) {
        cof_buf_add(&l->token, cof_xml_text(root, "NextContinuationToken"));
        err = cof_buf_err(&l->token);
        if (err == COF_OK && l->token.len == 0)
            err = cof_diag_set(diag, COF_E_FORMAT, "S3: the listing goes on, but does not say where");
    }
    return err;
}

enum cof_err cof_s3_run_list(struct cof_aws *aws, struct cof_view bucket, struct cof_view prefix,
                             struct cof_view delimiter,
                             enum cof_err (*entry)(void *ctx, const struct cof_s3_entry *entry), void *ctx,
                             struct cof_diag *diag)
{
    struct listing l = {.entry = entry, .ctx = ctx};
    enum cof_err err = COF_OK;

    cof_buf_init(&l.key, 65536);
    cof_buf_init(&l.token, 8192);
    for (unsigned page = 0; err == COF_OK && (page == 0 || l.token.len > 0); page++) {
        struct cof_aws_request request;
        struct cof_aws_reply reply;
        struct cof_xml_node *root = NULL;
        err = page == PAGES_MAX ? COF_E_LIMIT : cof_s3_list_objects(&request, bucket, prefix, cof_buf_view(&l.token));
        if (err != COF_OK)
            break;
        if (delimiter.len > 0)
            cof_aws_request_query(&request, "delimiter", delimiter);
        cof_aws_request_query(&request, "encoding-type", COF_LIT("url"));
        err = cof_aws_run(aws, &request, LIST_MAX, &reply, diag);
        if (err != COF_OK)
            break;
        err = cof_xml_parse(cof_buf_view(&reply.body), LIST_MAX, LIST_NODES, &root);
        if (err == COF_OK)
            err = give_page(&l, root, diag);
        cof_xml_free(root);
        cof_aws_reply_done(&reply);
    }
    cof_buf_done(&l.key);
    cof_buf_done(&l.token);
    return err;
}
