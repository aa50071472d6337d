/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/s3_multipart.h"

#include "base/codec.h"
#include "base/num.h"
#include "engine/aws_chunked.h"
#include "engine/aws_error.h"
#include "engine/s3_request.h"
#include "format/xml.h"

#include <stdio.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)
#define REPLY_MAX ((size_t)4 << 20)
#define REPLY_NODES 20000

enum cof_err cof_s3_part_size(uint64_t object_bytes, uint64_t wished, uint64_t *out)
{
    uint64_t least = (object_bytes + COF_S3_PARTS_MAX - 1) / COF_S3_PARTS_MAX;

    if (object_bytes > COF_S3_OBJECT_MAX)
        return COF_E_TOO_LARGE;
    least = (least + MIB - 1) / MIB * MIB;
    *out = wished < COF_S3_PART_MIN ? COF_S3_PART_MIN : wished;
    *out = *out > COF_S3_PART_LARGEST ? COF_S3_PART_LARGEST : *out;
    *out = *out < least ? least : *out;
    return COF_OK;
}

static const char *kind_of(enum cof_checksum_alg alg)
{
    return cof_checksum_is_crc(alg) ? "FULL_OBJECT" : "COMPOSITE";
}

enum cof_err cof_s3_create_multipart(struct cof_aws_request *out, const struct cof_s3_put *put,
                                     enum cof_checksum_alg checksum)
{
    enum cof_err err = cof_s3_begin(out, "POST", put->bucket, put->key);

    cof_aws_request_query(out, "uploads", (struct cof_view){0});
    if (err == COF_OK)
        err = cof_s3_add_sse(&out->headers, &put->sse);
    cof_s3_add_attributes(&out->headers, &put->attributes);
    if (checksum != COF_CHECKSUM_NONE) {
        cof_headers_add_str(&out->headers, "x-amz-checksum-algorithm", cof_checksum_name(checksum));
        cof_headers_add_str(&out->headers, "x-amz-checksum-type", kind_of(checksum));
    }
    out->replayable = true; /* at worst an upload without parts is left, which costs nothing */
    return cof_s3_finish(out, err);
}

static enum cof_err begin_of(struct cof_aws_request *out, const char *method, const struct cof_s3_upload_of *upload)
{
    enum cof_err err = cof_s3_begin(out, method, upload->bucket, upload->key);

    cof_aws_request_query(out, "uploadId", upload->upload_id);
    if (err == COF_OK && upload->sse != NULL && upload->sse->mode == COF_SSE_C && strcmp(method, "DELETE") != 0)
        err = cof_s3_add_customer_key(&out->headers, upload->sse->customer_key, false);
    out->replayable = true;
    return err;
}

enum cof_err cof_s3_upload_part(struct cof_aws_request *out, const struct cof_s3_upload_of *upload, unsigned number,
                                uint64_t length)
{
    enum cof_err err = begin_of(out, "PUT", upload);

    cof_s3_add_number(out, "partNumber", number);
    out->streaming = true;
    out->length = length;
    out->checksum = upload->checksum;
    return cof_s3_finish(out, err);
}

enum cof_err cof_s3_list_parts(struct cof_aws_request *out, const struct cof_s3_upload_of *upload, unsigned after)
{
    enum cof_err err = begin_of(out, "GET", upload);

    if (after > 0)
        cof_s3_add_number(out, "part-number-marker", after);
    return cof_s3_finish(out, err);
}

enum cof_err cof_s3_abort_multipart(struct cof_aws_request *out, const struct cof_s3_upload_of *upload)
{
    return cof_s3_finish(out, begin_of(out, "DELETE", upload));
}

enum cof_err cof_s3_join_parts(enum cof_checksum_alg alg, bool composite, const struct cof_s3_part *parts, size_t n_parts,
                               uint8_t out[static COF_CHECKSUM_MAX])
{
    struct cof_checksum sum = {0};
    enum cof_err err;

    if (!composite) {
        if (n_parts > 1 && !cof_checksum_is_crc(alg))
            return COF_E_USAGE;
        memcpy(out, parts[0].sum, COF_CHECKSUM_MAX);
        for (size_t i = 1; i < n_parts; i++)
            cof_checksum_join(alg, out, parts[i].sum, parts[i].length);
        return COF_OK;
    }
    err = cof_checksum_init(&sum, alg);
    for (size_t i = 0; i < n_parts && err == COF_OK; i++)
        err = cof_checksum_update(&sum, cof_view_of(parts[i].sum, cof_checksum_size(alg)));
    if (err == COF_OK)
        err = cof_checksum_final(&sum, out);
    cof_checksum_done(&sum);
    return err;
}

enum cof_err cof_s3_join_checksum(enum cof_checksum_alg alg, const struct cof_s3_part *parts, size_t n_parts,
                                  char out[static COF_S3_SUM_MAX])
{
    bool composite = !cof_checksum_is_crc(alg);
    uint8_t whole[COF_CHECKSUM_MAX];
    struct cof_buf text;
    enum cof_err err = cof_s3_join_parts(alg, composite, parts, n_parts, whole);

    cof_buf_init(&text, COF_S3_SUM_MAX - 1);
    if (err == COF_OK)
        cof_base64_add(&text, cof_view_of(whole, cof_checksum_size(alg)));
    if (composite)
        cof_buf_printf(&text, "-%zu", n_parts);
    if (err == COF_OK)
        err = cof_buf_err(&text);
    (void)snprintf(out, COF_S3_SUM_MAX, "%s", err == COF_OK ? cof_buf_cstr(&text) : "");
    cof_buf_done(&text);
    return err;
}

static void add_part(struct cof_buf *body, enum cof_checksum_alg alg, unsigned number, const struct cof_s3_part *part)
{
    cof_buf_printf(body, "<Part><PartNumber>%u</PartNumber><ETag>", number);
    for (const char *c = part->etag; *c != '\0'; c++) { /* what S3 said, as text */
        if (*c == '"')
            cof_buf_add_str(body, "&quot;");
        else if (*c != '<' && *c != '&' && *c != '>')
            cof_buf_add_bytes(body, c, 1);
    }
    cof_buf_add_str(body, "</ETag>");
    if (part->has_sum) {
        cof_buf_printf(body, "<Checksum%s>", cof_checksum_name(alg));
        cof_base64_add(body, cof_view_of(part->sum, cof_checksum_size(alg)));
        cof_buf_printf(body, "</Checksum%s>", cof_checksum_name(alg));
    }
    cof_buf_add_str(body, "</Part>");
}

enum cof_err cof_s3_complete_multipart(struct cof_aws_request *out, const struct cof_s3_upload_of *upload,
                                       const struct cof_s3_part *parts, size_t n_parts, const struct cof_s3_put *conditions)
{
    enum cof_err err = begin_of(out, "POST", upload);
    uint64_t total = 0;
    char text[COF_S3_SUM_MAX];

    if (n_parts == 0)
        err = COF_E_USAGE;
    cof_buf_add_str(&out->body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < n_parts; i++) {
        add_part(&out->body, upload->checksum, (unsigned)i + 1, &parts[i]);
        total += parts[i].length;
    }
    cof_buf_add_str(&out->body, "</CompleteMultipartUpload>");
    cof_headers_add_str(&out->headers, "Content-Type", "application/xml");
    cof_s3_add_conditions(&out->headers, conditions);
    if (err == COF_OK && upload->checksum != COF_CHECKSUM_NONE) {
        cof_headers_add_str(&out->headers, "x-amz-checksum-type", kind_of(upload->checksum));
        err = cof_s3_join_checksum(upload->checksum, parts, n_parts, text);
        if (cof_checksum_is_crc(upload->checksum))
            cof_headers_add_str(&out->headers, cof_aws_checksum_header(upload->checksum), text);
    }
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)total);
    cof_headers_add_str(&out->headers, "x-amz-mp-object-size", text);
    return cof_s3_finish(out, err);
}

static void put_text(char *out, size_t size, struct cof_view v)
{
    bool fits = v.len < size && cof_view_find(v, 0) == SIZE_MAX;

    if (fits && v.len > 0)
        memcpy(out, v.data, v.len);
    out[fits ? v.len : 0] = '\0';
}

static enum cof_err parse_reply(struct cof_view body, const char *name, struct cof_xml_node **root, struct cof_diag *diag)
{
    enum cof_err err = cof_xml_parse(body, REPLY_MAX, REPLY_NODES, root);

    /* "CompleteMultipartUploadResult"; some servers call it "...Response". */
    if (err == COF_OK && strncmp((*root)->name, name, strlen(name) - strlen("Result")) != 0 && strcmp((*root)->name, "Error") != 0) {
        cof_xml_free(*root);
        err = COF_E_FORMAT;
    }
    if (err == COF_E_FORMAT)
        (void)cof_diag_set(diag, err, "S3: the reply is no %s", name);
    if (err != COF_OK)
        *root = NULL;
    return err;
}

enum cof_err cof_s3_read_created(struct cof_view body, char upload_id[static COF_S3_UPLOAD_ID_MAX], struct cof_diag *diag)
{
    struct cof_xml_node *root;
    enum cof_err err = parse_reply(body, "InitiateMultipartUploadResult", &root, diag);

    if (err != COF_OK)
        return err;
    put_text(upload_id, COF_S3_UPLOAD_ID_MAX, cof_xml_text(root, "UploadId"));
    cof_xml_free(root);
    return upload_id[0] != '\0' ? COF_OK : cof_diag_set(diag, COF_E_FORMAT, "S3: a multipart upload without an id");
}

static enum cof_err read_part(const struct cof_xml_node *node, enum cof_checksum_alg alg, unsigned *number,
                              struct cof_s3_part *part)
{
    char element[32];
    struct cof_buf sum;
    uint64_t n;
    enum cof_err err = cof_parse_u64(cof_xml_text(node, "PartNumber"), COF_S3_PARTS_MAX, &n);

    *part = (struct cof_s3_part){.is_stored = true};
    if (err == COF_OK && n == 0)
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = cof_parse_u64(cof_xml_text(node, "Size"), INT64_MAX, &part->length);
    if (err != COF_OK)
        return COF_E_FORMAT;
    *number = (unsigned)n;
    put_text(part->etag, sizeof part->etag, cof_xml_text(node, "ETag"));
    if (alg == COF_CHECKSUM_NONE)
        return COF_OK;
    (void)snprintf(element, sizeof element, "Checksum%s", cof_checksum_name(alg));
    cof_buf_init(&sum, 128);
    if (cof_base64_decode(cof_xml_text(node, element), &sum) == COF_OK && sum.len == cof_checksum_size(alg)) {
        memcpy(part->sum, sum.data, sum.len);
        part->has_sum = true;
    }
    cof_buf_done(&sum);
    return COF_OK;
}

enum cof_err cof_s3_read_parts(struct cof_view body, enum cof_checksum_alg checksum,
                               void (*part)(void *ctx, unsigned number, const struct cof_s3_part *part), void *ctx,
                               unsigned *next, struct cof_diag *diag)
{
    struct cof_xml_node *root;
    enum cof_err err = parse_reply(body, "ListPartsResult", &root, diag);
    uint64_t marker = 0;

    *next = 0;
    if (err != COF_OK)
        return err;
    for (const struct cof_xml_node *n = cof_xml_child(root, "Part"); n != NULL && err == COF_OK;
         n = cof_xml_again(n, "Part")) {
        struct cof_s3_part found;
        unsigned number;
        err = read_part(n, checksum, &number, &found);
        if (err == COF_OK)
            part(ctx, number, &found);
    }
    if (err == COF_OK && cof_view_eq(cof_xml_text(root, "IsTruncated"), COF_LIT("true"))) {
        err = cof_parse_u64(cof_xml_text(root, "NextPartNumberMarker"), COF_S3_PARTS_MAX, &marker);
        if (err == COF_OK && marker == 0)
            err = COF_E_FORMAT;
        *next = (unsigned)marker;
    }
    cof_xml_free(root);
    return err == COF_OK ? COF_OK : cof_diag_set(diag, COF_E_FORMAT, "S3: the list of parts is malformed");
}

enum cof_err cof_s3_read_completed(struct cof_view body, enum cof_checksum_alg checksum, char etag[static 128],
                                   char sum[static COF_S3_SUM_MAX], struct cof_diag *diag)
{
    struct cof_http_head head = {.status = 200};
    struct cof_aws_error error;
    struct cof_xml_node *root;
    char element[32];
    const char *name = memmem(body.data, body.len, "CopyObjectResult", 16) != NULL ? "CopyObjectResult"
                       : memmem(body.data, body.len, "CopyPartResult", 14) != NULL ? "CopyPartResult"
                                                                                  : "CompleteMultipartUploadResult";
    enum cof_err err = parse_reply(body, name, &root, diag);

    etag[0] = sum[0] = '\0';
    if (err != COF_OK)
        return err;
    if (strcmp(root->name, "Error") == 0) {
        cof_headers_init(&head.headers);
        err = cof_aws_error_read(COF_AWS_S3, &head, body, &error, diag);
        cof_headers_done(&head.headers);
    } else {
        put_text(etag, 128, cof_xml_text(root, "ETag"));
        if (checksum != COF_CHECKSUM_NONE) {
            (void)snprintf(element, sizeof element, "Checksum%s", cof_checksum_name(checksum));
            put_text(sum, COF_S3_SUM_MAX, cof_xml_text(root, element));
        }
    }
    cof_xml_free(root);
    return err;
}
