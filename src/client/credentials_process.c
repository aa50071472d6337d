/* SPDX-License-Identifier: Apache-2.0 */
#include "client/credentials.h"

#include "io/capture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX 64
#define ENV_MAX 16
#define TIMEOUT_MS 60000

/* Where its own settings and helpers are found; our keys are not among them. */
static const char *const passed_on[] = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "HTTPS_PROXY", "NO_PROXY",
                                        "AWS_CONFIG_FILE", "AWS_CA_BUNDLE", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR",
                                        "DBUS_SESSION_BUS_ADDRESS", "SSL_CERT_FILE"};

/* Words of a command line: blanks part them, '...' and "..." and \ protect. Written into store, NUL after each. */
static enum cof_err split_words(struct cof_view command, struct cof_buf *store, const char **argv, size_t *n_args)
{
    size_t starts[ARGS_MAX], n = 0;
    bool inside = false;
    char quote = '\0';

    for (size_t i = 0; i < command.len; i++) {
        char c = (char)command.data[i];
        if (quote == '\0' && (c == ' ' || c == '\t')) {
            if (inside)
                cof_buf_add_u8(store, 0);
            inside = false;
            continue;
        }
        if (!inside) {
            if (n == ARGS_MAX - 1)
                return COF_E_LIMIT;
            starts[n++] = store->len;
            inside = true;
        }
        if (c == quote || (quote == '\0' && (c == '\'' || c == '"'))) {
            quote = c == quote ? '\0' : c;
            continue;
        }
        if (c == '\\' && quote != '\'') {
            if (++i == command.len)
                return COF_E_FORMAT;
            c = (char)command.data[i];
        }
        cof_buf_add_u8(store, (uint8_t)c);
    }
    cof_buf_add_u8(store, 0);
    if (quote != '\0' || n == 0 || cof_buf_err(store) != COF_OK)
        return COF_E_FORMAT;
    for (size_t i = 0; i < n; i++)
        argv[i] = (const char *)store->data + starts[i];
    argv[n] = NULL;
    *n_args = n;
    return COF_OK;
}

/* As execvp would: a name with a slash is a path, others are looked for in PATH. */
static bool find_program(const struct cof_env *env, const char *name, char out[4096])
{
    struct cof_view rest = cof_view_str(cof_env_get(env, "PATH")), dir;

    if (strchr(name, '/') != NULL)
        return snprintf(out, 4096, "%s", name) < 4096;
    while (rest.len > 0) {
        (void)cof_view_split(rest, ':', &dir, &rest);
        if (dir.len > 0 && snprintf(out, 4096, "%.*s/%s", (int)dir.len, (const char *)dir.data, name) < 4096 &&
            access(out, X_OK) == 0)
            return true;
    }
    return false;
}

static void make_environment(const struct cof_env *env, struct cof_buf *store, const char *envp[ENV_MAX])
{
    size_t starts[ENV_MAX], n = 0;

    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++) {
        const char *value = cof_env_get(env, passed_on[i]);
        if (value == NULL)
            continue;
        starts[n++] = store->len;
        cof_buf_printf(store, "%s=%s", passed_on[i], value);
        cof_buf_add_u8(store, 0);
    }
    if (cof_buf_err(store) != COF_OK)
        n = 0;
    for (size_t i = 0; i < n; i++)
        envp[i] = (const char *)store->data + starts[i];
    envp[n] = NULL;
}

static enum cof_err run(const char *path, const char *const *argv, const char *const *envp, struct cof_buf *out, struct cof_diag *diag)
{
    /* what it complains about is for the person */
    struct cof_capture_opts opts = {.path = path, .argv = argv, .envp = envp, .timeout_ms = TIMEOUT_MS, .out = out, .die_with_us = true};
    int code;
    enum cof_err err = cof_capture(&opts, &code, diag);

    if (err == COF_E_TIMEOUT)
        return cof_diag_set(diag, err, "credential_process: %s does not end", argv[0]);
    if (err == COF_OK && code != 0)
        err = cof_diag_set(diag, COF_E_CONFIG, "credential_process: %s failed (exit status %d)", argv[0], code);
    return err;
}

enum cof_err cof_credentials_process(const struct cof_env *env, struct cof_view command, struct cof_buf *out,
                                     struct cof_diag *diag)
{
    const char *argv[ARGS_MAX], *envp[ENV_MAX];
    struct cof_buf words, variables;
    char path[4096];
    size_t n = 0;
    enum cof_err err;

    cof_buf_init(&words, 65536);
    cof_buf_init(&variables, 262144);
    err = split_words(command, &words, argv, &n);
    if (err != COF_OK)
        err = cof_diag_set(diag, COF_E_CONFIG, "credential_process: the command line is malformed");
    else if (!find_program(env, argv[0], path))
        err = cof_diag_set(diag, COF_E_CONFIG, "credential_process: %s is not found", argv[0]);
    if (err == COF_OK) {
        make_environment(env, &variables, envp);
        err = run(path, argv, envp, out, diag);
    }
    cof_buf_done(&words);
    cof_buf_done(&variables);
    return err;
}
