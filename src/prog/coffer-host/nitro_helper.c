/* SPDX-License-Identifier: Apache-2.0 */
#include "nitro_helper.h"

#include "io/capture.h"
#include "io/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARGS_MAX 20

int64_t nitro_verb_ms(enum nitro_verb verb)
{
    switch (verb) {
    case NITRO_RUN:
        return 300000; /* memory is set aside, the image loaded, and its kernel waited for */
    case NITRO_DESCRIBE:
        return 20000;
    case NITRO_TERMINATE:
        return 60000;
    }
    return 0;
}

static size_t run_arguments(const struct nitro_helper_opts *o, char numbers[3][24], const char *argv[ARGS_MAX])
{
    size_t n = 0;

    (void)snprintf(numbers[0], sizeof numbers[0], "%llu", (unsigned long long)o->cpus);
    (void)snprintf(numbers[1], sizeof numbers[1], "%llu", (unsigned long long)o->memory_mib);
    (void)snprintf(numbers[2], sizeof numbers[2], "%u", o->cid);
    for (size_t i = 0; i < 12; i++) {
        const char *const words[] = {"nitro-cli", "run-enclave", "--enclave-name", o->name, "--eif-path", o->image, "--cpu-count", numbers[0],
                                     "--memory", numbers[1], "--enclave-cid", numbers[2]};
        argv[n++] = words[i];
    }
    if (o->debug)
        argv[n++] = "--debug-mode";
    return n;
}

static enum cof_err run(const struct nitro_helper_opts *o, enum nitro_verb verb, const char *id, struct cof_buf *out, struct cof_buf *errors,
                        int *code, struct cof_diag *diag)
{
    static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", NULL};
    const char *argv[ARGS_MAX] = {"nitro-cli", NULL};
    char numbers[3][24];
    struct cof_capture_opts opts = {.path = o->nitro_cli, .argv = argv, .envp = environment, .timeout_ms = nitro_verb_ms(verb), .out = out,
                                    .errors = errors};
    size_t n = 1;

    if (verb == NITRO_RUN) {
        n = run_arguments(o, numbers, argv);
    } else if (verb == NITRO_DESCRIBE) {
        argv[n++] = "describe-enclaves";
    } else {
        argv[n++] = "terminate-enclave";
        argv[n++] = "--enclave-id";
        argv[n++] = id;
    }
    argv[n] = NULL;
    return cof_capture(&opts, code, diag);
}

/* last: the enclave to terminate when the asker is gone. */
static void serve(const struct nitro_helper_opts *o, int fd, enum nitro_verb verb, const char *id, char last[static COF_NITRO_ID_MAX])
{
    struct cof_nitro_enclave e;
    struct cof_buf out, errors, packet;
    struct cof_diag diag = {0};
    int code;
    enum cof_err err;

    cof_buf_init(&out, COF_NITRO_OUTPUT_MAX);
    cof_buf_init(&errors, NITRO_ERRORS_MAX);
    cof_buf_init(&packet, NITRO_REPLY_MAX);
    err = run(o, verb, id, &out, &errors, &code, &diag);
    if (err != COF_OK) {
        cof_buf_done(&errors);
        cof_buf_init(&errors, NITRO_ERRORS_MAX);
        cof_buf_add_str(&errors, diag.text[0] != '\0' ? diag.text : cof_err_text(err));
    }
    if (verb == NITRO_RUN && err == COF_OK && code == 0 && cof_nitro_parse_run(cof_buf_view(&out), &e, NULL) == COF_OK)
        memcpy(last, e.id, COF_NITRO_ID_MAX);
    else if (verb == NITRO_TERMINATE && err == COF_OK && code == 0)
        last[0] = '\0';
    cof_buf_add_u8(&packet, err == COF_OK);
    cof_buf_add_u32(&packet, (uint32_t)code);
    cof_buf_add_u32(&packet, (uint32_t)cof_buf_view(&out).len);
    cof_buf_add(&packet, cof_buf_view(&out));
    cof_buf_add(&packet, cof_buf_view(&errors)); /* empty when it was too much: then the code says enough */
    if (fd >= 0 && cof_buf_err(&packet) == COF_OK)
        (void)!send(fd, packet.data, packet.len, MSG_NOSIGNAL);
    cof_buf_done(&out);
    cof_buf_done(&errors);
    cof_buf_done(&packet);
}

static _Noreturn void be_helper(const struct nitro_helper_opts *o, int fd)
{
    char request[1 + COF_NITRO_ID_MAX], last[COF_NITRO_ID_MAX] = "";
    ssize_t n;

    (void)signal(SIGINT, SIG_IGN); /* the asker's to handle; its end is ours */
    (void)signal(SIGTERM, SIG_IGN);
    if (cof_sandbox_drop_caps(NULL) != COF_OK)
        _exit(1);
    for (;;) {
        n = recv(fd, request, sizeof request - 1, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        request[n] = '\0';
        if (request[0] != NITRO_RUN && (!cof_nitro_is_id(cof_view_str(request + 1)) || (request[0] != NITRO_DESCRIBE && request[0] != NITRO_TERMINATE)))
            _exit(1);
        serve(o, fd, (enum nitro_verb)request[0], request + 1, last);
    }
    if (last[0] != '\0')
        serve(o, -1, NITRO_TERMINATE, memcpy(request, last, sizeof last), last);
    _exit(0);
}

enum cof_err nitro_helper_start(const struct nitro_helper_opts *opts, int *fd, struct cof_diag *diag)
{
    int pair[2], room = NITRO_REPLY_MAX;
    pid_t pid;

    *fd = -1;
    if (access(opts->nitro_cli, X_OK) != 0)
        return cof_diag_set(diag, COF_E_CONFIG, "%s: %s", opts->nitro_cli, strerror(errno));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return cof_diag_set(diag, COF_E_IO, "socketpair: %s", strerror(errno));
    (void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        be_helper(opts, pair[1]);
    }
    (void)close(pair[1]);
    if (pid < 0) {
        (void)close(pair[0]);
        return cof_diag_set(diag, COF_E_IO, "fork: %s", strerror(errno));
    }
    *fd = pair[0];
    return COF_OK;
}

enum cof_err nitro_helper_ask(int fd, enum nitro_verb verb, const char *id)
{
    char request[1 + COF_NITRO_ID_MAX];
    int n = snprintf(request, sizeof request, "%c%s", (char)verb, id);

    return n > 0 && (size_t)n < sizeof request && send(fd, request, (size_t)n, MSG_NOSIGNAL) == n ? COF_OK : COF_E_CLOSED;
}

enum cof_err nitro_answer_read(struct cof_view packet, struct nitro_answer *out)
{
    uint8_t ran;
    uint32_t code, len;

    *out = (struct nitro_answer){0};
    if (cof_take_u8(&packet, &ran) != COF_OK || cof_take_u32(&packet, &code) != COF_OK || cof_take_u32(&packet, &len) != COF_OK ||
        cof_take(&packet, len, &out->out) != COF_OK)
        return COF_E_FORMAT;
    out->ran = ran == 1;
    out->code = (int)code;
    out->errors = packet;
    return COF_OK;
}
