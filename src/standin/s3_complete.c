/* SPDX-License-Identifier: Apache-2.0
 *
 * CompleteMultipartUpload: the parts that the request names become one object.
 */
#include "base/codec.h"
#include "base/num.h"
#include "format/xml.h"
#include "standin/s3_body.h"
#include "standin/s3_condition.h"
#include "standin/s3_multipart.h"
#include "standin/s3_put.h"
#include "standin/s3_record.h"

#include <stdio.h>
#include <string.h>

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
    bool no_sum;          /* under a customer's key, and nobody asked; or a part is of a version that did not yet make one itself */
    uint64_t size;
};

static struct cof_view bare(struct cof_view etag)
{
    return etag.len >= 2 && etag.data[0] == '"' && etag.data[etag.len - 1] == '"' ? cof_view_sub(etag, 1, etag.len - 2) : etag;
}

static bool invalid_part(struct cof_s3_call *c, const struct cof_xml_node *node)
{
    const struct cof_s3_detail details[] = {{"UploadId", cof_s3_param(c, "uploadId")}, {"PartNumber", cof_xml_text(node, "PartNumber")},
        {"ETag", bare(cof_xml_text(node, "ETag"))}};

    (void)cof_s3_fail_of(c, 400, "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
        "entity tag may not match the part's entity tag.", details, 3);
    return false;
}

static void too_small(struct cof_s3_call *c, const struct cof_xml_node *node, const json_t *part)
{
    struct cof_s3_detail details[] = {{"ProposedSize", {NULL, 0}}, {"MinSizeAllowed", {NULL, 0}},
        {"PartNumber", cof_xml_text(node, "PartNumber")}, {"ETag", bare(cof_xml_text(node, "ETag"))}};
    char size[24], least[24];

    (void)snprintf(size, sizeof size, "%lld", (long long)cof_s3_int(part, "size"));
    (void)snprintf(least, sizeof least, "%d", (int)COF_S3_PART_MIN);
    details[0].value = cof_view_str(size);
    details[1].value = cof_view_str(least);
    (void)cof_s3_fail_of(
        c, 400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", details, 4);
}

static enum cof_err join_sum(struct completion *done, const json_t *part)
{
    struct cof_buf bytes;
    uint8_t sum[COF_CHECKSUM_MAX] = {0};
    enum cof_err err;

    cof_buf_init(&bytes, 128);
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

/* A part has its number and ETag, and one checksum at most, which is base64. */
static bool form_ok(struct cof_s3_call *c, const struct cof_xml_node *node)
{
    size_t n = 0;
    bool good = true;
    char name[40];

    if (cof_xml_text(node, "PartNumber").len == 0 || cof_xml_text(node, "ETag").len == 0) {
        (void)cof_s3_bad_xml(c);
        return false;
    }
    for (enum cof_checksum_alg alg = COF_CHECKSUM_CRC32; alg <= COF_CHECKSUM_LAST && good; alg++) {
        struct cof_view value;

        (void)snprintf(name, sizeof name, "Checksum%s", cof_checksum_name(alg));
        value = cof_xml_text(node, name);
        n += value.len > 0;
        good = n <= 1 && (value.len == 0 || cof_s3_sum_value_ok(alg, value));
    }
    if (!good)
        (void)cof_s3_bad_argument(
            c, "Checksum", (struct cof_view){NULL, 0}, "Invalid Base64 or multiple checksums present in request");
    return good;
}

/* Numbers rise. */
static bool in_order(struct cof_s3_call *c, const struct cof_xml_node *node)
{
    const struct cof_s3_detail upload[] = {{"UploadId", cof_s3_param(c, "uploadId")}};
    uint64_t last = 0, number;

    for (; node != NULL; node = cof_xml_again(node, "Part")) {
        if (!form_ok(c, node))
            return false;
        if (cof_parse_u64(cof_xml_text(node, "PartNumber"), COF_S3_PARTS_MAX, &number) != COF_OK)
            return invalid_part(c, node);
        if (number == 0) {
            (void)cof_s3_bad_argument(c, "PartNumber", cof_xml_text(node, "PartNumber"), "PartNumber must be >= 1");
            return false;
        }
        if (number <= last) {
            (void)cof_s3_fail_of(c, 400, "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part number.", upload, 1);
            return false;
        }
        last = number;
    }
    return true;
}

static void missing_sum(const struct completion *done, uint64_t number)
{
    char alg[16], message[200];

    cof_s3_sum_small_name(done->alg, alg);
    (void)snprintf(message, sizeof message, "The upload was created using a %s checksum. The complete request must "
        "include the checksum for each part. It was missing for part %llu in the request.", alg,
        (unsigned long long)number);
    (void)cof_s3_fail(done->c, 400, "InvalidRequest", message);
}

/* A checksum of another algorithm than the upload's: it is of nothing that S3 has. */
static bool other_sum(const struct completion *done, const struct cof_xml_node *node, uint64_t number)
{
    char name[40], small[16], message[160];

    for (enum cof_checksum_alg alg = COF_CHECKSUM_CRC32; alg <= COF_CHECKSUM_LAST; alg++) {
        (void)snprintf(name, sizeof name, "Checksum%s", cof_checksum_name(alg));
        if (alg == done->alg || cof_xml_text(node, name).len == 0)
            continue;
        cof_s3_sum_small_name(alg, small);
        (void)snprintf(message, sizeof message, "The %s you specified for part %llu did not match what we received.", small,
            (unsigned long long)number);
        (void)cof_s3_fail(done->c, 400, "BadDigest", message);
        return true;
    }
    return false;
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
        return invalid_part(c, node);
    cof_s3_part_key(cof_s3_text(done->upload, "upload"), (int)number, key);
    *err = cof_s3_load(c->store, "s3.part", cof_view_str(key), &part);
    if (*err == COF_E_NOT_FOUND) {
        *err = COF_OK;
        return invalid_part(c, node);
    }
    (void)snprintf(name, sizeof name, "Checksum%s", cof_checksum_name(done->alg));
    given_sum = cof_xml_text(node, name);
    if (*err != COF_OK)
        goto out;
    if (given_sum.len == 0 && cof_s3_upload_is_composite(done->upload)) {
        if (!other_sum(done, node, number))
            missing_sum(done, number);
        goto out;
    }
    if (!cof_view_eq_str(bare(cof_xml_text(node, "ETag")), cof_s3_text(part, "etag")) ||
        (given_sum.len > 0 && !cof_view_eq_str(given_sum, cof_s3_text(part, "sum")))) {
        (void)invalid_part(c, node);
        goto out;
    }
    if (!last && (uint64_t)cof_s3_int(part, "size") < COF_S3_PART_MIN) {
        too_small(c, node, part);
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
            json_pack("{s:I, s:s, s:I, s:O, s:b, s:b, s:b}", "size", (json_int_t)done->size, "etag", etag, "modified",
                (json_int_t)done->c->req->now_ms, "parts", done->parts, "multipart", 1, "part_sums",
                cof_s3_upload_is_composite(done->upload), "sum_asked", cof_s3_is(done->upload, "sum_asked"))) != 0)
        return COF_E_MEMORY;
    return finish_sum(done, record);
}

static enum cof_err say_completed(struct cof_s3_call *c, const json_t *record)
{
    struct cof_buf *b = &c->reply->body;
    bool of_kms = strcmp(cof_s3_text(json_object_get(record, "sse"), "mode"), "aws:kms") == 0;
    /* spec: under a KMS key, a checksum that nobody asked for is told of what is read, and not here */
    const json_t *sum = of_kms && !cof_s3_is(record, "sum_asked") ? NULL : json_object_get(record, "sum");
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
    cof_s3_put_headers(c, &(struct cof_s3_told){.etag = cof_s3_text(record, "etag"), .id = cof_s3_text(record, "id"),
        .sse = json_object_get(record, "sse"), .alg = cof_checksum_named(cof_view_str(cof_s3_text(sum, "alg"))),
        .sum = cof_s3_text(sum, "value"), .type = cof_s3_text(sum, "type")});
    cof_headers_remove(&c->reply->headers, "ETag");
    return cof_s3_xml_close(c, "CompleteMultipartUploadResult");
}

/* The mode, where the request speaks of one, is the upload's. */
static bool type_holds(const struct completion *done)
{
    struct cof_view type = cof_s3_header(done->c, "x-amz-checksum-type");
    const char *mode = done->is_full ? "FULL_OBJECT" : "COMPOSITE";
    char message[160];

    if (type.len == 0 || !cof_s3_is(done->upload, "sum_asked") || cof_view_eq_str(type, mode))
        return true;
    (void)snprintf(message, sizeof message,
        "The upload was created using the %s checksum mode. The complete request must use the same checksum mode.", mode);
    (void)cof_s3_fail(done->c, 400, "InvalidRequest", message);
    return false;
}

/* Whole-object checks that the request may ask for. */
static bool promised_holds(struct completion *done, const json_t *record)
{
    const json_t *sum = json_object_get(record, "sum");
    struct cof_view want = cof_s3_header(done->c, cof_s3_sum_header(done->alg)),
                    size = cof_s3_header(done->c, "x-amz-mp-object-size");
    char message[200], alg[16];
    uint64_t n;

    if (want.len > 0 && !cof_view_eq_str(want, cof_s3_text(sum, "value"))) {
        cof_s3_sum_small_name(done->alg, alg);
        (void)snprintf(message, sizeof message, "The %s you specified did not match the calculated checksum.", alg);
        (void)cof_s3_fail(done->c, 400, "BadDigest", message);
        return false;
    }
    if (size.len > 0 && (cof_parse_u64(size, INT64_MAX, &n) != COF_OK || n != done->size)) {
        (void)snprintf(message, sizeof message, "The provided 'x-amz-mp-object-size' header value %.*s does not match what was computed: %llu",
            size.len > 40 ? 40 : (int)size.len, (const char *)size.data, (unsigned long long)done->size);
        (void)cof_s3_fail(done->c, 400, "InvalidRequest", message);
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

/* spec: a body that is not there is told otherwise than one that says nothing; with Ceph they are the same. */
static bool read_body(struct cof_s3_call *c, struct cof_xml_node **root, enum cof_err *err)
{
    bool as_ceph;

    *err = cof_s3_setting(c->store, "as_ceph", &as_ceph);
    if (*err == COF_OK && c->req->body.len == 0 && !as_ceph) {
        *err = cof_s3_fail(c, 400, "InvalidRequest", "You must specify at least one part");
        return false;
    }
    if (*err == COF_OK)
        *err = cof_xml_parse(c->req->body, COF_STANDIN_BODY_MAX, 8 * COF_S3_PARTS_MAX, root);
    if (*err == COF_E_FORMAT || *err == COF_E_LIMIT || (*err == COF_OK && cof_xml_child(*root, "Part") == NULL)) {
        *err = cof_s3_bad_xml(c);
        return false;
    }
    return *err == COF_OK;
}

/* spec: an object that was written since the upload began is in the way of one that goes on If-Match. */
static bool no_conflict(struct cof_s3_call *c, const json_t *upload, enum cof_err *err)
{
    const struct cof_s3_detail details[] = {{"Condition", COF_LIT("If-Match")}, {"Key", cof_buf_view(&c->key)}};
    json_t *present = NULL;
    bool as_ceph, late;

    *err = COF_OK;
    if (cof_s3_header(c, "if-match").len == 0)
        return true;
    *err = cof_s3_setting(c->store, "as_ceph", &as_ceph);
    if (*err != COF_OK || as_ceph)
        return *err == COF_OK;
    *err = cof_s3_object_get(c, COF_LIT(""), &present);
    late = *err == COF_OK && cof_s3_int(present, "modified") > cof_s3_int(upload, "created");
    json_decref(present);
    if (*err == COF_OK && late)
        *err = cof_s3_fail_of(c, 409, "ConditionalRequestConflict",
            "The conditional request cannot succeed due to a conflicting operation against this resource.", details, 2);
    return *err == COF_OK && !late;
}

enum cof_err cof_s3_complete_upload(struct cof_s3_call *c)
{
    struct completion done = {.c = c};
    struct cof_xml_node *root = NULL;
    json_t *upload = NULL, *record = json_object();
    enum cof_err err = COF_OK;

    if (!cof_s3_allowed(c, "s3:PutObject", true, NULL, false, &err) || completed_before(c, &err) || err != COF_OK ||
        !cof_s3_upload_load(c, &upload, &err) || !read_body(c, &root, &err))
        goto out;
    done.upload = upload;
    done.parts = json_array();
    done.alg = cof_checksum_named(cof_view_str(cof_s3_text(upload, "sum_alg")));
    done.no_sum = !cof_s3_is(upload, "sum_asked") && strcmp(cof_s3_text(json_object_get(upload, "sse"), "mode"), "SSE-C") == 0;
    done.is_full = strcmp(cof_s3_text(upload, "sum_type"), "FULL_OBJECT") == 0;
    if (err == COF_OK)
        err = cof_hash_new(COF_MD5, &done.md5);
    if (err == COF_OK)
        err = cof_checksum_init(&done.sum, done.alg);
    if (err != COF_OK || !type_holds(&done) || !add_parts(&done, root, &err) || !cof_s3_put_conditions(c, &err) ||
        !no_conflict(c, upload, &err))
        goto out;
    err = make_record(&done, record);
    if (err != COF_OK || !promised_holds(&done, record))
        goto out;
    err = cof_s3_object_add(c, record, COF_LIT(""));
    if (err == COF_OK)
        err = cof_s3_upload_drop(c, upload, done.parts);
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
