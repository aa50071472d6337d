/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer-host: the untrusted parent of an enclave. Forwards its connections to an allow-list, hands over the role's
 * credentials, starts it and keeps it running. Nothing secret of the data's passes here unsealed.
 */
#include "events.h"
#include "keeper.h"
#include "metrics.h"
#include "runner_nitro.h"
#include "tunnel.h"

#include "base/codec.h"
#include "base/date.h"
#include "client/session.h"
#include "engine/image.h"
#include "format/json.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/harden.h"
#include "io/log_stderr.h"
#include "io/metrics_server.h"
#include "io/notify.h"
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
#define NITRO_END_MS 60000
#define NITRO_CID 16 /* as in AWS's examples */
#define IMAGE_MAX ((size_t)4 << 30)

struct host {
    const char *listen, *hypervisor, *enclave, *config, *processor, *image, *vsock, *enclave_log, *role_arn;
    const char *metrics_at, *telemetry;
    const char *nitro_cli, *name;
    struct cof_text_list pcrs;
    uint64_t memory_mib, cpus, cid, heartbeat_s, boot_s;
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
    struct cof_notify notify;
    struct cof_timer watchdog;
    struct cof_image_pcrs image_pcrs;
    int helper; /* of nitro-cli; -1: none */
    enum cof_err failed; /* why the loop was stopped */
    int64_t started_ms;
    struct cof_signals *signals;
    bool announced;
};

#define O(field) offsetof(struct host, field)
static const struct cof_option options[] = {
    {"listen", 'l', COF_OPT_TEXT, "ADDRESS", "where the enclave connects: unix:PATH, or vsock:4294967295:PORT with --cid", O(listen)},
    {"allow", 'a', COF_OPT_LIST, "HOST:PORT", "a destination the enclave may reach; repeatable", O(allow)},
    {"hypervisor", 'H', COF_OPT_TEXT, "ADDRESS", "control socket of the simulated hypervisor", O(hypervisor)},
    {"enclave", 'e', COF_OPT_TEXT, "FILE", "the enclave's program", O(enclave)},
    {"config", 'c', COF_OPT_TEXT, "FILE", "its (measured) configuration", O(config)},
    {"processor", 'p', COF_OPT_TEXT, "FILE", "the processor's program", O(processor)},
    {"image", 'i', COF_OPT_TEXT, "FILE", "an enclave image, in place of the three", O(image)},
    {"vsock", 0, COF_OPT_TEXT, "PATH", "of an image: its connections to port P come out at the Unix socket PATH_P", O(vsock)},
    {"nitro-cli", 0, COF_OPT_TEXT, "PATH", "run the image with AWS's nitro-cli, as an enclave of this EC2 instance", O(nitro_cli)},
    {"name", 0, COF_OPT_TEXT, "NAME", "of the enclave, for nitro-cli (default coffer)", O(name)},
    {"cpus", 0, COF_OPT_NUMBER, "N", "of the enclave, for nitro-cli (default 2)", O(cpus)},
    {"pcr", 0, COF_OPT_LIST, "N=HEX", "what PCR0, 1 or 2 of the image must be; repeatable", O(pcrs)},
    {"memory-mib", 0, COF_OPT_NUMBER, "N", "memory of an image (default 512)", O(memory_mib)},
    {"enclave-log", 0, COF_OPT_TEXT, "FILE", "where the enclave's console goes", O(enclave_log)},
    {"role-arn", 0, COF_OPT_TEXT, "ARN", "the instance's role, measured into PCR3", O(role_arn)},
    {"debug", 0, COF_OPT_FLAG, NULL, "start the enclave in debug mode: its PCRs are zero", O(debug)},
    {"cid", 0, COF_OPT_NUMBER, "N", "the enclave's context: no other is served by vsock (for nitro-cli default 16)", O(cid)},
    {"telemetry", 't', COF_OPT_TEXT, "ADDRESS", "where the enclave tells events and heartbeats; addresses as above", O(telemetry)},
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
               "\n"
               "An enclave is started by one of: --hypervisor with the enclave's files or an image (the simulation, coffer-local); --nitro-cli\n"
               "with an image. nitro-cli is run by a process of its own; what it reports must have the image's measurements, and --debug or\n"
               "not as asked, or it is terminated. The enclave's events and heartbeats are described in docs/telemetry.md.\n"
               "Under systemd it tells when the enclave was started, and keeps the watchdog (Type=notify, WatchdogSec).\n"
               "\n"
               "Without --hypervisor and --nitro-cli no enclave is started: connections are forwarded for one that somebody else keeps.\n"
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
    cof_notify_send(&h->notify, "READY=1\nSTATUS=the enclave is started");
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
    if (h->cid == 0 && (strncmp(h->listen, "vsock:", 6) == 0 || (h->telemetry != NULL && strncmp(h->telemetry, "vsock:", 6) == 0)))
        return cof_diag_set(diag, COF_E_USAGE, "by vsock any enclave could ask for the credentials: --cid is needed");
    if (h->nitro_cli != NULL && (h->image == NULL || h->hypervisor != NULL || h->enclave != NULL))
        return cof_diag_set(diag, COF_E_USAGE, "--nitro-cli goes with --image, and without --hypervisor");
    if (h->nitro_cli != NULL && (h->cid < 4 || h->cpus == 0 || h->cpus > 1024 || h->memory_mib < 64 || h->memory_mib > 16 << 20))
        return cof_diag_set(diag, COF_E_USAGE, "for nitro-cli --cid is at least 4, --cpus 1 to 1024, --memory-mib at least 64");
    if (h->pcrs.n > 0 && h->image == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--pcr goes with --image");
    if (h->nitro_cli != NULL)
        return COF_OK;
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

static void on_lost(void *ctx)
{
    struct host *h = ctx;

    h->failed = COF_E_CLOSED;
    cof_loop_stop(h->loop);
}

/* "0=9f3a..." against the image's. */
static enum cof_err check_pcr(const struct host *h, const char *text, struct cof_diag *diag)
{
    const uint8_t *const pcrs[COF_NITRO_PCRS] = {h->image_pcrs.pcr0, h->image_pcrs.pcr1, h->image_pcrs.pcr2};
    uint8_t want[COF_PCR_SIZE];
    unsigned which = (unsigned)(text[0] - '0');

    if (which >= COF_NITRO_PCRS || text[1] != '=' || cof_hex_decode_fixed(cof_view_str(text + 2), want, sizeof want) != COF_OK)
        return cof_diag_set(diag, COF_E_USAGE, "--pcr '%s' is not N=HEX with N 0 to 2 and 96 digits", text);
    if (memcmp(want, pcrs[which], sizeof want) != 0)
        return cof_diag_set(diag, COF_E_AUTH, "%s: its PCR%u is another than was given", h->image, which);
    return COF_OK;
}

/* What will run, before it does. */
static enum cof_err measure_image(struct host *h, struct cof_diag *diag)
{
    struct cof_image image = {0};
    struct cof_buf file;
    enum cof_err err;

    cof_buf_init(&file, IMAGE_MAX);
    err = cof_file_read(h->image, &file, diag);
    if (err == COF_OK)
        err = cof_image_read(cof_buf_view(&file), &image, diag);
    if (err == COF_OK && !image.crc_right)
        err = cof_diag_set(diag, COF_E_AUTH, "%s: its CRC is wrong: it was damaged", h->image);
    if (err == COF_OK && image.signature == COF_IMAGE_SIGNATURE_BAD)
        err = cof_diag_set(diag, COF_E_AUTH, "%s: its signature does not hold", h->image);
    h->image_pcrs = image.pcrs;
    cof_image_done(&image);
    cof_buf_done(&file);
    for (size_t i = 0; err == COF_OK && i < h->pcrs.n; i++)
        err = check_pcr(h, h->pcrs.items[i], diag);
    return err;
}

/* Before anything else: from a process that has nothing yet. */
static enum cof_err start_helper(struct host *h, struct cof_diag *diag)
{
    struct nitro_helper_opts opts = {.nitro_cli = h->nitro_cli, .image = h->image, .name = h->name, .cpus = h->cpus,
                                     .memory_mib = h->memory_mib, .cid = (uint32_t)h->cid, .debug = h->debug};

    return h->nitro_cli == NULL ? COF_OK : nitro_helper_start(&opts, &h->helper, diag);
}

static enum cof_err make_nitro_runner(struct host *h, struct runner **out)
{
    struct runner_nitro_opts opts = {.helper = h->helper, .cid = (uint32_t)h->cid, .debug = h->debug, .pcrs = h->image_pcrs, .log = &h->log,
                                     .lost = on_lost, .ctx = h};
    enum cof_err err = runner_nitro_new(h->loop, &opts, out);

    if (err == COF_OK)
        h->helper = -1; /* moved */
    return err;
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

    if (h->hypervisor == NULL && h->nitro_cli == NULL) {
        on_started(h, COF_LIT("{}"));
        return COF_OK;
    }
    err = h->nitro_cli != NULL ? make_nitro_runner(h, &opts.runner) : make_runner(h, &opts.runner, diag);
    if (err == COF_OK && (err = keeper_new(h->loop, &opts, &h->keeper)) != COF_OK)
        opts.runner->free(opts.runner);
    return err;
}

static void on_watchdog(struct cof_timer *timer)
{
    struct host *h = (struct host *)(void *)((char *)timer - offsetof(struct host, watchdog));

    cof_notify_send(&h->notify, "WATCHDOG=1");
    if (cof_loop_arm(h->loop, timer, h->notify.watchdog_ms / 2) != COF_OK)
        cof_log_event(&h->log, COF_LOG_ERROR, "host.no_timer", NULL);
}

static enum cof_err keep_watchdog(struct host *h)
{
    h->watchdog.fire = on_watchdog;
    return h->notify.watchdog_ms == 0 ? COF_OK : cof_loop_arm(h->loop, &h->watchdog, 0);
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
    enum cof_err err;

    if (h->nitro_cli != NULL && h->cid == 0)
        h->cid = NITRO_CID;
    err = check(h, diag);
    if (err == COF_OK)
        err = cof_addr_parse(h->listen, &tunnel.listen, diag);
    h->started_ms = cof_clock_wall_ms();
    if (err == COF_OK && (h->nitro_cli != NULL || h->pcrs.n > 0))
        err = measure_image(h, diag);
    if (err == COF_OK)
        err = start_helper(h, diag);
    if (err == COF_OK)
        err = cof_notify_open(&h->notify, diag);
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
        err = keep_watchdog(h);
    if (err == COF_OK)
        err = keep_enclave(h, diag);
    if (err == COF_OK)
        err = cof_sandbox_drop_caps(diag);
    if (err == COF_OK)
        err = cof_sandbox_seccomp(COF_SANDBOX_HOST, false, diag);
    if (err == COF_OK)
        err = cof_loop_run(h->loop);
    if (err == COF_OK && h->failed != COF_OK)
        err = cof_diag_set(diag, h->failed, "nitro-cli's helper has ended");
    cof_notify_send(&h->notify, "STOPPING=1");
    keeper_free(h->keeper, h->nitro_cli != NULL ? NITRO_END_MS : END_MS);
    events_free(h->events);
    cof_metrics_server_free(h->metrics);
    tunnel_free(h->tunnel);
    cof_signals_free(h->signals);
    cof_session_close(&h->session);
    cof_loop_free(h->loop);
    if (h->helper >= 0)
        (void)close(h->helper);
    cof_notify_close(&h->notify);
    return err;
}

int main(int argc, char **argv)
{
    static struct host host = {.memory_mib = 512, .heartbeat_s = 60, .boot_s = 300, .cpus = 2, .name = "coffer", .helper = -1, .notify.fd = -1};
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
