/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "io/capture.h"

static enum cof_err shell(const char *script, int64_t ms, size_t max, struct cof_buf *out, struct cof_buf *errors, int *code)
{
    const char *const argv[] = {"sh", "-c", script, NULL}, *const envp[] = {"PATH=/bin:/usr/bin", NULL};

    cof_buf_init(out, max);
    cof_buf_init(errors, max);
    return cof_capture(&(struct cof_capture_opts){.path = "/bin/sh", .argv = argv, .envp = envp, .timeout_ms = ms, .out = out, .errors = errors, .die_with_us = true}, code, NULL);
}

static void output_and_complaints_apart(void **state)
{
    struct cof_buf out, errors;
    int code;

    assert_ok(shell("echo said; echo complained >&2; exit 7", 10000, 4096, &out, &errors, &code));
    assert_int_equal(code, 7);
    assert_string_equal(cof_buf_cstr(&out), "said\n");
    assert_string_equal(cof_buf_cstr(&errors), "complained\n");
    cof_buf_done(&out);
    cof_buf_done(&errors);
}

static void more_than_a_pipe_holds(void **state)
{
    struct cof_buf out, errors;
    int code;

    assert_ok(shell("head -c 300000 /dev/zero", 10000, 400000, &out, &errors, &code));
    assert_int_equal(out.len, 300000);
    cof_buf_done(&out);
    assert_int_equal(shell("head -c 300000 /dev/zero", 10000, 1000, &out, &errors, &code), COF_E_LIMIT);
    cof_buf_done(&out);
    cof_buf_done(&errors);
}

static void who_does_not_end_is_killed_and_who_is_left_behind_not_waited_for(void **state)
{
    struct cof_buf out, errors;
    int code;

    assert_int_equal(shell("sleep 60", 50, 4096, &out, &errors, &code), COF_E_TIMEOUT);
    cof_buf_done(&out);
    assert_ok(shell("sleep 3 & echo done", 2000, 4096, &out, &errors, &code)); /* it holds the pipe */
    assert_string_equal(cof_buf_cstr(&out), "done\n");
    cof_buf_done(&out);
    assert_ok(shell("kill -9 $$", 10000, 4096, &out, &errors, &code));
    assert_int_equal(code, -1);
    cof_buf_done(&out);
    cof_buf_done(&errors);
}

static void what_is_not_there(void **state)
{
    const char *const argv[] = {"x", NULL};
    struct cof_buf out;
    int code;

    cof_buf_init(&out, 100);
    assert_int_equal(cof_capture(&(struct cof_capture_opts){.path = "/no/such/program", .argv = argv, .timeout_ms = 1000, .out = &out}, &code, NULL), COF_E_NOT_FOUND);
    assert_int_equal(code, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_complaints_apart),
        cmocka_unit_test(more_than_a_pipe_holds),
        cmocka_unit_test(who_does_not_end_is_killed_and_who_is_left_behind_not_waited_for),
        cmocka_unit_test(what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
