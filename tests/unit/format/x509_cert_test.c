/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: certificates are read as OpenSSL reads them, up to and past 2050, and each departure from strict DER, or from the one
 * kind that is wanted, is refused with its reason.
 */
#include "testing.h"

#include "crypto/x509.h"

#define NOW INT64_C(1790000000000)

static struct cof_ecdsa_key *key;

static int make_key(void **state)
{
    TEST_RNG(rng, 9);

    return cof_ecdsa_generate(COF_P384, &rng, &key) == COF_OK ? 0 : -1;
}

static int drop_key(void **state)
{
    cof_ecdsa_free(key);
    return 0;
}

static void make(int64_t from_ms, int64_t to_ms, bool authority, struct cof_buf *out)
{
    struct cof_x509_make spec = {.subject = {"s", "o", NULL}, .issuer = {"i", NULL, NULL}, .subject_key = key, .issuer_key = key,
                                 .serial = COF_LIT("\x7f\x01"), .from_ms = from_ms, .to_ms = to_ms, .authority = authority,
                                 .path_len = authority ? 3 : COF_X509_NO_PATH_LEN};

    cof_buf_init(out, 2048);
    assert_ok(cof_x509_make(&spec, out));
}

static void what_is_made_is_read(void **state)
{
    static const int64_t ends[] = {NOW + 1000, INT64_C(2524607999000), INT64_C(2524608000000), INT64_C(4102444800000)}; /* 2049, 2050, 2100 */

    for (size_t i = 0; i < 4; i++) {
        struct cof_x509_facts facts;
        struct cof_x509_cert c;
        const char *wrong;
        struct cof_buf der, point;

        make(NOW, ends[i], i % 2 == 1, &der);
        cof_buf_init(&point, 256);
        if (cof_x509_cert_parse(cof_buf_view(&der), &c, &wrong) != COF_OK)
            fail_msg("%s", wrong);
        assert_int_equal(c.from_ms, NOW);
        assert_int_equal(c.to_ms, ends[i] + 999);
        assert_ok(cof_x509_facts(cof_buf_view(&der), &facts)); /* the library's word */
        assert_int_equal(facts.from_ms, c.from_ms);
        assert_int_equal(facts.to_ms, c.to_ms);
        assert_ok(cof_ecdsa_point(facts.key, false, &point));
        assert_true(cof_view_eq(cof_buf_view(&point), c.point));
        assert_true(c.has_constraints && c.constraints_critical && c.has_usage);
        assert_int_equal(c.is_authority, i % 2 == 1);
        assert_int_equal(c.path_len, i % 2 == 1 ? 3 : COF_X509_NO_PATH_LEN);
        assert_true(c.may_sign || i % 2 == 1);
        assert_int_equal(c.may_sign_certs, i % 2 == 1);
        assert_ok(cof_ecdsa_verify(key, COF_SHA384, c.tbs, COF_ECDSA_DER, c.signature));
        for (size_t cut = 0; cut < der.len; cut++)
            assert_int_equal(cof_x509_cert_parse(cof_view_of(der.data, cut), &c, &wrong), COF_E_FORMAT);
        cof_ecdsa_free(facts.key);
        cof_buf_done(&der);
        cof_buf_done(&point);
    }
}

/* Same length in, same length out: only the bytes differ. */
static void departures_are_refused(void **state)
{
#define S(text) {(const uint8_t *)(text), sizeof(text) - 1}
    static const struct {
        struct cof_view from, to;
        const char *says;
    } cases[] = {
        {S("\xa0\x03\x02\x01\x02"), S("\xa0\x03\x02\x01\x01"), "version 3"},
        {S("\x2a\x86\x48\xce\x3d\x04\x03\x03"), S("\x2a\x86\x48\xce\x3d\x04\x03\x02"), "ecdsa-with-SHA384"},
        {S("\x2b\x81\x04\x00\x22"), S("\x2b\x81\x04\x00\x23"), "no P-384 key"},
        {S("\x17\x0d"), S("\x18\x0d"), "validity"},
        {S("\x17\x0d\x32\x36"), S("\x17\x0d\x32\x3a"), "validity"},
        {S("\x06\x03\x55\x1d\x13\x01\x01\xff"), S("\x06\x03\x55\x1d\x13\x01\x01\x01"), "no certificate"}, /* TRUE is ff */
        {S("\x06\x03\x55\x1d\x13\x01\x01\xff"), S("\x06\x03\x55\x1d\x1e\x01\x01\xff"), "unknown critical"},
        {S("\x06\x03\x55\x1d\x0f"), S("\x06\x03\x55\x1d\x13"), "twice"},
        {S("\x02\x02\x7f\x01"), S("\x04\x02\x7f\x01"), "no certificate"},
    };
    struct cof_x509_cert c;
    struct cof_buf der;
    const char *wrong;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *at;

        make(NOW, NOW + 1000, false, &der);
        at = memmem(der.data, der.len, cases[i].from.data, cases[i].from.len);
        assert_non_null(at);
        memcpy(at, cases[i].to.data, cases[i].to.len);
        if (cof_x509_cert_parse(cof_buf_view(&der), &c, &wrong) != COF_E_FORMAT || strstr(wrong, cases[i].says) == NULL)
            fail_msg("case %zu: %s", i, wrong == NULL ? "taken" : wrong);
        assert_int_equal(c.tbs.len, 0);
        cof_buf_done(&der);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_made_is_read), cmocka_unit_test(departures_are_refused)};

    return cmocka_run_group_tests(tests, make_key, drop_key);
}
