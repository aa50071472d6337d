/* SPDX-License-Identifier: Apache-2.0
 *
 * The stated length of an aws-chunked body is its real one, whatever the pieces; and AWS's own example of chunk signatures
 * ("Signature calculations for the Authorization header: transferring payload in multiple chunks") comes out.
 */
#include "testing.h"

#include "engine/aws_chunked.h"

#define SEED "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"

static const struct cof_sigv4_credentials credentials = {
    {(const uint8_t *)"AKIAIOSFODNN7EXAMPLE", 20}, {(const uint8_t *)"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 40}, {0}};
static const struct cof_sigv4_scope scope = {1369353600000, {(const uint8_t *)"us-east-1", 9}, {(const uint8_t *)"s3", 2}};

static void aws_example(void **state)
{
    static uint8_t data[66560];
    struct cof_aws_chunked c;
    struct cof_buf out;

    (void)state;
    memset(data, 'a', sizeof data);
    cof_buf_init(&out, 100000);
    assert_ok(cof_aws_chunked_init(&c, COF_CHECKSUM_NONE, &credentials, &scope, SEED));
    assert_ok(cof_aws_chunked_push(&c, cof_view_of(data, sizeof data), &out));
    assert_ok(cof_aws_chunked_finish(&c, &out, NULL));
    assert_int_equal(out.len, 66824);
    assert_int_equal(cof_aws_chunked_length(true, COF_CHECKSUM_NONE, sizeof data), 66824);
    assert_non_null(strstr(cof_buf_cstr(&out),
                           "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"));
    assert_non_null(strstr(cof_buf_cstr(&out),
                           "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"));
    assert_non_null(strstr(cof_buf_cstr(&out),
                           "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"));
    cof_buf_done(&out);
    cof_aws_chunked_done(&c);
}

static void lengths(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 255, 4096, 65535, 65536, 65537, 131072, 200001};
    static const enum cof_checksum_alg algs[] = {COF_CHECKSUM_NONE, COF_CHECKSUM_CRC32, COF_CHECKSUM_CRC64NVME,
                                                 COF_CHECKSUM_SHA256};
    static const size_t steps[] = {1000000, 65536, 65535, 777};
    static uint8_t data[200001];

    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (size_t a = 0; a < 4; a++)
            for (int is_signed = 0; is_signed < 2; is_signed++)
                for (size_t k = 0; k < 4; k++) {
                    struct cof_aws_chunked c;
                    struct cof_buf out;
                    struct cof_view rest = cof_view_of(data, sizes[s]);
                    cof_buf_init(&out, 1000000);
                    assert_ok(cof_aws_chunked_init(&c, algs[a], is_signed ? &credentials : NULL, is_signed ? &scope : NULL,
                                                   is_signed ? SEED : NULL));
                    while (rest.len > 0) {
                        assert_ok(cof_aws_chunked_push(&c, cof_view_sub(rest, 0, steps[k]), &out));
                        rest = cof_view_sub(rest, steps[k], SIZE_MAX);
                    }
                    assert_ok(cof_aws_chunked_finish(&c, &out, NULL));
                    assert_int_equal(out.len, cof_aws_chunked_length(is_signed, algs[a], sizes[s]));
                    cof_buf_done(&out);
                    cof_aws_chunked_done(&c);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(aws_example), cmocka_unit_test(lengths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
