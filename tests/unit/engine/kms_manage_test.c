/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the requests that administer a key are what the API reference says, and replies are believed only when they are whole and
 * about the key that was asked for.
 */
#include "testing.h"

#include "engine/kms_manage.h"

#define ARN "arn:aws:kms:eu-west-1:111122223333:key/k"

static void check_request(struct cof_aws_request *request, const char *target, const char *body)
{
    struct cof_view value;

    assert_int_equal(request->service, COF_AWS_KMS);
    assert_string_equal(request->method, "POST");
    assert_true(cof_headers_get(&request->headers, "x-amz-target", &value) && cof_view_eq_str(value, target));
    assert_string_equal(cof_buf_cstr(&request->body), body);
    cof_aws_request_done(request);
}

static void requests(void **state)
{
    struct cof_aws_request request;
    static uint8_t big[COF_KMS_KEY_POLICY_MAX + 1];

    (void)state;
    assert_ok(cof_kms_get_key_policy(&request, COF_LIT(ARN)));
    check_request(&request, "TrentService.GetKeyPolicy", "{\"KeyId\":\"" ARN "\",\"PolicyName\":\"default\"}");
    assert_ok(cof_kms_put_key_policy(&request, COF_LIT(ARN), COF_LIT("{\"a\":1}\n")));
    check_request(&request, "TrentService.PutKeyPolicy", "{\"KeyId\":\"" ARN "\",\"PolicyName\":\"default\",\"Policy\":\"{\\\"a\\\":1}\\u000a\"}");
    assert_ok(cof_kms_describe_key(&request, COF_LIT(ARN)));
    check_request(&request, "TrentService.DescribeKey", "{\"KeyId\":\"" ARN "\"}");
    assert_int_equal(cof_kms_put_key_policy(&request, COF_LIT(ARN), COF_LIT("")), COF_E_LIMIT);
    assert_int_equal(cof_kms_put_key_policy(&request, COF_LIT(ARN), cof_view_of(big, sizeof big)), COF_E_LIMIT);
}

static void policies(void **state)
{
    static const struct {
        const char *body, *policy;
    } rows[] = {
        {"{\"Policy\":\"{\\\"a\\\":1}\",\"PolicyName\":\"default\"}", "{\"a\":1}"},
        {"{\"Policy\":7}", NULL}, {"{}", NULL}, {"[]", NULL}, {"", NULL}, {"{\"Policy\":\"a\",\"Policy\":\"b\"}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_buf policy;
        enum cof_err err;

        cof_buf_init(&policy, 1024);
        err = cof_kms_parse_key_policy(cof_view_str(rows[i].body), &policy, NULL);
        if ((err == COF_OK) != (rows[i].policy != NULL) || strcmp(cof_buf_cstr(&policy), rows[i].policy == NULL ? "" : rows[i].policy) != 0)
            fail_msg("row %zu", i);
        cof_buf_done(&policy);
    }
}

#define META(arn, state, manager)                                                                                      \
    "{\"KeyMetadata\":{\"Arn\":\"" arn "\",\"KeyState\":\"" state "\",\"KeyUsage\":\"ENCRYPT_DECRYPT\",\"KeySpec\":\"SYMMETRIC_DEFAULT\",\"KeyManager\":\"" manager "\"}}"

static void facts_of_keys(void **state)
{
    struct cof_kms_key_facts facts;
    struct cof_view arn = COF_LIT(ARN);

    (void)state;
    assert_ok(cof_kms_parse_key_facts(COF_LIT(META(ARN, "Enabled", "CUSTOMER")), arn, &facts, NULL));
    assert_string_equal(facts.arn, ARN);
    assert_string_equal(facts.state, "Enabled");
    assert_string_equal(facts.usage, "ENCRYPT_DECRYPT");
    assert_string_equal(facts.spec, "SYMMETRIC_DEFAULT");
    assert_true(facts.by_customer);
    assert_ok(cof_kms_parse_key_facts(COF_LIT(META(ARN, "PendingDeletion", "AWS")), arn, &facts, NULL));
    assert_false(facts.by_customer);
    /* C-04: another key than the pinned one */
    assert_int_equal(cof_kms_parse_key_facts(COF_LIT(META(ARN "2", "Enabled", "CUSTOMER")), arn, &facts, NULL), COF_E_AUTH);
    assert_int_equal(cof_kms_parse_key_facts(COF_LIT(META(ARN, "EnabledEnabledEnabledEnabledEnabled", "CUSTOMER")), arn, &facts, NULL), COF_E_FORMAT);
    assert_string_equal(facts.arn, "");
    assert_ok(cof_kms_parse_key_facts(COF_LIT("{\"KeyMetadata\":{\"Arn\":\"" ARN "\",\"KeyState\":\"Enabled\",\"KeyUsage\":null,\"KeyManager\":\"CUSTOMER\"}}"), arn, &facts, NULL));
    assert_string_equal(facts.usage, "");
    assert_int_equal(cof_kms_parse_key_facts(COF_LIT("{\"KeyMetadata\":[]}"), arn, &facts, NULL), COF_E_FORMAT);
    assert_int_equal(cof_kms_parse_key_facts(COF_LIT("{\"KeyMetadata\":{}}"), arn, &facts, NULL), COF_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(policies),
        cmocka_unit_test(facts_of_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
