/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer-enclave: takes jobs from the queue, opens them with keys that KMS releases to this measured image alone, has them
 * processed, and stores sealed results with signed receipts.
 *
 * It is started with three descriptors and nothing else: 3 the way to the NSM, 4 its configuration, 5 the processor's
 * program. All it trusts is what was measured.
 */
#include "init.h"
#include "lane.h"
#include "model.h"

#include "crypto/start.h"
#include "format/nsm.h"
#include "io/file.h"
#include "io/harden.h"
#include "io/log_stderr.h"
#include "io/sandbox.h"
#include "prog/options.h"
#include "prog/version.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *const cof_version_commit = "not told: what is measured changes with the code alone";

#define LAST_WORDS_MS 1000
#define LAST_JOBS_MS 30000 /* beside the processor: what a job waits for services at its end */
#define LOOK_MS 50
#define PROCESSOR_MAX ((size_t)256 << 20)

struct enclave {
    struct config config;
    struct cof_log log;
    struct lane_common common;
    struct lane lanes[JOBS_MAX];
    enum cof_telemetry_stage stage; /* of the start, which failed there */
    bool memory_locked, own_network;
};

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
        err = cof_hash_once(COF_SHA256, cof_buf_view(&program), e->common.processor_sha256);
    cof_buf_done(&program);
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
    err = cof_nsm_call(e->common.module.nsm, cof_buf_view(&request), &reply);
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
    return e->config.has_telemetry ? telemetry_new(e->lanes[0].loop, &e->config.telemetry, &e->common.state, &e->common.telemetry) : COF_OK;
}

static enum cof_err start_processors(struct enclave *e, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < e->config.jobs && err == COF_OK; i++)
        err = lane_start_processor(&e->lanes[i], diag);
    return err;
}

/* All of them at each stage, before the next. */
static enum cof_err open_lanes(struct enclave *e, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    e->stage = COF_TELEMETRY_AT_CLIENTS;
    for (size_t i = 0; i < e->config.jobs && err == COF_OK; i++)
        err = lane_open_clients(&e->lanes[i], diag);
    if (err == COF_OK)
        e->stage = COF_TELEMETRY_AT_ACCOUNT;
    for (size_t i = 0; i < e->config.jobs && err == COF_OK; i++)
        err = cof_aws_ready(&e->lanes[i].aws, diag);
    if (err == COF_OK)
        e->stage = COF_TELEMETRY_AT_KEYS;
    for (size_t i = 0; i < e->config.jobs && err == COF_OK; i++)
        err = lane_make_keys(&e->lanes[i]);
    return err;
}

/* Fetched and measured once, handed to each processor. */
static enum cof_err load_model(struct enclave *e, struct cof_diag *diag)
{
    struct cof_buf model;
    enum cof_err err;

    if (e->config.model_key[0] == '\0')
        return COF_OK;
    cof_buf_init_secret(&model, (size_t)e->config.max_bytes);
    err = model_load(&e->lanes[0].worker, &model, diag);
    for (size_t i = 0; i < e->config.jobs && err == COF_OK; i++)
        err = model_hand_over(&e->lanes[i].worker, cof_buf_view(&model), diag);
    if (err == COF_OK)
        cof_log_event(&e->log, COF_LOG_INFO, "enclave.model_loaded", "key", e->config.model_key, NULL);
    cof_buf_done(&model);
    return err;
}

/* What can fail once the host can be told. */
static enum cof_err start_told(struct enclave *e, struct cof_diag *diag)
{
    enum cof_err err;

    e->stage = COF_TELEMETRY_AT_DEBUG;
    err = refuse_debug(e, diag);
    if (err == COF_OK) {
        e->stage = COF_TELEMETRY_AT_PROCESSOR;
        err = start_processors(e, diag);
    }
    if (err == COF_OK) {
        e->stage = COF_TELEMETRY_AT_SANDBOX;
        err = confine(e, diag);
    }
    if (err == COF_OK)
        err = open_lanes(e, diag);
    if (err == COF_OK) {
        e->stage = COF_TELEMETRY_AT_MODEL;
        err = load_model(e, diag);
    }
    if (err == COF_OK)
        e->stage = COF_TELEMETRY_AT_QUEUE;
    for (size_t i = 0; i < e->config.jobs && err == COF_OK; i++)
        err = lane_open_queue(&e->lanes[i]);
    if (err == COF_OK)
        telemetry_send(e->common.telemetry, COF_TELEMETRY_READY, e->memory_locked, e->own_network);
    else
        telemetry_send(e->common.telemetry, COF_TELEMETRY_NOT_STARTED, e->stage, cof_err_class(err));
    return err;
}

static enum cof_err make_lanes(struct enclave *e)
{
    enum cof_err err = pthread_mutex_init(&e->common.module.lock, NULL) == 0 ? COF_OK : COF_E_MEMORY;

    e->common.config = &e->config;
    e->common.log = &e->log;
    for (size_t i = 0; i < e->config.jobs && err == COF_OK; i++) {
        e->lanes[i].common = &e->common;
        err = cof_loop_new(&e->lanes[i].loop);
    }
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
        err = cof_nsm_open("fd:3", &e->common.module.nsm, diag);
    if (err == COF_OK)
        err = make_lanes(e);
    if (err == COF_OK)
        err = start_telemetry(e);
    return err == COF_OK ? start_told(e, diag) : err;
}

/* Until a processor is of no more use; whoever watches us starts everything afresh. Nobody else's job is cut off by that: each may
 * end, as long as one may take. */
static void serve(struct enclave *e)
{
    struct cof_loop *loop = e->lanes[0].loop;
    int64_t until_ms;
    bool never = false;
    enum cof_err err = COF_OK;

    for (size_t i = 1; i < e->config.jobs && err == COF_OK; i++)
        err = lane_run(&e->lanes[i]);
    if (err == COF_OK)
        lane_serve(&e->lanes[0]);
    until_ms = cof_loop_now_ms(loop) + e->config.processor_ms + LAST_JOBS_MS;
    atomic_store(&e->common.ending, true);
    while (atomic_load(&e->common.n_running) > 0 && cof_loop_now_ms(loop) < until_ms)
        if (cof_loop_run_until(loop, &never, LOOK_MS) != COF_E_TIMEOUT)
            break;
    cof_log_event(&e->log, COF_LOG_ERROR, "enclave.processor_lost", NULL);
    telemetry_send(e->common.telemetry, COF_TELEMETRY_PROCESSOR_LOST, 0, 0);
    telemetry_flush(e->common.telemetry, LAST_WORDS_MS);
}

/* For whoever builds an image: what the first process would say of the configuration, before anybody waits for a kernel. */
static int check_config(const char *path)
{
    struct cof_diag diag = {0};
    struct config *config = &(struct config){0};
    struct cof_tls_client_opts tls = {0};
    struct cof_tls_ctx *ctx = NULL;
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, CONFIG_MAX);
    err = cof_file_read(path, &text, &diag);
    if (err == COF_OK)
        err = config_parse(cof_buf_view(&text), config, &diag);
    tls.ca_pem = cof_buf_view(&config->ca_pem);
    if (err == COF_OK)
        err = cof_tls_client_new(&tls, &ctx, &diag);
    if (err != COF_OK)
        (void)fprintf(stderr, "coffer-enclave: error: %s\n", diag.text[0] != '\0' ? diag.text : cof_err_text(err));
    cof_tls_unref(ctx);
    config_done(config);
    cof_buf_done(&text);
    return cof_exit_code(err);
}

struct options {
    const char *check_config;
};

int main(int argc, char **argv)
{
    static const struct cof_option table[] = {
        {"check-config", 0, COF_OPT_TEXT, "FILE", "only see whether a configuration would be taken", offsetof(struct options, check_config)},
    };
    static const struct cof_command command = {
        .args = "",
        .summary = "Runs inside an enclave; started by coffer-host through the hypervisor, never by hand.",
        .details = "Descriptors: 3 NSM, 4 configuration (JSON), 5 the processor's program. As the first process of an image it\n"
                   "finds them itself.",
        .options = table,
        .n_options = sizeof table / sizeof table[0],
        .max_args = 0,
    };
    static struct enclave e;
    struct options options = {0};
    struct cof_diag diag = {0};
    char **args, bits[16];
    int n_args;
    bool exit_now, is_first;
    enum cof_err err;

    if (cof_options_parse("coffer-enclave", &command, argc, argv, &options, &args, &n_args, &exit_now) != COF_OK)
        return COF_EXIT_USAGE;
    if (exit_now)
        return COF_EXIT_DONE;
    cof_crypto_start(); /* nothing runs here that was not measured */
    if (options.check_config != NULL)
        return check_config(options.check_config);
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
        telemetry_flush(e.common.telemetry, LAST_WORDS_MS);
        if (is_first)
            init_end();
        return cof_exit_code(err);
    }
    (void)snprintf(bits, sizeof bits, "%u", e.config.recipient_bits);
    cof_log_event(&e.log, COF_LOG_INFO, "enclave.ready", "recipient_rsa_bits", bits, NULL);
    serve(&e);
    return COF_EXIT_FAILED;
}
