/* SPDX-License-Identifier: Apache-2.0
 *
 * A line reaches standard error whole, dated, and not below its level. Clock and randomness are the system's.
 */
#include "testing.h"

#include "io/clock.h"
#include "io/log_stderr.h"
#include "io/rng_os.h"

#include <unistd.h>

static void lines_reach_standard_error(void **state)
{
    struct cof_log log;
    int fd[2], saved = dup(STDERR_FILENO);
    char text[1024];
    ssize_t n;

    assert_int_equal(pipe(fd), 0);
    assert_true(dup2(fd[1], STDERR_FILENO) >= 0);
    cof_log_stderr(&log, "coffer-test", COF_LOG_INFO);
    cof_log_event(&log, COF_LOG_DEBUG, "not.seen", NULL);
    cof_log_event(&log, COF_LOG_WARN, "seen", "name", "a\nb", NULL);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(fd[1]);
    n = read(fd[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_int_equal(strncmp(text, "{\"time\":\"2", 10), 0);
    assert_non_null(strstr(text, "\"level\":\"warn\",\"component\":\"coffer-test\",\"event\":\"seen\",\"name\":\"a\\u000ab\"}\n"));
    assert_null(strstr(text, "not.seen"));
    (void)close(fd[0]);
    (void)close(saved);
}

static void clocks_and_randomness_are_real(void **state)
{
    uint8_t a[5000] = {0}, b[5000] = {0};
    int64_t start = cof_clock_monotonic_ms();
    size_t zeros = 0;

    assert_true(cof_clock_wall_ms() > 1700000000000LL);
    assert_true(cof_clock_monotonic_ms() >= start);
    assert_ok(cof_rng_fill(&cof_rng_os, a, sizeof a));
    assert_ok(cof_rng_fill(&cof_rng_os, b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    for (size_t i = 0; i < sizeof a; i++)
        zeros += a[i] == 0;
    assert_true(zeros < 200); /* all of it was filled: some 20 are expected */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_reach_standard_error),
        cmocka_unit_test(clocks_and_randomness_are_real),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
