/* SPDX-License-Identifier: Apache-2.0 */
#include "client/aws.h"

#include "base/codec.h"
#include "base/date.h"
#include "base/num.h"
#include "client/endpoint.h"
#include "crypto/hash.h"
#include "engine/aws_chunked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_BODY_MAX 65536
#define QUOTA_FULL 500
#define QUOTA_RETRY 5
#define BACKOFF_MAX_MS 20000
#define RETRY_AFTER_MAX_S 120 /* longer nobody is kept waiting */
#define EXPECT_OVER 1048576 /* bytes of body for which a refusal should come first */

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct cof_aws_call {
    struct cof_aws *aws;
    struct cof_aws_request request;
    struct cof_aws_callbacks cb;
    struct cof_http_call *http;
    struct cof_timer again;
    struct cof_buf error_body;
    struct cof_http_head *head; /* of the reply; the HTTP call's */
    int status;
    int64_t server_ms;          /* its Date header; 0: none */
    unsigned attempts;
    bool delivered, skew_tried;
    bool is_moved;              /* this attempt went to where S3 said the bucket is */
    bool is_chunked;            /* the streamed body goes as aws-chunked */
    struct cof_aws_chunked chunked;
    struct cof_buf encoded;
    uint8_t sum[COF_CHECKSUM_MAX]; /* of the body, once it ended */
    uint64_t written;           /* plain bytes of this attempt's body */
    enum cof_err broken;        /* the body cannot go on */
    struct cof_headers error_headers;
};

static enum cof_err attempt(struct cof_aws_call *call);

void cof_aws_credentials_init(struct cof_aws_credentials *credentials)
{
    cof_buf_init(&credentials->access_key_id, 256);
    cof_buf_init_secret(&credentials->secret_access_key, 256);
    cof_buf_init_secret(&credentials->session_token, 16384);
    credentials->expires_ms = 0;
}

void cof_aws_credentials_done(struct cof_aws_credentials *credentials)
{
    cof_buf_done(&credentials->access_key_id);
    cof_buf_done(&credentials->secret_access_key);
    cof_buf_done(&credentials->session_token);
    credentials->expires_ms = 0;
}

enum cof_err cof_aws_endpoint_parse(const char *url, struct cof_aws_endpoint *out, struct cof_diag *diag)
{
    struct cof_view rest = cof_view_str(url), host, port, path;
    uint64_t number;
    bool has_port;

    *out = (struct cof_aws_endpoint){.custom = true};
    if (cof_view_starts(rest, COF_LIT("https://")))
        out->https = true;
    else if (!cof_view_starts(rest, COF_LIT("http://")))
        goto wrong;
    rest = cof_view_sub(rest, out->https ? 8 : 7, SIZE_MAX);
    if (cof_view_split(rest, '/', &rest, &path) && path.len > 0)
        goto wrong;
    if (rest.len > 0 && rest.data[0] == '[') { /* an IPv6 address */
        if (!cof_view_split(cof_view_sub(rest, 1, SIZE_MAX), ']', &host, &port) || cof_view_find(host, ':') == SIZE_MAX || (port.len > 0 && port.data[0] != ':'))
            goto wrong;
        has_port = port.len > 0;
        port = cof_view_sub(port, 1, SIZE_MAX);
    } else {
        has_port = cof_view_split(rest, ':', &host, &port);
    }
    number = out->https ? 443 : 80;
    if (host.len == 0 || host.len >= sizeof out->host || (has_port && cof_parse_u64(port, 65535, &number) != COF_OK))
        goto wrong;
    memcpy(out->host, host.data, host.len);
    out->host[host.len] = '\0';
    out->port = (uint16_t)number;
    return COF_OK;
wrong:
    return cof_diag_set(diag, COF_E_USAGE, "'%s' is not an endpoint: write https://HOST[:PORT]", url);
}

void cof_aws_init(struct cof_aws *aws, struct cof_loop *loop, struct cof_http_client *http, const struct cof_rng *rng,
                  int64_t (*now_ms)(void))
{
    *aws = (struct cof_aws){.loop = loop, .http = http, .rng = rng, .now_ms = now_ms, .max_attempts = 3,
                            .backoff_ms = 100, .quota = QUOTA_FULL};
    cof_aws_credentials_init(&aws->credentials);
}

void cof_aws_done(struct cof_aws *aws)
{
    cof_aws_credentials_done(&aws->credentials);
}

void cof_aws_set_region(struct cof_aws *aws, const char *region)
{
    (void)snprintf(aws->region, sizeof aws->region, "%s", region);
    for (int i = 0; i < 4; i++) {
        struct cof_aws_endpoint *e = &aws->endpoints[i];
        if (e->custom)
            continue;
        e->https = true;
        e->port = 443;
        if (cof_endpoint_host((enum cof_aws_service)i, aws->region, false, false, e->host, NULL) != COF_OK)
            e->host[0] = '\0'; /* calls then fail by name */
    }
}

static int64_t wall(const struct cof_aws *aws)
{
    return aws->now_ms() + aws->skew_ms;
}

/* Where S3 said the request's bucket is; NULL: in the client's region. */
static const struct cof_aws_moved *moved_of(const struct cof_aws *aws, const struct cof_aws_request *request)
{
    for (size_t i = 0; i < sizeof aws->moved / sizeof aws->moved[0]; i++)
        if (request->service == COF_AWS_S3 && aws->moved[i].region[0] != '\0' && strcmp(aws->moved[i].bucket, request->bucket) == 0)
            return &aws->moved[i];
    return NULL;
}

static const struct cof_aws_endpoint *endpoint_of(const struct cof_aws *aws, const struct cof_aws_request *request)
{
    const struct cof_aws_moved *moved = moved_of(aws, request);

    return moved != NULL ? &moved->endpoint : &aws->endpoints[request->service];
}

static struct cof_sigv4_scope scope_of(const struct cof_aws *aws, const struct cof_aws_request *request)
{
    const struct cof_aws_moved *moved = moved_of(aws, request);

    return (struct cof_sigv4_scope){wall(aws), cof_view_str(moved != NULL ? moved->region : aws->region),
                                    cof_view_str(cof_aws_service_name(request->service))};
}

static void free_call(struct cof_aws_call *call)
{
    cof_loop_disarm(call->aws->loop, &call->again);
    cof_aws_request_done(&call->request);
    cof_buf_done(&call->error_body);
    cof_headers_done(&call->error_headers);
    cof_aws_chunked_done(&call->chunked);
    cof_buf_done(&call->encoded);
    cof_loop_discard(call->aws->loop, call);
}

static void finish(struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error,
                   const struct cof_diag *diag)
{
    call->cb.done(call->cb.ctx, call, err, error, diag);
    free_call(call);
}

static bool may_send_again(struct cof_aws_call *call)
{
    if (call->request.streaming)
        return call->cb.rewind != NULL && call->cb.rewind(call->cb.ctx, call);
    return call->request.replayable;
}

/* Waits and tries again; false when that is not allowed any more. */
static bool again_later(struct cof_aws_call *call, int64_t retry_after_ms)
{
    struct cof_aws *aws = call->aws;
    int64_t cap = aws->backoff_ms << (call->attempts < 8 ? call->attempts : 8);
    uint8_t r[4];

    if (call->attempts >= aws->max_attempts || call->delivered || aws->quota < QUOTA_RETRY ||
        cof_rng_fill(aws->rng, r, sizeof r) != COF_OK || !may_send_again(call))
        return false;
    cap = cap > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : cap;
    cap = ((int64_t)r[0] << 24 | r[1] << 16 | r[2] << 8 | r[3]) % (cap + 1);
    if (cof_loop_arm(aws->loop, &call->again, cap > retry_after_ms ? cap : retry_after_ms) != COF_OK)
        return false;
    aws->quota -= QUOTA_RETRY;
    return true;
}

static void on_again(struct cof_timer *timer)
{
    struct cof_aws_call *call = OWNER(timer, struct cof_aws_call, again);
    enum cof_err err = call->broken;

    if (err != COF_OK) {
        if (call->http != NULL)
            cof_http_call_cancel(call->http);
        call->http = NULL;
    } else {
        err = attempt(call);
    }
    if (err != COF_OK)
        finish(call, err, NULL, NULL);
}

static void on_head(void *ctx, struct cof_http_call *http, const struct cof_http_head *head)
{
    struct cof_aws_call *call = ctx;
    struct cof_view date;

    (void)http;
    call->status = head->status;
    call->server_ms = 0;
    if (cof_headers_get(&head->headers, "date", &date) && cof_date_parse_http(date, &call->server_ms) != COF_OK)
        call->server_ms = 0;
    if (head->status / 100 == 2) {
        call->delivered = !call->cb.may_restart;
        if (call->cb.head != NULL)
            call->cb.head(call->cb.ctx, call, head);
        return;
    }
    cof_headers_reset(&call->error_headers);
    for (size_t i = 0; i < head->headers.n; i++)
        cof_headers_add(&call->error_headers, cof_headers_name(&head->headers, i),
                        cof_headers_value(&head->headers, i));
}

static void on_body(void *ctx, struct cof_http_call *http, struct cof_view piece)
{
    struct cof_aws_call *call = ctx;

    (void)http;
    if (call->status / 100 != 2) {
        cof_buf_add(&call->error_body, cof_view_sub(piece, 0, ERROR_BODY_MAX - call->error_body.len));
        return;
    }
    if (call->cb.body != NULL)
        call->cb.body(call->cb.ctx, call, piece);
}

static void on_writable(void *ctx, struct cof_http_call *http)
{
    struct cof_aws_call *call = ctx;

    (void)http;
    if (call->cb.writable != NULL)
        call->cb.writable(call->cb.ctx, call);
}

static bool is_skew(const struct cof_aws_error *error)
{
    return strcmp(error->code, "RequestTimeTooSkewed") == 0 || strcmp(error->code, "InvalidSignatureException") == 0 ||
           strcmp(error->code, "SignatureDoesNotMatch") == 0 || strcmp(error->code, "RequestExpired") == 0;
}

static int64_t retry_after(const struct cof_aws_call *call)
{
    struct cof_view v;
    uint64_t s;

    if (!cof_headers_get(&call->error_headers, "retry-after", &v) || cof_parse_u64(v, INT32_MAX, &s) != COF_OK)
        return 0;
    return (int64_t)(s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S) * 1000;
}

/* "s3.REGION.amazonaws.com": what follows the region is the partition's. */
static const char *behind(const char *host, const char *region)
{
    const char *at = strstr(host, region);

    return at == NULL ? "" : at + strlen(region);
}

/* The bucket lives in another region of the same partition: the request goes there, by the name that region's endpoint has.
 * Where a Location header would send it does not matter: a reply must not choose who gets requests and bodies. With an
 * endpoint of the user's only the signature changes. Once a bucket. */
static bool follow_region(struct cof_aws_call *call)
{
    struct cof_aws *aws = call->aws;
    const struct cof_aws_endpoint *e = &aws->endpoints[COF_AWS_S3];
    const struct cof_aws_moved *known = moved_of(aws, &call->request);
    struct cof_aws_moved moved = {.endpoint = *e};
    struct cof_view region;
    char host[256];

    if (call->request.service != COF_AWS_S3 || (call->status != 301 && call->status != 307 && call->status != 400) ||
        !cof_headers_get(&call->error_headers, "x-amz-bucket-region", &region) || region.len >= sizeof moved.region ||
        cof_view_eq_str(region, aws->region) || call->is_moved || call->attempts >= aws->max_attempts)
        return false;
    if (known != NULL) /* another call was told meanwhile */
        return cof_view_eq_str(region, known->region) && may_send_again(call) && cof_loop_arm(aws->loop, &call->again, 0) == COF_OK;
    memcpy(moved.region, region.data, region.len);
    memcpy(moved.bucket, call->request.bucket, sizeof moved.bucket);
    if (cof_endpoint_host(COF_AWS_S3, moved.region, aws->fips, aws->dual_stack, host, NULL) != COF_OK ||
        (!e->custom && strcmp(behind(e->host, aws->region), behind(host, moved.region)) != 0) || !may_send_again(call))
        return false;
    if (!e->custom && moved.endpoint.addr.kind == COF_ADDR_TCP && strcmp(moved.endpoint.addr.host, e->host) == 0)
        memcpy(moved.endpoint.addr.host, host, sizeof host); /* past a proxy */
    if (!e->custom)
        memcpy(moved.endpoint.host, host, sizeof host);
    aws->moved[aws->n_moved++ % (sizeof aws->moved / sizeof aws->moved[0])] = moved;
    return cof_loop_arm(aws->loop, &call->again, 0) == COF_OK;
}

static void say_region(const struct cof_aws_call *call, struct cof_diag *diag)
{
    struct cof_view region;

    if (call->request.service == COF_AWS_S3 && cof_headers_get(&call->error_headers, "x-amz-bucket-region", &region) &&
        region.len < 64 && !cof_view_eq_str(region, call->aws->region))
        cof_diag_hint(diag, "the bucket is in region %.*s: name that one", (int)region.len, (const char *)region.data);
}

/* The service answered, but not with 2xx. */
static void refused(struct cof_aws_call *call)
{
    struct cof_http_head head = {.status = call->status, .headers = call->error_headers};
    struct cof_aws_error error;
    struct cof_diag diag = {0};
    enum cof_err err = cof_aws_error_read(call->request.service, &head, cof_buf_view(&call->error_body), &error, &diag);
    int64_t off = call->server_ms - wall(call->aws);

    if (is_skew(&error) && !call->skew_tried && !call->aws->own_clock && call->server_ms != 0 && (off > 240000 || off < -240000)) {
        call->skew_tried = true;
        call->aws->skew_ms += off;
        if (again_later(call, 0))
            return;
    }
    if (follow_region(call))
        return;
    say_region(call, &diag);
    if (cof_err_class(err) == COF_CLASS_RETRY && again_later(call, retry_after(call)))
        return;
    finish(call, err, &error, &diag);
}

static void on_done(void *ctx, struct cof_http_call *http, enum cof_err err, const struct cof_diag *diag, bool sent)
{
    struct cof_aws_call *call = ctx;

    (void)http;
    (void)sent;
    call->http = NULL;
    if (err == COF_OK && call->status / 100 == 2) {
        if (call->aws->quota < QUOTA_FULL)
            call->aws->quota++;
        finish(call, COF_OK, NULL, NULL);
    } else if (err == COF_OK) {
        refused(call);
    } else if (err == COF_E_AUTH || !again_later(call, 0)) { /* an untrusted certificate does not get better */
        finish(call, err, NULL, diag);
    }
}

static const char *payload_word(const struct cof_aws_call *call, bool https, char hash[65], enum cof_err *err)
{
    uint8_t digest[32];

    *err = COF_OK;
    if (call->is_chunked)
        return cof_aws_chunked_word(!https, call->request.checksum);
    if (call->request.streaming && call->request.payload_sha256[0] != '\0')
        return call->request.payload_sha256;
    if (call->request.service == COF_AWS_S3 && https)
        return COF_SIGV4_UNSIGNED;
    if (call->request.streaming) {
        *err = COF_E_USAGE; /* only S3 takes streamed bodies */
        return "";
    }
    *err = cof_hash_once(COF_SHA256, cof_buf_view(&call->request.body), digest);
    cof_hex_encode(digest, sizeof digest, hash);
    return hash;
}

/* Host name and path, with the bucket in one of them. */
static enum cof_err address(const struct cof_aws *aws, const struct cof_aws_request *request, const struct cof_aws_endpoint *endpoint,
                            char host[330], struct cof_buf *path)
{
    const char *bucket = request->bucket;
    bool in_host = bucket[0] != '\0' && strchr(bucket, '.') == NULL &&
                   (aws->s3_style == COF_AWS_IN_HOST || (aws->s3_style == COF_AWS_IN_EITHER && !endpoint->custom));

    if (bucket[0] != '\0' && !in_host)
        cof_buf_printf(path, "/%s", bucket);
    cof_buf_add(path, cof_buf_view(&request->path));
    if (snprintf(host, 330, "%s%s%s", in_host ? bucket : "", in_host ? "." : "", endpoint->host) >= 256)
        return COF_E_LIMIT;
    return cof_buf_err(path);
}

static void add_host(struct cof_headers *headers, const struct cof_aws_endpoint *endpoint, const char *host)
{
    char text[340];
    bool usual = endpoint->port == (endpoint->https ? 443 : 80), is_v6 = strchr(host, ':') != NULL;

    if (usual)
        (void)snprintf(text, sizeof text, is_v6 ? "[%s]" : "%s", host);
    else
        (void)snprintf(text, sizeof text, is_v6 ? "[%s]:%u" : "%s:%u", host, endpoint->port);
    cof_headers_set(headers, "Host", text);
}

/* What describes a body in chunks; part of what is signed. */
static void add_chunked(const struct cof_aws_call *call, struct cof_headers *headers)
{
    const char *trailer = cof_aws_checksum_header(call->request.checksum);
    char length[32];

    if (!call->is_chunked)
        return;
    (void)snprintf(length, sizeof length, "%llu", (unsigned long long)call->request.length);
    cof_headers_set(headers, "Content-Encoding", "aws-chunked");
    cof_headers_set(headers, "x-amz-decoded-content-length", length);
    if (trailer != NULL)
        cof_headers_set(headers, "x-amz-trailer", trailer);
}

/* Headers after the signature, which does not cover them. */
static void add_framing(const struct cof_aws_call *call, bool https, struct cof_headers *headers)
{
    const struct cof_aws_request *r = &call->request;
    uint64_t length = r->streaming ? r->length : r->body.len;
    char text[32];

    if (call->is_chunked)
        length = cof_aws_chunked_length(!https, r->checksum, r->length);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)length);
    if (r->streaming || r->body.len > 0 || strcmp(r->method, "PUT") == 0 || strcmp(r->method, "POST") == 0)
        cof_headers_set(headers, "Content-Length", text);
    if (r->streaming && r->length > EXPECT_OVER)
        cof_headers_set(headers, "Expect", "100-continue");
    cof_headers_set(headers, "User-Agent", "coffer/" COF_VERSION);
}

static void write_head(const struct cof_aws_call *call, struct cof_view path, const struct cof_headers *headers,
                       struct cof_buf *out)
{
    cof_buf_printf(out, "%s ", call->request.method);
    cof_buf_add(out, path);
    if (call->request.query.len > 0)
        cof_buf_add_str(out, "?");
    cof_buf_add(out, cof_buf_view(&call->request.query));
    cof_buf_add_str(out, " HTTP/1.1\r\n");
    cof_headers_write(headers, out);
    cof_buf_add_str(out, "\r\n");
}

/* Signs by header and begins the chain of chunk signatures, where the body has one. */
static enum cof_err sign(struct cof_aws_call *call, const struct cof_sigv4_request *request, bool https,
                         struct cof_headers *headers)
{
    struct cof_aws *aws = call->aws;
    struct cof_sigv4_credentials credentials = {cof_buf_view(&aws->credentials.access_key_id),
                                                cof_buf_view(&aws->credentials.secret_access_key),
                                                cof_buf_view(&aws->credentials.session_token)};
    struct cof_sigv4_scope scope = scope_of(aws, &call->request);
    char seed[COF_SIGV4_SIGNATURE + 1] = "";
    enum cof_err err = call->request.is_anonymous ? COF_OK
                                                  : cof_sigv4_sign(request, headers, &credentials, &scope, seed);

    cof_aws_chunked_done(&call->chunked);
    if (err == COF_OK && call->is_chunked)
        err = cof_aws_chunked_init(&call->chunked, call->request.checksum, https ? NULL : &credentials, &scope, seed);
    return err;
}

static enum cof_err signed_head(struct cof_aws_call *call, const struct cof_aws_endpoint *endpoint, const char *host,
                                struct cof_view path, struct cof_buf *out)
{
    struct cof_headers headers;
    struct cof_sigv4_request request = {
        .method = cof_view_str(call->request.method),
        .path = path,
        .query = cof_buf_view(&call->request.query),
        .s3_path = call->request.service == COF_AWS_S3,
        .headers = &headers,
    };
    char hash[65];
    enum cof_err err;
    const char *word = payload_word(call, endpoint->https, hash, &err);

    if (err != COF_OK)
        return err;
    cof_headers_init(&headers);
    add_host(&headers, endpoint, host);
    for (size_t i = 0; i < call->request.headers.n; i++)
        cof_headers_add(&headers, cof_headers_name(&call->request.headers, i),
                        cof_headers_value(&call->request.headers, i));
    add_chunked(call, &headers);
    if (request.s3_path)
        cof_headers_set(&headers, "x-amz-content-sha256", word);
    if (request.s3_path && call->aws->bucket_owner[0] != '\0')
        cof_headers_set(&headers, "x-amz-expected-bucket-owner", call->aws->bucket_owner);
    request.payload_hash = cof_view_str(word);
    err = sign(call, &request, endpoint->https, &headers);
    if (err == COF_OK) {
        add_framing(call, endpoint->https, &headers);
        write_head(call, path, &headers, out);
        err = cof_headers_err(&headers) != COF_OK ? cof_headers_err(&headers) : cof_buf_err(out);
    }
    cof_headers_done(&headers);
    return err;
}

/* Over TLS the body's checksum is enough; in the clear every piece of the body is signed. */
static bool needs_chunks(const struct cof_aws_call *call, const struct cof_aws_endpoint *endpoint)
{
    const struct cof_aws_request *r = &call->request;

    if (!r->streaming || r->service != COF_AWS_S3)
        return false;
    return endpoint->https ? r->checksum != COF_CHECKSUM_NONE : r->payload_sha256[0] == '\0';
}

static enum cof_err attempt(struct cof_aws_call *call)
{
    struct cof_aws *aws = call->aws;
    const struct cof_aws_endpoint *endpoint = endpoint_of(aws, &call->request);
    struct cof_http_callbacks cb = {on_head, on_body, on_writable, on_done, call};
    struct cof_http_call_opts opts = {0};
    struct cof_buf head, path;
    char host[330];
    enum cof_err err;

    call->attempts++;
    call->status = 0;
    call->written = 0;
    call->is_moved = moved_of(aws, &call->request) != NULL;
    call->is_chunked = needs_chunks(call, endpoint);
    cof_buf_reset(&call->error_body);
    cof_buf_init_secret(&head, 131072);
    cof_buf_init(&path, 8192);
    err = address(aws, &call->request, endpoint, host, &path);
    if (err == COF_OK)
        err = signed_head(call, endpoint, host, cof_buf_view(&path), &head);
    opts.https = endpoint->https;
    opts.host = host;
    opts.port = endpoint->port;
    opts.has_addr = endpoint->has_addr;
    opts.addr = endpoint->addr;
    opts.head = cof_buf_view(&head);
    opts.is_head = strcmp(call->request.method, "HEAD") == 0;
    opts.streaming = call->request.streaming;
    if (!call->request.streaming)
        opts.body = cof_buf_view(&call->request.body);
    opts.stall_ms = aws->stall_ms;
    opts.total_ms = call->request.service == COF_AWS_S3 ? -1 : 60000;
    if (err == COF_OK)
        err = cof_http_call_start(aws->http, &opts, &cb, &call->http);
    cof_buf_done(&head);
    cof_buf_done(&path);
    return err;
}

enum cof_err cof_aws_start(struct cof_aws *aws, struct cof_aws_request *request,
                           const struct cof_aws_callbacks *callbacks, struct cof_aws_call **out)
{
    struct cof_aws_call *call = calloc(1, sizeof *call);
    enum cof_err err;

    *out = NULL;
    if (call == NULL || (aws->credentials.access_key_id.len == 0 && !request->is_anonymous)) {
        err = call == NULL ? COF_E_MEMORY : COF_E_CONFIG;
        free(call);
        cof_aws_request_done(request);
        return err;
    }
    call->aws = aws;
    call->request = *request; /* moved */
    *request = (struct cof_aws_request){0};
    call->cb = *callbacks;
    call->again.fire = on_again;
    cof_buf_init(&call->error_body, ERROR_BODY_MAX);
    cof_buf_init_secret(&call->encoded, SIZE_MAX / 2);
    cof_headers_init(&call->error_headers);
    err = attempt(call);
    if (err != COF_OK) {
        free_call(call);
        return err;
    }
    *out = call;
    return COF_OK;
}

/* The body went wrong on our side: the call ends from the loop, and nothing is stored. */
static bool break_off(struct cof_aws_call *call, enum cof_err err)
{
    if (call->broken == COF_OK)
        call->broken = cof_loop_arm(call->aws->loop, &call->again, 0) == COF_OK ? err : COF_OK;
    return false;
}

bool cof_aws_write(struct cof_aws_call *call, struct cof_view piece)
{
    enum cof_err err;

    if (call->http == NULL || call->broken != COF_OK || piece.len == 0)
        return true;
    if (piece.len > call->request.length - call->written)
        return break_off(call, COF_E_TOO_LARGE);
    call->written += piece.len;
    if (!call->is_chunked)
        return cof_http_call_write(call->http, piece);
    cof_buf_reset(&call->encoded);
    err = cof_aws_chunked_whole(&call->chunked, piece, &call->encoded);
    if (err == COF_OK) { /* the usual piece, not copied once more */
        (void)cof_http_call_write(call->http, cof_buf_view(&call->encoded));
        (void)cof_http_call_write(call->http, piece);
        return cof_http_call_write(call->http, COF_LIT("\r\n"));
    }
    if (err == COF_E_STATE)
        err = cof_aws_chunked_push(&call->chunked, piece, &call->encoded);
    if (err != COF_OK)
        return break_off(call, err);
    return cof_http_call_write(call->http, cof_buf_view(&call->encoded));
}

void cof_aws_end(struct cof_aws_call *call)
{
    enum cof_err err = COF_OK;

    if (call->http == NULL || call->broken != COF_OK)
        return;
    if (call->written != call->request.length)
        err = COF_E_TRUNCATED;
    if (err == COF_OK && call->is_chunked) {
        cof_buf_reset(&call->encoded);
        err = cof_aws_chunked_finish(&call->chunked, &call->encoded, call->sum);
        if (err == COF_OK)
            (void)cof_http_call_write(call->http, cof_buf_view(&call->encoded));
    }
    if (err != COF_OK)
        (void)break_off(call, err);
    else
        cof_http_call_end(call->http);
}

const uint8_t *cof_aws_call_checksum(const struct cof_aws_call *call)
{
    return call->sum;
}

unsigned cof_aws_call_attempts(const struct cof_aws_call *call)
{
    return call->attempts;
}

void cof_aws_pause(struct cof_aws_call *call)
{
    if (call->http != NULL)
        cof_http_call_pause(call->http);
}

void cof_aws_resume(struct cof_aws_call *call)
{
    if (call->http != NULL)
        cof_http_call_resume(call->http);
}

void cof_aws_cancel(struct cof_aws_call *call)
{
    if (call->http != NULL)
        cof_http_call_cancel(call->http);
    free_call(call);
}

enum cof_err cof_aws_presign(struct cof_aws *aws, const struct cof_aws_request *request, uint32_t expires_s,
                             struct cof_buf *url)
{
    const struct cof_aws_endpoint *endpoint = endpoint_of(aws, request);
    struct cof_sigv4_credentials credentials = {cof_buf_view(&aws->credentials.access_key_id),
                                                cof_buf_view(&aws->credentials.secret_access_key),
                                                cof_buf_view(&aws->credentials.session_token)};
    struct cof_sigv4_scope scope = scope_of(aws, request);
    struct cof_headers headers;
    struct cof_sigv4_request signing = {.method = cof_view_str(request->method), .query = cof_buf_view(&request->query),
                                        .s3_path = request->service == COF_AWS_S3, .headers = &headers,
                                        .payload_hash = cof_view_str(COF_SIGV4_UNSIGNED)};
    struct cof_buf path, query;
    struct cof_view shown = {0};
    char host[330];
    enum cof_err err;

    cof_buf_init(&path, 8192);
    cof_buf_init_secret(&query, 65536);
    cof_headers_init(&headers);
    err = address(aws, request, endpoint, host, &path);
    signing.path = cof_buf_view(&path);
    if (err == COF_OK) {
        add_host(&headers, endpoint, host);
        err = cof_sigv4_presign(&signing, &credentials, &scope, expires_s, &query);
    }
    if (err == COF_OK && cof_headers_get(&headers, "host", &shown)) {
        cof_buf_add_str(url, endpoint->https ? "https://" : "http://");
        cof_buf_add(url, shown);
        cof_buf_add(url, signing.path);
        cof_buf_add_str(url, "?");
        cof_buf_add(url, cof_buf_view(&query));
        err = cof_buf_err(url);
    }
    cof_headers_done(&headers);
    cof_buf_done(&path);
    cof_buf_done(&query);
    return err;
}
