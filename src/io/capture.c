/* SPDX-License-Identifier: Apache-2.0 */
#include "io/capture.h"

#include "base/secret.h"
#include "io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct pipe_end {
    struct cof_watch watch; /* first: how the callback finds the rest */
    struct capture *owner;
    struct cof_buf *to;
};

struct capture {
    struct cof_loop *loop;
    struct pipe_end out, errors; /* errors.watch.fd -1: not taken */
    bool done;
    int code;
};

/* False once there is no more to come. */
static bool take_output(struct pipe_end *end)
{
    uint8_t block[4096];
    ssize_t n;

    do {
        n = read(end->watch.fd, block, sizeof block);
        if (n > 0)
            cof_buf_add_bytes(end->to, block, (size_t)n);
    } while (n > 0);
    cof_wipe(block, sizeof block);
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* What it wrote is in the pipes by now. Their end is not waited for: something that it left behind may hold them. */
static void on_exit_code(void *ctx, struct cof_process *process, int code, int signal)
{
    struct capture *c = ctx;

    (void)process;
    (void)signal;
    c->code = code;
    (void)take_output(&c->out);
    if (c->errors.watch.fd >= 0)
        (void)take_output(&c->errors);
    c->done = true;
}

static void on_output(struct cof_watch *watch, unsigned events)
{
    struct pipe_end *end = (struct pipe_end *)(void *)watch;

    (void)events;
    if (!take_output(end))
        cof_loop_unwatch(end->owner->loop, watch);
}

/* *theirs is the end to give to the program. */
static enum cof_err open_end(struct capture *c, struct pipe_end *end, struct cof_buf *to, int *theirs)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return COF_E_IO;
    *theirs = fds[1];
    *end = (struct pipe_end){.watch = {.ready = on_output, .fd = fds[0]}, .owner = c, .to = to};
    if (fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0)
        return COF_E_IO;
    return cof_loop_watch(c->loop, &end->watch, COF_READABLE);
}

static void close_end(struct capture *c, struct pipe_end *end)
{
    if (end->watch.fd < 0)
        return;
    cof_loop_unwatch(c->loop, &end->watch);
    (void)close(end->watch.fd);
}

enum cof_err cof_capture(const struct cof_capture_opts *opts, int *code, struct cof_diag *diag)
{
    struct capture c = {.out.watch.fd = -1, .errors.watch.fd = -1};
    int theirs[2] = {-1, 2};
    struct cof_process_fd fds[2];
    struct cof_process_opts process = {.path = opts->path, .argv = opts->argv, .envp = opts->envp, .fds = fds, .n_fds = 2,
                                       .die_with_us = opts->die_with_us, .exited = on_exit_code, .ctx = &c};
    struct cof_process *child = NULL;
    enum cof_err err = cof_loop_new(&c.loop);

    *code = -1;
    if (err == COF_OK)
        err = open_end(&c, &c.out, opts->out, &theirs[0]);
    if (err == COF_OK && opts->errors != NULL)
        err = open_end(&c, &c.errors, opts->errors, &theirs[1]);
    fds[0] = (struct cof_process_fd){theirs[0], 1};
    fds[1] = (struct cof_process_fd){theirs[1], 2};
    if (err == COF_OK)
        err = cof_process_start(c.loop, &process, &child, diag);
    for (int i = 0; i < 2; i++)
        if (theirs[i] > 2)
            (void)close(theirs[i]);
    if (err == COF_OK)
        err = cof_loop_run_until(c.loop, &c.done, opts->timeout_ms);
    cof_process_free(child);
    if (c.loop != NULL) {
        close_end(&c, &c.out);
        close_end(&c, &c.errors);
    }
    cof_loop_free(c.loop);
    if (err == COF_OK) {
        *code = c.code;
        err = cof_buf_err(opts->out);
    }
    return err;
}
