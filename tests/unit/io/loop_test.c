/* SPDX-License-Identifier: Apache-2.0
 *
 * Timers in order, wake-ups from other threads, and owners that disappear in the middle of a turn.
 */
#include "testing.h"

#include "io/clock.h"
#include "io/loop.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define N 1000

struct item {
    struct cof_timer timer;
    int64_t after;
    bool fired;
};

static struct cof_loop *loop;
static struct item items[N];
static int64_t last_due;
static size_t n_fired;
static bool done;

static int setup(void **state)
{
    done = false;
    n_fired = 0;
    last_due = 0;
    return cof_loop_new(&loop) == COF_OK ? 0 : -1;
}

static int teardown(void **state)
{
    cof_loop_free(loop);
    return 0;
}

static void on_item(struct cof_timer *timer)
{
    struct item *item = (struct item *)(void *)timer;

    assert_false(item->fired);
    assert_true(timer->due_ms >= last_due && timer->due_ms <= cof_loop_now_ms(loop));
    last_due = timer->due_ms;
    item->fired = true;
    done = ++n_fired == N / 2;
}

static void timers_fire_in_order_and_only_when_armed(void **state)
{
    TEST_RNG(rng, 7);

    for (size_t i = 0; i < N; i++) {
        uint8_t r;
        assert_ok(cof_rng_fill(&rng, &r, 1));
        items[i] = (struct item){.timer.fire = on_item, .after = r % 50};
        assert_ok(cof_loop_arm(loop, &items[i].timer, 1000000));
        assert_ok(cof_loop_arm(loop, &items[i].timer, items[i].after)); /* armed again: the new time counts */
    }
    for (size_t i = 0; i < N; i += 2) {
        cof_loop_disarm(loop, &items[i].timer);
        cof_loop_disarm(loop, &items[i].timer);
    }
    assert_ok(cof_loop_run_until(loop, &done, 20000));
    for (size_t i = 0; i < N; i++)
        assert_int_equal(items[i].fired, i % 2);
}

static void deadlines_hold(void **state)
{
    bool never = false;

    assert_int_equal(cof_loop_run_until(loop, &never, 0), COF_E_TIMEOUT);
    assert_int_equal(cof_loop_run_until(loop, &never, 5), COF_E_TIMEOUT);
}

static void on_post(void *arg)
{
    (void)arg;
    done = ++n_fired == 4 * N;
}

static void *poster(void *arg)
{
    for (int i = 0; i < N; i++)
        if (cof_loop_post(loop, on_post, NULL) != COF_OK)
            return NULL;
    return arg;
}

static void threads_may_post(void **state)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, poster, &done), 0);
    assert_ok(cof_loop_run_until(loop, &done, 20000));
    for (int i = 0; i < 4; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &done);
    }
    assert_int_equal(n_fired, 4 * N);
}

struct pair {
    struct cof_watch watch;
    struct pair *other;
};

static struct pair *survivor; /* which of the two it is, the kernel decides */

/* The first of two ready watches frees the second: that one must not be called. */
static void on_ready(struct cof_watch *watch, unsigned events)
{
    struct pair *p = (struct pair *)(void *)watch;

    assert_true((events & COF_READABLE) != 0);
    n_fired++;
    cof_loop_unwatch(loop, &p->other->watch);
    (void)close(p->other->watch.fd);
    memset(p->other, 0xa5, sizeof *p->other);
    free(p->other);
    cof_loop_unwatch(loop, watch);
    survivor = p;
    done = true;
}

static void owners_may_disappear(void **state)
{
    struct pair *pairs[2];
    int far[2];

    for (int i = 0; i < 2; i++) {
        int fd[2];
        pairs[i] = calloc(1, sizeof *pairs[i]);
        assert_int_equal(pipe(fd), 0);
        pairs[i]->watch = (struct cof_watch){.ready = on_ready, .fd = fd[0]};
        far[i] = fd[1];
        assert_int_equal(write(fd[1], "x", 1), 1);
        assert_ok(cof_loop_watch(loop, &pairs[i]->watch, COF_READABLE));
    }
    pairs[0]->other = pairs[1];
    pairs[1]->other = pairs[0];
    assert_ok(cof_loop_run_until(loop, &done, 20000));
    assert_int_equal(n_fired, 1);
    for (int i = 0; i < 2; i++)
        (void)close(far[i]);
    (void)close(survivor->watch.fd);
    free(survivor);
}

static void on_slow(struct cof_timer *timer)
{
    done = true;
}

/* Between runs the loop's clock stands still; timers armed then must count from the true time. */
static void timers_armed_between_runs_are_not_early(void **state)
{
    struct cof_timer timer = {.fire = on_slow};
    struct timespec start, end;
    int64_t before = cof_clock_monotonic_ms();

    while (cof_clock_monotonic_ms() < before + 60) /* work */
        continue;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    assert_ok(cof_loop_arm(loop, &timer, 50));
    assert_ok(cof_loop_run_until(loop, &done, 20000));
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000 >= 48);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(timers_fire_in_order_and_only_when_armed),
        TEST(deadlines_hold),
        TEST(threads_may_post),
        TEST(owners_may_disappear),
        TEST(timers_armed_between_runs_are_not_early),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
