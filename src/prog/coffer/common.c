/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"

#include "io/clock.h"
#include "io/file.h"
#include "io/log_stderr.h"
#include "io/rng_os.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int verb_run(const char *prog, const struct cof_command *command, void *config, verb_fn *verb, int argc, char **argv)
{
    struct cof_diag diag = {0};
    char **args;
    int n_args;
    bool exit_now;
    enum cof_err err;

    if (cof_options_parse(prog, command, argc, argv, config, &args, &n_args, &exit_now) != COF_OK)
        return COF_EXIT_USAGE;
    if (exit_now)
        return COF_EXIT_DONE;
    err = verb(config, args, &diag);
    if (err != COF_OK)
        cof_fail(prog, err, &diag);
    return cof_exit_code(err);
}

static enum cof_err read_json(const char *path, struct cof_aws_json *out, struct cof_diag *diag)
{
    struct cof_buf text;
    struct cof_diag why = {0};
    enum cof_err err;

    cof_buf_init_secret(&text, 65536);
    err = cof_file_read(path, &text, diag);
    if (err == COF_OK) {
        err = cof_aws_json_read(cof_buf_view(&text), out, &why);
        if (err != COF_OK)
            (void)cof_diag_set(diag, err, "%s: %s", path, why.text);
    }
    cof_buf_done(&text);
    return err;
}

enum cof_err aws_open(struct aws_use *use, const struct aws_options *options, struct cof_diag *diag)
{
    struct cof_session_opts opts = {.env = &cof_env_process, .resolve = cof_resolve_dns, .rng = &cof_rng_os,
                                    .now_ms = cof_clock_wall_ms, .log = &use->log};
    struct cof_aws_json json = {0};
    enum cof_err err = cof_loop_new(&use->loop);

    cof_log_stderr(&use->log, "coffer", COF_LOG_ERROR);
    opts.loop = use->loop;
    opts.overrides = options->overrides;
    if (options->max_attempts > 100)
        return cof_diag_set(diag, COF_E_USAGE, "--max-attempts: 1 to 100");
    if (options->stall_s > 3600)
        return cof_diag_set(diag, COF_E_USAGE, "--stall-time: 1 to 3600 seconds");
    opts.overrides.max_attempts = (unsigned)options->max_attempts;
    if (err == COF_OK && options->config != NULL) {
        err = read_json(options->config, &json, diag);
        opts.given = &json.credentials;
        if (opts.overrides.region == NULL && json.region[0] != '\0')
            opts.overrides.region = json.region;
    }
    if (err == COF_OK)
        err = cof_session_open(&use->session, &opts, diag);
    use->session.aws.stall_ms = (int64_t)options->stall_s * 1000;
    cof_aws_json_done(&json);
    return err;
}

enum cof_err aws_ready(struct aws_use *use, struct cof_diag *diag)
{
    enum cof_err err = cof_aws_ready(&use->session.aws, diag);

    return err == COF_OK ? cof_credentials_keep(use->session.credentials) : err;
}

void aws_close(struct aws_use *use)
{
    cof_session_close(&use->session);
    cof_loop_free(use->loop);
    *use = (struct aws_use){0};
}

enum cof_err context_parse(const struct cof_text_list *texts, struct cof_esdk_pair *pairs, size_t max, size_t *n,
                           struct cof_diag *diag)
{
    *n = 0;
    for (size_t i = 0; i < texts->n; i++) {
        if (*n == max || !cof_view_split(cof_view_str(texts->items[i]), '=', &pairs[*n].name, &pairs[*n].value))
            return cof_diag_set(diag, COF_E_USAGE, "'%s': write context as NAME=VALUE", texts->items[i]);
        if (cof_view_starts(pairs[*n].name, COF_LIT("aws-crypto-")))
            return cof_diag_set(diag, COF_E_USAGE, "names that begin with aws-crypto- are reserved");
        (*n)++;
    }
    if (cof_esdk_sort_pairs(pairs, *n) != COF_OK)
        return cof_diag_set(diag, COF_E_USAGE, "a context name is empty, given twice, or not UTF-8");
    return COF_OK;
}

bool context_explain(const struct cof_esdk_decrypt *d, const struct cof_esdk_pair *known, size_t n_known,
                     struct cof_diag *diag)
{
    const struct cof_esdk_header *h = d == NULL ? NULL : cof_esdk_decrypt_header(d);

    for (size_t i = 0; h != NULL && i < n_known; i++) {
        const struct cof_esdk_pair *p = &known[i];
        struct cof_view value;
        bool there = cof_esdk_pairs_find(h->pairs, h->n_pairs, p->name, &value);

        if (there && cof_view_eq(value, p->value))
            continue;
        (void)cof_diag_set(diag, COF_E_AUTH, there ? "the message's context has another value than %.*s=%.*s"
                                                   : "the message's context lacks %.*s=%.*s",
                           (int)p->name.len, (const char *)p->name.data, (int)p->value.len, (const char *)p->value.data);
        cof_diag_hint(diag, "'coffer inspect' shows the context");
        return true;
    }
    return false;
}

enum cof_err commitment_parse(const char *text, enum cof_commitment_policy *out, struct cof_diag *diag)
{
    *out = COF_REQUIRE_ENCRYPT_REQUIRE_DECRYPT;
    if (text == NULL || cof_commitment_policy_parse(cof_view_str(text), out) == COF_OK)
        return COF_OK;
    (void)cof_diag_set(diag, COF_E_USAGE, "--commitment-policy: '%s' is none", text);
    cof_diag_hint(diag, COMMITMENT_HELP);
    return COF_E_USAGE;
}

enum cof_err s3_url_parse(const char *text, struct cof_view *bucket, struct cof_view *key, struct cof_diag *diag)
{
    struct cof_view v = cof_view_str(text);

    if (!cof_view_starts(v, COF_LIT("s3://")) ||
        !cof_view_split(cof_view_sub(v, 5, SIZE_MAX), '/', bucket, key) || bucket->len < 3 || key->len == 0)
        return cof_diag_set(diag, COF_E_USAGE, "'%s': write s3://BUCKET/KEY", text);
    return COF_OK;
}

enum cof_err s3_url_split(const char *text, struct cof_view *bucket, struct cof_view *key, struct cof_diag *diag)
{
    struct cof_view v = cof_view_str(text);

    *bucket = *key = (struct cof_view){0};
    if (cof_view_starts(v, COF_LIT("s3://")))
        (void)cof_view_split(cof_view_sub(v, 5, SIZE_MAX), '/', bucket, key);
    if (bucket->len < 3 || bucket->len > 63) {
        (void)cof_diag_set(diag, COF_E_USAGE, "'%s': write s3://BUCKET/KEY", text);
        if (bucket->len > 0)
            cof_diag_hint(diag, "a bucket's name has 3 to 63 characters");
        return COF_E_USAGE;
    }
    return COF_OK;
}

void print_name(struct cof_view name)
{
    for (size_t i = 0; i < name.len; i++)
        (void)printf(name.data[i] < 0x20 || name.data[i] == 0x7f ? "\\x%02x" : "%c", name.data[i]);
}

bool path_is_file(const char *path)
{
    struct stat st;

    return strcmp(path, "-") != 0 && (stat(path, &st) != 0 || S_ISREG(st.st_mode));
}
