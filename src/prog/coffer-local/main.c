/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"
#include "enclaves.h"

#include "engine/totp.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/harden.h"
#include "local.h"
#include "prog/program.h"

#include <stdio.h>
#include <string.h>

#define PROG "coffer-local"
#define O(field) offsetof(struct cof_local_config, field)

static const struct cof_option opt_data = {"data", 'd', COF_OPT_TEXT, "DIR", "where everything is kept (default coffer-data)", O(data)};

static const struct cof_option init_options[] = {
    {"data", 'd', COF_OPT_TEXT, "DIR", "where everything is kept (default coffer-data)", O(data)},
    {"manifest", 'm', COF_OPT_TEXT, "FILE", "what the account holds at first", O(manifest)},
    {"set", 's', COF_OPT_LIST, "NAME=VALUE", "fills a hole of the manifest (pcr0, bucket, ...); repeatable", O(set)},
};
static const struct cof_option serve_options[] = {
    {"data", 'd', COF_OPT_TEXT, "DIR", "where everything is kept (default coffer-data); set up first if new", O(data)},
    {"manifest", 'm', COF_OPT_TEXT, "FILE", "what the account holds at first", O(manifest)},
    {"set", 's', COF_OPT_LIST, "NAME=VALUE", "fills a hole of the manifest (pcr0, bucket, ...); repeatable", O(set)},
    {"listen", 'l', COF_OPT_TEXT, "ADDRESS", "default tcp:127.0.0.1:4566; port 0 picks one", O(listen)},
    {"ready-fd", 0, COF_OPT_NUMBER, "N", "write \"ready PORT\" there instead of to standard output", O(ready_fd)},
    {"imds", 0, COF_OPT_TEXT, "ADDRESS", "serve the instance metadata service there, for --imds-role; its URL is in DIR/imds",
     O(imds)},
    {"imds-role", 0, COF_OPT_TEXT, "ROLE", "the role whose credentials the instance metadata service hands out", O(imds_role)},
    {"metrics", 0, COF_OPT_TEXT, "ADDRESS", "serve metrics for Prometheus there, as plain HTTP; their URL is in DIR/metrics", O(metrics)},
    {"plain", 0, COF_OPT_FLAG, NULL, "no TLS at all", O(plain)},
    {"tls-only", 0, COF_OPT_FLAG, NULL, "no plain HTTP beside TLS", O(tls_only)},
    {"sse-c-over-http", 0, COF_OPT_FLAG, NULL, "take customer keys over plain HTTP, which AWS refuses", O(sse_c_over_http)},
    {"client-ca", 0, COF_OPT_TEXT, "FILE", "demand client certificates of these authorities (PEM); then no plain HTTP either", O(client_ca)},
    {"audit", 0, COF_OPT_TEXT, "FILE", "where the audit log is (default DIR/audit.jsonl)", O(audit)},
    {"audit-rotate", 0, COF_OPT_SIZE, "SIZE", "begin a new file after so many bytes (default 256M; 0: never)", O(audit_rotate)},
    {"vmm", 0, COF_OPT_TEXT, "PROGRAM", "runs enclave images in virtual machines (deploy/vm/monitor)", O(vmm)},
};

static const struct cof_option check_options[] = {
    {"data", 'd', COF_OPT_TEXT, "DIR", "where everything is kept (default coffer-data)", O(data)},
    {"repair", 0, COF_OPT_FLAG, NULL, "mend what can be mended without guessing", O(repair)},
    {"json", 0, COF_OPT_FLAG, NULL, "one JSON object a finding", O(json)},
};
static const struct cof_option status_options[] = {
    {"data", 'd', COF_OPT_TEXT, "DIR", "where everything is kept (default coffer-data)", O(data)},
    {"json", 0, COF_OPT_FLAG, NULL, "all that is known, as JSON", O(json)},
};
static const struct cof_option fault_options[] = {
    {"data", 'd', COF_OPT_TEXT, "DIR", "where everything is kept (default coffer-data)", O(data)},
    {"service", 0, COF_OPT_TEXT, "NAME", "s3, kms, sqs, sts (default: each)", O(service)},
    {"operation", 0, COF_OPT_TEXT, "NAME", "as AWS calls it, PutObject (default: each)", O(operation)},
    {"latency", 0, COF_OPT_TEXT, "TIME", "answer so much later: 200ms, 3s", O(latency)},
    {"status", 0, COF_OPT_NUMBER, "N", "answer with this HTTP error, and do nothing", O(status)},
    {"code", 0, COF_OPT_TEXT, "CODE", "the error's code (SlowDown)", O(code)},
    {"throttle", 0, COF_OPT_FLAG, NULL, "answer as the service does when asked too often", O(throttle)},
    {"cut-after", 0, COF_OPT_NUMBER, "BYTES", "cut the connection after so much of the answer's body", O(cut_after)},
    {"skew", 0, COF_OPT_TEXT, "SECONDS", "judge signatures by a clock that is so much ahead (or, -N, behind)", O(skew)},
    {"tamper", 0, COF_OPT_FLAG, NULL, "flip a bit in the answer's body", O(tamper)},
    {"count", 0, COF_OPT_NUMBER, "N", "so many times (default: always)", O(count)},
    {"skip", 0, COF_OPT_NUMBER, "N", "not the first N", O(skip)},
    {"probability", 0, COF_OPT_TEXT, "P", "0 to 1 (default 1)", O(probability)},
    {"seed", 0, COF_OPT_NUMBER, "S", "of the lots that are drawn (default 1): the same seed draws the same", O(seed)},
};

static const struct cof_option measure_options[] = {
    {"enclave", 'e', COF_OPT_TEXT, "FILE", "the enclave's program", O(enclave)},
    {"config", 'c', COF_OPT_TEXT, "FILE", "its configuration", O(config)},
    {"processor", 'p', COF_OPT_TEXT, "FILE", "the processor's program", O(processor)},
};

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static const struct cof_command commands[] = {
    {"init", "", "Makes a data directory: keys, users, roles, buckets, queues, and their credentials.",
     "Credentials are written to DIR/credentials/NAME.env, one file an identity; those of the first are printed, for a shell.", init_options, COUNT(init_options), 0, 0},
    {"serve", "", "Serves S3, KMS, SQS, STS, tokens and the simulated hypervisor on one port, plain and TLS.",
     "Prints \"ready PORT\" when it listens. The certificate to trust is DIR/tls/ca.pem, the address is in DIR/endpoint. SIGTERM and\n"
     "SIGINT end it when open requests are answered, after 5 seconds at most; a second one at once. SIGHUP opens the audit log anew,\n"
     "after it was moved away (to DIR/audit-N.jsonl, N its first record's number in 16 digits, for `coffer audit verify DIR`).\n"
     "When it was last ended by force it checks its database first, and does not serve one that is damaged.",
     serve_options, COUNT(serve_options), 0, 0},
    {"totp", "USER", "Prints the present code of a user's virtual MFA device.",
     "The seed is in DIR/credentials/USER.mfa, as an otpauth:// address for authenticators. A code is good once, for a"
     " minute or so.", &opt_data, 1, 1, 1},
    {"status", "", "Says whether a data directory is set up and being served, and what it holds.",
     "Counts are made when asked for: a server with millions of objects takes a moment for it.", status_options, COUNT(status_options), 0, 0},
    {"env", "NAME", "Prints the environment of an identity, to paste into a shell.", "eval \"$(coffer-local env root)\"", &opt_data, 1, 1, 1},
    {"check", "", "Looks at everything in a data directory that is not being served.",
     "Database structure, bodies missing, of the wrong size or that nothing names, damaged records, keys that cannot be unsealed, the\n"
     "audit log against what the store knows. --repair removes bodies that nothing names, notes missing ones as lost (so that the\n"
     "rest can be served), and puts an audit log that was changed aside, which a record tells. Exit code 3: something is wrong.",
     check_options, COUNT(check_options), 0, 0},
    {"backup", "TARGET", "Copies a data directory, served or not, as it is now.",
     "TARGET is made. While the copy is made a running server answers nobody else. The copy holds the master key: guard it as such.",
     &opt_data, 1, 1, 1},
    {"fault", "add|list|clear", "Scripts faults of a running server, for tests of its clients.", NULL, fault_options, COUNT(fault_options), 1, 1},
    {"reset", "", "Empties a data directory that is not being served.", NULL, &opt_data, 1, 0, 0},
    {"tls", "", "Makes the certificate authority and the certificate (serve does it too).",
     "An enclave's configuration holds the authority, DIR/tls/ca.pem, and so must be written after it.", &opt_data, 1, 0, 0},
    {"root", "", "Prints the simulated hypervisor's root certificate, PEM, for verifiers to pin.", NULL, &opt_data, 1, 0, 0},
    {"measure", "", "Prints the PCRs an enclave of these files will have, as JSON.", NULL, measure_options,
     COUNT(measure_options), 0, 0},
};

static enum cof_err do_totp(struct cof_local_config *config, struct cof_diag *diag)
{
    struct cof_view rest, secret;
    char path[4096], file[200], code[COF_TOTP_DIGITS + 1];
    struct cof_buf text;
    size_t at;
    enum cof_err err;

    if (snprintf(file, sizeof file, "credentials/%s.mfa", config->args[0]) >= (int)sizeof file ||
        strchr(config->args[0], '/') != NULL || !cof_local_path(path, config->data, file))
        return cof_diag_set(diag, COF_E_USAGE, "that is no name of a user");
    cof_buf_init_secret(&text, 4096);
    err = cof_file_read(path, &text, diag);
    if (err == COF_E_NOT_FOUND)
        cof_diag_hint(diag, "users with \"mfa\" in the manifest have one");
    rest = cof_buf_view(&text);
    for (at = 0; err == COF_OK && !cof_view_starts(cof_view_sub(rest, at, SIZE_MAX), COF_LIT("secret=")); at++)
        if (at == rest.len)
            err = cof_diag_set(diag, COF_E_FORMAT, "%s is damaged", path);
    if (err == COF_OK) {
        (void)cof_view_split(cof_view_sub(rest, at + 7, SIZE_MAX), '&', &secret, &rest);
        err = cof_totp_code(secret, (uint64_t)(cof_clock_wall_ms() / COF_TOTP_STEP_MS), code);
    }
    if (err == COF_OK)
        (void)printf("%s\n", code);
    cof_buf_done(&text);
    return err;
}

static enum cof_err do_init(struct cof_local_config *config, struct cof_diag *diag)
{
    struct cof_local local;
    json_t *manifest;
    enum cof_err err = cof_local_manifest(config, &manifest, diag);

    if (err == COF_OK)
        err = cof_local_open(&local, config, manifest, true, diag);
    if (err == COF_OK) {
        (void)printf("%s is set up for account %s in %s; credentials are in %s/credentials\n", config->data, local.account, local.region, config->data);
        cof_local_close(&local);
        err = env_tell(stdout, config->data, true, diag);
    }
    json_decref(manifest);
    return err;
}

static enum cof_err do_serve(struct cof_local_config *config, struct cof_diag *diag)
{
    struct cof_local local;
    json_t *manifest = NULL;
    enum cof_err err = COF_OK;

    if ((config->imds == NULL) != (config->imds_role == NULL))
        return cof_diag_set(diag, COF_E_USAGE, "--imds and --imds-role belong together");
    config->first_start = cof_local_is_new(config->data);
    if (config->first_start)
        err = cof_local_manifest(config, &manifest, diag);
    if (err == COF_OK)
        err = cof_local_open(&local, config, manifest, false, diag);
    if (err == COF_OK) {
        err = cof_local_mark(&local, config->data, diag);
        if (err == COF_OK)
            err = cof_local_serve(&local, config, diag);
        cof_local_close(&local);
    }
    json_decref(manifest);
    return err;
}

static enum cof_err do_reset(struct cof_local_config *config, struct cof_diag *diag)
{
    return cof_local_reset(config->data, diag);
}

static enum cof_err do_tls(struct cof_local_config *config, struct cof_diag *diag)
{
    return cof_local_tls(config->data, diag);
}

/* DIR/tls/hypervisor-root.pem, which serve writes. */
static enum cof_err do_root(struct cof_local_config *config, struct cof_diag *diag)
{
    struct cof_buf pem;
    char path[4096];
    enum cof_err err;

    if (!cof_local_path(path, config->data, "tls/hypervisor-root.pem"))
        return COF_E_USAGE;
    cof_buf_init(&pem, 65536);
    err = cof_file_read(path, &pem, diag);
    if (err == COF_OK)
        (void)fputs(cof_buf_cstr(&pem), stdout);
    else
        cof_diag_hint(diag, "it is written when the data directory is served");
    cof_buf_done(&pem);
    return err;
}

static enum cof_err do_measure(struct cof_local_config *config, struct cof_diag *diag)
{
    if (config->enclave == NULL || config->config == NULL || config->processor == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--enclave, --config and --processor are all needed");
    return enclaves_measure(config->enclave, config->config, config->processor, diag);
}

static void usage(FILE *out)
{
    (void)fprintf(out, "usage: " PROG " VERB [options]\n\nAWS on one machine: S3, KMS, SQS, STS, tokens and a simulated Nitro hypervisor.\n\n");
    for (size_t i = 0; i < COUNT(commands); i++)
        (void)fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    (void)fprintf(out, "\n" PROG " VERB --help tells more; --man, --version and --completion=SHELL (bash, zsh, fish) are there too.\n");
}

/* --version, --man, --completion */
static bool asked(int argc, char **argv, int *exit_code)
{
    struct cof_verb_name names[COUNT(commands)];
    const struct cof_program program = {PROG, "AWS on one machine: S3, KMS, SQS, STS, tokens and a simulated Nitro hypervisor", names, COUNT(commands)};

    for (size_t i = 0; i < COUNT(commands); i++)
        names[i] = (struct cof_verb_name){commands[i].name, &commands[i]};
    return cof_program_asked(&program, argc, argv, exit_code);
}

int main(int argc, char **argv)
{
    static enum cof_err (*const verbs[])(struct cof_local_config *config, struct cof_diag *diag) = {do_init, do_serve, do_totp, do_status, do_env, do_check, do_backup, do_fault, do_reset,
                                                                                                  do_tls, do_root, do_measure};
    struct cof_local_config config = {.data = "coffer-data", .listen = "tcp:127.0.0.1:4566", .ready_fd = UINT64_MAX, .audit_rotate = (uint64_t)256 << 20, .cut_after = UINT64_MAX};
    struct cof_diag diag = {.text = ""};
    bool exit_now = false;
    char **args;
    int n_args, exit_code;
    enum cof_err err;

    err = cof_harden(&(struct cof_harden_opts){.many_files = true}, NULL, &diag);
    if (err != COF_OK) {
        cof_fail(PROG, err, &diag);
        return COF_EXIT_FAILED;
    }
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? COF_EXIT_USAGE : COF_EXIT_DONE;
    }
    if (asked(argc, argv, &exit_code))
        return exit_code;
    for (size_t i = 0; i < COUNT(commands); i++) {
        char name[40];

        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        (void)snprintf(name, sizeof name, PROG " %s", commands[i].name);
        err = cof_options_parse(name, &commands[i], argc - 1, argv + 1, &config, &args, &n_args, &exit_now);
        if (err != COF_OK || exit_now)
            return err != COF_OK ? COF_EXIT_USAGE : COF_EXIT_DONE;
        config.args = args;
        err = verbs[i](&config, &diag);
        if (err != COF_OK)
            cof_fail(PROG, err, &diag);
        return cof_exit_code(err);
    }
    (void)fprintf(stderr, PROG ": error: there is no verb \"%s\"\n", argv[1]);
    usage(stderr);
    return COF_EXIT_USAGE;
}
