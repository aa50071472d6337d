/* SPDX-License-Identifier: Apache-2.0 */
#include "client/credentials_mfa.h"

#include "base/codec.h"
#include "base/date.h"
#include "client/credentials.h"
#include "crypto/hash.h"
#include "format/json.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SESSION_MAX 65536
#define CODE_LEN 6

static bool is_code(struct cof_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.len == CODE_LEN;
}

static void leave(struct cof_mfa_ask *ask)
{
    if (ask->tty < 0)
        return;
    cof_loop_unwatch(ask->loop, &ask->watch);
    (void)tcsetattr(ask->tty, TCSANOW, &ask->was);
    (void)!write(ask->tty, "\n", 1);
    (void)close(ask->tty);
    ask->tty = -1;
}

/* The terminal gives each key as it is pressed, the interrupt's too: whoever ends the program so must find the terminal as it was. */
static void on_key(struct cof_watch *watch, unsigned events)
{
    struct cof_mfa_ask *ask = (struct cof_mfa_ask *)(void *)((char *)watch - offsetof(struct cof_mfa_ask, watch));
    struct cof_buf code;
    char c = '\0';
    ssize_t n = read(ask->tty, &c, 1);
    enum cof_err err = COF_OK;

    (void)events;
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n == 1 && (c == '\b' || c == 127)) {
        cof_buf_truncate(&ask->code, ask->code.len > 0 ? ask->code.len - 1 : 0);
        return;
    }
    if (n == 1 && c >= ' ') {
        cof_buf_add_u8(&ask->code, (uint8_t)c);
        return;
    }
    leave(ask);
    if (c == 3)
        (void)raise(SIGINT);
    if (n != 1 || (c != '\n' && c != '\r'))
        err = COF_E_CONFIG;
    else if (!is_code(cof_buf_view(&ask->code)))
        err = COF_E_USAGE;
    code = ask->code; /* moved */
    ask->code = (struct cof_buf){0};
    ask->done(ask->ctx, err, cof_buf_view(&code));
    cof_buf_done(&code);
}

enum cof_err cof_mfa_ask_start(struct cof_mfa_ask *ask, struct cof_loop *loop, struct cof_view serial,
                               void (*done)(void *ctx, enum cof_err err, struct cof_view code), void *ctx, struct cof_diag *diag)
{
    struct termios raw;
    char prompt[256];
    int n = snprintf(prompt, sizeof prompt, "MFA code for %.*s: ", (int)(serial.len < 200 ? serial.len : 200), (const char *)serial.data);

    cof_mfa_ask_cancel(ask);
    *ask = (struct cof_mfa_ask){.loop = loop, .done = done, .ctx = ctx, .watch.ready = on_key};
    cof_buf_init_secret(&ask->code, 64);
    ask->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (ask->tty < 0 || tcgetattr(ask->tty, &ask->was) != 0) {
        if (ask->tty >= 0)
            (void)close(ask->tty);
        ask->tty = -1;
        (void)cof_diag_set(diag, COF_E_CONFIG, "the role asks for a code of %.*s, and there is no terminal to ask on", (int)serial.len,
                           (const char *)serial.data);
        cof_diag_hint(diag, "COFFER_MFA_CODE=123456 (the code that the device shows now)");
        return COF_E_CONFIG;
    }
    raw = ask->was;
    raw.c_lflag &= (tcflag_t) ~(ECHO | ICANON | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    (void)tcsetattr(ask->tty, TCSAFLUSH, &raw); /* before it is asked: an answer that comes at once must not be thrown away */
    ask->watch.fd = ask->tty;
    if (write(ask->tty, prompt, (size_t)n) == n && cof_loop_watch(loop, &ask->watch, COF_READABLE) == COF_OK)
        return COF_OK;
    leave(ask);
    return COF_E_IO;
}

void cof_mfa_ask_cancel(struct cof_mfa_ask *ask)
{
    if (ask->loop != NULL)
        leave(ask);
    cof_buf_done(&ask->code);
    *ask = (struct cof_mfa_ask){.tty = -1};
}

enum cof_err cof_credentials_mfa_code(const struct cof_env *env, struct cof_view serial, struct cof_buf *out, struct cof_diag *diag)
{
    const char *given = cof_env_get(env, "COFFER_MFA_CODE");

    (void)serial;
    if (given == NULL)
        return COF_E_SHORT;
    cof_buf_add_str(out, given);
    return is_code(cof_buf_view(out)) ? COF_OK : cof_diag_set(diag, COF_E_USAGE, "the MFA code must be six digits");
}

bool cof_mfa_session_path(const struct cof_env *env, const struct cof_credentials_role *role, struct cof_view key_id,
                          char path[static 4096])
{
    const char *base = cof_env_get(env, "XDG_CACHE_HOME"), *home = cof_env_get(env, "HOME");
    const struct cof_view parts[] = {key_id, role->arn, role->mfa_serial, role->session_name, role->external_id};
    uint8_t digest[32];
    char hex[65];
    struct cof_buf all;
    enum cof_err err;
    int n;

    cof_buf_init(&all, 16384);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        cof_buf_add_u32(&all, (uint32_t)parts[i].len);
        cof_buf_add(&all, parts[i]);
    }
    cof_buf_add_u32(&all, role->duration_s);
    err = cof_buf_err(&all);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&all), digest);
    cof_buf_done(&all);
    if (err != COF_OK || (base == NULL && home == NULL))
        return false;
    cof_hex_encode(digest, sizeof digest, hex);
    n = snprintf(path, 4096, "%s%s/coffer/sessions/%s.json", base != NULL ? base : home, base != NULL ? "" : "/.cache", hex);
    return n > 0 && n < 4096;
}

enum cof_err cof_mfa_session_read(const char *path, struct cof_buf *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    enum cof_err err = COF_E_NOT_FOUND;

    if (fd < 0)
        return err;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0 && st.st_size <= SESSION_MAX &&
        cof_file_read_fd(fd, path, out, NULL) == COF_OK)
        err = COF_OK;
    (void)close(fd);
    return err;
}

void cof_mfa_session_write(const char *path, const struct cof_aws_credentials *session)
{
    char expires[COF_DATE_MAX];
    struct cof_buf text;
    enum cof_err ignored = cof_file_make_parents(path, 0700, NULL);

    if (ignored != COF_OK)
        return;
    cof_date_iso_seconds(session->expires_ms, expires);
    cof_buf_init_secret(&text, SESSION_MAX);
    cof_buf_add_str(&text, "{\"Version\":1");
    cof_json_add_member(&text, "AccessKeyId", cof_buf_view(&session->access_key_id));
    cof_json_add_member(&text, "SecretAccessKey", cof_buf_view(&session->secret_access_key));
    cof_json_add_member(&text, "SessionToken", cof_buf_view(&session->session_token));
    cof_json_add_member(&text, "Expiration", cof_view_str(expires));
    cof_buf_add_str(&text, "}\n");
    if (cof_buf_err(&text) == COF_OK)
        ignored = cof_file_write(path, cof_buf_view(&text), 0600, NULL);
    (void)ignored;
    cof_buf_done(&text);
}
