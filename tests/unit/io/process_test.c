/* SPDX-License-Identifier: Apache-2.0
 *
 * Children get what was named and nothing else, failures to start are told as such, and their end is noticed.
 */
#include "testing.h"

#include "io/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

struct end {
    bool done;
    int code, signal;
    struct cof_process *free_it;
};

static void on_end(void *ctx, struct cof_process *process, int code, int signal)
{
    struct end *e = ctx;

    e->done = true;
    e->code = code;
    e->signal = signal;
    if (e->free_it != NULL)
        cof_process_free(process);
}

static struct cof_loop *new_loop(void)
{
    struct cof_loop *loop;

    assert_ok(cof_loop_new(&loop));
    return loop;
}

/* Runs sh -c script with its output in a pipe; gives back the output. */
static void shell(const char *script, struct cof_process_opts opts, struct end *end, char *out, size_t size)
{
    struct cof_loop *loop = new_loop();
    const char *argv[] = {"sh", "-c", script, NULL};
    struct cof_process_fd fds[3];
    struct cof_process *p;
    int fd[2];
    ssize_t n;

    *end = (struct end){0};
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    fds[0] = (struct cof_process_fd){fd[1], 1};
    if (opts.n_fds == 1)
        fds[1] = opts.fds[0];
    opts.path = "/bin/sh";
    opts.argv = argv;
    opts.fds = fds;
    opts.n_fds++;
    opts.exited = on_end;
    opts.ctx = end;
    assert_ok(cof_process_start(loop, &opts, &p, NULL));
    (void)close(fd[1]);
    assert_ok(cof_loop_run_until(loop, &end->done, 20000));
    n = read(fd[0], out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    (void)close(fd[0]);
    cof_process_free(p);
    cof_loop_free(loop);
}

static void tells_how_a_child_ended(void **state)
{
    struct end e;
    char out[64];

    shell("exit 7", (struct cof_process_opts){0}, &e, out, sizeof out);
    assert_int_equal(e.code, 7);
    assert_int_equal(e.signal, 0);
    shell("kill -TERM $$", (struct cof_process_opts){0}, &e, out, sizeof out);
    assert_int_equal(e.code, -1);
    assert_int_equal(e.signal, SIGTERM);
}

static void hands_over_what_was_named_and_no_more(void **state)
{
    const char *env[] = {"A=b", NULL};
    struct cof_process_fd extra;
    int leaky = open("/dev/null", O_RDONLY), mem = memfd_create("given", MFD_CLOEXEC);
    struct cof_process_opts opts = {.envp = env, .fds = &extra, .n_fds = 1, .dir = "/"};
    struct end e;
    char out[256];

    assert_true(leaky >= 0 && mem >= 0);
    assert_int_equal(write(mem, "hello", 5), 5);
    (void)lseek(mem, 0, SEEK_SET);
    extra = (struct cof_process_fd){mem, leaky}; /* takes the number of a descriptor that must not leak */
    assert_true(setenv("COFFER_TEST_SECRET", "x", 1) == 0);
    shell("cd /proc/self/fd && for f in *; do test $f -le 2 && echo -n $f,; done; echo -n \"$A$COFFER_TEST_SECRET;\"; pwd -P >&2",
          (struct cof_process_opts){.envp = env}, &e, out, sizeof out);
    assert_string_equal(out, "0,1,2,b;");
    shell("ls /proc/self/fd | wc -l", (struct cof_process_opts){0}, &e, out, sizeof out);
    assert_int_equal(strtol(out, NULL, 10), 4); /* 0 1 2 and the folder that ls reads */
    if (leaky < 10) { /* sh knows one digit */
        char script[64];
        (void)snprintf(script, sizeof script, "cat <&%d; pwd", leaky);
        shell(script, opts, &e, out, sizeof out);
        assert_string_equal(out, "hello/\n");
    }
    (void)close(leaky);
    (void)close(mem);
    (void)unsetenv("COFFER_TEST_SECRET");
}

static void runs_a_program_from_memory(void **state)
{
    struct cof_loop *loop = new_loop();
    const char *argv[] = {"true", NULL};
    struct cof_buf bytes;
    int mem = memfd_create("program", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct end e = {0};
    struct cof_process_opts opts = {.exec_fd = mem, .argv = argv, .exited = on_end, .ctx = &e};
    struct cof_process *p;

    assert_true(read_file("/bin/true", &bytes));
    assert_int_equal(write(mem, bytes.data, bytes.len), (ssize_t)bytes.len);
    assert_int_equal(fcntl(mem, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL), 0);
    assert_ok(cof_process_start(loop, &opts, &p, NULL));
    e.free_it = p; /* and it may be freed from its own last callback */
    assert_ok(cof_loop_run_until(loop, &e.done, 20000));
    assert_int_equal(e.code, 0);
    cof_buf_done(&bytes);
    (void)close(mem);
    cof_loop_free(loop);
}

static enum cof_err refuse(void *ctx, struct cof_diag *diag)
{
    return cof_diag_set(diag, COF_E_UNSUPPORTED, "no such sandbox");
}

static void tells_why_a_child_did_not_start(void **state)
{
    struct cof_loop *loop = new_loop();
    const char *argv[] = {"nothing", NULL};
    struct cof_process_opts opts = {.path = "/nonexistent/nothing", .argv = argv};
    struct cof_process *p;
    struct cof_diag diag = {0};

    assert_int_equal(cof_process_start(loop, &opts, &p, &diag), COF_E_NOT_FOUND);
    assert_non_null(strstr(diag.text, "/nonexistent/nothing"));
    assert_null(p);
    opts.path = "/etc/passwd";
    assert_int_equal(cof_process_start(loop, &opts, &p, &diag), COF_E_DENIED);
    opts.path = "/bin/true";
    opts.prepare = refuse;
    assert_int_equal(cof_process_start(loop, &opts, &p, &diag), COF_E_UNSUPPORTED);
    assert_string_equal(diag.text, "no such sandbox");
    opts.fds = &(struct cof_process_fd){-1, 0};
    opts.n_fds = 1;
    assert_int_equal(cof_process_start(loop, &opts, &p, &diag), COF_E_USAGE);
    cof_loop_free(loop);
}

static void freeing_kills(void **state)
{
    struct cof_loop *loop = new_loop();
    const char *argv[] = {"cat", NULL};
    int fd[2];
    struct cof_process_fd in;
    struct cof_process_opts opts = {.path = "/bin/cat", .argv = argv, .fds = &in, .n_fds = 1, .die_with_us = true};
    struct cof_process *p;
    pid_t pid;

    assert_int_equal(pipe2(fd, O_CLOEXEC), 0); /* cat would read for ever */
    in = (struct cof_process_fd){fd[0], 0};
    assert_ok(cof_process_start(loop, &opts, &p, NULL));
    pid = cof_process_pid(p);
    assert_int_equal(kill(pid, 0), 0);
    cof_process_free(p);
    assert_int_equal(kill(pid, 0), -1); /* gone and reaped */
    (void)close(fd[0]);
    (void)close(fd[1]);
    cof_loop_free(loop);
}

static void limits_hold(void **state)
{
    struct end e;
    char out[64];

    shell("ulimit -n", (struct cof_process_opts){.open_files = 33}, &e, out, sizeof out);
    assert_string_equal(out, "33\n");
    shell("ulimit -v", (struct cof_process_opts){.memory_bytes = 1 << 30}, &e, out, sizeof out);
    assert_string_equal(out, "1048576\n");
}

struct seen {
    int signals[4];
    size_t n;
    bool done;
    struct cof_signals *free_it;
};

static void on_caught(void *ctx, int signal)
{
    struct seen *s = ctx;

    s->signals[s->n++] = signal;
    s->done = s->n == 2;
    if (s->done && s->free_it != NULL)
        cof_signals_free(s->free_it);
}

static void signals_are_events(void **state)
{
    struct cof_loop *loop = new_loop();
    static const int list[] = {SIGTERM, SIGHUP};
    struct seen seen = {0};
    struct cof_signals *s;

    assert_ok(cof_signals_new(loop, list, 2, on_caught, &seen, &s));
    seen.free_it = s;
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(raise(SIGHUP), 0);
    assert_ok(cof_loop_run_until(loop, &seen.done, 20000));
    assert_true(seen.signals[0] + seen.signals[1] == SIGTERM + SIGHUP);
    cof_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_how_a_child_ended),
        cmocka_unit_test(hands_over_what_was_named_and_no_more),
        cmocka_unit_test(runs_a_program_from_memory),
        cmocka_unit_test(tells_why_a_child_did_not_start),
        cmocka_unit_test(freeing_kills),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(signals_are_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
