/* SPDX-License-Identifier: Apache-2.0
 *
 * Where AWS credentials come from, in the tools' order: given, environment (not when a profile was named by option),
 * assume-role profile, web identity, shared files, credential_process, container endpoint, instance metadata (IMDSv2
 * only). What expires is fetched anew before it does (C-27). Asynchronous on a loop, since programs refresh while they
 * serve; the blocking form is the `refresh` hook of struct cof_aws.
 */
#ifndef COF_CLIENT_CREDENTIALS_H
#define COF_CLIENT_CREDENTIALS_H

#include "client/aws_config.h"

struct cof_credentials;

struct cof_credentials_opts {
    const struct cof_aws_settings *settings; /* outlives the source */
    struct cof_aws *aws; /* whose credentials are filled; its loop, HTTP client, clock and randomness */
    const struct cof_aws_credentials *given; /* explicit: used as they are; copied */
    /* The container endpoint reached at this address whatever the host in its URL: a Unix socket, or a parent's vsock
     * port that hands role credentials to an enclave. Then only this source is used. */
    bool has_container_addr;
    struct cof_addr container_addr;
    const char *container_path; /* default "/" */
    const char *imds_base;      /* NULL: "http://169.254.169.254" */
    /* Runs a credential_process; NULL: not supported. Programs pass cof_credentials_process, an enclave does not. */
    enum cof_err (*process)(const struct cof_env *env, struct cof_view command, struct cof_buf *out,
                            struct cof_diag *diag);
    /* The present code of an MFA device, for roles that ask for one (mfa_serial); NULL: not supported. COF_E_SHORT: it is asked for on the
     * terminal, while the loop goes on; so is each one after the first, which a code is good for but once. With it such a role's session
     * is kept in the user's cache folder until it ends. Programs that people run pass cof_credentials_mfa_code. */
    enum cof_err (*mfa_code)(const struct cof_env *env, struct cof_view serial, struct cof_buf *out, struct cof_diag *diag);
};

/* Runs the command without a shell (quotes and backslashes as in one), at most 60 s, and takes what it prints. Blocks,
 * on a loop of its own. */
enum cof_err cof_credentials_process(const struct cof_env *env, struct cof_view command, struct cof_buf *out,
                                     struct cof_diag *diag);

/* $COFFER_MFA_CODE; without it COF_E_SHORT. */
enum cof_err cof_credentials_mfa_code(const struct cof_env *env, struct cof_view serial, struct cof_buf *out, struct cof_diag *diag);

COF_MUST_USE enum cof_err cof_credentials_new(const struct cof_credentials_opts *opts, struct cof_credentials **out);
void cof_credentials_free(struct cof_credentials *source); /* takes NULL; a fetch under way is dropped */

/* Fills aws->credentials. done runs once, from the loop or before this returns. COF_E_STATE while one is under way. */
COF_MUST_USE enum cof_err cof_credentials_start(struct cof_credentials *source,
                                                void (*done)(void *ctx, enum cof_err err, const struct cof_diag *diag),
                                                void *ctx);
/* The same, running the loop until it is done: not from within its callbacks. */
COF_MUST_USE enum cof_err cof_credentials_run(struct cof_credentials *source, struct cof_diag *diag);
/* Keeps them fresh from now on by a timer on the loop, COF_AWS_REFRESH_MS before they end; failures are logged and
 * tried again every 30 s. For programs that use the asynchronous calls. */
COF_MUST_USE enum cof_err cof_credentials_keep(struct cof_credentials *source);
/* What was used last, in words: "environment", "profile dev", "container"; static or the source's. */
const char *cof_credentials_origin(const struct cof_credentials *source);
/* For struct cof_aws: aws->refresh = cof_credentials_refresh, aws->refresh_ctx = source. */
enum cof_err cof_credentials_refresh(void *source, struct cof_aws *aws, struct cof_diag *diag);

#endif
