/* SPDX-License-Identifier: Apache-2.0 */
#include "lane.h"

#include "client/sts.h"
#include "engine/sts_call.h"
#include "io/clock.h"
#include "io/rng_os.h"
#include "io/sandbox.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FD_CHILD 3
#define POLL_MS 1000 /* so often it is looked at whether a processor was lost; the queue's own, longer poll goes on meanwhile */
#define LAST_REQUESTS_MS 1000
#define STACK_BYTES ((size_t)1 << 20)

static const char *no_variable(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

static void on_child_end(void *ctx, struct cof_process *process, int code, int signal)
{
    struct lane *l = ctx;

    (void)process;
    (void)code;
    (void)signal;
    l->child_ended = true;
}

static enum cof_err confine_child(void *ctx, struct cof_diag *diag)
{
    (void)ctx;
    return cof_sandbox_seccomp(COF_SANDBOX_PROCESSOR, true, diag);
}

/* The processor sees its socket and nothing else of ours. */
enum cof_err lane_start_processor(struct lane *l, struct cof_diag *diag)
{
    int pair[2];
    struct cof_process_fd fds[1];
    struct cof_process_opts opts = {.exec_fd = FD_PROCESSOR, .argv = l->common->config->argv, .fds = fds, .n_fds = 1,
                                    .die_with_us = true, .prepare = confine_child, .exited = on_child_end, .ctx = l};
    enum cof_err err;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return cof_diag_set(diag, COF_E_IO, "no socket pair");
    fds[0] = (struct cof_process_fd){pair[1], FD_CHILD};
    err = cof_process_start(l->loop, &opts, &l->child, diag);
    (void)close(pair[1]);
    l->worker.processor = (struct cof_addr){.kind = COF_ADDR_FD, .port = (uint32_t)pair[0]};
    return err;
}

/* The host could hand over some other account's credentials, and so lead results astray (C-08). */
static enum cof_err check_account(struct lane *l, struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    struct cof_sts_identity identity;
    enum cof_err err = cof_sts_get_caller_identity(&request);

    if (err == COF_OK)
        err = cof_aws_run(&l->aws, &request, 65536, &reply, diag);
    if (err != COF_OK)
        return err;
    err = cof_sts_parse_identity(cof_buf_view(&reply.body), &identity, diag);
    cof_aws_reply_done(&reply);
    if (err == COF_OK && strcmp(identity.account, l->common->config->account) != 0)
        err = cof_diag_set(diag, COF_E_AUTH, "the credentials handed over belong to another account");
    return err;
}

/* Each time the host hands over something new. */
static enum cof_err refresh(void *ctx, struct cof_aws *aws, struct cof_diag *diag)
{
    struct lane *l = ctx;
    struct cof_view key;
    enum cof_err err;

    if (l->checking) /* the check's own call */
        return COF_OK;
    err = cof_credentials_refresh(l->credentials, aws, diag);
    key = cof_buf_view(&aws->credentials.access_key_id);
    if (err != COF_OK || (key.len > 0 && cof_view_eq_str(key, l->checked_key)))
        return err;
    l->checking = true;
    err = check_account(l, diag);
    l->checking = false;
    if (err == COF_OK)
        (void)snprintf(l->checked_key, sizeof l->checked_key, "%.*s", (int)key.len, (const char *)key.data);
    else
        cof_aws_credentials_done(&aws->credentials);
    return err;
}

enum cof_err lane_open_clients(struct lane *l, struct cof_diag *diag)
{
    struct cof_tls_client_opts tls = {.ca_pem = cof_buf_view(&l->common->config->ca_pem)};
    struct cof_http_client_opts outside = {.resolve = cof_resolve_literal, .has_proxy = true, .proxy = l->common->config->host};
    struct cof_http_client_opts inside = {.resolve = cof_resolve_literal, .per_endpoint = 1, .idle_ms = INT32_MAX};
    struct cof_env env = {no_variable, NULL};
    struct cof_credentials_opts credentials = {.settings = &l->settings, .aws = &l->aws, .has_container_addr = true,
                                               .container_addr = l->common->config->host, .container_path = "/credentials"};
    enum cof_err err = cof_tls_client_new(&tls, &l->tls, diag);

    outside.tls = l->tls;
    if (err == COF_OK)
        err = cof_http_client_new(l->loop, &outside, &l->outside);
    if (err == COF_OK)
        err = cof_http_client_new(l->loop, &inside, &l->inside);
    if (err != COF_OK)
        return err;
    cof_aws_init(&l->aws, l->loop, l->outside, &cof_rng_os, cof_clock_wall_ms);
    l->aws.log = l->common->log;
    memcpy(l->aws.endpoints, l->common->config->endpoints, sizeof l->aws.endpoints);
    cof_aws_set_region(&l->aws, l->common->config->region);
    err = cof_aws_settings_load(&l->settings, &env, NULL, diag);
    if (err == COF_OK)
        err = cof_credentials_new(&credentials, &l->credentials);
    l->aws.refresh = refresh;
    l->aws.refresh_ctx = l;
    l->aws.own_clock = true;
    (void)snprintf(l->aws.bucket_owner, sizeof l->aws.bucket_owner, "%s", l->common->config->account);
    return err;
}

enum cof_err lane_call_nsm(void *ctx, struct cof_view request, struct cof_buf *out)
{
    struct lane_common *c = ctx;
    enum cof_err err;

    (void)pthread_mutex_lock(&c->module.lock);
    err = cof_nsm_call(c->module.nsm, request, out);
    (void)pthread_mutex_unlock(&c->module.lock);
    return err;
}

enum cof_err lane_make_keys(struct lane *l)
{
    struct cof_nsm_port port = {lane_call_nsm, l->common};
    const struct config *config = l->common->config;
    struct worker *w = &l->worker;
    enum cof_err err;

    w->config = config;
    w->aws = &l->aws;
    w->rng = &cof_rng_os;
    w->log = l->common->log;
    w->http = l->inside;
    w->telemetry = l->common->telemetry;
    w->state = &l->common->state;
    memcpy(w->processor_sha256, l->common->processor_sha256, sizeof w->processor_sha256);
    err = cof_ecdsa_generate(COF_P256, w->rng, &w->signer);
    cof_kms_attested_init(&w->kms, &l->aws, &port);
    w->kms.rsa_bits = config->recipient_bits;
    w->kms.epoch_ms = config->recipient_epoch_ms;
    w->kms.document_ms = config->recipient_document_ms;
    return err == COF_OK ? cof_kms_attested_prepare(&w->kms) : err;
}

enum cof_err lane_open_queue(struct lane *l)
{
    struct cof_queue_opts queue = {.aws = &l->aws, .url = l->common->config->queue_url, .visibility_s = l->common->config->visibility_s};

    return cof_queue_new(&queue, &(struct cof_queue_events){0}, &l->queue);
}

static void work(struct lane *l, struct cof_queue_message *message)
{
    switch (work_on(&l->worker, cof_queue_message_body(message))) {
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
}

void lane_serve(struct lane *l)
{
    struct lane_common *c = l->common;

    while (!l->child_ended && !l->worker.processor_lost && !atomic_load(&c->ending)) {
        struct cof_queue_message *message;
        struct cof_diag diag = {0};
        enum cof_err err = cof_queue_next(l->queue, POLL_MS, &message, &diag);

        if (err == COF_OK) {
            work(l, message);
        } else if (err != COF_E_NOT_FOUND) {
            cof_log_event(c->log, COF_LOG_WARN, "queue.trouble", "why", diag.text, NULL);
            telemetry_send(c->telemetry, COF_TELEMETRY_QUEUE_TROUBLE, cof_err_class(err), 0);
        }
        err = cof_kms_attested_prepare(&l->worker.kms);
        if (err != COF_OK) {
            cof_log_event(c->log, COF_LOG_WARN, "enclave.no_recipient_key", NULL);
            telemetry_send(c->telemetry, COF_TELEMETRY_NO_RECIPIENT_KEY, cof_err_class(err), 0);
        }
    }
    atomic_store(&c->ending, true);
}

static void *thread(void *lane)
{
    struct lane *l = lane;
    bool never = false;

    lane_serve(l);
    if (cof_loop_run_until(l->loop, &never, LAST_REQUESTS_MS) != COF_E_TIMEOUT) /* what became of the last message is on its way */
        cof_log_event(l->common->log, COF_LOG_WARN, "enclave.lane_failed", NULL);
    atomic_fetch_sub(&l->common->n_running, 1);
    return NULL;
}

enum cof_err lane_run(struct lane *l)
{
    pthread_attr_t attr;
    pthread_t id;
    bool ok = pthread_attr_init(&attr) == 0;

    if (!ok)
        return COF_E_MEMORY;
    atomic_fetch_add(&l->common->n_running, 1);
    ok = pthread_attr_setstacksize(&attr, STACK_BYTES) == 0 && pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0 &&
         pthread_create(&id, &attr, thread, l) == 0;
    (void)pthread_attr_destroy(&attr);
    if (!ok)
        atomic_fetch_sub(&l->common->n_running, 1);
    return ok ? COF_OK : COF_E_MEMORY;
}
