/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: each operation with a Recipient answers in CMS that the document's key opens and no Plaintext beside (C-07); a
 * document that AWS would refuse is refused; what the key policy says of the image decides (C-05 C-06 C-11 C-12 C-13); and the
 * operations that nothing attests take no Recipient (C-09). openssl cms, where it is found, reads the answer too.
 */
#include "kms_fixture.h"

#include "engine/kms_recipient.h"
#include "engine/measure.h"

#define REFUSED "The attestation document in the request is not valid"

static struct cof_rsa_key *rsa; /* generating one takes its time */
static struct cof_buf spki;

static int make_key(void **state)
{
    cof_buf_init(&spki, 1024);
    return cof_rsa_generate(2048, &rsa) == COF_OK && cof_rsa_spki(rsa, &spki) == COF_OK ? 0 : -1;
}

static int free_key(void **state)
{
    cof_rsa_free(rsa);
    cof_buf_done(&spki);
    return 0;
}

/* {members,"Recipient":{...}} */
static void with_recipient(const char *members, const char *document, struct cof_buf *body)
{
    cof_buf_init(body, 262144);
    cof_buf_printf(body, "{%s%s\"Recipient\":{\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\",\"AttestationDocument\":\"%s\"}}",
                   members, members[0] == '\0' ? "" : ",", document);
}

static json_t *ask(struct kms_fixture *f, const char *operation, const char *members, struct cof_view key, char error[64])
{
    struct cof_buf document, body;
    json_t *json;

    kms_document(f, "kernel", false, key, f->base.now_ms, &document);
    with_recipient(members, cof_buf_cstr(&document), &body);
    json = kms_call(f, "root", operation, cof_buf_cstr(&body), error);
    cof_buf_done(&document);
    cof_buf_done(&body);
    return json;
}

/* What the answer holds for the recipient; no member that would hold it plain is there. */
static void open_answer(const json_t *json, size_t min, size_t max, struct cof_buf *plain)
{
    static const char *const plain_members[] = {"Plaintext", "PrivateKeyPlaintext", "SharedSecret"};
    struct cof_buf cms;

    for (size_t i = 0; i < 3; i++)
        assert_null(json_object_get(json, plain_members[i]));
    cof_buf_init(&cms, 8192);
    cof_buf_init(plain, 8192);
    assert_ok(cof_json_base64(json, "CiphertextForRecipient", &cms, NULL));
    assert_true(cms.len <= 6144);
    assert_ok(cof_kms_recipient_open_buf(rsa, cof_buf_view(&cms), min, max, plain, NULL));
    cof_buf_done(&cms);
}

static void c07_every_operation_answers_the_recipient_alone(void **state)
{
    struct kms_fixture f;
    char error[64], members[8192];
    struct cof_buf plain, other, bytes;
    struct cof_ecdsa_key *peer;
    json_t *json, *key;
    TEST_RNG(rng, 5);

    kms_fixture_init(&f, NULL);
    json = ask(&f, "GenerateRandom", "\"NumberOfBytes\":1024", cof_buf_view(&spki), error);
    open_answer(json, 1024, 1024, &plain);
    cof_buf_done(&plain);
    json_decref(json);

    json = ask(&f, "GenerateDataKey", "\"KeyId\":\"" KMS_ARN "\",\"KeySpec\":\"AES_256\",\"EncryptionContext\":{\"a\":\"b\"}", cof_buf_view(&spki), error);
    assert_string_equal(kms_text(json, "KeyId"), KMS_ARN);
    open_answer(json, 32, 32, &plain);
    (void)snprintf(members, sizeof members, "\"CiphertextBlob\":\"%s\",\"EncryptionContext\":{\"a\":\"b\"}", kms_text(json, "CiphertextBlob"));
    json_decref(json);
    json = ask(&f, "Decrypt", members, cof_buf_view(&spki), error);
    open_answer(json, 32, 32, &other);
    assert_true(cof_view_eq(cof_buf_view(&plain), cof_buf_view(&other)));
    cof_buf_done(&plain);
    cof_buf_done(&other);
    json_decref(json);

    json = ask(&f, "GenerateDataKeyPair", "\"KeyId\":\"" KMS_ARN "\",\"KeyPairSpec\":\"ECC_NIST_P384\"", cof_buf_view(&spki), error);
    open_answer(json, 100, 4096, &plain);
    assert_ok(cof_ecdsa_from_pkcs8(cof_buf_view(&plain), &peer));
    cof_ecdsa_free(peer);
    cof_buf_done(&plain);
    json_decref(json);

    assert_ok(cof_ecdsa_generate(COF_P256, &rng, &peer));
    cof_buf_init(&bytes, 1024);
    cof_buf_init(&other, 2048);
    assert_ok(cof_ecdsa_spki(peer, &bytes));
    cof_base64_add(&other, cof_buf_view(&bytes));
    key = kms_ok(&f, "root", "CreateKey", "{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"KEY_AGREEMENT\"}");
    (void)snprintf(members, sizeof members, "\"KeyId\":\"%s\",\"KeyAgreementAlgorithm\":\"ECDH\",\"PublicKey\":\"%s\"",
                   kms_text(json_object_get(key, "KeyMetadata"), "KeyId"), cof_buf_cstr(&other));
    json = ask(&f, "DeriveSharedSecret", members, cof_buf_view(&spki), error);
    open_answer(json, 32, 32, &plain);
    cof_buf_done(&plain);
    cof_buf_done(&bytes);
    cof_buf_done(&other);
    cof_ecdsa_free(peer);
    json_decref(json);
    json_decref(key);
    kms_fixture_done(&f);
}

static void documents_of_all_rsa_sizes_are_served_and_no_others(void **state)
{
    struct kms_fixture f;
    struct cof_rsa_key *key;
    struct cof_ecdsa_key *ecc;
    struct cof_buf public_key;
    char error[64];
    json_t *json;
    TEST_RNG(rng, 5);

    kms_fixture_init(&f, NULL);
    cof_buf_init(&public_key, 2048);
    for (unsigned bits = 3072; bits <= 4096; bits += 1024) {
        struct cof_buf cms, plain;

        assert_ok(cof_rsa_generate(bits, &key));
        assert_ok(cof_rsa_spki(key, &public_key));
        json = ask(&f, "GenerateRandom", "\"NumberOfBytes\":1024", cof_buf_view(&public_key), error);
        assert_string_equal(error, "");
        cof_buf_init(&cms, 8192);
        cof_buf_init(&plain, 8192);
        assert_ok(cof_json_base64(json, "CiphertextForRecipient", &cms, NULL));
        assert_true(cms.len <= 6144);
        assert_ok(cof_kms_recipient_open_buf(key, cof_buf_view(&cms), 1024, 1024, &plain, NULL));
        assert_int_equal(cof_kms_recipient_open_buf(rsa, cof_buf_view(&cms), 1024, 1024, &plain, NULL), COF_E_AUTH);
        cof_buf_done(&cms);
        cof_buf_done(&plain);
        json_decref(json);
        cof_rsa_free(key);
        cof_buf_reset(&public_key);
    }
    assert_ok(cof_ecdsa_generate(COF_P256, &rng, &ecc));
    assert_ok(cof_ecdsa_spki(ecc, &public_key));
    json = ask(&f, "GenerateRandom", "\"NumberOfBytes\":16", cof_buf_view(&public_key), error);
    assert_string_equal(error, "ValidationException");
    json_decref(json);
    cof_ecdsa_free(ecc);
    json = ask(&f, "GenerateRandom", "\"NumberOfBytes\":16", COF_LIT(""), error);
    assert_string_equal(error, "ValidationException");
    assert_string_equal(kms_text(json, "message"), REFUSED);
    json_decref(json);
    cof_buf_done(&public_key);
    kms_fixture_done(&f);
}

static void altered_and_old_documents_are_refused(void **state)
{
    struct kms_fixture f;
    struct cof_buf document, bytes, altered, body;
    char error[64];
    json_t *json;

    kms_fixture_init(&f, NULL);
    kms_document(&f, "kernel", false, cof_buf_view(&spki), f.base.now_ms, &document);
    cof_buf_init(&bytes, 65536);
    cof_buf_init(&altered, 65536);
    assert_ok(cof_base64_decode(cof_buf_view(&document), &bytes));
    for (size_t i = 0; i < bytes.len; i += 1 + bytes.len / 60) { /* bits all over, and cuts */
        for (int cut = 0; cut < 2; cut++) {
            cof_buf_reset(&altered);
            if (cut)
                cof_base64_add(&altered, cof_view_sub(cof_buf_view(&bytes), 0, i));
            bytes.data[i] ^= 4;
            if (!cut)
                cof_base64_add(&altered, cof_buf_view(&bytes));
            bytes.data[i] ^= 4;
            with_recipient("\"NumberOfBytes\":16", cof_buf_cstr(&altered), &body);
            json = kms_call(&f, "root", "GenerateRandom", cof_buf_cstr(&body), error);
            assert_string_equal(error, "ValidationException");
            assert_null(json_object_get(json, "Plaintext"));
            json_decref(json);
            cof_buf_done(&body);
        }
    }
    with_recipient("\"NumberOfBytes\":16", cof_buf_cstr(&document), &body);
    json_decref(kms_ok(&f, "root", "GenerateRandom", cof_buf_cstr(&body)));
    json_decref(kms_ok(&f, "root", "GenerateRandom", cof_buf_cstr(&body))); /* it is known now, and still only that one */
    for (size_t i = 0; i < bytes.len; i += 1 + bytes.len / 60) {
        struct cof_buf other;

        cof_buf_reset(&altered);
        bytes.data[i] ^= 1;
        cof_base64_add(&altered, cof_buf_view(&bytes));
        bytes.data[i] ^= 1;
        with_recipient("\"NumberOfBytes\":16", cof_buf_cstr(&altered), &other);
        kms_refused(&f, "root", "GenerateRandom", cof_buf_cstr(&other), "ValidationException");
        cof_buf_done(&other);
    }
    f.base.now_ms += 6 * 60 * 1000; /* it was fresh for five minutes */
    kms_refused(&f, "root", "GenerateRandom", cof_buf_cstr(&body), "ValidationException");
    f.base.now_ms -= 12 * 60 * 1000; /* and it is not from tomorrow */
    kms_refused(&f, "root", "GenerateRandom", cof_buf_cstr(&body), "ValidationException");
    assert_true(strstr(cof_buf_cstr(&f.base.audit), "\"attestationFailure\":") != NULL);
    assert_true(strstr(cof_buf_cstr(&f.base.audit), "\"attestationDocumentModuleId\":") != NULL);
    assert_true(strstr(cof_buf_cstr(&f.base.audit), "\"attestationDocumentEnclaveImageDigest\":") != NULL);
    assert_true(strstr(cof_buf_cstr(&f.base.audit), "\"attestationDocumentEnclavePCR1\":") != NULL);
    cof_buf_done(&body);
    cof_buf_done(&document);
    cof_buf_done(&bytes);
    cof_buf_done(&altered);
    kms_fixture_done(&f);
}

static void documents_under_another_root_are_refused(void **state)
{
    struct kms_fixture f, other;
    struct cof_buf document, body;

    kms_fixture_init(&f, NULL);
    kms_fixture_init(&other, NULL);
    other.base.rng_state = 99;
    memory_store_done(&other.base.store);
    memory_store_init(&other.base.store); /* its root is made anew, and differs */
    kms_document(&other, "kernel", false, cof_buf_view(&spki), f.base.now_ms, &document);
    with_recipient("\"NumberOfBytes\":16", cof_buf_cstr(&document), &body);
    kms_refused(&f, "root", "GenerateRandom", cof_buf_cstr(&body), "ValidationException");
    cof_buf_done(&document);
    cof_buf_done(&body);
    kms_fixture_done(&f);
    kms_fixture_done(&other);
}

static void malformed_recipients_are_refused(void **state)
{
    static const struct {
        const char *body, *code;
    } cases[] = {
        {"{\"NumberOfBytes\":16,\"Recipient\":1}", "SerializationException"},
        {"{\"NumberOfBytes\":16,\"Recipient\":{}}", "ValidationException"},
        {"{\"NumberOfBytes\":16,\"Recipient\":{\"AttestationDocument\":\"AAAA\"}}", "ValidationException"},
        {"{\"NumberOfBytes\":16,\"Recipient\":{\"AttestationDocument\":\"AAAA\",\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_1\"}}", "ValidationException"},
        {"{\"NumberOfBytes\":16,\"Recipient\":{\"AttestationDocument\":\"!\",\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\"}}", "ValidationException"},
        {"{\"NumberOfBytes\":16,\"Recipient\":{\"AttestationDocument\":\"AAAA\",\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\"}}", "ValidationException"},
    };
    struct kms_fixture f;

    kms_fixture_init(&f, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        kms_refused(&f, "root", "GenerateRandom", cases[i].body, cases[i].code);
    kms_fixture_done(&f);
}

static void c09_what_nothing_attests_takes_no_recipient(void **state)
{
    static const struct {
        const char *operation, *members;
    } cases[] = {
        {"Encrypt", "\"KeyId\":\"" KMS_KEY "\",\"Plaintext\":\"AAAA\""},
        {"GenerateDataKeyWithoutPlaintext", "\"KeyId\":\"" KMS_KEY "\",\"KeySpec\":\"AES_256\""},
        {"GenerateDataKeyPairWithoutPlaintext", "\"KeyId\":\"" KMS_KEY "\",\"KeyPairSpec\":\"ECC_NIST_P256\""},
        {"DescribeKey", "\"KeyId\":\"" KMS_KEY "\""},
    };
    struct kms_fixture f;
    char error[64];

    kms_fixture_init(&f, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_decref(ask(&f, cases[i].operation, cases[i].members, cof_buf_view(&spki), error));
        assert_string_equal(error, "ValidationException");
    }
    kms_fixture_done(&f);
}

/* The key policy lets the role decrypt inside the image "kernel" alone. */
static void start_with_image(struct kms_fixture *f, const char *condition_key, const char *value)
{
    struct cof_buf manifest;

    cof_buf_init(&manifest, 16384);
    cof_buf_printf(&manifest, KMS_MANIFEST(KMS_POLICY(",{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::" KMS_ACCOUNT
        ":role/worker\"},\"Action\":[\"kms:Decrypt\",\"kms:GenerateRandom\"],\"Resource\":\"*\",\"Condition\":{\"StringEqualsIgnoreCase\":{\"%s\":\"%s\"}}}")),
        condition_key, value);
    kms_fixture_init(f, cof_buf_cstr(&manifest));
    cof_buf_done(&manifest);
}

static void image_digest(const char *kernel, char pcr0[97], char pcr1[97])
{
    struct cof_view ramdisks[2] = {COF_LIT("init"), COF_LIT("application")};
    struct cof_image_parts parts = {cof_view_str(kernel), COF_LIT("cmdline"), ramdisks, 2, COF_LIT("")};
    struct cof_image_pcrs pcrs;

    assert_ok(cof_measure_image(&parts, &pcrs));
    cof_hex_encode(pcrs.pcr0, 48, pcr0);
    cof_hex_encode(pcrs.pcr1, 48, pcr1);
}

static void decrypt_as_worker(struct kms_fixture *f, const char *kernel, bool debug, bool recipient, const char *code)
{
    json_t *sealed = kms_ok(f, "root", "Encrypt", "{\"KeyId\":\"" KMS_KEY "\",\"Plaintext\":\"AAAA\"}");
    struct cof_buf document, body;
    char members[1024], error[64];

    kms_document(f, kernel, debug, cof_buf_view(&spki), f->base.now_ms, &document);
    (void)snprintf(members, sizeof members, "\"CiphertextBlob\":\"%s\"", kms_text(sealed, "CiphertextBlob"));
    if (recipient) {
        with_recipient(members, cof_buf_cstr(&document), &body);
    } else {
        cof_buf_init(&body, 2048);
        cof_buf_printf(&body, "{%s}", members);
    }
    json_decref(kms_call(f, "worker", "Decrypt", cof_buf_cstr(&body), error));
    assert_string_equal(error, code);
    json_decref(sealed);
    cof_buf_done(&document);
    cof_buf_done(&body);
}

static void c12_the_measurements_decide(void **state)
{
    static const char *const keys[] = {"kms:RecipientAttestation:ImageSha384", "kms:RecipientAttestation:PCR0", "kms:RecipientAttestation:PCR1"};
    char pcr0[97], pcr1[97];

    image_digest("kernel", pcr0, pcr1);
    for (size_t i = 0; i < 3; i++) {
        struct kms_fixture f;

        start_with_image(&f, keys[i], i == 2 ? pcr1 : pcr0);
        decrypt_as_worker(&f, "kernel", false, true, "");
        decrypt_as_worker(&f, "another kernel", false, true, "AccessDeniedException");
        decrypt_as_worker(&f, "kernel", false, false, "AccessDeniedException"); /* the caller's own credentials are not enough */
        decrypt_as_worker(&f, "kernel", true, true, "AccessDeniedException");   /* C-13: in debug mode all registers are zero */
        kms_fixture_done(&f);
    }
}

/* C-12: no such key exists, so a condition on it never holds and lets nobody in. */
static void c12_a_condition_key_that_does_not_exist_lets_nobody_in(void **state)
{
    static const char *const keys[] = {"kms:RecipientAttestation", "aws:RequestContext", "kms:RecipientAttestation:PCR40"};
    char pcr0[97], pcr1[97];

    image_digest("kernel", pcr0, pcr1);
    for (size_t i = 0; i < 3; i++) {
        struct kms_fixture f;

        start_with_image(&f, keys[i], pcr0);
        decrypt_as_worker(&f, "kernel", false, true, "AccessDeniedException");
        kms_fixture_done(&f);
    }
}

static void c13_zeros_open_to_every_debug_enclave(void **state)
{
    char zeros[97];
    struct kms_fixture f;

    memset(zeros, '0', 96);
    zeros[96] = '\0';
    start_with_image(&f, "kms:RecipientAttestation:PCR0", zeros);
    decrypt_as_worker(&f, "kernel", true, true, "");
    decrypt_as_worker(&f, "any other", true, true, ""); /* which is why our tools refuse to write such a policy */
    decrypt_as_worker(&f, "kernel", false, true, "AccessDeniedException");
    kms_fixture_done(&f);
}

static void c05_anybody_can_make_an_answer(void **state)
{
    struct cof_buf forged;
    struct cof_secret key;
    TEST_RNG(rng, 9);

    cof_buf_init(&forged, 8192);
    assert_ok(cof_kms_recipient_seal(cof_buf_view(&spki), COF_LIT("a key of an attacker's own choice"), &rng, &forged));
    assert_ok(cof_kms_recipient_open(rsa, cof_buf_view(&forged), 33, &key, NULL)); /* it opens: only TLS says who sent it */
    cof_secret_done(&key);
    cof_buf_done(&forged);
}

/* ReEncrypt takes no Recipient: a Deny on the missing attestation key is what stops it. */
static void c11_reencrypt_is_no_way_around(void **state)
{
    struct kms_fixture f;
    char body[2048], error[64];
    json_t *sealed;

    kms_fixture_init(&f, KMS_MANIFEST(KMS_POLICY(",{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":[\"kms:Decrypt\",\"kms:ReEncryptFrom\"],"
        "\"Resource\":\"*\",\"Condition\":{\"Null\":{\"kms:RecipientAttestation:PCR0\":\"true\"}}}")));
    sealed = kms_ok(&f, "root", "Encrypt", "{\"KeyId\":\"" KMS_KEY "\",\"Plaintext\":\"AAAA\"}");
    (void)snprintf(body, sizeof body, "{\"CiphertextBlob\":\"%s\",\"DestinationKeyId\":\"" KMS_KEY "\"}", kms_text(sealed, "CiphertextBlob"));
    kms_refused(&f, "root", "ReEncrypt", body, "AccessDeniedException");
    (void)snprintf(body, sizeof body, "{\"CiphertextBlob\":\"%s\"}", kms_text(sealed, "CiphertextBlob"));
    kms_refused(&f, "root", "Decrypt", body, "AccessDeniedException");
    (void)snprintf(body, sizeof body, "\"CiphertextBlob\":\"%s\"", kms_text(sealed, "CiphertextBlob"));
    json_decref(ask(&f, "Decrypt", body, cof_buf_view(&spki), error));
    assert_string_equal(error, "");
    json_decref(sealed);
    kms_fixture_done(&f);
}

/* What KMS sends is what strict readers take. */
static void openssl_reads_the_answer(void **state)
{
    char dir[] = "/tmp/coffer-cms-XXXXXX", command[512], error[64];
    struct cof_buf cms, pem, plain, ours;
    struct kms_fixture f;
    json_t *json;
    FILE *out;

    if (system("openssl version >/dev/null 2>&1") != 0)
        skip();
    assert_non_null(mkdtemp(dir));
    kms_fixture_init(&f, NULL);
    json = ask(&f, "GenerateRandom", "\"NumberOfBytes\":100", cof_buf_view(&spki), error);
    open_answer(json, 100, 100, &ours);
    cof_buf_init(&cms, 8192);
    cof_buf_init_secret(&pem, 8192);
    assert_ok(cof_json_base64(json, "CiphertextForRecipient", &cms, NULL));
    assert_ok(cof_rsa_pkcs8_pem(rsa, &pem));
    (void)snprintf(command, sizeof command, "%s/cms", dir);
    out = fopen(command, "wb");
    assert_int_equal(fwrite(cms.data, 1, cms.len, out), cms.len);
    (void)fclose(out);
    (void)snprintf(command, sizeof command, "%s/key", dir);
    out = fopen(command, "wb");
    assert_int_equal(fwrite(pem.data, 1, pem.len, out), pem.len);
    (void)fclose(out);
    (void)snprintf(command, sizeof command, "cd %s && openssl cms -decrypt -binary -inform DER -in cms -inkey key -out plain 2>/dev/null", dir);
    assert_int_equal(system(command), 0);
    (void)snprintf(command, sizeof command, "%s/plain", dir);
    assert_true(read_file(command, &plain));
    assert_true(cof_view_eq(cof_buf_view(&plain), cof_buf_view(&ours)));
    (void)snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    cof_buf_done(&cms);
    cof_buf_done(&pem);
    cof_buf_done(&plain);
    cof_buf_done(&ours);
    json_decref(json);
    kms_fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c07_every_operation_answers_the_recipient_alone),
        cmocka_unit_test(documents_of_all_rsa_sizes_are_served_and_no_others),
        cmocka_unit_test(altered_and_old_documents_are_refused),
        cmocka_unit_test(documents_under_another_root_are_refused),
        cmocka_unit_test(malformed_recipients_are_refused),
        cmocka_unit_test(c09_what_nothing_attests_takes_no_recipient),
        cmocka_unit_test(c12_the_measurements_decide),
        cmocka_unit_test(c12_a_condition_key_that_does_not_exist_lets_nobody_in),
        cmocka_unit_test(c13_zeros_open_to_every_debug_enclave),
        cmocka_unit_test(c05_anybody_can_make_an_answer),
        cmocka_unit_test(c11_reencrypt_is_no_way_around),
        cmocka_unit_test(openssl_reads_the_answer),
    };

    return cmocka_run_group_tests(tests, make_key, free_key);
}
