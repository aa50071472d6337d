/* SPDX-License-Identifier: Apache-2.0
 *
 * GetObject and HeadObject: which version, whether the caller's copy is fresh, which bytes, and the bytes themselves.
 */
#include "base/codec.h"
#include "base/date.h"
#include "base/num.h"
#include "standin/s3_condition.h"
#include "standin/s3_crypt.h"
#include "standin/s3_find.h"
#include "standin/s3_get.h"
#include "standin/s3_lock.h"
#include "standin/s3_put.h"
#include "standin/s3_record.h"
#include "standin/s3_upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cof_s3_body {
    struct cof_standin *s;
    const struct cof_store *store;
    json_t *parts; /* the segments */
    struct cof_secret kek;
    struct cof_buf bound;
    struct cof_s3_reader reader;
    bool has_reader;
    size_t part;      /* the segment being read */
    uint64_t offset;  /* in it */
    uint64_t left;    /* bytes to give in all */
    size_t held_from, held_to; /* the segments to come, which stay though the object be replaced meanwhile */
};

static struct cof_blob_id blob_of(const struct cof_s3_body *b, size_t part)
{
    const char *text = cof_s3_text(json_array_get(b->parts, part), "blob");
    struct cof_blob_id id = {{0}};

    memcpy(id.text, text, strnlen(text, sizeof id.text - 1));
    return id;
}

/* Lets go of the segments before that one. */
static void let_go(struct cof_s3_body *b, size_t before)
{
    for (; b->held_from < b->held_to && b->held_from < before; b->held_from++) {
        struct cof_blob_id id = blob_of(b, b->held_from);

        b->store->blob_let_go(b->store->ctx, &id);
    }
}

/* Holds the segments from the one after the first on in which the wanted bytes lie. */
static enum cof_err hold_rest(struct cof_s3_body *b)
{
    uint64_t from_here = (uint64_t)cof_s3_int(json_array_get(b->parts, b->part), "size") - b->offset;
    enum cof_err err = COF_OK;

    b->held_from = b->held_to = b->part + 1;
    while (err == COF_OK && from_here < b->left && b->held_to < json_array_size(b->parts)) {
        struct cof_blob_id id = blob_of(b, b->held_to);

        err = b->store->blob_hold(b->store->ctx, &id);
        if (err == COF_OK)
            from_here += (uint64_t)cof_s3_int(json_array_get(b->parts, b->held_to++), "size");
    }
    return err;
}

static enum cof_err open_part(struct cof_s3_body *b)
{
    const json_t *segment = json_array_get(b->parts, b->part);
    struct cof_secret key COF_SECRET_AUTO = {0};
    uint8_t wrapped[COF_S3_WRAPPED];
    struct cof_blob_id id = blob_of(b, b->part);
    enum cof_err err;

    if (segment == NULL)
        return COF_E_TRUNCATED;
    err = cof_hex_decode_fixed(cof_view_str(cof_s3_text(segment, "key")), wrapped, sizeof wrapped);
    if (err == COF_OK)
        err = cof_s3_unwrap(cof_s3_sse_kek(b->s, &b->kek), cof_buf_view(&b->bound), wrapped, &key);
    if (err == COF_OK)
        err = cof_s3_reader_init(&b->reader, b->store, &key, &id, (uint64_t)cof_s3_int(segment, "size"));
    b->has_reader = err == COF_OK;
    let_go(b, b->part + 1); /* an open one stays by itself */
    return err;
}

static void close_part(struct cof_s3_body *b)
{
    if (b->has_reader)
        cof_s3_reader_done(&b->reader);
    b->has_reader = false;
}

/* Opens the segment that the next byte lies in. */
static enum cof_err go_on(struct cof_s3_body *b)
{
    uint64_t size;

    while (b->offset >= (size = (uint64_t)cof_s3_int(json_array_get(b->parts, b->part), "size"))) {
        close_part(b);
        b->offset -= size;
        b->part++;
        if (b->part >= json_array_size(b->parts))
            return COF_E_TRUNCATED;
    }
    return b->has_reader ? COF_OK : open_part(b);
}

enum cof_err cof_s3_body_pull(void *ctx, size_t want, struct cof_buf *out)
{
    struct cof_s3_body *b = ctx;
    size_t start = out->len;
    enum cof_err err = COF_OK;

    while (err == COF_OK && b->left > 0 && out->len - start < want) {
        size_t before = out->len;

        err = go_on(b);
        if (err == COF_OK)
            err = cof_s3_reader_read(&b->reader, b->offset, b->left > SIZE_MAX ? SIZE_MAX : (size_t)b->left, out);
        b->offset += out->len - before;
        b->left -= out->len - before;
    }
    return err;
}

void cof_s3_body_done(void *ctx)
{
    struct cof_s3_body *b = ctx;

    if (b == NULL)
        return;
    close_part(b);
    let_go(b, SIZE_MAX);
    cof_secret_done(&b->kek);
    cof_buf_done(&b->bound);
    json_decref(b->parts);
    free(b);
}

enum cof_err cof_s3_body_new(struct cof_s3_call *c, const json_t *record, const struct cof_secret *kek, uint64_t offset,
    uint64_t len, struct cof_s3_body **out)
{
    struct cof_s3_body *b = calloc(1, sizeof *b);
    enum cof_err err;

    *out = NULL;
    if (b == NULL)
        return COF_E_MEMORY;
    b->s = c->s;
    b->store = c->store;
    b->parts = json_incref(json_object_get(record, "parts"));
    b->kek = *kek;
    cof_buf_init(&b->bound, 8192);
    cof_s3_bound(c, &b->bound);
    b->offset = offset;
    b->left = len;
    *out = b;
    err = cof_buf_err(&b->bound);
    if (err == COF_OK && len > 0)
        err = go_on(b); /* open now: by the time it is read, the object may be another */
    return err == COF_OK && len > 0 ? hold_rest(b) : err;
}

/* "bytes=a-b" within size: 206 and the span, 416, or 200 when it is no single byte range. */
static int parse_range(struct cof_view text, uint64_t size, uint64_t *first, uint64_t *len)
{
    struct cof_view a, b;
    uint64_t from, to = size == 0 ? 0 : size - 1;

    *first = 0;
    *len = size;
    if (!cof_view_starts(text, COF_LIT("bytes=")) || !cof_view_split(cof_view_sub(text, 6, SIZE_MAX), '-', &a, &b) ||
        (a.len == 0 && b.len == 0))
        return 200;
    if (a.len == 0) { /* the last n bytes */
        if (cof_parse_u64_padded(b, UINT64_MAX, &from) != COF_OK)
            return 200;
        if (from == 0 || size == 0)
            return 416;
        *len = from > size ? size : from;
        *first = size - *len;
        return 206;
    }
    if (cof_parse_u64_padded(a, UINT64_MAX, &from) != COF_OK ||
        (b.len > 0 && cof_parse_u64_padded(b, UINT64_MAX, &to) != COF_OK))
        return 200;
    if (b.len > 0 && to < from)
        return 200;
    if (from >= size)
        return 416;
    to = to >= size ? size - 1 : to;
    *first = from;
    *len = to - from + 1;
    return 206;
}

/* ?partNumber=n: where that part lies. */
static int part_span(struct cof_s3_call *c, const json_t *record, uint64_t *part, uint64_t *first, uint64_t *len)
{
    const json_t *parts = json_object_get(record, "parts");
    uint64_t number;

    *first = 0;
    if (cof_parse_u64(cof_s3_param(c, "partNumber"), COF_S3_PARTS_MAX, &number) != COF_OK || number == 0)
        return 400;
    *part = number;
    if (number > json_array_size(parts))
        return 416;
    for (size_t i = 0; i < number - 1; i++)
        *first += (uint64_t)cof_s3_int(json_array_get(parts, i), "size");
    *len = (uint64_t)cof_s3_int(json_array_get(parts, number - 1), "size");
    return 206;
}

static const struct { const char *param, *header; } overrides[] = {
    {"response-content-type", "content-type"}, {"response-content-language", "content-language"},
    {"response-expires", "expires"}, {"response-cache-control", "cache-control"},
    {"response-content-disposition", "content-disposition"}, {"response-content-encoding", "content-encoding"}};

static bool overrides_asked(const struct cof_s3_call *c)
{
    for (size_t i = 0; i < sizeof overrides / sizeof overrides[0]; i++)
        if (cof_s3_has_param(c, overrides[i].param))
            return true;
    return false;
}

static void give_back(struct cof_s3_call *c, const json_t *record)
{
    struct cof_headers *h = &c->reply->headers;
    char name[300];
    const char *key;
    json_t *value;

    json_object_foreach(json_object_get(record, "head"), key, value)
        cof_headers_set(h, key, json_string_value(value));
    json_object_foreach(json_object_get(record, "meta"), key, value) {
        (void)snprintf(name, sizeof name, "x-amz-meta-%s", key);
        cof_headers_set(h, name, json_string_value(value));
    }
    for (size_t i = 0; i < sizeof overrides / sizeof overrides[0]; i++) {
        struct cof_view text = cof_s3_param(c, overrides[i].param);

        if (text.len == 0)
            continue;
        cof_headers_remove(h, overrides[i].header);
        cof_headers_add(h, cof_view_str(overrides[i].header), text);
    }
}

/* spec: the checksum of one part is told where all are of parts; with Ceph, always */
static bool tells_parts(const struct cof_s3_call *c, const json_t *record)
{
    bool as_ceph;

    return cof_s3_is(record, "part_sums") || (cof_s3_setting(c->store, "as_ceph", &as_ceph) == COF_OK && as_ceph);
}

/* The checksum of what is sent: the object's, or that of the one part asked for. */
static void set_sum(struct cof_s3_call *c, const json_t *record, uint64_t part)
{
    const json_t *sum, *from;
    const char *alg, *value;
    bool of_part;

    if (!cof_view_eq_nocase(cof_s3_header(c, "x-amz-checksum-mode"), COF_LIT("ENABLED")))
        return;
    sum = json_object_get(record, "sum");
    of_part = part > 0 && cof_s3_is(record, "multipart");
    from = of_part ? json_array_get(json_object_get(record, "parts"), part - 1) : sum;
    alg = cof_s3_text(from, "alg");
    value = cof_s3_text(from, of_part ? "sum" : "value");
    if (sum == NULL || value[0] == '\0' || (of_part && !tells_parts(c, record)))
        return;
    cof_headers_set(&c->reply->headers, cof_s3_sum_header(cof_checksum_named(cof_view_str(alg))), value);
    cof_headers_set(&c->reply->headers, "x-amz-checksum-type", cof_s3_text(sum, "type"));
}

/* part: the number asked for, or 0; whole: no mere range of bytes. */
static void set_headers(struct cof_s3_call *c, const json_t *record, bool whole, uint64_t part)
{
    struct cof_headers *h = &c->reply->headers;
    const json_t *tags = json_object_get(record, "tags");
    char text[COF_DATE_MAX], etag[80];

    give_back(c, record);
    cof_s3_etag(record, etag);
    cof_headers_set(h, "ETag", etag);
    cof_date_http(cof_s3_int(record, "modified"), text);
    cof_headers_set(h, "Last-Modified", text);
    cof_headers_set(h, "Accept-Ranges", "bytes");
    if (cof_s3_versioning_of(c) != COF_S3_UNVERSIONED)
        cof_headers_set(h, "x-amz-version-id", cof_s3_text(record, "id"));
    if (json_object_size(tags) > 0) {
        (void)snprintf(text, sizeof text, "%zu", json_object_size(tags));
        cof_headers_set(h, "x-amz-tagging-count", text);
    }
    cof_s3_sse_headers(c, json_object_get(record, "sse"));
    cof_s3_lock_headers(c, record);
    if (whole || part > 0)
        set_sum(c, record, part);
    if (part > 0 && cof_s3_is(record, "multipart")) {
        (void)snprintf(text, sizeof text, "%zu", json_array_size(json_object_get(record, "parts")));
        cof_headers_set(h, "x-amz-mp-parts-count", text);
    }
}

bool cof_s3_is_at_hand(struct cof_s3_call *c, const json_t *record)
{
    const char *name = cof_s3_storage_class(record);
    char extra[80];

    if (strcmp(name, "GLACIER") != 0 && strcmp(name, "DEEP_ARCHIVE") != 0)
        return true;
    (void)snprintf(extra, sizeof extra, "<StorageClass>%s</StorageClass>", name);
    (void)cof_s3_fail_with(
        c, 403, "InvalidObjectState", "The operation is not valid for the object's storage class", extra);
    return false;
}

static enum cof_err not_found(struct cof_s3_call *c)
{
    json_t *newest = NULL;
    enum cof_err err = c->reply->status == 404 ? cof_s3_object_newest(c, &newest) : COF_OK;

    if (newest != NULL && cof_s3_is(newest, "marker")) {
        cof_headers_set(&c->reply->headers, "x-amz-delete-marker", "true");
        cof_headers_set(&c->reply->headers, "x-amz-version-id", cof_s3_text(newest, "id"));
    }
    json_decref(newest);
    return err == COF_E_NOT_FOUND ? COF_OK : err;
}

static enum cof_err out_of_range(struct cof_s3_call *c, uint64_t size)
{
    struct cof_s3_detail details[] = {{"RangeRequested", cof_s3_header(c, "range")}, {"ActualObjectSize", {NULL, 0}}};
    char actual[24], range[40];
    enum cof_err err;

    (void)snprintf(actual, sizeof actual, "%llu", (unsigned long long)size);
    (void)snprintf(range, sizeof range, "bytes */%llu", (unsigned long long)size);
    details[1].value = cof_view_str(actual);
    err = cof_s3_fail_of(c, 416, "InvalidRange", "The requested range is not satisfiable", details, 2);
    cof_headers_set(&c->reply->headers, "Content-Range", range);
    return err;
}

static enum cof_err no_part(struct cof_s3_call *c, const json_t *record)
{
    struct cof_s3_detail details[] = {{"PartNumberRequested", cof_s3_param(c, "partNumber")}, {"ActualPartCount", {NULL, 0}}};
    char count[24];
    bool as_ceph;
    enum cof_err err = cof_s3_setting(c->store, "as_ceph", &as_ceph);

    if (err != COF_OK)
        return err;
    if (as_ceph)
        return cof_s3_fail(c, 400, "InvalidPart", "The part asked for is not there.");
    (void)snprintf(count, sizeof count, "%zu", json_array_size(json_object_get(record, "parts")));
    details[1].value = cof_view_str(count);
    return cof_s3_fail_of(c, 416, "InvalidPartNumber", "The requested partnumber is not satisfiable", details, 2);
}

static enum cof_err send(struct cof_s3_call *c, const json_t *record, const struct cof_secret *kek, bool with_body)
{
    uint64_t size = (uint64_t)cof_s3_int(record, "size"), first = 0, len = size, part = 0;
    struct cof_view range = cof_s3_header(c, "range"), if_range = cof_s3_header(c, "if-range");
    struct cof_s3_body *body = NULL;
    char text[100];
    int status = 200;
    enum cof_err err;

    if (range.len > 0 && cof_s3_has_param(c, "partNumber"))
        return cof_s3_fail(
            c, 400, "InvalidRequest", "Cannot specify both Range header and partNumber query parameter");
    if (if_range.len > 0 && !cof_s3_etag_listed(if_range, cof_s3_text(record, "etag")))
        range.len = 0;
    if (cof_s3_has_param(c, "partNumber"))
        status = part_span(c, record, &part, &first, &len);
    else if (range.len > 0)
        status = parse_range(range, size, &first, &len);
    if (status == 400)
        return cof_s3_bad_argument(
            c, "partNumber", cof_s3_param(c, "partNumber"), "Part number must be an integer between 1 and 10000, inclusive");
    if (status == 416 && part > 0)
        return no_part(c, record);
    if (status == 416)
        return out_of_range(c, size);
    c->reply->status = status;
    set_headers(c, record, len == size, part);
    if (status == 206 && size > 0) {
        (void)snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)first,
            (unsigned long long)(first + len - 1), (unsigned long long)size);
        cof_headers_set(&c->reply->headers, "Content-Range", text);
    }
    if (!with_body) {
        c->reply->has_head_length = true;
        c->reply->head_length = len;
        return COF_OK;
    }
    err = cof_s3_body_new(c, record, kek, first, len, &body);
    if (body != NULL)
        c->reply->stream = (struct cof_standin_stream){len, cof_s3_body_pull, cof_s3_body_done, body};
    return err;
}

static enum cof_err get(struct cof_s3_call *c, bool with_body)
{
    struct cof_secret kek COF_SECRET_AUTO = {0};
    struct cof_s3_sse sse = {.mode = COF_S3_SSE_NONE};
    struct cof_view version_id = cof_s3_param(c, "versionId");
    json_t *record = NULL;
    char id[64], date[COF_DATE_MAX];
    const char *which;
    enum cof_err err;
    int fresh;

    if (!c->req->auth->is_signed && overrides_asked(c))
        return cof_s3_fail(c, 400, "InvalidRequest",
            "Request specific response headers cannot be used for anonymous GET requests.");
    if (cof_s3_has_param(c, "versionId") && version_id.len == 0)
        return cof_s3_bad_argument(c, "versionId", COF_LIT(""), "Version id cannot be the empty string");
    if (!cof_s3_find_readable(c, version_id, &record, &err)) {
        json_decref(record);
        return err == COF_OK && version_id.len == 0 ? not_found(c) : err;
    }
    if (cof_s3_is(record, "marker")) {
        (void)snprintf(id, sizeof id, "%s", cof_s3_text(record, "id"));
        err = cof_s3_is_marker(c);
        cof_headers_set(&c->reply->headers, "x-amz-delete-marker", "true");
        cof_headers_set(&c->reply->headers, "x-amz-version-id", id);
        cof_date_http(cof_s3_int(record, "modified"), date);
        cof_headers_set(&c->reply->headers, "Last-Modified", date);
        cof_headers_set(&c->reply->headers, "Allow", "DELETE");
        goto out;
    }
    err = COF_OK;
    if (cof_s3_header(c, "x-amz-server-side-encryption").len > 0) {
        err = cof_s3_bad_header(c, "x-amz-server-side-encryption",
            "x-amz-server-side-encryption header is not supported for this operation.");
        goto out;
    }
    if (!cof_s3_sse_for_read(c, false, &sse) ||
        !(with_body || cof_s3_header(c, "x-amz-checksum-mode").len > 0 ?
                cof_s3_sse_open(c, json_object_get(record, "sse"), &sse, &kek, &err) :
                cof_s3_sse_check(c, json_object_get(record, "sse"), &sse, &err)) ||
        (with_body && !cof_s3_is_at_hand(c, record)))
        goto out;
    fresh = cof_s3_read_conditions(c, "", record, &which);
    if (fresh == 412)
        err = cof_s3_precondition_failed(c, which);
    else if (fresh == 304) {
        set_headers(c, record, false, 0);
        cof_headers_remove(&c->reply->headers, "content-type");
        c->reply->status = 304;
    } else {
        err = send(c, record, &kek, with_body);
    }
out:
    cof_s3_sse_done(&sse);
    json_decref(record);
    return err;
}

enum cof_err cof_s3_get_object(struct cof_s3_call *c)
{
    return get(c, true);
}

enum cof_err cof_s3_head_object(struct cof_s3_call *c)
{
    return get(c, false);
}
