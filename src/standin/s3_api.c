/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_api.h"

#include "base/date.h"
#include "base/num.h"
#include "standin/s3_record.h"

#include <stdio.h>
#include <string.h>

bool cof_s3_bucket_name_ok(struct cof_view name)
{
    size_t dots = 0, digits = 0;

    if (name.len < 3 || name.len > 63)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (!alnum && c != '-' && c != '.')
            return false;
        if (!alnum && (i == 0 || i == name.len - 1))
            return false;
        if (c == '.' && (name.data[i - 1] == '.' || name.data[i - 1] == '-' || name.data[i + 1] == '-'))
            return false;
        dots += c == '.';
        digits += c >= '0' && c <= '9';
    }
    return !(dots == 3 && digits + dots == name.len); /* formed like an IPv4 address */
}

enum cof_err cof_s3_fail_with(
    struct cof_s3_call *c, int status, const char *code, const char *message, const char *extra)
{
    return cof_reply_s3_error(c->reply, c->req, status, code, message, extra);
}

enum cof_err cof_s3_fail(struct cof_s3_call *c, int status, const char *code, const char *message)
{
    return cof_s3_fail_with(c, status, code, message, NULL);
}

enum cof_err cof_s3_no_key(struct cof_s3_call *c)
{
    struct cof_buf extra;
    enum cof_err err;

    cof_buf_init(&extra, 8192);
    cof_xml_element(&extra, "Key", cof_buf_view(&c->key));
    err = cof_s3_fail_with(c, 404, "NoSuchKey", "The specified key does not exist.", cof_buf_cstr(&extra));
    cof_buf_done(&extra);
    return err;
}

/* The bucket of a virtual-hosted address: BUCKET.s3.amazonaws.com, BUCKET.s3.REGION.amazonaws.com, BUCKET.localhost or
 * BUCKET.s3.localhost, with or without a port. */
static struct cof_view virtual_bucket(const struct cof_http_head *head)
{
    static const char *const ends[] = {".s3.localhost", ".localhost", ".s3.amazonaws.com"};
    struct cof_view host, rest;
    size_t at;

    if (!cof_headers_get(&head->headers, "host", &host))
        return (struct cof_view){NULL, 0};
    (void)cof_view_split(host, ':', &host, &rest);
    if (cof_view_eq_str(host, "s3.localhost"))
        return (struct cof_view){NULL, 0};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (cof_view_ends(host, cof_view_str(ends[i])))
            return cof_view_sub(host, 0, host.len - strlen(ends[i]));
    if (!cof_view_ends(host, COF_LIT(".amazonaws.com")))
        return (struct cof_view){NULL, 0};
    for (at = 0; at + 4 <= host.len; at++)
        if (cof_view_starts(cof_view_sub(host, at, SIZE_MAX), COF_LIT(".s3.")))
            return cof_view_sub(host, 0, at);
    return (struct cof_view){NULL, 0};
}

static bool take_key(struct cof_s3_call *c, struct cof_view raw)
{
    if (raw.len == 0)
        return true;
    if (cof_uri_decode(raw, false, &c->key) != COF_OK || !cof_view_is_utf8(cof_buf_view(&c->key)) ||
        cof_view_find(cof_buf_view(&c->key), 0) != SIZE_MAX) {
        (void)cof_s3_fail(c, 400, "InvalidURI", "Couldn't parse the specified URI.");
        return false;
    }
    if (c->key.len > COF_S3_KEY_MAX) {
        (void)cof_s3_fail(c, 400, "KeyTooLongError", "Your key is too long");
        return false;
    }
    c->level = COF_S3_OBJECT;
    return true;
}

bool cof_s3_call_init(
    struct cof_s3_call *c, struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    struct cof_view path = req->head->path, bucket = virtual_bucket(req->head), rest;

    *c = (struct cof_s3_call){
        .s = s, .store = cof_standin_store(s), .req = req, .reply = reply, .level = COF_S3_SERVICE};
    cof_buf_init(&c->key, 4 * COF_S3_KEY_MAX);
    cof_buf_init(&c->scratch, 65536);
    cof_buf_init(&c->policy, COF_POLICY_SIZE_MAX);
    path = cof_view_sub(path, path.len > 0 && path.data[0] == '/' ? 1 : 0, SIZE_MAX);
    rest = path;
    if (bucket.len == 0)
        (void)cof_view_split(path, '/', &bucket, &rest);
    if (bucket.len == 0)
        return true;
    c->level = COF_S3_BUCKET;
    if (!cof_s3_bucket_name_ok(bucket)) {
        (void)cof_s3_fail(c, 400, "InvalidBucketName", "The specified bucket is not valid.");
        return false;
    }
    memcpy(c->bucket, bucket.data, bucket.len);
    return take_key(c, rest);
}

void cof_s3_call_done(struct cof_s3_call *c)
{
    cof_buf_done(&c->key);
    cof_buf_done(&c->scratch);
    cof_buf_done(&c->policy);
    json_decref(c->bucket_record);
    *c = (struct cof_s3_call){0};
}

bool cof_s3_load_bucket(struct cof_s3_call *c, enum cof_err *err)
{
    struct cof_buf extra;

    *err = cof_s3_bucket_get(c->store, c->bucket, &c->bucket_record);
    if (*err == COF_OK) {
        enum cof_err found = c->store->get(c->store->ctx, "s3.policy", cof_view_str(c->bucket), &c->policy);

        *err = found == COF_E_NOT_FOUND ? COF_OK : found;
        return *err == COF_OK;
    }
    if (*err != COF_E_NOT_FOUND)
        return false;
    cof_buf_init(&extra, 256);
    cof_xml_element(&extra, "BucketName", cof_view_str(c->bucket));
    *err = cof_s3_fail_with(c, 404, "NoSuchBucket", "The specified bucket does not exist", cof_buf_cstr(&extra));
    cof_buf_done(&extra);
    return false;
}

void cof_s3_arn(const struct cof_s3_call *c, bool object, struct cof_buf *out)
{
    cof_buf_add_str(out, "arn:aws:s3:::");
    cof_buf_add_str(out, c->bucket);
    if (object) {
        cof_buf_add_str(out, "/");
        cof_buf_add(out, cof_buf_view(&c->key));
    }
}

struct cof_view cof_s3_header(const struct cof_s3_call *c, const char *name)
{
    struct cof_view value;

    return cof_headers_get(&c->req->head->headers, name, &value) ? cof_view_trim(value) : (struct cof_view){NULL, 0};
}

/* Parameters are copied where nothing moves them: into json strings would lose NULs, so scratch is sized once. */
struct cof_view cof_s3_param(struct cof_s3_call *c, const char *name)
{
    size_t at = c->scratch.len;

    if (c->scratch.cap == 0 && cof_buf_reserve(&c->scratch, 40000) != COF_OK)
        return (struct cof_view){NULL, 0};
    if (cof_query_get(c->req->head->query, name, &c->scratch) != COF_OK)
        return (struct cof_view){NULL, 0};
    return cof_view_of(c->scratch.data + at, c->scratch.len - at);
}

bool cof_s3_has_param(const struct cof_s3_call *c, const char *name)
{
    return cof_query_has(c->req->head->query, name);
}

bool cof_s3_param_number(struct cof_s3_call *c, const char *name, uint64_t max, uint64_t preset, uint64_t *out)
{
    struct cof_view text = cof_s3_param(c, name);
    char message[120];
    enum cof_err err;

    *out = preset;
    if (text.len == 0)
        return true;
    err = cof_parse_u64_padded(text, UINT32_MAX, out);
    if (err == COF_OK) {
        *out = *out > max ? max : *out;
        return true;
    }
    (void)snprintf(message, sizeof message, "Provided %s not an integer or within integer range", name);
    (void)cof_s3_fail(c, 400, "InvalidArgument", message);
    return false;
}

/* Headers and parameters that policies may speak of, by the name of their context key. */
static const struct { const char *key, *header, *param; } request_keys[] = {
    {"s3:x-amz-server-side-encryption", "x-amz-server-side-encryption", NULL},
    {"s3:x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-aws-kms-key-id", NULL},
    {"s3:x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-customer-algorithm", NULL},
    {"s3:x-amz-acl", "x-amz-acl", NULL},
    {"s3:x-amz-content-sha256", "x-amz-content-sha256", NULL},
    {"s3:x-amz-copy-source", "x-amz-copy-source", NULL},
    {"s3:x-amz-metadata-directive", "x-amz-metadata-directive", NULL},
    {"s3:x-amz-storage-class", "x-amz-storage-class", NULL},
    {"s3:x-amz-website-redirect-location", "x-amz-website-redirect-location", NULL},
    {"s3:if-none-match", "if-none-match", NULL},
    {"s3:if-match", "if-match", NULL},
    {"s3:prefix", NULL, "prefix"},
    {"s3:delimiter", NULL, "delimiter"},
    {"s3:max-keys", NULL, "max-keys"},
    {"s3:VersionId", NULL, "versionId"},
};

/* What a call creates an object with, for s3:ObjectCreationOperation. */
static struct cof_view creates(const struct cof_s3_call *c, const char *action)
{
    if (strcmp(action, "s3:PutObject") != 0)
        return (struct cof_view){NULL, 0};
    return cof_s3_has_param(c, "uploads") || cof_s3_has_param(c, "partNumber") ? COF_LIT("false") : COF_LIT("true");
}

struct texts {
    char age[24];
    struct cof_buf tag_keys; /* "s3:RequestObjectTag/x" and the like, decoded values */
};

/* tag=value&...: each as s3:RequestObjectTag/tag. */
static void add_request_tags(const struct cof_s3_call *c, struct texts *t, struct cof_standin_context *context)
{
    struct cof_view query = cof_s3_header(c, "x-amz-tagging"), name, value;

    while (cof_query_next(&query, &name, &value)) {
        size_t key = t->tag_keys.len, end, last;

        if (t->tag_keys.cap == 0 && cof_buf_reserve(&t->tag_keys, 16000) != COF_OK)
            return;
        cof_buf_add_str(&t->tag_keys, "s3:RequestObjectTag/");
        if (cof_uri_decode(name, true, &t->tag_keys) != COF_OK)
            return;
        end = t->tag_keys.len;
        if (cof_uri_decode(value, true, &t->tag_keys) != COF_OK || t->tag_keys.len > 16000)
            return;
        last = t->tag_keys.len;
        cof_standin_context_add(
            context, cof_view_of(t->tag_keys.data + key, end - key), cof_view_of(t->tag_keys.data + end, last - end));
    }
}

static void add_existing_tags(const json_t *tags, struct texts *t, struct cof_standin_context *context)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)tags, name, value) {
        size_t key = t->tag_keys.len;

        if (t->tag_keys.cap == 0 && cof_buf_reserve(&t->tag_keys, 16000) != COF_OK)
            return;
        if (t->tag_keys.len + strlen(name) + 24 > 16000)
            return;
        cof_buf_add_str(&t->tag_keys, "s3:ExistingObjectTag/");
        cof_buf_add_str(&t->tag_keys, name);
        cof_standin_context_add(context, cof_view_of(t->tag_keys.data + key, t->tag_keys.len - key),
            cof_view_str(json_string_value(value)));
    }
}

static void build_context(
    struct cof_s3_call *c, const char *action, const json_t *tags, struct texts *t, struct cof_standin_context *context)
{
    const struct cof_auth *auth = c->req->auth;
    struct cof_view creation = creates(c, action);

    for (size_t i = 0; i < sizeof request_keys / sizeof request_keys[0]; i++) {
        struct cof_view value = request_keys[i].header != NULL ? cof_s3_header(c, request_keys[i].header) :
            cof_s3_param(c, request_keys[i].param);

        if (value.len > 0 || (request_keys[i].param != NULL && cof_s3_has_param(c, request_keys[i].param)))
            cof_standin_context_add(context, cof_view_str(request_keys[i].key), value);
    }
    if (creation.len > 0)
        cof_standin_context_add(context, COF_LIT("s3:ObjectCreationOperation"), creation);
    if (auth->is_signed) {
        cof_standin_context_add(context, COF_LIT("s3:signatureversion"), COF_LIT("AWS4-HMAC-SHA256"));
        cof_standin_context_add(context, COF_LIT("s3:authType"),
            auth->claim.presigned ? COF_LIT("REST-QUERY-STRING") : COF_LIT("REST-HEADER"));
        (void)snprintf(t->age, sizeof t->age, "%lld",
            (long long)(c->req->now_ms > auth->claim.time_ms ? c->req->now_ms - auth->claim.time_ms : 0));
        cof_standin_context_add(context, COF_LIT("s3:signatureAge"), cof_view_str(t->age));
    }
    add_request_tags(c, t, context);
    add_existing_tags(tags, t, context);
}

const char *cof_s3_owner(const struct cof_s3_call *c)
{
    const char *owner = cof_s3_text(c->bucket_record, "owner");

    if (c->bucket_record == NULL)
        owner = c->req->principal->account;
    return owner[0] != '\0' ? owner : cof_standin_account(c->s);
}

bool cof_s3_allowed(
    struct cof_s3_call *c, const char *action, bool object, const json_t *tags, bool quiet, enum cof_err *err)
{
    struct cof_standin_context context = {.n = 0};
    struct texts texts;
    struct cof_buf arn, why;
    struct cof_standin_access access = {.action = action,
        .resource_policy = cof_buf_view(&c->policy),
        .resource_policy_name = "bucket-policy",
        .resource_policy_kind = COF_POLICY_RESOURCE,
        .rule = COF_RESOURCE_EITHER,
        .resource_account = cof_view_str(cof_s3_owner(c)),
        .context = &context};
    bool was = c->req->authorized;

    cof_buf_init(&texts.tag_keys, 65536);
    cof_buf_init(&arn, 2 * COF_S3_KEY_MAX);
    cof_buf_init(&why, 16384);
    build_context(c, action, tags, &texts, &context);
    if (c->level == COF_S3_SERVICE)
        cof_buf_add_str(&arn, "arn:aws:s3:::*");
    else
        cof_s3_arn(c, object, &arn);
    access.resource = cof_buf_view(&arn);
    *err = cof_standin_authorize(c->s, c->req, &access, &why);
    if (quiet)
        c->req->authorized = was;
    if (*err == COF_E_DENIED && !quiet)
        *err = cof_s3_fail(c, 403, "AccessDenied",
            c->req->principal->caller.kind == COF_CALLER_ANONYMOUS ? "Access Denied" : cof_buf_cstr(&why));
    else if (*err == COF_OK) {
        cof_buf_done(&texts.tag_keys);
        cof_buf_done(&arn);
        cof_buf_done(&why);
        return true;
    }
    if (quiet && *err == COF_E_DENIED)
        *err = COF_OK;
    cof_buf_done(&texts.tag_keys);
    cof_buf_done(&arn);
    cof_buf_done(&why);
    return false;
}

void cof_s3_xml_open(struct cof_s3_call *c, const char *root)
{
    cof_reply_set(c->reply, 200, "application/xml", COF_LIT("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
    cof_buf_printf(&c->reply->body, "<%s xmlns=\"" COF_S3_NS "\">", root);
}

enum cof_err cof_s3_xml_close(struct cof_s3_call *c, const char *root)
{
    cof_buf_printf(&c->reply->body, "</%s>", root);
    return cof_buf_err(&c->reply->body);
}

void cof_s3_xml_date(struct cof_buf *out, const char *name, int64_t ms)
{
    char text[COF_DATE_MAX];

    cof_date_iso(ms / 1000 * 1000, text);
    cof_xml_element(out, name, cof_view_str(text));
}

void cof_s3_xml_owner(struct cof_s3_call *c, const char *element)
{
    cof_buf_printf(&c->reply->body, "<%s><ID>%s</ID><DisplayName>%s</DisplayName></%s>", element,
        cof_s3_owner(c), cof_s3_owner(c), element);
}
