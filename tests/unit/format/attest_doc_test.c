/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: every bound of the attestation payload holds on both sides, null means absent, and other documents and
 * forms are refused. C-19
 */
#include "testing.h"

#include "format/attest_doc.h"
#include "format/cbor.h"

static uint8_t bytes[20000];

/* A payload put together by hand, so that it can be wrong; names in nulls are what becomes null, in skip what is left
 * out. */
struct draft {
    const char *skip, *null, *twice, *digest, *extra;
    uint64_t timestamp, first_pcr;
    size_t n_pcrs, pcr_size, certificate, n_cabundle, ca_size, public_key, user_data, nonce, module_id;
    bool indefinite, pcrs_indefinite;
};

static const struct draft good = {.digest = "SHA384", .timestamp = 1, .n_pcrs = 16, .pcr_size = 48, .certificate = 600,
    .n_cabundle = 4, .ca_size = 600, .public_key = 294, .user_data = 10, .nonce = 16, .module_id = 30};

static bool is(const char *a, const char *b)
{
    return a != NULL && strcmp(a, b) == 0;
}

static void add_value(struct cof_buf *out, const struct draft *d, const char *name)
{
    if (is(d->null, name))
        cof_cbor_add_null(out);
    else if (is(name, "module_id"))
        cof_cbor_add_text(out, cof_view_of(bytes, d->module_id));
    else if (is(name, "digest"))
        cof_cbor_add_str(out, d->digest);
    else if (is(name, "timestamp"))
        cof_cbor_add_uint(out, d->timestamp);
    else if (is(name, "pcrs")) {
        if (d->pcrs_indefinite)
            cof_buf_add_u8(out, 0xbf);
        else
            cof_cbor_add_map(out, d->n_pcrs);
        for (size_t i = 0; i < d->n_pcrs; i++) {
            cof_cbor_add_uint(out, d->first_pcr + i);
            cof_cbor_add_bytes(out, cof_view_of(bytes, d->pcr_size));
        }
        if (d->pcrs_indefinite)
            cof_buf_add_u8(out, 0xff);
    } else if (is(name, "cabundle")) {
        cof_cbor_add_array(out, d->n_cabundle);
        for (size_t i = 0; i < d->n_cabundle; i++)
            cof_cbor_add_bytes(out, cof_view_of(bytes, d->ca_size));
    } else
        cof_cbor_add_bytes(out, cof_view_of(bytes, is(name, "certificate") ? d->certificate
                                                   : is(name, "public_key") ? d->public_key
                                                   : is(name, "user_data")  ? d->user_data
                                                                            : d->nonce));
}

static enum cof_err parse(const struct draft *d, struct cof_attest_doc *doc, struct cof_diag *diag)
{
    static const char *const names[] = {"module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle",
        "public_key", "user_data", "nonce"};
    static struct cof_buf out; /* the views of doc live in it */
    size_t n = 9u + (d->extra != NULL ? 1u : 0u) + (d->twice != NULL ? 1u : 0u) - (d->skip != NULL ? 1u : 0u);

    cof_buf_done(&out);
    cof_buf_init(&out, 1 << 20);
    if (d->indefinite)
        cof_buf_add_u8(&out, 0xbf);
    else
        cof_cbor_add_map(&out, n);
    for (size_t i = 0; i < 9; i++) {
        for (int k = is(d->twice, names[i]) ? 2 : is(d->skip, names[i]) ? 0 : 1; k > 0; k--) {
            cof_cbor_add_str(&out, names[i]);
            add_value(&out, d, names[i]);
        }
    }
    if (d->extra != NULL) {
        cof_cbor_add_str(&out, d->extra);
        cof_cbor_add_map(&out, 0);
    }
    if (d->indefinite)
        cof_buf_add_u8(&out, 0xff);
    *diag = (struct cof_diag){{0}, {0}};
    assert_ok(cof_buf_err(&out));
    return cof_attest_doc_parse(cof_buf_view(&out), doc, diag);
}

#define EXPECT(ok, change)                                           \
    do {                                                             \
        struct draft d = good;                                       \
        struct cof_attest_doc doc;                                   \
        struct cof_diag diag;                                        \
        d.change;                                                    \
        if ((parse(&d, &doc, &diag) == COF_OK) != (ok))              \
            fail_msg("%s: %s", #change, diag.text);                  \
        if (!(ok)) {                                                 \
            assert_int_equal(doc.n_cabundle, 0);                     \
            assert_true(diag.text[0] != '\0');                       \
        }                                                            \
    } while (0)

static void bounds_hold_on_both_sides(void **state)
{
    memset(bytes, 'x', sizeof bytes);
    EXPECT(true, module_id = 1);
    EXPECT(false, module_id = 0);
    EXPECT(false, digest = "SHA512");
    EXPECT(false, timestamp = 0);
    EXPECT(true, timestamp = INT64_MAX);
    EXPECT(false, timestamp = (uint64_t)INT64_MAX + 1);
    EXPECT(true, n_pcrs = 32);
    EXPECT(false, n_pcrs = 33);
    EXPECT(true, n_pcrs = 1);
    EXPECT(false, n_pcrs = 0);
    EXPECT(true, first_pcr = 16);
    EXPECT(false, first_pcr = 17);
    EXPECT(false, pcr_size = 47);
    EXPECT(false, pcr_size = 32);
    EXPECT(false, pcr_size = 64);
    EXPECT(true, certificate = 1024);
    EXPECT(false, certificate = 1025);
    EXPECT(false, certificate = 0);
    EXPECT(true, n_cabundle = 1);
    EXPECT(false, n_cabundle = 0);
    EXPECT(false, n_cabundle = 17);
    EXPECT(true, ca_size = 1024);
    EXPECT(false, ca_size = 1025);
    EXPECT(false, ca_size = 0);
    EXPECT(true, public_key = 1024);
    EXPECT(false, public_key = 1025);
    EXPECT(false, public_key = 0);
    EXPECT(true, user_data = 512);
    EXPECT(false, user_data = 513);
    EXPECT(true, user_data = 0);
    EXPECT(true, nonce = 512);
    EXPECT(false, nonce = 513);
    EXPECT(true, nonce = 0);
}

static void forms_are_exact(void **state)
{
    static const char *const mandatory[] = {"module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"};
    static const char *const optional[] = {"public_key", "user_data", "nonce"};

    EXPECT(true, indefinite = true);
    EXPECT(false, pcrs_indefinite = true);
    EXPECT(false, extra = "something");
    EXPECT(false, twice = "nonce");
    EXPECT(false, twice = "pcrs");
    for (size_t i = 0; i < 6; i++) {
        EXPECT(false, skip = mandatory[i]);
        EXPECT(false, null = mandatory[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        EXPECT(true, skip = optional[i]);
        EXPECT(true, null = optional[i]);
    }
}

static void empty_is_not_absent(void **state)
{
    struct draft d = good;
    struct cof_attest_doc doc;
    struct cof_diag diag;

    d.user_data = 0;
    d.null = "nonce";
    assert_ok(parse(&d, &doc, &diag));
    assert_true(doc.user_data.present);
    assert_int_equal(doc.user_data.bytes.len, 0);
    assert_false(doc.nonce.present);
    assert_true(doc.public_key.present);
}

static void nitrotpm_is_named(void **state)
{
    struct draft d = good;
    struct cof_attest_doc doc;
    struct cof_diag diag;

    d.extra = "nitrotpm_pcrs";
    d.skip = "pcrs";
    assert_int_equal(parse(&d, &doc, &diag), COF_E_UNSUPPORTED);
    assert_non_null(strstr(diag.text, "NitroTPM"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_hold_on_both_sides),
        cmocka_unit_test(forms_are_exact),
        cmocka_unit_test(empty_is_not_absent),
        cmocka_unit_test(nitrotpm_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
