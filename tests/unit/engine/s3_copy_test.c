/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies within S3 as requests, and the list of tags as a reply.
 */
#include "testing.h"

#include "engine/s3_copy.h"

#include <string.h>

static void tags_as_a_header(void **state)
{
    static const struct {
        const char *reply;
        enum cof_err err;
        const char *text;
    } cases[] = {
        {"<Tagging><TagSet/></Tagging>", COF_OK, ""},
        {"<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Value>x=&amp; y</Value><Key>\xc3\xa4</Key></Tag>"
         "</TagSet></Tagging>", COF_OK, "a=1&%C3%A4=x%3D%26%20y"},
        {"<Tagging/>", COF_E_FORMAT, ""},
        {"<Tagging><TagSet>", COF_E_FORMAT, ""},
        {"", COF_E_FORMAT, ""},
        {"<Tagging><TagSet><Tag/><Tag/><Tag/><Tag/><Tag/><Tag/><Tag/><Tag/><Tag/><Tag/><Tag/></TagSet></Tagging>", COF_E_FORMAT, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_diag diag = {0};
        struct cof_buf out;

        cof_buf_init(&out, 8192);
        assert_int_equal(cof_s3_read_tags(cof_view_str(cases[i].reply), &out, &diag), cases[i].err);
        if (cases[i].text != NULL)
            assert_string_equal(cof_buf_cstr(&out), cases[i].text);
        cof_buf_done(&out);
    }
}

static void what_a_copy_in_parts_is_given(void **state)
{
    static const char *const all[][2] = {{"Content-Type", "a/b"}, {"X-Amz-Meta-Camera", "7"}, {"ETag", "\"e\""}, {"Cache-Control", "no-store"}, {"x-amz-meta-", "x"},
                                         {"Content-Length", "5"}, {"x-amz-server-side-encryption", "AES256"}, {"Expires", "0"}, {"Content-Encoding", "gzip"}};
    struct cof_headers from, to;
    struct cof_view value;

    cof_headers_init(&from);
    cof_headers_init(&to);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        cof_headers_add_str(&from, all[i][0], all[i][1]);
    cof_s3_copy_headers(&from, &to);
    assert_int_equal(to.n, 5);
    assert_true(cof_headers_get(&to, "x-amz-meta-camera", &value) && cof_headers_get(&to, "expires", &value) && cof_headers_get(&to, "content-encoding", &value));
    cof_headers_done(&from);
    cof_headers_done(&to);
}

/* Keys of both objects, each under its own name; a key that is none makes no request. */
static void customer_keys(void **state)
{
    struct cof_secret key = {0}, short_key = {0};
    struct cof_s3_get from = {.bucket = COF_LIT("one"), .key = COF_LIT("k"), .sse = {.mode = COF_SSE_C, .customer_key = &key}};
    struct cof_s3_put to = {.bucket = COF_LIT("two"), .key = COF_LIT("k"), .sse = {.mode = COF_SSE_C, .customer_key = &key}};
    struct cof_s3_upload_of upload = {.bucket = COF_LIT("two"), .key = COF_LIT("k"), .upload_id = COF_LIT("u"), .sse = &to.sse};
    struct cof_aws_request request;
    struct cof_view value;

    assert_ok(cof_secret_set(&key, COF_LIT("0123456789abcdef0123456789abcdef")));
    assert_ok(cof_secret_set(&short_key, COF_LIT("0123456789abcdef0123456789abcde")));
    for (int i = 0; i < 2; i++) {
        assert_ok(i == 0 ? cof_s3_copy_whole(&request, &from, &to) : cof_s3_copy_range(&request, &upload, &from, 1, 0, 1));
        assert_true(cof_headers_get(&request.headers, "x-amz-copy-source-server-side-encryption-customer-key", &value));
        assert_true(cof_headers_get(&request.headers, "x-amz-server-side-encryption-customer-key-MD5", &value));
        cof_aws_request_done(&request);
    }
    from.sse.customer_key = &short_key;
    assert_int_equal(cof_s3_copy_whole(&request, &from, &to), COF_E_USAGE);
    cof_secret_done(&key);
    cof_secret_done(&short_key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tags_as_a_header), cmocka_unit_test(what_a_copy_in_parts_is_given), cmocka_unit_test(customer_keys)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
