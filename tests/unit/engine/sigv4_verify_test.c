/* SPDX-License-Identifier: Apache-2.0
 * What must be signed is: host, and every x-amz- field, however it is spelt and however often it is there; a list names each once, sorted,
 * in small letters. (Signatures themselves are checked by tests/vectors/sigv4_test.c.)
 */
#include "engine/sigv4_verify.h"
#include "testing.h"

#define SIGNATURE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static enum cof_sigv4_fault fault_of(const char *fields, const char *list)
{
    enum cof_sigv4_fault fault = COF_SIGV4_FINE;
    struct cof_sigv4_claim claim;
    struct cof_http_head head;
    char text[2000];
    size_t used;
    enum cof_err err;

    (void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\nX-Amz-Date: 20260101T000000Z\r\n%sAuthorization: AWS4-HMAC-SHA256 "
        "Credential=AKIA/20260101/us-east-1/s3/aws4_request, SignedHeaders=%s, Signature=" SIGNATURE "\r\n\r\n", fields, list);
    assert_ok(cof_http1_request(cof_view_str(text), sizeof text, &head, &used));
    err = cof_sigv4_claim_read(&head, &claim, &fault);
    assert_int_equal(err, fault == COF_SIGV4_FINE ? COF_OK : COF_E_FORMAT);
    if (err == COF_OK)
        assert_true(cof_view_eq_str(claim.signed_headers, list));
    cof_sigv4_claim_done(&claim);
    cof_http1_head_done(&head);
    return fault;
}

static void enough_is_signed(void **state)
{
    static const char two[] = "x-amz-A: 1\r\nX-AMZ-b: 2\r\n", twice[] = "X-Amz-A: 1\r\nx-amz-a: 2\r\n";

    (void)state;
    assert_int_equal(fault_of("", "host;x-amz-date"), COF_SIGV4_FINE);
    assert_int_equal(fault_of("", "host"), COF_SIGV4_HEADERS);
    assert_int_equal(fault_of("", "x-amz-date"), COF_SIGV4_HEADERS);
    assert_int_equal(fault_of("X: 1\r\n", "host;x;x-amz-date"), COF_SIGV4_FINE);
    assert_int_equal(fault_of("X: 1\r\nx-am: 2\r\n", "host;x-amz-date"), COF_SIGV4_FINE); /* no x-amz- fields */
    assert_int_equal(fault_of(two, "host;x-amz-a;x-amz-b;x-amz-date"), COF_SIGV4_FINE);
    assert_int_equal(fault_of(two, "host;x-amz-a;x-amz-date"), COF_SIGV4_HEADERS);
    assert_int_equal(fault_of(two, "host;x-amz-b;x-amz-date"), COF_SIGV4_HEADERS);
    assert_int_equal(fault_of(two, "host;x-amz-a;x-amz-date;x-amz-z"), COF_SIGV4_HEADERS); /* a name too many makes up for none */
    assert_int_equal(fault_of(twice, "host;x-amz-a;x-amz-date"), COF_SIGV4_FINE);
    assert_int_equal(fault_of("x-amz-: 1\r\n", "host;x-amz-date"), COF_SIGV4_HEADERS);
    assert_int_equal(fault_of("x-amz-: 1\r\n", "host;x-amz-;x-amz-date"), COF_SIGV4_FINE);
}

static void a_list_is_in_order(void **state)
{
    static const char *const bad[] = {"", ";", "host;host;x-amz-date", "x-amz-date;host", "Host;x-amz-date", "host;x-amz-date;x-amz-date", "host;;x-amz-date",
        "host; x-amz-date", "host;x-amz-date;X"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(fault_of("X: 1\r\n", bad[i]), COF_SIGV4_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enough_is_signed),
        cmocka_unit_test(a_list_is_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
