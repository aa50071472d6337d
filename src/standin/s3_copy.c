/* SPDX-License-Identifier: Apache-2.0
 *
 * CopyObject and UploadPartCopy: the source is read and decrypted, the copy encrypted afresh.
 */
#include "base/date.h"
#include "base/num.h"
#include "standin/s3_condition.h"
#include "standin/s3_find.h"
#include "standin/s3_get.h"
#include "standin/s3_multipart.h"
#include "standin/s3_put.h"
#include "standin/s3_record.h"

#include <stdio.h>
#include <string.h>

struct source {
    struct cof_s3_call call; /* the source's bucket and key; the same request and reply */
    struct cof_buf version_id;
    json_t *record;
    struct cof_secret kek;
};

static void source_done(struct source *src)
{
    cof_s3_call_done(&src->call);
    cof_buf_done(&src->version_id);
    cof_secret_done(&src->kek);
    json_decref(src->record);
}

static bool bad_source(struct cof_s3_call *c, const char *message)
{
    (void)cof_s3_bad_argument(c, "x-amz-copy-source", COF_LIT("x-amz-copy-source"), message);
    return false;
}

/* x-amz-copy-source: [/]BUCKET/KEY[?versionId=ID], percent-encoded. */
static bool source_address(struct cof_s3_call *c, struct source *src)
{
    struct cof_view text = cof_s3_header(c, "x-amz-copy-source"), query, bucket, key;
    const char *wrong = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
    struct cof_buf plain;
    bool good = false;

    src->call =
        (struct cof_s3_call){.s = c->s, .store = c->store, .req = c->req, .reply = c->reply, .level = COF_S3_OBJECT};
    cof_buf_init(&src->call.key, 4 * COF_S3_KEY_MAX);
    cof_buf_init(&src->call.scratch, COF_S3_SCRATCH_MAX);
    cof_buf_init(&src->call.policy, COF_POLICY_SIZE_MAX);
    cof_buf_init(&src->version_id, 128);
    cof_buf_init(&plain, 8192);
    if (cof_view_split(text, '?', &text, &query) && cof_query_has(query, "versionId") &&
        (cof_query_get(query, "versionId", &src->version_id) != COF_OK || src->version_id.len == 0)) {
        wrong = "Version id cannot be the empty string";
        goto out;
    }
    if (cof_uri_decode(text, false, &plain) != COF_OK) {
        wrong = "Invalid copy source encoding";
        goto out;
    }
    text = cof_buf_view(&plain);
    text = cof_view_sub(text, text.len > 0 && text.data[0] == '/' ? 1 : 0, SIZE_MAX);
    if (text.len > 0 && cof_view_find(text, '/') == SIZE_MAX)
        wrong = "Invalid copy source object key";
    if (!cof_view_split(text, '/', &bucket, &key) || key.len == 0 || key.len > COF_S3_KEY_MAX ||
        !cof_view_is_utf8(key) || cof_view_find(key, 0) != SIZE_MAX || !cof_s3_bucket_name_ok(bucket))
        goto out;
    memcpy(src->call.bucket, bucket.data, bucket.len);
    cof_buf_add(&src->call.key, key);
    src->call.version_id = cof_buf_view(&src->version_id);
    good = true;
out:
    cof_buf_done(&plain);
    return good || bad_source(c, wrong);
}

/* Finds and opens the source. False: reply or *err. */
static bool source_open(struct cof_s3_call *c, struct source *src, enum cof_err *err)
{
    struct cof_s3_sse sse = {.mode = COF_S3_SSE_NONE};
    bool good;

    *src = (struct source){.record = NULL};
    *err = COF_OK;
    if (!source_address(c, src) || !cof_s3_load_bucket(&src->call, err) ||
        !cof_s3_expected_owner(&src->call, "x-amz-source-expected-bucket-owner") ||
        !cof_s3_find_readable(&src->call, cof_buf_view(&src->version_id), &src->record, err))
        return false;
    if (cof_s3_is(src->record, "marker")) {
        (void)cof_s3_fail(c, 400, "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by version id.");
        return false;
    }
    good = cof_s3_is_at_hand(c, src->record) && cof_s3_copy_conditions(&src->call, src->record) && cof_s3_sse_for_read(&src->call, true, &sse) &&
        cof_s3_sse_open(&src->call, json_object_get(src->record, "sse"), &sse, &src->kek, err);
    cof_s3_sse_done(&sse);
    return good;
}

static enum cof_err pump(struct source *src, uint64_t offset, uint64_t len, struct cof_s3_intake *intake)
{
    struct cof_s3_body *body = NULL;
    struct cof_buf piece;
    enum cof_err err = cof_s3_body_new(&src->call, src->record, &src->kek, offset, len, &body);

    cof_buf_init_secret(&piece, (size_t)1 << 20);
    while (err == COF_OK) {
        cof_buf_reset(&piece);
        err = cof_s3_body_pull(body, COF_S3_CHUNK, &piece);
        if (err != COF_OK || piece.len == 0)
            break;
        err = cof_s3_intake_add(intake, cof_buf_view(&piece));
    }
    if (err == COF_OK && intake->size != len)
        err = COF_E_TRUNCATED;
    cof_buf_done(&piece);
    cof_s3_body_done(body);
    return err;
}

static void say_result(struct cof_s3_call *c, const char *root, const char *etag, int64_t modified_ms)
{
    cof_s3_xml_open(c, root);
    cof_s3_xml_date(&c->reply->body, "LastModified", modified_ms);
    cof_buf_printf(&c->reply->body, "<ETag>&quot;%s&quot;</ETag>", etag);
}

/* A copy tells its checksum in the body, where a put has headers. */
static void sums_into_body(struct cof_s3_call *c)
{
    struct cof_headers *h = &c->reply->headers;
    struct cof_view value;
    char name[40];

    for (enum cof_checksum_alg alg = COF_CHECKSUM_CRC32; alg <= COF_CHECKSUM_LAST; alg++) {
        if (!cof_headers_get(h, cof_s3_sum_header(alg), &value))
            continue;
        (void)snprintf(name, sizeof name, "Checksum%s", cof_checksum_name(alg));
        cof_xml_element(&c->reply->body, name, value);
        cof_headers_remove(h, cof_s3_sum_header(alg));
    }
    if (cof_headers_get(h, "x-amz-checksum-type", &value))
        cof_xml_element(&c->reply->body, "ChecksumType", value);
    cof_headers_remove(h, "x-amz-checksum-type");
}

static void say_source_version(struct cof_s3_call *c, const struct source *src)
{
    if (cof_s3_versioning_of(&src->call) != COF_S3_UNVERSIONED && strcmp(cof_s3_text(src->record, "id"), "null") != 0)
        cof_headers_set(&c->reply->headers, "x-amz-copy-source-version-id", cof_s3_text(src->record, "id"));
}

static bool directive_ok(struct cof_s3_call *c, const char *header, const char *message)
{
    struct cof_view given = cof_s3_header(c, header);

    if (given.len == 0 || cof_view_eq_str(given, "COPY") || cof_view_eq_str(given, "REPLACE"))
        return true;
    (void)cof_s3_bad_header(c, header, message);
    return false;
}

/* spec: CopyObject, "Permissions": tags that go along are read there and written here */
static bool may_copy_tags(struct cof_s3_call *c, struct source *src, const json_t *tags, enum cof_err *err)
{
    return cof_s3_allowed_too(&src->call, src->version_id.len > 0 ? "s3:GetObjectVersionTagging" : "s3:GetObjectTagging", tags, err) &&
        cof_s3_allowed_too(c, "s3:PutObjectTagging", NULL, err);
}

/* spec: a copy onto itself has to change something. Said anew, these do, whatever they say; and so does the encryption, where the
 * object's is not S3's own or the bucket's was set by somebody. */
static bool changes(const struct cof_s3_call *c, const struct source *src)
{
    return cof_s3_header(c, "x-amz-server-side-encryption").len > 0 ||
        cof_s3_header(c, "x-amz-server-side-encryption-customer-algorithm").len > 0 || cof_s3_header(c, "x-amz-storage-class").len > 0 ||
        cof_s3_header(c, "x-amz-website-redirect-location").len > 0 ||
        strcmp(cof_s3_text(json_object_get(src->record, "sse"), "mode"), "AES256") != 0 ||
        cof_s3_is(json_object_get(c->bucket_record, "encryption"), "stated");
}

/* spec: CopyObject, "x-amz-storage-class", "x-amz-website-redirect-location": of the request, never of the source */
static bool keep_own(struct cof_s3_call *c, json_t *record)
{
    static const char *const own[] = {"x-amz-storage-class", "x-amz-website-redirect-location"};
    json_t *head = json_copy(json_object_get(record, "head"));
    bool good = head != NULL;

    for (size_t i = 0; i < sizeof own / sizeof own[0] && good; i++) {
        struct cof_view value = cof_s3_header(c, own[i]);

        (void)json_object_del(head, own[i]);
        if (value.len > 0 && !cof_view_eq_str(value, "STANDARD"))
            good = json_object_set_new(head, own[i], cof_s3_string(value)) == 0;
    }
    good = good && json_object_set(record, "head", head) == 0;
    json_decref(head);
    return good;
}

/* Headers, metadata and tags: the source's, or the request's where a directive says REPLACE. */
static bool copy_fields(struct cof_s3_call *c, struct source *src, json_t *record, enum cof_err *err)
{
    bool replace = cof_view_eq_str(cof_s3_header(c, "x-amz-metadata-directive"), "REPLACE");
    bool replace_tags = cof_view_eq_str(cof_s3_header(c, "x-amz-tagging-directive"), "REPLACE");
    bool same =
        strcmp(c->bucket, src->call.bucket) == 0 && cof_view_eq(cof_buf_view(&c->key), cof_buf_view(&src->call.key));
    json_t *tags = json_object_get(src->record, "tags");

    if (same && !replace && src->version_id.len == 0 && !changes(c, src)) {
        (void)cof_s3_fail(c, 400, "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.");
        return false;
    }
    if (!cof_s3_put_fields(c, record, err))
        return false;
    if (!replace_tags && json_object_size(tags) > 0 && !may_copy_tags(c, src, tags, err))
        return false;
    /* The source's record may be others' too. */
    if (!replace && (json_object_set_new(record, "head", json_deep_copy(json_object_get(src->record, "head"))) != 0 || !keep_own(c, record) ||
                     json_object_set_new(record, "meta", json_deep_copy(json_object_get(src->record, "meta"))) != 0))
        *err = COF_E_MEMORY;
    if (!replace_tags && tags != NULL && json_object_set_new(record, "tags", json_deep_copy(tags)) != 0)
        *err = COF_E_MEMORY;
    return *err == COF_OK;
}

static enum cof_err store_copy(
    struct cof_s3_call *c, struct source *src, json_t *record, const struct cof_s3_sse *sse, struct cof_s3_stored *stored, json_t **sse_record)
{
    const json_t *old_sum = json_object_get(src->record, "sum");
    struct cof_view named = cof_s3_header(c, "x-amz-checksum-algorithm");
    enum cof_checksum_alg alg = cof_checksum_named(named.len > 0 ? named : cof_view_str(cof_s3_text(old_sum, "alg")));
    struct cof_secret kek COF_SECRET_AUTO = {0};
    struct cof_s3_intake intake = {.size = 0};
    struct cof_s3_digests d;
    enum cof_err err;

    if (!cof_s3_sse_begin(c, sse, sse_record, &kek, &err))
        return err;
    err = cof_s3_intake_init(&intake, c, alg == COF_CHECKSUM_NONE ? COF_CHECKSUM_CRC64NVME : alg, false);
    if (err == COF_OK)
        err = cof_s3_intake_expect(&intake, c, (uint64_t)cof_s3_int(src->record, "size"));
    if (err == COF_OK)
        err = pump(src, 0, (uint64_t)cof_s3_int(src->record, "size"), &intake);
    if (err == COF_OK)
        err = cof_s3_intake_digests(&intake, &d);
    if (err == COF_OK)
        err = cof_s3_stored_init(stored, &intake, c, &kek, &d, *sse_record);
    if (err == COF_OK)
        err = cof_s3_stored_add(c, record, stored);
    cof_s3_intake_done(&intake);
    return err;
}

enum cof_err cof_s3_copy_object(struct cof_s3_call *c)
{
    struct cof_s3_sse sse = {.mode = COF_S3_SSE_NONE};
    struct source src = {.record = NULL};
    struct cof_s3_stored stored = {.modified_ms = 0};
    json_t *record = json_object(), *sse_record = NULL;
    enum cof_err err = COF_OK;

    if (!cof_s3_allowed(c, "s3:PutObject", true, NULL, false, &err) ||
        !directive_ok(c, "x-amz-metadata-directive", "Unknown metadata directive.") ||
        !directive_ok(c, "x-amz-tagging-directive", "Unknown tagging directive.") || !source_open(c, &src, &err) ||
        !copy_fields(c, &src, record, &err) || !cof_s3_sse_for_write(c, &sse, &err) || !cof_s3_put_conditions(c, &err))
        goto out;
    if ((uint64_t)cof_s3_int(src.record, "size") > COF_S3_OBJECT_MAX) {
        err = cof_s3_fail(c, 400, "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120");
        goto out;
    }
    err = store_copy(c, &src, record, &sse, &stored, &sse_record);
    if (err != COF_OK || c->reply->status != 0)
        goto out;
    say_result(c, "CopyObjectResult", stored.etag, stored.modified_ms);
    cof_s3_stored_headers(c, record, &stored);
    cof_headers_remove(&c->reply->headers, "ETag");
    sums_into_body(c);
    say_source_version(c, &src);
    err = cof_s3_xml_close(c, "CopyObjectResult");
out:
    cof_s3_stored_done(&stored);
    cof_s3_sse_done(&sse);
    source_done(&src);
    json_decref(record);
    json_decref(sse_record);
    return err;
}

/* x-amz-copy-source-range: bytes=a-b, both ends, within the object. */
static bool part_range(struct cof_s3_call *c, uint64_t size, uint64_t *first, uint64_t *len)
{
    struct cof_view text = cof_s3_header(c, "x-amz-copy-source-range"), a, b;
    uint64_t last;

    *first = 0;
    *len = size;
    if (text.len == 0)
        return true;
    if (!cof_view_starts(text, COF_LIT("bytes=")) || !cof_view_split(cof_view_sub(text, 6, SIZE_MAX), '-', &a, &b) ||
        cof_parse_u64_padded(a, INT64_MAX, first) != COF_OK || cof_parse_u64_padded(b, INT64_MAX, &last) != COF_OK ||
        last < *first) {
        (void)cof_s3_bad_header(c, "x-amz-copy-source-range",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy");
        return false;
    }
    if (*first >= size) {
        (void)cof_s3_fail(c, 400, "InvalidRequest", "The specified copy range is invalid for the source object size");
        return false;
    }
    if (last >= size) {
        char message[100];

        (void)snprintf(message, sizeof message, "Range specified is not valid for source object of size: %llu",
            (unsigned long long)size);
        (void)cof_s3_bad_header(c, "x-amz-copy-source-range", message);
        return false;
    }
    *len = last - *first + 1;
    return true;
}

enum cof_err cof_s3_copy_part(struct cof_s3_call *c)
{
    struct cof_s3_sse sse = {.mode = COF_S3_SSE_NONE};
    struct cof_s3_intake intake = {.size = 0};
    struct source src = {.record = NULL};
    struct cof_s3_digests d;
    json_t *upload = NULL;
    uint64_t first, len;
    char etag[40];
    int number;
    enum cof_err err = COF_OK;

    if (!cof_s3_allowed(c, "s3:PutObject", true, NULL, false, &err) ||
        !cof_s3_part_prepare(c, &upload, &number, &sse, &err) || !source_open(c, &src, &err) ||
        !part_range(c, (uint64_t)cof_s3_int(src.record, "size"), &first, &len))
        goto out;
    err = cof_s3_intake_init(&intake, c, cof_checksum_named(cof_view_str(cof_s3_text(upload, "sum_alg"))), false);
    if (err == COF_OK)
        err = cof_s3_intake_expect(&intake, c, len);
    if (err == COF_OK)
        err = pump(&src, first, len, &intake);
    if (err == COF_OK)
        err = cof_s3_intake_digests(&intake, &d);
    if (err == COF_OK)
        err = cof_s3_part_add(c, upload, &sse, number, &intake, &d, true);
    if (err != COF_OK || c->reply->status >= 400)
        goto out;
    {
        struct cof_view quoted;

        (void)cof_headers_get(&c->reply->headers, "ETag", &quoted);
        (void)snprintf(
            etag, sizeof etag, "%.*s", quoted.len >= 2 ? (int)quoted.len - 2 : 0, (const char *)quoted.data + 1);
    }
    cof_headers_remove(&c->reply->headers, "ETag");
    say_result(c, "CopyPartResult", etag, c->req->now_ms);
    if (cof_s3_is(upload, "sum_asked"))
        sums_into_body(c);
    say_source_version(c, &src);
    err = cof_s3_xml_close(c, "CopyPartResult");
out:
    cof_s3_intake_done(&intake);
    cof_s3_sse_done(&sse);
    source_done(&src);
    json_decref(upload);
    return err;
}
