/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer-producer: the gateway. Takes data over HTTPS from whoever has a token, seals it under a fresh data key, stores it and
 * queues the job. It sees plaintext for the moment of sealing and cannot open anything afterwards.
 */
#include "producer.h"

#include "engine/kms_call.h"
#include "io/clock.h"
#include "io/harden.h"
#include "io/log_stderr.h"
#include "io/process.h"
#include "io/rng_os.h"
#include "io/sandbox.h"
#include "prog/program.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define O(field) offsetof(struct producer, field)
static const struct cof_option options[] = {
    {"listen", 'l', COF_OPT_TEXT, "ADDRESS", "default tcp:127.0.0.1:8443; port 0 picks one", O(listen)},
    {"bucket", 'b', COF_OPT_TEXT, "NAME", "where sealed jobs are stored", O(bucket)},
    {"queue-url", 'q', COF_OPT_TEXT, "URL", "the queue of jobs", O(queue_url)},
    {"data-key-arn", 'k', COF_OPT_TEXT, "ARN", "the KMS key that data keys are drawn from", O(data_key_arn)},
    {"issuer", 'i', COF_OPT_TEXT, "URL", "who issues tokens; its keys are at URL/oauth/jwks.json", O(issuer)},
    {"audience", 0, COF_OPT_TEXT, "TEXT", "the tokens' audience (coffer-producer)", O(audience)},
    {"tls-dir", 0, COF_OPT_TEXT, "DIR", "a local certificate is made there when there is none", O(tls_dir)},
    {"cert", 0, COF_OPT_TEXT, "FILE", "TLS certificate chain, PEM", O(cert)},
    {"key", 0, COF_OPT_TEXT, "FILE", "TLS key, PEM", O(key)},
    {"type", 't', COF_OPT_LIST, "TYPE", "a media type taken, e.g. image/*; repeatable (image/*, text/plain, application/json, "
                                        "application/octet-stream)", O(types)},
    {"max-bytes", 0, COF_OPT_SIZE, "SIZE", "largest body (64M)", O(max_bytes)},
    {"max-json-bytes", 0, COF_OPT_SIZE, "SIZE", "largest JSON body, which is held in memory (1M)", O(max_json_bytes)},
    {"per-minute", 0, COF_OPT_NUMBER, "N", "submissions a minute and subject (600)", O(per_minute)},
};
static const struct cof_command command = {
    .args = "",
    .summary = "The gateway: POST /encrypt, GET /jobs/ID, GET /jobs/ID/result, GET /healthz, over HTTPS (TLS 1.3).",
    .details = "AWS region, endpoints and credentials come from the usual environment and files. Prints \"ready PORT\".",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .max_args = 0,
};

static void on_head(void *ctx, struct cof_xchg *x)
{
    const struct cof_http_head *head = cof_xchg_head(x);
    bool get = cof_view_eq(head->method, COF_LIT("GET"));

    if (cof_view_eq(head->path, COF_LIT("/encrypt"))) {
        if (cof_view_eq(head->method, COF_LIT("POST")))
            submit_head(ctx, x);
        else
            reply_error(x, 405, "method", "POST it");
    } else if (cof_view_starts(head->path, COF_LIT("/jobs/"))) {
        if (get)
            outcome_head(ctx, x);
        else
            reply_error(x, 405, "method", "GET it");
    } else if (get && cof_view_eq(head->path, COF_LIT("/healthz"))) {
        const struct producer *p = ctx;
        reply_json(x, p->jwks != NULL ? 200 : 503, p->jwks != NULL ? COF_LIT("{\"status\":\"ok\"}\n")
                                                                   : COF_LIT("{\"status\":\"no key set yet\"}\n"));
    } else {
        reply_error(x, 404, "no-such-page", "there is POST /encrypt, GET /jobs/ID, GET /jobs/ID/result, GET /healthz");
    }
}

static bool is_submission(const struct cof_xchg *x)
{
    const enum kind *kind = cof_xchg_user(x);

    return kind != NULL && *kind == KIND_SUBMIT;
}

static void on_body(void *ctx, struct cof_xchg *x, struct cof_view piece)
{
    (void)ctx;
    if (is_submission(x))
        submit_body(x, piece);
}

static void on_end(void *ctx, struct cof_xchg *x)
{
    (void)ctx;
    if (is_submission(x))
        submit_end(x);
}

static void on_writable(void *ctx, struct cof_xchg *x)
{
    (void)ctx;
    if (cof_xchg_user(x) != NULL && !is_submission(x))
        outcome_writable(x);
}

static void on_closed(void *ctx, struct cof_xchg *x, enum cof_err why)
{
    (void)ctx;
    (void)why;
    if (cof_xchg_user(x) == NULL)
        return;
    if (is_submission(x))
        submit_closed(x);
    else
        outcome_closed(x);
}

static void on_refresh(struct cof_timer *timer)
{
    auth_refresh((struct producer *)(void *)((char *)timer - offsetof(struct producer, refresh)));
}

static void on_signal(void *ctx, int signal)
{
    (void)signal;
    cof_loop_stop(((struct producer *)ctx)->loop);
}

static enum cof_err check(struct producer *p, struct cof_diag *diag)
{
    static const char *const usual[] = {"image/*", "text/plain", "application/json", "application/octet-stream"};

    if (p->bucket == NULL || p->queue_url == NULL || p->data_key_arn == NULL || p->issuer == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--bucket, --queue-url, --data-key-arn and --issuer are needed");
    if ((p->cert == NULL) != (p->key == NULL) || (p->cert == NULL && p->tls_dir == NULL))
        return cof_diag_set(diag, COF_E_USAGE, "give --cert and --key, or --tls-dir");
    if (!cof_kms_is_key_arn(cof_view_str(p->data_key_arn)))
        return cof_diag_set(diag, COF_E_USAGE, "--data-key-arn must be a full key ARN, not an alias");
    for (size_t i = 0; p->types.n < 4 && i < 4; i++)
        if (p->types.n == i)
            p->types.items[p->types.n++] = usual[i];
    return COF_OK;
}

static enum cof_err make_tls(struct producer *p, struct cof_tls_ctx **out, struct cof_diag *diag)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
    char cert[4096], key[4096];
    struct cof_tls_server_opts opts = {.cert_file = p->cert, .key_file = p->key};
    enum cof_err err = COF_OK;

    if (p->cert == NULL) {
        if (mkdir(p->tls_dir, 0700) != 0 && errno != EEXIST)
            return cof_diag_set(diag, COF_E_IO, "cannot make %s: %s", p->tls_dir, strerror(errno));
        err = cof_tls_local_cert(p->tls_dir, "producer", names, 3, diag);
        (void)snprintf(cert, sizeof cert, "%s/producer.pem", p->tls_dir);
        (void)snprintf(key, sizeof key, "%s/producer.key", p->tls_dir);
        opts.cert_file = cert;
        opts.key_file = key;
    }
    return err == COF_OK ? cof_tls_server_new(&opts, out, diag) : err;
}

static enum cof_err open_all(struct producer *p, struct cof_diag *diag)
{
    static const int signals[] = {SIGTERM, SIGINT};
    static struct cof_signals *caught;
    struct cof_ratelimit_config limit = {(uint32_t)p->per_minute, (uint32_t)p->per_minute, 65536};
    struct cof_session_opts session = {.env = &cof_env_process, .resolve = cof_resolve_dns, .rng = &cof_rng_os,
                                       .now_ms = cof_clock_wall_ms, .log = &p->log};
    /* The length must be declared, and submit.c judges it with words: no limit of the server's own. */
    struct cof_http_server_opts server = {.handler = {on_head, on_body, on_end, on_writable, on_closed, p}};
    enum cof_err err = cof_addr_parse(p->listen, &server.listen, diag);

    if (err == COF_OK)
        err = cof_loop_new(&p->loop);
    session.loop = p->loop;
    if (err == COF_OK)
        err = cof_signals_new(p->loop, signals, 2, on_signal, p, &caught);
    if (err == COF_OK)
        err = cof_ratelimit_new(&limit, &p->limit);
    if (err == COF_OK)
        err = cof_session_open(&p->session, &session, diag);
    if (err == COF_OK)
        err = cof_credentials_run(p->session.credentials, diag);
    if (err == COF_OK)
        err = cof_credentials_keep(p->session.credentials);
    if (err == COF_OK)
        err = make_tls(p, &server.tls, diag);
    if (err == COF_OK)
        err = cof_http_server_new(p->loop, &server, &p->server, diag);
    cof_tls_unref(server.tls);
    return err;
}

static enum cof_err serve(struct producer *p)
{
    struct cof_addr addr;

    p->refresh.fire = on_refresh;
    cof_buf_init(&p->fetched, COF_JWKS_SIZE_MAX);
    auth_refresh(p);
    if (p->fetching) { /* who is told "ready" may send at once, and then tokens must be checked already */
        enum cof_err err = cof_loop_run_until(p->loop, &p->has_asked, -1);
        if (err != COF_OK)
            return err == COF_E_CLOSED ? COF_OK : err; /* ended by a signal */
    }
    cof_http_server_addr(p->server, &addr);
    (void)printf("ready %u\n", addr.port);
    (void)fflush(stdout);
    return cof_loop_run(p->loop);
}

int main(int argc, char **argv)
{
    static struct producer p = {.listen = "tcp:127.0.0.1:8443", .audience = "coffer-producer", .max_bytes = 64u << 20,
                                .max_json_bytes = 1u << 20, .per_minute = 600, .frame_length = 65536};
    struct cof_harden_opts harden = {.undumpable = true};
    struct cof_diag diag = {0};
    char **args;
    int n_args, exit_code;
    bool exit_now;
    enum cof_err err;

    if (cof_program_asked_alone("coffer-producer", &command, argc, argv, &exit_code))
        return exit_code;
    if (cof_options_parse("coffer-producer", &command, argc, argv, &p, &args, &n_args, &exit_now) != COF_OK)
        return COF_EXIT_USAGE;
    if (exit_now)
        return COF_EXIT_DONE;
    cof_log_stderr(&p.log, "coffer-producer", COF_LOG_INFO);
    err = check(&p, &diag);
    if (err == COF_OK)
        err = cof_harden(&harden, NULL, &diag);
    if (err == COF_OK)
        err = open_all(&p, &diag);
    if (err == COF_OK)
        err = cof_sandbox_drop_caps(&diag);
    if (err == COF_OK)
        err = cof_sandbox_seccomp(COF_SANDBOX_PRODUCER, false, &diag);
    if (err == COF_OK)
        err = serve(&p);
    cof_http_server_free(p.server);
    cof_session_close(&p.session);
    cof_ratelimit_free(p.limit);
    cof_jwks_free(p.jwks);
    cof_loop_free(p.loop);
    if (err != COF_OK)
        cof_fail("coffer-producer", err, &diag);
    return cof_exit_code(err);
}
