/* SPDX-License-Identifier: Apache-2.0 */
#include "client/credentials_plan.h"

#include "base/num.h"

#include <string.h>

#define DURATION_S 3600

static struct cof_view get(const struct cof_aws_settings *s, const char *profile, const char *name)
{
    struct cof_view v;

    (void)cof_aws_profile_get(s, profile, name, &v);
    return v;
}

static struct cof_view env(const struct cof_aws_settings *s, const char *name)
{
    return cof_view_str(cof_env_get(&s->env, name));
}

static enum cof_err read_role(const struct cof_aws_settings *s, const char *profile, struct cof_credentials_role *out,
                              struct cof_diag *diag)
{
    struct cof_view duration = get(s, profile, "duration_seconds");
    uint64_t n = DURATION_S;

    *out = (struct cof_credentials_role){.arn = get(s, profile, "role_arn"),
                                         .session_name = get(s, profile, "role_session_name"),
                                         .external_id = get(s, profile, "external_id"),
                                         .mfa_serial = get(s, profile, "mfa_serial")};
    if (duration.len > 0 && (cof_parse_u64(duration, 43200, &n) != COF_OK || n < 900))
        return cof_diag_set(diag, COF_E_CONFIG, "profile %s: duration_seconds must be 900 to 43200", profile);
    out->duration_s = (unsigned)n;
    return COF_OK;
}

static enum cof_err from_environment(const struct cof_aws_settings *s, struct cof_credentials_plan *out,
                                     struct cof_diag *diag)
{
    if (env(s, "AWS_SECRET_ACCESS_KEY").len == 0 || env(s, "AWS_ACCESS_KEY_ID").len == 0)
        return cof_diag_set(diag, COF_E_CONFIG,
                            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together: one is missing");
    out->base = COF_BASE_ENVIRONMENT;
    return COF_OK;
}

static enum cof_err from_profile(const struct cof_aws_settings *s, const char *profile,
                                 struct cof_credentials_plan *out, struct cof_diag *diag);

static enum cof_err from_credential_source(const struct cof_aws_settings *s, const char *profile,
                                           struct cof_view source, struct cof_credentials_plan *out,
                                           struct cof_diag *diag)
{
    if (cof_view_eq(source, COF_LIT("Environment")))
        return from_environment(s, out, diag);
    if (cof_view_eq(source, COF_LIT("EcsContainer")))
        out->base = COF_BASE_CONTAINER;
    else if (cof_view_eq(source, COF_LIT("Ec2InstanceMetadata")))
        out->base = COF_BASE_IMDS;
    else
        return cof_diag_set(diag, COF_E_CONFIG,
                            "profile %s: credential_source must be Environment, EcsContainer or Ec2InstanceMetadata",
                            profile);
    return COF_OK;
}

static enum cof_err static_keys(const struct cof_aws_settings *s, const char *profile, struct cof_credentials_plan *out,
                                struct cof_diag *diag)
{
    if (get(s, profile, "aws_access_key_id").len == 0 || get(s, profile, "aws_secret_access_key").len == 0)
        return cof_diag_set(diag, COF_E_CONFIG, "profile %s: aws_access_key_id or aws_secret_access_key is missing",
                            profile);
    out->base = COF_BASE_FILE;
    (void)memcpy(out->profile, profile, strlen(profile) + 1);
    return COF_OK;
}

/* A role, and whose credentials may assume it. */
static enum cof_err from_role(const struct cof_aws_settings *s, const char *profile, struct cof_credentials_plan *out,
                              struct cof_diag *diag)
{
    struct cof_view source = get(s, profile, "source_profile"), kind = get(s, profile, "credential_source");
    struct cof_credentials_role role;
    char name[128];
    enum cof_err err = read_role(s, profile, &role, diag);

    if (err != COF_OK)
        return err;
    out->token_file = get(s, profile, "web_identity_token_file");
    if (out->token_file.len > 0) {
        out->base = COF_BASE_WEB_IDENTITY;
        out->web = role;
        return COF_OK;
    }
    if ((source.len > 0) == (kind.len > 0))
        return cof_diag_set(diag, COF_E_CONFIG,
                            "profile %s: role_arn needs one of source_profile and credential_source", profile);
    if (out->n_hops == COF_HOPS_MAX)
        return cof_diag_set(diag, COF_E_CONFIG, "profile %s: more than %d roles one after the other", profile,
                            COF_HOPS_MAX);
    out->hops[out->n_hops++] = role;
    if (kind.len > 0)
        return from_credential_source(s, profile, kind, out, diag);
    if (source.len >= sizeof name)
        return cof_diag_set(diag, COF_E_CONFIG, "profile %s: the name of source_profile is too long", profile);
    memcpy(name, source.data, source.len);
    name[source.len] = '\0';
    if (strcmp(name, profile) == 0)
        return static_keys(s, profile, out, diag);
    err = from_profile(s, name, out, diag);
    return err == COF_E_NOT_FOUND
               ? cof_diag_set(diag, COF_E_CONFIG, "profile %s: source_profile '%s' holds no credentials", profile, name)
               : err;
}

/* COF_E_NOT_FOUND: the profile says nothing about credentials. */
static enum cof_err from_profile(const struct cof_aws_settings *s, const char *profile,
                                 struct cof_credentials_plan *out, struct cof_diag *diag)
{
    if (get(s, profile, "role_arn").len > 0)
        return from_role(s, profile, out, diag);
    if (get(s, profile, "aws_access_key_id").len > 0)
        return static_keys(s, profile, out, diag);
    out->command = get(s, profile, "credential_process");
    if (out->command.len > 0) {
        out->base = COF_BASE_PROCESS;
        (void)memcpy(out->profile, profile, strlen(profile) + 1);
        return COF_OK;
    }
    if (get(s, profile, "sso_session").len > 0 || get(s, profile, "sso_start_url").len > 0) {
        (void)cof_diag_set(diag, COF_E_CONFIG, "profile %s: single sign-on is not supported directly", profile);
        cof_diag_hint(diag, "credential_process = aws configure export-credentials --profile %s", profile);
        return COF_E_CONFIG;
    }
    return COF_E_NOT_FOUND;
}

static bool web_identity_in_environment(const struct cof_aws_settings *s, struct cof_credentials_plan *out)
{
    out->token_file = env(s, "AWS_WEB_IDENTITY_TOKEN_FILE");
    out->web = (struct cof_credentials_role){
        .arn = env(s, "AWS_ROLE_ARN"), .session_name = env(s, "AWS_ROLE_SESSION_NAME"), .duration_s = DURATION_S};
    if (out->token_file.len == 0 || out->web.arn.len == 0)
        return false;
    out->base = COF_BASE_WEB_IDENTITY;
    return true;
}

enum cof_err cof_credentials_plan(const struct cof_aws_settings *settings, struct cof_credentials_plan *out,
                                  struct cof_diag *diag)
{
    enum cof_err err;

    *out = (struct cof_credentials_plan){0};
    if (!settings->profile_named &&
        (env(settings, "AWS_ACCESS_KEY_ID").len > 0 || env(settings, "AWS_SECRET_ACCESS_KEY").len > 0))
        return from_environment(settings, out, diag);
    if (!settings->profile_named && get(settings, settings->profile, "role_arn").len == 0 &&
        web_identity_in_environment(settings, out))
        return COF_OK;
    *out = (struct cof_credentials_plan){0};
    err = from_profile(settings, settings->profile, out, diag);
    if (err != COF_E_NOT_FOUND)
        return err;
    *out = (struct cof_credentials_plan){0};
    if (env(settings, "AWS_CONTAINER_CREDENTIALS_FULL_URI").len > 0 ||
        env(settings, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").len > 0) {
        out->base = COF_BASE_CONTAINER;
        return COF_OK;
    }
    out->base = COF_BASE_IMDS;
    return COF_OK;
}
