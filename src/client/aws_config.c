/* SPDX-License-Identifier: Apache-2.0 */
#include "client/aws_config.h"

#include "base/codec.h"
#include "base/num.h"
#include "client/endpoint.h"
#include "format/json.h"
#include "format/uri.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 20)
#define N_SERVICES 4

static const char *const service_words[N_SERVICES] = {"S3", "KMS", "SQS", "STS"};

static const char *from_process(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

const struct cof_env cof_env_process = {from_process, NULL};

const char *cof_env_get(const struct cof_env *env, const char *name)
{
    const char *value = env == NULL || env->get == NULL ? NULL : env->get(env->ctx, name);

    return value == NULL || value[0] == '\0' ? NULL : value;
}

static bool copy(struct cof_view v, char *out, size_t size)
{
    out[0] = '\0';
    if (v.len >= size || cof_view_find(v, 0) != SIZE_MAX)
        return false;
    if (v.len > 0)
        memcpy(out, v.data, v.len);
    out[v.len] = '\0';
    return true;
}

/* A missing file is an empty one, unless it was named. */
static enum cof_err load_file(const struct cof_env *env, const char *variable, const char *usual, struct cof_ini *out,
                              struct cof_diag *diag)
{
    const char *named = cof_env_get(env, variable), *home = cof_env_get(env, "HOME");
    struct cof_diag inner = {0};
    struct cof_buf text;
    char path[4096];
    enum cof_err err;

    if (named == NULL && home == NULL)
        return COF_OK;
    if (snprintf(path, sizeof path, "%s%s", named != NULL ? named : home, named != NULL ? "" : usual) >=
        (int)sizeof path)
        return cof_diag_set(diag, COF_E_CONFIG, "%s: the path is too long", variable);
    cof_buf_init_secret(&text, FILE_MAX);
    err = cof_file_read(path, &text, &inner);
    if (err == COF_OK)
        err = cof_ini_parse(cof_buf_view(&text), FILE_MAX, out, &inner);
    else if (err == COF_E_NOT_FOUND) /* the tools of AWS pass over a named file that is not there, too */
        err = COF_OK;
    cof_buf_done(&text);
    if (err != COF_OK)
        (void)cof_diag_set(diag, err, "%s: %s", path, inner.text[0] != '\0' ? inner.text : cof_err_text(err));
    return err;
}

bool cof_aws_profile_section(const char *profile, char out[static 160])
{
    return snprintf(out, 160, "%s%s", strcmp(profile, "default") == 0 ? "" : "profile ", profile) < 160;
}

bool cof_aws_profile_get(const struct cof_aws_settings *settings, const char *profile, const char *name,
                         struct cof_view *value)
{
    char section[160];

    *value = (struct cof_view){0};
    if (!cof_aws_profile_section(profile, section))
        return false;
    if (cof_ini_get(&settings->credentials, profile, name, value))
        return value->len > 0;
    if (strcmp(profile, "default") == 0 && cof_ini_get(&settings->config, "profile default", name, value))
        return value->len > 0;
    return cof_ini_get(&settings->config, section, name, value) && value->len > 0;
}

static bool profile_exists(const struct cof_aws_settings *s)
{
    char section[160];

    return cof_aws_profile_section(s->profile, section) &&
           (cof_ini_has(&s->config, section) || cof_ini_has(&s->credentials, s->profile));
}

/* The first that is given: option, variables, profile. False: none is. */
static bool choose(const struct cof_aws_settings *s, const char *option, const char *const *variables, const char *name,
                   struct cof_view *out)
{
    const char *text = option;

    for (size_t i = 0; text == NULL && variables[i] != NULL; i++)
        text = cof_env_get(&s->env, variables[i]);
    if (text == NULL)
        return cof_aws_profile_get(s, s->profile, name, out);
    *out = cof_view_str(text);
    return true;
}

static enum cof_err choose_profile(struct cof_aws_settings *s, const char *option, struct cof_diag *diag)
{
    const char *name = option;

    s->profile_named = option != NULL;
    if (name == NULL)
        name = cof_env_get(&s->env, "AWS_PROFILE");
    if (name == NULL)
        name = cof_env_get(&s->env, "AWS_DEFAULT_PROFILE");
    if (!copy(cof_view_str(name != NULL ? name : "default"), s->profile, sizeof s->profile))
        return cof_diag_set(diag, COF_E_CONFIG, "the profile's name is too long");
    if (name != NULL && strcmp(name, "default") != 0 && !profile_exists(s)) {
        (void)cof_diag_set(diag, COF_E_CONFIG, "there is no profile '%s'", name);
        cof_diag_hint(diag, "profiles stand in ~/.aws/config as [profile %s], in ~/.aws/credentials as [%s]", name,
                      name);
        return COF_E_CONFIG;
    }
    return COF_OK;
}

static enum cof_err choose_flag(const struct cof_aws_settings *s, const char *variable, const char *name, bool *out,
                                struct cof_diag *diag)
{
    const char *const variables[] = {variable, NULL};
    struct cof_view v;

    *out = false;
    if (!choose(s, NULL, variables, name, &v) || cof_view_eq_nocase(v, COF_LIT("false")))
        return COF_OK;
    if (!cof_view_eq_nocase(v, COF_LIT("true")))
        return cof_diag_set(diag, COF_E_CONFIG, "%s (or %s) must be true or false", variable, name);
    *out = true;
    return COF_OK;
}

/* The profile's own URL for a service stands in the section its `services` setting names. */
static bool profile_endpoint(const struct cof_aws_settings *s, size_t service, struct cof_view *out)
{
    struct cof_view name;
    const char *word = cof_aws_service_name((enum cof_aws_service)service);
    char section[160];

    if (cof_aws_profile_get(s, s->profile, "services", &name) &&
        snprintf(section, sizeof section, "services %.*s", (int)(name.len < 140 ? name.len : 140),
                 (const char *)name.data) > 0 &&
        cof_ini_get_nested(&s->config, section, word, "endpoint_url", out) && out->len > 0)
        return true;
    return cof_aws_profile_get(s, s->profile, "endpoint_url", out);
}

/* The URL given for a service, or an empty view. */
static enum cof_err given_endpoint(const struct cof_aws_settings *s, size_t service, const char *option, char url[512],
                                   struct cof_diag *diag)
{
    struct cof_view v = cof_view_str(option);
    bool ignore = false;
    char variable[40];
    enum cof_err err = COF_OK;

    url[0] = '\0';
    if (option == NULL) {
        err = choose_flag(s, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls", &ignore, diag);
        if (err != COF_OK || ignore)
            return err;
        (void)snprintf(variable, sizeof variable, "AWS_ENDPOINT_URL_%s", service_words[service]);
        v = cof_view_str(cof_env_get(&s->env, variable));
        if (v.len == 0)
            v = cof_view_str(cof_env_get(&s->env, "AWS_ENDPOINT_URL"));
        if (v.len == 0)
            (void)profile_endpoint(s, service, &v);
    }
    if (!copy(v, url, 512))
        return cof_diag_set(diag, COF_E_CONFIG, "the endpoint URL for %s is too long", service_words[service]);
    return COF_OK;
}

/* How S3's own setting (s3 = / addressing_style = ...) has the bucket named: in the host or in the path. */
static enum cof_err choose_addressing(struct cof_aws_settings *s, struct cof_diag *diag)
{
    char section[160];
    struct cof_view v = {0};

    if (cof_aws_profile_section(s->profile, section))
        (void)cof_ini_get_nested(&s->config, section, "s3", "addressing_style", &v);
    if (v.len == 0 || cof_view_eq_nocase(v, COF_LIT("auto")))
        return COF_OK;
    if (!cof_view_eq_nocase(v, COF_LIT("path")) && !cof_view_eq_nocase(v, COF_LIT("virtual")))
        return cof_diag_set(diag, COF_E_CONFIG, "addressing_style must be auto, path or virtual");
    s->s3_style = cof_view_eq_nocase(v, COF_LIT("path")) ? COF_AWS_IN_PATH : COF_AWS_IN_HOST;
    return COF_OK;
}

static enum cof_err choose_endpoints(struct cof_aws_settings *s, const char *option, struct cof_diag *diag)
{
    bool all_custom = true;
    char url[N_SERVICES][512];
    enum cof_err err = choose_flag(s, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", &s->fips, diag);

    if (err == COF_OK)
        err = choose_flag(s, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", &s->dual_stack, diag);
    for (size_t i = 0; i < N_SERVICES && err == COF_OK; i++) {
        err = given_endpoint(s, i, option, url[i], diag);
        all_custom = all_custom && url[i][0] != '\0';
    }
    if (err == COF_OK && s->region[0] == '\0' && all_custom)
        (void)snprintf(s->region, sizeof s->region, "us-east-1"); /* as the tools do for services of one's own */
    for (size_t i = 0; i < N_SERVICES && err == COF_OK; i++) {
        struct cof_aws_endpoint *e = &s->endpoints[i];
        if (url[i][0] != '\0') {
            err = cof_aws_endpoint_parse(url[i], e, diag);
        } else if (s->region[0] != '\0') {
            *e = (struct cof_aws_endpoint){.https = true, .port = 443};
            err = cof_endpoint_host((enum cof_aws_service)i, s->region, s->fips, s->dual_stack, e->host, diag);
        }
    }
    return err;
}

/* "user:password", percent-encoded, as Basic credentials (RFC 7617). */
static enum cof_err read_proxy_user(struct cof_view text, struct cof_aws_settings *s, struct cof_diag *diag)
{
    struct cof_buf plain, basic;
    enum cof_err err;

    cof_buf_init_secret(&plain, 256);
    cof_buf_init_secret(&basic, sizeof s->proxy_basic - 1);
    err = cof_uri_decode(text, false, &plain);
    if (err == COF_OK)
        cof_base64_add(&basic, cof_buf_view(&plain));
    if (err == COF_OK)
        err = cof_buf_err(&basic);
    if (err == COF_OK)
        (void)copy(cof_buf_view(&basic), s->proxy_basic, sizeof s->proxy_basic);
    else
        err = cof_diag_set(diag, COF_E_CONFIG, "HTTPS_PROXY: its user and password are malformed or too long");
    cof_buf_done(&plain);
    cof_buf_done(&basic);
    return err;
}

/* "http://[user:password@]host:port[/]". */
static enum cof_err parse_proxy(const char *url, struct cof_aws_settings *s, struct cof_diag *diag)
{
    struct cof_view rest = cof_view_str(url), host, port, tail;
    struct cof_addr *out = &s->proxy;
    uint64_t number = 80;
    size_t at;

    *out = (struct cof_addr){.kind = COF_ADDR_TCP};
    if (cof_view_starts(rest, COF_LIT("https://")))
        return cof_diag_set(diag, COF_E_CONFIG, "HTTPS_PROXY: proxies that are spoken to over TLS are not supported");
    if (cof_view_starts(rest, COF_LIT("http://")))
        rest = cof_view_sub(rest, 7, SIZE_MAX);
    (void)cof_view_split(rest, '/', &rest, &tail);
    for (at = rest.len; at > 0 && rest.data[at - 1] != '@'; at--) {
    }
    if (at > 0 && read_proxy_user(cof_view_sub(rest, 0, at - 1), s, diag) != COF_OK)
        return COF_E_CONFIG;
    rest = cof_view_sub(rest, at, SIZE_MAX);
    if (cof_view_split(rest, ':', &host, &port) && cof_parse_u64(port, 65535, &number) != COF_OK)
        host.len = 0;
    if (tail.len > 0 || host.len == 0 || !copy(host, out->host, sizeof out->host))
        return cof_diag_set(diag, COF_E_CONFIG, "HTTPS_PROXY: expected http://[USER:PASSWORD@]HOST:PORT");
    out->port = (uint32_t)number;
    return COF_OK;
}

static bool is_ipv4(struct cof_view text, uint32_t *out)
{
    char copied[16];
    struct cof_sockaddr addr;
    size_t n;

    if (!copy(text, copied, sizeof copied) || strchr(copied, ':') != NULL || cof_resolve_literal(copied, 0, &addr, 1, &n) != COF_OK)
        return false;
    /* of a sockaddr_in */
    *out = (uint32_t)addr.bytes[4] << 24 | (uint32_t)addr.bytes[5] << 16 | (uint32_t)addr.bytes[6] << 8 | addr.bytes[7];
    return true;
}

/* "10.0.0.0/8" */
static bool is_in_network(struct cof_view item, struct cof_view host)
{
    struct cof_view network, bits;
    uint32_t a, b;
    uint64_t n;

    return cof_view_split(item, '/', &network, &bits) && is_ipv4(network, &a) && is_ipv4(host, &b) && cof_parse_u64(bits, 32, &n) == COF_OK &&
           (n == 0 || (a ^ b) >> (32 - n) == 0);
}

/* NO_PROXY: names and the domains below them, each with a port or without, networks, or "*"; separated by commas or spaces. */
static bool goes_direct(const char *list, const char *host, uint16_t own_port)
{
    struct cof_view rest = cof_view_str(list), item, port, name = cof_view_str(host);
    uint64_t n;

    while (rest.len > 0) {
        size_t len = 0;

        while (len < rest.len && rest.data[len] != ',' && rest.data[len] != ' ')
            len++;
        item = cof_view_sub(rest, 0, len);
        rest = cof_view_sub(rest, len + 1, SIZE_MAX);
        if (is_in_network(item, name))
            return true;
        if (cof_view_split(item, ':', &item, &port) && cof_view_find(port, ':') == SIZE_MAX && (cof_parse_u64(port, 65535, &n) != COF_OK || n != own_port))
            continue;
        if (cof_view_eq(item, COF_LIT("*")) || cof_view_eq_nocase(item, name))
            return true;
        while (item.len > 0 && item.data[0] == '.')
            item = cof_view_sub(item, 1, SIZE_MAX);
        if (item.len > 0 && name.len > item.len && name.data[name.len - item.len - 1] == '.' &&
            cof_view_eq_nocase(cof_view_sub(name, name.len - item.len, SIZE_MAX), item))
            return true;
    }
    return false;
}

static enum cof_err choose_proxy(struct cof_aws_settings *s, struct cof_diag *diag)
{
    const char *proxy = cof_env_get(&s->env, "HTTPS_PROXY"), *direct = cof_env_get(&s->env, "NO_PROXY");
    enum cof_err err;

    proxy = proxy != NULL ? proxy : cof_env_get(&s->env, "https_proxy");
    direct = direct != NULL ? direct : cof_env_get(&s->env, "no_proxy");
    if (proxy == NULL)
        return COF_OK;
    err = parse_proxy(proxy, s, diag);
    if (err != COF_OK)
        return err;
    s->has_proxy = true;
    for (size_t i = 0; i < N_SERVICES; i++) {
        struct cof_aws_endpoint *e = &s->endpoints[i];
        if (e->host[0] == '\0' || (e->https && (direct == NULL || !goes_direct(direct, e->host, e->port))))
            continue;
        e->has_addr = true;
        e->addr = (struct cof_addr){.kind = COF_ADDR_TCP, .port = e->port};
        (void)copy(cof_view_str(e->host), e->addr.host, sizeof e->addr.host);
    }
    return COF_OK;
}

static enum cof_err choose_rest(struct cof_aws_settings *s, const struct cof_aws_overrides *o, struct cof_diag *diag)
{
    static const char *const bundle[] = {"AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", NULL},
                             *const attempts[] = {"AWS_MAX_ATTEMPTS", NULL},
                             *const checksum[] = {"AWS_REQUEST_CHECKSUM_CALCULATION", NULL},
                             *const validation[] = {"AWS_RESPONSE_CHECKSUM_VALIDATION", NULL};
    struct cof_view v;
    uint64_t n = 3;

    if (choose(s, o->ca_bundle, bundle, "ca_bundle", &v) && !copy(v, s->ca_bundle, sizeof s->ca_bundle))
        return cof_diag_set(diag, COF_E_CONFIG, "the path of the CA bundle is too long");
    if (o->max_attempts > 0)
        n = o->max_attempts;
    else if (choose(s, NULL, attempts, "max_attempts", &v) && (cof_parse_u64(v, 100, &n) != COF_OK || n == 0))
        return cof_diag_set(diag, COF_E_CONFIG, "AWS_MAX_ATTEMPTS (or max_attempts) must be 1 to 100");
    s->max_attempts = (unsigned)n;
    if (choose(s, NULL, checksum, "request_checksum_calculation", &v)) {
        s->checksum_when_required = cof_view_eq_nocase(v, COF_LIT("when_required"));
        if (!s->checksum_when_required && !cof_view_eq_nocase(v, COF_LIT("when_supported")))
            return cof_diag_set(diag, COF_E_CONFIG,
                                "AWS_REQUEST_CHECKSUM_CALCULATION must be when_supported or when_required");
    }
    if (choose(s, NULL, validation, "response_checksum_validation", &v)) {
        s->no_reply_checksum = cof_view_eq_nocase(v, COF_LIT("when_required"));
        if (!s->no_reply_checksum && !cof_view_eq_nocase(v, COF_LIT("when_supported")))
            return cof_diag_set(diag, COF_E_CONFIG,
                                "AWS_RESPONSE_CHECKSUM_VALIDATION must be when_supported or when_required");
    }
    v = cof_view_str(cof_env_get(&s->env, "AWS_EC2_METADATA_DISABLED"));
    s->imds_disabled = cof_view_eq_nocase(v, COF_LIT("true"));
    return COF_OK;
}

enum cof_err cof_aws_settings_load(struct cof_aws_settings *out, const struct cof_env *env,
                                   const struct cof_aws_overrides *overrides, struct cof_diag *diag)
{
    static const struct cof_aws_overrides none = {0};
    static const char *const region[] = {"AWS_REGION", "AWS_DEFAULT_REGION", NULL};
    const struct cof_aws_overrides *o = overrides != NULL ? overrides : &none;
    struct cof_view v;
    enum cof_err err;

    *out = (struct cof_aws_settings){.env = *env};
    err = load_file(env, "AWS_CONFIG_FILE", "/.aws/config", &out->config, diag);
    if (err == COF_OK)
        err = load_file(env, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials", &out->credentials, diag);
    if (err == COF_OK)
        err = choose_profile(out, o->profile, diag);
    if (err == COF_OK && choose(out, o->region, region, "region", &v) && !copy(v, out->region, sizeof out->region))
        err = cof_diag_set(diag, COF_E_CONFIG, "the region's name is too long");
    if (err == COF_OK)
        err = choose_endpoints(out, o->endpoint_url, diag);
    if (err == COF_OK)
        err = choose_addressing(out, diag);
    if (err == COF_OK)
        err = choose_proxy(out, diag);
    if (err == COF_OK)
        err = choose_rest(out, o, diag);
    if (err != COF_OK)
        cof_aws_settings_done(out);
    return err;
}

void cof_aws_settings_done(struct cof_aws_settings *settings)
{
    if (settings == NULL)
        return;
    cof_ini_done(&settings->config);
    cof_ini_done(&settings->credentials);
    cof_wipe(settings->proxy_basic, sizeof settings->proxy_basic);
}

enum cof_err cof_aws_settings_apply(const struct cof_aws_settings *settings, struct cof_aws *aws, struct cof_diag *diag)
{
    if (settings->region[0] == '\0') {
        (void)cof_diag_set(diag, COF_E_CONFIG, "no AWS region");
        cof_diag_hint(diag, "use --region, set AWS_REGION, or write region = ... into the profile");
        return COF_E_CONFIG;
    }
    (void)snprintf(aws->region, sizeof aws->region, "%s", settings->region);
    memcpy(aws->endpoints, settings->endpoints, sizeof aws->endpoints);
    aws->fips = settings->fips;
    aws->dual_stack = settings->dual_stack;
    aws->s3_style = settings->s3_style;
    aws->max_attempts = settings->max_attempts;
    aws->checksum_when_required = settings->checksum_when_required;
    aws->no_reply_checksum = settings->no_reply_checksum;
    return COF_OK;
}

enum cof_err cof_aws_json_read(struct cof_view text, struct cof_aws_json *out, struct cof_diag *diag)
{
    struct cof_view access_key, secret_key, bucket, region;
    json_t *object;
    enum cof_err err;

    *out = (struct cof_aws_json){0};
    cof_aws_credentials_init(&out->credentials);
    err = cof_json_parse_object(text, 65536, &object, diag);
    if (err != COF_OK)
        return err;
    err = cof_json_text(object, "access_key", &access_key, diag);
    if (err == COF_OK)
        err = cof_json_text(object, "secret_key", &secret_key, diag);
    if (err == COF_OK)
        err = cof_json_text_or(object, "bucket_name", "", &bucket, diag);
    if (err == COF_OK)
        err = cof_json_text_or(object, "region", "", &region, diag);
    if (err == COF_OK && (access_key.len == 0 || secret_key.len == 0))
        err = cof_diag_set(diag, COF_E_CONFIG, "access_key and secret_key must not be empty");
    if (err == COF_OK &&
        (!copy(bucket, out->bucket, sizeof out->bucket) || !copy(region, out->region, sizeof out->region)))
        err = cof_diag_set(diag, COF_E_CONFIG, "bucket_name or region is too long");
    if (err == COF_OK) {
        cof_buf_add(&out->credentials.access_key_id, access_key);
        cof_buf_add(&out->credentials.secret_access_key, secret_key);
        err = cof_buf_err(&out->credentials.access_key_id);
        if (err == COF_OK)
            err = cof_buf_err(&out->credentials.secret_access_key);
    }
    cof_json_wipe(object, "secret_key");
    json_decref(object);
    if (err != COF_OK)
        cof_aws_json_done(out);
    return err;
}

void cof_aws_json_done(struct cof_aws_json *json)
{
    if (json != NULL)
        cof_aws_credentials_done(&json->credentials);
}
