/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/imds.h"

#include "base/codec.h"
#include "base/date.h"
#include "base/num.h"
#include "standin/bootstrap.h"
#include "standin/reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT "text/plain"
#define LIFE_MS 21600000LL   /* of credentials */
#define REFRESH_MS 3600000LL /* new ones in the last hour */
#define TTL_MAX 21600
#define SPACE "imds"         /* ROLE -> the access key id handed out last */

struct call {
    struct cof_standin *s;
    struct cof_standin_request *req;
    struct cof_standin_reply *reply;
    const char *role;
};

static enum cof_err page(struct call *c, int status, const char *type, const char *text)
{
    cof_reply_set(c->reply, status, type, cof_view_str(text));
    cof_headers_set(&c->reply->headers, "Server", "EC2ws");
    return COF_OK;
}

static enum cof_err refuse(struct call *c, int status, const char *why)
{
    char html[300];

    (void)snprintf(c->reply->error_code, sizeof c->reply->error_code, "%d", status);
    (void)snprintf(html, sizeof html, "<html><head><title>%d - %s</title></head><body><h1>%d - %s</h1></body></html>\n", status,
        why, status, why);
    return page(c, status, "text/html", html);
}

/* A token is the time it ends, sealed. */
static enum cof_err make_token(struct call *c, int64_t ends_ms, struct cof_buf *out)
{
    struct cof_buf sealed;
    char text[24];
    enum cof_err err;

    (void)snprintf(text, sizeof text, "%" PRId64, ends_ms);
    cof_buf_init(&sealed, 256);
    err = cof_standin_seal(c->s, "imds", COF_LIT("token"), cof_view_str(text), &sealed);
    if (err == COF_OK) {
        cof_base64url_add(out, cof_buf_view(&sealed));
        err = cof_buf_err(out);
    }
    cof_buf_done(&sealed);
    return err;
}

static bool token_is_good(struct call *c, struct cof_view token)
{
    struct cof_buf sealed, text;
    uint64_t ends_ms = 0;
    enum cof_err err;

    cof_buf_init(&sealed, 256);
    cof_buf_init(&text, 32);
    err = cof_base64url_decode(token, &sealed);
    if (err == COF_OK)
        err = cof_standin_unseal(c->s, "imds", COF_LIT("token"), cof_buf_view(&sealed), &text);
    if (err == COF_OK)
        err = cof_parse_u64(cof_buf_view(&text), INT64_MAX, &ends_ms);
    cof_buf_done(&sealed);
    cof_buf_done(&text);
    return err == COF_OK && c->req->now_ms < (int64_t)ends_ms;
}

static enum cof_err put_token(struct call *c)
{
    const struct cof_headers *headers = &c->req->head->headers;
    struct cof_view value;
    struct cof_buf token;
    char ttl[24];
    uint64_t seconds;
    enum cof_err err;

    if (cof_headers_get(headers, "x-forwarded-for", &value))
        return refuse(c, 403, "Forbidden"); /* spec: an open proxy must not fetch tokens for others */
    if (!cof_headers_get(headers, "x-aws-ec2-metadata-token-ttl-seconds", &value) ||
        cof_parse_u64_padded(cof_view_trim(value), TTL_MAX, &seconds) != COF_OK || seconds == 0)
        return refuse(c, 400, "Bad Request");
    cof_buf_init_secret(&token, 256);
    err = make_token(c, c->req->now_ms + (int64_t)seconds * 1000, &token);
    if (err == COF_OK) {
        (void)page(c, 200, TEXT, cof_buf_cstr(&token));
        (void)snprintf(ttl, sizeof ttl, "%" PRIu64, seconds);
        cof_headers_set(&c->reply->headers, "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", ttl);
    }
    cof_buf_done(&token);
    return err;
}

/* Whether EC2 may hand out the role: its trust policy must name the service. */
static enum cof_err trusted(struct call *c, const struct cof_iam_entity *role, bool *yes)
{
    struct cof_caller ec2 = {.kind = COF_CALLER_SERVICE, .arn = COF_LIT("ec2.amazonaws.com")};
    struct cof_standin_access access = {.action = "sts:AssumeRole", .resource = cof_view_str(role->arn),
        .resource_policy = cof_view_str(role->trust), .resource_policy_name = "trust-policy",
        .resource_policy_kind = COF_POLICY_TRUST, .rule = COF_RESOURCE_AUTHORITATIVE, .caller = &ec2};
    enum cof_err err = cof_standin_authorize(c->s, c->req, &access, NULL);

    *yes = err == COF_OK;
    return err == COF_E_DENIED ? COF_OK : err;
}

static enum cof_err issue(struct call *c, const struct cof_iam_entity *role, struct cof_iam_key *key)
{
    const struct cof_store *store = cof_standin_store(c->s);
    enum cof_err err;

    *key = (struct cof_iam_key){.kind = COF_CALLER_ROLE, .expires_ms = c->req->now_ms + LIFE_MS};
    key->name = strdup(role->name);
    key->session_name = strdup(COF_IMDS_INSTANCE_ID);
    if (key->name == NULL || key->session_name == NULL)
        return COF_E_MEMORY;
    err = cof_iam_issue(c->s, key, true, c->req->now_ms);
    return err == COF_OK ?
        store->put(store->ctx, SPACE, cof_view_str(role->name), cof_view_str(key->access_key_id)) :
        err;
}

/* The credentials handed out last, or new ones when those end soon. */
static enum cof_err current_key(struct call *c, const struct cof_iam_entity *role, struct cof_iam_key *key)
{
    const struct cof_store *store = cof_standin_store(c->s);
    struct cof_buf id;
    enum cof_err err;

    *key = (struct cof_iam_key){.name = NULL};
    cof_buf_init(&id, 64);
    err = store->get(store->ctx, SPACE, cof_view_str(role->name), &id);
    if (err == COF_OK)
        err = cof_iam_key_get(store, cof_buf_view(&id), key);
    cof_buf_done(&id);
    if (err == COF_OK && key->expires_ms - c->req->now_ms > REFRESH_MS)
        return COF_OK;
    if (err != COF_OK && err != COF_E_NOT_FOUND)
        return err;
    cof_iam_key_done(key);
    return issue(c, role, key);
}

static enum cof_err say_key(struct call *c, const struct cof_iam_key *key)
{
    char made[COF_DATE_MAX], ends[COF_DATE_MAX];
    struct cof_buf json;
    enum cof_err err;

    cof_date_iso_seconds(key->created_ms, made);
    cof_date_iso_seconds(key->expires_ms, ends);
    cof_buf_init_secret(&json, 8192);
    cof_buf_printf(&json,
        "{\n  \"Code\" : \"Success\",\n  \"LastUpdated\" : \"%s\",\n  \"Type\" : \"AWS-HMAC\",\n"
        "  \"AccessKeyId\" : \"%s\",\n  \"SecretAccessKey\" : \"%s\",\n  \"Token\" : \"%s\",\n  \"Expiration\" : \"%s\"\n}",
        made, key->access_key_id, key->secret, key->session_token, ends);
    err = cof_buf_err(&json);
    if (err == COF_OK)
        (void)page(c, 200, TEXT, cof_buf_cstr(&json));
    cof_buf_done(&json);
    return err;
}

static enum cof_err say_failure(struct call *c)
{
    char now[COF_DATE_MAX], json[300];

    cof_date_iso_seconds(c->req->now_ms, now);
    (void)snprintf(json, sizeof json,
        "{\n  \"Code\" : \"AssumeRoleUnauthorizedAccess\",\n  \"Message\" : \"EC2 cannot assume the role %s.\",\n"
        "  \"LastUpdated\" : \"%s\"\n}", c->role, now);
    return page(c, 200, TEXT, json);
}

static enum cof_err credentials(struct call *c)
{
    struct cof_iam_entity role;
    struct cof_iam_key key = {.name = NULL};
    bool yes = false;
    enum cof_err err =
        cof_iam_get(cof_standin_store(c->s), COF_IAM_ROLE, COF_LIT(""), cof_view_str(c->role), &role);

    if (err == COF_E_NOT_FOUND)
        return refuse(c, 404, "Not Found");
    if (err == COF_OK)
        err = trusted(c, &role, &yes);
    cof_standin_public(c->req, "coffer:InstanceMetadata");
    if (err == COF_OK && !yes)
        err = say_failure(c);
    else if (err == COF_OK)
        err = current_key(c, &role, &key);
    if (err == COF_OK && yes)
        err = say_key(c, &key);
    cof_iam_key_done(&key);
    cof_iam_entity_done(&role);
    return err;
}

static enum cof_err role_name(struct call *c)
{
    return page(c, 200, TEXT, c->role);
}

static enum cof_err iam_info(struct call *c)
{
    char now[COF_DATE_MAX], json[400];

    cof_date_iso_seconds(c->req->now_ms, now);
    (void)snprintf(json, sizeof json,
        "{\n  \"Code\" : \"Success\",\n  \"LastUpdated\" : \"%s\",\n"
        "  \"InstanceProfileArn\" : \"arn:aws:iam::%s:instance-profile/%s\",\n"
        "  \"InstanceProfileId\" : \"AIPA0C0FFEE0C0FFEE000\"\n}", now, cof_standin_account(c->s), c->role);
    return page(c, 200, TEXT, json);
}

static enum cof_err identity(struct call *c)
{
    char json[900];
    const char *region = cof_standin_region(c->s);

    (void)snprintf(json, sizeof json,
        "{\n  \"accountId\" : \"%s\",\n  \"architecture\" : \"x86_64\",\n  \"availabilityZone\" : \"%sa\",\n"
        "  \"billingProducts\" : null,\n  \"devpayProductCodes\" : null,\n  \"marketplaceProductCodes\" : null,\n"
        "  \"imageId\" : \"ami-0c0ffee00c0ffee00\",\n  \"instanceId\" : \"" COF_IMDS_INSTANCE_ID "\",\n"
        "  \"instanceType\" : \"m5.xlarge\",\n  \"kernelId\" : null,\n  \"pendingTime\" : \"2026-01-01T00:00:00Z\",\n"
        "  \"privateIp\" : \"127.0.0.1\",\n  \"ramdiskId\" : null,\n  \"region\" : \"%s\",\n  \"version\" : \"2017-09-30\"\n}",
        cof_standin_account(c->s), region, region);
    return page(c, 200, TEXT, json);
}

static enum cof_err region(struct call *c)
{
    return page(c, 200, TEXT, cof_standin_region(c->s));
}

static enum cof_err zone(struct call *c)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%sa", cof_standin_region(c->s));
    return page(c, 200, TEXT, text);
}

#define META "/latest/meta-data/"
#define FOLDER "/latest/meta-data/iam/security-credentials/"

static const struct {
    const char *path;
    enum cof_err (*run)(struct call *c); /* NULL: text */
    const char *text;
} pages[] = {
    {"/latest/", NULL, "dynamic\nmeta-data"},
    {META, NULL, "ami-id\nhostname\niam/\ninstance-id\ninstance-type\nlocal-ipv4\nplacement/\nservices/"},
    {META "iam/", NULL, "info\nsecurity-credentials/"},
    {META "placement/", NULL, "availability-zone\nregion"},
    {META "services/", NULL, "domain\npartition"},
    {META "ami-id", NULL, "ami-0c0ffee00c0ffee00"},
    {META "hostname", NULL, "localhost"},
    {META "instance-id", NULL, COF_IMDS_INSTANCE_ID},
    {META "instance-type", NULL, "m5.xlarge"},
    {META "local-ipv4", NULL, "127.0.0.1"},
    {META "services/domain", NULL, "amazonaws.com"},
    {META "services/partition", NULL, "aws"},
    {META "placement/region", region, NULL},
    {META "placement/availability-zone", zone, NULL},
    {META "iam/info", iam_info, NULL},
    {FOLDER, role_name, NULL},
    {"/latest/dynamic/instance-identity/", NULL, "document"},
    {"/latest/dynamic/instance-identity/document", identity, NULL},
};

/* A folder is found with its slash and without. */
static bool same_path(struct cof_view path, const char *want)
{
    size_t len = strlen(want);

    return cof_view_eq_str(path, want) || (want[len - 1] == '/' && path.len == len - 1 && memcmp(path.data, want, len - 1) == 0);
}

static enum cof_err get(struct call *c)
{
    struct cof_view path = c->req->head->path;

    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        if (same_path(path, pages[i].path))
            return pages[i].run == NULL ? page(c, 200, TEXT, pages[i].text) : pages[i].run(c);
    if (cof_view_starts(path, COF_LIT(FOLDER)) &&
        cof_view_eq_str(cof_view_sub(path, sizeof FOLDER - 1, SIZE_MAX), c->role))
        return credentials(c);
    return refuse(c, 404, "Not Found");
}

static enum cof_err handle(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    struct call c = {s, req, reply, cof_standin_options(s)->instance_role};
    struct cof_view token;

    cof_standin_public(req, "coffer:InstanceMetadata");
    if (c.role == NULL)
        return refuse(&c, 404, "Not Found");
    if (cof_view_eq_str(req->head->path, "/latest/api/token"))
        return cof_view_eq_str(req->head->method, "PUT") ? put_token(&c) : refuse(&c, 405, "Method Not Allowed");
    if (!cof_view_eq_str(req->head->method, "GET") && !cof_view_eq_str(req->head->method, "HEAD"))
        return refuse(&c, 405, "Method Not Allowed");
    if (!cof_headers_get(&req->head->headers, "x-aws-ec2-metadata-token", &token) || !token_is_good(&c, cof_view_trim(token)))
        return refuse(&c, 401, "Unauthorized");
    return get(&c);
}

const struct cof_service cof_service_imds = {
    .name = "imds",
    .anonymous = true,
    .handle = handle,
};
