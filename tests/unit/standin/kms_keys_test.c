/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: rotations and deletions happen when their day comes, whoever looks; what a refused request did is undone in
 * memory too; material lies sealed, bound to key and version; other accounts' callers get what both sides allow.
 */
#include "kms_fixture.h"

#include "standin/kms_blob.h"

#define DAY INT64_C(86400000)

static void seal(struct kms_fixture *f, const char *key, char blob[1024])
{
    char body[256];
    json_t *json;

    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\",\"Plaintext\":\"AAAA\"}", key);
    json = kms_ok(f, "root", "Encrypt", body);
    (void)snprintf(blob, 1024, "{\"CiphertextBlob\":\"%s\"}", kms_text(json, "CiphertextBlob"));
    json_decref(json);
}

static size_t n_rotations(struct kms_fixture *f)
{
    json_t *json = kms_ok(f, "root", "ListKeyRotations", "{\"KeyId\":\"" KMS_KEY "\"}");
    size_t n = json_array_size(json_object_get(json, "Rotations"));

    json_decref(json);
    return n;
}

static void rotations_happen_on_their_day(void **state)
{
    struct kms_fixture f;
    char old[1024], newer[1024];
    json_t *json, *one;

    kms_fixture_init(&f, NULL);
    seal(&f, KMS_KEY, old);
    json_decref(kms_ok(&f, "root", "EnableKeyRotation", "{\"KeyId\":\"" KMS_KEY "\",\"RotationPeriodInDays\":100}"));
    f.base.now_ms += 100 * DAY - 1;
    assert_int_equal(n_rotations(&f), 0);
    f.base.now_ms += 1;
    assert_int_equal(n_rotations(&f), 1);
    seal(&f, KMS_KEY, newer);
    one = kms_ok(&f, "root", "Decrypt", newer);
    json = kms_ok(&f, "root", "Decrypt", old);
    assert_string_not_equal(kms_text(json, "KeyMaterialId"), kms_text(one, "KeyMaterialId"));
    json_decref(json);
    json_decref(one);
    f.base.now_ms += 350 * DAY; /* nobody looked for three periods */
    assert_int_equal(n_rotations(&f), 4);
    json = kms_ok(&f, "root", "ListKeyRotations", "{\"KeyId\":\"" KMS_KEY "\"}");
    for (size_t i = 0; i < 4; i++) {
        one = json_array_get(json_object_get(json, "Rotations"), i);
        assert_string_equal(kms_text(one, "RotationType"), "AUTOMATIC");
        assert_true(json_number_value(json_object_get(one, "RotationDate")) * 1000 ==
                    (double)(FIXTURE_NOW + (int64_t)(i + 1) * 100 * DAY));
    }
    json_decref(json);
    json_decref(kms_ok(&f, "root", "Decrypt", old));
    json_decref(kms_ok(&f, "root", "DisableKey", "{\"KeyId\":\"" KMS_KEY "\"}"));
    f.base.now_ms += 200 * DAY;
    assert_int_equal(n_rotations(&f), 4); /* not while it is disabled */
    json_decref(kms_ok(&f, "root", "EnableKey", "{\"KeyId\":\"" KMS_KEY "\"}"));
    assert_int_equal(n_rotations(&f), 6);
    kms_fixture_done(&f);
}

static bool is_stored(struct kms_fixture *f, const char *space, const char *prefix)
{
    for (size_t i = 0; i < f->base.store.now.n; i++)
        if (strcmp(f->base.store.now.items[i].space, space) == 0 &&
            cof_view_starts(cof_buf_view(&f->base.store.now.items[i].key), cof_view_str(prefix)))
            return true;
    return false;
}

static void deletion_happens_on_its_day(void **state)
{
    struct kms_fixture f;
    char blob[1024];

    kms_fixture_init(&f, NULL);
    seal(&f, "alias/main", blob);
    json_decref(kms_ok(&f, "root", "CreateGrant", "{\"KeyId\":\"" KMS_KEY "\",\"GranteePrincipal\":\"arn:aws:iam::" KMS_ACCOUNT
        ":user/ann\",\"Operations\":[\"Decrypt\"]}"));
    json_decref(kms_ok(&f, "root", "ScheduleKeyDeletion", "{\"KeyId\":\"" KMS_KEY "\",\"PendingWindowInDays\":7}"));
    f.base.now_ms += 7 * DAY - 1;
    kms_refused(&f, "root", "Decrypt", blob, "KMSInvalidStateException");
    json_decref(kms_ok(&f, "root", "DescribeKey", "{\"KeyId\":\"alias/main\"}"));
    f.base.now_ms += 1;
    kms_refused(&f, "root", "Decrypt", blob, "InvalidCiphertextException");
    kms_refused(&f, "root", "CancelKeyDeletion", "{\"KeyId\":\"" KMS_KEY "\"}", "NotFoundException");
    json_decref(kms_ok(&f, "root", "ListKeys", "{}")); /* a request that is kept: nothing of the key is left */
    assert_false(is_stored(&f, "kms.key", KMS_KEY));
    assert_false(is_stored(&f, "kms.alias", "alias/main"));
    assert_false(is_stored(&f, "kms.grant", KMS_KEY));
    kms_fixture_done(&f);
}

static void refused_changes_are_undone_in_memory_too(void **state)
{
    struct kms_fixture f;
    const struct cof_store *store;
    struct cof_kms_key *key;

    kms_fixture_init(&f, NULL);
    store = cof_standin_store(f.base.s);
    assert_ok(store->savepoint(store->ctx));
    assert_ok(cof_kms_key_open_own(f.base.s, COF_LIT(KMS_KEY), f.base.now_ms, &key));
    assert_int_equal(json_object_set_new(key->record, "state", json_string("Disabled")), 0);
    assert_ok(cof_kms_key_save(f.base.s, key));
    cof_kms_key_close(key);
    assert_ok(cof_kms_key_open(f.base.s, COF_LIT(KMS_KEY), f.base.now_ms, &key)); /* now it is kept opened */
    assert_int_equal(key->state, COF_KMS_DISABLED);
    cof_kms_key_close(key);
    assert_ok(store->rollback(store->ctx));
    assert_ok(cof_kms_key_open(f.base.s, COF_LIT(KMS_KEY), f.base.now_ms, &key));
    assert_int_equal(key->state, COF_KMS_ENABLED);
    cof_kms_key_close(key);
    kms_fixture_done(&f);
}

static void many_keys_push_each_other_out_and_stay_right(void **state)
{
    static char ids[100][64], blobs[100][1024];
    struct kms_fixture f;

    kms_fixture_init(&f, NULL);
    for (size_t i = 0; i < 100; i++) {
        json_t *json = kms_ok(&f, "root", "CreateKey", "{}");

        (void)snprintf(ids[i], sizeof ids[i], "%s", kms_text(json_object_get(json, "KeyMetadata"), "KeyId"));
        json_decref(json);
        seal(&f, ids[i], blobs[i]);
    }
    for (size_t i = 0; i < 100; i++)
        json_decref(kms_ok(&f, "root", "Decrypt", blobs[i]));
    kms_fixture_done(&f);
}

static struct cof_buf *record_of(struct kms_fixture *f, const char *id)
{
    for (size_t i = 0; i < f->base.store.now.n; i++)
        if (strcmp(f->base.store.now.items[i].space, "kms.key") == 0 &&
            cof_view_eq_str(cof_buf_view(&f->base.store.now.items[i].key), id))
            return &f->base.store.now.items[i].value;
    abort();
}

/* Material of one key in another's record, or of one version in another's place, is not taken. */
static void sealed_material_is_bound_to_its_place(void **state)
{
    struct kms_fixture f;
    struct cof_kms_key *key;
    json_t *record, *versions;
    char blob[1024], *text;

    kms_fixture_init(&f, NULL);
    seal(&f, KMS_KEY, blob);
    json_decref(kms_ok(&f, "root", "RotateKeyOnDemand", "{\"KeyId\":\"" KMS_KEY "\"}"));
    record = json_loadb((const char *)record_of(&f, KMS_KEY)->data, record_of(&f, KMS_KEY)->len, 0, NULL);
    versions = json_object_get(record, "versions");
    assert_int_equal(json_array_size(versions), 2);
    json_object_set(json_array_get(versions, 0), "sealed", json_object_get(json_array_get(versions, 1), "sealed"));
    text = json_dumps(record, JSON_COMPACT);
    assert_ok(memory_put(&f.base.store, "kms.key", COF_LIT(KMS_KEY), cof_view_str(text)));
    assert_ok(cof_kms_key_open(f.base.s, COF_LIT(KMS_KEY), f.base.now_ms, &key));
    assert_int_equal(cof_kms_key_unlock(f.base.s, key, 0), COF_E_AUTH);
    assert_ok(cof_kms_key_unlock(f.base.s, key, 1));
    assert_int_equal(cof_kms_key_unlock(f.base.s, key, 2), COF_E_USAGE);
    cof_kms_key_close(key);
    free(text);
    json_decref(record);
    kms_fixture_done(&f);
}

static void names_of_keys_are_read_strictly(void **state)
{
    static const struct {
        const char *text;
        enum cof_kms_form form;
    } cases[] = {
        {KMS_KEY, COF_KMS_FORM_ID}, {KMS_ARN, COF_KMS_FORM_ARN}, {"alias/x", COF_KMS_FORM_ALIAS}, {"", COF_KMS_FORM_ID},
        {"arn:aws:kms:us-east-1:" KMS_ACCOUNT ":alias/a:b", COF_KMS_FORM_ALIAS_ARN}, {"arn:", COF_KMS_FORM_BAD_ARN},
        {"arn:aws:kms:eu-west-1:" KMS_ACCOUNT ":key/x", COF_KMS_FORM_OTHER_REGION},
        {"arn:aws:kms:us-east-1:999999999999:key/x", COF_KMS_FORM_OTHER_ACCOUNT}, {"arn:aws:kms:us-east-1:" KMS_ACCOUNT ":x", COF_KMS_FORM_BAD_ARN},
        {"arn:aws:s3:us-east-1:" KMS_ACCOUNT ":key/x", COF_KMS_FORM_BAD_ARN}, {"arn:aws-cn:kms:us-east-1:" KMS_ACCOUNT ":key/x", COF_KMS_FORM_BAD_ARN},
    };
    struct kms_fixture f;
    struct cof_kms_key *key;
    struct cof_view name;

    kms_fixture_init(&f, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(cof_kms_name_form(f.base.s, cof_view_str(cases[i].text), &name), cases[i].form);
    assert_int_equal(cof_kms_key_open(f.base.s, cof_view_of("a\0b", 3), f.base.now_ms, &key), COF_E_NOT_FOUND);
    assert_int_equal(cof_kms_key_open(f.base.s, COF_LIT("a/b"), f.base.now_ms, &key), COF_E_NOT_FOUND);
    assert_int_equal(cof_kms_key_make(f.base.s, &(struct cof_kms_make){.id = COF_LIT(KMS_KEY), .policy = COF_LIT("x")}, 0, &key), COF_E_EXISTS);
    assert_int_equal(cof_kms_key_make(f.base.s, &(struct cof_kms_make){.id = COF_LIT("a/b"), .policy = COF_LIT("x")}, 0, &key), COF_E_USAGE);
    kms_fixture_done(&f);
}

#define OTHER "222233334444"

static void other_accounts_need_both_sides(void **state)
{
    static const char manifest[] = "{\"credentials\":[{\"name\":\"root\",\"root\":true}],\"accounts\":[{\"id\":\"" OTHER "\",\"users\":[{\"name\":\"eve\","
        "\"policies\":[{\"name\":\"p\",\"document\":{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"kms:*\","
        "\"Resource\":\"*\"}]}}]},{\"name\":\"joe\",\"policies\":[]}],\"credentials\":[{\"name\":\"eve\",\"user\":\"eve\"},{\"name\":\"joe\","
        "\"user\":\"joe\"}]}],\"keys\":[{\"id\":\"" KMS_KEY "\",\"policy\":" KMS_POLICY(",{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" OTHER
        "\"},\"Action\":\"kms:*\",\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{\"kms:CallerAccount\":\"" OTHER "\"}}}") "}]}";
    struct kms_fixture f;

    kms_fixture_init(&f, manifest);
    json_decref(kms_ok(&f, "eve", "Encrypt", "{\"KeyId\":\"" KMS_ARN "\",\"Plaintext\":\"AAAA\"}"));
    kms_refused(&f, "joe", "Encrypt", "{\"KeyId\":\"" KMS_ARN "\",\"Plaintext\":\"AAAA\"}", "AccessDeniedException");
    kms_refused(&f, "eve", "Encrypt", "{\"KeyId\":\"" KMS_KEY "\",\"Plaintext\":\"AAAA\"}", "NotFoundException");
    kms_refused(&f, "eve", "DisableKey", "{\"KeyId\":\"" KMS_ARN "\"}", "AccessDeniedException"); /* never across accounts */
    kms_refused(&f, "eve", "PutKeyPolicy", "{\"KeyId\":\"" KMS_ARN "\",\"Policy\":\"{}\"}", "AccessDeniedException");
    kms_refused(&f, "eve", "CreateKey", "{}", "UnsupportedOperationException");
    kms_refused(&f, "eve", "ListKeys", "{}", "UnsupportedOperationException");
    json_decref(kms_ok(&f, "eve", "GenerateRandom", "{\"NumberOfBytes\":1}"));
    kms_fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotations_happen_on_their_day),
        cmocka_unit_test(deletion_happens_on_its_day),
        cmocka_unit_test(refused_changes_are_undone_in_memory_too),
        cmocka_unit_test(many_keys_push_each_other_out_and_stay_right),
        cmocka_unit_test(sealed_material_is_bound_to_its_place),
        cmocka_unit_test(names_of_keys_are_read_strictly),
        cmocka_unit_test(other_accounts_need_both_sides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
