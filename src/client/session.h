/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything a program needs to talk to AWS, put together once: settings, TLS, the HTTP client, credentials, the AWS
 * client.
 */
#ifndef COF_CLIENT_SESSION_H
#define COF_CLIENT_SESSION_H

#include "client/credentials.h"

struct cof_session {
    struct cof_aws_settings settings;
    struct cof_tls_ctx *tls;
    struct cof_http_client *http;
    struct cof_aws aws;
    struct cof_credentials *credentials;
};

struct cof_session_opts {
    struct cof_loop *loop;
    const struct cof_env *env;
    struct cof_aws_overrides overrides;
    const struct cof_aws_credentials *given; /* may be NULL */
    cof_resolve_fn *resolve;
    const struct cof_rng *rng;
    int64_t (*now_ms)(void);
    const struct cof_log *log; /* may be NULL */
};
/* The session must not move afterwards. */
COF_MUST_USE enum cof_err cof_session_open(struct cof_session *out, const struct cof_session_opts *opts,
                                           struct cof_diag *diag);
void cof_session_close(struct cof_session *session); /* takes a zeroed one */

#endif
