/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: what is skimmed of an object is what a strict reader finds there, however it is spaced and nested; texts cut at any
 * byte or damaged are got over, and of a cut one nothing is found.
 */
#include "testing.h"

#include "format/json.h"
#include "format/json_skim.h"
#include "seeded.h"

#define RECORD                                                                                                         \
    "{\"head\":{\"id\":\"not this\",\"x\":[1,{\"order\":2}]},\"size\": 12 ,\"etag\":\"a\\\"}b\\\\\",\"parts\":[{\"n\":1,\"blob\":\"b1\"} ,{\"blob\":\"b2\"}],\n" \
    "\"order\":\"ff01\",\"none\":null,\"id\":\"null\"}"

static void members_and_elements(void **state)
{
    static const char *const names[] = {"id", "order", "parts", "etag", "size", "none", "missing"};
    static const char *const blob[] = {"blob"};
    struct cof_view v[7], rest, element, text;

    assert_true(cof_json_skim(COF_LIT(RECORD), names, v, 7));
    assert_true(cof_json_skim_text(v[0], &text) && cof_view_eq_str(text, "null"));
    assert_true(cof_json_skim_text(v[1], &text) && cof_view_eq_str(text, "ff01"));
    assert_false(cof_json_skim_text(v[3], &text)); /* escaped */
    assert_false(cof_json_skim_text(v[4], &text)); /* no text */
    assert_true(cof_view_eq_str(v[4], "12"));
    assert_true(cof_view_eq_str(v[5], "null"));
    assert_int_equal(v[6].len, 0);
    rest = v[2];
    for (int i = 1; i <= 2; i++) {
        assert_true(cof_json_skim_next(&rest, &element));
        assert_true(cof_json_skim(element, blob, v, 1) && cof_json_skim_text(v[0], &text));
        assert_true(cof_view_eq_str(text, i == 1 ? "b1" : "b2"));
    }
    assert_false(cof_json_skim_next(&rest, &element));
    assert_false(cof_json_skim_next(&rest, &element));
    rest = COF_LIT("[]");
    assert_false(cof_json_skim_next(&rest, &element));
}

static void cut_texts_hold_nothing(void **state)
{
    static const char *const names[] = {"head", "id"};
    struct cof_view v[2];

    for (size_t len = 0; len < sizeof RECORD - 1; len++) {
        char *cut = malloc(len + 1); /* so that a sanitizer sees what is read behind it */

        memcpy(cut, RECORD, len);
        assert_false(cof_json_skim(cof_view_of(cut, len), names, v, 2));
        assert_int_equal(v[0].len + v[1].len, 0);
        free(cut);
    }
}

/* Against the strict reader, over texts with bytes changed: where it takes the object, both say the same. */
static void agrees_with_the_strict_reader(void **state)
{
    uint64_t seed = 5;
    size_t n_read = 0;

    for (int round = 0; round < 50000; round++) {
        char text[] = RECORD;
        uint8_t r[4];
        json_t *json, *value, *again;
        const char *name;

        (void)seeded_fill(&seed, r, sizeof r);
        for (int i = 0; i < r[0] % 3; i++)
            text[(r[1] + 97 * i) % (int)(sizeof text - 1)] = "\"\\,:{}[] 1ax\n"[r[2 + i] % 13];
        if (cof_json_parse_object(cof_view_str(text), sizeof text, &json, NULL) != COF_OK) {
            struct cof_view v;

            name = "id";
            (void)cof_json_skim(cof_view_str(text), &name, &v, 1);
            continue;
        }
        json_object_foreach(json, name, value) {
            struct cof_view v;

            assert_true(cof_json_skim(cof_view_str(text), &name, &v, 1));
            if (v.len == 0) {
                assert_non_null(strchr(text, '\\'));
                continue;
            }
            assert_ok(cof_json_parse(v, sizeof text, &again, NULL));
            assert_int_equal(json_equal(value, again), 1);
            json_decref(again);
            n_read++;
        }
        json_decref(json);
    }
    assert_true(n_read > 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_and_elements),
        cmocka_unit_test(cut_texts_hold_nothing),
        cmocka_unit_test(agrees_with_the_strict_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
