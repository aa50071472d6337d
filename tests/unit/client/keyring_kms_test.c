/* SPDX-License-Identifier: Apache-2.0
 *
 * The KMS keyring against scripted answers: which keys it uses, what it asks, and what it refuses (C-04, C-09, C-36).
 */
#include "world.h"

#include "client/keyring_kms.h"

#define KEY32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" /* bytes 0..31 */
#define KEY16 "AAECAwQFBgcICQoLDA0ODw=="

static const struct cof_esdk_pair pairs[] = {{{(const uint8_t *)"tenant", 6}, {(const uint8_t *)"t1", 2}}};

/* Strict keyrings use pinned keys only, discovery keyrings those of their accounts; aliases never. */
static void allows(void **state)
{
    const struct cof_view keys[] = {COF_LIT(KEY_ARN)}, accounts[] = {COF_LIT("111122223333")};
    struct cof_keyring_kms strict = {.keys = keys, .n_keys = 1};
    struct cof_keyring_kms discovery = {.discovery = true, .accounts = accounts, .n_accounts = 1};
    struct cof_keyring_kms open = {.discovery = true};
    const struct cof_view foreign = COF_LIT("arn:aws:kms:us-east-1:444455556666:key/a"),
                          elsewhere = COF_LIT("arn:aws-cn:kms:us-east-1:111122223333:key/a"),
                          alias = COF_LIT("arn:aws:kms:us-east-1:111122223333:alias/a");

    assert_true(cof_keyring_kms_allows(&strict, COF_LIT(KEY_ARN)));
    assert_false(cof_keyring_kms_allows(&strict, COF_LIT(OTHER_ARN)));
    assert_true(cof_keyring_kms_allows(&discovery, COF_LIT(OTHER_ARN)));
    assert_false(cof_keyring_kms_allows(&discovery, foreign));
    assert_true(cof_keyring_kms_allows(&open, foreign));
    assert_false(cof_keyring_kms_allows(&discovery, elsewhere));
    assert_false(cof_keyring_kms_allows(&open, elsewhere));
    assert_false(cof_keyring_kms_allows(&strict, alias));
    assert_false(cof_keyring_kms_allows(&discovery, alias));
    assert_false(cof_keyring_kms_allows(&open, alias));
}

static enum cof_err unwrap(struct cof_keyring_kms *kms, const struct cof_esdk_edk *edks, size_t n, size_t key_len,
                           struct cof_secret *key, struct cof_diag *diag)
{
    struct cof_keyring keyring = cof_keyring_of_kms(kms);
    struct cof_keyring_unwrap request = {.key_len = key_len, .pairs = pairs, .n_pairs = 1, .edks = edks, .n_edks = n,
                                         .data_key = key, .diag = diag};

    return cof_keyring_unwrap(&keyring, &request);
}

/* Data keys that are not its own are passed over, and a refusal is not the end. */
static void opens(void **state)
{
    struct world *w = *state;
    const struct cof_view keys[] = {COF_LIT(KEY_ARN), COF_LIT(OTHER_ARN)};
    struct cof_keyring_kms kms = {.aws = &w->aws, .keys = keys, .n_keys = 2};
    const struct cof_esdk_edk edks[] = {{COF_LIT("raw"), COF_LIT(KEY_ARN), COF_LIT("x")},
                                        {COF_LIT(COF_KMS_PROVIDER), COF_LIT(OTHER_ARN), COF_LIT("x")},
                                        {COF_LIT(COF_KMS_PROVIDER), COF_LIT(KEY_ARN), COF_LIT("y")}};
    struct cof_secret key = {0};

    assert_int_equal(unwrap(&kms, edks, 1, 32, &key, NULL), COF_E_NOT_FOUND);
    assert_int_equal(w->n_seen, 0);
    script(w, 400, NULL, "{\"__type\":\"AccessDeniedException\"}");
    script(w, 200, NULL, "{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"" KEY32 "\"}");
    assert_ok(unwrap(&kms, edks, 3, 32, &key, NULL));
    assert_int_equal(key.len, 32);
    assert_int_equal(w->n_seen, 2);
    assert_non_null(strstr(cof_buf_cstr(&w->seen[0].body), OTHER_ARN)); /* KeyId is always sent */
    assert_non_null(strstr(cof_buf_cstr(&w->seen[1].body), KEY_ARN));
    assert_non_null(strstr(cof_buf_cstr(&w->seen[1].body), "\"EncryptionContext\":{\"tenant\":\"t1\"}"));
}

/* Another key's answer, a key of another length, no such key: refused, with words, and no data key. */
static void refuses_answers(void **state)
{
    struct world *w = *state;
    const struct cof_view keys[] = {COF_LIT(KEY_ARN)};
    struct cof_keyring_kms kms = {.aws = &w->aws, .keys = keys, .n_keys = 1}, discovery = {.aws = &w->aws, .discovery = true};
    const struct cof_esdk_edk edk = {COF_LIT(COF_KMS_PROVIDER), COF_LIT(KEY_ARN), COF_LIT("x")},
                              foreign = {COF_LIT(COF_KMS_PROVIDER), COF_LIT(OTHER_ARN), COF_LIT("x")},
                              alias = {COF_LIT(COF_KMS_PROVIDER), COF_LIT("arn:aws:kms:us-east-1:111122223333:alias/a"), COF_LIT("x")};
    struct cof_secret key = {0};
    struct cof_diag diag = {0};

    assert_int_equal(unwrap(&kms, &foreign, 1, 32, &key, &diag), COF_E_NOT_FOUND);
    assert_int_equal(unwrap(&discovery, &alias, 1, 32, &key, &diag), COF_E_NOT_FOUND);
    assert_int_equal(w->n_seen, 0);
    script(w, 200, NULL, "{\"KeyId\":\"" OTHER_ARN "\",\"Plaintext\":\"" KEY32 "\"}");
    assert_int_equal(unwrap(&kms, &edk, 1, 32, &key, &diag), COF_E_AUTH);
    script(w, 200, NULL, "{\"KeyId\":\"" OTHER_ARN "\",\"Plaintext\":\"" KEY32 "\"}");
    assert_int_equal(unwrap(&discovery, &edk, 1, 32, &key, &diag), COF_E_AUTH);
    script(w, 200, NULL, "{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"" KEY16 "\"}");
    assert_int_equal(unwrap(&kms, &edk, 1, 32, &key, &diag), COF_E_AUTH);
    assert_true(diag.text[0] != '\0');
    script(w, 400, NULL, "{\"__type\":\"NotFoundException\",\"message\":\"no such key\"}");
    assert_int_equal(unwrap(&kms, &edk, 1, 32, &key, &diag), COF_E_DENIED);
    assert_non_null(strstr(diag.text, "no such key"));
    assert_int_equal(key.len, 0);
    script(w, 200, NULL, "{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"" KEY16 "\"}");
    assert_ok(unwrap(&kms, &edk, 1, 16, &key, &diag));
    assert_int_equal(key.len, 16);
}

static enum cof_err wrap(struct cof_keyring_kms *kms, size_t key_len, struct cof_secret *key, struct cof_edk_list *edks,
                         struct cof_diag *diag)
{
    struct cof_keyring keyring = cof_keyring_of_kms(kms);
    struct cof_keyring_wrap request = {.key_len = key_len, .pairs = pairs, .n_pairs = 1, .rng = NULL, .data_key = key,
                                       .edks = edks, .diag = diag};

    return cof_keyring_wrap(&keyring, &request);
}

/* The first key makes the data key, the others wrap it; the data key has the suite's length. */
static void seals(void **state)
{
    struct world *w = *state;
    const struct cof_view keys[] = {COF_LIT(KEY_ARN), COF_LIT(OTHER_ARN)};
    struct cof_keyring_kms kms = {.aws = &w->aws, .keys = keys, .n_keys = 2};
    struct cof_esdk_edk views[COF_ESDK_EDKS_MAX];
    struct cof_edk_list edks;
    struct cof_secret key = {0};

    cof_edk_list_init(&edks);
    script(w, 200, NULL, "{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"" KEY32 "\",\"CiphertextBlob\":\"AAEC\"}");
    script(w, 200, NULL, "{\"KeyId\":\"" OTHER_ARN "\",\"CiphertextBlob\":\"AwQF\"}");
    assert_ok(wrap(&kms, 32, &key, &edks, NULL));
    assert_int_equal(cof_edk_list_views(&edks, views), 2);
    assert_true(cof_view_eq_str(views[0].provider, "aws-kms") && cof_view_eq_str(views[0].info, KEY_ARN));
    assert_true(cof_view_eq_str(views[1].info, OTHER_ARN) && cof_view_eq(views[1].ciphertext, COF_LIT("\3\4\5")));
    assert_true(seen_header(w, 0, "x-amz-target", "TrentService.GenerateDataKey"));
    assert_true(seen_header(w, 1, "x-amz-target", "TrentService.Encrypt"));
    assert_non_null(strstr(cof_buf_cstr(&w->seen[1].body), KEY32)); /* the same data key */
    cof_edk_list_done(&edks);

    cof_edk_list_init(&edks);
    cof_secret_done(&key);
    kms.n_keys = 1;
    script(w, 200, NULL, "{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"" KEY16 "\",\"CiphertextBlob\":\"AAEC\"}");
    assert_ok(wrap(&kms, 16, &key, &edks, NULL));
    assert_non_null(strstr(cof_buf_cstr(&w->seen[2].body), "\"NumberOfBytes\":16"));
    cof_edk_list_done(&edks);
}

static void does_not_seal(void **state)
{
    struct world *w = *state;
    const struct cof_view keys[] = {COF_LIT(KEY_ARN)}, alias[] = {COF_LIT("alias/data")};
    struct cof_keyring_kms discovery = {.aws = &w->aws, .discovery = true}, none = {.aws = &w->aws},
                           by_alias = {.aws = &w->aws, .keys = alias, .n_keys = 1},
                           strict = {.aws = &w->aws, .keys = keys, .n_keys = 1};
    struct cof_kms_attested attested = {0};
    struct cof_keyring_kms inside = {.aws = &w->aws, .attested = &attested, .keys = keys, .n_keys = 1};
    struct cof_edk_list edks;
    struct cof_secret key = {0};
    struct cof_diag diag = {0};

    cof_edk_list_init(&edks);
    assert_int_equal(wrap(&discovery, 32, &key, &edks, &diag), COF_E_USAGE);
    assert_int_equal(wrap(&none, 32, &key, &edks, &diag), COF_E_USAGE);
    assert_int_equal(wrap(&by_alias, 32, &key, &edks, &diag), COF_E_CONFIG);
    key.len = 32; /* somebody else's data key: KMS would learn it by an Encrypt that nothing attests */
    assert_int_equal(wrap(&inside, 32, &key, &edks, &diag), COF_E_USAGE);
    assert_non_null(strstr(diag.text, "attested"));
    assert_int_equal(w->n_seen, 0);
    script(w, 200, NULL, "{\"KeyId\":\"" OTHER_ARN "\",\"Plaintext\":\"" KEY32 "\",\"CiphertextBlob\":\"AAEC\"}");
    assert_int_equal(wrap(&strict, 32, &key, &edks, &diag), COF_E_AUTH);
    assert_int_equal(key.len, 0);
    assert_int_equal(edks.n, 0);
    cof_edk_list_done(&edks);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allows), T(opens), T(refuses_answers), T(seals), T(does_not_seal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
