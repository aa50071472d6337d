/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: a certificate in armour is found among other text and comes back byte for byte; what is cut or damaged is refused.
 */
#include "testing.h"

#include "format/pem.h"

static void armour_comes_off_again(void **state)
{
    for (size_t len = 1; len < 200; len++) {
        uint8_t der[200];
        struct cof_buf text, back;

        for (size_t i = 0; i < len; i++)
            der[i] = (uint8_t)(i * 7 + len);
        cof_buf_init(&text, 4096);
        cof_buf_init(&back, 4096);
        cof_buf_add_str(&text, "subject: somebody\n");
        cof_pem_add_certificate(&text, cof_view_of(der, len));
        cof_buf_add_str(&text, "what follows is passed over\n");
        assert_ok(cof_pem_certificate(cof_buf_view(&text), &back));
        assert_true(cof_view_eq(cof_buf_view(&back), cof_view_of(der, len)));
        cof_buf_done(&text);
        cof_buf_done(&back);
    }
}

static void damage_is_refused(void **state)
{
    static const struct { const char *text; enum cof_err err; } cases[] = {
        {"", COF_E_NOT_FOUND},
        {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", COF_E_NOT_FOUND},
        {"-----BEGIN CERTIFICATE----", COF_E_NOT_FOUND},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n", COF_E_FORMAT},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE----\n", COF_E_FORMAT},
        {"-----BEGIN CERTIFICATE-----\nAA*A\n-----END CERTIFICATE-----\n", COF_E_FORMAT},
        {"-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n", COF_E_FORMAT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_buf out;

        cof_buf_init(&out, 4096);
        assert_int_equal(cof_pem_certificate(cof_view_str(cases[i].text), &out), cases[i].err);
        cof_buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(armour_comes_off_again),
        cmocka_unit_test(damage_is_refused),
    };
    return cmocka_run_group_tests_name("unit/format/pem", tests, NULL, NULL);
}
