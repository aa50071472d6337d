/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer-host: the untrusted parent of an enclave. Forwards its connections to an allow-list, hands over the role's
 * credentials, starts it and keeps it running. Nothing secret of the data's passes here unsealed.
 */
#include "events.h"
#include "keeper.h"
#include "metrics.h"
#include "tunnel.h"

#include "base/date.h"
#include "client/session.h"
#include "format/json.h"
#include "io/clock.h"
#include "io/harden.h"
#include "io/log_stderr.h"
#include "io/metrics_server.h"
#include "io/process.h"
#include "io/rng_os.h"
#include "io/sandbox.h"
#include "prog/program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define END_MS 2000

struct host {
    const char *listen, *hypervisor, *enclave, *config, *processor, *image, *vsock, *enclave_log, *role_arn;
    const char *metrics_at, *telemetry;
    uint64_t memory_mib, cid, heartbeat_s, boot_s;
    uint64_t connections, pending, new_per_s, buffer_bytes, bytes_per_s, setup_s, connect_s, idle_s;
    struct cof_text_list allow;
    bool debug;
    struct cof_log log;
    struct cof_loop *loop;
    struct cof_session session; /* for the credentials alone */
    struct tunnel *tunnel;
    struct events *events; /* NULL: not asked for */
    struct keeper *keeper; /* NULL: none to keep */
    struct cof_metrics_server *metrics;
    int64_t started_ms;
    struct cof_signals *signals;
    bool announced;
};

#define O(field) offsetof(struct host, field)
static const struct cof_option options[] = {
    {"listen", 'l', COF_OPT_TEXT, "ADDRESS", "where the enclave connects: unix:PATH or vsock:CID:PORT", O(listen)},
    {"allow", 'a', COF_OPT_LIST, "HOST:PORT", "a destination the enclave may reach; repeatable", O(allow)},
    {"hypervisor", 'H', COF_OPT_TEXT, "ADDRESS", "control socket of the simulated hypervisor", O(hypervisor)},
    {"enclave", 'e', COF_OPT_TEXT, "FILE", "the enclave's program", O(enclave)},
    {"config", 'c', COF_OPT_TEXT, "FILE", "its (measured) configuration", O(config)},
    {"processor", 'p', COF_OPT_TEXT, "FILE", "the processor's program", O(processor)},
    {"image", 'i', COF_OPT_TEXT, "FILE", "an enclave image, in place of the three", O(image)},
    {"vsock", 0, COF_OPT_TEXT, "PATH", "of an image: its connections to port P come out at the Unix socket PATH_P", O(vsock)},
    {"memory-mib", 0, COF_OPT_NUMBER, "N", "memory of an image (default 512)", O(memory_mib)},
    {"enclave-log", 0, COF_OPT_TEXT, "FILE", "where the enclave's console goes", O(enclave_log)},
    {"role-arn", 0, COF_OPT_TEXT, "ARN", "the instance's role, measured into PCR3", O(role_arn)},
    {"debug", 0, COF_OPT_FLAG, NULL, "start the enclave in debug mode: its PCRs are zero", O(debug)},
    {"cid", 0, COF_OPT_NUMBER, "N", "the enclave's context: others that connect by vsock are refused", O(cid)},
    {"telemetry", 't', COF_OPT_TEXT, "ADDRESS", "where the enclave tells events and heartbeats: unix:PATH or vsock:CID:PORT", O(telemetry)},
    {"heartbeat-timeout", 0, COF_OPT_NUMBER, "SECONDS", "with --telemetry: without a heartbeat for so long it is started anew (default 60)", O(heartbeat_s)},
    {"boot-timeout", 0, COF_OPT_NUMBER, "SECONDS", "and for so long after its start (default 300)", O(boot_s)},
    {"metrics", 'm', COF_OPT_TEXT, "ADDRESS", "where Prometheus asks: tcp:HOST:PORT or unix:PATH", O(metrics_at)},
    {"max-connections", 0, COF_OPT_NUMBER, "N", "connections at once (default 4096, or what descriptors allow)", O(connections)},
    {"max-pending", 0, COF_OPT_NUMBER, "N", "of these, not yet forwarded (default 256)", O(pending)},
    {"new-per-second", 0, COF_OPT_NUMBER, "N", "new connections a second; more wait (default 1000)", O(new_per_s)},
    {"buffer", 0, COF_OPT_SIZE, "BYTES", "what a connection may hold a direction, 4K to 1M (default 128K)", O(buffer_bytes)},
    {"bytes-per-second", 0, COF_OPT_SIZE, "BYTES", "of all connections together (default: no limit)", O(bytes_per_s)},
    {"setup-timeout", 0, COF_OPT_NUMBER, "SECONDS", "for a request, and for a ClientHello, to be whole (default 10)", O(setup_s)},
    {"connect-timeout", 0, COF_OPT_NUMBER, "SECONDS", "to reach a destination (default 10)", O(connect_s)},
    {"idle-timeout", 0, COF_OPT_NUMBER, "SECONDS", "a forwarded connection at rest is cut (default 300)", O(idle_s)},
};
static const struct cof_command command = {
    .args = "",
    .summary = "The enclave's parent: forwards, hands over credentials, starts and watches it. Not trusted by anybody.",
    .details = "The role's credentials come from where the AWS tools have them (environment, files, container, instance metadata) and are\n"
               "kept fresh. No program is started for them once the host serves.\n"
               "Without --hypervisor no enclave is started: connections are forwarded for one that somebody else keeps.\n"
               "Prints \"ready\" once the enclave was started, or the listener is up where none is.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .max_args = 0,
};

/* The container-credentials document of the role's credentials, which are kept fresh. Without an end they carry none. */
static enum cof_err give_credentials(void *ctx, struct cof_buf *json)
{
    const struct cof_aws_credentials *have = &((struct host *)ctx)->session.aws.credentials;
    char expiration[COF_DATE_MAX];

    if (have->access_key_id.len == 0 || (have->expires_ms != 0 && have->expires_ms <= cof_clock_wall_ms()))
        return COF_E_NOT_FOUND;
    cof_buf_add_str(json, "{");
    cof_json_add_member(json, "AccessKeyId", cof_buf_view(&have->access_key_id));
    cof_json_add_member(json, "SecretAccessKey", cof_buf_view(&have->secret_access_key));
    cof_json_add_member(json, "Token", cof_buf_view(&have->session_token));
    if (have->expires_ms != 0) {
        cof_date_iso_seconds(have->expires_ms, expiration);
        cof_json_add_member(json, "Expiration", cof_view_str(expiration));
    }
    cof_buf_add_str(json, "}\n");
    return cof_buf_err(json);
}

/* The role's credentials, from wherever AWS's tools have them; on EC2 that is the instance's metadata (IMDSv2). */
static enum cof_err find_credentials(struct host *h, struct cof_diag *diag)
{
    struct cof_session_opts opts = {.loop = h->loop, .env = &cof_env_process, .resolve = cof_resolve_dns, .rng = &cof_rng_os,
        .now_ms = cof_clock_wall_ms, .log = &h->log};
    enum cof_err err = cof_session_open(&h->session, &opts, diag);

    if (err == COF_OK)
        err = cof_credentials_run(h->session.credentials, diag);
    return err == COF_OK ? cof_credentials_keep(h->session.credentials) : err;
}

static void on_started(void *ctx, struct cof_view description)
{
    struct host *h = ctx;

    if (h->announced)
        return;
    h->announced = true;
    (void)printf("ready %.*s\n", (int)description.len, (const char *)description.data);
    (void)fflush(stdout);
}

static void on_signal(void *ctx, int signal)
{
    (void)signal;
    cof_loop_stop(((struct host *)ctx)->loop);
}

static enum cof_err check(const struct host *h, struct cof_diag *diag)
{
    if (h->listen == NULL || h->allow.n == 0)
        return cof_diag_set(diag, COF_E_USAGE, "--listen and at least one --allow are needed");
    if (h->cid > UINT32_MAX || h->connections > 1000000 || h->pending > 1000000 || h->new_per_s > 1000000 || h->buffer_bytes > 1 << 20 ||
        h->setup_s > 86400 || h->connect_s > 86400 || h->idle_s > 86400 || h->heartbeat_s > 86400 || h->boot_s > 86400 ||
        h->heartbeat_s == 0 || h->boot_s == 0)
        return cof_diag_set(diag, COF_E_USAGE, "a limit is out of range: at most 1000000 connections, 1M of buffer, 86400 seconds");
    if (h->hypervisor == NULL)
        return h->image == NULL && h->enclave == NULL ? COF_OK : cof_diag_set(diag, COF_E_USAGE, "--hypervisor is needed");
    if (h->image != NULL ? h->vsock == NULL : h->enclave == NULL || h->config == NULL || h->processor == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--enclave, --config and --processor are needed, or --image and --vsock");
    return COF_OK;
}

static void write_metrics(void *ctx, struct cof_buf *out)
{
    struct host *h = ctx;
    const struct cof_aws_credentials *have = &h->session.aws.credentials;
    struct metrics_now now = {.now_ms = cof_clock_wall_ms(), .started_ms = h->started_ms, .has_credentials = have->access_key_id.len > 0,
                              .credentials_until_ms = have->expires_ms};

    tunnel_counts(h->tunnel, &now.tunnel);
    now.events = h->events != NULL ? events_counts(h->events) : NULL;
    now.keeper = h->keeper != NULL ? keeper_counts(h->keeper) : NULL;
    now.loop_ms = cof_loop_now_ms(h->loop);
    metrics_write(&now, out);
}

static enum cof_err serve_metrics(struct host *h, struct cof_diag *diag)
{
    struct cof_metrics_server_opts opts = {.address = h->metrics_at, .text_max = METRICS_TEXT_MAX, .write = write_metrics, .ctx = h};
    char url[400];
    enum cof_err err = h->metrics_at == NULL ? COF_OK : cof_metrics_server_new(h->loop, &opts, &h->metrics, diag);

    if (err == COF_OK && h->metrics != NULL) {
        cof_metrics_server_url(h->metrics, url);
        cof_log_event(&h->log, COF_LOG_INFO, "host.metrics", "url", url, NULL);
    }
    return err;
}

static enum cof_err take_events(struct host *h, struct cof_diag *diag)
{
    struct events_opts opts = {.has_peer = h->cid != 0, .peer_cid = (uint32_t)h->cid, .log = &h->log};
    enum cof_err err = COF_OK;

    if (h->telemetry == NULL)
        return COF_OK;
    err = cof_addr_parse(h->telemetry, &opts.listen, diag);
    return err == COF_OK ? events_new(h->loop, &opts, &h->events, diag) : err;
}

static enum cof_err make_runner(struct host *h, struct runner **out, struct cof_diag *diag)
{
    struct runner_local_opts opts = {.enclave = h->enclave, .config = h->config, .processor = h->processor, .image = h->image,
                                     .vsock = h->vsock, .memory_mib = h->memory_mib, .log_file = h->enclave_log,
                                     .role_arn = h->role_arn, .debug = h->debug};
    enum cof_err err = cof_addr_parse(h->hypervisor, &opts.hypervisor, diag);

    return err == COF_OK ? runner_local_new(h->loop, &opts, out) : err;
}

static enum cof_err keep_enclave(struct host *h, struct cof_diag *diag)
{
    struct keeper_opts opts = {.events = h->events, .heartbeat_ms = (int64_t)h->heartbeat_s * 1000, .first_beat_ms = (int64_t)h->boot_s * 1000,
                               .log = &h->log, .started = on_started, .ctx = h};
    enum cof_err err;

    if (h->hypervisor == NULL) {
        on_started(h, COF_LIT("{}"));
        return COF_OK;
    }
    err = make_runner(h, &opts.runner, diag);
    if (err == COF_OK && (err = keeper_new(h->loop, &opts, &h->keeper)) != COF_OK)
        opts.runner->free(opts.runner);
    return err;
}

static enum cof_err run(struct host *h, struct cof_diag *diag)
{
    static const int signals[] = {SIGTERM, SIGINT};
    struct tunnel_opts tunnel = {.allow = h->allow.items, .n_allow = h->allow.n, .resolve = cof_resolve_dns,
                                 .has_peer = h->cid != 0, .peer_cid = (uint32_t)h->cid,
                                 .limits = {.connections = (uint32_t)h->connections, .pending = (uint32_t)h->pending,
                                            .new_per_s = (uint32_t)h->new_per_s, .buffer_bytes = h->buffer_bytes,
                                            .bytes_per_s = h->bytes_per_s, .setup_ms = (int64_t)h->setup_s * 1000,
                                            .connect_ms = (int64_t)h->connect_s * 1000, .idle_ms = (int64_t)h->idle_s * 1000},
                                 .credentials = give_credentials, .ctx = h, .log = &h->log};
    enum cof_err err = check(h, diag);

    if (err == COF_OK)
        err = cof_addr_parse(h->listen, &tunnel.listen, diag);
    h->started_ms = cof_clock_wall_ms();
    if (err == COF_OK)
        err = cof_loop_new(&h->loop);
    if (err == COF_OK)
        err = find_credentials(h, diag);
    if (err == COF_OK)
        err = cof_signals_new(h->loop, signals, 2, on_signal, h, &h->signals);
    if (err == COF_OK)
        err = tunnel_new(h->loop, &tunnel, &h->tunnel, diag);
    if (err == COF_OK)
        err = take_events(h, diag);
    if (err == COF_OK)
        err = serve_metrics(h, diag);
    if (err == COF_OK)
        err = keep_enclave(h, diag);
    if (err == COF_OK)
        err = cof_sandbox_drop_caps(diag);
    if (err == COF_OK)
        err = cof_sandbox_seccomp(COF_SANDBOX_HOST, false, diag);
    if (err == COF_OK)
        err = cof_loop_run(h->loop);
    keeper_free(h->keeper, END_MS);
    events_free(h->events);
    cof_metrics_server_free(h->metrics);
    tunnel_free(h->tunnel);
    cof_signals_free(h->signals);
    cof_session_close(&h->session);
    cof_loop_free(h->loop);
    return err;
}

int main(int argc, char **argv)
{
    static struct host host = {.memory_mib = 512, .heartbeat_s = 60, .boot_s = 300};
    struct cof_harden_opts harden = {.many_files = true};
    struct cof_diag diag = {0};
    char **args;
    int n_args, exit_code;
    bool exit_now;
    enum cof_err err;

    if (cof_program_asked_alone("coffer-host", &command, argc, argv, &exit_code))
        return exit_code;
    if (cof_options_parse("coffer-host", &command, argc, argv, &host, &args, &n_args, &exit_now) != COF_OK)
        return COF_EXIT_USAGE;
    if (exit_now)
        return COF_EXIT_DONE;
    cof_log_stderr(&host.log, "coffer-host", COF_LOG_INFO);
    err = cof_harden(&harden, NULL, &diag);
    if (err == COF_OK)
        err = run(&host, &diag);
    if (err != COF_OK)
        cof_fail("coffer-host", err, &diag);
    return cof_exit_code(err);
}
