/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: every captured AWS enclave document verifies at its own time with the fields its case names, NitroTPM
 * documents and the one with a wrong signature are refused, and so is every edited or mistimed document. C-17 C-18
 */
#include "vectors/lines.h"

#include "crypto/hash.h"
#include "engine/attest_verify.h"

static struct cof_attest_policy archive_at(int64_t at_ms)
{
    return (struct cof_attest_policy){
        .mode = COF_ATTEST_ARCHIVE, .any_image = true, .allow_debug = true, .at_given = true, .at_ms = at_ms};
}

static int64_t when(const json_t *c)
{
    return (int64_t)json_number_value(json_object_get(c, "verify_at_ms"));
}

static void load_doc(const char *id, struct cof_buf *out)
{
    char name[256];

    (void)snprintf(name, sizeof name, "attestation/docs/%s.cbor", id);
    assert_true(read_vector(name, out));
}

static void same_field(const json_t *c, const char *name, const struct cof_attest_field *field)
{
    struct cof_buf expected;

    if (member(c, name) == NULL) {
        assert_false(field->present);
        return;
    }
    assert_true(field->present);
    assert_true(cof_view_eq(field->bytes, hex_member(c, name, &expected)));
    cof_buf_done(&expected);
}

static void same_pcrs(const json_t *c, const struct cof_attest_doc *doc)
{
    const json_t *pcrs = json_object_get(c, "pcrs");

    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++) {
        char index[16];
        struct cof_buf expected;

        (void)snprintf(index, sizeof index, "%u", i);
        if (member(pcrs, index) == NULL) {
            assert_true((doc->pcr_mask >> i & 1) == 0 || cof_attest_doc_pcr_is_zero(doc, i));
            continue;
        }
        assert_true(cof_view_eq(doc->pcrs[i], hex_member(pcrs, index, &expected)));
        cof_buf_done(&expected);
    }
}

/* A good document must round-trip through our encoder when it is in the definite form. */
static void reencodes(const json_t *c, const struct cof_attest_doc *doc)
{
    struct cof_attest_doc again;
    struct cof_buf payload;

    cof_buf_init(&payload, COF_ATTEST_PAYLOAD_MAX);
    cof_attest_doc_add(&payload, doc);
    assert_ok(cof_attest_doc_parse(cof_buf_view(&payload), &again, NULL));
    assert_int_equal(again.pcr_mask, doc->pcr_mask);
    assert_true(cof_view_eq(again.module_id, doc->module_id));
    assert_true(cof_view_eq(again.certificate, doc->certificate));
    assert_int_equal(again.n_cabundle, doc->n_cabundle);
    cof_buf_done(&payload);
}

static size_t n_good;

static void one_case(json_t *c)
{
    struct cof_attest_policy policy = archive_at(when(c));
    bool enclave = strcmp(member(c, "kind"), "enclave") == 0;
    bool valid = enclave && strcmp(member(c, "expect"), "valid") == 0;
    struct cof_attest attest;
    struct cof_diag diag = {{0}, {0}};
    struct cof_buf doc;

    load_doc(member(c, "id"), &doc);
    if (!valid) {
        assert_int_equal(cof_attest_verify(cof_buf_view(&doc), &policy, &attest, &diag), COF_E_AUTH);
        assert_non_null(strstr(diag.text, enclave ? "signature" : "NitroTPM"));
        cof_buf_done(&doc);
        return;
    }
    if (cof_attest_verify(cof_buf_view(&doc), &policy, &attest, &diag) != COF_OK)
        fail_msg("%s: %s", member(c, "id"), diag.text);
    assert_int_equal(attest.doc.timestamp_ms, when(c));
    assert_true(cof_view_eq_str(attest.doc.module_id, member(c, "module_id")));
    assert_int_equal(attest.debug, json_is_true(json_object_get(c, "debug_mode")));
    same_pcrs(c, &attest.doc);
    same_field(c, "public_key", &attest.doc.public_key);
    same_field(c, "user_data", &attest.doc.user_data);
    same_field(c, "nonce", &attest.doc.nonce);
    reencodes(c, &attest.doc);
    /* The default policy refuses an enclave in debug mode (C-13), and one that names no image refuses all. */
    policy.allow_debug = false;
    assert_int_equal(cof_attest_verify(cof_buf_view(&doc), &policy, &attest, &diag),
                     json_is_true(json_object_get(c, "debug_mode")) ? COF_E_AUTH : COF_OK);
    policy.any_image = false;
    assert_int_equal(cof_attest_verify(cof_buf_view(&doc), &policy, &attest, &diag), COF_E_USAGE);
    n_good++;
    cof_buf_done(&doc);
}

static void captured_documents(void **state)
{
    if (vectors_dir() == NULL)
        skip();
    n_good = 0;
    assert_true(each_case("attestation/cases.jsonl", one_case) >= 20);
    assert_true(n_good >= 15);
}

static size_t offset_of(const json_t *edit, const char *name)
{
    return (size_t)json_number_value(json_object_get(edit, name));
}

/* The edit language of the vectors' README. */
static void apply(const json_t *edit, struct cof_view base, struct cof_buf *out)
{
    const char *op = member(edit, "op");
    struct cof_buf hex = {0};
    size_t from = base.len, to = base.len;

    if (op == NULL) {
        cof_buf_add(out, base);
        return;
    }
    if (member(edit, "hex") != NULL)
        (void)hex_member(edit, "hex", &hex);
    if (strcmp(op, "xor") == 0) {
        cof_buf_add(out, base);
        out->data[offset_of(edit, "offset")] ^= (uint8_t)offset_of(edit, "mask");
        return;
    }
    if (strcmp(op, "swap") == 0) {
        const json_t *a = json_object_get(edit, "a"), *b = json_object_get(edit, "b");
        size_t s = (size_t)json_number_value(json_array_get(a, 0)), m = (size_t)json_number_value(json_array_get(b, 0));
        size_t e = (size_t)json_number_value(json_array_get(b, 1));

        cof_buf_add(out, cof_view_sub(base, 0, s));
        cof_buf_add(out, cof_view_sub(base, m, e - m));
        cof_buf_add(out, cof_view_sub(base, s, m - s));
        cof_buf_add(out, cof_view_sub(base, e, SIZE_MAX));
        return;
    }
    if (strcmp(op, "replace") == 0 || strcmp(op, "insert") == 0) {
        from = offset_of(edit, "offset");
        to = from + (op[0] == 'r' ? hex.len : 0);
    } else if (strcmp(op, "truncate") == 0) {
        from = offset_of(edit, "length");
    } else if (strcmp(op, "cut") == 0 || strcmp(op, "cutreplace") == 0) {
        from = offset_of(edit, "start");
        to = offset_of(edit, "end");
    } else {
        assert_string_equal(op, "append");
    }
    cof_buf_add(out, cof_view_sub(base, 0, from));
    cof_buf_add(out, cof_buf_view(&hex));
    cof_buf_add(out, cof_view_sub(base, to, SIZE_MAX));
    cof_buf_done(&hex);
}

/* Which words of the diag show that the layer the case names did the stopping. */
static bool stopped_by(const char *layer, const char *text)
{
    static const struct {
        const char *layer, *word;
    } words[] = {{"signature", "signature"}, {"parse", "COSE_Sign1"}, {"validity", "certificates"},
        {"chain", "certificate "}, {"algorithm", "ES384"}, {"algorithm", "COSE_Sign1"},
        {"root", "pinned root"}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].layer, layer) == 0 && strstr(text, words[i].word) != NULL)
            return true;
    return false;
}

static size_t n_by_layer;

static void one_negative(json_t *c)
{
    struct cof_attest_policy policy = archive_at(when(c));
    struct cof_attest attest;
    struct cof_diag diag = {{0}, {0}};
    struct cof_buf base, doc;

    load_doc(member(c, "base"), &base);
    cof_buf_init(&doc, 65536);
    apply(json_object_get(c, "edit"), cof_buf_view(&base), &doc);
    if (cof_attest_verify(cof_buf_view(&doc), &policy, &attest, &diag) != COF_E_AUTH)
        fail_msg("%s was not refused", member(c, "id"));
    assert_int_equal(attest.doc.n_cabundle, 0);
    if (strstr(diag.text, "NitroTPM") != NULL || stopped_by(member(c, "layer"), diag.text))
        n_by_layer++;
    else
        print_message("# %s (%s): %s\n", member(c, "id"), member(c, "layer"), diag.text);
    cof_buf_done(&doc);
    cof_buf_done(&base);
}

static void edited_documents(void **state)
{
    size_t n;

    if (vectors_dir() == NULL)
        skip();
    n_by_layer = 0;
    n = each_case("attestation/negatives.jsonl", one_negative);
    assert_true(n >= 500);
    assert_int_equal(n_by_layer, n);
}

static void the_embedded_root_is_the_one_aws_publishes(void **state)
{
    uint8_t digest[32];
    char hex[65];
    struct cof_buf der;

    assert_ok(cof_hash_once(COF_SHA256, cof_attest_aws_root(), digest));
    cof_hex_encode(digest, sizeof digest, hex);
    assert_string_equal(hex, "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b");
    if (vectors_dir() == NULL)
        skip();
    assert_true(read_vector("attestation/certs/aws-nitro-root-g1.der", &der));
    assert_true(cof_view_eq(cof_buf_view(&der), cof_attest_aws_root()));
    cof_buf_done(&der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captured_documents),
        cmocka_unit_test(edited_documents),
        cmocka_unit_test(the_embedded_root_is_the_one_aws_publishes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
