/* SPDX-License-Identifier: Apache-2.0
 *
 * KMS answers that must be refused (C-04, C-07, C-36), and the attested calls against the simulated hypervisor.
 */
#include "world.h"

#include "client/keyring_kms.h"
#include "engine/attest_verify.h"
#include "engine/kms_recipient.h"
#include "format/json.h"
#include "standin/hypervisor.h"

#define KEY32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" /* bytes 0..31 */

static struct cof_kms_key_use use_of(const char *arn)
{
    static const struct cof_pair context[] = {{{(const uint8_t *)"tenant", 6}, {(const uint8_t *)"t1", 2}},
                                              {{(const uint8_t *)"job", 3}, {(const uint8_t *)"j1", 2}}};

    return (struct cof_kms_key_use){.key_arn = cof_view_str(arn), .context = context, .n_context = 2};
}

/* Aliases, bare ids and nothing at all are refused before a byte is sent. */
static void refuses_unpinned(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"alias/data", "arn:aws:kms:us-east-1:111122223333:alias/data",
                                        "1234abcd-12ab-34cd-56ef-1234567890ab", "",
                                        "arn:aws:s3:us-east-1:111122223333:key/a"};
    struct cof_kms_reply reply;
    struct cof_diag diag = {0};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct cof_kms_key_use use = use_of(names[i]);
        assert_int_equal(cof_kms_run_decrypt(&w->aws, &use, COF_LIT("blob"), &reply, &diag), COF_E_CONFIG);
        assert_int_equal(cof_kms_run_generate_data_key(&w->aws, &use, &reply, &diag), COF_E_CONFIG);
    }
    assert_int_equal(w->n_seen, 0);
    assert_non_null(strstr(diag.hint, "arn:aws:kms"));
}

static void decrypts(void **state)
{
    struct world *w = *state;
    struct cof_kms_key_use use = use_of(KEY_ARN);
    struct cof_kms_reply reply;

    script(w, 200, NULL, "{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"" KEY32 "\"}");
    assert_ok(cof_kms_run_decrypt(&w->aws, &use, COF_LIT("blob"), &reply, NULL));
    assert_int_equal(reply.plaintext.len, 32);
    assert_int_equal(reply.plaintext.data[31], 31);
    assert_true(seen_header(w, 0, "x-amz-target", "TrentService.Decrypt"));
    assert_true(w->seen[0].is_signed);
    assert_non_null(strstr(cof_buf_cstr(&w->seen[0].body), KEY_ARN));
    cof_kms_reply_done(&reply);
}

/* Another key, a data key of another length, a missing member: refused, and nothing is given out. */
static void refuses_replies(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *body;
        bool generate, recipient;
        enum cof_err err;
    } cases[] = {
        {"{\"KeyId\":\"" OTHER_ARN "\",\"Plaintext\":\"" KEY32 "\"}", false, false, COF_E_AUTH},
        {"{\"Plaintext\":\"" KEY32 "\"}", false, false, COF_E_FORMAT},
        {"{\"KeyId\":\"" KEY_ARN "\"}", false, false, COF_E_FORMAT},
        {"{\"KeyId\":\"" KEY_ARN "\",\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"" KEY32 "\"}", false, false,
         COF_E_FORMAT},
        {"{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"AAEC\",\"CiphertextBlob\":\"AAEC\"}", true, false, COF_E_FORMAT},
        {"{\"KeyId\":\"" OTHER_ARN "\",\"Plaintext\":\"" KEY32 "\",\"CiphertextBlob\":\"AAEC\"}", true, false,
         COF_E_AUTH},
        {"{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"" KEY32 "\"}", false, true, COF_E_AUTH},
        {"{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"" KEY32 "\",\"CiphertextForRecipient\":\"AAEC\"}", false, true,
         COF_E_AUTH},
        {"{\"KeyId\":\"" KEY_ARN "\"}", false, true, COF_E_AUTH},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_kms_key_use use = use_of(KEY_ARN);
        struct cof_kms_reply reply;
        script(w, 200, NULL, cases[i].body);
        if (cases[i].recipient)
            use.recipient = COF_LIT("document");
        if (cases[i].generate)
            assert_int_equal(cof_kms_run_generate_data_key(&w->aws, &use, &reply, NULL), cases[i].err);
        else
            assert_int_equal(cof_kms_run_decrypt(&w->aws, &use, COF_LIT("blob"), &reply, NULL), cases[i].err);
        assert_int_equal(reply.plaintext.len, 0);
    }
}

/* Which failures pass by themselves and which do not (C-37). */
static void sorts_errors(void **state)
{
    struct world *w = *state;
    static const struct {
        int status;
        const char *type;
        enum cof_class class;
    } cases[] = {{400, "InvalidCiphertextException", COF_CLASS_AUTH}, {400, "AccessDeniedException", COF_CLASS_DENIED},
                 {400, "DisabledException", COF_CLASS_DENIED},       {400, "ThrottlingException", COF_CLASS_RETRY},
                 {500, "KMSInternalException", COF_CLASS_RETRY}};
    char body[100];

    w->aws.max_attempts = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_kms_key_use use = use_of(KEY_ARN);
        struct cof_kms_reply reply;
        (void)snprintf(body, sizeof body, "{\"__type\":\"%s\"}", cases[i].type);
        script(w, cases[i].status, NULL, body);
        assert_int_equal(cof_err_class(cof_kms_run_decrypt(&w->aws, &use, COF_LIT("b"), &reply, NULL)), cases[i].class);
    }
}

struct pending {
    bool done;
    enum cof_err err;
    size_t plaintext_len;
};

static void on_kms(void *ctx, enum cof_err err, struct cof_kms_reply *reply, const struct cof_diag *diag)
{
    struct pending *p = ctx;

    (void)diag;
    p->done = true;
    p->err = err;
    p->plaintext_len = reply->plaintext.len;
}

static void asynchronous(void **state)
{
    struct world *w = *state;
    struct cof_kms_key_use use = use_of(KEY_ARN);
    struct pending a = {0}, b = {0};
    struct cof_kms_events ea = {on_kms, &a}, eb = {on_kms, &b};
    struct cof_fetch *fetch;

    for (int i = 0; i < 2; i++)
        script(w, 200, NULL, "{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"" KEY32 "\",\"CiphertextBlob\":\"AAEC\"}");
    assert_ok(cof_kms_start_generate_data_key(&w->aws, &use, &eb, &fetch));
    cof_fetch_cancel(fetch);
    assert_ok(cof_kms_start_generate_data_key(&w->aws, &use, &ea, &fetch));
    assert_ok(cof_loop_run_until(w->loop, &a.done, 10000));
    assert_ok(a.err);
    assert_int_equal(a.plaintext_len, 32);
    assert_false(b.done);
}

/* An enclave of the simulated hypervisor, and KMS's side of an attested call played by the test. */
struct enclave {
    struct cof_hv *hv;
    struct cof_hv_enclave *enclave;
    struct cof_buf root, document;
    size_t n_documents;
    struct cof_kms_attested att;
};

static enum cof_err nsm_call(void *ctx, struct cof_view request, struct cof_buf *out)
{
    struct enclave *e = ctx;
    struct cof_nsm_response response;
    enum cof_err err = cof_hv_handle(e->enclave, request, world_now, out);

    if (err == COF_OK && cof_nsm_parse_response(cof_buf_view(out), &response) == COF_OK) {
        cof_buf_reset(&e->document);
        cof_buf_add(&e->document, response.data);
        e->n_documents++;
    }
    return err;
}

static void launch(struct world *w, struct enclave *e)
{
    struct cof_view ramdisks[2] = {COF_LIT("init"), COF_LIT("application")};
    struct cof_hv_launch l = {.image = {COF_LIT("kernel"), COF_LIT("cmdline"), ramdisks, 2, COF_LIT("")}};
    struct cof_nsm_port port = {nsm_call, e};

    memset(e, 0, sizeof *e);
    cof_buf_init_secret(&e->root, 65536);
    cof_buf_init(&e->document, 65536);
    assert_ok(cof_hv_make_root(&w->rng, NOW_MS - 86400000, &e->root));
    assert_ok(cof_hv_new(cof_buf_view(&e->root), "us-east-1", &w->rng, &e->hv));
    assert_ok(cof_hv_launch(e->hv, &l, world_now, &e->enclave));
    cof_kms_attested_init(&e->att, &w->aws, &port);
    assert_ok(cof_kms_attested_prepare(&e->att));
}

static void land(struct enclave *e)
{
    cof_kms_attested_done(&e->att);
    cof_hv_enclave_free(e->enclave);
    cof_hv_free(e->hv);
    cof_buf_done(&e->root);
    cof_buf_done(&e->document);
}

/* A reply that seals n bytes for the enclave's key. */
static const char *sealed_reply(struct world *w, struct enclave *e, size_t n)
{
    static char text[8192];
    static const uint8_t bytes[64] = {7, 7, 7};
    struct cof_buf spki, cms, b64;

    cof_buf_init(&spki, 4096);
    cof_buf_init(&cms, 4096);
    cof_buf_init(&b64, 8192);
    assert_ok(cof_rsa_spki(e->att.key, &spki));
    assert_ok(cof_kms_recipient_seal(cof_buf_view(&spki), cof_view_of(bytes, n), &w->rng, &cms));
    cof_base64_add(&b64, cof_buf_view(&cms));
    (void)snprintf(text, sizeof text,
                   "{\"KeyId\":\"" KEY_ARN "\",\"CiphertextForRecipient\":\"%s\",\"CiphertextBlob\":\"AAEC\"}",
                   cof_buf_cstr(&b64));
    cof_buf_done(&spki);
    cof_buf_done(&cms);
    cof_buf_done(&b64);
    return text;
}

/* The document verifies, carries our key and the digest of this very request; the sealed key is opened. */
static void attested(void **state)
{
    struct world *w = *state;
    struct cof_kms_key_use use = use_of(KEY_ARN);
    struct cof_secret key = {0};
    struct enclave e;
    struct cof_attest seen;
    struct cof_buf spki, blob;
    uint8_t digest[32];
    struct cof_view user_data, public_key;
    struct cof_attest_policy policy = {.mode = COF_ATTEST_LIVE, .now_ms = world_now, .any_image = true};

    launch(w, &e);
    cof_buf_init(&spki, 4096);
    cof_buf_init(&blob, 4096);
    script(w, 200, NULL, sealed_reply(w, &e, 32));
    assert_ok(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL));
    assert_int_equal(key.len, 32);
    assert_int_equal(key.bytes[2], 7);
    assert_ok(cof_kms_attested_digest("Decrypt", &use, COF_LIT("blob"), digest));
    assert_ok(cof_rsa_spki(e.att.key, &spki));
    user_data = cof_view_of(digest, 32);
    public_key = cof_buf_view(&spki);
    policy.root_der = cof_hv_root(e.hv);
    policy.user_data = &user_data;
    policy.public_key = &public_key;
    assert_ok(cof_attest_verify(cof_buf_view(&e.document), &policy, &seen, NULL));
    digest[0] ^= 1;
    assert_int_equal(cof_attest_verify(cof_buf_view(&e.document), &policy, &seen, NULL), COF_E_AUTH);
    script(w, 200, NULL, sealed_reply(w, &e, 32));
    assert_ok(cof_kms_attested_generate(&e.att, &use, &key, &blob, NULL));
    assert_int_equal(blob.len, 3);
    cof_buf_done(&spki);
    cof_buf_done(&blob);
    land(&e);
}

/* A key of another length, another recipient's, or one in the clear: refused, and the secret is empty. */
static void attested_refuses(void **state)
{
    struct world *w = *state;
    struct cof_kms_key_use use = use_of(KEY_ARN);
    struct cof_secret key = {0};
    struct enclave e;
    char other[8192];

    launch(w, &e);
    script(w, 200, NULL, sealed_reply(w, &e, 16));
    assert_int_equal(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL), COF_E_AUTH);
    assert_int_equal(key.len, 0);
    script(w, 200, NULL, "{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"" KEY32 "\"}");
    assert_int_equal(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL), COF_E_AUTH);
    (void)snprintf(other, sizeof other, "%s", sealed_reply(w, &e, 32));
    script(w, 200, NULL, other);
    e.att.epoch_ms = 0; /* the next call makes another key, so this reply is for somebody else */
    assert_int_equal(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL), COF_E_AUTH);
    assert_int_equal(key.len, 0);
    land(&e);
}

/* One key serves an epoch, or one call; its size is the caller's; an answer to the key before is nobody's. */
static void c06_a_key_serves_its_epoch(void **state)
{
    struct world *w = *state;
    struct cof_kms_key_use use = use_of(KEY_ARN);
    struct cof_secret key = {0};
    const struct cof_rsa_key *first;
    struct enclave e;
    char old[8192];

    launch(w, &e);
    assert_int_equal(cof_rsa_bits(e.att.key), 2048);
    first = e.att.key;
    script(w, 200, NULL, sealed_reply(w, &e, 32));
    assert_ok(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL));
    assert_ok(cof_kms_attested_prepare(&e.att));
    assert_ptr_equal(e.att.key, first);
    (void)snprintf(old, sizeof old, "%s", sealed_reply(w, &e, 32));
    e.att.made_ms -= e.att.epoch_ms; /* its epoch has passed */
    e.att.rsa_bits = 3072;
    script(w, 200, NULL, old);
    assert_int_equal(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL), COF_E_AUTH);
    assert_int_equal(cof_rsa_bits(e.att.key), 3072);
    script(w, 200, NULL, sealed_reply(w, &e, 32));
    assert_ok(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL));

    e.att.epoch_ms = 0;
    e.att.rsa_bits = 2048;
    assert_ok(cof_kms_attested_prepare(&e.att));
    assert_int_equal(cof_rsa_bits(e.att.key), 2048);
    assert_ok(cof_kms_attested_prepare(&e.att)); /* unused, so it stays */
    (void)snprintf(old, sizeof old, "%s", sealed_reply(w, &e, 32));
    script(w, 200, NULL, old);
    assert_ok(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL));
    script(w, 200, NULL, old); /* the same answer again, to the next call */
    assert_int_equal(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL), COF_E_AUTH);
    assert_int_equal(key.len, 0);
    cof_secret_done(&key);
    land(&e);
}

/* Where documents serve for a while: the same bytes until that has passed, the key is another, KMS refused, or somebody knows of a
 * change; what it says is its use and no question. */
static void a_document_serves_for_a_while(void **state)
{
    struct world *w = *state;
    struct cof_kms_key_use use = use_of(KEY_ARN);
    struct cof_attest_policy policy = {.mode = COF_ATTEST_LIVE, .now_ms = world_now, .any_image = true};
    struct cof_secret key = {0};
    struct cof_attest seen;
    struct cof_view user_data;
    struct enclave e;
    uint8_t digest[32];

    launch(w, &e);
    e.att.document_ms = 60000;
    for (int i = 0; i < 8; i++) {
        size_t made = e.n_documents, n = i == 0 || i == 3 || i == 5 || i == 7 ? 1 : 0;

        if (i == 3)
            e.att.attested_ms -= 60000; /* its time has passed */
        if (i == 5) {
            e.att.made_ms -= e.att.epoch_ms / 2; /* the key is made anew */
            assert_ok(cof_kms_attested_prepare(&e.att));
        }
        script(w, 200, NULL, sealed_reply(w, &e, i == 6 ? 16 : 32));
        if (i == 6) { /* another length: refused here, and KMS is not to blame */
            assert_int_equal(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL), COF_E_AUTH);
            cof_kms_attested_renew(&e.att);
        } else {
            assert_ok(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL));
        }
        assert_int_equal(e.n_documents - made, n);
    }
    assert_ok(cof_kms_attested_epoch_digest(cof_buf_view(&e.att.spki), digest));
    user_data = cof_view_of(digest, 32);
    policy.root_der = cof_hv_root(e.hv);
    policy.user_data = &user_data;
    assert_ok(cof_attest_verify(cof_buf_view(&e.document), &policy, &seen, NULL));
    script(w, 400, NULL, "{\"__type\":\"ValidationException\",\"message\":\"The attestation document in the request is not valid\"}");
    assert_true(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL) != COF_OK);
    script(w, 200, NULL, sealed_reply(w, &e, 32));
    assert_ok(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL));
    assert_int_equal(e.n_documents, 5);
    e.att.document_ms = 0; /* each its own */
    for (size_t i = 6; i < 9; i++) {
        script(w, 200, NULL, sealed_reply(w, &e, 32));
        assert_ok(cof_kms_attested_decrypt(&e.att, &use, COF_LIT("blob"), 32, &key, NULL));
        assert_int_equal(e.n_documents, i);
    }
    cof_secret_done(&key);
    land(&e);
}

/* Order of the pairs does not matter to the digest; everything else does. */
static void digest_binds(void **state)
{
    struct cof_kms_key_use use = use_of(KEY_ARN), other = use_of(OTHER_ARN);
    struct cof_pair swapped[2] = {use.context[1], use.context[0]}, moved[2] = {use.context[0], use.context[1]};
    uint8_t a[32], b[32];

    (void)state;
    assert_ok(cof_kms_attested_digest("Decrypt", &use, COF_LIT("x"), a));
    other = use;
    other.context = swapped;
    assert_ok(cof_kms_attested_digest("Decrypt", &other, COF_LIT("x"), b));
    assert_memory_equal(a, b, 32);
    assert_ok(cof_kms_attested_digest("GenerateDataKey", &use, COF_LIT("x"), b));
    assert_memory_not_equal(a, b, 32);
    assert_ok(cof_kms_attested_digest("Decrypt", &use, COF_LIT("y"), b));
    assert_memory_not_equal(a, b, 32);
    moved[0].value = COF_LIT("t2");
    other.context = moved;
    assert_ok(cof_kms_attested_digest("Decrypt", &other, COF_LIT("x"), b));
    assert_memory_not_equal(a, b, 32);
    other = use_of(OTHER_ARN);
    assert_ok(cof_kms_attested_digest("Decrypt", &other, COF_LIT("x"), b));
    assert_memory_not_equal(a, b, 32);
}

/* The keyring of an enclave: all its data keys come sealed for the enclave's own key, also those of shorter suites. */
static void attested_keyring(void **state)
{
    struct world *w = *state;
    const struct cof_view keys[] = {COF_LIT(KEY_ARN)};
    struct cof_keyring_kms kms = {.aws = &w->aws, .keys = keys, .n_keys = 1};
    struct cof_keyring ring = cof_keyring_of_kms(&kms);
    const struct cof_esdk_edk edk = {COF_LIT("aws-kms"), COF_LIT(KEY_ARN), COF_LIT("blob")};
    struct cof_secret key = {0};
    struct cof_edk_list edks;
    struct cof_keyring_wrap wrap = {.key_len = 32, .data_key = &key, .edks = &edks};
    struct cof_keyring_unwrap unwrap = {.key_len = 32, .edks = &edk, .n_edks = 1, .data_key = &key};
    struct enclave e;

    launch(w, &e);
    kms.attested = &e.att;
    cof_edk_list_init(&edks);
    script(w, 200, NULL, sealed_reply(w, &e, 32));
    assert_ok(cof_keyring_wrap(&ring, &wrap));
    assert_int_equal(key.bytes[2], 7);
    assert_int_equal(edks.n, 1);
    script(w, 200, NULL, sealed_reply(w, &e, 32));
    assert_ok(cof_keyring_unwrap(&ring, &unwrap));
    assert_int_equal(key.len, 32);
    script(w, 200, NULL, sealed_reply(w, &e, 16)); /* a key of another length than the suite's */
    assert_int_equal(cof_keyring_unwrap(&ring, &unwrap), COF_E_AUTH);
    unwrap.key_len = 16;
    script(w, 200, NULL, sealed_reply(w, &e, 16));
    assert_ok(cof_keyring_unwrap(&ring, &unwrap));
    assert_int_equal(key.len, 16);
    for (size_t i = 0; i < w->n_seen; i++)
        assert_non_null(strstr(cof_buf_cstr(&w->seen[i].body), "\"Recipient\""));
    cof_edk_list_done(&edks);
    land(&e);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(refuses_unpinned), T(decrypts), T(refuses_replies), T(sorts_errors), T(asynchronous), T(attested),
        T(attested_refuses),
        T(c06_a_key_serves_its_epoch), T(a_document_serves_for_a_while), T(attested_keyring), cmocka_unit_test(digest_binds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
