/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit records of real calls against the stand-in in memory.
 */
#include "standin_fixture.h"

#include "engine/audit_chain.h"
#include "format/json.h"
#include "standin/trail.h"

/* The records so far, in an array; each line must be JSON. */
static json_t *records(struct fixture *f)
{
    struct cof_view rest = cof_buf_view(&f->audit), line;
    json_t *list = json_array(), *record;

    while (rest.len > 0) {
        (void)cof_view_split(rest, '\n', &line, &rest);
        assert_ok(cof_json_parse_object(line, COF_AUDIT_LINE_MAX, &record, NULL));
        assert_int_equal(json_array_append_new(list, record), 0);
    }
    return list;
}

static const json_t *at(const json_t *o, const char *a, const char *b)
{
    const json_t *v = json_object_get(o, a);

    return b == NULL ? v : json_object_get(v, b);
}

#define TEXT(o, a, b) json_string_value(at(o, a, b))

static void a_put_is_recorded_as_cloudtrail_does(void **state)
{
    struct fixture f;
    struct answer a;
    json_t *all;
    const json_t *r;

    fixture_init(&f, NULL);
    fixture_call(&f, "PUT", "/bbb/k%22%0A", "User-Agent: tester/1\nx-amz-storage-class: STANDARD\n", NULL, COF_LIT("hello"), 100, &a);
    assert_int_equal(a.status, 200);
    all = records(&f);
    assert_int_equal(json_array_size(all), 1);
    r = json_array_get(all, 0);
    assert_string_equal(TEXT(r, "eventVersion", NULL), "1.11");
    assert_string_equal(TEXT(r, "userIdentity", "type"), "Root");
    assert_string_equal(TEXT(r, "userIdentity", "arn"), "arn:aws:iam::111122223333:root");
    assert_string_equal(TEXT(r, "userIdentity", "accessKeyId"), f.id);
    assert_string_equal(TEXT(r, "eventSource", NULL), "s3.amazonaws.com");
    assert_string_equal(TEXT(r, "eventName", NULL), "PutObject");
    assert_string_equal(TEXT(r, "eventTime", NULL), "2026-11-23T20:00:00.000Z");
    assert_string_equal(TEXT(r, "sourceIPAddress", NULL), "127.0.0.1");
    assert_string_equal(TEXT(r, "userAgent", NULL), "tester/1");
    assert_string_equal(TEXT(r, "requestParameters", "bucketName"), "bbb");
    assert_string_equal(TEXT(r, "requestParameters", "key"), "k\"\n");
    assert_string_equal(TEXT(r, "requestParameters", "x-amz-storage-class"), "STANDARD");
    assert_true(json_is_false(at(r, "readOnly", NULL)) && json_is_false(at(r, "managementEvent", NULL)));
    assert_string_equal(TEXT(r, "eventCategory", NULL), "Data");
    assert_string_equal(json_string_value(json_object_get(json_array_get(at(r, "resources", NULL), 0), "ARN")), "arn:aws:s3:::bbb/k\"\n");
    assert_int_equal(json_integer_value(at(r, "additionalEventData", "bytesTransferredIn")), 5);
    assert_null(at(r, "errorCode", NULL));
    json_decref(all);
    answer_done(&a);
    fixture_call(&f, "GET", "/bbb/k%22%0A", "", NULL, COF_LIT(""), 100, &a); /* the same caller, who is written the same */
    all = records(&f);
    assert_int_equal(json_array_size(all), 2);
    assert_int_equal(json_equal(at(json_array_get(all, 0), "userIdentity", NULL), at(json_array_get(all, 1), "userIdentity", NULL)), 1);
    assert_string_equal(TEXT(json_array_get(all, 1), "eventName", NULL), "GetObject");
    json_decref(all);
    answer_done(&a);
    fixture_done(&f);
}

static void refusals_are_recorded_with_code_and_message(void **state)
{
    struct fixture f;
    struct answer a;
    json_t *all;
    const json_t *r;

    fixture_init(&f, NULL);
    fixture_call(&f, "GET", "/bbb/none", "", NULL, COF_LIT(""), 1, &a);
    assert_int_equal(a.status, 404);
    answer_done(&a);
    fixture_send(&f, COF_LIT("GET /bbb/none HTTP/1.1\r\nHost: localhost:1\r\nx-amz-date: 20261123T200000Z\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIANOBODY0000000000/20261123/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"),
        COF_LIT(""), 1, &a);
    assert_int_equal(a.status, 403);
    all = records(&f);
    assert_int_equal(json_array_size(all), 2);
    r = json_array_get(all, 0);
    assert_string_equal(TEXT(r, "errorCode", NULL), "NoSuchKey");
    assert_string_equal(TEXT(r, "errorMessage", NULL), "The specified key does not exist.");
    assert_true(json_is_true(at(r, "readOnly", NULL)));
    assert_true(json_is_null(at(r, "responseElements", NULL)));
    r = json_array_get(all, 1);
    assert_string_equal(TEXT(r, "errorCode", NULL), "InvalidAccessKeyId");
    assert_string_equal(TEXT(r, "userIdentity", "type"), "Unknown");
    assert_string_equal(TEXT(r, "userIdentity", "accessKeyId"), "AKIANOBODY0000000000");
    json_decref(all);
    answer_done(&a);
    fixture_done(&f);
}

/* A customer key, a presigned URL's signature and bodies: none of them may be found anywhere in the records. */
static void secrets_are_not_recorded(void **state)
{
    static const char key[] = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", md5[] = "ASsR3i4ZBLGk0Zx5mLnvFw==";
    struct fixture f;
    struct answer a;
    char headers[400];

    fixture_init(&f, NULL);
    (void)snprintf(headers, sizeof headers, "x-amz-server-side-encryption-customer-algorithm: AES256\nx-amz-server-side-encryption-customer-key: %s\n"
        "x-amz-server-side-encryption-customer-key-MD5: %s\nx-amz-meta-a: META-SECRET\n", key, md5);
    fixture_call(&f, "PUT", "/bbb/k", headers, NULL, COF_LIT("BODY-SECRET"), 100, &a);
    answer_done(&a);
    fixture_call(&f, "GET", "/bbb/k?X-Amz-Signature=SIGNATURE-SECRET&X-Amz-Security-Token=TOKEN-SECRET", headers, NULL, COF_LIT(""), 100, &a);
    answer_done(&a);
    json_decref(records(&f));
    assert_true(f.audit.len > 500);
    assert_non_null(strstr(cof_buf_cstr(&f.audit), "\"x-amz-server-side-encryption-customer-algorithm\":\"AES256\""));
    assert_null(strstr(cof_buf_cstr(&f.audit), key));
    assert_null(strstr(cof_buf_cstr(&f.audit), md5));
    assert_null(strstr(cof_buf_cstr(&f.audit), "SECRET"));
    assert_null(strstr(cof_buf_cstr(&f.audit), f.secret));
    fixture_done(&f);
}

/* Whatever a client says, a record is one line of JSON. */
static void hostile_text_stays_text(void **state)
{
    struct fixture f;
    struct answer a;

    fixture_init(&f, NULL);
    fixture_send(&f, COF_LIT("GET /bbb/%00%ff%fe%e2%80%a8%22%5c?versionId=%22%7d%0a%7b&uploadId=\\\" HTTP/1.1\r\nHost: \"}\\\r\nUser-Agent: \xff\xfe\"}\\\r\n\r\n"),
        COF_LIT(""), 1, &a);
    answer_done(&a);
    fixture_send(&f, COF_LIT("PUT /bbb?policy&x=%zz&prefix=%c3%28 HTTP/1.1\r\nHost: a\r\nUser-Agent: a\tb\r\nContent-Length: 1\r\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=\"\\/1/2/s3/aws4_request, SignedHeaders=host, Signature=00\r\n\r\n"), COF_LIT("{"), 1, &a);
    answer_done(&a);
    json_decref(records(&f));
    assert_true(f.audit.len > 0);
    fixture_done(&f);
}

/* A log that cannot take a record keeps the answer back. */
static enum cof_err full(void *ctx, struct cof_view lines)
{
    return COF_E_NO_SPACE;
}

static void what_cannot_be_recorded_is_not_answered_as_done(void **state)
{
    struct fixture f;
    struct answer a;

    fixture_init(&f, NULL);
    ((struct cof_standin_opts *)(uintptr_t)cof_standin_options(f.s))->audit = full;
    fixture_call(&f, "PUT", "/bbb/k", "", NULL, COF_LIT("x"), 1, &a);
    assert_int_equal(a.status, 503);
    assert_true(answer_has(&a, "<Code>ServiceUnavailable</Code>"));
    answer_done(&a);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_put_is_recorded_as_cloudtrail_does),
        cmocka_unit_test(refusals_are_recorded_with_code_and_message),
        cmocka_unit_test(secrets_are_not_recorded),
        cmocka_unit_test(hostile_text_stays_text),
        cmocka_unit_test(what_cannot_be_recorded_is_not_answered_as_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
