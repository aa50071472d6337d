/* SPDX-License-Identifier: Apache-2.0
 *
 * Multipart uploads as requests and replies: part sizes, joined checksums, what is sent, what is believed.
 */
#include "testing.h"

#include "engine/s3_multipart.h"

#include <string.h>

#define MIB ((uint64_t)1 << 20)

static void part_sizes(void **state)
{
    uint64_t size;

    assert_ok(cof_s3_part_size(0, 1, &size));
    assert_int_equal(size, COF_S3_PART_MIN);
    assert_ok(cof_s3_part_size(100 * MIB, 8 * MIB, &size));
    assert_int_equal(size, 8 * MIB);
    assert_ok(cof_s3_part_size(80000 * MIB, 8 * MIB, &size)); /* exactly 10,000 parts */
    assert_int_equal(size, 8 * MIB);
    assert_ok(cof_s3_part_size(80000 * MIB + 1, 8 * MIB, &size));
    assert_int_equal(size, 9 * MIB);
    assert_ok(cof_s3_part_size(COF_S3_OBJECT_MAX, 8 * MIB, &size));
    assert_true(size <= COF_S3_PART_LARGEST && size * COF_S3_PARTS_MAX >= COF_S3_OBJECT_MAX);
    assert_int_equal(cof_s3_part_size(COF_S3_OBJECT_MAX + 1, 8 * MIB, &size), COF_E_TOO_LARGE);
}

static void sum_part(enum cof_checksum_alg alg, struct cof_view bytes, struct cof_s3_part *part)
{
    struct cof_checksum sum;

    *part = (struct cof_s3_part){.length = bytes.len, .has_sum = true};
    assert_ok(cof_checksum_init(&sum, alg));
    assert_ok(cof_checksum_update(&sum, bytes));
    assert_ok(cof_checksum_final(&sum, part->sum));
    cof_checksum_done(&sum);
}

/* "123456789" in three parts: the CRC of the whole is the published one, a composite has its count. */
static void joined_checksums(void **state)
{
    struct cof_s3_part parts[3];
    char text[COF_S3_SUM_MAX];
    static const char *const cut[3] = {"12", "3456", "789"};

    for (size_t i = 0; i < 3; i++)
        sum_part(COF_CHECKSUM_CRC64NVME, cof_view_str(cut[i]), &parts[i]);
    assert_ok(cof_s3_join_checksum(COF_CHECKSUM_CRC64NVME, parts, 3, text));
    assert_string_equal(text, "rosUhgp5mIg="); /* ae8b14860a799888 */
    for (size_t i = 0; i < 3; i++)
        sum_part(COF_CHECKSUM_SHA256, cof_view_str(cut[i]), &parts[i]);
    assert_ok(cof_s3_join_checksum(COF_CHECKSUM_SHA256, parts, 3, text));
    assert_non_null(strstr(text, "-3"));
    assert_int_equal(strlen(text), 46);
}

static struct cof_s3_upload_of upload(void)
{
    return (struct cof_s3_upload_of){.bucket = COF_LIT("bucket"), .key = COF_LIT("a b"), .upload_id = COF_LIT("id/+="),
                                     .checksum = COF_CHECKSUM_CRC64NVME};
}

static bool has(const struct cof_aws_request *r, const char *name, const char *value)
{
    struct cof_view v;

    return cof_headers_get(&r->headers, name, &v) && cof_view_eq_str(v, value);
}

static void requests(void **state)
{
    struct cof_s3_put put = {.bucket = COF_LIT("bucket"), .key = COF_LIT("a b"), .sse = {.mode = COF_SSE_KMS, .bucket_key = true}};
    struct cof_s3_upload_of of = upload();
    struct cof_s3_part parts[2];
    struct cof_aws_request r;

    assert_ok(cof_s3_create_multipart(&r, &put, COF_CHECKSUM_CRC64NVME));
    assert_string_equal(cof_buf_cstr(&r.path), "/a%20b");
    assert_true(has(&r, "x-amz-checksum-type", "FULL_OBJECT") && has(&r, "x-amz-server-side-encryption", "aws:kms") &&
                has(&r, "x-amz-server-side-encryption-bucket-key-enabled", "true"));
    cof_aws_request_done(&r);
    assert_ok(cof_s3_upload_part(&r, &of, 7, 42));
    assert_string_equal(cof_buf_cstr(&r.query), "uploadId=id%2F%2B%3D&partNumber=7");
    assert_true(r.streaming && r.length == 42 && r.checksum == COF_CHECKSUM_CRC64NVME);
    cof_aws_request_done(&r);
    sum_part(COF_CHECKSUM_CRC64NVME, COF_LIT("one"), &parts[0]);
    sum_part(COF_CHECKSUM_CRC64NVME, COF_LIT("two"), &parts[1]);
    (void)snprintf(parts[0].etag, sizeof parts[0].etag, "\"<&a\"");
    assert_ok(cof_s3_complete_multipart(&r, &of, parts, 2, &(struct cof_s3_put){.create_only = true}));
    assert_non_null(strstr(cof_buf_cstr(&r.body), "<ETag>&quot;a&quot;</ETag>")); /* a reply's words make no markup */
    assert_true(has(&r, "If-None-Match", "*") && has(&r, "x-amz-mp-object-size", "6"));
    cof_aws_request_done(&r);
    assert_int_equal(cof_s3_complete_multipart(&r, &of, parts, 0, &(struct cof_s3_put){0}), COF_E_USAGE);
}

struct seen {
    unsigned n, numbers[4];
    struct cof_s3_part parts[4];
};

static void see(void *ctx, unsigned number, const struct cof_s3_part *part)
{
    struct seen *s = ctx;

    assert_true(s->n < 4);
    s->numbers[s->n] = number;
    s->parts[s->n++] = *part;
}

static void replies(void **state)
{
    char id[COF_S3_UPLOAD_ID_MAX], etag[128], sum[COF_S3_SUM_MAX];
    struct seen s = {0};
    struct cof_diag diag;
    unsigned next;
    struct cof_view list = COF_LIT(
        "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>9</NextPartNumberMarker><Part><PartNumber>1"
        "</PartNumber><Size>5</Size><ETag>\"e\"</ETag><ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME></Part><Part>"
        "<PartNumber>9</PartNumber><Size>6</Size><ETag>\"f\"</ETag><ChecksumCRC64NVME>AA==</ChecksumCRC64NVME></Part></ListPartsResult>");

    assert_ok(cof_s3_read_created(COF_LIT("<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"), id, &diag));
    assert_string_equal(id, "u");
    assert_int_equal(cof_s3_read_created(COF_LIT("<InitiateMultipartUploadResult/>"), id, &diag), COF_E_FORMAT);
    assert_int_equal(cof_s3_read_created(COF_LIT("<html/>"), id, &diag), COF_E_FORMAT);
    assert_ok(cof_s3_read_parts(list, COF_CHECKSUM_CRC64NVME, see, &s, &next, &diag));
    assert_int_equal(next, 9);
    assert_int_equal(s.n, 2);
    assert_true(s.parts[0].has_sum && s.parts[0].length == 5 && s.numbers[1] == 9);
    assert_false(s.parts[1].has_sum); /* a checksum of the wrong length is none */
    assert_int_equal(cof_s3_read_parts(COF_LIT("<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>"),
                                       COF_CHECKSUM_NONE, see, &s, &next, &diag), COF_E_FORMAT);
    assert_int_equal(cof_s3_read_parts(COF_LIT("<ListPartsResult><Part><PartNumber>10001</PartNumber><Size>1</Size></Part></ListPartsResult>"),
                                       COF_CHECKSUM_NONE, see, &s, &next, &diag), COF_E_FORMAT);
    assert_ok(cof_s3_read_completed(COF_LIT("<CompleteMultipartUploadResult><ETag>\"a-2\"</ETag><ChecksumCRC64NVME>x</ChecksumCRC64NVME>"
                                            "</CompleteMultipartUploadResult>"), COF_CHECKSUM_CRC64NVME, etag, sum, &diag));
    assert_string_equal(etag, "\"a-2\"");
    assert_string_equal(sum, "x");
    assert_int_equal(cof_s3_read_completed(COF_LIT("<Error><Code>InternalError</Code></Error>"), COF_CHECKSUM_NONE, etag, sum, &diag), COF_E_RETRY);
    assert_int_equal(cof_s3_read_completed(COF_LIT("<Error><Code>PreconditionFailed</Code></Error>"), COF_CHECKSUM_NONE, etag, sum, &diag),
                     COF_E_PRECONDITION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(part_sizes), cmocka_unit_test(joined_checksums), cmocka_unit_test(requests),
                                       cmocka_unit_test(replies)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
