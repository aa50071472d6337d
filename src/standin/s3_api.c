/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_api.h"

#include "base/date.h"
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

enum cof_err cof_s3_fail_of(struct cof_s3_call *c, int status, const char *code, const char *message,
    const struct cof_s3_detail *details, size_t n)
{
    struct cof_buf extra;
    enum cof_err err;

    cof_buf_init(&extra, COF_S3_SCRATCH_MAX);
    for (size_t i = 0; i < n; i++)
        if (details[i].value.data != NULL)
            cof_xml_element(&extra, details[i].name, details[i].value);
    err = cof_buf_err(&extra) == COF_OK ? cof_s3_fail_with(c, status, code, message, cof_buf_cstr(&extra)) : cof_buf_err(&extra);
    cof_buf_done(&extra);
    return err;
}

enum cof_err cof_s3_bad_argument(struct cof_s3_call *c, const char *name, struct cof_view value, const char *message)
{
    const struct cof_s3_detail details[] = {{"ArgumentName", cof_view_str(name)}, {"ArgumentValue", value}};

    return cof_s3_fail_of(c, 400, "InvalidArgument", message, details, 2);
}

enum cof_err cof_s3_bad_header(struct cof_s3_call *c, const char *header, const char *message)
{
    return cof_s3_bad_argument(c, header, cof_s3_header(c, header), message);
}

enum cof_err cof_s3_bucket_has_none(struct cof_s3_call *c, const char *code, const char *message)
{
    const struct cof_s3_detail details[] = {{"BucketName", cof_view_str(c->bucket)}};

    return cof_s3_fail_of(c, 404, code, message, details, 1);
}

enum cof_err cof_s3_no_key(struct cof_s3_call *c)
{
    const struct cof_s3_detail details[] = {{"Key", cof_buf_view(&c->key)}};

    return cof_s3_fail_of(c, 404, "NoSuchKey", "The specified key does not exist.", details, 1);
}

enum cof_err cof_s3_is_marker(struct cof_s3_call *c)
{
    const struct cof_s3_detail details[] = {{"Method", c->req->head->method}, {"ResourceType", COF_LIT("DeleteMarker")}};

    return cof_s3_fail_of(
        c, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.", details, 2);
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
        const struct cof_s3_detail details[] = {{"BucketName", bucket}};

        (void)cof_s3_fail_of(c, 400, "InvalidBucketName", "The specified bucket is not valid.", details, 1);
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
    /* Calls on objects leave the bucket's record as it is, so that it may be shared. */
    *err = c->level == COF_S3_OBJECT ? cof_record_get(c->store, "s3.bucket", cof_view_str(c->bucket), &c->bucket_record) :
                                       cof_s3_bucket_get(c->store, c->bucket, &c->bucket_record);
    if (*err == COF_OK) {
        *err = load_policy(c);
        return *err == COF_OK;
    }
    if (*err != COF_E_NOT_FOUND)
        return false;
    *err = cof_s3_bucket_has_none(c, "NoSuchBucket", "The specified bucket does not exist");
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

    if (c->req->head->query.len == 0)
        return (struct cof_view){NULL, 0};
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

/* spec: a number below nothing is told otherwise than what is no number; the first names "max-keys" as the SDKs do, maxKeys. */
static void bad_number(struct cof_s3_call *c, const char *name, struct cof_view text)
{
    bool negative = text.len > 1 && text.data[0] == '-';
    const char *told = strcmp(name, "max-keys") == 0 ? "maxKeys" : name;
    char message[120];
    uint64_t n;

    for (size_t i = 1; i < text.len; i++)
        negative = negative && text.data[i] >= '0' && text.data[i] <= '9';
    negative = negative && cof_parse_u64_padded(cof_view_sub(text, 1, SIZE_MAX), INT32_MAX, &n) == COF_OK;
    if (negative && cof_s3_has_param(c, "versions"))
        (void)snprintf(message, sizeof message, "%s cannot be negative", name);
    else if (negative)
        (void)snprintf(message, sizeof message, "Argument %s must be an integer between 0 and 2147483647", told);
    else
        (void)snprintf(message, sizeof message, "Provided %s not an integer or within integer range", name);
    (void)cof_s3_bad_argument(c, negative ? told : name, text, message);
}

bool cof_s3_param_number(struct cof_s3_call *c, const char *name, uint64_t max, uint64_t preset, uint64_t *out)
{
    struct cof_view text = cof_s3_param(c, name);

    *out = preset;
    if (text.len == 0)
        return true;
    if (cof_parse_u64_padded(text, INT32_MAX, out) == COF_OK) {
        *out = *out > max ? max : *out;
        return true;
    }
    bad_number(c, name, text);
    return false;
}

bool cof_s3_expected_owner(struct cof_s3_call *c, const char *header)
{
    struct cof_view expected = cof_s3_header(c, header);
    bool account = expected.len == 12;
    char message[200];

    if (expected.len == 0)
        return true;
    for (size_t i = 0; i < expected.len; i++)
        account = account && expected.data[i] >= '0' && expected.data[i] <= '9';
    if (!account) {
        (void)snprintf(message, sizeof message, "The value of the expected bucket owner parameter must be an AWS Account ID... [%.*s]",
            expected.len > 100 ? 100 : (int)expected.len, (const char *)expected.data);
        (void)cof_s3_fail(c, 400, "InvalidBucketOwnerAWSAccountID", message);
    } else if (!cof_view_eq_str(expected, cof_s3_owner(c)))
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

/* spec: since November 2025 there is no DisplayName any more but of an Initiator; Ceph has it everywhere. */
void cof_s3_add_owner(struct cof_s3_call *c, struct cof_buf *out, const char *element)
{
    bool named = strcmp(element, "Initiator") == 0, as_ceph = false;

    if (!named && cof_s3_setting(c->store, "as_ceph", &as_ceph) == COF_OK)
        named = as_ceph;
    cof_buf_printf(out, "<%s><ID>%s</ID>", element, cof_s3_owner(c));
    if (named)
        cof_buf_printf(out, "<DisplayName>%s</DisplayName>", cof_s3_owner(c));
    cof_buf_printf(out, "</%s>", element);
}

void cof_s3_xml_owner(struct cof_s3_call *c, const char *element)
{
    cof_s3_add_owner(c, &c->reply->body, element);
}
