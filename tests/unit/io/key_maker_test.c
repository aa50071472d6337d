/* SPDX-License-Identifier: Apache-2.0
 * Keys are made beside the loop: who asks is told to wait, hears of the key, and gets one of the size asked for; those left over
 * are kept, and freed with the maker, also while one is being made.
 */
#include "io/key_maker.h"
#include "testing.h"

struct heard {
    struct cof_loop *loop;
    unsigned bits;
    size_t n, wanted;
    bool done;
};

static void on_ready(void *ctx, unsigned bits)
{
    struct heard *h = ctx;

    h->bits = bits;
    h->done = ++h->n == h->wanted;
}

static void a_key_is_made_meanwhile(void **state)
{
    struct heard h = {.wanted = 1};
    struct cof_key_maker *maker;
    struct cof_rsa_key *key, *first;

    (void)state;
    assert_ok(cof_loop_new(&h.loop));
    assert_ok(cof_key_maker_new(h.loop, on_ready, &h, &maker));
    assert_int_equal(cof_key_maker_take(maker, 1024, &key), COF_E_USAGE);
    assert_int_equal(cof_key_maker_take(maker, 2048, &key), COF_E_RETRY);
    assert_null(key);
    assert_ok(cof_loop_run_until(h.loop, &h.done, 30000));
    assert_int_equal(h.bits, 2048);
    assert_ok(cof_key_maker_take(maker, 2048, &first));
    assert_int_equal(cof_rsa_bits(first), 2048);
    assert_true(cof_rsa_is_private(first));
    h = (struct heard){.loop = h.loop, .wanted = 3};
    for (int i = 0; i < 2; i++)
        assert_int_equal(cof_key_maker_take(maker, 2048, &key), COF_E_RETRY);
    assert_int_equal(cof_key_maker_take(maker, 3072, &key), COF_E_RETRY);
    assert_ok(cof_loop_run_until(h.loop, &h.done, 60000));
    assert_ok(cof_key_maker_take(maker, 3072, &key));
    assert_int_equal(cof_rsa_bits(key), 3072);
    cof_rsa_free(key);
    assert_ok(cof_key_maker_take(maker, 2048, &key)); /* the other stays with the maker */
    cof_rsa_free(key);
    cof_rsa_free(first);
    cof_key_maker_free(maker);
    cof_loop_free(h.loop);
}

static void ending_waits_for_no_one_else(void **state)
{
    struct heard h = {.wanted = 1};
    struct cof_key_maker *maker;
    struct cof_rsa_key *key;

    (void)state;
    assert_ok(cof_loop_new(&h.loop));
    assert_ok(cof_key_maker_new(h.loop, on_ready, &h, &maker));
    cof_key_maker_free(maker); /* never asked: there is no thread */
    assert_ok(cof_key_maker_new(h.loop, on_ready, &h, &maker));
    for (int i = 0; i < 1000; i++)
        assert_int_equal(cof_key_maker_take(maker, 2048, &key), COF_E_RETRY);
    cof_key_maker_free(maker);
    cof_key_maker_free(NULL);
    cof_loop_free(h.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_made_meanwhile),
        cmocka_unit_test(ending_waits_for_no_one_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
