/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_multipart.h"

#include "base/codec.h"
#include "base/num.h"
#include "format/xml.h"
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

void cof_s3_part_key(const char *upload, int number, char out[static 80])
{
    (void)snprintf(out, 80, "%s|%05d", upload, number);
}

bool cof_s3_upload_load(struct cof_s3_call *c, json_t **out, enum cof_err *err)
{
    struct cof_view id = cof_s3_param(c, "uploadId");
    const struct cof_s3_detail details[] = {{"UploadId", id}};
    struct cof_buf key;

    *out = NULL;
    *err = COF_E_NOT_FOUND;
    if (id.len > 0 && id.len <= 64 && cof_view_find(id, 0) == SIZE_MAX) {
        upload_key(c, id, &key);
        *err = cof_s3_load(c->store, "s3.upload", cof_buf_view(&key), out);
        cof_buf_done(&key);
    }
    if (*err == COF_E_NOT_FOUND)
        *err = cof_s3_fail_of(c, 404, "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
            "completed.", details, 1);
    return *out != NULL;
}

/* COMPOSITE for digests; CRC-64/NVME is always of the full object; the two other CRCs are composite unless asked. */
static bool sum_type(struct cof_s3_call *c, enum cof_checksum_alg alg, const char **type)
{
    struct cof_view asked = cof_s3_header(c, "x-amz-checksum-type");
    bool full = cof_view_eq_str(asked, "FULL_OBJECT"), composite = cof_view_eq_str(asked, "COMPOSITE");
    char name[16], message[120];

    *type = alg == COF_CHECKSUM_CRC64NVME || (full && cof_checksum_is_crc(alg)) ? "FULL_OBJECT" : "COMPOSITE";
    if (asked.len > 0 && !full && !composite) {
        (void)cof_s3_fail(c, 400, "InvalidRequest", "Value for x-amz-checksum-type header is invalid.");
        return false;
    }
    if ((full && !cof_checksum_is_crc(alg)) ||
        (composite && alg == COF_CHECKSUM_CRC64NVME)) {
        cof_s3_sum_small_name(alg, name);
        (void)snprintf(message, sizeof message, "The %s checksum type cannot be used with the %s checksum algorithm.",
            full ? "FULL_OBJECT" : "COMPOSITE", name);
        (void)cof_s3_fail(c, 400, "InvalidRequest", message);
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
            "CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]");
        goto out;
    }
    if (named.len == 0 && cof_s3_header(c, "x-amz-checksum-type").len > 0) {
        err = cof_s3_fail(
            c, 400, "InvalidRequest", "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.");
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
        (void)cof_s3_bad_argument(
            c, "partNumber", cof_s3_param(c, "partNumber"), "Part number must be an integer between 1 and 10000, inclusive");
        return false;
    }
    *number = (int)n;
    if (!cof_s3_upload_load(c, upload, err) || !cof_s3_sse_for_read(c, false, sse))
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
            "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate "
            "encryption parameters.");
        return false;
    }
    return true;
}

void cof_s3_sum_small_name(enum cof_checksum_alg alg, char out[static 16])
{
    const char *name = alg == COF_CHECKSUM_NONE ? "null" : cof_checksum_name(alg);
    size_t i = 0;

    for (; name[i] != '\0' && i < 15; i++)
        out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    out[i] = '\0';
}

bool cof_s3_upload_is_composite(const json_t *upload)
{
    return cof_s3_is(upload, "sum_asked") && strcmp(cof_s3_text(upload, "sum_type"), "COMPOSITE") == 0;
}

bool cof_s3_part_sum_ok(struct cof_s3_call *c, const json_t *upload, enum cof_checksum_alg alg)
{
    enum cof_checksum_alg want = cof_checksum_named(cof_view_str(cof_s3_text(upload, "sum_alg")));
    char expected[16], actual[16], message[120];

    if (!cof_s3_is(upload, "sum_asked") || alg == want || (alg == COF_CHECKSUM_NONE && !cof_s3_upload_is_composite(upload)))
        return true;
    cof_s3_sum_small_name(want, expected);
    cof_s3_sum_small_name(alg, actual);
    (void)snprintf(message, sizeof message,
        "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", expected, actual);
    (void)cof_s3_fail(c, 400, "InvalidRequest", message);
    return false;
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
                             struct cof_s3_intake *intake, const struct cof_s3_digests *digests, bool told)
{
    const json_t *sse_record = json_object_get(upload, "sse");
    struct cof_secret kek COF_SECRET_AUTO = {0};
    bool own = intake->own.alg != COF_CHECKSUM_NONE;
    enum cof_checksum_alg alg = own ? intake->own.alg : intake->sum.alg;
    json_t *part = NULL, *again = NULL;
    struct cof_s3_segment segment;
    char key[80], etag[40], quoted[80];
    enum cof_err err;

    if (!cof_s3_upload_load(c, &again, &err)) /* it may have ended while the bytes came */
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
    part = json_pack("{s:i, s:I, s:s, s:I, s:{s:i, s:I, s:s, s:s}, s:s, s:o}", "n", number, "size", (json_int_t)intake->size, "etag", etag,
        "modified", (json_int_t)c->req->now_ms, "segment", "n", segment.n, "size", (json_int_t)segment.size, "blob", segment.blob.text, "key",
        segment.key, "sum_alg", cof_checksum_name(alg),
        "sum", cof_s3_base64(own ? digests->own : digests->sum, cof_checksum_size(alg)));
    cof_s3_part_key(cof_s3_text(upload, "upload"), number, key);
    err = part == NULL ? COF_E_MEMORY : replace_part(c, key, part);
    if (err == COF_OK) {
        cof_reply_set(c->reply, 200, NULL, COF_LIT(""));
        cof_s3_etag(part, quoted);
        cof_headers_set(&c->reply->headers, "ETag", quoted);
        cof_s3_sse_headers(c, sse_record);
        if (told && intake->sum.alg != COF_CHECKSUM_NONE) {
            json_t *sum = cof_s3_base64(digests->sum, cof_checksum_size(intake->sum.alg));

            if (sum == NULL)
                err = COF_E_MEMORY;
            else
                cof_headers_set(&c->reply->headers, cof_s3_sum_header(intake->sum.alg), json_string_value(sum));
            json_decref(sum);
        }
    }
    json_decref(part);
    return err;
}

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

enum cof_err cof_s3_upload_drop(struct cof_s3_call *c, const json_t *upload, const json_t *keep)
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

static bool collect_upload(void *arg, struct cof_view key, struct cof_view value)
{
    struct cof_view bucket, rest, object, id;
    json_t *list = arg;

    (void)value;
    return cof_view_split(key, 0, &bucket, &rest) && cof_view_split(rest, 0, &object, &id) &&
        json_array_append_new(list, cof_s3_string(object)) == 0 && json_array_append_new(list, cof_s3_string(id)) == 0;
}

enum cof_err cof_s3_uploads_drop(struct cof_s3_call *c)
{
    json_t *list = json_array(), *upload;
    struct cof_buf prefix;
    enum cof_err err = list == NULL ? COF_E_MEMORY : COF_OK;

    cof_buf_init(&prefix, 100);
    cof_s3_key_of(&prefix, c->bucket, COF_LIT(""));
    if (err == COF_OK)
        err = c->store->scan(
            c->store->ctx, "s3.upload", cof_buf_view(&prefix), COF_LIT(""), SIZE_MAX, collect_upload, list);
    for (size_t i = 0; i + 1 < json_array_size(list) && err == COF_OK; i += 2) {
        cof_buf_reset(&c->key);
        cof_buf_add_str(&c->key, json_string_value(json_array_get(list, i)));
        upload = json_pack("{s:O}", "upload", json_array_get(list, i + 1));
        err = upload == NULL ? COF_E_MEMORY : cof_s3_upload_drop(c, upload, NULL);
        json_decref(upload);
    }
    cof_buf_reset(&c->key);
    cof_buf_done(&prefix);
    json_decref(list);
    return err;
}

enum cof_err cof_s3_abort_upload(struct cof_s3_call *c)
{
    json_t *upload = NULL;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:AbortMultipartUpload", true, NULL, false, &err) || !cof_s3_upload_load(c, &upload, &err))
        return err;
    err = cof_s3_upload_drop(c, upload, NULL);
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
    bool sums; /* told of uploads begun with an algorithm alone */
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
        if (list->sums)
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
    if (!cof_s3_allowed(c, "s3:ListMultipartUploadParts", true, NULL, false, &err) || !cof_s3_upload_load(c, &upload, &err))
        goto out;
    if (!cof_s3_param_number(c, "max-parts", 1000, 1000, &list.max) ||
        !cof_s3_param_number(c, "part-number-marker", COF_S3_PARTS_MAX, 0, &list.after))
        goto out;
    list.sums = cof_s3_is(upload, "sum_asked");
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
