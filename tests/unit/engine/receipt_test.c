/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: a receipt verifies with what was put in, any altered byte of it is refused, a document made for another
 * purpose or key vouches for nothing, and commitments hide what they commit to without the salt.
 */
#include "testing.h"

#include "engine/receipt.h"
#include "format/cbor.h"
#include "format/cose.h"
#include "standin/hypervisor.h"

#define NOW INT64_C(1790000000000)
#define HOUR INT64_C(3600000)

static uint8_t d1[32], d2[32], d3[32], d4[32], d5[32], d6[32], d7[32];

struct fixture {
    uint64_t rng_state;
    struct cof_rng rng;
    struct cof_buf blob, spki, doc;
    struct cof_hv *hv;
    struct cof_hv_enclave *enclave;
    struct cof_ecdsa_key *signer;
    struct cof_receipt receipt;
    struct cof_attest_policy policy;
};

/* An attestation document for the key with this user data. */
static void attest(struct fixture *f, struct cof_view spki, struct cof_view user_data)
{
    struct cof_nsm_request req = {.op = COF_NSM_ATTESTATION,
        .public_key = {spki, true}, .user_data = {user_data, true}};
    struct cof_nsm_response res;
    struct cof_buf in, out;

    cof_buf_init(&in, COF_NSM_REQUEST_MAX);
    cof_buf_init(&out, COF_NSM_RESPONSE_MAX);
    cof_nsm_add_request(&in, &req);
    assert_ok(cof_hv_handle(f->enclave, cof_buf_view(&in), NOW, &out));
    assert_ok(cof_nsm_parse_response(cof_buf_view(&out), &res));
    assert_int_equal(res.op, COF_NSM_ATTESTATION);
    cof_buf_reset(&f->doc);
    cof_buf_add(&f->doc, res.data);
    f->receipt.attestation = cof_buf_view(&f->doc);
    cof_buf_done(&in);
    cof_buf_done(&out);
}

static void fill_receipt(struct cof_receipt *r)
{
    memset(d1, 1, 32);
    memset(d2, 2, 32);
    memset(d3, 3, 32);
    memset(d4, 4, 32);
    memset(d5, 5, 32);
    memset(d6, 6, 32);
    memset(d7, 7, 32);
    *r = (struct cof_receipt){
        .tenant = COF_LIT("acme"),
        .job = COF_LIT("01J9Z"),
        .input = {COF_LIT("bucket"), COF_LIT("jobs/acme/01J9Z"), COF_LIT("v7"), cof_view_of(d1, 32),
            cof_view_of(d2, 32)},
        .output = {COF_LIT("bucket"), COF_LIT("results/acme/01J9Z"), COF_LIT("application/json"),
            cof_view_of(d3, 32), cof_view_of(d4, 32)},
        .processor_sha256 = cof_view_of(d5, 32),
        .model_sha256 = cof_view_of(d6, 32),
        .config_sha256 = cof_view_of(d7, 32),
        .started_ms = NOW + 1000,
        .finished_ms = NOW + 2500,
        .data_key_arn = COF_LIT("arn:aws:kms:eu-west-1:111122223333:key/1"),
        .results_key_arn = COF_LIT("arn:aws:kms:eu-west-1:111122223333:key/2"),
    };
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct cof_view ramdisk = COF_LIT("init");
    struct cof_hv_launch launch = {.image = {COF_LIT("kernel"), COF_LIT("cmdline"), &ramdisk, 1, COF_LIT("")}};
    uint8_t user_data[32];

    assert_non_null(f);
    f->rng_state = 99;
    f->rng = (struct cof_rng){test_rng_fill, &f->rng_state};
    cof_buf_init_secret(&f->blob, 4096);
    cof_buf_init(&f->spki, 512);
    cof_buf_init(&f->doc, COF_ATTEST_DOC_MAX);
    assert_ok(cof_hv_make_root(&f->rng, NOW, &f->blob));
    assert_ok(cof_hv_new(cof_buf_view(&f->blob), "eu-west-1", &f->rng, &f->hv));
    assert_ok(cof_hv_launch(f->hv, &launch, NOW, &f->enclave));
    assert_ok(cof_ecdsa_generate(COF_P256, &f->rng, &f->signer));
    assert_ok(cof_ecdsa_spki(f->signer, &f->spki));
    assert_ok(cof_receipt_user_data(cof_buf_view(&f->spki), user_data));
    fill_receipt(&f->receipt);
    attest(f, cof_buf_view(&f->spki), cof_view_of(user_data, 32));
    f->policy = (struct cof_attest_policy){.root_der = cof_hv_root(f->hv), .any_image = true};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    cof_ecdsa_free(f->signer);
    cof_hv_enclave_free(f->enclave);
    cof_hv_free(f->hv);
    cof_buf_done(&f->blob);
    cof_buf_done(&f->spki);
    cof_buf_done(&f->doc);
    free(f);
    return 0;
}

static void build(struct fixture *f, struct cof_buf *out)
{
    cof_buf_init(out, COF_RECEIPT_MAX);
    assert_ok(cof_receipt_build(&f->receipt, f->signer, out));
}

static enum cof_err verify(struct fixture *f, struct cof_view doc, struct cof_diag *diag)
{
    struct cof_receipt r;
    struct cof_attest a;

    *diag = (struct cof_diag){{0}, {0}};
    return cof_receipt_verify(doc, &f->policy, &r, &a, diag);
}

static void what_goes_in_comes_out(void **state)
{
    struct fixture *f = *state;
    struct cof_receipt r;
    struct cof_attest a;
    struct cof_diag diag = {{0}, {0}};
    struct cof_buf out;

    for (int i = 0; i < 2; i++) { /* with and without what is optional */
        build(f, &out);
        if (cof_receipt_verify(cof_buf_view(&out), &f->policy, &r, &a, &diag) != COF_OK)
            fail_msg("%s", diag.text);
        assert_true(cof_view_eq_str(r.tenant, "acme"));
        assert_true(cof_view_eq_str(r.job, "01J9Z"));
        assert_true(cof_view_eq(r.input.version_id, f->receipt.input.version_id));
        assert_true(cof_view_eq(r.input.sealed_sha256, cof_view_of(d1, 32)));
        assert_true(cof_view_eq(r.input.commitment, cof_view_of(d2, 32)));
        assert_true(cof_view_eq_str(r.output.media_type, "application/json"));
        assert_true(cof_view_eq(r.output.commitment, cof_view_of(d4, 32)));
        assert_true(cof_view_eq(r.model_sha256, f->receipt.model_sha256));
        assert_int_equal(r.finished_ms, NOW + 2500);
        assert_true(cof_view_eq(a.doc.public_key.bytes, cof_buf_view(&f->spki)));
        f->receipt.input.version_id = COF_LIT("");
        f->receipt.model_sha256 = COF_LIT("");
        cof_buf_done(&out);
    }
}

static void every_altered_byte_is_refused(void **state)
{
    struct fixture *f = *state;
    struct cof_diag diag;
    struct cof_buf out;
    size_t doc_at;

    build(f, &out);
    doc_at = (size_t)((uint8_t *)memmem(out.data, out.len, f->doc.data, f->doc.len) - out.data);
    for (size_t i = 0; i < out.len; i++) {
        /* Inside the attestation document, which has its own such test, every eleventh will do. */
        if (i > doc_at + 16 && i < doc_at + f->doc.len && i % 11 != 0)
            continue;
        out.data[i] ^= (uint8_t)(1u << i % 8);
        if (verify(f, cof_buf_view(&out), &diag) != COF_E_AUTH)
            fail_msg("byte %zu of %zu", i, out.len);
        out.data[i] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t cut = 0; cut < out.len; cut += 23)
        assert_int_equal(verify(f, cof_view_sub(cof_buf_view(&out), 0, cut), &diag), COF_E_AUTH);
    assert_ok(verify(f, cof_buf_view(&out), &diag));
    cof_buf_add_u8(&out, 0);
    assert_int_equal(verify(f, cof_buf_view(&out), &diag), COF_E_AUTH);
    cof_buf_done(&out);
}

/* Puts another field value under the old signature: the payload is well formed and canonical, so that only the
 * signature can tell. */
static void splice(struct fixture *f, const struct cof_receipt *altered, struct cof_view signature, struct cof_buf *out)
{
    struct cof_receipt kept = f->receipt;
    struct cof_cose_sign1 cose;
    struct cof_buf whole;

    f->receipt = *altered;
    build(f, &whole);
    f->receipt = kept;
    assert_ok(cof_cose_sign1_parse(cof_buf_view(&whole), COF_RECEIPT_MAX, &cose));
    cof_buf_init(out, COF_RECEIPT_MAX);
    cof_cose_add_sign1(out, true, cose.protected_header, cose.payload, signature);
    cof_buf_done(&whole);
}

static void every_altered_field_is_refused(void **state)
{
    struct fixture *f = *state;
    struct cof_receipt cases[20];
    struct cof_cose_sign1 cose;
    struct cof_buf good;
    struct cof_view text = COF_LIT("other"), digest;
    uint8_t other[32] = {0xee};
    size_t n = 0;

    digest = cof_view_of(other, 32);
    for (size_t i = 0; i < 20; i++)
        cases[i] = f->receipt;
    cases[n++].tenant = text;
    cases[n++].job = text;
    cases[n++].input.bucket = text;
    cases[n++].input.key = text;
    cases[n++].input.version_id = text;
    cases[n++].input.version_id = COF_LIT("");
    cases[n++].input.sealed_sha256 = digest;
    cases[n++].input.commitment = digest;
    cases[n++].output.bucket = text;
    cases[n++].output.key = text;
    cases[n++].output.media_type = text;
    cases[n++].output.sealed_sha256 = digest;
    cases[n++].output.commitment = digest;
    cases[n++].processor_sha256 = digest;
    cases[n++].model_sha256 = COF_LIT("");
    cases[n++].config_sha256 = digest;
    cases[n++].started_ms++;
    cases[n++].finished_ms++;
    cases[n++].data_key_arn = text;
    cases[n++].results_key_arn = text;
    assert_int_equal(n, 20);
    build(f, &good);
    assert_ok(cof_cose_sign1_parse(cof_buf_view(&good), COF_RECEIPT_MAX, &cose));
    for (size_t i = 0; i < n; i++) {
        struct cof_diag diag;
        struct cof_buf out;

        splice(f, &cases[i], cose.signature, &out);
        assert_int_equal(verify(f, cof_buf_view(&out), &diag), COF_E_AUTH);
        assert_string_equal(diag.text, "the receipt's signature is wrong");
        cof_buf_done(&out);
    }
    cof_buf_done(&good);
}

static void only_a_document_for_this_use_vouches(void **state)
{
    struct fixture *f = *state;
    struct cof_ecdsa_key *other = NULL;
    struct cof_diag diag;
    struct cof_buf out, spki;
    uint8_t user_data[32];

    attest(f, cof_buf_view(&f->spki), COF_LIT("some other purpose"));
    build(f, &out);
    assert_int_equal(verify(f, cof_buf_view(&out), &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "another purpose"));
    cof_buf_done(&out);

    /* another key's document, and a key that is not P-256 */
    for (enum cof_curve curve = COF_P256; curve <= COF_P384; curve++) {
        cof_buf_init(&spki, 512);
        assert_ok(cof_ecdsa_generate(curve, &f->rng, &other));
        assert_ok(cof_ecdsa_spki(other, &spki));
        assert_ok(cof_receipt_user_data(cof_buf_view(&spki), user_data));
        attest(f, cof_buf_view(&spki), cof_view_of(user_data, 32));
        build(f, &out);
        assert_int_equal(verify(f, cof_buf_view(&out), &diag), COF_E_AUTH);
        assert_non_null(strstr(diag.text, curve == COF_P256 ? "signature" : "no P-256"));
        cof_buf_done(&out);
        cof_buf_done(&spki);
        cof_ecdsa_free(other);
    }
}

static void work_must_end_while_the_certificate_lives(void **state)
{
    struct fixture *f = *state;
    struct cof_diag diag;
    struct cof_buf out;

    f->receipt.finished_ms = NOW + 3 * HOUR;
    build(f, &out);
    assert_ok(verify(f, cof_buf_view(&out), &diag));
    cof_buf_done(&out);
    f->receipt.finished_ms = NOW + 3 * HOUR + 1000;
    build(f, &out);
    assert_int_equal(verify(f, cof_buf_view(&out), &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "expired"));
    cof_buf_done(&out);
    f->receipt.started_ms = f->receipt.finished_ms = NOW - HOUR;
    build(f, &out);
    assert_int_equal(verify(f, cof_buf_view(&out), &diag), COF_E_AUTH);
    cof_buf_done(&out);
}

static void the_policy_counts(void **state)
{
    struct fixture *f = *state;
    static const uint8_t wrong[48] = {1};
    struct cof_attest_pcr pcr = {0, cof_view_of(wrong, 48)};
    struct cof_diag diag;
    struct cof_buf out;

    build(f, &out);
    f->policy.any_image = false;
    assert_int_equal(verify(f, cof_buf_view(&out), &diag), COF_E_USAGE);
    f->policy.pcrs = &pcr;
    f->policy.n_pcrs = 1;
    assert_int_equal(verify(f, cof_buf_view(&out), &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "PCR0"));
    cof_buf_done(&out);
}

static void incomplete_receipts_are_not_built(void **state)
{
    struct fixture *f = *state;
    struct cof_buf out;

    cof_buf_init(&out, COF_RECEIPT_MAX);
    f->receipt.config_sha256 = COF_LIT("");
    assert_int_equal(cof_receipt_build(&f->receipt, f->signer, &out), COF_E_USAGE);
    fill_receipt(&f->receipt);
    assert_int_equal(cof_receipt_build(&f->receipt, f->signer, &out), COF_E_USAGE); /* no attestation */
    assert_int_equal(out.len, 0);
    cof_buf_done(&out);
}

static void commitments_need_the_salt(void **state)
{
    uint8_t commitment[32], salt[32] = {1}, wrong[32] = {2}, digest[32] = {3}, other[32] = {4};

    assert_ok(cof_receipt_commit(cof_view_of(salt, 32), cof_view_of(digest, 32), commitment));
    assert_ok(
        cof_receipt_check_commitment(cof_view_of(commitment, 32), cof_view_of(salt, 32), cof_view_of(digest, 32)));
    assert_int_equal(
        cof_receipt_check_commitment(cof_view_of(commitment, 32), cof_view_of(wrong, 32), cof_view_of(digest, 32)),
        COF_E_AUTH);
    assert_int_equal(
        cof_receipt_check_commitment(cof_view_of(commitment, 32), cof_view_of(salt, 32), cof_view_of(other, 32)),
        COF_E_AUTH);
    assert_int_equal(cof_receipt_commit(COF_LIT("short"), cof_view_of(digest, 32), commitment), COF_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_goes_in_comes_out, setup, teardown),
        cmocka_unit_test_setup_teardown(every_altered_byte_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(every_altered_field_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(only_a_document_for_this_use_vouches, setup, teardown),
        cmocka_unit_test_setup_teardown(work_must_end_while_the_certificate_lives, setup, teardown),
        cmocka_unit_test_setup_teardown(the_policy_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(incomplete_receipts_are_not_built, setup, teardown),
        cmocka_unit_test(commitments_need_the_salt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
