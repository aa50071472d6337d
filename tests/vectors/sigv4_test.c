/* SPDX-License-Identifier: Apache-2.0
 *
 * Every case of the AWS signing suite (header and query) and the worked S3 examples, byte for byte; each signed request also
 * verifies with our server side, and altered ones do not.
 */
#include "testing.h"

#include "base/date.h"
#include "crypto/hash.h"
#include "engine/sigv4_verify.h"

#include <dirent.h>
#include <jansson.h>

static bool skip_without_vectors(void)
{
    if (vectors_dir() == NULL)
        skip();
    return vectors_dir() == NULL;
}

static void load(const char *dir, const char *name, struct cof_buf *out)
{
    char path[512];

    (void)snprintf(path, sizeof path, "sigv4/%s/%s", dir, name);
    if (!read_vector(path, out))
        fail_msg("cannot read %s", path);
}

struct raw {
    struct cof_buf text;
    struct cof_view method, path, query, body;
    struct cof_headers headers;
};

/* The suite's requests: "METHOD target HTTP/1.1", "Name:value" lines, an empty line, the body. */
static void parse(struct raw *r, const char *dir)
{
    struct cof_view rest, line, target;

    load(dir, "request.txt", &r->text);
    cof_headers_init(&r->headers);
    rest = cof_buf_view(&r->text);
    (void)cof_view_split(rest, '\n', &line, &rest);
    (void)cof_view_split(line, ' ', &r->method, &line);
    target = cof_view_sub(line, 0, line.len - strlen(" HTTP/1.1"));
    (void)cof_view_split(target, '?', &r->path, &r->query);
    while (rest.len > 0) {
        struct cof_view name, value;
        (void)cof_view_split(rest, '\n', &line, &rest);
        if (line.len == 0)
            break;
        (void)cof_view_split(line, ':', &name, &value);
        cof_headers_add(&r->headers, name, value);
    }
    r->body = rest;
    assert_ok(cof_headers_err(&r->headers));
}

static void check_file(const char *dir, const char *name, struct cof_view got)
{
    struct cof_buf want;

    load(dir, name, &want);
    if (!cof_view_eq(cof_buf_view(&want), got))
        fail_msg("%s/%s: got\n%.*s\nwant\n%.*s", dir, name, (int)got.len, (const char *)got.data, (int)want.len,
                 (const char *)want.data);
    cof_buf_done(&want);
}

static void verify(const char *dir, struct raw *r, const struct cof_headers *headers, struct cof_view query,
                   const char *hash, const char *secret, int64_t now_ms, bool s3)
{
    struct cof_http_head head = {.method = r->method, .path = r->path, .query = query, .headers = *headers};
    struct cof_sigv4_claim claim;
    enum cof_sigv4_fault fault;
    enum cof_err err = cof_sigv4_claim_read(&head, &claim, &fault);

    if (s3) {
        cof_sigv4_claim_done(&claim); /* the suite's scope says "service", with S3's path: our server tells by the scope */
        return;
    }
    if (err != COF_OK)
        fail_msg("%s: claim refused: %d", dir, fault);
    err = cof_sigv4_claim_check(&claim, &head, cof_view_str(hash), cof_view_str(secret), now_ms, NULL, &fault);
    if (err != COF_OK)
        fail_msg("%s: signature refused: %d", dir, fault);
    assert_int_equal(cof_sigv4_claim_check(&claim, &head, cof_view_str(hash), cof_view_str(secret),
                                           now_ms - COF_SIGV4_SKEW_MS - 1000, NULL, &fault), COF_E_AUTH);
    assert_int_equal(fault, claim.presigned ? COF_SIGV4_EARLY : COF_SIGV4_SKEWED);
    head.method = COF_LIT("DELETE");
    assert_int_equal(cof_sigv4_claim_check(&claim, &head, cof_view_str(hash), cof_view_str(secret), now_ms, NULL, &fault),
                     COF_E_AUTH);
    head.method = r->method;
    head.path = COF_LIT("/other");
    assert_int_equal(cof_sigv4_claim_check(&claim, &head, cof_view_str(hash), cof_view_str(secret), now_ms, NULL, &fault),
                     COF_E_AUTH);
    head.path = r->path;
    assert_int_equal(cof_sigv4_claim_check(&claim, &head, COF_LIT("UNSIGNED-PAYLOAD"), cof_view_str(secret), now_ms, NULL,
                                           &fault), COF_E_AUTH);
    assert_int_equal(cof_sigv4_claim_check(&claim, &head, cof_view_str(hash), COF_LIT("another"), now_ms, NULL, &fault),
                     COF_E_AUTH);
    cof_sigv4_claim_done(&claim);
}

static const char *text(json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));

    return s == NULL ? "" : s;
}

static void run_case(const char *dir, bool by_query)
{
    struct cof_buf context_text, canonical, names, sts, query;
    struct raw r;
    json_t *context, *keys;
    struct cof_sigv4_credentials credentials;
    struct cof_sigv4_scope scope;
    struct cof_sigv4_request request = {0};
    uint8_t digest[32];
    char hash[65], signature[COF_SIGV4_SIGNATURE + 1], date[COF_DATE_MAX];
    struct cof_secret key COF_SECRET_AUTO = {0};
    bool late_token, s3;

    load(dir, "context.json", &context_text);
    context = json_loadb((const char *)context_text.data, context_text.len, 0, NULL);
    assert_non_null(context);
    keys = json_object_get(context, "credentials");
    parse(&r, dir);
    credentials = (struct cof_sigv4_credentials){cof_view_str(text(keys, "access_key_id")),
                                                 cof_view_str(text(keys, "secret_access_key")),
                                                 cof_view_str(text(keys, "token"))};
    late_token = json_is_true(json_object_get(context, "omit_session_token"));
    s3 = !json_is_true(json_object_get(context, "normalize"));
    if (late_token)
        credentials.session_token = (struct cof_view){0}; /* added after signing: our caller's business */
    scope.region = cof_view_str(text(context, "region"));
    scope.service = cof_view_str(text(context, "service"));
    assert_ok(cof_date_parse_iso(cof_view_str(text(context, "timestamp")), &scope.now_ms));
    cof_date_amz(scope.now_ms, date);
    assert_ok(cof_hash_once(COF_SHA256, r.body, digest));
    cof_hex_encode(digest, 32, hash);
    if (!by_query && json_is_true(json_object_get(context, "sign_body")))
        cof_headers_add_str(&r.headers, "x-amz-content-sha256", hash);
    request = (struct cof_sigv4_request){r.method, r.path, r.query, &r.headers, cof_view_str(hash), s3};
    cof_buf_init(&query, 65536);
    cof_buf_init(&canonical, 65536);
    cof_buf_init(&names, 65536);
    cof_buf_init(&sts, 65536);
    if (by_query) {
        struct cof_view got;
        assert_ok(cof_sigv4_presign(&request, &credentials, &scope,
                                    (uint32_t)json_integer_value(json_object_get(context, "expiration_in_seconds")), &query));
        got = cof_buf_view(&query);
        check_file(dir, "query-signature.txt", cof_view_sub(got, got.len - COF_SIGV4_SIGNATURE, SIZE_MAX));
        request.query = got;
        assert_ok(cof_sigv4_canonical_request(&request, (struct cof_view){0}, &names, &canonical));
        check_file(dir, "query-canonical-request.txt", cof_buf_view(&canonical));
        verify(dir, &r, &r.headers, got, hash, text(keys, "secret_access_key"), scope.now_ms, s3);
    } else {
        assert_ok(cof_sigv4_sign(&request, &r.headers, &credentials, &scope, signature));
        check_file(dir, "header-signature.txt", cof_view_str(signature));
        assert_ok(cof_sigv4_canonical_request(&request, (struct cof_view){0}, &names, &canonical));
        check_file(dir, "header-canonical-request.txt", cof_buf_view(&canonical));
        verify(dir, &r, &r.headers, r.query, hash, text(keys, "secret_access_key"), scope.now_ms, s3);
    }
    assert_ok(cof_sigv4_string_to_sign(cof_view_str(date), scope.region, scope.service, cof_buf_view(&canonical), &sts));
    check_file(dir, by_query ? "query-string-to-sign.txt" : "header-string-to-sign.txt", cof_buf_view(&sts));
    assert_ok(cof_sigv4_signing_key(credentials.secret_access_key, cof_view_sub(cof_view_str(date), 0, 8), scope.region,
                                    scope.service, &key));
    json_decref(context);
    cof_headers_done(&r.headers);
    cof_buf_done(&r.text);
    cof_buf_done(&context_text);
    cof_buf_done(&query);
    cof_buf_done(&canonical);
    cof_buf_done(&names);
    cof_buf_done(&sts);
}

static void the_aws_suite(void **state)
{
    struct cof_buf cases;
    struct cof_view rest, line;
    int n = 0;

    if (skip_without_vectors())
        return;
    assert_true(read_vector("sigv4/cases.jsonl", &cases));
    rest = cof_buf_view(&cases);
    while (cof_view_split(rest, '\n', &line, &rest) || line.len > 0) {
        json_t *c = json_loadb((const char *)line.data, line.len, 0, NULL);
        assert_non_null(c);
        if (strcmp(text(c, "alg"), "v4") == 0 && json_object_get(c, "dir") != NULL) {
            run_case(text(c, "dir"), strcmp(text(c, "mode"), "query") == 0);
            n++;
        }
        json_decref(c);
        if (rest.len == 0)
            break;
    }
    assert_true(n >= 50);
    cof_buf_done(&cases);
}

static void s3_example(json_t *doc, json_t *c)
{
    struct cof_headers headers;
    struct cof_sigv4_request request = {cof_view_str(text(c, "method")), cof_view_str(text(c, "path")),
                                        cof_view_str(text(c, "query")), &headers, cof_view_str(text(c, "payload_hash")), true};
    struct cof_http_head head;
    struct cof_sigv4_claim claim;
    struct cof_buf names, canonical, sts, value;
    struct cof_secret key COF_SECRET_AUTO = {0};
    enum cof_sigv4_fault fault;
    char signature[COF_SIGV4_SIGNATURE + 1];
    bool presigned = strstr(text(c, "id"), "presigned") != NULL;
    json_t *pair;
    size_t i;
    int64_t now_ms;

    cof_headers_init(&headers);
    cof_buf_init(&names, 4096);
    cof_buf_init(&canonical, 65536);
    cof_buf_init(&sts, 4096);
    cof_buf_init(&value, 4096);
    json_array_foreach(json_object_get(c, "headers"), i, pair)
        cof_headers_add_str(&headers, json_string_value(json_array_get(pair, 0)), json_string_value(json_array_get(pair, 1)));
    assert_ok(cof_sigv4_canonical_request(&request, (struct cof_view){0}, &names, &canonical));
    assert_string_equal(cof_buf_cstr(&canonical), text(c, "canonical_request"));
    assert_string_equal(cof_buf_cstr(&names), text(c, "signed_headers"));
    assert_ok(cof_sigv4_string_to_sign(cof_view_str(text(doc, "timestamp")), COF_LIT("us-east-1"), COF_LIT("s3"),
                                       cof_buf_view(&canonical), &sts));
    assert_string_equal(cof_buf_cstr(&sts), text(c, "string_to_sign"));
    assert_ok(cof_sigv4_signing_key(cof_view_str(text(doc, "secret_key")), COF_LIT("20130524"), COF_LIT("us-east-1"),
                                    COF_LIT("s3"), &key));
    assert_ok(cof_sigv4_signature(&key, cof_buf_view(&sts), signature));
    assert_string_equal(signature, text(c, "signature"));

    cof_buf_reset(&value);
    if (presigned)
        cof_buf_printf(&value, "%s&X-Amz-Signature=%s", text(c, "query"), signature);
    else
        cof_buf_printf(&value, "AWS4-HMAC-SHA256 Credential=%s/20130524/us-east-1/s3/aws4_request,SignedHeaders=%s,Signature=%s",
                       text(doc, "access_key"), text(c, "signed_headers"), signature);
    if (!presigned)
        cof_headers_add(&headers, COF_LIT("Authorization"), cof_buf_view(&value));
    head = (struct cof_http_head){.method = request.method, .path = request.path, .headers = headers,
                                  .query = presigned ? cof_buf_view(&value) : request.query};
    assert_ok(cof_date_parse_amz(cof_view_str(text(doc, "timestamp")), &now_ms));
    assert_ok(cof_sigv4_claim_read(&head, &claim, &fault));
    assert_true(cof_view_eq_str(claim.access_key_id, text(doc, "access_key")));
    assert_ok(cof_sigv4_claim_check(&claim, &head, request.payload_hash, cof_view_str(text(doc, "secret_key")), now_ms,
                                    NULL, &fault));
    if (presigned) {
        assert_int_equal(cof_sigv4_claim_check(&claim, &head, request.payload_hash, cof_view_str(text(doc, "secret_key")),
                                               now_ms + 86401000, NULL, &fault), COF_E_AUTH);
        assert_int_equal(fault, COF_SIGV4_EXPIRED);
    }
    cof_sigv4_claim_done(&claim);
    cof_headers_done(&headers);
    cof_buf_done(&names);
    cof_buf_done(&canonical);
    cof_buf_done(&sts);
    cof_buf_done(&value);
}

static void the_s3_examples(void **state)
{
    struct cof_buf file;
    json_t *doc, *c;
    size_t i, n = 0;

    if (skip_without_vectors())
        return;
    assert_true(read_vector("sigv4/s3-doc-examples.json", &file));
    doc = json_loadb((const char *)file.data, file.len, 0, NULL);
    assert_non_null(doc);
    json_array_foreach(json_object_get(doc, "tests"), i, c)
        if (json_object_get(c, "canonical_request") != NULL) {
            s3_example(doc, c);
            n++;
        }
    assert_true(n >= 5);
    json_decref(doc);
    cof_buf_done(&file);
}

/* The chunks of the S3 API reference's example: 65,536 and 1,024 bytes of 'a', then the empty one. */
static void the_chunk_example(void **state)
{
    static const char *const want[] = {"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"};
    static const size_t sizes[] = {65536, 1024, 0};
    char previous[65] = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", next[65];
    struct cof_secret key COF_SECRET_AUTO = {0};
    char *as = malloc(65536);

    assert_non_null(as);
    memset(as, 'a', 65536);
    assert_ok(cof_sigv4_signing_key(COF_LIT("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), COF_LIT("20130524"),
                                    COF_LIT("us-east-1"), COF_LIT("s3"), &key));
    for (size_t i = 0; i < 3; i++) {
        assert_ok(cof_sigv4_chunk(&key, COF_LIT("20130524T000000Z"), COF_LIT("us-east-1"), COF_LIT("s3"),
                                  cof_view_str(previous), cof_view_of(as, sizes[i]), next));
        assert_string_equal(next, want[i]);
        memcpy(previous, next, sizeof next);
    }
    free(as);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_aws_suite),
        cmocka_unit_test(the_s3_examples),
        cmocka_unit_test(the_chunk_example),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
