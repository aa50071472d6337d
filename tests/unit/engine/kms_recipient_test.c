/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: what the KMS side wraps the enclave side opens, other shapes of content are read too, and every damage is
 * one and the same refusal that leaves nothing behind. C-05
 */
#include "testing.h"

#include <openssl/cms.h>
#include <openssl/pem.h>

#include "engine/kms_recipient.h"

static struct cof_rsa_key *key;
static struct cof_buf spki;

static int make_key(void **state)
{
    cof_buf_init(&spki, 1024);
    return cof_rsa_generate(2048, &key) == COF_OK && cof_rsa_spki(key, &spki) == COF_OK ? 0 : -1;
}

static int drop_key(void **state)
{
    cof_rsa_free(key);
    cof_buf_done(&spki);
    return 0;
}

static void round_trips(void **state)
{
    static const size_t sizes[] = {1, 15, 16, 32, 64, 1024, 4096};
    static uint8_t plain[4097];
    TEST_RNG(rng, 5);

    assert_ok(cof_rng_fill(&rng, plain, sizeof plain));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct cof_buf cms, out;

        cof_buf_init(&cms, COF_CMS_MAX);
        cof_buf_init_secret(&out, 4096);
        assert_ok(cof_kms_recipient_seal(cof_buf_view(&spki), cof_view_of(plain, sizes[i]), &rng, &cms));
        assert_ok(cof_kms_recipient_open_buf(key, cof_buf_view(&cms), sizes[i], sizes[i], &out, NULL));
        assert_true(cof_view_eq(cof_buf_view(&out), cof_view_of(plain, sizes[i])));
        cof_buf_done(&cms);
        cof_buf_done(&out);
    }
    assert_int_equal(cof_kms_recipient_seal(cof_buf_view(&spki), cof_view_of(plain, 4097), &rng, &spki), COF_E_LIMIT);
}

static void reads_chunks_and_the_primitive_form(void **state)
{
    static const uint8_t data_key[32] = {9};
    TEST_RNG(rng, 6);
    struct cof_cms_enveloped parsed, split;
    struct cof_buf cms, again;
    struct cof_secret secret;
    struct cof_view whole;
    size_t at;

    cof_buf_init(&cms, COF_CMS_MAX);
    cof_buf_init(&again, COF_CMS_MAX);
    assert_ok(cof_kms_recipient_seal(cof_buf_view(&spki), cof_view_of(data_key, 32), &rng, &cms));
    assert_ok(cof_cms_enveloped_parse(cof_buf_view(&cms), &parsed, NULL));
    split = parsed;
    split.n_chunks = 3;
    split.chunks[0] = cof_view_sub(parsed.chunks[0], 0, 5);
    split.chunks[1] = cof_view_sub(parsed.chunks[0], 5, 0);
    split.chunks[2] = cof_view_sub(parsed.chunks[0], 5, SIZE_MAX);
    cof_cms_add_enveloped(&again, &split);
    assert_ok(cof_kms_recipient_open(key, cof_buf_view(&again), 32, &secret, NULL));
    assert_memory_equal(secret.bytes, data_key, 32);

    /* ... A0 80 04 30 <48> 00 00 | 00*8  ->  ... 80 30 <48> | 00*8 */
    whole = cof_buf_view(&cms);
    at = whole.len - 10 - 48 - 4;
    cof_buf_reset(&again);
    cof_buf_add(&again, cof_view_sub(whole, 0, at));
    cof_buf_add_u8(&again, 0x80);
    cof_buf_add(&again, cof_view_sub(whole, at + 3, 49));
    cof_buf_add(&again, cof_view_sub(whole, whole.len - 8, 8));
    assert_ok(cof_kms_recipient_open(key, cof_buf_view(&again), 32, &secret, NULL));
    assert_memory_equal(secret.bytes, data_key, 32);
    cof_secret_done(&secret);
    cof_buf_done(&cms);
    cof_buf_done(&again);
}

/* CBC does not authenticate: a flip inside the ciphertext may still open, to another key of the right length, or be
 * refused for its padding. Everything else must be refused, always with the one code and an empty secret. */
static void damage_is_one_refusal(void **state)
{
    static const uint8_t data_key[32] = {9};
    TEST_RNG(rng, 7);
    struct cof_secret secret;
    struct cof_buf cms;
    size_t body;

    cof_buf_init(&cms, COF_CMS_MAX);
    assert_ok(cof_kms_recipient_seal(cof_buf_view(&spki), cof_view_of(data_key, 32), &rng, &cms));
    body = cms.len - 10 - 48;
    for (size_t i = 0; i < cms.len; i++) {
        enum cof_err err;
        bool in_iv = i >= body - 4 - 16 && i < body - 4, in_body = i >= body && i < body + 48;

        cms.data[i] ^= 0x40;
        err = cof_kms_recipient_open(key, cof_buf_view(&cms), 32, &secret, NULL);
        if (!in_iv && !in_body && err != COF_E_AUTH)
            fail_msg("byte %zu of %zu", i, cms.len);
        if (err == COF_OK)
            assert_memory_not_equal(secret.bytes, data_key, 32);
        else {
            assert_int_equal(err, COF_E_AUTH);
            assert_int_equal(secret.len, 0);
        }
        cms.data[i] ^= 0x40;
    }
    for (size_t cut = 0; cut < cms.len; cut++)
        assert_int_equal(cof_kms_recipient_open(key, cof_view_sub(cof_buf_view(&cms), 0, cut), 32, &secret, NULL),
                         COF_E_AUTH);
    assert_int_equal(cof_kms_recipient_open(key, cof_buf_view(&cms), 16, &secret, NULL), COF_E_AUTH);
    assert_ok(cof_kms_recipient_open(key, cof_buf_view(&cms), 32, &secret, NULL));
    cof_secret_done(&secret);
    cof_buf_done(&cms);
}

static void another_key_opens_nothing(void **state)
{
    static const uint8_t data_key[32] = {9};
    TEST_RNG(rng, 8);
    struct cof_rsa_key *other = NULL;
    struct cof_secret secret;
    struct cof_buf cms;

    cof_buf_init(&cms, COF_CMS_MAX);
    assert_ok(cof_rsa_generate(2048, &other));
    assert_ok(cof_kms_recipient_seal(cof_buf_view(&spki), cof_view_of(data_key, 32), &rng, &cms));
    assert_int_equal(cof_kms_recipient_open(other, cof_buf_view(&cms), 32, &secret, NULL), COF_E_AUTH);
    cof_rsa_free(other);
    cof_buf_done(&cms);
}

/* An implementation that is not ours reads what we write. */
static void another_implementation_opens_it(void **state)
{
    static const uint8_t data_key[32] = {9, 8, 7};
    TEST_RNG(rng, 9);
    struct cof_buf cms, pem;
    CMS_ContentInfo *info;
    EVP_PKEY *pkey;
    BIO *in, *out = BIO_new(BIO_s_mem()), *text;
    char *plain;

    cof_buf_init(&cms, COF_CMS_MAX);
    cof_buf_init_secret(&pem, 8192);
    assert_ok(cof_kms_recipient_seal(cof_buf_view(&spki), cof_view_of(data_key, 32), &rng, &cms));
    assert_ok(cof_rsa_pkcs8_pem(key, &pem));
    in = BIO_new_mem_buf(cms.data, (int)cms.len);
    text = BIO_new_mem_buf(pem.data, (int)pem.len);
    info = d2i_CMS_bio(in, NULL);
    pkey = PEM_read_bio_PrivateKey(text, NULL, NULL, NULL);
    assert_non_null(info);
    assert_non_null(pkey);
    assert_int_equal(CMS_decrypt(info, pkey, NULL, NULL, out, CMS_BINARY), 1);
    assert_int_equal(BIO_get_mem_data(out, &plain), 32);
    assert_memory_equal(plain, data_key, 32);
    CMS_ContentInfo_free(info);
    EVP_PKEY_free(pkey);
    BIO_free(in);
    BIO_free(out);
    BIO_free(text);
    cof_buf_done(&cms);
    cof_buf_done(&pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(reads_chunks_and_the_primitive_form),
        cmocka_unit_test(damage_is_one_refusal),
        cmocka_unit_test(another_key_opens_nothing),
        cmocka_unit_test(another_implementation_opens_it),
    };

    return cmocka_run_group_tests(tests, make_key, drop_key);
}
