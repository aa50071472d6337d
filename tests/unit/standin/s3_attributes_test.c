/* SPDX-License-Identifier: Apache-2.0
 *
 * GetObjectAttributes, and reading an object part by part.
 */
#include "standin_fixture.h"

#include "base/codec.h"
#include "crypto/checksum.h"

#define PART ((size_t)5 << 20)

static void call(struct fixture *f, const char *method, const char *target, const char *extra, struct cof_view body, struct answer *a)
{
    fixture_call(f, method, target, extra, NULL, body, 1 << 20, a);
}

static void expect(struct fixture *f, const char *target, const char *extra, int status, const char *const *texts)
{
    struct answer a;

    call(f, "GET", target, extra, COF_LIT(""), &a);
    if (a.status != status)
        fail_msg("%s: %d %s", target, a.status, cof_buf_cstr(&a.body));
    for (; *texts != NULL; texts++)
        if (!answer_has(&a, *texts))
            fail_msg("%s: no %s in %s", target, *texts, cof_buf_cstr(&a.body));
    answer_done(&a);
}
#define EXPECT(target, extra, status, ...) expect(&f, target, extra, status, (const char *const[]){__VA_ARGS__, NULL})

static void what_is_asked_is_told(void **state)
{
    struct fixture f;
    struct answer a;

    fixture_init(&f, NULL);
    call(&f, "PUT", "/bbb/k", "x-amz-checksum-sha256: LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=", COF_LIT("x"), &a);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    EXPECT("/bbb/k?attributes", "", 400, "<Code>InvalidRequest</Code>");
    EXPECT("/bbb/k?attributes", "x-amz-object-attributes: ETag,Colour", 400, "Invalid attribute name");
    EXPECT("/bbb/k?attributes", "x-amz-object-attributes: ObjectSize", 200,
        "<GetObjectAttributesResponse xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><ObjectSize>1</ObjectSize></GetObjectAttributesResponse>");
    EXPECT("/bbb/k?attributes", "x-amz-object-attributes: ETag, Checksum, ObjectParts\nx-amz-object-attributes: StorageClass", 200,
        "<ETag>9dd4e461268c8034f5c8564e155c67a6</ETag>", "<ChecksumSHA256>LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=</ChecksumSHA256>"
        "<ChecksumType>FULL_OBJECT</ChecksumType></Checksum><StorageClass>STANDARD</StorageClass></GetObjectAttributesResponse>");
    EXPECT("/bbb/none?attributes", "x-amz-object-attributes: ETag", 404, "NoSuchKey");
    EXPECT("/bbb/k?attributes", "x-amz-object-attributes: ETag\nx-amz-expected-bucket-owner: 999999999999", 403, "AccessDenied");
    EXPECT("/bbb/k?attributes", "x-amz-object-attributes: ETag\nx-amz-expected-bucket-owner: me", 400, "InvalidBucketOwnerAWSAccountID");
    fixture_done(&f);
}

/* Between two texts of the answer. */
static void cut(const struct answer *a, const char *before, char end, char *out, size_t cap)
{
    const char *at = strstr((const char *)a->body.data, before);
    size_t n = 0;

    assert_non_null(at);
    for (at += strlen(before); at[n] != end && n + 1 < cap; n++)
        out[n] = at[n];
    out[n] = '\0';
}

/* "x-amz-checksum-crc32: VALUE" of these bytes, and <ChecksumCRC32>VALUE</ChecksumCRC32>. */
static void sum_of(struct cof_view data, char header[60], char element[80])
{
    uint8_t bytes[COF_CHECKSUM_MAX];
    struct cof_checksum sum;
    struct cof_buf text;

    cof_buf_init(&text, 64);
    assert_ok(cof_checksum_init(&sum, COF_CHECKSUM_CRC32));
    assert_ok(cof_checksum_update(&sum, data));
    assert_ok(cof_checksum_final(&sum, bytes));
    cof_checksum_done(&sum);
    cof_base64_add(&text, cof_view_of(bytes, 4));
    (void)snprintf(header, 60, "x-amz-checksum-crc32: %s", cof_buf_cstr(&text));
    (void)snprintf(element, 80, "<ChecksumCRC32>%s</ChecksumCRC32>", cof_buf_cstr(&text));
    cof_buf_done(&text);
}

/* spec: of each part of a composite its checksum is kept; of one of the whole, no part's is told. */
static void two_parts(struct fixture *f, bool composite, char target[200], char list[1000])
{
    char upload[64], etags[2][64], headers[2][60], elements[2][80];
    uint8_t *data = malloc(PART);
    struct cof_view value;
    struct answer a;

    memset(data, 'A', PART);
    call(f, "POST", "/bbb/k?uploads=",
        composite ? "x-amz-checksum-algorithm: CRC32" : "x-amz-checksum-algorithm: CRC32\nx-amz-checksum-type: FULL_OBJECT", COF_LIT(""), &a);
    cof_buf_add_u8(&a.body, 0);
    cut(&a, "<UploadId>", '<', upload, sizeof upload);
    answer_done(&a);
    for (int i = 0; i < 2; i++) {
        struct cof_view body = i == 0 ? cof_view_of(data, PART) : COF_LIT("x");

        sum_of(body, headers[i], elements[i]);
        (void)snprintf(target, 200, "/bbb/k?partNumber=%d&uploadId=%s", i + 1, upload);
        call(f, "PUT", target, headers[i], body, &a);
        assert_int_equal(a.status, 200);
        assert_true(cof_headers_get(&a.headers, "ETag", &value));
        (void)snprintf(etags[i], sizeof etags[i], "%.*s", (int)value.len, (const char *)value.data);
        answer_done(&a);
    }
    (void)snprintf(target, 200, "/bbb/k?uploadId=%s", upload);
    (void)snprintf(list, 1000, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>%s</ETag>%s</Part>"
        "<Part><PartNumber>2</PartNumber><ETag>%s</ETag>%s</Part></CompleteMultipartUpload>", etags[0], elements[0], etags[1], elements[1]);
    free(data);
    for (int again = 0; again < 2; again++) { /* a completion asked for twice is answered twice */
        call(f, "POST", target, "", cof_view_str(list), &a);
        assert_int_equal(a.status, 200);
        assert_true(answer_has(&a, composite ? "<ChecksumType>COMPOSITE</ChecksumType>" : "<ChecksumType>FULL_OBJECT</ChecksumType>"));
        answer_done(&a);
    }
}

static void parts_have_checksums_of_their_own(void **state)
{
    char target[200], list[1000];
    struct cof_view value;
    struct fixture f;
    struct answer a;

    fixture_init(&f, NULL);
    two_parts(&f, false, target, list);
    EXPECT("/bbb/k?attributes", "x-amz-object-attributes: ObjectParts", 200, "<ObjectParts><PartsCount>2</PartsCount></ObjectParts>");
    call(&f, "GET", "/bbb/k?partNumber=2", "x-amz-checksum-mode: ENABLED", COF_LIT(""), &a);
    assert_false(cof_headers_get(&a.headers, "x-amz-checksum-crc32", &value));
    answer_done(&a);
    two_parts(&f, true, target, list);
    EXPECT("/bbb/k?attributes", "x-amz-object-attributes: Checksum", 200, "==</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType>");
    EXPECT("/bbb/k?attributes", "x-amz-object-attributes: ObjectParts,ObjectSize", 200,
        "<PartsCount>2</PartsCount><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>2</NextPartNumberMarker>",
        "<Part><PartNumber>2</PartNumber><Size>1</Size><ChecksumCRC32>jNwWgw==</ChecksumCRC32></Part>", "<ObjectSize>5242881</ObjectSize>");
    EXPECT("/bbb/k?attributes", "x-amz-object-attributes: ObjectParts\nx-amz-max-parts: 1", 200,
        "<NextPartNumberMarker>1</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated>");
    EXPECT("/bbb/k?attributes", "x-amz-object-attributes: ObjectParts\nx-amz-part-number-marker: 1", 200,
        "<PartNumberMarker>1</PartNumberMarker>", "<IsTruncated>false</IsTruncated><Part><PartNumber>2</PartNumber>");
    call(&f, "GET", "/bbb/k?partNumber=2", "x-amz-checksum-mode: ENABLED", COF_LIT(""), &a);
    assert_int_equal(a.status, 206);
    assert_int_equal(a.body.len, 1);
    assert_true(cof_headers_get(&a.headers, "x-amz-checksum-crc32", &value) && cof_view_eq_str(value, "jNwWgw=="));
    assert_true(cof_headers_get(&a.headers, "x-amz-mp-parts-count", &value) && cof_view_eq_str(value, "2"));
    answer_done(&a);
    call(&f, "DELETE", "/bbb/k", "", COF_LIT(""), &a);
    answer_done(&a);
    call(&f, "POST", target, "", cof_view_str(list), &a);
    assert_int_equal(a.status, 404); /* what it made is gone */
    answer_done(&a);
    fixture_done(&f);
}

/* spec: of a composite each part must have its checksum, of the upload's kind, when it comes and when it is named. */
static void composites_want_every_checksum(void **state)
{
#define SUM "x-amz-checksum-sha256: LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE="
#define ONE(sum) "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>9dd4e461268c8034f5c8564e155c67a6</ETag>" sum "</Part></CompleteMultipartUpload>"
    static const struct { const char *headers, *text; } parts[] = {
        {"", "expected checksum Type: sha256, actual checksum Type: null"},
        {"x-amz-checksum-crc32: jNwWgw==", "expected checksum Type: sha256, actual checksum Type: crc32"},
        {SUM, ""},
    };
    char upload[64], target[200];
    struct fixture f;
    struct answer a;

    fixture_init(&f, NULL);
    call(&f, "POST", "/bbb/k?uploads=", "x-amz-checksum-algorithm: SHA256", COF_LIT(""), &a);
    cof_buf_add_u8(&a.body, 0);
    cut(&a, "<UploadId>", '<', upload, sizeof upload);
    answer_done(&a);
    (void)snprintf(target, sizeof target, "/bbb/k?partNumber=1&uploadId=%s", upload);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        call(&f, "PUT", target, parts[i].headers, COF_LIT("x"), &a);
        if (a.status != (parts[i].text[0] != '\0' ? 400 : 200) || !answer_has(&a, parts[i].text))
            fail_msg("%zu: %d %s", i, a.status, cof_buf_cstr(&a.body));
        answer_done(&a);
    }
    (void)snprintf(target, sizeof target, "/bbb/k?uploadId=%s", upload);
    call(&f, "POST", target, "", COF_LIT(ONE("")), &a);
    assert_true(a.status == 400 && answer_has(&a, "It was missing for part 1 in the request."));
    answer_done(&a);
    call(&f, "POST", target, "", COF_LIT(ONE("<ChecksumSHA256>AAAWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=</ChecksumSHA256>")), &a);
    assert_true(a.status == 400 && answer_has(&a, "<Code>InvalidPart</Code>"));
    answer_done(&a);
    call(&f, "POST", target, "", COF_LIT(ONE("<ChecksumSHA256>LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=</ChecksumSHA256>")), &a);
    assert_true(a.status == 200 && answer_has(&a, "<ChecksumType>COMPOSITE</ChecksumType>"));
    answer_done(&a);
    fixture_done(&f);
}

static void archives_are_not_at_hand(void **state)
{
    struct fixture f;
    struct answer a;

    fixture_init(&f, NULL);
    call(&f, "PUT", "/bbb/k", "x-amz-storage-class: COLD", COF_LIT("x"), &a);
    assert_true(a.status == 400 && answer_has(&a, "InvalidStorageClass"));
    answer_done(&a);
    call(&f, "PUT", "/bbb/k", "x-amz-storage-class: DEEP_ARCHIVE", COF_LIT("x"), &a);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    EXPECT("/bbb/k", "", 403, "<Code>InvalidObjectState</Code>", "<StorageClass>DEEP_ARCHIVE</StorageClass>");
    EXPECT("/bbb/k?attributes", "x-amz-object-attributes: StorageClass", 200, "<StorageClass>DEEP_ARCHIVE</StorageClass>");
    EXPECT("/bbb", "", 200, "<StorageClass>DEEP_ARCHIVE</StorageClass>");
    call(&f, "PUT", "/bbb/c", "x-amz-copy-source: bbb/k", COF_LIT(""), &a);
    assert_int_equal(a.status, 403);
    answer_done(&a);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_asked_is_told), cmocka_unit_test(parts_have_checksums_of_their_own),
        cmocka_unit_test(composites_want_every_checksum), cmocka_unit_test(archives_are_not_at_hand)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
