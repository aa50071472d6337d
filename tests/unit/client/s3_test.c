/* SPDX-License-Identifier: Apache-2.0
 *
 * S3 bodies in both directions: whole, streamed, checked, cut and altered.
 */
#include "world.h"

#include "client/s3.h"

#include <unistd.h>

#define BODY "The quick brown fox jumps over the lazy dog"

static void crc64_text(struct cof_view body, char out[16])
{
    struct cof_checksum sum;
    uint8_t value[COF_CHECKSUM_MAX];
    struct cof_buf text;

    assert_ok(cof_checksum_init(&sum, COF_CHECKSUM_CRC64NVME));
    assert_ok(cof_checksum_update(&sum, body));
    assert_ok(cof_checksum_final(&sum, value));
    cof_checksum_done(&sum);
    cof_buf_init(&text, 64);
    cof_base64_add(&text, cof_view_of(value, 8));
    (void)snprintf(out, 16, "%s", cof_buf_cstr(&text));
    cof_buf_done(&text);
}

static struct cof_s3_put put_of(struct cof_view body)
{
    return (struct cof_s3_put){.bucket = COF_LIT("bucket"), .key = COF_LIT("jobs/a b+c"), .body = body};
}

/* A small body goes with its checksum in a header, and the stored one is compared. */
static void put_whole(void **state)
{
    struct world *w = *state;
    struct cof_s3_put put = put_of(COF_LIT(BODY));
    struct cof_s3_object object;
    struct cof_diag diag = {0};
    char sum[16], headers[200];

    crc64_text(put.body, sum);
    (void)snprintf(headers, sizeof headers, "ETag: \"abc\"\nx-amz-version-id: v1\nx-amz-checksum-crc64nvme: %s", sum);
    script(w, 200, headers, "");
    put.create_only = true;
    assert_ok(cof_s3_run_put(&w->aws, &put, NULL, &object, NULL));
    assert_string_equal(object.etag, "\"abc\"");
    assert_string_equal(object.version_id, "v1");
    assert_int_equal(object.size, strlen(BODY));
    assert_true(w->seen[0].is_signed);
    assert_string_equal(w->seen[0].target, "/bucket/jobs/a%20b%2Bc");
    assert_true(seen_header(w, 0, "if-none-match", "*"));
    assert_true(seen_header(w, 0, "x-amz-checksum-crc64nvme", sum));
    script(w, 200, "x-amz-checksum-crc64nvme: AAAAAAAAAAA=", "");
    assert_int_equal(cof_s3_run_put(&w->aws, &put, NULL, &object, &diag), COF_E_AUTH);
    script(w, 412, NULL, "<Error><Code>PreconditionFailed</Code></Error>");
    assert_int_equal(cof_s3_run_put(&w->aws, &put, NULL, &object, NULL), COF_E_PRECONDITION);
}

/* Any checksum that S3 knows can be asked for: it is what is sent, and what the reply is held against. */
static void put_by_sha256(void **state)
{
    struct world *w = *state;
    struct cof_s3_put put = put_of(COF_LIT(BODY));
    struct cof_s3_object object;

    put.checksum = COF_CHECKSUM_SHA256;
    script(w, 200, "ETag: \"abc\"\nx-amz-checksum-sha256: 16j7swfXgJRpypq8sAguT41WUeRtPNt2LQLQvzfJ5ZI=", "");
    assert_ok(cof_s3_run_put(&w->aws, &put, NULL, &object, NULL));
    assert_true(seen_header(w, 0, "x-amz-checksum-sha256", "16j7swfXgJRpypq8sAguT41WUeRtPNt2LQLQvzfJ5ZI="));
    assert_false(cof_headers_get(&w->seen[0].headers, "x-amz-checksum-crc64nvme", &(struct cof_view){0}));
    assert_int_equal(object.checksum, COF_CHECKSUM_SHA256);
    script(w, 200, "x-amz-checksum-sha256: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "");
    assert_int_equal(cof_s3_run_put(&w->aws, &put, NULL, &object, NULL), COF_E_AUTH);
    w->aws.checksum_when_required = true; /* what is asked for goes all the same */
    script(w, 200, "ETag: \"abc\"", "");
    assert_ok(cof_s3_run_put(&w->aws, &put, NULL, &object, NULL));
    assert_true(seen_header(w, 2, "x-amz-checksum-sha256", "16j7swfXgJRpypq8sAguT41WUeRtPNt2LQLQvzfJ5ZI="));
}

/* The first answer is lost, the retry is told "there already": ours when the checksum says so, else not. */
static void put_answer_lost(void **state)
{
    struct world *w = *state;
    struct cof_s3_put put = put_of(COF_LIT(BODY));
    struct cof_s3_object object;
    char sum[16], headers[100];

    put.create_only = true;
    crc64_text(put.body, sum);
    (void)snprintf(headers, sizeof headers, "ETag: \"abc\"\nx-amz-checksum-crc64nvme: %s", sum);
    for (int ours = 1; ours >= 0; ours--) {
        script(w, 500, NULL, "");
        script(w, 412, NULL, "<Error><Code>PreconditionFailed</Code></Error>");
        script(w, 200, ours ? headers : "x-amz-checksum-crc64nvme: AAAAAAAAAAA=", BODY);
        assert_int_equal(cof_s3_run_put(&w->aws, &put, NULL, &object, NULL), ours ? COF_OK : COF_E_PRECONDITION);
        assert_string_equal(object.etag, ours ? "\"abc\"" : "");
    }
    assert_string_equal(w->seen[2].method, "HEAD");
}

static void upload_never(void *ctx, struct cof_s3_upload *upload, enum cof_err err, const struct cof_s3_object *object,
                         const struct cof_aws_error *error, const struct cof_diag *diag)
{
    *(bool *)ctx = true;
}

static void upload_some(void *ctx, struct cof_s3_upload *upload)
{
    (void)cof_s3_upload_write(upload, COF_LIT("some"));
    cof_s3_upload_cancel(upload);
}

/* Cancelled in the middle of its body: no event follows, nothing is stored. */
static void put_cancelled(void **state)
{
    struct world *w = *state;
    struct cof_s3_put put = put_of((struct cof_view){0});
    bool done = false;
    struct cof_s3_upload_events events = {upload_some, upload_never, NULL, &done};
    struct cof_s3_upload *upload;

    put.streaming = true;
    put.length = 100000;
    assert_ok(cof_s3_start_put(&w->aws, &put, &events, &upload));
    assert_int_equal(cof_loop_run_until(w->loop, &done, 100), COF_E_TIMEOUT);
    assert_string_equal(w->seen[0].method, "PUT"); /* it had begun */
    assert_int_equal(w->n_seen, 0);
}

/* S3 that did not encrypt as asked is caught. */
static void put_checks_encryption(void **state)
{
    struct world *w = *state;
    struct cof_s3_put put = put_of(COF_LIT(BODY));
    struct cof_s3_object object;

    put.sse.mode = COF_SSE_KMS;
    put.sse.kms_key_id = COF_LIT(KEY_ARN);
    script(w, 200, "x-amz-server-side-encryption: aws:kms\nx-amz-server-side-encryption-aws-kms-key-id: " KEY_ARN, "");
    script(w, 200, "x-amz-server-side-encryption: AES256", "");
    script(w, 200, "x-amz-server-side-encryption: aws:kms\nx-amz-server-side-encryption-aws-kms-key-id: " OTHER_ARN,
           "");
    assert_ok(cof_s3_run_put(&w->aws, &put, NULL, &object, NULL));
    assert_int_equal(cof_s3_run_put(&w->aws, &put, NULL, &object, NULL), COF_E_AUTH);
    assert_int_equal(cof_s3_run_put(&w->aws, &put, NULL, &object, NULL), COF_E_AUTH);
}

struct source {
    size_t left, rewound, total;
    uint8_t next;
};

static enum cof_err pull(void *ctx, size_t want, struct cof_buf *out)
{
    struct source *s = ctx;
    size_t n = want < s->left ? want : s->left;

    n = n > 1000 ? n - 1 : n; /* never in step with the chunks */
    for (size_t i = 0; i < n; i++)
        cof_buf_add_u8(out, s->next++);
    s->left -= n;
    return COF_OK;
}

static enum cof_err rewind_source(void *ctx)
{
    struct source *s = ctx;

    s->left = s->total;
    s->next = 0;
    s->rewound++;
    return COF_OK;
}

/* Undoes aws-chunked; the trailing part after the last chunk stays in *rest. */
static void unchunk(struct cof_view in, struct cof_buf *out, struct cof_view *rest)
{
    for (;;) {
        size_t at = cof_view_find(in, '\r'), n = 0;
        assert_true(at != SIZE_MAX);
        for (size_t i = 0; i < at && in.data[i] != ';'; i++)
            n = n * 16 + (size_t)(in.data[i] <= '9' ? in.data[i] - '0' : in.data[i] - 'a' + 10);
        in = cof_view_sub(in, at + 2, SIZE_MAX);
        cof_buf_add(out, cof_view_sub(in, 0, n));
        if (n == 0)
            break;
        assert_true(in.len > n + 2);
        in = cof_view_sub(in, n + 2, SIZE_MAX);
    }
    *rest = in;
}

/* A streamed body over plain HTTP: every chunk signed, the checksum as trailer, the stated length exact, and after a
 * 503 the whole body again from its start. */
static void put_streamed(void **state)
{
    struct world *w = *state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 300000};
    struct cof_s3_object object;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct source source = {.left = sizes[i], .total = sizes[i]};
        struct cof_s3_pipe pipe = {.source = pull, .rewind = rewind_source, .ctx = &source};
        struct cof_s3_put put = put_of((struct cof_view){0});
        struct cof_buf plain;
        struct cof_view rest;
        char sum[16], length[32], trailer[64];
        size_t at = w->n_seen + 1;

        put.streaming = true;
        put.length = sizes[i];
        script(w, 503, NULL, "<Error><Code>SlowDown</Code></Error>");
        script(w, 200, "ETag: \"abc\"", "");
        assert_ok(cof_s3_run_put(&w->aws, &put, &pipe, &object, NULL));
        assert_int_equal(source.rewound, 1);
        assert_int_equal(w->n_seen, at + 1);
        assert_true(w->seen[at].is_signed);
        assert_true(seen_header(w, at, "x-amz-content-sha256", COF_SIGV4_STREAMING_TRAILER));
        assert_true(seen_header(w, at, "x-amz-trailer", "x-amz-checksum-crc64nvme"));
        (void)snprintf(length, sizeof length, "%zu", sizes[i]);
        assert_true(seen_header(w, at, "x-amz-decoded-content-length", length));
        cof_buf_init(&plain, (size_t)1 << 24);
        unchunk(cof_buf_view(&w->seen[at].body), &plain, &rest);
        assert_int_equal(plain.len, sizes[i]);
        for (size_t k = 0; k < plain.len; k++)
            assert_int_equal(plain.data[k], (uint8_t)k);
        crc64_text(cof_buf_view(&plain), sum);
        (void)snprintf(trailer, sizeof trailer, "x-amz-checksum-crc64nvme:%s\r\n", sum);
        assert_true(cof_view_starts(rest, cof_view_str(trailer)));
        assert_true(cof_view_ends(rest, COF_LIT("\r\n\r\n")));
        cof_buf_done(&plain);
    }
}

/* Over TLS the chunks are unsigned and the checksum still goes along; the name in the certificate is checked. */
static void put_streamed_tls(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"localhost"}, *const files[] = {"ca.pem", "ca.key", "server.pem", "server.key"};
    struct cof_http_server_opts so = {
        .handler = {server_head, server_body, server_end, server_writable, server_closed, w}};
    struct cof_http_client_opts co = {.resolve = cof_resolve_literal};
    struct cof_tls_server_opts ts = {0};
    struct cof_tls_client_opts tc = {0};
    struct cof_tls_ctx *server_tls, *client_tls;
    struct cof_http_server *server;
    struct cof_http_client *plain = w->http;
    struct source source = {.left = 100000, .total = 100000};
    struct cof_s3_pipe pipe = {.source = pull, .rewind = rewind_source, .ctx = &source};
    struct cof_s3_put put = put_of((struct cof_view){0});
    struct cof_s3_object object;
    struct cof_addr addr;
    char dir[] = "/tmp/coffer-s3-XXXXXX", paths[4][128];
    struct cof_aws_endpoint *endpoint = &w->aws.endpoints[COF_AWS_S3];

    assert_non_null(mkdtemp(dir));
    assert_ok(cof_tls_local_cert(dir, "server", names, 1, NULL));
    for (size_t i = 0; i < 4; i++)
        (void)snprintf(paths[i], sizeof paths[i], "%s/%s", dir, files[i]);
    ts.cert_file = paths[2];
    ts.key_file = paths[3];
    tc.ca_file = paths[0];
    assert_ok(cof_tls_server_new(&ts, &server_tls, NULL));
    assert_ok(cof_tls_client_new(&tc, &client_tls, NULL));
    assert_ok(cof_addr_parse("tcp:127.0.0.1:0", &so.listen, NULL));
    so.tls = server_tls;
    co.tls = client_tls;
    assert_ok(cof_http_server_new(w->loop, &so, &server, NULL));
    assert_ok(cof_http_client_new(w->loop, &co, &w->aws.http));
    cof_http_server_addr(server, &addr);
    *endpoint = (struct cof_aws_endpoint){.https = true,
                                          .host = "localhost",
                                          .port = (uint16_t)addr.port,
                                          .custom = true,
                                          .has_addr = true,
                                          .addr = addr};
    put.streaming = true;
    put.length = source.total;
    script(w, 200, NULL, "");
    assert_ok(cof_s3_run_put(&w->aws, &put, &pipe, &object, NULL));
    assert_true(w->seen[0].is_signed);
    assert_true(seen_header(w, 0, "x-amz-content-sha256", COF_SIGV4_STREAMING_UNSIGNED_TRAILER));
    assert_null(strstr(cof_buf_cstr(&w->seen[0].body), "chunk-signature"));
    w->aws.checksum_when_required = true; /* for stores that know no trailers: the bare body */
    assert_ok(rewind_source(&source));
    script(w, 200, NULL, "");
    assert_ok(cof_s3_run_put(&w->aws, &put, &pipe, &object, NULL));
    assert_true(seen_header(w, 1, "x-amz-content-sha256", COF_SIGV4_UNSIGNED));
    assert_int_equal(w->seen[1].body.len, source.total);
    (void)snprintf(endpoint->host, sizeof endpoint->host, "elsewhere");
    assert_ok(rewind_source(&source));
    assert_int_equal(cof_s3_run_put(&w->aws, &put, &pipe, &object, NULL), COF_E_AUTH);
    assert_int_equal(w->n_seen, 2);
    cof_http_client_free(w->aws.http);
    w->aws.http = plain;
    cof_http_server_free(server);
    cof_tls_unref(server_tls);
    cof_tls_unref(client_tls);
    for (size_t i = 0; i < 4; i++)
        (void)unlink(paths[i]);
    assert_int_equal(rmdir(dir), 0);
}

/* A source that gives less or more than was announced stores nothing. */
static void put_wrong_length(void **state)
{
    struct world *w = *state;
    struct cof_s3_put put = put_of((struct cof_view){0});
    struct cof_s3_object object;
    struct source s = {.left = 100000, .total = 100000};
    struct cof_s3_pipe pipe = {.source = pull, .ctx = &s};

    put.streaming = true;
    put.length = 100001;
    assert_int_equal(cof_s3_run_put(&w->aws, &put, &pipe, &object, NULL), COF_E_TRUNCATED);
    s.left = 100000;
    put.length = 99999;
    assert_int_equal(cof_s3_run_put(&w->aws, &put, &pipe, &object, NULL), COF_E_TOO_LARGE);
    assert_int_equal(w->n_seen, 0);
    assert_string_equal(object.etag, "");
}

static enum cof_err get_body(struct world *w, struct cof_buf *body, struct cof_diag *diag)
{
    struct cof_s3_get get = {.bucket = COF_LIT("bucket"), .key = COF_LIT("key")};
    struct cof_s3_object object;

    return cof_s3_run_get_whole(&w->aws, &get, body, &object, diag);
}

/* A body that matches its checksum comes through; altered or cut, nothing of it stays. */
static void get_checked(void **state)
{
    struct world *w = *state;
    struct cof_buf body;
    struct cof_diag diag = {0};
    char sum[16], good[80];

    cof_buf_init(&body, 4096);
    cof_buf_add_str(&body, "before");
    crc64_text(COF_LIT(BODY), sum);
    (void)snprintf(good, sizeof good, "x-amz-checksum-crc64nvme: %s", sum);
    script(w, 200, good, BODY);
    assert_ok(get_body(w, &body, NULL));
    assert_true(cof_view_eq_str(cof_buf_view(&body), "before" BODY));
    cof_buf_truncate(&body, 6);
    script(w, 200, good, "The quick brown fox jumps over the lazy cog");
    assert_int_equal(get_body(w, &body, &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "CRC64NVME"));
    assert_true(cof_view_eq_str(cof_buf_view(&body), "before"));
    script(w, 200, good, BODY);
    last_step(w)->cut = true;
    assert_int_not_equal(get_body(w, &body, NULL), COF_OK);
    assert_true(cof_view_eq_str(cof_buf_view(&body), "before"));
    script(w, 200, "x-amz-checksum-sha256: 16j7swfXgJRpypq8sAguT41WUeRtPNt2LQLQvzfJ5ZI=", BODY);
    assert_ok(get_body(w, &body, NULL));
    cof_buf_truncate(&body, 6);
    script(w, 200, "x-amz-checksum-sha256: 16j7swfXgJRpypq8sAguT41WUeRtPNt2LQLQvzfJ5ZI=", BODY ".");
    assert_int_equal(get_body(w, &body, NULL), COF_E_AUTH);
    script(w, 200, "x-amz-checksum-crc64nvme: !!!", BODY);
    assert_int_equal(get_body(w, &body, NULL), COF_E_FORMAT);
    script(w, 200, "x-amz-checksum-crc32: AAAAAA==-3\nx-amz-checksum-type: COMPOSITE",
           BODY); /* of parts: not ours to check */
    assert_ok(get_body(w, &body, NULL));
    cof_buf_done(&body);
}

static void get_limits(void **state)
{
    struct world *w = *state;
    struct cof_buf body;
    struct cof_diag diag = {0};

    cof_buf_init(&body, 10);
    script(w, 200, NULL, BODY);
    assert_int_equal(get_body(w, &body, &diag), COF_E_TOO_LARGE);
    assert_int_equal(body.len, 0);
    script(w, 404, NULL, "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>");
    assert_int_equal(get_body(w, &body, &diag), COF_E_NOT_FOUND);
    cof_buf_done(&body);
}

/* What HEAD says, the size too, though no body comes. */
static void head(void **state)
{
    struct world *w = *state;
    struct cof_s3_get get = {.bucket = COF_LIT("bucket"), .key = COF_LIT("key")};
    struct cof_s3_object object;

    script(w, 200, "ETag: \"abc\"\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\nContent-Type: image/png", BODY);
    assert_ok(cof_s3_run_head(&w->aws, &get, &object, NULL));
    assert_string_equal(w->seen[0].method, "HEAD");
    assert_int_equal(object.size, strlen(BODY));
    assert_int_equal(object.modified_ms, NOW_MS);
    assert_string_equal(object.content_type, "image/png");
}

static enum cof_err collect(void *ctx, const struct cof_s3_entry *entry)
{
    struct cof_buf *out = ctx;

    cof_buf_add(out, entry->key);
    cof_buf_printf(out, entry->is_prefix ? "/;" : " %llu;", (unsigned long long)entry->size);
    return COF_OK;
}

/* All pages of a listing, keys decoded. */
static void lists(void **state)
{
    struct world *w = *state;
    struct cof_buf names;

    cof_buf_init(&names, 4096);
    script(w, 200, NULL,
           "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
           "<NextContinuationToken>t+1=</NextContinuationToken><Contents><Key>a+b%2Bc</Key><Size>12</Size>"
           "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>");
    script(w, 200, NULL,
           "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><Contents><Key>z</Key>"
           "<Size>0</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
           "<CommonPrefixes><Prefix>jobs/</Prefix></CommonPrefixes></ListBucketResult>");
    assert_ok(cof_s3_run_list(&w->aws, COF_LIT("bucket"), COF_LIT(""), COF_LIT("/"), collect, &names, NULL));
    assert_string_equal(cof_buf_cstr(&names), "a b+c 12;z 0;jobs//;");
    assert_non_null(strstr(w->seen[1].target, "continuation-token=t%2B1%3D"));
    assert_true(w->seen[1].is_signed);
    cof_buf_done(&names);
    script(w, 200, NULL, "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>");
    assert_int_equal(cof_s3_run_list(&w->aws, COF_LIT("bucket"), COF_LIT(""), COF_LIT(""), collect, &names, NULL),
                     COF_E_FORMAT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(put_whole), T(put_by_sha256), T(put_answer_lost), T(put_cancelled),
        T(put_checks_encryption),
        T(put_streamed),
        T(put_streamed_tls),
        T(put_wrong_length),
        T(get_checked),
        T(get_limits),
        T(head),
        T(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
