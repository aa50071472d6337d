/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents that are really signed, by an authority of the test's own, and that are wrong in one thing each: an attacker with
 * a broken or a friendly signer. All of it is one refusal outside, and the local log says which check it was. The same for
 * what KMS seals. C-05 C-13 C-14 C-17 C-18 C-19
 */
#include "testing.h"

#include "crypto/cbc.h"
#include "crypto/hash.h"
#include "crypto/x509.h"
#include "engine/attest_verify.h"
#include "engine/kms_recipient.h"
#include "format/cbor.h"
#include "format/cose.h"

#define NOW INT64_C(1795975200000) /* 2026-11-29T18:00:00Z */
#define HOUR INT64_C(3600000)

static struct cof_ecdsa_key *root_key, *leaf_key, *other_key;
static struct cof_buf root, other_root, leaf, early_leaf, ca_leaf, stray_leaf;
static uint8_t pcr[3][COF_ATTEST_PCR_SIZE];

static void certify(const struct cof_ecdsa_key *subject, const char *name, const struct cof_ecdsa_key *issuer, const char *by,
                    int64_t from_ms, int64_t to_ms, bool authority, struct cof_buf *out)
{
    struct cof_x509_make spec = {.subject = {name, "Test", NULL}, .issuer = {by, "Test", NULL}, .subject_key = subject,
                                 .issuer_key = issuer, .serial = COF_LIT("\x41"), .from_ms = from_ms, .to_ms = to_ms,
                                 .authority = authority, .path_len = COF_X509_NO_PATH_LEN};

    cof_buf_init(out, COF_ATTEST_CERT_MAX);
    assert_ok(cof_x509_make(&spec, out));
}

static int make_authority(void **state)
{
    TEST_RNG(rng, 21);

    assert_ok(cof_ecdsa_generate(COF_P384, &rng, &root_key));
    assert_ok(cof_ecdsa_generate(COF_P384, &rng, &leaf_key));
    assert_ok(cof_ecdsa_generate(COF_P384, &rng, &other_key));
    certify(root_key, "root", root_key, "root", NOW - 100 * HOUR, NOW + 1000 * HOUR, true, &root);
    certify(other_key, "root", other_key, "root", NOW - 100 * HOUR, NOW + 1000 * HOUR, true, &other_root);
    certify(leaf_key, "leaf", root_key, "root", NOW - HOUR, NOW + 2 * HOUR, false, &leaf);
    certify(leaf_key, "leaf", root_key, "root", NOW - 9 * HOUR, NOW - 6 * HOUR, false, &early_leaf);
    certify(leaf_key, "leaf", root_key, "root", NOW - HOUR, NOW + 2 * HOUR, true, &ca_leaf);
    certify(leaf_key, "leaf", other_key, "root", NOW - HOUR, NOW + 2 * HOUR, false, &stray_leaf);
    for (int i = 0; i < 3; i++)
        memset(pcr[i], 0xa0 + i, COF_ATTEST_PCR_SIZE);
    return 0;
}

static int drop_authority(void **state)
{
    cof_ecdsa_free(root_key);
    cof_ecdsa_free(leaf_key);
    cof_ecdsa_free(other_key);
    cof_buf_done(&root);
    cof_buf_done(&other_root);
    cof_buf_done(&leaf);
    cof_buf_done(&early_leaf);
    cof_buf_done(&ca_leaf);
    cof_buf_done(&stray_leaf);
    return 0;
}

static struct cof_attest_doc right_document(void)
{
    struct cof_attest_doc doc = {.module_id = COF_LIT("i-0123456789abcdef0-enc0123"), .timestamp_ms = NOW - 1000, .pcr_mask = 7,
                                 .certificate = cof_buf_view(&leaf), .cabundle = {cof_buf_view(&root)}, .n_cabundle = 1,
                                 .nonce = {COF_LIT("0123456789abcdef"), true}};

    for (int i = 0; i < 3; i++)
        doc.pcrs[i] = cof_view_of(pcr[i], COF_ATTEST_PCR_SIZE);
    return doc;
}

static void sign(struct cof_view payload, int64_t alg, const struct cof_ecdsa_key *key, struct cof_buf *out)
{
    struct cof_buf header, tbs, sig;

    cof_buf_init(&header, 64);
    cof_buf_init(&tbs, 65536);
    cof_buf_init(&sig, 200);
    cof_cose_add_protected(&header, alg);
    cof_cose_add_sig_structure(&tbs, cof_buf_view(&header), COF_LIT(""), payload);
    assert_ok(cof_ecdsa_sign(key, COF_SHA384, cof_buf_view(&tbs), COF_ECDSA_RAW, &sig));
    cof_cose_add_sign1(out, false, cof_buf_view(&header), payload, cof_buf_view(&sig));
    assert_ok(cof_buf_err(out));
    cof_buf_done(&header);
    cof_buf_done(&tbs);
    cof_buf_done(&sig);
}

/* What each case spoils: the document before it is written, or the payload's bytes before they are signed. */
static void spoil_nothing(struct cof_attest_doc *d) { (void)d; }
static void no_pcr0(struct cof_attest_doc *d) { d->pcr_mask = 6; }
static void no_pcr2(struct cof_attest_doc *d) { d->pcr_mask = 3; }
static void another_pcr1(struct cof_attest_doc *d) { d->pcrs[1] = d->pcrs[0]; }
static void zero_pcr0(struct cof_attest_doc *d)
{
    static const uint8_t zeros[COF_ATTEST_PCR_SIZE];

    d->pcrs[0] = cof_view_of(zeros, sizeof zeros);
}
static void zero_pcr1(struct cof_attest_doc *d)
{
    zero_pcr0(d);
    d->pcrs[1] = d->pcrs[0];
    d->pcrs[0] = cof_view_of(pcr[0], COF_ATTEST_PCR_SIZE);
}
static void short_pcr(struct cof_attest_doc *d) { d->pcrs[2].len = 32; }
static void no_register(struct cof_attest_doc *d) { d->pcr_mask = 0; }
static void wrong_root(struct cof_attest_doc *d) { d->cabundle[0] = cof_buf_view(&other_root); }
static void stray(struct cof_attest_doc *d) { d->certificate = cof_buf_view(&stray_leaf); }
static void an_authority_signs(struct cof_attest_doc *d) { d->certificate = cof_buf_view(&ca_leaf); }
static void expired(struct cof_attest_doc *d) { d->certificate = cof_buf_view(&early_leaf); }
static void expired_and_dated_back(struct cof_attest_doc *d)
{
    d->certificate = cof_buf_view(&early_leaf);
    d->timestamp_ms = NOW - 7 * HOUR;
}
static void from_the_future(struct cof_attest_doc *d) { d->timestamp_ms = NOW + HOUR; }
static void old(struct cof_attest_doc *d) { d->timestamp_ms = NOW - HOUR / 2; }
static void no_time(struct cof_attest_doc *d) { d->timestamp_ms = 0; }
static void another_nonce(struct cof_attest_doc *d) { d->nonce.bytes = COF_LIT("0123456789abcdee"); }
static void no_nonce(struct cof_attest_doc *d) { d->nonce.present = false; }
static void no_module(struct cof_attest_doc *d) { d->module_id.len = 0; }
static void big_nonce(struct cof_attest_doc *d) { static uint8_t big[513]; d->nonce.bytes = cof_view_of(big, sizeof big); }
static void big_user_data(struct cof_attest_doc *d) { static uint8_t big[513]; d->user_data = (struct cof_attest_field){cof_view_of(big, sizeof big), true}; }
static void big_key(struct cof_attest_doc *d) { static uint8_t big[1025]; d->public_key = (struct cof_attest_field){cof_view_of(big, sizeof big), true}; }
static void big_certificate(struct cof_attest_doc *d) { static uint8_t big[1025]; d->certificate = cof_view_of(big, sizeof big); }
static void no_bundle(struct cof_attest_doc *d) { d->n_cabundle = 0; }

/* Puts text in the place of the first occurrence of another of any length. */
static void replace(struct cof_buf *b, struct cof_view from, struct cof_view to)
{
    uint8_t *at = memmem(b->data, b->len, from.data, from.len);
    struct cof_buf out;
    size_t before;

    assert_non_null(at);
    before = (size_t)(at - b->data);
    cof_buf_init(&out, 65536);
    cof_buf_add(&out, cof_view_of(b->data, before));
    cof_buf_add(&out, to);
    cof_buf_add(&out, cof_view_of(at + from.len, b->len - before - from.len));
    cof_buf_done(b);
    *b = out;
}

static void keep(struct cof_buf *b) { (void)b; }
static void twice(struct cof_buf *b) /* map(9) -> map(10), the nonce again */
{
    b->data[0]++;
    cof_buf_add(b, COF_LIT("\x65nonce\xf6"));
}
static void register_twice(struct cof_buf *b) /* pcrs: map(3) -> map(4), 0 before 0 */
{
    replace(b, COF_LIT("\x64pcrs\xa3\x00"), COF_LIT("\x64pcrs\xa4\x00\x40\x00"));
}
static void unknown_key(struct cof_buf *b)
{
    b->data[0]++;
    cof_buf_add(b, COF_LIT("\x65" "extra\xf6"));
}
static void tpm(struct cof_buf *b) { replace(b, COF_LIT("\x64pcrs"), COF_LIT("\x6dnitrotpm_pcrs")); }
static void bytes_behind(struct cof_buf *b) { cof_buf_add_u8(b, 0); }
static void long_form(struct cof_buf *b) { replace(b, COF_LIT("\xa3\x00\x58\x30"), COF_LIT("\xa3\x18\x00\x58\x30")); }
static void endless_string(struct cof_buf *b) { replace(b, COF_LIT("\x65nonce\x50"), COF_LIT("\x65nonce\x5f")); }
static void huge_length(struct cof_buf *b) { replace(b, COF_LIT("\x65nonce\x50"), COF_LIT("\x65nonce\x5b\xff\xff\xff\xff\xff\xff\xff\xff")); }
static void another_digest(struct cof_buf *b) { replace(b, COF_LIT("SHA384"), COF_LIT("SHA256")); }
static void null_module(struct cof_buf *b) { replace(b, COF_LIT("\x78\x1bi-0123456789abcdef0-enc0123"), COF_LIT("\xf6")); }
static void large(struct cof_buf *b)
{
    static uint8_t big[20000];

    cof_buf_add(b, cof_view_of(big, sizeof big));
}

static const struct {
    const char *name;
    void (*spoil)(struct cof_attest_doc *doc);
    void (*edit)(struct cof_buf *payload);
    const char *says; /* in the local log; NULL: it is right */
} cases[] = {
    {"nothing wrong", spoil_nothing, keep, NULL},
    {"wrong root", wrong_root, keep, "pinned root"},
    {"leaf of another authority", stray, keep, "certificate"},
    {"signed by an authority", an_authority_signs, keep, "certificate"},
    {"expired chain", expired, keep, "certificates expired 5 h 59 min before the document's own time"},
    {"expired chain, document of its time", expired_and_dated_back, keep, "certificates expired 5 h 59 min before now"},
    {"from the future", from_the_future, keep, "comes from the future: it was signed 60 min after now"},
    {"old", old, keep, "is 30 min old, 5 min are allowed"},
    {"no time", no_time, keep, "'timestamp'"},
    {"PCR0 missing", no_pcr0, keep, "no PCR0"},
    {"PCR2 missing", no_pcr2, keep, "no PCR2"},
    {"PCR1 another", another_pcr1, keep, "PCR1 is not the expected one"},
    {"PCR0 zero", zero_pcr0, keep, "debug mode"},
    {"PCR1 zero", zero_pcr1, keep, "PCR1 is not the expected one"},
    {"PCR2 of 32 bytes", short_pcr, keep, "'pcrs'"},
    {"no register at all", no_register, keep, "'pcrs'"},
    {"another nonce", another_nonce, keep, "nonce is not the expected one"},
    {"no nonce", no_nonce, keep, "has no nonce"},
    {"empty module", no_module, keep, "'module_id'"},
    {"nonce of 513 bytes", big_nonce, keep, "'nonce'"},
    {"user data of 513 bytes", big_user_data, keep, "'user_data'"},
    {"public key of 1025 bytes", big_key, keep, "'public_key'"},
    {"certificate of 1025 bytes", big_certificate, keep, "'certificate'"},
    {"no bundle", no_bundle, keep, "'cabundle'"},
    {"a key twice", spoil_nothing, twice, "repeated"},
    {"a register twice", spoil_nothing, register_twice, "'pcrs'"},
    {"an unknown key", spoil_nothing, unknown_key, "unknown"},
    {"NitroTPM", spoil_nothing, tpm, "NitroTPM"},
    {"bytes behind", spoil_nothing, bytes_behind, "bytes follow"},
    {"a number in the long form", spoil_nothing, long_form, "'pcrs'"},
    {"a string without a length", spoil_nothing, endless_string, "'nonce'"},
    {"a length of 2^64 - 1", spoil_nothing, huge_length, "'nonce'"},
    {"SHA-256 registers", spoil_nothing, another_digest, "'digest'"},
    {"a mandatory field null", spoil_nothing, null_module, "'module_id'"},
    {"a payload over 16 KiB", spoil_nothing, large, "over 18432 bytes"},
};

static struct cof_attest_policy live_policy(const struct cof_attest_pcr *expected, const struct cof_view *nonce)
{
    return (struct cof_attest_policy){.root_der = cof_buf_view(&root), .mode = COF_ATTEST_LIVE, .now_ms = NOW, .pcrs = expected,
                                      .n_pcrs = 3, .nonce = nonce};
}

static void c17_what_is_wrong_is_one_refusal(void **state)
{
    const struct cof_attest_pcr expected[] = {{0, cof_view_of(pcr[0], 48)}, {1, cof_view_of(pcr[1], 48)}, {2, cof_view_of(pcr[2], 48)}};
    const struct cof_view nonce = COF_LIT("0123456789abcdef");
    const struct cof_attest_policy policy = live_policy(expected, &nonce);
    static const struct cof_attest nothing;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_attest_doc doc = right_document();
        struct cof_diag diag = {{0}, {0}};
        struct cof_attest seen;
        struct cof_buf payload, bytes;
        enum cof_err err;

        cof_buf_init(&payload, 65536);
        cof_buf_init(&bytes, 65536);
        cases[i].spoil(&doc);
        cof_attest_doc_add(&payload, &doc);
        cases[i].edit(&payload);
        sign(cof_buf_view(&payload), COF_COSE_ES384, leaf_key, &bytes);
        err = cof_attest_verify(cof_buf_view(&bytes), &policy, &seen, &diag);
        if (cases[i].says == NULL) {
            if (err != COF_OK)
                fail_msg("%s: %s", cases[i].name, diag.text);
        } else if (err != COF_E_AUTH || strstr(diag.text, cases[i].says) == NULL) {
            fail_msg("%s: %s, \"%s\"", cases[i].name, cof_err_name(err), diag.text);
        } else {
            assert_memory_equal(&seen, &nothing, sizeof seen);
        }
        cof_buf_done(&payload);
        cof_buf_done(&bytes);
    }
}

static void c17_another_signature_is_the_same_refusal(void **state)
{
    const struct cof_attest_pcr expected[] = {{0, cof_view_of(pcr[0], 48)}, {1, cof_view_of(pcr[1], 48)}, {2, cof_view_of(pcr[2], 48)}};
    const struct cof_view nonce = COF_LIT("0123456789abcdef");
    const struct cof_attest_policy policy = live_policy(expected, &nonce);
    static const struct {
        int64_t alg;
        bool other_key;
        const char *says;
    } signatures[] = {{COF_COSE_ES384, true, "signature is wrong"}, {COF_COSE_ES256, false, "ES384"}, {-36, false, "ES384"}, {-257, false, "ES384"}};
    struct cof_attest_doc doc = right_document();
    struct cof_buf payload, bytes;
    struct cof_attest seen;

    cof_buf_init(&payload, 65536);
    cof_buf_init(&bytes, 65536);
    cof_attest_doc_add(&payload, &doc);
    for (size_t i = 0; i < 4; i++) {
        struct cof_diag diag = {{0}, {0}};

        cof_buf_reset(&bytes);
        sign(cof_buf_view(&payload), signatures[i].alg, signatures[i].other_key ? other_key : leaf_key, &bytes);
        assert_int_equal(cof_attest_verify(cof_buf_view(&bytes), &policy, &seen, &diag), COF_E_AUTH);
        assert_non_null(strstr(diag.text, signatures[i].says));
    }
    /* a DER signature, or one of QEMU's zeros, is none */
    cof_buf_reset(&bytes);
    sign(cof_buf_view(&payload), COF_COSE_ES384, leaf_key, &bytes);
    memset(bytes.data + bytes.len - 96, 0, 96);
    assert_int_equal(cof_attest_verify(cof_buf_view(&bytes), &policy, &seen, NULL), COF_E_AUTH);
    cof_buf_done(&payload);
    cof_buf_done(&bytes);
}

/* ---- what KMS seals for an enclave ---- */

struct envelope {
    struct cof_rsa_key *rsa;
    struct cof_buf spki;
};

static void edit_bytes(struct cof_buf *b, struct cof_view from, struct cof_view to)
{
    uint8_t *at = memmem(b->data, b->len, from.data, from.len);

    assert_non_null(at);
    assert_int_equal(from.len, to.len);
    memcpy(at, to.data, to.len);
}

/* An envelope whose content key and content are of the attacker's making. */
static void c05_envelope(const struct envelope *e, struct cof_view content_key, struct cof_view padded, struct cof_buf *out)
{
    static const uint8_t iv[16] = {1};
    struct cof_cms_enveloped cms = {.iv = cof_view_of(iv, 16), .n_chunks = 1};
    uint8_t id[32], key[32] = {0};
    struct cof_buf wrapped, cipher;

    cof_buf_init(&wrapped, 1024);
    cof_buf_init(&cipher, 1024);
    memcpy(key, content_key.data, content_key.len);
    assert_ok(cof_hash_once(COF_SHA256, cof_buf_view(&e->spki), id));
    assert_ok(cof_rsa_encrypt(e->rsa, COF_RSA_OAEP_SHA256, content_key, &wrapped));
    /* the padding that CBC adds is left off: padded is what stands in the blocks */
    assert_ok(cof_cbc_encrypt(cof_view_of(key, 32), cof_view_of(iv, 16), padded, &cipher));
    cof_buf_truncate(&cipher, padded.len);
    cms.key_id = cof_view_of(id, 32);
    cms.encrypted_key = cof_buf_view(&wrapped);
    cms.chunks[0] = cof_buf_view(&cipher);
    cof_cms_add_enveloped(out, &cms);
    assert_ok(cof_buf_err(out));
    cof_buf_done(&wrapped);
    cof_buf_done(&cipher);
}

static void c05_what_is_wrong_with_an_envelope_is_one_refusal(void **state)
{
    static const uint8_t data_key[32] = {9}, cek[32] = {7};
    uint8_t blocks[48];
    static const char *const opens = "does not open to 32 bytes";
    struct envelope e;
    struct cof_rsa_key *other;
    struct cof_buf cms, good;
    struct cof_secret secret;
    TEST_RNG(rng, 6);
    /* last block's bytes; with 16 times 16 it is right */
    static const struct { uint8_t fill, last; } paddings[] = {{16, 0}, {16, 17}, {15, 16}, {1, 1}, {8, 8}, {16, 255}};

    cof_buf_init(&e.spki, 1024);
    cof_buf_init(&cms, COF_CMS_MAX);
    cof_buf_init(&good, COF_CMS_MAX);
    assert_ok(cof_rsa_generate(2048, &e.rsa));
    assert_ok(cof_rsa_generate(2048, &other));
    assert_ok(cof_rsa_spki(e.rsa, &e.spki));

    memcpy(blocks, data_key, 32);
    memset(blocks + 32, 16, 16);
    c05_envelope(&e, cof_view_of(cek, 32), cof_view_of(blocks, 48), &cms);
    assert_ok(cof_kms_recipient_open(e.rsa, cof_buf_view(&cms), 32, &secret, NULL));
    assert_memory_equal(secret.bytes, data_key, 32);
    cof_secret_done(&secret);
    for (size_t i = 0; i < sizeof paddings / sizeof paddings[0]; i++) {
        struct cof_diag diag = {{0}, {0}};

        memset(blocks + 32, paddings[i].fill, 16);
        blocks[47] = paddings[i].last;
        cof_buf_reset(&cms);
        c05_envelope(&e, cof_view_of(cek, 32), cof_view_of(blocks, 48), &cms);
        assert_int_equal(cof_kms_recipient_open(e.rsa, cof_buf_view(&cms), 32, &secret, &diag), COF_E_AUTH);
        assert_non_null(strstr(diag.text, opens)); /* padding and length are not told apart, not even here */
        assert_int_equal(secret.len, 0);
    }
    memset(blocks + 32, 16, 16);
    for (size_t len = 16; len < 32; len += 8) { /* a content key of another size */
        struct cof_diag diag = {{0}, {0}};

        cof_buf_reset(&cms);
        c05_envelope(&e, cof_view_of(cek, len), cof_view_of(blocks, 48), &cms);
        assert_int_equal(cof_kms_recipient_open(e.rsa, cof_buf_view(&cms), 32, &secret, &diag), COF_E_AUTH);
        assert_non_null(strstr(diag.text, opens));
    }

    assert_ok(cof_kms_recipient_seal(cof_buf_view(&e.spki), cof_view_of(data_key, 32), &rng, &good));
    {
        /* sha256 -> sha1 in the OAEP parameters; mgf1 -> another; aes256-CBC -> aes128-CBC; for another key */
        static const struct { struct cof_view from, to; const char *says; } edits[] = {
            {{(const uint8_t *)"\x60\x86\x48\x01\x65\x03\x04\x02\x01", 9}, {(const uint8_t *)"\x60\x86\x48\x01\x65\x03\x04\x02\x02", 9}, "RSAES-OAEP under SHA-256"},
            {{(const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07", 9}, {(const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", 9}, "RSAES-OAEP under SHA-256"},
            {{(const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08", 9}, {(const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x09", 9}, "RSAES-OAEP under SHA-256"},
            {{(const uint8_t *)"\x60\x86\x48\x01\x65\x03\x04\x01\x2a", 9}, {(const uint8_t *)"\x60\x86\x48\x01\x65\x03\x04\x01\x02", 9}, "AES-256-CBC"},
            {{(const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03", 9}, {(const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", 9}, "no EnvelopedData"},
        };
        for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
            struct cof_diag diag = {{0}, {0}};

            cof_buf_reset(&cms);
            cof_buf_add(&cms, cof_buf_view(&good));
            edit_bytes(&cms, edits[i].from, edits[i].to);
            assert_int_equal(cof_kms_recipient_open(e.rsa, cof_buf_view(&cms), 32, &secret, &diag), COF_E_AUTH);
            if (strstr(diag.text, edits[i].says) == NULL)
                fail_msg("edit %zu: %s", i, diag.text);
        }
    }
    {
        struct cof_diag diag = {{0}, {0}};

        assert_int_equal(cof_kms_recipient_open(other, cof_buf_view(&good), 32, &secret, &diag), COF_E_AUTH);
        assert_non_null(strstr(diag.text, "another key"));
        assert_int_equal(cof_kms_recipient_open(e.rsa, cof_view_sub(cof_buf_view(&good), 0, good.len - 1), 32, &secret, &diag), COF_E_AUTH);
        assert_non_null(strstr(diag.text, "no EnvelopedData"));
    }
    cof_buf_done(&cms);
    cof_buf_done(&good);
    cof_buf_done(&e.spki);
    cof_rsa_free(e.rsa);
    cof_rsa_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c17_what_is_wrong_is_one_refusal),
        cmocka_unit_test(c17_another_signature_is_the_same_refusal),
        cmocka_unit_test(c05_what_is_wrong_with_an_envelope_is_one_refusal),
    };

    return cmocka_run_group_tests(tests, make_authority, drop_authority);
}
