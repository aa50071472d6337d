/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: what was put is found under its digest alone, the oldest makes room, and the digest tells chains apart that
 * only differ in where one certificate ends.
 */
#include "testing.h"

#include "engine/attest_cache.h"

static void the_digest_knows_boundaries(void **state)
{
    struct cof_view one[2] = {COF_LIT("ab"), COF_LIT("c")}, two[2] = {COF_LIT("a"), COF_LIT("bc")};
    uint8_t a[32], b[32];

    assert_ok(cof_attest_cache_key(one, 2, a));
    assert_ok(cof_attest_cache_key(two, 2, b));
    assert_memory_not_equal(a, b, 32);
    assert_ok(cof_attest_cache_key(one, 2, b));
    assert_memory_equal(a, b, 32);
}

static void the_oldest_makes_room(void **state)
{
    struct cof_attest_cache *cache = NULL;
    uint8_t key[32] = {0};
    TEST_RNG(rng, 1);

    assert_ok(cof_attest_cache_new(&cache));
    for (uint8_t i = 0; i < 40; i++) {
        struct cof_x509_life life = {i, i, i, i};
        struct cof_ecdsa_key *leaf = NULL;

        assert_ok(cof_ecdsa_generate(COF_P256, &rng, &leaf));
        key[0] = i;
        assert_null(cof_attest_cache_find(cache, key, &life));
        cof_attest_cache_put(cache, key, leaf, &life);
        assert_ptr_equal(cof_attest_cache_find(cache, key, &life), leaf);
    }
    for (uint8_t i = 0; i < 40; i++) {
        struct cof_x509_life life = {0};

        key[0] = i;
        assert_int_equal(cof_attest_cache_find(cache, key, &life) != NULL, i >= 24);
        assert_int_equal(life.leaf_to_ms, i >= 24 ? i : 0);
    }
    cof_attest_cache_free(cache);
}

static void documents_have_room_of_their_own(void **state)
{
    struct cof_attest_cache *cache = NULL;
    struct cof_x509_life life;
    uint8_t key[32] = {0};

    assert_ok(cof_attest_cache_new(&cache));
    assert_false(cof_attest_cache_knows(cache, key, &life)); /* an empty place is nobody's, not even of the digest 0 */
    for (uint8_t i = 0; i < 100; i++) {
        key[0] = i;
        cof_attest_cache_put_document(cache, key, &(struct cof_x509_life){i, i, i, i});
        assert_null(cof_attest_cache_find(cache, key, &life)); /* no chain */
    }
    for (uint8_t i = 0; i < 100; i++) {
        life = (struct cof_x509_life){0};
        key[0] = i;
        assert_int_equal(cof_attest_cache_knows(cache, key, &life), i >= 36);
        assert_int_equal(life.leaf_to_ms, i >= 36 ? i : 0);
        key[31] = 1;
        assert_false(cof_attest_cache_knows(cache, key, &life));
        key[31] = 0;
    }
    cof_attest_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_knows_boundaries),
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(documents_have_room_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
