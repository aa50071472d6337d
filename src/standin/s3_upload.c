/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_upload.h"

#include "base/codec.h"
#include "base/num.h"
#include "format/json.h"
#include "standin/s3_body.h"
#include "standin/s3_chunked.h"
#include "standin/s3_condition.h"
#include "standin/s3_multipart.h"
#include "standin/s3_put.h"
#include "standin/s3_record.h"
#include "standin/s3_sse.h"

#include <stdlib.h>
#include <string.h>

#define ASIDE_MIN ((uint64_t)1 << 20) /* bytes for which handing over pays */

enum cof_err cof_s3_intake_init(struct cof_s3_intake *in, struct cof_s3_call *c, enum cof_checksum_alg alg, bool sha256)
{
    enum cof_err err;

    *in = (struct cof_s3_intake){.size = 0};
    err = cof_s3_writer_init(&in->writer, c->store, cof_standin_rng(c->s));
    if (err == COF_OK && sha256)
        err = cof_hash_new(COF_SHA256, &in->sha256);
    if (err == COF_OK)
        err = cof_checksum_init(&in->sum, alg);
    if (err != COF_OK)
        cof_s3_intake_done(in);
    return err;
}

enum cof_err cof_s3_intake_expect(struct cof_s3_intake *in, const struct cof_s3_call *c, uint64_t size)
{
    const struct cof_standin_aside *aside = cof_standin_options(c->s)->aside;

    if (size >= ASIDE_MIN && !in->no_md5 && aside != NULL) {
        in->aside = aside;
        return aside->begin(aside->ctx, &in->beside);
    }
    if (size == 0 || size > COF_S3_GATHER_MAX)
        return COF_OK;
    in->gathered = true;
    return cof_s3_writer_gather(&in->writer, size);
}

struct cof_md5_job *cof_s3_intake_md5(struct cof_s3_intake *in)
{
    if (!in->gathered || in->no_md5 || in->job.done || in->writer.size != in->writer.expected)
        return NULL;
    in->job.n_parts = cof_s3_writer_gathered(&in->writer, in->job.parts);
    return &in->job;
}

enum cof_err cof_s3_intake_add(struct cof_s3_intake *in, struct cof_view piece)
{
    enum cof_err err = COF_OK;

    in->size += piece.len;
    if (in->gathered)
        return cof_s3_writer_add(&in->writer, piece);
    if (in->beside != NULL)
        err = in->aside->update(in->beside, piece);
    else if (!in->no_md5 && in->md5 == NULL)
        err = cof_hash_new(COF_MD5, &in->md5);
    if (err == COF_OK && in->md5 != NULL)
        err = cof_hash_update(in->md5, piece);
    if (err == COF_OK && in->sha256 != NULL)
        err = cof_hash_update(in->sha256, piece);
    if (err == COF_OK)
        err = cof_checksum_update(&in->sum, piece);
    if (err == COF_OK && in->own.alg != COF_CHECKSUM_NONE)
        err = cof_checksum_update(&in->own, piece);
    return err == COF_OK ? cof_s3_writer_add(&in->writer, piece) : err;
}

void cof_s3_intake_done(struct cof_s3_intake *in)
{
    cof_s3_writer_done(&in->writer);
    if (in->aside != NULL)
        in->aside->free(in->beside);
    cof_hash_free(in->md5);
    cof_hash_free(in->sha256);
    cof_checksum_done(&in->sum);
    cof_checksum_done(&in->own);
    *in = (struct cof_s3_intake){.size = 0};
}

static enum cof_err gathered_digests(struct cof_s3_intake *in, struct cof_s3_digests *out)
{
    struct cof_md5_job *job = cof_s3_intake_md5(in);
    struct cof_view chunks[4];
    size_t n = cof_s3_writer_gathered(&in->writer, chunks);
    enum cof_err err = job == NULL ? COF_OK : cof_md5_many(&job, 1);

    memcpy(out->md5, in->job.digest, sizeof out->md5);
    for (size_t i = 0; i < n && err == COF_OK; i++) {
        if (in->sha256 != NULL)
            err = cof_hash_update(in->sha256, chunks[i]);
        if (err == COF_OK)
            err = cof_checksum_update(&in->sum, chunks[i]);
        if (err == COF_OK && in->own.alg != COF_CHECKSUM_NONE)
            err = cof_checksum_update(&in->own, chunks[i]);
    }
    return err;
}

enum cof_err cof_s3_intake_digests(struct cof_s3_intake *in, struct cof_s3_digests *out)
{
    enum cof_err err = in->gathered ? gathered_digests(in, out) : COF_OK;

    if (err == COF_OK && in->beside != NULL)
        err = in->aside->final(in->beside, out->md5);
    else if (err == COF_OK && !in->gathered && !in->no_md5)
        err = in->md5 == NULL ? cof_hash_once(COF_MD5, COF_LIT(""), out->md5) : cof_hash_final(in->md5, out->md5);
    if (err == COF_OK && in->sha256 != NULL)
        err = cof_hash_final(in->sha256, out->sha256);
    if (err == COF_OK && in->own.alg != COF_CHECKSUM_NONE)
        err = cof_checksum_final(&in->own, out->own);
    return err == COF_OK ? cof_checksum_final(&in->sum, out->sum) : err;
}

void cof_s3_bound(const struct cof_s3_call *c, struct cof_buf *out)
{
    cof_buf_add_str(out, c->bucket);
    cof_buf_add_u8(out, '/');
    cof_buf_add(out, cof_buf_view(&c->key));
}

enum cof_err cof_s3_intake_close(
    struct cof_s3_intake *in, struct cof_s3_call *c, const struct cof_secret *kek, int n, struct cof_s3_segment *segment)
{
    uint8_t wrapped[COF_S3_WRAPPED];
    struct cof_buf bound;
    enum cof_err err;

    *segment = (struct cof_s3_segment){.n = n, .size = in->size};
    cof_buf_init(&bound, 8192);
    cof_s3_bound(c, &bound);
    err = cof_s3_wrap(cof_standin_rng(c->s), cof_s3_sse_kek(c->s, kek), cof_buf_view(&bound), &in->writer.key, wrapped);
    cof_buf_done(&bound);
    cof_hex_encode(wrapped, sizeof wrapped, segment->key);
    return err == COF_OK ? cof_s3_writer_close(&in->writer, &segment->blob) : err;
}

static void write_segment(const struct cof_s3_segment *segment, struct cof_buf *out)
{
    cof_buf_add_u8(out, '{');
    cof_json_add_member_int(out, "n", segment->n);
    cof_json_add_member_int(out, "size", (int64_t)segment->size);
    cof_json_add_member(out, "blob", cof_view_str(segment->blob.text));
    cof_json_add_member(out, "key", cof_view_of(segment->key, sizeof segment->key - 1));
    cof_buf_add_u8(out, '}');
}

json_t *cof_s3_base64(const uint8_t *bytes, size_t len)
{
    struct cof_buf text;
    json_t *out;

    cof_buf_init(&text, 256);
    cof_base64_add(&text, cof_view_of(bytes, len));
    out = json_string(cof_buf_cstr(&text));
    cof_buf_done(&text);
    return out;
}

/* Its MD5, or (SSE-KMS, SSE-C) 16 random bytes, as the service's is no digest then. */
static enum cof_err make_etag(struct cof_s3_call *c, const json_t *sse, const uint8_t md5[16], char out[static 40])
{
    uint8_t random[16];
    bool is_md5 = strcmp(cof_s3_text(sse, "mode"), "AES256") == 0;
    enum cof_err err = is_md5 ? COF_OK : cof_rng_fill(cof_standin_rng(c->s), random, sizeof random);

    cof_hex_encode(is_md5 ? md5 : random, 16, out);
    return err;
}

enum cof_err cof_s3_stored_init(struct cof_s3_stored *out, struct cof_s3_intake *in, struct cof_s3_call *c, const struct cof_secret *kek,
    const struct cof_s3_digests *d, const json_t *sse)
{
    enum cof_err err;

    *out = (struct cof_s3_stored){.modified_ms = c->req->now_ms, .sse = sse, .alg = in->sum.alg};
    cof_buf_init(&out->sum, 256);
    cof_base64_add(&out->sum, cof_view_of(d->sum, cof_checksum_size(in->sum.alg)));
    err = make_etag(c, sse, d->md5, out->etag);
    if (err == COF_OK)
        err = cof_s3_intake_close(in, c, kek, 1, &out->segment);
    return err == COF_OK ? cof_buf_err(&out->sum) : err;
}

void cof_s3_stored_done(struct cof_s3_stored *stored)
{
    cof_buf_done(&stored->sum);
}

enum cof_err cof_s3_stored_add(struct cof_s3_call *c, json_t *record, const struct cof_s3_stored *s)
{
    struct cof_buf members;
    enum cof_err err;

    cof_buf_init(&members, COF_STORE_VALUE_MAX);
    err = cof_buf_reserve(&members, 512);
    cof_json_add_member_int(&members, "size", (int64_t)s->segment.size);
    cof_json_add_member(&members, "etag", cof_view_str(s->etag));
    cof_json_add_member_int(&members, "modified", s->modified_ms);
    cof_json_add_name(&members, "sse");
    cof_json_add_value(&members, s->sse);
    cof_json_add_name(&members, "parts");
    cof_buf_add_u8(&members, '[');
    write_segment(&s->segment, &members);
    cof_buf_add_u8(&members, ']');
    cof_json_add_name(&members, "sum");
    cof_buf_add_u8(&members, '{');
    cof_json_add_member(&members, "alg", cof_view_str(cof_checksum_name(s->alg)));
    cof_json_add_member(&members, "value", cof_buf_view(&s->sum));
    cof_json_add_member(&members, "type", COF_LIT("FULL_OBJECT"));
    cof_buf_add_u8(&members, '}');
    if (err == COF_OK)
        err = cof_buf_err(&members);
    if (err == COF_OK)
        err = cof_s3_object_add(c, record, cof_buf_view(&members));
    cof_buf_done(&members);
    return err;
}

void cof_s3_stored_headers(struct cof_s3_call *c, const json_t *record, struct cof_s3_stored *s)
{
    cof_s3_put_headers(c, &(struct cof_s3_told){.etag = s->etag, .id = cof_s3_text(record, "id"), .sse = s->sse, .alg = s->alg,
        .sum = cof_buf_cstr(&s->sum), .type = "FULL_OBJECT"});
}

/* One PutObject or UploadPart in progress. */
struct upload {
    struct cof_s3_call call;
    struct cof_s3_intake intake;
    struct cof_s3_chunked chunked;
    struct cof_s3_sum promised;
    struct cof_s3_sse sse;
    json_t *record;  /* PutObject: the object to be; UploadPart: the upload */
    bool is_chunked, has_md5, is_part, has_length;
    int number;
    uint64_t length; /* of the object's bytes, as announced */
    uint8_t md5[16];
    enum cof_err err; /* the first failure of the body */
};

static void upload_done(void *ctx)
{
    struct upload *u = ctx;

    cof_s3_intake_done(&u->intake);
    cof_s3_chunked_done(&u->chunked);
    cof_s3_sse_done(&u->sse);
    json_decref(u->record);
    cof_s3_call_done(&u->call);
    free(u);
}

static enum cof_err upload_write(void *ctx, struct cof_view piece)
{
    struct upload *u = ctx;
    struct cof_view data;

    if (u->err != COF_OK)
        return u->err;
    if (!u->is_chunked)
        return u->err = cof_s3_intake_add(&u->intake, piece);
    while (u->err == COF_OK) {
        u->err = cof_s3_chunked_next(&u->chunked, &piece, &data);
        if (u->err == COF_OK && data.len > 0)
            u->err = cof_s3_intake_add(&u->intake, data);
    }
    if (u->err == COF_E_SHORT)
        u->err = COF_OK;
    return u->err;
}

static struct cof_md5_job *upload_md5(void *ctx)
{
    struct upload *u = ctx;

    return u->err == COF_OK ? cof_s3_intake_md5(&u->intake) : NULL;
}

static bool refuse(struct upload *u, int status, const char *code, const char *message)
{
    (void)cof_s3_fail(&u->call, status, code, message);
    return false;
}

/* The value that came as a trailer, where one was announced. */
static bool take_trailer(struct upload *u, const struct cof_headers *trailers)
{
    const struct cof_headers *from = u->is_chunked ? &u->chunked.trailers : trailers;
    char message[100];

    if (!u->promised.trailer && (from == NULL || from->n == 0))
        return true;
    if (!u->promised.trailer || from == NULL || from->n != 1 || !cof_headers_get(from, cof_s3_sum_header(u->promised.alg), &u->promised.value))
        return refuse(u, 400, "MalformedTrailerError",
            "The request contained trailing data that was not well-formed or did not conform to our published schema.");
    u->promised.value = cof_view_trim(u->promised.value);
    if (cof_s3_sum_value_ok(u->promised.alg, u->promised.value))
        return true;
    (void)snprintf(message, sizeof message, "Value for %s trailing header is invalid.", cof_s3_sum_header(u->promised.alg));
    return refuse(u, 400, "InvalidRequest", message);
}

/* Everything that was promised about the bytes. */
static bool check_digests(struct upload *u, const struct cof_s3_digests *d)
{
    const struct cof_auth *auth = u->call.req->auth;
    struct cof_buf text;
    bool good = true;

    if (u->has_length && u->intake.size != u->length)
        return refuse(u, 400, "IncompleteBody",
            "You did not provide the number of bytes specified by the Content-Length HTTP header");
    if (u->intake.sha256 != NULL && memcmp(d->sha256, auth->payload_hash, 32) != 0)
        return refuse(u, 400, "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.");
    if (u->has_md5 && memcmp(d->md5, u->md5, 16) != 0)
        return cof_s3_other_md5(&u->call, u->md5, d->md5, u->is_part) != COF_OK;
    if (u->promised.alg == COF_CHECKSUM_NONE)
        return true;
    cof_buf_init(&text, 256);
    cof_base64_add(&text, cof_view_of(d->sum, cof_checksum_size(u->promised.alg)));
    if (!cof_view_eq(cof_buf_view(&text), u->promised.value)) {
        cof_buf_reset(&text);
        cof_buf_printf(
            &text, "The %s you specified did not match the calculated checksum.", cof_checksum_name(u->promised.alg));
        good = refuse(u, 400, "BadDigest", cof_buf_cstr(&text));
    }
    cof_buf_done(&text);
    return good;
}

static enum cof_err end_object(struct upload *u, const struct cof_s3_digests *d)
{
    struct cof_s3_call *c = &u->call;
    struct cof_secret kek COF_SECRET_AUTO = {0};
    struct cof_s3_stored stored;
    json_t *sse = NULL;
    enum cof_err err;

    if (!cof_s3_put_conditions(c, &err) || !cof_s3_sse_begin(c, &u->sse, &sse, &kek, &err))
        return err;
    err = cof_s3_stored_init(&stored, &u->intake, c, &kek, d, sse);
    if (err == COF_OK)
        err = cof_s3_stored_add(c, u->record, &stored);
    if (err == COF_OK) {
        cof_reply_set(c->reply, 200, NULL, COF_LIT(""));
        cof_s3_stored_headers(c, u->record, &stored);
        if (cof_s3_versioning_of(c) == COF_S3_SUSPENDED) /* spec: a put tells no "null", as copies and completions do */
            cof_headers_remove(&c->reply->headers, "x-amz-version-id");
    }
    cof_s3_stored_done(&stored);
    json_decref(sse);
    return err;
}

static enum cof_err upload_end(
    void *ctx, struct cof_standin_request *req, const struct cof_headers *trailers, struct cof_standin_reply *reply)
{
    struct upload *u = ctx;
    struct cof_s3_digests digests;
    char extra[100];
    enum cof_err err;

    (void)req;
    (void)reply;
    if (u->err == COF_E_AUTH)
        return cof_s3_fail(&u->call, 403, "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.");
    if (u->err == COF_E_FORMAT && u->chunked.bad_size > 0) {
        (void)snprintf(extra, sizeof extra, "<Chunk>%llu</Chunk><BadChunkSize>%llu</BadChunkSize>", (unsigned long long)u->chunked.n,
            (unsigned long long)u->chunked.bad_size);
        return cof_s3_fail_with(&u->call, 403, "InvalidChunkSizeError",
            "Only the last chunk is allowed to have a size less than 8192 bytes", extra);
    }
    if (u->err == COF_E_FORMAT || (u->err == COF_OK && u->is_chunked && !u->chunked.ended))
        return cof_s3_fail(&u->call, 400, "IncompleteBody", "The request body terminated unexpectedly");
    if (u->err != COF_OK)
        return u->err;
    if (!take_trailer(u, trailers))
        return COF_OK;
    err = cof_s3_intake_digests(&u->intake, &digests);
    if (err != COF_OK || !check_digests(u, &digests))
        return err;
    if (!u->is_part)
        return end_object(u, &digests);
    return cof_s3_part_add(&u->call, u->record, &u->sse, u->number, &u->intake, &digests,
        u->promised.alg != COF_CHECKSUM_NONE);
}

/* Lengths: Content-Length, or what aws-chunked says is inside. */
static bool read_length(struct upload *u)
{
    const struct cof_http_head *head = u->call.req->head;
    struct cof_view decoded = cof_s3_header(&u->call, "x-amz-decoded-content-length");

    u->has_length = head->has_length;
    u->length = head->length;
    if (u->is_chunked) {
        if (cof_parse_u64(decoded, INT64_MAX, &u->length) != COF_OK)
            return refuse(u, 411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
        u->has_length = true;
    } else if (!head->has_length && !head->chunked) {
        u->has_length = true; /* no body at all: zero bytes */
        u->length = 0;
    } else if (!head->has_length) {
        return refuse(u, 411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
    }
    if (u->length > COF_S3_OBJECT_MAX)
        return refuse(u, 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
    return true;
}

static bool read_md5(struct upload *u)
{
    struct cof_view text = cof_s3_header(&u->call, "content-md5");
    struct cof_buf bytes;

    if (text.len == 0)
        return true;
    cof_buf_init(&bytes, 64);
    u->has_md5 = cof_base64_decode(text, &bytes) == COF_OK && bytes.len == sizeof u->md5;
    if (u->has_md5)
        memcpy(u->md5, bytes.data, sizeof u->md5);
    cof_buf_done(&bytes);
    return u->has_md5 || cof_s3_bad_md5(&u->call, text) != COF_OK;
}

static bool prepare_object(struct upload *u, enum cof_err *err)
{
    u->record = json_object();
    if (u->record == NULL) {
        *err = COF_E_MEMORY;
        return false;
    }
    return cof_s3_put_fields(&u->call, u->record, err) && cof_s3_sse_for_write(&u->call, &u->sse, err) &&
        cof_s3_put_conditions(&u->call, err);
}

static bool prepare(struct upload *u, enum cof_err *err)
{
    struct cof_s3_call *c = &u->call;
    const struct cof_auth *auth = c->req->auth;
    enum cof_checksum_alg alg;

    *err = COF_OK;
    u->is_part = cof_s3_has_param(c, "partNumber") || cof_s3_has_param(c, "uploadId");
    if (u->is_part && !cof_s3_has_param(c, "uploadId"))
        return cof_s3_bad_argument(c, "partNumber", cof_s3_param(c, "partNumber"),
                   "This operation does not accept partNumber without uploadId") != COF_OK;
    if (cof_headers_count(&c->req->head->headers, "x-amz-copy-source") > 0) /* an empty one: no copy, and no put either */
        return cof_s3_bad_argument(c, "x-amz-copy-source", COF_LIT("x-amz-copy-source"),
                   "Copy Source must mention the source bucket and key: sourcebucket/sourcekey") != COF_OK;
    if (cof_s3_header(c, "x-amz-write-offset-bytes").len > 0) { /* spec: appending is of directory buckets */
        (void)cof_s3_not_here(c, "x-amz-write-offset-bytes");
        return false;
    }
    u->is_chunked = auth->payload >= COF_PAYLOAD_CHUNKS_SIGNED;
    if (u->is_chunked && !auth->is_signed && auth->payload != COF_PAYLOAD_CHUNKS_TRAILER)
        return refuse(u, 403, "AccessDenied", "Access Denied");
    if (!cof_s3_allowed(c, "s3:PutObject", true, NULL, false, err) || !read_length(u) || !read_md5(u) ||
        !cof_s3_put_sum(c, &u->promised))
        return false;
    if (u->is_part ? !cof_s3_part_prepare(c, &u->record, &u->number, &u->sse, err) ||
                !cof_s3_part_sum_ok(c, u->record, u->promised.alg) :
                     !prepare_object(u, err))
        return false;
    alg = u->promised.alg;
    if (alg == COF_CHECKSUM_NONE)
        alg = u->is_part ? cof_checksum_named(cof_view_str(cof_s3_text(u->record, "sum_alg"))) : COF_CHECKSUM_CRC64NVME;
    *err = cof_s3_intake_init(&u->intake, c, alg, auth->payload == COF_PAYLOAD_HASH);
    /* spec: an upload that was begun without an algorithm ends with a CRC-64/NVME, whatever its parts come with */
    if (*err == COF_OK && u->is_part && !cof_s3_is(u->record, "sum_asked") && alg != COF_CHECKSUM_CRC64NVME)
        *err = cof_checksum_init(&u->intake.own, COF_CHECKSUM_CRC64NVME);
    /* Of SSE-KMS and SSE-C objects the ETag is no digest. */
    u->intake.no_md5 = !u->is_part && !u->has_md5 && u->sse.mode > COF_S3_SSE_S3;
    if (*err == COF_OK && u->has_length)
        *err = cof_s3_intake_expect(&u->intake, c, u->length);
    if (*err == COF_OK && u->is_chunked)
        *err = cof_s3_chunked_init(&u->chunked, auth);
    return *err == COF_OK;
}

enum cof_err cof_s3_put_stream(struct cof_s3_call *c, struct cof_standin_sink *sink)
{
    struct upload *u = calloc(1, sizeof *u);
    enum cof_err err;

    if (u == NULL)
        return COF_E_MEMORY;
    u->call = *c;
    *c = (struct cof_s3_call){0}; /* moved */
    if (!prepare(u, &err)) {
        upload_done(u);
        return err;
    }
    *sink = (struct cof_standin_sink){upload_write, upload_md5, upload_end, upload_done, u};
    return COF_OK;
}
