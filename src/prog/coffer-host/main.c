/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer-host: the untrusted parent of an enclave. Forwards its connections to an allow-list, hands over the role's
 * credentials, starts it and keeps it running. Nothing secret of the data's passes here unsealed.
 */
#include "keeper.h"
#include "tunnel.h"

#include "base/date.h"
#include "client/session.h"
#include "format/json.h"
#include "io/clock.h"
#include "io/harden.h"
#include "io/log_stderr.h"
#include "io/process.h"
#include "io/rng_os.h"
#include "io/sandbox.h"
#include "prog/program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct host {
    const char *listen, *hypervisor, *enclave, *config, *processor, *image, *vsock, *enclave_log, *role_arn;
    uint64_t memory_mib;
    struct cof_text_list allow;
    bool debug;
    struct cof_log log;
    struct cof_loop *loop;
    struct cof_session session; /* for the credentials alone */
    struct tunnel *tunnel;
    struct keeper *keeper;
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
};
static const struct cof_command command = {
    .args = "",
    .summary = "The enclave's parent: forwards, hands over credentials, starts and watches it. Not trusted by anybody.",
    .details = "The role's credentials come from where the AWS tools have them (environment, files, container, instance metadata) and are\n"
               "kept fresh. No program is started for them once the host serves.\n"
               "Prints \"ready\" once the enclave was started.",
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
    if (h->hypervisor == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--hypervisor is needed");
    if (h->image != NULL ? h->vsock == NULL : h->enclave == NULL || h->config == NULL || h->processor == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--enclave, --config and --processor are needed, or --image and --vsock");
    return COF_OK;
}

static enum cof_err run(struct host *h, struct cof_diag *diag)
{
    static const int signals[] = {SIGTERM, SIGINT};
    struct tunnel_opts tunnel = {.allow = h->allow.items, .n_allow = h->allow.n, .resolve = cof_resolve_dns,
                                 .credentials = give_credentials, .ctx = h, .log = &h->log};
    struct keeper_opts keeper = {.enclave = h->enclave, .config = h->config, .processor = h->processor,
                                 .image = h->image, .vsock = h->vsock, .memory_mib = h->memory_mib,
                                 .log_file = h->enclave_log, .role_arn = h->role_arn, .debug = h->debug, .log = &h->log,
                                 .started = on_started, .ctx = h};
    enum cof_err err = check(h, diag);

    if (err == COF_OK)
        err = cof_addr_parse(h->listen, &tunnel.listen, diag);
    if (err == COF_OK)
        err = cof_addr_parse(h->hypervisor, &keeper.hypervisor, diag);
    if (err == COF_OK)
        err = cof_loop_new(&h->loop);
    if (err == COF_OK)
        err = find_credentials(h, diag);
    if (err == COF_OK)
        err = cof_signals_new(h->loop, signals, 2, on_signal, h, &h->signals);
    if (err == COF_OK)
        err = tunnel_new(h->loop, &tunnel, &h->tunnel, diag);
    if (err == COF_OK)
        err = keeper_new(h->loop, &keeper, &h->keeper);
    if (err == COF_OK)
        err = cof_sandbox_drop_caps(diag);
    if (err == COF_OK)
        err = cof_sandbox_seccomp(COF_SANDBOX_HOST, false, diag);
    if (err == COF_OK)
        err = cof_loop_run(h->loop);
    keeper_free(h->keeper);
    tunnel_free(h->tunnel);
    cof_signals_free(h->signals);
    cof_session_close(&h->session);
    cof_loop_free(h->loop);
    return err;
}

int main(int argc, char **argv)
{
    static struct host host = {.memory_mib = 512};
    struct cof_harden_opts harden = {0};
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
