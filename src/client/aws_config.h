/* SPDX-License-Identifier: Apache-2.0
 *
 * What the AWS tools read to know where to go: options, environment, ~/.aws/config and ~/.aws/credentials, in their
 * order of precedence ("Configuration and credential file settings", AWS SDKs Reference Guide). The environment comes
 * as a getter. Credentials are found by src/client/credentials.h from the same settings.
 */
#ifndef COF_CLIENT_AWS_CONFIG_H
#define COF_CLIENT_AWS_CONFIG_H

#include "client/aws.h"
#include "format/ini.h"

struct cof_env {
    const char *(*get)(void *ctx, const char *name); /* NULL: not set */
    void *ctx;
};
extern const struct cof_env cof_env_process; /* getenv */
/* The variable, or NULL when it is not set or empty. */
const char *cof_env_get(const struct cof_env *env, const char *name);

/* From the command line; NULL or 0: not given. */
struct cof_aws_overrides {
    const char *region, *profile, *endpoint_url, *ca_bundle;
    unsigned max_attempts;
};

struct cof_aws_settings {
    struct cof_env env;
    struct cof_ini config, credentials; /* the two files; empty when absent */
    char profile[128];
    bool profile_named;  /* by option: then the environment's keys are not looked at */
    char region[64];     /* empty: nothing names one */
    bool fips, dual_stack;
    struct cof_aws_endpoint endpoints[4]; /* all filled when there is a region or an endpoint for each */
    char ca_bundle[4096]; /* empty: the system's */
    unsigned max_attempts;
    bool has_proxy;
    char proxy_basic[348]; /* its Basic credentials in base64; empty: none. Wiped */
    struct cof_addr proxy; /* for https endpoints; those NO_PROXY names, and http ones, go direct */
    enum cof_aws_style s3_style;
    bool imds_disabled;
    bool checksum_when_required; /* AWS_REQUEST_CHECKSUM_CALCULATION=when_required */
    bool no_reply_checksum;      /* AWS_RESPONSE_CHECKSUM_VALIDATION=when_required */
};

/* COF_E_CONFIG or COF_E_FORMAT with words naming the file or variable. */
COF_MUST_USE enum cof_err cof_aws_settings_load(struct cof_aws_settings *out, const struct cof_env *env,
                                                const struct cof_aws_overrides *overrides, struct cof_diag *diag);
void cof_aws_settings_done(struct cof_aws_settings *settings);
/* Region, endpoints, attempts and checksums into a client. COF_E_CONFIG when there is no region. */
COF_MUST_USE enum cof_err cof_aws_settings_apply(const struct cof_aws_settings *settings, struct cof_aws *aws,
                                                 struct cof_diag *diag);
/* "profile NAME" or "default": the section of a profile in the config file. False when it would not fit. */
bool cof_aws_profile_section(const char *profile, char out[static 160]);
/* A setting of the profile, wherever it may stand: the credentials file, else the config file. */
bool cof_aws_profile_get(const struct cof_aws_settings *settings, const char *profile, const char *name,
                         struct cof_view *value);

/* The upload tool's own file, config/aws_config.json: {"access_key", "secret_key", "bucket_name", "region"}. */
struct cof_aws_json {
    struct cof_aws_credentials credentials;
    char bucket[64], region[64];
};
COF_MUST_USE enum cof_err cof_aws_json_read(struct cof_view text, struct cof_aws_json *out, struct cof_diag *diag);
void cof_aws_json_done(struct cof_aws_json *json);

#endif
