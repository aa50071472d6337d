/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_api.h"

#include "base/date.h"
#include "base/num.h"
#include "base/num.h"
#include "standin/memo.h"
#include "standin/s3_record.h"

#include <stdio.h>
#include <string.h>

/* S3 Control's one operation here: Block Public Access of the account. */
#define COF_S3_ACCOUNT_PATH "/v20180820/configuration/publicAccessBlock"

/* spec: names that S3 keeps for itself. */
static bool is_reserved(struct cof_view name)
{
    static const char *const starts[] = {"xn--", "sthree-", "amzn-s3-demo-"};
    static const char *const ends[] = {"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"};

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (cof_view_starts(name, cof_view_str(starts[i])))
            return true;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (cof_view_ends(name, cof_view_str(ends[i])))
            return true;
    return false;
}

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
    return !is_reserved(name) && !(dots == 3 && digits + dots == name.len); /* formed like an IPv4 address */
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

static uint64_t lengths_absent(const struct cof_headers *h)
{
    uint64_t present = 0;

    for (size_t i = 0; i < h->n; i++)
        present |= (uint64_t)1 << (h->field[i].name_len & 63);
    return ~present;
}

bool cof_s3_call_init(
    struct cof_s3_call *c, struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    struct cof_view path = req->head->path, bucket = virtual_bucket(req->head), rest;

    *c = (struct cof_s3_call){
        .s = s, .store = cof_standin_store(s), .req = req, .reply = reply, .level = COF_S3_SERVICE,
        .no_such_len = lengths_absent(&req->head->headers)};
    cof_buf_init(&c->key, 4 * COF_S3_KEY_MAX);
    cof_buf_init(&c->scratch, COF_S3_SCRATCH_MAX);
    cof_buf_init(&c->policy, COF_POLICY_SIZE_MAX);
    if (req->head->query.len > COF_S3_QUERY_MAX) {
        (void)cof_s3_fail(c, 414, "URITooLong", "The request's query is too long.");
        return false;
    }
    if (cof_view_eq_str(path, COF_S3_ACCOUNT_PATH) && cof_s3_header(c, "x-amz-account-id").len > 0) {
        c->level = COF_S3_ACCOUNT;
        return true;
    }
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

static enum cof_err load_policy(struct cof_s3_call *c)
{
    json_t *text;
    enum cof_err err = cof_record_text(c->store, "s3.policy", cof_view_str(c->bucket), &text);

    if (err != COF_OK)
        return err == COF_E_NOT_FOUND ? COF_OK : err;
    cof_buf_add(&c->policy, cof_view_of(json_string_value(text), json_string_length(text)));
    json_decref(text);
    return cof_buf_err(&c->policy);
}

bool cof_s3_load_bucket(struct cof_s3_call *c, enum cof_err *err)
{
    struct cof_buf extra;

    /* Calls on objects leave the bucket's record as it is, so that it may be shared. */
    *err = c->level == COF_S3_OBJECT ? cof_record_get(c->store, "s3.bucket", cof_view_str(c->bucket), &c->bucket_record) :
                                       cof_s3_bucket_get(c->store, c->bucket, &c->bucket_record);
    if (*err == COF_OK) {
        *err = load_policy(c);
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

    if ((c->no_such_len >> (strlen(name) & 63) & 1) != 0)
        return (struct cof_view){NULL, 0};
    return cof_headers_get(&c->req->head->headers, name, &value) ? cof_view_trim(value) : (struct cof_view){NULL, 0};
}

/* Parameters are copied where nothing moves them: room for every one several times over is made at once. */
struct cof_view cof_s3_param(struct cof_s3_call *c, const char *name)
{
    size_t at = c->scratch.len;

    if (c->scratch.cap == 0 && cof_buf_reserve(&c->scratch, 1024 + 16 * c->req->head->query.len) != COF_OK)
        return (struct cof_view){NULL, 0};
    if (c->scratch.cap - at < c->req->head->query.len || cof_query_get(c->req->head->query, name, &c->scratch) != COF_OK)
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

bool cof_s3_expected_owner(struct cof_s3_call *c, const char *header)
{
    struct cof_view expected = cof_s3_header(c, header);
    bool account = expected.len == 12;

    if (expected.len == 0)
        return true;
    for (size_t i = 0; i < expected.len; i++)
        account = account && expected.data[i] >= '0' && expected.data[i] <= '9';
    if (!account)
        (void)cof_s3_fail(c, 400, "InvalidBucketOwnerAWSAccountID", "The value of the expected bucket owner parameter "
            "must be an AWS account ID");
    else if (!cof_view_eq_str(expected, cof_s3_owner(c)))
        (void)cof_s3_fail(c, 403, "AccessDenied", "Access Denied");
    else
        return true;
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
