/* SPDX-License-Identifier: Apache-2.0
 * Changes that wait are found again by their key, the last one first; what does not fit is refused and changes nothing.
 */
#include "io/store_pending.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

static void the_last_word_counts(void **state)
{
    struct cof_pending p;
    const struct cof_pending_change *c;

    (void)state;
    cof_pending_init(&p);
    assert_null(cof_pending_of(&p, "s", COF_LIT("k")));
    assert_true(cof_pending_put(&p, "s", COF_LIT("k"), COF_LIT("one")));
    assert_true(cof_pending_put(&p, "s", COF_LIT(""), COF_LIT("")));
    assert_true(cof_pending_put(&p, "s", COF_LIT("k"), COF_LIT("two")));
    assert_true(cof_pending_put(&p, "other", COF_LIT("k"), COF_LIT("three")));
    c = cof_pending_of(&p, "s", COF_LIT("k"));
    assert_non_null(c);
    assert_true(cof_view_eq_str(cof_pending_value(&p, c), "two"));
    assert_true(cof_view_eq_str(cof_pending_key(&p, c), "k"));
    assert_non_null(cof_pending_of(&p, "s", COF_LIT("")));
    assert_null(cof_pending_of(&p, "other", COF_LIT("")));
    assert_true(cof_pending_remove(&p, "s", COF_LIT("k")));
    assert_int_equal(cof_pending_of(&p, "s", COF_LIT("k"))->kind, COF_PENDING_REMOVE);
    cof_pending_reset(&p);
    assert_null(cof_pending_of(&p, "s", COF_LIT("k")));
    assert_int_equal(p.n, 0);
    cof_pending_done(&p);
}

static void scans_and_blobs(void **state)
{
    struct cof_blob_id id = {"00112233445566778899aabbccddeeff"};
    struct cof_blob_place inside = {.kind = COF_BLOB_INLINE, .bytes = COF_LIT("bytes")}, slot = {.kind = COF_BLOB_SLOT, .slot = 7};
    struct cof_pending p;

    (void)state;
    cof_pending_init(&p);
    assert_true(cof_pending_put(&p, "s", COF_LIT("prefix/a"), COF_LIT("")));
    assert_true(cof_pending_touches(&p, "s", COF_LIT("prefix/")));
    assert_true(cof_pending_touches(&p, "s", COF_LIT("")));
    assert_false(cof_pending_touches(&p, "s", COF_LIT("prefix/b")));
    assert_false(cof_pending_touches(&p, "t", COF_LIT("")));
    assert_false(cof_pending_has_blobs(&p));
    assert_true(cof_pending_blob(&p, &id, 5, &inside));
    assert_true(cof_pending_blob(&p, &id, 50000, &slot));
    assert_true(cof_pending_has_blobs(&p));
    assert_true(cof_view_eq_str(cof_pending_key(&p, &p.changes[1]), id.text));
    assert_true(cof_view_eq_str(cof_pending_value(&p, &p.changes[1]), "bytes"));
    assert_int_equal(cof_pending_value(&p, &p.changes[2]).len, 0);
    assert_int_equal(p.changes[2].place.slot, 7);
    assert_int_equal(p.changes[2].size, 50000);
    assert_null(cof_pending_of(&p, "", cof_view_str(id.text))); /* a body's name is no key */
    cof_pending_reset(&p);
    assert_true(cof_pending_blob_remove(&p, &id));
    assert_true(cof_pending_has_blobs(&p));
    cof_pending_done(&p);
}

static void limits(void **state)
{
    uint8_t *large = calloc(1, COF_PENDING_BYTES);
    struct cof_pending p;

    (void)state;
    assert_non_null(large);
    cof_pending_init(&p);
    assert_true(cof_pending_put(&p, "s", COF_LIT("k"), cof_view_of(large, COF_PENDING_BYTES - 1)));
    assert_false(cof_pending_put(&p, "s", COF_LIT("k"), (struct cof_view){0}));
    assert_true(cof_pending_put(&p, "s", COF_LIT(""), (struct cof_view){0}));
    assert_int_equal(p.n, 2);
    cof_pending_reset(&p);
    for (size_t i = 0; i < COF_PENDING_MAX; i++)
        assert_true(cof_pending_remove(&p, "s", COF_LIT("k")));
    assert_false(cof_pending_remove(&p, "s", COF_LIT("k")));
    assert_int_equal(p.n, COF_PENDING_MAX);
    cof_pending_done(&p);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_word_counts),
        cmocka_unit_test(scans_and_blobs),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
