/* SPDX-License-Identifier: Apache-2.0 */
#include "standin_fixture.h"

#include "standin/s3_chunked.h"
#include "standin/s3_crypt.h"

static int status_of(struct fixture *f, const char *method, const char *target, const char *extra, struct cof_view body)
{
    struct answer a;
    int status;

    fixture_call(f, method, target, extra, NULL, body, 7, &a);
    status = a.status;
    answer_done(&a);
    return status;
}

static void an_object_comes_back(void **state)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000};
    struct fixture f;
    TEST_RNG(rng, 5);

    fixture_init(&f, NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *data = malloc(sizes[i] + 1);
        struct answer a;

        assert_ok(cof_rng_fill(&rng, data, sizes[i]));
        fixture_call(&f, "PUT", "/bbb/k%20%C3%A4", "x-amz-meta-a: b", NULL, cof_view_of(data, sizes[i]), 1000, &a);
        assert_int_equal(a.status, 200);
        answer_done(&a);
        fixture_call(&f, "GET", "/bbb/k%20%C3%A4", "", NULL, COF_LIT(""), 1, &a);
        assert_int_equal(a.status, 200);
        assert_int_equal(a.body.len, sizes[i]);
        assert_true(sizes[i] == 0 || memcmp(a.body.data, data, sizes[i]) == 0);
        answer_done(&a);
        free(data);
    }
    /* what was replaced is gone: one body is left */
    {
        size_t bodies = 0;

        for (size_t i = 0; i < f.store.now.n; i++)
            bodies += strcmp(f.store.now.items[i].space, " blob") == 0;
        assert_int_equal(bodies, 1);
    }
    fixture_done(&f);
}

static void replace_it(struct fixture *f)
{
    assert_int_equal(status_of(f, "PUT", "/bbb/k", "", COF_LIT("the new one, longer")), 200);
}

static void remove_it(struct fixture *f)
{
    assert_int_equal(status_of(f, "DELETE", "/bbb/k", "", COF_LIT("")), 204);
}

/* A body that is on its way is that of its head, whatever becomes of the object. */
static void a_reply_keeps_the_object_it_told_of(void **state)
{
    void (*const changes[])(struct fixture *) = {replace_it, remove_it};
    struct fixture f;

    fixture_init(&f, NULL);
    for (size_t i = 0; i < 2; i++) {
        struct answer a;

        assert_int_equal(status_of(&f, "PUT", "/bbb/k", "", COF_LIT("the old one")), 200);
        f.meanwhile = changes[i];
        fixture_call(&f, "GET", "/bbb/k", "", NULL, COF_LIT(""), 1, &a);
        assert_int_equal(a.status, 200);
        assert_ok(a.stream_err);
        assert_true(cof_view_eq_str(cof_buf_view(&a.body), "the old one"));
        answer_done(&a);
    }
    fixture_done(&f);
}

#define KEYS 3

/* What each key should say. */
struct told {
    char body[24];
    int meta, n_tags;
    bool there;
};

static void assert_told(struct fixture *f, const struct told *want, int key, const char *method)
{
    struct cof_view value;
    char target[16], meta[16], tags[4];
    struct answer a;

    (void)snprintf(target, sizeof target, "/bbb/k%d", key);
    (void)snprintf(meta, sizeof meta, "%d", want->meta);
    (void)snprintf(tags, sizeof tags, "%d", want->n_tags);
    fixture_call(f, method, target, "", NULL, COF_LIT(""), 1, &a);
    assert_int_equal(a.status, want->there ? 200 : 404);
    if (want->there) {
        assert_true(cof_headers_get(&a.headers, "x-amz-meta-v", &value) && cof_view_eq_str(value, meta));
        assert_int_equal(cof_headers_get(&a.headers, "x-amz-tagging-count", &value), want->n_tags > 0);
        assert_true(want->n_tags == 0 || cof_view_eq_str(value, tags));
        assert_true(method[0] == 'H' || cof_view_eq_str(cof_buf_view(&a.body), want->body));
    }
    answer_done(&a);
}

static void change_object(struct fixture *f, struct told told[KEYS], unsigned what, int key, int from, int round)
{
    char target[32], extra[80];

    (void)snprintf(target, sizeof target, "/bbb/k%d%s", key, what == 3 ? "?tagging" : "");
    switch (what) {
    case 0:
    case 1:
        told[key] = (struct told){.meta = round, .n_tags = round % 2, .there = true};
        (void)snprintf(told[key].body, sizeof told[key].body, "body %d", round);
        (void)snprintf(extra, sizeof extra, "x-amz-meta-v: %d%s", round, round % 2 == 1 ? "\nx-amz-tagging: a=b" : "");
        assert_int_equal(status_of(f, "PUT", target, extra, cof_view_str(told[key].body)), 200);
        break;
    case 2:
        told[key].there = false;
        assert_int_equal(status_of(f, "DELETE", target, "", COF_LIT("")), 204);
        break;
    case 3:
        told[key].n_tags = told[key].there ? 2 : told[key].n_tags;
        assert_int_equal(status_of(f, "PUT", target, "", COF_LIT("<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>c</Key>"
            "<Value>d</Value></Tag></TagSet></Tagging>")), told[key].there ? 200 : 404);
        break;
    case 4: /* refused when all was done: nothing of it stays */
        assert_int_equal(status_of(f, "PUT", target, "x-amz-meta-v: 0\nContent-MD5: AAAAAAAAAAAAAAAAAAAAAA==", COF_LIT("x")), 400);
        break;
    default:
        (void)snprintf(extra, sizeof extra, "x-amz-copy-source: bbb/k%d", from);
        assert_int_equal(status_of(f, "PUT", target, extra, COF_LIT("")), from == key && told[from].there ? 400 : told[from].there ? 200 : 404);
        if (told[from].there)
            told[key] = told[from];
        break;
    }
}

/* What is read again is remembered, and told as it is whatever becomes of it. */
static void what_is_remembered_is_what_is_there(void **state)
{
    struct told told[KEYS] = {{.there = false}};
    uint64_t seed = 77;
    struct fixture f;

    fixture_init(&f, NULL);
    for (int round = 1; round < 1500; round++) {
        uint8_t r[5];

        (void)test_rng_fill(&seed, r, sizeof r);
        change_object(&f, told, r[0] % 6, r[1] % KEYS, r[2] % KEYS, round);
        for (int i = 0; i < 1 + r[3] % 3; i++)
            assert_told(&f, &told[r[4] % KEYS], r[4] % KEYS, i == 1 ? "HEAD" : "GET");
    }
    fixture_done(&f);
}

static size_t n_rows(const struct fixture *f, const char *space)
{
    size_t n = 0;

    for (size_t i = 0; i < f->store.now.n; i++)
        n += strcmp(f->store.now.items[i].space, space) == 0;
    return n;
}

/* The bucket gets versions while a body is on its way: what was made of the key meanwhile, in the same millisecond, stays. */
static void versions_that_begin_meanwhile_stay(void **state)
{
    static const char raw[] = "PUT /bbb/k HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 4\r\n\r\n";
    struct cof_standin_call *call;
    struct cof_http_head head;
    struct fixture f;
    size_t used;

    fixture_init(&f, "{\"credentials\":[{\"name\":\"root\",\"root\":true}],\"buckets\":[{\"name\":\"bbb\",\"public_access\":true,\"policy\":{\"Version\":\"2012-10-17\","
        "\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:PutObject\",\"Resource\":\"arn:aws:s3:::bbb/*\"}}}]}");
    assert_ok(cof_http1_request(cof_view_str(raw), 65536, &head, &used));
    assert_ok(cof_standin_open(f.s, &head, &(struct cof_standin_peer){.source_ip = "127.0.0.1"}, f.now_ms, &call));
    assert_false(cof_standin_call_ready(call));
    cof_standin_body(call, COF_LIT("late"));
    assert_int_equal(status_of(&f, "PUT", "/bbb?versioning", "", COF_LIT("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")), 200);
    assert_int_equal(status_of(&f, "PUT", "/bbb/k", "", COF_LIT("one")), 200);
    assert_int_equal(status_of(&f, "DELETE", "/bbb/k", "", COF_LIT("")), 204);
    assert_int_equal(n_rows(&f, "s3.version"), 2);
    cof_standin_end(call, NULL, f.now_ms);
    assert_int_equal(cof_standin_call_reply(call)->status, 200);
    cof_standin_close(call);
    cof_http1_head_done(&head);
    assert_int_equal(n_rows(&f, "s3.version"), 3);
    assert_int_equal(n_rows(&f, "s3.current"), 1);
    fixture_done(&f);
}

static void altered_bodies_are_noticed(void **state)
{
    struct fixture f;
    struct answer a;
    size_t flipped = 0;

    fixture_init(&f, NULL);
    assert_int_equal(status_of(&f, "PUT", "/bbb/k", "", COF_LIT("some bytes")), 200);
    for (size_t i = 0; i < f.store.now.n; i++)
        if (strcmp(f.store.now.items[i].space, " blob") == 0) {
            f.store.now.items[i].value.data[3] ^= 1;
            flipped++;
        }
    assert_int_equal(flipped, 1);
    fixture_call(&f, "GET", "/bbb/k", "", NULL, COF_LIT(""), 1, &a);
    assert_int_equal(a.stream_err, COF_E_AUTH);
    assert_int_equal(a.body.len, 0);
    answer_done(&a);
    fixture_done(&f);
}

static void unsigned_and_wrongly_signed_are_refused(void **state)
{
    struct fixture f;
    struct answer a;

    fixture_init(&f, NULL);
    fixture_send(&f, COF_LIT("GET /bbb/k HTTP/1.1\r\nHost: localhost:1\r\n\r\n"), COF_LIT(""), 1, &a);
    assert_int_equal(a.status, 403);
    assert_true(answer_has(&a, "<Code>AccessDenied</Code>"));
    answer_done(&a);
    f.secret[5] ^= 1;
    fixture_call(&f, "GET", "/bbb/k", "", NULL, COF_LIT(""), 1, &a);
    assert_true(answer_has(&a, "SignatureDoesNotMatch"));
    answer_done(&a);
    f.secret[5] ^= 1;
    f.id[5] ^= 1;
    fixture_call(&f, "GET", "/bbb/k", "", NULL, COF_LIT(""), 1, &a);
    assert_true(answer_has(&a, "InvalidAccessKeyId"));
    answer_done(&a);
    f.id[5] ^= 1;
    fixture_call(&f, "PUT", "/bbb/k", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", COF_LIT("not empty"), 3, &a);
    assert_true(answer_has(&a, "XAmzContentSHA256Mismatch"));
    answer_done(&a);
    assert_int_equal(status_of(&f, "HEAD", "/bbb/k", "", COF_LIT("")), 404);
    fixture_done(&f);
}

static void a_refused_request_changes_nothing(void **state)
{
    struct fixture f;
    size_t before;

    fixture_init(&f, NULL);
    before = f.store.now.n;
    assert_int_equal(status_of(&f, "PUT", "/bbb/k", "content-md5: AAAAAAAAAAAAAAAAAAAAAA==", COF_LIT("x")), 400);
    assert_int_equal(status_of(&f, "PUT", "/bbb/k", "x-amz-checksum-crc32: AAAAAA==", COF_LIT("x")), 400);
    assert_int_equal(status_of(&f, "PUT", "/bbb/k?acl", "", COF_LIT("x")), 404);
    assert_int_equal(status_of(&f, "PUT", "/bbb/k?lifecycle", "", COF_LIT("x")), 501);
    assert_int_equal(status_of(&f, "PUT", "/none/k", "", COF_LIT("x")), 404);
    assert_int_equal(status_of(&f, "PUT", "/bbb/%00", "", COF_LIT("x")), 400);
    assert_int_equal(status_of(&f, "PUT", "/BBB/k", "", COF_LIT("x")), 400);
    assert_int_equal(status_of(&f, "POST", "/bbb?delete", "", COF_LIT("<Delete><Object><Key>k</Key></Object></Delete>")), 400);
    assert_int_equal(f.store.now.n, before);
    fixture_done(&f);
}

static void the_customer_key_is_never_kept(void **state)
{
    static const char headers[] = "x-amz-server-side-encryption-customer-algorithm: AES256\n"
        "x-amz-server-side-encryption-customer-key: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n"
        "x-amz-server-side-encryption-customer-key-md5: T4DN4xKW4ZP0aEgzwfwvZw==";
    struct fixture f;
    uint8_t digest[16];
    struct cof_buf md5;

    fixture_init(&f, NULL);
    cof_buf_init(&md5, 64);
    assert_ok(cof_hash_once(COF_MD5, COF_LIT("01234567890123456789012345678901"), digest));
    cof_base64_add(&md5, cof_view_of(digest, 16));
    {
        char good[512];

        (void)snprintf(good, sizeof good, "%.*s%s", (int)(strlen(headers) - 24), headers, cof_buf_cstr(&md5));
        assert_int_equal(status_of(&f, "PUT", "/bbb/k", good, COF_LIT("x")), 200);
        assert_int_equal(status_of(&f, "GET", "/bbb/k", good, COF_LIT("")), 200);
    }
    assert_int_equal(status_of(&f, "GET", "/bbb/k", "", COF_LIT("")), 400);
    assert_int_equal(status_of(&f, "GET", "/bbb/k", headers, COF_LIT("")), 400); /* the MD5 is not the key's */
    for (size_t i = 0; i < f.store.now.n; i++) {
        struct cof_view v = cof_buf_view(&f.store.now.items[i].value);

        for (size_t k = 0; k + 10 <= v.len; k++) {
            assert_int_not_equal(memcmp(v.data + k, "0123456789", 10), 0);
            assert_int_not_equal(memcmp(v.data + k, "MDEyMzQ1Nj", 10), 0);
        }
    }
    cof_buf_done(&md5);
    fixture_done(&f);
}

/* Feeds the text in pieces of step bytes; what came out is in out. */
static enum cof_err chunked(const char *text, size_t step, enum cof_payload kind, struct cof_buf *out, bool *ended)
{
    struct cof_auth auth = {.payload = kind};
    struct cof_s3_chunked c;
    struct cof_view all = cof_view_str(text);
    enum cof_err err = COF_E_SHORT;

    assert_ok(cof_s3_chunked_init(&c, &auth));
    for (size_t i = 0; i < all.len && (err == COF_E_SHORT || err == COF_OK); i += step) {
        struct cof_view in = cof_view_sub(all, i, step), piece;

        do {
            err = cof_s3_chunked_next(&c, &in, &piece);
            cof_buf_add(out, piece);
        } while (err == COF_OK);
    }
    *ended = c.ended;
    cof_s3_chunked_done(&c);
    return err;
}

static void chunks_are_taken_apart_however_they_come(void **state)
{
    static const size_t steps[] = {1, 2, 3, 5, 17, 100, 8191, 8192, 8197, 8198, 8199, 8200, 8203, 8230, 10000};
    char text[8300] = "2000\r\n"; /* spec: no smaller unless it is the last */
    bool ended;

    memset(text + 6, 'h', 8192);
    (void)snprintf(text + 6 + 8192, sizeof text - 6 - 8192, "\r\nA\r\n0123456789\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct cof_buf out;

        cof_buf_init(&out, 10000);
        assert_int_equal(chunked(text, steps[i], COF_PAYLOAD_CHUNKS_TRAILER, &out, &ended), COF_E_SHORT);
        assert_true(ended);
        assert_int_equal(out.len, 8202);
        assert_memory_equal(out.data, text + 6, 8192);
        assert_string_equal(cof_buf_cstr(&out) + 8192, "0123456789");
        cof_buf_done(&out);
    }
}

static void bad_chunks_are_refused(void **state)
{
    static const char *const bad[] = {"\r\n", "g\r\n", "5\nhello", "5\r\nhelloX\r\n", "5;chunk-signature=00\r\nhello\r\n", "1234567890123\r\n",
        "0\r\nno colon\r\n\r\n", "0\r\n\r\nmore", "-1\r\n", "0x5\r\nhello\r\n", " 5\r\nhello\r\n",
        "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"};
    bool ended;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cof_buf out;

        cof_buf_init(&out, 1000);
        assert_int_equal(chunked(bad[i], 1000, COF_PAYLOAD_CHUNKS_TRAILER, &out, &ended), COF_E_FORMAT);
        cof_buf_done(&out);
    }
    {
        struct cof_buf out;

        cof_buf_init(&out, 1000);
        assert_int_equal(chunked("5\r\nhello\r\n0\r\n", 1000, COF_PAYLOAD_CHUNKS_TRAILER, &out, &ended), COF_E_SHORT);
        assert_false(ended); /* cut off: the caller must not take it for whole */
        cof_buf_done(&out);
    }
}

/* S3 API reference, "Example: PUT object with chunked upload": the signatures given there. */
static void signed_chunks_follow_from_one_another(void **state)
{
    struct cof_auth auth = {.payload = COF_PAYLOAD_CHUNKS_SIGNED, .claim = {.day = COF_LIT("20130524"), .region = COF_LIT("us-east-1"),
        .service = COF_LIT("s3"), .date = COF_LIT("20130524T000000Z"),
        .signature = COF_LIT("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")}};
    static const char *const sigs[] = {"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"};
    struct cof_buf text;

    assert_ok(cof_sigv4_signing_key(COF_LIT("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), auth.claim.day, auth.claim.region, auth.claim.service, &auth.signing_key));
    cof_buf_init(&text, 100000);
    cof_buf_printf(&text, "10000;chunk-signature=%s\r\n", sigs[0]);
    memset(cof_buf_extend(&text, 65536), 'a', 65536);
    cof_buf_printf(&text, "\r\n400;chunk-signature=%s\r\n", sigs[1]);
    memset(cof_buf_extend(&text, 1024), 'a', 1024);
    cof_buf_printf(&text, "\r\n0;chunk-signature=%s\r\n\r\n", sigs[2]);
    for (int flip = 0; flip < 2; flip++) {
        struct cof_view in = cof_buf_view(&text), piece;
        struct cof_s3_chunked c;
        size_t total = 0;
        enum cof_err err;

        if (flip == 1)
            text.data[50000] ^= 1;
        assert_ok(cof_s3_chunked_init(&c, &auth));
        do {
            err = cof_s3_chunked_next(&c, &in, &piece);
            total += piece.len;
        } while (err == COF_OK);
        assert_int_equal(err, flip == 0 ? COF_E_SHORT : COF_E_AUTH);
        assert_int_equal(c.ended, flip == 0);
        if (flip == 0)
            assert_int_equal(total, 66560);
        cof_s3_chunked_done(&c);
    }
    cof_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_comes_back),
        cmocka_unit_test(a_reply_keeps_the_object_it_told_of),
        cmocka_unit_test(what_is_remembered_is_what_is_there),
        cmocka_unit_test(versions_that_begin_meanwhile_stay),
        cmocka_unit_test(altered_bodies_are_noticed),
        cmocka_unit_test(unsigned_and_wrongly_signed_are_refused),
        cmocka_unit_test(a_refused_request_changes_nothing),
        cmocka_unit_test(the_customer_key_is_never_kept),
        cmocka_unit_test(chunks_are_taken_apart_however_they_come),
        cmocka_unit_test(bad_chunks_are_refused),
        cmocka_unit_test(signed_chunks_follow_from_one_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
