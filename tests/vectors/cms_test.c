/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: every captured KMS answer parses into the parts its case names, those with a key open to the plaintext, the
 * builder writes the very bytes of the captures, and OAEP without parameters is refused. C-05
 */
#include "vectors/lines.h"

#include "engine/kms_recipient.h"

static size_t n_opened, n_parsed, n_rebuilt;

static void same(const json_t *c, const char *name, struct cof_view got)
{
    struct cof_buf expected;

    assert_true(cof_view_eq(hex_member(c, name, &expected), got));
    cof_buf_done(&expected);
}

static void open_it(const json_t *c, struct cof_view ber)
{
    struct cof_rsa_key *key = NULL;
    struct cof_buf pem, plain;
    struct cof_secret secret;
    char name[256];

    (void)snprintf(name, sizeof name, "cms/%s", member(c, "key"));
    assert_true(read_vector(name, &pem));
    assert_ok(cof_rsa_from_pem(cof_buf_view(&pem), &key));
    cof_buf_init_secret(&plain, 4096);
    assert_ok(cof_kms_recipient_open_buf(key, ber, 0, 4096, &plain, NULL));
    same(c, "plaintext", cof_buf_view(&plain));
    /* The length asked for is the only one taken. */
    assert_ok(cof_kms_recipient_open(key, ber, plain.len, &secret, NULL));
    assert_int_equal(secret.len, plain.len);
    assert_int_equal(cof_kms_recipient_open(key, ber, plain.len + 1, &secret, NULL), COF_E_AUTH);
    assert_int_equal(secret.len, 0);
    cof_secret_done(&secret);
    cof_rsa_free(key);
    cof_buf_done(&plain);
    cof_buf_done(&pem);
    n_opened++;
}

static void one_case(json_t *c)
{
    struct cof_cms_enveloped cms;
    struct cof_buf ber, again, cipher;
    char name[256];

    (void)snprintf(name, sizeof name, "cms/%s", member(c, "file"));
    assert_true(read_vector(name, &ber));
    if (strstr(member(c, "oaep_params"), "SHA-256") == NULL) {
        assert_int_not_equal(cof_cms_enveloped_parse(cof_buf_view(&ber), &cms, NULL), COF_OK);
        cof_buf_done(&ber);
        return;
    }
    assert_ok(cof_cms_enveloped_parse(cof_buf_view(&ber), &cms, NULL));
    cof_buf_init(&cipher, 65536);
    cof_buf_init(&again, 65536);
    cof_cms_add_ciphertext(&cipher, &cms);
    same(c, "recipient_key_id", cms.key_id);
    same(c, "encrypted_key", cms.encrypted_key);
    same(c, "iv", cms.iv);
    same(c, "ciphertext", cof_buf_view(&cipher));
    cof_cms_add_enveloped(&again, &cms);
    if (strstr(member(c, "content_form"), "constructed") != NULL) {
        assert_true(cof_view_eq(cof_buf_view(&again), cof_buf_view(&ber)));
        n_rebuilt++;
    }
    for (size_t cut = 0; cut < ber.len; cut++)
        assert_int_not_equal(cof_cms_enveloped_parse(cof_view_sub(cof_buf_view(&ber), 0, cut), &cms, NULL), COF_OK);
    if (member(c, "key") != NULL)
        open_it(c, cof_buf_view(&ber));
    n_parsed++;
    cof_buf_done(&cipher);
    cof_buf_done(&again);
    cof_buf_done(&ber);
}

static void every_case(void **state)
{
    if (vectors_dir() == NULL)
        skip();
    n_opened = n_parsed = n_rebuilt = 0;
    assert_true(each_case("cms/cases.jsonl", one_case) >= 3);
    assert_true(n_parsed >= 3);
    assert_true(n_opened >= 1);
    assert_true(n_rebuilt >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
