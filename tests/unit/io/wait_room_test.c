/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of waiters: first come first served, one woken a call, nobody woken for nothing but the last one.
 */
#include "testing.h"

#include "io/wait_room.h"

#include <stdio.h>

#define N 3000

struct sleeper {
    struct cof_waiter waiter;
    const char *name;
    int n_woken;
    bool served, gone;
};

static struct cof_loop *loop;
static struct cof_wait_room *room;
static struct sleeper sleepers[N];
static size_t n_things, n_woken, last_served; /* things: what is there to be taken */
static int n_called;
static bool done;

static void on_called(void *ctx)
{
    n_called++;
}

static enum cof_wait_result wake(struct cof_waiter *waiter)
{
    struct sleeper *s = (struct sleeper *)(void *)waiter;

    assert_null(waiter->line);
    s->n_woken++;
    n_woken++;
    if (s->gone)
        return COF_WAIT_LEFT;
    if (n_things == 0) {
        assert_ok(cof_wait_join(room, waiter, s->name, true));
        return COF_WAIT_AGAIN;
    }
    n_things--;
    s->served = true;
    last_served = (size_t)(s - sleepers);
    done = true;
    return COF_WAIT_SERVED;
}

static int setup(void **state)
{
    n_things = n_woken = 0;
    n_called = 0;
    done = false;
    if (cof_loop_new(&loop) != COF_OK || cof_wait_room_new(loop, on_called, NULL, &room) != COF_OK)
        return -1;
    for (size_t i = 0; i < N; i++)
        sleepers[i] = (struct sleeper){.waiter.wake = wake, .name = "a"};
    return 0;
}

static int teardown(void **state)
{
    for (size_t i = 0; i < N; i++)
        cof_wait_leave(room, &sleepers[i].waiter);
    cof_wait_room_free(room);
    cof_loop_free(loop);
    return 0;
}

static void one_call_wakes_one_the_first(void **state)
{
    for (size_t i = 0; i < N; i++)
        assert_ok(cof_wait_join(room, &sleepers[i].waiter, "a", false));
    for (size_t i = 0; i < N; i++) {
        n_things = 1;
        cof_wait_call(room, "a", 0);
        cof_wait_room_run(room);
        assert_int_equal(n_things, 0);
        assert_int_equal(last_served, i);
    }
    assert_int_equal(n_woken, N); /* nobody was woken for nothing */
    cof_wait_call(room, "a", 0);
    assert_int_equal(n_called, N); /* nobody waits: nobody is called */
}

static void more_calls_than_things_cost_one_waking_in_vain(void **state)
{
    for (size_t i = 0; i < 100; i++)
        assert_ok(cof_wait_join(room, &sleepers[i].waiter, "a", false));
    n_things = 3;
    for (int i = 0; i < 10; i++)
        cof_wait_call(room, "a", 0);
    assert_int_equal(n_called, 1);
    cof_wait_room_run(room);
    assert_int_equal(n_woken, 4);
    assert_true(sleepers[2].served && !sleepers[3].served);
    n_things = 1; /* who was woken in vain is still the first */
    cof_wait_call(room, "a", 0);
    cof_wait_room_run(room);
    assert_true(sleepers[3].served);
    assert_int_equal(n_woken, 5);
}

static void who_left_costs_nobody_a_call(void **state)
{
    for (size_t i = 0; i < 10; i++)
        assert_ok(cof_wait_join(room, &sleepers[i].waiter, "a", false));
    for (size_t i = 0; i < 5; i++)
        sleepers[i].gone = true;
    cof_wait_leave(room, &sleepers[5].waiter);
    cof_wait_leave(room, &sleepers[5].waiter);
    n_things = 1;
    cof_wait_call(room, "a", 0);
    cof_wait_room_run(room);
    assert_true(sleepers[6].served);
    assert_int_equal(sleepers[5].n_woken, 0);
}

static void lines_do_not_hear_each_other(void **state)
{
    static char names[N][16];

    for (size_t i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof names[i], "line %zu", i);
        sleepers[i].name = names[i];
        assert_ok(cof_wait_join(room, &sleepers[i].waiter, names[i], false));
    }
    n_things = 2;
    cof_wait_call(room, "line 7", 0);
    cof_wait_call(room, "line 2999", 0);
    cof_wait_call(room, "line", 0);
    cof_wait_room_run(room);
    assert_true(sleepers[7].served && sleepers[2999].served);
    assert_int_equal(n_woken, 2);
}

static void a_call_by_time_comes_then_and_the_earliest_counts(void **state)
{
    assert_ok(cof_wait_join(room, &sleepers[0].waiter, "a", false));
    cof_wait_call(room, "a", 60000);
    cof_wait_call(room, "a", 5);
    cof_wait_call(room, "a", 70000);
    n_things = 1;
    while (n_called == 0)
        assert_true(cof_loop_run_until(loop, &done, 20) == COF_E_TIMEOUT);
    cof_wait_room_run(room);
    assert_true(sleepers[0].served);
    cof_wait_call(room, "a", 5); /* nobody is there any more */
    assert_int_equal(n_called, 1);
}

static void all_can_be_called_at_once(void **state)
{
    char names[16][8];

    for (size_t i = 0; i < 64; i++) {
        (void)snprintf(names[i % 16], sizeof names[0], "q%zu", i % 16);
        sleepers[i].name = names[i % 16];
        sleepers[i].gone = true;
        assert_ok(cof_wait_join(room, &sleepers[i].waiter, sleepers[i].name, false));
    }
    cof_wait_leave(room, &sleepers[5].waiter);
    assert_int_equal(cof_wait_room_waiting(room), 63);
    cof_wait_room_call_all(room);
    assert_int_equal(n_called, 16);
    cof_wait_room_run(room);
    assert_int_equal(n_woken, 63);
    assert_int_equal(cof_wait_room_waiting(room), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_call_wakes_one_the_first, setup, teardown),
        cmocka_unit_test_setup_teardown(more_calls_than_things_cost_one_waking_in_vain, setup, teardown),
        cmocka_unit_test_setup_teardown(who_left_costs_nobody_a_call, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_do_not_hear_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_by_time_comes_then_and_the_earliest_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(all_can_be_called_at_once, setup, teardown),
    };

    return cmocka_run_group_tests_name("io/wait_room", tests, NULL, NULL);
}
