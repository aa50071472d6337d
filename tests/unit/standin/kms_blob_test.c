/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: a blob opens under its key, version and context, and in no other way; cut anywhere or with any bit flipped it
 * does not open. C-01 C-02
 */
#include "kms_fixture.h"

#include "seeded.h"
#include "standin/kms_blob.h"

static struct cof_kms_key *open_key(struct kms_fixture *f)
{
    struct cof_kms_key *key;

    assert_ok(cof_kms_key_open(f->base.s, COF_LIT(KMS_KEY), f->base.now_ms, &key));
    return key;
}

static enum cof_err opens(struct kms_fixture *f, struct cof_kms_key *key, const json_t *context, struct cof_view blob)
{
    struct cof_buf plain;
    enum cof_err err;

    cof_buf_init(&plain, 8192);
    err = cof_kms_unwrap(f->base.s, key, context, blob, &plain, NULL);
    assert_int_equal(plain.len, err == COF_OK ? 6 : 0);
    cof_buf_done(&plain);
    return err;
}

/* Blobs that were made are to open for ever: the text is jansson's, byte for byte. */
static void the_context_is_bound_as_jansson_writes_it(void **state)
{
    static const char *const pieces[] = {"a", "b", "camera", "7", "", "\"", "\\", "/", "\x01", "\n", "\x7f", "\xc3\xa9", "\xe2\x80\xa8", " ", "aws:s3:arn"};
    uint64_t seed = 9;

    for (int round = 0; round < 20000; round++) {
        json_t *context = json_object();
        struct cof_buf ours;
        uint8_t r[64];
        char *theirs;

        (void)seeded_fill(&seed, r, sizeof r);
        for (int i = 0; i < r[0] % 11; i++) {
            unsigned n = r[1] % 3 == 0 ? 15 : 5; /* most without anything to escape */
            char name[40], value[40];

            (void)snprintf(name, sizeof name, "%s%s", pieces[r[2 + 4 * i] % n], pieces[r[3 + 4 * i] % n]);
            (void)snprintf(value, sizeof value, "%s%s", pieces[r[4 + 4 * i] % n], pieces[r[5 + 4 * i] % n]);
            assert_int_equal(json_object_set_new(context, name, json_string(value)), 0);
        }
        cof_buf_init(&ours, 4096);
        assert_ok(cof_kms_context_text(context, &ours));
        theirs = json_dumps(context, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(json_object_size(context) == 0 ? "" : theirs, cof_buf_cstr(&ours));
        free(theirs);
        cof_buf_done(&ours);
        json_decref(context);
    }
}

static void altered_blobs_do_not_open(void **state)
{
    json_t *context = json_pack("{s:s, s:s}", "a", "b", "c", "d"), *turned = json_pack("{s:s, s:s}", "c", "d", "a", "b");
    json_t *others[] = {NULL, json_object(), json_pack("{s:s}", "a", "b"), json_pack("{s:s, s:s}", "a", "d", "c", "b"),
        json_pack("{s:s}", "a\",\"c", "b"), json_pack("{s:s, s:s, s:s}", "a", "b", "c", "d", "e", "")};
    struct kms_fixture f;
    struct cof_kms_key *key;
    struct cof_buf blob;

    kms_fixture_init(&f, NULL);
    key = open_key(&f);
    cof_buf_init(&blob, 8192);
    assert_ok(cof_kms_wrap(f.base.s, key, context, COF_LIT("secret"), &blob));
    assert_ok(opens(&f, key, context, cof_buf_view(&blob)));
    assert_ok(opens(&f, key, turned, cof_buf_view(&blob)));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(opens(&f, key, others[i], cof_buf_view(&blob)), COF_E_AUTH);
        json_decref(others[i]);
    }
    for (size_t i = 0; i < blob.len; i++) {
        assert_int_equal(opens(&f, key, context, cof_view_sub(cof_buf_view(&blob), 0, i)), COF_E_AUTH);
        for (int bit = 0; bit < 8; bit++) {
            blob.data[i] ^= (uint8_t)(1 << bit);
            assert_int_equal(opens(&f, key, context, cof_buf_view(&blob)), COF_E_AUTH);
            blob.data[i] ^= (uint8_t)(1 << bit);
        }
    }
    cof_buf_add_u8(&blob, 0);
    assert_int_equal(opens(&f, key, context, cof_buf_view(&blob)), COF_E_AUTH);
    json_decref(context);
    json_decref(turned);
    cof_buf_done(&blob);
    cof_kms_key_close(key);
    kms_fixture_done(&f);
}

static void blobs_are_parsed_strictly(void **state)
{
    struct cof_kms_blob blob;
    uint8_t bytes[COF_KMS_BLOB_MAX + 1] = {2, 1, 'x'};

    assert_ok(cof_kms_blob_parse(cof_view_of(bytes, 3 + 4 + 12 + 16), &blob));
    assert_int_equal(blob.sealed.len, 16);
    assert_int_equal(cof_kms_blob_parse(cof_view_of(bytes, 3 + 4 + 12 + 15), &blob), COF_E_FORMAT);
    assert_int_equal(cof_kms_blob_parse(cof_view_of(bytes, sizeof bytes), &blob), COF_E_FORMAT);
    bytes[1] = 0;
    assert_int_equal(cof_kms_blob_parse(cof_view_of(bytes, 100), &blob), COF_E_FORMAT);
    bytes[1] = COF_KMS_ID_MAX;
    assert_int_equal(cof_kms_blob_parse(cof_view_of(bytes, 200), &blob), COF_E_FORMAT);
    bytes[0] = 1;
    bytes[1] = 1;
    assert_int_equal(cof_kms_blob_parse(cof_view_of(bytes, 100), &blob), COF_E_FORMAT);
}

/* The version is part of what is authenticated: a blob cannot be passed off as another version's. */
static void a_blob_names_its_version(void **state)
{
    struct kms_fixture f;
    struct cof_kms_key *key;
    struct cof_buf old, plain;
    struct cof_kms_blob parsed;
    size_t version;

    kms_fixture_init(&f, NULL);
    key = open_key(&f);
    cof_buf_init(&old, 8192);
    cof_buf_init(&plain, 8192);
    assert_ok(cof_kms_wrap(f.base.s, key, NULL, COF_LIT("secret"), &old));
    cof_kms_key_close(key);
    json_decref(kms_ok(&f, "root", "RotateKeyOnDemand", "{\"KeyId\":\"" KMS_KEY "\"}"));
    key = open_key(&f);
    assert_int_equal(key->n_versions, 2);
    assert_ok(cof_kms_unwrap(f.base.s, key, NULL, cof_buf_view(&old), &plain, &version));
    assert_int_equal(version, 0);
    assert_ok(cof_kms_blob_parse(cof_buf_view(&old), &parsed));
    old.data[2 + parsed.key_id.len + 3] = 1;
    assert_int_equal(opens(&f, key, NULL, cof_buf_view(&old)), COF_E_AUTH);
    old.data[2 + parsed.key_id.len + 3] = 2;
    assert_int_equal(opens(&f, key, NULL, cof_buf_view(&old)), COF_E_AUTH);
    cof_buf_done(&old);
    cof_buf_done(&plain);
    cof_kms_key_close(key);
    kms_fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_context_is_bound_as_jansson_writes_it),
        cmocka_unit_test(altered_blobs_do_not_open),
        cmocka_unit_test(blobs_are_parsed_strictly),
        cmocka_unit_test(a_blob_names_its_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
