/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer-enclave: takes jobs from the queue, opens them with keys that KMS releases to this measured image alone, has them
 * processed, and stores sealed results with signed receipts.
 *
 * It is started with three descriptors and nothing else: 3 the way to the NSM, 4 its configuration, 5 the processor's
 * program. All it trusts is what was measured.
 */
#include "init.h"
#include "model.h"
#include "processor.h"
#include "work.h"

#include "client/credentials.h"
#include "client/queue.h"
#include "client/sts.h"
#include "crypto/start.h"
#include "engine/sts_call.h"
#include "format/nsm.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/harden.h"
#include "io/log_stderr.h"
#include "io/nsm_dev.h"
#include "io/process.h"
#include "io/rng_os.h"
#include "io/sandbox.h"
#include "prog/options.h"
#include "prog/version.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *const cof_version_commit = "not told: what is measured changes with the code alone";

enum { FD_NSM = 3, FD_CONFIG = 4, FD_PROCESSOR = 5, FD_CHILD = 3 };

#define POLL_MS 60000
#define LAST_WORDS_MS 1000
#define PROCESSOR_MAX ((size_t)256 << 20)

struct enclave {
    struct config config;
    struct cof_log log;
    struct cof_loop *loop;
    struct cof_nsm *nsm;
    struct cof_tls_ctx *tls;
    struct cof_http_client *outside, *inside;
    struct cof_aws aws;
    struct cof_aws_settings settings;
    struct cof_credentials *credentials;
    char checked_key[129]; /* the access key id whose account was checked */
    bool checking;
    struct cof_process *child;
    struct cof_queue *queue;
    struct worker worker;
    enum cof_telemetry_stage stage; /* of the start, which failed there */
    bool child_ended, memory_locked, own_network;
};

static const char *no_variable(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

static enum cof_err call_nsm(void *ctx, struct cof_view request, struct cof_buf *out)
{
    return cof_nsm_call(ctx, request, out);
}

static enum cof_err read_config(struct enclave *e, struct cof_diag *diag)
{
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, CONFIG_MAX);
    err = cof_file_read_fd(FD_CONFIG, "configuration", &text, diag);
    if (err == COF_OK)
        err = config_parse(cof_buf_view(&text), &e->config, diag);
    cof_buf_done(&text);
    return err;
}

static enum cof_err hash_processor(struct enclave *e, struct cof_diag *diag)
{
    struct cof_buf program;
    enum cof_err err;

    cof_buf_init(&program, PROCESSOR_MAX);
    err = cof_file_read_fd(FD_PROCESSOR, "processor", &program, diag);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&program), e->worker.processor_sha256);
    cof_buf_done(&program);
    return err;
}

static void on_child_end(void *ctx, struct cof_process *process, int code, int signal)
{
    struct enclave *e = ctx;

    (void)process;
    (void)code;
    (void)signal;
    e->child_ended = true;
}

static enum cof_err confine_child(void *ctx, struct cof_diag *diag)
{
    (void)ctx;
    return cof_sandbox_seccomp(COF_SANDBOX_PROCESSOR, true, diag);
}

/* The processor sees its socket and nothing else of ours. */
static enum cof_err start_processor(struct enclave *e, struct cof_diag *diag)
{
    int pair[2];
    struct cof_process_fd fds[1];
    struct cof_process_opts opts = {.exec_fd = FD_PROCESSOR, .argv = e->config.argv, .fds = fds, .n_fds = 1,
                                    .die_with_us = true, .prepare = confine_child, .exited = on_child_end, .ctx = e};
    enum cof_err err;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return cof_diag_set(diag, COF_E_IO, "no socket pair");
    fds[0] = (struct cof_process_fd){pair[1], FD_CHILD};
    err = cof_process_start(e->loop, &opts, &e->child, diag);
    (void)close(pair[1]);
    e->worker.processor = (struct cof_addr){.kind = COF_ADDR_FD, .port = (uint32_t)pair[0]};
    return err;
}

/* Only what cannot be had later: the rest of the system is closed from here on. */
static enum cof_err confine(struct enclave *e, struct cof_diag *diag)
{
    struct cof_harden_opts harden = {.undumpable = true, .lock_memory = true};
    bool locked;
    enum cof_err err = cof_harden(&harden, &locked, diag);

    if (err == COF_OK)
        err = cof_sandbox_drop_caps(diag);
    if (err == COF_OK)
        err = cof_sandbox_seccomp(COF_SANDBOX_ENCLAVE, false, diag);
    e->memory_locked = err == COF_OK && locked;
    if (err == COF_OK && !locked)
        cof_log_event(&e->log, COF_LOG_INFO, "enclave.memory_not_locked", NULL);
    return err;
}

/* The host could hand over some other account's credentials, and so lead results astray (C-08). */
static enum cof_err check_account(struct enclave *e, struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    struct cof_sts_identity identity;
    enum cof_err err = cof_sts_get_caller_identity(&request);

    if (err == COF_OK)
        err = cof_aws_run(&e->aws, &request, 65536, &reply, diag);
    if (err != COF_OK)
        return err;
    err = cof_sts_parse_identity(cof_buf_view(&reply.body), &identity, diag);
    cof_aws_reply_done(&reply);
    if (err == COF_OK && strcmp(identity.account, e->config.account) != 0)
        err = cof_diag_set(diag, COF_E_AUTH, "the credentials handed over belong to another account");
    return err;
}

/* Each time the host hands over something new. */
static enum cof_err refresh(void *ctx, struct cof_aws *aws, struct cof_diag *diag)
{
    struct enclave *e = ctx;
    struct cof_view key;
    enum cof_err err;

    if (e->checking) /* the check's own call */
        return COF_OK;
    err = cof_credentials_refresh(e->credentials, aws, diag);
    key = cof_buf_view(&aws->credentials.access_key_id);
    if (err != COF_OK || (key.len > 0 && cof_view_eq_str(key, e->checked_key)))
        return err;
    e->checking = true;
    err = check_account(e, diag);
    e->checking = false;
    if (err == COF_OK)
        (void)snprintf(e->checked_key, sizeof e->checked_key, "%.*s", (int)key.len, (const char *)key.data);
    else
        cof_aws_credentials_done(&aws->credentials);
    return err;
}

static enum cof_err open_clients(struct enclave *e, struct cof_diag *diag)
{
    struct cof_tls_client_opts tls = {.ca_pem = cof_buf_view(&e->config.ca_pem)};
    struct cof_http_client_opts outside = {.resolve = cof_resolve_literal, .has_proxy = true, .proxy = e->config.host};
    struct cof_http_client_opts inside = {.resolve = cof_resolve_literal, .per_endpoint = 1, .idle_ms = INT32_MAX};
    struct cof_env env = {no_variable, NULL};
    struct cof_credentials_opts credentials = {.settings = &e->settings, .aws = &e->aws, .has_container_addr = true,
                                               .container_addr = e->config.host, .container_path = "/credentials"};
    enum cof_err err = cof_tls_client_new(&tls, &e->tls, diag);

    outside.tls = e->tls;
    if (err == COF_OK)
        err = cof_http_client_new(e->loop, &outside, &e->outside);
    if (err == COF_OK)
        err = cof_http_client_new(e->loop, &inside, &e->inside);
    if (err != COF_OK)
        return err;
    cof_aws_init(&e->aws, e->loop, e->outside, &cof_rng_os, cof_clock_wall_ms);
    e->aws.log = &e->log;
    memcpy(e->aws.endpoints, e->config.endpoints, sizeof e->aws.endpoints);
    cof_aws_set_region(&e->aws, e->config.region);
    err = cof_aws_settings_load(&e->settings, &env, NULL, diag);
    if (err == COF_OK)
        err = cof_credentials_new(&credentials, &e->credentials);
    e->aws.refresh = refresh;
    e->aws.refresh_ctx = e;
    e->aws.own_clock = true;
    (void)snprintf(e->aws.bucket_owner, sizeof e->aws.bucket_owner, "%s", e->config.account);
    return err;
}

static enum cof_err open_worker(struct enclave *e, struct cof_diag *diag)
{
    struct cof_queue_opts queue = {.aws = &e->aws, .url = e->config.queue_url, .visibility_s = e->config.visibility_s};
    struct cof_queue_events events = {0};
    struct cof_nsm_port port = {call_nsm, e->nsm};
    struct worker *w = &e->worker;
    enum cof_err err;

    e->stage = COF_TELEMETRY_AT_ACCOUNT;
    err = cof_aws_ready(&e->aws, diag);
    w->config = &e->config;
    w->aws = &e->aws;
    w->rng = &cof_rng_os;
    w->log = &e->log;
    w->http = e->inside;
    if (err == COF_OK)
        e->stage = COF_TELEMETRY_AT_KEYS;
    if (err == COF_OK)
        err = cof_ecdsa_generate(COF_P256, w->rng, &w->signer);
    cof_kms_attested_init(&w->kms, &e->aws, &port);
    w->kms.rsa_bits = e->config.recipient_bits;
    w->kms.epoch_ms = e->config.recipient_epoch_ms;
    w->kms.document_ms = e->config.recipient_document_ms;
    if (err == COF_OK)
        err = cof_kms_attested_prepare(&w->kms);
    if (err == COF_OK)
        e->stage = COF_TELEMETRY_AT_MODEL;
    if (err == COF_OK)
        err = model_load(w, diag);
    if (err == COF_OK)
        e->stage = COF_TELEMETRY_AT_QUEUE;
    if (err == COF_OK)
        err = cof_queue_new(&queue, &events, &e->queue);
    return err;
}

/* A debug enclave has zeros for measurements, and its host reads its console: nothing of anybody's belongs there (C-13). */
static enum cof_err refuse_debug(struct enclave *e, struct cof_diag *diag)
{
    static const uint8_t zeros[COF_ATTEST_PCR_SIZE] = {0};
    struct cof_nsm_response response;
    struct cof_buf request, reply;
    enum cof_err err;

    cof_buf_init(&request, COF_NSM_REQUEST_MAX);
    cof_buf_init(&reply, COF_NSM_RESPONSE_MAX);
    cof_nsm_add_request(&request, &(struct cof_nsm_request){.op = COF_NSM_DESCRIBE_PCR, .index = 0});
    err = cof_nsm_call(e->nsm, cof_buf_view(&request), &reply);
    if (err == COF_OK)
        err = cof_nsm_parse_response(cof_buf_view(&reply), &response);
    if (err == COF_OK && (response.op != COF_NSM_DESCRIBE_PCR || response.data.len != sizeof zeros))
        err = COF_E_REMOTE;
    if (err != COF_OK)
        err = cof_diag_set(diag, err, "the security module does not tell PCR0");
    else if (memcmp(response.data.data, zeros, sizeof zeros) == 0 && !e->config.allow_debug)
        err = cof_diag_set(diag, COF_E_AUTH, "this enclave runs in debug mode, which its configuration does not allow");
    cof_buf_done(&request);
    cof_buf_done(&reply);
    return err;
}

static enum cof_err start_telemetry(struct enclave *e)
{
    return e->config.has_telemetry ? telemetry_new(e->loop, &e->config.telemetry, &e->worker.state, &e->worker.telemetry) : COF_OK;
}

/* What can fail once the host can be told. */
static enum cof_err start_told(struct enclave *e, struct cof_diag *diag)
{
    enum cof_err err;

    e->stage = COF_TELEMETRY_AT_DEBUG;
    err = refuse_debug(e, diag);
    if (err == COF_OK) {
        e->stage = COF_TELEMETRY_AT_PROCESSOR;
        err = start_processor(e, diag);
    }
    if (err == COF_OK) {
        e->stage = COF_TELEMETRY_AT_SANDBOX;
        err = confine(e, diag);
    }
    if (err == COF_OK) {
        e->stage = COF_TELEMETRY_AT_CLIENTS;
        err = open_clients(e, diag);
    }
    if (err == COF_OK)
        err = open_worker(e, diag);
    if (err == COF_OK)
        telemetry_send(e->worker.telemetry, COF_TELEMETRY_READY, e->memory_locked, e->own_network);
    else
        telemetry_send(e->worker.telemetry, COF_TELEMETRY_NOT_STARTED, e->stage, cof_err_class(err));
    return err;
}

static enum cof_err start(struct enclave *e, struct cof_diag *diag)
{
    enum cof_err err = cof_sandbox_netns(diag);

    e->own_network = err == COF_OK;
    if (err == COF_E_UNSUPPORTED)
        cof_log_event(&e->log, COF_LOG_WARN, "enclave.no_network_namespace", NULL);
    else if (err != COF_OK)
        return err;
    err = read_config(e, diag);
    if (err == COF_OK)
        err = hash_processor(e, diag);
    if (err == COF_OK)
        err = cof_nsm_open("fd:3", &e->nsm, diag);
    if (err == COF_OK)
        err = cof_loop_new(&e->loop);
    if (err == COF_OK)
        err = start_telemetry(e);
    return err == COF_OK ? start_told(e, diag) : err;
}

/* Until the processor is of no more use; whoever watches us starts everything afresh. */
static void serve(struct enclave *e)
{
    while (!e->child_ended && !e->worker.processor_lost) {
        struct cof_queue_message *message;
        struct cof_diag diag = {0};
        enum cof_err err = cof_queue_next(e->queue, POLL_MS, &message, &diag);

        if (err == COF_OK) {
            switch (work_on(&e->worker, cof_queue_message_body(message))) {
            case OUTCOME_DONE:
                cof_queue_message_delete(message);
                break;
            case OUTCOME_REFUSED:
                cof_queue_message_retry(message, 0);
                break;
            case OUTCOME_LATER:
                cof_queue_message_retry(message, 5);
                break;
            }
        } else if (err != COF_E_NOT_FOUND) {
            cof_log_event(&e->log, COF_LOG_WARN, "queue.trouble", "why", diag.text, NULL);
            telemetry_send(e->worker.telemetry, COF_TELEMETRY_QUEUE_TROUBLE, cof_err_class(err), 0);
        }
        err = cof_kms_attested_prepare(&e->worker.kms);
        if (err != COF_OK) {
            cof_log_event(&e->log, COF_LOG_WARN, "enclave.no_recipient_key", NULL);
            telemetry_send(e->worker.telemetry, COF_TELEMETRY_NO_RECIPIENT_KEY, cof_err_class(err), 0);
        }
    }
    cof_log_event(&e->log, COF_LOG_ERROR, "enclave.processor_lost", NULL);
    telemetry_send(e->worker.telemetry, COF_TELEMETRY_PROCESSOR_LOST, 0, 0);
    telemetry_flush(e->worker.telemetry, LAST_WORDS_MS);
}

int main(int argc, char **argv)
{
    static const struct cof_command command = {
        .args = "",
        .summary = "Runs inside an enclave; started by coffer-host through the hypervisor, never by hand.",
        .details = "Descriptors: 3 NSM, 4 configuration (JSON), 5 the processor's program. As the first process of an image it\n"
                   "finds them itself.",
        .max_args = 0,
    };
    static struct enclave e;
    struct cof_diag diag = {0};
    char **args, bits[16];
    int n_args;
    bool exit_now, is_first;
    enum cof_err err;

    if (cof_options_parse("coffer-enclave", &command, argc, argv, NULL, &args, &n_args, &exit_now) != COF_OK)
        return COF_EXIT_USAGE;
    if (exit_now)
        return COF_EXIT_DONE;
    cof_crypto_start(); /* nothing runs here that was not measured */
    cof_log_stderr(&e.log, "coffer-enclave", COF_LOG_INFO);
    is_first = getpid() == 1;
    err = is_first ? init_start(&e.log, &diag) : COF_OK;
    if (err == COF_OK) {
        is_first = false; /* in an image, a child of the first process goes on here */
        err = start(&e, &diag);
    }
    if (err != COF_OK) {
        cof_log_event(&e.log, COF_LOG_ERROR, "enclave.not_started", "why", diag.text[0] != '\0' ? diag.text : cof_err_text(err),
                      NULL);
        telemetry_flush(e.worker.telemetry, LAST_WORDS_MS);
        if (is_first)
            init_end();
        return cof_exit_code(err);
    }
    (void)snprintf(bits, sizeof bits, "%u", e.config.recipient_bits);
    cof_log_event(&e.log, COF_LOG_INFO, "enclave.ready", "recipient_rsa_bits", bits, NULL);
    serve(&e);
    return COF_EXIT_FAILED;
}
