/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: a manifest is believed under the trusted key alone, only as it was signed, only while it is in force; and what its
 * JSON may and may not say (C-10 C-13 C-14 C-15).
 */
#include "testing.h"

#include "engine/attest_manifest.h"
#include "format/cose.h"

#define KEY_ARN "arn:aws:kms:us-east-1:111122223333:key/0c0ffe00-5702-4000-8000-000000000001"
#define ISSUED 1795975200000 /* 2026-11-29T18:00:00Z */

static struct cof_manifest sample(void)
{
    struct cof_manifest m = {.image = "coffer-enclave", .version = "1.4.2", .serial = 7, .issued_ms = ISSUED,
                             .expires_ms = ISSUED + 86400000, .pcr_mask = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 8,
                             .key_arns = {KEY_ARN}, .n_key_arns = 1};

    for (unsigned i = 0; i < 9; i++)
        memset(m.pcrs[i], (int)(0x10 + i), COF_ATTEST_PCR_SIZE);
    return m;
}

static struct cof_ecdsa_key *new_key(enum cof_curve curve, uint64_t seed)
{
    struct cof_ecdsa_key *key;
    TEST_RNG(rng, seed);

    assert_ok(cof_ecdsa_generate(curve, &rng, &key));
    return key;
}

static void what_is_signed_is_read(void **state)
{
    static const enum cof_curve curves[] = {COF_P384, COF_P256};

    for (size_t i = 0; i < 2; i++) {
        struct cof_ecdsa_key *key = new_key(curves[i], 11), *other = new_key(curves[i], 12), *curve = new_key(curves[1 - i], 13);
        struct cof_manifest m = sample(), seen;
        struct cof_attest_pcr pcrs[COF_ATTEST_PCRS];
        struct cof_diag diag = {{0}, {0}};
        struct cof_buf out;

        cof_buf_init(&out, COF_MANIFEST_MAX);
        assert_ok(cof_manifest_sign(&m, key, &out, &diag));
        assert_ok(cof_manifest_verify(cof_buf_view(&out), key, &seen, &diag));
        assert_string_equal(seen.image, "coffer-enclave");
        assert_string_equal(seen.version, "1.4.2");
        assert_int_equal(seen.serial, 7);
        assert_int_equal(seen.issued_ms, m.issued_ms);
        assert_int_equal(seen.expires_ms, m.expires_ms);
        assert_int_equal(cof_manifest_pcrs(&seen, pcrs), 4);
        assert_int_equal(pcrs[3].index, 8);
        assert_memory_equal(pcrs[3].value.data, m.pcrs[8], COF_ATTEST_PCR_SIZE);
        assert_true(cof_manifest_allows_key(&seen, COF_LIT(KEY_ARN)));
        assert_false(cof_manifest_allows_key(&seen, COF_LIT(KEY_ARN "1")));

        assert_int_equal(cof_manifest_verify(cof_buf_view(&out), other, &seen, &diag), COF_E_AUTH);
        assert_int_equal(seen.serial, 0);
        assert_int_equal(cof_manifest_verify(cof_buf_view(&out), curve, &seen, &diag), COF_E_AUTH);
        for (size_t cut = 0; cut < out.len; cut++)
            assert_int_equal(cof_manifest_verify(cof_view_of(out.data, cut), key, &seen, NULL), COF_E_AUTH);
        for (size_t bit = 0; bit < 8 * out.len; bit += 37) {
            out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (cof_manifest_verify(cof_buf_view(&out), key, &seen, NULL) != COF_E_AUTH)
                fail_msg("bit %zu", bit);
            out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        cof_buf_add_u8(&out, 0);
        assert_int_equal(cof_manifest_verify(cof_buf_view(&out), key, &seen, NULL), COF_E_AUTH);
        cof_buf_done(&out);
        cof_ecdsa_free(key);
        cof_ecdsa_free(other);
        cof_ecdsa_free(curve);
    }
}

/* A COSE_Sign1 by the trusted key over other things (an image's signature, a receipt) is no manifest. */
static void what_the_key_signed_for_another_purpose_is_no_manifest(void **state)
{
    struct cof_ecdsa_key *key = new_key(COF_P384, 11);
    struct cof_manifest seen;
    struct cof_diag diag = {{0}, {0}};
    struct cof_buf header, tbs, sig, out;
    struct cof_view payload = COF_LIT("{\"register_index\":0}");

    cof_buf_init(&header, 64);
    cof_buf_init(&tbs, 4096);
    cof_buf_init(&sig, 200);
    cof_buf_init(&out, 4096);
    cof_cose_add_protected(&header, COF_COSE_ES384);
    cof_cose_add_sig_structure(&tbs, cof_buf_view(&header), COF_LIT(""), payload);
    assert_ok(cof_ecdsa_sign(key, COF_SHA384, cof_buf_view(&tbs), COF_ECDSA_RAW, &sig));
    cof_cose_add_sign1(&out, true, cof_buf_view(&header), payload, cof_buf_view(&sig));
    assert_int_equal(cof_manifest_verify(cof_buf_view(&out), key, &seen, &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "format"));
    cof_buf_done(&header);
    cof_buf_done(&tbs);
    cof_buf_done(&sig);
    cof_buf_done(&out);
    cof_ecdsa_free(key);
}

/* An old manifest is signed as well as the newest: its time and its serial number tell. */
static void c10_an_old_manifest_is_not_in_force(void **state)
{
    struct cof_manifest m = sample();
    struct cof_diag diag = {{0}, {0}};

    assert_ok(cof_manifest_in_force(&m, m.issued_ms, "now", &diag));
    assert_ok(cof_manifest_in_force(&m, m.expires_ms - 1, "now", &diag));
    assert_int_equal(cof_manifest_in_force(&m, m.expires_ms, "now", &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "expired at 2026-11-30T18:00:00Z"));
    assert_int_equal(cof_manifest_in_force(&m, m.issued_ms - 1, "now", &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.hint, "clock here may be wrong"));
}

static void nothing_is_signed_that_would_not_be_read(void **state)
{
    struct cof_ecdsa_key *key = new_key(COF_P384, 11), *p521 = new_key(COF_P521, 12), *public_key;
    struct cof_manifest m = sample();
    struct cof_diag diag = {{0}, {0}};
    struct cof_buf out, spki;

    cof_buf_init(&out, COF_MANIFEST_MAX);
    cof_buf_init(&spki, 256);
    assert_ok(cof_ecdsa_spki(key, &spki));
    assert_ok(cof_ecdsa_from_spki(cof_buf_view(&spki), &public_key));
    assert_int_equal(cof_manifest_sign(&m, public_key, &out, &diag), COF_E_USAGE);
    assert_int_equal(cof_manifest_sign(&m, p521, &out, &diag), COF_E_USAGE);
    m.pcr_mask &= ~2u;
    assert_int_equal(cof_manifest_sign(&m, key, &out, &diag), COF_E_USAGE);
    m = sample();
    memset(m.pcrs[0], 0, COF_ATTEST_PCR_SIZE);
    assert_int_equal(cof_manifest_sign(&m, key, &out, &diag), COF_E_USAGE);
    m = sample();
    m.serial = 0;
    assert_int_equal(cof_manifest_sign(&m, key, &out, &diag), COF_E_USAGE);
    m = sample();
    m.expires_ms = m.issued_ms;
    assert_int_equal(cof_manifest_sign(&m, key, &out, &diag), COF_E_USAGE);
    assert_int_equal(out.len, 0);
    cof_buf_done(&out);
    cof_buf_done(&spki);
    cof_ecdsa_free(key);
    cof_ecdsa_free(p521);
    cof_ecdsa_free(public_key);
}

#define HEX96(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define PCRS "\"0\":\"" HEX96("a0") "\",\"1\":\"" HEX96("a1") "\",\"2\":\"" HEX96("a2") "\""
#define HEAD "{\"format\":\"coffer.manifest.v1\",\"image\":\"x\",\"image_version\":\"1\",\"serial\":1,"
#define TIMES "\"issued\":\"2026-11-29T18:00:00Z\",\"expires\":\"2026-12-29T18:00:00Z\","

static void the_json_is_strict(void **state)
{
    static const struct {
        const char *json, *says; /* NULL: it is right */
    } cases[] = {
        {HEAD TIMES "\"pcrs\":{" PCRS "}}", NULL},
        {HEAD TIMES "\"pcrs\":{" PCRS "},\"kms_key_arns\":[\"" KEY_ARN "\"]}", NULL},
        {HEAD TIMES "\"pcrs\":{" PCRS "}} ", NULL},
        {HEAD TIMES "\"pcrs\":{" PCRS "}}x", "JSON"},
        {"[]", "object"},
        {HEAD TIMES "\"pcrs\":{" PCRS "},\"serial\":2}", "duplicate"},
        {HEAD TIMES "\"pcrs\":{" PCRS "},\"debug\":true}", "unknown member \"debug\""},
        {"{\"format\":\"coffer.manifest.v2\",\"pcrs\":{}}", "format"},
        {"{\"image\":\"x\"}", "format"},
        {HEAD TIMES "\"pcrs\":{\"0\":\"" HEX96("a0") "\"}}", "PCR0, PCR1 and PCR2"},
        {HEAD TIMES "\"pcrs\":{" PCRS ",\"0\":\"" HEX96("a1") "\"}}", "duplicate"},
        {HEAD TIMES "\"pcrs\":{" PCRS ",\"32\":\"" HEX96("a1") "\"}}", "0 to 31"},
        {HEAD TIMES "\"pcrs\":{" PCRS ",\"03\":\"" HEX96("a1") "\"}}", "0 to 31"},
        {HEAD TIMES "\"pcrs\":{" PCRS ",\"PCR3\":\"" HEX96("a1") "\"}}", "0 to 31"},
        {HEAD TIMES "\"pcrs\":{" PCRS ",\"3\":\"a1\"}}", "96 hex"},
        {HEAD TIMES "\"pcrs\":{" PCRS ",\"3\":7}}", "96 hex"},
        {HEAD TIMES "\"pcrs\":{" PCRS ",\"3\":\"" HEX96("00") "\"}}", "all zero"},
        {HEAD TIMES "\"pcrs\":[]}", "object"},
        {HEAD TIMES "\"pcrs\":{" PCRS "},\"kms_key_arns\":[]}", "1 to 16"},
        {HEAD TIMES "\"pcrs\":{" PCRS "},\"kms_key_arns\":[\"arn:aws:kms:us-east-1:111122223333:alias/x\"]}", "no full ARN"},
        {HEAD TIMES "\"pcrs\":{" PCRS "},\"kms_key_arns\":[1]}", "no full ARN"},
        {HEAD "\"issued\":\"2026-11-29T18:00:00+00:00\",\"expires\":\"2026-12-29T18:00:00Z\",\"pcrs\":{" PCRS "}}", "issued"},
        {HEAD "\"issued\":\"2026-11-29T18:00:00Z\",\"expires\":\"2026-11-29T18:00:00Z\",\"pcrs\":{" PCRS "}}", "expires before"},
        {"{\"format\":\"coffer.manifest.v1\",\"image\":\"\",\"image_version\":\"1\",\"serial\":1," TIMES "\"pcrs\":{" PCRS "}}", "image"},
        {"{\"format\":\"coffer.manifest.v1\",\"image\":\"a\\nb\",\"image_version\":\"1\",\"serial\":1," TIMES "\"pcrs\":{" PCRS "}}", "printable"},
        {"{\"format\":\"coffer.manifest.v1\",\"image\":\"a\",\"image_version\":\"1\",\"serial\":0," TIMES "\"pcrs\":{" PCRS "}}", "serial"},
        {"{\"format\":\"coffer.manifest.v1\",\"image\":\"a\",\"image_version\":\"1\",\"serial\":\"1\"," TIMES "\"pcrs\":{" PCRS "}}", "serial"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_diag diag = {{0}, {0}};
        struct cof_manifest m;
        enum cof_err err = cof_manifest_parse(cof_view_str(cases[i].json), &m, &diag);

        if ((err == COF_OK) != (cases[i].says == NULL) || (cases[i].says != NULL && strstr(diag.text, cases[i].says) == NULL))
            fail_msg("case %zu: %s (%s)", i, diag.text, cof_err_name(err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_is_read),
        cmocka_unit_test(what_the_key_signed_for_another_purpose_is_no_manifest),
        cmocka_unit_test(c10_an_old_manifest_is_not_in_force),
        cmocka_unit_test(nothing_is_signed_that_would_not_be_read),
        cmocka_unit_test(the_json_is_strict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
