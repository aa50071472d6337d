/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: what a key's tags, its aliases, the encryption context and the operation say is all there when a policy asks,
 * however much of it there is; more than can be judged is refused, not cut.
 */
#include "kms_fixture.h"

#define ANN "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::" KMS_ACCOUNT ":user/ann\"},\"Action\":\"kms:Encrypt\",\"Resource\":\"*\"," \
    "\"Condition\":{\"StringEquals\":{\"aws:ResourceTag/team\":\"blue\",\"aws:ResourceTag/t39\":\"v\",\"kms:EncryptionContext:n0\":\"x\"," \
    "\"kms:EncryptionContext:n19\":\"x\",\"kms:KeySpec\":\"SYMMETRIC_DEFAULT\",\"kms:EncryptionAlgorithm\":\"SYMMETRIC_DEFAULT\"}," \
    "\"ForAnyValue:StringEquals\":{\"kms:ResourceAliases\":\"alias/main\"}}}"

static void encrypt(struct kms_fixture *f, size_t n_context, const char *value, const char *code)
{
    struct cof_buf body;
    char error[64];

    cof_buf_init(&body, 65536);
    cof_buf_add_str(&body, "{\"KeyId\":\"" KMS_KEY "\",\"Plaintext\":\"AAAA\",\"EncryptionContext\":{");
    for (size_t i = 0; i < n_context; i++)
        cof_buf_printf(&body, "%s\"n%zu\":\"%s\"", i > 0 ? "," : "", i, value);
    cof_buf_add_str(&body, "}}");
    json_decref(kms_call(f, "ann", "Encrypt", cof_buf_cstr(&body), error));
    assert_string_equal(error, code);
    cof_buf_done(&body);
}

static void tags_and_context_stand_side_by_side(void **state)
{
    struct kms_fixture f;
    struct cof_buf body;

    kms_fixture_init(&f, KMS_MANIFEST(KMS_POLICY("," ANN)));
    cof_buf_init(&body, 65536);
    cof_buf_add_str(&body, "{\"KeyId\":\"" KMS_KEY "\",\"Tags\":[{\"TagKey\":\"team\",\"TagValue\":\"blue\"}");
    for (int i = 0; i < 40; i++)
        cof_buf_printf(&body, ",{\"TagKey\":\"t%d\",\"TagValue\":\"v\"}", i);
    cof_buf_add_str(&body, "]}");
    encrypt(&f, 20, "x", "AccessDeniedException"); /* no tags yet */
    json_decref(kms_ok(&f, "root", "TagResource", cof_buf_cstr(&body)));
    encrypt(&f, 20, "x", "");
    encrypt(&f, 20, "y", "AccessDeniedException");
    encrypt(&f, 19, "x", "AccessDeniedException"); /* n19 is missing */
    encrypt(&f, 90, "x", "ValidationException");
    cof_buf_done(&body);
    kms_fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_and_context_stand_side_by_side),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
