/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: a burst passes, then the rate holds exactly; subjects do not disturb each other; the table forgets the oldest
 * and stays in order under any use; a clock that goes back gives nothing.
 */
#include "testing.h"

#include "engine/ratelimit.h"

static struct cof_ratelimit *make(uint32_t per_minute, uint32_t burst, uint32_t n_subjects)
{
    struct cof_ratelimit_config config = {per_minute, burst, n_subjects};
    struct cof_ratelimit *limit = NULL;

    assert_ok(cof_ratelimit_new(&config, &limit));
    return limit;
}

static void burst_then_rate(void **state)
{
    struct cof_ratelimit *limit = make(60, 3, 8);
    int64_t wait;

    for (int i = 0; i < 3; i++)
        assert_ok(cof_ratelimit_take(limit, COF_LIT("a"), 1, 1000, &wait));
    assert_int_equal(cof_ratelimit_take(limit, COF_LIT("a"), 1, 1000, &wait), COF_E_THROTTLED);
    assert_int_equal(wait, 1000);
    assert_ok(cof_ratelimit_take(limit, COF_LIT("b"), 3, 1000, &wait));
    assert_int_equal(cof_ratelimit_take(limit, COF_LIT("a"), 1, 1999, &wait), COF_E_THROTTLED);
    assert_int_equal(wait, 1);
    assert_ok(cof_ratelimit_take(limit, COF_LIT("a"), 1, 2000, &wait));
    assert_int_equal(cof_ratelimit_take(limit, COF_LIT("a"), 2, 3000, &wait), COF_E_THROTTLED);
    assert_int_equal(wait, 1000);
    assert_int_equal(cof_ratelimit_take(limit, COF_LIT("a"), 4, 9000000, &wait), COF_E_THROTTLED);
    assert_true(wait == INT64_MAX);
    assert_ok(cof_ratelimit_take(limit, COF_LIT("a"), 3, INT64_MAX / 2, &wait)); /* long away: full, not more */
    assert_int_equal(cof_ratelimit_take(limit, COF_LIT("a"), 1, INT64_MAX / 2, &wait), COF_E_THROTTLED);
    cof_ratelimit_free(limit);
}

static void a_minute_gives_exactly_its_tokens(void **state)
{
    struct cof_ratelimit *limit = make(7, 1, 4); /* 60000 / 7 is no whole number of milliseconds */
    int64_t wait;
    int n = 0;

    for (int64_t now = 0; now < 600000; now++)
        n += cof_ratelimit_take(limit, COF_LIT("a"), 1, now, &wait) == COF_OK;
    assert_int_equal(n, 70);
    cof_ratelimit_free(limit);
}

static void the_clock_may_go_back(void **state)
{
    struct cof_ratelimit *limit = make(60, 1, 4);
    int64_t wait;

    assert_ok(cof_ratelimit_take(limit, COF_LIT("a"), 1, 100000, &wait));
    assert_int_equal(cof_ratelimit_take(limit, COF_LIT("a"), 1, 50000, &wait), COF_E_THROTTLED);
    assert_int_equal(cof_ratelimit_take(limit, COF_LIT("a"), 1, 100999, &wait), COF_E_THROTTLED);
    assert_ok(cof_ratelimit_take(limit, COF_LIT("a"), 1, 101000, &wait));
    cof_ratelimit_free(limit);
}

static void forgets_the_oldest(void **state)
{
    struct cof_ratelimit *limit = make(1, 1, 2);
    int64_t wait;

    assert_ok(cof_ratelimit_take(limit, COF_LIT("a"), 1, 0, &wait));
    assert_ok(cof_ratelimit_take(limit, COF_LIT("b"), 1, 1, &wait));
    assert_int_equal(cof_ratelimit_take(limit, COF_LIT("a"), 1, 2, &wait), COF_E_THROTTLED); /* a is young again */
    assert_ok(cof_ratelimit_take(limit, COF_LIT("c"), 1, 3, &wait));                         /* so b goes */
    assert_int_equal(cof_ratelimit_take(limit, COF_LIT("a"), 1, 4, &wait), COF_E_THROTTLED);
    assert_ok(cof_ratelimit_take(limit, COF_LIT("b"), 1, 5, &wait));
    cof_ratelimit_free(limit);
}

/* Against a plain list of the last n subjects. */
static void keeps_order_under_any_use(void **state)
{
    enum { SLOTS = 17 };
    struct cof_ratelimit *limit = make(1, 1, SLOTS);
    TEST_RNG(rng, 42);
    int recent[SLOTS], n = 0;
    int64_t wait;

    for (int step = 0; step < 20000; step++) {
        uint8_t r;
        int at = 0;
        enum cof_err want;

        assert_ok(cof_rng_fill(&rng, &r, 1));
        r %= 40;
        while (at < n && recent[at] != r)
            at++;
        want = at < n ? COF_E_THROTTLED : COF_OK;
        if (at == n && n < SLOTS)
            n++;
        for (int i = at < n ? at : n - 1; i > 0; i--)
            recent[i] = recent[i - 1];
        recent[0] = r;
        assert_int_equal(cof_ratelimit_take(limit, cof_view_of(&r, 1), 1, 0, &wait), want);
    }
    cof_ratelimit_free(limit);
}

static void refuses_bad_settings(void **state)
{
    static const struct cof_ratelimit_config bad[] = {{0, 1, 1},        {1, 0, 1},       {1, 1, 0},
                                                      {60000001, 1, 1}, {1, 1000001, 1}, {1, 1, 1048577}};
    struct cof_ratelimit *limit;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(cof_ratelimit_new(&bad[i], &limit), COF_E_USAGE);
    cof_ratelimit_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(burst_then_rate),    cmocka_unit_test(a_minute_gives_exactly_its_tokens),
        cmocka_unit_test(the_clock_may_go_back), cmocka_unit_test(forgets_the_oldest),
        cmocka_unit_test(keeps_order_under_any_use), cmocka_unit_test(refuses_bad_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
