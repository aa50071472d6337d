/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/s3_copy.h"
#include "engine/s3_request.h"

#include "format/uri.h"
#include "format/xml.h"

#include <stdio.h>

#define TAGS_MAX 10 /* of an object */
#define TAGS_REPLY_MAX 65536

static enum cof_err add_source(struct cof_headers *headers, const struct cof_s3_get *from)
{
    struct cof_buf source;
    enum cof_err err;

    cof_buf_init(&source, 8192);
    cof_buf_add(&source, from->bucket);
    cof_buf_add_str(&source, "/");
    cof_uri_encode(&source, from->key, true);
    if (from->version_id.len > 0) {
        cof_buf_add_str(&source, "?versionId=");
        cof_uri_encode(&source, from->version_id, false);
    }
    cof_headers_add(headers, COF_LIT("x-amz-copy-source"), cof_buf_view(&source));
    err = cof_buf_err(&source);
    cof_buf_done(&source);
    if (from->if_match.len > 0)
        cof_headers_add(headers, COF_LIT("x-amz-copy-source-if-match"), from->if_match);
    if (err == COF_OK && from->sse.mode == COF_SSE_C)
        err = cof_s3_add_customer_key(headers, from->sse.customer_key, true);
    return err;
}

enum cof_err cof_s3_copy_whole(struct cof_aws_request *out, const struct cof_s3_get *from, const struct cof_s3_put *to)
{
    const struct cof_s3_attributes a = {.lock_mode = to->attributes.lock_mode, .lock_until = to->attributes.lock_until,
                                        .legal_hold = to->attributes.legal_hold, .storage_class = to->attributes.storage_class};
    enum cof_err err = cof_s3_begin(out, "PUT", to->bucket, to->key);

    if (err == COF_OK)
        err = add_source(&out->headers, from);
    if (err == COF_OK)
        err = cof_s3_add_sse(&out->headers, &to->sse);
    cof_s3_add_attributes(&out->headers, &a);
    cof_s3_add_conditions(&out->headers, to);
    if (to->checksum != COF_CHECKSUM_NONE)
        cof_headers_add_str(&out->headers, "x-amz-checksum-algorithm", cof_checksum_name(to->checksum));
    out->replayable = true;
    return cof_s3_finish(out, err);
}

enum cof_err cof_s3_copy_range(struct cof_aws_request *out, const struct cof_s3_upload_of *upload, const struct cof_s3_get *from, unsigned number,
                              uint64_t first, uint64_t length)
{
    enum cof_err err = cof_s3_begin(out, "PUT", upload->bucket, upload->key);
    char range[64];

    cof_aws_request_query(out, "uploadId", upload->upload_id);
    cof_s3_add_number(out, "partNumber", number);
    (void)snprintf(range, sizeof range, "bytes=%llu-%llu", (unsigned long long)first, (unsigned long long)(first + length - 1));
    cof_headers_add_str(&out->headers, "x-amz-copy-source-range", range);
    if (err == COF_OK)
        err = add_source(&out->headers, from);
    if (err == COF_OK && upload->sse != NULL && upload->sse->mode == COF_SSE_C)
        err = cof_s3_add_customer_key(&out->headers, upload->sse->customer_key, false);
    out->replayable = true;
    return cof_s3_finish(out, err);
}

void cof_s3_copy_headers(const struct cof_headers *from, struct cof_headers *to)
{
    static const char *const names[] = {"content-type", "content-encoding", "content-language", "content-disposition", "cache-control", "expires"};

    for (size_t i = 0; i < from->n; i++) {
        struct cof_view name = cof_headers_name(from, i);
        bool wanted = name.len > 11 && cof_view_eq_nocase(cof_view_sub(name, 0, 11), COF_LIT("x-amz-meta-"));

        for (size_t k = 0; k < sizeof names / sizeof names[0] && !wanted; k++)
            wanted = cof_view_eq_nocase(name, cof_view_str(names[k]));
        if (wanted)
            cof_headers_add(to, name, cof_headers_value(from, i));
    }
}

enum cof_err cof_s3_get_tags(struct cof_aws_request *out, const struct cof_s3_get *from)
{
    enum cof_err err = cof_s3_begin(out, "GET", from->bucket, from->key);

    cof_aws_request_query(out, "tagging", (struct cof_view){0});
    if (from->version_id.len > 0)
        cof_aws_request_query(out, "versionId", from->version_id);
    out->replayable = true;
    return cof_s3_finish(out, err);
}

enum cof_err cof_s3_read_tags(struct cof_view body, struct cof_buf *out, struct cof_diag *diag)
{
    struct cof_xml_node *root;
    const struct cof_xml_node *set;
    unsigned n = 0;
    enum cof_err err = cof_xml_parse(body, TAGS_REPLY_MAX, 100, &root);

    if (err != COF_OK)
        return err == COF_E_MEMORY ? err : cof_diag_set(diag, COF_E_FORMAT, "S3: the list of tags is malformed");
    set = cof_xml_child(root, "TagSet");
    for (const struct cof_xml_node *tag = cof_xml_child(set, "Tag"); tag != NULL; tag = cof_xml_again(tag, "Tag")) {
        cof_buf_add_str(out, n++ == 0 ? "" : "&");
        cof_uri_encode(out, cof_xml_text(tag, "Key"), false);
        cof_buf_add_str(out, "=");
        cof_uri_encode(out, cof_xml_text(tag, "Value"), false);
    }
    if (set == NULL)
        n = TAGS_MAX + 1;
    cof_xml_free(root);
    if (n > TAGS_MAX)
        return cof_diag_set(diag, COF_E_FORMAT, "S3: the list of tags is malformed");
    return cof_buf_err(out);
}
