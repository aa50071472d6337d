/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves that the well-formedness checker agrees with every public case, and that no strict reader takes what is not
 * well formed.
 */
#include "vectors/lines.h"

#include "format/cbor.h"

/* Valid by RFC 7049, refused by RFC 8949: a simple value under 32 in two bytes. */
#define NOT_BY_8949 "appendix_a/45"


static size_t n_strict;

static void one_case(json_t *c)
{
    bool expect = strcmp(member(c, "expect"), "well-formed") == 0 && strcmp(member(c, "id"), NOT_BY_8949) != 0;
    struct cof_buf bytes;
    struct cof_view item = hex_member(c, "hex", &bytes);

    if (cof_cbor_well_formed(item, 256) != expect)
        fail_msg("%s", member(c, "id"));
    for (size_t cut = 0; expect && cut < bytes.len; cut++)
        assert_false(cof_cbor_well_formed(cof_view_sub(item, 0, cut), 256));
    if (cof_cbor_skip(&item, 256, NULL) == COF_OK && item.len == 0) {
        assert_true(expect);
        n_strict++;
    }
    cof_buf_done(&bytes);
}

static void every_case(void **state)
{
    if (vectors_dir() == NULL)
        skip();
    n_strict = 0;
    assert_true(each_case("cbor/cases.jsonl", one_case) >= 100);
    assert_true(n_strict >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
