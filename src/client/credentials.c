/* SPDX-License-Identifier: Apache-2.0 */
#include "client/credentials.h"

#include "base/date.h"
#include "client/credentials_mfa.h"
#include "client/credentials_plan.h"
#include "client/endpoint.h"
#include "client/fetch.h"
#include "client/metadata.h"
#include "engine/sts_call.h"
#include "format/json.h"
#include "format/uri.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_MAX 65536
#define TOKEN_MAX 16384
#define IMDS_MS 2000      /* it is on this machine, or it is not there */
#define CONTAINER_MS 5000
#define AGAIN_MS 30000
#define KEPT_MS 300000    /* a kept session that ends sooner is not begun with */
#define USABLE_MS 10000   /* what ends sooner is as good as ended */
#define IMDS_PATH "/latest/meta-data/iam/security-credentials/"

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

enum imds_step { IMDS_TOKEN, IMDS_ROLE, IMDS_KEYS };

struct cof_credentials {
    struct cof_credentials_opts opts;
    struct cof_aws *aws;
    struct cof_aws_credentials given;
    bool has_given;
    char container_path[512];
    struct cof_timer keep;
    char origin[192];

    /* one fetch */
    bool busy;
    void (*done)(void *ctx, enum cof_err err, const struct cof_diag *diag);
    void *ctx;
    struct cof_credentials_plan plan;
    struct cof_aws_credentials got;
    const struct cof_credentials_role *role; /* being assumed; of plan */
    struct cof_mfa_ask ask;
    bool had_code;
    char kept[4096];            /* where the session of the role being assumed is kept; empty: nowhere */
    struct cof_aws sts;         /* signs with what the stage before has got */
    struct cof_fetch *fetch;
    struct cof_metadata *metadata;
    struct cof_aws_endpoint endpoint; /* of the metadata service or container */
    enum imds_step step;
    struct cof_buf token, target;
    struct cof_diag diag;
};

static void finish(struct cof_credentials *c, enum cof_err err);
static void assume_next(struct cof_credentials *c);
static void ask_imds(struct cof_credentials *c);

static enum cof_err set(struct cof_aws_credentials *out, struct cof_view id, struct cof_view secret,
                        struct cof_view token, int64_t expires_ms)
{
    cof_aws_credentials_done(out);
    cof_aws_credentials_init(out);
    cof_buf_add(&out->access_key_id, id);
    cof_buf_add(&out->secret_access_key, secret);
    cof_buf_add(&out->session_token, token);
    out->expires_ms = expires_ms;
    if (id.len == 0 || secret.len == 0)
        return COF_E_FORMAT;
    if (cof_buf_err(&out->access_key_id) != COF_OK || cof_buf_err(&out->secret_access_key) != COF_OK)
        return COF_E_FORMAT;
    return cof_buf_err(&out->session_token);
}

/* {"AccessKeyId", "SecretAccessKey", "Token" or "SessionToken", "Expiration"} */
static enum cof_err read_json(struct cof_credentials *c, struct cof_view text, const char *token_name)
{
    struct cof_view id, secret, token, expires, code;
    int64_t expires_ms = 0;
    json_t *object;
    enum cof_err err = cof_json_parse_object(text, REPLY_MAX, &object, NULL);

    if (err != COF_OK)
        return cof_diag_set(&c->diag, COF_E_FORMAT, "credentials from %s: no JSON came", c->origin);
    err = cof_json_text(object, "AccessKeyId", &id, NULL);
    if (err == COF_OK)
        err = cof_json_text(object, "SecretAccessKey", &secret, NULL);
    if (err == COF_OK)
        err = cof_json_text_or(object, token_name, "", &token, NULL);
    if (err == COF_OK)
        err = cof_json_text_or(object, "Expiration", "", &expires, NULL);
    if (err == COF_OK)
        err = cof_json_text_or(object, "Code", "Success", &code, NULL);
    if (err == COF_OK && !cof_view_eq(code, COF_LIT("Success")))
        err = COF_E_FORMAT;
    if (err == COF_OK && expires.len > 0)
        err = cof_date_parse_iso(expires, &expires_ms);
    if (err == COF_OK)
        err = set(&c->got, id, secret, token, expires_ms);
    cof_json_wipe(object, "SecretAccessKey");
    cof_json_wipe(object, token_name);
    json_decref(object);
    if (err != COF_OK)
        (void)cof_diag_set(&c->diag, err, "credentials from %s: the answer holds none", c->origin);
    return err;
}

static struct cof_view env(const struct cof_credentials *c, const char *name)
{
    return cof_view_str(cof_env_get(&c->opts.settings->env, name));
}

static struct cof_view profile_text(const struct cof_credentials *c, const char *name)
{
    struct cof_view v;

    (void)cof_aws_profile_get(c->opts.settings, c->plan.profile, name, &v);
    return v;
}

static enum cof_err run_process(struct cof_credentials *c)
{
    struct cof_buf out;
    enum cof_err err;

    if (c->opts.process == NULL)
        return cof_diag_set(&c->diag, COF_E_CONFIG, "credential_process is not supported here");
    cof_buf_init_secret(&out, REPLY_MAX);
    err = c->opts.process(&c->opts.settings->env, c->plan.command, &out, &c->diag);
    if (err == COF_OK)
        err = read_json(c, cof_buf_view(&out), "SessionToken");
    cof_buf_done(&out);
    return err;
}

static enum cof_err read_text_file(struct cof_credentials *c, struct cof_view path, struct cof_buf *out)
{
    char name[4096];
    enum cof_err err;

    if (path.len >= sizeof name)
        return COF_E_CONFIG;
    memcpy(name, path.data, path.len);
    name[path.len] = '\0';
    cof_buf_reset(out);
    err = cof_file_read(name, out, &c->diag);
    while (out->len > 0 && (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r'))
        cof_buf_truncate(out, out->len - 1);
    return err;
}

/* Roles. */

static void on_sts(void *ctx, enum cof_err err, struct cof_view body, const struct cof_aws_error *error,
                   const struct cof_diag *diag)
{
    struct cof_credentials *c = ctx;
    struct cof_sts_credentials got = {0};

    (void)error;
    c->fetch = NULL;
    if (diag != NULL)
        c->diag = *diag;
    if (err == COF_OK)
        err = cof_sts_parse_credentials(body, &got, &c->diag);
    if (err == COF_OK)
        err = set(&c->got, cof_buf_view(&got.access_key_id), cof_buf_view(&got.secret_access_key),
                  cof_buf_view(&got.session_token), got.expires_ms);
    cof_sts_credentials_done(&got);
    if (err == COF_OK && c->kept[0] != '\0')
        cof_mfa_session_write(c->kept, &c->got);
    if (err == COF_OK)
        assume_next(c);
    else
        finish(c, err);
}

/* An STS client of our own: its credentials are those of the stage before. */
static enum cof_err ready_sts(struct cof_credentials *c)
{
    const struct cof_aws_settings *s = c->opts.settings;
    struct cof_aws *sts = &c->sts;
    enum cof_err err;

    cof_aws_done(sts);
    cof_aws_init(sts, c->aws->loop, c->aws->http, c->aws->rng, c->aws->now_ms);
    sts->skew_ms = c->aws->skew_ms;
    sts->max_attempts = c->aws->max_attempts;
    sts->backoff_ms = c->aws->backoff_ms;
    (void)snprintf(sts->region, sizeof sts->region, "%s", s->region[0] != '\0' ? s->region : "us-east-1");
    sts->endpoints[COF_AWS_STS] = s->endpoints[COF_AWS_STS];
    if (sts->endpoints[COF_AWS_STS].host[0] == '\0') {
        sts->endpoints[COF_AWS_STS] = (struct cof_aws_endpoint){.https = true, .port = 443};
        err = cof_endpoint_host(COF_AWS_STS, sts->region, false, false, sts->endpoints[COF_AWS_STS].host, &c->diag);
        if (err != COF_OK)
            return err;
    }
    return set(&sts->credentials, cof_buf_view(&c->got.access_key_id), cof_buf_view(&c->got.secret_access_key),
               cof_buf_view(&c->got.session_token), 0);
}

static struct cof_view session_name(const struct cof_credentials_role *role)
{
    return role->session_name.len > 0 ? role->session_name : COF_LIT("coffer");
}

/* A session that was kept, with time left to be used. What is damaged or has ended is asked for anew. */
static bool take_kept(struct cof_credentials *c)
{
    struct cof_aws_credentials before = c->got;
    struct cof_buf text;
    bool good;

    cof_buf_init_secret(&text, REPLY_MAX);
    cof_aws_credentials_init(&c->got);
    good = cof_mfa_session_read(c->kept, &text) == COF_OK && read_json(c, cof_buf_view(&text), "SessionToken") == COF_OK &&
           c->got.expires_ms > c->aws->now_ms() + KEPT_MS;
    cof_buf_done(&text);
    if (good) {
        cof_aws_credentials_done(&before);
    } else {
        cof_aws_credentials_done(&c->got);
        c->got = before;
    }
    return good;
}

/* code: empty for a role that asks for none. */
static enum cof_err start_role(struct cof_credentials *c, struct cof_view code)
{
    const struct cof_credentials_role *role = c->role;
    struct cof_fetch_events events = {on_sts, NULL, c};
    struct cof_aws_request request;
    enum cof_err err = ready_sts(c);

    if (err == COF_OK)
        err = cof_sts_assume_role(&request, role->arn, session_name(role), role->duration_s);
    if (err != COF_OK)
        return err;
    if (role->external_id.len > 0)
        cof_sts_add_external_id(&request, role->external_id);
    if (code.len > 0)
        cof_sts_add_mfa(&request, role->mfa_serial, code);
    return cof_fetch_start(&c->sts, &request, REPLY_MAX, &events, &c->fetch);
}

static void on_code(void *ctx, enum cof_err err, struct cof_view code)
{
    struct cof_credentials *c = ctx;

    if (err == COF_E_USAGE)
        (void)cof_diag_set(&c->diag, err, "the MFA code must be six digits");
    if (err == COF_E_CONFIG)
        (void)cof_diag_set(&c->diag, err, "no MFA code was given");
    if (err == COF_OK)
        err = start_role(c, code);
    if (err != COF_OK)
        finish(c, err);
}

static enum cof_err start_role_with_code(struct cof_credentials *c)
{
    const struct cof_credentials_role *role = c->role;
    struct cof_buf code;
    enum cof_err err = COF_E_SHORT;

    if (c->opts.mfa_code == NULL)
        return cof_diag_set(&c->diag, COF_E_CONFIG, "role %.*s asks for an MFA code, and this program has nobody to ask", (int)role->arn.len,
                            (const char *)role->arn.data);
    cof_buf_init_secret(&code, 64);
    if (!c->had_code)
        err = c->opts.mfa_code(&c->opts.settings->env, role->mfa_serial, &code, &c->diag);
    c->had_code = true;
    if (err == COF_OK)
        err = start_role(c, cof_buf_view(&code));
    else if (err == COF_E_SHORT)
        err = cof_mfa_ask_start(&c->ask, c->aws->loop, role->mfa_serial, on_code, c, &c->diag);
    cof_buf_done(&code);
    return err;
}

static void assume_next(struct cof_credentials *c)
{
    const struct cof_credentials_role *role;
    enum cof_err err;

    if (c->plan.n_hops == 0) {
        finish(c, COF_OK);
        return;
    }
    c->role = role = &c->plan.hops[--c->plan.n_hops];
    if (role->mfa_serial.len == 0 || c->opts.mfa_code == NULL ||
        !cof_mfa_session_path(&c->opts.settings->env, role, cof_buf_view(&c->got.access_key_id), c->kept))
        c->kept[0] = '\0';
    if (c->kept[0] != '\0' && take_kept(c)) {
        assume_next(c);
        return;
    }
    err = role->mfa_serial.len > 0 ? start_role_with_code(c) : start_role(c, (struct cof_view){0});
    if (err != COF_OK)
        finish(c, err);
}

static enum cof_err start_web_identity(struct cof_credentials *c)
{
    const struct cof_credentials_role *role = &c->plan.web;
    struct cof_fetch_events events = {on_sts, NULL, c};
    struct cof_aws_request request;
    enum cof_err err = ready_sts(c);

    c->kept[0] = '\0';
    if (err == COF_OK || err == COF_E_FORMAT) /* it has no credentials yet, and needs none */
        err = read_text_file(c, c->plan.token_file, &c->token);
    if (err == COF_OK)
        err = cof_sts_assume_role_with_web_identity(&request, role->arn, session_name(role), cof_buf_view(&c->token),
                                                    role->duration_s);
    return err == COF_OK ? cof_fetch_start(&c->sts, &request, REPLY_MAX, &events, &c->fetch) : err;
}

/* Container agents. */

static void on_container(void *ctx, enum cof_err err, int status, struct cof_view body)
{
    struct cof_credentials *c = ctx;

    c->metadata = NULL;
    if (err == COF_OK && status != 200)
        err = status >= 500 || status == 429 ? COF_E_RETRY : COF_E_DENIED;
    if (err != COF_OK)
        (void)cof_diag_set(&c->diag, err, "credentials from %s: %s (status %d)", c->origin, cof_err_text(err), status);
    else
        err = read_json(c, body, "Token");
    if (err == COF_OK)
        assume_next(c);
    else
        finish(c, err);
}

/* In the clear only where nobody else listens: this machine, and the agents' link-local addresses. */
static bool may_be_plain(const char *host)
{
    static const char *const hosts[] = {"localhost", "169.254.170.2", "169.254.170.23", "::1", "fd00:ec2::23"};

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (strcmp(host, hosts[i]) == 0)
            return true;
    return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host);
}

static enum cof_err container_place(struct cof_credentials *c)
{
    struct cof_view relative = env(c, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), target = {0};
    const char *full = cof_env_get(&c->opts.settings->env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    enum cof_err err = COF_OK;

    cof_buf_reset(&c->target);
    if (c->opts.has_container_addr) {
        c->endpoint = (struct cof_aws_endpoint){.host = "localhost", .port = 80, .has_addr = true,
                                                .addr = c->opts.container_addr};
        target = cof_view_str(c->container_path);
    } else if (relative.len > 0) {
        err = cof_aws_endpoint_parse("http://169.254.170.2", &c->endpoint, &c->diag);
        target = relative;
    } else if (full != NULL) {
        err = cof_metadata_url(full, &c->endpoint, &target, &c->diag);
    } else {
        err = cof_diag_set(&c->diag, COF_E_CONFIG, "AWS_CONTAINER_CREDENTIALS_FULL_URI is not set");
    }
    if (err == COF_OK && !c->endpoint.https && !c->endpoint.has_addr && !may_be_plain(c->endpoint.host))
        err = cof_diag_set(&c->diag, COF_E_CONFIG, "AWS_CONTAINER_CREDENTIALS_FULL_URI: '%s' needs https",
                           c->endpoint.host);
    if (err == COF_OK && !c->endpoint.https && !c->endpoint.has_addr) { /* past any proxy */
        c->endpoint.has_addr = true;
        c->endpoint.addr = (struct cof_addr){.kind = COF_ADDR_TCP, .port = c->endpoint.port};
        (void)snprintf(c->endpoint.addr.host, sizeof c->endpoint.addr.host, "%s",
                       strcmp(c->endpoint.host, "localhost") == 0 ? "127.0.0.1" : c->endpoint.host);
    }
    cof_buf_add(&c->target, target);
    return err == COF_OK ? cof_buf_err(&c->target) : err;
}

static enum cof_err start_container(struct cof_credentials *c)
{
    struct cof_metadata_request request = {.method = "GET", .total_ms = CONTAINER_MS};
    struct cof_view file = env(c, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    enum cof_err err = container_place(c);

    cof_buf_reset(&c->token);
    if (err == COF_OK && file.len > 0)
        err = read_text_file(c, file, &c->token);
    else
        cof_buf_add(&c->token, env(c, "AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    if (err == COF_OK)
        err = cof_buf_err(&c->token);
    if (err != COF_OK)
        return err;
    request.endpoint = c->endpoint;
    request.target = cof_buf_view(&c->target);
    if (c->token.len > 0) {
        request.header = "Authorization";
        request.value = cof_buf_view(&c->token);
    }
    return cof_metadata_start(c->aws->http, &request, on_container, c, &c->metadata);
}

/* Instance metadata: a session token, the role's name, its keys. */

static enum cof_err no_imds(struct cof_credentials *c, enum cof_err err)
{
    (void)cof_diag_set(&c->diag, COF_E_CONFIG, "no AWS credentials: %s",
                       c->opts.settings->imds_disabled ? "none are configured"
                                                       : "none are configured, and no instance role answers");
    cof_diag_hint(&c->diag, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials");
    return err == COF_E_MEMORY ? err : COF_E_CONFIG;
}

static enum cof_err take_role_name(struct cof_credentials *c, struct cof_view body)
{
    struct cof_view name, rest;

    (void)cof_view_split(body, '\n', &name, &rest);
    if (name.len == 0 || name.len > 128)
        return COF_E_FORMAT;
    cof_buf_reset(&c->target);
    cof_buf_add_str(&c->target, IMDS_PATH);
    cof_uri_encode(&c->target, name, false);
    return cof_buf_err(&c->target);
}

static void on_imds(void *ctx, enum cof_err err, int status, struct cof_view body)
{
    struct cof_credentials *c = ctx;

    c->metadata = NULL;
    if (err == COF_OK && status != 200)
        err = COF_E_DENIED;
    if (err != COF_OK) {
        finish(c, no_imds(c, err));
        return;
    }
    if (c->step == IMDS_KEYS) {
        err = read_json(c, body, "Token");
        if (err == COF_OK)
            assume_next(c);
        else
            finish(c, err);
        return;
    }
    if (c->step == IMDS_TOKEN) {
        cof_buf_reset(&c->token);
        cof_buf_add(&c->token, body);
        err = cof_buf_err(&c->token);
    } else {
        err = take_role_name(c, body);
    }
    c->step = c->step == IMDS_TOKEN ? IMDS_ROLE : IMDS_KEYS;
    if (err == COF_OK)
        ask_imds(c);
    else
        finish(c, no_imds(c, err));
}

static void ask_imds(struct cof_credentials *c)
{
    struct cof_metadata_request request = {.endpoint = c->endpoint, .method = "GET", .total_ms = IMDS_MS,
                                           .header = "X-aws-ec2-metadata-token", .value = cof_buf_view(&c->token)};
    enum cof_err err;

    if (c->step == IMDS_TOKEN) {
        request.method = "PUT";
        request.target = COF_LIT("/latest/api/token");
        request.header = "X-aws-ec2-metadata-token-ttl-seconds";
        request.value = COF_LIT("21600");
    } else {
        request.target = c->step == IMDS_ROLE ? COF_LIT(IMDS_PATH) : cof_buf_view(&c->target);
    }
    err = cof_metadata_start(c->aws->http, &request, on_imds, c, &c->metadata);
    if (err != COF_OK)
        finish(c, err);
}

static enum cof_err start_imds(struct cof_credentials *c)
{
    const char *named = cof_env_get(&c->opts.settings->env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *base = c->opts.imds_base != NULL ? c->opts.imds_base : named != NULL ? named : "http://169.254.169.254";
    enum cof_err err;

    if (c->opts.settings->imds_disabled)
        return no_imds(c, COF_E_CONFIG);
    err = cof_aws_endpoint_parse(base, &c->endpoint, &c->diag);
    if (err != COF_OK)
        return err;
    c->endpoint.has_addr = true; /* past any proxy */
    c->endpoint.addr = (struct cof_addr){.kind = COF_ADDR_TCP, .port = c->endpoint.port};
    (void)snprintf(c->endpoint.addr.host, sizeof c->endpoint.addr.host, "%s", c->endpoint.host);
    c->step = IMDS_TOKEN;
    ask_imds(c);
    return COF_OK;
}

/* The whole. */

/* COF_OK: under way, or *at_once and the base is there. */
static enum cof_err start_base(struct cof_credentials *c, bool *at_once)
{
    *at_once = false;
    switch (c->plan.base) {
    case COF_BASE_ENVIRONMENT:
        *at_once = true;
        (void)snprintf(c->origin, sizeof c->origin, "environment");
        return set(&c->got, env(c, "AWS_ACCESS_KEY_ID"), env(c, "AWS_SECRET_ACCESS_KEY"), env(c, "AWS_SESSION_TOKEN"),
                   0);
    case COF_BASE_FILE:
        *at_once = true;
        (void)snprintf(c->origin, sizeof c->origin, "profile %s", c->plan.profile);
        return set(&c->got, profile_text(c, "aws_access_key_id"), profile_text(c, "aws_secret_access_key"),
                   profile_text(c, "aws_session_token"), 0);
    case COF_BASE_PROCESS:
        *at_once = true;
        (void)snprintf(c->origin, sizeof c->origin, "credential_process of profile %s", c->plan.profile);
        return run_process(c);
    case COF_BASE_WEB_IDENTITY:
        (void)snprintf(c->origin, sizeof c->origin, "web identity");
        return start_web_identity(c);
    case COF_BASE_CONTAINER:
        (void)snprintf(c->origin, sizeof c->origin, "container");
        return start_container(c);
    case COF_BASE_IMDS:
        (void)snprintf(c->origin, sizeof c->origin, "instance role");
        return start_imds(c);
    }
    return COF_E_BUG;
}

static void arm_keep(struct cof_credentials *c, enum cof_err err)
{
    int64_t left_ms = c->got.expires_ms - (c->aws->now_ms() + c->aws->skew_ms), after_ms = AGAIN_MS;

    if (c->keep.fire == NULL || (err == COF_OK && c->got.expires_ms == 0))
        return;
    if (err == COF_OK) /* short-lived ones at half their life */
        after_ms = left_ms > 2 * COF_AWS_REFRESH_MS ? left_ms - COF_AWS_REFRESH_MS - AGAIN_MS : left_ms / 2;
    if (cof_loop_arm(c->aws->loop, &c->keep, after_ms > 1000 ? after_ms : 1000) != COF_OK)
        cof_log_event(c->aws->log, COF_LOG_ERROR, "credentials.not_kept", NULL);
}

static void finish(struct cof_credentials *c, enum cof_err err)
{
    struct cof_diag diag = c->diag;

    if (err == COF_OK && c->got.expires_ms != 0 &&
        c->got.expires_ms < c->aws->now_ms() + c->aws->skew_ms + USABLE_MS) {
        err = cof_diag_set(&diag, COF_E_DENIED, "credentials from %s have expired", c->origin);
        cof_diag_hint(&diag, "check this machine's clock, or sign in again");
    }
    c->busy = false;
    arm_keep(c, err);
    if (err == COF_OK) {
        cof_aws_credentials_done(&c->aws->credentials);
        c->aws->credentials = c->got; /* moved */
        c->got = (struct cof_aws_credentials){0};
    } else if (diag.text[0] == '\0') {
        (void)cof_diag_set(&diag, err, "credentials from %s: %s", c->origin, cof_err_text(err));
    }
    cof_aws_done(&c->sts);
    cof_buf_reset(&c->token);
    c->done(c->ctx, err, &diag);
}

enum cof_err cof_credentials_start(struct cof_credentials *source,
                                   void (*done)(void *ctx, enum cof_err err, const struct cof_diag *diag), void *ctx)
{
    struct cof_credentials *c = source;
    bool at_once = true;
    enum cof_err err;

    if (c->busy)
        return COF_E_STATE;
    c->busy = true;
    c->done = done;
    c->ctx = ctx;
    c->diag = (struct cof_diag){0};
    if (c->has_given) {
        (void)snprintf(c->origin, sizeof c->origin, "given");
        err = set(&c->got, cof_buf_view(&c->given.access_key_id), cof_buf_view(&c->given.secret_access_key),
                  cof_buf_view(&c->given.session_token), c->given.expires_ms);
    } else if (c->opts.has_container_addr) {
        c->plan = (struct cof_credentials_plan){.base = COF_BASE_CONTAINER};
        err = start_base(c, &at_once);
    } else {
        err = cof_credentials_plan(c->opts.settings, &c->plan, &c->diag);
        if (err == COF_OK)
            err = start_base(c, &at_once);
    }
    if (err != COF_OK)
        finish(c, err);
    else if (at_once)
        assume_next(c);
    return COF_OK;
}

enum cof_err cof_credentials_new(const struct cof_credentials_opts *opts, struct cof_credentials **out)
{
    struct cof_credentials *c = calloc(1, sizeof *c);
    enum cof_err err = COF_OK;

    *out = NULL;
    if (c == NULL)
        return COF_E_MEMORY;
    c->opts = *opts;
    c->aws = opts->aws;
    cof_aws_credentials_init(&c->got);
    cof_buf_init_secret(&c->token, TOKEN_MAX);
    cof_buf_init(&c->target, 2048);
    if (opts->given != NULL) {
        c->has_given = true;
        cof_aws_credentials_init(&c->given);
        err = set(&c->given, cof_buf_view(&opts->given->access_key_id), cof_buf_view(&opts->given->secret_access_key),
                  cof_buf_view(&opts->given->session_token), opts->given->expires_ms);
    }
    if (snprintf(c->container_path, sizeof c->container_path, "%s",
                 opts->container_path != NULL ? opts->container_path : "/") >= (int)sizeof c->container_path)
        err = COF_E_CONFIG;
    if (err != COF_OK) {
        cof_credentials_free(c);
        return err == COF_E_FORMAT ? COF_E_CONFIG : err;
    }
    *out = c;
    return COF_OK;
}

void cof_credentials_free(struct cof_credentials *source)
{
    if (source == NULL)
        return;
    cof_loop_disarm(source->aws->loop, &source->keep);
    cof_mfa_ask_cancel(&source->ask);
    cof_fetch_cancel(source->fetch);
    cof_metadata_cancel(source->metadata);
    cof_aws_done(&source->sts);
    cof_aws_credentials_done(&source->got);
    cof_aws_credentials_done(&source->given);
    cof_buf_done(&source->token);
    cof_buf_done(&source->target);
    cof_loop_discard(source->aws->loop, source);
}

struct waiting {
    bool done;
    enum cof_err err;
    struct cof_diag diag;
};

static void on_waited(void *ctx, enum cof_err err, const struct cof_diag *diag)
{
    struct waiting *w = ctx;

    w->done = true;
    w->err = err;
    w->diag = *diag;
}

static void drop_under_way(struct cof_credentials *c)
{
    cof_mfa_ask_cancel(&c->ask);
    cof_fetch_cancel(c->fetch);
    cof_metadata_cancel(c->metadata);
    c->fetch = NULL;
    c->metadata = NULL;
    c->busy = false;
}

enum cof_err cof_credentials_run(struct cof_credentials *source, struct cof_diag *diag)
{
    struct waiting w = {0};
    enum cof_err err;

    drop_under_way(source); /* the timer's, which this one replaces */
    err = cof_credentials_start(source, on_waited, &w);
    if (err == COF_OK)
        err = cof_loop_run_until(source->aws->loop, &w.done, -1);
    if (err != COF_OK) {
        drop_under_way(source); /* w ends here */
        return err;
    }
    if (w.err != COF_OK && diag != NULL)
        *diag = w.diag;
    return w.err;
}

static void on_kept(void *ctx, enum cof_err err, const struct cof_diag *diag)
{
    struct cof_credentials *c = ctx;

    if (err != COF_OK)
        cof_log_event(c->aws->log, COF_LOG_ERROR, "credentials.refresh_failed", "why", diag->text, NULL);
    else
        cof_log_event(c->aws->log, COF_LOG_INFO, "credentials.refreshed", "origin", c->origin, NULL);
}

static void on_keep(struct cof_timer *timer)
{
    struct cof_credentials *c = OWNER(timer, struct cof_credentials, keep);

    if (!c->busy && cof_credentials_start(c, on_kept, c) != COF_OK)
        arm_keep(c, COF_E_RETRY);
}

enum cof_err cof_credentials_keep(struct cof_credentials *source)
{
    int64_t left_ms = source->aws->credentials.expires_ms - (source->aws->now_ms() + source->aws->skew_ms);
    bool has_any = source->aws->credentials.access_key_id.len > 0;

    source->keep.fire = on_keep;
    if (has_any && source->aws->credentials.expires_ms == 0)
        return COF_OK;
    left_ms = left_ms > 2 * COF_AWS_REFRESH_MS ? left_ms - COF_AWS_REFRESH_MS - AGAIN_MS : left_ms / 2;
    return cof_loop_arm(source->aws->loop, &source->keep, has_any && left_ms > 0 ? left_ms : 0);
}

const char *cof_credentials_origin(const struct cof_credentials *source)
{
    return source->origin;
}

enum cof_err cof_credentials_refresh(void *source, struct cof_aws *aws, struct cof_diag *diag)
{
    struct cof_diag own = {0};
    enum cof_err err = cof_credentials_run(source, &own);
    bool usable = aws->credentials.access_key_id.len > 0 &&
                  aws->credentials.expires_ms > aws->now_ms() + aws->skew_ms + USABLE_MS;

    if (err != COF_OK && usable) { /* those at hand still do */
        cof_log_event(aws->log, COF_LOG_WARN, "credentials.refresh_failed", "why", own.text, NULL);
        return COF_OK;
    }
    if (err != COF_OK && diag != NULL)
        *diag = own;
    return err;
}
