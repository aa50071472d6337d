/* SPDX-License-Identifier: Apache-2.0 */
#include "client/aws.h"

#include "base/codec.h"
#include "base/date.h"
#include "base/num.h"
#include "crypto/hash.h"
#include "engine/sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_BODY_MAX 65536
#define QUOTA_FULL 500
#define QUOTA_RETRY 5
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 20000
#define PIPE_PIECE 65536

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
    has_port = cof_view_split(rest, ':', &host, &port);
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
                            .quota = QUOTA_FULL};
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
        (void)snprintf(e->host, sizeof e->host, "%s.%s.amazonaws.com", cof_aws_service_name((enum cof_aws_service)i),
                       aws->region);
    }
}

static int64_t wall(const struct cof_aws *aws)
{
    return aws->now_ms() + aws->skew_ms;
}

static void free_call(struct cof_aws_call *call)
{
    cof_loop_disarm(call->aws->loop, &call->again);
    cof_aws_request_done(&call->request);
    cof_buf_done(&call->error_body);
    cof_headers_done(&call->error_headers);
    cof_loop_discard(call->aws->loop, call);
}

static void finish(struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error,
                   const struct cof_diag *diag)
{
    call->cb.done(call->cb.ctx, call, err, error, diag);
    free_call(call);
}

/* Waits and tries again; false when that is not allowed any more. */
static bool again_later(struct cof_aws_call *call, int64_t retry_after_ms)
{
    struct cof_aws *aws = call->aws;
    int64_t cap = BACKOFF_FIRST_MS << (call->attempts < 8 ? call->attempts : 8);
    uint8_t r[4];

    if (call->attempts >= aws->max_attempts || !call->request.replayable || call->delivered || aws->quota < QUOTA_RETRY ||
        cof_rng_fill(aws->rng, r, sizeof r) != COF_OK)
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
    enum cof_err err = attempt(call);

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
        if (call->cb.head != NULL)
            call->cb.head(call->cb.ctx, call, head);
        return;
    }
    cof_headers_reset(&call->error_headers);
    for (size_t i = 0; i < head->headers.n; i++)
        cof_headers_add(&call->error_headers, cof_headers_name(&head->headers, i), cof_headers_value(&head->headers, i));
}

static void on_body(void *ctx, struct cof_http_call *http, struct cof_view piece)
{
    struct cof_aws_call *call = ctx;

    (void)http;
    if (call->status / 100 != 2) {
        cof_buf_add(&call->error_body, cof_view_sub(piece, 0, ERROR_BODY_MAX - call->error_body.len));
        return;
    }
    call->delivered = true;
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

    if (!cof_headers_get(&call->error_headers, "retry-after", &v) || cof_parse_u64(v, 120, &s) != COF_OK)
        return 0;
    return (int64_t)s * 1000;
}

/* The service answered, but not with 2xx. */
static void refused(struct cof_aws_call *call)
{
    struct cof_http_head head = {.status = call->status, .headers = call->error_headers};
    struct cof_aws_error error;
    struct cof_diag diag = {0};
    enum cof_err err = cof_aws_error_read(call->request.service, &head, cof_buf_view(&call->error_body), &error, &diag);
    int64_t off = call->server_ms - wall(call->aws);

    if (is_skew(&error) && !call->skew_tried && call->server_ms != 0 && (off > 240000 || off < -240000) &&
        call->request.replayable) {
        call->skew_tried = true;
        call->aws->skew_ms += off;
        if (again_later(call, 0))
            return;
    }
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
    if (call->request.streaming && call->request.payload_sha256[0] != '\0')
        return call->request.payload_sha256;
    if (call->request.service == COF_AWS_S3 && https)
        return COF_SIGV4_UNSIGNED;
    if (call->request.streaming) {
        *err = COF_E_USAGE; /* a streamed body over plain HTTP needs its digest before */
        return "";
    }
    *err = cof_hash_once(COF_SHA256, cof_buf_view(&call->request.body), digest);
    cof_hex_encode(digest, sizeof digest, hash);
    return hash;
}

/* Host name and path, with the bucket in one of them. */
static enum cof_err address(const struct cof_aws_call *call, const struct cof_aws_endpoint *endpoint, char host[330],
                            struct cof_buf *path)
{
    const char *bucket = call->request.bucket;
    bool in_host = bucket[0] != '\0' && !endpoint->custom && strchr(bucket, '.') == NULL;

    if (bucket[0] != '\0' && !in_host)
        cof_buf_printf(path, "/%s", bucket);
    cof_buf_add(path, cof_buf_view(&call->request.path));
    if (snprintf(host, 330, "%s%s%s", in_host ? bucket : "", in_host ? "." : "", endpoint->host) >= 256)
        return COF_E_LIMIT;
    return cof_buf_err(path);
}

static void add_host(struct cof_headers *headers, const struct cof_aws_endpoint *endpoint, const char *host)
{
    char text[340];
    bool usual = endpoint->port == (endpoint->https ? 443 : 80);

    if (usual)
        (void)snprintf(text, sizeof text, "%s", host);
    else
        (void)snprintf(text, sizeof text, "%s:%u", host, endpoint->port);
    cof_headers_set(headers, "Host", text);
}

static enum cof_err signed_head(struct cof_aws_call *call, const struct cof_aws_endpoint *endpoint, const char *host,
                                struct cof_view path, struct cof_buf *out)
{
    struct cof_aws *aws = call->aws;
    struct cof_headers headers;
    struct cof_sigv4_request request = {
        .method = cof_view_str(call->request.method),
        .path = path,
        .query = cof_buf_view(&call->request.query),
        .s3_path = call->request.service == COF_AWS_S3,
    };
    struct cof_sigv4_credentials credentials = {cof_buf_view(&aws->credentials.access_key_id),
                                                cof_buf_view(&aws->credentials.secret_access_key),
                                                cof_buf_view(&aws->credentials.session_token)};
    struct cof_sigv4_scope scope = {wall(aws), cof_view_str(aws->region),
                                    cof_view_str(cof_aws_service_name(call->request.service))};
    char hash[65], length[32];
    enum cof_err err;
    const char *word = payload_word(call, endpoint->https, hash, &err);

    if (err != COF_OK)
        return err;
    cof_headers_init(&headers);
    add_host(&headers, endpoint, host);
    for (size_t i = 0; i < call->request.headers.n; i++)
        cof_headers_add(&headers, cof_headers_name(&call->request.headers, i), cof_headers_value(&call->request.headers, i));
    if (request.s3_path)
        cof_headers_set(&headers, "x-amz-content-sha256", word);
    request.headers = &headers;
    request.payload_hash = cof_view_str(word);
    err = cof_sigv4_sign(&request, &headers, &credentials, &scope, NULL);
    if (err == COF_OK) {
        (void)snprintf(length, sizeof length, "%llu",
                       (unsigned long long)(call->request.streaming ? call->request.length : call->request.body.len));
        if (call->request.streaming || call->request.body.len > 0 || strcmp(call->request.method, "PUT") == 0 ||
            strcmp(call->request.method, "POST") == 0)
            cof_headers_set(&headers, "Content-Length", length);
        if (call->request.streaming && call->request.length > 1048576)
            cof_headers_set(&headers, "Expect", "100-continue");
        cof_headers_set(&headers, "User-Agent", "coffer/" COF_VERSION);
        cof_buf_printf(out, "%s ", call->request.method);
        cof_buf_add(out, path);
        if (call->request.query.len > 0)
            cof_buf_add_str(out, "?");
        cof_buf_add(out, cof_buf_view(&call->request.query));
        cof_buf_add_str(out, " HTTP/1.1\r\n");
        cof_headers_write(&headers, out);
        cof_buf_add_str(out, "\r\n");
        err = cof_headers_err(&headers) != COF_OK ? cof_headers_err(&headers) : cof_buf_err(out);
    }
    cof_headers_done(&headers);
    return err;
}

static enum cof_err attempt(struct cof_aws_call *call)
{
    struct cof_aws *aws = call->aws;
    const struct cof_aws_endpoint *endpoint = &aws->endpoints[call->request.service];
    struct cof_http_callbacks cb = {on_head, on_body, on_writable, on_done, call};
    struct cof_http_call_opts opts = {0};
    struct cof_buf head, path;
    char host[330];
    enum cof_err err;

    call->attempts++;
    call->status = 0;
    cof_buf_reset(&call->error_body);
    cof_buf_init_secret(&head, 131072);
    cof_buf_init(&path, 8192);
    err = address(call, endpoint, host, &path);
    if (err == COF_OK)
        err = signed_head(call, endpoint, host, cof_buf_view(&path), &head);
    opts.https = endpoint->https;
    opts.host = host;
    opts.port = endpoint->port;
    opts.head = cof_buf_view(&head);
    opts.is_head = strcmp(call->request.method, "HEAD") == 0;
    opts.streaming = call->request.streaming;
    if (!call->request.streaming)
        opts.body = cof_buf_view(&call->request.body);
    opts.total_ms = call->request.service == COF_AWS_S3 ? -1 : 60000;
    if (err == COF_OK)
        err = cof_http_call_start(aws->http, &opts, &cb, &call->http);
    cof_buf_done(&head);
    cof_buf_done(&path);
    return err;
}

enum cof_err cof_aws_start(struct cof_aws *aws, struct cof_aws_request *request, const struct cof_aws_callbacks *callbacks,
                           struct cof_aws_call **out)
{
    struct cof_aws_call *call = calloc(1, sizeof *call);
    enum cof_err err;

    *out = NULL;
    if (call == NULL) {
        cof_aws_request_done(request);
        return COF_E_MEMORY;
    }
    call->aws = aws;
    call->request = *request; /* moved */
    *request = (struct cof_aws_request){0};
    call->cb = *callbacks;
    call->again.fire = on_again;
    cof_buf_init(&call->error_body, ERROR_BODY_MAX);
    cof_headers_init(&call->error_headers);
    err = attempt(call);
    if (err != COF_OK) {
        free_call(call);
        return err;
    }
    *out = call;
    return COF_OK;
}

bool cof_aws_write(struct cof_aws_call *call, struct cof_view piece)
{
    return call->http == NULL || cof_http_call_write(call->http, piece);
}

void cof_aws_end(struct cof_aws_call *call)
{
    if (call->http != NULL)
        cof_http_call_end(call->http);
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

/* The blocking form. */
struct blocking {
    bool done;
    enum cof_err err, pipe_err;
    struct cof_aws_reply *reply;
    struct cof_diag *diag;
    const struct cof_aws_pipes *pipes;
    bool source_ended;
};

static void b_head(void *ctx, struct cof_aws_call *call, const struct cof_http_head *head)
{
    struct blocking *b = ctx;

    (void)call;
    b->reply->status = head->status;
    b->reply->head = (struct cof_http_head){.status = head->status, .length = head->length, .has_length = head->has_length};
    cof_headers_init(&b->reply->head.headers);
    for (size_t i = 0; i < head->headers.n; i++)
        cof_headers_add(&b->reply->head.headers, cof_headers_name(&head->headers, i),
                        cof_headers_value(&head->headers, i));
}

static void b_body(void *ctx, struct cof_aws_call *call, struct cof_view piece)
{
    struct blocking *b = ctx;

    if (b->pipe_err != COF_OK)
        return;
    if (b->pipes != NULL && b->pipes->sink != NULL)
        b->pipe_err = b->pipes->sink(b->pipes->ctx, piece);
    else {
        cof_buf_add(&b->reply->body, piece);
        b->pipe_err = cof_buf_err(&b->reply->body) == COF_E_LIMIT ? COF_E_TOO_LARGE : cof_buf_err(&b->reply->body);
    }
    if (b->pipe_err != COF_OK) {
        b->done = true;
        cof_aws_cancel(call);
    }
}

static void b_writable(void *ctx, struct cof_aws_call *call)
{
    struct blocking *b = ctx;
    struct cof_buf piece;
    bool more = true;

    if (b->pipes == NULL || b->pipes->source == NULL || b->source_ended)
        return;
    cof_buf_init_secret(&piece, (size_t)4 * PIPE_PIECE);
    while (more && b->pipe_err == COF_OK) {
        cof_buf_reset(&piece);
        b->pipe_err = b->pipes->source(b->pipes->ctx, PIPE_PIECE, &piece);
        if (b->pipe_err == COF_OK && piece.len == 0) {
            b->source_ended = true;
            cof_aws_end(call);
            break;
        }
        more = cof_aws_write(call, cof_buf_view(&piece));
    }
    cof_buf_done(&piece);
    if (b->pipe_err != COF_OK) {
        b->done = true;
        cof_aws_cancel(call);
    }
}

static void b_done(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error,
                   const struct cof_diag *diag)
{
    struct blocking *b = ctx;

    (void)call;
    b->done = true;
    b->err = err;
    if (error != NULL)
        b->reply->error = *error;
    if (diag != NULL && b->diag != NULL)
        *b->diag = *diag;
}

static enum cof_err run(struct cof_aws *aws, struct cof_aws_request *request, const struct cof_aws_pipes *pipes,
                        size_t body_max, struct cof_aws_reply *out, struct cof_diag *diag)
{
    struct blocking b = {.reply = out, .diag = diag, .pipes = pipes};
    struct cof_aws_callbacks cb = {.head = b_head, .body = b_body, .writable = b_writable, .done = b_done, .ctx = &b};
    struct cof_aws_call *call;
    enum cof_err err = COF_OK;

    *out = (struct cof_aws_reply){0};
    cof_buf_init_secret(&out->body, body_max);
    if (aws->refresh != NULL && (aws->credentials.access_key_id.len == 0 ||
                                 (aws->credentials.expires_ms != 0 &&
                                  aws->credentials.expires_ms < wall(aws) + COF_AWS_REFRESH_MS)))
        err = aws->refresh(aws->refresh_ctx, aws, diag);
    if (err == COF_OK && aws->credentials.access_key_id.len == 0) {
        err = cof_diag_set(diag, COF_E_CONFIG, "no AWS credentials");
        cof_diag_hint(diag, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile");
    }
    if (err != COF_OK) {
        cof_aws_request_done(request);
        return err;
    }
    err = cof_aws_start(aws, request, &cb, &call);
    if (err == COF_OK)
        err = cof_loop_run_until(aws->loop, &b.done, -1);
    if (err == COF_OK)
        err = b.pipe_err != COF_OK ? b.pipe_err : b.err;
    if (err == COF_OK && cof_headers_err(&out->head.headers) != COF_OK)
        err = cof_headers_err(&out->head.headers);
    if (err != COF_OK) {
        cof_http1_head_done(&out->head);
        cof_buf_done(&out->body);
    }
    return err;
}

enum cof_err cof_aws_run(struct cof_aws *aws, struct cof_aws_request *request, size_t body_max, struct cof_aws_reply *out,
                         struct cof_diag *diag)
{
    return run(aws, request, NULL, body_max, out, diag);
}

enum cof_err cof_aws_run_piped(struct cof_aws *aws, struct cof_aws_request *request, const struct cof_aws_pipes *pipes,
                               struct cof_aws_reply *out, struct cof_diag *diag)
{
    return run(aws, request, pipes, 65536, out, diag);
}

void cof_aws_reply_done(struct cof_aws_reply *reply)
{
    if (reply == NULL)
        return;
    cof_http1_head_done(&reply->head);
    cof_buf_done(&reply->body);
}
