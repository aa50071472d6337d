/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: a simulated enclave's document verifies under the simulated root and under no other, carries what was asked
 * and measured, and the NSM's refusals bear AWS's names. C-13 C-15 C-17 C-18
 */
#include "testing.h"

#include "crypto/hash.h"
#include "engine/attest_verify.h"
#include "standin/hypervisor.h"

#define NOW INT64_C(1790000000123)
#define HOUR INT64_C(3600000)
#define ROLE "arn:aws:iam::123456789012:role/Webserver"

struct fixture {
    uint64_t rng_state;
    struct cof_rng rng;
    struct cof_buf blob;
    struct cof_hv *hv;
    struct cof_hv_enclave *enclave;
};

static void launch(struct fixture *f, bool debug)
{
    struct cof_view ramdisks[2] = {COF_LIT("init"), COF_LIT("application")};
    struct cof_hv_launch what = {.image = {COF_LIT("kernel"), COF_LIT("cmdline"), ramdisks, 2, COF_LIT("")},
        .role_arn = ROLE, .instance_id = "i-0123456789abcdef0", .debug = debug};

    cof_hv_enclave_free(f->enclave);
    assert_ok(cof_hv_launch(f->hv, &what, NOW, &f->enclave));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->rng_state = 7;
    f->rng = (struct cof_rng){test_rng_fill, &f->rng_state};
    cof_buf_init_secret(&f->blob, 4096);
    assert_ok(cof_hv_make_root(&f->rng, NOW - HOUR, &f->blob));
    assert_ok(cof_hv_new(cof_buf_view(&f->blob), "eu-west-1", &f->rng, &f->hv));
    launch(f, false);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    cof_hv_enclave_free(f->enclave);
    cof_hv_free(f->hv);
    cof_buf_done(&f->blob);
    free(f);
    return 0;
}

/* Asks and parses; the response's views live in out. */
static struct cof_nsm_response ask(struct fixture *f, const struct cof_nsm_request *req, int64_t now_ms,
                                   struct cof_buf *out)
{
    struct cof_nsm_response res;
    struct cof_buf in;

    cof_buf_init(&in, COF_NSM_REQUEST_MAX);
    cof_buf_init(out, COF_NSM_RESPONSE_MAX);
    cof_nsm_add_request(&in, req);
    assert_ok(cof_hv_handle(f->enclave, cof_buf_view(&in), now_ms, out));
    assert_ok(cof_nsm_parse_response(cof_buf_view(out), &res));
    cof_buf_done(&in);
    return res;
}

static struct cof_nsm_response attest(struct fixture *f, int64_t now_ms, struct cof_buf *out)
{
    struct cof_nsm_request req = {.op = COF_NSM_ATTESTATION,
        .nonce = {COF_LIT("nonce of sixteen"), true},
        .public_key = {COF_LIT("a public key"), true}};
    struct cof_nsm_response res = ask(f, &req, now_ms, out);

    assert_int_equal(res.op, COF_NSM_ATTESTATION);
    return res;
}

static struct cof_image_pcrs expected_pcrs(void)
{
    struct cof_view ramdisks[2] = {COF_LIT("init"), COF_LIT("application")};
    struct cof_image_parts parts = {COF_LIT("kernel"), COF_LIT("cmdline"), ramdisks, 2, COF_LIT("")};
    struct cof_image_pcrs pcrs;

    assert_ok(cof_measure_image(&parts, &pcrs));
    return pcrs;
}

static void a_document_verifies_under_its_own_root_only(void **state)
{
    struct fixture *f = *state;
    struct cof_image_pcrs image = expected_pcrs();
    struct cof_attest_pcr pcrs[] = {{0, cof_view_of(image.pcr0, 48)}, {1, cof_view_of(image.pcr1, 48)},
        {2, cof_view_of(image.pcr2, 48)}};
    struct cof_view nonce = COF_LIT("nonce of sixteen"), other = COF_LIT("nonce of sixteeN");
    struct cof_view key = COF_LIT("a public key");
    struct cof_attest_policy policy = {.root_der = cof_hv_root(f->hv), .now_ms = NOW + 1000, .pcrs = pcrs, .n_pcrs = 3,
        .nonce = &nonce, .public_key = &key};
    struct cof_attest attest_out;
    struct cof_diag diag = {{0}, {0}};
    struct cof_buf out;
    struct cof_view doc = attest(f, NOW, &out).data;

    if (cof_attest_verify(doc, &policy, &attest_out, &diag) != COF_OK)
        fail_msg("%s", diag.text);
    assert_int_equal(attest_out.doc.timestamp_ms, NOW);
    assert_int_equal(attest_out.doc.pcr_mask, 0xffff);
    assert_false(attest_out.debug);
    assert_int_equal(attest_out.life.leaf_to_ms - attest_out.life.leaf_from_ms, 3 * HOUR + 3999);
    assert_int_equal(attest_out.doc.n_cabundle, 4);

    policy.nonce = &other;
    assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "nonce"));
    other = COF_LIT("nonce of fiftee");
    assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag), COF_E_USAGE);
    policy.nonce = &nonce;
    policy.user_data = &nonce;
    assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "no user data"));
    policy.user_data = NULL;
    pcrs[2].index = 5;
    assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "PCR5"));
    pcrs[2].index = 16;
    assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "no PCR16"));
    pcrs[2].index = 2;
    policy.root_der = COF_LIT("");
    assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "pinned root"));
    cof_buf_done(&out);
}

static void a_live_document_must_be_fresh(void **state)
{
    struct fixture *f = *state;
    struct cof_attest_policy policy = {.root_der = cof_hv_root(f->hv), .any_image = true};
    struct cof_attest attest_out;
    struct cof_diag diag = {{0}, {0}};
    struct cof_buf out;
    struct cof_view doc = attest(f, NOW, &out).data;
    static const struct {
        int64_t at;
        const char *word; /* NULL: accepted */
    } cases[] = {{NOW, NULL}, {NOW + COF_ATTEST_MAX_AGE_MS, NULL}, {NOW - 25000, NULL},
        {NOW + COF_ATTEST_MAX_AGE_MS + COF_ATTEST_LEEWAY_MS + 1, "old"}, {NOW - COF_ATTEST_LEEWAY_MS - 1, "future"},
        {NOW - HOUR, "begin"}, {NOW + 4 * HOUR, "expired"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        policy.now_ms = cases[i].at;
        assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag),
                         cases[i].word == NULL ? COF_OK : COF_E_AUTH);
        if (cases[i].word != NULL)
            assert_non_null(strstr(diag.text, cases[i].word));
    }
    policy.mode = COF_ATTEST_ARCHIVE;
    assert_ok(cof_attest_verify(doc, &policy, &attest_out, &diag));
    policy.at_given = true;
    policy.at_ms = NOW + 4 * HOUR;
    assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag), COF_E_AUTH);
    cof_buf_done(&out);
}

static void debug_enclaves_are_refused(void **state)
{
    struct fixture *f = *state;
    static const uint8_t zeros[48] = {0};
    struct cof_attest_pcr pcr = {0, cof_view_of(zeros, 48)};
    struct cof_attest_policy policy = {.root_der = cof_hv_root(f->hv), .now_ms = NOW, .any_image = true};
    struct cof_attest attest_out;
    struct cof_diag diag = {{0}, {0}};
    struct cof_buf out;
    struct cof_view doc;

    launch(f, true);
    doc = attest(f, NOW, &out).data;
    assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "debug"));
    policy.pcrs = &pcr;
    policy.n_pcrs = 1;
    assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag), COF_E_USAGE);
    policy.allow_debug = true;
    assert_ok(cof_attest_verify(doc, &policy, &attest_out, &diag));
    assert_true(attest_out.debug);
    cof_buf_done(&out);
}

static void certificates_are_renewed_before_they_end(void **state)
{
    struct fixture *f = *state;
    struct cof_attest_policy policy = {.root_der = cof_hv_root(f->hv), .any_image = true};

    for (int64_t at = NOW; at < NOW + 40 * 24 * HOUR; at += 3 * HOUR - 7 * 60000) {
        struct cof_attest attest_out;
        struct cof_diag diag = {{0}, {0}};
        struct cof_buf out;

        policy.now_ms = at;
        if (cof_attest_verify(attest(f, at, &out).data, &policy, &attest_out, &diag) != COF_OK)
            fail_msg("after %lld h: %s", (long long)((at - NOW) / HOUR), diag.text);
        assert_true(attest_out.life.chain_to_ms - at >= 14 * 60000);
        cof_buf_done(&out);
    }
}

static void registers_extend_and_lock(void **state)
{
    struct fixture *f = *state;
    struct cof_nsm_request extend = {.op = COF_NSM_EXTEND_PCR, .index = 16, .data = COF_LIT("model")};
    struct cof_nsm_request describe = {.op = COF_NSM_DESCRIBE_PCR, .index = 16};
    struct cof_nsm_request lock = {.op = COF_NSM_LOCK_PCR, .index = 16};
    uint8_t zeros[48] = {0}, expected[48];
    struct cof_nsm_response res;
    struct cof_buf out;

    assert_ok(cof_measure_extend(zeros, COF_LIT("model"), expected));
    res = ask(f, &extend, NOW, &out);
    assert_true(cof_view_eq(res.data, cof_view_of(expected, 48)));
    cof_buf_done(&out);
    res = ask(f, &describe, NOW, &out);
    assert_false(res.lock);
    assert_true(cof_view_eq(res.data, cof_view_of(expected, 48)));
    cof_buf_done(&out);
    assert_int_equal(ask(f, &lock, NOW, &out).op, COF_NSM_LOCK_PCR);
    cof_buf_done(&out);
    assert_int_equal(ask(f, &extend, NOW, &out).error, COF_NSM_READ_ONLY_INDEX);
    cof_buf_done(&out);
    extend.index = 0;
    assert_int_equal(ask(f, &extend, NOW, &out).error, COF_NSM_READ_ONLY_INDEX);
    cof_buf_done(&out);
    extend.index = 32;
    assert_int_equal(ask(f, &extend, NOW, &out).error, COF_NSM_INVALID_INDEX);
    cof_buf_done(&out);
    lock = (struct cof_nsm_request){.op = COF_NSM_LOCK_PCRS, .index = 20};
    assert_int_equal(ask(f, &lock, NOW, &out).op, COF_NSM_LOCK_PCRS);
    cof_buf_done(&out);
    res = ask(f, &(struct cof_nsm_request){.op = COF_NSM_DESCRIBE_NSM}, NOW, &out);
    assert_int_equal(res.locked_pcrs, 0xfffff);
    assert_int_equal(res.max_pcrs, 32);
    assert_true(cof_view_eq_str(res.digest, "SHA384"));
    assert_non_null(memmem(res.module_id.data, res.module_id.len, "simulated", 9));
    cof_buf_done(&out);
    res = ask(f, &(struct cof_nsm_request){.op = COF_NSM_GET_RANDOM}, NOW, &out);
    assert_int_equal(res.data.len, 256);
    cof_buf_done(&out);
}

static void bad_requests_get_error_names(void **state)
{
    struct fixture *f = *state;
    static uint8_t big[COF_NSM_REQUEST_MAX + 1];
    struct cof_nsm_request req = {.op = COF_NSM_ATTESTATION, .user_data = {cof_view_of(big, 513), true}};
    struct cof_buf out;

    assert_int_equal(ask(f, &req, NOW, &out).error, COF_NSM_INVALID_ARGUMENT);
    cof_buf_done(&out);
    cof_buf_init(&out, 64);
    assert_ok(cof_hv_handle(f->enclave, COF_LIT("\xff"), NOW, &out));
    assert_true(cof_view_eq(cof_buf_view(&out), COF_LIT("\xa1\x65" "Error\x70" "InvalidOperation")));
    cof_buf_reset(&out);
    assert_ok(cof_hv_handle(f->enclave, cof_view_of(big, sizeof big), NOW, &out));
    assert_true(cof_view_eq(cof_buf_view(&out), COF_LIT("\xa1\x65" "Error\x6d" "InputTooLarge")));
    cof_buf_done(&out);
}

static void a_role_measures_as_aws_documents(void **state)
{
    struct fixture *f = *state;
    struct cof_nsm_request describe = {.op = COF_NSM_DESCRIBE_PCR, .index = 3};
    struct cof_buf out;
    char hex[97];

    cof_hex_encode(ask(f, &describe, NOW, &out).data.data, 48, hex);
    assert_string_equal(hex, "78fce75db17cd4e0a3fb8dad3ad128ca5e77edbb2b2c7f75329dccd99aa5f6ef"
                             "4fc1f1a452e315b9e98f9e312e6921e6");
    cof_buf_done(&out);
}

/* With a cache the second document of an enclave skips the chain, the same document also its signature, and nothing else:
 * times, measurements and contents are judged as before, and with one bit changed it is another document. C-10 C-17 */
static void the_cache_changes_no_verdict(void **state)
{
    struct fixture *f = *state;
    struct cof_attest_policy policy = {.root_der = cof_hv_root(f->hv), .now_ms = NOW, .any_image = true};
    struct cof_attest attest_out;
    struct cof_diag diag = {{0}, {0}};
    struct cof_buf out, later, copy;
    struct cof_attest_pcr pcr;
    static const uint8_t other[48] = {9};
    struct cof_view doc = attest(f, NOW, &out).data, second = attest(f, NOW + 60000, &later).data;

    assert_ok(cof_attest_cache_new(&policy.cache));
    assert_ok(cof_attest_verify(doc, &policy, &attest_out, &diag));
    policy.now_ms = NOW + 60000;
    assert_ok(cof_attest_verify(second, &policy, &attest_out, &diag));
    assert_int_equal(attest_out.life.leaf_to_ms - attest_out.life.leaf_from_ms, 3 * HOUR + 3999);
    policy.now_ms = NOW + 4 * HOUR;
    assert_int_equal(cof_attest_verify(second, &policy, &attest_out, &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "expired"));
    policy.now_ms = NOW;
    cof_buf_init(&copy, doc.len);
    cof_buf_add(&copy, doc);
    for (size_t bit = 0; bit < 8 * doc.len; bit += 397) {
        copy.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (cof_attest_verify(cof_buf_view(&copy), &policy, &attest_out, NULL) != COF_E_AUTH)
            fail_msg("bit %zu", bit);
        copy.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_ok(cof_attest_verify(doc, &policy, &attest_out, &diag));
    policy.now_ms = NOW + COF_ATTEST_MAX_AGE_MS + COF_ATTEST_LEEWAY_MS;
    assert_ok(cof_attest_verify(doc, &policy, &attest_out, &diag));
    policy.now_ms++; /* known, and too old now */
    assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "old"));
    policy.now_ms = NOW;
    assert_ok(cof_attest_verify(doc, &policy, &attest_out, &diag));
    pcr = (struct cof_attest_pcr){0, attest_out.doc.pcrs[0]};
    policy.pcrs = &pcr;
    policy.n_pcrs = 1;
    assert_ok(cof_attest_verify(doc, &policy, &attest_out, &diag));
    pcr.value = cof_view_of(other, sizeof other);
    assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "PCR0"));
    policy.n_pcrs = 0;
    policy.user_data = &pcr.value;
    assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag), COF_E_AUTH);
    policy.user_data = NULL;
    policy.root_der = COF_LIT("");
    assert_int_equal(cof_attest_verify(doc, &policy, &attest_out, &diag), COF_E_AUTH);
    cof_attest_cache_free(policy.cache);
    cof_buf_done(&copy);
    cof_buf_done(&out);
    cof_buf_done(&later);
}

/* One good document: cut at every byte and with sampled bits flipped, nothing may pass (style rule 30). */
static void no_cut_or_flipped_document_passes(void **state)
{
    struct fixture *f = *state;
    struct cof_attest_policy policy = {.root_der = cof_hv_root(f->hv), .now_ms = NOW, .any_image = true};
    struct cof_attest attest_out;
    struct cof_buf out, copy;
    struct cof_view doc = attest(f, NOW, &out).data;

    for (size_t cut = 0; cut < doc.len; cut++)
        assert_int_equal(cof_attest_verify(cof_view_sub(doc, 0, cut), &policy, &attest_out, NULL), COF_E_AUTH);
    cof_buf_init(&copy, doc.len);
    cof_buf_add(&copy, doc);
    for (size_t bit = 0; bit < 8 * doc.len; bit += 61) {
        copy.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (cof_attest_verify(cof_buf_view(&copy), &policy, &attest_out, NULL) != COF_E_AUTH)
            fail_msg("bit %zu", bit);
        copy.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_ok(cof_attest_verify(cof_buf_view(&copy), &policy, &attest_out, NULL));
    cof_buf_done(&copy);
    cof_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_document_verifies_under_its_own_root_only, setup, teardown),
        cmocka_unit_test_setup_teardown(a_live_document_must_be_fresh, setup, teardown),
        cmocka_unit_test_setup_teardown(debug_enclaves_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(certificates_are_renewed_before_they_end, setup, teardown),
        cmocka_unit_test_setup_teardown(registers_extend_and_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_requests_get_error_names, setup, teardown),
        cmocka_unit_test_setup_teardown(a_role_measures_as_aws_documents, setup, teardown),
        cmocka_unit_test_setup_teardown(the_cache_changes_no_verdict, setup, teardown),
        cmocka_unit_test_setup_teardown(no_cut_or_flipped_document_passes, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
