/* SPDX-License-Identifier: Apache-2.0
 *
 * Where settings and credentials come from: precedence, every source, expiry, and what is refused.
 */
#include "world.h"

#include "client/credentials.h"
#include "client/session.h"
#include "io/clock.h"
#include "io/rng_os.h"

#include <sys/stat.h>
#include <unistd.h>

static char env_text[40][2][512];
static size_t env_n;
static char config_path[64], credentials_path[64], token_path[64];

static void set_env(const char *name, const char *value)
{
    (void)snprintf(env_text[env_n][0], 512, "%s", name);
    (void)snprintf(env_text[env_n++][1], 512, "%s", value);
}

static const char *get_env(void *ctx, const char *name)
{
    (void)ctx;
    for (size_t i = env_n; i-- > 0;)
        if (strcmp(env_text[i][0], name) == 0)
            return env_text[i][1];
    return NULL;
}

static const struct cof_env test_env = {get_env, NULL};

static void write_text(char path[64], const char *text)
{
    FILE *f;
    int fd;

    (void)snprintf(path, 64, "/tmp/coffer-aws-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    f = fdopen(fd, "w");
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void set_files(const char *config, const char *credentials)
{
    if (config != NULL) {
        write_text(config_path, config);
        set_env("AWS_CONFIG_FILE", config_path);
    }
    if (credentials != NULL) {
        write_text(credentials_path, credentials);
        set_env("AWS_SHARED_CREDENTIALS_FILE", credentials_path);
    }
}

static void clear(void)
{
    char *const paths[] = {config_path, credentials_path, token_path};

    for (size_t i = 0; i < 3; i++)
        if (paths[i][0] != '\0') {
            (void)unlink(paths[i]);
            paths[i][0] = '\0';
        }
    env_n = 0;
}

static int setup(void **state)
{
    clear();
    return world_setup(state);
}

static int teardown(void **state)
{
    clear();
    return world_teardown(state);
}

static void expect_host(const struct cof_aws_settings *s, enum cof_aws_service service, const char *host)
{
    assert_string_equal(s->endpoints[service].host, host);
}

/* Option, variable, profile; service before general; and AWS's own names. */
static void endpoints(void **state)
{
    struct cof_aws_settings s;
    struct cof_aws_overrides o = {0};

    (void)state;
    set_files("[default]\nregion = eu-central-1\n[profile dev]\nregion = eu-west-1\nservices = mine\nendpoint_url = "
              "http://all:1\n"
              "[services mine]\nkms =\n  endpoint_url = http://kms:2\n",
              NULL);
    assert_ok(cof_aws_settings_load(&s, &test_env, NULL, NULL));
    assert_string_equal(s.region, "eu-central-1");
    expect_host(&s, COF_AWS_S3, "s3.eu-central-1.amazonaws.com");
    expect_host(&s, COF_AWS_STS, "sts.eu-central-1.amazonaws.com");
    assert_false(s.endpoints[COF_AWS_S3].custom);
    cof_aws_settings_done(&s);

    set_env("AWS_PROFILE", "dev");
    assert_ok(cof_aws_settings_load(&s, &test_env, NULL, NULL));
    assert_string_equal(s.region, "eu-west-1");
    expect_host(&s, COF_AWS_KMS, "kms");
    expect_host(&s, COF_AWS_S3, "all");
    cof_aws_settings_done(&s);

    set_env("AWS_ENDPOINT_URL", "http://general:3");
    set_env("AWS_ENDPOINT_URL_SQS", "https://queue:4");
    set_env("AWS_DEFAULT_REGION", "us-west-1");
    assert_ok(cof_aws_settings_load(&s, &test_env, NULL, NULL));
    expect_host(&s, COF_AWS_KMS, "general");
    expect_host(&s, COF_AWS_SQS, "queue");
    assert_int_equal(s.endpoints[COF_AWS_SQS].port, 4);
    assert_true(s.endpoints[COF_AWS_SQS].https);
    assert_string_equal(s.region, "us-west-1");
    cof_aws_settings_done(&s);

    set_env("AWS_REGION", "us-west-2");
    o = (struct cof_aws_overrides){.region = "ap-south-1", .endpoint_url = "http://option:5"};
    assert_ok(cof_aws_settings_load(&s, &test_env, &o, NULL));
    assert_string_equal(s.region, "ap-south-1");
    expect_host(&s, COF_AWS_SQS, "option");
    cof_aws_settings_done(&s);
    o = (struct cof_aws_overrides){0};
    assert_ok(cof_aws_settings_load(&s, &test_env, &o, NULL));
    assert_string_equal(s.region, "us-west-2");
    cof_aws_settings_done(&s);
}

static void endpoint_names(void **state)
{
    static const struct {
        const char *region;
        bool fips, dual;
        enum cof_aws_service service;
        const char *host;
    } cases[] = {
        {"us-east-1", true, false, COF_AWS_S3, "s3-fips.us-east-1.amazonaws.com"},
        {"us-east-1", false, true, COF_AWS_S3, "s3.dualstack.us-east-1.amazonaws.com"},
        {"us-east-1", true, true, COF_AWS_S3, "s3-fips.dualstack.us-east-1.amazonaws.com"},
        {"us-east-1", true, false, COF_AWS_KMS, "kms-fips.us-east-1.amazonaws.com"},
        {"us-east-1", false, true, COF_AWS_KMS, "kms.us-east-1.api.aws"},
        {"cn-north-1", false, false, COF_AWS_SQS, "sqs.cn-north-1.amazonaws.com.cn"},
        {"us-gov-west-1", true, false, COF_AWS_STS, "sts.us-gov-west-1.amazonaws.com"},
        {"cn-north-1", true, false, COF_AWS_SQS, NULL},
        {"evil.example/", false, false, COF_AWS_S3, NULL},
        {"a@b", false, false, COF_AWS_S3, NULL},
        {"-x", false, false, COF_AWS_S3, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_aws_settings s;
        enum cof_err err;
        env_n = 0;
        set_env("AWS_REGION", cases[i].region);
        set_env("AWS_USE_FIPS_ENDPOINT", cases[i].fips ? "true" : "false");
        set_env("AWS_USE_DUALSTACK_ENDPOINT", cases[i].dual ? "true" : "false");
        err = cof_aws_settings_load(&s, &test_env, NULL, NULL);
        assert_int_equal(err, cases[i].host != NULL ? COF_OK : COF_E_CONFIG);
        if (err == COF_OK) {
            expect_host(&s, cases[i].service, cases[i].host);
            cof_aws_settings_done(&s);
        }
    }
}

/* The tools let the credentials file have the last word ("Configuration and credential file settings"). */
static void credentials_file_first(void **state)
{
    struct cof_aws_settings s;
    struct cof_view v;

    (void)state;
    set_files("[default]\naws_access_key_id = config\nregion = eu-central-1\n[profile dev]\naws_access_key_id = config\n",
              "[default]\naws_access_key_id = credentials\n");
    assert_ok(cof_aws_settings_load(&s, &test_env, NULL, NULL));
    assert_true(cof_aws_profile_get(&s, "default", "aws_access_key_id", &v) && cof_view_eq_str(v, "credentials"));
    assert_true(cof_aws_profile_get(&s, "dev", "aws_access_key_id", &v) && cof_view_eq_str(v, "config"));
    assert_true(cof_aws_profile_get(&s, "default", "region", &v) && cof_view_eq_str(v, "eu-central-1"));
    cof_aws_settings_done(&s);
}

static void addressing(void **state)
{
    static const struct {
        const char *style;
        enum cof_aws_style is;
        enum cof_err err;
    } cases[] = {{"auto", COF_AWS_IN_EITHER, COF_OK}, {"path", COF_AWS_IN_PATH, COF_OK}, {"virtual", COF_AWS_IN_HOST, COF_OK}, {"dns", 0, COF_E_CONFIG}};
    static const struct {
        const char *url, *host;
        uint16_t port;
    } hosts[] = {{"https://[::1]:9000", "::1", 9000}, {"https://[fd00::1]/", "fd00::1", 443}, {"http://a:1", "a", 1}, {"https://[::1", NULL, 0}, {"https://[::1]9000", NULL, 0},
                 {"https://[a]:1", NULL, 0}, {"https://::1", NULL, 0}, {"https://[]:1", NULL, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_aws_settings s;
        char text[128];

        (void)snprintf(text, sizeof text, "[default]\nregion = eu-central-1\ns3 =\n  addressing_style = %s\n", cases[i].style);
        set_files(text, NULL);
        assert_int_equal(cof_aws_settings_load(&s, &test_env, NULL, NULL), cases[i].err);
        if (cases[i].err == COF_OK) {
            assert_int_equal(s.s3_style, cases[i].is);
            cof_aws_settings_done(&s);
        }
        clear();
    }
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct cof_aws_endpoint e;

        assert_int_equal(cof_aws_endpoint_parse(hosts[i].url, &e, NULL), hosts[i].host != NULL ? COF_OK : COF_E_USAGE);
        if (hosts[i].host != NULL) {
            assert_string_equal(e.host, hosts[i].host);
            assert_int_equal(e.port, hosts[i].port);
        }
    }
}

/* HTTPS_PROXY serves https endpoints except those NO_PROXY names. */
static void proxies(void **state)
{
    static const struct {
        const char *no_proxy;
        bool direct;
    } cases[] = {{"", false}, {"localhost,example.com", false}, {"*", true}, {"s3.us-east-1.amazonaws.com", true},
                 {".amazonaws.com", true}, {"amazonaws.com", true}, {"naws.com", false}, {" x , AMAZONAWS.COM ", true},
                 {"a amazonaws.com", true}, {"amazonaws.com:443", true}, {"amazonaws.com:80", false}, {"s3.us-east-1.amazonaws.com:0x", false},
                 {"10.0.0.0/8", false}, {"0.0.0.0/0", false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_aws_settings s;
        env_n = 0;
        set_env("AWS_REGION", "us-east-1");
        set_env("HTTPS_PROXY", "http://proxy.local:3128/");
        set_env("NO_PROXY", cases[i].no_proxy);
        set_env("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9");
        assert_ok(cof_aws_settings_load(&s, &test_env, NULL, NULL));
        assert_true(s.has_proxy);
        assert_string_equal(s.proxy.host, "proxy.local");
        assert_int_equal(s.proxy.port, 3128);
        assert_int_equal(s.endpoints[COF_AWS_S3].has_addr, cases[i].direct);
        assert_true(s.endpoints[COF_AWS_SQS].has_addr);
        cof_aws_settings_done(&s);
    }
    {
        struct cof_aws_settings s;
        env_n = 0;
        set_env("AWS_REGION", "us-east-1");
        set_env("HTTPS_PROXY", "http://us%40er:sec@ret@proxy:1");
        assert_ok(cof_aws_settings_load(&s, &test_env, NULL, NULL));
        assert_string_equal(s.proxy.host, "proxy");
        assert_string_equal(s.proxy_basic, "dXNAZXI6c2VjQHJldA=="); /* us@er:sec@ret */
        cof_aws_settings_done(&s);
    }
    for (int i = 0; i < 5; i++) {
        static const char *const networks[] = {"10.0.0.0/8", "10.1.2.3/32", "10.1.2.2/31", "10.1.2.4/30", "10.1.2.3/33"};
        struct cof_aws_settings s;
        env_n = 0;
        set_env("AWS_REGION", "us-east-1");
        set_env("HTTPS_PROXY", "http://proxy:1");
        set_env("AWS_ENDPOINT_URL", "https://10.1.2.3:9000");
        set_env("NO_PROXY", networks[i]);
        assert_ok(cof_aws_settings_load(&s, &test_env, NULL, NULL));
        assert_int_equal(s.endpoints[COF_AWS_S3].has_addr, i < 3);
        cof_aws_settings_done(&s);
    }
    for (int i = 0; i < 3; i++) {
        static const char *const wrong[] = {"https://proxy:1", "http://u:%zz@proxy:1", "http://u:p@"};
        struct cof_aws_settings s;
        env_n = 0;
        set_env("AWS_REGION", "us-east-1");
        set_env("HTTPS_PROXY", wrong[i]);
        assert_int_equal(cof_aws_settings_load(&s, &test_env, NULL, NULL), COF_E_CONFIG);
    }
}

/* Settings that cannot be meant are named, not guessed at. */
static void refuses_settings(void **state)
{
    static const struct {
        const char *name, *value;
    } cases[] = {{"AWS_PROFILE", "absent"},
                 {"AWS_MAX_ATTEMPTS", "0"},
                 {"AWS_MAX_ATTEMPTS", "many"},
                 {"AWS_USE_FIPS_ENDPOINT", "maybe"},
                 {"AWS_ENDPOINT_URL", "ftp://x"},
                 {"AWS_ENDPOINT_URL_S3", "http://x/path"},
                 {"AWS_REQUEST_CHECKSUM_CALCULATION", "never"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_aws_settings s;
        struct cof_diag diag = {0};
        env_n = 0;
        set_env("AWS_REGION", "us-east-1");
        set_env(cases[i].name, cases[i].value);
        assert_int_equal(cof_err_class(cof_aws_settings_load(&s, &test_env, NULL, &diag)), COF_CLASS_USAGE);
        assert_true(diag.text[0] != '\0');
    }
    {
        struct cof_aws_settings s;
        struct cof_diag diag = {0};
        env_n = 0;
        set_files("[default]\nregion\n", NULL);
        assert_int_equal(cof_aws_settings_load(&s, &test_env, NULL, &diag), COF_E_FORMAT);
        assert_non_null(strstr(diag.text, "line 2"));
        assert_non_null(strstr(diag.text, config_path));
    }
}

static void reads_json(void **state)
{
    struct cof_aws_json json;

    (void)state;
    assert_ok(cof_aws_json_read(
        COF_LIT("{\"access_key\":\"AK\",\"secret_key\":\"SK\",\"bucket_name\":\"b\",\"region\":\"eu-west-1\"}"), &json,
        NULL));
    assert_string_equal(json.bucket, "b");
    assert_true(cof_view_eq_str(cof_buf_view(&json.credentials.secret_access_key), "SK"));
    cof_aws_json_done(&json);
    assert_int_equal(cof_aws_json_read(COF_LIT("{\"access_key\":\"AK\"}"), &json, NULL), COF_E_FORMAT);
    assert_int_equal(cof_aws_json_read(COF_LIT("{\"access_key\":\"\",\"secret_key\":\"\"}"), &json, NULL),
                     COF_E_CONFIG);
}

/* A fetch with the settings of the moment; the STS endpoint is the scripted server's. */
static enum cof_err fetch(struct world *w, const char *profile, char origin[192], struct cof_diag *diag)
{
    struct cof_aws_overrides o = {.region = "us-east-1", .profile = profile};
    struct cof_aws_settings s;
    struct cof_credentials_opts opts = {.settings = &s, .aws = &w->aws, .process = cof_credentials_process};
    struct cof_credentials *source;
    enum cof_err err;

    set_env("AWS_ENDPOINT_URL_STS", w->url);
    cof_buf_reset(&w->aws.credentials.access_key_id);
    err = cof_aws_settings_load(&s, &test_env, &o, diag);
    if (err != COF_OK)
        return err;
    opts.imds_base = w->url;
    assert_ok(cof_credentials_new(&opts, &source));
    err = cof_credentials_run(source, diag);
    if (origin != NULL)
        (void)snprintf(origin, 192, "%s", cof_credentials_origin(source));
    cof_credentials_free(source);
    cof_aws_settings_done(&s);
    return err;
}

static void expect_key(struct world *w, const char *id)
{
    assert_true(cof_view_eq_str(cof_buf_view(&w->aws.credentials.access_key_id), id));
}

/* Environment before files, unless a profile is named by option. */
static void static_sources(void **state)
{
    struct world *w = *state;
    char origin[192];
    struct cof_diag diag = {0};

    set_files("[profile both]\naws_access_key_id = CONFIG\naws_secret_access_key = s\n"
              "[profile half]\naws_access_key_id = HALF\n[profile sso]\nsso_session = x\n",
              "[default]\naws_access_key_id = FILE\naws_secret_access_key = secret+/=\n"
              "[named]\naws_access_key_id = NAMED\naws_secret_access_key = s\naws_session_token = t\n");
    assert_ok(fetch(w, NULL, origin, NULL));
    expect_key(w, "FILE");
    assert_string_equal(origin, "profile default");
    assert_true(cof_view_eq_str(cof_buf_view(&w->aws.credentials.secret_access_key), "secret+/="));
    set_env("AWS_ACCESS_KEY_ID", "ENV");
    set_env("AWS_SECRET_ACCESS_KEY", "s");
    assert_ok(fetch(w, NULL, origin, NULL));
    expect_key(w, "ENV");
    assert_ok(fetch(w, "named", origin, NULL));
    expect_key(w, "NAMED");
    assert_int_equal(w->aws.credentials.session_token.len, 1);
    assert_ok(fetch(w, "both", origin, NULL));
    expect_key(w, "CONFIG");
    assert_int_equal(fetch(w, "half", NULL, &diag), COF_E_CONFIG);
    assert_int_equal(fetch(w, "sso", NULL, &diag), COF_E_CONFIG);
    assert_non_null(strstr(diag.hint, "export-credentials"));
    set_env("AWS_SECRET_ACCESS_KEY", "");
    assert_int_equal(fetch(w, NULL, NULL, &diag), COF_E_CONFIG);
    assert_non_null(strstr(diag.text, "belong together"));
}

#define STS_REPLY(kind, id)                                                                                            \
    "<" kind "Response><" kind "Result><Credentials><AccessKeyId>" id "</AccessKeyId><SecretAccessKey>" SECRET         \
    "</SecretAccessKey><SessionToken>tok</SessionToken><Expiration>2026-01-01T01:00:00Z</Expiration></"                \
    "Credentials></" kind "Result></" kind "Response>"

/* A role over a role: the inner one is assumed with the user's keys, the outer one with the inner one's. */
static void assumes_roles(void **state)
{
    struct world *w = *state;

    set_files(
        "[profile outer]\nrole_arn = arn:aws:iam::1:role/outer\nsource_profile = inner\nexternal_id = e&x\n"
        "[profile inner]\nrole_arn = arn:aws:iam::1:role/inner\nsource_profile = user\nrole_session_name = me\n"
        "[profile loop]\nrole_arn = arn:aws:iam::1:role/loop\nsource_profile = loop2\n"
        "[profile loop2]\nrole_arn = arn:aws:iam::1:role/loop\nsource_profile = loop\n"
        "[profile mfa]\nrole_arn = arn:aws:iam::1:role/m\nsource_profile = user\nmfa_serial = arn:aws:iam::1:mfa/me\n",
        "[user]\naws_access_key_id = USER\naws_secret_access_key = " SECRET "\n");
    script(w, 200, NULL, STS_REPLY("AssumeRole", "INNER"));
    script(w, 200, NULL, STS_REPLY("AssumeRole", "OUTER"));
    assert_ok(fetch(w, "outer", NULL, NULL));
    expect_key(w, "OUTER");
    assert_int_equal(w->aws.credentials.expires_ms, NOW_MS + 3600000);
    assert_non_null(strstr(cof_buf_cstr(&w->seen[0].body), "role%2Finner&RoleSessionName=me"));
    assert_non_null(strstr(cof_buf_cstr(&w->seen[1].body), "role%2Fouter"));
    assert_non_null(strstr(cof_buf_cstr(&w->seen[1].body), "ExternalId=e%26x"));
    assert_true(w->seen[0].is_signed && w->seen[1].is_signed);
    assert_true(seen_header(w, 1, "x-amz-security-token", "tok"));
    assert_int_equal(fetch(w, "loop", NULL, NULL), COF_E_CONFIG);
    assert_int_equal(fetch(w, "mfa", NULL, NULL), COF_E_CONFIG);
    script(w, 403, NULL, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>");
    assert_int_equal(fetch(w, "outer", NULL, NULL), COF_E_DENIED);
    assert_int_equal(w->aws.credentials.access_key_id.len, 0);
}

/* Web identity: unsigned, with the file's token. */
static void web_identity(void **state)
{
    struct world *w = *state;

    write_text(token_path, "eyJ.token.sig\n");
    set_env("AWS_WEB_IDENTITY_TOKEN_FILE", token_path);
    set_env("AWS_ROLE_ARN", "arn:aws:iam::1:role/web");
    script(w, 200, NULL, STS_REPLY("AssumeRoleWithWebIdentity", "WEB"));
    assert_ok(fetch(w, NULL, NULL, NULL));
    expect_key(w, "WEB");
    assert_non_null(strstr(cof_buf_cstr(&w->seen[0].body), "WebIdentityToken=eyJ.token.sig&"));
    assert_false(w->seen[0].is_signed);
    assert_int_equal(cof_headers_count(&w->seen[0].headers, "authorization"), 0);
}

#define JSON_KEYS(id, token)                                                                                           \
    "{\"AccessKeyId\":\"" id "\",\"SecretAccessKey\":\"s\",\"" token "\":\"t\",\"Expiration\":\"2026-01-01T02:00:"     \
                                                                     "00Z\"}"

static void container(void **state)
{
    struct world *w = *state;
    struct cof_diag diag = {0};
    char url[128];

    (void)snprintf(url, sizeof url, "%s/role?x=1", w->url);
    set_env("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
    set_env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer abc");
    script(w, 200, NULL, JSON_KEYS("CONTAINER", "Token"));
    assert_ok(fetch(w, NULL, NULL, NULL));
    expect_key(w, "CONTAINER");
    assert_int_equal(w->aws.credentials.expires_ms, NOW_MS + 7200000);
    assert_string_equal(w->seen[0].target, "/role?x=1");
    assert_true(seen_header(w, 0, "authorization", "Bearer abc"));
    script(w, 200, NULL, "{\"AccessKeyId\":\"X\"}");
    assert_int_equal(fetch(w, NULL, NULL, &diag), COF_E_FORMAT);
    script(w, 404, NULL, "");
    assert_int_equal(fetch(w, NULL, NULL, &diag), COF_E_DENIED);
    world_now += 3 * 3600000; /* what is over is not used */
    script(w, 200, NULL, JSON_KEYS("CONTAINER", "Token"));
    assert_int_equal(fetch(w, NULL, NULL, &diag), COF_E_DENIED);
    assert_non_null(strstr(diag.text, "expired"));
    set_env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://evil.example/role"); /* never in the clear to others */
    assert_int_equal(fetch(w, NULL, NULL, &diag), COF_E_CONFIG);
    set_env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1.evil.example/role");
    assert_int_equal(fetch(w, NULL, NULL, &diag), COF_E_CONFIG);
    assert_int_equal(w->n_seen, 4);
}

/* As an enclave gets them: over the parent's socket, and nothing else is looked at. */
static void container_by_address(void **state)
{
    struct world *w = *state;
    struct cof_aws_settings s;
    struct cof_credentials_opts opts = {.settings = &s, .aws = &w->aws, .has_container_addr = true,
                                        .container_addr = w->addr, .container_path = "/credentials"};
    struct cof_credentials *source;

    set_env("AWS_ACCESS_KEY_ID", "ENV");
    set_env("AWS_SECRET_ACCESS_KEY", "s");
    assert_ok(cof_aws_settings_load(&s, &test_env, NULL, NULL));
    assert_ok(cof_credentials_new(&opts, &source));
    script(w, 200, NULL, JSON_KEYS("PARENT", "Token"));
    assert_ok(cof_credentials_refresh(source, &w->aws, NULL));
    expect_key(w, "PARENT");
    assert_string_equal(w->seen[0].target, "/credentials");
    script(w, 500, NULL, ""); /* a failed refresh leaves those that still live */
    assert_ok(cof_credentials_refresh(source, &w->aws, NULL));
    expect_key(w, "PARENT");
    world_now += 7200000;
    script(w, 500, NULL, "");
    assert_int_equal(cof_credentials_refresh(source, &w->aws, NULL), COF_E_RETRY);
    cof_credentials_free(source);
    cof_aws_settings_done(&s);
}

/* IMDSv2: a token first, then the role, then its keys; never without the token. */
static void instance_role(void **state)
{
    struct world *w = *state;
    struct cof_diag diag = {0};

    script(w, 200, NULL, "imds-token");
    script(w, 200, NULL, "my role\nother");
    script(w, 200, NULL, JSON_KEYS("IMDS", "Token"));
    assert_ok(fetch(w, NULL, NULL, NULL));
    expect_key(w, "IMDS");
    assert_string_equal(w->seen[0].method, "PUT");
    assert_true(seen_header(w, 1, "x-aws-ec2-metadata-token", "imds-token"));
    assert_string_equal(w->seen[2].target, "/latest/meta-data/iam/security-credentials/my%20role");
    script(w, 403, NULL, "");
    assert_int_equal(fetch(w, NULL, NULL, &diag), COF_E_CONFIG);
    assert_non_null(strstr(diag.hint, "AWS_ACCESS_KEY_ID"));
    assert_int_equal(w->n_seen, 4);
    set_env("AWS_EC2_METADATA_DISABLED", "true");
    assert_int_equal(fetch(w, NULL, NULL, &diag), COF_E_CONFIG);
    assert_int_equal(w->n_seen, 4);
}

/* credential_process: words as a shell parts them, but no shell; its failure is told. */
static void process(void **state)
{
    struct world *w = *state;
    struct cof_diag diag = {0};

    set_files(
        "[profile good]\ncredential_process = /usr/bin/printf '%s' \""
        "{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"PROC;$HOME\\\","
        "\\\"SecretAccessKey\\\":\\\"s\\\"}\"\n[profile bad]\ncredential_process = /bin/false\n"
        "[profile none]\ncredential_process = /nonexistent/program\n[profile open]\ncredential_process = printf 'x\n",
        NULL);
    assert_ok(fetch(w, "good", NULL, &diag));
    expect_key(w, "PROC;$HOME");
    assert_int_equal(fetch(w, "bad", NULL, &diag), COF_E_CONFIG);
    assert_int_not_equal(fetch(w, "none", NULL, &diag), COF_OK);
    assert_int_equal(fetch(w, "open", NULL, &diag), COF_E_CONFIG);
}

/* Kept fresh by the timer while the loop runs. */
static void keeps_fresh(void **state)
{
    struct world *w = *state;
    struct cof_aws_settings s;
    struct cof_credentials_opts opts = {
        .settings = &s, .aws = &w->aws, .has_container_addr = true, .container_addr = w->addr};
    struct cof_credentials *source;
    bool never = false;

    assert_ok(cof_aws_settings_load(&s, &test_env, NULL, NULL));
    assert_ok(cof_credentials_new(&opts, &source));
    script(
        w, 200, NULL,
        "{\"AccessKeyId\":\"ONE\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"2026-01-01T00:00:11Z\"}");
    script(w, 200, NULL, JSON_KEYS("TWO", "Token"));
    cof_buf_reset(&w->aws.credentials.access_key_id);
    assert_ok(cof_credentials_keep(source));
    while (w->n_seen < 1 || w->aws.credentials.access_key_id.len == 0)
        assert_int_equal(cof_loop_run_until(w->loop, &never, 10), COF_E_TIMEOUT);
    expect_key(w, "ONE");
    w->aws.credentials.expires_ms = world_now + 2000; /* short-lived: renewed at half its life */
    assert_ok(cof_credentials_keep(source));
    while (w->n_seen < 2 || !cof_view_eq_str(cof_buf_view(&w->aws.credentials.access_key_id), "TWO"))
        assert_int_equal(cof_loop_run_until(w->loop, &never, 10), COF_E_TIMEOUT);
    cof_credentials_free(source);
    cof_aws_settings_done(&s);
}

/* All of it together. */
static void session(void **state)
{
    struct world *w = *state;
    struct cof_session session;
    struct cof_session_opts opts = {
        .loop = w->loop, .env = &test_env, .resolve = cof_resolve_literal, .rng = &cof_rng_os, .now_ms = world_clock};
    struct cof_diag diag = {0};

    assert_int_equal(cof_session_open(&session, &opts, &diag), COF_E_CONFIG);
    assert_non_null(strstr(diag.hint, "AWS_REGION"));
    set_env("AWS_ENDPOINT_URL", w->url);
    set_env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    set_env("AWS_SECRET_ACCESS_KEY", SECRET);
    assert_ok(cof_session_open(&session, &opts, &diag));
    script(w, 200, NULL, "");
    {
        struct cof_aws_request request;
        struct cof_aws_reply reply;
        cof_aws_request_init(&request, COF_AWS_SQS, "POST");
        cof_buf_add_str(&request.path, "/");
        assert_ok(cof_aws_run(&session.aws, &request, 100, &reply, NULL));
        cof_aws_reply_done(&reply);
    }
    assert_true(w->seen[0].is_signed);
    assert_string_equal(session.aws.region, "us-east-1");
    cof_session_close(&session);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(endpoints),      T(endpoint_names), T(credentials_file_first), T(addressing), T(proxies),      T(refuses_settings), T(reads_json),
        T(static_sources), T(assumes_roles),  T(web_identity), T(container),        T(container_by_address),
        T(instance_role),  T(process),        T(keeps_fresh),  T(session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
