/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: measurements are those of the hypervisor (AWS's documented role value), each register covers its sections
 * and no others, and what PCR0 alone cannot tell apart PCR1 and PCR2 do. C-15
 */
#include "testing.h"

#include "crypto/hash.h"
#include "engine/measure.h"

static void a_role_measures_as_aws_documents(void **state)
{
    uint8_t pcr[48] = {0};
    char hex[97];

    assert_ok(cof_measure_extend(pcr, COF_LIT("arn:aws:iam::123456789012:role/Webserver"), pcr));
    cof_hex_encode(pcr, 48, hex);
    assert_string_equal(hex, "78fce75db17cd4e0a3fb8dad3ad128ca5e77edbb2b2c7f75329dccd99aa5f6ef"
                             "4fc1f1a452e315b9e98f9e312e6921e6");
}

/* The rule spelt out with nothing but SHA-384. */
static void by_hand(const char *joined, uint8_t out[static 48])
{
    uint8_t block[96] = {0};

    assert_ok(cof_hash_once(COF_SHA384, cof_view_str(joined), block + 48));
    assert_ok(cof_hash_once(COF_SHA384, cof_view_of(block, 96), out));
}

static void each_register_covers_its_sections(void **state)
{
    static const uint8_t zeros[48] = {0};
    struct cof_view ramdisks[3] = {COF_LIT("R0"), COF_LIT("R1"), COF_LIT("R2")};
    struct cof_image_parts parts = {COF_LIT("K"), COF_LIT("C"), ramdisks, 3, COF_LIT("")};
    struct cof_image_pcrs pcrs;
    uint8_t expected[48];

    assert_ok(cof_measure_image(&parts, &pcrs));
    by_hand("KCR0R1R2", expected);
    assert_memory_equal(pcrs.pcr0, expected, 48);
    by_hand("KCR0", expected);
    assert_memory_equal(pcrs.pcr1, expected, 48);
    by_hand("R1R2", expected);
    assert_memory_equal(pcrs.pcr2, expected, 48);
    assert_memory_equal(pcrs.pcr8, zeros, 48);
    parts.signing_cert = COF_LIT("CERT");
    assert_ok(cof_measure_image(&parts, &pcrs));
    by_hand("CERT", expected);
    assert_memory_equal(pcrs.pcr8, expected, 48);
}

static void moved_boundaries_need_more_than_pcr0(void **state)
{
    struct cof_view one[2] = {COF_LIT("init"), COF_LIT("app")}, two[2] = {COF_LIT("ini"), COF_LIT("tapp")};
    struct cof_image_parts a = {COF_LIT("K"), COF_LIT("C"), one, 2, COF_LIT("")};
    struct cof_image_parts b = {COF_LIT("K"), COF_LIT("C"), two, 2, COF_LIT("")};
    struct cof_image_pcrs pa, pb;

    assert_ok(cof_measure_image(&a, &pa));
    assert_ok(cof_measure_image(&b, &pb));
    assert_memory_equal(pa.pcr0, pb.pcr0, 48);
    assert_memory_not_equal(pa.pcr1, pb.pcr1, 48);
    assert_memory_not_equal(pa.pcr2, pb.pcr2, 48);
}

static void an_image_needs_a_ramdisk(void **state)
{
    struct cof_image_parts parts = {COF_LIT("K"), COF_LIT("C"), NULL, 0, COF_LIT("")};
    struct cof_image_pcrs pcrs;

    assert_int_equal(cof_measure_image(&parts, &pcrs), COF_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_measures_as_aws_documents),
        cmocka_unit_test(each_register_covers_its_sections),
        cmocka_unit_test(moved_boundaries_need_more_than_pcr0),
        cmocka_unit_test(an_image_needs_a_ramdisk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
