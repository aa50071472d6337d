/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_multipart.h"

#include "base/codec.h"
#include "base/num.h"
#include "format/xml.h"
#include "standin/s3_condition.h"
#include "standin/s3_put.h"
#include "standin/s3_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void upload_key(struct cof_s3_call *c, struct cof_view id, struct cof_buf *out)
{
    cof_buf_init(out, COF_STORE_KEY_MAX);
    cof_s3_key_of3(out, c->bucket, cof_buf_view(&c->key), id);
}

static void part_key(const char *upload, int number, char out[static 80])
{
    (void)snprintf(out, 80, "%s|%05d", upload, number);
}

static bool load_upload(struct cof_s3_call *c, json_t **out, enum cof_err *err)
{
    struct cof_view id = cof_s3_param(c, "uploadId");
    struct cof_buf key;

    *out = NULL;
    *err = COF_E_NOT_FOUND;
    if (id.len > 0 && id.len <= 64 && cof_view_find(id, 0) == SIZE_MAX) {
        upload_key(c, id, &key);
        *err = cof_s3_load(c->store, "s3.upload", cof_buf_view(&key), out);
        cof_buf_done(&key);
    }
    if (*err == COF_E_NOT_FOUND)
        *err = cof_s3_fail(c, 404, "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
            "completed.");
    return *out != NULL;
}

/* COMPOSITE for digests; CRC-64/NVME is always of the full object; the two other CRCs are composite unless asked. */
static bool sum_type(struct cof_s3_call *c, enum cof_checksum_alg alg, const char **type)
{
    struct cof_view asked = cof_s3_header(c, "x-amz-checksum-type");
    bool full = cof_view_eq_str(asked, "FULL_OBJECT"), composite = cof_view_eq_str(asked, "COMPOSITE");

    *type = alg == COF_CHECKSUM_CRC64NVME || (full && cof_checksum_is_crc(alg)) ? "FULL_OBJECT" : "COMPOSITE";
    if ((asked.len > 0 && !full && !composite) || (full && !cof_checksum_is_crc(alg)) ||
        (composite && alg == COF_CHECKSUM_CRC64NVME)) {
        (void)cof_s3_fail(c, 400, "InvalidRequest", "The checksum type cannot be used with that checksum algorithm.");
        return false;
    }
    return true;
}

static bool new_upload_id(struct cof_s3_call *c, char out[33], enum cof_err *err)
{
    uint8_t random[16];

    *err = cof_rng_fill(cof_standin_rng(c->s), random, sizeof random);
    cof_hex_encode(random, sizeof random, out);
    return *err == COF_OK;
}

enum cof_err cof_s3_create_upload(struct cof_s3_call *c)
{
    struct cof_view named = cof_s3_header(c, "x-amz-checksum-algorithm");
    enum cof_checksum_alg alg = named.len == 0 ? COF_CHECKSUM_CRC64NVME : cof_checksum_named(named);
    struct cof_secret kek COF_SECRET_AUTO = {0};
    struct cof_s3_sse sse = {.mode = COF_S3_SSE_NONE};
    json_t *record = json_object(), *sse_record = NULL;
    struct cof_buf key;
    const char *type;
    char id[33];
    enum cof_err err = record == NULL ? COF_E_MEMORY : COF_OK;

    cof_buf_init(&key, 1);
    if (err != COF_OK || !cof_s3_allowed(c, "s3:PutObject", true, NULL, false, &err))
        goto out;
    if (alg == COF_CHECKSUM_NONE) {
        err = cof_s3_fail(c, 400, "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, "
            "CRC64NVME, SHA1, SHA256]");
        goto out;
    }
    if (!sum_type(c, alg, &type) || !cof_s3_put_fields(c, record, &err) || !cof_s3_sse_for_write(c, &sse, &err) ||
        !cof_s3_sse_begin(c, &sse, &sse_record, &kek, &err) || !new_upload_id(c, id, &err))
        goto out;
    if (json_object_update_new(record,
            json_pack("{s:s, s:I, s:O, s:s, s:s, s:b}", "upload", id, "created", (json_int_t)c->req->now_ms, "sse",
                sse_record, "sum_alg", cof_checksum_name(alg), "sum_type", type, "sum_asked", named.len > 0)) != 0) {
        err = COF_E_MEMORY;
        goto out;
    }
    upload_key(c, cof_view_str(id), &key);
    err = cof_s3_save(c->store, "s3.upload", cof_buf_view(&key), record);
    if (err != COF_OK)
        goto out;
    cof_s3_xml_open(c, "InitiateMultipartUploadResult");
    cof_xml_element(&c->reply->body, "Bucket", cof_view_str(c->bucket));
    cof_xml_element(&c->reply->body, "Key", cof_buf_view(&c->key));
    cof_xml_element(&c->reply->body, "UploadId", cof_view_str(id));
    cof_s3_sse_headers(c, sse_record);
    if (named.len > 0) {
        cof_headers_set(&c->reply->headers, "x-amz-checksum-algorithm", cof_checksum_name(alg));
        cof_headers_set(&c->reply->headers, "x-amz-checksum-type", type);
    }
    err = cof_s3_xml_close(c, "InitiateMultipartUploadResult");
out:
    cof_buf_done(&key);
    cof_s3_sse_done(&sse);
    json_decref(sse_record);
    json_decref(record);
    return err;
}

bool cof_s3_part_prepare(struct cof_s3_call *c, json_t **upload, int *number, struct cof_s3_sse *sse, enum cof_err *err)
{
    uint64_t n;
    bool customer;

    *err = COF_OK;
    if (cof_parse_u64(cof_s3_param(c, "partNumber"), COF_S3_PARTS_MAX, &n) != COF_OK || n == 0) {
        (void)cof_s3_fail(c, 400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
        return false;
    }
    *number = (int)n;
    if (!load_upload(c, upload, err) || !cof_s3_sse_for_read(c, false, sse))
        return false;
    customer = strcmp(cof_s3_text(json_object_get(*upload, "sse"), "mode"), "SSE-C") == 0;
    if (customer && sse->mode != COF_S3_SSE_C) {
        (void)cof_s3_fail(c, 400, "InvalidRequest",
            "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate "
            "encryption parameters.");
        return false;
    }
    if (!customer && sse->mode == COF_S3_SSE_C) {
        (void)cof_s3_fail(c, 400, "InvalidRequest",
            "The multipart upload initiate request did not request encryption with a customer-provided key. Please "
            "resend the request without it or restart the upload.");
        return false;
    }
    return true;
}

static enum cof_err replace_part(struct cof_s3_call *c, const char *key, const json_t *part)
{
    json_t *old = NULL;
    enum cof_err err = cof_s3_load(c->store, "s3.part", cof_view_str(key), &old);

    if (err == COF_OK) {
        json_t *list = json_pack("[O]", json_object_get(old, "segment"));

        err = list == NULL ? COF_E_MEMORY : cof_s3_segments_remove(c->store, list);
        json_decref(list);
    }
    json_decref(old);
    if (err != COF_OK && err != COF_E_NOT_FOUND)
        return err;
    return cof_s3_save(c->store, "s3.part", cof_view_str(key), part);
}

enum cof_err cof_s3_part_add(struct cof_s3_call *c, const json_t *upload, const struct cof_s3_sse *sse, int number,
                             struct cof_s3_intake *intake, const struct cof_s3_digests *digests)
{
    const json_t *sse_record = json_object_get(upload, "sse");
    struct cof_secret kek COF_SECRET_AUTO = {0};
    json_t *segment = NULL, *part = NULL, *again = NULL;
    char key[80], etag[40], quoted[80];
    enum cof_err err;

    if (!load_upload(c, &again, &err)) /* it may have ended while the bytes came */
        return err;
    json_decref(again);
    if (!cof_s3_sse_open(c, sse_record, sse, &kek, &err)) {
        if (err == COF_OK && sse->mode == COF_S3_SSE_C)
            err = cof_s3_fail(
                c, 400, "InvalidRequest", "The provided encryption parameters did not match the ones used originally.");
        return err;
    }
    cof_hex_encode(digests->md5, 16, etag);
    err = cof_s3_intake_close(intake, c, &kek, number, &segment);
    if (err != COF_OK)
        return err;
    part = json_pack("{s:i, s:I, s:s, s:I, s:o, s:s, s:o}", "n", number, "size", (json_int_t)intake->size, "etag", etag,
        "modified", (json_int_t)c->req->now_ms, "segment", segment, "sum_alg", cof_checksum_name(intake->sum.alg),
        "sum", cof_s3_base64(digests->sum, cof_checksum_size(intake->sum.alg)));
    part_key(cof_s3_text(upload, "upload"), number, key);
    err = part == NULL ? COF_E_MEMORY : replace_part(c, key, part);
    if (err == COF_OK) {
        cof_reply_set(c->reply, 200, NULL, COF_LIT(""));
        cof_s3_etag(part, quoted);
        cof_headers_set(&c->reply->headers, "ETag", quoted);
        cof_s3_sse_headers(c, sse_record);
        if (intake->sum.alg != COF_CHECKSUM_NONE)
            cof_headers_set(&c->reply->headers, cof_s3_sum_header(intake->sum.alg), cof_s3_text(part, "sum"));
    }
    json_decref(part);
    return err;
}

/* The object under construction by CompleteMultipartUpload. */
struct completion {
    struct cof_s3_call *c;
    const json_t *upload;
    json_t *parts;        /* segments, in order */
    struct cof_hash *md5; /* of the parts' MD5s */
    struct cof_checksum sum; /* of the parts' checksums, when composite */
    uint8_t full[COF_CHECKSUM_MAX];
    enum cof_checksum_alg alg;
    bool is_full;
    bool no_sum;          /* nobody asked for one, and the parts came with another */
    uint64_t size;
};

static bool invalid_part(struct cof_s3_call *c)
{
    (void)cof_s3_fail(c, 400, "InvalidPart",
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified "
        "entity tag may not match the part's entity tag.");
    return false;
}

static bool same_etag(struct cof_view given, const char *etag)
{
    if (given.len >= 2 && given.data[0] == '"' && given.data[given.len - 1] == '"')
        given = cof_view_sub(given, 1, given.len - 2);
    return cof_view_eq_str(given, etag);
}

static enum cof_err join_sum(struct completion *done, const json_t *part)
{
    struct cof_buf bytes;
    uint8_t sum[COF_CHECKSUM_MAX] = {0};
    enum cof_err err;

    cof_buf_init(&bytes, 64);
    err = cof_base64_decode(cof_view_str(cof_s3_text(part, "sum")), &bytes);
    if (err == COF_OK &&
        (bytes.len != cof_checksum_size(done->alg) ||
            cof_checksum_named(cof_view_str(cof_s3_text(part, "sum_alg"))) != done->alg))
        err = COF_E_DENIED;
    if (err == COF_OK)
        memcpy(sum, bytes.data, bytes.len);
    if (err == COF_OK && done->is_full)
        cof_checksum_join(done->alg, done->full, sum, (uint64_t)cof_s3_int(part, "size"));
    if (err == COF_OK && !done->is_full)
        err = cof_checksum_update(&done->sum, cof_buf_view(&bytes));
    cof_buf_done(&bytes);
    return err;
}

/* Numbers rise. */
static bool in_order(struct cof_s3_call *c, const struct cof_xml_node *node)
{
    uint64_t last = 0, number;

    for (; node != NULL; node = cof_xml_again(node, "Part")) {
        if (cof_parse_u64(cof_xml_text(node, "PartNumber"), COF_S3_PARTS_MAX, &number) != COF_OK || number == 0)
            return invalid_part(c);
        if (number <= last) {
            (void)cof_s3_fail(c, 400, "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part number.");
            return false;
        }
        last = number;
    }
    return true;
}

/* The part's segment, which from now on is the object's, and tells its checksum. */
static bool keep_segment(struct completion *done, const json_t *part)
{
    json_t *segment = json_object_get(part, "segment");

    return json_object_set(segment, "alg", json_object_get(part, "sum_alg")) == 0 &&
        json_object_set(segment, "sum", json_object_get(part, "sum")) == 0 &&
        json_array_append(done->parts, segment) == 0;
}

/* One <Part> of the request: it must be there with that ETag and checksum, and be large enough
 * unless it is the last. */
static bool add_part(struct completion *done, const struct cof_xml_node *node, bool last, enum cof_err *err)
{
    struct cof_s3_call *c = done->c;
    struct cof_view given_sum;
    char key[80], name[40];
    uint8_t md5[16];
    json_t *part = NULL;
    uint64_t number;
    bool good = false;

    *err = COF_OK;
    if (cof_parse_u64(cof_xml_text(node, "PartNumber"), COF_S3_PARTS_MAX, &number) != COF_OK || number == 0)
        return invalid_part(c);
    part_key(cof_s3_text(done->upload, "upload"), (int)number, key);
    *err = cof_s3_load(c->store, "s3.part", cof_view_str(key), &part);
    if (*err == COF_E_NOT_FOUND) {
        *err = COF_OK;
        return invalid_part(c);
    }
    (void)snprintf(name, sizeof name, "Checksum%s", cof_checksum_name(done->alg));
    given_sum = cof_xml_text(node, name);
    if (*err != COF_OK)
        goto out;
    if (!same_etag(cof_xml_text(node, "ETag"), cof_s3_text(part, "etag")) ||
        (given_sum.len > 0 && !cof_view_eq_str(given_sum, cof_s3_text(part, "sum")))) {
        (void)invalid_part(c);
        goto out;
    }
    if (!last && (uint64_t)cof_s3_int(part, "size") < COF_S3_PART_MIN) {
        (void)cof_s3_fail(c, 400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size");
        goto out;
    }
    *err = cof_hex_decode_fixed(cof_view_str(cof_s3_text(part, "etag")), md5, sizeof md5);
    if (*err == COF_OK)
        *err = cof_hash_update(done->md5, cof_view_of(md5, sizeof md5));
    if (*err == COF_OK)
        *err = join_sum(done, part);
    if (*err == COF_E_DENIED && !cof_s3_is(done->upload, "sum_asked")) {
        done->no_sum = true;
        *err = COF_OK;
    }
    if (*err == COF_E_DENIED) {
        *err = cof_s3_fail(
            c, 400, "InvalidRequest", "A part was uploaded with a checksum of another algorithm than the upload's.");
        goto out;
    }
    done->size += (uint64_t)cof_s3_int(part, "size");
    if (*err == COF_OK && !keep_segment(done, part))
        *err = COF_E_MEMORY;
    good = *err == COF_OK;
out:
    json_decref(part);
    return good;
}

static bool add_parts(struct completion *done, const struct cof_xml_node *root, enum cof_err *err)
{
    const struct cof_xml_node *node = cof_xml_child(root, "Part");

    *err = COF_OK;
    if (node == NULL) {
        (void)cof_s3_fail(done->c, 400, "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema");
        return false;
    }
    if (!in_order(done->c, node))
        return false;
    while (node != NULL) {
        const struct cof_xml_node *next = cof_xml_again(node, "Part");

        if (!add_part(done, node, next == NULL, err))
            return false;
        node = next;
    }
    return true;
}

/* "sum" of the object: BASE64 of the full object, or BASE64-N of the digests of N parts. */
static enum cof_err finish_sum(struct completion *done, json_t *record)
{
    struct cof_buf text;
    uint8_t sum[COF_CHECKSUM_MAX];
    enum cof_err err = COF_OK;

    if (done->no_sum)
        return COF_OK;
    cof_buf_init(&text, 128);
    if (done->is_full)
        memcpy(sum, done->full, sizeof sum);
    else
        err = cof_checksum_final(&done->sum, sum);
    cof_base64_add(&text, cof_view_of(sum, cof_checksum_size(done->alg)));
    if (!done->is_full)
        cof_buf_printf(&text, "-%zu", json_array_size(done->parts));
    if (err == COF_OK &&
        json_object_set_new(record, "sum",
            json_pack("{s:s, s:s, s:s}", "alg", cof_checksum_name(done->alg), "value", cof_buf_cstr(&text), "type",
                done->is_full ? "FULL_OBJECT" : "COMPOSITE")) != 0)
        err = COF_E_MEMORY;
    cof_buf_done(&text);
    return err;
}

static enum cof_err make_record(struct completion *done, json_t *record)
{
    static const char *const same[] = {"head", "meta", "tags", "sse", "lock", "upload", "acl", "owner"};
    uint8_t md5[16];
    char etag[60];
    enum cof_err err = cof_hash_final(done->md5, md5);

    if (err != COF_OK)
        return err;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        json_t *member = json_object_get(done->upload, same[i]);

        if (member != NULL && json_object_set(record, same[i], member) != 0)
            return COF_E_MEMORY;
    }
    cof_hex_encode(md5, sizeof md5, etag);
    (void)snprintf(etag + 32, sizeof etag - 32, "-%zu", json_array_size(done->parts));
    if (json_object_update_new(record,
            json_pack("{s:I, s:s, s:I, s:O, s:b}", "size", (json_int_t)done->size, "etag", etag, "modified",
                (json_int_t)done->c->req->now_ms, "parts", done->parts, "multipart", 1)) != 0)
        return COF_E_MEMORY;
    return finish_sum(done, record);
}

/* Removes the upload and its parts; the blobs of segments in keep (may be NULL) stay. */
struct dropping {
    json_t *keys, *segments;
    const json_t *keep;
};

static bool collect(void *arg, struct cof_view key, struct cof_view value)
{
    struct dropping *d = arg;
    json_t *part, *segment;
    bool kept = false;

    if (cof_s3_parse(value, &part) != COF_OK)
        return true;
    segment = json_object_get(part, "segment");
    for (size_t i = 0; i < json_array_size(d->keep) && !kept; i++)
        kept = strcmp(cof_s3_text(json_array_get(d->keep, i), "blob"), cof_s3_text(segment, "blob")) == 0;
    (void)json_array_append_new(d->keys, cof_s3_string(key));
    if (!kept)
        (void)json_array_append(d->segments, segment);
    json_decref(part);
    return true;
}

static enum cof_err drop_upload(struct cof_s3_call *c, const json_t *upload, const json_t *keep)
{
    struct dropping d = {json_array(), json_array(), keep};
    struct cof_buf key;
    enum cof_err err = COF_E_MEMORY;

    upload_key(c, cof_view_str(cof_s3_text(upload, "upload")), &key);
    if (d.keys == NULL || d.segments == NULL)
        goto out;
    err = c->store->scan(
        c->store->ctx, "s3.part", cof_view_str(cof_s3_text(upload, "upload")), COF_LIT(""), SIZE_MAX, collect, &d);
    for (size_t i = 0; i < json_array_size(d.keys) && err == COF_OK; i++)
        err = c->store->remove(c->store->ctx, "s3.part", cof_view_str(json_string_value(json_array_get(d.keys, i))));
    if (err == COF_OK)
        err = cof_s3_segments_remove(c->store, d.segments);
    if (err == COF_OK)
        err = c->store->remove(c->store->ctx, "s3.upload", cof_buf_view(&key));
out:
    json_decref(d.keys);
    json_decref(d.segments);
    cof_buf_done(&key);
    return err;
}

static enum cof_err say_completed(struct cof_s3_call *c, const json_t *record)
{
    struct cof_buf *b = &c->reply->body;
    const json_t *sum = json_object_get(record, "sum");
    char etag[80], name[40];

    cof_s3_xml_open(c, "CompleteMultipartUploadResult");
    cof_buf_add_str(b, "<Location>");
    cof_xml_escape(b, cof_view_str(cof_standin_endpoint(c->s)));
    cof_buf_add_str(b, "/");
    cof_buf_add_str(b, c->bucket);
    cof_buf_add_str(b, "/");
    cof_uri_encode(b, cof_buf_view(&c->key), true);
    cof_buf_add_str(b, "</Location>");
    cof_xml_element(b, "Bucket", cof_view_str(c->bucket));
    cof_xml_element(b, "Key", cof_buf_view(&c->key));
    cof_s3_etag(record, etag);
    cof_xml_element(b, "ETag", cof_view_str(etag));
    (void)snprintf(name, sizeof name, "Checksum%s", cof_s3_text(sum, "alg"));
    if (sum != NULL) {
        cof_xml_element(b, name, cof_view_str(cof_s3_text(sum, "value")));
        cof_xml_element(b, "ChecksumType", cof_view_str(cof_s3_text(sum, "type")));
    }
    cof_s3_put_headers(c, record);
    cof_headers_remove(&c->reply->headers, "ETag");
    return cof_s3_xml_close(c, "CompleteMultipartUploadResult");
}

/* Whole-object checks that the request may ask for. */
static bool promised_holds(struct completion *done, const json_t *record)
{
    const json_t *sum = json_object_get(record, "sum");
    struct cof_view want = cof_s3_header(done->c, cof_s3_sum_header(done->alg)),
                    size = cof_s3_header(done->c, "x-amz-mp-object-size");
    uint64_t n;

    if (want.len > 0 && !cof_view_eq_str(want, cof_s3_text(sum, "value"))) {
        (void)cof_s3_fail(
            done->c, 400, "BadDigest", "The checksum you specified did not match the calculated checksum.");
        return false;
    }
    if (size.len > 0 && (cof_parse_u64(size, INT64_MAX, &n) != COF_OK || n != done->size)) {
        (void)cof_s3_fail(done->c, 400, "InvalidRequest",
            "The provided 'x-amz-mp-object-size' header does not match what was computed.");
        return false;
    }
    return true;
}

/* spec: a completion asked for again is answered again, while its object is the newest. */
static bool completed_before(struct cof_s3_call *c, enum cof_err *err)
{
    struct cof_view id = cof_s3_param(c, "uploadId");
    json_t *record = NULL;
    bool is_it;

    *err = cof_s3_object_get(c, COF_LIT(""), &record);
    is_it = *err == COF_OK && id.len > 0 && cof_view_eq_str(id, cof_s3_text(record, "upload"));
    if (is_it)
        *err = say_completed(c, record);
    else if (*err == COF_E_NOT_FOUND)
        *err = COF_OK;
    json_decref(record);
    return is_it;
}

enum cof_err cof_s3_complete_upload(struct cof_s3_call *c)
{
    struct completion done = {.c = c};
    struct cof_xml_node *root = NULL;
    json_t *upload = NULL, *record = json_object();
    enum cof_err err = COF_OK;

    if (!cof_s3_allowed(c, "s3:PutObject", true, NULL, false, &err) || completed_before(c, &err) || err != COF_OK ||
        !load_upload(c, &upload, &err))
        goto out;
    err = cof_xml_parse(c->req->body, COF_STANDIN_BODY_MAX, 8 * COF_S3_PARTS_MAX, &root);
    if (err == COF_E_FORMAT || err == COF_E_LIMIT) {
        err = cof_s3_fail(c, 400, "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema");
        goto out;
    }
    done.upload = upload;
    done.parts = json_array();
    done.alg = cof_checksum_named(cof_view_str(cof_s3_text(upload, "sum_alg")));
    done.is_full = strcmp(cof_s3_text(upload, "sum_type"), "FULL_OBJECT") == 0;
    if (err == COF_OK)
        err = cof_hash_new(COF_MD5, &done.md5);
    if (err == COF_OK)
        err = cof_checksum_init(&done.sum, done.alg);
    if (err != COF_OK || !add_parts(&done, root, &err) || !cof_s3_put_conditions(c, &err))
        goto out;
    err = make_record(&done, record);
    if (err != COF_OK || !promised_holds(&done, record))
        goto out;
    err = cof_s3_object_add(c, record);
    if (err == COF_OK)
        err = drop_upload(c, upload, done.parts);
    if (err == COF_OK)
        err = say_completed(c, record);
out:
    cof_xml_free(root);
    cof_hash_free(done.md5);
    cof_checksum_done(&done.sum);
    json_decref(done.parts);
    json_decref(upload);
    json_decref(record);
    return err;
}

enum cof_err cof_s3_abort_upload(struct cof_s3_call *c)
{
    json_t *upload = NULL;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:AbortMultipartUpload", true, NULL, false, &err) || !load_upload(c, &upload, &err))
        return err;
    err = drop_upload(c, upload, NULL);
    json_decref(upload);
    if (err == COF_OK)
        cof_reply_set(c->reply, 204, NULL, COF_LIT(""));
    return err;
}

struct part_list {
    struct cof_buf *out;
    uint64_t max, n, after;
    int last;
    bool more;
};

static bool list_part(void *arg, struct cof_view key, struct cof_view value)
{
    struct part_list *list = arg;
    char etag[80], name[40];
    json_t *part;

    (void)key;
    if (cof_s3_parse(value, &part) != COF_OK)
        return true;
    if ((uint64_t)cof_s3_int(part, "n") > list->after) {
        if (list->n == list->max) {
            list->more = true;
            json_decref(part);
            return false;
        }
        list->n++;
        list->last = (int)cof_s3_int(part, "n");
        cof_s3_etag(part, etag);
        cof_buf_printf(list->out, "<Part><PartNumber>%d</PartNumber>", list->last);
        cof_s3_xml_date(list->out, "LastModified", cof_s3_int(part, "modified"));
        cof_xml_element(list->out, "ETag", cof_view_str(etag));
        cof_buf_printf(list->out, "<Size>%lld</Size>", (long long)cof_s3_int(part, "size"));
        (void)snprintf(name, sizeof name, "Checksum%s", cof_s3_text(part, "sum_alg"));
        cof_xml_element(list->out, name, cof_view_str(cof_s3_text(part, "sum")));
        cof_buf_add_str(list->out, "</Part>");
    }
    json_decref(part);
    return true;
}

enum cof_err cof_s3_list_parts(struct cof_s3_call *c)
{
    struct part_list list = {.out = NULL};
    struct cof_buf parts;
    json_t *upload = NULL;
    enum cof_err err;

    cof_buf_init(&parts, COF_STANDIN_REPLY_MAX);
    list.out = &parts;
    if (!cof_s3_allowed(c, "s3:ListMultipartUploadParts", true, NULL, false, &err) || !load_upload(c, &upload, &err))
        goto out;
    if (!cof_s3_param_number(c, "max-parts", 1000, 1000, &list.max) ||
        !cof_s3_param_number(c, "part-number-marker", COF_S3_PARTS_MAX, 0, &list.after))
        goto out;
    err = c->store->scan(
        c->store->ctx, "s3.part", cof_view_str(cof_s3_text(upload, "upload")), COF_LIT(""), SIZE_MAX, list_part, &list);
    if (err != COF_OK)
        goto out;
    cof_s3_xml_open(c, "ListPartsResult");
    cof_xml_element(&c->reply->body, "Bucket", cof_view_str(c->bucket));
    cof_xml_element(&c->reply->body, "Key", cof_buf_view(&c->key));
    cof_xml_element(&c->reply->body, "UploadId", cof_view_str(cof_s3_text(upload, "upload")));
    cof_s3_xml_owner(c, "Initiator");
    cof_s3_xml_owner(c, "Owner");
    cof_buf_printf(&c->reply->body, "<StorageClass>STANDARD</StorageClass><PartNumberMarker>%llu</PartNumberMarker>"
        "<NextPartNumberMarker>%d</NextPartNumberMarker><MaxParts>%llu</MaxParts><IsTruncated>%s</IsTruncated>",
        (unsigned long long)list.after, list.last, (unsigned long long)list.max, list.more ? "true" : "false");
    if (cof_s3_is(upload, "sum_asked")) {
        cof_xml_element(&c->reply->body, "ChecksumAlgorithm", cof_view_str(cof_s3_text(upload, "sum_alg")));
        cof_xml_element(&c->reply->body, "ChecksumType", cof_view_str(cof_s3_text(upload, "sum_type")));
    }
    cof_buf_add(&c->reply->body, cof_buf_view(&parts));
    err = cof_s3_xml_close(c, "ListPartsResult");
out:
    cof_buf_done(&parts);
    json_decref(upload);
    return err;
}
