/* SPDX-License-Identifier: Apache-2.0
 *
 * GetObjectAttributes: what HeadObject and ListParts tell, in one answer.
 */
#include "base/date.h"
#include "base/num.h"
#include "standin/s3_find.h"
#include "standin/s3_record.h"
#include "standin/s3_sse.h"

#include <stdio.h>
#include <string.h>

enum { WANT_ETAG = 1, WANT_CHECKSUM = 2, WANT_PARTS = 4, WANT_CLASS = 8, WANT_SIZE = 16 };

/* The names in x-amz-object-attributes, which may come several times. False: the reply holds the error. */
static bool read_wanted(struct cof_s3_call *c, unsigned *wanted)
{
    static const struct { const char *name; unsigned bit; } names[] = {{"ETag", WANT_ETAG}, {"Checksum", WANT_CHECKSUM},
        {"ObjectParts", WANT_PARTS}, {"StorageClass", WANT_CLASS}, {"ObjectSize", WANT_SIZE}};
    const struct cof_headers *h = &c->req->head->headers;

    *wanted = 0;
    for (size_t i = 0; i < h->n; i++) {
        struct cof_view list = cof_headers_value(h, i), one;

        if (!cof_view_eq_nocase(cof_headers_name(h, i), COF_LIT("x-amz-object-attributes")))
            continue;
        while (list.len > 0) {
            unsigned bit = 0;

            (void)cof_view_split(list, ',', &one, &list);
            one = cof_view_trim(one);
            for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
                bit |= cof_view_eq_str(one, names[k].name) ? names[k].bit : 0;
            if (bit == 0) {
                (void)cof_s3_bad_argument(c, "x-amz-object-attributes", one, "Invalid attribute name specified.");
                return false;
            }
            *wanted |= bit;
        }
    }
    if (*wanted != 0)
        return true;
    (void)cof_s3_fail(c, 400, "InvalidRequest",
        "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty");
    return false;
}

static bool read_number(struct cof_s3_call *c, const char *header, uint64_t max, uint64_t preset, uint64_t *out)
{
    struct cof_view text = cof_s3_header(c, header);

    *out = preset;
    if (text.len == 0)
        return true;
    if (cof_parse_u64_padded(text, INT32_MAX, out) == COF_OK) {
        *out = *out > max ? max : *out;
        return true;
    }
    (void)cof_s3_bad_argument(c, header, text, "Provided number of parts or marker not an integer.");
    return false;
}

/* <ChecksumSHA256>value</ChecksumSHA256> */
static void say_sum(struct cof_buf *b, const char *alg, struct cof_view value)
{
    char name[40];

    if (alg[0] == '\0' || value.len == 0)
        return;
    (void)snprintf(name, sizeof name, "Checksum%s", alg);
    cof_xml_element(b, name, value);
}

/* spec: of parts without a composite checksum, only how many they are */
static void say_parts(struct cof_buf *b, const json_t *record, uint64_t max, uint64_t after, bool as_ceph)
{
    const json_t *parts = json_object_get(record, "parts");
    size_t n = json_array_size(parts), first = after < n ? (size_t)after : n;
    size_t end = n - first > max ? first + (size_t)max : n;

    if (!cof_s3_is(record, "part_sums") && !as_ceph) {
        cof_buf_printf(b, "<ObjectParts><PartsCount>%zu</PartsCount></ObjectParts>", n);
        return;
    }
    cof_buf_printf(b, "<ObjectParts><PartsCount>%zu</PartsCount><PartNumberMarker>%llu</PartNumberMarker>"
        "<NextPartNumberMarker>%zu</NextPartNumberMarker><MaxParts>%llu</MaxParts><IsTruncated>%s</IsTruncated>",
        n, (unsigned long long)after, end > first ? end : 0, (unsigned long long)max, end < n ? "true" : "false");
    for (size_t i = first; i < end; i++) {
        const json_t *part = json_array_get(parts, i);

        cof_buf_printf(b, "<Part><PartNumber>%zu</PartNumber><Size>%lld</Size>", i + 1, (long long)cof_s3_int(part, "size"));
        say_sum(b, cof_s3_text(part, "alg"), cof_view_str(cof_s3_text(part, "sum")));
        cof_buf_add_str(b, "</Part>");
    }
    cof_buf_add_str(b, "</ObjectParts>");
}

/* spec: without the count of parts that a composite ends in elsewhere. With Ceph, as elsewhere; and of every part, what there is. */
static enum cof_err say(struct cof_s3_call *c, const json_t *record, unsigned wanted, uint64_t max, uint64_t after, bool as_ceph)
{
    const json_t *sum = json_object_get(record, "sum");
    struct cof_view value = cof_view_str(cof_s3_text(sum, "value"));
    struct cof_buf *b = &c->reply->body;
    char modified[COF_DATE_MAX];

    cof_s3_xml_open(c, "GetObjectAttributesResponse");
    if (wanted & WANT_ETAG)
        cof_xml_element(b, "ETag", cof_view_str(cof_s3_text(record, "etag")));
    if ((wanted & WANT_CHECKSUM) && sum != NULL) {
        cof_buf_add_str(b, "<Checksum>");
        say_sum(b, cof_s3_text(sum, "alg"), as_ceph ? value : cof_view_sub(value, 0, cof_view_find(value, '-')));
        cof_xml_element(b, "ChecksumType", cof_view_str(cof_s3_text(sum, "type")));
        cof_buf_add_str(b, "</Checksum>");
    }
    if ((wanted & WANT_PARTS) && cof_s3_is(record, "multipart"))
        say_parts(b, record, max, after, as_ceph);
    if (wanted & WANT_CLASS)
        cof_xml_element(b, "StorageClass", cof_view_str(cof_s3_storage_class(record)));
    if (wanted & WANT_SIZE)
        cof_buf_printf(b, "<ObjectSize>%lld</ObjectSize>", (long long)cof_s3_int(record, "size"));
    cof_date_http(cof_s3_int(record, "modified"), modified);
    cof_headers_set(&c->reply->headers, "Last-Modified", modified);
    if (cof_s3_versioning_of(c) != COF_S3_UNVERSIONED)
        cof_headers_set(&c->reply->headers, "x-amz-version-id", cof_s3_text(record, "id"));
    return cof_s3_xml_close(c, "GetObjectAttributesResponse");
}

enum cof_err cof_s3_get_attributes(struct cof_s3_call *c)
{
    bool named = cof_s3_param(c, "versionId").len > 0;
    struct cof_secret kek COF_SECRET_AUTO = {0};
    struct cof_s3_sse sse = {.mode = COF_S3_SSE_NONE};
    json_t *record = NULL;
    uint64_t max, after;
    unsigned wanted;
    bool as_ceph;
    enum cof_err err;

    if (cof_s3_find_version(c, "s3:GetObject", "s3:GetObjectVersion", &record, &err) &&
        cof_s3_allowed(c, named ? "s3:GetObjectVersionAttributes" : "s3:GetObjectAttributes", true,
            json_object_get(record, "tags"), false, &err) &&
        read_wanted(c, &wanted) && read_number(c, "x-amz-max-parts", 1000, 1000, &max) &&
        read_number(c, "x-amz-part-number-marker", COF_S3_PARTS_MAX, 0, &after) && cof_s3_sse_for_read(c, false, &sse) &&
        cof_s3_sse_open(c, json_object_get(record, "sse"), &sse, &kek, &err))
        err = cof_s3_setting(c->store, "as_ceph", &as_ceph);
    else
        goto out;
    if (err == COF_OK)
        err = say(c, record, wanted, max, after, as_ceph);
out:
    cof_s3_sse_done(&sse);
    json_decref(record);
    return err;
}
