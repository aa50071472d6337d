/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves that the well-formedness checker agrees with every public case, and that no strict reader takes what is not
 * well formed.
 */
#include "testing.h"

#include <jansson.h>

#include "format/cbor.h"

/* Valid by RFC 7049, refused by RFC 8949: a simple value under 32 in two bytes. */
#define NOT_BY_8949 "appendix_a/45"

static void every_case(void **state)
{
    struct cof_buf file, bytes;
    struct cof_view line, rest;
    size_t n = 0, n_strict = 0;

    if (vectors_dir() == NULL)
        skip();
    assert_true(read_vector("cbor/cases.jsonl", &file));
    rest = cof_buf_view(&file);
    cof_buf_init(&bytes, 65536);
    while (rest.len > 0) {
        json_t *c;
        struct cof_view item;
        bool expect;

        (void)cof_view_split(rest, '\n', &line, &rest);
        c = json_loadb((const char *)line.data, line.len, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
        assert_non_null(c);
        cof_buf_reset(&bytes);
        assert_ok(cof_hex_decode(cof_view_str(json_string_value(json_object_get(c, "hex"))), &bytes));
        expect = strcmp(json_string_value(json_object_get(c, "expect")), "well-formed") == 0 &&
                 strcmp(json_string_value(json_object_get(c, "id")), NOT_BY_8949) != 0;
        if (cof_cbor_well_formed(cof_buf_view(&bytes), 256) != expect)
            fail_msg("%s", json_string_value(json_object_get(c, "id")));
        item = cof_buf_view(&bytes);
        if (cof_cbor_skip(&item, 256, NULL) == COF_OK && item.len == 0) {
            assert_true(expect);
            n_strict++;
        }
        for (size_t cut = 0; expect && cut < bytes.len; cut++)
            assert_false(cof_cbor_well_formed(cof_view_sub(cof_buf_view(&bytes), 0, cut), 256));
        json_decref(c);
        n++;
    }
    assert_true(n >= 100);
    assert_true(n_strict >= 20);
    cof_buf_done(&bytes);
    cof_buf_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
