/* SPDX-License-Identifier: Apache-2.0
 *
 * S3's listings: objects, versions, buckets; page after page.
 */
#include "base/date.h"
#include "base/num.h"
#include "client/s3.h"
#include "format/uri.h"
#include "format/xml.h"

#include <string.h>

#define LIST_MAX ((size_t)4 << 20)
#define LIST_NODES 20000
#define PAGES_MAX 1000000

struct listing {
    enum cof_err (*entry)(void *ctx, const struct cof_s3_entry *entry);
    void *ctx;
    struct cof_buf key, token, version_token;
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

static enum cof_err give_version(struct listing *l, const struct cof_xml_node *node, bool is_marker)
{
    struct cof_s3_entry e = {.etag = cof_xml_text(node, "ETag"), .version_id = cof_xml_text(node, "VersionId"),
                             .is_latest = cof_view_eq(cof_xml_text(node, "IsLatest"), COF_LIT("true")),
                             .is_delete_marker = is_marker};
    enum cof_err err = plain_key(l, cof_xml_text(node, "Key"), &e.key);

    if (err == COF_OK && !is_marker)
        err = cof_parse_u64(cof_xml_text(node, "Size"), INT64_MAX, &e.size);
    if (err == COF_OK)
        err = cof_date_parse_iso(cof_xml_text(node, "LastModified"), &e.modified_ms);
    return err == COF_OK ? l->entry(l->ctx, &e) : err;
}

static enum cof_err give_versions(struct listing *l, const struct cof_xml_node *root, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    l->is_encoded = cof_view_eq(cof_xml_text(root, "EncodingType"), COF_LIT("url"));
    if (strcmp(root->name, "ListVersionsResult") != 0)
        return cof_diag_set(diag, COF_E_FORMAT, "S3: the reply is no listing");
    for (const struct cof_xml_node *n = root->child; n != NULL && err == COF_OK; n = n->next)
        if (strcmp(n->name, "Version") == 0 || strcmp(n->name, "DeleteMarker") == 0)
            err = give_version(l, n, n->name[0] == 'D');
    cof_buf_reset(&l->token);
    cof_buf_reset(&l->version_token);
    if (err == COF_OK && cof_view_eq(cof_xml_text(root, "IsTruncated"), COF_LIT("true"))) {
        struct cof_view marker;
        err = plain_key(l, cof_xml_text(root, "NextKeyMarker"), &marker);
        cof_buf_add(&l->token, marker);
        cof_buf_add(&l->version_token, cof_xml_text(root, "NextVersionIdMarker"));
        if (err == COF_OK)
            err = cof_buf_err(&l->token) != COF_OK ? cof_buf_err(&l->token) : cof_buf_err(&l->version_token);
        if (err == COF_OK && l->token.len == 0)
            err = cof_diag_set(diag, COF_E_FORMAT, "S3: the listing goes on, but does not say where");
    }
    return err;
}

enum cof_err cof_s3_run_list_versions(struct cof_aws *aws, struct cof_view bucket, struct cof_view prefix,
                                      enum cof_err (*entry)(void *ctx, const struct cof_s3_entry *entry), void *ctx,
                                      struct cof_diag *diag)
{
    struct listing l = {.entry = entry, .ctx = ctx};
    enum cof_err err = COF_OK;

    cof_buf_init(&l.key, 65536);
    cof_buf_init(&l.token, 8192);
    cof_buf_init(&l.version_token, 8192);
    for (unsigned page = 0; err == COF_OK && (page == 0 || l.token.len > 0); page++) {
        struct cof_aws_request request;
        struct cof_aws_reply reply;
        struct cof_xml_node *root = NULL;
        err = page == PAGES_MAX ? COF_E_LIMIT
                                : cof_s3_list_versions(&request, bucket, prefix, cof_buf_view(&l.token),
                                                       cof_buf_view(&l.version_token));
        if (err != COF_OK)
            break;
        cof_aws_request_query(&request, "encoding-type", COF_LIT("url"));
        err = cof_aws_run(aws, &request, LIST_MAX, &reply, diag);
        if (err != COF_OK)
            break;
        err = cof_xml_parse(cof_buf_view(&reply.body), LIST_MAX, LIST_NODES, &root);
        if (err == COF_OK)
            err = give_versions(&l, root, diag);
        cof_xml_free(root);
        cof_aws_reply_done(&reply);
    }
    cof_buf_done(&l.key);
    cof_buf_done(&l.token);
    cof_buf_done(&l.version_token);
    return err;
}

enum cof_err cof_s3_run_list_buckets(struct cof_aws *aws,
                                     enum cof_err (*entry)(void *ctx, const struct cof_s3_entry *entry), void *ctx,
                                     struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    struct cof_xml_node *root = NULL;
    enum cof_err err = cof_s3_list_buckets(&request);

    if (err == COF_OK)
        err = cof_aws_run(aws, &request, LIST_MAX, &reply, diag);
    if (err != COF_OK)
        return err;
    err = cof_xml_parse(cof_buf_view(&reply.body), LIST_MAX, LIST_NODES, &root);
    if (err == COF_OK && strcmp(root->name, "ListAllMyBucketsResult") != 0)
        err = cof_diag_set(diag, COF_E_FORMAT, "S3: the reply is no list of buckets");
    for (const struct cof_xml_node *n = err == COF_OK ? cof_xml_child(cof_xml_child(root, "Buckets"), "Bucket") : NULL;
         n != NULL && err == COF_OK; n = cof_xml_again(n, "Bucket")) {
        struct cof_s3_entry e = {.key = cof_xml_text(n, "Name")};
        err = cof_date_parse_iso(cof_xml_text(n, "CreationDate"), &e.modified_ms);
        if (err == COF_OK)
            err = entry(ctx, &e);
    }
    cof_xml_free(root);
    cof_aws_reply_done(&reply);
    return err;
}
