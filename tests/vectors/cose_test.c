/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: for every public COSE_Sign1 case with ES256 or ES384 our Sig_structure is the published one and the
 * signature verifies, or is refused where the case says so; COSE_Sign (several signers) is no COSE_Sign1.
 */
#include "vectors/lines.h"

#include "crypto/ecdsa.h"
#include "format/cose.h"

static size_t n_good, n_refused, n_other;

static void coordinate(const json_t *key, const char *name, const char *hex_name, struct cof_buf *out)
{
    if (member(key, name) != NULL)
        assert_ok(cof_base64url_decode(cof_view_str(member(key, name)), out));
    else
        assert_ok(cof_hex_decode(cof_view_str(member(key, hex_name)), out));
}

static struct cof_ecdsa_key *load_key(const json_t *key)
{
    struct cof_ecdsa_key *out = NULL;
    struct cof_buf point;

    cof_buf_init(&point, 256);
    cof_buf_add_u8(&point, 4);
    coordinate(key, "x", "x_hex", &point);
    coordinate(key, "y", "y_hex", &point);
    assert_ok(cof_ecdsa_from_point(strcmp(member(key, "crv"), "P-384") == 0 ? COF_P384 : COF_P256,
                                   cof_buf_view(&point), &out));
    cof_buf_done(&point);
    return out;
}

static enum cof_err verify(const struct cof_cose_sign1 *cose, const struct cof_ecdsa_key *key, struct cof_view external,
                           struct cof_buf *tbs)
{
    int64_t alg = cof_ecdsa_curve(key) == COF_P384 ? COF_COSE_ES384 : COF_COSE_ES256;

    cof_cose_add_sig_structure(tbs, cose->protected_header, external, cose->payload);
    if (cose->alg != alg)
        return COF_E_AUTH;
    return cof_ecdsa_verify(key, alg == COF_COSE_ES384 ? COF_SHA384 : COF_SHA256, cof_buf_view(tbs), COF_ECDSA_RAW,
                            cose->signature);
}

/* Whether a byte stands in the unprotected header, which nobody signs: between the protected one and the payload. */
static bool in_unprotected(const struct cof_cose_sign1 *cose, const struct cof_buf *doc, size_t at)
{
    return at >= (size_t)(cose->protected_header.data + cose->protected_header.len - doc->data) && at < (size_t)(cose->payload.data - doc->data);
}

static void sign1_case(const json_t *c, const json_t *vector)
{
    const json_t *sign = json_object_get(json_object_get(vector, "input"), "sign0");
    bool valid = strcmp(member(c, "expect"), "valid") == 0;
    struct cof_ecdsa_key *key = load_key(json_object_get(sign, "key"));
    struct cof_cose_sign1 cose;
    struct cof_buf doc, tbs, external = {0}, expected;
    size_t n_unprotected;
    enum cof_err err;

    (void)hex_member(json_object_get(vector, "output"), "cbor", &doc);
    if (member(sign, "external") != NULL)
        (void)hex_member(sign, "external", &external);
    cof_buf_init(&tbs, 65536);
    err = cof_cose_sign1_parse(cof_buf_view(&doc), 65536, &cose);
    n_unprotected = cose.n_unprotected;
    if (err == COF_OK)
        err = verify(&cose, key, cof_buf_view(&external), &tbs);
    if (valid) {
        if (err != COF_OK)
            fail_msg("%s", member(c, "id"));
        (void)hex_member(json_object_get(vector, "intermediates"), "ToBeSign_hex", &expected);
        assert_true(cof_view_eq(cof_buf_view(&tbs), cof_buf_view(&expected)));
        cof_buf_done(&expected);
        for (size_t cut = 0; cut < doc.len; cut++)
            assert_int_not_equal(cof_cose_sign1_parse(cof_view_sub(cof_buf_view(&doc), 0, cut), 65536, &cose), COF_OK);
        for (size_t bit = 0; bit < 8 * doc.len; bit += 5) {
            doc.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            cof_buf_reset(&tbs);
            if (cof_cose_sign1_parse(cof_buf_view(&doc), 65536, &cose) == COF_OK && cose.n_unprotected == n_unprotected &&
                verify(&cose, key, cof_buf_view(&external), &tbs) == COF_OK && !in_unprotected(&cose, &doc, bit / 8))
                fail_msg("%s: bit %zu", member(c, "id"), bit);
            doc.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        n_good++;
    } else {
        if (err == COF_OK)
            fail_msg("%s was not refused", member(c, "id"));
        n_refused++;
    }
    cof_ecdsa_free(key);
    cof_buf_done(&doc);
    cof_buf_done(&tbs);
    cof_buf_done(&external);
}

static void one_case(json_t *c)
{
    const char *alg = json_string_value(json_array_get(json_object_get(c, "algs"), 0));
    struct cof_cose_sign1 cose;
    struct cof_buf text, doc;
    char name[256];
    json_t *vector;

    (void)snprintf(name, sizeof name, "cose/%s", member(c, "file"));
    assert_true(read_vector(name, &text));
    vector = json_loadb((const char *)text.data, text.len, 0, NULL);
    assert_non_null(vector);
    if (strcmp(member(c, "message"), "COSE_Sign1") != 0) {
        (void)hex_member(json_object_get(vector, "output"), "cbor", &doc);
        assert_int_not_equal(cof_cose_sign1_parse(cof_buf_view(&doc), 65536, &cose), COF_OK);
        cof_buf_done(&doc);
        n_other++;
    } else if (alg != NULL && (strcmp(alg, "ES256") == 0 || strcmp(alg, "ES384") == 0)) {
        sign1_case(c, vector);
    }
    json_decref(vector);
    cof_buf_done(&text);
}

static void every_case(void **state)
{
    if (vectors_dir() == NULL)
        skip();
    n_good = n_refused = n_other = 0;
    (void)each_case("cose/cases.jsonl", one_case);
    assert_true(n_good >= 3);
    assert_true(n_refused >= 4);
    assert_true(n_other >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
