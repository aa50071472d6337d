/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_context.h"

#include "format/xml.h"
#include "standin/s3_record.h"

#include <stdio.h>
#include <string.h>

#define TEXTS_MAX 32768
#define NUMBERS_MAX 64 /* bytes, where neither tags nor a source have to be written out */

/* Headers that policies may speak of whatever the action, by the name of their context key. */
#define HEADER(key, header) {key, header, sizeof(header) - 1}
static const struct { const char *key, *header; size_t len; } headers[] = {
    HEADER("s3:x-amz-server-side-encryption", "x-amz-server-side-encryption"),
    HEADER("s3:x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-aws-kms-key-id"),
    HEADER("s3:x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-customer-algorithm"),
    HEADER("s3:x-amz-acl", "x-amz-acl"),
    HEADER("s3:x-amz-grant-read", "x-amz-grant-read"),
    HEADER("s3:x-amz-grant-write", "x-amz-grant-write"),
    HEADER("s3:x-amz-grant-read-acp", "x-amz-grant-read-acp"),
    HEADER("s3:x-amz-grant-write-acp", "x-amz-grant-write-acp"),
    HEADER("s3:x-amz-grant-full-control", "x-amz-grant-full-control"),
    HEADER("s3:x-amz-content-sha256", "x-amz-content-sha256"),
    HEADER("s3:x-amz-metadata-directive", "x-amz-metadata-directive"),
    HEADER("s3:x-amz-object-ownership", "x-amz-object-ownership"),
    HEADER("s3:x-amz-storage-class", "x-amz-storage-class"),
    HEADER("s3:x-amz-website-redirect-location", "x-amz-website-redirect-location"),
    HEADER("s3:object-lock-legal-hold", "x-amz-object-lock-legal-hold"),
    HEADER("s3:if-none-match", "if-none-match"),
    HEADER("s3:if-match", "if-match"),
};
/* Parameters, of listings only: elsewhere a caller could give them for show. */
static const struct { const char *key, *param; } list_params[] = {
    {"s3:prefix", "prefix"}, {"s3:delimiter", "delimiter"}, {"s3:max-keys", "max-keys"}};

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static void add(struct cof_s3_context *x, const char *key, struct cof_view value)
{
    cof_standin_context_add(&x->keys, cof_view_str(key), value);
}

/* By the request's fields, which are fewer. Of several of one name the first counts, as everywhere. */
static void add_headers(struct cof_s3_context *x, const struct cof_s3_call *c)
{
    const struct cof_headers *h = &c->req->head->headers;

    for (size_t i = 0; i < h->n; i++) {
        struct cof_view name = cof_headers_name(h, i), first;

        for (size_t k = 0; k < COUNT(headers); k++)
            if (headers[k].len == name.len && cof_view_eq_nocase(name, cof_view_of(headers[k].header, name.len)) &&
                cof_headers_get(h, headers[k].header, &first) && first.data == cof_headers_value(h, i).data &&
                cof_view_trim(first).len > 0)
                add(x, headers[k].key, cof_view_trim(first));
    }
}

/* What was added to texts since start, or nothing when it did not fit: then nobody is let in. */
static struct cof_view since(struct cof_s3_context *x, size_t start)
{
    if (cof_buf_err(&x->texts) != COF_OK) {
        x->keys.over = true;
        return (struct cof_view){NULL, 0};
    }
    return cof_view_of(x->texts.data + start, x->texts.len - start);
}

static void add_tag(struct cof_s3_context *x, const char *family, struct cof_view name, struct cof_view value, bool requested)
{
    size_t start = x->texts.len;
    struct cof_view key;

    cof_buf_add_str(&x->texts, family);
    cof_buf_add(&x->texts, name);
    key = since(x, start);
    cof_standin_context_add(&x->keys, key, value);
    if (!requested)
        return;
    if (x->n_tag_keys == COF_S3_CONTEXT_TAGS)
        x->keys.over = true;
    else
        x->tag_keys[x->n_tag_keys++] = cof_view_sub(key, strlen(family), SIZE_MAX);
}

/* tag=value&... of the header, or the tags of the body: s3:RequestObjectTag/... and s3:RequestObjectTagKeys. */
static void add_request_tags(struct cof_s3_context *x, const struct cof_s3_call *c)
{
    struct cof_view query = cof_s3_header(c, "x-amz-tagging"), raw_name, raw_value, name, value;
    const struct cof_xml_node *tag;

    while (cof_query_next(&query, &raw_name, &raw_value)) {
        size_t start = x->texts.len, middle;

        if (cof_uri_decode(raw_name, true, &x->texts) != COF_OK)
            x->keys.over = true;
        middle = x->texts.len;
        if (cof_uri_decode(raw_value, true, &x->texts) != COF_OK)
            x->keys.over = true;
        value = since(x, middle);
        name = cof_view_sub(since(x, start), 0, middle - start);
        add_tag(x, "s3:RequestObjectTag/", name, value, true);
    }
    for (tag = cof_xml_child(c->body_tags, "Tag"); tag != NULL; tag = cof_xml_again(tag, "Tag"))
        add_tag(x, "s3:RequestObjectTag/", cof_xml_text(tag, "Key"), cof_xml_text(tag, "Value"), true);
    if (x->n_tag_keys > 0)
        cof_standin_context_add_list(&x->keys, COF_LIT("s3:RequestObjectTagKeys"), x->tag_keys, x->n_tag_keys);
}

static void add_existing_tags(struct cof_s3_context *x, const json_t *tags)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)tags, name, value)
        add_tag(x, "s3:ExistingObjectTag/", cof_view_str(name), cof_view_str(json_string_value(value)), false);
}

/* BUCKET/KEY and /BUCKET/KEY: policies are written in both ways. */
static void add_copy_source(struct cof_s3_context *x, const struct cof_s3_call *c)
{
    struct cof_view text = cof_s3_header(c, "x-amz-copy-source"), query;
    struct cof_view named;
    size_t start = x->texts.len;

    if (text.len == 0)
        return;
    (void)cof_view_split(text, '?', &text, &query);
    cof_buf_add_str(&x->texts, "/");
    if (cof_uri_decode(text, false, &x->texts) != COF_OK) { /* which is refused for it later */
        cof_buf_truncate(&x->texts, start + 1);
        cof_buf_add(&x->texts, text);
    }
    if (cof_buf_err(&x->texts) != COF_OK)
        x->keys.over = true;
    named = since(x, start); /* with one slash too many where the text had one, however that was written */
    named = cof_view_sub(named, named.len > 1 && named.data[1] == '/' ? 1 : 0, SIZE_MAX);
    x->source[0] = named;
    x->source[1] = cof_view_sub(named, 1, SIZE_MAX);
    cof_standin_context_add_list(&x->keys, COF_LIT("s3:x-amz-copy-source"), x->source, 2);
}

static void add_lock(struct cof_s3_context *x, const struct cof_s3_call *c)
{
    size_t start = x->texts.len;

    if (c->lock_until.len == 0)
        return;
    cof_buf_printf(&x->texts, "%lld", (long long)c->lock_days);
    add(x, "s3:object-lock-remaining-retention-days", since(x, start));
    add(x, "s3:object-lock-mode", c->lock_mode);
    add(x, "s3:object-lock-retain-until-date", c->lock_until);
}

static void add_signature(struct cof_s3_context *x, const struct cof_s3_call *c)
{
    const struct cof_auth *auth = c->req->auth;
    size_t start = x->texts.len;

    if (!auth->is_signed)
        return;
    cof_buf_add_decimal(&x->texts, (uint64_t)(c->req->now_ms > auth->claim.time_ms ? c->req->now_ms - auth->claim.time_ms : 0));
    add(x, "s3:signatureAge", since(x, start));
    add(x, "s3:signatureversion", COF_LIT("AWS4-HMAC-SHA256"));
    add(x, "s3:authType", auth->claim.presigned ? COF_LIT("REST-QUERY-STRING") : COF_LIT("REST-HEADER"));
}

/* By what the request does, not by what its query says besides: a begun upload and its parts are no object yet. */
static bool creates_object(const struct cof_s3_call *c)
{
    struct cof_view method = c->req->head->method;

    if (cof_view_eq_str(method, "POST"))
        return !cof_s3_has_param(c, "uploads");
    return !(cof_view_eq_str(method, "PUT") && cof_s3_has_param(c, "uploadId") && cof_s3_has_param(c, "partNumber"));
}

static bool is_version_action(const char *action)
{
    return strstr(action, "Version") != NULL && strcmp(action, "s3:ListBucketVersions") != 0;
}

void cof_s3_context_init(
    struct cof_s3_context *x, struct cof_s3_call *c, const char *action, const json_t *tags, bool probe)
{
    bool lists = strcmp(action, "s3:ListBucket") == 0 || strcmp(action, "s3:ListBucketVersions") == 0;
    bool wordy = tags != NULL || c->body_tags != NULL || cof_s3_header(c, "x-amz-tagging").len > 0 ||
        cof_s3_header(c, "x-amz-copy-source").len > 0;
    size_t room = wordy ? TEXTS_MAX : NUMBERS_MAX;

    x->keys.n = x->n_tag_keys = 0;
    cof_buf_init(&x->texts, room);
    x->keys.over = cof_buf_reserve(&x->texts, room) != COF_OK; /* nothing may move under the views */
    add_headers(x, c);
    for (size_t i = 0; i < COUNT(list_params) && lists && !probe; i++)
        if (cof_s3_has_param(c, list_params[i].param))
            add(x, list_params[i].key, cof_s3_param(c, list_params[i].param));
    if (lists && probe)
        add(x, "s3:prefix", cof_buf_view(&c->key));
    if (is_version_action(action) && c->version_id.len > 0)
        add(x, "s3:VersionId", c->version_id);
    else if (is_version_action(action) && cof_s3_has_param(c, "versionId"))
        add(x, "s3:VersionId", cof_s3_param(c, "versionId"));
    if (strcmp(action, "s3:PutObject") == 0)
        add(x, "s3:ObjectCreationOperation", creates_object(c) ? COF_LIT("true") : COF_LIT("false"));
    add(x, "s3:ResourceAccount", cof_view_str(cof_s3_owner(c)));
    add_signature(x, c);
    add_copy_source(x, c);
    add_lock(x, c);
    add_request_tags(x, c);
    add_existing_tags(x, tags);
}

void cof_s3_context_done(struct cof_s3_context *x)
{
    cof_buf_done(&x->texts);
}
