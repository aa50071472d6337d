/* SPDX-License-Identifier: Apache-2.0 */
#include "client/session.h"

#include <stdio.h>

static bool needs_tls(const struct cof_aws_settings *settings)
{
    for (size_t i = 0; i < 4; i++)
        if (settings->endpoints[i].https)
            return true;
    return false;
}

static enum cof_err make_http(struct cof_session *s, const struct cof_session_opts *opts, struct cof_diag *diag)
{
    struct cof_http_client_opts http = {.resolve = opts->resolve, .has_proxy = s->settings.has_proxy,
                                        .proxy = s->settings.proxy,
                                        .proxy_basic = s->settings.proxy_basic[0] != '\0' ? s->settings.proxy_basic : NULL};
    struct cof_tls_client_opts tls = {.ca_file = s->settings.ca_bundle[0] != '\0' ? s->settings.ca_bundle : NULL};
    enum cof_err err = COF_OK;

    if (needs_tls(&s->settings))
        err = cof_tls_client_new(&tls, &s->tls, diag);
    http.tls = s->tls;
    return err == COF_OK ? cof_http_client_new(opts->loop, &http, &s->http) : err;
}

enum cof_err cof_session_open(struct cof_session *out, const struct cof_session_opts *opts, struct cof_diag *diag)
{
    struct cof_credentials_opts credentials = {.settings = &out->settings, .aws = &out->aws, .given = opts->given,
                                               .process = cof_credentials_process, .mfa_code = cof_credentials_mfa_code};
    enum cof_err err;

    *out = (struct cof_session){0};
    err = cof_aws_settings_load(&out->settings, opts->env, &opts->overrides, diag);
    if (err == COF_OK)
        err = make_http(out, opts, diag);
    if (err == COF_OK) {
        cof_aws_init(&out->aws, opts->loop, out->http, opts->rng, opts->now_ms);
        out->aws.log = opts->log;
        err = cof_aws_settings_apply(&out->settings, &out->aws, diag);
    }
    if (err == COF_OK)
        err = cof_credentials_new(&credentials, &out->credentials);
    if (err != COF_OK) {
        cof_session_close(out);
        return err;
    }
    out->aws.refresh = cof_credentials_refresh;
    out->aws.refresh_ctx = out->credentials;
    return COF_OK;
}

void cof_session_close(struct cof_session *session)
{
    cof_credentials_free(session->credentials);
    cof_http_client_free(session->http);
    cof_tls_unref(session->tls);
    cof_aws_done(&session->aws);
    cof_aws_settings_done(&session->settings);
    *session = (struct cof_session){0};
}
