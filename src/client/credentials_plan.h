/* SPDX-License-Identifier: Apache-2.0
 *
 * Which source of credentials the settings point to, decided without asking any: a base, and the roles to assume from
 * it. Private to the credentials.
 */
#ifndef COF_CLIENT_CREDENTIALS_PLAN_H
#define COF_CLIENT_CREDENTIALS_PLAN_H

#include "client/aws_config.h"

enum cof_credentials_base {
    COF_BASE_ENVIRONMENT,
    COF_BASE_FILE,
    COF_BASE_PROCESS,
    COF_BASE_WEB_IDENTITY,
    COF_BASE_CONTAINER,
    COF_BASE_IMDS,
};

#define COF_HOPS_MAX 4

struct cof_credentials_role { /* views into the settings or the environment */
    struct cof_view arn, session_name, external_id;
    struct cof_view mfa_serial; /* the code of this device is asked for; may be empty */
    unsigned duration_s;
};

struct cof_credentials_plan {
    enum cof_credentials_base base;
    char profile[128];          /* FILE, PROCESS: where they stand */
    struct cof_view command;    /* PROCESS */
    struct cof_view token_file; /* WEB_IDENTITY, with web */
    struct cof_credentials_role web;
    struct cof_credentials_role hops[COF_HOPS_MAX]; /* the last one is assumed first */
    size_t n_hops;
};

/* COF_E_CONFIG with words for settings that cannot be meant, and for sources that are not supported. */
COF_MUST_USE enum cof_err cof_credentials_plan(const struct cof_aws_settings *settings,
                                               struct cof_credentials_plan *out, struct cof_diag *diag);

#endif
