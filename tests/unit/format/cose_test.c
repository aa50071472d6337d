/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: what is written parses back, both with and without the tag, and every other shape is refused. C-19
 */
#include "testing.h"

#include "format/cose.h"

static enum cof_err parse_hex(const char *hex, struct cof_cose_sign1 *out)
{
    static struct cof_buf in; /* out's views live in it */

    cof_buf_done(&in);
    cof_buf_init(&in, 4096);
    assert_ok(cof_hex_decode(cof_view_str(hex), &in));
    return cof_cose_sign1_parse(cof_buf_view(&in), 16, out);
}

static void round_trips(void **state)
{
    for (int tagged = 0; tagged < 2; tagged++) {
        struct cof_buf header, out;
        struct cof_cose_sign1 cose;

        cof_buf_init(&header, 64);
        cof_buf_init(&out, 4096);
        cof_cose_add_protected(&header, COF_COSE_ES384);
        assert_true(cof_view_eq(cof_buf_view(&header), COF_LIT("\xa1\x01\x38\x22")));
        cof_cose_add_sign1(&out, tagged != 0, cof_buf_view(&header), COF_LIT("payload"), COF_LIT("signature"));
        assert_ok(cof_cose_sign1_parse(cof_buf_view(&out), 7, &cose));
        assert_int_equal(cose.tagged, tagged);
        assert_int_equal(cose.alg, COF_COSE_ES384);
        assert_int_equal(cose.n_protected, 1);
        assert_int_equal(cose.n_unprotected, 0);
        assert_true(cof_view_eq_str(cose.payload, "payload"));
        assert_true(cof_view_eq_str(cose.signature, "signature"));
        assert_int_equal(cof_cose_sign1_parse(cof_buf_view(&out), 6, &cose), COF_E_LIMIT);
        for (size_t cut = 0; cut < out.len; cut++)
            assert_int_not_equal(cof_cose_sign1_parse(cof_view_sub(cof_buf_view(&out), 0, cut), 7, &cose), COF_OK);
        cof_buf_done(&header);
        cof_buf_done(&out);
    }
}

static void the_signed_bytes_are_the_standards(void **state)
{
    struct cof_buf out, hex;

    cof_buf_init(&out, 256);
    cof_buf_init(&hex, 256);
    cof_cose_add_sig_structure(&out, COF_LIT("\xa1\x01\x26"), COF_LIT(""), COF_LIT("This is the content."));
    cof_hex_add(&hex, cof_buf_view(&out));
    /* RFC 8152 appendix C.2.1, single ECDSA signature */
    assert_string_equal(cof_buf_cstr(&hex),
                        "846a5369676e61747572653143a101264054546869732069732074686520636f6e74656e742e");
    cof_buf_done(&out);
    cof_buf_done(&hex);
}

static void other_shapes_are_refused(void **state)
{
    static const char *const bad[] = {
        "d18443a10126a041004100",         /* tag 17 */
        "d28343a10126a04100",             /* three items */
        "8443a10126a0410041004100",       /* bytes after it */
        "8443a10126a0f64100",             /* detached payload */
        "8440a041004100",                 /* no algorithm */
        "8440a1012641004100",             /* an algorithm that nobody signed */
        "8443a10126a1012641004100",       /* a second one */
        "8446a201260281011a",             /* cut */
        "8447a2012602810103a041004100",   /* crit */
        "8444a1180126a041004100",         /* a label that is not minimal */
        "8443a10126bfff41004100",         /* indefinite header */
        "9f43a10126a041004100ff",         /* indefinite array */
        "8443a1012641004100",             /* no unprotected header */
        "8444a1012600a041004100",         /* bytes after the protected map */
        "8443a10126a0410040",             /* empty signature */
        "d2d28443a10126a041004100",       /* tagged twice */
    };
    struct cof_cose_sign1 cose;

    assert_ok(parse_hex("8443a10126a041004100", &cose));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (parse_hex(bad[i], &cose) == COF_OK)
            fail_msg("%s", bad[i]);
        assert_int_equal(cose.alg, 0);
    }
    assert_int_equal(parse_hex("8445a201260127a041004100", &cose), COF_E_FORMAT); /* the algorithm twice */
    assert_int_equal(parse_hex("8443a10126a204410004410041004100", &cose), COF_E_FORMAT); /* a label twice */
    assert_ok(parse_hex("8443a10126a204410005410041004100", &cose));
    assert_int_equal(cose.n_unprotected, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(the_signed_bytes_are_the_standards),
        cmocka_unit_test(other_shapes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
