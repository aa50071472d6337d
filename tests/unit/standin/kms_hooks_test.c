/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: what S3 asks in the caller's name is asked as kms:ViaService, of the key's policy; the key that AWS manages is
 * made when it is first needed and serves its service alone; disabled and dying keys are refused by S3's codes.
 */
#include "kms_fixture.h"
#include "standin/trail.h"

struct asked {
    struct cof_secret key;
    struct cof_buf blob, arn, why;
    char error[64];
};

static enum cof_err generate(struct kms_fixture *f, const char *via, const char *key_id, struct asked *a)
{
    struct cof_http_head head = {.method = COF_LIT("PUT"), .path = COF_LIT("/b/k")};
    struct cof_iam_principal who;
    struct cof_standin_request req = {.head = &head, .service = "s3", .principal = &who, .region = "us-east-1", .source_ip = "127.0.0.1",
        .now_ms = f->base.now_ms};
    enum cof_err err;

    struct cof_iam_key key;

    assert_ok(cof_iam_key_get(&f->base.store.ops, cof_view_str(f->who[0].id), &key));
    assert_ok(cof_iam_principal_init(&f->base.store.ops, KMS_ACCOUNT, &key, &who));
    cof_headers_init(&head.headers);
    cof_trail_init(&req);
    *a = (struct asked){.error = ""};
    cof_buf_init(&a->blob, 6144);
    cof_buf_init(&a->arn, 2048);
    cof_buf_init(&a->why, 16384);
    err = cof_service_kms_hooks.generate(f->base.s, &req, via, cof_view_str(key_id), NULL, &a->key, &a->blob, &a->arn, a->error, &a->why);
    if (err == COF_OK) {
        struct cof_secret back = {.len = 0};

        assert_int_equal(a->key.len, 32);
        assert_ok(cof_service_kms_hooks.decrypt(f->base.s, &req, via, cof_buf_view(&a->arn), NULL, cof_buf_view(&a->blob), &back, a->error, &a->why));
        assert_true(cof_equal_ct(cof_secret_view(&back), cof_secret_view(&a->key)));
    }
    cof_trail_done(&req);
    cof_headers_done(&head.headers);
    cof_iam_principal_done(&who);
    cof_iam_key_done(&key);
    return err;
}

static void asked_done(struct asked *a)
{
    cof_secret_done(&a->key);
    cof_buf_done(&a->blob);
    cof_buf_done(&a->arn);
    cof_buf_done(&a->why);
}

static void the_service_key_is_made_at_need(void **state)
{
    struct kms_fixture f;
    struct asked a, b;
    json_t *json;

    kms_fixture_init(&f, NULL);
    assert_ok(generate(&f, "s3", "", &a));
    assert_ok(generate(&f, "s3", "alias/aws/s3", &b));
    assert_true(cof_view_eq(cof_buf_view(&a.arn), cof_buf_view(&b.arn)));
    asked_done(&b);
    json = kms_ok(&f, "root", "DescribeKey", "{\"KeyId\":\"alias/aws/s3\"}");
    assert_string_equal(kms_text(json_object_get(json, "KeyMetadata"), "KeyManager"), "AWS");
    json_decref(json);
    kms_refused(&f, "root", "Encrypt", "{\"KeyId\":\"alias/aws/s3\",\"Plaintext\":\"AAAA\"}", "AccessDeniedException");
    assert_ok(generate(&f, "sqs", "", &b));
    assert_false(cof_view_eq(cof_buf_view(&a.arn), cof_buf_view(&b.arn)));
    asked_done(&b);
    assert_int_equal(generate(&f, "sqs", "alias/aws/s3", &b), COF_E_DENIED);
    assert_string_equal(b.error, "AccessDenied");
    asked_done(&a);
    asked_done(&b);
    kms_fixture_done(&f);
}

static void keys_that_cannot_serve_are_named(void **state)
{
    struct kms_fixture f;
    struct asked a;
    char body[256];
    json_t *json;

    kms_fixture_init(&f, NULL);
    assert_ok(generate(&f, "s3", "alias/main", &a));
    asked_done(&a);
    assert_int_equal(generate(&f, "s3", "alias/none", &a), COF_E_DENIED);
    assert_string_equal(a.error, "KMS.NotFoundException");
    asked_done(&a);
    json_decref(kms_ok(&f, "root", "DisableKey", "{\"KeyId\":\"" KMS_KEY "\"}"));
    assert_int_equal(generate(&f, "s3", KMS_ARN, &a), COF_E_DENIED);
    assert_string_equal(a.error, "KMS.DisabledException");
    asked_done(&a);
    json_decref(kms_ok(&f, "root", "ScheduleKeyDeletion", "{\"KeyId\":\"" KMS_KEY "\"}"));
    assert_int_equal(generate(&f, "s3", KMS_ARN, &a), COF_E_DENIED);
    assert_string_equal(a.error, "KMS.KMSInvalidStateException");
    asked_done(&a);
    json = kms_ok(&f, "root", "CreateKey", "{\"KeySpec\":\"HMAC_256\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\"}");
    (void)snprintf(body, sizeof body, "%s", kms_text(json_object_get(json, "KeyMetadata"), "KeyId"));
    assert_int_equal(generate(&f, "s3", body, &a), COF_E_DENIED);
    assert_string_equal(a.error, "KMS.UnsupportedOperationException");
    asked_done(&a);
    json_decref(json);
    kms_fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_service_key_is_made_at_need),
        cmocka_unit_test(keys_that_cannot_serve_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
